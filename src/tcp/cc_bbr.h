// SPDX-License-Identifier: Apache-2.0
// BBR version 3 (draft-ietf-ccwg-bbr-06; sections are that draft's): a model of the path, made of delivery rates, round
// trips and losses, and a state machine that sends a little faster or slower to keep it fresh. Names are the draft's.
//
//     cc_bbr.c         what the table calls; the order of things; window and pacing rate (sections 5.2, 5.4, 5.6)
//     cc_bbr_states.c  STARTUP, DRAIN, PROBE_BW, PROBE_RTT (section 5.3)
//     cc_bbr_model.c   bandwidth, round trip, aggregation, what losses say (section 5.5)
//
//       STARTUP ──► DRAIN ──► DOWN ──► CRUISE ──► REFILL ──► UP ──┐         each but PROBE_RTT, when 5 s
//                              ▲                                   │         brought no lower round trip:
//                              └───────────────────────────────────┘           ──► PROBE_RTT ──► CRUISE or STARTUP
//
// Bytes, microseconds, bytes per second; gains in percent. One thread, state is the connection's.
#ifndef TCP_CC_BBR_H
#define TCP_CC_BBR_H

#include "tcp/cc.h"

#define BBR_INFINITE         UINT32_MAX
#define BBR_BW_INFINITE      UINT64_MAX
#define BBR_LOSS_THRESH      2u  // percent of what was in flight a round trip ago
#define BBR_BETA             70u // percent
#define BBR_HEADROOM         15u // percent
#define BBR_MIN_PIPE         4u  // segments
#define BBR_STARTUP_RANGES   6u  // runs of lost segments in a round trip
#define BBR_EXTRA_ROUNDS     10u // ExtraAckedFilterLen
#define BBR_MIN_RTT_US       10000000u
#define BBR_PROBE_RTT_US     5000000u // between two
#define BBR_PROBE_RTT_FOR_US 200000u
#define BBR_SECOND_US        1000000u

enum bbr_state {
    BBR_STARTUP,
    BBR_DRAIN,
    BBR_DOWN,
    BBR_CRUISE,
    BBR_REFILL,
    BBR_UP,
    BBR_PROBE_RTT,
    BBR_NO_STATE
};

// What acknowledgements tell about, seen from the last probe for bandwidth (section 2.14).
enum bbr_ack_phase {
    BBR_ACKS_INIT,
    BBR_ACKS_REFILLING,
    BBR_ACKS_PROBE_STARTING,
    BBR_ACKS_PROBE_FEEDBACK,
    BBR_ACKS_PROBE_STOPPING
};

struct tcp_bbr {
    struct tcp_rate rate;
    // -- rounds (section 5.5.1): one ends when something is delivered that was sent after it began
    uint64_t next_round_delivered, loss_round_delivered;
    uint32_t round_count, rounds_since_probe_up, drain_start_round;
    // -- long-term model
    uint64_t max_bw_filter[2]; // of this cycle of probing, of the one before; 0: no sample yet
    uint64_t max_bw;
    uint32_t min_rtt_us, probe_rtt_min_us; // UINT32_MAX: none yet
    uint64_t min_rtt_at_us, probe_rtt_min_at_us;
    uint32_t inflight_longterm;
    // -- short-term model, from losses since the last probe
    uint64_t bw_shortterm, bw_latest;
    uint32_t inflight_shortterm, inflight_latest;
    uint64_t bw; // the lesser of both
    // -- aggregation (section 5.5.9)
    uint64_t extra_from_us;
    uint32_t extra_delivered, extra_acked;
    uint32_t extra_of_round[BBR_EXTRA_ROUNDS];
    // -- is the pipe full? (section 5.3.1.2)
    uint64_t full_bw;
    uint8_t full_bw_count;
    bool full_bw_now, full_bw_reached;
    // -- probing for bandwidth
    uint8_t state, ack_phase, bw_probe_up_rounds;
    uint32_t probe_up_acked_per_inc, bw_probe_up_acked; // UINT32_MAX: inflight_longterm does not grow
    uint32_t bw_probe_wait_us;
    uint64_t cycle_at_us;
    // -- probing for the round trip
    uint64_t probe_rtt_done_us; // 0: the window is not yet as small as it has to be
    // -- losses
    uint64_t recovery_delivered; // `delivered` as recovery began
    uint32_t lost_end;   // sequence number behind the last lost segment: the next may continue its range
    uint8_t lost_ranges; // of this round
    // -- undo (section 5.5.11)
    uint64_t undo_bw_shortterm;
    uint32_t undo_inflight_shortterm, undo_inflight_longterm;
    uint32_t prior_cwnd;
    uint8_t undo_state;
    // -- yes and no
    bool round_start, loss_round_start, is_loss_in_round;
    bool idle_restart, probe_rtt_expired, probe_rtt_round_done;
    bool is_bw_probe_sample, prev_probe_too_high, prev_probe_precautionary;
    bool window_full, window_full_before; // in this round, in the last
    bool in_recovery, saved;              // saved: undo's values are of the present recovery
    bool rtt_seen;                        // the first pacing rate was made from a round trip
};

static inline struct tcp_bbr *bbr_of(struct tcp_cc *cc)
{
    return (struct tcp_bbr *)cc->rate; // its first member
}

static inline bool bbr_in_probe_bw(const struct tcp_bbr *bbr)
{
    return bbr->state >= BBR_DOWN && bbr->state <= BBR_UP;
}

static inline uint32_t bbr_min_pipe(const struct tcp_cc *cc)
{
    return BBR_MIN_PIPE * cc->mss;
}

static inline uint32_t bbr_min(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static inline uint32_t bbr_max(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static inline void bbr_round_begin(struct tcp_bbr *bbr)
{
    bbr->next_round_delivered = bbr->rate.delivered;
}

// ---- cc_bbr.c: control parameters -----------------------------------------------------------------------------
uint32_t bbr_bdp(const struct tcp_cc *cc, uint64_t bw,
                 uint32_t gain); // the initial window without a round trip
uint32_t bbr_inflight(const struct tcp_cc *cc, uint64_t bw,
                      uint32_t gain); // what fills the path at that rate
uint32_t bbr_target_inflight(const struct tcp_cc *cc);
uint32_t bbr_probe_rtt_cwnd(const struct tcp_cc *cc);
uint32_t bbr_with_headroom(const struct tcp_cc *cc); // BBR_INFINITE where inflight_longterm is
void bbr_save_cwnd(struct tcp_cc *cc);
void bbr_restore_cwnd(struct tcp_cc *cc);

// ---- cc_bbr_model.c ---------------------------------------------------------------------------------------------
void bbr_model_init(struct tcp_cc *cc, uint64_t now_us, uint32_t srtt_us);
void bbr_congestion_signals(struct tcp_cc *cc,
                            const struct tcp_rate_sample *rs); // latest signals, rounds, max_bw, bounds
void bbr_signals_advance(struct tcp_bbr *bbr, const struct tcp_rate_sample *rs);
void bbr_signals_reset(struct tcp_bbr *bbr);
void bbr_max_bw_advance(struct tcp_bbr *bbr);
void bbr_short_term_reset(struct tcp_bbr *bbr);
void bbr_aggregation(struct tcp_cc *cc, const struct tcp_rate_sample *rs);
void bbr_min_rtt(struct tcp_bbr *bbr, const struct tcp_rate_sample *rs);
void bbr_full_bw_reset(struct tcp_bbr *bbr);
void bbr_full_bw_check(struct tcp_bbr *bbr, const struct tcp_rate_sample *rs);
bool bbr_too_high(uint32_t lost, uint32_t in_flight, bool sack);
void bbr_note_loss(struct tcp_cc *cc);
void bbr_save_state(struct tcp_cc *cc);
void bbr_lost(struct tcp_cc *cc, const struct tcp_cc_loss *loss);
void bbr_inflight_too_high(struct tcp_cc *cc, uint32_t in_flight, bool app_limited, uint64_t now_us);
void bbr_undo(struct tcp_cc *cc, uint64_t now_us);

// ---- cc_bbr_states.c --------------------------------------------------------------------------------------------
void bbr_startup_enter(struct tcp_bbr *bbr);
void bbr_startup_queue_too_high(struct tcp_cc *cc);
void bbr_startup_check(struct tcp_cc *cc, const struct tcp_rate_sample *rs);
void bbr_drain_check(struct tcp_cc *cc, const struct tcp_rate_sample *rs);
void bbr_probe_bw(struct tcp_cc *cc, const struct tcp_rate_sample *rs);
void bbr_down_start(struct tcp_cc *cc, uint64_t now_us);
void bbr_refill_start(struct tcp_bbr *bbr);
void bbr_probe_rtt(struct tcp_cc *cc, const struct tcp_rate_sample *rs);
void bbr_probe_rtt_check_done(struct tcp_cc *cc, uint64_t now_us);

#endif
