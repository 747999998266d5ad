// SPDX-License-Identifier: Apache-2.0
// A packet on its way through the stages, and the burst it travels in. Lives on the worker's stack or in its arena;
// never leaves the worker (a packet handed over is parsed again by its owner).
#ifndef WORKER_PACKET_H
#define WORKER_PACKET_H

#include <rte_mbuf.h>
#include "shm/layout.h"

#define BURST_MAX 64

// A packet's next hop that is a member of a pool itself, on a link of ours (direct return): its slot is in the other
// bits. The packet's own destination, the service's address, says nothing about where to.
#define NEXTHOP_MEMBER 0x80000000u

// Which stage has to look at the packet next. Each stage handles its own and moves them on; the burst's mask tells
// which stages have anything to do.
enum packet_stage {
    PACKET_PREFILTER,
    PACKET_PARSE,
    PACKET_STEER,
    PACKET_FLOW,     // session lookup
    PACKET_NAT,      // missed: may create a session; or hit: translate
    PACKET_ROUTE,    // longest-prefix match wanted
    PACKET_ICMP,     // an ICMP error is to be sent for it (icmp_* below), then it is dropped
    PACKET_NEIGHBOR, // next hop known
    PACKET_LOCAL,    // for the gateway itself: kernel twin
    PACKET_GONE,     // sent, handed over or dropped
    PACKET_STAGES
};

enum packet_flag {
    PACKET_V4 = 1 << 0,
    PACKET_V6 = 1 << 1,
    PACKET_FRAGMENT = 1 << 2,       // any fragment
    PACKET_LATER_FRAGMENT = 1 << 3, // not the first: no ports
    PACKET_TCP = 1 << 4,
    PACKET_UDP = 1 << 5,
    PACKET_ICMP_QUERY = 1 << 6, // ICMP or ICMPv6 echo (and other queries): identifier in both ports
    PACKET_ICMP_ERROR =
        1 << 7, // quotes another packet; the key is the QUOTED packet's, reversed (the flow's key)
    PACKET_DF = 1 << 8,
    PACKET_FROM_HOST = 1 << 9,   // made by this gateway: no TTL decrement, no filters, no NAT
    PACKET_TRANSLATED = 1 << 10, // NAT is done with it
    PACKET_SYN = 1 << 11,        // TCP SYN without ACK
    PACKET_OPTIONS = 1 << 12,    // IPv4 options or IPv6 extension headers are present
    PACKET_L4_KNOWN = 1 << 13,   // l4_off points at a whole TCP, UDP or ICMP header
    PACKET_UNRESOLVED = 1 << 14, // back from housekeeping: nobody answered for its next hop
    // IPv4 behind an Ethernet header without tags, neither options nor fragment, in one segment without padding, TCP
    // or UDP but no SYN: as nearly every packet. Stays true of it whatever translation does.
    PACKET_PLAIN = 1 << 15,
};

struct packet {
    struct rte_mbuf *m;
    uint16_t flags;   // enum packet_flag
    uint8_t stage;    // enum packet_stage
    uint8_t proto;    // final IP protocol (after extension headers)
    uint16_t port_in; // slot in the port table
    uint16_t port_out;
    uint16_t l3_off; // bytes from the frame's start
    uint16_t l4_off;
    uint16_t l3_len; // bytes of the IP packet, header included
    uint8_t tcp_flags;
    uint8_t tos;
    uint32_t hash;                // of the key, direction-dependent; only of what goes to PACKET_STEER or PACKET_FLOW
    uint32_t flow;                // entry index << 1 | direction, FLOW_NONE
    uint32_t nexthop;             // index in the route table, or NEXTHOP_MEMBER | slot
    uint8_t icmp_type, icmp_code; // of the error to send
    uint16_t icmp_mtu;
    // Addresses and ports as they stand in the packet; of an ICMP error as PACKET_ICMP_ERROR says. key.dst is the
    // packet's own destination always: parse drops an error that goes elsewhere than to whom it quotes.
    struct sl_flow_key key;
    uint16_t drop;     // enum sl_drop: why, where an ICMP error is sent first
    // The protocol that belongs to the key: proto, but the quoted packet's for ICMP errors, and SL_PROTO_FRAGMENT where
    // the quote is of TCP or UDP and has no ports, a later fragment.
    uint8_t key_proto;
    uint8_t pad;
    uint16_t quote_l3_off; // ICMP error: the quoted IP header, bytes from the frame's start
    uint16_t quote_l4_off; // ICMP error: its transport header, of which 8 bytes at least are there
};
static_assert(sizeof(struct packet) <= 128, "two cache lines");

// In the reserved byte of an IPv6 fragment header that is a datagram's only one: put together, or made, by this gateway,
// which so may cut it again under that identification. Receivers do not look at it (RFC 8200 section 4.5). Of a packet
// with that mark parse leaves PACKET_DF away; the neighbor stage takes the header out, or cuts.
#define PACKET_WHOLE_MARK 0x5c

#define FLOW_NONE UINT32_MAX

struct burst {
    uint16_t count;
    uint16_t port_in;
    uint32_t stages; // bit per enum packet_stage: some packet of the burst waits there
    uint8_t hops;    // times these packets were handed between workers already
    struct packet packet[BURST_MAX];
};

// Behind the burst's last packet. Taken before a loop: the compiler cannot know that packets do not change the count.
static inline struct packet *burst_end(struct burst *burst)
{
    return burst->packet + burst->count;
}

static inline void packet_to(struct burst *burst, struct packet *packet, enum packet_stage stage)
{
    packet->stage = stage;
    burst->stages |= 1u << stage;
}

#endif
