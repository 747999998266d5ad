// SPDX-License-Identifier: Apache-2.0
// How far two cores are from each other: a cache line goes to and fro between two threads, and the median time of a
// round trip is printed in cycles of the TSC. A hypervisor moves virtual cores about, so a figure holds for a moment
// only: tests/bench takes it before and after each trial that crosses cores.
//   core_distance FIRST SECOND [MILLISECONDS]      prints {"median": CYCLES, "least": CYCLES, "trips": N}
//   core_distance --tsc                            prints {"tsc_hz": HZ}, measured against the system's clock
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <rte_cycles.h>

#define TRIPS_A_LOOK 16 // a look at the clock costs as much as half a trip
#define LOOKS_MAX    65536
#define STOP         UINT32_MAX

static struct {
    uint32_t ball __attribute__((aligned(128))); // both threads: odd is the second's turn, even the first's
    int core[2] __attribute__((aligned(128)));
} shared;
static uint32_t look[LOOKS_MAX]; // cycles of a trip

static int core_pin(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    return sched_setaffinity(0, sizeof(set), &set);
}

static uint32_t ball_take(void)
{
    return __atomic_load_n(&shared.ball, __ATOMIC_ACQUIRE);
}

static void ball_throw(uint32_t value)
{
    __atomic_store_n(&shared.ball, value, __ATOMIC_RELEASE);
}

static void *second_run(void *nothing)
{
    uint32_t seen = 0;
    bool pinned = core_pin(shared.core[1]) == 0;
    while (pinned && (seen = ball_take()) != STOP)
        if (seen & 1)
            ball_throw(seen + 1);
    return nothing;
}

static uint32_t trips_time(uint32_t *ball)
{
    uint64_t start = rte_rdtsc();
    for (uint32_t i = 0; i < TRIPS_A_LOOK; i++) {
        ball_throw(*ball + 1);
        *ball += 2;
        while (ball_take() != *ball)
            ;
    }
    return (uint32_t)((rte_rdtsc() - start) / TRIPS_A_LOOK);
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t looks_take(uint64_t cycles)
{
    uint32_t count = 0, ball = 0;
    trips_time(&ball); // until the second runs
    for (uint64_t end = rte_rdtsc() + cycles; rte_rdtsc() < end && count < LOOKS_MAX;)
        look[count++] = trips_time(&ball);
    ball_throw(STOP);
    return count;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// A fifth of a second: an interruption between the two looks at a clock, of microseconds, does not show.
static void tsc_show(void)
{
    const struct timespec pause = {.tv_nsec = 200000000};
    double start = seconds_now();
    uint64_t before = rte_rdtsc();
    nanosleep(&pause, NULL);
    double passed = seconds_now() - start;
    printf("{\"tsc_hz\": %.0f}\n", (double)(rte_rdtsc() - before) / passed);
}

int main(int argc, char **argv)
{
    pthread_t second;
    if (argc == 2 && strcmp(argv[1], "--tsc") == 0) {
        tsc_show();
        return 0;
    }
    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: core_distance FIRST SECOND [MILLISECONDS]\n");
        return 2;
    }
    uint64_t ms = argc == 4 ? strtoul(argv[3], NULL, 10) : 8;
    shared.core[0] = atoi(argv[1]);
    shared.core[1] = atoi(argv[2]);
    if (shared.core[0] == shared.core[1] || core_pin(shared.core[1]) != 0 || core_pin(shared.core[0]) != 0) {
        fprintf(stderr, "core_distance: %s and %s are not two cores that this process may use\n", argv[1],
                argv[2]);
        return 3;
    }
    if (pthread_create(&second, NULL, second_run, NULL) != 0)
        return 3;
    uint32_t count = looks_take(ms * 2000000); // of a TSC of 2 GHz or more
    pthread_join(second, NULL);
    if (count == 0)
        return 3;
    qsort(look, count, sizeof(look[0]), by_value);
    printf("{\"median\": %u, \"least\": %u, \"trips\": %u}\n", look[count / 2], look[0],
           count * TRIPS_A_LOOK);
    return 0;
}
