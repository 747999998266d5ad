// SPDX-License-Identifier: Apache-2.0
// What readers of the route table do after the longest-prefix match. Workers and ctl; any thread.
#ifndef SL_TABLE_ROUTE_READ_H
#define SL_TABLE_ROUTE_READ_H

#include "shm/layout.h"

// Next hop for a packet: groups resolved by the flow's hash (all 32 bits of it should be well mixed).
// `index` is sl_lpm_value() of the leaf. Returns an index into `nexthop`, never of a group, 0 for no route.
static inline uint32_t sl_route_resolve(const struct sl_nexthop *nexthop, const uint32_t *group_slot,
                                        uint32_t index, uint32_t hash)
{
    const struct sl_nexthop *group = &nexthop[index];

    if (group->kind != SL_NEXTHOP_GROUP)
        return index;
    return group_slot[group->group_first + (uint32_t)(((uint64_t)hash * group->group_count) >> 32)];
}

// The same from the table alone.
static inline const struct sl_nexthop *sl_route_nexthop(const struct sl_route_table *table, uint32_t leaf,
                                                        uint32_t hash)
{
    const uint8_t *base = (const uint8_t *)table;
    const struct sl_nexthop *nexthop = (const struct sl_nexthop *)(base + table->nexthop_offset);
    const uint32_t *slot = (const uint32_t *)(base + table->group_offset);

    return &nexthop[sl_route_resolve(nexthop, slot, leaf & 0x7fffff, hash)];
}

#endif
