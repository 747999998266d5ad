// SPDX-License-Identifier: Apache-2.0
// A device that is as bad as it is told to be: which frames it loses, doubles, holds back or damages, and how many it
// takes in a second. What befalls the n-th frame follows from the seed alone, and all is counted, so a generator's
// account can be held against it. Pure: the time is an argument. One owner: a reflector's worker.
#ifndef PKTGEN_IMPAIR_H
#define PKTGEN_IMPAIR_H

#include <stdbool.h>
#include <stdint.h>

enum harm {
    HARM_NONE,
    HARM_LOSE,
    HARM_TWICE,   // the frame, and a copy behind it
    HARM_LATE,    // behind the next that goes on whole
    HARM_CORRUPT, // a bit of it
    HARM_OVER,    // above the rate: lost
    HARMS
};

struct impair_wish {
    uint32_t one_in[HARMS]; // one frame of so many, 0: none; HARM_NONE and HARM_OVER are not read
    uint64_t seed;
    double pps;     // frames a second that are taken, 0: all
    uint32_t burst; // frames that are taken at once after a pause
};

struct impair {
    uint64_t below[HARMS];    // of 2^32: harms' shares, each on top of the ones before
    uint64_t random;          // not 0
    uint64_t start;           // tick
    uint64_t interval, slack; // ticks of a frame and of the burst, fixed point; interval 0: no rate
    uint64_t due;             // ticks since `start`, fixed point: when the last frame's time is over
    uint64_t count[HARMS];    // w: worker  r: main thread. HARM_LATE: those that others did overtake
};

// True where nothing is wished for.
bool impair_wish_none(const struct impair_wish *wish);
// True where the harms together leave some frames whole.
bool impair_wish_fits(const struct impair_wish *wish);
// `now` and later times are in ticks, `ticks_per_s` a second.
void impair_init(struct impair *impair, const struct impair_wish *wish, uint64_t ticks_per_s, uint64_t now);
// What befalls the next frame. It counts, but for HARM_LATE, which the caller counts when it has come true.
enum harm impair_next(struct impair *impair, uint64_t now);
// Turns one bit of what a signature's checksum covers. `len` is at least that of the shortest frame.
void impair_corrupt(struct impair *impair, uint8_t *frame, uint32_t len);

#endif
