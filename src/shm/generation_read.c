// SPDX-License-Identifier: Apache-2.0
// The reading side of generations: manifest, then each table with its size, serial, checksum and content.
// Called by the data plane's housekeeping, by control when it takes up a running generation, and by tools.
#include "shm/generation.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "shm/check.h"
#include "shm/manifest.h"

#define LOOKS_AGAIN 3

int sl_generation_read(const char *run_dir, uint64_t number, struct sl_generation *generation,
                       struct sl_error *error)
{
    char name[SL_SEGMENT_NAME];
    struct sl_segment_map map;
    int code = sl_segment_open(run_dir, sl_segment_name(SL_SEG_GENERATION, number, name), SL_SEG_GENERATION,
                               false, &map, error);

    if (code != 0)
        return code;
    if (map.size < sizeof(*generation)) {
        code =
            sl_error_set(error, -EBADMSG, "%s: %" PRIu64 " bytes are too few for a manifest", name, map.size);
    } else {
        *generation =
            *(const struct sl_generation *)map.base; // a copy: checked once, then nobody can change it
        code = manifest_check(generation, number, error);
    }
    sl_segment_close(&map);
    return code;
}

// Has the table been changed in place since it was made?
static bool table_is_updated(uint32_t kind, const struct sl_segment_map *map)
{
    const struct sl_route_table *route = map->base;
    const struct sl_balance_table *balance = map->base;

    switch (kind) {
    case SL_SEG_ROUTE:
        return __atomic_load_n(&route->epoch, __ATOMIC_ACQUIRE) > 0;
    case SL_SEG_BALANCE:
        return __atomic_load_n(&balance->epoch, __ATOMIC_ACQUIRE) > 0;
    default:
        return false;
    }
}

// A table that is updated in place has no checksum any more. The epoch is read after the bytes: an update
// that changed any of them had raised it before.
static bool checksum_matches(const struct sl_table_ref *ref, const struct sl_segment_map *map)
{
    if (table_checksum(map) == ref->checksum)
        return true;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return table_is_updated(ref->kind, map);
}

// A route table that control is updating may show a next hop half written: unused yet, but it looks like a lie. A look
// a moment later tells. (A balance table is right at every instant.)
static int content_check(const struct sl_table_ref *ref, const struct sl_segment_map *map,
                         struct sl_error *error)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    int code = sl_table_check(map->base, map->size, ref->kind, error);

    for (int i = 0;
         code == -EBADMSG && ref->kind == SL_SEG_ROUTE && table_is_updated(ref->kind, map) && i < LOOKS_AGAIN;
         i++) {
        nanosleep(&moment, NULL);
        code = sl_table_check(map->base, map->size, ref->kind, error);
    }
    return code;
}

static int table_verify(const char *name, const struct sl_table_ref *ref, const struct sl_segment_map *map,
                        struct sl_error *error)
{
    const struct sl_segment *segment = map->base;

    if (map->size != ref->size || map->size < table_fixed_size(ref->kind))
        return sl_error_set(error, -EBADMSG,
                            "%s: has %" PRIu64 " bytes, the manifest says %" PRIu64
                            ": damaged, apply the config again",
                            name, map->size, ref->size);
    if (segment->serial != ref->serial)
        return sl_error_set(error, -EBADMSG,
                            "%s: has serial %" PRIu64 ", the manifest says %" PRIu64
                            ": damaged, apply the config again",
                            name, segment->serial, ref->serial);
    if (!checksum_matches(ref, map))
        return sl_error_set(error, -EBADMSG,
                            "%s: its checksum is not %016" PRIx64
                            " as the manifest says: damaged, apply the config again",
                            name, ref->checksum);
    return content_check(ref, map, error);
}

static int table_open(const char *run_dir, const struct sl_table_ref *ref, bool writable,
                      struct sl_segment_map *map, struct sl_error *error)
{
    char name[SL_SEGMENT_NAME];
    int code = sl_segment_open(run_dir, sl_segment_name(ref->kind, ref->serial, name), ref->kind, writable,
                               map, error);

    if (code != 0)
        return code;
    code = table_verify(name, ref, map, error);
    if (code != 0)
        sl_segment_close(map);
    return code;
}

int sl_table_open(const char *run_dir, const struct sl_table_ref *ref, struct sl_segment_map *map,
                  struct sl_error *error)
{
    return table_open(run_dir, ref, false, map, error);
}

int sl_table_open_writable(const char *run_dir, const struct sl_table_ref *ref, struct sl_segment_map *map,
                           struct sl_error *error)
{
    return table_open(run_dir, ref, true, map, error);
}

int sl_generation_open(const char *run_dir, uint64_t number, struct sl_generation_maps *maps,
                       struct sl_error *error)
{
    *maps = (struct sl_generation_maps){0};
    int code = sl_generation_read(run_dir, number, &maps->manifest, error);

    for (uint32_t i = 0; code == 0 && i < maps->manifest.table_count; i++) {
        const struct sl_table_ref *ref = &maps->manifest.table[i];
        code = sl_table_open(run_dir, ref, &maps->table[ref->kind], error);
    }
    if (code == 0)
        code = sl_tables_check_together(maps->table[SL_SEG_PORT].base, maps->table[SL_SEG_ROUTE].base,
                                        maps->table[SL_SEG_NAT].base, maps->table[SL_SEG_PREFILTER].base,
                                        maps->table[SL_SEG_BALANCE].base, error);
    if (code != 0)
        sl_generation_close(maps);
    return code;
}

void sl_generation_close(struct sl_generation_maps *maps)
{
    for (unsigned i = 0; i < SL_SEG_KINDS; i++)
        sl_segment_close(&maps->table[i]);
}
