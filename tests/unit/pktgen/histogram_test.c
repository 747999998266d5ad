// SPDX-License-Identifier: Apache-2.0
// The histogram against sorting all values.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include "histogram.h"

#define VALUES 20000

static uint64_t state = 7;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void every_cell_begins_where_the_one_before_ends(void **context)
{
    for (uint32_t i = 0; i + 1 < HISTOGRAM_CELLS; i++) {
        assert_int_equal(histogram_cell(histogram_cell_low(i)), i);
        assert_int_equal(histogram_cell(histogram_cell_high(i)), i);
        assert_int_equal(histogram_cell_high(i) + 1, histogram_cell_low(i + 1));
    }
    assert_int_equal(histogram_cell(HISTOGRAM_VALUE_MAX), HISTOGRAM_CELLS - 1);
}

static void percentiles_are_those_of_the_sorted_values_within_a_cell(void **context)
{
    static const double fraction[] = {0.01, 0.5, 0.9, 0.99, 0.999, 1};
    static uint64_t value[VALUES];
    static struct histogram h;
    for (unsigned round = 0; round < 20; round++) {
        histogram_init(&h);
        for (unsigned i = 0; i < VALUES; i++) {
            value[i] = next_random() >> (24 + next_random() % 40);
            histogram_add(&h, value[i]);
        }
        qsort(value, VALUES, sizeof(value[0]), compare);
        for (unsigned i = 0; i < sizeof(fraction) / sizeof(fraction[0]); i++) {
            uint64_t exact = value[(size_t)ceil(fraction[i] * VALUES) - 1],
                     got = histogram_percentile(&h, fraction[i]);
            assert_true(got >= exact && (double)got <= (double)exact * (1 + 1.0 / HISTOGRAM_STEPS) + 1);
        }
        assert_int_equal(histogram_percentile(&h, 1), value[VALUES - 1]);
    }
}

static void two_halves_merge_into_the_whole(void **context)
{
    static struct histogram whole, half[2];
    histogram_init(&whole);
    histogram_init(&half[0]);
    histogram_init(&half[1]);
    for (unsigned i = 0; i < VALUES; i++) {
        uint64_t value = next_random() >> 30;
        histogram_add(&whole, value);
        histogram_add(&half[i % 2], value);
    }
    histogram_merge(&half[0], &half[1]);
    assert_memory_equal(&half[0], &whole, sizeof(whole));
}

static void an_empty_one_has_no_latency(void **context)
{
    static struct histogram h;
    histogram_init(&h);
    assert_int_equal(histogram_percentile(&h, 0.99), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_begins_where_the_one_before_ends),
        cmocka_unit_test(percentiles_are_those_of_the_sorted_values_within_a_cell),
        cmocka_unit_test(two_halves_merge_into_the_whole),
        cmocka_unit_test(an_empty_one_has_no_latency),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
