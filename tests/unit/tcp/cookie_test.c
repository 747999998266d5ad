// SPDX-License-Identifier: Apache-2.0
// SYN cookies (RFC 4987 section 3.6), the other options remembered in the timestamp: what they keep, when they count.
#include "script.h"

static struct sl_tcp_options always(void)
{
    struct sl_tcp_options options = rig_options();

    options.cookies_always = true;
    return options;
}

static const struct rig_segment *cookie(struct rig *rig, struct tcp_options syn)
{
    const struct rig_segment *out;

    RIG_PUT(rig, .flags = SYN, .window = 65535, .options = syn);
    out = rig_take(rig);
    assert_non_null(out);
    assert_int_equal(out->out.flags & (SYN | ACK | RST | FIN), SYN | ACK);
    rig->shift = out->options.present & TCP_OPTION_WSCALE ? syn.wscale : 0;
    rig->timestamps = out->options.present & TCP_OPTION_TIMESTAMPS;
    rig->tsval = 5000;
    return out;
}

static struct sl_tcp_conn *accepted(struct rig *rig)
{
    struct sl_tcp_event event;

    while (rig_event(rig, &event))
        if (event.bits & SL_TCP_ACCEPTED)
            return event.conn;
    return NULL;
}

static void no_state_is_kept_for_a_syn(void **state)
{
    struct sl_tcp_options options = always();
    struct rig *rig = rig_new();

    rig_listen(rig, &options);
    cookie(rig, rig_full_syn());
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    assert_int_equal(COUNTER(rig, cookies_sent), 1);
    rig_wait(rig, 60 * RIG_S); // and so it is not repeated
    rig_expect_none(rig);
    rig_free(rig);
}

static void the_ack_opens_the_connection(void **state)
{
    struct sl_tcp_options options = always();
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn;

    rig_listen(rig, &options);
    cookie(rig, rig_bare_syn());
    say(rig, ACK, 1, 0, 1);
    conn = accepted(rig);
    assert_non_null(conn);
    expect_state(conn, SL_TCP_ESTABLISHED);
    assert_int_equal(rig_send(rig, conn, 0, 100), 0);
    rig_expect(rig, ACK | PSH, 1, 100, 1);
    say(rig, ACK, 1, 50, 101);
    assert_int_equal(rig_read(rig, conn, 0), 50);
    rig_free(rig);
}

static void data_on_the_ack_is_taken(void **state)
{
    struct sl_tcp_options options = always();
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn;

    rig_listen(rig, &options);
    cookie(rig, rig_full_syn());
    say(rig, ACK | PSH, 1, 500, 1);
    conn = accepted(rig);
    assert_non_null(conn);
    assert_int_equal(rig_read(rig, conn, 0), 500);
    rig_free(rig);
}

static void a_fin_on_the_ack_is_taken(void **state)
{
    struct sl_tcp_options options = always();
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn;

    rig_listen(rig, &options);
    cookie(rig, rig_bare_syn());
    say(rig, ACK | FIN, 1, 10, 1);
    conn = accepted(rig);
    assert_non_null(conn);
    expect_state(conn, SL_TCP_CLOSE_WAIT);
    rig_free(rig);
}

// ---- what it keeps ----------------------------------------------------------------------------------------------
static void the_mss_is_kept_as_the_next_lower_of_eight(void **state)
{
    static const uint16_t rows[][2] = {{100, 88},     {216, 216},   {300, 216},   {536, 536},   {1024, 536},
                                       {1220, 1220}, {1240, 1220}, {1300, 1300}, {1400, 1300}, {1440, 1440},
                                       {1459, 1440}, {1460, 1460}, {9000, 1460}};

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sl_tcp_options options = always();
        struct rig *rig = rig_new();
        struct tcp_options syn = {.present = TCP_OPTION_MSS, .mss = rows[i][0]};
        struct sl_tcp_conn *conn;

        rig_listen(rig, &options);
        cookie(rig, syn);
        say(rig, ACK, 1, 0, 1);
        conn = accepted(rig);
        assert_non_null(conn);
        assert_int_equal(rig_info(conn).snd_mss, rows[i][1]);
        rig_free(rig);
    }
}

static void must_15_a_syn_without_mss_is_kept_as_536(void **state)
{
    struct sl_tcp_options options = always();
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn;

    rig_listen(rig, &options);
    cookie(rig, (struct tcp_options){0});
    say(rig, ACK, 1, 0, 1);
    conn = accepted(rig);
    assert_non_null(conn);
    assert_int_equal(rig_info(conn).snd_mss, 536);
    rig_free(rig);
}

static void all_options_survive_in_the_timestamp(void **state)
{
    for (unsigned bits = 0; bits < 8; bits++)
        for (uint8_t shift = 0; shift <= 14; shift += 7) {
            struct sl_tcp_options options = always();
            struct rig *rig = rig_new();
            struct tcp_options syn = {.present = TCP_OPTION_MSS | TCP_OPTION_TIMESTAMPS,
                                      .mss = 1460,
                                      .wscale = shift,
                                      .tsval = 4990};
            struct sl_tcp_conn *conn;
            struct sl_tcp_info info;

            options.ecn = true;
            syn.present |= (bits & 1 ? TCP_OPTION_SACK_PERMITTED : 0) | (bits & 2 ? TCP_OPTION_WSCALE : 0);
            rig_listen(rig, &options);
            RIG_PUT(rig, .flags = (uint8_t)(SYN | (bits & 4 ? SL_TCP_ECE | SL_TCP_CWR : 0)), .window = 65535,
                    .options = syn);
            assert_int_equal(rig_take(rig)->out.flags, SYN | ACK | (bits & 4 ? SL_TCP_ECE : 0));
            rig->timestamps = true;
            rig->tsval = 5000;
            rig->shift = bits & 2 ? shift : 0;
            RIG_PUT(rig, .flags = ACK, .seq = 1, .ack = 1, .window = 16384u << rig->shift);
            conn = accepted(rig);
            assert_non_null(conn);
            info = rig_info(conn);
            assert_true(info.timestamps);
            assert_int_equal(info.sack, bits & 1);
            assert_int_equal(info.ecn, bits >> 2);
            assert_int_equal(info.snd_wscale, bits & 2 ? shift : 0);
            assert_int_equal(info.rcv_wscale, bits & 2 ? 7 : 0);
            assert_int_equal(info.snd_wnd, 16384u << rig->shift);
            rig_free(rig);
        }
}

static void without_timestamps_nothing_is_offered_that_could_not_be_remembered(void **state)
{
    struct sl_tcp_options options = always();
    struct rig *rig = rig_new();
    struct tcp_options syn = rig_full_syn();
    struct sl_tcp_conn *conn;

    options.ecn = true;
    syn.present &= (uint8_t)~TCP_OPTION_TIMESTAMPS;
    rig_listen(rig, &options);
    RIG_PUT(rig, .flags = SYN | SL_TCP_ECE | SL_TCP_CWR, .window = 65535, .options = syn);
    assert_int_equal(rig_expect(rig, SYN | ACK, 0, 0, 1)->options.present, TCP_OPTION_MSS);
    say(rig, ACK, 1, 0, 1);
    conn = accepted(rig);
    assert_non_null(conn);
    assert_false(rig_info(conn).sack);
    assert_int_equal(rig_info(conn).snd_wscale, 0);
    rig_free(rig);
}

// RFC 7323 section 4.3 and 5: ours must never go back, or the peer's PAWS would drop what follows.
static void timestamps_do_not_run_ahead_of_the_clock(void **state)
{
    for (unsigned ms = 0; ms < 200; ms++) {
        struct sl_tcp_options options = always();
        struct rig *rig = rig_new();
        struct sl_tcp_conn *conn;
        uint32_t of_cookie;

        rig->now_us += ms * RIG_MS;
        rig_listen(rig, &options);
        of_cookie = cookie(rig, rig_full_syn())->options.tsval;
        say(rig, ACK, 1, 0, 1);
        conn = accepted(rig);
        assert_non_null(conn);
        rig_send(rig, conn, 0, 10);
        assert_in_range(rig_take(rig)->options.tsval - of_cookie, 0, 64);
        rig_free(rig);
    }
}

// ---- when it counts -----------------------------------------------------------------------------------------------
static void a_cookie_of_this_or_the_last_minute_counts(void **state)
{
    for (unsigned seconds = 10; seconds <= 240; seconds += 10) {
        struct sl_tcp_options options = always();
        struct rig *rig = rig_new();
        bool opened;

        rig->now_us = 1020 * RIG_S; // a minute begins
        rig_listen(rig, &options);
        cookie(rig, rig_full_syn());
        rig_wait(rig, seconds * RIG_S);
        say(rig, ACK, 1, 0, 1);
        opened = accepted(rig) != NULL;
        if (opened != (seconds < 120))
            fail_msg("after %u s: %s", seconds, opened ? "opened" : "refused");
        if (!opened)
            rig_expect(rig, RST, 1, 0, 0u - rig->peer_isn);
        rig_free(rig);
    }
}

static void a_cookie_that_was_tampered_with_is_reset(void **state)
{
    for (unsigned bit = 0; bit < 32; bit++) {
        struct sl_tcp_options options = always();
        struct rig *rig = rig_new();

        rig_listen(rig, &options);
        cookie(rig, rig_bare_syn());
        RIG_PUT(rig, .flags = ACK, .seq = 1, .window = 65535, .ack = (rig->isn ^ 1u << bit) + 1,
                .raw_ack = true);
        if (accepted(rig))
            fail_msg("bit %u", bit);
        assert_true(rig_take(rig)->out.flags & RST);
        assert_int_equal(COUNTER(rig, cookies_bad), 1);
        rig_free(rig);
    }
}

static void a_cookie_counts_for_its_tuple_and_number_alone(void **state)
{
    for (unsigned what = 0; what < 4; what++) {
        struct sl_tcp_options options = always();
        struct rig *rig = rig_new();

        rig_listen(rig, &options);
        cookie(rig, rig_bare_syn());
        if (what == 1)
            rig->remote_port++;
        else if (what == 2)
            sl_ip_parse("192.0.2.3", &rig->remote);
        say(rig, ACK, what == 3 ? 2 : 1, 0, 1);
        assert_int_equal(accepted(rig) != NULL, what == 0);
        rig_free(rig);
    }
}

static void another_engines_cookie_does_not_count(void **state)
{
    struct sl_tcp_options options = always();
    struct sl_tcp_config config;
    struct rig *a = rig_new(), *b;

    rig_config(&config);
    config.entropy[0]++;
    b = rig_new_with(&config, false);
    rig_listen(a, &options);
    rig_listen(b, &options);
    cookie(a, rig_bare_syn());
    cookie(b, rig_bare_syn());
    RIG_PUT(b, .flags = ACK, .seq = 1, .window = 65535, .ack = a->isn + 1, .raw_ack = true);
    assert_null(accepted(b));
    rig_free(a);
    rig_free(b);
}

static void segments_that_are_no_third_segment_are_no_cookie(void **state)
{
    static const uint8_t flags[] = {SYN | ACK, RST | ACK, RST, FIN};

    for (unsigned i = 0; i < 4; i++) {
        struct sl_tcp_options options = always();
        struct rig *rig = rig_new();

        rig_listen(rig, &options);
        cookie(rig, rig_bare_syn());
        say(rig, flags[i], 1, 0, 1);
        assert_null(accepted(rig));
        rig_free(rig);
    }
}

static void cookies_are_not_looked_for_when_none_were_sent(void **state)
{
    struct sl_tcp_options options = always();
    struct rig *rig = rig_new();

    rig_listen(rig, &options);
    rig->now_us = 1020 * RIG_S;
    cookie(rig, rig_bare_syn());
    say(rig, ACK, 1, 0, 1);
    assert_non_null(accepted(rig));
    rig->now_us += 300 * RIG_S;
    rig->remote_port++;
    rig_drop_out(rig);
    say(rig, ACK, 1, 0, 12345);
    assert_true(rig_take(rig)->out.flags & RST);
    assert_int_equal(COUNTER(rig, cookies_bad), 0);
    rig_free(rig);
}

// ---- pressure -----------------------------------------------------------------------------------------------------
static struct rig *small_backlog(uint32_t backlog)
{
    struct sl_tcp_options options = rig_options();
    struct rig *rig = rig_new();

    options.backlog = backlog;
    rig_listen(rig, &options);
    return rig;
}

static void cookies_begin_where_the_backlog_is_full(void **state)
{
    struct rig *rig = small_backlog(4);

    for (unsigned i = 0; i < 10; i++, rig->remote_port++)
        RIG_PUT(rig, .flags = SYN, .window = 65535, .options = rig_bare_syn());
    assert_int_equal(count_out(rig), 10); // all are answered
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 4);
    assert_int_equal(COUNTER(rig, cookies_sent), 6);
    rig_free(rig);
}

static void where_cookies_never_go_the_backlog_drops(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct rig *rig = rig_new();

    options.backlog = 4;
    options.cookies_never = true;
    rig_listen(rig, &options);
    for (unsigned i = 0; i < 10; i++, rig->remote_port++)
        RIG_PUT(rig, .flags = SYN, .window = 65535, .options = rig_bare_syn());
    assert_int_equal(count_out(rig), 4);
    assert_int_equal(COUNTER(rig, cookies_sent), 0);
    assert_int_equal(COUNTER(rig, no_room), 6);
    rig_wait(rig, 200 * RIG_S); // they have been forgotten
    rig_drop_out(rig);
    RIG_PUT(rig, .flags = SYN, .window = 65535, .options = rig_bare_syn());
    assert_int_equal(count_out(rig), 1);
    rig_free(rig);
}

static void they_end_where_it_has_room_again(void **state)
{
    struct rig *rig = small_backlog(1);
    sl_be16 first = rig->remote_port;
    uint32_t isn;

    RIG_PUT(rig, .flags = SYN, .window = 65535, .options = rig_bare_syn());
    isn = rig->isn;
    rig->remote_port++;
    RIG_PUT(rig, .flags = SYN, .window = 65535, .options = rig_bare_syn());
    assert_int_equal(COUNTER(rig, cookies_sent), 1);
    rig->remote_port = first;
    rig->isn = isn;
    say(rig, ACK, 1, 0, 1);
    assert_non_null(accepted(rig));
    rig->remote_port = (sl_be16)(first + 2);
    RIG_PUT(rig, .flags = SYN, .window = 65535, .options = rig_bare_syn());
    assert_int_equal(COUNTER(rig, cookies_sent), 1);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 2);
    rig_free(rig);
}

static void a_flood_of_syns_leaves_established_connections_and_honest_newcomers_alone(void **state)
{
    struct rig *rig = small_backlog(16);
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_conn *old = rig_open_passive(rig, &options, rig_bare_syn(), 65535);
    sl_be16 port = rig->remote_port;
    uint32_t isn = rig->isn, honest = 0;

    for (unsigned i = 0; i < 2000; i++) {
        rig->remote_port = (sl_be16)(port + 1 + i);
        RIG_PUT(rig, .flags = SYN, .window = 65535, .options = rig_bare_syn());
        if (i % 100 == 99) { // this one means it
            say(rig, ACK | PSH, 1, 10, 1);
            honest += accepted(rig) != NULL;
        }
        if (i % 10 == 0) {
            uint32_t flood_isn = rig->isn;

            rig->remote_port = port;
            rig->isn = isn;
            say(rig, ACK, 1 + i / 10 * 100, 100, 1);
            rig->isn = flood_isn;
        }
    }
    assert_int_equal(rig_read(rig, old, 0), 20000);
    assert_int_equal(honest, 20);
    assert_in_range(sl_tcp_connection_count(rig->tcp), 21, 21 + 16);
    rig_free(rig);
}

static void a_full_engine_answers_with_cookies_and_takes_them_when_there_is_room(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_config config;
    struct sl_tcp_conn *first;
    struct rig *rig;

    rig_config(&config);
    config.connections = 1;
    rig = rig_new_with(&config, false);
    first = rig_open_passive(rig, &options, rig_bare_syn(), 65535);
    rig->remote_port++;
    cookie(rig, rig_bare_syn());
    sl_tcp_abort(first, rig->now_us);
    script_events(rig, NULL);
    rig_flush(rig);
    rig_drop_out(rig);
    say(rig, ACK, 1, 0, 1);
    assert_non_null(accepted(rig));
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(no_state_is_kept_for_a_syn),
        T(the_ack_opens_the_connection),
        T(data_on_the_ack_is_taken),
        T(a_fin_on_the_ack_is_taken),
        T(the_mss_is_kept_as_the_next_lower_of_eight),
        T(must_15_a_syn_without_mss_is_kept_as_536),
        T(all_options_survive_in_the_timestamp),
        T(without_timestamps_nothing_is_offered_that_could_not_be_remembered),
        T(timestamps_do_not_run_ahead_of_the_clock),
        T(a_cookie_of_this_or_the_last_minute_counts),
        T(a_cookie_that_was_tampered_with_is_reset),
        T(a_cookie_counts_for_its_tuple_and_number_alone),
        T(another_engines_cookie_does_not_count),
        T(segments_that_are_no_third_segment_are_no_cookie),
        T(cookies_are_not_looked_for_when_none_were_sent),
        T(cookies_begin_where_the_backlog_is_full),
        T(where_cookies_never_go_the_backlog_drops),
        T(they_end_where_it_has_room_again),
        T(a_flood_of_syns_leaves_established_connections_and_honest_newcomers_alone),
        T(a_full_engine_answers_with_cookies_and_takes_them_when_there_is_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
