// SPDX-License-Identifier: Apache-2.0
// The keyed hash: every input bit moves about half of the output bits, buckets fill evenly even for keys that are
// alike, and nothing is the same under another seed.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/hash.h"
#include "random.h"
#include "shm/layout.h"

#define BUCKETS 4096u

static struct sl_hash_seed seed_of(uint64_t entropy)
{
    struct sl_hash_seed seed;

    sl_hash_seed_init(&seed, entropy, ~entropy);
    return seed;
}

static struct sl_flow_key key_v4(uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport)
{
    struct sl_flow_key key = {.sport = __builtin_bswap16(sport), .dport = __builtin_bswap16(dport)};

    key.src = sl_ip_v4(__builtin_bswap32(src));
    key.dst = sl_ip_v4(__builtin_bswap32(dst));
    return key;
}

static void hash_of_a_key_depends_on_every_byte_of_it_and_on_the_protocol(void **state)
{
    struct sl_hash_seed seed = seed_of(1);
    struct sl_flow_key key = key_v4(0x0a00000b, 0xc6336415, 4000, 80);
    uint64_t before = sl_hash_key(&seed, &key, 6);

    for (size_t i = 0; i < sizeof(key); i++) {
        struct sl_flow_key changed = key;
        ((uint8_t *)&changed)[i] ^= 1;
        assert_int_not_equal(sl_hash_key(&seed, &changed, 6), before);
    }
    assert_int_not_equal(sl_hash_key(&seed, &key, 17), before);
    assert_int_equal(sl_hash_key(&seed, &key, 6), before);
}

static void hash_of_a_key_depends_on_the_direction(void **state)
{
    struct sl_hash_seed seed = seed_of(2);
    struct sl_flow_key there = key_v4(0x0a00000b, 0xc6336415, 4000, 80);
    struct sl_flow_key back = key_v4(0xc6336415, 0x0a00000b, 80, 4000);

    assert_int_not_equal(sl_hash_key(&seed, &there, 6), sl_hash_key(&seed, &back, 6));
}

static void hash_is_another_under_another_seed(void **state)
{
    struct sl_flow_key key = key_v4(0x0a00000b, 0xc6336415, 4000, 80);
    struct sl_ip ip = sl_ip_v4(0x0b00000a);
    struct sl_hash_seed one = seed_of(3), two = seed_of(4);

    assert_int_not_equal(sl_hash_key(&one, &key, 6), sl_hash_key(&two, &key, 6));
    assert_int_not_equal(sl_hash_ip(&one, &ip), sl_hash_ip(&two, &ip));
    assert_int_not_equal(sl_hash_v4(&one, 1, 2), sl_hash_v4(&two, 1, 2));
    assert_int_not_equal(sl_hash_bytes(&one, "abc", 3), sl_hash_bytes(&two, "abc", 3));
}

// Share of keys, in thousandths, for which flipping one input bit flips this output bit.
static void flips_are_about_half(const unsigned flips[64], unsigned rounds, unsigned input_bit)
{
    for (unsigned bit = 0; bit < 64; bit++) {
        unsigned share = flips[bit] * 1000 / rounds;
        if (share < 400 || share > 600)
            fail_msg("input bit %u flips output bit %u in %u of 1000 keys", input_bit, bit, share);
    }
}

static void hash_of_a_key_avalanches(void **state)
{
    struct test_random random = test_random_start("avalanche");
    enum { ROUNDS = 2000 };

    for (unsigned input = 0; input < sizeof(struct sl_flow_key) * 8; input++) {
        unsigned flips[64] = {0};
        for (unsigned round = 0; round < ROUNDS; round++) {
            struct sl_hash_seed seed = seed_of(test_random_u64(&random));
            struct sl_flow_key key =
                key_v4((uint32_t)test_random_u64(&random), (uint32_t)test_random_u64(&random),
                       (uint16_t)test_random_u64(&random), 80);
            uint64_t before = sl_hash_key(&seed, &key, 6);
            ((uint8_t *)&key)[input / 8] ^= (uint8_t)(1u << input % 8);
            uint64_t changed = before ^ sl_hash_key(&seed, &key, 6);
            for (unsigned bit = 0; bit < 64; bit++)
                flips[bit] += changed >> bit & 1;
        }
        flips_are_about_half(flips, ROUNDS, input);
    }
}

// Chi-square over 4095 degrees of freedom: mean 4095, standard deviation 90. Six of them is a margin that only a bad
// hash leaves.
static void buckets_are_even(const uint32_t count[BUCKETS], uint32_t keys, const char *what)
{
    double expected = (double)keys / BUCKETS, chi = 0;

    for (unsigned i = 0; i < BUCKETS; i++)
        chi += (count[i] - expected) * (count[i] - expected) / expected;
    if (chi > 4095 + 6 * 90 || chi < 4095 - 6 * 90)
        fail_msg("%s: chi-square %.0f over 4095 degrees of freedom", what, chi);
}

enum pick { LOWER_BITS, UPPER_BITS, SCALED };

static uint32_t bucket_of(uint64_t hash, enum pick pick)
{
    if (pick == SCALED)
        return sl_hash_scale(hash, BUCKETS);
    return (uint32_t)(pick == LOWER_BITS ? hash : hash >> 52) % BUCKETS;
}

static void hash_spreads_neighboring_ports_and_addresses(void **state)
{
    static const char *const names[] = {"lower bits", "upper bits", "scaled"};

    for (unsigned pick = LOWER_BITS; pick <= SCALED; pick++) {
        uint32_t ports[BUCKETS] = {0}, hosts[BUCKETS] = {0}, inside[BUCKETS] = {0};
        struct sl_hash_seed seed = seed_of(77 + pick);
        for (uint32_t i = 0; i < 64 * BUCKETS; i++) {
            struct sl_flow_key by_port = key_v4(0x0a00000b + (i >> 16), 0xc6336415, (uint16_t)i, 80);
            struct sl_flow_key by_host = key_v4(0x0a000000 + i, 0xc6336415, 4000, 80);
            ports[bucket_of(sl_hash_key(&seed, &by_port, 6), pick)]++;
            hosts[bucket_of(sl_hash_key(&seed, &by_host, 6), pick)]++;
            inside[bucket_of(sl_hash_v4(&seed, __builtin_bswap32(0x0a000000 + i), 0), pick)]++;
        }
        buckets_are_even(ports, 64 * BUCKETS, names[pick]);
        buckets_are_even(hosts, 64 * BUCKETS, names[pick]);
        buckets_are_even(inside, 64 * BUCKETS, names[pick]);
    }
}

static void hash_of_bytes_tells_lengths_and_zeros_apart(void **state)
{
    struct sl_hash_seed seed = seed_of(5);
    const uint8_t zeros[64] = {0};
    uint64_t seen[65];

    for (size_t len = 0; len <= 64; len++) {
        seen[len] = sl_hash_bytes(&seed, zeros, len);
        for (size_t shorter = 0; shorter < len; shorter++)
            assert_int_not_equal(seen[len], seen[shorter]);
    }
}

static void hash_of_bytes_depends_on_every_byte(void **state)
{
    struct test_random random = test_random_start("bytes");
    struct sl_hash_seed seed = seed_of(6);
    uint8_t bytes[50];

    for (size_t len = 1; len <= sizeof(bytes); len++) {
        test_random_fill(&random, bytes, sizeof(bytes));
        uint64_t before = sl_hash_bytes(&seed, bytes, len);
        for (size_t i = 0; i < len; i++) {
            bytes[i] ^= 0x80;
            assert_int_not_equal(sl_hash_bytes(&seed, bytes, len), before);
            bytes[i] ^= 0x80;
        }
        assert_int_equal(sl_hash_bytes(&seed, bytes, len), before);
    }
}

static void scaled_hash_stays_below_its_bound(void **state)
{
    struct test_random random = test_random_start("scale");

    for (unsigned round = 0; round < 10000; round++) {
        uint32_t n = 1 + test_random_below(&random, 1000);
        assert_true(sl_hash_scale(test_random_u64(&random), n) < n);
    }
    assert_int_equal(sl_hash_scale(UINT64_MAX, 3), 2);
    assert_int_equal(sl_hash_scale(0, 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_of_a_key_depends_on_every_byte_of_it_and_on_the_protocol),
        cmocka_unit_test(hash_of_a_key_depends_on_the_direction),
        cmocka_unit_test(hash_is_another_under_another_seed),
        cmocka_unit_test(hash_of_a_key_avalanches),
        cmocka_unit_test(hash_spreads_neighboring_ports_and_addresses),
        cmocka_unit_test(hash_of_bytes_tells_lengths_and_zeros_apart),
        cmocka_unit_test(hash_of_bytes_depends_on_every_byte),
        cmocka_unit_test(scaled_hash_stays_below_its_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
