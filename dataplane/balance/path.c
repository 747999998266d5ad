// SPDX-License-Identifier: Apache-2.0
// Packet too big about a tunnel: see path.h. What is believed (RFC 1191 section 8, RFC 5927 section 7): the quoted
// packet goes from a tunnel's source to a tunnel's member, and the packet inside, where enough of it is quoted, is of a
// flow which that member has, or goes there by hash where there are no flows. A path never gets narrower than 552 bytes, or 1280 with IPv6.
#include "balance/path.h"

#include "balance/method.h"
#include "balance/stateless.h"
#include "balance/way.h"
#include "flow/flow.h"
#include "wire/headers.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/l4.h"

#define LEAST_V4  552u
#define LEAST_V6  1280u
#define MEMORY_MS 600000u // RFC 1191 section 6.3
#define GUE_BYTES 4
#define PORTS_AT  4 // bytes of a transport header until its ports are read

// ---- what is known ------------------------------------------------------------------------------------------
// mtu | tag of the address << 16 | when << 32; 0: nothing
static uint64_t *word_of(const struct balance *balance, const struct sl_ip *member, uint64_t *tag)
{
    uint64_t hash = sl_balance_address_hash(member);

    *tag = (hash >> 32 & 0xffff) << 16;
    return &balance->paths[hash % BALANCE_PATHS];
}

uint16_t balance_path_mtu(const struct balance *balance, const struct sl_ip *member, uint32_t now_ms)
{
    uint64_t tag, word = __atomic_load_n(word_of(balance, member, &tag), __ATOMIC_RELAXED);

    if (likely(word == 0) || (word & 0xffff0000u) != tag || now_ms - (uint32_t)(word >> 32) > MEMORY_MS)
        return 0;
    return (uint16_t)word;
}

static void learn(const struct balance *balance, const struct sl_ip *member, uint32_t mtu, uint32_t now_ms)
{
    uint64_t tag, *word = word_of(balance, member, &tag);
    uint32_t least = sl_ip_is_v4(member) ? LEAST_V4 : LEAST_V6;
    uint16_t known = balance_path_mtu(balance, member, now_ms);

    mtu = mtu < least ? least : mtu;
    if (known != 0 && known <= mtu)
        mtu = known; // only time widens it
    __atomic_store_n(word, mtu | tag | (uint64_t)now_ms << 32, __ATOMIC_RELAXED);
}

// ---- the quote ----------------------------------------------------------------------------------------------
static bool view_of(const uint8_t *l3, uint16_t have, bool v4, struct sl_ip_view *view)
{
    return (v4 ? sl_ipv4_view_quoted(l3, have, view) : sl_ipv6_view_quoted(l3, have, view)) == SL_WIRE_OK;
}

static void addresses_of(const uint8_t *l3, struct balance_inner *inner)
{
    if (inner->v4) {
        inner->key.src = sl_ip_v4(((const struct sl_ipv4 *)l3)->src);
        inner->key.dst = sl_ip_v4(((const struct sl_ipv4 *)l3)->dst);
        return;
    }
    memcpy(&inner->key.src, ((const struct sl_ipv6 *)l3)->src, sizeof(inner->key.src));
    memcpy(&inner->key.dst, ((const struct sl_ipv6 *)l3)->dst, sizeof(inner->key.dst));
}

static void inner_read(const struct packet *packet, struct balance_inner *inner)
{
    const uint8_t *l3 = rte_pktmbuf_mtod_offset(packet->m, const uint8_t *, inner->at);
    struct sl_ip_view view;

    if (inner->have < (inner->v4 ? sizeof(struct sl_ipv4) : sizeof(struct sl_ipv6)) ||
        !view_of(l3, inner->have, inner->v4, &view))
        return;
    addresses_of(l3, inner);
    inner->proto = view.proto;
    inner->dont_fragment = view.dont_fragment || !inner->v4;
    bool ports = balance_has_ports(view.proto);
    if (ports && (view.fragment_off != 0 || inner->have < view.l4_off + PORTS_AT))
        return;
    if (ports)
        memcpy(&inner->key.sport, l3 + view.l4_off, PORTS_AT);
    inner->whole = true;
}

// How far the tunnel's header reaches, by its protocol. False: no tunnel's.
static bool tunnel_end(const struct packet *packet, uint16_t *at, uint8_t *proto)
{
    *at = packet->quote_l4_off;
    *proto = packet->key_proto;
    if (*proto == SL_PROTO_FRAGMENT) { // GUE's second piece: what is inside is not to be seen
        *proto = 0;
        return true;
    }
    if (*proto != IPPROTO_UDP)
        return *proto == IPPROTO_IPIP || *proto == IPPROTO_IPV6;
    *at = (uint16_t)(*at + sizeof(struct sl_udp) + GUE_BYTES);
    if (packet->m->data_len < *at)
        *proto = 0; // cut off before GUE's header says
    else
        *proto = *rte_pktmbuf_mtod_offset(packet->m, const uint8_t *, *at - GUE_BYTES + 1);
    return *proto == 0 || *proto == IPPROTO_IPIP || *proto == IPPROTO_IPV6;
}

bool balance_path_inner(const struct balance_binding *binding, const struct packet *packet,
                        struct balance_inner *inner)
{
    struct sl_ip source = packet->key.dst, member = packet->key.src;
    uint8_t proto;

    *inner = (struct balance_inner){0};
    if (likely(!binding->tunnels) || !(packet->flags & PACKET_ICMP_ERROR) ||
        !balance_is_tunnel(binding, &source, &member) || !tunnel_end(packet, &inner->at, &proto))
        return false;
    inner->v4 = proto == IPPROTO_IPIP;
    inner->have = packet->m->data_len > inner->at ? (uint16_t)(packet->m->data_len - inner->at) : 0;
    if (proto != 0)
        inner_read(packet, inner);
    return true;
}

// ---- taking it up -------------------------------------------------------------------------------------------
// The MTU that the router names, 0: the error says something else. Old ones leave it out: then a step down from what
// was too large (RFC 1191 section 5).
static uint32_t mtu_told(const struct packet *packet)
{
    const struct sl_icmp *icmp = rte_pktmbuf_mtod_offset(packet->m, const struct sl_icmp *, packet->l4_off);
    static const uint16_t plateau[] = {8166, 4352, 2002, 1492, 1006};

    if (packet->flags & PACKET_V6)
        return icmp->type == SL_ICMP6_TOO_BIG ? sl_host32(icmp->mtu32) : 0;
    if (icmp->type != SL_ICMP_UNREACHABLE || icmp->code != 4)
        return 0;
    const struct sl_ipv4 *quoted =
        rte_pktmbuf_mtod_offset(packet->m, const struct sl_ipv4 *, packet->quote_l3_off);
    for (size_t i = 0; icmp->mtu == 0 && i < RTE_DIM(plateau); i++)
        if (plateau[i] < sl_host16(quoted->total_len))
            return plateau[i];
    return icmp->mtu ? sl_host16(icmp->mtu) : LEAST_V4;
}

// Where the packet inside goes without a flow, while its service is balanced so.
static const struct sl_balance_member *
member_by_hash(struct worker *worker, const struct balance_inner *inner, const struct sl_balance_pool **pool)
{
    const struct balance_binding *binding = worker->tables->balance_binding;
    uint32_t index = balance_service_of(binding, &inner->key, inner->proto);

    if (index == SL_BALANCE_NONE)
        return NULL;
    const struct sl_balance_service *service = &sl_balance_services(binding->table)[index];
    *pool = &sl_balance_pools(binding->table)[service->pool];
    if (!balance_is_stateless_now(worker, service) || !balance_method_of(*pool)->hashes ||
        ((*pool)->way != SL_BALANCE_IPIP && (*pool)->way != SL_BALANCE_GUE))
        return NULL;
    return balance_choose(worker->balance, binding, *pool, &inner->key, inner->proto, 0);
}

// Where the packet inside goes by its flow, if it has one.
static const struct sl_balance_member *member_by_flow(struct worker *worker, uint32_t ref,
                                                      const struct sl_balance_pool **pool)
{
    const struct sl_flow *flow = &worker->flows->entry[ref >> 1];
    const struct sl_balance_member *member;

    if (ref & 1 || flow->kind != SL_FLOW_BALANCE || !balance_way_is_other(worker, flow, pool, &member) ||
        (*pool)->way == SL_BALANCE_DIRECT)
        return NULL;
    return member;
}

// The pool and member that the packet inside went to, if it can have been sent by us.
static const struct sl_balance_member *member_of(struct worker *worker, const struct balance_inner *inner,
                                                 const struct sl_ip *to, const struct sl_balance_pool **pool)
{
    uint32_t hash = flow_hash(worker->flows, &inner->key, inner->proto);
    uint32_t ref = flow_find(worker->flows, &inner->key, inner->proto, hash);
    const struct sl_balance_member *member =
        ref != FLOW_NONE ? member_by_flow(worker, ref, pool) : member_by_hash(worker, inner, pool);

    return member != NULL && sl_ip_equal(&member->ip, to) ? member : NULL;
}

// The quoted packet takes the error's place, and is rejected as if it had been found too large here.
static void relay(struct burst *burst, struct packet *packet, const struct balance_inner *inner, uint16_t mtu)
{
    struct rte_mbuf *m = packet->m;

    if (rte_pktmbuf_adj(m, (uint16_t)(inner->at - sizeof(struct sl_eth))) == NULL)
        return;
    memset(rte_pktmbuf_mtod(m, void *), 0, sizeof(struct sl_eth));
    packet->flags = (uint16_t)((inner->v4 ? PACKET_V4 : PACKET_V6) | PACKET_DF);
    packet->proto = packet->key_proto = inner->proto;
    packet->l3_off = sizeof(struct sl_eth);
    packet->l3_len = inner->have;
    packet->key = inner->key;
    packet_reject(burst, packet, SL_DROP_mtu_exceeded, inner->v4 ? SL_ICMP_UNREACHABLE : SL_ICMP6_TOO_BIG,
                  inner->v4 ? 4 : 0, mtu);
}

bool balance_path_heard(struct worker *worker, struct burst *burst, struct packet *packet)
{
    struct sl_ip to = packet->key.src;
    struct balance_inner inner;
    const struct sl_balance_pool *pool = NULL;

    if (!balance_path_inner(worker->tables->balance_binding, packet, &inner))
        return false;
    uint32_t mtu = mtu_told(packet);
    const struct sl_balance_member *member = inner.whole ? member_of(worker, &inner, &to, &pool) : NULL;
    if (mtu == 0 || (inner.whole && member == NULL)) {
        packet_drop(worker, packet, SL_DROP_nat_icmp_unmatched);
        return true;
    }
    learn(worker->balance, &to, mtu, worker->now_ms);
    worker_count(worker, SL_COUNTER_nat_icmp_error, 1);
    if (member != NULL && inner.dont_fragment)
        relay(burst, packet, &inner, balance_way_mtu(worker, pool, member, inner.v4));
    else
        packet_drop(worker, packet, SL_DROP_mtu_exceeded);
    return true;
}
