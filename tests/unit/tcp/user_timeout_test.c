// SPDX-License-Identifier: Apache-2.0
// How long an end that hears nothing goes on (RFC 9293 section 3.8.3: R1 and R2; RFC 5482).
#include "script.h"

static struct rig *opened(struct sl_tcp_conn **conn, struct sl_tcp_options options)
{
    struct rig *rig = rig_new();

    *conn = rig_open_passive(rig, &options, rig_bare_syn(), 65535);
    rig_wait(rig, RIG_S);
    return rig;
}

static uint64_t lasts(struct rig *rig, uint64_t most_us, int error)
{
    uint64_t from = rig->now_us;
    int told = 0;

    while (!(script_events(rig, &told) & SL_TCP_ENDED)) {
        if (rig->now_us - from > most_us)
            fail_msg("still there after %lu s", (unsigned long)((rig->now_us - from) / RIG_S));
        rig_wait(rig, 50 * RIG_MS);
    }
    assert_int_equal(told, error);
    return rig->now_us - from;
}

// SHLD-11 wants 100 s at least.
static void must_20_shld_11_data_is_repeated_for_a_quarter_of_an_hour_and_then_given_up(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = opened(&conn, rig_options());

    rig_send(rig, conn, 0, 100);
    assert_in_range(lasts(rig, 3600 * RIG_S, -ETIMEDOUT), 800 * RIG_S, 1200 * RIG_S);
    assert_int_equal(rig->out[rig->n_out - 1]->out.flags, RST | ACK);
    assert_int_equal(COUNTER(rig, timed_out), 1);
    rig_free(rig);
}

static void must_21_the_number_of_repetitions_is_the_callers(void **state)
{
    for (uint8_t retries = 1; retries <= 5; retries++) {
        struct sl_tcp_options options = rig_options();
        struct sl_tcp_conn *conn;
        struct rig *rig;

        options.retries = retries;
        rig = opened(&conn, options);
        rig_send(rig, conn, 0, 100);
        rig_drop_out(rig);
        lasts(rig, 600 * RIG_S, -ETIMEDOUT);
        assert_int_equal(COUNTER(rig, timeouts), retries);
        rig_free(rig);
    }
}

static void rfc5482_a_user_timeout_ends_it_in_time(void **state)
{
    static const uint32_t seconds[] = {2, 5, 30, 300, 2000};

    for (unsigned i = 0; i < 5; i++) {
        struct sl_tcp_options options = rig_options();
        struct sl_tcp_conn *conn;
        struct rig *rig;

        options.user_timeout_ms = seconds[i] * 1000;
        rig = opened(&conn, options);
        rig_send(rig, conn, 0, 100);
        assert_in_range(lasts(rig, 3000 * RIG_S, -ETIMEDOUT), seconds[i] * RIG_S,
                        seconds[i] * RIG_S + 100 * RIG_MS);
        rig_free(rig);
    }
}

static void must_21_it_can_be_set_while_data_is_out(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_conn *conn;
    struct rig *rig = opened(&conn, options);

    rig_send(rig, conn, 0, 100);
    options.user_timeout_ms = 3000;
    sl_tcp_options_set(conn, &options, rig->now_us);
    assert_in_range(lasts(rig, 600 * RIG_S, -ETIMEDOUT), 3 * RIG_S, 4 * RIG_S);
    rig_free(rig);
}

static void an_acknowledgement_begins_the_patience_anew(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_conn *conn;
    struct rig *rig;

    options.user_timeout_ms = 5000;
    rig = opened(&conn, options);
    rig_send(rig, conn, 0, 20 * 1460);
    for (unsigned i = 1; i <= 10; i++) {
        rig_wait(rig, 4 * RIG_S);
        say(rig, ACK, 1, 0, 1 + i * 100);
    }
    expect_not_ended(rig);
    rig_free(rig);
}

static void silence_with_nothing_out_is_no_reason(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_conn *conn;
    struct rig *rig;

    options.user_timeout_ms = 5000;
    rig = opened(&conn, options);
    rig_send(rig, conn, 0, 100);
    say(rig, ACK, 1, 0, 101);
    rig_wait(rig, 3600 * RIG_S);
    expect_not_ended(rig);
    rig_free(rig);
}

static void it_rules_over_a_closed_window_that_nobody_answers_for(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_conn *conn;
    struct rig *rig;

    options.user_timeout_ms = 20000;
    rig = opened(&conn, options);
    RIG_PUT(rig, .flags = ACK, .seq = 1, .ack = 1, .window = 0);
    rig_send(rig, conn, 0, 100);
    assert_in_range(lasts(rig, 600 * RIG_S, -ETIMEDOUT), 19 * RIG_S, 24 * RIG_S);
    rig_free(rig);
}

// Linux since 5.11, and what RFC 6429 leaves to the caller: without it a peer pins what waits for him for as long as he likes.
static void it_rules_over_a_window_kept_closed_although_probes_are_answered(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_conn *conn;
    uint64_t from;
    struct rig *rig;
    int error = 0;

    options.user_timeout_ms = 20000;
    rig = opened(&conn, options);
    RIG_PUT(rig, .flags = ACK, .seq = 1, .ack = 1, .window = 0);
    rig_send(rig, conn, 0, 100);
    from = rig->now_us;
    while (!(script_events(rig, &error) & SL_TCP_ENDED) && rig->now_us - from < 600 * RIG_S) {
        rig_wait_out(rig, 30 * RIG_S);
        rig_drop_out(rig);
        RIG_PUT(rig, .flags = ACK, .seq = 1, .ack = 1, .window = 0);
    }
    assert_in_range(rig->now_us - from, 19 * RIG_S, 24 * RIG_S);
    assert_int_equal(error, -ETIMEDOUT);
    rig_free(rig);
}

static void it_rules_over_keepalive(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_conn *conn;
    struct rig *rig;

    options.user_timeout_ms = 30000;
    options.keepalive_idle_ms = 10000;
    options.keepalive_interval_ms = 5000;
    options.keepalive_probes = 1;
    rig = opened(&conn, options);
    assert_in_range(lasts(rig, 600 * RIG_S, -ETIMEDOUT), 28 * RIG_S, 36 * RIG_S);
    rig_free(rig);
}

// SHLD-9, SHLD-10: from the third repetition on sl_tcp_info() shows it in `backoff`.
static void shld_9_trouble_can_be_seen_before_it_ends(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = opened(&conn, rig_options());

    rig_send(rig, conn, 0, 100);
    assert_int_equal(rig_info(conn).backoff, 0);
    rig_wait(rig, 20 * RIG_S);
    assert_in_range(rig_info(conn).backoff, 3, 8);
    say(rig, ACK, 1, 0, 101);
    rig_send(rig, conn, 100, 100);
    rig_wait(rig, 10 * RIG_MS);
    say(rig, ACK, 1, 0, 201); // of what was sent once
    assert_int_equal(rig_info(conn).backoff, 0);
    rig_free(rig);
}

static void what_icmp_said_of_the_way_is_the_reason_given(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_conn *conn;
    struct rig *rig;
    struct sl_tcp_icmp_in icmp = {.kind = SL_TCP_ICMP_UNREACHABLE};

    options.user_timeout_ms = 5000;
    rig = opened(&conn, options);
    rig_send(rig, conn, 0, 100);
    icmp.local = rig->local, icmp.remote = rig->remote;
    icmp.local_port = rig->local_port, icmp.remote_port = rig->remote_port;
    icmp.seq = rig->isn + 1;
    sl_tcp_icmp(rig->tcp, &icmp, rig->now_us);
    lasts(rig, 600 * RIG_S, -EHOSTUNREACH);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(must_20_shld_11_data_is_repeated_for_a_quarter_of_an_hour_and_then_given_up),
        T(must_21_the_number_of_repetitions_is_the_callers),
        T(rfc5482_a_user_timeout_ends_it_in_time),
        T(must_21_it_can_be_set_while_data_is_out),
        T(an_acknowledgement_begins_the_patience_anew),
        T(silence_with_nothing_out_is_no_reason),
        T(it_rules_over_a_closed_window_that_nobody_answers_for),
        T(it_rules_over_a_window_kept_closed_although_probes_are_answered),
        T(it_rules_over_keepalive),
        T(shld_9_trouble_can_be_seen_before_it_ends),
        T(what_icmp_said_of_the_way_is_the_reason_given),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
