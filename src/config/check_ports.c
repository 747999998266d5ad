// SPDX-License-Identifier: Apache-2.0
// Ports, their addresses and the static neighbors on their links. Called by check_config().
#include <string.h>
#include "config/check.h"

static void check_port_unique(struct check *check, unsigned i)
{
    const struct sl_config_port *port = &check->config->ports[i];

    for (unsigned j = 0; j < i; j++) {
        const struct sl_config_port *other = &check->config->ports[j];

        if (strcmp(other->name, port->name) == 0) {
            check_at(check, "ports[%u].name", i);
            check_mend(check, "give each port a name of its own");
            check_error(check, "the port '%s' is there already, on line %u", port->name,
                        check_line(check, "ports[%u].name", j));
            return;
        }
        if (strcmp(other->device, port->device) == 0 && strncmp(port->device, "null:", 5) != 0) {
            check_at(check, "ports[%u].device", i);
            check_mend(check, "a device belongs to one port");
            check_error(check, "port '%s' has this device too, on line %u", other->name,
                        check_line(check, "ports[%u].device", j));
        }
    }
}

static unsigned link_line(const struct check *check, const struct check_link *link)
{
    return check_line(check, "ports[%u].addresses[%u]", link->port, link->address);
}

// A packet to a subnet must have one way: two ports may not claim the same addresses.
static void check_link_overlap(struct check *check, unsigned i)
{
    const struct check_link *link = &check->link[i];
    char text[SL_PREFIX_TEXT];

    check_at(check, "ports[%u].addresses[%u]", link->port, link->address);
    for (unsigned j = 0; j < i; j++) {
        const struct check_link *other = &check->link[j];
        bool inside = sl_prefix_contains(&other->interface.link, &link->interface.link.ip) ||
                      sl_prefix_contains(&link->interface.link, &other->interface.link.ip);

        if (sl_ip_equal(&link->interface.ip, &other->interface.ip)) {
            check_error(check, "the address is there already, on line %u", link_line(check, other));
            return;
        }
        // fe80::/10 is on every link (RFC 4291 section 2.5.6).
        bool link_local = sl_ip_is_link_local_v6(&link->interface.ip);
        if (inside && link->port != other->port && !link_local) {
            check_mend(check, "give each port a subnet of its own");
            check_error(check, "overlaps %s of port '%s' on line %u",
                        sl_prefix_format(&other->interface.link, text),
                        check->config->ports[other->port].name, link_line(check, other));
            return;
        }
    }
}

static void check_port(struct check *check, unsigned i)
{
    const struct sl_config_port *port = &check->config->ports[i];

    check_port_unique(check, i);
    for (unsigned j = 0; j < port->addresses_count; j++) {
        if (!strchr(port->addresses[j], ':') || port->mtu >= 1280)
            continue;
        check_at(check, "ports[%u].mtu", i);
        check_mend(check, "raise it, or take the IPv6 addresses away");
        check_error(check, "%u bytes are too few for IPv6, which needs 1280", port->mtu);
        break;
    }
    if (port->mss_clamp > SL_CONFIG_MSS_AUTO && port->mss_clamp > port->mtu - 40) {
        check_at(check, "ports[%u].mss-clamp", i);
        check_mend(check, "write auto, or at most %u", port->mtu - 40u);
        check_warning(check, "%u bytes do not fit into the MTU of %u", port->mss_clamp, port->mtu);
    }
}

void check_ports(struct check *check)
{
    if (check->config->ports_count == 0) {
        check_at(check, "ports");
        check_mend(check, "add one: - {name: lan, device: \"af_xdp:eth1\", addresses: [192.0.2.1/24]}");
        check_warning(check, "there are no ports: no packet will come in");
    }
    for (unsigned i = 0; i < check->config->ports_count; i++)
        check_port(check, i);
    for (unsigned i = 0; i < check->link_count; i++)
        check_link_overlap(check, i);
}

static void check_neighbor(struct check *check, unsigned i)
{
    const struct sl_config_neighbor *neighbor = &check->config->neighbors[i];
    const struct check_link *link;
    struct sl_ip ip;

    check_at(check, "neighbors[%u].port", i);
    int port = check_port_named(check, neighbor->port);
    if (port < 0)
        return;
    sl_ip_parse(neighbor->address, &ip);
    check_at(check, "neighbors[%u].address", i);
    if (check_own(check, &ip)) {
        check_error(check, "%s is the gateway's own", neighbor->address);
        return;
    }
    bool link_local = sl_ip_is_link_local_v6(&ip);
    if (link_local || check_link_of(check, &ip, port))
        return;
    link = check_link_of(check, &ip, -1);
    if (link)
        check_mend(check, "did you mean port '%s'?", check->config->ports[link->port].name);
    else
        check_mend(check, "a neighbor is on a link of ours: look at the port's addresses");
    check_error(check, "%s is not on a link of port '%s'", neighbor->address, neighbor->port);
}

void check_neighbors(struct check *check)
{
    const struct sl_config *config = check->config;

    for (unsigned i = 0; i < config->neighbors_count; i++)
        check_neighbor(check, i);
    // Static neighbors are a handful; a thousand are a million cheap comparisons.
    for (unsigned i = 0; i < config->neighbors_count; i++) {
        for (unsigned j = 0; j < i; j++) {
            if (strcmp(config->neighbors[i].address, config->neighbors[j].address) != 0 ||
                strcmp(config->neighbors[i].port, config->neighbors[j].port) != 0)
                continue;
            check_at(check, "neighbors[%u].address", i);
            check_mend(check, "take one of them out");
            check_error(check, "%s is there already, on line %u", config->neighbors[i].address,
                        check_line(check, "neighbors[%u].address", j));
            break;
        }
    }
}
