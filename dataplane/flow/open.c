// SPDX-License-Identifier: Apache-2.0
// Session files: opened, adopted, set aside, made. Called at start and end, on the main thread.
//
// flow.W whole and of this boot, layout, worker count and capacity: adopted. Of another worker count or capacity:
// renamed to flow.W.old, which flow_rehome() empties. Anything else, also what another boot left behind, whose time
// stamps mean nothing now: replaced.
#include "flow/open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>
#include "flow/flow.h"
#include "shm/huge.h"

#define ENTRY_OFFSET 128
static_assert(ENTRY_OFFSET >= sizeof(struct sl_flow_segment) && ENTRY_OFFSET % sizeof(struct sl_flow) == 0,
              "entries lie on pairs of lines");

uint64_t flow_boot_id(void)
{
    char text[64] = "";
    int file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

    if (file >= 0) {
        ssize_t got = read(file, text, sizeof(text));
        close(file);
        if (got > 0)
            return XXH3_64bits(text, (size_t)got);
    }
    return 0; // never equal to a file's: nothing is adopted
}

static uint32_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

static uint64_t file_bytes(uint32_t capacity)
{
    return ENTRY_OFFSET + (uint64_t)capacity * sizeof(struct sl_flow);
}

bool flow_segment_sound(const struct sl_segment_map *map)
{
    const struct sl_flow_segment *file = map->base;

    return map->size >= ENTRY_OFFSET && file->entry_offset == ENTRY_OFFSET && file->capacity > 0 &&
           file_bytes(file->capacity) <= map->size && file->boot_id_hash != 0 &&
           file->boot_id_hash == flow_boot_id();
}

int flow_segment_set_aside(const char *run_dir, uint32_t worker, struct sl_error *error)
{
    char path[SL_SEGMENT_PATH], aside[SL_SEGMENT_PATH + 8], name[SL_SEGMENT_NAME];

    snprintf(path, sizeof(path), "%s/%s", run_dir, sl_segment_name(SL_SEG_FLOW, worker, name));
    snprintf(aside, sizeof(aside), "%s.old", path);
    if (rename(path, aside) != 0)
        return sl_error_set(error, -errno, "%s: cannot set the sessions of an earlier run aside: %s", path,
                            strerror(errno));
    return 0;
}

static int segment_make(const char *run_dir, const char *name, struct flow_table *table,
                        struct sl_error *error)
{
    const struct sl_segment_spec spec = {
        .dir = run_dir,
        .name = name,
        .kind = SL_SEG_FLOW,
        .mode = SL_MODE_PRIVATE,
        .size = file_bytes(table->capacity),
    };
    struct sl_segment_draft draft;
    int code = sl_segment_create(&spec, &draft, error);

    if (code != 0)
        return code;
    struct sl_flow_segment *file = draft.map.base;
    file->worker = table->worker;
    file->worker_count = table->worker_count;
    file->capacity = table->capacity;
    file->entry_offset = ENTRY_OFFSET;
    file->boot_id_hash = flow_boot_id();
    return sl_segment_commit(&draft, &table->map, error);
}

// Maps the file that is there, or makes one. A file that does not fit is set aside first.
static int segment_take(const char *run_dir, struct flow_table *table, struct sl_error *error)
{
    char name[SL_SEGMENT_NAME];

    sl_segment_name(SL_SEG_FLOW, table->worker, name);
    if (sl_segment_open(run_dir, name, SL_SEG_FLOW, true, &table->map, NULL) != 0)
        return segment_make(run_dir, name, table,
                            error); // none, or nobody can read it: a new one takes its name
    if (flow_segment_sound(&table->map)) {
        const struct sl_flow_segment *file = table->map.base;
        if (file->worker == table->worker && file->worker_count == table->worker_count &&
            file->capacity == table->capacity)
            return 0;
        int code = flow_segment_set_aside(run_dir, table->worker, error);
        if (code != 0)
            return code;
    }
    sl_segment_close(&table->map);
    return segment_make(run_dir, name, table, error);
}

static struct flow_table *table_fail(struct flow_table *table, struct sl_error *error, int code)
{
    if (code == -ENOMEM)
        sl_error_set(error, code, "no memory for a session table of %u flows: lower flow.capacity",
                     table->capacity);
    flow_table_close(table);
    return NULL;
}

struct flow_table *flow_table_open(const char *run_dir, uint32_t worker, uint32_t worker_count,
                                   uint32_t capacity, const struct sl_hash_seed *seed, struct sl_error *error)
{
    struct flow_table *table = aligned_alloc(64, (sizeof(*table) + 63) & ~(size_t)63);

    if (capacity == 0 || capacity > FLOW_CAPACITY_MOST) {
        sl_error_set(error, -EINVAL, "flow.capacity: a worker can hold 1 to %u flows, not %u",
                     FLOW_CAPACITY_MOST, capacity);
        free(table);
        return NULL;
    }
    if (table == NULL)
        return NULL;
    *table = (struct flow_table){.worker = worker, .worker_count = worker_count, .capacity = capacity};
    int code = segment_take(run_dir, table, error);
    if (code != 0)
        return table_fail(table, error, 0);

    struct flow_table placed = *table;
    struct sl_flow_segment *file = table->map.base;
    struct sl_flow *entries = (struct sl_flow *)((uint8_t *)file + ENTRY_OFFSET);
    madvise(file, table->map.size, MADV_HUGEPAGE); // where the file system knows them
    sl_huge_collapse(file, table->map.size);       // elsewhere
    code = flow_table_init(table, entries, capacity, seed, clock_ms());
    table->worker = placed.worker;
    table->worker_count = placed.worker_count;
    table->map = placed.map;
    table->segment = file;
    if (code != 0)
        return table_fail(table, error, code);
    flow_table_adopt(table);
    return table;
}

void flow_table_close(struct flow_table *table)
{
    if (table == NULL)
        return;
    flow_table_fini(table);
    sl_segment_close(&table->map);
    free(table);
}
