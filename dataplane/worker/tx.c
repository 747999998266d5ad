// SPDX-License-Identifier: Apache-2.0
// The end of the way: frames gather per port and leave once a pass. Called by neighbor_stage and by the loop,
// on the worker's thread.
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include "worker/worker.h"

// AF_XDP and others of the simple drivers send single-segment frames alone; fragments and ICMP errors may be
// chains.
static bool frame_flatten(struct rte_mbuf *frame)
{
    return frame->nb_segs == 1 || rte_pktmbuf_linearize(frame) == 0;
}

static void tx_count(struct worker *worker, uint16_t port, uint16_t packets, uint64_t bytes)
{
    struct sl_port_counters *counters = &worker->counters->port[port];
    counters->tx_packets += packets;
    counters->tx_bytes += bytes;
}

// Bytes are read before the device owns the frames.
static uint64_t frames_bytes(struct rte_mbuf *const *frames, uint16_t count)
{
    uint64_t bytes = 0;
    for (uint16_t i = 0; i < count; i++)
        bytes += frames[i]->pkt_len;
    return bytes;
}

static void tx_send(struct worker *worker, uint16_t port, struct tx_buffer *tx)
{
    uint64_t bytes = frames_bytes(tx->packet, tx->count);
    uint64_t start = worker->metered ? rte_rdtsc() : 0;
    uint16_t sent = rte_eth_tx_burst(tx->device, tx->queue, tx->packet, tx->count);
    if (worker->metered) {
        struct sl_stage_counters *meter = &worker->counters->stage[SL_STAGE_tx];
        meter->cycles += rte_rdtsc() - start;
        meter->packets += sent;
    }
    if (unlikely(sent < tx->count)) {
        uint16_t left = tx->count - sent;
        bytes -= frames_bytes(tx->packet + sent, left);
        worker_drop_frames(worker, UINT16_MAX, tx->packet + sent, left, SL_DROP_tx_queue_full);
    }
    tx_count(worker, port, sent, bytes);
}

// The queue is another worker's: the frames go to it whole, to be sent in its next pass and counted there.
static void tx_pass_on(struct worker *worker, uint16_t port, struct tx_buffer *tx)
{
    for (uint16_t i = 0; i < tx->count; i++)
        *handover_of(tx->packet[i]) = (struct handover){
            .kind = HANDOVER_TX,
            .port_in = UINT16_MAX,
            .port_out = port,
        };
    struct rte_ring *ring = worker->steer_out[tx->owner];
    uint16_t passed = (uint16_t)rte_ring_enqueue_burst(ring, (void **)tx->packet, tx->count, NULL);
    if (unlikely(passed < tx->count))
        worker_drop_frames(worker, UINT16_MAX, tx->packet + passed, tx->count - passed,
                           SL_DROP_tx_queue_full);
}

static void tx_flush(struct worker *worker, uint16_t port)
{
    struct tx_buffer *tx = &worker->tx[port];
    if (unlikely(!tx->up))
        worker_drop_frames(worker, UINT16_MAX, tx->packet, tx->count, SL_DROP_port_down);
    else if (likely(tx->owner == worker->index))
        tx_send(worker, port, tx);
    else
        tx_pass_on(worker, port, tx);
    tx->count = 0;
    worker->tx_pending &= ~(1ULL << port);
}

void worker_tx(struct worker *worker, uint16_t port_out, struct rte_mbuf *frame)
{
    struct tx_buffer *tx = &worker->tx[port_out];
    if (unlikely(!tx->up)) {
        worker_drop_frames(worker, UINT16_MAX, &frame, 1, SL_DROP_port_down);
        return;
    }
    if (unlikely(!frame_flatten(frame))) {
        worker_drop_frames(worker, UINT16_MAX, &frame, 1, SL_DROP_no_memory);
        return;
    }
    if (unlikely(tx->count == TX_BUFFER))
        tx_flush(worker, port_out);
    tx->packet[tx->count++] = frame;
    worker->tx_pending |= 1ULL << port_out;
}

void worker_flush(struct worker *worker)
{
    for (uint64_t pending = worker->tx_pending; pending != 0; pending &= pending - 1)
        tx_flush(worker, (uint16_t)__builtin_ctzll(pending));
}
