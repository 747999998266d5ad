// SPDX-License-Identifier: Apache-2.0
// Longest-prefix match in relocatable memory: the one structure behind routes (workers), prefix sets
// (workers) and the XDP program's sets. This header is the FORMAT and compiles for both C and BPF. Around it:
// lpm_read.h looks one address up (C and BPF), lpm_bulk.h a burst (C), lpm_build.h writes a blob from a
// sorted array and checks one, lpm_update.h changes one in place.
//
// A trie over the address's bits: a direct-indexed root of 2^root_bits entries (8 for empty ones, 16, 24 for
// large), then nodes of 8 bits each. An entry is 32 bits:
//
//     1 ccc...c   child: index of the node's first block (a block is 64 bytes)
//     0 llllllll vvv...v  leaf: l = length of the prefix that put it there (8 bits), v = value (23 bits), 0 =
//     none
//
// A node of 256 slots is stored run-length compressed:
//
//     block 0:  uint64_t starts[4]   bit i set: slot i begins a new run (bit 0 is always set)
//               uint32_t entry[8]    the first eight runs' entries
//     block 1+: uint32_t entry[16] each, as many as there are runs
//
// so a lookup of slot s takes entry[popcount(starts up to and including s) - 1]. The runs of a
// node never change once it is linked: an update stores single entries, or writes a fresh node and links it
// with one 32-bit store into the entry that names it. Thus a reader sees, for each address, the old answer or
// the new one.
#ifndef SL_TABLE_LPM_H
#define SL_TABLE_LPM_H

#include <stdint.h>

#define SL_LPM_INLINE static inline __attribute__((always_inline))

#define SL_LPM_BLOCK       64u
#define SL_LPM_CHILD       0x80000000u
#define SL_LPM_VALUE_BITS  23
#define SL_LPM_VALUE_MASK  ((1u << SL_LPM_VALUE_BITS) - 1)
#define SL_LPM_NODE_INLINE 8  // entries in a node's first block
#define SL_LPM_NODE_BLOCKS 17 // blocks of a node with 256 runs

// A blob is an array of blocks. Block 0 and 1 of a blob are this header; indices count from the blob's start.
struct sl_lpm_trie {
    uint32_t root_bits;  // 8, 16 or 24
    uint32_t root_block; // block where the root's entries start, 16 to a block
    uint32_t bits;       // 32 or 128
    uint32_t pad;
    uint64_t prefixes; // when it was built
    uint64_t pad2;
};

struct sl_lpm {           /* w: control  r: data plane */
    uint64_t magic;       // SL_LPM_MAGIC
    uint64_t block_count; // blocks in the blob, header and free room included
    uint64_t block_used;  // blocks below this one may be in use
    uint64_t pad[5];
    struct sl_lpm_trie v4, v6;
};
#define SL_LPM_MAGIC 0x31766d706c6c73ULL // "sllpmv1"

SL_LPM_INLINE uint32_t sl_lpm_value(uint32_t entry)
{
    return entry & SL_LPM_VALUE_MASK;
}

SL_LPM_INLINE uint32_t sl_lpm_length(uint32_t entry)
{
    return (entry >> SL_LPM_VALUE_BITS) & 0xff;
}

SL_LPM_INLINE uint32_t sl_lpm_leaf(uint32_t length, uint32_t value)
{
    return length << SL_LPM_VALUE_BITS | value;
}

// Blocks of a node with this many runs (1 to 256).
SL_LPM_INLINE uint32_t sl_lpm_node_blocks(uint32_t runs)
{
    return runs <= SL_LPM_NODE_INLINE ? 1 : 1 + (runs - SL_LPM_NODE_INLINE + 15) / 16;
}

#endif
