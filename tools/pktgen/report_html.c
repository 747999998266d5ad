// SPDX-License-Identifier: Apache-2.0
// A run as a page: the table, the distribution of the latency, the percentiles. Called by run.c, on the main thread.
#include <errno.h>
#include <inttypes.h>
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

int report_result_html(const char *path, const struct result *result, struct sl_error *error)
{
    FILE *out = report_open(path, "--html", error);
    if (!out)
        return -EIO;
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
    struct plot_latency latency = {"all streams", &result->total.latency, result->ns_per_unit};
    plot_distribution(out, "Latency: share of packets that took at most so long", &latency, 1);
    plot_page_end(out);
    return report_close(out, path, "--html", error);
}
