// SPDX-License-Identifier: Apache-2.0
// Proportional rate reduction (RFC 6937, RFC 9937): what is sent while the window comes down.
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

static void open_flight(const char *congestion, uint32_t flight, uint32_t queued)
{
    struct sl_tcp_options options = loss_options();

    options.congestion = congestion;
    rig = rig_new();
    conn = loss_open(rig, &options, loss_syn(true, false));
    ((struct tcp_conn *)conn)->cc.cwnd = flight * MSS;
    rig_send(rig, conn, 0, queued * MSS);
    assert_int_equal(loss_count(rig), flight);
    rig_wait(rig, RTT);
}

static void rfc6937_3_the_first_repetition_goes_at_once(void **state)
{
    open_flight("newreno", 20, 60);
    loss_sack(rig, SEQ(0), SEQ(1), SEQ(4));
    loss_expect(rig, 0);
    assert_int_equal(rig_info(conn).ssthresh, 10 * MSS);
}

static void rfc6937_3_half_of_what_is_delivered_goes_out_and_recovery_ends_at_ssthresh(void **state)
{
    uint32_t sent;

    open_flight("newreno", 20, 60);
    for (uint32_t i = 2; i <= 20; i++)
        loss_sack(rig, SEQ(0), SEQ(1), SEQ(i));
    sent = loss_count(rig);
    assert_in_range(sent, 9,
                    12); // of 19 delivered, at ssthresh / RecoverFS = 1/2, limited transmit's two included
    assert_in_range(rig_info(conn).pipe, 9 * MSS, 11 * MSS);
    rig_wait(rig, RTT);
    loss_ack(rig, SEQ(22));
    assert_int_equal(rig_info(conn).recovery, TCP_OPEN);
    assert_in_range(rig_info(conn).cwnd, 10 * MSS, 11 * MSS);
}

static void rfc6937_3_cubic_s_share_is_seven_tenths(void **state)
{
    open_flight("cubic", 20, 80);
    for (uint32_t i = 2; i <= 20; i++)
        loss_sack(rig, SEQ(0), SEQ(1), SEQ(i));
    assert_in_range(loss_count(rig), 13, 15);
    assert_in_range(rig_info(conn).ssthresh, 14 * MSS, 14 * MSS + 2 * MSS);
}

static void rfc6937_3_below_ssthresh_the_pipe_grows_by_what_is_delivered_and_one_more(void **state)
{
    uint32_t before;

    open_flight("newreno", 20, 60);
    loss_sack(rig, SEQ(0), SEQ(17), SEQ(20)); // 17 lost at once: the pipe is far below ssthresh
    assert_int_equal(loss_count(rig), 3);     // conservation: three delivered, three sent
    rig_wait(rig, RTT);
    before = rig_info(conn).pipe;
    loss_sack(rig, SEQ(1), SEQ(17), SEQ(20)); // a good ACK: one more than delivered (slow start's bound)
    assert_int_equal(loss_count(rig), 2);
    assert_int_equal(rig_info(conn).pipe, before + MSS);
}

static void rfc9937_an_ack_that_tells_of_more_losses_brings_no_more_than_was_delivered(void **state)
{
    uint32_t sent;

    open_flight("newreno", 20, 60);
    loss_sack(rig, SEQ(0), SEQ(8), SEQ(11)); // 0 to 7 lost; 11 to 19 in flight
    sent = loss_count(rig);
    rig_wait(rig, RTT);
    loss_sack2(rig, SEQ(1), SEQ(18), SEQ(20), SEQ(8), SEQ(11)); // three delivered, 11 to 17 lost too
    sent += loss_count(rig);
    assert_in_range(sent, 4, 6); // six delivered in all
}

static void an_application_limited_flight_is_what_the_share_is_of(void **state)
{
    struct sl_tcp_options options = loss_options();

    options.congestion = "newreno";
    rig = rig_new();
    conn = loss_open(rig, &options, loss_syn(true, false));
    ((struct tcp_conn *)conn)->cc.cwnd = 100 * MSS;
    rig_send(rig, conn, 0, 20 * MSS);
    rig_drop_out(rig);
    rig_wait(rig, RTT);
    loss_sack(rig, SEQ(0), SEQ(1), SEQ(4));
    assert_int_equal(rig_info(conn).ssthresh, 10 * MSS);
    assert_int_equal(inside(conn)->prr_prior, 20 * MSS);
}

#define TEST(name) cmocka_unit_test_teardown(name, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rfc6937_3_the_first_repetition_goes_at_once),
        TEST(rfc6937_3_half_of_what_is_delivered_goes_out_and_recovery_ends_at_ssthresh),
        TEST(rfc6937_3_cubic_s_share_is_seven_tenths),
        TEST(rfc6937_3_below_ssthresh_the_pipe_grows_by_what_is_delivered_and_one_more),
        TEST(rfc9937_an_ack_that_tells_of_more_losses_brings_no_more_than_was_delivered),
        TEST(an_application_limited_flight_is_what_the_share_is_of),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
