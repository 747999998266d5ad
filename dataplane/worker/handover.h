// SPDX-License-Identifier: Apache-2.0
// What an mbuf carries across a ring between two threads: a dynamic mbuf field (rte_mbuf_dyn.h) of 16 bytes
// at a fixed place, so that reading it costs no indirection. handover_init() claims the place, once, on the
// main thread before any device exists. The field holds garbage in an mbuf that has just been received.
#ifndef WORKER_HANDOVER_H
#define WORKER_HANDOVER_H

#include <assert.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>

enum handover_kind {
    HANDOVER_STEER,      // worker -> worker: parse it again, you own its flow
    HANDOVER_NEIGHBOR,   // worker -> housekeeping: next hop unresolved; hold, ask, send back
    HANDOVER_ARP,        // worker -> housekeeping: ARP or neighbor discovery
    HANDOVER_TWIN,       // worker -> housekeeping: for the kernel twin of port_in
    HANDOVER_TX,         // housekeeping or worker -> worker: a whole frame, send it out of port_out
    HANDOVER_ROUTE,      // housekeeping -> worker: an IP packet of the gateway's own: route it
    HANDOVER_UNRESOLVED, // housekeeping -> worker: nobody answered for its next hop, tell the sender
};

struct handover {
    uint8_t kind; // enum handover_kind
    uint8_t hops; // times handed between workers
    uint16_t port_in;
    uint16_t port_out;
    uint16_t worker;  // that handed it to housekeeping: it knows the flow
    uint32_t nexthop; // of struct packet
    uint16_t flags;   // enum packet_flag, of the packet that went to housekeeping
    uint16_t pad;
};
static_assert(sizeof(struct handover) == 16, "the size that is registered");

#define HANDOVER_OFFSET offsetof(struct rte_mbuf, dynfield1)

static inline struct handover *handover_of(struct rte_mbuf *m)
{
    return RTE_MBUF_DYNFIELD(m, HANDOVER_OFFSET, struct handover *);
}

// Claims the field. 0, or -EEXIST where a library of the process holds that place already. Main thread.
int handover_init(void);

#endif
