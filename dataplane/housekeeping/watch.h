// SPDX-License-Identifier: Apache-2.0
// What runs low, told before it runs out and once a minute at most: see watch.c. Housekeeping thread alone.
#ifndef HOUSEKEEPING_WATCH_H
#define HOUSEKEEPING_WATCH_H

#include "housekeeping/house.h"

struct watch {
    uint64_t next_pool_ns, next_neighbors_ns; // no line about it before
    uint64_t neighbors_refused;               // at the last look
};

// Looks once; call it about once a second.
void watch_step(struct watch *watch, const struct house *house, uint64_t now_ns);

#endif
