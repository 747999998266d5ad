// SPDX-License-Identifier: Apache-2.0
// The path MTU: told by routers (RFC 1191, RFC 8201), found out where nobody tells (RFC 4821, RFC 2923), and raised again.
#include "loss.h"

static struct rig *rig;
static struct sl_tcp_conn *conn;
static struct tcp_sack behind; // what the peer has beyond a hole

static int down(void **state)
{
    if (rig)
        rig_free(rig);
    rig = NULL;
    behind = (struct tcp_sack){0};
    return 0;
}

static void open_with(bool v6)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_config config;

    rig_config(&config);
    rig = rig_new_with(&config, v6);
    conn = loss_open(rig, &options, loss_syn(true, false));
}

static void too_big(uint32_t seq, uint32_t mtu)
{
    struct sl_tcp_icmp_in in = {.local = rig->local,
                                .remote = rig->remote,
                                .local_port = rig->local_port,
                                .remote_port = rig->remote_port,
                                .seq = rig->isn + seq,
                                .kind = SL_TCP_ICMP_TOO_BIG,
                                .mtu = mtu};

    sl_tcp_icmp(rig->tcp, &in, rig->now_us);
    rig_flush(rig);
}

static void rfc1191_3_what_is_in_flight_is_cut_anew_at_once_and_the_window_stays(void **state)
{
    uint32_t at = 1;

    open_with(false);
    rig_send(rig, conn, 0, 3 * MSS);
    rig_drop_out(rig);
    too_big(1, 1000);
    assert_int_equal(rig_info(conn).mtu, 1000);
    assert_int_equal(rig_info(conn).snd_mss, 960);
    for (unsigned i = 0; i < 20 && at < SEQ(3); i++) {
        const struct rig_segment *segment = rig_take(rig);

        if (!segment) {
            rig_wait(rig, RTT / 2);
            loss_ack(rig, at);
            continue;
        }
        assert_int_equal(segment->seq, at);
        assert_true(segment->out.len <= 960);
        at += segment->out.len;
    }
    assert_int_equal(at, SEQ(3));
    loss_ack(rig, SEQ(3));
    assert_true(rig_info(conn).ssthresh > 1000000); // no congestion
    assert_true(rig_info(conn).cwnd >= 10 * MSS);
    assert_int_equal(sl_tcp_counters(rig->tcp)->timeouts, 0);
    assert_int_equal(rig_info(conn).recovery, TCP_OPEN);
}

static void rfc5927_4_of_a_number_not_in_flight_it_is_a_forgery(void **state)
{
    open_with(false);
    rig_send(rig, conn, 0, MSS);
    too_big(1 + MSS + 1, 1000);
    too_big(0xf0000000u, 1000);
    assert_int_equal(rig_info(conn).mtu, 1500);
}

static void rfc1191_3_never_below_576_and_rfc8201_4_never_below_1280(void **state)
{
    open_with(false);
    rig_send(rig, conn, 0, MSS);
    too_big(1, 100);
    assert_int_equal(rig_info(conn).mtu, 576);
    down(NULL);
    open_with(true);
    rig_send(rig, conn, 0, MSS);
    too_big(1, 600);
    assert_int_equal(rig_info(conn).mtu, 1280);
}

static void rfc1191_5_a_router_that_says_no_mtu_means_the_next_lower_one(void **state)
{
    open_with(false);
    rig_send(rig, conn, 0, MSS);
    too_big(1, 0);
    assert_int_equal(rig_info(conn).mtu, 1492);
}

static void an_mtu_larger_than_ours_changes_nothing(void **state)
{
    open_with(false);
    rig_send(rig, conn, 0, MSS);
    too_big(1, 9000);
    too_big(1, 1500);
    assert_int_equal(rig_info(conn).mtu, 1500);
    assert_int_equal(rig_info(conn).retransmits, 0);
}

// ---- black holes ---------------------------------------------------------------------------------------------------
// Lets what is not larger than `mtu` through, acknowledging in order, for `rounds` round trips; counts the rest.
static uint32_t black_hole(uint32_t mtu, uint32_t *at, unsigned rounds)
{
    uint32_t swallowed = 0;

    for (unsigned i = 0; i < rounds; i++) {
        const struct rig_segment *segment;
        uint32_t before = *at;
        bool heard = false;

        rig_wait(rig, RTT);
        while ((segment = rig_take(rig)) != NULL) {
            uint32_t end = segment->seq + segment->out.len;

            if (segment->out.len == 0)
                continue;
            if (segment->out.len + 40u > mtu) {
                swallowed++;
                continue;
            }
            heard = true;
            if (tcp_seq_le(segment->seq, *at) && tcp_seq_gt(end, *at)) {
                *at = end;
                if (behind.start == *at && behind.end != behind.start)
                    *at = behind.end;
            } else if (tcp_seq_gt(segment->seq, *at)) {
                behind = behind.end == segment->seq ? (struct tcp_sack){behind.start, end}
                                                    : (struct tcp_sack){segment->seq, end};
            }
        }
        if (heard && tcp_seq_gt(behind.end, *at))
            loss_sack(rig, *at, behind.start, behind.end);
        else if (heard || *at != before)
            loss_ack(rig, *at);
    }
    return swallowed;
}

static void rfc4821_7_7_two_timeouts_of_full_segments_lower_it_until_they_get_through(void **state)
{
    uint32_t at = 1;

    open_with(false);
    rig_send(rig, conn, 0, 40 * MSS);
    black_hole(1400, &at, 200);
    assert_int_equal(at, SEQ(40));
    assert_int_equal(rig_info(conn).mtu, 1400);
}

static void rfc2923_2_1_small_segments_that_vanish_are_no_black_hole(void **state)
{
    open_with(false);
    rig_send(rig, conn, 0, 300);
    rig_wait(rig, 20 * RIG_S);
    assert_int_equal(rig_info(conn).mtu, 1500);
}

static void an_mtu_that_large_segments_would_have_passed_is_not_lowered_below_them(void **state)
{
    open_with(false);
    rig_send(rig, conn, 0, 1300);
    rig_wait(rig, 60 * RIG_S);
    assert_true(rig_info(conn).mtu == 1500);
}

// Options besides the timestamps leave a full segment less than full: below the next step of the table, and no less lost.
static void a_full_segment_cut_short_by_its_options_is_found_out_too(void **state)
{
    open_with(false);
    rig_send(rig, conn, 0, MSS - 28);
    rig_wait(rig, 20 * RIG_S);
    assert_in_range(rig_info(conn).mtu, 576, 1400);
}

static void after_a_mere_outage_it_is_raised_again_at_once(void **state)
{
    uint32_t at = 1;

    open_with(false);
    rig_send(rig, conn, 0, 100 * MSS);
    black_hole(0, &at, 60); // nothing gets through, for 6 s
    assert_true(rig_info(conn).mtu < 1500);
    black_hole(1500, &at, 60);
    assert_int_equal(rig_info(conn).mtu, 1500);
    assert_int_equal(at, SEQ(100));
}

static void rfc1191_6_3_after_ten_minutes_a_larger_one_is_tried(void **state)
{
    uint32_t at = 1;

    open_with(false);
    rig_send(rig, conn, 0, MSS);
    too_big(1, 1000);
    black_hole(1500, &at, 10);
    rig_send(rig, conn, MSS, 40 * MSS);
    black_hole(1500, &at, 30);
    assert_int_equal(rig_info(conn).mtu, 1000);
    rig_wait(rig, 600 * RIG_S);
    rig_send(rig, conn, 41 * MSS, 40 * MSS);
    assert_int_equal(sl_tcp_counters(rig->tcp)->mtu_raises, 0);
    black_hole(1500, &at, 30);
    assert_int_equal(rig_info(conn).mtu, 1500);
    assert_int_equal(sl_tcp_counters(rig->tcp)->mtu_raises, 1);
    assert_int_equal(at, SEQ(81));
}

static void rfc4821_7_5_a_lost_probe_costs_a_segment_and_not_the_window(void **state)
{
    uint32_t at = 1, swallowed;

    open_with(false);
    rig_send(rig, conn, 0, MSS);
    too_big(1, 1000);
    black_hole(1500, &at, 10);
    rig_wait(rig, 600 * RIG_S);
    rig_send(rig, conn, MSS, 100 * MSS);
    swallowed = black_hole(1000, &at, 60);
    assert_in_range(swallowed, 1, 6); // one for each MTU of the table in between
    assert_int_equal(rig_info(conn).mtu, 1000);
    assert_true(rig_info(conn).ssthresh > 1000000);
    assert_int_equal(sl_tcp_counters(rig->tcp)->timeouts, 0);
    assert_int_equal(at, SEQ(101));
}

static void a_router_between_lets_the_search_end_at_the_plateau_below_it(void **state)
{
    uint32_t at = 1;

    open_with(false);
    rig_send(rig, conn, 0, MSS);
    too_big(1, 1000);
    black_hole(1500, &at, 10);
    rig_wait(rig, 600 * RIG_S);
    rig_send(rig, conn, MSS, 200 * MSS);
    black_hole(1420, &at, 60);
    assert_int_equal(rig_info(conn).mtu, 1400);
}

static void without_records_left_a_segment_cut_anew_still_arrives(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_config config;
    uint32_t at = 1;

    rig_config(&config);
    config.segments_held = 4;
    rig = rig_new_with(&config, false);
    conn = loss_open(rig, &options, loss_syn(true, false));
    rig_send(rig, conn, 0, 20 * MSS);
    assert_int_equal(loss_count(rig), 4);
    too_big(1, 600);
    black_hole(600, &at, 400);
    assert_int_equal(at, SEQ(20));
}

#define TEST(name) cmocka_unit_test_teardown(name, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rfc1191_3_what_is_in_flight_is_cut_anew_at_once_and_the_window_stays),
        TEST(rfc5927_4_of_a_number_not_in_flight_it_is_a_forgery),
        TEST(rfc1191_3_never_below_576_and_rfc8201_4_never_below_1280),
        TEST(rfc1191_5_a_router_that_says_no_mtu_means_the_next_lower_one),
        TEST(an_mtu_larger_than_ours_changes_nothing),
        TEST(rfc4821_7_7_two_timeouts_of_full_segments_lower_it_until_they_get_through),
        TEST(rfc2923_2_1_small_segments_that_vanish_are_no_black_hole),
        TEST(an_mtu_that_large_segments_would_have_passed_is_not_lowered_below_them),
        TEST(a_full_segment_cut_short_by_its_options_is_found_out_too),
        TEST(after_a_mere_outage_it_is_raised_again_at_once),
        TEST(rfc1191_6_3_after_ten_minutes_a_larger_one_is_tried),
        TEST(rfc4821_7_5_a_lost_probe_costs_a_segment_and_not_the_window),
        TEST(a_router_between_lets_the_search_end_at_the_plateau_below_it),
        TEST(without_records_left_a_segment_cut_anew_still_arrives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
