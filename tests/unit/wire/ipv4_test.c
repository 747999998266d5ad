// SPDX-License-Identifier: Apache-2.0
// The IPv4 header parser: what it reads, and every lie that it refuses.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "random.h"
#include "wire/emit.h"
#include "wire/ipv4.h"
#include "wire/l4.h"

struct sample {
    uint8_t bytes[128] __attribute__((aligned(2)));
    size_t len;
};

static struct sl_ipv4 *header_of(struct sample *sample)
{
    return (struct sl_ipv4 *)sample->bytes;
}

static struct sample sample_udp(void)
{
    struct sample sample = {.len = 60};
    struct sl_emit_ip ip = {.src = sl_ip_v4(sl_be32_of(0x0a00000b)),
                            .dst = sl_ip_v4(sl_be32_of(0xc6336415)),
                            .proto = SL_PROTO_UDP,
                            .payload_len = 40,
                            .tos = 0x2e,
                            .ttl = 17,
                            .dont_fragment = true};

    sl_emit_udp(sl_emit_ipv4(sample.bytes, &ip), 4000, 53, 32);
    return sample;
}

static void checksum_again(struct sample *sample)
{
    struct sl_ipv4 *ip = header_of(sample);
    size_t len = (size_t)(ip->version_ihl & 15) * 4;

    ip->checksum = 0;
    ip->checksum = sl_csum_ipv4_header(ip, len > sizeof(sample->bytes) ? 20 : len);
}

static enum sl_wire_verdict verdict_of(struct sample *sample)
{
    struct sl_ip_view view = {0};

    checksum_again(sample);
    return sl_ipv4_view(sample->bytes, sample->len, sample->len, &view);
}

// The sample with options, padded to words, between header and payload.
static struct sample sample_options(const uint8_t *options, size_t len)
{
    struct sample sample = sample_udp();
    struct sl_ipv4 *ip = header_of(&sample);

    memmove(sample.bytes + 20 + len, sample.bytes + 20, 40);
    memcpy(sample.bytes + 20, options, len);
    sample.len += len;
    ip->version_ihl = (uint8_t)(0x45 + len / 4);
    ip->total_len = sl_be16_of((uint16_t)sample.len);
    checksum_again(&sample);
    return sample;
}

static void ipv4_header_is_read(void **state)
{
    struct sample sample = sample_udp();
    struct sl_ip_view view = {0};

    assert_int_equal(sl_ipv4_view(sample.bytes, sample.len, sample.len, &view), SL_WIRE_OK);
    assert_int_equal(view.total_len, 60);
    assert_int_equal(view.l4_off, 20);
    assert_int_equal(view.proto, SL_PROTO_UDP);
    assert_int_equal(view.tos, 0x2e);
    assert_int_equal(view.ttl, 17);
    assert_true(view.dont_fragment);
    assert_false(view.options);
    assert_false(sl_ip_view_fragment(&view));
}

static void ipv4_padding_behind_the_packet_is_no_part_of_it(void **state)
{
    struct sample sample = sample_udp();
    struct sl_ip_view view = {0};

    assert_int_equal(sl_ipv4_view(sample.bytes, sample.len + 6, sample.len + 6, &view), SL_WIRE_OK);
    assert_int_equal(view.total_len, 60);
}

static void ipv4_cut_off_anywhere_is_too_short(void **state)
{
    struct sample sample = sample_udp();
    struct sl_ip_view view = {0};

    for (size_t len = 0; len < sample.len; len++)
        assert_int_equal(sl_ipv4_view(sample.bytes, len, len, &view), SL_WIRE_TOO_SHORT);
}

static void ipv4_payload_in_later_segments_is_no_lie(void **state)
{
    struct sample sample = sample_udp();
    struct sl_ip_view view = {0};

    assert_int_equal(sl_ipv4_view(sample.bytes, 20, sample.len, &view), SL_WIRE_OK);
    assert_int_equal(sl_ipv4_view(sample.bytes, 19, sample.len, &view), SL_WIRE_TOO_SHORT);
}

static void ipv4_other_versions_and_short_headers_are_refused(void **state)
{
    for (unsigned first = 0; first < 256; first++) {
        struct sample sample = sample_udp();
        header_of(&sample)->version_ihl = (uint8_t)first;
        bool legal = first >= 0x45 && first <= 0x4f;
        assert_int_equal(verdict_of(&sample) == SL_WIRE_BAD_HEADER, !legal);
    }
}

static void ipv4_that_ends_inside_its_header_is_refused(void **state)
{
    struct sample sample = sample_udp();

    header_of(&sample)->total_len = sl_be16_of(19);
    assert_int_equal(verdict_of(&sample), SL_WIRE_BAD_HEADER);
    header_of(&sample)->total_len = sl_be16_of(20);
    assert_int_equal(verdict_of(&sample), SL_WIRE_OK);
}

static void ipv4_wrong_checksum_is_refused_whatever_bit_is_flipped(void **state)
{
    struct sl_ip_view view = {0};

    for (unsigned bit = 8; bit < 160; bit++) { // the first byte has verdicts of its own
        struct sample sample = sample_udp();
        sample.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum sl_wire_verdict verdict = sl_ipv4_view(sample.bytes, sample.len, sample.len, &view);
        bool length = bit / 8 == 2 || bit / 8 == 3;
        assert_true(verdict == SL_WIRE_BAD_CHECKSUM || (length && verdict != SL_WIRE_OK));
    }
}

static void ipv4_options_are_accepted_and_noted(void **state)
{
    const uint8_t router_alert[] = {0x94, 4, 0, 0, 1, 1, 0, 0xff};
    struct sample sample = sample_options(router_alert, sizeof(router_alert));
    struct sl_ip_view view = {0};

    assert_int_equal(sl_ipv4_view(sample.bytes, sample.len, sample.len, &view), SL_WIRE_OK);
    assert_true(view.options);
    assert_int_equal(view.l4_off, 28);
}

static void ipv4_source_routes_are_refused(void **state)
{
    const uint8_t loose[] = {1, 131, 7, 4, 10, 0, 0, 1}, strict[] = {137, 7, 4, 10, 0, 0, 1, 0};
    struct sample sample = sample_options(loose, sizeof(loose));

    assert_int_equal(verdict_of(&sample), SL_WIRE_SOURCE_ROUTE);
    sample = sample_options(strict, sizeof(strict));
    assert_int_equal(verdict_of(&sample), SL_WIRE_SOURCE_ROUTE);
}

static void ipv4_options_that_overrun_the_header_or_stand_still_are_refused(void **state)
{
    const uint8_t overrun[] = {7, 5, 0, 0}, still[] = {7, 0, 0, 0}, one[] = {7, 1, 0, 0},
                  cut[] = {1, 1, 1, 7};
    struct sample sample = sample_options(overrun, 4);

    assert_int_equal(verdict_of(&sample), SL_WIRE_BAD_OPTION);
    sample = sample_options(still, 4);
    assert_int_equal(verdict_of(&sample), SL_WIRE_BAD_OPTION);
    sample = sample_options(one, 4);
    assert_int_equal(verdict_of(&sample), SL_WIRE_BAD_OPTION);
    sample = sample_options(cut, 4);
    assert_int_equal(verdict_of(&sample), SL_WIRE_BAD_OPTION);
}

static enum sl_wire_verdict fragment_verdict(uint16_t fragment, struct sl_ip_view *view)
{
    struct sample sample = sample_udp();

    header_of(&sample)->fragment = sl_be16_of(fragment);
    checksum_again(&sample);
    return sl_ipv4_view(sample.bytes, sample.len, sample.len, view);
}

static void ipv4_fragments_are_told_apart(void **state)
{
    struct sl_ip_view view = {0};

    assert_int_equal(fragment_verdict(SL_IPV4_MF, &view), SL_WIRE_OK);
    assert_true(view.more_fragments && view.fragment_off == 0);
    assert_int_equal(fragment_verdict(185, &view), SL_WIRE_OK);
    assert_true(!view.more_fragments && view.fragment_off == 1480);
}

static void ipv4_fragment_behind_the_largest_datagram_is_refused(void **state)
{
    struct sl_ip_view view = {0};

    assert_int_equal(fragment_verdict(8186, &view), SL_WIRE_OK);           // 65488 + 40 = 65528
    assert_int_equal(fragment_verdict(8187, &view), SL_WIRE_BAD_FRAGMENT); // 65536
}

static void ipv4_fragment_off_the_grid_is_refused(void **state)
{
    struct sample sample = sample_udp();

    header_of(&sample)->fragment = sl_be16_of(SL_IPV4_MF);
    header_of(&sample)->total_len = sl_be16_of(59);
    assert_int_equal(verdict_of(&sample), SL_WIRE_BAD_FRAGMENT);
    header_of(&sample)->total_len = sl_be16_of(20);
    assert_int_equal(verdict_of(&sample), SL_WIRE_BAD_FRAGMENT);
}

static void ipv4_quoted_header_needs_neither_checksum_nor_payload(void **state)
{
    struct sample sample = sample_udp();
    struct sl_ip_view view = {0};

    header_of(&sample)->checksum ^= 0x1111;
    assert_int_equal(sl_ipv4_view_quoted(sample.bytes, 28, &view), SL_WIRE_OK);
    assert_int_equal(view.l4_off, 20);
    assert_int_equal(sl_ipv4_view_quoted(sample.bytes, 19, &view), SL_WIRE_TOO_SHORT);
    header_of(&sample)->version_ihl = 0x46;
    assert_int_equal(sl_ipv4_view_quoted(sample.bytes, 23, &view), SL_WIRE_TOO_SHORT);
    header_of(&sample)->version_ihl = 0x65;
    assert_int_equal(sl_ipv4_view_quoted(sample.bytes, 28, &view), SL_WIRE_BAD_HEADER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ipv4_header_is_read),
        cmocka_unit_test(ipv4_padding_behind_the_packet_is_no_part_of_it),
        cmocka_unit_test(ipv4_cut_off_anywhere_is_too_short),
        cmocka_unit_test(ipv4_payload_in_later_segments_is_no_lie),
        cmocka_unit_test(ipv4_other_versions_and_short_headers_are_refused),
        cmocka_unit_test(ipv4_that_ends_inside_its_header_is_refused),
        cmocka_unit_test(ipv4_wrong_checksum_is_refused_whatever_bit_is_flipped),
        cmocka_unit_test(ipv4_options_are_accepted_and_noted),
        cmocka_unit_test(ipv4_source_routes_are_refused),
        cmocka_unit_test(ipv4_options_that_overrun_the_header_or_stand_still_are_refused),
        cmocka_unit_test(ipv4_fragments_are_told_apart),
        cmocka_unit_test(ipv4_fragment_behind_the_largest_datagram_is_refused),
        cmocka_unit_test(ipv4_fragment_off_the_grid_is_refused),
        cmocka_unit_test(ipv4_quoted_header_needs_neither_checksum_nor_payload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
