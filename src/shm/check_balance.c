// SPDX-License-Identifier: Apache-2.0
// Checks the balance table: services, pools, members, the hash of addresses, every entry of every lookup. See check.h
// for who calls it. Control may be updating the table in place meanwhile: what it stores is loaded once, and lookups
// are checked up to their capacity, since their sizes change.
#include <errno.h>
#include <inttypes.h>
#include <stdalign.h>

#include "shm/check_span.h"
#include "table/balance_read.h"
#include "table/balance_table.h"

static int counts_check(const struct check *check, const struct sl_balance_table *table)
{
    const struct {
        const char *what;
        const uint32_t *count;
        uint32_t most;
    } bound[] = {
        {"services", &table->service_count, SL_BALANCE_SERVICES},
        {"members", &table->member_count, SL_BALANCE_MEMBERS},
        {"pools", &table->pool_count, SL_BALANCE_MEMBERS},
        {"service slots", &table->service_slots, SL_BALANCE_SERVICES},
        {"member slots", &table->member_slots, SL_BALANCE_MEMBERS},
    };

    for (unsigned i = 0; i < sizeof(bound) / sizeof(bound[0]); i++)
        if (*bound[i].count > bound[i].most)
            return check_fail(check, bound[i].count, "%u %s, %u are the most", *bound[i].count, bound[i].what,
                              bound[i].most);
    uint32_t slots = table->address_slots;
    if (slots < 4 || (slots & (slots - 1)) != 0 || table->address_count > slots / 4)
        return check_fail(check, &table->address_slots,
                          "%u slots for %u addresses: they must be a power of two, four to an address", slots,
                          table->address_count);
    return 0;
}

static int spans_check(const struct check *check, const struct sl_balance_table *table)
{
    const struct check_array array[] = {
        {"services", table->service_offset, table->service_count, sizeof(struct sl_balance_service),
         SL_CACHE_LINE},
        {"pools", table->pool_offset, table->pool_count, sizeof(struct sl_balance_pool), SL_CACHE_LINE},
        {"members", table->member_offset, table->member_count, sizeof(struct sl_balance_member),
         SL_CACHE_LINE},
        {"source addresses", table->source_offset, table->source_count, sizeof(struct sl_ip),
         alignof(struct sl_ip)},
        {"address slots", table->address_offset, table->address_slots, sizeof(struct sl_balance_address),
         sizeof(struct sl_balance_address)},
        {"rules", table->rule_offset, table->rule_count, sizeof(struct sl_balance_rule),
         sizeof(struct sl_balance_rule)},
        {"services by slot", table->service_by_slot_offset, table->service_slots, sizeof(uint32_t),
         alignof(uint32_t)},
        {"members by slot", table->member_by_slot_offset, table->member_slots, sizeof(uint32_t),
         alignof(uint32_t)},
        {"lookup entries", table->lookup_offset, table->lookup_count, sizeof(uint16_t), SL_CACHE_LINE},
    };
    int code = 0;

    for (unsigned i = 0; code == 0 && i < sizeof(array) / sizeof(array[0]); i++)
        code = check_span(check, &array[i]);
    return code;
}

// ---- slots --------------------------------------------------------------------------------------------------
// Does slot `slot` lead back to `index`?
static int slot_check(const struct check *check, const uint32_t *by_slot, uint32_t slots, const void *where,
                      uint32_t slot, uint32_t index)
{
    if (slot >= slots)
        return check_fail(check, where, "slot %u, there are %u", slot, slots);
    if (by_slot[slot] != index)
        return check_fail(check, where, "index %u has slot %u, which leads to index %u", index, slot,
                          by_slot[slot]);
    return 0;
}

// As many slots are used as there are owners: since each owner's leads back to it, none leads elsewhere.
static int used_slots_check(const struct check *check, const uint32_t *by_slot, uint32_t slots,
                            uint32_t owners)
{
    uint32_t used = 0;

    for (uint32_t i = 0; i < slots; i++)
        used += by_slot[i] != SL_BALANCE_NONE;
    return used == owners ? 0 : check_fail(check, by_slot, "%u slots lead to %u", used, owners);
}

// ---- services -----------------------------------------------------------------------------------------------
static int services_check(const struct check *check, const struct sl_balance_table *table)
{
    const struct sl_balance_service *service = sl_balance_services(table);
    const uint32_t *by_slot = sl_balance_at(table, table->service_by_slot_offset);

    for (uint32_t i = 0; i < table->service_count; i++) {
        int code = check_text(check, service[i].name, sizeof(service[i].name), "a service's name");
        if (code == 0)
            code = slot_check(check, by_slot, table->service_slots, &service[i].slot, service[i].slot, i);
        if (code != 0)
            return code;
        if (service[i].pool >= table->pool_count)
            return check_fail(check, &service[i].pool, "service %s is of pool %u, there are %u",
                              service[i].name, service[i].pool, table->pool_count);
        if (service[i].affinity_len_v4 > 32 || service[i].affinity_len_v6 > 128)
            return check_fail(check, &service[i].affinity_len_v4, "service %s: affinity by /%u and /%u",
                              service[i].name, service[i].affinity_len_v4, service[i].affinity_len_v6);
    }
    return used_slots_check(check, by_slot, table->service_slots, table->service_count);
}

// ---- addresses ----------------------------------------------------------------------------------------------
static int rules_check(const struct check *check, const struct sl_balance_table *table,
                       const struct sl_balance_address *address)
{
    const struct sl_balance_rule *rule = sl_balance_rules(table) + address->rule_first;

    for (uint32_t i = 0; i < address->rule_count; i++) {
        if (rule[i].service >= table->service_count)
            return check_fail(check, &rule[i], "a rule of service %u, there are %u", rule[i].service,
                              table->service_count);
        if (rule[i].key >> 24 != 0 || rule[i].last < (uint16_t)rule[i].key)
            return check_fail(check, &rule[i], "a rule of protocol %u, ports %u-%u", rule[i].key >> 16,
                              (uint16_t)rule[i].key, rule[i].last);
        if (i > 0 && ((rule[i - 1].key & 0xff0000) | rule[i - 1].last) >= rule[i].key)
            return check_fail(check, &rule[i],
                              "rules of an address are not sorted, or have a port in common");
    }
    return 0;
}

static int address_check(const struct check *check, const struct sl_balance_table *table, uint32_t at)
{
    const struct sl_balance_address *address = &sl_balance_addresses(table)[at];
    uint32_t start = sl_balance_address_start(table, &address->ip);

    if (((at - start) & (table->address_slots - 1)) >= SL_BALANCE_PROBES ||
        sl_balance_address_find(table, &address->ip, start) != address)
        return check_fail(check, address, "an address in slot %u is not found from slot %u on", at, start);
    if (address->rule_first > table->rule_count ||
        address->rule_count > table->rule_count - address->rule_first)
        return check_fail(check, address, "rules %u to %" PRIu64 " of an address, there are %u",
                          address->rule_first, (uint64_t)address->rule_first + address->rule_count,
                          table->rule_count);
    if (address->all != SL_BALANCE_NONE && address->all >= table->service_count)
        return check_fail(check, &address->all, "an address of service %u, there are %u", address->all,
                          table->service_count);
    return rules_check(check, table, address);
}

static int addresses_check(const struct check *check, const struct sl_balance_table *table)
{
    const struct sl_balance_address *address = sl_balance_addresses(table);
    uint32_t used = 0;

    // First that there are free ones: the search for one ends at a free slot.
    for (uint32_t i = 0; i < table->address_slots; i++)
        used += address[i].used != 0;
    if (used != table->address_count)
        return check_fail(check, &table->address_count, "%u addresses, %u slots are used",
                          table->address_count, used);
    for (uint32_t i = 0; i < table->address_slots; i++) {
        int code = address[i].used ? address_check(check, table, i) : 0;
        if (code != 0)
            return code;
    }
    return 0;
}

// ---- pools --------------------------------------------------------------------------------------------------
static int members_check(const struct check *check, const struct sl_balance_table *table,
                         const struct sl_balance_pool *pool, uint32_t index)
{
    const struct sl_balance_member *member = sl_balance_members(table);
    const uint32_t *by_slot = sl_balance_at(table, table->member_by_slot_offset);

    for (uint32_t i = pool->first; i < pool->first + pool->count; i++) {
        int code = slot_check(check, by_slot, table->member_slots, &member[i].slot, member[i].slot, i);
        if (code != 0)
            return code;
        if (member[i].pool != index)
            return check_fail(check, &member[i].pool, "member %u says pool %u, but pool %u has it", i,
                              member[i].pool, index);
        if (sl_balance_word_state(sl_balance_word(&member[i])) >= SL_BALANCE_STATES)
            return check_fail(check, &member[i].word, "member %u is in state %u, which is none", i,
                              sl_balance_word_state(sl_balance_word(&member[i])));
    }
    return 0;
}

// `*end`: where the lookup of the pool before it ends.
static int lookup_check(const struct check *check, const struct sl_balance_table *table,
                        const struct sl_balance_pool *pool, uint64_t *end)
{
    uint64_t lookups_end = table->lookup_offset + table->lookup_count * sizeof(uint16_t);

    if (pool->lookup_capacity != sl_balance_lookup_capacity(pool) ||
        __atomic_load_n(&pool->lookup_size, __ATOMIC_RELAXED) > pool->lookup_capacity)
        return check_fail(check, &pool->lookup_capacity,
                          "pool %s: %u of %u lookup entries, it should have %u", pool->name,
                          pool->lookup_size, pool->lookup_capacity, sl_balance_lookup_capacity(pool));
    if (pool->lookup_offset < *end || pool->lookup_offset % SL_CACHE_LINE != 0 ||
        pool->lookup_offset > lookups_end ||
        pool->lookup_capacity > (lookups_end - pool->lookup_offset) / sizeof(uint16_t))
        return check_fail(check, &pool->lookup_offset,
                          "pool %s: %u lookup entries at byte %" PRIu64 ", which is not behind %" PRIu64
                          " or beyond %" PRIu64,
                          pool->name, pool->lookup_capacity, pool->lookup_offset, *end, lookups_end);
    *end = pool->lookup_offset + pool->lookup_capacity * sizeof(uint16_t);
    const struct sl_balance_lookup lookup = {sl_balance_at(table, pool->lookup_offset),
                                             pool->lookup_capacity};
    for (uint32_t i = 0; i < pool->lookup_capacity; i++)
        if (sl_balance_entry(&lookup, i) >= pool->count)
            return check_fail(check, &lookup.entry[i], "pool %s: lookup entry %u names member %u of %u",
                              pool->name, i, sl_balance_entry(&lookup, i), pool->count);
    return 0;
}

static int pool_check(const struct check *check, const struct sl_balance_table *table,
                      const struct sl_balance_pool *pool, uint32_t first)
{
    if (pool->method >= SL_BALANCE_METHODS || pool->way >= SL_BALANCE_WAYS ||
        pool->on_down >= SL_BALANCE_ON_DOWNS)
        return check_fail(check, &pool->method, "pool %s: method %u, way %u, on_down %u: one of them is none",
                          pool->name, pool->method, pool->way, pool->on_down);
    if (pool->first != first || pool->count > SL_BALANCE_POOL_MEMBERS ||
        pool->count > table->member_count - first)
        return check_fail(check, &pool->first, "pool %s: %u members from %u on, they begin at %u of %u",
                          pool->name, pool->count, pool->first, first, table->member_count);
    if (pool->source_first > table->source_count ||
        pool->source_count > table->source_count - pool->source_first)
        return check_fail(check, &pool->source_first, "pool %s: %u source addresses from %u on, there are %u",
                          pool->name, pool->source_count, pool->source_first, table->source_count);
    return 0;
}

static int pools_check(const struct check *check, const struct sl_balance_table *table)
{
    const struct sl_balance_pool *pool = sl_balance_pools(table);
    uint64_t end = table->lookup_offset;
    uint32_t first = 0;

    for (uint32_t i = 0; i < table->pool_count; i++) {
        int code = check_text(check, pool[i].name, sizeof(pool[i].name), "a pool's name");
        if (code == 0)
            code = pool_check(check, table, &pool[i], first);
        if (code == 0)
            code = members_check(check, table, &pool[i], i);
        if (code == 0)
            code = lookup_check(check, table, &pool[i], &end);
        if (code != 0)
            return code;
        first += pool[i].count;
    }
    if (first != table->member_count)
        return check_fail(check, &table->member_count, "%u members, the pools have %u", table->member_count,
                          first);
    return used_slots_check(check, sl_balance_at(table, table->member_by_slot_offset), table->member_slots,
                            table->member_count);
}

int sl_balance_table_check(const struct sl_balance_table *table, uint64_t size, struct sl_error *error)
{
    static int (*const part[])(const struct check *, const struct sl_balance_table *) = {
        counts_check, spans_check, services_check, addresses_check, pools_check,
    };
    struct check check;
    int code = check_begin(&check, "balance", table, size, sizeof(*table), error);

    for (unsigned i = 0; code == 0 && i < sizeof(part) / sizeof(part[0]); i++)
        code = part[i](&check, table);
    return code;
}
