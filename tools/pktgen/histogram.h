// SPDX-License-Identifier: Apache-2.0
// A log-linear histogram: 64 steps to each doubling, so a percentile is right within 1.6 % from 1 to 2^40 and exact
// below 128. One writer; a reader may look at any time and sees a slightly older state. Pure.
#ifndef PKTGEN_HISTOGRAM_H
#define PKTGEN_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEP_BITS 6
#define HISTOGRAM_STEPS     (1u << HISTOGRAM_STEP_BITS)
#define HISTOGRAM_VALUE_MAX ((1ULL << 40) - 1)
#define HISTOGRAM_CELLS     ((40 - HISTOGRAM_STEP_BITS + 1) * HISTOGRAM_STEPS)

struct histogram {
    uint64_t count, sum, min, max;
    uint64_t cell[HISTOGRAM_CELLS];
};

void histogram_init(struct histogram *histogram);
// Cell of a value: the value itself below 64; above, its power of two and the six bits below the first.
static inline uint32_t histogram_cell(uint64_t value)
{
    if (value < HISTOGRAM_STEPS)
        return (uint32_t)value;
    uint32_t shift = 63 - HISTOGRAM_STEP_BITS - (uint32_t)__builtin_clzll(value);
    return (shift << HISTOGRAM_STEP_BITS) + (uint32_t)(value >> shift);
}

// Values beyond HISTOGRAM_VALUE_MAX count as that.
static inline void histogram_add(struct histogram *histogram, uint64_t value)
{
    value = value < HISTOGRAM_VALUE_MAX ? value : HISTOGRAM_VALUE_MAX;
    histogram->count++;
    histogram->sum += value;
    histogram->min = value < histogram->min ? value : histogram->min;
    histogram->max = value > histogram->max ? value : histogram->max;
    histogram->cell[histogram_cell(value)]++;
}

void histogram_merge(struct histogram *into, const struct histogram *from);
// Smallest and largest value that falls into a cell.
uint64_t histogram_cell_low(uint32_t cell);
uint64_t histogram_cell_high(uint32_t cell);
// The value that `fraction` (0 to 1) of all values do not exceed, rounded up to its cell's end but never beyond the
// largest seen; 0 of an empty one.
uint64_t histogram_percentile(const struct histogram *histogram, double fraction);

#endif
