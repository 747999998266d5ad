// SPDX-License-Identifier: Apache-2.0
// prefilter, prefilter.test: sets and rules as the live table has them, hits from the workers and the XDP programs.
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include "config/text.h"
#include "serve/command.h"
#include "table/lpm_read.h"

struct view {
    struct sl_segment_map map;
    const struct sl_prefilter_table *table;
    const struct sl_prefilter_set *set;
    const struct sl_prefilter_port *port;
};

static int view_open(const struct daemon *daemon, struct view *view)
{
    const struct snapshot *running = daemon->applier.running;
    char name[SL_SEGMENT_NAME];

    memset(view, 0, sizeof(*view));
    if (!running)
        return -1;
    sl_segment_name(SL_SEG_PREFILTER, running->table[SNAPSHOT_PREFILTER].ref.serial, name);
    if (sl_segment_open(daemon->options.run_dir, name, SL_SEG_PREFILTER, false, &view->map, NULL))
        return -1;
    view->table = view->map.base;
    view->set = (const void *)((const char *)view->map.base + view->table->set_offset);
    view->port = (const void *)((const char *)view->map.base + view->table->port_offset);
    return 0;
}

static void no_table(struct call *call)
{
    call_error(call, "not-found", NULL, "no config has been applied yet: 'sluicectl config apply FILE'");
}

static uint32_t ifindex_of(const struct sl_config_port *port)
{
    enum sl_device_kind kind;
    const char *rest, *why;
    char name[IF_NAMESIZE];

    if (sl_device_parse(port->device, &kind, &rest, &why) || kind != SL_DEVICE_AF_XDP)
        return 0;
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(rest, ","), rest);
    return if_nametoindex(name);
}

static const char *action_name(unsigned action)
{
    return action == SL_PREFILTER_DENY ? "deny" : "allow";
}

static json_t *json_sets(const struct view *view)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < view->table->set_count; i++)
        json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o}", "set", view->set[i].name, "entries_v4",
                                              json_count(view->set[i].entries_v4), "entries_v6",
                                              json_count(view->set[i].entries_v6), "size_bytes",
                                              json_count(view->set[i].blob_size)));
    return list;
}

static json_t *json_rules(const struct view *view, unsigned slot, const uint64_t hits[SL_PREFILTER_RULES])
{
    const struct sl_prefilter_port *port = &view->port[slot];
    json_t *list = json_array();

    for (uint32_t i = 0; i < port->rule_count; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "action", action_name(port->rule[i].action),
                                              "set", view->set[port->rule[i].set].name, "hits",
                                              json_count(hits[port->rule[i].counter])));
    return list;
}

static json_t *json_port(struct daemon *daemon, const struct view *view, const struct sl_config_port *config,
                         unsigned slot, const struct sl_counter_block *sum)
{
    struct sl_prefilter_hits xdp = {0};
    uint64_t hits[SL_PREFILTER_RULES], denied = 0;
    const struct sl_prefilter_port *port = &view->port[slot];
    const char *where = prefilter_where(daemon, config);

    if (daemon->xdp && strcmp(where, "xdp") == 0 && prefilter_xdp_hits(daemon->xdp, ifindex_of(config), &xdp))
        memset(&xdp, 0, sizeof(xdp));
    for (unsigned i = 0; i < SL_PREFILTER_RULES; i++)
        hits[i] = sum->prefilter_hit[slot][i] + xdp.rule[i];
    for (uint32_t i = 0; i < port->rule_count; i++)
        denied += port->rule[i].action == SL_PREFILTER_DENY ? hits[port->rule[i].counter] : 0;
    json_t *out = json_pack("{s:s, s:s, s:s, s:b, s:o, s:o, s:o}", "port", config->name, "where", where,
                            "default", action_name(port->fallback), "martians",
                            (port->flags & SL_PORT_MARTIANS) != 0, "rules", json_rules(view, slot, hits),
                            "denied", json_count(denied), "xdp_drops", json_count(xdp.drop_packets));
    if (out && daemon->xdp_why[0] && strcmp(where, "worker") == 0 && ifindex_of(config))
        json_object_set_new(out, "why", json_string(daemon->xdp_why));
    return out;
}

void show_prefilter(struct daemon *daemon, struct call *call)
{
    const struct sl_counter_segment *counters = daemon_counters(daemon);
    const struct snapshot *running = daemon->applier.running;
    struct sl_counter_block sum = {0};
    struct view view;

    if (view_open(daemon, &view)) {
        no_table(call);
        return;
    }
    if (counters)
        sl_counters_sum(counters, &sum);
    json_t *ports = json_array();
    for (unsigned i = 0; i < running->config->ports_count; i++) {
        int slot = slots_find(&running->slots, running->config->ports[i].name);
        if (slot >= 0 && (uint32_t)slot < view.table->port_count)
            json_array_append_new(ports,
                                  json_port(daemon, &view, &running->config->ports[i], (unsigned)slot, &sum));
    }
    call_reply(call, json_pack("{s:o, s:o, s:o}", "clock_ns", json_count(show_clock_ns()), "sets",
                               json_sets(&view), "ports", ports));
    sl_segment_close(&view.map);
}

// ---- test -------------------------------------------------------------------------------------------------------

// Length of the prefix of a set that holds `ip`, or -1.
static int set_holds(const struct view *view, unsigned set, const struct sl_ip *ip)
{
    const struct sl_lpm *lpm = (const void *)((const char *)view->map.base + view->set[set].blob_offset);
    bool v4 = sl_ip_is_v4(ip);
    uint32_t leaf = sl_lpm_lookup(lpm, v4 ? &lpm->v4 : &lpm->v6, v4 ? &ip->b[12] : ip->b);

    return sl_lpm_value(leaf) ? (int)sl_lpm_length(leaf) : -1;
}

static json_t *json_prefix(const struct sl_ip *ip, int len)
{
    struct sl_prefix prefix = {.ip = *ip, .len = (uint8_t)len};
    unsigned first = (sl_ip_is_v4(ip) ? 96u : 0u) + (unsigned)len;
    char text[SL_PREFIX_TEXT];

    for (unsigned bit = first; bit < 128; bit++)
        prefix.ip.b[bit / 8] &= (uint8_t) ~(0x80u >> (bit % 8));
    return json_string(sl_prefix_format(&prefix, text));
}

// RFC 1812 section 5.3.7, RFC 6890: sources no packet can have.
static bool is_martian(const struct sl_ip *ip)
{
    if (sl_ip_is_v4(ip))
        return ip->b[12] == 0 || ip->b[12] == 127 || ip->b[12] >= 224;
    static const uint8_t loopback[16] = {[15] = 1};
    return ip->b[0] == 0xff || sl_ip_is_zero(ip) || memcmp(ip->b, loopback, 16) == 0;
}

static json_t *verdict(const struct view *view, const char *name, unsigned slot, const struct sl_ip *ip)
{
    const struct sl_prefilter_port *port = &view->port[slot];

    if ((port->flags & SL_PORT_MARTIANS) && is_martian(ip))
        return json_pack("{s:s, s:s, s:s}", "port", name, "verdict", "drop", "reason",
                         sl_drop_name(SL_DROP_martian_source));
    for (uint32_t i = 0; i < port->rule_count; i++) {
        int len = set_holds(view, port->rule[i].set, ip);
        bool deny = port->rule[i].action == SL_PREFILTER_DENY;
        if (len >= 0)
            return json_pack(
                "{s:s, s:s, s:s, s:i, s:s, s:o}", "port", name, "verdict", deny ? "drop" : "pass", "reason",
                deny ? sl_drop_name(SL_DROP_prefilter_denied) : "allowed by a rule", "rule", (int)i, "set",
                view->set[port->rule[i].set].name, "prefix", json_prefix(ip, len));
    }
    bool deny = port->fallback == SL_PREFILTER_DENY;
    return json_pack("{s:s, s:s, s:s}", "port", name, "verdict", deny ? "drop" : "pass", "reason",
                     deny ? sl_drop_name(SL_DROP_prefilter_denied) : "no rule matched");
}

static json_t *holding_sets(const struct view *view, const struct sl_ip *ip)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < view->table->set_count; i++) {
        int len = set_holds(view, i, ip);
        if (len >= 0)
            json_array_append_new(
                list, json_pack("{s:s, s:o}", "set", view->set[i].name, "prefix", json_prefix(ip, len)));
    }
    return list;
}

void prefilter_test(struct daemon *daemon, struct call *call)
{
    const struct snapshot *running = daemon->applier.running;
    struct view view;
    struct sl_ip ip;
    bool given;
    int only = arg_port(daemon, call);

    if (only == -2 || !arg_ip(call, "address", &ip, &given))
        return;
    if (!given) {
        call_error(call, "bad-request", NULL, "'address' is missing");
        return;
    }
    if (view_open(daemon, &view)) {
        no_table(call);
        return;
    }
    json_t *verdicts = json_array();
    for (unsigned i = 0; i < running->config->ports_count; i++) {
        int slot = slots_find(&running->slots, running->config->ports[i].name);
        if (slot >= 0 && (uint32_t)slot < view.table->port_count && (only < 0 || slot == only))
            json_array_append_new(verdicts,
                                  verdict(&view, running->config->ports[i].name, (unsigned)slot, &ip));
    }
    call_reply(call, json_pack("{s:o, s:o, s:o}", "address", json_ip(&ip), "verdicts", verdicts, "sets",
                               holding_sets(&view, &ip)));
    sl_segment_close(&view.map);
}
