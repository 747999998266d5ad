// SPDX-License-Identifier: Apache-2.0
// The live screen of a stateful run. Main thread.
#ifndef STATEFUL_WATCH_H
#define STATEFUL_WATCH_H

#include "../screen.h"
#include "summary.h"

struct watch {
    struct screen screen;
    uint64_t completed, requests; // at the last picture
};

void watch_init(struct watch *watch, bool wanted);
// Draws rates since the last call; connections, failures by kind and latency so far, of the first side.
void watch_show(struct watch *watch, double seconds, const struct side_summary *side, const char *phase);
void watch_fini(struct watch *watch);

#endif
