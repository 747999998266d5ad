// SPDX-License-Identifier: Apache-2.0
// A segment arrives. The checks and their order are RFC 9293 section 3.10.7.4's: sequence number, RST, SYN, ACK, URG,
// text, FIN, with RFC 7323's PAWS before them and RFC 5961's caution within.
#include <errno.h>
#include "tcp/engine.h"

enum verdict { GO_ON, STOP };

static uint32_t segment_len(const struct sl_tcp_in *in)
{
    return in->payload.len + !!(in->flags & SL_TCP_SYN) + !!(in->flags & SL_TCP_FIN);
}

static void refused(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t *counter, uint8_t reason,
                    const struct sl_tcp_in *in)
{
    (*counter)++;
    tcp_trace_add(tcp, conn, TCP_TRACE_REFUSED, reason, in->payload.len);
}

// ---- sequence numbers -----------------------------------------------------------------------------------------
// RFC 9293 section 3.10.7.4, first check, table of four cases, where the window is what was told and not yet taken back.
// A segment right at the left edge of a closed window is acceptable for its ACK, RST and URG (section 3.8.6).
static bool in_window(const struct tcp_conn *conn, const struct sl_tcp_in *in)
{
    uint32_t window = tcp_rcv_wnd(conn), len = segment_len(in), end = in->seq + len;

    if (window == 0)
        return in->seq == conn->rcv_nxt ||
               (tcp_seq_le(in->seq, conn->rcv_nxt) && tcp_seq_gt(end, conn->rcv_nxt));
    if (len == 0)
        return tcp_seq_between(in->seq, conn->rcv_nxt, conn->rcv_nxt + window);
    return tcp_seq_lt(in->seq, conn->rcv_nxt + window) && tcp_seq_gt(end, conn->rcv_nxt);
}

// Whoever sends outside the window is told where it is, but not at the rate at which he sends: two ends that disagree
// would answer each other for ever.
static void answer_out_of_window(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in)
{
    if (in->flags & SL_TCP_RST)
        return;
    if (in->flags & SL_TCP_SYN) { // RFC 5961 section 4.2: wherever it is, and within the budget
        tcp_challenge(tcp, conn, in);
        return;
    }
    if (in->payload.len == 0 && !(in->flags & SL_TCP_FIN) && conn->oow_us &&
        tcp->now_us - conn->oow_us < TCP_OOW_ACK_US)
        return;
    conn->oow_us = tcp->now_us;
    if (in->payload.len && tcp_seq_lt(in->seq, conn->rcv_nxt) &&
        tcp_has(conn, TCP_SACK_ON)) { // RFC 2883 section 4
        conn->dsack.start = in->seq;
        conn->dsack.end = tcp_seq_min(in->seq + in->payload.len, conn->rcv_nxt);
    }
    tcp_ack_now(tcp, conn, true);
}

// RFC 7323 section 5.3 R1, and 5.5: a timestamp of more than 24 days is no measure.
static bool paws_refuses(const struct sl_tcp_engine *tcp, const struct tcp_conn *conn,
                         const struct tcp_options *options)
{
    return tcp_seq_lt(options->tsval, conn->ts_recent) && tcp->now_us - conn->ts_recent_us < TCP_PAWS_AGE_US;
}

// Section 4.3 (2): the one that covers the byte acknowledged last; one that PAWS took although it is older begins anew.
static void remember_timestamp(const struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in,
                               const struct tcp_options *options)
{
    if (tcp_seq_le(in->seq, conn->rcv_wup) && !paws_refuses(tcp, conn, options)) {
        conn->ts_recent = options->tsval;
        conn->ts_recent_us = tcp->now_us;
    }
}

static enum verdict check_timestamps(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in,
                                     const struct tcp_options *options)
{
    if (!tcp_has(conn, TCP_TS_ON) || in->flags & SL_TCP_RST)
        return GO_ON;
    if (!(options->present &
          TCP_OPTION_TIMESTAMPS)) // section 3.2: SHOULD silently drop; peers that forget them exist
        return GO_ON;
    if (paws_refuses(tcp, conn, options)) {
        refused(tcp, conn, &tcp->counters.refused_paws, 1, in);
        answer_out_of_window(tcp, conn, in);
        return STOP;
    }
    return GO_ON;
}

static bool is_syn_again(const struct tcp_conn *conn, const struct sl_tcp_in *in)
{
    return conn->state == SL_TCP_SYN_RECEIVED && in->flags & SL_TCP_SYN && in->seq == conn->snd_wl1;
}

static enum verdict check_sequence(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in)
{
    if (is_syn_again(conn, in)) {
        if (in->flags & SL_TCP_ACK && in->ack == conn->snd_nxt)
            return GO_ON; // the other half of a simultaneous open
        if (tcp_has(conn, TCP_PASSIVE)) {
            conn->flags |= TCP_SYN_NOW;
            tcp_want_output(tcp, conn);
            return STOP;
        }
    }
    if (in_window(conn, in))
        return GO_ON;
    refused(tcp, conn, &tcp->counters.refused_sequence, 0, in);
    answer_out_of_window(tcp, conn, in);
    return STOP;
}

// ---- RST and SYN ------------------------------------------------------------------------------------------------
// RFC 5961 section 3.2: only the exact number ends a connection, another one in the window asks back.
static enum verdict check_reset(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in)
{
    int error = conn->state == SL_TCP_CLOSE_WAIT ? -EPIPE : -ECONNRESET;

    if (!(in->flags & SL_TCP_RST))
        return GO_ON;
    if (conn->state == SL_TCP_TIME_WAIT) // RFC 1337, where it comes in one burst with the FIN
        return STOP;
    if (in->seq != conn->rcv_nxt) {
        tcp_challenge(tcp, conn, in);
        return STOP;
    }
    tcp_trace_add(tcp, conn, TCP_TRACE_RESET, 0, 0);
    tcp->counters.reset_in++;
    if (conn->state == SL_TCP_SYN_RECEIVED && conn->fast_open)
        tcp_fast_open_reset(tcp, conn);
    else if (conn->state == SL_TCP_SYN_RECEIVED)
        error = -ECONNREFUSED;
    else if (conn->state == SL_TCP_CLOSING || conn->state == SL_TCP_LAST_ACK)
        error = conn->state == SL_TCP_LAST_ACK && !tcp_has(conn, TCP_ORPHAN) ? -EPIPE : 0;
    tcp_end(tcp, conn, error);
    return STOP;
}

// RFC 5961 section 4.2: whatever its number.
static enum verdict check_syn(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in)
{
    if (!(in->flags & SL_TCP_SYN) || is_syn_again(conn, in))
        return GO_ON;
    tcp_challenge(tcp, conn, in);
    return STOP;
}

// ---- ACK ----------------------------------------------------------------------------------------------------------
static enum verdict handshake_ack(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in)
{
    if (tcp_seq_le(in->ack, conn->snd_una) || tcp_seq_gt(in->ack, conn->snd_nxt)) {
        tcp_refuse(tcp, in); // fifth check, SYN-RECEIVED
        return STOP;
    }
    conn->snd_wnd = conn->max_window = (uint32_t)in->window
                                       << (in->flags & SL_TCP_SYN ? 0 : conn->snd_wscale);
    conn->snd_wl1 = in->seq;
    conn->snd_wl2 = in->ack;
    tcp_established(tcp, conn);
    return GO_ON;
}

static void fin_acknowledged(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    if (conn->state == SL_TCP_FIN_WAIT_1) {
        tcp_state_set(tcp, conn, SL_TCP_FIN_WAIT_2);
        tcp_slow_timer_arm(tcp, conn, tcp->now_us);
    } else if (conn->state == SL_TCP_CLOSING) {
        tcp_state_set(tcp, conn, SL_TCP_TIME_WAIT); // output.c moves it to where it waits
        tcp_want_output(tcp, conn);
    } else if (conn->state == SL_TCP_LAST_ACK) {
        tcp_end(tcp, conn, 0);
    }
}

static enum verdict check_ack(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in,
                              const struct tcp_options *options)
{
    bool fin_acked = false, first = conn->state == SL_TCP_SYN_RECEIVED;

    if (!(in->flags & SL_TCP_ACK))
        return STOP;
    if (first && handshake_ack(tcp, conn, in) == STOP)
        return STOP;
    if (!tcp_ack_input(tcp, conn, in, options, &fin_acked))
        return STOP;
    if (first && conn->fast_open)
        tcp_fast_open_established(tcp, conn);
    if (fin_acked)
        fin_acknowledged(tcp, conn);
    return conn->state == SL_TCP_CLOSED ? STOP : GO_ON;
}

// ---- text and FIN -------------------------------------------------------------------------------------------------
// The caller closed it: bytes that nobody will read are answered with a reset (RFC 9293 section 3.6.1, RFC 2525).
static bool nobody_reads(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in)
{
    if (!tcp_has(conn, TCP_ORPHAN) || in->payload.len == 0 ||
        tcp_seq_le(in->seq + in->payload.len, conn->rcv_nxt) || !tcp_receiving(conn))
        return false;
    tcp_send_reset(tcp, conn, tcp->now_us);
    tcp_end(tcp, conn, -ECONNRESET);
    return true;
}

static void note_ecn(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in)
{
    if (!tcp_has(conn, TCP_ECN_ON))
        return;
    if (in->flags & SL_TCP_CWR) {
        conn->flags &= ~(uint32_t)TCP_ECN_ECHO;
        if (in->payload.len) // his window may be down to this one segment: he must not wait for us
            tcp_ack_now(tcp, conn, false);
    }
    if (in->ecn == SL_ECN_CE && !tcp_has(conn, TCP_ECN_ECHO)) { // RFC 3168 section 6.1.3
        conn->flags |= TCP_ECN_ECHO;
        conn->quick_acks = 2;
        tcp_ack_now(tcp, conn, false);
    }
}

// Sixth check. Urgent data stays in line (RFC 6093); its reader is told where it ends, each time that this moves.
static void note_urgent(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in)
{
    uint32_t up = in->seq + in->urgent; // MUST-62: the first byte that is not urgent

    if (!(in->flags & SL_TCP_URG) || !tcp_receiving(conn) || tcp_seq_le(up, tcp_read_seq(conn)) ||
        (conn->urgent && tcp_seq_le(up, conn->rcv_up)))
        return;
    conn->rcv_up = up;
    conn->urgent = true;
    tcp_event_add(tcp, conn, SL_TCP_URGENT);
}

static void note_fin(struct tcp_conn *conn, const struct sl_tcp_in *in)
{
    if (in->flags & SL_TCP_FIN && tcp_receiving(conn)) { // the latest: one that lied must not hide the true one
        conn->flags |= TCP_FIN_AHEAD;
        conn->rx_fin = in->seq + in->payload.len;
    }
}

static bool text_and_fin(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in)
{
    bool kept = false;

    if (nobody_reads(tcp, conn, in))
        return false;
    note_ecn(tcp, conn, in);
    if (tcp_seq_le(in->seq + in->payload.len, conn->rcv_edge))
        note_fin(conn, in);
    if (in->payload.len && tcp_receiving(conn))
        kept = tcp_payload_input(tcp, conn, in);
    else if (in->flags & SL_TCP_FIN)
        tcp_ack_now(tcp, conn, in->seq != conn->rcv_nxt);
    if (tcp_has(conn, TCP_FIN_AHEAD) && conn->rx_fin == conn->rcv_nxt && !tcp_has(conn, TCP_FIN_RECEIVED))
        tcp_fin_input(tcp, conn);
    return kept;
}

// What rides on a SYN-ACK: its first byte stands behind the SYN.
static bool behind_syn(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in)
{
    struct sl_tcp_in rest = *in;

    rest.seq++;
    rest.flags &= (uint8_t)~SL_TCP_SYN;
    return in_window(conn, &rest) && text_and_fin(tcp, conn, &rest);
}

// ---- entry ----------------------------------------------------------------------------------------------------------
static bool conn_input(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in,
                       const struct tcp_options *options)
{
    conn->segments_in++;
    if (check_timestamps(tcp, conn, in, options) == STOP || check_sequence(tcp, conn, in) == STOP)
        return false;
    conn->heard_us = tcp->now_us;
    conn->probes = conn->rtx == TCP_RTX_PERSIST ? conn->probes : 0;
    if (check_reset(tcp, conn, in) == STOP || check_syn(tcp, conn, in) == STOP)
        return false;
    if (check_ack(tcp, conn, in, options) == STOP)
        return false;
    // Behind the ACK check (as Linux): a stranger who guessed no more than the window would else choose what PAWS refuses.
    if (tcp_has(conn, TCP_TS_ON) && options->present & TCP_OPTION_TIMESTAMPS)
        remember_timestamp(tcp, conn, in, options);
    if (in->flags & SL_TCP_SYN)
        return behind_syn(tcp, conn, in);
    note_urgent(tcp, conn, in);
    return text_and_fin(tcp, conn, in);
}

static bool syn_sent_input(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in,
                           const struct tcp_options *options)
{
    conn->segments_in++;
    tcp_syn_sent_input(tcp, conn, in, options);
    if (conn->state != SL_TCP_ESTABLISHED || (in->payload.len == 0 && !(in->flags & SL_TCP_FIN)))
        return false;
    return behind_syn(tcp, conn, in);
}

static bool no_conn_input(struct sl_tcp_engine *tcp, const struct sl_tcp_in *in, const struct tcp_options *options)
{
    struct tcp_listener *listener = tcp_listener_find(tcp, &in->dst, in->dport);
    struct tcp_conn *conn;

    if (!tcp_is_host(&in->dst) || !tcp_is_host(&in->src)) { // MUST-57, MUST-63: silently
        tcp->counters.no_connection++;
        return false;
    }
    if (listener == NULL) {
        tcp->counters.no_connection++;
        tcp_refuse(tcp, in);
        return false;
    }
    conn = in->flags & SL_TCP_ACK ? tcp_cookie_input(tcp, listener, in, options) : NULL;
    if (conn != NULL)
        return conn_input(tcp, conn, in, options);
    return tcp_listen_input(tcp, listener, in, options, 0);
}

static bool input_in(struct sl_tcp_engine *tcp, const struct sl_tcp_in *in, const struct tcp_tuple *tuple,
                     uint32_t bucket)
{
    struct tcp_options options;
    struct tcp_conn *conn;
    uint32_t name;

    tcp->counters.segments_in++;
    tcp_options_read(&options, in->options, in->options_len, in->flags & SL_TCP_SYN);
    name = tcp_table_find_in(tcp, bucket, tuple);
    if (name == TCP_NONE)
        return no_conn_input(tcp, in, &options);
    if (name & TCP_WAIT_BIT)
        return tcp_time_wait_input(tcp, name & ~TCP_WAIT_BIT, in, &options);
    conn = tcp_conn_at(tcp, name);
    if (tcp_has(conn, TCP_RESIDUE)) {
        tcp_residue_input(tcp, conn, in, &options);
        return false;
    }
    if (conn->state == SL_TCP_SYN_SENT)
        return syn_sent_input(tcp, conn, in, &options);
    return conn_input(tcp, conn, in, &options);
}

bool sl_tcp_input(struct sl_tcp_engine *tcp, const struct sl_tcp_in *in, uint64_t now_us)
{
    struct tcp_tuple tuple = {in->dst, in->src, in->dport, in->sport};

    tcp->now_us = now_us;
    return input_in(tcp, in, &tuple, tcp_table_bucket(tcp, &tuple));
}

// ---- a burst --------------------------------------------------------------------------------------------------------
// Memory answers after some 250 cycles, so it is asked for ahead, as far as a core has lines under way at once: all
// buckets first; then, AHEAD_CONN segments ahead, the connection; and AHEAD_FLIGHT ahead, where it has something in
// flight, which an acknowledgement will look at, the rest of it and the first record and item.
#define AHEAD_CONN   8u
#define AHEAD_FLIGHT 4u

static void ask_conn(const struct sl_tcp_engine *tcp, uint32_t bucket, bool sender)
{
    uint32_t name = tcp->buckets[bucket];

    if (name == TCP_NONE || name & TCP_WAIT_BIT)
        return;
    tcp_conn_prefetch(tcp_conn_at(tcp, name), sender);
    tcp_wheel_prefetch(&tcp->wheel, name);
}

static void ask_flight(const struct sl_tcp_engine *tcp, uint32_t bucket)
{
    uint32_t name = tcp->buckets[bucket];
    const struct tcp_conn *conn;

    if (name == TCP_NONE || name & TCP_WAIT_BIT)
        return;
    conn = tcp_conn_at(tcp, name);
    if (conn->sent_head == TCP_NONE)
        return;
    tcp_conn_prefetch(conn, true);
    __builtin_prefetch(tcp_record_at(tcp, conn->sent_head), 1);
    if (conn->tx_head != TCP_NONE)
        __builtin_prefetch(tcp_item_at(tcp, conn->tx_head), 1);
}

uint64_t sl_tcp_input_burst(struct sl_tcp_engine *tcp, const struct sl_tcp_in *in, unsigned n, uint64_t now_us)
{
    uint32_t bucket[SL_TCP_BURST_MAX];
    struct tcp_tuple tuple[SL_TCP_BURST_MAX];
    uint64_t kept = 0;

    tcp->now_us = now_us;
    for (unsigned i = 0; i < n; i++) {
        tuple[i] = (struct tcp_tuple){in[i].dst, in[i].src, in[i].dport, in[i].sport};
        bucket[i] = tcp_table_bucket(tcp, &tuple[i]);
        __builtin_prefetch(&tcp->buckets[bucket[i]]);
    }
    for (unsigned i = 0; i < n + AHEAD_CONN; i++) {
        if (i < n)
            ask_conn(tcp, bucket[i], in[i].payload.len == 0); // a mere acknowledgement is for who sends
        if (i >= AHEAD_CONN - AHEAD_FLIGHT && i < n + AHEAD_CONN - AHEAD_FLIGHT)
            ask_flight(tcp, bucket[i - (AHEAD_CONN - AHEAD_FLIGHT)]);
        if (i >= AHEAD_CONN)
            kept |= (uint64_t)input_in(tcp, &in[i - AHEAD_CONN], &tuple[i - AHEAD_CONN], bucket[i - AHEAD_CONN])
                    << (i - AHEAD_CONN);
    }
    return kept;
}
