// SPDX-License-Identifier: Apache-2.0
// What a worker does again and again. worker_run() is the thread; the rest are its parts, which tests call
// one by one.
#ifndef WORKER_LOOP_H
#define WORKER_LOOP_H

#include "worker/worker.h"

struct worker_clock { // CLOCK_MONOTONIC from the TSC, without a division per pass
    uint64_t tsc_base;
    uint64_t ns_base;      // CLOCK_MONOTONIC at tsc_base
    uint64_t ms_per_tsc32; // milliseconds a tick, scaled by 2^32
    uint64_t tsc_next;     // when to compare with the kernel's clock again
};

struct worker_thread { // what a worker's thread is started with; outlives it
    struct worker *worker;
    struct worker_clock clock;
    uint32_t sleep_idle_us; // sleep this long where nothing comes, 0: keep polling
    uint32_t stop;          /* w: housekeeping  r: worker */
};

// The thread: passes until `stop`. Argument and return value as rte_eal_remote_launch() wants them.
int worker_run(void *thread);
// One pass: tables and ports taken over, every queue and ring polled once, timers, flush. Packets handled.
uint32_t worker_pass(struct worker *worker);
// rings.c: drains what other workers and housekeeping have handed over, a burst from each ring. Packets
// handled.
uint32_t worker_rings(struct worker *worker);

void worker_clock_init(struct worker_clock *clock);
// Now, in ms of CLOCK_MONOTONIC, wrapping. One TSC read and a multiplication; asks the kernel once a second,
// so that an imprecise TSC frequency cannot add up.
uint32_t worker_clock_ms(struct worker_clock *clock);

#endif
