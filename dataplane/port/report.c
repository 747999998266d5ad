// SPDX-License-Identifier: Apache-2.0
// What the ports' devices are and count, for control and its operator. Called by the housekeeping loop about once a
// second, on its thread: some drivers ask the kernel.
#include <string.h>
#include <rte_ethdev.h>
#include "port/ports.h"

static void counts_report(uint16_t device, struct sl_port_state *report)
{
    struct rte_eth_stats stats;
    if (rte_eth_stats_get(device, &stats) != 0)
        return;
    report->rx_missed = stats.imissed;
    report->rx_errors = stats.ierrors;
    report->rx_no_buffer = stats.rx_nombuf;
    report->tx_errors = stats.oerrors;
}

static void device_report(const struct device *device, struct sl_port_state *report)
{
    memcpy(report->mac, device->mac, sizeof(report->mac));
    report->xdp_prefilter = device->xdp_prefilter;
    report->rx_queues = device->rx_queues;
    report->tx_queues = device->tx_queues;
    strncpy(report->driver, port_driver_name(device->spec.driver), sizeof(report->driver) - 1);
    struct device_link link = device_link_look(device);
    report->link_up = link.up;
    report->speed_mbps = link.speed_mbps;
    counts_report(device->id, report);
}

void ports_report(const struct ports *ports, struct sl_port_state *report)
{
    for (uint16_t slot = 0; slot < SL_MAX_PORTS; slot++) {
        struct sl_port_state now = {0};
        if (ports->port[slot].open)
            device_report(&ports->port[slot].device, &now);
        if (memcmp(&report[slot], &now, sizeof(now)) != 0) // most slots never change: leave their lines alone
            report[slot] = now;
    }
}
