// SPDX-License-Identifier: Apache-2.0
// Counters of services and members: made, taken up by the next data plane, grown, summed by readers.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "fixture.h"
#include "shm/balance_counters.h"

#define SECOND 1000000000ull

static struct fixture fixture;
static struct sl_balance_counters counters, look;

static int setup(void **state)
{
    fixture_init(&fixture);
    return 0;
}

static int teardown(void **state)
{
    sl_balance_counters_close(&counters);
    sl_balance_counters_close(&look);
    fixture_fini(&fixture);
    return 0;
}

static void make(uint32_t chunks, uint32_t workers, uint64_t now_ns)
{
    struct sl_error error = {0};

    if (sl_balance_counters_create(fixture.run_dir, chunks, workers, now_ns, &counters, &error) != 0)
        fail_msg("%s", error.text);
    assert_int_equal(counters.chunks, chunks);
}

static uint64_t member_packets(uint32_t slot)
{
    struct sl_balance_member_counters sum;
    sl_balance_member_sum(&look, slot, &sum);
    return sum.packets_in;
}

static void slots_of_a_table_say_how_many_files_there_are(void **state)
{
    struct sl_balance_table table = {0};

    assert_int_equal(sl_balance_chunks(NULL), 0);
    assert_int_equal(sl_balance_chunks(&table), 0);
    table.member_slots = 1;
    assert_int_equal(sl_balance_chunks(&table), 1);
    table.member_slots = SL_BALANCE_CHUNK_MEMBERS + 1;
    assert_int_equal(sl_balance_chunks(&table), 2);
    table.service_slots = 2 * SL_BALANCE_CHUNK_SERVICES + 1;
    assert_int_equal(sl_balance_chunks(&table), 3);
    table.service_slots = SL_BALANCE_SERVICES;
    table.member_slots = SL_BALANCE_MEMBERS;
    assert_int_equal(sl_balance_chunks(&table), SL_BALANCE_CHUNKS);
}

static void readers_see_the_sum_over_workers_and_files(void **state)
{
    struct sl_balance_member_counters member;
    struct sl_balance_service_counters service;

    assert_int_equal(sl_balance_counters_open(fixture.run_dir, &look, NULL), 0);
    assert_int_equal(look.chunks, 0);
    make(2, 3, SECOND);
    for (uint32_t w = 0; w < 3; w++) {
        struct sl_balance_member_counters *m =
            sl_balance_member_counters(&counters, w, SL_BALANCE_CHUNK_MEMBERS + 5);
        *m = (struct sl_balance_member_counters){.packets_in = 1 + w,
                                                 .bytes_out = 10,
                                                 .flows_new = 4,
                                                 .flows_now = 2,
                                                 .answered = 3,
                                                 .unanswered = 1,
                                                 .resets = 5,
                                                 .limited = 6,
                                                 .moved = 7};
        struct sl_balance_service_counters *s = sl_balance_service_counters(&counters, w, 255);
        *s = (struct sl_balance_service_counters){.packets_in = 7, .flows_now = 1, .table_full = w};
    }
    assert_int_equal(sl_balance_counters_open(fixture.run_dir, &look, NULL), 0);
    assert_int_equal(look.chunks, 2);
    sl_balance_member_sum(&look, SL_BALANCE_CHUNK_MEMBERS + 5, &member);
    assert_true(member.packets_in == 6 && member.packets_out == 0 && member.bytes_out == 30 &&
                member.flows_new == 12);
    assert_true(member.flows_now == 6 && member.answered == 9 && member.unanswered == 3 &&
                member.resets == 15);
    assert_true(member.limited == 18 && member.moved == 21);
    sl_balance_service_sum(&look, 255, &service);
    assert_true(service.packets_in == 21 && service.flows_now == 3 && service.table_full == 3 &&
                service.bytes_in == 0);
    assert_int_equal(member_packets(5), 0);
    assert_int_equal(member_packets(5 * SL_BALANCE_CHUNK_MEMBERS), 0); // no file: no counters
}

static void more_slots_get_another_file_and_move_nothing(void **state)
{
    make(1, 2, SECOND);
    struct sl_balance_member_counters *before = sl_balance_member_counters(&counters, 1, 9);
    before->packets_in = 4;
    make(3, 2, 2 * SECOND);
    assert_ptr_equal(sl_balance_member_counters(&counters, 1, 9), before);
    assert_int_equal(fixture_files(&fixture, "balance-counter."), 3);
    assert_int_equal(sl_balance_counters_open(fixture.run_dir, &look, NULL), 0);
    assert_int_equal(member_packets(9), 4);
}

static void the_next_data_plane_goes_on_counting_but_for_flows(void **state)
{
    make(1, 2, SECOND);
    sl_balance_member_counters(&counters, 1, 9)->packets_in = 4;
    sl_balance_member_counters(&counters, 1, 9)->flows_now = 4;
    sl_balance_service_counters(&counters, 0, 9)->flows_now = 4;
    sl_balance_counters_close(&counters);
    make(1, 2, 2 * SECOND);
    assert_int_equal(sl_balance_member_counters(&counters, 1, 9)->packets_in, 4);
    assert_int_equal(sl_balance_member_counters(&counters, 1, 9)->flows_now, 0);
    assert_int_equal(sl_balance_service_counters(&counters, 0, 9)->flows_now, 0);
    assert_int_equal(counters.chunk[0]->start_ns, SECOND);
}

static void other_workers_or_another_boot_start_from_zero(void **state)
{
    make(1, 2, SECOND);
    sl_balance_member_counters(&counters, 1, 9)->packets_in = 4;
    sl_balance_counters_close(&counters);
    make(1, 3, 2 * SECOND);
    assert_int_equal(sl_balance_member_counters(&counters, 1, 9)->packets_in, 0);
    assert_int_equal(counters.chunk[0]->worker_count, 3);
    sl_balance_member_counters(&counters, 1, 9)->packets_in = 4;
    sl_balance_counters_close(&counters);
    make(1, 3, SECOND); // the clock runs anew
    assert_int_equal(sl_balance_member_counters(&counters, 1, 9)->packets_in, 0);
}

static void a_header_that_lies_is_refused_and_made_anew(void **state)
{
    const uint32_t many = 64;
    make(1, 1, SECOND);
    fixture_patch(&fixture, "balance-counter.0", offsetof(struct sl_balance_counter_segment, worker_count),
                  &many, sizeof(many));
    struct sl_error error;
    assert_int_equal(sl_balance_counters_open(fixture.run_dir, &look, &error), -EPROTO);
    assert_non_null(strstr(error.text, "balance-counter.0"));
    sl_balance_counters_close(&counters);
    make(1, 1, SECOND);
    assert_int_equal(sl_balance_counters_open(fixture.run_dir, &look, NULL), 0);
    assert_int_equal(
        sl_balance_counters_create(fixture.run_dir, SL_BALANCE_CHUNKS + 1, 1, SECOND, &counters, NULL),
        -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(slots_of_a_table_say_how_many_files_there_are),
        TEST(readers_see_the_sum_over_workers_and_files),
        TEST(more_slots_get_another_file_and_move_nothing),
        TEST(the_next_data_plane_goes_on_counting_but_for_flows),
        TEST(other_workers_or_another_boot_start_from_zero),
        TEST(a_header_that_lies_is_refused_and_made_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
