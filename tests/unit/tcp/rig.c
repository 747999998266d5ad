// SPDX-License-Identifier: Apache-2.0
#include "rig.h"
#include <stdlib.h>
#include <string.h>

uint32_t rig_blocks;

struct rig_block *rig_block_new(uint32_t bytes)
{
    struct rig_block *block = malloc(sizeof(*block) + bytes);

    assert_non_null(block);
    block->refs = 1;
    block->bytes = bytes;
    rig_blocks++;
    return block;
}

static void hold(void *owner)
{
    ((struct rig_block *)owner)->refs++;
}

static void release(void *owner)
{
    struct rig_block *block = owner;

    assert_true(block->refs > 0);
    if (--block->refs)
        return;
    rig_blocks--;
    free(block);
}

const struct sl_tcp_buffers rig_buffers = {hold, release};

uint8_t rig_byte(uint32_t offset)
{
    return (uint8_t)(offset * 31 >> 3);
}

struct sl_tcp_chunk rig_chunk(uint32_t offset, uint32_t len)
{
    struct rig_block *block = rig_block_new(len);

    for (uint32_t i = 0; i < len; i++)
        block->data[i] = rig_byte(offset + i);
    return (struct sl_tcp_chunk){block->data, len, len, block};
}

// ---- engine -----------------------------------------------------------------------------------------------------
static bool send(void *context, const struct sl_tcp_out *out)
{
    struct rig *rig = context;
    struct rig_segment *segment;
    uint32_t at = 0;

    if (rig->refuse)
        return false;
    if (rig->deliver)
        return rig->deliver(rig, out);
    assert_true(rig->n_out < RIG_OUT);
    segment = malloc(sizeof(*segment));
    assert_non_null(segment);
    segment->out = *out;
    segment->at_us = rig->now_us;
    tcp_options_read(&segment->options, out->options, out->options_len, out->flags & SL_TCP_SYN);
    if (out->flags & SL_TCP_SYN)
        rig->isn = out->seq;
    if (segment->options.present & TCP_OPTION_TIMESTAMPS)
        rig->tsecr = segment->options.tsval;
    segment->seq = out->seq - rig->isn;
    segment->ack = out->ack - rig->peer_isn;
    for (unsigned i = 0; i < out->n_pieces; at += out->pieces[i++].len)
        memcpy(segment->payload + at, out->pieces[i].data, out->pieces[i].len);
    assert_int_equal(at, out->len);
    rig->out[rig->n_out++] = segment;
    return true;
}

void rig_config(struct sl_tcp_config *config)
{
    *config = (struct sl_tcp_config){.connections = 256,
                                     .time_waits = 64,
                                     .listeners = 8,
                                     .buffers_held = 65536,
                                     .segments_held = 65536,
                                     .rx_bytes = 64u << 20,
                                     .tx_bytes = 64u << 20,
                                     .entropy = {0x0123456789abcdef, 0xfedcba9876543210},
                                     .buffers = &rig_buffers,
                                     .send = send,
                                     .now_us = 1000 * RIG_S};
}

struct rig *rig_new_with(const struct sl_tcp_config *config, bool v6)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    struct sl_tcp_config own = *config;

    assert_non_null(rig);
    own.context = rig;
    own.send = send;
    rig->tcp = sl_tcp_new(&own);
    assert_non_null(rig->tcp);
    rig->now_us = own.now_us;
    sl_ip_parse(v6 ? "2001:db8::1" : "192.0.2.1", &rig->local);
    sl_ip_parse(v6 ? "2001:db8::2" : "192.0.2.2", &rig->remote);
    rig->local_port = __builtin_bswap16(80);
    rig->remote_port = __builtin_bswap16(40000);
    rig->peer_isn = 0xfffffff0; // wraps soon
    return rig;
}

struct rig *rig_new(void)
{
    struct sl_tcp_config config;

    rig_config(&config);
    return rig_new_with(&config, false);
}

void rig_free(struct rig *rig)
{
    sl_tcp_free(rig->tcp);
    for (uint32_t i = 0; i < rig->n_out; i++)
        free(rig->out[i]);
    free(rig);
    assert_int_equal(rig_blocks, 0);
}

static void check(const struct rig *rig)
{
    const char *wrong = sl_tcp_check(rig->tcp, NULL);

    if (wrong)
        fail_msg("invariant: %s", wrong);
}

void rig_flush(struct rig *rig)
{
    sl_tcp_output(rig->tcp, rig->now_us);
    check(rig);
}

// ---- the peer ---------------------------------------------------------------------------------------------------
void rig_put(struct rig *rig, struct rig_in in)
{
    struct sl_tcp_in segment = {
        .src = rig->remote, .dst = rig->local, .sport = rig->remote_port, .dport = rig->local_port};
    uint8_t options[TCP_OPTIONS_MAX];
    struct sl_tcp_chunk chunk = {0};

    if (rig->timestamps && !in.no_timestamps && !(in.options.present & TCP_OPTION_TIMESTAMPS)) {
        in.options.present |= TCP_OPTION_TIMESTAMPS;
        in.options.tsval = rig->tsval;
        in.options.tsecr = in.flags & SL_TCP_ACK ? rig->tsecr : 0;
    }
    for (unsigned i = 0; i < in.options.n_sacks; i++) { // relative, as ours
        in.options.sacks[i].start += rig->isn;
        in.options.sacks[i].end += rig->isn;
    }
    segment.flags = in.flags;
    segment.ecn = in.ecn;
    segment.seq = rig->peer_isn + in.seq;
    segment.ack = in.flags & SL_TCP_ACK ? (in.raw_ack ? in.ack : rig->isn + in.ack) : 0;
    segment.window = (uint16_t)(in.window >> (in.flags & SL_TCP_SYN ? 0 : rig->shift));
    segment.urgent = in.urgent;
    segment.options = options;
    segment.options_len = (uint8_t)tcp_options_write(options, &in.options);
    if (in.len) {
        chunk = rig_chunk(in.seq - !(in.flags & SL_TCP_SYN), in.len);
        chunk.charge = in.charge ? in.charge : in.len;
        segment.payload = chunk;
    }
    if (!sl_tcp_input(rig->tcp, &segment, rig->now_us) && in.len)
        release(chunk.owner);
    check(rig);
    rig_flush(rig);
}

const struct rig_segment *rig_take(struct rig *rig)
{
    return rig->n_taken < rig->n_out ? rig->out[rig->n_taken++] : NULL;
}

const struct rig_segment *rig_expect(struct rig *rig, uint8_t flags, uint32_t seq, uint32_t len, uint32_t ack)
{
    const struct rig_segment *segment = rig_take(rig);

    if (segment == NULL)
        fail_msg("nothing came out; expected flags %02x seq %u len %u ack %u", flags, seq, len, ack);
    if (segment->out.flags != flags || segment->seq != seq || segment->out.len != len || segment->ack != ack)
        fail_msg("flags %02x seq %u len %u ack %u came out; expected flags %02x seq %u len %u ack %u",
                 segment->out.flags, segment->seq, segment->out.len, segment->ack, flags, seq, len, ack);
    for (uint32_t i = 0; i < len; i++)
        if (segment->payload[i] != rig_byte(seq - 1 + i))
            fail_msg("byte %u of segment %u is wrong", i, seq);
    return segment;
}

void rig_expect_none(struct rig *rig)
{
    const struct rig_segment *segment = rig_take(rig);

    if (segment)
        fail_msg("flags %02x seq %u len %u ack %u came out; expected nothing", segment->out.flags,
                 segment->seq, segment->out.len, segment->ack);
}

void rig_drop_out(struct rig *rig)
{
    rig->n_taken = rig->n_out;
}

// ---- time -------------------------------------------------------------------------------------------------------
static bool step(struct rig *rig, uint64_t until_us)
{
    uint64_t due = sl_tcp_deadline(rig->tcp);

    if (due > until_us) {
        rig->now_us = until_us;
        return false;
    }
    if (due > rig->now_us)
        rig->now_us = due;
    else if (due < rig->now_us || rig->now_us == until_us)
        rig->now_us = rig->now_us < until_us ? rig->now_us + 1 : until_us;
    sl_tcp_tick(rig->tcp, rig->now_us);
    check(rig);
    rig_flush(rig);
    return rig->now_us < until_us;
}

void rig_wait(struct rig *rig, uint64_t us)
{
    uint64_t until_us = rig->now_us + us;

    while (step(rig, until_us))
        ;
}

uint64_t rig_wait_out(struct rig *rig, uint64_t us)
{
    uint64_t from_us = rig->now_us, until_us = rig->now_us + us;

    while (rig->n_taken == rig->n_out && step(rig, until_us))
        ;
    return rig->now_us - from_us;
}

// ---- connections --------------------------------------------------------------------------------------------------
struct tcp_options rig_full_syn(void)
{
    return (struct tcp_options){.present = TCP_OPTION_MSS | TCP_OPTION_WSCALE | TCP_OPTION_SACK_PERMITTED |
                                           TCP_OPTION_TIMESTAMPS,
                                .mss = 1460,
                                .wscale = 7};
}

struct tcp_options rig_bare_syn(void)
{
    return (struct tcp_options){.present = TCP_OPTION_MSS, .mss = 1460};
}

struct sl_tcp_options rig_options(void)
{
    struct sl_tcp_options options;

    sl_tcp_options_default(&options);
    options.pacing = options.ecn = false;
    return options;
}

void rig_listen(struct rig *rig, const struct sl_tcp_options *options)
{
    int error = 0;

    rig->listener = sl_tcp_listen(rig->tcp, &rig->local, rig->local_port, options, NULL, &error);
    assert_int_equal(error, 0);
}

static struct tcp_options with_timestamps(struct rig *rig, struct tcp_options syn, uint32_t tsecr)
{
    rig->timestamps = syn.present & TCP_OPTION_TIMESTAMPS;
    if (rig->timestamps) {
        rig->tsval = rig->tsval ? rig->tsval : 5000;
        syn.tsval = rig->tsval;
        syn.tsecr = tsecr;
    }
    return syn;
}

struct sl_tcp_conn *rig_open_passive(struct rig *rig, const struct sl_tcp_options *options,
                                     struct tcp_options syn, uint32_t window)
{
    struct sl_tcp_event event;
    const struct rig_segment *answer;

    if (!rig->listener)
        rig_listen(rig, options);
    rig->shift = syn.present & TCP_OPTION_WSCALE && options->wscale ? syn.wscale : 0;
    RIG_PUT(rig, .flags = SL_TCP_SYN, .window = tcp_min_u32(window, 65535),
            .options = with_timestamps(rig, syn, 0));
    answer = rig_take(rig);
    assert_non_null(answer);
    assert_int_equal(answer->out.flags & ~SL_TCP_ECE, SL_TCP_SYN | SL_TCP_ACK);
    rig->timestamps = answer->options.present & TCP_OPTION_TIMESTAMPS;
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1, .ack = 1, .window = window);
    assert_true(rig_event(rig, &event));
    assert_true(event.bits & SL_TCP_ACCEPTED);
    rig_drop_out(rig);
    return event.conn;
}

struct sl_tcp_conn *rig_open_active(struct rig *rig, const struct sl_tcp_options *options,
                                    struct tcp_options syn, uint32_t window)
{
    struct sl_tcp_event event;
    struct sl_tcp_conn *conn;
    const struct rig_segment *ours;
    int error = 0;

    rig->shift = syn.present & TCP_OPTION_WSCALE && options->wscale ? syn.wscale : 0;
    conn = sl_tcp_connect(rig->tcp, &rig->local, rig->local_port, &rig->remote, rig->remote_port, options,
                          NULL, rig->now_us, &error);
    assert_non_null(conn);
    rig_flush(rig);
    ours = rig_take(rig);
    assert_non_null(ours);
    assert_int_equal(ours->out.flags & ~(SL_TCP_ECE | SL_TCP_CWR), SL_TCP_SYN);
    RIG_PUT(rig, .flags = SL_TCP_SYN | SL_TCP_ACK, .ack = 1, .window = tcp_min_u32(window, 65535),
            .options = with_timestamps(rig, syn, ours->options.tsval));
    if (!(ours->options.present & TCP_OPTION_TIMESTAMPS))
        rig->timestamps = false;
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1, .ack = 1, .window = window);
    assert_true(rig_event(rig, &event));
    assert_true(event.bits & SL_TCP_CONNECTED);
    rig_drop_out(rig);
    return conn;
}

int rig_send(struct rig *rig, struct sl_tcp_conn *conn, uint32_t offset, uint32_t len)
{
    struct sl_tcp_chunk chunk = rig_chunk(offset, len);
    int error = sl_tcp_send(conn, &chunk, rig->now_us);

    if (error)
        release(chunk.owner);
    rig_flush(rig);
    return error;
}

uint32_t rig_read(struct rig *rig, struct sl_tcp_conn *conn, uint32_t offset)
{
    struct sl_tcp_chunk chunk;
    uint32_t bytes = 0;

    while (sl_tcp_read(conn, UINT32_MAX, &chunk, rig->now_us) == 1) {
        for (uint32_t i = 0; i < chunk.len; i++)
            if (chunk.data[i] != rig_byte(offset + bytes + i))
                fail_msg("byte %u was read wrong", offset + bytes + i);
        bytes += chunk.len;
        if (chunk.owner)
            release(chunk.owner);
    }
    rig_flush(rig);
    return bytes;
}

bool rig_event(struct rig *rig, struct sl_tcp_event *event)
{
    return sl_tcp_event(rig->tcp, event);
}

enum sl_tcp_state rig_state(struct sl_tcp_conn *conn)
{
    return rig_info(conn).state;
}

struct sl_tcp_info rig_info(struct sl_tcp_conn *conn)
{
    struct sl_tcp_info info;

    sl_tcp_info(conn, &info);
    return info;
}

struct rig *rig_with(struct sl_tcp_conn **conn, struct sl_tcp_options options, struct tcp_options syn,
                     uint32_t window)
{
    struct rig *rig = rig_new();

    *conn = rig_open_passive(rig, &options, syn, window);
    return rig;
}

struct sl_tcp_in rig_in_of(const struct sl_tcp_out *out, struct sl_tcp_chunk payload)
{
    return (struct sl_tcp_in){.src = out->src,
                              .dst = out->dst,
                              .sport = out->sport,
                              .dport = out->dport,
                              .seq = out->seq,
                              .ack = out->ack,
                              .window = out->window,
                              .urgent = out->urgent,
                              .flags = out->flags,
                              .ecn = out->ecn,
                              .options_len = out->options_len,
                              .options = out->options,
                              .payload = payload};
}
