// SPDX-License-Identifier: Apache-2.0
// drops, counters, worker: what the blocks of the counter segment say.
#include <string.h>
#include "serve/command.h"
#include "serve/flows.h"

static uint32_t worker_count(const struct daemon *daemon)
{
    return daemon->board->worker_count < SL_MAX_WORKERS ? daemon->board->worker_count : SL_MAX_WORKERS;
}

static json_t *json_since(const struct sl_counter_segment *counters)
{
    uint64_t now = show_clock_ns();

    return json_count(counters && now > counters->start_ns ? (now - counters->start_ns) / 1000000000 : 0);
}

void drops_collect(struct daemon *daemon, uint64_t total[SL_DROP_KINDS], uint64_t xdp[SL_DROP_KINDS])
{
    const struct sl_counter_segment *counters = daemon_counters(daemon);
    struct sl_counter_block sum = {0};

    memset(xdp, 0, SL_DROP_KINDS * sizeof(xdp[0]));
    if (counters)
        sl_counters_sum(counters, &sum);
    if (daemon->xdp && prefilter_xdp_drops(daemon->xdp, xdp))
        memset(xdp, 0, SL_DROP_KINDS * sizeof(xdp[0]));
    for (unsigned i = 0; i < SL_DROP_KINDS; i++)
        total[i] = sum.drop[i] + xdp[i];
}

static json_t *per_worker_drop(struct daemon *daemon, unsigned drop)
{
    const struct sl_counter_segment *counters = daemon_counters(daemon);
    json_t *list = json_array();

    for (uint32_t i = 0; counters && i < worker_count(daemon); i++)
        json_array_append_new(list, json_count(counters->block[i].drop[drop]));
    return list;
}

void show_drops(struct daemon *daemon, struct call *call)
{
    uint64_t total[SL_DROP_KINDS], xdp[SL_DROP_KINDS], sum = 0;
    json_t *list = json_array();

    drops_collect(daemon, total, xdp);
    for (unsigned i = SL_DROP_none + 1; i < SL_DROP_KINDS; i++) {
        sum += total[i];
        if (total[i] || arg_true(call, "all"))
            json_array_append_new(list,
                                  json_pack("{s:s, s:s, s:o, s:o, s:o}", "reason", sl_drop_name(i), "text",
                                            sl_drop_text(i), "packets", json_count(total[i]), "xdp",
                                            json_count(xdp[i]), "per_worker", per_worker_drop(daemon, i)));
    }
    call_reply(call, json_pack("{s:o, s:o, s:o, s:o}", "clock_ns", json_count(show_clock_ns()), "since_s",
                               json_since(daemon_counters(daemon)), "total", json_count(sum), "drops", list));
}

static json_t *json_counter(struct daemon *daemon, const struct sl_counter_segment *counters, unsigned i,
                            uint64_t value)
{
    json_t *list = json_array();

    for (uint32_t w = 0; counters && w < worker_count(daemon); w++)
        json_array_append_new(list, json_count(counters->block[w].counter[i]));
    return json_pack("{s:s, s:s, s:o, s:o, s:o}", "counter", sl_counter_name(i), "text", sl_counter_text(i),
                     "value", json_count(value), "per_worker", list, "housekeeping",
                     json_count(counters ? counters->block[SL_MAX_WORKERS].counter[i] : 0));
}

void show_counters(struct daemon *daemon, struct call *call)
{
    const struct sl_counter_segment *counters = daemon_counters(daemon);
    struct sl_counter_block sum = {0};
    json_t *list = json_array();

    if (counters)
        sl_counters_sum(counters, &sum);
    for (unsigned i = 0; i < SL_COUNTER_KINDS; i++)
        if (sum.counter[i] || arg_true(call, "all"))
            json_array_append_new(list, json_counter(daemon, counters, i, sum.counter[i]));
    call_reply(call, json_pack("{s:o, s:o, s:o}", "clock_ns", json_count(show_clock_ns()), "since_s",
                               json_since(counters), "counters", list));
}

static json_t *json_stages(const struct sl_counter_block *block)
{
    json_t *list = json_array();

    for (unsigned i = 0; block && i < SL_STAGE_KINDS; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o}", "stage", sl_stage_name(i), "text",
                                              sl_stage_text(i), "cycles", json_count(block->stage[i].cycles),
                                              "packets", json_count(block->stage[i].packets)));
    return list;
}

static json_t *json_worker(const struct daemon *daemon, uint32_t i, const struct sl_counter_block *block,
                           const struct flows *flows)
{
    const struct sl_board_worker *worker = &daemon->board->worker[i];
    uint64_t used = 0, capacity = 0;

    for (uint32_t k = 0; k < flows->count; k++) {
        const struct sl_flow_segment *segment = flows->segment[k].base;
        if (segment->worker == i) {
            used = segment->used;
            capacity = segment->capacity;
        }
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "worker", json_count(i),
                     "lcore", json_count(worker->lcore), "cpu", json_count(worker->cpu), "generation",
                     json_count(worker->live_generation), "live",
                     worker->live_generation >= daemon->board->published && daemon->board->published > 0,
                     "bursts", json_count(worker->bursts), "busy_cycles",
                     json_count(block ? block->busy_cycles : 0), "idle_cycles",
                     json_count(block ? block->idle_cycles : 0), "flows", json_count(used), "flow_capacity",
                     json_count(capacity), "stages", json_stages(block));
}

void show_worker(struct daemon *daemon, struct call *call)
{
    const struct sl_counter_segment *counters = daemon_counters(daemon);
    struct flows flows;
    json_t *list = json_array();

    flows_open(daemon, &flows);
    for (uint32_t i = 0; i < worker_count(daemon); i++)
        json_array_append_new(list, json_worker(daemon, i, counters ? &counters->block[i] : NULL, &flows));
    flows_close(&flows);
    call_reply(call, json_pack("{s:o, s:o, s:o}", "clock_ns", json_count(show_clock_ns()), "tsc_hz",
                               json_count(daemon->board->tsc_hz), "workers", list));
}
