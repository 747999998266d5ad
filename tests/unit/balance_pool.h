// SPDX-License-Identifier: Apache-2.0
// Pools for the tests of src/table/balance_*: members by number, lookups built and counted.
#ifndef BALANCE_POOL_H
#define BALANCE_POOL_H

#include <stdlib.h>
#include <string.h>
#include "table/balance_read.h"
#include "table/balance_table.h"
#include "table_random.h"

struct test_pool {
    struct sl_balance_pool pool;
    struct sl_balance_member *member;
    uint16_t *entry; // its lookup, after pool_build()
    uint32_t size;
    uint32_t *count; // entries by member
    uint64_t weights;
};

static inline struct sl_balance_member member_numbered(uint32_t number, uint32_t weight)
{
    return (struct sl_balance_member){
        .ip = sl_ip_v4(__builtin_bswap32(0x0a000000 + number)),
        .port = 80,
        .weight = (uint16_t)weight,
        .word = SL_BALANCE_WORD(SL_BALANCE_UP, weight),
    };
}

static inline struct test_pool pool_new(uint8_t method, uint32_t members)
{
    struct test_pool p = {
        .pool = {.name = "test", .method = method, .count = members},
        .member = calloc(members + 1, sizeof(*p.member)),
        .count = calloc(members + 1, sizeof(*p.count)),
    };

    for (uint32_t i = 0; i < members; i++)
        p.member[i] = member_numbered(i + 1, 1);
    p.entry = calloc(sl_balance_lookup_capacity(&p.pool) + 1, sizeof(*p.entry));
    return p;
}

static inline void pool_free(struct test_pool *p)
{
    free(p->member);
    free(p->entry);
    free(p->count);
}

static inline void pool_weight(struct test_pool *p, uint32_t member, uint32_t weight)
{
    p->member[member].word = SL_BALANCE_WORD(SL_BALANCE_UP, weight);
}

static inline void pool_state(struct test_pool *p, uint32_t member, enum sl_balance_state state)
{
    p->member[member].word = SL_BALANCE_WORD(state, p->member[member].word & 0xffff);
}

// Builds and counts. False: it could not be, or an entry is no member's.
static inline bool pool_build(struct test_pool *p)
{
    int64_t size = sl_balance_lookup_build(&p->pool, p->member, p->entry);

    if (size < 0 || size > sl_balance_lookup_capacity(&p->pool))
        return false;
    p->size = (uint32_t)size;
    p->weights = 0;
    memset(p->count, 0, p->pool.count * sizeof(*p->count));
    for (uint32_t i = 0; i < p->size; i++) {
        if (p->entry[i] >= p->pool.count)
            return false;
        p->count[p->entry[i]]++;
    }
    for (uint32_t i = 0; i < p->pool.count; i++)
        p->weights +=
            sl_balance_word_eligible(p->member[i].word) ? sl_balance_word_weight(p->member[i].word) : 0;
    return true;
}

// Entries a member should have by its weight.
static inline double pool_share(const struct test_pool *p, uint32_t member)
{
    return (double)p->size * sl_balance_word_weight(p->member[member].word) / (double)p->weights;
}

#endif
