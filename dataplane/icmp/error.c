// SPDX-License-Identifier: Apache-2.0
// The making of an ICMP error: who speaks, what is quoted, and the quote as its sender knew it. Called by
// icmp_stage, on the worker's thread.
#include "icmp/error.h"

#include "wire/checksum.h"
#include "wire/emit.h"
#include "wire/l4.h"

#define TOS_CONTROL 0xc0u // precedence 6, internetwork control (RFC 1812 section 4.3.2.5)

enum {
    ERROR_V4_BYTES = 576,  // most of an ICMP error, IP header included (RFC 1812 section 4.3.2.3)
    ERROR_V6_BYTES = 1280, // the least MTU of IPv6 (RFC 4443 section 2.4(c))
};

// ---- who speaks -----------------------------------------------------------------------------------------
static const struct sl_ip *port_source(const struct sl_port *port, bool v4)
{
    for (uint32_t i = 0; i < port->addr_count && i < SL_MAX_PORT_ADDRS; i++) {
        const struct sl_ip *ip = &port->addr[i].ip;
        if (sl_ip_is_v4(ip) == v4 && !sl_ip_is_link_local_v6(ip))
            return ip;
    }
    return NULL;
}

const struct sl_ip *icmp_error_source(const struct tables *tables, const struct packet *packet)
{
    bool v4 = (packet->flags & PACKET_V4) != 0;
    const struct sl_ip *source = NULL;

    if (packet->port_in < tables->port_count)
        source = port_source(&tables->port[packet->port_in], v4);
    for (uint32_t i = 0; source == NULL && i < tables->port_count; i++)
        source = port_source(&tables->port[i], v4);
    return source;
}

// ---- the quote ------------------------------------------------------------------------------------------
// A place in the quote, or NULL where it was cut off before its end.
static void *quote_at(uint8_t *quote, size_t quote_len, size_t offset, size_t len)
{
    return offset + len <= quote_len ? quote + offset : NULL;
}

// Where the checksum that covers addresses and ports stands in the transport header.
static size_t checksum_offset(const struct packet *packet)
{
    if (packet->flags & PACKET_TCP)
        return offsetof(struct sl_tcp, checksum);
    return packet->flags & PACKET_UDP ? offsetof(struct sl_udp, checksum)
                                      : offsetof(struct sl_icmp, checksum);
}

static void restore_word(void *at, const void *before, size_t len, struct sl_csum_diff *diff)
{
    sl_csum_diff_bytes(diff, 0, at, before, len);
    memcpy(at, before, len);
}

// Transport header of a translated packet: ports, or the identifier, and the checksum over all that changed.
// `diff` holds the addresses' share. TCP and UDP checksums cover them by the pseudo header, and so does
// ICMPv6's; ICMP's does not.
static void restore_l4(const struct packet *packet, uint8_t *l4, size_t have, struct sl_csum_diff diff)
{
    struct sl_icmp *icmp = (struct sl_icmp *)l4;
    sl_be16 sport = packet->key.sport, dport = packet->key.dport;

    if (have < 8)
        return;
    if (packet->flags & PACKET_ICMP_QUERY) {
        diff.sum = packet->flags & PACKET_V4 ? 0 : diff.sum;
        restore_word(&icmp->id, &sport, sizeof(sport), &diff);
    } else {
        restore_word(l4, &sport, sizeof(sport), &diff);
        restore_word(l4 + 2, &dport, sizeof(dport), &diff);
    }
    sl_be16 *checksum = quote_at(l4, have, checksum_offset(packet), sizeof(*checksum));
    if (checksum == NULL)
        return;
    if (packet->flags & PACKET_UDP)
        sl_csum_patch_udp(checksum, diff);
    else
        sl_csum_patch(checksum, diff);
}

// Addresses of a quoted IPv6 header as they came in. Its checksums, ICMPv6's too, cover them.
static struct sl_csum_diff restore_v6(const struct packet *packet, struct sl_ipv6 *ip)
{
    struct sl_ip src = packet->key.src, dst = packet->key.dst;
    struct sl_csum_diff diff = {0};

    sl_csum_diff_128(&diff, ip->src, src.b);
    sl_csum_diff_128(&diff, ip->dst, dst.b);
    memcpy(ip->src, src.b, sizeof(ip->src));
    memcpy(ip->dst, dst.b, sizeof(ip->dst));
    return diff;
}

static struct sl_csum_diff restore_v4(const struct packet *packet, struct sl_ipv4 *ip)
{
    struct sl_ip src = packet->key.src, dst = packet->key.dst;
    struct sl_csum_diff diff = {0};

    sl_csum_diff_32(&diff, ip->src, src.w[3]);
    sl_csum_diff_32(&diff, ip->dst, dst.w[3]);
    ip->src = src.w[3];
    ip->dst = dst.w[3];
    sl_csum_patch(&ip->checksum, diff);
    return diff;
}

// The sender must find its own packet in the quote, not what translation has made of it (RFC 5508 section 4.2): the
// key is still what came in.
static void restore_quote(const struct packet *packet, uint8_t *quote, size_t quote_len)
{
    size_t l4 = packet->l4_off - packet->l3_off;
    struct sl_csum_diff diff = packet->flags & PACKET_V4 ? restore_v4(packet, (struct sl_ipv4 *)quote)
                                                         : restore_v6(packet, (struct sl_ipv6 *)quote);

    if (packet->flags & (PACKET_TCP | PACKET_UDP | PACKET_ICMP_QUERY) && l4 < quote_len)
        restore_l4(packet, quote + l4, quote_len - l4, diff);
}

// ---- the message ----------------------------------------------------------------------------------------
static uint8_t *emit_headers(struct worker *worker, const struct packet *packet, const struct sl_ip *source,
                             uint16_t quote_len, uint8_t *at)
{
    bool v4 = (packet->flags & PACKET_V4) != 0;
    struct sl_emit_ip ip = {
        .src = *source,
        .dst = packet->key.src,
        .payload_len = (uint16_t)(sizeof(struct sl_icmp) + quote_len),
        .id = (uint16_t)worker->ip_id++,
        .proto = v4 ? SL_PROTO_ICMP : SL_PROTO_ICMPV6,
        .tos = v4 ? TOS_CONTROL : 0,
    };

    // The MTU stands in the lower half, or in all, of the four bytes; with every other error they are zero.
    return sl_emit_icmp(sl_emit_ip(at, &ip), packet->icmp_type, packet->icmp_code,
                        sl_be32_of(packet->icmp_mtu));
}

static size_t headers_len(const struct packet *packet)
{
    return (packet->flags & PACKET_V4 ? sizeof(struct sl_ipv4) : sizeof(struct sl_ipv6)) +
           sizeof(struct sl_icmp);
}

// As much of the packet as the RFCs ask for and a buffer holds.
static uint16_t quote_room(const struct packet *packet, const struct rte_mbuf *m)
{
    size_t most = packet->flags & PACKET_V4 ? ERROR_V4_BYTES : ERROR_V6_BYTES;
    size_t room = rte_pktmbuf_tailroom(m) - sizeof(struct sl_eth);
    size_t quote = RTE_MIN(most, room) - headers_len(packet);

    return (uint16_t)RTE_MIN(quote, (size_t)packet->l3_len);
}

// Copies the packet's first bytes out of however many segments it has.
static bool copy_quote(const struct packet *packet, uint8_t *quote, uint16_t quote_len)
{
    const void *bytes = rte_pktmbuf_read(packet->m, packet->l3_off, quote_len, quote);

    if (bytes != NULL && bytes != quote)
        memcpy(quote, bytes, quote_len);
    return bytes != NULL;
}

struct rte_mbuf *icmp_error_build(struct worker *worker, const struct packet *packet,
                                  const struct sl_ip *source)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(worker->pool);

    if (m == NULL)
        return NULL;
    uint16_t quote_len = quote_room(packet, m);
    uint16_t len = (uint16_t)(sizeof(struct sl_eth) + headers_len(packet) + quote_len);
    uint8_t *frame = (uint8_t *)rte_pktmbuf_append(m, len);
    uint8_t *ip = frame + sizeof(struct sl_eth);
    memset(frame, 0, sizeof(struct sl_eth));
    uint8_t *quote = emit_headers(worker, packet, source, quote_len, ip);
    if (!copy_quote(packet, quote, quote_len)) {
        rte_pktmbuf_free(m);
        return NULL;
    }
    if (packet->flags & PACKET_TRANSLATED)
        restore_quote(packet, quote, quote_len);
    sl_emit_l4_checksum(ip);
    return m;
}
