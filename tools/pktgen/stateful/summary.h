// SPDX-License-Identifier: Apache-2.0
// A side's numbers, summed over the workers that share it: read by the live screen while they run and by the reports
// after. Main thread.
#ifndef STATEFUL_SUMMARY_H
#define STATEFUL_SUMMARY_H

#include "loop.h"

struct side_summary {
    const char *role;                         // "client" or "server"
    double seconds;                           // of opening
    double connections_per_s, requests_per_s; // completed in those seconds; what ends later counts in no rate
    uint32_t workers;
    uint64_t open;      // connections now
    uint64_t open_most; // that were seen at a time
    uint64_t overrun;   // segments that another worker's inbox had no room for
    struct engine_counters counters;
    struct histogram connect, request; // ns
};

struct summary_counter { // one of the counters that are plain numbers
    const char *name;
    uint64_t value;
};
#define SUMMARY_COUNTERS 16

// `summary` is what it was before: `open_most` goes on from there. `seconds` since the start; rates are of now.
void summary_make(const struct side *side, double seconds, struct side_summary *summary);
// The same once opening has ended: `seconds` and rates stay, which are of then.
void summary_end(const struct side *side, struct side_summary *summary);
uint64_t summary_failed(const struct side_summary *summary);
// All counters but opened, completed and failed, in the order of the reports.
void summary_list(const struct side_summary *summary, struct summary_counter list[SUMMARY_COUNTERS]);

#endif
