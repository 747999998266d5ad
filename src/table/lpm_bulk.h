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

// Slots of the children that the entries name, run by run: moves each unfinished lookup one level down.
struct sl_lpm_walk {
    const struct sl_lpm_node *node[SL_LPM_BULK_MAX];
    const uint32_t *entry[SL_LPM_BULK_MAX];
    uint8_t index[SL_LPM_BULK_MAX]; // place in the caller's arrays
};

// Lookups whose leaf is a child entry: notes and prefetches their nodes. Returns how many there are.
static inline unsigned sl_lpm_walk_start(const struct sl_lpm *lpm, const uint32_t *leaf, unsigned count,
                                         struct sl_lpm_walk *walk)
{
    unsigned left = 0;

    for (unsigned i = 0; i < count; i++) {
        const struct sl_lpm_node *node =
            (const struct sl_lpm_node *)sl_lpm_fetch(lpm, leaf[i] & ~SL_LPM_CHILD);

        walk->node[left] = node;
        walk->index[left] = (uint8_t)i;
        if (leaf[i] & SL_LPM_CHILD) {
            __builtin_prefetch(node);
            left++;
        }
    }
    return left;
}

// Finds the entry of `slot` in the walk's i-th node, and prefetches it where it lies in a later block.
static inline void sl_lpm_walk_find(struct sl_lpm_walk *walk, unsigned i, uint32_t slot)
{
    const struct sl_lpm_node *node = walk->node[i];
    uint32_t run = sl_lpm_run(node->starts, slot);

    // Runs 8 and up follow the first block without a gap: the node is one array of entries behind `starts`.
    walk->entry[i] = &node->entry[0] + run;
    if (run >= SL_LPM_NODE_INLINE)
        __builtin_prefetch(walk->entry[i]);
}

// Loads what was found; drops finished lookups from the walk. Returns how many go on.
static inline unsigned sl_lpm_walk_load(const struct sl_lpm *lpm, struct sl_lpm_walk *walk, unsigned left,
                                        uint32_t *leaf)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < left; i++) {
        uint32_t entry = sl_lpm_load(walk->entry[i]);
        uint8_t index = walk->index[i];

        leaf[index] = entry;
        walk->node[kept] = (const struct sl_lpm_node *)sl_lpm_fetch(lpm, entry & ~SL_LPM_CHILD);
        walk->index[kept] = index;
        if (entry & SL_LPM_CHILD) {
            __builtin_prefetch(walk->node[kept]);
            kept++;
        }
    }
    return kept;
}

static inline void sl_lpm_lookup_bulk_v4(const struct sl_lpm *lpm, const sl_be32 *addr, uint32_t *leaf,
                                         unsigned count)
{
    const uint32_t *root = (const uint32_t *)sl_lpm_fetch(lpm, lpm->v4.root_block);
    uint32_t shift = 32 - lpm->v4.root_bits;
    struct sl_lpm_walk walk;

    for (unsigned i = 0; i < count; i++)
        __builtin_prefetch(&root[__builtin_bswap32(addr[i]) >> shift]);
    for (unsigned i = 0; i < count; i++)
        leaf[i] = sl_lpm_load(&root[__builtin_bswap32(addr[i]) >> shift]);

    unsigned left = sl_lpm_walk_start(lpm, leaf, count, &walk);
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

    for (unsigned i = 0; i < count; i++)
        __builtin_prefetch(&root[sl_lpm_root_slot(addr[i]->b, root_bits)]);
    for (unsigned i = 0; i < count; i++)
        leaf[i] = sl_lpm_load(&root[sl_lpm_root_slot(addr[i]->b, root_bits)]);

    unsigned left = sl_lpm_walk_start(lpm, leaf, count, &walk);
    for (unsigned at = root_bits / 8; left > 0 && at < 16; at++) {
        for (unsigned i = 0; i < left; i++)
            sl_lpm_walk_find(&walk, i, addr[walk.index[i]]->b[at]);
        left = sl_lpm_walk_load(lpm, &walk, left, leaf);
    }
}

#endif
