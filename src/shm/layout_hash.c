// SPDX-License-Identifier: Apache-2.0
// The layout as data: one line per struct and field of layout.def, and its hash. Called when segments are
// made and opened, by any program; pure.
#include <xxhash.h>

#include "shm/segment.h"
#include "table/lpm_read.h"

static const struct sl_layout_field layout_field[] = {
#define SL_STRUCT(type) {#type, 0, sizeof(struct type)},
#define SL_FIELD(type, field)                                                                                \
    {#type "." #field, offsetof(struct type, field), sizeof(((struct type *)0)->field)},
#include "shm/layout.def"
#undef SL_STRUCT
#undef SL_FIELD
};

// What counter blocks are indexed by: another order of these names is another meaning of the same bytes.
static const char *const counted_name[] = {
#define SL_DROP(name, text)    "drop." #name,
#define SL_COUNTER(name, text) "counter." #name,
#define SL_STAGE(name, text)   "stage." #name,
#include "shm/drop.def"
#include "shm/counter.def"
#include "shm/stage.def"
#undef SL_DROP
#undef SL_COUNTER
#undef SL_STAGE
};

const struct sl_layout_field *sl_layout_fields(unsigned *count)
{
    *count = sizeof(layout_field) / sizeof(layout_field[0]);
    return layout_field;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    return XXH3_64bits_withSeed(text, strlen(text) + 1, hash);
}

uint64_t sl_layout_hash(enum sl_segment_kind kind)
{
    uint64_t hash = 0;
    unsigned count;
    const struct sl_layout_field *field = sl_layout_fields(&count);

    for (unsigned i = 0; i < count; i++) {
        uint32_t place[2] = {field[i].offset, field[i].size};
        hash = hash_text(hash, field[i].name);
        hash = XXH3_64bits_withSeed(place, sizeof(place), hash);
    }
    if (kind == SL_SEG_COUNTER)
        for (unsigned i = 0; i < sizeof(counted_name) / sizeof(counted_name[0]); i++)
            hash = hash_text(hash, counted_name[i]);
    return hash;
}
