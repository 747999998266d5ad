// SPDX-License-Identifier: Apache-2.0
// An endpoint of the data plane in cycles, without a device: packets of a client engine go into pipeline_run() by bursts,
// what the worker sends is taken from the harness's capture. What the client does is not counted. Prints a line,
// `SERVICE FLOWS in pass out`: segments' cycles in the pipeline, each; the endpoint's pass and flush, for each of those;
// segments that came out for each that went in. Medians over runs.
//     bench_endpoint echo|discard FLOWS
#include <stdio.h>
#include <unistd.h>
#include <rte_cycles.h>
#include "bench_gateway.h"
#include "endpoint/endpoint.h"
#include "tcp/tcp.h"

#define LAN      0
#define BURST    32u
#define RUNS     15u
#define SEGMENTS (1u << 15)
#define LEN      1448u
#define ETHERNET 14

struct bench {
    enum sl_endpoint_kind kind;
    uint32_t flows;
    struct harness *h;
    struct sl_tcp_engine *client;
    struct sl_tcp_conn **conn;
    struct rte_mbuf *sent[4096]; // by the client, not yet handed over
    unsigned n_sent;
    uint64_t in_cycles, pass_cycles, in, out;
};

static struct bench bench;
static uint8_t payload[LEN];
static struct sl_own_endpoint endpoint = {.name = "e", .port = 7};

static void no_hold(void *owner)
{
    (void)owner;
}

static const struct sl_tcp_buffers buffers = {no_hold, no_hold};

static bool client_send(void *context, const struct sl_tcp_out *out)
{
    struct rte_mbuf *m = bench.n_sent < RTE_DIM(bench.sent) ? rte_pktmbuf_alloc(harness_pool()) : NULL;

    (void)context;
    if (m == NULL)
        return false;
    uint8_t *at = sl_emit_eth(rte_pktmbuf_mtod(m, void *), harness_port_mac(LAN), harness_peer_mac(), 0x0800);
    m->data_len = (uint16_t)(ETHERNET + sl_tcp_write_packet(out, 0, at));
    m->pkt_len = m->data_len;
    bench.sent[bench.n_sent++] = m;
    return true;
}

// What the worker sent, into the client.
static void client_receive(uint64_t now_us)
{
    struct rte_mbuf *m;
    struct sl_tcp_in in;

    for (; (m = harness_sent(bench.h, LAN)) != NULL; rte_pktmbuf_free(m), bench.out++)
        if (sl_tcp_read_packet(&in, rte_pktmbuf_mtod_offset(m, uint8_t *, ETHERNET), m->pkt_len - ETHERNET, true) == 0)
            sl_tcp_input(bench.client, &in, now_us);
}

static void hand_over(uint64_t now_us)
{
    struct worker *worker = bench.h->worker[0];
    uint64_t start = rte_rdtsc(), middle;

    worker->now_us = now_us;
    for (unsigned i = 0; i < bench.n_sent; i += BURST)
        pipeline_run(worker, LAN, bench.sent + i, (uint16_t)RTE_MIN(bench.n_sent - i, BURST));
    middle = rte_rdtsc();
    endpoint_pass(worker);
    worker_flush(worker);
    bench.pass_cycles += rte_rdtsc() - middle;
    bench.in_cycles += middle - start;
    bench.in += bench.n_sent;
    bench.n_sent = 0;
    client_receive(now_us);
}

static void client_read(uint64_t now_us)
{
    struct sl_tcp_event event;
    struct sl_tcp_chunk chunk;

    while (sl_tcp_event(bench.client, &event))
        while (sl_tcp_read(event.conn, UINT32_MAX, &chunk, now_us) == 1)
            ;
}

// ---- setting up ---------------------------------------------------------------------------------------------
static void gateway_make(void)
{
    struct sl_error error;
    struct harness *h = bench.h = harness_new(1);

    harness_port(h, LAN, 0);
    harness_address(h, LAN, "10.0.0.1/24");
    harness_neighbor(h, LAN, "10.0.0.11");
    harness_ready(h);
    endpoint.kind = bench.kind;
    endpoint.address = sl_ip_v4(0);
    h->tables.endpoint = &endpoint;
    h->tables.endpoint_count = 1;
    h->port_table.settings.tcp_connections = bench.flows + 64;
    h->worker[0]->metered = false;
    h->worker[0]->now_us = 1000000;
    h->worker[0]->endpoint = endpoint_new(h->worker[0], &h->port_table.settings, NULL, &error);
    if (!h->worker[0]->endpoint)
        exit(1);
    endpoint_tables_taken(h->worker[0]);
}

static void client_make(void)
{
    struct sl_tcp_config config = {.connections = bench.flows + 64, .time_waits = 16, .listeners = 1,
                                   .buffers_held = 1u << 18, .segments_held = 1u << 18, .rx_bytes = 1ull << 32,
                                   .tx_bytes = 1ull << 32, .entropy = {1, 7}, .buffers = &buffers, .send = client_send,
                                   .now_us = 1000000};

    bench.client = sl_tcp_new(&config);
    bench.conn = calloc(bench.flows, sizeof(struct sl_tcp_conn *));
    if (!bench.client || !bench.conn)
        exit(1);
}

static void connect_all(uint64_t *now_us)
{
    struct sl_ip from = harness_ip_of("10.0.0.11"), to = harness_ip_of("10.0.0.1");
    struct sl_tcp_options options;

    sl_tcp_options_default(&options);
    options.pacing = options.ecn = false;
    for (uint32_t i = 0; i < bench.flows; i++) {
        bench.conn[i] = sl_tcp_connect(bench.client, &from, (sl_be16)(1024 + i), &to, sl_be16_of(7), &options, NULL,
                                       *now_us, NULL);
        for (unsigned step = 0; step < 2; step++) {
            *now_us += 10;
            sl_tcp_output(bench.client, *now_us);
            hand_over(*now_us);
        }
        client_read(*now_us);
    }
}

// ---- measuring ----------------------------------------------------------------------------------------------
static void burst(uint32_t *next, uint64_t now_us)
{
    const struct sl_tcp_chunk chunk = {payload, LEN, LEN, payload};

    for (unsigned i = 0; i < BURST; i++, *next = (*next + 1) % bench.flows)
        if (sl_tcp_send(bench.conn[*next], &chunk, now_us) != 0)
            _exit(2);
    sl_tcp_output(bench.client, now_us);
    hand_over(now_us);
    client_read(now_us);
    sl_tcp_output(bench.client, now_us);
    sl_tcp_tick(bench.client, now_us);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int measure(void *argument)
{
    double in[RUNS], pass[RUNS];
    uint64_t now_us = 1000000, data = 0;
    uint32_t next = 0;

    (void)argument;
    connect_all(&now_us);
    bench.in = bench.out = 0;
    for (unsigned run = 0; run < RUNS; run++) {
        bench.in_cycles = bench.pass_cycles = 0;
        for (unsigned i = 0; i < SEGMENTS; i += BURST, data += BURST)
            burst(&next, now_us += 20);
        in[run] = (double)bench.in_cycles / SEGMENTS;
        pass[run] = (double)bench.pass_cycles / SEGMENTS;
    }
    qsort(in, RUNS, sizeof(*in), compare);
    qsort(pass, RUNS, sizeof(*pass), compare);
    printf("%s %u %.0f %.0f in %.2f out %.2f\n", bench.kind == SL_ENDPOINT_ECHO ? "echo" : "discard", bench.flows,
           in[RUNS / 2], pass[RUNS / 2], (double)bench.in / (double)data, (double)bench.out / (double)data);
    return 0;
}

int main(int argc, char **argv)
{
    bench.flows = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
    bench.kind = argc > 1 && strcmp(argv[1], "discard") == 0 ? SL_ENDPOINT_DISCARD : SL_ENDPOINT_ECHO;
    if (bench.flows == 0 || bench.flows > 60000)
        return fprintf(stderr, "usage: bench_endpoint echo|discard FLOWS\n"), 64;
    bench_start("bench_endpoint", 1);
    gateway_make();
    client_make();
    return bench_run(measure, NULL);
}
