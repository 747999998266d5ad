// SPDX-License-Identifier: Apache-2.0
// The lookup of a pool, by method: who is eligible, then one small function each, behind a const table. Called by
// control when a table is built or changed, and by tests; pure.
#include <errno.h>
#include <stdlib.h>
#include "table/balance_lookup.h"
#include "table/balance_read.h"

#define CLASS_LEAST 16 // members that room is made for at least

// ---- sizes --------------------------------------------------------------------------------------------------
// Members that a pool's lookup is sized for: a power of two, so that it stays while some come and go.
static uint32_t member_class(uint32_t count)
{
    uint32_t class = CLASS_LEAST;

    while (class < count)
        class *= 2;
    return class;
}

static uint32_t capacity_list(const struct sl_balance_pool *pool)
{
    return pool->count;
}

static uint32_t capacity_weighted(const struct sl_balance_pool *pool)
{
    return SL_BALANCE_ENTRIES * member_class(pool->count);
}

static uint32_t capacity_maglev(const struct sl_balance_pool *pool)
{
    uint32_t size = pool->maglev_size ? pool->maglev_size : capacity_weighted(pool);

    if (pool->maglev_size == 0 && size < BALANCE_SIZE_LEAST)
        size = BALANCE_SIZE_LEAST;
    if (size > SL_BALANCE_SIZE_MOST)
        size = SL_BALANCE_SIZE_MOST;
    return size < pool->count ? pool->count : size; // an entry each, if not more
}

// ---- methods ------------------------------------------------------------------------------------------------
// Each fills entry[size] and returns how many are in force, or -ENOMEM. There is one candidate at least.
static int64_t fill_list(const struct balance_candidates *candidates, const struct sl_balance_pool *pool,
                         uint16_t *entry, uint32_t size)
{
    for (uint32_t i = 0; i < candidates->count; i++)
        entry[i] = candidates->list[i].member;
    return candidates->count;
}

static int64_t fill_maglev(const struct balance_candidates *candidates, const struct sl_balance_pool *pool,
                           uint16_t *entry, uint32_t size)
{
    int code = balance_maglev_fill(candidates, member_class(pool->count), entry, size);

    return code == 0 ? (int64_t)size : code;
}

// Where the j-th of a member's `quota` entries would like to be, of `size`: evenly spread, half a step in.
static uint32_t wish(uint32_t j, uint32_t quota, uint32_t size)
{
    return (uint32_t)((2ull * j + 1) * size / (2ull * quota));
}

// Entries of a candidate, the weights of those before it being `before`: sums round, so that together they are `size`.
static uint32_t quota_of(const struct balance_candidates *candidates, uint32_t i, uint64_t before,
                         uint32_t size)
{
    uint64_t weights = candidates->weights;

    return (uint32_t)((before + candidates->list[i].weight) * size / weights - before * size / weights);
}

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
    while (b) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

// Entries that say the weights exactly, where that is less than there are.
static uint32_t weighted_size(const struct balance_candidates *candidates, uint32_t size)
{
    uint32_t divisor = 0;

    for (uint32_t i = 0; i < candidates->count; i++)
        divisor = common_divisor(candidates->list[i].weight, divisor);
    return candidates->weights / divisor < size ? (uint32_t)(candidates->weights / divisor) : size;
}

// Counting sort of all wishes. Wishes of one place go by the order of the pool.
static int64_t fill_weighted(const struct balance_candidates *candidates, const struct sl_balance_pool *pool,
                             uint16_t *entry, uint32_t size)
{
    uint32_t used = weighted_size(candidates, size);
    uint32_t *start = calloc(used + 1ull, sizeof(*start));

    if (!start)
        return -ENOMEM;
    for (uint32_t pass = 0; pass < 2; pass++) {
        uint64_t before = 0;
        for (uint32_t i = 0; i < candidates->count; i++) {
            uint32_t quota = quota_of(candidates, i, before, used);
            for (uint32_t j = 0; j < quota; j++) {
                uint32_t place = wish(j, quota, used);
                if (pass == 0)
                    start[place + 1]++;
                else
                    entry[start[place]++] = candidates->list[i].member;
            }
            before += candidates->list[i].weight;
        }
        for (uint32_t i = 0; pass == 0 && i < used; i++)
            start[i + 1] += start[i];
    }
    free(start);
    return used;
}

static const struct method {
    uint32_t (*capacity)(const struct sl_balance_pool *pool);
    int64_t (*fill)(const struct balance_candidates *candidates, const struct sl_balance_pool *pool,
                    uint16_t *entry, uint32_t size);
} method_table[SL_BALANCE_METHODS] = {
    [SL_BALANCE_MAGLEV] = {capacity_maglev, fill_maglev},
    [SL_BALANCE_ROUND_ROBIN] = {capacity_list, fill_list},
    [SL_BALANCE_WEIGHTED_ROUND_ROBIN] = {capacity_weighted, fill_weighted},
    [SL_BALANCE_LEAST] = {capacity_list, fill_list},
    [SL_BALANCE_WEIGHTED_LEAST] = {capacity_list, fill_list},
    [SL_BALANCE_SOURCE_HASH] = {capacity_maglev, fill_maglev},
    [SL_BALANCE_TWO_CHOICES] = {capacity_weighted, fill_weighted},
};

uint32_t sl_balance_lookup_capacity(const struct sl_balance_pool *pool)
{
    return pool->count == 0 || pool->method >= SL_BALANCE_METHODS ? 0
                                                                  : method_table[pool->method].capacity(pool);
}

// ---- candidates ---------------------------------------------------------------------------------------------
// Those that are eligible and are backups, or are none.
static void candidates_take(struct balance_candidates *candidates, const struct sl_balance_pool *pool,
                            const struct sl_balance_member *member, bool backup)
{
    for (uint32_t i = 0; i < pool->count; i++) {
        uint32_t word = sl_balance_word(&member[i]);
        if (!sl_balance_word_eligible(word) || !(member[i].flags & SL_BALANCE_BACKUP) == backup)
            continue;
        candidates->list[candidates->count++] = (struct balance_candidate){
            .ip = member[i].ip,
            .weight = sl_balance_word_weight(word),
            .port = member[i].port,
            .member = (uint16_t)i,
        };
        candidates->weights += sl_balance_word_weight(word);
    }
}

// The power of two above the mean weight.
static uint32_t usual_weight(const struct sl_balance_pool *pool, const struct sl_balance_member *member)
{
    uint64_t weights = 0;
    uint32_t usual = 1;

    for (uint32_t i = 0; i < pool->count; i++)
        weights += sl_balance_word_weight(sl_balance_word(&member[i]));
    while ((uint64_t)usual * pool->count < weights)
        usual *= 2;
    return usual;
}

int64_t sl_balance_lookup_build(const struct sl_balance_pool *pool, const struct sl_balance_member *member,
                                uint16_t *entry)
{
    struct balance_candidates candidates = {.list = calloc(pool->count + 1ull, sizeof(*candidates.list))};
    int64_t size = 0;

    if (!candidates.list)
        return -ENOMEM;
    candidates_take(&candidates, pool, member, false);
    if (candidates.count == 0)
        candidates_take(&candidates, pool, member, true);
    candidates.usual_weight = usual_weight(pool, member);
    if (candidates.count > 0)
        size = method_table[pool->method].fill(&candidates, pool, entry, sl_balance_lookup_capacity(pool));
    free(candidates.list);
    return size;
}
