// SPDX-License-Identifier: Apache-2.0
// The steer stage: packets that may belong to a translated flow go to the worker that owns it. The owner follows
// from either side: from inside, by the inside address; from outside, by what the outside address and port stand
// for. With one worker the stage only sorts out what needs no session. Fragments have no ports behind the first:
// all of a datagram go to one worker, chosen by its addresses and identification, which puts it together (RFC 4787
// REQ-14) and then steers the whole. On the worker's thread.
#include "steer/steer.h"

#include "balance/binding.h"
#include "balance/path.h"
#include "nat/binding.h"
#include "nat/share.h"
#include "route/fragment.h"
#include "wire/headers.h"
#include "wire/ipv6.h"

// Only what is unicast between two hosts has a session; the rest is for the route stage to judge.
static bool may_be_translated(const struct packet *packet)
{
    if (packet->flags & PACKET_V6)
        return !(packet->flags & PACKET_FROM_HOST) && packet->key.dst.b[0] != 0xff;
    return !(packet->flags & PACKET_FROM_HOST) && (packet->key.dst.b[12] & 0xf0) != 0xe0 &&
           packet->key.dst.w[3] != UINT32_MAX;
}

static uint32_t pool_owner(const struct worker *worker, const struct nat_address *to,
                           const struct sl_flow_key *key, uint8_t proto)
{
    int nat_proto = nat_proto_of(proto);

    if (nat_proto < 0)
        return worker->index;
    uint8_t owner = nat_port_owner(worker->tables->nat_binding->outside[to->index],
                                   (enum sl_nat_proto)nat_proto, sl_host16(key->dport));
    return owner < worker->count ? owner : worker->index; // nobody's: it will be dropped, or answered, here
}

static uint32_t owner_of(const struct worker *worker, const struct nat_address *to,
                         const struct sl_flow_key *key, uint8_t proto)
{
    if (to->roles & NAT_STATIC_OUTSIDE)
        return nat_owner(to->partner, worker->count);
    const struct sl_nat_forward *forward =
        nat_forward_find(worker->tables->nat_binding, to, proto, sl_host16(key->dport));
    if (forward != NULL)
        return nat_owner(forward->inside, worker->count);
    return to->roles & NAT_POOL ? pool_owner(worker, to, key, proto) : worker->index;
}

uint32_t steer_owner_outside(const struct worker *worker, const struct sl_flow_key *key, uint8_t proto)
{
    const struct balance_binding *balance = worker->tables->balance_binding;
    struct sl_ip src = key->src;

    if (worker->count == 1)
        return worker->index;
    if (balance != NULL && balance_service_of(balance, key, proto) != SL_BALANCE_NONE)
        return balance_owner(&src, worker->count);
    const struct nat_address *to = nat_address_find(worker->tables->nat_binding, key->dst.w[3]);

    return to ? owner_of(worker, to, key, proto) : worker->index;
}

static bool is_inside(const struct nat_binding *binding, sl_be32 addr)
{
    const struct nat_address *address = nat_address_find(binding, addr);

    return (address && address->roles & NAT_STATIC_INSIDE) || nat_source_find(binding, addr, UINT16_MAX);
}

uint32_t steer_owner_nat(const struct worker *worker, const struct sl_flow_key *key, uint8_t proto)
{
    const struct nat_binding *binding = worker->tables->nat_binding;
    struct sl_ip from = key->src;
    sl_be32 src = from.w[3];

    if (binding->table == NULL || !sl_ip_is_v4(&from))
        return worker->index;
    const struct nat_address *to = nat_address_find(binding, key->dst.w[3]);
    if (to == NULL || is_inside(binding, src))
        return nat_owner(src, worker->count);
    return owner_of(worker, to, key, proto);
}

// A client's flows are with one worker, from whichever side their packets come; SL_BALANCE_NONE: no service's packet.
// With full NAT the port that answers go to says whose they are.
static uint32_t owner_balanced(const struct worker *worker, const struct balance_binding *balance,
                               const struct packet *packet, bool past_member)
{
    struct sl_ip src = packet->key.src, dst = packet->key.dst;
    struct balance_inner inner;

    if (unlikely(balance_path_inner(balance, packet, &inner))) {
        src = inner.key.src;
        return inner.whole ? balance_owner(&src, worker->count) : worker->index;
    }
    if (balance_service_of(balance, &packet->key, packet->key_proto) != SL_BALANCE_NONE)
        return balance_owner(&src, worker->count);
    if (past_member || !balance_filter_has(balance, &src) ||
        !balance_endpoint_find(balance, &src, packet->key.sport))
        return SL_BALANCE_NONE;
    return balance_is_source(balance, &dst) ? balance_port_owner(packet->key.dport, worker->count)
                                            : balance_owner(&dst, worker->count);
}

// An ICMP error's key is that of the flow's packets that travel its way, so it is steered as they are.
static uint32_t owner_of_packet(const struct worker *worker, const struct burst *burst,
                                const struct packet *packet)
{
    const struct balance_binding *balance = worker->tables->balance_binding;
    uint32_t owner = balance ? owner_balanced(worker, balance, packet, burst->hops & STEER_PAST_MEMBER)
                             : SL_BALANCE_NONE;

    return owner != SL_BALANCE_NONE ? owner : steer_owner_nat(worker, &packet->key, packet->key_proto);
}

// Fragments of datagrams that are merely routed stay as they are. Of IPv6 exactly, because there a router may not cut.
static bool concerns_us(const struct worker *worker, const struct packet *packet)
{
    const struct nat_binding *binding = worker->tables->nat_binding;

    const struct balance_binding *balance = worker->tables->balance_binding;

    if (balance && balance_concerns(balance, &packet->key) &&
        (packet->flags & PACKET_V4 || balance_has_ends(balance, &packet->key)))
        return true;
    if (binding->table == NULL || packet->flags & PACKET_V6)
        return false;
    return nat_address_find(binding, packet->key.dst.w[3]) ||
           nat_address_find(binding, packet->key.src.w[3]) ||
           nat_source_find(binding, packet->key.src.w[3], UINT16_MAX);
}

static void hand_to(struct worker *worker, struct packet *packet, uint32_t owner, uint8_t hops)
{
    if ((hops & ~(STEER_PAST_MEMBER | STEER_TO_ENDPOINT)) > STEER_HOPS) {
        packet_drop(worker, packet, SL_DROP_steer_loop);
        return;
    }
    *handover_of(packet->m) = (struct handover){
        .kind = HANDOVER_STEER,
        .hops = hops,
        .port_in = packet->port_in,
    };
    if (rte_ring_enqueue(worker->steer_out[owner], packet->m) != 0) {
        packet_drop(worker, packet, SL_DROP_steer_queue_full);
        return;
    }
    worker_count(worker, SL_COUNTER_steer_out, 1);
    packet->m = NULL;
    packet->stage = PACKET_GONE;
}

void steer_to(struct worker *worker, const struct burst *burst, struct packet *packet, uint32_t owner)
{
    hand_to(worker, packet, owner, (uint8_t)(burst->hops + 1));
}

void steer_past_member(struct worker *worker, const struct burst *burst, struct packet *packet,
                       uint32_t owner)
{
    hand_to(worker, packet, owner,
            burst->hops | STEER_PAST_MEMBER); // does not happen twice, so it is not counted
}

void steer_to_endpoint(struct worker *worker, const struct burst *burst, struct packet *packet,
                       uint32_t owner)
{
    hand_to(worker, packet, owner, (uint8_t)((burst->hops + 1) | STEER_TO_ENDPOINT));
}

// IPv6: source, destination and identification (RFC 8200 section 4.5).
static uint32_t owner_of_fragment_v6(const struct worker *worker, const struct packet *packet)
{
    const uint8_t *ip = rte_pktmbuf_mtod_offset(packet->m, const uint8_t *, packet->l3_off);
    struct sl_ip src = packet->key.src, dst = packet->key.dst;
    struct sl_ip_view view;

    if (sl_ipv6_view(ip, packet->m->data_len - packet->l3_off, packet->m->pkt_len - packet->l3_off, &view) !=
        SL_WIRE_OK)
        return worker->index;
    const struct sl_ipv6_fragment *fragment = (const struct sl_ipv6_fragment *)(ip + view.fragment_header);
    uint64_t mixed = sl_hash_fold(src.q[0] ^ dst.q[1], src.q[1] ^ __builtin_bswap64(dst.q[0]));
    return sl_hash_scale(sl_hash_fold(mixed ^ 0x9e3779b97f4a7c15u, fragment->id | 0xd6e8feb800000000u),
                         worker->count);
}

// One worker for all fragments of a datagram (RFC 791: source, destination, protocol and identification name it).
uint32_t steer_owner_fragment(const struct worker *worker, const struct packet *packet)
{
    const struct sl_ipv4 *ip = rte_pktmbuf_mtod_offset(packet->m, const struct sl_ipv4 *, packet->l3_off);

    if (worker->count == 1)
        return worker->index;
    if (packet->flags & PACKET_V6)
        return owner_of_fragment_v6(worker, packet);
    return nat_owner(ip->src ^ __builtin_bswap32(ip->dst) ^ (uint32_t)ip->id << 8 ^ ip->proto, worker->count);
}

// True: the packet is whole and still here.
static bool fragment_gather(struct worker *worker, struct burst *burst, struct packet *packet)
{
    uint32_t owner = steer_owner_fragment(worker, packet);

    if (owner != worker->index) {
        steer_to(worker, burst, packet, owner);
        return false;
    }
    return fragment_reassemble(worker, burst, packet);
}

// Needs no session; what parse foresaw of one is forgotten.
static void pass(struct burst *burst, struct packet *packet)
{
    packet->flow = FLOW_NONE;
    packet_to(burst, packet, PACKET_ROUTE);
}

static inline void steer_one(struct worker *worker, struct burst *burst, struct packet *packet)
{
    bool fragment = packet->flags & PACKET_FRAGMENT;

    if (unlikely(!may_be_translated(packet) || (fragment && !concerns_us(worker, packet)))) {
        pass(burst, packet);
        return;
    }
    if (unlikely(fragment) && !fragment_gather(worker, burst, packet))
        return;
    if (worker->count > 1) {
        uint32_t owner = owner_of_packet(worker, burst, packet);
        if (owner != worker->index) {
            steer_to(worker, burst, packet, owner);
            return;
        }
    }
    packet->stage = PACKET_FLOW;
}

static void pass_all(struct burst *burst)
{
    for (uint16_t i = 0; i < burst->count; i++)
        if (burst->packet[i].stage == PACKET_STEER)
            pass(burst, &burst->packet[i]);
}

// Something that has flows.
static bool is_configured(const struct tables *tables)
{
    return tables->nat_binding != NULL &&
           (tables->nat_binding->table != NULL || tables->balance_binding != NULL);
}

bool steer_needless(const struct worker *worker)
{
    return worker->count == 1 && is_configured(worker->tables);
}

void steer_stage(struct worker *worker, struct burst *burst)
{
    if (!is_configured(worker->tables) || burst->hops & STEER_TO_ENDPOINT) {
        pass_all(burst);
        return;
    }
    for (uint16_t i = 0; i < burst->count; i++)
        if (burst->packet[i].stage == PACKET_STEER)
            steer_one(worker, burst, &burst->packet[i]);
    burst->stages |= 1u << PACKET_FLOW;
}
