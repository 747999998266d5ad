// SPDX-License-Identifier: Apache-2.0
// Where routes come from: the gateway's own addresses, the config, route files. Each source fills a layer.
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include "apply/compile.h"
#include "apply/route_layer.h"
#include "config/route_file.h"
#include "config/text.h"

struct link { // an address of a port and the prefix of its link
    struct sl_ip ip;
    struct sl_prefix prefix;
    uint16_t slot;
    bool enabled;
};

struct links {
    struct link list[SL_MAX_PORTS * SL_MAX_PORT_ADDRS];
    unsigned count;
    unsigned last; // where the last gateway was found: the next is likely there too
};

static int links_collect(const struct sl_config *config, const struct slots *slots, struct links *links,
                         struct sl_error *error)
{
    links->count = links->last = 0;
    for (unsigned i = 0; i < config->ports_count; i++) {
        const struct sl_config_port *port = &config->ports[i];
        for (unsigned k = 0; k < port->addresses_count; k++) {
            struct sl_interface interface;
            if (links->count == sizeof(links->list) / sizeof(links->list[0]) ||
                sl_interface_parse(port->addresses[k], &interface))
                return sl_error_set(error, -EINVAL, "port %s: the address '%s' cannot be used", port->name,
                                    port->addresses[k]);
            links->list[links->count++] = (struct link){.ip = interface.ip,
                                                        .prefix = interface.link,
                                                        .slot = (uint16_t)slots_find(slots, port->name),
                                                        .enabled = port->enabled};
        }
    }
    return 0;
}

// Slot of the port on whose link `gateway` is, or -1.
static int links_find(struct links *links, const struct sl_ip *gateway)
{
    for (unsigned n = 0; n < links->count; n++) {
        unsigned i = links->last + n < links->count ? links->last + n : links->last + n - links->count;
        if (sl_prefix_contains(&links->list[i].prefix, gateway)) {
            links->last = i;
            return links->list[i].slot;
        }
    }
    return -1;
}

static int add_one(struct route_layer *layer, const struct sl_prefix *prefix, uint8_t kind, uint16_t slot)
{
    struct sl_rib_way way = {.kind = kind, .port = slot, .weight = 1};

    return route_layer_add(layer, prefix, &way, false);
}

static struct sl_prefix host_prefix(const struct sl_ip *ip)
{
    return (struct sl_prefix){.ip = *ip, .len = sl_ip_is_v4(ip) ? 32 : 128};
}

// RFC 1812 section 5.3.5: the subnet's broadcast address, and the all-zeros form of old. A link of two addresses
// (RFC 3021) or one has neither.
static int add_broadcasts(struct route_layer *layer, const struct link *link)
{
    if (!sl_ip_is_v4(&link->ip) || link->prefix.len > 30)
        return 0;
    struct sl_ip last = link->prefix.ip;
    last.w[3] |= htonl(UINT32_MAX >> link->prefix.len);
    struct sl_prefix zeros = host_prefix(&link->prefix.ip), ones = host_prefix(&last);
    int rc = add_one(layer, &zeros, SL_NEXTHOP_BROADCAST, link->slot);
    return rc ? rc : add_one(layer, &ones, SL_NEXTHOP_BROADCAST, link->slot);
}

static bool is_link_local(const struct sl_ip *ip)
{
    return ip->b[0] == 0xfe && (ip->b[1] & 0xc0) == 0x80; // RFC 4291 section 2.5.6; never routed
}

static int add_links(struct route_layer *layer, const struct links *links)
{
    for (unsigned i = 0; i < links->count; i++) {
        const struct link *link = &links->list[i];
        bool whole = link->prefix.len == (sl_ip_is_v4(&link->ip) ? 32 : 128);
        if (!link->enabled || whole || is_link_local(&link->ip))
            continue;
        if (add_one(layer, &link->prefix, SL_NEXTHOP_CONNECTED, link->slot) || add_broadcasts(layer, link))
            return -ENOMEM;
    }
    return 0;
}

static int add_local(struct route_layer *layer, const struct links *links)
{
    for (unsigned i = 0; i < links->count; i++) {
        struct sl_prefix host = host_prefix(&links->list[i].ip);
        if (links->list[i].enabled && add_one(layer, &host, SL_NEXTHOP_LOCAL, links->list[i].slot))
            return -ENOMEM;
    }
    return 0;
}

static int add_outside(struct route_layer *layer, uint32_t first, uint32_t last)
{
    for (uint64_t addr = first; addr <= last; addr++) {
        struct sl_ip ip = sl_ip_v4(htonl((uint32_t)addr));
        struct sl_prefix host = host_prefix(&ip);
        if (add_one(layer, &host, SL_NEXTHOP_POOL, 0))
            return -ENOMEM;
    }
    return 0;
}

// As outside addresses of NAT are: packets to them are the gateway's, and it answers for them on its links.
static int add_services(struct route_layer *layer, const struct sl_config *config, struct sl_error *error)
{
    for (unsigned i = 0; i < config->services_count; i++) {
        for (unsigned k = 0; k < config->services[i].addresses_count; k++) {
            struct sl_ip ip;
            if (sl_ip_parse(config->services[i].addresses[k], &ip))
                return sl_error_set(error, -EINVAL, "service %s: an address cannot be used",
                                    config->services[i].name);
            struct sl_prefix host = host_prefix(&ip);
            if (add_one(layer, &host, SL_NEXTHOP_POOL, 0))
                return -ENOMEM;
        }
    }
    return 0;
}

// Where packets to members are sent from, and answers come back to. An own address among them stays the gateway's.
static int add_sources(struct route_layer *layer, const struct sl_config_server_pool *pool)
{
    for (unsigned k = 0; k < pool->sources_count; k++) {
        struct sl_ip ip;
        if (sl_ip_parse(pool->sources[k], &ip))
            continue; // refused by compile_balance()
        struct sl_prefix host = host_prefix(&ip);
        if (add_one(layer, &host, SL_NEXTHOP_POOL, 0))
            return -ENOMEM;
    }
    return 0;
}

// A next hop that is the member itself: direct return sends to its MAC.
static int add_direct(struct route_layer *layer, struct links *links,
                      const struct sl_config_server_pool *pool)
{
    for (unsigned k = 0; pool->way == SL_BALANCE_DIRECT && k < pool->members_count; k++) {
        struct sl_rib_way way = {.kind = SL_NEXTHOP_GATEWAY, .weight = 1};
        int slot = sl_ip_parse(pool->members[k].address, &way.gateway) ? -1 : links_find(links, &way.gateway);
        if (slot < 0)
            continue; // refused by the config's check
        struct sl_prefix host = host_prefix(&way.gateway);
        way.port = (uint16_t)slot;
        if (route_layer_add(layer, &host, &way, false))
            return -ENOMEM;
    }
    return 0;
}

static int add_pools(struct route_layer *layer, struct links *links, const struct sl_config *config)
{
    for (unsigned i = 0; i < config->pools_count; i++)
        if (add_sources(layer, &config->pools[i]) || add_direct(layer, links, &config->pools[i]))
            return -ENOMEM;
    return 0;
}

static int add_nat(struct route_layer *layer, const struct sl_config_nat *nat, struct sl_error *error)
{
    struct sl_range range;
    struct sl_endpoint endpoint;
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < nat->pools_count; i++)
        for (unsigned k = 0; rc == 0 && k < nat->pools[i].addresses_count; k++)
            rc = sl_range_parse(nat->pools[i].addresses[k], &range)
                     ? -EINVAL
                     : add_outside(layer, range.first, range.last);
    for (unsigned i = 0; rc == 0 && i < nat->statics_count; i++)
        rc = sl_range_parse(nat->statics[i].outside, &range) ? -EINVAL
                                                             : add_outside(layer, range.first, range.last);
    for (unsigned i = 0; rc == 0 && i < nat->forwards_count; i++)
        rc = sl_endpoint_parse(nat->forwards[i].outside, &endpoint)
                 ? -EINVAL
                 : add_outside(layer, ntohl(endpoint.address), ntohl(endpoint.address));
    return rc == -EINVAL ? sl_error_set(error, rc, "nat: an outside address cannot be used") : rc;
}

// What is added last wins in a layer, so: links, outside addresses, and above all the gateway's own.
int route_layer_own(const struct sl_config *config, const struct slots *slots, struct route_layer *layer,
                    struct sl_error *error)
{
    struct links links;
    int rc = links_collect(config, slots, &links, error);

    if (rc == 0)
        rc = add_links(layer, &links);
    if (rc == 0)
        rc = add_nat(layer, &config->nat, error);
    if (rc == 0)
        rc = add_services(layer, config, error);
    if (rc == 0)
        rc = add_pools(layer, &links, config);
    if (rc == 0)
        rc = add_local(layer, &links);
    if (rc == 0)
        rc = route_layer_finish(layer);
    return rc == -ENOMEM ? sl_error_set(error, rc, "out of memory") : rc;
}

// A way over `gateway` (NULL: the port's own link) and `port` (NULL or "": the port on whose link the gateway is).
static int way_make(struct links *links, const struct slots *slots, const struct sl_ip *gateway,
                    const char *port, uint16_t weight, struct sl_rib_way *way)
{
    int slot = port && port[0] ? slots_find(slots, port) : gateway ? links_find(links, gateway) : -1;

    if (slot < 0)
        return -EINVAL;
    *way = (struct sl_rib_way){.kind = gateway ? SL_NEXTHOP_GATEWAY : SL_NEXTHOP_CONNECTED,
                               .port = (uint16_t)slot,
                               .weight = weight};
    if (gateway)
        way->gateway = *gateway;
    return 0;
}

static uint8_t kind_of(enum sl_config_route_kind kind)
{
    return kind == SL_CONFIG_ROUTE_BLACKHOLE ? SL_NEXTHOP_BLACKHOLE : SL_NEXTHOP_REJECT;
}

static int add_route(const struct sl_config_route *route, const struct slots *slots, struct links *links,
                     struct route_layer *layer, struct sl_error *error)
{
    struct sl_prefix prefix;

    if (sl_prefix_parse(route->prefix, &prefix))
        return sl_error_set(error, -EINVAL, "route %s: not a prefix", route->prefix);
    if (route->kind != SL_CONFIG_ROUTE_VIA)
        return add_one(layer, &prefix, kind_of(route->kind), 0);
    for (unsigned i = 0; i < route->via_count; i++) {
        const struct sl_config_via *via = &route->via[i];
        struct sl_rib_way way;
        struct sl_ip gateway;
        if (via->address && sl_ip_parse(via->address, &gateway))
            return sl_error_set(error, -EINVAL, "route %s: '%s' is not an address", route->prefix,
                                via->address);
        if (way_make(links, slots, via->address ? &gateway : NULL, via->port, via->weight, &way))
            return sl_error_set(error, -EINVAL,
                                "route %s: the gateway %s is on no port's link: name its port", route->prefix,
                                via->address ? via->address : "(none)");
        if (route_layer_add(layer, &prefix, &way, i > 0))
            return -ENOMEM;
    }
    return 0;
}

int route_layer_config(const struct sl_config *config, const struct slots *slots, struct route_layer *layer,
                       struct sl_error *error)
{
    struct links links;
    int rc = links_collect(config, slots, &links, error);

    for (unsigned i = 0; rc == 0 && i < config->routes_count; i++)
        rc = add_route(&config->routes[i], slots, &links, layer, error);
    if (rc == 0)
        rc = route_layer_finish(layer);
    return rc == -ENOMEM ? sl_error_set(error, rc, "out of memory") : rc;
}

struct file_reading {
    const struct slots *slots;
    struct links *links;
    struct route_layer *layer;
    struct sl_error *error;
    const char *path;
};

static int take_line(void *context, const struct sl_route_line *line)
{
    struct file_reading *reading = context;
    struct sl_rib_way way;

    if (line->kind != SL_CONFIG_ROUTE_VIA) {
        int rc = add_one(reading->layer, &line->prefix, kind_of(line->kind), 0);
        return rc ? sl_error_set(reading->error, rc, "out of memory") : 0;
    }
    if (way_make(reading->links, reading->slots, line->has_gateway ? &line->gateway : NULL, line->port,
                 line->weight, &way))
        return sl_error_set(
            reading->error, -EINVAL,
            "%s:%u: the gateway is on no port's link: name its port, or give a port an address there",
            reading->path, line->line);
    if (route_layer_add(reading->layer, &line->prefix, &way, true))
        return sl_error_set(reading->error, -ENOMEM, "out of memory");
    return 0;
}

int route_layer_file(const struct sl_config *config, const struct slots *slots, const char *path,
                     struct route_layer *layer, struct sl_error *error)
{
    struct links links;
    struct file_reading reading = {slots, &links, layer, error, path};

    sl_error_set(error, 0,
                 "%s: cannot be read, or was changed since it was checked: 'sluicectl config check' says "
                 "what is wrong",
                 path);
    int rc = links_collect(config, slots, &links, error);
    if (rc == 0)
        rc = sl_route_file_read(path, take_line, &reading, NULL);
    if (rc == 0 && route_layer_finish(layer))
        rc = sl_error_set(error, -ENOMEM, "out of memory");
    return rc;
}
