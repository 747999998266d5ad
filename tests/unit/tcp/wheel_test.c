// SPDX-License-Identifier: Apache-2.0
// The timer wheel against a naive list, at random and by the million.
#include <stdlib.h>
#include "script.h"

#define TICK TCP_WHEEL_TICK_US

static uint64_t random_state;

static uint64_t draw(void)
{
    random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
    return random_state >> 24;
}

static struct tcp_wheel *wheel_new(uint32_t n, uint64_t now_us)
{
    struct tcp_wheel *wheel = malloc(sizeof(*wheel));

    assert_non_null(wheel);
    assert_int_equal(tcp_wheel_init(wheel, n, now_us), 0);
    return wheel;
}

static void wheel_free(struct tcp_wheel *wheel)
{
    tcp_wheel_fini(wheel);
    free(wheel);
}

static void a_timer_never_comes_early_and_at_most_a_tick_late(void **state)
{
    static const uint64_t delays[] = {
        1,          63,         64,         65,         1000,           16383,
        16384,      16385,      4194303,    4194304,    4194305,        60000000,
        1073741823, 1073741824, 1073741825, 3600000000, 86400000000ull, 137000000000ull};

    for (unsigned i = 0; i < sizeof(delays) / sizeof(delays[0]); i++)
        for (uint64_t start = 0; start < 1000000; start += 99991) {
            struct tcp_wheel *wheel = wheel_new(1, start);
            uint64_t due = start + delays[i], now = start;

            tcp_wheel_arm(wheel, 0, due);
            while (tcp_wheel_due(wheel, now) == TCP_WHEEL_NONE) {
                uint64_t next = tcp_wheel_next_us(wheel);

                if (next <= now || next > due + TICK)
                    fail_msg("due %lu: told %lu at %lu", due, next, now);
                now = next;
            }
            assert_in_range(now, due, due + TICK);
            assert_int_equal(wheel->n_armed, 0);
            assert_int_equal(tcp_wheel_next_us(wheel), TCP_WHEEL_NEVER_US);
            wheel_free(wheel);
        }
}

static void what_lies_in_the_past_is_due_at_the_next_tick(void **state)
{
    struct tcp_wheel *wheel = wheel_new(2, 1000000);

    tcp_wheel_arm(wheel, 0, 0);
    tcp_wheel_arm(wheel, 1, 1000000);
    assert_int_equal(tcp_wheel_due(wheel, 1000000), TCP_WHEEL_NONE);
    assert_int_not_equal(tcp_wheel_due(wheel, 1000000 + TICK), TCP_WHEEL_NONE);
    assert_int_not_equal(tcp_wheel_due(wheel, 1000000 + TICK), TCP_WHEEL_NONE);
    wheel_free(wheel);
}

static void a_timer_moved_or_stopped_does_not_come_at_its_old_time(void **state)
{
    struct tcp_wheel *wheel = wheel_new(3, 0);

    for (uint32_t i = 0; i < 3; i++)
        tcp_wheel_arm(wheel, i, 1000);
    tcp_wheel_arm(wheel, 0, 500000);
    tcp_wheel_disarm(wheel, 1);
    tcp_wheel_disarm(wheel, 1);
    assert_int_equal(tcp_wheel_due(wheel, 2000), 2);
    assert_int_equal(tcp_wheel_due(wheel, 499900), TCP_WHEEL_NONE);
    assert_int_equal(tcp_wheel_due(wheel, 500100), 0);
    assert_int_equal(wheel->n_armed, 0);
    wheel_free(wheel);
}

static void one_that_is_due_can_still_be_stopped(void **state)
{
    struct tcp_wheel *wheel = wheel_new(3, 0);
    uint32_t first, stopped;

    for (uint32_t i = 0; i < 3; i++)
        tcp_wheel_arm(wheel, i, 1000);
    first = tcp_wheel_due(wheel, 2000);
    stopped = (first + 1) % 3;
    tcp_wheel_disarm(wheel, stopped);
    assert_int_equal(tcp_wheel_due(wheel, 2000), (first + 2) % 3);
    assert_int_equal(tcp_wheel_due(wheel, 2000), TCP_WHEEL_NONE);
    wheel_free(wheel);
}

#define N 500u

// Times on all scales, steps on all scales.
static uint64_t scale(void)
{
    return draw() % (1ull << (6 + draw() % 32));
}

static void give_out(struct tcp_wheel *wheel, uint64_t *due, uint64_t now)
{
    uint32_t index;

    while ((index = tcp_wheel_due(wheel, now)) != TCP_WHEEL_NONE) {
        if (due[index] == UINT64_MAX || due[index] > now)
            fail_msg("timer %u of %lu came at %lu", index, due[index], now);
        due[index] = UINT64_MAX;
    }
    for (uint32_t i = 0; i < N; i++)
        if (due[i] != UINT64_MAX && due[i] + TICK <= now)
            fail_msg("timer %u of %lu did not come by %lu", i, due[i], now);
}

static void at_random_it_gives_what_a_list_would(void **state)
{
    for (unsigned seed = 1; seed <= 20; seed++) {
        uint64_t due[N], now = (random_state = seed, draw() % (1ull << 45));
        struct tcp_wheel *wheel = wheel_new(N, now);

        for (uint32_t i = 0; i < N; i++)
            due[i] = UINT64_MAX;
        for (unsigned step = 0; step < 3000; step++) {
            uint32_t armed = 0;
            uint64_t first = UINT64_MAX;

            for (unsigned n = (unsigned)(draw() % 8); n; n--) {
                uint32_t i = (uint32_t)(draw() % N);

                if (draw() % 4) {
                    due[i] = now + scale();
                    tcp_wheel_arm(wheel, i, due[i]);
                    due[i] = due[i] <= now ? now + 1 : due[i];
                } else {
                    due[i] = UINT64_MAX;
                    tcp_wheel_disarm(wheel, i);
                }
            }
            for (uint32_t i = 0; i < N; i++) {
                armed += due[i] != UINT64_MAX;
                first = due[i] < first ? due[i] : first;
            }
            assert_int_equal(wheel->n_armed, armed);
            if (armed && tcp_wheel_next_us(wheel) > first + TICK)
                fail_msg("told %lu, first is %lu", tcp_wheel_next_us(wheel), first);
            now = draw() % 2                                ? now + scale() / 16
                  : armed && tcp_wheel_next_us(wheel) > now ? tcp_wheel_next_us(wheel)
                                                            : now;
            give_out(wheel, due, now);
        }
        wheel_free(wheel);
    }
}

static void what_is_further_than_it_reaches_is_given_out_early_enough_to_be_armed_again(void **state)
{
    struct tcp_wheel *wheel = wheel_new(1, 0);
    uint64_t due = 400ull * 3600 * 1000000, now = 0;
    unsigned times = 0;

    tcp_wheel_arm(wheel, 0, due);
    for (;;) {
        while (tcp_wheel_due(wheel, now) == TCP_WHEEL_NONE)
            now = tcp_wheel_next_us(wheel);
        if (now >= due)
            break;
        tcp_wheel_arm(wheel, 0, due);
        assert_in_range(++times, 1, 100);
    }
    assert_in_range(now, due, due + TICK);
    wheel_free(wheel);
}

#define MILLION 1000000u

static void a_million_timers_all_come_in_time(void **state)
{
    struct tcp_wheel *wheel = wheel_new(MILLION, 0);
    uint64_t *due = malloc(sizeof(*due) * MILLION), now = 0, step = 10007;
    uint32_t index, came = 0;

    assert_non_null(due);
    random_state = 3;
    for (uint32_t i = 0; i < MILLION; i++)
        tcp_wheel_arm(wheel, i, due[i] = 1 + draw() % 120000000);
    for (uint32_t i = 0; i < MILLION; i += 3) // a third is moved
        tcp_wheel_arm(wheel, i, due[i] = 1 + draw() % 120000000);
    assert_int_equal(wheel->n_armed, MILLION);
    for (; now < 121000000; now += step)
        while ((index = tcp_wheel_due(wheel, now)) != TCP_WHEEL_NONE) {
            assert_in_range(now, due[index], due[index] + step + TICK);
            came++;
        }
    assert_int_equal(came, MILLION);
    assert_int_equal(wheel->n_armed, 0);
    free(due);
    wheel_free(wheel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_timer_never_comes_early_and_at_most_a_tick_late),
        T(what_lies_in_the_past_is_due_at_the_next_tick),
        T(a_timer_moved_or_stopped_does_not_come_at_its_old_time),
        T(one_that_is_due_can_still_be_stopped),
        T(at_random_it_gives_what_a_list_would),
        T(what_is_further_than_it_reaches_is_given_out_early_enough_to_be_armed_again),
        T(a_million_timers_all_come_in_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
