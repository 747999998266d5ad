// SPDX-License-Identifier: Apache-2.0
// Longest-prefix match in relocatable memory: the one structure behind routes (workers), prefix sets (workers) and
// the XDP program's sets. This header is the READER and compiles for both C and BPF; the builder is lpm_build.h.
//
// A trie over the address's bits: a direct-indexed root of 2^root_bits entries (16 for small tables, 24 for large),
// then nodes of 8 bits each. An entry is 32 bits:
//
//     1 ccc...c   child: index of the node's first block (a block is 64 bytes)
//     0 llllllll vvv...v  leaf: l = length of the prefix that put it there (8 bits), v = value (23 bits), 0 = none
//
// A node of 256 slots is stored run-length compressed:
//
//     block 0:  uint64_t starts[4]   bit i set: slot i begins a new run (bit 0 is always set)
//               uint32_t entry[8]    the first eight runs' entries
//     block 1+: uint32_t entry[16] each, as many as there are runs
//
// so a lookup of slot s takes entry[popcount(starts up to and including s) - 1]. A node is never changed once it is
// linked; an update writes fresh nodes and links them with one 32-bit store into the entry that names them. Root
// entries are stored one by one. Thus a reader sees, for each address, the old answer or the new one.
#ifndef SL_TABLE_LPM_H
#define SL_TABLE_LPM_H

#ifdef __BPF__
#include <linux/types.h>
typedef __u8 uint8_t;
typedef __u32 uint32_t;
typedef __u64 uint64_t;
#define SL_LPM_INLINE static __always_inline
#else
#include <stdint.h>
#define SL_LPM_INLINE static inline __attribute__((always_inline))
#endif

#define SL_LPM_BLOCK 64u
#define SL_LPM_CHILD 0x80000000u
#define SL_LPM_VALUE_BITS 23
#define SL_LPM_VALUE_MASK ((1u << SL_LPM_VALUE_BITS) - 1)
#define SL_LPM_NODE_INLINE 8   // entries in a node's first block
#define SL_LPM_NODE_BLOCKS 17  // blocks of a node with 256 runs

// A blob is an array of blocks. Block 0 and 1 of a blob are this header; indices count from the blob's start.
struct sl_lpm_trie {
    uint32_t root_bits;  // 16 or 24
    uint32_t root_block; // block where the root's entries start, 16 to a block
    uint32_t bits;       // 32 or 128
    uint32_t pad;
    uint64_t prefixes;
    uint64_t pad2;
};

struct sl_lpm { /* w: control  r: data plane */
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

// The lookup functions (scalar for BPF and C, bulk with staged prefetch for C) follow: see lpm_read.h and lpm_bulk.h.
#endif
