// SPDX-License-Identifier: Apache-2.0
// BBR's states, see cc_bbr.h (section 5.3).
#include "tcp/cc_bbr.h"

#define COEXISTENCE_ROUNDS                                                                                   \
    63u // section 5.3.3.8: Reno would have made up for a loss in so many, at 25 Mbit/s and 30 ms

// ---- STARTUP (section 5.3.1) -----------------------------------------------------------------------------------
void bbr_startup_enter(struct tcp_bbr *bbr)
{
    bbr->state = BBR_STARTUP;
}

static void drain_enter(struct tcp_bbr *bbr)
{
    bbr->state = BBR_DRAIN;
    bbr->drain_start_round = bbr->round_count;
}

void bbr_startup_queue_too_high(struct tcp_cc *cc)
{
    struct tcp_bbr *bbr = bbr_of(cc);

    bbr->undo_state = BBR_STARTUP;
    bbr->full_bw_now = bbr->full_bw_reached = true;
    bbr->inflight_longterm = bbr_max(bbr_bdp(cc, bbr->bw, 100), bbr->inflight_latest);
}

// Section 5.3.1.3: a whole round trip in recovery, too much lost in it, and not in one burst. Without SACK a round trip
// shows one loss at most, so one is enough.
static bool startup_lost_too_much(const struct tcp_bbr *bbr, const struct tcp_rate_sample *rs)
{
    if (!bbr->in_recovery)
        return false;
    if (!rs->sack)
        return bbr->lost_ranges != 0;
    return bbr->loss_round_start && rs->prior_delivered >= bbr->recovery_delivered &&
           bbr->lost_ranges >= BBR_STARTUP_RANGES && bbr_too_high(rs->lost, rs->sent_in_flight, true);
}

void bbr_startup_check(struct tcp_cc *cc, const struct tcp_rate_sample *rs)
{
    struct tcp_bbr *bbr = bbr_of(cc);

    if (!bbr->full_bw_reached && startup_lost_too_much(bbr, rs))
        bbr_startup_queue_too_high(cc);
    if (bbr->loss_round_start)
        bbr->lost_ranges = 0;
    if (bbr->state == BBR_STARTUP && bbr->full_bw_reached)
        drain_enter(bbr);
}

// ---- DRAIN (section 5.3.2) -------------------------------------------------------------------------------------
void bbr_drain_check(struct tcp_cc *cc, const struct tcp_rate_sample *rs)
{
    struct tcp_bbr *bbr = bbr_of(cc);

    if (bbr->state != BBR_DRAIN)
        return;
    if (rs->in_flight <= bbr_inflight(cc, bbr->bw, 100) || bbr->round_count > bbr->drain_start_round + 3)
        bbr_down_start(cc, rs->now_us);
}

// ---- PROBE_BW (section 5.3.3) ----------------------------------------------------------------------------------
static uint32_t draw(struct tcp_bbr *bbr, uint32_t below)
{
    bbr->rate.random ^= bbr->rate.random << 13;
    bbr->rate.random ^= bbr->rate.random >> 17;
    bbr->rate.random ^= bbr->rate.random << 5;
    return bbr->rate.random % below;
}

void bbr_down_start(struct tcp_cc *cc, uint64_t now_us)
{
    struct tcp_bbr *bbr = bbr_of(cc);

    bbr_signals_reset(bbr);
    bbr->probe_up_acked_per_inc = BBR_INFINITE;
    bbr->rounds_since_probe_up = draw(bbr, 2);
    bbr->bw_probe_wait_us = 2 * BBR_SECOND_US + draw(bbr, BBR_SECOND_US);
    bbr->cycle_at_us = now_us;
    bbr->ack_phase = BBR_ACKS_PROBE_STOPPING;
    bbr_round_begin(bbr);
    bbr->state = BBR_DOWN;
}

void bbr_refill_start(struct tcp_bbr *bbr)
{
    bbr_short_term_reset(bbr);
    bbr->bw_probe_up_rounds = 0;
    bbr->bw_probe_up_acked = 0;
    bbr->prev_probe_precautionary = false;
    bbr->ack_phase = BBR_ACKS_REFILLING;
    bbr_round_begin(bbr);
    bbr->state = BBR_REFILL;
}

// By 1, 2, 4, 8 segments a round trip.
static void raise_slope(struct tcp_cc *cc)
{
    struct tcp_bbr *bbr = bbr_of(cc);
    uint32_t growth = 1u << bbr->bw_probe_up_rounds;

    bbr->bw_probe_up_rounds = (uint8_t)bbr_min(bbr->bw_probe_up_rounds + 1u, 30);
    bbr->probe_up_acked_per_inc = bbr_max(cc->cwnd / growth, cc->mss);
}

static void up_start(struct tcp_cc *cc, const struct tcp_rate_sample *rs)
{
    struct tcp_bbr *bbr = bbr_of(cc);

    bbr->is_bw_probe_sample = true;
    bbr->ack_phase = BBR_ACKS_PROBE_STARTING;
    bbr_round_begin(bbr);
    bbr_full_bw_reset(bbr);
    bbr->full_bw = rs->rate_bps;
    bbr->state = BBR_UP;
    raise_slope(cc);
}

// The window was used up in this round trip or the last, and it is as large as inflight_longterm lets it be.
static bool held_by_longterm(const struct tcp_cc *cc)
{
    const struct tcp_bbr *bbr = (const struct tcp_bbr *)cc->rate;

    return (bbr->window_full || bbr->window_full_before) && cc->cwnd >= bbr->inflight_longterm;
}

static void probe_longterm_upward(struct tcp_cc *cc, const struct tcp_rate_sample *rs)
{
    struct tcp_bbr *bbr = bbr_of(cc);
    uint64_t steps;

    if (!held_by_longterm(cc))
        return;
    bbr->bw_probe_up_acked += rs->newly_acked;
    steps = bbr->bw_probe_up_acked / bbr->probe_up_acked_per_inc;
    bbr->bw_probe_up_acked %= bbr->probe_up_acked_per_inc;
    if (steps * cc->mss < BBR_INFINITE - 1 - bbr->inflight_longterm)
        bbr->inflight_longterm += (uint32_t)steps * cc->mss;
    if (bbr->round_start)
        raise_slope(cc);
}

// Where acknowledgements stand to the last probe; true: that has decided on the next state.
static bool ack_phase_step(struct tcp_bbr *bbr, const struct tcp_rate_sample *rs)
{
    if (!bbr->round_start)
        return false;
    if (bbr->ack_phase == BBR_ACKS_PROBE_STARTING)
        bbr->ack_phase = BBR_ACKS_PROBE_FEEDBACK;
    if (bbr->ack_phase != BBR_ACKS_PROBE_STOPPING)
        return false;
    bbr->is_bw_probe_sample = false;
    bbr->ack_phase = BBR_ACKS_INIT;
    if (!bbr_in_probe_bw(bbr))
        return false;
    if (!rs->app_limited)
        bbr_max_bw_advance(bbr);
    if (!bbr->prev_probe_precautionary || bbr->prev_probe_too_high)
        return false;
    bbr_refill_start(bbr); // the cautious probe did no harm (section 5.3.3.6)
    return true;
}

static bool adapt_long_term(struct tcp_cc *cc, const struct tcp_rate_sample *rs)
{
    struct tcp_bbr *bbr = bbr_of(cc);

    if (ack_phase_step(bbr, rs))
        return true;
    if (bbr_too_high(rs->lost, rs->sent_in_flight, rs->sack) || bbr->inflight_longterm == BBR_INFINITE)
        return false;
    bbr->inflight_longterm = bbr_max(bbr->inflight_longterm, rs->sent_in_flight);
    if (bbr->state == BBR_UP)
        probe_longterm_upward(cc, rs);
    return false;
}

// After two to three seconds, or as many rounds as Reno would need to have its window back, whichever is sooner.
static bool time_to_probe(const struct tcp_cc *cc, uint64_t now_us)
{
    const struct tcp_bbr *bbr = (const struct tcp_bbr *)cc->rate;

    return now_us > bbr->cycle_at_us + bbr->bw_probe_wait_us ||
           bbr->rounds_since_probe_up >= bbr_min(bbr_target_inflight(cc) / cc->mss, COEXISTENCE_ROUNDS);
}

static bool time_to_cruise(const struct tcp_cc *cc, uint32_t in_flight)
{
    const struct tcp_bbr *bbr = (const struct tcp_bbr *)cc->rate;

    return in_flight <= bbr_with_headroom(cc) && in_flight <= bbr_inflight(cc, bbr->max_bw, 100);
}

static bool time_to_go_down(struct tcp_cc *cc, const struct tcp_rate_sample *rs)
{
    struct tcp_bbr *bbr = bbr_of(cc);

    if (bbr->prev_probe_too_high && rs->in_flight >= bbr->inflight_longterm) {
        bbr->prev_probe_precautionary = true;
        return true;
    }
    if (!held_by_longterm(cc))
        return bbr->full_bw_now;
    bbr_full_bw_reset(bbr); // not the path is what holds it
    bbr->full_bw = rs->rate_bps;
    return false;
}

void bbr_probe_bw(struct tcp_cc *cc, const struct tcp_rate_sample *rs)
{
    struct tcp_bbr *bbr = bbr_of(cc);

    if (!bbr->full_bw_reached || adapt_long_term(cc, rs))
        return;
    if ((bbr->state == BBR_DOWN || bbr->state == BBR_CRUISE) && time_to_probe(cc, rs->now_us)) {
        bbr_refill_start(bbr);
    } else if (bbr->state == BBR_DOWN && time_to_cruise(cc, rs->in_flight)) {
        bbr->state = BBR_CRUISE;
    } else if (bbr->state == BBR_REFILL && bbr->round_start) {
        up_start(cc, rs);
    } else if (bbr->state == BBR_UP && time_to_go_down(cc, rs)) {
        bbr->prev_probe_too_high = false; // so far
        bbr_down_start(cc, rs->now_us);
    }
}

// ---- PROBE_RTT (section 5.3.4) ---------------------------------------------------------------------------------
static void probe_rtt_leave(struct tcp_cc *cc, uint64_t now_us)
{
    struct tcp_bbr *bbr = bbr_of(cc);

    bbr_short_term_reset(bbr);
    if (!bbr->full_bw_reached) {
        bbr_startup_enter(bbr);
        return;
    }
    bbr_down_start(cc, now_us); // the clock of probing starts anew
    bbr->state = BBR_CRUISE;    // and nothing is left to drain
}

void bbr_probe_rtt_check_done(struct tcp_cc *cc, uint64_t now_us)
{
    struct tcp_bbr *bbr = bbr_of(cc);

    if (bbr->probe_rtt_done_us == 0 || now_us <= bbr->probe_rtt_done_us)
        return;
    bbr->probe_rtt_min_at_us = now_us;
    bbr_restore_cwnd(cc);
    probe_rtt_leave(cc, now_us);
}

static void probe_rtt_handle(struct tcp_cc *cc, const struct tcp_rate_sample *rs)
{
    struct tcp_bbr *bbr = bbr_of(cc);

    tcp_rate_limit(&bbr->rate, rs->in_flight); // so little in flight is not what the path can do
    if (bbr->probe_rtt_done_us == 0 && rs->in_flight <= bbr_probe_rtt_cwnd(cc)) {
        bbr->probe_rtt_done_us = rs->now_us + BBR_PROBE_RTT_FOR_US;
        bbr->probe_rtt_round_done = false;
        bbr_round_begin(bbr);
    } else if (bbr->probe_rtt_done_us) {
        bbr->probe_rtt_round_done |= bbr->round_start;
        if (bbr->probe_rtt_round_done)
            bbr_probe_rtt_check_done(cc, rs->now_us);
    }
}

void bbr_probe_rtt(struct tcp_cc *cc, const struct tcp_rate_sample *rs)
{
    struct tcp_bbr *bbr = bbr_of(cc);

    if (bbr->state != BBR_PROBE_RTT && bbr->probe_rtt_expired && !bbr->idle_restart) {
        bbr_save_cwnd(cc);
        bbr->state = BBR_PROBE_RTT;
        bbr->probe_rtt_done_us = 0;
        bbr->ack_phase = BBR_ACKS_PROBE_STOPPING;
        bbr_round_begin(bbr);
    }
    if (bbr->state == BBR_PROBE_RTT)
        probe_rtt_handle(cc, rs);
    if (rs->delivered)
        bbr->idle_restart = false;
}
