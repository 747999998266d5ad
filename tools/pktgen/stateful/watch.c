// SPDX-License-Identifier: Apache-2.0
// Drawing. Called by stateful.c while the workers run, on the main thread.
#include "watch.h"
#include <inttypes.h>
#include "../report.h"

void watch_init(struct watch *watch, bool wanted)
{
    *watch = (struct watch){0};
    screen_init(&watch->screen, stderr, wanted);
}

void watch_fini(struct watch *watch)
{
    screen_fini(&watch->screen);
}

static void failures_show(struct screen *screen, const struct side_summary *side)
{
    char text[160] = "";
    size_t used = 0;
    for (unsigned i = 0; i < FAILURES && used < sizeof(text); i++)
        if (side->counters.failed[i])
            used += (size_t)snprintf(text + used, sizeof(text) - used, "   %s %" PRIu64,
                                     engine_failure_name(i), side->counters.failed[i]);
    screen_line(screen, "            failed %" PRIu64 "%s", summary_failed(side), text);
}

static void latency_show(struct screen *screen, const char *what, const struct histogram *histogram)
{
    char p50[16], p99[16], max[16];
    if (histogram->count)
        screen_line(screen, "            %s p50 %s  p99 %s  max %s", what,
                    report_time((double)histogram_percentile(histogram, 0.5), p50),
                    report_time((double)histogram_percentile(histogram, 0.99), p99),
                    report_time((double)histogram->max, max));
}

void watch_show(struct watch *watch, double seconds, const struct side_summary *side, const char *phase)
{
    struct screen *screen = &watch->screen;
    char connections[16], requests[16];
    if (!screen->on)
        return;
    double since = screen_begin(screen);
    report_scaled(screen_rate(&watch->completed, side->counters.completed, since), connections);
    report_scaled(screen_rate(&watch->requests, side->counters.requests, since), requests);
    screen_line(screen, "%7.1f s   %s: connections %s/s   requests %s/s   open %" PRIu64 "%s", seconds,
                side->role, connections, requests, side->open, phase);
    failures_show(screen, side);
    screen_line(screen, "            retransmits %" PRIu64 "   bytes in %" PRIu64 "   out %" PRIu64,
                side->counters.retransmits, side->counters.bytes_in, side->counters.bytes_out);
    latency_show(screen, "connect", &side->connect);
    latency_show(screen, "request", &side->request);
    screen_end(screen);
}
