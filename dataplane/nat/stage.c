// SPDX-License-Identifier: Apache-2.0
// The NAT stage: packets of known flows are translated in place and go on with the flow's cached next hop; packets
// of none are judged (open.c) and, where they open a flow, translated by it. The key of a packet stays as it
// arrived: an ICMP error about the packet is made from it. On the worker's thread.
#include "balance/family.h"
#include "balance/flow.h"
#include "balance/open.h"
#include "balance/rewrite.h"
#include "balance/toa.h"
#include "balance/way.h"
#include "flow/end.h"
#include "flow/flow.h"
#include "nat/binding.h"
#include "nat/foresee.h"
#include "nat/open.h"
#include "nat/rewrite.h"
#include "nat/state.h"
#include "nat/tcp.h"
#include "steer/steer.h"

static void translate_turned(struct worker *worker, struct burst *burst, struct packet *packet, uint32_t ref);
static void translate_new(struct worker *worker, struct burst *burst, struct packet *packet);

// The packet's addresses, ports and quote as they stand in it now.
static struct sl_flow_key key_now(const struct packet *packet, const struct sl_flow *flow, uint32_t direction)
{
    const struct sl_flow_key *to = direction ? &flow->key0 : &flow->key1;

    return (struct sl_flow_key){.src = to->dst, .dst = to->src, .sport = to->dport, .dport = to->sport};
}

// Not a known flow's: a service's to choose a member for, NAT's to judge, or merely to be routed.
static uint32_t open_flow(struct worker *worker, struct burst *burst, struct packet *packet,
                          const struct sl_flow_key *key, uint32_t hash, bool turned)
{
    const struct tables *tables = worker->tables;
    uint32_t ref = FLOW_NONE;

    if (tables->balance_binding != NULL && balance_open(worker, burst, packet, key, hash, turned, &ref))
        return ref;
    bool translates = packet->flags & PACKET_V4 && tables->nat != NULL;
    if (likely(translates && (turned || tables->port[packet->port_in].flags & SL_PORT_NAT)))
        return nat_open(worker, burst, packet, key, hash, turned);
    packet_to(burst, packet, PACKET_ROUTE);
    return FLOW_NONE;
}

// Translated and still to an outside address of ours: once more, as if it had come from outside, here or on the
// worker that owns the other end.
static __rte_noinline void turn_around(struct worker *worker, struct burst *burst, struct packet *packet,
                                       const struct sl_flow_key *key)
{
    if (key->src.w[3] == key->dst.w[3] && key->sport == key->dport) {
        packet_drop(worker, packet, SL_DROP_nat_hairpin_loop);
        return;
    }
    worker_count(worker, SL_COUNTER_nat_hairpin, 1);
    uint32_t owner = steer_owner_outside(worker, key, packet->key_proto);
    if (owner != worker->index) {
        steer_to(worker, burst, packet, owner);
        return;
    }
    uint32_t hash = flow_hash(worker->flows, key, packet->key_proto);
    uint32_t ref = flow_find(worker->flows, key, packet->key_proto, hash);
    if (ref == FLOW_NONE)
        ref = open_flow(worker, burst, packet, key, hash, true);
    if (ref != FLOW_NONE)
        translate_turned(worker, burst, packet, ref);
}

// State by what the segment says. Shorter timeouts must be armed; longer ones are found out when due.
static inline void track(struct worker *worker, const struct packet *packet, struct sl_flow *flow,
                         uint32_t ref)
{
    if (packet->flags & PACKET_TCP) {
        bool quiet = !(packet->tcp_flags & (SL_TCP_SYN | SL_TCP_FIN | SL_TCP_RST));
        if (likely(quiet && flow->state == SL_FLOW_ESTABLISHED &&
                   (flow->flags & NAT_TCP_FINS) != NAT_TCP_FINS))
            return;
        if (nat_tcp_segment(flow, ref & 1, packet->tcp_flags) && flow->state != SL_FLOW_ESTABLISHED)
            flow_rearm(worker->flows, ref >> 1, worker->now_ms);
    } else if ((ref & 1) && flow->state == SL_FLOW_NEW) {
        flow->state = SL_FLOW_ESTABLISHED;
    }
}

static inline void account(struct sl_flow *flow, uint32_t direction, uint16_t len_bytes)
{
    if (direction) {
        flow->packets1++;
        flow->bytes1 += len_bytes;
    } else {
        flow->packets0++;
        flow->bytes0 += len_bytes;
    }
}

static inline void go_on(struct worker *worker, struct burst *burst, struct packet *packet,
                         const struct sl_flow *flow, uint32_t direction)
{
    uint32_t nexthop = direction ? flow->nexthop1 : flow->nexthop0;

    if (likely(flow->route_epoch == worker->flows->route_epoch && nexthop != 0)) {
        packet->nexthop = nexthop;
        packet->port_out = worker->tables->nexthop[nexthop].port;
        packet_to(burst, packet, PACKET_NEIGHBOR);
    } else {
        packet_to(burst, packet, PACKET_ROUTE);
    }
}

// An error speaks about the flow and changes nothing of it (RFC 5508 REQ-6: nor its timer).
static __rte_noinline void translate_error(struct worker *worker, struct packet *packet,
                                           const struct sl_flow *flow, uint32_t direction)
{
    bool from_inside = direction == (flow->flags & SL_FLOW_INBOUND ? 1u : 0u);

    nat_rewrite_error(packet, direction ? &flow->key0 : &flow->key1, from_inside);
    worker_count(worker, SL_COUNTER_nat_icmp_error, 1);
}

// Where a translated packet goes next.
static inline void send_on(struct worker *worker, struct burst *burst, struct packet *packet,
                           const struct sl_flow *flow, uint32_t direction, bool turned)
{
    if (unlikely((flow->flags & SL_FLOW_HAIRPIN) && direction == (flow->flags & SL_FLOW_INBOUND ? 1u : 0u) &&
                 !turned)) {
        struct sl_flow_key key = key_now(packet, flow, direction);
        turn_around(worker, burst, packet, &key);
    } else if (unlikely(packet->flags & PACKET_ICMP_ERROR)) {
        packet_to(burst, packet, PACKET_ROUTE);
    } else {
        go_on(worker, burst, packet, flow, direction);
    }
}

// To a member that answers past the gateway: nobody sees its answers, so the client's packets alone say how the
// connection stands. False: the member is reached by translation.
static bool send_untranslated(struct worker *worker, struct burst *burst, struct packet *packet,
                              struct sl_flow *flow, uint32_t ref)
{
    const struct sl_balance_pool *pool;
    const struct sl_balance_member *member;

    if (!balance_way_is_other(worker, flow, &pool, &member))
        return false;
    if (!(packet->flags & PACKET_ICMP_ERROR)) {
        flow->flags |= packet->flags & PACKET_TCP ? SL_FLOW_SYN_1 | SL_FLOW_FIN_1 : 0;
        if (!(packet->flags & PACKET_TCP) && flow->packets0 > 0)
            flow->state = SL_FLOW_ESTABLISHED;
        track(worker, packet, flow, ref);
        flow->seen_ms = worker->now_ms;
        account(flow, 0, packet->l3_len);
    }
    balance_way_send(worker, burst, packet, pool, member);
    return true;
}

static void tell_client(struct worker *worker, struct packet *packet, const struct sl_flow *flow,
                        uint32_t direction)
{
    if (direction == 0)
        toa_add(worker, packet, flow);
    else
        toa_clamp(worker, packet, flow);
}

// To the other family (RFC 7915).
static __rte_noinline void cross(struct worker *worker, struct burst *burst, struct packet *packet,
                                 uint32_t ref, bool turned, const struct sl_flow_key *to)
{
    struct sl_flow *flow = &worker->flows->entry[ref >> 1];
    uint16_t len_bytes = packet->l3_len;
    uint32_t cached = ref & 1 ? flow->nexthop1 : flow->nexthop0;
    bool valid = flow->route_epoch == worker->flows->route_epoch;

    if (packet->flags & PACKET_ICMP_ERROR) {
        if (!family_translate_error(worker, packet, to))
            return;
        packet->flow = FLOW_NONE; // its way may be another than the flow's
        worker_count(worker, SL_COUNTER_nat_icmp_error, 1);
    } else {
        if (!family_translate(worker, burst, packet, to, valid ? cached : 0))
            return;
        packet->flow = ref;
        track(worker, packet, flow, ref);
        flow->seen_ms = worker->now_ms;
        account(flow, ref & 1, len_bytes);
        if (toa_wanted(worker, packet, flow))
            tell_client(worker, packet, flow, ref & 1);
    }
    packet->flags |= PACKET_TRANSLATED;
    send_on(worker, burst, packet, flow, ref & 1, turned);
}

static __rte_noinline void translate_balanced(struct worker *worker, struct burst *burst,
                                              struct packet *packet, uint32_t ref, bool turned)
{
    struct sl_flow *flow = &worker->flows->entry[ref >> 1];
    uint32_t direction = ref & 1;

    switch (balance_admit(worker, burst, packet, flow, direction)) {
    case BALANCE_GONE:
        return;
    case BALANCE_REOPEN:
        nat_flow_forget(burst, ref >> 1);
        flow_end(worker, ref >> 1, SL_COUNTER_flow_withdrawn);
        translate_new(worker, burst, packet);
        return;
    case BALANCE_PASS:
        break;
    }
    const struct balance_binding *binding = worker->tables->balance_binding; // NULL: its sweep is under way
    if (unlikely(binding != NULL && binding->one_way) && direction == 0 &&
        send_untranslated(worker, burst, packet, flow, ref))
        return;
    const struct sl_flow_key *to = direction ? &flow->key0 : &flow->key1;
    if (family_crosses(packet, to)) {
        cross(worker, burst, packet, ref, turned, to);
        return;
    }
    packet->flow = ref;
    packet->flags |= PACKET_TRANSLATED;
    if (unlikely(packet->flags & PACKET_ICMP_ERROR)) {
        balance_rewrite_error(packet, to, direction);
        worker_count(worker, SL_COUNTER_nat_icmp_error, 1);
        packet->flow = FLOW_NONE; // its way may be another than the flow's
    } else {
        track(worker, packet, flow, ref);
        flow->seen_ms = worker->now_ms;
        account(flow, direction, packet->l3_len);
        balance_rewrite(packet, to);
        if (unlikely(toa_wanted(worker, packet, flow)))
            tell_client(worker, packet, flow, direction);
    }
    send_on(worker, burst, packet, flow, direction, turned);
}

// `turned`: once more; a packet turns around but once.
static __rte_always_inline void translate(struct worker *worker, struct burst *burst, struct packet *packet,
                                          uint32_t ref, bool turned)
{
    struct sl_flow *flow = &worker->flows->entry[ref >> 1];
    uint32_t direction = ref & 1;

    if (flow->kind == SL_FLOW_BALANCE) {
        translate_balanced(worker, burst, packet, ref, turned);
        return;
    }
    packet->flow = ref;
    packet->flags |= PACKET_TRANSLATED;
    if (unlikely(packet->flags & PACKET_ICMP_ERROR)) {
        translate_error(worker, packet, flow, direction);
        packet->flow = FLOW_NONE; // its way may be another than the flow's
    } else {
        track(worker, packet, flow, ref);
        flow->seen_ms = worker->now_ms;
        account(flow, direction, packet->l3_len);
        nat_rewrite(packet, direction ? &flow->key0 : &flow->key1);
    }
    send_on(worker, burst, packet, flow, direction, turned);
}

static __rte_noinline void translate_turned(struct worker *worker, struct burst *burst, struct packet *packet,
                                            uint32_t ref)
{
    translate(worker, burst, packet, ref, true);
}

// Not known when the burst was looked up; an earlier packet of the burst may have opened it since.
static __rte_noinline void translate_new(struct worker *worker, struct burst *burst, struct packet *packet)
{
    uint32_t ref = flow_find(worker->flows, &packet->key, packet->key_proto, packet->hash);

    if (ref == FLOW_NONE)
        ref = open_flow(worker, burst, packet, &packet->key, packet->hash, false);
    if (ref != FLOW_NONE)
        translate(worker, burst, packet, ref, false);
}

// What cached next hops are valid for: this route table in this state. Taken before the burst's lookups, so that
// what changes meanwhile is looked up again. Never 0, which is a new flow's.
static void route_epoch_take(struct worker *worker)
{
    const struct sl_route_table *route = worker->tables->route;
    uint64_t epoch = __atomic_load_n(&route->epoch, __ATOMIC_ACQUIRE);

    worker->flows->route_epoch = (uint32_t)(route->segment.serial * 0x9e3779b1u + epoch) | 0x80000000u;
}

void nat_stage(struct worker *worker, struct burst *burst)
{
    route_epoch_take(worker);
    if (unlikely(worker->flows->missed > 1) && worker->tables->nat != NULL)
        nat_foresee(worker, burst);
    for (struct packet *packet = burst->packet, *end = burst_end(burst); packet < end; packet++) {
        if (packet->stage != PACKET_NAT)
            continue;
        if (likely(packet->flow != FLOW_NONE))
            translate(worker, burst, packet, packet->flow, false);
        else
            translate_new(worker, burst, packet);
    }
}
