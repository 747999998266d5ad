// SPDX-License-Identifier: Apache-2.0
// Loss detection by time (RFC 8985 sections 5 and 6).
#include "loss.h"

static struct rig *rig;
static struct sl_tcp_conn *conn;

static void open_with(bool timestamps)
{
    struct sl_tcp_options options = loss_options();

    rig = rig_new();
    conn = loss_open(rig, &options, loss_syn(true, timestamps));
}

static int down(void **state)
{
    if (rig)
        rig_free(rig);
    rig = NULL;
    return 0;
}

static void flight(uint32_t from, uint32_t n) // and a round trip passes
{
    rig_send(rig, conn, from * MSS, n * MSS);
    rig_drop_out(rig);
    rig_wait(rig, RTT);
}

static void s6_2_step_5_what_was_sent_before_something_delivered_waits_a_quarter_round_trip(void **state)
{
    open_with(false);
    flight(0, 5);
    loss_sack(rig, SEQ(0), SEQ(1), SEQ(2)); // one SACKed: it may be reordering
    rig_expect_none(rig);
    assert_in_range(rig_wait_out(rig, RIG_S), RTT / 4, RTT / 4 + 5 * RIG_MS);
    loss_expect(rig, 0);
    assert_int_equal(rig_info(conn).recovery, TCP_RECOVERY);
}

// The RFC's timer is for the last of them and finds them all; ours is for the next. None goes before its own time.
static void s6_2_step_5_each_of_those_that_wait_has_its_own_time(void **state)
{
    open_with(false);
    for (uint32_t i = 0; i < 3; i++) {
        rig_send(rig, conn, i * MSS, MSS);
        rig_wait(rig, 10 * RIG_MS);
    }
    rig_drop_out(rig);
    rig_wait(rig, RTT - 10 * RIG_MS);       // 120, 110 and 100 ms ago
    loss_sack(rig, SEQ(0), SEQ(2), SEQ(3)); // round trip 100 ms, a quarter more to wait
    assert_in_range(rig_wait_out(rig, RIG_S), 4 * RIG_MS, 6 * RIG_MS);
    loss_expect(rig, 0);
    rig_wait(rig, 8 * RIG_MS);
    assert_int_equal(rig_info(conn).lost_segments, 1);
    rig_wait(rig, 3 * RIG_MS);
    assert_int_equal(rig_info(conn).lost_segments, 2);
    rig_expect_none(rig); // PRR lets one go, until something more arrives
    loss_sack(rig, SEQ(1), SEQ(2), SEQ(3));
    loss_expect(rig, 1);
}

static void s6_2_step_4_three_segments_sacked_are_enough_where_nothing_was_ever_reordered(void **state)
{
    open_with(false);
    flight(0, 5);
    loss_sack(rig, SEQ(0), SEQ(1), SEQ(4));
    loss_expect(rig, 0);
}

static void s6_2_step_4_segments_are_counted_not_bytes(void **state)
{
    struct sl_tcp_options options = loss_options();

    options.no_delay = true;
    rig = rig_new();
    conn = loss_open(rig, &options, loss_syn(true, false));
    for (uint32_t i = 0; i < 4; i++)
        rig_send(rig, conn, i * 100, 100);
    rig_drop_out(rig);
    rig_wait(rig, RTT);
    loss_sack(rig, 1, 101, 401);
    assert_int_equal(rig_take(rig)->seq, 1);
}

static void see_reordering(void) // leaves segment 0 to 3 acknowledged
{
    flight(0, 4);
    loss_sack(rig, SEQ(0), SEQ(2), SEQ(3));
    loss_sack(rig, SEQ(0), SEQ(1), SEQ(3)); // 1 after 2: sent once, below what had arrived
    assert_true(inside(conn)->flags & TCP_REORDER_SEEN);
    loss_ack(rig, SEQ(4));
    rig_drop_out(rig);
}

static void s6_2_step_4_once_reordering_was_seen_three_are_not_enough(void **state)
{
    open_with(false);
    see_reordering();
    flight(4, 6);
    loss_sack(rig, SEQ(4), SEQ(5), SEQ(9));
    rig_expect_none(rig);
    assert_true(rig_wait_out(rig, RIG_S) >= RTT / 4);
    loss_expect(rig, 4);
}

static void s6_2_reordered_within_the_window_nothing_is_sent_again(void **state)
{
    open_with(false);
    see_reordering();
    flight(4, 6);
    loss_sack(rig, SEQ(4), SEQ(5), SEQ(10));
    rig_wait(rig, RTT / 8);
    loss_ack(rig, SEQ(10));
    rig_wait(rig, 10 * RIG_S);
    rig_expect_none(rig);
    assert_int_equal(rig_info(conn).recovery, TCP_OPEN);
}

static void lose_one(uint32_t n, bool dsack) // segment n, of a flight of six; all acknowledged at the end
{
    ((struct tcp_conn *)conn)->cc.cwnd = 20 * MSS;
    flight(n, 6);
    loss_sack(rig, SEQ(n), SEQ(n + 1), SEQ(n + 6));
    rig_wait_out(rig, RTT);
    loss_expect(rig, n);
    rig_wait(rig, RTT);
    loss_ack(rig, SEQ(n + 6));
    rig_send(rig, conn, (n + 6) * MSS, MSS);
    rig_wait(rig, RTT);
    if (dsack)
        loss_sack(rig, SEQ(n + 7), SEQ(n), SEQ(n + 1));
    else
        loss_ack(rig, SEQ(n + 7));
    rig_drop_out(rig);
}

static void s6_2_step_4_a_dsack_widens_the_window_for_16_recoveries(void **state)
{
    open_with(false);
    assert_int_equal(inside(conn)->rack_steps, 1);
    lose_one(0, true);
    assert_int_equal(inside(conn)->rack_steps, 2);
    for (uint32_t i = 1; i <= 16; i++) {
        assert_int_equal(inside(conn)->rack_steps, 2);
        lose_one(i * 7, false);
    }
    assert_int_equal(inside(conn)->rack_steps, 1);
}

static void a_recovery_that_was_for_nothing_is_a_sign_of_reordering(void **state)
{
    open_with(false);
    lose_one(0, true);
    assert_true(inside(conn)->flags & TCP_REORDER_SEEN);
    flight(7, 6);
    loss_sack(rig, SEQ(7), SEQ(8), SEQ(13));
    rig_expect_none(rig); // three are not enough any more
}

static void s6_2_step_4_dsacks_widen_once_a_round_trip(void **state)
{
    open_with(false);
    lose_one(0, true);
    flight(7, 2);
    loss_sack(rig, SEQ(7), SEQ(0), SEQ(1));
    assert_int_equal(inside(conn)->rack_steps, 3);
    loss_sack(rig, SEQ(7), SEQ(1), SEQ(2));
    assert_int_equal(inside(conn)->rack_steps, 3);
    loss_sack(rig, SEQ(9), SEQ(2), SEQ(3));
    assert_int_equal(inside(conn)->rack_steps, 4);
}

static void s6_2_step_4_the_window_is_never_more_than_a_round_trip(void **state)
{
    open_with(false);
    see_reordering();
    ((struct tcp_conn *)conn)->rack_steps = 200;
    flight(4, 6);
    loss_sack(rig, SEQ(4), SEQ(5), SEQ(10));
    assert_in_range(rig_wait_out(rig, 10 * RIG_S), RTT - 5 * RIG_MS, RTT + 5 * RIG_MS);
    loss_expect(rig, 4);
}

static void s5_a_repetition_that_is_lost_is_found_by_what_was_sent_after_it(void **state)
{
    open_with(false);
    rig_send(rig, conn, 0, 20 * MSS);
    rig_drop_out(rig);
    rig_wait(rig, RTT);
    loss_sack(rig, SEQ(0), SEQ(1), SEQ(6));
    loss_expect(rig, 0);
    rig_wait(rig, RIG_MS);
    loss_sack(rig, SEQ(0), SEQ(1), SEQ(10)); // lets new data out, behind the repetition
    assert_true(rig_info(conn).snd_nxt - inside(conn)->iss > SEQ(10));
    rig_drop_out(rig);
    rig_wait(rig, RTT);
    loss_sack(rig, SEQ(0), SEQ(1), SEQ(11));
    loss_expect(rig, 0);
}

static void s6_2_step_2_an_ack_sooner_than_any_round_trip_is_of_the_first_sending(void **state)
{
    uint64_t before;

    open_with(false);
    flight(0, 5);
    loss_sack(rig, SEQ(0), SEQ(1), SEQ(4));
    loss_expect(rig, 0);
    before = inside(conn)->rack_sent_us;
    rig_wait(rig, RTT / 2);
    loss_ack(rig, SEQ(1));
    assert_int_equal(inside(conn)->rack_sent_us, before);
}

static void s6_2_step_2_so_says_an_older_timestamp(void **state)
{
    uint64_t before;
    uint32_t old;

    open_with(true);
    rig_send(rig, conn, 0, 5 * 1448);
    old = rig->tsecr;
    rig_wait(rig, RTT);
    rig_drop_out(rig);
    loss_sack(rig, 1, 1449, 1 + 4 * 1448);
    assert_int_equal(rig_take(rig)->seq, 1);
    before = inside(conn)->rack_sent_us;
    rig_wait(rig, RTT + 20 * RIG_MS);
    rig->tsecr = old;
    loss_sack(rig, 1, 1, 1449); // as a DSACK could not: the first, SACKed
    assert_int_equal(inside(conn)->rack_sent_us, before);
}

#define TS(n) (1 + 1448 * (n)) // of the n-th full segment, with timestamps

// Segment 10 is found lost and repeated while 0 is being repaired, so the next recovery begins with its repetition on its way.
static void rfc3522_what_the_recovery_before_repeated_undoes_none(void **state)
{
    uint32_t echo;

    open_with(true);
    rig_send(rig, conn, 0, 10 * 1448);
    rig_wait(rig, RTT);
    loss_sack(rig, TS(0), TS(1), TS(10));
    rig_send(rig, conn, 10 * 1448, 4 * 1448);
    rig_wait(rig, RTT / 2);
    loss_sack2(rig, TS(0), TS(11), TS(12), TS(1), TS(10));
    assert_int_equal(inside(conn)->retrans, 2 * 1448); // 0 and 10
    echo = rig->tsecr;
    rig_wait(rig, 20 * RIG_MS);
    loss_sack(rig, TS(10), TS(11), TS(12)); // 0 is repaired: this recovery ends, 10's begins
    rig_wait(rig, 20 * RIG_MS);
    loss_sack2(rig, TS(10), TS(13), TS(14), TS(11), TS(12));
    assert_int_equal(inside(conn)->retrans, 2 * 1448); // 10 and 12
    rig->tsecr = echo;
    loss_sack(rig, TS(12), TS(13), TS(14));
    assert_int_equal(sl_tcp_counters(rig->tcp)->undone, 0);
    assert_int_equal(rig_info(conn).recovery, TCP_RECOVERY);
}

static void s6_3_a_timeout_spares_what_was_sent_within_a_round_trip(void **state)
{
    open_with(false);
    flight(0, 1);
    loss_ack(rig, SEQ(1));
    flight(1, 3);
    rig_wait(rig, 350 * RIG_MS); // the probe went out meanwhile
    rig_send(rig, conn, 4 * MSS, 3 * MSS);
    rig_drop_out(rig);
    rig_wait_out(rig, RIG_S);
    assert_int_equal(rig_info(conn).recovery, TCP_LOSS);
    assert_int_equal(inside(conn)->lost, 3 * MSS);
    loss_expect(rig, 1);
    rig_expect_none(rig);
}

static void the_reordering_timer_never_waits_longer_than_a_timeout(void **state)
{
    open_with(false);
    rig_send(rig, conn, 0, 3 * MSS);
    rig_drop_out(rig);
    rig_wait(rig, 250 * RIG_MS); // a blackout, and the probe
    rig_drop_out(rig);
    ((struct tcp_conn *)conn)->rack_rtt_us = 60 * RIG_S;
    ((struct tcp_conn *)conn)->min_rtt_us = 60 * RIG_S;
    loss_sack(rig, SEQ(0), SEQ(1), SEQ(2));
    assert_in_range(rig_wait_out(rig, 60 * RIG_S), 0, 2 * RIG_S);
}

// An undoing leaves by a door of its own, and what is corked then has no timer but the persist timer.
static void an_undoing_that_leaves_nothing_in_flight_stops_the_reordering_timer(void **state)
{
    struct sl_tcp_options options = loss_options();

    open_with(false);
    options.cork = true;
    sl_tcp_options_set(conn, &options, rig->now_us);
    rig_send(rig, conn, 0, 10 * MSS);
    rig_wait(rig, RTT);
    loss_sack(rig, SEQ(0), SEQ(1), SEQ(10)); // the first is sent again, and two behind it
    rig_send(rig, conn, 10 * MSS, 2 * MSS + 10);
    rig_wait(rig, RTT);
    loss_ack(rig, SEQ(10));
    loss_sack(rig, SEQ(10), SEQ(11), SEQ(12));
    assert_int_equal(inside(conn)->rtx, TCP_RTX_REORDER);
    loss_sack(rig, SEQ(12), SEQ(0), SEQ(1)); // it was for nothing
    assert_int_equal(sl_tcp_counters(rig->tcp)->undone, 1);
    assert_int_equal(inside(conn)->rtx, TCP_RTX_PERSIST);
}

#define TEST(name) cmocka_unit_test_teardown(name, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(s6_2_step_5_what_was_sent_before_something_delivered_waits_a_quarter_round_trip),
        TEST(s6_2_step_5_each_of_those_that_wait_has_its_own_time),
        TEST(s6_2_step_4_three_segments_sacked_are_enough_where_nothing_was_ever_reordered),
        TEST(s6_2_step_4_segments_are_counted_not_bytes),
        TEST(s6_2_step_4_once_reordering_was_seen_three_are_not_enough),
        TEST(s6_2_reordered_within_the_window_nothing_is_sent_again),
        TEST(s6_2_step_4_a_dsack_widens_the_window_for_16_recoveries),
        TEST(a_recovery_that_was_for_nothing_is_a_sign_of_reordering),
        TEST(s6_2_step_4_dsacks_widen_once_a_round_trip),
        TEST(s6_2_step_4_the_window_is_never_more_than_a_round_trip),
        TEST(s5_a_repetition_that_is_lost_is_found_by_what_was_sent_after_it),
        TEST(s6_2_step_2_an_ack_sooner_than_any_round_trip_is_of_the_first_sending),
        TEST(s6_2_step_2_so_says_an_older_timestamp),
        TEST(rfc3522_what_the_recovery_before_repeated_undoes_none),
        TEST(s6_3_a_timeout_spares_what_was_sent_within_a_round_trip),
        TEST(the_reordering_timer_never_waits_longer_than_a_timeout),
        TEST(an_undoing_that_leaves_nothing_in_flight_stops_the_reordering_timer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
