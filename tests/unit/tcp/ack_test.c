// SPDX-License-Identifier: Apache-2.0
// When an acknowledgement goes out (RFC 9293 section 3.8.6.3, RFC 5681 section 4.2): delayed, every second full
// segment, at once where it matters.
#include "script.h"

#define MSS 1460u

// A connection that has used up the quick acknowledgements of its beginning; *next is the peer's next number.
static struct rig *settled(struct sl_tcp_conn **conn, uint32_t *next)
{
    struct rig *rig = rig_new();

    *conn = script_open(rig);
    for (*next = 1; *next < 1 + 20 * 500; *next += 500)
        say(rig, ACK, *next, 500, 1);
    say(rig, ACK, *next, MSS, 1);
    *next += MSS;
    rig_read(rig, *conn, 0);
    rig_wait(rig, 200 * RIG_MS);
    rig_drop_out(rig);
    return rig;
}

static void must_40_an_acknowledgement_is_put_off_40_ms_at_most(void **state)
{
    struct sl_tcp_conn *conn;
    uint32_t next;
    struct rig *rig = settled(&conn, &next);

    say(rig, ACK, next, 100, 1);
    rig_expect_none(rig);
    rig_wait(rig, 39 * RIG_MS);
    rig_expect_none(rig);
    rig_wait(rig, 2 * RIG_MS);
    rig_expect(rig, ACK, 1, 0, next + 100);
    rig_wait(rig, RIG_S);
    rig_expect_none(rig);
    rig_free(rig);
}

static void the_delay_counts_from_the_first_byte_not_acknowledged(void **state)
{
    struct sl_tcp_conn *conn;
    uint32_t next;
    struct rig *rig = settled(&conn, &next);

    say(rig, ACK, next, 100, 1);
    rig_wait(rig, 30 * RIG_MS);
    say(rig, ACK, next + 100, 100, 1);
    rig_expect_none(rig);
    rig_wait(rig, 11 * RIG_MS);
    rig_expect(rig, ACK, 1, 0, next + 200);
    rig_free(rig);
}

static void shld_19_every_second_full_segment_is_acknowledged(void **state)
{
    struct sl_tcp_conn *conn;
    uint32_t next;
    struct rig *rig = settled(&conn, &next);

    for (unsigned i = 0; i < 10; i++, next += 2 * MSS) {
        say(rig, ACK, next, MSS, 1);
        rig_expect_none(rig);
        say(rig, ACK, next + MSS, MSS, 1);
        rig_expect(rig, ACK, 1, 0, next + 2 * MSS);
        rig_read(rig, conn, next - 1);
        rig_drop_out(rig);
    }
    rig_free(rig);
}

static void two_segments_worth_of_small_ones_is_acknowledged(void **state)
{
    struct sl_tcp_conn *conn;
    uint32_t next, from;
    struct rig *rig = settled(&conn, &next);

    for (from = next; next - from + 300 < 2 * MSS; next += 300) {
        say(rig, ACK, next, 300, 1);
        rig_expect_none(rig);
    }
    say(rig, ACK, next, 300, 1);
    rig_expect(rig, ACK, 1, 0, next + 300);
    rig_free(rig);
}

static void must_58_data_carries_the_acknowledgement_that_is_due(void **state)
{
    struct sl_tcp_conn *conn;
    uint32_t next;
    struct rig *rig = settled(&conn, &next);

    say(rig, ACK, next, 100, 1);
    rig_send(rig, conn, 0, 50);
    rig_expect(rig, ACK | PSH, 1, 50, next + 100);
    rig_wait(rig, 100 * RIG_MS);
    rig_expect_none(rig);
    rig_free(rig);
}

// MUST-59: a burst is taken in whole before it is answered.
static void must_59_a_burst_is_answered_once(void **state)
{
    struct sl_tcp_conn *conn;
    uint32_t next;
    struct rig *rig = settled(&conn, &next);

    for (unsigned i = 0; i < 10; i++) {
        struct sl_tcp_in in = {.src = rig->remote,
                               .dst = rig->local,
                               .sport = rig->remote_port,
                               .dport = rig->local_port,
                               .seq = rig->peer_isn + next + i * 1000,
                               .ack = rig->isn + 1,
                               .window = 65535,
                               .flags = ACK};

        in.payload = rig_chunk(next - 1 + i * 1000, 1000);
        assert_true(sl_tcp_input(rig->tcp, &in, rig->now_us));
    }
    rig_flush(rig);
    rig_expect(rig, ACK, 1, 0, next + 10000);
    rig_expect_none(rig);
    rig_free(rig);
}

static void the_beginning_of_a_connection_is_acknowledged_at_once(void **state)
{
    struct rig *rig = rig_new();
    unsigned at_once = 0;

    script_open(rig);
    for (uint32_t i = 0; i < 30; i++) {
        say(rig, ACK, 1 + i * 100, 100, 1);
        at_once += count_out(rig);
    }
    assert_in_range(at_once, 14, 17);
    rig_free(rig);
}

// RFC 5681 section 4.2.
static void a_segment_out_of_order_is_answered_at_once_each(void **state)
{
    struct sl_tcp_conn *conn;
    uint32_t next;
    struct rig *rig = settled(&conn, &next);

    for (unsigned i = 1; i <= 5; i++) {
        say(rig, ACK, next + i * 100, 100, 1);
        rig_expect(rig, ACK, 1, 0, next);
    }
    rig_free(rig);
}

static void a_filled_hole_is_acknowledged_at_once(void **state)
{
    struct sl_tcp_conn *conn;
    uint32_t next;
    struct rig *rig = settled(&conn, &next);

    say(rig, ACK, next + 100, 100, 1);
    rig_drop_out(rig);
    say(rig, ACK, next, 100, 1);
    rig_expect(rig, ACK, 1, 0, next + 200);
    rig_free(rig);
}

static void a_part_of_a_hole_is_acknowledged_at_once(void **state)
{
    struct sl_tcp_conn *conn;
    uint32_t next;
    struct rig *rig = settled(&conn, &next);

    say(rig, ACK, next + 300, 100, 1);
    rig_drop_out(rig);
    say(rig, ACK, next, 100, 1);
    rig_expect(rig, ACK, 1, 0, next + 100);
    rig_free(rig);
}

static void acknowledgements_are_quick_for_a_while_behind_a_loss(void **state)
{
    struct sl_tcp_conn *conn;
    uint32_t next;
    struct rig *rig = settled(&conn, &next);
    unsigned at_once = 0;

    say(rig, ACK, next + 100, 100, 1);
    say(rig, ACK, next, 100, 1);
    rig_drop_out(rig);
    next += 200;
    for (unsigned i = 0; i < 30; i++, next += 100) {
        say(rig, ACK, next, 100, 1);
        at_once += count_out(rig);
    }
    assert_in_range(at_once, 12, 18);
    rig_free(rig);
}

static void a_fin_is_acknowledged_at_once(void **state)
{
    struct sl_tcp_conn *conn;
    uint32_t next;
    struct rig *rig = settled(&conn, &next);

    say(rig, FIN | ACK, next, 10, 1);
    rig_expect(rig, ACK, 1, 0, next + 11);
    rig_free(rig);
}

static void acknowledgements_are_not_acknowledged(void **state)
{
    struct sl_tcp_conn *conn;
    uint32_t next;
    struct rig *rig = settled(&conn, &next);

    for (unsigned i = 0; i < 10; i++)
        RIG_PUT(rig, .flags = ACK, .seq = next, .ack = 1, .window = 10000 + i);
    rig_wait(rig, RIG_S);
    rig_expect_none(rig);
    rig_free(rig);
}

static void shld_31_text_out_of_order_is_kept(void **state)
{
    struct sl_tcp_conn *conn;
    uint32_t next;
    struct rig *rig = settled(&conn, &next);

    say(rig, ACK, next + 200, 100, 1);
    say(rig, ACK, next + 100, 100, 1);
    say(rig, ACK, next, 100, 1);
    assert_int_equal(rig_read(rig, conn, next - 1), 300);
    rig_free(rig);
}

static void an_acknowledgement_that_could_not_be_sent_is_drawn_again(void **state)
{
    struct sl_tcp_conn *conn;
    uint32_t next;
    struct rig *rig = settled(&conn, &next);

    rig->refuse = true; // the device is full: what was lost there must not be the last word
    say(rig, ACK, next, MSS, 1);
    say(rig, ACK, next + MSS, MSS, 1);
    rig->refuse = false;
    rig_expect_none(rig);
    say(rig, ACK, next, MSS, 1); // the peer says it again
    rig_expect(rig, ACK, 1, 0, next + 2 * MSS);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(must_40_an_acknowledgement_is_put_off_40_ms_at_most),
        T(the_delay_counts_from_the_first_byte_not_acknowledged),
        T(shld_19_every_second_full_segment_is_acknowledged),
        T(two_segments_worth_of_small_ones_is_acknowledged),
        T(must_58_data_carries_the_acknowledgement_that_is_due),
        T(must_59_a_burst_is_answered_once),
        T(the_beginning_of_a_connection_is_acknowledged_at_once),
        T(a_segment_out_of_order_is_answered_at_once_each),
        T(a_filled_hole_is_acknowledged_at_once),
        T(a_part_of_a_hole_is_acknowledged_at_once),
        T(acknowledgements_are_quick_for_a_while_behind_a_loss),
        T(a_fin_is_acknowledged_at_once),
        T(acknowledgements_are_not_acknowledged),
        T(shld_31_text_out_of_order_is_kept),
        T(an_acknowledgement_that_could_not_be_sent_is_drawn_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
