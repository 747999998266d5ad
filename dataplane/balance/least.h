// SPDX-License-Identifier: Apache-2.0
// The loads of a pool's members, kept so that the least of them is known at once: a tree of minima for each worker and
// pool that goes by the fewest flows. A flow's beginning and end cost the tree's height, a choice twice that.
#ifndef BALANCE_LEAST_H
#define BALANCE_LEAST_H

#include "balance/state.h"

// Room for the trees, into the binding. False: no memory. Housekeeping.
bool balance_loads_allocate(struct balance_binding *binding);
void balance_loads_free(struct balance_binding *binding);

// The member of this slot has another number of flows (flows_now) than before. Binding may be NULL. Worker.
void balance_load_changed(const struct balance *balance, const struct balance_binding *binding,
                          uint32_t member_slot);

#endif
