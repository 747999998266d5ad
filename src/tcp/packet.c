// SPDX-License-Identifier: Apache-2.0
// Segments as packets of plain memory: for callers that have no packet machinery of their own.
#include <errno.h>
#include <string.h>
#include "tcp/tcp.h"
#include "wire/checksum.h"
#include "wire/headers.h"

#define TCP_HEADER 20u
#define PROTO_TCP  6u

static uint16_t be16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, (uint16_t)(value >> 16));
    put16(at + 2, (uint16_t)value);
}

// ---- reading ------------------------------------------------------------------------------------------------
// Reads the IP header: bytes of it, and *total of header and TCP; 0 where it is not sound.
static size_t read_ipv4(struct sl_tcp_in *in, const uint8_t *packet, size_t len, size_t *total, uint64_t *sum)
{
    size_t header = len < 20 ? 0 : (packet[0] & 15) * 4u;
    sl_be32 src, dst;

    if (len < 20 || header < 20 || header > len || packet[9] != PROTO_TCP || (be16(packet + 6) & 0x3fff))
        return 0;
    *total = be16(packet + 2);
    if (*total > len || *total < header + TCP_HEADER)
        return 0;
    memcpy(&src, packet + 12, 4);
    memcpy(&dst, packet + 16, 4);
    in->src = sl_ip_v4(src);
    in->dst = sl_ip_v4(dst);
    in->ecn = packet[1] & 3;
    *sum = sl_csum_pseudo_v4(src, dst, PROTO_TCP, (uint16_t)(*total - header));
    return header;
}

static size_t read_ipv6(struct sl_tcp_in *in, const uint8_t *packet, size_t len, size_t *total, uint64_t *sum)
{
    if (len < 40 || packet[6] != PROTO_TCP)
        return 0;
    *total = 40u + be16(packet + 4);
    if (*total > len || *total < 40 + TCP_HEADER)
        return 0;
    memcpy(&in->src, packet + 8, 16);
    memcpy(&in->dst, packet + 24, 16);
    in->ecn = (uint8_t)(packet[1] >> 4 & 3);
    *sum = sl_csum_pseudo_v6(packet + 8, packet + 24, PROTO_TCP, (uint32_t)(*total - 40));
    return 40;
}

int sl_tcp_read_packet(struct sl_tcp_in *in, const uint8_t *packet, size_t len, bool checked)
{
    size_t header, total, offset;
    uint64_t sum;
    const uint8_t *tcp;

    memset(in, 0, sizeof(*in));
    header = len == 0                ? 0
             : (packet[0] >> 4) == 4 ? read_ipv4(in, packet, len, &total, &sum)
             : (packet[0] >> 4) == 6 ? read_ipv6(in, packet, len, &total, &sum)
                                     : 0;
    if (header == 0)
        return -EPROTO;
    tcp = packet + header;
    offset = (tcp[12] >> 4) * 4u;
    if (offset < TCP_HEADER || header + offset > total)
        return -EPROTO;
    if (!checked && ((header != 40 && sl_csum_ipv4_header(packet, header) != 0) ||
                     sl_csum_finish(sl_csum_add(sum, tcp, total - header)) != 0))
        return -EBADMSG;
    memcpy(&in->sport, tcp, 2);
    memcpy(&in->dport, tcp + 2, 2);
    in->seq = be32(tcp + 4);
    in->ack = be32(tcp + 8);
    in->flags = tcp[13];
    in->window = be16(tcp + 14);
    in->urgent = be16(tcp + 18);
    in->options = tcp + TCP_HEADER;
    in->options_len = (uint8_t)(offset - TCP_HEADER);
    in->payload.data = tcp + offset;
    in->payload.len = in->payload.charge = (uint32_t)(total - header - offset);
    return 0;
}

// ---- writing ------------------------------------------------------------------------------------------------
static uint64_t write_ipv4(const struct sl_tcp_out *out, uint16_t ip_id, uint16_t tcp_len, uint8_t *to)
{
    sl_be16 checksum;

    memset(to, 0, 20);
    to[0] = 0x45;
    to[1] = (uint8_t)(out->traffic_class | out->ecn);
    put16(to + 2, (uint16_t)(20 + tcp_len));
    put16(to + 4, ip_id);
    put16(to + 6, 0x4000); // don't fragment (RFC 1191)
    to[8] = out->hop_limit;
    to[9] = PROTO_TCP;
    memcpy(to + 12, &out->src.w[3], 4);
    memcpy(to + 16, &out->dst.w[3], 4);
    checksum = sl_csum_ipv4_header(to, 20);
    memcpy(to + 10, &checksum, 2);
    return sl_csum_pseudo_v4(out->src.w[3], out->dst.w[3], PROTO_TCP, tcp_len);
}

static uint64_t write_ipv6(const struct sl_tcp_out *out, uint16_t tcp_len, uint8_t *to)
{
    uint8_t class = (uint8_t)(out->traffic_class | out->ecn);

    memset(to, 0, 8);
    to[0] = (uint8_t)(0x60 | class >> 4);
    to[1] = (uint8_t)(class << 4);
    put16(to + 4, tcp_len);
    to[6] = PROTO_TCP;
    to[7] = out->hop_limit;
    memcpy(to + 8, &out->src, 16);
    memcpy(to + 24, &out->dst, 16);
    return sl_csum_pseudo_v6(to + 8, to + 24, PROTO_TCP, tcp_len);
}

static uint64_t payload_sum(const struct sl_tcp_out *out, uint64_t sum)
{
    bool odd = false;

    for (unsigned i = 0; i < out->n_pieces; i++) {
        sum = odd ? sl_csum_add_odd(sum, out->pieces[i].data, out->pieces[i].len)
                  : sl_csum_add(sum, out->pieces[i].data, out->pieces[i].len);
        odd ^= out->pieces[i].len & 1;
    }
    return sum;
}

unsigned sl_tcp_write_headers(const struct sl_tcp_out *out, uint16_t ip_id, uint8_t *to)
{
    unsigned offset = TCP_HEADER + out->options_len;
    bool v4 = sl_ip_is_v4(&out->src);
    uint8_t *tcp = to + (v4 ? 20 : 40);
    uint16_t tcp_len = (uint16_t)(offset + out->len);
    uint64_t sum = v4 ? write_ipv4(out, ip_id, tcp_len, to) : write_ipv6(out, tcp_len, to);
    sl_be16 checksum;

    memcpy(tcp, &out->sport, 2);
    memcpy(tcp + 2, &out->dport, 2);
    put32(tcp + 4, out->seq);
    put32(tcp + 8, out->ack);
    tcp[12] = (uint8_t)(offset << 2);
    tcp[13] = out->flags;
    put16(tcp + 14, out->window);
    put16(tcp + 16, 0);
    put16(tcp + 18, out->urgent);
    memcpy(tcp + TCP_HEADER, out->options, out->options_len);
    checksum = sl_csum_finish(payload_sum(out, sl_csum_add(sum, tcp, offset)));
    memcpy(tcp + 16, &checksum, 2);
    return (unsigned)(tcp - to) + offset;
}
