// SPDX-License-Identifier: Apache-2.0
// Reassembly before translation, of IPv4 and of IPv6: see fragment.h. Called by the flow stage, on the worker's thread; the table is
// that worker's own. librte_ip_frag is not used: it takes 8 fragments at most, where a datagram of 64 KB has 45; a
// duplicate or an overlap makes it lose the datagram without saying so; and it does not tell why it dropped.
//
// A datagram's fragments stand in a list sorted by offset. They may not overlap: the first that does poisons the
// datagram, and all its fragments, come or still to come, are dropped (RFC 5722 section 3, which is for IPv6; RFC
// 1858 shows why for IPv4). Datagrams stand in a second list by age, so that what is too old is found at its head.
// When the table is full the oldest gives way: a flood of first fragments then costs the datagrams that are slow,
// instead of all that come after it.
#include <stdlib.h>
#include "route/fragment.h"
#include "wire/checksum.h"
#include "wire/ipv6.h"
#include "wire/l4.h"
#include "worker/parse.h"

#define NONE                UINT32_MAX

struct piece {
    struct rte_mbuf *m;
    uint16_t start, end; // of its payload in the datagram, bytes
    uint16_t data_off;   // of its payload in the frame
    uint16_t headers;    // bytes of IP in front of the payload, that the datagram will have too
    uint16_t l3_off;
    uint32_t next; // sorted by start; also the list of free pieces
};

// What fragments have in common: source, destination, protocol and identification (RFC 791 section 2.3); of IPv6 the
// protocol does not count (RFC 8200 section 4.5), and is 0.
struct name {
    struct sl_flow_key ends; // the identification in place of the ports
    uint8_t proto;
};

struct datagram {
    struct name name;
    bool poisoned;
    uint16_t pieces;
    uint16_t port_in;
    uint16_t end;      // of the last fragment, 0: not come yet
    uint32_t have;     // bytes of payload
    uint32_t since_ms; // when its first fragment came
    uint32_t first;    // piece
    uint32_t chain;    // next of its bucket; also the list of free datagrams
    uint32_t older, newer;
};

struct fragment_table {
    struct sl_hash_seed seed; // secret: nobody can aim at one bucket
    uint32_t mask;            // of buckets
    uint32_t free, free_piece;
    uint32_t oldest, newest;
    uint32_t *bucket;
    struct datagram *datagram;
    struct piece *piece;
};

// ---- memory ---------------------------------------------------------------------------------------------------
static void table_link_free(struct fragment_table *table, uint32_t datagrams)
{
    uint32_t pieces = datagrams * PIECES_PER_DATAGRAM;

    for (uint32_t i = 0; i < datagrams; i++)
        table->datagram[i].chain = i + 1 < datagrams ? i + 1 : NONE;
    for (uint32_t i = 0; i < pieces; i++)
        table->piece[i].next = i + 1 < pieces ? i + 1 : NONE;
    for (uint32_t i = 0; i <= table->mask; i++)
        table->bucket[i] = NONE;
    table->oldest = table->newest = NONE;
}

struct fragment_table *fragment_table_new(uint32_t datagrams, const struct sl_hash_seed *seed)
{
    struct fragment_table *table = calloc(1, sizeof(*table));
    uint32_t buckets = 16;

    if (!table)
        return NULL;
    while (buckets < datagrams)
        buckets *= 2;
    table->seed = *seed;
    table->mask = buckets - 1;
    table->bucket = malloc(buckets * sizeof(table->bucket[0]));
    table->datagram = calloc(datagrams, sizeof(table->datagram[0]));
    table->piece = calloc((size_t)datagrams * PIECES_PER_DATAGRAM, sizeof(table->piece[0]));
    if (!table->bucket || !table->datagram || !table->piece) {
        free(table->bucket);
        free(table->datagram);
        free(table->piece);
        free(table);
        return NULL;
    }
    table_link_free(table, datagrams);
    return table;
}

void fragment_table_free(struct fragment_table *table)
{
    if (!table)
        return;
    for (uint32_t i = table->oldest; i != NONE; i = table->datagram[i].newer)
        for (uint32_t at = table->datagram[i].first; at != NONE; at = table->piece[at].next)
            rte_pktmbuf_free(table->piece[at].m);
    free(table->bucket);
    free(table->datagram);
    free(table->piece);
    free(table);
}

// ---- datagrams ------------------------------------------------------------------------------------------------
static uint32_t *bucket_of(struct fragment_table *table, const struct name *name)
{
    return &table->bucket[sl_hash_key(&table->seed, &name->ends, name->proto) & table->mask];
}

static struct datagram *datagram_find(struct fragment_table *table, const struct name *name)
{
    for (uint32_t i = *bucket_of(table, name); i != NONE; i = table->datagram[i].chain) {
        struct datagram *datagram = &table->datagram[i];
        if (memcmp(&datagram->name.ends, &name->ends, sizeof(name->ends)) == 0 &&
            datagram->name.proto == name->proto)
            return datagram;
    }
    return NULL;
}

static void age_remove(struct fragment_table *table, struct datagram *datagram)
{
    uint32_t *from_older = datagram->older == NONE ? &table->oldest : &table->datagram[datagram->older].newer;
    uint32_t *from_newer = datagram->newer == NONE ? &table->newest : &table->datagram[datagram->newer].older;

    *from_older = datagram->newer;
    *from_newer = datagram->older;
}

// Gives the datagram's place back; its pieces have been taken.
static void datagram_remove(struct fragment_table *table, struct datagram *datagram)
{
    uint32_t index = (uint32_t)(datagram - table->datagram);
    uint32_t *link = bucket_of(table, &datagram->name);

    while (*link != index)
        link = &table->datagram[*link].chain;
    *link = datagram->chain;
    age_remove(table, datagram);
    datagram->chain = table->free;
    table->free = index;
}

static void pieces_drop(struct worker *worker, struct datagram *datagram, enum sl_drop reason)
{
    struct fragment_table *table = worker->fragments;

    while (datagram->first != NONE) {
        uint32_t index = datagram->first;
        struct piece *piece = &table->piece[index];
        struct packet gone = {.m = piece->m, .port_in = datagram->port_in};
        packet_drop(worker, &gone, reason);
        datagram->first = piece->next;
        piece->next = table->free_piece;
        table->free_piece = index;
    }
}

static void oldest_give_up(struct worker *worker, enum sl_drop reason)
{
    struct fragment_table *table = worker->fragments;
    struct datagram *oldest = &table->datagram[table->oldest];

    pieces_drop(worker, oldest, reason);
    datagram_remove(table, oldest);
}

static struct datagram *datagram_new(struct worker *worker, const struct name *name, uint16_t port_in)
{
    struct fragment_table *table = worker->fragments;
    uint32_t *bucket = bucket_of(table, name);

    if (table->free == NONE)
        oldest_give_up(worker, SL_DROP_fragment_table_full);
    uint32_t index = table->free;
    struct datagram *datagram = &table->datagram[index];
    table->free = datagram->chain;
    *datagram = (struct datagram){
        .name = *name,
        .port_in = port_in,
        .since_ms = worker->now_ms,
        .first = NONE,
        .chain = *bucket,
        .older = table->newest,
        .newer = NONE,
    };
    *bucket = index;
    *(table->newest == NONE ? &table->oldest : &table->datagram[table->newest].newer) = index;
    table->newest = index;
    return datagram;
}

// ---- pieces ---------------------------------------------------------------------------------------------------
static void piece_read_v4(const struct packet *packet, struct name *name, struct piece *piece, bool *more)
{
    const struct sl_ipv4 *ip = rte_pktmbuf_mtod_offset(packet->m, const struct sl_ipv4 *, packet->l3_off);
    uint16_t fragment = sl_host16(ip->fragment);

    piece->headers = (uint16_t)((ip->version_ihl & 0x0f) * 4);
    piece->data_off = (uint16_t)(packet->l3_off + piece->headers);
    piece->start = (uint16_t)((fragment & SL_IPV4_OFFSET) * 8);
    *more = fragment & SL_IPV4_MF;
    name->ends.sport = name->ends.dport = ip->id;
    name->proto = ip->proto;
}

static bool piece_read_v6(const struct packet *packet, struct name *name, struct piece *piece, bool *more)
{
    const uint8_t *ip = rte_pktmbuf_mtod_offset(packet->m, const uint8_t *, packet->l3_off);
    struct sl_ip_view view;

    if (sl_ipv6_view(ip, packet->m->data_len - packet->l3_off, packet->m->pkt_len - packet->l3_off, &view) !=
            SL_WIRE_OK ||
        view.fragment_header == 0)
        return false;
    const struct sl_ipv6_fragment *fragment =
        (const struct sl_ipv6_fragment *)(ip + view.fragment_header);
    piece->headers = (uint16_t)(view.fragment_header + sizeof(*fragment));
    piece->data_off = (uint16_t)(packet->l3_off + piece->headers);
    piece->start = view.fragment_off;
    *more = view.more_fragments;
    name->ends.sport = (sl_be16)fragment->id;
    name->ends.dport = (sl_be16)(fragment->id >> 16);
    return true;
}

// Reads where the fragment belongs. Parse has refused first fragments without their whole transport header and
// second ones that start inside of it (RFC 1858, RFC 3128), and those that nothing could follow.
static enum sl_drop piece_read(const struct packet *packet, struct name *name, struct piece *piece, bool *more)
{
    *piece = (struct piece){.m = packet->m, .l3_off = packet->l3_off, .next = NONE};
    *name = (struct name){.ends = {.src = packet->key.src, .dst = packet->key.dst}};
    if (packet->flags & PACKET_V4)
        piece_read_v4(packet, name, piece, more);
    else if (!piece_read_v6(packet, name, piece, more))
        return SL_DROP_ipv6_bad_extension;
    uint32_t end = piece->start + packet->l3_len - piece->headers;
    piece->end = (uint16_t)end;
    // Behind the end of the longest datagram there is.
    return end + piece->headers > UINT16_MAX ? SL_DROP_fragment_overlap : SL_DROP_none;
}

// Where a piece goes in the sorted list. Most come in order, and the walk is short for what this table takes.
static enum sl_drop place_find(struct fragment_table *table, struct datagram *datagram,
                               const struct piece *piece, uint32_t **link)
{
    const struct piece *before = NULL;

    *link = &datagram->first;
    while (**link != NONE && table->piece[**link].start < piece->start) {
        before = &table->piece[**link];
        *link = &table->piece[**link].next;
    }
    const struct piece *after = **link == NONE ? NULL : &table->piece[**link];
    if (after && after->start == piece->start && after->end == piece->end)
        return SL_DROP_fragment_duplicate;
    if ((before && before->end > piece->start) || (after && piece->end > after->start))
        return SL_DROP_fragment_overlap;
    return SL_DROP_none;
}

// The last fragment tells where the datagram ends, once; none may lie behind that.
static bool end_consistent(struct fragment_table *table, const struct datagram *datagram,
                           const struct piece *piece, bool more)
{
    if (datagram->end != 0)
        return more ? piece->end < datagram->end : piece->end == datagram->end;
    if (more)
        return true;
    for (uint32_t at = datagram->first; at != NONE; at = table->piece[at].next)
        if (table->piece[at].end > piece->start)
            return false;
    return true;
}

static uint32_t piece_take(struct worker *worker, const struct datagram *keep)
{
    struct fragment_table *table = worker->fragments;

    while (table->free_piece == NONE && &table->datagram[table->oldest] != keep)
        oldest_give_up(worker, SL_DROP_fragment_table_full);
    uint32_t index = table->free_piece;
    if (index != NONE)
        table->free_piece = table->piece[index].next;
    return index;
}

static enum sl_drop piece_add(struct worker *worker, struct datagram *datagram, const struct piece *piece,
                              bool more)
{
    struct fragment_table *table = worker->fragments;
    uint32_t index, *link;

    if (datagram->poisoned)
        return SL_DROP_fragment_overlap;
    enum sl_drop reason = place_find(table, datagram, piece, &link);
    if (reason == SL_DROP_none && !end_consistent(table, datagram, piece, more))
        reason = SL_DROP_fragment_overlap;
    if (reason == SL_DROP_fragment_overlap) {
        datagram->poisoned = true;
        pieces_drop(worker, datagram, reason);
    }
    if (reason != SL_DROP_none)
        return reason;
    if (datagram->pieces == FRAGMENT_MAX) // crumbs: nobody's MTU is so small
        return SL_DROP_fragment_tiny;
    index = piece_take(worker, datagram);
    if (index == NONE)
        return SL_DROP_fragment_table_full;
    table->piece[index] = *piece;
    table->piece[index].next = *link;
    *link = index;
    datagram->pieces++;
    datagram->have += piece->end - piece->start;
    if (!more)
        datagram->end = piece->end;
    return SL_DROP_none;
}

// ---- the whole ------------------------------------------------------------------------------------------------
// Cuts a frame down to its payload and what stands `front` bytes before it.
static void frame_trim(struct piece *piece, uint16_t front)
{
    uint32_t wanted = (uint32_t)piece->data_off + piece->end - piece->start;

    if (piece->m->pkt_len > wanted) // padding of the link
        rte_pktmbuf_trim(piece->m, (uint16_t)(piece->m->pkt_len - wanted));
    rte_pktmbuf_adj(piece->m, (uint16_t)(piece->data_off - front));
}

// Takes the pieces of a whole datagram out of the table as one chain of mbufs.
static struct rte_mbuf *chain_make(struct fragment_table *table, struct datagram *datagram)
{
    struct rte_mbuf *head = table->piece[datagram->first].m;
    struct rte_mbuf *last = NULL;

    while (datagram->first != NONE) {
        uint32_t index = datagram->first;
        struct piece *piece = &table->piece[index];
        frame_trim(piece, piece->m == head ? piece->data_off : 0);
        if (last) {
            last->next = piece->m;
            head->nb_segs = (uint16_t)(head->nb_segs + piece->m->nb_segs);
            head->pkt_len += piece->m->pkt_len;
        }
        last = rte_pktmbuf_lastseg(piece->m);
        datagram->first = piece->next;
        piece->next = table->free_piece;
        table->free_piece = index;
    }
    return head;
}

// The header of the first fragment becomes the datagram's. DF goes: it came in pieces, so its sender cannot expect
// it to cross a smaller MTU whole.
static void header_mend_v4(struct sl_ipv4 *ip, uint32_t headers, uint32_t payload)
{
    ip->total_len = sl_be16_of((uint16_t)(headers + payload));
    ip->fragment = 0;
    ip->checksum = 0;
    ip->checksum = sl_csum_ipv4_header(ip, headers);
}

// The fragment header stays, for its identification, and says that we may cut the datagram again.
static void header_mend_v6(struct sl_ipv6 *ip, uint32_t headers, uint32_t payload)
{
    struct sl_ipv6_fragment *fragment =
        (struct sl_ipv6_fragment *)((uint8_t *)ip + headers - sizeof(*fragment));

    ip->payload_len = sl_be16_of((uint16_t)(headers - sizeof(*ip) + payload));
    fragment->offset = 0;
    fragment->reserved = PACKET_WHOLE_MARK;
}

static bool packet_whole(struct worker *worker, struct datagram *datagram, struct packet *packet)
{
    struct fragment_table *table = worker->fragments;
    const struct piece first = table->piece[datagram->first];
    uint32_t payload = datagram->have;
    bool v4 = packet->flags & PACKET_V4;

    packet->m = chain_make(table, datagram);
    packet->l3_off = first.l3_off;
    packet->flags = 0;
    packet->port_in = datagram->port_in;
    datagram_remove(table, datagram);
    void *ip = rte_pktmbuf_mtod_offset(packet->m, void *, first.l3_off);
    enum sl_drop reason = SL_DROP_fragment_overlap; // with the first's headers it is longer than any may be
    if (first.headers + payload <= UINT16_MAX) {
        if (v4)
            header_mend_v4(ip, first.headers, payload);
        else
            header_mend_v6(ip, first.headers, payload);
        reason = parse_packet(worker, packet);
    }
    if (reason != SL_DROP_none) {
        packet_drop(worker, packet, reason);
        return false;
    }
    worker_count(worker, SL_COUNTER_fragment_reassembled, 1);
    return true;
}

bool fragment_reassemble(struct worker *worker, struct burst *burst, struct packet *packet)
{
    struct fragment_table *table = worker->fragments;
    struct piece piece;
    struct name name;
    bool more = false;
    enum sl_drop reason = piece_read(packet, &name, &piece, &more);

    (void)burst;
    if (reason != SL_DROP_none) {
        packet_drop(worker, packet, reason);
        return false;
    }
    struct datagram *datagram = datagram_find(table, &name);
    if (!datagram)
        datagram = datagram_new(worker, &name, packet->port_in);
    reason = piece_add(worker, datagram, &piece, more);
    if (reason != SL_DROP_none) {
        packet_drop(worker, packet, reason);
        return false;
    }
    packet->m = NULL;
    packet->stage = PACKET_GONE;
    return datagram->end != 0 && datagram->have == datagram->end && packet_whole(worker, datagram, packet);
}

bool fragment_awaited(const struct worker *worker, const struct packet *packet)
{
    struct piece piece;
    struct name name;
    bool more;

    return piece_read(packet, &name, &piece, &more) == SL_DROP_none &&
           datagram_find(worker->fragments, &name) != NULL;
}

void fragment_tick(struct worker *worker)
{
    struct fragment_table *table = worker->fragments;

    if (table->oldest == NONE)
        return;
    uint32_t timeout_ms = worker->tables->settings->fragment_timeout_ms;
    while (table->oldest != NONE && worker->now_ms - table->datagram[table->oldest].since_ms >= timeout_ms)
        oldest_give_up(worker, SL_DROP_fragment_timeout);
}
