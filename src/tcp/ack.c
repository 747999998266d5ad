// SPDX-License-Identifier: Apache-2.0
// What an acknowledgement brings (RFC 9293 section 3.10.7.4, fifth check; RFC 5681): the peer's window, bytes that need
// not be kept, a round trip, and the word for recovery.c on what is lost.
#include "tcp/engine.h"

// RFC 5961 section 5.2: older than the largest window ever told is no ACK of this connection's. One that is ahead of
// what was sent is answered (RFC 9293).
static bool acceptable(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in)
{
    if (tcp_seq_gt(in->ack, conn->snd_nxt)) {
        tcp->counters.refused_ack++;
        tcp_challenge(tcp, conn, in); // within the budget, or a stranger could make us speak without end
        return false;
    }
    if (tcp_seq_lt(in->ack, conn->snd_una - conn->max_window)) {
        tcp->counters.refused_ack++;
        tcp_challenge(tcp, conn, in);
        return false;
    }
    return true;
}

static void window_opened(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t before)
{
    if (before == 0 && conn->snd_wnd != 0)
        tcp_trace_add(tcp, conn, TCP_TRACE_OPEN_WINDOW, 0, conn->snd_wnd >> 10);
    else if (before != 0 && conn->snd_wnd == 0)
        tcp_trace_add(tcp, conn, TCP_TRACE_ZERO_WINDOW, 0, 0);
    if (conn->rtx != TCP_RTX_PERSIST)
        return;
    conn->backoff = 0;
    conn->probes = 0;
    if (conn->snd_wnd >= tcp_min_u32(conn->snd_mss, tcp_unsent(conn))) {
        conn->rtx = TCP_RTX_NONE;
        conn->rtx_us = TCP_NEVER;
        conn->stalled_us = 0;
        return;
    }
    // Too little to be worth sending: the timer that overrides that is a short one (section 3.8.6.2.1).
    conn->rtx_us = tcp_min_u64(conn->rtx_us, tcp->now_us + tcp_rto_backed_off(conn));
    tcp_arm(tcp, conn);
}

// True: the window has changed. The newest segment tells it: by its number, then by what it acknowledges (RFC 9293
// section 3.10.7.4).
static bool update_window(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in)
{
    uint32_t window = (uint32_t)in->window << (in->flags & SL_TCP_SYN ? 0 : conn->snd_wscale),
             before = conn->snd_wnd;

    if (tcp_seq_lt(in->ack, conn->snd_una))
        return false;
    if (!tcp_seq_gt(in->ack, conn->snd_una) && !tcp_seq_gt(in->seq, conn->snd_wl1) &&
        !(in->seq == conn->snd_wl1 && (window > conn->snd_wnd || tcp_seq_ge(in->ack, conn->snd_wl2))))
        return false;
    conn->snd_wl1 = in->seq;
    conn->snd_wl2 = in->ack;
    if (window == before) {
        if (conn->rtx == TCP_RTX_PERSIST && in->ack == conn->snd_una)
            conn->probes = 0; // answered: he is alive (RFC 9293 MUST-37); a user timeout goes on counting
        return false;
    }
    conn->snd_wnd = window;
    conn->max_window = tcp_max_u32(conn->max_window, window);
    window_opened(tcp, conn, before);
    tcp_want_output(tcp, conn);
    return true;
}

// ---- what was sent -------------------------------------------------------------------------------------------
static void release_acked(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t ack)
{
    while (conn->tx_head != TCP_NONE) {
        union tcp_item *item = tcp_item_at(tcp, conn->tx_head);
        uint32_t index = conn->tx_head;

        if (tcp_seq_gt(item->seq + item->len, ack))
            return;
        conn->tx_head = item->next;
        if (conn->tx_head == TCP_NONE)
            conn->tx_tail = TCP_NONE;
        conn->tx_charge -= item->charge;
        tcp->tx_charge -= item->charge;
        tcp_release(tcp, item->owner);
        tcp_pool_put(&tcp->items, index);
    }
}

static void tell_writable(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    if (!tcp_has(conn, TCP_WANT_WRITE) || conn->tx_charge > conn->options->tx_bytes / 2)
        return;
    conn->flags &= ~(uint32_t)TCP_WANT_WRITE;
    tcp_event_add(tcp, conn, SL_TCP_WRITABLE);
}

static void advance(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t ack, struct tcp_ack_sample *sample)
{
    tcp_scoreboard_ack(tcp, conn, ack, sample);
    sample->acked = ack - conn->snd_una;
    conn->snd_una = ack;
    conn->bytes_acked += sample->acked;
    conn->timeouts = 0;
    conn->black_hole = 0;
    if (tcp_has(conn, TCP_URG_QUEUED) && tcp_seq_ge(ack, conn->snd_up)) // 2 GB on it would seem to be ahead again
        conn->flags &= ~(uint32_t)TCP_URG_QUEUED;
    conn->error = 0; // what ICMP said of the way was not so, or is no longer
    conn->stalled_us = conn->sent_head == TCP_NONE ? 0 : sample->now_us;
    release_acked(tcp, conn, ack);
    tell_writable(tcp, conn);
}

// ---- round trip ---------------------------------------------------------------------------------------------------
// A segment sent once, else the echo of its timestamp, which tells which of several sendings it was (RFC 7323 section 4.1).
static uint64_t round_trip(const struct sl_tcp_engine *tcp, const struct tcp_conn *conn,
                           const struct tcp_options *options, const struct tcp_ack_sample *sample)
{
    if (sample->rtt_us && !sample->repeated_ack)
        return sample->rtt_us;
    if (sample->sack_rtt_us)
        return sample->sack_rtt_us;
    if (sample->acked && tcp_has(conn, TCP_TS_ON) && options->present & TCP_OPTION_TIMESTAMPS &&
        options->tsecr) {
        uint32_t ms = tcp_ts_now(conn, tcp->now_us) - options->tsecr;

        return ms < 120000 ? (ms ? ms : 1) * TCP_MS : 0;
    }
    return 0;
}

static void note_ecn_echo(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in,
                          struct tcp_ack_sample *sample)
{
    if (!tcp_has(conn, TCP_ECN_ON) || !(in->flags & SL_TCP_ECE) || in->flags & SL_TCP_SYN)
        return;
    sample->ecn_echo = true;
    if (conn->recovery == TCP_OPEN && // once a window (RFC 3168 section 6.1.2)
        (tcp_seq_ge(in->ack, conn->ecn_seq) || tcp_seq_gt(conn->ecn_seq, conn->snd_nxt))) {
        conn->ecn_seq = conn->snd_nxt;
        conn->flags |= TCP_ECN_CWR;
        tcp->counters.ecn_reductions++;
        tcp_enter_cwr(tcp, conn, sample, true);
    }
}

// What an acknowledgement counts for where something was lost: what it delivered itself. The one that ends a recovery
// covers what PRR paid for; one after a timeout what had arrived before it, and without SACK nobody knows how much of it
// did (RFC 3465 section 2.3: one segment).
static uint32_t counted(const struct tcp_conn *conn, const struct tcp_ack_sample *sample, uint8_t before)
{
    uint32_t delivered = conn->snd_una + conn->sacked - sample->prior_una - sample->prior_sacked;

    if (before == TCP_OPEN)
        return sample->acked;
    if (before == TCP_LOSS && !tcp_has(conn, TCP_SACK_ON))
        delivered = conn->snd_mss;
    return tcp_min_u32(delivered, sample->acked);
}

static void grow(struct tcp_conn *conn, const struct tcp_ack_sample *sample, uint8_t before)
{
    struct tcp_cc_ack ack = {
        .now_us = sample->now_us,
        .acked = counted(conn, sample, before),
        .in_flight = sample->prior_pipe,
        .rtt_us = (uint32_t)(sample->rtt_us && !sample->repeated_ack ? sample->rtt_us : sample->sack_rtt_us),
        .srtt_us = conn->srtt_us,
        .min_rtt_us = conn->min_rtt_us,
        .snd_una = conn->snd_una,
        .snd_nxt = conn->snd_nxt,
        .cwnd_limited = tcp_has(conn, TCP_CWND_LIMITED) ||
                        (conn->cc.cwnd < conn->cc.ssthresh && conn->flight_most > conn->cc.cwnd / 2)};

    if (sample->acked == 0 || (conn->recovery != TCP_OPEN && conn->recovery != TCP_LOSS))
        return;
    conn->cc.ops->acked(&conn->cc, &ack);
}

// Nothing to do but the window: the commonest case for who only receives.
static bool brings_nothing(const struct tcp_conn *conn, const struct sl_tcp_in *in,
                           const struct tcp_options *options)
{
    return in->ack == conn->snd_una && conn->sent_head == TCP_NONE && !tcp_has(conn, TCP_TLP_OUT) &&
           !(options->present & TCP_OPTION_SACK);
}

static void rearm(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct tcp_ack_sample *sample)
{
    bool in_flight = conn->sent_head != TCP_NONE;

    if ((conn->rtx == TCP_RTX_REORDER && in_flight) || (conn->rtx == TCP_RTX_PERSIST && !in_flight))
        return;
    if (sample->acked || sample->sacked || conn->rtx == TCP_RTX_NONE)
        tcp_rtx_arm(tcp, conn, sample->now_us);
}

static void sample_begin(struct tcp_ack_sample *sample, const struct sl_tcp_engine *tcp, const struct tcp_conn *conn,
                         const struct sl_tcp_in *in, const struct tcp_options *options)
{
    *sample = (struct tcp_ack_sample){.now_us = tcp->now_us,
                                      .prior_pipe = tcp_pipe(conn),
                                      .prior_una = conn->snd_una,
                                      .prior_lost = conn->lost_total,
                                      .prior_sacked = conn->sacked,
                                      .prior_fack = conn->fack,
                                      .same_ack = in->ack == conn->snd_una,
                                      .timestamped = tcp_has(conn, TCP_TS_ON) &&
                                                     options->present & TCP_OPTION_TIMESTAMPS && options->tsecr,
                                      .tsecr = options->tsecr,
                                      .has_data = in->payload.len != 0};
}

bool tcp_ack_input(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in,
                   const struct tcp_options *options, bool *fin_acked)
{
    struct tcp_ack_sample sample;
    bool window_changed, rated = tcp_rated(conn);
    uint8_t before = conn->recovery;
    uint64_t rtt;

    if (!acceptable(tcp, conn, in))
        return false;
    window_changed = update_window(tcp, conn, in);
    if (brings_nothing(conn, in, options))
        return true;
    sample_begin(&sample, tcp, conn, in, options);
    sample.window_changed = window_changed;
    if (rated)
        tcp_rate_begin(conn, sample.now_us);
    if (tcp_has(conn, TCP_SACK_ON) && options->present & TCP_OPTION_SACK)
        tcp_scoreboard_sack(tcp, conn, options, in->ack, &sample);
    if (tcp_seq_gt(in->ack, conn->snd_una)) {
        *fin_acked = tcp_has(conn, TCP_FIN_SENT) && in->ack == conn->snd_end + 1;
        advance(tcp, conn, in->ack, &sample);
    }
    rtt = round_trip(tcp, conn, options, &sample);
    if (rtt) {
        tcp_rtt_sample(conn, rtt, sample.now_us);
        conn->backoff = conn->rtx == TCP_RTX_PERSIST ? conn->backoff : 0; // RFC 6298 section 5.7
    }
    if (rated && tcp_has(conn, TCP_SACK_ON))
        tcp_rate_count(conn, &sample);
    note_ecn_echo(tcp, conn, in, &sample);
    tcp_tlp_ack(tcp, conn, in->ack, &sample);
    tcp_recovery_ack(tcp, conn, options, &sample);
    if (tcp_has(conn, TCP_MTU_PROBE_OUT))
        tcp_mtu_probe_ack(tcp, conn);
    if (rated)
        tcp_rate_ack(conn, &sample);
    else
        grow(conn, &sample, before);
    tcp_pace_rate(conn);
    rearm(tcp, conn, &sample);
    tcp_want_output(tcp, conn);
    return true;
}
