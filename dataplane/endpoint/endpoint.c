// SPDX-License-Identifier: Apache-2.0
// The engine's life in a worker: sizes, listeners by the tables, a pass. See endpoint.h.
#include "endpoint/inside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <rte_mbuf.h>
#include "tcp/trace.h"

#define HELD_SHARE      4    // at most one in so many packet buffers is held for connections, of all workers
#define CONNECTIONS_MIN 64   // of a worker
#define MTU_V6          1280 // RFC 8200 section 5
#define CONN_BYTES      2097152 // charge that a connection may hold, each way
#define FAST_OPEN_SHARE 16   // of a worker's connections so many may be given before their handshake's end, a service

// ---- buffers ------------------------------------------------------------------------------------------------
static void hold(void *owner)
{
    rte_mbuf_refcnt_update(owner, 1);
}

static void release(void *owner)
{
    rte_pktmbuf_free_seg(owner);
}

static const struct sl_tcp_buffers mbufs = {.hold = hold, .release = release};

// ---- life ---------------------------------------------------------------------------------------------------
static uint64_t monotonic_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

// Memory that is merely promised costs nothing until it is used, so what is counted in references is generous, and what
// is counted in packet buffers is what binds.
static int engine_make(struct endpoint *endpoint)
{
    const struct worker *worker = endpoint->worker;
    const struct rte_mempool *pool = worker->pool;
    uint64_t buffers = pool->size / HELD_SHARE / worker->count;
    uint64_t bytes = buffers * (pool->elt_size + RTE_PKTMBUF_HEADROOM);
    struct sl_tcp_config config = {
        .connections = endpoint->connections,
        .time_waits = endpoint->connections,
        .listeners = ENDPOINT_SERVICES,
        .buffers_held = pool->size + endpoint->connections,
        .segments_held = pool->size + endpoint->connections,
        .rx_bytes = bytes / 2,
        .tx_bytes = bytes / 2,
        .buffers = &mbufs,
        .send = endpoint_send,
        .held = endpoint_held,
        .context = endpoint,
        .now_us = worker->now_us ? worker->now_us : monotonic_us(),
    };

    if (endpoint->segment.base)
        config.traces = (uint8_t *)endpoint->segment.base +
                        ((struct sl_endpoint_segment *)endpoint->segment.base)->trace_offset;
    if (getrandom(config.entropy, sizeof(config.entropy), 0) != (ssize_t)sizeof(config.entropy))
        return -EIO;
    if (worker->fast_open_key)
        memcpy(config.fast_open_key, worker->fast_open_key, sizeof(config.fast_open_key));
    endpoint->tcp = sl_tcp_new(&config);
    return endpoint->tcp ? 0 : -ENOMEM;
}

static int ports_seed(struct endpoint *endpoint)
{
    ssize_t secret = getrandom(endpoint->port_secret, sizeof(endpoint->port_secret), 0);
    ssize_t counters = getrandom(endpoint->port_counter, sizeof(endpoint->port_counter), 0);

    return secret == (ssize_t)sizeof(endpoint->port_secret) &&
                   counters == (ssize_t)sizeof(endpoint->port_counter)
               ? 0
               : -EIO;
}

static int segment_make(struct endpoint *endpoint, const char *run_dir, struct sl_error *error)
{
    char name[SL_SEGMENT_NAME];
    const struct sl_segment_spec spec = {
        .dir = run_dir,
        .name = sl_segment_name(SL_SEG_ENDPOINT, endpoint->worker->index, name),
        .kind = SL_SEG_ENDPOINT,
        .mode = SL_MODE_PRIVATE,
        .size =
            sizeof(struct sl_endpoint_segment) + sizeof(struct tcp_trace) * (uint64_t)endpoint->connections,
    };
    struct sl_segment_draft draft;
    int code = sl_segment_create(&spec, &draft, error);

    if (code != 0)
        return code;
    struct sl_endpoint_segment *segment = draft.map.base;
    segment->worker = endpoint->worker->index;
    segment->worker_count = endpoint->worker->count;
    segment->capacity = endpoint->connections;
    segment->trace_offset = sizeof(*segment);
    return sl_segment_commit(&draft, &endpoint->segment, error);
}

struct endpoint *endpoint_new(struct worker *worker, const struct sl_settings *settings, const char *run_dir,
                              struct sl_error *error)
{
    struct endpoint *endpoint = calloc(1, sizeof(*endpoint));
    uint32_t share = settings->tcp_connections / worker->count;

    if (endpoint) {
        endpoint->worker = worker;
        endpoint_pattern_make(endpoint);
        endpoint->connections = share > CONNECTIONS_MIN ? share : CONNECTIONS_MIN;
        endpoint->conn = calloc(endpoint->connections, sizeof(*endpoint->conn));
        endpoint->held = calloc(65536, sizeof(*endpoint->held));
        endpoint->peer[worker->index] = endpoint;
    }
    if (endpoint && run_dir && segment_make(endpoint, run_dir, error) != 0) {
        endpoint_free(endpoint);
        return NULL;
    }
    if (!endpoint || !endpoint->conn || !endpoint->held || ports_seed(endpoint) != 0 || engine_make(endpoint) != 0) {
        endpoint_free(endpoint);
        sl_error_set(error, -ENOMEM, "no memory for %u TCP connections; lower tcp.connections", share);
        return NULL;
    }
    return endpoint;
}

void endpoint_free(struct endpoint *endpoint)
{
    if (endpoint == NULL)
        return;
    for (uint16_t i = 0; i < endpoint->out.count; i++)
        rte_pktmbuf_free(endpoint->out.packet[i].m);
    for (unsigned i = 0; i < endpoint->n_in; i++)
        rte_pktmbuf_free(endpoint->in[i].payload.owner);
    sl_tcp_free(endpoint->tcp);
    sl_segment_close(&endpoint->segment);
    free(endpoint->conn);
    free(endpoint->held);
    free(endpoint);
}

void endpoint_meet(struct worker *const worker[], uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < count; j++)
            worker[i]->endpoint->peer[j] = worker[j]->endpoint;
}

// ---- tables -------------------------------------------------------------------------------------------------
static bool same_place(const struct sl_own_endpoint *a, const struct sl_own_endpoint *b)
{
    return a->kind == b->kind && a->port == b->port && sl_ip_equal(&a->address, &b->address) &&
           strncmp(a->name, b->name, sizeof(a->name)) == 0;
}

static const struct sl_own_endpoint *wanted(const struct tables *tables, const struct sl_own_endpoint *says)
{
    for (uint32_t i = 0; i < tables->endpoint_count; i++)
        if (same_place(&tables->endpoint[i], says))
            return &tables->endpoint[i];
    return NULL;
}

// The way out of an answer is not known when a connection begins, and a segment too large for it would only vanish.
static uint16_t smallest_mtu(const struct tables *tables)
{
    uint16_t mtu = UINT16_MAX;

    for (uint32_t slot = 0; slot < tables->port_count; slot++)
        if (tables->port[slot].name[0] && !(tables->port[slot].flags & SL_PORT_ADMIN_DOWN) &&
            tables->port[slot].mtu < mtu)
            mtu = tables->port[slot].mtu;
    return mtu == UINT16_MAX ? 1500 : mtu;
}

// A port with a smaller MTU than IPv6 has to carry has no addresses of it.
static uint16_t mtu_for(const struct sl_own_endpoint *says, uint16_t mtu)
{
    return sl_ip_is_v4(&says->address) ? mtu : RTE_MAX(mtu, (uint16_t)MTU_V6);
}

static const char *congestion_name(uint32_t congestion)
{
    static const char *const names[] = {[SL_TCP_CONGESTION_CUBIC] = "cubic",
                                        [SL_TCP_CONGESTION_NEWRENO] = "newreno",
                                        [SL_TCP_CONGESTION_BBR] = "bbr"};

    return congestion < SL_TCP_CONGESTIONS ? names[congestion] : names[SL_TCP_CONGESTION_CUBIC];
}

static bool service_listen(struct endpoint *endpoint, struct endpoint_service *service)
{
    const struct sl_own_endpoint *says = &service->says;
    struct sl_tcp_options options;

    sl_tcp_options_default(&options);
    options.mtu = mtu_for(says, endpoint->mtu);
    options.congestion = congestion_name(endpoint->congestion);
    options.rx_bytes = options.tx_bytes = CONN_BYTES;
    options.keepalive_idle_ms = says->idle_s * 1000;
    options.backlog = endpoint->connections / 4;
    options.fast_open = says->flags & SL_ENDPOINT_FAST_OPEN;
    options.fast_open_backlog = endpoint->connections / FAST_OPEN_SHARE;
    service->listener =
        sl_tcp_listen(endpoint->tcp, &says->address, htons(says->port), &options, service, NULL);
    return service->listener != NULL;
}

static bool service_open(struct endpoint *endpoint, const struct sl_own_endpoint *says)
{
    struct endpoint_service *service = endpoint->service;

    while (service < endpoint->service + ENDPOINT_SERVICES && service->says.kind != SL_ENDPOINT_NONE)
        service++;
    if (service == endpoint->service + ENDPOINT_SERVICES)
        return false;
    *service = (struct endpoint_service){.says = *says};
    if (service_listen(endpoint, service))
        return true;
    service->says.kind = SL_ENDPOINT_NONE;
    return false;
}

static void service_close(struct endpoint *endpoint, uint16_t i)
{
    endpoint_service_reset(endpoint, i);
    if (endpoint->service[i].listener)
        sl_tcp_unlisten(endpoint->service[i].listener);
    endpoint->service[i] = (struct endpoint_service){0};
    endpoint->fed = true;
}

// What a listener gave its connections they keep; those that come get what holds now.
static void service_adjust(struct endpoint *endpoint, uint16_t i, const struct sl_own_endpoint *says,
                           bool changed)
{
    struct endpoint_service *service = &endpoint->service[i];
    bool again = changed || service->says.idle_s != says->idle_s || service->says.flags != says->flags;

    service->says = *says;
    if (!again)
        return;
    endpoint->fed = true; // half-open connections are reset, and that has to leave
    if (service->listener)
        sl_tcp_unlisten(service->listener);
    if (!service_listen(endpoint, service))
        service_close(endpoint, i);
}

static void services_close(struct endpoint *endpoint, const struct tables *tables, bool changed)
{
    for (uint16_t i = 0; i < ENDPOINT_SERVICES; i++) {
        struct endpoint_service *service = &endpoint->service[i];
        const struct sl_own_endpoint *says =
            service->says.kind == SL_ENDPOINT_NONE ? NULL : wanted(tables, &service->says);

        if (says)
            service_adjust(endpoint, i, says, changed);
        else if (service->says.kind != SL_ENDPOINT_NONE)
            service_close(endpoint, i);
    }
}

static bool is_open(const struct endpoint *endpoint, const struct sl_own_endpoint *says)
{
    for (uint16_t i = 0; i < ENDPOINT_SERVICES; i++)
        if (endpoint->service[i].says.kind != SL_ENDPOINT_NONE &&
            same_place(&endpoint->service[i].says, says))
            return true;
    return false;
}

void endpoint_tables_taken(struct worker *worker)
{
    struct endpoint *endpoint = worker->endpoint;
    const struct tables *tables = worker->tables;
    uint16_t mtu = smallest_mtu(tables);

    if (endpoint == NULL)
        return;
    bool changed = mtu != endpoint->mtu || tables->settings->tcp_congestion != endpoint->congestion;
    endpoint->mtu = mtu;
    endpoint->congestion = tables->settings->tcp_congestion;
    services_close(endpoint, tables, changed);
    memset(endpoint->ports, 0, sizeof(endpoint->ports));
    for (uint32_t i = 0; i < tables->endpoint_count; i++) {
        const struct sl_own_endpoint *says = &tables->endpoint[i];
        if (is_open(endpoint, says) || service_open(endpoint, says))
            endpoint->ports[says->port / 64] |= 1ull << says->port % 64;
    }
    endpoint_ports_taken(endpoint, tables->settings);
}

// ---- a pass -------------------------------------------------------------------------------------------------
static void counters_publish(struct endpoint *endpoint)
{
    static_assert(SL_COUNTER_KINDS - SL_COUNTER_tcp_segments_in ==
                      sizeof(struct sl_tcp_counters) / sizeof(uint64_t),
                  "counter.def has those of src/tcp, in their order");
    uint64_t *counter = &endpoint->worker->counters->counter[SL_COUNTER_tcp_segments_in];
    const uint64_t *now = &sl_tcp_counters(endpoint->tcp)->segments_in;
    uint64_t *before = &endpoint->published.segments_in;

    // The segment goes on counting where an earlier data plane ended.
    if (endpoint->segment.base)
        ((struct sl_endpoint_segment *)endpoint->segment.base)->used = sl_tcp_connection_count(endpoint->tcp);
    for (unsigned i = 0; i < sizeof(struct sl_tcp_counters) / sizeof(uint64_t); i++) {
        counter[i] += now[i] - before[i];
        before[i] = now[i];
    }
}

uint32_t endpoint_pass(struct worker *worker)
{
    struct endpoint *endpoint = worker->endpoint;
    bool fed;

    if (endpoint == NULL)
        return 0;
    fed = endpoint->fed | (endpoint_probes_begin(endpoint) > 0);
    if (!fed && worker->now_us < endpoint->deadline_us)
        return 0;
    endpoint->fed = false;
    endpoint_rejects_take(endpoint);
    sl_tcp_tick(endpoint->tcp, worker->now_us);
    uint32_t events = endpoint_serve(endpoint);
    endpoint_probes_tick(endpoint);
    sl_tcp_output(endpoint->tcp, worker->now_us);
    endpoint_emit(endpoint);
    endpoint->deadline_us = RTE_MIN(sl_tcp_deadline(endpoint->tcp), endpoint_probes_due_us(endpoint));
    counters_publish(endpoint);
    return fed + events;
}

uint64_t endpoint_deadline_us(const struct worker *worker)
{
    const struct endpoint *endpoint = worker->endpoint;

    if (endpoint == NULL)
        return UINT64_MAX;
    return endpoint->fed ? worker->now_us : endpoint->deadline_us;
}
