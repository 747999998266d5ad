// SPDX-License-Identifier: Apache-2.0
// Writing a balanced flow's translation into a packet of either family. IPv4 is NAT's work; IPv6 has no header
// checksum, and its addresses are in the sums of TCP, UDP and ICMPv6 alike. On the worker's thread.
#ifndef BALANCE_REWRITE_H
#define BALANCE_REWRITE_H

#include "nat/rewrite.h"

// IPv6: as nat_rewrite() and nat_rewrite_error().
void balance_rewrite_v6(struct packet *packet, const struct sl_flow_key *to);
void balance_rewrite_error_v6(struct packet *packet, const struct sl_flow_key *to, bool from_inside);

static inline void balance_rewrite(struct packet *packet, const struct sl_flow_key *to)
{
    if (likely(packet->flags & PACKET_V4))
        nat_rewrite(packet, to);
    else
        balance_rewrite_v6(packet, to);
}

static inline void balance_rewrite_error(struct packet *packet, const struct sl_flow_key *to,
                                         bool from_inside)
{
    if (packet->flags & PACKET_V4)
        nat_rewrite_error(packet, to, from_inside);
    else
        balance_rewrite_error_v6(packet, to, from_inside);
}

#endif
