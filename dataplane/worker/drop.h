// SPDX-License-Identifier: Apache-2.0
// How a drop is counted, by workers and by housekeeping alike: once by its reason and once by the port it
// came from.
#ifndef WORKER_DROP_H
#define WORKER_DROP_H

#include "worker/worker.h"

// Counts `count` drops in the calling thread's own block. port_in: the port of arrival, UINT16_MAX where
// none.
static inline void drop_count(struct sl_counter_block *counters, uint16_t port_in, enum sl_drop reason,
                              uint64_t count)
{
    counters->drop[reason] += count;
    if (port_in < SL_MAX_PORTS)
        counters->port[port_in].drop_packets += count;
}

#endif
