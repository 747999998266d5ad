// SPDX-License-Identifier: Apache-2.0
// Single-producer single-consumer ring between two processes. Producer: one thread of one process; consumer:
// one thread of the other. The other side's index is believed only where it fits the capacity we keep to
// ourselves.
#include "shm/ring.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define RING_OPEN_TRIES    8
#define RING_CAPACITY_MOST (1u << 20)

static uint64_t ring_size(uint32_t capacity)
{
    return sizeof(struct sl_ring) + (uint64_t)capacity * SL_RING_RECORD;
}

static bool capacity_valid(uint32_t capacity)
{
    return capacity > 0 && capacity <= RING_CAPACITY_MOST && (capacity & (capacity - 1)) == 0;
}

// ---- open --------------------------------------------------------------------------------------------------

static int ring_make(const char *run_dir, const char *name, uint32_t capacity, struct sl_segment_map *map,
                     struct sl_error *error)
{
    struct sl_segment_spec spec = {
        .dir = run_dir,
        .name = name,
        .kind = SL_SEG_RING,
        .mode = SL_MODE_PRIVATE,
        .size = ring_size(capacity),
    };
    struct sl_segment_draft draft;
    int code = sl_segment_create(&spec, &draft, error);

    if (code != 0)
        return code;
    struct sl_ring *ring = draft.map.base;
    ring->capacity = capacity;
    ring->record = SL_RING_RECORD;
    return sl_segment_commit_first(&draft, map, error);
}

static int ring_check(struct sl_segment_map *map, const char *run_dir, const char *name,
                      struct sl_ring_end *end, struct sl_error *error)
{
    struct sl_ring *ring = map->base;
    uint32_t capacity = map->size >= sizeof(*ring) ? ring->capacity : 0; // read once: the peer may write it

    if (!capacity_valid(capacity) || map->size < ring_size(capacity) || ring->record != SL_RING_RECORD) {
        sl_segment_close(map);
        return sl_error_set(error, -EBADMSG,
                            "%s/%s: a ring of %u records in %" PRIu64
                            " bytes cannot be: damaged, stop both daemons and remove it",
                            run_dir, name, capacity, map->size);
    }
    *end = (struct sl_ring_end){.ring = ring, .size = map->size, .mask = capacity - 1};
    return 0;
}

static int ring_open(const char *run_dir, const char *name, uint32_t capacity, struct sl_ring_end *end,
                     struct sl_error *error)
{
    struct sl_segment_map map = {0};
    int code = 0;

    *end = (struct sl_ring_end){0};
    if (!capacity_valid(capacity))
        return sl_error_set(error, -EINVAL, "%s: a ring of %u records cannot be: a power of two is wanted",
                            name, capacity);
    for (int i = 0; code == 0 && !map.base && i < RING_OPEN_TRIES; i++) {
        code = sl_segment_open(run_dir, name, SL_SEG_RING, true, &map, error);
        if (code == -ENOENT)
            code = ring_make(run_dir, name, capacity, &map, error);
        if (code == -EEXIST) // the other side made it between our look and our link
            code = 0;
    }
    if (code == 0 && !map.base)
        code = sl_error_set(error, -EAGAIN, "%s/%s: appears and vanishes: somebody clears the run directory",
                            run_dir, name);
    return code == 0 ? ring_check(&map, run_dir, name, end, error) : code;
}

int sl_ring_open_producer(const char *run_dir, const char *name, uint32_t capacity, struct sl_ring_end *end,
                          struct sl_error *error)
{
    int code = ring_open(run_dir, name, capacity, end, error);

    if (code == 0)
        end->index = __atomic_load_n(&end->ring->head, __ATOMIC_RELAXED);
    return code;
}

int sl_ring_open_consumer(const char *run_dir, const char *name, uint32_t capacity, struct sl_ring_end *end,
                          struct sl_error *error)
{
    int code = ring_open(run_dir, name, capacity, end, error);

    if (code == 0)
        end->index = __atomic_load_n(&end->ring->tail, __ATOMIC_RELAXED);
    return code;
}

void sl_ring_close(struct sl_ring_end *end)
{
    struct sl_segment_map map = {end->ring, end->size};

    sl_segment_close(&map);
    *end = (struct sl_ring_end){0};
}

// ---- records -----------------------------------------------------------------------------------------------

static uint8_t *ring_slot(const struct sl_ring_end *end)
{
    return end->ring->slot[end->index & end->mask];
}

bool sl_ring_push(struct sl_ring_end *end, const void *record, uint32_t len_bytes)
{
    struct sl_ring *ring = end->ring;
    uint64_t used = end->index - __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);

    if (used > end->mask || len_bytes > SL_RING_RECORD) {
        // More than the capacity is a tail that cannot be. It counts as full: a good consumer puts it right.
        end->garbled += used > (uint64_t)end->mask + 1;
        __atomic_store_n(&ring->lost, __atomic_load_n(&ring->lost, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
        return false;
    }
    uint8_t *slot = ring_slot(end);
    memcpy(slot, record, len_bytes);
    memset(slot + len_bytes, 0, SL_RING_RECORD - len_bytes);
    end->index++;
    __atomic_store_n(&ring->head, end->index, __ATOMIC_RELEASE); // publishes the bytes above
    return true;
}

bool sl_ring_pop(struct sl_ring_end *end, void *record, uint32_t len_bytes)
{
    struct sl_ring *ring = end->ring;
    uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
    uint64_t ready = head - end->index;

    if (ready == 0)
        return false;
    if (ready > (uint64_t)end->mask + 1) {
        // A head that cannot be: what lies between means nothing, so start afresh from where the producer
        // says it is.
        end->garbled++;
        end->index = head;
        __atomic_store_n(&ring->tail, head, __ATOMIC_RELEASE);
        return false;
    }
    memcpy(record, ring_slot(end), len_bytes < SL_RING_RECORD ? len_bytes : SL_RING_RECORD);
    end->index++;
    __atomic_store_n(&ring->tail, end->index, __ATOMIC_RELEASE); // gives the slot back after the copy
    return true;
}

uint64_t sl_ring_lost(const struct sl_ring_end *end)
{
    return __atomic_load_n(&end->ring->lost, __ATOMIC_RELAXED);
}
