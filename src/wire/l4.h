// SPDX-License-Identifier: Apache-2.0
// Transport headers: TCP, UDP, ICMP, ICMPv6, and the packets that ICMP errors quote. Called by parse, NAT and
// the MSS clamp. Pure; any thread.
#ifndef SL_WIRE_L4_H
#define SL_WIRE_L4_H

#include "wire/headers.h"
#include "wire/ip_view.h"

#define SL_PROTO_HOPOPT   0
#define SL_PROTO_ICMP     1
#define SL_PROTO_TCP      6
#define SL_PROTO_UDP      17
#define SL_PROTO_ROUTING  43
#define SL_PROTO_FRAGMENT 44
#define SL_PROTO_ESP      50
#define SL_PROTO_AH       51
#define SL_PROTO_ICMPV6   58
#define SL_PROTO_NONE     59
#define SL_PROTO_DSTOPTS  60

// What an ICMP or ICMPv6 type is to a gateway.
enum sl_icmp_class {
    SL_ICMP_OTHER, // neither: router discovery and the like; no identifier
    SL_ICMP_QUERY, // carries an identifier: echo, timestamp, information, address mask (RFC 792, RFC 950)
    SL_ICMP_ERROR, // quotes the packet it is about (RFC 1122 section 3.2.2, RFC 4443 section 2.1)
};
enum sl_icmp_class sl_icmp_classify(bool v6, uint8_t type);

// A TCP header at `bytes`, of which `have_bytes` may be touched, in a segment of `segment_bytes`: its length
// in bytes (20-60), or 0 where it cannot be.
static inline size_t sl_tcp_header_len(const struct sl_tcp *tcp, size_t have_bytes)
{
    if (have_bytes < sizeof(*tcp))
        return 0;
    size_t len = (size_t)(tcp->data_offset >> 4) * 4;
    return len >= sizeof(*tcp) && len <= have_bytes ? len : 0;
}

// Where the value of the maximum-segment-size option (RFC 9293 section 3.2) stands, in bytes from the
// header's first; 0 where there is none or the options are malformed. `header_bytes` as sl_tcp_header_len
// returned it. The offset may be odd: diff the value with sl_csum_diff_bytes.
size_t sl_tcp_find_mss(const struct sl_tcp *tcp, size_t header_bytes);

// The packet that an ICMP error quotes (RFC 792: its header and 8 bytes of its payload at least).
struct sl_quote {
    struct sl_ip src, dst; // as quoted: the source is whom the error is for
    sl_be16 sport, dport;  // as quoted; the identifier in both for ICMP queries; 0 for other protocols
    uint16_t ip_off;       // quoted IP header, in bytes from the ICMP header's first
    uint16_t l4_off;       // its transport header, in bytes from the ICMP header's first
    uint16_t
        l4_have;   // bytes of transport header and payload that were quoted (8 at least, if ports are known)
    uint8_t proto; // transport protocol quoted
    bool ports;    // sport and dport are meaningful: TCP, UDP or an ICMP query, and not a later fragment
};

// Reads the quote of the ICMP (`v6`: ICMPv6) error at `icmp`, of which `have_bytes` may be touched. Refuses
// quotes shorter than the RFC says, quotes of ICMP errors and of another family.
enum sl_wire_verdict sl_icmp_quote(bool v6, const void *icmp, size_t have_bytes, struct sl_quote *quote);

#endif
