// SPDX-License-Identifier: Apache-2.0
// Mappings and the blocks and subscribers behind them: found, made, given back. A subscriber's ports lie in blocks
// of 64 that are his alone, so a log or a limit needs a line per block, not per flow (RFC 7422 has the argument),
// and the block names the worker. Called by nat_stage and when flows end, on the worker's thread.
#include <errno.h>
#include "base/hash.h"
#include "nat/state.h"
#include "wire/headers.h"

#define PROBES_NEAR  32   // addresses tried from the subscriber's own place on
#define PROBES_ON    1024 // and from where the last search ended
#define EXHAUSTED_MS 10   // for so long a pool that was searched in vain is not searched again

uint32_t nat_mapping_by_inside(const struct nat *nat, sl_be32 inside, sl_be16 port, uint8_t proto,
                               uint16_t pool)
{
    uint32_t hash = flow_index_hash(nat_hash_inside(nat, inside, port, proto, pool));
    struct flow_index_walk walk = flow_index_walk_start(&nat->mapping_index, hash);

    for (uint32_t ref; flow_index_walk_next(&nat->mapping_index, &walk, &ref);) {
        const struct nat_mapping *m = &nat->mapping[ref >> 1];
        if (!(ref & 1) && m->inside == inside && m->inside_port == port && m->proto == proto &&
            m->pool == pool)
            return ref >> 1;
    }
    return NAT_NONE;
}

uint32_t nat_mapping_by_outside(const struct nat *nat, sl_be32 outside, sl_be16 port, uint8_t proto)
{
    uint32_t hash = flow_index_hash(nat_hash_outside(nat, outside, port, proto));
    struct flow_index_walk walk = flow_index_walk_start(&nat->mapping_index, hash);

    for (uint32_t ref; flow_index_walk_next(&nat->mapping_index, &walk, &ref);) {
        const struct nat_mapping *m = &nat->mapping[ref >> 1];
        if ((ref & 1) && m->outside == outside && m->outside_port == port && m->proto == proto)
            return ref >> 1;
    }
    return NAT_NONE;
}

// ---- subscribers --------------------------------------------------------------------------------------------
static uint32_t subscriber_find(const struct nat *nat, sl_be32 inside, uint16_t pool)
{
    uint32_t hash = flow_index_hash(nat_hash_subscriber(nat, inside, pool));
    struct flow_index_walk walk = flow_index_walk_start(&nat->subscriber_index, hash);

    for (uint32_t ref; flow_index_walk_next(&nat->subscriber_index, &walk, &ref);)
        if (nat->subscriber[ref].inside == inside && nat->subscriber[ref].pool == pool)
            return ref;
    return NAT_NONE;
}

static uint32_t subscriber_get(struct nat *nat, sl_be32 inside, uint16_t pool)
{
    uint32_t index = subscriber_find(nat, inside, pool);

    if (index != NAT_NONE)
        return index;
    index = nat_stack_pop(&nat->subscribers);
    if (index == NAT_NONE)
        return NAT_NONE;
    if (flow_index_insert(&nat->subscriber_index, nat_hash_subscriber(nat, inside, pool), index) != 0) {
        nat_stack_push(&nat->subscribers, index);
        return NAT_NONE;
    }
    nat->subscriber[index] = (struct nat_subscriber){
        .inside = inside,
        .pool = pool,
        .open = {NAT_NONE, NAT_NONE, NAT_NONE},
    };
    return index;
}

static void subscriber_drop_if_empty(struct nat *nat, uint32_t index)
{
    struct nat_subscriber *s = &nat->subscriber[index];

    if (s->blocks[SL_NAT_TCP] + s->blocks[SL_NAT_UDP] + s->blocks[SL_NAT_ICMP] != 0)
        return;
    flow_index_remove(&nat->subscriber_index, nat_hash_subscriber(nat, s->inside, s->pool), index);
    nat_stack_push(&nat->subscribers, index);
}

// ---- blocks -------------------------------------------------------------------------------------------------
static void block_link(struct nat *nat, uint32_t index)
{
    struct nat_block *block = &nat->block[index];
    uint32_t *first = &nat->subscriber[block->subscriber].open[block->proto];

    block->next = *first;
    block->prev = NAT_NONE;
    if (*first != NAT_NONE)
        nat->block[*first].prev = index;
    *first = index;
    block->open = 1;
}

static void block_unlink(struct nat *nat, uint32_t index)
{
    struct nat_block *block = &nat->block[index];

    if (block->prev != NAT_NONE)
        nat->block[block->prev].next = block->next;
    else
        nat->subscriber[block->subscriber].open[block->proto] = block->next;
    if (block->next != NAT_NONE)
        nat->block[block->next].prev = block->prev;
    block->open = 0;
}

// Claims a block on this address that has at least one port for dynamic use. Its number, -1.
static int claim_on(struct nat *nat, const struct nat_want *want, struct nat_outside *outside,
                    uint64_t *reserved)
{
    static const uint8_t ip_proto[SL_NAT_PROTOS] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP};
    const struct nat_address *address = nat_address_find(want->binding, outside->addr);
    uint32_t start = nat_block_start(nat, want->inside, want->proto);
    // Blocks that forwards take whole are passed over.
    for (uint32_t passed = 0; passed < SL_NAT_BLOCKS; passed++) {
        int number = nat_block_claim(outside, want->proto, (uint8_t)nat->worker, start);
        if (number < 0)
            return -1;
        *reserved = nat_forward_ports(want->binding, address, ip_proto[want->proto], (uint16_t)number);
        if (*reserved != ~0ull)
            return number;
        nat_block_unclaim(outside, want->proto, (uint32_t)number);
        start = ((uint32_t)number + 1) % SL_NAT_BLOCKS;
    }
    return -1;
}

static bool still_in_pool(const struct nat_want *want, const struct nat_outside *outside)
{
    const struct nat_address *address = nat_address_find(want->binding, outside->addr);

    return address != NULL && (address->roles & NAT_POOL) &&
           want->binding->pool_id[want->binding->address_pool[address->index]] == want->pool_id;
}

// Searches the pool for an address with a free block: near the subscriber's own place, so that he gets the address
// he had last time, then on from where the last search ended.
static int claim_anywhere(struct nat *nat, const struct nat_want *want, struct nat_outside **outside,
                          uint64_t *reserved)
{
    uint32_t count = want->pool->count, key = (uint32_t)want->pool_id << 2 | want->proto;
    uint32_t home = nat_home(nat, want->inside, count);

    if (nat->exhausted_key == key && want->now_ms - nat->exhausted_ms < EXHAUSTED_MS)
        return -1;
    uint32_t probes = count < PROBES_NEAR ? count : PROBES_NEAR + (count < PROBES_ON ? count : PROBES_ON);
    for (uint32_t probe = 0; probe < probes; probe++) {
        uint32_t at = probe < PROBES_NEAR ? home + probe : ++nat->cursor;
        *outside = want->binding->outside[want->pool->first + at % count];
        int number = claim_on(nat, want, *outside, reserved);
        if (number >= 0)
            return number;
    }
    nat->exhausted_key = key;
    nat->exhausted_ms = want->now_ms;
    return -1;
}

static uint32_t block_record(struct nat *nat, uint32_t subscriber, struct nat_outside *outside, uint8_t proto,
                             uint16_t number, uint64_t reserved)
{
    uint32_t index = nat_stack_pop(&nat->blocks);

    nat->block[index] = (struct nat_block){
        .used = reserved,
        .reserved = reserved,
        .outside = outside,
        .subscriber = subscriber,
        .number = number,
        .proto = proto,
    };
    nat->subscriber[subscriber].blocks[proto]++;
    nat->subscriber[subscriber].outside = outside;
    nat->blocks_allocated++;
    block_link(nat, index);
    return index;
}

// A further block for the subscriber. Its index, or as nat_mapping_new.
static int64_t block_new(struct nat *nat, const struct nat_want *want, uint32_t subscriber)
{
    struct nat_subscriber *s = &nat->subscriber[subscriber];
    struct nat_outside *outside = s->outside;
    uint64_t reserved = 0;
    int number = -1;

    if (s->blocks[want->proto] >= want->pool->blocks_per_subscriber)
        return -EDQUOT;
    if (nat->blocks.count == 0)
        return -ENFILE;
    if (outside != NULL && still_in_pool(want, outside))
        number = claim_on(nat, want, outside, &reserved);
    if (number < 0)
        number = claim_anywhere(nat, want, &outside, &reserved);
    if (number < 0)
        return -ENOSPC;
    return block_record(nat, subscriber, outside, want->proto, (uint16_t)number, reserved);
}

static void block_release(struct nat *nat, uint32_t index)
{
    struct nat_block *block = &nat->block[index];
    uint32_t subscriber = block->subscriber;

    if (block->open)
        block_unlink(nat, index);
    nat_block_unclaim(block->outside, block->proto, block->number);
    nat->subscriber[subscriber].blocks[block->proto]--;
    nat->blocks_released++;
    nat->exhausted_key = NAT_NONE;
    nat_stack_push(&nat->blocks, index);
    subscriber_drop_if_empty(nat, subscriber);
}

// ---- mappings -----------------------------------------------------------------------------------------------
static void port_take(struct nat *nat, uint32_t index, uint32_t bit)
{
    struct nat_block *block = &nat->block[index];

    block->used |= 1ull << bit;
    if (block->used == ~0ull && block->open)
        block_unlink(nat, index);
}

static void port_free(struct nat *nat, uint32_t index, uint32_t bit)
{
    struct nat_block *block = &nat->block[index];

    block->used &= ~(1ull << bit);
    if (block->used == block->reserved)
        block_release(nat, index);
    else if (!block->open)
        block_link(nat, index);
}

static int mapping_enter(struct nat *nat, uint32_t index)
{
    const struct nat_mapping *m = &nat->mapping[index];
    uint32_t inside = nat_hash_inside(nat, m->inside, m->inside_port, m->proto, m->pool);

    if (flow_index_insert(&nat->mapping_index, inside, index << 1) != 0)
        return -ENFILE;
    if (flow_index_insert(&nat->mapping_index, nat_hash_outside(nat, m->outside, m->outside_port, m->proto),
                          index << 1 | 1) == 0)
        return 0;
    flow_index_remove(&nat->mapping_index, inside, index << 1);
    return -ENFILE;
}

// Records the mapping of a block's port. Its index or -ENFILE.
static int64_t mapping_record(struct nat *nat, const struct nat_want *want, uint32_t block, uint32_t bit)
{
    uint32_t index = nat_stack_pop(&nat->mappings);

    if (index == NAT_NONE)
        return -ENFILE;
    nat->mapping[index] = (struct nat_mapping){
        .inside = want->inside,
        .inside_port = want->inside_port,
        .outside = nat->block[block].outside->addr,
        .outside_port = sl_be16_of(nat_block_port(&nat->block[block], bit)),
        .block = block,
        .pool = want->pool_id,
        .proto = want->proto,
    };
    if (mapping_enter(nat, index) != 0) {
        nat_stack_push(&nat->mappings, index);
        return -ENFILE;
    }
    port_take(nat, block, bit);
    nat->mappings_created++;
    return index;
}

// A block that was claimed for a mapping which then could not be made goes back.
void nat_block_release_if_unused(struct nat *nat, uint32_t index)
{
    if (nat->block[index].used == nat->block[index].reserved)
        block_release(nat, index);
}

int64_t nat_mapping_new(struct nat *nat, const struct nat_want *want)
{
    uint32_t subscriber = subscriber_get(nat, want->inside, want->pool_id);

    if (subscriber == NAT_NONE)
        return -ENFILE;
    int64_t block = nat->subscriber[subscriber].open[want->proto];
    if (block == NAT_NONE) {
        block = block_new(nat, want, subscriber);
        if (block < 0) {
            subscriber_drop_if_empty(nat, subscriber);
            return block;
        }
    }
    uint32_t bit = nat_port_choose(nat->block[block].used, sl_host16(want->inside_port));
    int64_t mapping = mapping_record(nat, want, (uint32_t)block, bit);
    if (mapping < 0)
        nat_block_release_if_unused(nat, (uint32_t)block);
    return mapping;
}

void nat_mapping_cancel(struct nat *nat, uint32_t index)
{
    struct nat_mapping *m = &nat->mapping[index];
    uint32_t block = m->block;

    flow_index_remove(&nat->mapping_index, nat_hash_inside(nat, m->inside, m->inside_port, m->proto, m->pool),
                      index << 1);
    flow_index_remove(&nat->mapping_index, nat_hash_outside(nat, m->outside, m->outside_port, m->proto),
                      index << 1 | 1);
    m->block = NAT_NONE;
    nat_stack_push(&nat->mappings, index);
    port_free(nat, block, sl_host16(m->outside_port) % SL_NAT_BLOCK_PORTS);
}

void nat_mapping_put(struct nat *nat, uint32_t index)
{
    if (--nat->mapping[index].flows == 0)
        nat_mapping_cancel(nat, index);
}

// ---- restoring ----------------------------------------------------------------------------------------------
static uint32_t hash_block(const struct nat *nat, const struct nat_outside *outside, uint8_t proto,
                           uint32_t number)
{
    return (uint32_t)sl_hash_v4(&nat->seed, outside->addr, 0x10000000u | (uint32_t)proto << 16 | number);
}

// The block among those restored so far, or, where it is nobody's yet, a record for it.
static int64_t block_restore(struct nat *nat, const struct nat_want *want, struct nat_outside *outside,
                             uint32_t number)
{
    uint32_t hash = flow_index_hash(hash_block(nat, outside, want->proto, number));
    struct flow_index_walk walk = flow_index_walk_start(nat->restored_blocks, hash);

    for (uint32_t ref; flow_index_walk_next(nat->restored_blocks, &walk, &ref);) {
        const struct nat_block *block = &nat->block[ref];
        const struct nat_subscriber *s = &nat->subscriber[block->subscriber];
        if (block->outside == outside && block->number == number && block->proto == want->proto)
            return s->inside == want->inside && s->pool == want->pool_id ? (int64_t)ref : -EEXIST;
    }
    const struct nat_address *address = nat_address_find(want->binding, outside->addr);
    uint32_t subscriber = subscriber_get(nat, want->inside, want->pool_id);
    if (subscriber == NAT_NONE || nat->blocks.count == 0)
        return -ENFILE;
    if (!nat_block_claim_exact(outside, want->proto, (uint8_t)nat->worker, number)) {
        subscriber_drop_if_empty(nat, subscriber);
        return -EEXIST;
    }
    uint8_t ip_proto = want->proto == SL_NAT_TCP ? IPPROTO_TCP : IPPROTO_UDP;
    uint64_t reserved = want->proto == SL_NAT_ICMP
                            ? 0
                            : nat_forward_ports(want->binding, address, ip_proto, (uint16_t)number);
    uint32_t index = block_record(nat, subscriber, outside, want->proto, (uint16_t)number, reserved);
    if (flow_index_insert(nat->restored_blocks, hash, index) != 0) {
        block_release(nat, index);
        return -ENFILE;
    }
    return index;
}

int64_t nat_mapping_restore(struct nat *nat, const struct nat_want *want, struct nat_outside *outside,
                            uint16_t port)
{
    int64_t block = block_restore(nat, want, outside, nat_block_of(port));

    if (block < 0)
        return block;
    uint32_t bit = port % SL_NAT_BLOCK_PORTS;
    if (nat->block[block].used >> bit &
        1) // another inside endpoint has it, or a forward took it in the meantime
        return -EEXIST;
    int64_t mapping = mapping_record(nat, want, (uint32_t)block, bit);
    return mapping;
}
