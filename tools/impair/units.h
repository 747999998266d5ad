// SPDX-License-Identifier: Apache-2.0
// Quantities as people write them. Each returns NULL and sets *value, or says what is wrong. Pure.
#ifndef IMPAIR_UNITS_H
#define IMPAIR_UNITS_H

#include <stdint.h>

const char *units_time(const char *text, uint64_t *us);    // 20ms 150us 1s, at most an hour
const char *units_chance(const char *text, uint64_t *ppm); // 1% 0.05%
const char *units_rate(const char *text, uint64_t *bps);   // 64kbit 100mbit 1gbit
const char *units_bytes(const char *text, uint64_t *bytes); // 1500 64k 1m
const char *units_chance_time(const char *text, uint64_t *ppm, uint64_t *us);     // 1%:5ms
const char *units_chance_count(const char *text, uint64_t *ppm, uint64_t *count); // 0.5%:10

#endif
