// SPDX-License-Identifier: Apache-2.0
// IPv6 fragmentation of datagrams that this gateway put together, or translated from IPv4, and so stands in for their
// source (RFC 8200 section 4.5): see fragment.h. Called by the neighbor stage, on the worker's thread.
#include <errno.h>
#include "route/fragment.h"
#include "wire/headers.h"
#include "wire/ipv6.h"

#define LEAST_MTU   1280
#define HEADERS_MAX 512 // unfragmentable ones; nobody's are so long

struct cut { // of one packet
    struct rte_mempool *pool;
    const struct rte_mbuf *from;
    uint16_t l3_off;
    uint16_t front;    // bytes of headers in front of the fragment header
    uint16_t data_off; // bytes of `from` in front of what is cut
    uint16_t data_len;
    uint16_t limit;           // bytes of IP in a piece
    uint16_t next_at;         // where the header before the fragment header names the next
    struct sl_ipv6_fragment fragment;
};

// Where the header in front of the fragment header, at `front`, names what follows.
static uint16_t next_find(const uint8_t *l3, uint16_t front)
{
    uint16_t at = sizeof(struct sl_ipv6), next_at = offsetof(struct sl_ipv6, next);

    while (at < front) {
        next_at = at;
        at = (uint16_t)(at + 8 * (l3[at + 1] + 1));
    }
    return next_at;
}

static bool cut_prepare(struct cut *cut, struct worker *worker, const struct packet *packet, uint16_t mtu)
{
    const uint8_t *l3 = rte_pktmbuf_mtod_offset(packet->m, const uint8_t *, packet->l3_off);
    uint16_t room = rte_pktmbuf_data_room_size(worker->pool) - RTE_PKTMBUF_HEADROOM - sizeof(struct sl_eth);
    struct sl_ip_view view;

    if (sl_ipv6_view(l3, packet->m->data_len - packet->l3_off, packet->m->pkt_len - packet->l3_off, &view) !=
            SL_WIRE_OK ||
        view.fragment_header == 0 || view.fragment_header > HEADERS_MAX)
        return false;
    *cut = (struct cut){
        .pool = worker->pool,
        .from = packet->m,
        .l3_off = packet->l3_off,
        .front = view.fragment_header,
        .data_off = (uint16_t)(packet->l3_off + view.fragment_header + sizeof(struct sl_ipv6_fragment)),
        .next_at = next_find(l3, view.fragment_header),
    };
    memcpy(&cut->fragment, l3 + cut->front, sizeof(cut->fragment));
    cut->data_len = (uint16_t)(packet->l3_len - cut->front - sizeof(cut->fragment));
    cut->limit = RTE_MIN(RTE_MIN(mtu, room), LEAST_MTU);
    return true;
}

static uint8_t *data_copy(const struct cut *cut, uint16_t at, uint16_t len, uint8_t *to)
{
    const void *bytes = rte_pktmbuf_read(cut->from, (uint32_t)cut->data_off + at, len, to);

    if (bytes != to)
        rte_memcpy(to, bytes, len);
    return to + len;
}

// A piece with the bytes [at, at + len) of what is cut. NULL: no buffer.
static struct rte_mbuf *piece_new(const struct cut *cut, uint16_t at, uint16_t len)
{
    bool only = len == cut->data_len; // and so no fragment
    uint16_t header = only ? 0 : sizeof(cut->fragment);
    const uint8_t *l3 = rte_pktmbuf_mtod_offset(cut->from, const uint8_t *, cut->l3_off);
    struct rte_mbuf *piece = rte_pktmbuf_alloc(cut->pool);

    if (!piece)
        return NULL;
    uint8_t *frame = (uint8_t *)rte_pktmbuf_append(
        piece, (uint16_t)(sizeof(struct sl_eth) + cut->front + header + len));
    if (!frame) { // cannot be: the limit is below a buffer's room
        rte_pktmbuf_free(piece);
        return NULL;
    }
    uint8_t *ip = frame + sizeof(struct sl_eth);
    struct sl_ipv6_fragment *fragment = (struct sl_ipv6_fragment *)(ip + cut->front);
    memcpy(ip, l3, cut->front);
    ((struct sl_ipv6 *)ip)->payload_len =
        sl_be16_of((uint16_t)(cut->front - sizeof(struct sl_ipv6) + header + len));
    if (only) {
        ip[cut->next_at] = cut->fragment.next;
    } else {
        *fragment = (struct sl_ipv6_fragment){
            .next = cut->fragment.next,
            .offset = sl_be16_of((uint16_t)(at | (at + len < cut->data_len))),
            .id = cut->fragment.id,
        };
    }
    data_copy(cut, at, len, ip + cut->front + header);
    return piece;
}

static int cut_undo(struct rte_mbuf **out, int count, int status)
{
    rte_pktmbuf_free_bulk(out, (unsigned)count);
    return status;
}

// Bytes of data in the piece that begins at `at`.
static uint16_t piece_len(const struct cut *cut, uint16_t at)
{
    uint16_t room = (uint16_t)(cut->limit - cut->front - sizeof(cut->fragment));
    uint16_t left = (uint16_t)(cut->data_len - at);

    if (at == 0 && cut->front + cut->data_len <= cut->limit)
        return cut->data_len;
    return left <= room ? left : room & ~7;
}

int fragment_cut_v6(struct worker *worker, struct packet *packet, uint16_t mtu,
                    struct rte_mbuf *out[FRAGMENT_MAX])
{
    struct cut cut;
    int count = 0;

    if (!cut_prepare(&cut, worker, packet, mtu))
        return -EINVAL;
    for (uint16_t at = 0; at < cut.data_len || count == 0;) {
        uint16_t len = piece_len(&cut, at);
        if (count == FRAGMENT_MAX)
            return cut_undo(out, count, -EINVAL);
        out[count] = piece_new(&cut, at, len);
        if (!out[count])
            return cut_undo(out, count, -ENOMEM);
        count++;
        at = (uint16_t)(at + len);
    }
    rte_pktmbuf_free(packet->m);
    packet->m = NULL;
    return count;
}
