// SPDX-License-Identifier: Apache-2.0
// ICMP and ICMPv6 that the data plane itself sends: errors about packets it drops (icmp_stage in worker.h),
// and echo replies for addresses of ours that no kernel stands behind, such as those of NAT pools. On the
// worker's thread.
#ifndef ICMP_ICMP_H
#define ICMP_ICMP_H

#include "worker/worker.h"

// Turns the echo request into its reply, which goes on at PACKET_ROUTE with PACKET_FROM_HOST; counts
// icmp_echo_answered. What is no whole, unfragmented echo request, or exceeds the rate limit, is dropped
// (local_protocol). The packet must be at its last stage otherwise.
void icmp_answer_echo(struct worker *worker, struct burst *burst, struct packet *packet);

#endif
