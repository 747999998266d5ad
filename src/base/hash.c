// SPDX-License-Identifier: Apache-2.0
// The parts of the hash that are not worth inlining: spreading a seed, hashing byte strings. Pure; any
// thread.
#include "base/hash.h"

// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
static uint64_t seed_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void sl_hash_seed_init(struct sl_hash_seed *seed, uint64_t entropy0, uint64_t entropy1)
{
    for (unsigned i = 0; i < 6; i++) {
        uint64_t word = seed_next(&entropy0) ^ seed_next(&entropy1) << 1;
        seed->k[i] = word | 1; // odd: multiplying by it loses no bit
    }
}

uint64_t sl_hash_bytes(const struct sl_hash_seed *seed, const void *bytes, size_t len_bytes)
{
    const uint8_t *at = (const uint8_t *)bytes;
    uint64_t hash = seed->k[4] ^ len_bytes;
    size_t left = len_bytes;

    for (; left >= 16; left -= 16, at += 16)
        hash = sl_hash_fold(sl_hash_load64(at) ^ seed->k[0], sl_hash_load64(at + 8) ^ seed->k[1] ^ hash);

    uint8_t tail[16] = {0}; // the length is in the hash already, so zeros at the end do not collide
    if (left > 0)
        memcpy(tail, at, left);
    hash = sl_hash_fold(sl_hash_load64(tail) ^ seed->k[2], sl_hash_load64(tail + 8) ^ seed->k[3] ^ hash);
    return sl_hash_fold(hash, seed->k[5]);
}
