// SPDX-License-Identifier: Apache-2.0
// A connection leaves its engine (join.h): what defines it is saved, what the peer has not acknowledged stays behind
// as a residue. A residue is the connection itself, on the same scoreboard, timers and window; what it may not do is
// in the places that would do it (TCP_RESIDUE): acknowledge, receive, reset.
#include <errno.h>
#include "tcp/engine.h"
#include "tcp/join.h"

// ---- leaving ----------------------------------------------------------------------------------------------------
static int may_leave(const struct tcp_conn *conn)
{
    if (!tcp_synchronized(conn))
        return -ENOTCONN;
    if (tcp_has(conn, TCP_RESIDUE))
        return -EALREADY;
    if (conn->rx_unread)
        return -EAGAIN;
    if (conn->rx_ranges != TCP_NONE || (tcp_has(conn, TCP_FIN_AHEAD) && !tcp_has(conn, TCP_FIN_RECEIVED)))
        return -EBUSY;
    if (tcp_has(conn, TCP_ORPHAN) || (tcp_has(conn, TCP_FIN_QUEUED) && conn->state != SL_TCP_FIN_WAIT_2))
        return -EINPROGRESS;
    return 0;
}

static uint16_t agreed(const struct tcp_conn *conn)
{
    return (uint16_t)((tcp_has(conn, TCP_TS_ON) ? SL_TCP_SAVED_TIMESTAMPS : 0) |
                      (tcp_has(conn, TCP_SACK_ON) ? SL_TCP_SAVED_SACK : 0) |
                      (tcp_has(conn, TCP_WSCALE_ON) ? SL_TCP_SAVED_WSCALE : 0) |
                      (tcp_has(conn, TCP_ECN_ON) ? SL_TCP_SAVED_ECN : 0) |
                      (tcp_has(conn, TCP_FIN_RECEIVED) ? SL_TCP_SAVED_FIN_RECEIVED : 0) |
                      (tcp_has(conn, TCP_FIN_SENT) ? SL_TCP_SAVED_FIN_SENT : 0) |
                      (conn->urgent ? SL_TCP_SAVED_URGENT : 0) |
                      (tcp_has(conn, TCP_PASSIVE) ? SL_TCP_SAVED_PASSIVE : 0));
}

static void save(const struct tcp_conn *conn, struct sl_tcp_saved *saved, uint64_t now_us)
{
    *saved = (struct sl_tcp_saved){
        .local = conn->tuple.local,
        .remote = conn->tuple.remote,
        .local_port = conn->tuple.local_port,
        .remote_port = conn->tuple.remote_port,
        .version = SL_TCP_SAVED_VERSION,
        .state = conn->state,
        .flags = agreed(conn),
        .snd_una = conn->snd_una,
        .snd_nxt = conn->snd_end + (tcp_has(conn, TCP_FIN_SENT) ? 1 : 0),
        .snd_wnd = conn->snd_wnd,
        .snd_wl1 = conn->snd_wl1,
        .snd_wl2 = conn->snd_wl2,
        .max_window = conn->max_window,
        .iss = conn->iss,
        .rcv_nxt = conn->rcv_nxt,
        .rcv_wup = conn->rcv_wup,
        .rcv_edge = conn->rcv_edge,
        .rcv_up = conn->rcv_up,
        .rcv_limit = conn->rx_limit,
        .ts_recent = conn->ts_recent,
        .tsval = tcp_ts_now(conn, now_us),
        .ts_recent_us = conn->ts_recent_us,
        .saved_us = now_us,
        .srtt_us = conn->srtt_us,
        .rttvar_us = conn->rttvar_us,
        .min_rtt_us = conn->min_rtt_us,
        .cwnd = conn->cc.cwnd,
        .ssthresh = conn->cc.ssthresh,
        .peer_mss = conn->peer_mss,
        .told_mss = tcp_offered_mss(tcp_is_v4(conn), conn->options),
        .path_mtu = conn->path_mtu,
        .rcv_mss = conn->rcv_mss,
        .snd_wscale = conn->snd_wscale,
        .rcv_wscale = conn->rcv_wscale,
    };
}

static void become_residue(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_saved *saved)
{
    conn->flags &=
        ~(uint32_t)(TCP_ACK_NOW | TCP_ACK_DELAYED | TCP_DUP_ACK | TCP_KEEPALIVE_NOW | TCP_WANT_WRITE);
    conn->flags |= TCP_RESIDUE;
    conn->events = 0;
    conn->listener = TCP_NONE;
    conn->ts_held = saved->tsval;
    conn->retrans_ts = 0; // no echo will tell the first sending from the second: the clock stands
    conn->left_us = tcp->now_us;
    conn->delack_us = conn->slow_us = conn->write_us = TCP_NEVER;
    tcp_want_output(tcp, conn);
}

int sl_tcp_detach(struct sl_tcp_conn *handle, struct sl_tcp_saved *saved, uint64_t now_us)
{
    struct tcp_conn *conn = (struct tcp_conn *)handle;
    struct sl_tcp_engine *tcp = conn->engine;
    int error = may_leave(conn);

    if (error)
        return error;
    tcp->now_us = now_us;
    save(conn, saved, now_us);
    tcp_trace_add(tcp, conn, TCP_TRACE_DETACH, 0, conn->snd_end - conn->snd_una);
    if (conn->tx_head != TCP_NONE) {
        become_residue(tcp, conn, saved);
        return 1;
    }
    conn->flags |= TCP_ORPHAN; // nobody is to be told
    tcp_end(tcp, conn, 0);
    return 0;
}

// ---- the residue ------------------------------------------------------------------------------------------------
void sl_tcp_follow(struct sl_tcp_conn *handle, const struct sl_tcp_saved *saved)
{
    struct tcp_conn *conn = (struct tcp_conn *)handle;

    if (!tcp_has(conn, TCP_RESIDUE) || conn->state == SL_TCP_CLOSED)
        return;
    conn->rcv_nxt = conn->rcv_wup = tcp_seq_max(conn->rcv_nxt, saved->rcv_nxt);
    conn->rcv_edge = tcp_seq_max(tcp_seq_max(conn->rcv_edge, saved->rcv_edge), conn->rcv_nxt);
    conn->ts_recent = saved->ts_recent;
    conn->ts_held = saved->tsval;
}

// What is behind the residue's end is not its own, but says something: it was sent after all that is here, and arrived
// before (RFC 8985 section 6.2 step 2).
static void passed_by(struct tcp_conn *conn)
{
    if (conn->rack_sent_us >= conn->left_us)
        return;
    conn->rack_sent_us = conn->left_us;
    conn->rack_end = conn->snd_nxt + 1;
    if (conn->rack_rtt_us == 0)
        conn->rack_rtt_us = conn->srtt_us;
}

// Blocks as far as they are of what the residue has sent; true where some told of more.
static bool clip_sacks(const struct tcp_conn *conn, struct tcp_options *options)
{
    unsigned kept = 0;
    bool more = false;

    for (unsigned i = 0; i < options->n_sacks; i++) {
        struct tcp_sack block = options->sacks[i];

        more |= tcp_seq_gt(block.end, conn->snd_nxt);
        if (tcp_seq_ge(block.start, conn->snd_nxt))
            continue;
        block.end = tcp_seq_min(block.end, conn->snd_nxt);
        options->sacks[kept++] = block;
    }
    options->n_sacks = (uint8_t)kept;
    return more;
}

// Whoever watches what passes has looked closer; acknowledgements may stand a little before the window (splice.c).
#define OLD_MOST (1u << 20)

static bool in_window(const struct tcp_conn *conn, const struct sl_tcp_in *in)
{
    uint32_t end = in->seq + in->payload.len + (in->payload.len ? 0 : OLD_MOST);

    return tcp_seq_le(in->seq, conn->rcv_edge) && tcp_seq_ge(end, conn->rcv_nxt);
}

// Only what the segment acknowledges is heeded. An acknowledgement beyond the residue's end is of what passed behind
// it, which nothing can have done while some of it was never sent.
void tcp_residue_input(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in,
                       const struct tcp_options *options)
{
    struct sl_tcp_in ack = *in;
    struct tcp_options own = *options;
    bool fin_acked = false;

    conn->segments_in++;
    if (!in_window(conn, in) || in->flags & SL_TCP_SYN)
        return;
    if (in->flags & SL_TCP_RST) {
        if (in->seq != conn->rcv_nxt) // RFC 5961 section 3.2
            return;
        tcp->counters.reset_in++;
        tcp_end(tcp, conn, -ECONNRESET);
        return;
    }
    if (in->flags & SL_TCP_CWR) // the peer has slowed down: our repetitions need not ask again (RFC 3168 section 6.1.3)
        conn->flags &= ~(uint32_t)TCP_ECN_ECHO;
    if (!(in->flags & SL_TCP_ACK) || (tcp_seq_gt(in->ack, conn->snd_nxt) && tcp_unsent(conn)))
        return;
    ack.ack = tcp_seq_min(in->ack, conn->snd_nxt);
    own.present &= (uint8_t)~TCP_OPTION_TIMESTAMPS; // echoes of another's clock
    if (tcp_has(conn, TCP_SACK_ON) && clip_sacks(conn, &own) && conn->snd_nxt != ack.ack)
        passed_by(conn);
    tcp_ack_input(tcp, conn, &ack, &own, &fin_acked);
    if (conn->tx_head == TCP_NONE)
        tcp_end(tcp, conn, 0);
}

void sl_tcp_residue_input(struct sl_tcp_conn *handle, const struct sl_tcp_in *in, uint64_t now_us)
{
    struct tcp_conn *conn = (struct tcp_conn *)handle;
    struct tcp_options options;

    if (!tcp_has(conn, TCP_RESIDUE) || conn->state == SL_TCP_CLOSED) // over, and not yet told
        return;
    conn->engine->now_us = now_us;
    conn->engine->counters.segments_in++;
    tcp_options_read(&options, in->options, in->options_len, in->flags & SL_TCP_SYN);
    tcp_residue_input(conn->engine, conn, in, &options);
}
