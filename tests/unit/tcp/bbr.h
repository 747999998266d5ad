// SPDX-License-Identifier: Apache-2.0
// What the tests of BBR on its own share: samples of the delivery rate made by hand, and the way to each state.
#ifndef TCP_BBR_H
#define TCP_BBR_H

#include "rig.h"
#include "tcp/cc_bbr.h"

#define MSS 1000u
#define RTT (40 * RIG_MS)
#define BW  10000000ull                  // bytes per second
#define BDP ((uint32_t)(BW / 1000 * 40)) // 400 segments

static struct tcp_cc cc;
static struct tcp_bbr bbr;
static uint64_t now_us;

struct step {                           // an acknowledgement; 0 mostly means: as usual
    uint64_t rate;                      // BW
    uint32_t rtt_us;                    // RTT
    uint32_t after_us;                  // since the last: RTT
    uint32_t acked;                     // BDP
    uint32_t in_flight, sent_in_flight; // BDP
    uint32_t lost;                      // since the newest acknowledged segment left
    bool app_limited, same_round, window_full, no_sack;
};

static inline void step_of(struct step s)
{
    uint32_t acked = s.acked ? s.acked : BDP;
    uint64_t prior = s.same_round ? bbr.next_round_delivered - 1 : bbr.rate.delivered;
    struct tcp_rate_sample sample;
    struct tcp_cc_ack ack = {.srtt_us = RTT, .rate = &sample};

    ack.now_us = now_us += s.after_us ? s.after_us : RTT;
    bbr.rate.delivered += acked;
    sample = (struct tcp_rate_sample){.now_us = now_us,
                                      .rate_bps = s.rate ? s.rate : BW,
                                      .prior_delivered = prior,
                                      .delivered = (uint32_t)(bbr.rate.delivered - prior),
                                      .newly_acked = acked,
                                      .in_flight = s.in_flight ? s.in_flight : BDP,
                                      .sent_in_flight = s.sent_in_flight ? s.sent_in_flight : BDP,
                                      .lost = s.lost,
                                      .rtt_us = s.rtt_us ? s.rtt_us : RTT,
                                      .any = true,
                                      .app_limited = s.app_limited,
                                      .window_full = s.window_full,
                                      .sack = !s.no_sack};
    cc.ops->acked(&cc, &ack);
}
#define STEP(...) step_of((struct step){__VA_ARGS__})

static inline int up(void **state)
{
    now_us = 1000 * RIG_S;
    bbr = (struct tcp_bbr){.rate.random = 7};
    cc = (struct tcp_cc){.rate = &bbr.rate};
    tcp_cc_start(&cc, tcp_cc_find("bbr"), MSS);
    cc.ops->begin(&cc, now_us, RTT);
    return 0;
}

static inline void lose(uint32_t seq, uint32_t lost, uint32_t in_flight, bool app_limited)
{
    struct tcp_cc_loss loss = {.now_us = now_us,
                               .seq = seq,
                               .bytes = MSS,
                               .sent_in_flight = in_flight,
                               .lost = lost,
                               .app_limited = app_limited,
                               .sack = true};

    cc.ops->lost(&cc, &loss);
}

static inline void expect_pacing(uint64_t bw, uint32_t gain)
{
    assert_in_range(bbr.rate.pacing_bps, bw * gain / 100 * 99 / 100 - 10, bw * gain / 100 * 99 / 100);
}

// ---- on the way to a state ------------------------------------------------------------------------------------
static inline void to_drain(void)
{
    for (unsigned i = 0; i < 4; i++)
        STEP(.in_flight = 2 * BDP);
    assert_int_equal(bbr.state, BBR_DRAIN);
}

static inline void to_down(void)
{
    to_drain();
    for (unsigned i = 0; i < 4; i++) // with an empty queue it would be left at once
        STEP(.in_flight = 2 * BDP);
    assert_int_equal(bbr.state, BBR_DOWN);
}

static inline void to_cruise(void)
{
    to_down();
    STEP(.in_flight = BDP / 2);
    assert_int_equal(bbr.state, BBR_CRUISE);
}

static inline void to_refill(void)
{
    to_cruise();
    for (unsigned i = 0; i < 100 && bbr.state == BBR_CRUISE; i++)
        STEP();
    assert_int_equal(bbr.state, BBR_REFILL);
}

static inline void to_up(void)
{
    to_refill();
    STEP();
    assert_int_equal(bbr.state, BBR_UP);
}

// A recovery is begun, and a round trip in it goes by with `ranges` runs of lost segments.
static inline void startup_losses(unsigned ranges, uint32_t lost, bool app_limited)
{
    STEP(.rate = BW / 2, .app_limited = app_limited);
    lose(0, MSS, BDP, app_limited);
    cc.ops->congestion(&cc, now_us, BDP, false);
    STEP(.rate = BW, .lost = lost, .app_limited = app_limited, .same_round = true, .acked = MSS);
    for (unsigned i = 0; i < ranges; i++)
        lose(10 * MSS * (i + 1), lost, BDP, app_limited);
    STEP(.rate = BW * 2, .lost = lost, .app_limited = app_limited, .in_flight = 3 * BDP);
}

#endif
