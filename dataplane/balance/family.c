// SPDX-License-Identifier: Apache-2.0
// Packets that cross families: see family.h. What is decided here comes in the order of a router's duties (RFC 7915
// section 4: hop count, size), then family_write.c changes the headers. Called by nat_stage, on the worker's thread.
#include "balance/family.h"

#include "neighbor/mss.h"
#include "route/route.h"
#include "wire/l4.h"

#define V6_LEAST_MTU 1280 // RFC 8200 section 5
#define PROTO_ROUTING_SEGMENTS 3 // where a routing header tells how many stops are left

static const uint8_t *header_of(const struct packet *packet)
{
    return rte_pktmbuf_mtod_offset(packet->m, const uint8_t *, packet->l3_off);
}

// ---- judging ------------------------------------------------------------------------------------------------
// Where the packet will go, NULL: nowhere.
static const struct sl_nexthop *way_of(const struct worker *worker, const struct packet *packet,
                                       const struct sl_flow_key *to, uint32_t nexthop)
{
    struct sl_ip dst = to->src;
    uint32_t index = nexthop ? nexthop : route_lookup_one(worker->tables, &dst, packet->hash);
    const struct sl_nexthop *way = &worker->tables->nexthop[index];

    return way->kind == SL_NEXTHOP_GATEWAY || way->kind == SL_NEXTHOP_CONNECTED ? way : NULL;
}

// Bytes of IP that the packet will have.
static uint32_t length_there(const struct packet *packet)
{
    uint32_t payload = packet->l3_len - (uint32_t)(packet->l4_off - packet->l3_off);

    return payload +
           (uint32_t)(packet->flags & PACKET_V4 ? sizeof(struct sl_ipv6) : sizeof(struct sl_ipv4));
}

// A source that still has stops to make is not at its destination here (RFC 7915 section 5.1.1).
static bool has_stops_left(const struct packet *packet)
{
    const uint8_t *l3 = header_of(packet);
    uint8_t next = ((const struct sl_ipv6 *)l3)->next;

    if (!(packet->flags & PACKET_V6) || !(packet->flags & PACKET_OPTIONS))
        return false;
    for (uint32_t at = sizeof(struct sl_ipv6); packet->l3_off + at + 8u <= packet->l4_off;) {
        if (next == SL_PROTO_ROUTING && l3[at + PROTO_ROUTING_SEGMENTS] != 0)
            return true;
        uint32_t len = next == SL_PROTO_FRAGMENT ? 8u : 8u * (l3[at + 1] + 1u);
        next = l3[at];
        at += len;
    }
    return false;
}

static bool rejected_expired(struct burst *burst, struct packet *packet)
{
    bool v4 = packet->flags & PACKET_V4;
    uint8_t ttl = v4 ? ((const struct sl_ipv4 *)header_of(packet))->ttl
                     : ((const struct sl_ipv6 *)header_of(packet))->hop_limit;

    if (ttl > 1)
        return false;
    packet_reject(burst, packet, SL_DROP_ttl_expired, v4 ? SL_ICMP_TIME_EXCEEDED : SL_ICMP6_TIME_EXCEEDED, 0,
                  0);
    return true;
}

// What may be cut is cut on its way out. An IPv6 sender is not told less than 1,280: up to that its packets become
// IPv4 that may be cut (RFC 7915 section 5.1).
static bool rejected_too_big(struct burst *burst, struct packet *packet, uint16_t mtu)
{
    bool v4 = packet->flags & PACKET_V4;

    if (length_there(packet) <= mtu || !(packet->flags & PACKET_DF) ||
        (!v4 && packet->l3_len <= V6_LEAST_MTU))
        return false;
    if (v4)
        packet_reject(burst, packet, SL_DROP_mtu_exceeded, SL_ICMP_UNREACHABLE, 4,
                      (uint16_t)(mtu - FAMILY_GROWS));
    else
        packet_reject(burst, packet, SL_DROP_mtu_exceeded, SL_ICMP6_TOO_BIG, 0,
                      (uint16_t)RTE_MIN(RTE_MAX(mtu + FAMILY_GROWS, V6_LEAST_MTU), UINT16_MAX));
    return true;
}

static bool may_cross(struct worker *worker, struct burst *burst, struct packet *packet,
                      const struct sl_nexthop *way)
{
    bool v4 = packet->flags & PACKET_V4;

    if (way == NULL) {
        packet_reject(burst, packet, SL_DROP_no_route, v4 ? SL_ICMP_UNREACHABLE : SL_ICMP6_UNREACHABLE, 0, 0);
        return false;
    }
    if (!(packet->flags & (PACKET_TCP | PACKET_UDP)) || has_stops_left(packet) ||
        length_there(packet) > UINT16_MAX) {
        packet_drop(worker, packet, SL_DROP_nat_protocol);
        return false;
    }
    return !rejected_expired(burst, packet) &&
           !rejected_too_big(burst, packet, worker->tables->port[way->port].mtu);
}

// ---- segment size -------------------------------------------------------------------------------------------
static uint16_t mss_of(uint16_t mtu, bool v4)
{
    return (uint16_t)(mtu - sizeof(struct sl_tcp) - (v4 ? sizeof(struct sl_ipv4) : sizeof(struct sl_ipv6)));
}

// Each end knows its own family's headers alone: a segment must fit on both links, with the header it has there.
static void clamp(struct worker *worker, struct packet *packet, const struct sl_nexthop *way, bool came_v4)
{
    const struct tables *tables = worker->tables;
    uint16_t here = mss_of(tables->port[packet->port_in].mtu, came_v4);
    uint16_t there = mss_of(tables->port[way->port].mtu, !came_v4);

    if (packet->flags & PACKET_TCP && packet->tcp_flags & SL_TCP_SYN)
        mss_clamp(worker, packet, RTE_MIN(here, there));
}

// ---- crossing -----------------------------------------------------------------------------------------------
bool family_translate(struct worker *worker, struct burst *burst, struct packet *packet,
                      const struct sl_flow_key *to, uint32_t nexthop)
{
    const struct sl_nexthop *way = way_of(worker, packet, to, nexthop);
    bool v4 = packet->flags & PACKET_V4;

    if (!may_cross(worker, burst, packet, way))
        return false;
    if (!family_write(worker, packet, to)) {
        packet_drop(worker, packet, SL_DROP_no_memory);
        return false;
    }
    clamp(worker, packet, way, v4);
    return true;
}

bool family_restore(struct worker *worker, struct packet *packet)
{
    const struct sl_flow_key back = {.src = packet->key.dst,
                                     .dst = packet->key.src,
                                     .sport = packet->key.dport,
                                     .dport = packet->key.sport};
    struct family_error error = {packet->icmp_type, packet->icmp_code, packet->icmp_mtu};

    if (!family_crosses(packet, &back))
        return true;
    bool known = packet->flags & PACKET_V4 ? family_error_to_v6(&error) : family_error_to_v4(&error);
    if (!known || !family_write(worker, packet, &back))
        return false;
    packet->icmp_type = error.type;
    packet->icmp_code = error.code;
    packet->icmp_mtu = (uint16_t)error.rest;
    return true;
}
