// SPDX-License-Identifier: Apache-2.0
// Packets for the gateway's own addresses: to the kernel of this host through the twin of the port they came
// in on, but for TCP of endpoints, which the data plane speaks itself (the host answers on whichever of its ports it likes, as hosts do: RFC 1122 section 3.3.4.2, weak
// model); where that port has no twin, the data plane answers pings itself. Called by the pipeline, on the
// worker's thread.
#include "endpoint/endpoint.h"
#include "icmp/icmp.h"
#include "wire/headers.h"
#include "worker/worker.h"

static bool is_echo_request(const struct packet *packet)
{
    if (!(packet->flags & PACKET_ICMP_QUERY) || !(packet->flags & PACKET_L4_KNOWN))
        return false;
    uint8_t type = *rte_pktmbuf_mtod_offset(packet->m, const uint8_t *, packet->l4_off);
    return type == (packet->flags & PACKET_V4 ? SL_ICMP_ECHO : SL_ICMP6_ECHO);
}

static void local_handle(struct worker *worker, struct burst *burst, struct packet *packet)
{
    if (unlikely(packet->flags & PACKET_FRAGMENT) && endpoint_gather(worker, burst, packet))
        return;
    if (unlikely(endpoint_concerns(worker, packet))) {
        endpoint_take(worker, burst, packet);
    } else if (worker->tables->port[packet->port_in].flags & SL_PORT_TWIN) {
        worker_count(worker, SL_COUNTER_twin_rx, 1);
        worker_to_house(worker, packet, HANDOVER_TWIN);
    } else if (is_echo_request(packet)) {
        icmp_answer_echo(worker, burst, packet);
    } else {
        packet_drop(worker, packet, SL_DROP_no_twin);
    }
}

void local_stage(struct worker *worker, struct burst *burst)
{
    for (uint16_t i = 0; i < burst->count; i++)
        if (burst->packet[i].stage == PACKET_LOCAL)
            local_handle(worker, burst, &burst->packet[i]);
    endpoint_input(worker);
}
