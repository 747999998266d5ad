// SPDX-License-Identifier: Apache-2.0
// The Internet checksum in cycles, beside DPDK's: a line a length, `bytes ours dpdk copy+ours copying`, medians over runs, of
// bytes in the first cache; `copy+ours` copies and then sums what was copied, `copying` is sl_csum_copy().
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>
#include <rte_ip.h>
#include "wire/checksum.h"

#define RUNS   15u
#define ROUNDS 20000u

static uint8_t from[2048] __attribute__((aligned(64))), to[2048] __attribute__((aligned(64)));
static volatile uint64_t sink;

static uint64_t ours(size_t len)
{
    return sl_csum_add(0, from, len);
}

static uint64_t dpdk(size_t len)
{
    return rte_raw_cksum(from, len);
}

static uint64_t copy_then_sum(size_t len)
{
    memcpy(to, from, len);
    return sl_csum_add(0, to, len);
}

static uint64_t copying(size_t len)
{
    return sl_csum_copy(to, from, len);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double cycles(uint64_t (*sum)(size_t len), size_t len)
{
    double run[RUNS];

    for (unsigned i = 0; i < RUNS; i++) {
        uint64_t start = __rdtsc();

        for (unsigned round = 0; round < ROUNDS; round++)
            sink += sum(len);
        run[i] = (double)(__rdtsc() - start) / ROUNDS;
    }
    qsort(run, RUNS, sizeof(*run), compare);
    return run[RUNS / 2];
}

int main(void)
{
    static const size_t lengths[] = {20, 64, 128, 256, 576, 1448};

    for (size_t i = 0; i < sizeof(from); i++)
        from[i] = (uint8_t)(i * 7 + i / 256);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
        printf("%zu %.0f %.0f %.0f %.0f\n", lengths[i], cycles(ours, lengths[i]), cycles(dpdk, lengths[i]),
               cycles(copy_then_sum, lengths[i]), cycles(copying, lengths[i]));
    return 0;
}
