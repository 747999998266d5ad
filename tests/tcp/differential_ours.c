// SPDX-License-Identifier: Apache-2.0
// Our end of a connection: an engine's.
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "differential.h"
#include "variety.h"

// Who does not look for black holes gets through one only where it happens to be away as the timer fires.
static void vary(struct sl_tcp_options *own)
{
    variety_ours(&chances, own);
    own->mtu_probing |= want.black_hole;
}

// Connections of ours that are begun by us or by both; false: the tuple still waits.
bool our_begin(struct pair *pair)
{
    struct sl_tcp_options own = options;
    sl_be16 remote = pair->beginner == BY_US ? htons(PORT_THEIRS) : pair->port;

    if (want.variety)
        vary(&own);
    // Linux (6.18) goes on scaling its windows in a simultaneous open whose other SYN had no scale.
    own.wscale |= pair->beginner == BY_BOTH;
    pair->ours.open = true;
    pair->conn = sl_tcp_connect(tcp, &our_ip, pair->port, &their_ip, remote, &own, pair, now_us(), NULL);
    return pair->conn != NULL;
}

void listen_varied(void)
{
    for (unsigned i = 1; i < LISTENERS; i++) {
        struct sl_tcp_options own = options;

        vary(&own);
        own.cookies_always = keeps_order() && chance(400);
        if (!sl_tcp_listen(tcp, &our_ip, htons((uint16_t)(PORT_OURS - i)), &own, NULL, NULL))
            die("engine");
    }
}

void our_end(struct pair *pair, int error)
{
    pair->ours.over = true;
    pair->ours.failed |= error != 0;
    pair->ours.error = error;
    pair->conn = NULL;
    pair->moved_us = now_us();
    maybe_over(pair);
}

static void our_read(struct pair *pair)
{
    struct sl_tcp_chunk chunk;
    int got = -EAGAIN;

    for (unsigned i = 0; i < (pair->ours.lazy ? 1 : 64); i++) {
        got = sl_tcp_read(pair->conn, pair->ours.lazy ? 1 + random_below(5000) : UINT32_MAX, &chunk, now_us());
        if (got != 1)
            break;
        check_bytes(pair, &pair->ours, chunk.data, chunk.len, false);
        release(chunk.owner);
    }
    if (got == 0)
        pair->ours.eof = true;
}

static void our_write(struct pair *pair)
{
    struct end *end = &pair->ours;

    if (end->sent >= end->reset_at) {
        end->reset = true;
        sl_tcp_abort(pair->conn, now_us());
        our_end(pair, 0);
        return;
    }
    while (end->sent < end->to_send && end->sent < end->reset_at) {
        uint32_t len = tcp_min_u32(end->piece, end->to_send - end->sent);
        struct block *block = block_new(len);
        struct sl_tcp_chunk chunk = {block->data, len, len, block};

        for (uint32_t i = 0; i < len; i++)
            block->data[i] = byte_of(pair->number * 2 + 1, end->sent + i);
        if (sl_tcp_send(pair->conn, &chunk, now_us())) {
            release(block);
            return;
        }
        end->sent += len;
        if (want.variety && chance(20))
            sl_tcp_urgent(pair->conn);
    }
    if (end->sent >= end->to_send && !end->shut)
        end->shut = sl_tcp_shutdown(pair->conn, now_us()) == 0;
}

// Its mind changes: options that may be set at any time.
static void our_whim(struct pair *pair)
{
    struct sl_tcp_options other = options;

    vary(&other);
    sl_tcp_options_set(pair->conn, &other, now_us());
}

static void our_event(const struct sl_tcp_event *event)
{
    struct pair *pair = event->user;
    struct sl_tcp_info info;

    if (event->bits & SL_TCP_ACCEPTED) {
        sl_tcp_info(event->conn, &info);
        pair = pair_of(BY_THEM, info.remote_port);
        if (!pair || pair->ours.open) {
            sl_tcp_abort(event->conn, now_us());
            return;
        }
        pair->conn = event->conn;
        pair->ours.open = true;
        pair->early = info.fast_open;
        sl_tcp_user_set(event->conn, pair);
    }
    if (!pair)
        return;
    if (event->bits & (SL_TCP_ACCEPTED | SL_TCP_CONNECTED))
        pair->moved_us = now_us();
    if (event->bits & SL_TCP_ENDED) {
        pair->ours.lazy = false;
        for (uint32_t before = UINT32_MAX; before != pair->ours.received;) {
            before = pair->ours.received;
            our_read(pair);
        }
        sl_tcp_close(event->conn, now_us());
        our_end(pair, event->error);
    }
}

// Both must believe the same of what the handshake agreed on.
static void compare(struct pair *pair)
{
    struct sl_tcp_info ours;
    struct their_info theirs;

    sl_tcp_info(pair->conn, &ours);
    their_info_get(pair->fd, &theirs);
    if (ours.state < SL_TCP_ESTABLISHED || !theirs.synchronized)
        return;
    pair->compared = true;
    // Linux believes in ECN in a simultaneous open although it repeated its SYN without.
    if (ours.timestamps == theirs.timestamps && ours.sack == theirs.sack &&
        (ours.ecn == theirs.ecn || pair->beginner == BY_BOTH) &&
        ours.snd_wscale == theirs.rcv_wscale && ours.rcv_wscale == theirs.snd_wscale)
        return;
    complain(pair, "the two have agreed on different options");
    fprintf(stderr, "  ours: timestamps %d sack %d ecn %d scales %u %u, theirs: %d %d %d %u %u\n", ours.timestamps, ours.sack,
            ours.ecn, ours.snd_wscale, ours.rcv_wscale, theirs.timestamps, theirs.sack, theirs.ecn, theirs.rcv_wscale,
            theirs.snd_wscale);
}

static void attend(struct pair *pair)
{
    if (!pair->compared && pair->conn && pair->fd >= 0)
        compare(pair);
    their_wake(pair);
    if (!pair->conn || pair->ours.over || asleep(&pair->ours))
        return;
    if (!pair->ours.eof && (!pair->ours.lazy || chance(100)))
        our_read(pair);
    if (!pair->ours.shut)
        our_write(pair);
    if (want.variety && pair->conn && chance(1))
        our_whim(pair);
}

// Every connection is attended to in each turn: a few hundred.
void our_turn(void)
{
    struct sl_tcp_event event;

    while (sl_tcp_event(tcp, &event))
        our_event(&event);
    for (unsigned i = 0; i < n_active;) {
        if (active[i]->active)
            attend(active[i]);
        if (active[i]->active)
            i++;
        else
            active[i] = active[--n_active];
    }
    sl_tcp_output(tcp, now_us());
    refusals_tell();
}
