// SPDX-License-Identifier: Apache-2.0
// What a worker does again and again. worker_run() is the thread; the rest are its parts, which tests call one by one.
#ifndef WORKER_LOOP_H
#define WORKER_LOOP_H

#include "worker/worker.h"

struct worker_clock { // CLOCK_MONOTONIC from the TSC, without a division per pass
    uint64_t tsc_base;
    uint64_t ms_base;     // CLOCK_MONOTONIC at tsc_base
    uint64_t ms_per_tick; // fixed point
    uint64_t us_base;     // CLOCK_MONOTONIC at tsc_base
    uint64_t us_per_tick; // fixed point
    uint64_t now_us;      // last answer
    uint64_t tsc_next;    // when to compare with the kernel's clock again
    uint32_t now_ms;      // last answer: time does not go back
};

struct worker_thread { // what a worker's thread is started with; outlives it
    struct worker *worker;
    struct worker_clock clock;
    uint32_t sleep_idle_us; // sleep this long where nothing comes, 0: keep polling
    uint32_t stop;          /* w: housekeeping  r: worker */
};

// The thread: passes until `stop`. Argument and return value as rte_eal_remote_launch() wants them.
int worker_run(void *thread);
// One pass: ports and tables taken over, every queue and ring polled once, timers, flush. Returns how much it found to
// do, 0 for an idle pass.
uint32_t worker_pass(struct worker *worker);
// rings.c: drains what other workers and housekeeping have handed over, a burst from each ring. Packets handled.
uint32_t worker_rings(struct worker *worker);

// clock.c: starts the clock. Then: now, in ms of CLOCK_MONOTONIC, wrapping, at TSC value `tsc`. The kernel's clock is
// asked once a second, so that an imprecise TSC frequency cannot add up.
void worker_clock_init(struct worker_clock *clock);
uint32_t worker_clock_ms(struct worker_clock *clock, uint64_t tsc);
// The same in us, not wrapping. To be called after worker_clock_ms() with the same `tsc`.
uint64_t worker_clock_us(struct worker_clock *clock, uint64_t tsc);

#endif
