// SPDX-License-Identifier: Apache-2.0
// The IPv6 header parser and its walk over extension headers: what it reads, and every lie that it refuses.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "random.h"
#include "wire/emit.h"
#include "wire/ipv6.h"

struct sample {
    uint8_t bytes[512] __attribute__((aligned(2)));
    size_t len;
};

static struct sample sample_start(void)
{
    struct sample sample = {.len = sizeof(struct sl_ipv6)};
    struct sl_emit_ip ip = {.src = {.b = {0xfd, [15] = 0x11}},
                            .dst = {.b = {0x20, 1, 0x0d, 0xb8, [15] = 0x21}}};

    ip.tos = 0xb8;
    ip.ttl = 33;
    sl_emit_ipv6(sample.bytes, &ip);
    return sample;
}

// Where the type of the header behind the last one stands. Kept as an offset: samples are copied.
static void append(struct sample *sample, size_t *type_at, uint8_t type, const void *bytes, size_t len)
{
    sample->bytes[*type_at] = type;
    memcpy(sample->bytes + sample->len, bytes, len);
    *type_at = sample->len;
    sample->len += len;
    ((struct sl_ipv6 *)sample->bytes)->payload_len =
        sl_be16_of((uint16_t)(sample->len - sizeof(struct sl_ipv6)));
}

static const uint8_t options8[8] = {0, 0, 1, 4};
static const uint8_t options16[16] = {0, 1, 1, 12};
static const uint8_t routing2[8] = {0, 0, 2, 0};
static const uint8_t udp[16] = {0x0f, 0xa0, 0, 53, 0, 16};

enum { NEXT_AT = 6 };

static enum sl_wire_verdict view_of(const struct sample *sample, struct sl_ip_view *view)
{
    return sl_ipv6_view(sample->bytes, sample->len, sample->len, view);
}

static void ipv6_header_is_read(void **state)
{
    struct sample sample = sample_start();
    struct sl_ip_view view = {0};
    size_t type_at = NEXT_AT;

    append(&sample, &type_at, SL_PROTO_UDP, udp, 16);
    assert_int_equal(view_of(&sample, &view), SL_WIRE_OK);
    assert_int_equal(view.total_len, 56);
    assert_int_equal(view.l4_off, 40);
    assert_int_equal(view.proto, SL_PROTO_UDP);
    assert_int_equal(view.tos, 0xb8);
    assert_int_equal(view.ttl, 33);
    assert_false(view.options);
}

static void ipv6_extension_headers_are_walked(void **state)
{
    struct sample sample = sample_start();
    struct sl_ip_view view = {0};
    size_t type_at = NEXT_AT;

    append(&sample, &type_at, SL_PROTO_HOPOPT, options16, 16);
    append(&sample, &type_at, SL_PROTO_DSTOPTS, options8, 8);
    append(&sample, &type_at, SL_PROTO_ROUTING, routing2, 8);
    append(&sample, &type_at, SL_PROTO_UDP, udp, 16);
    assert_int_equal(view_of(&sample, &view), SL_WIRE_OK);
    assert_true(view.options);
    assert_int_equal(view.proto, SL_PROTO_UDP);
    assert_int_equal(view.l4_off, 72);
}

static void ipv6_walk_ends_at_what_cannot_be_walked(void **state)
{
    static const uint8_t ends[] = {SL_PROTO_ESP, SL_PROTO_AH, SL_PROTO_NONE, 132};

    for (size_t i = 0; i < sizeof(ends); i++) {
        struct sample sample = sample_start();
        struct sl_ip_view view = {0};
        size_t type_at = NEXT_AT;
        append(&sample, &type_at, ends[i], options8, 8);
        assert_int_equal(view_of(&sample, &view), SL_WIRE_OK);
        assert_int_equal(view.proto, ends[i]);
        assert_int_equal(view.l4_off, 40);
    }
}

static void ipv6_cut_off_anywhere_is_refused(void **state)
{
    struct sample sample = sample_start();
    struct sl_ip_view view = {0};
    size_t type_at = NEXT_AT;

    append(&sample, &type_at, SL_PROTO_HOPOPT, options16, 16);
    append(&sample, &type_at, SL_PROTO_UDP, udp, 16);
    for (size_t len = 0; len < sample.len; len++)
        assert_int_equal(sl_ipv6_view(sample.bytes, len, len, &view), SL_WIRE_TOO_SHORT);
    for (size_t have = 0; have < 56; have++) // headers beyond the first segment
        assert_int_equal(sl_ipv6_view(sample.bytes, have, sample.len, &view), SL_WIRE_TOO_SHORT);
    assert_int_equal(sl_ipv6_view(sample.bytes, 56, sample.len, &view), SL_WIRE_OK);
}

static void ipv6_other_versions_are_refused(void **state)
{
    for (unsigned version = 0; version < 16; version++) {
        struct sample sample = sample_start();
        struct sl_ip_view view = {0};
        size_t type_at = NEXT_AT;
        append(&sample, &type_at, SL_PROTO_UDP, udp, 16);
        sample.bytes[0] = (uint8_t)(version << 4);
        assert_int_equal(view_of(&sample, &view), version == 6 ? SL_WIRE_OK : SL_WIRE_BAD_HEADER);
    }
}

static void ipv6_longer_than_16_bits_can_count_is_refused(void **state)
{
    struct sample sample = sample_start();
    struct sl_ip_view view = {0};

    ((struct sl_ipv6 *)sample.bytes)->payload_len = 0xffff;
    assert_int_equal(sl_ipv6_view(sample.bytes, sample.len, 70000, &view), SL_WIRE_BAD_HEADER);
}

static void ipv6_extension_header_that_leads_out_is_refused(void **state)
{
    struct sample sample = sample_start();
    struct sl_ip_view view = {0};
    size_t type_at = NEXT_AT;
    const uint8_t liar[8] = {0, 2, 1, 4};

    append(&sample, &type_at, SL_PROTO_DSTOPTS, liar, 8);
    append(&sample, &type_at, SL_PROTO_UDP, udp, 8);
    assert_int_equal(view_of(&sample, &view), SL_WIRE_BAD_OPTION);
}

static void ipv6_payload_of_nothing_but_a_promise_is_refused(void **state)
{
    struct sample sample = sample_start();
    struct sl_ip_view view = {0};

    sample.bytes[NEXT_AT] = SL_PROTO_HOPOPT; // as a jumbogram would: payload length 0
    assert_int_equal(view_of(&sample, &view), SL_WIRE_BAD_OPTION);
}

static void ipv6_hop_by_hop_options_stand_first_or_not_at_all(void **state)
{
    struct sample sample = sample_start();
    struct sl_ip_view view = {0};
    size_t type_at = NEXT_AT;

    append(&sample, &type_at, SL_PROTO_DSTOPTS, options8, 8);
    append(&sample, &type_at, SL_PROTO_HOPOPT, options8, 8);
    append(&sample, &type_at, SL_PROTO_UDP, udp, 16);
    assert_int_equal(view_of(&sample, &view), SL_WIRE_BAD_OPTION);
}

static void ipv6_more_than_eight_extension_headers_are_refused(void **state)
{
    for (unsigned count = SL_IPV6_EXTENSIONS_MAX; count <= SL_IPV6_EXTENSIONS_MAX + 1; count++) {
        struct sample sample = sample_start();
        struct sl_ip_view view = {0};
        size_t type_at = NEXT_AT;
        for (unsigned i = 0; i < count; i++)
            append(&sample, &type_at, SL_PROTO_DSTOPTS, options8, 8);
        append(&sample, &type_at, SL_PROTO_UDP, udp, 16);
        assert_int_equal(view_of(&sample, &view),
                         count > SL_IPV6_EXTENSIONS_MAX ? SL_WIRE_BAD_OPTION : SL_WIRE_OK);
    }
}

static void ipv6_routing_header_type_0_is_refused(void **state)
{
    struct sample sample = sample_start();
    struct sl_ip_view view = {0};
    size_t type_at = NEXT_AT;
    const uint8_t type0[8] = {0, 0, 0, 0};

    append(&sample, &type_at, SL_PROTO_ROUTING, type0, 8);
    append(&sample, &type_at, SL_PROTO_UDP, udp, 16);
    assert_int_equal(view_of(&sample, &view), SL_WIRE_SOURCE_ROUTE);
}

static struct sample sample_fragment(uint16_t offset, bool more, size_t data)
{
    struct sample sample = sample_start();
    uint8_t header[8] __attribute__((aligned(2)));
    const uint8_t zeros[64] = {0};
    size_t type_at = NEXT_AT;

    sl_emit_ipv6_fragment(header, 0, offset, more, 7);
    append(&sample, &type_at, SL_PROTO_FRAGMENT, header, 8);
    append(&sample, &type_at, SL_PROTO_UDP, zeros, data);
    return sample;
}

static void ipv6_fragments_are_told_apart(void **state)
{
    struct sample sample = sample_fragment(0, true, 16);
    struct sl_ip_view view = {0};

    assert_int_equal(view_of(&sample, &view), SL_WIRE_OK);
    assert_int_equal(view.fragment_header, 40);
    assert_int_equal(view.l4_off, 48);
    assert_true(view.more_fragments && view.fragment_off == 0);
    sample = sample_fragment(1448, false, 13);
    assert_int_equal(view_of(&sample, &view), SL_WIRE_OK);
    assert_true(!view.more_fragments && view.fragment_off == 1448);
    sample = sample_fragment(0, false, 13); // atomic (RFC 6946): whole
    assert_int_equal(view_of(&sample, &view), SL_WIRE_OK);
    assert_false(sl_ip_view_fragment(&view));
}

static void ipv6_data_of_a_later_fragment_is_not_walked(void **state)
{
    struct sample sample = sample_fragment(1448, true, 16);
    struct sl_ip_view view = {0};

    sample.bytes[40] = SL_PROTO_DSTOPTS; // its zeros would be a header of 8 bytes
    assert_int_equal(view_of(&sample, &view), SL_WIRE_OK);
    assert_int_equal(view.l4_off, 48);
    assert_int_equal(view.proto, SL_PROTO_DSTOPTS);
}

static void ipv6_fragments_that_cannot_be_are_refused(void **state)
{
    struct sample sample = sample_fragment(65528, false, 8);
    struct sl_ip_view view = {0};

    assert_int_equal(view_of(&sample, &view), SL_WIRE_BAD_FRAGMENT);
    sample = sample_fragment(65520, false, 15);
    assert_int_equal(view_of(&sample, &view), SL_WIRE_OK);
    sample = sample_fragment(8, true, 9);
    assert_int_equal(view_of(&sample, &view), SL_WIRE_BAD_FRAGMENT);
    sample = sample_fragment(8, true, 0);
    assert_int_equal(view_of(&sample, &view), SL_WIRE_BAD_FRAGMENT);
}

static void ipv6_fragment_within_a_fragment_is_refused(void **state)
{
    struct sample sample = sample_start();
    struct sl_ip_view view = {0};
    uint8_t header[8] __attribute__((aligned(2)));
    size_t type_at = NEXT_AT;

    sl_emit_ipv6_fragment(header, 0, 0, true, 7);
    append(&sample, &type_at, SL_PROTO_FRAGMENT, header, 8);
    append(&sample, &type_at, SL_PROTO_FRAGMENT, header, 8);
    append(&sample, &type_at, SL_PROTO_UDP, udp, 16);
    assert_int_equal(view_of(&sample, &view), SL_WIRE_BAD_OPTION);
}

static void ipv6_quoted_header_needs_no_payload(void **state)
{
    struct sample sample = sample_start();
    struct sl_ip_view view = {0};
    size_t type_at = NEXT_AT;

    append(&sample, &type_at, SL_PROTO_HOPOPT, options8, 8);
    append(&sample, &type_at, SL_PROTO_UDP, udp, 16);
    assert_int_equal(sl_ipv6_view_quoted(sample.bytes, 48, &view), SL_WIRE_OK);
    assert_int_equal(view.l4_off, 48);
    assert_int_equal(sl_ipv6_view_quoted(sample.bytes, 47, &view), SL_WIRE_BAD_OPTION);
    assert_int_equal(sl_ipv6_view_quoted(sample.bytes, 39, &view), SL_WIRE_TOO_SHORT);
    sample.bytes[0] = 0x45;
    assert_int_equal(sl_ipv6_view_quoted(sample.bytes, 64, &view), SL_WIRE_BAD_HEADER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ipv6_header_is_read),
        cmocka_unit_test(ipv6_extension_headers_are_walked),
        cmocka_unit_test(ipv6_walk_ends_at_what_cannot_be_walked),
        cmocka_unit_test(ipv6_cut_off_anywhere_is_refused),
        cmocka_unit_test(ipv6_other_versions_are_refused),
        cmocka_unit_test(ipv6_longer_than_16_bits_can_count_is_refused),
        cmocka_unit_test(ipv6_extension_header_that_leads_out_is_refused),
        cmocka_unit_test(ipv6_payload_of_nothing_but_a_promise_is_refused),
        cmocka_unit_test(ipv6_hop_by_hop_options_stand_first_or_not_at_all),
        cmocka_unit_test(ipv6_more_than_eight_extension_headers_are_refused),
        cmocka_unit_test(ipv6_routing_header_type_0_is_refused),
        cmocka_unit_test(ipv6_fragments_are_told_apart),
        cmocka_unit_test(ipv6_data_of_a_later_fragment_is_not_walked),
        cmocka_unit_test(ipv6_fragments_that_cannot_be_are_refused),
        cmocka_unit_test(ipv6_fragment_within_a_fragment_is_refused),
        cmocka_unit_test(ipv6_quoted_header_needs_no_payload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
