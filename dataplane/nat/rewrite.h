// SPDX-License-Identifier: Apache-2.0
// Writing a translation into a packet: addresses, ports or identifier, checksums by difference (RFC 1624). Nothing
// here looks anything up. On the worker's thread.
#ifndef NAT_REWRITE_H
#define NAT_REWRITE_H

#include "wire/checksum.h"
#include "wire/headers.h"
#include "worker/packet.h"

static inline struct sl_ipv4 *nat_header(const struct packet *packet)
{
    return rte_pktmbuf_mtod_offset(packet->m, struct sl_ipv4 *, packet->l3_off);
}

// Transport checksum of a whole datagram; of UDP, a sender's "none" stays none. Other protocols have none we know.
static inline void nat_patch_l4(const struct packet *packet, uint8_t *l4, struct sl_csum_diff diff)
{
    if (packet->flags & PACKET_UDP)
        sl_csum_patch_udp(&((struct sl_udp *)l4)->checksum, diff);
    else if (packet->flags & PACKET_TCP)
        sl_csum_patch(&((struct sl_tcp *)l4)->checksum, diff);
}

// Makes the packet a packet between the ends of `to`, seen from behind: to->dst becomes its source, to->src its
// destination. `to` is the key of the flow's other direction. Not for ICMP errors.
static inline void nat_rewrite(struct packet *packet, const struct sl_flow_key *to)
{
    struct sl_ipv4 *ip = nat_header(packet);
    uint8_t *l4 = rte_pktmbuf_mtod_offset(packet->m, uint8_t *, packet->l4_off);
    struct sl_csum_diff diff = {0};

    sl_csum_diff_32(&diff, ip->src, to->dst.w[3]);
    sl_csum_diff_32(&diff, ip->dst, to->src.w[3]);
    ip->src = to->dst.w[3];
    ip->dst = to->src.w[3];
    sl_csum_patch(&ip->checksum, diff);
    if (likely(packet->flags & (PACKET_TCP | PACKET_UDP))) {
        struct sl_udp *ports = (struct sl_udp *)l4; // TCP's stand in the same place
        sl_csum_diff_16(&diff, ports->sport, to->dport);
        sl_csum_diff_16(&diff, ports->dport, to->sport);
        ports->sport = to->dport;
        ports->dport = to->sport;
        nat_patch_l4(packet, l4, diff);
    } else if (packet->flags & PACKET_ICMP_QUERY) { // no pseudo header: the addresses are not in its sum
        struct sl_icmp *icmp = (struct sl_icmp *)l4;
        struct sl_csum_diff id = {0};
        sl_csum_diff_16(&id, icmp->id, to->sport);
        icmp->id = to->sport;
        sl_csum_patch(&icmp->checksum, id);
    }
}

// The same for an ICMP error about a packet of the flow (RFC 5508 section 4): the quoted packet becomes what the
// error's receiver sent, the outer destination becomes him. The outer source is who complains, often a router: from
// inside it is hidden behind the flow's outside address, from outside it stays.
void nat_rewrite_error(struct packet *packet, const struct sl_flow_key *to, bool from_inside);

#endif
