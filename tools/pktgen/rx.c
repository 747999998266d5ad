// SPDX-License-Identifier: Apache-2.0
// What came back. Called by worker.c between sends, on the receiver's worker.
#include "rx.h"
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_prefetch.h>
#include "plan.h"
#include "wire/emit.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

#define BURST 64
#define AHEAD 8 // frames whose signature is fetched before its turn

static const uint8_t *signature_at(const struct rte_mbuf *frame)
{
    return rte_pktmbuf_mtod(frame, const uint8_t *) + signature_offset(frame->data_len);
}

// Checksums of IP and transport as a host would check them; a piece of a datagram shows only its IP header's.
static bool packet_whole(const struct rte_mbuf *frame)
{
    const struct sl_eth *eth = rte_pktmbuf_mtod(frame, const struct sl_eth *);
    const uint8_t *ip = (const uint8_t *)(eth + 1);
    size_t length = frame->data_len - sizeof(*eth);
    struct sl_ip_view view;
    enum sl_wire_verdict verdict;
    if (eth->type == sl_be16_of(SL_ETHERTYPE_IPV4))
        verdict = sl_ipv4_view(ip, length, length, &view);
    else if (eth->type == sl_be16_of(SL_ETHERTYPE_IPV6))
        verdict = sl_ipv6_view(ip, length, length, &view);
    else
        return false;
    if (verdict != SL_WIRE_OK)
        return false;
    return sl_ip_view_fragment(&view) || view.options || sl_check_l4_checksum(ip);
}

static inline void frame_take(struct receiver *receiver, const struct rte_mbuf *frame, uint64_t tsc)
{
    uint32_t length = frame->data_len;
    receiver->frames++;
    receiver->bytes += length + FRAME_FCS;
    if (unlikely(length < FRAME_MIN - FRAME_FCS)) {
        receiver->foreign++;
        return;
    }
    struct signature signature = signature_read(signature_at(frame));
    if (unlikely(signature_magic(&signature) != receiver->magic)) {
        receiver->foreign++;
        return;
    }
    uint16_t index = signature_stream(&signature);
    struct arrivals *arrivals = &receiver->stream[index < receiver->streams ? index : 0];
    if (unlikely(!signature_whole(&signature) || index >= receiver->streams ||
                 (receiver->verify && !packet_whole(frame)))) {
        arrivals->corrupt++;
        return;
    }
    if (likely(track_take(&arrivals->track, track_extend(&arrivals->track, signature.tail))))
        histogram_add(&arrivals->latency, signature_age(&signature, tsc)); // a copy's age is the copier's
    arrivals->bytes += length + FRAME_FCS;
}

void receiver_take(struct receiver *receiver, struct rte_mbuf *const *frame, uint32_t count, uint64_t tsc)
{
    uint64_t foreign = receiver->foreign;
    for (uint32_t i = 0; i < count && i < AHEAD; i++)
        rte_prefetch0(signature_at(frame[i]));
    for (uint32_t i = 0; i < count; i++) {
        if (i + AHEAD < count) {
            rte_prefetch0(rte_pktmbuf_mtod(frame[i + AHEAD], const void *));
            rte_prefetch0(signature_at(frame[i + AHEAD]));
        }
        frame_take(receiver, frame[i], tsc);
    }
    if (likely(receiver->foreign - foreign < count)) {
        if (receiver->last_tsc && tsc - receiver->last_tsc > receiver->silence)
            receiver->silence = tsc - receiver->last_tsc;
        receiver->last_tsc = tsc;
    }
}

// Questions are rare and short; whatever is ours ends in a signature, which no question does.
static bool answer(struct receiver *receiver, uint16_t device, uint16_t queue,
                   const struct neighbor_self *self, struct rte_mbuf *frame)
{
    if (!neighbor_reply(self, frame) || rte_eth_tx_burst(device, queue, &frame, 1) == 0)
        return false;
    receiver->answered++;
    return true;
}

void receiver_poll(struct receiver *receiver, uint16_t device, uint16_t queue,
                   const struct neighbor_self *self)
{
    struct rte_mbuf *frame[BURST];
    uint64_t foreign = receiver->foreign;
    uint16_t count = rte_eth_rx_burst(device, queue, frame, BURST);
    if (count == 0)
        return;
    receiver_take(receiver, frame, count, rte_rdtsc());
    if (unlikely(receiver->foreign != foreign)) {
        uint16_t kept = 0;
        for (uint16_t i = 0; i < count; i++)
            if (!answer(receiver, device, queue, self, frame[i]))
                frame[kept++] = frame[i];
        count = kept;
    }
    rte_pktmbuf_free_bulk(frame, count);
}
