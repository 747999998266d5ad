// SPDX-License-Identifier: Apache-2.0
// What the IPv4 and IPv6 header parsers tell: one view for both, so that what follows need not care which it
// was.
#ifndef SL_WIRE_IP_VIEW_H
#define SL_WIRE_IP_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include "base/ip.h"

// The lie a parser found. Every parser in this folder returns one of these and leaves its output unusable
// unless it is SL_WIRE_OK.
enum sl_wire_verdict {
    SL_WIRE_OK,
    SL_WIRE_TOO_SHORT,    // fewer bytes than the headers claim
    SL_WIRE_BAD_HEADER,   // version, header length or total length that cannot be
    SL_WIRE_BAD_CHECKSUM, // IPv4 header
    SL_WIRE_SOURCE_ROUTE, // IPv4 LSRR or SSRR (RFC 7126 section 4.3, 4.4), IPv6 routing header type 0 (RFC
                          // 5095)
    SL_WIRE_BAD_OPTION,   // IPv4 option or IPv6 extension header that overruns its bounds; too many of them
    SL_WIRE_BAD_L4,       // TCP, UDP or ICMP header that cannot be
    SL_WIRE_BAD_FRAGMENT, // a fragment that ends behind byte 65,535 (the "ping of death") or is cut off grid
    SL_WIRE_FIRST_TOO_SMALL, // a first fragment without its whole transport header (RFC 1858, RFC 7112)
};

// For the parsers' common path, which every packet takes: as calls they would pass the view through memory.
#define SL_VIEW_INLINE static inline __attribute__((always_inline))

struct sl_ip_view {           // offsets in bytes from the IP header's first
    uint16_t total_len;       // bytes of the packet, header included
    uint16_t l4_off;          // transport header, or the fragment's data
    uint16_t fragment_off;    // where a fragment's data belongs in its datagram; 0: first, or whole
    uint16_t fragment_header; // IPv6: where the fragment header stands; 0: none
    uint8_t proto;            // of the transport header, behind all extension headers
    uint8_t tos;              // or traffic class
    uint8_t ttl;              // or hop limit
    bool options;             // IPv4 options or IPv6 extension headers are there
    bool more_fragments;
    bool dont_fragment; // always so for IPv6
};

SL_VIEW_INLINE bool sl_ip_view_fragment(const struct sl_ip_view *view)
{
    return view->more_fragments || view->fragment_off != 0;
}

// What a fragment may not say, of either family.
SL_VIEW_INLINE enum sl_wire_verdict sl_ip_view_check_fragment(const struct sl_ip_view *view)
{
    size_t data = (size_t)(view->total_len - view->l4_off);

    // Ends behind the largest datagram there is, to overrun who reassembles it.
    if (view->fragment_off + data > UINT16_MAX)
        return SL_WIRE_BAD_FRAGMENT;
    // More follow, yet the next could not start where this one ends; or it brings nothing.
    if (view->more_fragments && (data % 8 != 0 || data == 0))
        return SL_WIRE_BAD_FRAGMENT;
    return SL_WIRE_OK;
}

#endif
