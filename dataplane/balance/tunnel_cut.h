// SPDX-License-Identifier: Apache-2.0
// A tunnel's packet of IPv6 in two fragments, as its source makes them. On the worker's thread.
#ifndef BALANCE_TUNNEL_CUT_H
#define BALANCE_TUNNEL_CUT_H

#include "worker/worker.h"

// Cuts the IPv6 packet at the frame's 14th byte, which has no extension headers, into two fresh mbufs of at most `mtu`
// bytes of IP (RFC 8200 section 4.5), with room for the Ethernet header; id: of this packet alone. 0, and the original
// is freed; -ENOMEM, -EINVAL (two are not enough): it is as it was.
int balance_tunnel_cut(struct worker *worker, struct rte_mbuf *m, uint16_t mtu, uint32_t id,
                       struct rte_mbuf *out[2]);

#endif
