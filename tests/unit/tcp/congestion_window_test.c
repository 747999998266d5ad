// SPDX-License-Identifier: Apache-2.0
// The congestion window of a connection: how it begins (RFC 6928), after a pause (RFC 5681 section 4.1, RFC 2861), while
// it is not used (RFC 7661), and how it is paced.
#include "loss.h"

static struct rig *rig;
static struct sl_tcp_conn *conn;

static int down(void **state)
{
    if (rig)
        rig_free(rig);
    rig = NULL;
    return 0;
}

static void open_with(const struct sl_tcp_options *options)
{
    rig = rig_new();
    conn = loss_open(rig, options, loss_syn(true, false));
}

static void rfc6928_2_ten_segments_or_14600_bytes(void **state)
{
    assert_int_equal(tcp_cc_initial_window(1460), 14600);
    assert_int_equal(tcp_cc_initial_window(536), 5360);
    assert_int_equal(tcp_cc_initial_window(8960), 17920);
    assert_int_equal(tcp_cc_initial_window(4000), 14600);
}

static void rfc6928_2_ten_segments_go_at_once(void **state)
{
    struct sl_tcp_options options = loss_options();

    open_with(&options);
    rig_send(rig, conn, 0, 30 * MSS);
    assert_int_equal(loss_count(rig), 10);
}

static void rfc5681_3_1_after_a_lost_syn_ack_one_segment(void **state)
{
    struct sl_tcp_options options = loss_options();
    struct sl_tcp_event event;

    rig = rig_new();
    rig_listen(rig, &options);
    RIG_PUT(rig, .flags = SL_TCP_SYN, .window = 65535, .options = rig_bare_syn());
    rig_wait(rig, 3500 * RIG_MS); // two repetitions
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1, .ack = 1, .window = 65535);
    assert_true(rig_event(rig, &event));
    assert_int_equal(rig_info(event.conn).cwnd, MSS);
}

static uint32_t grow_to(uint32_t segments) // in slow start; returns the segment after
{
    uint32_t at = 0;

    while (rig_info(conn).cwnd < segments * MSS) {
        uint32_t n = rig_info(conn).cwnd / MSS;

        rig_send(rig, conn, at * MSS, n * MSS);
        rig_send(rig, conn, (at + n) * MSS, MSS);
        rig_wait(rig, RTT);
        for (uint32_t i = 1; i <= n; i++)
            loss_ack(rig, SEQ(at + i));
        at += n;
        loss_ack(rig, SEQ(++at));
    }
    rig_drop_out(rig);
    return at;
}

static void rfc5681_4_1_after_an_idle_timeout_the_initial_window_again(void **state)
{
    struct sl_tcp_options options = loss_options();
    uint32_t at;

    open_with(&options);
    at = grow_to(40);
    rig_wait(rig, RIG_S);
    rig_send(rig, conn, at * MSS, 60 * MSS);
    assert_int_equal(loss_count(rig), 10);
    assert_int_equal(rig_info(conn).cwnd, 10 * MSS);
}

static void rfc2861_the_threshold_remembers_three_quarters(void **state)
{
    struct sl_tcp_options options = loss_options();
    uint32_t at;

    open_with(&options);
    at = grow_to(40);
    ((struct tcp_conn *)conn)->cc.ssthresh = 20 * MSS;
    ((struct tcp_conn *)conn)->cc.cwnd = 40 * MSS;
    rig_wait(rig, RIG_S);
    rig_send(rig, conn, at * MSS, MSS);
    assert_int_equal(rig_info(conn).ssthresh, 30 * MSS);
}

static void a_pause_shorter_than_the_timeout_changes_nothing(void **state)
{
    struct sl_tcp_options options = loss_options();
    uint32_t at, before;

    open_with(&options);
    at = grow_to(20);
    before = rig_info(conn).cwnd;
    rig_wait(rig, RTT);
    rig_send(rig, conn, at * MSS, MSS);
    assert_int_equal(rig_info(conn).cwnd, before);
}

static void rfc7661_an_application_that_sends_little_grows_no_window(void **state)
{
    struct sl_tcp_options options = loss_options();

    open_with(&options);
    for (uint32_t i = 0; i < 50; i++) {
        rig_send(rig, conn, i * 2 * MSS, 2 * MSS);
        rig_wait(rig, RTT);
        loss_ack(rig, SEQ(2 * i + 2));
    }
    assert_int_equal(rig_info(conn).cwnd, 10 * MSS);
}

static uint32_t acked_by_twos(uint32_t segments) // of one flight; the window afterwards, segments
{
    struct sl_tcp_options options = loss_options();

    open_with(&options);
    rig_send(rig, conn, 0, segments * MSS);
    rig_wait(rig, RTT);
    for (uint32_t i = 2; i < segments + 2; i += 2)
        loss_ack(rig, SEQ(i < segments ? i : segments));
    return rig_info(conn).cwnd / MSS;
}

static void rfc7661_4_3_a_flight_of_the_window_doubles_it_whatever_the_acks_leave(void **state)
{
    assert_int_equal(acked_by_twos(10), 20);
}

static void rfc7661_4_3_a_flight_of_more_than_half_grows_it_to_twice_the_flight(void **state)
{
    assert_int_equal(acked_by_twos(9), 18);
}

static void rfc7661_4_3_a_flight_of_half_leaves_it(void **state)
{
    assert_int_equal(acked_by_twos(5), 10);
}

static void nor_does_a_peer_with_a_small_window(void **state)
{
    struct sl_tcp_options options = loss_options();

    open_with(&options);
    for (uint32_t i = 0; i < 50; i++) {
        RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1, .ack = SEQ(2 * i), .window = 3072);
        if (i < 49)
            rig_send(rig, conn, i * 2 * MSS, 2 * MSS);
        rig_wait(rig, RTT);
    }
    assert_int_equal(rig_info(conn).cwnd, 10 * MSS);
}

// ---- pacing -------------------------------------------------------------------------------------------------------
static void slow_start_is_paced_at_twice_the_window_a_round_trip(void **state)
{
    struct sl_tcp_options options = loss_options();
    const struct rig_segment *segment;
    uint64_t first_us = 0, last_us = 0;
    uint32_t n = 0;

    options.pacing = true;
    open_with(&options);
    rig_send(rig, conn, 0, 10 * MSS);
    rig_wait(rig, RTT);
    while ((segment = rig_take(rig)) != NULL) {
        if (!segment->out.len)
            continue;
        first_us = first_us ? first_us : segment->at_us;
        last_us = segment->at_us;
        n++;
    }
    assert_in_range(n, 10, 10);
    assert_in_range(last_us - first_us, 35 * RIG_MS,
                    50 * RIG_MS); // nine of them at 5 ms each, one in advance
}

static void avoidance_is_paced_a_fifth_faster_than_the_window(void **state)
{
    struct sl_tcp_options options = loss_options();

    options.pacing = true;
    open_with(&options);
    ((struct tcp_conn *)conn)->cc.ssthresh = 5 * MSS;
    rig_send(rig, conn, 0, 10 * MSS);
    rig_wait(rig, RTT);
    loss_ack(rig, SEQ(1));
    assert_in_range(inside(conn)->rate_bps, rig_info(conn).cwnd * 119 / 10, rig_info(conn).cwnd * 121 / 10);
}

static void a_round_trip_under_2_ms_is_not_paced(void **state)
{
    struct sl_tcp_options options = loss_options();

    options.pacing = true;
    rig = rig_new();
    conn = rig_open_passive(rig, &options, rig_full_syn(), 100000);
    rig_send(rig, conn, 0, 30 * MSS);
    assert_int_equal(loss_count(rig), 10);
}

#define TEST(name) cmocka_unit_test_teardown(name, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rfc6928_2_ten_segments_or_14600_bytes),
        TEST(rfc6928_2_ten_segments_go_at_once),
        TEST(rfc5681_3_1_after_a_lost_syn_ack_one_segment),
        TEST(rfc5681_4_1_after_an_idle_timeout_the_initial_window_again),
        TEST(rfc2861_the_threshold_remembers_three_quarters),
        TEST(a_pause_shorter_than_the_timeout_changes_nothing),
        TEST(rfc7661_an_application_that_sends_little_grows_no_window),
        TEST(rfc7661_4_3_a_flight_of_the_window_doubles_it_whatever_the_acks_leave),
        TEST(rfc7661_4_3_a_flight_of_more_than_half_grows_it_to_twice_the_flight),
        TEST(rfc7661_4_3_a_flight_of_half_leaves_it),
        TEST(nor_does_a_peer_with_a_small_window),
        TEST(slow_start_is_paced_at_twice_the_window_a_round_trip),
        TEST(avoidance_is_paced_a_fifth_faster_than_the_window),
        TEST(a_round_trip_under_2_ms_is_not_paced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
