// SPDX-License-Identifier: Apache-2.0
// The queues of hold.h.
#include <errno.h>
#include <stdlib.h>
#include "neighbor/hold.h"

int hold_init(struct hold *hold, uint32_t slots)
{
    hold->queue_of = malloc(slots * sizeof(hold->queue_of[0]));
    if (!hold->queue_of)
        return -ENOMEM;
    for (uint32_t i = 0; i < slots; i++)
        hold->queue_of[i] = HOLD_NONE;
    for (uint32_t i = 0; i < HOLD_QUEUES; i++)
        hold->queue[i] = (struct hold_queue){.next_free = i + 1 < HOLD_QUEUES ? i + 1 : HOLD_NONE};
    hold->free = 0;
    return 0;
}

void hold_fini(struct hold *hold)
{
    for (uint32_t i = 0; i < HOLD_QUEUES; i++) {
        struct hold_queue *queue = &hold->queue[i];
        for (; queue->count > 0; queue->count--)
            rte_pktmbuf_free(queue->packet[queue->first++ % HOLD_PACKETS]);
    }
    free(hold->queue_of);
    hold->queue_of = NULL;
}

struct rte_mbuf *hold_push(struct hold *hold, uint32_t id, struct rte_mbuf *m)
{
    struct rte_mbuf *oldest = NULL;

    if (hold->queue_of[id] == HOLD_NONE) {
        if (hold->free == HOLD_NONE)
            return m;
        hold->queue_of[id] = hold->free;
        hold->free = hold->queue[hold->free].next_free;
    }
    struct hold_queue *queue = &hold->queue[hold->queue_of[id]];
    if (queue->count == HOLD_PACKETS) {
        oldest = queue->packet[queue->first++ % HOLD_PACKETS];
        queue->count--;
    }
    queue->packet[(queue->first + queue->count++) % HOLD_PACKETS] = m;
    return oldest;
}

struct rte_mbuf *hold_pop(struct hold *hold, uint32_t id)
{
    uint32_t index = hold->queue_of[id];

    if (index == HOLD_NONE)
        return NULL;
    struct hold_queue *queue = &hold->queue[index];
    if (queue->count == 0) {
        queue->next_free = hold->free;
        hold->free = index;
        hold->queue_of[id] = HOLD_NONE;
        return NULL;
    }
    queue->count--;
    return queue->packet[queue->first++ % HOLD_PACKETS];
}
