// SPDX-License-Identifier: Apache-2.0
// The rules of when to keep silent: an error must never breed errors, nor answer who did not ask. Called by
// icmp_stage, on the worker's thread.
#include "icmp/error.h"

#include "wire/headers.h"
#include "wire/l4.h"

// Only pings and the like may be answered with errors; about ICMP errors, and types that nobody knows, never.
static bool is_answerable_icmp(const struct packet *packet)
{
    bool v6 = (packet->flags & PACKET_V6) != 0;

    if (packet->proto != (v6 ? SL_PROTO_ICMPV6 : SL_PROTO_ICMP))
        return true;
    if (!v6)
        return (packet->flags & PACKET_ICMP_QUERY) != 0;
    if (!(packet->flags & PACKET_L4_KNOWN)) // a later fragment: of an error, perhaps
        return false;
    uint8_t type = *rte_pktmbuf_mtod_offset(packet->m, const uint8_t *, packet->l4_off);
    return type >= SL_ICMP6_ECHO &&
           type != SL_ICMP6_REDIRECT; // the upper half are no errors (RFC 4443 section 2.1)
}

// Unspecified, loopback, multicast, broadcast, class E: none of them names one host (RFC 1812
// section 4.3.2.7).
static bool is_host_v4(const struct sl_ip *ip)
{
    return ip->b[12] != 0 && ip->b[12] != 127 && ip->b[12] < 224;
}

// The same for IPv6; and link-local hosts cannot be reached by routing, which is how errors leave.
static bool is_host_v6(const struct sl_ip *ip)
{
    struct sl_ip low = {.b = {[15] = ip->b[15]}}; // :: and ::1
    bool unspecified_or_loopback = sl_ip_equal(ip, &low) && ip->b[15] <= 1;
    bool link_local = sl_ip_is_link_local_v6(ip);

    return ip->b[0] != 0xff && !unspecified_or_loopback && !link_local;
}

// A frame to everyone: 14 bytes of Ethernet header stand before the packet when it was received.
static bool is_group_frame(const struct packet *packet)
{
    if (packet->l3_off < sizeof(struct sl_eth))
        return false;
    const struct sl_eth *eth =
        rte_pktmbuf_mtod_offset(packet->m, const struct sl_eth *, packet->l3_off - sizeof(struct sl_eth));
    return eth->dst[0] & 1;
}

static bool allowed_v4(const struct packet *packet, const struct sl_ip *src, const struct sl_ip *dst)
{
    return is_host_v4(src) && dst->b[12] < 224 && !is_group_frame(packet) &&
           !(packet->flags & PACKET_LATER_FRAGMENT);
}

static bool allowed_v6(const struct packet *packet, const struct sl_ip *src, const struct sl_ip *dst)
{
    bool group = dst->b[0] == 0xff || is_group_frame(packet);

    // Path MTU discovery works for multicast too (RFC 4443 section 2.4(e.3)).
    return is_host_v6(src) && (!group || packet->icmp_type == SL_ICMP6_TOO_BIG);
}

bool icmp_error_allowed(const struct packet *packet)
{
    struct sl_ip src = packet->key.src, dst = packet->key.dst;

    // About what this gateway says itself, errors would come back to it.
    if (packet->flags & (PACKET_FROM_HOST | PACKET_ICMP_ERROR) || !is_answerable_icmp(packet))
        return false;
    return packet->flags & PACKET_V4 ? allowed_v4(packet, &src, &dst) : allowed_v6(packet, &src, &dst);
}
