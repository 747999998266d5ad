// SPDX-License-Identifier: Apache-2.0
// Round trips, the retransmission timeout (RFC 6298) and the one timer that runs while something is in flight: a tail
// loss probe (rack.c) or the timeout.
#include "tcp/engine.h"

// RFC 6298 section 2; the variance's share is at least 200 ms, as in Linux: a timeout right behind a steady round trip
// would fire at every delayed acknowledgement.
void tcp_rtt_sample(struct tcp_conn *conn, uint64_t rtt_us, uint64_t now_us)
{
    uint32_t rtt = rtt_us > TCP_RTO_MAX_US ? (uint32_t)TCP_RTO_MAX_US : rtt_us ? (uint32_t)rtt_us : 1;

    if (conn->srtt_us == 0) {
        conn->srtt_us = rtt;
        conn->rttvar_us = rtt / 2;
    } else {
        uint32_t error = rtt > conn->srtt_us ? rtt - conn->srtt_us : conn->srtt_us - rtt;

        conn->rttvar_us = conn->rttvar_us - conn->rttvar_us / 4 + error / 4;
        conn->srtt_us = conn->srtt_us - conn->srtt_us / 8 + rtt / 8;
        if (conn->srtt_us == 0)
            conn->srtt_us = 1;
    }
    if (conn->min_rtt_us == 0 || rtt <= conn->min_rtt_us || now_us - conn->min_rtt_at_us > TCP_MIN_RTT_US) {
        conn->min_rtt_us = rtt;
        conn->min_rtt_at_us = now_us;
    }
    uint64_t rto =
        conn->srtt_us + (4ull * conn->rttvar_us > TCP_RTO_MIN_US ? 4ull * conn->rttvar_us : TCP_RTO_MIN_US);
    conn->rto_us = (uint32_t)tcp_min_u64(rto, TCP_RTO_MAX_US);
}

uint64_t tcp_rto_backed_off(const struct tcp_conn *conn)
{
    return conn->backoff >= 20 ? TCP_RTO_MAX_US
                               : tcp_min_u64((uint64_t)conn->rto_us << conn->backoff, TCP_RTO_MAX_US);
}

// Counts from when the oldest segment was sent, so that acknowledgements which trickle in do not put it off for ever.
void tcp_rtx_arm(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us)
{
    uint64_t from;

    if (conn->sent_head == TCP_NONE) {
        if (conn->rtx != TCP_RTX_PERSIST) {
            conn->rtx = TCP_RTX_NONE;
            conn->rtx_us = TCP_NEVER;
        }
        return;
    }
    if (conn->rtx != TCP_RTX_REORDER && tcp_tlp_schedule(tcp, conn, now_us))
        return;
    from = tcp_record_at(tcp, conn->sent_head)->sent_us;
    conn->rtx = TCP_RTX_RTO;
    conn->rtx_us = from + tcp_rto_backed_off(conn);
    if (conn->rtx_us <= now_us)
        conn->rtx_us = now_us + TCP_WHEEL_TICK_US;
    tcp_arm(tcp, conn);
}

// RFC 9293 section 3.8.6.1: the first probe after a timeout, then backed off.
void tcp_persist_arm(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us)
{
    conn->rtx = TCP_RTX_PERSIST;
    conn->rtx_us = now_us + tcp_rto_backed_off(conn);
    tcp_arm(tcp, conn);
}

// As Linux: twice the window a round trip in slow start, so that it can grow, else a fifth more. Under 2 ms nothing is
// gained by pacing and timers are too coarse for it.
void tcp_pace_rate(struct tcp_conn *conn)
{
    uint64_t percent = conn->cc.cwnd < conn->cc.ssthresh / 2 ? 200 : 120;

    if (tcp_rated(conn)) {
        conn->rate_bps = conn->cc.rate->pacing_bps;
        return;
    }
    if (!conn->options->pacing || conn->srtt_us < 2 * TCP_MS) {
        conn->rate_bps = 0;
        return;
    }
    conn->rate_bps = (uint64_t)tcp_max_u32(conn->cc.cwnd, conn->snd_nxt - conn->snd_una) * percent *
                     (TCP_S / 100) / conn->srtt_us;
}
