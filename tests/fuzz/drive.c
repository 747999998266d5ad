// SPDX-License-Identifier: Apache-2.0
// Drives a fuzzer without libFuzzer: each of its seeds whole, cut short and mutated.
//
//     fuzz-NAME [RUNS [SEED]]    RUNS mutations of each seed (default 2000)
//     fuzz-NAME FILE...          replays inputs
//     fuzz-NAME --seeds DIR      writes the seeds as files: a first corpus for libFuzzer
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static uint64_t random_state;

// xorshift64*
static uint64_t random_next(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 0x2545f4914f6cdd1dull;
}

// Runs on a copy of exactly this size, so that a sanitizer sees one byte too far.
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    if (!copy)
        abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void mutate_once(uint8_t *data, size_t size)
{
    static const uint64_t border[] = {0,      1,      0x7f,       0x80,       0xff,
                                      0x7fff, 0xffff, 0x7fffffff, 0xffffffff, UINT64_MAX};
    size_t at = random_next() % size, width = (size_t)1 << random_next() % 4;
    // Headers come first and count most.
    if (random_next() % 2 && size > 256)
        at %= 256;
    uint64_t value = random_next() % 2 ? random_next() : border[random_next() % 10];

    if (random_next() % 4 == 0)
        data[at] ^= (uint8_t)(1u << random_next() % 8);
    else
        memcpy(data + at, &value, at + width <= size ? width : 1);
}

static void drive_seed(const uint8_t *seed, size_t size, uint64_t runs)
{
    uint8_t *data = malloc(size ? size : 1);

    if (!data)
        abort();
    run(seed, size);
    for (uint64_t i = 0; size > 0 && i < runs; i++) {
        memcpy(data, seed, size);
        for (uint64_t n = 1 + random_next() % 6; n > 0; n--)
            mutate_once(data, size);
        run(data, random_next() % 8 ? size : random_next() % (size + 1));
    }
    free(data);
}

static int replay(const char *path)
{
    static uint8_t data[1 << 22];
    FILE *file = fopen(path, "rb");

    if (!file) {
        perror(path);
        return 1;
    }
    size_t size = fread(data, 1, sizeof(data), file);
    fclose(file);
    run(data, size);
    return 0;
}

static int seeds_write(const char *dir)
{
    size_t size;
    unsigned index = 0;

    for (uint8_t *seed = fuzz_seed(0, &size); seed; seed = fuzz_seed(++index, &size)) {
        char path[4096];
        snprintf(path, sizeof(path), "%s/seed.%u", dir, index);
        FILE *file = fopen(path, "wb");
        if (!file || fwrite(seed, 1, size, file) != size || fclose(file) != 0) {
            perror(path);
            return 1;
        }
        free(seed);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--seeds") == 0)
        return seeds_write(argv[2]);
    if (argc > 1 && !isdigit((unsigned char)argv[1][0])) {
        int failed = 0;
        for (int i = 1; i < argc; i++)
            failed |= replay(argv[i]);
        return failed;
    }
    uint64_t runs = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000;
    random_state = argc > 2 ? strtoull(argv[2], NULL, 10) | 1 : 20240601;
    printf("%" PRIu64 " runs of each seed, random seed %" PRIu64 "\n", runs, random_state);
    unsigned seeds = 0;
    size_t size;
    for (uint8_t *seed = fuzz_seed(0, &size); seed; seed = fuzz_seed(++seeds, &size)) {
        drive_seed(seed, size, runs);
        free(seed);
    }
    return seeds > 0 ? 0 : 1;
}
