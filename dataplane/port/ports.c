// SPDX-License-Identifier: Apache-2.0
// Ports coming and going with generations. Called by housekeeping/turnover.c, on the housekeeping thread.
#include "port/ports.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <rte_mbuf.h>
#include "process/journal.h"
#include "process/pool.h"

#define LET_GO_STEP_US  100
#define LET_GO_LIMIT_US 2000000

struct ports *ports_new(const struct device_context *context, struct worker *const *worker)
{
    struct ports *ports = calloc(1, sizeof(*ports));
    if (!ports)
        return NULL;
    ports->context = *context;
    ports->worker = worker;
    return ports;
}

void ports_free(struct ports *ports)
{
    if (!ports)
        return;
    for (uint16_t slot = 0; slot < SL_MAX_PORTS; slot++)
        if (ports->port[slot].open)
            device_close(&ports->port[slot].device);
    free(ports->map);
    free(ports);
}

static const struct sl_port *port_wanted(const struct tables *tables, uint16_t slot)
{
    if (slot >= tables->port_count)
        return NULL;
    const struct sl_port *port = &tables->port[slot];
    return port->name[0] && !(port->flags & SL_PORT_ADMIN_DOWN) ? port : NULL;
}

// The device the port runs on is the one it is to run on.
static bool port_stays(const struct port_state *state, const struct sl_port *wanted)
{
    return state->open && wanted && strcmp(state->text, wanted->device) == 0;
}

static int conflict_check(const struct ports *ports, const struct sl_port *wanted, struct sl_error *error)
{
    for (uint16_t other = 0; other < SL_MAX_PORTS; other++)
        if (ports->port[other].open && strcmp(ports->port[other].text, wanted->device) == 0)
            return sl_error_set(
                error, -EBUSY,
                "port %s, %s: another port holds this device; apply once without that port, then "
                "again with this one",
                wanted->name, wanted->device);
    return 0;
}

// A frame is one buffer: the pool was made for the MTUs of the first generation.
static int mtu_check(const struct ports *ports, const struct sl_port *wanted, struct sl_error *error)
{
    uint16_t room = ports->context.pool ? rte_pktmbuf_data_room_size(ports->context.pool) : UINT16_MAX;
    if (pool_room_for(wanted->mtu) <= room)
        return 0;
    return sl_error_set(error, -EMSGSIZE,
                        "port %s: an MTU of %u: the packet buffers were made for less when the data plane "
                        "started; stop sluice-dp, apply once more, start it (flows survive)",
                        wanted->name, wanted->mtu);
}

static int port_prepare(struct ports *ports, uint16_t slot, const struct sl_port *wanted,
                        struct sl_error *error)
{
    struct port_state *state = &ports->port[slot];
    int rc = conflict_check(ports, wanted, error);
    if (rc == 0)
        rc = device_open(&ports->context, wanted, slot, &state->fresh, error);
    state->opened = rc == 0;
    return rc;
}

static int port_check_queues(const struct port_state *state, const struct sl_port *wanted,
                             struct sl_error *error)
{
    if (state->queues == wanted->queues)
        return 0;
    return sl_error_set(
        error, -EBUSY,
        "port %s: its queues cannot change while it runs; apply once without the port, then again "
        "with it",
        wanted->name);
}

int ports_prepare(struct ports *ports, const struct tables *tables, struct sl_error *error)
{
    int rc = 0;
    for (uint16_t slot = 0; rc == 0 && slot < SL_MAX_PORTS; slot++) {
        const struct sl_port *wanted = port_wanted(tables, slot);
        if (!wanted)
            continue;
        rc = mtu_check(ports, wanted, error);
        if (rc != 0)
            break;
        if (port_stays(&ports->port[slot], wanted))
            rc = port_check_queues(&ports->port[slot], wanted, error);
        else
            rc = port_prepare(ports, slot, wanted, error);
    }
    if (rc != 0)
        ports_abandon(ports);
    return rc;
}

void ports_abandon(struct ports *ports)
{
    for (uint16_t slot = 0; slot < SL_MAX_PORTS; slot++) {
        if (ports->port[slot].opened)
            device_close(&ports->port[slot].fresh);
        ports->port[slot].opened = false;
    }
}

static bool all_hold(const struct ports *ports, const struct port_map *map)
{
    for (uint32_t i = 0; i < ports->context.worker_count; i++)
        if (__atomic_load_n(&ports->worker[i]->ports, __ATOMIC_ACQUIRE) != map)
            return false;
    return true;
}

// Gives the workers the map as `ports` now is, and waits until none holds the old one. A worker's pass takes
// microseconds; one that is starved of its core is waited for, but not for ever.
static int map_exchange(struct ports *ports, const struct port_map *from)
{
    struct port_map *map = calloc(1, sizeof(*map)), *old = ports->map;
    if (!map)
        return -ENOMEM;
    *map = *from;
    ports->map = map;
    for (uint32_t i = 0; i < ports->context.worker_count; i++)
        __atomic_store_n(&ports->worker[i]->ports_next, map, __ATOMIC_RELEASE);
    for (uint32_t waited = 0; !all_hold(ports, map); waited += LET_GO_STEP_US) {
        if (waited >= LET_GO_LIMIT_US)
            return -ETIMEDOUT; // the old map is left to whoever holds it
        usleep(LET_GO_STEP_US);
    }
    free(old);
    return 0;
}

static void port_close(struct port_state *state)
{
    journal(JOURNAL_NOTICE, "port %s: %s is closed", state->name, state->text);
    device_close(&state->device);
    state->open = false;
}

int ports_retire(struct ports *ports, const struct tables *tables)
{
    struct port_map map = ports->map ? *ports->map : (struct port_map){0};
    uint64_t gone = 0;
    for (uint16_t slot = 0; slot < SL_MAX_PORTS; slot++)
        if (ports->port[slot].open && !port_stays(&ports->port[slot], port_wanted(tables, slot))) {
            gone |= 1ULL << slot;
            map.port[slot].up = false;
        }
    if (gone == 0)
        return 0;
    int rc = map_exchange(ports, &map);
    for (uint16_t slot = 0; rc == 0 && slot < SL_MAX_PORTS; slot++)
        if (gone >> slot & 1)
            port_close(&ports->port[slot]);
    return rc;
}

static const struct device *port_device(const struct port_state *state)
{
    return state->opened ? &state->fresh : state->open ? &state->device : NULL;
}

void ports_describe(const struct ports *ports, struct tables *tables)
{
    tables->xdp_ports = 0;
    for (uint16_t slot = 0; slot < SL_MAX_PORTS; slot++) {
        const struct device *device = port_device(&ports->port[slot]);
        if (!device)
            continue;
        memcpy(tables->port_mac[slot], device->mac, 6);
        if (device->xdp_prefilter)
            tables->xdp_ports |= 1ULL << slot;
    }
}

static void port_adopt(struct port_state *state, const struct sl_port *wanted)
{
    if (!state->opened)
        return;
    state->device = state->fresh;
    state->open = true;
    state->opened = state->linked = false;
    state->queues = wanted->queues;
    memcpy(state->name, wanted->name, sizeof(state->name));
    memcpy(state->text, wanted->device, sizeof(state->text));
    journal(JOURNAL_NOTICE, "port %s: %s is open, driver %s, %u queues%s", state->name, state->text,
            port_driver_name(state->device.spec.driver), state->device.rx_queues,
            state->device.xdp_prefilter ? ", XDP filters" : "");
}

int ports_publish(struct ports *ports, const struct tables *tables)
{
    struct port_map map = {.worker_count = ports->context.worker_count};
    for (uint16_t slot = 0; slot < SL_MAX_PORTS; slot++) {
        struct port_state *state = &ports->port[slot];
        if (state->opened)
            port_adopt(state, &tables->port[slot]);
        if (state->open)
            map.port[slot] = (struct port_map_device){
                .device = state->device.id,
                .rx_queues = state->device.rx_queues,
                .tx_queues = state->device.tx_queues,
                .up = true,
            };
    }
    return map_exchange(ports, &map);
}

void ports_adjust(struct ports *ports, const struct tables *tables)
{
    for (uint16_t slot = 0; slot < tables->port_count; slot++)
        if (ports->port[slot].open)
            device_mtu_set(&ports->port[slot].device, tables->port[slot].mtu, NULL);
}

uint64_t ports_links_came_up(struct ports *ports)
{
    uint64_t came_up = 0;
    for (uint16_t slot = 0; slot < SL_MAX_PORTS; slot++) {
        struct port_state *state = &ports->port[slot];
        if (!state->open)
            continue;
        bool up = device_link_look(&state->device).up;
        if (up != state->linked)
            journal(JOURNAL_NOTICE, "port %s: link is %s", state->name, up ? "up" : "down");
        if (up && !state->linked)
            came_up |= 1ULL << slot;
        state->linked = up;
    }
    return came_up;
}
