// SPDX-License-Identifier: Apache-2.0
// Resets are made from the segment that causes them, because a flow does not hold sequence numbers: to have them it
// would have to be written at every packet. Called by nat_stage, on the worker's thread.
#include "balance/reset.h"

#include "balance/state.h"
#include "balance/way.h"
#include "icmp/limit.h"
#include "wire/emit.h"
#include "worker/drop.h"

struct segment { // between the ends of a key
    struct sl_flow_key key;
    uint32_t seq, ack; // host byte order
    uint8_t flags;
};

static const struct sl_tcp *header_of(const struct packet *packet)
{
    return rte_pktmbuf_mtod_offset(packet->m, const struct sl_tcp *, packet->l4_off);
}

// Sequence numbers that the segment takes up.
static uint32_t length_of(const struct packet *packet, const struct sl_tcp *tcp)
{
    uint32_t headers = (uint32_t)(packet->l4_off - packet->l3_off) + (tcp->data_offset >> 4) * 4u;
    uint32_t payload = packet->l3_len > headers ? packet->l3_len - headers : 0;

    return payload + !!(tcp->flags & SL_TCP_SYN) + !!(tcp->flags & SL_TCP_FIN);
}

static struct segment answer_to(const struct packet *packet, const struct sl_flow_key *key)
{
    const struct sl_tcp *tcp = header_of(packet);
    struct segment reset = {
        .key = {.src = key->dst, .dst = key->src, .sport = key->dport, .dport = key->sport}};

    if (tcp->flags & SL_TCP_ACK) {
        reset.seq = sl_host32(tcp->ack);
        reset.flags = SL_TCP_RST;
    } else {
        reset.ack = sl_host32(tcp->seq) + length_of(packet, tcp);
        reset.flags = SL_TCP_RST | SL_TCP_ACK;
    }
    return reset;
}

// As if the sender of the segment had reset the connection. `to` is the key of the other direction.
static struct segment in_place_of(const struct packet *packet, const struct sl_flow_key *to)
{
    const struct sl_tcp *tcp = header_of(packet);

    return (struct segment){
        .key = {.src = to->dst, .dst = to->src, .sport = to->dport, .dport = to->sport},
        .seq = sl_host32(tcp->seq),
        .ack = sl_host32(tcp->ack),
        .flags = SL_TCP_RST | (tcp->flags & SL_TCP_ACK),
    };
}

static struct rte_mbuf *segment_emit(struct worker *worker, const struct segment *segment)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(worker->pool);
    struct sl_emit_ip ip = {
        .src = segment->key.src,
        .dst = segment->key.dst,
        .payload_len = sizeof(struct sl_tcp),
        .id = (uint16_t)worker->ip_id++,
        .proto = IPPROTO_TCP,
        .dont_fragment = true,
    };
    struct sl_emit_tcp tcp = {
        .sport = sl_host16(segment->key.sport),
        .dport = sl_host16(segment->key.dport),
        .seq = segment->seq,
        .ack = segment->ack,
        .flags = segment->flags,
    };

    if (m == NULL)
        return NULL;
    size_t l3_len =
        sizeof(struct sl_tcp) + (sl_ip_is_v4(&ip.src) ? sizeof(struct sl_ipv4) : sizeof(struct sl_ipv6));
    uint8_t *frame = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(sizeof(struct sl_eth) + l3_len));
    memset(frame, 0, sizeof(struct sl_eth));
    sl_emit_tcp(sl_emit_ip(frame + sizeof(struct sl_eth), &ip), &tcp);
    sl_emit_l4_checksum(frame + sizeof(struct sl_eth));
    return m;
}

// The slot of the burst holds the gateway's own packet.
static void slot_fill(struct worker *worker, struct burst *burst, struct packet *slot, struct rte_mbuf *m,
                      const struct segment *segment)
{
    struct sl_ip src = segment->key.src;
    bool v4 = sl_ip_is_v4(&src);
    uint16_t l4_off =
        (uint16_t)(sizeof(struct sl_eth) + (v4 ? sizeof(struct sl_ipv4) : sizeof(struct sl_ipv6)));

    *slot = (struct packet){
        .m = m,
        .flags = (uint16_t)(PACKET_FROM_HOST | PACKET_TCP | PACKET_L4_KNOWN | (v4 ? PACKET_V4 : PACKET_V6)),
        .proto = IPPROTO_TCP,
        .key_proto = IPPROTO_TCP,
        .port_in = burst->port_in,
        .port_out = UINT16_MAX,
        .l3_off = sizeof(struct sl_eth),
        .l4_off = l4_off,
        .l3_len = (uint16_t)(m->pkt_len - sizeof(struct sl_eth)),
        .tcp_flags = segment->flags,
        .flow = FLOW_NONE,
        .key = segment->key,
        .hash = (uint32_t)sl_hash_key(&worker->hash_seed, &segment->key, IPPROTO_TCP),
    };
    packet_to(burst, slot, PACKET_ROUTE);
    worker_count(worker, SL_COUNTER_balance_reset_sent, 1);
}

// A reset where the packet was, which is dropped.
static void replace(struct worker *worker, struct burst *burst, struct packet *packet,
                    const struct segment *segment, enum sl_drop reason)
{
    struct rte_mbuf *m = segment_emit(worker, segment);

    if (m == NULL) {
        packet_drop(worker, packet, reason);
        return;
    }
    drop_count(worker->counters, packet->port_in, reason, 1);
    rte_pktmbuf_free(packet->m);
    slot_fill(worker, burst, packet, m, segment);
}

void balance_reset(struct worker *worker, struct burst *burst, struct packet *packet, enum sl_drop reason)
{
    const struct sl_settings *settings = worker->tables->settings;
    bool may = !(packet->tcp_flags & SL_TCP_RST) && packet->flags & PACKET_L4_KNOWN;

    if (!may || !limit_take(&worker->balance->resets, settings->icmp_error_rate, settings->icmp_error_burst,
                            worker->now_ms)) {
        packet_drop(worker, packet, reason);
        return;
    }
    struct segment reset = answer_to(packet, &packet->key);
    replace(worker, burst, packet, &reset, reason);
}

void balance_reset_both(struct worker *worker, struct burst *burst, struct packet *packet,
                        const struct sl_flow *flow, uint32_t direction)
{
    struct segment back = answer_to(packet, direction ? &flow->key1 : &flow->key0);
    struct segment on = in_place_of(packet, direction ? &flow->key0 : &flow->key1);

    const struct sl_balance_pool *pool;
    const struct sl_balance_member *member;

    // Without a slot left in the burst the other end is reset when it sends something itself. A member that has the
    // connection under the service's address would not know this reset: it learns of the end from its client's.
    if (burst->count < BURST_MAX && !balance_way_is_other(worker, flow, &pool, &member)) {
        struct rte_mbuf *m = segment_emit(worker, &on);
        if (m != NULL)
            slot_fill(worker, burst, &burst->packet[burst->count++], m, &on);
    }
    replace(worker, burst, packet, &back, SL_DROP_balance_cut);
}
