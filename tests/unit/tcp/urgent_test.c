// SPDX-License-Identifier: Apache-2.0
// Urgent data (RFC 9293 section 3.8.5, RFC 6093): in line both ways, its end told.
#include "script.h"

static void urgent(struct rig *rig, uint32_t seq, uint32_t len, uint16_t pointer)
{
    RIG_PUT(rig, .flags = ACK | URG, .seq = seq, .len = len, .ack = 1, .window = 65535, .urgent = pointer);
}

// ---- in ---------------------------------------------------------------------------------------------------------
static void rfc6093_urgent_bytes_stay_in_line(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);

    urgent(rig, 1, 100, 50);
    say(rig, ACK, 101, 100, 1);
    assert_int_equal(rig_read(rig, conn, 0), 200);
    rig_free(rig);
}

static void must_32_33_the_reader_is_told_and_can_ask_how_far_it_goes(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);
    struct sl_tcp_chunk chunk;

    urgent(rig, 1, 100, 60);
    assert_int_equal(script_events(rig, NULL), SL_TCP_URGENT | SL_TCP_READABLE);
    assert_int_equal(rig_info(conn).rcv_urgent, 60);
    assert_int_equal(sl_tcp_read(conn, 25, &chunk, rig->now_us), 1);
    rig_buffers.release(chunk.owner);
    assert_int_equal(rig_info(conn).rcv_urgent, 35);
    assert_int_equal(sl_tcp_read(conn, 35, &chunk, rig->now_us), 1);
    rig_buffers.release(chunk.owner);
    assert_int_equal(rig_info(conn).rcv_urgent, 0);
    rig_free(rig);
}

static void must_32_each_step_of_the_pointer_is_told_and_no_repetition(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);

    urgent(rig, 1, 100, 100);
    assert_true(script_events(rig, NULL) & SL_TCP_URGENT);
    urgent(rig, 51, 50, 50); // the same byte
    assert_false(script_events(rig, NULL) & SL_TCP_URGENT);
    urgent(rig, 101, 100, 100);
    assert_true(script_events(rig, NULL) & SL_TCP_URGENT);
    assert_int_equal(rig_info(conn).rcv_urgent, 200);
    urgent(rig, 201, 10, 0u);
    assert_int_equal(rig_info(conn).rcv_urgent, 200);
    rig_free(rig);
}

// MUST-31: the pointer may lie far ahead of what has come.
static void must_31_urgent_data_may_be_longer_than_a_segment(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);
    uint32_t read = 0;

    urgent(rig, 1, 1000, 40000);
    assert_int_equal(rig_info(conn).rcv_urgent, 40000);
    for (unsigned i = 1; i < 40; i++) {
        urgent(rig, 1 + i * 1000, 1000, (uint16_t)(40000 - i * 1000));
        read += rig_read(rig, conn, read);
    }
    assert_int_equal(rig_info(conn).rcv_urgent, 0);
    assert_int_equal(read, 40000);
    rig_free(rig);
}

static void must_66_a_pointer_counts_with_a_closed_window(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn;

    options.rx_initial_bytes = 1000;
    conn = rig_open_passive(rig, &options, rig_bare_syn(), 65535);
    say(rig, ACK, 1, 1000, 1);
    script_events(rig, NULL);
    urgent(rig, 1001, 0, 500);
    assert_int_equal(script_events(rig, NULL), SL_TCP_URGENT);
    assert_int_equal(rig_info(conn).rcv_urgent, 1500);
    rig_free(rig);
}

static void a_pointer_out_of_the_window_or_behind_the_reader_is_ignored(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);

    urgent(rig, 0x30000000, 10, 5);
    say(rig, ACK, 1, 100, 1);
    rig_read(rig, conn, 0);
    script_events(rig, NULL);
    urgent(rig, 51, 60, 20);
    assert_false(script_events(rig, NULL) & SL_TCP_URGENT);
    assert_int_equal(rig_info(conn).rcv_urgent, 0);
    rig_free(rig);
}

static void a_pointer_without_the_flag_is_ignored(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);

    RIG_PUT(rig, .flags = ACK, .seq = 1, .len = 10, .ack = 1, .window = 65535, .urgent = 5);
    assert_int_equal(script_events(rig, NULL), SL_TCP_READABLE);
    assert_int_equal(rig_info(conn).rcv_urgent, 0);
    rig_free(rig);
}

// ---- out ----------------------------------------------------------------------------------------------------------
static void must_30_62_the_pointer_names_the_byte_behind_the_last_urgent_one(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);
    struct sl_tcp_chunk chunk = rig_chunk(0, 100);
    const struct rig_segment *out;

    assert_int_equal(sl_tcp_send(conn, &chunk, rig->now_us), 0);
    sl_tcp_urgent(conn);
    rig_flush(rig);
    out = rig_expect(rig, ACK | PSH | URG, 1, 100, 1);
    assert_int_equal(out->out.urgent, 100);
    rig_free(rig);
}

static void the_flag_stands_on_every_segment_up_to_the_last_urgent_byte(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);
    struct sl_tcp_chunk chunk = rig_chunk(0, 3000), more = rig_chunk(3000, 1380);

    assert_int_equal(sl_tcp_send(conn, &chunk, rig->now_us), 0);
    sl_tcp_urgent(conn);
    assert_int_equal(sl_tcp_send(conn, &more, rig->now_us), 0);
    rig_flush(rig);
    assert_int_equal(rig_expect(rig, ACK | URG, 1, 1460, 1)->out.urgent, 3000);
    assert_int_equal(rig_expect(rig, ACK | URG, 1461, 1460, 1)->out.urgent, 1540);
    assert_int_equal(rig_expect(rig, ACK | URG | PSH, 2921, 1460, 1)->out.urgent, 80);
    rig_send(rig, conn, 4380, 1460);
    rig_expect(rig, ACK | PSH, 4381, 1460, 1);
    rig_free(rig);
}

static void must_31_a_pointer_too_far_for_its_field_is_told_as_65535(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);
    struct sl_tcp_chunk chunk = rig_chunk(0, 100000);

    assert_int_equal(sl_tcp_send(conn, &chunk, rig->now_us), 0);
    sl_tcp_urgent(conn);
    rig_flush(rig);
    assert_int_equal(rig_take(rig)->out.urgent, 65535);
    rig_free(rig);
}

static void a_repetition_is_as_urgent(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);
    struct sl_tcp_chunk chunk = rig_chunk(0, 100);

    assert_int_equal(sl_tcp_send(conn, &chunk, rig->now_us), 0);
    sl_tcp_urgent(conn);
    rig_flush(rig);
    rig_drop_out(rig);
    rig_wait_out(rig, 10 * RIG_S);
    assert_int_equal(rig_expect(rig, ACK | PSH | URG, 1, 100, 1)->out.urgent, 100);
    rig_free(rig);
}

static void nothing_is_urgent_2_gb_behind_the_last_urgent_byte(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);
    struct sl_tcp_chunk chunk = rig_chunk(0, 100);

    assert_int_equal(sl_tcp_send(conn, &chunk, rig->now_us), 0);
    sl_tcp_urgent(conn);
    rig_flush(rig);
    say(rig, ACK, 1, 0, 101);
    rig_drop_out(rig);
    ((struct tcp_conn *)conn)->snd_up -= 0x80000000u; // as it looks then
    rig_send(rig, conn, 100, 100);
    rig_expect(rig, ACK | PSH, 101, 100, 1);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc6093_urgent_bytes_stay_in_line),
        T(must_32_33_the_reader_is_told_and_can_ask_how_far_it_goes),
        T(must_32_each_step_of_the_pointer_is_told_and_no_repetition),
        T(must_31_urgent_data_may_be_longer_than_a_segment),
        T(must_66_a_pointer_counts_with_a_closed_window),
        T(a_pointer_out_of_the_window_or_behind_the_reader_is_ignored),
        T(a_pointer_without_the_flag_is_ignored),
        T(must_30_62_the_pointer_names_the_byte_behind_the_last_urgent_one),
        T(the_flag_stands_on_every_segment_up_to_the_last_urgent_byte),
        T(must_31_a_pointer_too_far_for_its_field_is_told_as_65535),
        T(a_repetition_is_as_urgent),
        T(nothing_is_urgent_2_gb_behind_the_last_urgent_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
