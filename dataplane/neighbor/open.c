// SPDX-License-Identifier: Apache-2.0
// Takes the neighbor segment into use, from the run directory or from memory (tests). Main thread, before the
// housekeeping thread and the workers run.
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include "neighbor/resolve.h"
#include "shm/segment.h"

#define NEIGHBOR_FILE "neighbor"

static bool segment_consistent(const struct sl_neighbor_segment *segment, uint64_t size, uint32_t limit)
{
    uint64_t slots = segment->capacity;

    return size == neighbor_segment_size(limit) && segment->entry_offset == sizeof(*segment) &&
           sizeof(*segment) + slots * sizeof(struct sl_neighbor) == size;
}

int neighbor_table_init(struct neighbor_table *table, struct sl_neighbor_segment *segment, uint64_t size,
                        uint32_t limit)
{
    if (!segment_consistent(segment, size, limit))
        return -EINVAL;
    *table = (struct neighbor_table){
        .entry = (struct sl_neighbor *)((uint8_t *)segment + segment->entry_offset),
        .mask = segment->capacity - 1,
        .limit = limit,
        .seed = segment->seed,
        .segment = segment,
    };
    neighbor_adopt(table);
    table->resolver = resolver_new(table);
    return table->resolver ? 0 : -ENOMEM;
}

void neighbor_table_fini(struct neighbor_table *table)
{
    if (table->resolver)
        resolver_free(table->resolver);
    table->resolver = NULL;
}

static int segment_make(const char *run_dir, uint32_t limit, struct sl_segment_map *map)
{
    struct sl_segment_draft draft;
    struct sl_segment_spec spec = {
        .dir = run_dir,
        .name = NEIGHBOR_FILE,
        .kind = SL_SEG_NEIGHBOR,
        .mode = SL_MODE_READABLE,
        .size = neighbor_segment_size(limit),
    };
    uint64_t seed;

    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
        return -errno;
    int status = sl_segment_create(&spec, &draft, NULL);
    if (status < 0)
        return status;
    neighbor_segment_init(draft.map.base, limit, seed);
    return sl_segment_commit(&draft, map, NULL);
}

static int table_open(struct neighbor_table *table, const char *run_dir, uint32_t limit)
{
    struct sl_segment_map map;

    if (sl_segment_open(run_dir, NEIGHBOR_FILE, SL_SEG_NEIGHBOR, true, &map, NULL) == 0) {
        if (neighbor_table_init(table, map.base, map.size, limit) == 0)
            return 0;
        sl_segment_close(&map);
    }
    int status = segment_make(run_dir, limit, &map);
    if (status < 0)
        return status;
    status = neighbor_table_init(table, map.base, map.size, limit);
    if (status < 0)
        sl_segment_close(&map);
    return status;
}

struct neighbor_table *neighbor_table_open(const char *run_dir, uint32_t limit)
{
    struct neighbor_table *table = calloc(1, sizeof(*table));

    if (!table)
        return NULL;
    int status = table_open(table, run_dir, limit);
    if (status == 0)
        return table;
    free(table);
    errno = -status;
    return NULL;
}

void neighbor_table_close(struct neighbor_table *table)
{
    struct sl_segment_map map = {.base = table->segment, .size = table->segment->segment.size};

    neighbor_table_fini(table);
    sl_segment_close(&map);
    free(table);
}
