// SPDX-License-Identifier: Apache-2.0
// The table for spreadsheets and the page. Called by stateful.c after a run, on the main thread.
#include <errno.h>
#include <inttypes.h>
#include "../plot.h"
#include "../report.h"
#include "report.h"

static void latency_cells(FILE *out, const struct histogram *h)
{
    fprintf(out, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, histogram_percentile(h, 0.5),
            histogram_percentile(h, 0.9), histogram_percentile(h, 0.99), histogram_percentile(h, 0.999),
            h->max);
}

static void side_line(FILE *out, const struct side_summary *side)
{
    const struct engine_counters *c = &side->counters;
    struct summary_counter list[SUMMARY_COUNTERS];
    fprintf(out, "%s,%.6f,%u,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, side->role, side->seconds,
            side->workers, c->opened, c->completed, side->open, side->open_most);
    for (unsigned i = 0; i < FAILURES; i++)
        fprintf(out, ",%" PRIu64, c->failed[i]);
    summary_list(side, list);
    for (unsigned i = 0; i < SUMMARY_COUNTERS; i++)
        fprintf(out, ",%" PRIu64, list[i].value);
    latency_cells(out, &side->connect);
    latency_cells(out, &side->request);
    fprintf(out, "\n");
}

static void header_line(FILE *out, const struct side_summary *side)
{
    static const char *const latency[] = {"connect", "request"};
    struct summary_counter list[SUMMARY_COUNTERS];
    fprintf(out, "role,seconds,workers,opened,completed,open,open_most");
    for (unsigned i = 0; i < FAILURES; i++)
        fprintf(out, ",failed_%s", engine_failure_name(i));
    summary_list(side, list);
    for (unsigned i = 0; i < SUMMARY_COUNTERS; i++)
        fprintf(out, ",%s", list[i].name);
    for (unsigned i = 0; i < 2; i++)
        fprintf(out, ",%s_p50_ns,%s_p90_ns,%s_p99_ns,%s_p99.9_ns,%s_max_ns", latency[i], latency[i],
                latency[i], latency[i], latency[i]);
    fprintf(out, "\n");
}

int stateful_csv(const char *path, const struct side_summary *side, uint32_t count, struct sl_error *error)
{
    FILE *out = report_open(path, "--csv", error);
    if (!out)
        return -EIO;
    header_line(out, side);
    for (uint32_t i = 0; i < count; i++)
        side_line(out, &side[i]);
    return report_close(out, path, "--csv", error);
}

static void latency_row(FILE *out, const char *role, const char *what, const struct histogram *h)
{
    static const double fraction[] = {0.5, 0.9, 0.99, 0.999, 1};
    char text[16];
    if (h->count == 0)
        return;
    fprintf(out, "<tr><td>%s, %s</td>", role, what);
    for (unsigned i = 0; i < sizeof(fraction) / sizeof(fraction[0]); i++)
        fprintf(out, "<td>%s</td>", report_time((double)histogram_percentile(h, fraction[i]), text));
    fputs("</tr>\n", out);
}

static void side_table(FILE *out, const struct side_summary *side, uint32_t count)
{
    fputs("<table><tr><th>side</th><th>connections/s</th><th>requests/s</th><th>opened</th><th>completed</th>"
          "<th>failed</th><th>open</th><th>retransmits</th></tr>\n",
          out);
    for (uint32_t i = 0; i < count; i++) {
        const struct engine_counters *c = &side[i].counters;
        char connections[16], requests[16];
        fprintf(out,
                "<tr><td>%s</td><td>%s</td><td>%s</td><td>%" PRIu64 "</td><td>%" PRIu64 "</td><td>%" PRIu64
                "</td><td>%" PRIu64 "</td><td>%" PRIu64 "</td></tr>\n",
                side[i].role, report_scaled(side[i].connections_per_s, connections),
                report_scaled(side[i].requests_per_s, requests), c->opened, c->completed,
                summary_failed(&side[i]), side[i].open, c->retransmits);
    }
    fprintf(out, "</table>\n<p class=\"note\">%.3f seconds of opening, %u workers a side.</p>\n",
            side->seconds, side->workers);
}

static void failure_table(FILE *out, const struct side_summary *side, uint32_t count)
{
    uint64_t failed = 0;
    for (uint32_t i = 0; i < count; i++)
        failed += summary_failed(&side[i]);
    if (failed == 0)
        return;
    fputs("<table><tr><th>failed</th><th>why</th><th>connections</th></tr>\n", out);
    for (uint32_t i = 0; i < count; i++)
        for (unsigned k = 0; k < FAILURES; k++)
            if (side[i].counters.failed[k])
                fprintf(out, "<tr><td>%s</td><td>%s</td><td>%" PRIu64 "</td></tr>\n", side[i].role,
                        engine_failure_name(k), side[i].counters.failed[k]);
    fputs("</table>\n", out);
}

static void latency_draw(FILE *out, const struct side_summary *side, uint32_t count)
{
    fputs("<table><tr><th>latency</th><th>p50</th><th>p90</th><th>p99</th><th>p99.9</th><th>max</th></tr>\n",
          out);
    for (uint32_t i = 0; i < count; i++) {
        latency_row(out, side[i].role, "connect", &side[i].connect);
        latency_row(out, side[i].role, "request", &side[i].request);
    }
    fputs("</table>\n", out);
    const struct plot_latency latency[] = {{"connect", &side->connect, 1}, {"request", &side->request, 1}};
    plot_distribution(out, "Latency: share of connects and requests that took at most so long", latency, 2);
}

static double rate_between(uint64_t before, uint64_t now, double seconds)
{
    return seconds > 0 ? (double)(now - before) / seconds : 0;
}

// Rates are of the time since the point before; a run that was too short for two points has none.
static void time_draw(FILE *out, const struct timeline *timeline)
{
    static double x[TIMELINE_POINTS], rate[3][TIMELINE_POINTS], open[TIMELINE_POINTS];
    size_t count = 0;
    for (uint32_t i = 1; i < timeline->points; i++) {
        const struct timeline_point *p = &timeline->point[i], *q = p - 1;
        double seconds = p->seconds - q->seconds;
        x[count] = p->seconds;
        rate[0][count] = rate_between(q->completed, p->completed, seconds);
        rate[1][count] = rate_between(q->requests, p->requests, seconds);
        rate[2][count] = rate_between(q->failed, p->failed, seconds);
        open[count++] = (double)p->open;
    }
    const struct plot_series rates[] = {
        {"connections", x, rate[0], count}, {"requests", x, rate[1], count}, {"failures", x, rate[2], count}};
    const struct plot_series opens = {"open", x, open, count};
    plot_lines(out, &(struct plot){"Rate over time", "seconds", "in a second", false, rates, 3});
    plot_lines(out, &(struct plot){"Connections open", "seconds", "connections", false, &opens, 1});
}

int stateful_html(const char *path, const struct side_summary *side, uint32_t count,
                  const struct timeline *timeline, struct sl_error *error)
{
    FILE *out = report_open(path, "--html", error);
    if (!out)
        return -EIO;
    plot_page_begin(out, "sluice-pktgen: stateful");
    side_table(out, side, count);
    failure_table(out, side, count);
    time_draw(out, timeline);
    latency_draw(out, side, count);
    plot_page_end(out);
    return report_close(out, path, "--html", error);
}
