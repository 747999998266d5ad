// SPDX-License-Identifier: Apache-2.0
// The worker's clock: CLOCK_MONOTONIC in milliseconds and microseconds, from the TSC. Called once a pass, on the worker's thread.
#include <time.h>
#include <rte_cycles.h>
#include "worker/loop.h"

#define NS_PER_MS 1000000ULL
#define FRACTION  48 // bits behind the point of ms_per_tick: a second of 5 GHz still fits 64 bits
#define FRACTION_US 40 // likewise, of us_per_tick
#define RESYNC_MS 1000

static void clock_sync(struct worker_clock *clock, uint64_t tsc)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now); // no system call: the vDSO's
    uint64_t ns = (uint64_t)now.tv_sec * 1000 * NS_PER_MS + (uint64_t)now.tv_nsec;
    clock->tsc_base = tsc;
    clock->ms_base = ns / NS_PER_MS;
    clock->us_base = ns / 1000;
    clock->tsc_next = tsc + rte_get_tsc_hz() / 1000 * RESYNC_MS;
}

void worker_clock_init(struct worker_clock *clock)
{
    clock->ms_per_tick = (uint64_t)(((__uint128_t)1000 << FRACTION) / rte_get_tsc_hz());
    clock->us_per_tick = (uint64_t)(((__uint128_t)1000000 << FRACTION_US) / rte_get_tsc_hz());
    clock_sync(clock, rte_rdtsc());
    clock->now_us = clock->us_base;
    clock->now_ms = (uint32_t)clock->ms_base;
}

uint32_t worker_clock_ms(struct worker_clock *clock, uint64_t tsc)
{
    if (unlikely(tsc >= clock->tsc_next))
        clock_sync(clock, tsc);
    uint32_t now = (uint32_t)(clock->ms_base + ((tsc - clock->tsc_base) * clock->ms_per_tick >> FRACTION));
    if ((int32_t)(now - clock->now_ms) >
        0) // a sync may step back by less than a millisecond: stand still then
        clock->now_ms = now;
    return clock->now_ms;
}

uint64_t worker_clock_us(struct worker_clock *clock, uint64_t tsc)
{
    uint64_t now = clock->us_base + ((tsc - clock->tsc_base) * clock->us_per_tick >> FRACTION_US);
    if (now > clock->now_us)
        clock->now_us = now;
    return clock->now_us;
}
