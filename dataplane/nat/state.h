// SPDX-License-Identifier: Apache-2.0
// What one worker's NAT remembers behind its flows: mappings (RFC 4787 section 4.1), the subscribers that hold
// them, the port blocks they lie in, and whom each mapping has spoken to. All derived from flows, all in arrays
// taken at start: as many of each as there can be flows. On the worker's thread; at adoption on housekeeping's.
#ifndef NAT_STATE_H
#define NAT_STATE_H

#include "flow/index.h"
#include "flow/table.h"
#include "nat/binding.h"
#include "nat/nat.h"

struct nat_mapping { // inside endpoint <-> outside endpoint, the same for every destination
    sl_be32 inside, outside;
    sl_be16 inside_port, outside_port; // ICMP: the identifier
    uint32_t block;                    // NAT_NONE: the record is free
    uint32_t flows;
    uint16_t pool; // id that outlives generations
    uint8_t proto; // enum sl_nat_proto
    uint8_t pad[5];
    uint32_t pad2;
};
static_assert(sizeof(struct nat_mapping) == 32, "two to a line");

struct nat_block {     // 64 ports of an outside address that a subscriber holds
    uint64_t used;     // bit per port that is mapped or reserved
    uint64_t reserved; // ports that forwards took when the block was claimed
    struct nat_outside *outside;
    uint32_t subscriber;
    uint32_t next, prev; // blocks of the subscriber with room
    uint16_t number;
    uint8_t proto;
    uint8_t open; // in that list
} __attribute__((aligned(64)));

struct nat_subscriber { // an inside address in a pool
    sl_be32 inside;
    uint16_t pool;
    uint16_t blocks[SL_NAT_PROTOS]; // it holds
    uint32_t open[SL_NAT_PROTOS];   // first of its blocks with room, NAT_NONE
    struct nat_outside *outside;    // where its next block shall be: the address it has (RFC 4787 REQ-2)
};
static_assert(sizeof(struct nat_subscriber) == 32, "two to a line");

struct nat_contact { // a remote address that a mapping has sent to: lets its packets in (RFC 4787 REQ-8)
    uint32_t mapping;
    sl_be32 remote;
    uint32_t flows;
};

struct nat_stack { // free records of an array
    uint32_t *free;
    uint32_t count;
};

struct nat {
    struct nat_share *share;
    struct flow_table *flows;
    struct sl_hash_seed seed;
    uint32_t worker, worker_count, capacity;
    struct nat_mapping *mapping;
    struct nat_block *block;
    struct nat_subscriber *subscriber;
    struct nat_contact *contact;
    struct nat_stack mappings, blocks, subscribers, contacts; // free ones
    struct flow_index mapping_index;    // reference: mapping << 1 | (0: by inside, 1: by outside)
    struct flow_index subscriber_index; // reference: subscriber
    struct flow_index contact_index;    // reference: contact
    uint32_t cursor;                    // where the last search for an outside address ended
    uint64_t blocks_allocated, blocks_released, mappings_created; // for the worker's counters
    uint32_t exhausted_ms;              // when a whole pool was searched in vain ...
    uint32_t exhausted_key;             // ... which one: pool id << 2 | protocol, NAT_NONE: none
    struct flow_index *restored_blocks; // during adoption: by outside address, protocol and number
};

struct nat_want { // a mapping wanted
    const struct nat_binding *binding;
    const struct sl_nat_pool *pool;
    uint16_t pool_id;
    uint8_t proto; // enum sl_nat_proto
    sl_be32 inside;
    sl_be16 inside_port;
    uint32_t now_ms;
};

static inline uint32_t nat_hash_inside(const struct nat *nat, sl_be32 inside, sl_be16 port, uint8_t proto,
                                       uint16_t pool)
{
    return (uint32_t)sl_hash_v4(&nat->seed, inside, (uint32_t)pool << 18 | (uint32_t)proto << 16 | port);
}

static inline uint32_t nat_hash_outside(const struct nat *nat, sl_be32 outside, sl_be16 port, uint8_t proto)
{
    return (uint32_t)sl_hash_v4(&nat->seed, outside, 0x80000000u | (uint32_t)proto << 16 | port);
}

static inline uint32_t nat_hash_subscriber(const struct nat *nat, sl_be32 inside, uint16_t pool)
{
    return (uint32_t)sl_hash_v4(&nat->seed, inside, 0x40000000u | pool);
}

// Which of a block's ports to give: the inside port's own low six bits where they are free, which also keeps its
// parity; else one of its parity (RFC 4787 REQ-4); else any. `used` has a bit clear.
static inline uint32_t nat_port_choose(uint64_t used, uint16_t inside_port)
{
    uint64_t same = ~used & (0x5555555555555555ull << (inside_port & 1));

    if (!(used >> (inside_port % SL_NAT_BLOCK_PORTS) & 1))
        return inside_port % SL_NAT_BLOCK_PORTS;
    return (uint32_t)__builtin_ctzll(same ? same : ~used);
}

static inline uint16_t nat_block_port(const struct nat_block *block, uint32_t bit)
{
    return (uint16_t)(SL_NAT_FIRST_PORT + block->number * SL_NAT_BLOCK_PORTS + bit);
}

// Where in a pool of `count` addresses the search for a subscriber's address begins, and where on an address the
// search for his block: nobody outside can guess either (RFC 6056), and he gets the same address as last time.
static inline uint32_t nat_home(const struct nat *nat, sl_be32 inside, uint32_t count)
{
    return sl_hash_scale(sl_hash_v4(&nat->seed, inside, 0), count);
}

static inline uint32_t nat_block_start(const struct nat *nat, sl_be32 inside, uint8_t proto)
{
    return sl_hash_scale(sl_hash_v4(&nat->seed, inside, 1u + proto), SL_NAT_BLOCKS);
}

// NAT_NONE where there is none.
uint32_t nat_mapping_by_inside(const struct nat *nat, sl_be32 inside, sl_be16 port, uint8_t proto,
                               uint16_t pool);
uint32_t nat_mapping_by_outside(const struct nat *nat, sl_be32 outside, sl_be16 port, uint8_t proto);

// Makes a mapping with no flow yet: a port of a block the subscriber holds, or of a new block. Its index, -ENOSPC:
// every block of the pool is taken, -EDQUOT: the subscriber holds as many as it may, -ENFILE: no record left.
int64_t nat_mapping_new(struct nat *nat, const struct nat_want *want);
// As nat_mapping_new, with the very outside endpoint: adoption. -EEXIST: the port is taken.
int64_t nat_mapping_restore(struct nat *nat, const struct nat_want *want, struct nat_outside *outside,
                            uint16_t port);
// One flow less; the last one frees the port, the last port the block, the last block the subscriber.
void nat_mapping_put(struct nat *nat, uint32_t mapping);
// Frees a mapping that never had a flow.
void nat_mapping_cancel(struct nat *nat, uint32_t mapping);
// Gives a block back that holds no mapping.
void nat_block_release_if_unused(struct nat *nat, uint32_t block);

// share.c: the share rebuilds what is registered; NULL takes it out. Main thread.
void nat_share_register(struct nat_share *share, uint32_t worker, struct nat *nat);

// One flow more of the mapping to this remote address. False: no record left, it is not counted.
bool nat_contact_add(struct nat *nat, uint32_t mapping, sl_be32 remote);
void nat_contact_drop(struct nat *nat, uint32_t mapping, sl_be32 remote);
bool nat_contact_known(const struct nat *nat, uint32_t mapping, sl_be32 remote);

static inline uint32_t nat_stack_pop(struct nat_stack *stack)
{
    return stack->count > 0 ? stack->free[--stack->count] : NAT_NONE;
}

static inline void nat_stack_push(struct nat_stack *stack, uint32_t index)
{
    stack->free[stack->count++] = index;
}

#endif
