// SPDX-License-Identifier: Apache-2.0
// What fits: the path's MTU, as ICMP tells it (RFC 1191, RFC 8201; RFC 5927 against forgers), and as vanishing segments
// tell it (black holes: RFC 4821 section 7.7, RFC 2923 section 2.1).
#include <errno.h>
#include "tcp/engine.h"

#define TCP_MTU_AGE_US (600 * TCP_S) // RFC 1191 section 6.3

static uint16_t mtu_floor(const struct tcp_conn *conn)
{
    return tcp_is_v4(conn) ? TCP_MTU_MIN : TCP_MTU_MIN_V6;
}

static uint16_t mtu_full(const struct tcp_conn *conn)
{
    return (uint16_t)tcp_min_u32(conn->options->mtu, conn->peer_mss + TCP_HEADERS(tcp_is_v4(conn)));
}

// The next smaller MTU that networks have (RFC 1191 section 7, and tunnels over Ethernet); 0: none.
static uint16_t plateau_below(uint16_t mtu)
{
    static const uint16_t plateaus[] = {4464, 2002, 1492, 1400, 1280, 1006, 576};

    for (unsigned i = 0; i < sizeof(plateaus) / sizeof(plateaus[0]); i++)
        if (plateaus[i] < mtu)
            return plateaus[i];
    return 0;
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
static void lose_too_large(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    for (uint32_t i = conn->sent_head; i != TCP_NONE; i = tcp_record_at(tcp, i)->next) {
        struct tcp_record *record = tcp_record_at(tcp, i);

        if (record->end - record->seq > conn->snd_mss && !(record->flags & TCP_SENT_SACKED))
            tcp_record_lose(tcp, conn, record);
    }
}

void tcp_mtu_lower(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint16_t mtu, uint8_t cause)
{
    uint32_t mss = conn->snd_mss;

    if (mtu < mtu_floor(conn))
        mtu = mtu_floor(conn);
    if (mtu >= conn->path_mtu) {
        if (tcp_has(conn, TCP_MTU_PROBE_OUT) && mtu < conn->mtu_probe)
            tcp_mtu_probe_lose(tcp, conn, 0); // found out sooner than by its absence
        return;
    }
    conn->path_mtu = mtu;
    conn->mtu_probe = mtu_full(conn);
    conn->mtu_us = tcp->now_us + (cause ? 0 : TCP_MTU_AGE_US);
    tcp_mss_update(conn);
    conn->flags &= ~(uint32_t)(TCP_MTU_PROBE_OUT | TCP_FRTO);
    tcp->counters.mtu_reductions++;
    tcp_trace_add(tcp, conn, TCP_TRACE_MTU, cause, conn->snd_mss);
    if (conn->snd_mss < mss && tcp_synchronized(conn)) {
        lose_too_large(tcp, conn);
        if (conn->lost)
            tcp_recovery_resize(conn);
        tcp_want_output(tcp, conn);
    }
}

// ---- up again -------------------------------------------------------------------------------------------------
// Routes change (RFC 1191 section 6.3, RFC 8201 section 5.3), and a path that only looked like a black hole was none:
// now and then a single segment of new data is as large as the MTU to be tried. If it is acknowledged, so are all from
// then on; if it is lost, it goes again in pieces, and the next smaller MTU of the table is tried. A guess from timeouts
// is put to this test at once, what a router said after ten minutes.
static void probe_next(struct tcp_conn *conn, uint64_t now_us)
{
    uint16_t next = plateau_below(conn->mtu_probe);

    conn->flags &= ~(uint32_t)TCP_MTU_PROBE_OUT;
    conn->mtu_us = now_us;
    conn->mtu_probe = next;
    if (next <= conn->path_mtu) {
        conn->mtu_us = now_us + TCP_MTU_AGE_US;
        conn->mtu_probe = mtu_full(conn);
    }
}

void tcp_mtu_wait(struct tcp_conn *conn, uint64_t now_us)
{
    conn->flags &= ~(uint32_t)TCP_MTU_PROBE_OUT;
    conn->mtu_probe = mtu_full(conn);
    conn->mtu_us = conn->path_mtu < conn->mtu_probe ? now_us + TCP_MTU_AGE_US : 0;
}

// What is in flight and larger is cut where it has to go again.
void tcp_mtu_fit(struct tcp_conn *conn, uint64_t now_us)
{
    uint32_t most = tcp_max_u32(conn->options->mtu, mtu_floor(conn));

    if (tcp_max_u32(conn->path_mtu, conn->mtu_probe) <= most)
        return;
    conn->path_mtu = (uint16_t)tcp_min_u32(conn->path_mtu, most);
    tcp_mtu_wait(conn, now_us);
    tcp_mss_update(conn);
}

uint32_t tcp_mtu_probe_room(const struct tcp_conn *conn, uint64_t now_us)
{
    uint32_t room = conn->mtu_probe - TCP_HEADERS(tcp_is_v4(conn)) - (tcp_has(conn, TCP_TS_ON) ? 12 : 0);
    uint32_t pipe = tcp_pipe(conn), behind = 4u * conn->snd_mss;

    if (conn->mtu_us == 0 || now_us < conn->mtu_us || !conn->options->mtu_probing ||
        tcp_has(conn, TCP_MTU_PROBE_OUT) || conn->recovery != TCP_OPEN || conn->mtu_probe <= conn->path_mtu ||
        conn->n_sacks || conn->dsack.start != conn->dsack.end)
        return 0;
    // enough behind it that its loss is seen by acknowledgements
    if (tcp_unsent(conn) < room + behind || conn->cc.cwnd < pipe + room + (pipe > behind ? 0 : behind) ||
        conn->snd_una + conn->snd_wnd - conn->snd_nxt < room + behind)
        return 0;
    return room;
}

void tcp_mtu_probe_lose(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t bytes)
{
    conn->mtu_probe_lost += bytes;
    probe_next(conn, tcp->now_us);
}

void tcp_mtu_probe_ack(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    if (tcp_seq_lt(conn->snd_una, conn->mtu_probe_end))
        return;
    conn->path_mtu = conn->mtu_probe;
    tcp_mtu_wait(conn, tcp->now_us);
    tcp_mss_update(conn);
    tcp->counters.mtu_raises++;
    tcp_trace_add(tcp, conn, TCP_TRACE_MTU, 2, conn->snd_mss);
}

// ---- down -----------------------------------------------------------------------------------------------------

// Two timeouts in a row of full segments: perhaps only the large ones vanish. The MTU goes down in steps that networks
// have (RFC 1191 section 7), and down to the floor only where the next do not help.
void tcp_mtu_timeout(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us)
{
    const struct tcp_record *head = conn->sent_head == TCP_NONE ? NULL : tcp_record_at(tcp, conn->sent_head);

    uint32_t len = head ? head->end - head->seq : 0, packet;
    uint16_t next;

    (void)now_us;
    if (!conn->options->mtu_probing || head == NULL || len + 60 < mtu_floor(conn))
        return;
    if (++conn->black_hole < 2)
        return;
    if (len + TCP_OPTIONS_MAX < conn->snd_mss)
        return; // not a full one, whatever its options: it did not vanish for its size
    packet = len + (tcp_has(conn, TCP_TS_ON) ? 12 : 0) + TCP_HEADERS(tcp_is_v4(conn));
    next = plateau_below((uint16_t)tcp_min_u32(conn->path_mtu, packet)); // one that SACKs cut short must become smaller too
    if (next == 0)
        return;
    tcp_mtu_lower(tcp, conn, next, 1);
    conn->cc.cwnd = tcp_pipe(conn) + conn->snd_mss;
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
static void unreachable(struct sl_tcp_engine *tcp, struct tcp_conn *conn, enum sl_tcp_icmp kind)
{
    int error = kind == SL_TCP_ICMP_PORT ? -ECONNREFUSED : -EHOSTUNREACH;

    if (conn->state == SL_TCP_SYN_SENT && kind != SL_TCP_ICMP_UNREACHABLE)
        tcp_end(tcp, conn, error);
    else
        conn->error = error;
}

void sl_tcp_icmp(struct sl_tcp_engine *tcp, const struct sl_tcp_icmp_in *in, uint64_t now_us)
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
