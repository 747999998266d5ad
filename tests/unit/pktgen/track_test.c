// SPDX-License-Identifier: Apache-2.0
// The sequence tracker against an account that remembers every number.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "track.h"

#define NUMBERS 400000

static uint64_t state = 11;
static struct track track;
static uint8_t seen[NUMBERS];

static uint32_t next_random(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 32) * below >> 32);
}

struct naive {
    uint64_t highest, duplicate, reordered, received;
    int any;
};

static void naive_take(struct naive *naive, uint64_t n)
{
    naive->received++;
    if (seen[n]) {
        naive->duplicate++;
        return;
    }
    seen[n] = 1;
    if (naive->any && n < naive->highest)
        naive->reordered++;
    if (!naive->any || n > naive->highest)
        naive->highest = n;
    naive->any = 1;
}

// Numbers come in order but for losses, repeats and displacements of up to the whole window.
static void counts_are_those_of_an_account_of_every_number(void **context)
{
    for (unsigned round = 0; round < 10; round++) {
        struct naive naive = {0};
        memset(seen, 0, sizeof(seen));
        track_init(&track);
        for (uint64_t n = 0; n < NUMBERS;) {
            uint32_t dice = next_random(1000);
            uint64_t number = n;
            uint32_t back = 1 + next_random(dice % 2 ? 100 : TRACK_WINDOW - 1);
            if (dice < 20)
                n += next_random(dice < 2 ? 100000 : 5); // lost
            else if (dice < 60 && back < n && naive.any && naive.highest + 1 >= back &&
                     naive.highest + 1 - back < NUMBERS)
                number = naive.highest + 1 - back; // late, or again
            else
                n++;
            if (number >= NUMBERS)
                break;
            naive_take(&naive, number);
            track_take(&track, track_extend(&track, number));
        }
        assert_int_equal(track.received, naive.received);
        assert_int_equal(track.duplicate, naive.duplicate);
        assert_int_equal(track.reordered, naive.reordered);
        assert_int_equal(track.too_late, 0);
        assert_int_equal(track.next, naive.highest + 1);
    }
}

static void numbers_beyond_the_wire_are_extended(void **context)
{
    const uint64_t wrap = 1ULL << SIGNATURE_SEQ_BITS;
    track_init(&track);
    track.next = wrap - 2;
    for (uint64_t n = wrap - 2; n < wrap + 5; n++)
        track_take(&track, track_extend(&track, n % wrap));
    assert_int_equal(track.next, wrap + 5);
    assert_int_equal(track.reordered, 0);
    assert_int_equal(track_extend(&track, wrap - 1), wrap - 1);
}

static void what_is_behind_the_window_is_told_apart(void **context)
{
    track_init(&track);
    assert_true(track_take(&track, 0));
    assert_true(track_take(&track, TRACK_WINDOW + 10));
    track_take(&track, 5);                               // too late to know
    assert_true(track_take(&track, 11));                 // the oldest that is remembered
    assert_false(track_take(&track, TRACK_WINDOW + 10)); // again
    assert_int_equal(track.too_late, 1);
    assert_int_equal(track.reordered, 2);
    assert_int_equal(track.duplicate, 1);
    assert_int_equal(track.distance, TRACK_WINDOW + 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_those_of_an_account_of_every_number),
        cmocka_unit_test(numbers_beyond_the_wire_are_extended),
        cmocka_unit_test(what_is_behind_the_window_is_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
