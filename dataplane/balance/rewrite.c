// SPDX-License-Identifier: Apache-2.0
// IPv6 translation: addresses, ports, and the one checksum that covers both (RFC 8200 section 8.1). Called by
// nat_stage, on the worker's thread.
#include "balance/rewrite.h"

#include "wire/l4.h"

static void addresses_write(struct sl_ipv6 *ip, const struct sl_ip *src, const struct sl_ip *dst,
                            struct sl_csum_diff *diff)
{
    sl_csum_diff_128(diff, ip->src, src->b);
    sl_csum_diff_128(diff, ip->dst, dst->b);
    memcpy(ip->src, src->b, sizeof(ip->src));
    memcpy(ip->dst, dst->b, sizeof(ip->dst));
}

void balance_rewrite_v6(struct packet *packet, const struct sl_flow_key *to)
{
    struct sl_ipv6 *ip = rte_pktmbuf_mtod_offset(packet->m, struct sl_ipv6 *, packet->l3_off);
    uint8_t *l4 = rte_pktmbuf_mtod_offset(packet->m, uint8_t *, packet->l4_off);
    struct sl_ip src = to->dst, dst = to->src;
    struct sl_csum_diff diff = {0};

    addresses_write(ip, &src, &dst, &diff);
    if (!(packet->flags & PACKET_L4_KNOWN))
        return;
    if (packet->flags & (PACKET_TCP | PACKET_UDP)) {
        struct sl_udp *ports = (struct sl_udp *)l4; // TCP's stand in the same place
        sl_csum_diff_16(&diff, ports->sport, to->dport);
        sl_csum_diff_16(&diff, ports->dport, to->sport);
        ports->sport = to->dport;
        ports->dport = to->sport;
        nat_patch_l4(packet, l4, diff);
    } else {
        sl_csum_patch(&((struct sl_icmp *)l4)->checksum, diff);
    }
}

// ---- errors -------------------------------------------------------------------------------------------------
// The checksum inside the quoted transport header; NULL where the quote was cut before it, or has none that we know.
static sl_be16 *quoted_checksum(const struct packet *packet, uint8_t *l4)
{
    size_t offset = packet->key_proto == SL_PROTO_TCP      ? offsetof(struct sl_tcp, checksum)
                    : packet->key_proto == SL_PROTO_UDP    ? offsetof(struct sl_udp, checksum)
                    : packet->key_proto == SL_PROTO_ICMPV6 ? offsetof(struct sl_icmp, checksum)
                                                           : SIZE_MAX - sizeof(sl_be16);
    size_t have =
        packet->m->data_len > packet->quote_l4_off ? (size_t)(packet->m->data_len - packet->quote_l4_off) : 0;

    return offset + sizeof(sl_be16) <= have ? (sl_be16 *)(l4 + offset) : NULL;
}

// Translates the quoted packet. What changed in it, its own checksum included, is the return value.
static struct sl_csum_diff quote_rewrite(const struct packet *packet, const struct sl_flow_key *to)
{
    struct sl_ipv6 *ip = rte_pktmbuf_mtod_offset(packet->m, struct sl_ipv6 *, packet->quote_l3_off);
    uint8_t *l4 = rte_pktmbuf_mtod_offset(packet->m, uint8_t *, packet->quote_l4_off);
    bool ports = packet->key_proto == SL_PROTO_TCP || packet->key_proto == SL_PROTO_UDP;
    struct sl_ip src = to->src, dst = to->dst;
    struct sl_csum_diff diff = {0};

    addresses_write(ip, &src, &dst, &diff);
    if (ports) {
        struct sl_udp *head = (struct sl_udp *)l4;
        sl_csum_diff_16(&diff, head->sport, to->sport);
        sl_csum_diff_16(&diff, head->dport, to->dport);
        head->sport = to->sport;
        head->dport = to->dport;
    }
    sl_be16 *checksum = quoted_checksum(packet, l4);
    if (checksum != NULL) {
        sl_be16 before = *checksum;
        if (packet->key_proto == SL_PROTO_UDP)
            sl_csum_patch_udp(checksum, diff);
        else
            sl_csum_patch(checksum, diff);
        sl_csum_diff_16(&diff, before, *checksum);
    }
    return diff;
}

void balance_rewrite_error_v6(struct packet *packet, const struct sl_flow_key *to, bool from_inside)
{
    struct sl_ipv6 *ip = rte_pktmbuf_mtod_offset(packet->m, struct sl_ipv6 *, packet->l3_off);
    struct sl_icmp *icmp = rte_pktmbuf_mtod_offset(packet->m, struct sl_icmp *, packet->l4_off);
    struct sl_csum_diff diff = quote_rewrite(packet, to);
    struct sl_ip src = to->dst, dst = to->src;

    if (!from_inside)
        memcpy(src.b, ip->src, sizeof(src.b));
    addresses_write(ip, &src, &dst, &diff);
    sl_csum_patch(&icmp->checksum, diff);
}
