// SPDX-License-Identifier: Apache-2.0
#include "pair.h"
#include <stdlib.h>
#include <string.h>

struct pair_flight {
    struct pair_flight *next;
    uint64_t due_us;
    bool to_server;
    struct sl_tcp_out out;
};

struct pair_end pair_client, pair_server;

uint32_t pair_random(struct pair *pair, uint32_t below)
{
    pair->random ^= pair->random << 13;
    pair->random ^= pair->random >> 7;
    pair->random ^= pair->random << 17;
    return (uint32_t)(pair->random >> 33) % below;
}

// ---- path -------------------------------------------------------------------------------------------------------
static void insert(struct pair *pair, struct pair_flight *flight)
{
    struct pair_flight **at = &pair->head;

    if (pair->tail && pair->tail->due_us <= flight->due_us)
        at = &pair->tail->next;
    while (*at && (*at)->due_us <= flight->due_us)
        at = &(*at)->next;
    flight->next = *at;
    *at = flight;
    if (!flight->next)
        pair->tail = flight;
}

static void travel(struct pair *pair, bool from_client, const struct sl_tcp_out *out, uint64_t delay_us)
{
    struct pair_flight *flight = malloc(sizeof(*flight));

    assert_non_null(flight);
    flight->out = *out;
    flight->due_us = pair->now_us + delay_us;
    flight->to_server = from_client;
    if (pair->ce && (out->ecn == SL_ECN_ECT0 || out->ecn == SL_ECN_ECT1))
        flight->out.ecn = SL_ECN_CE;
    for (unsigned i = 0; i < out->n_pieces; i++)
        if (out->pieces[i].owner)
            rig_buffers.hold(out->pieces[i].owner);
    insert(pair, flight);
}

static bool deliver(struct rig *rig, const struct sl_tcp_out *out)
{
    struct pair *pair = rig->context;
    bool from_client = rig == pair->client;
    enum pair_fate fate = pair->fate ? pair->fate(pair, from_client, out) : PAIR_DELIVER;
    uint32_t bytes = (sl_ip_is_v4(&out->src) ? 40u : 60u) + out->options_len + out->len;

    pair->n_sent[!from_client]++;
    if (fate == PAIR_DROP || (pair->mtu && bytes > pair->mtu)) {
        pair->n_dropped++;
        return true;
    }
    travel(pair, from_client, out, fate == PAIR_DELAY ? 3 * pair->delay_us : pair->delay_us);
    if (fate == PAIR_DUPLICATE)
        travel(pair, from_client, out, pair->delay_us);
    return true;
}

// A segment's payload may lie in several pieces: it arrives as one buffer, copied where it must.
static struct sl_tcp_chunk landed(const struct sl_tcp_out *out)
{
    struct rig_block *block;
    uint32_t at = 0;

    if (out->n_pieces == 1) {
        rig_buffers.hold(out->pieces[0].owner);
        return (struct sl_tcp_chunk){out->pieces[0].data, out->len, out->len, out->pieces[0].owner};
    }
    block = rig_block_new(out->len);
    for (unsigned i = 0; i < out->n_pieces; at += out->pieces[i++].len)
        memcpy(block->data + at, out->pieces[i].data, out->pieces[i].len);
    return (struct sl_tcp_chunk){block->data, out->len, out->len, block};
}

static void land(struct pair *pair, struct pair_flight *flight)
{
    struct rig *rig = flight->to_server ? pair->server : pair->client;
    const struct sl_tcp_out *out = &flight->out;
    struct sl_tcp_in in = rig_in_of(out, (struct sl_tcp_chunk){0});

    if (out->len)
        in.payload = landed(out);
    rig->now_us = pair->now_us;
    if (!sl_tcp_input(rig->tcp, &in, pair->now_us) && out->len)
        rig_buffers.release(in.payload.owner);
    for (unsigned i = 0; i < out->n_pieces; i++)
        if (out->pieces[i].owner)
            rig_buffers.release(out->pieces[i].owner);
    free(flight);
}

// ---- applications -----------------------------------------------------------------------------------------------
static void application(struct rig *rig, struct pair_end *end, const struct pair_end *other)
{
    if (!end->conn || end->ended)
        return;
    if (end->reading)
        end->read += rig_read(rig, end->conn, end->read);
    while (end->queued < end->to_send) {
        uint32_t len = end->to_send - end->queued < 4000 ? end->to_send - end->queued : 4000;
        struct sl_tcp_chunk chunk = rig_chunk(end->queued, len);

        if (sl_tcp_send(end->conn, &chunk, rig->now_us)) {
            rig_buffers.release(chunk.owner);
            break;
        }
        end->queued += len;
    }
    if (end->close_when_sent && end->queued == end->to_send && !end->shut)
        end->shut = sl_tcp_shutdown(end->conn, rig->now_us) == 0;
    (void)other;
}

static void events(struct rig *rig, struct pair_end *end)
{
    struct sl_tcp_event event;

    while (sl_tcp_event(rig->tcp, &event)) {
        if (event.bits & SL_TCP_ACCEPTED)
            end->conn = event.conn;
        if (event.bits & SL_TCP_ENDED) {
            if (end->reading)
                end->read += rig_read(rig, event.conn, end->read);
            end->ended = true;
            end->error = event.error;
            sl_tcp_close(event.conn, rig->now_us);
            end->conn = NULL;
        }
    }
}

static void attend(struct pair *pair, struct rig *rig, struct pair_end *end, const struct pair_end *other)
{
    const char *wrong;

    rig->now_us = pair->now_us;
    sl_tcp_tick(rig->tcp, pair->now_us);
    events(rig, end);
    application(rig, end, other);
    sl_tcp_output(rig->tcp, pair->now_us);
    events(rig, end);
    wrong = sl_tcp_check(rig->tcp, NULL);
    if (wrong)
        fail_msg("invariant: %s", wrong);
}

// ---- running ----------------------------------------------------------------------------------------------------
static uint64_t next_us(const struct pair *pair)
{
    uint64_t due = tcp_min_u64(sl_tcp_deadline(pair->client->tcp), sl_tcp_deadline(pair->server->tcp));

    return pair->head ? tcp_min_u64(due, pair->head->due_us) : due;
}

void pair_run(struct pair *pair, uint64_t until_us, bool (*done)(struct pair *pair))
{
    for (;;) {
        uint64_t due;

        while (pair->head && pair->head->due_us <= pair->now_us) {
            struct pair_flight *flight = pair->head;

            pair->head = flight->next;
            if (!pair->head)
                pair->tail = NULL;
            land(pair, flight);
        }
        attend(pair, pair->client, &pair_client, &pair_server);
        attend(pair, pair->server, &pair_server, &pair_client);
        if (done && done(pair))
            return;
        due = next_us(pair);
        if (due > until_us) {
            pair->now_us = until_us;
            return;
        }
        pair->now_us = due > pair->now_us ? due : pair->now_us + 1;
    }
}

struct pair *pair_new(uint64_t delay_us, bool v6)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    struct sl_tcp_config config;

    assert_non_null(pair);
    rig_config(&config);
    pair->client = rig_new_with(&config, v6);
    config.entropy[0] ^= 0x55;
    pair->server = rig_new_with(&config, v6);
    pair->client->context = pair->server->context = pair;
    pair->client->deliver = pair->server->deliver = deliver;
    pair->now_us = config.now_us;
    pair->delay_us = delay_us;
    pair->random = 0x9e3779b97f4a7c15;
    pair_client = (struct pair_end){.reading = true};
    pair_server = (struct pair_end){.reading = true};
    return pair;
}

void pair_free(struct pair *pair)
{
    while (pair->head) {
        struct pair_flight *flight = pair->head;

        pair->head = flight->next;
        for (unsigned i = 0; i < flight->out.n_pieces; i++)
            if (flight->out.pieces[i].owner)
                rig_buffers.release(flight->out.pieces[i].owner);
        free(flight);
    }
    sl_tcp_free(pair->client->tcp);
    free(pair->client);
    rig_free(pair->server);
    free(pair);
}

void pair_connect(struct pair *pair, const struct sl_tcp_options *client, const struct sl_tcp_options *server)
{
    struct rig *a = pair->client, *b = pair->server;
    int error = 0;

    b->listener = sl_tcp_listen(b->tcp, &b->remote, b->local_port, server, NULL, &error);
    assert_int_equal(error, 0);
    pair_client.conn = sl_tcp_connect(a->tcp, &a->local, a->remote_port, &b->remote, b->local_port, client,
                                      NULL, pair->now_us, &error);
    assert_int_equal(error, 0);
}

bool pair_both_ended(struct pair *pair)
{
    (void)pair;
    return pair_client.ended && pair_server.ended;
}

bool pair_all_read(struct pair *pair)
{
    (void)pair;
    return pair_client.read == pair_server.to_send && pair_server.read == pair_client.to_send;
}
