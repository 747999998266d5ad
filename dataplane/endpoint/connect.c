// SPDX-License-Identifier: Apache-2.0
// Connections that the data plane opens: the way, the local address, a local port whose answers are this worker's. See
// endpoint.h. Worker's thread.
//
// A port is chosen by RFC 6056's algorithm 4: a secret hash of the addresses says where in the range to begin, a counter
// that few other destinations share goes on from there. So ports to one destination follow each other and come round
// late, and tell nobody what the next to another is.
#include "endpoint/inside.h"

#include <arpa/inet.h>
#include <errno.h>
#include "nat/binding.h"
#include "route/route.h"
#include "tcp/secret.h"

#define TRIES_MOST 8192 // ports looked at for a connection

// ---- who is at a port --------------------------------------------------------------------------------------------
void endpoint_held(void *context, sl_be16 local_port, bool begins)
{
    struct endpoint *endpoint = context;
    uint16_t port = ntohs(local_port);
    uint64_t *word = &endpoint->live[port / 64], bit = 1ull << port % 64;

    endpoint->held[port] += begins ? 1 : UINT32_MAX;
    if (begins && endpoint->held[port] == 1)
        __atomic_store_n(word, *word | bit, __ATOMIC_RELEASE);
    else if (endpoint->held[port] == 0)
        __atomic_store_n(word, *word & ~bit, __ATOMIC_RELEASE);
}

// Only the owner can tell which connections there are; the others see whether it has any at that port at all.
bool endpoint_has(const struct endpoint *endpoint, const struct packet *packet)
{
    const struct worker *worker = endpoint->worker;
    const struct sl_flow_key key = packet->key;
    uint32_t owner = endpoint_owner(worker, &key);
    const struct endpoint *at = endpoint->peer[owner];
    const struct sl_ip local = key.dst, remote = key.src; // the key is packed
    uint16_t port = ntohs(key.dport);

    if (at == NULL || !(__atomic_load_n(&at->live[port / 64], __ATOMIC_ACQUIRE) >> port % 64 & 1))
        return false;
    return owner != worker->index || sl_tcp_holds(endpoint->tcp, &local, key.dport, &remote, key.sport);
}

// Connections from ports that are no longer in the range go on.
void endpoint_ports_taken(struct endpoint *endpoint, const struct sl_settings *settings)
{
    bool some = settings->tcp_port_first && settings->tcp_port_first <= settings->tcp_port_last;

    endpoint->port_first = some ? settings->tcp_port_first : 0;
    endpoint->port_last = some ? settings->tcp_port_last : 0;
    if (!some)
        return;
    if (endpoint->live_last == 0 || endpoint->port_first < endpoint->live_first)
        endpoint->live_first = endpoint->port_first;
    endpoint->live_last = RTE_MAX(endpoint->live_last, endpoint->port_last);
}

// ---- the way -----------------------------------------------------------------------------------------------------
static bool is_group(const struct sl_ip *ip)
{
    return sl_ip_is_v4(ip) ? ip->b[12] >= 224 : ip->b[0] == 0xff;
}

// 0 and the next hop, -ENETUNREACH, or -EINVAL: it ends here.
static int next_hop(const struct tables *tables, const struct sl_ip *remote, uint32_t hash,
                    const struct sl_nexthop **nexthop)
{
    *nexthop = &tables->nexthop[route_lookup_one(tables, remote, hash)];
    switch ((enum sl_nexthop_kind)(*nexthop)->kind) {
    case SL_NEXTHOP_CONNECTED:
    case SL_NEXTHOP_GATEWAY:
        return 0;
    case SL_NEXTHOP_LOCAL:
    case SL_NEXTHOP_BROADCAST:
    case SL_NEXTHOP_POOL:
        return -EINVAL;
    default:
        return -ENETUNREACH;
    }
}

static bool same_subnet(const struct sl_port_addr *own, const struct sl_ip *next)
{
    unsigned bits = own->len + (sl_ip_is_v4(&own->ip) ? 96u : 0), whole = bits / 8;

    return sl_ip_is_v4(&own->ip) == sl_ip_is_v4(next) && memcmp(own->ip.b, next->b, whole) == 0 &&
           (bits % 8 == 0 || (own->ip.b[whole] ^ next->b[whole]) >> (8 - bits % 8) == 0);
}

// The address of a port, of the family of `to`: that whose subnet `next` is in before any other. NULL: it has none.
static const struct sl_ip *address_of(const struct sl_port *port, const struct sl_ip *to, const struct sl_ip *next)
{
    const struct sl_ip *any = NULL;

    for (uint32_t i = 0; i < port->addr_count && i < SL_MAX_PORT_ADDRS; i++) {
        const struct sl_port_addr *own = &port->addr[i];

        if (sl_ip_is_v4(&own->ip) != sl_ip_is_v4(to) || sl_ip_is_link_local_v6(&own->ip))
            continue;
        if (same_subnet(own, next))
            return &own->ip;
        if (any == NULL)
            any = &own->ip;
    }
    return any;
}

// A port without one of the family borrows another's, as routers do on links without numbers (RFC 5309 section 4).
static const struct sl_ip *address_choose(const struct tables *tables, const struct sl_nexthop *nexthop,
                                          const struct sl_ip *remote)
{
    const struct sl_ip *next = nexthop->kind == SL_NEXTHOP_GATEWAY ? &nexthop->gateway : remote;
    const struct sl_ip *local = address_of(&tables->port[nexthop->port], remote, next);

    for (uint32_t slot = 0; local == NULL && slot < tables->port_count; slot++)
        if (tables->port[slot].name[0] && !(tables->port[slot].flags & SL_PORT_ADMIN_DOWN))
            local = address_of(&tables->port[slot], remote, next);
    return local;
}

static bool is_own(const struct tables *tables, const struct sl_ip *local)
{
    for (uint32_t slot = 0; slot < tables->port_count; slot++) {
        const struct sl_port *port = &tables->port[slot];

        if (!port->name[0] || port->flags & SL_PORT_ADMIN_DOWN)
            continue;
        for (uint32_t i = 0; i < port->addr_count && i < SL_MAX_PORT_ADDRS; i++)
            if (sl_ip_equal(&port->addr[i].ip, local))
                return !sl_ip_is_link_local_v6(local);
    }
    return false;
}

static int local_find(const struct tables *tables, const struct endpoint_request *request,
                      const struct sl_nexthop *nexthop, struct sl_ip *local)
{
    const struct sl_ip *chosen;

    if (!endpoint_is_any(&request->local)) {
        *local = request->local;
        return sl_ip_is_v4(local) != sl_ip_is_v4(&request->remote) || !is_own(tables, local) ? -EADDRNOTAVAIL : 0;
    }
    chosen = address_choose(tables, nexthop, &request->remote);
    if (chosen == NULL)
        return -EADDRNOTAVAIL;
    *local = *chosen;
    return 0;
}

// Of several ways with equal cost `hash` takes one; a local port is looked for then that leads the packets there.
static int way_find(const struct endpoint *endpoint, const struct endpoint_request *request, uint32_t hash,
                    struct endpoint_way *way)
{
    const struct tables *tables = endpoint->worker->tables;
    const struct sl_nexthop *nexthop;
    int code;

    if (tables == NULL)
        return -ENETUNREACH;
    if (sl_ip_is_link_local_v6(&request->remote) || is_group(&request->remote))
        return -EINVAL;
    code = next_hop(tables, &request->remote, hash, &nexthop);
    if (code == 0)
        code = local_find(tables, request, nexthop, &way->local);
    if (code != 0)
        return code;
    way->port_out = nexthop->port;
    way->mtu = tables->port[nexthop->port].mtu;
    return 0;
}

// ---- the local port ----------------------------------------------------------------------------------------------
// A forward takes what comes for its ports before it is anybody's here.
static bool is_forwarded(const struct tables *tables, const struct sl_ip *local, uint16_t port)
{
    const struct nat_binding *binding = tables->nat_binding;
    const struct nat_address *address;

    if (binding == NULL || binding->table == NULL || !sl_ip_is_v4(local))
        return false;
    address = nat_address_find(binding, local->w[3]);
    return address != NULL && nat_forward_find(binding, address, IPPROTO_TCP, port) != NULL;
}

static bool leaves_by(const struct tables *tables, const struct sl_flow_key *answer, uint16_t port_out)
{
    struct sl_ip remote = answer->src;
    struct packet packet = {
        .flags = PACKET_TCP,
        .key_proto = IPPROTO_TCP,
        .key = {.src = answer->dst, .dst = answer->src, .sport = answer->dport, .dport = answer->sport},
    };
    uint32_t index = route_lookup_one(tables, &remote, route_hash(&packet, tables->route->hash_seed));

    return tables->nexthop[index].port == port_out;
}

static bool port_suits(const struct endpoint *endpoint, const struct endpoint_request *request,
                       const struct endpoint_way *way, uint16_t port)
{
    const struct worker *worker = endpoint->worker;
    const struct sl_flow_key answer = {
        .src = request->remote, .dst = way->local, .sport = request->remote_port, .dport = htons(port)};

    return !(endpoint->ports[port / 64] >> port % 64 & 1) && endpoint_owner(worker, &answer) == worker->index &&
           leaves_by(worker->tables, &answer, way->port_out) &&
           !is_forwarded(worker->tables, &way->local, port);
}

static uint64_t secret_hash(const struct endpoint *endpoint, const struct endpoint_request *request,
                            const struct sl_ip *local)
{
    const struct tcp_secret secret = {{endpoint->port_secret[0], endpoint->port_secret[1]}};
    const struct tcp_tuple tuple = {*local, request->remote, 0, request->remote_port};

    return tcp_siphash(&secret, &tuple, 36); // without what follows the ports
}

static struct sl_tcp_conn *connect_from(struct endpoint *endpoint, const struct endpoint_request *request,
                                        const struct sl_tcp_options *options, struct endpoint_way *way, int *error)
{
    uint32_t range = endpoint->port_last - endpoint->port_first + 1u;
    uint64_t hash = secret_hash(endpoint, request, &way->local);
    uint32_t *counter = &endpoint->port_counter[(hash >> 32) % PORT_COUNTERS];
    struct sl_tcp_conn *conn = NULL;

    *error = -EADDRINUSE;
    if (endpoint->port_first == 0)
        return NULL;
    for (uint32_t tries = RTE_MIN(range, TRIES_MOST); tries && conn == NULL && *error == -EADDRINUSE; tries--) {
        uint16_t port = (uint16_t)(endpoint->port_first + ((uint32_t)hash + (*counter)++) % range);

        if (!port_suits(endpoint, request, way, port))
            continue;
        way->local_port = htons(port);
        conn = sl_tcp_connect(endpoint->tcp, &way->local, way->local_port, &request->remote, request->remote_port,
                              options, request->client, endpoint->worker->now_us, error);
    }
    return conn;
}

struct sl_tcp_conn *endpoint_connect(struct worker *worker, const struct endpoint_request *request,
                                     struct endpoint_way *way, int *error)
{
    struct endpoint *endpoint = worker->endpoint;
    struct sl_tcp_options options;
    struct sl_tcp_conn *conn;

    *way = (struct endpoint_way){.port_out = UINT16_MAX};
    if (request->options)
        options = *request->options;
    else
        sl_tcp_options_default(&options);
    *error = way_find(endpoint, request, endpoint->opened++ * 0x9e3779b1u, way);
    if (*error != 0)
        return NULL;
    options.mtu = way->mtu;
    conn = connect_from(endpoint, request, &options, way, error);
    if (conn) {
        endpoint->port_in = way->port_out;
        endpoint->fed = true;
    }
    return conn;
}
