// SPDX-License-Identifier: Apache-2.0
// The pipeline without ports: EAL once per test program, workers whose tx queues end in a capture ring,
// tables made in memory. A test feeds frames, runs, and looks at what came out: frames by port, packets
// handed to housekeeping, drops by reason. harness_free() fails the test where an mbuf was lost.
//
//     static void test(void **state)
//     {
//         struct harness *h = harness_new(1);
//         harness_port(h, LAN, 0);
//         harness_address(h, LAN, "10.0.0.1/24");
//         ...
//         harness_ready(h);
//         harness_send(h, LAN, harness_udp(LAN, "10.0.0.11", "198.51.100.21", 4000, 53, 64));
//         struct rte_mbuf *out = harness_sent(h, WAN);
//         ...
//         rte_pktmbuf_free(out);
//         harness_free(h);
//     }
//     int main(void) { ... return cmocka_run_group_tests(tests, harness_start, harness_stop); }
#ifndef PACKET_HARNESS_H
#define PACKET_HARNESS_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "housekeeping/house.h"
#include "wire/emit.h"
#include "worker/worker.h"

#define HARNESS_WORKERS   4  // most workers of a test
#define HARNESS_CAPTURE   63 // the worker index that owns every tx queue: its ring is the capture ring
#define HARNESS_ROUTES    64
#define HARNESS_NEIGHBORS 16
#define HARNESS_POOL      "harness" // the mbuf pool; a program that starts DPDK itself makes it

struct harness_route {
    struct sl_prefix prefix;
    uint32_t nexthop;
};

struct harness {
    struct house house;
    struct worker *worker[HARNESS_WORKERS];
    uint32_t worker_count;
    struct tables tables;
    struct sl_port_table port_table;
    struct sl_port port[SL_MAX_PORTS];
    struct sl_route_table route_table;
    struct sl_nexthop nexthop[HARNESS_ROUTES];
    uint32_t group_slot[HARNESS_ROUTES];
    struct harness_route route[HARNESS_ROUTES];
    uint32_t route_count;
    void *lpm; // blob
    struct sl_static_neighbor static_neighbor[HARNESS_NEIGHBORS];
    uint32_t neighbor_count;
    struct sl_neighbor_segment *neighbor_segment;
    struct sl_counter_segment *counters;
    struct sl_board *board;
    struct rte_ring *captured;
    uint64_t drops_seen[SL_DROP_KINDS]; // at the last harness_expect_drops()
    unsigned mbufs_before;              // free in the pool when the harness was made
};

// ---- harness.c: life, running, collecting ------------------------------------------------------------------
// cmocka group setup and teardown: EAL, the mbuf pool, the handover field.
int harness_start(void **state);
int harness_stop(void **state);
struct rte_mempool *harness_pool(void);

struct harness *harness_new(uint32_t workers);
// Frees it, and everything captured or handed over that was not looked at; fails where mbufs are missing.
void harness_free(struct harness *h);
// Tables are complete: hands them to the workers. May be called again after changes.
void harness_ready(struct harness *h);
// Moves every clock of the harness on.
void harness_advance_ms(struct harness *h, uint32_t ms);

// Feeds frames to worker 0 (harness_send_to: to a worker of choice) as received on a port, runs the pipeline,
// and flushes. Frames are consumed.
void harness_send(struct harness *h, uint16_t port, struct rte_mbuf *frame);
void harness_send_to(struct harness *h, uint32_t worker, uint16_t port, struct rte_mbuf **frames,
                     uint16_t count);
// Runs the workers' rings (steered packets, frames from housekeeping) and housekeeping's until all are empty.
void harness_settle(struct harness *h);

// The oldest frame sent out of a port and not taken yet, NULL where there is none. The caller frees it.
struct rte_mbuf *harness_sent(struct harness *h, uint16_t port);
// The oldest packet handed to housekeeping and not taken yet; handover_of() says which kind. The caller frees
// it.
struct rte_mbuf *harness_handed(struct harness *h, uint32_t worker);
// Sum of all threads' counters.
uint64_t harness_dropped(const struct harness *h, enum sl_drop reason);
uint64_t harness_counted(const struct harness *h, enum sl_counter counter);
// Fails unless exactly `count` more packets than at the last call were dropped for this reason and none for
// any other; then says "drop-covered: NAME" for tests/packet/drops_covered.py. count 0: nothing was dropped
// at all.
void harness_expect_drops(struct harness *h, enum sl_drop reason, uint64_t count);
#define harness_expect_drop(h, reason) harness_expect_drops(h, SL_DROP_##reason, 1)
#define harness_expect_no_drop(h)      harness_expect_drops(h, SL_DROP_none, 0)

// ---- harness_tables.c: what the tables say -----------------------------------------------------------------
// A port in slot `slot`: name "p<slot>", MTU 1500, MAC 02:00:00:00:00:<slot>, tx queue captured, link up.
void harness_port(struct harness *h, uint16_t slot, uint32_t flags);
// Takes the device away (port_down) or brings it back.
void harness_port_up(struct harness *h, uint16_t slot, bool up);
// An address of ours with its prefix length: next hops local, connected and (IPv4) broadcast are routed as
// control would do.
void harness_address(struct harness *h, uint16_t slot, const char *address);
// A next hop; returns its index. gateway NULL: none.
uint32_t harness_nexthop(struct harness *h, enum sl_nexthop_kind kind, uint16_t port, const char *gateway);
// A next hop that is a group of equal members.
uint32_t harness_group(struct harness *h, const uint32_t *members, uint32_t count);
void harness_route(struct harness *h, const char *prefix, uint32_t nexthop);

// ---- harness_state.c: what workers and housekeeping remember (neighbors, flows, fragments) -----------------
// A neighbor that is there: its MAC is 02:00:00:00:02:<last byte of the address>.
void harness_neighbor(struct harness *h, uint16_t slot, const char *address);

// Parts of harness_new(), harness_ready() and harness_free().
void harness_tables_init(struct harness *h);
void harness_state_init(struct harness *h);
void harness_state_ready(struct harness *h);
void harness_state_fini(struct harness *h);

// ---- harness_frame.c: frames -------------------------------------------------------------------------------
const uint8_t *harness_port_mac(uint16_t slot); // 02:00:00:00:00:<slot>
const uint8_t *harness_peer_mac(void);          // 02:00:00:00:01:00, the sender of every frame below
struct rte_mbuf *harness_frame(const void *bytes, uint32_t len); // a copy, as it is
// Frames from the peer to the port's MAC; addresses of either family as text; payload bytes count up from 0.
struct rte_mbuf *harness_udp(uint16_t port, const char *src, const char *dst, uint16_t sport, uint16_t dport,
                             uint16_t payload_len);
struct rte_mbuf *harness_tcp(uint16_t port, const char *src, const char *dst, uint16_t sport, uint16_t dport,
                             uint8_t flags, uint16_t payload_len);
struct rte_mbuf *harness_echo(uint16_t port, const char *src, const char *dst, uint16_t id, uint16_t seq);
struct rte_mbuf *harness_arp(uint16_t operation, const char *sender, const char *target);
// An IP header with any protocol and TTL over a payload of zeros.
struct rte_mbuf *harness_ip(uint16_t port, const struct sl_emit_ip *ip);
// After a test has changed a frame's IP header: IPv4 header checksum and transport checksum made right again.
void harness_fix_checksums(struct rte_mbuf *frame);
struct sl_ip harness_ip_of(const char *text); // fails the test where it is no address
#define harness_eth_of(m)  rte_pktmbuf_mtod(m, struct sl_eth *)
#define harness_ipv4_of(m) rte_pktmbuf_mtod_offset(m, struct sl_ipv4 *, 14)
#define harness_ipv6_of(m) rte_pktmbuf_mtod_offset(m, struct sl_ipv6 *, 14)
// The transport header behind an IPv4 header without options or an IPv6 header without extensions.
void *harness_l4_of(struct rte_mbuf *frame);

#endif
