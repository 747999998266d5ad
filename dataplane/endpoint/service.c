// SPDX-License-Identifier: Apache-2.0
// The services themselves: echo (RFC 862), discard (RFC 863), chargen (RFC 864), over TCP.
#include "endpoint/inside.h"

#include <rte_mbuf.h>

// ---- chargen ------------------------------------------------------------------------------------------------
void endpoint_pattern_make(struct endpoint *endpoint)
{
    uint8_t *at = endpoint->pattern;

    for (unsigned line = 0; line < PATTERN_LINES; line++) {
        for (unsigned i = 0; i < PATTERN_LINE; i++)
            *at++ = (uint8_t)(' ' + (line + i) % PATTERN_LINES);
        *at++ = '\r';
        *at++ = '\n';
    }
}

static void generate(const struct endpoint *endpoint, struct sl_tcp_conn *conn, uint64_t now_us)
{
    const struct sl_tcp_chunk chunk = {
        .data = endpoint->pattern, .len = sizeof(endpoint->pattern), .charge = sizeof(endpoint->pattern)};

    while (sl_tcp_send(conn, &chunk, now_us) == 0)
        continue;
}

// ---- echo and discard -----------------------------------------------------------------------------------------
static void release(const struct sl_tcp_chunk *chunk)
{
    if (chunk->owner)
        rte_pktmbuf_free_seg(chunk->owner);
}

// True: the peer has sent all and every byte of it is dealt with.
static bool discard(struct sl_tcp_conn *conn, uint64_t now_us)
{
    struct sl_tcp_chunk chunk;
    int rc;

    while ((rc = sl_tcp_read(conn, UINT32_MAX, &chunk, now_us)) == 1)
        release(&chunk);
    return rc == 0;
}

// What cannot be sent yet stays unread, so the window tells the peer.
static bool echo(struct sl_tcp_conn *conn, uint64_t now_us)
{
    struct sl_tcp_chunk chunk;

    while (sl_tcp_peek(conn, 0, &chunk)) {
        if (chunk.owner)
            rte_mbuf_refcnt_update(chunk.owner, 1);
        if (sl_tcp_send(conn, &chunk, now_us) != 0) {
            release(&chunk);
            return false;
        }
        sl_tcp_read(conn, UINT32_MAX, &chunk, now_us);
        release(&chunk);
    }
    return sl_tcp_read(conn, UINT32_MAX, &chunk, now_us) == 0;
}

static bool serve(const struct endpoint *endpoint, enum sl_endpoint_kind kind, struct sl_tcp_conn *conn)
{
    uint64_t now_us = endpoint->worker->now_us;
    bool over = kind == SL_ENDPOINT_ECHO ? echo(conn, now_us) : discard(conn, now_us);

    if (kind == SL_ENDPOINT_CHARGEN && !over)
        generate(endpoint, conn, now_us);
    return over;
}

// ---- connections ------------------------------------------------------------------------------------------------
// Each worker has its share of the limit, rounded up.
static bool is_full(const struct endpoint_service *service, uint32_t workers)
{
    uint32_t limit = service->says.connections;

    return limit && service->connections >= (limit + workers - 1) / workers;
}

static void service_event(struct worker *worker, struct endpoint_client *client, const struct sl_tcp_event *event);

static struct endpoint_client *conn_begin(struct endpoint *endpoint, const struct sl_tcp_event *event)
{
    struct endpoint_service *service = event->listener_user;
    struct sl_tcp_info info;

    if (service == NULL || is_full(service, endpoint->worker->count)) {
        sl_tcp_abort(event->conn, endpoint->worker->now_us);
        return NULL;
    }
    sl_tcp_info(event->conn, &info);
    service->connections++;
    endpoint->conn[info.slot] = (struct endpoint_conn){.client.event = service_event,
                                                       .conn = event->conn,
                                                       .service = (uint16_t)(service - endpoint->service)};
    sl_tcp_user_set(event->conn, &endpoint->conn[info.slot].client);
    return &endpoint->conn[info.slot].client;
}

static void conn_forget(struct endpoint *endpoint, struct endpoint_conn *conn)
{
    endpoint->service[conn->service].connections--;
    *conn = (struct endpoint_conn){0};
}

static void service_event(struct worker *worker, struct endpoint_client *client, const struct sl_tcp_event *event)
{
    struct endpoint *endpoint = worker->endpoint;
    struct endpoint_conn *conn = (struct endpoint_conn *)client;

    static_assert(offsetof(struct endpoint_conn, client) == 0, "a client is a service's connection");
    bool over = serve(endpoint, endpoint->service[conn->service].says.kind, event->conn);
    if (over || event->bits & SL_TCP_ENDED) {
        conn_forget(endpoint, conn);
        sl_tcp_close(event->conn, worker->now_us);
    }
}

// Whoever has a connection has it as a client; one that has just been accepted is a service's.
static void event_handle(struct endpoint *endpoint, const struct sl_tcp_event *event)
{
    struct endpoint_client *client = event->user;

    if (event->bits & SL_TCP_ACCEPTED)
        client = conn_begin(endpoint, event);
    if (client)
        client->event(endpoint->worker, client, event);
}

uint32_t endpoint_serve(struct endpoint *endpoint)
{
    struct sl_tcp_event event;
    uint32_t count = 0;

    for (; sl_tcp_event(endpoint->tcp, &event); count++)
        event_handle(endpoint, &event);
    return count;
}

void endpoint_service_reset(struct endpoint *endpoint, uint16_t service)
{
    for (uint32_t slot = 0; slot < endpoint->connections; slot++) {
        struct endpoint_conn *conn = &endpoint->conn[slot];

        if (conn->conn == NULL || conn->service != service)
            continue;
        sl_tcp_abort(conn->conn, endpoint->worker->now_us);
        conn_forget(endpoint, conn);
    }
}
