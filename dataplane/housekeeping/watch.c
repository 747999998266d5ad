// SPDX-License-Identifier: Apache-2.0
// The packet pool and the neighbor table, looked at once a second, because a drop counter that grows says what happened
// and not what to do. Called by the housekeeping loop, on its thread.
#include "housekeeping/watch.h"
#include <inttypes.h>
#include "process/journal.h"

#define AGAIN_NS 60000000000ULL
#define POOL_LOW 16 // one buffer in this many is free

static void pool_look(struct watch *watch, const struct house *house, uint64_t now_ns)
{
    uint32_t spare = rte_mempool_avail_count(house->pool);
    if (now_ns < watch->next_pool_ns || spare >= house->pool->size / POOL_LOW)
        return;
    watch->next_pool_ns = now_ns + AGAIN_NS;
    journal(
        JOURNAL_WARNING,
        "%u of %u packet buffers are free: without one, packets are lost before they are counted; start with "
        "more --memory",
        spare, house->pool->size);
}

static void neighbors_look(struct watch *watch, const struct house *house, uint64_t now_ns)
{
    uint64_t refused = house->counters->drop[SL_DROP_neighbor_table_full];
    uint64_t before = watch->neighbors_refused;
    if (now_ns < watch->next_neighbors_ns)
        return;
    watch->neighbors_refused = refused;
    if (refused <= before)
        return;
    watch->next_neighbors_ns = now_ns + AGAIN_NS;
    journal(JOURNAL_WARNING,
            "the neighbor table is full: %" PRIu64
            " packets for new neighbors were dropped since the last look; "
            "raise neighbor-capacity, or see 'sluicectl neighbor' for who scans a subnet",
            refused - before);
}

void watch_step(struct watch *watch, const struct house *house, uint64_t now_ns)
{
    if (house->pool)
        pool_look(watch, house, now_ns);
    neighbors_look(watch, house, now_ns);
}
