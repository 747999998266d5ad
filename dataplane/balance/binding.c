// SPDX-License-Identifier: Apache-2.0
// Making a binding from a balance table. By housekeeping, for each generation.
#include "balance/binding.h"

#include <stdlib.h>
#include "balance/least.h"

#define FILTER_BITS_EACH 32   // bits to an address: one packet in sixteen looks twice, at most
#define FILTER_BITS_MIN  4096 // half a KB: stays in the first cache
#define TIMEOUT_MOST_S   (7u * 86400)

static void filter_add(struct balance_binding *binding, const struct sl_ip *ip)
{
    uint32_t bit = (uint32_t)(sl_balance_address_hash(ip) >> 16) & binding->filter_mask;

    binding->filter[bit / 64] |= 1ull << (bit % 64);
}

static void front_add(struct balance_binding *binding, uint32_t service, const struct sl_ip *ip,
                      uint16_t port)
{
    struct balance_front *front = &binding->front[service];

    if (front->listens < 2)
        front->listens++;
    front->ip = *ip;
    front->port = port;
}

static void fronts_of(struct balance_binding *binding, const struct sl_balance_address *address)
{
    const struct sl_balance_rule *rule = sl_balance_rules(binding->table) + address->rule_first;

    for (uint32_t i = 0; i < address->rule_count; i++) {
        uint16_t first = (uint16_t)rule[i].key;
        front_add(binding, rule[i].service, &address->ip, rule[i].last == first ? first : 0);
    }
    if (address->all != SL_BALANCE_NONE)
        front_add(binding, address->all, &address->ip, 0);
}

static void services_enter(struct balance_binding *binding)
{
    const struct sl_balance_address *address = sl_balance_addresses(binding->table);

    for (uint32_t i = 0; i < binding->table->address_slots; i++) {
        if (!address[i].used)
            continue;
        filter_add(binding, &address[i].ip);
        fronts_of(binding, &address[i]);
        binding->v4 |= sl_ip_is_v4(&address[i].ip);
        binding->v6 |= !sl_ip_is_v4(&address[i].ip);
    }
}

static void endpoint_add(struct balance_binding *binding, const struct sl_ip *ip, sl_be16 port,
                         uint32_t member)
{
    uint32_t at = balance_endpoint_start(ip, port) & binding->endpoint_mask;
    struct balance_endpoint *endpoint = binding->endpoint;

    while (endpoint[at].used && !(endpoint[at].port == port && sl_ip_equal(&endpoint[at].ip, ip)))
        at = (at + 1) & binding->endpoint_mask;
    if (endpoint[at].used)
        member = SL_BALANCE_NONE;
    endpoint[at] = (struct balance_endpoint){.ip = *ip, .port = port, .used = 1, .member = member};
}

static void set_add(struct sl_ip *set, uint32_t mask, const struct sl_ip *ip)
{
    uint32_t at = (uint32_t)sl_balance_address_hash(ip) & mask;

    if (balance_set_has(set, mask, ip))
        return;
    while (!sl_ip_is_zero(&set[at]))
        at = (at + 1) & mask;
    set[at] = *ip;
}

static bool is_tunnel(uint8_t way)
{
    return way == SL_BALANCE_IPIP || way == SL_BALANCE_GUE;
}

// To a tunnel's source only errors about the tunnel come.
static void sources_enter(struct balance_binding *binding)
{
    const struct sl_balance_table *table = binding->table;
    const struct sl_balance_pool *pool = sl_balance_pools(table);

    for (uint32_t p = 0; p < table->pool_count; p++) {
        const struct sl_ip *source = sl_balance_sources(table) + pool[p].source_first;
        binding->tunnels |= is_tunnel(pool[p].way);
        for (uint32_t i = 0; i < pool[p].source_count; i++) {
            if (pool[p].way == SL_BALANCE_FULL_NAT) {
                set_add(binding->source, binding->source_mask, &source[i]);
            } else if (is_tunnel(pool[p].way)) {
                set_add(binding->begin, binding->begin_mask, &source[i]);
                filter_add(binding, &source[i]);
            }
        }
    }
}

static void member_ip_enter(struct balance_binding *binding, const struct sl_ip *ip)
{
    uint32_t at = (uint32_t)sl_balance_address_hash(ip) & binding->member_mask;

    while (!sl_ip_is_zero(&binding->member_ip[at]) && !sl_ip_equal(&binding->member_ip[at], ip))
        at = (at + 1) & binding->member_mask;
    binding->member_ip[at] = *ip;
}

// Of members that answer to clients by themselves no answers come through here.
static void members_enter(struct balance_binding *binding)
{
    const struct sl_balance_pool *pool = sl_balance_pools(binding->table);
    const struct sl_balance_member *member = sl_balance_members(binding->table);

    for (uint32_t i = 0; i < binding->table->member_count; i++) {
        uint8_t way = pool[member[i].pool].way;
        binding->one_way |= way > SL_BALANCE_FULL_NAT;
        if (is_tunnel(way))
            set_add(binding->end, binding->end_mask, &member[i].ip);
        if (way > SL_BALANCE_FULL_NAT)
            continue;
        filter_add(binding, &member[i].ip);
        member_ip_enter(binding, &member[i].ip);
        endpoint_add(binding, &member[i].ip, __builtin_bswap16(member[i].port), i);
    }
}

static uint32_t timeout_of(uint32_t seconds)
{
    return (seconds < TIMEOUT_MOST_S ? seconds : TIMEOUT_MOST_S) * 1000;
}

static void timeouts_enter(struct balance_binding *binding)
{
    const struct sl_balance_service *service = sl_balance_services(binding->table);

    for (uint32_t i = 0; i < binding->table->service_count; i++) {
        uint32_t *timeout_ms = binding->timeout_ms[service[i].slot];
        timeout_ms[SL_FLOW_NEW] = timeout_of(service[i].timeout_new_s);
        timeout_ms[SL_FLOW_ESTABLISHED] = timeout_of(service[i].timeout_established_s);
        timeout_ms[SL_FLOW_CLOSING] = timeout_of(service[i].timeout_closing_s);
    }
}

static void pools_enter(struct balance_binding *binding)
{
    const struct sl_balance_service *service = sl_balance_services(binding->table);
    uint32_t *of = binding->service_of_pool;

    for (uint32_t i = 0; i < binding->table->pool_count; i++)
        binding->tells_client |= sl_balance_pools(binding->table)[i].flags & SL_BALANCE_TOA;
    for (uint32_t i = 0; i < binding->table->pool_count; i++)
        of[i] = SL_BALANCE_NONE;
    for (uint32_t i = 0; i < binding->table->service_count; i++) // a second one makes it none for good
        of[service[i].pool] = of[service[i].pool] == SL_BALANCE_NONE ? i : SL_BALANCE_NONE - 1;
    for (uint32_t i = 0; i < binding->table->pool_count; i++)
        of[i] = of[i] == SL_BALANCE_NONE - 1 ? SL_BALANCE_NONE : of[i];
}

static uint32_t power_of_two(uint64_t least)
{
    uint64_t size = 16;

    while (size < least)
        size *= 2;
    return (uint32_t)size;
}

static bool allocate(struct balance_binding *binding)
{
    const struct sl_balance_table *table = binding->table;
    uint64_t addresses = (uint64_t)table->address_count + table->member_count + table->source_count;
    uint32_t bits = power_of_two(addresses * FILTER_BITS_EACH + FILTER_BITS_MIN);
    uint32_t slots = power_of_two(2ull * table->member_count + 1);

    binding->filter_mask = bits - 1;
    binding->endpoint_mask = slots - 1;
    binding->filter = calloc(bits / 64, sizeof(*binding->filter));
    binding->endpoint = calloc(slots, sizeof(*binding->endpoint));
    binding->cursor = calloc((size_t)binding->workers * table->pool_count + 1, sizeof(*binding->cursor));
    binding->timeout_ms = calloc(table->service_slots + 1u, sizeof(*binding->timeout_ms));
    binding->service_of_pool = calloc(table->pool_count + 1u, sizeof(*binding->service_of_pool));
    binding->source_mask = power_of_two(2ull * table->source_count + 1) - 1;
    binding->source = calloc(binding->source_mask + 1u, sizeof(*binding->source));
    binding->begin_mask = binding->source_mask;
    binding->begin = calloc(binding->begin_mask + 1u, sizeof(*binding->begin));
    binding->end_mask = slots - 1;
    binding->end = calloc(slots, sizeof(*binding->end));
    binding->member_mask = slots - 1;
    binding->member_ip = calloc(slots, sizeof(*binding->member_ip));
    binding->front = calloc(table->service_count + 1u, sizeof(*binding->front));
    return binding->filter && binding->endpoint && binding->cursor && binding->timeout_ms &&
           binding->service_of_pool && binding->source && binding->begin && binding->end && binding->member_ip &&
           binding->front && balance_loads_allocate(binding);
}

// Workers begin their rounds at different members, or the first would get as many flows at once as there are workers.
static void cursors_spread(struct balance_binding *binding)
{
    uint32_t pools = binding->table->pool_count;

    for (uint32_t i = 0; i < binding->workers * pools; i++)
        binding->cursor[i] = i / pools * 0x9e3779b1u;
}

struct balance_binding *balance_binding_new(const struct sl_balance_table *table, uint32_t workers)
{
    struct balance_binding *binding = calloc(1, sizeof(*binding));

    if (binding == NULL)
        return NULL;
    binding->table = table;
    binding->workers = workers;
    if (!allocate(binding)) {
        balance_binding_free(binding);
        return NULL;
    }
    services_enter(binding);
    members_enter(binding);
    sources_enter(binding);
    timeouts_enter(binding);
    pools_enter(binding);
    cursors_spread(binding);
    return binding;
}

void balance_binding_free(struct balance_binding *binding)
{
    if (binding == NULL)
        return;
    free(binding->filter);
    free(binding->endpoint);
    free(binding->cursor);
    free(binding->timeout_ms);
    free(binding->service_of_pool);
    free(binding->front);
    free(binding->source);
    free(binding->begin);
    free(binding->end);
    balance_loads_free(binding);
    free(binding->member_ip);
    free(binding);
}
