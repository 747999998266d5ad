// SPDX-License-Identifier: Apache-2.0
// Where two of the endpoint's mechanisms meet on one connection: Fast Open and a listener that goes, congestion control
// with a model and a connection that leaves its engine and comes back, residues and bursts.
#include <string.h>
#include "script.h"
#include "tcp/join.h"

static struct sl_tcp_options with(const char *congestion)
{
    struct sl_tcp_options options = rig_options();

    options.congestion = congestion;
    options.no_delay = true;
    return options;
}

static struct sl_tcp_conn *opened(struct rig *rig, const char *congestion)
{
    struct sl_tcp_options options = with(congestion);

    return rig_open_passive(rig, &options, rig_full_syn(), 64000);
}

static struct sl_tcp_conn *attach(struct rig *rig, const struct sl_tcp_saved *saved,
                                  const struct sl_tcp_options *options, int *error)
{
    struct sl_tcp_conn *conn;

    *error = 0;
    conn = sl_tcp_attach(rig->tcp, saved, options, NULL, rig->now_us, error);
    rig_flush(rig);
    return conn;
}

// ---- a model of the path ------------------------------------------------------------------------------------------
// What stood beside the record of another connection must not be taken for what held when this one's FIN left.
static void a_fin_that_comes_back_is_no_sample_of_anothers_rate(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = opened(rig, "bbr");
    struct sl_tcp_options options = with("bbr");
    struct sl_tcp_saved saved;
    int error;

    for (uint32_t i = 0; i < 20; i++) { // records of which something was delivered before
        rig_send(rig, conn, i * 1000, 1000);
        rig->now_us += 10 * RIG_MS;
        say(rig, ACK, 1, 0, 1 + (i + 1) * 1000);
    }
    rig_drop_out(rig);
    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), 0);
    saved.state = SL_TCP_FIN_WAIT_1; // sent by whoever had it meanwhile
    saved.flags |= SL_TCP_SAVED_FIN_SENT;
    saved.snd_nxt++;
    conn = attach(rig, &saved, &options, &error);
    assert_non_null(conn);
    rig->now_us += 10 * RIG_MS;
    say(rig, ACK, 1, 0, 20002);
    expect_state(conn, SL_TCP_FIN_WAIT_2);
    assert_null(sl_tcp_check(rig->tcp, conn));
    sl_tcp_abort(conn, rig->now_us);
    rig_free(rig);
}

// ---- another congestion control, while the connection lives -----------------------------------------------------------
static void congestion_control_stays_what_the_connection_began_with(void **state)
{
    static const char *const names[] = {"bbr", "cubic", "newreno"};

    for (unsigned i = 0; i < 3; i++) {
        struct rig *rig = rig_new();
        struct sl_tcp_conn *conn = opened(rig, names[i]);
        struct sl_tcp_options other = with(names[(i + 1) % 3]);
        struct sl_tcp_saved saved;
        int error;

        sl_tcp_options_set(conn, &other, rig->now_us);
        assert_string_equal(rig_info(conn).congestion, names[i]);
        rig_send(rig, conn, 0, 1000);
        assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), 1);
        assert_ptr_equal(attach(rig, &saved, &other, &error), conn); // its residue was there
        assert_string_equal(rig_info(conn).congestion, names[i]);
        rig_send(rig, conn, 1000, 1000);
        rig_wait(rig, 10 * RIG_MS); // some pace
        say(rig, ACK, 1, 0, 2001);
        assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), 0);
        conn = attach(rig, &saved, &other, &error); // nothing of it was there
        assert_non_null(conn);
        assert_string_equal(rig_info(conn).congestion, other.congestion);
        rig_send(rig, conn, 2000, 1000);
        rig_wait(rig, 10 * RIG_MS); // some pace
        say(rig, ACK, 1, 0, 3001);
        sl_tcp_abort(conn, rig->now_us);
        rig_free(rig);
    }
}

// A model keeps no threshold, and takes none of who had one.
static void a_threshold_crosses_to_no_model_and_none_comes_back(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_options bbr = with("bbr"), cubic = with("cubic");
    struct sl_tcp_conn *conn = opened(rig, "cubic");
    struct sl_tcp_saved saved;
    int error;

    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), 0);
    saved.ssthresh = 50000;
    conn = attach(rig, &saved, &bbr, &error);
    assert_int_equal(rig_info(conn).ssthresh, UINT32_MAX);
    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), 0);
    assert_int_equal(saved.ssthresh, UINT32_MAX);
    conn = attach(rig, &saved, &cubic, &error);
    assert_int_equal(rig_info(conn).ssthresh, UINT32_MAX);
    sl_tcp_abort(conn, rig->now_us);
    rig_free(rig);
}

// Neither what is sent from then on nor a probe of a larger one goes beyond it.
static void a_smaller_mtu_that_is_set_holds_for_probes_too(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = opened(rig, "cubic");
    struct sl_tcp_options options = with("cubic");
    const struct rig_segment *out;
    uint32_t at = 0;

    rig_send(rig, conn, at, 1000);
    sl_tcp_icmp(rig->tcp,
                &(struct sl_tcp_icmp_in){rig->local, rig->remote, rig->local_port, rig->remote_port,
                                         rig->isn + 1, SL_TCP_ICMP_TOO_BIG, 1000},
                rig->now_us);
    assert_int_equal(rig_info(conn).mtu, 1000);
    options.mtu = 1280;
    sl_tcp_options_set(conn, &options, rig->now_us);
    assert_int_equal(rig_info(conn).mtu, 1000);
    for (at = 1000; at < 17000; at += 8000) {
        rig_wait(rig, 20 * RIG_MS);
        say(rig, ACK, 1, 0, 1 + at);
        rig_wait(rig, 700 * RIG_S);
        rig_drop_out(rig);
        rig_send(rig, conn, at, 8000);
        while ((out = rig_take(rig)) != NULL)
            assert_true(out->out.len + 52 <= 1280);
    }
    assert_int_equal(rig_info(conn).mtu, 1280); // tried, and found to go
    options.mtu = 1100;
    sl_tcp_options_set(conn, &options, rig->now_us);
    assert_int_equal(rig_info(conn).mtu, 1100);
    sl_tcp_abort(conn, rig->now_us);
    rig_free(rig);
}

// ---- residues ---------------------------------------------------------------------------------------------------------
static struct sl_tcp_conn *left_behind(struct rig *rig, const struct sl_tcp_options *options, uint32_t bytes,
                                       struct sl_tcp_saved *saved)
{
    struct sl_tcp_conn *conn = rig_open_passive(rig, options, rig_full_syn(), 64000);

    assert_int_equal(rig_send(rig, conn, 0, bytes), 0);
    assert_int_equal(sl_tcp_detach(conn, saved, rig->now_us), 1);
    rig_drop_out(rig);
    return conn;
}

static void a_residue_whose_flow_has_a_model_comes_back_with_it(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_options options = with("bbr");
    struct sl_tcp_saved saved;
    struct sl_tcp_conn *conn = left_behind(rig, &options, 3000, &saved);
    int error;

    rig->now_us += 10 * RIG_MS;
    say(rig, ACK, 1, 0, 1461);
    assert_ptr_equal(attach(rig, &saved, &options, &error), conn);
    rig->now_us += 10 * RIG_MS;
    say(rig, ACK, 1, 0, 3001);
    assert_null(sl_tcp_check(rig->tcp, NULL));
    sl_tcp_abort(conn, rig->now_us);
    assert_int_equal(rig->tcp->models.used, 0);
    rig_free(rig);
}

// A residue's own clock lies where a receiver measures his round trips.
static void who_comes_back_measures_round_trips_from_where_he_is(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_options options = with("cubic");
    struct sl_tcp_saved saved;
    struct sl_tcp_conn *conn = left_behind(rig, &options, 500, &saved);
    const struct tcp_conn *inside = (struct tcp_conn *)conn;
    int error;

    uint64_t back_us = rig->now_us;
    saved.tsval = saved.rcv_nxt + (1u << 30);
    sl_tcp_follow(conn, &saved);
    assert_ptr_equal(attach(rig, &saved, &options, &error), conn);
    for (unsigned i = 0; i < 100; i++) { // more than the window
        RIG_PUT(rig, .flags = ACK, .seq = 1 + i * 1000, .len = 1000, .ack = 501, .window = 64000);
        rig_read(rig, conn, i * 1000);
        rig->now_us += RIG_MS;
    }
    assert_in_range(inside->drs_rtt_at_us, back_us, rig->now_us); // one has ended, and the next is under way
    sl_tcp_abort(conn, rig->now_us);
    rig_free(rig);
}

static void a_residue_takes_no_state_that_has_our_fin(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_options options = with("cubic");
    struct sl_tcp_saved saved, wrong;
    struct sl_tcp_conn *conn = left_behind(rig, &options, 500, &saved);
    int error;

    wrong = saved;
    wrong.flags |= SL_TCP_SAVED_FIN_SENT;
    wrong.state = SL_TCP_FIN_WAIT_1;
    wrong.snd_una = wrong.snd_nxt - 1;
    assert_null(attach(rig, &wrong, &options, &error));
    assert_int_equal(error, -EINVAL);
    wrong.state = SL_TCP_FIN_WAIT_2;
    wrong.snd_una = wrong.snd_nxt;
    assert_null(attach(rig, &wrong, &options, &error));
    assert_int_equal(error, -EINVAL);
    assert_ptr_equal(attach(rig, &saved, &options, &error), conn);
    expect_state(conn, SL_TCP_ESTABLISHED);
    sl_tcp_abort(conn, rig->now_us);
    rig_free(rig);
}

static void a_residue_that_comes_back_keeps_to_a_smaller_mtu(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_options options = with("cubic");
    struct sl_tcp_saved saved;
    struct sl_tcp_conn *conn = left_behind(rig, &options, 1448, &saved);
    int error;

    options.mtu = 1400;
    assert_ptr_equal(attach(rig, &saved, &options, &error), conn);
    assert_int_equal(rig_info(conn).mtu, 1400);
    rig_drop_out(rig);
    rig_send(rig, conn, 1448, 1448);
    rig_expect(rig, ACK, 1449, 1348, 1);
    rig_drop_out(rig);
    rig_wait(rig, 3 * RIG_S); // and so does what was larger, where it goes again
    for (const struct rig_segment *out; (out = rig_take(rig)) != NULL;)
        assert_true(out->out.len <= 1348);
    sl_tcp_abort(conn, rig->now_us);
    rig_free(rig);
}

static void a_small_path_that_was_saved_is_tried_again_when_it_is_old(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_options options = with("cubic");
    struct sl_tcp_conn *conn = opened(rig, "cubic");
    struct sl_tcp_saved saved;
    const struct rig_segment *out;
    int error;

    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), 0);
    saved.path_mtu = 1280;
    conn = attach(rig, &saved, &options, &error);
    rig_drop_out(rig);
    rig_send(rig, conn, 0, 10000);
    for (unsigned n = 0; (out = rig_take(rig)) != NULL; n++)
        assert_true(out->out.len <= 1228);
    rig->now_us += 10 * RIG_MS;
    say(rig, ACK, 1, 0, 10001);
    rig_wait(rig, 601 * RIG_S);
    rig_drop_out(rig);
    rig_send(rig, conn, 10000, 10000);
    assert_int_equal(rig_expect(rig, ACK, 10001, 1448, 1)->out.len, 1448);
    sl_tcp_abort(conn, rig->now_us);
    rig_free(rig);
}

// What passes says CWR once; whoever did not hear it would slow the peer down for as long as it has something to repeat.
static void rfc3168_6_1_3_a_residue_asks_to_slow_down_until_that_was_done(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_options options = with("cubic");
    struct sl_tcp_saved saved;
    struct sl_tcp_conn *conn;

    options.ecn = true;
    rig_listen(rig, &options);
    RIG_PUT(rig, .flags = SYN | SL_TCP_ECE | SL_TCP_CWR, .window = 65535, .options = rig_bare_syn());
    rig_expect(rig, SYN | ACK | SL_TCP_ECE, 0, 0, 1);
    say(rig, ACK, 1, 0, 1);
    struct sl_tcp_event event;
    assert_true(rig_event(rig, &event));
    conn = event.conn;
    RIG_PUT(rig, .flags = ACK, .ecn = SL_ECN_CE, .seq = 1, .len = 100, .ack = 1, .window = 65535);
    rig_read(rig, conn, 0);
    rig_send(rig, conn, 0, 500);
    rig_drop_out(rig);
    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), 1);
    rig_wait_out(rig, 3 * RIG_S);
    rig_expect(rig, ACK | PSH | SL_TCP_ECE, 1, 500, 101);
    RIG_PUT(rig, .flags = ACK | SL_TCP_CWR, .seq = 101, .len = 100, .ack = 1, .window = 65535);
    rig_drop_out(rig);
    rig_wait_out(rig, 3 * RIG_S);
    rig_expect(rig, ACK | PSH, 1, 500, 101);
    sl_tcp_abort(conn, rig->now_us);
    rig_free(rig);
}

static int held;

static void count_held(void *context, sl_be16 local_port, bool begins)
{
    held += begins ? 1 : -1;
}

static bool holds(struct rig *rig)
{
    return sl_tcp_holds(rig->tcp, &rig->local, rig->local_port, &rig->remote, rig->remote_port);
}

// Who has the saved state has the port to himself: the engine has forgotten it.
static void a_port_is_held_for_as_long_as_a_residue_is_left_and_no_longer(void **state)
{
    struct sl_tcp_options options = with("bbr");
    struct sl_tcp_config config;
    struct sl_tcp_saved saved;
    struct sl_tcp_conn *conn;
    int error;

    rig_config(&config);
    config.held = count_held;
    held = 0;
    struct rig *rig = rig_new_with(&config, false);
    conn = left_behind(rig, &options, 500, &saved);
    assert_true(holds(rig));
    assert_int_equal(held, 1);
    rig->now_us += 10 * RIG_MS;
    say(rig, ACK, 1, 0, 501);
    assert_false(holds(rig)); // over, though not told of yet
    assert_int_equal(held, 0);
    expect_ended(rig, 0);
    saved.snd_una = saved.snd_nxt;
    conn = attach(rig, &saved, &options, &error);
    assert_true(holds(rig));
    assert_int_equal(held, 1);
    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), 0);
    assert_false(holds(rig));
    assert_int_equal(held, 0);
    rig_free(rig);
}

static struct sl_tcp_in segment(const struct rig *rig, uint32_t ack, const uint8_t *options)
{
    return (struct sl_tcp_in){.src = rig->remote,
                              .dst = rig->local,
                              .sport = rig->remote_port,
                              .dport = rig->local_port,
                              .seq = rig->peer_isn + 1,
                              .ack = rig->isn + ack,
                              .window = 65535,
                              .flags = SL_TCP_ACK,
                              .options = options};
}

// Each of a burst is looked at where those before it have left things; what is behind the end of a residue belongs to
// nobody here.
static void a_burst_acknowledges_a_residue_piece_by_piece_to_its_end(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);
    struct sl_tcp_in in[SL_TCP_BURST_MAX];
    struct sl_tcp_saved saved;

    rig_send(rig, conn, 0, 3000);
    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), 1);
    rig_drop_out(rig);
    for (unsigned i = 0; i < SL_TCP_BURST_MAX; i++)
        in[i] = segment(rig, 1 + (i < 60 ? i * 50 : 3000), NULL);
    assert_int_equal(sl_tcp_input_burst(rig->tcp, in, 61, rig->now_us), 0);
    assert_null(sl_tcp_check(rig->tcp, NULL));
    rig_flush(rig);
    assert_false(holds(rig));
    rig_expect_none(rig);
    assert_int_equal(sl_tcp_input_burst(rig->tcp, in, 1, rig->now_us), 0);
    assert_int_equal(rig_take(rig)->out.flags, RST);
    sl_tcp_residue_input(conn, in, rig->now_us); // which is why those that pass are given so
    rig_expect_none(rig);
    expect_ended(rig, 0);
    rig_free(rig);
}

// ---- Fast Open and the listener -----------------------------------------------------------------------------------------
static struct sl_tcp_options fast(void)
{
    struct sl_tcp_options options = rig_options();

    options.fast_open = true;
    return options;
}

static struct tcp_options cookie(struct rig *rig)
{
    struct tcp_options syn = rig_bare_syn();

    syn.present |= TCP_OPTION_TFO;
    syn.tfo_len = TCP_TFO_COOKIE;
    tcp_tfo_cookie(&rig->tcp->fast_open, &rig->remote, rig->now_us / TCP_FAST_OPEN_EPOCH_US, syn.tfo);
    return syn;
}

static struct tcp_listener *listener_of(struct rig *rig)
{
    return (struct tcp_listener *)rig->listener;
}

// Given with its SYN from the port, told where `told`; its SYN-ACK was looked at.
static struct sl_tcp_conn *early(struct rig *rig, unsigned port, bool told)
{
    struct sl_tcp_event event;

    rig_drop_out(rig);
    rig->remote_port = __builtin_bswap16((uint16_t)port);
    RIG_PUT(rig, .flags = SYN, .len = 10, .window = 65535, .options = cookie(rig));
    rig_expect(rig, SYN | ACK, 0, 0, 11);
    if (!told)
        return NULL;
    assert_true(rig_event(rig, &event));
    assert_true(event.bits & SL_TCP_ACCEPTED);
    expect_state(event.conn, SL_TCP_SYN_RECEIVED);
    return event.conn;
}

static void expect_half_open(struct rig *rig, uint32_t half_open, uint32_t given)
{
    assert_int_equal(listener_of(rig)->half_open, half_open);
    assert_int_equal(listener_of(rig)->fast_open, given);
    assert_null(sl_tcp_check(rig->tcp, NULL));
}

static void every_end_of_one_given_early_gives_its_place_back(void **state)
{
    struct sl_tcp_options options = fast();
    struct rig *rig = rig_new();
    struct sl_tcp_conn *aborted, *closed, *reset;

    rig_listen(rig, &options);
    aborted = early(rig, 40001, true);
    closed = early(rig, 40002, true);
    reset = early(rig, 40003, true);
    expect_half_open(rig, 3, 3);
    sl_tcp_abort(aborted, rig->now_us);
    expect_half_open(rig, 2, 2);
    assert_int_equal(rig_read(rig, closed, 0), 10);
    sl_tcp_close(closed, rig->now_us); // goes on by itself, until its time is over
    expect_half_open(rig, 2, 2);
    assert_int_equal(rig_read(rig, reset, 0), 10);
    say(rig, RST, 11, 0, 0);
    expect_half_open(rig, 1, 1);
    expect_ended(rig, -ECONNRESET);
    early(rig, 40004, true);
    expect_half_open(rig, 2, 2);
    rig_wait(rig, 200 * RIG_S); // beyond the last repetition of a SYN-ACK
    expect_half_open(rig, 0, 0);
    expect_ended(rig, -ETIMEDOUT);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    rig_free(rig);
}

// The slot is another's: what ends of the old one's must not be counted there.
static void what_a_listener_left_is_not_the_next_ones(void **state)
{
    struct sl_tcp_options options = fast();
    struct rig *rig = rig_new();
    struct sl_tcp_listener *before;
    uint32_t isn;

    rig_listen(rig, &options);
    struct sl_tcp_conn *reset = early(rig, 40001, true), *aborted = early(rig, 40002, true),
                       *stands = early(rig, 40003, true);
    isn = rig->isn;
    early(rig, 40004, false); // and one that nobody was told of
    before = rig->listener;
    sl_tcp_unlisten(rig->listener);
    assert_null(sl_tcp_check(rig->tcp, NULL));
    rig_flush(rig);
    rig_expect(rig, RST | ACK, 1, 0, 11);
    rig_listen(rig, &options);
    assert_ptr_equal(rig->listener, before);
    early(rig, 40005, true);
    expect_half_open(rig, 1, 1);
    rig->remote_port = __builtin_bswap16(40001);
    say(rig, RST, 11, 0, 0);
    expect_half_open(rig, 1, 1);
    assert_int_equal(listener_of(rig)->n_resets, 0);
    assert_int_equal(rig_read(rig, reset, 0), 10);
    expect_ended(rig, -ECONNRESET);
    sl_tcp_abort(aborted, rig->now_us);
    expect_half_open(rig, 1, 1);
    rig->remote_port = __builtin_bswap16(40003);
    rig->isn = isn;
    say(rig, ACK, 11, 0, 1);
    expect_state(stands, SL_TCP_ESTABLISHED);
    expect_half_open(rig, 1, 1);
    rig_free(rig);
}

static void an_early_one_that_ended_untold_is_told_of_without_its_listener(void **state)
{
    struct sl_tcp_options options = fast();
    struct rig *rig = rig_new();
    struct sl_tcp_event event;

    rig_listen(rig, &options);
    early(rig, 40001, false);
    say(rig, RST, 11, 0, 0);
    expect_half_open(rig, 0, 0);
    assert_int_equal(listener_of(rig)->n_resets, 1);
    sl_tcp_unlisten(rig->listener);
    rig_listen(rig, &options); // in the same slot
    assert_true(rig_event(rig, &event));
    assert_int_equal(event.bits & (SL_TCP_ACCEPTED | SL_TCP_ENDED), SL_TCP_ACCEPTED | SL_TCP_ENDED);
    assert_null(event.listener_user);
    assert_int_equal(rig_read(rig, event.conn, 0), 10);
    sl_tcp_close(event.conn, rig->now_us);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    rig_free(rig);
}

static void a_lower_backlog_lets_no_more_in_until_the_rest_has_gone(void **state)
{
    struct sl_tcp_options options = fast();
    struct rig *rig = rig_new();
    struct sl_tcp_conn *first;

    rig_listen(rig, &options);
    first = early(rig, 40001, true);
    early(rig, 40002, true);
    options.fast_open_backlog = 1;
    assert_int_equal(sl_tcp_listener_options_set(rig->listener, &options), 0);
    rig->remote_port = __builtin_bswap16(40003);
    RIG_PUT(rig, .flags = SYN, .len = 10, .window = 65535, .options = cookie(rig));
    rig_expect(rig, SYN | ACK, 0, 0, 1); // an ordinary handshake
    expect_half_open(rig, 3, 2);
    options.fast_open = false; // what is given stays given
    sl_tcp_options_set(first, &options, rig->now_us);
    assert_int_equal(sl_tcp_listener_options_set(rig->listener, &options), 0);
    expect_half_open(rig, 3, 2);
    assert_true(rig_info(first).fast_open);
    sl_tcp_abort(first, rig->now_us);
    expect_half_open(rig, 2, 1);
    rig_free(rig);
}

// The answer goes out before the model begins, and is acknowledged after.
static void an_early_answer_is_no_trouble_to_a_model(void **state)
{
    struct sl_tcp_options options = fast();
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn;
    struct sl_tcp_saved saved;

    options.congestion = "bbr";
    rig_listen(rig, &options);
    conn = early(rig, 40001, true);
    assert_int_equal(rig_read(rig, conn, 0), 10);
    rig_send(rig, conn, 0, 5000);
    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), -ENOTCONN);
    rig->now_us += 20 * RIG_MS;
    say(rig, ACK, 11, 0, 1461);
    expect_state(conn, SL_TCP_ESTABLISHED);
    assert_null(sl_tcp_check(rig->tcp, NULL));
    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), 1); // and leaves it as any other
    say(rig, ACK, 11, 0, 5001);
    expect_ended(rig, 0);
    assert_int_equal(rig->tcp->models.used, 0);
    assert_int_equal(listener_of(rig)->half_open, 0);
    rig_free(rig);
}

// ---- ranges -------------------------------------------------------------------------------------------------------------
// Whatever finds no reference any more is as if it had not come; what is there stays whole, and the hole is filled.
static void ranges_stay_whole_where_references_run_out(void **state)
{
    struct sl_tcp_config config;
    struct sl_tcp_saved saved;

    rig_config(&config);
    config.buffers_held = 16;
    struct rig *rig = rig_new_with(&config, false);
    struct sl_tcp_conn *conn = script_open_full(rig);

    for (unsigned i = 0; i < 40; i++) // every other
        RIG_PUT(rig, .flags = ACK, .seq = 101 + i * 200, .len = 100, .ack = 1, .window = 64000);
    for (unsigned i = 0; i < 40; i++) // what closes them up, over whole ones too
        RIG_PUT(rig, .flags = ACK, .seq = 101 + i * 150, .len = 300, .ack = 1, .window = 64000);
    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), -EBUSY);
    assert_true(COUNTER(rig, refused_memory) > 0);
    for (unsigned i = 0; i < 100; i++)
        RIG_PUT(rig, .flags = ACK, .seq = 1 + i * 100, .len = 100, .ack = 1, .window = 64000),
            rig_read(rig, conn, rig_info(conn).bytes_received - rig_info(conn).rcv_unread);
    assert_int_equal(rig_info(conn).bytes_received, 10000);
    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), 0);
    assert_int_equal(rig->tcp->items.used, 0);
    assert_int_equal(rig->tcp->rx_charge, 0);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_fin_that_comes_back_is_no_sample_of_anothers_rate),
        T(congestion_control_stays_what_the_connection_began_with),
        T(a_threshold_crosses_to_no_model_and_none_comes_back),
        T(a_smaller_mtu_that_is_set_holds_for_probes_too),
        T(a_residue_whose_flow_has_a_model_comes_back_with_it),
        T(who_comes_back_measures_round_trips_from_where_he_is),
        T(a_residue_takes_no_state_that_has_our_fin),
        T(a_residue_that_comes_back_keeps_to_a_smaller_mtu),
        T(a_small_path_that_was_saved_is_tried_again_when_it_is_old),
        T(rfc3168_6_1_3_a_residue_asks_to_slow_down_until_that_was_done),
        T(a_port_is_held_for_as_long_as_a_residue_is_left_and_no_longer),
        T(a_burst_acknowledges_a_residue_piece_by_piece_to_its_end),
        T(every_end_of_one_given_early_gives_its_place_back),
        T(what_a_listener_left_is_not_the_next_ones),
        T(an_early_one_that_ended_untold_is_told_of_without_its_listener),
        T(a_lower_backlog_lets_no_more_in_until_the_rest_has_gone),
        T(an_early_answer_is_no_trouble_to_a_model),
        T(ranges_stay_whole_where_references_run_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
