// SPDX-License-Identifier: Apache-2.0
// A packet without a flow. The order in which it is judged is the order of this file:
//
//     to an outside address of ours, from outside:  1:1, port forward, mapping (if its filtering lets it in)
//     to an outside address of ours, from inside:   its source is translated first, then as above (hairpinning)
//     from an inside address on its way out:        1:1, source rule
//     anything else:                                routed as it is
//
// On the worker's thread.
#include "nat/open.h"

#include <errno.h>
#include "flow/end.h"
#include "icmp/icmp.h"
#include "nat/lifecycle.h"
#include "route/route.h"
#include "wire/headers.h"

struct opening {
    struct worker *worker;
    struct burst *burst;
    struct packet *packet;
    const struct nat_binding *binding;
    const struct sl_flow_key *key;
    uint32_t hash;
    const struct nat_address *from, *to; // what source and destination are, NULL: nothing of ours
    bool turned;
};

static uint32_t drop(struct opening *o, enum sl_drop reason)
{
    packet_drop(o->worker, o->packet, reason);
    return FLOW_NONE;
}

static uint32_t pass(struct opening *o)
{
    packet_to(o->burst, o->packet, PACKET_ROUTE);
    return FLOW_NONE;
}

// No mapping to be had: the sender is told (RFC 6888 REQ-8 B), as far as the rate limit goes.
static uint32_t refuse(struct opening *o, int64_t code)
{
    enum sl_drop reason = code == -EDQUOT   ? SL_DROP_nat_subscriber_limit
                          : code == -ENOSPC ? SL_DROP_nat_ports_exhausted
                                            : SL_DROP_flow_table_full;

    packet_reject(o->burst, o->packet, reason, SL_ICMP_UNREACHABLE, 1, 0);
    return FLOW_NONE;
}

// ---- making the flow ----------------------------------------------------------------------------------------
// Packets of this burst that belong to a flow which has just been evicted: those still to be translated look again,
// those on their way to be routed must not leave their next hop with whatever flow takes the entry next.
void nat_flow_forget(struct burst *burst, uint32_t index)
{
    for (uint16_t i = 0; i < burst->count; i++)
        if (burst->packet[i].flow >> 1 == index)
            burst->packet[i].flow = FLOW_NONE;
}

bool nat_room_make(struct worker *worker, struct burst *burst)
{
    struct flow_table *flows = worker->flows;

    if (likely(flows->spare_count > 0))
        return true;
    uint32_t victim = flow_evictable(flows, worker->now_ms);
    if (victim == FLOW_NONE)
        return false;
    nat_flow_forget(burst, victim);
    flow_end(worker, victim, SL_COUNTER_flow_evicted);
    return true;
}

// RFC 5382: only a SYN opens a connection. A segment in its midst, which a restart or a time-out has cut off from
// its flow, would get another outside port than its peer knows: dropped from inside as from outside.
static bool opens(const struct packet *packet)
{
    return !(packet->flags & PACKET_TCP) || (packet->flags & PACKET_SYN);
}

// A query, not a reply to one that nobody asked.
static bool icmp_asks(const struct packet *packet)
{
    const struct sl_icmp *icmp = rte_pktmbuf_mtod_offset(packet->m, const struct sl_icmp *, packet->l4_off);

    return icmp->type == SL_ICMP_ECHO || icmp->type == SL_ICMP_TIMESTAMP || icmp->type == 15 ||
           icmp->type == 17;
}

// Why the packet cannot open a flow, SL_DROP_none: it can, and there is room for it.
static enum sl_drop cannot_open(struct opening *o)
{
    if (!opens(o->packet))
        return SL_DROP_flow_mid_stream;
    if ((o->packet->flags & PACKET_ICMP_QUERY) && !icmp_asks(o->packet))
        return SL_DROP_nat_icmp_unmatched;
    return nat_room_make(o->worker, o->burst) ? SL_DROP_none : SL_DROP_flow_table_full;
}

static uint32_t create(struct opening *o, struct flow_new *new)
{
    struct flow_table *flows = o->worker->flows;

    new->key[0] = *o->key;
    new->hash[0] = o->hash;
    new->hash[1] = flow_hash(flows, &new->key[1], new->proto);
    new->state = SL_FLOW_NEW;
    new->flags |= o->packet->flags &PACKET_SYN ? SL_FLOW_SYN_0 : 0;
    int64_t index = flow_create(flows, new, o->worker->now_ms);
    if (index < 0)
        return drop(o, index == -EEXIST ? SL_DROP_nat_conflict : SL_DROP_flow_table_full);
    worker_count(o->worker, SL_COUNTER_flow_created, 1);
    return (uint32_t)index << 1;
}

// A flow whose mapping has been found or made; a mapping made for nothing goes back.
static uint32_t create_mapped(struct opening *o, struct flow_new *new, bool contact)
{
    struct nat *nat = o->worker->nat;
    sl_be32 remote = o->key->dst.w[3];

    nat->mapping[new->mapping].flows++;
    if (contact && nat_contact_add(nat, new->mapping, remote))
        new->flags |= SL_FLOW_CONTACT;
    uint32_t flow = create(o, new);
    if (flow == FLOW_NONE) {
        if (new->flags & SL_FLOW_CONTACT)
            nat_contact_drop(nat, new->mapping, remote);
        nat_mapping_put(nat, new->mapping);
    }
    return flow;
}

// ---- from outside -------------------------------------------------------------------------------------------
// Where the sender is an outside address of ours, answers have to be turned around too.
static struct flow_new inbound_to(const struct opening *o, sl_be32 inside, sl_be16 port,
                                  enum sl_flow_kind kind)
{
    bool hairpin = o->from != NULL && (o->from->roles & (NAT_POOL | NAT_STATIC_OUTSIDE));
    struct flow_new new = {
        .proto = o->packet->key_proto,
        .kind = (uint8_t)kind,
        .flags = SL_FLOW_INBOUND | (hairpin ? SL_FLOW_HAIRPIN : 0),
        .mapping = NAT_NONE,
    };

    new.key[1] = (struct sl_flow_key){
        .src = sl_ip_v4(inside),
        .dst = o->key->src,
        .sport = port,
        .dport = o->key->sport,
    };
    if (o->packet->flags & PACKET_ICMP_QUERY)
        new.key[1].dport = port;
    return new;
}

static uint32_t inbound_static(struct opening *o)
{
    enum sl_drop reason = cannot_open(o);

    if (reason != SL_DROP_none)
        return drop(o, reason);
    struct flow_new new = inbound_to(o, o->to->partner, o->key->dport, SL_FLOW_NAT_STATIC);
    return create(o, &new);
}

static uint32_t inbound_forward(struct opening *o, const struct sl_nat_forward *forward)
{
    uint16_t port = (uint16_t)(forward->inside_first + (sl_host16(o->key->dport) - forward->outside_first));

    enum sl_drop reason = cannot_open(o);

    if (reason != SL_DROP_none)
        return drop(o, reason);
    struct flow_new new = inbound_to(o, forward->inside, sl_be16_of(port), SL_FLOW_NAT_FORWARD);
    return create(o, &new);
}

static bool filter_lets_in(const struct opening *o, uint32_t mapping)
{
    const struct nat_binding *binding = o->binding;

    switch (nat_pools(binding->table)[binding->address_pool[o->to->index]].filtering) {
    case SL_NAT_FILTER_ENDPOINT_INDEPENDENT:
        return true;
    case SL_NAT_FILTER_ADDRESS:
        return nat_contact_known(o->worker->nat, mapping, o->key->src.w[3]);
    default: // address and port: then there would be a flow
        return false;
    }
}

static uint32_t inbound_mapped(struct opening *o, int proto)
{
    struct nat *nat = o->worker->nat;
    uint32_t index = nat_mapping_by_outside(nat, o->key->dst.w[3], o->key->dport, (uint8_t)proto);

    if (index == NAT_NONE)
        return drop(o, SL_DROP_nat_no_mapping);
    if (!filter_lets_in(o, index))
        return drop(o, SL_DROP_nat_filtered);
    nat->mapping[index].flows++; // held: making room may end the mapping's last flow
    enum sl_drop reason = cannot_open(o);
    uint32_t flow = FLOW_NONE;
    if (reason == SL_DROP_none) {
        struct flow_new new =
            inbound_to(o, nat->mapping[index].inside, nat->mapping[index].inside_port, SL_FLOW_NAT_SOURCE);
        new.mapping = index;
        flow = create_mapped(o, &new, false);
    } else {
        drop(o, reason);
    }
    nat_mapping_put(nat, index);
    return flow;
}

// To an address of a pool, and neither 1:1 nor a forward. Pings are the gateway's to answer: an identifier from
// outside says nothing about who inside might be meant.
static uint32_t inbound_pool(struct opening *o)
{
    const struct packet *packet = o->packet;

    if (packet->flags & (PACKET_TCP | PACKET_UDP))
        return inbound_mapped(o, nat_proto_of(packet->proto));
    if (!(packet->flags & PACKET_ICMP_QUERY))
        return pass(o); // the route says that it is ours, and there it ends (local_protocol)
    const struct sl_icmp *icmp = rte_pktmbuf_mtod_offset(packet->m, const struct sl_icmp *, packet->l4_off);
    if (icmp->type != SL_ICMP_ECHO || o->turned)
        return drop(o, SL_DROP_nat_no_mapping);
    icmp_answer_echo(o->worker, o->burst, o->packet);
    return FLOW_NONE;
}

static const struct sl_nat_forward *forward_of(const struct opening *o)
{
    if (o->to == NULL || !(o->packet->flags & (PACKET_TCP | PACKET_UDP)))
        return NULL;
    return nat_forward_find(o->binding, o->to, o->packet->proto, sl_host16(o->key->dport));
}

static uint32_t inbound(struct opening *o, const struct sl_nat_forward *forward)
{
    if (o->to->roles & NAT_STATIC_OUTSIDE)
        return inbound_static(o);
    if (forward != NULL)
        return inbound_forward(o, forward);
    return inbound_pool(o);
}

// ---- from inside --------------------------------------------------------------------------------------------
static struct flow_new outbound_from(const struct opening *o, sl_be32 outside, sl_be16 port,
                                     enum sl_flow_kind kind)
{
    struct flow_new new = {.proto = o->packet->key_proto, .kind = (uint8_t)kind, .mapping = NAT_NONE};

    new.key[1] = (struct sl_flow_key){
        .src = o->key->dst,
        .dst = sl_ip_v4(outside),
        .sport = o->key->dport,
        .dport = port,
    };
    if (o->packet->flags & PACKET_ICMP_QUERY)
        new.key[1].sport = port;
    return new;
}

static uint32_t outbound_static(struct opening *o, uint8_t flags)
{
    enum sl_drop reason = cannot_open(o);

    if (reason != SL_DROP_none)
        return drop(o, reason);
    struct flow_new new = outbound_from(o, o->from->partner, o->key->sport, SL_FLOW_NAT_STATIC);
    new.flags = flags;
    return create(o, &new);
}

// The endpoint-independent mapping (RFC 4787 REQ-1), an old one or a new one.
static int64_t mapping_get(struct opening *o, const struct sl_nat_source *rule, int proto)
{
    const struct nat_want want = {
        .binding = o->binding,
        .pool = &nat_pools(o->binding->table)[rule->pool],
        .pool_id = o->binding->pool_id[rule->pool],
        .proto = (uint8_t)proto,
        .inside = o->key->src.w[3],
        .inside_port = o->key->sport,
        .now_ms = o->worker->now_ms,
    };
    uint32_t index =
        nat_mapping_by_inside(o->worker->nat, want.inside, want.inside_port, want.proto, want.pool_id);

    if (index != NAT_NONE)
        return index;
    int64_t made = nat_mapping_new(o->worker->nat, &want);
    nat_count(o->worker);
    return made;
}

static uint32_t outbound_source(struct opening *o, const struct sl_nat_source *rule, uint8_t flags)
{
    int proto = nat_proto_of(o->packet->proto);

    if (!(o->packet->flags & (PACKET_TCP | PACKET_UDP | PACKET_ICMP_QUERY)))
        return drop(o, SL_DROP_nat_protocol);
    enum sl_drop reason = cannot_open(o);
    if (reason != SL_DROP_none)
        return drop(o, reason);
    int64_t mapping = mapping_get(o, rule, proto);
    if (mapping < 0)
        return refuse(o, mapping);
    const struct nat_mapping *m = &o->worker->nat->mapping[mapping];
    struct flow_new new = outbound_from(o, m->outside, m->outside_port, SL_FLOW_NAT_SOURCE);
    new.flags = flags;
    new.mapping = (uint32_t)mapping;
    bool contact = nat_pools(o->binding->table)[rule->pool].filtering == SL_NAT_FILTER_ADDRESS;
    return create_mapped(o, &new, contact);
}

// The port by which a packet would leave, UINT16_MAX: it would not.
static uint16_t way_out(const struct opening *o)
{
    const struct tables *tables = o->worker->tables;
    struct sl_ip dst = o->key->dst;
    uint32_t hash = route_hash(o->packet, tables->route->hash_seed);
    const struct sl_nexthop *nexthop = &tables->nexthop[route_lookup_one(tables, &dst, hash)];

    return nexthop->kind == SL_NEXTHOP_GATEWAY || nexthop->kind == SL_NEXTHOP_CONNECTED ? nexthop->port
                                                                                        : UINT16_MAX;
}

// A 1:1 host is its outside address wherever source rules say "outside"; without any, everywhere but on its own
// link.
static bool static_applies(const struct opening *o, uint16_t port_out)
{
    if (o->from == NULL || !(o->from->roles & NAT_STATIC_INSIDE) || port_out >= SL_MAX_PORTS)
        return false;
    return o->binding->outside_ports ? o->binding->outside_ports >> port_out & 1
                                     : port_out != o->packet->port_in;
}

static uint32_t outbound(struct opening *o)
{
    uint16_t port_out = way_out(o);

    if (port_out == UINT16_MAX)
        return pass(o);
    if (static_applies(o, port_out))
        return outbound_static(o, 0);
    const struct sl_nat_source *rule = nat_source_find(o->binding, o->key->src.w[3], port_out);
    return rule ? outbound_source(o, rule, 0) : pass(o);
}

// From inside to an outside address of ours (RFC 4787 REQ-9): gets its own outside source first, so that the other
// end sees the external endpoint, and is then judged once more as if it came from there.
static uint32_t hairpin(struct opening *o, const struct sl_nat_source *rule)
{
    if (o->from != NULL && (o->from->roles & NAT_STATIC_INSIDE))
        return outbound_static(o, SL_FLOW_HAIRPIN);
    return outbound_source(o, rule, SL_FLOW_HAIRPIN);
}

// ---- all together -------------------------------------------------------------------------------------------
// An error about no packet of ours. It must not carry inside addresses out, nor mean anything to a pool.
static uint32_t error_unmatched(struct opening *o)
{
    sl_be32 src = rte_pktmbuf_mtod_offset(o->packet->m, const struct sl_ipv4 *, o->packet->l3_off)->src;
    const struct nat_address *from = nat_address_find(o->binding, src);
    uint16_t port_out = way_out(o); // of none: about a packet of the gateway itself
    bool inside = port_out != UINT16_MAX && ((from && (from->roles & NAT_STATIC_INSIDE)) ||
                                             nat_source_find(o->binding, src, port_out));

    if (inside || (o->to && (o->to->roles & (NAT_POOL | NAT_STATIC_OUTSIDE))))
        return drop(o, SL_DROP_nat_icmp_unmatched);
    return pass(o);
}

static struct opening opening_of(struct worker *worker, struct burst *burst, struct packet *packet,
                                 const struct sl_flow_key *key, uint32_t hash, bool turned)
{
    const struct nat_binding *binding = worker->tables->nat_binding;

    return (struct opening){
        .worker = worker,
        .burst = burst,
        .packet = packet,
        .binding = binding,
        .key = key,
        .hash = hash,
        .from = nat_address_find(binding, key->src.w[3]),
        .to = nat_address_find(binding, key->dst.w[3]),
        .turned = turned,
    };
}

uint32_t nat_open(struct worker *worker, struct burst *burst, struct packet *packet,
                  const struct sl_flow_key *key, uint32_t hash, bool turned)
{
    const struct nat_binding *binding = worker->tables->nat_binding;
    struct opening o = opening_of(worker, burst, packet, key, hash, turned);

    if (packet->flags & PACKET_ICMP_ERROR)
        return error_unmatched(&o);
    const struct sl_nat_forward *forward = forward_of(&o);
    bool ours = o.to && ((o.to->roles & (NAT_POOL | NAT_STATIC_OUTSIDE)) || forward);
    if (!ours)
        return turned ? pass(&o) : outbound(&o);
    const struct sl_nat_source *rule = turned ? NULL : nat_source_find(binding, key->src.w[3], UINT16_MAX);
    if (!turned && (rule || (o.from && (o.from->roles & NAT_STATIC_INSIDE))))
        return hairpin(&o, rule);
    return inbound(&o, forward);
}

bool nat_hides(const struct worker *worker, sl_be32 addr)
{
    const struct nat_binding *binding = worker->tables->nat_binding;

    if (worker->tables->nat == NULL)
        return false;
    const struct nat_address *address = nat_address_find(binding, addr);
    return (address && address->roles & NAT_STATIC_INSIDE) || nat_source_find(binding, addr, UINT16_MAX);
}

uint32_t nat_open_hidden(struct worker *worker, struct burst *burst, struct packet *packet,
                         const struct sl_flow_key *key, uint32_t hash)
{
    struct opening o = opening_of(worker, burst, packet, key, hash, false);

    return hairpin(&o, nat_source_find(o.binding, key->src.w[3], UINT16_MAX));
}

bool nat_is_outside(const struct worker *worker, sl_be32 addr)
{
    const struct nat_address *address =
        worker->tables->nat ? nat_address_find(worker->tables->nat_binding, addr) : NULL;

    return address != NULL && address->roles & (NAT_POOL | NAT_STATIC_OUTSIDE);
}
