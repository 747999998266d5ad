// SPDX-License-Identifier: Apache-2.0
// One after another: the lookup holds the members in the order in which they get flows, once each or, with weights,
// smoothly interleaved. Each worker goes round on its own.
#include "balance/method.h"

static uint32_t pick(struct balance_choice *choice)
{
    uint32_t at = (*choice->cursor)++ % choice->lookup.size;

    return sl_balance_entry(&choice->lookup, at);
}

const struct balance_method balance_round_robin = {.pick = pick};
const struct balance_method balance_weighted_round_robin = {.pick = pick};
