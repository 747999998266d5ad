// SPDX-License-Identifier: Apache-2.0
// Entries of an earlier process: believed or not. Used when tables are opened and flows re-homed; main thread.
#ifndef FLOW_ADOPT_H
#define FLOW_ADOPT_H

#include "flow/table.h"

// True where the entry can be a flow: kind, protocol, state, addresses and its two keys agree with each other.
// Whether its outside address is still ours only NAT knows, once there is a generation.
bool flow_entry_valid(const struct sl_flow *flow);

#endif
