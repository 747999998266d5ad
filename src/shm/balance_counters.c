// SPDX-License-Identifier: Apache-2.0
// See balance_counters.h. Called by housekeeping (create), control, tools and tests.
#include "shm/balance_counters.h"

#include <errno.h>

static uint64_t chunk_size(uint32_t worker_count)
{
    return sizeof(struct sl_balance_counter_segment) +
           (uint64_t)worker_count * sizeof(struct sl_balance_counter_block);
}

uint32_t sl_balance_chunks(const struct sl_balance_table *table)
{
    if (!table)
        return 0;
    uint32_t services = (table->service_slots + SL_BALANCE_CHUNK_SERVICES - 1) / SL_BALANCE_CHUNK_SERVICES;
    uint32_t members = (table->member_slots + SL_BALANCE_CHUNK_MEMBERS - 1) / SL_BALANCE_CHUNK_MEMBERS;

    return services > members ? services : members;
}

// ---- opening ------------------------------------------------------------------------------------------------
// A chunk whose header lies: of another number, or with blocks beyond its end.
static int chunk_check(struct sl_segment_map *map, uint32_t chunk, struct sl_error *error)
{
    const struct sl_balance_counter_segment *segment = map->base;

    if (map->size >= sizeof(*segment) && segment->chunk == chunk && segment->worker_count <= SL_MAX_WORKERS &&
        map->size == chunk_size(segment->worker_count))
        return 0;
    sl_segment_close(map);
    return sl_error_set(error, -EPROTO,
                        "balance-counter.%u: not what it should be: start programs of one build", chunk);
}

static int chunk_open(const char *run_dir, uint32_t chunk, bool writable, struct sl_segment_map *map,
                      struct sl_error *error)
{
    char name[SL_SEGMENT_NAME];
    int code = sl_segment_open(run_dir, sl_segment_name(SL_SEG_BALANCE_COUNTER, chunk, name),
                               SL_SEG_BALANCE_COUNTER, writable, map, error);

    return code == 0 ? chunk_check(map, chunk, error) : code;
}

static void chunk_enter(struct sl_balance_counters *counters, const struct sl_segment_map *map)
{
    counters->chunk[counters->chunks] = map->base;
    counters->size[counters->chunks++] = map->size;
}

int sl_balance_counters_open(const char *run_dir, struct sl_balance_counters *counters,
                             struct sl_error *error)
{
    int code = 0;

    while (code == 0 && counters->chunks < SL_BALANCE_CHUNKS) {
        struct sl_segment_map map;
        code = chunk_open(run_dir, counters->chunks, false, &map, error);
        if (code == 0)
            chunk_enter(counters, &map);
    }
    return code == -ENOENT ? 0 : code;
}

void sl_balance_counters_close(struct sl_balance_counters *counters)
{
    for (uint32_t i = 0; i < counters->chunks; i++) {
        struct sl_segment_map map = {counters->chunk[i], counters->size[i]};
        sl_segment_close(&map);
    }
    *counters = (struct sl_balance_counters){0};
}

// ---- making -------------------------------------------------------------------------------------------------
static int chunk_make(const char *run_dir, uint32_t chunk, uint32_t worker_count, uint64_t now_ns,
                      struct sl_segment_map *map, struct sl_error *error)
{
    char name[SL_SEGMENT_NAME];
    struct sl_segment_draft draft;
    const struct sl_segment_spec spec = {
        .dir = run_dir,
        .name = sl_segment_name(SL_SEG_BALANCE_COUNTER, chunk, name),
        .kind = SL_SEG_BALANCE_COUNTER,
        .mode = SL_MODE_READABLE,
        .size = chunk_size(worker_count),
    };
    int code = sl_segment_create(&spec, &draft, error);

    if (code != 0)
        return code;
    struct sl_balance_counter_segment *segment = draft.map.base;
    segment->start_ns = now_ns;
    segment->chunk = chunk;
    segment->worker_count = worker_count;
    return sl_segment_commit(&draft, map, error);
}

// Flows are counted again by who adopts them.
static void flows_forget(struct sl_balance_counter_segment *segment)
{
    for (uint32_t w = 0; w < segment->worker_count; w++) {
        for (uint32_t i = 0; i < SL_BALANCE_CHUNK_SERVICES; i++)
            segment->block[w].service[i].flows_now = 0;
        for (uint32_t i = 0; i < SL_BALANCE_CHUNK_MEMBERS; i++)
            segment->block[w].member[i].flows_now = 0;
    }
}

// True where the counters of an earlier data plane can go on. A start in the future is one before the last boot.
static bool chunk_take_up(const char *run_dir, uint32_t chunk, uint32_t worker_count, uint64_t now_ns,
                          struct sl_segment_map *map)
{
    if (chunk_open(run_dir, chunk, true, map, NULL) != 0)
        return false;
    struct sl_balance_counter_segment *segment = map->base;
    if (segment->worker_count == worker_count && segment->start_ns <= now_ns) {
        flows_forget(segment);
        return true;
    }
    sl_segment_close(map);
    return false;
}

int sl_balance_counters_create(const char *run_dir, uint32_t chunks, uint32_t worker_count, uint64_t now_ns,
                               struct sl_balance_counters *counters, struct sl_error *error)
{
    int code = 0;

    if (chunks > SL_BALANCE_CHUNKS)
        return sl_error_set(error, -EINVAL, "%u files of balance counters, %d are the most", chunks,
                            SL_BALANCE_CHUNKS);
    while (code == 0 && counters->chunks < chunks) {
        struct sl_segment_map map;
        if (!chunk_take_up(run_dir, counters->chunks, worker_count, now_ns, &map))
            code = chunk_make(run_dir, counters->chunks, worker_count, now_ns, &map, error);
        if (code == 0)
            chunk_enter(counters, &map);
    }
    return code;
}

// ---- sums ---------------------------------------------------------------------------------------------------
static void words64_add(uint64_t *to, const uint64_t *from, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

static void words32_add(uint32_t *to, const uint32_t *from, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

void sl_balance_service_sum(const struct sl_balance_counters *counters, uint32_t slot,
                            struct sl_balance_service_counters *sum)
{
    memset(sum, 0, sizeof(*sum));
    if (slot / SL_BALANCE_CHUNK_SERVICES >= counters->chunks)
        return;
    for (uint32_t w = 0; w < counters->chunk[slot / SL_BALANCE_CHUNK_SERVICES]->worker_count; w++) {
        const void *from = sl_balance_service_counters(counters, w, slot);
        words64_add((uint64_t *)sum, from, sizeof(*sum) / sizeof(uint64_t)); // words and nothing else
    }
}

void sl_balance_member_sum(const struct sl_balance_counters *counters, uint32_t slot,
                           struct sl_balance_member_counters *sum)
{
    const unsigned wide = offsetof(struct sl_balance_member_counters, flows_now) / sizeof(uint64_t);

    memset(sum, 0, sizeof(*sum));
    if (slot / SL_BALANCE_CHUNK_MEMBERS >= counters->chunks)
        return;
    for (uint32_t w = 0; w < counters->chunk[slot / SL_BALANCE_CHUNK_MEMBERS]->worker_count; w++) {
        const struct sl_balance_member_counters *from = sl_balance_member_counters(counters, w, slot);
        words64_add(&sum->packets_in, &from->packets_in, wide);
        words32_add(&sum->flows_now, &from->flows_now, 6);
    }
}
