// SPDX-License-Identifier: Apache-2.0
// Results for programs. Rates are packets or bits a second, times nanoseconds. Called by the modes, on the main thread.
#include <errno.h>
#include "profile.h"
#include "report.h"

static json_t *latency_json(const struct result *result, const struct histogram *latency)
{
    double mean = latency->count ? (double)latency->sum / (double)latency->count * result->ns_per_unit : 0;
    double min = latency->count ? (double)latency->min * result->ns_per_unit : 0;
    return json_pack("{s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "samples", (json_int_t)latency->count, "min",
                     min, "mean", mean, "p50", result_latency_ns(result, latency, 0.5), "p90",
                     result_latency_ns(result, latency, 0.9), "p99", result_latency_ns(result, latency, 0.99),
                     "p99.9", result_latency_ns(result, latency, 0.999), "max",
                     result_latency_ns(result, latency, 1));
}

static json_t *stream_json(const struct result *result, const struct stream_result *stream, const char *name)
{
    double seconds = result->seconds > 0 ? result->seconds : 1;
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:o}",
                     "name", name, "bad", bad_kind_name(stream->bad), "sent", (json_int_t)stream->sent,
                     "sent_bytes", (json_int_t)stream->sent_bytes, "received", (json_int_t)stream->received,
                     "lost", (json_int_t)stream->lost, "duplicate", (json_int_t)stream->duplicate,
                     "reordered", (json_int_t)stream->reordered, "reordering_distance",
                     (json_int_t)stream->distance, "corrupt", (json_int_t)stream->corrupt, "refused",
                     (json_int_t)stream->refused, "skipped", (json_int_t)stream->skipped, "sent_pps",
                     (double)stream->sent / seconds, "received_pps", (double)stream->received / seconds,
                     "sent_bps", 8.0 * (double)stream->sent_bytes / seconds, "latency_ns",
                     latency_json(result, &stream->latency));
}

json_t *report_result_json(const struct result *result)
{
    json_t *streams = json_array();
    for (uint32_t i = 0; streams && i < result->streams; i++)
        if (json_array_append_new(streams, stream_json(result, &result->stream[i], result->stream[i].name)) !=
            0) {
            json_decref(streams);
            return NULL;
        }
    return json_pack("{s:s, s:f, s:i, s:I, s:f, s:I, s:I, s:I, s:o, s:o}", "version", SLUICE_VERSION,
                     "seconds", result->seconds, "workers", (int)result->workers, "tsc_hz",
                     (json_int_t)result->cycles_per_s, "longest_pass_ns", result->longest_pass_ns, "foreign",
                     (json_int_t)result->foreign, "answered", (json_int_t)result->answered, "leaked",
                     (json_int_t)(result->bad.received + result->bad.corrupt), "total",
                     stream_json(result, &result->total, "total"), "streams", streams);
}

int report_json_print(FILE *out, json_t *json)
{
    if (!json)
        return -ENOMEM;
    json_dumpf(json, out, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    fputc('\n', out);
    json_decref(json);
    return 0;
}
