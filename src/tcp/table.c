// SPDX-License-Identifier: Apache-2.0
// Who a segment belongs to: connections and TIME-WAITs by tuple, listeners by port and address.
#include "tcp/engine.h"

uint32_t tcp_table_bucket(const struct sl_tcp_engine *tcp, const struct tcp_tuple *tuple)
{
    const uint8_t *b = (const uint8_t *)tuple;
    const struct sl_hash_seed *seed = &tcp->seed;
    uint64_t local = sl_hash_fold(sl_hash_load64(b) ^ seed->k[0], sl_hash_load64(b + 8) ^ seed->k[1]);
    uint64_t remote = sl_hash_fold(sl_hash_load64(b + 16) ^ seed->k[2], sl_hash_load64(b + 24) ^ seed->k[3]);

    return (uint32_t)sl_hash_fold(local ^ sl_hash_load32(b + 32), remote ^ seed->k[4]) & (tcp->n_buckets - 1);
}

static bool tuple_equal(const struct tcp_tuple *a, const struct tcp_tuple *b)
{
    return sl_ip_equal(&a->remote, &b->remote) && sl_ip_equal(&a->local, &b->local) &&
           a->local_port == b->local_port && a->remote_port == b->remote_port;
}

static uint32_t *next_of(const struct sl_tcp_engine *tcp, uint32_t name)
{
    return name & TCP_WAIT_BIT ? &tcp_wait_at(tcp, name & ~TCP_WAIT_BIT)->hash_next
                               : &tcp_conn_at(tcp, name)->hash_next;
}

static const struct tcp_tuple *tuple_of(const struct sl_tcp_engine *tcp, uint32_t name)
{
    return name & TCP_WAIT_BIT ? &tcp_wait_at(tcp, name & ~TCP_WAIT_BIT)->tuple
                               : &tcp_conn_at(tcp, name)->tuple;
}

void tcp_table_add(struct sl_tcp_engine *tcp, const struct tcp_tuple *tuple, uint32_t name)
{
    uint32_t *bucket = &tcp->buckets[tcp_table_bucket(tcp, tuple)];

    *next_of(tcp, name) = *bucket;
    *bucket = name;
    if (tcp->config.held)
        tcp->config.held(tcp->config.context, tuple->local_port, true);
}

void tcp_table_remove(struct sl_tcp_engine *tcp, const struct tcp_tuple *tuple, uint32_t name)
{
    uint32_t *at = &tcp->buckets[tcp_table_bucket(tcp, tuple)];

    while (*at != TCP_NONE && *at != name)
        at = next_of(tcp, *at);
    if (*at != name)
        return;
    *at = *next_of(tcp, name);
    if (tcp->config.held)
        tcp->config.held(tcp->config.context, tuple->local_port, false);
}

uint32_t tcp_table_find(const struct sl_tcp_engine *tcp, const struct tcp_tuple *tuple)
{
    return tcp_table_find_in(tcp, tcp_table_bucket(tcp, tuple), tuple);
}

uint32_t tcp_table_find_in(const struct sl_tcp_engine *tcp, uint32_t bucket, const struct tcp_tuple *tuple)
{
    uint32_t name = tcp->buckets[bucket];

    while (name != TCP_NONE && !tuple_equal(tuple_of(tcp, name), tuple))
        name = *next_of(tcp, name);
    return name;
}

// The one with the very address before the one with any.
struct tcp_listener *tcp_listener_find(const struct sl_tcp_engine *tcp, const struct sl_ip *local, sl_be16 port)
{
    struct tcp_listener *any = NULL;
    bool v4 = sl_ip_is_v4(local);

    for (uint32_t i = tcp->ports[port % TCP_PORT_BUCKETS]; i != TCP_NONE; i = tcp->listeners[i].hash_next) {
        struct tcp_listener *listener = &tcp->listeners[i];

        if (listener->port != port || listener->v4 != v4)
            continue;
        if (sl_ip_equal(&listener->local, local))
            return listener;
        if (sl_ip_is_zero(&listener->local) || (v4 && listener->local.w[3] == 0))
            any = listener;
    }
    return any;
}
