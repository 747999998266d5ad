// SPDX-License-Identifier: Apache-2.0
// See route_table.h. The rib is a map of prefixes to next-hop indices; the image holds the same indices in its tries,
// so a change in place is one trie update. Called by control's main thread.
#include "table/route_table.h"

#include <errno.h>
#include <stdlib.h>
#include "shm/generation.h"
#include "table/lpm_update.h"
#include "table/nexthop_set.h"
#include "table/prefix_map.h"

#define SPARE_NEXTHOPS 1024
#define SPARE_GROUPS   256   // 1 MiB
#define SPARE_BLOCKS   65536 // 4 MiB, and a quarter of what the nodes take

struct sl_rib {
    struct sl_prefix_map routes; // to next-hop indices
    struct nexthop_set nexthops;
    uint64_t count_v4, count_v6;
    struct sl_lpm_item *item; // sorted by sl_rib_load() or sl_rib_prepare(), used up by sl_rib_compile()
    struct sl_lpm_plan plan;
    struct sl_route_table *table; // attached image
    struct sl_lpm_writer writer;  // of its tries
    bool stale;                   // the image was full: it stays behind until another is attached
};

struct sl_rib *sl_rib_new(void)
{
    struct sl_rib *rib = calloc(1, sizeof(*rib));

    if (rib && nexthop_set_init(&rib->nexthops) == 0)
        return rib;
    free(rib);
    return NULL;
}

void sl_rib_free(struct sl_rib *rib)
{
    if (!rib)
        return;
    sl_rib_detach(rib);
    nexthop_set_fini(&rib->nexthops);
    sl_prefix_map_fini(&rib->routes);
    free(rib->item);
    free(rib);
}

// ---- image --------------------------------------------------------------------------------------------------
// The image could not follow: readers go on with what it says, and nothing of it is touched any more.
static int image_left_behind(struct sl_rib *rib)
{
    sl_rib_detach(rib);
    rib->stale = true;
    return -ENOSPC;
}

static void image_count(struct sl_rib *rib)
{
    rib->table->route_count_v4 = rib->count_v4;
    rib->table->route_count_v6 = rib->count_v6;
    __atomic_store_n(&rib->table->epoch, rib->table->epoch + 1, __ATOMIC_RELEASE);
}

// Before anything of the image changes: from now on its checksum is not looked at.
static void image_begin(struct sl_rib *rib)
{
    free(rib->item); // of before the change
    rib->item = NULL;
    if (rib->table)
        sl_route_update_begin(rib->table);
}

// After the rib has changed: `status` of the trie's update decides.
static int image_follow(struct sl_rib *rib, int status)
{
    if (status != 0 || rib->nexthops.full)
        return image_left_behind(rib);
    image_count(rib);
    return 0;
}

// ---- single routes ------------------------------------------------------------------------------------------
static bool ways_valid(const struct sl_rib_way *way, unsigned ways)
{
    if (ways == 0 || ways > SL_RIB_WAYS)
        return false;
    for (unsigned i = 0; i < ways; i++)
        if (way[i].kind == SL_NEXTHOP_NONE || way[i].kind >= SL_NEXTHOP_GROUP || way[i].weight > 256)
            return false;
    return true;
}

static uint64_t *family_count(struct sl_rib *rib, const struct sl_prefix *prefix)
{
    return sl_ip_is_v4(&prefix->ip) ? &rib->count_v4 : &rib->count_v6;
}

int sl_rib_set(struct sl_rib *rib, const struct sl_prefix *prefix, const struct sl_rib_way *way,
               unsigned ways)
{
    uint32_t old;

    if (!ways_valid(way, ways) || prefix->len > (sl_ip_is_v4(&prefix->ip) ? 32 : 128))
        return -EINVAL;
    image_begin(rib);
    int64_t index = nexthop_get(&rib->nexthops, way, ways);
    if (index < 0)
        return (int)index;
    if (sl_prefix_map_set(&rib->routes, prefix, (uint32_t)index, &old) != 0) {
        nexthop_put(&rib->nexthops, (uint32_t)index);
        return -ENOMEM;
    }
    *family_count(rib, prefix) += old == 0;
    int status = rib->stale ? -ENOSPC : 0;
    if (rib->table) {
        bool fits = !rib->nexthops.full;
        status = image_follow(rib, fits ? sl_lpm_set(&rib->writer, prefix, (uint32_t)index) : -ENOSPC);
    }
    nexthop_put(&rib->nexthops, old);
    return status;
}

int sl_rib_remove(struct sl_rib *rib, const struct sl_prefix *prefix)
{
    struct sl_prefix cover = {0};
    uint32_t old = sl_prefix_map_remove(&rib->routes, prefix);

    if (old == 0)
        return -ENOENT;
    image_begin(rib);
    --*family_count(rib, prefix);
    int status = rib->stale ? -ENOSPC : 0;
    if (rib->table) {
        uint32_t value = sl_prefix_map_cover(&rib->routes, &prefix->ip, prefix->len, &cover);
        status = image_follow(rib, sl_lpm_clear(&rib->writer, prefix, sl_lpm_leaf(cover.len, value)));
    }
    nexthop_put(&rib->nexthops, old);
    return status;
}

// ---- many routes --------------------------------------------------------------------------------------------
#define SOURCES_MOST   4096
#define PREFETCH_AHEAD 16

struct load { // where each source has got to
    const struct sl_rib_source *source;
    size_t at;
    uint32_t *index; // by span: its next-hop index, 0: not asked for yet
};

static const struct sl_prefix *load_head(const struct load *load)
{
    return load->at < load->source->count ? &load->source->item[load->at].prefix : NULL;
}

// The source with the least prefix, the first of those that have it; the others pass over theirs. NULL: the end.
static struct load *load_next(struct load *load, unsigned sources)
{
    struct load *best = NULL;

    for (unsigned i = 0; i < sources; i++) {
        const struct sl_prefix *head = load_head(&load[i]);
        int order = head && best ? sl_prefix_compare(head, load_head(best)) : -1;
        if (head && order < 0)
            best = &load[i];
        else if (head && order == 0)
            load[i].at++;
    }
    return best;
}

// The next-hop index of a span, counted once more.
static int64_t load_nexthop(struct sl_rib *rib, struct load *load, uint32_t which)
{
    const struct sl_rib_span *span = &load->source->span[which];

    if (load->index[which]) {
        nexthop_hold(&rib->nexthops, load->index[which]);
        return load->index[which];
    }
    if (!ways_valid(&load->source->way[span->first], span->count))
        return -EINVAL;
    int64_t index = nexthop_get(&rib->nexthops, &load->source->way[span->first], span->count);
    if (index > 0)
        load->index[which] = (uint32_t)index;
    return index;
}

// Merges the sources into rib->item. How many, or -errno.
static int64_t load_merge(struct sl_rib *rib, struct load *load, unsigned sources,
                          const struct sl_prefix **at)
{
    size_t count = 0;

    for (struct load *from; (from = load_next(load, sources)) != NULL; from->at++) {
        const struct sl_lpm_item *item = &from->source->item[from->at];
        int64_t index = load_nexthop(rib, from, item->value);
        *at = &item->prefix;
        if (index < 0 || item->prefix.len > (sl_ip_is_v4(&item->prefix.ip) ? 32 : 128))
            return index < 0 ? index : -EINVAL;
        rib->item[count++] = (struct sl_lpm_item){.prefix = item->prefix, .value = (uint32_t)index};
    }
    *at = NULL;
    return (int64_t)count;
}

static int load_map(struct sl_rib *rib, size_t count)
{
    if (sl_prefix_map_reserve(&rib->routes, count) != 0)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const struct sl_lpm_item *item = &rib->item[i];
        if (i + PREFETCH_AHEAD < count)
            sl_prefix_map_prefetch(&rib->routes, &rib->item[i + PREFETCH_AHEAD].prefix);
        if (sl_prefix_map_set(&rib->routes, &item->prefix, item->value, NULL) != 0)
            return -ENOMEM;
        ++*family_count(rib, &item->prefix);
    }
    return 0;
}

// Room for what a load needs: one index a span, and an item a route.
static int load_open(struct sl_rib *rib, const struct sl_rib_source *source, unsigned sources,
                     struct load *load)
{
    size_t total = 0;

    for (unsigned i = 0; i < sources; i++) {
        load[i].source = &source[i];
        load[i].index = calloc(source[i].span_count + 1, sizeof(*load[i].index));
        if (!load[i].index)
            return -ENOMEM;
        total += source[i].count;
    }
    rib->item = malloc((total + 1) * sizeof(*rib->item));
    return rib->item ? 0 : -ENOMEM;
}

int sl_rib_load(struct sl_rib *rib, const struct sl_rib_source *source, unsigned sources,
                const struct sl_prefix **at)
{
    *at = NULL;
    if (sl_rib_count(rib) > 0 || rib->table || rib->item || sources > SOURCES_MOST)
        return -EINVAL;
    struct load *load = calloc(sources + 1, sizeof(*load));
    int status = load ? load_open(rib, source, sources, load) : -ENOMEM;
    if (status == 0) {
        int64_t count = load_merge(rib, load, sources, at);
        status = count < 0 ? (int)count : load_map(rib, (size_t)count);
    }
    for (unsigned i = 0; load && i < sources; i++)
        free(load[i].index);
    free(load);
    return status;
}

size_t sl_rib_count(const struct sl_rib *rib)
{
    return rib->routes.used;
}

unsigned sl_rib_find(const struct sl_rib *rib, const struct sl_prefix *prefix, struct sl_rib_way *way)
{
    uint32_t index = sl_prefix_map_find(&rib->routes, prefix);

    return index ? nexthop_ways(&rib->nexthops, index, way) : 0;
}

unsigned sl_rib_lookup(const struct sl_rib *rib, const struct sl_ip *ip, struct sl_prefix *found,
                       struct sl_rib_way *way)
{
    unsigned any =
        sl_ip_is_v4(ip) ? 33 : 129; // a length of one more than the address's: every prefix may cover it
    uint32_t index = sl_prefix_map_cover(&rib->routes, ip, any, found);

    return index ? nexthop_ways(&rib->nexthops, index, way) : 0;
}

unsigned sl_rib_next(const struct sl_rib *rib, size_t *cursor, struct sl_prefix *prefix,
                     struct sl_rib_way *way)
{
    uint32_t index;

    return sl_prefix_map_next(&rib->routes, cursor, prefix, &index) ? nexthop_ways(&rib->nexthops, index, way)
                                                                    : 0;
}

// ---- compiling ----------------------------------------------------------------------------------------------
static uint64_t aligned(uint64_t offset)
{
    return (offset + SL_LPM_BLOCK - 1) / SL_LPM_BLOCK * SL_LPM_BLOCK;
}

// Offsets and capacities for a rib that has been prepared.
static struct sl_route_table image_shape(const struct sl_rib *rib)
{
    struct sl_route_table shape = {0};
    uint32_t groups = rib->nexthops.group_count;
    uint32_t spare = groups > SPARE_GROUPS ? groups : SPARE_GROUPS;
    uint64_t roots = ((4ULL << rib->plan.root_bits_v4) + (4ULL << rib->plan.root_bits_v6)) / SL_LPM_BLOCK;

    shape.nexthop_capacity = rib->nexthops.count + rib->nexthops.count / 2 + SPARE_NEXTHOPS;
    shape.group_capacity = (groups + spare) * SL_RIB_GROUP_SLOTS;
    shape.nexthop_offset = aligned(sizeof(shape));
    shape.group_offset = aligned(shape.nexthop_offset + shape.nexthop_capacity * sizeof(struct sl_nexthop));
    shape.lpm_offset = aligned(shape.group_offset + shape.group_capacity * sizeof(uint32_t));
    shape.lpm_size = (rib->plan.blocks + (rib->plan.blocks - roots) / 4 + SPARE_BLOCKS) * SL_LPM_BLOCK;
    return shape;
}

// All routes into rib->item, sorted.
static int items_collect(struct sl_rib *rib)
{
    size_t count = sl_rib_count(rib), cursor = 0, i = 0;
    uint32_t value;

    rib->item = calloc(count ? count : 1, sizeof(*rib->item));
    if (!rib->item)
        return -ENOMEM;
    while (i < count && sl_prefix_map_next(&rib->routes, &cursor, &rib->item[i].prefix, &value))
        rib->item[i++].value = value;
    return sl_lpm_sort(rib->item, count);
}

uint64_t sl_rib_prepare(struct sl_rib *rib)
{
    if (!rib->item && items_collect(rib) != 0) {
        free(rib->item);
        rib->item = NULL;
        return 0;
    }
    sl_lpm_plan(rib->item, sl_rib_count(rib), true, &rib->plan);
    struct sl_route_table shape = image_shape(rib);
    return shape.lpm_size > SL_LPM_CHILD * (uint64_t)SL_LPM_BLOCK ? 0 : shape.lpm_offset + shape.lpm_size;
}

int sl_rib_compile(struct sl_rib *rib, struct sl_route_table *table, uint64_t size)
{
    struct sl_route_table shape = image_shape(rib);

    if (!rib->item || rib->plan.count_v4 + rib->plan.count_v6 != sl_rib_count(rib))
        return -EINVAL;
    if (size < shape.lpm_offset + shape.lpm_size)
        return -ENOSPC;
    shape.segment = table->segment;
    shape.route_count_v4 = rib->count_v4;
    shape.route_count_v6 = rib->count_v6;
    *table = shape;
    nexthop_write_all(&rib->nexthops, table);
    int status = sl_lpm_build(rib->item, sl_rib_count(rib), &rib->plan, (uint8_t *)table + table->lpm_offset,
                              table->lpm_size);
    free(rib->item);
    rib->item = NULL;
    return status;
}

// ---- attaching ----------------------------------------------------------------------------------------------
int sl_rib_attach(struct sl_rib *rib, struct sl_route_table *table, uint64_t size)
{
    struct sl_lpm_writer writer;

    if (table->lpm_offset > size || table->lpm_size > size - table->lpm_offset ||
        table->route_count_v4 != rib->count_v4 || table->route_count_v6 != rib->count_v6)
        return -EINVAL;
    int status = sl_lpm_writer_init(&writer, (uint8_t *)table + table->lpm_offset, table->lpm_size);
    if (status != 0)
        return status;
    sl_rib_detach(rib);
    writer.tick = rib->nexthops.tick;
    rib->writer = writer;
    rib->table = table;
    rib->nexthops.table = table;
    rib->stale = false;
    return 0;
}

void sl_rib_detach(struct sl_rib *rib)
{
    if (rib->table)
        sl_lpm_writer_fini(&rib->writer);
    rib->table = NULL;
    rib->nexthops.table = NULL;
    rib->nexthops.full = false;
    rib->stale = false;
    nexthop_reclaim(&rib->nexthops,
                    UINT64_MAX); // the image is not written any more: its readers keep what it says
}

void sl_rib_tick(struct sl_rib *rib, uint64_t tick)
{
    rib->nexthops.tick = tick;
    rib->writer.tick = tick;
}

void sl_rib_reclaim(struct sl_rib *rib, uint64_t tick)
{
    nexthop_reclaim(&rib->nexthops, tick);
    if (rib->table)
        sl_lpm_reclaim(&rib->writer, tick);
}
