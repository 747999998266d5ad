// SPDX-License-Identifier: Apache-2.0
// To whoever has the fewest flows, as they are or in proportion to the weight, over the whole pool. Where several have
// as few, the next in turn: behind the member that was chosen last.
//
// A pool's members are the leaves of a binary tree whose every node is the lesser of the two below it:
//
//                 node[1]                node[i] = min(node[2i], node[2i + 1])
//            [2]          [3]            a member's leaf: node[leaves + its index in the pool]
//         [4]    [5]   [6]    [7]        who may not be chosen, and leaves without a member: infinite
//
// A load is flows / weight as a double. Two different ones, of flows below 2^32 and weights below 2^16, differ by more
// than 2^-48 of themselves, and a double tells 2^-53 apart: so equal loads are equal doubles, and others keep their
// order. The tree is built when it is first asked, and again when control has changed the table in place; in between it
// follows the counts (balance_load_changed()). Limits that members have are asked when they would be chosen.
#include "balance/least.h"

#include <math.h>
#include <stdlib.h>
#include "balance/method.h"

#define PASSED 256 // members that are passed over for one flow, because they have as many as they may

// ---- the tree -----------------------------------------------------------------------------------------------
static void leaf_set(struct balance_loads *loads, uint32_t leaf, double load)
{
    uint32_t i = loads->leaves + leaf;
    double *node = loads->node;

    node[i] = load;
    while (i > 1) {
        i /= 2;
        double least = node[2 * i] < node[2 * i + 1] ? node[2 * i] : node[2 * i + 1];
        if (node[i] == least)
            break;
        node[i] = least;
    }
}

// The first leaf from this one on that is as small as any; SL_BALANCE_NONE: it lies before.
static uint32_t least_from(const struct balance_loads *loads, uint32_t leaf)
{
    const double *node = loads->node, least = node[1];
    uint32_t i = loads->leaves + leaf;

    if (node[i] == least)
        return leaf;
    while (i > 1 && (i % 2 == 1 || node[i + 1] != least))
        i /= 2;
    if (i == 1)
        return SL_BALANCE_NONE;
    for (i++; i < loads->leaves;)
        i = node[2 * i] == least ? 2 * i : 2 * i + 1;
    return i - loads->leaves;
}

static double load_of(const struct balance *balance, const struct sl_balance_pool *pool,
                      const struct sl_balance_member *member)
{
    uint32_t weight = sl_balance_word_weight(sl_balance_word(member));
    double flows = balance_member_flows(balance, member);

    if (weight == 0)
        return INFINITY;
    return pool->method == SL_BALANCE_WEIGHTED_LEAST ? flows / weight : flows;
}

// Who is in the lookup: those that are eligible, and backups only where their turn has come.
static void tree_build(struct balance_loads *loads, const struct balance_choice *choice)
{
    for (uint32_t i = 0; i < 2 * loads->leaves; i++)
        loads->node[i] = INFINITY;
    for (uint32_t at = 0; at < choice->lookup.size; at++) {
        uint32_t index = sl_balance_entry(&choice->lookup, at);
        loads->node[loads->leaves + index] = load_of(choice->balance, choice->pool, &choice->member[index]);
    }
    for (uint32_t i = loads->leaves - 1; i > 0; i--)
        loads->node[i] =
            loads->node[2 * i] < loads->node[2 * i + 1] ? loads->node[2 * i] : loads->node[2 * i + 1];
}

// ---- room ---------------------------------------------------------------------------------------------------
static bool goes_by_loads(const struct sl_balance_pool *pool)
{
    return pool->method == SL_BALANCE_LEAST || pool->method == SL_BALANCE_WEIGHTED_LEAST;
}

static uint32_t leaves_of(const struct sl_balance_pool *pool)
{
    uint32_t leaves = 1;

    while (leaves < pool->count)
        leaves *= 2;
    return goes_by_loads(pool) && pool->count > 0 ? leaves : 0;
}

static size_t nodes_of(const struct balance_binding *binding)
{
    size_t nodes = 0;

    for (uint32_t p = 0; p < binding->table->pool_count; p++)
        nodes += 2ull * leaves_of(&sl_balance_pools(binding->table)[p]);
    return nodes * binding->workers;
}

bool balance_loads_allocate(struct balance_binding *binding)
{
    uint32_t pools = binding->table->pool_count;
    size_t nodes = nodes_of(binding);

    if (nodes == 0)
        return true;
    binding->loads = calloc((size_t)pools * binding->workers, sizeof(*binding->loads));
    binding->load_nodes = calloc(nodes, sizeof(*binding->load_nodes));
    if (binding->loads == NULL || binding->load_nodes == NULL)
        return false;
    double *node = binding->load_nodes;
    for (uint32_t i = 0; i < pools * binding->workers; i++) {
        uint32_t leaves = leaves_of(&sl_balance_pools(binding->table)[i % pools]);
        binding->loads[i] = (struct balance_loads){.node = node, .leaves = leaves};
        node += 2ull * leaves;
    }
    return true;
}

void balance_loads_free(struct balance_binding *binding)
{
    free(binding->loads);
    free(binding->load_nodes);
}

// ---- the worker's -------------------------------------------------------------------------------------------
static struct balance_loads *loads_of(const struct balance *balance, const struct balance_binding *binding,
                                      uint32_t pool_index)
{
    return &binding->loads[balance->worker * binding->table->pool_count + pool_index];
}

void balance_load_changed(const struct balance *balance, const struct balance_binding *binding,
                          uint32_t member_slot)
{
    if (binding == NULL || likely(binding->loads == NULL))
        return;
    const struct sl_balance_member *member = sl_balance_member_by_slot(binding->table, member_slot);
    if (member == NULL)
        return;
    const struct sl_balance_pool *pool = &sl_balance_pools(binding->table)[member->pool];
    struct balance_loads *loads = loads_of(balance, binding, member->pool);
    uint32_t leaf = (uint32_t)(member - sl_balance_members(binding->table)) - pool->first;
    if (loads->leaves > 0 && loads->built && !isinf(loads->node[loads->leaves + leaf]))
        leaf_set(loads, leaf, load_of(balance, pool, member));
}

// Current: as far as control's changes have been told of. What it is storing just now is seen when its epoch moves.
static struct balance_loads *loads_take(const struct balance_choice *choice)
{
    const struct sl_balance_table *table = choice->binding->table;
    uint64_t epoch = __atomic_load_n(&table->epoch, __ATOMIC_ACQUIRE);
    struct balance_loads *loads =
        loads_of(choice->balance, choice->binding, (uint32_t)(choice->pool - sl_balance_pools(table)));

    if (unlikely(!loads->built || loads->epoch != epoch)) {
        struct balance_choice now = *choice;
        now.lookup = sl_balance_lookup(table, choice->pool); // of this epoch or later
        tree_build(loads, &now);
        loads->built = true;
        loads->epoch = epoch;
    }
    return loads;
}

// Those passed over are out of the tree until the choice is made.
static uint32_t pick(struct balance_choice *choice)
{
    struct balance_loads *loads = loads_take(choice);
    uint32_t start = *choice->cursor % loads->leaves, passed[PASSED], count = 0, found = SL_BALANCE_NONE;

    while (count < PASSED && !isinf(loads->node[1])) {
        uint32_t leaf = least_from(loads, start);
        leaf = leaf == SL_BALANCE_NONE ? least_from(loads, 0) : leaf;
        if (likely(balance_member_takes(choice, &choice->member[leaf]))) {
            found = leaf;
            *choice->cursor = leaf + 1;
            break;
        }
        passed[count++] = leaf;
        leaf_set(loads, leaf, INFINITY);
    }
    while (count > 0) {
        uint32_t leaf = passed[--count];
        leaf_set(loads, leaf, load_of(choice->balance, choice->pool, &choice->member[leaf]));
    }
    return found;
}

const struct balance_method balance_least = {.pick = pick};
const struct balance_method balance_weighted_least = {.pick = pick};
