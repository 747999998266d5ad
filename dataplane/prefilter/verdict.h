// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0)
// The prefilter's judgement of one packet, written once: the XDP program and the worker's stage compile these lines,
// and one file of vectors proves that they agree. Malformed headers first, then addresses that cannot be, then the
// port's rules in order. No library, no loop without a bound, no access that the verifier could not follow.
#ifndef PREFILTER_VERDICT_H
#define PREFILTER_VERDICT_H

#include <stdbool.h>
#include <stdint.h>
#include "shm/prefilter.h"

#define PREFILTER_INLINE static inline __attribute__((always_inline))

#define PREFILTER_ETH_BYTES 14
#define PREFILTER_ETH_IPV4  __builtin_bswap16(0x0800)
#define PREFILTER_ETH_ARP   __builtin_bswap16(0x0806)
#define PREFILTER_ETH_IPV6  __builtin_bswap16(0x86dd)

struct prefilter_eth {
    uint8_t dst[6], src[6];
    uint16_t type; // network byte order, as all that follows
} __attribute__((packed));

struct prefilter_ipv4 {
    uint8_t version_ihl, tos;
    uint16_t total_len, id, fragment;
    uint8_t ttl, proto;
    uint16_t checksum;
    uint32_t src, dst;
} __attribute__((packed));

struct prefilter_ipv6 {
    uint32_t version_class_flow;
    uint16_t payload_len;
    uint8_t next, hop_limit;
    uint32_t src[4], dst[4];
} __attribute__((packed));

// Where a packet's bytes are. XDP sees all of a frame; a worker's mbuf may have more behind its first segment.
struct prefilter_span {
    const void *l3;
    const void *end; // behind the last byte that may be touched
    uint32_t whole;  // bytes of the frame from l3 on, padding and further segments included
};

struct prefilter_source { // what the rules look up
    uint32_t word[4];     // network byte order; IPv4 in word[0] alone
    uint32_t v6;          // 1 or 0
};

PREFILTER_INLINE uint32_t prefilter_host32(uint32_t wire)
{
    return __builtin_bswap32(wire);
}

// ---- malformed ----------------------------------------------------------------------------------------------
// RFC 791, RFC 1812 section 5.2.2. The parse stage looks closer (checksum, options); here only what filters rely on.
PREFILTER_INLINE enum sl_drop prefilter_check_ipv4(const struct prefilter_span *span)
{
    const struct prefilter_ipv4 *ip = (const struct prefilter_ipv4 *)span->l3;

    if ((const void *)(ip + 1) > span->end)
        return SL_DROP_too_short;
    uint32_t header = (ip->version_ihl & 0x0fu) * 4, total = __builtin_bswap16(ip->total_len);
    if (ip->version_ihl >> 4 != 4 || header < sizeof(*ip) || total < header)
        return SL_DROP_ipv4_bad_header;
    if (total > span->whole) // claims bytes that did not come
        return SL_DROP_too_short;
    return SL_DROP_none;
}

// RFC 8200 section 3.
PREFILTER_INLINE enum sl_drop prefilter_check_ipv6(const struct prefilter_span *span)
{
    const struct prefilter_ipv6 *ip = (const struct prefilter_ipv6 *)span->l3;

    if ((const void *)(ip + 1) > span->end)
        return SL_DROP_too_short;
    uint32_t total = __builtin_bswap16(ip->payload_len) + (uint32_t)sizeof(*ip);
    if (prefilter_host32(ip->version_class_flow) >> 28 != 6 || total > UINT16_MAX)
        return SL_DROP_ipv6_bad_header;
    if (total > span->whole)
        return SL_DROP_too_short;
    return SL_DROP_none;
}

// ---- martians -----------------------------------------------------------------------------------------------
// RFC 1812 section 5.3.7, RFC 6890. 0.0.0.0 to 255.255.255.255 is how DHCP begins (RFC 2131 section 4.1).
PREFILTER_INLINE enum sl_drop prefilter_martian_ipv4(uint32_t wire_src, uint32_t wire_dst)
{
    uint32_t src = prefilter_host32(wire_src), dst = prefilter_host32(wire_dst);
    uint32_t net = src >> 24, dst_net = dst >> 24;

    if (net == 127 || net >= 224 || (net == 0 && !(src == 0 && dst == UINT32_MAX)))
        return SL_DROP_martian_source;
    if (dst_net == 0 || dst_net == 127)
        return SL_DROP_martian_destination;
    return src == dst ? SL_DROP_land_attack : SL_DROP_none;
}

// :: speaks for a node without an address yet: neighbor discovery and MLD, to its own link only (RFC 4291 section
// 2.5.2, RFC 4861 section 4.1, RFC 3590).
PREFILTER_INLINE bool prefilter_without_address(const struct prefilter_ipv6 *ip)
{
    return (ip->next == 58 || ip->next == 0) && prefilter_host32(ip->dst[0]) >> 16 == 0xff02;
}

// RFC 4291 sections 2.5.2, 2.5.3, 2.5.5.2, 2.7; mapped addresses must not be seen on a link.
PREFILTER_INLINE enum sl_drop prefilter_martian_ipv6(const struct prefilter_ipv6 *ip)
{
    uint32_t src_low = prefilter_host32(ip->src[3]), dst_low = prefilter_host32(ip->dst[3]);
    bool src_zeros = (ip->src[0] | ip->src[1]) == 0; // the first 64 bits
    bool dst_zeros = (ip->dst[0] | ip->dst[1] | ip->dst[2]) == 0;
    uint32_t differs = (ip->src[0] ^ ip->dst[0]) | (ip->src[1] ^ ip->dst[1]) | (ip->src[2] ^ ip->dst[2]) |
                       (ip->src[3] ^ ip->dst[3]);

    if (prefilter_host32(ip->src[0]) >> 24 == 0xff)
        return SL_DROP_martian_source;
    if (src_zeros && prefilter_host32(ip->src[2]) == 0xffff)
        return SL_DROP_martian_source;
    if (src_zeros && ip->src[2] == 0 && (src_low == 1 || (src_low == 0 && !prefilter_without_address(ip))))
        return SL_DROP_martian_source;
    if (dst_zeros && dst_low <= 1)
        return SL_DROP_martian_destination;
    return differs == 0 ? SL_DROP_land_attack : SL_DROP_none;
}

// Headers and addresses of one IP packet; the source for the rules where it passes.
PREFILTER_INLINE enum sl_drop prefilter_check(const struct prefilter_span *span, bool v6, bool martians,
                                              struct prefilter_source *source)
{
    enum sl_drop drop = v6 ? prefilter_check_ipv6(span) : prefilter_check_ipv4(span);

    if (drop != SL_DROP_none)
        return drop;
    source->v6 = v6;
    if (v6) {
        const struct prefilter_ipv6 *ip = (const struct prefilter_ipv6 *)span->l3;
        for (int i = 0; i < 4; i++)
            source->word[i] = ip->src[i];
        return martians ? prefilter_martian_ipv6(ip) : SL_DROP_none;
    }
    const struct prefilter_ipv4 *ip = (const struct prefilter_ipv4 *)span->l3;
    *source = (struct prefilter_source){.word = {ip->src}};
    return martians ? prefilter_martian_ipv4(ip->src, ip->dst) : SL_DROP_none;
}

// ---- rules --------------------------------------------------------------------------------------------------
#define PREFILTER_NO_RULE SL_PREFILTER_RULES

PREFILTER_INLINE enum sl_drop prefilter_action_drop(uint32_t action)
{
    return action == SL_PREFILTER_DENY ? SL_DROP_prefilter_denied : SL_DROP_none;
}

// The first rule whose set contains the source decides, else the fallback. `contains` looks into a set; the caller
// knows where sets are: in the XDP program's maps, or a file's mapping behind `sets`. *hit: index of the rule's
// counter, PREFILTER_NO_RULE where none decided.
PREFILTER_INLINE enum sl_drop
prefilter_rules(const struct sl_prefilter_port *port,
                bool (*contains)(const void *sets, uint32_t set, const struct prefilter_source *source),
                const void *sets, const struct prefilter_source *source, uint32_t *hit)
{
    *hit = PREFILTER_NO_RULE;
    for (uint32_t i = 0; i < SL_PREFILTER_RULES; i++) {
        if (i >= port->rule_count)
            break;
        const struct sl_prefilter_rule *rule = &port->rule[i];
        if (!contains(sets, rule->set, source))
            continue;
        *hit = rule->counter % SL_PREFILTER_RULES;
        return prefilter_action_drop(rule->action);
    }
    return prefilter_action_drop(port->fallback);
}

#endif
