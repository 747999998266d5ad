// SPDX-License-Identifier: Apache-2.0
// Next hops of the rib: shared by content, counted, their places kept from reuse until readers have moved on; and the
// groups of multipath routes with their slots. Each has the index that the tries of the image hold. Used by
// route_table.c alone. Control, one thread.
#ifndef SL_TABLE_NEXTHOP_SET_H
#define SL_TABLE_NEXTHOP_SET_H

#include "table/route_table.h"

struct nexthop_group { // members in the order of their content, so that equal groups are equal bytes
    uint32_t count;
    uint32_t member[SL_RIB_WAYS]; // indices of next hops
    uint32_t weight[SL_RIB_WAYS];
};

struct nexthop_retired {
    uint64_t tick;
    uint32_t index;
};

struct nexthop_stack {
    uint32_t *item;
    uint32_t count, room;
};

struct nexthop_set {
    struct sl_nexthop *hop;      // [room]; hop[0] is "no route"
    uint32_t *chain;             // [room]: next of the same bucket, 0: last
    uint32_t count, room;        // indices below count were used at some time
    uint32_t *bucket;            // [room]: first of the bucket
    struct nexthop_group *group; // [group_room]
    uint32_t *slot;              // [group_room * SL_RIB_GROUP_SLOTS]
    uint32_t group_count, group_room;
    struct nexthop_stack free_hop, free_group;
    struct nexthop_retired *retired;
    uint32_t retired_count, retired_room;
    uint64_t tick;                // stamp of what is retired
    struct sl_route_table *table; // image to keep up to date, NULL: none
    bool full;                    // the image had no room for one
};

int nexthop_set_init(struct nexthop_set *set);
void nexthop_set_fini(struct nexthop_set *set);

// Index of the next hop (one way) or group (several) that says this, counted once more. 0 < index, or -errno.
int64_t nexthop_get(struct nexthop_set *set, const struct sl_rib_way *way, unsigned ways);
// Counts one more of an index that is counted.
void nexthop_hold(struct nexthop_set *set, uint32_t index);
// Gives one count back; the last retires it.
void nexthop_put(struct nexthop_set *set, uint32_t index);
void nexthop_reclaim(struct nexthop_set *set, uint64_t tick);

// What an index stands for; how many ways.
unsigned nexthop_ways(const struct nexthop_set *set, uint32_t index, struct sl_rib_way *way);

// Writes all into an image whose offsets and capacities are set.
void nexthop_write_all(const struct nexthop_set *set, struct sl_route_table *table);

// nexthop_group.c: gives each slot to a member, by content alone.
void nexthop_group_fill(const struct sl_nexthop *hop, const struct nexthop_group *group,
                        uint32_t slot[SL_RIB_GROUP_SLOTS]);
uint64_t nexthop_content_hash(const struct sl_nexthop *hop);

#endif
