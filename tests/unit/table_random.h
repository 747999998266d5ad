// SPDX-License-Identifier: Apache-2.0
// Random prefixes that nest and touch, and the naive table they are compared with. For the tests of src/table.
#ifndef TABLE_RANDOM_H
#define TABLE_RANDOM_H

#include <stdio.h>
#include <stdlib.h>
#include "base/ip.h"
#include "table/lpm_build.h"
#include "table/lpm_read.h"

struct random { // xorshift64*
    uint64_t state;
};

static inline uint64_t random_next(struct random *r)
{
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;
    return r->state * 0x2545f4914f6cdd1dULL;
}

static inline uint32_t random_below(struct random *r, uint32_t n)
{
    return (uint32_t)((random_next(r) >> 32) * n >> 32);
}

// The seed comes from SLUICE_TEST_SEED, or is the same each time; printed, so that a failure can be repeated.
static inline struct random random_seeded(const char *test)
{
    const char *text = getenv("SLUICE_TEST_SEED");
    struct random r = {.state = text ? strtoull(text, NULL, 0) : 20240607};

    printf("%s: seed %llu\n", test, (unsigned long long)r.state);
    return r;
}

// An address whose bytes come from a few values, so that prefixes of it meet; one in eight is anything.
static inline struct sl_ip random_ip(struct random *r, bool v4)
{
    static const uint8_t byte[] = {0, 1, 10, 127, 128, 254, 255};
    struct sl_ip ip = v4 ? sl_ip_v4(0) : (struct sl_ip){.b = {0x20, 0x01, 0x0d, 0xb8}};

    for (unsigned i = v4 ? 12 : 2; i < 16; i++)
        ip.b[i] = random_below(r, 8) == 0 ? (uint8_t)random_next(r) : byte[random_below(r, sizeof(byte))];
    if (!v4 && random_below(r, 8) == 0)
        ip.b[0] = (uint8_t)random_next(r) | 0x20;
    return ip;
}

static inline struct sl_prefix random_masked(struct sl_ip ip, unsigned len)
{
    unsigned bits = len + (sl_ip_is_v4(&ip) ? 96 : 0);
    struct sl_prefix prefix = {.ip = ip, .len = (uint8_t)len};

    for (unsigned bit = bits; bit < 128; bit++)
        prefix.ip.b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
    return prefix;
}

static inline struct sl_prefix random_prefix(struct random *r, bool v4)
{
    unsigned most = v4 ? 32 : 128;
    unsigned len = random_below(r, 4) == 0 ? 8 * random_below(r, most / 8 + 1) : random_below(r, most + 1);

    return random_masked(random_ip(r, v4), len);
}

struct naive { // prefixes one after another
    struct sl_lpm_item item[4096];
    size_t count;
};

static inline struct sl_lpm_item *naive_find(struct naive *naive, const struct sl_prefix *prefix)
{
    for (size_t i = 0; i < naive->count; i++)
        if (sl_prefix_compare(&naive->item[i].prefix, prefix) == 0)
            return &naive->item[i];
    return NULL;
}

static inline void naive_set(struct naive *naive, const struct sl_prefix *prefix, uint32_t value)
{
    struct sl_lpm_item *item = naive_find(naive, prefix);

    if (!item)
        item = &naive->item[naive->count++];
    *item = (struct sl_lpm_item){.prefix = *prefix, .value = value};
}

static inline void naive_remove(struct naive *naive, const struct sl_prefix *prefix)
{
    struct sl_lpm_item *item = naive_find(naive, prefix);

    *item = naive->item[--naive->count];
}

// Leaf of the longest prefix shorter than `len` that contains the address, 0 for none.
static inline uint32_t naive_lookup(const struct naive *naive, const struct sl_ip *ip, unsigned len)
{
    uint32_t leaf = 0;
    int best = -1;

    for (size_t i = 0; i < naive->count; i++) {
        const struct sl_lpm_item *item = &naive->item[i];
        if (item->prefix.len < len && item->prefix.len > best && sl_prefix_contains(&item->prefix, ip)) {
            best = item->prefix.len;
            leaf = sl_lpm_leaf(item->prefix.len, item->value);
        }
    }
    return leaf;
}

static inline uint32_t lookup(const struct sl_lpm *lpm, const struct sl_ip *ip)
{
    bool v4 = sl_ip_is_v4(ip);

    return sl_lpm_lookup(lpm, v4 ? &lpm->v4 : &lpm->v6, ip->b + (v4 ? 12 : 0));
}

// Builds a blob with `spare` free blocks; free() it. Sorts the items. NULL: no memory or not to be built.
static inline struct sl_lpm *blob_build(struct sl_lpm_item *item, size_t count, bool updates, uint64_t spare,
                                        uint64_t *size)
{
    struct sl_lpm_plan plan;

    *size = 0;
    if (sl_lpm_sort(item, count) != 0)
        return NULL;
    sl_lpm_plan(item, count, updates, &plan);
    *size = (plan.blocks + spare) * SL_LPM_BLOCK;
    struct sl_lpm *lpm = aligned_alloc(SL_LPM_BLOCK, *size);
    if (!lpm)
        return NULL;
    memset(lpm, 0, *size);
    if (sl_lpm_build(item, count, &plan, lpm, *size) == 0)
        return lpm;
    free(lpm);
    return NULL;
}

#endif
