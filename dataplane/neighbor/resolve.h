// SPDX-License-Identifier: Apache-2.0
// Inside the neighbor folder: what the housekeeping thread keeps beside the shared table, and how events reach an
// entry. Everything here is housekeeping's alone.
#ifndef NEIGHBOR_RESOLVE_H
#define NEIGHBOR_RESOLVE_H

#include "housekeeping/house.h"
#include "neighbor/announce.h"
#include "neighbor/hold.h"
#include "neighbor/nud.h"
#include "neighbor/table.h"
#include "neighbor/timer.h"

#define ASKS_PER_SECOND 1000 // requests in all: a scan of our subnets must not become a broadcast storm
#define ASKS_BURST      256
#define ASK_LATER_MS    100 // until the next try where the rate was used up

struct neighbor_resolver {
    struct timer_wheel wheel; // by entry slot
    struct hold hold;         // by entry slot
    struct announce announce;
    struct token_bucket asks;
    uint64_t random; // xorshift: spreads the times of REACHABLE
    bool started;    // the clock is known and adopted entries have timers
};

struct neighbor_resolver *resolver_new(const struct neighbor_table *table);
void resolver_free(struct neighbor_resolver *resolver);

// An answer to what we asked, or news of an entry that exists; see nud.h. Nothing is learned of strangers.
void neighbor_heard_answer(struct house *house, uint16_t port, const struct sl_ip *ip,
                           const struct nud_answer *answer);
void neighbor_heard_claim(struct house *house, uint16_t port, const struct sl_ip *ip, const uint8_t mac[6]);

// HANDOVER_ARP. arp.c: the frame is ARP; discovery.c: it is ICMPv6 of types 133-137. Each consumes it.
void arp_handle(struct house *house, uint16_t port, struct rte_mbuf *m);
void discovery_handle(struct house *house, uint16_t port, struct rte_mbuf *m);

// True where a MAC can be that of one station: neither zero nor a group's.
static inline bool mac_of_station(const uint8_t mac[6])
{
    return !(mac[0] & 1) && (mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]) != 0;
}

// Gives a frame we have looked at to the kernel twin of its port, or frees it where there is none.
static inline void resolver_pass_to_twin(struct house *house, uint16_t port, struct rte_mbuf *m)
{
    if (house->tables->port[port].flags & SL_PORT_TWIN)
        twin_write(house, m);
    else
        rte_pktmbuf_free(m);
}

#endif
