// SPDX-License-Identifier: Apache-2.0
// Whole connections, their packets in the order in which a gateway in the midst of many sees them.
#include "bench_connections.h"
#include <stdlib.h>
#include <rte_cycles.h>
#include "wire/headers.h"
#include "worker/loop.h"

#define CLIENTS   65536u
#define OPEN      65536u // connections that are open at a time, a power of two
#define STEP_GAP  (OPEN / STEPS)
#define TCP_BYTES 54

enum { STEPS = 8 };

static const struct step {
    bool from_member;
    uint8_t flags;
} steps[STEPS] = {
    {false, SL_TCP_SYN},
    {true, SL_TCP_SYN | SL_TCP_ACK},
    {false, SL_TCP_ACK},
    {false, SL_TCP_ACK | SL_TCP_PSH},
    {true, SL_TCP_ACK | SL_TCP_PSH},
    {false, SL_TCP_FIN | SL_TCP_ACK},
    {true, SL_TCP_FIN | SL_TCP_ACK},
    {false, SL_TCP_ACK},
};

struct ends_of { // of the member's side, as its SYN came there
    sl_be32 member;
    sl_be16 port;
};

struct connections {
    struct gateway *g;
    struct worker *worker;
    struct rte_mbuf **frame, *pattern;
    uint64_t begun; // since the start, whole bursts
    uint64_t now_us, start_ms;
    struct ends_of open[OPEN];
};

struct connections *connections_new(struct gateway *g, uint32_t lingering, struct rte_mbuf **frame)
{
    struct connections *c = calloc(1, sizeof(*c));
    if (c == NULL)
        exit(1);
    c->g = g;
    c->worker = g->h->worker[0];
    c->frame = frame;
    c->pattern = harness_tcp(NAT_WAN, "20.0.0.1", BALANCE_VIP, 1, 80, SL_TCP_ACK, 0);
    c->start_ms = c->worker->now_ms;
    g->balance->service[0].timeout_closing_s = RTE_MAX(lingering / CONNECTIONS_RATE, 1u);
    harness_balance_ready(g->balance);
    return c;
}

void connections_free(struct connections *c)
{
    rte_pktmbuf_free(c->pattern);
    free(c);
}

// The n-th connection's client: none comes twice within two thousand million.
static sl_be32 client_of(uint64_t n)
{
    return sl_be32_of(0x14000000 + ((uint32_t)n * 40503u & (CLIENTS - 1)));
}

static sl_be16 client_port_of(uint64_t n)
{
    return sl_be16_of((uint16_t)(1024 + n / CLIENTS % 60000));
}

static void segment_write(struct connections *c, struct rte_mbuf *m, uint64_t n, const struct step *step)
{
    const struct ends_of *open = &c->open[n % OPEN];
    frame_reset(m);
    memcpy(rte_pktmbuf_mtod(m, void *), rte_pktmbuf_mtod(c->pattern, void *), TCP_BYTES);
    m->data_len = TCP_BYTES;
    m->pkt_len = TCP_BYTES;
    memcpy(harness_eth_of(m)->dst, harness_port_mac(step->from_member ? NAT_LAN : NAT_WAN), 6);
    struct sl_ipv4 *ip = harness_ipv4_of(m);
    struct sl_tcp *tcp = harness_l4_of(m);
    ip->src = step->from_member ? open->member : client_of(n);
    ip->dst = step->from_member ? client_of(n) : ip4(BALANCE_VIP);
    tcp->sport = step->from_member ? open->port : client_port_of(n);
    tcp->dport = step->from_member ? client_port_of(n) : sl_be16_of(80);
    tcp->flags = step->flags;
    harness_fix_checksums(m);
}

// Where its SYN went. The frame is still ours: nothing has sent it.
static void member_note(struct connections *c, struct rte_mbuf *m, uint64_t n)
{
    c->open[n % OPEN] = (struct ends_of){harness_ipv4_of(m)->dst, ((struct sl_tcp *)harness_l4_of(m))->dport};
}

static void sent_take(struct connections *c, uint16_t port, uint32_t burst)
{
    if (c->worker->tx[port].count != burst) {
        fprintf(stderr, "bench_pipeline: %u of %u packets of connections left\n", c->worker->tx[port].count,
                burst);
        exit(1);
    }
    c->worker->tx[port].count = 0;
    c->worker->tx_pending = 0;
}

// A burst of one step, and what a worker does between two. Cycles.
static uint64_t step_run(struct connections *c, uint32_t step, uint64_t first, uint32_t burst)
{
    uint16_t in = steps[step].from_member ? NAT_LAN : NAT_WAN;
    for (uint32_t i = 0; i < burst; i++)
        segment_write(c, c->frame[i], first + i, &steps[step]);
    uint64_t start = rte_rdtsc_precise();
    flow_tick(c->worker);
    pipeline_run(c->worker, in, c->frame, (uint16_t)burst);
    uint64_t cycles = rte_rdtsc_precise() - start;
    for (uint32_t i = 0; step == 0 && i < burst; i++)
        member_note(c, c->frame[i], first + i);
    sent_take(c, in == NAT_WAN ? NAT_LAN : NAT_WAN, burst);
    return cycles;
}

uint64_t connections_run(struct connections *c, uint32_t burst, uint64_t clock_cycles)
{
    uint64_t cycles = 0;
    for (uint32_t step = 0; step < STEPS; step++) {
        uint64_t behind = (uint64_t)step * STEP_GAP;
        if (c->begun >= behind)
            cycles += step_run(c, step, c->begun - behind, burst) - clock_cycles;
    }
    c->begun += burst;
    c->now_us = c->begun * 1000000 / CONNECTIONS_RATE;
    c->worker->now_ms = (uint32_t)(c->start_ms + c->now_us / 1000);
    return cycles;
}
