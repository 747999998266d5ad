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

// ---- for balancing ------------------------------------------------------------------------------------------
// Does NAT give this inside address (network byte order) another source on its way to an outside address of ours?
bool nat_hides(const struct worker *worker, sl_be32 addr);
// Opens the flow that does it; its packets are to be turned around (RFC 4787 REQ-9). As nat_open.
uint32_t nat_open_hidden(struct worker *worker, struct burst *burst, struct packet *packet,
                         const struct sl_flow_key *key, uint32_t hash);
// Is it an address that NAT gives to those inside?
bool nat_is_outside(const struct worker *worker, sl_be32 addr);
// Packets of the burst that were found to belong to this flow do no more.
void nat_flow_forget(struct burst *burst, uint32_t index);
// Room for one more flow: where there is none, a transitory one that would soon have expired gives way.
bool nat_room_make(struct worker *worker, struct burst *burst);

#endif
