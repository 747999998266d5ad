// SPDX-License-Identifier: Apache-2.0
// A node of the longest-prefix-match trie as its writers hold it: a list of runs, or 256 slots one by one. Shared by
// lpm_build.c and lpm_update.c; not for others. Control, any thread.
#ifndef SL_TABLE_LPM_NODE_H
#define SL_TABLE_LPM_NODE_H

#include <string.h>
#include "base/ip.h"
#include "table/lpm_read.h"

#define LPM_SLOTS 256

// Length that fits the family, host bits zero.
static inline bool lpm_prefix_valid(const struct sl_prefix *prefix)
{
    bool v4 = sl_ip_is_v4(&prefix->ip);
    uint32_t len = prefix->len + (v4 ? 96u : 0);
    uint64_t high = __builtin_bswap64(prefix->ip.q[0]);
    uint64_t low = __builtin_bswap64(prefix->ip.q[1]);

    if (len > 128)
        return false;
    if (len >= 64)
        return len == 128 || (low & (~0ULL >> (len - 64))) == 0;
    return low == 0 && (high & (~0ULL >> len)) == 0;
}

struct lpm_runs {
    uint32_t count;
    uint8_t start[LPM_SLOTS]; // ascending, start[0] is 0
    uint32_t entry[LPM_SLOTS];
};

static inline void lpm_runs_init(struct lpm_runs *runs, uint32_t background)
{
    runs->count = 1;
    runs->start[0] = 0;
    runs->entry[0] = background;
}

// The last run that begins at or before the slot.
static inline uint32_t lpm_runs_at(const struct lpm_runs *runs, uint32_t slot)
{
    uint32_t i = runs->count - 1;

    while (runs->start[i] > slot)
        i--;
    return i;
}

static inline void lpm_runs_insert(struct lpm_runs *runs, uint32_t i, uint32_t start, uint32_t entry)
{
    memmove(&runs->start[i + 1], &runs->start[i], (runs->count - i) * sizeof(runs->start[0]));
    memmove(&runs->entry[i + 1], &runs->entry[i], (runs->count - i) * sizeof(runs->entry[0]));
    runs->start[i] = (uint8_t)start;
    runs->entry[i] = entry;
    runs->count++;
}

// Gives slots first..first+count-1 an entry. They must lie within one run, which is so when prefixes come in the order
// of sl_prefix_compare(): outer before inner, left before right. Then only a few runs stand behind, and this is short.
static inline void lpm_runs_paint(struct lpm_runs *runs, uint32_t first, uint32_t count, uint32_t entry)
{
    uint32_t i = lpm_runs_at(runs, first);
    uint32_t under = runs->entry[i];
    uint32_t end = i + 1 < runs->count ? runs->start[i + 1] : LPM_SLOTS;

    if (runs->start[i] == first)
        runs->entry[i] = entry;
    else
        lpm_runs_insert(runs, ++i, first, entry);
    if (first + count < end)
        lpm_runs_insert(runs, i + 1, first + count, under);
}

// Joins neighbors that say the same.
static inline void lpm_runs_merge(struct lpm_runs *runs)
{
    uint32_t kept = 1;

    for (uint32_t i = 1; i < runs->count; i++) {
        if (runs->entry[i] == runs->entry[kept - 1])
            continue;
        runs->start[kept] = runs->start[i];
        runs->entry[kept++] = runs->entry[i];
    }
    runs->count = kept;
}

static inline void lpm_runs_from_slots(struct lpm_runs *runs, const uint32_t slot[LPM_SLOTS])
{
    lpm_runs_init(runs, slot[0]);
    for (uint32_t i = 1; i < LPM_SLOTS; i++) {
        if (slot[i] == slot[i - 1])
            continue;
        runs->start[runs->count] = (uint8_t)i;
        runs->entry[runs->count++] = slot[i];
    }
}

static inline uint32_t lpm_node_runs(const struct sl_lpm_node *node)
{
    return sl_lpm_run(node->starts, LPM_SLOTS - 1) + 1;
}

// The runs' entries: those behind the eighth follow the first block without a gap.
static inline uint32_t *lpm_node_entries(struct sl_lpm_node *node)
{
    return (uint32_t *)(node->starts + 4);
}

static inline void lpm_node_expand(struct sl_lpm_node *node, uint32_t slot[LPM_SLOTS])
{
    const uint32_t *entry = lpm_node_entries(node) - 1;

    for (uint32_t i = 0; i < LPM_SLOTS; i++) {
        entry += node->starts[i / 64] >> (i % 64) & 1;
        slot[i] = *entry;
    }
}

// Writes a node that nobody reads yet.
static inline void lpm_node_write(struct sl_lpm_node *node, const struct lpm_runs *runs)
{
    memset(node->starts, 0, sizeof(node->starts));
    for (uint32_t i = 0; i < runs->count; i++)
        node->starts[runs->start[i] / 64] |= 1ULL << (runs->start[i] % 64);
    memcpy(lpm_node_entries(node), runs->entry, runs->count * sizeof(runs->entry[0]));
}

#endif
