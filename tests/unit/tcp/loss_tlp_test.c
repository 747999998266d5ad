// SPDX-License-Identifier: Apache-2.0
// The tail loss probe (RFC 8985 section 7).
#include "loss.h"

static struct rig *rig;
static struct sl_tcp_conn *conn;

static void open_with(bool sack)
{
    struct sl_tcp_options options = loss_options();

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

static void warm(void) // RTO becomes longer than the probe's time
{
    for (uint32_t i = 0; i < 3; i++) {
        rig_send(rig, conn, i * MSS, MSS);
        rig_wait(rig, RTT);
        loss_ack(rig, SEQ(i + 1));
    }
    rig_drop_out(rig);
}

static void s7_2_after_two_round_trips(void **state)
{
    open_with(true);
    warm();
    rig_send(rig, conn, 3 * MSS, 3 * MSS);
    rig_drop_out(rig);
    assert_in_range(rig_wait_out(rig, RIG_S), 2 * RTT, 2 * RTT + 8 * RIG_MS);
    loss_expect(rig, 5); // the last
    rig_expect_none(rig);
    assert_int_equal(rig_info(conn).recovery, TCP_OPEN);
    assert_int_equal(rig_info(conn).cwnd, 10 * MSS);
}

static void s7_2_one_segment_leaves_the_peer_time_to_delay_its_ack_but_not_past_the_timeout(void **state)
{
    open_with(true);
    warm();
    rig_send(rig, conn, 3 * MSS, MSS);
    rig_drop_out(rig);
    assert_in_range(rig_wait_out(rig, RIG_S), rig_info(conn).rto_us, 2 * RTT + 210 * RIG_MS);
    loss_expect(rig, 3);
}

static void s7_2_without_a_round_trip_one_second(void **state)
{
    struct sl_tcp_options options = loss_options();
    int error = 0;

    rig = rig_new();
    conn = sl_tcp_connect(rig->tcp, &rig->local, rig->local_port, &rig->remote, rig->remote_port, &options,
                          NULL, rig->now_us, &error);
    rig_wait(rig, 1100 * RIG_MS); // the SYN is repeated: no sample
    RIG_PUT(rig, .flags = SL_TCP_SYN | SL_TCP_ACK, .ack = 1, .window = 65535,
            .options = loss_syn(true, false));
    rig_send(rig, conn, 0, 2 * MSS);
    rig_drop_out(rig);
    assert_in_range(rig_wait_out(rig, 10 * RIG_S), RIG_S, RIG_S + 10 * RIG_MS);
    loss_expect(rig, 1);
}

static void s7_2_not_without_sack(void **state)
{
    open_with(false);
    rig_send(rig, conn, 0, 3 * MSS);
    rig_drop_out(rig);
    assert_true(rig_wait_out(rig, RIG_S) >= 300 * RIG_MS);
    loss_expect(rig, 0); // the timeout
}

static void s7_2_not_while_something_is_sacked(void **state)
{
    open_with(true);
    rig_send(rig, conn, 0, 3 * MSS);
    rig_drop_out(rig);
    rig_wait(rig, RTT);
    loss_sack(rig, SEQ(0), SEQ(1), SEQ(2));
    rig_wait(rig, 10 * RIG_S);
    assert_int_equal(sl_tcp_counters(rig->tcp)->loss_probes, 0);
}

static void s7_3_new_data_first_and_nagle_does_not_hold_it(void **state)
{
    open_with(true);
    warm();
    rig_send(rig, conn, 3 * MSS, 3 * MSS + 100); // the rest waits for Nagle's algorithm
    rig_send(rig, conn, 6 * MSS + 100, 50);
    rig_drop_out(rig);
    rig_wait_out(rig, RIG_S);
    assert_int_equal(rig_take(rig)->seq, SEQ(6) + 100);
    assert_int_equal(rig_info(conn).retransmits, 0);
}

static void s7_3_new_data_beyond_the_congestion_window(void **state)
{
    open_with(true);
    rig_send(rig, conn, 0, 20 * MSS);
    assert_int_equal(loss_count(rig), 10);
    rig_wait_out(rig, RIG_S);
    loss_expect(rig, 10);
}

static void to_probe(void) // 3 to 5 in flight, 5 sent twice
{
    open_with(true);
    warm();
    rig_send(rig, conn, 3 * MSS, 3 * MSS);
    rig_drop_out(rig);
    rig_wait_out(rig, RIG_S);
    loss_expect(rig, 5);
    rig_wait(rig, 50 * RIG_MS);
}

static void s7_3_one_probe_at_a_time_then_the_timeout(void **state)
{
    to_probe();
    assert_true(rig_wait_out(rig, 10 * RIG_S) >= 200 * RIG_MS);
    loss_expect(rig, 3);
    assert_int_equal(sl_tcp_counters(rig->tcp)->loss_probes, 1);
    assert_int_equal(sl_tcp_counters(rig->tcp)->timeouts, 1);
}

static void s7_4_2_a_dsack_of_the_probe_all_had_arrived(void **state)
{
    to_probe();
    loss_ack(rig, SEQ(6));
    loss_sack(rig, SEQ(6), SEQ(5), SEQ(6));
    rig_send(rig, conn, 6 * MSS, MSS);
    loss_ack(rig, SEQ(7));
    assert_true(rig_info(conn).ssthresh > 1000000);
    assert_int_equal(inside(conn)->rack_steps, 1); // no sign of reordering
}

static void s7_4_2_a_second_ack_for_the_same_all_had_arrived(void **state)
{
    to_probe();
    loss_ack(rig, SEQ(6));
    loss_ack(rig, SEQ(6));
    rig_send(rig, conn, 6 * MSS, MSS);
    loss_ack(rig, SEQ(7));
    assert_true(rig_info(conn).ssthresh > 1000000);
}

static void s7_4_2_one_ack_only_the_probe_repaired_a_loss_which_the_window_pays(void **state)
{
    to_probe();
    loss_ack(rig, SEQ(6));
    assert_true(rig_info(conn).ssthresh > 1000000);
    rig_send(rig, conn, 6 * MSS, 10 * MSS);
    loss_ack(rig, SEQ(7));
    assert_in_range(rig_info(conn).ssthresh, 2 * MSS, 9 * MSS);
}

static void s7_4_1_the_probe_s_sack_finds_the_tail_lost(void **state)
{
    to_probe(); // 3 to 5 were lost, the probe arrives
    rig_wait(rig, RTT / 2);
    loss_sack(rig, SEQ(3), SEQ(5), SEQ(6));
    loss_expect(rig, 3);
    rig_wait(rig, RTT);
    loss_sack(rig, SEQ(4), SEQ(5), SEQ(6));
    loss_expect(rig, 4);
    assert_int_equal(rig_info(conn).recovery, TCP_RECOVERY);
    assert_int_equal(sl_tcp_counters(rig->tcp)->timeouts, 0);
}

#define TEST(name) cmocka_unit_test_teardown(name, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(s7_2_after_two_round_trips),
        TEST(s7_2_one_segment_leaves_the_peer_time_to_delay_its_ack_but_not_past_the_timeout),
        TEST(s7_2_without_a_round_trip_one_second),
        TEST(s7_2_not_without_sack),
        TEST(s7_2_not_while_something_is_sacked),
        TEST(s7_3_new_data_first_and_nagle_does_not_hold_it),
        TEST(s7_3_new_data_beyond_the_congestion_window),
        TEST(s7_3_one_probe_at_a_time_then_the_timeout),
        TEST(s7_4_2_a_dsack_of_the_probe_all_had_arrived),
        TEST(s7_4_2_a_second_ack_for_the_same_all_had_arrived),
        TEST(s7_4_2_one_ack_only_the_probe_repaired_a_loss_which_the_window_pays),
        TEST(s7_4_1_the_probe_s_sack_finds_the_tail_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
