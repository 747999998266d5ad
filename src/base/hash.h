// SPDX-License-Identifier: Apache-2.0
// A fast 64-bit hash for tables that strangers fill: session keys, addresses, short byte strings. It
// multiplies secret-masked words into 128 bits and folds the halves (the idea of Yi's wyhash, 2019). Not a
// MAC: it resists flooding of a table by who does not know the seed, and the seed never leaves the process.
// Pure; any thread.
#ifndef SL_BASE_HASH_H
#define SL_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "base/ip.h"

struct sl_flow_key; // 36 bytes: src, dst, sport, dport (shm/layout.h, which asserts its size)

struct sl_hash_seed { // random words, drawn once when the process starts; the same for all its workers
    uint64_t k[6];
};

// Spreads 128 bits of entropy over a seed. Equal input gives equal seeds (tests); a daemon draws it from the
// kernel.
void sl_hash_seed_init(struct sl_hash_seed *seed, uint64_t entropy0, uint64_t entropy1);

static inline uint64_t sl_hash_fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t sl_hash_load64(const void *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

static inline uint32_t sl_hash_load32(const void *at)
{
    uint32_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

// Of a flow key and its protocol; depends on the direction. The two addresses are mixed side by side, then
// met by the ports: three multiplications deep, of which a burst hides most.
static inline uint64_t sl_hash_key(const struct sl_hash_seed *seed, const struct sl_flow_key *key,
                                   uint8_t proto)
{
    const uint8_t *b = (const uint8_t *)key;
    uint64_t src = sl_hash_fold(sl_hash_load64(b) ^ seed->k[0], sl_hash_load64(b + 8) ^ seed->k[1]);
    uint64_t dst = sl_hash_fold(sl_hash_load64(b + 16) ^ seed->k[2], sl_hash_load64(b + 24) ^ seed->k[3]);
    uint64_t rest = (uint64_t)proto << 32 | sl_hash_load32(b + 32);

    return sl_hash_fold(sl_hash_fold(src ^ rest, dst ^ seed->k[4]), seed->k[5]);
}

// Of an address of either family.
static inline uint64_t sl_hash_ip(const struct sl_hash_seed *seed, const struct sl_ip *ip)
{
    uint64_t high = sl_hash_load64(ip), low = sl_hash_load64((const uint8_t *)ip + 8);

    return sl_hash_fold(sl_hash_fold(high ^ seed->k[0], low ^ seed->k[1]), seed->k[5]);
}

// Of an IPv4 address (network byte order) and one more word, such as a port and a protocol; 0 where there is
// none.
static inline uint64_t sl_hash_v4(const struct sl_hash_seed *seed, sl_be32 addr, uint32_t more)
{
    return sl_hash_fold(sl_hash_fold(((uint64_t)more << 32 | addr) ^ seed->k[0], seed->k[1]), seed->k[5]);
}

// Of any bytes.
uint64_t sl_hash_bytes(const struct sl_hash_seed *seed, const void *bytes, size_t len_bytes);

// Maps a hash to 0..n-1 without a division, evenly (Lemire, "Fast random integer generation in an interval",
// 2019). Uses the upper half, so tables that take the lower bits as an index stay independent of it.
static inline uint32_t sl_hash_scale(uint64_t hash, uint32_t n)
{
    return (uint32_t)(((hash >> 32) * n) >> 32);
}

#endif
