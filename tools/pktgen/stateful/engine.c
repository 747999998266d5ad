// SPDX-License-Identifier: Apache-2.0
// The engine's memory, and its bursts: read all, ask for their connections' memory, then take them one by one. Called
// by the loop, on the worker that runs the side.
#include "engine.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <rte_prefetch.h>
#include "tcp.h"

#define TIMER_BUDGET 512 // connections the wheel looks at in one call

const char *engine_failure_name(enum engine_failure failure)
{
    static const char *const name[FAILURES] = {
        [FAILURE_TIMEOUT] = "timeout",
        [FAILURE_REFUSED] = "refused",
        [FAILURE_RESET] = "reset",
        [FAILURE_CLOSED_EARLY] = "closed-early",
        [FAILURE_BAD_BYTE] = "bad-byte",
        [FAILURE_BAD_MESSAGE] = "bad-message",
        [FAILURE_BAD_SEQUENCE] = "bad-sequence",
    };
    return failure < FAILURES ? name[failure] : "?";
}

static uint32_t ticks_of(uint32_t ms)
{
    uint32_t ticks = (uint32_t)(((uint64_t)ms * 1000000) >> WHEEL_TICK_SHIFT);
    return ms > 0 && ticks == 0 ? 1 : ticks;
}

static int range_check(const struct endpoint_range *range, const char *whose, struct sl_error *error)
{
    uint32_t first = sl_host32(range->first.w[3]);
    if (range->addresses == 0 || range->ports == 0 || range->port + range->ports > 65536 ||
        (uint64_t)first + range->addresses > 1ULL << 32)
        return sl_error_set(error, -EINVAL,
                            "the %s range of addresses and ports goes beyond the last there is", whose);
    return 0;
}

int engine_check(const struct endpoint_config *config, struct sl_error *error)
{
    if (config->connections == 0 || config->connections > ENGINE_CONNECTIONS)
        return sl_error_set(error, -EINVAL, "%u connections at a time: 1 to %u are possible",
                            config->connections, ENGINE_CONNECTIONS);
    int rc = range_check(&config->own, config->server ? "server" : "client", error);
    if (rc != 0 || config->server)
        return rc;
    if (sl_ip_is_v4(&config->own.first) != sl_ip_is_v4(&config->peer.first))
        return sl_error_set(error, -EINVAL,
                            "client and server addresses are of different families: give both --client "
                            "and --server (or --target)");
    rc = range_check(&config->peer, "server", error);
    uint32_t tuples = rc ? 0 : tuple_count(&config->own, &config->peer);
    if (rc == 0 && tuples < config->connections)
        return sl_error_set(
            error, -EINVAL,
            "%u connections at a time want as many address and port pairs, and the ranges make %u: "
            "widen --client, or --server (or --target)",
            config->connections, tuples);
    return rc;
}

// Large tables in huge pages where the kernel has them to give.
static void *table_new(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    madvise(at, bytes, MADV_HUGEPAGE);
    return at;
}

static void table_free(void *at, size_t bytes)
{
    if (at)
        munmap(at, bytes);
}

static size_t chain_bytes(const struct engine *engine)
{
    return ((size_t)engine->bucket_mask + 1) * sizeof(uint32_t);
}

static int tables_make(struct engine *engine)
{
    uint32_t count = engine->config.connections, buckets = 1;
    while (buckets < count)
        buckets *= 2;
    engine->bucket_mask = engine->config.server ? buckets - 1 : 0;
    engine->connection = table_new(count * sizeof(struct connection));
    engine->free = table_new(count * sizeof(uint32_t));
    engine->chain = table_new(chain_bytes(engine));
    return engine->connection && engine->free && engine->chain ? 0 : -ENOMEM;
}

static void tables_fill(struct engine *engine)
{
    uint32_t count = engine->config.connections;
    for (uint32_t i = 0; i < count; i++) {
        engine->free[i] = engine->config.server ? count - 1 - i : i;
        engine->connection[i].link =
            engine->config.server ? CONNECTION_NONE : i + (engine->space.laps - 1) * count;
    }
    for (uint32_t i = 0; i <= engine->bucket_mask; i++)
        engine->chain[i] = CONNECTION_NONE;
    engine->free_count = count;
}

static int head_make(struct engine *engine, struct sl_error *error)
{
    const struct endpoint_config *config = &engine->config;
    if (config->server) {
        engine->head_body = config->response_bytes;
        http_response_head(&engine->head, config->response_bytes);
        return 0;
    }
    int rc = http_request_head(&engine->head, config->path, config->host ? config->host : "sluice",
                               config->response_bytes, config->request_bytes);
    return rc ? sl_error_set(error, -EINVAL,
                             "path and host together are longer than a request's head may be (%d bytes)",
                             HTTP_HEAD_MAX)
              : 0;
}

int engine_init(struct engine *engine, const struct endpoint_config *config, uint64_t now_ns,
                struct sl_error *error)
{
    memset(engine, 0, sizeof(*engine));
    engine->config = *config;
    int rc = engine_check(config, error);
    if (rc == 0)
        rc = head_make(engine, error);
    if (rc != 0)
        return rc;
    if (!config->server)
        engine->space = tuple_space_make(&config->own, &config->peer, config->connections);
    sl_hash_seed_init(&engine->seed, config->seed, ~config->seed);
    engine->key_state = config->seed;
    rc = tables_make(engine);
    if (rc != 0) {
        engine_fini(engine);
        return sl_error_set(error, rc, "no memory for %u connections", config->connections);
    }
    tables_fill(engine);
    wheel_init(&engine->wheel, engine->connection, wheel_tick(now_ns));
    segment_template_init(&engine->template, config->mac, &config->own.first);
    engine->rto_ticks = ticks_of(config->rto_ms);
    engine->think_ticks = ticks_of(config->think_ms);
    engine->timeout_ticks = ticks_of(config->timeout_ms);
    histogram_init(&engine->connect);
    histogram_init(&engine->request);
    return 0;
}

void engine_fini(struct engine *engine)
{
    table_free(engine->connection, engine->config.connections * sizeof(struct connection));
    table_free(engine->free, engine->config.connections * sizeof(uint32_t));
    table_free(engine->chain, chain_bytes(engine));
    engine->connection = NULL;
    engine->free = engine->chain = NULL;
}

// The segments among the frames, and which frame each is.
static uint32_t burst_read(struct engine *engine, struct engine_frame *frame, uint32_t count,
                           struct segment *segment, struct engine_frame **of)
{
    uint32_t good = 0;
    for (uint32_t i = 0; i < count; i++) {
        enum segment_verdict verdict =
            segment_read(&segment[good], frame[i].bytes, frame[i].len, &engine->config.own.first);
        frame[i].next = ENGINE_TAKEN;
        of[good] = &frame[i];
        good += verdict == SEGMENT_OK;
        engine->counters.foreign += verdict == SEGMENT_FOREIGN;
        engine->counters.bad_checksum += verdict == SEGMENT_BAD_CHECKSUM;
    }
    engine->counters.segments_in += good;
    return good;
}

static void connection_prefetch(const struct connection *c)
{
    rte_prefetch0(c);
    rte_prefetch0((const uint8_t *)c + 64);
}

static void frame_hand(struct engine *engine, struct engine_frame *frame, uint32_t shard)
{
    frame->next = (uint8_t)shard;
    engine->counters.handed++;
    engine->counters.segments_in--;
}

static void client_burst(struct engine *engine, const struct segment *segment, uint32_t count,
                         struct engine_frame **of, uint64_t now_ns)
{
    struct connection *found[ENGINE_BURST];
    for (uint32_t i = 0; i < count; i++) {
        found[i] = client_find(engine, &segment[i]);
        if (found[i])
            connection_prefetch(found[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct connection *c = found[i];
        uint32_t owner;
        if (!c && client_elsewhere(engine, &segment[i], &owner))
            frame_hand(engine, of[i], owner);
        else if (!c)
            engine->counters.foreign++;
        else if (c->state == CONNECTION_FREE || !connection_key_equal(&c->key, &segment[i].key))
            stray_answer(engine, &segment[i]);
        else
            connection_take(engine, c, &segment[i], now_ns);
    }
}

static bool server_asks_next(const struct engine *engine, const struct segment *segment,
                             const struct engine_frame *frame)
{
    return frame->hops + 1u < engine->config.shards &&
           (segment->flags & (SL_TCP_SYN | SL_TCP_ACK | SL_TCP_RST)) != SL_TCP_SYN;
}

static void server_burst(struct engine *engine, const struct segment *segment, uint32_t count,
                         struct engine_frame **of, uint64_t now_ns)
{
    uint32_t hash[ENGINE_BURST];
    for (uint32_t i = 0; i < count; i++) {
        hash[i] = server_hash(engine, &segment[i].key);
        rte_prefetch0(&engine->chain[hash[i]]);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = engine->chain[hash[i]];
        if (index == CONNECTION_NONE && engine->free_count > i)
            index = engine->free[engine->free_count - 1 - i]; // it may be taken for a new one
        if (index != CONNECTION_NONE)
            connection_prefetch(&engine->connection[index]);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct connection *c = server_find(engine, &segment[i], hash[i]);
        if (c)
            connection_take(engine, c, &segment[i], now_ns);
        else if (server_asks_next(engine, &segment[i], of[i]))
            frame_hand(engine, of[i], (engine->config.shard + 1) % engine->config.shards);
        else
            server_accept(engine, &segment[i], hash[i], now_ns);
    }
}

void engine_input(struct engine *engine, struct engine_frame *frame, uint32_t count, uint64_t now_ns)
{
    struct segment segment[ENGINE_BURST];
    struct engine_frame *of[ENGINE_BURST];
    uint32_t good = burst_read(engine, frame, count < ENGINE_BURST ? count : ENGINE_BURST, segment, of);
    if (engine->config.server)
        server_burst(engine, segment, good, of, now_ns);
    else
        client_burst(engine, segment, good, of, now_ns);
}

void engine_timers(struct engine *engine, uint64_t now_ns)
{
    uint32_t budget = TIMER_BUDGET, now = wheel_tick(now_ns), index;
    // Timers that find no room would wait a whole timeout again: they stay on the wheel until there is.
    while (engine->outbox.count <= engine->outbox.room / 2 &&
           (index = wheel_next(&engine->wheel, now, &budget)) != CONNECTION_NONE)
        connection_timer(engine, &engine->connection[index], now_ns);
}
