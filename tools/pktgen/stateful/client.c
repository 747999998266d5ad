// SPDX-License-Identifier: Apache-2.0
// The client: opens connections, asks on them one request at a time, checks the responses, closes. The engine's thread.
#include "pattern.h"
#include "tcp.h"
#include <rte_prefetch.h>

#define OPEN_AHEAD 8 // connections whose memory is asked for early

static uint32_t ring_place(const struct engine *engine, uint32_t ahead)
{
    uint32_t place = engine->free_first + ahead;
    return place < engine->config.connections ? place : place - engine->config.connections;
}

void client_free(struct engine *engine, struct connection *c)
{
    engine->free[ring_place(engine, engine->free_count++)] = connection_index(engine, c);
}

static void connection_name(struct engine *engine, struct connection *c)
{
    const struct endpoint_config *config = &engine->config;
    uint32_t slots = engine->space.slots.by, next = c->link + slots;
    bool wrapped = next < slots || next >= (uint64_t)engine->space.laps * slots;
    c->link = wrapped ? connection_index(engine, c) : next;
    struct tuple t = tuple_split(&engine->space, c->link);
    c->key = (struct connection_key){
        .peer = endpoint_address(&config->peer, t.server_address),
        .own = sl_host32(config->own.first.w[3]) + t.client_address,
        .peer_port = (uint16_t)(config->peer.port + t.server_port),
        .own_port = (uint16_t)(config->own.port + t.client_port),
    };
    memcpy(c->mac, config->next_hop, 6);
}

static void prefetch_connection(const struct engine *engine, uint32_t ahead)
{
    if (ahead >= engine->free_count)
        return;
    const struct connection *c = &engine->connection[engine->free[ring_place(engine, ahead)]];
    rte_prefetch0(c);
    rte_prefetch0((const uint8_t *)c + 64);
}

uint32_t client_open(struct engine *engine, uint32_t count, uint64_t now_ns)
{
    uint32_t opened = 0;
    while (opened < count && engine->free_count > 0 && engine->outbox.count < engine->outbox.room) {
        struct connection *c = &engine->connection[engine->free[engine->free_first]];
        prefetch_connection(engine, OPEN_AHEAD);
        engine->free_first = ring_place(engine, 1);
        engine->free_count--;
        connection_name(engine, c);
        connection_start(engine, c, CONNECTION_SYN_SENT, now_ns);
        c->requests = engine->config.requests;
        connection_send_syn(engine, c, now_ns);
        opened++;
    }
    return opened;
}

struct connection *client_find(struct engine *engine, const struct segment *s)
{
    const struct endpoint_config *config = &engine->config;
    struct sl_ip own = config->own.first;
    struct tuple t;
    own.w[3] = sl_be32_of(s->key.own);
    if (!endpoint_find(&config->own, &own, s->key.own_port, &t.client_address, &t.client_port) ||
        !endpoint_find(&config->peer, &s->key.peer, s->key.peer_port, &t.server_address, &t.server_port))
        return NULL;
    uint64_t number = tuple_join(&engine->space, &t);
    if (number > UINT32_MAX)
        return NULL;
    return &engine->connection[engine->space.slots.by == 1
                                   ? 0
                                   : divisor_modulo(engine->space.slots, (uint32_t)number)];
}

bool client_elsewhere(const struct engine *engine, const struct segment *s, uint32_t *shard)
{
    const struct endpoint_config *config = &engine->config;
    struct sl_ip own = config->own.first;
    uint32_t address, port;
    own.w[3] = sl_be32_of(s->key.own);
    if (config->shards < 2 || !endpoint_find(&config->side, &own, s->key.own_port, &address, &port))
        return false;
    *shard = endpoint_share_of(&config->side, config->shards, address, port);
    return *shard != config->shard;
}

static uint64_t stamp_age_ns(const struct connection *c, uint64_t now_ns)
{
    return (uint64_t)(engine_stamp(now_ns) - c->stamp) << ENGINE_STAMP_SHIFT;
}

static void client_ask(struct engine *engine, struct connection *c, uint64_t now_ns)
{
    engine->key_state += 0x9e3779b97f4a7c15u;
    uint32_t key = (uint32_t)(sl_hash_fold(engine->key_state, engine->seed.k[5]));
    c->rx_key = key;
    c->rx_offset = 0;
    c->parse.phase = HTTP_START;
    c->flags |= CONNECTION_AWAITS;
    c->stamp = engine_stamp(now_ns);
    c->requests--;
    connection_say(c, engine->head.len, engine->config.request_bytes, key);
}

void client_connected(struct engine *engine, struct connection *c, uint64_t now_ns)
{
    histogram_add(&engine->connect, stamp_age_ns(c, now_ns));
    if (client_next(engine, c, now_ns))
        connection_push(engine, c, PUSH_ANSWER, now_ns);
}

// Reads what there is of a response's head; bytes of it.
static uint32_t head_take(struct engine *engine, struct connection *c, const uint8_t *bytes, uint32_t count)
{
    bool fresh = c->parse.phase == HTTP_START;
    if (fresh && engine->learned_len && count >= engine->learned_len &&
        memcmp(bytes, engine->learned, engine->learned_len) == 0) {
        c->parse = engine->learned_result;
        return engine->learned_len;
    }
    if (fresh)
        c->parse = (struct http_parse){0};
    uint32_t used = http_response_read(&c->parse, bytes, count);
    if (fresh && c->parse.phase == HTTP_BODY && used <= HTTP_HEAD_MAX) {
        memcpy(engine->learned, bytes, used);
        engine->learned_len = used;
        engine->learned_result = c->parse;
    }
    return used;
}

static bool head_wrong(const struct engine *engine, const struct http_parse *parse)
{
    if (parse->phase == HTTP_BAD)
        return true;
    if (parse->phase != HTTP_BODY)
        return false;
    bool length = engine->config.path || parse->length == engine->config.response_bytes;
    return parse->status != 200 || !parse->counted || !length;
}

static uint32_t client_fail(struct engine *engine, struct connection *c, enum engine_failure failure)
{
    connection_fail(engine, c, failure, true);
    return APP_WRONG;
}

uint32_t client_bytes(struct engine *engine, struct connection *c, const uint8_t *bytes, uint32_t count,
                      uint64_t now_ns)
{
    uint32_t used = 0;
    if (!connection_has(c, CONNECTION_AWAITS))
        return client_fail(engine, c, FAILURE_BAD_MESSAGE); // nobody asked
    if (c->parse.phase < HTTP_BODY)
        used = head_take(engine, c, bytes, count);
    if (head_wrong(engine, &c->parse))
        return client_fail(engine, c, FAILURE_BAD_MESSAGE);
    if (c->parse.phase != HTTP_BODY)
        return used;
    uint32_t left = c->parse.length - c->rx_offset, body = count - used;
    if (body > left)
        return client_fail(engine, c, FAILURE_BAD_MESSAGE);
    if (!engine->config.path && !pattern_check(c->rx_key, c->rx_offset, bytes + used, body))
        return client_fail(engine, c, FAILURE_BAD_BYTE);
    c->rx_offset += body;
    if (body == left) {
        histogram_add(&engine->request, stamp_age_ns(c, now_ns));
        engine->counters.requests++;
        c->flags &= (uint8_t)~CONNECTION_AWAITS;
        c->parse.phase = HTTP_START;
    }
    return count;
}

bool client_next(struct engine *engine, struct connection *c, uint64_t now_ns)
{
    bool waits = connection_has(c, CONNECTION_AWAITS);
    if (connection_has(c, CONNECTION_FIN_GOT) && (waits || c->requests > 0)) {
        client_fail(engine, c, FAILURE_CLOSED_EARLY);
        return false;
    }
    if (waits || connection_has(c, CONNECTION_THINKS | CONNECTION_FIN_QUEUED) || c->snd_una != c->tx_end)
        return true;
    if (c->requests == 0 && engine->config.close_by_reset) {
        connection_send_reset(engine, c);
        connection_complete(engine, c);
        return false;
    }
    if (c->requests == 0)
        c->flags |= CONNECTION_FIN_QUEUED;
    else if (engine->think_ticks && c->requests < engine->config.requests)
        c->flags |= CONNECTION_THINKS;
    else
        client_ask(engine, c, now_ns);
    return true;
}

void client_think_over(struct engine *engine, struct connection *c, uint64_t now_ns)
{
    c->flags &= (uint8_t)~CONNECTION_THINKS;
    client_ask(engine, c, now_ns);
    connection_push(engine, c, PUSH_DATA, now_ns);
}
