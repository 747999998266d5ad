// SPDX-License-Identifier: Apache-2.0
// Reading the balance table, once it has passed sl_balance_table_check(): which service a packet is for, and which
// member a new flow of it gets. Workers (a burst in stages: start and prefetch for all, then find for all), ctl's
// explain; any thread, while control updates in place.
//
//   uint32_t start = sl_balance_address_start(table, &dst);          // stage 1, and sl_balance_address_prefetch()
//   address = sl_balance_address_find(table, &dst, start);           // stage 2: NULL for nearly every packet that is routed
//   service = sl_balance_rule_find(table, address, proto, dport);    // stage 3: index, SL_BALANCE_NONE
//   lookup = sl_balance_lookup(table, pool);                         // once a choice
//   member = sl_balance_pick(&lookup, sl_balance_flow_hash(table, &key, proto));
#ifndef SL_TABLE_BALANCE_READ_H
#define SL_TABLE_BALANCE_READ_H

#include <stdbool.h>
#include "base/hash.h"
#include "shm/layout.h"

// ---- arrays -------------------------------------------------------------------------------------------------
static inline const void *sl_balance_at(const struct sl_balance_table *table, uint64_t offset)
{
    return (const uint8_t *)table + offset;
}

static inline const struct sl_balance_service *sl_balance_services(const struct sl_balance_table *table)
{
    return sl_balance_at(table, table->service_offset);
}

static inline const struct sl_balance_pool *sl_balance_pools(const struct sl_balance_table *table)
{
    return sl_balance_at(table, table->pool_offset);
}

static inline const struct sl_balance_member *sl_balance_members(const struct sl_balance_table *table)
{
    return sl_balance_at(table, table->member_offset);
}

static inline const struct sl_ip *sl_balance_sources(const struct sl_balance_table *table)
{
    return sl_balance_at(table, table->source_offset);
}

static inline const struct sl_balance_rule *sl_balance_rules(const struct sl_balance_table *table)
{
    return sl_balance_at(table, table->rule_offset);
}

static inline const struct sl_balance_address *sl_balance_addresses(const struct sl_balance_table *table)
{
    return sl_balance_at(table, table->address_offset);
}

// By slot, as flows and counters name them. NULL: the table has none of that slot (any more).
static inline const struct sl_balance_service *
sl_balance_service_by_slot(const struct sl_balance_table *table, uint32_t slot)
{
    const uint32_t *index = sl_balance_at(table, table->service_by_slot_offset);

    if (slot >= table->service_slots || index[slot] == SL_BALANCE_NONE)
        return NULL;
    return &sl_balance_services(table)[index[slot]];
}

static inline const struct sl_balance_member *sl_balance_member_by_slot(const struct sl_balance_table *table,
                                                                        uint32_t slot)
{
    const uint32_t *index = sl_balance_at(table, table->member_by_slot_offset);

    if (slot >= table->member_slots || index[slot] == SL_BALANCE_NONE)
        return NULL;
    return &sl_balance_members(table)[index[slot]];
}

// ---- which service ------------------------------------------------------------------------------------------
// Addresses come from the config, so nobody can aim at a slot: no secret in the hash.
static inline uint64_t sl_balance_address_hash(const struct sl_ip *ip)
{
    return sl_hash_fold(ip->q[0] ^ 0x9e3779b97f4a7c15u, ip->q[1] ^ 0xd1b54a32d192ed03u);
}

// The slot where the search for an address begins: for a prefetch ahead.
static inline uint32_t sl_balance_address_start(const struct sl_balance_table *table, const struct sl_ip *ip)
{
    return (uint32_t)sl_balance_address_hash(ip) & (table->address_slots - 1);
}

static inline void sl_balance_address_prefetch(const struct sl_balance_table *table, uint32_t start)
{
    __builtin_prefetch(&sl_balance_addresses(table)[start]);
}

// What is known of an address, NULL: it is no service's. At most one slot in four is used, so this ends.
static inline const struct sl_balance_address *sl_balance_address_find(const struct sl_balance_table *table,
                                                                       const struct sl_ip *ip, uint32_t start)
{
    const struct sl_balance_address *address = sl_balance_addresses(table);

    for (uint32_t at = start; address[at].used; at = (at + 1) & (table->address_slots - 1))
        if (sl_ip_equal(&address[at].ip, ip))
            return &address[at];
    return NULL;
}

// The service that a packet to this address meets, index into service[], or SL_BALANCE_NONE. `port` is the destination
// port in host byte order, 0 for protocols that have none.
static inline uint32_t sl_balance_rule_find(const struct sl_balance_table *table,
                                            const struct sl_balance_address *address, uint8_t proto,
                                            uint16_t port)
{
    const struct sl_balance_rule *rule = sl_balance_rules(table) + address->rule_first;
    uint32_t key = (uint32_t)proto << 16 | port, low = 0;

    // The last rule that begins at or before the key; the comparison turns into a conditional move.
    for (uint32_t count = address->rule_count; count > 1;) {
        uint32_t half = count / 2;
        low = rule[low + half].key <= key ? low + half : low;
        count -= half;
    }
    if (address->rule_count > 0 && rule[low].key <= key && rule[low].key >> 16 == proto &&
        port <= rule[low].last)
        return rule[low].service;
    return address->all;
}

// A rule of this address that holds any of these ports, NULL: none. For those who compare tables, not for packets.
static inline const struct sl_balance_rule *sl_balance_rule_meets(const struct sl_balance_table *table,
                                                                  const struct sl_ip *ip, uint8_t proto,
                                                                  uint16_t first, uint16_t last)
{
    const struct sl_balance_address *address =
        sl_balance_address_find(table, ip, sl_balance_address_start(table, ip));

    for (uint32_t i = 0; address && i < address->rule_count; i++) {
        const struct sl_balance_rule *rule = &sl_balance_rules(table)[address->rule_first + i];
        if (rule->key >> 16 == proto && (uint16_t)rule->key <= last && rule->last >= first)
            return rule;
    }
    return NULL;
}

// All of it at once.
static inline uint32_t sl_balance_service_find(const struct sl_balance_table *table, const struct sl_ip *ip,
                                               uint8_t proto, uint16_t port)
{
    const struct sl_balance_address *address =
        sl_balance_address_find(table, ip, sl_balance_address_start(table, ip));

    return address ? sl_balance_rule_find(table, address, proto, port) : SL_BALANCE_NONE;
}

// ---- which member -------------------------------------------------------------------------------------------
// Of the key as the client's packets arrive. The same on every gateway with the same seed.
static inline uint64_t sl_balance_flow_hash(const struct sl_balance_table *table,
                                            const struct sl_flow_key *key, uint8_t proto)
{
    return sl_hash_key((const struct sl_hash_seed *)table->hash_key, key, proto);
}

static inline uint64_t sl_balance_source_hash(const struct sl_balance_table *table,
                                              const struct sl_ip *client)
{
    return sl_hash_ip((const struct sl_hash_seed *)table->hash_key, client);
}

struct
    sl_balance_lookup { // what is in force of a pool: take it for a choice, or for those of a burst; not for longer
    const uint16_t
        *entry; // [size]: index of a member within its pool. Control may be storing to it: sl_balance_entry()
    uint32_t size; // 0: nobody is eligible
};

static inline struct sl_balance_lookup sl_balance_lookup(const struct sl_balance_table *table,
                                                         const struct sl_balance_pool *pool)
{
    return (struct sl_balance_lookup){
        .entry = sl_balance_at(table, pool->lookup_offset),
        .size = __atomic_load_n(&pool->lookup_size, __ATOMIC_ACQUIRE),
    };
}

static inline uint32_t sl_balance_entry(const struct sl_balance_lookup *lookup, uint32_t at)
{
    return __atomic_load_n(&lookup->entry[at], __ATOMIC_RELAXED);
}

// Member by hash (maglev, source hash), index within the pool; SL_BALANCE_NONE: nobody is eligible.
static inline uint32_t sl_balance_pick(const struct sl_balance_lookup *lookup, uint64_t hash)
{
    return lookup->size ? sl_balance_entry(lookup, sl_hash_scale(hash, lookup->size)) : SL_BALANCE_NONE;
}

// A member's word, to be looked at once: state and effective weight belong together.
static inline uint32_t sl_balance_word(const struct sl_balance_member *member)
{
    return __atomic_load_n(&member->word, __ATOMIC_RELAXED);
}

static inline enum sl_balance_state sl_balance_word_state(uint32_t word)
{
    return (enum sl_balance_state)(word >> 16);
}

static inline uint32_t sl_balance_word_weight(uint32_t word)
{
    return word & 0xffff;
}

// May it get new flows? The word changes before the lookup does, so for some microseconds an entry may name a member
// that may not: whoever cares takes another entry (hash methods: sl_balance_pick() with sl_balance_rehash()).
static inline bool sl_balance_word_eligible(uint32_t word)
{
    return sl_balance_word_state(word) == SL_BALANCE_UP && sl_balance_word_weight(word) > 0;
}

// Another hash for the same flow, the same on every gateway.
static inline uint64_t sl_balance_rehash(uint64_t hash)
{
    return sl_hash_fold(hash ^ 0xa0761d6478bd642fu, 0xe7037ed1a0b428dbu);
}

#endif
