// SPDX-License-Identifier: Apache-2.0
// The engine as a whole, and the life of its connections: where they begin, end and are listed.
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "tcp/engine.h"

static_assert(sizeof(union tcp_item) == 32, "items are many");
static_assert(sizeof(struct tcp_record) == 40, "records are many");
static_assert(sizeof(struct tcp_conn) <= 768, "connections are many");
static_assert(offsetof(struct tcp_conn, rcv_nxt) == 1 * TCP_CONN_LINE &&
                  offsetof(struct tcp_conn, dsack) == 2 * TCP_CONN_LINE &&
                  offsetof(struct tcp_conn, rtx_us) == 3 * TCP_CONN_LINE &&
                  offsetof(struct tcp_conn, snd_una) == 4 * TCP_CONN_LINE &&
                  offsetof(struct tcp_conn, sent_tail) == 5 * TCP_CONN_LINE &&
                  offsetof(struct tcp_conn, srtt_us) == 6 * TCP_CONN_LINE &&
                  offsetof(struct tcp_conn, cc) == 7 * TCP_CONN_LINE,
              "fields that are used together lie in a line of their own");
static_assert(sizeof(struct tcp_rate_sent) == 24, "one for each record, where rates are sampled");
static_assert(sizeof(struct tcp_time_wait) <= 112, "TIME-WAITs are many");

static void *map(struct sl_tcp_engine *tcp, size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    tcp->memory_bytes += size;
    return at == MAP_FAILED ? NULL : at;
}

static int pools_init(struct sl_tcp_engine *tcp)
{
    const struct sl_tcp_config *config = &tcp->config;

    if (tcp_pool_init(&tcp->conns, sizeof(struct tcp_conn), config->connections) ||
        tcp_pool_init(&tcp->items, sizeof(union tcp_item), config->buffers_held) ||
        tcp_pool_init(&tcp->records, sizeof(struct tcp_record), config->segments_held) ||
        tcp_pool_init(&tcp->waits, sizeof(struct tcp_time_wait), config->time_waits) ||
        tcp_pool_init(&tcp->profiles, sizeof(struct tcp_profile), config->connections + 1) ||
        tcp_pool_init(&tcp->models, tcp_cc_state_bytes(), config->connections))
        return -ENOMEM;
    tcp->rates = map(tcp, sizeof(struct tcp_rate_sent) * (size_t)config->segments_held);
    if (!tcp->rates)
        return -ENOMEM;
    tcp->memory_bytes += sizeof(struct tcp_conn) * (uint64_t)config->connections +
                         sizeof(union tcp_item) * (uint64_t)config->buffers_held +
                         sizeof(struct tcp_record) * (uint64_t)config->segments_held +
                         sizeof(struct tcp_time_wait) * (uint64_t)config->time_waits +
                         tcp_cc_state_bytes() * (uint64_t)config->connections;
    return 0;
}

static int tables_init(struct sl_tcp_engine *tcp)
{
    uint32_t wanted = tcp->config.connections + tcp->config.time_waits, n = 16;

    while (n < wanted)
        n *= 2;
    tcp->n_buckets = n;
    tcp->buckets = map(tcp, sizeof(uint32_t) * (size_t)n);
    tcp->traces = tcp->config.traces ? tcp->config.traces
                                     : map(tcp, sizeof(struct tcp_trace) * (size_t)tcp->config.connections);
    tcp->listeners = calloc(tcp->config.listeners, sizeof(*tcp->listeners));
    tcp->ports = malloc(sizeof(uint32_t) * TCP_PORT_BUCKETS);
    if (!tcp->buckets || !tcp->traces || !tcp->listeners || !tcp->ports)
        return -ENOMEM;
    memset(tcp->buckets, 0xff, sizeof(uint32_t) * (size_t)n);
    memset(tcp->ports, 0xff, sizeof(uint32_t) * TCP_PORT_BUCKETS);
    return tcp_wheel_init(&tcp->wheel, tcp->config.connections, tcp->config.now_us);
}

struct sl_tcp_engine *sl_tcp_new(const struct sl_tcp_config *config)
{
    struct sl_tcp_engine *tcp;

    if (!config->connections || !config->time_waits || !config->listeners || !config->buffers_held ||
        !config->segments_held || !config->send || config->connections >= TCP_WAIT_BIT)
        return NULL;
    tcp = calloc(1, sizeof(*tcp));
    if (tcp == NULL)
        return NULL;
    tcp->config = *config;
    tcp->now_us = config->now_us;
    tcp->memory_bytes = sizeof(*tcp);
    tcp->wait_oldest = tcp->wait_newest = TCP_NONE;
    memset(tcp->profiles_tried, 0xff, sizeof(tcp->profiles_tried));
    tcp->event_head = tcp->event_tail = tcp->output_head = tcp->output_tail = TCP_NONE;
    sl_hash_seed_init(&tcp->seed, config->entropy[0], config->entropy[1]);
    tcp->secret.k[0] = tcp->seed.k[0] ^ config->entropy[1];
    tcp->secret.k[1] = tcp->seed.k[5] ^ config->entropy[0];
    tcp->fast_open = tcp->secret;
    if (config->fast_open_key[0] | config->fast_open_key[1])
        memcpy(tcp->fast_open.k, config->fast_open_key, sizeof(tcp->fast_open.k));
    tcp->random = (uint32_t)tcp->seed.k[3] | 1;
    if (pools_init(tcp) || tables_init(tcp)) {
        sl_tcp_free(tcp);
        return NULL;
    }
    return tcp;
}

void sl_tcp_free(struct sl_tcp_engine *tcp)
{
    if (tcp == NULL)
        return;
    for (uint32_t i = 0; i < tcp->conns.fresh; i++)
        if (tcp_conn_at(tcp, i)->state != SL_TCP_CLOSED || tcp_conn_at(tcp, i)->flags & TCP_IN_USE)
            tcp_conn_drop_queues(tcp, tcp_conn_at(tcp, i));
    tcp_pool_fini(&tcp->conns);
    tcp_pool_fini(&tcp->items);
    tcp_pool_fini(&tcp->records);
    tcp_pool_fini(&tcp->waits);
    tcp_pool_fini(&tcp->profiles);
    tcp_pool_fini(&tcp->models);
    if (tcp->rates)
        munmap(tcp->rates, sizeof(struct tcp_rate_sent) * (size_t)tcp->config.segments_held);
    tcp_wheel_fini(&tcp->wheel);
    if (tcp->buckets)
        munmap(tcp->buckets, sizeof(uint32_t) * (size_t)tcp->n_buckets);
    if (tcp->traces && !tcp->config.traces)
        munmap(tcp->traces, sizeof(struct tcp_trace) * (size_t)tcp->config.connections);
    free(tcp->listeners);
    free(tcp->ports);
    free(tcp);
}

uint32_t tcp_random(struct sl_tcp_engine *tcp)
{
    tcp->random ^= tcp->random << 13;
    tcp->random ^= tcp->random >> 17;
    tcp->random ^= tcp->random << 5;
    return tcp->random;
}

// ---- life ---------------------------------------------------------------------------------------------------
static void conn_lists_clear(struct tcp_conn *conn)
{
    conn->rx_head = conn->rx_tail = conn->rx_ranges = TCP_NONE;
    conn->tx_head = conn->tx_tail = conn->tx_next = TCP_NONE;
    conn->sent_head = conn->sent_tail = conn->sent_first = conn->sent_last = conn->sack_hint = TCP_NONE;
    conn->lost_hint = TCP_NONE;
    conn->event_next = conn->output_next = conn->listener = TCP_NONE;
}

static void conn_begin(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_options *options,
                       uint64_t now_us)
{
    bool v4 = tcp_is_v4(conn);

    conn->engine = tcp;
    conn->flags = TCP_IN_USE;
    conn->options = tcp_profile_get(tcp, options);
    conn->path_mtu = options->mtu;
    conn->peer_mss = v4 ? TCP_MSS_DEFAULT : TCP_MSS_DEFAULT_V6;
    conn->rcv_mss = TCP_MSS_DEFAULT;
    conn->rx_limit = tcp_min_u32(options->rx_initial_bytes, options->rx_bytes);
    conn->quick_acks = TCP_QUICK_ACKS;
    conn->rto_us = TCP_RTO_INITIAL_US;
    conn->rack_steps = 1;
    conn->rtx_us = conn->delack_us = conn->slow_us = conn->pace_due_us = conn->armed_us = TCP_NEVER;
    conn->write_us = TCP_NEVER;
    conn->heard_us = conn->traced_from_us = now_us;
    conn->ts_offset = tcp_timestamp_offset(&tcp->secret, &conn->tuple);
}

static void trace_begin(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us)
{
    struct tcp_trace *trace = &tcp->traces[tcp_conn_index(tcp, conn)];

    trace->written = 0;
    trace->local = conn->tuple.local;
    trace->remote = conn->tuple.remote;
    trace->local_port = conn->tuple.local_port;
    trace->remote_port = conn->tuple.remote_port;
    trace->began_us = now_us;
}

// There are as many models as connections, so taking one never fails; pages that none has used are no memory.
static void congestion_begin(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    const struct tcp_cc_ops *cc = tcp_cc_find(conn->options->congestion);

    cc = cc ? cc : &tcp_cc_cubic;
    if (cc->state_bytes) {
        conn->cc.rate = (struct tcp_rate *)(tcp->models.base + (size_t)tcp_pool_get(&tcp->models) * tcp->models.size);
        memset(conn->cc.rate, 0, cc->state_bytes);
        conn->cc.rate->random = tcp_random(tcp);
        conn->flags |= TCP_RATED;
    }
    tcp_cc_start(&conn->cc, cc, conn->peer_mss);
}

struct tcp_conn *tcp_conn_new(struct sl_tcp_engine *tcp, const struct tcp_tuple *tuple,
                              const struct sl_tcp_options *options, uint64_t now_us)
{
    uint32_t index = tcp_pool_get(&tcp->conns);
    struct tcp_conn *conn;

    if (index == TCP_NONE) {
        tcp->counters.no_room++;
        return NULL;
    }
    conn = tcp_conn_at(tcp, index);
    memset(conn, 0, sizeof(*conn));
    conn->tuple = *tuple;
    conn_lists_clear(conn);
    conn_begin(tcp, conn, options, now_us);
    trace_begin(tcp, conn, now_us);
    congestion_begin(tcp, conn);
    tcp_mss_update(conn);
    tcp_table_add(tcp, tuple, index);
    return conn;
}

static void release_items(struct sl_tcp_engine *tcp, uint32_t *head)
{
    while (*head != TCP_NONE) {
        uint32_t next = tcp_item_at(tcp, *head)->next;

        tcp_release(tcp, tcp_item_at(tcp, *head)->owner);
        tcp_pool_put(&tcp->items, *head);
        *head = next;
    }
}

// Everything but what a reader may still take.
static void drop_unreadable(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    tcp_records_clear(tcp, conn);
    release_items(tcp, &conn->tx_head);
    conn->tx_tail = conn->tx_next = TCP_NONE;
    tcp->tx_charge -= conn->tx_charge;
    conn->tx_charge = 0;
    tcp_reassemble_clear(tcp, conn);
}

void tcp_conn_drop_queues(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    drop_unreadable(tcp, conn);
    release_items(tcp, &conn->rx_head);
    conn->rx_tail = TCP_NONE;
    tcp->rx_charge -= conn->rx_charge;
    conn->rx_charge = conn->rx_unread = 0;
}

// A list entry cannot be taken out of the middle of a list that is linked one way: it stays, and whoever comes to it
// sees that the slot is not in use and frees it then.
void tcp_conn_free(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    uint32_t index = tcp_conn_index(tcp, conn);

    tcp_profile_put(tcp, conn->options);
    if (tcp_rated(conn))
        tcp_pool_put(&tcp->models, (uint32_t)(((uint8_t *)conn->cc.rate - tcp->models.base) / tcp->models.size));
    conn->flags = 0;
    if (!conn->event_listed && !conn->output_listed)
        tcp_pool_put(&tcp->conns, index);
}

void tcp_half_open_add(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    struct tcp_listener *listener = &tcp->listeners[conn->listener];

    conn->half_next = listener->half_head;
    conn->half_prev = TCP_NONE;
    if (conn->half_next != TCP_NONE)
        tcp_conn_at(tcp, conn->half_next)->half_prev = tcp_conn_index(tcp, conn);
    listener->half_head = tcp_conn_index(tcp, conn);
    listener->half_open++;
}

void tcp_half_open_remove(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    struct tcp_listener *listener = &tcp->listeners[conn->listener];

    if (conn->half_prev == TCP_NONE)
        listener->half_head = conn->half_next;
    else
        tcp_conn_at(tcp, conn->half_prev)->half_next = conn->half_next;
    if (conn->half_next != TCP_NONE)
        tcp_conn_at(tcp, conn->half_next)->half_prev = conn->half_prev;
    listener->half_open--;
    memset(conn->heard, 0, sizeof(conn->heard)); // which lies there from now on
}

void tcp_state_set(struct sl_tcp_engine *tcp, struct tcp_conn *conn, enum sl_tcp_state state)
{
    if (conn->state == SL_TCP_SYN_RECEIVED && conn->listener != TCP_NONE && state != SL_TCP_SYN_RECEIVED) {
        tcp->listeners[conn->listener].fast_open -= conn->fast_open;
        tcp_half_open_remove(tcp, conn);
        if (conn->fast_open && !(conn->events & SL_TCP_ACCEPTED)) // the caller was told already
            conn->listener = TCP_NONE;
    }
    conn->state = (uint8_t)state;
    tcp_trace_add(tcp, conn, TCP_TRACE_STATE, (uint8_t)state, 0);
}

void tcp_end(struct sl_tcp_engine *tcp, struct tcp_conn *conn, int error)
{
    bool never_given =
        conn->state == SL_TCP_SYN_RECEIVED && tcp_has(conn, TCP_PASSIVE) && !conn->fast_open;

    if (conn->state == SL_TCP_CLOSED)
        return;
    if (conn->state == SL_TCP_SYN_SENT || conn->state == SL_TCP_SYN_RECEIVED)
        tcp->counters.failed++;
    tcp_state_set(tcp, conn, SL_TCP_CLOSED);
    tcp_trace_add(tcp, conn, TCP_TRACE_END, (uint8_t)-error, 0);
    tcp_table_remove(tcp, &conn->tuple, tcp_conn_index(tcp, conn));
    tcp_wheel_disarm(&tcp->wheel, tcp_conn_index(tcp, conn));
    conn->rtx_us = conn->delack_us = conn->slow_us = conn->pace_due_us = conn->armed_us = TCP_NEVER;
    conn->write_us = TCP_NEVER;
    conn->error = (int16_t)error;
    drop_unreadable(tcp, conn);
    if (never_given || tcp_has(conn, TCP_ORPHAN)) { // nobody is there to be told
        tcp_conn_drop_queues(tcp, conn);
        tcp_conn_free(tcp, conn);
        return;
    }
    tcp_event_add(tcp, conn, SL_TCP_ENDED);
}

// ---- lists ----------------------------------------------------------------------------------------------------
void tcp_event_add(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint8_t bits)
{
    uint32_t index = tcp_conn_index(tcp, conn);

    if (tcp_has(conn, TCP_ORPHAN))
        return;
    conn->events |= bits;
    if (conn->event_listed)
        return;
    conn->event_listed = true;
    conn->event_next = TCP_NONE;
    if (tcp->event_tail == TCP_NONE)
        tcp->event_head = index;
    else
        tcp_conn_at(tcp, tcp->event_tail)->event_next = index;
    tcp->event_tail = index;
}

static struct tcp_conn *event_take(struct sl_tcp_engine *tcp)
{
    struct tcp_conn *conn;

    if (tcp->event_head == TCP_NONE)
        return NULL;
    conn = tcp_conn_at(tcp, tcp->event_head);
    tcp->event_head = conn->event_next;
    if (tcp->event_head == TCP_NONE)
        tcp->event_tail = TCP_NONE;
    conn->event_listed = false;
    return conn;
}

bool sl_tcp_event(struct sl_tcp_engine *tcp, struct sl_tcp_event *event)
{
    struct tcp_conn *conn;

    while ((conn = event_take(tcp)) != NULL) {
        if (!tcp_has(conn, TCP_IN_USE)) {
            if (!conn->output_listed)
                tcp_pool_put(&tcp->conns, tcp_conn_index(tcp, conn));
            continue;
        }
        if (conn->events == 0 || tcp_has(conn, TCP_ORPHAN))
            continue;
        *event = (struct sl_tcp_event){.conn = (struct sl_tcp_conn *)conn,
                                       .user = conn->user,
                                       .bits = conn->events,
                                       .error = conn->error};
        if (event->bits & SL_TCP_ACCEPTED && conn->listener != TCP_NONE) {
            event->listener_user = tcp->listeners[conn->listener].user;
            if (conn->state != SL_TCP_SYN_RECEIVED) // of Fast Open it is the listener's too until the handshake's end
                conn->listener = TCP_NONE;
        }
        conn->events = 0;
        return true;
    }
    return false;
}

void tcp_want_output(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    uint32_t index = tcp_conn_index(tcp, conn);

    if (conn->output_listed)
        return;
    conn->output_listed = true;
    conn->output_next = TCP_NONE;
    if (tcp->output_tail == TCP_NONE)
        tcp->output_head = index;
    else
        tcp_conn_at(tcp, tcp->output_tail)->output_next = index;
    tcp->output_tail = index;
}

void sl_tcp_output(struct sl_tcp_engine *tcp, uint64_t now_us)
{
    tcp->now_us = now_us;
    while (tcp->output_head != TCP_NONE) {
        struct tcp_conn *conn = tcp_conn_at(tcp, tcp->output_head);

        tcp->output_head = conn->output_next;
        if (tcp->output_head == TCP_NONE)
            tcp->output_tail = TCP_NONE;
        conn->output_listed = false;
        if (tcp_has(conn, TCP_IN_USE))
            tcp_output(tcp, conn, now_us);
        else if (!conn->event_listed)
            tcp_pool_put(&tcp->conns, tcp_conn_index(tcp, conn));
    }
}

// ---- time -------------------------------------------------------------------------------------------------------
static uint64_t earliest(const struct tcp_conn *conn)
{
    uint64_t due = tcp_min_u64(conn->rtx_us, tcp_min_u64(conn->delack_us, conn->slow_us));

    return tcp_min_u64(due, tcp_min_u64(conn->pace_due_us, conn->write_us));
}

// A timer that has doubled would look up long after the user's patience has ended.
static void not_past_patience(const struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    uint64_t since = conn->state == SL_TCP_SYN_SENT ? conn->sent_us : conn->stalled_us;
    uint64_t end = since + conn->options->user_timeout_ms * TCP_MS;

    if (since && end > tcp->now_us &&
        (conn->rtx == TCP_RTX_RTO || conn->rtx == TCP_RTX_PERSIST || conn->state == SL_TCP_SYN_SENT))
        conn->rtx_us = tcp_min_u64(conn->rtx_us, end);
}

// The wheel is touched only where a time moved forward: one that moved back is found out when the wheel calls.
void tcp_arm(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    uint64_t due;

    if (conn->options->user_timeout_ms)
        not_past_patience(tcp, conn);
    due = earliest(conn);
    if (due >= conn->armed_us)
        return;
    conn->armed_us = due;
    tcp_wheel_arm(&tcp->wheel, tcp_conn_index(tcp, conn), due);
}

#define TICK_CONNECTIONS 4096u // a turn's work at most: a worker has packets to attend to
#define TICK_AHEAD       3u    // timers between one and the one whose connection is asked for

// Most timers find nothing to do, as the time they were armed for has moved on.
static void ask_ahead(const struct sl_tcp_engine *tcp)
{
    uint32_t soon = tcp_wheel_soon(&tcp->wheel, TICK_AHEAD);

    if (soon != TCP_WHEEL_NONE)
        tcp_conn_prefetch(tcp_conn_at(tcp, soon), false);
}

void sl_tcp_tick(struct sl_tcp_engine *tcp, uint64_t now_us)
{
    tcp->now_us = now_us;
    tcp_time_wait_expire(tcp, now_us);
    for (unsigned i = 0; i < TICK_CONNECTIONS; i++) {
        uint32_t index = tcp_wheel_due(&tcp->wheel, now_us);
        struct tcp_conn *conn;

        if (index == TCP_WHEEL_NONE)
            return;
        ask_ahead(tcp);
        conn = tcp_conn_at(tcp, index);
        conn->armed_us = TCP_NEVER;
        tcp_timers(tcp, conn, now_us);
        if (conn->state != SL_TCP_CLOSED)
            tcp_arm(tcp, conn);
    }
}

uint64_t sl_tcp_deadline(const struct sl_tcp_engine *tcp)
{
    uint64_t due = tcp_wheel_next_us(&tcp->wheel);

    if (tcp->output_head != TCP_NONE)
        return tcp->now_us;
    if (tcp->wait_oldest != TCP_NONE)
        due = tcp_min_u64(due, tcp_wait_at(tcp, tcp->wait_oldest)->expires_us);
    return due;
}

void tcp_trace_add(struct sl_tcp_engine *tcp, struct tcp_conn *conn, enum tcp_trace_event event, uint8_t small,
                   uint32_t value)
{
    uint64_t at_us = tcp->now_us > conn->traced_from_us ? tcp->now_us - conn->traced_from_us : 0;
    struct tcp_trace *trace = &tcp->traces[tcp_conn_index(tcp, conn)];

    tcp_trace_put(trace, &conn->traced, (uint32_t)(at_us / TCP_MS), event, small, value);
    trace->written = conn->traced;
    trace->state = (uint8_t)conn->state;
}

const struct sl_tcp_counters *sl_tcp_counters(const struct sl_tcp_engine *tcp)
{
    return &tcp->counters;
}

uint32_t sl_tcp_connection_count(const struct sl_tcp_engine *tcp)
{
    return tcp->conns.used;
}

uint64_t sl_tcp_memory_bytes(const struct sl_tcp_engine *tcp)
{
    return tcp->memory_bytes + sizeof(struct tcp_wheel_link) * (uint64_t)tcp->config.connections;
}
