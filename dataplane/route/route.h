// SPDX-License-Identifier: Apache-2.0
// Routing: from a destination to a next hop. The stage itself (route_stage) is declared in worker/worker.h;
// here is what others need of it: one lookup outside of a burst, and the hash by which equal-cost paths are
// chosen. Any thread may call these; they read the tables and change nothing.
#ifndef ROUTE_ROUTE_H
#define ROUTE_ROUTE_H

#include "worker/packet.h"
#include "worker/tables.h"

// The next hop of `dst`, as an index into tables->nexthop; groups are resolved with `hash` (route_hash, or 0
// where any member will do). 0, the next hop of kind SL_NEXTHOP_NONE, where there is no route.
uint32_t route_lookup_one(const struct tables *tables, const struct sl_ip *dst, uint32_t hash);

// Which member of a group a flow takes: hash of source, destination, protocol and ports, so that a flow keeps
// its path (RFC 2992). Fragments have no ports behind the first, so every fragment is hashed by addresses and
// protocol alone: the fragments of a datagram stay together. `seed` is the route table's: gateways in a row
// with different seeds do not all choose alike.
uint32_t route_hash(const struct packet *packet, uint64_t seed);

// The member of `group` for a hash: slot (hash * slots) / 2^32, a multiplication instead of a division.
static inline uint32_t route_group_member(const struct tables *tables, const struct sl_nexthop *group,
                                          uint32_t hash)
{
    uint32_t slot = (uint32_t)(((uint64_t)hash * group->group_count) >> 32);

    return tables->group_slot[group->group_first + slot];
}

#endif
