// SPDX-License-Identifier: Apache-2.0
// Taking segments, in the order of RFC 9293 section 3.10.7: sequence number, reset, SYN, acknowledgment, bytes, FIN.
#include "tcp.h"

#define REPEATS_MEAN_LOSS 3 // RFC 5681 section 3.2

static void connection_free(struct engine *engine, struct connection *c)
{
    c->state = CONNECTION_FREE;
    if (engine->config.server)
        server_free(engine, c);
    else
        client_free(engine, c);
}

void connection_fail(struct engine *engine, struct connection *c, enum engine_failure failure, bool reset)
{
    if (reset)
        connection_send_reset(engine, c);
    engine->counters.failed[failure]++;
    connection_free(engine, c);
}

void connection_complete(struct engine *engine, struct connection *c)
{
    engine->counters.completed++;
    connection_free(engine, c);
}

// The first number: a clock of 4 us (RFC 9293 section 3.4.1) and a hash of the connection (RFC 6528), so that a tuple
// that comes again starts above its last numbers.
static uint32_t sequence_first(const struct engine *engine, const struct connection_key *key, uint64_t now_ns)
{
    uint64_t word[3];
    memcpy(word, key, sizeof(word));
    uint64_t hash = sl_hash_fold(word[0] ^ word[2] ^ engine->seed.k[3], word[1] ^ engine->seed.k[4]);
    return (uint32_t)(now_ns >> 12) + (uint32_t)hash;
}

void connection_start(struct engine *engine, struct connection *c, enum connection_state state,
                      uint64_t now_ns)
{
    c->state = (uint8_t)state;
    c->flags &= CONNECTION_ARMED;
    c->retries = c->repeats = 0;
    c->snd_una = c->snd_nxt = c->snd_max = sequence_first(engine, &c->key, now_ns);
    c->tx_end = c->tx_start = c->snd_una + 1;
    c->tx_head = 0;
    c->tx_body = 0;
    c->snd_wnd = 0;
    c->rcv_nxt = 0;
    c->mss = engine->config.mss;
    c->parse = (struct http_parse){0};
    c->rx_offset = 0;
    c->requests = 0;
    c->stamp = engine_stamp(now_ns);
    engine->counters.opened++;
}

static void bad_sequence(struct engine *engine, struct connection *c, uint64_t now_ns)
{
    engine->counters.bad_sequence++;
    c->flags |= CONNECTION_BAD_SEQUENCE;
    connection_push(engine, c, PUSH_ANSWER, now_ns);
}

// SYN-SENT state, section 3.10.7.3. Simultaneous opening is not for us: a SYN alone is no answer.
static void take_syn_ack(struct engine *engine, struct connection *c, const struct segment *s,
                         uint64_t now_ns)
{
    bool ack = s->flags & SL_TCP_ACK;
    if (ack && s->ack != c->snd_max) {
        stray_answer(engine, s);
        return;
    }
    if (s->flags & SL_TCP_RST) {
        if (ack)
            connection_fail(engine, c, FAILURE_REFUSED, false);
        return;
    }
    if (!ack || !(s->flags & SL_TCP_SYN)) {
        engine->counters.stray++;
        return;
    }
    c->rcv_nxt = s->seq + 1;
    c->snd_una = c->snd_nxt = s->ack;
    c->snd_wnd = s->window;
    c->retries = 0;
    c->mss = s->mss && s->mss < c->mss ? s->mss : s->mss ? c->mss : 536; // RFC 9293 section 3.7.1
    c->state = CONNECTION_OPEN;
    client_connected(engine, c, now_ns);
}

// True where the connection goes on.
static bool take_ack(struct engine *engine, struct connection *c, const struct segment *s, uint64_t now_ns)
{
    if (!(s->flags & SL_TCP_ACK))
        return false;
    if (sequence_before(c->snd_max, s->ack) || sequence_before(s->ack, c->snd_una - UINT16_MAX)) {
        bad_sequence(engine, c, now_ns);
        return false;
    }
    if (sequence_before(c->snd_una, s->ack)) {
        c->snd_una = s->ack;
        c->retries = c->repeats = 0;
        if (sequence_before(c->snd_nxt, s->ack))
            c->snd_nxt = s->ack;
        if (c->state == CONNECTION_SYN_RECEIVED)
            c->state = CONNECTION_OPEN;
    } else if (s->ack == c->snd_una && c->snd_max != s->ack && s->payload_len == 0 &&
               s->window == c->snd_wnd && ++c->repeats == REPEATS_MEAN_LOSS) {
        c->snd_nxt =
            c->snd_una; // all of it again: who dropped one kept none behind it, where it is one of us
    }
    if (!sequence_before(s->ack, c->snd_una))
        c->snd_wnd = s->window;
    if (s->window == 0 &&
        c->retries >= engine->config.retries) // it lives, and will not have more: go on asking
        c->retries = (uint8_t)(engine->config.retries - 1);
    return true;
}

// The reset's number must be the very next (RFC 5961 section 3.2); others are asked back.
static void take_reset(struct engine *engine, struct connection *c, const struct segment *s, uint64_t now_ns)
{
    if (s->seq != c->rcv_nxt) {
        engine->counters.bad_sequence++;
        connection_push(engine, c, PUSH_ANSWER, now_ns);
        return;
    }
    bool idle = engine->config.server && c->requests > 0 && c->parse.phase == HTTP_START;
    bool read = c->snd_una == c->tx_end || (s->flags & SL_TCP_ACK && s->ack == c->tx_end);
    if (idle && read) // a client that closes this way has all it wanted
        connection_complete(engine, c);
    else
        connection_fail(engine, c, FAILURE_RESET, false);
}

// Bytes and FIN from rcv_nxt on. False where they ended the connection.
static bool take_bytes(struct engine *engine, struct connection *c, const struct segment *s, uint64_t now_ns)
{
    uint32_t known = c->rcv_nxt - s->seq, count = s->payload_len - known;
    const uint8_t *bytes = s->payload + known;
    uint32_t taken = 0;
    if (count > 0) {
        taken = engine->config.server ? server_bytes(engine, c, bytes, count)
                                      : client_bytes(engine, c, bytes, count, now_ns);
        if (taken == APP_WRONG)
            return false;
        engine->counters.bytes_in += taken;
        c->rcv_nxt += taken;
    }
    if (taken == count && s->flags & SL_TCP_FIN) {
        c->rcv_nxt++;
        c->flags |= CONNECTION_FIN_GOT;
    }
    return true;
}

// Section 3.10.7.4, first step: 1 where there is something at rcv_nxt, 0 where there is not, -1 where it cannot be.
static int place_of(struct engine *engine, const struct connection *c, const struct segment *s)
{
    uint32_t space = s->payload_len + (s->flags & SL_TCP_FIN ? 1 : 0);
    int32_t ahead = (int32_t)(s->seq - c->rcv_nxt);
    if (ahead > (int32_t)engine->config.window || ahead < -(int32_t)(2 * UINT16_MAX))
        return -1;
    if (ahead > 0) {
        engine->counters.early += space > 0;
        return 0;
    }
    bool news = (int32_t)(space + (uint32_t)ahead) > 0 && !connection_has(c, CONNECTION_FIN_GOT);
    engine->counters.duplicates += space > 0 && !news;
    return news;
}

static bool app_next(struct engine *engine, struct connection *c, uint64_t now_ns)
{
    return engine->config.server ? server_next(engine, c) : client_next(engine, c, now_ns);
}

static void take_open(struct engine *engine, struct connection *c, const struct segment *s, uint64_t now_ns)
{
    uint32_t space = s->payload_len + (s->flags & SL_TCP_FIN ? 1 : 0);
    int place = place_of(engine, c, s);
    bool gone = false, answer = space > 0;
    if (place < 0) {
        bad_sequence(engine, c, now_ns);
        return;
    }
    if (!take_ack(engine, c, s, now_ns))
        return;
    if (place > 0 && c->state == CONNECTION_OPEN)
        gone = !take_bytes(engine, c, s, now_ns);
    if (gone || c->state == CONNECTION_SYN_RECEIVED || !app_next(engine, c, now_ns))
        return;
    if (connection_has(c, CONNECTION_FIN_GOT) && connection_has(c, CONNECTION_FIN_QUEUED) &&
        c->snd_una == connection_tx_limit(c)) {
        if (answer)
            connection_push(engine, c, PUSH_ANSWER, now_ns);
        connection_complete(engine, c);
        return;
    }
    connection_push(engine, c, answer ? PUSH_ANSWER : PUSH_DATA, now_ns);
}

void connection_take(struct engine *engine, struct connection *c, const struct segment *s, uint64_t now_ns)
{
    if (c->state == CONNECTION_SYN_SENT)
        take_syn_ack(engine, c, s, now_ns);
    else if (s->flags & SL_TCP_RST)
        take_reset(engine, c, s, now_ns);
    else if (!(s->flags & SL_TCP_SYN))
        take_open(engine, c, s, now_ns);
    else if (c->state == CONNECTION_SYN_RECEIVED && s->seq + 1 == c->rcv_nxt)
        connection_send_syn(engine, c, now_ns); // ours was lost
    else
        connection_push(engine, c, PUSH_ANSWER, now_ns); // RFC 5961 section 4.2
}

void connection_timer(struct engine *engine, struct connection *c, uint64_t now_ns)
{
    bool unsaid = c->state != CONNECTION_OPEN || c->snd_una != connection_tx_limit(c);
    if (connection_has(c, CONNECTION_THINKS) && !unsaid) {
        client_think_over(engine, c, now_ns);
        return;
    }
    if (!unsaid || c->retries >= engine->config.retries) {
        bool bad = connection_has(c, CONNECTION_BAD_SEQUENCE);
        connection_fail(engine, c, bad ? FAILURE_BAD_SEQUENCE : FAILURE_TIMEOUT, true);
        return;
    }
    c->retries++;
    c->repeats = 0;
    c->snd_nxt = c->snd_una;
    if (c->state == CONNECTION_OPEN)
        connection_push(engine, c, PUSH_AGAIN, now_ns);
    else
        connection_send_syn(engine, c, now_ns);
}
