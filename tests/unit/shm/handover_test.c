// SPDX-License-Identifier: Apache-2.0
// The hand-over as it runs: control, housekeeping and workers as threads over real files. Workers read every table of
// what they hold all the time; a table unmapped too early is a crash here, a missing barrier a report of TSan, and
// two tables of different generations a failed marker. Built twice, once with -fsanitize=thread.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fixture.h"
#include "endpoint/endpoint.h"
#include "housekeeping/generation.h"
#include "balance/balance.h"
#include "nat/nat.h"

#define WORKERS     3
#define GENERATIONS 60

static struct fixture fixture;
static struct house *house;
static struct sl_counter_block block[WORKERS];
static uint32_t stop;

// ---- stand-ins ----------------------------------------------------------------------------------------------

// The markers of all tables of a generation: one number, or the generation is not whole.
static uint32_t tables_marker(const struct tables *tables)
{
    uint32_t marker = fixture_marker(tables->port_table, SL_SEG_PORT);

    if (fixture_marker(tables->route, SL_SEG_ROUTE) != marker ||
        fixture_marker(tables->nat, SL_SEG_NAT) != marker ||
        fixture_marker(tables->prefilter, SL_SEG_PREFILTER) != marker ||
        fixture_marker(tables->balance, SL_SEG_BALANCE) != marker)
        abort();
    return marker;
}

// The NAT's hook: looks at the old tables and at the new ones, as the NAT does.
void nat_tables_taken(struct worker *worker, const struct tables *old)
{
    if (old && tables_marker(old) >= tables_marker(worker->tables))
        abort();
}

// Balancing's likewise.
void balance_tables_taken(struct worker *worker, const struct tables *old)
{
    nat_tables_taken(worker, old);
}

// Endpoints read what the worker has.
void endpoint_tables_taken(struct worker *worker)
{
    tables_marker(worker->tables);
}

static int setup(void **state)
{
    fixture_init(&fixture);
    memset(block, 0, sizeof(block));
    stop = 0;
    house = calloc(1, sizeof(*house));
    house->generations = generations_new();
    house->board = fixture.board;
    house->run_dir = fixture.run_dir;
    house->worker_count = WORKERS;
    for (uint32_t i = 0; i < WORKERS; i++) {
        house->worker[i] = calloc(1, sizeof(struct worker));
        house->worker[i]->index = i;
        house->worker[i]->counters = &block[i];
        house->worker[i]->board = &fixture.board->worker[i];
    }
    sl_board_dp_start(fixture.board, (uint32_t)getpid(), WORKERS, 1, sl_board_now_ns());
    return 0;
}

static int teardown(void **state)
{
    generations_free(house->generations);
    for (uint32_t i = 0; i < WORKERS; i++)
        free(house->worker[i]);
    free(house);
    fixture_fini(&fixture);
    return 0;
}

static bool house_pass(void)
{
    struct tables *tables = generation_next(house);

    if (tables)
        generation_hand_over(house, tables);
    sl_board_dp_beat(house->board, sl_board_now_ns());
    return generation_reap(house);
}

// ---- one step at a time -------------------------------------------------------------------------------------

static void workers_take(uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        tables_take(house->worker[i]);
}

static void nothing_published_leaves_workers_without_tables(void **state)
{
    assert_true(house_pass());
    workers_take(0, WORKERS);
    assert_null(house->worker[0]->tables);
    assert_null(house->tables);
}

static void a_published_generation_reaches_every_worker_and_is_echoed(void **state)
{
    fixture_publish(&fixture, 5);
    house_pass();
    assert_int_equal(fixture.board->loaded, 1);
    assert_int_equal(fixture.board->worker[0].live_generation, 0);
    workers_take(0, WORKERS);
    assert_int_equal(sl_board_wait_live(fixture.board, 1, 0, NULL), 0);
    for (uint32_t i = 0; i < WORKERS; i++) {
        assert_int_equal(tables_marker(house->worker[i]->tables), 5);
        assert_int_equal(block[i].counter[SL_COUNTER_generation_taken], 1);
        assert_false(tables_take(house->worker[i]));
    }
    assert_int_equal(house->tables->port_count, 3);
    assert_string_equal(house->tables->port[2].name, "lan2");
    assert_int_equal(house->tables->settings->neighbor_capacity, 64);
}

static void old_tables_stay_until_the_last_worker_has_moved_on(void **state)
{
    fixture_publish(&fixture, 1);
    house_pass();
    workers_take(0, WORKERS);
    fixture_publish(&fixture, 2);
    assert_false(house_pass());
    workers_take(0, WORKERS - 1);
    assert_false(house_pass());
    const struct tables *old = house->worker[WORKERS - 1]->tables;
    assert_int_equal(tables_marker(old), 1);
    workers_take(WORKERS - 1, WORKERS);
    assert_true(house_pass());
}

static void a_worker_may_skip_generations(void **state)
{
    for (uint32_t marker = 1; marker <= 5; marker++) {
        fixture_publish(&fixture, marker);
        house_pass();
        workers_take(0, 1); // the others sleep
    }
    assert_false(house_pass());
    workers_take(1, WORKERS);
    assert_int_equal(tables_marker(house->worker[2]->tables), 5);
    assert_int_equal(block[2].counter[SL_COUNTER_generation_taken], 1);
    assert_true(house_pass());
}

static void unchanged_tables_keep_their_mapping(void **state)
{
    struct sl_generation manifest;

    fixture_publish(&fixture, 1);
    house_pass();
    const struct sl_route_table *route = house->tables->route;
    const struct sl_nat_table *nat = house->tables->nat;
    workers_take(0, WORKERS);
    assert_int_equal(sl_generation_read(fixture.run_dir, 1, &manifest, NULL), 0);
    for (uint32_t i = 0; i < manifest.table_count; i++)
        if (manifest.table[i].kind == SL_SEG_NAT)
            manifest.table[i] = fixture_table(&fixture, SL_SEG_NAT, 2);
    assert_int_equal(sl_generation_publish(fixture.run_dir, fixture.board, manifest.table, 3, 0, NULL, NULL),
                     0);
    house_pass();
    assert_ptr_equal(house->tables->route, route);
    assert_ptr_not_equal(house->tables->nat, nat);
    assert_null(house->tables->prefilter); // it and the balance table were left out
}

static void a_damaged_generation_is_refused_and_the_old_one_goes_on(void **state)
{
    struct sl_error error;
    char name[SL_SEGMENT_NAME];
    const uint8_t byte = 0x99;

    fixture_publish(&fixture, 1);
    house_pass();
    workers_take(0, WORKERS);
    uint64_t number = fixture_publish(&fixture, 2);
    struct sl_generation manifest;
    assert_int_equal(sl_generation_read(fixture.run_dir, number, &manifest, NULL), 0);
    const struct sl_table_ref *ref = sl_generation_table(&manifest, SL_SEG_ROUTE);
    fixture_patch(&fixture, sl_segment_name(ref->kind, ref->serial, name), 300, &byte, 1);
    house_pass();
    assert_int_equal(fixture.board->refused, 2);
    assert_int_equal(sl_board_wait_live(fixture.board, 2, 0, &error), -EBADMSG);
    assert_non_null(strstr(error.text, name));
    assert_false(tables_take(house->worker[0]));
    assert_int_equal(tables_marker(house->tables), 1);
    // Rolled back by publishing the old tables again: every mapping is shared.
    const struct sl_route_table *route = house->tables->route;
    assert_int_equal(sl_generation_read(fixture.run_dir, 1, &manifest, NULL), 0);
    assert_int_equal(sl_generation_publish(fixture.run_dir, fixture.board, manifest.table,
                                           manifest.table_count, 0, &number, NULL),
                     0);
    house_pass();
    assert_int_equal(house->tables->generation, 3);
    assert_ptr_equal(house->tables->route, route);
}

static void a_generation_the_caller_cannot_bring_up_is_refused(void **state)
{
    fixture_publish(&fixture, 1);
    struct tables *tables = generation_next(house);
    assert_non_null(tables);
    generation_refuse(house, tables, "port lan0: no such interface");
    assert_int_equal(fixture.board->refused, 1);
    assert_string_equal(fixture.board->refusal, "port lan0: no such interface");
    assert_null(generation_next(house)); // not tried again and again
    fixture_publish(&fixture, 2);
    house_pass();
    assert_int_equal(fixture.board->loaded, 2);
}

// What stood in its way may have gone: a missing directory, the other side of a memif port.
static void the_first_generation_is_tried_again_after_a_while(void **state)
{
    fixture_publish(&fixture, 1);
    for (int i = 0; i < 3; i++) {
        generation_refuse(house, generation_next(house), "port m: no such directory");
        assert_null(generation_next(house));
        house->now_ms += 3000;
    }
    house_pass();
    assert_int_equal(fixture.board->loaded, 1);

    fixture_publish(&fixture, 2); // now there is one to go on with, and control goes back to it
    generation_refuse(house, generation_next(house), "port m: no such directory");
    house->now_ms += 60000;
    assert_null(generation_next(house));
    assert_int_equal(fixture.board->loaded, 1);
}

static void a_board_that_goes_backwards_is_not_followed(void **state)
{
    fixture_publish(&fixture, 1);
    fixture_publish(&fixture, 2);
    house_pass();
    workers_take(0, WORKERS);
    fixture.board->published = 1;
    assert_true(house_pass());
    assert_int_equal(house->tables->generation, 2);
}

// ---- all at once --------------------------------------------------------------------------------------------

static void *worker_run(void *argument)
{
    struct worker *worker = argument;
    uint32_t last = 0;

    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        tables_take(worker);
        if (!worker->tables) {
            sched_yield();
            continue;
        }
        uint32_t marker = tables_marker(worker->tables);
        if (marker < last)
            abort();
        last = marker;
        fixture_walk(worker->tables->port_table, SL_SEG_PORT);
        fixture_walk(worker->tables->nat, SL_SEG_NAT);
        if (worker->index == 0)
            fixture_walk(worker->tables->route, SL_SEG_ROUTE);
        sched_yield();
    }
    return NULL;
}

static void *house_run(void *argument)
{
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        house_pass();
        sched_yield();
    }
    return argument;
}

static void control_run(void)
{
    struct sl_error error = {0};

    for (uint32_t marker = 1; marker <= GENERATIONS; marker++) {
        uint64_t number = fixture_publish(&fixture, marker);
        // Waits for every third only, so that generations also overtake each other.
        if (marker % 3 == 0 && sl_board_wait_live(fixture.board, number, 60000, &error) != 0)
            fail_msg("%s", error.text);
        if (sl_generation_collect(fixture.run_dir, fixture.board, NULL, 0, &error) < 0)
            fail_msg("%s", error.text);
    }
}

static void control_housekeeping_and_workers_run_at_once(void **state)
{
    pthread_t thread[WORKERS + 1];

    for (uint32_t i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, worker_run, house->worker[i]), 0);
    assert_int_equal(pthread_create(&thread[WORKERS], NULL, house_run, NULL), 0);
    control_run();
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i <= WORKERS; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(fixture.board->refused, 0);
    assert_int_equal(fixture.board->loaded, GENERATIONS);
    assert_true(house_pass());
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_published_leaves_workers_without_tables),
        TEST(a_published_generation_reaches_every_worker_and_is_echoed),
        TEST(old_tables_stay_until_the_last_worker_has_moved_on),
        TEST(a_worker_may_skip_generations),
        TEST(unchanged_tables_keep_their_mapping),
        TEST(a_damaged_generation_is_refused_and_the_old_one_goes_on),
        TEST(a_generation_the_caller_cannot_bring_up_is_refused),
        TEST(the_first_generation_is_tried_again_after_a_while),
        TEST(a_board_that_goes_backwards_is_not_followed),
        TEST(control_housekeeping_and_workers_run_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
