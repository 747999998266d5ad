// SPDX-License-Identifier: Apache-2.0
// Addresses as every part of Sluice holds them: 16 bytes, IPv4 mapped into IPv6 (::ffff:a.b.c.d, RFC 4291
// section 2.5.5.2), network byte order. One type means one table, one key and one printer for both families.
#ifndef SL_BASE_IP_H
#define SL_BASE_IP_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef uint16_t sl_be16; // network byte order
typedef uint32_t sl_be32; // network byte order

struct sl_ip {
    union {
        uint8_t b[16];
        sl_be32 w[4];
        uint64_t q[2];
    };
};

// A prefix: address with host bits zero; `len` counts in the address's own family (0-32 for v4, 0-128 for v6).
// An IPv4 prefix is told by a mapped address, so 0.0.0.0/0 is {::ffff:0.0.0.0, 0} and ::/0 is {::, 0}.
struct sl_prefix {
    struct sl_ip ip;
    uint8_t len;
    uint8_t pad[7];
};

#define SL_IP_V4_MARK __builtin_bswap32(0x0000ffffu) // third word of a mapped address, on a little-endian CPU

static inline struct sl_ip sl_ip_v4(sl_be32 addr)
{
    // Two whole words: who reads the address right after as 64 bits must not wait for four smaller stores to land.
    struct sl_ip ip = {.q = {0, (uint64_t)addr << 32 | SL_IP_V4_MARK}};
    return ip;
}

static inline bool sl_ip_is_v4(const struct sl_ip *ip)
{
    return ip->q[0] == 0 && ip->w[2] == SL_IP_V4_MARK;
}

// fe80::/10 (RFC 4291 section 2.5.6). False of IPv4, whose 169.254.0.0/16 a router's own links may well have.
static inline bool sl_ip_is_link_local_v6(const struct sl_ip *ip)
{
    return ip->b[0] == 0xfe && (ip->b[1] & 0xc0) == 0x80;
}

static inline bool sl_ip_equal(const struct sl_ip *a, const struct sl_ip *b)
{
    return ((a->q[0] ^ b->q[0]) | (a->q[1] ^ b->q[1])) == 0;
}

static inline bool sl_ip_is_zero(const struct sl_ip *a)
{
    return (a->q[0] | a->q[1]) == 0;
}

#define SL_IP_TEXT 48     // room for any address and its NUL
#define SL_PREFIX_TEXT 52 // room for any prefix and its NUL

// Reads "192.0.2.1" or "2001:db8::1" (no zone). 0, or -EINVAL and *ip untouched.
int sl_ip_parse(const char *text, struct sl_ip *ip);
// Reads "192.0.2.0/24"; without "/len" the whole address. -EINVAL: not a prefix; -ERANGE: length too large;
// -EDOM: bits beyond the length are set (the corrected prefix is stored all the same, for the message).
int sl_prefix_parse(const char *text, struct sl_prefix *prefix);
// Writes text, returns `out`. An IPv4 address prints as a dotted quad.
const char *sl_ip_format(const struct sl_ip *ip, char out[SL_IP_TEXT]);
const char *sl_prefix_format(const struct sl_prefix *prefix, char out[SL_PREFIX_TEXT]);
// True where `ip` is of the prefix's family and inside it.
bool sl_prefix_contains(const struct sl_prefix *prefix, const struct sl_ip *ip);
// Order by family (v4 first), address, length: the order in which tables are built and listed.
int sl_prefix_compare(const struct sl_prefix *a, const struct sl_prefix *b);

#endif
