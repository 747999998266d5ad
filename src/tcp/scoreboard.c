// SPDX-License-Identifier: Apache-2.0
// The scoreboard: a record for each segment in flight, in two lists: by sequence number, and, those neither SACKed nor
// known lost, by time of sending. Three sums of bytes follow the flags: sacked, lost, retrans.
//
//      snd_una                                   snd_nxt
//         │ rec │ rec S │ rec S │ rec L │ rec LR │ rec │        by sequence
//         first ──────────────────────────► last                 by time: RACK looks from the oldest on
//
// SACK blocks (RFC 2018) are found from where the last one ended, since they mostly grow there; what an acknowledgement
// may cost is bounded by TCP_SACK_STEPS, and what is beyond is left: a block unheeded is only news that come later.
#include "tcp/engine.h"
#include <string.h>

// ---- list by time ---------------------------------------------------------------------------------------------
static void timed_remove(struct sl_tcp_engine *tcp, struct tcp_conn *conn, struct tcp_record *record)
{
    if (!(record->flags & TCP_SENT_TIMED))
        return;
    record->flags &= (uint8_t)~TCP_SENT_TIMED;
    if (record->earlier == TCP_NONE)
        conn->sent_first = record->later;
    else
        tcp_record_at(tcp, record->earlier)->later = record->later;
    if (record->later == TCP_NONE)
        conn->sent_last = record->earlier;
    else
        tcp_record_at(tcp, record->later)->earlier = record->earlier;
}

static uint32_t record_index(const struct sl_tcp_engine *tcp, const struct tcp_record *record)
{
    return (uint32_t)(record - (const struct tcp_record *)tcp->records.base);
}

static void timed_append(struct sl_tcp_engine *tcp, struct tcp_conn *conn, struct tcp_record *record)
{
    uint32_t index = record_index(tcp, record);

    record->flags |= TCP_SENT_TIMED;
    record->later = TCP_NONE;
    record->earlier = conn->sent_last;
    if (conn->sent_last == TCP_NONE)
        conn->sent_first = index;
    else
        tcp_record_at(tcp, conn->sent_last)->later = index;
    conn->sent_last = index;
}

// ---- records ----------------------------------------------------------------------------------------------------
static uint32_t bytes_of(const struct tcp_record *record)
{
    return record->end - record->seq;
}

uint32_t tcp_record_add(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t seq, uint32_t end, uint32_t chunk)
{
    uint32_t index = tcp_pool_get(&tcp->records);
    struct tcp_record *record;

    if (index == TCP_NONE)
        return TCP_NONE;
    record = tcp_record_at(tcp, index);
    *record = (struct tcp_record){.sent_us = tcp->now_us,
                                  .seq = seq,
                                  .end = end,
                                  .chunk = chunk,
                                  .next = TCP_NONE,
                                  .prev = conn->sent_tail,
                                  .sends = 1};
    if (conn->sent_tail == TCP_NONE)
        conn->sent_head = index;
    else
        tcp_record_at(tcp, conn->sent_tail)->next = index;
    conn->sent_tail = index;
    conn->n_sent++;
    timed_append(tcp, conn, record);
    return index;
}

static void account(struct tcp_conn *conn, const struct tcp_record *record, int sign)
{
    uint32_t bytes = sign > 0 ? bytes_of(record) : 0u - bytes_of(record);

    conn->sacked += record->flags & TCP_SENT_SACKED ? bytes : 0;
    conn->n_sacked += record->flags & TCP_SENT_SACKED ? (uint32_t)sign : 0;
    conn->lost += record->flags & TCP_SENT_LOST ? bytes : 0;
    conn->retrans += record->flags & TCP_SENT_RETRANS ? bytes : 0;
}

static void record_free(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t index)
{
    struct tcp_record *record = tcp_record_at(tcp, index);

    timed_remove(tcp, conn, record);
    account(conn, record, -1);
    if (record->prev == TCP_NONE)
        conn->sent_head = record->next;
    else
        tcp_record_at(tcp, record->prev)->next = record->next;
    if (record->next == TCP_NONE)
        conn->sent_tail = record->prev;
    else
        tcp_record_at(tcp, record->next)->prev = record->prev;
    if (conn->sack_hint == index)
        conn->sack_hint = record->next;
    if (conn->lost_hint == index)
        conn->lost_hint = record->next;
    conn->n_sent--;
    tcp_pool_put(&tcp->records, index);
}

void tcp_records_clear(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    while (conn->sent_head != TCP_NONE)
        record_free(tcp, conn, conn->sent_head);
    conn->sack_hint = conn->lost_hint = TCP_NONE;
}

void tcp_record_lose(struct sl_tcp_engine *tcp, struct tcp_conn *conn, struct tcp_record *record)
{
    bool news = (record->flags & (TCP_SENT_LOST | TCP_SENT_RETRANS)) != TCP_SENT_LOST;

    if (record->flags & TCP_SENT_SACKED)
        return;
    timed_remove(tcp, conn, record);
    if (news)
        conn->lost_total += bytes_of(record);
    if (tcp_has(conn, TCP_MTU_PROBE_OUT) && record->end == conn->mtu_probe_end)
        tcp_mtu_probe_lose(tcp, conn, bytes_of(record));
    account(conn, record, -1);
    record->flags = (uint8_t)((record->flags & ~TCP_SENT_RETRANS) | TCP_SENT_LOST);
    account(conn, record, 1);
    if (tcp_rated(conn) && news)
        tcp_rate_lost(tcp, conn, record);
    if (!tcp_has(conn, TCP_SACK_ON)) // counted duplicates are of no record: they give way
        conn->sacked = tcp_min_u32(conn->sacked, conn->snd_nxt - conn->snd_una - conn->lost);
    if (conn->lost_hint == TCP_NONE || tcp_seq_lt(record->seq, tcp_record_at(tcp, conn->lost_hint)->seq))
        conn->lost_hint = record_index(tcp, record);
}

// RETRANS is of the lost alone: a probe repeats what may well be on its way.
void tcp_record_sent_again(struct sl_tcp_engine *tcp, struct tcp_conn *conn, struct tcp_record *record,
                           uint64_t now_us)
{
    timed_remove(tcp, conn, record);
    account(conn, record, -1);
    record->flags |= TCP_SENT_EVER | (record->flags & TCP_SENT_LOST ? TCP_SENT_RETRANS : 0);
    account(conn, record, 1);
    record->sent_us = now_us;
    if (record->sends < UINT8_MAX)
        record->sends++;
    timed_append(tcp, conn, record);
    if (tcp_rated(conn))
        tcp_rate_sent(tcp, conn, record, tcp_pipe(conn), false);
}

// Back among those in flight, where its time of sending puts it: such are mostly the oldest, and mostly behind `after`,
// the last that came back.
static void timed_insert(struct sl_tcp_engine *tcp, struct tcp_conn *conn, struct tcp_record *record, uint32_t after)
{
    uint32_t index = record_index(tcp, record), at = conn->sent_first;

    if (after != TCP_NONE && tcp_record_at(tcp, after)->sent_us <= record->sent_us)
        at = after;
    while (at != TCP_NONE && tcp_record_at(tcp, at)->sent_us <= record->sent_us)
        at = tcp_record_at(tcp, at)->later;
    if (at == TCP_NONE) {
        timed_append(tcp, conn, record);
        return;
    }
    record->flags |= TCP_SENT_TIMED;
    record->later = at;
    record->earlier = tcp_record_at(tcp, at)->earlier;
    tcp_record_at(tcp, at)->earlier = index;
    if (record->earlier == TCP_NONE)
        conn->sent_first = index;
    else
        tcp_record_at(tcp, record->earlier)->later = index;
}

void tcp_records_found(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    uint32_t after = TCP_NONE;

    for (uint32_t i = conn->sent_head; i != TCP_NONE; i = tcp_record_at(tcp, i)->next) {
        struct tcp_record *record = tcp_record_at(tcp, i);

        if (!(record->flags & TCP_SENT_LOST))
            continue;
        account(conn, record, -1);
        record->flags &= (uint8_t) ~(TCP_SENT_LOST | TCP_SENT_RETRANS);
        account(conn, record, 1);
        if (record->flags & TCP_SENT_TIMED)
            continue;
        timed_insert(tcp, conn, record, after);
        after = i;
    }
}

void tcp_records_unsack(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    for (uint32_t i = conn->sent_head; i != TCP_NONE; i = tcp_record_at(tcp, i)->next) {
        struct tcp_record *record = tcp_record_at(tcp, i);

        if (!(record->flags & TCP_SENT_SACKED))
            continue;
        account(conn, record, -1);
        record->flags &= (uint8_t)~TCP_SENT_SACKED;
        tcp_record_lose(tcp, conn, record);
    }
    conn->fack = conn->snd_una;
    memset(conn->heard, 0, sizeof(conn->heard));
}

// In which item a number lies, looked for from an item at or before it.
static uint32_t chunk_at(const struct sl_tcp_engine *tcp, uint32_t chunk, uint32_t seq)
{
    while (chunk != TCP_NONE && tcp_seq_ge(seq, tcp_item_at(tcp, chunk)->seq + tcp_item_at(tcp, chunk)->len))
        chunk = tcp_item_at(tcp, chunk)->next;
    return chunk;
}

// Cuts a record in two at a sequence number inside it; the second half inherits everything. False: no record left.
bool tcp_record_split(struct sl_tcp_engine *tcp, struct tcp_conn *conn, struct tcp_record *record, uint32_t at)
{
    uint32_t index = tcp_pool_get(&tcp->records);
    struct tcp_record *rest;

    if (index == TCP_NONE)
        return false;
    rest = tcp_record_at(tcp, index);
    *rest = *record;
    rest->seq = at;
    rest->chunk = chunk_at(tcp, record->chunk, at);
    rest->prev = record_index(tcp, record);
    if (rest->next == TCP_NONE)
        conn->sent_tail = index;
    else
        tcp_record_at(tcp, rest->next)->prev = index;
    record->next = index;
    record->end = at;
    record->flags &= (uint8_t)~TCP_SENT_FIN;
    conn->n_sent++;
    if (tcp_rated(conn))
        tcp_rate_split(tcp, record, rest);
    conn->n_sacked += !!(rest->flags & TCP_SENT_SACKED);
    if (rest->flags & TCP_SENT_TIMED) { // right behind its first half
        rest->earlier = rest->prev;
        if (rest->later == TCP_NONE)
            conn->sent_last = index;
        else
            tcp_record_at(tcp, rest->later)->earlier = index;
        record->later = index;
    }
    return true;
}

// ---- delivered ----------------------------------------------------------------------------------------------------
// A segment arrived, by SACK or by ACK: what that says about time, and about the order of the path.
static void note_delivery(struct tcp_conn *conn, const struct tcp_record *record,
                          struct tcp_ack_sample *sample, bool by_sack)
{
    uint64_t age = sample->now_us - record->sent_us;

    if (!(record->flags & TCP_SENT_EVER)) {
        uint64_t *rtt = by_sack ? &sample->sack_rtt_us : &sample->rtt_us;

        if (tcp_seq_le(record->end, conn->high_seq))
            sample->original = true;
        *rtt = age ? age : 1;
        if (tcp_seq_lt(record->end,
                       sample->prior_fack)) // RFC 8985 section 6.2 step 3: below what had arrived already
            conn->flags |= TCP_REORDER_SEEN;
    } else {
        sample->repeated = true;
        sample->repeated_ack |= !by_sack;
    }
    conn->fack = tcp_seq_max(conn->fack, record->end);
    tcp_rack_update(conn, record, sample);
}

void tcp_scoreboard_ack(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t ack,
                        struct tcp_ack_sample *sample)
{
    while (conn->sent_head != TCP_NONE) {
        struct tcp_record *record = tcp_record_at(tcp, conn->sent_head);

        if (tcp_seq_le(record->end, ack)) {
            if (!(record->flags & TCP_SENT_SACKED)) {
                note_delivery(conn, record, sample, false);
                if (tcp_rated(conn))
                    tcp_rate_delivered(tcp, conn, record);
            }
            record_free(tcp, conn, conn->sent_head);
            continue;
        }
        if (tcp_seq_lt(record->seq, ack)) { // a part of it: peers that cut segments anew
            account(conn, record, -1);
            record->seq = ack;
            record->chunk = chunk_at(tcp, record->chunk, ack);
            account(conn, record, 1);
        }
        return;
    }
}

// ---- SACK -----------------------------------------------------------------------------------------------------------
static void record_sack(struct sl_tcp_engine *tcp, struct tcp_conn *conn, struct tcp_record *record,
                        struct tcp_ack_sample *sample)
{
    if (record->flags & TCP_SENT_SACKED)
        return;
    note_delivery(conn, record, sample, true);
    if (tcp_rated(conn))
        tcp_rate_delivered(tcp, conn, record);
    timed_remove(tcp, conn, record);
    account(conn, record, -1);
    record->flags = (uint8_t)((record->flags & ~(TCP_SENT_LOST | TCP_SENT_RETRANS)) | TCP_SENT_SACKED);
    account(conn, record, 1);
    sample->sacked += bytes_of(record);
}

// The record from which on a block is to be looked for: the nearest of head, hint and tail that is not behind it.
static uint32_t search_from(const struct sl_tcp_engine *tcp, const struct tcp_conn *conn, uint32_t start,
                            unsigned *steps)
{
    uint32_t at = conn->sack_hint != TCP_NONE ? conn->sack_hint : conn->sent_head;

    if (tcp_seq_lt(start, tcp_record_at(tcp, at)->seq) &&
        start - tcp_record_at(tcp, conn->sent_head)->seq < tcp_record_at(tcp, at)->seq - start)
        return conn->sent_head;
    while (*steps && tcp_seq_lt(start, tcp_record_at(tcp, at)->seq) &&
           tcp_record_at(tcp, at)->prev != TCP_NONE) {
        at = tcp_record_at(tcp, at)->prev;
        --*steps;
    }
    return at;
}

// The records of a block that begin before `to` and end behind `from`.
static void apply_part(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct tcp_sack *block, uint32_t from,
                       uint32_t to, unsigned *steps, struct tcp_ack_sample *sample)
{
    uint32_t at = search_from(tcp, conn, from, steps);

    for (; at != TCP_NONE && *steps; at = tcp_record_at(tcp, at)->next, --*steps) {
        struct tcp_record *record = tcp_record_at(tcp, at);

        if (tcp_seq_ge(record->seq, to))
            break;
        if (tcp_seq_ge(record->seq, block->start) && tcp_seq_le(record->end, block->end)) {
            record_sack(tcp, conn, record, sample);
            conn->sack_hint = at;
        }
    }
}

// How far the walk through a block came before its steps ran out.
static uint32_t walked_to(const struct sl_tcp_engine *tcp, const struct tcp_conn *conn, const struct tcp_sack *block,
                          const struct tcp_sack *known)
{
    uint32_t end = conn->sack_hint == TCP_NONE ? block->start : tcp_record_at(tcp, conn->sack_hint)->end;

    if (tcp_seq_lt(end, block->start) || tcp_seq_gt(end, block->end) ||
        (known && tcp_seq_lt(end, known->end)))
        return known ? known->end : block->start;
    return end;
}

// Blocks grow: of one that the last acknowledgement told already only what is new is walked through, else a long block
// would cost its length each time. Returns what is known of it now: not all of it where the steps ran out.
static struct tcp_sack apply_block(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct tcp_sack *block,
                                   unsigned *steps, struct tcp_ack_sample *sample)
{
    const struct tcp_sack *known = NULL;

    for (unsigned i = 0; i < TCP_SACKS_MAX; i++) {
        const struct tcp_sack *heard = &conn->heard[i];

        if (heard->start != heard->end && tcp_seq_ge(heard->start, block->start) &&
            tcp_seq_le(heard->end, block->end) &&
            (!known || heard->end - heard->start > known->end - known->start))
            known = heard;
    }
    if (!known || known->end != block->end)
        apply_part(tcp, conn, block, known ? known->end : block->start, block->end, steps, sample);
    if (*steps == 0)
        return (struct tcp_sack){known ? known->start : block->start, walked_to(tcp, conn, block, known)};
    if (known && known->start != block->start)
        apply_part(tcp, conn, block, block->start, known->start, steps, sample);
    return *steps ? *block : (struct tcp_sack){known->start, block->end};
}

// RFC 2883 section 4: the first block lies below the ACK, or within the second one.
static bool is_dsack(const struct tcp_options *options, uint32_t ack)
{
    const struct tcp_sack *first = &options->sacks[0], *second = &options->sacks[1];

    if (tcp_seq_lt(first->start, ack))
        return true;
    return options->n_sacks > 1 && tcp_seq_ge(first->start, second->start) &&
           tcp_seq_le(first->end, second->end);
}

static void take_dsack(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct tcp_sack *block,
                       struct tcp_ack_sample *sample)
{
    int32_t told = (int32_t)((block->end - block->start + conn->snd_mss - 1) / conn->snd_mss);

    if (tcp_seq_gt(block->end, conn->snd_nxt) || !tcp_seq_lt(block->start, block->end) ||
        (tcp_seq_lt(block->start, conn->snd_una) && conn->snd_una - block->start > conn->max_window))
        return; // of nothing that we sent lately
    tcp->counters.dsacks_in++;
    sample->dsack = true;
    sample->dsack_end = block->end;
    sample->dsack_probe =
        tcp_has(conn, TCP_TLP_OUT) && tcp_has(conn, TCP_TLP_RETRANS) && block->end == conn->tlp_end;
    if (tcp_has(conn, TCP_UNDO) && conn->undo_retrans > 0 && tcp_seq_ge(block->start, conn->undo_una))
        conn->undo_retrans = told < conn->undo_retrans ? conn->undo_retrans - told : 0;
}

// A block is believed where it lies within what is in flight (CVE-class: blocks beyond snd_nxt).
static bool sound(const struct tcp_conn *conn, const struct tcp_sack *block)
{
    return tcp_seq_lt(block->start, block->end) && tcp_seq_ge(block->start, conn->snd_una) &&
           tcp_seq_le(block->end, conn->snd_nxt);
}

void tcp_scoreboard_sack(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct tcp_options *options,
                         uint32_t ack, struct tcp_ack_sample *sample)
{
    struct tcp_sack heard[TCP_SACKS_MAX] = {0};
    unsigned steps = TCP_SACK_STEPS, i = 0;

    if (is_dsack(options, ack)) {
        take_dsack(tcp, conn, &options->sacks[0], sample);
        i = 1;
    }
    if (conn->sent_head == TCP_NONE || tcp_seq_lt(ack, conn->snd_una - conn->max_window))
        return;
    if (conn->sacked == 0)
        memset(conn->heard, 0, sizeof(conn->heard)); // of a flight long gone: numbers wrap
    for (; i < options->n_sacks; i++) {
        if (!sound(conn, &options->sacks[i]))
            continue;
        heard[i] = apply_block(tcp, conn, &options->sacks[i], &steps, sample);
    }
    memcpy(conn->heard, heard, sizeof(heard));
}
