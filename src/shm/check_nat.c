// SPDX-License-Identifier: Apache-2.0
// Checks the NAT table: pools, addresses, rules, and that every array workers search by halves is sorted. See
// check.h for who calls it.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdalign.h>

#include "shm/check_span.h"

#define NAT_TIMEOUT_MOST_S 2000000u // in ms it still fits a signed 32-bit difference, about 24 days
#define NAT_ADDRESSES_MOST 65536u

struct sorted_address { // as sl_nat_table.address_sorted_offset says
    sl_be32 addr;
    uint32_t index;
};

static int timeouts_check(const struct check *check, const struct sl_nat_timeouts *timeouts)
{
    const uint32_t *seconds = &timeouts->udp;
    static_assert(sizeof(*timeouts) == 6 * sizeof(uint32_t), "six timeouts");

    for (unsigned i = 0; i < 6; i++)
        if (seconds[i] > NAT_TIMEOUT_MOST_S)
            return check_fail(check, &seconds[i], "a timeout of %u s, %u s is the most", seconds[i],
                              NAT_TIMEOUT_MOST_S);
    return 0;
}

static int pools_check(const struct check *check, const struct sl_nat_table *table)
{
    const struct sl_nat_pool *pool = (const void *)(check->base + table->pool_offset);

    for (uint32_t i = 0; i < table->pool_count; i++) {
        int code = check_text(check, pool[i].name, sizeof(pool[i].name), "a pool's name");
        if (code != 0)
            return code;
        if (pool[i].count == 0 || pool[i].first > table->address_count ||
            pool[i].count > table->address_count - pool[i].first)
            return check_fail(check, &pool[i], "pool %s has %u addresses from %u on, there are %u",
                              pool[i].name, pool[i].count, pool[i].first, table->address_count);
        if (pool[i].filtering > SL_NAT_FILTER_ADDRESS_PORT)
            return check_fail(check, &pool[i].filtering, "pool %s has filtering %u, which is none",
                              pool[i].name, pool[i].filtering);
    }
    return 0;
}

static int addresses_check(const struct check *check, const struct sl_nat_table *table)
{
    const sl_be32 *address = (const void *)(check->base + table->address_offset);
    const struct sorted_address *sorted = (const void *)(check->base + table->address_sorted_offset);

    for (uint32_t i = 0; i < table->address_count; i++) {
        if (sorted[i].index >= table->address_count || address[sorted[i].index] != sorted[i].addr)
            return check_fail(check, &sorted[i], "sorted address %u names pool address %u, which is another",
                              i, sorted[i].index);
        if (i > 0 && ntohl(sorted[i - 1].addr) >= ntohl(sorted[i].addr))
            return check_fail(check, &sorted[i], "pool addresses are not sorted, or one is there twice");
    }
    return 0;
}

static int sources_check(const struct check *check, const struct sl_nat_table *table)
{
    const struct sl_nat_source *source = (const void *)(check->base + table->source_offset);

    for (uint32_t i = 0; i < table->source_count; i++) {
        int code = check_prefix(check, &source[i].inside, "a source rule's prefix");
        if (code != 0)
            return code;
        if (source[i].pool >= table->pool_count)
            return check_fail(check, &source[i], "source rule %u names pool %u of %u", i, source[i].pool,
                              table->pool_count);
        if (source[i].port >= SL_MAX_PORTS)
            return check_fail(check, &source[i], "source rule %u names port slot %u, there are %d at most", i,
                              source[i].port, SL_MAX_PORTS);
    }
    return 0;
}

static int statics_check(const struct check *check, const struct sl_nat_table *table)
{
    const struct sl_nat_static *inside = (const void *)(check->base + table->static_offset);
    const struct sl_nat_static *outside = (const void *)(check->base + table->static_outside_offset);

    for (uint32_t i = 1; i < table->static_count; i++)
        if (ntohl(inside[i - 1].inside) >= ntohl(inside[i].inside))
            return check_fail(check, &inside[i],
                              "1:1 entries are not sorted by inside address, or one is there twice");
    for (uint32_t i = 1; i < table->static_outside_count; i++)
        if (ntohl(outside[i - 1].outside) >= ntohl(outside[i].outside))
            return check_fail(check, &outside[i],
                              "1:1 entries are not sorted by outside address, or one is there twice");
    return 0;
}

// Does `b` stand behind `a`, without a port in common?
static bool forward_follows(const struct sl_nat_forward *a, const struct sl_nat_forward *b)
{
    if (a->outside != b->outside)
        return ntohl(a->outside) < ntohl(b->outside);
    if (a->proto != b->proto)
        return a->proto < b->proto;
    return a->outside_last < b->outside_first;
}

static int forwards_check(const struct check *check, const struct sl_nat_table *table)
{
    const struct sl_nat_forward *forward = (const void *)(check->base + table->forward_offset);

    for (uint32_t i = 0; i < table->forward_count; i++) {
        const struct sl_nat_forward *f = &forward[i];
        if (f->proto != IPPROTO_TCP && f->proto != IPPROTO_UDP)
            return check_fail(check, f, "forward %u is of protocol %u, neither TCP nor UDP", i, f->proto);
        if (f->outside_first > f->outside_last ||
            f->inside_first + (f->outside_last - f->outside_first) > 65535)
            return check_fail(check, f, "forward %u is from ports %u-%u to %u on", i, f->outside_first,
                              f->outside_last, f->inside_first);
        if (i > 0 && !forward_follows(&forward[i - 1], f))
            return check_fail(check, f, "forwards are not sorted, or two have a port in common");
    }
    return 0;
}

static int spans_check(const struct check *check, const struct sl_nat_table *table)
{
    const struct check_array array[] = {
        {"pools", table->pool_offset, table->pool_count, sizeof(struct sl_nat_pool),
         alignof(struct sl_nat_pool)},
        {"pool addresses", table->address_offset, table->address_count, sizeof(sl_be32), alignof(sl_be32)},
        {"sorted addresses", table->address_sorted_offset, table->address_count,
         sizeof(struct sorted_address), alignof(struct sorted_address)},
        {"source rules", table->source_offset, table->source_count, sizeof(struct sl_nat_source),
         alignof(struct sl_nat_source)},
        {"1:1 entries", table->static_offset, table->static_count, sizeof(struct sl_nat_static),
         alignof(struct sl_nat_static)},
        {"1:1 entries by outside address", table->static_outside_offset, table->static_outside_count,
         sizeof(struct sl_nat_static), alignof(struct sl_nat_static)},
        {"forwards", table->forward_offset, table->forward_count, sizeof(struct sl_nat_forward),
         alignof(struct sl_nat_forward)},
    };
    int code = 0;

    if (table->address_count > NAT_ADDRESSES_MOST)
        return check_fail(check, &table->address_count, "%u pool addresses, %u are the most",
                          table->address_count, NAT_ADDRESSES_MOST);
    for (unsigned i = 0; code == 0 && i < sizeof(array) / sizeof(array[0]); i++)
        code = check_span(check, &array[i]);
    return code;
}

int sl_nat_table_check(const struct sl_nat_table *table, uint64_t size, struct sl_error *error)
{
    static int (*const part[])(const struct check *, const struct sl_nat_table *) = {
        spans_check, addresses_check, pools_check, sources_check, statics_check, forwards_check,
    };
    struct check check;
    int code = check_begin(&check, "nat", table, size, sizeof(*table), error);

    if (code == 0)
        code = timeouts_check(&check, &table->timeouts);
    for (unsigned i = 0; code == 0 && i < sizeof(part) / sizeof(part[0]); i++)
        code = part[i](&check, table);
    return code;
}
