// SPDX-License-Identifier: Apache-2.0
// A connection comes into an engine from a saved state (join.h), or back to what it left behind there. The state may
// have lain in shared memory: it is looked at before it is believed.
#include <errno.h>
#include "tcp/engine.h"
#include "tcp/join.h"

static struct sl_tcp_conn *refused(int *error, int code)
{
    if (error)
        *error = code;
    return NULL;
}

// ---- is it one? -----------------------------------------------------------------------------------------------
static bool has(const struct sl_tcp_saved *saved, uint16_t flags)
{
    return saved->flags & flags;
}

static bool sound_state(const struct sl_tcp_saved *saved)
{
    bool fin_in = has(saved, SL_TCP_SAVED_FIN_RECEIVED), fin_out = has(saved, SL_TCP_SAVED_FIN_SENT);

    switch (saved->state) {
    case SL_TCP_ESTABLISHED:
        return !fin_in && !fin_out;
    case SL_TCP_CLOSE_WAIT:
        return fin_in && !fin_out;
    case SL_TCP_FIN_WAIT_1: // all but the FIN is acknowledged
        return !fin_in && fin_out && saved->snd_nxt - saved->snd_una == 1;
    case SL_TCP_FIN_WAIT_2:
        return !fin_in && fin_out && saved->snd_nxt == saved->snd_una;
    default:
        return false;
    }
}

static bool sound_numbers(const struct sl_tcp_saved *saved)
{
    uint32_t told = saved->rcv_edge - saved->rcv_nxt, owed = saved->rcv_nxt - saved->rcv_wup;
    bool scaled = has(saved, SL_TCP_SAVED_WSCALE);

    return saved->snd_nxt - saved->snd_una <= TCP_WINDOW_MAX && told <= TCP_WINDOW_MAX &&
           owed <= TCP_WINDOW_MAX && saved->snd_wnd <= TCP_WINDOW_MAX &&
           saved->max_window <= TCP_WINDOW_MAX && saved->peer_mss && saved->snd_wscale <= TCP_WSCALE_MAX &&
           saved->rcv_wscale <= TCP_WSCALE_MAX &&
           (scaled || (saved->snd_wscale == 0 && saved->rcv_wscale == 0));
}

static bool sound(const struct sl_tcp_saved *saved, const struct sl_tcp_options *options)
{
    bool v4 = sl_ip_is_v4(&saved->local);

    return saved->version == SL_TCP_SAVED_VERSION && saved->local_port && saved->remote_port &&
           v4 == sl_ip_is_v4(&saved->remote) && tcp_is_host(&saved->local) && tcp_is_host(&saved->remote) &&
           saved->path_mtu >= (v4 ? TCP_MTU_MIN : TCP_MTU_MIN_V6) && sound_state(saved) &&
           sound_numbers(saved) && tcp_options_sound(options, v4);
}

// ---- filling ----------------------------------------------------------------------------------------------------
static void fill_agreed(struct tcp_conn *conn, const struct sl_tcp_saved *saved)
{
    conn->flags |= (has(saved, SL_TCP_SAVED_TIMESTAMPS) ? TCP_TS_ON : 0) |
                   (has(saved, SL_TCP_SAVED_SACK) ? TCP_SACK_ON : 0) |
                   (has(saved, SL_TCP_SAVED_WSCALE) ? TCP_WSCALE_ON : 0) |
                   (has(saved, SL_TCP_SAVED_ECN) ? TCP_ECN_ON : 0) |
                   (has(saved, SL_TCP_SAVED_PASSIVE) ? TCP_PASSIVE : 0);
    conn->snd_wscale = saved->snd_wscale;
    conn->rcv_wscale = saved->rcv_wscale;
    conn->peer_mss = saved->peer_mss;
    conn->path_mtu = (uint16_t)tcp_min_u32(conn->path_mtu, saved->path_mtu);
    tcp_mtu_wait(conn, conn->engine->now_us);
    tcp_mss_update(conn);
}

static void fill_send(struct tcp_conn *conn, const struct sl_tcp_saved *saved)
{
    bool fin = has(saved, SL_TCP_SAVED_FIN_SENT);

    conn->iss = saved->iss;
    conn->snd_una = saved->snd_una;
    conn->snd_nxt = saved->snd_nxt;
    conn->snd_end = saved->snd_nxt - fin;
    conn->snd_up = saved->snd_una;
    conn->snd_wnd = saved->snd_wnd;
    conn->snd_wl1 = saved->snd_wl1;
    conn->snd_wl2 = saved->snd_wl2;
    conn->max_window = tcp_max_u32(saved->max_window, saved->snd_wnd);
    conn->fack = conn->high_seq = conn->rack_end = conn->ecn_seq = conn->small_end = saved->snd_nxt;
    conn->flags |= fin ? TCP_FIN_QUEUED | TCP_FIN_SENT : 0;
}

static void fill_receive(struct tcp_conn *conn, const struct sl_tcp_saved *saved)
{
    conn->rcv_nxt = saved->rcv_nxt;
    conn->rcv_wup = saved->rcv_wup;
    conn->rcv_edge = saved->rcv_edge;
    conn->rcv_up = saved->rcv_up;
    conn->urgent = has(saved, SL_TCP_SAVED_URGENT) && tcp_seq_gt(saved->rcv_up, saved->rcv_nxt);
    conn->rcv_mss = (uint16_t)tcp_max_u32(saved->rcv_mss, TCP_MSS_MIN);
    conn->rx_limit = tcp_min_u32(tcp_max_u32(saved->rcv_limit, conn->rx_limit), conn->options->rx_bytes);
    if (has(saved, SL_TCP_SAVED_FIN_RECEIVED)) {
        conn->flags |= TCP_FIN_AHEAD | TCP_FIN_RECEIVED;
        conn->rx_fin = saved->rcv_nxt - 1;
    }
}

// Ours go on from where they were, by the milliseconds that have passed where the clock is still the same.
static void fill_timestamps(struct tcp_conn *conn, const struct sl_tcp_saved *saved, uint64_t now_us)
{
    uint64_t passed_us = now_us > saved->saved_us ? now_us - saved->saved_us : 0;
    uint64_t age_us = saved->saved_us > saved->ts_recent_us ? saved->saved_us - saved->ts_recent_us : 0;

    conn->ts_offset = saved->tsval + (uint32_t)(passed_us / TCP_MS) - (uint32_t)(now_us / TCP_MS);
    conn->ts_recent = saved->ts_recent;
    conn->ts_recent_us = age_us + passed_us < now_us ? now_us - age_us - passed_us : 0;
}

// RFC 5681 section 4.1, RFC 6298 section 2.2: somebody else has used the path meanwhile, or nobody has.
static void fill_path(struct tcp_conn *conn, const struct sl_tcp_saved *saved, uint64_t now_us)
{
    uint32_t window = tcp_cc_initial_window(conn->snd_mss);

    tcp_cc_start(&conn->cc, conn->cc.ops, conn->snd_mss);
    if (conn->options->initial_window)
        window = (uint32_t)conn->options->initial_window * conn->snd_mss;
    conn->cc.initial_cwnd = window;
    conn->cc.cwnd = tcp_max_u32(tcp_min_u32(saved->cwnd, window), conn->snd_mss);
    if (saved->ssthresh != UINT32_MAX && !tcp_rated(conn))
        conn->cc.ssthresh =
            tcp_max_u32(tcp_max_u32(saved->ssthresh, saved->cwnd - saved->cwnd / 4), 2u * conn->snd_mss);
    if (saved->srtt_us) {
        tcp_rtt_sample(conn, saved->srtt_us, now_us);
        conn->min_rtt_us = tcp_min_u32(saved->min_rtt_us ? saved->min_rtt_us : UINT32_MAX, conn->srtt_us);
    }
    if (tcp_rated(conn)) // a model of the path is made anew: rates were not taken while it was away
        conn->cc.ops->begin(&conn->cc, now_us, conn->srtt_us);
    conn->drs_us = now_us;
    conn->drs_rtt_seq = conn->rcv_nxt;
    conn->drs_rtt_us = conn->srtt_us;
    tcp_pace_rate(conn);
}

// A FIN that may have been lost is sent again when its time comes; whose copy an acknowledgement answers cannot be
// told.
static bool fill_fin(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    uint32_t index = tcp_record_add(tcp, conn, conn->snd_end, conn->snd_nxt, TCP_NONE);

    if (index == TCP_NONE)
        return false;
    tcp_record_at(tcp, index)->flags |= TCP_SENT_FIN | TCP_SENT_EVER;
    if (tcp_rated(conn))
        tcp_rate_sent(tcp, conn, tcp_record_at(tcp, index), 1, true);
    conn->stalled_us = conn->sent_us = tcp->now_us;
    tcp_rtx_arm(tcp, conn, tcp->now_us);
    return true;
}

// ---- coming -----------------------------------------------------------------------------------------------------
static struct sl_tcp_conn *begin(struct sl_tcp_engine *tcp, struct tcp_conn *conn,
                                 const struct sl_tcp_saved *saved, void *user)
{
    conn->user = user;
    tcp_state_set(tcp, conn, saved->state);
    tcp_trace_add(tcp, conn, TCP_TRACE_ATTACH, saved->state, conn->snd_mss);
    if (saved->rcv_wup != saved->rcv_nxt)
        tcp_ack_now(tcp, conn, false);
    tcp_slow_timer_arm(tcp, conn, tcp->now_us);
    tcp_event_add(
        tcp, conn,
        (uint8_t)((saved->state == SL_TCP_ESTABLISHED || saved->state == SL_TCP_CLOSE_WAIT ? SL_TCP_WRITABLE
                                                                                           : 0) |
                  (has(saved, SL_TCP_SAVED_FIN_RECEIVED) ? SL_TCP_READABLE : 0)));
    return (struct sl_tcp_conn *)conn;
}

// Nothing has passed behind the residue: it is the connection, with all that it knows of what is in flight.
static struct sl_tcp_conn *resume(struct sl_tcp_engine *tcp, struct tcp_conn *conn,
                                  const struct sl_tcp_saved *saved, const struct sl_tcp_options *options,
                                  void *user)
{
    const struct sl_tcp_options *before = conn->options;

    conn->flags &= ~(uint32_t)TCP_RESIDUE;
    conn->options = tcp_profile_get(tcp, options);
    tcp_profile_put(tcp, before);
    conn->events = 0;
    fill_receive(conn, saved);
    fill_timestamps(conn, saved, tcp->now_us);
    tcp_mtu_fit(conn, tcp->now_us);
    conn->drs_us = tcp->now_us; // a residue has something else in its place
    conn->drs_rtt_seq = conn->rcv_nxt;
    conn->drs_rtt_at_us = 0;
    tcp_want_output(tcp, conn);
    return begin(tcp, conn, saved, user);
}

static struct sl_tcp_conn *taken(struct sl_tcp_engine *tcp, uint32_t name, const struct sl_tcp_saved *saved,
                                 const struct sl_tcp_options *options, void *user, int *error)
{
    struct tcp_conn *conn = name & TCP_WAIT_BIT ? NULL : tcp_conn_at(tcp, name);

    if (conn == NULL || !tcp_has(conn, TCP_RESIDUE) || tcp_has(conn, TCP_ORPHAN))
        return refused(error, -EADDRINUSE);
    if (saved->snd_nxt != conn->snd_end)
        return refused(error, -EBUSY);
    if (has(saved, SL_TCP_SAVED_FIN_SENT) || // it would stand behind the residue's bytes
        (tcp_has(conn, TCP_FIN_RECEIVED) && !has(saved, SL_TCP_SAVED_FIN_RECEIVED)))
        return refused(error, -EINVAL);
    return resume(tcp, conn, saved, options, user);
}

struct sl_tcp_conn *sl_tcp_attach(struct sl_tcp_engine *tcp, const struct sl_tcp_saved *saved,
                                  const struct sl_tcp_options *options, void *user, uint64_t now_us,
                                  int *error)
{
    struct tcp_tuple tuple = {saved->local, saved->remote, saved->local_port, saved->remote_port};
    struct tcp_conn *conn;
    uint32_t name;

    tcp->now_us = now_us;
    if (!sound(saved, options))
        return refused(error, -EINVAL);
    name = tcp_table_find(tcp, &tuple);
    if (name != TCP_NONE)
        return taken(tcp, name, saved, options, user, error);
    if (saved->snd_una != saved->snd_nxt && saved->state != SL_TCP_FIN_WAIT_1)
        return refused(error, -EINVAL);
    conn = tcp_conn_new(tcp, &tuple, options, now_us);
    if (conn == NULL)
        return refused(error, -ENOBUFS);
    fill_agreed(conn, saved);
    fill_send(conn, saved);
    fill_receive(conn, saved);
    fill_timestamps(conn, saved, now_us);
    fill_path(conn, saved, now_us);
    if (saved->state == SL_TCP_FIN_WAIT_1 && !fill_fin(tcp, conn)) {
        tcp_table_remove(tcp, &tuple, tcp_conn_index(tcp, conn));
        tcp_conn_free(tcp, conn);
        return refused(error, -ENOBUFS);
    }
    return begin(tcp, conn, saved, user);
}
