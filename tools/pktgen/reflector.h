// SPDX-License-Identifier: Apache-2.0
// What a core of `reflect` does: frames in, addresses exchanged, harmed as wished, out where they came from. Set up by
// reflect.c on the main thread, run on a worker's lcore.
#ifndef PKTGEN_REFLECTOR_H
#define PKTGEN_REFLECTOR_H

#include "impair.h"
#include "session.h"

#define REFLECTOR_QUEUES 64

struct reflector_queue {
    uint16_t device, queue;
    struct rte_mbuf *late; // a frame that waits to be overtaken
    uint64_t late_tsc;     // since when
};

struct reflector { // one worker's
    const struct session *session;
    struct reflector_queue queue[REFLECTOR_QUEUES];
    uint32_t queues;
    bool plain; // nothing is harmed
    struct impair impair;
    // w: worker  r: main thread
    uint64_t received, sent;
    uint64_t refused; // the port did not take them back
} __attribute__((aligned(64)));

// The queues of worker `index`, and its share of the wish.
void reflector_init(struct reflector *reflector, const struct session *session, uint32_t index,
                    const struct impair_wish *wish);
// The lcore's function; `reflector` is a struct reflector.
int reflector_run(void *reflector);

#endif
