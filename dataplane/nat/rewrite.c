// SPDX-License-Identifier: Apache-2.0
// ICMP errors: two headers in one packet, four checksums. Called by nat_stage, on the worker's thread.
#include "nat/rewrite.h"

#include <netinet/in.h>

// Bytes of the quoted transport header and payload that stand in the first segment.
static size_t quoted_bytes(const struct packet *packet)
{
    return packet->m->data_len > packet->quote_l4_off ? (size_t)(packet->m->data_len - packet->quote_l4_off)
                                                      : 0;
}

// The checksum inside the quoted transport header; NULL where the quote was cut before it. RFC 792 promises eight
// bytes: enough for UDP's and ICMP's, not for TCP's.
static sl_be16 *quoted_checksum(const struct packet *packet, uint8_t *l4)
{
    size_t offset;

    switch (packet->key_proto) {
    case IPPROTO_TCP:
        offset = offsetof(struct sl_tcp, checksum);
        break;
    case IPPROTO_UDP:
        offset = offsetof(struct sl_udp, checksum);
        break;
    case IPPROTO_ICMP:
        offset = offsetof(struct sl_icmp, checksum);
        break;
    default:
        return NULL;
    }
    return offset + sizeof(sl_be16) <= quoted_bytes(packet) ? (sl_be16 *)(l4 + offset) : NULL;
}

// Ports or identifier of the quoted packet; all changes are added to `ports`.
static void quote_ports(const struct packet *packet, uint8_t *l4, const struct sl_flow_key *to,
                        struct sl_csum_diff *ports)
{
    struct sl_udp *head = (struct sl_udp *)l4;
    struct sl_icmp *icmp = (struct sl_icmp *)l4;

    if (packet->key_proto == IPPROTO_ICMP) {
        sl_csum_diff_16(ports, icmp->id, to->sport);
        icmp->id = to->sport;
    } else if (packet->key_proto == IPPROTO_TCP || packet->key_proto == IPPROTO_UDP) {
        sl_csum_diff_16(ports, head->sport, to->sport);
        sl_csum_diff_16(ports, head->dport, to->dport);
        head->sport = to->sport;
        head->dport = to->dport;
    }
}

// Translates the quote; what changed in it, its own checksums included, is the return value.
static struct sl_csum_diff quote_rewrite(const struct packet *packet, const struct sl_flow_key *to)
{
    struct sl_ipv4 *ip = rte_pktmbuf_mtod_offset(packet->m, struct sl_ipv4 *, packet->quote_l3_off);
    uint8_t *l4 = rte_pktmbuf_mtod_offset(packet->m, uint8_t *, packet->quote_l4_off);
    struct sl_csum_diff addresses = {0}, ports = {0}, all;
    sl_be16 *checksum = quoted_checksum(packet, l4), before = ip->checksum;

    sl_csum_diff_32(&addresses, ip->src, to->src.w[3]);
    sl_csum_diff_32(&addresses, ip->dst, to->dst.w[3]);
    ip->src = to->src.w[3];
    ip->dst = to->dst.w[3];
    sl_csum_patch(&ip->checksum, addresses);
    quote_ports(packet, l4, to, &ports);
    all = (struct sl_csum_diff){addresses.sum + ports.sum};
    sl_csum_diff_16(&all, before, ip->checksum);
    if (checksum != NULL) {
        struct sl_csum_diff inner = ports;
        inner.sum += packet->key_proto == IPPROTO_ICMP ? 0 : addresses.sum;
        before = *checksum;
        if (packet->key_proto == IPPROTO_UDP)
            sl_csum_patch_udp(checksum, inner);
        else
            sl_csum_patch(checksum, inner);
        sl_csum_diff_16(&all, before, *checksum);
    }
    return all;
}

void nat_rewrite_error(struct packet *packet, const struct sl_flow_key *to, bool from_inside)
{
    struct sl_ipv4 *ip = nat_header(packet);
    struct sl_icmp *icmp = rte_pktmbuf_mtod_offset(packet->m, struct sl_icmp *, packet->l4_off);
    struct sl_csum_diff outer = {0};
    sl_be32 src = from_inside ? to->dst.w[3] : ip->src;

    sl_csum_patch(&icmp->checksum, quote_rewrite(packet, to));
    sl_csum_diff_32(&outer, ip->src, src);
    sl_csum_diff_32(&outer, ip->dst, to->src.w[3]);
    ip->src = src;
    ip->dst = to->src.w[3];
    sl_csum_patch(&ip->checksum, outer);
}
