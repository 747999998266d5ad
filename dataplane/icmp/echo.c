// SPDX-License-Identifier: Apache-2.0
// Echo replies for addresses of ours that no kernel stands behind (RFC 1122 section 3.2.2.6, RFC 4443
// section 4.2). Called by the local stage and by NAT, on the worker's thread.
#include "icmp/icmp.h"

#include "icmp/limit.h"
#include "wire/checksum.h"
#include "wire/headers.h"

enum { ECHO_TTL = 64 };

// A whole echo request to one address, its bytes ours alone to change.
static bool is_answerable(const struct packet *packet)
{
    uint16_t wanted = PACKET_ICMP_QUERY | PACKET_L4_KNOWN;
    uint16_t refused = PACKET_FRAGMENT | PACKET_OPTIONS | PACKET_FROM_HOST;

    if ((packet->flags & (wanted | refused)) != wanted)
        return false;
    if (!RTE_MBUF_DIRECT(packet->m) || rte_mbuf_refcnt_read(packet->m) != 1)
        return false;
    const struct sl_icmp *icmp = rte_pktmbuf_mtod_offset(packet->m, const struct sl_icmp *, packet->l4_off);
    if (packet->flags & PACKET_V4)
        return icmp->type == SL_ICMP_ECHO && packet->key.dst.b[12] < 224;
    return icmp->type == SL_ICMP6_ECHO && packet->key.dst.b[0] != 0xff;
}

static void turn_ipv4(struct packet *packet)
{
    struct sl_ipv4 *ip = rte_pktmbuf_mtod_offset(packet->m, struct sl_ipv4 *, packet->l3_off);
    sl_be32 src = ip->src;

    ip->src = ip->dst;
    ip->dst = src;
    ip->ttl = ECHO_TTL;
    ip->checksum = 0;
    ip->checksum = sl_csum_ipv4_header(ip, sizeof(*ip));
}

static void turn_ipv6(struct packet *packet)
{
    struct sl_ipv6 *ip = rte_pktmbuf_mtod_offset(packet->m, struct sl_ipv6 *, packet->l3_off);
    uint8_t src[16];

    memcpy(src, ip->src, sizeof(src));
    memcpy(ip->src, ip->dst, sizeof(src));
    memcpy(ip->dst, src, sizeof(src));
    ip->hop_limit = ECHO_TTL;
}

// Only the type changes in what the checksum covers; exchanged addresses weigh the same. A request that came
// corrupted gives a reply that is, and the sender sees it.
static void turn_icmp(struct packet *packet, uint8_t reply)
{
    struct sl_icmp *icmp = rte_pktmbuf_mtod_offset(packet->m, struct sl_icmp *, packet->l4_off);
    struct sl_csum_diff diff = {0};

    sl_csum_diff_bytes(&diff, 0, &icmp->type, &reply, sizeof(reply));
    icmp->type = reply;
    sl_csum_patch(&icmp->checksum, diff);
}

static void turn(struct worker *worker, struct burst *burst, struct packet *packet)
{
    bool v4 = (packet->flags & PACKET_V4) != 0;
    struct sl_ip src = packet->key.src;

    if (v4)
        turn_ipv4(packet);
    else
        turn_ipv6(packet);
    turn_icmp(packet, v4 ? SL_ICMP_ECHO_REPLY : SL_ICMP6_ECHO_REPLY);
    packet->key.src = packet->key.dst;
    packet->key.dst = src;
    packet->hash = (uint32_t)sl_hash_key(&worker->hash_seed, &packet->key, packet->key_proto);
    packet->flags |= PACKET_FROM_HOST;
    packet->port_out = UINT16_MAX;
    packet->flow = FLOW_NONE;
    packet->nexthop = 0;
    packet_to(burst, packet, PACKET_ROUTE);
}

void icmp_answer_echo(struct worker *worker, struct burst *burst, struct packet *packet)
{
    const struct sl_settings *settings = worker->tables->settings;

    if (!is_answerable(packet) || !limit_take(&worker->icmp_echoes, settings->icmp_error_rate,
                                              settings->icmp_error_burst, worker->now_ms)) {
        packet_drop(worker, packet, SL_DROP_local_protocol);
        return;
    }
    worker_count(worker, SL_COUNTER_icmp_echo_answered, 1);
    turn(worker, burst, packet);
}
