// SPDX-License-Identifier: Apache-2.0
// The memory behind the windows: caps of connections and of the engine, and who gets what where they bind.
#include "script.h"

// ---- memory ---------------------------------------------------------------------------------------------------------
static void a_connection_holds_no_more_than_its_share_of_charge(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_config config;
    struct sl_tcp_conn *conn;
    struct rig *rig;

    rig_config(&config);
    config.rx_bytes = 1u << 20;
    rig = rig_new_with(&config, false);
    conn = rig_open_passive(rig, &options, rig_bare_syn(), 65535);
    for (uint32_t i = 0; i < 2000; i++) // a byte each, in a buffer of 2 KB
        RIG_PUT(rig, .flags = ACK, .seq = 1 + i, .len = 1, .ack = 1, .window = 65535, .charge = 2048);
    assert_in_range(rig->tcp->rx_charge, 100000, 1u << 19);
    assert_true(COUNTER(rig, refused_memory) > 0);
    assert_true(rig_info(conn).rcv_nxt - rig->peer_isn < 2001);
    rig_free(rig);
}

static void what_was_refused_is_taken_when_there_is_room_again(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_config config;
    struct sl_tcp_conn *conn;
    struct rig *rig;
    uint32_t next = 1;

    rig_config(&config);
    config.rx_bytes = 20000;
    rig = rig_new_with(&config, false);
    conn = rig_open_passive(rig, &options, rig_bare_syn(), 65535);
    for (unsigned i = 0; i < 20; i++, next = rig_info(conn).rcv_nxt - rig->peer_isn)
        RIG_PUT(rig, .flags = ACK, .seq = next, .len = 1000, .ack = 1, .window = 65535);
    assert_in_range(next, 1001, 10001);
    rig_read(rig, conn, 0);
    RIG_PUT(rig, .flags = ACK, .seq = next, .len = 1000, .ack = 1, .window = 65535);
    assert_int_equal(rig_read(rig, conn, next - 1), 1000);
    rig_free(rig);
}

static void a_newcomer_finds_room_beside_the_greedy(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_config config;
    struct sl_tcp_conn *conns[8];
    struct rig *rig;

    rig_config(&config);
    config.rx_bytes = 256u << 10;
    rig = rig_new_with(&config, false);
    for (unsigned c = 0; c < 8; c++, rig->remote_port++) {
        conns[c] = rig_open_passive(rig, &options, rig_bare_syn(), 65535);
        for (uint32_t i = 0; i < 60; i++) // none reads; each takes what it gets
            say(rig, ACK, rig_info(conns[c]).rcv_nxt - rig->peer_isn, 1000, 1);
        rig_drop_out(rig);
        script_events(rig, NULL);
    }
    for (unsigned c = 0; c < 8; c++)
        assert_true(rig_info(conns[c]).rcv_unread >= 1000);
    assert_in_range(rig->tcp->rx_charge, 1, config.rx_bytes);
    rig_free(rig);
}

static void send_says_eagain_at_its_cap_and_tells_when_there_is_room(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_conn *conn;
    struct rig *rig;
    uint32_t sent = 0;

    options.tx_bytes = 10000;
    rig = rig_with(&conn, options, rig_bare_syn(), 65535);
    while (rig_send(rig, conn, sent, 1000) == 0)
        sent += 1000;
    assert_int_equal(sent, 10000);
    assert_int_equal(rig_send(rig, conn, sent, 1000), -EAGAIN);
    script_events(rig, NULL);
    say(rig, ACK, 1, 0, 2001);
    assert_int_equal(script_events(rig, NULL) & SL_TCP_WRITABLE, 0); // not for every bit
    say(rig, ACK, 1, 0, 6001);
    assert_int_equal(script_events(rig, NULL), SL_TCP_WRITABLE);
    assert_int_equal(rig_send(rig, conn, sent, 1000), 0);
    rig_free(rig);
}

static void senders_share_the_engines_cap(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_config config;
    struct sl_tcp_conn *a, *b;
    struct rig *rig;
    uint32_t of_a = 0, of_b = 0;

    rig_config(&config);
    config.tx_bytes = 100000;
    rig = rig_new_with(&config, false);
    a = rig_open_passive(rig, &options, rig_bare_syn(), 65535);
    while (rig_send(rig, a, of_a, 1000) == 0)
        of_a += 1000;
    rig_drop_out(rig);
    script_events(rig, NULL);
    rig->remote_port++;
    b = rig_open_passive(rig, &options, rig_bare_syn(), 65535);
    while (rig_send(rig, b, of_b, 1000) == 0)
        of_b += 1000;
    assert_in_range(of_a, 49000, 52000);
    assert_in_range(of_b, 23000, 27000);
    rig_free(rig);
}

static void a_sender_starved_by_others_is_told_when_there_is_room(void **state)
{
    for (unsigned pool = 0; pool < 2; pool++) {
        struct sl_tcp_options options = rig_options();
        struct sl_tcp_config config;
        struct sl_tcp_conn *greedy, *starved;
        struct rig *rig;

        rig_config(&config);
        if (pool)
            config.buffers_held = 1;
        else
            config.tx_bytes = 10000;
        rig = rig_new_with(&config, false);
        greedy = rig_open_passive(rig, &options, rig_bare_syn(), 65535);
        assert_int_equal(rig_send(rig, greedy, 0, 10000), 0);
        rig_drop_out(rig);
        rig->remote_port++;
        starved = rig_open_passive(rig, &options, rig_bare_syn(), 65535);
        assert_int_equal(rig_send(rig, starved, 0, 100), pool ? -ENOBUFS : -EAGAIN);
        script_events(rig, NULL);
        rig_wait(rig, 100 * RIG_MS);
        assert_int_equal(script_events(rig, NULL), 0);
        sl_tcp_abort(greedy, rig->now_us);
        rig_wait(rig, 50 * RIG_MS);
        assert_int_equal(script_events(rig, NULL), SL_TCP_WRITABLE);
        assert_int_equal(rig_send(rig, starved, 0, 100), 0);
        rig_wait(rig, RIG_S);
        assert_int_equal(script_events(rig, NULL), 0);
        rig_free(rig);
    }
}

static void buffers_that_run_out_are_said_and_survived(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_config config;
    struct sl_tcp_conn *conn;
    struct rig *rig;
    uint32_t sent = 0;

    rig_config(&config);
    config.buffers_held = 8;
    rig = rig_new_with(&config, false);
    conn = rig_open_passive(rig, &options, rig_bare_syn(), 65535);
    while (rig_send(rig, conn, sent, 100) == 0)
        sent += 100;
    assert_int_equal(sent, 800);
    assert_int_equal(rig_send(rig, conn, sent, 100), -ENOBUFS);
    say(rig, ACK, 1, 100, 1); // no room to keep it
    assert_int_equal(rig_read(rig, conn, 0), 0);
    rig_wait(rig, RIG_S);
    say(rig, ACK, 1, 0, rig_info(conn).snd_nxt - rig->isn);
    say(rig, ACK, 1, 100, rig_info(conn).snd_nxt - rig->isn);
    assert_int_equal(rig_read(rig, conn, 0), 100);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_connection_holds_no_more_than_its_share_of_charge),
        T(what_was_refused_is_taken_when_there_is_room_again),
        T(a_newcomer_finds_room_beside_the_greedy),
        T(send_says_eagain_at_its_cap_and_tells_when_there_is_room),
        T(senders_share_the_engines_cap),
        T(a_sender_starved_by_others_is_told_when_there_is_room),
        T(buffers_that_run_out_are_said_and_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
