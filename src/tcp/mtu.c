// SPDX-License-Identifier: Apache-2.0
// What fits: the path's MTU, as ICMP tells it (RFC 1191, RFC 8201; RFC 5927 against forgers), and as vanishing segments
// tell it (black holes: RFC 4821 section 7.7, RFC 2923 section 2.1).
#include <errno.h>
#include "tcp/engine.h"

static uint16_t mtu_floor(const struct tcp_conn *conn)
{
    return tcp_is_v4(conn) ? TCP_MTU_MIN : TCP_MTU_MIN_V6;
}

// RFC 6691: the MSS that peers tell does not count options, what we send has to.
void tcp_mss_update(struct tcp_conn *conn)
{
    uint32_t options = tcp_has(conn, TCP_TS_ON) ? 12 : 0;
    uint32_t by_path = conn->path_mtu - TCP_HEADERS(tcp_is_v4(conn));
    uint32_t mss = tcp_min_u32(by_path, conn->peer_mss);

    mss = mss > options + TCP_MSS_MIN ? mss - options : TCP_MSS_MIN;
    conn->snd_mss = (uint16_t)mss;
    conn->cc.mss = mss;
}

// Segments in flight that are too large now are lost: whoever told us has dropped one, and they go again in smaller pieces
// (output.c splits them).
static void lose_too_large(struct sl_tcp *tcp, struct tcp_conn *conn)
{
    for (uint32_t i = conn->sent_head; i != TCP_NONE; i = tcp_record_at(tcp, i)->next) {
        struct tcp_record *record = tcp_record_at(tcp, i);

        if (record->end - record->seq > conn->snd_mss && !(record->flags & TCP_SENT_SACKED))
            tcp_record_lose(tcp, conn, record);
    }
}

void tcp_mtu_lower(struct sl_tcp *tcp, struct tcp_conn *conn, uint16_t mtu, uint8_t cause)
{
    uint32_t mss = conn->snd_mss;

    if (mtu < mtu_floor(conn))
        mtu = mtu_floor(conn);
    if (mtu >= conn->path_mtu)
        return;
    conn->path_mtu = mtu;
    conn->mtu_us = tcp->now_us;
    tcp_mss_update(conn);
    if (conn->cc.cwnd < conn->snd_mss)
        conn->cc.cwnd = conn->snd_mss;
    tcp->counters.mtu_reductions++;
    tcp_trace_add(tcp, conn, TCP_TRACE_MTU, cause, conn->snd_mss);
    if (conn->snd_mss < mss && tcp_synchronized(conn)) {
        lose_too_large(tcp, conn);
        tcp_want_output(tcp, conn);
    }
}

// Two timeouts in a row of full segments: perhaps only the large ones vanish. The MTU goes down in steps that networks
// have (RFC 1191 section 7), and down to the floor only where the next do not help.
void tcp_mtu_timeout(struct sl_tcp *tcp, struct tcp_conn *conn, uint64_t now_us)
{
    static const uint16_t plateaus[] = {4464, 2002, 1492, 1400, 1280, 1006, 576};
    const struct tcp_record *head = conn->sent_head == TCP_NONE ? NULL : tcp_record_at(tcp, conn->sent_head);

    (void)now_us;
    if (!conn->options.mtu_probing || head == NULL || head->end - head->seq + 60 < mtu_floor(conn))
        return;
    if (++conn->black_hole < 2)
        return;
    for (unsigned i = 0; i < sizeof(plateaus) / sizeof(plateaus[0]); i++)
        if (plateaus[i] < conn->path_mtu) {
            tcp_mtu_lower(tcp, conn, plateaus[i], 1);
            return;
        }
}

// RFC 1191 section 3: a router that does not tell leaves us to guess the next lower plateau.
static uint16_t told_mtu(const struct tcp_conn *conn, uint32_t mtu)
{
    if (mtu >= 68 && mtu <= UINT16_MAX)
        return (uint16_t)mtu;
    return conn->path_mtu > 1492 ? 1492 : conn->path_mtu > 1006 ? 1006 : TCP_MTU_MIN;
}

// RFC 9293 section 3.9.2.2, RFC 5461 and RFC 5927: hard errors end a connection that is being made, and are noted for
// one that stands.
static void unreachable(struct sl_tcp *tcp, struct tcp_conn *conn, enum sl_tcp_icmp kind)
{
    int error = kind == SL_TCP_ICMP_PORT ? -ECONNREFUSED : -EHOSTUNREACH;

    if (conn->state == SL_TCP_SYN_SENT && kind != SL_TCP_ICMP_UNREACHABLE)
        tcp_end(tcp, conn, error);
    else
        conn->error = error;
}

void sl_tcp_icmp(struct sl_tcp *tcp, const struct sl_tcp_icmp_in *in, uint64_t now_us)
{
    struct tcp_tuple tuple = {in->local, in->remote, in->local_port, in->remote_port};
    uint32_t name = tcp_table_find(tcp, &tuple);
    struct tcp_conn *conn;

    tcp->now_us = now_us;
    if (name == TCP_NONE || name & TCP_WAIT_BIT)
        return;
    conn = tcp_conn_at(tcp, name);
    if (in->seq - conn->snd_una >= conn->snd_nxt - conn->snd_una) // RFC 5927 section 4.1: in flight
        return;
    if (in->kind != SL_TCP_ICMP_TOO_BIG)
        unreachable(tcp, conn, in->kind);
    else
        tcp_mtu_lower(tcp, conn, told_mtu(conn, in->mtu), 0);
}
