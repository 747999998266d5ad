// SPDX-License-Identifier: Apache-2.0
// Packets for endpoints, from the local stage to the engine of the worker that owns the connection.
#include "endpoint/inside.h"

#include <arpa/inet.h>
#include <string.h>
#include <rte_mbuf.h>
#include "route/fragment.h"
#include "steer/steer.h"

#define ICMP_HEADER 8 // bytes, of ICMP and ICMPv6 alike

// Answers to link-local addresses have no port to leave by.
static bool is_link_local(const struct sl_ip *ip)
{
    return ip->b[0] == 0xfe && (ip->b[1] & 0xc0) == 0x80;
}

static bool is_any(const struct sl_ip *ip)
{
    return sl_ip_is_v4(ip) ? ip->w[3] == 0 : (ip->q[0] | ip->q[1]) == 0;
}

static bool serves(const struct endpoint *endpoint, const struct sl_ip *local, uint16_t port)
{
    for (unsigned i = 0; i < ENDPOINT_SERVICES; i++) {
        const struct sl_own_endpoint *says = &endpoint->service[i].says;

        if (says->kind != SL_ENDPOINT_NONE && says->port == port &&
            sl_ip_is_v4(&says->address) == sl_ip_is_v4(local) &&
            (is_any(&says->address) || sl_ip_equal(&says->address, local)))
            return true;
    }
    return false;
}

bool endpoint_concerns(const struct worker *worker, const struct packet *packet)
{
    const struct endpoint *endpoint = worker->endpoint;
    struct sl_ip local = packet->key.dst;
    uint16_t port = ntohs(packet->key.dport);

    if (endpoint == NULL || !endpoint->listening || packet->key_proto != IPPROTO_TCP ||
        packet->flags & (PACKET_FROM_HOST | PACKET_LATER_FRAGMENT) ||
        !(packet->flags & (PACKET_TCP | PACKET_ICMP_ERROR)))
        return false;
    return endpoint->ports[port / 64] >> port % 64 & 1 && !is_link_local(&local) &&
           serves(endpoint, &local, port);
}

// ---- fragments ----------------------------------------------------------------------------------------------
// A later one has no ports. What comes before the first, which is rare, goes to the host as ever, and the peer says it
// again.
bool endpoint_gather(struct worker *worker, struct burst *burst, struct packet *packet)
{
    const struct endpoint *endpoint = worker->endpoint;
    uint32_t owner;

    if (endpoint == NULL || !endpoint->listening || packet->proto != IPPROTO_TCP ||
        packet->flags & PACKET_FROM_HOST)
        return false;
    owner = steer_owner_fragment(worker, packet);
    if (owner != worker->index) {
        steer_to(worker, burst, packet, owner);
        return true;
    }
    if (!endpoint_concerns(worker, packet) && !fragment_awaited(worker, packet))
        return false;
    if (!fragment_reassemble(worker, burst, packet))
        return true;
    packet->stage = PACKET_LOCAL;
    return false;
}

// ---- ICMP ---------------------------------------------------------------------------------------------------
// False: of no kind that a connection has to know.
static bool icmp_kind(struct sl_tcp_icmp_in *in, bool v4, uint8_t type, uint8_t code, uint32_t word)
{
    if (v4 && type == 3 && code == 4) {
        in->kind = SL_TCP_ICMP_TOO_BIG;
        in->mtu = word & 0xffff; // RFC 1191 section 4
    } else if (!v4 && type == 2) {
        in->kind = SL_TCP_ICMP_TOO_BIG;
        in->mtu = word;
    } else if (type == (v4 ? 3 : 1)) {
        bool prohibited = v4 ? code == 9 || code == 10 || code == 13 : code == 1 || code == 5 || code == 6;
        bool port = v4 ? code == 2 || code == 3 : code == 4;
        in->kind = prohibited ? SL_TCP_ICMP_PROHIBITED : port ? SL_TCP_ICMP_PORT : SL_TCP_ICMP_UNREACHABLE;
    } else {
        return false;
    }
    return true;
}

static void take_icmp(struct endpoint *endpoint, const struct packet *packet)
{
    const uint8_t *icmp = rte_pktmbuf_mtod_offset(packet->m, const uint8_t *, packet->l4_off);
    const uint8_t *quoted = rte_pktmbuf_mtod_offset(packet->m, const uint8_t *, packet->quote_l4_off);
    struct sl_tcp_icmp_in in = {.local = packet->key.dst,
                                .remote = packet->key.src,
                                .local_port = packet->key.dport,
                                .remote_port = packet->key.sport};
    uint32_t word, seq;

    if (packet->m->data_len < packet->l4_off + ICMP_HEADER || packet->m->data_len < packet->quote_l4_off + 8)
        return;
    memcpy(&word, icmp + 4, sizeof(word));
    memcpy(&seq, quoted + 4, sizeof(seq));
    in.seq = ntohl(seq);
    if (icmp_kind(&in, packet->flags & PACKET_V4, icmp[0], icmp[1], ntohl(word)))
        sl_tcp_icmp(endpoint->tcp, &in, endpoint->worker->now_us);
}

// ---- segments -----------------------------------------------------------------------------------------------
// True: the buffer is the engine's now. The memory that it keeps from others is all of it, however short the segment.
static bool take_segment(struct endpoint *endpoint, const struct packet *packet, enum sl_drop *drop)
{
    struct rte_mbuf *m = packet->m;
    struct sl_tcp_in in;
    bool checked = m->nb_segs == 1 && // of one put together no device has seen the whole
                   (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD;

    if (packet->flags & PACKET_FRAGMENT || (m->nb_segs > 1 && rte_pktmbuf_linearize(m) != 0) ||
        sl_tcp_read_packet(&in, rte_pktmbuf_mtod_offset(m, const uint8_t *, packet->l3_off), packet->l3_len,
                           checked) != 0) {
        *drop = SL_DROP_endpoint_malformed;
        return false;
    }
    in.payload.owner = m;
    in.payload.charge = m->buf_len + (uint32_t)sizeof(*m);
    return sl_tcp_input(endpoint->tcp, &in, endpoint->worker->now_us);
}

static uint32_t owner_of(const struct worker *worker, const struct packet *packet)
{
    return worker->count == 1
               ? worker->index
               : sl_hash_scale(sl_hash_key(&worker->hash_seed, &packet->key, IPPROTO_TCP), worker->count);
}

void endpoint_take(struct worker *worker, const struct burst *burst, struct packet *packet)
{
    struct endpoint *endpoint = worker->endpoint;
    uint32_t owner = owner_of(worker, packet);
    enum sl_drop drop = SL_DROP_none;
    bool kept = false;

    if (owner != worker->index) {
        steer_to_endpoint(worker, burst, packet, owner);
        return;
    }
    endpoint->fed = true;
    endpoint->port_in = packet->port_in;
    if (packet->flags & PACKET_ICMP_ERROR)
        take_icmp(endpoint, packet);
    else
        kept = take_segment(endpoint, packet, &drop);
    if (drop != SL_DROP_none) {
        packet_drop(worker, packet, drop);
        return;
    }
    if (!kept)
        rte_pktmbuf_free(packet->m);
    packet->m = NULL;
    packet->stage = PACKET_GONE;
}
