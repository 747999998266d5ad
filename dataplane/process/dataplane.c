// SPDX-License-Identifier: Apache-2.0
// The life of a data plane: attach, wait for control, start, stop. Main thread, which becomes housekeeping.
#include "process/dataplane.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <rte_cycles.h>
#include <rte_launch.h>
#include "housekeeping/generation.h"
#include "housekeeping/notify.h"
#include "housekeeping/turnover.h"
#include "port/unmap.h"
#include "shm/board.h"
#include "shm/counters.h"
#include "shm/segment.h"

#define WAIT_STEP_MS 5

// Blocked before any thread exists, so that none but housekeeping ever gets them.
static int signals_open(struct sl_error *error)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        sl_error_set(error, -errno, "signalfd: %s", strerror(errno));
    return fd;
}

static int files_open(struct dataplane *dp, struct sl_error *error)
{
    const char *run_dir = dp->options.run_dir;
    int rc = sl_run_dir_make(run_dir, error);
    if (rc == 0)
        rc = dp->claim = sl_run_dir_claim(run_dir, "dataplane", error);
    if (rc >= 0)
        rc = sl_board_open(run_dir, &dp->house.board, error);
    if (rc == 0)
        rc = sl_counters_create(run_dir, sl_board_now_ns(), &dp->counters, error);
    if (rc == 0)
        rc = commands_open(&dp->loop.commands, run_dir, error);
    return rc;
}

int dataplane_attach(struct dataplane *dp, struct sl_error *error)
{
    struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_MEMLOCK,
              &unlimited); // AF_XDP pins its memory; where this is refused, opening the port says so
    dp->house.run_dir = dp->options.run_dir;
    dp->loop.house = &dp->house;
    dp->loop.watchdog_ns = notify_watchdog_us() * 1000;
    memset(dp->house.twin, 0xff, sizeof(dp->house.twin)); // -1: none
    dp->loop.signals = signals_open(error);
    if (dp->loop.signals < 0)
        return dp->loop.signals;
    int rc = files_open(dp, error);
    if (rc != 0)
        return rc;
    dp->house.counters = &dp->counters->block[SL_MAX_WORKERS];
    dp->house.port_state = dp->counters->port;
    dp->house.generations = generations_new();
    if (!dp->house.generations)
        return sl_error_set(error, -ENOMEM, "out of memory");
    sl_board_dp_start(dp->house.board, (uint32_t)getpid(), dp->placement.workers, rte_get_tsc_hz(),
                      sl_board_now_ns());
    return 0;
}

struct tables *dataplane_wait(struct dataplane *dp, struct sl_error *error)
{
    uint64_t start_ns = sl_board_now_ns();
    error->text[0] = '\0';
    for (;;) {
        struct tables *tables = turnover_next(&dp->house);
        if (tables || house_loop_idle(&dp->loop, WAIT_STEP_MS))
            return tables;
        if (dp->options.wait_s > 0 && dp->loop.now_ns - start_ns > dp->options.wait_s * 1000000000ULL) {
            sl_error_set(
                error, -ETIMEDOUT,
                "sluiced has published nothing in %s for %u s; is it running with this run directory? See "
                "'sluicectl status'",
                dp->options.run_dir, dp->options.wait_s);
            return NULL;
        }
    }
}

int dataplane_start(struct dataplane *dp, const struct tables *tables, struct sl_error *error)
{
    int rc = state_make(dp, tables, error);
    for (uint32_t i = 0; rc == 0 && i < dp->placement.workers; i++) {
        rc = rte_eal_remote_launch(worker_run, &dp->thread[i], i + 1);
        if (rc != 0)
            sl_error_set(error, rc, "worker %u does not start (%s)", i, strerror(-rc));
    }
    if (rc == 0)
        unmap_guard(dp->house.worker, dp->placement.workers);
    return rc;
}

void dataplane_stop(struct dataplane *dp)
{
    unmap_guard(NULL, 0);
    for (uint32_t i = 0; i < dp->placement.workers; i++)
        __atomic_store_n(&dp->thread[i].stop, 1, __ATOMIC_RELEASE);
    rte_eal_mp_wait_lcore();
    generations_free(dp->house.generations); // nobody uses tables any more; NAT still can let go of them
    state_free(dp);
    if (dp->house.board)
        sl_board_dp_stop(dp->house.board);
    commands_close(&dp->loop.commands);
    sl_counters_close(dp->counters);
    sl_board_close(dp->house.board);
}
