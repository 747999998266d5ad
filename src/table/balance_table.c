// SPDX-License-Identifier: Apache-2.0
// The image of the balance table. See balance_table.h. Called by control's main thread; pure.
#include "table/balance_table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "table/balance_read.h"
#include "table/balance_rules.h"

// ---- shape --------------------------------------------------------------------------------------------------
static uint64_t aligned(uint64_t offset)
{
    return (offset + SL_CACHE_LINE - 1) / SL_CACHE_LINE * SL_CACHE_LINE;
}

// Bytes of a pool's lookup: lookups do not share a line, so that a change of one pool disturbs nobody else's readers.
static uint64_t lookup_bytes(const struct sl_balance_pool *pool)
{
    return aligned(sl_balance_lookup_capacity(pool) * sizeof(uint16_t));
}

static uint32_t slots_of_addresses(uint32_t addresses)
{
    uint32_t slots = 4;

    while (slots < 4ull * addresses)
        slots *= 2;
    return slots;
}

static uint64_t service_slots(const struct sl_balance_input *input)
{
    uint64_t slots = 0;

    for (uint32_t i = 0; i < input->service_count; i++)
        slots = input->service[i].slot >= slots ? input->service[i].slot + 1ull : slots;
    return slots;
}

static uint64_t member_slots(const struct sl_balance_input *input)
{
    uint64_t slots = 0;

    for (uint32_t i = 0; i < input->member_count; i++)
        slots = input->member[i].slot >= slots ? input->member[i].slot + 1ull : slots;
    return slots;
}

// Gives the next array its place.
static uint64_t place(uint64_t *end, uint64_t count, uint64_t element)
{
    uint64_t offset = aligned(*end);

    *end = offset + count * element;
    return offset;
}

// Counts and offsets; the image ends at *size.
static struct sl_balance_table shape_of(const struct sl_balance_input *input, uint32_t addresses,
                                        uint64_t rules, uint64_t *size)
{
    uint64_t end = sizeof(struct sl_balance_table), lookups = 0;

    for (uint32_t i = 0; i < input->pool_count; i++)
        lookups += lookup_bytes(&input->pool[i]) / sizeof(uint16_t);
    struct sl_balance_table shape = {
        .service_count = input->service_count,
        .pool_count = input->pool_count,
        .member_count = input->member_count,
        .source_count = input->source_count,
        .address_count = addresses,
        .address_slots = slots_of_addresses(addresses),
        .rule_count = (uint32_t)rules,
        .service_slots = (uint32_t)service_slots(input),
        .member_slots = (uint32_t)member_slots(input),
        .lookup_count = lookups,
    };
    shape.service_offset = place(&end, shape.service_count, sizeof(struct sl_balance_service));
    shape.pool_offset = place(&end, shape.pool_count, sizeof(struct sl_balance_pool));
    shape.member_offset = place(&end, shape.member_count, sizeof(struct sl_balance_member));
    shape.source_offset = place(&end, shape.source_count, sizeof(struct sl_ip));
    shape.address_offset = place(&end, shape.address_slots, sizeof(struct sl_balance_address));
    shape.rule_offset = place(&end, shape.rule_count, sizeof(struct sl_balance_rule));
    shape.service_by_slot_offset = place(&end, shape.service_slots, sizeof(uint32_t));
    shape.member_by_slot_offset = place(&end, shape.member_slots, sizeof(uint32_t));
    shape.lookup_offset = place(&end, shape.lookup_count, sizeof(uint16_t));
    *size = aligned(end);
    return shape;
}

static bool counts_fit(const struct sl_balance_input *input)
{
    return input->service_count <= SL_BALANCE_SERVICES && input->pool_count <= SL_BALANCE_MEMBERS &&
           input->member_count <= SL_BALANCE_MEMBERS && input->listen_count <= SL_BALANCE_LISTENS &&
           input->source_count <= SL_BALANCE_LISTENS && service_slots(input) <= SL_BALANCE_SERVICES &&
           member_slots(input) <= SL_BALANCE_MEMBERS;
}

uint64_t sl_balance_size(const struct sl_balance_input *input)
{
    uint64_t size;

    if (!counts_fit(input))
        return 0;
    shape_of(input, input->listen_count, BALANCE_RULES_MOST(input->listen_count), &size);
    return size;
}

// ---- faults -------------------------------------------------------------------------------------------------
static int services_check(const struct sl_balance_input *input, struct sl_error *error)
{
    for (uint32_t i = 0; i < input->service_count; i++)
        if (input->service[i].pool >= input->pool_count)
            return sl_error_set(error, -EINVAL, "service %s: of pool %u, there are %u",
                                input->service[i].name, input->service[i].pool, input->pool_count);
    return 0;
}

static int pool_check(const struct sl_balance_input *input, uint32_t index, uint32_t first,
                      struct sl_error *error)
{
    const struct sl_balance_pool *pool = &input->pool[index];

    if (pool->count > SL_BALANCE_POOL_MEMBERS)
        return sl_error_set(error, -EINVAL, "pool %s: %u members, %u are the most", pool->name, pool->count,
                            SL_BALANCE_POOL_MEMBERS);
    if (pool->first != first || pool->count > input->member_count - first)
        return sl_error_set(error, -EINVAL, "pool %s: members %u to %" PRIu64 ", but its first is %u of %u",
                            pool->name, pool->first, (uint64_t)pool->first + pool->count, first,
                            input->member_count);
    if (pool->method >= SL_BALANCE_METHODS || pool->way >= SL_BALANCE_WAYS ||
        pool->on_down >= SL_BALANCE_ON_DOWNS)
        return sl_error_set(error, -EINVAL, "pool %s: method %u, way %u, on_down %u: one of them is none",
                            pool->name, pool->method, pool->way, pool->on_down);
    for (uint32_t i = first; i < first + pool->count; i++)
        if (input->member[i].pool != index ||
            sl_balance_word_state(input->member[i].word) >= SL_BALANCE_STATES)
            return sl_error_set(error, -EINVAL, "pool %s: member %u is of pool %u, state %u", pool->name,
                                i - first, input->member[i].pool,
                                sl_balance_word_state(input->member[i].word));
    return 0;
}

static int endpoint_compare(const void *a, const void *b)
{
    const struct sl_balance_member *x = *(const struct sl_balance_member *const *)a;
    const struct sl_balance_member *y = *(const struct sl_balance_member *const *)b;
    int order = memcmp(&x->ip, &y->ip, sizeof(x->ip));

    return order ? order : (int)x->port - y->port;
}

// `sorted` has room for the pool's members.
static int endpoints_check(const struct sl_balance_pool *pool, const struct sl_balance_member *member,
                           const struct sl_balance_member **sorted, struct sl_error *error)
{
    char ip[SL_IP_TEXT];

    for (uint32_t i = 0; i < pool->count; i++)
        sorted[i] = &member[pool->first + i];
    qsort(sorted, pool->count, sizeof(*sorted), endpoint_compare);
    for (uint32_t i = 1; i < pool->count; i++)
        if (endpoint_compare(&sorted[i - 1], &sorted[i]) == 0)
            return sl_error_set(error, -EINVAL, "pool %s: member %s port %u is there twice", pool->name,
                                sl_ip_format(&sorted[i]->ip, ip), sorted[i]->port);
    return 0;
}

static int pools_check(const struct sl_balance_input *input, struct sl_error *error)
{
    const struct sl_balance_member **sorted = calloc(input->member_count + 1ull, sizeof(*sorted));
    uint32_t first = 0;
    int code = sorted ? 0 : -ENOMEM;

    for (uint32_t i = 0; code == 0 && i < input->pool_count; i++) {
        code = pool_check(input, i, first, error);
        if (code == 0)
            code = endpoints_check(&input->pool[i], input->member, sorted, error);
        first += input->pool[i].count;
    }
    if (code == 0 && first != input->member_count)
        code = sl_error_set(error, -EINVAL, "%u members, the pools have %u", input->member_count, first);
    free(sorted);
    return code;
}

// ---- filling ------------------------------------------------------------------------------------------------
static void *at(struct sl_balance_table *table, uint64_t offset)
{
    return (uint8_t *)table + offset;
}

static void copy(void *to, const void *from, uint64_t bytes)
{
    if (bytes > 0)
        memcpy(to, from, bytes);
}

static int slot_enter(uint32_t *by_slot, uint32_t slot, uint32_t index, const char *what,
                      struct sl_error *error)
{
    if (by_slot[slot] != SL_BALANCE_NONE)
        return sl_error_set(error, -EINVAL, "%s %u and %u both have slot %u", what, by_slot[slot], index,
                            slot);
    by_slot[slot] = index;
    return 0;
}

static int slots_fill(const struct sl_balance_input *input, struct sl_balance_table *table,
                      struct sl_error *error)
{
    uint32_t *service = at(table, table->service_by_slot_offset),
             *member = at(table, table->member_by_slot_offset);
    int code = 0;

    memset(service, 0xff, table->service_slots * sizeof(*service));
    memset(member, 0xff, table->member_slots * sizeof(*member));
    for (uint32_t i = 0; code == 0 && i < input->service_count; i++)
        code = slot_enter(service, input->service[i].slot, i, "services", error);
    for (uint32_t i = 0; code == 0 && i < input->member_count; i++)
        code = slot_enter(member, input->member[i].slot, i, "members", error);
    return code;
}

static int addresses_fill(const struct balance_rules *rules, struct sl_balance_table *table,
                          struct sl_error *error)
{
    struct sl_balance_address *slot = at(table, table->address_offset);
    uint32_t mask = table->address_slots - 1;

    copy(at(table, table->rule_offset), rules->rule, rules->rules * sizeof(*rules->rule));
    for (uint32_t i = 0; i < rules->addresses; i++) {
        uint32_t start = sl_balance_address_start(table, &rules->address[i].ip), steps = 0;
        while (slot[(start + steps) & mask].used)
            if (++steps >= SL_BALANCE_PROBES)
                return sl_error_set(error, -ENOSPC, "more than %d addresses meet in one place of the table",
                                    SL_BALANCE_PROBES);
        slot[(start + steps) & mask] = rules->address[i];
    }
    return 0;
}

static int lookups_fill(struct sl_balance_table *table)
{
    struct sl_balance_pool *pool = at(table, table->pool_offset);
    const struct sl_balance_member *member = sl_balance_members(table);
    uint64_t offset = table->lookup_offset;

    for (uint32_t i = 0; i < table->pool_count; i++) {
        pool[i].lookup_offset = offset;
        pool[i].lookup_capacity = sl_balance_lookup_capacity(&pool[i]);
        int64_t size = sl_balance_lookup_build(&pool[i], &member[pool[i].first], at(table, offset));
        if (size < 0)
            return (int)size;
        pool[i].lookup_size = (uint32_t)size;
        offset += lookup_bytes(&pool[i]);
    }
    return 0;
}

static int image_fill(const struct sl_balance_input *input, const struct balance_rules *rules,
                      struct sl_balance_table *table, struct sl_error *error)
{
    copy(at(table, table->service_offset), input->service, input->service_count * sizeof(*input->service));
    copy(at(table, table->pool_offset), input->pool, input->pool_count * sizeof(*input->pool));
    copy(at(table, table->member_offset), input->member, input->member_count * sizeof(*input->member));
    copy(at(table, table->source_offset), input->source, input->source_count * sizeof(*input->source));
    int code = slots_fill(input, table, error);
    if (code == 0)
        code = addresses_fill(rules, table, error);
    return code == 0 ? lookups_fill(table) : code;
}

static int rules_into_image(const struct sl_balance_input *input, const struct balance_rules *rules,
                            struct sl_balance_table *table, uint64_t size, struct sl_error *error)
{
    struct sl_hash_seed seed;
    uint64_t need;
    struct sl_balance_table shape = shape_of(input, rules->addresses, rules->rules, &need);

    if (need > size)
        return sl_error_set(error, -ENOSPC, "the balance table takes %" PRIu64 " bytes, there are %" PRIu64,
                            need, size);
    sl_hash_seed_init(&seed, input->hash_seed, 0x62616c616e6365u);
    static_assert(sizeof(shape.hash_key) == sizeof(seed), "the seed as it is");
    memcpy(shape.hash_key, &seed, sizeof(seed));
    shape.segment = table->segment;
    *table = shape;
    return image_fill(input, rules, table, error);
}

int sl_balance_build(const struct sl_balance_input *input, struct sl_balance_table *table, uint64_t size,
                     struct sl_error *error)
{
    struct balance_rules rules = {0};

    if (!counts_fit(input))
        return sl_error_set(
            error, -ENOSPC,
            "%u services, %u pools, %u members, %u addresses: more than the balance table holds",
            input->service_count, input->pool_count, input->member_count, input->listen_count);
    int code = services_check(input, error);
    if (code == 0)
        code = pools_check(input, error);
    if (code == 0)
        code = balance_rules_make(input, &rules, error);
    if (code == 0)
        code = rules_into_image(input, &rules, table, size, error);
    balance_rules_fini(&rules);
    if (code == -ENOMEM)
        sl_error_set(error, code, "no memory left to build the balance table");
    return code;
}
