// SPDX-License-Identifier: Apache-2.0
// The receiving path: recognises our frames, keeps the account of each stream, answers who asks for our addresses. A
// receiver belongs to one worker.
#ifndef PKTGEN_RX_H
#define PKTGEN_RX_H

#include <rte_mbuf.h>
#include "histogram.h"
#include "neighbor.h"
#include "track.h"

struct arrivals { // of one stream, as one worker sees them. w: worker  r: main thread
    struct track track;
    struct histogram latency; // in units of 16 TSC cycles
    uint64_t bytes;           // with FCS, of whole packets
    uint64_t corrupt;         // ours, but not as they were sent
};

struct receiver {
    struct arrivals *stream; // by the signature's stream
    uint32_t streams;
    uint16_t magic;
    bool verify; // IP and transport checksums too, not only the signature's
    // w: worker  r: main thread
    uint64_t frames, bytes; // all that came
    uint64_t foreign;       // not ours
    uint64_t answered;      // questions for our addresses
    uint64_t last_tsc;      // the last burst that held frames of ours, 0: none yet
    uint64_t silence;       // longest time between two of them, in ticks
};

// Takes `count` frames that came at `tsc` into account. They stay the caller's. A corrupt packet counts for the stream
// its signature names, for the first where that is none; it counts neither as arrived nor in the latency.
void receiver_take(struct receiver *receiver, struct rte_mbuf *const *frame, uint32_t count, uint64_t tsc);
// Receives a burst from a queue and takes it; frames that ask for addresses of `self` are answered, all are freed.
void receiver_poll(struct receiver *receiver, uint16_t device, uint16_t queue,
                   const struct neighbor_self *self);

#endif
