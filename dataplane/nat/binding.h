// SPDX-License-Identifier: Apache-2.0
// A generation's NAT table made quick: from an address to all it is (pool address, 1:1 either side, forward either
// side), from a pool address to its port blocks. Made by housekeeping (share.c), constant afterwards except for the
// port blocks; read by workers.
#ifndef NAT_BINDING_H
#define NAT_BINDING_H

#include <stdbool.h>
#include "shm/layout.h"
#include "table/flow_read.h"

#define NAT_NOBODY   0xff // owner of a free block
#define NAT_NO_BLOCK 0xfe // owner of what is no block: fills the array up
#define NAT_OWNERS   1024 // SL_NAT_BLOCKS, rounded up so that 32 can be compared at once
#define NAT_NONE     UINT32_MAX

// The port blocks of one outside address. Lives as long as the process.
struct nat_outside {
    sl_be32 addr;
    uint32_t spare[SL_NAT_PROTOS]; // free blocks. w: claimers, atomic  r: all
    // Worker, or NAT_NOBODY. w: claimers, compare-and-swap  r: all
    uint8_t owner[SL_NAT_PROTOS][NAT_OWNERS] __attribute__((aligned(64)));
};

enum nat_role {
    NAT_POOL = 1 << 0,
    NAT_STATIC_OUTSIDE = 1 << 1,
    NAT_STATIC_INSIDE = 1 << 2,
    NAT_FORWARD_OUTSIDE = 1 << 3,
    NAT_FORWARD_INSIDE = 1 << 4,
};

struct nat_address { // all that one address is
    sl_be32 addr;
    uint32_t roles;         // enum nat_role, 0: the slot is free
    uint32_t index;         // NAT_POOL: in the table's address[]
    sl_be32 partner;        // of a 1:1: the address on the other side
    uint32_t forward_first; // NAT_FORWARD_OUTSIDE: its forwards stand together
    uint32_t forward_count;
};

struct nat_binding {
    const struct sl_nat_table *table; // NULL: no NAT configured
    struct nat_address *address;      // open addressing, linear probing
    uint32_t mask;
    uint64_t outside_ports;       // bit per port slot that a source rule names
    struct nat_outside **outside; // [table->address_count]
    uint16_t *address_pool;       // [table->address_count] index of the pool it is in
    uint16_t *pool_id;            // [table->pool_count] the same number for the same name in every generation
};

static inline const struct sl_nat_pool *nat_pools(const struct sl_nat_table *table)
{
    return (const void *)((const uint8_t *)table + table->pool_offset);
}

static inline const struct sl_nat_source *nat_sources(const struct sl_nat_table *table)
{
    return (const void *)((const uint8_t *)table + table->source_offset);
}

static inline const struct sl_nat_forward *nat_forwards(const struct sl_nat_table *table)
{
    return (const void *)((const uint8_t *)table + table->forward_offset);
}

static inline uint32_t nat_address_hash(sl_be32 addr)
{
    uint64_t mixed = (uint64_t)addr * 0x9e3779b97f4a7c15u;

    return (uint32_t)(mixed >> 32);
}

// All that an address is, NULL: nothing.
static inline const struct nat_address *nat_address_find(const struct nat_binding *binding, sl_be32 addr)
{
    for (uint32_t at = nat_address_hash(addr);; at++) {
        const struct nat_address *address = &binding->address[at & binding->mask];
        if (address->roles == 0)
            return NULL;
        if (address->addr == addr)
            return address;
    }
}

// The forward that a packet to this address, protocol and port (host byte order) meets, NULL: none.
const struct sl_nat_forward *nat_forward_find(const struct nat_binding *binding,
                                              const struct nat_address *address, uint8_t proto,
                                              uint16_t port);
// Ports of a block that forwards of the address take: bit per port.
uint64_t nat_forward_ports(const struct nat_binding *binding, const struct nat_address *address,
                           uint8_t proto, uint16_t block);
// The source rule for an inside address (network byte order) on its way out of a port; port UINT16_MAX: any.
const struct sl_nat_source *nat_source_find(const struct nat_binding *binding, sl_be32 inside, uint16_t port);

// Makes a binding but for `outside`; NULL: no memory. Housekeeping.
struct nat_binding *nat_binding_new(const struct sl_nat_table *table);
void nat_binding_free(struct nat_binding *binding);

// ---- port blocks ---------------------------------------------------------------------------------------------
static inline uint32_t nat_block_of(uint16_t port)
{
    return (port - SL_NAT_FIRST_PORT) / SL_NAT_BLOCK_PORTS;
}

// The worker a port of the address belongs to, NAT_NOBODY. port in host byte order.
static inline uint8_t nat_port_owner(const struct nat_outside *outside, enum sl_nat_proto proto,
                                     uint16_t port)
{
    if (port < SL_NAT_FIRST_PORT)
        return NAT_NOBODY;
    return __atomic_load_n(&outside->owner[proto][nat_block_of(port)], __ATOMIC_RELAXED);
}

struct nat_outside *nat_outside_new(sl_be32 addr);
// The first free block from `start` on, round the end; -1: none.
int nat_block_free_from(const struct nat_outside *outside, enum sl_nat_proto proto, uint32_t start);
// Claims a free block, searching from `start` on. Its number, -1: none is free. Any worker.
int nat_block_claim(struct nat_outside *outside, enum sl_nat_proto proto, uint8_t worker, uint32_t start);
// Claims this very block. False: it is another worker's.
bool nat_block_claim_exact(struct nat_outside *outside, enum sl_nat_proto proto, uint8_t worker,
                           uint32_t block);
void nat_block_unclaim(struct nat_outside *outside, enum sl_nat_proto proto, uint32_t block);

static inline int nat_proto_of(uint8_t ip_proto) // enum sl_nat_proto, -1: none
{
    return ip_proto == 6 ? SL_NAT_TCP : ip_proto == 17 ? SL_NAT_UDP : ip_proto == 1 ? SL_NAT_ICMP : -1;
}

#endif
