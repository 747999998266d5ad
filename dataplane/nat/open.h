// SPDX-License-Identifier: Apache-2.0
// Packets that belong to no flow: what they are, and the flow they open. Used by nat_stage, on the worker's thread.
#ifndef NAT_OPEN_H
#define NAT_OPEN_H

#include "worker/worker.h"

// Opens a flow for the packet, whose addresses and ports now are `key` (key_proto as the packet's, hash of both).
// Returns the flow's reference for the packet (entry << 1 | direction); FLOW_NONE: the packet has been moved on
// untranslated, answered, rejected or dropped. turned: it comes from our own inside and has its outside source
// already (hairpinning).
uint32_t nat_open(struct worker *worker, struct burst *burst, struct packet *packet,
                  const struct sl_flow_key *key, uint32_t hash, bool turned);

#endif
