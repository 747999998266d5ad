// SPDX-License-Identifier: Apache-2.0
// Ports, static neighbors and settings to a port table.
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include "apply/compile.h"
#include "apply/compile_balance.h"
#include "config/text.h"

#define NEIGHBOR_REACHABLE_MS 30000 // RFC 4861 section 10, REACHABLE_TIME
#define FRAGMENT_TIMEOUT_MS   30000 // less than the 60 s of RFC 8200 section 4.5: memory an attacker would hold
#define TCP_HEADERS_V4        40    // IPv4 and TCP without options (RFC 6691)
#define TCP_HEADERS_V6        60

bool config_has_nat(const struct sl_config *config)
{
    return config->nat.source_count || config->nat.statics_count || config->nat.forwards_count;
}

static bool port_has_prefilter(const struct sl_config *config, const char *name)
{
    for (unsigned i = 0; i < config->prefilter.ports_count; i++) {
        const struct sl_config_prefilter_port *port = &config->prefilter.ports[i];
        if (strcmp(port->port, name) == 0)
            return port->rules_count > 0 || port->fallback != SL_PREFILTER_ALLOW;
    }
    return false;
}

static uint32_t port_flags(const struct sl_config *config, const struct sl_config_port *port)
{
    uint32_t flags = 0;

    if (port->twin)
        flags |= SL_PORT_TWIN;
    if (port->martians)
        flags |= SL_PORT_MARTIANS;
    if (!port->enabled)
        flags |= SL_PORT_ADMIN_DOWN;
    if (port_has_prefilter(config, port->name))
        flags |= SL_PORT_PREFILTER;
    // An inside host may be behind any port, by whatever route: a flow is looked up wherever its packets arrive.
    if (config_has_nat(config) || config_has_balance(config))
        flags |= SL_PORT_NAT;
    return flags;
}

// The MSS is of TCP data alone, so IPv6 with its longer header gets 20 bytes less for the same packet.
static void port_mss(const struct sl_config_port *from, struct sl_port *port)
{
    if (from->mss_clamp == SL_CONFIG_MSS_NONE)
        return;
    uint16_t v4 = from->mss_clamp == SL_CONFIG_MSS_AUTO ? from->mtu - TCP_HEADERS_V4 : from->mss_clamp;
    port->mss_clamp_v4 = v4;
    port->mss_clamp_v6 = v4 > TCP_HEADERS_V6 - TCP_HEADERS_V4 ? v4 - (TCP_HEADERS_V6 - TCP_HEADERS_V4) : 0;
}

static int port_addresses(const struct sl_config_port *from, struct sl_port *port, struct sl_error *error)
{
    if (from->addresses_count > SL_MAX_PORT_ADDRS)
        return sl_error_set(error, -ENOSPC, "port %s: %u addresses, but at most %d fit", from->name,
                            from->addresses_count, SL_MAX_PORT_ADDRS);
    for (unsigned i = 0; i < from->addresses_count; i++) {
        struct sl_interface interface;
        if (sl_interface_parse(from->addresses[i], &interface))
            return sl_error_set(error, -EINVAL, "port %s: '%s' is not an address with a length", from->name,
                                from->addresses[i]);
        port->addr[i].ip = interface.ip;
        port->addr[i].len = interface.link.len;
    }
    port->addr_count = (uint16_t)from->addresses_count;
    return 0;
}

static int port_fill(const struct sl_config *config, const struct sl_config_port *from, struct sl_port *port,
                     struct sl_error *error)
{
    strncpy(port->name, from->name, sizeof(port->name) - 1);
    if (strlen(from->device) >= sizeof(port->device))
        return sl_error_set(error, -ENOSPC, "port %s: the device's text is longer than %d bytes", from->name,
                            SL_DEVICE_TEXT - 1);
    strcpy(port->device, from->device);
    port->flags = port_flags(config, from);
    port->mtu = from->mtu;
    port->queues = from->queues;
    port_mss(from, port);
    if (from->mac && sl_mac_parse(from->mac, port->mac))
        return sl_error_set(error, -EINVAL, "port %s: '%s' is not a MAC address", from->name, from->mac);
    return port_addresses(from, port, error);
}

// The port on whose link an address is, or -1.
static int slot_of_link(const struct sl_config *config, const struct slots *slots, const struct sl_ip *ip)
{
    for (unsigned i = 0; i < config->ports_count; i++) {
        for (unsigned k = 0; k < config->ports[i].addresses_count; k++) {
            struct sl_interface interface;
            if (sl_interface_parse(config->ports[i].addresses[k], &interface) == 0 &&
                sl_prefix_contains(&interface.link, ip))
                return slots_find(slots, config->ports[i].name);
        }
    }
    return -1;
}

static int neighbor_fill(const struct sl_config *config, const struct slots *slots,
                         const struct sl_config_neighbor *from, struct sl_static_neighbor *neighbor,
                         struct sl_error *error)
{
    int slot = -1;

    if (sl_ip_parse(from->address, &neighbor->ip) == 0)
        slot = from->port ? slots_find(slots, from->port) : slot_of_link(config, slots, &neighbor->ip);
    if (slot < 0 || sl_mac_parse(from->mac, neighbor->mac))
        return sl_error_set(error, -EINVAL, "neighbor %s: its address, port or MAC cannot be used",
                            from->address);
    neighbor->port = (uint16_t)slot;
    return 0;
}

static struct sl_settings settings_of(const struct sl_config *config)
{
    struct sl_settings settings = {
        .flow_capacity = config->flow.capacity,
        .neighbor_capacity = config->neighbor_capacity,
        .icmp_error_rate = config->icmp.error_rate,
        .icmp_error_burst = config->icmp.error_burst,
        .neighbor_reachable_ms = NEIGHBOR_REACHABLE_MS,
        .fragment_timeout_ms = FRAGMENT_TIMEOUT_MS,
        .tcp_connections = config->tcp.connections,
        .tcp_congestion = (uint32_t)config->tcp.congestion,
    };
    return settings;
}

static int fill_ports(const struct sl_config *config, const struct slots *slots, struct sl_port *port,
                      struct sl_error *error)
{
    for (unsigned i = 0; i < config->ports_count; i++) {
        int slot = slots_find(slots, config->ports[i].name);
        int rc = port_fill(config, &config->ports[i], &port[slot], error);
        if (rc)
            return rc;
    }
    return 0;
}

static int fill_neighbors(const struct sl_config *config, const struct slots *slots,
                          struct sl_static_neighbor *neighbor, struct sl_error *error)
{
    for (unsigned i = 0; i < config->neighbors_count; i++) {
        int rc = neighbor_fill(config, slots, &config->neighbors[i], &neighbor[i], error);
        if (rc)
            return rc;
    }
    return 0;
}

// ---- endpoints ----------------------------------------------------------------------------------------------
static uint32_t endpoint_places(const struct sl_config_endpoint *endpoint)
{
    return endpoint->addresses_count ? endpoint->addresses_count : 2; // else every address of either family
}

static int endpoint_fill(const struct sl_config_endpoint *from, uint32_t place, struct sl_own_endpoint *endpoint,
                         struct sl_error *error)
{
    if (strlen(from->name) >= sizeof(endpoint->name))
        return sl_error_set(error, -ENOSPC, "the endpoint name '%s' is longer than %d bytes", from->name,
                            SL_ENDPOINT_NAME - 1);
    strcpy(endpoint->name, from->name);
    if (from->addresses_count == 0 && place == 0)
        endpoint->address = sl_ip_v4(0);
    else if (from->addresses_count && sl_ip_parse(from->addresses[place], &endpoint->address))
        return sl_error_set(error, -EINVAL, "endpoint %s: '%s' is not an address", from->name,
                            from->addresses[place]);
    endpoint->port = from->port;
    endpoint->kind = (uint8_t)from->kind;
    endpoint->connections = from->connections;
    endpoint->idle_s = from->idle;
    return 0;
}

static int append_endpoints(const struct sl_config *config, struct image *image, struct sl_error *error)
{
    struct sl_own_endpoint list[SL_MAX_ENDPOINTS] = {0};
    uint32_t count = 0;

    for (unsigned i = 0; i < config->endpoints_count; i++) {
        for (uint32_t place = 0; place < endpoint_places(&config->endpoints[i]); place++, count++) {
            int rc = count < SL_MAX_ENDPOINTS
                         ? endpoint_fill(&config->endpoints[i], place, &list[count], error)
                         : sl_error_set(error, -ENOSPC, "more than %d places of endpoints", SL_MAX_ENDPOINTS);
            if (rc)
                return rc;
        }
    }
    uint64_t offset = image_append(image, list, count, sizeof(list[0]));
    if (!image->bytes)
        return sl_error_set(error, -ENOMEM, "out of memory");
    struct sl_port_table *table = (void *)image->bytes;
    table->endpoint_offset = count ? offset : 0;
    table->endpoint_count = count;
    return 0;
}

int compile_port(const struct sl_config *config, const struct slots *slots, struct image *image,
                 struct sl_error *error)
{
    uint32_t port_count = slots_count(slots), neighbor_count = config->neighbors_count;

    if (image_init(image, sizeof(struct sl_port_table)))
        return sl_error_set(error, -ENOMEM, "out of memory");
    uint64_t ports = image_append(image, NULL, port_count, sizeof(struct sl_port));
    uint64_t neighbors = image_append(image, NULL, neighbor_count, sizeof(struct sl_static_neighbor));
    if (!image->bytes)
        return sl_error_set(error, -ENOMEM, "out of memory");
    struct sl_port_table *table = (void *)image->bytes;
    table->settings = settings_of(config);
    table->port_count = port_count;
    table->neighbor_count = neighbor_count;
    table->port_offset = ports;
    table->neighbor_offset = neighbors;
    int rc = fill_ports(config, slots, (void *)(image->bytes + ports), error);
    if (rc == 0)
        rc = fill_neighbors(config, slots, (void *)(image->bytes + neighbors), error);
    if (rc == 0)
        rc = append_endpoints(config, image, error);
    if (rc)
        image_fini(image);
    return rc;
}
