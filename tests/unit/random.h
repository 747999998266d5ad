// SPDX-License-Identifier: Apache-2.0
// Random numbers for differential tests: the same on every run, unless SLUICE_TEST_SEED says otherwise; the seed is
// printed, so that a failure can be had again. One test thread.
#ifndef UNIT_RANDOM_H
#define UNIT_RANDOM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct test_random {
    uint64_t state;
};

static inline struct test_random test_random_start(const char *name)
{
    const char *text = getenv("SLUICE_TEST_SEED");
    struct test_random random = {text ? strtoull(text, NULL, 0) : 20260101};

    printf("%s: seed %llu (SLUICE_TEST_SEED)\n", name, (unsigned long long)random.state);
    return random;
}

// SplitMix64 (Steele, Lea, Flood, 2014).
static inline uint64_t test_random_u64(struct test_random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

// 0..below-1; the bias of the division is no matter here.
static inline uint32_t test_random_below(struct test_random *random, uint32_t below)
{
    return (uint32_t)(test_random_u64(random) % below);
}

static inline void test_random_fill(struct test_random *random, void *out, size_t len_bytes)
{
    uint8_t *bytes = (uint8_t *)out;

    for (size_t i = 0; i < len_bytes; i++)
        bytes[i] = (uint8_t)test_random_u64(random);
}

#endif
