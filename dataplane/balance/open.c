// SPDX-License-Identifier: Apache-2.0
// A packet to a service without a flow, in the order in which it is judged:
//
//     an ICMP error about a tunnel       taken up by path.c
//     an ICMP error                      to the member that its quoted packet's hash names, where the pool goes by hash
//     of a client whom NAT would hide    its source is translated first, then as if from outside (nat/open.c)
//     TCP in the midst of a connection   where the hash says: a flow that another gateway had, or a lost table
//     over a limit                       dropped, or sent where the hash says without a flow
//     anything else                      the pool's method chooses a member; a flow is made
//
// On the worker's thread.
#include "balance/open.h"

#include <errno.h>
#include "balance/affinity.h"
#include "balance/flow.h"
#include "balance/least.h"
#include "balance/limit.h"
#include "balance/method.h"
#include "balance/path.h"
#include "balance/reset.h"
#include "balance/stateless.h"
#include "balance/way.h"
#include "flow/end.h"
#include "nat/open.h"
#include "steer/steer.h"
#include "wire/headers.h"
#include "wire/l4.h"

#define CONFLICTS 4 // members that are tried where a client's port is taken at one

struct opening {
    struct worker *worker;
    struct burst *burst;
    struct packet *packet;
    const struct sl_balance_service *service;
    const struct sl_balance_pool *pool;
    const struct sl_flow_key *key;
    uint32_t hash;
    bool turned;
};

static uint32_t drop(struct opening *o, enum sl_drop reason)
{
    packet_drop(o->worker, o->packet, reason);
    return FLOW_NONE;
}

static struct sl_balance_service_counters *count(const struct opening *o)
{
    return balance_service_count(o->worker->balance, o->service->slot);
}

static uint32_t without_flow(struct opening *o, enum sl_drop reason)
{
    balance_without_flow(o->worker, o->burst, o->packet, o->service, o->key, reason);
    return FLOW_NONE;
}

static bool goes_by_hash(const struct opening *o)
{
    return balance_method_of(o->pool)->hashes;
}

// ---- the member ---------------------------------------------------------------------------------------------
static const struct sl_balance_member *member_choose(const struct opening *o, uint32_t again)
{
    return balance_choose(o->worker->balance, o->worker->tables->balance_binding, o->pool, o->key,
                          o->packet->key_proto, again);
}

// The one its client had, where that may have more.
static const struct sl_balance_member *member_again(const struct opening *o)
{
    struct sl_ip client = o->key->src;
    const struct sl_balance_member *member = balance_clients_find(o->worker, o->service, &client);
    const struct balance_choice choice = {.balance = o->worker->balance, .client = client};

    if (member == NULL || !balance_member_takes(&choice, member))
        return NULL;
    count(o)->affinity_hits++;
    return member;
}

static const struct sl_balance_member *member_of(const struct opening *o)
{
    const struct sl_balance_member *again = o->service->affinity_s ? member_again(o) : NULL;

    return again ? again : member_choose(o, 0);
}

// Nobody is eligible: said at once, so that the client tries elsewhere instead of waiting.
static uint32_t nobody(struct opening *o)
{
    struct packet *packet = o->packet;
    bool v4 = packet->flags & PACKET_V4;
    uint8_t code = packet->flags & PACKET_UDP ? (v4 ? 3 : 4) : (v4 ? 1 : 3); // port, or host

    count(o)->no_member++;
    if (packet->flags & PACKET_TCP)
        balance_reset(o->worker, o->burst, packet, SL_DROP_balance_no_member);
    else
        packet_reject(o->burst, packet, SL_DROP_balance_no_member,
                      v4 ? SL_ICMP_UNREACHABLE : SL_ICMP6_UNREACHABLE, code, 0);
    return FLOW_NONE;
}

// ---- the flow -----------------------------------------------------------------------------------------------
// Where the client is an outside address of ours, it is someone inside whom NAT hides: answers are turned around.
static bool is_hairpin(const struct opening *o)
{
    struct sl_ip client = o->key->src;

    return sl_ip_is_v4(&client) && nat_is_outside(o->worker, client.w[3]);
}

static struct flow_new flow_to(const struct opening *o, const struct sl_balance_member *member,
                               enum sl_flow_state state)
{
    struct flow_new new = {
        .key = {*o->key, balance_answer_key(o->packet->key_proto, o->key, member)},
        .hash = {o->hash},
        .proto = o->packet->key_proto,
        .kind = SL_FLOW_BALANCE,
        .state = (uint8_t)state,
        .flags = SL_FLOW_INBOUND,
        .mapping = SL_FLOW_MAPPING(o->service->slot, member->slot),
    };

    if (is_hairpin(o))
        new.flags |= SL_FLOW_HAIRPIN;
    if (o->packet->flags & PACKET_TCP)
        new.flags |= state == SL_FLOW_ESTABLISHED ? SL_FLOW_SYN_0 | SL_FLOW_SYN_1 : SL_FLOW_SYN_0;
    return new;
}

// The client's port is taken at the member by a connection to another of its addresses. Where that one is over, what is
// left of it makes room, as it does for a new connection to its own address: true.
static bool makes_room(struct opening *o, const struct flow_new *new)
{
    struct flow_table *flows = o->worker->flows;
    uint32_t ref = flow_find(flows, &new->key[1], new->proto, new->hash[1]);

    if (ref == FLOW_NONE || !(o->packet->flags & PACKET_SYN))
        return false;
    const struct sl_flow *flow = &flows->entry[ref >> 1];
    if (flow->kind != SL_FLOW_BALANCE || !(flow->flags & SL_FLOW_CUT || balance_is_over(flow)))
        return false;
    nat_flow_forget(o->burst, ref >> 1);
    flow_end(o->worker, ref >> 1, SL_COUNTER_flow_withdrawn);
    return true;
}

// The flow's index, -EEXIST: the member has a flow with this client's port already, -ENOSPC.
static int64_t flow_make(struct opening *o, const struct sl_balance_member *member, enum sl_flow_state state)
{
    struct flow_table *flows = o->worker->flows;
    struct flow_new new = flow_to(o, member, state);
    int code = balance_way_prepare(o->worker, o->pool, &new);

    if (code != 0)
        return code;
    new.hash[1] = flow_hash(flows, &new.key[1], new.proto);
    int64_t index = flow_create(flows, &new, o->worker->now_ms);
    return index == -EEXIST && makes_room(o, &new) ? flow_create(flows, &new, o->worker->now_ms) : index;
}

static uint32_t made(struct opening *o, const struct sl_balance_member *member, uint32_t index)
{
    struct balance *balance = o->worker->balance;
    struct sl_ip client = o->key->src;

    worker_count(o->worker, SL_COUNTER_flow_created, 1);
    count(o)->flows_new++;
    balance_member_count(balance, member->slot)->flows_new++;
    balance_flow_counted(balance, o->worker->flows->entry[index].mapping);
    balance_load_changed(balance, o->worker->tables->balance_binding, member->slot);
    if (o->service->affinity_s)
        balance_clients_began(o->worker, o->service, &client, member->slot);
    return index << 1;
}

static uint32_t full(struct opening *o)
{
    count(o)->table_full++;
    if (o->service->flags & SL_BALANCE_FULL_STATELESS)
        return without_flow(o, SL_DROP_flow_table_full);
    return drop(o, SL_DROP_flow_table_full);
}

static uint32_t flow_open(struct opening *o, enum sl_flow_state state)
{
    int64_t index = -EEXIST;

    if (!nat_room_make(o->worker, o->burst))
        return full(o);
    const struct sl_balance_member *member = member_of(o), *before = NULL;
    for (int tries = 0; tries < CONFLICTS && member != NULL && member != before; tries++) {
        index = flow_make(o, member, state);
        if (likely(index >= 0))
            return made(o, member, (uint32_t)index);
        if (index == -EPROTONOSUPPORT)
            return drop(o, SL_DROP_nat_protocol);
        if (index != -EEXIST)
            break;
        before = member;
        member = member_choose(o, (uint32_t)tries + 1);
    }
    if (index == -EEXIST)
        return member == NULL && before == NULL ? nobody(o) : drop(o, SL_DROP_nat_conflict);
    return full(o);
}

// ---- judging ------------------------------------------------------------------------------------------------
// A connection that this gateway does not know: from another gateway, or older than a lost table. Where the choice is
// by hash, its member is known all the same; also where members share what they know of connections.
static uint32_t mid_stream(struct opening *o)
{
    if (o->packet->flags & PACKET_SYN || o->packet->tcp_flags & SL_TCP_SYN) // SYN and ACK: nobody called
        return drop(o, SL_DROP_flow_mid_stream);
    if (!goes_by_hash(o) && o->pool->on_down != SL_BALANCE_MOVE) {
        balance_reset(o->worker, o->burst, o->packet, SL_DROP_flow_mid_stream);
        return FLOW_NONE;
    }
    if (o->packet->tcp_flags & SL_TCP_RST) // it ends what no flow need be made for
        return without_flow(o, SL_DROP_flow_mid_stream);
    return flow_open(o, SL_FLOW_ESTABLISHED);
}

// Over a limit, SL_DROP_none: not. Counts.
static enum sl_drop limited(struct opening *o)
{
    struct sl_ip client = o->key->src;

    if (!balance_source_take(o->worker->balance, o->service, &client, o->worker->now_ms)) {
        count(o)->source_limited++;
        return SL_DROP_balance_source_limited;
    }
    if (!balance_rate_take(o->worker->balance, o->service, o->worker->now_ms)) {
        count(o)->rate_limited++;
        return SL_DROP_balance_rate_limited;
    }
    return SL_DROP_none;
}

static bool is_query(const struct packet *packet)
{
    const struct sl_icmp *icmp = rte_pktmbuf_mtod_offset(packet->m, const struct sl_icmp *, packet->l4_off);

    return packet->flags & PACKET_V4
               ? icmp->type != SL_ICMP_ECHO_REPLY && icmp->type != SL_ICMP_TIMESTAMP_REPLY
               : icmp->type == SL_ICMP6_ECHO;
}

static uint32_t open_for(struct opening *o)
{
    const struct packet *packet = o->packet;

    if (packet->flags & PACKET_ICMP_ERROR && packet->key_proto == SL_PROTO_FRAGMENT) // hashed with its ports
        return drop(o, SL_DROP_nat_icmp_unmatched);
    if (packet->flags & PACKET_ICMP_ERROR)
        return without_flow(o, SL_DROP_nat_icmp_unmatched);
    if (!o->turned && packet->flags & PACKET_V4 && nat_hides(o->worker, o->key->src.w[3]))
        return nat_open_hidden(o->worker, o->burst, o->packet, o->key, o->hash);
    if (packet->flags & PACKET_ICMP_QUERY && !is_query(packet))
        return drop(o, SL_DROP_nat_icmp_unmatched);
    enum sl_drop over =
        packet->flags & PACKET_TCP && packet->tcp_flags & SL_TCP_RST ? SL_DROP_none : limited(o);
    if (over != SL_DROP_none)
        return o->service->flags & SL_BALANCE_FLOOD_STATELESS ? without_flow(o, over) : drop(o, over);
    if (packet->flags & PACKET_TCP && !(packet->flags & PACKET_SYN))
        return mid_stream(o);
    return flow_open(o, SL_FLOW_NEW);
}

// From a member, to no flow: an answer to a packet that was balanced without one, or the member's own affair, which is
// with the worker that NAT would have it on.
static bool from_member(struct worker *worker, struct burst *burst, struct packet *packet,
                        const struct sl_flow_key *key)
{
    const struct balance_binding *binding = worker->tables->balance_binding;
    struct sl_ip src = key->src;
    const struct balance_endpoint *endpoint = balance_endpoint_find(binding, &src, key->sport);

    if (endpoint == NULL || burst->hops & STEER_PAST_MEMBER)
        return false;
    if (balance_answer_without_flow(worker, burst, packet, endpoint, key))
        return true;
    if (worker->count == 1)
        return false;
    uint32_t owner = steer_owner_nat(worker, key, packet->key_proto);
    if (owner == worker->index)
        return false;
    steer_past_member(worker, burst, packet, owner);
    return true;
}

bool balance_open(struct worker *worker, struct burst *burst, struct packet *packet,
                  const struct sl_flow_key *key, uint32_t hash, bool turned, uint32_t *ref)
{
    const struct balance_binding *binding = worker->tables->balance_binding;
    uint32_t index = balance_service_of(binding, key, packet->key_proto);

    *ref = FLOW_NONE;
    if (index == SL_BALANCE_NONE && unlikely(binding->one_way)) {
        if (balance_path_heard(worker, burst, packet))
            return true;
        if (packet->tcp_flags & SL_TCP_SYN)
            balance_way_clamp(worker, packet);
    }
    if (index == SL_BALANCE_NONE)
        return !turned && from_member(worker, burst, packet, key);
    const struct sl_balance_service *service = &sl_balance_services(binding->table)[index];
    struct opening o = {
        .worker = worker,
        .burst = burst,
        .packet = packet,
        .service = service,
        .pool = &sl_balance_pools(binding->table)[service->pool],
        .key = key,
        .hash = hash,
        .turned = turned,
    };
    *ref = open_for(&o);
    return true;
}
