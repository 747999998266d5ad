// SPDX-License-Identifier: Apache-2.0
// Results for spreadsheets: a header line, then a line a stream; names hold no comma (profile names cannot). Called by
// the modes, on the main thread.
#include <errno.h>
#include <inttypes.h>
#include "profile.h"
#include "report.h"

static void stream_line(FILE *out, const struct result *result, const struct stream_result *stream,
                        const char *name)
{
    static const double fraction[] = {0.5, 0.9, 0.99, 0.999, 1};
    double seconds = result->seconds > 0 ? result->seconds : 1;
    fprintf(out,
            "%s,%s,%.6f,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%.0f,%.0f",
            name, bad_kind_name(stream->bad), result->seconds, stream->sent, stream->received, stream->lost,
            stream->duplicate, stream->reordered, stream->corrupt, (double)stream->sent / seconds,
            8.0 * (double)stream->sent_bytes / seconds);
    for (size_t i = 0; i < sizeof(fraction) / sizeof(fraction[0]); i++)
        fprintf(out, ",%.0f", result_latency_ns(result, &stream->latency, fraction[i]));
    fprintf(out, "\n");
}

int report_result_csv(const char *path, const struct result *result, struct sl_error *error)
{
    FILE *out = report_open(path, "--csv", error);
    if (!out)
        return -EIO;
    fprintf(
        out,
        "stream,bad,seconds,sent,received,lost,duplicate,reordered,corrupt,sent_pps,sent_bps,p50_ns,p90_ns,"
        "p99_ns,p99.9_ns,max_ns\n");
    for (uint32_t i = 0; i < result->streams; i++)
        stream_line(out, result, &result->stream[i], result->stream[i].name);
    stream_line(out, result, &result->total, "total");
    return report_close(out, path, "--csv", error);
}
