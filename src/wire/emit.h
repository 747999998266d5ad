// SPDX-License-Identifier: Apache-2.0
// Writes headers: Ethernet, ARP, IPv4, IPv6, TCP, UDP, ICMP. Each sl_emit_* writes one header at `at`, which
// must have room for it, and returns the byte behind it, so a packet is written from left to right:
//
//     at = sl_emit_eth(frame, dst, src, SL_ETHERTYPE_IPV4);
//     ip = at;
//     at = sl_emit_ipv4(at, &(struct sl_emit_ip){.src = a, .dst = b, .proto = SL_PROTO_UDP, .payload_len = 8
//     + n}); at = sl_emit_udp(at, 53, 5353, n);
//     ... n payload bytes ...
//     sl_emit_l4_checksum(ip);
//
// Ports, lengths and MTUs in host byte order; addresses in network byte order. Pure; any thread.
#ifndef SL_WIRE_EMIT_H
#define SL_WIRE_EMIT_H

#include "wire/headers.h"

struct sl_emit_ip {
    struct sl_ip src, dst; // both of the family written
    uint16_t payload_len;  // bytes behind the IP header
    uint16_t id;           // IPv4 identification
    uint8_t proto;
    uint8_t tos;
    uint8_t ttl;        // 0: 64
    bool dont_fragment; // IPv4
    uint16_t fragment;  // IPv4: offset in units of 8 bytes, SL_IPV4_MF where more follow
    uint32_t flow_label;
};

struct sl_emit_tcp {
    uint16_t sport, dport;
    uint32_t seq, ack; // host byte order
    uint8_t flags;     // SL_TCP_*
    uint16_t window;
    const void *options; // multiple of 4 bytes
    uint8_t options_len;
};

uint8_t *sl_emit_eth(void *at, const uint8_t dst[6], const uint8_t src[6], uint16_t ethertype);
// Header checksum included.
uint8_t *sl_emit_ipv4(void *at, const struct sl_emit_ip *ip);
uint8_t *sl_emit_ipv6(void *at, const struct sl_emit_ip *ip);
// Either, by the family of ip->src.
uint8_t *sl_emit_ip(void *at, const struct sl_emit_ip *ip);
// An IPv6 fragment header (RFC 8200 section 4.5); `offset` in bytes, a multiple of 8.
uint8_t *sl_emit_ipv6_fragment(void *at, uint8_t next, uint16_t offset, bool more, uint32_t id);
uint8_t *sl_emit_udp(void *at, uint16_t sport, uint16_t dport, uint16_t payload_len);
uint8_t *sl_emit_tcp(void *at, const struct sl_emit_tcp *tcp);
// ICMP or ICMPv6: type, code and the four bytes behind the checksum.
uint8_t *sl_emit_icmp(void *at, uint8_t type, uint8_t code, sl_be32 rest);
uint8_t *sl_emit_icmp_query(void *at, uint8_t type, uint16_t id, uint16_t seq);
// An ARP message (RFC 826) for IPv4 over Ethernet: operation 1 request, 2 reply.
uint8_t *sl_emit_arp(void *at, uint16_t operation, const uint8_t sender_mac[6], sl_be32 sender_ip,
                     const uint8_t target_mac[6], sl_be32 target_ip);
// Fills in the checksum of the TCP, UDP, ICMP or ICMPv6 message behind the IP header at `ip` (no extension
// headers, not a fragment), all of it in place. Other protocols are left alone.
void sl_emit_l4_checksum(void *ip);
// True where the checksum of that message is right (or absent, UDP over IPv4).
bool sl_check_l4_checksum(const void *ip);

#endif
