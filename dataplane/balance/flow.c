// SPDX-License-Identifier: Apache-2.0
// What becomes of balanced flows: counted from their making to their end, kept while the tables have their member, cut
// where the operator or the pool's policy says so. On the worker's thread, but for balance_flow_matches().
#include "balance/flow.h"

#include "balance/affinity.h"
#include "balance/least.h"
#include "balance/reset.h"
#include "flow/end.h"
#include "wire/headers.h"

#define SYNS_UNANSWERED 3 // so many tell that nobody is there; a single one may have been lost

// ---- counting -----------------------------------------------------------------------------------------------
void balance_flow_counted(struct balance *balance, uint32_t mapping)
{
    balance_service_count(balance, SL_FLOW_SERVICE(mapping))->flows_now++;
    balance_member_count(balance, SL_FLOW_MEMBER(mapping))->flows_now++;
}

static void uncount(const struct worker *worker, uint32_t mapping)
{
    balance_service_count(worker->balance, SL_FLOW_SERVICE(mapping))->flows_now--;
    balance_member_count(worker->balance, SL_FLOW_MEMBER(mapping))->flows_now--;
    if (worker->tables)
        balance_load_changed(worker->balance, worker->tables->balance_binding, SL_FLOW_MEMBER(mapping));
}

// True where answers to the flow's packets come through the gateway.
static bool is_answered_here(const struct worker *worker, uint32_t mapping)
{
    const struct sl_balance_table *table = worker->tables->balance;
    const struct sl_balance_member *member =
        table ? sl_balance_member_by_slot(table, SL_FLOW_MEMBER(mapping)) : NULL;

    return member != NULL && sl_balance_pools(table)[member->pool].way <= SL_BALANCE_FULL_NAT;
}

void balance_flow_ended(struct worker *worker, const struct sl_flow *flow)
{
    struct balance *balance = worker->balance;
    bool told = flow->proto == IPPROTO_TCP && flow->packets0 >= SYNS_UNANSWERED;

    if (flow->flags & SL_FLOW_CUT)
        return;
    uncount(worker, flow->mapping);
    balance_clients_ended(worker, flow);
    if (flow->packets1 == 0 && !told && is_answered_here(worker, flow->mapping))
        balance_member_count(balance, SL_FLOW_MEMBER(flow->mapping))->unanswered++;
}

// ---- tables and members change ------------------------------------------------------------------------------
bool balance_flow_matches(const struct sl_balance_table *table, const struct sl_flow *flow)
{
    const struct sl_balance_service *service =
        sl_balance_service_by_slot(table, SL_FLOW_SERVICE(flow->mapping));
    const struct sl_balance_member *member = sl_balance_member_by_slot(table, SL_FLOW_MEMBER(flow->mapping));
    struct sl_ip to = flow->key0.dst, from = flow->key1.src;
    bool ports = flow->proto == IPPROTO_TCP || flow->proto == IPPROTO_UDP;

    if (service == NULL || member == NULL || !sl_ip_equal(&member->ip, &from) ||
        (ports && member->port != 0 && sl_host16(flow->key1.sport) != member->port))
        return false;
    bool has_port = flow->proto != IPPROTO_ICMP && flow->proto != IPPROTO_ICMPV6;
    uint16_t port = has_port ? sl_host16(flow->key0.dport) : 0;
    return sl_balance_service_find(table, &to, flow->proto, port) != SL_BALANCE_NONE;
}

// A connection whose member is taken away: shorter lived, and no longer counted. False: no connection, it just ends.
static bool cut(struct worker *worker, uint32_t index)
{
    struct sl_flow *flow = &worker->flows->entry[index];

    if (flow->flags & SL_FLOW_CUT)
        return true;
    balance_member_count(worker->balance, SL_FLOW_MEMBER(flow->mapping))->moved++;
    if (flow->proto != IPPROTO_TCP)
        return false;
    uncount(worker, flow->mapping);
    balance_clients_ended(worker, flow);
    flow->flags |= SL_FLOW_CUT;
    flow->state = SL_FLOW_CLOSING;
    flow_rearm(worker->flows, index, worker->now_ms);
    return true;
}

// The member is down: what the pool says.
static bool survives(struct worker *worker, uint32_t index, enum sl_balance_on_down on_down)
{
    switch (on_down) {
    case SL_BALANCE_RESET:
        return cut(worker, index);
    case SL_BALANCE_MOVE: // its next packet opens a flow to another member
        balance_member_count(worker->balance, SL_FLOW_MEMBER(worker->flows->entry[index].mapping))->moved++;
        return false;
    default:
        return true;
    }
}

bool balance_flow_fits(struct worker *worker, uint32_t index)
{
    const struct sl_balance_table *table = worker->tables->balance;
    const struct sl_flow *flow = &worker->flows->entry[index];

    if (table == NULL || !balance_flow_matches(table, flow))
        return false;
    const struct sl_balance_member *member = sl_balance_member_by_slot(table, SL_FLOW_MEMBER(flow->mapping));
    switch (sl_balance_word_state(sl_balance_word(member))) {
    case SL_BALANCE_DOWN:
        return survives(worker, index,
                        (enum sl_balance_on_down)sl_balance_pools(table)[member->pool].on_down);
    case SL_BALANCE_FLUSH:
        return cut(worker, index);
    default:
        return true;
    }
}

static void timeouts_take(struct flow_table *flows, const struct tables *tables)
{
    const struct balance_binding *binding = tables->balance_binding;

    flows->service_timeout_ms = binding ? (const uint32_t(*)[SL_FLOW_STATES])binding->timeout_ms : NULL;
    flows->service_slots = binding ? tables->balance->service_slots : 0;
}

void balance_tables_taken(struct worker *worker, const struct tables *old_tables)
{
    const struct sl_balance_table *table = worker->tables->balance,
                                  *old = old_tables ? old_tables->balance : NULL;

    if (worker->flows == NULL)
        return;
    timeouts_take(worker->flows, worker->tables);
    balance_blocks_take(worker->balance);
    if ((table ? table->segment.serial : 0) == (old ? old->segment.serial : 0))
        return;
    worker->flows->sweep_rearm = true; // timeouts may be shorter now
    worker->flows->sweep_left = worker->flows->capacity;
}

// A sweep that is under way is let through: started over and over, it would never come to its end.
void balance_watch(struct worker *worker)
{
    const struct sl_balance_table *table = worker->tables->balance;
    struct balance *balance = worker->balance;

    if (table == NULL)
        return;
    uint64_t epoch = __atomic_load_n(&table->sweep_epoch, __ATOMIC_ACQUIRE);
    if (likely(epoch == balance->swept_epoch && table->segment.serial == balance->swept_serial))
        return;
    if (worker->flows->sweep_left > 0)
        return;
    balance->swept_epoch = epoch;
    balance->swept_serial = table->segment.serial;
    worker->flows->sweep_left = worker->flows->capacity;
}

// ---- packets ------------------------------------------------------------------------------------------------
// A packet of a cut flow: both ends are told. Its own resets go through, and a new connection is none of its business.
enum balance_admission balance_admit_cut(struct worker *worker, struct burst *burst, struct packet *packet,
                                         const struct sl_flow *flow, uint32_t direction)
{
    if (packet->flags & PACKET_ICMP_ERROR || packet->tcp_flags & SL_TCP_RST)
        return BALANCE_PASS;
    if (direction == 0 && packet->flags & PACKET_SYN)
        return BALANCE_REOPEN;
    balance_reset_both(worker, burst, packet, flow, direction);
    return BALANCE_GONE;
}

void balance_first_answer(const struct balance *balance, const struct packet *packet, uint32_t mapping)
{
    struct sl_balance_member_counters *member = balance_member_count(balance, SL_FLOW_MEMBER(mapping));

    if (packet->tcp_flags & SL_TCP_RST)
        member->resets++;
    else
        member->answered++;
}

void balance_syn_again(const struct balance *balance, const struct sl_flow *flow)
{
    if (flow->packets1 == 0 && flow->packets0 == SYNS_UNANSWERED - 1)
        balance_member_count(balance, SL_FLOW_MEMBER(flow->mapping))->unanswered++;
}
