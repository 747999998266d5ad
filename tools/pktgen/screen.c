// SPDX-License-Identifier: Apache-2.0
// Drawing over the last picture with two control sequences that every terminal knows: up N lines, clear to the end.
// Called by the modes while a trial runs, on the main thread.
#include "screen.h"
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "report.h"

#define COLUMNS_UNKNOWN 80

static unsigned columns_of(FILE *out)
{
    struct winsize size;
    return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : COLUMNS_UNKNOWN;
}

void screen_init(struct screen *screen, FILE *out, bool wanted)
{
    *screen = (struct screen){.out = out, .on = wanted && isatty(fileno(out))};
    clock_gettime(CLOCK_MONOTONIC, &screen->then);
}

double screen_rate(uint64_t *before, uint64_t now, double seconds)
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

double screen_begin(struct screen *screen)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double seconds =
        (double)(now.tv_sec - screen->then.tv_sec) + (double)(now.tv_nsec - screen->then.tv_nsec) / 1e9;
    screen->then = now;
    screen->columns = columns_of(screen->out);
    screen_fini(screen);
    return seconds > 0 ? seconds : 1;
}

void screen_line(struct screen *screen, const char *format, ...)
{
    char text[256];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    fprintf(screen->out, "%.*s\n", (int)screen->columns - 1, text);
    screen->lines++;
}

void screen_end(struct screen *screen)
{
    fflush(screen->out);
}

void screen_show(struct screen *screen, const struct result *result, const char *progress)
{
    const struct stream_result *total = &result->total;
    char sent[16], came[16], p50[16], p99[16], max[16];
    if (!screen->on)
        return;
    double seconds = screen_begin(screen);
    report_scaled(screen_rate(&screen->sent, total->sent, seconds), sent);
    report_scaled(screen_rate(&screen->received, total->received, seconds), came);
    report_time(result_latency_ns(result, &total->latency, 0.5), p50);
    report_time(result_latency_ns(result, &total->latency, 0.99), p99);
    report_time(result_latency_ns(result, &total->latency, 1), max);
    if (progress)
        screen_line(screen, "%s", progress);
    screen_line(screen, "%7.1f s   sent %s/s   came %s/s   not back yet %" PRIu64, result->seconds, sent,
                came, total->lost);
    screen_line(screen, "            duplicate %" PRIu64 "   reordered %" PRIu64 "   corrupt %" PRIu64,
                total->duplicate, total->reordered, total->corrupt);
    screen_line(screen, "            latency p50 %s  p99 %s  max %s", p50, p99, max);
    screen_end(screen);
}
