// SPDX-License-Identifier: Apache-2.0
// A timer per neighbor entry, by its slot number: a wheel of 512 steps of 64 ms (33 s; longer times are looked at
// once a turn and stay). Setting, moving and stopping cost O(1); a tick walks only the steps that have passed.
// Memory is allocated once. Housekeeping alone.
#ifndef NEIGHBOR_TIMER_H
#define NEIGHBOR_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#define TIMER_STEPS   512
#define TIMER_STEP_MS 64
#define TIMER_NONE    UINT32_MAX

struct timer_link {
    uint32_t next, prev; // slots, TIMER_NONE; prev == TIMER_NONE: first of its step
    uint32_t due_ms;
    uint32_t step; // TIMER_NONE: not running
};

struct timer_wheel {
    struct timer_link *link; // [count]
    uint32_t count;
    uint32_t tick; // steps that have been looked at: now_ms / TIMER_STEP_MS
    uint32_t head[TIMER_STEPS];
};

// 0 or -ENOMEM.
int timer_wheel_init(struct timer_wheel *wheel, uint32_t count, uint32_t now_ms);
void timer_wheel_fini(struct timer_wheel *wheel);
// Starts or moves a timer: due `wait_ms` after `now_ms`, at most one step late.
void timer_start(struct timer_wheel *wheel, uint32_t id, uint32_t now_ms, uint32_t wait_ms);
void timer_stop(struct timer_wheel *wheel, uint32_t id);
// Takes one timer that is due off the wheel. False: none is due up to `now_ms`. The caller loops, and may start
// and stop timers in between.
bool timer_expire(struct timer_wheel *wheel, uint32_t now_ms, uint32_t *id);

#endif
