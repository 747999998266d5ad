// SPDX-License-Identifier: Apache-2.0
// Header formats as they stand on the wire: Ethernet II, ARP (RFC 826), IPv4 (RFC 791), IPv6 (RFC 8200), TCP
// (RFC 9293), UDP (RFC 768), ICMP (RFC 792), ICMPv6 (RFC 4443), neighbor discovery (RFC 4861). Fields are in
// network byte order (sl_be16, sl_be32). The structs may be laid over any even byte of a frame, whatever type the
// bytes were written as.
#ifndef SL_WIRE_HEADERS_H
#define SL_WIRE_HEADERS_H

#include <assert.h>
#include "base/ip.h"

// Packed as on the wire; frames keep headers at even addresses. Without may_alias the compiler may take a length just
// stored through a header and the same bytes read otherwise for strangers, and reorder the two.
#define SL_WIRE __attribute__((packed, aligned(2), may_alias))

#define SL_ETHERTYPE_IPV4 0x0800
#define SL_ETHERTYPE_ARP  0x0806
#define SL_ETHERTYPE_VLAN 0x8100
#define SL_ETHERTYPE_IPV6 0x86dd

static inline sl_be16 sl_be16_of(uint16_t host)
{
    return __builtin_bswap16(host);
}

static inline sl_be32 sl_be32_of(uint32_t host)
{
    return __builtin_bswap32(host);
}

static inline uint16_t sl_host16(sl_be16 wire)
{
    return __builtin_bswap16(wire);
}

static inline uint32_t sl_host32(sl_be32 wire)
{
    return __builtin_bswap32(wire);
}

struct sl_eth {
    uint8_t dst[6], src[6];
    sl_be16 type;
} SL_WIRE;

struct sl_arp {
    sl_be16 hardware, protocol;
    uint8_t hardware_len, protocol_len;
    sl_be16 operation; // 1 request, 2 reply
    uint8_t sender_mac[6];
    uint8_t sender_ip[4];
    uint8_t target_mac[6];
    uint8_t target_ip[4];
} SL_WIRE;
static_assert(sizeof(struct sl_arp) == 28, "RFC 826");

struct sl_ipv4 {
    uint8_t version_ihl, tos;
    sl_be16 total_len, id, fragment; // fragment: 3 flag bits, 13 bits of offset in 8 bytes
    uint8_t ttl, proto;
    sl_be16 checksum;
    sl_be32 src, dst;
} SL_WIRE;
static_assert(sizeof(struct sl_ipv4) == 20, "RFC 791");
#define SL_IPV4_DF     0x4000
#define SL_IPV4_MF     0x2000
#define SL_IPV4_OFFSET 0x1fff

struct sl_ipv6 {
    sl_be32 version_class_flow;
    sl_be16 payload_len;
    uint8_t next, hop_limit;
    uint8_t src[16], dst[16];
} SL_WIRE;
static_assert(sizeof(struct sl_ipv6) == 40, "RFC 8200");

struct sl_ipv6_fragment {
    uint8_t next, reserved;
    sl_be16 offset; // 13 bits of offset in 8 bytes, 2 reserved, 1 more-fragments
    sl_be32 id;
} SL_WIRE;

struct sl_tcp {
    sl_be16 sport, dport;
    sl_be32 seq, ack;
    uint8_t data_offset, flags; // data_offset: upper four bits, in 4-byte words
    sl_be16 window, checksum, urgent;
} SL_WIRE;
static_assert(sizeof(struct sl_tcp) == 20, "RFC 9293");
#define SL_TCP_FIN 0x01
#define SL_TCP_SYN 0x02
#define SL_TCP_RST 0x04
#define SL_TCP_PSH 0x08
#define SL_TCP_ACK 0x10
#define SL_TCP_URG 0x20
#define SL_TCP_ECE 0x40 // RFC 3168
#define SL_TCP_CWR 0x80

struct sl_udp {
    sl_be16 sport, dport, len, checksum;
} SL_WIRE;

struct sl_icmp { // ICMP and ICMPv6 share the first eight bytes
    uint8_t type, code;
    sl_be16 checksum;
    union {
        struct {
            sl_be16 id, seq; // queries
        };
        struct {
            sl_be16 unused, mtu; // ICMP fragmentation needed (RFC 1191)
        };
        sl_be32 mtu32; // ICMPv6 packet too big
    };
} SL_WIRE;
static_assert(sizeof(struct sl_icmp) == 8, "RFC 792");

enum {
    SL_ICMP_ECHO_REPLY = 0,
    // codes: 0 net, 1 host, 2 protocol, 3 port, 4 fragmentation needed, 13 prohibited
    SL_ICMP_UNREACHABLE = 3,
    SL_ICMP_SOURCE_QUENCH = 4,
    SL_ICMP_REDIRECT = 5,
    SL_ICMP_ECHO = 8,
    SL_ICMP_TIME_EXCEEDED = 11,
    SL_ICMP_PARAMETER = 12,
    SL_ICMP_TIMESTAMP = 13,
    SL_ICMP_TIMESTAMP_REPLY = 14,
    SL_ICMP6_UNREACHABLE = 1, // codes: 0 no route, 1 prohibited, 3 address, 4 port
    SL_ICMP6_TOO_BIG = 2,
    SL_ICMP6_TIME_EXCEEDED = 3,
    SL_ICMP6_PARAMETER = 4,
    SL_ICMP6_ECHO = 128,
    SL_ICMP6_ECHO_REPLY = 129,
    SL_ICMP6_ROUTER_SOLICIT = 133,
    SL_ICMP6_ROUTER_ADVERT = 134,
    SL_ICMP6_NEIGHBOR_SOLICIT = 135,
    SL_ICMP6_NEIGHBOR_ADVERT = 136,
    SL_ICMP6_REDIRECT = 137,
};

#endif
