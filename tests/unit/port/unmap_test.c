// SPDX-License-Identifier: Apache-2.0
// What DPDK's interrupt thread unmaps stays until every worker has gone round twice; other threads do not wait.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <unistd.h>
#include <sys/mman.h>
#include <rte_alarm.h>
#include <rte_eal.h>
#include "port/unmap.h"
#include "worker/worker.h"

#define PAGE 4096

static struct worker worker[2];
static struct worker *workers[2] = {&worker[0], &worker[1]};
static struct sl_board_worker board[2];
static void *page;
static int unmapped; // by the interrupt thread

static int start(void **state)
{
    const char *argv[] = {"unmap", "--no-huge", "--no-pci",       "--no-shconf", "-m",      "64",
                          "-l",    "0",         "--no-telemetry", "--log-level", "*:error", NULL};
    worker[0].board = &board[0];
    worker[1].board = &board[1];
    return rte_eal_init((int)RTE_DIM(argv) - 1, (char **)argv) < 0 ? -1 : 0;
}

static int page_make(void **state)
{
    page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unmap_guard(workers, 2);
    return page == MAP_FAILED ? -1 : 0;
}

static int guard_off(void **state)
{
    unmap_guard(NULL, 0);
    return 0;
}

static void pass(uint32_t index)
{
    __atomic_fetch_add(&board[index].bursts, 1, __ATOMIC_RELEASE);
}

static void unmap(void *unused)
{
    munmap(page, PAGE);
    __atomic_store_n(&unmapped, 1, __ATOMIC_RELEASE);
}

static int unmapped_after_ms(unsigned ms)
{
    usleep(ms * 1000);
    return __atomic_load_n(&unmapped, __ATOMIC_ACQUIRE);
}

static int page_is_there(void)
{
    unsigned char in;
    return mincore(page, PAGE, &in) == 0;
}

static void interrupt_thread_waits_for_two_passes_of_every_worker(void **state)
{
    unmapped = 0;
    assert_int_equal(rte_eal_alarm_set(1, unmap, NULL), 0);
    assert_false(unmapped_after_ms(50));
    pass(0);
    pass(0);
    pass(1); // counted from when its turn comes: it may be the one that was under way
    assert_false(unmapped_after_ms(50));
    assert_true(page_is_there());
    for (int i = 0; i < 100 && !unmapped_after_ms(5); i++)
        pass(1);
    assert_true(unmapped);
    assert_false(page_is_there());
}

static void memory_is_kept_where_a_worker_stands_still(void **state)
{
    unmapped = 0;
    assert_int_equal(rte_eal_alarm_set(1, unmap, NULL), 0);
    for (int i = 0; i < 100 && !unmapped_after_ms(100); i++)
        pass(1);
    assert_true(unmapped);
    assert_true(page_is_there());
    assert_int_equal(munmap(page, PAGE), 0);
}

static void other_threads_unmap_at_once(void **state)
{
    assert_int_equal(munmap(page, PAGE), 0);
    assert_false(page_is_there());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(interrupt_thread_waits_for_two_passes_of_every_worker, page_make,
                                        guard_off),
        cmocka_unit_test_setup_teardown(memory_is_kept_where_a_worker_stands_still, page_make, guard_off),
        cmocka_unit_test_setup_teardown(other_threads_unmap_at_once, page_make, guard_off),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
