// SPDX-License-Identifier: Apache-2.0
// Taking over the entries of an earlier process, which may have been killed between any two stores: an entry is
// believed only where all of it fits together. Called when a table is opened, on the main thread.
#include "flow/adopt.h"

// By value: a key is packed.
static bool same_address(struct sl_ip a, struct sl_ip b)
{
    return sl_ip_equal(&a, &b);
}

static bool remote_agrees(const struct sl_flow *flow)
{
    bool ports =
        flow->proto != IPPROTO_ICMP; // of ICMP queries both ports are the identifier, which is translated

    if (flow->flags & SL_FLOW_INBOUND)
        return same_address(flow->key0.src, flow->key1.dst) &&
               (!ports || flow->key0.sport == flow->key1.dport);
    return same_address(flow->key0.dst, flow->key1.src) && (!ports || flow->key0.dport == flow->key1.sport);
}

static bool key_plausible(const struct sl_flow_key *key)
{
    struct sl_ip src = key->src, dst = key->dst;

    return sl_ip_is_v4(&src) && sl_ip_is_v4(&dst);
}

// Members in tunnels may be of another family, and with full NAT the remote end is another in answers: no more can be
// compared here; whether service and member are as the flow says is seen when there is a generation.
static bool balance_valid(const struct sl_flow *flow)
{
    struct sl_ip end[] = {flow->key0.src, flow->key0.dst};

    return flow->flags & SL_FLOW_INBOUND && flow->mapping != FLOW_NONE && flow->state < SL_FLOW_STATES &&
           sl_ip_is_v4(&end[0]) == sl_ip_is_v4(&end[1]);
}

static bool proto_fits(const struct sl_flow *flow)
{
    bool stream = flow->proto == IPPROTO_TCP || flow->proto == IPPROTO_UDP;

    switch (flow->kind) {
    case SL_FLOW_NAT_SOURCE:
        return stream || flow->proto == IPPROTO_ICMP;
    case SL_FLOW_NAT_FORWARD:
        return stream && (flow->flags & SL_FLOW_INBOUND);
    default:
        return true;
    }
}

bool flow_entry_valid(const struct sl_flow *flow)
{
    if (flow->kind == SL_FLOW_BALANCE)
        return balance_valid(flow);
    return flow->kind != SL_FLOW_FREE && flow->kind < SL_FLOW_KINDS && flow->state < SL_FLOW_STATES &&
           proto_fits(flow) && key_plausible(&flow->key0) && key_plausible(&flow->key1) &&
           remote_agrees(flow);
}

// Indexes and arms one entry. False where another has one of its keys already.
static bool entry_adopt(struct flow_table *table, uint32_t entry)
{
    struct sl_flow *flow = &table->entry[entry];
    const uint32_t hash[2] = {flow_hash(table, &flow->key0, flow->proto),
                              flow_hash(table, &flow->key1, flow->proto)};

    if (flow_find(table, &flow->key0, flow->proto, hash[0]) != FLOW_NONE ||
        flow_find(table, &flow->key1, flow->proto, hash[1]) != FLOW_NONE ||
        flow_index_insert(&table->index, hash[0], entry << 1) != 0)
        return false;
    if (flow_index_insert(&table->index, hash[1], entry << 1 | 1) != 0) {
        flow_index_remove(&table->index, hash[0], entry << 1);
        return false;
    }
    if (flow->kind != SL_FLOW_BALANCE)
        flow->mapping = FLOW_NONE;
    flow->route_epoch = 0;
    flow->wheel_prev = flow->wheel_next = FLOW_WHEEL_NONE;
    flow_rearm(table, entry, table->wheel.last_ms);
    return true;
}

uint32_t flow_table_adopt(struct flow_table *table)
{
    table->spare_count = 0;
    for (uint32_t left = table->capacity; left > 0; left--) { // downwards: low entries are used first
        struct sl_flow *flow = &table->entry[left - 1];
        if (flow_entry_valid(flow) && entry_adopt(table, left - 1))
            continue;
        flow->kind = SL_FLOW_FREE;
        table->spare[table->spare_count++] = left - 1;
    }
    table->adopted = table->capacity - table->spare_count;
    return table->adopted;
}
