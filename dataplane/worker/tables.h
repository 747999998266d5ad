// SPDX-License-Identifier: Apache-2.0
// The tables of one generation as a worker uses them: pointers into read-only mappings whose every offset has been
// checked. Built by housekeeping (generation.c), handed over whole, given back when every worker has moved on.
#ifndef WORKER_TABLES_H
#define WORKER_TABLES_H

#include "shm/layout.h"
#include "table/lpm.h"

struct balance_binding; // balance/binding.h
struct nat_binding;     // nat/binding.h

struct tables {
    uint64_t generation;
    const struct sl_port_table *port_table;
    const struct sl_settings *settings;
    const struct sl_port *port; // [port_count]
    uint32_t port_count;
    const struct sl_static_neighbor *static_neighbor;

    const struct sl_route_table *route;
    const struct sl_nexthop *nexthop;
    const uint32_t *group_slot;
    const struct sl_lpm *lpm; // routes, v4 and v6

    const struct sl_nat_table *nat;             // NULL: none configured
    const struct nat_binding *nat_binding;      // made by nat_share_bind(), nat/share.h
    const struct sl_prefilter_table *prefilter; // NULL: none configured
    const struct sl_balance_table *balance;     // NULL: none configured
    const struct balance_binding *balance_binding; // made by balance_share_bind(); NULL: no services

    const struct sl_own_endpoint *endpoint; // [endpoint_count]
    uint32_t endpoint_count;

    uint64_t xdp_ports; // bit per port slot: its prefilter runs in XDP, skip the worker's stage
    uint8_t port_mac[SL_MAX_PORTS][6]; // the device's MAC, as it is in use
};

// On ports whose XDP program filters, nothing is left to do. Elsewhere ports with rules have the prefilter stage; where
// only addresses that cannot be are to be dropped, parse does it on its way.
static inline bool tables_prefilter(const struct tables *tables, uint16_t port)
{
    return (tables->port[port].flags & SL_PORT_PREFILTER) && !(tables->xdp_ports >> port & 1);
}

static inline bool tables_martians(const struct tables *tables, uint16_t port)
{
    return (tables->port[port].flags & (SL_PORT_MARTIANS | SL_PORT_PREFILTER)) == SL_PORT_MARTIANS &&
           !(tables->xdp_ports >> port & 1);
}

#endif
