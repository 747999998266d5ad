// SPDX-License-Identifier: Apache-2.0
// Between bursts: flows that end by timeout, by the operator, by a new generation. Each call does a bounded number,
// so that a million flows ending at once never hold up packets. On the worker's thread.
#include "balance/flow.h"
#include "flow/end.h"
#include "flow/flow.h"
#include "nat/lifecycle.h"
#include "table/flow_read.h"

#define TICK_DUE   32  // entries whose slot has come, each pass
#define TICK_SWEEP 128 // entries compared with a new generation, each pass: some microseconds

void flow_end(struct worker *worker, uint32_t index, enum sl_counter why)
{
    struct sl_flow *flow = &worker->flows->entry[index];

    if (flow->kind == SL_FLOW_BALANCE)
        balance_flow_ended(worker, flow);
    else
        nat_flow_ended(worker, flow);
    flow_remove(worker->flows, index);
    worker_count(worker, why, 1);
}

static bool flow_fits(struct worker *worker, uint32_t index)
{
    struct sl_flow *flow = &worker->flows->entry[index];

    return flow->kind == SL_FLOW_BALANCE ? balance_flow_fits(worker, index) : nat_flow_fits(worker, flow);
}

// Entries are swept from the last to the first, so that what is left is also where to go on.
static uint32_t sweep(struct worker *worker)
{
    struct flow_table *table = worker->flows;
    uint32_t done = 0;

    for (; done < TICK_SWEEP && table->sweep_left > 0; done++) {
        struct sl_flow *flow = &table->entry[--table->sweep_left];
        __builtin_prefetch(flow - 8);
        __builtin_prefetch(&(flow - 8)->key1);
        if (flow->kind == SL_FLOW_FREE)
            continue;
        if (!flow_fits(worker, table->sweep_left))
            flow_end(worker, table->sweep_left, SL_COUNTER_flow_withdrawn);
        else if (table->sweep_rearm)
            flow_rearm(table, table->sweep_left, worker->now_ms);
    }
    if (table->sweep_left == 0)
        table->sweep_rearm = false;
    return done;
}

uint32_t flow_tick(struct worker *worker)
{
    uint32_t budget = TICK_DUE;

    if (worker->flows == NULL || worker->tables == NULL)
        return 0;
    balance_watch(worker);
    for (uint32_t index; (index = flow_expired(worker->flows, worker->now_ms, &budget)) != FLOW_NONE;)
        flow_end(worker, index, SL_COUNTER_flow_expired);
    return TICK_DUE - budget + sweep(worker);
}

uint32_t flow_kill_step(struct worker *worker, const struct sl_flow_match *match, uint32_t from,
                        uint32_t budget, uint64_t *killed)
{
    struct flow_table *table = worker->flows;
    uint32_t end = table->capacity - from < budget ? table->capacity : from + budget;

    for (uint32_t index = from; index < end; index++) {
        struct sl_flow_view view;
        if (!sl_flow_view_of(&table->entry[index], &view) || !sl_flow_view_matches(&view, match))
            continue;
        flow_end(worker, index, SL_COUNTER_flow_killed);
        ++*killed;
    }
    return end < table->capacity ? end : FLOW_NONE;
}
