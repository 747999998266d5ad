// SPDX-License-Identifier: Apache-2.0
// TCP Fast Open, the server's side (RFC 7413): what rode on a SYN whose cookie is good is read before the handshake has
// ended, and answered. Until then only the SYN-ACK is repeated, the initial window bounds what is sent, and a listener
// has so many of these at once. Where SYN cookies rule, nothing of this happens: see syn.c.
#include <string.h>
#include "tcp/engine.h"

#define SLOT_US (TCP_FAST_OPEN_RESET_US / (TCP_FAST_OPEN_SLOTS - 1)) // of resets remembered

// ---- cookies ------------------------------------------------------------------------------------------------------
enum age { FRESH, OLD, STRANGE };

// Section 4.1.2: the one that would be made now, or was in the epoch before.
static enum age age_of(const struct sl_tcp_engine *tcp, const struct tcp_conn *conn,
                       const struct tcp_options *syn)
{
    uint64_t epoch = tcp->now_us / TCP_FAST_OPEN_EPOCH_US;
    uint8_t cookie[TCP_TFO_COOKIE];

    if (syn->tfo_len != sizeof(cookie))
        return STRANGE;
    for (unsigned age = FRESH; age <= OLD; age++) {
        tcp_tfo_cookie(&tcp->fast_open, &conn->tuple.remote, epoch - age, cookie);
        if (memcmp(cookie, syn->tfo, sizeof(cookie)) == 0)
            return (enum age)age;
    }
    return STRANGE;
}

// Not on a SYN-ACK sent again: a box on the way may be what dropped the first (section 4.2.2).
void tcp_fast_open_option(const struct sl_tcp_engine *tcp, const struct tcp_conn *conn,
                          struct tcp_options *out)
{
    if (!conn->tfo_wanted || conn->backoff)
        return;
    out->present |= TCP_OPTION_TFO;
    out->tfo_len = TCP_TFO_COOKIE;
    tcp_tfo_cookie(&tcp->fast_open, &conn->tuple.remote, tcp->now_us / TCP_FAST_OPEN_EPOCH_US, out->tfo);
}

// ---- how many at once -----------------------------------------------------------------------------------------------
static void resets_expire(struct tcp_listener *listener, uint64_t now_us)
{
    uint64_t slot = now_us / SLOT_US;

    for (unsigned i = 0; i < TCP_FAST_OPEN_SLOTS && listener->reset_slot + i < slot; i++) {
        uint32_t *oldest = &listener->resets[(listener->reset_slot + i + 1) % TCP_FAST_OPEN_SLOTS];

        listener->n_resets -= *oldest;
        *oldest = 0;
    }
    listener->reset_slot = slot;
}

static bool is_full(const struct sl_tcp_engine *tcp, struct tcp_listener *listener)
{
    resets_expire(listener, tcp->now_us);
    return (uint64_t)listener->fast_open + listener->n_resets >= listener->options.fast_open_backlog;
}

// Section 5.1: a reset before the handshake's end frees no place for a minute, or whoever has a cookie and aims the
// SYN-ACKs at hosts that answer so would know no bound.
void tcp_fast_open_reset(struct sl_tcp_engine *tcp, const struct tcp_conn *conn)
{
    struct tcp_listener *listener;

    if (conn->listener == TCP_NONE)
        return;
    listener = &tcp->listeners[conn->listener];
    resets_expire(listener, tcp->now_us);
    listener->resets[listener->reset_slot % TCP_FAST_OPEN_SLOTS]++;
    listener->n_resets++;
}

// ---- SYN ------------------------------------------------------------------------------------------------------------
// The SYN-ACK acknowledges what was taken: nothing else has to.
static bool take_text(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in)
{
    struct sl_tcp_in text = *in;
    bool kept;

    text.seq++;
    kept = tcp_payload_input(tcp, conn, &text);
    conn->flags &= ~(uint32_t)(TCP_ACK_NOW | TCP_ACK_DELAYED | TCP_DUP_ACK);
    conn->delack_us = TCP_NEVER;
    conn->full_segments = 0;
    conn->rcv_wup = conn->rcv_nxt;
    return kept;
}

// Section 4.2.2, steps 4 to 6.
static bool accept_now(struct sl_tcp_engine *tcp, struct tcp_listener *listener, struct tcp_conn *conn,
                       const struct sl_tcp_in *in)
{
    if (in->payload.len &&
        !take_text(tcp, conn, in)) { // no memory: the client says it again after the handshake
        tcp->counters.fast_open_refused++;
        return false;
    }
    conn->fast_open = true;
    listener->fast_open++;
    conn->small_end = conn->snd_una; // the SYN is no small segment that others have to wait for
    tcp_first_cwnd(conn);
    tcp->counters.fast_open_accepted++;
    tcp_trace_add(tcp, conn, TCP_TRACE_OPEN, 3, __builtin_bswap16(conn->tuple.remote_port));
    tcp_event_add(tcp, conn, SL_TCP_ACCEPTED | SL_TCP_WRITABLE);
    return in->payload.len != 0;
}

bool tcp_fast_open_syn(struct sl_tcp_engine *tcp, struct tcp_listener *listener, struct tcp_conn *conn,
                       const struct sl_tcp_in *in, const struct tcp_options *syn)
{
    enum age age = syn->tfo_len ? age_of(tcp, conn, syn) : STRANGE;

    if (is_full(tcp, listener)) { // step 2: an ordinary handshake
        tcp->counters.fast_open_refused += syn->tfo_len != 0;
        return false;
    }
    conn->tfo_wanted = age != FRESH;
    tcp->counters.fast_open_cookies += conn->tfo_wanted;
    if (age != STRANGE)
        return accept_now(tcp, listener, conn, in);
    tcp->counters.fast_open_refused += syn->tfo_len != 0;
    return false;
}

// ---- the handshake's end -------------------------------------------------------------------------------------------
// A client that had not seen the SYN-ACK dropped what came behind it: where that had to be sent again, so has the rest.
void tcp_fast_open_established(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    if (conn->sent_head == TCP_NONE)
        return;
    if (conn->stalled_us == 0)
        conn->stalled_us = tcp->now_us;
    if (conn->retransmits == 0)
        return;
    tcp_recovery_timeout(tcp, conn, tcp->now_us);
    conn->rtx = TCP_RTX_RTO;
    conn->rtx_us = tcp->now_us + tcp_rto_backed_off(conn);
    tcp_arm(tcp, conn);
    tcp_want_output(tcp, conn);
}
