// SPDX-License-Identifier: Apache-2.0
// Making a binding from a NAT table, and the lookups in its lists. Made by housekeeping for each generation; the
// lookups run on workers, for packets that have no flow yet.
#include "nat/binding.h"

#include <stdlib.h>
#include <string.h>
#include "wire/headers.h"

static struct nat_address *address_get(struct nat_binding *binding, sl_be32 addr)
{
    uint32_t at = nat_address_hash(addr) & binding->mask;

    while (binding->address[at].roles != 0 && binding->address[at].addr != addr)
        at = (at + 1) & binding->mask;
    binding->address[at].addr = addr;
    return &binding->address[at];
}

static void pools_enter(struct nat_binding *binding)
{
    const struct sl_nat_table *table = binding->table;
    const sl_be32 *addr = (const sl_be32 *)((const uint8_t *)table + table->address_offset);

    for (uint32_t pool = 0; pool < table->pool_count; pool++) {
        const struct sl_nat_pool *p = &nat_pools(table)[pool];
        for (uint32_t i = p->first; i < p->first + p->count; i++) {
            struct nat_address *address = address_get(binding, addr[i]);
            address->roles |= NAT_POOL;
            address->index = i;
            binding->address_pool[i] = (uint16_t)pool;
        }
    }
}

static void statics_enter(struct nat_binding *binding)
{
    const struct sl_nat_table *table = binding->table;
    const struct sl_nat_static *one = (const void *)((const uint8_t *)table + table->static_offset);

    for (uint32_t i = 0; i < table->static_count; i++) {
        struct nat_address *inside = address_get(binding, one[i].inside);
        inside->roles |= NAT_STATIC_INSIDE;
        inside->partner = one[i].outside;
        struct nat_address *outside = address_get(binding, one[i].outside);
        outside->roles |= NAT_STATIC_OUTSIDE;
        outside->partner = one[i].inside;
    }
}

static void forwards_enter(struct nat_binding *binding)
{
    const struct sl_nat_forward *forward = nat_forwards(binding->table);

    for (uint32_t i = 0; i < binding->table->forward_count; i++) {
        struct nat_address *address = address_get(binding, forward[i].outside);
        if (!(address->roles & NAT_FORWARD_OUTSIDE))
            address->forward_first = i;
        address->roles |= NAT_FORWARD_OUTSIDE;
        address->forward_count = i + 1 - address->forward_first;
        address_get(binding, forward[i].inside)->roles |= NAT_FORWARD_INSIDE;
    }
}

static void sources_enter(struct nat_binding *binding)
{
    for (uint32_t i = 0; i < binding->table->source_count; i++)
        if (nat_sources(binding->table)[i].port < SL_MAX_PORTS)
            binding->outside_ports |= 1ull << nat_sources(binding->table)[i].port;
}

static bool binding_allocate(struct nat_binding *binding, const struct sl_nat_table *table)
{
    uint64_t addresses =
        table ? table->address_count + 2ull * table->static_count + 2ull * table->forward_count : 0;
    uint32_t slots = 16;

    while (slots < addresses * 2)
        slots *= 2;
    binding->mask = slots - 1;
    binding->address = calloc(slots, sizeof(*binding->address));
    if (table == NULL)
        return binding->address != NULL;
    binding->outside = calloc(table->address_count + 1u, sizeof(*binding->outside));
    binding->address_pool = calloc(table->address_count + 1u, sizeof(*binding->address_pool));
    binding->pool_id = calloc(table->pool_count + 1u, sizeof(*binding->pool_id));
    return binding->address && binding->outside && binding->address_pool && binding->pool_id;
}

struct nat_binding *nat_binding_new(const struct sl_nat_table *table)
{
    struct nat_binding *binding = calloc(1, sizeof(*binding));

    if (binding == NULL)
        return NULL;
    binding->table = table;
    if (!binding_allocate(binding, table)) {
        nat_binding_free(binding);
        return NULL;
    }
    if (table != NULL) {
        pools_enter(binding);
        statics_enter(binding);
        forwards_enter(binding);
        sources_enter(binding);
    }
    return binding;
}

void nat_binding_free(struct nat_binding *binding)
{
    if (binding == NULL)
        return;
    free(binding->address);
    free(binding->outside);
    free(binding->address_pool);
    free(binding->pool_id);
    free(binding);
}

// The first forward of the address that does not end before this protocol and port. They are sorted by both and do
// not overlap.
static uint32_t forward_lower_bound(const struct sl_nat_forward *forward, const struct nat_address *address,
                                    uint8_t proto, uint16_t port)
{
    uint32_t low = address->forward_first, high = low + address->forward_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct sl_nat_forward *f = &forward[middle];
        if (f->proto < proto || (f->proto == proto && f->outside_last < port))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct sl_nat_forward *nat_forward_find(const struct nat_binding *binding,
                                              const struct nat_address *address, uint8_t proto, uint16_t port)
{
    if (!(address->roles & NAT_FORWARD_OUTSIDE))
        return NULL;
    const struct sl_nat_forward *forward = nat_forwards(binding->table);
    uint32_t at = forward_lower_bound(forward, address, proto, port);

    if (at == address->forward_first + address->forward_count || forward[at].proto != proto ||
        forward[at].outside_first > port)
        return NULL;
    return &forward[at];
}

uint64_t nat_forward_ports(const struct nat_binding *binding, const struct nat_address *address,
                           uint8_t proto, uint16_t block)
{
    if (!(address->roles & NAT_FORWARD_OUTSIDE))
        return 0;
    const struct sl_nat_forward *forward = nat_forwards(binding->table);
    uint32_t first = SL_NAT_FIRST_PORT + block * SL_NAT_BLOCK_PORTS, last = first + SL_NAT_BLOCK_PORTS - 1;
    uint32_t end = address->forward_first + address->forward_count;
    uint64_t taken = 0;

    for (uint32_t at = forward_lower_bound(forward, address, proto, (uint16_t)first);
         at < end && forward[at].proto == proto && forward[at].outside_first <= last; at++) {
        uint32_t from = forward[at].outside_first > first ? forward[at].outside_first - first : 0;
        uint32_t to =
            forward[at].outside_last < last ? forward[at].outside_last - first : SL_NAT_BLOCK_PORTS - 1;
        taken |= (~0ull >> (63 - to)) & (~0ull << from);
    }
    return taken;
}

const struct sl_nat_source *nat_source_find(const struct nat_binding *binding, sl_be32 inside, uint16_t port)
{
    const struct sl_nat_source *rule = nat_sources(binding->table);
    uint32_t address = sl_host32(inside);

    for (uint32_t i = 0; i < binding->table->source_count; i++) {
        uint32_t prefix = sl_host32(rule[i].inside.ip.w[3]), len = rule[i].inside.len;
        bool within = len == 0 || ((address ^ prefix) >> (32 - len)) == 0;
        if (within && (port == UINT16_MAX || rule[i].port == port) && sl_ip_is_v4(&rule[i].inside.ip))
            return &rule[i];
    }
    return NULL;
}
