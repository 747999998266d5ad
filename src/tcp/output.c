// SPDX-License-Identifier: Apache-2.0
// What a connection sends, in this order: its SYN; what is lost; probes; new data, as the peer's window, the congestion
// window, pacing, Nagle's algorithm and silly-window avoidance allow (RFC 9293 sections 3.7.4, 3.8.6.2.1); its FIN; and
// where none of them carried it, the acknowledgement that is due.
#include "tcp/engine.h"

// ---- header -----------------------------------------------------------------------------------------------------
// SACK blocks to tell: a duplicate first (RFC 2883), then the ranges, latest first; as many as the options have room for.
static void add_sacks(const struct tcp_conn *conn, struct tcp_options *options)
{
    unsigned room = tcp_has(conn, TCP_TS_ON) ? 3 : TCP_SACKS_MAX;

    if (!tcp_has(conn, TCP_SACK_ON))
        return;
    if (conn->dsack.start != conn->dsack.end)
        options->sacks[options->n_sacks++] = conn->dsack;
    for (unsigned i = 0; i < conn->n_sacks && options->n_sacks < room; i++)
        options->sacks[options->n_sacks++] = conn->sacks[i];
    if (options->n_sacks)
        options->present |= TCP_OPTION_SACK;
}

static void write_options(const struct sl_tcp_engine *tcp, const struct tcp_conn *conn, struct sl_tcp_out *out)
{
    struct tcp_options options;

    if (!tcp_has(conn, TCP_TS_ON) && conn->n_sacks == 0 && conn->dsack.start == conn->dsack.end)
        return;
    options.present = 0;
    options.n_sacks = 0;
    if (tcp_has(conn, TCP_TS_ON)) {
        options.present = TCP_OPTION_TIMESTAMPS;
        options.tsval = tcp_ts_now(conn, tcp->now_us);
        options.tsecr = conn->ts_recent;
    }
    add_sacks(conn, &options);
    out->options_len = (uint8_t)tcp_options_write(out->options, &options);
}

static void address(const struct tcp_conn *conn, struct sl_tcp_out *out)
{
    out->src = conn->tuple.local;
    out->dst = conn->tuple.remote;
    out->sport = conn->tuple.local_port;
    out->dport = conn->tuple.remote_port;
    out->hop_limit = conn->options->hop_limit;
    out->traffic_class = conn->options->traffic_class;
    out->user = conn->user;
    out->urgent = 0;
    out->ecn = SL_ECN_NONE;
    out->options_len = out->n_pieces = 0;
    out->len = 0;
}

static void header(struct sl_tcp_engine *tcp, struct tcp_conn *conn, struct sl_tcp_out *out, uint32_t seq)
{
    address(conn, out);
    out->seq = seq;
    out->ack = conn->rcv_nxt;
    out->flags = SL_TCP_ACK | (tcp_has(conn, TCP_ECN_ECHO) ? SL_TCP_ECE : 0);
    out->window = (uint16_t)(tcp_window_select(tcp, conn) >> conn->rcv_wscale);
    write_options(tcp, conn, out);
}

bool tcp_send_segment(struct sl_tcp_engine *tcp, struct sl_tcp_out *out)
{
    tcp->counters.segments_out++;
    tcp->counters.bytes_out += out->len;
    if (out->flags & SL_TCP_RST)
        tcp->counters.resets_out++;
    if (tcp->config.send(tcp->config.context, out))
        return true;
    tcp->counters.send_failures++;
    return false;
}

// Every segment acknowledges, so none is owed any more.
static void transmit(struct sl_tcp_engine *tcp, struct tcp_conn *conn, struct sl_tcp_out *out)
{
    if (out->window == 0 && conn->rcv_edge != conn->rcv_wup) { // the last one told was open
        tcp->counters.zero_windows++;
        tcp_trace_add(tcp, conn, TCP_TRACE_ZERO_WINDOW, 1, 0);
    }
    conn->rcv_wup = conn->rcv_nxt;
    conn->flags &= ~(uint32_t)(TCP_ACK_NOW | TCP_ACK_DELAYED | TCP_DUP_ACK);
    conn->delack_us = TCP_NEVER;
    conn->full_segments = 0;
    tcp->counters.dsacks_out += conn->dsack.start != conn->dsack.end;
    conn->dsack.start = conn->dsack.end = 0;
    if (conn->quick_acks)
        conn->quick_acks--;
    conn->segments_out++;
    tcp_send_segment(tcp, out);
}

// A peer whose window shrank below what is in flight would drop what stands behind it, and its acknowledgement with it: the
// right edge will do (as Linux). What scaling rounds off does not count.
static uint32_t bare_seq(const struct tcp_conn *conn)
{
    uint32_t edge = conn->snd_una + conn->snd_wnd;

    return tcp_seq_lt(edge + (1u << conn->snd_wscale) - 1, conn->snd_nxt) ? edge : conn->snd_nxt;
}

static void send_ack(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t seq)
{
    struct sl_tcp_out out;

    header(tcp, conn, &out, seq);
    transmit(tcp, conn, &out);
}

// ---- SYN --------------------------------------------------------------------------------------------------------
static void send_syn(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us)
{
    bool answer = conn->state == SL_TCP_SYN_RECEIVED;
    struct tcp_options options;
    struct sl_tcp_out out;

    conn->flags &= ~(uint32_t)TCP_SYN_NOW;
    address(conn, &out);
    tcp_syn_options(tcp, conn, &options);
    out.seq = conn->iss;
    out.ack = answer ? conn->rcv_nxt : 0;
    out.flags = SL_TCP_SYN | (answer ? SL_TCP_ACK : 0);
    if (answer && tcp_has(conn, TCP_ECN_ON))
        out.flags |= SL_TCP_ECE;
    else if (!answer && conn->options->ecn &&
             conn->backoff < 2) // RFC 3168 section 6.1.1.1: perhaps a box drops it
        out.flags |= SL_TCP_ECE | SL_TCP_CWR;
    out.window =
        (uint16_t)tcp_min_u32(conn->fast_open ? tcp_rcv_wnd(conn) : conn->rx_limit, UINT16_MAX);
    out.options_len = (uint8_t)tcp_options_write(out.options, &options);
    if (!conn->sent_us)
        conn->sent_us = now_us;
    if (conn->rtx != TCP_RTX_SYN) {
        conn->rtx = TCP_RTX_SYN;
        conn->rtx_us = now_us + tcp_rto_backed_off(conn);
        tcp_arm(tcp, conn);
    }
    conn->segments_out++;
    tcp_send_segment(tcp, &out);
}

// ---- payload ------------------------------------------------------------------------------------------------------
// Points the segment at the bytes from `seq` on, at most `len`, that lie in `chunk` and behind. Returns the bytes found
// place for.
static uint32_t gather(const struct sl_tcp_engine *tcp, struct sl_tcp_out *out, uint32_t chunk, uint32_t seq,
                       uint32_t len)
{
    uint32_t done = 0;

    while (chunk != TCP_NONE && done < len && out->n_pieces < SL_TCP_PIECES) {
        const union tcp_item *item = tcp_item_at(tcp, chunk);
        uint32_t offset = seq + done - item->seq;

        if (offset < item->len) {
            uint32_t take = tcp_min_u32(item->len - offset, len - done);

            out->pieces[out->n_pieces++] =
                (struct sl_tcp_chunk){item->data + offset, take, item->charge, item->owner};
            done += take;
        }
        chunk = item->next;
    }
    out->len = (uint16_t)done;
    return done;
}

static void urgent(const struct tcp_conn *conn, struct sl_tcp_out *out)
{
    if (!tcp_has(conn, TCP_URG_QUEUED) || !tcp_seq_gt(conn->snd_up, out->seq))
        return;
    out->flags |= SL_TCP_URG;
    out->urgent = (uint16_t)tcp_min_u32(conn->snd_up - out->seq, UINT16_MAX);
}

static uint32_t payload_room(const struct tcp_conn *conn, const struct sl_tcp_out *out)
{
    uint32_t counted = tcp_has(conn, TCP_TS_ON) ? 12 : 0; // snd_mss has these taken off

    return conn->snd_mss - (out->options_len - counted);
}

static bool paced(struct tcp_conn *conn, uint64_t now_us)
{
    if (conn->rate_bps == 0 || conn->pace_us <= now_us)
        return false;
    conn->pace_due_us = conn->pace_us;
    return true;
}

// Rates are of payload, and what is sent at a rate other than meant would be measured as the path's: nanoseconds count.
// Apart, for who does not pace so.
__attribute__((noinline)) static void pace_exactly(struct tcp_conn *conn, uint32_t len)
{
    uint64_t ns = (uint64_t)len * 1000 * TCP_S / conn->rate_bps + conn->cc.rate->pace_rest_ns;

    conn->pace_us += ns / 1000;
    conn->cc.rate->pace_rest_ns = (uint32_t)(ns % 1000);
}

// A millisecond's worth may be made good by whoever was called late.
static void pace(struct tcp_conn *conn, uint64_t now_us, uint32_t len)
{
    if (conn->rate_bps == 0)
        return;
    if (conn->pace_us + TCP_MS < now_us)
        conn->pace_us = now_us - TCP_MS;
    if (tcp_rated(conn)) {
        pace_exactly(conn, len);
        return;
    }
    conn->pace_us += (uint64_t)(len + 60) * TCP_S / conn->rate_bps;
}

static void after_data(struct tcp_conn *conn, uint64_t now_us, uint32_t len)
{
    conn->sent_us = now_us;
    if (conn->stalled_us == 0)
        conn->stalled_us = now_us;
    if (conn->recovery == TCP_RECOVERY || conn->recovery == TCP_CWR)
        conn->prr_out += len;
    pace(conn, now_us, len);
}

// ---- again --------------------------------------------------------------------------------------------------------
static bool send_again(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t index, uint64_t now_us)
{
    struct tcp_record *record = tcp_record_at(tcp, index);
    struct sl_tcp_out out;
    uint32_t len, got;

    header(tcp, conn, &out, record->seq);
    len = record->end - record->seq - !!(record->flags & TCP_SENT_FIN);
    got = gather(tcp, &out, record->chunk, record->seq, tcp_min_u32(len, payload_room(conn, &out)));
    if (got < len && !tcp_record_split(tcp, conn, record, record->seq + got) && index != conn->sent_head)
        return false; // no record left; of the first a part goes all the same, so that there is an end to it
    if (record->flags & TCP_SENT_FIN && record->seq + got + 1 == record->end)
        out.flags |= SL_TCP_FIN;
    if (got && record->seq + got == conn->snd_end)
        out.flags |= SL_TCP_PSH;
    urgent(conn, &out);
    if (conn->retrans_ts == 0)
        conn->retrans_ts = tcp_ts_now(conn, now_us);
    if (conn->undo_retrans < 0)
        conn->undo_retrans = 0;
    conn->undo_retrans++;
    tcp_record_sent_again(tcp, conn, record, now_us);
    tcp->counters.retransmits++;
    conn->retransmits++;
    after_data(conn, now_us, got);
    transmit(tcp, conn, &out);
    return true;
}

// What a peer no longer has a window for waits, but for the first: it is what opens the window again.
static bool may_send_again(const struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t index)
{
    const struct tcp_record *record = tcp_record_at(tcp, index);
    uint32_t pipe = tcp_pipe(conn), len = tcp_min_u32(record->end - record->seq, conn->snd_mss);

    if (pipe && pipe + len > conn->cc.cwnd) {
        conn->flags |= TCP_CWND_LIMITED;
        return false;
    }
    return index == conn->sent_head || tcp_seq_le(record->end, conn->snd_una + conn->snd_wnd);
}

// F-RTO, second step: new data goes first, and tells whether the old was lost at all.
static bool frto_waits(const struct tcp_conn *conn)
{
    return conn->recovery == TCP_LOSS && tcp_has(conn, TCP_FRTO) && conn->snd_una != conn->frto_una;
}

static void send_lost(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us)
{
    if (conn->lost == conn->retrans || frto_waits(conn))
        return;
    while (conn->lost_hint != TCP_NONE) {
        uint32_t index = conn->lost_hint;
        struct tcp_record *record = tcp_record_at(tcp, index);

        if ((record->flags & (TCP_SENT_LOST | TCP_SENT_RETRANS)) == TCP_SENT_LOST) {
            if (!may_send_again(tcp, conn, index) || (index != conn->sent_head && paced(conn, now_us)) ||
                !send_again(tcp, conn, index, now_us))
                return;
            if (conn->rtx == TCP_RTX_NONE || conn->rtx == TCP_RTX_PROBE ||
                (conn->rtx == TCP_RTX_RTO && index == conn->sent_head))
                tcp_rtx_arm(tcp, conn, now_us); // its time counts from now
        }
        conn->lost_hint = record->next;
    }
}

// ---- new ------------------------------------------------------------------------------------------------------------
enum blocked { MAY_SEND, BY_WINDOW, BY_CWND, BY_SIZE, BY_PACE, BY_POOL, BY_EMPTY };

// How many bytes may go now; *why tells what the limit is where it is not the data.
static uint32_t allowance(const struct tcp_conn *conn, uint32_t room, enum blocked *why)
{
    uint32_t edge = conn->snd_una + conn->snd_wnd, pipe = tcp_pipe(conn);
    uint32_t window = tcp_seq_gt(edge, conn->snd_nxt) ? edge - conn->snd_nxt : 0;
    uint32_t cwnd = conn->cc.cwnd > pipe ? conn->cc.cwnd - pipe : 0,
             len = tcp_min_u32(tcp_unsent(conn), room);

    *why = MAY_SEND;
    if (len > window) {
        len = window;
        *why = BY_WINDOW;
    }
    if (len > cwnd) {
        len = pipe == 0 ? len : cwnd < room ? 0 : cwnd; // no slivers of the congestion window
        *why = BY_CWND;
    }
    return len;
}

static bool small_in_flight(const struct tcp_conn *conn)
{
    return tcp_seq_gt(conn->small_end, conn->snd_una) && tcp_seq_le(conn->small_end, conn->snd_nxt);
}

// RFC 9293 section 3.8.6.2.1 with Minshall's rule for Nagle's algorithm: one small segment at a time.
static bool worth_sending(const struct tcp_conn *conn, uint32_t len, uint32_t room)
{
    bool all = len == tcp_unsent(conn);

    if (len >= room || tcp_has(conn, TCP_FORCE_SEND))
        return true;
    if (conn->options->cork && !tcp_has(conn, TCP_FIN_QUEUED))
        return false;
    if (all && (conn->options->no_delay || tcp_has(conn, TCP_FIN_QUEUED) || !small_in_flight(conn)))
        return true;
    return len >= conn->max_window / 2 && len > 0;
}

static void mark_new(struct tcp_conn *conn, struct sl_tcp_out *out, uint32_t len, uint32_t room, bool fin)
{
    if (len < room)
        conn->small_end = conn->snd_nxt + len;
    if (len && conn->snd_nxt + len == conn->snd_end)
        out->flags |= SL_TCP_PSH;
    if (fin)
        out->flags |= SL_TCP_FIN;
    urgent(conn, out);
    if (!tcp_has(conn, TCP_ECN_ON) || len == 0)
        return;
    out->ecn = SL_ECN_ECT0;
    if (tcp_has(conn, TCP_ECN_CWR)) {
        out->flags |= SL_TCP_CWR;
        conn->flags &= ~(uint32_t)TCP_ECN_CWR;
    }
}

static void step_next(const struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    while (conn->tx_next != TCP_NONE) {
        const union tcp_item *item = tcp_item_at(tcp, conn->tx_next);

        if (tcp_seq_lt(conn->snd_nxt, item->seq + item->len))
            return;
        conn->tx_next = item->next;
    }
}

static void fin_sent(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    conn->flags |= TCP_FIN_SENT;
    tcp_trace_add(tcp, conn, TCP_TRACE_FIN, 1, 0);
}

static bool send_new(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us, enum blocked *why)
{
    bool fin = tcp_has(conn, TCP_FIN_QUEUED) && !tcp_has(conn, TCP_FIN_SENT), whole;
    struct sl_tcp_out out;
    uint32_t len, got, room, index, probe;

    header(tcp, conn, &out, conn->snd_nxt);
    probe = conn->mtu_us ? tcp_mtu_probe_room(conn, now_us) : 0;
    room = probe && gather(tcp, &out, conn->tx_next, conn->snd_nxt, probe) == probe ? probe : 0;
    out.n_pieces = 0;
    probe = room;
    room = room ? room : payload_room(conn, &out);
    len = allowance(conn, room, why);
    got = gather(tcp, &out, conn->tx_next, conn->snd_nxt, len);
    if (got < len) // as much as pieces can say: full in its way
        room = got;
    len = got;
    whole = len == tcp_unsent(conn);
    fin = fin && whole && tcp_seq_lt(conn->snd_nxt + len, conn->snd_una + tcp_max_u32(conn->snd_wnd, 1));
    if (len == 0 && !fin) {
        *why = *why == MAY_SEND ? (tcp_unsent(conn) ? BY_SIZE : BY_EMPTY) : *why;
        return false;
    }
    if (!fin && !worth_sending(conn, len, room)) {
        *why = *why == MAY_SEND ? BY_SIZE : *why;
        return false;
    }
    index = tcp_record_add(tcp, conn, conn->snd_nxt, conn->snd_nxt + len + fin, conn->tx_next);
    if (index == TCP_NONE) {
        *why = BY_POOL;
        return false;
    }
    mark_new(conn, &out, len, room, fin);
    if (fin) {
        tcp_record_at(tcp, index)->flags |= TCP_SENT_FIN;
        fin_sent(tcp, conn);
    }
    conn->snd_nxt += len + fin;
    if (tcp_rated(conn))
        tcp_rate_sent(tcp, conn, tcp_record_at(tcp, index), tcp_pipe(conn), conn->sent_head == index);
    if (probe) {
        conn->flags |= TCP_MTU_PROBE_OUT;
        conn->mtu_probe_end = conn->snd_nxt;
    }
    step_next(tcp, conn);
    conn->flags &= ~(uint32_t)TCP_FORCE_SEND;
    after_data(conn, now_us, len);
    transmit(tcp, conn, &out);
    return true;
}

static bool wants_new(const struct tcp_conn *conn)
{
    return tcp_unsent(conn) || (tcp_has(conn, TCP_FIN_QUEUED) && !tcp_has(conn, TCP_FIN_SENT));
}

// RFC 5681 section 4.1: what was learnt of the path gets old.
static void restart_after_idle(struct tcp_conn *conn, uint64_t now_us)
{
    uint64_t idle = now_us - conn->sent_us;

    if (tcp_rated(conn)) {
        if (conn->sent_head == TCP_NONE && conn->cc.rate->limited_until)
            conn->cc.ops->idle(&conn->cc, now_us, idle);
        tcp_pace_rate(conn);
        return;
    }
    if (conn->sent_head != TCP_NONE || conn->recovery != TCP_OPEN || idle < conn->rto_us || !conn->sent_us)
        return;
    conn->cc.ops->idle(&conn->cc, now_us, idle);
    if (conn->cc.ssthresh != UINT32_MAX) // RFC 2861: the way back is known
        conn->cc.ssthresh = tcp_max_u32(conn->cc.ssthresh, conn->cc.cwnd - conn->cc.cwnd / 4);
    conn->cc.cwnd = tcp_min_u32(conn->cc.cwnd, tcp_max_u32(conn->cc.initial_cwnd, conn->snd_mss));
    tcp_pace_rate(conn);
}

// The most that was out at once in this round trip: half of it or more must be in use for the window to grow in slow
// start (RFC 7661 section 4.3, and Linux), whatever of it has been acknowledged since.
static void note_flight(struct tcp_conn *conn)
{
    uint32_t flight = conn->snd_nxt - conn->snd_una;

    if (flight <= conn->flight_most && tcp_seq_lt(conn->snd_una, conn->flight_end))
        return;
    conn->flight_most = flight;
    conn->flight_end = conn->snd_nxt;
}

static void send_new_all(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us)
{
    enum blocked why = MAY_SEND;
    bool sent = false;

    if (!wants_new(conn))
        return;
    restart_after_idle(conn, now_us);
    while (wants_new(conn)) {
        if (conn->sent_head != TCP_NONE && paced(conn, now_us)) {
            why = BY_PACE;
            break;
        }
        if (!send_new(tcp, conn, now_us, &why))
            break;
        sent = true;
    }
    if (why == BY_POOL && conn->sent_head == TCP_NONE) // no acknowledgement will wake it: others hold all records
        conn->pace_due_us = now_us + TCP_LOOK_AGAIN_US;
    if (sent)
        note_flight(conn);
    if (why == BY_CWND)
        conn->flags |= TCP_CWND_LIMITED;
    else if (why != BY_PACE)
        conn->flags &= ~(uint32_t)TCP_CWND_LIMITED;
    if (sent && (conn->rtx == TCP_RTX_NONE || conn->rtx == TCP_RTX_PROBE || conn->rtx == TCP_RTX_PERSIST)) {
        conn->rtx = TCP_RTX_NONE;
        tcp_rtx_arm(tcp, conn, now_us);
    }
}

// ---- probes ---------------------------------------------------------------------------------------------------------
// RFC 8985 section 7.3: new data where there is some, else the last segment once more.
static void send_tail_probe(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us)
{
    enum blocked why;
    uint32_t cwnd = conn->cc.cwnd;
    bool fresh;

    conn->flags &= ~(uint32_t)TCP_PROBE_NOW;
    if (conn->sent_head == TCP_NONE)
        return;
    conn->rtx = TCP_RTX_RTO; // whether or not the probe can be sent
    conn->rtx_us = now_us + tcp_rto_backed_off(conn);
    conn->cc.cwnd = tcp_pipe(conn) + conn->snd_mss;
    conn->flags |= TCP_FORCE_SEND; // a probe does not wait for more
    fresh = tcp_unsent(conn) && send_new(tcp, conn, now_us, &why);
    conn->flags &= ~(uint32_t)TCP_FORCE_SEND;
    conn->cc.cwnd = cwnd;
    if (!fresh && !send_again(tcp, conn, conn->sent_tail, now_us))
        return;
    conn->flags = (conn->flags & ~(uint32_t)TCP_TLP_RETRANS) | TCP_TLP_OUT | (fresh ? 0 : TCP_TLP_RETRANS);
    conn->tlp_end = conn->snd_nxt;
    tcp->counters.loss_probes++;
    tcp_trace_add(tcp, conn, TCP_TRACE_TLP, 0, conn->srtt_us / 500);
}

// A number that is acknowledged already makes the peer say where he is (RFC 9293 sections 3.8.4, 3.8.6.1). Where his
// window has room, if too little to be worth it, that much goes instead.
static void send_probes(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us)
{
    if (tcp_has(conn, TCP_PROBE_NOW))
        send_tail_probe(tcp, conn, now_us);
    if (tcp_has(conn, TCP_WINDOW_PROBE)) {
        conn->flags &= ~(uint32_t)TCP_WINDOW_PROBE;
        if (conn->snd_wnd == 0 || conn->sent_head != TCP_NONE)
            send_ack(tcp, conn, conn->snd_una - 1);
        else
            conn->flags |= TCP_FORCE_SEND;
    }
    if (tcp_has(conn, TCP_KEEPALIVE_NOW)) {
        conn->flags &= ~(uint32_t)TCP_KEEPALIVE_NOW;
        send_ack(tcp, conn, conn->snd_una - 1);
    }
}

// ---- all of it ------------------------------------------------------------------------------------------------------
static bool still_sends(const struct tcp_conn *conn)
{
    return conn->state == SL_TCP_ESTABLISHED || conn->state == SL_TCP_CLOSE_WAIT ||
           conn->state == SL_TCP_FIN_WAIT_1 || conn->state == SL_TCP_CLOSING ||
           conn->state == SL_TCP_LAST_ACK;
}

// RFC 7413 section 4.2.2: an initial window before the handshake has ended. Its round trip is measured from the SYN-ACK,
// and the SYN, which is in flight as well, is not counted.
static void send_early(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us)
{
    uint64_t syn_ack_us = conn->sent_us;
    uint32_t cwnd = conn->cc.cwnd;

    conn->cc.cwnd = cwnd + 1;
    send_new_all(tcp, conn, now_us);
    conn->cc.cwnd = cwnd;
    conn->sent_us = syn_ack_us;
}

// Something waits, nothing is in flight whose acknowledgement would wake us: the window is closed, or too narrow.
static bool needs_persist(const struct tcp_conn *conn)
{
    return wants_new(conn) && conn->sent_head == TCP_NONE && conn->rtx == TCP_RTX_NONE &&
           conn->pace_due_us == TCP_NEVER && still_sends(conn);
}

void tcp_output(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us)
{
    if (conn->state == SL_TCP_CLOSED)
        return;
    if (conn->state == SL_TCP_SYN_SENT || conn->state == SL_TCP_SYN_RECEIVED) {
        if (tcp_has(conn, TCP_SYN_NOW))
            send_syn(tcp, conn, now_us);
        else if (tcp_has(conn, TCP_ACK_NOW) && conn->state == SL_TCP_SYN_RECEIVED)
            send_ack(tcp, conn, conn->snd_nxt);
        if (conn->fast_open && conn->backoff == 0)
            send_early(tcp, conn, now_us);
        return;
    }
    conn->pace_due_us = TCP_NEVER;
    if (tcp_has(conn, TCP_RESIDUE))
        conn->flags &= ~(uint32_t)(TCP_ACK_NOW | TCP_DUP_ACK | TCP_KEEPALIVE_NOW); // others acknowledge
    if (tcp_has(conn, TCP_DUP_ACK)) // each is a word of its own (RFC 5681): data would swallow it
        send_ack(tcp, conn, bare_seq(conn));
    if (still_sends(conn)) {
        send_probes(tcp, conn, now_us);
        send_lost(tcp, conn, now_us);
        send_new_all(tcp, conn, now_us);
        if (frto_waits(conn) && conn->snd_nxt == conn->high_seq && conn->pace_due_us == TCP_NEVER) {
            conn->flags &= ~(uint32_t)TCP_FRTO; // nothing new could go: section 2.1 step 2c
            send_lost(tcp, conn, now_us);
        }
        if (needs_persist(conn))
            tcp_persist_arm(tcp, conn, now_us);
    }
    if (tcp_has(conn, TCP_KEEPALIVE_NOW))
        send_probes(tcp, conn, now_us);
    if (tcp_has(conn, TCP_ACK_NOW) || tcp_window_update_due(tcp, conn))
        send_ack(tcp, conn, bare_seq(conn));
    if (conn->state == SL_TCP_TIME_WAIT)
        tcp_time_wait_enter(tcp, conn);
    else
        tcp_arm(tcp, conn);
}

void tcp_ack_now(struct sl_tcp_engine *tcp, struct tcp_conn *conn, bool duplicate)
{
    conn->flags |= TCP_ACK_NOW | (duplicate ? TCP_DUP_ACK : 0);
    tcp_want_output(tcp, conn);
}

// ---- resets ------------------------------------------------------------------------------------------
void tcp_send_reset(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us)
{
    struct sl_tcp_out out;

    if (tcp_has(conn, TCP_RESIDUE)) // what goes on elsewhere is not ours to reset
        return;
    address(conn, &out);
    out.seq = conn->snd_nxt;
    out.ack = conn->rcv_nxt;
    out.flags = SL_TCP_RST | SL_TCP_ACK;
    out.window = 0;
    if (tcp_has(conn, TCP_TS_ON)) { // SHOULD, RFC 7323 section 3.2
        struct tcp_options options = {.present = TCP_OPTION_TIMESTAMPS,
                                      .tsval = tcp_ts_now(conn, now_us),
                                      .tsecr = conn->ts_recent};

        out.options_len = (uint8_t)tcp_options_write(out.options, &options);
    }
    tcp_trace_add(tcp, conn, TCP_TRACE_RESET, 1, 0);
    conn->segments_out++;
    tcp_send_segment(tcp, &out);
}
