// SPDX-License-Identifier: Apache-2.0
#include "script.h"
#include <string.h>

int script_fresh(void **state)
{
    (void)state;
    rig_blocks = 0;
    return 0;
}

void say(struct rig *rig, uint8_t flags, uint32_t seq, uint32_t len, uint32_t ack)
{
    RIG_PUT(rig, .flags = flags, .seq = seq, .len = len, .ack = ack, .window = 65535);
}

void say_bytes(struct rig *rig, uint8_t flags, uint32_t seq, uint32_t ack, const uint8_t *options, size_t len)
{
    struct sl_tcp_in in = {.src = rig->remote,
                           .dst = rig->local,
                           .sport = rig->remote_port,
                           .dport = rig->local_port,
                           .seq = rig->peer_isn + seq,
                           .ack = flags & SL_TCP_ACK ? rig->isn + ack : 0,
                           .window = 65535,
                           .flags = flags,
                           .options = options,
                           .options_len = (uint8_t)len};

    assert_false(sl_tcp_input(rig->tcp, &in, rig->now_us));
    rig_flush(rig);
}

struct sl_tcp_options script_bare(void)
{
    struct sl_tcp_options options = rig_options();

    options.timestamps = options.sack = options.wscale = false;
    return options;
}

struct sl_tcp_conn *script_connect(struct rig *rig, const struct sl_tcp_options *options)
{
    int error = 0;
    struct sl_tcp_conn *conn = sl_tcp_connect(rig->tcp, &rig->local, rig->local_port, &rig->remote,
                                              rig->remote_port, options, NULL, rig->now_us, &error);

    assert_int_equal(error, 0);
    assert_non_null(conn);
    rig_flush(rig);
    rig_expect(rig, SYN, 0, 0, 0u - rig->peer_isn);
    return conn;
}

struct sl_tcp_conn *script_open(struct rig *rig)
{
    struct sl_tcp_options options = rig_options();

    return rig_open_passive(rig, &options, rig_bare_syn(), 65535);
}

struct sl_tcp_conn *script_open_full(struct rig *rig)
{
    struct sl_tcp_options options = rig_options();

    return rig_open_passive(rig, &options, rig_full_syn(), 65535);
}

uint32_t script_ours(enum sl_tcp_state state)
{
    return state == SL_TCP_SYN_RECEIVED || state == SL_TCP_ESTABLISHED || state == SL_TCP_CLOSE_WAIT ? 1 : 2;
}

uint32_t script_peers(enum sl_tcp_state state)
{
    return state == SL_TCP_CLOSE_WAIT || state == SL_TCP_CLOSING || state == SL_TCP_LAST_ACK ||
                   state == SL_TCP_TIME_WAIT
               ? 2
               : 1;
}

static struct sl_tcp_conn *reach_syn_received(struct rig *rig)
{
    struct sl_tcp_options options = script_bare();
    struct sl_tcp_conn *conn = script_connect(rig, &options);

    say(rig, SYN, 0, 0, 0);
    rig_expect(rig, SYN | ACK, 0, 0, 1);
    return conn;
}

struct sl_tcp_conn *script_reach(struct rig *rig, enum sl_tcp_state state)
{
    struct sl_tcp_conn *conn = state == SL_TCP_SYN_RECEIVED ? reach_syn_received(rig) : script_open(rig);

    if (state == SL_TCP_CLOSE_WAIT || state == SL_TCP_LAST_ACK)
        say(rig, FIN | ACK, 1, 0, 1);
    if (state != SL_TCP_SYN_RECEIVED && state != SL_TCP_ESTABLISHED && state != SL_TCP_CLOSE_WAIT) {
        assert_int_equal(sl_tcp_shutdown(conn, rig->now_us), 0);
        rig_flush(rig);
    }
    if (state == SL_TCP_CLOSING)
        say(rig, FIN | ACK, 1, 0, 1);
    if (state == SL_TCP_FIN_WAIT_2 || state == SL_TCP_TIME_WAIT)
        say(rig, ACK, 1, 0, 2);
    expect_not_ended(rig);
    if (state == SL_TCP_TIME_WAIT) {
        say(rig, FIN | ACK, 1, 0, 2);
        rig_drop_out(rig);
        return conn;
    }
    expect_state(conn, state);
    rig_drop_out(rig);
    return conn;
}

const char *script_state_name(enum sl_tcp_state state)
{
    static const char *const names[] = {"CLOSED",      "LISTEN",     "SYN-SENT",   "SYN-RECEIVED",
                                        "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT",
                                        "CLOSING",     "LAST-ACK",   "TIME-WAIT"};

    return names[state];
}

uint8_t script_events(struct rig *rig, int *error)
{
    struct sl_tcp_event event;
    uint8_t bits = 0;

    while (rig_event(rig, &event)) {
        bits |= event.bits;
        if (error && event.bits & SL_TCP_ENDED)
            *error = event.error;
    }
    return bits;
}

void expect_ended(struct rig *rig, int error)
{
    struct sl_tcp_event event;

    while (rig_event(rig, &event))
        if (event.bits & SL_TCP_ENDED) {
            if (event.error != error)
                fail_msg("ended with %d; expected %d", event.error, error);
            sl_tcp_close(event.conn, rig->now_us);
            return;
        }
    fail_msg("no end was told");
}

void expect_not_ended(struct rig *rig)
{
    int error = 0;

    if (script_events(rig, &error) & SL_TCP_ENDED)
        fail_msg("ended with %d", error);
}

void expect_state(struct sl_tcp_conn *conn, enum sl_tcp_state state)
{
    enum sl_tcp_state is = rig_state(conn);

    if (is != state)
        fail_msg("in %s; expected %s", script_state_name(is), script_state_name(state));
}

unsigned count_out(struct rig *rig)
{
    unsigned n = 0;

    while (rig_take(rig))
        n++;
    return n;
}
