// SPDX-License-Identifier: Apache-2.0
// A client's connections as numbers: tuple t stands for one choice of server address, server port, client address and
// client port, like the digits of a number with mixed radix, the first turning fastest. Slot s of the connection table
// takes the tuples s, s + slots, s + 2 * slots, ... in turn, so the slot of an arriving segment is its tuple modulo the
// slots: no table is searched, and a tuple rests as long as can be before it is used again. Pure.
#ifndef STATEFUL_TUPLE_H
#define STATEFUL_TUPLE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/ip.h"

struct endpoint_range {
    struct sl_ip first;
    uint32_t addresses; // that differ in their last 32 bits; at least 1
    uint16_t port;      // the first, host byte order
    uint32_t ports;     // at least 1
};

struct divisor { // of 32-bit numbers; Lemire, Kaser, Kurz: "Faster remainder by direct computation", 2019
    uint64_t magic;
    uint32_t by;
};

struct tuple_space {
    struct divisor server_addresses, server_ports, client_addresses, slots;
    uint32_t laps; // how many tuples each slot has
};

struct tuple { // indices into the ranges
    uint32_t server_address, server_port, client_address, client_port;
};

static inline struct divisor divisor_make(uint32_t by)
{
    return (struct divisor){by > 1 ? UINT64_MAX / by + 1 : 0, by};
}

static inline uint32_t divisor_modulo(struct divisor d, uint32_t value)
{
    uint64_t fraction = d.magic * value;
    return (uint32_t)(((unsigned __int128)fraction * d.by) >> 64);
}

// The last digit of *value, which it is taken from.
static inline uint32_t divisor_digit(struct divisor d, uint32_t *value)
{
    if (d.by == 1)
        return 0;
    uint32_t quotient = (uint32_t)(((unsigned __int128)d.magic * *value) >> 64);
    uint32_t digit = *value - quotient * d.by;
    *value = quotient;
    return digit;
}

// How many tuples two ranges make, up to the 2^32 - 1 that are used.
static inline uint32_t tuple_count(const struct endpoint_range *client, const struct endpoint_range *server)
{
    unsigned __int128 all = (unsigned __int128)client->addresses * client->ports;
    all *= (uint64_t)server->addresses * server->ports;
    return all < UINT32_MAX ? (uint32_t)all : UINT32_MAX;
}

// `slots` is not above tuple_count().
static inline struct tuple_space tuple_space_make(const struct endpoint_range *client,
                                                  const struct endpoint_range *server, uint32_t slots)
{
    return (struct tuple_space){
        .server_addresses = divisor_make(server->addresses),
        .server_ports = divisor_make(server->ports),
        .client_addresses = divisor_make(client->addresses),
        .slots = divisor_make(slots),
        .laps = tuple_count(client, server) / slots,
    };
}

static inline struct tuple tuple_split(const struct tuple_space *space, uint32_t number)
{
    struct tuple t;
    t.server_address = divisor_digit(space->server_addresses, &number);
    t.server_port = divisor_digit(space->server_ports, &number);
    t.client_address = divisor_digit(space->client_addresses, &number);
    t.client_port = number;
    return t;
}

static inline uint64_t tuple_join(const struct tuple_space *space, const struct tuple *t)
{
    uint64_t number = (uint64_t)t->client_port * space->client_addresses.by + t->client_address;
    number = number * space->server_ports.by + t->server_port;
    return number * space->server_addresses.by + t->server_address;
}

// The digits of an address and port, false where they are not in the range.
static inline bool endpoint_find(const struct endpoint_range *range, const struct sl_ip *ip, uint16_t port,
                                 uint32_t *address_index, uint32_t *port_index)
{
    *address_index = __builtin_bswap32(ip->w[3]) - __builtin_bswap32(range->first.w[3]);
    *port_index = (uint32_t)port - range->port;
    return ip->q[0] == range->first.q[0] && ip->w[2] == range->first.w[2] &&
           *address_index < range->addresses && *port_index < range->ports;
}

// ---- shares of a range, one to a worker: of its ports or, where these are fewer, of its addresses ----
static inline bool endpoint_share_by_ports(const struct endpoint_range *range, uint32_t shares)
{
    return range->ports >= shares;
}

static inline uint32_t share_begin(uint32_t count, uint32_t shares, uint32_t share)
{
    return (uint32_t)((uint64_t)count * share / shares);
}

// How many shares a range can make, up to `most`.
static inline uint32_t endpoint_shares(const struct endpoint_range *range, uint32_t most)
{
    uint32_t all = range->ports > range->addresses ? range->ports : range->addresses;
    return all < most ? all : most;
}

// `shares` as endpoint_shares() allows.
static inline struct endpoint_range endpoint_share(const struct endpoint_range *range, uint32_t shares,
                                                   uint32_t share)
{
    struct endpoint_range part = *range;
    bool by_ports = endpoint_share_by_ports(range, shares);
    uint32_t count = by_ports ? range->ports : range->addresses;
    uint32_t begin = share_begin(count, shares, share), end = share_begin(count, shares, share + 1);
    if (by_ports) {
        part.port = (uint16_t)(range->port + begin);
        part.ports = end - begin;
    } else {
        part.first.w[3] = __builtin_bswap32(__builtin_bswap32(range->first.w[3]) + begin);
        part.addresses = end - begin;
    }
    return part;
}

// The share that an address and port of the range, as indices into it, are in.
static inline uint32_t endpoint_share_of(const struct endpoint_range *range, uint32_t shares,
                                         uint32_t address_index, uint32_t port_index)
{
    bool by_ports = endpoint_share_by_ports(range, shares);
    uint64_t index = by_ports ? port_index : address_index,
             count = by_ports ? range->ports : range->addresses;
    return (uint32_t)(((index + 1) * shares - 1) / count);
}

static inline struct sl_ip endpoint_address(const struct endpoint_range *range, uint32_t index)
{
    struct sl_ip ip = range->first;
    ip.w[3] = __builtin_bswap32(__builtin_bswap32(ip.w[3]) + index);
    return ip;
}

#endif
