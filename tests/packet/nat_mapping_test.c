// SPDX-License-Identifier: Apache-2.0
// NAT44 of UDP as RFC 4787 wants it, requirement by requirement.
#include "harness_nat.h"

static struct harness_nat *gateway(enum sl_nat_filtering filtering)
{
    struct harness_nat *n = harness_nat_new(256);
    harness_nat_pool(n, "wan", "198.51.100.100", 4, 4, filtering);
    harness_nat_source(n, "10.0.0.0/24", NAT_WAN, 0);
    harness_nat_ready(n);
    return n;
}

static bool in_pool(sl_be32 addr)
{
    return sl_host32(addr) - sl_host32(ip4("198.51.100.100")) < 4;
}

// An answer or a stranger's packet from outside to `to`; what came out on the LAN.
static struct rte_mbuf *from_outside(struct harness_nat *n, const char *src, uint16_t sport,
                                     const struct ends *to)
{
    char dst[SL_IP_TEXT];
    struct sl_ip ip = sl_ip_v4(to->src);
    return harness_nat_through(
        n, NAT_WAN, harness_udp(NAT_WAN, src, sl_ip_format(&ip, dst), sport, to->sport, 32), NAT_LAN);
}

static void nat_translates_both_ways(void **state)
{
    struct harness_nat *n = gateway(SL_NAT_FILTER_ADDRESS_PORT);
    struct ends out = harness_nat_udp(n, "10.0.0.11", 4000, "198.51.100.21", 5353);
    assert_true(in_pool(out.src));
    assert_int_equal(out.dst, ip4("198.51.100.21"));
    assert_int_equal(out.dport, 5353);
    struct ends in = harness_nat_ends(from_outside(n, "198.51.100.21", 5353, &out));
    assert_int_equal(in.src, ip4("198.51.100.21"));
    assert_int_equal(in.sport, 5353);
    assert_int_equal(in.dst, ip4("10.0.0.11"));
    assert_int_equal(in.dport, 4000);
    harness_expect_no_drop(n->h);
    harness_nat_free(n);
}

// REQ-1: the same inside endpoint is the same outside endpoint to everyone.
static void rfc4787_req1_nat_reuses_the_mapping_for_another_destination(void **state)
{
    struct harness_nat *n = gateway(SL_NAT_FILTER_ENDPOINT_INDEPENDENT);
    struct ends first = harness_nat_udp(n, "10.0.0.11", 4000, "198.51.100.21", 53);
    struct ends second = harness_nat_udp(n, "10.0.0.11", 4000, "192.0.2.7", 9999);
    assert_int_equal(first.src, second.src);
    assert_int_equal(first.sport, second.sport);
    assert_int_equal(harness_counted(n->h, SL_COUNTER_nat_mapping_created), 1);
    assert_int_equal(harness_nat_flows(n), 2);
    harness_nat_free(n);
}

// REQ-2: all of a subscriber's sessions have one outside address.
static void rfc4787_req2_nat_pairs_a_subscriber_with_one_address(void **state)
{
    struct harness_nat *n = gateway(SL_NAT_FILTER_ENDPOINT_INDEPENDENT);
    sl_be32 address = harness_nat_udp(n, "10.0.0.11", 1, "198.51.100.21", 53).src;
    for (uint16_t port = 2; port < 150; port++) // three blocks of 64
        assert_int_equal(harness_nat_udp(n, "10.0.0.11", port, "198.51.100.21", 53).src, address);
    assert_int_equal(harness_counted(n->h, SL_COUNTER_nat_block_allocated), 3);
    harness_nat_free(n);
}

// REQ-3: no two inside endpoints share an outside endpoint.
static void rfc4787_req3_nat_never_gives_a_port_twice(void **state)
{
    struct harness_nat *n = gateway(SL_NAT_FILTER_ENDPOINT_INDEPENDENT);
    static uint8_t seen[4][65536];
    memset(seen, 0, sizeof(seen));
    for (uint16_t i = 0; i < 200; i++) {
        struct ends out =
            harness_nat_udp(n, i % 2 ? "10.0.0.11" : "10.0.0.12", 7000 + i / 2, "198.51.100.21", 53);
        uint32_t at = sl_host32(out.src) - sl_host32(ip4("198.51.100.100"));
        assert_true(at < 4 && out.sport >= SL_NAT_FIRST_PORT);
        assert_int_equal(seen[at][out.sport]++, 0);
    }
    harness_nat_free(n);
}

// REQ-4: an even port stays even, an odd one odd.
static void rfc4787_req4_nat_keeps_port_parity(void **state)
{
    struct harness_nat *n = gateway(SL_NAT_FILTER_ENDPOINT_INDEPENDENT);
    for (uint16_t i = 0; i < 32;
         i++) { // all even ports of one block, most of which collide in their low six bits
        struct ends out =
            harness_nat_udp(n, "10.0.0.11", 2000 + 64 * (i % 8) + 2 * (i / 8), "198.51.100.21", 53);
        assert_int_equal(out.sport % 2, 0);
    }
    assert_int_equal(harness_nat_udp(n, "10.0.0.11", 5001, "198.51.100.21", 53).sport % 2, 1);
    harness_nat_free(n);
}

// REQ-5 and REQ-6: a mapping lives five minutes after its last packet, outbound ones refresh it.
static void rfc4787_req5_req6_nat_expires_a_mapping_that_is_not_refreshed(void **state)
{
    struct harness_nat *n = gateway(SL_NAT_FILTER_ENDPOINT_INDEPENDENT);
    struct ends first = harness_nat_udp(n, "10.0.0.11", 4000, "198.51.100.21", 5353);
    for (int minute = 0; minute < 12; minute += 4) {
        harness_advance_ms(n->h, 240 * 1000);
        harness_nat_tick(n);
        struct ends again = harness_nat_udp(n, "10.0.0.11", 4000, "198.51.100.21", 5353);
        assert_int_equal(again.sport, first.sport);
    }
    assert_int_equal(harness_counted(n->h, SL_COUNTER_nat_mapping_created), 1);
    harness_advance_ms(n->h, 299 * 1000);
    harness_nat_tick(n);
    assert_int_equal(harness_nat_flows(n), 1);
    harness_advance_ms(n->h, 2 * 1000);
    harness_nat_tick(n);
    assert_int_equal(harness_nat_flows(n), 0);
    assert_int_equal(harness_counted(n->h, SL_COUNTER_flow_expired), 1);
    assert_int_equal(harness_counted(n->h, SL_COUNTER_nat_block_released), 1);
    assert_null(from_outside(n, "198.51.100.21", 5353, &first));
    harness_expect_drop(n->h, nat_no_mapping);
    harness_nat_free(n);
}

// REQ-5a: a DNS query and its answer need no five minutes.
static void rfc4787_req5a_nat_expires_dns_sooner(void **state)
{
    struct harness_nat *n = gateway(SL_NAT_FILTER_ENDPOINT_INDEPENDENT);
    harness_nat_udp(n, "10.0.0.11", 4000, "198.51.100.21", 53);
    harness_advance_ms(n->h, 29 * 1000);
    harness_nat_tick(n);
    assert_int_equal(harness_nat_flows(n), 1);
    harness_advance_ms(n->h, 2 * 1000);
    harness_nat_tick(n);
    assert_int_equal(harness_nat_flows(n), 0);
    harness_nat_free(n);
}

// REQ-8: endpoint-independent filtering lets anyone in through a mapping.
static void rfc4787_req8_endpoint_independent_filtering_lets_strangers_in(void **state)
{
    struct harness_nat *n = gateway(SL_NAT_FILTER_ENDPOINT_INDEPENDENT);
    struct ends out = harness_nat_udp(n, "10.0.0.11", 4000, "198.51.100.21", 5353);
    struct ends in = harness_nat_ends(from_outside(n, "192.0.2.99", 7, &out));
    assert_int_equal(in.dst, ip4("10.0.0.11"));
    assert_int_equal(in.dport, 4000);
    struct ends answer = harness_nat_udp(n, "10.0.0.11", 4000, "192.0.2.99", 7);
    assert_int_equal(answer.src, out.src);
    assert_int_equal(answer.sport, out.sport);
    assert_int_equal(harness_nat_flows(n), 2); // the answer went by the stranger's flow
    harness_nat_free(n);
}

static void rfc4787_req8_address_dependent_filtering_asks_for_the_address(void **state)
{
    struct harness_nat *n = gateway(SL_NAT_FILTER_ADDRESS);
    struct ends out = harness_nat_udp(n, "10.0.0.11", 4000, "198.51.100.21", 5353);
    assert_null(from_outside(n, "198.51.100.22", 5353, &out));
    harness_expect_drop(n->h, nat_filtered);
    struct ends in =
        harness_nat_ends(from_outside(n, "198.51.100.21", 9, &out)); // another port of the same host
    assert_int_equal(in.dst, ip4("10.0.0.11"));
    harness_expect_no_drop(n->h);
    harness_nat_free(n);
}

static void rfc4787_req8_address_and_port_dependent_filtering_asks_for_both(void **state)
{
    struct harness_nat *n = gateway(SL_NAT_FILTER_ADDRESS_PORT);
    struct ends out = harness_nat_udp(n, "10.0.0.11", 4000, "198.51.100.21", 5353);
    assert_null(from_outside(n, "198.51.100.21", 9, &out));
    harness_expect_drop(n->h, nat_filtered);
    rte_pktmbuf_free(from_outside(n, "198.51.100.21", 5353, &out));
    harness_expect_no_drop(n->h);
    harness_nat_free(n);
}

// REQ-14: fragments are put together, in whatever order they come, and translated as a whole.
static void rfc4787_req14_nat_translates_fragments_out_of_order(void **state)
{
    struct harness_nat *n = gateway(SL_NAT_FILTER_ENDPOINT_INDEPENDENT);
    struct rte_mbuf *whole = harness_udp(NAT_LAN, "10.0.0.11", "198.51.100.21", 4000, 5353, 1000);
    struct rte_mbuf *part[2];
    for (int i = 0; i < 2; i++) {
        part[i] = harness_frame(rte_pktmbuf_mtod(whole, void *), 34);
        struct sl_ipv4 *ip = harness_ipv4_of(part[i]);
        uint16_t from = i ? 512 : 0, len = i ? 1008 - 512 : 512;
        ip->total_len = sl_be16_of((uint16_t)(20 + len));
        ip->id = sl_be16_of(77);
        ip->fragment = sl_be16_of((uint16_t)(i ? from / 8 : SL_IPV4_MF));
        ip->checksum = 0;
        ip->checksum = sl_csum_ipv4_header(ip, 20);
        memcpy(rte_pktmbuf_append(part[i], len), rte_pktmbuf_mtod_offset(whole, uint8_t *, 34 + from), len);
    }
    rte_pktmbuf_free(whole);
    assert_null(harness_nat_through(n, NAT_LAN, part[1], NAT_WAN));
    struct rte_mbuf *out = harness_nat_through(n, NAT_LAN, part[0], NAT_WAN);
    assert_non_null(out);
    assert_int_equal(out->pkt_len, 14 + 20 + 8 + 1000);
    assert_true(in_pool(harness_nat_ends(out).src));
    harness_expect_no_drop(n->h);
    harness_nat_free(n);
}

// RFC 768: a sender that computes no checksum is not given one.
static void udp_without_checksum_stays_without(void **state)
{
    struct harness_nat *n = gateway(SL_NAT_FILTER_ENDPOINT_INDEPENDENT);
    struct rte_mbuf *frame = harness_udp(NAT_LAN, "10.0.0.11", "198.51.100.21", 4000, 5353, 10);
    ((struct sl_udp *)harness_l4_of(frame))->checksum = 0;
    struct rte_mbuf *out = harness_nat_through(n, NAT_LAN, frame, NAT_WAN);
    assert_int_equal(((struct sl_udp *)harness_l4_of(out))->checksum, 0);
    rte_pktmbuf_free(out);
    harness_nat_free(n);
}

// A corrupted packet must not be mended on its way.
static void wrong_checksum_stays_wrong(void **state)
{
    struct harness_nat *n = gateway(SL_NAT_FILTER_ENDPOINT_INDEPENDENT);
    struct rte_mbuf *frame = harness_udp(NAT_LAN, "10.0.0.11", "198.51.100.21", 4000, 5353, 10);
    ((struct sl_udp *)harness_l4_of(frame))->checksum ^= 0x0100;
    uint16_t wrong = harness_nat_residue(frame);
    assert_int_not_equal(wrong, 0);
    harness_send(n->h, NAT_LAN, frame);
    struct rte_mbuf *out = harness_sent(n->h, NAT_WAN);
    assert_int_equal(harness_nat_residue(out), wrong);
    rte_pktmbuf_free(out);
    harness_nat_free(n);
}

static void routed_traffic_is_left_alone(void **state)
{
    struct harness_nat *n = gateway(SL_NAT_FILTER_ENDPOINT_INDEPENDENT);
    struct ends out = harness_nat_ends(harness_nat_through(
        n, NAT_WAN, harness_udp(NAT_WAN, "198.51.100.21", "10.0.0.12", 1, 2, 8), NAT_LAN));
    assert_int_equal(out.src, ip4("198.51.100.21"));
    assert_int_equal(harness_nat_flows(n), 0);
    harness_nat_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nat_translates_both_ways),
        cmocka_unit_test(rfc4787_req1_nat_reuses_the_mapping_for_another_destination),
        cmocka_unit_test(rfc4787_req2_nat_pairs_a_subscriber_with_one_address),
        cmocka_unit_test(rfc4787_req3_nat_never_gives_a_port_twice),
        cmocka_unit_test(rfc4787_req4_nat_keeps_port_parity),
        cmocka_unit_test(rfc4787_req5_req6_nat_expires_a_mapping_that_is_not_refreshed),
        cmocka_unit_test(rfc4787_req5a_nat_expires_dns_sooner),
        cmocka_unit_test(rfc4787_req8_endpoint_independent_filtering_lets_strangers_in),
        cmocka_unit_test(rfc4787_req8_address_dependent_filtering_asks_for_the_address),
        cmocka_unit_test(rfc4787_req8_address_and_port_dependent_filtering_asks_for_both),
        cmocka_unit_test(rfc4787_req14_nat_translates_fragments_out_of_order),
        cmocka_unit_test(udp_without_checksum_stays_without),
        cmocka_unit_test(wrong_checksum_stays_wrong),
        cmocka_unit_test(routed_traffic_is_left_alone),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
