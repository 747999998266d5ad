// SPDX-License-Identifier: Apache-2.0
// What a core does in one trial: sends its streams' packets while they are due, takes in what comes, goes on taking in
// for a while after the last was sent. Set up by trial.c, run on a worker's lcore.
#ifndef PKTGEN_WORKER_H
#define PKTGEN_WORKER_H

#include "rx.h"
#include "stream.h"

#define WORKER_QUEUES 64

struct worker_queue {
    uint16_t device, queue;
    uint32_t port;
};

struct worker {
    const struct session *session;
    const struct neighbor_self *self; // by port
    struct stream *stream;
    uint32_t streams;
    struct worker_queue rx[WORKER_QUEUES];
    uint32_t rx_count;
    struct receiver receiver;
    uint64_t start_tsc;  // sending begins
    uint64_t end_tsc;    // and ends
    uint64_t settle_tsc; // receiving goes on for as long as from `end_tsc` to here
    bool deaf;           // does not receive
    // w: worker  r: main thread
    uint64_t last_tsc; // the last moment it sent
    uint64_t passes;
    uint64_t longest_pass; // ticks
} __attribute__((aligned(64)));

// The lcore's function; `worker` is a struct worker.
int worker_run(void *worker);

#endif
