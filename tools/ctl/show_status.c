// SPDX-License-Identifier: Apache-2.0
// status, worker, drops, counters: is it well, and where do packets and cycles go. One thread.
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "commands.h"
#include "show.h"
#include "table.h"

static void line(struct ctl *ctl, const char *title, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void line(struct ctl *ctl, const char *title, const char *format, ...)
{
    va_list arguments;

    fprintf(ctl->out, "%s%-12s%s ", ctl->color ? COLOR_BOLD : "", title, ctl->color ? COLOR_END : "");
    va_start(arguments, format);
    vfprintf(ctl->out, format, arguments);
    va_end(arguments);
    fputc('\n', ctl->out);
}

// A state in its color: what is wished for in green, all else in red.
static const char *state_text(struct ctl *ctl, const char *state, const char *good, char out[64])
{
    if (!ctl->color)
        snprintf(out, 64, "%s", state);
    else
        snprintf(out, 64, "%s%s%s", strcmp(state, good) == 0 ? COLOR_GOOD : COLOR_BAD, state, COLOR_END);
    return out;
}

static void status_daemons(struct ctl *ctl, const json_t *result)
{
    const json_t *control = json_object_get(result, "control"), *dp = json_object_get(result, "data_plane");
    char age[TABLE_TEXT], state[64], left[48] = "";

    if (get_number(control, "confirm_remaining_s"))
        snprintf(left, sizeof(left), ", goes back in %" PRIu64 " s unless confirmed",
                 get_number(control, "confirm_remaining_s"));
    line(ctl, "sluiced", "%s, pid %" PRIu64 ", up %s%s", get_text(control, "state"),
         get_number(control, "pid"), text_seconds(get_number(control, "uptime_s"), age), left);
    if (!get_number(dp, "worker_count"))
        line(ctl, "sluice-dp", "%s", state_text(ctl, get_text(dp, "state"), "running", state));
    else
        line(ctl, "sluice-dp", "%s, pid %" PRIu64 ", up %s, %" PRIu64 " workers, start %" PRIu64,
             state_text(ctl, get_text(dp, "state"), "running", state), get_number(dp, "pid"),
             text_seconds(get_number(dp, "uptime_s"), age), get_number(dp, "worker_count"),
             get_number(dp, "incarnation"));
}

static void status_generation(struct ctl *ctl, const json_t *result)
{
    const json_t *generation = json_object_get(result, "generation"),
                 *config = json_object_get(result, "config");
    const char *disk = get_text(config, "disk");
    char state[64], when[32] = "never";
    time_t applied = (time_t)get_number(config, "applied_at");

    line(ctl, "generation", "%" PRIu64 " %s on %" PRIu64 "/%" PRIu64 " workers%s%s",
         get_number(generation, "published"), state_text(ctl, get_text(generation, "state"), "live", state),
         get_number(generation, "live_workers"),
         get_number(json_object_get(result, "data_plane"), "worker_count"),
         get_text(generation, "refusal")[0] ? ": refused: " : "", get_text(generation, "refusal"));
    if (applied)
        strftime(when, sizeof(when), "%F %T", localtime(&applied));
    line(ctl, "config", "%s, applied %s%s%s", get_text(config, "path"), when,
         strcmp(disk, "same") == 0 ? "" : "; on disk: ", strcmp(disk, "same") == 0 ? "" : disk);
}

int show_status(struct ctl *ctl, const json_t *result, const json_t *before)
{
    const json_t *totals = json_object_get(result, "totals");
    char a[TABLE_TEXT], b[TABLE_TEXT], c[TABLE_TEXT];
    json_t *warning;
    size_t i;

    status_daemons(ctl, result);
    status_generation(ctl, result);
    line(ctl, "tables", "%" PRIu64 " ports, %s IPv4 and %s IPv6 routes", get_number(totals, "ports"),
         text_count(get_number(totals, "routes_v4"), a), text_count(get_number(totals, "routes_v6"), b));
    line(ctl, "flows", "%s of %s", text_count(get_number(totals, "flows"), a),
         text_count(get_number(totals, "flow_capacity"), b));
    if (get_number(totals, "tcp_connections"))
        line(ctl, "endpoints", "%s of %s connections", text_count(get_number(totals, "tcp_connections"), a),
             text_count(get_number(totals, "tcp_connection_capacity"), b));
    line(ctl, "neighbors", "%s of %s", text_count(get_number(totals, "neighbors"), a),
         text_count(get_number(totals, "neighbor_capacity"), b));
    line(ctl, "packets", "%s in, %s out, %s dropped", text_count(get_number(totals, "rx_packets"), a),
         text_count(get_number(totals, "tx_packets"), b), text_count(get_number(totals, "drop_packets"), c));
    json_array_foreach(json_object_get(result, "warnings"), i, warning)
        fprintf(ctl->out, "%swarning:%s %s\n", ctl->color ? COLOR_WARN : "", ctl->color ? COLOR_END : "",
                json_string_value(warning));
    return CTL_OK;
}

// Cycles a packet in one stage: of the interval where there were packets in it, else since start; "-" where never.
static void stage_cell(struct table *table, const json_t *stage, const json_t *before)
{
    uint64_t cycles = get_number(stage, "cycles"), packets = get_number(stage, "packets");
    uint64_t old_packets = before ? get_number(before, "packets") : 0;

    if (before && packets > old_packets) {
        cycles -= get_number(before, "cycles");
        packets -= old_packets;
    }
    if (packets)
        table_add(table, "%.1f", (double)cycles / (double)packets);
    else
        table_add(table, "-");
}

static void worker_stages(struct ctl *ctl, const json_t *result, const json_t *before)
{
    json_t *worker, *stage;
    struct table table;
    size_t i, j, stages = 0;

    // A row a stage, a column a worker, at most as many as a terminal has room for.
    table_init(&table, "CYCLES/PACKET", ">W0", ">W1", ">W2", ">W3", ">W4", ">W5", ">W6", ">W7", NULL);
    json_t *workers = json_object_get(result, "workers");
    if (json_array_size(workers) < table.columns - 1)
        table.columns = 1 + (unsigned)json_array_size(workers);
    stages = json_array_size(json_object_get(json_array_get(workers, 0), "stages"));
    for (j = 0; j < stages; j++) {
        stage = json_array_get(json_object_get(json_array_get(workers, 0), "stages"), j);
        table_add(&table, "%s", get_text(stage, "stage"));
        json_array_foreach(workers, i, worker)
        {
            if (i + 1 >= table.columns)
                break;
            const json_t *old = show_match(before, "workers", "worker", worker);
            stage_cell(&table, json_array_get(json_object_get(worker, "stages"), j),
                       old ? json_array_get(json_object_get(old, "stages"), j) : NULL);
        }
    }
    table_print(&table, ctl->out, ctl->color, "no stages");
}

int show_worker(struct ctl *ctl, const json_t *result, const json_t *before)
{
    double interval = show_interval(result, before);
    struct table table;
    json_t *worker;
    size_t i;

    table_init(&table, "WORKER", ">CPU", ">LOAD", ">LOOPS", ">FLOWS", ">CAPACITY", ">GENERATION", "LIVE",
               NULL);
    json_array_foreach(json_object_get(result, "workers"), i, worker)
    {
        const json_t *old = show_match(before, "workers", "worker", worker);
        double busy = (double)get_number(worker, "busy_cycles"),
               idle = (double)get_number(worker, "idle_cycles");
        char text[TABLE_TEXT];

        if (interval > 0 && old && get_number(worker, "busy_cycles") >= get_number(old, "busy_cycles")) {
            busy -= (double)get_number(old, "busy_cycles");
            idle -= (double)get_number(old, "idle_cycles");
        }
        table_add(&table, "%" PRIu64, get_number(worker, "worker"));
        table_add(&table, "%" PRIu64, get_number(worker, "cpu"));
        if (busy + idle > 0)
            table_add(&table, "%.1f%%", 100 * busy / (busy + idle));
        else
            table_add(&table, "-");
        table_add(&table, "%s", text_rate(show_rate(worker, old, "bursts", interval), text));
        table_add(&table, "%s", text_count(get_number(worker, "flows"), text));
        table_add(&table, "%s", text_count(get_number(worker, "flow_capacity"), text));
        table_add(&table, "%" PRIu64, get_number(worker, "generation"));
        table_add(&table, "%s", get_true(worker, "live") ? "yes" : "no");
    }
    table_print(&table, ctl->out, ctl->color, "no workers: sluice-dp does not run");
    fputc('\n', ctl->out);
    worker_stages(ctl, result, before);
    return CTL_OK;
}

struct drop_row {
    const json_t *drop;
    double rate;
};

// Those that grow first, then the largest.
static int drop_compare(const void *a, const void *b)
{
    const struct drop_row *x = a, *y = b;
    uint64_t p = get_number(x->drop, "packets"), q = get_number(y->drop, "packets");

    if (x->rate != y->rate)
        return x->rate > y->rate ? -1 : 1;
    return p > q ? -1 : p < q;
}

int show_drops(struct ctl *ctl, const json_t *result, const json_t *before)
{
    const json_t *drops = json_object_get(result, "drops");
    struct drop_row row[128];
    double interval = show_interval(result, before);
    char count[TABLE_TEXT], rate[TABLE_TEXT], since[TABLE_TEXT];
    size_t rows = 0, i;
    struct table table;
    json_t *drop;

    json_array_foreach(drops, i, drop)
    {
        const json_t *old = show_match(before, "drops", "reason", drop);

        if (rows < sizeof(row) / sizeof(row[0]))
            // A reason that was not in the earlier list had not happened: all of it is new.
            row[rows++] = (struct drop_row){drop, interval <= 0 ? -1
                                                  : old         ? show_rate(drop, old, "packets", interval)
                                                        : (double)get_number(drop, "packets") / interval};
    }
    qsort(row, rows, sizeof(row[0]), drop_compare);
    table_init(&table, "REASON", ">PACKETS", ">NOW", "MEANING", NULL);
    for (i = 0; i < rows; i++) {
        table_add(&table, "%s", get_text(row[i].drop, "reason"));
        table_add(&table, "%s", text_count(get_number(row[i].drop, "packets"), count));
        table_add(&table, "%s", text_rate(row[i].rate, rate));
        table_add(&table, "%s", get_text(row[i].drop, "text"));
    }
    table_print(&table, ctl->out, ctl->color, "no drops");
    if (rows)
        fprintf(ctl->out, "%s in all, in %s\n", text_count(get_number(result, "total"), count),
                text_seconds(get_number(result, "since_s"), since));
    return CTL_OK;
}

int show_counters(struct ctl *ctl, const json_t *result, const json_t *before)
{
    double interval = show_interval(result, before);
    char count[TABLE_TEXT], rate[TABLE_TEXT];
    struct table table;
    json_t *counter;
    size_t i;

    table_init(&table, "COUNTER", ">VALUE", ">NOW", "MEANING", NULL);
    json_array_foreach(json_object_get(result, "counters"), i, counter)
    {
        const json_t *old = show_match(before, "counters", "counter", counter);

        table_add(&table, "%s", get_text(counter, "counter"));
        table_add(&table, "%s", text_count(get_number(counter, "value"), count));
        table_add(&table, "%s", text_rate(show_rate(counter, old, "value", interval), rate));
        table_add(&table, "%s", get_text(counter, "text"));
    }
    table_print(&table, ctl->out, ctl->color, "nothing counted yet");
    return CTL_OK;
}
