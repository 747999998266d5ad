// SPDX-License-Identifier: Apache-2.0
// IP headers of the other family (RFC 7915 sections 4.1 and 5.1), written in front of the transport header that is
// there; its checksum follows by difference. IPv4 options and IPv6 extension headers are left out, as the RFC says.
// Called by family.c, on the worker's thread.
#include "balance/family.h"

#include "nat/rewrite.h"
#include "wire/emit.h"
#include "wire/l4.h"

#define V6_LEAST_MTU 1280
#define V4_MAY_CUT   1260 // a longer packet of an IPv6 sender is not cut on its way (RFC 7915 section 5.1)

static struct sl_ip source_of(const struct packet *packet, const uint8_t *l3)
{
    struct sl_ip ip;

    if (packet->flags & PACKET_V4)
        return sl_ip_v4(((const struct sl_ipv4 *)l3)->src);
    memcpy(ip.b, ((const struct sl_ipv6 *)l3)->src, sizeof(ip.b));
    return ip;
}

static struct sl_ip destination_of(const struct packet *packet, const uint8_t *l3)
{
    struct sl_ip ip;

    if (packet->flags & PACKET_V4)
        return sl_ip_v4(((const struct sl_ipv4 *)l3)->dst);
    memcpy(ip.b, ((const struct sl_ipv6 *)l3)->dst, sizeof(ip.b));
    return ip;
}

// ---- checksums ----------------------------------------------------------------------------------------------
// The pseudo headers of both families sum up protocol and length alike, so their addresses alone differ. Marked as
// IPv4 an address weighs as its four bytes: ones are nothing.
static void l4_patch(const struct packet *packet, const uint8_t *l3, struct sl_udp *ports,
                     const struct sl_flow_key *to)
{
    struct sl_ip src = source_of(packet, l3), dst = destination_of(packet, l3);
    struct sl_csum_diff diff = {0};

    sl_csum_diff_128(&diff, src.b, (const uint8_t *)to + offsetof(struct sl_flow_key, dst));
    sl_csum_diff_128(&diff, dst.b, (const uint8_t *)to + offsetof(struct sl_flow_key, src));
    sl_csum_diff_16(&diff, ports->sport, to->dport);
    sl_csum_diff_16(&diff, ports->dport, to->sport);
    ports->sport = to->dport;
    ports->dport = to->sport;
    nat_patch_l4(packet, (uint8_t *)ports, diff);
}

// Sum of `len` bytes of a chain from `at` on. False: it has fewer.
static bool chain_sum(const struct rte_mbuf *m, uint32_t at, uint32_t len, uint64_t *sum)
{
    bool odd = false;

    for (; m != NULL && len > 0; m = m->next) {
        if (at >= m->data_len) {
            at -= m->data_len;
            continue;
        }
        uint32_t part = RTE_MIN(len, (uint32_t)m->data_len - at);
        const void *bytes = rte_pktmbuf_mtod_offset(m, const void *, at);
        *sum = odd ? sl_csum_add_odd(*sum, bytes, part) : sl_csum_add(*sum, bytes, part);
        odd ^= part & 1;
        len -= part;
        at = 0;
    }
    return len == 0;
}

// A datagram without checksum gets one: IPv6 does not take it without (RFC 7915 section 4.5).
static bool udp_sum(const struct packet *packet, struct sl_udp *udp, const struct sl_flow_key *to)
{
    uint16_t len = sl_host16(udp->len);
    struct sl_ip src = to->dst, dst = to->src;
    uint64_t sum = sl_csum_pseudo_v6(src.b, dst.b, SL_PROTO_UDP, len);

    if (!chain_sum(packet->m, packet->l4_off, len, &sum))
        return false;
    udp->checksum = sl_csum_finish_udp(sum);
    return true;
}

// ---- headers ------------------------------------------------------------------------------------------------
// Room for `len` bytes of headers and an Ethernet header in front of the transport header.
static bool room_make(struct packet *packet, uint16_t len)
{
    uint16_t wanted = (uint16_t)(sizeof(struct sl_eth) + len);

    if (packet->l4_off < wanted) {
        uint16_t more = (uint16_t)(wanted - packet->l4_off);
        if (rte_pktmbuf_prepend(packet->m, more) == NULL)
            return false;
        packet->l4_off = wanted;
    }
    packet->l3_off = (uint16_t)(packet->l4_off - len);
    return true;
}

// What its sender lets be cut carries a fragment header that says so, with his identification; the neighbor stage cuts
// it to what crosses every IPv6 link (RFC 7915 section 4).
static bool to_v6(struct packet *packet, const struct sl_flow_key *to)
{
    const struct sl_ipv4 *old = nat_header(packet);
    uint16_t payload = (uint16_t)(packet->l3_len - (packet->l4_off - packet->l3_off));
    bool cut = !(packet->flags & PACKET_DF) && payload + sizeof(struct sl_ipv6) > V6_LEAST_MTU;
    uint16_t front = cut ? sizeof(struct sl_ipv6_fragment) : 0;
    struct sl_emit_ip ip = {.src = to->dst,
                            .dst = to->src,
                            .proto = cut ? SL_PROTO_FRAGMENT : packet->proto,
                            .tos = old->tos,
                            .ttl = old->ttl,
                            .payload_len = (uint16_t)(payload + front)};
    uint32_t id = sl_host16(old->id);

    if (!room_make(packet, (uint16_t)(sizeof(struct sl_ipv6) + front)))
        return false;
    uint8_t *behind = sl_emit_ipv6(rte_pktmbuf_mtod_offset(packet->m, uint8_t *, packet->l3_off), &ip);
    if (cut) {
        sl_emit_ipv6_fragment(behind, packet->proto, 0, false, id);
        ((struct sl_ipv6_fragment *)behind)->reserved = PACKET_WHOLE_MARK;
    }
    packet->l3_len = (uint16_t)(sizeof(struct sl_ipv6) + front + payload);
    packet->flags = (uint16_t)((packet->flags & ~(PACKET_V4 | PACKET_PLAIN | PACKET_OPTIONS | PACKET_DF)) |
                               PACKET_V6 | (cut ? PACKET_OPTIONS : PACKET_DF));
    return true;
}

static bool to_v4(struct worker *worker, struct packet *packet, const struct sl_flow_key *to)
{
    const struct sl_ipv6 *old = rte_pktmbuf_mtod_offset(packet->m, const struct sl_ipv6 *, packet->l3_off);
    uint16_t payload = (uint16_t)(packet->l3_len - (packet->l4_off - packet->l3_off));
    bool whole = packet->flags & PACKET_DF && payload + sizeof(struct sl_ipv4) > V4_MAY_CUT;
    struct sl_emit_ip ip = {.src = to->dst,
                            .dst = to->src,
                            .proto = packet->proto,
                            .tos = (uint8_t)(sl_host32(old->version_class_flow) >> 20),
                            .ttl = old->hop_limit,
                            .id = (uint16_t)worker->ip_id++,
                            .dont_fragment = whole,
                            .payload_len = payload};

    if (!room_make(packet, sizeof(struct sl_ipv4)))
        return false;
    sl_emit_ipv4(rte_pktmbuf_mtod_offset(packet->m, uint8_t *, packet->l3_off), &ip);
    packet->l3_len = (uint16_t)(sizeof(struct sl_ipv4) + payload);
    packet->flags = (uint16_t)((packet->flags & ~(PACKET_V6 | PACKET_OPTIONS | PACKET_DF)) | PACKET_V4 |
                               (whole ? PACKET_DF : 0));
    return true;
}

bool family_write(struct worker *worker, struct packet *packet, const struct sl_flow_key *to)
{
    const uint8_t *l3 = rte_pktmbuf_mtod_offset(packet->m, const uint8_t *, packet->l3_off);
    struct sl_udp *udp = rte_pktmbuf_mtod_offset(packet->m, struct sl_udp *, packet->l4_off);
    bool bare = packet->flags & PACKET_UDP && udp->checksum == 0;

    l4_patch(packet, l3, udp, to);
    if (bare && packet->flags & PACKET_V4 && !udp_sum(packet, udp, to))
        return false;
    return packet->flags & PACKET_V4 ? to_v6(packet, to) : to_v4(worker, packet, to);
}
