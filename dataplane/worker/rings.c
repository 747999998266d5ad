// SPDX-License-Identifier: Apache-2.0
// Packets that come from other threads: steered here by another worker, or sent by housekeeping. Called once
// a pass by the loop, on the worker's thread.
#include "worker/loop.h"

static bool same_origin(const struct handover *a, const struct handover *b)
{
    return a->kind == b->kind && a->port_in == b->port_in && a->hops == b->hops;
}

// Frames from the first on that may travel as one burst.
static uint16_t run_length(struct rte_mbuf **frames, uint16_t count)
{
    const struct handover *first = handover_of(frames[0]);
    uint16_t length = 1;
    while (length < count && same_origin(first, handover_of(frames[length])))
        length++;
    return length;
}

static void run_send(struct worker *worker, struct rte_mbuf **frames, uint16_t count)
{
    for (uint16_t i = 0; i < count; i++)
        worker_tx(worker, handover_of(frames[i])->port_out, frames[i]);
}

static void frames_dispatch(struct worker *worker, struct rte_mbuf **frames, uint16_t count)
{
    while (count > 0) {
        const struct handover first = *handover_of(frames[0]);
        uint16_t length = run_length(frames, count);
        if (first.kind == HANDOVER_TX)
            run_send(worker, frames, length);
        else
            pipeline_resume(worker, first.kind, first.port_in, first.hops, frames, length);
        frames += length;
        count -= length;
    }
}

static uint32_t ring_drain(struct worker *worker, struct rte_ring *ring)
{
    struct rte_mbuf *frames[BURST_MAX];
    uint16_t count = (uint16_t)rte_ring_dequeue_burst(ring, (void **)frames, BURST_MAX, NULL);
    for (uint16_t i = 0; i < count; i++)
        rte_prefetch0(handover_of(frames[i]));
    frames_dispatch(worker, frames, count);
    return count;
}

uint32_t worker_rings(struct worker *worker)
{
    uint32_t handled = 0;
    for (uint32_t other = 0; other < worker->count; other++)
        if (other != worker->index)
            handled += ring_drain(worker, worker->steer_in[other]);
    return handled + ring_drain(worker, worker->from_house);
}
