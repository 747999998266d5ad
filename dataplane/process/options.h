// SPDX-License-Identifier: Apache-2.0
// The command line of sluice-dp. Main thread, before anything else.
#ifndef PROCESS_OPTIONS_H
#define PROCESS_OPTIONS_H

#include <sched.h>
#include <stdint.h>
#include "shm/layout.h"

enum { EXIT_USAGE = 2, EXIT_ENVIRONMENT = 3, EXIT_CONTRACT = 4 };

enum huge_mode { HUGE_AUTO, HUGE_ON, HUGE_OFF };

struct options {
    const char *run_dir;
    const char *xdp_prog; // file, or "none"
    uint32_t workers;     // 0: one less than there are cores, at least one
    uint32_t core_count;  // 0: choose
    uint16_t core[SL_MAX_WORKERS];
    enum huge_mode huge;
    uint32_t memory_mb;
    uint32_t sleep_idle_us;
    uint32_t wait_s; // for the first generation, 0: for ever
    int eal_argc;    // behind "--"
    char **eal_argv;
};

// Reads the command line; prints a message and exits with EXIT_USAGE where it cannot be.
void options_parse(int argc, char **argv, struct options *options);
// Reads "1,3-5" into core[]; number of cores, or -EINVAL.
int options_cores_parse(const char *text, uint16_t core[SL_MAX_WORKERS]);

#endif
