// SPDX-License-Identifier: Apache-2.0
// status: what runs, since when, and what is wrong.
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "config/load.h"
#include "config/print.h"
#include "serve/command.h"
#include "serve/flows.h"

static json_t *status_control(const struct daemon *daemon, uint64_t now_ns)
{
    const struct applier *applier = &daemon->applier;
    const char *state = apply_busy(applier)            ? "applying"
                        : applier->confirm_deadline_ns ? "confirming"
                                                       : "idle";
    json_t *control = json_pack("{s:i, s:o, s:s, s:s, s:s}", "pid", (int)getpid(), "uptime_s",
                                json_count((now_ns - daemon->start_ns) / 1000000000), "state", state,
                                "run_dir", daemon->options.run_dir, "state_dir", daemon->options.state_dir);

    if (applier->confirm_deadline_ns) {
        uint64_t left = applier->confirm_deadline_ns > now_ns ? applier->confirm_deadline_ns - now_ns : 0;
        json_object_set_new(control, "confirm_remaining_s", json_count((left + 999999999) / 1000000000));
    }
    return control;
}

// What the config file on disk is, compared with what runs. Looked at only when the file has changed.
static const char *disk_state(struct daemon *daemon)
{
    uint64_t identity = file_identity(daemon->options.config_path);
    uint64_t running = daemon->applier.running ? daemon->applier.running->stored.hash : 0;
    struct sl_config *config = NULL;
    struct sl_diagnostics diag;

    if (identity && identity == daemon->disk_identity && running == daemon->disk_running)
        return daemon->disk_state;
    daemon->disk_identity = identity;
    daemon->disk_running = running;
    sl_diag_init(&diag);
    int rc = sl_config_load(daemon->options.config_path, &config, &diag);
    if (rc == -EINVAL)
        daemon->disk_state = "invalid";
    else if (rc)
        daemon->disk_state = rc == -ENOENT ? "missing" : "unreadable";
    else
        daemon->disk_state =
            daemon->applier.running && sl_config_equal(config, daemon->applier.running->config) ? "same"
                                                                                                : "differs";
    sl_config_free(config);
    sl_diag_fini(&diag);
    return daemon->disk_state;
}

static json_t *status_config(struct daemon *daemon)
{
    const struct snapshot *running = daemon->applier.running;
    json_t *config = json_pack("{s:s, s:s}", "path", daemon->options.config_path, "disk", disk_state(daemon));

    if (!running)
        return config;
    json_object_set_new(config, "hash", json_hash(running->stored.hash));
    json_object_set_new(config, "id", json_count(running->stored.id));
    json_object_set_new(config, "applied_at", json_integer(running->stored.applied_at));
    json_object_set_new(
        config, "applied_by",
        json_pack("{s:o, s:s}", "uid", json_count(running->stored.uid), "user", running->stored.user));
    json_object_set_new(config, "comment", json_string(running->stored.comment));
    return config;
}

static json_t *status_data_plane(const struct daemon *daemon, uint64_t now)
{
    const struct sl_board *board = daemon->board;
    const char *state = data_plane_state(board, now);
    json_t *dp = json_pack("{s:s, s:o, s:o}", "state", state, "incarnation", json_count(board->incarnation),
                           "worker_count", json_count(board->worker_count));

    if (strcmp(state, "stopped") == 0)
        return dp;
    json_object_set_new(dp, "pid", json_count(board->dp_pid));
    json_object_set_new(dp, "uptime_s", json_count((now - board->dp_start_ns) / 1000000000));
    json_object_set_new(
        dp, "heartbeat_age_ms",
        json_count(now > board->dp_heartbeat_ns ? (now - board->dp_heartbeat_ns) / 1000000 : 0));
    return dp;
}

static json_t *status_tables(const struct snapshot *running)
{
    static const char *const name[SNAPSHOT_TABLES] = {"port", "route", "nat", "prefilter"};
    json_t *list = json_array();

    for (unsigned i = 0; running && i < SNAPSHOT_TABLES; i++)
        json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "kind", name[i], "serial",
                                              json_count(running->table[i].ref.serial), "size_bytes",
                                              json_count(running->table[i].ref.size)));
    return list;
}

static json_t *status_generation(const struct daemon *daemon, struct sl_live live)
{
    static const char *const state[] = {"pending", "live", "refused", "waiting"};
    const struct sl_board *board = daemon->board;
    json_t *generation = json_pack(
        "{s:s, s:o, s:o, s:o, s:o}", "state", board->published ? state[live.state] : "none", "published",
        json_count(board->published), "loaded", json_count(board->loaded), "live_workers",
        json_count(live.workers_live), "tables", status_tables(daemon->applier.running));

    if (live.state == SL_LIVE_REFUSED) {
        char why[256];
        sl_board_refusal(board, why);
        json_object_set_new(generation, "refusal", json_string(why));
    }
    return generation;
}

static void add_ports(struct daemon *daemon, json_t *totals)
{
    const struct sl_counter_segment *counters = daemon_counters(daemon);
    struct sl_counter_block sum = {0};
    uint64_t rx = 0, tx = 0, drops = 0, total[SL_DROP_KINDS], xdp[SL_DROP_KINDS];

    if (counters)
        sl_counters_sum(counters, &sum);
    drops_collect(daemon, total, xdp);
    for (unsigned i = 0; i < SL_MAX_PORTS; i++) {
        rx += sum.port[i].rx_packets;
        tx += sum.port[i].tx_packets;
    }
    for (unsigned i = SL_DROP_none + 1; i < SL_DROP_KINDS; i++)
        drops += total[i];
    json_object_set_new(totals, "rx_packets", json_count(rx));
    json_object_set_new(totals, "tx_packets", json_count(tx));
    json_object_set_new(totals, "drop_packets", json_count(drops));
}

static void add_routes(const struct daemon *daemon, json_t *totals)
{
    const struct snapshot *running = daemon->applier.running;
    struct sl_segment_map map = {0};
    const struct sl_route_table *table = NULL;

    if (running) {
        char name[SL_SEGMENT_NAME];
        sl_segment_name(SL_SEG_ROUTE, running->table[SNAPSHOT_ROUTE].ref.serial, name);
        if (sl_segment_open(daemon->options.run_dir, name, SL_SEG_ROUTE, false, &map, NULL) == 0)
            table = map.base;
    }
    json_object_set_new(totals, "routes_v4", json_count(table ? table->route_count_v4 : 0));
    json_object_set_new(totals, "routes_v6", json_count(table ? table->route_count_v6 : 0));
    json_object_set_new(totals, "nexthops", json_count(table ? table->nexthop_count : 0));
    sl_segment_close(&map);
}

static void add_neighbors(const struct daemon *daemon, json_t *totals)
{
    struct sl_segment_map map = {0};
    const struct sl_neighbor_segment *segment = NULL;

    if (sl_segment_open(daemon->options.run_dir, "neighbor", SL_SEG_NEIGHBOR, false, &map, NULL) == 0)
        segment = map.base;
    json_object_set_new(totals, "neighbors", json_count(segment ? segment->used : 0));
    json_object_set_new(totals, "neighbor_capacity", json_count(segment ? segment->capacity : 0));
    sl_segment_close(&map);
}

static json_t *status_totals(struct daemon *daemon)
{
    const struct snapshot *running = daemon->applier.running;
    json_t *totals = json_object();
    uint64_t used, capacity;

    flows_room(daemon, &used, &capacity);
    json_object_set_new(totals, "ports", json_count(running ? running->config->ports_count : 0));
    json_object_set_new(totals, "flows", json_count(used));
    json_object_set_new(totals, "flow_capacity", json_count(capacity));
    endpoints_room(daemon, &used, &capacity);
    json_object_set_new(totals, "tcp_connections", json_count(used));
    json_object_set_new(totals, "tcp_connection_capacity", json_count(capacity));
    json_object_set_new(totals, "tcp_ports",
                        running ? json_string(running->config->tcp.ports ? running->config->tcp.ports
                                                                         : SL_CONFIG_TCP_PORTS)
                                : json_null());
    add_routes(daemon, totals);
    add_neighbors(daemon, totals);
    add_ports(daemon, totals);
    return totals;
}

static void warn(json_t *list, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void warn(json_t *list, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    json_array_append_new(list, json_string(text));
}

static json_t *status_warnings(struct daemon *daemon, struct sl_live live)
{
    json_t *list = json_array();
    const char *disk = disk_state(daemon), *dp = data_plane_state(daemon->board, show_clock_ns());

    if (!daemon->applier.running)
        warn(list, "no config is under control: 'sluicectl config apply FILE'");
    else if (strcmp(disk, "differs") == 0)
        warn(list, "config on disk differs: 'sluicectl config diff' shows how, 'sluicectl config apply' "
                   "takes it up");
    else if (strcmp(disk, "same") != 0)
        warn(list, "config on disk is %s: 'sluicectl config check %s'", disk, daemon->options.config_path);
    if (strcmp(dp, "stopped") == 0)
        warn(list, "the data plane is not running: 'systemctl start sluice-dp'");
    else if (strcmp(dp, "silent") == 0)
        warn(list, "the data plane (pid %u) does not beat: look at its log, 'journalctl -u sluice-dp'",
             daemon->board->dp_pid);
    if (live.state == SL_LIVE_REFUSED && daemon->board->published)
        warn(list, "the data plane refused the last generation and goes on with the one before");
    if (daemon->applier.confirm_deadline_ns)
        warn(list, "the config waits to be confirmed: 'sluicectl config confirm' keeps it");
    if (daemon->xdp_why[0])
        warn(list, "the XDP programs do not filter, the workers do: %s", daemon->xdp_why);
    if (daemon->twins_why[0])
        warn(list, "kernel twins are not configured: %s", daemon->twins_why);
    if (daemon->take_up_note[0])
        warn(list, "%s", daemon->take_up_note);
    return list;
}

void show_status(struct daemon *daemon, struct call *call)
{
    uint64_t now = show_clock_ns();
    struct sl_live live = sl_board_live(daemon->board, daemon->board->published, now);
    bool running = strcmp(data_plane_state(daemon->board, now), "running") == 0;
    bool ready = running && daemon->board->published && live.state == SL_LIVE_YES;

    if (!running && live.state != SL_LIVE_REFUSED)
        live = (struct sl_live){.state = SL_LIVE_STOPPED};

    call_reply(call, json_pack("{s:s, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "version", SLUICE_VERSION,
                               "clock_ns", json_count(now), "ready", ready, "control",
                               status_control(daemon, daemon_now_ns()), "config", status_config(daemon),
                               "data_plane", status_data_plane(daemon, now), "generation",
                               status_generation(daemon, live), "totals", status_totals(daemon), "warnings",
                               status_warnings(daemon, live)));
}
