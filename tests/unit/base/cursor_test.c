// SPDX-License-Identifier: Apache-2.0
// The bounded reader: what it gives out, and that it gives out nothing beyond its end.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/cursor.h"
#include "random.h"

static void cursor_reads_numbers_in_network_order(void **state)
{
    const uint8_t bytes[] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};
    struct sl_cursor cursor = sl_cursor_over(bytes, 7);

    assert_int_equal(sl_cursor_u8(&cursor), 0x01);
    assert_int_equal(sl_cursor_u16(&cursor), 0x2345);
    assert_int_equal(sl_cursor_u32(&cursor), 0x6789abcd);
    assert_int_equal(sl_cursor_left(&cursor), 0);
    assert_false(sl_cursor_failed(&cursor));
}

static void cursor_refuses_the_byte_behind_the_last(void **state)
{
    const uint8_t bytes[] = {1, 2, 3};
    struct sl_cursor cursor = sl_cursor_over(bytes, 3);

    assert_true(sl_cursor_skip(&cursor, 3));
    assert_null(sl_cursor_take(&cursor, 1));
    assert_true(sl_cursor_failed(&cursor));
}

static void cursor_goes_on_refusing(void **state)
{
    const uint8_t bytes[] = {1, 2, 3};
    struct sl_cursor cursor = sl_cursor_over(bytes, 3);

    assert_null(sl_cursor_take(&cursor, 4));
    assert_int_equal(sl_cursor_left(&cursor), 0);
    assert_int_equal(sl_cursor_u8(&cursor), 0);
    assert_false(sl_cursor_skip(&cursor, 0));
}

static void cursor_part_ends_where_it_was_told(void **state)
{
    const uint8_t bytes[] = {1, 2, 3, 4, 5};
    struct sl_cursor cursor = sl_cursor_over(bytes, 5);
    struct sl_cursor part = sl_cursor_part(&cursor, 2);

    assert_int_equal(sl_cursor_u16(&part), 0x0102);
    assert_null(sl_cursor_take(&part, 1));
    assert_int_equal(sl_cursor_u8(&cursor), 3);
    part = sl_cursor_part(&cursor, 3);
    assert_true(sl_cursor_failed(&part));
}

static void cursor_copy_is_all_or_nothing(void **state)
{
    const uint8_t bytes[] = {1, 2, 3};
    uint8_t out[4] = {9, 9, 9, 9};
    struct sl_cursor cursor = sl_cursor_over(bytes, 3);

    assert_false(sl_cursor_copy(&cursor, out, 4));
    assert_int_equal(out[0], 9);
    cursor = sl_cursor_over(bytes, 3);
    assert_true(sl_cursor_copy(&cursor, out, 3));
    assert_memory_equal(out, bytes, 3);
}

// Random walks over a buffer, beside a plain position.
static void cursor_agrees_with_a_counted_position(void **state)
{
    struct test_random random = test_random_start("cursor");
    uint8_t bytes[64];

    for (unsigned round = 0; round < 20000; round++) {
        size_t len = test_random_below(&random, sizeof(bytes) + 1), at = 0;
        bool failed = false;
        struct sl_cursor cursor = sl_cursor_over(bytes, len);
        for (unsigned step = 0; step < 8; step++) {
            size_t want = test_random_below(&random, 20);
            failed = failed || at + want > len;
            const uint8_t *got = sl_cursor_take(&cursor, want);
            assert_ptr_equal(got, failed ? NULL : bytes + at);
            at += failed ? 0 : want;
            assert_int_equal(sl_cursor_left(&cursor), failed ? 0 : len - at);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursor_reads_numbers_in_network_order),
        cmocka_unit_test(cursor_refuses_the_byte_behind_the_last),
        cmocka_unit_test(cursor_goes_on_refusing),
        cmocka_unit_test(cursor_part_ends_where_it_was_told),
        cmocka_unit_test(cursor_copy_is_all_or_nothing),
        cmocka_unit_test(cursor_agrees_with_a_counted_position),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
