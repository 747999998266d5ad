// SPDX-License-Identifier: Apache-2.0
// Ways to a member other than translating the destination alone. Called by nat_stage, on the worker's thread.
//
//     full NAT       client:p -> service:80   becomes   source:q -> member:8080; q names the worker
//     direct return  nothing changes but the frame's destination: the member has the service's address too
//     IPIP           | IP source -> member, protocol 4 or 41 | the packet |                             RFC 2003, 2473
//     GUE            | IP source -> member | UDP | GUE | the packet |            draft-ietf-intarea-gue, version 0
#include "balance/way.h"

#include <errno.h>
#include "balance/path.h"
#include "balance/rewrite.h"
#include "balance/tunnel_cut.h"
#include "flow/flow.h"
#include "neighbor/mss.h"
#include "route/fragment.h"
#include "route/route.h"
#include "wire/emit.h"
#include "wire/l4.h"

#define PROTO_IPIP 4 // IPv4 in IP
#define PROTO_IPV6 41
#define PORT_FIRST 1024u
#define PORTS      (65536u - PORT_FIRST)
#define PORT_TRIES 64 // ports looked at for one that the member has no flow with
#define GUE_BYTES  4

// ---- full NAT -----------------------------------------------------------------------------------------------
// An address of the pool's, of the member's family; NULL: it has none.
static const struct sl_ip *source_of(const struct sl_balance_table *table, const struct sl_balance_pool *pool,
                                     const struct sl_ip *member, uint32_t hash)
{
    const struct sl_ip *source = sl_balance_sources(table) + pool->source_first;

    for (uint32_t i = 0; i < pool->source_count; i++) {
        const struct sl_ip *ip = &source[(hash + i) % pool->source_count];
        if (sl_ip_is_v4(ip) == sl_ip_is_v4(member))
            return ip;
    }
    return NULL;
}

// A port of this worker's at random: who is outside cannot foresee it (RFC 6056).
static uint16_t port_draw(struct balance *balance)
{
    uint32_t share = PORTS / balance->workers;

    return (uint16_t)(PORT_FIRST + sl_hash_scale(balance_random(balance), share) * balance->workers +
                      (balance->worker + balance->workers - PORT_FIRST % balance->workers) %
                          balance->workers);
}

static int source_take(struct worker *worker, const struct sl_balance_pool *pool, struct flow_new *new)
{
    struct balance *balance = worker->balance;
    struct sl_ip member = new->key[1].src;

    for (int tries = 0; tries < PORT_TRIES; tries++) {
        const struct sl_ip *source =
            source_of(worker->tables->balance, pool, &member, (uint32_t)balance_random(balance));
        if (source == NULL)
            return -ENOSPC;
        new->key[1].dst = *source;
        new->key[1].dport = sl_be16_of(port_draw(balance));
        uint32_t hash = flow_hash(worker->flows, &new->key[1], new->proto);
        if (flow_find(worker->flows, &new->key[1], new->proto, hash) == FLOW_NONE)
            return 0;
    }
    return -ENOSPC;
}

int balance_way_prepare(struct worker *worker, const struct sl_balance_pool *pool, struct flow_new *new)
{
    if (likely(pool->way != SL_BALANCE_FULL_NAT))
        return 0;
    return balance_has_ports(new->proto) ? source_take(worker, pool, new) : -EPROTONOSUPPORT;
}

// ---- direct return ------------------------------------------------------------------------------------------
// The port whose link the member is on: false where a router is between.
static bool is_on_link(const struct tables *tables, const struct sl_balance_member *member, uint16_t *port)
{
    const struct sl_nexthop *nexthop = &tables->nexthop[route_lookup_one(tables, &member->ip, 0)];
    bool itself = nexthop->kind == SL_NEXTHOP_GATEWAY && sl_ip_equal(&nexthop->gateway, &member->ip);

    *port = nexthop->port;
    return nexthop->kind == SL_NEXTHOP_CONNECTED || itself;
}

static void send_direct(struct worker *worker, struct burst *burst, struct packet *packet,
                        const struct sl_balance_member *member)
{
    uint16_t port;

    if (!is_on_link(worker->tables, member, &port)) {
        packet_drop(worker, packet, SL_DROP_no_route);
        return;
    }
    packet->nexthop = NEXTHOP_MEMBER | member->slot;
    packet->port_out = port;
    packet_to(burst, packet, PACKET_NEIGHBOR);
}

bool balance_way_station(const struct tables *tables, uint32_t nexthop, uint16_t port, struct sl_ip *ip)
{
    const struct sl_balance_member *member =
        tables->balance ? sl_balance_member_by_slot(tables->balance, nexthop & ~NEXTHOP_MEMBER) : NULL;
    uint16_t at;

    if (member == NULL || sl_balance_pools(tables->balance)[member->pool].way != SL_BALANCE_DIRECT)
        return false;
    *ip = member->ip;
    return is_on_link(tables, member, &at) && at == port;
}

// ---- tunnels ------------------------------------------------------------------------------------------------
struct tunnel {
    const struct sl_ip *source, *member;
    uint32_t nexthop;
    uint16_t port_out, overhead, mtu; // mtu: of packets inside
    uint16_t outer;                   // mtu of the tunnel's own packets
    uint16_t gue_port;                // 0: IPIP
    bool cuts; // a packet inside may be larger than the path takes and not be cut itself, so the tunnel's are
};

#define LEAST_V6 1280 // no sender of IPv6 need go below (RFC 8200 section 5)

static uint16_t overhead_of(const struct sl_balance_pool *pool, bool v4)
{
    return (uint16_t)((v4 ? sizeof(struct sl_ipv4) : sizeof(struct sl_ipv6)) +
                      (pool->way == SL_BALANCE_GUE ? sizeof(struct sl_udp) + GUE_BYTES : 0));
}

// Bytes of IP that the way takes, the tunnel's headers included: what the port, the config and routers say.
static uint16_t outer_mtu(const struct worker *worker, const struct sl_balance_pool *pool,
                          const struct sl_ip *member, uint16_t mtu)
{
    uint16_t path = balance_path_mtu(worker->balance, member, worker->now_ms);

    mtu = pool->tunnel_mtu && pool->tunnel_mtu < mtu ? pool->tunnel_mtu : mtu;
    mtu = path && path < mtu ? path : mtu;
    return mtu < LEAST_V6 && !sl_ip_is_v4(member) ? LEAST_V6 : mtu; // no link of IPv6 takes less
}

static bool tunnel_to(const struct worker *worker, const struct packet *packet,
                      const struct sl_balance_pool *pool, const struct sl_balance_member *member,
                      struct tunnel *tunnel)
{
    const struct tables *tables = worker->tables;
    const struct sl_nexthop *nexthop;

    tunnel->source = source_of(tables->balance, pool, &member->ip, packet->hash);
    tunnel->member = &member->ip;
    tunnel->nexthop = route_lookup_one(tables, &member->ip, packet->hash);
    nexthop = &tables->nexthop[tunnel->nexthop];
    if (tunnel->source == NULL ||
        (nexthop->kind != SL_NEXTHOP_GATEWAY && nexthop->kind != SL_NEXTHOP_CONNECTED))
        return false;
    uint16_t mtu = tables->port[nexthop->port].mtu;
    tunnel->port_out = nexthop->port;
    tunnel->gue_port = pool->way == SL_BALANCE_GUE ? pool->tunnel_port : 0;
    tunnel->overhead = overhead_of(pool, sl_ip_is_v4(&member->ip));
    tunnel->outer = outer_mtu(worker, pool, &member->ip, mtu);
    tunnel->mtu = (uint16_t)(tunnel->outer - tunnel->overhead);
    tunnel->cuts = !(packet->flags & PACKET_V4) && tunnel->mtu < LEAST_V6;
    tunnel->mtu = tunnel->cuts ? LEAST_V6 : tunnel->mtu;
    return true;
}

// What the tunnel cannot take is said about the packet as it came, before anything in it is changed.
static bool fits(struct burst *burst, struct packet *packet, const struct tunnel *tunnel)
{
    const uint8_t *l3 = rte_pktmbuf_mtod_offset(packet->m, const uint8_t *, packet->l3_off);
    bool v4 = packet->flags & PACKET_V4;
    uint8_t ttl = v4 ? ((const struct sl_ipv4 *)l3)->ttl : ((const struct sl_ipv6 *)l3)->hop_limit;

    if (ttl <= 1) {
        packet_reject(burst, packet, SL_DROP_ttl_expired, v4 ? SL_ICMP_TIME_EXCEEDED : SL_ICMP6_TIME_EXCEEDED,
                      0, 0);
        return false;
    }
    if (packet->l3_len <= tunnel->mtu ||
        (!(packet->flags & PACKET_DF) && (v4 || sl_ip_is_v4(tunnel->member))))
        return true; // or the tunnel's own packets are cut
    packet_reject(burst, packet, SL_DROP_mtu_exceeded, v4 ? SL_ICMP_UNREACHABLE : SL_ICMP6_TOO_BIG,
                  v4 ? 4 : 0, tunnel->mtu);
    return false;
}

// The packet inside is forwarded by this gateway, so it counts one hop (RFC 2003 section 3.1); the tunnel is another.
static void hop_count(const struct packet *packet)
{
    uint8_t *l3 = rte_pktmbuf_mtod_offset(packet->m, uint8_t *, packet->l3_off);

    if (!(packet->flags & PACKET_V4)) {
        ((struct sl_ipv6 *)l3)->hop_limit--;
        return;
    }
    struct sl_ipv4 *ip = (struct sl_ipv4 *)l3;
    uint8_t after = (uint8_t)(ip->ttl - 1);
    struct sl_csum_diff diff = {0};
    sl_csum_diff_bytes(&diff, offsetof(struct sl_ipv4, ttl), &ip->ttl, &after, 1);
    ip->ttl = after;
    sl_csum_patch(&ip->checksum, diff);
}

// The tunnel's own packets, of IPv4.
static bool may_be_cut(const struct packet *packet, const struct tunnel *tunnel)
{
    return packet->flags & PACKET_V4 ? !(packet->flags & PACKET_DF) : tunnel->cuts;
}

// Over however many segments the packet has; each may begin at an odd byte of the message.
static uint64_t sum_of(const struct rte_mbuf *m, uint32_t skip, uint64_t sum)
{
    bool odd = false;

    for (; m != NULL; m = m->next, skip = 0) {
        const uint8_t *at = rte_pktmbuf_mtod_offset(m, const uint8_t *, skip);
        size_t len = m->data_len - skip;
        sum = odd ? sl_csum_add_odd(sum, at, len) : sl_csum_add(sum, at, len);
        odd ^= len & 1;
    }
    return sum;
}

// Over IPv6 receivers may refuse UDP without a checksum, Linux among them; leaving it out takes an agreement with them
// (RFC 6935 section 5, RFC 6936 section 4).
static void udp_checksum(const struct packet *packet, const struct sl_ipv6 *ip, struct sl_udp *udp)
{
    uint32_t at = (uint32_t)((const uint8_t *)udp - rte_pktmbuf_mtod(packet->m, const uint8_t *));
    uint64_t sum = sl_csum_pseudo_v6(ip->src, ip->dst, SL_PROTO_UDP, sl_host16(udp->len));

    udp->checksum = sl_csum_finish_udp(sum_of(packet->m, at, sum));
}

// UDP's checksum over IPv4 may be left out, as the draft says. Its source port spreads flows over the receiver's queues.
static void headers_write(struct worker *worker, const struct packet *packet, const struct tunnel *tunnel,
                          void *at)
{
    uint8_t inner = packet->flags & PACKET_V4 ? PROTO_IPIP : PROTO_IPV6;
    uint16_t udp = tunnel->gue_port ? sizeof(struct sl_udp) + GUE_BYTES : 0;
    struct sl_emit_ip ip = {
        .src = *tunnel->source,
        .dst = *tunnel->member,
        .payload_len = (uint16_t)(packet->l3_len + udp),
        .id = (uint16_t)worker->ip_id++,
        .proto = udp ? SL_PROTO_UDP : inner,
        .tos = packet->tos,
        .dont_fragment = !may_be_cut(packet, tunnel),
    };
    uint8_t *behind = sl_emit_ip(at, &ip);

    if (!udp)
        return;
    uint16_t sport = (uint16_t)(0xc000 | (packet->hash & 0x3fff));
    struct sl_udp *header = (struct sl_udp *)behind;
    behind = sl_emit_udp(behind, sport, tunnel->gue_port, (uint16_t)(packet->l3_len + GUE_BYTES));
    memcpy(behind, (const uint8_t[GUE_BYTES]){0, inner, 0, 0}, GUE_BYTES);
    if (!sl_ip_is_v4(tunnel->member))
        udp_checksum(packet, at, header);
}

// The packet is the gateway's own from here on: no error about it can go to the client.
static bool encapsulate(struct worker *worker, struct packet *packet, const struct tunnel *tunnel)
{
    bool v4 = sl_ip_is_v4(tunnel->member), may_cut = may_be_cut(packet, tunnel);
    uint16_t room = (uint16_t)(sizeof(struct sl_eth) + tunnel->overhead);

    if (rte_pktmbuf_adj(packet->m, packet->l3_off) == NULL)
        return false;
    uint8_t *frame = (uint8_t *)rte_pktmbuf_prepend(packet->m, room);
    if (frame == NULL)
        return false;
    headers_write(worker, packet, tunnel, frame + sizeof(struct sl_eth));
    packet->l3_off = sizeof(struct sl_eth);
    packet->l4_off = (uint16_t)(packet->l3_off + (v4 ? sizeof(struct sl_ipv4) : sizeof(struct sl_ipv6)));
    packet->l3_len = (uint16_t)(packet->l3_len + tunnel->overhead);
    packet->flags =
        (uint16_t)(PACKET_FROM_HOST | (v4 ? PACKET_V4 : PACKET_V6) | (v4 && may_cut ? 0 : PACKET_DF));
    packet->proto = tunnel->gue_port ? SL_PROTO_UDP : packet->flags & PACKET_V4 ? PROTO_IPIP : PROTO_IPV6;
    packet->tcp_flags = 0;
    return true;
}

// The tunnel's packet of IPv6 is larger than its path takes, and what is inside need not be smaller: two fragments, the
// second in another slot of the burst.
static bool outer_cut(struct worker *worker, struct burst *burst, struct packet *packet, uint16_t mtu)
{
    struct rte_mbuf *piece[2];

    if (burst->count == BURST_MAX ||
        balance_tunnel_cut(worker, packet->m, mtu, (uint32_t)balance_random(worker->balance), piece) != 0)
        return false;
    struct packet *second = &burst->packet[burst->count++];
    *second = *packet;
    packet->m = piece[0];
    second->m = piece[1];
    packet->l3_len = (uint16_t)(piece[0]->pkt_len - packet->l3_off);
    second->l3_len = (uint16_t)(piece[1]->pkt_len - second->l3_off);
    packet_to(burst, second, PACKET_NEIGHBOR);
    return true;
}

static void enter(struct worker *worker, struct burst *burst, struct packet *packet,
                  const struct tunnel *tunnel)
{
    if (!encapsulate(worker, packet, tunnel)) {
        packet_drop(worker, packet, SL_DROP_no_memory);
        return;
    }
    packet->nexthop = tunnel->nexthop;
    packet->port_out = tunnel->port_out;
    if (unlikely(tunnel->cuts && packet->l3_len > tunnel->outer && packet->flags & PACKET_V6) &&
        !outer_cut(worker, burst, packet, tunnel->outer)) {
        packet_drop(worker, packet, SL_DROP_fragment_no_memory);
        return;
    }
    packet_to(burst, packet, PACKET_NEIGHBOR);
}

// IPv6 cuts only at the source, so an IPv4 packet that may be cut is cut before it goes in (RFC 2473 section 7.2). Its
// pieces take further slots of the burst.
static void enter_cut(struct worker *worker, struct burst *burst, struct packet *packet,
                      const struct tunnel *tunnel)
{
    struct rte_mbuf *piece[FRAGMENT_MAX];
    int count = fragment_cut(worker, packet, tunnel->mtu, piece);

    if (count < 0) {
        packet_drop(worker, packet, SL_DROP_fragment_no_memory);
        return;
    }
    struct packet part = *packet;
    part.l3_off = sizeof(struct sl_eth);
    worker_count(worker, SL_COUNTER_fragment_created, (uint64_t)count);
    for (int i = 0; i < count; i++) {
        part.m = piece[i];
        part.l3_len = (uint16_t)(part.m->pkt_len - part.l3_off);
        if (i > 0 && burst->count == BURST_MAX) {
            packet_drop(worker, &part, SL_DROP_fragment_no_memory);
            continue;
        }
        struct packet *slot = i == 0 ? packet : &burst->packet[burst->count++];
        *slot = part;
        enter(worker, burst, slot, tunnel);
    }
}

static void send_tunneled(struct worker *worker, struct burst *burst, struct packet *packet,
                          const struct sl_balance_pool *pool, const struct sl_balance_member *member)
{
    struct tunnel tunnel;

    if (!tunnel_to(worker, packet, pool, member, &tunnel)) {
        packet_drop(worker, packet, SL_DROP_no_route);
        return;
    }
    if (!fits(burst, packet, &tunnel))
        return;
    hop_count(packet);
    if (packet->l3_len > tunnel.mtu && packet->flags & PACKET_V4 && !sl_ip_is_v4(tunnel.member))
        enter_cut(worker, burst, packet, &tunnel);
    else
        enter(worker, burst, packet, &tunnel);
}

uint16_t balance_way_mtu(const struct worker *worker, const struct sl_balance_pool *pool,
                         const struct sl_balance_member *member, bool v4)
{
    const struct tables *tables = worker->tables;
    const struct sl_nexthop *nexthop = &tables->nexthop[route_lookup_one(tables, &member->ip, 0)];
    uint16_t mtu = (uint16_t)(outer_mtu(worker, pool, &member->ip, tables->port[nexthop->port].mtu) -
                              overhead_of(pool, sl_ip_is_v4(&member->ip)));

    return !v4 && mtu < LEAST_V6 ? LEAST_V6 : mtu;
}

// Which member the flow has, only its owner knows: what the first one's tunnel takes is told.
void balance_way_clamp(struct worker *worker, struct packet *packet)
{
    const struct sl_balance_table *table = worker->tables->balance;
    const struct sl_flow_key key = {.src = packet->key.dst,
                                    .dst = packet->key.src,
                                    .sport = packet->key.dport,
                                    .dport = packet->key.sport};
    uint32_t index = balance_service_of(worker->tables->balance_binding, &key, packet->key_proto);

    if (index == SL_BALANCE_NONE || !(packet->flags & PACKET_L4_KNOWN))
        return;
    const struct sl_balance_pool *pool = &sl_balance_pools(table)[sl_balance_services(table)[index].pool];
    if ((pool->way != SL_BALANCE_IPIP && pool->way != SL_BALANCE_GUE) || pool->count == 0)
        return;
    bool v4 = packet->flags & PACKET_V4;
    uint16_t headers =
        (uint16_t)(sizeof(struct sl_tcp) + (v4 ? sizeof(struct sl_ipv4) : sizeof(struct sl_ipv6)));
    mss_clamp(
        worker, packet,
        (uint16_t)(balance_way_mtu(worker, pool, &sl_balance_members(table)[pool->first], v4) - headers));
}

void balance_way_send(struct worker *worker, struct burst *burst, struct packet *packet,
                      const struct sl_balance_pool *pool, const struct sl_balance_member *member)
{
    packet->flow =
        FLOW_NONE; // what the flow remembers as next hop is the way to a translated packet's destination
    if (pool->way == SL_BALANCE_DIRECT)
        send_direct(worker, burst, packet, member);
    else
        send_tunneled(worker, burst, packet, pool, member);
}

bool balance_way_is_other(const struct worker *worker, const struct sl_flow *flow,
                          const struct sl_balance_pool **pool, const struct sl_balance_member **member)
{
    const struct sl_balance_table *table = worker->tables->balance;

    *member = table ? sl_balance_member_by_slot(table, SL_FLOW_MEMBER(flow->mapping)) : NULL;
    if (*member == NULL)
        return false;
    *pool = &sl_balance_pools(table)[(*member)->pool];
    return (*pool)->way > SL_BALANCE_FULL_NAT;
}
