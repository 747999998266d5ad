// SPDX-License-Identifier: Apache-2.0
// Packets that leave a worker over a ring to housekeeping. Called by the stages, on the worker's thread.
#include <errno.h>
#include <rte_errno.h>
#include "worker/worker.h"

int handover_init(void)
{
    const struct rte_mbuf_dynfield field = {
        .name = "sluice_handover",
        .size = sizeof(struct handover),
        .align = __alignof__(struct handover),
    };
    if (rte_mbuf_dynfield_register_offset(&field, HANDOVER_OFFSET) < 0)
        return -rte_errno;
    return 0;
}

void worker_to_house(struct worker *worker, struct packet *packet, enum handover_kind kind)
{
    *handover_of(packet->m) = (struct handover){
        .kind = kind,
        .port_in = packet->port_in,
        .port_out = packet->port_out,
        .worker = (uint16_t)worker->index,
        .nexthop = packet->nexthop,
        .flags = packet->flags,
    };
    if (rte_ring_enqueue(worker->to_house, packet->m) != 0) {
        packet_drop(worker, packet, SL_DROP_housekeeping_queue_full);
        return;
    }
    packet->m = NULL;
    packet->stage = PACKET_GONE;
}
