// SPDX-License-Identifier: Apache-2.0
#include "bottleneck.h"
#include <stdlib.h>
#include <string.h>

#define RATE_BPS  100000000ull
#define PACKETS   65536u // in flight in one direction, at most
#define CHUNK     65536u

struct packet {
    uint64_t due_us;
    struct sl_tcp_out out;
};

struct lane { // one direction: what enters first leaves first
    struct packet *packets;
    uint32_t head, tail;
};

struct path {
    struct sl_tcp_engine *client, *server;
    uint64_t rate_bps, late_us;
    uint64_t now_us, delay_us; // one way
    uint64_t busy_ns;          // nanoseconds; until then the bottleneck has work
    uint64_t queue_bytes;
    double loss;
    uint64_t random;
    uint32_t dropped_full, dropped_random;
    uint64_t waited_us, n_waited; // late
    struct lane to_server, to_client;
};

struct flow {
    struct sl_tcp_conn *client, *server;
    uint64_t read, read_late; // bytes; read_late: after a sixth of the time
    uint64_t progress_us, worst_gap_us;
    uint32_t rto_us; // of the worst gap
};

static uint8_t zeros[CHUNK];

static double uniform(struct path *path)
{
    path->random ^= path->random << 13;
    path->random ^= path->random >> 7;
    path->random ^= path->random << 17;
    return (double)(path->random >> 11) / 9007199254740992.0;
}

static void enter(struct lane *lane, const struct sl_tcp_out *out, uint64_t due_us)
{
    struct packet *packet = &lane->packets[lane->tail++ % PACKETS];

    if (lane->tail - lane->head > PACKETS)
        abort();
    packet->due_us = due_us;
    packet->out = *out;
}

static bool send_data(void *context, const struct sl_tcp_out *out)
{
    struct path *path = context;
    uint64_t bits = (uint64_t)(40 + out->options_len + out->len) * 8, waiting;

    if (uniform(path) < path->loss) {
        path->dropped_random++;
        return true;
    }
    path->busy_ns = path->busy_ns > path->now_us * 1000 ? path->busy_ns : path->now_us * 1000;
    waiting = (path->busy_ns - path->now_us * 1000) * path->rate_bps / 8 / 1000000000ull;
    if (waiting > path->queue_bytes) {
        path->dropped_full++;
        return true;
    }
    if (path->now_us >= path->late_us) {
        path->waited_us += path->busy_ns / 1000 - path->now_us;
        path->n_waited++;
    }
    path->busy_ns += bits * 1000000000ull / path->rate_bps;
    enter(&path->to_server, out, path->busy_ns / 1000 + path->delay_us);
    return true;
}

static bool send_ack(void *context, const struct sl_tcp_out *out)
{
    struct path *path = context;

    enter(&path->to_client, out, path->now_us + path->delay_us);
    return true;
}

static void leave(struct path *path, struct lane *lane, struct sl_tcp_engine *to)
{
    while (lane->head != lane->tail && lane->packets[lane->head % PACKETS].due_us <= path->now_us) {
        const struct sl_tcp_out *out = &lane->packets[lane->head++ % PACKETS].out;
        struct sl_tcp_in in = rig_in_of(out, (struct sl_tcp_chunk){zeros, out->len, out->len, NULL});

        sl_tcp_input(to, &in, path->now_us);
    }
}

static void events(struct path *path, struct flow *flows, uint32_t n)
{
    struct sl_tcp_event event;

    while (sl_tcp_event(path->client, &event))
        ;
    while (sl_tcp_event(path->server, &event))
        for (uint32_t i = 0; i < n && event.bits & SL_TCP_ACCEPTED; i++)
            if (!flows[i].server) {
                flows[i].server = event.conn;
                break;
            }
}

static void application(struct path *path, struct flow *flow)
{
    struct sl_tcp_chunk chunk = {zeros, CHUNK, CHUNK, NULL};
    uint64_t before = flow->read, gap_us;
    struct sl_tcp_info info;

    if (flow->client)
        while (sl_tcp_send(flow->client, &chunk, path->now_us) == 0)
            ;
    while (flow->server && sl_tcp_read(flow->server, UINT32_MAX, &chunk, path->now_us) == 1) {
        flow->read += chunk.len;
        flow->read_late += path->now_us >= path->late_us ? chunk.len : 0;
    }
    if (flow->read == before)
        return;
    gap_us = path->now_us - flow->progress_us;
    if (before && gap_us > flow->worst_gap_us) {
        sl_tcp_info(flow->client, &info);
        flow->worst_gap_us = gap_us;
        flow->rto_us = info.rto_us;
    }
    flow->progress_us = path->now_us;
}

static uint64_t next_us(const struct path *path)
{
    uint64_t due = tcp_min_u64(sl_tcp_deadline(path->client), sl_tcp_deadline(path->server));

    if (path->to_server.head != path->to_server.tail)
        due = tcp_min_u64(due, path->to_server.packets[path->to_server.head % PACKETS].due_us);
    if (path->to_client.head != path->to_client.tail)
        due = tcp_min_u64(due, path->to_client.packets[path->to_client.head % PACKETS].due_us);
    return due > path->now_us ? due : path->now_us + 1;
}

static void turn(struct path *path, struct flow *flows, uint32_t n)
{
    leave(path, &path->to_server, path->server);
    leave(path, &path->to_client, path->client);
    sl_tcp_tick(path->client, path->now_us);
    sl_tcp_tick(path->server, path->now_us);
    events(path, flows, n);
    for (uint32_t i = 0; i < n; i++)
        application(path, &flows[i]);
    sl_tcp_output(path->client, path->now_us);
    sl_tcp_output(path->server, path->now_us);
}

static struct sl_tcp_engine *engine(struct path *path, bool (*send)(void *, const struct sl_tcp_out *),
                             uint64_t salt)
{
    struct sl_tcp_config config;
    struct sl_tcp_engine *tcp;

    rig_config(&config);
    config.entropy[0] ^= salt;
    config.context = path;
    config.send = send;
    tcp = sl_tcp_new(&config);
    if (!tcp)
        abort();
    return tcp;
}

static void connect_flow(struct path *path, struct flow *flow, uint16_t port,
                         const struct sl_tcp_options *options)
{
    struct sl_ip local, remote;
    int error = 0;

    sl_ip_parse("192.0.2.1", &local);
    sl_ip_parse("192.0.2.2", &remote);
    flow->progress_us = path->now_us;
    flow->client = sl_tcp_connect(path->client, &local, __builtin_bswap16(port), &remote,
                                  __builtin_bswap16(80), options, NULL, path->now_us, &error);
    if (!flow->client)
        abort();
}

static void sum_up(struct path *path, const struct flow *flows, uint32_t n, double seconds,
                   struct result *result)
{
    double sum = 0, squares = 0, late = 0;

    for (uint32_t i = 0; i < n; i++) {
        struct sl_tcp_info info;

        sl_tcp_info(flows[i].client, &info);
        result->retransmits += info.retransmits;
        sum += (double)flows[i].read;
        late += (double)flows[i].read_late;
        squares += (double)flows[i].read_late * (double)flows[i].read_late;
        result->mbit_of[i] = (double)flows[i].read_late * 8 / (seconds * 5 / 6) / 1e6;
        if ((double)flows[i].worst_gap_us / 1000 > result->worst_gap_ms) {
            result->worst_gap_ms = (double)flows[i].worst_gap_us / 1000;
            result->rto_ms = flows[i].rto_us / 1000.0;
        }
    }
    result->mbit = sum * 8 / seconds / 1e6;
    result->mbit_late = late * 8 / (seconds * 5 / 6) / 1e6;
    result->jain = squares > 0 ? late * late / (n * squares) : 0;
    result->timeouts = (uint32_t)sl_tcp_counters(path->client)->timeouts;
    result->undone = (uint32_t)sl_tcp_counters(path->client)->undone;
    result->dropped_full = path->dropped_full;
    result->dropped_random = path->dropped_random;
}

struct result bottleneck_play(const struct scene *scene)
{
    uint64_t rate_bps = scene->rate_bps ? scene->rate_bps : RATE_BPS;
    uint64_t bdp = rate_bps / 8 * scene->rtt_us / 1000000, end_us;
    struct path path = {.now_us = 1000 * RIG_S,
                        .delay_us = scene->rtt_us / 2,
                        .rate_bps = rate_bps,
                        .queue_bytes = scene->queue_bytes ? scene->queue_bytes : bdp > 64 * 1500 ? bdp : 64 * 1500,
                        .loss = scene->loss,
                        .random = 0x9e3779b97f4a7c15 ^ scene->seed};
    struct flow flows[BOTTLENECK_FLOWS] = {0};
    struct sl_tcp_options options;
    struct result result = {0};
    struct sl_ip any;
    int error = 0;

    path.to_server.packets = malloc(sizeof(struct packet) * PACKETS);
    path.to_client.packets = malloc(sizeof(struct packet) * PACKETS);
    path.client = engine(&path, send_data, 0);
    path.server = engine(&path, send_ack, 0x55);
    sl_tcp_options_default(&options);
    options.rx_bytes = options.tx_bytes = 16u << 20;
    sl_ip_parse("192.0.2.2", &any);
    sl_tcp_listen(path.server, &any, __builtin_bswap16(80), &options, NULL, &error);
    end_us = path.now_us + (uint64_t)(scene->seconds * 1e6);
    path.late_us = path.now_us + (uint64_t)(scene->seconds * 1e6 / 6);
    for (uint32_t i = 0; i < scene->n; i++) {
        options.congestion = scene->congestion[i];
        connect_flow(&path, &flows[i], (uint16_t)(40000 + i), &options);
        for (uint64_t until_us = path.now_us + (i + 1 < scene->n ? scene->rtt_us * 7 : 0);
             path.now_us < until_us; path.now_us = next_us(&path))
            turn(&path, flows, i + 1);
    }
    for (; path.now_us < end_us; path.now_us = next_us(&path)) {
        if (scene->late_rate_bps && path.now_us >= path.late_us)
            path.rate_bps = scene->late_rate_bps;
        turn(&path, flows, scene->n);
    }
    sum_up(&path, flows, scene->n, scene->seconds, &result);
    result.queue_ms = path.n_waited ? (double)path.waited_us / (double)path.n_waited / 1000 : 0;
    result.invariant = sl_tcp_check(path.client, NULL);
    sl_tcp_free(path.client);
    sl_tcp_free(path.server);
    free(path.to_server.packets);
    free(path.to_client.packets);
    return result;
}
