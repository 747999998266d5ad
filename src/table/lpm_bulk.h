// SPDX-License-Identifier: Apache-2.0
// Lookup of a burst of addresses at once: every level is one pass over the burst that prefetches what the
// next pass will touch, so that the misses of up to 64 packets overlap. Called by workers in the route stage
// and the prefilter stage; same rules as lpm_read.h.
#ifndef SL_TABLE_LPM_BULK_H
#define SL_TABLE_LPM_BULK_H

#include "base/ip.h"
#include "table/lpm_read.h"

#define SL_LPM_BULK_MAX 64

// For each of `count` (at most SL_LPM_BULK_MAX) addresses in network byte order: the leaf that covers it, 0
// for none; see sl_lpm_value() and sl_lpm_length().
static inline void sl_lpm_lookup_bulk_v4(const struct sl_lpm *lpm, const sl_be32 *addr, uint32_t *leaf,
                                         unsigned count);
// The same for IPv6; `addr` points at each address (in the packet's key, say).
static inline void sl_lpm_lookup_bulk_v6(const struct sl_lpm *lpm, const struct sl_ip *const *addr,
                                         uint32_t *leaf, unsigned count);

// Prefetches the root entry of an address whose lookup will come soon (optional: the bulk lookups do it
// themselves).
static inline void sl_lpm_prefetch_v4(const struct sl_lpm *lpm, sl_be32 addr)
{
    const uint32_t *root = (const uint32_t *)sl_lpm_fetch(lpm, lpm->v4.root_block);

    __builtin_prefetch(&root[__builtin_bswap32(addr) >> (32 - lpm->v4.root_bits)]);
}

// The lookups of a burst that have not come to a leaf yet. Whether one goes on is as good as random, so nothing here
// branches on it: finished ones are overwritten by the next.
struct sl_lpm_walk {
    const struct sl_lpm_node *node[SL_LPM_BULK_MAX];
    const uint32_t *entry[SL_LPM_BULK_MAX];
    uint8_t index[SL_LPM_BULK_MAX]; // place in the caller's arrays
};

// Notes lookup `index`, which has come to `entry`, at place `left` and prefetches its node. Returns 1 where it goes
// on; a finished one prefetches the header, which is in the cache.
SL_LPM_INLINE unsigned sl_lpm_walk_note(const struct sl_lpm *lpm, struct sl_lpm_walk *walk, unsigned left,
                                        unsigned index, uint32_t entry)
{
    uint32_t child = entry >> 31;
    const void *node = sl_lpm_fetch(lpm, entry & ~SL_LPM_CHILD & -child);

    walk->node[left] = (const struct sl_lpm_node *)node;
    walk->index[left] = (uint8_t)index;
    __builtin_prefetch(node);
    return child;
}

// Finds the entry of `slot` in the walk's i-th node, and prefetches it: it may lie in a later block.
SL_LPM_INLINE void sl_lpm_walk_find(struct sl_lpm_walk *walk, unsigned i, uint32_t slot)
{
    const struct sl_lpm_node *node = walk->node[i];

    // Runs 8 and up follow the first block without a gap: the node is one array of entries behind `starts`.
    walk->entry[i] = (const uint32_t *)(node->starts + 4) + sl_lpm_run(node->starts, slot);
    __builtin_prefetch(walk->entry[i]);
}

// Loads what was found. Returns how many go on.
SL_LPM_INLINE unsigned sl_lpm_walk_load(const struct sl_lpm *lpm, struct sl_lpm_walk *walk, unsigned left,
                                        uint32_t *leaf)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < left; i++) {
        uint32_t entry = sl_lpm_load(walk->entry[i]);
        unsigned index = walk->index[i];

        leaf[index] = entry;
        kept += sl_lpm_walk_note(lpm, walk, kept, index, entry);
    }
    return kept;
}

static inline void sl_lpm_lookup_bulk_v4(const struct sl_lpm *lpm, const sl_be32 *addr, uint32_t *leaf,
                                         unsigned count)
{
    const uint32_t *root = (const uint32_t *)sl_lpm_fetch(lpm, lpm->v4.root_block);
    uint32_t shift = 32 - lpm->v4.root_bits;
    struct sl_lpm_walk walk;
    unsigned left = 0;

    for (unsigned i = 0; i < count; i++)
        __builtin_prefetch(&root[__builtin_bswap32(addr[i]) >> shift]);
    for (unsigned i = 0; i < count; i++) {
        leaf[i] = sl_lpm_load(&root[__builtin_bswap32(addr[i]) >> shift]);
        left += sl_lpm_walk_note(lpm, &walk, left, i, leaf[i]);
    }
    while (left > 0 && shift > 0) { // three levels at most
        shift -= 8;
        for (unsigned i = 0; i < left; i++)
            sl_lpm_walk_find(&walk, i, (__builtin_bswap32(addr[walk.index[i]]) >> shift) & 0xff);
        left = sl_lpm_walk_load(lpm, &walk, left, leaf);
    }
}

static inline void sl_lpm_lookup_bulk_v6(const struct sl_lpm *lpm, const struct sl_ip *const *addr,
                                         uint32_t *leaf, unsigned count)
{
    const uint32_t *root = (const uint32_t *)sl_lpm_fetch(lpm, lpm->v6.root_block);
    uint32_t root_bits = lpm->v6.root_bits;
    struct sl_lpm_walk walk;
    unsigned left = 0;

    for (unsigned i = 0; i < count; i++)
        __builtin_prefetch(&root[sl_lpm_root_slot(addr[i]->b, root_bits)]);
    for (unsigned i = 0; i < count; i++) {
        leaf[i] = sl_lpm_load(&root[sl_lpm_root_slot(addr[i]->b, root_bits)]);
        left += sl_lpm_walk_note(lpm, &walk, left, i, leaf[i]);
    }
    for (unsigned at = root_bits / 8; left > 0 && at < 16; at++) {
        for (unsigned i = 0; i < left; i++)
            sl_lpm_walk_find(&walk, i, addr[walk.index[i]]->b[at]);
        left = sl_lpm_walk_load(lpm, &walk, left, leaf);
    }
}

#endif
