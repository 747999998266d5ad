// SPDX-License-Identifier: Apache-2.0
// BBR's model of the path and what it makes of losses, pauses and marks (draft-ietf-ccwg-bbr-06 sections 5.4 to 5.6).
// Names begin with the section, those of its appendix A with the case.
#include "bbr.h"

// ---- bandwidth --------------------------------------------------------------------------------------------------
static void s5_5_4_what_the_application_limits_lowers_nothing(void **state)
{
    to_cruise();
    for (unsigned i = 0; i < 300; i++)
        STEP(.rate = BW / 10, .app_limited = true, .after_us = 10 * RIG_MS);
    assert_int_equal(bbr.max_bw, BW);
}

static void s5_5_4_but_raises(void **state)
{
    to_cruise();
    STEP(.rate = BW * 2, .app_limited = true);
    assert_int_equal(bbr.max_bw, 2 * BW);
}

static void s5_5_6_a_rate_is_forgotten_after_two_cycles(void **state)
{
    unsigned probes = 0, before = BBR_CRUISE;

    to_cruise();
    for (unsigned i = 0; i < 600 && bbr.max_bw == BW; i++) {
        STEP(.rate = BW / 2, .in_flight = BDP / 4);
        probes += bbr.state == BBR_UP && before != BBR_UP;
        before = bbr.state;
    }
    assert_int_equal(bbr.max_bw, BW / 2);
    assert_in_range(probes, 1, 2);
}

// ---- losses while not probing -----------------------------------------------------------------------------------
static void s5_5_10_3_a_loss_while_cruising_brings_it_down_to_what_arrives(void **state)
{
    to_cruise();
    cc.cwnd = 2 * BDP;
    bbr.inflight_latest = 0;
    lose(0, MSS, BDP, false);
    STEP(.rate = BW * 8 / 10, .acked = BDP * 8 / 10);
    assert_int_equal(bbr.bw_shortterm, BW); // the round that sent at BW is the better one
    lose(0, MSS, BDP, false);
    STEP(.rate = BW * 8 / 10, .acked = BDP * 8 / 10);
    assert_int_equal(bbr.bw_shortterm, BW * 8 / 10);
    expect_pacing(BW * 8 / 10, 100);
    assert_true(cc.cwnd <= bbr.inflight_shortterm);
    assert_int_equal(bbr.max_bw, BW);
}

static void s5_5_10_3_by_three_tenths_a_round_at_most(void **state)
{
    to_cruise();
    STEP(.rate = BW / 10, .acked = MSS);
    lose(0, MSS, BDP, false);
    lose(MSS, 2 * MSS, BDP, false);
    STEP(.rate = BW / 10, .acked = MSS);
    assert_int_equal(bbr.bw_shortterm, BW * 7 / 10);
    STEP(.rate = BW / 10, .acked = MSS, .same_round = true);
    assert_int_equal(bbr.bw_shortterm, BW * 7 / 10);
}

static void s5_5_10_3_not_while_probing(void **state)
{
    to_refill();
    lose(0, MSS, BDP, false);
    STEP(.rate = BW / 2);
    assert_true(bbr.bw_shortterm == BBR_BW_INFINITE);
}

// ---- PROBE_RTT --------------------------------------------------------------------------------------------------
static void a10_after_five_seconds_without_a_lower_round_trip_it_looks_for_one(void **state)
{
    uint32_t before = 0;
    uint64_t until_us;

    to_cruise();
    until_us = bbr.probe_rtt_min_at_us + 5 * RIG_S;
    while (now_us <= until_us) {
        before = cc.cwnd;
        assert_int_not_equal(bbr.state, BBR_PROBE_RTT);
        STEP(.rtt_us = RTT + 1000);
    }
    assert_int_equal(bbr.state, BBR_PROBE_RTT);
    assert_in_range(cc.cwnd, BDP / 2 - 10 * MSS, BDP / 2 + 10 * MSS);
    STEP(.in_flight = cc.cwnd, .rtt_us = RTT + 500); // the 200 ms begin
    for (unsigned i = 0; i < 5; i++) {
        STEP(.in_flight = cc.cwnd, .rtt_us = RTT + 500);
        assert_int_equal(bbr.state, BBR_PROBE_RTT);
    }
    STEP(.in_flight = cc.cwnd, .rtt_us = RTT + 500);
    assert_int_equal(bbr.state, BBR_CRUISE);
    assert_true(cc.cwnd >= before - 10 * MSS); // and the window is back
    assert_true(bbr.min_rtt_us == RTT);        // remembered for ten seconds
}

static void s5_3_4_4_back_to_startup_where_the_pipe_was_never_full(void **state)
{
    for (unsigned i = 0; i < 400 && bbr.state == BBR_STARTUP; i++)
        STEP(.app_limited = true, .rtt_us = RTT + 1000, .acked = MSS);
    assert_int_equal(bbr.state, BBR_PROBE_RTT);
    for (unsigned i = 0; i < 20 && bbr.state == BBR_PROBE_RTT; i++)
        STEP(.app_limited = true, .in_flight = MSS, .acked = MSS);
    assert_int_equal(bbr.state, BBR_STARTUP);
}

static void s5_5_7_2_a_longer_round_trip_is_believed_after_ten_seconds(void **state)
{
    to_cruise();
    for (uint64_t end_us = now_us + 9 * RIG_S; now_us < end_us;)
        STEP(.rtt_us = 2 * RTT, .in_flight = BDP / 4, .after_us = 20 * RIG_MS);
    assert_int_equal(bbr.min_rtt_us, RTT);
    for (uint64_t end_us = now_us + 7 * RIG_S; now_us < end_us;)
        STEP(.rtt_us = 2 * RTT, .in_flight = BDP / 4, .after_us = 20 * RIG_MS);
    assert_int_equal(bbr.min_rtt_us, 2 * RTT);
}

static void s5_3_4_3_its_samples_count_as_limited(void **state)
{
    to_cruise();
    now_us += 6 * RIG_S;
    bbr.rate.limited_until = 0;
    STEP();
    assert_int_equal(bbr.state, BBR_PROBE_RTT);
    assert_int_equal(bbr.rate.limited_until, bbr.rate.delivered + BDP);
}

// ---- idle -------------------------------------------------------------------------------------------------------
static void a11_a_pause_makes_up_for_it(void **state)
{
    uint32_t before;

    to_cruise();
    before = cc.cwnd;
    now_us += 6 * RIG_S;
    cc.ops->idle(&cc, now_us, 6 * RIG_S);
    assert_true(bbr.idle_restart);
    assert_int_equal(cc.cwnd, before);
    STEP(.in_flight = MSS);
    assert_int_not_equal(bbr.state, BBR_PROBE_RTT);
    assert_false(bbr.idle_restart);
}

static void s5_4_1_a_pause_ends_at_the_known_rate(void **state)
{
    to_up();
    expect_pacing(BW, 125);
    cc.ops->idle(&cc, now_us += RIG_S, RIG_S);
    expect_pacing(BW, 100);
}

static void s5_4_1_a_pause_in_probe_rtt_ends_it(void **state)
{
    to_cruise();
    now_us += 6 * RIG_S;
    STEP();
    STEP(.in_flight = MSS);
    assert_int_equal(bbr.state, BBR_PROBE_RTT);
    cc.ops->idle(&cc, now_us += RIG_S, RIG_S);
    assert_int_equal(bbr.state, BBR_CRUISE);
    assert_true(cc.cwnd > BDP);
}

// ---- aggregation ------------------------------------------------------------------------------------------------
static void a13_acknowledgements_in_bursts_widen_the_window(void **state)
{
    to_cruise();
    for (unsigned i = 0; i < 30; i++)
        STEP();
    assert_true(bbr.extra_acked <= BDP);
    STEP(.after_us = 1000, .acked = BDP / 2); // within a millisecond what should take 20
    assert_in_range(bbr.extra_acked, BDP / 2 - 20 * MSS, BDP + BDP / 2);
    assert_true(bbr.extra_acked > 0);
}

static void s5_5_9_for_ten_rounds(void **state)
{
    to_cruise();
    memset(bbr.extra_of_round, 0, sizeof(bbr.extra_of_round));
    bbr.extra_of_round[bbr.round_count % 10] = 77 * MSS;
    for (unsigned i = 0; i < 9; i++)
        STEP(.acked = MSS);
    assert_int_equal(bbr.extra_acked, 77 * MSS);
    STEP(.acked = MSS);
    assert_true(bbr.extra_acked < 77 * MSS);
}

static void a14_four_segments_at_least(void **state)
{
    for (unsigned i = 0; i < 200; i++)
        STEP(.rate = 10000, .acked = MSS, .in_flight = MSS, .rtt_us = RTT);
    assert_true(bbr.full_bw_reached);
    assert_true(cc.cwnd >= 4 * MSS);
    assert_in_range(bbr.rate.pacing_bps, 10000 * 85 / 100, 10000 * 125 / 100);
}

// ---- recovery and undo ------------------------------------------------------------------------------------------
static void s5_6_4_4_recovery_gives_the_window_back(void **state)
{
    uint32_t before;

    to_cruise();
    before = cc.cwnd;
    lose(0, MSS, BDP, false);
    cc.ops->timeout(&cc, now_us, BDP);
    cc.cwnd = MSS; // the endpoint's
    STEP(.acked = MSS);
    assert_in_range(cc.cwnd, 4 * MSS, 5 * MSS);
    cc.ops->recovered(&cc, now_us);
    assert_int_equal(cc.cwnd, before);
    assert_int_equal(cc.ssthresh, UINT32_MAX);
}

static void s5_5_11_2_a_spurious_loss_leads_back_to_startup(void **state)
{
    startup_losses(6, BDP * 3 / 100, false);
    assert_int_equal(bbr.state, BBR_DRAIN);
    cc.ops->undo(&cc, now_us);
    cc.ops->recovered(&cc, now_us);
    assert_int_equal(bbr.state, BBR_STARTUP);
    assert_false(bbr.full_bw_reached);
    assert_int_equal(bbr.inflight_longterm, BBR_INFINITE);
}

static void s5_5_11_2_and_to_the_probe_it_broke_off(void **state)
{
    to_up();
    lose(0, BDP / 10, BDP, false);
    cc.ops->congestion(&cc, now_us, BDP, false);
    assert_int_equal(bbr.state, BBR_DOWN);
    assert_true(bbr.inflight_longterm < BBR_INFINITE);
    cc.ops->undo(&cc, now_us);
    assert_int_equal(bbr.state, BBR_REFILL);
    assert_int_equal(bbr.inflight_longterm, BBR_INFINITE);
}

static void s5_5_11_2_the_short_term_is_what_it_was(void **state)
{
    to_cruise();
    lose(0, MSS, BDP, false);
    cc.ops->congestion(&cc, now_us, BDP, false);
    for (unsigned i = 0; i < 3; i++) {
        lose(0, MSS, BDP, false);
        STEP(.rate = BW / 10, .acked = MSS);
    }
    assert_true(bbr.bw_shortterm < BW);
    cc.ops->recovered(&cc, now_us);
    cc.ops->undo(&cc, now_us); // a DSACK may tell after the end
    assert_true(bbr.bw_shortterm == BBR_BW_INFINITE && bbr.inflight_shortterm == BBR_INFINITE);
    assert_int_equal(bbr.state, BBR_CRUISE);
}

// ---- ECN --------------------------------------------------------------------------------------------------------
static void s3_7_a_mark_ends_startup(void **state)
{
    STEP(.rate = BW);
    cc.ops->congestion(&cc, now_us, BDP, true);
    STEP(.in_flight = 3 * BDP);
    assert_int_equal(bbr.state, BBR_DRAIN);
}

static void s3_7_a_mark_ends_a_probe(void **state)
{
    to_up();
    cc.ops->congestion(&cc, now_us, BDP * 12 / 10, true);
    assert_int_equal(bbr.state, BBR_DOWN);
    assert_int_equal(bbr.inflight_longterm, BDP * 12 / 10);
}

static void s3_7_a_mark_while_cruising_is_like_a_loss(void **state)
{
    to_cruise();
    STEP(.rate = BW / 2, .acked = MSS);
    cc.ops->congestion(&cc, now_us, BDP, true);
    STEP(.rate = BW / 2, .acked = MSS);
    assert_int_equal(bbr.bw_shortterm, BW * 7 / 10);
}

#define TEST(name) cmocka_unit_test_setup(name, up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(s5_5_4_what_the_application_limits_lowers_nothing),
        TEST(s5_5_4_but_raises),
        TEST(s5_5_6_a_rate_is_forgotten_after_two_cycles),
        TEST(s5_5_10_3_a_loss_while_cruising_brings_it_down_to_what_arrives),
        TEST(s5_5_10_3_by_three_tenths_a_round_at_most),
        TEST(s5_5_10_3_not_while_probing),
        TEST(a10_after_five_seconds_without_a_lower_round_trip_it_looks_for_one),
        TEST(s5_3_4_4_back_to_startup_where_the_pipe_was_never_full),
        TEST(s5_5_7_2_a_longer_round_trip_is_believed_after_ten_seconds),
        TEST(s5_3_4_3_its_samples_count_as_limited),
        TEST(a11_a_pause_makes_up_for_it),
        TEST(s5_4_1_a_pause_ends_at_the_known_rate),
        TEST(s5_4_1_a_pause_in_probe_rtt_ends_it),
        TEST(a13_acknowledgements_in_bursts_widen_the_window),
        TEST(s5_5_9_for_ten_rounds),
        TEST(a14_four_segments_at_least),
        TEST(s5_6_4_4_recovery_gives_the_window_back),
        TEST(s5_5_11_2_a_spurious_loss_leads_back_to_startup),
        TEST(s5_5_11_2_and_to_the_probe_it_broke_off),
        TEST(s5_5_11_2_the_short_term_is_what_it_was),
        TEST(s3_7_a_mark_ends_startup),
        TEST(s3_7_a_mark_ends_a_probe),
        TEST(s3_7_a_mark_while_cruising_is_like_a_loss),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
