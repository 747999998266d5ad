// SPDX-License-Identifier: Apache-2.0
// The rarer arrivals: gaps, late packets, duplicates. Called by rx.c, on the worker that owns the stream's arrivals.
//
//                     next - WINDOW                     next
//     ... too late .......|... remembered, a bit each ...|... not yet seen ...
#include "track.h"
#include <string.h>

void track_init(struct track *track)
{
    memset(track, 0, sizeof(*track));
}

// Forgets the numbers from `from` up to, not including, `to`, whose bits are about to be new numbers'.
static void bits_clear(struct track *track, uint64_t from, uint64_t to)
{
    if (to - from >= TRACK_WINDOW) {
        memset(track->seen, 0, sizeof(track->seen));
        return;
    }
    for (; from < to && from % 64; from++)
        track->seen[from / 64 % TRACK_WORDS] &= ~(1ULL << (from % 64));
    for (; from + 64 <= to; from += 64)
        track->seen[from / 64 % TRACK_WORDS] = 0;
    for (; from < to; from++)
        track->seen[from / 64 % TRACK_WORDS] &= ~(1ULL << (from % 64));
}

static bool take_late(struct track *track, uint64_t sequence)
{
    uint64_t behind = track->next - sequence; // at least 1: the highest itself
    uint64_t *word = &track->seen[sequence / 64 % TRACK_WORDS], bit = 1ULL << (sequence % 64);
    if (behind <= TRACK_WINDOW && (*word & bit)) {
        track->duplicate++;
        return false;
    }
    track->reordered++;
    track->too_late += behind > TRACK_WINDOW;
    track->distance = behind - 1 > track->distance ? behind - 1 : track->distance;
    if (behind <= TRACK_WINDOW)
        *word |= bit;
    return true;
}

bool track_take_slow(struct track *track, uint64_t sequence)
{
    if ((int64_t)(sequence - track->next) < 0)
        return take_late(track, sequence);
    bits_clear(track, track->next, sequence + 1);
    track->seen[sequence / 64 % TRACK_WORDS] |= 1ULL << (sequence % 64);
    track->next = sequence + 1;
    return true;
}
