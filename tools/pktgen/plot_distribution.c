// SPDX-License-Identifier: Apache-2.0
// Histograms as lines that rise to 100 percent. Called by the HTML reports, on the main thread.
#include <stdlib.h>
#include "plot.h"

// A point at the end of each cell that holds any; how many.
static size_t series_fill(const struct plot_latency *latency, double *x, double *y)
{
    const struct histogram *h = latency->histogram;
    uint64_t seen = 0;
    size_t count = 0;
    for (uint32_t i = 0; h->count && i < HISTOGRAM_CELLS; i++) {
        if (h->cell[i] == 0)
            continue;
        seen += h->cell[i];
        x[count] = (double)(histogram_cell_high(i) + 1) * latency->ns_per_unit / 1000;
        y[count++] = 100.0 * (double)seen / (double)h->count;
    }
    return count;
}

void plot_distribution(FILE *out, const char *title, const struct plot_latency *latency, size_t count)
{
    struct plot_series series[PLOT_LATENCIES];
    size_t filled = 0, lines = count < PLOT_LATENCIES ? count : PLOT_LATENCIES;
    double *room = calloc(2 * PLOT_LATENCIES * HISTOGRAM_CELLS, sizeof(*room));
    for (size_t i = 0; room && i < lines; i++) {
        double *x = room + 2 * i * HISTOGRAM_CELLS, *y = x + HISTOGRAM_CELLS;
        size_t points = series_fill(&latency[i], x, y);
        if (points)
            series[filled++] = (struct plot_series){latency[i].name, x, y, points};
    }
    plot_lines(out, &(struct plot){title, "microseconds (logarithmic)", "percent", true, series, filled});
    free(room);
}
