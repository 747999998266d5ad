// SPDX-License-Identifier: Apache-2.0
// What the workers' NATs share: which worker owns which block of outside ports, and per generation a quick
// way from an outside address to what it is. Blocks are claimed by compare-and-swap, once per 64 ports, so no
// worker runs dry while another has plenty; everybody reads the owners to steer. Written by housekeeping
// (bind, unbind) and by workers (claim, release); the packet path only reads.
#ifndef NAT_SHARE_H
#define NAT_SHARE_H

#include "base/error.h"
#include "worker/tables.h"

struct nat_share;
struct nat_binding; // nat/binding.h: of one generation, hangs on struct tables

// Main thread. NULL: no memory.
struct nat_share *nat_share_new(void);
void nat_share_free(struct nat_share *share);

// Housekeeping, for each generation once its tables are checked and before any worker sees them: makes
// tables->nat_binding (also where tables->nat is NULL). The first time it also gives flows adopted from an
// earlier process their mappings and port blocks back, for all workers at once, so that none can claim a port
// that another's old flow holds. 0, or -ENOMEM or -ERANGE with a sentence: refuse the generation.
int nat_share_bind(struct nat_share *share, struct tables *tables, struct sl_error *error);

// Housekeeping, when every worker has moved on from these tables and nothing refers to them: frees the
// binding.
void nat_share_unbind(struct nat_share *share, struct tables *tables);

// The worker that owns the flows of an inside address. The same in every process and at every start, because
// session files name their flows' owner by it. Any thread.
static inline uint32_t nat_owner(sl_be32 inside, uint32_t worker_count)
{
    uint64_t mixed =
        (uint64_t)inside * 0x9e3779b97f4a7c15u; // 2^64 / golden ratio: Knuth, vol. 3, section 6.4

    mixed ^= mixed >> 32;
    return (uint32_t)(((mixed * 0xd6e8feb86659fd93u >> 32) * worker_count) >> 32);
}

#endif
