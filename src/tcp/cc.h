// SPDX-License-Identifier: Apache-2.0
// Congestion control behind one const table of functions: NewReno (RFC 5681, RFC 6582 leaves the recovery to the
// endpoint) and CUBIC (RFC 9438), both with HyStart++ (RFC 9406) in slow start; and BBR (draft-ietf-ccwg-bbr-06), which
// asks for delivery rates, sets the window in recovery too, and always paces. What is lost, and when recovery
// begins and ends, the endpoint says; PRR (RFC 6937) governs sending during recovery; here is only the window.
// Bytes throughout. No clock: time is in the calls. One thread, state is the connection's.
#ifndef TCP_CC_H
#define TCP_CC_H

#include <stdbool.h>
#include <stdint.h>
#include "tcp/rate.h"

struct tcp_cc;

// What an acknowledgement brought.
struct tcp_cc_ack {
    uint64_t now_us;
    uint32_t acked;     // bytes newly acknowledged, cumulatively or by SACK
    uint32_t in_flight; // bytes, before this acknowledgement
    uint32_t rtt_us;    // sample of this acknowledgement, 0: none
    uint32_t srtt_us, min_rtt_us;
    uint32_t snd_una, snd_nxt; // after the acknowledgement: rounds of HyStart++ end by them
    bool
        cwnd_limited; // the window was what held the sender back (RFC 9438 section 5.8, RFC 7661): else it must not grow
    const struct tcp_rate_sample *rate; // NULL where ops->state_bytes is 0; else all but the times is there and not above
};

struct tcp_cc_loss { // a segment was found lost
    uint64_t now_us;
    uint32_t seq, bytes;
    uint32_t sent_in_flight; // as it left, with it
    uint32_t lost;           // since then, with it
    bool app_limited;        // as it left
    bool sack;
};

struct tcp_cc_ops {
    const char *name;
    void (*init)(struct tcp_cc *cc);
    void (*acked)(struct tcp_cc *cc, const struct tcp_cc_ack *ack); // outside recovery: grows cwnd
    // A congestion event begins (loss, or ECN echo where `ecn`): sets ssthresh, remembers what undo needs; cwnd is the
    // endpoint's (PRR brings it down to ssthresh). in_flight: RFC 5681's FlightSize, bytes sent and not acknowledged.
    void (*congestion)(struct tcp_cc *cc, uint64_t now_us, uint32_t in_flight, bool ecn);
    // As above for a retransmission timeout; cwnd is one segment afterwards (RFC 5681 equation 4, RFC 9438 section 4.8).
    void (*timeout)(struct tcp_cc *cc, uint64_t now_us, uint32_t in_flight);
    void (*undo)(struct tcp_cc *cc,
                 uint64_t now_us); // the last of the two was spurious (RFC 9438 section 4.9, RFC 4015)
    void (*idle)(struct tcp_cc *cc, uint64_t now_us,
                 uint64_t idle_us); // data goes out after a pause (epoch of CUBIC)
    // Of who asks for delivery rates: bytes of struct tcp_rate and what follows it, which tcp_cc.rate points to before
    // tcp_cc_start(). 0: rates are not sampled, PRR governs the window in recovery, and the rest is not called. Else
    // `acked` is called for every acknowledgement that delivers something, `idle` where all that was to send was
    // delivered and there is more.
    uint32_t state_bytes;
    void (*begin)(struct tcp_cc *cc, uint64_t now_us, uint32_t srtt_us); // established; srtt_us 0: not known
    void (*lost)(struct tcp_cc *cc, const struct tcp_cc_loss *loss);     // before `congestion` or `timeout`
    void (*recovered)(struct tcp_cc *cc, uint64_t now_us);               // what those two began has ended
};

struct tcp_hystart {                   // RFC 9406
    uint32_t round_end;                // sequence number
    uint32_t last_min_us, this_min_us; // UINT32_MAX: none yet
    uint32_t css_baseline_us;
    uint8_t samples, css_rounds;
    bool in_css;
    bool started;
};

struct tcp_cc {
    const struct tcp_cc_ops *ops;
    uint32_t cwnd, ssthresh; // bytes; ssthresh UINT32_MAX: none yet
    uint32_t mss;            // bytes of payload in a full segment; the endpoint changes it with the path
    uint32_t initial_cwnd;   // RFC 6928
    uint32_t prior_cwnd, prior_ssthresh; // for undo
    uint32_t acked_bytes;                // of appropriate byte counting, RFC 3465, RFC 5681 equation 3
    struct tcp_hystart hystart;
    union {
        struct {
            uint64_t epoch_us;         // 0: no epoch
            float k_s, prior_k_s;      // seconds
            float w_max, prior_w_max;  // segments
            double w_est, prior_w_est; // segments; grows by less than a float of large windows can tell apart
            uint64_t prior_epoch_us;
            uint64_t idle_us;    // since when the window was not what limited; 0: it is
            float growth;        // bytes, below one
            uint32_t older_cwnd; // prior_cwnd of the reduction before the last
        } cubic;
        struct tcp_rate *rate; // where ops->state_bytes
    };
};

// Both share slow start: RFC 5681 with L = 8 while cwnd_limited, and HyStart++.
extern const struct tcp_cc_ops tcp_cc_newreno, tcp_cc_cubic;
extern const struct tcp_cc_ops tcp_cc_bbr; // cc_bbr.c

// RFC 6928: min(10 MSS, max(2 MSS, 14600)).
uint32_t tcp_cc_initial_window(uint32_t mss);
// NULL where there is no such name. "cubic", "newreno", "bbr".
const struct tcp_cc_ops *tcp_cc_find(const char *name);
// Sets everything for a connection that begins; mss must not be 0.
void tcp_cc_start(struct tcp_cc *cc, const struct tcp_cc_ops *ops, uint32_t mss);
uint32_t tcp_cc_state_bytes(void); // the most that any algorithm asks for
// Slow start and HyStart++ (cc_slow_start.c), for the two of them: returns the bytes of `ack->acked` that were not
// used up in slow start and are left for congestion avoidance.
uint32_t tcp_cc_slow_start(struct tcp_cc *cc, const struct tcp_cc_ack *ack);
// The same where the window must not grow: round trips are watched all the same, and rounds end (RFC 9406 section 4.2).
void tcp_cc_slow_start_idle(struct tcp_cc *cc, const struct tcp_cc_ack *ack);

#endif
