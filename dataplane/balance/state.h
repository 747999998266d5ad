// SPDX-License-Identifier: Apache-2.0
// What one worker's balancing remembers. On that worker's thread; at start and adoption on housekeeping's.
#ifndef BALANCE_STATE_H
#define BALANCE_STATE_H

#include "balance/balance.h"
#include "balance/binding.h"
#include "flow/table.h"
#include "shm/balance_counters.h"

#define BALANCE_PATHS 8192 // members whose path MTU can be known at a time; a power of two

struct balance_sources; // limit.c
struct balance_clients; // affinity.c

struct balance {
    struct balance_share *share;
    struct flow_table *flows;
    const struct sl_balance_counters *counters; // of all workers; chunks appear, and stay
    struct sl_balance_counter_block
        *block[SL_BALANCE_CHUNKS]; // this worker's, as far as tables in use have slots
    uint32_t worker, workers;
    uint64_t random;
    uint64_t swept_serial, swept_epoch; // table and sweep_epoch up to which flows have been asked to be swept
    struct token_bucket resets;
    uint64_t *paths;            // [BALANCE_PATHS] the share's, atomic. w, r: every worker (path.c)
    struct token_bucket *rates; // [SL_BALANCE_SERVICES] new flows
    uint32_t *stateless_ms; // [SL_BALANCE_SERVICES] when a packet was last balanced without a flow, 0: never
    struct balance_sources *sources;
    struct balance_clients *clients;
};

static inline uint64_t balance_random(struct balance *balance)
{
    balance->random ^= balance->random << 13;
    balance->random ^= balance->random >> 7;
    balance->random ^= balance->random << 17;
    return balance->random;
}

static inline struct sl_balance_service_counters *balance_service_count(const struct balance *balance,
                                                                        uint32_t slot)
{
    return &balance->block[slot / SL_BALANCE_CHUNK_SERVICES]->service[slot % SL_BALANCE_CHUNK_SERVICES];
}

static inline struct sl_balance_member_counters *balance_member_count(const struct balance *balance,
                                                                      uint32_t slot)
{
    return &balance->block[slot / SL_BALANCE_CHUNK_MEMBERS]->member[slot % SL_BALANCE_CHUNK_MEMBERS];
}

// Takes up the chunks of counters that have been made.
void balance_blocks_take(struct balance *balance);

// share.c: the share adopts the flows of what is registered. NULL takes it out. Main thread.
void balance_share_register(struct balance_share *share, uint32_t worker, struct balance *balance);
const struct sl_balance_counters *balance_share_counters(const struct balance_share *share);
uint64_t *balance_share_paths(struct balance_share *share);
uint32_t balance_share_workers(const struct balance_share *share);

#endif
