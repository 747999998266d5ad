// SPDX-License-Identifier: Apache-2.0
// The search against simulated devices whose capacity is known.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include "search.h"

struct device { // carries `capacity`, and `buffer` packets more in a trial
    double capacity, buffer;
    unsigned noise;    // of a hundred trials, so many lose a little for no reason
    double generator;  // what can be offered
    double kept_above; // at higher loads the generator is always kept from its core; 0: at none
    unsigned kept;     // of a hundred trials, it is in so many, and they lose
    uint64_t state;
    unsigned interrupt_at, trials;
};

static unsigned dice(struct device *device)
{
    device->state = device->state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(device->state >> 33) % 100;
}

static int measure(void *context, double load, uint64_t duration_us, struct search_measured *measured)
{
    struct device *device = context;
    double seconds = (double)duration_us / 1e6;
    if (++device->trials == device->interrupt_at)
        return -EINTR;
    measured->offered = fmin(load, device->generator);
    double sent = measured->offered * seconds, carried = device->capacity * seconds + device->buffer;
    measured->loss = sent > carried ? (sent - carried) / sent : 0;
    if (dice(device) < device->noise)
        measured->loss += 0.001;
    if (device->kept && dice(device) < device->kept) {
        measured->kept = true;
        measured->loss = 0.3;
    }
    measured->kept = measured->kept || (device->kept_above > 0 && load > device->kept_above);
    return 0;
}

static struct search_wish wish_of(double goal)
{
    return (struct search_wish){.min = 1000,
                                .max = 1e7,
                                .goal = goal,
                                .width = 0.005,
                                .quick_us = 100000,
                                .final_us = 1000000,
                                .confirm = 2,
                                .trials_max = 200};
}

static void trials_of_a_generator_without_its_core_do_not_vote(void **context)
{
    struct search_wish wish = wish_of(0);
    struct search_result result;
    for (uint64_t state = 1; state < 50; state++) {
        struct device device = {.capacity = 123456, .generator = 1e9, .kept = 3, .state = state};
        assert_int_equal(search_run(&wish, measure, &device, &result), 0);
        assert_true(result.found && result.bounded && !result.kept);
        assert_true(result.lower <= 123456 && result.lower >= 123456 * 0.99);
    }
}

static void load_that_the_generator_cannot_keep_up_is_no_fault_of_the_device(void **context)
{
    struct device device = {.capacity = 1e8, .generator = 1e9, .kept_above = 500000};
    struct search_wish wish = wish_of(0);
    struct search_result result;
    assert_int_equal(search_run(&wish, measure, &device, &result), 0);
    assert_true(result.found && result.bounded && result.kept);
    assert_true(result.lower <= 500000 && result.lower >= 500000 * 0.99);
}

static void the_capacity_is_found_within_the_width(void **context)
{
    for (double capacity = 2000; capacity < 9e6; capacity *= 1.37) {
        struct device device = {.capacity = capacity, .generator = 1e9};
        struct search_wish wish = wish_of(0);
        struct search_result result;
        assert_int_equal(search_run(&wish, measure, &device, &result), 0);
        assert_true(result.found && result.bounded);
        assert_true(result.lower <= capacity && result.lower >= capacity * 0.99);
        assert_true(result.upper >= capacity && result.upper <= capacity * 1.01);
        assert_true(result.trials < 80);
    }
}

static void some_loss_allowed_finds_more(void **context)
{
    struct device device = {.capacity = 1e6, .generator = 1e9};
    struct search_wish wish = wish_of(0.005);
    struct search_result result;
    assert_int_equal(search_run(&wish, measure, &device, &result), 0);
    assert_in_range((uint64_t)result.lower, 1000000, 1005026);
    assert_true(result.loss <= 0.005);
}

// Short trials fit into the device's buffer and promise too much: full ones must take it back.
static void a_buffer_that_hides_loss_from_short_trials_does_not_fool_it(void **context)
{
    struct device device = {.capacity = 1e6, .buffer = 50000, .generator = 1e9};
    struct search_wish wish = wish_of(0);
    struct search_result result;
    assert_int_equal(search_run(&wish, measure, &device, &result), 0);
    assert_in_range((uint64_t)result.lower, 1039000, 1050000);
}

static void a_hint_saves_trials(void **context)
{
    struct device device = {.capacity = 3e4, .generator = 1e9}, other = device;
    struct search_wish wish = wish_of(0);
    struct search_result without, with;
    assert_int_equal(search_run(&wish, measure, &device, &without), 0);
    wish.hint = 3e4;
    assert_int_equal(search_run(&wish, measure, &other, &with), 0);
    assert_true(with.found && with.trials < without.trials);
    assert_true(fabs(with.lower - 3e4) < 300);
}

static void a_trial_in_ten_that_loses_for_no_reason_is_outvoted(void **context)
{
    unsigned near = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct device device = {.capacity = 1e6, .noise = 10, .generator = 1e9, .state = seed};
        struct search_wish wish = wish_of(0);
        struct search_result result;
        assert_int_equal(search_run(&wish, measure, &device, &result), 0);
        assert_true(result.lower <= 1e6);
        near += result.lower > 0.95e6;
    }
    assert_true(near >= 14);
}

static void a_device_that_carries_everything_is_not_bounded(void **context)
{
    struct device device = {.capacity = 1e9, .generator = 1e9};
    struct search_wish wish = wish_of(0);
    struct search_result result;
    assert_int_equal(search_run(&wish, measure, &device, &result), 0);
    assert_true(result.found && !result.bounded);
    assert_true(result.lower == 1e7 && result.carried == 1e7);
    assert_int_equal(result.trials, 2);
}

static void a_load_that_was_not_sent_is_not_claimed(void **context)
{
    struct device device = {.capacity = 1e9, .generator = 4e6};
    struct search_wish wish = wish_of(0);
    struct search_result result;
    assert_int_equal(search_run(&wish, measure, &device, &result), 0);
    assert_true(result.found && result.carried == 4e6);
}

static void a_device_that_carries_nothing_is_said_to(void **context)
{
    struct device device = {.capacity = 0, .generator = 1e9};
    struct search_wish wish = wish_of(0);
    struct search_result result;
    assert_int_equal(search_run(&wish, measure, &device, &result), 0);
    assert_false(result.found);
}

static void the_operator_ends_it(void **context)
{
    struct device device = {.capacity = 1e6, .generator = 1e9, .interrupt_at = 9};
    struct search_wish wish = wish_of(0);
    struct search_result result;
    assert_int_equal(search_run(&wish, measure, &device, &result), -EINTR);
    assert_int_equal(device.trials, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trials_of_a_generator_without_its_core_do_not_vote),
        cmocka_unit_test(load_that_the_generator_cannot_keep_up_is_no_fault_of_the_device),
        cmocka_unit_test(the_capacity_is_found_within_the_width),
        cmocka_unit_test(some_loss_allowed_finds_more),
        cmocka_unit_test(a_buffer_that_hides_loss_from_short_trials_does_not_fool_it),
        cmocka_unit_test(a_hint_saves_trials),
        cmocka_unit_test(a_trial_in_ten_that_loses_for_no_reason_is_outvoted),
        cmocka_unit_test(a_device_that_carries_everything_is_not_bounded),
        cmocka_unit_test(a_load_that_was_not_sent_is_not_claimed),
        cmocka_unit_test(a_device_that_carries_nothing_is_said_to),
        cmocka_unit_test(the_operator_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
