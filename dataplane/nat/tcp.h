// SPDX-License-Identifier: Apache-2.0
// What a TCP segment makes of its flow's state (RFC 5382 REQ-5, RFC 7857 section 2; the same machine as RFC 6146
// section 3.5.2.2):
//
//     NEW ──both SYNs, then an ACK──► ESTABLISHED ──both FINs, or a RST──► CLOSING ──anything but RST, no FINs──┐
//                                          ▲────────────────────────────────────────────────────────────────────┘
//
// Only ESTABLISHED has the long timeout. A RST may be forged: it shortens the timeout and ends nothing; a segment
// behind it shows that the connection lives. One FIN leaves a half-closed connection its long timeout. A SYN on a
// closing flow is a new connection between the same ports. Pure but for the flow; the worker's thread.
#ifndef NAT_TCP_H
#define NAT_TCP_H

#include "shm/layout.h"
#include "wire/headers.h"

#define NAT_TCP_SYNS (SL_FLOW_SYN_0 | SL_FLOW_SYN_1)
#define NAT_TCP_FINS (SL_FLOW_FIN_0 | SL_FLOW_FIN_1)

static inline enum sl_flow_state nat_tcp_next(const struct sl_flow *flow, uint8_t segment, uint8_t flags)
{
    if (segment & SL_TCP_RST)
        return flow->state == SL_FLOW_NEW ? SL_FLOW_NEW : SL_FLOW_CLOSING;
    if (segment & SL_TCP_SYN)
        return flow->state == SL_FLOW_CLOSING ? SL_FLOW_NEW : (enum sl_flow_state)flow->state;
    if ((flags & NAT_TCP_FINS) == NAT_TCP_FINS)
        return SL_FLOW_CLOSING;
    if (flow->state == SL_FLOW_NEW)
        return (flags & NAT_TCP_SYNS) == NAT_TCP_SYNS && (segment & SL_TCP_ACK) ? SL_FLOW_ESTABLISHED
                                                                                : SL_FLOW_NEW;
    return SL_FLOW_ESTABLISHED;
}

// Takes a segment with these TCP flags in this direction into account. True: the state changed.
static inline bool nat_tcp_segment(struct sl_flow *flow, uint32_t direction, uint8_t segment)
{
    uint8_t flags = flow->flags, state = flow->state;

    if ((segment & SL_TCP_SYN) && state == SL_FLOW_CLOSING)
        flags &= (uint8_t) ~(NAT_TCP_FINS | NAT_TCP_SYNS | SL_FLOW_RST);
    if (segment & SL_TCP_SYN)
        flags |= (uint8_t)(SL_FLOW_SYN_0 << direction);
    if (segment & SL_TCP_FIN)
        flags |= (uint8_t)(SL_FLOW_FIN_0 << direction);
    if (segment & SL_TCP_RST)
        flags |= SL_FLOW_RST;
    else
        flags &= (uint8_t)~SL_FLOW_RST;
    flow->state = (uint8_t)nat_tcp_next(flow, segment, flags);
    flow->flags = flags;
    return flow->state != state;
}

#endif
