// SPDX-License-Identifier: Apache-2.0
// Checks the route table: next hops, groups, tries. See check.h for who calls it. Control may be updating the
// table in place meanwhile, so everything up to the capacities is checked (not up to the counts, which grow),
// and what is looked at twice is copied first.
#include <errno.h>
#include <stdalign.h>
#include <inttypes.h>

#include "shm/check_span.h"
#include "table/lpm_build.h"

static int group_check(const struct check *check, const struct sl_route_table *table,
                       const struct sl_nexthop *where, struct sl_nexthop group)
{
    if (group.group_count == 0)
        return check_fail(check, where, "a group of no next hops");
    if (group.group_first > table->group_capacity ||
        group.group_count > table->group_capacity - group.group_first)
        return check_fail(check, where, "a group's slots %u..%" PRIu64 " are beyond the %u there are",
                          group.group_first, (uint64_t)group.group_first + group.group_count - 1,
                          table->group_capacity);
    return 0;
}

static int nexthop_check(const struct check *check, const struct sl_route_table *table,
                         const struct sl_nexthop *where)
{
    struct sl_nexthop nexthop = *where;

    if (nexthop.kind >= SL_NEXTHOP_KINDS)
        return check_fail(check, where, "next hop of kind %u, which is none", nexthop.kind);
    if (nexthop.kind == SL_NEXTHOP_GROUP)
        return group_check(check, table, where, nexthop);
    if (nexthop.port >= SL_MAX_PORTS)
        return check_fail(check, where, "next hop on port slot %u, there are %d at most", nexthop.port,
                          SL_MAX_PORTS);
    return 0;
}

static int nexthops_check(const struct check *check, const struct sl_route_table *table)
{
    const struct sl_nexthop *nexthop = (const void *)(check->base + table->nexthop_offset);
    int code = 0;

    if (table->nexthop_capacity == 0 || table->nexthop_capacity > SL_LPM_VALUE_MASK)
        return check_fail(check, &table->nexthop_capacity, "room for %u next hops, it must be 1 to %u",
                          table->nexthop_capacity, SL_LPM_VALUE_MASK);
    if (nexthop[0].kind != SL_NEXTHOP_NONE)
        return check_fail(check, nexthop, "next hop 0 must mean \"no route\", it is of kind %u",
                          nexthop[0].kind);
    for (uint32_t i = 0; code == 0 && i < table->nexthop_capacity; i++)
        code = nexthop_check(check, table, &nexthop[i]);
    return code;
}

static int slots_check(const struct check *check, const struct sl_route_table *table)
{
    const struct sl_nexthop *nexthop = (const void *)(check->base + table->nexthop_offset);
    const uint32_t *slot = (const void *)(check->base + table->group_offset);

    for (uint32_t i = 0; i < table->group_capacity; i++) {
        uint32_t index = slot[i];
        if (index >= table->nexthop_capacity)
            return check_fail(check, &slot[i], "group slot %u names next hop %u of %u", i, index,
                              table->nexthop_capacity);
        if (nexthop[index].kind == SL_NEXTHOP_GROUP)
            return check_fail(check, &slot[i], "group slot %u names next hop %u, which is a group again", i,
                              index);
    }
    return 0;
}

static int trie_check(const struct check *check, const struct sl_route_table *table)
{
    const void *blob = check->base + table->lpm_offset;
    int code = sl_lpm_check(blob, table->lpm_size, table->nexthop_capacity - 1);

    if (code == -ENOMEM)
        return sl_error_set(check->error, -ENOMEM, "out of memory while checking the routes");
    if (code != 0)
        return check_fail(check, blob,
                          "the routes' trie points outside itself or at a next hop that is none");
    return 0;
}

int sl_route_table_check(const struct sl_route_table *table, uint64_t size, struct sl_error *error)
{
    struct check check;
    int code = check_begin(&check, "route", table, size, sizeof(*table), error);

    if (code != 0)
        return code;
    const struct check_array array[] = {
        {"next hops", table->nexthop_offset, table->nexthop_capacity, sizeof(struct sl_nexthop),
         alignof(struct sl_nexthop)},
        {"group slots", table->group_offset, table->group_capacity, sizeof(uint32_t), alignof(uint32_t)},
        {"trie bytes", table->lpm_offset, table->lpm_size, 1, SL_LPM_BLOCK},
    };
    for (unsigned i = 0; code == 0 && i < sizeof(array) / sizeof(array[0]); i++)
        code = check_span(&check, &array[i]);
    if (code == 0)
        code = nexthops_check(&check, table);
    if (code == 0)
        code = slots_check(&check, table);
    return code == 0 ? trie_check(&check, table) : code;
}
