// SPDX-License-Identifier: Apache-2.0
// Who the client is, told to members of full NAT in TCP option 254, as the `toa` modules of Linux servers read it:
//
//     | 254 | length | client's port | client's address |      length 8: IPv4, 20: IPv6; in network byte order
//
// In a connection's segments with an ACK from the client, until the member has answered so often that it has seen one:
// the handshake's last is among them, or what follows where that was lost. Not in a SYN, whose options are for the
// ends to agree by. Called by nat_stage, on the worker's thread.
#ifndef BALANCE_TOA_H
#define BALANCE_TOA_H

#include "balance/state.h"
#include "worker/worker.h"

#define TOA_ANSWERS 4 // segments of the member's, its SYN-ACK and a repetition or two among them

// The flow's pool asks for it, and the segment, direction 0, is one of those. Looked up only in a flow's first ones.
bool toa_wanted(const struct worker *worker, const struct packet *packet, const struct sl_flow *flow);

// Puts the option into a translated segment, where its header (60 bytes at most) and the link have room for it; else
// the segment goes without.
void toa_add(struct worker *worker, struct packet *packet, const struct sl_flow *flow);

// The member's SYN-ACK, translated: its MSS leaves room for the option in what the client sends.
void toa_clamp(struct worker *worker, struct packet *packet, const struct sl_flow *flow);

#endif
