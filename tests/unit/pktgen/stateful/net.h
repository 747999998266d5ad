// SPDX-License-Identifier: Apache-2.0
// A line between a client engine and a server engine in virtual time, which loses, doubles, delays and damages frames as
// it is told. One test thread.
#ifndef STATEFUL_NET_H
#define STATEFUL_NET_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "random.h"
#include "stateful/engine.h"
#include "stateful/tcp.h"

#define NET_FRAME  2048
#define NET_FLIGHT 8192
#define NET_STEP   20000u // ns

struct net_frame {
    uint64_t due_ns;
    uint64_t order;
    uint16_t len;
    bool to_server;
    uint8_t bytes[NET_FRAME] __attribute__((aligned(8))); // headers are read in place
};

struct net {
    struct engine client, server;
    uint64_t now_ns, order;
    struct test_random random;
    uint32_t lose, twice, late, damage; // of 1000 frames
    // Looks at each frame before it leaves: false loses it. NULL: all pass.
    bool (*watch)(struct net *net, struct net_frame *frame);
    uint64_t lost, damaged, watched;
    uint32_t flying;
    struct net_frame *flight;
    uint8_t *room;
};

static inline struct endpoint_config net_config(bool server)
{
    struct endpoint_config config = {
        .server = server,
        .mac = {2, 0, 0, 0, 0, server ? 2 : 1},
        .next_hop = {2, 0, 0, 0, 0, 2},
        .connections = 64,
        .mss = 1460,
        .window = 65535,
        .rto_ms = 20,
        .retries = 8,
        .timeout_ms = 5000,
        .requests = 1,
        .response_bytes = 64,
        .seed = server ? 7 : 8,
        .peer = {sl_ip_v4(sl_be32_of(0x0a000101)), 2, 80, 3},
    };
    config.own =
        server ? config.peer : (struct endpoint_range){sl_ip_v4(sl_be32_of(0x0a000001)), 4, 1024, 1000};
    return config;
}

static inline void net_box(struct net *net, struct engine *engine, uint32_t from)
{
    for (uint32_t i = 0; i < ENGINE_OUTBOX; i++)
        engine->outbox.frame[i] = net->room + (size_t)(from + i) * NET_FRAME;
    engine->outbox.room = ENGINE_OUTBOX;
}

static inline struct net *net_new(const char *name, const struct endpoint_config *client,
                                  const struct endpoint_config *server)
{
    struct net *net = calloc(1, sizeof(*net));
    struct sl_error error = {0};
    assert_non_null(net);
    net->flight = calloc(NET_FLIGHT, sizeof(*net->flight));
    net->room = calloc(2 * ENGINE_OUTBOX, NET_FRAME);
    net->now_ns = 1000000000;
    net->random = test_random_start(name);
    assert_int_equal(engine_init(&net->client, client, net->now_ns, &error), 0);
    assert_int_equal(engine_init(&net->server, server, net->now_ns, &error), 0);
    net_box(net, &net->client, 0);
    net_box(net, &net->server, ENGINE_OUTBOX);
    return net;
}

static inline void net_free(struct net *net)
{
    engine_fini(&net->client);
    engine_fini(&net->server);
    free(net->flight);
    free(net->room);
    free(net);
}

static inline bool net_chance(struct net *net, uint32_t of_1000)
{
    return test_random_below(&net->random, 1000) < of_1000;
}

static inline void net_fly(struct net *net, struct net_frame *frame)
{
    if (net->flying == NET_FLIGHT || net_chance(net, net->lose)) {
        net->lost++;
        return;
    }
    if (net_chance(net, net->damage)) { // behind the Ethernet header, which has a check of its own
        frame->bytes[14 + test_random_below(&net->random, frame->len - 14u)] ^=
            (uint8_t)(1u << test_random_below(&net->random, 8));
        net->damaged++;
    }
    frame->due_ns =
        net->now_ns + 50000 + (net_chance(net, net->late) ? test_random_below(&net->random, 2000000) : 0);
    frame->order = net->order++;
    net->flight[net->flying++] = *frame;
}

static inline void net_send(struct net *net, struct engine *from)
{
    struct net_frame frame;
    for (uint32_t i = 0; i < from->outbox.count; i++) {
        frame.len = from->outbox.len[i];
        frame.to_server = from == &net->client;
        memcpy(frame.bytes, from->outbox.frame[i], frame.len);
        if (net->watch && !net->watch(net, &frame)) {
            net->watched++;
            continue;
        }
        struct net_frame second = frame;
        net_fly(net, &frame);
        if (net_chance(net, net->twice))
            net_fly(net, &second);
    }
    from->outbox.count = 0;
}

static inline int net_earlier(const void *a, const void *b)
{
    const struct net_frame *x = a, *y = b;
    if (x->due_ns != y->due_ns)
        return x->due_ns < y->due_ns ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static inline void net_step(struct net *net)
{
    uint32_t kept = 0, due = 0;
    static struct net_frame arrived[NET_FLIGHT];
    net->now_ns += NET_STEP;
    for (uint32_t i = 0; i < net->flying; i++) {
        if (net->flight[i].due_ns <= net->now_ns)
            arrived[due++] = net->flight[i];
        else
            net->flight[kept++] = net->flight[i];
    }
    net->flying = kept;
    qsort(arrived, due, sizeof(arrived[0]), net_earlier);
    for (uint32_t i = 0; i < due; i++) {
        struct engine_frame frame = {.bytes = arrived[i].bytes, .len = arrived[i].len};
        engine_input(arrived[i].to_server ? &net->server : &net->client, &frame, 1, net->now_ns);
    }
    engine_timers(&net->client, net->now_ns);
    engine_timers(&net->server, net->now_ns);
    net_send(net, &net->client);
    net_send(net, &net->server);
}

static inline uint64_t net_failed(const struct engine *engine)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < FAILURES; i++)
        sum += engine->counters.failed[i];
    return sum;
}

static inline void net_adds_up(const struct engine *engine)
{
    assert_int_equal(engine->counters.opened,
                     engine->counters.completed + net_failed(engine) + engine_open(engine));
}

// Opens `count` connections as the table allows, and lets the time pass until none is open on either side.
static inline void net_run(struct net *net, uint32_t count, uint32_t seconds)
{
    uint64_t end = net->now_ns + seconds * 1000000000ULL;
    while (net->now_ns < end) {
        uint32_t left = count - (uint32_t)net->client.counters.opened;
        client_open(&net->client, left < 4 ? left : 4, net->now_ns);
        net_step(net);
        net_adds_up(&net->client);
        net_adds_up(&net->server);
        if (left == 0 && engine_open(&net->client) == 0 && engine_open(&net->server) == 0)
            return;
    }
}

#endif
