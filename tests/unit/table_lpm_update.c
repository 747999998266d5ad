// SPDX-License-Identifier: Apache-2.0
// Updates in place: the table equals a naive one after every change, a full blob changes nothing, and a reader on
// another thread sees old or new, never anything else.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "table/lpm_bulk.h"
#include "table/lpm_update.h"
#include "table_random.h"

// Random set, replace or clear in both tables. 0 or the writer's error.
static int change(struct random *r, struct sl_lpm_writer *writer, struct naive *naive, size_t aim)
{
    bool add = naive->count == 0 || random_below(r, (uint32_t)(2 * aim)) >= naive->count;
    struct sl_prefix prefix = random_prefix(r, random_below(r, 2));

    if (naive->count > 0 && (!add || random_below(r, 8) == 0))
        prefix = naive->item[random_below(r, (uint32_t)naive->count)].prefix;
    if (add) {
        uint32_t value = 1 + random_below(r, 4);
        int status = sl_lpm_set(writer, &prefix, value);
        if (status == 0)
            naive_set(naive, &prefix, value);
        return status;
    }
    int status = sl_lpm_clear(writer, &prefix, naive_lookup(naive, &prefix.ip, prefix.len));
    if (status == 0)
        naive_remove(naive, &prefix);
    return status;
}

static void compare(struct random *r, const struct sl_lpm *lpm, const struct naive *naive, unsigned lookups)
{
    for (unsigned i = 0; i < lookups; i++) {
        struct sl_ip ip = random_ip(r, i % 2);
        if (naive->count > 0 && random_below(r, 2)) // an edge of a prefix
            ip = naive->item[random_below(r, (uint32_t)naive->count)].prefix.ip;
        assert_int_equal(lookup(lpm, &ip), naive_lookup(naive, &ip, 255));
    }
}

static void lpm_changed_in_place_equals_a_naive_table(void **state)
{
    struct random r = random_seeded(__func__);
    static struct naive naive;
    const size_t aims[] = {3, 30, 300, 5};
    uint64_t size;
    struct sl_lpm *lpm = blob_build(NULL, 0, true, 40000, &size);
    struct sl_lpm_writer writer;

    assert_int_equal(sl_lpm_writer_init(&writer, lpm, size), 0);
    for (unsigned i = 0; i < 8000; i++) {
        writer.tick = i;
        assert_int_equal(change(&r, &writer, &naive, aims[i / 2000]), 0);
        sl_lpm_reclaim(&writer, i); // no reader here
        compare(&r, lpm, &naive, 12);
        if (i % 200 == 0)
            assert_int_equal(sl_lpm_check(lpm, size, 4), 0);
    }
    while (naive.count > 0) {
        struct sl_prefix prefix = naive.item[0].prefix;
        assert_int_equal(sl_lpm_clear(&writer, &prefix, naive_lookup(&naive, &prefix.ip, prefix.len)), 0);
        naive_remove(&naive, &prefix);
    }
    sl_lpm_reclaim(&writer, UINT64_MAX);
    compare(&r, lpm, &naive, 1000);
    sl_lpm_writer_fini(&writer);
    free(lpm);
}

static void lpm_built_and_then_changed_equals_a_naive_table(void **state)
{
    struct random r = random_seeded(__func__);
    static struct naive naive;
    uint64_t size;

    for (unsigned i = 0; i < 500; i++) {
        struct sl_prefix prefix = random_prefix(&r, i % 2);
        naive_set(&naive, &prefix, 1 + i % 4);
    }
    struct sl_lpm *lpm = blob_build(naive.item, naive.count, true, 5000, &size);
    struct sl_lpm_writer writer;
    assert_int_equal(sl_lpm_writer_init(&writer, lpm, size), 0);
    for (unsigned i = 0; i < 2000; i++) {
        assert_int_equal(change(&r, &writer, &naive, 500), 0);
        sl_lpm_reclaim(&writer, 0);
        compare(&r, lpm, &naive, 10);
    }
    assert_int_equal(sl_lpm_check(lpm, size, 4), 0);
    sl_lpm_writer_fini(&writer);
    free(lpm);
}

static void lpm_blocks_come_back_only_after_their_tick_is_reclaimed(void **state)
{
    uint64_t size;
    struct sl_lpm *lpm = blob_build(NULL, 0, true, 100, &size);
    struct sl_lpm_writer writer;
    struct sl_prefix prefix;

    assert_int_equal(sl_prefix_parse("2001:db8::/40", &prefix), 0);
    assert_int_equal(sl_lpm_writer_init(&writer, lpm, size), 0);
    assert_int_equal(sl_lpm_free_blocks(&writer), 100);
    writer.tick = 7;
    assert_int_equal(sl_lpm_set(&writer, &prefix, 1), 0);
    assert_int_equal(sl_lpm_free_blocks(&writer), 97); // nodes of bytes 2, 3 and 4
    assert_int_equal(sl_lpm_clear(&writer, &prefix, 0), 0);
    assert_int_equal(sl_lpm_free_blocks(&writer), 97);
    sl_lpm_reclaim(&writer, 6);
    assert_int_equal(sl_lpm_free_blocks(&writer), 97);
    sl_lpm_reclaim(&writer, 7);
    assert_int_equal(sl_lpm_free_blocks(&writer), 100);
    sl_lpm_writer_fini(&writer);
    free(lpm);
}

static void lpm_that_is_full_says_so_and_stays_as_it_was(void **state)
{
    struct random r = random_seeded(__func__);
    static struct naive naive;
    uint64_t size;
    struct sl_lpm *lpm = blob_build(NULL, 0, true, 60, &size);
    struct sl_lpm_writer writer;
    unsigned full = 0;

    assert_int_equal(sl_lpm_writer_init(&writer, lpm, size), 0);
    for (unsigned i = 0; i < 2000; i++) {
        int status = change(&r, &writer, &naive, 100);
        assert_true(status == 0 || status == -ENOSPC);
        full += status == -ENOSPC;
        compare(&r, lpm, &naive, 20);
        assert_int_equal(sl_lpm_check(lpm, size, 4), 0);
        sl_lpm_reclaim(&writer, 0);
    }
    assert_true(full > 0);
    sl_lpm_writer_fini(&writer);
    free(lpm);
}

static void lpm_update_refuses_what_is_no_prefix(void **state)
{
    uint64_t size;
    struct sl_lpm *lpm = blob_build(NULL, 0, true, 60, &size);
    struct sl_lpm_writer writer;
    struct sl_prefix prefix;

    assert_int_equal(sl_lpm_writer_init(&writer, lpm, 10), -EINVAL);
    assert_int_equal(sl_lpm_writer_init(&writer, lpm, size), 0);
    assert_int_equal(sl_prefix_parse("10.0.0.0/8", &prefix), 0);
    assert_int_equal(sl_lpm_set(&writer, &prefix, 0), -EINVAL);
    assert_int_equal(sl_lpm_set(&writer, &prefix, SL_LPM_VALUE_MASK + 1), -EINVAL);
    assert_int_equal(sl_lpm_clear(&writer, &prefix, SL_LPM_CHILD), -EINVAL);
    prefix.ip.b[15] = 1; // a host bit
    assert_int_equal(sl_lpm_set(&writer, &prefix, 1), -EINVAL);
    prefix.len = 33;
    assert_int_equal(sl_lpm_set(&writer, &prefix, 1), -EINVAL);
    sl_lpm_writer_fini(&writer);
    free(lpm);
}

// ---- a reader beside the writer -----------------------------------------------------------------------------
// Stable prefixes stay; around and inside them others come and go, all with value PASSING. An address under a
// stable /28 must always give its value or PASSING; one covered by nothing stable 0 or PASSING.
struct shared {
    struct sl_lpm *lpm;
    _Atomic uint64_t tick;   // of the writer
    _Atomic uint64_t passed; // newest tick the reader has seen between two bursts
    _Atomic bool stop;
    _Atomic uint64_t wrong;
};

#define STABLE  16
#define PASSING 25

static void *reader_run(void *argument)
{
    struct shared *shared = argument;

    while (!atomic_load(&shared->stop)) {
        sl_be32 addr[SL_LPM_BULK_MAX];
        uint32_t leaf[SL_LPM_BULK_MAX];
        uint64_t tick = atomic_load(&shared->tick);
        for (uint32_t i = 0; i < SL_LPM_BULK_MAX; i++)
            addr[i] = __builtin_bswap32(0x0a000000 | (i % 32) << 4 | (i & 15));
        sl_lpm_lookup_bulk_v4(shared->lpm, addr, leaf, SL_LPM_BULK_MAX);
        for (uint32_t i = 0; i < SL_LPM_BULK_MAX; i++) {
            uint32_t stable = i % 32 < STABLE ? 1 + i % 32 : 0, value = sl_lpm_value(leaf[i]);
            if (value != stable && value != PASSING)
                atomic_fetch_add(&shared->wrong, 1);
        }
        atomic_store(&shared->passed, tick);
    }
    return NULL;
}

static void lpm_reader_sees_old_or_new_beside_a_writer(void **state)
{
    struct random r = random_seeded(__func__);
    struct naive *naive = calloc(1, sizeof(*naive));
    struct sl_lpm_item item[STABLE];
    struct shared shared = {0};
    struct sl_lpm_writer writer;
    uint64_t size;
    pthread_t reader;
    unsigned done = 0;

    for (uint32_t i = 0; i < STABLE; i++) {
        struct sl_ip ip = sl_ip_v4(__builtin_bswap32(0x0a000000 | i << 4));
        item[i] = (struct sl_lpm_item){.prefix = {.ip = ip, .len = 28}, .value = 1 + i};
        naive_set(naive, &item[i].prefix, 1 + i);
    }
    shared.lpm = blob_build(item, STABLE, true, 20000, &size);
    assert_int_equal(sl_lpm_writer_init(&writer, shared.lpm, size), 0);
    assert_int_equal(pthread_create(&reader, NULL, reader_run, &shared), 0);
    for (uint64_t i = 1; i <= 6000; i++) {
        uint32_t addr = 0x0a000000 | random_below(&r, 512);
        struct sl_prefix prefix = random_masked(sl_ip_v4(__builtin_bswap32(addr)), random_below(&r, 33));
        if (prefix.len == 28)
            continue;
        writer.tick = i;
        bool there = naive_find(naive, &prefix) != NULL;
        int status = there ? sl_lpm_clear(&writer, &prefix, naive_lookup(naive, &prefix.ip, prefix.len))
                           : sl_lpm_set(&writer, &prefix, PASSING);
        if (status == 0 && there)
            naive_remove(naive, &prefix);
        else if (status == 0)
            naive_set(naive, &prefix, PASSING);
        else if (status == -ENOSPC) // the reader has not run for a while
            sched_yield();
        else
            fail();
        done += status == 0;
        atomic_store(&shared.tick, i + 1);
        uint64_t passed = atomic_load(&shared.passed);
        sl_lpm_reclaim(&writer, passed > 0 ? passed - 1 : 0);
    }
    atomic_store(&shared.stop, true);
    pthread_join(reader, NULL);
    assert_int_equal(atomic_load(&shared.wrong), 0);
    assert_true(done > 1000);
    sl_lpm_writer_fini(&writer);
    free(shared.lpm);
    free(naive);
}

// usage: table-lpm_update [TEST]: that one alone, as the build for ThreadSanitizer does
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lpm_changed_in_place_equals_a_naive_table),
        cmocka_unit_test(lpm_built_and_then_changed_equals_a_naive_table),
        cmocka_unit_test(lpm_blocks_come_back_only_after_their_tick_is_reclaimed),
        cmocka_unit_test(lpm_that_is_full_says_so_and_stays_as_it_was),
        cmocka_unit_test(lpm_update_refuses_what_is_no_prefix),
        cmocka_unit_test(lpm_reader_sees_old_or_new_beside_a_writer),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
