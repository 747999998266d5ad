// SPDX-License-Identifier: Apache-2.0
// The numbers of sides, as lines for people and as JSON. Main thread.
#ifndef STATEFUL_REPORT_H
#define STATEFUL_REPORT_H

#include "engine.h"

struct side_report {
    const char *role; // "client" or "server"
    const struct engine *engine;
    uint64_t open;  // connections at the end
    double seconds; // of opening
};

// A line of progress: what happened in `seconds` since `before`, which is brought up to date.
void report_progress(const struct engine *engine, uint64_t open, double seconds,
                     struct engine_counters *before);
void report_text(const struct side_report *side, uint32_t count);
void report_json(const struct side_report *side, uint32_t count);
uint64_t counters_failed(const struct engine_counters *counters);

#endif
