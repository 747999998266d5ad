// SPDX-License-Identifier: Apache-2.0
// The subcommands of sluice-pktgen, a table of them: `sluice-pktgen run`, `rfc2544`, `replay`, `reflect`, `stateful`.
// A mode is a file (or a folder) of its own; main.c finds it by its word. Main thread.
#ifndef PKTGEN_MODE_H
#define PKTGEN_MODE_H

#include "base/error.h"

enum { // exit statuses, the same for every mode
    PKTGEN_OK = 0,
    PKTGEN_FAILED = 1,      // it ran, and what was asked for did not hold (corrupted packets, no rate found)
    PKTGEN_USAGE = 2,       // command line or profile
    PKTGEN_ENVIRONMENT = 3, // the machine lacks something; the message says what and how to mend it
};

struct generator_mode {
    const char *name;                  // the word on the command line
    const char *summary;               // for the list of modes
    int (*run)(int argc, char **argv); // argv[0] is "sluice-pktgen WORD"; the exit status
};

extern const struct generator_mode mode_run, mode_series, mode_rfc2544, mode_replay, mode_reflect,
    mode_stateful;

// Prints "sluice-pktgen: TEXT" to stderr; returns the exit status for `rc` (-EINVAL: usage, else environment).
int mode_fail(int rc, const struct sl_error *error);

#endif
