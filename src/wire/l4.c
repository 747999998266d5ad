// SPDX-License-Identifier: Apache-2.0
// TCP options, ICMP classes and the packets that ICMP errors quote. Pure; any thread.
#include "wire/l4.h"

#include "base/cursor.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

enum { TCP_OPTION_END = 0, TCP_OPTION_NOP = 1, TCP_OPTION_MSS = 2, TCP_OPTION_MSS_LEN = 4 };

// Types that carry an identifier (RFC 792, RFC 950): echo 0 8, timestamp 13 14, information 15 16, mask
// 17 18.
#define ICMP_QUERIES (1u << 0 | 1u << 8 | 1u << 13 | 1u << 14 | 1u << 15 | 1u << 16 | 1u << 17 | 1u << 18)
// Types that quote: unreachable 3, source quench 4, redirect 5, time exceeded 11, parameter problem 12.
#define ICMP_ERRORS (1u << 3 | 1u << 4 | 1u << 5 | 1u << 11 | 1u << 12)

enum sl_icmp_class sl_icmp_classify(bool v6, uint8_t type)
{
    if (v6 && (type == SL_ICMP6_ECHO || type == SL_ICMP6_ECHO_REPLY))
        return SL_ICMP_QUERY;
    if (v6)
        return type >= SL_ICMP6_UNREACHABLE && type <= SL_ICMP6_PARAMETER ? SL_ICMP_ERROR : SL_ICMP_OTHER;
    if (type < 32 && (ICMP_QUERIES >> type & 1))
        return SL_ICMP_QUERY;
    return type < 32 && (ICMP_ERRORS >> type & 1) ? SL_ICMP_ERROR : SL_ICMP_OTHER;
}

size_t sl_tcp_find_mss(const struct sl_tcp *tcp, size_t header_bytes)
{
    const uint8_t *first = (const uint8_t *)tcp;
    struct sl_cursor cursor = sl_cursor_over(first + sizeof(*tcp), header_bytes - sizeof(*tcp));

    while (sl_cursor_left(&cursor) > 0) { // each turn takes a byte at least of forty at most
        uint8_t kind = sl_cursor_u8(&cursor);
        if (kind == TCP_OPTION_END)
            return 0;
        if (kind == TCP_OPTION_NOP)
            continue;
        uint8_t len = sl_cursor_u8(&cursor); // counts kind and length too; less would stop the walk for ever
        size_t value = (size_t)(cursor.at - first);
        if (len < 2 || !sl_cursor_skip(&cursor, len - 2u)) // leads out of the header
            return 0;
        if (kind == TCP_OPTION_MSS)
            return len == TCP_OPTION_MSS_LEN ? value : 0;
    }
    return 0;
}

// Bytes of the quoted packet: all behind the ICMP header, or what the length field says where extensions
// follow it (RFC 4884 section 3: in units of 4 bytes at byte 5 of ICMP, of 8 bytes at byte 4 of ICMPv6).
static size_t quote_len(bool v6, const uint8_t *icmp, size_t have_bytes)
{
    size_t len = have_bytes - sizeof(struct sl_icmp);
    size_t told = 0;

    if (v6 && (icmp[0] == SL_ICMP6_UNREACHABLE || icmp[0] == SL_ICMP6_TIME_EXCEEDED))
        told = icmp[4] * 8u;
    else if (!v6 && (icmp[0] == SL_ICMP_UNREACHABLE || icmp[0] == SL_ICMP_TIME_EXCEEDED ||
                     icmp[0] == SL_ICMP_PARAMETER))
        told = icmp[5] * 4u;
    return told != 0 && told < len ? told : len;
}

// Ports, or the identifier twice, from the eight bytes at `l4`.
static enum sl_wire_verdict quote_ports(bool v6, const uint8_t *l4, struct sl_quote *quote)
{
    uint8_t icmp_proto = v6 ? SL_PROTO_ICMPV6 : SL_PROTO_ICMP;

    if (quote->proto == SL_PROTO_TCP || quote->proto == SL_PROTO_UDP) {
        memcpy(&quote->sport, l4, sizeof(quote->sport));
        memcpy(&quote->dport, l4 + 2, sizeof(quote->dport));
        quote->ports = true;
    } else if (quote->proto == icmp_proto) {
        enum sl_icmp_class class = sl_icmp_classify(v6, l4[0]);
        if (class ==
            SL_ICMP_ERROR) // an error about an error must never have been sent (RFC 1122 section 3.2.2)
            return SL_WIRE_BAD_L4;
        if (class == SL_ICMP_QUERY) {
            memcpy(&quote->sport, l4 + 4, sizeof(quote->sport));
            quote->dport = quote->sport;
            quote->ports = true;
        }
    }
    return SL_WIRE_OK;
}

static void quote_addresses(bool v6, const uint8_t *ip, struct sl_quote *quote)
{
    if (v6) {
        memcpy(&quote->src, ip + offsetof(struct sl_ipv6, src), sizeof(quote->src));
        memcpy(&quote->dst, ip + offsetof(struct sl_ipv6, dst), sizeof(quote->dst));
    } else {
        quote->src = sl_ip_v4(((const struct sl_ipv4 *)ip)->src);
        quote->dst = sl_ip_v4(((const struct sl_ipv4 *)ip)->dst);
    }
}

static bool has_ports(bool v6, uint8_t proto)
{
    return proto == SL_PROTO_TCP || proto == SL_PROTO_UDP || proto == (v6 ? SL_PROTO_ICMPV6 : SL_PROTO_ICMP);
}

enum sl_wire_verdict sl_icmp_quote(bool v6, const void *icmp, size_t have_bytes, struct sl_quote *quote)
{
    const uint8_t *first = (const uint8_t *)icmp;
    struct sl_ip_view view;

    if (have_bytes < sizeof(struct sl_icmp))
        return SL_WIRE_TOO_SHORT;
    size_t len = quote_len(v6, first, have_bytes);
    const uint8_t *ip = first + sizeof(struct sl_icmp);
    enum sl_wire_verdict verdict =
        v6 ? sl_ipv6_view_quoted(ip, len, &view) : sl_ipv4_view_quoted(ip, len, &view);
    if (verdict != SL_WIRE_OK)
        return verdict;

    size_t end = view.total_len < len ? view.total_len : len;
    memset(quote, 0, sizeof(*quote));
    quote_addresses(v6, ip, quote);
    quote->ip_off = sizeof(struct sl_icmp);
    quote->l4_off = (uint16_t)(sizeof(struct sl_icmp) + view.l4_off);
    quote->l4_have = (uint16_t)(end > view.l4_off ? end - view.l4_off : 0);
    quote->proto = view.proto;
    if (view.fragment_off != 0 || !has_ports(v6, view.proto))
        return SL_WIRE_OK;
    if (quote->l4_have < 8) // less than RFC 792 asks for: whose packet it was cannot be told
        return SL_WIRE_TOO_SHORT;
    return quote_ports(v6, ip + view.l4_off, quote);
}
