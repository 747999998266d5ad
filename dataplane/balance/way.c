// SPDX-License-Identifier: Apache-2.0
// Ways to a member other than translating the destination alone. Called by nat_stage, on the worker's thread.
//
//     full NAT       client:p -> service:80   becomes   source:q -> member:8080; q names the worker
//     direct return  nothing changes but the frame's destination: the member has the service's address too
//     IPIP           | IP source -> member, protocol 4 or 41 | the packet |                             RFC 2003, 2473
//     GUE            | IP source -> member | UDP | GUE | the packet |            draft-ietf-intarea-gue, version 0
#include "balance/way.h"

#include <errno.h>
#include "balance/rewrite.h"
#include "flow/flow.h"
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
// Only a next hop that is the member itself leads there: control makes one for each member of such a pool.
static void send_direct(struct worker *worker, struct burst *burst, struct packet *packet,
                        const struct sl_balance_member *member)
{
    const struct tables *tables = worker->tables;
    uint32_t index = route_lookup_one(tables, &member->ip, 0);
    const struct sl_nexthop *nexthop = &tables->nexthop[index];

    if (nexthop->kind != SL_NEXTHOP_GATEWAY || !sl_ip_equal(&nexthop->gateway, &member->ip)) {
        packet_drop(worker, packet, SL_DROP_no_route);
        return;
    }
    packet->nexthop = index;
    packet->port_out = nexthop->port;
    packet_to(burst, packet, PACKET_NEIGHBOR);
}

// ---- tunnels ------------------------------------------------------------------------------------------------
struct tunnel {
    const struct sl_ip *source, *member;
    uint32_t nexthop;
    uint16_t port_out, overhead, mtu; // mtu: of packets inside
    uint16_t gue_port;                // 0: IPIP
};

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
    tunnel->overhead =
        (uint16_t)((sl_ip_is_v4(&member->ip) ? sizeof(struct sl_ipv4) : sizeof(struct sl_ipv6)) +
                   (tunnel->gue_port ? sizeof(struct sl_udp) + GUE_BYTES : 0));
    tunnel->mtu =
        (uint16_t)((pool->tunnel_mtu && pool->tunnel_mtu < mtu ? pool->tunnel_mtu : mtu) - tunnel->overhead);
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

// UDP's checksum over IPv4 may be left out, as the draft says; over IPv6 it may be for tunnels (RFC 6935). Its source
// port spreads flows over the receiver's queues.
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
        .dont_fragment = packet->flags & PACKET_DF,
    };
    uint8_t *behind = sl_emit_ip(at, &ip);

    if (!udp)
        return;
    uint16_t sport = (uint16_t)(0xc000 | (packet->hash & 0x3fff));
    behind = sl_emit_udp(behind, sport, tunnel->gue_port, (uint16_t)(packet->l3_len + GUE_BYTES));
    memcpy(behind, (const uint8_t[GUE_BYTES]){0, inner, 0, 0}, GUE_BYTES);
}

// The packet is the gateway's own from here on: no error about it can go to the client.
static bool encapsulate(struct worker *worker, struct packet *packet, const struct tunnel *tunnel)
{
    bool v4 = sl_ip_is_v4(tunnel->member),
         may_cut = !(packet->flags & PACKET_DF);
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
    if (!encapsulate(worker, packet, &tunnel)) {
        packet_drop(worker, packet, SL_DROP_no_memory);
        return;
    }
    packet->nexthop = tunnel.nexthop;
    packet->port_out = tunnel.port_out;
    packet_to(burst, packet, PACKET_NEIGHBOR);
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
