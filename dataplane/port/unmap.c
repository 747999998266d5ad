// SPDX-License-Identifier: Apache-2.0
// The process's munmap(): see unmap.h. Housekeeping sets the guard; munmap() on any thread, waiting only on DPDK's
// interrupt thread, which has nothing urgent.
#include "port/unmap.h"
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <rte_interrupts.h>
#include "worker/worker.h"

#define STEP_US  20
#define LIMIT_US 1000000 // a worker that long without its core; by the clock, as a sleep takes as long as it likes

static struct { // munmap() has no argument for it
    struct worker *const *worker;
    uint32_t count;
} guard;

void unmap_guard(struct worker *const *worker, uint32_t count)
{
    __atomic_store_n(&guard.count, 0, __ATOMIC_SEQ_CST);
    guard.worker = worker;
    __atomic_store_n(&guard.count, worker ? count : 0, __ATOMIC_SEQ_CST);
}

static uint64_t clock_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

// Two passes: the end of the first may be of one that began before the driver's mark, and its own store may have
// been seen late. False: it stands still.
static bool worker_passes(const struct worker *worker)
{
    uint64_t from = __atomic_load_n(&worker->board->bursts, __ATOMIC_ACQUIRE);
    for (uint64_t until = clock_us() + LIMIT_US; clock_us() < until;) {
        if (__atomic_load_n(&worker->board->bursts, __ATOMIC_ACQUIRE) - from >= 2)
            return true;
        usleep(STEP_US);
    }
    return false;
}

static bool workers_pass(void)
{
    uint32_t count = __atomic_load_n(&guard.count, __ATOMIC_SEQ_CST);
    for (uint32_t i = 0; i < count; i++)
        if (!worker_passes(guard.worker[i]))
            return false;
    return true;
}

// Memory that a worker may still hold is better lost than missed.
__attribute__((visibility("default"))) int munmap(void *address, size_t length)
{
    if (rte_thread_is_intr()) {
        __atomic_thread_fence(__ATOMIC_SEQ_CST); // the driver's mark is seen before the passes are counted
        if (!workers_pass())
            return 0;
    }
    return (int)syscall(SYS_munmap, address, length);
}
