// SPDX-License-Identifier: Apache-2.0
// MSS clamping (RFC 4459 section 3.2): a SYN that leaves towards a narrower link gets an MSS that fits it, because
// path MTU discovery is broken often enough. On the worker's thread.
#ifndef NEIGHBOR_MSS_H
#define NEIGHBOR_MSS_H

#include "worker/worker.h"

// Lowers the MSS option of a TCP SYN or SYN-ACK (l4_off known) to `limit` bytes and patches the checksum. An option
// that says less is left alone, and none is added: its absence already means 536 (RFC 9293 section 3.7.1).
void mss_clamp(struct worker *worker, struct packet *packet, uint16_t limit);

#endif
