// SPDX-License-Identifier: Apache-2.0
// Keepalive (RFC 9293 section 3.8.4).
#include "script.h"

static struct sl_tcp_options keep(uint32_t idle_s, uint32_t interval_s, uint8_t probes)
{
    struct sl_tcp_options options = rig_options();

    options.keepalive_idle_ms = idle_s * 1000;
    options.keepalive_interval_ms = interval_s * 1000;
    options.keepalive_probes = probes;
    return options;
}

static struct rig *kept(struct sl_tcp_conn **conn, struct sl_tcp_options options)
{
    struct rig *rig = rig_new();

    *conn = rig_open_passive(rig, &options, rig_bare_syn(), 65535);
    return rig;
}

static void must_25_it_is_off_by_default(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = kept(&conn, rig_options());

    rig_wait(rig, 24 * 3600 * RIG_S);
    rig_expect_none(rig);
    expect_state(conn, SL_TCP_ESTABLISHED);
    rig_free(rig);
}

static void must_26_27_it_probes_after_the_idle_time_that_was_asked_for(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = kept(&conn, keep(7200, 75, 9));

    assert_in_range(rig_wait_out(rig, 9000 * RIG_S), 7200 * RIG_S - RIG_MS, 7200 * RIG_S + RIG_MS);
    rig_free(rig);
}

static void shld_12_a_probe_is_an_old_number_without_data(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = kept(&conn, keep(10, 5, 3));

    rig_wait_out(rig, 20 * RIG_S);
    rig_expect(rig, ACK, 0, 0, 1);
    rig_free(rig);
}

static void must_24_it_can_be_switched_on_later(void **state)
{
    struct sl_tcp_options options = keep(10, 5, 3);
    struct sl_tcp_conn *conn;
    struct rig *rig = kept(&conn, rig_options());

    rig_wait(rig, 3 * RIG_S);
    sl_tcp_options_set(conn, &options, rig->now_us);
    assert_in_range(rig_wait_out(rig, 20 * RIG_S), 7 * RIG_S - RIG_MS, 7 * RIG_S + RIG_MS);
    rig_free(rig);
}

static void must_24_and_off_again(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_conn *conn;
    struct rig *rig = kept(&conn, keep(10, 5, 3));

    sl_tcp_options_set(conn, &options, rig->now_us);
    rig_wait(rig, 3600 * RIG_S);
    rig_expect_none(rig);
    rig_free(rig);
}

static void whatever_comes_in_puts_it_off(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = kept(&conn, keep(10, 5, 3));

    for (unsigned i = 0; i < 20; i++) {
        rig_wait(rig, 9 * RIG_S);
        say(rig, ACK, 1 + i, 1, 1);
        rig_wait(rig, 100 * RIG_MS);
    }
    assert_int_equal(COUNTER(rig, keepalives), 0);
    rig_free(rig);
}

static void an_answer_begins_the_idle_time_anew(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = kept(&conn, keep(10, 5, 3));

    for (unsigned i = 0; i < 50; i++) {
        assert_in_range(rig_wait_out(rig, 30 * RIG_S), 10 * RIG_S - RIG_MS, 10 * RIG_S + RIG_MS);
        rig_expect(rig, ACK, 0, 0, 1);
        say(rig, ACK, 1, 0, 1);
    }
    expect_state(conn, SL_TCP_ESTABLISHED);
    rig_free(rig);
}

// One lost answer says nothing.
static void must_29_a_lost_answer_does_not_end_it(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = kept(&conn, keep(10, 5, 3));

    rig_wait_out(rig, 30 * RIG_S);
    rig_drop_out(rig);
    assert_in_range(rig_wait_out(rig, 30 * RIG_S), 5 * RIG_S - RIG_MS, 5 * RIG_S + RIG_MS);
    rig_expect(rig, ACK, 0, 0, 1);
    say(rig, ACK, 1, 0, 1);
    rig_wait(rig, 9 * RIG_S);
    expect_state(conn, SL_TCP_ESTABLISHED);
    rig_expect_none(rig);
    rig_free(rig);
}

static void so_many_probes_without_an_answer_end_it(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = kept(&conn, keep(10, 5, 3));

    rig_wait(rig, 24900 * RIG_MS);
    assert_int_equal(count_out(rig), 3);
    expect_not_ended(rig);
    rig_wait(rig, 200 * RIG_MS);
    rig_expect(rig, RST | ACK, 1, 0, 1);
    expect_ended(rig, -ETIMEDOUT);
    rig_free(rig);
}

static void a_reset_in_answer_ends_it(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = kept(&conn, keep(10, 5, 3));

    rig_wait_out(rig, 30 * RIG_S);
    say(rig, RST, 1, 0, 0);
    expect_ended(rig, -ECONNRESET);
    rig_free(rig);
}

static void it_is_silent_while_data_asks_already(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = kept(&conn, keep(1, 1, 3));

    rig_send(rig, conn, 0, 10);
    rig_wait(rig, 60 * RIG_S);
    assert_int_equal(COUNTER(rig, keepalives), 0);
    expect_state(conn, SL_TCP_ESTABLISHED); // the patience is that of data
    rig_free(rig);
}

static void it_is_silent_while_a_closed_window_is_probed(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = kept(&conn, keep(5, 1, 3));

    RIG_PUT(rig, .flags = ACK, .seq = 1, .ack = 1, .window = 0);
    rig_send(rig, conn, 0, 10);
    for (unsigned i = 0; i < 10; i++) {
        rig_wait_out(rig, 130 * RIG_S);
        rig_drop_out(rig);
        RIG_PUT(rig, .flags = ACK, .seq = 1, .ack = 1, .window = 0);
    }
    assert_int_equal(COUNTER(rig, keepalives), 0);
    expect_state(conn, SL_TCP_ESTABLISHED);
    rig_free(rig);
}

static void it_goes_on_in_half_closed_states(void **state)
{
    static const enum sl_tcp_state states[] = {SL_TCP_FIN_WAIT_2, SL_TCP_CLOSE_WAIT};

    for (unsigned i = 0; i < 2; i++) {
        struct sl_tcp_options options = keep(10, 5, 3);
        struct rig *rig = rig_new();
        struct sl_tcp_conn *conn = script_reach(rig, states[i]);

        sl_tcp_options_set(conn, &options, rig->now_us);
        rig_wait(rig, 60 * RIG_S);
        rig_drop_out(rig);
        expect_ended(rig, -ETIMEDOUT);
        rig_free(rig);
    }
}

// The answer to the peer's probes: RFC 9293 section 3.8.4, with and without its garbage byte (MAY-6).
static void the_peers_probes_are_answered(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = kept(&conn, rig_options());

    say(rig, ACK, 1, 100, 1);
    rig_read(rig, conn, 0);
    rig_wait(rig, 10 * RIG_S);
    rig_drop_out(rig);
    say(rig, ACK, 100, 0, 1);
    rig_expect(rig, ACK, 1, 0, 101);
    rig_wait(rig, 10 * RIG_S);
    say(rig, ACK, 100, 1, 1);
    rig_expect(rig, ACK, 1, 0, 101);
    assert_int_equal(rig_info(conn).rcv_unread, 0);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(must_25_it_is_off_by_default),
        T(must_26_27_it_probes_after_the_idle_time_that_was_asked_for),
        T(shld_12_a_probe_is_an_old_number_without_data),
        T(must_24_it_can_be_switched_on_later),
        T(must_24_and_off_again),
        T(whatever_comes_in_puts_it_off),
        T(an_answer_begins_the_idle_time_anew),
        T(must_29_a_lost_answer_does_not_end_it),
        T(so_many_probes_without_an_answer_end_it),
        T(a_reset_in_answer_ends_it),
        T(it_is_silent_while_data_asks_already),
        T(it_is_silent_while_a_closed_window_is_probed),
        T(it_goes_on_in_half_closed_states),
        T(the_peers_probes_are_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
