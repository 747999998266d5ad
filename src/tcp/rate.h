// SPDX-License-Identifier: Apache-2.0
// Delivery rates (draft-ietf-ccwg-bbr-06 section 4.1, before that draft-cheng-iccrg-delivery-rate-estimation), for
// algorithms that ask for them (tcp_cc_ops.state_bytes): at which rate the path delivered what was in flight between a
// segment's departure and its acknowledgement. Who does not ask pays one bit of the connection's flags, which is looked at
// where a segment leaves, arrives or is lost. Bytes, microseconds, bytes of payload per second. One thread.
#ifndef TCP_RATE_H
#define TCP_RATE_H

#include <stdbool.h>
#include <stdint.h>

#define TCP_RATE_MAX_BPS (1ull << 36) // so much times a round trip of two minutes fits into 64 bits

// What held as a segment left (section 4.1.2.1.2). An array of these stands beside that of the records; pages of it that
// no such connection's segments touch are never memory. Low bits of numbers and times that wrap.
struct tcp_rate_sent { // 24 bytes
    uint32_t delivered, delivered_us, first_sent_us;
    uint32_t in_flight; // with it
    uint32_t lost;      // of the connection, ever
    bool app_limited;
};

// What one acknowledgement says (section 4.1.2.1.3).
struct tcp_rate_sample {
    uint64_t now_us;
    uint64_t rate_bps;        // 0: no sound sample
    uint64_t prior_delivered; // where `any`: `delivered` of the connection as the newest of the segments left
    uint32_t delivered;       // since then
    uint32_t newly_acked, newly_lost;
    uint32_t in_flight;       // now
    uint32_t sent_in_flight;  // as that segment left, with it
    uint32_t lost;            // since then
    uint32_t rtt_us;          // of the newest that was sent once; 0: none
    uint32_t send_us, ack_us; // the two intervals
    bool any;                 // a segment was delivered
    bool app_limited;
    bool window_full; // the window was used up at some time since the last sample
    bool sack;        // more than one loss a round trip can be told
};

struct tcp_rate {          // of a connection; what the algorithm keeps for itself stands behind it
    uint64_t delivered;    // bytes, ever
    uint64_t delivered_us; // when that grew last
    uint64_t first_sent_us;
    uint64_t limited_until; // app-limited until so much is delivered; 0: it is not
    uint64_t pacing_bps;    // the algorithm's word
    uint32_t newest_end;    // sequence number behind the newest segment of this sample
    uint32_t pace_rest_ns;  // what a microsecond is too coarse for
    uint32_t random;        // not 0
    bool window_full;
    struct tcp_rate_sample sample;
};

// The sender has nothing to send although it may, or what follows must not count as all the path can do.
static inline void tcp_rate_limit(struct tcp_rate *rate, uint32_t in_flight)
{
    rate->limited_until = rate->delivered + in_flight ? rate->delivered + in_flight : 1;
}

#endif
