// SPDX-License-Identifier: Apache-2.0
// The server: takes connections from anybody, answers requests, closes when the client has. The engine's thread.
#include "pattern.h"
#include "tcp.h"

uint32_t server_hash(const struct engine *engine, const struct connection_key *key)
{
    uint64_t word[3];
    memcpy(word, key, sizeof(word));
    uint64_t hash = sl_hash_fold(word[0] ^ engine->seed.k[0], word[1] ^ engine->seed.k[1]);
    return (uint32_t)sl_hash_fold(hash ^ word[2], engine->seed.k[2]) & engine->bucket_mask;
}

struct connection *server_find(struct engine *engine, const struct segment *s, uint32_t hash)
{
    uint32_t index = engine->chain[hash];
    while (index != CONNECTION_NONE && !connection_key_equal(&engine->connection[index].key, &s->key))
        index = engine->connection[index].link;
    return index == CONNECTION_NONE ? NULL : &engine->connection[index];
}

void server_free(struct engine *engine, struct connection *c)
{
    uint32_t index = connection_index(engine, c), *at = &engine->chain[server_hash(engine, &c->key)];
    while (*at != index)
        at = &engine->connection[*at].link;
    *at = c->link;
    engine->free[engine->free_count++] = index;
}

static bool for_us(const struct engine *engine, const struct connection_key *key)
{
    const struct endpoint_range *own = &engine->config.own;
    return key->own - sl_host32(own->first.w[3]) < own->addresses &&
           (uint32_t)key->own_port - own->port < own->ports;
}

void server_accept(struct engine *engine, const struct segment *s, uint32_t hash, uint64_t now_ns)
{
    if (!for_us(engine, &s->key)) {
        engine->counters.foreign++;
        return;
    }
    if ((s->flags & (SL_TCP_SYN | SL_TCP_ACK | SL_TCP_RST)) != SL_TCP_SYN) {
        stray_answer(engine, s);
        return;
    }
    if (engine->free_count == 0) {
        engine->counters.table_full++;
        return;
    }
    uint32_t index = engine->free[--engine->free_count];
    struct connection *c = &engine->connection[index];
    c->key = s->key;
    c->link = engine->chain[hash];
    engine->chain[hash] = index;
    memcpy(c->mac, s->src_mac, 6);
    connection_start(engine, c, CONNECTION_SYN_RECEIVED, now_ns);
    c->rcv_nxt = s->seq + 1;
    c->snd_wnd = s->window;
    c->mss = s->mss && s->mss < c->mss ? s->mss : s->mss ? c->mss : 536; // RFC 9293 section 3.7.1
    connection_send_syn(engine, c, now_ns);
}

// The head of the last request again, but for its key.
static bool head_known(const struct engine *engine, struct http_parse *parse, const uint8_t *bytes,
                       uint32_t count)
{
    uint32_t at = engine->learned_key_at, len = engine->learned_len, key;
    if (len == 0 || count < len || memcmp(bytes, engine->learned, at) != 0 ||
        memcmp(bytes + at + 8, engine->learned + at + 8, len - at - 8) != 0 ||
        !http_key_read(bytes + at, &key))
        return false;
    *parse = engine->learned_result;
    parse->key = key;
    return true;
}

static void head_learn(struct engine *engine, const struct http_parse *parse, const uint8_t *bytes,
                       uint32_t len)
{
    const uint8_t *slash = memchr(bytes, '/', len);
    if (parse->phase != HTTP_BODY || !parse->keyed || len > HTTP_HEAD_MAX || !slash)
        return;
    memcpy(engine->learned, bytes, len);
    engine->learned_len = len;
    engine->learned_key_at = (uint32_t)(slash - bytes) + 1;
    engine->learned_result = *parse;
}

static uint32_t head_take(struct engine *engine, struct connection *c, const uint8_t *bytes, uint32_t count)
{
    bool fresh = c->parse.phase == HTTP_START;
    if (fresh) {
        c->rx_offset = 0;
        if (head_known(engine, &c->parse, bytes, count))
            return engine->learned_len;
        c->parse = (struct http_parse){0};
    }
    uint32_t used = http_request_read(&c->parse, bytes, count);
    if (fresh)
        head_learn(engine, &c->parse, bytes, used);
    return used;
}

void server_head_for(struct engine *engine, uint32_t body)
{
    if (body == engine->head_body)
        return;
    http_response_head(&engine->head, body);
    engine->head_body = body;
}

static void server_answer(struct engine *engine, struct connection *c)
{
    uint32_t want = c->parse.keyed ? c->parse.want : engine->config.response_bytes;
    server_head_for(engine, want);
    connection_say(c, engine->head.len, want, c->parse.key);
    c->parse.phase = HTTP_START;
    c->requests++;
    engine->counters.requests++;
}

static uint32_t server_fail(struct engine *engine, struct connection *c, enum engine_failure failure)
{
    connection_fail(engine, c, failure, true);
    return APP_WRONG;
}

uint32_t server_bytes(struct engine *engine, struct connection *c, const uint8_t *bytes, uint32_t count)
{
    uint32_t used = 0;
    if (c->parse.phase == HTTP_START && c->snd_una != c->tx_end)
        return 0; // a request behind a request: one message at a time is kept, so it must come again
    if (c->parse.phase < HTTP_BODY)
        used = head_take(engine, c, bytes, count);
    if (c->parse.phase == HTTP_BAD)
        return server_fail(engine, c, FAILURE_BAD_MESSAGE);
    if (c->parse.phase != HTTP_BODY)
        return used;
    uint32_t left = c->parse.length - c->rx_offset, body = count - used < left ? count - used : left;
    if (c->parse.keyed && !pattern_check(c->parse.key ^ PATTERN_REQUEST, c->rx_offset, bytes + used, body))
        return server_fail(engine, c, FAILURE_BAD_BYTE);
    c->rx_offset += body;
    if (body == left)
        server_answer(engine, c);
    return used + body;
}

bool server_next(struct engine *engine, struct connection *c)
{
    if (!connection_has(c, CONNECTION_FIN_GOT))
        return true;
    if (c->parse.phase != HTTP_START) {
        server_fail(engine, c, FAILURE_CLOSED_EARLY);
        return false;
    }
    c->flags |= CONNECTION_FIN_QUEUED;
    return true;
}
