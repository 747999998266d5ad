// SPDX-License-Identifier: Apache-2.0
// RFC 5681's congestion window, on its own.
#include "rig.h"

#define MSS 1000u

static struct tcp_cc cc;

static int up(void **state)
{
    tcp_cc_start(&cc, tcp_cc_find("newreno"), MSS);
    return 0;
}

static void acked(uint32_t bytes, bool limited)
{
    struct tcp_cc_ack ack = {
        .acked = bytes, .in_flight = cc.cwnd, .srtt_us = 100000, .cwnd_limited = limited};

    cc.ops->acked(&cc, &ack);
}

static void rfc5681_3_1_slow_start_grows_by_what_is_acknowledged(void **state)
{
    assert_int_equal(cc.cwnd, 10 * MSS);
    for (unsigned i = 0; i < 5; i++)
        acked(2 * MSS, true);
    assert_int_equal(cc.cwnd, 20 * MSS);
    acked(100, true); // bytes, not acknowledgements: ACK division brings nothing
    assert_int_equal(cc.cwnd, 20 * MSS + 100);
}

static void rfc3465_one_ack_grows_it_by_so_much_at_most(void **state)
{
    acked(100 * MSS, true);
    assert_int_equal(cc.cwnd, 18 * MSS);
}

static void rfc5681_3_1_equation_3_one_segment_a_window(void **state)
{
    cc.ssthresh = cc.cwnd;
    for (unsigned i = 0; i < 9; i++)
        acked(MSS, true);
    assert_int_equal(cc.cwnd, 10 * MSS);
    acked(MSS, true);
    assert_int_equal(cc.cwnd, 11 * MSS);
    for (unsigned i = 0; i < 11; i++)
        acked(MSS, true);
    assert_int_equal(cc.cwnd, 12 * MSS);
}

static void slow_start_ends_at_ssthresh_and_the_rest_counts_for_avoidance(void **state)
{
    cc.ssthresh = cc.cwnd + MSS;
    acked(3 * MSS, true);
    assert_int_equal(cc.cwnd, 11 * MSS);
    assert_int_equal(cc.acked_bytes, 2 * MSS);
}

static void rfc5681_3_1_equation_4_half_of_the_flight_two_segments_at_least(void **state)
{
    cc.ops->congestion(&cc, 0, 8 * MSS, false);
    assert_int_equal(cc.ssthresh, 4 * MSS);
    assert_int_equal(cc.cwnd, 10 * MSS); // PRR brings it down
    cc.ops->congestion(&cc, 0, 3 * MSS, false);
    assert_int_equal(cc.ssthresh, 2 * MSS);
    cc.ops->timeout(&cc, 0, 10 * MSS);
    assert_int_equal(cc.ssthresh, 5 * MSS);
}

static void a_flight_beyond_the_window_does_not_count(void **state)
{
    cc.ops->congestion(&cc, 0, 100 * MSS, false); // limited transmit, probes
    assert_int_equal(cc.ssthresh, 5 * MSS);
}

static void rfc4015_undo_restores_window_and_threshold(void **state)
{
    cc.ssthresh = 50 * MSS;
    cc.ops->timeout(&cc, 0, 10 * MSS);
    cc.cwnd = MSS;
    cc.ops->undo(&cc, 0);
    assert_int_equal(cc.cwnd, 10 * MSS);
    assert_int_equal(cc.ssthresh, 50 * MSS);
}

static void rfc7661_a_window_that_is_not_used_does_not_grow(void **state)
{
    acked(MSS, false);
    assert_int_equal(cc.cwnd, 10 * MSS);
    cc.ssthresh = cc.cwnd;
    for (unsigned i = 0; i < 100; i++)
        acked(MSS, false);
    assert_int_equal(cc.cwnd, 10 * MSS);
}

#define TEST(name) cmocka_unit_test_setup(name, up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rfc5681_3_1_slow_start_grows_by_what_is_acknowledged),
        TEST(rfc3465_one_ack_grows_it_by_so_much_at_most),
        TEST(rfc5681_3_1_equation_3_one_segment_a_window),
        TEST(slow_start_ends_at_ssthresh_and_the_rest_counts_for_avoidance),
        TEST(rfc5681_3_1_equation_4_half_of_the_flight_two_segments_at_least),
        TEST(a_flight_beyond_the_window_does_not_count),
        TEST(rfc4015_undo_restores_window_and_threshold),
        TEST(rfc7661_a_window_that_is_not_used_does_not_grow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
