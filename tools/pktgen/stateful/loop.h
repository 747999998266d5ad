// SPDX-License-Identifier: Apache-2.0
// Sides on ports: what a worker does with the engines it runs. Set up by stateful.c on the main thread, run on workers.
#ifndef STATEFUL_LOOP_H
#define STATEFUL_LOOP_H

#include <rte_mbuf.h>
#include "../neighbor.h"
#include "../pace.h"
#include "engine.h"

#define LOOP_SIDES 2

struct side { // a client or a server on its port; one worker's
    struct engine engine;
    struct neighbor_self self;
    struct rte_mempool *pool;
    struct rte_mbuf *mbuf[ENGINE_OUTBOX]; // of which the outbox has the bytes
    uint16_t rx_device, tx_device, rx_queues;
    struct pace pace;    // client: connections due
    uint64_t limit;      // client: connections to open in all, 0: no limit
    bool open;           // w: main thread  r: worker: new connections are wanted
    uint64_t open_count; // w: worker  r: main thread: connections now
    uint64_t polls, idle_polls;
} __attribute__((aligned(64)));

struct loop { // a worker's
    const struct session *session;
    struct side *side[LOOP_SIDES];
    uint32_t sides;
    uint64_t ns_magic; // loop_ns()
} __attribute__((aligned(64)));

// Nanoseconds of a TSC value, as engines count them.
static inline uint64_t loop_ns(uint64_t ns_magic, uint64_t tsc)
{
    return (uint64_t)(((unsigned __int128)tsc * ns_magic) >> 32);
}

uint64_t loop_ns_magic(uint64_t ticks_per_s);
// Buffers for the outbox; 0 or -ENOMEM. Main thread.
int side_open(struct side *side, struct rte_mempool *pool);
void side_close(struct side *side);
// The lcore's function; `loop` is a struct loop.
int loop_run(void *loop);

#endif
