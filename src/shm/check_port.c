// SPDX-License-Identifier: Apache-2.0
// Checks the port table: slots, names, addresses, static neighbors. See check.h for who calls it.
#include <errno.h>
#include <stdalign.h>

#include "shm/check_span.h"

#define MTU_LEAST                                                                                            \
    68 // RFC 791 section 3.2: every link carries this much; below it fragmentation would not end

static int address_check(const struct check *check, const struct sl_port_addr *addr)
{
    int most = sl_ip_is_v4(&addr->ip) ? 32 : 128;

    if (addr->len > most)
        return check_fail(check, addr, "an address has prefix length %u, %d is the most", addr->len, most);
    return 0;
}

static int port_check(const struct check *check, const struct sl_port *port)
{
    int code = check_text(check, port->name, sizeof(port->name), "a port's name");

    if (code == 0)
        code = check_text(check, port->device, sizeof(port->device), "a port's device");
    if (code != 0)
        return code;
    if (port->addr_count > SL_MAX_PORT_ADDRS)
        return check_fail(check, port, "port %s has %u addresses, %d are the most", port->name,
                          port->addr_count, SL_MAX_PORT_ADDRS);
    if (port->name[0] != '\0' && port->mtu < MTU_LEAST)
        return check_fail(check, port, "port %s has an MTU of %u, %d is the least (RFC 791)", port->name,
                          port->mtu, MTU_LEAST);
    for (unsigned i = 0; code == 0 && i < port->addr_count; i++)
        code = address_check(check, &port->addr[i]);
    return code;
}

static int names_check(const struct check *check, const struct sl_port *port, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < i && port[i].name[0] != '\0'; j++)
            if (strncmp(port[i].name, port[j].name, sizeof(port[i].name)) == 0)
                return check_fail(check, &port[i], "slots %u and %u are both named %s", j, i, port[i].name);
    return 0;
}

static int ports_check(const struct check *check, const struct sl_port_table *table)
{
    const struct sl_port *port = (const void *)(check->base + table->port_offset);
    int code = 0;

    for (uint32_t i = 0; code == 0 && i < table->port_count; i++)
        code = port_check(check, &port[i]);
    return code == 0 ? names_check(check, port, table->port_count) : code;
}

static int neighbors_check(const struct check *check, const struct sl_port_table *table)
{
    const struct sl_static_neighbor *neighbor = (const void *)(check->base + table->neighbor_offset);

    for (uint32_t i = 0; i < table->neighbor_count; i++)
        if (neighbor[i].port >= table->port_count)
            return check_fail(check, &neighbor[i], "static neighbor %u is on port slot %u, there are %u", i,
                              neighbor[i].port, table->port_count);
    return 0;
}

static int endpoints_check(const struct check *check, const struct sl_port_table *table)
{
    const struct sl_own_endpoint *endpoint = (const void *)(check->base + table->endpoint_offset);
    int code = 0;

    for (uint32_t i = 0; code == 0 && i < table->endpoint_count; i++) {
        code = check_text(check, endpoint[i].name, sizeof(endpoint[i].name), "an endpoint's name");
        if (code == 0 && (endpoint[i].kind == SL_ENDPOINT_NONE || endpoint[i].kind >= SL_ENDPOINT_KINDS))
            code = check_fail(check, &endpoint[i].kind, "endpoint %s has kind %u, which is none",
                              endpoint[i].name, endpoint[i].kind);
        if (code == 0 && endpoint[i].port == 0)
            code = check_fail(check, &endpoint[i].port, "endpoint %s has port 0", endpoint[i].name);
    }
    return code;
}

int sl_port_table_check(const struct sl_port_table *table, uint64_t size, struct sl_error *error)
{
    struct check check;
    int code = check_begin(&check, "port", table, size, sizeof(*table), error);

    if (code != 0)
        return code;
    if (table->port_count > SL_MAX_PORTS)
        return check_fail(&check, &table->port_count, "%u port slots, %d are the most", table->port_count,
                          SL_MAX_PORTS);
    if (table->endpoint_count > SL_MAX_ENDPOINTS)
        return check_fail(&check, &table->endpoint_count, "%u endpoints, %d are the most",
                          table->endpoint_count, SL_MAX_ENDPOINTS);
    const struct check_array array[] = {
        {"endpoints", table->endpoint_offset, table->endpoint_count, sizeof(struct sl_own_endpoint),
         alignof(struct sl_own_endpoint)},
        {"ports", table->port_offset, table->port_count, sizeof(struct sl_port), alignof(struct sl_port)},
        {"static neighbors", table->neighbor_offset, table->neighbor_count, sizeof(struct sl_static_neighbor),
         alignof(struct sl_static_neighbor)},
    };
    for (unsigned i = 0; code == 0 && i < sizeof(array) / sizeof(array[0]); i++)
        code = check_span(&check, &array[i]);
    if (code == 0)
        code = ports_check(&check, table);
    if (code == 0)
        code = endpoints_check(&check, table);
    return code == 0 ? neighbors_check(&check, table) : code;
}
