// SPDX-License-Identifier: Apache-2.0
// The prefilter's test vectors: one list for all who judge packets: the shared header as C, the XDP program, the
// worker's stage. Frames made by hand with what must come of them, and random ones whose verdict must be the same
// everywhere. Also the prefilter table that they are judged by.
#ifndef PREFILTER_VECTORS_H
#define PREFILTER_VECTORS_H

#include "prefilter/verdict.h"
#include "shm/layout.h"
#include "table/prefix_set.h"
#include "table_random.h"

#define VECTOR_FRAME 128 // bytes of the longest frame

enum vector_twist { // what is done to a good frame
    TWIST_NONE,
    TWIST_CUT,       // cut to `value` bytes
    TWIST_VERSION,   // IP version
    TWIST_IHL,       // IPv4 header length in words
    TWIST_TOTAL,     // IPv4 total length, IPv6 payload length
    TWIST_PAD,       // that many bytes of padding behind
    TWIST_ETHERTYPE, // another protocol
};

struct vector {
    const char *name;
    unsigned port; // 0-3, see vectors_rules
    const char *src, *dst;
    uint8_t proto;
    uint8_t twist; // enum vector_twist
    uint16_t value;
    uint8_t drop; // enum sl_drop
    uint8_t hit;  // rule counter, PREFILTER_NO_RULE
};

#define OUT      "198.51.100.21"
#define OUT6     "2001:db8:100::21"
#define NO       PREFILTER_NO_RULE
#define PASS     SL_DROP_none
#define DENIED   SL_DROP_prefilter_denied
#define MARTIAN  SL_DROP_martian_source
#define MARTIAN2 SL_DROP_martian_destination

static const struct vector vectors[] = {
    // port 0: allow good (counter 0), deny bad (1), else allow; martians dropped
    {"unknown source passes", 0, "192.0.2.1", OUT, 17, 0, 0, PASS, NO},
    {"denied source is dropped", 0, "203.0.113.1", OUT, 17, 0, 0, DENIED, 1},
    {"last address of the denied prefix", 0, "203.0.113.255", OUT, 17, 0, 0, DENIED, 1},
    {"first address behind it", 0, "203.0.114.0", OUT, 17, 0, 0, PASS, NO},
    {"earlier allow wins over later deny", 0, "203.0.113.7", OUT, 17, 0, 0, PASS, 0},
    {"allow may be the wider one", 0, "10.9.9.9", OUT, 6, 0, 0, PASS, 0},
    {"v6 unknown source passes", 0, "2001:db8::1", OUT6, 17, 0, 0, PASS, NO},
    {"v6 denied source is dropped", 0, "2001:db8:bad::1", OUT6, 58, 0, 0, DENIED, 1},
    {"v6 earlier allow wins", 0, "2001:db8:bad::7", OUT6, 6, 0, 0, PASS, 0},
    {"a denied destination does not matter", 0, "192.0.2.1", "203.0.113.1", 17, 0, 0, PASS, NO},
    {"padding behind the packet", 0, "192.0.2.1", OUT, 17, TWIST_PAD, 18, PASS, NO},
    {"v6 padding behind the packet", 0, "2001:db8::1", OUT6, 17, TWIST_PAD, 1, PASS, NO},
    {"vlan is not for the prefilter", 0, "203.0.113.1", OUT, 17, TWIST_ETHERTYPE, 0x8100, PASS, NO},
    {"arp passes", 0, "203.0.113.1", OUT, 17, TWIST_ETHERTYPE, 0x0806, PASS, NO},
    // malformed
    {"no byte behind ethernet", 0, "192.0.2.1", OUT, 17, TWIST_CUT, 14, SL_DROP_too_short, NO},
    {"half an IPv4 header", 0, "192.0.2.1", OUT, 17, TWIST_CUT, 33, SL_DROP_too_short, NO},
    {"header alone, more claimed", 0, "192.0.2.1", OUT, 17, TWIST_CUT, 34, SL_DROP_too_short, NO},
    {"one byte missing", 0, "192.0.2.1", OUT, 17, TWIST_CUT, 61, SL_DROP_too_short, NO},
    {"IPv4 total length one more than came", 0, "192.0.2.1", OUT, 17, TWIST_TOTAL, 49, SL_DROP_too_short, NO},
    {"IPv4 total length 65535", 0, "192.0.2.1", OUT, 17, TWIST_TOTAL, 65535, SL_DROP_too_short, NO},
    {"IPv4 total length less than the header", 0, "192.0.2.1", OUT, 17, TWIST_TOTAL, 19,
     SL_DROP_ipv4_bad_header, NO},
    {"IPv4 total length zero", 0, "192.0.2.1", OUT, 17, TWIST_TOTAL, 0, SL_DROP_ipv4_bad_header, NO},
    {"IPv4 packet of a header alone", 0, "192.0.2.1", OUT, 17, TWIST_TOTAL, 20, PASS, NO},
    {"IPv4 version 6", 0, "192.0.2.1", OUT, 17, TWIST_VERSION, 6, SL_DROP_ipv4_bad_header, NO},
    {"IPv4 version 0", 0, "192.0.2.1", OUT, 17, TWIST_VERSION, 0, SL_DROP_ipv4_bad_header, NO},
    {"IPv4 header of 4 words", 0, "192.0.2.1", OUT, 17, TWIST_IHL, 4, SL_DROP_ipv4_bad_header, NO},
    {"IPv4 header of 12 words is the whole packet", 0, "192.0.2.1", OUT, 17, TWIST_IHL, 12, PASS, NO},
    {"IPv4 header longer than the packet", 0, "192.0.2.1", OUT, 17, TWIST_IHL, 15, SL_DROP_ipv4_bad_header,
     NO},
    {"malformed comes before denied", 0, "203.0.113.1", OUT, 17, TWIST_IHL, 4, SL_DROP_ipv4_bad_header, NO},
    {"half an IPv6 header", 0, "2001:db8::1", OUT6, 17, TWIST_CUT, 53, SL_DROP_too_short, NO},
    {"IPv6 header alone, more claimed", 0, "2001:db8::1", OUT6, 17, TWIST_CUT, 54, SL_DROP_too_short, NO},
    {"IPv6 payload length one more than came", 0, "2001:db8::1", OUT6, 17, TWIST_TOTAL, 29, SL_DROP_too_short,
     NO},
    {"IPv6 payload length zero", 0, "2001:db8::1", OUT6, 59, TWIST_TOTAL, 0, PASS, NO},
    {"IPv6 longer than 65535 in all", 0, "2001:db8::1", OUT6, 17, TWIST_TOTAL, 65535, SL_DROP_ipv6_bad_header,
     NO},
    {"IPv6 version 4", 0, "2001:db8::1", OUT6, 17, TWIST_VERSION, 4, SL_DROP_ipv6_bad_header, NO},
    // martians
    {"from loopback", 0, "127.0.0.1", OUT, 17, 0, 0, MARTIAN, NO},
    {"from 127.255.255.255", 0, "127.255.255.255", OUT, 17, 0, 0, MARTIAN, NO},
    {"from 128.0.0.0", 0, "128.0.0.0", OUT, 17, 0, 0, PASS, NO},
    {"from 126.255.255.255", 0, "126.255.255.255", OUT, 17, 0, 0, PASS, NO},
    {"from 0.0.0.0", 0, "0.0.0.0", OUT, 17, 0, 0, MARTIAN, NO},
    {"from 0.0.0.1 to broadcast", 0, "0.0.0.1", "255.255.255.255", 17, 0, 0, MARTIAN, NO},
    {"from 0.255.255.255", 0, "0.255.255.255", OUT, 17, 0, 0, MARTIAN, NO},
    {"from 1.0.0.0", 0, "1.0.0.0", OUT, 17, 0, 0, PASS, NO},
    {"DHCP discover", 0, "0.0.0.0", "255.255.255.255", 17, 0, 0, PASS, NO},
    {"from multicast", 0, "224.0.0.1", OUT, 17, 0, 0, MARTIAN, NO},
    {"from 223.255.255.255", 0, "223.255.255.255", OUT, 17, 0, 0, PASS, NO},
    {"from reserved space", 0, "240.0.0.1", OUT, 17, 0, 0, MARTIAN, NO},
    {"from broadcast", 0, "255.255.255.255", OUT, 17, 0, 0, MARTIAN, NO},
    {"to loopback", 0, "192.0.2.1", "127.0.0.1", 17, 0, 0, MARTIAN2, NO},
    {"to 0.0.0.0", 0, "192.0.2.1", "0.0.0.0", 17, 0, 0, MARTIAN2, NO},
    {"to 0.1.2.3", 0, "192.0.2.1", "0.1.2.3", 17, 0, 0, MARTIAN2, NO},
    {"to multicast passes", 0, "192.0.2.1", "224.0.0.1", 17, 0, 0, PASS, NO},
    {"land attack", 0, OUT, OUT, 6, 0, 0, SL_DROP_land_attack, NO},
    {"a martian comes before a land attack", 0, "127.0.0.1", "127.0.0.1", 6, 0, 0, MARTIAN, NO},
    {"v6 from loopback", 0, "::1", OUT6, 17, 0, 0, MARTIAN, NO},
    {"v6 from ::2 passes", 0, "::2", OUT6, 17, 0, 0, PASS, NO},
    {"v6 from nowhere", 0, "::", OUT6, 17, 0, 0, MARTIAN, NO},
    {"v6 from nowhere with ICMPv6, but beyond the link", 0, "::", OUT6, 58, 0, 0, MARTIAN, NO},
    {"v6 duplicate address detection", 0, "::", "ff02::1:ff00:1", 58, 0, 0, PASS, NO},
    {"v6 MLD report behind hop-by-hop options", 0, "::", "ff02::16", 0, 0, 0, PASS, NO},
    {"v6 UDP from nowhere to the link", 0, "::", "ff02::1", 17, 0, 0, MARTIAN, NO},
    {"v6 ICMPv6 from nowhere to the site", 0, "::", "ff05::1", 58, 0, 0, MARTIAN, NO},
    {"v6 from multicast", 0, "ff02::1", OUT6, 17, 0, 0, MARTIAN, NO},
    {"v6 from a mapped address", 0, "::ffff:192.0.2.1", OUT6, 17, 0, 0, MARTIAN, NO},
    {"v6 from what only looks mapped", 0, "::fffe:192.0.2.1", OUT6, 17, 0, 0, PASS, NO},
    {"v6 to loopback", 0, "2001:db8::1", "::1", 17, 0, 0, MARTIAN2, NO},
    {"v6 to nowhere", 0, "2001:db8::1", "::", 17, 0, 0, MARTIAN2, NO},
    {"v6 land attack", 0, OUT6, OUT6, 6, 0, 0, SL_DROP_land_attack, NO},
    {"v6 neighbor of a land attack", 0, "2001:db8:100::20", OUT6, 6, 0, 0, PASS, NO},
    // port 1: deny bad (0), deny nothing (1), allow good (2), else deny; martians let through
    {"else deny", 1, "192.0.2.1", OUT, 17, 0, 0, DENIED, NO},
    {"deny first", 1, "203.0.113.7", OUT, 17, 0, 0, DENIED, 0},
    {"allow third", 1, "10.1.2.3", OUT, 17, 0, 0, PASS, 2},
    {"v6 else deny", 1, "2001:db8::1", OUT6, 17, 0, 0, DENIED, NO},
    {"v6 deny first", 1, "2001:db8:bad::7", OUT6, 17, 0, 0, DENIED, 0},
    {"martians are judged by the rules alone", 1, "127.0.0.1", OUT, 17, 0, 0, DENIED, NO},
    {"malformed nevertheless", 1, "10.1.2.3", OUT, 17, TWIST_IHL, 3, SL_DROP_ipv4_bad_header, NO},
    {"arp passes where all is denied", 1, "10.1.2.3", OUT, 17, TWIST_ETHERTYPE, 0x0806, PASS, NO},
    // port 2: no rules; martians dropped
    {"without rules", 2, "203.0.113.1", OUT, 17, 0, 0, PASS, NO},
    {"martian without rules", 2, "127.0.0.1", OUT, 17, 0, 0, MARTIAN, NO},
    // port 3: fifteen times nothing, then deny bad (15), else allow; martians let through
    {"the sixteenth rule", 3, "203.0.113.1", OUT, 17, 0, 0, DENIED, 15},
    {"v6 the sixteenth rule", 3, "2001:db8:bad::1", OUT6, 17, 0, 0, DENIED, 15},
    {"behind all rules", 3, "192.0.2.1", OUT, 17, 0, 0, PASS, NO},
    {"martian where they may pass", 3, "127.0.0.1", OUT, 17, 0, 0, PASS, NO},
    {"land attack where martians may pass", 3, OUT, OUT, 17, 0, 0, PASS, NO},
};
#define VECTORS (sizeof(vectors) / sizeof(vectors[0]))

// ---- the table ----------------------------------------------------------------------------------------------
enum { SET_BAD, SET_GOOD, SET_NOTHING, SET_RANDOM, VECTOR_SETS };
#define VECTOR_PORTS 4

static const char *const vectors_set[VECTOR_SETS] = {
    [SET_BAD] = "203.0.113.0/24\n2001:db8:bad::/48\n10.9.9.9\n",
    [SET_GOOD] = "203.0.113.7\n2001:db8:bad::7\n10.0.0.0/8\n",
    [SET_NOTHING] = "",
    [SET_RANDOM] = "",
};

#define ALLOW SL_PREFILTER_ALLOW
#define DENY  SL_PREFILTER_DENY
#define NOTHING(n)                                                                                           \
    {                                                                                                        \
        SET_NOTHING, DENY, n                                                                                 \
    }
static const struct sl_prefilter_port vectors_rules[VECTOR_PORTS] = {
    {2, SL_PORT_MARTIANS, ALLOW, {0}, {{SET_GOOD, ALLOW, 0}, {SET_BAD, DENY, 1}}},
    {4, 0, DENY, {0}, {{SET_BAD, DENY, 0}, NOTHING(1), {SET_GOOD, ALLOW, 2}, {SET_RANDOM, ALLOW, 3}}},
    {0, SL_PORT_MARTIANS, ALLOW, {0}, {{0}}},
    {16,
     0,
     ALLOW,
     {0},
     {NOTHING(0),
      NOTHING(1),
      NOTHING(2),
      NOTHING(3),
      NOTHING(4),
      NOTHING(5),
      NOTHING(6),
      NOTHING(7),
      NOTHING(8),
      NOTHING(9),
      NOTHING(10),
      NOTHING(11),
      NOTHING(12),
      NOTHING(13),
      {SET_RANDOM, DENY, 14},
      {SET_BAD, DENY, 15}}},
};

struct vectors_table {
    struct sl_prefilter_table *table;
    uint64_t size;
};

// Inside 100.64.0.0/10 and fd00::/8, away from what the vectors use.
static inline struct sl_prefix vectors_random_prefix(struct random *r)
{
    bool v4 = random_below(r, 2);
    struct sl_ip ip = random_ip(r, v4);
    unsigned len = v4 ? 12 + random_below(r, 21) : 40 + random_below(r, 89);

    if (v4) {
        ip.b[12] = 100;
        ip.b[13] = (uint8_t)(64 | (ip.b[13] & 63));
    } else {
        ip.b[0] = 0xfd;
    }
    return random_masked(ip, len);
}

// free() vectors_table.table.
static inline struct vectors_table vectors_table_new(void)
{
    struct vectors_table made = {0};
    struct sl_prefix_set set[VECTOR_SETS] = {0};
    struct random r = {.state = 4711};
    uint64_t offset = sizeof(struct sl_prefilter_table) + VECTOR_SETS * sizeof(struct sl_prefilter_set) +
                      sizeof(vectors_rules);
    uint64_t at = (offset + 63) / 64 * 64;

    for (unsigned i = 0; i < 2000; i++) {
        struct sl_prefix prefix = vectors_random_prefix(&r);
        sl_prefix_set_add(&set[SET_RANDOM], &prefix);
    }
    made.size = at;
    for (unsigned i = 0; i < VECTOR_SETS; i++) {
        struct sl_prefix_set_error error;
        sl_prefix_set_parse(&set[i], vectors_set[i], strlen(vectors_set[i]), &error);
        sl_prefix_set_finish(&set[i]);
        made.size += sl_prefix_set_size(&set[i]);
    }
    uint8_t *base = aligned_alloc(64, made.size);
    memset(base, 0, made.size);
    made.table = (struct sl_prefilter_table *)base;
    made.table->set_count = VECTOR_SETS;
    made.table->port_count = VECTOR_PORTS;
    made.table->set_offset = sizeof(*made.table);
    made.table->port_offset = made.table->set_offset + VECTOR_SETS * sizeof(struct sl_prefilter_set);
    memcpy(base + made.table->port_offset, vectors_rules, sizeof(vectors_rules));
    struct sl_prefilter_set *entry = (struct sl_prefilter_set *)(base + made.table->set_offset);
    for (unsigned i = 0; i < VECTOR_SETS; i++) {
        entry[i].blob_offset = at;
        entry[i].blob_size = sl_prefix_set_size(&set[i]);
        sl_prefix_set_build(&set[i], base + at, entry[i].blob_size);
        at += entry[i].blob_size;
        sl_prefix_set_fini(&set[i]);
    }
    return made;
}

// ---- frames -------------------------------------------------------------------------------------------------
#define VECTOR_PAYLOAD 28 // bytes behind the IP header

static inline void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

// Ethernet and IP headers over zeros. Text rather than struct sl_ip: a mapped address is an IPv6 one here.
static inline unsigned vectors_packet(const char *src, const char *dst, uint8_t proto,
                                      uint8_t out[VECTOR_FRAME])
{
    bool v6 = strchr(src, ':') != NULL;
    struct sl_ip from, to;

    memset(out, 0, VECTOR_FRAME);
    if (sl_ip_parse(src, &from) != 0 || sl_ip_parse(dst, &to) != 0)
        return 0;
    put16(out + 12, v6 ? 0x86dd : 0x0800);
    out[14] = v6 ? 0x60 : 0x45;
    if (v6) {
        put16(out + 18, VECTOR_PAYLOAD);
        out[20] = proto;
        out[21] = 64;
        memcpy(out + 22, from.b, 16);
        memcpy(out + 38, to.b, 16);
        return 54 + VECTOR_PAYLOAD;
    }
    put16(out + 16, 20 + VECTOR_PAYLOAD);
    out[22] = 64;
    out[23] = proto;
    memcpy(out + 26, from.b + 12, 4);
    memcpy(out + 30, to.b + 12, 4);
    return 34 + VECTOR_PAYLOAD;
}

static inline unsigned vectors_twist(uint8_t *frame, unsigned length, uint8_t twist, uint16_t value)
{
    bool v6 = frame[12] == 0x86;

    switch (twist) {
    case TWIST_CUT:
        return value;
    case TWIST_PAD:
        return length + value;
    case TWIST_VERSION:
        frame[14] = (uint8_t)((frame[14] & 0x0f) | value << 4);
        return length;
    case TWIST_IHL:
        frame[14] = (uint8_t)((frame[14] & 0xf0) | value);
        return length;
    case TWIST_TOTAL:
        put16(frame + (v6 ? 18 : 16), value);
        return length;
    case TWIST_ETHERTYPE:
        put16(frame + 12, value);
        return length;
    default:
        return length;
    }
}

static inline unsigned vectors_frame(const struct vector *vector, uint8_t out[VECTOR_FRAME])
{
    unsigned length = vectors_packet(vector->src, vector->dst, vector->proto, out);

    return vectors_twist(out, length, vector->twist, vector->value);
}

// A random frame: sources in and around the sets, now and then a twist or a flipped byte.
static inline unsigned vectors_random_frame(struct random *r, uint8_t out[VECTOR_FRAME])
{
    static const char *const source[] = {
        "203.0.113.1",     "203.0.113.7", "10.1.2.3", "192.0.2.1", "100.64.0.0",
        "2001:db8:bad::1", "2001:db8::1", "fd01::",   "::",        "::1"};
    static const char *const destination[] = {"198.51.100.21", "255.255.255.255", "224.0.0.1", "127.0.0.1"};
    static const char *const destination6[] = {OUT6, "ff02::1", "::1", "fe80::1"};
    const char *src = source[random_below(r, sizeof(source) / sizeof(source[0]))];
    bool v6 = strchr(src, ':') != NULL;
    const char *dst = v6 ? destination6[random_below(r, 4)] : destination[random_below(r, 4)];
    unsigned length = vectors_packet(src, dst, random_below(r, 2) ? 58 : 17, out);

    if (random_below(r, 2)) { // somewhere in or near the random set
        struct sl_prefix prefix = vectors_random_prefix(r);
        if (sl_ip_is_v4(&prefix.ip) != v6)
            memcpy(out + (v6 ? 22 : 26), prefix.ip.b + (v6 ? 0 : 12), v6 ? 16 : 4);
    }
    if (random_below(r, 4) == 0)
        length = vectors_twist(out, length, (uint8_t)(TWIST_VERSION + random_below(r, 3)),
                               (uint16_t)random_below(r, 100));
    if (random_below(r, 4) == 0)
        out[12 + random_below(r, length - 12)] ^= (uint8_t)(1 << random_below(r, 8));
    return random_below(r, 8) ? length : 14 + random_below(r, length - 14);
}

// ---- the verdict in C ---------------------------------------------------------------------------------------
static inline bool vectors_contains(const void *sets, uint32_t set, const struct prefilter_source *source)
{
    const struct sl_prefilter_table *table = sets;
    const uint8_t *base = sets;
    const struct sl_prefilter_set *entry = (const struct sl_prefilter_set *)(base + table->set_offset) + set;
    const struct sl_lpm *lpm = (const struct sl_lpm *)(base + entry->blob_offset);

    return sl_lpm_lookup(lpm, source->v6 ? &lpm->v6 : &lpm->v4, (const uint8_t *)source->word) != 0;
}

static inline enum sl_drop vectors_verdict(const struct sl_prefilter_table *table, unsigned port,
                                           const uint8_t *frame, unsigned length, uint32_t *hit)
{
    const struct sl_prefilter_port *rules = &vectors_rules[port];
    struct prefilter_span span = {frame + 14, frame + length, length - 14};
    struct prefilter_source source;
    unsigned ethertype = frame[12] << 8 | frame[13];

    *hit = PREFILTER_NO_RULE;
    if (ethertype != 0x0800 && ethertype != 0x86dd)
        return SL_DROP_none;
    enum sl_drop drop = prefilter_check(&span, ethertype == 0x86dd, rules->flags & SL_PORT_MARTIANS, &source);
    return drop != SL_DROP_none ? drop : prefilter_rules(rules, vectors_contains, table, &source, hit);
}

#endif
