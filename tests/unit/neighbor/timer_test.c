// SPDX-License-Identifier: Apache-2.0
// The timer wheel against a plain array of due times, at random, over the clock's wrap.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "neighbor/timer.h"

#define TIMERS 100
#define STEPS  200000

struct reference {
    bool running;
    uint32_t due_ms;
};

static uint32_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 32);
}

// Nothing fires early; what is a step overdue has fired.
static void check(struct timer_wheel *wheel, struct reference *reference, uint32_t now_ms)
{
    uint32_t id;

    while (timer_expire(wheel, now_ms, &id)) {
        assert_in_range(id, 0, TIMERS - 1);
        assert_true(reference[id].running);
        assert_true((int32_t)(now_ms - reference[id].due_ms) >= 0);
        reference[id].running = false;
    }
    for (id = 0; id < TIMERS; id++)
        if (reference[id].running)
            assert_true((int32_t)(now_ms - reference[id].due_ms) < TIMER_STEP_MS);
}

static void fires_each_timer_once_and_in_time(void **state)
{
    struct timer_wheel wheel;
    struct reference reference[TIMERS] = {0};
    uint64_t random = 99;
    uint32_t now_ms = UINT32_MAX - 100000; // wraps on the way

    (void)state;
    printf("seed %llu\n", (unsigned long long)random);
    assert_int_equal(timer_wheel_init(&wheel, TIMERS, now_ms), 0);
    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t id = next_random(&random) % TIMERS;
        uint32_t wait_ms = 1 + next_random(&random) % (next_random(&random) % 4 ? 3000 : 100000);
        switch (next_random(&random) % 4) {
        case 0:
            timer_stop(&wheel, id);
            reference[id].running = false;
            break;
        case 1:
            timer_start(&wheel, id, now_ms, wait_ms);
            reference[id] = (struct reference){true, now_ms + wait_ms};
            break;
        default:
            now_ms += next_random(&random) % (next_random(&random) % 100 ? 30 : 50000);
            check(&wheel, reference, now_ms);
        }
    }
    timer_wheel_fini(&wheel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(fires_each_timer_once_and_in_time)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
