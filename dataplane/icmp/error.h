// SPDX-License-Identifier: Apache-2.0
// Whether an ICMP error may be sent about a packet, and its making. Called by icmp_stage, on the worker's
// thread.
#ifndef ICMP_ERROR_H
#define ICMP_ERROR_H

#include "worker/worker.h"

// True where the RFCs let this packet be answered with the error it asks for (RFC 1812 section 4.3.2.7, RFC
// 1122 section 3.2.2, RFC 4443 section 2.4(e)).
bool icmp_error_allowed(const struct packet *packet);
// An address of ours to speak from, in the packet's family: of the port it came in on, else of any. NULL:
// none.
const struct sl_ip *icmp_error_source(const struct tables *tables, const struct packet *packet);
// The error as a frame of its own, its Ethernet header yet to be written; NULL where there is no buffer left.
// The packet stays as it is.
struct rte_mbuf *icmp_error_build(struct worker *worker, const struct packet *packet,
                                  const struct sl_ip *source);

#endif
