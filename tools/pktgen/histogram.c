// SPDX-License-Identifier: Apache-2.0
// Merging and reading histograms. Called by the reports and the live screen, on the main thread.
#include "histogram.h"
#include <math.h>
#include <string.h>

void histogram_init(struct histogram *histogram)
{
    memset(histogram, 0, sizeof(*histogram));
    histogram->min = UINT64_MAX;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    into->count += from->count;
    into->sum += from->sum;
    into->min = from->min < into->min ? from->min : into->min;
    into->max = from->max > into->max ? from->max : into->max;
    for (uint32_t i = 0; i < HISTOGRAM_CELLS; i++)
        into->cell[i] += from->cell[i];
}

uint64_t histogram_cell_low(uint32_t cell)
{
    if (cell < 2 * HISTOGRAM_STEPS)
        return cell;
    uint32_t shift = (cell >> HISTOGRAM_STEP_BITS) - 1;
    return (uint64_t)(cell - (shift << HISTOGRAM_STEP_BITS)) << shift;
}

uint64_t histogram_cell_high(uint32_t cell)
{
    return histogram_cell_low(cell + 1) - 1;
}

uint64_t histogram_percentile(const struct histogram *histogram, double fraction)
{
    uint64_t total = 0, seen = 0;
    for (uint32_t i = 0; i < HISTOGRAM_CELLS; i++) // not `count`: a reader may come between the two additions
        total += histogram->cell[i];
    uint64_t rank = (uint64_t)ceil(fraction * (double)total);
    rank = rank ? rank : 1;
    for (uint32_t i = 0; total && i < HISTOGRAM_CELLS; i++) {
        seen += histogram->cell[i];
        if (seen >= rank) {
            uint64_t high = histogram_cell_high(i);
            return high < histogram->max ? high : histogram->max;
        }
    }
    return 0;
}
