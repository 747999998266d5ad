// SPDX-License-Identifier: Apache-2.0
// Explicit congestion notification (RFC 3168).
#include "loss.h"

#define ECN_SYN (SL_TCP_SYN | SL_TCP_ECE | SL_TCP_CWR)

static struct rig *rig;
static struct sl_tcp_conn *conn;

static int down(void **state)
{
    if (rig)
        rig_free(rig);
    rig = NULL;
    return 0;
}

static struct sl_tcp_options ecn_options(bool ecn)
{
    struct sl_tcp_options options = loss_options();

    options.ecn = ecn;
    options.congestion = "newreno";
    return options;
}

// The peer connects, asking with `syn_flags`; the flags of our SYN-ACK.
static uint8_t open_passive(bool ecn, uint8_t syn_flags)
{
    struct sl_tcp_options options = ecn_options(ecn);
    struct sl_tcp_event event;
    const struct rig_segment *answer;

    rig = rig_new();
    rig_listen(rig, &options);
    rig->shift = 7;
    RIG_PUT(rig, .flags = syn_flags, .window = 65535, .options = loss_syn(true, false));
    answer = rig_take(rig);
    assert_non_null(answer);
    assert_int_equal(answer->out.ecn, SL_ECN_NONE); // section 6.1.1: never on a SYN-ACK
    rig_wait(rig, RTT);
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1, .ack = 1, .window = PEER_WND);
    assert_true(rig_event(rig, &event));
    conn = event.conn;
    rig_drop_out(rig);
    return answer->out.flags;
}

static uint8_t begin_active(bool ecn)
{
    struct sl_tcp_options options = ecn_options(ecn);
    const struct rig_segment *syn;
    int error = 0;

    rig = rig_new();
    rig->shift = 7;
    conn = sl_tcp_connect(rig->tcp, &rig->local, rig->local_port, &rig->remote, rig->remote_port, &options,
                          NULL, rig->now_us, &error);
    rig_flush(rig);
    syn = rig_take(rig);
    assert_int_equal(syn->out.ecn, SL_ECN_NONE);
    return syn->out.flags;
}

static void answer_active(uint8_t flags)
{
    RIG_PUT(rig, .flags = flags, .ack = 1, .window = 65535, .options = loss_syn(true, false));
    rig_drop_out(rig);
}

static void s6_1_1_passive_agrees(void **state)
{
    assert_int_equal(open_passive(true, ECN_SYN), SL_TCP_SYN | SL_TCP_ACK | SL_TCP_ECE);
    assert_true(rig_info(conn).ecn);
}

static void s6_1_1_passive_was_not_asked(void **state)
{
    assert_int_equal(open_passive(true, SL_TCP_SYN), SL_TCP_SYN | SL_TCP_ACK);
    assert_false(rig_info(conn).ecn);
    down(NULL);
    assert_int_equal(open_passive(true, SL_TCP_SYN | SL_TCP_ECE), SL_TCP_SYN | SL_TCP_ACK); // half a question
    assert_false(rig_info(conn).ecn);
}

static void s6_1_1_passive_does_not_want(void **state)
{
    assert_int_equal(open_passive(false, ECN_SYN), SL_TCP_SYN | SL_TCP_ACK);
    assert_false(rig_info(conn).ecn);
}

static void s6_1_1_active_asks_and_the_answer_counts(void **state)
{
    assert_int_equal(begin_active(true), ECN_SYN);
    answer_active(SL_TCP_SYN | SL_TCP_ACK | SL_TCP_ECE);
    assert_true(rig_info(conn).ecn);
    down(NULL);
    begin_active(true);
    answer_active(SL_TCP_SYN | SL_TCP_ACK);
    assert_false(rig_info(conn).ecn);
    down(NULL);
    begin_active(true);
    answer_active(SL_TCP_SYN | SL_TCP_ACK | SL_TCP_ECE | SL_TCP_CWR); // a host that mirrors what it got
    assert_false(rig_info(conn).ecn);
    down(NULL);
    assert_int_equal(begin_active(false), SL_TCP_SYN);
}

static void s6_1_1_1_a_syn_that_gets_no_answer_goes_without_in_the_end(void **state)
{
    begin_active(true);
    rig_wait_out(rig, 10 * RIG_S);
    assert_int_equal(rig_take(rig)->out.flags, ECN_SYN);
    rig_wait_out(rig, 10 * RIG_S);
    assert_int_equal(rig_take(rig)->out.flags, SL_TCP_SYN);
}

static void s6_1_5_data_is_marked_acks_and_repetitions_are_not(void **state)
{
    const struct rig_segment *segment;

    open_passive(true, ECN_SYN);
    rig_send(rig, conn, 0, MSS);
    assert_int_equal(rig_take(rig)->out.ecn, SL_ECN_ECT0);
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1, .len = MSS, .ack = 1, .window = PEER_WND);
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1 + MSS, .len = MSS, .ack = 1, .window = PEER_WND);
    rig_wait(rig, 50 * RIG_MS);
    while ((segment = rig_take(rig)) != NULL)
        assert_int_equal(segment->out.ecn, SL_ECN_NONE);
    rig_wait_out(rig, RIG_S);
    segment = rig_take(rig);
    assert_int_equal(segment->out.len, MSS);
    assert_int_equal(segment->out.ecn, SL_ECN_NONE);
}

static void s6_1_3_ece_from_a_mark_until_cwr(void **state)
{
    const struct rig_segment *segment;

    open_passive(true, ECN_SYN);
    RIG_PUT(rig, .flags = SL_TCP_ACK, .ecn = SL_ECN_CE, .seq = 1, .len = 100, .ack = 1, .window = PEER_WND);
    segment = rig_take(rig);
    assert_non_null(segment); // at once
    assert_int_equal(segment->out.flags, SL_TCP_ACK | SL_TCP_ECE);
    RIG_PUT(rig, .flags = SL_TCP_ACK, .ecn = SL_ECN_ECT0, .seq = 101, .len = 100, .ack = 1,
            .window = PEER_WND);
    rig_wait(rig, 50 * RIG_MS);
    assert_int_equal(rig_take(rig)->out.flags, SL_TCP_ACK | SL_TCP_ECE);
    RIG_PUT(rig, .flags = SL_TCP_ACK | SL_TCP_CWR, .ecn = SL_ECN_ECT0, .seq = 201, .len = 100, .ack = 1,
            .window = PEER_WND);
    rig_wait(rig, 50 * RIG_MS);
    assert_int_equal(rig_take(rig)->out.flags, SL_TCP_ACK);
    RIG_PUT(rig, .flags = SL_TCP_ACK | SL_TCP_CWR, .ecn = SL_ECN_CE, .seq = 301, .len = 100, .ack = 1,
            .window = PEER_WND); // both at once: a new mark
    rig_wait(rig, 50 * RIG_MS);
    assert_int_equal(rig_take(rig)->out.flags, SL_TCP_ACK | SL_TCP_ECE);
}

static void echo(uint32_t ack)
{
    RIG_PUT(rig, .flags = SL_TCP_ACK | SL_TCP_ECE, .seq = 1, .ack = ack, .window = PEER_WND);
}

static void s6_1_2_an_echo_halves_the_window_once_a_window_and_cwr_tells(void **state)
{
    const struct rig_segment *segment;
    unsigned told = 0;

    open_passive(true, ECN_SYN);
    rig_send(rig, conn, 0, 60 * MSS);
    assert_int_equal(loss_count(rig), 10);
    rig_wait(rig, RTT);
    for (uint32_t i = 1; i <= 10; i++)
        echo(SEQ(i));
    assert_int_equal(rig_info(conn).ssthresh, 5 * MSS);
    assert_int_equal(sl_tcp_counters(rig->tcp)->ecn_reductions, 1);
    while ((segment = rig_take(rig)) != NULL)
        told += segment->out.len && segment->out.flags & SL_TCP_CWR;
    assert_int_equal(told, 1);
    assert_int_equal(rig_info(conn).retransmits, 0);
}

static void s6_1_2_the_next_window_s_echo_counts_again(void **state)
{
    uint32_t nxt;

    open_passive(true, ECN_SYN);
    rig_send(rig, conn, 0, 60 * MSS);
    rig_wait(rig, RTT);
    for (uint32_t i = 1; i <= 10; i++)
        echo(SEQ(i));
    nxt = rig_info(conn).snd_nxt - inside(conn)->iss;
    rig_wait(rig, RTT);
    loss_ack(rig, nxt);
    nxt = rig_info(conn).snd_nxt - inside(conn)->iss;
    rig_wait(rig, RTT);
    echo(nxt);
    assert_int_equal(sl_tcp_counters(rig->tcp)->ecn_reductions, 2);
}

static void s6_1_2_a_loss_tells_cwr_too_and_an_echo_in_its_window_is_no_other(void **state)
{
    const struct rig_segment *segment;
    uint32_t ssthresh;
    unsigned told = 0;

    open_passive(true, ECN_SYN);
    rig_send(rig, conn, 0, 60 * MSS);
    rig_drop_out(rig);
    rig_wait(rig, RTT);
    loss_sack(rig, SEQ(0), SEQ(1), SEQ(4));
    ssthresh = rig_info(conn).ssthresh;
    echo(SEQ(0));
    loss_sack(rig, SEQ(0), SEQ(1), SEQ(10));
    assert_int_equal(rig_info(conn).ssthresh, ssthresh);
    while ((segment = rig_take(rig)) != NULL)
        if (segment->out.flags & SL_TCP_CWR) {
            assert_true(segment->seq >= SEQ(10)); // on new data, never on a repetition
            told++;
        }
    assert_int_equal(told, 1);
}

static void an_echo_without_agreement_is_nothing(void **state)
{
    open_passive(false, ECN_SYN);
    rig_send(rig, conn, 0, 10 * MSS);
    rig_wait(rig, RTT);
    echo(SEQ(2));
    assert_true(rig_info(conn).ssthresh > 1000000);
}

static void an_echo_counts_after_2_gb_without_one(void **state)
{
    open_passive(true, ECN_SYN);
    ((struct tcp_conn *)conn)->ecn_seq += 0x70000000u; // as it looks then
    rig_send(rig, conn, 0, 10 * MSS);
    rig_wait(rig, RTT);
    echo(SEQ(2));
    assert_int_equal(sl_tcp_counters(rig->tcp)->ecn_reductions, 1);
}

#define TEST(name) cmocka_unit_test_teardown(name, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(s6_1_1_passive_agrees),
        TEST(s6_1_1_passive_was_not_asked),
        TEST(s6_1_1_passive_does_not_want),
        TEST(s6_1_1_active_asks_and_the_answer_counts),
        TEST(s6_1_1_1_a_syn_that_gets_no_answer_goes_without_in_the_end),
        TEST(s6_1_5_data_is_marked_acks_and_repetitions_are_not),
        TEST(s6_1_3_ece_from_a_mark_until_cwr),
        TEST(s6_1_2_an_echo_halves_the_window_once_a_window_and_cwr_tells),
        TEST(s6_1_2_the_next_window_s_echo_counts_again),
        TEST(s6_1_2_a_loss_tells_cwr_too_and_an_echo_in_its_window_is_no_other),
        TEST(an_echo_without_agreement_is_nothing),
        TEST(an_echo_counts_after_2_gb_without_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
