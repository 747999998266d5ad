// SPDX-License-Identifier: Apache-2.0
// Which slot of the port table a port has. Everything else names ports by slot (routes, NAT, counters, flows), so a
// port keeps its slot for the life of the run directory, and a slot that was freed is the last to be given again.
// Used by the compilers; the set in use belongs to the running generation. Pure.
#ifndef APPLY_SLOTS_H
#define APPLY_SLOTS_H

#include "base/error.h"
#include "config/model.h"
#include "shm/layout.h"

struct slots {
    char name[SL_MAX_PORTS][SL_PORT_NAME]; // "": free
    uint64_t freed[SL_MAX_PORTS];          // when it was freed, in generations compiled; 0: never used
    uint64_t clock;
};

// Slots of the ports in a port table of the run directory: taking up a running generation.
void slots_from_table(struct slots *slots, const struct sl_port_table *table);
// Frees the slots of ports that are gone, gives slots to new ones. -ENOSPC: more than SL_MAX_PORTS.
int slots_assign(struct slots *slots, const struct sl_config *config, struct sl_error *error);
// The slot of a port, or -1.
int slots_find(const struct slots *slots, const char *name);
// Slots up to the last one in use.
uint32_t slots_count(const struct slots *slots);

#endif
