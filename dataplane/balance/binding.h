// SPDX-License-Identifier: Apache-2.0
// A generation's balance table made quick for the packet path: a filter that lets nearly every packet that is merely
// routed pass with two bits looked at, the endpoints of members (whose packets may be answers), timeouts by service
// slot. Made by housekeeping (share.c); constant afterwards, but for the cursors, which are each worker's own.
#ifndef BALANCE_BINDING_H
#define BALANCE_BINDING_H

#include <stdbool.h>
#include "nat/share.h"
#include "table/balance_read.h"

struct balance_endpoint { // of a member
    struct sl_ip ip;
    sl_be16 port; // 0: any
    uint8_t used; // 0: the slot is free
    uint8_t pad[5];
    uint32_t member; // index into member[], SL_BALANCE_NONE: several have this endpoint
    uint32_t pad2;
};

struct balance_front { // where a service is reached
    struct sl_ip ip;
    uint16_t port;    // host byte order; 0: more than one
    uint16_t listens; // addresses and ports or ranges of it; only of one the above is true
    uint32_t pad;
};

struct balance_loads { // of the members of a pool, as one worker has them: least.c
    double *node;      // [2 * leaves] w, r: that worker
    uint32_t leaves;   // a power of two; 0: the pool does not go by loads
    bool built;
    uint64_t epoch; // the table's, when it was built
};

struct balance_binding {
    const struct sl_balance_table *table;
    uint64_t *filter; // bits, by sl_balance_address_hash(): addresses of services and of members
    uint32_t filter_mask;
    bool v4, v6;                       // there are services of the family
    bool one_way;                      // some members answer past the gateway
    bool tells_client;                 // some pool has SL_BALANCE_TOA
    struct balance_endpoint *endpoint; // open addressing, linear probing
    uint32_t endpoint_mask;
    uint32_t workers;
    uint32_t *cursor;                       // [workers][pool_count] w, r: that worker
    uint32_t (*timeout_ms)[SL_FLOW_STATES]; // [service_slots]; 0: as flows without a service
    // [pool_count] the one service that goes there, index into service[]; SL_BALANCE_NONE: none, or several
    uint32_t *service_of_pool;
    struct balance_front *front; // [service_count]
    struct sl_ip *source;        // of full NAT: open addressing, linear probing; zero: free
    uint32_t source_mask;
    // of tunnels: where they begin and end, as `source` is
    bool tunnels;
    struct sl_ip *begin, *end;
    uint32_t begin_mask, end_mask;
    struct balance_loads *loads; // [workers][pool_count], NULL: no pool goes by loads
    double *load_nodes;
    struct sl_ip *member_ip; // whose answers come through here: likewise
    uint32_t member_mask;
};

// NULL: no memory. Housekeeping.
struct balance_binding *balance_binding_new(const struct sl_balance_table *table, uint32_t workers);
void balance_binding_free(struct balance_binding *binding);

static inline bool balance_filter_has(const struct balance_binding *binding, const struct sl_ip *ip)
{
    uint32_t bit = (uint32_t)(sl_balance_address_hash(ip) >> 16) & binding->filter_mask;

    return binding->filter[bit / 64] >> (bit % 64) & 1;
}

// False for nearly every packet that is neither to a service nor from a member nor an error about one of those. A
// true means nothing: the packet is looked up, and goes its way.
static inline bool balance_concerns(const struct balance_binding *binding, const struct sl_flow_key *key)
{
    struct sl_ip src = key->src, dst = key->dst;

    return balance_filter_has(binding, &dst) || balance_filter_has(binding, &src);
}

static inline uint32_t balance_endpoint_start(const struct sl_ip *ip, sl_be16 port)
{
    return (uint32_t)sl_hash_fold(sl_balance_address_hash(ip) ^ port, 0x9e3779b97f4a7c15u);
}

static inline const struct balance_endpoint *balance_endpoint_at(const struct balance_binding *binding,
                                                                 const struct sl_ip *ip, sl_be16 port)
{
    for (uint32_t at = balance_endpoint_start(ip, port);; at++) {
        const struct balance_endpoint *endpoint = &binding->endpoint[at & binding->endpoint_mask];
        if (!endpoint->used)
            return NULL;
        if (endpoint->port == port && sl_ip_equal(&endpoint->ip, ip))
            return endpoint;
    }
}

// The member's endpoint that a packet from this address and port comes from, NULL: none. What comes from there may be
// an answer.
static inline const struct balance_endpoint *balance_endpoint_find(const struct balance_binding *binding,
                                                                   const struct sl_ip *ip, sl_be16 port)
{
    const struct balance_endpoint *endpoint = balance_endpoint_at(binding, ip, port);

    return endpoint || port == 0 ? endpoint : balance_endpoint_at(binding, ip, 0);
}

static inline bool balance_set_has(const struct sl_ip *set, uint32_t mask, const struct sl_ip *ip)
{
    for (uint32_t at = (uint32_t)sl_balance_address_hash(ip);; at++) {
        const struct sl_ip *one = &set[at & mask];
        if (sl_ip_is_zero(one))
            return false;
        if (sl_ip_equal(one, ip))
            return true;
    }
}

// Is it an address that packets to members are sent from with full NAT?
static inline bool balance_is_source(const struct balance_binding *binding, const struct sl_ip *ip)
{
    return balance_set_has(binding->source, binding->source_mask, ip);
}

// May a tunnel go from here to there?
static inline bool balance_is_tunnel(const struct balance_binding *binding, const struct sl_ip *from,
                                     const struct sl_ip *to)
{
    return balance_set_has(binding->begin, binding->begin_mask, from) &&
           balance_set_has(binding->end, binding->end_mask, to);
}

// Is it to a service's address or from a member's, whatever the ports? Exact, where balance_concerns() is not.
static inline bool balance_has_ends(const struct balance_binding *binding, const struct sl_flow_key *key)
{
    struct sl_ip src = key->src, dst = key->dst;

    if (sl_balance_address_find(binding->table, &dst, sl_balance_address_start(binding->table, &dst)))
        return true;
    for (uint32_t at = (uint32_t)sl_balance_address_hash(&src);; at++) {
        const struct sl_ip *member = &binding->member_ip[at & binding->member_mask];
        if (sl_ip_is_zero(member) || sl_ip_equal(member, &src))
            return !sl_ip_is_zero(member);
    }
}

// The worker that a port of such an address belongs to: answers know no client.
static inline uint32_t balance_port_owner(sl_be16 port, uint32_t workers)
{
    return (uint32_t)__builtin_bswap16(port) % workers;
}

// The service that a packet with this key meets, index into service[] or SL_BALANCE_NONE. Of an ICMP error: the one of
// the packet it quotes. proto: the key's.
static inline uint32_t balance_service_of(const struct balance_binding *binding,
                                          const struct sl_flow_key *key, uint8_t proto)
{
    struct sl_ip dst = key->dst;
    bool ports = proto != 1 && proto != 58; // of ICMP and ICMPv6 they hold the identifier

    if (!balance_filter_has(binding, &dst))
        return SL_BALANCE_NONE;
    return sl_balance_service_find(binding->table, &dst, proto,
                                   ports ? (uint16_t)__builtin_bswap16(key->dport) : 0);
}

// The worker that owns the balanced flows of a client. The same in every process, as nat_owner() is, which it is for
// IPv4: a client inside whose address NAT hides has both his flows on one worker.
static inline uint32_t balance_owner(const struct sl_ip *client, uint32_t workers)
{
    if (sl_ip_is_v4(client))
        return nat_owner(client->w[3], workers);
    uint64_t mixed = sl_hash_fold(client->q[0] ^ 0x9e3779b97f4a7c15u, client->q[1] ^ 0xd6e8feb86659fd93u);
    return sl_hash_scale(mixed, workers);
}

#endif
