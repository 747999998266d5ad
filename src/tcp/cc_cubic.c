// SPDX-License-Identifier: Apache-2.0
// CUBIC (RFC 9438). Windows of the formulas are in segments, times in seconds, as there.
#include "tcp/cc.h"

#define C    0.4f // section 4.6
#define BETA 0.7f

// Cube root by Newton's method from a guess that halves the exponent's third: four steps are exact in single precision.
static float cube_root(float x)
{
    union {
        float f;
        uint32_t bits;
    } guess = {.f = x};

    if (x <= 0)
        return 0;
    guess.bits = guess.bits / 3 + 709921077;
    for (unsigned i = 0; i < 4; i++)
        guess.f = (2 * guess.f + x / (guess.f * guess.f)) / 3;
    return guess.f;
}

static float segments(const struct tcp_cc *cc, uint32_t bytes)
{
    return (float)bytes / (float)cc->mss;
}

static void init(struct tcp_cc *cc)
{
    cc->cubic.epoch_us = 0;
    cc->cubic.w_max = 0;
}

// Section 4.2: where the epoch begins below W_max it takes K to get back there.
static void epoch_begin(struct tcp_cc *cc, uint64_t now_us)
{
    float cwnd = segments(cc, cc->cwnd);

    cc->cubic.epoch_us = now_us;
    cc->cubic.w_est = cwnd;
    if (cc->cubic.w_max < cwnd) {
        cc->cubic.w_max = cwnd;
        cc->cubic.k_s = 0;
    } else {
        cc->cubic.k_s = cube_root((cc->cubic.w_max - cwnd) / C);
    }
}

static float w_cubic(const struct tcp_cc *cc, float t_s)
{
    float d = t_s - cc->cubic.k_s;

    return C * d * d * d + cc->cubic.w_max; // equation 1
}

// Section 4.3: what Reno with the same beta would have; as fast as Reno itself once it is where it was before.
static void reno_friendly(struct tcp_cc *cc, float acked)
{
    float alpha = 3 * (1 - BETA) / (1 + BETA);

    if (cc->prior_cwnd && cc->cubic.w_est >= segments(cc, cc->prior_cwnd))
        alpha = 1;
    cc->cubic.w_est += (double)alpha * acked / segments(cc, cc->cwnd);
}

static void avoid_congestion(struct tcp_cc *cc, const struct tcp_cc_ack *ack, uint32_t acked_bytes)
{
    float cwnd = segments(cc, cc->cwnd), acked = segments(cc, acked_bytes), target, t_s;

    if (cc->cubic.epoch_us == 0)
        epoch_begin(cc, ack->now_us);
    t_s = (float)(ack->now_us - cc->cubic.epoch_us) / 1e6f;
    reno_friendly(cc, acked);
    if (w_cubic(cc, t_s) < cc->cubic.w_est) {
        target = (float)cc->cubic.w_est;
        if (target > cwnd)
            cc->cwnd += (uint32_t)((target - cwnd) * (float)cc->mss);
        return;
    }
    target = w_cubic(cc, t_s + (float)ack->srtt_us / 1e6f);
    target = target < cwnd ? cwnd : target > 1.5f * cwnd ? 1.5f * cwnd : target; // section 4.2
    cc->cubic.growth += (target - cwnd) / cwnd * acked * (float)cc->mss;         // sections 4.4, 4.5
    if (cc->cubic.growth >= 1) {
        cc->cwnd += (uint32_t)cc->cubic.growth;
        cc->cubic.growth -= (float)(uint32_t)cc->cubic.growth;
    }
}

static void acked(struct tcp_cc *cc, const struct tcp_cc_ack *ack)
{
    uint32_t left = ack->acked;

    if (!ack->cwnd_limited) { // section 5.8: time during which the sender did not use the window does not count
        if (cc->cubic.epoch_us && !cc->cubic.idle_us)
            cc->cubic.idle_us = ack->now_us;
        tcp_cc_slow_start_idle(cc, ack);
        return;
    }
    if (cc->cubic.idle_us && cc->cubic.epoch_us)
        cc->cubic.epoch_us += ack->now_us - cc->cubic.idle_us < ack->now_us - cc->cubic.epoch_us
                                  ? ack->now_us - cc->cubic.idle_us
                                  : 0;
    cc->cubic.idle_us = 0;
    if (cc->cwnd < cc->ssthresh)
        left = tcp_cc_slow_start(cc, ack);
    if (left)
        avoid_congestion(cc, ack, left);
}

// Sections 4.6 and 4.7: fast convergence makes room for newcomers.
static void reduce(struct tcp_cc *cc, uint32_t in_flight)
{
    float cwnd = segments(cc, cc->cwnd), flight = segments(cc, in_flight < cc->cwnd ? in_flight : cc->cwnd);
    uint32_t least = 2 * cc->mss;

    cc->cubic.older_cwnd = cc->prior_cwnd;
    cc->prior_cwnd = cc->cwnd;
    cc->prior_ssthresh = cc->ssthresh;
    cc->cubic.prior_w_max = cc->cubic.w_max;
    cc->cubic.prior_w_est = cc->cubic.w_est;
    cc->cubic.prior_k_s = cc->cubic.k_s;
    cc->cubic.prior_epoch_us = cc->cubic.epoch_us;
    cc->cubic.w_max = cwnd < cc->cubic.w_max && cc->cubic.epoch_us ? cwnd * (1 + BETA) / 2 : cwnd;
    cc->ssthresh = (uint32_t)(flight * BETA * (float)cc->mss);
    if (cc->ssthresh < least)
        cc->ssthresh = least;
    cc->cubic.epoch_us = 0;
    cc->cubic.growth = 0;
}

static void congestion(struct tcp_cc *cc, uint64_t now_us, uint32_t in_flight, bool ecn)
{
    (void)now_us, (void)ecn;
    reduce(cc, in_flight);
}

static void timeout(struct tcp_cc *cc, uint64_t now_us, uint32_t in_flight)
{
    (void)now_us;
    reduce(cc, in_flight);
    cc->cubic.w_max = 0; // section 4.8: where the next epoch begins is its W_max, K is 0
}

// Section 4.9. cwnd_prior, at which the Reno estimate grows as fast as Reno, is of the reduction before again.
static void undo(struct tcp_cc *cc, uint64_t now_us)
{
    (void)now_us;
    if (cc->cwnd < cc->prior_cwnd)
        cc->cwnd = cc->prior_cwnd;
    cc->prior_cwnd = cc->cubic.older_cwnd;
    cc->ssthresh = cc->prior_ssthresh;
    cc->cubic.w_max = cc->cubic.prior_w_max;
    cc->cubic.w_est = cc->cubic.prior_w_est;
    cc->cubic.k_s = cc->cubic.prior_k_s;
    cc->cubic.epoch_us = cc->cubic.prior_epoch_us;
}

static void idle(struct tcp_cc *cc, uint64_t now_us, uint64_t idle_us)
{
    uint64_t since_us = cc->cubic.idle_us ? cc->cubic.idle_us : now_us - idle_us;

    if (cc->cubic.epoch_us)
        cc->cubic.epoch_us += now_us - (since_us > cc->cubic.epoch_us ? since_us : cc->cubic.epoch_us);
    cc->cubic.idle_us = 0;
}

const struct tcp_cc_ops tcp_cc_cubic = {"cubic", init, acked, congestion, timeout, undo, idle};
