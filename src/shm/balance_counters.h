// SPDX-License-Identifier: Apache-2.0
// Counters of services and members, in files "balance-counter.K" (shm/balance.h): a block per worker, which that worker
// alone writes with plain stores; readers sum. Made by the data plane's housekeeping before it hands over a table with
// more slots than there are counters for; opened by control, tools and tests.
#ifndef SL_SHM_BALANCE_COUNTERS_H
#define SL_SHM_BALANCE_COUNTERS_H

#include "shm/segment.h"

struct sl_balance_counters { // what is open of them; zero it before first use
    struct sl_balance_counter_segment *chunk[SL_BALANCE_CHUNKS];
    uint64_t size[SL_BALANCE_CHUNKS];
    uint32_t chunks; // chunk[0] to chunk[chunks - 1] are there
};

// Chunks that a table's slots take; 0 for NULL.
uint32_t sl_balance_chunks(const struct sl_balance_table *table);

// Data plane: makes sure that `chunks` of them are open, taking up those of an earlier data plane with as many workers
// (they go on counting, but for flows_now, which are zeroed) and making new ones where there are none, where they are
// of another build or number of workers, or after a reboot. Those that are open already stay where they are. 0 or
// -errno with a sentence; what could be opened stays open.
int sl_balance_counters_create(const char *run_dir, uint32_t chunks, uint32_t worker_count, uint64_t now_ns,
                               struct sl_balance_counters *counters, struct sl_error *error);

// Readers: opens those that are there and not open yet; 0 also where there are none. A data plane that was started
// anew may have made new files: close and open again when the board's incarnation changes.
int sl_balance_counters_open(const char *run_dir, struct sl_balance_counters *counters,
                             struct sl_error *error);
void sl_balance_counters_close(struct sl_balance_counters *counters);

// Sums of all workers; zeros for a slot that has no counters.
void sl_balance_service_sum(const struct sl_balance_counters *counters, uint32_t service_slot,
                            struct sl_balance_service_counters *sum);
void sl_balance_member_sum(const struct sl_balance_counters *counters, uint32_t member_slot,
                           struct sl_balance_member_counters *sum);

// A worker's own counters of a slot, to write. The chunk is open.
static inline struct sl_balance_service_counters *
sl_balance_service_counters(const struct sl_balance_counters *counters, uint32_t worker, uint32_t slot)
{
    return &counters->chunk[slot / SL_BALANCE_CHUNK_SERVICES]
                ->block[worker]
                .service[slot % SL_BALANCE_CHUNK_SERVICES];
}

static inline struct sl_balance_member_counters *
sl_balance_member_counters(const struct sl_balance_counters *counters, uint32_t worker, uint32_t slot)
{
    return &counters->chunk[slot / SL_BALANCE_CHUNK_MEMBERS]
                ->block[worker]
                .member[slot % SL_BALANCE_CHUNK_MEMBERS];
}

#endif
