// SPDX-License-Identifier: Apache-2.0
// nat: rules as configured, use counted from the flows.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include "config/text.h"
#include "serve/command.h"
#include "serve/flows.h"
#include "table/prefix_map.h"

struct nat_view {
    struct sl_segment_map map;
    const struct sl_nat_table *table;
    struct flows flows;
    struct sl_nat_usage *usage; // by pool address
};

static int nat_open(const struct daemon *daemon, struct nat_view *view)
{
    const struct snapshot *running = daemon->applier.running;
    char name[SL_SEGMENT_NAME];

    memset(view, 0, sizeof(*view));
    if (!running)
        return -1;
    sl_segment_name(SL_SEG_NAT, running->table[SNAPSHOT_NAT].ref.serial, name);
    if (sl_segment_open(daemon->options.run_dir, name, SL_SEG_NAT, false, &view->map, NULL))
        return -1;
    view->table = view->map.base;
    flows_open(daemon, &view->flows);
    view->usage = calloc(view->table->address_count + 1, sizeof(*view->usage));
    if (view->usage)
        sl_nat_usage_count(view->table, view->flows.segment, view->flows.count, view->usage);
    return 0;
}

static void nat_close(struct nat_view *view)
{
    free(view->usage);
    flows_close(&view->flows);
    sl_segment_close(&view->map);
}

static const char *filtering_name(unsigned filtering)
{
    static const char *const name[] = {"endpoint-independent", "address", "address-port"};

    return filtering < 3 ? name[filtering] : "?";
}

static json_t *json_pool(const struct nat_view *view, const struct sl_config_pool *config,
                         const struct sl_nat_pool *pool)
{
    uint64_t blocks[SL_NAT_PROTOS] = {0}, ports = 0, flows = 0, subscribers = 0;
    json_t *addresses = json_array();

    for (unsigned i = 0; i < config->addresses_count; i++)
        json_array_append_new(addresses, json_string(config->addresses[i]));
    for (uint32_t i = pool->first; view->usage && i < pool->first + pool->count; i++) {
        for (unsigned p = 0; p < SL_NAT_PROTOS; p++) {
            blocks[p] += view->usage[i].blocks[p];
            ports += view->usage[i].ports[p];
        }
        flows += view->usage[i].flows;
        subscribers += view->usage[i].subscribers;
    }
    return json_pack("{s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "pool", config->name,
                     "addresses", addresses, "address_count", json_count(pool->count), "filtering",
                     filtering_name(pool->filtering), "blocks_per_subscriber",
                     json_count(pool->blocks_per_subscriber), "blocks",
                     json_count((uint64_t)pool->count * SL_NAT_BLOCKS), "blocks_used_tcp",
                     json_count(blocks[SL_NAT_TCP]), "blocks_used_udp", json_count(blocks[SL_NAT_UDP]),
                     "blocks_used_icmp", json_count(blocks[SL_NAT_ICMP]), "ports_used", json_count(ports),
                     "flows", json_count(flows), "subscribers", json_count(subscribers));
}

static json_t *json_pools(const struct nat_view *view, const struct sl_config_nat *nat)
{
    const struct sl_nat_pool *pool = (const void *)((const char *)view->table + view->table->pool_offset);
    json_t *list = json_array();

    for (unsigned i = 0; i < nat->pools_count && i < view->table->pool_count; i++)
        json_array_append_new(list, json_pool(view, &nat->pools[i], &pool[i]));
    return list;
}

static json_t *json_sources(const struct sl_config_nat *nat)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < nat->source_count; i++)
        for (unsigned k = 0; k < nat->source[i].inside_count; k++)
            json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "inside", nat->source[i].inside[k],
                                                  "port", nat->source[i].port, "pool", nat->source[i].pool));
    return list;
}

// ---- flows by rule: one pass over all flows, whatever the number of rules ----------------------------------------

struct forward_range { // outside ports of one forward
    uint8_t proto;
    uint32_t address; // host byte order
    uint16_t first, last;
    unsigned rule;
};

struct rule_flows {
    struct sl_prefix_map inside; // of statics: to the rule's number plus 1
    struct forward_range *range; // sorted
    unsigned range_count;
    uint64_t *statics, *forwards; // flows by rule
};

static int range_compare(const void *left, const void *right)
{
    const struct forward_range *a = left, *b = right;

    if (a->proto != b->proto)
        return a->proto < b->proto ? -1 : 1;
    if (a->address != b->address)
        return a->address < b->address ? -1 : 1;
    return a->last < b->first ? -1 : a->first > b->last;
}

static void rule_flows_fini(struct rule_flows *rules)
{
    sl_prefix_map_fini(&rules->inside);
    free(rules->range);
    free(rules->statics);
    free(rules->forwards);
}

static int rule_flows_init(struct rule_flows *rules, const struct sl_config_nat *nat)
{
    struct sl_prefix inside;

    *rules = (struct rule_flows){.statics = calloc(nat->statics_count + 1, sizeof(uint64_t)),
                                 .forwards = calloc(nat->forwards_count + 1, sizeof(uint64_t)),
                                 .range = calloc(nat->forwards_count + 1, sizeof(struct forward_range)),
                                 .range_count = nat->forwards_count};
    if (!rules->statics || !rules->forwards || !rules->range)
        return -ENOMEM;
    for (unsigned i = 0; i < nat->statics_count; i++)
        if (sl_prefix_parse(nat->statics[i].inside, &inside) == 0 &&
            sl_prefix_map_set(&rules->inside, &inside, i + 1, NULL))
            return -ENOMEM;
    for (unsigned i = 0; i < nat->forwards_count; i++) {
        const struct sl_config_forward *forward = &nat->forwards[i];
        struct sl_endpoint outside = {0};
        sl_endpoint_parse(forward->outside, &outside); // checked when it was loaded
        rules->range[i] = (struct forward_range){(uint8_t)forward->protocol, ntohl(outside.address),
                                                 outside.first, outside.last, i};
    }
    qsort(rules->range, rules->range_count, sizeof(*rules->range), range_compare);
    return 0;
}

static void rule_flows_add(struct rule_flows *rules, const struct sl_flow_view *flow)
{
    struct forward_range key = {flow->proto, ntohl(flow->outside.w[3]), flow->outside_port,
                                flow->outside_port, 0};

    if (flow->kind == SL_FLOW_NAT_STATIC) {
        uint32_t rule = sl_prefix_map_cover(&rules->inside, &flow->inside, 33, NULL);
        if (rule)
            rules->statics[rule - 1]++;
    } else if (flow->kind == SL_FLOW_NAT_FORWARD) {
        const struct forward_range *found =
            bsearch(&key, rules->range, rules->range_count, sizeof(key), range_compare);
        if (found)
            rules->forwards[found->rule]++;
    }
}

static int rule_flows_count(struct rule_flows *rules, const struct nat_view *view,
                            const struct sl_config_nat *nat)
{
    struct sl_flow_view flow;

    if (rule_flows_init(rules, nat))
        return -ENOMEM;
    if (nat->statics_count + nat->forwards_count == 0)
        return 0;
    for (uint32_t i = 0; i < view->flows.count; i++)
        for (uint32_t cursor = 0; sl_flow_next(&view->flows.segment[i], NULL, &cursor, &flow);)
            rule_flows_add(rules, &flow);
    return 0;
}

static json_t *json_statics(const struct rule_flows *rules, const struct sl_config_nat *nat)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < nat->statics_count; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:o}", "inside", nat->statics[i].inside, "outside",
                                        nat->statics[i].outside, "flows", json_count(rules->statics[i])));
    return list;
}

static json_t *json_forwards(const struct rule_flows *rules, const struct sl_config_nat *nat)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < nat->forwards_count; i++) {
        const struct sl_config_forward *forward = &nat->forwards[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o, s:s?}", "protocol",
                                              forward->protocol == IPPROTO_UDP ? "udp" : "tcp", "outside",
                                              forward->outside, "inside", forward->inside, "flows",
                                              json_count(rules->forwards[i]), "name", forward->name));
    }
    return list;
}

static json_t *json_timeouts(const struct sl_config_nat_timeouts *t)
{
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i}", "udp", (int)t->udp, "udp_dns", (int)t->udp_dns, "icmp",
                     (int)t->icmp, "tcp_established", (int)t->tcp_established, "tcp_transitory",
                     (int)t->tcp_transitory, "other", (int)t->other);
}

void show_nat(struct daemon *daemon, struct call *call)
{
    struct nat_view view;

    if (nat_open(daemon, &view)) {
        call_error(call, "not-found", NULL, "no config has been applied yet: 'sluicectl config apply FILE'");
        return;
    }
    const struct sl_config_nat *nat = &daemon->applier.running->config->nat;
    struct rule_flows rules;
    if (rule_flows_count(&rules, &view, nat))
        call_error(call, "internal", NULL, "out of memory");
    else
        call_reply(call, json_pack("{s:o, s:o, s:o, s:o, s:o}", "pools", json_pools(&view, nat), "source",
                                   json_sources(nat), "static", json_statics(&rules, nat), "forwards",
                                   json_forwards(&rules, nat), "timeouts_s", json_timeouts(&nat->timeouts)));
    rule_flows_fini(&rules);
    nat_close(&view);
}
