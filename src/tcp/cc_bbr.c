// SPDX-License-Identifier: Apache-2.0
// BBR, see cc_bbr.h: what the table calls, and what comes out of the model, window and pacing rate.
#include "tcp/cc_bbr.h"
#include <assert.h>
#include <string.h>

static_assert(sizeof(struct tcp_bbr) <= 400, "one for each connection that uses it");

#define PACING_MARGIN 1u  // percent
#define QUANTUM_US    64u // a tick of the wheel: what goes out at once was due within it
#define QUANTUM_MAX   65536u

// Section 5.6.1.
static const struct {
    uint16_t pacing, cwnd; // percent
} gains[] = {
    [BBR_STARTUP] = {277, 200},  [BBR_DRAIN] = {50, 200},   [BBR_DOWN] = {90, 200},
    [BBR_CRUISE] = {100, 200},   [BBR_REFILL] = {100, 200}, [BBR_UP] = {125, 225},
    [BBR_PROBE_RTT] = {100, 50},
};

// ---- volumes (section 5.6.4.2) --------------------------------------------------------------------------------
static uint32_t saturated(uint64_t bytes)
{
    return bytes < BBR_INFINITE ? (uint32_t)bytes : BBR_INFINITE - 1;
}

uint32_t bbr_bdp(const struct tcp_cc *cc, uint64_t bw, uint32_t gain)
{
    const struct tcp_bbr *bbr = (const struct tcp_bbr *)cc->rate;

    if (bbr->min_rtt_us == UINT32_MAX)
        return cc->initial_cwnd;
    return saturated(bw * bbr->min_rtt_us / BBR_SECOND_US * gain / 100);
}

// Three quanta: one that waits for its tick, one in the peer's offloads, one whose acknowledgement is put off. Ours is
// small, segments go one by one (section 5.6.3: the smallest that is feasible).
static uint32_t offload_budget(const struct tcp_cc *cc)
{
    uint64_t quantum = cc->rate->pacing_bps * QUANTUM_US / BBR_SECOND_US;

    quantum = quantum < QUANTUM_MAX ? quantum : QUANTUM_MAX;
    return 3 * bbr_max((uint32_t)quantum, 2 * cc->mss);
}

static uint32_t with_quanta(const struct tcp_cc *cc, uint32_t volume)
{
    const struct tcp_bbr *bbr = (const struct tcp_bbr *)cc->rate;

    volume = bbr_max(volume, bbr_max(offload_budget(cc), bbr_min_pipe(cc)));
    return bbr->state == BBR_UP ? saturated((uint64_t)volume + 2 * cc->mss) : volume;
}

uint32_t bbr_inflight(const struct tcp_cc *cc, uint64_t bw, uint32_t gain)
{
    return with_quanta(cc, bbr_bdp(cc, bw, gain));
}

uint32_t bbr_target_inflight(const struct tcp_cc *cc)
{
    const struct tcp_bbr *bbr = (const struct tcp_bbr *)cc->rate;

    return bbr_min(bbr_bdp(cc, bbr->bw, 100), cc->cwnd);
}

uint32_t bbr_probe_rtt_cwnd(const struct tcp_cc *cc)
{
    const struct tcp_bbr *bbr = (const struct tcp_bbr *)cc->rate;

    return bbr_max(bbr_bdp(cc, bbr->bw, gains[BBR_PROBE_RTT].cwnd), bbr_min_pipe(cc));
}

uint32_t bbr_with_headroom(const struct tcp_cc *cc)
{
    const struct tcp_bbr *bbr = (const struct tcp_bbr *)cc->rate;
    uint32_t headroom;

    if (bbr->inflight_longterm == BBR_INFINITE)
        return BBR_INFINITE;
    headroom = bbr_max(cc->mss, (uint32_t)((uint64_t)bbr->inflight_longterm * BBR_HEADROOM / 100));
    return bbr_max(bbr->inflight_longterm - bbr_min(headroom, bbr->inflight_longterm), bbr_min_pipe(cc));
}

// ---- pacing rate (section 5.6.2) -------------------------------------------------------------------------------
static void init_pacing(struct tcp_cc *cc, uint32_t srtt_us)
{
    uint64_t nominal = (uint64_t)cc->initial_cwnd * BBR_SECOND_US / (srtt_us ? srtt_us : 1000);

    cc->rate->pacing_bps = nominal * gains[BBR_STARTUP].pacing / 100;
    bbr_of(cc)->rtt_seen = srtt_us != 0;
}

// Until the pipe was full once, what the samples say may be the application's rate: then it only grows.
static void set_pacing(struct tcp_cc *cc, uint32_t gain)
{
    const struct tcp_bbr *bbr = bbr_of(cc);
    uint64_t rate = bbr->bw * gain / 100 * (100 - PACING_MARGIN) / 100;

    if (rate && (bbr->full_bw_reached || rate > cc->rate->pacing_bps))
        cc->rate->pacing_bps = rate;
}

// ---- window (section 5.6.4) ------------------------------------------------------------------------------------
void bbr_save_cwnd(struct tcp_cc *cc)
{
    struct tcp_bbr *bbr = bbr_of(cc);

    if (!bbr->in_recovery && bbr->state != BBR_PROBE_RTT)
        bbr->prior_cwnd = cc->cwnd;
    else
        bbr->prior_cwnd = bbr_max(bbr->prior_cwnd, cc->cwnd);
}

void bbr_restore_cwnd(struct tcp_cc *cc)
{
    cc->cwnd = bbr_max(cc->cwnd, bbr_of(cc)->prior_cwnd);
}

static void bound_cwnd(struct tcp_cc *cc)
{
    const struct tcp_bbr *bbr = bbr_of(cc);
    uint32_t cap = BBR_INFINITE;

    if (bbr->state == BBR_PROBE_RTT)
        cc->cwnd = bbr_min(cc->cwnd, bbr_probe_rtt_cwnd(cc));
    if (bbr->state == BBR_PROBE_RTT || bbr->state == BBR_CRUISE)
        cap = bbr_with_headroom(cc);
    else if (bbr_in_probe_bw(bbr))
        cap = bbr->inflight_longterm;
    cap = bbr_max(bbr_min(cap, bbr->inflight_shortterm), bbr_min_pipe(cc));
    cc->cwnd = bbr_min(cc->cwnd, cap);
}

static void set_cwnd(struct tcp_cc *cc, const struct tcp_rate_sample *rs)
{
    const struct tcp_bbr *bbr = bbr_of(cc);
    uint64_t volume = (uint64_t)bbr_bdp(cc, bbr->bw, gains[bbr->state].cwnd) + bbr->extra_acked;
    uint32_t most = with_quanta(cc, saturated(volume)),
             grown = saturated((uint64_t)cc->cwnd + rs->newly_acked);

    if (bbr->full_bw_reached)
        cc->cwnd = bbr_min(grown, most);
    else if (cc->cwnd < most || bbr->rate.delivered < cc->initial_cwnd)
        cc->cwnd = grown;
    cc->cwnd = bbr_max(cc->cwnd, bbr_min_pipe(cc));
    bound_cwnd(cc);
}

// ---- what the table calls -------------------------------------------------------------------------------------
static void init(struct tcp_cc *cc)
{
    struct tcp_bbr *bbr = bbr_of(cc);
    uint32_t random = bbr->rate.random;

    memset(bbr, 0, sizeof(*bbr));
    bbr->rate.random = random ? random : 1;
    bbr_model_init(cc, 0, 0);
    init_pacing(cc, 0);
}

static void begin(struct tcp_cc *cc, uint64_t now_us, uint32_t srtt_us)
{
    bbr_model_init(cc, now_us, srtt_us);
    init_pacing(cc, srtt_us);
}

// Section 5.2.3.
static void model_and_state(struct tcp_cc *cc, const struct tcp_rate_sample *rs)
{
    struct tcp_bbr *bbr = bbr_of(cc);

    bbr_congestion_signals(cc, rs);
    bbr_aggregation(cc, rs);
    bbr_full_bw_check(bbr, rs);
    bbr_startup_check(cc, rs);
    bbr_drain_check(cc, rs);
    bbr_probe_bw(cc, rs);
    bbr_min_rtt(bbr, rs);
    bbr_probe_rtt(cc, rs);
    bbr_signals_advance(bbr, rs);
    bbr->bw = bbr->max_bw < bbr->bw_shortterm ? bbr->max_bw : bbr->bw_shortterm;
}

// Without a segment known to have arrived (duplicate ACKs without SACK) there is nothing to learn, but room to send.
static void acked(struct tcp_cc *cc, const struct tcp_cc_ack *ack)
{
    if (!bbr_of(cc)->rtt_seen && ack->srtt_us)
        init_pacing(cc, ack->srtt_us);
    if (ack->rate->any)
        model_and_state(cc, ack->rate);
    set_pacing(cc, gains[bbr_of(cc)->state].pacing);
    set_cwnd(cc, ack->rate);
}

// Fast recovery begins, or a tail loss probe repaired a loss, or the peer echoes a mark (section 3.7: congestion as well;
// like a loss, then, and where the flow is probing as one too many).
static void congestion(struct tcp_cc *cc, uint64_t now_us, uint32_t in_flight, bool ecn)
{
    struct tcp_bbr *bbr = bbr_of(cc);

    bbr_save_state(cc);
    bbr->in_recovery = true;
    bbr->recovery_delivered = bbr->rate.delivered;
    bbr_note_loss(cc);
    if (ecn && bbr->state == BBR_STARTUP)
        bbr_startup_queue_too_high(cc);
    else if (ecn && bbr->is_bw_probe_sample)
        bbr_inflight_too_high(cc, in_flight, false, now_us);
}

static void timeout(struct tcp_cc *cc, uint64_t now_us, uint32_t in_flight)
{
    congestion(cc, now_us, in_flight, false);
}

static void recovered(struct tcp_cc *cc, uint64_t now_us)
{
    struct tcp_bbr *bbr = bbr_of(cc);

    (void)now_us;
    if (bbr->in_recovery)
        bbr_restore_cwnd(cc);
    bbr->in_recovery = bbr->saved = false;
}

// Section 5.4.1: at the rate that the path is known to have, not from the beginning.
static void idle(struct tcp_cc *cc, uint64_t now_us, uint64_t idle_us)
{
    struct tcp_bbr *bbr = bbr_of(cc);

    (void)idle_us;
    bbr->idle_restart = true;
    bbr->extra_from_us = now_us;
    bbr->extra_delivered = 0;
    if (bbr_in_probe_bw(bbr))
        set_pacing(cc, 100);
    else if (bbr->state == BBR_PROBE_RTT)
        bbr_probe_rtt_check_done(cc, now_us);
}

const struct tcp_cc_ops tcp_cc_bbr = {"bbr",   init,     acked,    congestion,
                                      timeout, bbr_undo, idle,     sizeof(struct tcp_bbr),
                                      begin,   bbr_lost, recovered};
