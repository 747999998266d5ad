// SPDX-License-Identifier: Apache-2.0
// The last stage before tx: packets whose next hop is known get there. TTL, MTU, MSS clamp, Ethernet header, tx
// buffer, in the order a router does it (RFC 1812 section 5.2.1). Called by pipeline_run, on the worker's thread.
//
// All packets of a burst look up their neighbor's MAC at once. One that is not known sends the packet, complete but
// for its destination MAC, to the housekeeping thread, which asks and sends it on.
#include "neighbor/mss.h"
#include "neighbor/neighbor.h"
#include "route/fragment.h"
#include "route/route.h"
#include "wire/headers.h"
#include "worker/worker.h"

struct way_out { // of one packet
    const struct sl_port *port;
    const uint8_t *own_mac;
    uint64_t word; // the neighbor's, 0: not known
};

// Returns how many packets wait here; at[] says which.
static uint32_t gather(struct worker *worker, struct burst *burst, uint8_t at[BURST_MAX],
                       struct neighbor_query query[BURST_MAX])
{
    const struct sl_nexthop *nexthops = worker->tables->nexthop;
    uint32_t count = 0;

    for (uint32_t i = 0; i < burst->count; i++) {
        const struct packet *packet = &burst->packet[i];
        if (packet->stage != PACKET_NEIGHBOR)
            continue;
        const struct sl_nexthop *nexthop = &nexthops[packet->nexthop];
        query[count].ip = nexthop->kind == SL_NEXTHOP_GATEWAY ? nexthop->gateway : route_destination(packet);
        query[count].port = packet->port_out;
        at[count++] = (uint8_t)i;
    }
    return count;
}

// TTL down by one, header checksum patched: plus 0x0100, carry around, and never 0xffff, which a sender that computes
// the checksum anew would not write (RFC 1624 section 5).
static inline void ttl_decrement(const struct packet *packet, uint8_t *l3)
{
    if (packet->flags & PACKET_V4) {
        struct sl_ipv4 *ip = (struct sl_ipv4 *)l3;
        uint32_t sum = sl_host16(ip->checksum) + 0x100u;
        ip->ttl--;
        ip->checksum = sl_be16_of((uint16_t)(sum + (sum >= 0xffff)));
    } else {
        ((struct sl_ipv6 *)l3)->hop_limit--;
    }
}

static inline uint8_t ttl_of(const struct packet *packet, const uint8_t *l3)
{
    return packet->flags & PACKET_V4 ? ((const struct sl_ipv4 *)l3)->ttl
                                     : ((const struct sl_ipv6 *)l3)->hop_limit;
}

// Moves the frame's start to 14 bytes in front of the IP header, where the Ethernet header goes.
static inline bool ethernet_room(struct packet *packet)
{
    if (likely(packet->l3_off == sizeof(struct sl_eth)))
        return true;
    if (packet->l3_off > sizeof(struct sl_eth))
        rte_pktmbuf_adj(packet->m, packet->l3_off - sizeof(struct sl_eth));
    else if (!rte_pktmbuf_prepend(packet->m, (uint16_t)(sizeof(struct sl_eth) - packet->l3_off)))
        return false;
    packet->l4_off = (uint16_t)(packet->l4_off - packet->l3_off + sizeof(struct sl_eth));
    packet->l3_off = sizeof(struct sl_eth);
    return true;
}

static inline void ethernet_write(const struct packet *packet, const struct way_out *way)
{
    struct sl_eth *eth = rte_pktmbuf_mtod(packet->m, struct sl_eth *);

    memcpy(eth->dst, &way->word, 6);
    memcpy(eth->src, way->own_mac, 6);
    eth->type = packet->flags & PACKET_V4 ? sl_be16_of(SL_ETHERTYPE_IPV4) : sl_be16_of(SL_ETHERTYPE_IPV6);
}

// The frame is whole but for its MACs: to the wire, or to whoever finds the MAC.
static void send_frame(struct worker *worker, struct packet *packet, const struct way_out *way)
{
    ethernet_write(packet, way);
    if (!neighbor_usable(way->word)) {
        worker_to_house(worker, packet, HANDOVER_NEIGHBOR);
        return;
    }
    worker_tx(worker, packet->port_out, packet->m);
    packet->stage = PACKET_GONE;
}

static __rte_noinline void send_pieces(struct worker *worker, struct packet *packet,
                                       const struct way_out *way)
{
    struct rte_mbuf *piece[FRAGMENT_MAX];
    int count = fragment_cut(worker, packet, way->port->mtu, piece);

    if (count < 0) {
        packet_drop(worker, packet, SL_DROP_fragment_no_memory);
        return;
    }
    struct packet part = *packet;
    for (int i = 0; i < count; i++) {
        part.m = piece[i];
        send_frame(worker, &part, way);
    }
    if (count > 1)
        worker_count(worker, SL_COUNTER_fragment_created, (uint64_t)count);
    packet->m = NULL;
    packet->stage = PACKET_GONE;
}

static void reject_unresolved(struct burst *burst, struct packet *packet)
{
    if (packet->flags & PACKET_V4)
        packet_reject(burst, packet, SL_DROP_neighbor_unresolved, SL_ICMP_UNREACHABLE, 1, 0);
    else
        packet_reject(burst, packet, SL_DROP_neighbor_unresolved, SL_ICMP6_UNREACHABLE, 3, 0);
}

static void reject_expired(struct burst *burst, struct packet *packet)
{
    uint8_t type = packet->flags & PACKET_V4 ? SL_ICMP_TIME_EXCEEDED : SL_ICMP6_TIME_EXCEEDED;

    packet_reject(burst, packet, SL_DROP_ttl_expired, type, 0, 0);
}

static void reject_too_big(struct burst *burst, struct packet *packet, uint16_t mtu)
{
    if (packet->flags & PACKET_V4)
        packet_reject(burst, packet, SL_DROP_mtu_exceeded, SL_ICMP_UNREACHABLE, 4, mtu);
    else
        packet_reject(burst, packet, SL_DROP_mtu_exceeded, SL_ICMP6_TOO_BIG, 0, mtu);
}

// What stops a packet here is decided before anything in it is changed: an ICMP error quotes it as it came.
static bool may_leave(struct worker *worker, struct burst *burst, struct packet *packet,
                      const struct way_out *way, uint8_t ttl)
{
    bool forwarded = !(packet->flags & PACKET_FROM_HOST);
    bool may_cut = (packet->flags & (PACKET_V4 | PACKET_DF)) == PACKET_V4;

    if (unlikely(!worker->tx[packet->port_out].up)) {
        packet_drop(worker, packet, SL_DROP_port_down);
        return false;
    }
    if (unlikely(packet->flags & PACKET_UNRESOLVED)) {
        reject_unresolved(burst, packet);
        return false;
    }
    if (unlikely(forwarded && ttl <= 1)) {
        reject_expired(burst, packet);
        return false;
    }
    if (unlikely(packet->l3_len > way->port->mtu && !may_cut)) {
        reject_too_big(burst, packet, way->port->mtu);
        return false;
    }
    if (unlikely(neighbor_state(way->word) == SL_NEIGHBOR_FAILED)) {
        reject_unresolved(burst, packet);
        return false;
    }
    return true;
}

// Packets that need more than a TTL and an Ethernet header, or are not to leave at all.
static __rte_noinline void packet_send_slowly(struct worker *worker, struct burst *burst,
                                              struct packet *packet, const struct way_out *way)
{
    uint8_t *l3 = rte_pktmbuf_mtod_offset(packet->m, uint8_t *, packet->l3_off);

    if (!may_leave(worker, burst, packet, way, ttl_of(packet, l3)))
        return;
    if (!(packet->flags & PACKET_FROM_HOST))
        ttl_decrement(packet, l3);
    if (packet->tcp_flags & SL_TCP_SYN && packet->flags & PACKET_TCP && packet->flags & PACKET_L4_KNOWN) {
        uint16_t limit = packet->flags & PACKET_V4 ? way->port->mss_clamp_v4 : way->port->mss_clamp_v6;
        if (limit)
            mss_clamp(worker, packet, limit);
    }
    if (!ethernet_room(packet)) {
        packet_drop(worker, packet, SL_DROP_no_memory);
        return;
    }
    bool chain = packet->m->nb_segs > 1 && packet->flags & PACKET_V4; // of IPv6, worker_tx() makes one segment
    if (packet->l3_len > way->port->mtu || chain)
        send_pieces(worker, packet, way);
    else
        send_frame(worker, packet, way);
}

// Nearly every packet: forwarded, whole, no SYN, the neighbor known. One branch for all that can be otherwise.
static inline bool is_plain(const struct worker *worker, const struct packet *packet,
                            const struct way_out *way, uint8_t ttl)
{
    const uint16_t special = PACKET_FROM_HOST | PACKET_UNRESOLVED;
    bool plain = worker->tx[packet->port_out].up;

    plain &= (packet->flags & special) == 0;
    plain &= ttl > 1;
    plain &= packet->l3_len <= way->port->mtu;
    plain &= packet->m->nb_segs == 1;
    plain &= (packet->tcp_flags & SL_TCP_SYN) == 0;
    plain &= packet->l3_off == sizeof(struct sl_eth);
    return plain & neighbor_usable(way->word);
}

static inline void packet_send(struct worker *worker, struct burst *burst, struct packet *packet,
                               uint64_t word)
{
    struct way_out way = {
        .port = &worker->tables->port[packet->port_out],
        .own_mac = worker->tables->port_mac[packet->port_out],
        .word = word,
    };
    uint8_t *l3 = rte_pktmbuf_mtod_offset(packet->m, uint8_t *, packet->l3_off);

    if (unlikely(!is_plain(worker, packet, &way, ttl_of(packet, l3)))) {
        packet_send_slowly(worker, burst, packet, &way);
        return;
    }
    ttl_decrement(packet, l3);
    ethernet_write(packet, &way);
    worker_tx_single(worker, packet->port_out, packet->m);
    packet->stage = PACKET_GONE;
}

void neighbor_stage(struct worker *worker, struct burst *burst)
{
    struct neighbor_query query[BURST_MAX];
    uint64_t word[BURST_MAX];
    uint8_t at[BURST_MAX];
    uint32_t count = gather(worker, burst, at, query);

    neighbor_find_bulk(worker->neighbors, query, count, word);
    for (uint32_t i = 0; i < count; i++)
        packet_send(worker, burst, &burst->packet[at[i]], word[i]);
}
