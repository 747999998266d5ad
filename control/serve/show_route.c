// SPDX-License-Identifier: Apache-2.0
// route, route.lookup. Listed is what was compiled; looked up is what the live table answers, as a worker would ask.
#include <stdlib.h>
#include <string.h>
#include "serve/command.h"
#include "serve/neighbors.h"
#include "table/lpm_read.h"

#define ROUTES_SHOWN 1000 // where no limit is given
#define WAYS_SHOWN   64   // of a group in the live table

static const char *kind_name(uint8_t kind)
{
    static const char *const name[SL_NEXTHOP_KINDS] = {"none", "connected", "gateway", "local", "broadcast",
                                                       "pool", "blackhole", "reject",  "group"};

    return kind < SL_NEXTHOP_KINDS ? name[kind] : "?";
}

static const char *source_name(enum route_source source)
{
    static const char *const name[] = {"own", "config", "file"};

    return name[source];
}

static bool kind_has_port(uint8_t kind)
{
    return kind == SL_NEXTHOP_CONNECTED || kind == SL_NEXTHOP_GATEWAY || kind == SL_NEXTHOP_LOCAL ||
           kind == SL_NEXTHOP_BROADCAST;
}

static json_t *json_way(const struct daemon *daemon, uint8_t kind, const struct sl_ip *gateway, uint16_t port,
                        unsigned weight)
{
    json_t *way = json_pack("{s:i}", "weight", (int)weight);

    if (kind == SL_NEXTHOP_GATEWAY)
        json_object_set_new(way, "address", json_ip(gateway));
    if (kind_has_port(kind))
        json_object_set_new(way, "port", json_string(slot_name(daemon, port)));
    return way;
}

static json_t *json_route(const struct daemon *daemon, const struct route_layer *layer, size_t at)
{
    char prefix[SL_PREFIX_TEXT];
    unsigned ways;
    const struct sl_rib_way *way = route_layer_ways(layer, at, &ways);
    json_t *via = json_array();

    for (unsigned i = 0; i < ways; i++)
        if (kind_has_port(way[i].kind))
            json_array_append_new(via, json_way(daemon, way[i].kind, &way[i].gateway, way[i].port,
                                                way[i].weight ? way[i].weight : 1));
    return json_pack("{s:s, s:s, s:o, s:s}", "prefix", sl_prefix_format(&layer->item[at].prefix, prefix),
                     "kind", ways > 1 ? "group" : kind_name(way[0].kind), "via", via, "source",
                     source_name(layer->source));
}

// ---- listing ----------------------------------------------------------------------------------------------------

struct route_filter {
    bool has_prefix;
    struct sl_prefix prefix;
    int port;           // -1: all
    const char *source; // NULL: all
};

static bool ways_use_port(const struct route_layer *layer, size_t at, int port)
{
    unsigned ways;
    const struct sl_rib_way *way = route_layer_ways(layer, at, &ways);

    for (unsigned i = 0; i < ways; i++)
        if (kind_has_port(way[i].kind) && way[i].port == port)
            return true;
    return false;
}

// Not hidden by a route of the same prefix in an earlier layer.
static bool route_wins(const struct route_plan *plan, unsigned layer, size_t at)
{
    size_t other;

    return layer == 0 ||
           route_plan_find(plan, &plan->layer[layer]->item[at].prefix, &other) == plan->layer[layer];
}

static bool route_fits(const struct route_filter *filter, const struct route_layer *layer, size_t at)
{
    const struct sl_prefix *prefix = &layer->item[at].prefix;

    if (filter->has_prefix &&
        (prefix->len < filter->prefix.len || !sl_prefix_contains(&filter->prefix, &prefix->ip)))
        return false;
    return filter->port < 0 || ways_use_port(layer, at, filter->port);
}

struct route_listing {
    json_t *list;
    uint64_t matched, limit, v4, v6;
};

static void list_layer(const struct daemon *daemon, const struct route_plan *plan, unsigned i,
                       const struct route_filter *filter, struct route_listing *listing)
{
    const struct route_layer *layer = plan->layer[i];
    bool counted = !filter->source || strcmp(filter->source, source_name(layer->source)) == 0;

    for (size_t at = 0; at < layer->count; at++) {
        if (!route_wins(plan, i, at))
            continue;
        if (sl_ip_is_v4(&layer->item[at].prefix.ip))
            listing->v4++;
        else
            listing->v6++;
        if (counted && route_fits(filter, layer, at) && listing->matched++ < listing->limit)
            json_array_append_new(listing->list, json_route(daemon, layer, at));
    }
}

static bool read_filter(struct daemon *daemon, struct call *call, struct route_filter *filter)
{
    filter->source = arg_text(call, "source");
    filter->port = arg_port(daemon, call);
    if (filter->port == -2 || !arg_prefix(call, "filter", &filter->prefix, &filter->has_prefix))
        return false;
    if (filter->source && strcmp(filter->source, "own") != 0 && strcmp(filter->source, "config") != 0 &&
        strcmp(filter->source, "file") != 0) {
        call_error(call, "bad-request", NULL, "'source' must be own, config or file");
        return false;
    }
    return true;
}

void show_route(struct daemon *daemon, struct call *call)
{
    const struct snapshot *running = daemon->applier.running;
    uint64_t limit = arg_number(call, "limit", ROUTES_SHOWN);
    struct route_listing listing = {.limit = limit ? limit : UINT64_MAX};
    struct route_filter filter;

    if (!read_filter(daemon, call, &filter))
        return;
    listing.list = json_array();
    for (unsigned i = 0; running && i < running->plan.count; i++)
        list_layer(daemon, &running->plan, i, &filter, &listing);
    call_reply(call, json_pack("{s:o, s:o, s:o, s:o}", "routes", listing.list, "matched",
                               json_count(listing.matched), "routes_v4", json_count(listing.v4), "routes_v6",
                               json_count(listing.v6)));
}

// ---- lookup in the live table -----------------------------------------------------------------------------------

struct live_ways {
    uint32_t index[WAYS_SHOWN];
    uint32_t weight[WAYS_SHOWN];
    unsigned count;
};

static void ways_add(struct live_ways *ways, uint32_t index)
{
    for (unsigned i = 0; i < ways->count; i++) {
        if (ways->index[i] == index) {
            ways->weight[i]++;
            return;
        }
    }
    if (ways->count < WAYS_SHOWN) {
        ways->index[ways->count] = index;
        ways->weight[ways->count++] = 1;
    }
}

// The ways behind a leaf, each with the slots it has in its group.
static void ways_collect(const struct sl_route_table *table, uint32_t index, struct live_ways *ways)
{
    const uint8_t *base = (const uint8_t *)table;
    const struct sl_nexthop *nexthop = (const void *)(base + table->nexthop_offset);
    const uint32_t *slot = (const void *)(base + table->group_offset);

    memset(ways, 0, sizeof(*ways));
    if (nexthop[index].kind != SL_NEXTHOP_GROUP) {
        ways_add(ways, index);
        return;
    }
    for (uint32_t i = 0; i < nexthop[index].group_count; i++)
        ways_add(ways, slot[nexthop[index].group_first + i]);
}

static struct sl_prefix prefix_around(const struct sl_ip *ip, uint8_t len)
{
    struct sl_prefix prefix = {.ip = *ip, .len = len};
    unsigned first = sl_ip_is_v4(ip) ? 96u + len : len;

    for (unsigned bit = first; bit < 128; bit++)
        prefix.ip.b[bit / 8] &= (uint8_t) ~(0x80u >> (bit % 8));
    return prefix;
}

static void add_neighbors(const struct daemon *daemon, json_t *list, const struct sl_ip *ip, uint16_t port)
{
    struct neighbors neighbors;

    neighbors_copy(daemon, &neighbors);
    for (size_t i = 0; i < neighbors.count; i++) {
        const struct sl_neighbor *neighbor = &neighbors.list[i];
        if (neighbor->port == port && sl_ip_equal(ip, &neighbor->ip))
            json_array_append_new(list, json_pack("{s:o, s:s, s:o, s:s}", "address", json_ip(ip), "port",
                                                  slot_name(daemon, port), "mac", neighbor_mac(neighbor),
                                                  "state", neighbor_state(neighbor)));
    }
    free(neighbors.list);
}

static const char *plan_source(const struct daemon *daemon, const struct sl_prefix *prefix)
{
    size_t at;
    const struct route_layer *layer = route_plan_find(&daemon->applier.running->plan, prefix, &at);

    return layer ? source_name(layer->source) : "?";
}

static json_t *lookup(const struct daemon *daemon, const struct sl_route_table *table, const struct sl_ip *ip)
{
    const struct sl_nexthop *nexthop = (const void *)((const uint8_t *)table + table->nexthop_offset);
    const struct sl_lpm *lpm = (const void *)((const uint8_t *)table + table->lpm_offset);
    bool v4 = sl_ip_is_v4(ip);
    uint32_t leaf = sl_lpm_lookup(lpm, v4 ? &lpm->v4 : &lpm->v6, v4 ? &ip->b[12] : ip->b);
    uint32_t index = sl_lpm_value(leaf);
    json_t *via = json_array(), *neighbors = json_array();
    struct live_ways ways;

    if (index == 0 || index >= table->nexthop_count) {
        json_decref(via);
        return json_pack("{s:o, s:b, s:o}", "address", json_ip(ip), "found", 0, "neighbors", neighbors);
    }
    ways_collect(table, index, &ways);
    for (unsigned i = 0; i < ways.count; i++) {
        const struct sl_nexthop *way = &nexthop[ways.index[i]];
        if (!kind_has_port(way->kind))
            continue;
        json_array_append_new(via, json_way(daemon, way->kind, &way->gateway, way->port, ways.weight[i]));
        add_neighbors(daemon, neighbors, way->kind == SL_NEXTHOP_GATEWAY ? &way->gateway : ip, way->port);
    }
    struct sl_prefix prefix = prefix_around(ip, (uint8_t)sl_lpm_length(leaf));
    char text[SL_PREFIX_TEXT];
    return json_pack("{s:o, s:b, s:{s:s, s:s, s:o, s:s}, s:o}", "address", json_ip(ip), "found", 1, "route",
                     "prefix", sl_prefix_format(&prefix, text), "kind", kind_name(nexthop[index].kind), "via",
                     via, "source", plan_source(daemon, &prefix), "neighbors", neighbors);
}

void show_route_lookup(struct daemon *daemon, struct call *call)
{
    const struct snapshot *running = daemon->applier.running;
    struct sl_segment_map map;
    struct sl_ip ip;
    char name[SL_SEGMENT_NAME];
    bool given;

    if (!arg_ip(call, "address", &ip, &given))
        return;
    if (!given) {
        call_error(call, "bad-request", NULL, "'address' is missing");
        return;
    }
    uint64_t serial = running ? running->table[SNAPSHOT_ROUTE].ref.serial : 0;
    if (!running || sl_segment_open(daemon->options.run_dir, sl_segment_name(SL_SEG_ROUTE, serial, name),
                                    SL_SEG_ROUTE, false, &map, NULL)) {
        call_error(call, "not-found", NULL, "no route table yet: 'sluicectl config apply FILE'");
        return;
    }
    call_reply(call, lookup(daemon, map.base, &ip));
    sl_segment_close(&map);
}
