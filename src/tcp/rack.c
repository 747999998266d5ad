// SPDX-License-Identifier: Apache-2.0
// RACK-TLP (RFC 8985): a segment is lost when one sent later has arrived and it has had its time; and a probe soon after
// the last segment of a flight, so that a lost tail is found by acknowledgements and not by the timeout.
#include "tcp/engine.h"

static bool sent_after(uint64_t a_us, uint32_t a_end, uint64_t b_us, uint32_t b_end)
{
    return a_us > b_us || (a_us == b_us && tcp_seq_gt(a_end, b_end));
}

// Section 6.2 steps 1 and 2. An acknowledgement sooner than any round trip is of the first sending, not of the repetition.
void tcp_rack_update(struct tcp_conn *conn, const struct tcp_record *record,
                     const struct tcp_ack_sample *sample)
{
    uint64_t rtt = sample->now_us - record->sent_us;

    if (record->flags & TCP_SENT_EVER &&
        (rtt < conn->min_rtt_us ||
         (sample->timestamped && tcp_seq_lt(sample->tsecr, tcp_ts_now(conn, record->sent_us)))))
        return;
    if (!sent_after(record->sent_us, record->end, conn->rack_sent_us, conn->rack_end))
        return;
    conn->rack_sent_us = record->sent_us;
    conn->rack_end = record->end;
    conn->rack_rtt_us = (uint32_t)rtt;
}

// Section 6.2 step 4. Without a sign of reordering, three segments that arrived are enough, as they always were.
static uint64_t reorder_window(const struct tcp_conn *conn)
{
    uint64_t window;

    if (!tcp_has(conn, TCP_REORDER_SEEN) && (conn->recovery >= TCP_RECOVERY || conn->n_sacked >= 3))
        return 0;
    window = (uint64_t)conn->rack_steps * conn->min_rtt_us / 4;
    return tcp_min_u64(window, conn->srtt_us);
}

// Step 4: DSACKs say the window was too small; once a round trip, and for 16 recoveries.
void tcp_rack_dsack(struct tcp_conn *conn, const struct tcp_ack_sample *sample)
{
    if (!sample->dsack || sample->dsack_probe ||
        (tcp_seq_lt(conn->snd_una, conn->rack_dsack_round) &&
         tcp_seq_le(conn->rack_dsack_round, conn->snd_nxt)))
        return; // a round that is not between the two is long over: numbers wrap
    conn->rack_dsack_round = conn->snd_nxt;
    if (conn->rack_steps < UINT8_MAX)
        conn->rack_steps++;
    conn->rack_persist = 16;
}

void tcp_rack_recovered(struct tcp_conn *conn)
{
    if (conn->rack_persist && --conn->rack_persist == 0)
        conn->rack_steps = 1;
}

// Step 5, from the oldest on: behind the first that was sent later than what arrived there is none. The timer is for the
// next one that becomes due, not the last as in the RFC: that one need not be looked for, at each ACK, through them all.
// Each has the same time to arrive either way; only where no ACK comes meanwhile, which would look as well, are those before
// the last found sooner. On lossy virtual paths the two differ by less than seeds do.
uint64_t tcp_rack_detect(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us)
{
    uint64_t window = reorder_window(conn);
    uint32_t at = conn->sent_first;

    if (conn->rack_sent_us == 0)
        return 0;
    while (at != TCP_NONE) {
        struct tcp_record *record = tcp_record_at(tcp, at);
        uint64_t due = record->sent_us + conn->rack_rtt_us + window;

        if (!sent_after(conn->rack_sent_us, conn->rack_end, record->sent_us, record->end))
            break;
        at = record->later;
        if (due > now_us)
            return due; // those behind it are due later still
        tcp_record_lose(tcp, conn, record);
    }
    return 0;
}

bool tcp_rack_timed_out(const struct tcp_conn *conn, const struct tcp_record *record, uint64_t now_us)
{
    return record->sent_us + conn->rack_rtt_us + reorder_window(conn) <= now_us;
}

// ---- tail loss probe --------------------------------------------------------------------------------------------
#define PROBE_SLACK_US (2 * TCP_MS)

// Section 7.2. With one segment in flight the peer may delay its acknowledgement.
static uint64_t probe_timeout(const struct tcp_conn *conn)
{
    if (conn->srtt_us == 0)
        return TCP_RTO_INITIAL_US;
    return 2ull * conn->srtt_us + (conn->n_sent == 1 ? TCP_DELACK_MAX_US : PROBE_SLACK_US);
}

bool tcp_tlp_schedule(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us)
{
    uint64_t timeout_us = tcp_record_at(tcp, conn->sent_head)->sent_us + tcp_rto_backed_off(conn);

    if (!tcp_has(conn, TCP_SACK_ON) || tcp_has(conn, TCP_TLP_OUT | TCP_PROBE_NOW) ||
        conn->recovery > TCP_CWR || conn->sacked || conn->timeouts || conn->lost || !tcp_synchronized(conn))
        return false;
    conn->rtx = TCP_RTX_PROBE;
    conn->rtx_us = tcp_min_u64(now_us + probe_timeout(conn),
                               timeout_us > now_us ? timeout_us : now_us + TCP_WHEEL_TICK_US);
    tcp_arm(tcp, conn);
    return true;
}

// Section 7.4.2: was a segment lost that only the probe repaired? Then the window has to know.
void tcp_tlp_ack(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t ack, const struct tcp_ack_sample *sample)
{
    if (!tcp_has(conn, TCP_TLP_OUT))
        return;
    if (sample->dsack_probe) {
        conn->flags &= ~(uint32_t)TCP_TLP_OUT; // both arrived
        return;
    }
    if (tcp_seq_lt(ack, conn->tlp_end))
        return;
    if (!tcp_has(conn, TCP_TLP_RETRANS)) {
        conn->flags &= ~(uint32_t)TCP_TLP_OUT; // new data
        return;
    }
    if (tcp_seq_gt(ack, conn->tlp_end)) {
        conn->flags &= ~(uint32_t)TCP_TLP_OUT;
        tcp_enter_cwr(tcp, conn, sample, false);
    } else if (!sample->acked && !sample->sacked && !sample->has_data) {
        conn->flags &= ~(uint32_t)TCP_TLP_OUT; // a second ACK for the same: both arrived
    }
}
