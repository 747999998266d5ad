// SPDX-License-Identifier: Apache-2.0
// Choosing a member: the method proposes, what the member's state and limits say decides. For new flows, on the
// worker's thread.
#include "balance/method.h"

#define PROPOSALS 16   // of the method, before its lookup is gone through entry by entry
#define ENTRIES   1024 // and so many of these

static const struct balance_method *const methods[SL_BALANCE_METHODS] = {
    [SL_BALANCE_MAGLEV] = &balance_maglev,
    [SL_BALANCE_ROUND_ROBIN] = &balance_round_robin,
    [SL_BALANCE_WEIGHTED_ROUND_ROBIN] = &balance_weighted_round_robin,
    [SL_BALANCE_LEAST] = &balance_least,
    [SL_BALANCE_WEIGHTED_LEAST] = &balance_weighted_least,
    [SL_BALANCE_SOURCE_HASH] = &balance_source_hash,
    [SL_BALANCE_TWO_CHOICES] = &balance_two_choices,
};

const struct balance_method *balance_method_of(const struct sl_balance_pool *pool)
{
    return methods[pool->method];
}

// The one number that is summed over all workers: only for members that have a limit.
static bool below_limit(const struct balance *balance, const struct sl_balance_member *member)
{
    uint32_t flows = 0;

    for (uint32_t worker = 0; worker < balance->workers; worker++)
        flows +=
            __atomic_load_n(&sl_balance_member_counters(balance->counters, worker, member->slot)->flows_now,
                            __ATOMIC_RELAXED);
    return flows < member->flow_limit;
}

bool balance_member_takes(const struct balance_choice *choice, const struct sl_balance_member *member)
{
    const struct balance *balance = choice->balance;

    if (!sl_balance_word_eligible(sl_balance_word(member)) || sl_ip_equal(&member->ip, &choice->client))
        return false;
    if (likely(member->flow_limit == 0) || below_limit(balance, member))
        return true;
    balance_member_count(balance, member->slot)->limited++;
    return false;
}

// What the method would not name: the next entries of its lookup. From where the hash says, so that those who are
// turned away from one member do not all go to the next.
static const struct sl_balance_member *any_entry(const struct balance_choice *choice)
{
    uint32_t size = choice->lookup.size, at = sl_hash_scale(choice->hash, size);
    uint32_t last = SL_BALANCE_NONE;

    for (uint32_t looked = 0; looked < size && looked < ENTRIES; looked++) {
        uint32_t index = sl_balance_entry(&choice->lookup, at);
        if (index != last && balance_member_takes(choice, &choice->member[index]))
            return &choice->member[index];
        last = index;
        at = at + 1 < size ? at + 1 : 0;
    }
    return NULL;
}

const struct sl_balance_member *balance_choose(struct balance *balance, const struct balance_binding *binding,
                                               const struct sl_balance_pool *pool,
                                               const struct sl_flow_key *key, uint8_t proto, uint32_t again)
{
    const struct sl_balance_table *table = binding->table;
    const struct balance_method *method = methods[pool->method];
    uint32_t pool_index = (uint32_t)(pool - sl_balance_pools(table));
    struct balance_choice choice = {
        .balance = balance,
        .binding = binding,
        .pool = pool,
        .member = &sl_balance_members(table)[pool->first],
        .lookup = sl_balance_lookup(table, pool),
        .cursor = &binding->cursor[balance->worker * table->pool_count + pool_index],
        .client = key->src,
    };

    choice.hash = method->by_source ? sl_balance_source_hash(table, &choice.client)
                                    : sl_balance_flow_hash(table, key, proto);
    if (choice.lookup.size == 0)
        return NULL;
    for (; again > 0; again--)
        choice.hash = sl_balance_rehash(choice.hash);
    for (int proposal = 0; proposal < PROPOSALS; proposal++) {
        uint32_t index = method->pick(&choice);
        if (index == SL_BALANCE_NONE)
            break;
        if (likely(balance_member_takes(&choice, &choice.member[index])))
            return &choice.member[index];
    }
    return any_entry(&choice);
}
