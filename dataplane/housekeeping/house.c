// SPDX-License-Identifier: Apache-2.0
// Frames between the workers and the housekeeping thread. Called by everything that runs there: the neighbor
// table, the kernel twins, the loop. Housekeeping thread alone.
#include "housekeeping/house.h"
#include "worker/drop.h"

void house_drop(struct house *house, struct rte_mbuf *m, enum sl_drop reason)
{
    drop_count(house->counters, handover_of(m)->port_in, reason, 1);
    rte_pktmbuf_free(m);
}

static void house_send(struct house *house, uint32_t worker, struct rte_mbuf *m)
{
    if (rte_ring_enqueue(house->worker[worker]->from_house, m) != 0)
        house_drop(house, m, SL_DROP_housekeeping_queue_full);
}

// Goes to the worker that owns the port's first queue; where the port has a queue for each, any would do.
void house_tx(struct house *house, uint16_t port_out, struct rte_mbuf *frame)
{
    *handover_of(frame) = (struct handover){
        .kind = HANDOVER_TX,
        .port_in = UINT16_MAX,
        .port_out = port_out,
    };
    house_send(house, port_out % house->worker_count, frame);
}

void house_route(struct house *house, struct rte_mbuf *frame)
{
    *handover_of(frame) = (struct handover){.kind = HANDOVER_ROUTE};
    house_send(house, 0, frame);
}

void house_unresolved(struct house *house, struct rte_mbuf *m)
{
    struct handover *handover = handover_of(m);

    handover->kind = HANDOVER_UNRESOLVED;
    handover->hops = 0;
    house_send(house, handover->worker, m);
}

void house_handle(struct house *house, struct rte_mbuf *m)
{
    switch ((enum handover_kind)handover_of(m)->kind) {
    case HANDOVER_ARP:
    case HANDOVER_NEIGHBOR:
        neighbor_handle(house, m);
        return;
    case HANDOVER_TWIN:
        twin_write(house, m);
        return;
    case HANDOVER_STEER:
    case HANDOVER_TX:
    case HANDOVER_ROUTE:
    case HANDOVER_UNRESOLVED:
        break; // between workers, or the other way: nobody sends these here
    }
    house_drop(house, m, SL_DROP_bad_ethertype);
}
