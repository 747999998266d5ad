// SPDX-License-Identifier: Apache-2.0
// ICMP errors that cross families (RFC 7915 sections 4.2 and 5.2): type, code, MTU and pointer by the RFC's tables, the
// quoted packet as its sender knew it. They are rare, so each is written anew; one whose checksum is wrong is dropped
// and not made right. Called by nat_stage, on the worker's thread.
#include "balance/family.h"

#include "wire/checksum.h"
#include "wire/emit.h"
#include "wire/l4.h"

#define V6_LEAST_MTU 1280
#define V4_BYTES     576 // most of an ICMP error (RFC 1812 section 4.3.2.3)
#define DROPPED      0xff

// ---- tables -------------------------------------------------------------------------------------------------
// What an IPv4 sender did not name: the largest of these below the size of the packet (RFC 1191 section 7).
static uint32_t plateau_below(uint32_t bytes)
{
    static const uint16_t plateau[] = {65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296};

    for (size_t i = 0; i < RTE_DIM(plateau); i++)
        if (plateau[i] < bytes)
            return plateau[i];
    return 68;
}

// Unreachable: code of IPv4 to code of ICMPv6. Protocol (2) and fragmentation needed (4) are other types there.
static bool unreachable_to_v6(struct family_error *error)
{
    static const uint8_t code[] = {0, 0, DROPPED, 4, DROPPED, 0, 0, 0, 0, 1, 1, 0, 0, 1, DROPPED, 1};

    if (error->code == 2) { // the pointer: the header's next header
        *error = (struct family_error){SL_ICMP6_PARAMETER, 1, offsetof(struct sl_ipv6, next)};
        return true;
    }
    if (error->code == 4) {
        *error = (struct family_error){SL_ICMP6_TOO_BIG, 0, (error->rest & 0xffff) + FAMILY_GROWS};
        return true;
    }
    if (error->code >= RTE_DIM(code) || code[error->code] == DROPPED)
        return false;
    *error = (struct family_error){SL_ICMP6_UNREACHABLE, code[error->code], 0};
    return true;
}

static bool parameter_to_v6(struct family_error *error)
{
    static const uint8_t pointer[20] = {0,       1, 4, 4, DROPPED, DROPPED, DROPPED, DROPPED, 7,  6,
                                        DROPPED, DROPPED, 8, 8, 8, 8, 24, 24, 24, 24};
    uint32_t at = error->rest >> 24;

    if ((error->code != 0 && error->code != 2) || at >= RTE_DIM(pointer) || pointer[at] == DROPPED)
        return false;
    *error = (struct family_error){SL_ICMP6_PARAMETER, 0, pointer[at]};
    return true;
}

bool family_error_to_v6(struct family_error *error)
{
    switch (error->type) {
    case SL_ICMP_UNREACHABLE:
        return unreachable_to_v6(error);
    case SL_ICMP_TIME_EXCEEDED:
        *error = (struct family_error){SL_ICMP6_TIME_EXCEEDED, error->code, 0};
        return true;
    case SL_ICMP_PARAMETER:
        return parameter_to_v6(error);
    default: // redirects and source quench are for one link, or for nobody
        return false;
    }
}

static bool parameter_to_v4(struct family_error *error)
{
    uint32_t at = error->rest;
    uint8_t pointer = at <= 1   ? (uint8_t)at
                      : at <= 3 ? DROPPED
                      : at <= 5 ? 2
                      : at == 6 ? 9
                      : at == 7 ? 8
                      : at < 24 ? 12
                      : at < 40 ? 16
                                : DROPPED;

    if (error->code == 1) {
        *error = (struct family_error){SL_ICMP_UNREACHABLE, 2, 0};
        return true;
    }
    if (error->code != 0 || pointer == DROPPED)
        return false;
    *error = (struct family_error){SL_ICMP_PARAMETER, 0, (uint32_t)pointer << 24};
    return true;
}

bool family_error_to_v4(struct family_error *error)
{
    static const uint8_t unreachable[] = {1, 10, 1, 1, 3};

    switch (error->type) {
    case SL_ICMP6_UNREACHABLE:
        if (error->code >= RTE_DIM(unreachable))
            return false;
        *error = (struct family_error){SL_ICMP_UNREACHABLE, unreachable[error->code], 0};
        return true;
    case SL_ICMP6_TOO_BIG: // of 16 bits there, and a sender of IPv4 does not go below 68 (RFC 791)
        error->rest = RTE_MIN(RTE_MAX(error->rest, 68u + FAMILY_GROWS), 65535u) - FAMILY_GROWS;
        *error = (struct family_error){SL_ICMP_UNREACHABLE, 4, error->rest};
        return true;
    case SL_ICMP6_TIME_EXCEEDED:
        *error = (struct family_error){SL_ICMP_TIME_EXCEEDED, error->code, 0};
        return true;
    case SL_ICMP6_PARAMETER:
        return parameter_to_v4(error);
    default:
        return false;
    }
}

// ---- reading ------------------------------------------------------------------------------------------------
struct quote { // of the error as it came
    const uint8_t *l3, *l4;
    uint16_t have; // bytes from l4 on
    uint16_t payload; // as its header told it was, from l4 on
    uint8_t tos, ttl;
};

static bool checksum_is_right(const struct packet *packet, const struct sl_icmp *icmp, size_t len)
{
    const struct sl_ipv6 *ip = rte_pktmbuf_mtod_offset(packet->m, const struct sl_ipv6 *, packet->l3_off);
    uint64_t sum = packet->flags & PACKET_V4
                       ? 0
                       : sl_csum_pseudo_v6(ip->src, ip->dst, SL_PROTO_ICMPV6, (uint32_t)len);

    return sl_csum_finish(sl_csum_add(sum, icmp, len)) == 0;
}

// With extensions (RFC 4884) the quote ends where the length tells, filled up; they are left behind.
static size_t quote_end(const struct packet *packet, const struct sl_icmp *icmp)
{
    size_t end = packet->l3_off + (size_t)packet->l3_len;
    bool v4 = packet->flags & PACKET_V4;
    bool has_length = icmp->type == (v4 ? SL_ICMP_UNREACHABLE : SL_ICMP6_UNREACHABLE) ||
                      icmp->type == (v4 ? SL_ICMP_TIME_EXCEEDED : SL_ICMP6_TIME_EXCEEDED);
    const uint8_t *rest = (const uint8_t *)&icmp->mtu32;
    size_t length = !has_length ? 0 : v4 ? rest[1] * 4u : rest[0] * 8u;

    return length ? RTE_MIN(end, packet->l4_off + sizeof(*icmp) + length) : end;
}

static bool quote_read(const struct packet *packet, const struct sl_icmp *icmp, struct quote *quote)
{
    const struct rte_mbuf *m = packet->m;
    size_t end = quote_end(packet, icmp);
    uint32_t front = (uint32_t)(packet->quote_l4_off - packet->quote_l3_off), told;

    if (end < packet->quote_l4_off + 8u || m->data_len < end)
        return false;
    quote->l3 = rte_pktmbuf_mtod_offset(m, const uint8_t *, packet->quote_l3_off);
    quote->l4 = rte_pktmbuf_mtod_offset(m, const uint8_t *, packet->quote_l4_off);
    quote->have = (uint16_t)(end - packet->quote_l4_off);
    if (packet->flags & PACKET_V4) {
        const struct sl_ipv4 *ip = (const struct sl_ipv4 *)quote->l3;
        told = sl_host16(ip->total_len);
        quote->tos = ip->tos;
        quote->ttl = ip->ttl;
    } else {
        const struct sl_ipv6 *ip = (const struct sl_ipv6 *)quote->l3;
        told = sl_host16(ip->payload_len) + (uint32_t)sizeof(*ip);
        quote->tos = (uint8_t)(sl_host32(ip->version_class_flow) >> 20);
        quote->ttl = ip->hop_limit;
    }
    quote->payload = (uint16_t)(told > front ? told - front : 0);
    return quote->payload <= UINT16_MAX - sizeof(struct sl_ipv6);
}

// ---- writing ------------------------------------------------------------------------------------------------
// Ports and checksum of the quote, of which `len` bytes are there. Its addresses are those of `to`, which its sender
// sent between; before they were those of the packet's key, seen from the other side.
static void quote_mend(const struct packet *packet, uint8_t *l4, size_t len, const struct sl_flow_key *to)
{
    struct sl_udp *ports = (struct sl_udp *)l4;
    struct sl_ip src = packet->key.dst, dst = packet->key.src, new_src = to->src, new_dst = to->dst;
    bool udp = packet->key_proto == SL_PROTO_UDP;
    size_t offset = udp ? offsetof(struct sl_udp, checksum) : offsetof(struct sl_tcp, checksum);
    struct sl_csum_diff diff = {0};

    sl_csum_diff_128(&diff, src.b, new_src.b);
    sl_csum_diff_128(&diff, dst.b, new_dst.b);
    sl_csum_diff_16(&diff, ports->sport, to->sport);
    sl_csum_diff_16(&diff, ports->dport, to->dport);
    ports->sport = to->sport;
    ports->dport = to->dport;
    if (offset + sizeof(sl_be16) > len)
        return;
    if (udp)
        sl_csum_patch_udp((sl_be16 *)(l4 + offset), diff);
    else
        sl_csum_patch((sl_be16 *)(l4 + offset), diff);
}

static void error_write(struct worker *worker, const struct packet *packet, const struct sl_flow_key *to,
                        const struct family_error *error, const struct quote *quote, uint16_t len,
                        uint8_t ttl, uint8_t *at)
{
    bool v4 = packet->flags & PACKET_V4; // as it came
    size_t header = v4 ? sizeof(struct sl_ipv6) : sizeof(struct sl_ipv4);
    struct sl_emit_ip outer = {.src = to->dst,
                               .dst = to->src,
                               .proto = v4 ? SL_PROTO_ICMPV6 : SL_PROTO_ICMP,
                               .tos = packet->tos,
                               .ttl = ttl,
                               .id = (uint16_t)worker->ip_id++,
                               .payload_len = (uint16_t)(sizeof(struct sl_icmp) + header + len)};
    struct sl_emit_ip inner = {.src = to->src,
                               .dst = to->dst,
                               .proto = packet->key_proto,
                               .tos = quote->tos,
                               .ttl = quote->ttl,
                               .dont_fragment = true,
                               .payload_len = quote->payload};
    uint8_t *behind =
        sl_emit_icmp(sl_emit_ip(at, &outer), error->type, error->code, sl_be32_of(error->rest));

    behind = sl_emit_ip(behind, &inner);
    memcpy(behind, quote->l4, len);
    quote_mend(packet, behind, len, to);
    sl_emit_l4_checksum(at);
}

// The error in a buffer of its own takes the packet's place.
static bool error_build(struct worker *worker, struct packet *packet, const struct sl_flow_key *to,
                        const struct family_error *error, const struct quote *quote)
{
    bool v4 = packet->flags & PACKET_V4;
    uint16_t header = v4 ? sizeof(struct sl_ipv6) : sizeof(struct sl_ipv4);
    uint16_t room = (uint16_t)((v4 ? V6_LEAST_MTU : V4_BYTES) - 2 * header - sizeof(struct sl_icmp));
    uint16_t len = RTE_MIN(quote->have, room);
    uint16_t total = (uint16_t)(2 * header + sizeof(struct sl_icmp) + len);
    struct rte_mbuf *m = rte_pktmbuf_alloc(worker->pool);
    const uint8_t *l3 = rte_pktmbuf_mtod_offset(packet->m, const uint8_t *, packet->l3_off);
    uint8_t ttl = v4 ? ((const struct sl_ipv4 *)l3)->ttl : ((const struct sl_ipv6 *)l3)->hop_limit;

    uint8_t *frame = m ? (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(sizeof(struct sl_eth) + total)) : NULL;
    if (frame == NULL) {
        rte_pktmbuf_free(m);
        return false;
    }
    memset(frame, 0, sizeof(struct sl_eth));
    error_write(worker, packet, to, error, quote, len, ttl, frame + sizeof(struct sl_eth));
    rte_pktmbuf_free(packet->m);
    packet->m = m;
    packet->l3_off = sizeof(struct sl_eth);
    packet->l4_off = (uint16_t)(packet->l3_off + header);
    packet->quote_l3_off = (uint16_t)(packet->l4_off + sizeof(struct sl_icmp)); // NAT may have to turn it around yet
    packet->quote_l4_off = (uint16_t)(packet->quote_l3_off + header);
    packet->l3_len = total;
    packet->proto = v4 ? SL_PROTO_ICMPV6 : SL_PROTO_ICMP;
    packet->flags = (uint16_t)((packet->flags & ~(PACKET_V4 | PACKET_V6 | PACKET_OPTIONS | PACKET_DF)) |
                               (v4 ? PACKET_V6 | PACKET_DF : PACKET_V4));
    return true;
}

// What the RFC says to an MTU that is not named, and that no IPv6 link has less than 1,280.
static void mtu_mend(const struct packet *packet, const struct quote *quote, struct family_error *error)
{
    if (!(packet->flags & PACKET_V4) || error->type != SL_ICMP6_TOO_BIG)
        return;
    if (error->rest == FAMILY_GROWS)
        error->rest = plateau_below(quote->payload + (uint32_t)sizeof(struct sl_ipv4)) + FAMILY_GROWS;
    error->rest = RTE_MAX(error->rest, (uint32_t)V6_LEAST_MTU);
}

static enum sl_drop translate(struct worker *worker, struct packet *packet, const struct sl_flow_key *to)
{
    const struct sl_icmp *icmp = rte_pktmbuf_mtod_offset(packet->m, const struct sl_icmp *, packet->l4_off);
    size_t len = packet->l3_len - (size_t)(packet->l4_off - packet->l3_off);
    struct family_error error = {icmp->type, icmp->code, sl_host32(icmp->mtu32)};
    struct quote quote;

    if (packet->m->data_len < packet->l4_off + len || !quote_read(packet, icmp, &quote) ||
        !checksum_is_right(packet, icmp, len))
        return SL_DROP_l4_bad_header;
    if ((packet->key_proto != SL_PROTO_TCP && packet->key_proto != SL_PROTO_UDP) ||
        !(packet->flags & PACKET_V4 ? family_error_to_v6(&error) : family_error_to_v4(&error)))
        return SL_DROP_nat_protocol;
    mtu_mend(packet, &quote, &error);
    return error_build(worker, packet, to, &error, &quote) ? SL_DROP_none : SL_DROP_no_memory;
}

bool family_translate_error(struct worker *worker, struct packet *packet, const struct sl_flow_key *to)
{
    enum sl_drop reason = translate(worker, packet, to);

    if (reason != SL_DROP_none)
        packet_drop(worker, packet, reason);
    return reason == SL_DROP_none;
}
