// SPDX-License-Identifier: Apache-2.0
// The neighbor table's file: a data plane that starts again knows its neighbors; a file that cannot be is replaced.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "neighbor/table.h"

#define LIMIT 100

static int dir_make(void **state)
{
    *state = strdup("/tmp/sluice-neighbor-XXXXXX");
    return mkdtemp(*state) ? 0 : -1;
}

static int dir_remove(void **state)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/neighbor", (char *)*state);
    unlink(path);
    rmdir(*state);
    free(*state);
    return 0;
}

static struct sl_ip server(void)
{
    return sl_ip_v4(__builtin_bswap32(0xc6336415));
}

// Opens the table, puts a reachable neighbor into it, closes it.
static void leave_neighbor(const char *dir)
{
    struct neighbor_table *table = neighbor_table_open(dir, LIMIT);
    struct sl_ip ip = server();

    assert_non_null(table);
    struct sl_neighbor *entry = neighbor_insert(table, 3, &ip);
    assert_non_null(entry);
    neighbor_store(entry, neighbor_word((uint8_t[6]){2, 0, 0, 0, 0, 9}, SL_NEIGHBOR_REACHABLE));
    neighbor_table_close(table);
}

static void neighbors_outlive_the_process(void **state)
{
    struct sl_ip ip = server();

    leave_neighbor(*state);
    struct neighbor_table *table = neighbor_table_open(*state, LIMIT);
    assert_non_null(table);
    uint64_t word = neighbor_find(table, 3, &ip);
    assert_int_equal(neighbor_state(word), SL_NEIGHBOR_STALE); // usable, and asked for once it is used
    assert_int_equal((uint8_t)(word >> 40), 9);
    neighbor_table_close(table);
}

static void a_table_of_another_size_begins_empty(void **state)
{
    leave_neighbor(*state);
    struct neighbor_table *table = neighbor_table_open(*state, LIMIT * 10);
    assert_non_null(table);
    assert_int_equal(table->segment->used, 0);
    neighbor_table_close(table);
}

static void a_damaged_file_is_replaced(void **state)
{
    char path[128];

    leave_neighbor(*state);
    snprintf(path, sizeof(path), "%s/neighbor", (char *)*state);
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 100), 0);
    close(fd);
    struct neighbor_table *table = neighbor_table_open(*state, LIMIT);
    assert_non_null(table);
    assert_int_equal(table->segment->used, 0);
    neighbor_table_close(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(neighbors_outlive_the_process, dir_make, dir_remove),
        cmocka_unit_test_setup_teardown(a_table_of_another_size_begins_empty, dir_make, dir_remove),
        cmocka_unit_test_setup_teardown(a_damaged_file_is_replaced, dir_make, dir_remove),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
