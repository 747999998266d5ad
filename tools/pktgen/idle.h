// SPDX-License-Identifier: Apache-2.0
// A worker that only answers rests where nothing has come for a while: it looks every quarter of a millisecond then,
// which leaves the core to others. It also matters to memif, whose driver takes a link's memory away under a worker that
// is just reading it: a generator that leaves waits until its peer rests (session.c). Worker threads.
#ifndef PKTGEN_IDLE_H
#define PKTGEN_IDLE_H

#include <stdbool.h>
#include <stdint.h>
#include <rte_cycles.h>

#define IDLE_AFTER_MS  250
#define IDLE_LINGER_MS 300 // enough for a peer to have come to rest
#define IDLE_LOOK_US   250

struct idle {
    uint64_t busy_tsc; // when something came last
    uint64_t after;    // ticks
};

static inline void idle_init(struct idle *idle)
{
    *idle = (struct idle){rte_rdtsc(), rte_get_tsc_hz() / 1000 * IDLE_AFTER_MS};
}

// After each round over the queues; `busy`: something came in it.
static inline void idle_rest(struct idle *idle, bool busy)
{
    uint64_t now = rte_rdtsc();
    if (busy)
        idle->busy_tsc = now;
    else if (now - idle->busy_tsc > idle->after)
        rte_delay_us_sleep(IDLE_LOOK_US);
}

#endif
