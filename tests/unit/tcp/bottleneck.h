// SPDX-License-Identifier: Apache-2.0
// Bulk transfers over an emulated path, on virtual time: a bottleneck of one rate with a drop-tail queue, random loss
// before it, and a delay; acknowledgements come back over the delay alone. The same scene gives the same result.
#ifndef TCP_BOTTLENECK_H
#define TCP_BOTTLENECK_H

#include "rig.h"

#define BOTTLENECK_FLOWS 2u

struct scene {
    const char *congestion[BOTTLENECK_FLOWS];
    uint32_t n;             // flows; the second begins after seven round trips
    uint64_t rate_bps;      // bits per second; 0: 100 M
    uint64_t late_rate_bps; // from a sixth of the time on; 0: as before
    uint64_t rtt_us;
    uint64_t queue_bytes; // 0: what fills the path, 64 packets at least
    double loss, seconds;
    uint64_t seed;
};

struct result { // `late`: after a sixth of the time
    double mbit, mbit_late, jain;
    double mbit_of[BOTTLENECK_FLOWS]; // late
    double queue_ms;                  // late: that a packet waited on average
    uint32_t retransmits, timeouts, undone, dropped_full, dropped_random;
    double worst_gap_ms, rto_ms; // between two reads; the timer then
    const char *invariant;       // NULL: all held
};

struct result bottleneck_play(const struct scene *scene);

#endif
