// SPDX-License-Identifier: Apache-2.0
// Emitted headers: byte for byte where a packet is known, and read back by the parsers beside them.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "random.h"
#include "wire/emit.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/l4.h"

struct buffer {
    uint8_t bytes[1600] __attribute__((aligned(2)));
};

static void ethernet_and_arp_stand_as_the_rfc_says(void **state)
{
    static const uint8_t wanted[42] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0,  1, 8, 6,
                                       0,    1,    8,    0,    6,    4,    0, 1, 2, 0, 0,  0, 0, 1,
                                       10,   0,    0,    1,    0,    0,    0, 0, 0, 0, 10, 0, 0, 11};
    const uint8_t mac[6] = {2, 0, 0, 0, 0, 1}, all[6] = {255, 255, 255, 255, 255, 255}, none[6] = {0};
    struct buffer buffer;

    uint8_t *arp = sl_emit_eth(buffer.bytes, all, mac, SL_ETHERTYPE_ARP);
    uint8_t *end = sl_emit_arp(arp, 1, mac, sl_be32_of(0x0a000001), none, sl_be32_of(0x0a00000b));
    assert_int_equal(end - buffer.bytes, 42);
    assert_memory_equal(buffer.bytes, wanted, 42);
}

// The well-known example: a header whose checksum is b1e6 (RFC 1071 by hand).
static void ipv4_header_is_written_with_its_checksum(void **state)
{
    static const uint8_t wanted[20] = {0x45, 0,    0,   0x3c, 0x1c, 0x46, 0x40, 0,  0x40, 6,
                                       0xb1, 0xe6, 172, 16,   10,   99,   172,  16, 10,   12};
    struct buffer buffer;
    struct sl_emit_ip ip = {.src = sl_ip_v4(sl_be32_of(0xac100a63)),
                            .dst = sl_ip_v4(sl_be32_of(0xac100a0c)),
                            .payload_len = 40,
                            .id = 0x1c46,
                            .proto = SL_PROTO_TCP,
                            .dont_fragment = true};

    assert_int_equal(sl_emit_ipv4(buffer.bytes, &ip) - buffer.bytes, 20);
    assert_memory_equal(buffer.bytes, wanted, 20);
}

static struct sl_emit_ip random_ip(struct test_random *random, bool v6)
{
    struct sl_emit_ip ip = {.tos = (uint8_t)test_random_u64(random),
                            .ttl = 1 + (uint8_t)test_random_below(random, 255)};

    if (v6) {
        test_random_fill(random, ip.src.b, 16);
        test_random_fill(random, ip.dst.b, 16);
        ip.src.b[0] |= 0x20; // never a mapped address
    } else {
        ip.src = sl_ip_v4((uint32_t)test_random_u64(random));
        ip.dst = sl_ip_v4((uint32_t)test_random_u64(random));
        ip.dont_fragment = test_random_below(random, 2);
        ip.id = (uint16_t)test_random_u64(random);
    }
    return ip;
}

// A whole packet of random kind and payload; returns its length.
static size_t random_packet(struct test_random *random, uint8_t *at, struct sl_emit_ip *ip, bool v6)
{
    static const uint8_t kinds[] = {SL_PROTO_TCP, SL_PROTO_UDP, SL_PROTO_ICMP};
    uint16_t payload = (uint16_t)test_random_below(random, 1400);
    uint8_t kind = kinds[test_random_below(random, 3)], *l4, *end;

    ip->proto = kind == SL_PROTO_ICMP && v6 ? SL_PROTO_ICMPV6 : kind;
    ip->payload_len = (uint16_t)(payload + (kind == SL_PROTO_TCP ? 20 : 8));
    l4 = sl_emit_ip(at, ip);
    if (kind == SL_PROTO_TCP)
        end = sl_emit_tcp(l4, &(struct sl_emit_tcp){.sport = 1, .dport = 2, .seq = 3, .ack = 4, .window = 5});
    else if (kind == SL_PROTO_UDP)
        end = sl_emit_udp(l4, 1, 2, payload);
    else
        end = sl_emit_icmp_query(l4, v6 ? SL_ICMP6_ECHO : SL_ICMP_ECHO, 7, 8);
    test_random_fill(random, end, payload);
    sl_emit_l4_checksum(at);
    return (size_t)(end - at) + payload;
}

static void emitted_packets_are_read_back(void **state)
{
    struct test_random random = test_random_start("emit");
    struct buffer buffer;

    for (unsigned round = 0; round < 5000; round++) {
        bool v6 = round & 1;
        struct sl_emit_ip ip = random_ip(&random, v6);
        struct sl_ip_view view = {0};
        size_t len = random_packet(&random, buffer.bytes, &ip, v6);
        assert_int_equal(v6 ? sl_ipv6_view(buffer.bytes, len, len, &view)
                            : sl_ipv4_view(buffer.bytes, len, len, &view),
                         SL_WIRE_OK);
        assert_int_equal(view.total_len, len);
        assert_int_equal(view.proto, ip.proto);
        assert_int_equal(view.tos, ip.tos);
        assert_int_equal(view.ttl, ip.ttl);
        assert_int_equal(view.dont_fragment, v6 || ip.dont_fragment);
        assert_int_equal(len - view.l4_off, ip.payload_len);
    }
}

// The reference sums pseudo header and message 16 bits at a time (RFC 1071 section 4.1).
static uint32_t naive_add(uint32_t sum, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
    return sum;
}

static uint16_t naive_l4(const uint8_t *ip, size_t len, bool v6, uint8_t proto)
{
    size_t header = v6 ? 40 : 20;
    uint32_t sum = naive_add(0, ip + header, len - header);

    if (proto != SL_PROTO_ICMP)
        sum = naive_add(sum + proto + (uint32_t)(len - header), ip + (v6 ? 8 : 12), v6 ? 32 : 8);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static void transport_checksums_agree_with_the_naive_sum(void **state)
{
    struct test_random random = test_random_start("l4");
    struct buffer buffer;

    for (unsigned round = 0; round < 5000; round++) {
        bool v6 = round & 1;
        struct sl_emit_ip ip = random_ip(&random, v6);
        size_t len = random_packet(&random, buffer.bytes, &ip, v6);
        assert_int_equal(naive_l4(buffer.bytes, len, v6, ip.proto), 0xffff);
        assert_true(sl_check_l4_checksum(buffer.bytes));
        buffer.bytes[(v6 ? 40 : 20) + test_random_below(&random, 6)] ^=
            0x20; // neither checksum field is there
        assert_false(sl_check_l4_checksum(buffer.bytes));
    }
}

static void absent_udp_checksum_is_right_for_ipv4_alone(void **state)
{
    struct test_random random = test_random_start("absent");
    struct buffer buffer;

    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct sl_emit_ip ip = random_ip(&random, v6);
        ip.proto = SL_PROTO_UDP;
        ip.payload_len = 8;
        sl_emit_udp(sl_emit_ip(buffer.bytes, &ip), 1, 2, 0);
        assert_int_equal(sl_check_l4_checksum(buffer.bytes), !v6);
    }
}

static void tcp_options_follow_the_header(void **state)
{
    const uint8_t options[] = {2, 4, 5, 0xb4, 1, 1, 4, 2};
    struct buffer buffer;
    struct sl_emit_tcp tcp = {
        .sport = 1, .dport = 2, .flags = SL_TCP_SYN, .options = options, .options_len = 8};
    const struct sl_tcp *header = (const struct sl_tcp *)buffer.bytes;

    assert_int_equal(sl_emit_tcp(buffer.bytes, &tcp) - buffer.bytes, 28);
    assert_int_equal(sl_tcp_header_len(header, 28), 28);
    assert_int_equal(sl_tcp_find_mss(header, 28), 22);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ethernet_and_arp_stand_as_the_rfc_says),
        cmocka_unit_test(ipv4_header_is_written_with_its_checksum),
        cmocka_unit_test(emitted_packets_are_read_back),
        cmocka_unit_test(transport_checksums_agree_with_the_naive_sum),
        cmocka_unit_test(absent_udp_checksum_is_right_for_ipv4_alone),
        cmocka_unit_test(tcp_options_follow_the_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
