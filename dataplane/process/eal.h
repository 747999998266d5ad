// SPDX-License-Identifier: Apache-2.0
// Starting DPDK's environment: cores, memory, no files of its own. Main thread.
#ifndef PROCESS_EAL_H
#define PROCESS_EAL_H

#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"
#include "shm/layout.h"

enum huge_mode { HUGE_AUTO, HUGE_ON, HUGE_OFF };

struct eal_wish { // what the operator asks for
    const char *program;
    uint32_t workers;    // 0: one less than there are cores, at least one
    uint32_t core_count; // 0: choose
    uint16_t core[SL_MAX_WORKERS];
    enum huge_mode huge;
    uint32_t memory_mb;
    int eal_argc; // arguments for DPDK as they are
    char **eal_argv;
};

struct placement { // who runs where
    uint32_t workers;
    uint16_t cpu[SL_MAX_WORKERS]; // of each worker
    char house[256];              // cores of the housekeeping thread, as a list
    bool shared;                  // workers share cores with each other or with housekeeping
};

// Chooses cores among those this process may use. 0, or -EINVAL with a sentence where --cores names one that it may
// not.
int placement_choose(const struct eal_wish *wish, struct placement *placement, struct sl_error *error);
// Reads "1,3-5" into core[]; number of cores, or -EINVAL.
int eal_cores_parse(const char *text, uint16_t core[SL_MAX_WORKERS]);
// rte_eal_init() with arguments made from the wishes; the lcores are 0 (housekeeping) and 1.. (workers). 0, or -errno
// with a sentence that says how to mend it.
int eal_start(const struct eal_wish *wish, const struct placement *placement, struct sl_error *error);

#endif
