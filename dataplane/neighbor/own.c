// SPDX-License-Identifier: Apache-2.0
// The gateway's own addresses on a link: see own.h.
#include "neighbor/own.h"
#include "route/route.h"

struct sl_ip own_link_local(const struct tables *tables, uint16_t port)
{
    const uint8_t *mac = tables->port_mac[port];
    struct sl_ip ip = {
        .b = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]}};

    return ip;
}

// True where `ip` is in the subnet of a port's address, whose host bits are set.
static bool in_subnet(const struct sl_port_addr *own, const struct sl_ip *ip)
{
    uint32_t bits = sl_ip_is_v4(&own->ip) ? 96u + own->len : own->len;
    uint32_t bytes = bits / 8, left = bits % 8;

    if (sl_ip_is_v4(&own->ip) != sl_ip_is_v4(ip) || memcmp(own->ip.b, ip->b, bytes) != 0)
        return false;
    return left == 0 || (own->ip.b[bytes] ^ ip->b[bytes]) >> (8 - left) == 0;
}

static const struct sl_port_addr *subnet_of(const struct sl_port *port, const struct sl_ip *ip)
{
    for (uint16_t i = 0; i < port->addr_count; i++)
        if (in_subnet(&port->addr[i], ip))
            return &port->addr[i];
    return NULL;
}

bool own_address(const struct tables *tables, uint16_t port, const struct sl_ip *ip)
{
    struct sl_ip link_local = own_link_local(tables, port);

    if (sl_ip_equal(ip, &link_local))
        return true;
    const struct sl_nexthop *nexthop = &tables->nexthop[route_lookup_one(tables, ip, 0)];
    if (nexthop->kind == SL_NEXTHOP_LOCAL)
        return nexthop->port == port;
    return nexthop->kind == SL_NEXTHOP_POOL && subnet_of(&tables->port[port], ip) != NULL;
}

struct sl_ip own_source(const struct tables *tables, uint16_t port, const struct sl_ip *target)
{
    const struct sl_port *own = &tables->port[port];
    const struct sl_port_addr *subnet = subnet_of(own, target);

    if (subnet)
        return subnet->ip;
    if (!sl_ip_is_v4(target))
        return own_link_local(tables, port);
    for (uint16_t i = 0; i < own->addr_count; i++)
        if (sl_ip_is_v4(&own->addr[i].ip))
            return own->addr[i].ip;
    return sl_ip_v4(0);
}

struct list {
    struct sl_ip *out;
    uint32_t count, max;
};

static void list_add(struct list *list, struct sl_ip ip)
{
    if (list->count < list->max)
        list->out[list->count] = ip;
    list->count++;
}

static void list_add_outside(struct list *list, const struct sl_port *port, sl_be32 addr)
{
    struct sl_ip ip = sl_ip_v4(addr);

    if (subnet_of(port, &ip))
        list_add(list, ip);
}

static void list_add_nat(struct list *list, const struct sl_port *port, const struct sl_nat_table *nat)
{
    const uint8_t *base = (const uint8_t *)nat;
    const sl_be32 *address = (const sl_be32 *)(base + nat->address_offset);
    const struct sl_nat_static *one = (const struct sl_nat_static *)(base + nat->static_outside_offset);
    const struct sl_nat_forward *forward = (const struct sl_nat_forward *)(base + nat->forward_offset);

    for (uint32_t i = 0; i < nat->address_count; i++)
        list_add_outside(list, port, address[i]);
    for (uint32_t i = 0; i < nat->static_outside_count; i++)
        list_add_outside(list, port, one[i].outside);
    for (uint32_t i = 0; i < nat->forward_count; i++)
        list_add_outside(list, port, forward[i].outside);
}

uint32_t own_list(const struct tables *tables, uint16_t port, struct sl_ip *out, uint32_t max)
{
    const struct sl_port *own = &tables->port[port];
    struct list list = {.out = out, .max = max};

    if (own->name[0] == '\0')
        return 0;
    list_add(&list, own_link_local(tables, port));
    for (uint16_t i = 0; i < own->addr_count; i++)
        list_add(&list, own->addr[i].ip);
    if (tables->nat)
        list_add_nat(&list, own, tables->nat);
    return list.count;
}
