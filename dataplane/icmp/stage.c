// SPDX-License-Identifier: Apache-2.0
// The ICMP stage: packets that another stage rejected are counted as dropped, and answered with an ICMP error
// where the RFCs allow and the rate limit has room. The answer takes the packet's place in the burst and goes
// on to be routed. What the gateway's own TCP sent, it tells that itself. Called by pipeline_run, on the worker's thread.
#include "balance/family.h"
#include "endpoint/endpoint.h"
#include "icmp/error.h"
#include "icmp/limit.h"
#include "wire/headers.h"
#include "wire/l4.h"
#include "worker/drop.h"

// The slot now holds the gateway's own packet.
static void become_error(struct worker *worker, struct burst *burst, struct packet *packet,
                         struct rte_mbuf *m, const struct sl_ip *source)
{
    bool v4 = (packet->flags & PACKET_V4) != 0;
    size_t ip_len = v4 ? sizeof(struct sl_ipv4) : sizeof(struct sl_ipv6);

    packet->m = m;
    packet->flags = (uint16_t)(PACKET_FROM_HOST | PACKET_L4_KNOWN | (v4 ? PACKET_V4 : PACKET_V6));
    packet->proto = packet->key_proto = v4 ? SL_PROTO_ICMP : SL_PROTO_ICMPV6;
    packet->l3_off = sizeof(struct sl_eth);
    packet->l4_off = (uint16_t)(packet->l3_off + ip_len);
    packet->l3_len = (uint16_t)(m->pkt_len - packet->l3_off);
    packet->tcp_flags = 0;
    packet->port_out = UINT16_MAX;
    packet->flow = FLOW_NONE;
    packet->nexthop = 0;
    packet->drop = SL_DROP_none;
    packet->key.dst = packet->key.src;
    packet->key.src = *source;
    packet->key.sport = packet->key.dport = 0;
    packet->hash = (uint32_t)sl_hash_key(&worker->hash_seed, &packet->key, packet->key_proto);
    packet_to(burst, packet, PACKET_ROUTE);
}

// The error to send, or NULL: silence.
static struct rte_mbuf *make_error(struct worker *worker, struct packet *packet,
                                   const struct sl_ip **source)
{
    const struct sl_settings *settings = worker->tables->settings;

    if (!icmp_error_allowed(packet) || !family_restore(worker, packet))
        return NULL;
    *source = icmp_error_source(worker->tables, packet);
    if (*source == NULL) // no address of ours in this family
        return NULL;
    if (!limit_take(&worker->icmp_errors, settings->icmp_error_rate, settings->icmp_error_burst,
                    worker->now_ms)) {
        worker_count(worker, SL_COUNTER_icmp_error_limited, 1);
        return NULL;
    }
    return icmp_error_build(worker, packet, *source);
}

static void reject_one(struct worker *worker, struct burst *burst, struct packet *packet)
{
    const struct sl_ip *source = NULL;
    struct rte_mbuf *m = make_error(worker, packet, &source);

    if (m == NULL) {
        if (packet->flags & PACKET_FROM_HOST)
            endpoint_reject(worker, packet);
        packet_drop(worker, packet, packet->drop);
        return;
    }
    drop_count(worker->counters, packet->port_in, packet->drop, 1);
    worker_count(worker, SL_COUNTER_icmp_error_sent, 1);
    rte_pktmbuf_free(packet->m);
    become_error(worker, burst, packet, m, source);
}

void icmp_stage(struct worker *worker, struct burst *burst)
{
    for (uint16_t i = 0; i < burst->count; i++)
        if (burst->packet[i].stage == PACKET_ICMP)
            reject_one(worker, burst, &burst->packet[i]);
}
