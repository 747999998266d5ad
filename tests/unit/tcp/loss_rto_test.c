// SPDX-License-Identifier: Apache-2.0
// The retransmission timeout (RFC 6298), and whether it was one: F-RTO (RFC 5682), Eifel by timestamps (RFC 3522,
// RFC 4015), DSACK (RFC 3708).
#include "loss.h"

static struct rig *rig;
static struct sl_tcp_conn *conn;

static void open_with(bool sack, bool timestamps)
{
    struct sl_tcp_options options = loss_options();

    rig = rig_new();
    conn = loss_open(rig, &options, loss_syn(sack, timestamps));
}

static int down(void **state)
{
    if (rig)
        rig_free(rig);
    rig = NULL;
    return 0;
}

static void rfc6298_2_1_first_timeout_is_1_s_and_5_5_doubles(void **state)
{
    struct sl_tcp_options options = loss_options();
    int error = 0;

    rig = rig_new();
    conn = sl_tcp_connect(rig->tcp, &rig->local, rig->local_port, &rig->remote, rig->remote_port, &options,
                          NULL, rig->now_us, &error);
    rig_flush(rig);
    assert_non_null(rig_take(rig));
    for (uint64_t seconds = 1; seconds <= 32; seconds *= 2) {
        assert_in_range(rig_wait_out(rig, 100 * RIG_S), seconds * RIG_S, seconds * RIG_S + 5 * RIG_MS);
        assert_int_equal(rig_take(rig)->out.flags & SL_TCP_SYN, SL_TCP_SYN);
    }
}

static void rfc6298_2_2_first_sample(void **state)
{
    open_with(true, false);
    assert_int_equal(rig_info(conn).srtt_us, RTT);
    assert_int_equal(rig_info(conn).rttvar_us, RTT / 2);
    assert_int_equal(rig_info(conn).rto_us, RTT + 4 * RTT / 2);
}

static void rfc6298_2_3_following_samples(void **state)
{
    open_with(true, false);
    rig_send(rig, conn, 0, MSS);
    rig_wait(rig, 180 * RIG_MS);
    loss_ack(rig, SEQ(1));
    assert_in_range(rig_info(conn).srtt_us, 109999, 110001);
    assert_in_range(rig_info(conn).rttvar_us, 57499, 57501);
    assert_in_range(rig_info(conn).rto_us, 339990, 340010);
}

static void the_variance_counts_for_200_ms_at_least(void **state)
{
    open_with(true, false);
    for (uint32_t i = 0; i < 60; i++) {
        rig_send(rig, conn, i * MSS, MSS);
        rig_wait(rig, RTT);
        loss_ack(rig, SEQ(i + 1));
    }
    assert_in_range(rig_info(conn).rto_us, 299990, 300010);
}

static void rfc6298_3_karn_no_sample_of_what_was_repeated_and_5_7_backoff_stays(void **state)
{
    open_with(false, false);
    rig_send(rig, conn, 0, MSS);
    loss_expect(rig, 0);
    rig_wait_out(rig, RIG_S);
    loss_expect(rig, 0);
    rig_wait(rig, 250 * RIG_MS);
    loss_ack(rig, SEQ(1));
    assert_int_equal(rig_info(conn).srtt_us, RTT);
    assert_int_equal(rig_info(conn).backoff, 1);
    rig_send(rig, conn, MSS, MSS);
    loss_expect(rig, 1);
    assert_in_range(rig_wait_out(rig, RIG_S), 600 * RIG_MS, 605 * RIG_MS);
    loss_expect(rig, 1);
    loss_ack(rig, SEQ(2));
    rig_send(rig, conn, 2 * MSS, MSS);
    rig_wait(rig, RTT);
    loss_ack(rig, SEQ(3));
    assert_int_equal(rig_info(conn).backoff, 0);
}

static void rfc6298_3_karn_a_hole_filled_is_no_sample_for_what_lay_behind_it(void **state)
{
    open_with(false, false);
    rig_send(rig, conn, 0, 5 * MSS);
    rig_wait_out(rig, RIG_S);
    rig_drop_out(rig);
    rig_wait_out(rig, RIG_S); // the timeout repeats the first
    rig_wait(rig, RTT);
    loss_ack(rig, SEQ(5));
    assert_int_equal(rig_info(conn).srtt_us, RTT);
}

static void rfc7323_4_1_timestamps_tell_which_sending_was_acknowledged(void **state)
{
    uint32_t before;

    open_with(true, true);
    rig_send(rig, conn, 0, 1448);
    rig_drop_out(rig);
    before = rig_info(conn).srtt_us;
    rig_wait_out(rig, RIG_S); // probe
    rig_drop_out(rig);
    rig_wait_out(rig, RIG_S); // timeout
    rig_drop_out(rig);
    rig_wait(rig, 60 * RIG_MS);
    loss_ack(rig, 1449); // echoes the last
    assert_in_range(rig_info(conn).srtt_us, before * 7 / 8 + 60000 / 8 - 200,
                    before * 7 / 8 + 60000 / 8 + 200);
    assert_int_equal(rig_info(conn).backoff, 0);
}

static void rfc6298_5_2_nothing_in_flight_no_timer(void **state)
{
    open_with(true, false);
    rig_send(rig, conn, 0, 3 * MSS);
    rig_wait(rig, RTT);
    loss_ack(rig, SEQ(3));
    rig_drop_out(rig);
    rig_wait(rig, 10 * RIG_S);
    rig_expect_none(rig);
}

static void rfc6298_5_3_an_ack_of_new_data_starts_the_timer_again(void **state)
{
    open_with(false, false);
    rig_send(rig, conn, 0, MSS);
    rig_wait(rig, 50 * RIG_MS);
    rig_send(rig, conn, MSS, MSS);
    rig_wait(rig, 50 * RIG_MS);
    loss_ack(rig, SEQ(1));
    rig_drop_out(rig); // second: sent 50 ms ago, so the timeout is that much nearer
    assert_in_range(rig_wait_out(rig, RIG_S), rig_info(conn).rto_us - 50 * RIG_MS,
                    rig_info(conn).rto_us - 50 * RIG_MS + 5 * RIG_MS);
    loss_expect(rig, 1);
}

static void rfc6298_5_4_to_5_6_the_earliest_is_repeated_and_the_timer_doubles_up_to_its_maximum(void **state)
{
    uint64_t wait_us = 300 * RIG_MS;

    open_with(false, false);
    rig_send(rig, conn, 0, 2 * MSS);
    loss_expect(rig, 0);
    loss_expect(rig, 1);
    for (unsigned i = 0; i < 15; i++) {
        assert_in_range(rig_wait_out(rig, 200 * RIG_S), wait_us, wait_us + wait_us / 50 + 5 * RIG_MS);
        loss_expect(rig, 0);
        rig_expect_none(rig);
        wait_us = wait_us * 2 > 120 * RIG_S ? 120 * RIG_S : wait_us * 2;
    }
}

static void rfc9293_3_8_3_the_connection_ends_after_so_many_repetitions(void **state)
{
    struct sl_tcp_options options = loss_options();
    struct sl_tcp_event event;

    options.retries = 4;
    rig = rig_new();
    conn = loss_open(rig, &options, loss_syn(false, false));
    rig_send(rig, conn, 0, MSS);
    rig_wait(rig, 60 * RIG_S);
    assert_true(rig_event(rig, &event));
    assert_true(event.bits & SL_TCP_ENDED);
    assert_int_equal(rig_info(conn).retransmits, 4);
    sl_tcp_close(conn, rig->now_us);
}

static void rfc6298_5_7_after_a_lost_syn_3_s(void **state)
{
    struct sl_tcp_options options = loss_options();
    int error = 0;

    rig = rig_new();
    conn = sl_tcp_connect(rig->tcp, &rig->local, rig->local_port, &rig->remote, rig->remote_port, &options,
                          NULL, rig->now_us, &error);
    rig_wait(rig, 1500 * RIG_MS);
    RIG_PUT(rig, .flags = SL_TCP_SYN | SL_TCP_ACK, .ack = 1, .window = 65535, .options = rig_bare_syn());
    assert_int_equal(rig_info(conn).rto_us, 3 * RIG_S);
    assert_int_equal(rig_info(conn).srtt_us, 0);
}

static void rfc5681_3_1_timeout_halves_once_and_goes_on_with_one_segment(void **state)
{
    struct sl_tcp_options options = loss_options();

    options.congestion = "newreno";
    rig = rig_new();
    conn = loss_open(rig, &options, loss_syn(false, false));
    rig_send(rig, conn, 0, 10 * MSS);
    rig_drop_out(rig);
    rig_wait_out(rig, RIG_S);
    assert_int_equal(rig_info(conn).ssthresh, 5 * MSS);
    assert_int_equal(rig_info(conn).cwnd, MSS);
    assert_int_equal(loss_count(rig), 1);
    rig_wait_out(rig, RIG_S);
    assert_int_equal(rig_info(conn).ssthresh, 5 * MSS);
    assert_int_equal(loss_count(rig), 1);
}

// ---- F-RTO ------------------------------------------------------------------------------------------------------
static void to_frto(void)
{
    open_with(false, false);
    rig_send(rig, conn, 0, 20 * MSS);
    assert_int_equal(loss_count(rig), 10);
    rig_wait_out(rig, RIG_S);
    loss_expect(rig, 0);
    loss_ack(rig, SEQ(1)); // of the repetition, for all that is known
    loss_expect(rig, 10);  // step 2b: new data
    loss_expect(rig, 11);
    rig_expect_none(rig);
}

static void rfc5682_2_1_step_3a_a_duplicate_says_it_was_lost(void **state)
{
    to_frto();
    loss_ack(rig, SEQ(1));
    loss_expect(rig, 1);
    assert_int_equal(rig_info(conn).recovery, TCP_LOSS);
}

static void rfc5682_2_1_step_3b_an_ack_of_what_was_sent_once_undoes_the_timeout(void **state)
{
    to_frto();
    loss_ack(rig, SEQ(2));
    assert_int_equal(rig_info(conn).recovery, TCP_OPEN);
    assert_true(rig_info(conn).cwnd >= 10 * MSS);
    assert_int_equal(sl_tcp_counters(rig->tcp)->undone, 1);
    assert_int_equal(rig_info(conn).retransmits, 1);
}

// One of the ten is lost, the sixth too: what the repetition's acknowledgement covers had arrived before the timeout.
static void rfc5682_2_1_step_2_what_stood_behind_the_hole_undoes_nothing(void **state)
{
    open_with(false, false);
    rig_send(rig, conn, 0, 20 * MSS);
    assert_int_equal(loss_count(rig), 10);
    rig_wait_out(rig, RIG_S);
    loss_expect(rig, 0);
    loss_ack(rig, SEQ(5));
    assert_int_equal(rig_info(conn).recovery, TCP_LOSS);
    assert_true(rig_info(conn).cwnd <= 3 * MSS);
    assert_int_equal(sl_tcp_counters(rig->tcp)->undone, 0);
}

static void rfc5682_2_1_step_2a_a_duplicate_first_goes_on_as_ever(void **state)
{
    open_with(false, false);
    rig_send(rig, conn, 0, 20 * MSS);
    assert_int_equal(loss_count(rig), 10);
    rig_wait_out(rig, RIG_S);
    loss_expect(rig, 0);
    loss_ack(rig, SEQ(0));
    rig_drop_out(rig);
    loss_ack(rig, SEQ(1));
    loss_expect(rig, 1); // no new data
    loss_ack(rig, SEQ(3));
    assert_int_equal(sl_tcp_counters(rig->tcp)->undone, 0);
}

static void to_timeout_with_sack(void)
{
    open_with(true, false);
    rig_send(rig, conn, 0, 20 * MSS);
    for (unsigned i = 0; i < 2; i++) { // probe, timeout
        rig_drop_out(rig);
        rig_wait_out(rig, RIG_S);
    }
    loss_expect(rig, 0);
}

// Segments that come late behind one that is lost.
static void rfc5682_3_1_step_2_sacks_before_the_repetition_arrived_undo_nothing(void **state)
{
    to_timeout_with_sack();
    loss_sack(rig, SEQ(0), SEQ(1), SEQ(5));
    loss_sack(rig, SEQ(0), SEQ(1), SEQ(11));
    assert_int_equal(rig_info(conn).recovery, TCP_LOSS);
    loss_ack(rig, SEQ(11)); // step 2a
    assert_int_equal(rig_info(conn).recovery, TCP_OPEN);
    assert_true(rig_info(conn).cwnd < 10 * MSS);
    assert_int_equal(sl_tcp_counters(rig->tcp)->undone, 0);
}

static void rfc5682_3_1_step_3b_a_sack_of_what_was_sent_once_undoes_the_timeout(void **state)
{
    to_timeout_with_sack();
    loss_ack(rig, SEQ(1));
    assert_int_equal(rig_info(conn).recovery, TCP_LOSS);
    loss_sack(rig, SEQ(1), SEQ(2), SEQ(3));
    assert_int_equal(sl_tcp_counters(rig->tcp)->undone, 1);
    assert_true(rig_info(conn).cwnd >= 10 * MSS);
}

static void rfc5682_2_1_step_2_without_new_data_the_next_is_repeated(void **state)
{
    open_with(false, false);
    rig_send(rig, conn, 0, 10 * MSS);
    assert_int_equal(loss_count(rig), 10);
    rig_wait_out(rig, RIG_S);
    loss_expect(rig, 0);
    loss_ack(rig, SEQ(1));
    loss_expect(rig, 1);
    loss_expect(rig, 2);
}

static void a_timeout_out_of_fast_recovery_and_another_repeat_the_first(void **state)
{
    open_with(true, false);
    rig_send(rig, conn, 0, 10 * MSS);
    rig_wait(rig, RTT);
    loss_sack(rig, SEQ(0), SEQ(3), SEQ(6)); // 0 to 2 are lost
    assert_int_equal(rig_info(conn).recovery, TCP_RECOVERY);
    rig_wait(rig, RTT);
    loss_sack(rig, SEQ(1), SEQ(3), SEQ(6));
    rig_drop_out(rig);
    for (unsigned i = 0; i < 5; i++) {
        rig_wait_out(rig, 60 * RIG_S);
        assert_int_equal(rig_take(rig)->seq, SEQ(1));
        rig_drop_out(rig);
    }
}

// ---- undo -------------------------------------------------------------------------------------------------------
static void rfc3522_3_2_an_echo_older_than_the_repetition_undoes_the_timeout(void **state)
{
    uint32_t old;

    open_with(true, true);
    rig_send(rig, conn, 0, 10 * 1448);
    old = rig->tsecr;
    rig_drop_out(rig);
    for (unsigned i = 0; i < 2; i++) { // probe, timeout
        rig_wait_out(rig, RIG_S);
        rig_drop_out(rig);
    }
    assert_int_equal(rig_info(conn).recovery, TCP_LOSS);
    rig->tsecr = old;
    loss_ack(rig, 1449);
    assert_int_equal(rig_info(conn).recovery, TCP_OPEN);
    assert_true(rig_info(conn).cwnd >= 10 * 1448);
    assert_true(rig_info(conn).ssthresh > 1000000);
    rig_drop_out(rig);
    rig_wait(rig, 10 * RIG_MS);
    assert_int_equal(loss_count(rig), 0);
}

static void rfc4015_an_echo_of_the_repetition_undoes_nothing(void **state)
{
    open_with(true, true);
    rig_send(rig, conn, 0, 10 * 1448);
    for (unsigned i = 0; i < 2; i++) {
        rig_drop_out(rig);
        rig_wait_out(rig, RIG_S);
    }
    loss_ack(rig, 1449);
    assert_int_equal(rig_info(conn).recovery, TCP_LOSS);
    assert_int_equal(sl_tcp_counters(rig->tcp)->undone, 0);
}

// A hole behind the recovery's end is repeated in it (2), and its echo comes in the next recovery (4), which repeats
// another (3): it is older than that one, and of a repetition all the same.
static void rfc3522_3_2_an_echo_of_the_recovery_before_undoes_nothing(void **state)
{
    uint32_t second;

    open_with(true, true);
    rig_send(rig, conn, 0, 60 * 1448);
    rig_wait(rig, RTT);
    rig_drop_out(rig);
    loss_sack(rig, 1, 1 + 1448, 1 + 10 * 1448);
    assert_int_equal(rig_info(conn).recovery, TCP_RECOVERY);
    for (uint32_t i = 12; i <= 14; i++) {
        rig_wait(rig, 10 * RIG_MS);
        loss_sack2(rig, 1, 1 + 11 * 1448, 1 + i * 1448, 1 + 1448, 1 + 10 * 1448); // 10 is lost
    }
    second = rig->tsecr; // an upper bound: the repetition went with the first of these
    assert_int_equal(rig_info(conn).lost_segments, 2);
    assert_int_equal(rig_info(conn).retrans_segments, 2);
    rig_wait(rig, 10 * RIG_MS);
    loss_sack(rig, 1 + 10 * 1448, 1 + 11 * 1448, 1 + 14 * 1448); // ends the first recovery
    assert_int_equal(rig_info(conn).recovery, TCP_RECOVERY);
    rig_wait(rig, 10 * RIG_MS);
    loss_sack2(rig, 1 + 10 * 1448, 1 + 15 * 1448, 1 + 16 * 1448, 1 + 11 * 1448, 1 + 14 * 1448); // 14 is lost
    assert_int_equal(rig_info(conn).retrans_segments, 2);
    rig->tsecr = second;
    loss_sack(rig, 1 + 14 * 1448, 1 + 15 * 1448, 1 + 16 * 1448);
    assert_int_equal(sl_tcp_counters(rig->tcp)->undone, 0);
    assert_int_equal(rig_info(conn).recovery, TCP_RECOVERY);
}

static void to_fast_recovery_of_the_first(void)
{
    open_with(true, false);
    rig_send(rig, conn, 0, 10 * MSS);
    rig_drop_out(rig);
    rig_wait(rig, RTT);
    loss_sack(rig, SEQ(0), SEQ(1), SEQ(4));
    loss_expect(rig, 0);
    assert_true(rig_info(conn).ssthresh < 10 * MSS);
}

static void rfc3708_dsacks_for_all_repetitions_undo_a_recovery(void **state)
{
    to_fast_recovery_of_the_first();
    loss_sack2(rig, SEQ(4), SEQ(0), SEQ(1), 0, 0);
    assert_int_equal(rig_info(conn).recovery, TCP_OPEN);
    assert_true(rig_info(conn).cwnd >= 10 * MSS);
    assert_true(rig_info(conn).ssthresh > 1000000);
}

static void rfc3708_the_dsack_that_comes_after_the_recovery_undoes_it_too(void **state)
{
    to_fast_recovery_of_the_first();
    loss_ack(rig, SEQ(10));
    assert_int_equal(rig_info(conn).recovery, TCP_OPEN);
    assert_true(rig_info(conn).ssthresh < 10 * MSS);
    rig_send(rig, conn, 10 * MSS, MSS);
    loss_sack(rig, SEQ(10), SEQ(0), SEQ(1));
    assert_true(rig_info(conn).ssthresh > 1000000);
    assert_true(rig_info(conn).cwnd >= 10 * MSS);
}

static void a_dsack_of_something_older_undoes_nothing(void **state)
{
    open_with(true, false);
    rig_send(rig, conn, 0, MSS);
    rig_wait(rig, RTT);
    loss_ack(rig, SEQ(1));
    rig_send(rig, conn, MSS, 10 * MSS);
    rig_drop_out(rig);
    rig_wait(rig, RTT);
    loss_sack(rig, SEQ(1), SEQ(2), SEQ(5));
    loss_expect(rig, 1);
    loss_sack2(rig, SEQ(1), SEQ(0), SEQ(1), SEQ(2), SEQ(5));
    assert_int_equal(rig_info(conn).recovery, TCP_RECOVERY);
    assert_int_equal(sl_tcp_counters(rig->tcp)->undone, 0);
}

#define TEST(name) cmocka_unit_test_teardown(name, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rfc6298_2_1_first_timeout_is_1_s_and_5_5_doubles),
        TEST(rfc6298_2_2_first_sample),
        TEST(rfc6298_2_3_following_samples),
        TEST(the_variance_counts_for_200_ms_at_least),
        TEST(rfc6298_3_karn_no_sample_of_what_was_repeated_and_5_7_backoff_stays),
        TEST(rfc6298_3_karn_a_hole_filled_is_no_sample_for_what_lay_behind_it),
        TEST(rfc7323_4_1_timestamps_tell_which_sending_was_acknowledged),
        TEST(rfc6298_5_2_nothing_in_flight_no_timer),
        TEST(rfc6298_5_3_an_ack_of_new_data_starts_the_timer_again),
        TEST(rfc6298_5_4_to_5_6_the_earliest_is_repeated_and_the_timer_doubles_up_to_its_maximum),
        TEST(rfc9293_3_8_3_the_connection_ends_after_so_many_repetitions),
        TEST(rfc6298_5_7_after_a_lost_syn_3_s),
        TEST(rfc5681_3_1_timeout_halves_once_and_goes_on_with_one_segment),
        TEST(rfc5682_2_1_step_3a_a_duplicate_says_it_was_lost),
        TEST(rfc5682_2_1_step_3b_an_ack_of_what_was_sent_once_undoes_the_timeout),
        TEST(rfc5682_2_1_step_2_what_stood_behind_the_hole_undoes_nothing),
        TEST(rfc5682_2_1_step_2a_a_duplicate_first_goes_on_as_ever),
        TEST(rfc5682_3_1_step_2_sacks_before_the_repetition_arrived_undo_nothing),
        TEST(rfc5682_3_1_step_3b_a_sack_of_what_was_sent_once_undoes_the_timeout),
        TEST(rfc5682_2_1_step_2_without_new_data_the_next_is_repeated),
        TEST(a_timeout_out_of_fast_recovery_and_another_repeat_the_first),
        TEST(rfc3522_3_2_an_echo_older_than_the_repetition_undoes_the_timeout),
        TEST(rfc4015_an_echo_of_the_repetition_undoes_nothing),
        TEST(rfc3522_3_2_an_echo_of_the_recovery_before_undoes_nothing),
        TEST(rfc3708_dsacks_for_all_repetitions_undo_a_recovery),
        TEST(rfc3708_the_dsack_that_comes_after_the_recovery_undoes_it_too),
        TEST(a_dsack_of_something_older_undoes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
