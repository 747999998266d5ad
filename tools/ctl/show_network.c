// SPDX-License-Identifier: Apache-2.0
// port, neighbor, route, prefilter: what is connected, where packets go, who may come in. One thread.
#include <inttypes.h>
#include <string.h>
#include "commands.h"
#include "show.h"
#include "table.h"

static const char *twin_text(const json_t *port)
{
    const json_t *twin = json_object_get(port, "twin");

    if (!get_true(twin, "wanted"))
        return "none";
    return get_true(twin, "up") ? "up" : get_true(twin, "exists") ? "down" : "missing";
}

static const char *link_text(const json_t *running, char text[TABLE_TEXT])
{
    uint64_t speed = get_number(running, "speed_mbps");

    if (!json_is_object(running))
        return "-";
    if (!get_true(running, "link_up"))
        return "down";
    if (speed == 0)
        return "up";
    snprintf(text, TABLE_TEXT, speed % 1000 ? "%" PRIu64 " Mbit/s" : "%" PRIu64 " Gbit/s",
             speed % 1000 ? speed : speed / 1000);
    return text;
}

// In use, once it runs: a device may have fewer than the config wishes.
static uint64_t queues_of(const json_t *port)
{
    const json_t *running = json_object_get(port, "running");

    return json_is_object(running) ? get_number(running, "rx_queues") : get_number(port, "queues");
}

// Packets that the device lost before any of them was counted as received.
static uint64_t missed_of(const json_t *port)
{
    const json_t *running = json_object_get(port, "running");

    return get_number(running, "rx_missed") + get_number(running, "rx_no_buffer");
}

static void port_rows(struct ctl *ctl, const json_t *result, const json_t *before)
{
    double interval = show_interval(result, before);
    char text[TABLE_TEXT];
    struct table table;
    json_t *port;
    size_t i;

    table_init(&table, "PORT", ">RX", ">TX", ">DROPPED", ">MISSED", ">RX NOW", ">", ">TX NOW", ">",
               ">DROPPED NOW", NULL);
    json_array_foreach(json_object_get(result, "ports"), i, port)
    {
        const json_t *old = show_match(before, "ports", "port", port);

        table_add(&table, "%s", get_text(port, "port"));
        table_add(&table, "%s", text_count(get_number(port, "rx_packets"), text));
        table_add(&table, "%s", text_count(get_number(port, "tx_packets"), text));
        table_add(&table, "%s", text_count(get_number(port, "drop_packets"), text));
        table_add(&table, "%s", text_count(missed_of(port), text));
        table_add(&table, "%s", text_rate(show_rate(port, old, "rx_packets", interval), text));
        table_add(&table, "%s", text_bits(show_rate(port, old, "rx_bytes", interval), text));
        table_add(&table, "%s", text_rate(show_rate(port, old, "tx_packets", interval), text));
        table_add(&table, "%s", text_bits(show_rate(port, old, "tx_bytes", interval), text));
        table_add(&table, "%s", text_rate(show_rate(port, old, "drop_packets", interval), text));
    }
    table_print(&table, ctl->out, ctl->color, "no ports: the config has none");
}

int show_port(struct ctl *ctl, const json_t *result, const json_t *before)
{
    char addresses[512], link[TABLE_TEXT];
    struct table table;
    json_t *port;
    size_t i;

    table_init(&table, "PORT", "DEVICE", "STATE", "LINK", ">MTU", ">QUEUES", "MAC", "TWIN", "PREFILTER",
               "ADDRESSES", NULL);
    json_array_foreach(json_object_get(result, "ports"), i, port)
    {
        table_add(&table, "%s", get_text(port, "port"));
        table_add(&table, "%s", get_text(port, "device"));
        table_add(&table, "%s", get_true(port, "enabled") ? "enabled" : "disabled");
        const json_t *running = json_object_get(port, "running");
        table_add(&table, "%s", link_text(running, link));
        table_add(&table, "%" PRIu64, get_number(port, "mtu"));
        table_add(&table, "%" PRIu64, queues_of(port));
        table_add(&table, "%s", get_or_dash(json_is_object(running) ? running : port, "mac"));
        table_add(&table, "%s", twin_text(port));
        table_add(&table, "%s", get_text(json_object_get(port, "prefilter"), "where"));
        table_add(&table, "%s", show_join(json_object_get(port, "addresses"), addresses, sizeof(addresses)));
    }
    table_print(&table, ctl->out, ctl->color, "no ports: the config has none");
    fputc('\n', ctl->out);
    port_rows(ctl, result, before);
    return CTL_OK;
}

static void neighbor_rows(struct ctl *ctl, const json_t *list, const char *none)
{
    char age[TABLE_TEXT];
    struct table table;
    json_t *neighbor;
    size_t i;

    table_init(&table, "ADDRESS", "PORT", "MAC", "STATE", ">AGE", NULL);
    json_array_foreach(list, i, neighbor)
    {
        table_add(&table, "%s", get_text(neighbor, "address"));
        table_add(&table, "%s", get_text(neighbor, "port"));
        table_add(&table, "%s", get_or_dash(neighbor, "mac"));
        table_add(&table, "%s", get_or_dash(neighbor, "state"));
        table_add(&table, "%s",
                  json_object_get(neighbor, "age_ms")
                      ? text_seconds(get_number(neighbor, "age_ms") / 1000, age)
                      : "-");
    }
    table_print(&table, ctl->out, ctl->color, none);
}

int show_neighbor(struct ctl *ctl, const json_t *result, const json_t *before)
{
    neighbor_rows(ctl, json_object_get(result, "neighbors"), "no neighbors");
    if (json_array_size(json_object_get(result, "neighbors")))
        fprintf(ctl->out, "%" PRIu64 " of %" PRIu64 "\n", get_number(result, "used"),
                get_number(result, "capacity"));
    return CTL_OK;
}

// "198.51.100.254 on wan weight 2, ..."
static void via_text(const json_t *route, char *out, size_t size)
{
    json_t *via;
    size_t i, used = 0;

    snprintf(out, size, "-");
    json_array_foreach(json_object_get(route, "via"), i, via)
    {
        const char *address = get_text(via, "address"), *port = get_text(via, "port");
        uint64_t weight = get_number(via, "weight");
        char share[32] = "";

        if (weight > 1)
            snprintf(share, sizeof(share), " weight %" PRIu64, weight);
        if (used < size)
            used += (size_t)snprintf(out + used, size - used, "%s%s%s%s%s", i ? ", " : "", address,
                                     port[0] ? address[0] ? " on " : "on " : "", port, share);
    }
}

static void route_row(struct table *table, const json_t *route)
{
    char via[1024];

    via_text(route, via, sizeof(via));
    table_add(table, "%s", get_text(route, "prefix"));
    table_add(table, "%s", get_text(route, "kind"));
    table_add(table, "%s", get_or_dash(route, "source"));
    table_add(table, "%s", via);
}

int show_route(struct ctl *ctl, const json_t *result, const json_t *before)
{
    json_t *routes = json_object_get(result, "routes"), *route;
    struct table table;
    size_t i;

    table_init(&table, "PREFIX", "KIND", "SOURCE", "VIA", NULL);
    json_array_foreach(routes, i, route) route_row(&table, route);
    table_print(&table, ctl->out, ctl->color, "no routes match");
    if (get_number(result, "matched") > json_array_size(routes))
        fprintf(ctl->out, "%zu of %" PRIu64 " shown: '--limit 0' shows all\n", json_array_size(routes),
                get_number(result, "matched"));
    return CTL_OK;
}

int show_route_lookup(struct ctl *ctl, const json_t *result, const json_t *before)
{
    struct table table;

    if (!get_true(result, "found")) {
        fprintf(ctl->out, "no route to %s: packets to it are dropped as no_route\n",
                get_text(result, "address"));
        return CTL_FAILED;
    }
    table_init(&table, "PREFIX", "KIND", "SOURCE", "VIA", NULL);
    route_row(&table, json_object_get(result, "route"));
    table_print(&table, ctl->out, ctl->color, "");
    if (json_array_size(json_object_get(result, "neighbors"))) {
        fputc('\n', ctl->out);
        neighbor_rows(ctl, json_object_get(result, "neighbors"), "");
    }
    return CTL_OK;
}

static void prefilter_rules(struct ctl *ctl, const json_t *result, const json_t *before)
{
    char text[TABLE_TEXT];
    json_t *port, *rule;
    struct table table;
    size_t i, j;

    table_init(&table, "PORT", "WHERE", "RULE", ">HITS", NULL);
    json_array_foreach(json_object_get(result, "ports"), i, port)
    {
        json_array_foreach(json_object_get(port, "rules"), j, rule)
        {
            table_add(&table, "%s", get_text(port, "port"));
            table_add(&table, "%s", get_text(port, "where"));
            table_add(&table, "%s %s", get_text(rule, "action"), get_text(rule, "set"));
            table_add(&table, "%s", text_count(get_number(rule, "hits"), text));
        }
        table_add(&table, "%s", get_text(port, "port"));
        table_add(&table, "%s", get_text(port, "where"));
        table_add(&table, "else %s", get_or_dash(port, "default"));
        table_add(&table, "%s denied", text_count(get_number(port, "denied"), text));
    }
    table_print(&table, ctl->out, ctl->color, "no port is filtered");
    json_array_foreach(json_object_get(result, "ports"), i, port) if (get_text(port, "why")[0])
        fprintf(ctl->out, "%s: %s\n", get_text(port, "port"), get_text(port, "why"));
}

int show_prefilter(struct ctl *ctl, const json_t *result, const json_t *before)
{
    char text[TABLE_TEXT];
    struct table table;
    json_t *set;
    size_t i;

    table_init(&table, "SET", ">IPV4", ">IPV6", ">SIZE", NULL);
    json_array_foreach(json_object_get(result, "sets"), i, set)
    {
        table_add(&table, "%s", get_text(set, "set"));
        table_add(&table, "%s", text_count(get_number(set, "entries_v4"), text));
        table_add(&table, "%s", text_count(get_number(set, "entries_v6"), text));
        table_add(&table, "%s", text_bytes(get_number(set, "size_bytes"), text));
    }
    table_print(&table, ctl->out, ctl->color, "no sets");
    fputc('\n', ctl->out);
    prefilter_rules(ctl, result, before);
    return CTL_OK;
}

int show_prefilter_test(struct ctl *ctl, const json_t *result, const json_t *before)
{
    json_t *verdict, *set;
    size_t i;

    json_array_foreach(json_object_get(result, "verdicts"), i, verdict)
    {
        bool drop = strcmp(get_text(verdict, "verdict"), "drop") == 0;

        fprintf(ctl->out, "%s from %s on %s: %s%s%s, %s", drop ? "denied" : "passed",
                get_text(result, "address"), get_text(verdict, "port"),
                ctl->color ? drop ? COLOR_BAD : COLOR_GOOD : "", get_text(verdict, "verdict"),
                ctl->color ? COLOR_END : "", get_or_dash(verdict, "reason"));
        if (get_text(verdict, "set")[0])
            fprintf(ctl->out, " (rule %" PRIu64 ", set %s, %s)", get_number(verdict, "rule"),
                    get_text(verdict, "set"), get_or_dash(verdict, "prefix"));
        fputc('\n', ctl->out);
    }
    json_array_foreach(json_object_get(result, "sets"), i, set)
        fprintf(ctl->out, "in set %s by %s\n", get_text(set, "set"), get_or_dash(set, "prefix"));
    return CTL_OK;
}
