// SPDX-License-Identifier: Apache-2.0
// IPv6 header parser with its extension headers (RFC 8200 section 4). Called by parse for every packet, which
// is why its common part is inline, and for quoted headers. Pure; any thread.
#ifndef SL_WIRE_IPV6_H
#define SL_WIRE_IPV6_H

#include "wire/headers.h"
#include "wire/ip_view.h"
#include "wire/l4.h"

#define SL_IPV6_EXTENSIONS_MAX 8 // more than any sane sender uses; bounds the walk

// The walk over extension headers, behind sl_ipv6_view.
enum sl_wire_verdict sl_ipv6_view_slow(const void *bytes, size_t have_bytes, struct sl_ip_view *view);

// Fills the view from the fixed header alone; false where version or length cannot be.
SL_VIEW_INLINE bool sl_ipv6_fill(const struct sl_ipv6 *ip, struct sl_ip_view *view)
{
    uint32_t first = sl_host32(ip->version_class_flow);
    size_t payload = sl_host16(ip->payload_len);

    view->total_len = (uint16_t)(sizeof(*ip) + payload);
    view->l4_off = sizeof(*ip);
    view->fragment_off = 0;
    view->fragment_header = 0;
    view->proto = ip->next;
    view->tos = (uint8_t)(first >> 20);
    view->ttl = ip->hop_limit;
    view->options = false;
    view->more_fragments = false;
    view->dont_fragment = true;
    // Too long for 16 bits with its header: no frame carries it.
    return first >> 28 == 6 && payload <= UINT16_MAX - sizeof(*ip);
}

// Reads the header at `bytes` and walks hop-by-hop options, routing, fragment and destination options
// headers. What stands behind them (also AH, ESP, "no next header", and whatever follows a later fragment's
// header) is the view's proto. `have_bytes`, `whole_bytes` as in sl_ipv4_view. No jumbograms (RFC 2675): no
// link here carries them.
SL_VIEW_INLINE enum sl_wire_verdict sl_ipv6_view(const void *bytes, size_t have_bytes, size_t whole_bytes,
                                                 struct sl_ip_view *view)
{
    const struct sl_ipv6 *ip = (const struct sl_ipv6 *)bytes;

    if (have_bytes < sizeof(*ip))
        return SL_WIRE_TOO_SHORT;
    if (!sl_ipv6_fill(ip, view))
        return SL_WIRE_BAD_HEADER;
    if (view->total_len > whole_bytes) // claims bytes that did not come
        return SL_WIRE_TOO_SHORT;
    if (__builtin_expect(view->proto == SL_PROTO_TCP || view->proto == SL_PROTO_UDP, 1))
        return SL_WIRE_OK;
    return sl_ipv6_view_slow(bytes, have_bytes, view);
}

// The same for a header quoted in an ICMPv6 error: the packet behind it may have been cut off.
enum sl_wire_verdict sl_ipv6_view_quoted(const void *bytes, size_t have_bytes, struct sl_ip_view *view);

#endif
