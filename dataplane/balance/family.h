// SPDX-License-Identifier: Apache-2.0
// From one family to the other: clients of a service over IPv6, members over IPv4, and the reverse (RFC 7915). With
// full NAT alone, because a client's address has no form in the other family. The flow's two keys are of different
// families; a packet is of another family than its translation's key exactly where it has to cross. On the worker's
// thread.
#ifndef BALANCE_FAMILY_H
#define BALANCE_FAMILY_H

#include "balance/state.h"
#include "worker/worker.h"

#define FAMILY_GROWS 20 // bytes that an IPv6 header has more than an IPv4 header

static inline bool family_crosses(const struct packet *packet, const struct sl_flow_key *to)
{
    struct sl_ip there = to->dst;

    return unlikely(sl_ip_is_v4(&there) != !!(packet->flags & PACKET_V4));
}

// Translates a packet that is no ICMP error into the packet from to->dst to to->src (`to`: key of the flow's other
// direction, as for nat_rewrite()). Hop count and size are judged before anything is changed, against the way out by
// `nexthop` (0: to be looked up), so that an error quotes the packet as it came. False: it was rejected or dropped.
bool family_translate(struct worker *worker, struct burst *burst, struct packet *packet,
                      const struct sl_flow_key *to, uint32_t nexthop);

// The same for an ICMP error about a packet of the flow, its quoted packet included (RFC 7915 sections 4.2 and 5.2).
// False: it was dropped, because it has no form in the other family, or was no right one.
bool family_translate_error(struct worker *worker, struct packet *packet, const struct sl_flow_key *to);

// A packet that has crossed and is rejected only then: back to what its sender sent, with the error that is asked for.
// False: the error has no form there. Packets that have not crossed are left as they are.
bool family_restore(struct worker *worker, struct packet *packet);

// family_write.c: the headers alone. Hop count and DSCP stay; false: no room in front of the packet, or a corrupted
// chain of buffers.
bool family_write(struct worker *worker, struct packet *packet, const struct sl_flow_key *to);

// family_error.c: type, code and MTU as the other family has them. False: it has none.
struct family_error {
    uint8_t type, code;
    uint32_t rest; // the four bytes behind the checksum, host byte order
};
bool family_error_to_v6(struct family_error *error);
bool family_error_to_v4(struct family_error *error);

#endif
