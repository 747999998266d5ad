// SPDX-License-Identifier: Apache-2.0
// See tunnel_cut.h. A client of IPv6 need not go below 1280 bytes, so where a tunnel over IPv6 leaves less, the tunnel's
// own packets are cut where they begin (RFC 2473 section 7.1). Called by way.c, on the worker's thread.
#include "balance/tunnel_cut.h"

#include <errno.h>
#include <netinet/in.h>
#include "wire/emit.h"

#define HEADERS (sizeof(struct sl_eth) + sizeof(struct sl_ipv6))

struct part {
    uint16_t offset, len; // bytes of what stands behind the IPv6 header
    bool more;
};

static struct rte_mbuf *part_new(struct worker *worker, struct rte_mbuf *m, struct part part, uint32_t id)
{
    struct rte_mbuf *piece = rte_pktmbuf_alloc(worker->pool);
    uint16_t headers = HEADERS + sizeof(struct sl_ipv6_fragment);
    uint8_t *at = piece ? (uint8_t *)rte_pktmbuf_append(piece, (uint16_t)(headers + part.len)) : NULL;

    if (at == NULL) {
        rte_pktmbuf_free(piece);
        return NULL;
    }
    memcpy(at, rte_pktmbuf_mtod(m, const void *), HEADERS);
    struct sl_ipv6 *ip = (struct sl_ipv6 *)(at + sizeof(struct sl_eth));
    sl_emit_ipv6_fragment(ip + 1, ip->next, part.offset, part.more, id);
    ip->next = IPPROTO_FRAGMENT;
    ip->payload_len = sl_be16_of((uint16_t)(sizeof(struct sl_ipv6_fragment) + part.len));
    const void *bytes = rte_pktmbuf_read(m, HEADERS + part.offset, part.len, at + headers);
    if (bytes != at + headers)
        memcpy(at + headers, bytes, part.len);
    return piece;
}

int balance_tunnel_cut(struct worker *worker, struct rte_mbuf *m, uint16_t mtu, uint32_t id,
                       struct rte_mbuf *out[2])
{
    uint16_t room = (uint16_t)((mtu - sizeof(struct sl_ipv6) - sizeof(struct sl_ipv6_fragment)) & ~7u);
    uint16_t len = (uint16_t)(m->pkt_len - HEADERS);

    if (len <= room || len > 2 * room)
        return -EINVAL;
    out[0] = part_new(worker, m, (struct part){0, room, true}, id);
    out[1] = part_new(worker, m, (struct part){room, (uint16_t)(len - room), false}, id);
    if (out[0] == NULL || out[1] == NULL) {
        rte_pktmbuf_free(out[0]);
        rte_pktmbuf_free(out[1]);
        return -ENOMEM;
    }
    rte_pktmbuf_free(m);
    return 0;
}
