// SPDX-License-Identifier: Apache-2.0
// The numbers of sides, as lines for people, as JSON, as a table for spreadsheets and as a page. Main thread.
#ifndef STATEFUL_REPORT_H
#define STATEFUL_REPORT_H

#include <jansson.h>
#include "base/error.h"
#include "summary.h"
#include "timeline.h"

void stateful_text(const struct side_summary *side, uint32_t count);
// {"version", "sides": [...]}; NULL where memory is out.
json_t *stateful_json(const struct side_summary *side, uint32_t count);
// A line a side. 0, or -errno with a sentence.
int stateful_csv(const char *path, const struct side_summary *side, uint32_t count, struct sl_error *error);
// The tables, rate and connections over time, and the latency's distribution.
int stateful_html(const char *path, const struct side_summary *side, uint32_t count,
                  const struct timeline *timeline, struct sl_error *error);

#endif
