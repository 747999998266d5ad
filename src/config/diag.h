// SPDX-License-Identifier: Apache-2.0
// What is wrong with a config, told to the operator: where, what, how to mend it. The loader and its checks
// add, sluiced and sluicectl print. Caller-owned, one thread at a time.
#ifndef SL_CONFIG_DIAG_H
#define SL_CONFIG_DIAG_H

#include <stddef.h>
#include <stdio.h>

struct json_t;

#define SL_DIAG_MOST 200 // kept; the rest is only counted

enum sl_severity { SL_DIAG_ERROR, SL_DIAG_WARNING };

struct sl_diagnostic {
    enum sl_severity severity;
    char *file;
    unsigned line, column; // from 1; 0: of the file as a whole
    char *where;           // "nat.forwards[2].outside", "" for the whole
    char *what;            // what is wrong
    char *mend;            // how to mend it, "" where the first says it all
};

struct sl_diagnostics {
    struct sl_diagnostic *list;
    unsigned count;    // in the list
    unsigned errors;   // found, those beyond the list included
    unsigned warnings; // likewise
};

void sl_diag_init(struct sl_diagnostics *diag);
void sl_diag_fini(struct sl_diagnostics *diag);

// Adds one. `what` is a printf format; `mend` and `where` may be NULL. Where memory is out it still counts.
void sl_diag_add(struct sl_diagnostics *diag, enum sl_severity severity, const char *file, unsigned line,
                 unsigned column, const char *where, const char *mend, const char *what, ...)
    __attribute__((format(printf, 8, 9)));

// By file, line and column, as an editor wants them. Equal places keep their order.
void sl_diag_sort(struct sl_diagnostics *diag);

// "file:line:column: where: what; mend" (warnings: "file:line:column: warning: where: ..."). Returns the
// length the text wants, as snprintf.
int sl_diag_format(const struct sl_diagnostic *one, char *out, size_t size);

// A line each, and "... and N more errors" where the list is full.
void sl_diag_print(const struct sl_diagnostics *diag, FILE *out);

// [{"severity", "file", "line", "column", "where", "what", "mend"}]; a new reference, NULL where memory is
// out.
struct json_t *sl_diag_json(const struct sl_diagnostics *diag);

#endif
