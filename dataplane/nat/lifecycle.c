// SPDX-License-Identifier: Apache-2.0
// What NAT does when a worker starts, when flows end, when generations change. On the worker's thread, but for
// nat_new, nat_free (main) and nat_adopt (housekeeping, before the worker has tables).
#include "nat/lifecycle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "flow/memory.h"
#include "wire/headers.h"

// ---- life ---------------------------------------------------------------------------------------------------
static bool stack_init(struct nat_stack *stack, uint32_t count)
{
    stack->free = flow_memory_new(count * sizeof(*stack->free));
    if (stack->free == NULL)
        return false;
    for (uint32_t i = 0; i < count; i++)
        stack->free[i] = count - 1 - i; // low ones first
    stack->count = count;
    return true;
}

static bool nat_allocate(struct nat *nat)
{
    uint32_t n = nat->capacity;

    nat->mapping = flow_memory_new(n * sizeof(*nat->mapping));
    nat->block = flow_memory_new(n * sizeof(*nat->block));
    nat->subscriber = flow_memory_new(n * sizeof(*nat->subscriber));
    nat->contact = flow_memory_new(n * sizeof(*nat->contact));
    return nat->mapping && nat->block && nat->subscriber && nat->contact && stack_init(&nat->mappings, n) &&
           stack_init(&nat->blocks, n) && stack_init(&nat->subscribers, n) && stack_init(&nat->contacts, n) &&
           flow_index_init(&nat->mapping_index, n) == 0 &&
           flow_index_init(&nat->subscriber_index, n / 2 + 1) == 0 &&
           flow_index_init(&nat->contact_index, n / 2 + 1) == 0;
}

struct nat *nat_new(struct nat_share *share, struct flow_table *flows, uint32_t worker, uint32_t worker_count,
                    const struct sl_hash_seed *seed, struct sl_error *error)
{
    struct nat *nat = calloc(1, sizeof(*nat));

    if (nat == NULL)
        return NULL;
    *nat = (struct nat){
        .share = share,
        .flows = flows,
        .seed = *seed,
        .worker = worker,
        .worker_count = worker_count,
        .capacity = flows->capacity,
        .exhausted_key = NAT_NONE,
    };
    if (!nat_allocate(nat)) {
        sl_error_set(error, -ENOMEM, "no memory for the NAT mappings of %u flows: lower flow.capacity",
                     flows->capacity);
        nat_free(nat);
        return NULL;
    }
    nat_share_register(share, worker, nat);
    return nat;
}

void nat_free(struct nat *nat)
{
    if (nat == NULL)
        return;
    uint32_t n = nat->capacity;
    nat_share_register(nat->share, nat->worker, NULL);
    flow_memory_free(nat->mapping, n * sizeof(*nat->mapping));
    flow_memory_free(nat->block, n * sizeof(*nat->block));
    flow_memory_free(nat->subscriber, n * sizeof(*nat->subscriber));
    flow_memory_free(nat->contact, n * sizeof(*nat->contact));
    flow_memory_free(nat->mappings.free, n * sizeof(uint32_t));
    flow_memory_free(nat->blocks.free, n * sizeof(uint32_t));
    flow_memory_free(nat->subscribers.free, n * sizeof(uint32_t));
    flow_memory_free(nat->contacts.free, n * sizeof(uint32_t));
    flow_index_fini(&nat->mapping_index);
    flow_index_fini(&nat->subscriber_index);
    flow_index_fini(&nat->contact_index);
    free(nat);
}

void nat_count(struct worker *worker)
{
    uint64_t *counter = worker->counters->counter;

    counter[SL_COUNTER_nat_mapping_created] = worker->nat->mappings_created;
    counter[SL_COUNTER_nat_block_allocated] = worker->nat->blocks_allocated;
    counter[SL_COUNTER_nat_block_released] = worker->nat->blocks_released;
}

// ---- a flow's end -------------------------------------------------------------------------------------------
void nat_flow_ended(struct worker *worker, struct sl_flow *flow)
{
    if (flow->mapping == NAT_NONE)
        return;
    if (flow->flags & SL_FLOW_CONTACT)
        nat_contact_drop(worker->nat, flow->mapping, nat_flow_remote(flow));
    nat_mapping_put(worker->nat, flow->mapping);
    nat_count(worker);
}

// ---- generations --------------------------------------------------------------------------------------------
static const struct sl_nat_pool *pool_of(const struct nat_binding *binding, const struct nat_address *address)
{
    return &nat_pools(binding->table)[binding->address_pool[address->index]];
}

static bool source_fits(struct nat *nat, const struct nat_binding *binding, struct sl_flow *flow)
{
    const struct nat_address *address = nat_address_find(binding, nat_flow_outside(flow));

    if (address == NULL || !(address->roles & NAT_POOL))
        return false;
    if (pool_of(binding, address)->filtering == SL_NAT_FILTER_ADDRESS && flow->mapping != NAT_NONE &&
        !(flow->flags & (SL_FLOW_CONTACT | SL_FLOW_INBOUND)) &&
        nat_contact_add(nat, flow->mapping, nat_flow_remote(flow)))
        flow->flags |= SL_FLOW_CONTACT;
    return true;
}

static bool static_fits(const struct nat_binding *binding, const struct sl_flow *flow)
{
    const struct nat_address *address = nat_address_find(binding, nat_flow_inside(flow));

    return address != NULL && (address->roles & NAT_STATIC_INSIDE) &&
           address->partner == nat_flow_outside(flow);
}

static bool forward_fits(const struct nat_binding *binding, const struct sl_flow *flow)
{
    const struct nat_address *address = nat_address_find(binding, nat_flow_outside(flow));
    uint16_t port = sl_host16(flow->key0.dport);

    if (address == NULL)
        return false;
    const struct sl_nat_forward *forward = nat_forward_find(binding, address, flow->proto, port);
    return forward != NULL && forward->inside == nat_flow_inside(flow) &&
           sl_host16(flow->key1.sport) == forward->inside_first + (port - forward->outside_first);
}

static bool flow_fits(struct nat *nat, const struct nat_binding *binding, struct sl_flow *flow)
{
    switch (flow->kind) {
    case SL_FLOW_NAT_SOURCE:
        return source_fits(nat, binding, flow);
    case SL_FLOW_NAT_STATIC:
        return static_fits(binding, flow);
    case SL_FLOW_NAT_FORWARD:
        return forward_fits(binding, flow);
    default:
        return false;
    }
}

bool nat_flow_fits(struct worker *worker, struct sl_flow *flow)
{
    return worker->tables->nat_binding != NULL && flow_fits(worker->nat, worker->tables->nat_binding, flow);
}

void nat_tables_taken(struct worker *worker, const struct tables *old_tables)
{
    const struct sl_nat_table *nat = worker->tables->nat, *old = old_tables ? old_tables->nat : NULL;
    struct flow_table *flows = worker->flows;

    if (flows == NULL)
        return;
    if (old_tables == NULL) {
        worker_count(worker, SL_COUNTER_flow_adopted, flows->adopted);
        nat_count(worker);
    }
    if (nat != NULL && (old == NULL || memcmp(&nat->timeouts, &old->timeouts, sizeof(nat->timeouts)) != 0)) {
        flow_table_set_timeouts(flows, &nat->timeouts);
        flows->sweep_rearm = true; // some may end sooner now than the slot they wait in
        flows->sweep_left = flows->capacity;
    }
    if (old_tables == NULL || (nat ? nat->segment.serial : 0) != (old ? old->segment.serial : 0))
        flows->sweep_left = flows->capacity;
}

// ---- adoption -----------------------------------------------------------------------------------------------
// The inside address, port and pool of a SL_FLOW_NAT_SOURCE flow. False: its outside address is no pool's.
static bool want_of(const struct nat_binding *binding, const struct sl_flow *flow, struct nat_want *want)
{
    const struct nat_address *address = nat_address_find(binding, nat_flow_outside(flow));

    if (address == NULL || !(address->roles & NAT_POOL))
        return false;
    *want = (struct nat_want){
        .binding = binding,
        .pool = pool_of(binding, address),
        .pool_id = binding->pool_id[binding->address_pool[address->index]],
        .proto = (uint8_t)nat_proto_of(flow->proto),
        .inside = nat_flow_inside(flow),
        .inside_port = flow->flags & SL_FLOW_INBOUND ? flow->key1.sport : flow->key0.sport,
    };
    return true;
}

static bool source_adopt(struct nat *nat, const struct nat_binding *binding, struct sl_flow *flow)
{
    struct nat_want want;
    sl_be16 port = flow->flags & SL_FLOW_INBOUND ? flow->key0.dport : flow->key1.dport;
    sl_be32 outside = nat_flow_outside(flow);

    if (!want_of(binding, flow, &want) || sl_host16(port) < SL_NAT_FIRST_PORT)
        return false;
    int64_t mapping = nat_mapping_by_inside(nat, want.inside, want.inside_port, want.proto, want.pool_id);
    if (mapping == NAT_NONE)
        mapping = nat_mapping_restore(nat, &want, binding->outside[nat_address_find(binding, outside)->index],
                                      sl_host16(port));
    else if (nat->mapping[mapping].outside != outside || nat->mapping[mapping].outside_port != port)
        return false;
    if (mapping < 0)
        return false;
    flow->mapping = (uint32_t)mapping;
    nat->mapping[mapping].flows++;
    return true;
}

static bool flow_adopt(struct nat *nat, const struct nat_binding *binding, struct sl_flow *flow)
{
    flow->flags &= (uint8_t)~SL_FLOW_CONTACT;
    flow->mapping = NAT_NONE;
    if (flow->kind == SL_FLOW_NAT_SOURCE && !source_adopt(nat, binding, flow))
        return false;
    return flow_fits(nat, binding, flow);
}

// A block was claimed for a flow whose very port turned out to be taken: nobody uses it.
static void blocks_release_empty(struct nat *nat)
{
    for (uint32_t i = 0; i < nat->capacity; i++)
        if (nat->block[i].outside != NULL)
            nat_block_release_if_unused(nat, i);
}

int nat_adopt(struct nat *nat, const struct nat_binding *binding)
{
    struct flow_table *flows = nat->flows;
    struct flow_index restored;

    if (flow_index_init(&restored, flows->adopted / 2 + 1) != 0)
        return -ENOMEM;
    nat->restored_blocks = &restored;
    for (uint32_t i = 0; i < flows->capacity && flows->adopted > 0; i++) {
        struct sl_flow *flow = &flows->entry[i];
        if (flow->kind == SL_FLOW_FREE || flow->kind == SL_FLOW_BALANCE || flow_adopt(nat, binding, flow))
            continue;
        if (flow->mapping != NAT_NONE)
            nat_mapping_put(nat, flow->mapping);
        flow_remove(flows, i);
        flows->adopted--;
    }
    blocks_release_empty(nat);
    nat->restored_blocks = NULL;
    flow_index_fini(&restored);
    return 0;
}
