// SPDX-License-Identifier: Apache-2.0
// What a payload brings: bytes in order for the reader, the window that is told, and when to acknowledge (RFC 9293
// sections 3.8.6, RFC 5681 section 4.2). The right edge of the window never moves left.
#include "tcp/engine.h"

#define CHARGE_PER_WINDOW                                                                                    \
    4u // a buffer may be much larger than its payload: this much memory for a byte of window, at most

// ---- memory -----------------------------------------------------------------------------------------------------
// Fair when it binds: a connection may hold as much as is free (Choudhury and Hahne, "Dynamic Queue Length Thresholds",
// 1998), so the more are greedy the less each may be, and a newcomer always finds room.
uint32_t tcp_rx_room(const struct sl_tcp_engine *tcp, const struct tcp_conn *conn)
{
    uint64_t free = tcp->config.rx_bytes > tcp->rx_charge ? tcp->config.rx_bytes - tcp->rx_charge : 0;
    uint64_t cap = (uint64_t)conn->options->rx_bytes * CHARGE_PER_WINDOW + 65536;

    return (uint32_t)tcp_min_u64(tcp_min_u64(free, cap), UINT32_MAX);
}

static bool fits(const struct sl_tcp_engine *tcp, const struct tcp_conn *conn, uint32_t charge)
{
    return (uint64_t)conn->rx_charge + charge <= tcp_rx_room(tcp, conn) &&
           tcp->rx_charge + charge <= tcp->config.rx_bytes;
}

static bool may_hold(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t charge)
{
    if (fits(tcp, conn, charge))
        return true;
    tcp->counters.refused_memory++;
    tcp_trace_add(tcp, conn, TCP_TRACE_MEMORY, 0, conn->rx_charge >> 10);
    return false;
}

// ---- window -----------------------------------------------------------------------------------------------------
static uint32_t window_wanted(const struct sl_tcp_engine *tcp, const struct tcp_conn *conn)
{
    uint32_t window = conn->rx_limit > conn->rx_unread ? conn->rx_limit - conn->rx_unread : 0;
    uint32_t room = tcp_rx_room(tcp, conn);

    return tcp_min_u32(window, room > conn->rx_charge ? room - conn->rx_charge : 0);
}

// RFC 9293 section 3.8.6.2.2: no small steps of the right edge.
static bool worth_telling(const struct tcp_conn *conn, uint32_t window)
{
    uint32_t told = tcp_rcv_wnd(conn);

    return window >= told + tcp_min_u32(conn->rx_limit / 2, conn->rcv_mss);
}

uint32_t tcp_window_select(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    uint32_t told = tcp_rcv_wnd(conn), window = window_wanted(tcp, conn), unit = 1u << conn->rcv_wscale;
    uint32_t most = (uint32_t)UINT16_MAX << conn->rcv_wscale;

    if (tcp_has(conn, TCP_RESIDUE)) // others receive: what they have told
        return tcp_min_u32(told, most);
    if (worth_telling(conn, window))
        window &= ~(unit - 1);
    else
        window = (told + unit - 1) & ~(unit - 1); // rounded up, or the edge would move left
    window = tcp_min_u32(window, most);
    if (window < told)
        window = tcp_min_u32((told + unit - 1) & ~(unit - 1), most);
    conn->rcv_edge = tcp_seq_max(conn->rcv_edge, conn->rcv_nxt + window);
    return window;
}

// A reader made room: the peer should know where he is, or soon would be, held back by the window.
bool tcp_window_update_due(const struct sl_tcp_engine *tcp, const struct tcp_conn *conn)
{
    uint32_t told = tcp_rcv_wnd(conn), window = window_wanted(tcp, conn);

    if (!tcp_receiving(conn) || window <= told || tcp_has(conn, TCP_RESIDUE))
        return false;
    return window - told >= tcp_min_u32(conn->rx_limit / 2, 2u * conn->rcv_mss) &&
           (told < 2u * conn->rcv_mss || window >= 2 * told);
}

// Two units of the scale at least: a window of less would be told as 0 for ever.
void tcp_rx_limit_set(struct tcp_conn *conn, uint32_t bytes)
{
    conn->rx_limit = tcp_max_u32(bytes, 2u << conn->rcv_wscale);
}

// As much as the reader takes in two round trips is what the window has to be, so that it is not what limits: it grows to
// that, up to options.rx_bytes (Fisk and Feng, "Dynamic Right-Sizing", 2001).
void tcp_rx_read(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t bytes, uint64_t now_us)
{
    uint64_t round = conn->drs_rtt_us ? conn->drs_rtt_us : 100 * TCP_MS;

    (void)tcp;
    conn->drs_read += bytes;
    if (now_us - conn->drs_us < round)
        return;
    if ((uint64_t)conn->drs_read * 2 > conn->rx_limit)
        tcp_rx_limit_set(conn, (uint32_t)tcp_min_u64(conn->options->rx_bytes,
                                                     3ull * conn->drs_read + 16u * conn->rcv_mss));
    conn->drs_read = 0;
    conn->drs_us = now_us;
}

// A receiver has no round trips of its own: a window's worth of data takes one to arrive, at least.
void tcp_drs_rtt(struct tcp_conn *conn, uint64_t now_us)
{
    uint64_t took = now_us - conn->drs_rtt_at_us;

    if (tcp_seq_lt(conn->rcv_nxt, conn->drs_rtt_seq))
        return;
    if (conn->drs_rtt_at_us && took && (conn->drs_rtt_us == 0 || took < conn->drs_rtt_us))
        conn->drs_rtt_us = (uint32_t)tcp_min_u64(took, TCP_S);
    conn->drs_rtt_at_us = now_us;
    conn->drs_rtt_seq = conn->rcv_nxt + tcp_rcv_wnd(conn);
}

// ---- acknowledging ----------------------------------------------------------------------------------------------
static void acknowledge(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t len)
{
    if (len > conn->rcv_mss)
        conn->rcv_mss = (uint16_t)tcp_min_u32(len, conn->options->mtu - TCP_HEADERS(tcp_is_v4(conn)));
    if (len >= conn->rcv_mss && conn->full_segments < UINT8_MAX)
        conn->full_segments++;
    if (conn->full_segments >= 2 || conn->quick_acks || conn->rx_ranges != TCP_NONE ||
        conn->rcv_nxt - conn->rcv_wup >= 2u * conn->rcv_mss) {
        tcp_ack_now(tcp, conn, false);
        return;
    }
    if (tcp_has(conn, TCP_ACK_DELAYED | TCP_ACK_NOW))
        return;
    conn->flags |= TCP_ACK_DELAYED;
    conn->delack_us = tcp->now_us + TCP_DELACK_US;
    tcp_arm(tcp, conn);
}

// ---- payload ----------------------------------------------------------------------------------------------------
static bool append(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_chunk *chunk)
{
    uint32_t index = tcp_pool_get(&tcp->items);
    union tcp_item *item;

    if (index == TCP_NONE) {
        tcp->counters.refused_memory++;
        return false;
    }
    item = tcp_item_at(tcp, index);
    *item = (union tcp_item){.owner = chunk->owner,
                             .data = chunk->data,
                             .seq = conn->rcv_nxt,
                             .len = chunk->len,
                             .charge = chunk->charge,
                             .next = TCP_NONE};
    if (conn->rx_tail == TCP_NONE)
        conn->rx_head = index;
    else
        tcp_item_at(tcp, conn->rx_tail)->next = index;
    conn->rx_tail = index;
    conn->rcv_nxt += chunk->len;
    conn->rx_unread += chunk->len;
    conn->rx_charge += chunk->charge;
    tcp->rx_charge += chunk->charge;
    conn->bytes_received += chunk->len;
    tcp->counters.bytes_in += chunk->len;
    return true;
}

// What comes in order can be read, and what lies behind the hole cannot: it gives way, or both would wait for ever.
static void displace(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t charge)
{
    while (conn->rx_ranges != TCP_NONE && (!fits(tcp, conn, charge) || tcp->items.used == tcp->items.n))
        tcp_reassemble_drop_last(tcp, conn);
}

static bool in_order(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_chunk *chunk)
{
    bool filled;

    displace(tcp, conn, chunk->charge);
    filled = conn->rx_ranges != TCP_NONE;
    if (!may_hold(tcp, conn, chunk->charge) || !append(tcp, conn, chunk)) {
        tcp_ack_now(tcp, conn, true);
        return false;
    }
    if (filled) {
        tcp_reassemble_take(tcp, conn);
        tcp_ack_now(tcp, conn, true); // a hole filled is told at once (RFC 5681 section 4.2)
    }
    acknowledge(tcp, conn, chunk->len);
    tcp_drs_rtt(conn, tcp->now_us);
    tcp_event_add(tcp, conn, SL_TCP_READABLE);
    return true;
}

static bool out_of_order(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_chunk *chunk,
                         uint32_t seq)
{
    conn->quick_acks = TCP_QUICK_ACKS;
    tcp_ack_now(tcp, conn, true);
    return may_hold(tcp, conn, chunk->charge) && tcp_reassemble_put(tcp, conn, chunk, seq);
}

// Takes from the segment what is new and in the window.
static bool payload_take(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in)
{
    struct sl_tcp_chunk chunk = in->payload;
    uint32_t seq = in->seq;

    if (tcp_seq_lt(seq, conn->rcv_nxt)) {
        uint32_t old = conn->rcv_nxt - seq;

        if (tcp_has(conn, TCP_SACK_ON)) {
            conn->dsack.start = seq;
            conn->dsack.end = tcp_seq_min(conn->rcv_nxt, seq + chunk.len);
            tcp_ack_now(tcp, conn, true);
        }
        if (old >= chunk.len) {
            tcp_ack_now(tcp, conn, true);
            return false;
        }
        chunk.data += old;
        chunk.len -= old;
        seq = conn->rcv_nxt;
    }
    if (tcp_seq_gt(seq + chunk.len, conn->rcv_edge)) {
        if (tcp_seq_ge(seq, conn->rcv_edge)) {
            tcp_ack_now(tcp, conn, true);
            return false;
        }
        chunk.len = conn->rcv_edge - seq;
    }
    return seq == conn->rcv_nxt ? in_order(tcp, conn, &chunk) : out_of_order(tcp, conn, &chunk, seq);
}

// What a segment before it had twice is still to be told, unless this one has something twice as well.
bool tcp_payload_input(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in)
{
    struct tcp_sack earlier = conn->dsack;
    bool kept;

    conn->dsack.end = conn->dsack.start;
    kept = payload_take(tcp, conn, in);
    if (earlier.start != earlier.end && conn->dsack.start == conn->dsack.end)
        conn->dsack = earlier;
    return kept;
}

// Eighth check of RFC 9293 section 3.10.7.4.
void tcp_fin_input(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    conn->rcv_nxt++;
    conn->rcv_edge = tcp_seq_max(conn->rcv_edge, conn->rcv_nxt);
    conn->flags |= TCP_FIN_RECEIVED;
    tcp_reassemble_clear(tcp, conn);
    tcp_trace_add(tcp, conn, TCP_TRACE_FIN, 0, 0);
    if (conn->state == SL_TCP_ESTABLISHED)
        tcp_state_set(tcp, conn, SL_TCP_CLOSE_WAIT);
    else if (conn->state == SL_TCP_FIN_WAIT_1)
        tcp_state_set(tcp, conn, SL_TCP_CLOSING);
    else if (conn->state == SL_TCP_FIN_WAIT_2)
        tcp_state_set(tcp, conn, SL_TCP_TIME_WAIT); // output.c acknowledges, then moves it to where it waits
    tcp_ack_now(tcp, conn, false);
    tcp_event_add(tcp, conn, SL_TCP_READABLE);
}
