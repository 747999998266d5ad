// SPDX-License-Identifier: Apache-2.0
// HyStart++ (RFC 9406): slow start ends where the round trip grows.
#include "rig.h"

#define MSS 1000u

static struct tcp_cc cc;
static uint32_t snd_una, snd_nxt;

static int up(void **state)
{
    tcp_cc_start(&cc, tcp_cc_find("newreno"), MSS);
    snd_una = 0xffffe000; // wraps within the first round
    snd_nxt = snd_una + cc.cwnd;
    return 0;
}

// One round: everything in flight is acknowledged, `acks` of them with a round trip of rtt_us.
static void any_round_of(unsigned acks, uint32_t rtt_us, bool limited)
{
    uint32_t end = snd_nxt;

    for (unsigned i = 0; i < acks; i++) {
        struct tcp_cc_ack ack = {
            .acked = MSS, .in_flight = cc.cwnd, .rtt_us = rtt_us, .srtt_us = rtt_us, .cwnd_limited = limited};

        snd_una = i + 1 == acks ? end : snd_una + 1;
        snd_nxt += MSS;
        ack.snd_una = snd_una;
        ack.snd_nxt = snd_nxt;
        cc.ops->acked(&cc, &ack);
    }
}

static void round_of(unsigned acks, uint32_t rtt_us)
{
    any_round_of(acks, rtt_us, true);
}

static void a_steady_round_trip_lets_it_double(void **state)
{
    for (unsigned i = 0; i < 6; i++)
        round_of(cc.cwnd / MSS, 50000);
    assert_int_equal(cc.cwnd, 640 * MSS);
    assert_false(cc.hystart.in_css);
}

static void s4_2_an_eighth_more_begins_conservative_slow_start(void **state)
{
    uint32_t before;

    round_of(10, 80000);
    round_of(20, 80000);
    round_of(40, 80000 + 10000 + 1);
    round_of(8, 90001);
    assert_true(cc.hystart.in_css);
    before = cc.cwnd;
    round_of(40, 90001);
    assert_int_equal(cc.cwnd - before, 40 * MSS / 4); // CSS_GROWTH_DIVISOR
}

static void s4_2_less_than_4_ms_is_nothing(void **state)
{
    round_of(10, 10000);
    round_of(20, 10000);
    round_of(40, 13900);
    round_of(40, 13900);
    assert_false(cc.hystart.in_css);
}

static void s4_2_16_ms_is_always_enough(void **state)
{
    round_of(10, 400000);
    round_of(20, 400000);
    round_of(40, 416001);
    assert_true(cc.hystart.in_css);
}

static void s4_2_eight_samples_are_needed(void **state)
{
    round_of(10, 50000);
    round_of(20, 50000);
    round_of(6, 90000);
    assert_false(cc.hystart.in_css);
}

static void s4_2_five_rounds_of_it_end_slow_start(void **state)
{
    unsigned rounds = 0;

    round_of(10, 50000);
    round_of(20, 50000);
    round_of(40, 70000);
    assert_true(cc.hystart.in_css);
    while (cc.ssthresh == UINT32_MAX && rounds < 20) {
        round_of(20, 70000);
        rounds++;
    }
    assert_in_range(rounds, 4, 6);
    assert_true(cc.cwnd >= cc.ssthresh && cc.cwnd <= cc.ssthresh + MSS);
}

static void s4_2_a_round_trip_that_falls_again_resumes_slow_start(void **state)
{
    uint32_t before;

    round_of(10, 50000);
    round_of(20, 50000);
    round_of(40, 70000);
    assert_true(cc.hystart.in_css);
    round_of(40, 50000);
    assert_false(cc.hystart.in_css);
    before = cc.cwnd;
    round_of(40, 50000);
    assert_int_equal(cc.cwnd - before, 40 * MSS);
    assert_int_equal(cc.ssthresh, UINT32_MAX);
}

// Who has less to send than the window allows sees the queue grow like others.
static void s4_2_rounds_end_and_count_while_the_application_limits(void **state)
{
    uint32_t before;

    round_of(10, 50000);
    round_of(20, 50000);
    before = cc.cwnd;
    any_round_of(12, 70000, false);
    assert_true(cc.hystart.in_css);
    any_round_of(12, 50000, false);
    assert_false(cc.hystart.in_css);
    assert_int_equal(cc.cwnd, before);
}

static void s4_3_only_the_first_slow_start_is_watched(void **state)
{
    cc.ssthresh = 1000 * MSS; // a loss was
    round_of(10, 50000);
    round_of(20, 50000);
    round_of(40, 90000);
    round_of(40, 90000);
    assert_false(cc.hystart.in_css);
}

static void a_loss_ends_conservative_slow_start_with_the_first(void **state)
{
    uint32_t before;

    round_of(10, 80000);
    round_of(20, 80000);
    round_of(40, 91000);
    assert_true(cc.hystart.in_css);
    cc.ops->timeout(&cc, 0, cc.cwnd);
    cc.cwnd = before = MSS;
    round_of(1, 80000);
    assert_int_equal(cc.cwnd, before + MSS);
}

#define TEST(name) cmocka_unit_test_setup(name, up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_steady_round_trip_lets_it_double),
        TEST(s4_2_an_eighth_more_begins_conservative_slow_start),
        TEST(s4_2_less_than_4_ms_is_nothing),
        TEST(s4_2_16_ms_is_always_enough),
        TEST(s4_2_eight_samples_are_needed),
        TEST(s4_2_five_rounds_of_it_end_slow_start),
        TEST(s4_2_a_round_trip_that_falls_again_resumes_slow_start),
        TEST(s4_2_rounds_end_and_count_while_the_application_limits),
        TEST(s4_3_only_the_first_slow_start_is_watched),
        TEST(a_loss_ends_conservative_slow_start_with_the_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
