// SPDX-License-Identifier: Apache-2.0
// RFC 5681's window, bytes counted (section 3.1, equation 3 by way of RFC 3465).
#include "tcp/cc.h"

static void init(struct tcp_cc *cc)
{
    cc->acked_bytes = 0;
}

static void acked(struct tcp_cc *cc, const struct tcp_cc_ack *ack)
{
    uint32_t left;

    if (!ack->cwnd_limited) {
        tcp_cc_slow_start_idle(cc, ack);
        return;
    }
    left = cc->cwnd < cc->ssthresh ? tcp_cc_slow_start(cc, ack) : ack->acked;
    cc->acked_bytes += left;
    while (cc->acked_bytes >= cc->cwnd) {
        cc->acked_bytes -= cc->cwnd;
        cc->cwnd += cc->mss;
    }
}

static uint32_t half(const struct tcp_cc *cc, uint32_t in_flight)
{
    uint32_t least = 2 * cc->mss;

    return in_flight / 2 > least ? in_flight / 2 : least; // equation 4
}

static void congestion(struct tcp_cc *cc, uint64_t now_us, uint32_t in_flight, bool ecn)
{
    (void)now_us, (void)ecn;
    cc->prior_cwnd = cc->cwnd;
    cc->prior_ssthresh = cc->ssthresh;
    cc->ssthresh = half(cc, in_flight < cc->cwnd ? in_flight : cc->cwnd);
    cc->acked_bytes = 0;
}

static void timeout(struct tcp_cc *cc, uint64_t now_us, uint32_t in_flight)
{
    congestion(cc, now_us, in_flight, false);
}

static void undo(struct tcp_cc *cc, uint64_t now_us)
{
    (void)now_us;
    cc->cwnd = cc->cwnd > cc->prior_cwnd ? cc->cwnd : cc->prior_cwnd;
    cc->ssthresh = cc->prior_ssthresh;
}

static void idle(struct tcp_cc *cc, uint64_t now_us, uint64_t idle_us)
{
    (void)now_us, (void)idle_us;
    cc->acked_bytes = 0;
}

const struct tcp_cc_ops tcp_cc_newreno = {"newreno", init, acked, congestion, timeout, undo, idle};
