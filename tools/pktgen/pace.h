// SPDX-License-Identifier: Apache-2.0
// How many packets are due: an exact rate from a count of clock ticks, without drift. A sender that was kept from its
// core for a while does not send what it missed in one burst, which no device would survive: beyond `catch_up` packets
// it lets go of them and says so in `skipped`. Pure: the time is an argument. Worker threads.
#ifndef PKTGEN_PACE_H
#define PKTGEN_PACE_H

#include <stdint.h>

#define PACE_FRACTION_BITS 56 // of packets per tick: up to 255 packets a tick, one in a day at the least

struct pace {
    uint64_t start;    // tick
    uint64_t step;     // packets per tick, fixed point; 0: as many as will go
    uint64_t given;    // packets handed out
    uint64_t skipped;  // packets let go
    uint32_t catch_up; // packets
    uint32_t burst;    // packets that go together
    uint32_t left;     // of the burst that is on its way
};

// `ticks_per_s` ticks a second; `packets_per_s` 0: as many as will go; `burst` at least 1.
static inline void pace_init(struct pace *pace, double packets_per_s, uint64_t ticks_per_s, uint32_t burst,
                             uint64_t start)
{
    double step = packets_per_s / (double)ticks_per_s * (double)(1ULL << PACE_FRACTION_BITS);
    uint32_t millisecond = (uint32_t)(packets_per_s / 1000);
    *pace = (struct pace){
        .start = start,
        .step = packets_per_s > 0 && step < 1 ? 1 : (uint64_t)step,
        .catch_up = millisecond > 64 + 2 * burst ? millisecond : 64 + 2 * burst,
        .burst = burst,
    };
}

static inline uint64_t pace_owed(struct pace *pace, uint64_t now)
{
    uint64_t target = (uint64_t)(((unsigned __int128)(now - pace->start) * pace->step) >> PACE_FRACTION_BITS);
    uint64_t owed = target - pace->skipped - pace->given;
    if ((int64_t)owed < 0)
        return 0;
    if (owed > pace->catch_up) {
        pace->skipped += owed - pace->catch_up;
        owed = pace->catch_up;
    }
    return owed;
}

// Packets to send now, at most `most`; they count as given. `now` does not go back and is not before the start.
static inline uint32_t pace_due(struct pace *pace, uint64_t now, uint32_t most)
{
    uint64_t due = most;
    if (pace->step) {
        if (pace->left == 0) {
            uint64_t owed = pace_owed(pace, now);
            pace->left = pace->burst == 1 ? (uint32_t)owed : owed >= pace->burst ? pace->burst : 0;
        }
        due = pace->left < most ? pace->left : most;
        pace->left -= (uint32_t)due;
    }
    pace->given += due;
    return (uint32_t)due;
}

// Gives back packets that the port did not take.
static inline void pace_return(struct pace *pace, uint32_t count)
{
    pace->given -= count;
    pace->left = pace->burst == 1 || pace->step == 0 ? 0 : pace->left + count;
}

#endif
