// SPDX-License-Identifier: Apache-2.0
// See announce_routes.h. Messages are made by hand: the kernel picks the routes of our protocol out of what may be a
// million others (NETLINK_GET_STRICT_CHK), where libnl's cache would fetch them all.
#include "netlink/announce_routes.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "netlink/rtnl_socket.h"

#ifndef NETLINK_GET_STRICT_CHK
#define NETLINK_GET_STRICT_CHK 12
#endif

#define EVENT_BYTES (1 << 20)

struct announce_routes {
    struct nl_sock *request, *events;
    uint32_t table; // of the routes that were wanted last
    bool touched;
};

struct found {
    struct announce_route *list;
    size_t count, room;
    int error;
};

int announce_route_compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct announce_route));
}

// False: not ours, or no host route of the kind that we make.
static bool route_of(struct nlmsghdr *header, struct announce_route *route)
{
    struct nlattr *attr[RTA_MAX + 1] = {0};
    const struct rtmsg *head = nlmsg_data(header);
    bool v4 = head->rtm_family == AF_INET;

    if ((!v4 && head->rtm_family != AF_INET6) || head->rtm_protocol != ANNOUNCE_ROUTE_PROTOCOL ||
        nlmsg_parse(header, sizeof(*head), attr, RTA_MAX, NULL) < 0 || !attr[RTA_DST] ||
        nla_len(attr[RTA_DST]) != (v4 ? 4 : 16) || head->rtm_dst_len != (v4 ? 32 : 128))
        return false;
    memset(route, 0, sizeof(*route));
    if (v4)
        route->ip = sl_ip_v4(nla_get_u32(attr[RTA_DST]));
    else
        memcpy(route->ip.b, nla_data(attr[RTA_DST]), 16);
    route->table = attr[RTA_TABLE] ? nla_get_u32(attr[RTA_TABLE]) : head->rtm_table;
    route->metric = attr[RTA_PRIORITY] ? nla_get_u32(attr[RTA_PRIORITY]) : 0;
    return head->rtm_type == RTN_BLACKHOLE;
}

// ---- events -----------------------------------------------------------------------------------------------------

static uint32_t table_of(struct nlmsghdr *header)
{
    const struct nlattr *table = nlmsg_find_attr(header, sizeof(struct rtmsg), RTA_TABLE);

    return table ? nla_get_u32(table) : ((const struct rtmsg *)nlmsg_data(header))->rtm_table;
}

static int route_event(struct nl_msg *message, void *context)
{
    struct announce_routes *routes = context;
    struct nlmsghdr *header = nlmsg_hdr(message);
    const struct rtmsg *head = nlmsg_data(header);

    // A route of ours that is replaced is told as the new one alone: any route of the table is of interest.
    if ((header->nlmsg_type == RTM_NEWROUTE || header->nlmsg_type == RTM_DELROUTE) &&
        (head->rtm_protocol == ANNOUNCE_ROUTE_PROTOCOL || table_of(header) == routes->table))
        routes->touched = true;
    return NL_OK;
}

int announce_routes_new(struct announce_routes **out, struct sl_error *error)
{
    struct announce_routes *routes = calloc(1, sizeof(*routes));
    int on = 1;

    if (!routes)
        return sl_error_set(error, -ENOMEM, "out of memory");
    routes->request = rtnl_socket_open();
    routes->events = rtnl_socket_open();
    if (!routes->request || !routes->events ||
        nl_socket_add_memberships(routes->events, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, 0) < 0) {
        announce_routes_free(routes);
        return sl_error_set(error, -EPERM, "no netlink socket: is AF_NETLINK forbidden in the unit file?");
    }
    // Before kernel 4.20: all routes come, and are sorted out here.
    setsockopt(nl_socket_get_fd(routes->request), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
    // The host may have a million routes that change: what is missed costs a look at all of them.
    nl_socket_set_buffer_size(routes->events, EVENT_BYTES, 0);
    rtnl_socket_listen(routes->events, route_event, routes);
    *out = routes;
    return 0;
}

void announce_routes_free(struct announce_routes *routes)
{
    if (!routes)
        return;
    nl_socket_free(routes->request);
    nl_socket_free(routes->events);
    free(routes);
}

int announce_routes_fd(const struct announce_routes *routes)
{
    return nl_socket_get_fd(routes->events);
}

bool announce_routes_read(struct announce_routes *routes)
{
    routes->touched = false;
    int err = nl_recvmsgs_default(routes->events);
    return routes->touched || err == -NLE_NOMEM; // the kernel had more to say than we took
}

// ---- what is there ----------------------------------------------------------------------------------------------

static int take_route(struct nl_msg *message, void *context)
{
    struct found *found = context;
    struct announce_route route;

    if (!route_of(nlmsg_hdr(message), &route) || found->error)
        return NL_OK;
    if (found->count == found->room) {
        size_t room = found->room ? found->room * 2 : 16;
        struct announce_route *list = realloc(found->list, room * sizeof(*list));
        if (!list) {
            found->error = -ENOMEM;
            return NL_OK;
        }
        found->list = list;
        found->room = room;
    }
    found->list[found->count++] = route;
    return NL_OK;
}

static int dump(struct announce_routes *routes, uint8_t family, struct found *found)
{
    struct rtmsg ask = {.rtm_family = family, .rtm_protocol = ANNOUNCE_ROUTE_PROTOCOL};
    struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);

    if (!cb)
        return -ENOMEM;
    nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, take_route, found);
    int err = nl_send_simple(routes->request, RTM_GETROUTE, NLM_F_DUMP, &ask, sizeof(ask));
    if (err >= 0)
        err = nl_recvmsgs(routes->request, cb);
    nl_cb_put(cb);
    return err < 0 ? -EIO : found->error;
}

int announce_routes_found(struct announce_routes *routes, struct announce_route **list, size_t *count)
{
    struct found found = {0};
    int rc = dump(routes, AF_INET, &found);

    if (rc == 0)
        rc = dump(routes, AF_INET6, &found);
    if (rc) {
        free(found.list);
        return rc;
    }
    if (found.count)
        qsort(found.list, found.count, sizeof(*found.list), announce_route_compare);
    *list = found.list;
    *count = found.count;
    return 0;
}

// ---- change -----------------------------------------------------------------------------------------------------

static int change(struct announce_routes *routes, int type, const struct announce_route *route)
{
    bool v4 = sl_ip_is_v4(&route->ip);
    struct rtmsg head = {.rtm_family = v4 ? AF_INET : AF_INET6,
                         .rtm_dst_len = v4 ? 32 : 128,
                         .rtm_table = route->table < 256 ? (uint8_t)route->table : RT_TABLE_UNSPEC,
                         .rtm_protocol = ANNOUNCE_ROUTE_PROTOCOL,
                         .rtm_scope = RT_SCOPE_UNIVERSE,
                         .rtm_type = RTN_BLACKHOLE};
    struct nl_msg *message =
        nlmsg_alloc_simple(type, type == RTM_NEWROUTE ? NLM_F_CREATE | NLM_F_REPLACE : 0);

    if (!message || nlmsg_append(message, &head, sizeof(head), NLMSG_ALIGNTO) < 0 ||
        nla_put(message, RTA_DST, v4 ? 4 : 16, v4 ? &route->ip.b[12] : route->ip.b) < 0 ||
        nla_put_u32(message, RTA_TABLE, route->table) < 0 ||
        nla_put_u32(message, RTA_PRIORITY, route->metric) < 0) {
        nlmsg_free(message);
        return -NLE_NOMEM;
    }
    return nl_send_sync(routes->request, message); // frees it
}

static bool has(const struct announce_route *list, size_t count, const struct announce_route *route)
{
    return count && bsearch(route, list, count, sizeof(*list), announce_route_compare);
}

int announce_routes_sync(struct announce_routes *routes, struct announce_route *wanted, size_t count,
                         struct sl_error *error)
{
    struct announce_route *found = NULL;
    char text[SL_IP_TEXT];
    size_t there = 0;
    int rc = announce_routes_found(routes, &found, &there);

    if (rc)
        return sl_error_set(error, rc, "the kernel's announced routes cannot be read: %s", strerror(-rc));
    if (count) {
        routes->table = wanted[0].table;
        qsort(wanted, count, sizeof(*wanted), announce_route_compare);
    }
    for (size_t i = 0; i < count; i++) {
        int err = has(found, there, &wanted[i]) ? 0 : change(routes, RTM_NEWROUTE, &wanted[i]);
        if (err < 0 && rc == 0)
            rc = sl_error_set(error, -EIO, "the kernel took no route to %s in table %u: %s",
                              sl_ip_format(&wanted[i].ip, text), wanted[i].table, nl_geterror(err));
    }
    for (size_t i = 0; i < there; i++)
        if (!has(wanted, count, &found[i]))
            change(routes, RTM_DELROUTE, &found[i]); // gone meanwhile is as good
    free(found);
    return rc;
}
