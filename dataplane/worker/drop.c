// SPDX-License-Identifier: Apache-2.0
// Where packets end unsent: the one place that frees and counts them. Called by every stage, on the worker's
// thread.
#include "worker/drop.h"

void packet_drop(struct worker *worker, struct packet *packet, enum sl_drop reason)
{
    drop_count(worker->counters, packet->port_in, reason, 1);
    rte_pktmbuf_free(packet->m);
    packet->m = NULL;
    packet->stage = PACKET_GONE;
}

void packet_reject(struct burst *burst, struct packet *packet, enum sl_drop reason, uint8_t type,
                   uint8_t code, uint16_t mtu)
{
    packet->drop = reason;
    packet->icmp_type = type;
    packet->icmp_code = code;
    packet->icmp_mtu = mtu;
    packet_to(burst, packet, PACKET_ICMP);
}

void worker_drop_frames(struct worker *worker, uint16_t port_in, struct rte_mbuf **frames, uint16_t count,
                        enum sl_drop reason)
{
    drop_count(worker->counters, port_in, reason, count);
    rte_pktmbuf_free_bulk(frames, count);
}
