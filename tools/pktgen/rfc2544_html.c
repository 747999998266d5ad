// SPDX-License-Identifier: Apache-2.0
// The benchmark as a page: throughput by size, loss curves, latency. Called by rfc2544.c, on the main thread.
#include <errno.h>
#include "plot.h"
#include "report.h"
#include "rfc2544.h"

static void table_draw(FILE *out, const struct rfc2544_report *report)
{
    fputs(
        "<table><tr><th>size</th><th>0 % loss</th><th>0.5 % loss</th><th>offered</th><th>p50</th><th>p99</th>"
        "<th>p50 at half</th><th>burst</th><th></th></tr>\n",
        out);
    for (uint32_t i = 0; i < report->rows; i++) {
        const struct rfc2544_row *row = &report->row[i];
        char text[7][16];
        fprintf(
            out,
            "<tr><td>%s</td><td>%s%c</td><td>%s%c</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%s%s</"
            "td>"
            "<td>%s</td></tr>\n",
            row->name, rfc2544_rate_text(&row->throughput[0], text[0]), rfc2544_mark(row, 0),
            rfc2544_rate_text(&row->throughput[1], text[1]), rfc2544_mark(row, 1),
            rfc2544_scaled_text(row->offered_max, text[2]), rfc2544_time_text(row->latency[0].p50, text[3]),
            rfc2544_time_text(row->latency[0].p99, text[4]), rfc2544_time_text(row->latency[1].p50, text[5]),
            rfc2544_scaled_text(row->burst_frames, text[6]), row->burst_is_limit ? "+" : "",
            rfc2544_note(row));
    }
    fprintf(out,
            "</table>\n<p class=\"note\">Packets a second; trials of %g s. +: all that was offered, it may "
            "carry more. =: as with less loss; its own search found less.%s</p>\n",
            report->seconds, report->ended ? " Ended by the operator: the last row is incomplete." : "");
}

static double bar_of(const struct rfc2544_row *row, uint32_t goal)
{
    return row->throughput[goal].found ? row->throughput[goal].carried : 0;
}

static void throughput_draw(FILE *out, const struct rfc2544_report *report)
{
    struct plot_bar bar[RFC2544_SIZES];
    for (uint32_t i = 0; i < report->rows; i++)
        bar[i] =
            (struct plot_bar){report->row[i].name, bar_of(&report->row[i], 0), bar_of(&report->row[i], 1)};
    plot_bars(out, "Throughput by frame size (dark: no loss, light: 0.5 %)", "packets a second", bar,
              report->rows);
}

static void loss_draw(FILE *out, const struct rfc2544_report *report)
{
    double x[RFC2544_SIZES][RFC2544_CURVE], y[RFC2544_SIZES][RFC2544_CURVE];
    struct plot_series series[RFC2544_SIZES];
    size_t count = 0;
    for (uint32_t i = 0; i < report->rows; i++) {
        const struct rfc2544_row *row = &report->row[i];
        for (uint32_t k = 0; k < row->curve_points; k++) {
            x[i][k] = row->curve[k].pps;
            y[i][k] = 100 * row->curve[k].loss;
        }
        if (row->curve_points)
            series[count++] = (struct plot_series){row->name, x[i], y[i], row->curve_points};
    }
    plot_lines(out, &(struct plot){"Frame loss by load", "packets a second offered", "percent lost", false,
                                   series, count});
}

static void latency_draw(FILE *out, const struct rfc2544_report *report)
{
    static const double percentile[] = {50, 90, 99, 99.9, 100};
    double y[RFC2544_SIZES][5];
    struct plot_series series[RFC2544_SIZES];
    size_t count = 0;
    for (uint32_t i = 0; i < report->rows; i++) {
        const struct rfc2544_latency *l = &report->row[i].latency[1];
        const double value[] = {l->p50, l->p90, l->p99, l->p999, l->max};
        for (size_t k = 0; k < 5; k++)
            y[i][k] = value[k] / 1000;
        if (l->pps > 0)
            series[count++] = (struct plot_series){report->row[i].name, percentile, y[i], 5};
    }
    plot_lines(out, &(struct plot){"Latency at half of the loss-free rate, by percentile", "percentile",
                                   "microseconds", false, series, count});
}

int rfc2544_html(const char *path, const struct rfc2544_report *report, struct sl_error *error)
{
    FILE *out = report_open(path, "--html", error);
    if (!out)
        return -EIO;
    plot_page_begin(out, "sluice-pktgen: RFC 2544");
    table_draw(out, report);
    throughput_draw(out, report);
    loss_draw(out, report);
    latency_draw(out, report);
    plot_page_end(out);
    return report_close(out, path, "--html", error);
}
