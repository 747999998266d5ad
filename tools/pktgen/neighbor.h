// SPDX-License-Identifier: Apache-2.0
// The generator as a station on its links: answers ARP (RFC 826) and neighbor solicitations (RFC 4861 section 7.2.4) for
// its own address and for the hosts that its streams pretend to be, and asks for its gateway's Ethernet address.
#ifndef PKTGEN_NEIGHBOR_H
#define PKTGEN_NEIGHBOR_H

#include <rte_mbuf.h>
#include "base/ip.h"
#include "session.h"

#define NEIGHBOR_RANGES 65 // a port's own address, and the sources of its streams

struct neighbor_range { // addresses that differ in their last 32 bits
    struct sl_ip first;
    uint32_t count, step; // step: from one to the next
};

struct neighbor_self { // what a port is on its link; constant while workers run
    uint8_t mac[6];
    struct neighbor_range range[NEIGHBOR_RANGES];
    uint32_t ranges;
};

// Adds addresses to answer for; ignored where there is no room.
void neighbor_self_add(struct neighbor_self *self, const struct sl_ip *first, uint32_t count);
// True where the frame asks for an address of ours: it is the answer now. Worker or main thread.
bool neighbor_reply(const struct neighbor_self *self, struct rte_mbuf *frame);
// Asks on the port for `gateway` and waits for its answer, answering others meanwhile. `own` is the source address.
// 0 and `mac`; -EHOSTUNREACH with a sentence after a few seconds, -EINTR where the operator ended it. Main thread; no
// worker runs.
int neighbor_resolve(struct session *session, uint32_t port, const struct neighbor_self *self,
                     const struct sl_ip *own, const struct sl_ip *gateway, uint8_t mac[6],
                     struct sl_error *error);

#endif
