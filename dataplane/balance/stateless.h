// SPDX-License-Identifier: Apache-2.0
// Packets of services that are balanced without a flow: where there is no room for one, under a flood, resets and
// ICMP errors of connections unknown here. On the worker's thread.
#ifndef BALANCE_STATELESS_H
#define BALANCE_STATELESS_H

#include "balance/binding.h"
#include "worker/worker.h"

// Sends the packet (key: of it, or of what an ICMP error quotes) where its hash says, or drops it: where its pool does
// not go by hash for `reason`, where nobody is eligible for that.
void balance_without_flow(struct worker *worker, struct burst *burst, struct packet *packet,
                          const struct sl_balance_service *service, const struct sl_flow_key *key,
                          enum sl_drop reason);

// Has a packet of the service been balanced without a flow on this worker within the last 30 s?
bool balance_is_stateless_now(const struct worker *worker, const struct sl_balance_service *service);

// A packet from a member to no flow: translated back where it can only be the answer to a packet that was balanced
// without one a short time ago. False: it is not.
bool balance_answer_without_flow(struct worker *worker, struct burst *burst, struct packet *packet,
                                 const struct balance_endpoint *endpoint, const struct sl_flow_key *key);

#endif
