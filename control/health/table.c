// SPDX-License-Identifier: Apache-2.0
// Targets by id: an array of all, and hash buckets over it. See engine.h.
#include <errno.h>
#include <stdlib.h>
#include "health/engine.h"

// Finalizer of MurmurHash3 (Appleby, public domain): ids may be small numbers, and starts are spread by it.
uint64_t target_hash(uint64_t id)
{
    id = (id ^ id >> 33) * 0xff51afd7ed558ccdull;
    id = (id ^ id >> 33) * 0xc4ceb9fe1a85ec53ull;
    return id ^ id >> 33;
}

static struct target **bucket_of(const struct health *health, uint64_t id)
{
    return &health->bucket[target_hash(id) & (health->buckets - 1)];
}

struct target *target_find(const struct health *health, uint64_t id)
{
    if (health->buckets == 0)
        return NULL;
    for (struct target *target = *bucket_of(health, id); target; target = target->same_hash)
        if (target->id == id)
            return target;
    return NULL;
}

static void bucket_push(struct health *health, struct target *target)
{
    struct target **bucket = bucket_of(health, target->id);

    target->same_hash = *bucket;
    *bucket = target;
}

// Array, heap and buckets grow together, by doubling.
static int grow(struct health *health)
{
    uint32_t room = health->target_room ? health->target_room * 2 : 64;
    struct target **all = realloc(health->target, room * sizeof(*all));
    if (!all)
        return -ENOMEM;
    health->target = all;
    struct target **heap = realloc(health->heap, room * sizeof(*heap));
    if (!heap)
        return -ENOMEM;
    health->heap = heap;
    struct target **bucket = calloc(room, sizeof(*bucket));
    if (!bucket)
        return -ENOMEM;
    free(health->bucket);
    health->bucket = bucket;
    health->buckets = health->target_room = room;
    for (uint32_t i = 0; i < health->targets; i++)
        bucket_push(health, health->target[i]);
    return 0;
}

int target_insert(struct health *health, struct target *target)
{
    if (health->targets == health->target_room && grow(health))
        return -ENOMEM;
    target->place = health->targets;
    health->target[health->targets++] = target;
    bucket_push(health, target);
    return 0;
}

void target_extract(struct health *health, struct target *target)
{
    struct target **at = bucket_of(health, target->id);

    while (*at != target)
        at = &(*at)->same_hash;
    *at = target->same_hash;
    struct target *last = health->target[--health->targets];
    health->target[target->place] = last;
    last->place = target->place;
}
