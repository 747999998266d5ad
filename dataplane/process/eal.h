// SPDX-License-Identifier: Apache-2.0
// Starting DPDK's environment: cores, memory, no files of its own. Main thread.
#ifndef PROCESS_EAL_H
#define PROCESS_EAL_H

#include <stdbool.h>
#include "base/error.h"
#include "process/options.h"

struct placement { // who runs where
    uint32_t workers;
    uint16_t cpu[SL_MAX_WORKERS]; // of each worker
    char house[256];              // cores of the housekeeping thread, as a list
    bool shared;                  // workers share cores with each other or with housekeeping
};

// Chooses cores among those this process may use. 0, or -EINVAL with a sentence where --cores names one that it may
// not.
int placement_choose(const struct options *options, struct placement *placement, struct sl_error *error);
// rte_eal_init() with arguments made from the options; the lcores are 0 (housekeeping) and 1.. (workers). 0, or -errno
// with a sentence that says how to mend it.
int eal_start(const struct options *options, const struct placement *placement, struct sl_error *error);

#endif
