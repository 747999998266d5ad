// SPDX-License-Identifier: Apache-2.0
// See twin_routes.h. Both sides, what is wanted and what the kernel has, are written as one line of text a route and
// sorted; what stands on one side only is added or deleted.
#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/route/route.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "netlink/twin_routes.h"
#include "netlink/twins.h"

#define LINE_BYTES 512
#define WAYS_MOST  8 // of a route in the kernel: it is only for the gateway's own answers

struct entry {
    char line[LINE_BYTES]; // "10.0.0.0/8 5:192.0.2.1 6:-"
    struct rtnl_route *route;
};

struct entries {
    struct entry *list;
    size_t count, room;
};

static int entries_add(struct entries *entries, struct rtnl_route *route, const char *line)
{
    if (entries->count == entries->room) {
        size_t room = entries->room ? entries->room * 2 : 32;
        struct entry *list = realloc(entries->list, room * sizeof(*list));
        if (!list)
            return -ENOMEM;
        entries->list = list;
        entries->room = room;
    }
    struct entry *entry = &entries->list[entries->count++];
    entry->route = route;
    snprintf(entry->line, sizeof(entry->line), "%s", line);
    return 0;
}

static void entries_fini(struct entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        rtnl_route_put(entries->list[i].route);
    free(entries->list);
}

static int by_line(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->line, ((const struct entry *)b)->line);
}

static struct nl_addr *addr_of(const struct sl_ip *ip, int len)
{
    bool v4 = sl_ip_is_v4(ip);
    struct nl_addr *addr = nl_addr_build(v4 ? AF_INET : AF_INET6, v4 ? &ip->b[12] : ip->b, v4 ? 4 : 16);

    if (addr)
        nl_addr_set_prefixlen(addr, len);
    return addr;
}

// A route's line from the route itself, so that wanted and found ones are written by the same hand. Next hops in
// their order: the kernel keeps it.
static void line_of_nexthop(struct rtnl_nexthop *hop, void *context)
{
    char gateway[64] = "-", *line = context;
    size_t used = strlen(line);

    if (rtnl_route_nh_get_gateway(hop))
        nl_addr2str(rtnl_route_nh_get_gateway(hop), gateway, sizeof(gateway));
    snprintf(line + used, LINE_BYTES - used, " %d:%s", rtnl_route_nh_get_ifindex(hop), gateway);
}

static void line_of(struct rtnl_route *route, char line[LINE_BYTES])
{
    struct nl_addr *dst = rtnl_route_get_dst(route);
    char text[64] = "default";

    if (dst && nl_addr_get_len(dst) > 0)
        nl_addr2str(dst, text, sizeof(text));
    snprintf(line, LINE_BYTES, "%d %s", rtnl_route_get_family(route), text);
    rtnl_route_foreach_nexthop(route, line_of_nexthop, line);
}

static int add_way(struct rtnl_route *route, const struct sl_rib_way *way, uint32_t ifindex)
{
    struct rtnl_nexthop *hop = rtnl_route_nh_alloc();

    if (!hop)
        return -ENOMEM;
    rtnl_route_nh_set_ifindex(hop, (int)ifindex);
    if (way->kind == SL_NEXTHOP_GATEWAY) {
        struct nl_addr *gateway = addr_of(&way->gateway, sl_ip_is_v4(&way->gateway) ? 32 : 128);
        if (gateway)
            rtnl_route_nh_set_gateway(hop, gateway);
        nl_addr_put(gateway);
    }
    rtnl_route_add_nexthop(route, hop);
    return 0;
}

static struct rtnl_route *route_make(const struct sl_prefix *prefix)
{
    struct rtnl_route *route = rtnl_route_alloc();
    struct nl_addr *dst = addr_of(&prefix->ip, prefix->len);

    if (!route || !dst) {
        nl_addr_put(dst);
        rtnl_route_put(route);
        return NULL;
    }
    rtnl_route_set_family(route, (uint8_t)nl_addr_get_family(dst));
    rtnl_route_set_dst(route, dst);
    nl_addr_put(dst);
    rtnl_route_set_table(route, RT_TABLE_MAIN);
    rtnl_route_set_protocol(route, TWIN_ROUTE_PROTOCOL);
    rtnl_route_set_priority(route, TWIN_ROUTE_METRIC);
    rtnl_route_set_scope(route, RT_SCOPE_UNIVERSE);
    rtnl_route_set_type(route, RTN_UNICAST);
    return route;
}

static int want_route(const struct route_layer *layer, size_t at, const uint32_t ifindex[SL_MAX_PORTS],
                      struct entries *wanted)
{
    char line[LINE_BYTES];
    unsigned ways, used = 0;
    const struct sl_rib_way *way = route_layer_ways(layer, at, &ways);
    struct rtnl_route *route = route_make(&layer->item[at].prefix);
    int rc = route ? 0 : -ENOMEM;

    for (unsigned i = 0; rc == 0 && i < ways && used < WAYS_MOST; i++) {
        bool leaves = way[i].kind == SL_NEXTHOP_GATEWAY || way[i].kind == SL_NEXTHOP_CONNECTED;
        if (leaves && ifindex[way[i].port]) {
            rc = add_way(route, &way[i], ifindex[way[i].port]);
            used++;
        }
    }
    if (rc == 0 && used > 0) {
        line_of(route, line);
        rc = entries_add(wanted, route, line);
        if (rc == 0)
            return 0;
    }
    rtnl_route_put(route);
    return rc;
}

static size_t count_routes(const struct route_plan *plan)
{
    size_t count = 0;

    for (unsigned i = 0; i < plan->count; i++)
        if (plan->layer[i]->source != ROUTE_SOURCE_OWN) // the kernel makes those from the addresses
            count += plan->layer[i]->count;
    return count;
}

static int collect_wanted(const struct snapshot *snapshot, const uint32_t ifindex[SL_MAX_PORTS],
                          struct entries *wanted)
{
    const struct route_plan *plan = &snapshot->plan;
    size_t other;

    if (count_routes(plan) > TWIN_ROUTES_MOST)
        return 0;
    for (unsigned i = 0; i < plan->count; i++) {
        const struct route_layer *layer = plan->layer[i];
        for (size_t at = 0; layer->source != ROUTE_SOURCE_OWN && at < layer->count; at++) {
            if (route_plan_find(plan, &layer->item[at].prefix, &other) != layer)
                continue; // hidden by an earlier layer
            int rc = want_route(layer, at, ifindex, wanted);
            if (rc)
                return rc;
        }
    }
    return 0;
}

static int collect_found(struct nl_sock *socket, struct entries *found)
{
    struct nl_cache *cache = NULL;
    char line[LINE_BYTES];

    if (rtnl_route_alloc_cache(socket, AF_UNSPEC, 0, &cache) < 0)
        return -EIO;
    int rc = 0;
    for (struct nl_object *object = nl_cache_get_first(cache); object && rc == 0;
         object = nl_cache_get_next(object)) {
        struct rtnl_route *route = (struct rtnl_route *)object;
        if (rtnl_route_get_protocol(route) != TWIN_ROUTE_PROTOCOL)
            continue;
        nl_object_get(object);
        line_of(route, line);
        rc = entries_add(found, route, line);
        if (rc)
            rtnl_route_put(route);
    }
    nl_cache_free(cache);
    return rc;
}

static bool has_line(const struct entries *entries, const struct entry *entry)
{
    return entries->count && bsearch(entry, entries->list, entries->count, sizeof(*entry), by_line);
}

static int reconcile(struct nl_sock *socket, const struct entries *wanted, const struct entries *found,
                     struct sl_error *error)
{
    int rc = 0;

    for (size_t i = 0; i < found->count; i++)
        if (!has_line(wanted, &found->list[i]))
            rtnl_route_delete(socket, found->list[i].route, 0); // gone meanwhile is as good
    for (size_t i = 0; i < wanted->count; i++) {
        if (has_line(found, &wanted->list[i]))
            continue;
        int err = rtnl_route_add(socket, wanted->list[i].route, NLM_F_CREATE | NLM_F_REPLACE);
        if (err < 0 && rc == 0)
            rc = sl_error_set(error, -EIO, "the kernel took no route %s: %s", wanted->list[i].line,
                              nl_geterror(err));
    }
    return rc;
}

int twin_routes_sync(struct nl_sock *socket, const struct snapshot *snapshot,
                     const uint32_t ifindex[SL_MAX_PORTS], struct sl_error *error)
{
    struct entries wanted = {0}, found = {0};
    int rc = collect_wanted(snapshot, ifindex, &wanted);

    if (rc == 0)
        rc = collect_found(socket, &found);
    if (rc) {
        sl_error_set(error, rc, "the kernel's routes cannot be read: %s", strerror(-rc));
    } else {
        if (wanted.count)
            qsort(wanted.list, wanted.count, sizeof(*wanted.list), by_line);
        if (found.count)
            qsort(found.list, found.count, sizeof(*found.list), by_line);
        rc = reconcile(socket, &wanted, &found, error);
    }
    entries_fini(&wanted);
    entries_fini(&found);
    return rc;
}
