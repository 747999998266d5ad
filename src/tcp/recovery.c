// SPDX-License-Identifier: Apache-2.0
// From a loss to its repair: which state the sender is in, what the window does meanwhile (PRR, RFC 6937), whether the
// loss was one at all (Eifel by timestamps RFC 3522, DSACK RFC 3708, F-RTO RFC 5682), and NewReno (RFC 6582) for peers
// without SACK.
//
//     OPEN ──loss──► RECOVERY ──all of it acknowledged──► OPEN
//       ├──ECN, probe──► CWR ──────────────────────────► OPEN
//       └──timeout──► LOSS ────────────────────────────► OPEN
#include "tcp/engine.h"

static uint32_t in_segments(const struct tcp_conn *conn, uint32_t bytes)
{
    return (bytes + conn->snd_mss - 1) / conn->snd_mss;
}

// ---- entering and leaving -------------------------------------------------------------------------------------
static void prr_begin(struct tcp_conn *conn, uint32_t flight)
{
    conn->prr_delivered = conn->prr_out = 0;
    conn->prr_prior = tcp_max_u32(flight, 1); // RecoverFS
    conn->high_seq = conn->snd_nxt;
}

// Repetitions of the recovery before this one may be on their way still: their echoes and duplicates are of no original.
static void undo_begin(struct tcp_conn *conn)
{
    conn->flags |= TCP_UNDO;
    conn->undo_una = conn->snd_una;
    conn->undo_retrans = conn->retrans ? (int32_t)in_segments(conn, conn->retrans) : -1; // -1: nothing repeated yet
    conn->retrans_ts = conn->retrans ? conn->retrans_ts : 0;
}

// What was in flight as the acknowledgement came, that which tells of the loss (RFC 5681 equation 4).
static uint32_t flight_before(const struct tcp_conn *conn, const struct tcp_ack_sample *sample)
{
    return conn->snd_nxt - sample->prior_una;
}

void tcp_enter_cwr(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct tcp_ack_sample *sample, bool ecn)
{
    uint32_t flight = flight_before(conn, sample);

    if (conn->recovery != TCP_OPEN)
        return;
    conn->cc.ops->congestion(&conn->cc, sample->now_us, flight, ecn);
    conn->flags &= ~(uint32_t)TCP_UNDO;
    if (tcp_has(conn, TCP_ECN_ON)) {
        conn->flags |= TCP_ECN_CWR;
        conn->ecn_seq = conn->snd_nxt;
    }
    conn->recovery = TCP_CWR;
    prr_begin(conn, flight);
    tcp_trace_add(tcp, conn, TCP_TRACE_RECOVERY, 2, 0);
}

static void enter_recovery(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct tcp_ack_sample *sample)
{
    uint32_t flight = flight_before(conn, sample);
    bool reduced = conn->recovery == TCP_CWR;

    if (!reduced) {
        conn->cc.ops->congestion(&conn->cc, sample->now_us, flight, false);
        prr_begin(conn, flight);
    }
    undo_begin(conn);
    conn->high_seq = conn->snd_nxt;
    conn->recovery = TCP_RECOVERY;
    conn->flags &= ~(uint32_t)TCP_TLP_OUT;
    if (tcp_has(conn, TCP_ECN_ON) && !reduced) {
        conn->flags |= TCP_ECN_CWR;
        conn->ecn_seq = conn->snd_nxt;
    }
    tcp->counters.recoveries++;
    tcp_trace_add(tcp, conn, TCP_TRACE_RECOVERY, !tcp_has(conn, TCP_SACK_ON), in_segments(conn, conn->lost));
}

static void leave(struct sl_tcp_engine *tcp, struct tcp_conn *conn, bool to_ssthresh)
{
    if (to_ssthresh && conn->cc.ssthresh != UINT32_MAX)
        conn->cc.cwnd = tcp_max_u32(conn->cc.ssthresh, conn->snd_mss);
    if (conn->recovery == TCP_RECOVERY)
        tcp_rack_recovered(conn);
    conn->recovery = TCP_OPEN;
    conn->dup_acks = 0;
    if (!tcp_has(conn, TCP_SACK_ON))
        conn->sacked = 0;
    conn->flags &= ~(uint32_t)TCP_FRTO;
    conn->recover_set = true;
    if (tcp_has(conn, TCP_SACK_ON))
        conn->high_seq = conn->snd_nxt; // for so long a DSACK may still tell that it was for nothing
    if (tcp_rated(conn))
        conn->cc.ops->recovered(&conn->cc, tcp->now_us);
    tcp_trace_add(tcp, conn, TCP_TRACE_RECOVERED, 0, in_segments(conn, conn->cc.cwnd));
}

// Segments that are lost for their size alone go again, without a word on congestion (RFC 4821 section 7.5, RFC 8201
// section 4): the window stays what it is.
void tcp_recovery_resize(struct tcp_conn *conn)
{
    if (conn->recovery > TCP_CWR)
        return;
    conn->recovery = TCP_LOSS;
    conn->high_seq = conn->snd_nxt;
    conn->dup_acks = 0;
    conn->flags &= ~(uint32_t)(TCP_UNDO | TCP_FRTO | TCP_TLP_OUT);
}

// ---- was it one? --------------------------------------------------------------------------------------------------
enum undo_cause { UNDO_DSACK, UNDO_TIMESTAMP, UNDO_FRTO };

// RFC 3522 section 3.2: the echo is older than the first repetition.
static bool echo_of_original(const struct tcp_conn *conn, const struct tcp_options *options)
{
    return conn->retrans_ts && tcp_has(conn, TCP_TS_ON) && options->present & TCP_OPTION_TIMESTAMPS &&
           options->tsecr && tcp_seq_lt(options->tsecr, conn->retrans_ts);
}

static void undo(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us, enum undo_cause cause)
{
    if (conn->recovery != TCP_LOSS) // it was late, not lost: RACK may be more patient from now on
        conn->flags |= TCP_REORDER_SEEN;
    conn->cc.ops->undo(&conn->cc, now_us);
    conn->flags &= ~(uint32_t)(TCP_UNDO | TCP_ECN_CWR | TCP_FRTO);
    conn->undo_una = conn->snd_una;
    tcp_records_found(tcp, conn);
    tcp->counters.undone++;
    tcp_trace_add(tcp, conn, TCP_TRACE_UNDO, (uint8_t)cause, in_segments(conn, conn->cc.cwnd));
    leave(tcp, conn, false);
}

static bool try_undo(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct tcp_options *options,
                     const struct tcp_ack_sample *sample)
{
    if (!tcp_has(conn, TCP_UNDO))
        return false;
    if (conn->undo_retrans == 0 && sample->dsack) {
        undo(tcp, conn, sample->now_us, UNDO_DSACK);
        return true;
    }
    if (sample->acked && conn->recovery != TCP_OPEN && echo_of_original(conn, options)) {
        undo(tcp, conn, sample->now_us, UNDO_TIMESTAMP);
        return true;
    }
    return false;
}

// ---- without SACK -----------------------------------------------------------------------------------------------
static bool is_duplicate(const struct tcp_conn *conn, const struct tcp_ack_sample *sample)
{
    return sample->same_ack && !sample->has_data && !sample->window_changed && conn->sent_head != TCP_NONE;
}

// Each duplicate ACK says that a segment has arrived: counted in `sacked`, so that the pipe shrinks and limited transmit
// (RFC 3042) comes about by itself.
static void count_duplicate(struct tcp_conn *conn)
{
    uint32_t flight = conn->snd_nxt - conn->snd_una;

    if (conn->dup_acks < UINT8_MAX)
        conn->dup_acks++;
    conn->sacked = tcp_min_u32(conn->sacked + conn->snd_mss, flight - tcp_min_u32(flight, conn->lost));
}

static void forget_duplicates(struct tcp_conn *conn, const struct tcp_ack_sample *sample)
{
    uint32_t flight = conn->snd_nxt - conn->snd_una;
    uint32_t arrived =
        sample->acked > conn->snd_mss ? sample->acked - conn->snd_mss : 0; // one filled the hole

    conn->sacked -= tcp_min_u32(conn->sacked, arrived);
    if (conn->recovery == TCP_OPEN)
        conn->sacked = 0;
    conn->sacked = tcp_min_u32(conn->sacked, flight - tcp_min_u32(flight, conn->lost));
    conn->dup_acks = 0;
}

static void lose_head(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    struct tcp_record *head;
    uint32_t flight = conn->snd_nxt - conn->snd_una;

    if (conn->sent_head == TCP_NONE)
        return;
    head = tcp_record_at(tcp, conn->sent_head);
    if (!(head->flags & TCP_SENT_LOST))
        tcp_record_lose(tcp, conn, head);
    conn->sacked = tcp_min_u32(conn->sacked, flight - tcp_min_u32(flight, conn->lost));
}

static void without_sack(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct tcp_ack_sample *sample)
{
    if (is_duplicate(conn, sample))
        count_duplicate(conn);
    else if (sample->acked)
        forget_duplicates(conn, sample);
    if (conn->recovery <= TCP_CWR && conn->dup_acks >= 3 && !conn->lost &&
        !(conn->recover_set && conn->snd_una == conn->high_seq))
        lose_head(
            tcp,
            conn); // duplicates of the last recovery's end are its own echoes: RFC 6582 section 3.2 step 1
    if (conn->recovery == TCP_RECOVERY && sample->acked && tcp_seq_lt(conn->snd_una, conn->high_seq))
        lose_head(tcp, conn); // a partial acknowledgement: RFC 6582 section 3.2 step 3
}

// ---- what is lost -----------------------------------------------------------------------------------------------
static void detect(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct tcp_ack_sample *sample)
{
    uint64_t wait_until;

    if (!tcp_has(conn, TCP_SACK_ON)) {
        without_sack(tcp, conn, sample);
        return;
    }
    wait_until = tcp_rack_detect(tcp, conn, sample->now_us);
    if (wait_until) {
        conn->rtx = TCP_RTX_REORDER;
        conn->rtx_us = tcp_min_u64(wait_until, sample->now_us + conn->rto_us); // as long as that at most
        tcp_arm(tcp, conn);
    } else if (conn->rtx == TCP_RTX_REORDER) {
        conn->rtx = TCP_RTX_NONE;
        conn->rtx_us = TCP_NEVER;
    }
}

// RFC 6937 section 3, with the slow-start bound where the acknowledgement is a good one (RFC 9937).
static void prr(struct tcp_conn *conn, uint32_t delivered, const struct tcp_ack_sample *sample)
{
    uint32_t pipe = tcp_pipe(conn), ssthresh = conn->cc.ssthresh, send = 0;

    conn->prr_delivered += delivered;
    if (pipe > ssthresh) {
        uint64_t share = ((uint64_t)ssthresh * conn->prr_delivered + conn->prr_prior - 1) / conn->prr_prior;

        send = share > conn->prr_out ? (uint32_t)share - conn->prr_out : 0;
    } else {
        uint32_t more = conn->prr_delivered > conn->prr_out ? conn->prr_delivered - conn->prr_out : 0;

        send = tcp_max_u32(more, delivered);
        if (sample->acked && conn->lost_total == sample->prior_lost)
            send += conn->snd_mss;
        send = tcp_min_u32(send, ssthresh - pipe);
    }
    if (conn->prr_out == 0 || (!tcp_has(conn, TCP_SACK_ON) && sample->acked))
        send = tcp_max_u32(
            send, conn->snd_mss); // the first repetition goes at once, and what a partial ACK asks for
    conn->cc.cwnd = tcp_max_u32(pipe + send, conn->snd_mss);
}

// ---- the states ---------------------------------------------------------------------------------------------------
// RFC 5682 section 3.1: after a timeout, new data first; what then arrives of the old tells that it was not lost. What
// arrives before the first repetition is acknowledged tells nothing (Linux takes it for enough): what stood behind a hole
// was late, or was acknowledged along with what filled it.
static bool loss_frto(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct tcp_ack_sample *sample)
{
    bool third_step = sample->prior_una != conn->frto_una;

    if (!tcp_has(conn, TCP_FRTO))
        return false;
    if (third_step && sample->original && (sample->acked || sample->sacked)) {
        undo(tcp, conn, sample->now_us, UNDO_FRTO); // step 3b
        return true;
    }
    if (tcp_seq_gt(conn->snd_nxt, conn->high_seq)) {
        if (sample->sacked || !sample->acked)
            conn->flags &= ~(uint32_t)TCP_FRTO; // step 3a: it was lost
    } else if (sample->acked &&
               tcp_seq_lt(conn->snd_una, conn->high_seq)) { // step 2b: new data, where there is some
        if (tcp_unsent(conn) == 0 || tcp_seq_le(conn->snd_una + conn->snd_wnd, conn->snd_nxt))
            conn->flags &= ~(uint32_t)TCP_FRTO;
        else
            conn->high_seq = conn->snd_nxt;
    } else if (!third_step && !tcp_has(conn, TCP_SACK_ON) && is_duplicate(conn, sample)) {
        conn->flags &= ~(uint32_t)TCP_FRTO; // section 2.1 step 2a
    }
    return false;
}

static bool recovered(const struct tcp_conn *conn)
{
    if (tcp_has(conn, TCP_SACK_ON) || conn->sent_head == TCP_NONE)
        return tcp_seq_ge(conn->snd_una, conn->high_seq);
    return tcp_seq_gt(conn->snd_una,
                      conn->high_seq); // RFC 6582: a duplicate of the end must not begin another
}

static void loss_ack(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct tcp_options *options,
                     const struct tcp_ack_sample *sample)
{
    if (loss_frto(tcp, conn, sample) || try_undo(tcp, conn, options, sample))
        return;
    if (recovered(conn)) {
        leave(tcp, conn, false);
        return;
    }
    detect(tcp, conn, sample);
}

void tcp_recovery_ack(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct tcp_options *options,
                      struct tcp_ack_sample *sample)
{
    uint32_t delivered;

    if (tcp_has(conn, TCP_SACK_ON))
        tcp_rack_dsack(conn, sample);
    if (conn->recovery == TCP_LOSS) {
        loss_ack(tcp, conn, options, sample);
        return;
    }
    if (conn->recovery != TCP_CWR && try_undo(tcp, conn, options, sample))
        return;
    if (conn->recovery == TCP_OPEN && tcp_seq_ge(conn->snd_una, conn->high_seq))
        conn->flags &= ~(uint32_t)TCP_UNDO;
    if (conn->recovery != TCP_OPEN && recovered(conn))
        leave(tcp, conn, true);
    detect(tcp, conn, sample);
    if (conn->lost && conn->recovery <= TCP_CWR) {
        if (conn->lost == conn->mtu_probe_lost)
            tcp_recovery_resize(conn);
        else
            enter_recovery(tcp, conn, sample);
    }
    conn->mtu_probe_lost = 0;
    if (conn->recovery == TCP_OPEN || conn->recovery == TCP_LOSS || tcp_rated(conn))
        return;
    delivered = conn->snd_una + conn->sacked - sample->prior_una - sample->prior_sacked;
    if ((int32_t)delivered < 0)
        delivered = 0;
    prr(conn, delivered, sample);
}

// RFC 6298 section 5, RFC 5681 section 3.1: all is taken for lost but what was sent within a round trip; a peer that
// SACKed the very first segment and still did not acknowledge it has thrown away what it had (RFC 2018 section 8).
void tcp_recovery_timeout(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us)
{
    bool fresh = conn->recovery <= TCP_CWR;
    struct tcp_record *head = tcp_record_at(tcp, conn->sent_head);

    if (fresh || tcp_seq_ge(conn->snd_una, conn->high_seq) ||
        (conn->recovery == TCP_LOSS && conn->timeouts == 0)) {
        conn->cc.ops->timeout(&conn->cc, now_us, conn->snd_nxt - conn->snd_una);
        undo_begin(conn);
    }
    if (!tcp_has(conn, TCP_SACK_ON))
        conn->sacked = 0;
    else if (head->flags & TCP_SENT_SACKED)
        tcp_records_unsack(tcp, conn);
    for (uint32_t i = conn->sent_head; i != TCP_NONE; i = tcp_record_at(tcp, i)->next)
        if (i == conn->sent_head || !tcp_has(conn, TCP_SACK_ON) ||
            tcp_rack_timed_out(conn, tcp_record_at(tcp, i), now_us)) // RFC 8985 section 6.3
            tcp_record_lose(tcp, conn, tcp_record_at(tcp, i));
    conn->cc.cwnd = tcp_pipe(conn) + conn->snd_mss;
    conn->recovery = TCP_LOSS;
    conn->high_seq = conn->snd_nxt;
    conn->dup_acks = 0;
    conn->flags &= ~(uint32_t)(TCP_TLP_OUT | TCP_FRTO | TCP_PROBE_NOW);
    if (fresh || conn->timeouts)
        conn->flags |= TCP_FRTO;
    conn->frto_una = conn->snd_una;
    if (tcp_has(conn, TCP_ECN_ON))
        conn->flags |= TCP_ECN_CWR; // RFC 3168 section 6.1.2: whatever the reduction's cause
    conn->ecn_seq = conn->snd_nxt;
}
