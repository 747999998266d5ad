// SPDX-License-Identifier: Apache-2.0
// Sides on ports: what a worker does with the engines it runs. Set up by sides.c on the main thread, run on workers.
//
//     port's queues   0    1    2    3        each worker polls and sends on its own queues; a segment that belongs to
//     shards          A    B    A    B        another shard of the side goes to that one's inbox
#ifndef STATEFUL_LOOP_H
#define STATEFUL_LOOP_H

#include <rte_mbuf.h>
#include <rte_ring.h>
#include "../neighbor.h"
#include "../pace.h"
#include "engine.h"

#define LOOP_SHARDS (2 * SL_MAX_WORKERS) // of one worker: at most all of both sides
#define LOOP_INBOX  4096

struct side { // all clients or all servers of a port
    struct neighbor_self self;
    struct shard *shard[SL_MAX_WORKERS];
    uint32_t shards;
    bool server;
};

struct shard { // what one worker runs of a side
    struct engine engine;
    const struct side *side;
    struct rte_mempool *pool;
    struct rte_mbuf *mbuf[ENGINE_OUTBOX]; // of which the outbox has the bytes
    struct rte_ring *inbox;               // what other shards received for this one; NULL where it is alone
    uint16_t rx_device, tx_device;
    uint16_t rx_queues; // of the device: this shard polls every `side->shards`-th
    uint16_t queue;     // the first of them, and the one it sends on
    struct pace pace;   // client: connections due
    uint64_t limit;     // client: connections to open in all, 0: no limit
    bool open;          // w: main thread  r: worker: new connections are wanted
    // w: worker  r: main thread
    uint64_t open_count; // connections now
    uint64_t overrun;    // segments for shards whose inbox was full
} __attribute__((aligned(64)));

struct loop { // a worker's
    const struct session *session;
    struct shard *shard[LOOP_SHARDS];
    uint32_t shards;
    uint64_t ns_magic; // loop_ns()
} __attribute__((aligned(64)));

// Nanoseconds of a TSC value, as engines count them.
static inline uint64_t loop_ns(uint64_t ns_magic, uint64_t tsc)
{
    return (uint64_t)(((unsigned __int128)tsc * ns_magic) >> 32);
}

uint64_t loop_ns_magic(uint64_t ticks_per_s);
// Buffers for the outbox, and an inbox where the side has several shards; 0 or -ENOMEM. Main thread.
int shard_open(struct shard *shard, struct rte_mempool *pool);
void shard_close(struct shard *shard);
// The lcore's function; `loop` is a struct loop.
int loop_run(void *loop);

#endif
