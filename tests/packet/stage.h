// SPDX-License-Identifier: Apache-2.0
// One packet alone in a burst, for tests of a single stage. Test thread.
#ifndef PACKET_STAGE_H
#define PACKET_STAGE_H

#include "harness.h"

#define STAGE_LAN 0
#define STAGE_WAN 1

// Two ports: LAN 10.0.0.1/24 and fd00::1/64, whose packets may be translated, and WAN 198.51.100.1/24 and
// 2001:db8:100::1/64.
static inline struct harness *stage_harness(void)
{
    struct harness *h = harness_new(1);

    harness_port(h, STAGE_LAN, SL_PORT_NAT);
    harness_port(h, STAGE_WAN, 0);
    harness_address(h, STAGE_LAN, "10.0.0.1/24");
    harness_address(h, STAGE_LAN, "fd00::1/64");
    harness_address(h, STAGE_WAN, "198.51.100.1/24");
    harness_address(h, STAGE_WAN, "2001:db8:100::1/64");
    harness_ready(h);
    return h;
}

// A burst of this one frame, as pipeline_run makes it.
static inline void stage_burst(struct burst *burst, uint16_t port, struct rte_mbuf *frame,
                               enum packet_stage stage)
{
    *burst = (struct burst){.count = 1, .port_in = port, .stages = 1u << stage};
    burst->packet[0] = (struct packet){
        .m = frame, .stage = (uint8_t)stage, .port_in = port, .port_out = UINT16_MAX, .flow = FLOW_NONE};
}

// Parses the frame. The packet is in burst->packet[0]; stage_done() ends it.
static inline struct packet *stage_parse(struct harness *h, struct burst *burst, uint16_t port,
                                         struct rte_mbuf *frame)
{
    stage_burst(burst, port, frame, PACKET_PARSE);
    parse_stage(h->worker[0], burst);
    return &burst->packet[0];
}

static inline void stage_done(struct burst *burst)
{
    rte_pktmbuf_free(burst->packet[0].m);
    burst->packet[0].m = NULL;
}

#endif
