// SPDX-License-Identifier: Apache-2.0
// Building the frames of a stream, once, before a trial. Called on the main thread.
//
// A fragmented datagram is a whole one with a signature at the end of each piece; pieces hold a multiple of 8 bytes
// (RFC 791 section 3.2, RFC 8200 section 4.5), and the checksum covers the datagram.
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <rte_common.h>
#include "base/error.h"
#include "signature.h"
#include "stream.h"
#include "wire/checksum.h"
#include "wire/emit.h"
#include "wire/l4.h"

#define ETH_BYTES         14
#define IPV6_FRAGMENT_LEN 8
#define DATAGRAM_MAX      (PLAN_FRAGMENTS * FRAME_MAX)

static uint16_t ip_bytes(const struct stream_plan *plan)
{
    return plan->v6 ? sizeof(struct sl_ipv6) : sizeof(struct sl_ipv4);
}

static uint16_t l4_bytes(const struct stream_plan *plan)
{
    return plan->proto == IPPROTO_TCP ? sizeof(struct sl_tcp)
                                      : sizeof(struct sl_udp); // ICMP's is as long as UDP's
}

static uint16_t fragment_bytes(const struct stream_plan *plan)
{
    return plan->v6 && plan->fragments > 1 ? IPV6_FRAGMENT_LEN : 0;
}

static uint8_t icmp_type(const struct stream_plan *plan)
{
    return plan->v6 ? SL_ICMP6_ECHO : SL_ICMP_ECHO;
}

static uint8_t *l4_emit(uint8_t *at, const struct stream_plan *plan, uint16_t payload)
{
    if (plan->proto == IPPROTO_UDP)
        return sl_emit_udp(at, 0, 0, payload);
    if (plan->proto == IPPROTO_TCP)
        return sl_emit_tcp(
            at, &(struct sl_emit_tcp){.seq = 1, .ack = 1, .flags = plan->tcp_flags, .window = 65535});
    return sl_emit_icmp_query(at, icmp_type(plan), 0, 1);
}

// The transport message of a datagram: header, then bytes that count upward, so that a byte moved is a byte wrong.
static void message_make(uint8_t *message, uint16_t length, const struct stream_plan *plan)
{
    uint16_t payload = (uint16_t)(length - l4_bytes(plan));
    uint8_t *at = l4_emit(message, plan, payload);
    for (uint16_t i = 0; i < payload; i++)
        at[i] = (uint8_t)i;
    if (plan->bad == BAD_L4_LENGTH && plan->proto == IPPROTO_UDP)
        ((struct sl_udp *)message)->len = sl_be16_of(4); // shorter than its header
    else if (plan->bad == BAD_L4_LENGTH && plan->proto == IPPROTO_TCP)
        ((struct sl_tcp *)message)->data_offset = 0x40; // likewise
    else if (plan->bad == BAD_TCP_FLAGS)
        ((struct sl_tcp *)message)->flags = SL_TCP_SYN | SL_TCP_FIN;
    message[plan->proto == IPPROTO_TCP ? 16 : plan->proto == IPPROTO_UDP ? 6 : 2] = 0;
    message[plan->proto == IPPROTO_TCP ? 17 : plan->proto == IPPROTO_UDP ? 7 : 3] = 0;
}

// Where the pieces begin in a message: as even as multiples of eight allow.
static uint16_t piece_begin(uint16_t length, uint32_t piece, uint32_t pieces)
{
    return piece == pieces ? length : (uint16_t)(length * piece / pieces & ~7u);
}

static void ip_spoil(uint8_t *ip, const struct stream_plan *plan)
{
    struct sl_ipv4 *v4 = (struct sl_ipv4 *)ip;
    struct sl_ipv6 *v6 = (struct sl_ipv6 *)ip;
    if (plan->bad == BAD_IP_VERSION)
        ip[0] = (uint8_t)((ip[0] & 0x0f) | 0x50);
    else if (plan->bad == BAD_IP_HEADER_LENGTH && !plan->v6)
        ip[0] = 0x44;
    else if (plan->bad == BAD_IP_LENGTH && plan->v6)
        v6->payload_len = sl_be16_of((uint16_t)(sl_host16(v6->payload_len) + 64));
    else if (plan->bad == BAD_IP_LENGTH)
        v4->total_len = sl_be16_of((uint16_t)(sl_host16(v4->total_len) + 64));
    else if (plan->bad == BAD_TTL && plan->v6)
        v6->hop_limit = 0;
    else if (plan->bad == BAD_TTL)
        v4->ttl = 0;
}

static uint8_t *headers_emit(uint8_t *frame, const struct stream_plan *plan, uint16_t begin, uint16_t end,
                             bool more)
{
    struct sl_emit_ip ip = {
        .src = plan->src,
        .dst = plan->dst,
        .payload_len = (uint16_t)(end - begin + fragment_bytes(plan)),
        .proto = fragment_bytes(plan) ? SL_PROTO_FRAGMENT : plan->proto,
        .tos = plan->tos,
        .ttl = plan->ttl,
        .fragment = (uint16_t)(begin / 8 | (more ? SL_IPV4_MF : 0)),
    };
    uint8_t *at =
        sl_emit_eth(frame, plan->dst_mac, plan->src_mac, plan->v6 ? SL_ETHERTYPE_IPV6 : SL_ETHERTYPE_IPV4);
    at = sl_emit_ip(at, &ip);
    ip_spoil(frame + ETH_BYTES, plan);
    return fragment_bytes(plan) ? sl_emit_ipv6_fragment(at, plan->proto, begin, more, 0) : at;
}

static uint32_t ip_sum(const uint8_t *ip)
{
    struct sl_ipv4 header;
    memcpy(&header, ip, sizeof(header));
    header.src = header.dst = 0;
    header.checksum = header.id = 0;
    return sl_csum_fold(sl_csum_add(0, &header, sizeof(header)));
}

// One frame into template->bytes; blanks in `message` what the signature will cover, so that it does not count.
static void part_make(struct template *template, uint32_t i, uint8_t *message, uint16_t length,
                      const struct stream_plan *plan)
{
    struct template_part *part = &template->part[i];
    uint16_t begin = piece_begin(length, i, plan->fragments),
             end = piece_begin(length, i + 1, plan->fragments);
    uint8_t *frame = template->bytes + part->at;
    uint8_t *at = headers_emit(frame, plan, begin, end, i + 1 < plan->fragments);
    part->len_bytes = (uint16_t)(at - frame + end - begin);
    part->signature = (uint16_t)signature_offset(part->len_bytes);
    memset(message + begin + (part->signature - (at - frame)), 0, SIGNATURE_BYTES);
    memcpy(at, message + begin, (size_t)(end - begin));
    if (!plan->v6)
        part->ip_sum = ip_sum(frame + ETH_BYTES);
    if (plan->fragments > 1)
        part->ip_id = plan->v6 ? ETH_BYTES + sizeof(struct sl_ipv6) + 6 : ETH_BYTES + 4;
}

// The addresses but for their last 32 bits: of an IPv4 address, nothing.
static uint64_t pseudo_sum(const struct stream_plan *plan, uint16_t length)
{
    struct sl_ip src = plan->src, dst = plan->dst;
    if (!plan->v6)
        return plan->proto == IPPROTO_ICMP ? 0 : sl_csum_pseudo_v4(0, 0, plan->proto, length);
    src.w[3] = dst.w[3] = 0;
    return sl_csum_pseudo_v6(&src, &dst, plan->proto, length);
}

// `size`: of the largest frame, FCS included. Pieces of a datagram differ by less than eight bytes.
static uint16_t message_length(const struct stream_plan *plan, uint16_t size)
{
    uint16_t room = (uint16_t)(size - FRAME_FCS - ETH_BYTES - ip_bytes(plan) - fragment_bytes(plan));
    return plan->fragments > 1 ? (uint16_t)((room & ~7u) * plan->fragments) : room;
}

uint16_t stream_size_least(const struct stream_plan *plan)
{
    uint16_t need = (uint16_t)(ETH_BYTES + ip_bytes(plan) + fragment_bytes(plan) + l4_bytes(plan) +
                               SIGNATURE_BYTES + FRAME_FCS);
    return (uint16_t)RTE_MAX(need + (plan->fragments > 1 ? 8 : 0), FRAME_MIN);
}

static int size_check(const struct stream_plan *plan, uint16_t size, struct sl_error *error)
{
    uint16_t least = stream_size_least(plan);
    if (size >= least && size <= FRAME_MAX)
        return 0;
    return sl_error_set(
        error, -EINVAL,
        "stream %s: a frame of %u bytes; its headers, the signature and the FCS need %u, and %u are "
        "the most",
        plan->name, size, least, FRAME_MAX);
}

static int template_make(struct template *template, const struct stream_plan *plan, uint16_t size,
                         struct sl_error *error)
{
    uint8_t message[DATAGRAM_MAX];
    int rc = size_check(plan, size, error);
    if (rc != 0)
        return rc;
    uint16_t length = message_length(plan, size), stride = (uint16_t)RTE_ALIGN_CEIL(size + 8, 64);
    template->bytes = aligned_alloc(64, (size_t)stride * plan->fragments);
    if (!template->bytes)
        return sl_error_set(error, -ENOMEM, "out of memory");
    memset(template->bytes, 0, (size_t)stride * plan->fragments);
    message_make(message, length, plan);
    for (uint32_t i = 0; i < plan->fragments; i++) {
        template->part[i].at = (uint16_t)(i * stride);
        part_make(template, i, message, length, plan);
    }
    template->l4_sum = sl_csum_fold(sl_csum_add(pseudo_sum(plan, length), message, length));
    return 0;
}

static void offsets_set(struct stream *stream, const struct stream_plan *plan)
{
    uint16_t l4 = (uint16_t)(ETH_BYTES + ip_bytes(plan) + fragment_bytes(plan));
    bool icmp = plan->proto != IPPROTO_TCP && plan->proto != IPPROTO_UDP;
    stream->src_at = (uint16_t)(ETH_BYTES + (plan->v6 ? 20 : 12));
    stream->dst_at = (uint16_t)(ETH_BYTES + (plan->v6 ? 36 : 16));
    stream->sport_at = (uint16_t)(l4 + (icmp ? 4 : 0));
    stream->dport_at = icmp ? 0 : (uint16_t)(l4 + 2);
    stream->ip_csum_at = plan->v6 ? 0 : ETH_BYTES + 10;
    stream->l4_csum_at = (uint16_t)(l4 + (icmp ? 2 : plan->proto == IPPROTO_TCP ? 16 : 6));
    stream->udp = plan->proto == IPPROTO_UDP;
    stream->l4_address_mask = icmp && !plan->v6 ? 0 : UINT32_MAX;
    stream->ip_csum_xor = plan->bad == BAD_IP_CHECKSUM ? 0x5555 : 0;
    stream->l4_csum_xor = plan->bad == BAD_L4_CHECKSUM ? 0x5555 : 0;
}

// Template of this size, made where there is none yet; -errno.
static int template_for(struct stream *stream, const struct stream_plan *plan, uint16_t size,
                        uint16_t *of_size, struct sl_error *error)
{
    if (of_size[size] == 0) {
        int rc = template_make(&stream->template[stream->templates], plan, size, error);
        if (rc != 0)
            return rc;
        of_size[size] = ++stream->templates;
    }
    return of_size[size] - 1;
}

int stream_init(struct stream *stream, const struct stream_plan *plan, struct sl_error *error)
{
    uint16_t of_size[UINT16_MAX + 1] = {0}; // template of a size and one
    *stream = (struct stream){.parts = plan->fragments, .flows = plan->flows, .flow_step = 1, .random = 1};
    stream->random_sizes = plan->sizes.random;
    stream->random_flows = plan->random_flows;
    offsets_set(stream, plan);
    stream->template = calloc(plan->sizes.count, sizeof(*stream->template));
    if (!stream->template)
        return sl_error_set(error, -ENOMEM, "out of memory");
    for (uint32_t i = 0; i < plan->sizes.count; i++) {
        int found = template_for(stream, plan, plan->sizes.size[i], of_size, error);
        if (found < 0) {
            stream_fini(stream);
            return found;
        }
        stream->pick[stream->picks++] = (uint16_t)found;
    }
    return 0;
}

void stream_fini(struct stream *stream)
{
    for (uint32_t i = 0; i < stream->templates; i++)
        free(stream->template[i].bytes);
    free(stream->template);
    stream->template = NULL;
    stream->templates = 0;
}
