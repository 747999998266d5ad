// SPDX-License-Identifier: Apache-2.0
// CUBIC (RFC 9438) against its formulas in double precision.
#include <math.h>
#include "rig.h"

#define MSS   1448u
#define RTT   100000u // microseconds
#define BETA  0.7
#define C     0.4
#define START (1000 * RIG_S)

static struct tcp_cc cc;
static uint64_t now_us;

static int up(void **state)
{
    tcp_cc_start(&cc, tcp_cc_find("cubic"), MSS);
    now_us = START;
    return 0;
}

static double window(void)
{
    return (double)cc.cwnd / MSS;
}

static void acked(uint32_t bytes, bool limited)
{
    struct tcp_cc_ack ack = {.now_us = now_us,
                             .acked = bytes,
                             .in_flight = cc.cwnd,
                             .srtt_us = RTT,
                             .min_rtt_us = RTT,
                             .cwnd_limited = limited};

    cc.ops->acked(&cc, &ack);
}

// A round trip: the window is acknowledged, two segments an ACK, evenly.
static void round_trip(bool limited)
{
    uint32_t bytes = cc.cwnd, acks = bytes / (2 * MSS) + 1;
    uint64_t from_us = now_us;

    for (uint32_t i = 0; i < acks; i++) {
        now_us = from_us + (uint64_t)RTT * (i + 1) / acks;
        acked(tcp_min_u32(bytes, 2 * MSS), limited);
        bytes -= tcp_min_u32(bytes, 2 * MSS);
    }
    now_us = from_us + RTT;
}

static void lose_at(double segments)
{
    cc.cwnd = (uint32_t)(segments * MSS);
    cc.ops->congestion(&cc, now_us, cc.cwnd, false);
    cc.cwnd = cc.ssthresh;
}

static void s4_6_seven_tenths(void **state)
{
    lose_at(1000);
    assert_in_range(cc.ssthresh, (uint32_t)(699.9 * MSS), (uint32_t)(700.1 * MSS));
    cc.cwnd = 2 * MSS;
    cc.ops->congestion(&cc, now_us, cc.cwnd, false);
    assert_int_equal(cc.ssthresh, 2 * MSS);
}

static void s4_2_to_4_5_concave_then_convex_as_equation_1_says(void **state)
{
    double w_max = 1000, k = cbrt(w_max * (1 - BETA) / C);
    uint64_t begun_us;

    lose_at(w_max);
    begun_us = now_us;
    for (double t; (t = (double)(now_us - begun_us) / 1e6) < 2 * k;) {
        double target;

        round_trip(true);
        t = (double)(now_us - begun_us) / 1e6;
        target = C * pow(t - k, 3) + w_max;
        if (fabs(window() - target) > 0.02 * target)
            fail_msg("at %.2f s (K %.2f) the window is %.1f, should be %.1f", t, k, window(), target);
    }
    assert_true(window() > 1.1 * w_max);
}

static void s4_2_plateau_at_w_max_after_k(void **state)
{
    double k = cbrt(1000 * (1 - BETA) / C);

    lose_at(1000);
    while ((double)(now_us - START) / 1e6 < k)
        round_trip(true);
    assert_true(fabs(window() - 1000) < 10);
}

static void s4_3_where_reno_would_be_faster_it_is_reno(void **state)
{
    double alpha = 3 * (1 - BETA) / (1 + BETA), w_est;

    lose_at(20);
    w_est = window();
    for (unsigned i = 0; i < 11; i++) {
        round_trip(true);
        w_est += alpha;
        if (fabs(window() - w_est) > 0.8)
            fail_msg("after %u round trips %.2f, Reno would have %.2f", i + 1, window(), w_est);
    }
}

static void s4_3_back_where_it_was_reno_grows_by_one(void **state)
{
    double before;

    lose_at(10);
    while (window() < 10.2)
        round_trip(true);
    before = window();
    round_trip(true);
    round_trip(true);
    assert_true(window() - before > 1.6 && window() - before < 2.6);
}

static void s4_3_the_reno_estimate_goes_on_in_windows_of_ten_thousand_segments(void **state)
{
    double before;

    lose_at(20000);
    acked(2 * MSS, true);
    before = (double)cc.cubic.w_est;
    for (unsigned i = 0; i < 5; i++)
        round_trip(true);
    assert_true((double)cc.cubic.w_est - before > 5 * 0.45);
}

static void s4_7_fast_convergence(void **state)
{
    lose_at(1000);
    for (unsigned i = 0; i < 5; i++)
        round_trip(true);
    assert_true(window() < 1000);
    lose_at(window());
    assert_true(fabs((double)cc.cubic.w_max - window() / BETA * (1 + BETA) / 2) < 2);
}

static void s4_7_not_where_the_window_was_reached_again(void **state)
{
    lose_at(1000);
    for (unsigned i = 0; i < 120; i++)
        round_trip(true);
    assert_true(window() > 1000);
    lose_at(window());
    assert_true(fabs((double)cc.cubic.w_max - window() / BETA) < 2);
}

static void s4_4_one_ack_s_target_is_half_more_at_most(void **state)
{
    uint32_t before;

    lose_at(100);
    acked(2 * MSS, true);
    now_us += 3600 * RIG_S; // the formula would have billions
    before = cc.cwnd;
    acked(2 * MSS, true);
    assert_in_range(cc.cwnd - before, 1, MSS + 2);
}

static void s4_8_after_a_timeout_k_is_0_from_where_avoidance_begins(void **state)
{
    uint64_t begun_us;

    cc.cwnd = 100 * MSS;
    cc.ops->timeout(&cc, now_us, cc.cwnd);
    assert_in_range(cc.ssthresh, (uint32_t)(69.9 * MSS), (uint32_t)(70.1 * MSS));
    cc.cwnd = MSS;
    while (cc.cwnd < cc.ssthresh)
        round_trip(true);
    acked(2 * MSS, true);
    begun_us = now_us;
    assert_true((double)cc.cubic.k_s < 0.2);
    for (unsigned i = 0; i < 60; i++)
        round_trip(true);
    assert_true(window() > 70 + 0.9 * C * pow((double)(now_us - begun_us) / 1e6 - 0.2, 3));
}

static void s4_9_undo_restores_everything(void **state)
{
    struct tcp_cc before;

    lose_at(500);
    for (unsigned i = 0; i < 30; i++)
        round_trip(true);
    before = cc;
    cc.ops->congestion(&cc, now_us, cc.cwnd, false);
    cc.cwnd = cc.ssthresh;
    now_us += RTT;
    cc.ops->undo(&cc, now_us);
    assert_int_equal(cc.cwnd, before.cwnd);
    assert_int_equal(cc.ssthresh, before.ssthresh);
    assert_true(cc.cubic.w_max == before.cubic.w_max && cc.cubic.k_s == before.cubic.k_s);
    assert_int_equal(cc.cubic.epoch_us, before.cubic.epoch_us);
}

// In the Reno-friendly region it is the estimate that makes the window: as if nothing had been lost.
static void s4_9_after_undo_the_window_goes_on_as_if_nothing_was(void **state)
{
    for (unsigned start = 20; start <= 500; start += 240) {
        struct tcp_cc twin;
        uint64_t then_us;

        lose_at(start);
        for (unsigned i = 0; i < 12; i++)
            round_trip(true);
        twin = cc;
        cc.ops->congestion(&cc, now_us, cc.cwnd, false);
        cc.cwnd = cc.ssthresh;
        cc.ops->undo(&cc, now_us);
        then_us = now_us;
        for (unsigned i = 0; i < 40; i++)
            round_trip(true);
        now_us = then_us;
        struct tcp_cc undone = cc;
        cc = twin;
        for (unsigned i = 0; i < 40; i++)
            round_trip(true);
        assert_in_range(undone.cwnd, cc.cwnd - 2, cc.cwnd + 2);
        assert_true(fabs(undone.cubic.w_est - cc.cubic.w_est) < 0.01);
    }
}

static void s4_9_after_an_undone_timeout_too(void **state)
{
    struct tcp_cc before;

    lose_at(20);
    for (unsigned i = 0; i < 12; i++)
        round_trip(true);
    before = cc;
    cc.ops->timeout(&cc, now_us, cc.cwnd);
    cc.cwnd = MSS;
    while (cc.cwnd < cc.ssthresh)
        round_trip(true);
    round_trip(true); // another epoch, another estimate
    cc.ops->undo(&cc, now_us);
    assert_int_equal(cc.cwnd, before.cwnd);
    assert_int_equal(cc.prior_cwnd, before.prior_cwnd);
    assert_true(cc.cubic.w_est == before.cubic.w_est && cc.cubic.w_max == before.cubic.w_max);
}

static void s5_8_time_in_which_the_window_was_not_used_does_not_count(void **state)
{
    double before;

    lose_at(1000);
    for (unsigned i = 0; i < 20; i++)
        round_trip(true);
    before = window();
    for (unsigned i = 0; i < 300; i++)
        round_trip(false); // 30 s
    assert_true(window() == before);
    round_trip(true);
    assert_true(window() - before < 30); // the curve goes on where it stood, no jump
}

static void s5_8_nor_does_an_idle_time_which_counts_once(void **state)
{
    uint64_t epoch_us;

    lose_at(1000);
    round_trip(true);
    epoch_us = cc.cubic.epoch_us;
    acked(MSS, false);
    now_us += 10 * RIG_S;
    cc.ops->idle(&cc, now_us, 9 * RIG_S);
    acked(MSS, true);
    assert_int_equal(cc.cubic.epoch_us, epoch_us + 10 * RIG_S);
}

#define TEST(name) cmocka_unit_test_setup(name, up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(s4_6_seven_tenths),
        TEST(s4_2_to_4_5_concave_then_convex_as_equation_1_says),
        TEST(s4_2_plateau_at_w_max_after_k),
        TEST(s4_3_where_reno_would_be_faster_it_is_reno),
        TEST(s4_3_back_where_it_was_reno_grows_by_one),
        TEST(s4_3_the_reno_estimate_goes_on_in_windows_of_ten_thousand_segments),
        TEST(s4_7_fast_convergence),
        TEST(s4_7_not_where_the_window_was_reached_again),
        TEST(s4_4_one_ack_s_target_is_half_more_at_most),
        TEST(s4_8_after_a_timeout_k_is_0_from_where_avoidance_begins),
        TEST(s4_9_undo_restores_everything),
        TEST(s4_9_after_undo_the_window_goes_on_as_if_nothing_was),
        TEST(s4_9_after_an_undone_timeout_too),
        TEST(s5_8_time_in_which_the_window_was_not_used_does_not_count),
        TEST(s5_8_nor_does_an_idle_time_which_counts_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
