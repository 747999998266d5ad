// SPDX-License-Identifier: Apache-2.0
// Routing: where does a packet go? Longest-prefix match for the whole burst at once, then what the next hop says.
// Called by pipeline_run, on the worker's thread. TTL and MTU are the neighbor stage's business, because packets of
// known flows go there without passing here.
//
// A packet may leave by the port it came in on; ICMP redirects are not sent (RFC 1812 section 5.2.7.2 lets a router
// be told so): hosts ignore them for good reason, and a gateway is often their only way out.
#include "flow/flow.h"
#include "icmp/icmp.h"
#include "route/route.h"
#include "table/lpm_bulk.h"
#include "table/route_read.h"
#include "worker/worker.h"

struct wanted { // packets of the burst that need a lookup, by family
    sl_be32 v4[BURST_MAX];
    const struct sl_ip *v6[BURST_MAX];
    struct sl_ip v6_address[BURST_MAX];
    uint32_t leaf[BURST_MAX];
    struct packet *at_v4[BURST_MAX], *at_v6[BURST_MAX];
    uint32_t count_v4, count_v6;
};

static inline const void *header_of(const struct packet *packet)
{
    return rte_pktmbuf_mtod_offset(packet->m, const void *, packet->l3_off);
}

static void to_host_or_drop(struct worker *worker, struct burst *burst, struct packet *packet,
                            enum sl_drop reason)
{
    if (worker->tables->port[packet->port_in].flags & SL_PORT_TWIN)
        packet_to(burst, packet, PACKET_LOCAL);
    else
        packet_drop(worker, packet, reason);
}

// 224.0.0.0 and up. Groups of the link (224.0.0.0/24, RFC 5771 section 4) and the limited broadcast may be for
// daemons on the host; anything else is multicast routing, which this gateway does not do. 240.0.0.0/4 is looked up
// like any address, and has no route. True: the packet has left this stage.
static bool special_v4(struct worker *worker, struct burst *burst, struct packet *packet, uint32_t dst)
{
    if (dst == UINT32_MAX)
        to_host_or_drop(worker, burst, packet, SL_DROP_broadcast);
    else if (dst >> 8 == 0xe00000)
        to_host_or_drop(worker, burst, packet, SL_DROP_multicast);
    else if (dst >> 28 == 0xe)
        packet_drop(worker, packet, SL_DROP_multicast);
    else
        return false;
    return true;
}

// ff00::/8 and fe80::/10. What comes in for a link-local address in a frame to our MAC is for us: no host sends its
// neighbors' link-local packets through a router. Our own packets to one have no port to leave by.
static bool special_v6(struct worker *worker, struct burst *burst, struct packet *packet,
                       const uint8_t dst[16])
{
    if (dst[0] == 0xff && (dst[1] & 0x0f) <= 2) // interface- and link-local scope (RFC 4291 section 2.7)
        to_host_or_drop(worker, burst, packet, SL_DROP_multicast);
    else if (dst[0] == 0xff)
        packet_drop(worker, packet, SL_DROP_multicast);
    else if (dst[0] == 0xfe && (dst[1] & 0xc0) == 0x80 && !(packet->flags & PACKET_FROM_HOST))
        packet_to(burst, packet, PACKET_LOCAL);
    else if (dst[0] == 0xfe && (dst[1] & 0xc0) == 0x80)
        packet_drop(worker, packet, SL_DROP_link_local);
    else
        return false;
    return true;
}

static void gather(struct worker *worker, struct burst *burst, struct wanted *wanted)
{
    wanted->count_v4 = wanted->count_v6 = 0;
    for (struct packet *packet = burst->packet, *end = burst_end(burst); packet < end; packet++) {
        if (packet->stage != PACKET_ROUTE)
            continue;
        if (packet->flags & PACKET_V4) {
            sl_be32 dst = ((const struct sl_ipv4 *)header_of(packet))->dst;
            if (unlikely(sl_host32(dst) >= 0xe0000000) && special_v4(worker, burst, packet, sl_host32(dst)))
                continue;
            wanted->v4[wanted->count_v4] = dst;
            wanted->at_v4[wanted->count_v4++] = packet;
        } else {
            const uint8_t *dst = ((const struct sl_ipv6 *)header_of(packet))->dst;
            if (unlikely(dst[0] >= 0xfe) && special_v6(worker, burst, packet, dst))
                continue;
            memcpy(wanted->v6_address[wanted->count_v6].b, dst, 16);
            wanted->v6[wanted->count_v6] = &wanted->v6_address[wanted->count_v6];
            wanted->at_v6[wanted->count_v6++] = packet;
        }
    }
}

static inline bool from_or_to_link_local(const struct packet *packet)
{
    if (packet->flags & PACKET_V4) {
        const struct sl_ipv4 *ip = header_of(packet);
        return sl_host32(ip->src) >> 16 == 0xa9fe || sl_host32(ip->dst) >> 16 == 0xa9fe;
    }
    const uint8_t *src = ((const struct sl_ipv6 *)header_of(packet))->src;
    return src[0] == 0xfe && (src[1] & 0xc0) == 0x80;
}

static inline void forward(struct worker *worker, struct burst *burst, struct packet *packet, uint32_t index)
{
    if (unlikely(from_or_to_link_local(packet))) {
        packet_drop(worker, packet, SL_DROP_link_local);
        return;
    }
    packet->nexthop = index;
    packet->port_out = worker->tables->nexthop[index].port;
    flow_cache_nexthop(worker, packet);
    packet_to(burst, packet, PACKET_NEIGHBOR);
}

static void unreachable(struct burst *burst, struct packet *packet, enum sl_drop reason, uint8_t code_v4,
                        uint8_t code_v6)
{
    if (packet->flags & PACKET_V4)
        packet_reject(burst, packet, reason, SL_ICMP_UNREACHABLE, code_v4, 0);
    else
        packet_reject(burst, packet, reason, SL_ICMP6_UNREACHABLE, code_v6, 0);
}

// To an outside address of ours that no flow claims: pools answer pings, and nothing else.
static void pool(struct worker *worker, struct burst *burst, struct packet *packet)
{
    const struct sl_icmp *icmp = rte_pktmbuf_mtod_offset(packet->m, const struct sl_icmp *, packet->l4_off);
    bool query =
        (packet->flags & (PACKET_ICMP_QUERY | PACKET_L4_KNOWN)) == (PACKET_ICMP_QUERY | PACKET_L4_KNOWN);

    if (query && (icmp->type == SL_ICMP_ECHO || icmp->type == SL_ICMP6_ECHO))
        icmp_answer_echo(worker, burst, packet);
    else if (packet->flags & (PACKET_TCP | PACKET_UDP | PACKET_ICMP_QUERY | PACKET_ICMP_ERROR))
        packet_drop(worker, packet, SL_DROP_nat_no_mapping);
    else
        packet_drop(worker, packet, SL_DROP_local_protocol);
}

// All that is not forwarding.
static __rte_noinline void deliver(struct worker *worker, struct burst *burst, struct packet *packet,
                                   const struct sl_nexthop *nexthop)
{
    switch ((enum sl_nexthop_kind)nexthop->kind) {
    case SL_NEXTHOP_LOCAL:
        packet_to(burst, packet, PACKET_LOCAL);
        return;
    case SL_NEXTHOP_POOL:
        pool(worker, burst, packet);
        return;
    case SL_NEXTHOP_BROADCAST: // of our own link it may be for the host; of another it is not forwarded (RFC 2644)
        if (nexthop->port == packet->port_in)
            to_host_or_drop(worker, burst, packet, SL_DROP_broadcast);
        else
            packet_drop(worker, packet, SL_DROP_broadcast);
        return;
    case SL_NEXTHOP_BLACKHOLE:
        packet_drop(worker, packet, SL_DROP_route_blackhole);
        return;
    case SL_NEXTHOP_REJECT:
        unreachable(burst, packet, SL_DROP_route_reject, 13, 1);
        return;
    default:
        unreachable(burst, packet, SL_DROP_no_route, 0, 0);
        return;
    }
}

static inline void decide(struct worker *worker, struct burst *burst, struct packet *packet, uint32_t leaf)
{
    const struct tables *tables = worker->tables;
    uint32_t index = sl_lpm_value(leaf);

    if (unlikely(tables->nexthop[index].kind == SL_NEXTHOP_GROUP))
        index = sl_route_resolve(tables->nexthop, tables->group_slot, index,
                                 route_hash(packet, tables->route->hash_seed));
    const struct sl_nexthop *nexthop = &tables->nexthop[index];
    if (likely(nexthop->kind == SL_NEXTHOP_GATEWAY || nexthop->kind == SL_NEXTHOP_CONNECTED))
        forward(worker, burst, packet, index);
    else
        deliver(worker, burst, packet, nexthop);
}

void route_stage(struct worker *worker, struct burst *burst)
{
    struct wanted wanted;

    gather(worker, burst, &wanted);
    if (wanted.count_v4) {
        sl_lpm_lookup_bulk_v4(worker->tables->lpm, wanted.v4, wanted.leaf, wanted.count_v4);
        for (uint32_t i = 0; i < wanted.count_v4; i++)
            decide(worker, burst, wanted.at_v4[i], wanted.leaf[i]);
    }
    if (wanted.count_v6) {
        sl_lpm_lookup_bulk_v6(worker->tables->lpm, wanted.v6, wanted.leaf, wanted.count_v6);
        for (uint32_t i = 0; i < wanted.count_v6; i++)
            decide(worker, burst, wanted.at_v6[i], wanted.leaf[i]);
    }
}
