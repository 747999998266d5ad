// SPDX-License-Identifier: Apache-2.0
// The benchmark's numbers as text, JSON and CSV. Called by rfc2544.c, on the main thread.
#include <errno.h>
#include <inttypes.h>
#include "report.h"
#include "rfc2544.h"

static const char *rate_text(const struct search_result *search, char out[16])
{
    return search->found ? report_scaled(search->carried, out) : "none";
}

static void row_text(FILE *out, const struct rfc2544_report *report, const struct rfc2544_row *row)
{
    char rate[2][16], bits[16], most[16], p50[16], p99[16], half[16], burst[16];
    fprintf(out, "%-6s %10s%s %10s %10s %10s", row->name, rate_text(&row->throughput[0], rate[0]),
            row->throughput[0].bounded || !row->throughput[0].found ? " " : "+",
            rate_text(&row->throughput[1], rate[1]),
            report_scaled(row->throughput[0].carried * row->mean_size * 8, bits),
            report_scaled(row->offered_max, most));
    fprintf(out, " %10s %10s %10s", report_time(row->latency[0].p50, p50),
            report_time(row->latency[0].p99, p99), report_time(row->latency[1].p50, half));
    fprintf(out, " %10s%s", report_scaled((double)row->burst_frames, burst), row->burst_is_limit ? "+" : " ");
    if (report->tests & RFC2544_RECOVERY)
        fprintf(out, " %8.0f", row->recovery_ms);
    if (report->tests & RFC2544_RESET)
        fprintf(out, " %8.1f", row->reset_ms);
    fprintf(out, "\n");
}

void rfc2544_text(FILE *out, const struct rfc2544_report *report)
{
    fprintf(out, "%-6s %11s %10s %10s %10s %10s %10s %10s %11s%s%s\n", "size", "0 % loss", "0.5 % loss",
            "bit/s", "offered", "p50", "p99", "p50 half", "burst",
            report->tests & RFC2544_RECOVERY ? "  rec. ms" : "",
            report->tests & RFC2544_RESET ? " reset ms" : "");
    for (uint32_t i = 0; i < report->rows; i++)
        row_text(out, report, &report->row[i]);
    for (uint32_t i = 0; i < report->rows; i++) {
        const struct rfc2544_row *row = &report->row[i];
        if (row->curve_points)
            fprintf(out, "\nloss of %s bytes:", row->name);
        for (uint32_t k = 0; k < row->curve_points; k++) {
            char rate[16];
            fprintf(out, "  %s/s %.4f %%", report_scaled(row->curve[k].pps, rate), 100 * row->curve[k].loss);
        }
    }
    fprintf(out, "\n\nTrials of %g s. A '+': the device carried all that was offered; it may carry more.\n",
            report->seconds);
    if (report->ended)
        fprintf(out, "Ended by the operator: the last row is incomplete.\n");
}

static json_t *search_json(const struct search_result *search, double goal)
{
    return json_pack("{s:f, s:b, s:b, s:f, s:f, s:f, s:i}", "loss_allowed", goal, "found", search->found,
                     "bounded", search->bounded, "pps", search->carried, "pps_refuted", search->upper,
                     "loss_seen", search->loss, "trials", (int)search->trials);
}

static json_t *latency_json(const struct rfc2544_latency *latency)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "pps", latency->pps, "p50", latency->p50, "p90",
                     latency->p90, "p99", latency->p99, "p99.9", latency->p999, "max", latency->max);
}

static json_t *row_json(const struct rfc2544_report *report, const struct rfc2544_row *row)
{
    json_t *curve = json_array();
    for (uint32_t i = 0; curve && i < row->curve_points; i++)
        json_array_append_new(curve,
                              json_pack("{s:f, s:f}", "pps", row->curve[i].pps, "loss", row->curve[i].loss));
    return json_pack(
        "{s:s, s:f, s:f, s:[o,o], s:o, s:o, s:o, s:I, s:b, s:f, s:f}", "size", row->name, "mean_bytes",
        row->mean_size, "offered_pps", row->offered_max, "throughput",
        search_json(&row->throughput[0], report->goal[0]), search_json(&row->throughput[1], report->goal[1]),
        "latency_ns", latency_json(&row->latency[0]), "latency_half_ns", latency_json(&row->latency[1]),
        "loss_curve", curve, "back_to_back", (json_int_t)row->burst_frames, "back_to_back_is_limit",
        row->burst_is_limit, "recovery_ms", row->recovery_ms, "reset_ms", row->reset_ms);
}

json_t *rfc2544_json(const struct rfc2544_report *report)
{
    json_t *rows = json_array();
    for (uint32_t i = 0; rows && i < report->rows; i++)
        if (json_array_append_new(rows, row_json(report, &report->row[i])) != 0) {
            json_decref(rows);
            return NULL;
        }
    return json_pack("{s:s, s:f, s:b, s:o}", "version", SLUICE_VERSION, "trial_seconds", report->seconds,
                     "ended", report->ended, "sizes", rows);
}

int rfc2544_csv(const char *path, const struct rfc2544_report *report, struct sl_error *error)
{
    FILE *out = report_open(path, "--csv", error);
    if (!out)
        return -EIO;
    fprintf(out,
            "size,offered_pps,pps_0_loss,pps_0.5_loss,p50_ns,p99_ns,p50_half_ns,p99_half_ns,back_to_back,"
            "recovery_ms,reset_ms\n");
    for (uint32_t i = 0; i < report->rows; i++) {
        const struct rfc2544_row *row = &report->row[i];
        fprintf(out, "%s,%.0f,%.0f,%.0f,%.0f,%.0f,%.0f,%.0f,%" PRIu64 ",%.0f,%.1f\n", row->name,
                row->offered_max, row->throughput[0].carried, row->throughput[1].carried, row->latency[0].p50,
                row->latency[0].p99, row->latency[1].p50, row->latency[1].p99, row->burst_frames,
                row->recovery_ms, row->reset_ms);
    }
    return report_close(out, path, "--csv", error);
}
