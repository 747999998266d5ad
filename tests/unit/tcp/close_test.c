// SPDX-License-Identifier: Apache-2.0
// How connections end: the lower half of RFC 9293's figure 5 and section 3.6, by close, by shutdown and by abort.
#include "script.h"

static void shut(struct rig *rig, struct sl_tcp_conn *conn)
{
    assert_int_equal(sl_tcp_shutdown(conn, rig->now_us), 0);
    rig_flush(rig);
}

// ---- figure 5 ---------------------------------------------------------------------------------------------------
static void figure_5_established_close_fin_wait_1(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);

    shut(rig, conn);
    rig_expect(rig, FIN | ACK, 1, 0, 1);
    expect_state(conn, SL_TCP_FIN_WAIT_1);
    rig_free(rig);
}

static void figure_5_established_fin_close_wait(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);
    struct sl_tcp_chunk chunk;

    say(rig, FIN | ACK, 1, 0, 1);
    rig_expect(rig, ACK, 1, 0, 2); // at once
    expect_state(conn, SL_TCP_CLOSE_WAIT);
    assert_int_equal(script_events(rig, NULL), SL_TCP_READABLE);
    assert_int_equal(sl_tcp_read(conn, 10, &chunk, rig->now_us), 0);
    rig_free(rig);
}

static void figure_5_fin_wait_1_ack_fin_wait_2(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_reach(rig, SL_TCP_FIN_WAIT_1);

    say(rig, ACK, 1, 0, 2);
    expect_state(conn, SL_TCP_FIN_WAIT_2);
    rig_expect_none(rig);
    rig_free(rig);
}

static void figure_5_fin_wait_1_ack_of_data_alone_stays(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);

    assert_int_equal(rig_send(rig, conn, 0, 100), 0);
    shut(rig, conn);
    say(rig, ACK, 1, 0, 101);
    expect_state(conn, SL_TCP_FIN_WAIT_1);
    say(rig, ACK, 1, 0, 102);
    expect_state(conn, SL_TCP_FIN_WAIT_2);
    rig_free(rig);
}

static void figure_5_fin_wait_1_fin_closing(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_reach(rig, SL_TCP_FIN_WAIT_1);

    say(rig, FIN | ACK, 1, 0, 1);
    rig_expect(rig, ACK, 2, 0, 2);
    expect_state(conn, SL_TCP_CLOSING);
    rig_free(rig);
}

static void figure_5_fin_wait_1_fin_with_ack_time_wait(void **state)
{
    struct rig *rig = rig_new();

    script_reach(rig, SL_TCP_FIN_WAIT_1);
    say(rig, FIN | ACK, 1, 0, 2);
    rig_expect(rig, ACK, 2, 0, 2);
    assert_int_equal(COUNTER(rig, time_waits), 1);
    expect_ended(rig, 0);
    rig_free(rig);
}

static void figure_5_fin_wait_2_fin_time_wait(void **state)
{
    struct rig *rig = rig_new();

    script_reach(rig, SL_TCP_FIN_WAIT_2);
    say(rig, FIN | ACK, 1, 0, 2);
    rig_expect(rig, ACK, 2, 0, 2);
    assert_int_equal(COUNTER(rig, time_waits), 1);
    expect_ended(rig, 0);
    rig_free(rig);
}

static void figure_5_closing_ack_time_wait(void **state)
{
    struct rig *rig = rig_new();

    script_reach(rig, SL_TCP_CLOSING);
    say(rig, ACK, 2, 0, 2);
    assert_int_equal(COUNTER(rig, time_waits), 1);
    rig_expect_none(rig);
    expect_ended(rig, 0);
    rig_free(rig);
}

static void figure_5_close_wait_close_last_ack(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_reach(rig, SL_TCP_CLOSE_WAIT);

    shut(rig, conn);
    rig_expect(rig, FIN | ACK, 1, 0, 2);
    expect_state(conn, SL_TCP_LAST_ACK);
    rig_free(rig);
}

static void figure_5_last_ack_ack_closed(void **state)
{
    struct rig *rig = rig_new();

    script_reach(rig, SL_TCP_LAST_ACK);
    say(rig, ACK, 2, 0, 2);
    expect_ended(rig, 0);
    assert_int_equal(COUNTER(rig, time_waits), 0);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    rig_free(rig);
}

// ---- FIN ----------------------------------------------------------------------------------------------------------
static void a_fin_rides_on_the_last_data(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);
    struct sl_tcp_chunk chunk = rig_chunk(0, 100);

    assert_int_equal(sl_tcp_send(conn, &chunk, rig->now_us), 0);
    shut(rig, conn);
    rig_expect(rig, FIN | ACK | PSH, 1, 100, 1);
    rig_expect_none(rig);
    rig_free(rig);
}

static void a_fin_waits_for_the_data_that_the_window_holds_back(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_conn *conn = rig_open_passive(rig, &options, rig_bare_syn(), 1000);

    assert_int_equal(rig_send(rig, conn, 0, 1500), 0);
    rig_expect(rig, ACK, 1, 1000, 1);
    shut(rig, conn);
    rig_expect_none(rig);
    expect_state(conn, SL_TCP_FIN_WAIT_1);
    RIG_PUT(rig, .flags = ACK, .seq = 1, .ack = 1001, .window = 1000);
    rig_expect(rig, FIN | ACK | PSH, 1001, 500, 1);
    rig_free(rig);
}

static void data_and_fin_in_one_segment_are_read_in_order(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);
    struct sl_tcp_chunk chunk;

    say(rig, FIN | ACK, 1, 100, 1);
    rig_expect(rig, ACK, 1, 0, 102);
    expect_state(conn, SL_TCP_CLOSE_WAIT);
    assert_int_equal(rig_read(rig, conn, 0), 100);
    assert_int_equal(sl_tcp_read(conn, 10, &chunk, rig->now_us), 0);
    rig_free(rig);
}

static void a_fin_out_of_order_waits_for_what_lacks(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);

    say(rig, FIN | ACK, 101, 0, 1); // alone, behind a hole
    rig_expect(rig, ACK, 1, 0, 1);
    expect_state(conn, SL_TCP_ESTABLISHED);
    say(rig, ACK, 1, 100, 1);
    rig_expect(rig, ACK, 1, 0, 102);
    expect_state(conn, SL_TCP_CLOSE_WAIT);
    rig_free(rig);
}

static void a_fin_on_text_out_of_order_waits_for_what_lacks(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);

    say(rig, FIN | ACK, 101, 100, 1);
    expect_state(conn, SL_TCP_ESTABLISHED);
    say(rig, ACK, 1, 100, 1);
    expect_state(conn, SL_TCP_CLOSE_WAIT);
    assert_int_equal(rig_info(conn).rcv_nxt - rig->peer_isn, 202);
    assert_int_equal(rig_read(rig, conn, 0), 200);
    rig_free(rig);
}

static void a_false_fin_ahead_does_not_hide_the_true_one(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);

    say(rig, FIN | ACK, 50, 0, 1); // within what is text
    say(rig, ACK, 1, 100, 1);
    expect_state(conn, SL_TCP_ESTABLISHED);
    say(rig, FIN | ACK, 101, 0, 1);
    expect_state(conn, SL_TCP_CLOSE_WAIT);
    assert_int_equal(rig_read(rig, conn, 0), 100);
    rig_free(rig);
}

static void a_repeated_fin_is_acknowledged_again(void **state)
{
    static const enum sl_tcp_state states[] = {SL_TCP_CLOSE_WAIT, SL_TCP_CLOSING, SL_TCP_LAST_ACK};

    for (unsigned i = 0; i < 3; i++) {
        struct rig *rig = rig_new();
        struct sl_tcp_conn *conn = script_reach(rig, states[i]);

        for (int n = 0; n < 3; n++) {
            say(rig, FIN | ACK, 1, 0, 1);
            rig_expect(rig, ACK, script_ours(states[i]), 0, 2);
        }
        expect_state(conn, states[i]);
        rig_free(rig);
    }
}

static void text_behind_the_fin_is_not_taken(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);

    say(rig, FIN | ACK, 1, 0, 1);
    say(rig, ACK, 2, 100, 1);
    expect_state(conn, SL_TCP_CLOSE_WAIT);
    assert_int_equal(rig_info(conn).rcv_unread, 0);
    assert_int_equal(rig_info(conn).rcv_nxt - rig->peer_isn, 2);
    rig_free(rig);
}

static void our_fin_is_repeated_until_it_is_acknowledged(void **state)
{
    static const enum sl_tcp_state states[] = {SL_TCP_FIN_WAIT_1, SL_TCP_CLOSING, SL_TCP_LAST_ACK};

    for (unsigned i = 0; i < 3; i++) {
        struct rig *rig = rig_new();

        script_reach(rig, states[i]);
        for (int n = 0; n < 4; n++) {
            if (rig_wait_out(rig, 60 * RIG_S) >= 60 * RIG_S)
                fail_msg("no FIN in %s", script_state_name(states[i]));
            rig_expect(rig, FIN | ACK, 1, 0, script_peers(states[i]));
        }
        rig_free(rig);
    }
}

static void a_fin_goes_out_through_a_closed_window(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);

    RIG_PUT(rig, .flags = ACK, .seq = 1, .ack = 1, .window = 0);
    shut(rig, conn);
    rig_expect(rig, FIN | ACK, 1, 0, 1);
    rig_free(rig);
}

static void a_fin_is_taken_with_a_closed_window(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_conn *conn;

    options.rx_initial_bytes = 1000;
    conn = rig_open_passive(rig, &options, rig_bare_syn(), 65535);
    say(rig, ACK, 1, 1000, 1);
    assert_int_equal(rig_info(conn).rcv_wnd, 0);
    say(rig, FIN | ACK, 1001, 0, 1);
    expect_state(conn, SL_TCP_CLOSE_WAIT);
    assert_int_equal(rig_read(rig, conn, 0), 1000);
    rig_free(rig);
}

// ---- half-close -----------------------------------------------------------------------------------------------------
static void rfc9293_3_6_receiving_goes_on_after_shutdown(void **state)
{
    static const enum sl_tcp_state states[] = {SL_TCP_FIN_WAIT_1, SL_TCP_FIN_WAIT_2};

    for (unsigned i = 0; i < 2; i++) {
        struct rig *rig = rig_new();
        struct sl_tcp_conn *conn = script_reach(rig, states[i]);

        say(rig, ACK, 1, 1000, states[i] == SL_TCP_FIN_WAIT_1 ? 1 : 2);
        assert_int_equal(rig_read(rig, conn, 0), 1000);
        expect_state(conn, states[i]);
        rig_free(rig);
    }
}

static void rfc9293_3_6_sending_goes_on_after_the_peers_fin(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_reach(rig, SL_TCP_CLOSE_WAIT);

    assert_int_equal(rig_send(rig, conn, 0, 500), 0);
    rig_expect(rig, ACK | PSH, 1, 500, 2);
    say(rig, ACK, 2, 0, 501);
    assert_int_equal(rig_info(conn).snd_una - rig->isn, 501);
    rig_free(rig);
}

static void sending_after_shutdown_is_refused(void **state)
{
    static const enum sl_tcp_state states[] = {SL_TCP_FIN_WAIT_1, SL_TCP_FIN_WAIT_2, SL_TCP_CLOSING,
                                               SL_TCP_LAST_ACK};

    for (unsigned i = 0; i < 4; i++) {
        struct rig *rig = rig_new();
        struct sl_tcp_conn *conn = script_reach(rig, states[i]);

        assert_int_equal(rig_send(rig, conn, 0, 10), -EPIPE);
        rig_expect_none(rig);
        rig_free(rig);
    }
}

static void a_second_shutdown_changes_nothing(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_reach(rig, SL_TCP_FIN_WAIT_1);

    shut(rig, conn);
    rig_expect_none(rig);
    expect_state(conn, SL_TCP_FIN_WAIT_1);
    rig_free(rig);
}

static void a_half_closed_connection_waits_for_ever_while_its_caller_holds_it(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_reach(rig, SL_TCP_FIN_WAIT_2);

    rig_wait(rig, 3600 * RIG_S);
    expect_state(conn, SL_TCP_FIN_WAIT_2);
    say(rig, ACK, 1, 10, 2);
    assert_int_equal(rig_read(rig, conn, 0), 10);
    rig_free(rig);
}

static void simultaneous_close(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);

    shut(rig, conn);
    rig_expect(rig, FIN | ACK, 1, 0, 1);
    say(rig, FIN | ACK, 1, 0, 1);
    rig_expect(rig, ACK, 2, 0, 2);
    say(rig, ACK, 2, 0, 2);
    expect_ended(rig, 0);
    assert_int_equal(COUNTER(rig, time_waits), 1);
    rig_free(rig);
}

// ---- close ----------------------------------------------------------------------------------------------------------
static void close_delivers_what_is_queued(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_conn *conn = rig_open_passive(rig, &options, rig_bare_syn(), 2000);

    assert_int_equal(rig_send(rig, conn, 0, 4000), 0);
    sl_tcp_close(conn, rig->now_us);
    rig_flush(rig);
    rig_drop_out(rig);
    RIG_PUT(rig, .flags = ACK, .seq = 1, .ack = 1461, .window = 4000);
    rig_expect(rig, ACK, 1461, 1460, 1);
    rig_expect(rig, FIN | ACK | PSH, 2921, 1080, 1);
    say(rig, FIN | ACK, 1, 0, 4002);
    assert_int_equal(script_events(rig, NULL), 0); // who closed is told nothing any more
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    rig_free(rig);
}

// RFC 9293 section 3.6.1, RFC 2525 section 2.17.
static void shld_3_close_with_unread_bytes_resets(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);

    say(rig, ACK, 1, 100, 1);
    rig_drop_out(rig);
    sl_tcp_close(conn, rig->now_us);
    rig_flush(rig);
    rig_expect(rig, RST | ACK, 1, 0, 101);
    assert_int_equal(script_events(rig, NULL), 0);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    rig_free(rig);
}

static void shld_3_bytes_that_come_after_close_are_reset(void **state)
{
    for (int acked = 0; acked < 2; acked++) {
        struct rig *rig = rig_new();
        struct sl_tcp_conn *conn = script_open(rig);

        sl_tcp_close(conn, rig->now_us);
        rig_flush(rig);
        rig_expect(rig, FIN | ACK, 1, 0, 1);
        say(rig, ACK, 1, 10, acked ? 2 : 1);
        rig_expect(rig, RST | ACK, 2, 0, 1);
        assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
        rig_free(rig);
    }
}

static void old_bytes_that_come_again_after_close_are_not_reset(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);

    say(rig, ACK, 1, 10, 1);
    rig_read(rig, conn, 0);
    sl_tcp_close(conn, rig->now_us);
    rig_flush(rig);
    rig_drop_out(rig);
    say(rig, ACK, 1, 10, 1);
    rig_expect(rig, ACK, 2, 0, 11);
    say(rig, FIN | ACK, 11, 0, 2);
    rig_expect(rig, ACK, 2, 0, 12);
    rig_free(rig);
}

static void a_closed_connection_waits_a_minute_for_the_peers_fin(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);

    sl_tcp_close(conn, rig->now_us);
    rig_flush(rig);
    say(rig, ACK, 1, 0, 2);
    rig_drop_out(rig);
    rig_wait(rig, 59 * RIG_S);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 1);
    rig_wait(rig, 2 * RIG_S);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    rig_expect_none(rig);
    say(rig, FIN | ACK, 1, 0, 2);
    rig_expect(rig, RST, 2, 0, 0u - rig->peer_isn);
    rig_free(rig);
}

static void close_after_shutdown_starts_that_wait_too(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_reach(rig, SL_TCP_FIN_WAIT_2);

    rig_wait(rig, 600 * RIG_S);
    sl_tcp_close(conn, rig->now_us);
    rig_wait(rig, 61 * RIG_S);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    rig_free(rig);
}

static void without_a_fin_wait_2_timeout_it_waits_for_ever(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_conn *conn;

    options.fin_wait_2_ms = 0;
    conn = rig_open_passive(rig, &options, rig_bare_syn(), 65535);
    sl_tcp_close(conn, rig->now_us);
    rig_flush(rig);
    say(rig, ACK, 1, 0, 2);
    rig_wait(rig, 7200 * RIG_S);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 1);
    rig_free(rig);
}

static void a_closed_connection_whose_peer_is_gone_ends_by_itself(void **state)
{
    static const enum sl_tcp_state states[] = {SL_TCP_FIN_WAIT_1, SL_TCP_CLOSING, SL_TCP_LAST_ACK};

    for (unsigned i = 0; i < 3; i++) {
        struct rig *rig = rig_new();
        struct sl_tcp_conn *conn = script_reach(rig, states[i]);

        sl_tcp_close(conn, rig->now_us);
        rig_wait(rig, 3600 * RIG_S);
        assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
        rig_free(rig);
    }
}

static void a_closed_connection_before_a_window_shut_for_minutes_is_given_up(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);

    RIG_PUT(rig, .flags = ACK, .seq = 1, .ack = 1, .window = 0);
    assert_int_equal(rig_send(rig, conn, 0, 1000), 0);
    sl_tcp_close(conn, rig->now_us);
    for (unsigned i = 0; i < 20 && sl_tcp_connection_count(rig->tcp); i++) {
        rig_wait_out(rig, 130 * RIG_S);
        rig_drop_out(rig);
        if (i == 6) // for less than that it waits
            assert_int_equal(sl_tcp_connection_count(rig->tcp), 1);
        RIG_PUT(rig, .flags = ACK, .seq = 1, .ack = 1, .window = 0);
    }
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    rig_free(rig);
}

static void close_of_an_ended_connection_frees_it(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);

    say(rig, ACK, 1, 10, 1);
    say(rig, RST, 11, 0, 0);
    sl_tcp_close(conn, rig->now_us); // unread bytes and an event pending
    assert_int_equal(script_events(rig, NULL), 0);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    rig_flush(rig);
    rig_drop_out(rig);
    script_open(rig);
    rig_free(rig);
}

// ---- abort --------------------------------------------------------------------------------------------------------
static void rfc9293_3_10_5_abort_resets_in_every_state(void **state)
{
    for (enum sl_tcp_state at = SL_TCP_SYN_RECEIVED; at < SL_TCP_TIME_WAIT; at++) {
        struct rig *rig = rig_new();
        struct sl_tcp_conn *conn = script_reach(rig, at);

        sl_tcp_abort(conn, rig->now_us);
        rig_flush(rig);
        rig_expect(rig, RST | ACK, script_ours(at), 0, script_peers(at));
        rig_expect_none(rig);
        assert_int_equal(script_events(rig, NULL), 0);
        assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
        rig_free(rig);
    }
}

static void abort_drops_what_is_queued_and_unread(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);

    say(rig, ACK, 1, 500, 1);
    say(rig, ACK, 1001, 500, 1);
    assert_int_equal(rig_send(rig, conn, 0, 100000), 0);
    sl_tcp_abort(conn, rig->now_us);
    assert_int_equal(rig_blocks, 0);
    rig_free(rig);
}

// MUST-12.
static void must_12_the_caller_is_told_of_a_reset_apart_from_a_close(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);
    struct sl_tcp_chunk chunk;

    say(rig, RST, 1, 0, 0);
    assert_int_equal(sl_tcp_read(conn, 1, &chunk, rig->now_us), -ECONNRESET);
    assert_int_equal(rig_send(rig, conn, 0, 1), -ECONNRESET);
    expect_ended(rig, -ECONNRESET);
    rig_free(rig);
}

static void an_orderly_end_is_told_without_error_and_after_all_bytes(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_reach(rig, SL_TCP_FIN_WAIT_2);
    struct sl_tcp_chunk chunk;

    say(rig, FIN | ACK, 1, 300, 2);
    assert_int_equal(rig_read(rig, conn, 0), 300);
    assert_int_equal(sl_tcp_read(conn, 1, &chunk, rig->now_us), 0);
    expect_ended(rig, 0);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(figure_5_established_close_fin_wait_1),
        T(figure_5_established_fin_close_wait),
        T(figure_5_fin_wait_1_ack_fin_wait_2),
        T(figure_5_fin_wait_1_ack_of_data_alone_stays),
        T(figure_5_fin_wait_1_fin_closing),
        T(figure_5_fin_wait_1_fin_with_ack_time_wait),
        T(figure_5_fin_wait_2_fin_time_wait),
        T(figure_5_closing_ack_time_wait),
        T(figure_5_close_wait_close_last_ack),
        T(figure_5_last_ack_ack_closed),
        T(a_fin_rides_on_the_last_data),
        T(a_fin_waits_for_the_data_that_the_window_holds_back),
        T(data_and_fin_in_one_segment_are_read_in_order),
        T(a_fin_out_of_order_waits_for_what_lacks),
        T(a_fin_on_text_out_of_order_waits_for_what_lacks),
        T(a_false_fin_ahead_does_not_hide_the_true_one),
        T(a_repeated_fin_is_acknowledged_again),
        T(text_behind_the_fin_is_not_taken),
        T(our_fin_is_repeated_until_it_is_acknowledged),
        T(a_fin_goes_out_through_a_closed_window),
        T(a_fin_is_taken_with_a_closed_window),
        T(rfc9293_3_6_receiving_goes_on_after_shutdown),
        T(rfc9293_3_6_sending_goes_on_after_the_peers_fin),
        T(sending_after_shutdown_is_refused),
        T(a_second_shutdown_changes_nothing),
        T(a_half_closed_connection_waits_for_ever_while_its_caller_holds_it),
        T(simultaneous_close),
        T(close_delivers_what_is_queued),
        T(shld_3_close_with_unread_bytes_resets),
        T(shld_3_bytes_that_come_after_close_are_reset),
        T(old_bytes_that_come_again_after_close_are_not_reset),
        T(a_closed_connection_waits_a_minute_for_the_peers_fin),
        T(close_after_shutdown_starts_that_wait_too),
        T(without_a_fin_wait_2_timeout_it_waits_for_ever),
        T(a_closed_connection_whose_peer_is_gone_ends_by_itself),
        T(a_closed_connection_before_a_window_shut_for_minutes_is_given_up),
        T(close_of_an_ended_connection_frees_it),
        T(rfc9293_3_10_5_abort_resets_in_every_state),
        T(abort_drops_what_is_queued_and_unread),
        T(must_12_the_caller_is_told_of_a_reset_apart_from_a_close),
        T(an_orderly_end_is_told_without_error_and_after_all_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
