// SPDX-License-Identifier: Apache-2.0
// Builds a longest-prefix-match blob from sorted prefixes in one pass, and proves that a blob is safe to
// read. Building: control, any thread. Checking: the data plane's housekeeping thread before a worker sees
// the blob.
#ifndef SL_TABLE_LPM_BUILD_H
#define SL_TABLE_LPM_BUILD_H

#include <stddef.h>
#include "base/ip.h"
#include "table/lpm.h"

struct sl_lpm_item {
    struct sl_prefix prefix; // host bits zero
    uint32_t value;          // 1 to SL_LPM_VALUE_MASK
    uint32_t pad;
};

// Sorts by sl_prefix_compare(), stable; linear (radix). 0 or -ENOMEM.
int sl_lpm_sort(struct sl_lpm_item *item, size_t count);

struct sl_lpm_plan { // what a blob for some items takes
    uint64_t blocks; // enough to build, with nothing to spare
    uint64_t count_v4, count_v6;
    uint32_t root_bits_v4, root_bits_v6;
};

// Sizes a blob for items sorted without duplicates. `updates`: prefixes will be added in place, so roots are
// made for it even where a family has few or none. One fast pass; the bound is exact but for slots with equal
// neighbors.
void sl_lpm_plan(const struct sl_lpm_item *item, size_t count, bool updates, struct sl_lpm_plan *plan);

// Builds into `blob`, 64-byte aligned and zeroed (a fresh file is), of `size` bytes, a multiple of 64 and at
// least plan->blocks * 64; what is more stays free for sl_lpm_set(). Items as given to sl_lpm_plan().
// -EINVAL: a value or length out of range, or items out of order; -ENOSPC: too small or more than 2^31
// blocks.
int sl_lpm_build(const struct sl_lpm_item *item, size_t count, const struct sl_lpm_plan *plan, void *blob,
                 uint64_t size);

// Bytes of the blob in use: what need be copied where it will not be updated.
static inline uint64_t sl_lpm_used_bytes(const struct sl_lpm *lpm)
{
    return lpm->block_used * SL_LPM_BLOCK;
}

// Walks everything: each index in bounds, no node reached twice (so no cycle), no path longer than the
// address, no value above `max_value`. 0: any lookup stays inside the blob and ends. -EINVAL: it lies;
// -ENOMEM. A writer may update in place meanwhile, but must not reuse freed blocks.
int sl_lpm_check(const void *blob, uint64_t size, uint32_t max_value);

#endif
