// SPDX-License-Identifier: Apache-2.0
// See prefix_set.h. Normalising keeps the fewest prefixes for the same addresses: what lies inside an earlier one
// goes, and two halves become their whole, as often as that happens. Called by control, any thread.
#include "table/prefix_set.h"

#include <errno.h>
#include <stdlib.h>
#include "table/lpm_node.h"

#define FIRST_ROOM 1024

void sl_prefix_set_fini(struct sl_prefix_set *set)
{
    free(set->item);
    *set = (struct sl_prefix_set){0};
}

int sl_prefix_set_add(struct sl_prefix_set *set, const struct sl_prefix *prefix)
{
    if (set->count == set->room) {
        size_t room = set->room ? set->room * 2 : FIRST_ROOM;
        struct sl_lpm_item *grown = realloc(set->item, room * sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        set->item = grown;
        set->room = room;
    }
    set->item[set->count++] = (struct sl_lpm_item){.prefix = *prefix, .value = 1};
    return 0;
}

// ---- normalising --------------------------------------------------------------------------------------------
static bool covers(const struct sl_prefix *outer, const struct sl_prefix *inner)
{
    return outer->len <= inner->len && sl_prefix_contains(outer, &inner->ip);
}

// Bit `len` - 1 of the prefix, counted in its own family: which half of the next larger one it is.
static uint8_t *half_byte(struct sl_prefix *prefix, uint8_t *mask)
{
    unsigned bit = prefix->len - 1u + (sl_ip_is_v4(&prefix->ip) ? 96 : 0);

    *mask = (uint8_t)(0x80 >> bit % 8);
    return &prefix->ip.b[bit / 8];
}

// Whether b is the right half beside a, the left one; then a becomes the whole.
static bool joined(struct sl_prefix *a, struct sl_prefix *b)
{
    uint8_t mask_a, mask_b;

    if (a->len != b->len || a->len == 0 || sl_ip_is_v4(&a->ip) != sl_ip_is_v4(&b->ip))
        return false;
    uint8_t *byte_a = half_byte(a, &mask_a), *byte_b = half_byte(b, &mask_b);
    if ((*byte_a & mask_a) || !(*byte_b & mask_b))
        return false;
    struct sl_ip left = b->ip;
    left.b[byte_b - b->ip.b] &= (uint8_t)~mask_b;
    if (!sl_ip_equal(&left, &a->ip))
        return false;
    a->len--;
    return true;
}

int sl_prefix_set_finish(struct sl_prefix_set *set)
{
    size_t kept = 0;

    if (sl_lpm_sort(set->item, set->count) != 0)
        return -ENOMEM;
    for (size_t i = 0; i < set->count; i++) {
        if (kept > 0 && covers(&set->item[kept - 1].prefix, &set->item[i].prefix))
            continue;
        set->item[kept++] = set->item[i];
        while (kept > 1 && joined(&set->item[kept - 2].prefix, &set->item[kept - 1].prefix))
            kept--;
    }
    set->count = kept;
    sl_lpm_plan(set->item, set->count, false, &set->plan);
    set->count_v4 = set->plan.count_v4;
    set->count_v6 = set->plan.count_v6;
    return 0;
}

uint64_t sl_prefix_set_size(const struct sl_prefix_set *set)
{
    return set->plan.blocks * SL_LPM_BLOCK;
}

int sl_prefix_set_build(const struct sl_prefix_set *set, void *blob, uint64_t size)
{
    return sl_lpm_build(set->item, set->count, &set->plan, blob, size);
}

bool sl_prefix_set_contains(const struct sl_lpm *blob, const struct sl_ip *ip)
{
    bool v4 = sl_ip_is_v4(ip);

    return sl_lpm_lookup(blob, v4 ? &blob->v4 : &blob->v6, ip->b + (v4 ? 12 : 0)) != 0;
}
