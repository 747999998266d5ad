// SPDX-License-Identifier: Apache-2.0
// Changes of a balance table that workers are reading: words, then entries, then sizes, one aligned atomic store each.
// See shm/balance.h for what readers see meanwhile. Control's main thread is the one writer.
#include <errno.h>
#include <stdlib.h>
#include "table/balance_read.h"
#include "table/balance_table.h"

static void *at(struct sl_balance_table *table, uint64_t offset)
{
    return (uint8_t *)table + offset;
}

// ---- epochs -------------------------------------------------------------------------------------------------
// Before the first store: a reader whose checksum is wrong because of it finds the epoch above zero.
static void update_begin(struct sl_balance_table *table)
{
    if (__atomic_load_n(&table->epoch, __ATOMIC_RELAXED) != 0)
        return;
    __atomic_store_n(&table->epoch, 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

static void count_up(uint64_t *epoch)
{
    __atomic_store_n(epoch, __atomic_load_n(epoch, __ATOMIC_RELAXED) + 1, __ATOMIC_RELEASE);
}

// ---- one pool -----------------------------------------------------------------------------------------------
// Makes the lookup in force what `entry` says. Whoever took the old size still finds members in all of it: entries
// beyond the new one stay as they are.
static void lookup_store(struct sl_balance_table *table, struct sl_balance_pool *pool, const uint16_t *entry,
                         uint32_t size)
{
    uint16_t *live = at(table, pool->lookup_offset);

    for (uint32_t i = 0; i < size; i++)
        if (live[i] != entry[i])
            __atomic_store_n(&live[i], entry[i], __ATOMIC_RELAXED);
    __atomic_store_n(&pool->lookup_size, size, __ATOMIC_RELEASE);
}

// Do its flows have to go? Then workers look through theirs.
static bool flows_must_go(const struct sl_balance_pool *pool, enum sl_balance_state state)
{
    return state == SL_BALANCE_FLUSH || (state == SL_BALANCE_DOWN && pool->on_down != SL_BALANCE_KEEP);
}

static bool change_valid(const struct sl_balance_pool *pool, const struct sl_balance_change *change)
{
    return change->member < pool->count && change->state < SL_BALANCE_STATES;
}

// Returns true where flows have to go that had not to before.
static bool change_store(const struct sl_balance_pool *pool, struct sl_balance_member *member,
                         const struct sl_balance_change *change)
{
    enum sl_balance_state before = sl_balance_word_state(sl_balance_word(member));

    __atomic_store_n(&member->since_ns, change->since_ns, __ATOMIC_RELAXED);
    __atomic_store_n(&member->note, change->note, __ATOMIC_RELAXED);
    __atomic_store_n(&member->word, SL_BALANCE_WORD(change->state, change->weight), __ATOMIC_RELEASE);
    return before != change->state && flows_must_go(pool, change->state);
}

// The lookup as it will be, into `entry`: from a copy of the members with the changes in it.
static int64_t lookup_after(const struct sl_balance_pool *pool, const struct sl_balance_member *member,
                            const struct sl_balance_change *change, uint32_t count, uint16_t *entry)
{
    struct sl_balance_member *after = malloc((pool->count + 1ull) * sizeof(*after));

    if (!after)
        return -ENOMEM;
    memcpy(after, member, pool->count * sizeof(*after));
    for (uint32_t i = 0; i < count; i++)
        after[change[i].member].word = SL_BALANCE_WORD(change[i].state, change[i].weight);
    int64_t size = sl_balance_lookup_build(pool, after, entry);
    free(after);
    return size;
}

static void pool_store(struct sl_balance_table *table, struct sl_balance_pool *pool,
                       const struct sl_balance_change *change, uint32_t count, const uint16_t *entry,
                       uint32_t size)
{
    struct sl_balance_member *member =
        (struct sl_balance_member *)at(table, table->member_offset) + pool->first;
    bool sweep = false;

    update_begin(table);
    for (uint32_t i = 0; i < count; i++)
        sweep |= change_store(pool, &member[change[i].member], &change[i]);
    lookup_store(table, pool, entry, size);
    if (sweep)
        count_up(&table->sweep_epoch);
    count_up(&table->epoch);
}

int sl_balance_update(struct sl_balance_table *table, uint32_t index, const struct sl_balance_change *change,
                      uint32_t count)
{
    struct sl_balance_pool *pool = (struct sl_balance_pool *)at(table, table->pool_offset) + index;

    if (index >= table->pool_count)
        return -EINVAL;
    for (uint32_t i = 0; i < count; i++)
        if (!change_valid(pool, &change[i]))
            return -EINVAL;
    uint16_t *entry = malloc((pool->lookup_capacity + 1ull) * sizeof(*entry));
    if (!entry)
        return -ENOMEM;
    int64_t size = lookup_after(pool, &sl_balance_members(table)[pool->first], change, count, entry);
    if (size >= 0)
        pool_store(table, pool, change, count, entry, (uint32_t)size);
    free(entry);
    return size < 0 ? (int)size : 0;
}

int sl_balance_repair(struct sl_balance_table *table)
{
    int code = 0;

    for (uint32_t i = 0; code == 0 && i < table->pool_count; i++)
        code = sl_balance_update(table, i, NULL, 0);
    update_begin(table);
    count_up(&table->sweep_epoch); // a state may have been stored that nobody was told of
    count_up(&table->epoch);
    return code;
}
