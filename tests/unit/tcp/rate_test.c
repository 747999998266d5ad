// SPDX-License-Identifier: Apache-2.0
// Samples of the delivery rate (draft-ietf-ccwg-bbr-06 section 4.1) of a connection whose congestion control asks for them,
// and what differs for such: pacing, recovery, pauses.
#include "loss.h"
#include "tcp/cc_bbr.h"

static struct rig *rig;
static struct sl_tcp_conn *conn;

static void open_with(bool sack)
{
    struct sl_tcp_options options = loss_options();

    options.congestion = "bbr";
    rig = rig_new();
    conn = loss_open(rig, &options, loss_syn(sack, false));
}

static int down(void **state)
{
    if (rig)
        rig_free(rig);
    rig = NULL;
    return 0;
}

static struct tcp_rate *rate(void)
{
    return inside(conn)->cc.rate;
}

static const struct tcp_rate_sample *sample(void)
{
    return &rate()->sample;
}

static struct tcp_bbr *model(void)
{
    return (struct tcp_bbr *)rate();
}

// Segments `from` to `from + n`, paced or not, and a round trip passes since the first of them.
static void flight(uint32_t from, uint32_t n)
{
    rig_send(rig, conn, from * MSS, n * MSS);
    rig_wait(rig, RTT);
    assert_int_equal(loss_count(rig), n);
}

// ---- samples ----------------------------------------------------------------------------------------------------
static void s4_1_2_3_what_was_delivered_by_the_time_it_took(void **state)
{
    open_with(true);
    flight(0, 10);
    loss_ack(rig, SEQ(10));
    assert_true(sample()->any);
    assert_int_equal(sample()->delivered, 10 * MSS);
    assert_int_equal(sample()->newly_acked, 10 * MSS);
    assert_in_range(sample()->ack_us, RTT, RTT + 100);
    assert_in_range(sample()->rate_bps, 10 * MSS * 10 - 200, 10 * MSS * 10);
    assert_int_equal(rate()->delivered, 10 * MSS);
}

static void s4_1_2_3_the_newest_of_several_tells_the_round_trip(void **state)
{
    open_with(true);
    flight(0, 10); // the last left some 30 ms after the first
    loss_ack(rig, SEQ(10));
    assert_in_range(sample()->rtt_us, 60 * RIG_MS, 75 * RIG_MS);
    assert_int_equal(sample()->sent_in_flight, 10 * MSS);
}

static void s4_1_1_2_4_never_faster_than_it_was_sent(void **state)
{
    open_with(true);
    rig_send(rig, conn, 0, 2 * MSS);
    rig_wait(rig, 190 * RIG_MS); // acknowledgements are held up, and come together afterwards
    loss_ack(rig, SEQ(1));
    rig_send(rig, conn, 2 * MSS, MSS);
    rig_wait(rig, RTT);
    loss_ack(rig, SEQ(3));
    assert_in_range(sample()->ack_us, RTT, RTT + 100);
    assert_in_range(sample()->send_us, 190 * RIG_MS, 191 * RIG_MS);
    assert_in_range(sample()->rate_bps, 2 * MSS * 1000 / 191, 2 * MSS * 1000 / 190);
}

static void s4_1_2_2_with_nothing_in_flight_the_interval_begins_at_the_departure(void **state)
{
    open_with(true);
    flight(0, 1);
    loss_ack(rig, SEQ(1));
    rig_wait(rig, 10 * RIG_S);
    flight(1, 2);
    loss_ack(rig, SEQ(3));
    assert_in_range(sample()->ack_us, RTT, RTT + 100);
}

static void s4_1_2_4_who_runs_out_of_data_has_limited_samples_for_a_round_trip(void **state)
{
    open_with(true);
    flight(0, 2);
    loss_ack(rig, SEQ(2));
    assert_int_equal(rate()->limited_until, 2 * MSS); // nothing more came
    flight(2, 10);
    rig_send(rig, conn, 12 * MSS, 30 * MSS);
    loss_ack(rig, SEQ(12));
    assert_true(sample()->app_limited);
    rig_wait(rig, RTT);
    rig_drop_out(rig);
    loss_ack(rig, SEQ(14));
    rig_wait(rig, RTT);
    loss_ack(rig, SEQ(36));
    assert_false(sample()->app_limited);
}

static void s4_1_2_4_a_full_window_is_no_limit_of_the_application(void **state)
{
    open_with(true);
    flight(0, 10); // all of the window, and the queue is empty
    loss_ack(rig, SEQ(1));
    assert_true(sample()->window_full);
    rig_send(rig, conn, 10 * MSS, 2 * MSS);
    rig_wait(rig, 10 * RIG_MS);
    assert_int_equal(inside(conn)->snd_nxt, inside(conn)->snd_end);
    assert_true(tcp_pipe(inside(conn)) + MSS > inside(conn)->cc.cwnd);
    rate()->limited_until = 0;
    rig_send(rig, conn, 12 * MSS, MSS);
    assert_int_equal(rate()->limited_until, 0);
}

static void s4_1_3_5_an_echo_sooner_than_any_round_trip_makes_no_sample(void **state)
{
    open_with(true);
    flight(0, 5);
    loss_sack(rig, SEQ(0), SEQ(1), SEQ(5));
    loss_expect(rig, 0);
    rig_wait(rig, 10 * RIG_MS);
    ((struct tcp_conn *)conn)->min_rtt_us = RTT - 1; // the intervals are shorter, and the first could have been meant
    loss_ack(rig, SEQ(5));
    assert_true(sample()->any);
    assert_int_equal(sample()->newly_acked, MSS);
    assert_int_equal(sample()->rate_bps, 0);
    assert_int_equal(sample()->rtt_us, 0);
}

static void s5_5_10_2_what_was_lost_since_the_newest_left(void **state)
{
    open_with(true);
    flight(0, 10);
    loss_sack(rig, SEQ(0), SEQ(5), SEQ(10));
    assert_int_equal(sample()->newly_lost, 5 * MSS);
    assert_int_equal(sample()->lost, 5 * MSS);
    assert_int_equal(sample()->newly_acked, 5 * MSS);
    assert_int_equal(sample()->sent_in_flight, 10 * MSS);
    assert_true(model()->is_loss_in_round && model()->in_recovery);
    assert_int_equal(model()->lost_ranges, 1);
}

static void s4_1_3_5_1_without_sack_duplicates_count(void **state)
{
    open_with(false);
    flight(0, 5);
    loss_ack(rig, SEQ(0));
    loss_ack(rig, SEQ(0));
    assert_int_equal(rate()->delivered, 2 * MSS);
    assert_false(sample()->any);
    loss_ack(rig, SEQ(5));
    assert_int_equal(rate()->delivered, 5 * MSS);
    assert_true(sample()->any);
}

static void a_part_of_a_segment_counts(void **state)
{
    open_with(true);
    flight(0, 2);
    loss_ack(rig, 1 + MSS / 2);
    assert_int_equal(rate()->delivered, MSS / 2);
    assert_false(sample()->any);
    loss_ack(rig, SEQ(2));
    assert_int_equal(rate()->delivered, 2 * MSS);
}

static void lost_for_its_size_is_not_lost_to_congestion(void **state)
{
    struct sl_tcp_icmp_in icmp = {.kind = SL_TCP_ICMP_TOO_BIG, .mtu = 1000};

    open_with(true);
    flight(0, 5);
    icmp.local = rig->local;
    icmp.remote = rig->remote;
    icmp.local_port = rig->local_port;
    icmp.remote_port = rig->remote_port;
    icmp.seq = rig->isn + SEQ(0);
    sl_tcp_icmp(rig->tcp, &icmp, rig->now_us);
    assert_int_equal(inside(conn)->lost, 5 * MSS);
    assert_false(model()->is_loss_in_round);
    rig_flush(rig);
    rig_wait(rig, RTT); // in pieces of less than a thousand, each with the notes of its whole
    assert_true(loss_count(rig) >= 5);
    loss_ack(rig, SEQ(5));
    assert_int_equal(rate()->delivered, 5 * MSS);
}

// ---- what differs -------------------------------------------------------------------------------------------------
static void it_paces_whatever_the_options_say(void **state)
{
    const struct rig_segment *segment;
    uint64_t first_us = 0, last_us = 0;

    open_with(true);
    rig_send(rig, conn, 0, 10 * MSS);
    rig_wait(rig, RTT);
    while ((segment = rig_take(rig)) != NULL) {
        first_us = first_us ? first_us : segment->at_us;
        last_us = segment->at_us;
    }
    assert_in_range(last_us - first_us, 29 * RIG_MS, 33 * RIG_MS); // 2.77 times ten segments in a round trip
}

static void to_the_nanosecond(void **state)
{
    struct tcp_conn *with;
    uint64_t began_us;

    open_with(true);
    with = (struct tcp_conn *)conn;
    rate()->pacing_bps = with->rate_bps = 700000000; // 2.086 us a segment
    with->cc.cwnd = 10000 * MSS;
    began_us = rig->now_us;
    rig_send(rig, conn, 0, 600 * MSS);
    rig_wait(rig, 10 * RIG_MS);
    assert_int_equal(loss_count(rig), 600);
    assert_in_range(with->pace_us - (began_us - RIG_MS), 1250, 1253);
}

static void recovery_leaves_the_window_to_it(void **state)
{
    uint32_t before;

    open_with(true);
    flight(0, 10);
    before = inside(conn)->cc.cwnd;
    loss_sack(rig, SEQ(0), SEQ(1), SEQ(10));
    assert_int_equal(rig_info(conn).recovery, TCP_RECOVERY);
    assert_true(rig_info(conn).cwnd >= before); // STARTUP: one loss is not yet too much
    assert_int_equal(rig_info(conn).ssthresh, UINT32_MAX);
    rig_wait(rig, RTT);
    loss_ack(rig, SEQ(10));
    assert_int_equal(rig_info(conn).recovery, TCP_OPEN);
    assert_false(model()->in_recovery);
    assert_true(rig_info(conn).cwnd >= before);
}

static void s5_6_4_4_a_timeout_leaves_one_segment_and_what_follows_brings_it_back(void **state)
{
    open_with(true);
    flight(0, 10);
    rig_wait(rig, 2 * RIG_S);
    rig_drop_out(rig);
    assert_int_equal(rig_info(conn).recovery, TCP_LOSS);
    assert_int_equal(inside(conn)->cc.cwnd, MSS);
    assert_true(model()->in_recovery);
    assert_in_range(model()->prior_cwnd, 10 * MSS, 11 * MSS);
    loss_ack(rig, SEQ(10));
    assert_int_equal(rig_info(conn).recovery, TCP_OPEN);
    assert_true(rig_info(conn).cwnd >= 10 * MSS);
}

static void s5_4_1_after_a_pause_the_window_is_what_it_was(void **state)
{
    uint32_t before;

    open_with(true);
    flight(0, 10);
    loss_ack(rig, SEQ(10));
    before = inside(conn)->cc.cwnd;
    assert_true(before > 10 * MSS);
    rig_wait(rig, 60 * RIG_S);
    rig_send(rig, conn, 10 * MSS, 1000);
    assert_int_equal(inside(conn)->cc.cwnd, before);
    assert_true(model()->idle_restart);
}

// ---- what it costs ------------------------------------------------------------------------------------------------
static void others_have_no_model(void **state)
{
    struct sl_tcp_options options = loss_options();

    rig = rig_new();
    conn = loss_open(rig, &options, loss_syn(true, false));
    rig_send(rig, conn, 0, 10 * MSS);
    assert_false(tcp_has(inside(conn), TCP_RATED));
    assert_int_equal(rig->tcp->models.used, 0);
    for (uint32_t i = inside(conn)->sent_head; i != TCP_NONE; i = tcp_record_at(rig->tcp, i)->next)
        assert_int_equal(rig->tcp->rates[i].in_flight, 0);
}

static void a_model_goes_with_its_connection(void **state)
{
    open_with(true);
    assert_int_equal(rig->tcp->models.used, 1);
    sl_tcp_abort(conn, rig->now_us);
    rig_flush(rig);
    assert_int_equal(rig->tcp->models.used, 0);
}

#define TEST(name) cmocka_unit_test_teardown(name, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(s4_1_2_3_what_was_delivered_by_the_time_it_took),
        TEST(s4_1_2_3_the_newest_of_several_tells_the_round_trip),
        TEST(s4_1_1_2_4_never_faster_than_it_was_sent),
        TEST(s4_1_2_2_with_nothing_in_flight_the_interval_begins_at_the_departure),
        TEST(s4_1_2_4_who_runs_out_of_data_has_limited_samples_for_a_round_trip),
        TEST(s4_1_2_4_a_full_window_is_no_limit_of_the_application),
        TEST(s4_1_3_5_an_echo_sooner_than_any_round_trip_makes_no_sample),
        TEST(s5_5_10_2_what_was_lost_since_the_newest_left),
        TEST(s4_1_3_5_1_without_sack_duplicates_count),
        TEST(a_part_of_a_segment_counts),
        TEST(lost_for_its_size_is_not_lost_to_congestion),
        TEST(it_paces_whatever_the_options_say),
        TEST(to_the_nanosecond),
        TEST(recovery_leaves_the_window_to_it),
        TEST(s5_6_4_4_a_timeout_leaves_one_segment_and_what_follows_brings_it_back),
        TEST(s5_4_1_after_a_pause_the_window_is_what_it_was),
        TEST(others_have_no_model),
        TEST(a_model_goes_with_its_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
