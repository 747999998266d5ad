// SPDX-License-Identifier: Apache-2.0
// Reading and writing segments. Called by the engine for every frame.
#include "segment.h"
#include "wire/checksum.h"
#include "wire/emit.h"
#include "wire/l4.h"

#define FRAME_SHORTEST 60 // of Ethernet, without check sequence

static enum segment_verdict tcp_read(struct segment *s, const uint8_t *l4, uint32_t len, uint64_t pseudo)
{
    const struct sl_tcp *tcp = (const struct sl_tcp *)l4;
    size_t header = sl_tcp_header_len(tcp, len);
    if (header == 0)
        return SEGMENT_FOREIGN;
    s->key.peer_port = sl_host16(tcp->sport);
    s->key.own_port = sl_host16(tcp->dport);
    s->seq = sl_host32(tcp->seq);
    s->ack = sl_host32(tcp->ack);
    s->window = sl_host16(tcp->window);
    s->flags = tcp->flags;
    s->payload = l4 + header;
    s->payload_len = len - (uint32_t)header;
    s->mss = 0;
    if (tcp->flags & SL_TCP_SYN) {
        size_t at = sl_tcp_find_mss(tcp, header);
        s->mss = at ? (uint16_t)(l4[at] << 8 | l4[at + 1]) : 0;
    }
    return sl_csum_finish(sl_csum_add(pseudo, l4, len)) == 0 ? SEGMENT_OK : SEGMENT_BAD_CHECKSUM;
}

static enum segment_verdict v4_read(struct segment *s, const uint8_t *packet, uint32_t have)
{
    const struct sl_ipv4 *ip = (const struct sl_ipv4 *)packet;
    if (have < sizeof(*ip) + sizeof(struct sl_tcp) || ip->version_ihl >> 4 != 4)
        return SEGMENT_FOREIGN;
    uint32_t header = (ip->version_ihl & 15) * 4u, total = sl_host16(ip->total_len);
    if (header < sizeof(*ip) || total < header || total > have || ip->proto != SL_PROTO_TCP)
        return SEGMENT_FOREIGN;
    if (ip->fragment & sl_be16_of(SL_IPV4_MF | SL_IPV4_OFFSET))
        return SEGMENT_FOREIGN;
    if (sl_csum_ipv4_header(packet, header) != 0)
        return SEGMENT_BAD_CHECKSUM;
    s->key.peer = sl_ip_v4(ip->src);
    s->key.own = sl_host32(ip->dst);
    uint32_t len = total - header;
    return tcp_read(s, packet + header, len,
                    sl_csum_pseudo_v4(ip->src, ip->dst, SL_PROTO_TCP, (uint16_t)len));
}

// Extension headers are none of TCP's here: such a packet is foreign.
static enum segment_verdict v6_read(struct segment *s, const uint8_t *packet, uint32_t have,
                                    const struct sl_ip *ours)
{
    const struct sl_ipv6 *ip = (const struct sl_ipv6 *)packet;
    if (have < sizeof(*ip) + sizeof(struct sl_tcp) || packet[0] >> 4 != 6 || ip->next != SL_PROTO_TCP)
        return SEGMENT_FOREIGN;
    uint32_t len = sl_host16(ip->payload_len), own;
    if (len > have - sizeof(*ip) || memcmp(ip->dst, ours, 12) != 0)
        return SEGMENT_FOREIGN;
    memcpy(&s->key.peer, ip->src, 16);
    memcpy(&own, ip->dst + 12, 4);
    s->key.own = sl_host32(own);
    return tcp_read(s, packet + sizeof(*ip), len, sl_csum_pseudo_v6(ip->src, ip->dst, SL_PROTO_TCP, len));
}

enum segment_verdict segment_read(struct segment *s, const uint8_t *frame, uint32_t len_bytes,
                                  const struct sl_ip *own)
{
    bool v6 = !sl_ip_is_v4(own);
    const struct sl_eth *eth = (const struct sl_eth *)frame;
    if (len_bytes < sizeof(*eth) + sizeof(struct sl_ipv4) + sizeof(struct sl_tcp))
        return SEGMENT_FOREIGN;
    if (eth->type != sl_be16_of(v6 ? SL_ETHERTYPE_IPV6 : SL_ETHERTYPE_IPV4))
        return SEGMENT_FOREIGN;
    s->src_mac = eth->src;
    const uint8_t *packet = frame + sizeof(*eth);
    uint32_t have = len_bytes - (uint32_t)sizeof(*eth);
    return v6 ? v6_read(s, packet, have, own) : v4_read(s, packet, have);
}

void segment_template_init(struct segment_template *template, const uint8_t mac[6], const struct sl_ip *own)
{
    static const uint8_t nobody[6];
    *template = (struct segment_template){0};
    bool v4 = sl_ip_is_v4(own);
    struct sl_emit_ip ip = {.proto = SL_PROTO_TCP, .dont_fragment = true, .payload_len = 0};
    ip.src = *own;
    ip.src.w[3] = 0;
    ip.dst = v4 ? sl_ip_v4(0) : (struct sl_ip){0};
    uint8_t *at = sl_emit_eth(template->bytes, nobody, mac, v4 ? SL_ETHERTYPE_IPV4 : SL_ETHERTYPE_IPV6);
    uint8_t *header = at;
    at = v4 ? sl_emit_ipv4(at, &ip) : sl_emit_ipv6(at, &ip);
    template->ip_bytes = (uint8_t)(at - header);
    if (v4) {
        struct sl_ipv4 *v = (struct sl_ipv4 *)header;
        v->total_len = v->checksum = 0;
        template->ip_sum = sl_csum_fold(sl_csum_add(0, header, sizeof(*v)));
    }
    template->l4_sum = v4 ? sl_csum_pseudo_v4(0, 0, SL_PROTO_TCP, 0)
                          : sl_csum_pseudo_v6(ip.src.b, ip.dst.b, SL_PROTO_TCP, 0);
}

static void v4_write(const struct segment_template *template, const struct segment_out *out, uint8_t *frame,
                     uint32_t l4_len)
{
    struct sl_ipv4 *ip = (struct sl_ipv4 *)(frame + 14);
    ip->total_len = sl_be16_of((uint16_t)(20 + l4_len));
    ip->src = sl_be32_of(out->key->own);
    ip->dst = out->key->peer.w[3];
    ip->checksum = sl_csum_finish((uint64_t) template->ip_sum + ip->total_len + ip->src + ip->dst);
}

static void v6_write(const struct segment_out *out, uint8_t *frame, uint32_t l4_len)
{
    struct sl_ipv6 *ip = (struct sl_ipv6 *)(frame + 14);
    sl_be32 own = sl_be32_of(out->key->own);
    ip->payload_len = sl_be16_of((uint16_t)l4_len);
    memcpy(ip->src + 12, &own, 4);
    memcpy(ip->dst, &out->key->peer, 16);
}

static uint64_t address_sum(const struct segment_template *template, const struct connection_key *key)
{
    uint64_t sum = template->l4_sum + sl_be32_of(key->own) + key->peer.w[3];
    if (template->ip_bytes == 40)
        sum += (uint64_t)key->peer.w[0] + key->peer.w[1] + key->peer.w[2];
    return sum;
}

uint32_t segment_write(const struct segment_template *template, const struct segment_out *out, uint8_t *frame)
{
    uint32_t headers = segment_headers(template), options = out->flags & SL_TCP_SYN ? SEGMENT_SYN_OPTIONS : 0;
    uint32_t l4_len = 20 + options + out->payload_len;
    memcpy(frame, template->bytes, headers - 20);
    memcpy(frame, out->dst_mac, 6);
    if (template->ip_bytes == 20)
        v4_write(template, out, frame, l4_len);
    else
        v6_write(out, frame, l4_len);
    uint32_t word[6] = {
        sl_be32_of((uint32_t)out->key->own_port << 16 | out->key->peer_port),
        sl_be32_of(out->seq),
        sl_be32_of(out->ack),
        sl_be32_of((20 + options) / 4 << 28 | (uint32_t)out->flags << 16 | out->window),
        0, // checksum, urgent pointer
        options ? sl_be32_of(2u << 24 | 4u << 16 | out->mss) : 0,
    };
    uint64_t sum = address_sum(template, out->key) + sl_be16_of((uint16_t)l4_len);
    sum += (uint64_t)word[0] + word[1] + word[2] + word[3] + word[5];
    if (out->payload_len)
        sum = sl_csum_add(sum, frame + headers, out->payload_len);
    word[4] = sl_csum_finish(sum);
    memcpy(frame + headers - 20, word, 20 + options);
    uint32_t len = headers + options + out->payload_len;
    for (; len < FRAME_SHORTEST; len++)
        frame[len] = 0;
    return len;
}
