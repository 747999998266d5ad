// SPDX-License-Identifier: Apache-2.0
// Tables and numbers as sluicectl prints them.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include "table.h"

static void columns_are_as_wide_as_what_is_in_them(void **state)
{
    struct table table;
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    table_init(&table, "PORT", ">RX", "NOTE", NULL);
    table_add(&table, "%s", "lan");
    table_add(&table, "%d", 7);
    table_add(&table, "first");
    table_add(&table, "uplink");
    table_add(&table, "%d", 123456);
    table_add(&table, "%s", "");
    table_print(&table, out, false, "none");
    fclose(out);
    assert_string_equal(text, "PORT        RX  NOTE\n"
                              "lan          7  first\n"
                              "uplink  123456  \n");
    free(text);
}

static void an_empty_table_says_so(void **state)
{
    struct table table;
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    table_init(&table, "PORT", NULL);
    table_print(&table, out, true, "no ports");
    fclose(out);
    assert_string_equal(text, "no ports\n");
    free(text);
}

static void numbers_have_units_people_read(void **state)
{
    char text[TABLE_TEXT];

    assert_string_equal(text_count(0, text), "0");
    assert_string_equal(text_count(99999, text), "99999");
    assert_string_equal(text_count(100000, text), "100k");
    assert_string_equal(text_count(1234567, text), "1.23M");
    assert_string_equal(text_count(999999, text), "1.00M");
    assert_string_equal(text_count(UINT64_MAX, text), "18447P");
    assert_string_equal(text_bytes(1023, text), "1023 B");
    assert_string_equal(text_bytes(1536, text), "1.50 KiB");
    assert_string_equal(text_bytes(1ULL << 40, text), "1.00 TiB");
    assert_string_equal(text_rate(-1, text), "-");
    assert_string_equal(text_rate(0, text), "0/s");
    assert_string_equal(text_rate(2.5, text), "2.5/s");
    assert_string_equal(text_rate(1500000, text), "1.50M/s");
    assert_string_equal(text_bits(125000000, text), "1.00 Gbit/s");
    assert_string_equal(text_bits(0, text), "0 bit/s");
    assert_string_equal(text_seconds(59, text), "59s");
    assert_string_equal(text_seconds(3599, text), "59m 59s");
    assert_string_equal(text_seconds(90000, text), "1d 1h");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_what_is_in_them),
        cmocka_unit_test(an_empty_table_says_so),
        cmocka_unit_test(numbers_have_units_people_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
