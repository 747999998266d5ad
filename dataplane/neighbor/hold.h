// SPDX-License-Identifier: Apache-2.0
// Packets that wait for a neighbor's answer: a short queue per entry. A full queue gives up its oldest packet (RFC
// 4861 section 7.2.2; RFC 1122 section 2.3.2.2 asks for the latest to be kept), because its sender has long sent it
// again. Bounded in all, so that a scan of an empty subnet cannot take the packet pool. Housekeeping alone.
#ifndef NEIGHBOR_HOLD_H
#define NEIGHBOR_HOLD_H

#include "housekeeping/house.h"

#define HOLD_PACKETS 8
#define HOLD_QUEUES  128
#define HOLD_NONE    UINT32_MAX

struct hold_queue {
    struct rte_mbuf *packet[HOLD_PACKETS];
    uint32_t first, count;
    uint32_t next_free;
};

struct hold {
    uint32_t *queue_of; // by entry slot: index into queue[], HOLD_NONE
    uint32_t free;      // first free queue
    struct hold_queue queue[HOLD_QUEUES];
};

// 0 or -ENOMEM.
int hold_init(struct hold *hold, uint32_t slots);
void hold_fini(struct hold *hold); // frees every packet in it
// Appends a packet to the queue of entry slot `id`. Returns the packet that found no room: the oldest of a full
// queue, `m` itself where every queue is taken, NULL where all is well. The caller drops it.
struct rte_mbuf *hold_push(struct hold *hold, uint32_t id, struct rte_mbuf *m);
// Takes the oldest packet out; NULL: no more, and the queue is given back.
struct rte_mbuf *hold_pop(struct hold *hold, uint32_t id);

#endif
