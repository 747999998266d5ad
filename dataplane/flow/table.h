// SPDX-License-Identifier: Apache-2.0
// The session table itself, without packets: entries, index, wheel. Users inside dataplane/ see it through
// flow/flow.h; flow/ and nat/ and their tests use it directly. One thread.
#ifndef FLOW_TABLE_H
#define FLOW_TABLE_H

#include <stdbool.h>
#include "base/hash.h"
#include "flow/index.h"
#include "flow/wheel.h"
#include "shm/layout.h"
#include "shm/segment.h"

enum flow_class { // flows whose timeouts are the same
    FLOW_TCP,
    FLOW_UDP,
    FLOW_DNS, // UDP to port 53
    FLOW_ICMP,
    FLOW_OTHER,
    FLOW_CLASSES
};

struct flow_table {
    struct sl_flow *entry; // [capacity], in the segment
    struct flow_index index;
    uint32_t *spare; // stack of free entries: what was freed last, and is still in the cache, is used first
    uint32_t spare_count;
    uint32_t capacity;
    uint32_t route_epoch; // what cached next hops are valid for; set by nat_stage once a burst
    uint32_t timeout_ms[FLOW_CLASSES][SL_FLOW_STATES];
    struct flow_wheel wheel;
    struct sl_hash_seed seed;
    uint32_t sweep_left; // entries still to be compared with the newest generation
    uint32_t adopted;    // flows found in the file when it was opened
    uint32_t worker, worker_count;
    struct sl_flow_segment *segment;
    struct sl_segment_map map;
};

// Line of a direction's key.
static inline struct sl_flow_key *flow_key(struct sl_flow *flow, uint32_t direction)
{
    return direction ? &flow->key1 : &flow->key0;
}

// Remembers the next hop for packets of a flow's direction. `flow` as in struct packet.
static inline void flow_nexthop_store(struct flow_table *table, uint32_t flow, uint32_t nexthop)
{
    struct sl_flow *entry = &table->entry[flow >> 1];

    if (entry->route_epoch != table->route_epoch) {
        entry->nexthop0 = 0; // no next hop has index 0 (SL_NEXTHOP_NONE): not known
        entry->nexthop1 = 0;
        entry->route_epoch = table->route_epoch;
    }
    if (flow & 1)
        entry->nexthop1 = nexthop;
    else
        entry->nexthop0 = nexthop;
}

#endif
