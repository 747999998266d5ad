// SPDX-License-Identifier: Apache-2.0
// Fuzzes every parser of src/wire: no byte beyond the input is read, and what a view claims lies inside it. The first
// byte chooses the parser, the second how much of the input is in the first segment.
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "wire/emit.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/l4.h"

#define ROOM   512  // bytes of a seed
#define REPAIR 0x80 // in the first byte

enum parser { IPV4, IPV4_QUOTED, IPV6, IPV6_QUOTED, TCP_OPTIONS, QUOTE_V4, QUOTE_V6, CHECKSUM, PARSERS };

static void expect(bool true_thing)
{
    if (!true_thing)
        abort();
}

static void check_ip(enum parser parser, const uint8_t *bytes, size_t have, size_t whole)
{
    struct sl_ip_view view = {0};
    bool v4 = parser == IPV4;
    enum sl_wire_verdict verdict =
        v4 ? sl_ipv4_view(bytes, have, whole, &view) : sl_ipv6_view(bytes, have, whole, &view);

    if (verdict != SL_WIRE_OK)
        return;
    expect(view.total_len <= whole && view.l4_off <= view.total_len && view.l4_off <= have);
    expect(view.l4_off >= (v4 ? 20 : 40) && view.options == (view.l4_off > (v4 ? 20 : 40)));
    expect(view.fragment_off % 8 == 0 && view.fragment_off + view.total_len - view.l4_off <= UINT16_MAX);
    expect(view.fragment_header == 0 || view.fragment_header + 8 <= view.l4_off);
    expect(!v4 || sl_csum_ipv4_header(bytes, view.l4_off) == 0);
}

static void check_quoted(enum parser parser, const uint8_t *bytes, size_t have)
{
    struct sl_ip_view view = {0};
    enum sl_wire_verdict verdict = parser == IPV4_QUOTED ? sl_ipv4_view_quoted(bytes, have, &view)
                                                         : sl_ipv6_view_quoted(bytes, have, &view);

    if (verdict == SL_WIRE_OK)
        expect(view.l4_off <= have && view.l4_off <= view.total_len);
}

static void check_tcp(const uint8_t *bytes, size_t have)
{
    size_t header = sl_tcp_header_len((const struct sl_tcp *)bytes, have);

    if (header == 0)
        return;
    expect(header >= 20 && header <= 60 && header <= have);
    size_t mss = sl_tcp_find_mss((const struct sl_tcp *)bytes, header);
    expect(mss == 0 || (mss >= 22 && mss + 2 <= header && bytes[mss - 2] == 2 && bytes[mss - 1] == 4));
}

static void check_quote(bool v6, const uint8_t *bytes, size_t have)
{
    struct sl_quote quote;

    if (sl_icmp_quote(v6, bytes, have, &quote) != SL_WIRE_OK)
        return;
    expect(quote.l4_off <= have && quote.l4_off + quote.l4_have <= (int)have);
    expect(!quote.ports || quote.l4_have >= 8);
    expect(v6 || (sl_ip_is_v4(&quote.src) && sl_ip_is_v4(&quote.dst)));
}

// A change patched into a checksum is the checksum of the changed bytes: bytes before `cut` as they were, the change
// after it.
static void check_checksum(uint8_t *bytes, size_t have, size_t cut)
{
    if (have < 4 || cut >= have)
        return;
    bytes[0] |= 1; // never all zeros, whose checksum has two forms
    size_t len = have - cut > 16 ? 16 : have - cut, at = cut ? cut : 1;
    len = at + len > have ? have - at : len;
    uint8_t changed[16];
    struct sl_csum_diff diff = {0};
    sl_be16 checksum = sl_csum_finish(sl_csum_add(0, bytes, have));
    for (size_t i = 0; i < len; i++)
        changed[i] = (uint8_t)(bytes[at + i] + bytes[i % have] + 1);
    sl_csum_diff_bytes(&diff, at, bytes + at, changed, len);
    memcpy(bytes + at, changed, len);
    sl_csum_patch(&checksum, diff);
    expect(checksum == sl_csum_finish(sl_csum_add(0, bytes, have)));
}

// Mutations would all end at the checksum: with the upper bit of the first byte it is made right again.
static void repair(uint8_t *bytes, size_t have)
{
    struct sl_ipv4 *ip = (struct sl_ipv4 *)bytes;
    size_t header = have >= sizeof(*ip) ? (size_t)(ip->version_ihl & 15) * 4 : 0;

    if (header < sizeof(*ip) || header > have)
        return;
    ip->checksum = 0;
    ip->checksum = sl_csum_ipv4_header(ip, header);
}

// Headers stand at even addresses in frames, and so they do here; the copy ends exactly where the input does.
static void run(enum parser parser, uint8_t *bytes, size_t have, size_t whole)
{
    switch (parser) {
    case IPV4:
    case IPV6:
        check_ip(parser, bytes, have, whole);
        break;
    case IPV4_QUOTED:
    case IPV6_QUOTED:
        check_quoted(parser, bytes, have);
        break;
    case TCP_OPTIONS:
        check_tcp(bytes, have);
        break;
    case QUOTE_V4:
    case QUOTE_V6:
        check_quote(parser == QUOTE_V6, bytes, have);
        break;
    default:
        check_checksum(bytes, have, whole - have);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > UINT16_MAX)
        return 0;
    size_t whole = size - 2, beyond = data[1] < whole ? data[1] : 0;
    size_t have = whole - beyond;
    uint8_t *copy = malloc(have ? have : 1);
    if (!copy)
        abort();
    memcpy(copy, data + 2, have);
    enum parser parser = (data[0] & ~REPAIR) % PARSERS;
    if (parser == IPV4 && data[0] & REPAIR)
        repair(copy, have);
    run(parser, copy, have, whole);
    free(copy);
    return 0;
}

// ---- seeds ----------------------------------------------------------------------------------------------
static uint8_t *seed_ip(uint8_t *at, bool v6, uint8_t proto, uint16_t payload)
{
    struct sl_emit_ip ip = {.proto = proto, .payload_len = payload};

    if (v6) {
        ip.src = (struct sl_ip){.b = {0xfd, [15] = 0x11}};
        ip.dst = (struct sl_ip){.b = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x21}};
    } else {
        ip.src = sl_ip_v4(sl_be32_of(0x0a00000b));
        ip.dst = sl_ip_v4(sl_be32_of(0xc6336415));
    }
    return sl_emit_ip(at, &ip);
}

static uint8_t *seed_udp(uint8_t *at, bool v6)
{
    return sl_emit_udp(seed_ip(at, v6, SL_PROTO_UDP, 24), 4000, 53, 16) + 16;
}

static uint8_t *seed_extensions(uint8_t *at)
{
    uint8_t *next = seed_ip(at, true, SL_PROTO_HOPOPT, 8 + 16 + 8 + 8 + 24);

    memcpy(next, (const uint8_t[8]){SL_PROTO_DSTOPTS, 0, 1, 4}, 8);
    memcpy(next + 8, (const uint8_t[16]){SL_PROTO_ROUTING, 1, 1, 12}, 16);
    memcpy(next + 24, (const uint8_t[8]){SL_PROTO_FRAGMENT, 0, 2, 0}, 8);
    return sl_emit_udp(sl_emit_ipv6_fragment(next + 32, SL_PROTO_UDP, 0, true, 7), 4000, 53, 16) + 16;
}

static uint8_t *seed_ipv4_options(uint8_t *at)
{
    uint8_t *end = seed_ip(at, false, SL_PROTO_UDP, 32);
    struct sl_ipv4 *ip = (struct sl_ipv4 *)at;

    memcpy(end, (const uint8_t[8]){0x94, 4, 0, 0, 1, 7, 3, 4}, 8);
    ip->version_ihl = 0x47;
    ip->checksum = 0;
    ip->checksum = sl_csum_ipv4_header(ip, 28);
    return end + 32;
}

static uint8_t *seed_tcp(uint8_t *at)
{
    static const uint8_t options[] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7};

    return sl_emit_tcp(at, &(struct sl_emit_tcp){.sport = 4000,
                                                 .dport = 80,
                                                 .flags = SL_TCP_SYN,
                                                 .options = options,
                                                 .options_len = sizeof(options)});
}

static uint8_t *seed_bytes(unsigned index, uint8_t *at)
{
    switch (index) {
    case IPV4:
    case IPV4_QUOTED:
        return seed_udp(at, false);
    case IPV6:
    case IPV6_QUOTED:
        return seed_udp(at, true);
    case TCP_OPTIONS:
        return seed_tcp(at);
    case QUOTE_V4:
        return seed_udp(sl_emit_icmp(at, SL_ICMP_UNREACHABLE, 3, 0), false);
    case QUOTE_V6:
        return seed_udp(sl_emit_icmp(at, SL_ICMP6_UNREACHABLE, 4, 0), true);
    case CHECKSUM:
        return seed_udp(at, false);
    case PARSERS + IPV4:
        return seed_ipv4_options(at);
    case PARSERS + IPV6:
    case PARSERS + IPV6_QUOTED:
        return seed_extensions(at);
    case PARSERS + QUOTE_V6:
        return seed_extensions(sl_emit_icmp(at, SL_ICMP6_TOO_BIG, 0, sl_be32_of(1400)));
    default:
        return at;
    }
}

uint8_t *fuzz_seed(unsigned index, size_t *size)
{
    if (index >= 2 * PARSERS)
        return NULL;
    uint8_t *seed = calloc(1, ROOM);
    if (!seed)
        abort();
    seed[0] = (uint8_t)(REPAIR | index % PARSERS);
    *size = (size_t)(seed_bytes(index, seed + 2) - seed);
    return seed;
}
