// SPDX-License-Identifier: Apache-2.0
// The bad device: its lots, its rate, and what it does to a frame.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "impair.h"
#include "signature.h"

#define HZ     2000000000ULL
#define FRAMES 1000000u

static struct impair start(const struct impair_wish *wish)
{
    struct impair impair;
    impair_init(&impair, wish, HZ, 1000);
    return impair;
}

static void each_harm_befalls_its_share_of_the_frames(void **state)
{
    struct impair_wish wish = {
        .one_in = {[HARM_LOSE] = 10, [HARM_TWICE] = 20, [HARM_LATE] = 100, [HARM_CORRUPT] = 1000}, .seed = 5};
    struct impair impair = start(&wish);
    uint64_t seen[HARMS] = {0};
    for (uint32_t i = 0; i < FRAMES; i++)
        seen[impair_next(&impair, 2000)]++;
    for (unsigned i = HARM_LOSE; i <= HARM_CORRUPT; i++) {
        double expected = (double)FRAMES / wish.one_in[i];
        assert_true((double)seen[i] > expected * 0.85 && (double)seen[i] < expected * 1.15);
        assert_int_equal(impair.count[i], i == HARM_LATE ? 0 : seen[i]);
    }
    assert_int_equal(seen[HARM_OVER], 0);
}

static void one_in_one_is_every_frame(void **state)
{
    struct impair_wish wish = {.one_in = {[HARM_LOSE] = 1}};
    struct impair impair = start(&wish);
    for (unsigned i = 0; i < 100000; i++)
        assert_int_equal(impair_next(&impair, 2000), HARM_LOSE);
}

static void the_seed_alone_says_what_befalls_a_frame(void **state)
{
    struct impair_wish wish = {.one_in = {[HARM_LOSE] = 4, [HARM_LATE] = 4}, .seed = 1};
    struct impair a = start(&wish), b = start(&wish);
    wish.seed = 2;
    struct impair c = start(&wish);
    unsigned differ = 0;
    for (unsigned i = 0; i < 10000; i++) {
        enum harm harm = impair_next(&a, 1000 + i);
        assert_int_equal(harm, impair_next(&b, 9000 + 7 * i));
        differ += harm != impair_next(&c, 1000 + i);
    }
    assert_true(differ > 2000);
}

static void a_wish_for_more_than_all_frames_does_not_fit(void **state)
{
    struct impair_wish none = {0}, half = {.one_in = {[HARM_LOSE] = 2, [HARM_TWICE] = 3}},
                       over = {.one_in = {[HARM_LOSE] = 2, [HARM_TWICE] = 2, [HARM_LATE] = 9}};
    assert_true(impair_wish_none(&none));
    assert_true(impair_wish_fits(&none));
    assert_false(impair_wish_none(&half));
    assert_true(impair_wish_fits(&half));
    assert_false(impair_wish_fits(&over));
}

static uint64_t taken(struct impair *impair, uint64_t offered_per_s, double from_s, double seconds)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < (uint64_t)((double)offered_per_s * seconds); i++) {
        double at = (from_s + (double)i / (double)offered_per_s) * HZ;
        count += impair_next(impair, 1000 + (uint64_t)at) != HARM_OVER;
    }
    return count;
}

static void no_more_frames_are_taken_than_the_rate_and_one_burst(void **state)
{
    static const double rates[] = {1, 333, 20000, 1500000};
    for (unsigned i = 0; i < 4; i++) {
        struct impair_wish wish = {.pps = rates[i], .burst = 50};
        struct impair impair = start(&wish);
        double expected = rates[i] * 2 + 50;
        double count = (double)taken(&impair, (uint64_t)rates[i] * 3 + 100, 0, 2);
        assert_true(count > expected * 0.999 - 2 && count < expected * 1.001 + 2);
    }
}

static void a_load_within_the_rate_loses_nothing(void **state)
{
    struct impair_wish wish = {.pps = 20000, .burst = 1};
    struct impair impair = start(&wish);
    assert_int_equal(taken(&impair, 19990, 0, 1), 19990);
}

static void a_pause_makes_room_for_one_burst_and_no_more(void **state)
{
    struct impair_wish wish = {.pps = 1000, .burst = 10};
    struct impair impair = start(&wish);
    taken(&impair, 100000, 0, 1);
    uint64_t later = 1000 + 100 * HZ, count = 0;
    for (unsigned i = 0; i < 1000; i++)
        count += impair_next(&impair, later) != HARM_OVER;
    assert_int_equal(count, 10);
}

static void a_corrupt_frame_differs_in_one_bit_that_its_signature_covers(void **state)
{
    struct impair_wish wish = {.seed = 3};
    struct impair impair = start(&wish);
    for (uint32_t len = 60; len < 1600; len++) {
        uint8_t frame[1600] = {0}, before[1600];
        struct signature s = signature_make(0x1234, 7, 123456789, len);
        signature_write(frame + signature_offset(len), &s);
        memcpy(before, frame, sizeof(frame));
        impair_corrupt(&impair, frame, len);
        unsigned bits = 0;
        for (uint32_t i = 0; i < sizeof(frame); i++)
            bits += (unsigned)__builtin_popcount(frame[i] ^ before[i]);
        s = signature_read(frame + signature_offset(len));
        assert_int_equal(bits, 1);
        assert_int_equal(signature_magic(&s), 0x1234);
        assert_false(signature_whole(&s));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_harm_befalls_its_share_of_the_frames),
        cmocka_unit_test(one_in_one_is_every_frame),
        cmocka_unit_test(the_seed_alone_says_what_befalls_a_frame),
        cmocka_unit_test(a_wish_for_more_than_all_frames_does_not_fit),
        cmocka_unit_test(no_more_frames_are_taken_than_the_rate_and_one_burst),
        cmocka_unit_test(a_load_within_the_rate_loses_nothing),
        cmocka_unit_test(a_pause_makes_room_for_one_burst_and_no_more),
        cmocka_unit_test(a_corrupt_frame_differs_in_one_bit_that_its_signature_covers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
