// SPDX-License-Identifier: Apache-2.0
// Proves that a blob from another process is safe to read. A bitmap of blocks shows that header, roots and nodes do
// not overlap and that no node is reached twice; depth is bounded by the address. Called by the data plane's
// housekeeping thread before workers see the blob, and by ctl.
#include "table/lpm_build.h"

#include <errno.h>
#include <stdlib.h>
#include "table/lpm_read.h"

struct check {
    const uint8_t *blob;
    uint64_t block_count;
    uint32_t max_value;
    uint32_t bits;  // of the family walked now
    uint64_t *seen; // a bit per block
};

// Claims blocks for one use; false where they are out of bounds or taken.
static bool blocks_claim(struct check *c, uint64_t first, uint64_t count)
{
    if (first >= c->block_count || count > c->block_count - first)
        return false;
    for (uint64_t i = first; i < first + count; i++) {
        uint64_t bit = 1ULL << (i % 64);
        if (c->seen[i / 64] & bit)
            return false;
        c->seen[i / 64] |= bit;
    }
    return true;
}

static bool node_check(struct check *c, uint32_t index, uint32_t at);

// `at`: bytes of the address used up by whoever holds the entry, its own slot included.
static inline bool entry_check(struct check *c, uint32_t entry, uint32_t at)
{
    if (entry & SL_LPM_CHILD)
        return at * 8 < c->bits && node_check(c, entry & ~SL_LPM_CHILD, at);
    return sl_lpm_length(entry) <= c->bits && sl_lpm_value(entry) <= c->max_value;
}

static bool node_check(struct check *c, uint32_t index, uint32_t at)
{
    const struct sl_lpm_node *node = (const struct sl_lpm_node *)(c->blob + (uint64_t)index * SL_LPM_BLOCK);

    if (index >= c->block_count || !(node->starts[0] & 1)) // the first run must begin at slot 0
        return false;
    uint32_t runs = sl_lpm_run(node->starts, 255) + 1;
    if (!blocks_claim(c, index, sl_lpm_node_blocks(runs)))
        return false;
    const uint32_t *entry = (const uint32_t *)(node->starts + 4);
    for (uint32_t i = 0; i < runs; i++)
        if (!entry_check(c, sl_lpm_load(&entry[i]), at + 1))
            return false;
    return true;
}

static bool trie_check(struct check *c, const struct sl_lpm_trie *trie, uint32_t bits)
{
    if (trie->bits != bits || (trie->root_bits != 8 && trie->root_bits != 16 && trie->root_bits != 24))
        return false;
    uint32_t slots = 1u << trie->root_bits;
    if (!blocks_claim(c, trie->root_block, (uint64_t)slots * 4 / SL_LPM_BLOCK))
        return false;

    const uint32_t *root = (const uint32_t *)(c->blob + (uint64_t)trie->root_block * SL_LPM_BLOCK);
    uint32_t known = 0; // neighbors are mostly alike: what was checked once needs no second look
    c->bits = bits;
    for (uint32_t i = 0; i < slots; i++) {
        uint32_t entry = sl_lpm_load(&root[i]);
        if (entry == known && !(entry & SL_LPM_CHILD))
            continue;
        if (!entry_check(c, entry, trie->root_bits / 8))
            return false;
        known = entry;
    }
    return true;
}

int sl_lpm_check(const void *blob, uint64_t size, uint32_t max_value)
{
    const struct sl_lpm *lpm = blob;
    struct check c = {.blob = blob, .max_value = max_value};

    if (size < sizeof(*lpm) || lpm->magic != SL_LPM_MAGIC || lpm->block_count > size / SL_LPM_BLOCK ||
        lpm->block_count > SL_LPM_CHILD)
        return -EINVAL;
    c.block_count = lpm->block_count;
    c.seen = calloc(c.block_count / 64 + 1, sizeof(*c.seen));
    if (!c.seen)
        return -ENOMEM;
    bool right = blocks_claim(&c, 0, sizeof(*lpm) / SL_LPM_BLOCK) && trie_check(&c, &lpm->v4, 32) &&
                 trie_check(&c, &lpm->v6, 128);
    free(c.seen);
    return right ? 0 : -EINVAL;
}
