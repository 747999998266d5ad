// SPDX-License-Identifier: Apache-2.0
// Port blocks of an outside address: claimed and given back by compare-and-swap, so several workers may draw from
// one address. Called by workers when a subscriber needs 64 more ports, and at adoption by housekeeping.
#include <immintrin.h>
#include <stdlib.h>
#include <string.h>
#include "nat/binding.h"

struct nat_outside *nat_outside_new(sl_be32 addr)
{
    struct nat_outside *outside = aligned_alloc(64, sizeof(*outside));

    if (outside == NULL)
        return NULL;
    memset(outside, 0, sizeof(*outside));
    outside->addr = addr;
    for (int proto = 0; proto < SL_NAT_PROTOS; proto++) {
        outside->spare[proto] = SL_NAT_BLOCKS;
        memset(outside->owner[proto], NAT_NOBODY, SL_NAT_BLOCKS);
        memset(outside->owner[proto] + SL_NAT_BLOCKS, NAT_NO_BLOCK, NAT_OWNERS - SL_NAT_BLOCKS);
    }
    return outside;
}

// Bit per free block of the 32 that start at `from`.
static uint32_t free_mask(const uint8_t *owner, uint32_t from)
{
    __m256i line = _mm256_load_si256((const __m256i *)(owner + from));

    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(line, _mm256_set1_epi8((char)NAT_NOBODY)));
}

bool nat_block_claim_exact(struct nat_outside *outside, enum sl_nat_proto proto, uint8_t worker,
                           uint32_t block)
{
    uint8_t nobody = NAT_NOBODY;

    if (!__atomic_compare_exchange_n(&outside->owner[proto][block], &nobody, worker, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED))
        return false;
    __atomic_fetch_sub(&outside->spare[proto], 1, __ATOMIC_RELAXED);
    return true;
}

int nat_block_free_from(const struct nat_outside *outside, enum sl_nat_proto proto, uint32_t start)
{
    for (uint32_t step = 0; step <= NAT_OWNERS / 32; step++) {
        uint32_t from = (start / 32 + step) * 32 % NAT_OWNERS;
        uint32_t mask = free_mask(outside->owner[proto], from);
        if (step == 0)
            mask &= ~0u << (start % 32);
        if (mask != 0)
            return (int)(from + (uint32_t)__builtin_ctz(mask));
    }
    return -1;
}

int nat_block_claim(struct nat_outside *outside, enum sl_nat_proto proto, uint8_t worker, uint32_t start)
{
    if (__atomic_load_n(&outside->spare[proto], __ATOMIC_RELAXED) == 0)
        return -1;
    for (int tries = 0; tries < SL_NAT_BLOCKS; tries++) { // a race that is lost only means one more try
        int block = nat_block_free_from(outside, proto, start);
        if (block < 0 || nat_block_claim_exact(outside, proto, worker, (uint32_t)block))
            return block;
    }
    return -1;
}

void nat_block_unclaim(struct nat_outside *outside, enum sl_nat_proto proto, uint32_t block)
{
    __atomic_store_n(&outside->owner[proto][block], NAT_NOBODY, __ATOMIC_RELEASE);
    __atomic_fetch_add(&outside->spare[proto], 1, __ATOMIC_RELAXED);
}
