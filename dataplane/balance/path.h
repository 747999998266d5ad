// SPDX-License-Identifier: Apache-2.0
// The path MTU of tunnels: what routers between the gateway and a member say about the tunnel's own packets (RFC 1191,
// RFC 8201; RFC 2003 section 4, RFC 2473 section 8). Known by the member's address, for ten minutes; shared by all
// workers, each word one atomic store. On the worker's thread.
#ifndef BALANCE_PATH_H
#define BALANCE_PATH_H

#include "balance/state.h"

// The packet in a tunnel, as an ICMP error about the tunnel quotes it.
struct balance_inner {
    struct sl_flow_key key; // as the client sent it
    uint8_t proto;
    bool v4, dont_fragment;
    uint16_t at;   // its first byte, from the frame's start
    uint16_t have; // bytes of it that are quoted
    bool whole;    // quoted deep enough to tell whose it is
};

// Bytes of IP that the path to this member takes; 0: nothing is known.
uint16_t balance_path_mtu(const struct balance *balance, const struct sl_ip *member, uint32_t now_ms);

// Is the ICMP error about a packet that one of our tunnels could have sent? Then *inner is what it quotes of the packet
// inside; inner->whole says whether that is enough to know its client.
bool balance_path_inner(const struct balance_binding *binding, const struct packet *packet,
                        struct balance_inner *inner);

// A packet without a flow that may be such an error. True: it was, and has been taken up, and answered to the client
// where it could be told, or dropped.
bool balance_path_heard(struct worker *worker, struct burst *burst, struct packet *packet);

#endif
