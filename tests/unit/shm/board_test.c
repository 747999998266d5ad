// SPDX-License-Identifier: Apache-2.0
// The board: whoever comes first makes it, and it tells how far a generation is.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

#define SECOND 1000000000ull

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

// Many processes open a board that is not there; each adds one to a word of it. One board was made if all are there.
static void processes_that_come_at_once_share_one_board(void **state)
{
    enum { PROCESSES = 16, ROUNDS = 10 };
    char path[128];
    int *gate = mmap(NULL, sizeof(*gate), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(gate, MAP_FAILED);
    snprintf(path, sizeof(path), "%s/board", fixture.run_dir);
    for (int round = 1; round <= ROUNDS; round++) {
        assert_int_equal(unlink(path), 0);
        for (int i = 0; i < PROCESSES; i++)
            if (fork() == 0) {
                struct sl_board *board;
                while (__atomic_load_n(gate, __ATOMIC_ACQUIRE) < round)
                    usleep(10);
                if (sl_board_open(fixture.run_dir, &board, NULL) != 0)
                    _exit(1);
                __atomic_fetch_add(&board->published, 1, __ATOMIC_SEQ_CST);
                _exit(0);
            }
        __atomic_store_n(gate, round, __ATOMIC_RELEASE);
        for (int i = 0, status; i < PROCESSES; i++) {
            assert_true(wait(&status) > 0);
            assert_int_equal(status, 0);
        }
        struct sl_board *board;
        assert_int_equal(sl_board_open(fixture.run_dir, &board, NULL), 0);
        assert_int_equal(board->published, PROCESSES);
        assert_int_equal(board->next_serial, 1);
        sl_board_close(board);
    }
    munmap(gate, sizeof(*gate));
    assert_int_equal(fixture_files(&fixture, "."), 2);
}

static void a_reader_sees_what_the_writers_say(void **state)
{
    const struct sl_board *look;

    assert_int_equal(sl_board_open_readonly(fixture.run_dir, &look, NULL), 0);
    assert_false(sl_board_dp_alive(look, 10 * SECOND));
    sl_board_dp_start(fixture.board, 77, 4, 3000, 10 * SECOND);
    assert_true(sl_board_dp_alive(look, 10 * SECOND));
    assert_int_equal(look->worker_count, 4);
    assert_int_equal(look->incarnation, 1);
    assert_false(sl_board_control_alive(look, 10 * SECOND));
    sl_board_control_beat(fixture.board, 78, 10 * SECOND);
    assert_true(sl_board_control_alive(look, 10 * SECOND));
    sl_board_close(look);
}

static void a_heartbeat_goes_stale_and_a_newer_one_than_now_is_fresh(void **state)
{
    uint64_t start = sl_board_now_ns();

    sl_board_dp_start(fixture.board, (uint32_t)getpid(), 1, 1, start);
    assert_true(sl_board_dp_alive(fixture.board, start - SECOND));
    assert_true(sl_board_dp_alive(fixture.board, start + 4 * SECOND));
    assert_false(sl_board_dp_alive(fixture.board, start + 5 * SECOND));
    assert_false(sl_board_dp_gone(fixture.board, start + 5 * SECOND)); // silent, but there
    sl_board_dp_beat(fixture.board, start + 5 * SECOND);
    assert_true(sl_board_dp_alive(fixture.board, start + 6 * SECOND));
    sl_board_dp_stop(fixture.board);
    assert_false(sl_board_dp_alive(fixture.board, start + 6 * SECOND));
}

// A child that waits to be killed; its pid.
static pid_t child_start(void)
{
    pid_t pid = fork();

    if (pid == 0)
        for (;;)
            pause();
    assert_true(pid > 0);
    return pid;
}

static void a_killed_data_plane_is_known_before_its_heartbeat_is_stale(void **state)
{
    uint64_t now = sl_board_now_ns(), later = now + SECOND / 2;
    pid_t pid = child_start();
    siginfo_t info;

    sl_board_dp_start(fixture.board, (uint32_t)pid, 1, 1, now);
    assert_true(sl_board_dp_alive(fixture.board, later)); // silent for a while, but there
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_false(sl_board_dp_alive(fixture.board, later)); // a zombie
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_false(sl_board_dp_alive(fixture.board, later));
    assert_true(sl_board_dp_gone(fixture.board, later));
    assert_int_equal(sl_board_live(fixture.board, 1, later).state, SL_LIVE_STOPPED);
    assert_true(sl_board_dp_alive(fixture.board, now)); // one missed beat is no proof
}

static void a_pid_that_another_process_has_now_is_not_the_data_plane(void **state)
{
    uint64_t now = sl_board_now_ns();
    pid_t pid = child_start();

    sl_board_dp_start(fixture.board, (uint32_t)pid, 1, 1,
                      now - 10 * SECOND); // long before the child was there
    sl_board_dp_beat(fixture.board, now);
    assert_false(sl_board_dp_alive(fixture.board, now + SECOND / 2));
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static enum sl_live_state live(uint64_t generation)
{
    return sl_board_live(fixture.board, generation, 10 * SECOND).state;
}

static void a_generation_is_live_when_every_worker_says_so(void **state)
{
    assert_int_equal(live(1), SL_LIVE_STOPPED);
    sl_board_dp_start(fixture.board, 1, 2, 1, 10 * SECOND);
    assert_int_equal(live(1), SL_LIVE_PENDING);
    sl_board_worker_live(&fixture.board->worker[0], 1);
    assert_int_equal(live(1), SL_LIVE_PENDING);
    assert_int_equal(sl_board_live(fixture.board, 1, 10 * SECOND).workers_live, 1);
    sl_board_worker_live(&fixture.board->worker[1], 2);
    assert_int_equal(live(1), SL_LIVE_YES);
    assert_int_equal(live(2), SL_LIVE_PENDING);
}

static void a_restarted_data_plane_has_nothing_live(void **state)
{
    sl_board_dp_start(fixture.board, 1, 1, 1, 10 * SECOND);
    sl_board_worker_live(&fixture.board->worker[0], 3);
    assert_int_equal(live(3), SL_LIVE_YES);
    sl_board_dp_start(fixture.board, 2, 1, 1, 10 * SECOND);
    assert_int_equal(live(3), SL_LIVE_PENDING);
    assert_int_equal(fixture.board->incarnation, 2);
}

static void a_worker_count_that_cannot_be_reads_no_further_than_the_board(void **state)
{
    sl_board_dp_start(fixture.board, 1, UINT32_MAX, 1, 10 * SECOND);
    assert_int_equal(sl_board_live(fixture.board, 1, 10 * SECOND).workers, SL_MAX_WORKERS);
}

static void a_refusal_reaches_control_with_its_text(void **state)
{
    struct sl_error error;

    sl_board_dp_start(fixture.board, 1, 1, 1, sl_board_now_ns());
    sl_board_dp_refuse(fixture.board, 2, "route table, byte 4711: nonsense");
    assert_int_equal(sl_board_wait_live(fixture.board, 2, 1000, &error), -EBADMSG);
    assert_string_equal(error.text, "route table, byte 4711: nonsense");
    // The next one is not refused because an earlier one was.
    assert_int_equal(sl_board_wait_live(fixture.board, 3, 0, &error), -ETIMEDOUT);
    sl_board_worker_live(&fixture.board->worker[0], 3);
    assert_int_equal(sl_board_wait_live(fixture.board, 3, 1000, &error), 0);
}

static void a_long_or_unprintable_refusal_stays_within_its_room(void **state)
{
    char text[1000], out[256];

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    text[3] = '\n';
    sl_board_dp_refuse(fixture.board, 1, text);
    sl_board_refusal(fixture.board, out);
    assert_int_equal(strlen(out), 255);
    assert_int_equal(out[3], '?');
    memset(fixture.board->refusal, 0x80, sizeof(fixture.board->refusal));
    sl_board_refusal(fixture.board, out);
    assert_int_equal(strlen(out), 255);
}

static void waiting_says_why_it_ended(void **state)
{
    struct sl_error error;

    assert_int_equal(sl_board_wait_live(fixture.board, 1, 1000, &error), -ENOTCONN);
    assert_non_null(strstr(error.text, "no data plane runs"));
    sl_board_dp_start(fixture.board, 1, 3, 1, sl_board_now_ns());
    sl_board_worker_live(&fixture.board->worker[0], 1);
    assert_int_equal(sl_board_wait_live(fixture.board, 1, 5, &error), -ETIMEDOUT);
    assert_non_null(strstr(error.text, "live on 1 of 3 workers"));
}

static void *echo_later(void *argument)
{
    usleep(20000);
    sl_board_worker_live(&fixture.board->worker[0], 1);
    return argument;
}

static void waiting_ends_when_the_last_worker_echoes(void **state)
{
    pthread_t thread;

    sl_board_dp_start(fixture.board, 1, 1, 1, sl_board_now_ns());
    assert_int_equal(pthread_create(&thread, NULL, echo_later, NULL), 0);
    assert_int_equal(sl_board_wait_live(fixture.board, 1, 4000, NULL), 0);
    pthread_join(thread, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(processes_that_come_at_once_share_one_board),
        TEST(a_reader_sees_what_the_writers_say),
        TEST(a_killed_data_plane_is_known_before_its_heartbeat_is_stale),
        TEST(a_pid_that_another_process_has_now_is_not_the_data_plane),
        TEST(a_heartbeat_goes_stale_and_a_newer_one_than_now_is_fresh),
        TEST(a_generation_is_live_when_every_worker_says_so),
        TEST(a_restarted_data_plane_has_nothing_live),
        TEST(a_worker_count_that_cannot_be_reads_no_further_than_the_board),
        TEST(a_refusal_reaches_control_with_its_text),
        TEST(a_long_or_unprintable_refusal_stays_within_its_room),
        TEST(waiting_says_why_it_ended),
        TEST(waiting_ends_when_the_last_worker_echoes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
