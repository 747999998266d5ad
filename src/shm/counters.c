// SPDX-License-Identifier: Apache-2.0
// Counters: open, sum, and the names from the .def tables. Housekeeping makes them, anyone reads.
#include "shm/counters.h"

#include <errno.h>
#include <sys/mman.h>

static int counters_make(const char *run_dir, uint64_t now_ns, struct sl_segment_map *map,
                         struct sl_error *error)
{
    struct sl_segment_spec spec = {
        .dir = run_dir,
        .name = "counter",
        .kind = SL_SEG_COUNTER,
        .mode = SL_MODE_READABLE,
        .size = sizeof(struct sl_counter_segment),
    };
    struct sl_segment_draft draft;
    int code = sl_segment_create(&spec, &draft, error);

    if (code != 0)
        return code;
    struct sl_counter_segment *counters = draft.map.base;
    counters->start_ns = now_ns;
    return sl_segment_commit(&draft, map, error);
}

static int size_check(struct sl_segment_map *map, const char *run_dir, struct sl_error *error)
{
    if (map->size == sizeof(struct sl_counter_segment))
        return 0;
    sl_segment_close(map);
    return sl_error_set(error, -EPROTO,
                        "%s/counter: of another size than this program's: start programs of one build",
                        run_dir);
}

int sl_counters_create(const char *run_dir, uint64_t now_ns, struct sl_counter_segment **counters,
                       struct sl_error *error)
{
    struct sl_segment_map map;
    int code = sl_segment_open(run_dir, "counter", SL_SEG_COUNTER, true, &map, error);

    if (code == 0)
        code = size_check(&map, run_dir, error);
    // A start in the future is a start before the last boot, whose clock ran longer.
    if (code == 0 && ((const struct sl_counter_segment *)map.base)->start_ns > now_ns) {
        sl_segment_close(&map);
        code = -ENOENT;
    }
    if (code == -ENOENT || code == -EPROTO || code == -EBADMSG)
        code = counters_make(run_dir, now_ns, &map, error);
    *counters = map.base;
    return code;
}

int sl_counters_open(const char *run_dir, const struct sl_counter_segment **counters, struct sl_error *error)
{
    struct sl_segment_map map;
    int code = sl_segment_open(run_dir, "counter", SL_SEG_COUNTER, false, &map, error);

    if (code == 0)
        code = size_check(&map, run_dir, error);
    *counters = map.base;
    return code;
}

void sl_counters_close(const struct sl_counter_segment *counters)
{
    if (counters)
        munmap((void *)(uintptr_t)counters, sizeof(*counters));
}

void sl_counters_sum(const struct sl_counter_segment *counters, struct sl_counter_block *sum)
{
    enum { WORDS = sizeof(*sum) / sizeof(uint64_t) };
    uint64_t *to = (uint64_t *)sum;

    memset(sum, 0, sizeof(*sum));
    for (unsigned i = 0; i <= SL_MAX_WORKERS; i++) {
        const uint64_t *from = (const uint64_t *)&counters->block[i];
        // A block is words and nothing else; each is read whole while its thread goes on counting.
        for (unsigned w = 0; w < WORDS; w++)
            to[w] += __atomic_load_n(&from[w], __ATOMIC_RELAXED);
    }
}

// ---- names -------------------------------------------------------------------------------------------------

struct counted {
    const char *name;
    const char *text;
};

static const struct counted drop_counted[] = {
#define SL_DROP(name, text) {#name, text},
#include "shm/drop.def"
#undef SL_DROP
};

static const struct counted counter_counted[] = {
#define SL_COUNTER(name, text) {#name, text},
#include "shm/counter.def"
#undef SL_COUNTER
};

static const struct counted stage_counted[] = {
#define SL_STAGE(name, text) {#name, text},
#include "shm/stage.def"
#undef SL_STAGE
};

static struct counted counted_at(const struct counted *table, unsigned count, unsigned index)
{
    return index < count ? table[index]
                         : (struct counted){"unknown", "not known to this program: of a newer build"};
}

const char *sl_drop_name(unsigned drop)
{
    return counted_at(drop_counted, SL_DROP_KINDS, drop).name;
}

const char *sl_drop_text(unsigned drop)
{
    return counted_at(drop_counted, SL_DROP_KINDS, drop).text;
}

const char *sl_counter_name(unsigned counter)
{
    return counted_at(counter_counted, SL_COUNTER_KINDS, counter).name;
}

const char *sl_counter_text(unsigned counter)
{
    return counted_at(counter_counted, SL_COUNTER_KINDS, counter).text;
}

const char *sl_stage_name(unsigned stage)
{
    return counted_at(stage_counted, SL_STAGE_KINDS, stage).name;
}

const char *sl_stage_text(unsigned stage)
{
    return counted_at(stage_counted, SL_STAGE_KINDS, stage).text;
}
