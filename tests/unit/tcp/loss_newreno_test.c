// SPDX-License-Identifier: Apache-2.0
// Peers without SACK: fast retransmit (RFC 5681 section 3.2), limited transmit (RFC 3042), NewReno (RFC 6582).
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

static void open_flight(bool timestamps)
{
    struct sl_tcp_options options = loss_options();

    options.congestion = "newreno";
    rig = rig_new();
    conn = loss_open(rig, &options, loss_syn(false, timestamps));
    rig_send(rig, conn, 0, 40 * MSS);
    assert_int_equal(loss_count(rig), 10);
    rig_wait(rig, RTT);
}

static void rfc3042_the_first_two_duplicates_let_new_segments_out(void **state)
{
    open_flight(false);
    loss_ack(rig, SEQ(0));
    loss_expect(rig, 10);
    loss_ack(rig, SEQ(0));
    loss_expect(rig, 11);
    assert_int_equal(rig_info(conn).cwnd, 10 * MSS);
    assert_int_equal(rig_info(conn).recovery, TCP_OPEN);
}

static void to_recovery(void)
{
    open_flight(false);
    for (unsigned i = 0; i < 3; i++)
        loss_ack(rig, SEQ(0));
    loss_expect(rig, 10);
    loss_expect(rig, 11);
    loss_expect(rig, 0);
    assert_int_equal(rig_info(conn).recovery, TCP_RECOVERY);
}

static void rfc5681_3_2_the_third_duplicate_repeats_the_first(void **state)
{
    to_recovery();
    assert_in_range(rig_info(conn).ssthresh, 5 * MSS, 6 * MSS);
}

static void rfc5681_2_not_every_ack_is_a_duplicate(void **state)
{
    open_flight(false);
    loss_ack(rig, SEQ(2));
    rig_drop_out(rig);
    for (unsigned i = 0; i < 8; i++) {
        loss_ack(rig, SEQ(1)); // older
        RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1 + i, .len = 1, .ack = SEQ(2),
                .window = PEER_WND); // with data
        RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 2 + i, .ack = SEQ(2),
                .window = PEER_WND + 256 * (i + 1));                                        // window
        RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 2 + i, .ack = SEQ(2), .window = PEER_WND); // and back
    }
    assert_int_equal(rig_info(conn).recovery, TCP_OPEN);
    assert_int_equal(rig_info(conn).retransmits, 0);
}

static void rfc6582_3_2_step_3_a_partial_ack_repeats_the_next(void **state)
{
    to_recovery();
    rig_wait(rig, RTT);
    loss_ack(rig, SEQ(4)); // 4 is lost as well
    loss_expect(rig, 4);
    assert_int_equal(rig_info(conn).recovery, TCP_RECOVERY);
    rig_wait(rig, RTT);
    loss_ack(rig, SEQ(7));
    loss_expect(rig, 7);
    assert_int_equal(rig_info(conn).retransmits, 3);
}

static void rfc6582_3_2_step_3_a_full_ack_ends_it_at_ssthresh(void **state)
{
    uint32_t ssthresh;

    to_recovery();
    ssthresh = rig_info(conn).ssthresh;
    rig_wait(rig, RTT);
    rig_send(rig, conn, 40 * MSS, MSS);
    loss_ack(rig, SEQ(12));
    if (rig_info(conn).recovery != TCP_OPEN) { // the very end: not before something beyond it (section 4.1)
        rig_wait(rig, RTT);
        loss_ack(rig, SEQ(13));
    }
    assert_int_equal(rig_info(conn).recovery, TCP_OPEN);
    assert_in_range(rig_info(conn).cwnd, ssthresh - MSS, ssthresh + MSS);
}

static void rfc6582_3_2_duplicates_of_the_end_begin_no_second_recovery(void **state)
{
    to_recovery();
    rig_wait(rig, RTT);
    loss_ack(rig, SEQ(12));
    rig_drop_out(rig);
    for (unsigned i = 0; i < 3; i++)
        loss_ack(rig, SEQ(12));
    assert_int_equal(sl_tcp_counters(rig->tcp)->recoveries, 1);
    assert_int_equal(rig_info(conn).retransmits, 1);
}

static void duplicates_after_a_timeout_repeat_nothing_twice(void **state)
{
    open_flight(false);
    rig_wait_out(rig, RIG_S);
    loss_expect(rig, 0);
    for (unsigned i = 0; i < 3; i++)
        loss_ack(rig, SEQ(0));
    assert_int_equal(rig_info(conn).recovery, TCP_LOSS);
    assert_int_equal(rig_info(conn).retransmits, 1);
}

static void an_undone_recovery_forgets_its_duplicates(void **state)
{
    uint32_t old;

    open_flight(true);
    old = rig->tsecr - 1;
    for (unsigned i = 0; i < 4; i++)
        loss_ack(rig, 1);
    assert_int_equal(rig_info(conn).recovery, TCP_RECOVERY);
    rig->tsecr = old;
    loss_ack(rig, 1 + 9 * 1448); // invariants are checked inside
    assert_int_equal(rig_info(conn).recovery, TCP_OPEN);
    assert_int_equal(inside(conn)->sacked, 0);
}

#define TEST(name) cmocka_unit_test_teardown(name, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rfc3042_the_first_two_duplicates_let_new_segments_out),
        TEST(rfc5681_3_2_the_third_duplicate_repeats_the_first),
        TEST(rfc5681_2_not_every_ack_is_a_duplicate),
        TEST(rfc6582_3_2_step_3_a_partial_ack_repeats_the_next),
        TEST(rfc6582_3_2_step_3_a_full_ack_ends_it_at_ssthresh),
        TEST(rfc6582_3_2_duplicates_of_the_end_begin_no_second_recovery),
        TEST(duplicates_after_a_timeout_repeat_nothing_twice),
        TEST(an_undone_recovery_forgets_its_duplicates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
