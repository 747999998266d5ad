// SPDX-License-Identifier: Apache-2.0
// How packets get to a member, where it is not by translating their destination. On the worker's thread.
#ifndef BALANCE_WAY_H
#define BALANCE_WAY_H

#include "balance/state.h"

static inline bool balance_has_ports(uint8_t proto)
{
    return proto == 6 || proto == 17;
}

// What the answers of a member look like when they arrive. Protocols whose checksum does not let us change their ports
// keep them; so do ICMP queries their identifier.
static inline struct sl_flow_key balance_answer_key(uint8_t proto, const struct sl_flow_key *key,
                                                    const struct sl_balance_member *member)
{
    bool port = member->port != 0 && balance_has_ports(proto);

    return (struct sl_flow_key){
        .src = member->ip,
        .dst = key->src,
        .sport = port ? (sl_be16)__builtin_bswap16(member->port) : key->dport,
        .dport = key->sport,
    };
}

// Completes the new flow for its pool's way. 0; -ENOSPC: no source port is left; -EPROTONOSUPPORT: full NAT does not
// know the protocol.
int balance_way_prepare(struct worker *worker, const struct sl_balance_pool *pool, struct flow_new *new);

// Sends a packet to a member of a pool whose way is not DNAT or full NAT: as it is, to the member's MAC or in a tunnel.
// It has been moved on, rejected or dropped.
void balance_way_send(struct worker *worker, struct burst *burst, struct packet *packet,
                      const struct sl_balance_pool *pool, const struct sl_balance_member *member);

// Bytes of a client's packet that the tunnel to this member takes.
uint16_t balance_way_mtu(const struct worker *worker, const struct sl_balance_pool *pool,
                         const struct sl_balance_member *member, bool v4);

// Lowers the MSS of an answer to a SYN that a member behind a tunnel sent past us, and that we merely route: what its
// client sends has to fit in the tunnel (RFC 4459 section 3.2).
void balance_way_clamp(struct worker *worker, struct packet *packet);

// The station that a next hop with NEXTHOP_MEMBER names. False: these tables have no such member on this port's link.
// Any thread.
bool balance_way_station(const struct tables *tables, uint32_t nexthop, uint16_t port, struct sl_ip *ip);

// Is the flow's member reached by such a way? Then pool and member are set.
bool balance_way_is_other(const struct worker *worker, const struct sl_flow *flow,
                          const struct sl_balance_pool **pool, const struct sl_balance_member **member);

#endif
