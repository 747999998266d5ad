// SPDX-License-Identifier: Apache-2.0
// How connections begin: LISTEN, SYN-SENT, SYN-RECEIVED (RFC 9293 sections 3.10.7.2 to 3.10.7.4), the options that both
// ends agree on, and SYN cookies (RFC 4987 section 3.6).
#include <errno.h>
#include "tcp/engine.h"

#define WSCALE_BY_WINDOW 0xffu

// ---- options ------------------------------------------------------------------------------------------------
uint16_t tcp_offered_mss(bool v4, const struct sl_tcp_options *options)
{
    uint16_t mss = (uint16_t)(options->mtu - TCP_HEADERS(v4));

    return options->mss_clamp && options->mss_clamp < mss ? options->mss_clamp : mss;
}

static uint8_t window_shift(const struct sl_tcp_options *options)
{
    uint8_t shift = 0;

    if (options->wscale_shift != WSCALE_BY_WINDOW)
        return options->wscale_shift > TCP_WSCALE_MAX ? TCP_WSCALE_MAX : options->wscale_shift;
    while (shift < TCP_WSCALE_MAX && (options->rx_bytes >> shift) > UINT16_MAX)
        shift++;
    return shift;
}

// Of a SYN all that is wanted; of a SYN-ACK what the SYN had too: learn() has switched the rest off.
void tcp_syn_options(const struct sl_tcp_engine *tcp, const struct tcp_conn *conn, struct tcp_options *out)
{
    bool answer = conn->state == SL_TCP_SYN_RECEIVED;

    *out =
        (struct tcp_options){.present = TCP_OPTION_MSS, .mss = tcp_offered_mss(tcp_is_v4(conn), conn->options)};
    if (answer ? tcp_has(conn, TCP_WSCALE_ON) : conn->options->wscale) {
        out->present |= TCP_OPTION_WSCALE;
        out->wscale = window_shift(conn->options);
    }
    if (answer ? tcp_has(conn, TCP_SACK_ON) : conn->options->sack)
        out->present |= TCP_OPTION_SACK_PERMITTED;
    if (answer ? tcp_has(conn, TCP_TS_ON) : conn->options->timestamps) {
        out->present |= TCP_OPTION_TIMESTAMPS;
        out->tsval = tcp_ts_now(conn, tcp->now_us);
        out->tsecr = answer ? conn->ts_recent : 0;
    }
    if (answer)
        tcp_fast_open_option(tcp, conn, out);
}

static void learn_timestamps(struct tcp_conn *conn, const struct tcp_options *options, uint64_t now_us)
{
    if (!conn->options->timestamps || !(options->present & TCP_OPTION_TIMESTAMPS))
        return;
    conn->flags |= TCP_TS_ON;
    conn->ts_recent = options->tsval;
    conn->ts_recent_us = now_us;
}

// What the peer's SYN or SYN-ACK said; the MSS is 536 or 1220 where it said nothing (RFC 9293 MUST-15).
static void learn(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct tcp_options *options)
{
    if (options->present & TCP_OPTION_MSS)
        conn->peer_mss = conn->options->mss_clamp ? (uint16_t)tcp_min_u32(options->mss, conn->options->mss_clamp)
                                                 : options->mss;
    if (conn->options->wscale && options->present & TCP_OPTION_WSCALE) {
        conn->flags |= TCP_WSCALE_ON;
        conn->snd_wscale = options->wscale;
        conn->rcv_wscale = window_shift(conn->options);
        tcp_rx_limit_set(conn, conn->rx_limit);
    }
    if (conn->options->sack && options->present & TCP_OPTION_SACK_PERMITTED)
        conn->flags |= TCP_SACK_ON;
    learn_timestamps(conn, options, tcp->now_us);
    tcp_mss_update(conn);
}

static void receive_begins(struct tcp_conn *conn, uint32_t peer_isn)
{
    conn->rcv_nxt = conn->rcv_wup = peer_isn + 1;
    conn->rcv_edge = conn->rcv_nxt + tcp_min_u32(conn->rx_limit, UINT16_MAX);
    conn->fack = conn->snd_una;
}

static void send_begins(struct tcp_conn *conn, uint32_t isn)
{
    conn->iss = conn->snd_una = isn;
    conn->snd_nxt = conn->snd_end = isn + 1;
    conn->snd_up = isn;
    conn->small_end = isn + 1;
    conn->fack = conn->high_seq = conn->rack_end = conn->ecn_seq = isn + 1;
}

// ---- established ----------------------------------------------------------------------------------------------
void tcp_first_cwnd(struct tcp_conn *conn)
{
    tcp_cc_start(&conn->cc, conn->cc.ops, conn->snd_mss);
    if (conn->options->initial_window)
        conn->cc.cwnd = conn->cc.initial_cwnd = conn->options->initial_window * conn->snd_mss;
}

// A SYN that had to be repeated says the path is lossy: one segment (RFC 6928 section 2), and 3 s for the first data
// (RFC 6298 section 5.7).
static void first_window(struct tcp_conn *conn, uint64_t now_us)
{
    tcp_first_cwnd(conn);
    if (conn->backoff == 0) {
        if (conn->sent_us)
            tcp_rtt_sample(conn, now_us - conn->sent_us, now_us);
    } else {
        conn->rto_us = (uint32_t)(3 * TCP_S);
        if (conn->backoff > 1)
            conn->cc.cwnd = conn->snd_mss;
    }
    if (tcp_rated(conn))
        conn->cc.ops->begin(&conn->cc, now_us, conn->srtt_us);
    conn->backoff = 0;
}

static uint8_t agreed(const struct tcp_conn *conn)
{
    return (uint8_t)((tcp_has(conn, TCP_TS_ON) ? 1 : 0) | (tcp_has(conn, TCP_SACK_ON) ? 2 : 0) |
                     (tcp_has(conn, TCP_WSCALE_ON) ? 4 : 0) | (tcp_has(conn, TCP_ECN_ON) ? 8 : 0));
}

void tcp_established(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    bool passive = tcp_has(conn, TCP_PASSIVE);

    conn->snd_una = conn->iss + 1;
    conn->rtx = TCP_RTX_NONE;
    conn->rtx_us = TCP_NEVER;
    conn->stalled_us = 0;
    conn->flags &= ~(uint32_t)TCP_SYN_NOW;
    first_window(conn, tcp->now_us);
    tcp_pace_rate(conn);
    conn->drs_us = tcp->now_us;
    conn->drs_rtt_seq = conn->rcv_nxt;
    conn->drs_rtt_us = conn->srtt_us;
    tcp_state_set(tcp, conn, SL_TCP_ESTABLISHED);
    if (tcp_has(conn, TCP_FIN_QUEUED)) // closed in SYN-RECEIVED (RFC 9293 section 3.10.4)
        tcp_state_set(tcp, conn, SL_TCP_FIN_WAIT_1);
    tcp_trace_add(tcp, conn, TCP_TRACE_OPTIONS, agreed(conn), conn->snd_mss);
    tcp->counters.established++;
    tcp_slow_timer_arm(tcp, conn, tcp->now_us);
    if (!conn->fast_open) // which was given with its SYN
        tcp_event_add(tcp, conn,
                      passive ? SL_TCP_ACCEPTED | SL_TCP_WRITABLE : SL_TCP_CONNECTED | SL_TCP_WRITABLE);
    if (tcp_unsent(conn) || tcp_has(conn, TCP_FIN_QUEUED))
        tcp_want_output(tcp, conn);
}

// ---- LISTEN ---------------------------------------------------------------------------------------------------
static bool asks_ecn(const struct sl_tcp_in *in)
{
    return (in->flags & (SL_TCP_ECE | SL_TCP_CWR)) == (SL_TCP_ECE | SL_TCP_CWR);
}

static struct tcp_tuple tuple_of(const struct sl_tcp_in *in)
{
    return (struct tcp_tuple){in->dst, in->src, in->dport, in->sport};
}

// RFC 4987: without state where there are too many half-open connections, or no room at all.
static bool without_state(const struct sl_tcp_engine *tcp, const struct tcp_listener *listener)
{
    if (listener->options.cookies_never)
        return false;
    return listener->options.cookies_always || listener->half_open >= listener->options.backlog ||
           tcp->conns.used == tcp->conns.n;
}

static bool half_open(struct sl_tcp_engine *tcp, struct tcp_listener *listener, const struct sl_tcp_in *in,
                      const struct tcp_options *options, uint32_t isn_floor)
{
    struct tcp_tuple tuple = tuple_of(in);
    struct tcp_conn *conn = tcp_conn_new(tcp, &tuple, &listener->options, tcp->now_us);
    uint32_t isn = tcp_isn(&tcp->secret, &tuple, tcp->now_us);

    if (conn == NULL)
        return false;
    if (isn_floor && tcp_seq_lt(isn, isn_floor))
        isn = isn_floor;
    conn->user = NULL;
    conn->flags |= TCP_PASSIVE | TCP_SYN_NOW;
    conn->listener = (uint32_t)(listener - tcp->listeners);
    learn(tcp, conn, options);
    if (conn->options->ecn && asks_ecn(in))
        conn->flags |= TCP_ECN_ON;
    send_begins(conn, isn);
    receive_begins(conn, in->seq);
    conn->snd_wnd = conn->max_window = in->window; // never scaled on a SYN (RFC 7323 section 2.2)
    conn->snd_wl1 = in->seq;
    tcp->counters.opened_passive++;
    tcp_trace_add(tcp, conn, TCP_TRACE_OPEN, 0, __builtin_bswap16(tuple.remote_port));
    tcp_state_set(tcp, conn, SL_TCP_SYN_RECEIVED);
    tcp_half_open_add(tcp, conn);
    tcp_want_output(tcp, conn);
    return listener->options.fast_open && options->present & TCP_OPTION_TFO &&
           tcp_fast_open_syn(tcp, listener, conn, in, options);
}

bool tcp_listen_input(struct sl_tcp_engine *tcp, struct tcp_listener *listener, const struct sl_tcp_in *in,
                      const struct tcp_options *options, uint32_t isn_floor)
{
    if (in->flags & SL_TCP_RST)
        return false;
    if (in->flags & SL_TCP_ACK) {
        tcp_refuse(tcp, in);
        return false;
    }
    if (!(in->flags & SL_TCP_SYN) || in->flags & SL_TCP_FIN)
        return false;
    if (listener->options.cookies_never && listener->half_open >= listener->options.backlog)
        tcp->counters.no_room++;
    else if (without_state(tcp, listener))
        tcp_send_cookie(tcp, listener, in, options);
    else
        return half_open(tcp, listener, in, options, isn_floor);
    return false;
}

// ---- cookies --------------------------------------------------------------------------------------------------
static uint32_t plain_tsval(const struct sl_tcp_engine *tcp, const struct tcp_tuple *tuple)
{
    return (uint32_t)(tcp->now_us / TCP_MS) + tcp_timestamp_offset(&tcp->secret, tuple);
}

static void cookie_options(const struct tcp_listener *listener, const struct sl_tcp_in *in,
                           const struct tcp_options *syn, struct tcp_options *out)
{
    out->present = TCP_OPTION_MSS;
    out->mss = tcp_offered_mss(sl_ip_is_v4(&in->src), &listener->options);
    if (!(syn->present & TCP_OPTION_TIMESTAMPS) || !listener->options.timestamps)
        return; // nowhere to remember the others
    out->present |= TCP_OPTION_TIMESTAMPS;
    out->tsecr = syn->tsval;
    if (listener->options.sack)
        out->present |= syn->present & TCP_OPTION_SACK_PERMITTED;
    if (listener->options.wscale && syn->present & TCP_OPTION_WSCALE) {
        out->present |= TCP_OPTION_WSCALE;
        out->wscale = window_shift(&listener->options);
    }
}

void tcp_send_cookie(struct sl_tcp_engine *tcp, struct tcp_listener *listener, const struct sl_tcp_in *in,
                     const struct tcp_options *syn)
{
    struct tcp_tuple tuple = tuple_of(in);
    struct tcp_options options = {0}, known = *syn;
    bool ecn;
    struct sl_tcp_out out = {.src = in->dst,
                             .dst = in->src,
                             .sport = in->dport,
                             .dport = in->sport,
                             .ack = in->seq + 1,
                             .flags = SL_TCP_SYN | SL_TCP_ACK,
                             .hop_limit = listener->options.hop_limit,
                             .traffic_class = listener->options.traffic_class};

    cookie_options(listener, in, syn, &options);
    ecn = options.present & TCP_OPTION_TIMESTAMPS && listener->options.ecn && asks_ecn(in);
    if (!(options.present & TCP_OPTION_TIMESTAMPS))
        known.present &= (uint8_t)~TCP_OPTION_TIMESTAMPS;
    if (!(options.present & TCP_OPTION_WSCALE))
        known.present &= (uint8_t)~TCP_OPTION_WSCALE;
    if (!(options.present & TCP_OPTION_SACK_PERMITTED))
        known.present &= (uint8_t)~TCP_OPTION_SACK_PERMITTED;
    options.tsval = plain_tsval(tcp, &tuple);
    out.seq = tcp_cookie_make(&tcp->secret, &tuple, in->seq, &known, ecn, tcp->now_us, &options.tsval);
    out.flags |= ecn ? SL_TCP_ECE : 0;
    out.window = (uint16_t)tcp_min_u32(listener->options.rx_initial_bytes, UINT16_MAX);
    out.options_len = (uint8_t)tcp_options_write(out.options, &options);
    tcp->cookies_until_us = tcp->now_us + 3 * TCP_COOKIE_MINUTE_US;
    tcp->counters.cookies_sent++;
    tcp_send_segment(tcp, &out);
}

static struct tcp_options options_of(const struct tcp_cookie *cookie, const struct tcp_options *ack)
{
    struct tcp_options options = {.present = TCP_OPTION_MSS, .mss = cookie->mss};

    if (cookie->timestamps) {
        options.present |= TCP_OPTION_TIMESTAMPS;
        options.tsval = ack->tsval;
    }
    if (cookie->sack)
        options.present |= TCP_OPTION_SACK_PERMITTED;
    if (cookie->wscale != 0xff) {
        options.present |= TCP_OPTION_WSCALE;
        options.wscale = cookie->wscale;
    }
    return options;
}

struct tcp_conn *tcp_cookie_input(struct sl_tcp_engine *tcp, struct tcp_listener *listener,
                                  const struct sl_tcp_in *in, const struct tcp_options *ack)
{
    struct tcp_tuple tuple = tuple_of(in);
    struct tcp_options options;
    struct tcp_cookie cookie;
    struct tcp_conn *conn;

    if (tcp->now_us > tcp->cookies_until_us ||
        (in->flags & (SL_TCP_SYN | SL_TCP_RST | SL_TCP_ACK)) != SL_TCP_ACK)
        return NULL;
    if (!tcp_cookie_check(&tcp->secret, &tuple, in->seq - 1, in->ack - 1, ack, tcp->now_us, &cookie)) {
        tcp->counters.cookies_bad++;
        return NULL;
    }
    conn = tcp_conn_new(tcp, &tuple, &listener->options, tcp->now_us);
    if (conn == NULL)
        return NULL;
    options = options_of(&cookie, ack);
    conn->flags |= TCP_PASSIVE | (cookie.ecn ? TCP_ECN_ON : 0);
    conn->listener = (uint32_t)(listener - tcp->listeners);
    learn(tcp, conn, &options);
    send_begins(conn, in->ack - 1);
    receive_begins(conn, in->seq - 1);
    conn->snd_wl1 = in->seq - 1;
    tcp->counters.opened_passive++;
    tcp->counters.cookies_good++;
    tcp_trace_add(tcp, conn, TCP_TRACE_OPEN, 2, __builtin_bswap16(tuple.remote_port));
    tcp_established(tcp, conn);
    return conn;
}

// ---- SYN-SENT -------------------------------------------------------------------------------------------------
static bool acceptable_ack(const struct tcp_conn *conn, const struct sl_tcp_in *in)
{
    return tcp_seq_gt(in->ack, conn->iss) && tcp_seq_le(in->ack, conn->snd_nxt);
}

// The echo must be of a SYN of this attempt: an old SYN-ACK of the same tuple has an older one.
static bool stale_echo(const struct sl_tcp_engine *tcp, const struct tcp_conn *conn,
                       const struct tcp_options *options)
{
    return conn->options->timestamps && options->present & TCP_OPTION_TIMESTAMPS && options->tsecr != 0 &&
           !tcp_seq_between(options->tsecr, conn->retrans_ts, tcp_ts_now(conn, tcp->now_us));
}

static void syn_came(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in,
                     const struct tcp_options *options)
{
    uint32_t una = conn->snd_una;

    learn(tcp, conn, options);
    receive_begins(conn, in->seq);
    conn->snd_una = una;
    conn->snd_wnd = conn->max_window = in->window;
    conn->snd_wl1 = in->seq;
    conn->snd_wl2 = in->ack;
}

void tcp_syn_sent_input(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in,
                        const struct tcp_options *options)
{
    bool ack = in->flags & SL_TCP_ACK;

    if (ack && (!acceptable_ack(conn, in) || stale_echo(tcp, conn, options))) {
        if (!(in->flags & SL_TCP_RST))
            tcp_refuse(tcp, in);
        return;
    }
    if (in->flags & SL_TCP_RST) {
        if (!ack)
            return;
        tcp_trace_add(tcp, conn, TCP_TRACE_RESET, 0, 0);
        tcp_end(tcp, conn, -ECONNREFUSED);
        return;
    }
    if (!(in->flags & SL_TCP_SYN))
        return;
    syn_came(tcp, conn, in, options);
    if (ack) {
        if (conn->options->ecn && (in->flags & (SL_TCP_ECE | SL_TCP_CWR)) == SL_TCP_ECE)
            conn->flags |= TCP_ECN_ON; // RFC 3168 section 6.1.1
        tcp_established(tcp, conn);
        tcp_ack_now(tcp, conn, false);
        return;
    }
    if (conn->options->ecn && asks_ecn(in))
        conn->flags |= TCP_ECN_ON;
    tcp_state_set(tcp, conn, SL_TCP_SYN_RECEIVED); // simultaneous open: MUST-10
    conn->flags |= TCP_SYN_NOW;
    tcp_want_output(tcp, conn);
}
