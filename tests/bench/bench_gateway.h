// SPDX-License-Identifier: Apache-2.0
// What the in-process benchmarks measure: a gateway of the harness (tests/packet), with as many workers, flows, routes
// and rules as asked for, the flows' packets, and the means to send them. bench_pipeline has no ports and times
// pipeline_run(); bench_null has null ports and runs whole passes. Everything runs on one thread unless it says
// otherwise: that of the first worker's core.
#ifndef BENCH_GATEWAY_H
#define BENCH_GATEWAY_H

#include <string.h>
#include <rte_launch.h>
#include "packet/harness_balance.h"

#define FRAME_BYTES 64 // without the check sequence, as net_null has them

struct tuple { // of a packet to be sent; checksums are computed once
    sl_be32 src, dst;
    sl_be16 sport, dport, ip_checksum, udp_checksum;
};

struct gateway {
    struct harness_nat *nat;
    struct harness_balance *balance; // NULL: it does not balance
    struct harness *h;
    uint32_t workers;
    struct tuple *tuple; // [tuples], in the order of sending
    uint32_t tuples;
    struct sl_route_table *routes;
    uint64_t routes_bytes;
    struct sl_prefilter_table *prefilter;
    uint64_t prefilter_bytes;
};

// DPDK with `workers` lcores (1 and on) on cores of their own, as sluice-dp places its workers, huge pages where
// there are enough, and the harness's pool. Ends the program with a sentence where that fails. Main thread.
void bench_start(const char *program, uint32_t workers);
// Runs a function on the first worker's core; what it returned.
int bench_run(lcore_function_t *run, void *argument);

// Room for `capacity` flows in each worker's session table; one default route out of the WAN port.
struct gateway *gateway_new(uint32_t workers, uint32_t capacity);
// One that balances: a service at TCP and UDP 80 of BALANCE_VIP; clients 20.0.0.0/8 are behind WAN, members behind LAN.
// At most BALANCE_TEST_PARTS members, and BENCH_DIRECT_MOST where the way is direct return.
#define BENCH_DIRECT_MOST 8
struct gateway *gateway_balance_new(uint32_t workers, uint32_t capacity, enum sl_balance_method method,
                                    uint32_t members, enum sl_balance_way way);
void gateway_free(struct gateway *g);
// A default route and `count` - 1 others, of the lengths that are usual in the Internet.
void gateway_routes(struct gateway *g, uint32_t count);
// `rules` that deny, each with its own set of `prefixes`. Packets made afterwards match none of them. 0 rules: no
// prefilter.
void gateway_prefilter(struct gateway *g, uint32_t rules, uint32_t prefixes);
// Ends every flow.
void gateway_flows_end(struct gateway *g);

// ---- packets -----------------------------------------------------------------------------------------------
void tuples_nat(struct gateway *g, uint32_t count);     // flows of subscribers, shuffled
void tuples_balance(struct gateway *g, uint32_t count); // flows of clients to the service, shuffled
void tuples_routed(struct gateway *g, uint32_t count);  // to random destinations
void tuples_allowed(struct gateway *g,
                    uint32_t count); // the same, from sources that the prefilter lets through

uint64_t draw(void);

extern const uint8_t
    *frame_template; // FRAME_BYTES of a packet of no flow in particular; made by bench_start()

// The packet of a flow as it would be received: all of it, as a NIC writes all of it.
static inline void frame_write(struct rte_mbuf *m, const struct tuple *t)
{
    struct sl_eth *eth = rte_pktmbuf_mtod(m, struct sl_eth *);
    struct sl_ipv4 *ip = (struct sl_ipv4 *)(eth + 1);
    struct sl_udp *udp = (struct sl_udp *)(ip + 1);
    memcpy(eth, frame_template, FRAME_BYTES);
    ip->src = t->src;
    ip->dst = t->dst;
    ip->checksum = t->ip_checksum;
    udp->sport = t->sport;
    udp->dport = t->dport;
    udp->checksum = t->udp_checksum;
}

// A frame as it was received: it may have got headers in front since.
static inline void frame_reset(struct rte_mbuf *m)
{
    m->data_off = RTE_PKTMBUF_HEADROOM;
    m->data_len = FRAME_BYTES;
    m->pkt_len = FRAME_BYTES;
}

// ---- how fast the core is just now -------------------------------------------------------------------------
// Hosts change a core's clock with the load of all their machines, and figures in TSC cycles with it. And they move
// virtual cores: two of them may be threads of one real core, each of which has what the other leaves.
struct core_speed {
    double clock_ghz;
    double
        burden; // time that many independent steps take, in that of a chain of dependent ones: least on a core of
                // one's own, half as much again and more on one that is shared
};
#define SHARED_BURDEN 1.15          // of the least: the core is shared
struct core_speed core_probe(void); // microseconds, touches no memory

#endif
