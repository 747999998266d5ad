// SPDX-License-Identifier: Apache-2.0
// Two entries at random, drawn by weight, and of these the member with fewer flows for its weight (Mitzenmacher, "The
// Power of Two Choices in Randomized Load Balancing", 2001): nearly as even as looking at all of them, at the price of
// two.
#include "balance/method.h"

static uint32_t draw(struct balance_choice *choice)
{
    return sl_balance_pick(&choice->lookup, balance_random(choice->balance));
}

static uint64_t flows_of(const struct balance_choice *choice, uint32_t index)
{
    return balance_member_flows(choice->balance, &choice->member[index]);
}

static uint64_t weight_of(const struct balance_choice *choice, uint32_t index)
{
    return sl_balance_word_weight(sl_balance_word(&choice->member[index]));
}

static uint32_t pick(struct balance_choice *choice)
{
    uint32_t first = draw(choice), second = draw(choice);
    uint64_t left = flows_of(choice, first) * weight_of(choice, second);
    uint64_t right = flows_of(choice, second) * weight_of(choice, first);

    return right < left ? second : first;
}

const struct balance_method balance_two_choices = {.pick = pick};
