// SPDX-License-Identifier: Apache-2.0
// See metrics.h. Names: sluice_<what>_total for counters, labels from the one vocabulary (port, worker, reason, stage).
#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon.h"
#include "serve/command.h"
#include "serve/flows.h"
#include "serve/metrics.h"

struct metrics {
    struct evhttp *http;
    struct daemon *daemon;
};

static void head(struct evbuffer *out, const char *name, const char *type, const char *help)
{
    evbuffer_add_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void gauge(struct evbuffer *out, const char *name, const char *help, uint64_t value)
{
    head(out, name, "gauge", help);
    evbuffer_add_printf(out, "%s %" PRIu64 "\n", name, value);
}

static void write_state(struct daemon *daemon, struct evbuffer *out)
{
    const struct sl_board *board = daemon->board;
    uint64_t now = show_clock_ns(), used, capacity;
    struct sl_live live = sl_board_live(board, board->published, now);

    head(out, "sluice_build_info", "gauge", "1, with the version");
    evbuffer_add_printf(out, "sluice_build_info{version=\"%s\"} 1\n", SLUICE_VERSION);
    gauge(out, "sluice_data_plane_up", "1 where the data plane runs and beats",
          sl_board_dp_alive(board, now));
    gauge(out, "sluice_generation_published", "number of the newest generation", board->published);
    gauge(out, "sluice_generation_live_workers", "workers that use it", live.workers_live);
    gauge(out, "sluice_generation_refused", "1 where the data plane refused it",
          live.state == SL_LIVE_REFUSED);
    gauge(out, "sluice_workers", "workers of the data plane", board->worker_count);
    gauge(out, "sluice_config_confirm_pending", "1 where a config waits to be confirmed",
          daemon->applier.confirm_deadline_ns != 0);
    flows_room(daemon, &used, &capacity);
    gauge(out, "sluice_flows", "flows in the session table", used);
    gauge(out, "sluice_flow_capacity", "flows the session table holds", capacity);
    endpoints_room(daemon, &used, &capacity);
    gauge(out, "sluice_tcp_connections", "TCP connections of the gateway's own", used);
    gauge(out, "sluice_tcp_connection_capacity", "TCP connections there is room for", capacity);
}

static void write_drops(struct daemon *daemon, const struct sl_counter_segment *counters, uint32_t workers,
                        struct evbuffer *out)
{
    uint64_t total[SL_DROP_KINDS], xdp[SL_DROP_KINDS];

    drops_collect(daemon, total, xdp);
    head(out, "sluice_drop_packets_total", "counter",
         "packets that went no further, by reason and by who dropped them");
    for (unsigned i = SL_DROP_none + 1; i < SL_DROP_KINDS; i++) {
        evbuffer_add_printf(out, "# %s: %s\n", sl_drop_name(i), sl_drop_text(i));
        for (uint32_t w = 0; counters && w < workers; w++)
            evbuffer_add_printf(out, "sluice_drop_packets_total{reason=\"%s\",worker=\"%u\"} %" PRIu64 "\n",
                                sl_drop_name(i), w, counters->block[w].drop[i]);
        if (counters)
            evbuffer_add_printf(
                out, "sluice_drop_packets_total{reason=\"%s\",worker=\"housekeeping\"} %" PRIu64 "\n",
                sl_drop_name(i), counters->block[SL_MAX_WORKERS].drop[i]);
        evbuffer_add_printf(out, "sluice_drop_packets_total{reason=\"%s\",worker=\"xdp\"} %" PRIu64 "\n",
                            sl_drop_name(i), xdp[i]);
    }
}

static void write_counters(const struct sl_counter_segment *counters, uint32_t workers, struct evbuffer *out)
{
    char name[96];

    for (unsigned i = 0; i < SL_COUNTER_KINDS; i++) {
        snprintf(name, sizeof(name), "sluice_%s_total", sl_counter_name(i));
        head(out, name, "counter", sl_counter_text(i));
        for (uint32_t w = 0; w < workers; w++)
            evbuffer_add_printf(out, "%s{worker=\"%u\"} %" PRIu64 "\n", name, w,
                                counters->block[w].counter[i]);
        evbuffer_add_printf(out, "%s{worker=\"housekeeping\"} %" PRIu64 "\n", name,
                            counters->block[SL_MAX_WORKERS].counter[i]);
    }
}

static const struct {
    const char *name, *help;
    size_t offset;
} port_metric[] = {
    {"sluice_port_rx_packets_total", "packets received", offsetof(struct sl_port_counters, rx_packets)},
    {"sluice_port_rx_bytes_total", "bytes received", offsetof(struct sl_port_counters, rx_bytes)},
    {"sluice_port_tx_packets_total", "packets sent", offsetof(struct sl_port_counters, tx_packets)},
    {"sluice_port_tx_bytes_total", "bytes sent", offsetof(struct sl_port_counters, tx_bytes)},
    {"sluice_port_drop_packets_total", "packets received here that were dropped",
     offsetof(struct sl_port_counters, drop_packets)},
};

static const struct {
    const char *name, *help;
    size_t offset;
} device_metric[] = {
    {"sluice_port_rx_missed_total", "packets the device had no room for",
     offsetof(struct sl_port_state, rx_missed)},
    {"sluice_port_rx_errors_total", "packets that came in broken", offsetof(struct sl_port_state, rx_errors)},
    {"sluice_port_rx_no_buffer_total", "packets the driver found no buffer for",
     offsetof(struct sl_port_state, rx_no_buffer)},
    {"sluice_port_tx_errors_total", "packets the device failed to send",
     offsetof(struct sl_port_state, tx_errors)},
};

// One line for each port whose device the data plane runs.
static void write_devices(const struct daemon *daemon, const struct sl_counter_segment *counters,
                          struct evbuffer *out)
{
    const struct snapshot *running = daemon->applier.running;

    head(out, "sluice_port_link_up", "gauge", "1 where the port's link is up");
    for (unsigned slot = 0; running && slot < SL_MAX_PORTS; slot++)
        if (running->slots.name[slot][0] && counters->port[slot].driver[0])
            evbuffer_add_printf(out, "sluice_port_link_up{port=\"%s\"} %u\n", running->slots.name[slot],
                                counters->port[slot].link_up);
    for (size_t i = 0; i < sizeof(device_metric) / sizeof(device_metric[0]); i++) {
        head(out, device_metric[i].name, "counter", device_metric[i].help);
        for (unsigned slot = 0; running && slot < SL_MAX_PORTS; slot++) {
            uint64_t value;
            if (!running->slots.name[slot][0] || !counters->port[slot].driver[0])
                continue;
            memcpy(&value, (const char *)&counters->port[slot] + device_metric[i].offset, sizeof(value));
            evbuffer_add_printf(out, "%s{port=\"%s\"} %" PRIu64 "\n", device_metric[i].name,
                                running->slots.name[slot], value);
        }
    }
}

static void write_ports(const struct daemon *daemon, const struct sl_counter_block *sum, struct evbuffer *out)
{
    const struct snapshot *running = daemon->applier.running;

    for (size_t i = 0; i < sizeof(port_metric) / sizeof(port_metric[0]); i++) {
        head(out, port_metric[i].name, "counter", port_metric[i].help);
        for (unsigned slot = 0; running && slot < SL_MAX_PORTS; slot++) {
            uint64_t value;
            if (!running->slots.name[slot][0])
                continue;
            memcpy(&value, (const char *)&sum->port[slot] + port_metric[i].offset, sizeof(value));
            evbuffer_add_printf(out, "%s{port=\"%s\"} %" PRIu64 "\n", port_metric[i].name,
                                running->slots.name[slot], value);
        }
    }
}

static void write_workers(const struct sl_counter_segment *counters, uint32_t workers, struct evbuffer *out)
{
    head(out, "sluice_worker_busy_cycles_total", "counter", "cycles of loop passes that did something");
    for (uint32_t w = 0; w < workers; w++)
        evbuffer_add_printf(out, "sluice_worker_busy_cycles_total{worker=\"%u\"} %" PRIu64 "\n", w,
                            counters->block[w].busy_cycles);
    head(out, "sluice_worker_idle_cycles_total", "counter", "cycles of loop passes that found nothing");
    for (uint32_t w = 0; w < workers; w++)
        evbuffer_add_printf(out, "sluice_worker_idle_cycles_total{worker=\"%u\"} %" PRIu64 "\n", w,
                            counters->block[w].idle_cycles);
}

static void write_stages(const struct sl_counter_segment *counters, uint32_t workers, struct evbuffer *out)
{
    head(out, "sluice_stage_cycles_total", "counter", "cycles spent in a stage of the pipeline");
    for (unsigned i = 0; i < SL_STAGE_KINDS; i++)
        for (uint32_t w = 0; w < workers; w++)
            evbuffer_add_printf(out, "sluice_stage_cycles_total{stage=\"%s\",worker=\"%u\"} %" PRIu64 "\n",
                                sl_stage_name(i), w, counters->block[w].stage[i].cycles);
    head(out, "sluice_stage_packets_total", "counter", "packets a stage of the pipeline handled");
    for (unsigned i = 0; i < SL_STAGE_KINDS; i++)
        for (uint32_t w = 0; w < workers; w++)
            evbuffer_add_printf(out, "sluice_stage_packets_total{stage=\"%s\",worker=\"%u\"} %" PRIu64 "\n",
                                sl_stage_name(i), w, counters->block[w].stage[i].packets);
}

void metrics_write(struct daemon *daemon, struct evbuffer *out)
{
    const struct sl_counter_segment *counters = daemon_counters(daemon);
    uint32_t workers =
        daemon->board->worker_count < SL_MAX_WORKERS ? daemon->board->worker_count : SL_MAX_WORKERS;

    write_state(daemon, out);
    write_drops(daemon, counters, workers, out);
    metrics_write_balance(daemon, out);
    if (!counters)
        return;
    struct sl_counter_block sum;
    sl_counters_sum(counters, &sum);
    write_counters(counters, workers, out);
    write_ports(daemon, &sum, out);
    write_devices(daemon, counters, out);
    write_workers(counters, workers, out);
    write_stages(counters, workers, out);
}

// ---- HTTP -------------------------------------------------------------------------------------------------------

static void answer(struct evhttp_request *request, int code, const char *type, struct evbuffer *body)
{
    evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", type);
    evhttp_send_reply(request, code, code == 200 ? "OK" : "Service Unavailable", body);
    evbuffer_free(body);
}

static void on_metrics(struct evhttp_request *request, void *context)
{
    struct evbuffer *body = evbuffer_new();

    if (!body) {
        evhttp_send_error(request, 500, NULL);
        return;
    }
    metrics_write(((struct metrics *)context)->daemon, body);
    answer(request, 200, "text/plain; version=0.0.4; charset=utf-8", body);
}

// For load balancers and probes: 200 where traffic flows on the newest tables.
static void on_health(struct evhttp_request *request, void *context)
{
    const struct sl_board *board = ((struct metrics *)context)->daemon->board;
    static const char *const word[] = {"pending", "live", "refused", "no data plane"};
    struct sl_live live = sl_board_live(board, board->published, show_clock_ns());
    struct evbuffer *body = evbuffer_new();

    if (!body) {
        evhttp_send_error(request, 500, NULL);
        return;
    }
    evbuffer_add_printf(body, "%s\n", board->published ? word[live.state] : "no config");
    answer(request, board->published && live.state == SL_LIVE_YES ? 200 : 503, "text/plain", body);
}

static int split_listen(const char *text, char *host, size_t room, uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    char *end;

    if (!colon || colon == text)
        return -EINVAL;
    unsigned long number = strtoul(colon + 1, &end, 10);
    if (*end || end == colon + 1 || number == 0 || number > UINT16_MAX)
        return -EINVAL;
    size_t len = (size_t)(colon - text);
    if (text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    if (len >= room)
        return -EINVAL;
    memcpy(host, text, len);
    host[len] = '\0';
    *port = (uint16_t)number;
    return 0;
}

int metrics_new(struct daemon *daemon, const char *listen, struct metrics **out, struct sl_error *error)
{
    char host[64];
    uint16_t port;

    if (split_listen(listen, host, sizeof(host), &port))
        return sl_error_set(error, -EINVAL, "--metrics %s: ADDRESS:PORT is wanted, such as 127.0.0.1:9301",
                            listen);
    struct metrics *metrics = calloc(1, sizeof(*metrics));
    if (!metrics)
        return sl_error_set(error, -ENOMEM, "out of memory");
    metrics->daemon = daemon;
    metrics->http = evhttp_new(daemon->base);
    if (!metrics->http || evhttp_bind_socket(metrics->http, host, port) < 0) {
        int rc =
            sl_error_set(error, -errno, "--metrics %s: cannot listen there: %s", listen, strerror(errno));
        metrics_free(metrics);
        return rc ? rc : -EADDRINUSE;
    }
    evhttp_set_allowed_methods(metrics->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
    evhttp_set_max_headers_size(metrics->http, 16384);
    evhttp_set_max_body_size(metrics->http, 0);
    evhttp_set_timeout(metrics->http, 30);
    evhttp_set_cb(metrics->http, "/metrics", on_metrics, metrics);
    evhttp_set_cb(metrics->http, "/health", on_health, metrics);
    *out = metrics;
    return 0;
}

void metrics_free(struct metrics *metrics)
{
    if (!metrics)
        return;
    if (metrics->http)
        evhttp_free(metrics->http);
    free(metrics);
}
