// SPDX-License-Identifier: Apache-2.0
// Drawing over the last picture with two control sequences that every terminal knows: up N lines, clear to the end.
// Called by the modes while a trial runs, on the main thread.
#include "screen.h"
#include <inttypes.h>
#include <string.h>
#include <unistd.h>
#include "report.h"

void screen_init(struct screen *screen, FILE *out, bool wanted)
{
    *screen = (struct screen){.out = out, .on = wanted && isatty(fileno(out))};
    clock_gettime(CLOCK_MONOTONIC, &screen->then);
}

static double elapsed(struct screen *screen)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double seconds =
        (double)(now.tv_sec - screen->then.tv_sec) + (double)(now.tv_nsec - screen->then.tv_nsec) / 1e9;
    screen->then = now;
    return seconds > 0 ? seconds : 1;
}

// A count that is smaller than before belongs to a new trial.
static double rate(uint64_t *before, uint64_t now, double seconds)
{
    double per_s = now >= *before ? (double)(now - *before) / seconds : (double)now / seconds;
    *before = now;
    return per_s;
}

void screen_fini(struct screen *screen)
{
    if (screen->lines)
        fprintf(screen->out, "\033[%uA\033[J", screen->lines);
    fflush(screen->out);
    screen->lines = 0;
}

void screen_show(struct screen *screen, const struct result *result, const char *progress)
{
    const struct stream_result *total = &result->total;
    char sent[16], came[16], p50[16], p99[16], max[16];
    if (!screen->on)
        return;
    double seconds = elapsed(screen);
    report_scaled(rate(&screen->sent, total->sent, seconds), sent);
    report_scaled(rate(&screen->received, total->received, seconds), came);
    report_time(result_latency_ns(result, &total->latency, 0.5), p50);
    report_time(result_latency_ns(result, &total->latency, 0.99), p99);
    report_time(result_latency_ns(result, &total->latency, 1), max);
    screen_fini(screen);
    if (progress) {
        fprintf(screen->out, "%s\n", progress);
        screen->lines++;
    }
    fprintf(screen->out, "%7.1f s   sent %s/s   came %s/s   not back yet %" PRIu64 "\n", result->seconds,
            sent, came, total->lost);
    fprintf(screen->out,
            "            duplicate %" PRIu64 "   reordered %" PRIu64 "   corrupt %" PRIu64
            "   latency p50 %s  p99 %s  "
            "max %s\n",
            total->duplicate, total->reordered, total->corrupt, p50, p99, max);
    screen->lines += 2;
    fflush(screen->out);
}
