// SPDX-License-Identifier: Apache-2.0
// ICMP errors about our segments (RFC 9293 section 3.9.2.2, RFC 1191, RFC 5461) and forged ones (RFC 5927).
#include "script.h"

static void icmp(struct rig *rig, enum sl_tcp_icmp kind, uint32_t seq, uint32_t mtu)
{
    struct sl_tcp_icmp_in in = {.local = rig->local,
                                .remote = rig->remote,
                                .local_port = rig->local_port,
                                .remote_port = rig->remote_port,
                                .seq = rig->isn + seq,
                                .kind = kind,
                                .mtu = mtu};

    sl_tcp_icmp(rig->tcp, &in, rig->now_us);
    rig_flush(rig);
}

static struct rig *connecting(struct sl_tcp_conn **conn)
{
    struct sl_tcp_options options = script_bare();
    struct rig *rig = rig_new();

    *conn = script_connect(rig, &options);
    return rig;
}

// ---- unreachable ------------------------------------------------------------------------------------------------
static void rfc5461_4_a_hard_error_ends_a_connect(void **state)
{
    static const struct {
        enum sl_tcp_icmp kind;
        int error;
    } rows[] = {{SL_TCP_ICMP_PORT, -ECONNREFUSED}, {SL_TCP_ICMP_PROHIBITED, -EHOSTUNREACH}};

    for (unsigned i = 0; i < 2; i++) {
        struct sl_tcp_conn *conn;
        struct rig *rig = connecting(&conn);

        icmp(rig, rows[i].kind, 0, 0);
        expect_ended(rig, rows[i].error);
        rig_free(rig);
    }
}

static void must_56_a_soft_error_does_not_end_a_connect(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = connecting(&conn);

    icmp(rig, SL_TCP_ICMP_UNREACHABLE, 0, 0);
    expect_state(conn, SL_TCP_SYN_SENT);
    say(rig, SYN | ACK, 0, 0, 1);
    expect_state(conn, SL_TCP_ESTABLISHED);
    rig_free(rig);
}

static void shld_25_a_soft_error_is_why_a_connect_that_times_out_failed(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = connecting(&conn);

    icmp(rig, SL_TCP_ICMP_UNREACHABLE, 0, 0);
    assert_int_equal(rig_info(conn).error, -EHOSTUNREACH);
    rig_wait(rig, 600 * RIG_S);
    expect_ended(rig, -EHOSTUNREACH);
    rig_free(rig);
}

// MUST-56; SHLD-26 would have hard ones abort: RFC 5927 section 5.2 tells why nobody does.
static void rfc5927_5_2_no_error_ends_an_established_connection(void **state)
{
    static const enum sl_tcp_icmp kinds[] = {SL_TCP_ICMP_UNREACHABLE, SL_TCP_ICMP_PORT,
                                             SL_TCP_ICMP_PROHIBITED};

    for (unsigned i = 0; i < 3; i++) {
        struct rig *rig = rig_new();
        struct sl_tcp_conn *conn = script_open(rig);

        rig_send(rig, conn, 0, 100);
        icmp(rig, kinds[i], 1, 0);
        expect_state(conn, SL_TCP_ESTABLISHED);
        assert_int_not_equal(rig_info(conn).error, 0);
        say(rig, ACK, 1, 0, 101);
        assert_int_equal(rig_info(conn).error, 0); // the way is there after all
        expect_not_ended(rig);
        rig_free(rig);
    }
}

static void errors_do_not_end_other_states_either(void **state)
{
    static const enum sl_tcp_state states[] = {SL_TCP_SYN_RECEIVED, SL_TCP_FIN_WAIT_1, SL_TCP_CLOSING,
                                               SL_TCP_LAST_ACK};

    for (unsigned i = 0; i < 4; i++) {
        struct rig *rig = rig_new();
        struct sl_tcp_conn *conn = script_reach(rig, states[i]);

        icmp(rig, SL_TCP_ICMP_PORT, states[i] == SL_TCP_SYN_RECEIVED ? 0 : 1, 0);
        expect_state(conn, states[i]);
        rig_free(rig);
    }
}

// ---- forged -----------------------------------------------------------------------------------------------------
static void rfc5927_4_1_only_a_number_in_flight_counts(void **state)
{
    static const struct {
        const char *name;
        uint32_t seq;
        bool counts;
    } rows[] = {{"before what was acknowledged", 0, false},
                {"first in flight", 1, true},
                {"last in flight", 100, true},
                {"next to be sent", 101, false},
                {"far ahead", 0x10000000, false},
                {"far behind", 0xf0000000, false}};

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig *rig = rig_new();
        struct sl_tcp_conn *conn = script_open(rig);

        rig_send(rig, conn, 0, 100);
        icmp(rig, SL_TCP_ICMP_UNREACHABLE, rows[i].seq, 0);
        if ((rig_info(conn).error != 0) != rows[i].counts)
            fail_msg("unreachable, %s", rows[i].name);
        icmp(rig, SL_TCP_ICMP_TOO_BIG, rows[i].seq, 1000);
        if ((rig_info(conn).mtu == 1000) != rows[i].counts)
            fail_msg("too big, %s", rows[i].name);
        rig_free(rig);
    }
}

static void an_error_about_a_stranger_is_ignored(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);

    rig_send(rig, conn, 0, 100);
    rig->remote_port++;
    icmp(rig, SL_TCP_ICMP_TOO_BIG, 1, 600);
    assert_int_equal(rig_info(conn).mtu, 1500);
    rig_free(rig);
}

static void an_error_about_a_tuple_that_waits_is_ignored(void **state)
{
    struct rig *rig = rig_new();

    script_reach(rig, SL_TCP_TIME_WAIT);
    for (enum sl_tcp_icmp kind = SL_TCP_ICMP_UNREACHABLE; kind <= SL_TCP_ICMP_TOO_BIG; kind++)
        icmp(rig, kind, 1, 600);
    say(rig, ACK, 1, 10, 2);
    rig_expect(rig, ACK, 2, 0, 2);
    rig_free(rig);
}

// ---- too big ------------------------------------------------------------------------------------------------------
static void rfc1191_6_what_was_too_big_goes_again_in_smaller_pieces(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);
    uint32_t at = 1;

    rig_send(rig, conn, 0, 2920);
    rig_drop_out(rig);
    icmp(rig, SL_TCP_ICMP_TOO_BIG, 1, 1000);
    assert_int_equal(rig_info(conn).mtu, 1000);
    assert_int_equal(rig_info(conn).snd_mss, 960);
    rig_wait(rig, 5 * RIG_S);
    for (const struct rig_segment *out; (out = rig_take(rig)) != NULL;) {
        assert_in_range(out->out.len, 1, 960);
        if (out->seq == at)
            at += out->out.len;
    }
    assert_int_equal(at, 2921);
    rig_free(rig);
}

static void an_mtu_is_only_ever_lowered_and_not_below_the_floor(void **state)
{
    static const struct {
        uint32_t told;
        uint16_t then;
    } rows[] = {{1500, 1500}, {9000, 1500}, {1499, 1499}, {1280, 1280}, {576, 576},        {575, 576},
                {296, 576},   {68, 576},    {1, 1492},    {0, 1492},    {0xffffffff, 1492}};

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig *rig = rig_new();
        struct sl_tcp_conn *conn = script_open(rig);

        rig_send(rig, conn, 0, 1460);
        icmp(rig, SL_TCP_ICMP_TOO_BIG, 1, rows[i].told);
        if (rig_info(conn).mtu != rows[i].then)
            fail_msg("told %u: %u", rows[i].told, rig_info(conn).mtu);
        rig_free(rig);
    }
}

static void rfc8201_4_the_floor_of_ipv6_is_1280(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_config config;
    struct sl_tcp_conn *conn;
    struct rig *rig;

    rig_config(&config);
    rig = rig_new_with(&config, true);
    conn = rig_open_passive(rig, &options, rig_bare_syn(), 65535);
    rig_send(rig, conn, 0, 1440);
    icmp(rig, SL_TCP_ICMP_TOO_BIG, 1, 600);
    assert_int_equal(rig_info(conn).mtu, 1280);
    assert_int_equal(rig_info(conn).snd_mss, 1220);
    rig_free(rig);
}

static void an_mtu_told_during_the_handshake_counts_afterwards(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = connecting(&conn);

    icmp(rig, SL_TCP_ICMP_TOO_BIG, 0, 1000);
    expect_state(conn, SL_TCP_SYN_SENT);
    RIG_PUT(rig, .flags = SYN | ACK, .ack = 1, .window = 65535, .options = rig_bare_syn());
    assert_int_equal(rig_info(conn).snd_mss, 960);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc5461_4_a_hard_error_ends_a_connect),
        T(must_56_a_soft_error_does_not_end_a_connect),
        T(shld_25_a_soft_error_is_why_a_connect_that_times_out_failed),
        T(rfc5927_5_2_no_error_ends_an_established_connection),
        T(errors_do_not_end_other_states_either),
        T(rfc5927_4_1_only_a_number_in_flight_counts),
        T(an_error_about_a_stranger_is_ignored),
        T(an_error_about_a_tuple_that_waits_is_ignored),
        T(rfc1191_6_what_was_too_big_goes_again_in_smaller_pieces),
        T(an_mtu_is_only_ever_lowered_and_not_below_the_floor),
        T(rfc8201_4_the_floor_of_ipv6_is_1280),
        T(an_mtu_told_during_the_handshake_counts_afterwards),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
