// SPDX-License-Identifier: Apache-2.0
// sluiced's command line. Read once at start by main(), never changed.
#ifndef CONTROL_OPTIONS_H
#define CONTROL_OPTIONS_H

#include <stdbool.h>

struct options {
    const char *config_path;  // --config
    const char *run_dir;      // --run-dir: shared memory, meets the data plane
    const char *state_dir;    // --state-dir: running config and history, outlives the boot
    const char *socket_path;  // --socket
    const char *socket_group; // --group: may change things besides root; NULL: none
    const char *bpffs;        // --bpffs: where the XDP programs' maps are pinned
    const char *metrics;      // --metrics HOST:PORT; NULL: none
    bool foreground;          // --foreground: accepted for clarity; sluiced never forks
    bool check_only;          // --check: load and compile, say what is wrong, end
};

// Ends the process with a message where the command line is wrong (exit 64, EX_USAGE).
void options_parse(int argc, char **argv, struct options *options);

#endif
