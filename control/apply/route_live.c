// SPDX-License-Identifier: Apache-2.0
// See route_live.h.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "apply/route_live.h"

static struct sl_route_table *table_of(const struct route_live *live)
{
    return live->map.base;
}

uint64_t route_live_seed(const struct route_live *live)
{
    return live->map.base ? table_of(live)->hash_seed : 0;
}

void route_live_take_up(const char *run_dir, const struct sl_table_ref *ref, struct route_live *live)
{
    char name[SL_SEGMENT_NAME];

    route_live_fini(live);
    sl_segment_name(SL_SEG_ROUTE, ref->serial, name);
    if (sl_segment_open(run_dir, name, SL_SEG_ROUTE, false, &live->map, NULL))
        return;
    if (live->map.size < sizeof(struct sl_route_table))
        sl_segment_close(&live->map);
    else
        live->ref = *ref;
}

void route_live_fini(struct route_live *live)
{
    if (live->rib) {
        sl_rib_detach(live->rib);
        sl_rib_free(live->rib);
    }
    sl_segment_close(&live->map);
    memset(live, 0, sizeof(*live));
}

static int rib_fault(int rc, const struct sl_prefix *at, struct sl_error *error)
{
    char text[SL_PREFIX_TEXT];

    if (rc != -EINVAL || !at)
        return sl_error_set(error, rc, "routes: no memory left for them");
    return sl_error_set(error, rc, "route %s: more than the %u ways that fit", sl_prefix_format(at, text),
                        SL_RIB_WAYS);
}

// All layers at once; the first wins.
static int rib_fill(struct sl_rib *rib, const struct route_plan *plan, struct sl_error *error)
{
    struct sl_rib_source *source = calloc(plan->count + 1, sizeof(*source));
    const struct sl_prefix *at = NULL;

    for (unsigned i = 0; source && i < plan->count; i++) {
        const struct route_layer *layer = plan->layer[i];
        source[i] = (struct sl_rib_source){.item = layer->item,
                                           .count = layer->count,
                                           .span = layer->span,
                                           .span_count = layer->span_count,
                                           .way = layer->way};
    }
    int rc = source ? sl_rib_load(rib, source, plan->count, &at) : -ENOMEM;
    free(source);
    return rc ? rib_fault(rc, at, error) : 0;
}

static uint64_t fresh_seed(void)
{
    uint64_t seed = 0;

    if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed) || seed == 0)
        seed = 0x9e3779b97f4a7c15u;
    return seed;
}

static int live_write(const char *run_dir, struct sl_board *board, uint64_t seed, struct route_live *live,
                      struct sl_error *error)
{
    struct sl_segment_draft draft;
    uint64_t size = sl_rib_prepare(live->rib);

    if (size == 0)
        return sl_error_set(error, -ENOSPC,
                            "routes: %zu of them are more than a table holds, or memory is out",
                            sl_rib_count(live->rib));
    int rc = sl_table_create(run_dir, board, SL_SEG_ROUTE, size, &draft, error);
    if (rc)
        return rc;
    struct sl_route_table *table = draft.map.base;
    rc = sl_rib_compile(live->rib, table, draft.map.size);
    if (rc) {
        sl_segment_abort(&draft);
        return sl_error_set(error, rc, "routes: the table could not be compiled: %s", strerror(-rc));
    }
    table->hash_seed = seed ? seed : fresh_seed();
    rc = sl_table_seal(&draft, &live->ref, &live->map, error);
    if (rc)
        return rc;
    rc = sl_rib_attach(live->rib, live->map.base, live->map.size);
    return rc ? sl_error_set(error, rc, "routes: the table cannot be updated in place: %s", strerror(-rc))
              : 0;
}

int route_live_build(const char *run_dir, struct sl_board *board, const struct route_plan *plan,
                     uint64_t seed, struct route_live *live, struct sl_error *error)
{
    memset(live, 0, sizeof(*live));
    live->rib = sl_rib_new();
    if (!live->rib)
        return sl_error_set(error, -ENOMEM, "out of memory");
    int rc = rib_fill(live->rib, plan, error);
    if (rc == 0)
        rc = live_write(run_dir, board, seed, live, error);
    if (rc)
        route_live_fini(live);
    return rc;
}

// ---- updates in place -----------------------------------------------------------------------------------------

struct collect { // prefixes that differ between two plans
    struct sl_prefix *list;
    size_t count, room;
    bool out_of_memory;
};

static void collect_prefix(void *context, const struct sl_prefix *prefix)
{
    struct collect *collect = context;

    if (collect->count == collect->room) {
        size_t room = collect->room ? collect->room * 2 : 16;
        struct sl_prefix *list = realloc(collect->list, room * sizeof(*list));
        if (!list) {
            collect->out_of_memory = true;
            return;
        }
        collect->list = list;
        collect->room = room;
    }
    collect->list[collect->count++] = *prefix;
}

static int remember(struct sl_rib *rib, const struct sl_prefix *prefix, struct route_changes *changes)
{
    struct sl_rib_way way[SL_RIB_WAYS];
    unsigned ways = sl_rib_find(rib, prefix, way);

    if (changes->count == changes->room) {
        size_t room = changes->room ? changes->room * 2 : 16;
        struct route_change *list = realloc(changes->list, room * sizeof(*list));
        if (!list)
            return -ENOMEM;
        changes->list = list;
        changes->room = room;
    }
    struct route_change *change = &changes->list[changes->count];
    *change = (struct route_change){.prefix = *prefix, .ways = ways};
    if (ways) {
        change->way = malloc(ways * sizeof(*way));
        if (!change->way)
            return -ENOMEM;
        memcpy(change->way, way, ways * sizeof(*way));
    }
    changes->count++;
    return 0;
}

static int change_one(struct route_live *live, const struct sl_prefix *prefix, const struct sl_rib_way *way,
                      unsigned ways)
{
    int rc = ways ? sl_rib_set(live->rib, prefix, way, ways) : sl_rib_remove(live->rib, prefix);

    return rc == -ENOENT ? 0 : rc;
}

static int update_prefix(struct route_live *live, const struct route_plan *after,
                         const struct sl_prefix *prefix, struct route_changes *changes)
{
    size_t at;
    unsigned ways = 0;
    const struct sl_rib_way *way = NULL;
    const struct route_layer *layer = route_plan_find(after, prefix, &at);

    if (layer)
        way = route_layer_ways(layer, at, &ways);
    int rc = remember(live->rib, prefix, changes);
    if (rc)
        return rc;
    bool had = changes->list[changes->count - 1].ways > 0;
    rc = change_one(live, prefix, way, ways);
    if (rc == 0) {
        changes->added += !had && ways;
        changes->removed += had && !ways;
    }
    return rc;
}

int route_live_update(struct route_live *live, const struct route_plan *before,
                      const struct route_plan *after, struct route_changes *changes)
{
    struct collect collect = {0};
    size_t count = route_plan_changes(before, after, ROUTE_MOST_IN_PLACE, collect_prefix, &collect);
    int rc = count > ROUTE_MOST_IN_PLACE ? -E2BIG : collect.out_of_memory ? -ENOMEM : 0;

    memset(changes, 0, sizeof(*changes));
    if (rc == 0 && count > 0) {
        sl_rib_tick(live->rib, live->grace.tick);
        live->grace.dirty = true;
    }
    for (size_t i = 0; rc == 0 && i < collect.count; i++)
        rc = update_prefix(live, after, &collect.list[i], changes);
    free(collect.list);
    if (rc && rc != -E2BIG) {
        if (route_live_undo(live, changes))
            rc = -EIO;
        route_changes_fini(changes);
    }
    return rc;
}

int route_live_undo(struct route_live *live, struct route_changes *changes)
{
    int rc = 0;

    while (changes->count > 0) {
        struct route_change *change = &changes->list[--changes->count];
        if (change_one(live, &change->prefix, change->way, change->ways))
            rc = -EIO;
        free(change->way);
    }
    return rc;
}

void route_changes_fini(struct route_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++)
        free(changes->list[i].way);
    free(changes->list);
    memset(changes, 0, sizeof(*changes));
}

// ---- grace ------------------------------------------------------------------------------------------------------

static bool readers_known(const struct sl_board *board)
{
    uint64_t published = __atomic_load_n(&board->published, __ATOMIC_ACQUIRE);

    // A data plane that is loading holds references no counter tells of.
    return __atomic_load_n(&board->loaded, __ATOMIC_ACQUIRE) >= published &&
           sl_board_dp_alive(board, sl_board_now_ns());
}

static void grace_snapshot(struct route_grace *grace, const struct sl_board *board)
{
    grace->incarnation = __atomic_load_n(&board->incarnation, __ATOMIC_ACQUIRE);
    grace->heartbeat_ns = __atomic_load_n(&board->dp_heartbeat_ns, __ATOMIC_ACQUIRE);
    for (unsigned i = 0; i < SL_MAX_WORKERS; i++)
        grace->bursts[i] = __atomic_load_n(&board->worker[i].bursts, __ATOMIC_ACQUIRE);
}

static bool grace_passed(const struct route_grace *grace, const struct sl_board *board)
{
    uint32_t workers = __atomic_load_n(&board->worker_count, __ATOMIC_ACQUIRE);

    if (__atomic_load_n(&board->dp_heartbeat_ns, __ATOMIC_ACQUIRE) == grace->heartbeat_ns)
        return false; // housekeeping routes packets too
    for (unsigned i = 0; i < workers && i < SL_MAX_WORKERS; i++)
        if (__atomic_load_n(&board->worker[i].bursts, __ATOMIC_ACQUIRE) == grace->bursts[i])
            return false;
    return true;
}

void route_live_reclaim(struct route_live *live, const struct sl_board *board)
{
    struct route_grace *grace = &live->grace;

    if (!live->rib || !readers_known(board))
        return;
    if (grace->waiting && board->incarnation != grace->incarnation)
        grace_snapshot(grace, board); // other readers than those we waited for
    if (grace->waiting && grace_passed(grace, board)) {
        sl_rib_reclaim(live->rib, grace->waiting_tick);
        grace->waiting = false;
    }
    if (!grace->waiting && grace->dirty) {
        grace->waiting_tick = grace->tick++;
        sl_rib_tick(live->rib, grace->tick);
        grace_snapshot(grace, board);
        grace->waiting = true;
        grace->dirty = false;
    }
}
