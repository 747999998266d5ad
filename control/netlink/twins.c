// SPDX-License-Identifier: Apache-2.0
// Links and addresses of the kernel twins. See twins.h; routes are in twin_routes.c.
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "config/text.h"
#include "netlink/twin_routes.h"
#include "netlink/rtnl_socket.h"
#include "netlink/twins.h"

#ifndef IFA_PROTO
#define IFA_PROTO 11 // kernel 5.18: who put the address there
#endif
#define MOST_ADDRESSES 256 // of one link that are looked at

struct twins {
    struct nl_sock *request;
    struct nl_sock *events;
    twins_changed_fn changed;
    void *context;
};

struct twin_state twins_look(const char *name)
{
    struct twin_state state = {.ifindex = if_nametoindex(name)};
    struct ifreq ifr = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    state.exists = state.ifindex != 0;
    strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
    if (fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &ifr) == 0)
        state.up = ifr.ifr_flags & IFF_UP;
    if (fd >= 0)
        close(fd);
    return state;
}

// ---- links ------------------------------------------------------------------------------------------------------

static int link_event(struct nl_msg *message, void *context)
{
    struct twins *twins = context;
    int type = nlmsg_hdr(message)->nlmsg_type;

    if (type == RTM_NEWLINK || type == RTM_DELLINK)
        twins->changed(twins->context);
    return NL_OK;
}

int twins_new(twins_changed_fn changed, void *context, struct twins **out, struct sl_error *error)
{
    struct twins *twins = calloc(1, sizeof(*twins));

    if (!twins)
        return sl_error_set(error, -ENOMEM, "out of memory");
    twins->changed = changed;
    twins->context = context;
    twins->request = rtnl_socket_open();
    twins->events = rtnl_socket_open();
    if (!twins->request || !twins->events || nl_socket_add_membership(twins->events, RTNLGRP_LINK) < 0) {
        twins_free(twins);
        return sl_error_set(error, -EPERM, "no netlink socket: is AF_NETLINK forbidden in the unit file?");
    }
    rtnl_socket_listen(twins->events, link_event, twins);
    *out = twins;
    return 0;
}

void twins_free(struct twins *twins)
{
    if (!twins)
        return;
    nl_socket_free(twins->request);
    nl_socket_free(twins->events);
    free(twins);
}

int twins_fd(const struct twins *twins)
{
    return nl_socket_get_fd(twins->events);
}

void twins_read(struct twins *twins)
{
    if (nl_recvmsgs_default(twins->events) ==
        -NLE_NOMEM) // the kernel had more to say than we took: look anew
        twins->changed(twins->context);
}

// A router does not take its routes and addresses from another's advertisements. Not to be had over netlink.
static void refuse_advertisements(const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_ra", name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return; // no IPv6, or /proc/sys is read-only for us: harmless where forwarding is on
    ssize_t written = write(fd, "0", 1);
    (void)written;
    close(fd);
}

// Where it is a tap of that name: MTU and state. *ifindex is 0 where there is none.
static int sync_link(struct nl_sock *socket, const struct sl_config_port *port, uint32_t *ifindex,
                     struct sl_error *error)
{
    struct rtnl_link *link = NULL;

    *ifindex = 0;
    if (rtnl_link_get_kernel(socket, 0, port->name, &link) < 0)
        return 0; // not made yet
    const char *type = rtnl_link_get_type(link);
    if (!type || strcmp(type, "tun") != 0) {
        rtnl_link_put(link);
        return sl_error_set(error, -EEXIST,
                            "port %s: an interface of that name is there and no twin of ours: rename one",
                            port->name);
    }
    bool down = !(rtnl_link_get_flags(link) & IFF_UP), mtu = rtnl_link_get_mtu(link) != port->mtu;
    int err = 0;
    if (down || mtu) {
        struct rtnl_link *change = rtnl_link_alloc();
        rtnl_link_set_mtu(change, port->mtu);
        rtnl_link_set_flags(change, IFF_UP);
        if (down)
            refuse_advertisements(port->name);
        err = change ? rtnl_link_change(socket, link, change, 0) : -NLE_NOMEM;
        rtnl_link_put(change);
    }
    *ifindex = (uint32_t)rtnl_link_get_ifindex(link);
    rtnl_link_put(link);
    return err < 0 ? sl_error_set(error, -EPERM,
                                  "port %s: its twin could not be set up: %s; sluiced needs "
                                  "CAP_NET_ADMIN",
                                  port->name, nl_geterror(err))
                   : 0;
}

// ---- addresses --------------------------------------------------------------------------------------------------

struct address {
    struct sl_ip ip;
    uint8_t len;
};

struct addresses { // ours on one link
    uint32_t ifindex;
    struct address list[MOST_ADDRESSES];
    unsigned count;
};

static int take_address(struct nl_msg *message, void *context)
{
    struct addresses *addresses = context;
    struct nlattr *attr[IFA_PROTO + 1] = {0};
    const struct ifaddrmsg *head = nlmsg_data(nlmsg_hdr(message));

    if (head->ifa_index != addresses->ifindex || addresses->count == MOST_ADDRESSES ||
        nlmsg_parse(nlmsg_hdr(message), sizeof(*head), attr, IFA_PROTO, NULL) < 0)
        return NL_OK;
    struct nlattr *own = attr[IFA_LOCAL] ? attr[IFA_LOCAL] : attr[IFA_ADDRESS];
    if (!attr[IFA_PROTO] || nla_get_u8(attr[IFA_PROTO]) != TWIN_ROUTE_PROTOCOL || !own)
        return NL_OK; // the operator's or the kernel's
    struct address *address = &addresses->list[addresses->count];
    if (head->ifa_family == AF_INET && nla_len(own) == 4) {
        uint32_t v4;
        memcpy(&v4, nla_data(own), 4);
        address->ip = sl_ip_v4(v4);
    } else if (head->ifa_family == AF_INET6 && nla_len(own) == 16) {
        memcpy(address->ip.b, nla_data(own), 16);
    } else {
        return NL_OK;
    }
    address->len = head->ifa_prefixlen;
    addresses->count++;
    return NL_OK;
}

static int read_addresses(struct nl_sock *socket, uint32_t ifindex, struct addresses *addresses)
{
    struct ifaddrmsg ask = {.ifa_family = AF_UNSPEC};
    struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);

    memset(addresses, 0, sizeof(*addresses));
    addresses->ifindex = ifindex;
    if (!cb)
        return -ENOMEM;
    nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, take_address, addresses);
    int err = nl_send_simple(socket, RTM_GETADDR, NLM_F_DUMP, &ask, sizeof(ask));
    if (err >= 0)
        err = nl_recvmsgs(socket, cb);
    nl_cb_put(cb);
    return err < 0 ? -EIO : 0;
}

// Adds (RTM_NEWADDR) or deletes (RTM_DELADDR). No duplicate address detection: the data plane answers for the address
// in any case. Made by hand since libnl has no attribute for who owns an address.
static int change_address(struct nl_sock *socket, int type, uint32_t ifindex, const struct address *address)
{
    bool v4 = sl_ip_is_v4(&address->ip);
    const void *bytes = v4 ? &address->ip.b[12] : address->ip.b;
    int size = v4 ? 4 : 16;
    struct ifaddrmsg head = {.ifa_family = v4 ? AF_INET : AF_INET6,
                             .ifa_prefixlen = address->len,
                             .ifa_index = ifindex,
                             .ifa_scope = RT_SCOPE_UNIVERSE};
    struct nl_msg *message = nlmsg_alloc_simple(type, type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_REPLACE : 0);

    if (!message || nlmsg_append(message, &head, sizeof(head), NLMSG_ALIGNTO) < 0 ||
        nla_put(message, IFA_LOCAL, size, bytes) < 0 || nla_put(message, IFA_ADDRESS, size, bytes) < 0 ||
        (type == RTM_NEWADDR && (nla_put_u32(message, IFA_FLAGS, v4 ? 0 : IFA_F_NODAD) < 0 ||
                                 nla_put_u8(message, IFA_PROTO, TWIN_ROUTE_PROTOCOL) < 0))) {
        nlmsg_free(message);
        return -NLE_NOMEM;
    }
    return nl_send_sync(socket, message); // frees it
}

static bool wants(const struct sl_config_port *port, const struct address *address)
{
    for (unsigned i = 0; i < port->addresses_count; i++) {
        struct sl_interface interface;
        if (sl_interface_parse(port->addresses[i], &interface) == 0 && interface.link.len == address->len &&
            sl_ip_equal(&interface.ip, &address->ip))
            return true;
    }
    return false;
}

static bool has(const struct addresses *addresses, const struct address *address)
{
    for (unsigned i = 0; i < addresses->count; i++)
        if (addresses->list[i].len == address->len && sl_ip_equal(&addresses->list[i].ip, &address->ip))
            return true;
    return false;
}

static int sync_addresses(struct nl_sock *socket, const struct sl_config_port *port, uint32_t ifindex,
                          struct sl_error *error)
{
    struct addresses found;
    int rc = read_addresses(socket, ifindex, &found);

    if (rc)
        return sl_error_set(error, rc, "port %s: the twin's addresses cannot be read", port->name);
    for (unsigned i = 0; i < found.count; i++)
        if (!wants(port, &found.list[i]))
            change_address(socket, RTM_DELADDR, ifindex, &found.list[i]);
    for (unsigned i = 0; i < port->addresses_count; i++) {
        struct sl_interface interface;
        if (sl_interface_parse(port->addresses[i], &interface))
            continue;
        struct address address = {.ip = interface.ip, .len = interface.link.len};
        if (has(&found, &address))
            continue;
        int err = change_address(socket, RTM_NEWADDR, ifindex, &address);
        if (err < 0 && err != -NLE_EXIST && rc == 0)
            rc = sl_error_set(error, -EIO, "port %s: the twin did not take the address %s: %s", port->name,
                              port->addresses[i], nl_geterror(err));
    }
    return rc;
}

int twins_sync(struct twins *twins, const struct snapshot *snapshot, struct sl_error *error)
{
    uint32_t ifindex[SL_MAX_PORTS] = {0};
    int first = 0;

    for (unsigned i = 0; i < snapshot->config->ports_count; i++) {
        const struct sl_config_port *port = &snapshot->config->ports[i];
        int slot = slots_find(&snapshot->slots, port->name);
        if (!port->twin || !port->enabled || slot < 0)
            continue;
        int rc = sync_link(twins->request, port, &ifindex[slot], first ? NULL : error);
        if (rc == 0 && ifindex[slot])
            rc = sync_addresses(twins->request, port, ifindex[slot], first ? NULL : error);
        first = first ? first : rc;
    }
    int rc = twin_routes_sync(twins->request, snapshot, ifindex, first ? NULL : error);
    return first ? first : rc;
}
