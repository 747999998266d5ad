// SPDX-License-Identifier: Apache-2.0
// The packet's way as one function: received frames go in, and come out in a tx buffer, over a ring, or
// dropped. Called by the worker's loop for each burst (and by tests, without ports), on the worker's thread.
#include <rte_cycles.h>
#include <rte_prefetch.h>
#include "worker/worker.h"

struct step {
    enum packet_stage waiting; // packets at this stage are its work
    enum sl_stage meter;       // its cycles are counted here
    void (*run)(struct worker *worker, struct burst *burst);
};

// Left to right. What ICMP errors and echo answers still need comes once more at the end; neither can be
// rejected again (RFC 1122 section 3.2.2: no error about an error), so the line is never walked a third time.
static const struct step line[] = {
    {PACKET_PREFILTER, SL_STAGE_prefilter, prefilter_stage},
    {PACKET_PARSE, SL_STAGE_parse, parse_stage},
    {PACKET_STEER, SL_STAGE_steer, steer_stage},
    {PACKET_FLOW, SL_STAGE_flow, flow_stage},
    {PACKET_NAT, SL_STAGE_nat, nat_stage},
    {PACKET_ROUTE, SL_STAGE_route, route_stage},
    {PACKET_LOCAL, SL_STAGE_icmp, local_stage},
    {PACKET_NEIGHBOR, SL_STAGE_neighbor, neighbor_stage},
    {PACKET_ICMP, SL_STAGE_icmp, icmp_stage},
    {PACKET_ROUTE, SL_STAGE_route, route_stage},
    {PACKET_NEIGHBOR, SL_STAGE_neighbor, neighbor_stage},
};

static uint32_t packets_waiting(const struct burst *burst, enum packet_stage stage)
{
    uint32_t waiting = 0;
    for (uint16_t i = 0; i < burst->count; i++)
        waiting += burst->packet[i].stage == stage;
    return waiting;
}

static void step_run_metered(struct worker *worker, struct burst *burst, const struct step *step)
{
    struct sl_stage_counters *meter = &worker->counters->stage[step->meter];
    meter->packets += packets_waiting(burst, step->waiting);
    uint64_t start = rte_rdtsc();
    step->run(worker, burst);
    meter->cycles += rte_rdtsc() - start;
}

// What no step took to its end: an error that could not be routed, say. Its own reason, where it has one.
static void burst_sweep(struct worker *worker, struct burst *burst)
{
    for (uint16_t i = 0; i < burst->count; i++) {
        struct packet *packet = &burst->packet[i];
        if (packet->stage != PACKET_GONE)
            packet_drop(worker, packet, packet->drop != SL_DROP_none ? packet->drop : SL_DROP_no_route);
    }
}

static void burst_run(struct worker *worker, struct burst *burst)
{
    for (size_t i = 0; i < RTE_DIM(line); i++) {
        const struct step *step = &line[i];
        uint32_t bit = 1u << step->waiting;
        if (!(burst->stages & bit))
            continue;
        burst->stages &= ~bit;
        if (unlikely(worker->metered))
            step_run_metered(worker, burst, step);
        else
            step->run(worker, burst);
    }
    if (unlikely(burst->stages & ~(1u << PACKET_GONE)))
        burst_sweep(worker, burst);
}

static void burst_fill(struct burst *burst, enum packet_stage first, uint16_t flags, struct rte_mbuf **frames)
{
    for (uint16_t i = 0; i < burst->count; i++) {
        struct packet *packet = &burst->packet[i];
        rte_prefetch0(rte_pktmbuf_mtod(frames[i], void *));
        packet->m = frames[i];
        packet->flags = flags;
        packet->stage = first;
        packet->port_in = burst->port_in;
        packet->port_out = UINT16_MAX;
        packet->flow = FLOW_NONE;
        packet->nexthop = 0;
        packet->drop = SL_DROP_none;
    }
    burst->stages = 1u << first;
}

static void line_run(struct worker *worker, struct burst *burst, enum packet_stage first, uint16_t flags,
                     struct rte_mbuf **frames, uint16_t count)
{
    while (count > 0) {
        uint16_t taken = RTE_MIN(count, BURST_MAX); // a stage may add to the burst what it makes itself
        burst->count = taken;
        burst_fill(burst, first, flags, frames);
        burst_run(worker, burst);
        frames += taken;
        count -= taken;
    }
}

static enum packet_stage first_stage(const struct tables *tables, uint16_t port_in)
{
    return tables_prefilter(tables, port_in) ? PACKET_PREFILTER : PACKET_PARSE;
}

void pipeline_run(struct worker *worker, uint16_t port_in, struct rte_mbuf **frames, uint16_t count)
{
    struct burst burst; // 8 KB: filled as far as there are packets, never cleared
    burst.port_in = port_in;
    burst.hops = 0;
    if (unlikely(worker->tables == NULL || port_in >= worker->tables->port_count)) {
        worker_drop_frames(worker, port_in, frames, count, SL_DROP_no_generation);
        return;
    }
    line_run(worker, &burst, first_stage(worker->tables, port_in), 0, frames, count);
}

void pipeline_emit(struct worker *worker, struct burst *burst)
{
    burst->hops = 0;
    if (unlikely(worker->tables == NULL || burst->port_in >= worker->tables->port_count)) {
        for (uint16_t i = 0; i < burst->count; i++)
            packet_drop(worker, &burst->packet[i], SL_DROP_no_generation);
        return;
    }
    burst->stages = 1u << PACKET_ROUTE;
    burst_run(worker, burst);
}

static uint16_t flags_of(enum handover_kind kind)
{
    if (kind == HANDOVER_ROUTE)
        return PACKET_FROM_HOST;
    return kind == HANDOVER_UNRESOLVED ? PACKET_UNRESOLVED : 0;
}

void pipeline_resume(struct worker *worker, enum handover_kind kind, uint16_t port_in, uint8_t hops,
                     struct rte_mbuf **frames, uint16_t count)
{
    struct burst burst;
    burst.port_in = port_in;
    burst.hops = hops;
    if (unlikely(worker->tables == NULL || port_in >= worker->tables->port_count)) {
        worker_drop_frames(worker, port_in, frames, count, SL_DROP_no_generation);
        return;
    }
    line_run(worker, &burst, PACKET_PARSE, flags_of(kind), frames, count);
}
