// SPDX-License-Identifier: Apache-2.0
// Both windows (RFC 9293 section 3.8.6, RFC 7323 section 2): what is told, what is heeded, closed ones and their
// probes, silly ones, and growth.
#include "script.h"

#define MSS 1460u

static void window(struct rig *rig, uint32_t seq, uint32_t ack, uint32_t bytes)
{
    RIG_PUT(rig, .flags = ACK, .seq = seq, .ack = ack, .window = bytes);
}

// ---- the peer's: heeded -------------------------------------------------------------------------------------------
static void no_more_is_sent_than_the_window_holds(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = rig_with(&conn, rig_options(), rig_bare_syn(), 3 * MSS + 100);

    rig_send(rig, conn, 0, 10 * MSS);
    for (unsigned i = 0; i < 3; i++)
        rig_expect(rig, ACK, 1 + i * MSS, MSS, 1);
    rig_expect_none(rig);
    window(rig, 1, 1 + MSS, 3 * MSS + 100);
    rig_expect(rig, ACK, 1 + 3 * MSS, MSS, 1);
    rig_expect_none(rig);
    rig_free(rig);
}

// MUST-1: 65,535 is not -1.
static void must_1_windows_are_unsigned(void **state)
{
    struct sl_tcp_conn *conn;
    struct sl_tcp_options options = rig_options();
    struct rig *rig = rig_with(&conn, options, rig_bare_syn(), 65535);

    assert_int_equal(rig_info(conn).snd_wnd, 65535);
    rig_free(rig);
}

static void rec_1_scaled_windows_are_32_bits_wide(void **state)
{
    for (uint8_t shift = 0; shift <= 14; shift++) {
        struct sl_tcp_conn *conn;
        struct tcp_options syn = {
            .present = TCP_OPTION_MSS | TCP_OPTION_WSCALE, .mss = 1460, .wscale = shift};
        struct rig *rig = rig_with(&conn, rig_options(), syn, 65535u << shift);

        assert_int_equal(rig_info(conn).snd_wnd, 65535u << shift);
        window(rig, 1, 1, 1u << shift);
        assert_int_equal(rig_info(conn).snd_wnd, 1u << shift);
        rig_free(rig);
    }
}

static void rfc7323_2_2_the_window_of_a_syn_is_not_scaled(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct rig *rig = rig_new();

    rig_listen(rig, &options);
    RIG_PUT(rig, .flags = SYN, .window = 1000,
            .options = {.present = TCP_OPTION_MSS | TCP_OPTION_WSCALE, .mss = 1460, .wscale = 7});
    assert_int_equal(((struct tcp_conn *)rig->tcp->conns.base)->snd_wnd, 1000);
    rig_free(rig);
}

static void more_than_64_kb_are_sent_where_the_scale_allows(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = rig_with(&conn, rig_options(), rig_full_syn(), 4u << 20);
    uint32_t acked = 1;

    rig_send(rig, conn, 0, 3u << 20);
    for (unsigned round = 0; round < 5; round++) { // the congestion window opens
        uint32_t nxt = rig_info(conn).snd_nxt - rig->isn;

        while (acked < nxt) {
            acked = nxt - acked > 2 * 1448 ? acked + 2 * 1448 : nxt;
            window(rig, 1, acked, 4u << 20);
            rig_drop_out(rig);
        }
        rig->now_us += 1000;
    }
    assert_in_range(rig_info(conn).snd_nxt - rig_info(conn).snd_una, 70000, 4u << 20);
    rig_free(rig);
}

static void rfc9293_3_10_7_4_an_older_segment_does_not_change_the_window(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = rig_with(&conn, rig_options(), rig_bare_syn(), 10000);

    RIG_PUT(rig, .flags = ACK, .seq = 1, .len = 100, .ack = 1, .window = 20000);
    RIG_PUT(rig, .flags = ACK, .seq = 101, .len = 100, .ack = 1, .window = 30000);
    RIG_PUT(rig, .flags = ACK, .seq = 1, .len = 101, .ack = 1, .window = 5000); // WL1 is newer
    assert_int_equal(rig_info(conn).snd_wnd, 30000);
    rig_send(rig, conn, 0, 200);
    window(rig, 201, 101, 8000);
    assert_int_equal(rig_info(conn).snd_wnd, 8000);
    window(rig, 201, 1, 7000); // acknowledges less: WL2 is newer
    assert_int_equal(rig_info(conn).snd_wnd, 8000);
    window(rig, 201, 101, 6000);
    assert_int_equal(rig_info(conn).snd_wnd, 6000);
    rig_free(rig);
}

// MUST-34, SHLD-15, SHLD-16: no new data past the edge, what is out is repeated within it, and nothing breaks.
static void must_34_a_shrunken_window_is_borne(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = rig_with(&conn, rig_options(), rig_bare_syn(), 6 * MSS);

    rig_send(rig, conn, 0, 8 * MSS);
    rig_drop_out(rig);
    window(rig, 1, 1 + MSS, MSS); // five in flight, one allowed
    rig_expect_none(rig);
    rig_wait(rig, 20 * RIG_S);
    for (const struct rig_segment *out; (out = rig_take(rig)) != NULL;)
        assert_in_range(out->seq + out->out.len, 1, 1 + 6 * MSS);
    expect_state(conn, SL_TCP_ESTABLISHED);
    window(rig, 1, 1 + 6 * MSS, 6 * MSS);
    rig_wait(rig, 10 * RIG_MS);
    assert_in_range(rig_info(conn).snd_queued, 0, 2 * MSS - 1); // slow start again
    window(rig, 1, rig_info(conn).snd_nxt - rig->isn, 6 * MSS);
    rig_wait(rig, 10 * RIG_MS);
    assert_int_equal(rig_info(conn).snd_queued, 0);
    rig_free(rig);
}

// RFC 9293 appendix A.2: with snd_nxt behind the edge a strict peer would drop our acknowledgements.
static void acknowledgements_stay_within_a_shrunken_window(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = rig_with(&conn, rig_options(), rig_bare_syn(), 6 * MSS);

    rig_send(rig, conn, 0, 6 * MSS);
    rig_drop_out(rig);
    window(rig, 1, 1, 2 * MSS);
    RIG_PUT(rig, .flags = ACK, .seq = 101, .len = 100, .ack = 1, .window = 2 * MSS);
    rig_expect(rig, ACK, 1 + 2 * MSS, 0, 1);
    RIG_PUT(rig, .flags = ACK, .seq = 1, .len = 100, .ack = 1 + 2 * MSS, .window = 6 * MSS);
    rig_expect(rig, ACK, 1 + 6 * MSS, 0, 201);
    rig_free(rig);
}

static void shld_17_a_window_shrunk_to_nothing_ends_no_connection_whose_peer_answers(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = rig_with(&conn, rig_options(), rig_bare_syn(), 4 * MSS);

    rig_send(rig, conn, 0, 4 * MSS);
    rig_drop_out(rig);
    window(rig, 1, 1, 0);
    for (unsigned i = 0; i < 60; i++) {
        rig_wait_out(rig, 130 * RIG_S);
        rig_drop_out(rig);
        window(rig, 1, 1, 0);
    }
    expect_state(conn, SL_TCP_ESTABLISHED);
    assert_int_equal(rig_info(conn).mtu, 1500); // its segments did not vanish for their size
    window(rig, 1, 1, 4 * MSS);
    rig_wait(rig, 3 * RIG_S); // and from here on the patience is that of data again
    expect_state(conn, SL_TCP_ESTABLISHED);
    window(rig, 1, 1 + 4 * MSS, 4 * MSS);
    assert_int_equal(rig_info(conn).snd_una - rig->isn, 1 + 4 * MSS);
    rig_free(rig);
}

static void a_window_shrunk_to_nothing_by_who_is_gone_ends_it(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = rig_with(&conn, rig_options(), rig_bare_syn(), 4 * MSS);

    rig_send(rig, conn, 0, 4 * MSS);
    window(rig, 1, 1, 0);
    rig_wait(rig, 2 * 3600 * RIG_S);
    expect_ended(rig, -ETIMEDOUT);
    rig_free(rig);
}

// A caller's scale may be coarser than his window, or his window become smaller than the scale agreed on.
static void a_window_below_a_unit_of_its_scale_is_told_all_the_same(void **state)
{
    for (unsigned later = 0; later < 2; later++) {
        struct sl_tcp_options options = rig_options(), small = rig_options();
        struct sl_tcp_conn *conn;
        uint32_t at = 0;
        struct rig *rig;

        small.rx_bytes = small.rx_initial_bytes = 2000;
        options.wscale_shift = small.wscale_shift = 14;
        rig = rig_with(&conn, later ? options : small, rig_full_syn(), 65535);
        if (later)
            sl_tcp_options_set(conn, &small, rig->now_us);
        for (unsigned i = 0; i < 200; i++) {
            say(rig, ACK, 1 + at, 1000, 1);
            at += rig_read(rig, conn, at);
            rig_wait(rig, 50 * RIG_MS);
        }
        assert_int_equal(at, 200000);
        assert_true(rig_info(conn).rcv_wnd > 0);
        rig_free(rig);
    }
}

// ---- closed: section 3.8.6.1 ----------------------------------------------------------------------------------------
static void shld_29_30_a_closed_window_is_probed_after_an_rto_and_then_ever_more_rarely(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = rig_with(&conn, rig_options(), rig_bare_syn(), 65535);
    uint64_t last = 0;

    window(rig, 1, 1, 0);
    rig_send(rig, conn, 0, 100);
    rig_expect_none(rig);
    for (unsigned i = 0; i < 12; i++) {
        uint64_t took = rig_wait_out(rig, 130 * RIG_S);

        rig_expect(rig, ACK, 0, 0, 1); // a number that is acknowledged already
        if (i == 0)
            assert_in_range(took, 150 * RIG_MS, 1500 * RIG_MS);
        else if (last < 60 * RIG_S)
            assert_in_range(took, last * 19 / 10, last * 21 / 10);
        else
            assert_in_range(took, 119 * RIG_S, 121 * RIG_S);
        window(rig, 1, 1, 0);
        last = took;
    }
    rig_free(rig);
}

static void must_36_37_a_window_stays_closed_for_ever_while_probes_are_answered(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = rig_with(&conn, rig_options(), rig_bare_syn(), 65535);

    window(rig, 1, 1, 0);
    rig_send(rig, conn, 0, 100);
    for (unsigned i = 0; i < 200; i++) {
        rig_wait_out(rig, 130 * RIG_S);
        rig_drop_out(rig);
        window(rig, 1, 1, 0);
    }
    expect_state(conn, SL_TCP_ESTABLISHED);
    window(rig, 1, 1, 1000);
    rig_expect(rig, ACK | PSH, 1, 100, 1);
    rig_free(rig);
}

static void probes_without_an_answer_end_it(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = rig_with(&conn, rig_options(), rig_bare_syn(), 65535);

    window(rig, 1, 1, 0);
    rig_send(rig, conn, 0, 100);
    rig_wait(rig, 4 * 3600 * RIG_S);
    expect_ended(rig, -ETIMEDOUT);
    rig_free(rig);
}

static void an_opened_window_is_used_at_once(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = rig_with(&conn, rig_options(), rig_bare_syn(), 65535);

    window(rig, 1, 1, 0);
    rig_send(rig, conn, 0, 3 * MSS);
    window(rig, 1, 1, 10 * MSS);
    assert_int_equal(count_out(rig), 3);
    rig_free(rig);
}

// MAY-8, MUST-66: ours may stay closed; the peer's probes are answered, whichever sort they are.
static void the_peers_probes_of_our_closed_window_are_answered(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_conn *conn;
    struct rig *rig;

    options.rx_initial_bytes = 2000;
    rig = rig_with(&conn, options, rig_bare_syn(), 65535);
    say(rig, ACK, 1, 2000, 1);
    assert_int_equal(rig_info(conn).rcv_wnd, 0);
    rig_drop_out(rig);
    for (unsigned i = 0; i < 5; i++) {
        say(rig, ACK, 2001, 1, 1); // a byte in front of the edge
        assert_int_equal(rig_expect(rig, ACK, 1, 0, 2001)->out.window, 0);
        rig_wait(rig, RIG_S);
        say(rig, ACK, 2000, 0, 1); // an old number, as Linux
        assert_int_equal(rig_expect(rig, ACK, 1, 0, 2001)->out.window, 0);
        rig_wait(rig, RIG_S);
    }
    assert_int_equal(rig_read(rig, conn, 0), 2000);
    rig_free(rig);
}

// ---- silly windows: section 3.8.6.2
// -----------------------------------------------------------------------------------
static void must_38_small_room_is_not_filled_by_small_segments(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = rig_with(&conn, rig_options(), rig_bare_syn(), 65535);

    window(rig, 1, 1, 0);
    rig_send(rig, conn, 0, 10 * MSS);
    window(rig, 1, 1, 200);
    rig_expect_none(rig);
    window(rig, 1, 1, MSS);
    rig_expect(rig, ACK, 1, MSS, 1);
    rig_free(rig);
}

static void must_38_half_the_largest_window_is_worth_a_segment(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = rig_with(&conn, rig_options(), rig_bare_syn(), 1000);

    rig_send(rig, conn, 0, 3000);
    rig_expect(rig, ACK, 1, 1000, 1);
    window(rig, 1, 1001, 400);
    rig_expect_none(rig);
    window(rig, 1, 1001, 500);
    rig_expect(rig, ACK, 1001, 500, 1);
    rig_free(rig);
}

static void must_38_a_timer_overrides_within_a_second(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = rig_with(&conn, rig_options(), rig_bare_syn(), 65535);
    uint64_t took;

    window(rig, 1, 1, 0);
    rig_send(rig, conn, 0, 10 * MSS);
    for (unsigned i = 0; i < 8; i++) { // the timer has become long by now
        rig_wait_out(rig, 130 * RIG_S);
        rig_drop_out(rig);
        window(rig, 1, 1, 0);
    }
    window(rig, 1, 1, 200);
    took = rig_wait_out(rig, 130 * RIG_S);
    assert_in_range(took, 0, 1100 * RIG_MS);
    rig_expect(rig, ACK, 1, 200, 1);
    rig_free(rig);
}

static void must_39_the_right_edge_moves_in_steps_worth_sending_for(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_conn *conn;
    struct sl_tcp_chunk chunk;
    struct rig *rig;

    options.rx_initial_bytes = 10 * MSS;
    options.rx_bytes = 10 * MSS;
    rig = rig_with(&conn, options, rig_bare_syn(), 65535);
    for (unsigned i = 0; i < 10; i++)
        say(rig, ACK, 1 + i * MSS, MSS, 1);
    rig_drop_out(rig);
    assert_int_equal(rig_info(conn).rcv_wnd, 0);
    for (unsigned read = 0; read + 100 < MSS; read += 100) { // a reader of small bites
        assert_int_equal(sl_tcp_read(conn, 100, &chunk, rig->now_us), 1);
        rig_buffers.release(chunk.owner);
        rig_flush(rig);
        rig_expect_none(rig);
    }
    for (unsigned read = 0; read < 2 * MSS; read += 100)
        if (sl_tcp_read(conn, 100, &chunk, rig->now_us) == 1) {
            rig_buffers.release(chunk.owner);
            rig_flush(rig);
        }
    assert_in_range(rig_take(rig)->out.window, MSS, 4 * MSS);
    rig_free(rig);
}

static void a_reader_who_makes_room_reopens_the_window_at_once(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_conn *conn;
    struct rig *rig;

    options.rx_initial_bytes = options.rx_bytes = 4 * MSS;
    rig = rig_with(&conn, options, rig_bare_syn(), 65535);
    for (unsigned i = 0; i < 4; i++)
        say(rig, ACK, 1 + i * MSS, MSS, 1);
    assert_int_equal(rig_info(conn).rcv_wnd, 0);
    assert_int_equal(COUNTER(rig, zero_windows), 1);
    rig_drop_out(rig);
    rig_read(rig, conn, 0);
    assert_int_equal(rig_expect(rig, ACK, 1, 0, 1 + 4 * MSS)->out.window, 4 * MSS);
    rig_free(rig);
}

// ---- ours: told -----------------------------------------------------------------------------------------------------
static uint32_t draw(uint64_t *random, uint32_t below)
{
    *random = *random * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)((*random >> 33) % below);
}

// SHLD-14, over random arrivals, readers, scales and pressure.
static void shld_14_the_right_edge_never_moves_left(void **state)
{
    for (unsigned seed = 1; seed <= 60; seed++) {
        struct sl_tcp_options options = rig_options();
        struct sl_tcp_config config;
        struct sl_tcp_conn *conn;
        struct rig *rig;
        uint64_t random = seed;
        uint32_t next = 1, read = 0, edge = 0;

        rig_config(&config);
        config.rx_bytes = 200000 + draw(&random, 200000);
        rig = rig_new_with(&config, false);
        options.wscale_shift = (uint8_t)draw(&random, 15);
        options.rx_initial_bytes = 3000 + draw(&random, 60000);
        options.rx_bytes = 100000 + draw(&random, 100000);
        conn = rig_open_passive(rig, &options, seed & 1 ? rig_full_syn() : rig_bare_syn(), 65535);
        for (unsigned step = 0; step < 300; step++) {
            uint32_t len = 1 + draw(&random, MSS), room = rig_info(conn).rcv_wnd;

            len = len < room ? len : room;
            if (len && draw(&random, 3))
                RIG_PUT(rig, .flags = ACK, .seq = next, .len = len, .ack = 1, .window = 65535,
                        .charge = len + draw(&random, 3000));
            next = rig_info(conn).rcv_nxt - rig->peer_isn;
            if (draw(&random, 4) == 0)
                read += rig_read(rig, conn, read);
            rig_wait(rig, draw(&random, 50) * RIG_MS);
            for (const struct rig_segment *out; (out = rig_take(rig)) != NULL;) {
                uint32_t right = out->ack + ((uint32_t)out->out.window << rig_info(conn).rcv_wscale);

                if ((int32_t)(right - edge) < 0)
                    fail_msg("seed %u: from %u to %u", seed, edge, right);
                edge = right;
            }
            if (rig_state(conn) != SL_TCP_ESTABLISHED)
                fail_msg("seed %u: state %s", seed, script_state_name(rig_state(conn)));
        }
        rig_free(rig);
    }
}

static void the_offered_scale_is_what_the_largest_window_needs(void **state)
{
    static const struct {
        uint32_t bytes;
        uint8_t scale;
    } rows[] = {{32768, 0}, {65535, 0}, {65536, 1}, {131071, 2}, {4u << 20, 7}, {65535u << 14, 14}};

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sl_tcp_options options = rig_options();
        struct rig *rig = rig_new();

        options.rx_bytes = rows[i].bytes;
        rig_listen(rig, &options);
        RIG_PUT(rig, .flags = SYN, .window = 65535, .options = rig_full_syn());
        if ((rows[i].bytes >> rig_take(rig)->options.wscale) > 65535)
            fail_msg("%u bytes do not fit", rows[i].bytes);
        assert_in_range(rig->out[0]->options.wscale, rows[i].scale ? rows[i].scale - 1 : 0, rows[i].scale);
        rig_free(rig);
    }
}

static void without_scaling_the_window_is_65535_at_most(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_conn *conn;
    struct rig *rig;

    options.rx_initial_bytes = 1u << 20;
    rig = rig_with(&conn, options, rig_bare_syn(), 65535);
    say(rig, ACK, 1, 100, 1);
    assert_int_equal(rig_take(rig)->out.window, 65535);
    assert_int_equal(rig_info(conn).rcv_wnd, 65535);
    rig_free(rig);
}

static void with_scaling_it_is_told_in_full_behind_the_handshake(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_conn *conn;
    struct rig *rig;

    options.rx_initial_bytes = 1u << 20;
    rig = rig_with(&conn, options, rig_full_syn(), 65535);
    say(rig, ACK, 1, 128, 1);
    assert_in_range((uint32_t)rig_take(rig)->out.window << 7, (1u << 20) - 4096, 1u << 20);
    rig_free(rig);
}

// ---- growth ---------------------------------------------------------------------------------------------------------
static uint32_t window_after(unsigned rounds, bool reads, uint32_t per_round)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_conn *conn;
    struct rig *rig;
    uint32_t next = 1, read = 0, result;

    options.rx_bytes = 1u << 20;
    rig = rig_with(&conn, options, rig_full_syn(), 65535);
    for (unsigned i = 0; i < rounds; i++) {
        for (uint32_t sent = 0; sent < per_round && rig_info(conn).rcv_wnd >= 1448;
             sent += 1448, next += 1448) {
            say(rig, ACK, next, 1448, 1);
            read += reads ? rig_read(rig, conn, read) : 0;
        }
        rig_wait(rig, 20 * RIG_MS);
        rig_drop_out(rig);
    }
    result = ((struct tcp_conn *)conn)->rx_limit;
    rig_free(rig);
    return result;
}

static void a_window_that_limits_a_busy_reader_grows_to_its_cap(void **state)
{
    assert_int_equal(window_after(10, true, 1u << 20), 1u << 20);
}

static void a_window_does_not_grow_for_who_does_not_read(void **state)
{
    assert_int_equal(window_after(50, false, 1u << 20), 65536);
}

static void a_window_does_not_grow_for_a_trickle(void **state)
{
    assert_int_equal(window_after(50, true, 1448), 65536);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(no_more_is_sent_than_the_window_holds),
        T(must_1_windows_are_unsigned),
        T(rec_1_scaled_windows_are_32_bits_wide),
        T(rfc7323_2_2_the_window_of_a_syn_is_not_scaled),
        T(more_than_64_kb_are_sent_where_the_scale_allows),
        T(rfc9293_3_10_7_4_an_older_segment_does_not_change_the_window),
        T(must_34_a_shrunken_window_is_borne),
        T(acknowledgements_stay_within_a_shrunken_window),
        T(shld_17_a_window_shrunk_to_nothing_ends_no_connection_whose_peer_answers),
        T(a_window_shrunk_to_nothing_by_who_is_gone_ends_it),
        T(a_window_below_a_unit_of_its_scale_is_told_all_the_same),
        T(shld_29_30_a_closed_window_is_probed_after_an_rto_and_then_ever_more_rarely),
        T(must_36_37_a_window_stays_closed_for_ever_while_probes_are_answered),
        T(probes_without_an_answer_end_it),
        T(an_opened_window_is_used_at_once),
        T(the_peers_probes_of_our_closed_window_are_answered),
        T(must_38_small_room_is_not_filled_by_small_segments),
        T(must_38_half_the_largest_window_is_worth_a_segment),
        T(must_38_a_timer_overrides_within_a_second),
        T(must_39_the_right_edge_moves_in_steps_worth_sending_for),
        T(a_reader_who_makes_room_reopens_the_window_at_once),
        T(shld_14_the_right_edge_never_moves_left),
        T(the_offered_scale_is_what_the_largest_window_needs),
        T(without_scaling_the_window_is_65535_at_most),
        T(with_scaling_it_is_told_in_full_behind_the_handshake),
        T(a_window_that_limits_a_busy_reader_grows_to_its_cap),
        T(a_window_does_not_grow_for_who_does_not_read),
        T(a_window_does_not_grow_for_a_trickle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
