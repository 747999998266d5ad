// SPDX-License-Identifier: Apache-2.0
// Routes of the config and of its route files: gateways on links, ports that are there, nothing twice. Called by
// check_config(). Files may have millions of lines, so what is asked of a line is remembered by its gateway.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "config/check.h"
#include "config/file.h"
#include "config/route_file.h"

// What is wrong with a gateway, in words; false where nothing is. `port` -1: none was named.
static bool gateway_wrong(const struct check *check, const struct sl_prefix *prefix, const struct sl_ip *ip,
                          int port, char what[160], char mend[160])
{
    const struct check_link *link = check_link_of(check, ip, port), *other;
    char text[SL_IP_TEXT];

    mend[0] = '\0';
    sl_ip_format(ip, text);
    if (sl_ip_is_v4(ip) != sl_ip_is_v4(&prefix->ip)) {
        snprintf(what, 160, "the gateway %s is not of the prefix's family", text);
    } else if (check_own(check, ip)) {
        snprintf(what, 160, "the gateway %s is an address of this gateway itself", text);
    } else if (sl_ip_is_link_local_v6(ip) && port < 0) {
        snprintf(what, 160, "the link-local gateway %s could be on any port", text);
        snprintf(mend, 160, "add 'port'");
    } else if (link || (sl_ip_is_link_local_v6(ip) && port >= 0)) {
        return false;
    } else if ((other = check_link_of(check, ip, -1))) {
        snprintf(what, 160, "the gateway %s is not on port '%s' but on '%s'", text,
                 check->config->ports[port].name, check->config->ports[other->port].name);
        snprintf(mend, 160, "write 'port: %s' or take the port out", check->config->ports[other->port].name);
    } else {
        snprintf(what, 160, "the gateway %s is on no link of ours", text);
        snprintf(mend, 160, "a gateway lies in the subnet of a port's address: look at both");
    }
    return true;
}

static void check_via(struct check *check, const struct sl_prefix *prefix, unsigned i, unsigned j)
{
    const struct sl_config_route *route = &check->config->routes[i];
    const struct sl_config_via *via = &route->via[j];
    char what[160], mend[160];
    struct sl_ip ip;
    int port = -1;

    if (via->port) {
        check_at(check, "routes[%u].via[%u].port", i, j);
        port = check_port_named(check, via->port);
        if (port < 0)
            return;
    }
    check_at(check, "routes[%u].via[%u]", i, j);
    if (!via->address && !via->port) {
        check_mend(check, "name the gateway's address, or the port whose link it is");
        check_error(check, "a way needs 'address' or 'port'");
    }
    if (!via->address)
        return;
    sl_ip_parse(via->address, &ip);
    check_at(check, "routes[%u].via[%u].address", i, j);
    if (gateway_wrong(check, prefix, &ip, port, what, mend)) {
        check_mend(check, "%s", mend);
        check_error(check, "%s", what);
    }
    for (unsigned k = 0; k < j; k++) {
        if (!route->via[k].address || strcmp(route->via[k].address, via->address) != 0 ||
            strcmp(route->via[k].port ? route->via[k].port : "", via->port ? via->port : "") != 0)
            continue;
        check_at(check, "routes[%u].via[%u].address", i, j);
        check_mend(check, "raise its weight instead");
        check_error(check, "the way %s stands twice", via->address);
    }
}

static void check_route(struct check *check, unsigned i)
{
    const struct sl_config_route *route = &check->config->routes[i];
    struct sl_prefix prefix;

    sl_prefix_parse(route->prefix, &prefix);
    if (route->kind != SL_CONFIG_ROUTE_VIA && route->via_count) {
        check_at(check, "routes[%u].via", i);
        check_mend(check, "take 'via' or 'kind' out");
        check_error(check, "a route that drops has no ways");
    } else if (route->kind == SL_CONFIG_ROUTE_VIA && !route->via_count) {
        check_at(check, "routes[%u]", i);
        check_mend(check, "add 'via: [{address: GATEWAY}]', or 'kind: blackhole'");
        check_error(check, "the route %s leads nowhere", route->prefix);
    }
    for (unsigned j = 0; j < route->via_count; j++)
        check_via(check, &prefix, i, j);

    for (unsigned j = 0; j < check->link_count; j++) {
        if (sl_prefix_compare(&check->link[j].interface.link, &prefix) != 0)
            continue;
        check_at(check, "routes[%u].prefix", i);
        check_mend(check, "take the route out: the port's address makes it");
        check_error(check, "%s is the link of port '%s'", route->prefix,
                    check->config->ports[check->link[j].port].name);
        break;
    }
}

struct numbered {
    struct sl_prefix prefix;
    unsigned i;
};

static int numbered_compare(const void *a, const void *b)
{
    const struct numbered *x = a, *y = b;
    int order = sl_prefix_compare(&x->prefix, &y->prefix);

    return order ? order : x->i < y->i ? -1 : x->i > y->i;
}

static int check_routes_unique(struct check *check)
{
    unsigned count = check->config->routes_count;
    struct numbered *sorted = calloc(count ? count : 1, sizeof(*sorted));

    if (!sorted)
        return -ENOMEM;
    for (unsigned i = 0; i < count; i++) {
        sl_prefix_parse(check->config->routes[i].prefix, &sorted[i].prefix);
        sorted[i].i = i;
    }
    qsort(sorted, count, sizeof(*sorted), numbered_compare);
    for (unsigned i = 1; i < count; i++) {
        if (sl_prefix_compare(&sorted[i].prefix, &sorted[i - 1].prefix) != 0)
            continue;
        check_at(check, "routes[%u].prefix", sorted[i].i);
        check_mend(check, "several ways go into one route: via: [{address: A}, {address: B}]");
        check_error(check, "%s is there already, on line %u", check->config->routes[sorted[i].i].prefix,
                    check_line(check, "routes[%u].prefix", sorted[i - 1].i));
    }
    free(sorted);
    return 0;
}

#define SEEN 256 // gateways remembered; files name few, but mix them line by line

struct seen_gateway {
    struct sl_ip ip;
    char port[16];
    bool good;
};

struct file_check {
    struct check *check;
    const char *path;
    struct seen_gateway seen[SEEN];
};

static int find_port(const struct check *check, const char *name)
{
    for (unsigned i = 0; i < check->config->ports_count; i++)
        if (strcmp(check->config->ports[i].name, name) == 0)
            return (int)i;
    return -1;
}

static void line_error(const struct file_check *file, const struct sl_route_line *line, unsigned column,
                       const char *mend, const char *what)
{
    sl_diag_add(file->check->diag, SL_DIAG_ERROR, file->path, line->line, column, "", mend, "%s", what);
}

// A line's way that has not been seen; true where it is right.
static bool line_right(const struct file_check *file, const struct sl_route_line *line)
{
    char what[160], mend[160];
    int port = -1;

    if (line->port[0]) {
        port = find_port(file->check, line->port);
        if (port < 0) {
            snprintf(what, sizeof(what), "there is no port '%s'", line->port);
            line_error(file, line, line->port_column, "name a port of the config", what);
            return false;
        }
    }
    if (!line->has_gateway || !gateway_wrong(file->check, &line->prefix, &line->gateway, port, what, mend))
        return true;
    line_error(file, line, line->gateway_column, mend, what);
    return false;
}

static int check_route_line(void *context, const struct sl_route_line *line)
{
    struct file_check *file = context;
    const struct sl_ip *ip = &line->gateway;

    if (line->kind != SL_CONFIG_ROUTE_VIA)
        return 0;
    struct seen_gateway *seen = &file->seen[(ip->w[3] ^ ip->w[3] >> 24 ^ ip->w[0] >> 8) % SEEN];
    bool known = seen->good && sl_ip_equal(&seen->ip, ip) && strcmp(seen->port, line->port) == 0 &&
                 line->has_gateway && sl_ip_is_v4(ip) == sl_ip_is_v4(&line->prefix.ip);
    if (known || !line_right(file, line))
        return 0;
    seen->good = line->has_gateway;
    seen->ip = *ip;
    memcpy(seen->port, line->port, sizeof(seen->port));
    return 0;
}

static int check_route_file(struct check *check, unsigned i)
{
    struct file_check *file = calloc(1, sizeof(*file));
    char *text = NULL;
    size_t length;

    if (!file)
        return -ENOMEM;
    file->check = check;
    file->path = check->config->route_files[i];
    int error = file_read(file->path, &text, &length);
    if (error && error != -ENOMEM) {
        check_at(check, "route-files[%u]", i);
        check_mend(check, "the name counts from the config's folder");
        check_error(check, "%s cannot be read: %s", file->path, strerror(-error));
    } else if (!error) {
        sl_route_text_read(text, length, file->path, check_route_line, file, check->diag);
    }
    free(text);
    free(file);
    return error == -ENOMEM ? error : 0;
}

int check_routes(struct check *check)
{
    const struct sl_config *config = check->config;
    int error = check_routes_unique(check);

    for (unsigned i = 0; i < config->routes_count; i++)
        check_route(check, i);
    for (unsigned i = 0; !error && i < config->route_files_count; i++) {
        const struct sl_config_known *known = check->known;
        if (!known || !known->route_file(known->context, config, config->route_files[i]))
            error = check_route_file(check, i);
    }
    return error;
}
