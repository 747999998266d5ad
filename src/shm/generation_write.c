// SPDX-License-Identifier: Apache-2.0
// The writing side of generations: seal tables, publish a manifest, remove what nobody names. Called by
// control alone, on its main thread. Each step leaves a state that a reader can use; LAYOUT.md lists them.
#include "shm/generation.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/check.h"
#include "shm/manifest.h"

// ---- tables ------------------------------------------------------------------------------------------------

int sl_table_create(const char *run_dir, struct sl_board *board, enum sl_segment_kind kind, uint64_t size,
                    struct sl_segment_draft *draft, struct sl_error *error)
{
    char name[SL_SEGMENT_NAME];

    draft->map = (struct sl_segment_map){0};
    if (!table_kind_valid(kind) || size < table_fixed_size(kind))
        return sl_error_set(error, -EINVAL, "a %s table of %" PRIu64 " bytes cannot be",
                            sl_segment_kind_name(kind), size);
    // Counted up before the file is made: a serial is never used twice, whatever happens next.
    uint64_t serial = __atomic_fetch_add(&board->next_serial, 1, __ATOMIC_SEQ_CST);
    struct sl_segment_spec spec = {
        .dir = run_dir,
        .name = sl_segment_name(kind, serial, name),
        .kind = kind,
        .mode = SL_MODE_PRIVATE,
        .size = size,
        .serial = serial,
    };
    return sl_segment_create(&spec, draft, error);
}

int sl_table_seal(struct sl_segment_draft *draft, struct sl_table_ref *ref, struct sl_segment_map *map,
                  struct sl_error *error)
{
    const struct sl_segment *segment = draft->map.base;
    int code = sl_table_check(segment, draft->map.size, segment->kind, error);

    if (code != 0) {
        sl_segment_abort(draft);
        return code;
    }
    *ref = (struct sl_table_ref){
        .kind = segment->kind,
        .serial = segment->serial,
        .size = draft->map.size,
        .checksum = table_checksum(&draft->map),
    };
    return sl_segment_commit(draft, map, error);
}

int sl_table_write(const char *run_dir, struct sl_board *board, enum sl_segment_kind kind, const void *image,
                   uint64_t size, struct sl_table_ref *ref, struct sl_error *error)
{
    struct sl_segment_draft draft;
    const uint64_t header = sizeof(struct sl_segment);
    int code = sl_table_create(run_dir, board, kind, size, &draft, error);

    if (code != 0)
        return code;
    memcpy((uint8_t *)draft.map.base + header, (const uint8_t *)image + header, size - header);
    return sl_table_seal(&draft, ref, NULL, error);
}

void sl_route_update_begin(struct sl_route_table *route)
{
    if (__atomic_load_n(&route->epoch, __ATOMIC_RELAXED) != 0)
        return;
    // Before any store of the update: a reader whose checksum is wrong because of one of them reads the epoch after it,
    // finds it above zero, and knows why.
    __atomic_store_n(&route->epoch, 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

void sl_route_updated(struct sl_route_table *route)
{
    __atomic_store_n(&route->epoch, __atomic_load_n(&route->epoch, __ATOMIC_RELAXED) + 1, __ATOMIC_RELEASE);
}

// ---- publish -----------------------------------------------------------------------------------------------

static void manifest_fill(struct sl_generation *generation, uint64_t number,
                          const struct sl_table_ref *tables, uint32_t count, uint64_t config_hash)
{
    generation->number = number;
    generation->config_hash = config_hash;
    generation->table_count = count;
    memcpy(generation->table, tables, count * sizeof(*tables));
}

static int manifest_write(const char *run_dir, uint64_t number, const struct sl_table_ref *tables,
                          uint32_t count, uint64_t config_hash, struct sl_error *error)
{
    char name[SL_SEGMENT_NAME];
    struct sl_segment_draft draft;
    struct sl_segment_spec spec = {
        .dir = run_dir,
        .name = sl_segment_name(SL_SEG_GENERATION, number, name),
        .kind = SL_SEG_GENERATION,
        .mode = SL_MODE_PRIVATE,
        .size = sizeof(struct sl_generation),
    };
    int code = sl_segment_create(&spec, &draft, error);

    if (code != 0)
        return code;
    manifest_fill(draft.map.base, number, tables, count, config_hash);
    code = manifest_check(draft.map.base, number, error);
    if (code != 0) {
        sl_segment_abort(&draft);
        return code;
    }
    return sl_segment_commit(&draft, NULL, error);
}

int sl_generation_publish(const char *run_dir, struct sl_board *board, const struct sl_table_ref *tables,
                          uint32_t count, uint64_t config_hash, uint64_t *number, struct sl_error *error)
{
    uint64_t next = __atomic_load_n(&board->published, __ATOMIC_RELAXED) + 1;

    if (count > SL_GENERATION_TABLES)
        return sl_error_set(error, -EINVAL, "a generation of %u tables: %d are the most", count,
                            SL_GENERATION_TABLES);
    // A manifest of this number may be there from a process killed right here: nobody was told of it, so it
    // is replaced.
    int code = manifest_write(run_dir, next, tables, count, config_hash, error);
    if (code != 0)
        return code;
    __atomic_store_n(&board->published, next, __ATOMIC_RELEASE);
    if (number)
        *number = next;
    return 0;
}
