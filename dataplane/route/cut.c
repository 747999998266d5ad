// SPDX-License-Identifier: Apache-2.0
// IPv4 fragmentation (RFC 791 section 3.2): see fragment.h. Called by the neighbor stage, on the worker's thread. The
// payload is copied into fresh mbufs, because AF_XDP and other simple drivers send single-segment frames alone.
#include <errno.h>
#include "route/fragment.h"
#include "wire/checksum.h"
#include "wire/headers.h"

#define OPTION_END    0
#define OPTION_NOP    1
#define OPTION_COPIED 0x80 // this option goes into every fragment (RFC 791 section 3.1)
#define HEADER_MAX    60

struct cut { // of one packet
    struct rte_mempool *pool;
    const struct rte_mbuf *from;
    uint16_t data_off; // bytes in front of the payload, in `from`
    uint16_t limit;    // bytes of IP in a piece
    uint16_t flags;    // flag bits of the original, host byte order
    uint16_t offset;   // of its payload in the datagram, in bytes
    uint16_t data_len;
    uint8_t first_len, later_len; // of the headers
    uint8_t first[HEADER_MAX], later[HEADER_MAX];
};

// The header of every piece but the first: options without the copied flag are left out. The packet's options have
// been checked by parse; a length that cannot be ends them all the same.
static uint8_t header_for_later(const uint8_t *header, uint8_t len, uint8_t out[HEADER_MAX])
{
    uint8_t at = sizeof(struct sl_ipv4), to = sizeof(struct sl_ipv4);

    memcpy(out, header, at);
    while (at < len && header[at] != OPTION_END) {
        if (header[at] == OPTION_NOP) {
            at++;
            continue;
        }
        if (at + 1 >= len || header[at + 1] < 2 || at + header[at + 1] > len)
            break;
        if (header[at] & OPTION_COPIED) {
            memcpy(out + to, header + at, header[at + 1]);
            to = (uint8_t)(to + header[at + 1]);
        }
        at = (uint8_t)(at + header[at + 1]);
    }
    while (to % 4 != 0)
        out[to++] = OPTION_END;
    out[0] = (uint8_t)(0x40 | to / 4);
    return to;
}

static void cut_prepare(struct cut *cut, struct worker *worker, const struct packet *packet, uint16_t mtu)
{
    const uint8_t *header = rte_pktmbuf_mtod_offset(packet->m, const uint8_t *, packet->l3_off);
    uint16_t fragment = sl_host16(((const struct sl_ipv4 *)header)->fragment);
    uint16_t room = rte_pktmbuf_data_room_size(worker->pool) - RTE_PKTMBUF_HEADROOM - sizeof(struct sl_eth);

    cut->pool = worker->pool;
    cut->from = packet->m;
    cut->limit = RTE_MIN(mtu, room);
    cut->flags = fragment & (uint16_t)~SL_IPV4_OFFSET;
    cut->offset = (uint16_t)((fragment & SL_IPV4_OFFSET) * 8);
    cut->first_len = (uint8_t)((header[0] & 0x0f) * 4);
    cut->data_off = packet->l3_off + cut->first_len;
    cut->data_len = packet->l3_len - cut->first_len;
    memcpy(cut->first, header, cut->first_len);
    cut->later_len = header_for_later(header, cut->first_len, cut->later);
}

// A piece with the payload's bytes [at, at + len). NULL: no buffer.
static struct rte_mbuf *piece_new(const struct cut *cut, uint16_t at, uint16_t len)
{
    struct rte_mbuf *piece = rte_pktmbuf_alloc(cut->pool);
    const uint8_t *header = at == 0 ? cut->first : cut->later;
    uint8_t header_len = at == 0 ? cut->first_len : cut->later_len;

    if (!piece)
        return NULL;
    uint8_t *frame = (uint8_t *)rte_pktmbuf_append(piece, sizeof(struct sl_eth) + header_len + len);
    struct sl_ipv4 *ip = (struct sl_ipv4 *)(frame + sizeof(struct sl_eth));
    uint8_t *data = (uint8_t *)ip + header_len;
    uint16_t more = at + len < cut->data_len ? SL_IPV4_MF : 0;
    memcpy(ip, header, header_len);
    ip->total_len = sl_be16_of(header_len + len);
    ip->fragment = sl_be16_of((uint16_t)(cut->flags | more | (cut->offset + at) / 8));
    ip->checksum = 0;
    ip->checksum = sl_csum_ipv4_header(ip, header_len);
    const void *bytes = rte_pktmbuf_read(cut->from, cut->data_off + at, len, data);
    if (bytes != data)
        rte_memcpy(data, bytes, len);
    return piece;
}

static int cut_undo(struct rte_mbuf **out, int count, int status)
{
    rte_pktmbuf_free_bulk(out, (unsigned)count);
    return status;
}

int fragment_cut(struct worker *worker, struct packet *packet, uint16_t mtu,
                 struct rte_mbuf *out[FRAGMENT_MAX])
{
    struct cut cut;
    int count = 0;

    cut_prepare(&cut, worker, packet, mtu);
    if (cut.limit < cut.first_len + 8)
        return -EINVAL;
    for (uint16_t at = 0; at < cut.data_len || count == 0;) {
        uint16_t room = cut.limit - (at == 0 ? cut.first_len : cut.later_len);
        uint16_t left = cut.data_len - at;
        uint16_t len = left <= room ? left : room & ~7;
        if (count == FRAGMENT_MAX)
            return cut_undo(out, count, -EINVAL);
        out[count] = piece_new(&cut, at, len);
        if (!out[count])
            return cut_undo(out, count, -ENOMEM);
        count++;
        at += len;
    }
    rte_pktmbuf_free(packet->m);
    packet->m = NULL;
    return count;
}
