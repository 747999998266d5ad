// SPDX-License-Identifier: Apache-2.0
// Payload out of order: ranges in a tree (ranges.c), each a chain of items without a gap. A segment is cut to what no range
// has yet; one that covers whole ranges replaces them. So a segment costs a way down the tree, and one for each range that
// it ends, which some other segment had begun. The SACK blocks to tell (RFC 2018 section 4) are kept beside, latest first.
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

// Takes a range out of the tree and frees it; its items too where asked.
static void range_free(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t index, bool with_items)
{
    tcp_range_remove(tcp, &conn->rx_ranges, index);
    if (with_items)
        items_free(tcp, conn, at(tcp, index)->head);
    tcp_pool_put(&tcp->items, index);
    conn->n_ranges--;
}

void tcp_reassemble_clear(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    while (conn->rx_ranges != TCP_NONE)
        range_free(tcp, conn, conn->rx_ranges, true);
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

void tcp_reassemble_drop_last(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    uint32_t last = tcp_range_last(tcp, conn->rx_ranges);

    for (unsigned i = 0; i < conn->n_sacks;)
        if (tcp_seq_ge(conn->sacks[i].start, at(tcp, last)->start))
            sack_remove(conn, i); // reneging, as RFC 2018 section 8 permits
        else
            i++;
    range_free(tcp, conn, last, true);
}

// Whether a new range may be begun. None that was told gives way for it: the peer would have to find that out (RFC 2018
// section 8). Of the references that are left a connection may take a quarter for this, so there are some for the bytes.
static bool range_room(const struct sl_tcp_engine *tcp, const struct tcp_conn *conn)
{
    return conn->n_ranges < tcp_min_u32(TCP_RANGES_MAX, (tcp->items.n - tcp->items.used) / 4);
}

static uint32_t range_new(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_chunk *chunk,
                          uint32_t seq)
{
    uint32_t range, item;

    range = tcp_pool_get(&tcp->items);
    if (range == TCP_NONE)
        return TCP_NONE;
    item = item_new(tcp, conn, chunk, seq);
    if (item == TCP_NONE) {
        tcp_pool_put(&tcp->items, range);
        return TCP_NONE;
    }
    *at(tcp, range) = (union tcp_item){
        .start = seq, .end = seq + chunk->len, .head = item, .tail = item};
    tcp_range_insert(tcp, &conn->rx_ranges, range);
    conn->n_ranges++;
    return range;
}

static uint32_t range_behind(const struct sl_tcp_engine *tcp, const struct tcp_conn *conn, uint32_t end)
{
    return tcp_range_find(tcp, conn->rx_ranges, end + 1);
}

// Appends `index`'s following range to it where they touch.
static void join_next(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t index)
{
    union tcp_item *range = at(tcp, index);
    uint32_t next = range_behind(tcp, conn, range->end), end;

    if (next == TCP_NONE || at(tcp, next)->start != range->end)
        return;
    at(tcp, range->tail)->next = at(tcp, next)->head;
    range->tail = at(tcp, next)->tail;
    end = at(tcp, next)->end;
    range_free(tcp, conn, next, false);
    range->end = end;
}

// Ranges that begin in [seq, end) and lie wholly inside it go: the segment has their bytes as well. Returns the first one
// behind them.
static uint32_t drop_covered(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t next, uint32_t end)
{
    while (next != TCP_NONE && tcp_seq_le(at(tcp, next)->end, end)) {
        uint32_t gone = next;

        tell_duplicate(tcp, conn, at(tcp, gone)->start, at(tcp, gone)->end);
        next = range_behind(tcp, conn, at(tcp, gone)->end);
        range_free(tcp, conn, gone, true);
    }
    return next;
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

// `index` is the first range whose end is at or behind seq. The chunk is cut to lie between what is there.
static bool put_cut(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t index, struct sl_tcp_chunk chunk,
                    uint32_t seq)
{
    bool behind = index != TCP_NONE && tcp_seq_le(at(tcp, index)->start, seq); // it begins in or right behind it
    uint32_t next = index;

    if (behind) {
        uint32_t old = at(tcp, index)->end - seq;

        tell_duplicate(tcp, conn, seq, seq + tcp_min_u32(old, chunk.len));
        if (old >= chunk.len) {
            sack_first(conn, at(tcp, index)->start, at(tcp, index)->end);
            return false;
        }
        chunk.data += old;
        chunk.len -= old;
        seq += old;
        next = range_behind(tcp, conn, seq);
    } else if (!range_room(tcp, conn)) {
        tcp->counters.refused_memory++;
        return false;
    }
    next = drop_covered(tcp, conn, next, seq + chunk.len);
    if (next != TCP_NONE && tcp_seq_gt(seq + chunk.len, at(tcp, next)->start)) {
        tell_duplicate(tcp, conn, at(tcp, next)->start, seq + chunk.len);
        chunk.len = at(tcp, next)->start - seq;
    }
    if (behind && !range_extend(tcp, conn, index, &chunk, seq))
        return false;
    if (!behind)
        index = range_new(tcp, conn, &chunk, seq);
    if (index == TCP_NONE)
        return false;
    join_next(tcp, conn, index);
    sack_first(conn, at(tcp, index)->start, at(tcp, index)->end);
    return true;
}

bool tcp_reassemble_put(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_chunk *chunk,
                        uint32_t seq)
{
    return put_cut(tcp, conn, tcp_range_find(tcp, conn->rx_ranges, seq), *chunk, seq);
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

static void take_first(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t range)
{
    uint32_t end = at(tcp, range)->end;

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
    range_free(tcp, conn, range, false);
}

void tcp_reassemble_take(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    uint32_t before = conn->rcv_nxt, first;

    while ((first = tcp_range_first(tcp, conn->rx_ranges)) != TCP_NONE &&
           tcp_seq_le(at(tcp, first)->start, conn->rcv_nxt)) {
        const union tcp_item *range = at(tcp, first);

        if (tcp_seq_lt(range->start, before))
            tell_duplicate(tcp, conn, range->start, tcp_seq_min(range->end, conn->rcv_nxt));
        take_first(tcp, conn, first);
    }
    sacks_trim(conn);
}
