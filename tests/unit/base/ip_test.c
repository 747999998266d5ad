// SPDX-License-Identifier: Apache-2.0
// Addresses and prefixes, beside inet_pton and bit-by-bit references.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include "base/ip.h"
#include "random.h"

static struct sl_ip random_ip(struct test_random *random)
{
    struct sl_ip ip;

    test_random_fill(random, ip.b, sizeof(ip.b));
    if (test_random_below(random, 2))
        return sl_ip_v4(ip.w[0]);
    while (test_random_below(random, 3)) // zeros, so that "::" is written
        ip.b[test_random_below(random, 16)] = 0;
    return ip;
}

static unsigned family_bits(const struct sl_ip *ip)
{
    return sl_ip_is_v4(ip) ? 32 : 128;
}

// Bit i of the address in its own family, from the left.
static bool ip_bit(const struct sl_ip *ip, unsigned i)
{
    unsigned at = sl_ip_is_v4(ip) ? 96 + i : i;

    return ip->b[at / 8] >> (7 - at % 8) & 1;
}

static bool naive_contains(const struct sl_prefix *prefix, const struct sl_ip *ip)
{
    if (sl_ip_is_v4(&prefix->ip) != sl_ip_is_v4(ip))
        return false;
    for (unsigned i = 0; i < prefix->len; i++)
        if (ip_bit(&prefix->ip, i) != ip_bit(ip, i))
            return false;
    return true;
}

static void address_text_round_trips_and_agrees_with_inet_ntop(void **state)
{
    struct test_random random = test_random_start("address");

    for (unsigned round = 0; round < 50000; round++) {
        struct sl_ip ip = random_ip(&random), back;
        char text[SL_IP_TEXT], reference[INET6_ADDRSTRLEN];
        sl_ip_format(&ip, text);
        inet_ntop(sl_ip_is_v4(&ip) ? AF_INET : AF_INET6, sl_ip_is_v4(&ip) ? (void *)&ip.w[3] : (void *)ip.b,
                  reference, sizeof(reference));
        assert_string_equal(text, reference);
        assert_int_equal(sl_ip_parse(text, &back), 0);
        assert_true(sl_ip_equal(&ip, &back));
    }
}

static void address_text_that_is_none_is_refused_and_nothing_is_stored(void **state)
{
    static const char *const wrong[] = {
        "",    "1.2.3",   "1.2.3.4.5", "256.1.1.1",    "1.2.3.4 ", " 1.2.3.4",  "01.2.3.4",
        ":::", "1::2::3", "g::",       "fe80::1%eth0", "12345::",  "1.2.3.4/32"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct sl_ip ip = sl_ip_v4(0x01020304), before = ip;
        assert_int_equal(sl_ip_parse(wrong[i], &ip), -EINVAL);
        assert_true(sl_ip_equal(&ip, &before));
    }
}

static void mapped_address_is_read_as_ipv4(void **state)
{
    struct sl_ip ip;
    char text[SL_IP_TEXT];

    assert_int_equal(sl_ip_parse("::ffff:192.0.2.1", &ip), 0);
    assert_true(sl_ip_is_v4(&ip));
    assert_string_equal(sl_ip_format(&ip, text), "192.0.2.1");
}

static void prefix_text_round_trips(void **state)
{
    struct test_random random = test_random_start("prefix");

    for (unsigned round = 0; round < 50000; round++) {
        struct sl_prefix prefix = {.ip = random_ip(&random)}, back;
        char text[SL_PREFIX_TEXT];
        prefix.len = (uint8_t)test_random_below(&random, family_bits(&prefix.ip) + 1);
        int status = sl_prefix_parse(sl_prefix_format(&prefix, text), &back);
        bool host_bits = false;
        for (unsigned i = prefix.len; i < family_bits(&prefix.ip); i++)
            host_bits = host_bits || ip_bit(&prefix.ip, i);
        assert_int_equal(status, host_bits ? -EDOM : 0);
        assert_int_equal(back.len, prefix.len);
        assert_true(naive_contains(&back, &prefix.ip));
        assert_int_equal(sl_prefix_parse(sl_prefix_format(&back, text), &back), 0);
    }
}

static void prefix_text_errors_are_told_apart(void **state)
{
    struct sl_prefix prefix;

    assert_int_equal(sl_prefix_parse("10.0.0.0/33", &prefix), -ERANGE);
    assert_int_equal(sl_prefix_parse("2001:db8::/129", &prefix), -ERANGE);
    assert_int_equal(sl_prefix_parse("10.0.0.1/24", &prefix), -EDOM);
    assert_int_equal(prefix.ip.b[15], 0);
    static const char *const wrong[] = {"10.0.0.0/",   "10.0.0.0/-1",  "10.0.0.0/+8",  "10.0.0.0/08",
                                        "10.0.0.0/8x", "10.0.0/8",     "/8",           "",
                                        "10.0.0.0/ 8", "10.0.0.0/8/8", "10.0.0.0/1000"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(sl_prefix_parse(wrong[i], &prefix), -EINVAL);
}

static void address_alone_is_a_prefix_of_full_length(void **state)
{
    struct sl_prefix prefix;

    assert_int_equal(sl_prefix_parse("192.0.2.1", &prefix), 0);
    assert_int_equal(prefix.len, 32);
    assert_int_equal(sl_prefix_parse("2001:db8::1", &prefix), 0);
    assert_int_equal(prefix.len, 128);
}

static void containment_agrees_with_comparing_bit_by_bit(void **state)
{
    struct test_random random = test_random_start("contains");

    for (unsigned round = 0; round < 50000; round++) {
        struct sl_ip ip = random_ip(&random);
        struct sl_prefix prefix;
        char text[SL_PREFIX_TEXT];
        unsigned len = test_random_below(&random, family_bits(&ip) + 1);
        snprintf(text, sizeof(text), "%s/%u", sl_ip_format(&ip, (char[SL_IP_TEXT]){0}), len);
        assert_true(sl_prefix_parse(text, &prefix) != -EINVAL);
        unsigned flip =
            sl_ip_is_v4(&ip) ? 12 + test_random_below(&random, 4) : test_random_below(&random, 16);
        ip.b[flip] ^= (uint8_t)(1u << test_random_below(&random, 8));
        assert_int_equal(sl_prefix_contains(&prefix, &ip), naive_contains(&prefix, &ip));
    }
}

static void default_routes_of_both_families_are_told_apart(void **state)
{
    struct sl_prefix v4, v6;
    struct sl_ip ip4 = sl_ip_v4(htonl(0xc0000201)), ip6;

    assert_int_equal(sl_prefix_parse("0.0.0.0/0", &v4), 0);
    assert_int_equal(sl_prefix_parse("::/0", &v6), 0);
    assert_int_equal(sl_ip_parse("2001:db8::1", &ip6), 0);
    assert_true(sl_prefix_contains(&v4, &ip4));
    assert_false(sl_prefix_contains(&v4, &ip6));
    assert_true(sl_prefix_contains(&v6, &ip6));
    assert_false(sl_prefix_contains(&v6, &ip4));
    assert_true(sl_prefix_compare(&v4, &v6) < 0);
}

static int sign(int n)
{
    return (n > 0) - (n < 0);
}

static void order_is_total_and_by_family_address_length(void **state)
{
    struct test_random random = test_random_start("order");
    struct sl_prefix p[3];

    for (unsigned round = 0; round < 50000; round++) {
        for (unsigned i = 0; i < 3; i++) {
            p[i] = (struct sl_prefix){.ip = random_ip(&random)};
            if (i > 0 && test_random_below(&random, 2))
                p[i].ip = p[0].ip;
            p[i].len = (uint8_t)test_random_below(&random, 33);
        }
        assert_int_equal(sign(sl_prefix_compare(&p[0], &p[1])), -sign(sl_prefix_compare(&p[1], &p[0])));
        if (sl_prefix_compare(&p[0], &p[1]) <= 0 && sl_prefix_compare(&p[1], &p[2]) <= 0)
            assert_true(sl_prefix_compare(&p[0], &p[2]) <= 0);
        if (sl_ip_is_v4(&p[0].ip) && !sl_ip_is_v4(&p[1].ip))
            assert_true(sl_prefix_compare(&p[0], &p[1]) < 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_text_round_trips_and_agrees_with_inet_ntop),
        cmocka_unit_test(address_text_that_is_none_is_refused_and_nothing_is_stored),
        cmocka_unit_test(mapped_address_is_read_as_ipv4),
        cmocka_unit_test(prefix_text_round_trips),
        cmocka_unit_test(prefix_text_errors_are_told_apart),
        cmocka_unit_test(address_alone_is_a_prefix_of_full_length),
        cmocka_unit_test(containment_agrees_with_comparing_bit_by_bit),
        cmocka_unit_test(default_routes_of_both_families_are_told_apart),
        cmocka_unit_test(order_is_total_and_by_family_address_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
