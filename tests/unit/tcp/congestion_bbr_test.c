// SPDX-License-Identifier: Apache-2.0
// The states of BBR (draft-ietf-ccwg-bbr-06 section 5.3). Names begin with the section, those of its appendix A with the
// case.
#include "bbr.h"

// ---- STARTUP ----------------------------------------------------------------------------------------------------
static void s5_6_2_the_first_rate_is_that_of_the_initial_window(void **state)
{
    assert_in_range(bbr.rate.pacing_bps, 692000, 693000); // 2.77 of 10 segments in 40 ms
}

static void s5_6_2_without_a_round_trip_of_a_millisecond_until_there_is_one(void **state)
{
    tcp_cc_start(&cc, tcp_cc_find("bbr"), MSS);
    cc.ops->begin(&cc, now_us, 0);
    assert_int_equal(bbr.rate.pacing_bps, 27700000);
    STEP(.rate = 1000, .acked = MSS);
    assert_in_range(bbr.rate.pacing_bps, 692000, 693000);
}

static void s5_3_1_1_startup_doubles(void **state)
{
    assert_int_equal(bbr.state, BBR_STARTUP);
    STEP(.rate = 500000, .acked = 10 * MSS);
    expect_pacing(500000, 277);
    assert_int_equal(cc.cwnd, 20 * MSS);
    STEP(.rate = 1000000, .acked = 20 * MSS);
    expect_pacing(1000000, 277);
    assert_int_equal(cc.cwnd, 40 * MSS);
    assert_int_equal(bbr.state, BBR_STARTUP);
}

static void s5_6_4_6_the_window_ends_at_two_bdp(void **state)
{
    for (unsigned i = 0; i < 3; i++)
        STEP();
    assert_in_range(cc.cwnd, 2 * BDP, 3 * BDP + 10 * MSS); // grows until it is above, by what is acknowledged
    STEP();
    assert_in_range(cc.cwnd, 2 * BDP, 2 * BDP + bbr.extra_acked);
}

static void a1_three_rounds_without_a_quarter_more_end_startup(void **state)
{
    STEP(.rate = BW / 2);
    STEP(.rate = BW);
    STEP(.rate = BW * 124 / 100, .in_flight = 2 * BDP);
    STEP(.rate = BW, .in_flight = 2 * BDP);
    assert_int_equal(bbr.state, BBR_STARTUP);
    STEP(.rate = BW, .in_flight = 2 * BDP);
    assert_true(bbr.full_bw_reached && bbr.full_bw_now);
    assert_int_equal(bbr.state, BBR_DRAIN);
}

static void s5_3_1_2_growth_by_a_quarter_counts_anew(void **state)
{
    STEP(.rate = BW / 2);
    STEP(.rate = BW / 2);
    STEP(.rate = BW / 2);
    STEP(.rate = BW * 125 / 200);
    for (unsigned i = 0; i < 2; i++)
        STEP(.rate = BW / 2);
    assert_int_equal(bbr.state, BBR_STARTUP);
}

static void s5_3_1_2_rounds_count_not_acknowledgements(void **state)
{
    STEP();
    for (unsigned i = 0; i < 20; i++)
        STEP(.same_round = true, .acked = MSS, .after_us = 1000);
    assert_int_equal(bbr.state, BBR_STARTUP);
    assert_int_equal(bbr.round_count, 1);
}

static void a7_who_has_little_to_send_never_leaves_startup(void **state)
{
    STEP(.rate = BW / 10);
    for (unsigned i = 0; i < 50; i++)
        STEP(.rate = BW / 10, .app_limited = true);
    assert_int_equal(bbr.state, BBR_STARTUP);
}

static void s5_3_1_3_a_round_of_heavy_loss_ends_startup(void **state)
{
    startup_losses(6, BDP * 3 / 100, false);
    assert_int_equal(bbr.state, BBR_DRAIN);
    assert_true(bbr.full_bw_reached);
    assert_in_range(bbr.inflight_longterm, BDP, 2 * BDP);
}

static void a2_though_the_application_is_what_limits(void **state)
{
    startup_losses(6, BDP * 3 / 100, true);
    assert_int_equal(bbr.state, BBR_DRAIN);
    assert_true(bbr.full_bw_now && bbr.full_bw_reached);
}

static void s5_3_1_3_not_in_one_burst(void **state)
{
    startup_losses(4, BDP * 3 / 100, false); // and the first
    assert_int_equal(bbr.state, BBR_STARTUP);
}

static void s5_3_1_3_not_two_percent(void **state)
{
    startup_losses(6, BDP * 2 / 100, false);
    assert_int_equal(bbr.state, BBR_STARTUP);
}

static void s5_3_1_3_not_before_a_round_trip_in_recovery(void **state)
{
    STEP(.rate = BW / 2);
    for (unsigned i = 0; i < 8; i++)
        lose(10 * MSS * (i + 1), BDP / 10, BDP, false);
    cc.ops->congestion(&cc, now_us, BDP, false);
    bbr.recovery_delivered = bbr.rate.delivered + 1;
    STEP(.rate = BW, .lost = BDP / 10);
    assert_int_equal(bbr.state, BBR_STARTUP);
}

static void s5_3_1_3_without_sack_one_loss_is_enough(void **state)
{
    STEP(.rate = BW / 2);
    lose(0, MSS, BDP, false);
    cc.ops->congestion(&cc, now_us, BDP, false);
    STEP(.no_sack = true, .in_flight = 3 * BDP);
    assert_int_equal(bbr.state, BBR_DRAIN);
}

// ---- DRAIN ------------------------------------------------------------------------------------------------------
static void a3_drain_lasts_until_the_queue_is_gone(void **state)
{
    to_drain();
    expect_pacing(BW, 50);
    STEP(.same_round = true, .acked = MSS, .in_flight = BDP + 1, .after_us = 1000);
    assert_int_equal(bbr.state, BBR_DRAIN);
    STEP(.same_round = true, .acked = MSS, .in_flight = BDP, .after_us = 1000);
    assert_int_equal(bbr.state, BBR_CRUISE); // through DOWN, which has nothing left to drain
}

static void a4_or_three_rounds_if_it_does_not_go(void **state)
{
    to_drain();
    for (unsigned i = 0; i < 3; i++)
        STEP(.in_flight = 2 * BDP);
    assert_int_equal(bbr.state, BBR_DRAIN);
    STEP(.in_flight = 2 * BDP);
    assert_int_equal(bbr.state, BBR_DOWN);
}

// ---- PROBE_BW ---------------------------------------------------------------------------------------------------
static void a8_down_lasts_until_no_more_than_the_bdp_is_in_flight(void **state)
{
    to_down();
    expect_pacing(BW, 90);
    STEP(.in_flight = BDP * 11 / 10);
    assert_int_equal(bbr.state, BBR_DOWN);
    STEP(.in_flight = BDP);
    assert_int_equal(bbr.state, BBR_CRUISE);
    expect_pacing(BW, 100);
}

static void s5_3_3_1_and_there_is_headroom(void **state)
{
    to_down();
    bbr.inflight_longterm = BDP;
    STEP(.in_flight = BDP * 86 / 100);
    assert_int_equal(bbr.state, BBR_DOWN);
    STEP(.in_flight = BDP * 85 / 100);
    assert_int_equal(bbr.state, BBR_CRUISE);
    assert_int_equal(cc.cwnd, BDP * 85 / 100);
}

static void a9_a_down_that_does_not_end_is_followed_by_the_next_probe(void **state)
{
    to_down();
    STEP(.in_flight = 2 * BDP, .after_us = 1900 * RIG_MS);
    assert_int_equal(bbr.state, BBR_DOWN);
    STEP(.in_flight = 2 * BDP, .after_us = 1100 * RIG_MS);
    assert_int_equal(bbr.state, BBR_REFILL);
}

static void s5_3_3_8_the_next_probe_comes_after_two_to_three_seconds(void **state)
{
    uint32_t least = UINT32_MAX, most = 0;

    for (uint32_t seed = 1; seed < 60; seed++) {
        up(NULL);
        bbr.rate.random = seed * 7919;
        to_down();
        least = bbr.bw_probe_wait_us < least ? bbr.bw_probe_wait_us : least;
        most = bbr.bw_probe_wait_us > most ? bbr.bw_probe_wait_us : most;
    }
    assert_in_range(least, 2 * RIG_S, 2200 * RIG_MS);
    assert_in_range(most, 2800 * RIG_MS, 3 * RIG_S);
}

static void s5_3_3_8_or_after_63_rounds(void **state)
{
    unsigned rounds = 0;

    to_cruise();
    while (bbr.state == BBR_CRUISE && ++rounds)
        STEP(.after_us = 1000);
    assert_in_range(rounds, 61, 63);
    assert_int_equal(bbr.state, BBR_REFILL);
}

static void s5_3_3_8_or_as_many_as_the_bdp_has_segments(void **state)
{
    unsigned rounds = 0;

    to_cruise();
    bbr.max_bw_filter[0] = bbr.max_bw_filter[1] = bbr.max_bw = bbr.bw = BW / 20; // 20 segments
    while (bbr.state == BBR_CRUISE && ++rounds)
        STEP(.after_us = 1000, .rate = BW / 20, .acked = BDP / 20);
    assert_in_range(rounds, 17, 20);
}

static void s5_3_3_3_refill_forgets_the_short_term_and_lasts_a_round(void **state)
{
    to_cruise();
    for (unsigned i = 0; i < 2; i++) {
        lose(0, MSS, BDP, false);
        STEP(.rate = BW / 2);
    }
    assert_true(bbr.bw_shortterm < BW);
    STEP(.after_us = 3 * RIG_S);
    assert_int_equal(bbr.state, BBR_REFILL);
    assert_true(bbr.bw_shortterm == BBR_BW_INFINITE && bbr.inflight_shortterm == BBR_INFINITE);
    expect_pacing(BW, 100);
    STEP(.same_round = true, .acked = MSS);
    assert_int_equal(bbr.state, BBR_REFILL);
    STEP();
    assert_int_equal(bbr.state, BBR_UP);
}

static void s5_3_3_5_up_sends_a_quarter_more(void **state)
{
    to_up();
    expect_pacing(BW, 125);
    bbr.extra_acked = 0;
    for (unsigned i = 0; i < 3; i++)
        STEP(.rate = BW, .same_round = true, .after_us = RTT);
    assert_in_range(cc.cwnd, BDP * 225 / 100 + 2 * MSS, BDP * 225 / 100 + 2 * MSS + bbr.extra_acked);
}

static void a5_up_ends_where_three_rounds_bring_no_more(void **state)
{
    to_up();
    for (unsigned i = 0; i < 2; i++)
        STEP(.rate = BW * 11 / 10);
    assert_int_equal(bbr.state, BBR_UP);
    STEP(.rate = BW * 11 / 10);
    assert_int_equal(bbr.state, BBR_DOWN);
    assert_int_equal(bbr.max_bw, BW * 11 / 10);
    assert_false(bbr.prev_probe_too_high);
}

static void a7_who_has_little_to_send_never_leaves_up(void **state)
{
    to_up();
    for (unsigned i = 0; i < 50; i++)
        STEP(.rate = BW / 10, .app_limited = true);
    assert_int_equal(bbr.state, BBR_UP);
}

static void s5_5_10_2_too_much_loss_ends_up_and_is_remembered(void **state)
{
    to_up();
    lose(0, 3 * BDP / 100, BDP * 12 / 10, false); // 2.5 %
    assert_int_equal(bbr.state, BBR_DOWN);
    assert_true(bbr.prev_probe_too_high);
    // 2 % were lost of so much and no more: (0.02 b - l) / 0.98 of the last segment belong to it
    assert_in_range(bbr.inflight_longterm, BDP * 12 / 10 - 4 * MSS, BDP * 12 / 10);
    STEP();
    assert_true(cc.cwnd <= bbr.inflight_longterm);
}

static void s5_5_10_2_two_percent_is_not_too_much(void **state)
{
    to_up();
    lose(0, 2 * BDP / 100, BDP, false);
    assert_int_equal(bbr.state, BBR_UP);
    assert_int_equal(bbr.inflight_longterm, BBR_INFINITE);
}

static void s5_5_10_2_never_below_seven_tenths_of_what_was_aimed_at(void **state)
{
    to_up();
    lose(0, BDP / 20, BDP / 10, false);
    assert_int_equal(bbr.inflight_longterm, BDP * 7 / 10);
}

static void s5_5_10_2_once_a_probe(void **state)
{
    to_up();
    lose(0, BDP / 10, BDP, false);
    bbr.inflight_longterm = BDP;
    lose(MSS, BDP / 10, BDP, false);
    assert_int_equal(bbr.inflight_longterm, BDP);
}

static void a6_loss_ends_up_where_the_application_limits_too_but_bounds_nothing(void **state)
{
    to_up();
    lose(0, BDP / 10, BDP, true);
    assert_int_equal(bbr.state, BBR_DOWN);
    assert_int_equal(bbr.inflight_longterm, BBR_INFINITE);
}

static void s5_3_3_5_the_long_term_bound_grows_by_1_2_4_segments_a_round(void **state)
{
    uint32_t grown[4], before;

    to_refill();
    bbr.inflight_longterm = cc.cwnd = BDP;
    STEP(.acked = MSS, .window_full = true);
    assert_int_equal(bbr.state, BBR_UP);
    for (unsigned i = 0; i < 4; i++) {
        before = bbr.inflight_longterm;
        STEP(.same_round = true, .acked = cc.cwnd, .window_full = true, .rate = BW * 2, .sent_in_flight = 1);
        grown[i] = (bbr.inflight_longterm - before) / MSS;
        STEP(.acked = 1, .window_full = true, .rate = BW * 2, .sent_in_flight = 1);
    }
    assert_in_range(grown[0], 1, 1);
    assert_in_range(grown[1], 2, 2);
    assert_in_range(grown[2], 4, 4);
    assert_in_range(grown[3], 8, 8);
}

static void s5_3_3_7_a_bound_that_holds_it_is_no_plateau(void **state)
{
    to_refill();
    bbr.inflight_longterm = cc.cwnd = BDP;
    STEP(.acked = MSS, .window_full = true);
    for (unsigned i = 0; i < 10; i++)
        STEP(.acked = 1, .window_full = true, .sent_in_flight = 1);
    assert_int_equal(bbr.state, BBR_UP);
}

static void s5_3_3_6_after_a_probe_too_high_the_next_is_a_cautious_one(void **state)
{
    to_up();
    lose(0, BDP / 10, BDP * 12 / 10, false);
    STEP(.in_flight = BDP / 2, .rtt_us = RTT - 1); // puts off PROBE_RTT
    STEP(.in_flight = BDP / 2);
    STEP(.in_flight = BDP / 2, .after_us = 3 * RIG_S);
    STEP(.in_flight = BDP);
    assert_int_equal(bbr.state, BBR_UP);
    STEP(.same_round = true, .acked = MSS, .in_flight = bbr.inflight_longterm, .sent_in_flight = BDP);
    assert_int_equal(bbr.state, BBR_DOWN);
    assert_true(bbr.prev_probe_precautionary && !bbr.prev_probe_too_high);
    STEP(.in_flight = BDP, .sent_in_flight = BDP);
    assert_int_equal(bbr.state, BBR_REFILL); // at once, for it did no harm
    STEP();
    assert_int_equal(bbr.state, BBR_UP);
    STEP(.same_round = true, .acked = MSS, .in_flight = bbr.inflight_longterm, .sent_in_flight = BDP);
    assert_int_equal(bbr.state, BBR_UP);
}

#define TEST(name) cmocka_unit_test_setup(name, up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(s5_6_2_the_first_rate_is_that_of_the_initial_window),
        TEST(s5_6_2_without_a_round_trip_of_a_millisecond_until_there_is_one),
        TEST(s5_3_1_1_startup_doubles),
        TEST(s5_6_4_6_the_window_ends_at_two_bdp),
        TEST(a1_three_rounds_without_a_quarter_more_end_startup),
        TEST(s5_3_1_2_growth_by_a_quarter_counts_anew),
        TEST(s5_3_1_2_rounds_count_not_acknowledgements),
        TEST(a7_who_has_little_to_send_never_leaves_startup),
        TEST(s5_3_1_3_a_round_of_heavy_loss_ends_startup),
        TEST(a2_though_the_application_is_what_limits),
        TEST(s5_3_1_3_not_in_one_burst),
        TEST(s5_3_1_3_not_two_percent),
        TEST(s5_3_1_3_not_before_a_round_trip_in_recovery),
        TEST(s5_3_1_3_without_sack_one_loss_is_enough),
        TEST(a3_drain_lasts_until_the_queue_is_gone),
        TEST(a4_or_three_rounds_if_it_does_not_go),
        TEST(a8_down_lasts_until_no_more_than_the_bdp_is_in_flight),
        TEST(s5_3_3_1_and_there_is_headroom),
        TEST(a9_a_down_that_does_not_end_is_followed_by_the_next_probe),
        TEST(s5_3_3_8_the_next_probe_comes_after_two_to_three_seconds),
        TEST(s5_3_3_8_or_after_63_rounds),
        TEST(s5_3_3_8_or_as_many_as_the_bdp_has_segments),
        TEST(s5_3_3_3_refill_forgets_the_short_term_and_lasts_a_round),
        TEST(s5_3_3_5_up_sends_a_quarter_more),
        TEST(a5_up_ends_where_three_rounds_bring_no_more),
        TEST(a7_who_has_little_to_send_never_leaves_up),
        TEST(s5_5_10_2_too_much_loss_ends_up_and_is_remembered),
        TEST(s5_5_10_2_two_percent_is_not_too_much),
        TEST(s5_5_10_2_never_below_seven_tenths_of_what_was_aimed_at),
        TEST(s5_5_10_2_once_a_probe),
        TEST(a6_loss_ends_up_where_the_application_limits_too_but_bounds_nothing),
        TEST(s5_3_3_5_the_long_term_bound_grows_by_1_2_4_segments_a_round),
        TEST(s5_3_3_7_a_bound_that_holds_it_is_no_plateau),
        TEST(s5_3_3_6_after_a_probe_too_high_the_next_is_a_cautious_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
