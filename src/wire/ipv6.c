// SPDX-License-Identifier: Apache-2.0
// IPv6 and its extension headers (RFC 8200). The walk ends at the first header that is none of hop-by-hop
// options, routing, fragment, destination options, or at the fragment header of a later fragment, whose data
// is anything. Pure; any thread.
#include "wire/ipv6.h"

#include "wire/l4.h"

// Type, length and, in a routing header, routing type and segments left stand at the same place in all of
// them.
enum { EXT_NEXT = 0, EXT_LEN = 1, EXT_ROUTING_TYPE = 2, EXT_UNIT = 8 };

static bool is_extension(uint8_t proto)
{
    return proto == SL_PROTO_HOPOPT || proto == SL_PROTO_ROUTING || proto == SL_PROTO_FRAGMENT ||
           proto == SL_PROTO_DSTOPTS;
}

static enum sl_wire_verdict read_fragment(const uint8_t *header, struct sl_ip_view *view)
{
    const struct sl_ipv6_fragment *fragment = (const struct sl_ipv6_fragment *)header;
    uint16_t offset = sl_host16(fragment->offset);

    if (view->fragment_header != 0) // a fragment within a fragment
        return SL_WIRE_BAD_OPTION;
    view->fragment_header = view->l4_off;
    view->fragment_off = offset & 0xfff8;
    view->more_fragments = (offset & 1) != 0;
    return SL_WIRE_OK;
}

// Takes in the extension header at view->l4_off and moves on behind it. `limit`: bytes that may be touched.
static enum sl_wire_verdict walk_one(const uint8_t *bytes, size_t limit, struct sl_ip_view *view)
{
    const uint8_t *header = bytes + view->l4_off;
    bool fragment = view->proto == SL_PROTO_FRAGMENT;

    if (view->l4_off + (size_t)EXT_UNIT > limit)
        return SL_WIRE_BAD_OPTION;
    if (view->proto == SL_PROTO_HOPOPT &&
        view->l4_off != sizeof(struct sl_ipv6)) // only ever the first, section 4.1
        return SL_WIRE_BAD_OPTION;
    if (view->proto == SL_PROTO_ROUTING &&
        header[EXT_ROUTING_TYPE] == 0) // RFC 5095: amplifies traffic between two hops
        return SL_WIRE_SOURCE_ROUTE;

    size_t len = fragment ? EXT_UNIT : EXT_UNIT * (header[EXT_LEN] + 1u);
    if (view->l4_off + len > limit) // its length leads out of the packet
        return SL_WIRE_BAD_OPTION;
    if (fragment) {
        enum sl_wire_verdict verdict = read_fragment(header, view);
        if (verdict != SL_WIRE_OK)
            return verdict;
    }
    view->proto = header[EXT_NEXT];
    view->l4_off = (uint16_t)(view->l4_off + len);
    return SL_WIRE_OK;
}

static enum sl_wire_verdict walk(const uint8_t *bytes, size_t limit, struct sl_ip_view *view)
{
    for (unsigned i = 0; is_extension(view->proto) && view->fragment_off == 0; i++) {
        if (i == SL_IPV6_EXTENSIONS_MAX)
            return SL_WIRE_BAD_OPTION;
        view->options = true;
        enum sl_wire_verdict verdict = walk_one(bytes, limit, view);
        if (verdict != SL_WIRE_OK)
            return verdict;
    }
    return SL_WIRE_OK;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

enum sl_wire_verdict sl_ipv6_view_slow(const void *bytes, size_t have_bytes, struct sl_ip_view *view)
{
    size_t limit = least(have_bytes, view->total_len);
    enum sl_wire_verdict verdict = walk((const uint8_t *)bytes, limit, view);

    if (verdict == SL_WIRE_BAD_OPTION && have_bytes < view->total_len)
        return SL_WIRE_TOO_SHORT; // the chain may be fine, but leaves the bytes that may be touched
    if (verdict != SL_WIRE_OK)
        return verdict;
    return sl_ip_view_fragment(view) ? sl_ip_view_check_fragment(view) : SL_WIRE_OK;
}

enum sl_wire_verdict sl_ipv6_view_quoted(const void *bytes, size_t have_bytes, struct sl_ip_view *view)
{
    const struct sl_ipv6 *ip = (const struct sl_ipv6 *)bytes;

    if (have_bytes < sizeof(*ip))
        return SL_WIRE_TOO_SHORT;
    if (!sl_ipv6_fill(ip, view))
        return SL_WIRE_BAD_HEADER;
    return walk((const uint8_t *)bytes, least(have_bytes, view->total_len), view);
}
