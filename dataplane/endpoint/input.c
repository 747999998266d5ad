// SPDX-License-Identifier: Apache-2.0
// Packets for endpoints, from the local stage to the engine of the worker that owns the connection.
#include "endpoint/inside.h"

#include <arpa/inet.h>
#include <string.h>
#include <rte_mbuf.h>
#include "route/fragment.h"
#include "steer/steer.h"

#define ICMP_HEADER 8 // bytes, of ICMP and ICMPv6 alike

bool endpoint_is_any(const struct sl_ip *ip)
{
    return sl_ip_is_v4(ip) ? ip->w[3] == 0 : (ip->q[0] | ip->q[1]) == 0;
}

static bool serves(const struct endpoint *endpoint, const struct sl_ip *local, uint16_t port)
{
    for (unsigned i = 0; i < ENDPOINT_SERVICES; i++) {
        const struct sl_own_endpoint *says = &endpoint->service[i].says;

        if (says->kind != SL_ENDPOINT_NONE && says->port == port &&
            sl_ip_is_v4(&says->address) == sl_ip_is_v4(local) &&
            (endpoint_is_any(&says->address) || sl_ip_equal(&says->address, local)))
            return true;
    }
    return false;
}

bool endpoint_concerns(const struct worker *worker, const struct packet *packet)
{
    const struct endpoint *endpoint = worker->endpoint;
    struct sl_ip local = packet->key.dst;
    uint16_t port = ntohs(packet->key.dport);

    if (endpoint == NULL || packet->key_proto != IPPROTO_TCP ||
        packet->flags & (PACKET_FROM_HOST | PACKET_LATER_FRAGMENT) ||
        !(packet->flags & (PACKET_TCP | PACKET_ICMP_ERROR)))
        return false;
    // Answers to link-local addresses have no port to leave by.
    if (endpoint->ports[port / 64] >> port % 64 & 1 && !sl_ip_is_link_local_v6(&local) &&
        serves(endpoint, &local, port))
        return true;
    return port >= endpoint->live_first && port <= endpoint->live_last && endpoint_has(endpoint, packet);
}

// ---- fragments ----------------------------------------------------------------------------------------------
// A later one has no ports. What comes before the first, which is rare, goes to the host as ever, and the peer says it
// again.
bool endpoint_gather(struct worker *worker, struct burst *burst, struct packet *packet)
{
    const struct endpoint *endpoint = worker->endpoint;
    uint32_t owner;

    if (endpoint == NULL || packet->proto != IPPROTO_TCP ||
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

static struct sl_ip sender_of(const struct packet *packet)
{
    const uint8_t *l3 = rte_pktmbuf_mtod_offset(packet->m, const uint8_t *, packet->l3_off);
    struct sl_ip ip;

    if (packet->flags & PACKET_V4)
        return sl_ip_v4(((const struct sl_ipv4 *)l3)->src);
    memcpy(ip.b, ((const struct sl_ipv6 *)l3)->src, sizeof(ip.b));
    return ip;
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
    if (!icmp_kind(&in, packet->flags & PACKET_V4, icmp[0], icmp[1], ntohl(word)))
        return;
    endpoint_probes_hear(endpoint, &in, &(struct endpoint_error){sender_of(packet), icmp[0], icmp[1]});
    sl_tcp_icmp(endpoint->tcp, &in, endpoint->worker->now_us);
}

// The engine is in the midst of sending: it is told at the beginning of the next pass.
void endpoint_reject(struct worker *worker, const struct packet *packet)
{
    struct endpoint *endpoint = worker->endpoint;
    struct endpoint_reject *reject;
    uint32_t seq;

    if (endpoint == NULL || endpoint->rejects == REJECTS_KEPT || !(packet->flags & PACKET_TCP) ||
        !(packet->flags & PACKET_L4_KNOWN) || packet->m->data_len < packet->l4_off + 8)
        return;
    reject = &endpoint->reject[endpoint->rejects];
    *reject = (struct endpoint_reject){
        .in = {.local = packet->key.src,
               .remote = packet->key.dst,
               .local_port = packet->key.sport,
               .remote_port = packet->key.dport},
        .error = {.type = packet->icmp_type, .code = packet->icmp_code},
    };
    memcpy(&seq, rte_pktmbuf_mtod_offset(packet->m, const uint8_t *, packet->l4_off + 4), sizeof(seq));
    reject->in.seq = ntohl(seq);
    if (icmp_kind(&reject->in, packet->flags & PACKET_V4, packet->icmp_type, packet->icmp_code, packet->icmp_mtu)) {
        endpoint->rejects++;
        endpoint->fed = true;
    }
}

void endpoint_rejects_take(struct endpoint *endpoint)
{
    for (unsigned i = 0; i < endpoint->rejects; i++) {
        const struct endpoint_reject *reject = &endpoint->reject[i];

        endpoint_probes_hear(endpoint, &reject->in, &reject->error);
        sl_tcp_icmp(endpoint->tcp, &reject->in, endpoint->worker->now_us);
    }
    endpoint->rejects = 0;
}

// ---- segments -----------------------------------------------------------------------------------------------
// What waits goes into the engine, and buffers that it does not keep back to the pool.
void endpoint_input(struct worker *worker)
{
    struct endpoint *endpoint = worker->endpoint;
    uint64_t kept;

    if (endpoint == NULL || endpoint->n_in == 0)
        return;
    kept = sl_tcp_input_burst(endpoint->tcp, endpoint->in, endpoint->n_in, worker->now_us);
    for (unsigned i = 0; i < endpoint->n_in; i++)
        if (!(kept >> i & 1))
            rte_pktmbuf_free(endpoint->in[i].payload.owner);
    endpoint->n_in = 0;
}

// The memory that a segment keeps from others is all of its buffer, however short it is.
static bool queue_segment(struct endpoint *endpoint, const struct packet *packet)
{
    struct rte_mbuf *m = packet->m;
    struct sl_tcp_in *in;
    bool checked = m->nb_segs == 1 && // of one put together no device has seen the whole
                   (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD;

    if (endpoint->n_in == SL_TCP_BURST_MAX)
        endpoint_input(endpoint->worker);
    in = &endpoint->in[endpoint->n_in];
    if (packet->flags & PACKET_FRAGMENT || (m->nb_segs > 1 && rte_pktmbuf_linearize(m) != 0) ||
        sl_tcp_read_packet(in, rte_pktmbuf_mtod_offset(m, const uint8_t *, packet->l3_off), packet->l3_len,
                           checked) != 0)
        return false;
    in->payload.owner = m;
    in->payload.charge = m->buf_len + (uint32_t)sizeof(*m);
    endpoint->n_in++;
    return true;
}

uint32_t endpoint_owner(const struct worker *worker, const struct sl_flow_key *key)
{
    return worker->count == 1
               ? worker->index
               : sl_hash_scale(sl_hash_key(&worker->hash_seed, key, IPPROTO_TCP), worker->count);
}

void endpoint_take(struct worker *worker, const struct burst *burst, struct packet *packet)
{
    struct endpoint *endpoint = worker->endpoint;
    uint32_t owner = endpoint_owner(worker, &packet->key);

    if (owner != worker->index) {
        steer_to_endpoint(worker, burst, packet, owner);
        return;
    }
    endpoint->fed = true;
    endpoint->port_in = packet->port_in;
    if (packet->flags & PACKET_ICMP_ERROR) {
        endpoint_input(worker); // the segments before it
        take_icmp(endpoint, packet);
        rte_pktmbuf_free(packet->m);
    } else if (!queue_segment(endpoint, packet)) {
        packet_drop(worker, packet, SL_DROP_endpoint_malformed);
        return;
    }
    packet->m = NULL;
    packet->stage = PACKET_GONE;
}
