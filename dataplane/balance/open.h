// SPDX-License-Identifier: Apache-2.0
// Packets to a service's address that belong to no flow. Used by nat_stage, on the worker's thread.
#ifndef BALANCE_OPEN_H
#define BALANCE_OPEN_H

#include "worker/worker.h"

// Judges a packet without a flow, whose addresses and ports now are `key` (hash: of key and key_proto). False: it is
// no service's, NAT is to judge. True: *ref is the flow it opened, as struct packet's, or FLOW_NONE where it has been
// moved on without one, answered or dropped. turned: its source has been translated already (hairpinning).
bool balance_open(struct worker *worker, struct burst *burst, struct packet *packet,
                  const struct sl_flow_key *key, uint32_t hash, bool turned, uint32_t *ref);

#endif
