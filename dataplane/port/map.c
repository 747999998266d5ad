// SPDX-License-Identifier: Apache-2.0
// A worker's half of ports coming and going: copying its share of a new map. Called by the worker's loop.
#include "port/map.h"

static void port_take(struct worker *worker, const struct port_map *map, uint16_t port)
{
    const struct port_map_device *device = &map->port[port];
    struct tx_buffer *tx = &worker->tx[port];
    tx->up = device->up;
    if (!device->up)
        return;
    tx->device = device->device;
    tx->queue = device->tx_queues >= map->worker_count ? (uint16_t)worker->index
                                                       : (uint16_t)(worker->index % device->tx_queues);
    tx->owner = device->tx_queues >= map->worker_count ? (uint16_t)worker->index
                                                       : port_map_owner(map, port, tx->queue);
    for (uint16_t queue = 0; queue < device->rx_queues; queue++)
        if (port_map_owner(map, port, queue) == worker->index && worker->rx_count < RX_QUEUES)
            worker->rx[worker->rx_count++] = (struct rx_queue){device->device, queue, port};
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
