// SPDX-License-Identifier: Apache-2.0
// TCP options, ICMP classes, and the packets that ICMP errors quote.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "random.h"
#include "wire/emit.h"
#include "wire/l4.h"

// ---- TCP ------------------------------------------------------------------------------------------------
struct segment {
    uint8_t bytes[60] __attribute__((aligned(2)));
};

static struct segment segment_with(const uint8_t *options, size_t len)
{
    struct segment segment;
    struct sl_emit_tcp tcp = {.sport = 1, .dport = 2, .flags = SL_TCP_SYN, .options = options};

    tcp.options_len = (uint8_t)len;
    sl_emit_tcp(segment.bytes, &tcp);
    return segment;
}

static size_t mss_in(const uint8_t *options, size_t len)
{
    struct segment segment = segment_with(options, len);

    return sl_tcp_find_mss((const struct sl_tcp *)segment.bytes, 20 + len);
}

static void tcp_header_length_is_believed_only_within_bounds(void **state)
{
    struct segment segment = segment_with(NULL, 0);
    struct sl_tcp *tcp = (struct sl_tcp *)segment.bytes;

    assert_int_equal(sl_tcp_header_len(tcp, 20), 20);
    assert_int_equal(sl_tcp_header_len(tcp, 19), 0);
    tcp->data_offset = 4 << 4;
    assert_int_equal(sl_tcp_header_len(tcp, 60), 0);
    tcp->data_offset = 15 << 4;
    assert_int_equal(sl_tcp_header_len(tcp, 60), 60);
    assert_int_equal(sl_tcp_header_len(tcp, 59), 0);
}

static void mss_is_found_among_other_options(void **state)
{
    const uint8_t first[] = {2, 4, 5, 0xb4}, last[] = {1, 1, 4, 2, 3, 3, 7, 1, 2, 4, 5, 0xb4};
    const uint8_t odd[] = {1, 2, 4, 5, 0xb4, 1, 1, 0}, none[] = {1, 1, 4, 2};

    assert_int_equal(mss_in(first, sizeof(first)), 22);
    assert_int_equal(mss_in(last, sizeof(last)), 30);
    assert_int_equal(mss_in(odd, sizeof(odd)), 23);
    assert_int_equal(mss_in(none, sizeof(none)), 0);
    assert_int_equal(mss_in(NULL, 0), 0);
}

static void mss_behind_the_end_of_options_does_not_count(void **state)
{
    const uint8_t behind[] = {0, 2, 4, 5, 0xb4, 0, 0, 0};

    assert_int_equal(mss_in(behind, sizeof(behind)), 0);
}

static void mss_in_malformed_options_is_not_believed(void **state)
{
    static const uint8_t wrong[][4] = {{2, 3, 5, 0xb4}, {2, 5, 5, 0xb4}, {8, 0, 2, 4}, {8, 1, 2, 4},
                                       {8, 5, 2, 4},    {1, 1, 1, 2},    {1, 1, 2, 4}};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(mss_in(wrong[i], 4), 0);
}

static void mss_offset_never_leaves_the_header(void **state)
{
    struct test_random random = test_random_start("mss");

    for (unsigned round = 0; round < 100000; round++) {
        uint8_t options[40];
        size_t len = 4 * test_random_below(&random, 11);
        for (size_t i = 0; i < len; i++)
            options[i] = (uint8_t)test_random_below(&random, 6);
        size_t at = mss_in(options, len);
        assert_true(at == 0 || (at >= 22 && at + 2 <= 20 + len));
        if (at != 0)
            assert_true(options[at - 22] == 2 && options[at - 21] == 4);
    }
}

// ---- ICMP -----------------------------------------------------------------------------------------------
static void icmp_types_are_classed(void **state)
{
    static const uint8_t queries[] = {0, 8, 13, 14, 15, 16, 17, 18}, errors[] = {3, 4, 5, 11, 12};
    static const uint8_t others[] = {1, 2, 9, 10, 19, 30, 31, 32, 40, 43, 253, 255};

    for (size_t i = 0; i < sizeof(queries); i++)
        assert_int_equal(sl_icmp_classify(false, queries[i]), SL_ICMP_QUERY);
    for (size_t i = 0; i < sizeof(errors); i++)
        assert_int_equal(sl_icmp_classify(false, errors[i]), SL_ICMP_ERROR);
    for (size_t i = 0; i < sizeof(others); i++)
        assert_int_equal(sl_icmp_classify(false, others[i]), SL_ICMP_OTHER);
    for (unsigned type = 0; type < 256; type++) {
        enum sl_icmp_class wanted = type >= 1 && type <= 4       ? SL_ICMP_ERROR
                                    : type == 128 || type == 129 ? SL_ICMP_QUERY
                                                                 : SL_ICMP_OTHER;
        assert_int_equal(sl_icmp_classify(true, (uint8_t)type), wanted);
    }
}

struct error {
    uint8_t bytes[256] __attribute__((aligned(2)));
    size_t len;
};

static struct sl_emit_ip quoted_ip(bool v6, uint8_t proto)
{
    struct sl_emit_ip ip = {.proto = proto, .payload_len = 64};

    if (v6) {
        ip.src = (struct sl_ip){.b = {0xfd, [15] = 0x11}};
        ip.dst = (struct sl_ip){.b = {0x20, 0x01, [15] = 0x21}};
    } else {
        ip.src = sl_ip_v4(sl_be32_of(0x0a00000b));
        ip.dst = sl_ip_v4(sl_be32_of(0xc6336415));
    }
    return ip;
}

// An error that quotes a packet of this protocol, cut off behind `l4_bytes` of its transport header.
static struct error error_about(bool v6, uint8_t proto, size_t l4_bytes)
{
    struct error error = {0};
    struct sl_emit_ip ip = quoted_ip(v6, proto);
    uint8_t *l4 =
        sl_emit_ip(sl_emit_icmp(error.bytes, v6 ? SL_ICMP6_UNREACHABLE : SL_ICMP_UNREACHABLE, 1, 0), &ip);

    if (proto == SL_PROTO_TCP)
        sl_emit_tcp(l4, &(struct sl_emit_tcp){.sport = 4000, .dport = 80});
    else if (proto == SL_PROTO_UDP)
        sl_emit_udp(l4, 4000, 80, 56);
    else
        sl_emit_icmp_query(l4, v6 ? SL_ICMP6_ECHO : SL_ICMP_ECHO, 777, 1);
    error.len = (size_t)(l4 - error.bytes) + l4_bytes;
    return error;
}

static uint8_t icmp_proto(bool v6)
{
    return v6 ? SL_PROTO_ICMPV6 : SL_PROTO_ICMP;
}

static void quote_names_the_packet_it_is_about(void **state)
{
    for (unsigned v6 = 0; v6 < 2; v6++) {
        const uint8_t protos[] = {SL_PROTO_TCP, SL_PROTO_UDP};
        struct sl_emit_ip ip = quoted_ip(v6, 0);
        for (size_t i = 0; i < sizeof(protos); i++) {
            struct error error = error_about(v6, protos[i], 8);
            struct sl_quote quote;
            assert_int_equal(sl_icmp_quote(v6, error.bytes, error.len, &quote), SL_WIRE_OK);
            assert_true(sl_ip_equal(&quote.src, &ip.src) && sl_ip_equal(&quote.dst, &ip.dst));
            assert_int_equal(quote.sport, sl_be16_of(4000));
            assert_int_equal(quote.dport, sl_be16_of(80));
            assert_int_equal(quote.proto, protos[i]);
            assert_int_equal(quote.ip_off, 8);
            assert_int_equal(quote.l4_off, v6 ? 48 : 28);
            assert_int_equal(quote.l4_have, 8);
            assert_true(quote.ports);
        }
    }
}

static void quote_of_a_ping_has_its_identifier_in_both_ports(void **state)
{
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct error error = error_about(v6, icmp_proto(v6), 8);
        struct sl_quote quote;
        assert_int_equal(sl_icmp_quote(v6, error.bytes, error.len, &quote), SL_WIRE_OK);
        assert_int_equal(quote.sport, sl_be16_of(777));
        assert_int_equal(quote.dport, sl_be16_of(777));
        assert_true(quote.ports);
    }
}

static void quote_shorter_than_the_rfc_says_is_refused(void **state)
{
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct error error = error_about(v6, SL_PROTO_UDP, 8);
        struct sl_quote quote;
        for (size_t len = 0; len < error.len; len++)
            assert_int_equal(sl_icmp_quote(v6, error.bytes, len, &quote), SL_WIRE_TOO_SHORT);
    }
}

static void quote_of_an_error_is_refused(void **state)
{
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct error error = error_about(v6, icmp_proto(v6), 8);
        struct sl_quote quote;
        error.bytes[error.len - 8] = v6 ? SL_ICMP6_TOO_BIG : SL_ICMP_TIME_EXCEEDED;
        assert_int_equal(sl_icmp_quote(v6, error.bytes, error.len, &quote), SL_WIRE_BAD_L4);
    }
}

static void quote_of_another_family_is_refused(void **state)
{
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct error error = error_about(!v6, SL_PROTO_UDP, 40);
        struct sl_quote quote;
        assert_int_equal(sl_icmp_quote(v6, error.bytes, error.len, &quote), SL_WIRE_BAD_HEADER);
    }
}

static void quote_of_a_later_fragment_has_no_ports(void **state)
{
    struct error error = error_about(false, SL_PROTO_UDP, 8);
    struct sl_ipv4 *ip = (struct sl_ipv4 *)(error.bytes + 8);
    struct sl_quote quote;

    ip->fragment = sl_be16_of(185);
    assert_int_equal(sl_icmp_quote(false, error.bytes, error.len, &quote), SL_WIRE_OK);
    assert_false(quote.ports);
    assert_int_equal(quote.sport, 0);
}

static void quote_of_another_protocol_has_no_ports(void **state)
{
    struct error error = error_about(false, SL_PROTO_UDP, 8);
    struct sl_quote quote;

    ((struct sl_ipv4 *)(error.bytes + 8))->proto = 47;
    assert_int_equal(sl_icmp_quote(false, error.bytes, error.len - 8, &quote), SL_WIRE_OK);
    assert_false(quote.ports);
    assert_int_equal(quote.l4_have, 0);
}

static void quote_ends_where_extensions_begin(void **state)
{
    struct error error = error_about(false, SL_PROTO_UDP, 60);
    struct sl_quote quote;

    error.bytes[5] = 10; // RFC 4884: 40 bytes of the packet, then extensions
    assert_int_equal(sl_icmp_quote(false, error.bytes, error.len, &quote), SL_WIRE_OK);
    assert_int_equal(quote.l4_have, 20);
    error.bytes[5] = 6; // 24 bytes: ports cut off
    assert_int_equal(sl_icmp_quote(false, error.bytes, error.len, &quote), SL_WIRE_TOO_SHORT);
}

static void quote_offsets_never_leave_the_bytes(void **state)
{
    struct test_random random = test_random_start("quote");

    for (unsigned round = 0; round < 100000; round++) {
        bool v6 = round & 1;
        struct error error = error_about(v6, round & 2 ? SL_PROTO_UDP : SL_PROTO_DSTOPTS, 100);
        struct sl_quote quote = {0};
        for (unsigned i = 0; i < 3; i++)
            error.bytes[test_random_below(&random, (uint32_t)error.len)] = (uint8_t)test_random_u64(&random);
        size_t len = test_random_below(&random, (uint32_t)error.len + 1);
        if (sl_icmp_quote(v6, error.bytes, len, &quote) != SL_WIRE_OK)
            continue;
        assert_true(quote.l4_off <= len && quote.l4_off + quote.l4_have <= (int)len);
        assert_true(!quote.ports || quote.l4_have >= 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_header_length_is_believed_only_within_bounds),
        cmocka_unit_test(mss_is_found_among_other_options),
        cmocka_unit_test(mss_behind_the_end_of_options_does_not_count),
        cmocka_unit_test(mss_in_malformed_options_is_not_believed),
        cmocka_unit_test(mss_offset_never_leaves_the_header),
        cmocka_unit_test(icmp_types_are_classed),
        cmocka_unit_test(quote_names_the_packet_it_is_about),
        cmocka_unit_test(quote_of_a_ping_has_its_identifier_in_both_ports),
        cmocka_unit_test(quote_shorter_than_the_rfc_says_is_refused),
        cmocka_unit_test(quote_of_an_error_is_refused),
        cmocka_unit_test(quote_of_another_family_is_refused),
        cmocka_unit_test(quote_of_a_later_fragment_has_no_ports),
        cmocka_unit_test(quote_of_another_protocol_has_no_ports),
        cmocka_unit_test(quote_ends_where_extensions_begin),
        cmocka_unit_test(quote_offsets_never_leave_the_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
