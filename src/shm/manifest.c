// SPDX-License-Identifier: Apache-2.0
// Manifests: what makes one valid, and the checksum of the tables it names. Called by the writer and the
// reader of generations; pure.
#include "shm/manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <xxhash.h>

uint64_t table_checksum(const struct sl_segment_map *map)
{
    return XXH3_64bits((const uint8_t *)map->base + sizeof(struct sl_segment),
                       map->size - sizeof(struct sl_segment));
}

uint64_t table_fixed_size(uint32_t kind)
{
    switch (kind) {
    case SL_SEG_PORT:
        return sizeof(struct sl_port_table);
    case SL_SEG_ROUTE:
        return sizeof(struct sl_route_table);
    case SL_SEG_NAT:
        return sizeof(struct sl_nat_table);
    case SL_SEG_PREFILTER:
        return sizeof(struct sl_prefilter_table);
    case SL_SEG_BALANCE:
        return sizeof(struct sl_balance_table);
    default:
        return 0;
    }
}

bool table_kind_valid(uint32_t kind)
{
    return table_fixed_size(kind) != 0;
}

const struct sl_table_ref *sl_generation_table(const struct sl_generation *generation,
                                               enum sl_segment_kind kind)
{
    uint32_t count = generation->table_count;

    for (uint32_t i = 0; i < count && i < SL_GENERATION_TABLES; i++)
        if (generation->table[i].kind == kind)
            return &generation->table[i];
    return NULL;
}

static int ref_check(const struct sl_generation *generation, uint32_t index, struct sl_error *error)
{
    const struct sl_table_ref *ref = &generation->table[index];

    if (!table_kind_valid(ref->kind))
        return sl_error_set(error, -EBADMSG,
                            "generation %" PRIu64 ": table %u is of kind %u, which is no table",
                            generation->number, index, ref->kind);
    if (sl_generation_table(generation, ref->kind) != ref)
        return sl_error_set(error, -EBADMSG, "generation %" PRIu64 ": names two %s tables",
                            generation->number, sl_segment_kind_name(ref->kind));
    return 0;
}

int manifest_check(const struct sl_generation *generation, uint64_t number, struct sl_error *error)
{
    if (generation->number != number)
        return sl_error_set(error, -EBADMSG, "generation.%" PRIu64 ": says it is number %" PRIu64, number,
                            generation->number);
    if (generation->table_count > SL_GENERATION_TABLES)
        return sl_error_set(error, -EBADMSG, "generation %" PRIu64 ": names %u tables, %d are the most",
                            number, generation->table_count, SL_GENERATION_TABLES);
    for (uint32_t i = 0; i < generation->table_count; i++) {
        int code = ref_check(generation, i, error);
        if (code != 0)
            return code;
    }
    // The data plane cannot work without these two; the others are absent where nothing is configured.
    if (!sl_generation_table(generation, SL_SEG_PORT) || !sl_generation_table(generation, SL_SEG_ROUTE))
        return sl_error_set(error, -EBADMSG, "generation %" PRIu64 ": needs a port table and a route table",
                            number);
    return 0;
}
