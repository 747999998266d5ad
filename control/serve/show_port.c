// SPDX-License-Identifier: Apache-2.0
// port: what is configured, what the kernel's twin is, what was counted.
#include <stdlib.h>
#include <string.h>
#include "config/text.h"
#include "netlink/twins.h"
#include "serve/command.h"

static json_t *json_texts(char *const *text, unsigned count)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < count; i++)
        json_array_append_new(list, json_string(text[i]));
    return list;
}

static json_t *json_twin(const struct sl_config_port *port)
{
    struct twin_state state = port->twin ? twins_look(port->name) : (struct twin_state){0};
    json_t *twin = json_pack("{s:b, s:b, s:b}", "wanted", port->twin && port->enabled, "exists", state.exists,
                             "up", state.up);

    if (state.exists)
        json_object_set_new(twin, "ifindex", json_count(state.ifindex));
    return twin;
}

static void add_counts(json_t *out, const struct sl_port_counters *count)
{
    json_object_set_new(out, "rx_packets", json_count(count->rx_packets));
    json_object_set_new(out, "rx_bytes", json_count(count->rx_bytes));
    json_object_set_new(out, "tx_packets", json_count(count->tx_packets));
    json_object_set_new(out, "tx_bytes", json_count(count->tx_bytes));
    json_object_set_new(out, "drop_packets", json_count(count->drop_packets));
}

// What runs, as the data plane saw it within the last second; null where it has no device for the port.
static json_t *json_device(const struct sl_port_state *state)
{
    if (!state || !state->driver[0])
        return json_null();
    return json_pack("{s:s#, s:o, s:b, s:i, s:i, s:i, s:b, s:o, s:o, s:o, s:o}", "driver", state->driver,
                     (int)strnlen(state->driver, sizeof(state->driver)), "mac", json_mac(state->mac),
                     "link_up", state->link_up != 0, "speed_mbps", (int)state->speed_mbps, "rx_queues",
                     (int)state->rx_queues, "tx_queues", (int)state->tx_queues, "xdp_prefilter",
                     state->xdp_prefilter != 0, "rx_missed", json_count(state->rx_missed), "rx_errors",
                     json_count(state->rx_errors), "rx_no_buffer", json_count(state->rx_no_buffer),
                     "tx_errors", json_count(state->tx_errors));
}

static unsigned mss_v4(const struct sl_config_port *port)
{
    return port->mss_clamp == SL_CONFIG_MSS_AUTO ? port->mtu - 40u : port->mss_clamp;
}

static json_t *json_port(const struct daemon *daemon, const struct sl_config_port *port, unsigned slot,
                         const struct sl_port_counters *count)
{
    unsigned v4 = mss_v4(port);
    json_t *out = json_pack("{s:s, s:i, s:s, s:b, s:i, s:i, s:o, s:i, s:i, s:o, s:{s:s}, s:b, s:b}", "port",
                            port->name, "slot", (int)slot, "device", port->device, "enabled", port->enabled,
                            "mtu", (int)port->mtu, "queues", (int)port->queues, "addresses",
                            json_texts(port->addresses, port->addresses_count), "mss_clamp_v4", (int)v4,
                            "mss_clamp_v6", (int)(v4 > 20 ? v4 - 20 : 0), "twin", json_twin(port),
                            "prefilter", "where", prefilter_where(daemon, port), "martians", port->martians,
                            "nat", config_has_nat(daemon->applier.running->config));

    if (out) {
        json_object_set_new(out, "mac", port->mac ? json_string(port->mac) : json_null());
        add_counts(out, count);
    }
    return out;
}

void show_port(struct daemon *daemon, struct call *call)
{
    const struct snapshot *running = daemon->applier.running;
    const struct sl_counter_segment *counters = daemon_counters(daemon);
    struct sl_counter_block sum = {0};
    int only = arg_port(daemon, call);

    if (only == -2)
        return;
    if (counters)
        sl_counters_sum(counters, &sum);
    json_t *list = json_array();
    for (unsigned i = 0; running && i < running->config->ports_count; i++) {
        const struct sl_config_port *port = &running->config->ports[i];
        int slot = slots_find(&running->slots, port->name);
        if (slot < 0 || (only >= 0 && slot != only))
            continue;
        json_t *shown = json_port(daemon, port, (unsigned)slot, &sum.port[slot]);
        bool runs = counters && sl_board_dp_alive(daemon->board, show_clock_ns());
        json_object_set_new(shown, "running", json_device(runs ? &counters->port[slot] : NULL));
        json_array_append_new(list, shown);
    }
    call_reply(call, json_pack("{s:o, s:o}", "clock_ns", json_count(show_clock_ns()), "ports", list));
}
