// SPDX-License-Identifier: Apache-2.0
// TIME-WAIT: 2 MSL, what shortens it and what does not (RFC 9293 sections 3.6.1, 3.10.7.4; RFC 1337; RFC 6191).
#include "script.h"

#define TSVAL 5000u

// In TIME-WAIT with snd_nxt and rcv_nxt at 2; the caller has let go.
static struct rig *waiting(bool full)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = full ? script_open_full(rig) : script_open(rig);

    sl_tcp_shutdown(conn, rig->now_us);
    rig_flush(rig);
    say(rig, FIN | ACK, 1, 0, 2);
    expect_ended(rig, 0);
    rig_drop_out(rig);
    assert_int_equal(COUNTER(rig, time_waits), 1);
    return rig;
}

static bool still_waits(struct rig *rig)
{
    unsigned before = rig->n_out;

    say(rig, FIN | ACK, 1, 0, 2);
    return rig->n_out > before && !(rig->out[before]->out.flags & RST);
}

static void must_13_the_tuple_waits_for_two_msl_and_then_is_forgotten(void **state)
{
    struct rig *rig = waiting(false);

    rig_wait(rig, 59 * RIG_S);
    say(rig, ACK, 1, 10, 2);
    rig_expect(rig, ACK, 2, 0, 2);
    rig_wait(rig, 2 * RIG_S);
    say(rig, ACK, 1, 10, 2);
    rig_expect(rig, RST, 2, 0, 0u - rig->peer_isn);
    rig_free(rig);
}

static void rfc9293_3_10_7_4_a_repeated_fin_is_acknowledged_and_the_wait_begins_anew(void **state)
{
    struct rig *rig = waiting(false);

    for (int i = 0; i < 4; i++) {
        rig_wait(rig, 50 * RIG_S);
        say(rig, FIN | ACK, 1, 0, 2);
        rig_expect(rig, ACK, 2, 0, 2);
    }
    rig_wait(rig, 61 * RIG_S);
    assert_false(still_waits(rig));
    rig_free(rig);
}

static void an_old_fin_does_not_lengthen_the_wait(void **state)
{
    struct rig *rig = waiting(false);

    rig_wait(rig, 50 * RIG_S);
    say(rig, FIN | ACK, 0u - 500, 0, 2);
    rig_wait(rig, 11 * RIG_S);
    assert_false(still_waits(rig));
    rig_free(rig);
}

static void rfc1337_a_reset_does_not_end_the_wait(void **state)
{
    struct rig *rig = waiting(false);

    say(rig, RST, 2, 0, 0);
    say(rig, RST | ACK, 2, 0, 2);
    rig_expect_none(rig);
    assert_true(still_waits(rig));
    rig_free(rig);
}

static void old_text_is_answered_and_delivers_nothing(void **state)
{
    struct rig *rig = waiting(false);

    say(rig, ACK, 0u - 99, 100, 2);
    rig_expect(rig, ACK, 2, 0, 2);
    assert_int_equal(script_events(rig, NULL), 0);
    rig_free(rig);
}

static void an_acknowledgement_in_place_is_not_answered(void **state)
{
    struct rig *rig = waiting(false);

    for (int i = 0; i < 5; i++)
        say(rig, ACK, 2, 0, 2);
    rig_expect_none(rig);
    rig_free(rig);
}

static void answers_are_two_a_second_at_most(void **state)
{
    struct rig *rig = waiting(false);

    for (int i = 0; i < 50; i++)
        say(rig, ACK, 1, 10, 2);
    assert_int_equal(count_out(rig), 1);
    rig_wait(rig, 501 * RIG_MS);
    say(rig, ACK, 1, 10, 2);
    assert_int_equal(count_out(rig), 1);
    rig_free(rig);
}

static void answers_carry_timestamps_where_they_were_agreed(void **state)
{
    struct rig *rig = waiting(true);
    const struct rig_segment *out;

    say(rig, FIN | ACK, 1, 0, 2);
    out = rig_expect(rig, ACK, 2, 0, 2);
    assert_int_equal(out->options.present, TCP_OPTION_TIMESTAMPS);
    assert_int_equal(out->options.tsecr, TSVAL);
    rig_free(rig);
}

// ---- in one burst with the FIN ------------------------------------------------------------------------------------
static void input_alone(struct rig *rig, uint8_t flags, uint32_t seq, uint32_t len)
{
    struct sl_tcp_in in = {.src = rig->remote,
                           .dst = rig->local,
                           .sport = rig->remote_port,
                           .dport = rig->local_port,
                           .seq = rig->peer_isn + seq,
                           .ack = rig->isn + 2,
                           .window = 65535,
                           .flags = flags};

    if (len)
        in.payload = rig_chunk(seq - 1, len);
    if (!sl_tcp_input(rig->tcp, &in, rig->now_us) && len)
        rig_buffers.release(in.payload.owner);
}

static void rfc1337_a_reset_right_behind_the_fin_does_not_end_it(void **state)
{
    struct rig *rig = rig_new();

    script_reach(rig, SL_TCP_FIN_WAIT_2);
    input_alone(rig, FIN | ACK, 1, 0);
    input_alone(rig, RST, 2, 0);
    rig_flush(rig);
    rig_expect(rig, ACK, 2, 0, 2);
    expect_ended(rig, 0);
    assert_true(still_waits(rig));
    rig_free(rig);
}

static void a_close_right_behind_the_fin_leaves_the_tuple_waiting(void **state)
{
    for (unsigned how = 0; how < 3; how++) {
        struct rig *rig = rig_new();
        struct sl_tcp_conn *conn = script_reach(rig, SL_TCP_FIN_WAIT_2);

        input_alone(rig, FIN | ACK, 1, how == 2 ? 10 : 0); // with bytes that nobody reads
        if (how == 0)
            sl_tcp_abort(conn, rig->now_us);
        else
            sl_tcp_close(conn, rig->now_us);
        rig_flush(rig);
        rig_expect(rig, ACK, 2, 0, how == 2 ? 12 : 2);
        assert_int_equal(script_events(rig, NULL), 0);
        assert_int_equal(COUNTER(rig, time_waits), 1);
        assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
        rig_free(rig);
    }
}

// ---- a new connection on the same tuple ---------------------------------------------------------------------------
struct row {
    const char *name;
    bool full;     // the old one had timestamps
    bool stamped;  // the SYN has
    int32_t tsval; // behind the last one seen
    uint32_t seq;  // of the SYN; rcv_nxt is 2
    bool opens;
};

static void rfc6191_2_a_syn_opens_anew_where_it_cannot_be_old(void **state)
{
    static const struct row rows[] = {
        {"newer stamp, newer number", true, true, 1, 1000, true},
        {"newer stamp, older number", true, true, 1, 0x90000000, true},
        {"older stamp, newer number", true, true, -1, 1000, false},
        {"same stamp, newer number", true, true, 0, 1000, true},
        {"same stamp, older number", true, true, 0, 0u - 1000, false},
        {"stamp lost, newer number", true, false, 0, 1000, true},
        {"stamp lost, older number", true, false, 0, 0u - 1000, false},
        {"stamp won, newer number", false, true, 1, 1000, true},
        {"stamp won, older number", false, true, 1, 0u - 1000, false},
        {"never stamped, newer number", false, false, 0, 1000, true},
        {"never stamped, the very next number", false, false, 0, 2, false},
        {"never stamped, older number", false, false, 0, 0u - 1000, false},
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig *rig = waiting(rows[i].full);
        struct tcp_options syn = rig_bare_syn();
        const struct rig_segment *out;
        uint32_t old_isn = rig->isn;
        bool opened;

        if (rows[i].stamped)
            syn.present |= TCP_OPTION_TIMESTAMPS, syn.tsval = TSVAL + (uint32_t)rows[i].tsval;
        RIG_PUT(rig, .flags = SYN, .seq = rows[i].seq, .window = 65535, .options = syn,
                .no_timestamps = true);
        out = rig_take(rig);
        opened = out && out->out.flags == (SYN | ACK);
        if (opened != rows[i].opens)
            fail_msg("%s: %s", rows[i].name, opened ? "opened" : "not opened");
        if (opened) // RFC 9293 section 3.6.1: beyond the old one's numbers
            assert_true((int32_t)(out->out.seq - (old_isn + 2)) > 65535);
        else
            assert_int_equal(out->out.flags, ACK);
        rig_free(rig);
    }
}

static void a_reused_tuple_carries_a_whole_connection(void **state)
{
    struct rig *rig = waiting(true);
    struct sl_tcp_event event;
    struct tcp_options syn = rig_full_syn();

    rig->tsval += 10;
    rig->peer_isn += 100000;
    syn.tsval = rig->tsval;
    RIG_PUT(rig, .flags = SYN, .window = 65535, .options = syn);
    rig_expect(rig, SYN | ACK, 0, 0, 1);
    say(rig, ACK, 1, 50, 1);
    assert_true(rig_event(rig, &event));
    assert_int_equal(rig_read(rig, event.conn, 0), 50);
    assert_int_equal(COUNTER(rig, time_waits_reused), 1);
    rig_free(rig);
}

static void without_a_listener_a_new_syn_gets_an_acknowledgement(void **state)
{
    struct rig *rig = waiting(false);

    sl_tcp_unlisten(rig->listener);
    say(rig, SYN, 1000, 0, 0);
    rig_expect(rig, ACK, 2, 0, 2);
    rig_free(rig);
}

static void a_syn_with_ack_does_not_open_anew(void **state)
{
    struct rig *rig = waiting(false);

    say(rig, SYN | ACK, 1000, 0, 2);
    rig_expect(rig, ACK, 2, 0, 2);
    rig_free(rig);
}

// ---- we connect -----------------------------------------------------------------------------------------------------
static struct sl_tcp_conn *connect_again(struct rig *rig, int *error)
{
    struct sl_tcp_options options = rig_options();

    *error = 0;
    return sl_tcp_connect(rig->tcp, &rig->local, rig->local_port, &rig->remote, rig->remote_port, &options,
                          NULL, rig->now_us, error);
}

static void connect_from_a_waiting_tuple_needs_timestamps_and_a_second(void **state)
{
    struct rig *rig = waiting(true);
    uint32_t old_isn = rig->isn;
    int error;

    assert_null(connect_again(rig, &error));
    assert_int_equal(error, -EADDRINUSE);
    rig_wait(rig, 1001 * RIG_MS);
    assert_non_null(connect_again(rig, &error));
    rig_flush(rig);
    assert_int_equal(rig_take(rig)->out.flags, SYN);
    assert_true((int32_t)(rig->isn - (old_isn + 2)) > 65535);
    rig_free(rig);
}

static void connect_from_a_waiting_tuple_without_timestamps_is_refused(void **state)
{
    struct rig *rig = waiting(false);
    int error;

    rig_wait(rig, 30 * RIG_S);
    assert_null(connect_again(rig, &error));
    assert_int_equal(error, -EADDRINUSE);
    rig_wait(rig, 31 * RIG_S);
    assert_non_null(connect_again(rig, &error));
    rig_free(rig);
}

static void rfc6191_timestamps_go_on_over_the_reuse(void **state)
{
    struct rig *rig = waiting(true);
    uint32_t before = rig->tsecr;
    int error;

    rig_wait(rig, 2 * RIG_S);
    assert_non_null(connect_again(rig, &error));
    rig_flush(rig);
    assert_int_equal(rig_take(rig)->options.tsval - before, 2000);
    rig_free(rig);
}

// ---- the pool -------------------------------------------------------------------------------------------------------
static void one_to_time_wait(struct rig *rig, struct sl_tcp_options *options)
{
    struct sl_tcp_conn *conn = rig_open_passive(rig, options, rig_bare_syn(), 65535);

    sl_tcp_close(conn, rig->now_us);
    rig_flush(rig);
    say(rig, FIN | ACK, 1, 0, 2);
    rig_drop_out(rig);
    script_events(rig, NULL);
}

static void a_full_pool_lets_the_oldest_go(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_config config;
    struct rig *rig;
    sl_be16 first;

    rig_config(&config);
    config.time_waits = 3;
    rig = rig_new_with(&config, false);
    first = rig->remote_port;
    for (int i = 0; i < 5; i++, rig->remote_port++, rig_wait(rig, RIG_S))
        one_to_time_wait(rig, &options);
    assert_int_equal(COUNTER(rig, time_waits), 5);
    assert_int_equal(COUNTER(rig, time_waits_evicted), 2);
    for (unsigned i = 0; i < 5; i++) {
        rig->remote_port = (sl_be16)(first + i);
        say(rig, ACK, 1, 10, 2);
        assert_int_equal(!(rig_take(rig)->out.flags & RST), i >= 2);
    }
    rig_free(rig);
}

static void a_repeated_fin_makes_one_the_youngest(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_config config;
    struct rig *rig;

    rig_config(&config);
    config.time_waits = 2;
    rig = rig_new_with(&config, false);
    one_to_time_wait(rig, &options);
    rig->remote_port++;
    one_to_time_wait(rig, &options);
    rig->remote_port--;
    rig_wait(rig, RIG_S);
    say(rig, FIN | ACK, 1, 0, 2);
    rig_drop_out(rig);
    rig->remote_port += 2;
    one_to_time_wait(rig, &options);
    rig->remote_port -= 2;
    rig_wait(rig, RIG_S);
    say(rig, ACK, 1, 10, 2);
    assert_false(rig_take(rig)->out.flags & RST);
    rig_free(rig);
}

static void thousands_wait_and_go_in_their_order(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_config config;
    struct rig *rig;

    rig_config(&config);
    config.time_waits = 2000;
    rig = rig_new_with(&config, false);
    for (unsigned i = 0; i < 1000; i++, rig->remote_port++) {
        one_to_time_wait(rig, &options);
        rig->now_us += 10 * RIG_MS;
    }
    assert_int_equal(rig->tcp->waits.used, 1000);
    rig_wait(rig, 55 * RIG_S);
    assert_in_range(rig->tcp->waits.used, 480, 520);
    rig_wait(rig, 10 * RIG_S);
    assert_int_equal(rig->tcp->waits.used, 0);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    rig_free(rig);
}

// Whoever is told which ports are held must never see the port free in between: packets would go elsewhere.
static int held;
static bool gap;

static void count_held(void *context, sl_be16 local_port, bool begins)
{
    held += begins ? 1 : -1;
    gap |= held == 0;
}

static void a_port_is_held_without_a_gap_until_the_wait_is_over(void **state)
{
    struct sl_tcp_config config;

    rig_config(&config);
    config.held = count_held;
    struct rig *rig = rig_new_with(&config, false);
    struct sl_tcp_conn *conn = script_open(rig);
    assert_int_equal(held, 1);
    sl_tcp_shutdown(conn, rig->now_us);
    rig_flush(rig);
    say(rig, FIN | ACK, 1, 0, 2);
    expect_ended(rig, 0);
    assert_int_equal(held, 1);
    assert_false(gap);
    rig_wait(rig, 61 * RIG_S);
    assert_int_equal(held, 0);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_port_is_held_without_a_gap_until_the_wait_is_over),
        T(must_13_the_tuple_waits_for_two_msl_and_then_is_forgotten),
        T(rfc9293_3_10_7_4_a_repeated_fin_is_acknowledged_and_the_wait_begins_anew),
        T(an_old_fin_does_not_lengthen_the_wait),
        T(rfc1337_a_reset_does_not_end_the_wait),
        T(old_text_is_answered_and_delivers_nothing),
        T(an_acknowledgement_in_place_is_not_answered),
        T(answers_are_two_a_second_at_most),
        T(answers_carry_timestamps_where_they_were_agreed),
        T(rfc1337_a_reset_right_behind_the_fin_does_not_end_it),
        T(a_close_right_behind_the_fin_leaves_the_tuple_waiting),
        T(rfc6191_2_a_syn_opens_anew_where_it_cannot_be_old),
        T(a_reused_tuple_carries_a_whole_connection),
        T(without_a_listener_a_new_syn_gets_an_acknowledgement),
        T(a_syn_with_ack_does_not_open_anew),
        T(connect_from_a_waiting_tuple_needs_timestamps_and_a_second),
        T(connect_from_a_waiting_tuple_without_timestamps_is_refused),
        T(rfc6191_timestamps_go_on_over_the_reuse),
        T(a_full_pool_lets_the_oldest_go),
        T(a_repeated_fin_makes_one_the_youngest),
        T(thousands_wait_and_go_in_their_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
