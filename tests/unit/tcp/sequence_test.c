// SPDX-License-Identifier: Apache-2.0
// Which segments count (RFC 9293 section 3.10.7.4, first to fifth check) and what is answered to the others (RFC 5961).
#include "script.h"

#define WINDOW 65535u // told in the SYN-ACK: the edge is at 1 + WINDOW

struct row {
    const char *name;
    uint32_t seq, len;
    bool taken;
};

static void check_rows(const struct row *rows, unsigned n, uint32_t window, uint32_t queued)
{
    for (unsigned i = 0; i < n; i++) {
        struct rig *rig = rig_new();
        struct sl_tcp_options options = rig_options();
        uint64_t before;

        options.rx_initial_bytes = window;
        rig_open_passive(rig, &options, rig_bare_syn(), 65535);
        if (queued)
            say(rig, ACK, 1, queued, 1);
        rig_drop_out(rig);
        before = COUNTER(rig, refused_sequence);
        say(rig, ACK, rows[i].seq, rows[i].len, 1);
        if ((COUNTER(rig, refused_sequence) == before) != rows[i].taken)
            fail_msg("%s: %s", rows[i].name, rows[i].taken ? "refused" : "taken");
        if (!rows[i].taken)
            rig_expect(rig, ACK, 1, 0, 1 + queued);
        rig_free(rig);
    }
}

// Case 3. The right edge itself counts, as in Linux: a peer who filled the window and lost a segment
// acknowledges from there.
static void rfc9293_3_10_7_4_empty_segment_in_open_window(void **state)
{
    static const struct row rows[] = {
        {"at the left edge", 1, 0, true},           {"before the left edge", 0, 0, false},
        {"in the midst", 30000, 0, true},           {"last number", WINDOW, 0, true},
        {"at the right edge", WINDOW + 1, 0, true}, {"behind the right edge", WINDOW + 2, 0, false},
        {"far behind", 0x40000000, 0, false},       {"half the space away", 0x80000001, 0, false},
    };

    check_rows(rows, sizeof(rows) / sizeof(rows[0]), WINDOW, 0);
}

// Case 4.
static void rfc9293_3_10_7_4_text_in_open_window(void **state)
{
    static const struct row rows[] = {
        {"at the left edge", 1, 100, true},
        {"one new byte behind old ones", 0u - 98, 100, true},
        {"all old", 0u - 99, 100, false},
        {"the byte before", 0, 1, false},
        {"first byte in, rest behind the edge", WINDOW, 100, true},
        {"at the right edge", WINDOW + 1, 1, false},
        {"far behind", 0x40000000, 10, false},
    };

    check_rows(rows, sizeof(rows) / sizeof(rows[0]), WINDOW, 0);
}

// Case 1.
static void rfc9293_3_10_7_4_empty_segment_in_closed_window(void **state)
{
    static const struct row rows[] = {
        {"at the edge", 1001, 0, true}, {"before it", 1000, 0, false}, {"behind it", 1002, 0, false}};

    check_rows(rows, sizeof(rows) / sizeof(rows[0]), 1000, 1000);
}

// Case 2: no text is acceptable. What begins at the edge, as a probe does, still acknowledges (section 3.10.7.4:
// "special allowance"), but no byte is taken.
static void rfc9293_3_10_7_4_text_in_closed_window_is_not_taken(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_conn *conn;

    options.rx_initial_bytes = 1000;
    conn = rig_open_passive(rig, &options, rig_bare_syn(), 65535);
    say(rig, ACK, 1, 1000, 1);
    rig_drop_out(rig);
    assert_int_equal(rig_send(rig, conn, 0, 10), 0);
    rig_drop_out(rig);
    say(rig, ACK, 1001, 1, 11);
    rig_expect(rig, ACK, 11, 0, 1001);
    assert_int_equal(rig_info(conn).snd_una - rig->isn, 11);
    assert_int_equal(rig_read(rig, conn, 0), 1000);
    say(rig, ACK, 1002, 1, 11);
    rig_free(rig);
}

static void text_reaching_beyond_the_window_is_cut(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_conn *conn;

    options.rx_initial_bytes = 1000;
    conn = rig_open_passive(rig, &options, rig_bare_syn(), 65535);
    say(rig, ACK, 1, 1400, 1);
    rig_expect(rig, ACK, 1, 0, 1001);
    assert_int_equal(rig_read(rig, conn, 0), 1000);
    rig_free(rig);
}

static void old_front_of_text_is_cut_off(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);

    say(rig, ACK, 1, 500, 1);
    say(rig, ACK, 301, 500, 1);
    assert_int_equal(rig_read(rig, conn, 0), 800);
    rig_free(rig);
}

static void an_old_duplicate_of_text_is_acknowledged_each_time(void **state)
{
    struct rig *rig = rig_new();

    script_open(rig);
    say(rig, ACK, 1, 500, 1);
    rig_drop_out(rig);
    for (int i = 0; i < 5; i++) {
        say(rig, ACK, 1, 500, 1);
        rig_expect(rig, ACK, 1, 0, 501);
    }
    rig_expect_none(rig);
    rig_free(rig);
}

// Two ends that disagree about numbers would answer each other's answers for ever.
static void empty_segments_out_of_window_are_answered_twice_a_second(void **state)
{
    struct rig *rig = rig_new();

    script_open(rig);
    for (int i = 0; i < 100; i++)
        say(rig, ACK, 0, 0, 1);
    assert_int_equal(count_out(rig), 1);
    rig_wait(rig, 499 * RIG_MS);
    say(rig, ACK, 0, 0, 1);
    assert_int_equal(count_out(rig), 0);
    rig_wait(rig, 2 * RIG_MS);
    say(rig, ACK, 0, 0, 1);
    assert_int_equal(count_out(rig), 1);
    rig_free(rig);
}

static void a_segment_without_ack_is_dropped_in_every_state(void **state)
{
    for (enum sl_tcp_state at = SL_TCP_SYN_RECEIVED; at < SL_TCP_TIME_WAIT; at++) {
        struct rig *rig = rig_new();
        struct sl_tcp_conn *conn = script_reach(rig, at);

        RIG_PUT(rig, .flags = FIN, .seq = script_peers(at), .len = 10, .window = 65535);
        expect_state(conn, at);
        assert_int_equal(rig_info(conn).rcv_nxt - rig->peer_isn, script_peers(at));
        rig_free(rig);
    }
}

// ---- RST --------------------------------------------------------------------------------------------------------
static const enum sl_tcp_state synchronized[] = {SL_TCP_ESTABLISHED, SL_TCP_FIN_WAIT_1, SL_TCP_FIN_WAIT_2,
                                                 SL_TCP_CLOSE_WAIT,  SL_TCP_CLOSING,    SL_TCP_LAST_ACK};
#define STATES (sizeof(synchronized) / sizeof(synchronized[0]))

static int reset_error(enum sl_tcp_state at)
{
    return at == SL_TCP_CLOSE_WAIT || at == SL_TCP_LAST_ACK ? -EPIPE : at == SL_TCP_CLOSING ? 0 : -ECONNRESET;
}

static void rfc5961_3_2_reset_at_the_exact_number_ends_in_every_state(void **state)
{
    for (unsigned i = 0; i < STATES; i++) {
        struct rig *rig = rig_new();

        script_reach(rig, synchronized[i]);
        say(rig, RST, script_peers(synchronized[i]), 0, 0);
        expect_ended(rig, reset_error(synchronized[i]));
        rig_expect_none(rig);
        assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
        rig_free(rig);
    }
}

static void rfc5961_3_2_reset_elsewhere_in_the_window_asks_back_in_every_state(void **state)
{
    for (unsigned i = 0; i < STATES; i++) {
        struct rig *rig = rig_new();
        struct sl_tcp_conn *conn = script_reach(rig, synchronized[i]);
        enum sl_tcp_state at = synchronized[i];

        if (rig_info(conn).rcv_wnd < 10)
            fail_msg("no window in %s", script_state_name(at));
        say(rig, RST, script_peers(at) + 5, 0, 0);
        expect_state(conn, at);
        rig_expect(rig, ACK, script_ours(at), 0, script_peers(at));
        rig_free(rig);
    }
}

static void rfc5961_3_2_reset_out_of_the_window_is_dropped_in_every_state(void **state)
{
    for (unsigned i = 0; i < STATES; i++) {
        struct rig *rig = rig_new();
        struct sl_tcp_conn *conn = script_reach(rig, synchronized[i]);

        say(rig, RST, script_peers(synchronized[i]) - 1, 0, 0);
        say(rig, RST, script_peers(synchronized[i]) + 200000, 0, 0);
        expect_state(conn, synchronized[i]);
        rig_expect_none(rig);
        rig_free(rig);
    }
}

static void must_66_reset_counts_with_a_closed_window(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_options options = rig_options();

    options.rx_initial_bytes = 1000;
    rig_open_passive(rig, &options, rig_bare_syn(), 65535);
    say(rig, ACK, 1, 1000, 1);
    say(rig, RST, 1002, 0, 0);
    expect_not_ended(rig);
    say(rig, RST, 1001, 0, 0);
    expect_ended(rig, -ECONNRESET);
    rig_free(rig);
}

// SHLD-2.
static void a_reset_may_carry_text(void **state)
{
    struct rig *rig = rig_new();

    script_open(rig);
    say(rig, RST | ACK, 1, 20, 1);
    expect_ended(rig, -ECONNRESET);
    rig_free(rig);
}

static void a_reset_with_an_old_timestamp_still_counts(void **state)
{
    struct rig *rig = rig_new();

    script_open_full(rig);
    rig->tsval -= 1000;
    say(rig, RST, 1, 0, 0);
    expect_ended(rig, -ECONNRESET);
    rig_free(rig);
}

static void unread_bytes_stay_readable_behind_a_reset(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);
    struct sl_tcp_chunk chunk;

    say(rig, ACK, 1, 100, 1);
    say(rig, RST, 101, 0, 0);
    assert_int_equal(rig_read(rig, conn, 0), 100);
    assert_int_equal(sl_tcp_read(conn, 10, &chunk, rig->now_us), -ECONNRESET);
    expect_ended(rig, -ECONNRESET);
    rig_free(rig);
}

// ---- SYN --------------------------------------------------------------------------------------------------------
static void rfc5961_4_2_syn_is_challenged_wherever_it_is_in_every_state(void **state)
{
    static const uint32_t places[] = {0u - 5, 0, 5, 0x30000000};

    for (unsigned i = 0; i < STATES; i++)
        for (unsigned p = 0; p < 4; p++) {
            struct rig *rig = rig_new();
            enum sl_tcp_state at = synchronized[i];
            struct sl_tcp_conn *conn = script_reach(rig, at);

            say(rig, SYN, script_peers(at) + places[p], 0, 0);
            expect_state(conn, at);
            rig_expect(rig, ACK, script_ours(at), 0, script_peers(at));
            rig_expect_none(rig);
            rig_free(rig);
        }
}

// The peer rebooted and begins anew: our challenge draws his reset, his next SYN opens (RFC 9293 section 3.5.1,
// figure 9).
static void rfc9293_3_5_1_half_open_connection_is_found_out(void **state)
{
    struct rig *rig = rig_new();
    uint32_t old_isn, acked;

    script_open(rig);
    old_isn = rig->peer_isn;
    rig->peer_isn += 0x20000000;
    RIG_PUT(rig, .flags = SYN, .window = 65535, .options = rig_bare_syn());
    acked = rig_take(rig)->out.ack;
    assert_int_equal(acked, old_isn + 1);
    RIG_PUT(rig, .flags = RST, .seq = acked - rig->peer_isn, .window = 0);
    expect_ended(rig, -ECONNRESET);
    RIG_PUT(rig, .flags = SYN, .window = 65535, .options = rig_bare_syn());
    rig_expect(rig, SYN | ACK, 0, 0, 1);
    rig_free(rig);
}

// ---- ACK --------------------------------------------------------------------------------------------------------
static void an_ack_of_what_was_never_sent_is_answered_and_its_text_dropped(void **state)
{
    for (unsigned i = 0; i < STATES; i++) {
        struct rig *rig = rig_new();
        enum sl_tcp_state at = synchronized[i];
        struct sl_tcp_conn *conn = script_reach(rig, at);

        say(rig, ACK, script_peers(at), at == SL_TCP_ESTABLISHED ? 10 : 0, script_ours(at) + 1);
        expect_state(conn, at);
        rig_expect(rig, ACK, script_ours(at), 0, script_peers(at));
        rig_free(rig);
    }
}

static void rfc5961_5_2_ack_older_than_the_largest_window_is_challenged(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);

    say(rig, ACK, 1, 10, 1 - 65535 - 1);
    rig_expect(rig, ACK, 1, 0, 1);
    assert_int_equal(rig_read(rig, conn, 0), 0);
    assert_int_equal(COUNTER(rig, refused_ack), 1);
    rig_free(rig);
}

static void rfc5961_5_2_ack_no_older_than_the_largest_window_counts(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);

    say(rig, ACK, 1, 10, 1 - 65535);
    assert_int_equal(rig_read(rig, conn, 0), 10);
    rig_free(rig);
}

// ---- budget -----------------------------------------------------------------------------------------------------
// Each as it were for another connection.
static unsigned challenges(struct rig *rig, struct sl_tcp_conn *conn, unsigned n, uint8_t flags, uint32_t seq, uint32_t ack)
{
    for (unsigned i = 0; i < n; i++) {
        ((struct tcp_conn *)conn)->oow_us = 0;
        say(rig, flags, seq, 0, ack);
        rig->n_taken = rig->n_out;
    }
    return (unsigned)COUNTER(rig, challenge_acks);
}

// RFC 5961 section 7; how many exactly must not be countable from outside (CVE-2016-5696).
static void rfc5961_7_challenges_are_so_many_a_second_for_all(void **state)
{
    static const struct {
        uint8_t flags;
        uint32_t seq, ack;
    } ways[] = {{RST, 5, 0}, {SYN, 5, 0}, {SYN, 0x30000000, 0}, {ACK, 1, 77}, {ACK, 1, 0x80000100}};

    for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct rig *rig = rig_new();
        struct sl_tcp_conn *conn = script_open(rig);
        unsigned first, second;

        first = challenges(rig, conn, 2000, ways[i].flags, ways[i].seq, ways[i].ack);
        assert_in_range(first, 500, 999);
        assert_in_range(rig->n_out, first, first + 2);
        rig_wait(rig, RIG_S);
        second = challenges(rig, conn, 2000, ways[i].flags, ways[i].seq, ways[i].ack) - first;
        assert_in_range(second, 500, 999);
        rig_free(rig);
    }
}

static void rfc5961_7_the_budget_is_not_the_same_each_second(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);
    unsigned last = 0, budgets[4];

    for (unsigned i = 0; i < 4; i++) {
        unsigned all = challenges(rig, conn, 1100, RST, 5, 0);

        budgets[i] = all - last;
        last = all;
        rig_wait(rig, RIG_S);
    }
    assert_false(budgets[0] == budgets[1] && budgets[1] == budgets[2] && budgets[2] == budgets[3]);
    rig_free(rig);
}

// Whoever knows one tuple cannot use up what others need to be found out by peers who have begun anew.
static void rfc5961_7_one_connection_draws_two_challenges_a_second_at_most(void **state)
{
    struct rig *rig = rig_new();

    script_open(rig);
    for (unsigned i = 0; i < 2000; i++) {
        say(rig, i & 1 ? SYN : RST, 5, 0, 0);
        rig_wait(rig, RIG_MS);
    }
    assert_in_range(COUNTER(rig, challenge_acks), 4, 5);
    assert_in_range(rig->n_out, 4, 6);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc9293_3_10_7_4_empty_segment_in_open_window),
        T(rfc9293_3_10_7_4_text_in_open_window),
        T(rfc9293_3_10_7_4_empty_segment_in_closed_window),
        T(rfc9293_3_10_7_4_text_in_closed_window_is_not_taken),
        T(text_reaching_beyond_the_window_is_cut),
        T(old_front_of_text_is_cut_off),
        T(an_old_duplicate_of_text_is_acknowledged_each_time),
        T(empty_segments_out_of_window_are_answered_twice_a_second),
        T(a_segment_without_ack_is_dropped_in_every_state),
        T(rfc5961_3_2_reset_at_the_exact_number_ends_in_every_state),
        T(rfc5961_3_2_reset_elsewhere_in_the_window_asks_back_in_every_state),
        T(rfc5961_3_2_reset_out_of_the_window_is_dropped_in_every_state),
        T(must_66_reset_counts_with_a_closed_window),
        T(a_reset_may_carry_text),
        T(a_reset_with_an_old_timestamp_still_counts),
        T(unread_bytes_stay_readable_behind_a_reset),
        T(rfc5961_4_2_syn_is_challenged_wherever_it_is_in_every_state),
        T(rfc9293_3_5_1_half_open_connection_is_found_out),
        T(an_ack_of_what_was_never_sent_is_answered_and_its_text_dropped),
        T(rfc5961_5_2_ack_older_than_the_largest_window_is_challenged),
        T(rfc5961_5_2_ack_no_older_than_the_largest_window_counts),
        T(rfc5961_7_challenges_are_so_many_a_second_for_all),
        T(rfc5961_7_one_connection_draws_two_challenges_a_second_at_most),
        T(rfc5961_7_the_budget_is_not_the_same_each_second),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
