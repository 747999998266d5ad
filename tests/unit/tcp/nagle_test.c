// SPDX-License-Identifier: Apache-2.0
// Nagle's algorithm and PSH (RFC 9293 sections 3.7.4 and 3.9.1.2).
#include "script.h"

#define MSS 1460u

// ---- Nagle: section 3.7.4 -------------------------------------------------------------------------------------------
static void shld_7_one_small_segment_at_a_time_is_in_flight(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = rig_with(&conn, rig_options(), rig_bare_syn(), 65535);

    rig_send(rig, conn, 0, 10);
    rig_expect(rig, ACK | PSH, 1, 10, 1);
    rig_send(rig, conn, 10, 10);
    rig_send(rig, conn, 20, 10);
    rig_expect_none(rig);
    say(rig, ACK, 1, 0, 11);
    rig_expect(rig, ACK | PSH, 11, 20, 1); // what gathered goes as one (MAY-16)
    rig_free(rig);
}

static void shld_7_full_segments_do_not_wait(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = rig_with(&conn, rig_options(), rig_bare_syn(), 65535);

    rig_send(rig, conn, 0, 10);
    rig_send(rig, conn, 10, MSS);
    rig_drop_out(rig);
    rig_send(rig, conn, 10 + MSS, 2 * MSS);
    assert_int_equal(count_out(rig), 2);
    rig_free(rig);
}

// Appendix A.3 (Minshall): a small tail behind full segments goes, as no other small one is out.
static void a_small_tail_behind_full_segments_does_not_wait(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = rig_with(&conn, rig_options(), rig_bare_syn(), 65535);

    rig_send(rig, conn, 0, MSS + 100);
    rig_expect(rig, ACK, 1, MSS, 1);
    rig_expect(rig, ACK | PSH, 1 + MSS, 100, 1);
    rig_free(rig);
}

static void must_17_no_delay_sends_each_at_once(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_conn *conn;
    struct rig *rig;

    options.no_delay = true;
    rig = rig_with(&conn, options, rig_bare_syn(), 65535);
    for (unsigned i = 0; i < 4; i++) {
        rig_send(rig, conn, i * 10, 10);
        rig_expect(rig, ACK | PSH, 1 + i * 10, 10, 1);
    }
    rig_free(rig);
}

static void must_17_no_delay_can_be_set_later_and_lets_go_what_waits(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_conn *conn;
    struct rig *rig = rig_with(&conn, options, rig_bare_syn(), 65535);

    rig_send(rig, conn, 0, 10);
    rig_send(rig, conn, 10, 10);
    rig_drop_out(rig);
    options.no_delay = true;
    sl_tcp_options_set(conn, &options, rig->now_us);
    rig_flush(rig);
    rig_expect(rig, ACK | PSH, 11, 10, 1);
    rig_free(rig);
}

// MUST-60, MUST-61: nobody asks for PSH, so the last byte queued has it and no other.
static void must_61_the_last_segment_of_what_is_queued_pushes(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = rig_with(&conn, rig_options(), rig_bare_syn(), 65535);

    rig_send(rig, conn, 0, 3 * MSS);
    rig_expect(rig, ACK, 1, MSS, 1);
    rig_expect(rig, ACK, 1 + MSS, MSS, 1);
    rig_expect(rig, ACK | PSH, 1 + 2 * MSS, MSS, 1);
    rig_free(rig);
}

static void shld_28_many_small_pieces_make_full_segments(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = rig_with(&conn, rig_options(), rig_bare_syn(), 65535);

    for (unsigned i = 0; i < 40; i++) {
        struct sl_tcp_chunk chunk = rig_chunk(i * 365, 365);

        assert_int_equal(sl_tcp_send(conn, &chunk, rig->now_us), 0);
    }
    rig_flush(rig);
    for (unsigned i = 0; i < 10; i++)
        rig_expect(rig, i == 9 ? ACK | PSH : ACK, 1 + i * MSS, MSS, 1);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(shld_7_one_small_segment_at_a_time_is_in_flight),
        T(shld_7_full_segments_do_not_wait),
        T(a_small_tail_behind_full_segments_does_not_wait),
        T(must_17_no_delay_sends_each_at_once),
        T(must_17_no_delay_can_be_set_later_and_lets_go_what_waits),
        T(must_61_the_last_segment_of_what_is_queued_pushes),
        T(shld_28_many_small_pieces_make_full_segments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
