// SPDX-License-Identifier: Apache-2.0
// Payload out of order: at most TCP_RANGES_MAX ranges, sorted, each a chain of items without a gap. A segment is cut to
// what no range has yet; one that covers whole ranges replaces them. So what a segment costs is bounded by the number of
// ranges, and by the items it frees. The SACK blocks to tell (RFC 2018 section 4) are kept beside, latest first.
//
//     rcv_nxt ····· [range]·······[range]··[range]·········· rcv_edge
#include "tcp/engine.h"

static union tcp_item *at(struct sl_tcp_engine *tcp, uint32_t index)
{
    return tcp_item_at(tcp, index);
}

static void items_free(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t head)
{
    while (head != TCP_NONE) {
        union tcp_item *item = at(tcp, head);
        uint32_t next = item->next;

        conn->rx_charge -= item->charge;
        tcp->rx_charge -= item->charge;
        tcp_release(tcp, item->owner);
        tcp_pool_put(&tcp->items, head);
        head = next;
    }
}

// Takes the range that *link names out of the chain and frees it; its items too where asked.
static void range_free(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t *link, bool with_items)
{
    uint32_t index = *link;

    *link = at(tcp, index)->next_range;
    if (with_items)
        items_free(tcp, conn, at(tcp, index)->head);
    tcp_pool_put(&tcp->items, index);
    conn->n_ranges--;
}

void tcp_reassemble_clear(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    while (conn->rx_ranges != TCP_NONE)
        range_free(tcp, conn, &conn->rx_ranges, true);
    conn->n_sacks = 0;
}

// ---- SACK blocks ------------------------------------------------------------------------------------------------
static void sack_remove(struct tcp_conn *conn, unsigned i)
{
    conn->n_sacks--;
    for (; i < conn->n_sacks; i++)
        conn->sacks[i] = conn->sacks[i + 1];
}

// The range that just changed goes first; blocks that are a part of it now go.
static void sack_first(struct tcp_conn *conn, uint32_t start, uint32_t end)
{
    for (unsigned i = 0; i < conn->n_sacks;)
        if (tcp_seq_le(conn->sacks[i].start, end) && tcp_seq_ge(conn->sacks[i].end, start))
            sack_remove(conn, i);
        else
            i++;
    if (conn->n_sacks < TCP_SACKS_MAX)
        conn->n_sacks++;
    for (unsigned i = conn->n_sacks - 1; i > 0; i--)
        conn->sacks[i] = conn->sacks[i - 1];
    conn->sacks[0] = (struct tcp_sack){start, end};
}

static void sacks_trim(struct tcp_conn *conn)
{
    for (unsigned i = 0; i < conn->n_sacks;)
        if (tcp_seq_le(conn->sacks[i].end, conn->rcv_nxt))
            sack_remove(conn, i);
        else
            i++;
}

// RFC 2883 section 4: bytes that are here already; of several pieces of one segment the first (section 4.2).
static void tell_duplicate(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t start, uint32_t end)
{
    (void)tcp;
    if (!tcp_has(conn, TCP_SACK_ON) || !tcp_seq_lt(start, end) || conn->dsack.start != conn->dsack.end)
        return;
    conn->dsack = (struct tcp_sack){start, end};
}

// ---- putting ----------------------------------------------------------------------------------------------------
static uint32_t item_new(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_chunk *chunk,
                         uint32_t seq)
{
    uint32_t index = tcp_pool_get(&tcp->items);

    if (index == TCP_NONE) {
        tcp->counters.refused_memory++;
        return TCP_NONE;
    }
    *at(tcp, index) = (union tcp_item){.owner = chunk->owner,
                                       .data = chunk->data,
                                       .seq = seq,
                                       .len = chunk->len,
                                       .charge = chunk->charge,
                                       .next = TCP_NONE};
    conn->rx_charge += chunk->charge;
    tcp->rx_charge += chunk->charge;
    return index;
}

static uint32_t *last_range(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    uint32_t *link = &conn->rx_ranges;

    while (at(tcp, *link)->next_range != TCP_NONE)
        link = &at(tcp, *link)->next_range;
    return link;
}

void tcp_reassemble_drop_last(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    uint32_t *link = last_range(tcp, conn);

    for (unsigned i = 0; i < conn->n_sacks;)
        if (tcp_seq_ge(conn->sacks[i].start, at(tcp, *link)->start))
            sack_remove(conn, i); // reneging, as RFC 2018 section 8 permits
        else
            i++;
    range_free(tcp, conn, link, true);
}

// Whether a new range may be begun: the furthest one gives way where there are too many, being of least use.
static bool range_room(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t seq)
{
    if (conn->n_ranges < TCP_RANGES_MAX)
        return true;
    if (tcp_seq_gt(seq, at(tcp, *last_range(tcp, conn))->start))
        return false;
    tcp_reassemble_drop_last(tcp, conn);
    return true;
}

static uint32_t range_new(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_chunk *chunk,
                          uint32_t seq)
{
    uint32_t range, item;

    if (!range_room(tcp, conn, seq))
        return TCP_NONE;
    range = tcp_pool_get(&tcp->items);
    if (range == TCP_NONE)
        return TCP_NONE;
    item = item_new(tcp, conn, chunk, seq);
    if (item == TCP_NONE) {
        tcp_pool_put(&tcp->items, range);
        return TCP_NONE;
    }
    *at(tcp, range) = (union tcp_item){
        .start = seq, .end = seq + chunk->len, .head = item, .tail = item, .next_range = TCP_NONE};
    conn->n_ranges++;
    return range;
}

// Appends `index`'s following range to it where they touch.
static void join_next(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t index)
{
    union tcp_item *range = at(tcp, index);
    uint32_t next = range->next_range;

    if (next == TCP_NONE || at(tcp, next)->start != range->end)
        return;
    at(tcp, range->tail)->next = at(tcp, next)->head;
    range->tail = at(tcp, next)->tail;
    range->end = at(tcp, next)->end;
    range_free(tcp, conn, &range->next_range, false);
}

// Ranges that lie wholly inside [seq, end) go: the segment has their bytes as well.
static void drop_covered(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t *link, uint32_t seq,
                         uint32_t end)
{
    while (*link != TCP_NONE && tcp_seq_ge(at(tcp, *link)->start, seq) &&
           tcp_seq_le(at(tcp, *link)->end, end)) {
        tell_duplicate(tcp, conn, at(tcp, *link)->start, at(tcp, *link)->end);
        range_free(tcp, conn, link, true);
    }
}

static bool range_extend(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t index,
                         const struct sl_tcp_chunk *chunk, uint32_t seq)
{
    uint32_t item = item_new(tcp, conn, chunk, seq);

    if (item == TCP_NONE)
        return false;
    at(tcp, at(tcp, index)->tail)->next = item;
    at(tcp, index)->tail = item;
    at(tcp, index)->end = seq + chunk->len;
    return true;
}

// `*link` names the first range whose end is at or behind seq. The chunk is cut to lie between what is there.
static bool put_cut(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t *link, struct sl_tcp_chunk chunk,
                    uint32_t seq)
{
    bool behind = *link != TCP_NONE &&
                  tcp_seq_le(at(tcp, *link)->start, seq); // it begins in or right behind this range
    uint32_t index;

    if (behind) {
        uint32_t old = at(tcp, *link)->end - seq;

        tell_duplicate(tcp, conn, seq, seq + tcp_min_u32(old, chunk.len));
        if (old >= chunk.len) {
            sack_first(conn, at(tcp, *link)->start, at(tcp, *link)->end);
            return false;
        }
        chunk.data += old;
        chunk.len -= old;
        seq += old;
    }
    drop_covered(tcp, conn, behind ? &at(tcp, *link)->next_range : link, seq, seq + chunk.len);
    uint32_t next = behind ? at(tcp, *link)->next_range : *link;
    if (next != TCP_NONE && tcp_seq_gt(seq + chunk.len, at(tcp, next)->start)) {
        tell_duplicate(tcp, conn, at(tcp, next)->start, seq + chunk.len);
        chunk.len = at(tcp, next)->start - seq;
    }
    if (behind) {
        index = *link;
        if (!range_extend(tcp, conn, index, &chunk, seq))
            return false;
    } else {
        index = range_new(tcp, conn, &chunk, seq);
        if (index == TCP_NONE)
            return false;
        at(tcp, index)->next_range = *link; // range_room may have freed the last one: read again
        *link = index;
    }
    join_next(tcp, conn, index);
    sack_first(conn, at(tcp, index)->start, at(tcp, index)->end);
    return true;
}

bool tcp_reassemble_put(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_chunk *chunk,
                        uint32_t seq)
{
    uint32_t *link = &conn->rx_ranges;

    while (*link != TCP_NONE && tcp_seq_lt(at(tcp, *link)->end, seq))
        link = &at(tcp, *link)->next_range;
    return put_cut(tcp, conn, link, *chunk, seq);
}

// ---- taking -----------------------------------------------------------------------------------------------------
// An item of which rcv_nxt has passed a part, or all.
static void cut_front(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t range)
{
    while (at(tcp, range)->head != TCP_NONE) {
        union tcp_item *item = at(tcp, at(tcp, range)->head);
        uint32_t old = tcp_seq_lt(item->seq, conn->rcv_nxt) ? conn->rcv_nxt - item->seq : 0,
                 index = at(tcp, range)->head;

        if (old < item->len) {
            item->data += old;
            item->len -= old;
            item->seq += old;
            return;
        }
        at(tcp, range)->head = item->next;
        item->next = TCP_NONE;
        items_free(tcp, conn, index);
    }
}

static void take_first(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    uint32_t range = conn->rx_ranges, end = at(tcp, range)->end;

    cut_front(tcp, conn, range);
    if (at(tcp, range)->head != TCP_NONE) {
        if (conn->rx_tail == TCP_NONE)
            conn->rx_head = at(tcp, range)->head;
        else
            at(tcp, conn->rx_tail)->next = at(tcp, range)->head;
        conn->rx_tail = at(tcp, range)->tail;
        conn->rx_unread += end - conn->rcv_nxt;
        conn->bytes_received += end - conn->rcv_nxt;
        tcp->counters.bytes_in += end - conn->rcv_nxt;
        conn->rcv_nxt = end;
    }
    range_free(tcp, conn, &conn->rx_ranges, false);
}

void tcp_reassemble_take(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    uint32_t before = conn->rcv_nxt;

    while (conn->rx_ranges != TCP_NONE && tcp_seq_le(at(tcp, conn->rx_ranges)->start, conn->rcv_nxt)) {
        union tcp_item *range = at(tcp, conn->rx_ranges);

        if (tcp_seq_lt(range->start, before))
            tell_duplicate(tcp, conn, range->start, tcp_seq_min(range->end, conn->rcv_nxt));
        take_first(tcp, conn);
    }
    sacks_trim(conn);
}
