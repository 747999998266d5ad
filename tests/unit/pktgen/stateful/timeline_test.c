// SPDX-License-Identifier: Apache-2.0
// The timeline of runs that are longer than it has room for.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "stateful/timeline.h"

static void feed(struct timeline *timeline, double seconds)
{
    for (unsigned i = 0; i < seconds * 50; i++) { // looked at fifty times a second
        double now = i / 50.0;
        if (timeline_due(timeline, now))
            timeline_add(timeline, &(struct timeline_point){.seconds = now, .completed = i});
    }
}

static void a_short_run_has_a_point_at_every_step(void **state)
{
    struct timeline timeline;
    timeline_init(&timeline, 0.1);
    feed(&timeline, 5);
    assert_int_equal(timeline.points, 50);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(timeline.point[i].completed, 5 * i);
}

static void a_long_run_keeps_its_beginning_its_end_and_even_steps(void **state)
{
    struct timeline timeline;
    timeline_init(&timeline, 0.1);
    feed(&timeline, 3600);
    assert_true(timeline.points > TIMELINE_POINTS / 4 && timeline.points <= TIMELINE_POINTS);
    assert_true(timeline.point[0].seconds < 0.001);
    double last = timeline.point[timeline.points - 1].seconds;
    assert_true(last > 3600 - 3 * timeline.step_s);
    for (unsigned i = 1; i < timeline.points; i++) {
        double step = timeline.point[i].seconds - timeline.point[i - 1].seconds;
        assert_true(step > 0.4 * timeline.step_s && step < 1.1 * timeline.step_s);
        assert_true(timeline.point[i].completed > timeline.point[i - 1].completed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_run_has_a_point_at_every_step),
        cmocka_unit_test(a_long_run_keeps_its_beginning_its_end_and_even_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
