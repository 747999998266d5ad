// SPDX-License-Identifier: Apache-2.0
// Making segments: what a connection has to say, as far as the peer's window and the outbox allow.
#include "pattern.h"
#include "tcp.h"

#define BACKOFF_MAX 6 // doublings

static bool outbox_full(struct engine *engine)
{
    bool full = engine->outbox.count >= engine->outbox.room;
    engine->counters.starved += full;
    return full;
}

static void outbox_write(struct engine *engine, const struct segment_out *out)
{
    struct engine_outbox *box = &engine->outbox;
    box->len[box->count] = (uint16_t)segment_write(&engine->template, out, box->frame[box->count]);
    box->count++;
    engine->counters.segments_out++;
    engine->counters.bytes_out += out->payload_len;
}

// Bytes of the current message from `offset`: its head as text, then its body.
static void message_copy(struct engine *engine, const struct connection *c, uint32_t offset, uint8_t *out,
                         uint32_t count)
{
    if (offset < c->tx_head) {
        if (engine->config.server)
            server_head_for(engine, c->tx_body);
        uint32_t part = c->tx_head - offset < count ? c->tx_head - offset : count;
        http_head_copy(&engine->head, c->tx_key, offset, out, part);
        offset += part, out += part, count -= part;
    }
    if (count > 0)
        pattern_fill(c->tx_key ^ (engine->config.server ? 0 : PATTERN_REQUEST), offset - c->tx_head, out,
                     count);
}

static void segment_send(struct engine *engine, struct connection *c, uint8_t flags, uint32_t bytes)
{
    if (outbox_full(engine))
        return;
    struct segment_out out = {
        .key = &c->key,
        .dst_mac = c->mac,
        .seq = c->snd_nxt,
        .ack = flags & SL_TCP_ACK ? c->rcv_nxt : 0,
        .flags = flags,
        .window = engine->config.window,
        .mss = engine->config.mss,
        .payload_len = bytes,
    };
    if (bytes > 0)
        message_copy(engine, c, c->snd_nxt - c->tx_start,
                     segment_payload(&engine->template, engine->outbox.frame[engine->outbox.count]), bytes);
    outbox_write(engine, &out);
    uint32_t space = bytes + (flags & (SL_TCP_SYN | SL_TCP_FIN) ? 1 : 0);
    engine->counters.retransmits += space && sequence_before(c->snd_nxt, c->snd_max);
    c->snd_nxt += space;
    if (sequence_before(c->snd_max, c->snd_nxt))
        c->snd_max = c->snd_nxt;
}

void connection_say(struct connection *c, uint32_t head, uint32_t body, uint32_t key)
{
    c->tx_start = c->tx_end;
    c->tx_head = (uint8_t)head;
    c->tx_body = body;
    c->tx_key = key;
    c->tx_end += head + body;
}

static void timer_set(struct engine *engine, struct connection *c, uint64_t now_ns)
{
    uint32_t wait = engine->timeout_ticks;
    if (c->snd_una != connection_tx_limit(c) || c->state != CONNECTION_OPEN)
        wait = engine->rto_ticks << (c->retries < BACKOFF_MAX ? c->retries : BACKOFF_MAX);
    else if (connection_has(c, CONNECTION_THINKS))
        wait = engine->think_ticks;
    wheel_set(&engine->wheel, connection_index(engine, c), wheel_tick(now_ns) + wait);
}

// Bytes that may go in one segment now. A timer's probe goes into a closed window too (RFC 9293 section 3.8.6.1).
static uint32_t push_size(const struct connection *c, enum push_why why)
{
    uint32_t left = c->tx_end - c->snd_nxt, flight = c->snd_nxt - c->snd_una;
    uint32_t window = c->snd_wnd > flight ? c->snd_wnd - flight : 0;
    if (window == 0 && why == PUSH_AGAIN && flight == 0)
        window = 1;
    uint32_t size = left < c->mss ? left : c->mss;
    return size < window ? size : window;
}

void connection_push(struct engine *engine, struct connection *c, enum push_why why, uint64_t now_ns)
{
    bool silent = true;
    uint32_t limit = connection_tx_limit(c);
    while (sequence_before(c->snd_nxt, limit) && engine->outbox.count < engine->outbox.room) {
        uint32_t bytes = c->snd_nxt == c->tx_end ? 0 : push_size(c, why);
        bool last = c->snd_nxt + bytes == c->tx_end;
        if (bytes == 0 && !last)
            break;
        uint8_t flags = SL_TCP_ACK | (bytes && last ? SL_TCP_PSH : 0);
        segment_send(engine, c, flags | (last && limit != c->tx_end ? SL_TCP_FIN : 0), bytes);
        silent = false;
    }
    if (silent && why == PUSH_ANSWER)
        segment_send(engine, c, SL_TCP_ACK, 0);
    timer_set(engine, c, now_ns);
}

void connection_send_syn(struct engine *engine, struct connection *c, uint64_t now_ns)
{
    c->snd_nxt = c->snd_una;
    segment_send(engine, c, SL_TCP_SYN | (engine->config.server ? SL_TCP_ACK : 0), 0);
    timer_set(engine, c, now_ns);
}

void connection_send_reset(struct engine *engine, struct connection *c)
{
    if (c->state !=
        CONNECTION_SYN_SENT) { // the highest number sent lies in the peer's window (RFC 5961 section 3)
        c->snd_nxt = c->snd_max;
        segment_send(engine, c, SL_TCP_RST | SL_TCP_ACK, 0);
    }
}

void stray_answer(struct engine *engine, const struct segment *segment)
{
    engine->counters.stray++;
    if (segment->flags & SL_TCP_RST || outbox_full(engine))
        return;
    uint32_t after =
        segment->seq + segment->payload_len + (segment->flags & (SL_TCP_SYN | SL_TCP_FIN) ? 1 : 0);
    bool ack = segment->flags & SL_TCP_ACK, again = ack && segment->flags & SL_TCP_FIN;
    struct segment_out out = {
        .key = &segment->key,
        .dst_mac = segment->src_mac,
        .seq = ack ? segment->ack : 0,
        .ack = again || !ack ? after : 0,
        .flags = again ? SL_TCP_ACK
                 : ack ? SL_TCP_RST
                       : SL_TCP_RST | SL_TCP_ACK,
        .window = engine->config.window,
    };
    outbox_write(engine, &out);
}
