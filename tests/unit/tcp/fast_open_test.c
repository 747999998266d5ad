// SPDX-License-Identifier: Apache-2.0
// TCP Fast Open on the server's side (RFC 7413): who gets a cookie, what a SYN with one may bring, what is sent before
// the handshake has ended, and how many of these there may be.
#include <string.h>
#include "script.h"

static struct sl_tcp_options fast(void)
{
    struct sl_tcp_options options = rig_options();

    options.fast_open = true;
    return options;
}

static struct tcp_options asking(struct tcp_options syn)
{
    syn.present |= TCP_OPTION_TFO;
    syn.tfo_len = 0;
    return syn;
}

// A SYN of the given port that asks for a cookie; the client goes away again. Returns bare options with the cookie.
static struct tcp_options cookie_of(struct rig *rig)
{
    struct tcp_options syn = rig_bare_syn();
    const struct rig_segment *out;
    sl_be16 port = rig->remote_port;

    rig->remote_port = __builtin_bswap16(50000);
    RIG_PUT(rig, .flags = SYN, .window = 65535, .options = asking(syn));
    out = rig_expect(rig, SYN | ACK, 0, 0, 1);
    assert_true(out->options.present & TCP_OPTION_TFO);
    assert_int_equal(out->options.tfo_len, TCP_TFO_COOKIE);
    say(rig, RST, 1, 0, 0);
    rig->remote_port = port;
    syn.present |= TCP_OPTION_TFO;
    syn.tfo_len = out->options.tfo_len;
    memcpy(syn.tfo, out->options.tfo, syn.tfo_len);
    return syn;
}

static struct rig *listening(const struct sl_tcp_options *options)
{
    struct rig *rig = rig_new();

    rig_listen(rig, options);
    return rig;
}

static struct sl_tcp_conn *given(struct rig *rig)
{
    struct sl_tcp_event event;

    while (rig_event(rig, &event))
        if (event.bits & SL_TCP_ACCEPTED)
            return event.conn;
    return NULL;
}

// A connection whose SYN brought `len` bytes; its SYN-ACK was looked at.
static struct sl_tcp_conn *opened(struct rig *rig, struct tcp_options syn, uint32_t len)
{
    struct sl_tcp_conn *conn;

    RIG_PUT(rig, .flags = SYN, .len = len, .window = 65535, .options = syn);
    rig_expect(rig, SYN | ACK, 0, 0, 1 + len);
    conn = given(rig);
    assert_non_null(conn);
    expect_state(conn, SL_TCP_SYN_RECEIVED);
    return conn;
}

// A rig and such a connection.
static struct rig *with_text(struct sl_tcp_conn **conn, uint32_t len)
{
    struct sl_tcp_options options = fast();
    struct rig *rig = listening(&options);

    *conn = opened(rig, cookie_of(rig), len);
    return rig;
}

static void from_port(struct rig *rig, unsigned port)
{
    rig->remote_port = __builtin_bswap16((uint16_t)port);
}

// ---- cookies ----------------------------------------------------------------------------------------------------
static void rfc7413_4_1_a_client_that_asks_gets_a_cookie_and_its_data_waits(void **state)
{
    struct sl_tcp_options options = fast();
    struct rig *rig = listening(&options);
    const struct rig_segment *out;

    RIG_PUT(rig, .flags = SYN, .len = 20, .window = 65535, .options = asking(rig_full_syn()));
    out = rig_expect(rig, SYN | ACK, 0, 0, 1);
    assert_true(out->options.present & TCP_OPTION_TFO);
    assert_int_equal(out->options.tfo_len, 8);
    assert_true(out->options.present & TCP_OPTION_TIMESTAMPS && out->options.present & TCP_OPTION_WSCALE);
    assert_null(given(rig));
    assert_int_equal(COUNTER(rig, fast_open_cookies), 1);
    assert_int_equal(COUNTER(rig, fast_open_refused), 0);
    rig_free(rig);
}

static void rfc7413_4_1_who_does_not_ask_is_told_nothing(void **state)
{
    struct sl_tcp_options options = fast();
    struct rig *rig = listening(&options);

    RIG_PUT(rig, .flags = SYN, .window = 65535, .options = rig_full_syn());
    assert_false(rig_expect(rig, SYN | ACK, 0, 0, 1)->options.present & TCP_OPTION_TFO);
    rig_free(rig);
}

static void fast_open_is_off_unless_the_listener_has_it_on(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct rig *rig = listening(&options);

    RIG_PUT(rig, .flags = SYN, .len = 20, .window = 65535, .options = asking(rig_full_syn()));
    assert_false(rig_expect(rig, SYN | ACK, 0, 0, 1)->options.present & TCP_OPTION_TFO);
    assert_int_equal(COUNTER(rig, fast_open_cookies), 0);
    rig_free(rig);
}

static void rfc7413_4_1_2_a_strange_cookie_brings_a_new_one_and_the_data_comes_again(void **state)
{
    static const uint8_t lengths[] = {4, 8, 10, 16};

    for (unsigned i = 0; i < sizeof(lengths); i++) {
        struct sl_tcp_options options = fast();
        struct rig *rig = listening(&options);
        struct tcp_options syn = cookie_of(rig), right = syn;
        const struct rig_segment *out;
        struct sl_tcp_conn *conn;

        syn.tfo_len = lengths[i];
        syn.tfo[0] ^= lengths[i] == 8;
        RIG_PUT(rig, .flags = SYN, .len = 20, .window = 65535, .options = syn);
        out = rig_expect(rig, SYN | ACK, 0, 0, 1);
        assert_memory_equal(out->options.tfo, right.tfo, 8);
        assert_null(given(rig));
        assert_int_equal(COUNTER(rig, fast_open_refused), 1);
        say(rig, ACK, 1, 20, 1);
        conn = given(rig);
        expect_state(conn, SL_TCP_ESTABLISHED);
        assert_false(rig_info(conn).fast_open);
        assert_int_equal(rig_read(rig, conn, 0), 20);
        rig_free(rig);
    }
}

static void rfc7413_4_1_2_a_cookie_is_its_addresss_alone(void **state)
{
    struct sl_tcp_options options = fast();
    struct rig *rig = listening(&options);
    struct tcp_options syn = cookie_of(rig);

    rig->remote.b[15]++;
    RIG_PUT(rig, .flags = SYN, .len = 20, .window = 65535, .options = syn);
    assert_memory_not_equal(rig_expect(rig, SYN | ACK, 0, 0, 1)->options.tfo, syn.tfo, 8);
    assert_null(given(rig));
    rig->remote.b[15]--;
    from_port(rig, 40001); // while its port and our address do not matter
    opened(rig, syn, 20);
    rig_free(rig);
}

static void rfc7413_4_1_2_a_cookie_ages_by_epochs(void **state)
{
    struct sl_tcp_options options = fast();
    struct rig *rig = listening(&options);
    struct tcp_options syn = cookie_of(rig), next;
    const struct rig_segment *out;

    rig_wait(rig, TCP_FAST_OPEN_EPOCH_US);
    RIG_PUT(rig, .flags = SYN, .len = 20, .window = 65535, .options = syn);
    out = rig_expect(rig, SYN | ACK, 0, 0, 21); // still good, and a newer one comes with it
    assert_true(out->options.present & TCP_OPTION_TFO);
    next = syn;
    memcpy(next.tfo, out->options.tfo, 8);
    assert_memory_not_equal(next.tfo, syn.tfo, 8);
    assert_non_null(given(rig));
    say(rig, RST, 21, 0, 0);
    expect_ended(rig, -ECONNRESET);
    rig_wait(rig, TCP_FAST_OPEN_EPOCH_US);
    RIG_PUT(rig, .flags = SYN, .len = 20, .window = 65535, .options = syn);
    rig_expect(rig, SYN | ACK, 0, 0, 1);
    from_port(rig, 40001);
    assert_non_null(opened(rig, next, 20));
    rig_free(rig);
}

static void engines_of_one_key_take_each_others_cookies(void **state)
{
    static const uint64_t keys[3][2] = {{1, 2}, {1, 2}, {1, 3}};
    struct sl_tcp_options options = fast();
    struct tcp_options syn = {0};

    for (unsigned i = 0; i < 3; i++) {
        struct sl_tcp_config config;
        struct rig *rig;

        rig_config(&config);
        config.entropy[0] = 1000 + i;
        memcpy(config.fast_open_key, keys[i], sizeof(keys[i]));
        rig = rig_new_with(&config, false);
        rig_listen(rig, &options);
        if (i == 0)
            syn = cookie_of(rig);
        RIG_PUT(rig, .flags = SYN, .len = 20, .window = 65535, .options = syn);
        rig_expect(rig, SYN | ACK, 0, 0, i < 2 ? 21 : 1);
        rig_free(rig);
    }
}

// ---- what a SYN brings --------------------------------------------------------------------------------------------
static void rfc7413_4_2_2_data_of_a_syn_is_read_before_the_handshake_ends(void **state)
{
    struct sl_tcp_options options = fast();
    struct rig *rig = listening(&options);
    struct tcp_options syn = cookie_of(rig);
    const struct rig_segment *out;
    struct sl_tcp_event event;

    RIG_PUT(rig, .flags = SYN, .len = 500, .window = 65535, .options = syn);
    out = rig_expect(rig, SYN | ACK, 0, 0, 501);
    assert_false(out->options.present & TCP_OPTION_TFO); // it has one that will do
    assert_int_equal(out->out.window, 65535 - 500);
    assert_true(rig_event(rig, &event));
    assert_int_equal(event.bits, SL_TCP_ACCEPTED | SL_TCP_READABLE | SL_TCP_WRITABLE);
    expect_state(event.conn, SL_TCP_SYN_RECEIVED);
    assert_int_equal(rig_read(rig, event.conn, 0), 500);
    say(rig, ACK, 501, 0, 1);
    expect_state(event.conn, SL_TCP_ESTABLISHED);
    assert_int_equal(script_events(rig, NULL) & SL_TCP_ACCEPTED, 0); // told once
    say(rig, ACK | PSH, 501, 300, 1);
    assert_int_equal(rig_read(rig, event.conn, 500), 300);
    assert_true(rig_info(event.conn).fast_open);
    assert_int_equal(COUNTER(rig, fast_open_accepted), 1);
    rig_free(rig);
}

static void rfc7413_4_2_2_a_good_cookie_without_data_lets_the_server_speak_first(void **state)
{
    struct sl_tcp_options options = fast();
    struct rig *rig = listening(&options);
    struct sl_tcp_conn *conn = opened(rig, cookie_of(rig), 0);

    rig_send(rig, conn, 0, 100);
    rig_expect(rig, ACK | PSH, 1, 100, 1);
    rig_free(rig);
}

static void rfc7413_4_2_2_over_ipv6_with_every_option(void **state)
{
    struct sl_tcp_options options = fast();
    struct sl_tcp_config config;
    struct tcp_options syn, cookie;
    const struct rig_segment *out;
    struct sl_tcp_conn *conn;
    struct rig *rig;

    rig_config(&config);
    rig = rig_new_with(&config, true);
    rig_listen(rig, &options);
    cookie = cookie_of(rig);
    syn = rig_full_syn();
    syn.present |= TCP_OPTION_TFO;
    syn.tfo_len = cookie.tfo_len;
    memcpy(syn.tfo, cookie.tfo, 8);
    syn.tsval = rig->tsval = 7000;
    rig->timestamps = true;
    rig->shift = 7;
    conn = opened(rig, syn, 1000);
    rig_send(rig, conn, 0, 3000);
    out = rig_expect(rig, ACK, 1, 1428, 1001);
    assert_int_equal(out->options.tsecr, 7000);
    rig_expect(rig, ACK, 1429, 1428, 1001);
    rig_expect(rig, ACK | PSH, 2857, 144, 1001);
    RIG_PUT(rig, .flags = ACK, .seq = 1001, .ack = 3001, .window = 1u << 20);
    expect_state(conn, SL_TCP_ESTABLISHED);
    assert_int_equal(rig_info(conn).bytes_acked, 3000);
    assert_int_equal(rig_read(rig, conn, 0), 1000);
    rig_free(rig);
}

static void what_finds_no_memory_comes_again_after_the_handshake(void **state)
{
    struct sl_tcp_options options = fast();
    struct sl_tcp_config config;
    struct tcp_options syn;
    struct rig *rig;

    rig_config(&config);
    config.rx_bytes = 1000;
    rig = rig_new_with(&config, false);
    rig_listen(rig, &options);
    syn = cookie_of(rig);
    RIG_PUT(rig, .flags = SYN, .len = 20, .window = 65535, .options = syn, .charge = 2048);
    rig_expect(rig, SYN | ACK, 0, 0, 1);
    assert_null(given(rig));
    say(rig, ACK, 1, 20, 1);
    assert_int_equal(rig_read(rig, given(rig), 0), 20);
    rig_free(rig);
}

static void rfc7413_4_2_a_syn_that_comes_again_is_answered_and_read_once(void **state)
{
    struct sl_tcp_options options = fast();
    struct rig *rig = listening(&options);
    struct tcp_options syn = cookie_of(rig);
    struct sl_tcp_conn *conn = opened(rig, syn, 300);

    RIG_PUT(rig, .flags = SYN, .len = 300, .window = 65535, .options = syn);
    rig_expect(rig, SYN | ACK, 0, 0, 301);
    RIG_PUT(rig, .flags = SYN, .window = 65535, .options = rig_bare_syn()); // a client that has lost heart
    rig_expect(rig, SYN | ACK, 0, 0, 301);
    rig_expect_none(rig);
    assert_null(given(rig));
    assert_int_equal(rig_read(rig, conn, 0), 300);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 1);
    rig_free(rig);
}

// Section 2.1: why it is off by default.
static void rfc7413_2_1_a_syn_that_comes_again_after_the_end_is_read_again(void **state)
{
    struct sl_tcp_options options = fast();
    struct rig *rig = listening(&options);
    struct tcp_options syn = cookie_of(rig);
    struct sl_tcp_conn *conn = opened(rig, syn, 300);

    assert_int_equal(rig_read(rig, conn, 0), 300);
    sl_tcp_abort(conn, rig->now_us);
    rig_drop_out(rig);
    conn = opened(rig, syn, 300);
    assert_int_equal(rig_read(rig, conn, 0), 300);
    rig_free(rig);
}

static void a_tuple_that_waits_is_opened_again_with_its_data(void **state)
{
    struct sl_tcp_options options = fast();
    struct rig *rig = listening(&options);
    struct tcp_options syn = cookie_of(rig);
    struct sl_tcp_conn *conn = opened(rig, syn, 100);

    rig_read(rig, conn, 0);
    say(rig, ACK, 101, 0, 1);
    sl_tcp_close(conn, rig->now_us);
    rig_flush(rig);
    rig_expect(rig, FIN | ACK, 1, 0, 101);
    say(rig, FIN | ACK, 101, 0, 2);
    rig_expect(rig, ACK, 2, 0, 102);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    rig->peer_isn += 100000;
    assert_int_equal(rig_read(rig, opened(rig, syn, 60), 0), 60);
    assert_int_equal(COUNTER(rig, time_waits_reused), 1);
    rig_free(rig);
}

// ---- what is sent before the handshake has ended -----------------------------------------------------------------
static void rfc7413_4_2_2_the_answer_goes_out_behind_the_syn_ack(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = with_text(&conn, 100);

    rig_read(rig, conn, 0);
    rig_send(rig, conn, 0, 400);
    rig_expect(rig, ACK | PSH, 1, 400, 101);
    expect_state(conn, SL_TCP_SYN_RECEIVED);
    say(rig, ACK, 101, 0, 401);
    expect_state(conn, SL_TCP_ESTABLISHED);
    assert_int_equal(rig_info(conn).snd_una, rig_info(conn).snd_nxt);
    rig_wait(rig, 10 * RIG_S);
    rig_expect_none(rig);
    rig_free(rig);
}

static void rfc7413_4_2_2_the_initial_window_bounds_it(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = with_text(&conn, 100);

    rig_send(rig, conn, 0, 40000);
    for (unsigned i = 0; i < 10; i++)
        rig_expect(rig, ACK, 1 + i * 1460, 1460, 101);
    rig_expect_none(rig);
    rig_wait(rig, 100 * RIG_MS);
    say(rig, ACK, 101, 0, 14601);
    for (unsigned i = 10; i < 30; i++) // ten acknowledged in slow start: twenty
        if (i * 1460 + 1460 < 40000)
            rig_expect(rig, ACK, 1 + i * 1460, 1460, 101);
    rig_free(rig);
}

static void rfc7413_4_2_2_the_clients_window_bounds_it(void **state)
{
    struct sl_tcp_options options = fast();
    struct rig *rig = listening(&options);
    struct tcp_options syn = cookie_of(rig);
    struct sl_tcp_conn *conn;

    RIG_PUT(rig, .flags = SYN, .window = 3000, .options = syn);
    rig_expect(rig, SYN | ACK, 0, 0, 1);
    conn = given(rig);
    rig_send(rig, conn, 0, 40000);
    assert_in_range(rig_info(conn).snd_nxt - rig->isn, 2921, 3001);
    rig_free(rig);
}

static void rfc9293_3_10_4_a_fin_may_go_before_the_handshake_ends(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = with_text(&conn, 100);

    rig_read(rig, conn, 0);
    rig_send(rig, conn, 0, 50);
    rig_expect(rig, ACK | PSH, 1, 50, 101);
    assert_int_equal(sl_tcp_shutdown(conn, rig->now_us), 0);
    rig_flush(rig);
    rig_expect(rig, FIN | ACK, 51, 0, 101);
    say(rig, ACK, 101, 0, 52);
    expect_state(conn, SL_TCP_FIN_WAIT_2);
    say(rig, FIN | ACK, 101, 0, 52);
    rig_expect(rig, ACK, 52, 0, 102);
    expect_ended(rig, 0);
    rig_free(rig);
}

static void an_orphan_of_the_whole_exchange_ends_by_itself(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = with_text(&conn, 100);

    rig_read(rig, conn, 0);
    rig_send(rig, conn, 0, 50);
    rig_expect(rig, ACK | PSH, 1, 50, 101);
    sl_tcp_close(conn, rig->now_us);
    rig_flush(rig);
    rig_expect(rig, FIN | ACK, 51, 0, 101);
    say(rig, FIN | ACK, 101, 0, 1); // the handshake's ACK, and the client's FIN with it; ours is still out
    rig_expect(rig, ACK, 52, 0, 102);
    say(rig, ACK, 102, 0, 52);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    assert_int_equal(COUNTER(rig, time_waits), 1);
    rig_free(rig);
}

static void closing_with_bytes_unread_resets(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = with_text(&conn, 100);

    sl_tcp_close(conn, rig->now_us);
    rig_flush(rig);
    rig_expect(rig, RST | ACK, 1, 0, 101);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    rig_free(rig);
}

// ---- repetition ---------------------------------------------------------------------------------------------------
static void rfc7413_4_2_2_only_the_syn_ack_is_repeated_and_without_the_option(void **state)
{
    struct sl_tcp_options options = fast();
    struct rig *rig = listening(&options);
    struct tcp_options syn = cookie_of(rig);
    const struct rig_segment *out;
    struct sl_tcp_conn *conn;

    rig_wait(rig, TCP_FAST_OPEN_EPOCH_US); // so that the first has a cookie to give
    conn = opened(rig, syn, 100);
    rig_send(rig, conn, 0, 400);
    rig_expect(rig, ACK | PSH, 1, 400, 101);
    for (unsigned i = 0; i < 3; i++) {
        assert_in_range(rig_wait_out(rig, 10 * RIG_S), (1 << i) * RIG_S - 2 * RIG_MS,
                        (1 << i) * RIG_S + 2 * RIG_MS);
        out = rig_expect(rig, SYN | ACK, 0, 0, 101);
        assert_false(out->options.present & TCP_OPTION_TFO);
        rig_expect_none(rig);
    }
    rig_send(rig, conn, 400, 100); // what is new waits for the handshake as well
    rig_expect_none(rig);
    rig_free(rig);
}

static void what_a_lost_syn_ack_took_with_it_goes_again_at_once(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = with_text(&conn, 100);

    rig_send(rig, conn, 0, 400);
    rig_expect(rig, ACK | PSH, 1, 400, 101);
    rig_wait_out(rig, 2 * RIG_S);
    rig_expect(rig, SYN | ACK, 0, 0, 101);
    rig_wait(rig, 50 * RIG_MS);
    say(rig, ACK, 101, 0, 1); // it had not seen the data
    rig_expect(rig, ACK | PSH, 1, 400, 101);
    say(rig, ACK, 101, 0, 401);
    rig_wait(rig, 10 * RIG_S);
    rig_expect_none(rig);
    rig_free(rig);
}

static void data_lost_behind_a_syn_ack_that_came_through_is_repeated(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = with_text(&conn, 100);

    rig_send(rig, conn, 0, 400);
    rig_drop_out(rig);
    rig_wait(rig, 20 * RIG_MS);
    say(rig, ACK, 101, 0, 1);
    rig_expect_none(rig);
    assert_in_range(rig_wait_out(rig, 2 * RIG_S), 1, RIG_S);
    rig_expect(rig, ACK | PSH, 1, 400, 101);
    expect_state(conn, SL_TCP_ESTABLISHED);
    rig_free(rig);
}

static void the_round_trip_counts_from_the_syn_ack(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = with_text(&conn, 100);

    rig_wait(rig, 60 * RIG_MS);
    rig_send(rig, conn, 0, 400);
    rig_wait(rig, 20 * RIG_MS);
    say(rig, ACK, 101, 0, 1); // of the SYN-ACK alone
    assert_int_equal(rig_info(conn).srtt_us, 80 * RIG_MS);
    rig_free(rig);
}

static void a_client_that_never_answers_ends_as_timed_out(void **state)
{
    struct sl_tcp_options options = fast();
    struct rig *rig = listening(&options);
    struct tcp_options syn = cookie_of(rig);

    opened(rig, syn, 100);
    rig_wait(rig, 200 * RIG_S);
    expect_ended(rig, -ETIMEDOUT);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    rig_free(rig);
}

// ---- how many -------------------------------------------------------------------------------------------------------
static void rfc7413_5_1_beyond_the_backlog_handshakes_are_ordinary(void **state)
{
    struct sl_tcp_options options = fast();
    struct rig *rig = (options.fast_open_backlog = 2, listening(&options));
    struct tcp_options syn = cookie_of(rig);
    struct sl_tcp_conn *conn = opened(rig, syn, 10);

    from_port(rig, 40001);
    opened(rig, syn, 10);
    from_port(rig, 40002);
    RIG_PUT(rig, .flags = SYN, .len = 10, .window = 65535, .options = syn);
    assert_false(rig_expect(rig, SYN | ACK, 0, 0, 1)->options.present & TCP_OPTION_TFO);
    assert_int_equal(COUNTER(rig, fast_open_refused), 1);
    from_port(rig, 40000); // the end of a handshake makes room
    rig->isn = rig_info(conn).snd_una;
    say(rig, ACK, 11, 0, 1);
    expect_state(conn, SL_TCP_ESTABLISHED);
    from_port(rig, 40003);
    opened(rig, syn, 10);
    rig_free(rig);
}

static void rfc7413_5_1_a_reset_frees_no_place_for_a_minute(void **state)
{
    struct sl_tcp_options options = fast();
    struct rig *rig = (options.fast_open_backlog = 2, listening(&options));
    struct tcp_options syn = cookie_of(rig);

    for (unsigned i = 0; i < 2; i++) {
        from_port(rig, 40000 + i);
        opened(rig, syn, 10);
        say(rig, RST, 11, 0, 0);
        expect_ended(rig, -ECONNRESET);
    }
    from_port(rig, 40002);
    for (unsigned i = 0; i < 59; i += 29) {
        RIG_PUT(rig, .flags = SYN, .len = 10, .window = 65535, .options = syn);
        rig_expect(rig, SYN | ACK, 0, 0, 1);
        say(rig, RST, 1, 0, 0);
        rig_wait(rig, 29 * RIG_S);
    }
    rig_wait(rig, 10 * RIG_S);
    opened(rig, syn, 10);
    rig_free(rig);
}

static void rfc7413_5_1_under_a_flood_syn_cookies_rule(void **state)
{
    struct sl_tcp_options options = fast();
    struct rig *rig = (options.backlog = 1, listening(&options));
    struct tcp_options syn = cookie_of(rig);

    from_port(rig, 40001);
    RIG_PUT(rig, .flags = SYN, .window = 65535, .options = rig_bare_syn());
    rig_expect(rig, SYN | ACK, 0, 0, 1);
    from_port(rig, 40002);
    RIG_PUT(rig, .flags = SYN, .len = 10, .window = 65535, .options = syn);
    assert_false(rig_expect(rig, SYN | ACK, 0, 0, 1)->options.present & TCP_OPTION_TFO);
    assert_int_equal(COUNTER(rig, cookies_sent), 1);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 1);
    say(rig, ACK, 1, 10, 1);
    assert_int_equal(rig_read(rig, given(rig), 0), 10);
    rig_free(rig);
}

static void a_listener_that_goes_leaves_what_was_given(void **state)
{
    struct sl_tcp_options options = fast();
    struct rig *rig = listening(&options);
    struct tcp_options syn = cookie_of(rig);
    struct sl_tcp_conn *conn = opened(rig, syn, 100);
    uint32_t isn = rig->isn;

    from_port(rig, 40001);
    RIG_PUT(rig, .flags = SYN, .len = 10, .window = 65535, .options = syn); // and this one nobody has taken
    rig_expect(rig, SYN | ACK, 0, 0, 11);
    sl_tcp_unlisten(rig->listener);
    rig_flush(rig);
    rig_expect(rig, RST | ACK, 1, 0, 11);
    assert_null(given(rig));
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 1);
    from_port(rig, 40000);
    rig->isn = isn;
    say(rig, ACK, 101, 0, 1);
    expect_state(conn, SL_TCP_ESTABLISHED);
    assert_int_equal(rig_read(rig, conn, 0), 100);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc7413_4_1_a_client_that_asks_gets_a_cookie_and_its_data_waits),
        T(rfc7413_4_1_who_does_not_ask_is_told_nothing),
        T(fast_open_is_off_unless_the_listener_has_it_on),
        T(rfc7413_4_1_2_a_strange_cookie_brings_a_new_one_and_the_data_comes_again),
        T(rfc7413_4_1_2_a_cookie_is_its_addresss_alone),
        T(rfc7413_4_1_2_a_cookie_ages_by_epochs),
        T(engines_of_one_key_take_each_others_cookies),
        T(rfc7413_4_2_2_data_of_a_syn_is_read_before_the_handshake_ends),
        T(rfc7413_4_2_2_a_good_cookie_without_data_lets_the_server_speak_first),
        T(rfc7413_4_2_2_over_ipv6_with_every_option),
        T(what_finds_no_memory_comes_again_after_the_handshake),
        T(rfc7413_4_2_a_syn_that_comes_again_is_answered_and_read_once),
        T(rfc7413_2_1_a_syn_that_comes_again_after_the_end_is_read_again),
        T(a_tuple_that_waits_is_opened_again_with_its_data),
        T(rfc7413_4_2_2_the_answer_goes_out_behind_the_syn_ack),
        T(rfc7413_4_2_2_the_initial_window_bounds_it),
        T(rfc7413_4_2_2_the_clients_window_bounds_it),
        T(rfc9293_3_10_4_a_fin_may_go_before_the_handshake_ends),
        T(an_orphan_of_the_whole_exchange_ends_by_itself),
        T(closing_with_bytes_unread_resets),
        T(rfc7413_4_2_2_only_the_syn_ack_is_repeated_and_without_the_option),
        T(what_a_lost_syn_ack_took_with_it_goes_again_at_once),
        T(data_lost_behind_a_syn_ack_that_came_through_is_repeated),
        T(the_round_trip_counts_from_the_syn_ack),
        T(a_client_that_never_answers_ends_as_timed_out),
        T(rfc7413_5_1_beyond_the_backlog_handshakes_are_ordinary),
        T(rfc7413_5_1_a_reset_frees_no_place_for_a_minute),
        T(rfc7413_5_1_under_a_flood_syn_cookies_rule),
        T(a_listener_that_goes_leaves_what_was_given),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
