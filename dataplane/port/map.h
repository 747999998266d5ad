// SPDX-License-Identifier: Apache-2.0
// Who polls and who sends on which device queue: made by housekeeping whenever ports come or go, never
// changed once published; a worker copies its share between two bursts. A map is freed when every worker has
// taken a newer one.
#ifndef PORT_MAP_H
#define PORT_MAP_H

#include <stdbool.h>
#include "worker/worker.h"

struct port_map_device { // a port that is up
    uint16_t device;     // DPDK port id
    uint16_t rx_queues, tx_queues;
    bool up;
};

struct port_map {
    struct port_map_device port[SL_MAX_PORTS]; // by port slot
    uint32_t worker_count;
};

// The worker that polls, and sends on, queue `queue` of port slot `port`: neighbors in the port table start
// at different workers, so that one-queue ports spread over them.
static inline uint16_t port_map_owner(const struct port_map *map, uint16_t port, uint16_t queue)
{
    return (uint16_t)((port + queue) % map->worker_count);
}

// Takes over worker->ports_next where it differs from worker->ports: flushes first, then rewrites the
// worker's rx and tx lists. Frames queued for a port that has gone are dropped (port_down). Worker thread,
// between bursts.
void port_map_take(struct worker *worker);

#endif
