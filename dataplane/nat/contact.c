// SPDX-License-Identifier: Apache-2.0
// Whom each mapping has sent to, for pools with address-dependent filtering (RFC 4787 section 5, REQ-8): one record
// for a mapping and a remote address, counting flows, so that the question takes one lookup however many flows the
// mapping has. Called when flows are made and end and for packets from new remotes, on the worker's thread.
#include "nat/state.h"

static uint32_t contact_hash(const struct nat *nat, uint32_t mapping, sl_be32 remote)
{
    return flow_index_hash((uint32_t)sl_hash_v4(&nat->seed, remote, mapping));
}

static uint32_t contact_find(const struct nat *nat, uint32_t hash, uint32_t mapping, sl_be32 remote)
{
    struct flow_index_walk walk = flow_index_walk_start(&nat->contact_index, hash);

    for (uint32_t ref; flow_index_walk_next(&nat->contact_index, &walk, &ref);)
        if (nat->contact[ref].mapping == mapping && nat->contact[ref].remote == remote)
            return ref;
    return NAT_NONE;
}

bool nat_contact_add(struct nat *nat, uint32_t mapping, sl_be32 remote)
{
    uint32_t hash = contact_hash(nat, mapping, remote), index = contact_find(nat, hash, mapping, remote);

    if (index == NAT_NONE) {
        index = nat_stack_pop(&nat->contacts);
        if (index == NAT_NONE)
            return false;
        if (flow_index_insert(&nat->contact_index, hash, index) != 0) {
            nat_stack_push(&nat->contacts, index);
            return false;
        }
        nat->contact[index] = (struct nat_contact){.mapping = mapping, .remote = remote};
    }
    nat->contact[index].flows++;
    return true;
}

void nat_contact_drop(struct nat *nat, uint32_t mapping, sl_be32 remote)
{
    uint32_t hash = contact_hash(nat, mapping, remote), index = contact_find(nat, hash, mapping, remote);

    if (index == NAT_NONE || --nat->contact[index].flows > 0)
        return;
    flow_index_remove(&nat->contact_index, hash, index);
    nat_stack_push(&nat->contacts, index);
}

bool nat_contact_known(const struct nat *nat, uint32_t mapping, sl_be32 remote)
{
    return contact_find(nat, contact_hash(nat, mapping, remote), mapping, remote) != NAT_NONE;
}
