// SPDX-License-Identifier: Apache-2.0
// Checksums beside a naive one (16 bits at a time, as RFC 1071 section 4.1 words it), and incremental updates beside
// full recomputation.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "random.h"
#include "wire/checksum.h"

#define ROUNDS 20000u

static sl_be16 naive_checksum(const uint8_t *bytes, size_t len)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < len; i++) {
        sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return __builtin_bswap16((uint16_t)~sum);
}

// Random bytes, or many zeros or ones, where carries and the two zeros of ones' complement hide.
static void fill(struct test_random *random, uint8_t *bytes, size_t len)
{
    uint32_t kind = test_random_below(random, 4);

    if (kind == 0)
        memset(bytes, 0xff, len);
    else if (kind == 1)
        memset(bytes, 0, len);
    else
        test_random_fill(random, bytes, len);
    if (kind < 2 && len > 0 && test_random_below(random, 2))
        bytes[test_random_below(random, (uint32_t)len)] = (uint8_t)test_random_u64(random);
}

static void sum_agrees_with_the_naive_one_at_any_length_and_alignment(void **state)
{
    struct test_random random = test_random_start("sum");
    uint8_t bytes[1600];

    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t offset = test_random_below(&random, 9);
        size_t len = test_random_below(&random, round % 10 ? 80 : 1500);
        fill(&random, bytes + offset, len);
        assert_int_equal(sl_csum_finish(sl_csum_add(0, bytes + offset, len)),
                         naive_checksum(bytes + offset, len));
    }
}

// Every length from none to past several strides of the vector loop, at every place relative to a cache line.
static void sum_agrees_with_the_naive_one_at_every_length_and_place(void **state)
{
    struct test_random random = test_random_start("every length");
    uint8_t bytes[64 + 400];

    for (size_t offset = 0; offset < 64; offset++)
        for (size_t len = 0; len <= 400; len++) {
            fill(&random, bytes + offset, len);
            assert_int_equal(sl_csum_finish(sl_csum_add(0, bytes + offset, len)),
                             naive_checksum(bytes + offset, len));
        }
}

// The most that a length of IP allows, all carries: no lane of the sum may run over.
static void sum_of_the_longest_message_of_ones_loses_no_carry(void **state)
{
    static uint8_t bytes[65536];

    memset(bytes, 0xff, sizeof(bytes));
    for (size_t len = sizeof(bytes) - 130; len <= sizeof(bytes); len++) {
        assert_int_equal(sl_csum_finish(sl_csum_add(0, bytes, len)), naive_checksum(bytes, len));
        assert_int_equal(sl_csum_fold(sl_csum_add(UINT32_MAX, bytes, len)),
                         sl_csum_fold(sl_csum_add(0, bytes, len)));
    }
}

static void copying_sum_copies_what_it_sums_and_touches_nothing_else(void **state)
{
    struct test_random random = test_random_start("copy");
    uint8_t from[1600], to[1600 + 64];

    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t offset = test_random_below(&random, 64), at = 1 + test_random_below(&random, 62);
        size_t len = test_random_below(&random, round % 10 ? 260 : 1500);

        fill(&random, from + offset, len);
        memset(to, 0x5a, sizeof(to));
        assert_int_equal(sl_csum_finish(sl_csum_copy(to + at, from + offset, len)),
                         naive_checksum(from + offset, len));
        assert_memory_equal(to + at, from + offset, len);
        assert_int_equal(to[at - 1], 0x5a);
        assert_int_equal(to[at + len], 0x5a);
    }
}

static void sum_of_pieces_is_the_sum_of_the_whole(void **state)
{
    struct test_random random = test_random_start("pieces");
    uint8_t bytes[200];

    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t len = 1 + test_random_below(&random, sizeof(bytes) - 1);
        size_t cut = test_random_below(&random, (uint32_t)len + 1);
        fill(&random, bytes, len);
        uint64_t sum = sl_csum_add(0, bytes, cut);
        sum =
            cut % 2 ? sl_csum_add_odd(sum, bytes + cut, len - cut) : sl_csum_add(sum, bytes + cut, len - cut);
        assert_int_equal(sl_csum_finish(sum), naive_checksum(bytes, len));
    }
}

static void ipv4_header_with_its_checksum_sums_to_zero(void **state)
{
    struct test_random random = test_random_start("header");

    for (unsigned round = 0; round < ROUNDS; round++) {
        uint8_t header[60];
        size_t len = 20 + 4 * test_random_below(&random, 11);
        fill(&random, header, len);
        header[0] = 0x45;
        memset(header + 10, 0, 2);
        sl_be16 checksum = sl_csum_ipv4_header(header, len);
        assert_int_equal(checksum, naive_checksum(header, len));
        memcpy(header + 10, &checksum, 2);
        assert_int_equal(sl_csum_ipv4_header(header, len), 0);
        header[test_random_below(&random, (uint32_t)len)] ^= 0x10;
        assert_int_not_equal(sl_csum_ipv4_header(header, len), 0);
    }
}

static void pseudo_headers_weigh_as_their_bytes(void **state)
{
    struct test_random random = test_random_start("pseudo");

    for (unsigned round = 0; round < ROUNDS; round++) {
        uint8_t v4[12] = {0}, v6[40] = {0};
        uint16_t len = (uint16_t)test_random_u64(&random);
        sl_be16 wire_len = __builtin_bswap16(len);
        sl_be32 src, dst;
        test_random_fill(&random, v4, 8);
        test_random_fill(&random, v6, 32);
        v4[9] = v6[39] = (uint8_t)test_random_u64(&random);
        memcpy(v4 + 10, &wire_len, 2);
        memcpy(v6 + 34, &wire_len, 2);
        memcpy(&src, v4, 4);
        memcpy(&dst, v4 + 4, 4);
        assert_int_equal(sl_csum_finish(sl_csum_pseudo_v4(src, dst, v4[9], len)), naive_checksum(v4, 12));
        assert_int_equal(sl_csum_finish(sl_csum_pseudo_v6(v6, v6 + 16, v6[39], len)), naive_checksum(v6, 40));
    }
}

// A message whose checksum field is at offset 0, right to begin with.
static size_t random_message(struct test_random *random, uint8_t bytes[128])
{
    size_t len = 64 + test_random_below(random, 64);

    fill(random, bytes, len);
    bytes[2] |= 1; // never all zeros: that message's checksum has two forms, and no packet is one
    memset(bytes, 0, 2);
    sl_be16 checksum = naive_checksum(bytes, len);
    memcpy(bytes, &checksum, 2);
    return len;
}

static sl_be16 recomputed(const uint8_t *message, size_t len)
{
    uint8_t copy[128];

    memcpy(copy, message, len);
    memset(copy, 0, 2);
    return naive_checksum(copy, len);
}

// Changes `len_bytes` at `offset` in the message and notes it in the diff by the function for that size.
static void change(struct test_random *random, uint8_t *message, size_t offset, size_t len_bytes,
                   struct sl_csum_diff *diff)
{
    uint8_t before[16], after[16];
    uint32_t old32, new32;
    uint16_t old16, new16;

    memcpy(before, message + offset, len_bytes);
    fill(random, after, len_bytes);
    memcpy(&old32, before, 4);
    memcpy(&new32, after, 4);
    memcpy(&old16, before, 2);
    memcpy(&new16, after, 2);
    if (offset % 2 || len_bytes % 2)
        sl_csum_diff_bytes(diff, offset, before, after, len_bytes);
    else if (len_bytes == 2)
        sl_csum_diff_16(diff, old16, new16);
    else if (len_bytes == 4)
        sl_csum_diff_32(diff, old32, new32);
    else
        sl_csum_diff_128(diff, before, after);
    memcpy(message + offset, after, len_bytes);
}

static void patched_checksum_agrees_with_recomputing(void **state)
{
    struct test_random random = test_random_start("patch");
    static const uint8_t sizes[] = {2, 4, 16};
    uint8_t message[128];
    sl_be16 checksum;

    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t len = random_message(&random, message);
        struct sl_csum_diff diff = {0};
        unsigned changes = 1 + test_random_below(&random, 5);
        for (unsigned i = 0; i < changes; i++)
            change(&random, message, 4 + 2 * test_random_below(&random, 20),
                   sizes[test_random_below(&random, 3)], &diff);
        memcpy(&checksum, message, 2);
        sl_csum_patch(&checksum, diff);
        assert_int_equal(checksum, recomputed(message, len));
    }
}

static void fields_at_odd_offsets_are_patched_too(void **state)
{
    struct test_random random = test_random_start("odd");
    uint8_t message[128];
    sl_be16 checksum;

    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t len = random_message(&random, message);
        struct sl_csum_diff diff = {0};
        for (unsigned i = 0; i < 3; i++)
            change(&random, message, 5 + 2 * test_random_below(&random, 20),
                   1 + test_random_below(&random, 16), &diff);
        memcpy(&checksum, message, 2);
        sl_csum_patch(&checksum, diff);
        assert_int_equal(checksum, recomputed(message, len));
    }
}

static void odd_part_of_a_diff_is_swapped(void **state)
{
    struct test_random random = test_random_start("odd part");
    uint8_t message[128];
    sl_be16 checksum;

    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t len = random_message(&random, message);
        struct sl_csum_diff diff = {0}, part = {0};
        uint32_t before, after = (uint32_t)test_random_u64(&random);
        memcpy(&before, message + 11, 4);
        memcpy(message + 11, &after, 4);
        sl_csum_diff_32(&part, before, after);
        sl_csum_diff_odd(&diff, part);
        memcpy(&checksum, message, 2);
        sl_csum_patch(&checksum, diff);
        assert_int_equal(checksum, recomputed(message, len));
    }
}

static void corrupted_message_stays_corrupted(void **state)
{
    struct test_random random = test_random_start("corrupt");
    uint8_t message[128];
    sl_be16 checksum;

    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t len = random_message(&random, message);
        struct sl_csum_diff diff = {0};
        message[50] ^= 0x04;
        change(&random, message, 4, 4, &diff);
        memcpy(&checksum, message, 2);
        sl_csum_patch(&checksum, diff);
        assert_int_not_equal(checksum, recomputed(message, len));
    }
}

static void mapped_ipv4_addresses_weigh_as_their_four_bytes(void **state)
{
    struct sl_ip before = sl_ip_v4(0x0b00000a), after = sl_ip_v4(0x641433c6);
    struct sl_csum_diff whole = {0}, word = {0};
    sl_be16 a = 0x1234, b = 0x1234;

    sl_csum_diff_128(&whole, &before, &after);
    sl_csum_diff_32(&word, before.w[3], after.w[3]);
    sl_csum_patch(&a, whole);
    sl_csum_patch(&b, word);
    assert_int_equal(a, b);
}

static void udp_without_a_checksum_stays_without(void **state)
{
    struct sl_csum_diff diff = {0};
    sl_be16 checksum = 0;

    sl_csum_diff_32(&diff, 1, 2);
    sl_csum_patch_udp(&checksum, diff);
    assert_int_equal(checksum, 0);
}

static void udp_checksum_never_becomes_zero(void **state)
{
    sl_be16 udp = 0xfffe, other = 0xfffe; // ~1: the sum of the rest is 1
    struct sl_csum_diff diff = {0};

    sl_csum_diff_16(&diff, 1, 0xffff); // now it is 0xffff, whose complement is 0
    sl_csum_patch_udp(&udp, diff);
    sl_csum_patch(&other, diff);
    assert_int_equal(other, 0);
    assert_int_equal(udp, 0xffff);
    assert_int_equal(sl_csum_finish(0xffff), 0);
    assert_int_equal(sl_csum_finish_udp(0xffff), 0xffff);
}

// The example of RFC 1624 section 4, where the older equation of RFC 1141 gives the wrong zero.
static void example_of_rfc_1624(void **state)
{
    sl_be16 checksum = __builtin_bswap16(0xdd2f);
    struct sl_csum_diff diff = {0};

    sl_csum_diff_16(&diff, __builtin_bswap16(0x5555), __builtin_bswap16(0x3285));
    sl_csum_patch(&checksum, diff);
    assert_int_equal(checksum, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sum_agrees_with_the_naive_one_at_any_length_and_alignment),
        cmocka_unit_test(sum_agrees_with_the_naive_one_at_every_length_and_place),
        cmocka_unit_test(sum_of_the_longest_message_of_ones_loses_no_carry),
        cmocka_unit_test(copying_sum_copies_what_it_sums_and_touches_nothing_else),
        cmocka_unit_test(sum_of_pieces_is_the_sum_of_the_whole),
        cmocka_unit_test(ipv4_header_with_its_checksum_sums_to_zero),
        cmocka_unit_test(pseudo_headers_weigh_as_their_bytes),
        cmocka_unit_test(patched_checksum_agrees_with_recomputing),
        cmocka_unit_test(fields_at_odd_offsets_are_patched_too),
        cmocka_unit_test(odd_part_of_a_diff_is_swapped),
        cmocka_unit_test(corrupted_message_stays_corrupted),
        cmocka_unit_test(mapped_ipv4_addresses_weigh_as_their_four_bytes),
        cmocka_unit_test(udp_without_a_checksum_stays_without),
        cmocka_unit_test(udp_checksum_never_becomes_zero),
        cmocka_unit_test(example_of_rfc_1624),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
