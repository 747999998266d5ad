// SPDX-License-Identifier: Apache-2.0
// TCP resets that the gateway sends for a service. On the worker's thread.
#ifndef BALANCE_RESET_H
#define BALANCE_RESET_H

#include "worker/worker.h"

// Drops the TCP segment for this reason and answers it with a reset (RFC 9293 section 3.5.2), as far as the rate limit
// goes: to its sender, from where he sent it.
void balance_reset(struct worker *worker, struct burst *burst, struct packet *packet, enum sl_drop reason);

// Drops a segment of a cut flow, and resets the connection at both of its ends: to its sender with the number that he
// expects next, to its receiver with the one that the segment has. Both fall into their receivers' windows, exactly at
// the left edge as long as nothing was lost (RFC 5961 section 3).
void balance_reset_both(struct worker *worker, struct burst *burst, struct packet *packet,
                        const struct sl_flow *flow, uint32_t direction);

#endif
