// SPDX-License-Identifier: Apache-2.0
// The timer wheel of timer.h. Times wrap at 2^32 ms and are compared by signed difference.
#include <errno.h>
#include <stdlib.h>
#include "neighbor/timer.h"

static uint32_t step_of(uint32_t time_ms)
{
    return time_ms / TIMER_STEP_MS % TIMER_STEPS; // 2^32 is a multiple of a turn: wrapping does not break it
}

int timer_wheel_init(struct timer_wheel *wheel, uint32_t count, uint32_t now_ms)
{
    wheel->link = calloc(count, sizeof(wheel->link[0]));
    if (!wheel->link)
        return -ENOMEM;
    wheel->count = count;
    wheel->tick = now_ms / TIMER_STEP_MS;
    for (uint32_t i = 0; i < count; i++)
        wheel->link[i].step = TIMER_NONE;
    for (uint32_t i = 0; i < TIMER_STEPS; i++)
        wheel->head[i] = TIMER_NONE;
    return 0;
}

void timer_wheel_fini(struct timer_wheel *wheel)
{
    free(wheel->link);
    wheel->link = NULL;
}

static void link_in(struct timer_wheel *wheel, uint32_t id, uint32_t step)
{
    struct timer_link *link = &wheel->link[id];

    link->step = step;
    link->prev = TIMER_NONE;
    link->next = wheel->head[step];
    if (link->next != TIMER_NONE)
        wheel->link[link->next].prev = id;
    wheel->head[step] = id;
}

void timer_stop(struct timer_wheel *wheel, uint32_t id)
{
    struct timer_link *link = &wheel->link[id];

    if (link->step == TIMER_NONE)
        return;
    if (link->prev != TIMER_NONE)
        wheel->link[link->prev].next = link->next;
    else
        wheel->head[link->step] = link->next;
    if (link->next != TIMER_NONE)
        wheel->link[link->next].prev = link->prev;
    link->step = TIMER_NONE;
}

// One step beyond its own time, so that a step is only looked at when all its timers of this turn are due.
void timer_start(struct timer_wheel *wheel, uint32_t id, uint32_t now_ms, uint32_t wait_ms)
{
    timer_stop(wheel, id);
    wheel->link[id].due_ms = now_ms + wait_ms;
    link_in(wheel, id, step_of(now_ms + wait_ms + TIMER_STEP_MS - 1));
}

static bool step_expire(struct timer_wheel *wheel, uint32_t step, uint32_t now_ms, uint32_t *id)
{
    uint32_t next;

    for (uint32_t at = wheel->head[step]; at != TIMER_NONE; at = next) {
        next = wheel->link[at].next;
        if ((int32_t)(now_ms - wheel->link[at].due_ms) < 0)
            continue; // of a later turn
        timer_stop(wheel, at);
        *id = at;
        return true;
    }
    return false;
}

bool timer_expire(struct timer_wheel *wheel, uint32_t now_ms, uint32_t *id)
{
    uint32_t now = now_ms / TIMER_STEP_MS;
    uint32_t passed = (now - wheel->tick) % (UINT32_MAX / TIMER_STEP_MS + 1);

    if (passed > TIMER_STEPS) { // asleep for more than a turn: every step once is enough
        passed = TIMER_STEPS;
        wheel->tick = now - TIMER_STEPS;
    }
    for (; passed > 0; passed--) {
        if (step_expire(wheel, (wheel->tick + 1) % TIMER_STEPS, now_ms, id))
            return true;
        wheel->tick++;
    }
    return step_expire(wheel, now % TIMER_STEPS, now_ms, id);
}
