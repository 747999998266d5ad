// SPDX-License-Identifier: Apache-2.0
// Results for a person at a terminal. Called by the modes and the screen, on the main thread.
#include <inttypes.h>
#include "report.h"

const char *report_scaled(double value, char out[16])
{
    static const char *const unit[] = {"", " k", " M", " G", " T"};
    unsigned i = 0;
    for (; value >= 999.5 && i + 1 < sizeof(unit) / sizeof(unit[0]); i++)
        value /= 1000;
    snprintf(out, 16, "%.*f%s", i == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2, value, unit[i]);
    return out;
}

const char *report_time(double ns, char out[16])
{
    static const char *const unit[] = {"ns", "us", "ms", "s"};
    unsigned i = 0;
    for (; ns >= 999.5 && i + 1 < sizeof(unit) / sizeof(unit[0]); i++)
        ns /= 1000;
    snprintf(out, 16, "%.*f %s", i == 0 || ns >= 99.95 ? 0 : ns >= 9.995 ? 1 : 2, ns, unit[i]);
    return out;
}

static double rate_of(const struct result *result, uint64_t count)
{
    return result->seconds > 0 ? (double)count / result->seconds : 0;
}

static void stream_print(FILE *out, const struct result *result, const struct stream_result *stream,
                         const char *name)
{
    char sent[16], received[16], bits[16];
    double loss = stream->sent ? 100.0 * (double)stream->lost / (double)stream->sent : 0;
    fprintf(out, "%-16.16s %10s %10s %10s %12" PRIu64 " %9.4f %10" PRIu64 " %10" PRIu64 " %8" PRIu64 "\n",
            name, report_scaled(rate_of(result, stream->sent), sent),
            report_scaled(rate_of(result, stream->received), received),
            report_scaled(8 * rate_of(result, stream->sent_bytes), bits), stream->lost, loss,
            stream->duplicate, stream->reordered, stream->corrupt);
}

static void latency_print(FILE *out, const struct result *result, const struct stream_result *stream,
                          const char *name)
{
    static const double fraction[] = {0.5, 0.9, 0.99, 0.999, 1};
    char text[16];
    if (stream->latency.count == 0)
        return;
    fprintf(out, "%-16.16s", name);
    for (size_t i = 0; i < sizeof(fraction) / sizeof(fraction[0]); i++)
        fprintf(out, " %10s", report_time(result_latency_ns(result, &stream->latency, fraction[i]), text));
    fprintf(out, "\n");
}

static void notes_print(FILE *out, const struct result *result)
{
    const struct stream_result *total = &result->total;
    double cycles = result->seconds * (double)result->cycles_per_s * result->workers;
    if (total->sent)
        fprintf(out,
                "%.3f s, %" PRIu64 " frames sent, %" PRIu64
                " came back; %.1f cycles of %u cores for each sent\n",
                result->seconds, total->sent, total->received,
                cycles / (double)(total->sent + result->bad.sent), result->workers);
    if (total->refused)
        fprintf(out,
                "%" PRIu64 " frames were not taken by the port (the link was full): they count as not sent\n",
                total->refused);
    if (total->skipped)
        fprintf(out,
                "%" PRIu64
                " packets were not sent because the generator was kept from its core: the rate was lower "
                "than asked\n",
                total->skipped);
    if (total->too_late)
        fprintf(out, "%" PRIu64 " packets came more than 65536 late and count as reordered\n",
                total->too_late);
    if (result->bad.sent)
        fprintf(out, "bad packets: %" PRIu64 " sent, %" PRIu64 " leaked\n", result->bad.sent,
                result->bad.received + result->bad.corrupt);
    if (result->foreign)
        fprintf(out, "%" PRIu64 " frames came that are not ours\n", result->foreign);
    if (result->answered)
        fprintf(out, "%" PRIu64 " questions for our addresses were answered\n", result->answered);
}

void report_result_text(FILE *out, const struct result *result)
{
    fprintf(out, "%-16s %10s %10s %10s %12s %9s %10s %10s %8s\n", "stream", "sent/s", "came/s", "bit/s",
            "lost", "lost %", "duplicate", "reordered", "corrupt");
    for (uint32_t i = 0; result->streams > 1 && i < result->streams; i++)
        stream_print(out, result, &result->stream[i], result->stream[i].name);
    stream_print(out, result, &result->total, "total");
    if (result->total.latency.count)
        fprintf(out, "\n%-16s %10s %10s %10s %10s %10s\n", "latency", "p50", "p90", "p99", "p99.9", "max");
    for (uint32_t i = 0; result->streams > 1 && i < result->streams; i++)
        latency_print(out, result, &result->stream[i], result->stream[i].name);
    latency_print(out, result, &result->total, "total");
    fprintf(out, "\n");
    notes_print(out, result);
}
