// SPDX-License-Identifier: Apache-2.0
// Frames between ports and engines. The engine writes into packet buffers that lie ready in its outbox; what the port
// does not take at once stays there, in order, and while it does no connection is opened. Worker threads, except
// shard_open() and shard_close().
#include "loop.h"
#include <errno.h>
#include <stdio.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_prefetch.h>
#include "../idle.h"
#include "wire/headers.h"

uint64_t loop_ns_magic(uint64_t ticks_per_s)
{
    return (uint64_t)(((unsigned __int128)1000000000u << 32) / ticks_per_s);
}

static bool room_fill(struct shard *shard, uint32_t from, uint32_t count)
{
    if (count == 0)
        return true;
    if (rte_pktmbuf_alloc_bulk(shard->pool, &shard->mbuf[from], count) != 0)
        return false;
    for (uint32_t i = from; i < from + count; i++)
        shard->engine.outbox.frame[i] = rte_pktmbuf_mtod(shard->mbuf[i], uint8_t *);
    return true;
}

static struct rte_ring *inbox_new(const struct shard *shard)
{
    char name[RTE_RING_NAMESIZE];
    snprintf(name, sizeof(name), "%s-%u", shard->side->server ? "server" : "client", shard->queue);
    return rte_ring_create(name, LOOP_INBOX, SOCKET_ID_ANY, RING_F_SC_DEQ);
}

int shard_open(struct shard *shard, struct rte_mempool *pool)
{
    shard->pool = pool;
    if (shard->side->shards > 1 && !(shard->inbox = inbox_new(shard)))
        return -ENOMEM;
    if (!room_fill(shard, 0, ENGINE_OUTBOX))
        return -ENOMEM;
    shard->engine.outbox.room = ENGINE_OUTBOX;
    return 0;
}

void shard_close(struct shard *shard)
{
    struct rte_mbuf *frame;
    rte_pktmbuf_free_bulk(shard->mbuf, shard->engine.outbox.room);
    shard->engine.outbox.room = 0;
    while (shard->inbox && rte_ring_sc_dequeue(shard->inbox, (void **)&frame) == 0)
        rte_pktmbuf_free(frame);
    rte_ring_free(shard->inbox);
    shard->inbox = NULL;
}

static void slot_move(struct shard *shard, uint32_t to, uint32_t from)
{
    struct engine_outbox *box = &shard->engine.outbox;
    shard->mbuf[to] = shard->mbuf[from];
    box->frame[to] = box->frame[from];
    box->len[to] = box->len[from];
}

// The first `sent` of the written frames are gone: the others move up, and fresh buffers come behind them. Where the
// pool has none, the room shrinks until it has.
static void outbox_mend(struct shard *shard, uint32_t sent)
{
    struct engine_outbox *box = &shard->engine.outbox;
    uint32_t left = box->count - sent;
    for (uint32_t i = 0; i < left; i++)
        slot_move(shard, i, sent + i);
    if (!room_fill(shard, left, sent)) {
        for (uint32_t i = box->count; i < box->room; i++)
            slot_move(shard, i - sent, i);
        box->room -= sent;
    }
    box->count = left;
}

static void outbox_flush(struct shard *shard)
{
    struct engine_outbox *box = &shard->engine.outbox;
    if (box->count == 0)
        return;
    for (uint32_t i = 0; i < box->count; i++) {
        shard->mbuf[i]->data_len = box->len[i];
        shard->mbuf[i]->pkt_len = box->len[i];
    }
    uint32_t sent = 0, took = ENGINE_BURST;
    while (sent < box->count && took > 0) {
        uint32_t want = box->count - sent < ENGINE_BURST ? box->count - sent : ENGINE_BURST;
        took = rte_eth_tx_burst(shard->tx_device, shard->queue, &shard->mbuf[sent], (uint16_t)want);
        sent += took;
    }
    if (sent > 0)
        outbox_mend(shard, sent);
}

static bool asks_for_us(const struct rte_mbuf *frame)
{
    const struct sl_eth *eth = rte_pktmbuf_mtod(frame, const struct sl_eth *);
    return eth->type == sl_be16_of(SL_ETHERTYPE_ARP) ||
           (eth->type == sl_be16_of(SL_ETHERTYPE_IPV6) && ((const uint8_t *)eth)[20] == IPPROTO_ICMPV6);
}

// Neighbors' questions are answered in place; the others are left in `frame`.
static uint16_t questions_answer(struct shard *shard, struct rte_mbuf **frame, uint16_t count)
{
    uint16_t kept = 0;
    for (uint16_t i = 0; i < count; i++) {
        if (likely(!asks_for_us(frame[i]))) {
            frame[kept++] = frame[i];
            continue;
        }
        if (!neighbor_reply(&shard->side->self, frame[i]) ||
            rte_eth_tx_burst(shard->tx_device, shard->queue, &frame[i], 1) == 0)
            rte_pktmbuf_free(frame[i]);
    }
    return kept;
}

// A frame carries in its hash how many shards have passed it on.
static void frame_hand(struct shard *shard, struct rte_mbuf *frame, uint32_t next)
{
    frame->hash.usr++;
    if (next < shard->side->shards && rte_ring_enqueue(shard->side->shard[next]->inbox, frame) == 0)
        return;
    shard->overrun++;
    rte_pktmbuf_free(frame);
}

static void frames_take(struct shard *shard, struct rte_mbuf **frame, uint32_t count, uint64_t now_ns)
{
    struct engine_frame bytes[ENGINE_BURST];
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes[i] = (struct engine_frame){.bytes = rte_pktmbuf_mtod(frame[i], const uint8_t *),
                                         .len = frame[i]->data_len,
                                         .hops = shard->inbox ? (uint8_t)frame[i]->hash.usr : 0};
    engine_input(&shard->engine, bytes, count, now_ns);
    for (uint32_t i = 0; i < count; i++)
        if (likely(bytes[i].next == ENGINE_TAKEN))
            frame[kept++] = frame[i];
        else
            frame_hand(shard, frame[i], bytes[i].next);
    rte_pktmbuf_free_bulk(frame, kept);
}

static uint32_t queue_take(struct shard *shard, uint16_t queue, uint64_t now_ns)
{
    struct rte_mbuf *frame[ENGINE_BURST];
    uint16_t came = rte_eth_rx_burst(shard->rx_device, queue, frame, ENGINE_BURST);
    for (uint16_t i = 0; i < came; i++)
        rte_prefetch0(rte_pktmbuf_mtod(frame[i], void *));
    uint16_t count = questions_answer(shard, frame, came);
    for (uint16_t i = 0; shard->inbox && i < count; i++)
        frame[i]->hash.usr = 0;
    if (count > 0)
        frames_take(shard, frame, count, now_ns);
    return came;
}

static uint32_t inbox_take(struct shard *shard, uint64_t now_ns)
{
    struct rte_mbuf *frame[ENGINE_BURST];
    uint32_t count = rte_ring_sc_dequeue_burst(shard->inbox, (void **)frame, ENGINE_BURST, NULL);
    if (count > 0)
        frames_take(shard, frame, count, now_ns);
    return count;
}

static void shard_open_due(struct shard *shard, uint64_t tsc, uint64_t now_ns)
{
    struct engine *engine = &shard->engine;
    uint64_t opened = engine->counters.opened;
    if (engine->config.server || engine->outbox.count > 0 ||
        !__atomic_load_n(&shard->open, __ATOMIC_RELAXED) || (shard->limit && opened >= shard->limit))
        return;
    uint64_t most =
        shard->limit && shard->limit - opened < ENGINE_BURST ? shard->limit - opened : ENGINE_BURST;
    uint32_t due = pace_due(&shard->pace, tsc, (uint32_t)most);
    uint32_t done = due ? client_open(engine, due, now_ns) : 0;
    if (done < due)
        pace_return(&shard->pace, due - done);
}

// True where something came, or is still to be sent.
static bool shard_poll(struct shard *shard, uint64_t tsc, uint64_t now_ns)
{
    struct engine_outbox *box = &shard->engine.outbox;
    uint32_t came = 0;
    if (unlikely(box->room < ENGINE_OUTBOX) && room_fill(shard, box->room, ENGINE_OUTBOX - box->room))
        box->room = ENGINE_OUTBOX;
    for (uint32_t queue = shard->queue; queue < shard->rx_queues; queue += shard->side->shards)
        came += queue_take(shard, (uint16_t)queue, now_ns);
    if (shard->inbox)
        came += inbox_take(shard, now_ns);
    engine_timers(&shard->engine, now_ns);
    shard_open_due(shard, tsc, now_ns);
    outbox_flush(shard);
    __atomic_store_n(&shard->open_count, engine_open(&shard->engine), __ATOMIC_RELAXED);
    return came > 0 || box->count > 0 || !shard->engine.config.server;
}

int loop_run(void *argument)
{
    struct loop *loop = argument;
    struct idle idle;
    idle_init(&idle);
    while (!session_stopping(loop->session)) {
        bool busy = false;
        for (uint32_t i = 0; i < loop->shards; i++) {
            uint64_t tsc = rte_rdtsc();
            busy |= shard_poll(loop->shard[i], tsc, loop_ns(loop->ns_magic, tsc));
        }
        idle_rest(&idle, busy);
    }
    return 0;
}
