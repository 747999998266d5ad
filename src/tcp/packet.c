// SPDX-License-Identifier: Apache-2.0
// Segments as packets of plain memory: for callers that have no packet machinery of their own. IP is src/wire's.
#include <errno.h>
#include <string.h>
#include "tcp/tcp.h"
#include "wire/checksum.h"
#include "wire/emit.h"
#include "wire/headers.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/l4.h"

// ---- reading ------------------------------------------------------------------------------------------------
static enum sl_wire_verdict read_ip(struct sl_tcp_in *in, const uint8_t *packet, size_t len, struct sl_ip_view *view)
{
    enum sl_wire_verdict verdict = SL_WIRE_BAD_HEADER;

    if (len && packet[0] >> 4 == 4 && (verdict = sl_ipv4_view(packet, len, len, view)) == SL_WIRE_OK) {
        const struct sl_ipv4 *ip = (const struct sl_ipv4 *)packet;

        in->src = sl_ip_v4(ip->src);
        in->dst = sl_ip_v4(ip->dst);
    } else if (len && packet[0] >> 4 == 6 && (verdict = sl_ipv6_view(packet, len, len, view)) == SL_WIRE_OK) {
        memcpy(&in->src, ((const struct sl_ipv6 *)packet)->src, sizeof(in->src));
        memcpy(&in->dst, ((const struct sl_ipv6 *)packet)->dst, sizeof(in->dst));
    }
    return verdict;
}

static uint64_t pseudo_sum(const struct sl_ip *src, const struct sl_ip *dst, uint16_t tcp_len)
{
    return sl_ip_is_v4(src) ? sl_csum_pseudo_v4(src->w[3], dst->w[3], SL_PROTO_TCP, tcp_len)
                            : sl_csum_pseudo_v6(src, dst, SL_PROTO_TCP, tcp_len);
}

int sl_tcp_read_packet(struct sl_tcp_in *in, const uint8_t *packet, size_t len, bool checked)
{
    struct sl_ip_view view;
    enum sl_wire_verdict verdict;
    const struct sl_tcp *tcp;
    size_t tcp_len, header;

    memset(in, 0, sizeof(*in));
    verdict = read_ip(in, packet, len, &view);
    if (verdict != SL_WIRE_OK)
        return verdict == SL_WIRE_BAD_CHECKSUM ? -EBADMSG : -EPROTO;
    tcp = (const struct sl_tcp *)(packet + view.l4_off);
    tcp_len = (size_t)(view.total_len - view.l4_off);
    header = sl_tcp_header_len(tcp, tcp_len);
    if (view.proto != SL_PROTO_TCP || sl_ip_view_fragment(&view) || header == 0)
        return -EPROTO;
    if (!checked &&
        sl_csum_finish(sl_csum_add(pseudo_sum(&in->src, &in->dst, (uint16_t)tcp_len), tcp, tcp_len)) != 0)
        return -EBADMSG;
    in->sport = tcp->sport;
    in->dport = tcp->dport;
    in->seq = sl_host32(tcp->seq);
    in->ack = sl_host32(tcp->ack);
    in->flags = tcp->flags;
    in->ecn = view.tos & 3;
    in->window = sl_host16(tcp->window);
    in->urgent = sl_host16(tcp->urgent);
    in->options = (const uint8_t *)(tcp + 1);
    in->options_len = (uint8_t)(header - sizeof(*tcp));
    in->payload.data = (const uint8_t *)tcp + header;
    in->payload.len = in->payload.charge = (uint32_t)(tcp_len - header);
    return 0;
}

// ---- writing ------------------------------------------------------------------------------------------------
static uint64_t placed(uint64_t sum, bool odd)
{
    return odd ? sl_csum_odd(sum) : sum;
}

static uint64_t payload_sum(const struct sl_tcp_out *out)
{
    uint64_t sum = 0;
    bool odd = false;

    for (unsigned i = 0; i < out->n_pieces; i++) {
        sum += placed(sl_csum_add(0, out->pieces[i].data, out->pieces[i].len), odd);
        odd ^= out->pieces[i].len & 1;
    }
    return sum;
}

static uint64_t payload_copy(const struct sl_tcp_out *out, uint8_t *to)
{
    uint64_t sum = 0;
    bool odd = false;

    for (unsigned i = 0; i < out->n_pieces; i++) {
        sum += placed(sl_csum_copy(to, out->pieces[i].data, out->pieces[i].len), odd);
        odd ^= out->pieces[i].len & 1;
        to += out->pieces[i].len;
    }
    return sum;
}

static unsigned headers_len(const struct sl_tcp_out *out)
{
    size_t ip = sl_ip_is_v4(&out->src) ? sizeof(struct sl_ipv4) : sizeof(struct sl_ipv6);

    return (unsigned)(ip + sizeof(struct sl_tcp) + out->options_len);
}

// Of the TCP header, by its fields, and of the options by the words that they were written by: a load that spans several
// stores just done would wait for them to reach the cache.
static uint64_t header_sum(const struct sl_tcp_out *out)
{
    uint64_t sum = (uint64_t)out->sport + out->dport + sl_be32_of(out->seq) + sl_be32_of(out->ack) +
                   sl_be16_of((uint16_t)((sizeof(struct sl_tcp) + out->options_len) / 4 << 12 | out->flags)) +
                   sl_be16_of(out->window) + sl_be16_of(out->urgent);
    uint32_t word;

    for (unsigned i = 0; i < out->options_len; i += sizeof(word)) {
        memcpy(&word, out->options + i, sizeof(word));
        sum += word;
    }
    return sum;
}

static void write_headers(const struct sl_tcp_out *out, uint16_t ip_id, uint8_t *to, uint64_t sum)
{
    uint16_t tcp_len = (uint16_t)(sizeof(struct sl_tcp) + out->options_len + out->len);
    struct sl_emit_ip ip = {.src = out->src,
                            .dst = out->dst,
                            .payload_len = tcp_len,
                            .id = ip_id,
                            .proto = SL_PROTO_TCP,
                            .tos = (uint8_t)(out->traffic_class | out->ecn),
                            .ttl = out->hop_limit,
                            .dont_fragment = true}; // RFC 1191
    struct sl_emit_tcp tcp = {.sport = sl_host16(out->sport),
                              .dport = sl_host16(out->dport),
                              .seq = out->seq,
                              .ack = out->ack,
                              .flags = out->flags,
                              .window = out->window,
                              .options = out->options,
                              .options_len = out->options_len};
    struct sl_tcp *header = (struct sl_tcp *)sl_emit_ip(to, &ip);

    sl_emit_tcp(header, &tcp);
    header->urgent = sl_be16_of(out->urgent);
    header->checksum = sl_csum_finish(sum + pseudo_sum(&out->src, &out->dst, tcp_len) + header_sum(out));
}

unsigned sl_tcp_write_headers(const struct sl_tcp_out *out, uint16_t ip_id, uint8_t *to)
{
    write_headers(out, ip_id, to, payload_sum(out));
    return headers_len(out);
}

unsigned sl_tcp_write_packet(const struct sl_tcp_out *out, uint16_t ip_id, uint8_t *to)
{
    unsigned headers = headers_len(out);

    write_headers(out, ip_id, to, payload_copy(out, to + headers));
    return headers + out->len;
}
