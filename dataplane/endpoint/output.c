// SPDX-License-Identifier: Apache-2.0
// Segments that the engine sends, as packets of the gateway's own: they are routed like ICMP errors, a burst at a time.
//
// Payload is copied behind its headers. The drivers that this gateway mostly runs on send frames of one piece alone, so
// worker_tx() would copy a chain of attached buffers all the same, having allocated them first.
#include "endpoint/inside.h"

#include <netinet/in.h>
#include <string.h>
#include <rte_mbuf.h>

#define ETHERNET 14 // bytes; written by the neighbor stage

static struct rte_mbuf *frame_make(struct worker *worker, const struct sl_tcp_out *out)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(worker->pool);

    if (m == NULL)
        return NULL;
    if (rte_pktmbuf_tailroom(m) < ETHERNET + SL_TCP_HEADERS_MAX + out->len) {
        rte_pktmbuf_free(m);
        return NULL;
    }
    uint8_t *at = rte_pktmbuf_mtod(m, uint8_t *);
    memset(at, 0, ETHERNET);
    m->data_len = (uint16_t)(ETHERNET + sl_tcp_write_packet(out, (uint16_t)worker->ip_id++, at + ETHERNET));
    m->pkt_len = m->data_len;
    return m;
}

static void packet_fill(struct packet *packet, struct rte_mbuf *m, uint16_t port_in,
                        const struct sl_tcp_out *out)
{
    bool v4 = sl_ip_is_v4(&out->src), syn = (out->flags & (SL_TCP_SYN | SL_TCP_ACK)) == SL_TCP_SYN;

    *packet = (struct packet){
        .m = m,
        .flags = (uint16_t)(PACKET_FROM_HOST | PACKET_TCP | PACKET_L4_KNOWN | (v4 ? PACKET_V4 : PACKET_V6) |
                            (v4 ? PACKET_DF : 0) | (syn ? PACKET_SYN : 0)),
        .stage = PACKET_ROUTE,
        .proto = IPPROTO_TCP,
        .key_proto = IPPROTO_TCP,
        .port_in = port_in,
        .port_out = UINT16_MAX,
        .l3_off = ETHERNET,
        .l4_off = (uint16_t)(ETHERNET + (v4 ? 20 : 40)),
        .l3_len = (uint16_t)(m->pkt_len - ETHERNET),
        .tcp_flags = out->flags,
        .tos = out->traffic_class | out->ecn,
        .flow = FLOW_NONE,
        .drop = SL_DROP_none,
        .key = {.src = out->src, .dst = out->dst, .sport = out->sport, .dport = out->dport},
    };
}

bool endpoint_send(void *context, const struct sl_tcp_out *out)
{
    struct endpoint *endpoint = context;
    struct rte_mbuf *m;

    if (endpoint->out.count == BURST_MAX)
        endpoint_emit(endpoint);
    m = frame_make(endpoint->worker, out);
    if (m == NULL)
        return false;
    packet_fill(&endpoint->out.packet[endpoint->out.count++], m, endpoint->port_in, out);
    return true;
}

void endpoint_emit(struct endpoint *endpoint)
{
    if (endpoint->out.count == 0)
        return;
    endpoint->out.port_in = endpoint->port_in;
    pipeline_emit(endpoint->worker, &endpoint->out);
    endpoint->out.count = 0;
}
