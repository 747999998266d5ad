// SPDX-License-Identifier: Apache-2.0
// The last stage before tx: packets whose next hop is known get there. TTL, MTU, MSS clamp, Ethernet header, tx
// buffer, in the order a router does it (RFC 1812 section 5.2.1). Called by pipeline_run, on the worker's thread.
//
// All neighbors of a burst are looked up at once, a gateway once for all its packets. One that is not known sends the packet, complete but
// for its destination MAC, to the housekeeping thread, which asks and sends it on.
#include "neighbor/mss.h"
#include "neighbor/neighbor.h"
#include "balance/way.h"
#include "route/fragment.h"
#include "route/route.h"
#include "wire/headers.h"
#include "worker/worker.h"

#define RECENT 16 // next hops of a burst that are remembered: a power of two

// To one gateway, or to one host of a link: what packets that go there have in common.
struct way_out {
    const struct sl_port *port;
    struct tx_buffer *tx;
    uint64_t pending; // the port's bit in worker->tx_pending
    uint64_t word;    // the neighbor's, 0: not known
    uint16_t
        plain_mtu;    // bytes of IP that may go as they are; 0: a packet that goes there needs a closer look
    uint8_t macs[12]; // as they begin a frame
};

// The ways of a burst. Most of its packets share few gateways, so each gateway is looked up once: `recent` holds, by
// the lowest bits of a next hop, which way it was. The next burst asks again, so nothing here grows old.
struct ways {
    uint32_t count;
    struct neighbor_query query[BURST_MAX];
    uint64_t word[BURST_MAX];
    struct way_out way[BURST_MAX];
    struct {
        uint32_t nexthop;
        uint32_t way;
    } recent[RECENT];
};

// The station that the next hop names; false: it is the packet's own destination.
static bool station_of(const struct worker *worker, const struct packet *packet, struct sl_ip *ip)
{
    if (unlikely(packet->nexthop & NEXTHOP_MEMBER))
        return balance_way_station(worker->tables, packet->nexthop, packet->port_out, ip);
    const struct sl_nexthop *nexthop = &worker->tables->nexthop[packet->nexthop];
    *ip = nexthop->gateway;
    return nexthop->kind == SL_NEXTHOP_GATEWAY;
}

static uint32_t way_add(const struct worker *worker, const struct packet *packet, struct ways *ways)
{
    struct neighbor_query *query = &ways->query[ways->count];

    query->port = packet->port_out;
    if (station_of(worker, packet, &query->ip)) {
        ways->recent[packet->nexthop % RECENT].nexthop = packet->nexthop;
        ways->recent[packet->nexthop % RECENT].way = ways->count;
    } else {
        query->ip = route_destination(packet);
    }
    return ways->count++;
}

static inline uint32_t way_of(const struct worker *worker, const struct packet *packet, struct ways *ways)
{
    uint32_t place = packet->nexthop % RECENT;

    if (likely(ways->recent[place].nexthop == packet->nexthop))
        return ways->recent[place].way;
    return way_add(worker, packet, ways);
}

// Returns how many packets wait here; waiting[] says which, to[] their ways.
static uint32_t gather(const struct worker *worker, struct burst *burst, struct ways *ways,
                       struct packet *waiting[BURST_MAX], uint8_t to[BURST_MAX])
{
    uint32_t count = 0;

    ways->count = 0;
    memset(ways->recent, 0xff, sizeof(ways->recent)); // no next hop has this index
    for (struct packet *packet = burst->packet, *end = burst_end(burst); packet < end; packet++) {
        if (packet->stage != PACKET_NEIGHBOR)
            continue;
        to[count] = (uint8_t)way_of(worker, packet, ways);
        waiting[count++] = packet;
    }
    return count;
}

static void way_fill(struct worker *worker, uint16_t port_out, uint64_t word, struct way_out *way)
{
    bool plain = worker->tx[port_out].up && neighbor_usable(word);

    way->port = &worker->tables->port[port_out];
    way->tx = &worker->tx[port_out];
    way->pending = 1ULL << port_out;
    way->word = word;
    way->plain_mtu = plain ? way->port->mtu : 0;
    memcpy(way->macs, &word, 6);
    memcpy(way->macs + 6, worker->tables->port_mac[port_out], 6);
}

static void ways_find(struct worker *worker, struct ways *ways)
{
    neighbor_find_bulk(worker->neighbors, ways->query, ways->count, ways->word);
    for (uint32_t i = 0; i < ways->count; i++)
        way_fill(worker, ways->query[i].port, ways->word[i], &ways->way[i]);
}

// TTL down by one, header checksum patched: plus 0x0100, carry around, and never 0xffff, which a sender that computes
// the checksum anew would not write (RFC 1624 section 5).
static inline void ttl_decrement_v4(struct sl_ipv4 *ip)
{
    uint32_t sum = sl_host16(ip->checksum) + 0x100u;

    ip->ttl--;
    ip->checksum = sl_be16_of((uint16_t)(sum + (sum >= 0xffff)));
}

static inline void ttl_decrement(const struct packet *packet, uint8_t *l3)
{
    if (packet->flags & PACKET_V4)
        ttl_decrement_v4((struct sl_ipv4 *)l3);
    else
        ((struct sl_ipv6 *)l3)->hop_limit--;
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

    memcpy(eth, way->macs, sizeof(way->macs));
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
    int count = packet->flags & PACKET_V4 ? fragment_cut(worker, packet, way->port->mtu, piece)
                                          : fragment_cut_v6(worker, packet, way->port->mtu, piece);

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
    bool may_cut = !(packet->flags & (packet->flags & PACKET_V4 ? PACKET_DF : PACKET_DF | PACKET_FROM_HOST));

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
    bool chain =
        packet->m->nb_segs > 1 && packet->flags & PACKET_V4; // of IPv6, worker_tx() makes one segment
    bool whole = (packet->flags & (PACKET_V4 | PACKET_DF | PACKET_FROM_HOST)) == 0; // put together by us
    if (packet->l3_len > way->port->mtu || chain || whole)
        send_pieces(worker, packet, way);
    else
        send_frame(worker, packet, way);
}

// Nearly every packet: as parse found it plain, forwarded, to a known neighbor. One branch for all that can be
// otherwise.
static inline bool leaves_at_once(const struct packet *packet, const struct way_out *way,
                                  const struct sl_ipv4 *ip)
{
    const uint16_t asked = PACKET_PLAIN | PACKET_FROM_HOST | PACKET_UNRESOLVED;

    return ((packet->flags & asked) == PACKET_PLAIN) & (packet->l3_len <= way->plain_mtu) & (ip->ttl > 1) &
           (way->tx->count < TX_BUFFER);
}

static inline void packet_send(struct worker *worker, struct burst *burst, struct packet *packet,
                               const struct way_out *way)
{
    struct sl_eth *eth = rte_pktmbuf_mtod(packet->m, struct sl_eth *);
    struct sl_ipv4 *ip = (struct sl_ipv4 *)(eth + 1);

    if (unlikely(!leaves_at_once(packet, way, ip))) {
        packet_send_slowly(worker, burst, packet, way);
        return;
    }
    ttl_decrement_v4(ip);
    memcpy(eth, way->macs, sizeof(way->macs)); // the type behind them is IPv4's already
    way->tx->packet[way->tx->count++] = packet->m;
    worker->tx_pending |= way->pending;
    packet->stage = PACKET_GONE;
}

void neighbor_stage(struct worker *worker, struct burst *burst)
{
    struct ways ways;
    struct packet *waiting[BURST_MAX];
    uint8_t to[BURST_MAX];
    uint32_t count = gather(worker, burst, &ways, waiting, to);

    ways_find(worker, &ways);
    for (uint32_t i = 0; i < count; i++)
        packet_send(worker, burst, waiting[i], &ways.way[to[i]]);
}
