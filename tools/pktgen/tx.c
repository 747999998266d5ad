// SPDX-License-Identifier: Apache-2.0
// The sending path: copy, patch, send. Called by worker.c for each stream, on the stream's worker. No allocation but
// from the pool, no division, no pass over payload bytes but the copy.
#include <rte_ethdev.h>
#include <rte_memcpy.h>
#include <rte_prefetch.h>
#include "base/hash.h"
#include "signature.h"
#include "stream.h"
#include "wire/checksum.h"
#include "wire/headers.h"

static inline void put16(uint8_t *at, uint16_t value)
{
    memcpy(at, &value, sizeof(value));
}

static inline void put32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof(value));
}

// A step of a Weyl sequence, mixed: one multiplication, and 2^64 numbers before it repeats.
static inline uint64_t random_next(struct stream *stream)
{
    stream->random += 0xa0761d6478bd642fULL;
    return sl_hash_fold(stream->random, stream->random ^ 0xe7037ed1a0b428dbULL);
}

static inline const struct template *template_next(struct stream *stream)
{
    uint16_t pick = stream->pick_next;
    if (stream->picks == 1)
        return &stream->template[stream->pick[0]];
    if (stream->random_sizes)
        return &stream->template[stream->pick[sl_hash_scale(random_next(stream), stream->picks)]];
    stream->pick_next = (uint16_t)(pick + 1 == stream->picks ? 0 : pick + 1);
    return &stream->template[stream->pick[pick]];
}

static inline uint32_t flow_next(struct stream *stream)
{
    uint32_t f = stream->flow_next;
    if (stream->random_flows)
        return sl_hash_scale(random_next(stream), stream->flows.flows);
    stream->flow_next = f + stream->flow_step;
    if (stream->flow_next >= stream->flows.flows)
        stream->flow_next -= stream->flows.flows;
    return f;
}

// Copies a part, patches its IP header and its signature; returns the signature's weight in the datagram's checksum.
static inline uint64_t part_patch(struct stream *stream, const struct template *template, uint32_t i,
                                  struct rte_mbuf *frame, const struct flow *flow, uint64_t tsc)
{
    const struct template_part *part = &template->part[i];
    uint8_t *bytes = rte_pktmbuf_mtod(frame, uint8_t *);
    uint32_t src = sl_be32_of(flow->value[FLOW_SRC]), dst = sl_be32_of(flow->value[FLOW_DST]);
    struct signature signature = signature_make(stream->magic, stream->wire_id, tsc, stream->sequence++);
    uint16_t id = 0;
    rte_memcpy(bytes, template->bytes + part->at, part->len_bytes);
    put32(bytes + stream->src_at, src);
    put32(bytes + stream->dst_at, dst);
    if (part->ip_id) { // the same for all parts of a datagram, which share a run of sequence numbers
        id = (uint16_t)((stream->sequence - 1 - i) * 40503);
        put16(bytes + part->ip_id, id);
    }
    if (stream->ip_csum_at)
        put16(bytes + stream->ip_csum_at,
              sl_csum_finish((uint64_t)part->ip_sum + src + dst + id) ^ stream->ip_csum_xor);
    signature_write(bytes + part->signature, &signature);
    frame->data_len = part->len_bytes;
    frame->pkt_len = part->len_bytes;
    stream->sent_bytes += part->len_bytes + FRAME_FCS;
    return signature_sum(&signature);
}

// Ports and checksum: they stand in the first part and count for all.
static inline void l4_patch(const struct stream *stream, const struct template *template,
                            struct rte_mbuf *frame, const struct flow *flow, uint64_t sum)
{
    uint8_t *bytes = rte_pktmbuf_mtod(frame, uint8_t *);
    uint16_t sport = sl_be16_of((uint16_t)flow->value[FLOW_SPORT]);
    uint16_t dport = sl_be16_of((uint16_t)flow->value[FLOW_DPORT]);
    uint32_t src = sl_be32_of(flow->value[FLOW_SRC]), dst = sl_be32_of(flow->value[FLOW_DST]);
    put16(bytes + stream->sport_at, sport);
    sum += template->l4_sum + sport;
    if (stream->dport_at) {
        put16(bytes + stream->dport_at, dport);
        sum += dport;
    }
    sum += (uint64_t)(src & stream->l4_address_mask) + (dst & stream->l4_address_mask);
    uint16_t checksum = stream->udp ? sl_csum_finish_udp(sum) : sl_csum_finish(sum);
    put16(bytes + stream->l4_csum_at, checksum ^ stream->l4_csum_xor);
}

void stream_build(struct stream *stream, struct rte_mbuf **frame, uint32_t packets, uint64_t tsc)
{
    struct flow flow;
    for (uint32_t n = 0; n < packets; n++, frame += stream->parts) {
        const struct template *template = template_next(stream);
        uint64_t sum = 0;
        if (n + 1 < packets)
            rte_prefetch0(rte_pktmbuf_mtod(frame[stream->parts], void *));
        flow_split(&stream->flows, flow_next(stream), &flow);
        for (uint32_t i = 0; i < stream->parts; i++)
            sum += part_patch(stream, template, i, frame[i], &flow, tsc);
        l4_patch(stream, template, frame[0], &flow, sum);
    }
}

void stream_rewind(struct stream *stream, uint32_t frames)
{
    stream->sequence -= frames;
    if (stream->random_flows || stream->parts > 1)
        return;
    uint64_t back = (uint64_t)frames * stream->flow_step % stream->flows.flows;
    stream->flow_next =
        (uint32_t)(stream->flow_next >= back ? stream->flow_next - back
                                             : stream->flow_next + stream->flows.flows - back);
}

// How long a port that was full is left alone, in ticks: it takes a burst anew in about that time. Building frames only
// to throw them away would take time from receiving, and from the device where it shares a core or the ring's lines.
#define FULL_TICKS 8192

static void refused(struct stream *stream, struct rte_mbuf **frame, uint32_t count)
{
    stream->refused += count;
    for (uint32_t i = 0; i < count; i++)
        stream->sent_bytes -= frame[i]->pkt_len + FRAME_FCS;
    stream_rewind(stream, count);
    pace_return(&stream->pace, count / stream->parts);
    rte_pktmbuf_free_bulk(frame, count);
}

void stream_send(struct stream *stream, struct rte_mempool *pool, uint64_t tsc)
{
    struct rte_mbuf *frame[STREAM_BURST];
    if (tsc < stream->full_until)
        return;
    uint64_t left = (stream->limit - stream->sent + stream->parts - 1) / stream->parts;
    uint32_t most = STREAM_BURST / stream->parts;
    uint32_t packets = pace_due(&stream->pace, tsc, left < most ? (uint32_t)left : most);
    uint32_t count = packets * stream->parts;
    if (packets == 0)
        return;
    if (rte_pktmbuf_alloc_bulk(pool, frame, count) != 0) {
        pace_return(&stream->pace, packets);
        return;
    }
    stream_build(stream, frame, packets, tsc);
    uint16_t sent = rte_eth_tx_burst(stream->device, stream->queue, frame, (uint16_t)count);
    stream->sent += sent;
    if (sent < count) {
        refused(stream, frame + sent, count - sent);
        stream->full_until = tsc + FULL_TICKS;
    }
}
