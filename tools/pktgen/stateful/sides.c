// SPDX-License-Identifier: Apache-2.0
// Called by stateful.c around a run, on the main thread.
#include "sides.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <rte_cycles.h>

#define SERVER_SLACK 1024 // connections that a server's shard has room for beyond twice its even share

struct maker { // what the steps of sides_open() share
    struct sides *sides;
    struct session *session;
    const struct stateful_options *options;
    uint64_t now_ns;
    struct sl_error *error;
};

// Two ring ports in one process are a line between the sides: what one sends, the other receives.
static const struct device *device_to_send_on(const struct session *session, uint32_t port)
{
    const struct device *own = &session->port[port].device;
    const struct device *other = session->ports == 2 ? &session->port[1 - port].device : own;
    return own->spec.driver == PORT_RING && other->spec.driver == PORT_RING ? other : own;
}

// As many shards as there are workers, unless the port has fewer queues or the client fewer ports.
static uint32_t shards_choose(const struct maker *m, uint32_t port, bool server)
{
    const struct session_port *own = &m->session->port[port];
    uint32_t workers = m->session->workers, shards = workers;
    uint32_t queues = own->device.rx_queues, out = device_to_send_on(m->session, port)->tx_queues;
    queues = out < queues ? out : queues;
    if (queues < shards) {
        shards = queues;
        fprintf(stderr, "sluice-pktgen: port %s has %u queue%s: %u of %u workers can serve it\n", own->name,
                queues, queues == 1 ? "" : "s", queues, workers);
    }
    return server ? shards : endpoint_shares(&m->options->client, shards);
}

// To whom the client's frames go: as told, the gateway, the server side's own port, or the first target on the link.
static int next_hop_find(const struct maker *m, struct side *side, uint8_t mac[6])
{
    static const uint8_t none[6];
    const struct stateful_options *o = m->options;
    bool gateway = !sl_ip_is_zero(&o->gateway);
    if (memcmp(o->next_hop, none, 6) != 0) {
        memcpy(mac, o->next_hop, 6);
        return 0;
    }
    if (o->role == ROLE_BOTH && !gateway) {
        memcpy(mac, m->session->port[1].device.mac, 6);
        return 0;
    }
    return neighbor_resolve(m->session, 0, &side->self, &o->client.first,
                            gateway ? &o->gateway : &o->target.first, mac, m->error);
}

// How many connections a shard has room for. Which shard of a server a connection comes to is not ours to say, so they
// have more than their even share.
static uint32_t connections_of(const struct maker *m, const struct side *side, uint32_t i)
{
    uint32_t all = m->options->concurrent;
    uint32_t even = share_begin(all, side->shards, i + 1) - share_begin(all, side->shards, i);
    if (!side->server)
        return even;
    return side->shards == 1 || 2 * even + SERVER_SLACK > all ? all : 2 * even + SERVER_SLACK;
}

static struct endpoint_config config_of(const struct maker *m, const struct side *side, uint32_t port,
                                        uint32_t i, const uint8_t next_hop[6])
{
    const struct stateful_options *o = m->options;
    struct endpoint_config config = o->common;
    config.server = side->server;
    config.connections = connections_of(m, side, i);
    config.side = side->server ? o->server : o->client;
    config.own = side->server ? o->server : endpoint_share(&o->client, side->shards, i);
    config.peer = side->server ? o->server : o->target;
    config.shard = i;
    config.shards = side->shards;
    config.seed += i;
    memcpy(config.mac, m->session->port[port].device.mac, 6);
    memcpy(config.next_hop, next_hop, 6);
    return config;
}

static void pace_share(const struct maker *m, struct shard *shard, uint32_t i)
{
    const struct stateful_options *o = m->options;
    uint32_t shards = shard->side->shards;
    shard->limit = o->limit / shards + (i < o->limit % shards);
    shard->open = !shard->side->server && (o->limit == 0 || shard->limit > 0);
    pace_init(&shard->pace, o->rate / shards, rte_get_tsc_hz(), 1, rte_rdtsc());
}

static void shard_remove(struct shard *shard)
{
    shard_close(shard);
    engine_fini(&shard->engine);
    free(shard);
}

static int shard_add(const struct maker *m, struct side *side, uint32_t port, uint32_t i,
                     const uint8_t next_hop[6])
{
    const struct device *own = &m->session->port[port].device;
    struct endpoint_config config = config_of(m, side, port, i, next_hop);
    struct shard *shard = aligned_alloc(64, sizeof(*shard));
    if (!shard)
        return sl_error_set(m->error, -ENOMEM, "no memory for a worker's connections");
    memset(shard, 0, sizeof(*shard));
    shard->side = side;
    shard->rx_device = own->id;
    shard->tx_device = device_to_send_on(m->session, port)->id;
    shard->rx_queues = own->rx_queues;
    shard->queue = (uint16_t)i;
    int rc = engine_init(&shard->engine, &config, m->now_ns, m->error);
    if (rc != 0) {
        free(shard);
        return rc;
    }
    if (shard_open(shard, m->session->pool) != 0) {
        shard_remove(shard);
        return sl_error_set(m->error, -ENOMEM,
                            "the pool has too few packet buffers: give it more with --memory");
    }
    pace_share(m, shard, i);
    side->shard[i] = shard;
    struct loop *loop = &m->sides->loop[session_owner(m->session, port, i)];
    loop->shard[loop->shards++] = shard;
    return 0;
}

static int side_add(const struct maker *m, bool server)
{
    uint32_t port = m->sides->count++;
    struct side *side = &m->sides->side[port];
    const struct endpoint_range *own = server ? &m->options->server : &m->options->client;
    uint8_t next_hop[6] = {0};
    *side = (struct side){.server = server, .shards = shards_choose(m, port, server)};
    memcpy(side->self.mac, m->session->port[port].device.mac, 6);
    neighbor_self_add(&side->self, &own->first, own->addresses);
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < side->shards; i++) { // before anybody is asked for an address
        struct endpoint_config config = config_of(m, side, port, i, next_hop);
        rc = engine_check(&config, m->error);
    }
    if (rc == 0 && !server)
        rc = next_hop_find(m, side, next_hop);
    for (uint32_t i = 0; rc == 0 && i < side->shards; i++)
        rc = shard_add(m, side, port, i, next_hop);
    return rc;
}

int sides_open(struct sides *sides, struct session *session, const struct stateful_options *options,
               uint64_t ns_magic, struct sl_error *error)
{
    struct maker m = {sides, session, options, loop_ns(ns_magic, rte_rdtsc()), error};
    int rc = options->role == ROLE_SERVER ? 0 : session_links_wait(session, options->wait_s, error);
    sides->count = 0;
    for (uint32_t i = 0; i < session->workers; i++)
        sides->loop[i] = (struct loop){.session = session, .ns_magic = ns_magic};
    if (rc == 0 && options->role != ROLE_SERVER)
        rc = side_add(&m, false);
    if (rc == 0 && options->role != ROLE_CLIENT)
        rc = side_add(&m, true);
    if (rc != 0)
        sides_close(sides);
    return rc;
}

void sides_close(struct sides *sides)
{
    for (uint32_t i = 0; i < sides->count; i++)
        for (uint32_t k = 0; k < sides->side[i].shards && sides->side[i].shard[k]; k++)
            shard_remove(sides->side[i].shard[k]);
    sides->count = 0;
}

int sides_launch(struct sides *sides, struct session *session)
{
    void *argument[SL_MAX_WORKERS];
    for (uint32_t i = 0; i < session->workers; i++)
        argument[i] = &sides->loop[i];
    return session_launch(session, loop_run, argument);
}

void sides_open_no_more(struct sides *sides)
{
    for (uint32_t i = 0; i < sides->count; i++)
        for (uint32_t k = 0; k < sides->side[i].shards; k++)
            __atomic_store_n(&sides->side[i].shard[k]->open, false, __ATOMIC_RELAXED);
}
