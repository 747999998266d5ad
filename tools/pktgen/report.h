// SPDX-License-Identifier: Apache-2.0
// Results as text, JSON, CSV and HTML. Every form shows the same numbers. Main thread.
#ifndef PKTGEN_REPORT_H
#define PKTGEN_REPORT_H

#include <jansson.h>
#include <stdio.h>
#include "base/error.h"
#include "result.h"

// A table of streams, loss and latency.
void report_result_text(FILE *out, const struct result *result);
// {"seconds", "total": {...}, "streams": [...], ...}; NULL where memory is out.
json_t *report_result_json(const struct result *result);
// A line a stream. 0, or -errno with a sentence.
int report_result_csv(const char *path, const struct result *result, struct sl_error *error);
// A page with the table and the distribution of the latency.
int report_result_html(const char *path, const struct result *result, struct sl_error *error);

// "12.3 M", "950 k", "17": three digits that count, for eyes. Returns `out`.
const char *report_scaled(double value, char out[16]);
// Nanoseconds as "850 ns", "12.3 us", "4.5 ms".
const char *report_time(double ns, char out[16]);
// That the files of --csv and --html (NULL: none) can be written, before anything is measured. 0, or -errno with a
// sentence. They exist from then on.
int report_paths_check(const char *csv, const char *html, struct sl_error *error);
// Opens a report's file to write; NULL with a sentence. report_close() writes it out: 0, or -errno with a sentence.
FILE *report_open(const char *path, const char *option, struct sl_error *error);
int report_close(FILE *out, const char *path, const char *option, struct sl_error *error);
// Prints `json` and a newline to `out`, then gives it up. 0, or -ENOMEM where it is NULL.
int report_json_print(FILE *out, json_t *json);

#endif
