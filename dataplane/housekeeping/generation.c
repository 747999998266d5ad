// SPDX-License-Identifier: Apache-2.0
// Taking over generations: map and check (housekeeping thread), hand over and close again (housekeeping
// thread), switch between two bursts (each worker). Tables that two generations share are mapped once and
// counted.
#include "housekeeping/generation.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "balance/balance.h"
#include "endpoint/endpoint.h"
#include "nat/nat.h"
#include "shm/board.h"
#include "shm/check.h"
#include "shm/generation.h"
#include "shm/huge.h"

#define RETRY_MS 3000

struct mapped { // one table file
    struct mapped *next;
    struct sl_table_ref ref;
    struct sl_segment_map map;
    uint32_t users; // generations that hold it
};

struct held {             // a struct tables and what it stands on
    struct tables tables; // first: workers know only this
    struct held *next;    // older one, in the list of the retired
    struct mapped *mapped[SL_GENERATION_TABLES];
    uint32_t mapped_count;
};

struct generations {
    struct mapped *mapped;
    struct held *current; // house->tables
    struct held *retired; // handed over once, followed by a newer one; newest first
    uint64_t tried;       // generation that was refused: not tried again, but for
    bool retry;           // refused for the sake of its surroundings, with none before it to go on with:
    uint32_t retry_ms;    // tried again from then on
    generations_closing closing;
    void *closing_context;
};

struct generations *generations_new(void)
{
    return calloc(1, sizeof(struct generations));
}

// ---- mappings ----------------------------------------------------------------------------------------------

static void mapped_put(struct generations *generations, struct mapped *mapped)
{
    struct mapped **link = &generations->mapped;

    if (--mapped->users > 0)
        return;
    while (*link != mapped)
        link = &(*link)->next;
    *link = mapped->next;
    sl_segment_close(&mapped->map);
    free(mapped);
}

// Brings the pages in now, and puts them together to large ones: a worker must not fault, and should not miss
// the TLB at every lookup. Wishes, all; without them the tables are only slower.
static void mapped_prefault(const struct sl_segment_map *map)
{
    madvise(map->base, map->size, MADV_HUGEPAGE);
    madvise(map->base, map->size, MADV_POPULATE_READ);
    sl_huge_collapse(map->base, map->size);
}

// The whole reference is compared, checksum included: a serial means nothing across two boards.
static struct mapped *mapped_find(const struct generations *generations, const struct sl_table_ref *ref)
{
    for (struct mapped *mapped = generations->mapped; mapped; mapped = mapped->next)
        if (memcmp(&mapped->ref, ref, sizeof(*ref)) == 0)
            return mapped;
    return NULL;
}

static struct mapped *mapped_get(struct generations *generations, const char *run_dir,
                                 const struct sl_table_ref *ref, struct sl_error *error)
{
    struct mapped *mapped = mapped_find(generations, ref);

    if (!mapped) {
        mapped = calloc(1, sizeof(*mapped));
        if (!mapped) {
            sl_error_set(error, -ENOMEM, "out of memory while opening %s.%" PRIu64,
                         sl_segment_kind_name(ref->kind), ref->serial);
            return NULL;
        }
        if (sl_table_open(run_dir, ref, &mapped->map, error) != 0) {
            free(mapped);
            return NULL;
        }
        mapped_prefault(&mapped->map);
        mapped->ref = *ref;
        mapped->next = generations->mapped;
        generations->mapped = mapped;
    }
    mapped->users++;
    return mapped;
}

// ---- tables ------------------------------------------------------------------------------------------------

static void tables_fill_port(struct tables *tables, const struct sl_port_table *port)
{
    const uint8_t *base = (const uint8_t *)port;

    tables->port_table = port;
    tables->settings = &port->settings;
    tables->port = (const void *)(base + port->port_offset);
    tables->port_count = port->port_count;
    tables->static_neighbor = (const void *)(base + port->neighbor_offset);
    tables->endpoint = (const void *)(base + port->endpoint_offset);
    tables->endpoint_count = port->endpoint_count;
}

static void tables_fill_route(struct tables *tables, const struct sl_route_table *route)
{
    const uint8_t *base = (const uint8_t *)route;

    tables->route = route;
    tables->nexthop = (const void *)(base + route->nexthop_offset);
    tables->group_slot = (const void *)(base + route->group_offset);
    tables->lpm = (const void *)(base + route->lpm_offset);
}

static const void *held_table(const struct held *held, uint32_t kind)
{
    for (uint32_t i = 0; i < held->mapped_count; i++)
        if (held->mapped[i]->ref.kind == kind)
            return held->mapped[i]->map.base;
    return NULL;
}

void generations_on_close(struct generations *generations, generations_closing closing, void *context)
{
    generations->closing = closing;
    generations->closing_context = context;
}

static void held_close(struct generations *generations, struct held *held)
{
    if (generations->closing)
        generations->closing(generations->closing_context, &held->tables);
    for (uint32_t i = 0; i < held->mapped_count; i++)
        mapped_put(generations, held->mapped[i]);
    free(held);
}

static int held_open(struct generations *generations, const char *run_dir,
                     const struct sl_generation *manifest, struct held *held, struct sl_error *error)
{
    for (uint32_t i = 0; i < manifest->table_count; i++) {
        struct mapped *mapped = mapped_get(generations, run_dir, &manifest->table[i], error);
        if (!mapped)
            return -EBADMSG;
        held->mapped[held->mapped_count++] = mapped;
    }
    return sl_tables_check_together(held_table(held, SL_SEG_PORT), held_table(held, SL_SEG_ROUTE),
                                    held_table(held, SL_SEG_NAT), held_table(held, SL_SEG_PREFILTER),
                                    held_table(held, SL_SEG_BALANCE), error);
}

struct tables *tables_open(struct generations *generations, const char *run_dir, uint64_t number,
                           struct sl_error *error)
{
    struct sl_generation manifest;

    if (sl_generation_read(run_dir, number, &manifest, error) != 0)
        return NULL;
    struct held *held = calloc(1, sizeof(*held));
    if (!held) {
        sl_error_set(error, -ENOMEM, "out of memory while opening generation %" PRIu64, number);
        return NULL;
    }
    if (held_open(generations, run_dir, &manifest, held, error) != 0) {
        held_close(generations, held);
        return NULL;
    }
    held->tables.generation = number;
    tables_fill_port(&held->tables, held_table(held, SL_SEG_PORT));
    tables_fill_route(&held->tables, held_table(held, SL_SEG_ROUTE));
    held->tables.nat = held_table(held, SL_SEG_NAT);
    held->tables.prefilter = held_table(held, SL_SEG_PREFILTER);
    held->tables.balance = held_table(held, SL_SEG_BALANCE);
    return &held->tables;
}

void tables_close(struct generations *generations, struct tables *tables)
{
    if (tables)
        held_close(generations, (struct held *)tables);
}

static void retired_close(struct generations *generations, struct held **link)
{
    while (*link) {
        struct held *held = *link;
        *link = held->next;
        held_close(generations, held);
    }
}

void generations_free(struct generations *generations)
{
    if (!generations)
        return;
    retired_close(generations, &generations->retired);
    retired_close(generations, &generations->current);
    free(generations);
}

// ---- housekeeping's side -----------------------------------------------------------------------------------

// A data plane that starts before its surroundings are there (an interface, the other side of a memif port) has
// nothing else to go on with, and nobody need tell it when they have come.
static bool generation_tried(const struct house *house, uint64_t number)
{
    const struct generations *generations = house->generations;

    if (number != generations->tried)
        return false;
    return !generations->retry || (int32_t)(house->now_ms - generations->retry_ms) < 0;
}

struct tables *generation_next(struct house *house)
{
    struct generations *generations = house->generations;
    uint64_t current = house->tables ? house->tables->generation : 0;
    uint64_t number = __atomic_load_n(&house->board->published, __ATOMIC_ACQUIRE);
    struct sl_error error = {0};

    // Numbers only grow: the reaping below stands on it, so a board that says otherwise is not followed.
    if (number <= current || generation_tried(house, number))
        return NULL;
    struct tables *tables = tables_open(generations, house->run_dir, number, &error);
    if (tables)
        return tables;
    // Control may have published again and removed this one while we looked: that is not a fault, the next
    // pass takes the newer one.
    if (__atomic_load_n(&house->board->published, __ATOMIC_ACQUIRE) != number)
        return NULL;
    generations->tried = number;
    generations->retry = false;
    sl_board_dp_refuse(house->board, number, error.text);
    return NULL;
}

void generation_refuse(struct house *house, struct tables *tables, const char *text)
{
    uint64_t number = tables->generation;

    tables_close(house->generations, tables);
    house->generations->tried = number;
    house->generations->retry = house->tables == NULL;
    house->generations->retry_ms = house->now_ms + RETRY_MS;
    sl_board_dp_refuse(house->board, number, text);
}

void generation_hand_over(struct house *house, struct tables *tables)
{
    struct generations *generations = house->generations;

    if (generations->current) {
        generations->current->next = generations->retired;
        generations->retired = generations->current;
    }
    generations->current = (struct held *)tables;
    house->tables = tables;
    for (uint32_t i = 0; i < house->worker_count; i++)
        __atomic_store_n(&house->worker[i]->next_tables, tables, __ATOMIC_RELEASE); // whole before it is seen
    sl_board_dp_loaded(house->board, tables->generation);
}

// Oldest generation some worker may still use.
static uint64_t generation_oldest(const struct house *house)
{
    uint64_t oldest = house->tables ? house->tables->generation : UINT64_MAX;

    for (uint32_t i = 0; i < house->worker_count; i++) {
        uint64_t taken = __atomic_load_n(&house->worker[i]->tables_taken, __ATOMIC_ACQUIRE);
        oldest = taken < oldest ? taken : oldest;
    }
    return oldest;
}

bool generation_reap(struct house *house)
{
    struct generations *generations = house->generations;
    struct held **link = &generations->retired;

    if (!*link)
        return true;
    uint64_t oldest = generation_oldest(house);
    // Newest first: all behind the first that nobody uses are older still.
    while (*link && (*link)->tables.generation >= oldest)
        link = &(*link)->next;
    retired_close(generations, link);
    return generations->retired == NULL;
}

// ---- worker's side -----------------------------------------------------------------------------------------

void tables_switch(struct worker *worker, const struct tables *next)
{
    const struct tables *old = worker->tables;

    worker->tables = next;
    nat_tables_taken(worker, old);
    balance_tables_taken(worker, old);
    endpoint_tables_taken(worker);
    worker_count(worker, SL_COUNTER_generation_taken, 1);
    // The last use of the old tables is behind us: from these stores on they may be unmapped.
    sl_board_worker_live(worker->board, next->generation);
    __atomic_store_n(&worker->tables_taken, next->generation, __ATOMIC_RELEASE);
}
