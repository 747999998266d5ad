// SPDX-License-Identifier: Apache-2.0
// Flows of a stream: number f stands for one choice of source address, source port, destination address and
// destination port, like the digits of a number with mixed radix, the first turning fastest. Stateless, so 16 million
// flows cost as much as one. Pure; worker threads.
#ifndef PKTGEN_FLOW_H
#define PKTGEN_FLOW_H

#include <stdint.h>

#define FLOWS_MAX (16u << 20)

enum flow_field { FLOW_SRC, FLOW_SPORT, FLOW_DST, FLOW_DPORT, FLOW_FIELDS };

struct flow_range {
    uint32_t first; // host byte order; of addresses the last 32 bits
    uint32_t count; // at least 1
    uint32_t step;  // from one to the next
    uint64_t magic; // 2^64 / count, rounded up: a product instead of a division
};

struct flow_space {
    struct flow_range range[FLOW_FIELDS];
    uint32_t flows; // numbers 0 to flows - 1 are in use
};

struct flow {
    uint32_t value[FLOW_FIELDS]; // host byte order
};

static inline struct flow_range flow_range_make(uint32_t first, uint32_t count)
{
    return (struct flow_range){first, count, 1, UINT64_MAX / count + 1};
}

// f / count is the upper half of f * magic, exactly, for 32-bit f and count >= 2 (Lemire, Kaser, Kurz: "Faster remainder
// by direct computation", 2019).
static inline void flow_split(const struct flow_space *space, uint32_t f, struct flow *flow)
{
    for (unsigned i = 0; i < FLOW_FIELDS; i++) {
        const struct flow_range *range = &space->range[i];
        uint32_t quotient = f;
        flow->value[i] = range->first;
        if (range->count > 1) {
            quotient = (uint32_t)(((unsigned __int128)range->magic * f) >> 64);
            flow->value[i] += (f - quotient * range->count) * range->step;
        }
        f = quotient;
    }
}

#endif
