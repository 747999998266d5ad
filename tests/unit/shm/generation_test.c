// SPDX-License-Identifier: Apache-2.0
// Generations: published whole, shared where unchanged, refused where damaged, collected when nobody names them.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"
#include "table/balance_read.h"
#include "table/balance_table.h"

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

// Every table there and with one and the same marker: the generation is whole.
static uint32_t whole_marker(uint64_t number)
{
    struct sl_generation_maps maps;
    struct sl_error error = {0};

    if (sl_generation_open(fixture.run_dir, number, &maps, &error) != 0)
        fail_msg("generation %lu: %s", number, error.text);
    uint32_t marker = fixture_marker(maps.table[SL_SEG_PORT].base, SL_SEG_PORT);
    for (unsigned i = 0; i < FIXTURE_KINDS; i++)
        assert_int_equal(fixture_marker(maps.table[fixture_kind[i]].base, fixture_kind[i]), marker);
    assert_int_equal(maps.manifest.config_hash, marker);
    sl_generation_close(&maps);
    return marker;
}

static void a_published_generation_is_read_back_whole(void **state)
{
    assert_int_equal(fixture.board->published, 0);
    assert_int_equal(fixture_publish(&fixture, 11), 1);
    assert_int_equal(fixture_publish(&fixture, 22), 2);
    assert_int_equal(fixture.board->published, 2);
    assert_int_equal(whole_marker(1), 11);
    assert_int_equal(whole_marker(2), 22);
}

static void a_table_reads_alike_at_two_addresses(void **state)
{
    for (unsigned i = 0; i < FIXTURE_KINDS; i++) {
        struct sl_table_ref ref = fixture_table(&fixture, fixture_kind[i], 5);
        struct sl_segment_map one, two;
        assert_int_equal(sl_table_open(fixture.run_dir, &ref, &one, NULL), 0);
        assert_int_equal(sl_table_open(fixture.run_dir, &ref, &two, NULL), 0);
        assert_ptr_not_equal(one.base, two.base);
        assert_int_equal(fixture_walk(one.base, ref.kind), fixture_walk(two.base, ref.kind));
        sl_segment_close(&one);
        sl_segment_close(&two);
    }
}

static void a_manifest_without_ports_or_routes_is_not_published(void **state)
{
    struct sl_table_ref ref = fixture_table(&fixture, SL_SEG_NAT, 1);
    struct sl_error error;

    assert_int_equal(sl_generation_publish(fixture.run_dir, fixture.board, &ref, 1, 0, NULL, &error),
                     -EBADMSG);
    assert_non_null(strstr(error.text, "needs a port table and a route table"));
    assert_int_equal(fixture.board->published, 0);
    assert_int_equal(fixture_files(&fixture, "generation"), 0);
}

static void a_table_named_twice_is_not_published(void **state)
{
    struct sl_table_ref ref[2] = {fixture_table(&fixture, SL_SEG_NAT, 1),
                                  fixture_table(&fixture, SL_SEG_NAT, 2)};
    struct sl_error error;

    assert_int_equal(sl_generation_publish(fixture.run_dir, fixture.board, ref, 2, 0, NULL, &error),
                     -EBADMSG);
    assert_non_null(strstr(error.text, "two nat tables"));
}

static void a_table_that_lies_is_not_sealed(void **state)
{
    struct sl_table_ref ref;
    struct sl_error error;
    uint64_t size;
    struct sl_nat_table *image = fixture_image(SL_SEG_NAT, 1, &size);

    image->pool_offset = size + 64;
    assert_int_equal(sl_table_write(fixture.run_dir, fixture.board, SL_SEG_NAT, image, size, &ref, &error),
                     -EBADMSG);
    assert_int_equal(fixture_files(&fixture, "nat"), 0);
    assert_int_equal(fixture_files(&fixture, "."), 2);
    free(image);
}

static void damage(const struct sl_table_ref *ref, uint64_t offset, const char *part)
{
    char name[SL_SEGMENT_NAME];
    struct sl_segment_map map;
    struct sl_error error = {0};
    uint8_t byte = 0xa5;

    fixture_patch(&fixture, sl_segment_name(ref->kind, ref->serial, name), offset, &byte, 1);
    assert_int_equal(sl_table_open(fixture.run_dir, ref, &map, &error), -EBADMSG);
    if (!strstr(error.text, part))
        fail_msg("\"%s\" is not in \"%s\"", part, error.text);
}

static void a_damaged_table_is_refused_by_its_checksum(void **state)
{
    for (unsigned i = 0; i < FIXTURE_KINDS; i++) {
        struct sl_table_ref ref = fixture_table(&fixture, fixture_kind[i], 1);
        damage(&ref, ref.size - 1, "checksum");
    }
}

static void another_table_under_the_name_is_refused(void **state)
{
    struct sl_table_ref ref = fixture_table(&fixture, SL_SEG_PORT, 1);
    damage(&ref, offsetof(struct sl_segment, serial), "serial");
    struct sl_segment_map map;
    ref = fixture_table(&fixture, SL_SEG_PORT, 1);
    ref.size++;
    assert_int_equal(sl_table_open(fixture.run_dir, &ref, &map, NULL), -EBADMSG);
}

static void a_route_table_updated_in_place_needs_no_checksum(void **state)
{
    struct sl_table_ref ref = fixture_table(&fixture, SL_SEG_ROUTE, 1);
    struct sl_segment_map writable, map;

    assert_int_equal(sl_table_open_writable(fixture.run_dir, &ref, &writable, NULL), 0);
    struct sl_route_table *route = writable.base;
    sl_route_update_begin(route);
    route->route_count_v4++;
    // The reader comes in the middle of the update: the epoch says already that the checksum is of the past.
    assert_int_equal(sl_table_open(fixture.run_dir, &ref, &map, NULL), 0);
    sl_segment_close(&map);
    uint64_t before = route->epoch;
    sl_route_updated(route);
    assert_int_equal(route->epoch, before + 1);
    assert_int_equal(sl_table_open(fixture.run_dir, &ref, &map, NULL), 0);
    sl_segment_close(&map);
    sl_segment_close(&writable);
}

static void a_balance_table_updated_in_place_needs_no_checksum(void **state)
{
    struct sl_table_ref ref = fixture_table(&fixture, SL_SEG_BALANCE, 1);
    struct sl_segment_map writable, map;
    const struct sl_balance_change change = {.member = 0, .state = SL_BALANCE_DOWN, .weight = 1};

    assert_int_equal(sl_table_open_writable(fixture.run_dir, &ref, &writable, NULL), 0);
    struct sl_balance_table *table = writable.base;
    assert_int_equal(sl_balance_update(table, 0, &change, 1), 0);
    assert_int_equal(sl_table_open(fixture.run_dir, &ref, &map, NULL), 0);
    assert_int_equal(sl_balance_members(map.base)[0].word, SL_BALANCE_WORD(SL_BALANCE_DOWN, 1));
    sl_segment_close(&map);
    table->epoch = 0; // damaged, not updated
    struct sl_error error;
    assert_int_equal(sl_table_open(fixture.run_dir, &ref, &map, &error), -EBADMSG);
    assert_non_null(strstr(error.text, "checksum"));
    sl_segment_close(&writable);
}

static void tables_that_contradict_each_other_are_refused(void **state)
{
    struct sl_table_ref ref[2] = {{0}, fixture_table(&fixture, SL_SEG_ROUTE, 1)};
    struct sl_generation_maps maps;
    struct sl_error error;
    uint64_t size, number;
    struct sl_port_table *image = fixture_image(SL_SEG_PORT, 1, &size);

    image->port_count = 2; // the routes name slot 2
    image->neighbor_count = 0;
    assert_int_equal(sl_table_write(fixture.run_dir, fixture.board, SL_SEG_PORT, image, size, &ref[0], NULL),
                     0);
    free(image);
    assert_int_equal(sl_generation_publish(fixture.run_dir, fixture.board, ref, 2, 0, &number, NULL), 0);
    assert_int_equal(sl_generation_open(fixture.run_dir, number, &maps, &error), -EBADMSG);
    assert_non_null(strstr(error.text, "port slot 2"));
}

// ---- collecting ---------------------------------------------------------------------------------------------

static int collect(void)
{
    struct sl_error error = {0};
    int count = sl_generation_collect(fixture.run_dir, fixture.board, NULL, 0, &error);

    if (count < 0)
        fail_msg("%s", error.text);
    return count;
}

static void only_the_published_generation_stays_where_no_data_plane_runs(void **state)
{
    for (uint32_t i = 1; i <= 5; i++)
        fixture_publish(&fixture, i);
    assert_int_equal(collect(), 4 * (FIXTURE_KINDS + 1));
    assert_int_equal(whole_marker(5), 5);
    assert_int_equal(fixture_files(&fixture, "generation."), 1);
    assert_int_equal(collect(), 0);
}

static void a_generation_a_worker_uses_stays(void **state)
{
    sl_board_dp_start(fixture.board, 1, 2, 1000, sl_board_now_ns());
    for (uint32_t i = 1; i <= 4; i++)
        fixture_publish(&fixture, i);
    fixture.board->loaded = 3;
    sl_board_worker_live(&fixture.board->worker[0], 2);
    sl_board_worker_live(&fixture.board->worker[1], 3);
    assert_int_equal(collect(), FIXTURE_KINDS + 1); // generation 1 goes
    assert_int_equal(whole_marker(2), 2);
    assert_int_equal(whole_marker(3), 3);
    assert_int_equal(whole_marker(4), 4);
}

static void tables_shared_with_a_newer_generation_stay(void **state)
{
    struct sl_generation old;

    fixture_publish(&fixture, 1);
    assert_int_equal(sl_generation_read(fixture.run_dir, 1, &old, NULL), 0);
    for (uint32_t i = 0; i < old.table_count; i++)
        if (old.table[i].kind == SL_SEG_PORT)
            old.table[i] = fixture_table(&fixture, SL_SEG_PORT, 9);
    assert_int_equal(
        sl_generation_publish(fixture.run_dir, fixture.board, old.table, old.table_count, 0, NULL, NULL), 0);
    assert_int_equal(collect(), 2); // one manifest, one port table
    struct sl_generation_maps maps;
    assert_int_equal(sl_generation_open(fixture.run_dir, 2, &maps, NULL), 0);
    assert_int_equal(fixture_marker(maps.table[SL_SEG_PORT].base, SL_SEG_PORT), 9);
    assert_int_equal(fixture_marker(maps.table[SL_SEG_ROUTE].base, SL_SEG_ROUTE), 1);
    sl_generation_close(&maps);
}

static void sealed_tables_that_wait_to_be_published_stay(void **state)
{
    fixture_publish(&fixture, 1);
    struct sl_table_ref ref = fixture_table(&fixture, SL_SEG_PORT, 9);

    assert_int_equal(sl_generation_collect(fixture.run_dir, fixture.board, &ref, 1, NULL), 0);
    assert_int_equal(collect(), 1);
}

static void what_a_killed_control_left_is_collected(void **state)
{
    struct sl_segment_draft draft;
    char path[SL_SEGMENT_PATH];

    fixture_publish(&fixture, 1);
    pid_t child = fork();
    if (child == 0) {
        sl_table_create(fixture.run_dir, fixture.board, SL_SEG_ROUTE, 1 << 20, &draft, NULL);
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(fixture_files(&fixture, ".route."), 1);
    // What is not ours stays, however alike it looks.
    snprintf(path, sizeof(path), "%s/route.txt", fixture.run_dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(sl_table_create(fixture.run_dir, fixture.board, SL_SEG_ROUTE, 1 << 20, &draft, NULL), 0);
    assert_int_equal(collect(), 1);
    assert_int_equal(fixture_files(&fixture, ".route."), 1); // our own, still being made
    assert_int_equal(fixture_files(&fixture, "route.txt"), 1);
    sl_segment_abort(&draft);
}

// ---- killed anywhere ----------------------------------------------------------------------------------------

static uint64_t board_published(void)
{
    return __atomic_load_n(&fixture.board->published, __ATOMIC_ACQUIRE);
}

static void publish_for_ever(uint32_t marker)
{
    for (;; marker++) {
        fixture_publish(&fixture, marker);
        sl_generation_collect(fixture.run_dir, fixture.board, NULL, 0, NULL);
    }
}

static void killed_at_any_moment_of_publishing_a_whole_generation_is_found(void **state)
{
    uint64_t random = 42, before = fixture_publish(&fixture, 1);
    unsigned moved = 0;

    for (unsigned round = 0; round < 60; round++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            publish_for_ever(round * 10000 + 2);
        // Every second one is killed however far it came; of the others a busy machine may need long for the first.
        for (unsigned i = 0; round % 2 && i < 20000 && board_published() == before; i++)
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
        nanosleep(&(struct timespec){.tv_nsec = (long)(fixture_random(&random) % 6000000)}, NULL);
        int status;
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        uint64_t published = fixture.board->published;
        assert_true(published >= before);
        moved += published > before;
        whole_marker(published);
        before = published;
    }
    assert_true(moved > 0);
    collect();
    assert_int_equal(fixture_files(&fixture, "generation."), 1);
    assert_int_equal(fixture_files(&fixture, "route."), 1);
    assert_int_equal(fixture_files(&fixture, "."), 2);
    assert_int_equal(fixture_publish(&fixture, 7), before + 1); // and the next control goes on
    assert_int_equal(whole_marker(before + 1), 7);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_published_generation_is_read_back_whole),
        TEST(a_table_reads_alike_at_two_addresses),
        TEST(a_manifest_without_ports_or_routes_is_not_published),
        TEST(a_table_named_twice_is_not_published),
        TEST(a_table_that_lies_is_not_sealed),
        TEST(a_damaged_table_is_refused_by_its_checksum),
        TEST(another_table_under_the_name_is_refused),
        TEST(a_route_table_updated_in_place_needs_no_checksum),
        TEST(a_balance_table_updated_in_place_needs_no_checksum),
        TEST(tables_that_contradict_each_other_are_refused),
        TEST(only_the_published_generation_stays_where_no_data_plane_runs),
        TEST(a_generation_a_worker_uses_stays),
        TEST(tables_shared_with_a_newer_generation_stay),
        TEST(sealed_tables_that_wait_to_be_published_stay),
        TEST(what_a_killed_control_left_is_collected),
        TEST(killed_at_any_moment_of_publishing_a_whole_generation_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
