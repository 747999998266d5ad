// SPDX-License-Identifier: Apache-2.0
// Answers to segments that are not wanted: resets to those that belong to no connection, challenge ACKs to those that may be
// forged (RFC 5961).
#include "tcp/engine.h"

// RFC 9293 section 3.10.7.1.
void tcp_refuse(struct sl_tcp_engine *tcp, const struct sl_tcp_in *in)
{
    struct sl_tcp_out out = {
        .src = in->dst, .dst = in->src, .sport = in->dport, .dport = in->sport, .hop_limit = 64};

    if (in->flags & SL_TCP_RST)
        return;
    out.flags = SL_TCP_RST;
    if (in->flags & SL_TCP_ACK) {
        out.seq = in->ack;
    } else {
        out.flags |= SL_TCP_ACK;
        out.ack = in->seq + in->payload.len + !!(in->flags & SL_TCP_SYN) + !!(in->flags & SL_TCP_FIN);
    }
    tcp_send_segment(tcp, &out);
}

// RFC 5961 section 7: so many a second for all, and how many exactly is nobody's to count (CVE-2016-5696).
bool tcp_challenge_allowed(struct sl_tcp_engine *tcp)
{
    if (tcp->now_us - tcp->challenge_window_us >= TCP_S || tcp->challenge_window_us == 0) {
        tcp->challenge_window_us = tcp->now_us ? tcp->now_us : 1;
        tcp->challenge_left = 500 + tcp_random(tcp) % 500;
    }
    if (tcp->challenge_left == 0)
        return false;
    tcp->challenge_left--;
    return true;
}

// One in half a second for a connection, as for other segments out of place: whoever knows one tuple must not use up what
// all have, nor count what is left of it.
void tcp_challenge(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in)
{
    if ((conn->oow_us && tcp->now_us - conn->oow_us < TCP_OOW_ACK_US) || !tcp_challenge_allowed(tcp))
        return;
    conn->oow_us = tcp->now_us;
    tcp->counters.challenge_acks++;
    tcp_trace_add(tcp, conn, TCP_TRACE_CHALLENGE, in->flags, 0);
    tcp_ack_now(tcp, conn, true);
}
