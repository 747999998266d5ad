// SPDX-License-Identifier: Apache-2.0
// A fuzzer is a file with these two functions. It is built twice: with drive.c for every test run (a fixed number of
// mutations of its seeds, fixed random seed), and against libFuzzer with -Dfuzzers=true and clang.
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

// Must not crash, hang or leak on any input. Returns 0.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Valid inputs to mutate: index 0, 1, ...; to free(). NULL: there are no more.
uint8_t *fuzz_seed(unsigned index, size_t *size);

#endif
