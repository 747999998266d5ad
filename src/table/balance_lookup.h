// SPDX-License-Identifier: Apache-2.0
// What the builders of lookups share. Private to src/table. Control, one thread.
#ifndef SL_TABLE_BALANCE_LOOKUP_H
#define SL_TABLE_BALANCE_LOOKUP_H

#include "table/balance_table.h"

struct balance_candidate { // a member that may get new flows
    struct sl_ip ip;
    uint32_t weight; // above 0
    uint16_t port;
    uint16_t member; // index within the pool
};

struct balance_candidates {
    struct balance_candidate *list; // [count], in the order of the pool
    uint32_t count;
    uint64_t weights; // sum
    // A weight like those of the pool's members, eligible or not: what must not change because some of them are not.
    uint32_t usual_weight;
};

#define BALANCE_SIZE_LEAST 10000 // of a maglev table

// Fills entry[size]. 0 or -ENOMEM. `capacity_members` is what the size was chosen for
// (members in the pool, eligible or not): it decides how far above its share a member may get.
int balance_maglev_fill(const struct balance_candidates *candidates, uint32_t capacity_members,
                        uint16_t *entry, uint32_t size);

#endif
