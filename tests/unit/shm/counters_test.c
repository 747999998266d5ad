// SPDX-License-Identifier: Apache-2.0
// Counters: summed over all blocks, kept over a restart, named as the tables say.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "fixture.h"
#include "shm/counters.h"

static struct fixture fixture;

static int setup(void **state)
{
    fixture_init(&fixture);
    return 0;
}

static int teardown(void **state)
{
    fixture_fini(&fixture);
    return 0;
}

static void readers_sum_the_blocks_of_all_threads(void **state)
{
    static struct sl_counter_block sum;
    struct sl_counter_segment *counters;
    const struct sl_counter_segment *look;

    assert_int_equal(sl_counters_create(fixture.run_dir, 5, &counters, NULL), 0);
    assert_int_equal(sl_counters_open(fixture.run_dir, &look, NULL), 0);
    for (unsigned i = 0; i <= SL_MAX_WORKERS; i++) {
        counters->block[i].drop[SL_DROP_no_route] = i;
        counters->block[i].counter[SL_COUNTER_flow_created] = 1;
        counters->block[i].port[3].rx_bytes = 2;
        counters->block[i].prefilter_hit[SL_MAX_PORTS - 1][SL_PREFILTER_RULES - 1] = 3;
    }
    sl_counters_sum(look, &sum);
    assert_int_equal(sum.drop[SL_DROP_no_route], SL_MAX_WORKERS * (SL_MAX_WORKERS + 1) / 2);
    assert_int_equal(sum.drop[SL_DROP_none], 0);
    assert_int_equal(sum.counter[SL_COUNTER_flow_created], SL_MAX_WORKERS + 1);
    assert_int_equal(sum.port[3].rx_bytes, 2 * (SL_MAX_WORKERS + 1));
    assert_int_equal(sum.prefilter_hit[SL_MAX_PORTS - 1][SL_PREFILTER_RULES - 1], 3 * (SL_MAX_WORKERS + 1));
    sl_counters_close(look);
    sl_counters_close(counters);
}

static uint64_t reopened(uint64_t now_ns)
{
    struct sl_counter_segment *counters;

    assert_int_equal(sl_counters_create(fixture.run_dir, now_ns, &counters, NULL), 0);
    uint64_t count = counters->block[0].drop[1];
    counters->block[0].drop[1] = 77;
    sl_counters_close(counters);
    return count;
}

static void counting_goes_on_over_a_restart_but_not_over_a_boot(void **state)
{
    assert_int_equal(reopened(1000), 0);
    assert_int_equal(reopened(2000), 77);
    assert_int_equal(reopened(500), 0); // the clock has begun again
    assert_int_equal(reopened(600), 77);
}

static void counters_of_another_build_are_made_anew_and_refused_to_readers(void **state)
{
    const struct sl_counter_segment *look;
    const uint64_t hash = 1;

    reopened(1000);
    fixture_patch(&fixture, "counter", offsetof(struct sl_segment, layout_hash), &hash, sizeof(hash));
    assert_int_equal(sl_counters_open(fixture.run_dir, &look, NULL), -EPROTO);
    assert_int_equal(reopened(2000), 0);
}

static void every_counted_thing_has_a_name_and_a_sentence(void **state)
{
    assert_string_equal(sl_drop_name(SL_DROP_none), "none");
    assert_string_equal(sl_drop_name(SL_DROP_no_route), "no_route");
    assert_string_equal(sl_counter_name(SL_COUNTER_generation_taken), "generation_taken");
    assert_string_equal(sl_stage_name(SL_STAGE_tx), "tx");
    for (unsigned i = 0; i < SL_DROP_KINDS; i++)
        assert_true(strlen(sl_drop_text(i)) > 5 && strcmp(sl_drop_name(i), "unknown") != 0);
    for (unsigned i = 0; i < SL_COUNTER_KINDS; i++)
        assert_true(strlen(sl_counter_text(i)) > 5 && strcmp(sl_counter_name(i), "unknown") != 0);
    for (unsigned i = 0; i < SL_STAGE_KINDS; i++)
        assert_true(strlen(sl_stage_text(i)) > 5 && strcmp(sl_stage_name(i), "unknown") != 0);
    assert_string_equal(sl_drop_name(SL_DROP_KINDS), "unknown");
    assert_string_equal(sl_counter_name(UINT32_MAX), "unknown");
    assert_string_equal(sl_stage_name(SL_STAGE_KINDS), "unknown");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(readers_sum_the_blocks_of_all_threads),
        TEST(counting_goes_on_over_a_restart_but_not_over_a_boot),
        TEST(counters_of_another_build_are_made_anew_and_refused_to_readers),
        TEST(every_counted_thing_has_a_name_and_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
