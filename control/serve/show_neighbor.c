// SPDX-License-Identifier: Apache-2.0
// neighbor, neighbor.flush.
#include <stdlib.h>
#include <string.h>
#include "serve/command.h"
#include "serve/neighbors.h"

static int by_port_and_address(const void *a, const void *b)
{
    const struct sl_neighbor *x = a, *y = b;

    return x->port != y->port ? (int)x->port - (int)y->port : memcmp(x->ip.b, y->ip.b, sizeof(x->ip.b));
}

const char *neighbor_state(const struct sl_neighbor *neighbor)
{
    static const char *const name[SL_NEIGHBOR_STATES] = {"free",  "incomplete", "reachable", "stale",
                                                         "delay", "probe",      "failed",    "static"};
    unsigned state = (unsigned)(neighbor->mac_state >> 48) & 0xff;

    return state < SL_NEIGHBOR_STATES ? name[state] : "?";
}

json_t *neighbor_mac(const struct sl_neighbor *neighbor)
{
    uint8_t mac[8];
    unsigned state = (unsigned)(neighbor->mac_state >> 48) & 0xff;

    memcpy(mac, &neighbor->mac_state, sizeof(mac));
    return state == SL_NEIGHBOR_INCOMPLETE || state == SL_NEIGHBOR_FAILED ? json_null() : json_mac(mac);
}

// Copies the entries in use; the segment may change meanwhile, so each is copied, then judged.
void neighbors_copy(const struct daemon *daemon, struct neighbors *out)
{
    struct sl_segment_map map = {0};

    memset(out, 0, sizeof(*out));
    if (sl_segment_open(daemon->options.run_dir, "neighbor", SL_SEG_NEIGHBOR, false, &map, NULL))
        return;
    const struct sl_neighbor_segment *segment = map.base;
    uint64_t room = map.size > segment->entry_offset
                        ? (map.size - segment->entry_offset) / sizeof(struct sl_neighbor)
                        : 0;
    uint64_t capacity = segment->capacity < room ? segment->capacity : room;
    const struct sl_neighbor *entry = (const void *)((const char *)map.base + segment->entry_offset);
    out->capacity = capacity;
    out->list = calloc(capacity + 1, sizeof(*out->list));
    for (uint64_t i = 0; out->list && i < capacity; i++) {
        struct sl_neighbor copy = entry[i];
        copy.mac_state = __atomic_load_n(&entry[i].mac_state, __ATOMIC_ACQUIRE);
        if (((copy.mac_state >> 48) & 0xff) != SL_NEIGHBOR_FREE)
            out->list[out->count++] = copy;
    }
    sl_segment_close(&map);
    if (out->list)
        qsort(out->list, out->count, sizeof(*out->list), by_port_and_address);
}

void show_neighbor(struct daemon *daemon, struct call *call)
{
    uint64_t limit = arg_number(call, "limit", 0);
    struct neighbors neighbors;
    struct sl_ip ip;
    bool given;
    int port = arg_port(daemon, call);

    if (port == -2 || !arg_ip(call, "address", &ip, &given))
        return;
    neighbors_copy(daemon, &neighbors);
    json_t *list = json_array();
    uint32_t now_ms = clock_ms();
    for (size_t i = 0; i < neighbors.count && (!limit || json_array_size(list) < limit); i++) {
        const struct sl_neighbor *neighbor = &neighbors.list[i];
        int32_t age_ms = (int32_t)(now_ms - neighbor->updated_ms);
        if ((port >= 0 && neighbor->port != port) || (given && !sl_ip_equal(&ip, &neighbor->ip)))
            continue;
        json_array_append_new(list, json_pack("{s:o, s:s, s:o, s:s, s:o}", "address", json_ip(&neighbor->ip),
                                              "port", slot_name(daemon, neighbor->port), "mac",
                                              neighbor_mac(neighbor), "state", neighbor_state(neighbor),
                                              "age_ms", json_count(age_ms > 0 ? (uint64_t)age_ms : 0)));
    }
    call_reply(call, json_pack("{s:o, s:o, s:o}", "neighbors", list, "used", json_count(neighbors.count),
                               "capacity", json_count(neighbors.capacity)));
    free(neighbors.list);
}

void neighbor_flush(struct daemon *daemon, struct call *call)
{
    struct sl_command command = {.kind = SL_COMMAND_NEIGHBOR_FLUSH};
    bool given;
    int port = arg_port(daemon, call);

    if (port == -2 || !arg_ip(call, "address", &command.neighbor.ip, &given))
        return;
    command.neighbor.port = port >= 0 ? (uint16_t)port : UINT16_MAX;
    forward_send(daemon, &command, "flushed", call);
}
