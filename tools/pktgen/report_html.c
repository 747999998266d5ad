// SPDX-License-Identifier: Apache-2.0
// A run as a page: the table, the distribution of the latency, the percentiles. Called by run.c, on the main thread.
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "plot.h"
#include "report.h"

static void stream_row(FILE *out, const struct result *result, const struct stream_result *stream,
                       const char *name)
{
    double seconds = result->seconds > 0 ? result->seconds : 1;
    char sent[16], bits[16], p50[16], p99[16], max[16];
    fputs("<tr><td>", out);
    plot_text(out, name);
    fprintf(out,
            "</td><td>%s</td><td>%s</td><td>%" PRIu64 "</td><td>%" PRIu64 "</td><td>%" PRIu64
            "</td><td>%" PRIu64 "</td><td>%s</td><td>%s</td><td>%s</td></tr>\n",
            report_scaled((double)stream->sent / seconds, sent),
            report_scaled(8.0 * (double)stream->sent_bytes / seconds, bits), stream->lost, stream->duplicate,
            stream->reordered, stream->corrupt,
            report_time(result_latency_ns(result, &stream->latency, 0.5), p50),
            report_time(result_latency_ns(result, &stream->latency, 0.99), p99),
            report_time(result_latency_ns(result, &stream->latency, 1), max));
}

// Share of packets that took at most so long, at the end of each cell that holds any.
static void distribution_draw(FILE *out, const struct result *result)
{
    const struct histogram *latency = &result->total.latency;
    double *x = calloc(HISTOGRAM_CELLS, sizeof(*x)), *y = calloc(HISTOGRAM_CELLS, sizeof(*y));
    size_t count = 0;
    uint64_t seen = 0;
    for (uint32_t i = 0; x && y && latency->count && i < HISTOGRAM_CELLS; i++) {
        if (latency->cell[i] == 0)
            continue;
        seen += latency->cell[i];
        x[count] = (double)(histogram_cell_high(i) + 1) * result->ns_per_unit / 1000;
        y[count++] = 100.0 * (double)seen / (double)latency->count;
    }
    struct plot_series series = {"all streams", x, y, count};
    plot_lines(out, &(struct plot){"Latency: share of packets that took at most so long",
                                   "microseconds (logarithmic)", "percent", true, &series, 1});
    free(x);
    free(y);
}

int report_result_html(const char *path, const struct result *result, struct sl_error *error)
{
    FILE *out = fopen(path, "we");
    if (!out)
        return sl_error_set(error, -errno, "%s: %s", path, strerror(errno));
    plot_page_begin(out, "sluice-pktgen: run");
    fputs("<table><tr><th>stream</th><th>sent/s</th><th>bit/s</th><th>lost</th><th>duplicate</"
          "th><th>reordered</th>"
          "<th>corrupt</th><th>p50</th><th>p99</th><th>max</th></tr>\n",
          out);
    for (uint32_t i = 0; i < result->streams; i++)
        stream_row(out, result, &result->stream[i], result->stream[i].name);
    stream_row(out, result, &result->total, "total");
    fprintf(out, "</table>\n<p class=\"note\">%.3f seconds of sending, %u cores.</p>\n", result->seconds,
            result->workers);
    distribution_draw(out, result);
    plot_page_end(out);
    if (fclose(out) != 0)
        return sl_error_set(error, -errno, "%s: %s", path, strerror(errno));
    return 0;
}
