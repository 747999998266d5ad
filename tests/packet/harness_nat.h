// SPDX-License-Identifier: Apache-2.0
// NAT for the harness: session tables in memory, a NAT table said in a few lines, generations taken over as a worker
// does. Test thread.
//
//     struct harness_nat *n = harness_nat_new(64);        // one worker, room for 64 flows; LAN, WAN and routes as below
//     harness_nat_pool(n, "wan", "198.51.100.100", 1, 16, SL_NAT_FILTER_ENDPOINT_INDEPENDENT);
//     harness_nat_source(n, "10.0.0.0/24", NAT_WAN, 0);
//     harness_nat_ready(n);
//
// LAN 10.0.0.1/24 with neighbors .11 and .12, WAN 198.51.100.1/24 with neighbors .21, .22, .23; 192.0.2.0/24 and
// 203.0.113.0/24 are behind .23.
#ifndef PACKET_HARNESS_NAT_H
#define PACKET_HARNESS_NAT_H

#include "harness.h"
#include "wire/checksum.h"
#include "flow/flow.h"
#include "nat/lifecycle.h"
#include "flow/end.h"
#include "flow/memory.h"
#include "nat/state.h"

enum { NAT_LAN, NAT_WAN };

#define NAT_TEST_POOLS     4
#define NAT_TEST_ADDRESSES 512
#define NAT_TEST_RULES     8

struct harness_nat_table {
    struct sl_nat_table head;
    struct sl_nat_pool pool[NAT_TEST_POOLS];
    sl_be32 address[NAT_TEST_ADDRESSES];
    struct sl_nat_source source[NAT_TEST_RULES];
    struct sl_nat_static one[NAT_TEST_RULES];
    struct sl_nat_forward forward[NAT_TEST_RULES];
};

struct harness_nat {
    struct harness *h;
    struct nat_share *share;
    struct flow_table flows[HARNESS_WORKERS];
    struct harness_nat_table table[2]; // of this generation and the one before
    struct tables before;
    uint32_t generation;
    uint32_t capacity;
};

struct harness_nat *harness_nat_new_workers(uint32_t workers, uint32_t capacity);
static inline struct harness_nat *harness_nat_new(uint32_t capacity)
{
    return harness_nat_new_workers(1, capacity);
}
// Also checks that all that flows hold can be given back: no block, subscriber or contact is lost.
void harness_nat_free(struct harness_nat *n);

// ---- the table of the next generation -----------------------------------------------------------------------
struct harness_nat_table *
harness_nat_table(struct harness_nat *n);      // to be changed before harness_nat_ready()
void harness_nat_clear(struct harness_nat *n); // starts it anew, without pools and rules
void harness_nat_pool(struct harness_nat *n, const char *name, const char *first, uint32_t count,
                      uint32_t blocks, enum sl_nat_filtering filtering);
void harness_nat_source(struct harness_nat *n, const char *inside, uint16_t port, uint16_t pool);
void harness_nat_static(struct harness_nat *n, const char *inside, const char *outside);
void harness_nat_forward(struct harness_nat *n, uint8_t proto, const char *outside, uint16_t first,
                         uint16_t last, const char *inside, uint16_t inside_first);
// A generation with the table as it is now: bound, handed over, taken. The next one starts as its copy.
void harness_nat_ready(struct harness_nat *n);
// What a worker does between bursts until nothing is left to do, at the present time.
void harness_nat_tick(struct harness_nat *n);

// ---- looking ------------------------------------------------------------------------------------------------
uint32_t harness_nat_flows(const struct harness_nat *n); // in use, over all workers
// By how much the transport checksum is wrong, 0: it is right, by full recomputation. Fails where the IPv4 header's is.
uint16_t harness_nat_residue(struct rte_mbuf *frame);
// Fails where either is wrong.
void harness_nat_check(struct rte_mbuf *frame);
// Sends a frame through worker 0, lets rings run dry, takes what left by `out`, checks its checksums. NULL: nothing.
struct rte_mbuf *harness_nat_through(struct harness_nat *n, uint16_t in, struct rte_mbuf *frame,
                                     uint16_t out);

struct ends { // of a frame, ports in host byte order; of ICMP queries the identifier
    sl_be32 src, dst;
    uint16_t sport, dport;
};
struct ends harness_nat_ends(struct rte_mbuf *frame); // frees it
sl_be32 ip4(const char *text);
// The first UDP packet of a subscriber's port to a server: what it became. Fails where it did not get through.
struct ends harness_nat_udp(struct harness_nat *n, const char *src, uint16_t sport, const char *dst,
                            uint16_t dport);
struct ends harness_nat_tcp(struct harness_nat *n, const char *src, uint16_t sport, const char *dst,
                            uint16_t dport, uint8_t flags);

#endif
