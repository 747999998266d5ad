// SPDX-License-Identifier: Apache-2.0
// SYN-SENT and the other half of a simultaneous open (RFC 9293 sections 3.10.7.3, 3.5, 3.7.1).
#include "script.h"

static struct rig *begin(struct sl_tcp_conn **conn, struct sl_tcp_options options, bool v6)
{
    struct sl_tcp_config config;
    struct rig *rig;

    rig_config(&config);
    rig = rig_new_with(&config, v6);
    *conn = script_connect(rig, &options);
    return rig;
}

// ---- first check: ACK -------------------------------------------------------------------------------------------
static void ack_out_of_place(bool reset)
{
    static const uint32_t acks[] = {0, 2, 0x80000001, 0xffffffff};

    for (unsigned i = 0; i < 4; i++) {
        struct sl_tcp_conn *conn;
        struct rig *rig = begin(&conn, script_bare(), false);

        say(rig, SYN | ACK | (reset ? RST : 0), 0, 0, acks[i]);
        if (!reset)
            rig_expect(rig, RST, acks[i], 0, 0u - rig->peer_isn);
        rig_expect_none(rig);
        expect_state(conn, SL_TCP_SYN_SENT);
        rig_free(rig);
    }
}

static void rfc9293_3_10_7_3_first_ack_of_something_else_is_reset(void **state)
{
    ack_out_of_place(false);
}

static void rfc9293_3_10_7_3_first_reset_with_ack_of_something_else_is_dropped(void **state)
{
    ack_out_of_place(true);
}

// ---- second check: RST ------------------------------------------------------------------------------------------
static void rfc9293_3_10_7_3_second_reset_of_our_syn_is_refusal(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = begin(&conn, script_bare(), false);

    say(rig, RST | ACK, 0, 0, 1);
    expect_ended(rig, -ECONNREFUSED);
    rig_expect_none(rig);
    assert_int_equal(COUNTER(rig, failed), 1);
    rig_free(rig);
}

static void rfc9293_3_10_7_3_second_reset_without_ack_is_dropped(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = begin(&conn, script_bare(), false);

    say(rig, RST, 0, 0, 0);
    say(rig, RST | SYN, 0, 0, 0);
    expect_state(conn, SL_TCP_SYN_SENT);
    rig_expect_none(rig);
    rig_free(rig);
}

// ---- fourth check: SYN ------------------------------------------------------------------------------------------
static void rfc9293_3_10_7_3_fourth_syn_ack_establishes_and_is_acknowledged_at_once(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = begin(&conn, script_bare(), false);
    int error = 1;

    say(rig, SYN | ACK, 0, 0, 1);
    rig_expect(rig, ACK, 1, 0, 1);
    rig_expect_none(rig);
    expect_state(conn, SL_TCP_ESTABLISHED);
    assert_int_equal(script_events(rig, &error), SL_TCP_CONNECTED | SL_TCP_WRITABLE);
    rig_free(rig);
}

static void rfc9293_3_10_7_3_fourth_text_on_the_syn_ack_is_taken(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = begin(&conn, script_bare(), false);

    say(rig, SYN | ACK, 0, 100, 1);
    rig_expect(rig, ACK, 1, 0, 101);
    assert_int_equal(rig_read(rig, conn, 0), 100);
    rig_free(rig);
}

static void rfc9293_3_10_7_3_fifth_fin_on_the_syn_ack_closes_the_peers_way(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = begin(&conn, script_bare(), false);

    say(rig, SYN | ACK | FIN, 0, 0, 1);
    expect_state(conn, SL_TCP_CLOSE_WAIT);
    rig_expect(rig, ACK, 1, 0, 2);
    rig_free(rig);
}

static void rfc9293_3_10_7_3_fifth_neither_syn_nor_rst_is_dropped(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = begin(&conn, script_bare(), false);

    say(rig, ACK, 1, 0, 1);
    say(rig, ACK | FIN, 1, 50, 1);
    say(rig, 0, 1, 10, 0);
    expect_state(conn, SL_TCP_SYN_SENT);
    rig_expect_none(rig);
    rig_free(rig);
}

static void what_was_queued_goes_with_the_ack_of_the_syn_ack(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = begin(&conn, script_bare(), false);

    assert_int_equal(rig_send(rig, conn, 0, 300), 0);
    rig_expect_none(rig);
    say(rig, SYN | ACK, 0, 0, 1);
    rig_expect(rig, ACK | PSH, 1, 300, 1);
    rig_expect_none(rig);
    rig_free(rig);
}

// RFC 9293 section 3.5.1, figure 10: the peer still has our former connection.
static void rfc9293_3_5_1_ack_of_an_old_connection_draws_a_reset(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = begin(&conn, script_bare(), false);

    say(rig, ACK, 300, 0, 100);
    rig_expect(rig, RST, 100, 0, 0u - rig->peer_isn);
    rig_wait_out(rig, 2 * RIG_S);
    rig_expect(rig, SYN, 0, 0, 0u - rig->peer_isn);
    say(rig, SYN | ACK, 0, 0, 1);
    expect_state(conn, SL_TCP_ESTABLISHED);
    rig_free(rig);
}

// An echo that no SYN of this attempt can have caused.
static void rfc7323_a_syn_ack_with_a_foreign_echo_is_reset(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = begin(&conn, rig_options(), false);
    struct tcp_options options = rig_full_syn();

    options.tsval = 1;
    options.tsecr = rig->tsecr - 1000;
    RIG_PUT(rig, .flags = SYN | ACK, .ack = 1, .window = 65535, .options = options);
    rig_expect(rig, RST, 1, 0, 0u - rig->peer_isn);
    expect_state(conn, SL_TCP_SYN_SENT);
    rig_free(rig);
}

// ---- simultaneous open: MUST-10 -----------------------------------------------------------------------------------
static void must_10_both_syns_cross_and_each_is_acknowledged(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = begin(&conn, script_bare(), false);
    int error = 1;

    say(rig, SYN, 0, 0, 0);
    expect_state(conn, SL_TCP_SYN_RECEIVED);
    rig_expect(rig, SYN | ACK, 0, 0, 1);
    say(rig, ACK, 1, 0, 1);
    expect_state(conn, SL_TCP_ESTABLISHED);
    assert_int_equal(script_events(rig, &error), SL_TCP_CONNECTED | SL_TCP_WRITABLE);
    rig_free(rig);
}

// RFC 9293 section 3.5, figure 7: each end answers the other's SYN with a SYN-ACK.
static void must_10_the_peers_syn_ack_ends_it_as_well(void **state)
{
    struct sl_tcp_conn *conn = NULL;
    struct rig *rig = rig_new();

    conn = script_reach(rig, SL_TCP_SYN_RECEIVED);
    say(rig, SYN | ACK, 0, 0, 1);
    expect_state(conn, SL_TCP_ESTABLISHED);
    assert_int_equal(rig_send(rig, conn, 0, 100), 0);
    say(rig, ACK, 1, 50, 101);
    assert_int_equal(rig_read(rig, conn, 0), 50);
    rig_free(rig);
}

static void must_10_text_on_the_peers_syn_ack_begins_behind_its_syn(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_reach(rig, SL_TCP_SYN_RECEIVED);

    say(rig, SYN | ACK | FIN, 0, 100, 1);
    expect_state(conn, SL_TCP_CLOSE_WAIT);
    assert_int_equal(rig_info(conn).rcv_nxt - rig->peer_isn, 102);
    assert_int_equal(rig_read(rig, conn, 0), 100);
    rig_free(rig);
}

// RFC 7323 section 2.2: the window of a segment with SYN is never scaled.
static void must_10_the_window_of_the_peers_syn_ack_is_not_scaled(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = begin(&conn, rig_options(), false);
    struct tcp_options options = rig_full_syn();

    options.present &= (uint8_t)~TCP_OPTION_TIMESTAMPS;
    RIG_PUT(rig, .flags = SYN, .window = 5000, .options = options);
    RIG_PUT(rig, .flags = SYN | ACK, .ack = 1, .window = 6000, .options = options);
    expect_state(conn, SL_TCP_ESTABLISHED);
    assert_int_equal(rig_info(conn).snd_wnd, 6000);
    rig_free(rig);
}

static void must_10_our_syn_ack_is_repeated(void **state)
{
    struct rig *rig = rig_new();

    script_reach(rig, SL_TCP_SYN_RECEIVED);
    rig_wait_out(rig, 10 * RIG_S);
    rig_expect(rig, SYN | ACK, 0, 0, 1);
    rig_free(rig);
}

// MUST-11: it came from SYN-SENT, so the caller is told and it does not go back to LISTEN.
static void must_11_a_reset_ends_a_simultaneous_open_with_refusal(void **state)
{
    struct rig *rig = rig_new();

    script_reach(rig, SL_TCP_SYN_RECEIVED);
    say(rig, RST, 1, 0, 0);
    expect_ended(rig, -ECONNREFUSED);
    rig_free(rig);
}

static void data_queued_before_a_simultaneous_open_is_sent(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = begin(&conn, script_bare(), false);

    assert_int_equal(rig_send(rig, conn, 0, 100), 0);
    say(rig, SYN, 0, 0, 0);
    rig_expect(rig, SYN | ACK, 0, 0, 1);
    rig_expect_none(rig);
    say(rig, ACK, 1, 0, 1);
    rig_expect(rig, ACK | PSH, 1, 100, 1);
    rig_free(rig);
}

// RFC 9293 section 3.10.4, SYN-RECEIVED: the FIN waits for the connection.
static void rfc9293_3_10_4_close_in_syn_received_sends_data_and_fin_once_established(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_reach(rig, SL_TCP_SYN_RECEIVED);

    assert_int_equal(rig_send(rig, conn, 0, 100), 0);
    assert_int_equal(sl_tcp_shutdown(conn, rig->now_us), 0);
    rig_flush(rig);
    rig_expect_none(rig);
    rig_wait_out(rig, 10 * RIG_S);
    rig_expect(rig, SYN | ACK, 0, 0, 1);
    say(rig, ACK, 1, 0, 1);
    rig_expect(rig, ACK | PSH | FIN, 1, 100, 1);
    expect_state(conn, SL_TCP_FIN_WAIT_1);
    rig_free(rig);
}

// Both ends go by what the SYN said.
static void options_set_while_the_syn_is_out_do_not_change_what_it_offered(void **state)
{
    struct sl_tcp_options options = rig_options(), bare = script_bare();
    struct sl_tcp_conn *conn;
    struct rig *rig = begin(&conn, options, false);
    struct sl_tcp_info info;

    bare.no_delay = true;
    sl_tcp_options_set(conn, &bare, rig->now_us);
    RIG_PUT(rig, .flags = SYN | ACK, .ack = 1, .window = 5000,
            .options = {.present = TCP_OPTION_MSS | TCP_OPTION_WSCALE | TCP_OPTION_SACK_PERMITTED, .mss = 1460, .wscale = 7});
    info = rig_info(conn);
    assert_true(info.sack);
    assert_int_equal(info.snd_wscale, 7);
    assert_int_equal(info.rcv_wscale, 7);
    rig_free(rig);
}

// ---- options ------------------------------------------------------------------------------------------------------
struct learnt {
    const char *name;
    uint8_t peer;                  // what his SYN-ACK has
    bool timestamps, sack, wscale; // of ours
    bool has_timestamps, has_sack;
    uint8_t has_wscale;
};

static void what_is_agreed_on_is_what_both_have(void **state)
{
    static const struct learnt rows[] = {
        {"nobody", TCP_OPTION_MSS, false, false, false, false, false, 0},
        {"we alone", TCP_OPTION_MSS, true, true, true, false, false, 0},
        {"he alone", 0x0f, false, false, false, false, false, 0},
        {"both", 0x0f, true, true, true, true, true, 7},
        {"SACK alone", TCP_OPTION_SACK_PERMITTED, true, true, true, false, true, 0},
        {"scaling alone", TCP_OPTION_WSCALE, true, true, true, false, false, 7},
        {"timestamps alone", TCP_OPTION_TIMESTAMPS, true, true, true, true, false, 0},
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sl_tcp_options ours = rig_options();
        struct tcp_options peer = {.present = rows[i].peer, .mss = 1460, .wscale = 7, .tsval = 9};
        struct sl_tcp_conn *conn;
        struct sl_tcp_info info;
        struct rig *rig;

        ours.timestamps = rows[i].timestamps;
        ours.sack = rows[i].sack;
        ours.wscale = rows[i].wscale;
        rig = begin(&conn, ours, false);
        peer.tsecr = rig->tsecr;
        RIG_PUT(rig, .flags = SYN | ACK, .ack = 1, .window = 65535, .options = peer, .no_timestamps = true);
        info = rig_info(conn);
        if (info.timestamps != rows[i].has_timestamps || info.sack != rows[i].has_sack ||
            info.snd_wscale != rows[i].has_wscale || (info.rcv_wscale != 0) != (rows[i].has_wscale != 0))
            fail_msg("%s: timestamps %u SACK %u scale %u", rows[i].name, info.timestamps, info.sack,
                     info.snd_wscale);
        rig_free(rig);
    }
}

static uint16_t mss_learnt(uint16_t peer_mss, bool v6, bool timestamps)
{
    struct sl_tcp_options ours = script_bare();
    struct tcp_options peer = {.present = peer_mss ? TCP_OPTION_MSS : 0, .mss = peer_mss, .tsval = 7};
    struct sl_tcp_conn *conn;
    struct rig *rig;
    uint16_t mss;

    ours.timestamps = timestamps;
    rig = begin(&conn, ours, v6);
    if (timestamps) {
        peer.present |= TCP_OPTION_TIMESTAMPS;
        peer.tsecr = rig->tsecr;
    }
    RIG_PUT(rig, .flags = SYN | ACK, .ack = 1, .window = 65535, .options = peer, .no_timestamps = true);
    expect_state(conn, SL_TCP_ESTABLISHED);
    mss = rig_info(conn).snd_mss;
    rig_free(rig);
    return mss;
}

static void must_15_without_an_mss_option_536_and_1220_are_sent(void **state)
{
    assert_int_equal(mss_learnt(0, false, false), 536);
    assert_int_equal(mss_learnt(0, true, false), 1220);
}

// MUST-16: the smaller of what the peer takes and what the path carries; options come off (RFC 6691).
static void must_16_the_effective_mss_is_the_smaller_one_without_options(void **state)
{
    assert_int_equal(mss_learnt(1000, false, false), 1000);
    assert_int_equal(mss_learnt(9000, false, false), 1460);
    assert_int_equal(mss_learnt(9000, true, false), 1440);
    assert_int_equal(mss_learnt(1460, false, true), 1448);
    assert_int_equal(mss_learnt(536, false, true), 524);
}

static void a_tiny_mss_is_not_followed_below_88(void **state)
{
    assert_int_equal(mss_learnt(1, false, false), 88);
    assert_int_equal(mss_learnt(88, false, true), 88);
}

static const struct tcp_options *syn_of(struct rig **rig, struct sl_tcp_options options, bool v6)
{
    struct sl_tcp_conn *conn;

    *rig = begin(&conn, options, v6);
    return &(*rig)->out[0]->options;
}

static void must_67_the_mss_told_is_what_a_packet_holds_without_fixed_headers(void **state)
{
    static const struct {
        bool v6;
        uint16_t mtu, clamp, mss;
    } rows[] = {{false, 1500, 0, 1460},   {true, 1500, 0, 1440}, {false, 9000, 0, 8960},
                {true, 1280, 0, 1220},    {false, 576, 0, 536},  {false, 1500, 1200, 1200},
                {false, 1500, 4000, 1460}};

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sl_tcp_options options = rig_options();
        struct rig *rig;

        options.mtu = rows[i].mtu;
        options.mss_clamp = rows[i].clamp;
        assert_int_equal(syn_of(&rig, options, rows[i].v6)->mss, rows[i].mss);
        rig_free(rig);
    }
}

static void rfc7323_1_3_a_syn_offers_what_is_configured_and_echoes_nothing(void **state)
{
    struct sl_tcp_options options = rig_options();
    const struct tcp_options *syn;
    struct rig *rig;

    syn = syn_of(&rig, options, false);
    assert_int_equal(syn->present,
                     TCP_OPTION_MSS | TCP_OPTION_WSCALE | TCP_OPTION_SACK_PERMITTED | TCP_OPTION_TIMESTAMPS);
    assert_int_equal(syn->tsecr, 0);
    assert_int_equal(syn->wscale, 7); // 4 MB at most
    rig_free(rig);
    syn = syn_of(&rig, script_bare(), false);
    assert_int_equal(syn->present, TCP_OPTION_MSS);
    rig_free(rig);
}

// ---- giving up --------------------------------------------------------------------------------------------------
static void rfc6298_5_5_a_syn_is_repeated_with_a_doubling_timer(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = begin(&conn, script_bare(), false);
    uint64_t from = rig->now_us, after[] = {1, 3, 7, 15, 31, 63};

    for (unsigned i = 0; i < 6; i++) {
        rig_wait_out(rig, 100 * RIG_S);
        assert_in_range((rig_expect(rig, SYN, 0, 0, 0u - rig->peer_isn)->at_us - from) / RIG_MS,
                        after[i] * 1000, after[i] * 1000 + 5);
    }
    rig_free(rig);
}

static void must_23_a_connect_is_given_up_after_three_minutes_at_the_earliest(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = begin(&conn, script_bare(), false);

    rig_wait(rig, 180 * RIG_S);
    expect_not_ended(rig);
    rig_wait(rig, 300 * RIG_S);
    expect_ended(rig, -ETIMEDOUT);
    assert_int_equal(COUNTER(rig, timed_out), 1);
    rig_free(rig);
}

static void must_22_syn_retries_are_the_callers_to_set(void **state)
{
    struct sl_tcp_options options = script_bare();
    struct sl_tcp_conn *conn;
    struct rig *rig;

    options.syn_retries = 2;
    rig = begin(&conn, options, false);
    rig_wait(rig, 8 * RIG_S);
    assert_int_equal(count_out(rig), 2);
    expect_ended(rig, -ETIMEDOUT);
    rig_free(rig);
}

static void rfc5482_a_user_timeout_ends_a_connect_in_time(void **state)
{
    struct sl_tcp_options options = script_bare();
    struct sl_tcp_conn *conn;
    struct rig *rig;

    options.user_timeout_ms = 5000;
    rig = begin(&conn, options, false);
    rig_wait(rig, 4900 * RIG_MS);
    expect_not_ended(rig);
    rig_wait(rig, 200 * RIG_MS);
    expect_ended(rig, -ETIMEDOUT);
    rig_free(rig);
}

static void rfc9293_3_10_4_close_in_syn_sent_forgets_it_without_a_word(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = begin(&conn, script_bare(), false);

    assert_int_equal(rig_send(rig, conn, 0, 10), 0);
    sl_tcp_close(conn, rig->now_us);
    rig_flush(rig);
    rig_expect_none(rig);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    say(rig, SYN | ACK, 0, 0, 1); // who answers late is reset
    rig_expect(rig, RST, 1, 0, 0u - rig->peer_isn);
    rig_free(rig);
}

static void rfc9293_3_10_5_abort_in_syn_sent_forgets_it_without_a_word(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = begin(&conn, script_bare(), false);

    sl_tcp_abort(conn, rig->now_us);
    rig_flush(rig);
    rig_expect_none(rig);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    rig_free(rig);
}

static void shutdown_in_syn_sent_is_refused(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = begin(&conn, script_bare(), false);

    assert_int_equal(sl_tcp_shutdown(conn, rig->now_us), -ENOTCONN);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc9293_3_10_7_3_first_ack_of_something_else_is_reset),
        T(rfc9293_3_10_7_3_first_reset_with_ack_of_something_else_is_dropped),
        T(rfc9293_3_10_7_3_second_reset_of_our_syn_is_refusal),
        T(rfc9293_3_10_7_3_second_reset_without_ack_is_dropped),
        T(rfc9293_3_10_7_3_fourth_syn_ack_establishes_and_is_acknowledged_at_once),
        T(rfc9293_3_10_7_3_fourth_text_on_the_syn_ack_is_taken),
        T(rfc9293_3_10_7_3_fifth_fin_on_the_syn_ack_closes_the_peers_way),
        T(rfc9293_3_10_7_3_fifth_neither_syn_nor_rst_is_dropped),
        T(what_was_queued_goes_with_the_ack_of_the_syn_ack),
        T(rfc9293_3_5_1_ack_of_an_old_connection_draws_a_reset),
        T(rfc7323_a_syn_ack_with_a_foreign_echo_is_reset),
        T(must_10_both_syns_cross_and_each_is_acknowledged),
        T(must_10_the_peers_syn_ack_ends_it_as_well),
        T(must_10_text_on_the_peers_syn_ack_begins_behind_its_syn),
        T(must_10_the_window_of_the_peers_syn_ack_is_not_scaled),
        T(must_10_our_syn_ack_is_repeated),
        T(must_11_a_reset_ends_a_simultaneous_open_with_refusal),
        T(data_queued_before_a_simultaneous_open_is_sent),
        T(rfc9293_3_10_4_close_in_syn_received_sends_data_and_fin_once_established),
        T(options_set_while_the_syn_is_out_do_not_change_what_it_offered),
        T(what_is_agreed_on_is_what_both_have),
        T(must_15_without_an_mss_option_536_and_1220_are_sent),
        T(must_16_the_effective_mss_is_the_smaller_one_without_options),
        T(a_tiny_mss_is_not_followed_below_88),
        T(must_67_the_mss_told_is_what_a_packet_holds_without_fixed_headers),
        T(rfc7323_1_3_a_syn_offers_what_is_configured_and_echoes_nothing),
        T(rfc6298_5_5_a_syn_is_repeated_with_a_doubling_timer),
        T(must_23_a_connect_is_given_up_after_three_minutes_at_the_earliest),
        T(must_22_syn_retries_are_the_callers_to_set),
        T(rfc5482_a_user_timeout_ends_a_connect_in_time),
        T(rfc9293_3_10_4_close_in_syn_sent_forgets_it_without_a_word),
        T(rfc9293_3_10_5_abort_in_syn_sent_forgets_it_without_a_word),
        T(shutdown_in_syn_sent_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
