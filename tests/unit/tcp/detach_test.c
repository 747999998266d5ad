// SPDX-License-Identifier: Apache-2.0
// Connections that leave an engine and come into one again (tcp/join.h), against a scripted peer.
#include "rig.h"
#include <errno.h>
#include <string.h>
#include "tcp/join.h"

static struct sl_tcp_conn *opened(struct rig *rig)
{
    struct sl_tcp_options options = rig_options();

    return rig_open_passive(rig, &options, rig_full_syn(), 64000);
}

static void send_bytes(struct rig *rig, struct sl_tcp_conn *conn, uint32_t from, uint32_t len)
{
    struct sl_tcp_chunk chunk = rig_chunk(from, len);

    assert_int_equal(sl_tcp_send(conn, &chunk, rig->now_us), 0);
    rig_flush(rig);
}

static uint32_t read_bytes(struct rig *rig, struct sl_tcp_conn *conn, uint32_t from)
{
    uint32_t got = rig_read(rig, conn, from);

    rig_flush(rig);
    return got;
}

static struct sl_tcp_conn *attached(struct rig *rig, const struct sl_tcp_saved *saved)
{
    struct sl_tcp_options options = rig_options();
    int error = 0;
    struct sl_tcp_conn *conn = sl_tcp_attach(rig->tcp, saved, &options, rig, rig->now_us, &error);

    assert_int_equal(error, 0);
    assert_non_null(conn);
    rig_flush(rig);
    return conn;
}

static int attach_error(struct rig *rig, const struct sl_tcp_saved *saved)
{
    struct sl_tcp_options options = rig_options();
    int error = 0;

    if (sl_tcp_attach(rig->tcp, saved, &options, NULL, rig->now_us, &error))
        return 0;
    return error;
}

// ---- leaving ------------------------------------------------------------------------------------------------------
static void nothing_is_sent_and_nothing_is_left(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = opened(rig);
    struct sl_tcp_event event;
    struct sl_tcp_saved saved;

    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), 0);
    rig_wait(rig, 300 * RIG_S);
    rig_expect_none(rig);
    assert_false(rig_event(rig, &event));
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    assert_int_equal(sl_tcp_counters(rig->tcp)->time_waits, 0);
    assert_int_equal(saved.state, SL_TCP_ESTABLISHED);
    assert_int_equal(saved.peer_mss, 1460);
    assert_int_equal(saved.told_mss, 1460);
    assert_int_equal(saved.flags, SL_TCP_SAVED_TIMESTAMPS | SL_TCP_SAVED_SACK | SL_TCP_SAVED_WSCALE |
                                      SL_TCP_SAVED_PASSIVE);
    rig_free(rig);
}

static void one_that_is_half_open_cannot_leave(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct rig *rig = rig_new();
    struct sl_tcp_saved saved;
    int error = 0;
    struct sl_tcp_conn *conn = sl_tcp_connect(rig->tcp, &rig->local, rig->local_port, &rig->remote,
                                              rig->remote_port, &options, NULL, rig->now_us, &error);

    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), -ENOTCONN);
    sl_tcp_abort(conn, rig->now_us);
    rig_free(rig);
}

static void unread_bytes_keep_it(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = opened(rig);
    struct sl_tcp_saved saved;

    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1, .len = 100, .ack = 1, .window = 64000);
    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), -EAGAIN);
    assert_int_equal(read_bytes(rig, conn, 0), 100);
    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), 0);
    rig_free(rig);
}

static void bytes_out_of_order_keep_it(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = opened(rig);
    struct sl_tcp_saved saved;

    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 101, .len = 100, .ack = 1, .window = 64000);
    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), -EBUSY);
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1, .len = 100, .ack = 1, .window = 64000);
    assert_int_equal(read_bytes(rig, conn, 0), 200);
    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), 0);
    rig_free(rig);
}

static void a_fin_ahead_of_a_hole_keeps_it(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = opened(rig);
    struct sl_tcp_saved saved;

    RIG_PUT(rig, .flags = SL_TCP_ACK | SL_TCP_FIN, .seq = 101, .ack = 1, .window = 64000);
    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), -EBUSY);
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1, .len = 100, .ack = 1, .window = 64000);
    assert_int_equal(read_bytes(rig, conn, 0), 100);
    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), 0);
    assert_int_equal(saved.state, SL_TCP_CLOSE_WAIT);
    assert_int_equal(saved.rcv_nxt, rig->peer_isn + 102);
    rig_free(rig);
}

static void a_fin_of_ours_on_its_way_keeps_it(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = opened(rig);
    struct sl_tcp_saved saved;

    sl_tcp_shutdown(conn, rig->now_us);
    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), -EINPROGRESS);
    rig_flush(rig);
    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), -EINPROGRESS);
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1, .ack = 2, .window = 64000);
    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), 0);
    assert_int_equal(saved.state, SL_TCP_FIN_WAIT_2);
    rig_free(rig);
}

static void one_that_has_ended_cannot_leave(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = opened(rig);
    struct sl_tcp_saved saved;

    RIG_PUT(rig, .flags = SL_TCP_RST, .seq = 1);
    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), -ENOTCONN);
    sl_tcp_close(conn, rig->now_us);
    rig_free(rig);
}

// ---- coming back --------------------------------------------------------------------------------------------------
static void it_goes_on_as_if_it_had_not_left(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = opened(rig);
    struct sl_tcp_saved saved;

    send_bytes(rig, conn, 0, 500);
    rig_expect(rig, SL_TCP_ACK | SL_TCP_PSH, 1, 500, 1);
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1, .len = 300, .ack = 501, .window = 64000);
    assert_int_equal(read_bytes(rig, conn, 0), 300);
    rig_drop_out(rig);
    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), 0);
    rig_wait(rig, 5 * RIG_S);
    conn = attached(rig, &saved);
    rig_expect_none(rig);
    send_bytes(rig, conn, 500, 700);
    rig_expect(rig, SL_TCP_ACK | SL_TCP_PSH, 501, 700, 301);
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 301, .len = 200, .ack = 1201, .window = 64000);
    assert_int_equal(read_bytes(rig, conn, 300), 200);
    sl_tcp_abort(conn, rig->now_us);
    rig_free(rig);
}

static void what_is_saved_comes_back_the_same(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = opened(rig);
    struct sl_tcp_saved first, second;

    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1, .len = 300, .ack = 1, .window = 64000);
    assert_int_equal(read_bytes(rig, conn, 0), 300);
    assert_int_equal(sl_tcp_detach(conn, &first, rig->now_us), 0);
    conn = attached(rig, &first);
    assert_int_equal(sl_tcp_detach(conn, &second, rig->now_us), 0);
    second.rttvar_us = first.rttvar_us; // what one sample says
    assert_memory_equal(&first, &second, sizeof(first));
    rig_free(rig);
}

// Into an engine of another process, whose secrets are others.
static void another_engine_takes_it_and_time_goes_on(void **state)
{
    struct rig *rig = rig_new(), *other;
    struct sl_tcp_conn *conn = opened(rig);
    struct sl_tcp_config config;
    struct sl_tcp_saved saved;
    const struct rig_segment *segment;
    uint32_t tsval;

    send_bytes(rig, conn, 0, 10);
    segment = rig_expect(rig, SL_TCP_ACK | SL_TCP_PSH, 1, 10, 1);
    tsval = segment->options.tsval;
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1, .ack = 11, .window = 64000);
    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), 0);

    rig_config(&config);
    config.entropy[0] ^= 0x1234567;
    config.now_us = rig->now_us + 7 * RIG_S;
    other = rig_new_with(&config, false);
    other->isn = rig->isn;
    other->timestamps = true;
    other->tsval = rig->tsval + 1;
    other->shift = rig->shift;
    conn = attached(other, &saved);
    send_bytes(other, conn, 10, 10);
    segment = rig_expect(other, SL_TCP_ACK | SL_TCP_PSH, 11, 10, 1);
    assert_in_range(segment->options.tsval - tsval, 7000, 7001);
    assert_int_equal(segment->options.tsecr, rig->tsval);
    RIG_PUT(other, .flags = SL_TCP_ACK, .seq = 1, .len = 10, .ack = 21, .window = 64000);
    assert_int_equal(read_bytes(other, conn, 0), 10);
    other->tsval = rig->tsval - 1; // older than what the first engine saw: PAWS
    RIG_PUT(other, .flags = SL_TCP_ACK, .seq = 11, .len = 10, .ack = 21, .window = 64000);
    assert_int_equal(sl_tcp_counters(other->tcp)->refused_paws, 1);
    sl_tcp_abort(conn, other->now_us);
    sl_tcp_free(rig->tcp); // segments of both are looked at by rig_free below
    rig->tcp = NULL;
    rig_free(rig);
    rig_free(other);
}

static void the_window_told_is_kept_by_a_smaller_receiver(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = opened(rig);
    struct sl_tcp_options options = rig_options();
    const struct rig_segment *segment;
    struct sl_tcp_saved saved;
    uint32_t edge;
    int error = 0;

    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), 0);
    edge = saved.rcv_edge;
    options.rx_bytes = options.rx_initial_bytes = 4096;
    conn = sl_tcp_attach(rig->tcp, &saved, &options, NULL, rig->now_us, &error);
    assert_non_null(conn);
    send_bytes(rig, conn, 0, 10);
    segment = rig_expect(rig, SL_TCP_ACK | SL_TCP_PSH, 1, 10, 1);
    assert_true(segment->out.ack + ((uint32_t)segment->out.window << saved.rcv_wscale) - edge <
                1u << saved.rcv_wscale);
    for (uint32_t at = 0; at + 1000 <= edge - saved.rcv_nxt; at += 1000) // all of it is taken
        RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1 + at, .len = 1000, .ack = 11, .window = 64000);
    assert_int_equal(read_bytes(rig, conn, 0), (edge - saved.rcv_nxt) / 1000 * 1000);
    sl_tcp_abort(conn, rig->now_us);
    rig_free(rig);
}

static void the_congestion_window_is_that_of_a_restart(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = opened(rig);
    struct sl_tcp_saved saved;
    struct sl_tcp_info info;

    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), 0);
    saved.cwnd = 400000;
    saved.ssthresh = 200000;
    saved.srtt_us = 30000;
    saved.rttvar_us = 10;
    conn = attached(rig, &saved);
    sl_tcp_info(conn, &info);
    assert_int_equal(info.cwnd, tcp_cc_initial_window(1448));
    assert_int_equal(info.ssthresh, 300000); // three quarters of what it had, RFC 2861
    assert_int_equal(info.srtt_us, 30000);
    assert_int_equal(info.rttvar_us, 15000); // as after one sample
    assert_int_equal(info.rto_us, 230000);
    sl_tcp_abort(conn, rig->now_us);
    rig_free(rig);
}

static void an_acknowledgement_owed_is_sent(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = opened(rig);
    struct sl_tcp_saved saved;

    sl_tcp_quick_ack(conn, false, rig->now_us);
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1, .len = 100, .ack = 1, .window = 64000);
    assert_int_equal(rig_read(rig, conn, 0), 100);
    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), 0);
    assert_int_equal(saved.rcv_nxt - saved.rcv_wup, 100);
    rig_wait(rig, RIG_S);
    rig_expect_none(rig);
    conn = attached(rig, &saved);
    rig_expect(rig, SL_TCP_ACK, 1, 0, 101);
    sl_tcp_abort(conn, rig->now_us);
    rig_free(rig);
}

// ---- half closed ----------------------------------------------------------------------------------------------------
static void close_wait_comes_back_with_its_end_to_be_read(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = opened(rig);
    struct sl_tcp_event event;
    struct sl_tcp_chunk chunk;
    struct sl_tcp_saved saved;

    RIG_PUT(rig, .flags = SL_TCP_ACK | SL_TCP_FIN, .seq = 1, .ack = 1, .window = 64000);
    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), 0);
    rig_drop_out(rig);
    conn = attached(rig, &saved);
    assert_true(rig_event(rig, &event));
    assert_int_equal(event.bits, SL_TCP_READABLE | SL_TCP_WRITABLE);
    assert_ptr_equal(event.user, rig);
    assert_int_equal(sl_tcp_read(conn, 1, &chunk, rig->now_us), 0);
    send_bytes(rig, conn, 0, 10);
    rig_expect(rig, SL_TCP_ACK | SL_TCP_PSH, 1, 10, 2);
    sl_tcp_close(conn, rig->now_us);
    rig_flush(rig);
    rig_expect(rig, SL_TCP_ACK | SL_TCP_FIN, 11, 0, 2);
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 2, .ack = 12, .window = 64000);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    rig_free(rig);
}

static void fin_wait_2_comes_back_and_ends_in_time_wait(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = opened(rig);
    struct sl_tcp_saved saved;

    sl_tcp_shutdown(conn, rig->now_us);
    rig_flush(rig);
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1, .ack = 2, .window = 64000);
    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), 0);
    rig_drop_out(rig);
    conn = attached(rig, &saved);
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1, .len = 100, .ack = 2, .window = 64000);
    assert_int_equal(read_bytes(rig, conn, 0), 100);
    rig_drop_out(rig);
    RIG_PUT(rig, .flags = SL_TCP_ACK | SL_TCP_FIN, .seq = 101, .ack = 2, .window = 64000);
    rig_expect(rig, SL_TCP_ACK, 2, 0, 102);
    assert_int_equal(sl_tcp_counters(rig->tcp)->time_waits, 1);
    sl_tcp_close(conn, rig->now_us);
    rig_free(rig);
}

static void a_fin_that_nobody_acknowledged_is_repeated(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = opened(rig);
    struct sl_tcp_saved saved;
    struct sl_tcp_info info;

    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), 0);
    saved.state = SL_TCP_FIN_WAIT_1; // as sl_tcp_splice_part() has it where a FIN has passed
    saved.flags |= SL_TCP_SAVED_FIN_SENT;
    saved.snd_nxt++;
    conn = attached(rig, &saved);
    rig_expect_none(rig);
    rig_wait(rig, 2 * RIG_S);
    rig_expect(rig, SL_TCP_ACK | SL_TCP_FIN, 1, 0, 1);
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1, .ack = 2, .window = 64000);
    sl_tcp_info(conn, &info);
    assert_int_equal(info.state, SL_TCP_FIN_WAIT_2);
    sl_tcp_abort(conn, rig->now_us);
    rig_free(rig);
}

// ---- residues -------------------------------------------------------------------------------------------------------
static struct sl_tcp_conn *left_behind(struct rig *rig, uint32_t bytes, struct sl_tcp_saved *saved)
{
    struct sl_tcp_conn *conn = opened(rig);

    send_bytes(rig, conn, 0, bytes);
    assert_int_equal(sl_tcp_detach(conn, saved, rig->now_us), 1);
    assert_int_equal(saved->snd_nxt - saved->snd_una, bytes);
    return conn;
}

static void a_residue_repeats_until_all_is_acknowledged(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_saved saved;
    struct sl_tcp_conn *residue = left_behind(rig, 500, &saved);
    struct sl_tcp_event event;

    rig_drop_out(rig);
    rig_wait(rig, 3 * RIG_S);
    rig_expect(rig, SL_TCP_ACK | SL_TCP_PSH, 1, 500, 1);
    rig_drop_out(rig);
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1, .len = 100, .ack = 301,
            .window = 64000); // its payload is not for us
    assert_false(rig_event(rig, &event));
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 101, .ack = 2301, .window = 64000); // of others' bytes too
    assert_true(rig_event(rig, &event));
    assert_int_equal(event.bits, SL_TCP_ENDED);
    assert_int_equal(event.error, 0);
    assert_ptr_equal(event.conn, residue);
    rig_expect_none(rig);
    sl_tcp_close(residue, rig->now_us);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    rig_free(rig);
}

static void a_residue_acknowledges_nothing_and_takes_nothing(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_saved saved;
    struct sl_tcp_conn *residue = left_behind(rig, 500, &saved);
    struct sl_tcp_chunk chunk = rig_chunk(0, 10);

    rig_drop_out(rig);
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1, .len = 1000, .ack = 1, .window = 64000);
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 90001, .len = 1000, .ack = 1, .window = 64000);
    RIG_PUT(rig, .flags = SL_TCP_ACK | SL_TCP_FIN, .seq = 1001, .ack = 1, .window = 64000);
    RIG_PUT(rig, .flags = SL_TCP_SYN, .seq = 1001, .window = 64000);
    rig_expect_none(rig);
    assert_int_equal(sl_tcp_send(residue, &chunk, rig->now_us), -EPIPE);
    rig_buffers.release(chunk.owner);
    assert_int_equal(sl_tcp_shutdown(residue, rig->now_us), -ENOTCONN);
    assert_int_equal(sl_tcp_detach(residue, &saved, rig->now_us), -EALREADY);
    sl_tcp_abort(residue, rig->now_us);
    rig_expect_none(rig); // no reset either
    rig_free(rig);
}

static void what_a_residue_says_follows_what_has_passed(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_saved saved, now;
    struct sl_tcp_conn *residue = left_behind(rig, 500, &saved);
    const struct rig_segment *segment;

    rig_drop_out(rig);
    now = saved;
    now.rcv_nxt += 90000;
    now.rcv_edge += 190000;
    now.ts_recent += 77;
    now.tsval += 100000;
    sl_tcp_follow(residue, &now);
    rig_wait(rig, 3 * RIG_S);
    segment = rig_expect(rig, SL_TCP_ACK | SL_TCP_PSH, 1, 500, 90001);
    assert_int_equal(segment->options.tsval,
                     saved.tsval + 100000); // however late it is: the clock is another's
    assert_int_equal(segment->options.tsecr, saved.ts_recent + 77);
    assert_int_equal(segment->out.window, (now.rcv_edge - now.rcv_nxt) >> saved.rcv_wscale);
    sl_tcp_abort(residue, rig->now_us);
    rig_free(rig);
}

static void a_residue_with_a_closed_window_asks_and_goes_on(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn;
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_event event;
    struct sl_tcp_saved saved;

    conn = rig_open_passive(rig, &options, rig_full_syn(), 1024);
    send_bytes(rig, conn, 0, 3000); // 1,024 go, the rest is queued
    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), 1);
    rig_drop_out(rig);
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1, .ack = 1025, .window = 0);
    rig_wait(rig, 2 * RIG_S);
    rig_expect(rig, SL_TCP_ACK, 1024, 0, 1); // a probe
    rig_drop_out(rig);
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1, .ack = 5000,
            .window = 64000); // not while some was never sent
    rig_expect_none(rig);
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1, .ack = 1025, .window = 64000);
    rig_expect(rig, SL_TCP_ACK, 1025, 1448, 1);
    rig_expect(rig, SL_TCP_ACK | SL_TCP_PSH, 2473, 528, 1);
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1, .ack = 5000, .window = 64000);
    assert_true(rig_event(rig, &event));
    assert_int_equal(event.bits, SL_TCP_ENDED);
    sl_tcp_close(conn, rig->now_us);
    rig_free(rig);
}

static void a_reset_ends_a_residue_by_its_number_alone(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_saved saved;
    struct sl_tcp_conn *residue = left_behind(rig, 500, &saved);
    struct sl_tcp_event event;

    rig_drop_out(rig);
    RIG_PUT(rig, .flags = SL_TCP_RST, .seq = 2);
    assert_false(rig_event(rig, &event));
    rig_expect_none(rig);
    RIG_PUT(rig, .flags = SL_TCP_RST, .seq = 1);
    assert_true(rig_event(rig, &event));
    assert_int_equal(event.error, -ECONNRESET);
    sl_tcp_close(residue, rig->now_us);
    rig_free(rig);
}

static void a_residue_that_is_closed_goes_on_alone(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_saved saved;
    struct sl_tcp_conn *residue = left_behind(rig, 500, &saved);
    struct sl_tcp_event event;

    rig_drop_out(rig);
    sl_tcp_close(residue, rig->now_us);
    rig_flush(rig);
    rig_expect_none(rig); // no FIN
    rig_wait(rig, 3 * RIG_S);
    rig_expect(rig, SL_TCP_ACK | SL_TCP_PSH, 1, 500, 1);
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1, .ack = 501, .window = 64000);
    assert_false(rig_event(rig, &event));
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    rig_free(rig);
}

static void a_residue_becomes_the_connection_again_where_nothing_passed(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_saved saved, passed;
    struct sl_tcp_conn *residue = left_behind(rig, 500, &saved), *conn;

    passed = saved;
    passed.snd_nxt += 100;
    assert_int_equal(attach_error(rig, &passed), -EBUSY);
    rig_drop_out(rig);
    conn = attached(rig, &saved);
    assert_ptr_equal(conn, residue);
    send_bytes(rig, conn, 500, 1448);
    rig_expect(rig, SL_TCP_ACK | SL_TCP_PSH, 501, 1448, 1);
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1, .len = 100, .ack = 1949, .window = 64000);
    assert_int_equal(read_bytes(rig, conn, 0), 100);
    sl_tcp_abort(conn, rig->now_us);
    rig_free(rig);
}

// ---- not believed ---------------------------------------------------------------------------------------------------
static void states_that_cannot_be_are_refused(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = opened(rig);
    struct sl_tcp_saved saved, bad;

    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), 0);
#define BAD(change)                                                                                          \
    do {                                                                                                     \
        bad = saved;                                                                                         \
        change;                                                                                              \
        assert_int_equal(attach_error(rig, &bad), -EINVAL);                                                  \
    } while (0)
    BAD(bad.version++);
    BAD(bad.state = SL_TCP_SYN_SENT);
    BAD(bad.state = SL_TCP_TIME_WAIT);
    BAD(bad.state = 200);
    BAD(bad.state = SL_TCP_CLOSE_WAIT);
    BAD(bad.flags |= SL_TCP_SAVED_FIN_SENT);
    BAD(bad.snd_nxt++);
    BAD(bad.rcv_edge = bad.rcv_nxt - 1);
    BAD(bad.rcv_wup = bad.rcv_nxt + 1);
    BAD(bad.snd_wnd = TCP_WINDOW_MAX + 1);
    BAD(bad.snd_wscale = 15);
    BAD(bad.flags &= (uint16_t)~SL_TCP_SAVED_WSCALE);
    BAD(bad.peer_mss = 0);
    BAD(bad.path_mtu = 100);
    BAD(bad.local_port = 0);
    BAD(memset(&bad.remote, 0, sizeof(bad.remote)));
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    conn = attached(rig, &saved);
    assert_int_equal(attach_error(rig, &saved), -EADDRINUSE);
    sl_tcp_abort(conn, rig->now_us);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_sent_and_nothing_is_left),
        cmocka_unit_test(one_that_is_half_open_cannot_leave),
        cmocka_unit_test(unread_bytes_keep_it),
        cmocka_unit_test(bytes_out_of_order_keep_it),
        cmocka_unit_test(a_fin_ahead_of_a_hole_keeps_it),
        cmocka_unit_test(a_fin_of_ours_on_its_way_keeps_it),
        cmocka_unit_test(one_that_has_ended_cannot_leave),
        cmocka_unit_test(it_goes_on_as_if_it_had_not_left),
        cmocka_unit_test(what_is_saved_comes_back_the_same),
        cmocka_unit_test(another_engine_takes_it_and_time_goes_on),
        cmocka_unit_test(the_window_told_is_kept_by_a_smaller_receiver),
        cmocka_unit_test(the_congestion_window_is_that_of_a_restart),
        cmocka_unit_test(an_acknowledgement_owed_is_sent),
        cmocka_unit_test(close_wait_comes_back_with_its_end_to_be_read),
        cmocka_unit_test(fin_wait_2_comes_back_and_ends_in_time_wait),
        cmocka_unit_test(a_fin_that_nobody_acknowledged_is_repeated),
        cmocka_unit_test(a_residue_repeats_until_all_is_acknowledged),
        cmocka_unit_test(a_residue_acknowledges_nothing_and_takes_nothing),
        cmocka_unit_test(what_a_residue_says_follows_what_has_passed),
        cmocka_unit_test(a_residue_with_a_closed_window_asks_and_goes_on),
        cmocka_unit_test(a_reset_ends_a_residue_by_its_number_alone),
        cmocka_unit_test(a_residue_that_is_closed_goes_on_alone),
        cmocka_unit_test(a_residue_becomes_the_connection_again_where_nothing_passed),
        cmocka_unit_test(states_that_cannot_be_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
