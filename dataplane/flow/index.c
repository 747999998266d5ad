// SPDX-License-Identifier: Apache-2.0
// The index's writing half: insert, remove, make room. Called by the table, on its owner's thread.
#include "flow/index.h"

#include <errno.h>
#include "flow/memory.h"

#define ROOM_DEPTH 2 // how many moves in a row may make room: 7 + 49 buckets looked at on either side

int flow_index_init(struct flow_index *index, uint32_t flows)
{
    uint64_t buckets = 16;

    while (buckets * FLOW_SLOTS * 6 < (uint64_t)flows * 2 * 10) // two keys a flow, 60 % load
        buckets *= 2;
    *index = (struct flow_index){.mask = (uint32_t)(buckets - 1),
                                 .size_bytes = buckets * sizeof(struct flow_bucket)};
    index->bucket = flow_memory_new(index->size_bytes);
    return index->bucket ? 0 : -ENOMEM;
}

void flow_index_fini(struct flow_index *index)
{
    flow_memory_free(index->bucket, index->size_bytes);
    index->bucket = NULL;
}

static int slot_free(const struct flow_bucket *bucket)
{
    uint32_t spare = flow_bucket_match(bucket, 0);

    return spare ? __builtin_ctz(spare) : -1;
}

// Moves the slot's key to its other bucket, where `to` is free. The count of overflown keys follows.
static void slot_move(struct flow_index *index, uint32_t from, int slot, uint32_t other, int to)
{
    struct flow_bucket *old = &index->bucket[from], *fresh = &index->bucket[other];

    fresh->ref[to] = old->ref[slot];
    fresh->hash[to] = old->hash[slot];
    if (flow_index_first(index, old->hash[slot]) == from)
        old->overflow++;
    else
        fresh->overflow--;
    old->hash[slot] = 0;
}

// Frees a slot of a full bucket by moving one of its keys to that key's other bucket, which may have to make room
// in turn. The slot, or -1. Depth is bounded, so is the work.
static int bucket_make_room(struct flow_index *index, uint32_t bucket, int depth)
{
    for (int slot = 0; slot < FLOW_SLOTS; slot++) {
        uint32_t other = flow_index_other(index, index->bucket[bucket].hash[slot], bucket);
        int to = slot_free(&index->bucket[other]);
        if (to >= 0) {
            slot_move(index, bucket, slot, other, to);
            return slot;
        }
    }
    for (int slot = 0; depth > 1 && slot < FLOW_SLOTS; slot++) {
        uint32_t other = flow_index_other(index, index->bucket[bucket].hash[slot], bucket);
        int to =
            bucket_make_room(index, other, depth - 1); // moves nothing into or out of a bucket that is full
        if (to >= 0) {
            slot_move(index, bucket, slot, other, to);
            return slot;
        }
    }
    return -1;
}

static void slot_fill(struct flow_index *index, uint32_t bucket, int slot, uint32_t hash, uint32_t ref)
{
    index->bucket[bucket].ref[slot] = ref;
    index->bucket[bucket].hash[slot] = hash;
    if (flow_index_first(index, hash) != bucket)
        index->bucket[flow_index_first(index, hash)].overflow++;
    index->keys++;
}

int flow_index_insert(struct flow_index *index, uint32_t hash, uint32_t ref)
{
    hash = flow_index_hash(hash);
    uint32_t first = flow_index_first(index, hash), bucket = first;
    int slot = slot_free(&index->bucket[first]);

    if (__builtin_expect(slot < 0, 0)) {
        bucket = flow_index_other(index, hash, first);
        slot = slot_free(&index->bucket[bucket]);
        if (slot < 0) {
            bucket = first;
            slot = bucket_make_room(index, first, ROOM_DEPTH);
        }
        if (slot < 0)
            return -ENOSPC;
    }
    slot_fill(index, bucket, slot, hash, ref);
    return 0;
}

// Frees the slot of a bucket that holds the reference. False: it is not in this bucket.
static bool bucket_take(struct flow_bucket *bucket, uint32_t hash, uint32_t ref)
{
    for (uint32_t match = flow_bucket_match(bucket, hash); match != 0; match &= match - 1) {
        int slot = __builtin_ctz(match);
        if (bucket->ref[slot] == ref) {
            bucket->hash[slot] = 0;
            return true;
        }
    }
    return false;
}

void flow_index_remove(struct flow_index *index, uint32_t hash, uint32_t ref)
{
    hash = flow_index_hash(hash);
    uint32_t first = flow_index_first(index, hash);

    index->keys--;
    if (bucket_take(&index->bucket[first], hash, ref))
        return;
    if (bucket_take(&index->bucket[flow_index_other(index, hash, first)], hash, ref))
        index->bucket[first].overflow--;
}
