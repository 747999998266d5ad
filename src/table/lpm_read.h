// SPDX-License-Identifier: Apache-2.0
// Lookup of one address, written once for C and for BPF. Readers: workers, the XDP program, ctl; any thread,
// while the one writer updates in place. Only blobs that passed sl_lpm_check() may be read.
#ifndef SL_TABLE_LPM_READ_H
#define SL_TABLE_LPM_READ_H

#include "table/lpm.h"

struct sl_lpm_node { // a node's first block
    uint64_t starts[4];
    uint32_t entry[SL_LPM_NODE_INLINE];
};

#ifdef __BPF__
// The includer (prefilter.bpf.c) gives access to a block of the blob `blob`; NULL: no such block.
static const void *sl_lpm_fetch(const void *blob, uint32_t index);

SL_LPM_INLINE uint32_t sl_lpm_popcount(uint64_t x) // BPF has no instruction for it
{
    x -= (x >> 1) & 0x5555555555555555ULL;
    x = (x & 0x3333333333333333ULL) + ((x >> 2) & 0x3333333333333333ULL);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
    return (uint32_t)((x * 0x0101010101010101ULL) >> 56);
}

SL_LPM_INLINE uint32_t sl_lpm_load(const uint32_t *entry)
{
    return *(const volatile uint32_t *)entry;
}
#else
SL_LPM_INLINE const void *sl_lpm_fetch(const void *blob, uint32_t index)
{
    return (const uint8_t *)blob + (uint64_t)index * SL_LPM_BLOCK;
}

SL_LPM_INLINE uint32_t sl_lpm_popcount(uint64_t x)
{
    return (uint32_t)__builtin_popcountll(x);
}

// An entry may name a node written just before it: acquire, which is a plain load on x86.
SL_LPM_INLINE uint32_t sl_lpm_load(const uint32_t *entry)
{
    return __atomic_load_n(entry, __ATOMIC_ACQUIRE);
}
#endif

// Run that slot 0-255 belongs to.
SL_LPM_INLINE uint32_t sl_lpm_run(const uint64_t starts[4], uint32_t slot)
{
    uint64_t last = (2ULL << (slot & 63)) - 1; // bits of the slot's own word, up to and including it
    uint32_t word = slot >> 6;
    uint32_t runs = sl_lpm_popcount(starts[0] & (word > 0 ? ~0ULL : last));

    runs += sl_lpm_popcount(starts[1] & (word > 1 ? ~0ULL : word == 1 ? last : 0));
    runs += sl_lpm_popcount(starts[2] & (word > 2 ? ~0ULL : word == 2 ? last : 0));
    runs += sl_lpm_popcount(starts[3] & (word == 3 ? last : 0));
    return runs - 1;
}

// Slot of the root array for an address of at least three bytes in network order.
SL_LPM_INLINE uint32_t sl_lpm_root_slot(const uint8_t *addr, uint32_t root_bits)
{
    uint32_t top = (uint32_t)addr[0] << 16 | (uint32_t)addr[1] << 8 | addr[2];

    return top >> ((24 - root_bits) & 31);
}

// One step down from a child entry: the entry of `slot` in its node; 0 where the blob has no such block (BPF
// only).
SL_LPM_INLINE uint32_t sl_lpm_step(const void *blob, uint32_t entry, uint32_t slot)
{
    uint32_t index = entry & ~SL_LPM_CHILD;
    const struct sl_lpm_node *node = (const struct sl_lpm_node *)sl_lpm_fetch(blob, index);

    if (!node)
        return 0;
    uint32_t run = sl_lpm_run(node->starts, slot);
    if (run < SL_LPM_NODE_INLINE)
        return sl_lpm_load(&node->entry[run]);
    run -= SL_LPM_NODE_INLINE;
    const uint32_t *more = (const uint32_t *)sl_lpm_fetch(blob, index + 1 + run / 16);
    return more ? sl_lpm_load(&more[run % 16]) : 0;
}

// The leaf that covers an address: sl_lpm_value() and sl_lpm_length() of the longest prefix, 0 where there is
// none. `trie` is the blob's v4 or v6 part; `addr` 4 or 16 bytes accordingly, network order.
SL_LPM_INLINE uint32_t sl_lpm_lookup(const void *blob, const struct sl_lpm_trie *trie, const uint8_t *addr)
{
    uint32_t slot = sl_lpm_root_slot(addr, trie->root_bits);
    uint32_t bytes = trie->bits / 8;
    const uint32_t *root = (const uint32_t *)sl_lpm_fetch(blob, trie->root_block + slot / 16);
    uint32_t entry = root ? sl_lpm_load(&root[slot % 16]) : 0;

    for (uint32_t at = trie->root_bits / 8; at < 16; at++) {
        if (!(entry & SL_LPM_CHILD) || at >= bytes)
            break;
        entry = sl_lpm_step(blob, entry, addr[at]);
    }
    return entry & SL_LPM_CHILD ? 0 : entry;
}

#endif
