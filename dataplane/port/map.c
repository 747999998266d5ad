// SPDX-License-Identifier: Apache-2.0
// A worker's half of ports coming and going: copying its share of a new map. Called by the worker's loop.
#include "port/map.h"

// A worker sends on a queue that it polls; one that has none hands its frames to a worker that has. So a frame that was
// handed over is never handed on.
static void tx_choose(const struct worker *worker, const struct port_map *map, uint16_t port,
                      struct tx_buffer *tx)
{
    const struct port_map_device *device = &map->port[port];
    tx->device = device->device;
    for (tx->queue = 0; tx->queue < device->tx_queues; tx->queue++)
        if (port_map_owner(map, port, tx->queue) == worker->index) {
            tx->owner = (uint16_t)worker->index;
            return;
        }
    tx->queue = (uint16_t)(worker->index % device->tx_queues);
    tx->owner = port_map_owner(map, port, tx->queue);
}

static void rx_choose(struct worker *worker, const struct port_map *map, uint16_t port)
{
    const struct port_map_device *device = &map->port[port];
    for (uint16_t queue = 0; queue < device->rx_queues; queue++)
        if (port_map_owner(map, port, queue) == worker->index && worker->rx_count < RX_QUEUES)
            worker->rx[worker->rx_count++] = (struct rx_queue){device->device, queue, port};
}

static void port_take(struct worker *worker, const struct port_map *map, uint16_t port)
{
    worker->tx[port].up = map->port[port].up;
    if (!map->port[port].up)
        return;
    tx_choose(worker, map, port, &worker->tx[port]);
    rx_choose(worker, map, port);
}

void port_map_take(struct worker *worker)
{
    const struct port_map *next = __atomic_load_n(&worker->ports_next, __ATOMIC_ACQUIRE);
    if (likely(next == worker->ports))
        return;
    worker_flush(worker);
    worker->rx_count = 0;
    for (uint16_t port = 0; port < SL_MAX_PORTS; port++)
        port_take(worker, next, port);
    __atomic_store_n(&worker->ports, next, __ATOMIC_RELEASE);
}
