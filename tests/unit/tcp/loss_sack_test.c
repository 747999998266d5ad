// SPDX-License-Identifier: Apache-2.0
// The scoreboard: SACK (RFC 2018), the pipe (RFC 6675), DSACK (RFC 2883), and peers that lie.
#include "loss.h"

static struct rig *rig;
static struct sl_tcp_conn *conn;

static void open_flight(uint32_t n)
{
    struct sl_tcp_options options = loss_options();

    rig = rig_new();
    conn = loss_open(rig, &options, loss_syn(true, false));
    rig_send(rig, conn, 0, n * MSS);
    rig_drop_out(rig);
    rig_wait(rig, RTT);
}

static int down(void **state)
{
    if (rig)
        rig_free(rig);
    rig = NULL;
    return 0;
}

static void rfc2018_5_what_was_sacked_is_not_sent_again(void **state)
{
    open_flight(10);
    loss_sack2(rig, SEQ(0), SEQ(5), SEQ(9), SEQ(1), SEQ(3)); // 0, 3, 4 and 9 are missing
    loss_expect(rig, 0);
    rig_wait(rig, RTT);
    loss_sack2(rig, SEQ(3), SEQ(5), SEQ(9), SEQ(5), SEQ(9));
    loss_expect(rig, 3);
    rig_wait(rig, RTT);
    loss_ack(rig, SEQ(4));
    rig_drop_out(rig);
    rig_wait(rig, RTT);
    loss_ack(rig, SEQ(9));
    rig_wait(rig, RTT);
    loss_ack(rig, SEQ(10));
    assert_in_range(rig_info(conn).retransmits, 3, 4); // 9 perhaps by a probe
}

static void rfc6675_4_pipe_is_what_is_neither_sacked_nor_lost(void **state)
{
    open_flight(10);
    assert_int_equal(rig_info(conn).pipe, 10 * MSS);
    loss_sack(rig, SEQ(0), SEQ(2), SEQ(6)); // 4 SACKed, 2 lost, 1 of them sent again
    assert_int_equal(inside(conn)->sacked, 4 * MSS);
    assert_int_equal(inside(conn)->lost, 2 * MSS);
    assert_int_equal(rig_info(conn).pipe, (10 - 4 - 2) * MSS + inside(conn)->retrans);
}

static void blocks_outside_what_is_in_flight_count_for_nothing(void **state)
{
    open_flight(5);
    loss_sack(rig, SEQ(0), SEQ(5), SEQ(9));     // beyond snd_nxt
    loss_sack(rig, SEQ(0), SEQ(4), SEQ(5) + 1); // partly
    loss_sack(rig, SEQ(0), SEQ(3), SEQ(2));     // backwards
    loss_sack(rig, SEQ(0), SEQ(3), SEQ(3));     // empty
    loss_sack(rig, SEQ(0), SEQ(1) + 0x80000000u, SEQ(3));
    assert_int_equal(inside(conn)->sacked, 0);
    assert_int_equal(rig_info(conn).recovery, TCP_OPEN);
}

static void a_part_of_a_segment_is_not_the_segment_until_the_block_has_grown_over_it(void **state)
{
    open_flight(6);
    loss_sack(rig, SEQ(0), SEQ(1), SEQ(2) + 700);
    assert_int_equal(inside(conn)->sacked, MSS);
    loss_sack(rig, SEQ(0), SEQ(1), SEQ(3));
    assert_int_equal(inside(conn)->sacked, 2 * MSS);
    loss_sack(rig, SEQ(0) + 700, SEQ(0) + 800, SEQ(3)); // and downwards, and the ACK into a segment
    assert_int_equal(inside(conn)->sacked, 2 * MSS);
}

static void a_block_grows_at_both_ends_and_blocks_merge(void **state)
{
    open_flight(10);
    loss_sack(rig, SEQ(0), SEQ(8), SEQ(9));
    loss_sack2(rig, SEQ(0), SEQ(4), SEQ(5), SEQ(8), SEQ(9));
    loss_sack2(rig, SEQ(0), SEQ(3), SEQ(6), SEQ(8), SEQ(9));
    assert_int_equal(inside(conn)->sacked, 4 * MSS);
    loss_sack(rig, SEQ(0), SEQ(2), SEQ(10));
    assert_int_equal(inside(conn)->sacked, 8 * MSS);
}

static void rfc2883_4_below_the_ack_or_inside_the_second_block_is_a_duplicate(void **state)
{
    open_flight(8);
    loss_sack(rig, SEQ(2), SEQ(0), SEQ(1));
    assert_int_equal(sl_tcp_counters(rig->tcp)->dsacks_in, 1);
    loss_sack2(rig, SEQ(2), SEQ(4), SEQ(5), SEQ(3), SEQ(6));
    assert_int_equal(sl_tcp_counters(rig->tcp)->dsacks_in, 2);
    assert_int_equal(inside(conn)->sacked, 3 * MSS);
    loss_sack2(rig, SEQ(2), SEQ(3), SEQ(6), SEQ(7), SEQ(8));
    assert_int_equal(sl_tcp_counters(rig->tcp)->dsacks_in, 2);
    loss_sack(rig, SEQ(2), SEQ(0) - 50000000, SEQ(1) - 50000000); // of nothing lately
    assert_int_equal(sl_tcp_counters(rig->tcp)->dsacks_in, 2);
}

static void rfc2018_8_a_peer_that_reneges_gets_everything_again(void **state)
{
    uint32_t again = SEQ(1);

    open_flight(10);
    loss_sack(rig, SEQ(0), SEQ(1), SEQ(10));
    loss_expect(rig, 0);
    rig_wait(rig, RTT);
    loss_ack(rig, SEQ(1)); // and says nothing of the others: he has thrown them away
    rig_drop_out(rig);
    rig_wait_out(rig, 10 * RIG_S);
    assert_int_equal(inside(conn)->sacked, 0);
    assert_int_equal(rig_info(conn).recovery, TCP_LOSS);
    for (unsigned round = 0; round < 20 && again < SEQ(10); round++) {
        const struct rig_segment *segment;

        while ((segment = rig_take(rig)) != NULL)
            again = segment->seq == again ? again + segment->out.len : again;
        rig_wait(rig, RTT);
        loss_ack(rig, again);
    }
    assert_int_equal(again, SEQ(10));
}

static void an_old_ack_s_blocks_do_no_harm(void **state)
{
    open_flight(10);
    loss_ack(rig, SEQ(5));
    rig_drop_out(rig);
    loss_sack(rig, SEQ(2), SEQ(3), SEQ(4)); // overtaken: below snd_una
    loss_sack(rig, SEQ(2), SEQ(6), SEQ(7));
    assert_int_equal(rig_info(conn).snd_una - inside(conn)->iss, SEQ(5));
    assert_int_equal(inside(conn)->sacked, MSS);
}

// CVE-2018-5390's kind: many segments in flight, blocks that make each ACK walk through them all.
static void open_long(uint32_t n)
{
    struct sl_tcp_options options = loss_options();

    options.tx_bytes = 64u << 20;
    rig = rig_new();
    conn = loss_open(rig, &options, loss_syn(true, false));
    ((struct tcp_conn *)conn)->cc.cwnd = 64u << 20;
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1, .ack = 1, .window = 65535u << 7);
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(rig_send(rig, conn, i * MSS, MSS), 0);
    rig_wait(rig, RTT);
}

static void a_block_longer_than_the_steps_allowed_still_grows(void **state)
{
    open_long(4000);
    for (uint32_t i = 100; i <= 3900; i += 100)
        loss_sack(rig, SEQ(0), SEQ(1), SEQ(i));
    assert_int_equal(inside(conn)->sacked, 3899 * MSS);
}

static void of_blocks_all_over_a_long_flight_no_ack_walks_more_than_its_steps(void **state)
{
    open_long(5000);
    loss_sack(rig, SEQ(0), SEQ(1), SEQ(5000));
    assert_true(inside(conn)->sacked <= TCP_SACK_STEPS * MSS);
    assert_true(inside(conn)->sacked >= (TCP_SACK_STEPS - 2) * MSS);
    loss_sack(rig, SEQ(0), SEQ(1), SEQ(5000)); // the next goes on where it stopped
    loss_sack(rig, SEQ(0), SEQ(1), SEQ(5000));
    assert_int_equal(inside(conn)->sacked, 4999 * MSS);
}

#define TEST(name) cmocka_unit_test_teardown(name, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rfc2018_5_what_was_sacked_is_not_sent_again),
        TEST(rfc6675_4_pipe_is_what_is_neither_sacked_nor_lost),
        TEST(blocks_outside_what_is_in_flight_count_for_nothing),
        TEST(a_part_of_a_segment_is_not_the_segment_until_the_block_has_grown_over_it),
        TEST(a_block_grows_at_both_ends_and_blocks_merge),
        TEST(rfc2883_4_below_the_ack_or_inside_the_second_block_is_a_duplicate),
        TEST(rfc2018_8_a_peer_that_reneges_gets_everything_again),
        TEST(an_old_ack_s_blocks_do_no_harm),
        TEST(a_block_longer_than_the_steps_allowed_still_grows),
        TEST(of_blocks_all_over_a_long_flight_no_ack_walks_more_than_its_steps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
