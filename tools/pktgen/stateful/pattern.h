// SPDX-License-Identifier: Apache-2.0
// The bytes of a body: a function of the request's key, which the request line carries, and of the offset. So either end
// can make and check any piece of it without storing one, and a device that rewrites addresses does not disturb it. Pure.
#ifndef STATEFUL_PATTERN_H
#define STATEFUL_PATTERN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define PATTERN_REQUEST 0x5bd1e995u // a request's body has the key of its response, changed by this

// Eight bytes at offset 8 * index, little-endian.
static inline uint64_t pattern_word(uint32_t key, uint32_t index)
{
    uint64_t x = ((uint64_t)key << 32 | index) * 0x9e3779b97f4a7c15u;
    return x ^ x >> 32;
}

// Bytes `offset` to `offset + count - 1`, at most eight, within one word.
static inline uint64_t pattern_piece(uint32_t key, uint32_t offset)
{
    return pattern_word(key, offset / 8) >> (8 * (offset % 8));
}

static inline uint32_t pattern_step(uint32_t offset, uint32_t left)
{
    uint32_t step = 8 - offset % 8;
    return step < left ? step : left;
}

static inline void pattern_fill(uint32_t key, uint32_t offset, uint8_t *out, uint32_t count)
{
    for (; offset % 8 == 0 && count >= 8; offset += 8, out += 8, count -= 8) {
        uint64_t word = pattern_word(key, offset / 8);
        memcpy(out, &word, 8);
    }
    while (count > 0) {
        uint64_t piece = pattern_piece(key, offset);
        uint32_t step = pattern_step(offset, count);
        memcpy(out, &piece, step);
        offset += step, out += step, count -= step;
    }
}

// True where all bytes are as pattern_fill() would write them.
static inline bool pattern_check(uint32_t key, uint32_t offset, const uint8_t *in, uint32_t count)
{
    uint64_t wrong = 0;
    while (count > 0) {
        if (offset % 8 == 0 && count >= 8) {
            uint64_t word;
            memcpy(&word, in, 8);
            wrong |= word ^ pattern_word(key, offset / 8);
            offset += 8, in += 8, count -= 8;
            continue;
        }
        uint64_t piece = pattern_piece(key, offset), got = 0;
        uint32_t step = pattern_step(offset, count);
        memcpy(&got, in, step);
        wrong |= got ^ (piece & (UINT64_MAX >> (64 - 8 * step)));
        offset += step, in += step, count -= step;
    }
    return wrong == 0;
}

#endif
