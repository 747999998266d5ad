// SPDX-License-Identifier: Apache-2.0
// The command line of sluice-dp. Main thread, before anything else.
#ifndef PROCESS_OPTIONS_H
#define PROCESS_OPTIONS_H

#include <stdint.h>
#include "process/eal.h"

enum { EXIT_USAGE = 2, EXIT_ENVIRONMENT = 3, EXIT_CONTRACT = 4 };

struct options {
    const char *run_dir;
    const char *xdp_prog; // file, or "none"
    struct eal_wish eal;  // cores, memory, what stands behind "--"
    uint32_t sleep_idle_us;
    uint32_t wait_s; // for the first generation, 0: for ever
};

// Reads the command line; prints a message and exits with EXIT_USAGE where it cannot be.
void options_parse(int argc, char **argv, struct options *options);

#endif
