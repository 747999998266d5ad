// SPDX-License-Identifier: Apache-2.0
// Sending where something is short: records of segments in flight, the caller's device, the congestion window below a
// segment. Nothing stands still for longer than a timeout, every byte goes out in the end.
#include "loss.h"

static struct rig *rig;
static struct sl_tcp_conn *conn;

static void open_with(uint32_t segments_held)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_config config;

    rig_config(&config);
    config.segments_held = segments_held;
    rig = rig_new_with(&config, false);
    conn = loss_open(rig, &options, loss_syn(true, false));
}

static int down(void **state)
{
    if (rig)
        rig_free(rig);
    rig = NULL;
    return 0;
}

static uint32_t take_in_order(uint32_t at) // what a peer that keeps nothing out of order has then
{
    const struct rig_segment *segment;

    while ((segment = rig_take(rig)) != NULL)
        if (tcp_seq_le(segment->seq, at) && tcp_seq_gt(segment->seq + segment->out.len, at))
            at = segment->seq + segment->out.len;
    return at;
}

static void with_few_records_a_few_segments_are_in_flight_and_all_arrives(void **state)
{
    uint32_t at = 1;

    open_with(3);
    rig_send(rig, conn, 0, 50 * MSS);
    for (unsigned i = 0; i < 60 && at < SEQ(50); i++) {
        at = take_in_order(at);
        assert_true(inside(conn)->n_sent <= 3);
        rig_wait(rig, RTT);
        loss_ack(rig, at);
    }
    assert_int_equal(at, SEQ(50));
}

static void a_probe_with_no_record_left_repeats_the_last(void **state)
{
    open_with(3);
    rig_send(rig, conn, 0, 50 * MSS);
    assert_int_equal(loss_count(rig), 3);
    rig_wait_out(rig, RIG_S);
    loss_expect(rig, 2);
    rig_wait(rig, RIG_S);
    assert_true(rig_info(conn).backoff > 0); // the timeout follows
}

static void as_records_come_back_sending_goes_on(void **state)
{
    open_with(2);
    rig_send(rig, conn, 0, 4 * MSS);
    assert_int_equal(loss_count(rig), 2);
    rig_wait(rig, RTT);
    loss_ack(rig, SEQ(1));
    loss_expect(rig, 2);
    rig_wait(rig, RTT);
    loss_ack(rig, SEQ(2));
    loss_expect(rig, 3);
}

// Others hold every record, so no acknowledgement of its own will wake it.
static void who_found_no_record_sends_soon_after_others_are_done(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_conn *starved;

    open_with(4);
    rig_send(rig, conn, 0, 10 * MSS);
    rig_drop_out(rig);
    rig->remote_port++;
    starved = rig_open_passive(rig, &options, rig_bare_syn(), 65535);
    rig_send(rig, starved, 0, 100);
    rig_wait(rig, 100 * RIG_S);
    sl_tcp_abort(conn, rig->now_us);
    rig_drop_out(rig);
    assert_true(rig_wait_out(rig, 50 * RIG_MS) < 20 * RIG_MS);
    assert_int_equal(rig_info(starved).in_flight_segments, 1);
}

static void what_the_device_refused_counts_as_lost_and_is_repeated(void **state)
{
    uint32_t at = 1;

    open_with(1000);
    rig->refuse = true;
    rig_send(rig, conn, 0, 5 * MSS);
    assert_int_equal(sl_tcp_counters(rig->tcp)->send_failures, 5);
    rig->refuse = false;
    for (unsigned i = 0; i < 30 && at < SEQ(5); i++) {
        rig_wait(rig, RTT);
        at = take_in_order(at);
        loss_ack(rig, at);
    }
    assert_int_equal(at, SEQ(5));
}

static void a_device_that_refuses_for_seconds_is_asked_by_the_timer(void **state)
{
    open_with(1000);
    rig->refuse = true;
    rig_send(rig, conn, 0, 5 * MSS);
    rig_wait(rig, 3 * RIG_S);
    rig->refuse = false;
    assert_true(rig_wait_out(rig, 10 * RIG_S) < 6 * RIG_S);
    assert_int_equal(rig_take(rig)->seq, 1);
}

static void a_window_below_one_segment_still_sends_one_at_a_time(void **state)
{
    open_with(1000);
    ((struct tcp_conn *)conn)->cc.cwnd = MSS / 2; // an MTU that was raised since
    ((struct tcp_conn *)conn)->cc.ssthresh = MSS / 2;
    rig_send(rig, conn, 0, 5 * MSS);
    loss_expect(rig, 0);
    rig_expect_none(rig);
    rig_wait(rig, RTT);
    loss_ack(rig, SEQ(1));
    assert_true(loss_count(rig) >= 1);
}

static void nagle_does_not_wait_for_a_small_segment_of_2_gb_ago(void **state)
{
    open_with(1000);
    ((struct tcp_conn *)conn)->small_end = inside(conn)->snd_una + 0x70000000u; // as it looks then
    rig_send(rig, conn, 0, 100);
    assert_int_equal(loss_count(rig), 1);
}

#define TEST(name) cmocka_unit_test_teardown(name, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(with_few_records_a_few_segments_are_in_flight_and_all_arrives),
        TEST(a_probe_with_no_record_left_repeats_the_last),
        TEST(as_records_come_back_sending_goes_on),
        TEST(who_found_no_record_sends_soon_after_others_are_done),
        TEST(what_the_device_refused_counts_as_lost_and_is_repeated),
        TEST(a_device_that_refuses_for_seconds_is_asked_by_the_timer),
        TEST(a_window_below_one_segment_still_sends_one_at_a_time),
        TEST(nagle_does_not_wait_for_a_small_segment_of_2_gb_ago),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
