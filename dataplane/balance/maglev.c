// SPDX-License-Identifier: Apache-2.0
// By hash: the entry of a maglev table (Eisenbud et al., "Maglev", NSDI 2016) that the flow's hash names, or that of
// its client's address. No state: every gateway with the same members chooses the same, today and tomorrow.
#include "balance/method.h"

static uint32_t pick(struct balance_choice *choice)
{
    uint32_t index = sl_balance_pick(&choice->lookup, choice->hash);

    choice->hash = sl_balance_rehash(choice->hash);
    return index;
}

const struct balance_method balance_maglev = {.pick = pick, .hashes = true};
const struct balance_method balance_source_hash = {.pick = pick, .hashes = true, .by_source = true};
