// SPDX-License-Identifier: Apache-2.0
// Slow start (RFC 5681 section 3.1) with HyStart++ (RFC 9406): where the round trip grows before anything is lost, growth
// is slowed for a while (conservative slow start), and ends slow start if it stays so.
#include "tcp/cc.h"

#define MIN_RTT_THRESH_US 4000u // section 4.3
#define MAX_RTT_THRESH_US 16000u
#define MIN_RTT_DIVISOR   8u
#define N_RTT_SAMPLE      8u
#define CSS_GROWTH        4u
#define CSS_ROUNDS        5u
#define GROWTH_LIMIT      8u // L: paced, or nearly; segments of growth for one acknowledgement

static void round_begins(struct tcp_hystart *hystart, const struct tcp_cc_ack *ack)
{
    hystart->last_min_us = hystart->this_min_us;
    hystart->this_min_us = UINT32_MAX;
    hystart->samples = 0;
    hystart->round_end = ack->snd_nxt;
}

static void sample(struct tcp_hystart *hystart, uint32_t rtt_us)
{
    if (rtt_us < hystart->this_min_us)
        hystart->this_min_us = rtt_us;
    if (hystart->samples < UINT8_MAX)
        hystart->samples++;
}

static bool delay_grew(const struct tcp_hystart *hystart)
{
    uint32_t threshold = hystart->last_min_us / MIN_RTT_DIVISOR;

    if (hystart->samples < N_RTT_SAMPLE || hystart->last_min_us == UINT32_MAX)
        return false;
    threshold = threshold < MIN_RTT_THRESH_US ? MIN_RTT_THRESH_US : threshold;
    threshold = threshold > MAX_RTT_THRESH_US ? MAX_RTT_THRESH_US : threshold;
    return hystart->this_min_us >= hystart->last_min_us + threshold;
}

static void watch_css(struct tcp_cc *cc, bool new_round)
{
    struct tcp_hystart *hystart = &cc->hystart;

    if (hystart->samples >= N_RTT_SAMPLE && hystart->this_min_us < hystart->css_baseline_us) {
        hystart->css_baseline_us = UINT32_MAX; // it was a passing thing
        hystart->in_css = false;
        return;
    }
    if (new_round && ++hystart->css_rounds >= CSS_ROUNDS) {
        cc->ssthresh = cc->cwnd;
        hystart->in_css = false;
    }
}

// Only the first slow start: after a loss the path is known well enough (section 4.3).
static void watch(struct tcp_cc *cc, const struct tcp_cc_ack *ack)
{
    struct tcp_hystart *hystart = &cc->hystart;
    bool new_round = hystart->started && (int32_t)(ack->snd_una - hystart->round_end) >= 0;

    if (cc->ssthresh != UINT32_MAX)
        return;
    if (!hystart->started) {
        hystart->started = true;
        round_begins(hystart, ack);
    }
    if (ack->rtt_us) // the one that ends a round is of a segment of that round
        sample(hystart, ack->rtt_us);
    if (hystart->in_css) {
        watch_css(cc, new_round);
    } else if (delay_grew(hystart)) {
        hystart->in_css = true;
        hystart->css_baseline_us = hystart->this_min_us;
        hystart->css_rounds = 0;
    }
    if (new_round)
        round_begins(hystart, ack);
}

void tcp_cc_slow_start_idle(struct tcp_cc *cc, const struct tcp_cc_ack *ack)
{
    if (cc->cwnd < cc->ssthresh)
        watch(cc, ack);
}

uint32_t tcp_cc_slow_start(struct tcp_cc *cc, const struct tcp_cc_ack *ack)
{
    uint32_t growth = ack->acked < GROWTH_LIMIT * cc->mss ? ack->acked : GROWTH_LIMIT * cc->mss, room;

    watch(cc, ack);
    if (cc->cwnd >= cc->ssthresh)
        return ack->acked;
    if (cc->hystart.in_css && cc->ssthresh == UINT32_MAX) // a loss has ended the first slow start, and CSS with it
        growth /= CSS_GROWTH;
    room = cc->ssthresh - cc->cwnd;
    if (growth < room) {
        cc->cwnd += growth;
        return 0;
    }
    cc->cwnd = cc->ssthresh;
    return growth - room;
}
