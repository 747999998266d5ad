// SPDX-License-Identifier: Apache-2.0
// Frames between ports and engines. The engine writes into packet buffers that lie ready in its outbox; what the port
// does not take at once stays there, in order, and while it does no connection is opened. Worker threads, except
// side_open() and side_close().
#include "loop.h"
#include <errno.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_prefetch.h>
#include "wire/headers.h"

uint64_t loop_ns_magic(uint64_t ticks_per_s)
{
    return (uint64_t)(((unsigned __int128)1000000000u << 32) / ticks_per_s);
}

static bool room_fill(struct side *side, uint32_t from, uint32_t count)
{
    if (count == 0)
        return true;
    if (rte_pktmbuf_alloc_bulk(side->pool, &side->mbuf[from], count) != 0)
        return false;
    for (uint32_t i = from; i < from + count; i++)
        side->engine.outbox.frame[i] = rte_pktmbuf_mtod(side->mbuf[i], uint8_t *);
    return true;
}

int side_open(struct side *side, struct rte_mempool *pool)
{
    side->pool = pool;
    if (!room_fill(side, 0, ENGINE_OUTBOX))
        return -ENOMEM;
    side->engine.outbox.room = ENGINE_OUTBOX;
    return 0;
}

void side_close(struct side *side)
{
    rte_pktmbuf_free_bulk(side->mbuf, side->engine.outbox.room);
    side->engine.outbox.room = 0;
}

static void slot_move(struct side *side, uint32_t to, uint32_t from)
{
    struct engine_outbox *box = &side->engine.outbox;
    side->mbuf[to] = side->mbuf[from];
    box->frame[to] = box->frame[from];
    box->len[to] = box->len[from];
}

// The first `sent` of the written frames are gone: the others move up, and fresh buffers come behind them. Where the
// pool has none, the room shrinks until it has.
static void outbox_mend(struct side *side, uint32_t sent)
{
    struct engine_outbox *box = &side->engine.outbox;
    uint32_t left = box->count - sent;
    for (uint32_t i = 0; i < left; i++)
        slot_move(side, i, sent + i);
    if (!room_fill(side, left, sent)) {
        for (uint32_t i = box->count; i < box->room; i++)
            slot_move(side, i - sent, i);
        box->room -= sent;
    }
    box->count = left;
}

static void outbox_flush(struct side *side)
{
    struct engine_outbox *box = &side->engine.outbox;
    if (box->count == 0)
        return;
    for (uint32_t i = 0; i < box->count; i++) {
        side->mbuf[i]->data_len = box->len[i];
        side->mbuf[i]->pkt_len = box->len[i];
    }
    uint32_t sent = 0, took = ENGINE_BURST;
    while (sent < box->count && took > 0) {
        uint32_t want = box->count - sent < ENGINE_BURST ? box->count - sent : ENGINE_BURST;
        took = rte_eth_tx_burst(side->tx_device, 0, &side->mbuf[sent], (uint16_t)want);
        sent += took;
    }
    if (sent > 0)
        outbox_mend(side, sent);
}

static bool asks_for_us(const struct rte_mbuf *frame)
{
    const struct sl_eth *eth = rte_pktmbuf_mtod(frame, const struct sl_eth *);
    return eth->type == sl_be16_of(SL_ETHERTYPE_ARP) ||
           (eth->type == sl_be16_of(SL_ETHERTYPE_IPV6) && ((const uint8_t *)eth)[20] == IPPROTO_ICMPV6);
}

// Neighbors' questions are answered in place; the others are left in `frame`.
static uint16_t questions_answer(struct side *side, struct rte_mbuf **frame, uint16_t count)
{
    uint16_t kept = 0;
    for (uint16_t i = 0; i < count; i++) {
        if (likely(!asks_for_us(frame[i]))) {
            frame[kept++] = frame[i];
            continue;
        }
        if (!neighbor_reply(&side->self, frame[i]) || rte_eth_tx_burst(side->tx_device, 0, &frame[i], 1) == 0)
            rte_pktmbuf_free(frame[i]);
    }
    return kept;
}

static uint32_t queue_take(struct side *side, uint16_t queue, uint64_t now_ns)
{
    struct rte_mbuf *frame[ENGINE_BURST];
    struct engine_frame bytes[ENGINE_BURST];
    uint16_t came = rte_eth_rx_burst(side->rx_device, queue, frame, ENGINE_BURST);
    for (uint16_t i = 0; i < came; i++)
        rte_prefetch0(rte_pktmbuf_mtod(frame[i], void *));
    uint16_t count = questions_answer(side, frame, came);
    for (uint16_t i = 0; i < count; i++)
        bytes[i] = (struct engine_frame){rte_pktmbuf_mtod(frame[i], const uint8_t *), frame[i]->data_len};
    if (count > 0) {
        engine_input(&side->engine, bytes, count, now_ns);
        rte_pktmbuf_free_bulk(frame, count);
    }
    return came;
}

static void side_open_due(struct side *side, uint64_t tsc, uint64_t now_ns)
{
    struct engine *engine = &side->engine;
    uint64_t opened = engine->counters.opened;
    if (engine->config.server || engine->outbox.count > 0 ||
        !__atomic_load_n(&side->open, __ATOMIC_RELAXED) || (side->limit && opened >= side->limit))
        return;
    uint64_t most = side->limit && side->limit - opened < ENGINE_BURST ? side->limit - opened : ENGINE_BURST;
    uint32_t due = pace_due(&side->pace, tsc, (uint32_t)most);
    uint32_t done = due ? client_open(engine, due, now_ns) : 0;
    if (done < due)
        pace_return(&side->pace, due - done);
}

static void side_poll(struct side *side, uint64_t tsc, uint64_t now_ns)
{
    uint32_t came = 0;
    struct engine_outbox *box = &side->engine.outbox;
    if (unlikely(box->room < ENGINE_OUTBOX) && room_fill(side, box->room, ENGINE_OUTBOX - box->room))
        box->room = ENGINE_OUTBOX;
    for (uint16_t queue = 0; queue < side->rx_queues; queue++)
        came += queue_take(side, queue, now_ns);
    engine_timers(&side->engine, now_ns);
    side_open_due(side, tsc, now_ns);
    side->polls++;
    side->idle_polls += came == 0 && box->count == 0;
    outbox_flush(side);
    __atomic_store_n(&side->open_count, engine_open(&side->engine), __ATOMIC_RELAXED);
}

int loop_run(void *argument)
{
    struct loop *loop = argument;
    while (!session_stopping(loop->session))
        for (uint32_t i = 0; i < loop->sides; i++) {
            uint64_t tsc = rte_rdtsc();
            side_poll(loop->side[i], tsc, loop_ns(loop->ns_magic, tsc));
        }
    return 0;
}
