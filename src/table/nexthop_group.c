// SPDX-License-Identifier: Apache-2.0
// Slots of a multipath group, by weighted rendezvous hashing: each member draws for each slot an exponential variable
// with its weight as the rate, and the smallest wins. A draw depends on the member's content and the slot only, so a
// member that goes or comes touches no slot but its own. Called by control.
#include "table/nexthop_set.h"

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

uint64_t nexthop_content_hash(const struct sl_nexthop *hop)
{
    uint64_t x = mix((uint64_t)hop->port << 8 | hop->kind);

    return mix(mix(x ^ hop->gateway.q[0]) + hop->gateway.q[1]);
}

#define FRACTION 24 // bits of the fixed-point logarithm behind the point

// -log2(x / 2^32) for x in 1..2^32-1, by repeated squaring: the same on every machine.
static uint64_t minus_log2(uint32_t x)
{
    uint32_t shift = (uint32_t)__builtin_clz(x);
    uint64_t mantissa = (uint64_t)x << shift; // 1.0 is 2^31
    uint64_t log = 0;

    for (int bit = FRACTION - 1; bit >= 0; bit--) {
        mantissa = mantissa * mantissa >> 31;
        if (mantissa >> 32) {
            mantissa >>= 1;
            log |= 1ULL << bit;
        }
    }
    return ((uint64_t)(shift + 1) << FRACTION) - log;
}

static uint32_t slot_winner(const struct nexthop_group *group, const uint64_t content[SL_RIB_WAYS],
                            uint32_t slot)
{
    uint64_t best = 0;
    uint32_t winner = 0;

    for (uint32_t i = 0; i < group->count; i++) {
        uint64_t draw = minus_log2((uint32_t)(mix(content[i] + slot) >> 32) | 1);
        // draw / weight < best / weight of the winner
        if (i == 0 || draw * group->weight[winner] < best * group->weight[i]) {
            best = draw;
            winner = i;
        }
    }
    return group->member[winner];
}

void nexthop_group_fill(const struct sl_nexthop *hop, const struct nexthop_group *group,
                        uint32_t slot[SL_RIB_GROUP_SLOTS])
{
    uint64_t content[SL_RIB_WAYS];

    for (uint32_t i = 0; i < group->count; i++)
        content[i] = nexthop_content_hash(&hop[group->member[i]]);
    for (uint32_t i = 0; i < SL_RIB_GROUP_SLOTS; i++)
        slot[i] = slot_winner(group, content, i);
}
