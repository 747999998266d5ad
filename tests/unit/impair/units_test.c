// SPDX-License-Identifier: Apache-2.0
// Quantities as people write them: those that are right, and those that are refused.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "units.h"

typedef const char *(*reader)(const char *text, uint64_t *value);

static void right_ones_are_read(void **state)
{
    static const struct {
        reader read;
        const char *text;
        uint64_t value;
    } cases[] = {{units_time, "20ms", 20000},      {units_time, "150us", 150},       {units_time, "1.5s", 1500000},
                 {units_chance, "1%", 10000},      {units_chance, "0.05%", 500},     {units_chance, "100%", 1000000},
                 {units_rate, "100mbit", 100000000}, {units_rate, "1gbit", 1000000000}, {units_rate, "56kbit", 56000},
                 {units_bytes, "1500", 1500},      {units_bytes, "64k", 65536},      {units_bytes, "1m", 1048576}};

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t value = 0;

        assert_null(cases[i].read(cases[i].text, &value));
        assert_int_equal(value, cases[i].value);
    }
}

static void wrong_ones_are_refused_with_a_sentence(void **state)
{
    static const struct {
        reader read;
        const char *text;
    } cases[] = {{units_time, "20"},     {units_time, "-1ms"},  {units_time, ""},       {units_time, "ms"},
                 {units_time, "2h"},     {units_time, "3601s"}, {units_chance, "1"},    {units_chance, "101%"},
                 {units_chance, "nan%"}, {units_rate, "100"},   {units_rate, "0bit"},   {units_rate, "100mbyte"},
                 {units_bytes, "0"},     {units_bytes, "12kb"}, {units_bytes, "0x10"},  {units_bytes, "inf"}};

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t value = 77;

        if (!cases[i].read(cases[i].text, &value))
            fail_msg("'%s' was read as %llu", cases[i].text, (unsigned long long)value);
    }
}

static void pairs_need_their_colon(void **state)
{
    uint64_t chance, second;

    assert_null(units_chance_time("1%:5ms", &chance, &second));
    assert_int_equal(chance, 10000);
    assert_int_equal(second, 5000);
    assert_null(units_chance_count("0.5%:10", &chance, &second));
    assert_int_equal(second, 10);
    assert_non_null(units_chance_time("1%", &chance, &second));
    assert_non_null(units_chance_time("1%:", &chance, &second));
    assert_non_null(units_chance_count("1%:0", &chance, &second));
    assert_non_null(units_chance_count("1%:ten", &chance, &second));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_ones_are_read),
        cmocka_unit_test(wrong_ones_are_refused_with_a_sentence),
        cmocka_unit_test(pairs_need_their_colon),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
