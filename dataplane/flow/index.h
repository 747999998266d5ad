// SPDX-License-Identifier: Apache-2.0
// The index of the session table: from a 32-bit hash of a key to where the key stands. Process-private
// memory.
//
// A bucket is one cache line with seven slots; a slot is the hash and a reference (entry << 1 | direction). A
// key stands in its first bucket, or in its second where the first was full (Azar et al., "Balanced
// Allocations", 1994; the second from the hash alone: Fan et al., "MemC3", 2013, so that a slot can move
// without its key). A bucket counts the keys that had to go elsewhere: where it counts none, a miss is known
// after one line. Up to 60 % load about one bucket in fifteen counts any. Inserting may move slots, at most a
// few. One thread.
#ifndef FLOW_INDEX_H
#define FLOW_INDEX_H

#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FLOW_SLOTS 7

struct flow_bucket {
    uint32_t hash[FLOW_SLOTS]; // 0: the slot is free
    uint32_t overflow;         // keys that have their first bucket here but stand in their second
    uint32_t ref[FLOW_SLOTS];
    uint32_t pad;
} __attribute__((aligned(64)));

struct flow_index {
    struct flow_bucket *bucket;
    uint32_t mask; // buckets - 1
    uint32_t keys;
    size_t size_bytes;
};

// Memory for two keys of each of `flows` flows at no more than 60 % load, in huge pages where there are any.
// 0 or -ENOMEM.
int flow_index_init(struct flow_index *index, uint32_t flows);
void flow_index_fini(struct flow_index *index);

// Adds a reference. 0, or -ENOSPC where no way to make room was found within bounds: treat as a full table.
int flow_index_insert(struct flow_index *index, uint32_t hash, uint32_t ref);
// Takes a reference out. It must be there.
void flow_index_remove(struct flow_index *index, uint32_t hash, uint32_t ref);

// Slots hold no hash 0.
static inline uint32_t flow_index_hash(uint32_t hash)
{
    return hash + (hash == 0);
}

static inline uint32_t flow_index_first(const struct flow_index *index, uint32_t hash)
{
    return hash & index->mask;
}

// The other bucket of a key that stands in `bucket`; its own inverse.
static inline uint32_t flow_index_other(const struct flow_index *index, uint32_t hash, uint32_t bucket)
{
    return (bucket ^ ((hash * 0x9e3779b1u >> 3) | 1)) & index->mask;
}

// Bit per slot that holds this hash.
static inline uint32_t flow_bucket_match(const struct flow_bucket *bucket, uint32_t hash)
{
    __m256i line = _mm256_load_si256((const __m256i *)bucket->hash);
    __m256i same = _mm256_cmpeq_epi32(line, _mm256_set1_epi32((int)hash));

    return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(same)) & ((1u << FLOW_SLOTS) - 1);
}

// Goes through the references that a key with this hash may have.
struct flow_index_walk {
    uint32_t hash, bucket, match;
    bool other; // the second bucket is next
};

static inline struct flow_index_walk flow_index_walk_start(const struct flow_index *index, uint32_t hash)
{
    uint32_t first = flow_index_first(index, hash);
    const struct flow_bucket *bucket = &index->bucket[first];

    return (struct flow_index_walk){hash, first, flow_bucket_match(bucket, hash), bucket->overflow != 0};
}

static inline bool flow_index_walk_next(const struct flow_index *index, struct flow_index_walk *walk,
                                        uint32_t *ref)
{
    if (walk->match == 0 && walk->other) {
        walk->other = false;
        walk->bucket = flow_index_other(index, walk->hash, walk->bucket);
        walk->match = flow_bucket_match(&index->bucket[walk->bucket], walk->hash);
    }
    if (walk->match == 0)
        return false;
    *ref = index->bucket[walk->bucket].ref[__builtin_ctz(walk->match)];
    walk->match &= walk->match - 1;
    return true;
}

#endif
