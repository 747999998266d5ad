// SPDX-License-Identifier: Apache-2.0
// flow, flow.count, flow.kill.
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "serve/balances.h"
#include "serve/command.h"
#include "serve/flows.h"

#define FLOWS_SHOWN   100   // where no limit is given
#define GROUPS_MOST   65536 // of flow.count
#define ENDPOINT_TEXT (SL_IP_TEXT + 8)

static const char *kind_name(uint8_t kind)
{
    static const char *const name[SL_FLOW_KINDS] = {"free", "source", "static", "forward", "balance"};

    return kind < SL_FLOW_KINDS ? name[kind] : "?";
}

static const char *state_name(uint8_t state)
{
    static const char *const name[SL_FLOW_STATES] = {"new", "established", "closing"};

    return state < SL_FLOW_STATES ? name[state] : "?";
}

static const char *proto_name(uint8_t proto, char out[8])
{
    if (proto == IPPROTO_TCP)
        return "tcp";
    if (proto == IPPROTO_UDP)
        return "udp";
    if (proto == IPPROTO_ICMP)
        return "icmp";
    snprintf(out, 8, "%u", proto);
    return out;
}

static const char *endpoint(const struct sl_ip *ip, uint16_t port, char out[ENDPOINT_TEXT])
{
    char text[SL_IP_TEXT];

    snprintf(out, ENDPOINT_TEXT, sl_ip_is_v4(ip) ? "%s:%u" : "[%s]:%u", sl_ip_format(ip, text), port);
    return out;
}

// Of a balanced flow the service and the pool; the member is its inside.
static void json_balanced(json_t *flow, const struct balances *balances, const struct sl_flow_view *view)
{
    json_object_set_new(flow, "service", json_string(service_slot_name(balances, view->service)));
    json_object_set_new(flow, "pool", json_string(member_slot_pool(balances, view->member)));
    json_object_set_new(flow, "cut", json_boolean(view->cut));
}

static json_t *json_flow(const struct balances *balances, const struct sl_flow_view *view, uint32_t now_ms)
{
    char inside[ENDPOINT_TEXT], outside[ENDPOINT_TEXT], remote[ENDPOINT_TEXT], proto[8];
    int32_t idle_ms = (int32_t)(now_ms - view->seen_ms);

    json_t *flow = json_pack(
        "{s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:o, s:[oo], s:[oo]}", "worker", json_count(view->worker),
        "kind", kind_name(view->kind), "protocol", proto_name(view->proto, proto), "state",
        state_name(view->state), "inside", endpoint(&view->inside, view->inside_port, inside), "outside",
        endpoint(&view->outside, view->outside_port, outside), "remote",
        endpoint(&view->remote, view->remote_port, remote), "inbound", view->inbound, "idle_ms",
        json_count(idle_ms > 0 ? (uint64_t)idle_ms : 0), "packets", json_count(view->packets_out),
        json_count(view->packets_in), "bytes", json_count(view->bytes_out), json_count(view->bytes_in));
    if (view->kind == SL_FLOW_BALANCE)
        json_balanced(flow, balances, view);
    return flow;
}

typedef void (*flow_fn)(void *context, const struct sl_flow_view *view);

static void flows_each(const struct flows *flows, const struct flow_filter *filter, flow_fn call,
                       void *context)
{
    for (uint32_t i = 0; i < flows->count; i++) {
        struct sl_flow_view view;
        uint32_t cursor = 0;
        while (sl_flow_next(&flows->segment[i], &filter->match, &cursor, &view))
            if (flow_filter_fits(filter, &view))
                call(context, &view);
    }
}

struct listing {
    json_t *list;
    struct balances balances;
    uint64_t matched, limit;
    uint32_t now_ms;
};

static void list_flow(void *context, const struct sl_flow_view *view)
{
    struct listing *listing = context;

    if (listing->matched++ < listing->limit)
        json_array_append_new(listing->list, json_flow(&listing->balances, view, listing->now_ms));
}

void show_flow(struct daemon *daemon, struct call *call)
{
    uint64_t limit = arg_number(call, "limit", FLOWS_SHOWN);
    struct listing listing = {
        .list = json_array(), .limit = limit ? limit : UINT64_MAX, .now_ms = clock_ms()};
    struct flow_filter filter;
    struct flows flows;

    if (!flow_filter_read(call, &filter)) {
        json_decref(listing.list);
        return;
    }
    flows_open(daemon, &flows);
    balances_open(daemon, &listing.balances);
    flows_each(&flows, &filter, list_flow, &listing);
    call_reply(call, json_pack("{s:o, s:o, s:o, s:o}", "flows", listing.list, "matched",
                               json_count(listing.matched), "used", json_count(flows.used), "capacity",
                               json_count(flows.capacity)));
    flows_close(&flows);
}

// ---- count ------------------------------------------------------------------------------------------------------

typedef void (*key_fn)(const struct sl_flow_view *view, char out[ENDPOINT_TEXT]);

static void key_inside(const struct sl_flow_view *view, char out[ENDPOINT_TEXT])
{
    sl_ip_format(&view->inside, out);
}

static void key_outside(const struct sl_flow_view *view, char out[ENDPOINT_TEXT])
{
    sl_ip_format(&view->outside, out);
}

static void key_remote(const struct sl_flow_view *view, char out[ENDPOINT_TEXT])
{
    sl_ip_format(&view->remote, out);
}

static void key_protocol(const struct sl_flow_view *view, char out[ENDPOINT_TEXT])
{
    char text[8];

    snprintf(out, ENDPOINT_TEXT, "%s", proto_name(view->proto, text));
}

static void key_state(const struct sl_flow_view *view, char out[ENDPOINT_TEXT])
{
    snprintf(out, ENDPOINT_TEXT, "%s", state_name(view->state));
}

static void key_kind(const struct sl_flow_view *view, char out[ENDPOINT_TEXT])
{
    snprintf(out, ENDPOINT_TEXT, "%s", kind_name(view->kind));
}

static void key_worker(const struct sl_flow_view *view, char out[ENDPOINT_TEXT])
{
    snprintf(out, ENDPOINT_TEXT, "%u", view->worker);
}

static const struct {
    const char *name;
    key_fn key;
} group_by[] = {
    {"inside", key_inside}, {"outside", key_outside}, {"remote", key_remote}, {"protocol", key_protocol},
    {"state", key_state},   {"kind", key_kind},       {"worker", key_worker},
};

struct counting {
    key_fn key; // NULL: no groups
    json_t *groups;
    uint64_t matched;
    bool cut; // more groups than are kept: what came late is not in them
};

static void count_flow(void *context, const struct sl_flow_view *view)
{
    struct counting *counting = context;
    char key[ENDPOINT_TEXT];

    counting->matched++;
    if (!counting->key)
        return;
    counting->key(view, key);
    json_t *number = json_object_get(counting->groups, key);
    if (number)
        json_integer_set(number, json_integer_value(number) + 1);
    else if (json_object_size(counting->groups) < GROUPS_MOST)
        json_object_set_new(counting->groups, key, json_integer(1));
    else
        counting->cut = true;
}

struct group {
    const char *key;
    json_int_t flows;
};

static int largest_first(const void *a, const void *b)
{
    const struct group *x = a, *y = b;

    return x->flows != y->flows ? (x->flows < y->flows ? 1 : -1) : strcmp(x->key, y->key);
}

static json_t *sorted_groups(json_t *groups, uint64_t limit)
{
    size_t count = json_object_size(groups), i = 0;
    struct group *group = calloc(count + 1, sizeof(*group));
    json_t *list = json_array(), *value;
    const char *key;

    if (!group)
        return list;
    json_object_foreach(groups, key, value) group[i++] =
        (struct group){.key = key, .flows = json_integer_value(value)};
    qsort(group, count, sizeof(*group), largest_first);
    for (i = 0; i < count && i < limit; i++)
        json_array_append_new(list, json_pack("{s:s, s:I}", "key", group[i].key, "flows", group[i].flows));
    free(group);
    return list;
}

void show_flow_count(struct daemon *daemon, struct call *call)
{
    const char *by = arg_text(call, "by");
    uint64_t limit = arg_number(call, "limit", 0);
    struct counting counting = {0};
    struct flow_filter filter;
    struct flows flows;

    for (size_t i = 0; by && i < sizeof(group_by) / sizeof(group_by[0]); i++)
        if (strcmp(group_by[i].name, by) == 0)
            counting.key = group_by[i].key;
    if (by && !counting.key) {
        call_error(call, "bad-request", NULL,
                   "'by' must be inside, outside, remote, protocol, state, kind or worker, not '%.40s'", by);
        return;
    }
    if (!flow_filter_read(call, &filter))
        return;
    counting.groups = json_object();
    flows_open(daemon, &flows);
    flows_each(&flows, &filter, count_flow, &counting);
    call_reply(call,
               json_pack("{s:o, s:o, s:o, s:o, s:b}", "matched", json_count(counting.matched), "used",
                         json_count(flows.used), "capacity", json_count(flows.capacity), "groups",
                         sorted_groups(counting.groups, limit ? limit : UINT64_MAX), "cut", counting.cut));
    json_decref(counting.groups);
    flows_close(&flows);
}

void flow_kill(struct daemon *daemon, struct call *call)
{
    struct sl_command command = {.kind = SL_COMMAND_FLOW_KILL};
    struct flow_filter filter;

    if (!flow_filter_read(call, &filter))
        return;
    if (filter.has_any || filter.worker >= 0) {
        call_error(call, "bad-request", NULL,
                   "flows are not killed by 'address' or 'worker': say inside, outside or "
                   "remote");
        return;
    }
    if (!filter.given && !arg_true(call, "all")) {
        call_error(call, "bad-request", NULL, "which flows? Give a filter, or say that all are meant");
        return;
    }
    command.flow = filter.match;
    forward_send(daemon, &command, "killed", call);
}
