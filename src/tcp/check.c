// SPDX-License-Identifier: Apache-2.0
// What must hold of a connection after every segment. Tests and fuzzers call it; the data plane never does.
#include "tcp/engine.h"

#define MUST(what)                                                                                           \
    do {                                                                                                     \
        if (!(what))                                                                                         \
            return #what;                                                                                    \
    } while (0)

static const char *check_numbers(const struct tcp_conn *conn)
{
    uint32_t fin = tcp_has(conn, TCP_FIN_SENT) ? 1 : 0;

    MUST(tcp_seq_le(conn->snd_una, conn->snd_nxt));
    MUST(tcp_seq_le(conn->snd_nxt, conn->snd_end + fin));
    MUST(!fin || conn->snd_nxt == conn->snd_end + 1);
    MUST(!fin || tcp_has(conn, TCP_FIN_QUEUED));
    if (conn->state >= SL_TCP_ESTABLISHED) {
        MUST(tcp_seq_le(conn->rcv_wup, conn->rcv_nxt));
        MUST(conn->rcv_edge - conn->rcv_nxt <= TCP_WINDOW_MAX || tcp_has(conn, TCP_FIN_RECEIVED));
        MUST(conn->snd_mss >= TCP_MSS_MIN);
        MUST(conn->cc.cwnd >= 1);
    }
    return NULL;
}

static const char *check_records(const struct sl_tcp_engine *tcp, const struct tcp_conn *conn)
{
    bool syn = conn->state == SL_TCP_SYN_SENT || conn->state == SL_TCP_SYN_RECEIVED; // which has no record
    uint32_t sacked = 0, lost = 0, retrans = 0, n = 0, timed = 0, at = conn->snd_una + syn, prev = TCP_NONE;

    for (uint32_t i = conn->sent_head; i != TCP_NONE; i = tcp_record_at(tcp, i)->next) {
        const struct tcp_record *record = tcp_record_at(tcp, i);
        uint32_t len = record->end - record->seq;

        MUST(record->seq == at);
        MUST(record->prev == prev);
        MUST(len > 0);
        MUST(!(record->flags & TCP_SENT_SACKED) ||
             !(record->flags & (TCP_SENT_LOST | TCP_SENT_RETRANS | TCP_SENT_TIMED)));
        MUST(!(record->flags & TCP_SENT_RETRANS) || record->flags & TCP_SENT_LOST);
        sacked += record->flags & TCP_SENT_SACKED ? len : 0;
        lost += record->flags & TCP_SENT_LOST ? len : 0;
        retrans += record->flags & TCP_SENT_RETRANS ? len : 0;
        timed += !!(record->flags & TCP_SENT_TIMED);
        at = record->end;
        prev = i;
        n++;
    }
    MUST(at == conn->snd_nxt);
    MUST(!syn || n == 0 || conn->fast_open); // nobody else sends before the handshake's end
    MUST(conn->sent_tail == prev);
    MUST(conn->n_sent == n);
    MUST(!tcp_has(conn, TCP_SACK_ON) || conn->sacked == sacked);
    MUST(conn->lost == lost);
    MUST(conn->retrans == retrans);
    MUST(conn->sacked + conn->lost <= conn->snd_nxt - conn->snd_una);
    for (uint32_t i = conn->sent_first, last = TCP_NONE; i != TCP_NONE;
         last = i, i = tcp_record_at(tcp, i)->later) {
        MUST(tcp_record_at(tcp, i)->earlier == last);
        MUST(tcp_record_at(tcp, i)->flags & TCP_SENT_TIMED);
        MUST(timed-- > 0);
    }
    MUST(timed == 0);
    return NULL;
}

static const char *check_send_queue(const struct sl_tcp_engine *tcp, const struct tcp_conn *conn)
{
    uint32_t charge = 0, last = TCP_NONE, at = 0;
    bool next_seen = conn->tx_next == TCP_NONE;

    for (uint32_t i = conn->tx_head; i != TCP_NONE; last = i, i = tcp_item_at(tcp, i)->next) {
        const union tcp_item *item = tcp_item_at(tcp, i);

        MUST(last == TCP_NONE || item->seq == at);
        MUST(tcp_seq_gt(item->seq + item->len, conn->snd_una));
        at = item->seq + item->len;
        charge += item->charge;
        next_seen |= i == conn->tx_next;
    }
    MUST(conn->tx_tail == last);
    MUST(last == TCP_NONE || at == conn->snd_end);
    MUST(conn->tx_charge == charge);
    MUST(next_seen);
    return NULL;
}

static const char *check_receive_queue(const struct sl_tcp_engine *tcp, const struct tcp_conn *conn)
{
    uint32_t charge = 0, unread = 0, ranges = 0, last = TCP_NONE, before = conn->rcv_nxt;

    for (uint32_t i = conn->rx_head; i != TCP_NONE; last = i, i = tcp_item_at(tcp, i)->next) {
        charge += tcp_item_at(tcp, i)->charge;
        unread += tcp_item_at(tcp, i)->len;
    }
    MUST(conn->rx_tail == last);
    MUST(conn->rx_unread == unread);
    for (uint32_t r = tcp_range_first(tcp, conn->rx_ranges); r != TCP_NONE;
         r = tcp_range_find(tcp, conn->rx_ranges, before + 1)) {
        const union tcp_item *range = tcp_item_at(tcp, r);
        uint32_t at = range->start;

        MUST(tcp_seq_gt(range->start, before));
        MUST(range->left == TCP_NONE || tcp_item_at(tcp, range->left)->priority <= range->priority);
        MUST(range->right == TCP_NONE || tcp_item_at(tcp, range->right)->priority <= range->priority);
        MUST(tcp_seq_le(range->end, conn->rcv_edge));
        for (uint32_t i = range->head; i != TCP_NONE; i = tcp_item_at(tcp, i)->next) {
            MUST(tcp_item_at(tcp, i)->seq == at);
            at += tcp_item_at(tcp, i)->len;
            charge += tcp_item_at(tcp, i)->charge;
        }
        MUST(at == range->end);
        before = range->end;
        ranges++;
    }
    MUST(conn->n_ranges == ranges && ranges <= TCP_RANGES_MAX);
    MUST(conn->rx_charge == charge);
    for (unsigned i = 0; i < conn->n_sacks; i++)
        MUST(tcp_seq_lt(conn->sacks[i].start, conn->sacks[i].end) &&
             tcp_seq_gt(conn->sacks[i].end, conn->rcv_nxt));
    return NULL;
}

// Whatever waits has somebody who wakes it: else it waits for ever.
static const char *check_timers(const struct tcp_conn *conn)
{
    bool waits = conn->sent_head != TCP_NONE;

    if (conn->output_listed)
        return NULL;
    MUST(!waits || (conn->rtx != TCP_RTX_NONE && conn->rtx_us != TCP_NEVER));
    MUST(conn->state != SL_TCP_SYN_SENT || conn->rtx == TCP_RTX_SYN);
    MUST(conn->state != SL_TCP_SYN_RECEIVED || conn->rtx == TCP_RTX_SYN);
    MUST(!(conn->state == SL_TCP_ESTABLISHED || conn->state == SL_TCP_CLOSE_WAIT) || waits ||
         tcp_unsent(conn) == 0 || conn->rtx == TCP_RTX_PERSIST || conn->pace_due_us != TCP_NEVER);
    MUST(conn->rtx_us >= conn->armed_us && conn->delack_us >= conn->armed_us &&
         conn->slow_us >= conn->armed_us);
    return NULL;
}

// Every segment in flight left with no more delivered than is now, and what is paced has a rate.
static const char *check_rates(const struct sl_tcp_engine *tcp, const struct tcp_conn *conn)
{
    const struct tcp_rate *rate = conn->cc.rate;

    if (!tcp_rated(conn))
        return NULL;
    MUST(conn->cc.ops->state_bytes != 0);
    MUST(!tcp_synchronized(conn) || rate->pacing_bps != 0);
    MUST(conn->cc.ssthresh == UINT32_MAX);
    for (uint32_t i = conn->sent_head; i != TCP_NONE; i = tcp_record_at(tcp, i)->next)
        MUST(tcp->rates[i].delivered <= rate->delivered);
    return NULL;
}

// A residue has bytes that somebody may still want, and nothing else to do.
static const char *check_residue(const struct tcp_conn *conn)
{
    MUST(conn->state == SL_TCP_ESTABLISHED || conn->state == SL_TCP_CLOSE_WAIT);
    MUST(conn->tx_head != TCP_NONE);
    MUST(conn->rx_head == TCP_NONE && conn->rx_ranges == TCP_NONE);
    MUST(!tcp_has(conn, TCP_FIN_QUEUED | TCP_WANT_WRITE));
    MUST(conn->delack_us == TCP_NEVER && conn->slow_us == TCP_NEVER && conn->write_us == TCP_NEVER);
    return NULL;
}

static const char *check_conn(const struct sl_tcp_engine *tcp, const struct tcp_conn *conn)
{
    const char *wrong = NULL;

    MUST(conn->listener == TCP_NONE || tcp->listeners[conn->listener].in_use);
    MUST(conn->listener == TCP_NONE || conn->state == SL_TCP_SYN_RECEIVED || conn->events & SL_TCP_ACCEPTED);

    if (conn->state == SL_TCP_CLOSED) {
        MUST(conn->sent_head == TCP_NONE && conn->tx_head == TCP_NONE && conn->rx_ranges == TCP_NONE);
        return NULL;
    }
    if (!(wrong = check_numbers(conn)) && !(wrong = check_records(tcp, conn)) &&
        !(wrong = check_send_queue(tcp, conn)) && !(wrong = check_receive_queue(tcp, conn)) &&
        !(wrong = check_rates(tcp, conn)) && !(wrong = check_timers(conn)) && tcp_has(conn, TCP_RESIDUE))
        wrong = check_residue(conn);
    return wrong;
}

static const char *check_listener(const struct sl_tcp_engine *tcp, uint32_t index)
{
    const struct tcp_listener *listener = &tcp->listeners[index];
    uint32_t n = 0, given = 0, resets = 0, last = TCP_NONE;

    for (uint32_t i = listener->half_head; i != TCP_NONE; last = i, i = tcp_conn_at(tcp, i)->half_next, n++) {
        MUST(tcp_conn_at(tcp, i)->state == SL_TCP_SYN_RECEIVED);
        MUST(tcp_conn_at(tcp, i)->listener == index);
        MUST(tcp_conn_at(tcp, i)->half_prev == last);
        given += tcp_conn_at(tcp, i)->fast_open;
    }
    for (unsigned i = 0; i < TCP_FAST_OPEN_SLOTS; i++)
        resets += listener->resets[i];
    MUST(n == listener->half_open);
    MUST(given == listener->fast_open);
    MUST(resets == listener->n_resets);
    return NULL;
}

static const char *check_engine(const struct sl_tcp_engine *tcp)
{
    uint64_t rx = 0, tx = 0;
    uint32_t records = 0, connections = 0, models = 0;

    for (uint32_t i = 0; i < tcp->conns.fresh; i++) {
        const struct tcp_conn *conn = tcp_conn_at(tcp, i);
        const char *wrong;

        if (!tcp_has(conn, TCP_IN_USE))
            continue;
        if ((wrong = check_conn(tcp, conn)) != NULL)
            return wrong;
        rx += conn->rx_charge;
        tx += conn->tx_charge;
        records += conn->n_sent;
        connections++;
        models += tcp_rated(conn);
    }
    for (uint32_t i = 0; i < tcp->config.listeners; i++) {
        const char *wrong = tcp->listeners[i].in_use ? check_listener(tcp, i) : NULL;

        if (wrong)
            return wrong;
    }
    MUST(tcp->rx_charge == rx);
    MUST(tcp->tx_charge == tx);
    MUST(tcp->rx_charge <= tcp->config.rx_bytes);
    MUST(tcp->records.used == records);
    MUST(tcp->profiles.used <= connections);
    MUST(tcp->models.used == models);
    return NULL;
}

const char *sl_tcp_check(const struct sl_tcp_engine *tcp, const struct sl_tcp_conn *conn)
{
    return conn ? check_conn(tcp, (const struct tcp_conn *)conn) : check_engine(tcp);
}
