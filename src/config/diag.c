// SPDX-License-Identifier: Apache-2.0
// The list of what is wrong: adding, sorting, printing. Called by the loader and by whoever shows its findings; the
// thread that loads.
#include "config/diag.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void sl_diag_init(struct sl_diagnostics *diag)
{
    *diag = (struct sl_diagnostics){0};
}

static void diag_free(struct sl_diagnostic *one)
{
    free(one->file);
    free(one->where);
    free(one->what);
    free(one->mend);
}

void sl_diag_fini(struct sl_diagnostics *diag)
{
    for (unsigned i = 0; i < diag->count; i++)
        diag_free(&diag->list[i]);
    free(diag->list);
    sl_diag_init(diag);
}

// Room for one more at the list's end, or NULL.
static struct sl_diagnostic *diag_room(struct sl_diagnostics *diag)
{
    if (diag->count >= SL_DIAG_MOST)
        return NULL;
    if (!diag->list)
        diag->list = calloc(SL_DIAG_MOST, sizeof(*diag->list));
    return diag->list ? &diag->list[diag->count] : NULL;
}

void sl_diag_add(struct sl_diagnostics *diag, enum sl_severity severity, const char *file, unsigned line,
                 unsigned column, const char *where, const char *mend, const char *what, ...)
{
    struct sl_diagnostic *one = diag_room(diag);
    char *text = NULL;
    va_list arguments;

    if (severity == SL_DIAG_ERROR)
        diag->errors++;
    else
        diag->warnings++;
    if (!one)
        return;

    va_start(arguments, what);
    if (vasprintf(&text, what, arguments) < 0)
        text = NULL;
    va_end(arguments);
    *one =
        (struct sl_diagnostic){severity, strdup(file ? file : ""), line, column, strdup(where ? where : ""),
                               text,     strdup(mend ? mend : "")};
    if (one->file && one->where && one->what && one->mend)
        diag->count++;
    else
        diag_free(one);
}

static int diag_compare(const void *a, const void *b)
{
    const struct sl_diagnostic *x = a, *y = b;
    int file = strcmp(x->file, y->file);

    if (file != 0)
        return file;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return x->column < y->column ? -1 : x->column > y->column;
}

void sl_diag_sort(struct sl_diagnostics *diag)
{
    // glibc's qsort is a merge sort for small lists, but that is not promised: insertion keeps equal places stable.
    for (unsigned i = 1; i < diag->count; i++) {
        struct sl_diagnostic one = diag->list[i];
        unsigned j = i;

        for (; j > 0 && diag_compare(&diag->list[j - 1], &one) > 0; j--)
            diag->list[j] = diag->list[j - 1];
        diag->list[j] = one;
    }
}

int sl_diag_format(const struct sl_diagnostic *one, char *out, size_t size)
{
    char place[48] = "";

    if (one->line)
        snprintf(place, sizeof(place), ":%u:%u", one->line, one->column);
    return snprintf(out, size, "%s%s: %s%s%s%s%s%s", one->file, place,
                    one->severity == SL_DIAG_WARNING ? "warning: " : "", one->where,
                    one->where[0] ? ": " : "", one->what, one->mend[0] ? "; " : "", one->mend);
}

void sl_diag_print(const struct sl_diagnostics *diag, FILE *out)
{
    char line[2048];

    for (unsigned i = 0; i < diag->count; i++) {
        sl_diag_format(&diag->list[i], line, sizeof(line));
        fprintf(out, "%s\n", line);
    }
    if (diag->errors + diag->warnings > diag->count)
        fprintf(out, "... and %u more\n", diag->errors + diag->warnings - diag->count);
}

json_t *sl_diag_json(const struct sl_diagnostics *diag)
{
    json_t *list = json_array();

    for (unsigned i = 0; list && i < diag->count; i++) {
        const struct sl_diagnostic *one = &diag->list[i];
        json_t *item = json_pack("{s:s, s:s, s:i, s:i, s:s, s:s, s:s}", "severity",
                                 one->severity == SL_DIAG_ERROR ? "error" : "warning", "file", one->file,
                                 "line", (int)one->line, "column", (int)one->column, "where", one->where,
                                 "what", one->what, "mend", one->mend);

        if (!item || json_array_append_new(list, item) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}
