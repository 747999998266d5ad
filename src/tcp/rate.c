// SPDX-License-Identifier: Apache-2.0
// Samples of the delivery rate, see rate.h: noted as segments leave and arrive, made up once for an acknowledgement.
#include "tcp/engine.h"

static struct tcp_rate_sent *sent_at(const struct sl_tcp_engine *tcp, const struct tcp_record *record)
{
    return &tcp->rates[record - (const struct tcp_record *)tcp->records.base];
}

// ---- leaving --------------------------------------------------------------------------------------------------
// Section 4.1.2.2. With nothing outstanding an interval begins now; else it begins with the last delivery.
void tcp_rate_sent(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct tcp_record *record,
                   uint32_t in_flight, bool first)
{
    struct tcp_rate *rate = conn->cc.rate;

    if (first)
        rate->first_sent_us = rate->delivered_us = record->sent_us;
    *sent_at(tcp, record) = (struct tcp_rate_sent){.delivered = (uint32_t)rate->delivered,
                                                   .delivered_us = (uint32_t)rate->delivered_us,
                                                   .first_sent_us = (uint32_t)rate->first_sent_us,
                                                   .in_flight = in_flight,
                                                   .lost = conn->lost_total,
                                                   .app_limited = rate->limited_until != 0};
    if (in_flight + conn->snd_mss > conn->cc.cwnd && !tcp_has(conn, TCP_FORCE_SEND))
        rate->window_full = true;
}

void tcp_rate_split(struct sl_tcp_engine *tcp, const struct tcp_record *record, const struct tcp_record *rest)
{
    *sent_at(tcp, rest) = *sent_at(tcp, record);
}

// Section 4.1.2.4: window and pacing would let a segment go, and there is none.
void tcp_rate_check(struct tcp_conn *conn, uint64_t now_us)
{
    uint32_t pipe = tcp_pipe(conn);

    if (tcp_unsent(conn) < conn->snd_mss && conn->pace_us <= now_us &&
        pipe + conn->snd_mss <= conn->cc.cwnd && conn->lost <= conn->retrans)
        tcp_rate_limit(conn->cc.rate, pipe);
}

// ---- arriving -------------------------------------------------------------------------------------------------
void tcp_rate_begin(struct tcp_conn *conn, uint64_t now_us)
{
    tcp_rate_check(conn, now_us);
    conn->cc.rate->sample = (struct tcp_rate_sample){.now_us = now_us, .sack = tcp_has(conn, TCP_SACK_ON)};
}

static bool newest(const struct tcp_rate *rate, const struct tcp_record *record)
{
    return !rate->sample.any || record->sent_us > rate->first_sent_us ||
           (record->sent_us == rate->first_sent_us && tcp_seq_gt(record->end, rate->newest_end));
}

// Section 4.1.2.3: the newest of the segments that one acknowledgement delivers tells the most.
void tcp_rate_delivered(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct tcp_record *record)
{
    const struct tcp_rate_sent *sent = sent_at(tcp, record);
    struct tcp_rate *rate = conn->cc.rate;
    struct tcp_rate_sample *sample = &rate->sample;

    if (!newest(rate, record))
        return;
    sample->any = true;
    sample->prior_delivered = rate->delivered - (uint32_t)((uint32_t)rate->delivered - sent->delivered);
    sample->app_limited = sent->app_limited;
    sample->sent_in_flight = sent->in_flight;
    sample->lost = sent->lost; // until tcp_rate_ack()
    sample->send_us = (uint32_t)record->sent_us - sent->first_sent_us;
    sample->ack_us = (uint32_t)sample->now_us - sent->delivered_us;
    if (!(record->flags & TCP_SENT_EVER))
        sample->rtt_us = tcp_max_u32((uint32_t)tcp_min_u64(sample->now_us - record->sent_us, TCP_RTO_MAX_US), 1);
    rate->newest_end = record->end;
    rate->first_sent_us = record->sent_us;
}

// Lost for its size is not lost to congestion (RFC 4821 section 7.5).
void tcp_rate_lost(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct tcp_record *record)
{
    const struct tcp_rate_sent *sent = sent_at(tcp, record);
    struct tcp_cc_loss loss = {.now_us = tcp->now_us,
                               .seq = record->seq,
                               .bytes = record->end - record->seq,
                               .sent_in_flight = sent->in_flight,
                               .lost = conn->lost_total - sent->lost,
                               .app_limited = sent->app_limited,
                               .sack = tcp_has(conn, TCP_SACK_ON)};

    if (loss.bytes <= conn->snd_mss + 1u)
        conn->cc.ops->lost(&conn->cc, &loss);
}

// An interval shorter than any round trip is an acknowledgement of the first sending that was taken for one of the
// repetition.
static void make_up(const struct tcp_conn *conn, struct tcp_rate *rate, struct tcp_rate_sample *sample)
{
    uint32_t interval_us = tcp_max_u32(sample->send_us, sample->ack_us);

    sample->delivered = (uint32_t)(rate->delivered - sample->prior_delivered);
    sample->lost = conn->lost_total - sample->lost;
    if (interval_us == 0 || interval_us < conn->min_rtt_us)
        return;
    sample->rate_bps = tcp_min_u64(sample->delivered * TCP_S / interval_us, TCP_RATE_MAX_BPS);
}

// What tells of losses counts as delivered before them. Without SACK what duplicates stood for is found out along with them.
void tcp_rate_count(struct tcp_conn *conn, const struct tcp_ack_sample *ack)
{
    struct tcp_rate *rate = conn->cc.rate;
    int32_t delivered = (int32_t)(conn->snd_una + conn->sacked - ack->prior_una - ack->prior_sacked);
    uint32_t counted = rate->sample.newly_acked;

    if (delivered <= 0 || (uint32_t)delivered <= counted)
        return;
    rate->sample.newly_acked = (uint32_t)delivered;
    rate->delivered += (uint32_t)delivered - counted;
    rate->delivered_us = ack->now_us;
}

void tcp_rate_ack(struct tcp_conn *conn, const struct tcp_ack_sample *ack)
{
    struct tcp_rate *rate = conn->cc.rate;
    struct tcp_rate_sample *sample = &rate->sample;
    struct tcp_cc_ack to_cc = {.now_us = ack->now_us, .srtt_us = conn->srtt_us, .rate = sample};

    tcp_rate_count(conn, ack);
    sample->newly_lost = conn->lost_total - ack->prior_lost;
    sample->in_flight = tcp_pipe(conn);
    sample->window_full = rate->window_full;
    rate->window_full = false;
    if (rate->limited_until && rate->delivered > rate->limited_until)
        rate->limited_until = 0;
    if (sample->any)
        make_up(conn, rate, sample);
    if (sample->any || sample->newly_acked)
        conn->cc.ops->acked(&conn->cc, &to_cc);
}
