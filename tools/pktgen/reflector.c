// SPDX-License-Identifier: Apache-2.0
// The loop of a reflecting core. Launched by reflect.c.
#include "reflector.h"
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_prefetch.h>
#include "idle.h"
#include "plan.h"

#define BURST       64
#define OUT         (2 * BURST + 1) // all of a burst twice, and one that was late
#define LATE_MS     20              // so long one waits to be overtaken
#define FRAME_LEAST (FRAME_MIN - FRAME_FCS)

void reflector_init(struct reflector *reflector, const struct session *session, uint32_t index,
                    const struct impair_wish *wish)
{
    struct impair_wish own = *wish;
    own.pps = wish->pps / session->workers;
    own.seed = wish->seed + index;
    *reflector = (struct reflector){.session = session, .plain = impair_wish_none(wish)};
    impair_init(&reflector->impair, &own, rte_get_tsc_hz(), rte_rdtsc());
    for (uint32_t port = 0; port < session->ports; port++)
        for (uint16_t q = 0; q < session->port[port].device.rx_queues; q++)
            if (session_owner(session, port, q) == index && reflector->queues < REFLECTOR_QUEUES)
                reflector->queue[reflector->queues++] =
                    (struct reflector_queue){.device = session->port[port].device.id, .queue = q};
}

static void frame_turn(struct rte_mbuf *frame)
{
    struct rte_ether_hdr *eth = rte_pktmbuf_mtod(frame, struct rte_ether_hdr *);
    struct rte_ether_addr source = eth->src_addr;
    eth->src_addr = eth->dst_addr;
    eth->dst_addr = source;
}

// A frame that goes on whole, and what comes behind it.
static uint16_t frame_pass(struct reflector *reflector, struct reflector_queue *queue, struct rte_mbuf *frame,
                           struct rte_mbuf **out, uint16_t count)
{
    out[count++] = frame;
    if (queue->late) {
        out[count++] = queue->late;
        queue->late = NULL;
        reflector->impair.count[HARM_LATE]++;
    }
    return count;
}

static uint16_t frame_harm(struct reflector *reflector, struct reflector_queue *queue, struct rte_mbuf *frame,
                           struct rte_mbuf **out, uint16_t count, uint64_t tsc)
{
    struct impair *impair = &reflector->impair;
    enum harm harm = impair_next(impair, tsc);
    struct rte_mbuf *copy =
        harm == HARM_TWICE ? rte_pktmbuf_copy(frame, reflector->session->pool, 0, UINT32_MAX) : NULL;
    switch (harm) {
    case HARM_LOSE:
    case HARM_OVER:
        rte_pktmbuf_free(frame);
        return count;
    case HARM_LATE:
        if (queue->late)
            break;
        queue->late = frame;
        queue->late_tsc = tsc;
        return count;
    case HARM_CORRUPT:
        if (frame->data_len >= FRAME_LEAST)
            impair_corrupt(impair, rte_pktmbuf_mtod(frame, uint8_t *), frame->data_len);
        out[count++] = frame;
        return count;
    case HARM_TWICE:
        impair->count[HARM_TWICE] -= !copy; // no buffer for it
        break;
    default:
        break;
    }
    if (copy)
        out[count++] = copy;
    return frame_pass(reflector, queue, frame, out, count);
}

// One that nobody overtook goes on in order after all.
static uint16_t late_give_up(struct reflector_queue *queue, struct rte_mbuf **out, uint64_t tsc)
{
    if (!queue->late || tsc - queue->late_tsc < rte_get_tsc_hz() / 1000 * LATE_MS)
        return 0;
    out[0] = queue->late;
    queue->late = NULL;
    return 1;
}

static uint16_t burst_harm(struct reflector *reflector, struct reflector_queue *queue,
                           struct rte_mbuf **frame, uint16_t came, struct rte_mbuf **out)
{
    uint64_t tsc = rte_rdtsc();
    uint16_t count = came ? 0 : late_give_up(queue, out, tsc);
    for (uint16_t i = 0; i < came; i++)
        count = frame_harm(reflector, queue, frame[i], out, count, tsc);
    return count;
}

static void queue_reflect(struct reflector *reflector, struct reflector_queue *queue)
{
    struct rte_mbuf *frame[BURST], *harmed[OUT], **out = frame;
    uint16_t came = rte_eth_rx_burst(queue->device, queue->queue, frame, BURST), count = came;
    for (uint16_t i = 0; i < came; i++)
        rte_prefetch0(rte_pktmbuf_mtod(frame[i], void *));
    for (uint16_t i = 0; i < came; i++)
        frame_turn(frame[i]);
    if (!reflector->plain) {
        out = harmed;
        count = burst_harm(reflector, queue, frame, came, harmed);
    }
    uint16_t sent = count ? rte_eth_tx_burst(queue->device, queue->queue, out, count) : 0;
    if (sent < count)
        rte_pktmbuf_free_bulk(out + sent, count - sent);
    reflector->received += came;
    reflector->sent += sent;
    reflector->refused += count - sent;
}

int reflector_run(void *argument)
{
    struct reflector *reflector = argument;
    struct idle idle;
    idle_init(&idle);
    while (!session_stopping(reflector->session)) {
        uint64_t received = reflector->received;
        for (uint32_t i = 0; i < reflector->queues; i++)
            queue_reflect(reflector, &reflector->queue[i]);
        idle_rest(&idle, reflector->received != received);
    }
    for (uint32_t i = 0; i < reflector->queues; i++)
        rte_pktmbuf_free(reflector->queue[i].late);
    return 0;
}
