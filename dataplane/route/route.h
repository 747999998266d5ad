// SPDX-License-Identifier: Apache-2.0
// Routing: from a destination to a next hop. The stage itself (route_stage) is declared in worker/worker.h;
// here is what others need of it: one lookup outside of a burst, and the hash by which equal-cost paths are
// chosen. Any thread may call these; they read the tables and change nothing.
#ifndef ROUTE_ROUTE_H
#define ROUTE_ROUTE_H

#include "wire/headers.h"
#include "worker/packet.h"
#include "worker/tables.h"

// Where the packet goes, read from its IP header: what translation has made of it, and for ICMP errors the error's
// own destination, where the key tells the quoted packet's addresses.
static inline struct sl_ip route_destination(const struct packet *packet)
{
    const uint8_t *l3 = rte_pktmbuf_mtod_offset(packet->m, const uint8_t *, packet->l3_off);
    struct sl_ip ip;

    if (packet->flags & PACKET_V4)
        return sl_ip_v4(((const struct sl_ipv4 *)l3)->dst);
    memcpy(ip.b, ((const struct sl_ipv6 *)l3)->dst, sizeof(ip.b));
    return ip;
}

// The next hop of `dst`, as an index into tables->nexthop; groups are resolved with `hash` (route_hash, or 0
// where any member will do). 0, the next hop of kind SL_NEXTHOP_NONE, where there is no route.
uint32_t route_lookup_one(const struct tables *tables, const struct sl_ip *dst, uint32_t hash);

// Which member of a group a flow takes: hash of source, destination, protocol and ports, so that a flow keeps
// its path (RFC 2992). Fragments have no ports behind the first, so every fragment is hashed by addresses and
// protocol alone: the fragments of a datagram stay together. `seed` is the route table's: gateways in a row
// with different seeds do not all choose alike.
uint32_t route_hash(const struct packet *packet, uint64_t seed);

#endif
