// SPDX-License-Identifier: Apache-2.0
// Another number of workers, or another capacity: each flow of the old files goes to the table of the worker that
// owns its inside address now. Called once at start, on the main thread. Every old file stays until all its flows
// have been copied, and a flow that is there already is not copied again: killed half way, it starts over.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "flow/adopt.h"
#include "flow/flow.h"
#include "flow/open.h"
#include "nat/share.h"
#include "balance/binding.h"

// A balanced flow is with its client, any other with its inside address.
static uint32_t owner_of(const struct sl_flow *flow, uint32_t worker_count)
{
    struct sl_ip client = flow->key0.src;

    if (flow->kind == SL_FLOW_BALANCE)
        return balance_owner(&client, worker_count);
    return nat_owner(flow->flags & SL_FLOW_INBOUND ? flow->key1.src.w[3] : flow->key0.src.w[3], worker_count);
}

// With full NAT the source port names the worker that answers go to. Where that is no longer the client's, both sides
// cannot be had.
static bool stays_whole(const struct sl_flow *flow, uint32_t worker_count)
{
    struct sl_ip client = flow->key0.src, remote = flow->key1.dst;

    return flow->kind != SL_FLOW_BALANCE || sl_ip_equal(&client, &remote) ||
           balance_port_owner(flow->key1.dport, worker_count) == owner_of(flow, worker_count);
}

// Copies one flow to its owner. False: no room there, or it is there already.
static bool flow_import(struct flow_table *table, const struct sl_flow *old)
{
    struct flow_new new = {
        .key = {old->key0, old->key1},
        .proto = old->proto,
        .hash = {flow_hash(table, &old->key0, old->proto), flow_hash(table, &old->key1, old->proto)},
        .kind = old->kind,
        .state = old->state,
        .flags = old->flags,
        .mapping = old->kind == SL_FLOW_BALANCE ? old->mapping : FLOW_NONE,
    };
    int64_t index = flow_create(table, &new, table->wheel.last_ms);

    if (index < 0)
        return false;
    struct sl_flow *flow = &table->entry[index];
    flow->seen_ms =
        old->seen_ms; // its slot in the wheel is late by what it has idled; the slot will find out
    flow->packets0 = old->packets0;
    flow->packets1 = old->packets1;
    flow->bytes0 = old->bytes0;
    flow->bytes1 = old->bytes1;
    table->adopted++;
    return true;
}

static int64_t segment_import(const struct sl_segment_map *map, struct flow_table *const *tables,
                              uint32_t worker_count)
{
    const struct sl_flow_segment *file = map->base;
    const struct sl_flow *entry = (const struct sl_flow *)((const uint8_t *)map->base + file->entry_offset);
    int64_t moved = 0;

    for (uint32_t i = 0; i < file->capacity; i++)
        if (flow_entry_valid(&entry[i]))
            moved += stays_whole(&entry[i], worker_count) && flow_import(tables[owner_of(&entry[i], worker_count)], &entry[i]);
    return moved;
}

// Sets flow.W of workers that are no more aside as well.
static int leftovers_set_aside(const char *run_dir, uint32_t worker_count, struct sl_error *error)
{
    for (uint32_t worker = worker_count; worker < SL_MAX_WORKERS; worker++) {
        char name[SL_SEGMENT_NAME];
        struct sl_segment_map map;
        sl_segment_name(SL_SEG_FLOW, worker, name);
        if (sl_segment_open(run_dir, name, SL_SEG_FLOW, false, &map, NULL) != 0)
            continue;
        sl_segment_close(&map);
        int code = flow_segment_set_aside(run_dir, worker, error);
        if (code != 0)
            return code;
    }
    return 0;
}

int64_t flow_rehome(const char *run_dir, struct flow_table *const *tables, uint32_t worker_count,
                    struct sl_error *error)
{
    int64_t moved = leftovers_set_aside(run_dir, worker_count, error);

    for (uint32_t worker = 0; moved >= 0 && worker < SL_MAX_WORKERS; worker++) {
        char name[SL_SEGMENT_NAME], aside[SL_SEGMENT_NAME + 8];
        struct sl_segment_map map;
        snprintf(aside, sizeof(aside), "%s.old", sl_segment_name(SL_SEG_FLOW, worker, name));
        if (sl_segment_open(run_dir, aside, SL_SEG_FLOW, false, &map, NULL) == 0) {
            if (flow_segment_sound(&map))
                moved += segment_import(&map, tables, worker_count);
            sl_segment_close(&map);
        }
        sl_segment_unlink(run_dir, aside); // also one that nobody can read
    }
    return moved;
}
