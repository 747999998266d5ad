// SPDX-License-Identifier: Apache-2.0
// Timestamps (RFC 7323): what is echoed, what PAWS refuses, how the round trip is taken.
#include <stdio.h>
#include "script.h"

#define TSVAL 5000u // of the peer, at the beginning
#define DAY   (24 * 3600 * RIG_S)

static void put(struct rig *rig, uint32_t seq, uint32_t len, uint32_t ack, uint32_t tsval)
{
    rig->tsval = tsval;
    say(rig, ACK, seq, len, ack);
}

static const struct rig_segment *last_out(struct rig *rig)
{
    const struct rig_segment *last = NULL, *next;

    while ((next = rig_take(rig)) != NULL)
        last = next;
    assert_non_null(last);
    return last;
}

// A stranger whose segment lies in the window, but whose ACK does not, must not choose what PAWS refuses from then on.
static void rfc7323_4_3_a_segment_whose_ack_is_refused_leaves_no_timestamp(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open_full(rig);

    put(rig, 1, 10, 0x40000000, TSVAL + 1000000);
    put(rig, 1, 0, 0xc0000000, TSVAL + 1000000);
    put(rig, 1, 10, 1, TSVAL + 1);
    assert_int_equal(rig_read(rig, conn, 0), 10);
    assert_int_equal(COUNTER(rig, refused_paws), 0);
    rig_free(rig);
}

// ---- on the wire --------------------------------------------------------------------------------------------------
static void rfc7323_3_2_every_segment_carries_them_once_agreed(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open_full(rig);

    rig_send(rig, conn, 0, 5000);
    put(rig, 1, 10, 1449, TSVAL);
    sl_tcp_shutdown(conn, rig->now_us);
    rig_flush(rig);
    for (unsigned i = 0; i < rig->n_out; i++)
        assert_true(rig->out[i]->options.present & TCP_OPTION_TIMESTAMPS);
    rig_free(rig);
}

static void rfc7323_3_2_so_does_a_reset(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open_full(rig);
    const struct rig_segment *last;
    uint32_t before;

    put(rig, 1, 10, 1, TSVAL + 7);
    before = last_out(rig)->options.tsval;
    rig_wait(rig, RIG_S);
    sl_tcp_close(conn, rig->now_us); // with bytes unread
    last = last_out(rig);
    assert_int_equal(last->out.flags, SL_TCP_RST | SL_TCP_ACK);
    assert_true(last->options.present & TCP_OPTION_TIMESTAMPS);
    assert_int_equal(last->options.tsval - before, 1000);
    assert_int_equal(last->options.tsecr, TSVAL + 7);
    rig_free(rig);
}

static void rfc7323_3_2_none_carries_them_where_one_end_lacks_them(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);

    rig_send(rig, conn, 0, 5000);
    say(rig, ACK, 1, 10, 1461);
    for (unsigned i = 0; i < rig->n_out; i++)
        assert_false(rig->out[i]->options.present & TCP_OPTION_TIMESTAMPS);
    rig_free(rig);
}

static void rfc7323_5_4_the_clock_ticks_once_a_millisecond(void **state)
{
    struct rig *rig = rig_new();
    uint32_t first;

    script_open_full(rig);
    put(rig, 1, 10, 1, TSVAL);
    first = last_out(rig)->options.tsval;
    rig_wait(rig, 1234 * RIG_MS);
    put(rig, 11, 10, 1, TSVAL);
    assert_int_equal(last_out(rig)->options.tsval - first, 1234);
    rig_free(rig);
}

// Section 5.4 and 7: not the machine's uptime, and not the same for all.
static void rfc7323_5_4_offsets_differ_by_address(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct rig *rig = rig_new();
    uint32_t offsets[3];

    for (unsigned i = 0; i < 3; i++) {
        char text[16];
        int error;

        snprintf(text, sizeof(text), "192.0.2.%u", 10 + i);
        sl_ip_parse(text, &rig->remote);
        sl_tcp_connect(rig->tcp, &rig->local, rig->local_port, &rig->remote, 80, &options, NULL, rig->now_us,
                       &error);
        rig_flush(rig);
        offsets[i] = rig_take(rig)->options.tsval - (uint32_t)(rig->now_us / RIG_MS);
        assert_int_not_equal(offsets[i], 0);
    }
    assert_int_not_equal(offsets[0], offsets[1]);
    assert_int_not_equal(offsets[1], offsets[2]);
    rig_free(rig);
}

// ---- which one is echoed: section 4.3 -------------------------------------------------------------------------------
static void rfc7323_4_3_a_the_earliest_unacknowledged_one_with_delayed_acks(void **state)
{
    struct rig *rig = rig_new();

    script_open_full(rig);
    for (unsigned i = 0; i < 20; i++) // out of quick acknowledgements
        put(rig, 1 + 100 * i, 100, 1, TSVAL + i);
    rig_wait(rig, 100 * RIG_MS);
    rig_drop_out(rig);
    put(rig, 2001, 100, 1, TSVAL + 100);
    rig_expect_none(rig);
    put(rig, 2101, 100, 1, TSVAL + 110);
    rig_wait(rig, 100 * RIG_MS);
    assert_int_equal(rig_expect(rig, ACK, 1, 0, 2201)->options.tsecr, TSVAL + 100);
    rig_free(rig);
}

static void rfc7323_4_3_b_behind_a_hole_the_one_before_it(void **state)
{
    struct rig *rig = rig_new();

    script_open_full(rig);
    put(rig, 1, 100, 1, TSVAL + 1);
    rig_drop_out(rig);
    put(rig, 201, 100, 1, TSVAL + 50);
    assert_int_equal(rig_expect(rig, ACK, 1, 0, 101)->options.tsecr, TSVAL + 1);
    rig_free(rig);
}

static void rfc7323_4_3_c_a_filled_hole_the_one_that_filled_it(void **state)
{
    struct rig *rig = rig_new();

    script_open_full(rig);
    put(rig, 101, 100, 1, TSVAL + 50);
    rig_drop_out(rig);
    put(rig, 1, 100, 1, TSVAL + 80);
    assert_int_equal(rig_expect(rig, ACK, 1, 0, 201)->options.tsecr, TSVAL + 80);
    rig_free(rig);
}

static void an_older_one_in_place_is_not_remembered(void **state)
{
    struct rig *rig = rig_new();

    script_open_full(rig);
    put(rig, 1, 100, 1, TSVAL + 50);
    put(rig, 101, 100, 1, TSVAL + 49); // refused
    rig_drop_out(rig);
    put(rig, 101, 100, 1, TSVAL + 50);
    assert_int_equal(rig_expect(rig, ACK, 1, 0, 201)->options.tsecr, TSVAL + 50);
    rig_free(rig);
}

static void an_acknowledgement_alone_updates_it(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open_full(rig);

    put(rig, 1, 0, 1, TSVAL + 77);
    rig_send(rig, conn, 0, 10);
    assert_int_equal(last_out(rig)->options.tsecr, TSVAL + 77);
    rig_free(rig);
}

static void one_out_of_the_window_is_not_remembered(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open_full(rig);

    put(rig, 0x30000000, 10, 1, TSVAL + 1000);
    put(rig, 0u - 100, 10, 1, TSVAL + 2000);
    rig_drop_out(rig);
    rig_send(rig, conn, 0, 10);
    assert_int_equal(last_out(rig)->options.tsecr, TSVAL);
    rig_free(rig);
}

// The segment goes for its ACK (RFC 5961 section 5). Would its timestamp stay, PAWS would refuse every honest one.
static void one_with_an_ack_of_nothing_sent_is_not_remembered(void **state)
{
    struct rig *rig = rig_new();
    const struct rig_segment *last;

    script_open_full(rig);
    put(rig, 1, 0, 9999, TSVAL + 100000);
    put(rig, 1, 10, 1, TSVAL + 1);
    last = last_out(rig);
    assert_int_equal(last->ack, 11);
    assert_int_equal(last->options.tsecr, TSVAL + 1);
    rig_free(rig);
}

// ---- PAWS: section 5 ------------------------------------------------------------------------------------------------
static void rfc7323_5_3_r1_an_older_one_is_refused_and_answered(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open_full(rig);

    put(rig, 1, 100, 1, TSVAL - 1);
    rig_expect(rig, ACK, 1, 0, 1);
    assert_int_equal(COUNTER(rig, refused_paws), 1);
    assert_int_equal(rig_info(conn).rcv_unread, 0);
    rig_free(rig);
}

static void rfc7323_5_3_the_order_is_modulo_2_32(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn;

    rig->tsval = 0xfffffff0;
    conn = rig_open_passive(rig, &options, rig_full_syn(), 65535);
    put(rig, 1, 100, 1, 5); // has wrapped
    assert_int_equal(rig_read(rig, conn, 0), 100);
    put(rig, 101, 100, 1, 0xfffffff8);
    assert_int_equal(COUNTER(rig, refused_paws), 1);
    rig_free(rig);
}

static void rfc7323_5_3_an_equal_one_is_taken(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open_full(rig);

    put(rig, 1, 100, 1, TSVAL);
    put(rig, 101, 100, 1, TSVAL);
    assert_int_equal(rig_read(rig, conn, 0), 200);
    rig_free(rig);
}

static void a_refused_acknowledgement_acknowledges_nothing(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open_full(rig);

    rig_send(rig, conn, 0, 100);
    put(rig, 1, 0, 101, TSVAL - 1);
    assert_int_equal(rig_info(conn).snd_una - rig->isn, 1);
    rig_free(rig);
}

static void a_refused_syn_or_fin_changes_nothing(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open_full(rig);

    rig->tsval = TSVAL - 1;
    say(rig, FIN | ACK, 1, 0, 1);
    say(rig, SYN, 1, 0, 0);
    expect_state(conn, SL_TCP_ESTABLISHED);
    rig_free(rig);
}

static void rfc7323_5_5_after_24_days_of_silence_any_is_taken_and_echoed(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open_full(rig);

    rig->now_us += 23 * DAY;
    put(rig, 1, 10, 1, TSVAL - 1000);
    assert_int_equal(COUNTER(rig, refused_paws), 1);
    rig->now_us += 2 * DAY;
    rig_drop_out(rig);
    put(rig, 1, 10, 1, TSVAL - 1000);
    assert_int_equal(COUNTER(rig, refused_paws), 1);
    assert_int_equal(rig_read(rig, conn, 0), 10);
    assert_int_equal(last_out(rig)->options.tsecr, TSVAL - 1000);
    put(rig, 11, 10, 1, TSVAL - 1001); // and is the measure from then on
    assert_int_equal(COUNTER(rig, refused_paws), 2);
    rig_free(rig);
}

// Section 3.2 says SHOULD drop; peers and boxes that forget them are there, and so Linux takes it.
static void a_segment_without_them_is_taken(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open_full(rig);

    RIG_PUT(rig, .flags = ACK, .seq = 1, .len = 10, .ack = 1, .window = 65535, .no_timestamps = true);
    assert_int_equal(rig_read(rig, conn, 0), 10);
    rig_free(rig);
}

// ---- round trips: section 4.1
// -----------------------------------------------------------------------------------------
static void rfc7323_4_1_a_repeated_segment_is_measured_by_its_echo(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open_full(rig);
    struct sl_tcp_info info;

    rig_wait(rig, RIG_S);
    rig_send(rig, conn, 0, 100);
    rig_drop_out(rig);
    rig_wait_out(rig, 10 * RIG_S); // sent again; the echo will be of this one
    rig_drop_out(rig);
    rig_wait(rig, 30 * RIG_MS);
    put(rig, 1, 0, 101, TSVAL + 1000);
    info = rig_info(conn);
    assert_in_range(info.srtt_us, 0, 40 * RIG_MS);
    rig_free(rig);
}

static void an_echo_from_the_future_is_no_measure(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open_full(rig);
    uint32_t before;

    rig_wait(rig, RIG_S);
    rig_send(rig, conn, 0, 100);
    rig_wait_out(rig, 10 * RIG_S);
    rig_drop_out(rig);
    before = rig_info(conn).srtt_us;
    rig->tsecr += 100000;
    put(rig, 1, 0, 101, TSVAL + 1000);
    assert_int_equal(rig_info(conn).srtt_us, before);
    assert_int_equal(rig_info(conn).snd_una - rig->isn, 101);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc7323_4_3_a_segment_whose_ack_is_refused_leaves_no_timestamp),
        T(rfc7323_3_2_every_segment_carries_them_once_agreed),
        T(rfc7323_3_2_so_does_a_reset),
        T(rfc7323_3_2_none_carries_them_where_one_end_lacks_them),
        T(rfc7323_5_4_the_clock_ticks_once_a_millisecond),
        T(rfc7323_5_4_offsets_differ_by_address),
        T(rfc7323_4_3_a_the_earliest_unacknowledged_one_with_delayed_acks),
        T(rfc7323_4_3_b_behind_a_hole_the_one_before_it),
        T(rfc7323_4_3_c_a_filled_hole_the_one_that_filled_it),
        T(an_older_one_in_place_is_not_remembered),
        T(an_acknowledgement_alone_updates_it),
        T(one_out_of_the_window_is_not_remembered),
        T(one_with_an_ack_of_nothing_sent_is_not_remembered),
        T(rfc7323_5_3_r1_an_older_one_is_refused_and_answered),
        T(rfc7323_5_3_the_order_is_modulo_2_32),
        T(rfc7323_5_3_an_equal_one_is_taken),
        T(a_refused_acknowledgement_acknowledges_nothing),
        T(a_refused_syn_or_fin_changes_nothing),
        T(rfc7323_5_5_after_24_days_of_silence_any_is_taken_and_echoed),
        T(a_segment_without_them_is_taken),
        T(rfc7323_4_1_a_repeated_segment_is_measured_by_its_echo),
        T(an_echo_from_the_future_is_no_measure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
