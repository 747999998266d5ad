// SPDX-License-Identifier: Apache-2.0
// How a pool's member is chosen for a new flow: a small file each, behind one table of functions. On the worker's
// thread.
#ifndef BALANCE_METHOD_H
#define BALANCE_METHOD_H

#include "balance/state.h"

struct balance_choice {
    struct balance *balance;
    const struct balance_binding *binding;
    const struct sl_balance_pool *pool;
    const struct sl_balance_member *member; // the pool's first
    struct sl_balance_lookup lookup;        // not empty while a method runs
    uint32_t *cursor;                       // of this worker and pool: for methods that go round
    uint64_t hash;                          // what methods that hash go by: of the flow or of its client
    struct sl_ip client;
};

struct balance_method {
    // A member for the flow, index within its pool; SL_BALANCE_NONE: none that may have it. Asked again where the
    // answer cannot be used: gives another one then, as far as there are.
    uint32_t (*pick)(struct balance_choice *choice);
    bool hashes; // the same on every gateway and at any time: a connection's midst finds its member
    bool by_source;
};

extern const struct balance_method balance_maglev, balance_source_hash;               // maglev.c
extern const struct balance_method balance_round_robin, balance_weighted_round_robin; // round_robin.c
extern const struct balance_method balance_least, balance_weighted_least;             // least.c
extern const struct balance_method balance_two_choices;                               // two_choices.c

const struct balance_method *balance_method_of(const struct sl_balance_pool *pool);

// The member for a flow: key as the client's packets arrive, proto the key's. NULL: nobody is eligible. A member that
// has as many flows as it may is passed over and counts it, and so is the client himself. again: the same is asked for
// so many times, because the answers could not be used.
const struct sl_balance_member *balance_choose(struct balance *balance, const struct balance_binding *binding,
                                               const struct sl_balance_pool *pool,
                                               const struct sl_flow_key *key, uint8_t proto, uint32_t again);

// May this member get the flow?
bool balance_member_takes(const struct balance_choice *choice, const struct sl_balance_member *member);

// Flows a member has of this worker's. Workers own equal shares of the clients, so what is even on each is even over
// all, and nobody reads what another core writes at every packet.
static inline uint32_t balance_member_flows(const struct balance *balance,
                                            const struct sl_balance_member *member)
{
    return balance_member_count(balance, member->slot)->flows_now;
}

#endif
