// SPDX-License-Identifier: Apache-2.0
// BBR's model of the path, see cc_bbr.h (section 5.5).
#include "tcp/cc_bbr.h"

void bbr_model_init(struct tcp_cc *cc, uint64_t now_us, uint32_t srtt_us)
{
    struct tcp_bbr *bbr = bbr_of(cc);

    bbr->min_rtt_us = bbr->probe_rtt_min_us = srtt_us ? srtt_us : UINT32_MAX;
    bbr->min_rtt_at_us = bbr->probe_rtt_min_at_us = bbr->extra_from_us = now_us;
    bbr->inflight_longterm = bbr->probe_up_acked_per_inc = BBR_INFINITE;
    bbr->undo_state = BBR_NO_STATE;
    bbr_short_term_reset(bbr);
    bbr_startup_enter(bbr);
}

// ---- rounds and bandwidth (sections 5.5.1 to 5.5.6) ------------------------------------------------------------
static void update_round(struct tcp_bbr *bbr, const struct tcp_rate_sample *rs)
{
    bbr->window_full |= rs->window_full;
    bbr->round_start = rs->prior_delivered >= bbr->next_round_delivered;
    if (!bbr->round_start)
        return;
    bbr_round_begin(bbr);
    bbr->round_count++;
    bbr->rounds_since_probe_up++;
    bbr->window_full_before = bbr->window_full;
    bbr->window_full = rs->window_full;
}

// A sample that the application held down still tells where it is above what was thought.
static void update_max_bw(struct tcp_bbr *bbr, const struct tcp_rate_sample *rs)
{
    if (rs->rate_bps == 0 || (rs->app_limited && rs->rate_bps < bbr->max_bw))
        return;
    if (rs->rate_bps > bbr->max_bw_filter[0])
        bbr->max_bw_filter[0] = rs->rate_bps;
    bbr->max_bw =
        bbr->max_bw_filter[0] > bbr->max_bw_filter[1] ? bbr->max_bw_filter[0] : bbr->max_bw_filter[1];
}

// One round trip after a probe has ended. A cycle without samples does not make forget what was.
void bbr_max_bw_advance(struct tcp_bbr *bbr)
{
    if (bbr->max_bw_filter[0] == 0)
        return;
    bbr->max_bw_filter[1] = bbr->max_bw_filter[0];
    bbr->max_bw_filter[0] = 0;
}

// ---- short-term model (section 5.5.10.3) -----------------------------------------------------------------------
void bbr_signals_reset(struct tcp_bbr *bbr)
{
    bbr->is_loss_in_round = false;
    bbr->bw_latest = 0;
    bbr->inflight_latest = 0;
}

void bbr_short_term_reset(struct tcp_bbr *bbr)
{
    bbr->bw_shortterm = BBR_BW_INFINITE;
    bbr->inflight_shortterm = BBR_INFINITE;
}

static void latest_signals(struct tcp_bbr *bbr, const struct tcp_rate_sample *rs)
{
    if (rs->rate_bps > bbr->bw_latest)
        bbr->bw_latest = rs->rate_bps;
    bbr->inflight_latest = bbr_max(bbr->inflight_latest, rs->delivered);
    bbr->loss_round_start = rs->prior_delivered >= bbr->loss_round_delivered;
    if (bbr->loss_round_start)
        bbr->loss_round_delivered = bbr->rate.delivered;
}

void bbr_signals_advance(struct tcp_bbr *bbr, const struct tcp_rate_sample *rs)
{
    if (!bbr->loss_round_start)
        return;
    bbr->bw_latest = rs->rate_bps;
    bbr->inflight_latest = rs->delivered;
}

static bool probes_for_bandwidth(const struct tcp_bbr *bbr)
{
    return bbr->state == BBR_STARTUP || bbr->state == BBR_REFILL || bbr->state == BBR_UP;
}

// Down to what arrived in the last round trip, by three tenths at most. After a timeout the window does not tell what was
// in flight.
static void adapt_lower_bounds(struct tcp_cc *cc)
{
    struct tcp_bbr *bbr = bbr_of(cc);
    uint64_t bw;

    if (probes_for_bandwidth(bbr) || !bbr->is_loss_in_round)
        return;
    if (bbr->bw_shortterm == BBR_BW_INFINITE)
        bbr->bw_shortterm = bbr->max_bw;
    if (bbr->inflight_shortterm == BBR_INFINITE)
        bbr->inflight_shortterm = bbr->in_recovery ? bbr_max(cc->cwnd, bbr->prior_cwnd) : cc->cwnd;
    bw = bbr->bw_shortterm * BBR_BETA / 100;
    bbr->bw_shortterm = bw > bbr->bw_latest ? bw : bbr->bw_latest;
    bbr->inflight_shortterm =
        bbr_max(bbr->inflight_latest, (uint32_t)((uint64_t)bbr->inflight_shortterm * BBR_BETA / 100));
}

void bbr_congestion_signals(struct tcp_cc *cc, const struct tcp_rate_sample *rs)
{
    struct tcp_bbr *bbr = bbr_of(cc);

    latest_signals(bbr, rs);
    update_round(bbr, rs);
    update_max_bw(bbr, rs);
    if (!bbr->loss_round_start)
        return;
    adapt_lower_bounds(cc);
    bbr->is_loss_in_round = false;
}

// ---- aggregation (section 5.5.9) -------------------------------------------------------------------------------
// What more than expected was acknowledged since acknowledgements last fell behind; the most of ten rounds, of one in
// STARTUP.
static uint32_t extra_most(const struct tcp_bbr *bbr)
{
    uint32_t at = bbr->round_count % BBR_EXTRA_ROUNDS, most = 0;

    if (!bbr->full_bw_reached)
        return bbr_max(bbr->extra_of_round[at],
                       bbr->extra_of_round[(at + BBR_EXTRA_ROUNDS - 1) % BBR_EXTRA_ROUNDS]);
    for (unsigned i = 0; i < BBR_EXTRA_ROUNDS; i++)
        most = bbr_max(most, bbr->extra_of_round[i]);
    return most;
}

void bbr_aggregation(struct tcp_cc *cc, const struct tcp_rate_sample *rs)
{
    struct tcp_bbr *bbr = bbr_of(cc);
    uint32_t *of_round = &bbr->extra_of_round[bbr->round_count % BBR_EXTRA_ROUNDS];
    uint64_t interval_us = rs->now_us - bbr->extra_from_us, expected;

    if (interval_us > BBR_MIN_RTT_US)
        interval_us = BBR_MIN_RTT_US;
    expected = bbr->bw * interval_us / BBR_SECOND_US;
    if (bbr->extra_delivered <= expected) {
        bbr->extra_delivered = 0;
        bbr->extra_from_us = rs->now_us;
        expected = 0;
    }
    bbr->extra_delivered += rs->newly_acked;
    if (bbr->round_start)
        *of_round = 0;
    if (bbr->extra_delivered > expected)
        *of_round = bbr_max(*of_round, bbr_min((uint32_t)(bbr->extra_delivered - expected), cc->cwnd));
    bbr->extra_acked = extra_most(bbr);
}

// ---- round trip (sections 5.3.4.3, 5.5.7) ----------------------------------------------------------------------
void bbr_min_rtt(struct tcp_bbr *bbr, const struct tcp_rate_sample *rs)
{
    bbr->probe_rtt_expired = rs->now_us > bbr->probe_rtt_min_at_us + BBR_PROBE_RTT_US;
    if (rs->rtt_us && (rs->rtt_us < bbr->probe_rtt_min_us || bbr->probe_rtt_expired)) {
        bbr->probe_rtt_min_us = rs->rtt_us;
        bbr->probe_rtt_min_at_us = rs->now_us;
    }
    if (bbr->probe_rtt_min_us < bbr->min_rtt_us || rs->now_us > bbr->min_rtt_at_us + BBR_MIN_RTT_US) {
        bbr->min_rtt_us = bbr->probe_rtt_min_us;
        bbr->min_rtt_at_us = bbr->probe_rtt_min_at_us;
    }
}

// ---- is the pipe full? (section 5.3.1.2) -----------------------------------------------------------------------
void bbr_full_bw_reset(struct tcp_bbr *bbr)
{
    bbr->full_bw = 0;
    bbr->full_bw_count = 0;
    bbr->full_bw_now = false;
}

// Three rounds in which sending faster brought less than a quarter more. A round without a sound sample is no sign.
void bbr_full_bw_check(struct tcp_bbr *bbr, const struct tcp_rate_sample *rs)
{
    if (bbr->full_bw_now || !bbr->round_start || rs->app_limited || rs->rate_bps == 0)
        return;
    if (rs->rate_bps >= bbr->full_bw + bbr->full_bw / 4) {
        bbr_full_bw_reset(bbr);
        bbr->full_bw = rs->rate_bps;
        return;
    }
    bbr->full_bw_now = ++bbr->full_bw_count >= 3;
    bbr->full_bw_reached |= bbr->full_bw_now;
}

// ---- losses (section 5.5.10.2) ---------------------------------------------------------------------------------
bool bbr_too_high(uint32_t lost, uint32_t in_flight, bool sack)
{
    return (uint64_t)lost * 100 > (uint64_t)in_flight * BBR_LOSS_THRESH || (lost && !sack);
}

// Once for a recovery, by whatever comes first: the first loss of all, or the recovery.
void bbr_save_state(struct tcp_cc *cc)
{
    struct tcp_bbr *bbr = bbr_of(cc);

    bbr_save_cwnd(cc);
    if (bbr->saved)
        return;
    bbr->saved = true;
    bbr->undo_state = BBR_NO_STATE;
    bbr->undo_bw_shortterm = bbr->bw_shortterm;
    bbr->undo_inflight_shortterm = bbr->inflight_shortterm;
    bbr->undo_inflight_longterm = bbr->inflight_longterm;
}

void bbr_note_loss(struct tcp_cc *cc)
{
    struct tcp_bbr *bbr = bbr_of(cc);

    if (bbr->is_loss_in_round)
        return;
    bbr->loss_round_delivered = bbr->rate.delivered;
    bbr_save_state(cc);
    bbr->is_loss_in_round = true;
}

void bbr_inflight_too_high(struct tcp_cc *cc, uint32_t in_flight, bool app_limited, uint64_t now_us)
{
    struct tcp_bbr *bbr = bbr_of(cc);

    bbr->prev_probe_too_high = true;
    bbr->is_bw_probe_sample = false; // once a probe
    if (!app_limited)
        bbr->inflight_longterm =
            bbr_max(in_flight, (uint32_t)((uint64_t)bbr_target_inflight(cc) * BBR_BETA / 100));
    if (bbr->state == BBR_UP) {
        bbr->undo_state = BBR_UP;
        bbr_down_start(cc, now_us);
    }
}

// With how much in flight the losses crossed the threshold, which the lost segment may have done with a part of itself.
static uint32_t inflight_at_loss(const struct tcp_cc_loss *loss)
{
    int64_t before = (int64_t)loss->sent_in_flight - loss->bytes,
            lost_before = (int64_t)loss->lost - loss->bytes;
    int64_t prefix =
        ((int64_t)BBR_LOSS_THRESH * before - 100 * lost_before) / (int64_t)(100 - BBR_LOSS_THRESH);

    before = before > 0 ? before : 0;
    return (uint32_t)(before + (prefix > 0 ? prefix : 0));
}

void bbr_lost(struct tcp_cc *cc, const struct tcp_cc_loss *loss)
{
    struct tcp_bbr *bbr = bbr_of(cc);

    bbr_note_loss(cc);
    if (loss->seq != bbr->lost_end || bbr->lost_ranges == 0)
        bbr->lost_ranges += bbr->lost_ranges < UINT8_MAX;
    bbr->lost_end = loss->seq + loss->bytes;
    if (bbr->is_bw_probe_sample && bbr_too_high(loss->lost, loss->sent_in_flight, loss->sack))
        bbr_inflight_too_high(cc, inflight_at_loss(loss), loss->app_limited, loss->now_us);
}

// ---- it was none (section 5.5.11.2) ----------------------------------------------------------------------------
void bbr_undo(struct tcp_cc *cc, uint64_t now_us)
{
    struct tcp_bbr *bbr = bbr_of(cc);

    (void)now_us;
    bbr_restore_cwnd(cc);
    bbr->is_loss_in_round = false;
    bbr_full_bw_reset(bbr);
    if (bbr->undo_bw_shortterm > bbr->bw_shortterm)
        bbr->bw_shortterm = bbr->undo_bw_shortterm;
    bbr->inflight_shortterm = bbr_max(bbr->inflight_shortterm, bbr->undo_inflight_shortterm);
    bbr->inflight_longterm = bbr_max(bbr->inflight_longterm, bbr->undo_inflight_longterm);
    if (bbr->undo_state == BBR_STARTUP && bbr->state != BBR_STARTUP) {
        bbr->full_bw_reached = false;
        if (bbr->state != BBR_PROBE_RTT)
            bbr_startup_enter(bbr);
    } else if (bbr->undo_state == BBR_UP && bbr->state != BBR_UP && bbr->state != BBR_PROBE_RTT) {
        bbr_refill_start(bbr);
    }
    bbr->undo_state = BBR_NO_STATE;
}
