// SPDX-License-Identifier: Apache-2.0
// What time brings a connection: repetitions, probes, acknowledgements that were put off, and the end of patience.
#include <errno.h>
#include "tcp/engine.h"

// RFC 9293 section 3.8.3, RFC 5482: so long without an acknowledgement is the end. Without a user timeout it is the time
// that `times` repetitions with a doubling timer would take.
bool tcp_gives_up(const struct tcp_conn *conn, uint64_t now_us, unsigned times)
{
    if (conn->options->user_timeout_ms && conn->stalled_us)
        return now_us - conn->stalled_us >= conn->options->user_timeout_ms * TCP_MS;
    return times >= conn->options->retries;
}

static void give_up(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    tcp->counters.timed_out++;
    tcp_send_reset(tcp, conn, tcp->now_us);
    tcp_end(tcp, conn, conn->error ? conn->error : -ETIMEDOUT);
}

static void back_off(struct tcp_conn *conn)
{
    if (conn->backoff < UINT8_MAX)
        conn->backoff++;
}

// The next timeout, or the end of the user's patience where that comes before it.
static uint64_t next_timeout(const struct tcp_conn *conn, uint64_t now_us)
{
    uint64_t due = now_us + tcp_rto_backed_off(conn), end;

    if (!conn->options->user_timeout_ms || !conn->stalled_us)
        return due;
    end = conn->stalled_us + conn->options->user_timeout_ms * TCP_MS;
    return end > now_us ? tcp_min_u64(due, end) : due;
}

// ---- SYN ----------------------------------------------------------------------------------------------------------
static void syn_timeout(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us)
{
    uint8_t retries =
        conn->state == SL_TCP_SYN_SENT ? conn->options->syn_retries : conn->options->synack_retries;
    bool over = conn->options->user_timeout_ms && conn->state == SL_TCP_SYN_SENT
                    ? now_us - conn->sent_us >= conn->options->user_timeout_ms * TCP_MS
                    : conn->backoff >= retries;

    if (over) {
        tcp->counters.timed_out++;
        tcp_end(tcp, conn, conn->error ? conn->error : -ETIMEDOUT);
        return;
    }
    back_off(conn);
    tcp->counters.retransmits++;
    conn->retransmits++;
    tcp_trace_add(tcp, conn, TCP_TRACE_RTO, conn->backoff, (uint32_t)(tcp_rto_backed_off(conn) / TCP_MS));
    conn->flags |= TCP_SYN_NOW;
    conn->rtx_us = now_us + tcp_rto_backed_off(conn);
    tcp_want_output(tcp, conn);
}

// ---- data ---------------------------------------------------------------------------------------------------------
// What is repeated into a window that was shrunk to nothing is a probe of it, which may go on for as long as the peer
// answers (RFC 9293 SHLD-17, MUST-36). A path that eats large segments is no matter either then.
static bool probes_shut_window(const struct tcp_conn *conn, uint64_t now_us)
{
    return conn->snd_wnd == 0 && !tcp_has(conn, TCP_ORPHAN) && !conn->options->user_timeout_ms &&
           now_us - conn->heard_us < 2 * TCP_RTO_MAX_US;
}

static void data_timeout(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us)
{
    bool shut = probes_shut_window(conn, now_us);

    if (conn->sent_head == TCP_NONE) {
        conn->rtx = TCP_RTX_NONE;
        return;
    }
    if (!shut && tcp_gives_up(conn, now_us, conn->timeouts)) {
        give_up(tcp, conn);
        return;
    }
    tcp_recovery_timeout(tcp, conn, now_us);
    if (!shut)
        tcp_mtu_timeout(tcp, conn, now_us);
    back_off(conn);
    if (conn->timeouts < (shut ? 1 : UINT8_MAX))
        conn->timeouts++;
    tcp->counters.timeouts++;
    tcp_trace_add(tcp, conn, TCP_TRACE_RTO, conn->backoff, conn->rto_us / 1000);
    conn->rtx = TCP_RTX_RTO;
    conn->rtx_us = next_timeout(conn, now_us);
    tcp_want_output(tcp, conn);
}

static void reorder_timeout(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    struct tcp_options none = {0};
    struct tcp_ack_sample sample = {.now_us = tcp->now_us,
                                    .prior_una = conn->snd_una,
                                    .prior_sacked = conn->sacked,
                                    .prior_lost = conn->lost_total};

    conn->rtx = TCP_RTX_NONE;
    tcp_recovery_ack(tcp, conn, &none, &sample);
    if (conn->rtx == TCP_RTX_NONE)
        tcp_rtx_arm(tcp, conn, tcp->now_us);
    tcp_want_output(tcp, conn);
}

// Nobody is left to close a connection whose caller has let go: a peer who shuts his window for minutes would pin its bytes
// for as long as he likes (as Linux has it for orphans).
static bool forsaken(const struct tcp_conn *conn)
{
    return tcp_has(conn, TCP_ORPHAN) && tcp_rto_backed_off(conn) >= TCP_RTO_MAX_US;
}

// RFC 9293 section 3.8.6.1: for as long as the peer answers (MUST-36, MUST-37); one that does not has the patience of data.
static void persist_timeout(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us)
{
    conn->rtx = TCP_RTX_NONE;
    if (conn->sent_head != TCP_NONE) {
        tcp_rtx_arm(tcp, conn, now_us);
        return;
    }
    if (conn->stalled_us == 0)
        conn->stalled_us = now_us;
    if (tcp_gives_up(conn, now_us, conn->probes) || forsaken(conn)) {
        give_up(tcp, conn);
        return;
    }
    conn->probes++;
    back_off(conn);
    tcp->counters.persist_probes++;
    tcp_trace_add(tcp, conn, TCP_TRACE_PERSIST, conn->probes, (uint32_t)(tcp_rto_backed_off(conn) / TCP_MS));
    conn->flags |= TCP_WINDOW_PROBE;
    tcp_persist_arm(tcp, conn, now_us);
    conn->rtx_us = next_timeout(conn, now_us);
    tcp_arm(tcp, conn);
    tcp_want_output(tcp, conn);
}

static void rtx_timeout(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us)
{
    conn->rtx_us = TCP_NEVER;
    if (tcp_rated(conn) && tcp_synchronized(conn))
        tcp_rate_check(conn, now_us);
    switch (conn->rtx) {
    case TCP_RTX_SYN:
        syn_timeout(tcp, conn, now_us);
        break;
    case TCP_RTX_RTO:
        data_timeout(tcp, conn, now_us);
        break;
    case TCP_RTX_PROBE:
        conn->rtx = TCP_RTX_NONE;
        conn->flags |= TCP_PROBE_NOW;
        tcp_want_output(tcp, conn);
        break;
    case TCP_RTX_REORDER:
        reorder_timeout(tcp, conn);
        break;
    case TCP_RTX_PERSIST:
        persist_timeout(tcp, conn, now_us);
        break;
    default:
        break;
    }
}

// ---- silence --------------------------------------------------------------------------------------------------------
static bool waits_for_fin(const struct tcp_conn *conn)
{
    return conn->state == SL_TCP_FIN_WAIT_2 && tcp_has(conn, TCP_ORPHAN) && conn->options->fin_wait_2_ms;
}

static uint64_t keepalive_due(const struct tcp_conn *conn)
{
    uint64_t due = conn->heard_us + conn->options->keepalive_idle_ms * TCP_MS;

    return due + (uint64_t)conn->probes * conn->options->keepalive_interval_ms * TCP_MS;
}

void tcp_slow_timer_arm(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us)
{
    conn->slow_us = TCP_NEVER;
    if (waits_for_fin(conn))
        conn->slow_us = now_us + conn->options->fin_wait_2_ms * TCP_MS;
    else if (conn->options->keepalive_idle_ms && tcp_synchronized(conn) && !tcp_has(conn, TCP_RESIDUE))
        conn->slow_us = keepalive_due(conn) > now_us ? keepalive_due(conn) : now_us + TCP_MS;
    tcp_arm(tcp, conn);
}

// RFC 9293 section 3.8.4: a probe is answered by whoever lives; so many without an answer in a row are the end.
static void keepalive(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us)
{
    if (now_us < keepalive_due(conn) || conn->sent_head != TCP_NONE || conn->rtx == TCP_RTX_PERSIST) {
        if (conn->sent_head != TCP_NONE || conn->rtx == TCP_RTX_PERSIST)
            conn->slow_us = now_us + conn->options->keepalive_idle_ms * TCP_MS; // those timers ask already
        else
            conn->slow_us = keepalive_due(conn);
        return;
    }
    if (conn->options->user_timeout_ms
            ? conn->probes && now_us - conn->heard_us >= conn->options->user_timeout_ms * TCP_MS
            : conn->probes >= conn->options->keepalive_probes) {
        give_up(tcp, conn);
        return;
    }
    conn->probes++;
    tcp->counters.keepalives++;
    tcp_trace_add(tcp, conn, TCP_TRACE_KEEPALIVE, conn->probes,
                  (uint32_t)((now_us - conn->heard_us) / TCP_S));
    conn->flags |= TCP_KEEPALIVE_NOW;
    conn->slow_us = now_us + conn->options->keepalive_interval_ms * TCP_MS;
    tcp_want_output(tcp, conn);
}

static void slow_timeout(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us)
{
    conn->slow_us = TCP_NEVER;
    if (waits_for_fin(conn)) {
        tcp_end(tcp, conn, 0); // the peer never says FIN: half a TIME-WAIT is of no use to anybody
        return;
    }
    if (conn->options->keepalive_idle_ms && conn->state != SL_TCP_TIME_WAIT)
        keepalive(tcp, conn, now_us);
}

static void write_timeout(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us)
{
    conn->write_us = TCP_NEVER;
    if (!tcp_has(conn, TCP_WANT_WRITE) || conn->tx_head != TCP_NONE)
        return;
    if (tcp_tx_full(tcp, conn) || tcp->items.used == tcp->items.n) {
        conn->write_us = now_us + TCP_LOOK_AGAIN_US;
        return;
    }
    conn->flags &= ~(uint32_t)TCP_WANT_WRITE;
    tcp_event_add(tcp, conn, SL_TCP_WRITABLE);
}

void tcp_timers(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us)
{
    if (conn->state == SL_TCP_CLOSED)
        return;
    if (conn->delack_us <= now_us) {
        conn->delack_us = TCP_NEVER;
        tcp_ack_now(tcp, conn, false);
    }
    if (conn->pace_due_us <= now_us) {
        conn->pace_due_us = TCP_NEVER;
        tcp_want_output(tcp, conn);
    }
    if (conn->write_us <= now_us)
        write_timeout(tcp, conn, now_us);
    if (conn->rtx_us <= now_us)
        rtx_timeout(tcp, conn, now_us);
    if (conn->state != SL_TCP_CLOSED && conn->slow_us <= now_us)
        slow_timeout(tcp, conn, now_us);
}
