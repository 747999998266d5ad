// SPDX-License-Identifier: Apache-2.0
// The benchmark's numbers as text, JSON and CSV. Called by rfc2544.c, on the main thread.
#include <errno.h>
#include <math.h>
#include "report.h"
#include "rfc2544.h"

const char *rfc2544_scaled_text(double value, char out[16])
{
    return isnan(value) ? "-" : report_scaled(value, out);
}

const char *rfc2544_time_text(double ns, char out[16])
{
    return isnan(ns) ? "-" : report_time(ns, out);
}

const char *rfc2544_rate_text(const struct search_result *search, char out[16])
{
    return search->found || isnan(search->carried) ? rfc2544_scaled_text(search->carried, out) : "none";
}

char rfc2544_mark(const struct rfc2544_row *row, uint32_t goal)
{
    return row->from_stricter[goal] ? '=' : row->carries_all[goal] ? '+' : ' ';
}

static bool row_kept(const struct rfc2544_row *row)
{
    bool kept = false;
    for (uint32_t i = 0; i < RFC2544_GOALS; i++)
        kept = kept || row->throughput[i].kept;
    return kept;
}

const char *rfc2544_note(const struct rfc2544_row *row)
{
    if (row_kept(row))
        return "the generator was kept from its core";
    return row->port_full ? "the port pushed back" : "";
}

static void number_text(FILE *out, int digits, double value)
{
    if (isnan(value))
        fprintf(out, " %8s", "-");
    else
        fprintf(out, " %8.*f", digits, value);
}

static void row_text(FILE *out, const struct rfc2544_report *report, const struct rfc2544_row *row)
{
    char rate[2][16], bits[16], most[16], p50[16], p99[16], half[16], burst[16];
    fprintf(out, "%-6s %10s%c %10s%c %10s %10s", row->name, rfc2544_rate_text(&row->throughput[0], rate[0]),
            rfc2544_mark(row, 0), rfc2544_rate_text(&row->throughput[1], rate[1]), rfc2544_mark(row, 1),
            rfc2544_scaled_text(row->throughput[0].carried * row->mean_size * 8, bits),
            rfc2544_scaled_text(row->offered_max, most));
    fprintf(out, " %10s %10s %10s", rfc2544_time_text(row->latency[0].p50, p50),
            rfc2544_time_text(row->latency[0].p99, p99), rfc2544_time_text(row->latency[1].p50, half));
    fprintf(out, " %10s%s", rfc2544_scaled_text(row->burst_frames, burst), row->burst_is_limit ? "+" : " ");
    if (report->tests & RFC2544_RECOVERY)
        number_text(out, 0, row->recovery_ms);
    if (report->tests & RFC2544_RESET)
        number_text(out, 1, row->reset_ms);
    fprintf(out, "%s%s\n", *rfc2544_note(row) ? "  " : "", rfc2544_note(row));
}

void rfc2544_text(FILE *out, const struct rfc2544_report *report)
{
    fprintf(out, "%-6s %11s %11s %10s %10s %10s %10s %10s %11s%s%s\n", "size", "0 % loss", "0.5 % loss",
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
    fprintf(out,
            "\n\nTrials of %g s. A '+': the device carried all that was offered; it may carry more. A '=': "
            "as with "
            "less loss; its own search found less.\n",
            report->seconds);
    if (report->ended)
        fprintf(out, "Ended by the operator: the last row is incomplete.\n");
}

static json_t *real_json(double value)
{
    return isnan(value) ? json_null() : json_real(value);
}

static json_t *search_json(const struct rfc2544_row *row, uint32_t i, double goal)
{
    const struct search_result *search = &row->throughput[i];
    return json_pack("{s:f, s:b, s:b, s:b, s:b, s:b, s:o, s:f, s:f, s:i}", "loss_allowed", goal, "found",
                     search->found, "bounded", search->bounded, "carries_all", row->carries_all[i],
                     "from_stricter", row->from_stricter[i], "kept_from_core", search->kept, "pps",
                     real_json(search->carried), "pps_refuted", search->upper, "loss_seen", search->loss,
                     "trials", (int)search->trials);
}

static json_t *latency_json(const struct rfc2544_latency *latency)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "pps", real_json(latency->pps), "p50",
                     real_json(latency->p50), "p90", real_json(latency->p90), "p99", real_json(latency->p99),
                     "p99.9", real_json(latency->p999), "max", real_json(latency->max));
}

static json_t *row_json(const struct rfc2544_report *report, const struct rfc2544_row *row)
{
    json_t *curve = json_array();
    for (uint32_t i = 0; curve && i < row->curve_points; i++)
        json_array_append_new(curve,
                              json_pack("{s:f, s:f}", "pps", row->curve[i].pps, "loss", row->curve[i].loss));
    return json_pack("{s:s, s:f, s:o, s:b, s:[o,o], s:o, s:o, s:o, s:o, s:b, s:o, s:o}", "size", row->name,
                     "mean_bytes", row->mean_size, "offered_pps", real_json(row->offered_max),
                     "port_pushed_back", row->port_full, "throughput", search_json(row, 0, report->goal[0]),
                     search_json(row, 1, report->goal[1]), "latency_ns", latency_json(&row->latency[0]),
                     "latency_half_ns", latency_json(&row->latency[1]), "loss_curve", curve, "back_to_back",
                     isnan(row->burst_frames) ? json_null() : json_integer((json_int_t)row->burst_frames),
                     "back_to_back_is_limit", row->burst_is_limit, "recovery_ms", real_json(row->recovery_ms),
                     "reset_ms", real_json(row->reset_ms));
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

// What was not measured is an empty cell.
static void cell(FILE *out, int digits, double value)
{
    fputc(',', out);
    if (!isnan(value))
        fprintf(out, "%.*f", digits, value);
}

static void row_csv(FILE *out, const struct rfc2544_row *row)
{
    const double after[] = {row->latency[0].p50, row->latency[0].p99, row->latency[1].p50,
                            row->latency[1].p99, row->burst_frames,   row->recovery_ms};
    fputs(row->name, out);
    cell(out, 0, row->offered_max);
    for (uint32_t i = 0; i < RFC2544_GOALS; i++)
        cell(out, 0, row->throughput[i].carried);
    for (size_t i = 0; i < sizeof(after) / sizeof(after[0]); i++)
        cell(out, 0, after[i]);
    cell(out, 1, row->reset_ms);
    for (uint32_t i = 0; i < RFC2544_GOALS; i++)
        fputs(rfc2544_mark(row, i) == '+' ? ",+" : rfc2544_mark(row, i) == '=' ? ",=" : ",", out);
    fprintf(out, ",%s\n", rfc2544_note(row));
}

int rfc2544_csv(const char *path, const struct rfc2544_report *report, struct sl_error *error)
{
    FILE *out = report_open(path, "--csv", error);
    if (!out)
        return -EIO;
    fprintf(out,
            "size,offered_pps,pps_0_loss,pps_0.5_loss,p50_ns,p99_ns,p50_half_ns,p99_half_ns,back_to_back,"
            "recovery_ms,reset_ms,mark_0_loss,mark_0.5_loss,note\n");
    for (uint32_t i = 0; i < report->rows; i++)
        row_csv(out, &report->row[i]);
    return report_close(out, path, "--csv", error);
}
