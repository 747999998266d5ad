// SPDX-License-Identifier: Apache-2.0
// See flows.h.
#include <netinet/in.h>
#include <string.h>
#include "serve/command.h"
#include "serve/flows.h"

void flows_open(const struct daemon *daemon, struct flows *flows)
{
    uint32_t workers = daemon->board->worker_count;
    char name[SL_SEGMENT_NAME];

    memset(flows, 0, sizeof(*flows));
    for (uint32_t i = 0; i < workers && i < SL_MAX_WORKERS; i++) {
        struct sl_segment_map *map = &flows->segment[flows->count];
        sl_segment_name(SL_SEG_FLOW, i, name);
        if (sl_segment_open(daemon->options.run_dir, name, SL_SEG_FLOW, false, map, NULL))
            continue;
        const struct sl_flow_segment *segment = map->base;
        flows->used += segment->used;
        flows->capacity += segment->capacity;
        flows->count++;
    }
}

void flows_close(struct flows *flows)
{
    for (uint32_t i = 0; i < flows->count; i++)
        sl_segment_close(&flows->segment[i]);
}

void endpoints_room(const struct daemon *daemon, uint64_t *used, uint64_t *capacity)
{
    uint32_t workers = daemon->board->worker_count;
    char name[SL_SEGMENT_NAME];

    *used = *capacity = 0;
    for (uint32_t i = 0; i < workers && i < SL_MAX_WORKERS; i++) {
        struct sl_segment_map map;
        sl_segment_name(SL_SEG_ENDPOINT, i, name);
        if (sl_segment_open(daemon->options.run_dir, name, SL_SEG_ENDPOINT, false, &map, NULL))
            continue;
        *used += ((const struct sl_endpoint_segment *)map.base)->used;
        *capacity += ((const struct sl_endpoint_segment *)map.base)->capacity;
        sl_segment_close(&map);
    }
}

void flows_room(const struct daemon *daemon, uint64_t *used, uint64_t *capacity)
{
    struct flows flows;

    flows_open(daemon, &flows);
    *used = flows.used;
    *capacity = flows.capacity;
    flows_close(&flows);
}

// ---- filter -----------------------------------------------------------------------------------------------------

static const char *take_prefix(const json_t *value, struct sl_prefix *prefix)
{
    const char *text = json_string_value(value);

    return text && sl_prefix_parse(text, prefix) == 0 ? NULL : "must be an address or a prefix";
}

static const char *take_port(const json_t *value, uint16_t *port)
{
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value) || number < 1 || number > UINT16_MAX)
        return "must be a port, 1 to 65535";
    *port = (uint16_t)number;
    return NULL;
}

static const char *take_protocol(const json_t *value, uint8_t *proto)
{
    const char *text = json_string_value(value);
    json_int_t number = json_integer_value(value);

    if (text && strcmp(text, "tcp") == 0)
        *proto = IPPROTO_TCP;
    else if (text && strcmp(text, "udp") == 0)
        *proto = IPPROTO_UDP;
    else if (text && strcmp(text, "icmp") == 0)
        *proto = IPPROTO_ICMP;
    else if (json_is_integer(value) && number >= 1 && number <= 255)
        *proto = (uint8_t)number;
    else
        return "must be tcp, udp, icmp or a number, 1 to 255";
    return NULL;
}

static const char *take_kind(const json_t *value, uint8_t *kind)
{
    const char *text = json_string_value(value);

    if (text && strcmp(text, "source") == 0)
        *kind = SL_FLOW_NAT_SOURCE;
    else if (text && strcmp(text, "static") == 0)
        *kind = SL_FLOW_NAT_STATIC;
    else if (text && strcmp(text, "forward") == 0)
        *kind = SL_FLOW_NAT_FORWARD;
    else if (text && strcmp(text, "balance") == 0)
        *kind = SL_FLOW_BALANCE;
    else
        return "must be source, static, forward or balance";
    return NULL;
}

static const char *take_worker(const json_t *value, int *worker)
{
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value) || number < 0 || number >= SL_MAX_WORKERS)
        return "must be a worker's number";
    *worker = (int)number;
    return NULL;
}

static const char *take_key(struct flow_filter *filter, const char *key, const json_t *value)
{
    struct sl_flow_match *match = &filter->match;

    if (strcmp(key, "address") == 0) {
        filter->has_any = true;
        return take_prefix(value, &filter->any);
    }
    if (strcmp(key, "inside") == 0)
        return take_prefix(value, &match->inside);
    if (strcmp(key, "outside") == 0)
        return take_prefix(value, &match->outside);
    if (strcmp(key, "remote") == 0)
        return take_prefix(value, &match->remote);
    if (strcmp(key, "inside_port") == 0)
        return take_port(value, &match->inside_port);
    if (strcmp(key, "outside_port") == 0)
        return take_port(value, &match->outside_port);
    if (strcmp(key, "remote_port") == 0)
        return take_port(value, &match->remote_port);
    if (strcmp(key, "protocol") == 0)
        return take_protocol(value, &match->proto);
    if (strcmp(key, "kind") == 0)
        return take_kind(value, &match->kind);
    if (strcmp(key, "worker") == 0)
        return take_worker(value, &filter->worker);
    return "is not something flows are filtered by";
}

bool flow_filter_read(struct call *call, struct flow_filter *filter)
{
    json_t *object = json_object_get(call_request(call), "filter"), *value;
    const char *key;

    memset(filter, 0, sizeof(*filter));
    filter->worker = -1;
    json_object_foreach(object, key, value)
    {
        if (json_is_null(value))
            continue;
        const char *fault = take_key(filter, key, value);
        if (fault) {
            call_error(call, "bad-request", NULL, "filter: '%.40s' %s", key, fault);
            return false;
        }
        filter->given = true;
    }
    return true;
}

bool flow_filter_fits(const struct flow_filter *filter, const struct sl_flow_view *view)
{
    if (filter->worker >= 0 && view->worker != (uint32_t)filter->worker)
        return false;
    return !filter->has_any || sl_prefix_contains(&filter->any, &view->inside) ||
           sl_prefix_contains(&filter->any, &view->outside) ||
           sl_prefix_contains(&filter->any, &view->remote);
}
