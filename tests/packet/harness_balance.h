// SPDX-License-Identifier: Apache-2.0
// Balancing for the harness: NAT's harness, services and pools said in a few lines, built into tables by the builder
// that control uses, and taken over as a worker does. Test thread.
//
//     struct harness_balance *b = harness_balance_new(1, 64);
//     uint32_t pool = harness_balance_pool(b, SL_BALANCE_MAGLEV);
//     harness_balance_member(b, pool, "10.1.0.1", 8080, 1);
//     harness_balance_listen(b, harness_balance_service(b, pool), BALANCE_VIP, IPPROTO_TCP, 80, 80);
//     harness_balance_ready(b);
//
// The network is harness_nat.h's; behind 10.0.0.11 (LAN) are 10.1.0.0/16 and fd01::/64 with the members, behind WAN's
// gateways 192.0.2.0/24, 203.0.113.0/24 and 2001:db8:9::/64 with the clients.
#ifndef PACKET_HARNESS_BALANCE_H
#define PACKET_HARNESS_BALANCE_H

#include "balance/flow.h"
#include "balance/method.h"
#include "harness_nat.h"
#include "table/balance_table.h"

#define BALANCE_VIP       "198.51.100.105"
#define BALANCE_VIP_V6    "2001:db8:100::80"
#define BALANCE_CLIENT    "192.0.2.7"
#define BALANCE_CLIENT_V6 "2001:db8:9::9"

#define BALANCE_SOURCE    "198.51.100.107" // of full NAT and of tunnels
#define BALANCE_SOURCE_V6 "2001:db8:100::1"

#define BALANCE_TEST_PARTS 512

struct harness_balance {
    struct harness_nat *n;
    struct harness *h;
    struct balance_share *share;
    struct balance *balance[HARNESS_WORKERS];
    char run_dir[64];
    // What the next table is built of: to be changed at will before harness_balance_ready(). Members of a pool stand
    // together, so a pool gets all of its own before the next is begun.
    struct sl_balance_service service[BALANCE_TEST_PARTS];
    struct sl_balance_pool pool[BALANCE_TEST_PARTS];
    struct sl_balance_member member[BALANCE_TEST_PARTS];
    struct sl_balance_listen listen[BALANCE_TEST_PARTS];
    struct sl_ip source[BALANCE_TEST_PARTS];
    struct sl_balance_input input;
    struct sl_balance_table *table; // in force
    uint64_t serial;
    bool lazy; // the test itself has workers do what they do between bursts
};

struct harness_balance *harness_balance_new(uint32_t workers, uint32_t capacity);
// Also checks that no flow is counted any more when the last has gone.
void harness_balance_free(struct harness_balance *b);

// Each returns the index of what it adds; slots are indices too.
uint32_t harness_balance_pool(struct harness_balance *b, enum sl_balance_method method);
uint32_t harness_balance_member(struct harness_balance *b, uint32_t pool, const char *ip, uint16_t port,
                                uint16_t weight);
uint32_t harness_balance_service(struct harness_balance *b, uint32_t pool);
void harness_balance_listen(struct harness_balance *b, uint32_t service, const char *ip, uint8_t proto,
                            uint16_t first, uint16_t last);
// So many members 10.1.0.1, ... of weight 1, port 8080, behind TCP and UDP 80 of BALANCE_VIP.
void harness_balance_simple(struct harness_balance *b, enum sl_balance_method method, uint32_t members);
// One pool of so many members behind BALANCE_VIP, reached in this way from the sources above.
struct harness_balance *harness_balance_way(uint32_t workers, enum sl_balance_way way, uint32_t members);
// A generation with the table as it is now.
void harness_balance_ready(struct harness_balance *b);
// A change in place, as control makes it, and what workers do about it.
void harness_balance_set(struct harness_balance *b, uint32_t pool, uint32_t member,
                         enum sl_balance_state state, uint16_t weight);

struct sl_balance_service_counters harness_balance_service_sum(const struct harness_balance *b,
                                                               uint32_t slot);
struct sl_balance_member_counters harness_balance_member_sum(const struct harness_balance *b, uint32_t slot);

// A frame through worker 0, what left by `out` with right checksums (of either family); NULL: nothing did.
struct rte_mbuf *harness_balance_through(struct harness_balance *b, uint16_t in, struct rte_mbuf *frame,
                                         uint16_t out);
// A frame that arrives at this worker; as it left by `out`, unchecked.
struct rte_mbuf *harness_balance_at(struct harness_balance *b, uint32_t worker, uint16_t in, struct rte_mbuf *frame,
                                    uint16_t out);
// The member that a packet from the client's port to the service gets to: last byte of its address; 0: none.
uint32_t harness_balance_udp(struct harness_balance *b, const char *client, uint16_t sport);
uint32_t harness_balance_tcp(struct harness_balance *b, const char *client, uint16_t sport, uint8_t flags);

struct ends6 {
    struct sl_ip src, dst;
    uint16_t sport, dport;
};
struct ends6 harness_balance_ends(struct rte_mbuf *frame); // of either family; frees it

#endif
