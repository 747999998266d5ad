// SPDX-License-Identifier: Apache-2.0
// trace.flow: what the engines of endpoints wrote down about their connections, read from the files of the workers while
// they go on writing. An entry that changes meanwhile may be torn: it is copied, then looked at, and only printed.
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "serve/command.h"
#include "tcp/trace.h"

#define TRACES_SHOWN 10 // where no limit is given
#define PLACE_TEXT   (SL_IP_TEXT + 8)

struct wish {
    struct sl_prefix remote;
    bool has_remote;
    uint16_t remote_port, port; // 0: any
    uint64_t worker, slot;      // UINT64_MAX: any
};

struct found {
    uint32_t worker, slot;
    uint64_t began_us;
};

struct search {
    struct sl_segment_map segment[SL_MAX_WORKERS];
    struct found *list;
    size_t count, room;
};

static const struct tcp_trace *traces_of(const struct sl_segment_map *map, uint32_t *count)
{
    const struct sl_endpoint_segment *segment = map->base;
    uint64_t fits = 0;

    *count = 0;
    if (!segment || segment->trace_offset > map->size || segment->trace_offset % 8)
        return NULL;
    fits = (map->size - segment->trace_offset) / sizeof(struct tcp_trace);
    *count = segment->capacity < fits ? segment->capacity : (uint32_t)fits;
    return (const void *)((const uint8_t *)map->base + segment->trace_offset);
}

static bool fits(const struct wish *wish, uint32_t worker, uint32_t slot, const struct tcp_trace *trace)
{
    return trace->written != 0 && (wish->worker == UINT64_MAX || wish->worker == worker) &&
           (wish->slot == UINT64_MAX || wish->slot == slot) &&
           (wish->remote_port == 0 || wish->remote_port == ntohs(trace->remote_port)) &&
           (wish->port == 0 || wish->port == ntohs(trace->local_port)) &&
           (!wish->has_remote || sl_prefix_contains(&wish->remote, &trace->remote));
}

static void search_add(struct search *search, uint32_t worker, uint32_t slot, uint64_t began_us)
{
    if (search->count == search->room) {
        size_t room = search->room ? search->room * 2 : 64;
        struct found *list = realloc(search->list, room * sizeof(*list));
        if (!list)
            return;
        search->list = list;
        search->room = room;
    }
    search->list[search->count++] = (struct found){worker, slot, began_us};
}

static int latest_first(const void *a, const void *b)
{
    const struct found *x = a, *y = b;

    return x->began_us > y->began_us ? -1 : x->began_us < y->began_us;
}

static void search_run(struct search *search, const struct daemon *daemon, const struct wish *wish)
{
    uint32_t workers = daemon->board->worker_count;
    char name[SL_SEGMENT_NAME];

    for (uint32_t w = 0; w < workers && w < SL_MAX_WORKERS; w++) {
        uint32_t count;
        sl_segment_name(SL_SEG_ENDPOINT, w, name);
        if (sl_segment_open(daemon->options.run_dir, name, SL_SEG_ENDPOINT, false, &search->segment[w], NULL))
            continue;
        const struct tcp_trace *trace = traces_of(&search->segment[w], &count);
        for (uint32_t slot = 0; slot < count; slot++)
            if (fits(wish, w, slot, &trace[slot]))
                search_add(search, w, slot, trace[slot].began_us);
    }
    if (search->count)
        qsort(search->list, search->count, sizeof(*search->list), latest_first);
}

static void search_fini(struct search *search)
{
    for (uint32_t w = 0; w < SL_MAX_WORKERS; w++)
        sl_segment_close(&search->segment[w]);
    free(search->list);
}

static const char *place(const struct sl_ip *ip, sl_be16 port, char out[PLACE_TEXT])
{
    char text[SL_IP_TEXT];

    snprintf(out, PLACE_TEXT, sl_ip_is_v4(ip) ? "%s:%u" : "[%s]:%u", sl_ip_format(ip, text), ntohs(port));
    return out;
}

static json_t *json_events(const struct tcp_trace *trace, uint32_t *lost)
{
    const struct tcp_trace_record *record;
    json_t *list = json_array();
    char text[128];
    uint32_t missing;

    *lost = 0;
    for (uint32_t i = 0; (record = tcp_trace_get(trace, trace->written, i, &missing)) != NULL; i++) {
        *lost += missing;
        json_array_append_new(list, json_pack("{s:I, s:s, s:i, s:i, s:s}", "at_ms", (json_int_t)record->at_ms,
                                              "event", tcp_trace_event_name(record->event), "small",
                                              record->small, "value", record->value, "text",
                                              tcp_trace_format(record, text, sizeof(text))));
    }
    return list;
}

static json_t *json_trace(const struct search *search, const struct found *found)
{
    uint32_t count, lost;
    struct tcp_trace trace = traces_of(&search->segment[found->worker], &count)[found->slot];
    char local[PLACE_TEXT], remote[PLACE_TEXT];
    json_t *events = json_events(&trace, &lost);

    return json_pack("{s:i, s:I, s:s, s:s, s:s, s:o, s:I, s:I, s:o}", "worker", (int)found->worker, "slot",
                     (json_int_t)found->slot, "state", tcp_trace_state_name(trace.state), "local",
                     place(&trace.local, trace.local_port, local), "remote",
                     place(&trace.remote, trace.remote_port, remote), "began_ns",
                     json_count(trace.began_us * 1000), "written", (json_int_t)trace.written, "lost",
                     (json_int_t)lost, "events", events);
}

void trace_flow(struct daemon *daemon, struct call *call)
{
    struct wish wish = {
        .remote_port = (uint16_t)arg_number(call, "remote_port", 0),
        .port = (uint16_t)arg_number(call, "port", 0),
        .worker = arg_number(call, "worker", UINT64_MAX),
        .slot = arg_number(call, "slot", UINT64_MAX),
    };
    uint64_t limit = arg_number(call, "limit", TRACES_SHOWN);
    struct search search = {0};
    json_t *list;

    if (!arg_prefix(call, "remote", &wish.remote, &wish.has_remote))
        return;
    search_run(&search, daemon, &wish);
    list = json_array();
    for (size_t i = 0; i < search.count && (limit == 0 || i < limit); i++)
        json_array_append_new(list, json_trace(&search, &search.list[i]));
    call_reply(call, json_pack("{s:o, s:o, s:o}", "clock_ns", json_count(show_clock_ns()), "matched",
                               json_count(search.count), "flows", list));
    search_fini(&search);
}
