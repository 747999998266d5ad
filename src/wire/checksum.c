// SPDX-License-Identifier: Apache-2.0
// Checksums over bytes of any length and place; the per-field work is inline in checksum.h. Pure; any thread.
//
// What is long is summed by vectors: each lane of 64 bits takes 32-bit words, so that carries gather in its upper half
// and none is ever lost; RFC 1071 section 2(C) allows parallel sums. What is short does not pay their setting up.
#include "wire/checksum.h"

#include <string.h>

typedef unsigned __int128 wide; // its upper half gathers the carries of the lower
typedef uint64_t lanes __attribute__((vector_size(32)));

struct vector_sum {
    lanes low, high; // of the lower and the upper words; two chains of additions
};

#define STRIDE 64u // bytes summed at once: two vectors, so that one's additions need not wait for the other's

static uint64_t word_at(const uint8_t *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

// 128 bits to below 2^34, as ones' complement: 2^32 weighs as 1.
static uint64_t wide_fold(wide sum)
{
    uint64_t low = (uint64_t)sum, high = (uint64_t)(sum >> 64);

    return (low & 0xffffffff) + (low >> 32) + (high & 0xffffffff) + (high >> 32);
}

// The last 0-7 bytes as a word, zeros behind them.
static uint64_t tail_word(const uint8_t *at, size_t len_bytes)
{
    uint64_t word = 0;

    for (size_t i = 0; i < len_bytes; i++)
        word |= (uint64_t)at[i] << 8 * i;
    return word;
}

static uint64_t short_sum(const uint8_t *at, size_t len_bytes)
{
    wide even = 0, odd = 0; // two chains of additions, so that one need not wait for the other's carry

    for (; len_bytes >= 16; len_bytes -= 16, at += 16) {
        even += word_at(at);
        odd += word_at(at + 8);
    }
    if (len_bytes >= 8) {
        even += word_at(at);
        at += 8;
        len_bytes -= 8;
    }
    return wide_fold(even + odd + tail_word(at, len_bytes));
}

// By address, not by value: how vectors are passed differs between CPUs that have such registers and those that have not.
static inline void vector_add(struct vector_sum *sum, const lanes *vector)
{
    sum->low += *vector & 0xffffffff;
    sum->high += *vector >> 32;
}

static inline void vector_add_bytes(struct vector_sum *sum, const uint8_t *at)
{
    lanes vector;

    memcpy(&vector, at, sizeof(vector));
    vector_add(sum, &vector);
}

static inline uint64_t vector_finish(const struct vector_sum *a, const struct vector_sum *b)
{
    lanes all = a->low + a->high + b->low + b->high;

    return all[0] + all[1] + all[2] + all[3];
}

uint64_t sl_csum_add(uint64_t sum, const void *bytes, size_t len_bytes)
{
    const uint8_t *at = (const uint8_t *)bytes;
    struct vector_sum first = {0}, second = {0};

    if (len_bytes < 2 * STRIDE)
        return sum + short_sum(at, len_bytes);
    for (; len_bytes >= STRIDE; len_bytes -= STRIDE, at += STRIDE) {
        vector_add_bytes(&first, at);
        vector_add_bytes(&second, at + sizeof(lanes));
    }
    return sum + vector_finish(&first, &second) + short_sum(at, len_bytes);
}

uint64_t sl_csum_add_odd(uint64_t sum, const void *bytes, size_t len_bytes)
{
    return sum + sl_csum_odd(sl_csum_add(0, bytes, len_bytes));
}

// Each vector is stored from the register that it is summed from, so the bytes are read once.
uint64_t sl_csum_copy(void *to, const void *from, size_t len_bytes)
{
    const uint8_t *at = (const uint8_t *)from;
    uint8_t *put = (uint8_t *)to;
    struct vector_sum first = {0}, second = {0};

    for (; len_bytes >= STRIDE; len_bytes -= STRIDE, at += STRIDE, put += STRIDE) {
        lanes a, b;

        memcpy(&a, at, sizeof(a));
        memcpy(&b, at + sizeof(a), sizeof(b));
        memcpy(put, &a, sizeof(a));
        memcpy(put + sizeof(a), &b, sizeof(b));
        vector_add(&first, &a);
        vector_add(&second, &b);
    }
    memcpy(put, at, len_bytes);
    return vector_finish(&first, &second) + short_sum(at, len_bytes);
}

uint64_t sl_csum_pseudo_v4(sl_be32 src, sl_be32 dst, uint8_t proto, uint16_t l4_len)
{
    return (uint64_t)src + dst + __builtin_bswap16(proto) + __builtin_bswap16(l4_len);
}

uint64_t sl_csum_pseudo_v6(const void *src, const void *dst, uint8_t proto, uint32_t l4_len)
{
    uint64_t sum = sl_csum_add(sl_csum_add(0, src, 16), dst, 16);

    return sum + __builtin_bswap32(l4_len) + __builtin_bswap32(proto);
}

void sl_csum_diff_bytes(struct sl_csum_diff *diff, size_t offset, const void *before, const void *after,
                        size_t len_bytes)
{
    uint16_t gone = sl_csum_fold(sl_csum_add(0, before, len_bytes));
    uint16_t come = sl_csum_fold(sl_csum_add(0, after, len_bytes));
    struct sl_csum_diff part = {(uint16_t)~gone + (uint64_t)come};

    if (offset & 1)
        sl_csum_diff_odd(diff, part);
    else
        diff->sum += part.sum;
}
