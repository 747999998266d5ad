// SPDX-License-Identifier: Apache-2.0
// NAT's side of a flow's life: its end, whether a new generation still has room for it, its restoration after a
// restart. Used by flow/ and share.c.
#ifndef NAT_LIFECYCLE_H
#define NAT_LIFECYCLE_H

#include "nat/state.h"
#include "worker/worker.h"

// The flow is about to be taken out: gives back what it holds. Worker.
void nat_flow_ended(struct worker *worker, struct sl_flow *flow);

// False where the worker's tables no longer translate the flow so: its outside address left the pools, its 1:1 or
// forward is gone or points elsewhere. Also counts it as a contact where its pool filters by address since.
bool nat_flow_fits(struct worker *worker, struct sl_flow *flow);

// Gives adopted flows their mappings and blocks back and takes those out that cannot have them. Housekeeping, once,
// before the worker has tables. 0 or -ENOMEM.
int nat_adopt(struct nat *nat, const struct nat_binding *binding);

// Copies NAT's counts to the worker's counters.
void nat_count(struct worker *worker);

static inline sl_be32 nat_flow_outside(const struct sl_flow *flow)
{
    return flow->flags & SL_FLOW_INBOUND ? flow->key0.dst.w[3] : flow->key1.dst.w[3];
}

static inline sl_be32 nat_flow_inside(const struct sl_flow *flow)
{
    return flow->flags & SL_FLOW_INBOUND ? flow->key1.src.w[3] : flow->key0.src.w[3];
}

static inline sl_be32 nat_flow_remote(const struct sl_flow *flow)
{
    return flow->flags & SL_FLOW_INBOUND ? flow->key0.src.w[3] : flow->key0.dst.w[3];
}

#endif
