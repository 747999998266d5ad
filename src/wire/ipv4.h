// SPDX-License-Identifier: Apache-2.0
// IPv4 header parser (RFC 791, RFC 1812 section 5.2.2). Called by parse for every packet, which is why it is
// inline, and for quoted headers. Pure; any thread.
#ifndef SL_WIRE_IPV4_H
#define SL_WIRE_IPV4_H

#include "wire/checksum.h"
#include "wire/headers.h"
#include "wire/ip_view.h"

// Checks the options of a header of `header_bytes` (24-60): each inside the header, none a source route.
enum sl_wire_verdict sl_ipv4_check_options(const void *bytes, size_t header_bytes);

// Neither options nor a fragment: nearly every packet.
static inline bool sl_ipv4_plain(const struct sl_ipv4 *ip)
{
    return ip->version_ihl == 0x45 && (ip->fragment & sl_be16_of(SL_IPV4_MF | SL_IPV4_OFFSET)) == 0;
}

// Fills the view from a header that has its 20 bytes; decides nothing.
SL_VIEW_INLINE void sl_ipv4_view_fill(const struct sl_ipv4 *ip, struct sl_ip_view *view)
{
    uint16_t fragment = sl_host16(ip->fragment);

    view->total_len = sl_host16(ip->total_len);
    view->l4_off = (uint16_t)((ip->version_ihl & 0x0f) * 4);
    view->fragment_off = (uint16_t)((fragment & SL_IPV4_OFFSET) * 8);
    view->fragment_header = 0;
    view->proto = ip->proto;
    view->tos = ip->tos;
    view->ttl = ip->ttl;
    view->options = view->l4_off > sizeof(*ip);
    view->more_fragments = (fragment & SL_IPV4_MF) != 0;
    view->dont_fragment = (fragment & SL_IPV4_DF) != 0;
}

// Version 4 and a header length of 5 to 15 words are the first bytes 0x45 to 0x4f.
static inline bool sl_ipv4_first_byte_ok(uint8_t version_ihl)
{
    return (uint8_t)(version_ihl - 0x45) <= 0x4f - 0x45;
}

// Reads the header at `bytes`. `have_bytes`: how many may be touched there (the first segment).
// `whole_bytes`: how many the frame holds from there on; more than the total length is link-layer padding.
// Checks everything including the header checksum and the options.
SL_VIEW_INLINE enum sl_wire_verdict sl_ipv4_view(const void *bytes, size_t have_bytes, size_t whole_bytes,
                                                 struct sl_ip_view *view)
{
    const struct sl_ipv4 *ip = (const struct sl_ipv4 *)bytes;

    if (have_bytes < sizeof(*ip))
        return SL_WIRE_TOO_SHORT;
    if (!sl_ipv4_first_byte_ok(ip->version_ihl))
        return SL_WIRE_BAD_HEADER;
    sl_ipv4_view_fill(ip, view);
    if (view->total_len < view->l4_off) // ends inside its own header
        return SL_WIRE_BAD_HEADER;
    if (view->total_len > whole_bytes || view->l4_off > have_bytes) // claims bytes that did not come
        return SL_WIRE_TOO_SHORT;
    if (__builtin_expect(!view->options, 1)) {
        if (sl_csum_ipv4_header(ip, sizeof(*ip)) != 0)
            return SL_WIRE_BAD_CHECKSUM;
    } else {
        if (sl_csum_ipv4_header(ip, view->l4_off) != 0)
            return SL_WIRE_BAD_CHECKSUM;
        enum sl_wire_verdict verdict = sl_ipv4_check_options(ip, view->l4_off);
        if (verdict != SL_WIRE_OK)
            return verdict;
    }
    return sl_ip_view_fragment(view) ? sl_ip_view_check_fragment(view) : SL_WIRE_OK;
}

// The same for a header quoted in an ICMP error: the packet behind it was cut off, its checksum and TTL may
// have been changed on the way, so neither total length against `have_bytes` nor checksum is held against it.
enum sl_wire_verdict sl_ipv4_view_quoted(const void *bytes, size_t have_bytes, struct sl_ip_view *view);

#endif
