// SPDX-License-Identifier: Apache-2.0
// To whoever has the fewest flows, as they are or in proportion to the weight. Where several have as few, the next in
// turn: the search begins behind the member that was chosen last.
#include "balance/method.h"

// Members looked at. A larger pool is gone through by windows of so many, or a new flow would cost what its pool has
// members.
#define WINDOW 256

struct load { // flows / weight, compared without a division
    uint64_t flows, weight;
};

static bool less(struct load a, struct load b)
{
    return a.flows * b.weight < b.flows * a.weight;
}

static uint32_t pick_by(struct balance_choice *choice, bool weighted)
{
    uint32_t size = choice->lookup.size, count = size < WINDOW ? size : WINDOW;
    uint32_t best = SL_BALANCE_NONE, start = *choice->cursor % size, found = start;
    struct load least = {1, 0};

    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = (start + i) % size, index = sl_balance_entry(&choice->lookup, at);
        const struct sl_balance_member *member = &choice->member[index];
        uint32_t weight = sl_balance_word_weight(sl_balance_word(member));
        struct load load = {balance_member_flows(choice->balance, member), weighted ? weight : 1};
        if (less(load, least) && balance_member_takes(choice, member)) {
            least = load;
            best = index;
            found = at;
        }
    }
    *choice->cursor = best == SL_BALANCE_NONE ? start + count : found + 1;
    return best;
}

static uint32_t pick(struct balance_choice *choice)
{
    return pick_by(choice, false);
}

static uint32_t pick_weighted(struct balance_choice *choice)
{
    return pick_by(choice, true);
}

const struct balance_method balance_least = {.pick = pick};
const struct balance_method balance_weighted_least = {.pick = pick_weighted};
