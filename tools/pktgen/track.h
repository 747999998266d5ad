// SPDX-License-Identifier: Apache-2.0
// Which sequence numbers of a stream have arrived: exact counts of duplicates and of reordered packets, in the sense of
// RFC 4737 section 3 (a packet is reordered where a later one came first), as long as a packet is less than
// TRACK_WINDOW late. One owner: the worker that receives the stream's packets. Pure.
#ifndef PKTGEN_TRACK_H
#define PKTGEN_TRACK_H

#include <stdbool.h>
#include <stdint.h>
#include "signature.h"

#define TRACK_WINDOW (1u << 16) // sequence numbers that are remembered
#define TRACK_WORDS  (TRACK_WINDOW / 64)

struct track {
    uint64_t next;      // the highest number seen and one
    uint64_t received;  // packets, duplicates included
    uint64_t duplicate; // packets whose number had come before
    uint64_t reordered; // first arrivals behind a higher number
    uint64_t too_late;  // behind the window: counted as reordered; one of them could be a duplicate
    uint64_t distance;  // the farthest that one was behind the highest
    uint64_t seen[TRACK_WORDS];
};

void track_init(struct track *track);
// What is not the plain next number; as track_take().
bool track_take_slow(struct track *track, uint64_t sequence);

// The 64-bit number whose lower bits came on the wire: the one nearest to what is expected.
static inline uint64_t track_extend(const struct track *track, uint64_t wire)
{
    uint64_t behind = (track->next - wire) << (64 - SIGNATURE_SEQ_BITS);
    return track->next - (uint64_t)((int64_t)behind >> (64 - SIGNATURE_SEQ_BITS));
}

// One packet; `sequence` as track_extend() gave it. False for a duplicate.
static inline bool track_take(struct track *track, uint64_t sequence)
{
    track->received++;
    uint64_t *word = &track->seen[sequence / 64 % TRACK_WORDS];
    if (__builtin_expect(sequence != track->next, 0))
        return track_take_slow(track, sequence);
    *word |= 1ULL << (sequence % 64);
    track->next = sequence + 1;
    return true;
}

// Different packets that have arrived.
static inline uint64_t track_unique(const struct track *track)
{
    return track->received - track->duplicate;
}

#endif
