// SPDX-License-Identifier: Apache-2.0
// Plots as SVG inside a page that opens from disk: lines over a linear or logarithmic x axis, or bars over names. No
// script, no font and no picture from elsewhere. Main thread.
#ifndef PKTGEN_PLOT_H
#define PKTGEN_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "histogram.h"

struct plot_series {
    const char *name;
    const double *x, *y;
    size_t count;
};

struct plot {
    const char *title, *x_name, *y_name;
    bool log_x; // x > 0 then
    const struct plot_series *series;
    size_t series_count;
};

struct plot_bar {
    const char *name;
    double value, second; // second: a lighter bar beside it, 0: none
};

struct plot_latency { // a histogram of times
    const char *name;
    const struct histogram *histogram;
    double ns_per_unit;
};
#define PLOT_LATENCIES 4

// The page's beginning and end, with its style.
void plot_page_begin(FILE *out, const char *title);
void plot_page_end(FILE *out);
// Text with what HTML would take for markup written out.
void plot_text(FILE *out, const char *text);
void plot_lines(FILE *out, const struct plot *plot);
void plot_bars(FILE *out, const char *title, const char *unit, const struct plot_bar *bar, size_t count);
// What share of the times is at most so long, over microseconds; empty histograms are left out. Up to PLOT_LATENCIES.
void plot_distribution(FILE *out, const char *title, const struct plot_latency *latency, size_t count);

#endif
