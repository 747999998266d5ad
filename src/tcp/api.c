// SPDX-License-Identifier: Apache-2.0
// The caller's side: listening, connecting, sending, reading, closing (RFC 9293 section 3.9.1).
#include <errno.h>
#include <string.h>
#include "tcp/engine.h"

static struct tcp_conn *inside(struct sl_tcp_conn *conn)
{
    return (struct tcp_conn *)conn;
}

void sl_tcp_options_default(struct sl_tcp_options *options)
{
    *options = (struct sl_tcp_options){
        .congestion = "cubic",
        .rx_bytes = 4u << 20,
        .rx_initial_bytes = 65536,
        .tx_bytes = 4u << 20,
        .mtu = 1500,
        .hop_limit = 64,
        .timestamps = true,
        .sack = true,
        .wscale = true,
        .ecn = true,
        .pacing = true,
        .mtu_probing = true,
        .keepalive_idle_ms = 0,
        .keepalive_interval_ms = 75000,
        .keepalive_probes = 9,
        .syn_retries = 7, // 4 minutes: RFC 9293 MUST-23 wants 3
        .synack_retries = 5,
        .retries = 15,
        .fin_wait_2_ms = 60000,
        .backlog = 1024,
        .fast_open_backlog = 256,
        .wscale_shift = 0xff,
    };
}

bool tcp_options_sound(const struct sl_tcp_options *options, bool v4)
{
    return options->mtu >= (v4 ? TCP_MTU_MIN : TCP_MTU_MIN_V6) && options->rx_bytes >= 1024 &&
           options->rx_initial_bytes && options->rx_bytes <= TCP_WINDOW_MAX && options->tx_bytes &&
           options->hop_limit && tcp_cc_find(options->congestion);
}

static void *failed(int *error, int code)
{
    if (error)
        *error = code;
    return NULL;
}

// ---- listening --------------------------------------------------------------------------------------------------
static bool listens_already(const struct sl_tcp_engine *tcp, const struct sl_ip *local, sl_be16 port)
{
    struct tcp_listener *listener = tcp_listener_find(tcp, local, port);

    return listener && sl_ip_equal(&listener->local, local);
}

struct sl_tcp_listener *sl_tcp_listen(struct sl_tcp_engine *tcp, const struct sl_ip *local, sl_be16 port,
                                      const struct sl_tcp_options *options, void *user, int *error)
{
    uint32_t i = 0;

    if (port == 0 || !tcp_options_sound(options, sl_ip_is_v4(local)))
        return failed(error, -EINVAL);
    if (listens_already(tcp, local, port))
        return failed(error, -EADDRINUSE);
    while (i < tcp->config.listeners && tcp->listeners[i].in_use)
        i++;
    if (i == tcp->config.listeners)
        return failed(error, -ENOBUFS);
    tcp->listeners[i] = (struct tcp_listener){.local = *local,
                                              .port = port,
                                              .in_use = true,
                                              .v4 = sl_ip_is_v4(local),
                                              .hash_next = tcp->ports[port % TCP_PORT_BUCKETS],
                                              .half_head = TCP_NONE,
                                              .engine = tcp,
                                              .options = *options,
                                              .user = user};
    tcp->ports[port % TCP_PORT_BUCKETS] = i;
    return (struct sl_tcp_listener *)&tcp->listeners[i];
}

int sl_tcp_listener_options_set(struct sl_tcp_listener *handle, const struct sl_tcp_options *options)
{
    struct tcp_listener *listener = (struct tcp_listener *)handle;

    if (!tcp_options_sound(options, listener->v4))
        return -EINVAL;
    listener->options = *options;
    return 0;
}

// Connections that the caller was never told of are his no more than the half-open ones: both are reset. What has ended
// and is to be told forgets the listener, whose slot may be another's tomorrow, and so does what he was given half-open.
static void forget_listener(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    bool half_open = conn->state == SL_TCP_SYN_RECEIVED && !conn->fast_open;

    if (half_open || (conn->state != SL_TCP_CLOSED && conn->events & SL_TCP_ACCEPTED)) {
        tcp_send_reset(tcp, conn, tcp->now_us);
        conn->flags |= TCP_ORPHAN;
        tcp_end(tcp, conn, -ECONNABORTED);
    } else if (conn->state == SL_TCP_SYN_RECEIVED) {
        tcp_half_open_remove(tcp, conn);
    }
    conn->listener = TCP_NONE;
}

void sl_tcp_unlisten(struct sl_tcp_listener *handle)
{
    struct tcp_listener *listener = (struct tcp_listener *)handle;
    struct sl_tcp_engine *tcp = listener->engine;
    uint32_t index = (uint32_t)(listener - tcp->listeners),
             *at = &tcp->ports[listener->port % TCP_PORT_BUCKETS];

    while (*at != TCP_NONE && *at != index)
        at = &tcp->listeners[*at].hash_next;
    if (*at == index)
        *at = listener->hash_next;
    while (listener->half_head != TCP_NONE)
        forget_listener(tcp, tcp_conn_at(tcp, listener->half_head));
    for (uint32_t i = tcp->event_head; i != TCP_NONE; i = tcp_conn_at(tcp, i)->event_next) // who is to be told of
        if (tcp_has(tcp_conn_at(tcp, i), TCP_IN_USE) && tcp_conn_at(tcp, i)->listener == index)
            forget_listener(tcp, tcp_conn_at(tcp, i));
    listener->in_use = false;
}

// ---- connecting -------------------------------------------------------------------------------------------------
// The tuple must be free; one that waits may be used again where its timestamps go on (RFC 6191 works for both ends).
static int tuple_take(struct sl_tcp_engine *tcp, const struct tcp_tuple *tuple, uint32_t *isn)
{
    uint32_t name = tcp_table_find(tcp, tuple);
    const struct tcp_time_wait *wait;

    *isn = tcp_isn(&tcp->secret, tuple, tcp->now_us);
    if (name == TCP_NONE)
        return 0;
    if (!(name & TCP_WAIT_BIT))
        return -EADDRINUSE;
    wait = tcp_wait_at(tcp, name & ~TCP_WAIT_BIT);
    if (!wait->timestamps || tcp->now_us - wait->ts_recent_us < TCP_S)
        return -EADDRINUSE;
    if (tcp_seq_lt(*isn, wait->snd_nxt + 65537))
        *isn = wait->snd_nxt + 65537;
    tcp->counters.time_waits_reused++;
    tcp_time_wait_free(tcp, name & ~TCP_WAIT_BIT);
    return 0;
}

static void begin_active(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t isn)
{
    conn->iss = conn->snd_una = isn;
    conn->snd_nxt = conn->snd_end = isn + 1;
    conn->snd_up = isn;
    conn->fack = conn->high_seq = conn->rack_end = conn->ecn_seq = conn->small_end = isn + 1;
    conn->retrans_ts = tcp_ts_now(conn, tcp->now_us);
    conn->flags |= TCP_SYN_NOW;
    tcp->counters.opened_active++;
    tcp_trace_add(tcp, conn, TCP_TRACE_OPEN, 1, __builtin_bswap16(conn->tuple.remote_port));
    tcp_state_set(tcp, conn, SL_TCP_SYN_SENT);
    tcp_want_output(tcp, conn);
}

struct sl_tcp_conn *sl_tcp_connect(struct sl_tcp_engine *tcp, const struct sl_ip *local, sl_be16 local_port,
                                   const struct sl_ip *remote, sl_be16 remote_port,
                                   const struct sl_tcp_options *options, void *user, uint64_t now_us,
                                   int *error)
{
    struct tcp_tuple tuple = {*local, *remote, local_port, remote_port};
    struct tcp_conn *conn;
    uint32_t isn;
    int code;

    tcp->now_us = now_us;
    if (!local_port || !remote_port || sl_ip_is_v4(local) != sl_ip_is_v4(remote) || !tcp_is_host(local) ||
        !tcp_is_host(remote) ||
        !tcp_options_sound(options, sl_ip_is_v4(remote)))
        return failed(error, -EINVAL);
    if ((code = tuple_take(tcp, &tuple, &isn)) != 0)
        return failed(error, code);
    conn = tcp_conn_new(tcp, &tuple, options, now_us);
    if (conn == NULL)
        return failed(error, -ENOBUFS);
    conn->user = user;
    begin_active(tcp, conn, isn);
    return (struct sl_tcp_conn *)conn;
}

bool sl_tcp_holds(const struct sl_tcp_engine *tcp, const struct sl_ip *local, sl_be16 local_port,
                  const struct sl_ip *remote, sl_be16 remote_port)
{
    const struct tcp_tuple tuple = {*local, *remote, local_port, remote_port};

    return tcp_table_find(tcp, &tuple) != TCP_NONE;
}

// ---- sending ----------------------------------------------------------------------------------------------------
static bool may_queue(const struct tcp_conn *conn)
{
    return !tcp_has(conn, TCP_FIN_QUEUED | TCP_RESIDUE) &&
           (conn->state == SL_TCP_ESTABLISHED || conn->state == SL_TCP_CLOSE_WAIT ||
            conn->state == SL_TCP_SYN_SENT || conn->state == SL_TCP_SYN_RECEIVED);
}

// As much as is free, and no more than options.tx_bytes: see tcp_rx_room().
bool tcp_tx_full(const struct sl_tcp_engine *tcp, const struct tcp_conn *conn)
{
    uint64_t free = tcp->config.tx_bytes > tcp->tx_charge ? tcp->config.tx_bytes - tcp->tx_charge : 0;

    return conn->tx_charge >= tcp_min_u64(conn->options->tx_bytes, free);
}

// An acknowledgement will tell whoever has something queued. Who has nothing, as others hold it all, has to look himself.
static int no_room(struct sl_tcp_engine *tcp, struct tcp_conn *conn, int error)
{
    conn->flags |= TCP_WANT_WRITE;
    if (conn->tx_head == TCP_NONE) {
        conn->write_us = tcp->now_us + TCP_LOOK_AGAIN_US;
        tcp_arm(tcp, conn);
    }
    return error;
}

static void queue(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t index, const struct sl_tcp_chunk *chunk)
{
    *tcp_item_at(tcp, index) = (union tcp_item){.owner = chunk->owner,
                                                .data = chunk->data,
                                                .seq = conn->snd_end,
                                                .len = chunk->len,
                                                .charge = chunk->charge,
                                                .next = TCP_NONE};
    if (conn->tx_tail == TCP_NONE)
        conn->tx_head = index;
    else
        tcp_item_at(tcp, conn->tx_tail)->next = index;
    conn->tx_tail = index;
    if (conn->tx_next == TCP_NONE)
        conn->tx_next = index;
    conn->snd_end += chunk->len;
    conn->tx_charge += chunk->charge;
    tcp->tx_charge += chunk->charge;
}

void sl_tcp_prefetch(const struct sl_tcp_conn *handle)
{
    tcp_conn_prefetch((const struct tcp_conn *)handle, true);
}

// What the output that follows will touch besides the connection.
static void ask_for_output(const struct sl_tcp_engine *tcp, const struct tcp_conn *conn)
{
    tcp_wheel_prefetch(&tcp->wheel, tcp_conn_index(tcp, conn));
    if (conn->sent_tail != TCP_NONE)
        __builtin_prefetch(tcp_record_at(tcp, conn->sent_tail), 1);
}

int sl_tcp_send(struct sl_tcp_conn *handle, const struct sl_tcp_chunk *chunk, uint64_t now_us)
{
    struct tcp_conn *conn = inside(handle);
    struct sl_tcp_engine *tcp = conn->engine;
    uint32_t index;

    tcp->now_us = now_us;
    if (tcp_rated(conn) && tcp_synchronized(conn))
        tcp_rate_check(conn, now_us);
    if (!may_queue(conn))
        return conn->state == SL_TCP_CLOSED && conn->error ? conn->error : -EPIPE;
    if (chunk->len == 0 || chunk->charge < chunk->len)
        return -EINVAL;
    if (tcp_tx_full(tcp, conn))
        return no_room(tcp, conn, -EAGAIN);
    index = tcp_pool_get(&tcp->items);
    if (index == TCP_NONE)
        return no_room(tcp, conn, -ENOBUFS);
    queue(tcp, conn, index, chunk);
    ask_for_output(tcp, conn);
    tcp_want_output(tcp, conn);
    return 0;
}

void sl_tcp_urgent(struct sl_tcp_conn *handle)
{
    struct tcp_conn *conn = inside(handle);

    conn->snd_up = conn->snd_end;
    conn->flags |= TCP_URG_QUEUED;
}

// ---- reading ----------------------------------------------------------------------------------------------------
static int nothing_to_read(const struct tcp_conn *conn)
{
    if (tcp_has(conn, TCP_FIN_RECEIVED))
        return 0;
    if (conn->state == SL_TCP_CLOSED)
        return conn->error;
    return -EAGAIN;
}

static void take_whole(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    uint32_t index = conn->rx_head;
    union tcp_item *item = tcp_item_at(tcp, index);

    conn->rx_head = item->next;
    if (conn->rx_head == TCP_NONE)
        conn->rx_tail = TCP_NONE;
    conn->rx_charge -= item->charge;
    tcp->rx_charge -= item->charge;
    tcp_pool_put(&tcp->items, index);
}

// The buffer is shared then: its charge stays with us until the rest is read.
static void take_part(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t bytes)
{
    union tcp_item *item = tcp_item_at(tcp, conn->rx_head);

    tcp_hold(tcp, item->owner);
    item->data += bytes;
    item->seq += bytes;
    item->len -= bytes;
}

int sl_tcp_read(struct sl_tcp_conn *handle, uint32_t max, struct sl_tcp_chunk *chunk, uint64_t now_us)
{
    struct tcp_conn *conn = inside(handle);
    struct sl_tcp_engine *tcp = conn->engine;
    const union tcp_item *item;

    tcp->now_us = now_us;
    if (conn->rx_head == TCP_NONE)
        return nothing_to_read(conn);
    if (max == 0)
        return -EINVAL;
    item = tcp_item_at(tcp, conn->rx_head);
    *chunk = (struct sl_tcp_chunk){item->data, tcp_min_u32(item->len, max), item->charge, item->owner};
    if (item->len <= max)
        take_whole(tcp, conn);
    else
        take_part(tcp, conn, max);
    conn->rx_unread -= chunk->len;
    if (conn->urgent && tcp_seq_le(conn->rcv_up, tcp_read_seq(conn)))
        conn->urgent = false;
    if (conn->state == SL_TCP_CLOSED)
        return 1;
    tcp_rx_read(tcp, conn, chunk->len, now_us);
    if (tcp_window_update_due(tcp, conn))
        tcp_want_output(tcp, conn);
    return 1;
}

bool sl_tcp_peek(const struct sl_tcp_conn *handle, uint32_t i, struct sl_tcp_chunk *chunk)
{
    const struct tcp_conn *conn = (const struct tcp_conn *)handle;
    uint32_t at = conn->rx_head;

    while (i-- && at != TCP_NONE)
        at = tcp_item_at(conn->engine, at)->next;
    if (at == TCP_NONE)
        return false;
    const union tcp_item *item = tcp_item_at(conn->engine, at);
    *chunk = (struct sl_tcp_chunk){item->data, item->len, item->charge, item->owner};
    return true;
}

// ---- closing ------------------------------------------------------------------------------------------------------
// Section 3.10.4. The state changes as the FIN is queued, as in Linux; it is sent behind what is queued.
int sl_tcp_shutdown(struct sl_tcp_conn *handle, uint64_t now_us)
{
    struct tcp_conn *conn = inside(handle);
    struct sl_tcp_engine *tcp = conn->engine;

    tcp->now_us = now_us;
    if (tcp_has(conn, TCP_FIN_QUEUED) || conn->state == SL_TCP_CLOSED)
        return 0;
    if (conn->state == SL_TCP_SYN_SENT || tcp_has(conn, TCP_RESIDUE))
        return -ENOTCONN;
    conn->flags |= TCP_FIN_QUEUED;
    if (conn->state == SL_TCP_ESTABLISHED) // SYN-RECEIVED waits: tcp_established()
        tcp_state_set(tcp, conn, SL_TCP_FIN_WAIT_1);
    else if (conn->state == SL_TCP_CLOSE_WAIT)
        tcp_state_set(tcp, conn, SL_TCP_LAST_ACK);
    tcp_want_output(tcp, conn);
    return 0;
}

static void drop_unread(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    struct sl_tcp_chunk chunk;

    while (conn->rx_head != TCP_NONE) {
        const union tcp_item *item = tcp_item_at(tcp, conn->rx_head);

        chunk = (struct sl_tcp_chunk){.owner = item->owner, .len = item->len};
        take_whole(tcp, conn);
        conn->rx_unread -= chunk.len;
        tcp_release(tcp, chunk.owner);
    }
}

void sl_tcp_close(struct sl_tcp_conn *handle, uint64_t now_us)
{
    struct tcp_conn *conn = inside(handle);
    struct sl_tcp_engine *tcp = conn->engine;
    bool unread = conn->rx_unread != 0;

    tcp->now_us = now_us;
    if (tcp_has(conn, TCP_ORPHAN))
        return;
    if (conn->state != SL_TCP_CLOSED && (unread || conn->state == SL_TCP_SYN_SENT)) {
        sl_tcp_abort(handle, now_us);
        return;
    }
    drop_unread(tcp, conn);
    conn->flags |= TCP_ORPHAN;
    conn->events = 0;
    if (conn->state == SL_TCP_CLOSED) {
        tcp_conn_free(tcp, conn);
        return;
    }
    sl_tcp_shutdown(handle, now_us);
    tcp_slow_timer_arm(tcp, conn, now_us);
}

// Section 3.10.5.
void sl_tcp_abort(struct sl_tcp_conn *handle, uint64_t now_us)
{
    struct tcp_conn *conn = inside(handle);
    struct sl_tcp_engine *tcp = conn->engine;

    tcp->now_us = now_us;
    conn->flags |= TCP_ORPHAN;
    drop_unread(tcp, conn);
    if (conn->state == SL_TCP_CLOSED) {
        tcp_conn_free(tcp, conn);
        return;
    }
    if (conn->state == SL_TCP_TIME_WAIT) // the next output acknowledges the FIN and moves it to where it waits
        return;
    if (conn->state != SL_TCP_SYN_SENT)
        tcp_send_reset(tcp, conn, now_us);
    tcp_end(tcp, conn, -ECONNABORTED);
}

// ---- knowing --------------------------------------------------------------------------------------------------------
void sl_tcp_user_set(struct sl_tcp_conn *conn, void *user)
{
    inside(conn)->user = user;
}

// What a SYN has offered is what its answer is held against.
static void keep_offered(struct sl_tcp_options *wanted, const struct sl_tcp_options *before)
{
    wanted->timestamps = before->timestamps;
    wanted->sack = before->sack;
    wanted->wscale = before->wscale;
    wanted->wscale_shift = before->wscale_shift;
    wanted->rx_bytes = wanted->wscale_shift == 0xff ? before->rx_bytes : wanted->rx_bytes; // the scale follows from it
    wanted->ecn = before->ecn;
    wanted->mtu = before->mtu;
    wanted->mss_clamp = before->mss_clamp;
}

void sl_tcp_options_set(struct sl_tcp_conn *handle, const struct sl_tcp_options *options, uint64_t now_us)
{
    struct tcp_conn *conn = inside(handle);
    const struct sl_tcp_options *before = conn->options;
    struct sl_tcp_options wanted = *options;

    if (conn->state == SL_TCP_SYN_SENT || conn->state == SL_TCP_SYN_RECEIVED)
        keep_offered(&wanted, before);
    conn->options = tcp_profile_get(conn->engine, &wanted);
    tcp_profile_put(conn->engine, before);
    if (conn->state == SL_TCP_CLOSED)
        return;
    tcp_mtu_fit(conn, now_us);
    tcp_slow_timer_arm(conn->engine, conn, now_us);
    tcp_want_output(conn->engine, conn);
}

void sl_tcp_quick_ack(struct sl_tcp_conn *handle, bool quick, uint64_t now_us)
{
    struct tcp_conn *conn = inside(handle);

    conn->engine->now_us = now_us;
    conn->quick_acks = quick ? TCP_QUICK_ACKS : 0;
    if (quick && tcp_has(conn, TCP_ACK_DELAYED))
        tcp_ack_now(conn->engine, conn, false);
}

static void count_segments(const struct tcp_conn *conn, struct sl_tcp_info *info)
{
    const struct tcp_record *record;

    for (uint32_t i = conn->sent_head; i != TCP_NONE; i = record->next) {
        record = tcp_record_at(conn->engine, i);
        info->in_flight_segments++;
        info->sacked_segments += !!(record->flags & TCP_SENT_SACKED);
        info->lost_segments += !!(record->flags & TCP_SENT_LOST);
        info->retrans_segments += !!(record->flags & TCP_SENT_RETRANS);
    }
}

void sl_tcp_info(const struct sl_tcp_conn *handle, struct sl_tcp_info *info)
{
    const struct tcp_conn *conn = (const struct tcp_conn *)handle;

    *info = (struct sl_tcp_info){
        .state = conn->state,
        .local = conn->tuple.local,
        .remote = conn->tuple.remote,
        .local_port = conn->tuple.local_port,
        .remote_port = conn->tuple.remote_port,
        .snd_una = conn->snd_una,
        .snd_nxt = conn->snd_nxt,
        .snd_wnd = conn->snd_wnd,
        .snd_queued = tcp_unsent(conn),
        .rcv_nxt = conn->rcv_nxt,
        .rcv_wnd = tcp_rcv_wnd(conn),
        .rcv_unread = conn->rx_unread,
        .rcv_urgent = conn->urgent ? conn->rcv_up - tcp_read_seq(conn) : 0,
        .cwnd = conn->cc.cwnd,
        .ssthresh = conn->cc.ssthresh,
        .pipe = tcp_pipe(conn),
        .snd_mss = conn->snd_mss,
        .rcv_mss = conn->rcv_mss,
        .mtu = conn->path_mtu,
        .peer_mss = conn->peer_mss,
        .snd_wscale = conn->snd_wscale,
        .rcv_wscale = conn->rcv_wscale,
        .timestamps = tcp_has(conn, TCP_TS_ON),
        .sack = tcp_has(conn, TCP_SACK_ON),
        .wscale = tcp_has(conn, TCP_WSCALE_ON),
        .ecn = tcp_has(conn, TCP_ECN_ON),
        .fast_open = conn->fast_open,
        .recovery = conn->recovery,
        .backoff = conn->backoff,
        .srtt_us = conn->srtt_us,
        .rttvar_us = conn->rttvar_us,
        .min_rtt_us = conn->min_rtt_us,
        .rto_us = conn->rto_us,
        .bytes_acked = conn->bytes_acked,
        .bytes_received = conn->bytes_received,
        .retransmits = conn->retransmits,
        .segments_in = conn->segments_in,
        .segments_out = conn->segments_out,
        .reordering = tcp_has(conn, TCP_REORDER_SEEN),
        .congestion = conn->cc.ops->name,
        .slot = tcp_conn_index(conn->engine, conn),
        .error = conn->error,
    };
    count_segments(conn, info);
}
