// SPDX-License-Identifier: Apache-2.0
// Probes: a connection that is opened, told of and closed (`sluicectl probe tcp`). Housekeeping fills in a request and
// raises `probes_asked`; the worker does the rest, and stores PROBE_OVER last. Worker's thread but for the two that
// say otherwise.
#include "endpoint/inside.h"

#include <arpa/inet.h>
#include <errno.h>

#define PROBE_BYTES         65536 // charge of a probe's connection
#define PROBE_GIVE_UP_MS    10000 // after which a peer that does not close is left
#define PROBE_FIN_WAIT_2_MS 5000

// ---- housekeeping ------------------------------------------------------------------------------------------------
int endpoint_probe_ask(struct endpoint *endpoint, const struct sl_probe_request *request)
{
    for (int number = 0; number < SL_PROBES_AT_ONCE; number++) {
        struct endpoint_probe *probe = &endpoint->probe[number];

        if (__atomic_load_n(&probe->state, __ATOMIC_ACQUIRE) != PROBE_FREE)
            continue;
        probe->request = *request;
        __atomic_store_n(&probe->state, PROBE_ASKED, __ATOMIC_RELEASE);
        __atomic_store_n(&endpoint->probes_asked, endpoint->probes_asked + 1, __ATOMIC_RELEASE);
        return number;
    }
    return -EBUSY;
}

bool endpoint_probe_answered(struct endpoint *endpoint, int number, int *status, struct sl_probe_answer *answer)
{
    struct endpoint_probe *probe = &endpoint->probe[number];

    if (__atomic_load_n(&probe->state, __ATOMIC_ACQUIRE) != PROBE_OVER)
        return false;
    *status = probe->status;
    *answer = probe->answer;
    __atomic_store_n(&probe->state, PROBE_FREE, __ATOMIC_RELEASE);
    return true;
}

// ---- the end of a probe ------------------------------------------------------------------------------------------
static struct endpoint *endpoint_of(const struct worker *worker)
{
    return worker->endpoint;
}

static void tell(struct endpoint *endpoint, struct endpoint_probe *probe, enum sl_probe_result result)
{
    if (result == SL_PROBE_CONNECTED || result == SL_PROBE_TIMED_OUT) // an error that was heard did not end it
        probe->answer.icmp_type = probe->answer.icmp_code = 0;
    probe->answer.result = (uint8_t)result;
    probe->answer.rtt_us = (uint32_t)(endpoint->worker->now_us - probe->began_us);
    probe->conn = NULL;
    endpoint->probes_running--;
    __atomic_store_n(&probe->state, PROBE_OVER, __ATOMIC_RELEASE);
}

static uint8_t agreed(const struct sl_tcp_info *info)
{
    return (uint8_t)((info->timestamps ? SL_PROBE_TIMESTAMPS : 0) | (info->sack ? SL_PROBE_SACK : 0) |
                     (info->ecn ? SL_PROBE_ECN : 0) | (info->wscale ? SL_PROBE_WSCALE : 0));
}

static void learn(struct endpoint_probe *probe, struct sl_tcp_info *info)
{
    sl_tcp_info(probe->conn, info);
    probe->answer.syns = (uint8_t)RTE_MIN(info->segments_out, (uint32_t)UINT8_MAX);
    probe->answer.mtu = info->mtu;
}

static void connected(struct endpoint *endpoint, struct endpoint_probe *probe)
{
    struct sl_tcp_info info;

    learn(probe, &info);
    probe->answer.flags = agreed(&info);
    probe->answer.peer_mss = info.peer_mss;
    probe->answer.peer_wscale = info.snd_wscale;
    probe->answer.own_wscale = info.rcv_wscale;
    tell(endpoint, probe, SL_PROBE_CONNECTED);
}

// What a peer that speaks first has said already is read, or closing would be a reset (RFC 2525 section 2.17).
static void say_goodbye(struct sl_tcp_conn *conn, uint64_t now_us)
{
    struct sl_tcp_chunk chunk;

    while (sl_tcp_read(conn, UINT32_MAX, &chunk, now_us) == 1)
        if (chunk.owner)
            rte_pktmbuf_free_seg(chunk.owner);
    sl_tcp_close(conn, now_us);
}

static enum sl_probe_result result_of(int error)
{
    if (error == -ECONNREFUSED || error == -ECONNRESET)
        return SL_PROBE_REFUSED;
    return error == -EHOSTUNREACH || error == -ENETUNREACH ? SL_PROBE_UNREACHABLE : SL_PROBE_TIMED_OUT;
}

static void ended(struct endpoint *endpoint, struct endpoint_probe *probe, int error)
{
    struct sl_tcp_info info;

    learn(probe, &info);
    tell(endpoint, probe, result_of(error));
}

// After its CONNECTED a connection is nobody's: the engine closes it and tells no more of it.
static void event(struct worker *worker, struct endpoint_client *client, const struct sl_tcp_event *event)
{
    struct endpoint_probe *probe = (struct endpoint_probe *)client;

    static_assert(offsetof(struct endpoint_probe, client) == 0, "a client is a probe");
    if (probe->conn != event->conn)
        return;
    if (event->bits & SL_TCP_CONNECTED)
        connected(endpoint_of(worker), probe);
    else if (event->bits & SL_TCP_ENDED)
        ended(endpoint_of(worker), probe, event->error);
    else
        return;
    say_goodbye(event->conn, worker->now_us);
}

// ---- the beginning -----------------------------------------------------------------------------------------------
static void options_fill(struct sl_tcp_options *options)
{
    sl_tcp_options_default(options);
    options->rx_bytes = options->tx_bytes = PROBE_BYTES;
    options->user_timeout_ms = PROBE_GIVE_UP_MS + SL_PROBE_TIMEOUT_MOST_MS;
    options->fin_wait_2_ms = PROBE_FIN_WAIT_2_MS;
}

static void begin(struct endpoint *endpoint, struct endpoint_probe *probe)
{
    struct sl_tcp_options options;
    struct endpoint_way way;
    const struct endpoint_request request = {
        .remote = probe->request.remote,
        .local = probe->request.local,
        .remote_port = htons(probe->request.remote_port),
        .options = &options,
        .client = &probe->client,
    };

    options_fill(&options);
    probe->client.event = event;
    probe->began_us = endpoint->worker->now_us;
    probe->conn = endpoint_connect(endpoint->worker, &request, &way, &probe->status);
    probe->answer = (struct sl_probe_answer){
        .local = way.local,
        .local_port = ntohs(way.local_port),
        .worker = (uint16_t)endpoint->worker->index,
        .port_out = way.port_out,
        .mtu = way.mtu,
    };
    endpoint->probes_running++;
    if (probe->conn) {
        probe->status = 0;
        return;
    }
    if (probe->status == -ENETUNREACH)
        probe->status = 0;
    tell(endpoint, probe, SL_PROBE_NO_ROUTE);
}

uint32_t endpoint_probes_begin(struct endpoint *endpoint)
{
    uint32_t asked = __atomic_load_n(&endpoint->probes_asked, __ATOMIC_ACQUIRE), count = 0;

    if (likely(asked == endpoint->probes_seen))
        return 0;
    endpoint->probes_seen = asked;
    for (unsigned i = 0; i < SL_PROBES_AT_ONCE; i++) {
        struct endpoint_probe *probe = &endpoint->probe[i];

        if (probe->conn || __atomic_load_n(&probe->state, __ATOMIC_ACQUIRE) != PROBE_ASKED)
            continue;
        begin(endpoint, probe);
        count++;
    }
    return count;
}

// ---- meanwhile ---------------------------------------------------------------------------------------------------
static uint64_t due_us(const struct endpoint_probe *probe)
{
    return probe->began_us + (uint64_t)probe->request.timeout_ms * 1000;
}

// What an ICMP error says may pass (RFC 9293 section 3.9.2.2), and the engine tries on; who probes wants to know.
static void look_at(struct endpoint *endpoint, struct endpoint_probe *probe)
{
    uint64_t now_us = endpoint->worker->now_us;
    struct sl_tcp_conn *conn = probe->conn;
    struct sl_tcp_info info;

    sl_tcp_info(conn, &info);
    if (info.state != SL_TCP_SYN_SENT && info.state != SL_TCP_SYN_RECEIVED)
        return; // there is an event for it
    if (info.error == 0 && now_us < due_us(probe))
        return;
    ended(endpoint, probe, info.error ? info.error : -ETIMEDOUT);
    sl_tcp_abort(conn, now_us);
}

void endpoint_probes_tick(struct endpoint *endpoint)
{
    for (unsigned i = 0; endpoint->probes_running && i < SL_PROBES_AT_ONCE; i++)
        if (endpoint->probe[i].conn)
            look_at(endpoint, &endpoint->probe[i]);
}

// The engine decides whether it believes the error. If it does not, the probe will not end by it.
void endpoint_probes_hear(struct endpoint *endpoint, const struct sl_tcp_icmp_in *in, const struct endpoint_error *error)
{
    for (unsigned i = 0; endpoint->probes_running && i < SL_PROBES_AT_ONCE; i++) {
        struct endpoint_probe *probe = &endpoint->probe[i];

        if (probe->conn == NULL || in->local_port != htons(probe->answer.local_port) ||
            in->remote_port != htons(probe->request.remote_port) || !sl_ip_equal(&in->remote, &probe->request.remote) ||
            !sl_ip_equal(&in->local, &probe->answer.local))
            continue;
        probe->answer.icmp_type = error->type;
        probe->answer.icmp_code = error->code;
        probe->answer.router = error->sender;
    }
}

uint64_t endpoint_probes_due_us(const struct endpoint *endpoint)
{
    uint64_t due = UINT64_MAX;

    for (unsigned i = 0; endpoint->probes_running && i < SL_PROBES_AT_ONCE; i++)
        if (endpoint->probe[i].conn)
            due = RTE_MIN(due, due_us(&endpoint->probe[i]));
    return due;
}
