// SPDX-License-Identifier: Apache-2.0
// What a trial measured, summed over workers: read by the screen while it runs, by the searches and the reports after.
// Main thread.
#ifndef PKTGEN_RESULT_H
#define PKTGEN_RESULT_H

#include <stdbool.h>
#include "histogram.h"
#include "plan.h"

// lost = sent - received - corrupt: exact, unless a packet came that had been counted as corrupt before.
struct stream_result {
    char name[32];
    enum bad_kind bad;
    uint64_t sent, sent_bytes; // frames the port took, with FCS
    uint64_t received;         // different frames that came whole
    uint64_t received_bytes;
    uint64_t lost, duplicate, reordered, corrupt;
    uint64_t too_late;        // of the reordered: so late that one of them may be a duplicate
    uint64_t distance;        // the farthest that one came behind a later one, in frames
    uint64_t refused;         // frames the port did not take: the link was full, they count as not sent
    uint64_t skipped;         // packets not sent because the sender was kept from its core
    struct histogram latency; // units of 16 TSC cycles
};

struct result {
    double seconds;   // of sending
    uint64_t foreign; // frames that were not ours
    uint64_t answered;
    double longest_silence_ns; // between two arrivals at one worker
    double longest_pass_ns;    // of a sender's loop: longer than usual where it was kept from its core
    uint64_t cycles_per_s;     // of the TSC
    double ns_per_unit;        // of the latency
    uint64_t passes;           // turns of the senders' loops
    uint32_t workers;
    struct stream_result total; // of the streams that are to arrive
    struct stream_result bad;   // of those that are to be dropped: what arrived has leaked
    uint32_t streams;
    struct stream_result stream[PLAN_STREAMS];
};

// Loss of what was to arrive, 0 to 1.
double result_loss(const struct result *result);
// Latency at a percentile in nanoseconds.
double result_latency_ns(const struct result *result, const struct histogram *latency, double fraction);
void stream_result_add(struct stream_result *into, const struct stream_result *from);

#endif
