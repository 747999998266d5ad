// SPDX-License-Identifier: Apache-2.0
// Rates on a virtual clock.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "pace.h"

#define HZ 2100000000ULL

static uint64_t run(struct pace *pace, uint64_t from, uint64_t to, uint64_t step, uint32_t most)
{
    uint64_t sent = 0;
    for (uint64_t now = from; now <= to; now += step)
        sent += pace_due(pace, now, most);
    return sent;
}

static void a_rate_is_exact_over_ten_seconds(void **context)
{
    static const double rates[] = {1, 999, 1e5, 1234567, 1.488e7};
    for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        struct pace pace;
        pace_init(&pace, rates[i], HZ, 1, 1000);
        uint64_t sent = run(&pace, 1000, 1000 + 10 * HZ, 2101, 64);
        assert_in_range(sent, (uint64_t)(10 * rates[i]) - 2 - (uint64_t)(rates[i] * 2101 / HZ),
                        (uint64_t)(10 * rates[i]) + 1);
        assert_int_equal(pace.skipped, 0);
    }
}

static void packets_of_a_burst_go_together(void **context)
{
    struct pace pace;
    pace_init(&pace, 1e6, HZ, 100, 0);
    uint64_t in_burst = 0;
    for (uint64_t now = 0; now < HZ / 100; now += 500) {
        uint32_t due = pace_due(&pace, now, 64);
        in_burst += due;
        assert_true(due == 0 || due == 64 || due == 36);
        if (due == 36)
            assert_int_equal(in_burst % 100, 0);
    }
    assert_in_range(in_burst, 9800, 10000);
}

static void what_was_missed_for_long_is_let_go_and_counted(void **context)
{
    struct pace pace;
    pace_init(&pace, 1e6, HZ, 1, 0);
    run(&pace, 0, HZ / 10, 2100, 64);
    uint64_t before = pace.given;
    run(&pace, HZ / 5, HZ / 5, 1, 1u << 20); // a tenth of a second later
    assert_int_equal(pace.given - before, pace.catch_up);
    assert_in_range(pace.given + pace.skipped, 199999, 200001);
}

static void what_the_port_refused_is_due_again(void **context)
{
    struct pace pace;
    pace_init(&pace, 1e6, HZ, 1, 0);
    uint32_t due = pace_due(&pace, HZ / 50000 + 10, 64);
    assert_int_equal(due, 20);
    pace_return(&pace, 15);
    assert_int_equal(pace_due(&pace, HZ / 50000 + 10, 64), 15);
}

static void without_a_rate_all_may_go(void **context)
{
    struct pace pace;
    pace_init(&pace, 0, HZ, 1, 0);
    assert_int_equal(pace_due(&pace, 1, 64), 64);
    assert_int_equal(pace_due(&pace, 1, 64), 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rate_is_exact_over_ten_seconds),
        cmocka_unit_test(packets_of_a_burst_go_together),
        cmocka_unit_test(what_was_missed_for_long_is_let_go_and_counted),
        cmocka_unit_test(what_the_port_refused_is_due_again),
        cmocka_unit_test(without_a_rate_all_may_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
