// SPDX-License-Identifier: Apache-2.0
// LISTEN and SYN-RECEIVED from there, and segments that belong to nobody (RFC 9293 sections 3.10.7.1, 3.10.7.2, 3.5).
#include "script.h"

static struct rig *listening(const struct sl_tcp_options *options)
{
    struct rig *rig = rig_new();

    rig_listen(rig, options);
    return rig;
}

static struct rig *syn_received(void)
{
    struct sl_tcp_options options = script_bare();
    struct rig *rig = listening(&options);

    RIG_PUT(rig, .flags = SYN, .window = 65535, .options = rig_bare_syn());
    rig_expect(rig, SYN | ACK, 0, 0, 1);
    return rig;
}

// ---- CLOSED -----------------------------------------------------------------------------------------------------
static void rfc9293_3_10_7_1_a_stray_segment_is_reset(void **state)
{
    static const struct {
        uint8_t flags;
        uint32_t seq, len, ack;
        uint8_t out;
        uint32_t out_seq, out_ack;
    } rows[] = {
        {ACK, 100, 10, 555, RST, 555, 0}, // with an ACK: its number, no ACK of ours
        {SYN | ACK, 100, 0, 555, RST, 555, 0},
        {SYN, 100, 0, 0, RST | ACK, 0, 101}, // without: number 0, and what it occupies acknowledged
        {FIN, 100, 20, 0, RST | ACK, 0, 121},
        {SYN | FIN, 100, 5, 0, RST | ACK, 0, 107},
        {0, 100, 7, 0, RST | ACK, 0, 107},
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig *rig = rig_new();
        const struct rig_segment *out;

        RIG_PUT(rig, .flags = rows[i].flags, .seq = rows[i].seq, .len = rows[i].len, .ack = rows[i].ack,
                .window = 500);
        out = rig_take(rig);
        assert_non_null(out);
        assert_int_equal(out->out.flags, rows[i].out);
        assert_int_equal(out->out.seq, rows[i].out_seq);
        if (rows[i].out & ACK)
            assert_int_equal(out->ack, rows[i].out_ack);
        assert_int_equal(out->out.window, 0);
        assert_int_equal(COUNTER(rig, no_connection), 1);
        rig_expect_none(rig);
        rig_free(rig);
    }
}

static void rfc9293_3_10_7_1_a_stray_reset_is_dropped(void **state)
{
    struct rig *rig = rig_new();

    say(rig, RST, 1, 0, 0);
    say(rig, RST | ACK, 1, 0, 5);
    rig_expect_none(rig);
    rig_free(rig);
}

// ---- LISTEN -----------------------------------------------------------------------------------------------------
static void rfc9293_3_10_7_2_first_reset_is_dropped(void **state)
{
    struct sl_tcp_options options = script_bare();
    struct rig *rig = listening(&options);

    say(rig, RST, 0, 0, 0);
    say(rig, RST | SYN, 0, 0, 0);
    say(rig, RST | ACK, 0, 0, 7);
    rig_expect_none(rig);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    rig_free(rig);
}

static void rfc9293_3_10_7_2_second_ack_is_reset(void **state)
{
    static const uint8_t flags[] = {ACK, ACK | SYN, ACK | FIN, ACK | PSH};

    for (unsigned i = 0; i < 4; i++) {
        struct sl_tcp_options options = script_bare();
        struct rig *rig = listening(&options);

        say(rig, flags[i], 100, 10, 555);
        assert_int_equal(rig_take(rig)->out.seq, 555);
        assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
        rig_free(rig);
    }
}

static void rfc9293_3_10_7_2_third_syn_is_answered(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct rig *rig = listening(&options);
    const struct rig_segment *out;

    RIG_PUT(rig, .flags = SYN, .window = 65535, .options = rig_full_syn());
    out = rig_expect(rig, SYN | ACK, 0, 0, 1);
    assert_int_equal(out->out.window, 65535); // never scaled on a SYN (RFC 7323 section 2.2)
    assert_int_equal(out->options.mss, 1460);
    assert_int_equal(script_events(rig, NULL), 0); // nobody is told before it is established
    rig_expect_none(rig);
    rig_free(rig);
}

static void rfc9293_3_10_7_2_fourth_anything_else_is_dropped(void **state)
{
    struct sl_tcp_options options = script_bare();
    struct rig *rig = listening(&options);

    say(rig, 0, 5, 10, 0);
    say(rig, FIN, 5, 0, 0);
    say(rig, PSH | URG, 5, 3, 0);
    say(rig, SYN | FIN, 5, 0, 0); // nobody honest sends it
    rig_expect_none(rig);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    rig_free(rig);
}

static void text_on_a_syn_is_left_to_be_sent_again(void **state)
{
    struct sl_tcp_options options = script_bare();
    struct rig *rig = listening(&options);

    say(rig, SYN, 0, 100, 0);
    rig_expect(rig, SYN | ACK, 0, 0, 1);
    rig_free(rig);
}

static void a_syn_ack_offers_only_what_the_syn_had(void **state)
{
    static const uint8_t offered[] = {0,
                                      TCP_OPTION_MSS,
                                      TCP_OPTION_MSS | TCP_OPTION_WSCALE,
                                      TCP_OPTION_MSS | TCP_OPTION_TIMESTAMPS,
                                      TCP_OPTION_SACK_PERMITTED,
                                      TCP_OPTION_MSS | TCP_OPTION_WSCALE | TCP_OPTION_TIMESTAMPS |
                                          TCP_OPTION_SACK_PERMITTED};

    for (unsigned i = 0; i < sizeof(offered); i++) {
        struct sl_tcp_options options = rig_options();
        struct rig *rig = listening(&options);
        const struct rig_segment *out;

        RIG_PUT(rig, .flags = SYN, .window = 65535,
                .options = {.present = offered[i], .mss = 1000, .wscale = 3, .tsval = 77});
        out = rig_expect(rig, SYN | ACK, 0, 0, 1);
        assert_int_equal(out->options.present, offered[i] | TCP_OPTION_MSS);
        if (offered[i] & TCP_OPTION_TIMESTAMPS)
            assert_int_equal(out->options.tsecr, 77);
        rig_free(rig);
    }
}

static void a_listener_without_an_option_does_not_answer_it(void **state)
{
    struct sl_tcp_options options = script_bare();
    struct rig *rig = listening(&options);

    RIG_PUT(rig, .flags = SYN, .window = 65535, .options = rig_full_syn());
    assert_int_equal(rig_expect(rig, SYN | ACK, 0, 0, 1)->options.present, TCP_OPTION_MSS);
    rig_free(rig);
}

static uint16_t mss_of(bool v6, uint16_t told)
{
    struct sl_tcp_options options = script_bare();
    struct sl_tcp_config config;
    struct tcp_options syn = {.present = told ? TCP_OPTION_MSS : 0, .mss = told};
    struct rig *rig;
    uint16_t mss;

    rig_config(&config);
    rig = rig_new_with(&config, v6);
    mss = rig_info(rig_open_passive(rig, &options, syn, 65535)).snd_mss;
    rig_free(rig);
    return mss;
}

static void must_15_a_syn_without_mss_means_536_and_1220(void **state)
{
    assert_int_equal(mss_of(false, 0), 536);
    assert_int_equal(mss_of(true, 0), 1220);
}

static void must_14_the_mss_of_the_syn_is_heeded(void **state)
{
    assert_int_equal(mss_of(false, 700), 700);
    assert_int_equal(mss_of(true, 700), 700);
}

// ---- SYN-RECEIVED -------------------------------------------------------------------------------------------------
static void rfc9293_3_5_three_way_handshake(void **state)
{
    struct rig *rig = syn_received();
    struct sl_tcp_event event;

    say(rig, ACK, 1, 0, 1);
    assert_true(rig_event(rig, &event));
    assert_int_equal(event.bits, SL_TCP_ACCEPTED | SL_TCP_WRITABLE);
    expect_state(event.conn, SL_TCP_ESTABLISHED);
    rig_expect_none(rig);
    rig_free(rig);
}

static void text_on_the_third_segment_is_taken(void **state)
{
    struct rig *rig = syn_received();
    struct sl_tcp_event event;

    say(rig, ACK | PSH, 1, 200, 1);
    assert_true(rig_event(rig, &event));
    assert_int_equal(event.bits, SL_TCP_ACCEPTED | SL_TCP_WRITABLE | SL_TCP_READABLE);
    assert_int_equal(rig_read(rig, event.conn, 0), 200);
    rig_free(rig);
}

static void fin_on_the_third_segment_closes_the_peers_way(void **state)
{
    struct rig *rig = syn_received();
    struct sl_tcp_event event;

    say(rig, ACK | FIN, 1, 0, 1);
    assert_true(rig_event(rig, &event));
    expect_state(event.conn, SL_TCP_CLOSE_WAIT);
    rig_expect(rig, ACK, 1, 0, 2);
    rig_free(rig);
}

static void data_that_overtook_the_third_segment_opens_it_too(void **state)
{
    struct rig *rig = syn_received();
    struct sl_tcp_event event;

    say(rig, ACK, 101, 100, 1);
    assert_true(rig_event(rig, &event));
    assert_true(event.bits & SL_TCP_ACCEPTED);
    rig_expect(rig, ACK, 1, 0, 1);
    say(rig, ACK, 1, 100, 1);
    assert_int_equal(rig_read(rig, event.conn, 0), 200);
    rig_free(rig);
}

static void a_wrong_ack_in_syn_received_is_reset_and_it_goes_on(void **state)
{
    static const uint32_t acks[] = {0, 2, 0x80000000};

    for (unsigned i = 0; i < 3; i++) {
        struct rig *rig = syn_received();

        say(rig, ACK, 1, 0, acks[i]);
        rig_expect(rig, RST, acks[i], 0, 0u - rig->peer_isn);
        say(rig, ACK, 1, 0, 1);
        assert_true(script_events(rig, NULL) & SL_TCP_ACCEPTED);
        rig_free(rig);
    }
}

// RFC 9293 section 3.10.7.4, first check: the SYN-ACK was lost.
static void a_repeated_syn_is_answered_by_the_same_syn_ack(void **state)
{
    struct rig *rig = syn_received();
    uint32_t isn = rig->isn;

    for (int i = 0; i < 3; i++) {
        RIG_PUT(rig, .flags = SYN, .window = 65535, .options = rig_bare_syn());
        rig_expect(rig, SYN | ACK, 0, 0, 1);
        assert_int_equal(rig->isn, isn);
    }
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 1);
    rig_free(rig);
}

// RFC 9293 section 3.5, figure 8: an old SYN came first, the reset that our answer draws brings back LISTEN (MUST-11).
static void must_11_an_old_duplicate_syn_is_recovered_from(void **state)
{
    struct sl_tcp_options options = script_bare();
    struct rig *rig = listening(&options);

    RIG_PUT(rig, .flags = SYN, .seq = 90, .window = 65535, .options = rig_bare_syn());
    rig_expect(rig, SYN | ACK, 0, 0, 91);
    say(rig, RST, 91, 0, 0);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    assert_int_equal(script_events(rig, NULL), 0);
    RIG_PUT(rig, .flags = SYN, .seq = 100, .window = 65535, .options = rig_bare_syn());
    rig_expect(rig, SYN | ACK, 0, 0, 101);
    say(rig, ACK, 101, 0, 1);
    assert_true(script_events(rig, NULL) & SL_TCP_ACCEPTED);
    rig_free(rig);
}

static void rfc5961_a_blind_reset_does_not_end_syn_received(void **state)
{
    struct rig *rig = syn_received();

    say(rig, RST, 0, 0, 0);
    say(rig, RST, 100, 0, 0);
    rig_drop_out(rig);
    say(rig, ACK, 1, 0, 1);
    assert_true(script_events(rig, NULL) & SL_TCP_ACCEPTED);
    rig_free(rig);
}

static void a_segment_out_of_the_window_in_syn_received_is_told_where_it_is(void **state)
{
    struct rig *rig = syn_received();

    say(rig, ACK, 0x20000000, 10, 1);
    rig_expect(rig, ACK, 1, 0, 1);
    rig_free(rig);
}

static void a_syn_ack_is_repeated_with_a_doubling_timer_and_then_forgotten(void **state)
{
    struct rig *rig = syn_received();
    uint64_t from = rig->now_us, after[] = {1, 3, 7, 15, 31};

    for (unsigned i = 0; i < 5; i++) {
        rig_wait_out(rig, 100 * RIG_S);
        assert_in_range((rig_expect(rig, SYN | ACK, 0, 0, 1)->at_us - from) / RIG_MS, after[i] * 1000,
                        after[i] * 1000 + 5);
    }
    rig_wait(rig, 100 * RIG_S);
    rig_expect_none(rig);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    assert_int_equal(script_events(rig, NULL), 0);
    assert_int_equal(COUNTER(rig, failed), 1);
    rig_free(rig);
}

// ---- listeners --------------------------------------------------------------------------------------------------
static struct sl_tcp_listener *listen_at(struct rig *rig, const char *address, uint16_t port, void *user,
                                         int *error)
{
    struct sl_tcp_options options = script_bare();
    struct sl_ip ip;

    assert_int_equal(sl_ip_parse(address, &ip), 0);
    *error = 0;
    return sl_tcp_listen(rig->tcp, &ip, __builtin_bswap16(port), &options, user, error);
}

static void a_listeners_options_are_those_of_the_connections_to_come(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct rig *rig = listening(&options);
    const struct rig_segment *out;

    options.mss_clamp = 900;
    assert_int_equal(sl_tcp_listener_options_set(rig->listener, &options), 0);
    options.congestion = "magic";
    assert_int_equal(sl_tcp_listener_options_set(rig->listener, &options), -EINVAL); // and nothing is changed
    RIG_PUT(rig, .flags = SYN, .window = 65535, .options = rig_bare_syn());
    out = rig_expect(rig, SYN | ACK, 0, 0, 1);
    assert_int_equal(out->options.mss, 900);
    rig_free(rig);
}

static void must_42_43_the_very_address_is_preferred_to_any(void **state)
{
    static int any, own, other;
    struct rig *rig = rig_new();
    struct sl_tcp_event event;
    int error;

    assert_non_null(listen_at(rig, "0.0.0.0", 80, &any, &error));
    assert_non_null(listen_at(rig, "192.0.2.1", 80, &own, &error));
    assert_non_null(listen_at(rig, "192.0.2.1", 81, &other, &error));
    say(rig, SYN, 0, 0, 0);
    say(rig, ACK, 1, 0, 1);
    assert_true(rig_event(rig, &event));
    assert_ptr_equal(event.listener_user, &own);
    sl_ip_parse("192.0.2.9", &rig->local);
    say(rig, SYN, 0, 0, 0);
    say(rig, ACK, 1, 0, 1);
    assert_true(rig_event(rig, &event));
    assert_ptr_equal(event.listener_user, &any);
    rig_free(rig);
}

static void a_listener_of_one_family_does_not_hear_the_other(void **state)
{
    struct sl_tcp_config config;
    struct rig *rig;
    int error;

    rig_config(&config);
    rig = rig_new_with(&config, true);
    assert_non_null(listen_at(rig, "0.0.0.0", 80, NULL, &error));
    say(rig, SYN, 0, 0, 0);
    assert_true(rig_take(rig)->out.flags & RST);
    assert_non_null(listen_at(rig, "::", 80, NULL, &error));
    say(rig, SYN, 0, 0, 0);
    rig_expect(rig, SYN | ACK, 0, 0, 1);
    rig_free(rig);
}

static void must_41_the_same_address_and_port_twice_is_refused(void **state)
{
    struct rig *rig = rig_new();
    int error;

    assert_non_null(listen_at(rig, "192.0.2.1", 80, NULL, &error));
    assert_null(listen_at(rig, "192.0.2.1", 80, NULL, &error));
    assert_int_equal(error, -EADDRINUSE);
    assert_non_null(listen_at(rig, "192.0.2.2", 80, NULL, &error));
    rig_free(rig);
}

static void listeners_run_out(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_listener *last = NULL;
    int error;

    for (uint16_t i = 0; i < 8; i++)
        assert_non_null(last = listen_at(rig, "192.0.2.1", (uint16_t)(100 + i), NULL, &error));
    assert_null(listen_at(rig, "192.0.2.1", 200, NULL, &error));
    assert_int_equal(error, -ENOBUFS);
    sl_tcp_unlisten(last);
    assert_non_null(listen_at(rig, "192.0.2.1", 200, NULL, &error));
    rig_free(rig);
}

static void must_41_a_listener_does_not_disturb_connections_of_its_port(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);

    say(rig, ACK, 1, 100, 1);
    assert_int_equal(rig_read(rig, conn, 0), 100);
    sl_tcp_unlisten(rig->listener);
    rig_drop_out(rig);
    say(rig, ACK, 101, 100, 1);
    assert_int_equal(rig_read(rig, conn, 100), 100);
    rig->remote_port++;
    say(rig, SYN, 0, 0, 0);
    rig_drop_out(rig);
    rig->remote_port--;
    say(rig, FIN | ACK, 201, 0, 1);
    expect_state(conn, SL_TCP_CLOSE_WAIT);
    rig_free(rig);
}

static void unlisten_resets_what_nobody_was_given(void **state)
{
    struct rig *rig = syn_received();

    sl_tcp_unlisten(rig->listener);
    rig_expect(rig, RST | ACK, 1, 0, 1);
    assert_int_equal(script_events(rig, NULL), 0);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    say(rig, SYN, 0, 0, 0);
    assert_true(rig_take(rig)->out.flags & RST);
    rig_free(rig);
}

static void unlisten_resets_what_was_accepted_and_never_told(void **state)
{
    struct rig *rig = syn_received();

    say(rig, ACK, 1, 100, 1);
    rig_drop_out(rig);
    sl_tcp_unlisten(rig->listener);
    rig_expect(rig, RST | ACK, 1, 0, 101);
    assert_int_equal(script_events(rig, NULL), 0);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    rig_free(rig);
}

// Of many, of two listeners: who was handed over is nobody's any more, and is not looked for among all there are.
static void unlisten_finds_its_own_half_open_and_untold_alone(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *given = script_open(rig);
    struct sl_tcp_listener *first = rig->listener, *second;
    int error;

    assert_int_equal(((struct tcp_conn *)given)->listener, TCP_NONE);
    second = listen_at(rig, "192.0.2.1", 443, NULL, &error);
    for (unsigned i = 0; i < 12; i++) { // by turns; every third one's handshake ends
        rig->remote_port++;
        rig->local_port = __builtin_bswap16(i % 2 ? 443 : 80);
        say(rig, SYN, 0, 0, 0);
        if (i % 3 == 0)
            say(rig, ACK, 1, 0, 1);
    }
    rig_drop_out(rig);
    assert_int_equal(((struct tcp_listener *)first)->half_open, 4);
    sl_tcp_unlisten(first);
    assert_int_equal(count_out(rig), 6); // resets
    assert_int_equal(COUNTER(rig, resets_out), 6);
    sl_tcp_unlisten(second);
    assert_int_equal(COUNTER(rig, resets_out), 12);
    assert_int_equal(script_events(rig, NULL), 0);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 1);
    expect_state(given, SL_TCP_ESTABLISHED);
    rig_free(rig);
}

static void a_full_engine_drops_syns_where_cookies_are_forbidden(void **state)
{
    struct sl_tcp_options options = script_bare();
    struct sl_tcp_config config;
    struct rig *rig;

    rig_config(&config);
    config.connections = 4;
    rig = rig_new_with(&config, false);
    options.cookies_never = true;
    rig_listen(rig, &options);
    for (int i = 0; i < 6; i++, rig->remote_port++)
        say(rig, SYN, 0, 0, 0);
    assert_int_equal(count_out(rig), 4);
    assert_int_equal(COUNTER(rig, no_room), 2);
    rig_wait(rig, 120 * RIG_S);
    rig_drop_out(rig);
    say(rig, SYN, 0, 0, 0);
    assert_int_equal(count_out(rig), 1);
    rig_free(rig);
}

// ---- addresses --------------------------------------------------------------------------------------------------
static void must_57_a_syn_to_or_from_a_group_is_dropped_silently(void **state)
{
    static const struct {
        const char *local, *remote;
    } rows[] = {{"224.0.0.1", "192.0.2.2"}, {"255.255.255.255", "192.0.2.2"},
                {"192.0.2.1", "239.1.1.1"}, {"192.0.2.1", "255.255.255.255"},
                {"192.0.2.1", "0.0.0.0"},   {"ff02::1", "2001:db8::2"},
                {"2001:db8::1", "ff02::1"}, {"2001:db8::1", "::"}};

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig *rig = rig_new();
        int error;

        listen_at(rig, "0.0.0.0", 80, NULL, &error);
        listen_at(rig, "::", 80, NULL, &error);
        sl_ip_parse(rows[i].local, &rig->local);
        sl_ip_parse(rows[i].remote, &rig->remote);
        say(rig, SYN, 0, 0, 0);
        say(rig, ACK, 1, 0, 1);
        if (rig_take(rig))
            fail_msg("%s from %s was answered", rows[i].local, rows[i].remote);
        rig_free(rig);
    }
}

static void must_46_a_connect_to_or_from_a_group_is_refused(void **state)
{
    static const char *const bad[] = {"224.0.0.1", "239.255.255.255", "255.255.255.255",
                                      "0.0.0.0",   "ff02::1",         "::"};

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        for (int side = 0; side < 2; side++) {
            struct sl_tcp_options options = script_bare();
            struct rig *rig = rig_new();
            struct sl_ip ip, good;
            int error = 0;

            sl_ip_parse(bad[i], &ip);
            sl_ip_parse(sl_ip_is_v4(&ip) ? "192.0.2.7" : "2001:db8::7", &good);
            assert_null(sl_tcp_connect(rig->tcp, side ? &ip : &good, 1000, side ? &good : &ip, 80, &options,
                                       NULL, rig->now_us, &error));
            assert_int_equal(error, -EINVAL);
            rig_free(rig);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc9293_3_10_7_1_a_stray_segment_is_reset),
        T(rfc9293_3_10_7_1_a_stray_reset_is_dropped),
        T(rfc9293_3_10_7_2_first_reset_is_dropped),
        T(rfc9293_3_10_7_2_second_ack_is_reset),
        T(rfc9293_3_10_7_2_third_syn_is_answered),
        T(rfc9293_3_10_7_2_fourth_anything_else_is_dropped),
        T(text_on_a_syn_is_left_to_be_sent_again),
        T(a_syn_ack_offers_only_what_the_syn_had),
        T(a_listener_without_an_option_does_not_answer_it),
        T(must_15_a_syn_without_mss_means_536_and_1220),
        T(must_14_the_mss_of_the_syn_is_heeded),
        T(rfc9293_3_5_three_way_handshake),
        T(text_on_the_third_segment_is_taken),
        T(fin_on_the_third_segment_closes_the_peers_way),
        T(data_that_overtook_the_third_segment_opens_it_too),
        T(a_wrong_ack_in_syn_received_is_reset_and_it_goes_on),
        T(a_repeated_syn_is_answered_by_the_same_syn_ack),
        T(must_11_an_old_duplicate_syn_is_recovered_from),
        T(rfc5961_a_blind_reset_does_not_end_syn_received),
        T(a_segment_out_of_the_window_in_syn_received_is_told_where_it_is),
        T(a_syn_ack_is_repeated_with_a_doubling_timer_and_then_forgotten),
        T(a_listeners_options_are_those_of_the_connections_to_come),
        T(must_42_43_the_very_address_is_preferred_to_any),
        T(a_listener_of_one_family_does_not_hear_the_other),
        T(must_41_the_same_address_and_port_twice_is_refused),
        T(listeners_run_out),
        T(must_41_a_listener_does_not_disturb_connections_of_its_port),
        T(unlisten_resets_what_nobody_was_given),
        T(unlisten_resets_what_was_accepted_and_never_told),
        T(unlisten_finds_its_own_half_open_and_untold_alone),
        T(a_full_engine_drops_syns_where_cookies_are_forbidden),
        T(must_57_a_syn_to_or_from_a_group_is_dropped_silently),
        T(must_46_a_connect_to_or_from_a_group_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
