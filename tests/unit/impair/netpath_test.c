// SPDX-License-Identifier: Apache-2.0
// Each harm that a bad path does, by its definition, on virtual time.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include "netpath.h"

#define MANY 100000u

static struct netpath *path_new(struct netpath_config config)
{
    struct netpath *path = netpath_new(&config, 42, 4096, 2048);

    assert_non_null(path);
    return path;
}

static bool put(struct netpath *path, uint64_t now_us, uint32_t len, uint32_t tag)
{
    uint8_t bytes[2048];

    memset(bytes, (int)(tag & 0xff), sizeof(bytes));
    return netpath_put(path, now_us, bytes, len, tag);
}

// Puts `n` packets of 100 bytes, one a microsecond, takes out what is due meanwhile and in the end all; their tags.
static uint32_t pass(struct netpath *path, uint32_t n, uint32_t *tags)
{
    struct netpath_packet packet;
    uint32_t came = 0;

    for (uint32_t i = 0; i < n; i++) {
        put(path, i, 100, i);
        while (netpath_take(path, i, &packet))
            tags[came++] = packet.tag;
    }
    while (netpath_take(path, UINT64_MAX - 1, &packet))
        tags[came++] = packet.tag;
    return came;
}

static uint32_t tags[2 * MANY];

static void assert_about(double value, double wanted, double share)
{
    if (value < wanted * (1 - share) || value > wanted * (1 + share))
        fail_msg("%g is not about %g", value, wanted);
}

static void a_good_path_gives_all_in_order_and_unchanged(void **state)
{
    struct netpath *path = path_new((struct netpath_config){0});
    struct netpath_packet packet;

    for (uint32_t i = 0; i < 5000; i++) {
        assert_true(put(path, i, 1 + i % 1500, i));
        assert_true(netpath_take(path, i, &packet));
        assert_int_equal(packet.tag, i);
        assert_int_equal(packet.len, 1 + i % 1500);
        for (uint32_t k = 0; k < packet.len; k++)
            assert_int_equal(packet.bytes[k], i & 0xff);
    }
    assert_false(netpath_take(path, UINT64_MAX - 1, &packet));
    assert_int_equal(netpath_next_us(path), UINT64_MAX);
    netpath_free(path);
}

static void nothing_comes_before_its_delay(void **state)
{
    struct netpath *path = path_new((struct netpath_config){.delay_us = 20000});
    struct netpath_packet packet;

    put(path, 1000, 100, 7);
    assert_int_equal(netpath_next_us(path), 21000);
    assert_false(netpath_take(path, 20999, &packet));
    assert_true(netpath_take(path, 21000, &packet));
    assert_int_equal(packet.due_us, 21000);
    netpath_free(path);
}

static void jitter_stays_in_its_bounds_and_keeps_the_order(void **state)
{
    struct netpath *path = path_new((struct netpath_config){.delay_us = 1000, .jitter_us = 500});
    struct netpath_packet packet;
    uint64_t least = UINT64_MAX, most = 0, last = 0;

    for (uint32_t i = 0; i < 2000; i++) // far apart, so that none waits for another
        assert_true(put(path, i * 1000ull, 100, i));
    for (uint32_t i = 0; i < 2000; i++) {
        assert_true(netpath_take(path, UINT64_MAX - 1, &packet));
        assert_int_equal(packet.tag, i);
        assert_true(packet.due_us >= last);
        uint64_t took = packet.due_us - i * 1000ull;
        least = took < least ? took : least;
        most = took > most ? took : most;
        last = packet.due_us;
    }
    assert_true(least >= 1000 && least < 1020 && most <= 1500 && most > 1480);
    netpath_free(path);
}

static void a_share_is_lost_each_by_itself(void **state)
{
    struct netpath *path = path_new((struct netpath_config){.loss = 30000});
    uint32_t came = pass(path, MANY, tags);

    assert_about(MANY - came, 0.03 * MANY, 0.05);
    assert_int_equal(netpath_counters(path)->lost, MANY - came);
    netpath_free(path);
}

// Gilbert: bursts of 1e6 / burst_end packets on average, begun by burst_begin of the packets outside.
static void bursts_of_loss_are_as_long_as_asked(void **state)
{
    struct netpath *path = path_new((struct netpath_config){.burst_begin = 5000, .burst_end = 100000});
    uint32_t came = pass(path, MANY, tags), bursts = 0;

    for (uint32_t i = 1; i < came; i++)
        bursts += tags[i] != tags[i - 1] + 1;
    assert_about((double)(MANY - came) / bursts, 10, 0.15);
    assert_about(bursts, 0.005 * came, 0.15);
    netpath_free(path);
}

static void a_share_comes_twice_the_copies_together(void **state)
{
    struct netpath *path = path_new((struct netpath_config){.duplicate = 20000, .delay_us = 10});
    uint32_t came = pass(path, MANY, tags), twice = 0;

    for (uint32_t i = 1; i < came; i++)
        twice += tags[i] == tags[i - 1];
    assert_int_equal(came, MANY + twice);
    assert_about(twice, 0.02 * MANY, 0.07);
    netpath_free(path);
}

static void those_held_back_are_overtaken_and_nobody_else(void **state)
{
    struct netpath *path = path_new((struct netpath_config){.reorder = 10000, .reorder_us = 50});
    uint32_t came = pass(path, MANY, tags), late = 0, most = 0;

    assert_int_equal(came, MANY);
    for (uint32_t i = 0; i < came; i++) {
        late += tags[i] < most;
        most = tags[i] > most ? tags[i] : most;
        assert_true(most - tags[i] <= 51);
    }
    assert_about(late, 0.01 * MANY, 0.08);
    assert_int_equal(netpath_counters(path)->held_back, late);
    netpath_free(path);
}

static void corruption_turns_one_bit(void **state)
{
    struct netpath *path = path_new((struct netpath_config){.corrupt = 100000});
    struct netpath_packet packet;
    uint32_t corrupted = 0;

    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t bits = 0;

        put(path, i, 200, i);
        assert_true(netpath_take(path, i, &packet));
        for (uint32_t k = 0; k < packet.len; k++)
            bits += (uint32_t)__builtin_popcount(packet.bytes[k] ^ (i & 0xff));
        assert_true(bits <= 1);
        corrupted += bits;
    }
    assert_int_equal(netpath_counters(path)->corrupted, corrupted);
    assert_about(corrupted, 2000, 0.1);
    netpath_free(path);
}

// 1,500 bytes at 7 Mbit/s take 1,714.28... us: after seven of them twelve milliseconds to the microsecond.
static void the_rate_never_drifts(void **state)
{
    struct netpath *path = path_new((struct netpath_config){.rate_bps = 7000000});
    struct netpath_packet packet;

    for (uint32_t i = 0; i < 700; i++)
        assert_true(put(path, 0, 1500, i));
    for (uint32_t i = 1; i <= 700; i++) {
        assert_true(netpath_take(path, UINT64_MAX - 1, &packet));
        assert_int_equal(packet.due_us, (i * 12000ull + 6) / 7);
    }
    netpath_free(path);
}

static void an_idle_link_begins_anew(void **state)
{
    struct netpath *path = path_new((struct netpath_config){.rate_bps = 8000000});
    struct netpath_packet packet;

    put(path, 0, 1000, 0);
    put(path, 50000, 1000, 1);
    assert_true(netpath_take(path, UINT64_MAX - 1, &packet));
    assert_int_equal(packet.due_us, 1000);
    assert_true(netpath_take(path, UINT64_MAX - 1, &packet));
    assert_int_equal(packet.due_us, 51000);
    netpath_free(path);
}

static void a_full_queue_drops_its_end(void **state)
{
    struct netpath *path = path_new((struct netpath_config){.rate_bps = 8000000, .queue_bytes = 10000});
    struct netpath_packet packet;
    uint32_t taken = 0, came = 0;

    for (uint32_t i = 0; i < 30; i++)
        taken += put(path, 0, 1000, i);
    assert_int_equal(taken, 10); // what is on the link counts
    assert_int_equal(netpath_counters(path)->queue_full, 20);
    for (; netpath_take(path, UINT64_MAX - 1, &packet); came++)
        assert_int_equal(packet.tag, came);
    assert_int_equal(came, 10);
    netpath_free(path);
}

static void what_is_larger_than_the_mtu_vanishes(void **state)
{
    struct netpath *path = path_new((struct netpath_config){.mtu = 1400});

    assert_true(put(path, 0, 1400, 0));
    assert_false(put(path, 0, 1401, 1));
    assert_int_equal(netpath_counters(path)->too_large, 1);
    netpath_free(path);
}

static void all_that_goes_in_is_accounted_for(void **state)
{
    struct netpath *path = path_new((struct netpath_config){.rate_bps = 700000000, .queue_bytes = 3000, .loss = 20000,
                                                            .burst_begin = 1000, .burst_end = 200000, .duplicate = 20000,
                                                            .reorder = 20000, .reorder_us = 100, .jitter_us = 20});
    uint32_t came = pass(path, MANY, tags);
    const struct netpath_counters *c = netpath_counters(path);

    assert_int_equal(c->in, MANY);
    assert_int_equal(c->out, came);
    assert_int_equal(c->in + c->duplicated, c->out + c->lost + c->queue_full + c->too_large + c->no_room);
    assert_true(c->queue_full > 0 && c->duplicated > 0 && c->lost > 0);
    netpath_free(path);
}

static void the_same_seed_does_the_same(void **state)
{
    static uint32_t again[2 * MANY];
    struct netpath_config config = {.loss = 20000, .duplicate = 20000, .reorder = 20000, .reorder_us = 30, .jitter_us = 9};
    struct netpath *one = netpath_new(&config, 7, 4096, 2048), *two = netpath_new(&config, 7, 4096, 2048);
    struct netpath *other = netpath_new(&config, 8, 4096, 2048);
    uint32_t n = pass(one, MANY, tags), m = pass(two, MANY, again);

    assert_int_equal(n, m);
    assert_memory_equal(tags, again, n * sizeof(*tags));
    m = pass(other, MANY, again);
    assert_true(n != m || memcmp(tags, again, n * sizeof(*tags)) != 0);
    netpath_free(one);
    netpath_free(two);
    netpath_free(other);
}

// Losses hit the same packets whether or not others are doubled and altered.
static void harms_do_not_move_each_other(void **state)
{
    static uint8_t seen[2][MANY];
    struct netpath_config config[2] = {{.loss = 20000}, {.loss = 20000, .duplicate = 50000, .corrupt = 50000, .jitter_us = 5}};

    for (unsigned k = 0; k < 2; k++) {
        struct netpath *path = path_new(config[k]);
        uint32_t came = pass(path, MANY, tags);

        for (uint32_t i = 0; i < came; i++)
            seen[k][tags[i]] = 1;
        netpath_free(path);
    }
    assert_memory_equal(seen[0], seen[1], MANY);
}

static void a_path_that_is_full_says_so(void **state)
{
    struct netpath_config config = {.delay_us = 1000};
    struct netpath *path = netpath_new(&config, 1, 4, 2048);

    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(put(path, 0, 100, i), i < 4);
    assert_int_equal(netpath_counters(path)->no_room, 2);
    assert_int_equal(netpath_inside(path), 4);
    netpath_free(path);
}

static void configs_without_sense_are_refused(void **state)
{
    static const struct netpath_config wrong[] = {
        {.loss = NETPATH_SURE + 1}, {.burst_begin = 1}, {.reorder = 1}, {.queue_bytes = 1000}};

    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_non_null(netpath_config_fault(&wrong[i]));
        assert_null(netpath_new(&wrong[i], 1, 10, 100));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_path_gives_all_in_order_and_unchanged),
        cmocka_unit_test(nothing_comes_before_its_delay),
        cmocka_unit_test(jitter_stays_in_its_bounds_and_keeps_the_order),
        cmocka_unit_test(a_share_is_lost_each_by_itself),
        cmocka_unit_test(bursts_of_loss_are_as_long_as_asked),
        cmocka_unit_test(a_share_comes_twice_the_copies_together),
        cmocka_unit_test(those_held_back_are_overtaken_and_nobody_else),
        cmocka_unit_test(corruption_turns_one_bit),
        cmocka_unit_test(the_rate_never_drifts),
        cmocka_unit_test(an_idle_link_begins_anew),
        cmocka_unit_test(a_full_queue_drops_its_end),
        cmocka_unit_test(what_is_larger_than_the_mtu_vanishes),
        cmocka_unit_test(all_that_goes_in_is_accounted_for),
        cmocka_unit_test(the_same_seed_does_the_same),
        cmocka_unit_test(harms_do_not_move_each_other),
        cmocka_unit_test(a_path_that_is_full_says_so),
        cmocka_unit_test(configs_without_sense_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
