// SPDX-License-Identifier: Apache-2.0
// The way out: TTL, MTU and fragments, MSS clamp, a port that is down.
#include "harness.h"
#include "wire/checksum.h"
#include "wire/l4.h"

enum { LAN, WAN };

static struct harness *gateway(void)
{
    struct harness *h = harness_new(1);

    harness_port(h, LAN, 0);
    harness_port(h, WAN, 0);
    harness_address(h, LAN, "10.0.0.1/24");
    harness_address(h, LAN, "fd00::1/64");
    harness_address(h, WAN, "198.51.100.1/24");
    harness_address(h, WAN, "2001:db8:100::1/64");
    harness_neighbor(h, LAN, "10.0.0.11");
    harness_neighbor(h, LAN, "fd00::11");
    harness_neighbor(h, WAN, "198.51.100.21");
    harness_neighbor(h, WAN, "2001:db8:100::21");
    return h;
}

static struct rte_mbuf *to_wan(bool v4, uint16_t payload_len)
{
    return v4 ? harness_udp(LAN, "10.0.0.11", "198.51.100.21", 4000, 53, payload_len)
              : harness_udp(LAN, "fd00::11", "2001:db8:100::21", 4000, 53, payload_len);
}

static void ttl_set(struct rte_mbuf *m, uint8_t ttl)
{
    if (harness_eth_of(m)->type == sl_be16_of(SL_ETHERTYPE_IPV4))
        harness_ipv4_of(m)->ttl = ttl;
    else
        harness_ipv6_of(m)->hop_limit = ttl;
    harness_fix_checksums(m);
}

static void assert_icmp(struct harness *h, uint8_t type, uint8_t code, uint16_t mtu)
{
    struct rte_mbuf *out = harness_sent(h, LAN);

    assert_non_null(out);
    const struct sl_icmp *icmp = harness_l4_of(out);
    assert_int_equal(icmp->type, type);
    assert_int_equal(icmp->code, code);
    assert_int_equal(sl_host32(icmp->mtu32), mtu);
    rte_pktmbuf_free(out);
}

static void the_last_hop_is_told_to_the_sender(void **state)
{
    for (int v4 = 0; v4 < 2; v4++) {
        struct harness *h = gateway();
        harness_ready(h);
        for (uint8_t ttl = 0; ttl < 2; ttl++) {
            struct rte_mbuf *m = to_wan(v4, 10);
            ttl_set(m, ttl);
            harness_send(h, LAN, m);
            harness_expect_drop(h, ttl_expired);
            assert_icmp(h, v4 ? SL_ICMP_TIME_EXCEEDED : SL_ICMP6_TIME_EXCEEDED, 0, 0);
            assert_null(harness_sent(h, WAN));
        }
        harness_free(h);
    }
}

static void every_ttl_leaves_a_right_checksum(void **state)
{
    struct harness *h = gateway();

    harness_ready(h);
    for (uint32_t i = 0; i < 254 * 20; i++) {
        struct rte_mbuf *m = to_wan(true, (uint16_t)(i / 254));
        harness_ipv4_of(m)->id = sl_be16_of((uint16_t)(i * 7919));
        ttl_set(m, (uint8_t)(i % 254 + 2));
        harness_send(h, LAN, m);
        struct rte_mbuf *out = harness_sent(h, WAN);
        assert_non_null(out);
        assert_int_equal(harness_ipv4_of(out)->ttl, i % 254 + 1);
        assert_int_equal(sl_csum_ipv4_header(harness_ipv4_of(out), 20), 0);
        assert_int_not_equal(harness_ipv4_of(out)->checksum, 0xffff);
        rte_pktmbuf_free(out);
    }
    harness_free(h);
}

static void a_port_that_is_down_takes_nothing(void **state)
{
    struct harness *h = gateway();

    harness_ready(h);
    harness_port_up(h, WAN, false);
    harness_send(h, LAN, to_wan(true, 10));
    harness_expect_drop(h, port_down);
    harness_free(h);
}

static void too_big_is_told_with_the_mtu(void **state)
{
    struct harness *h = gateway();

    h->port[WAN].mtu = 1400;
    harness_ready(h);
    struct rte_mbuf *m = to_wan(true, 1400);
    harness_ipv4_of(m)->fragment = sl_be16_of(SL_IPV4_DF);
    harness_fix_checksums(m);
    harness_send(h, LAN, m);
    harness_expect_drop(h, mtu_exceeded);
    assert_icmp(h, SL_ICMP_UNREACHABLE, 4, 1400);
    harness_send(h, LAN, to_wan(false, 1400));
    harness_expect_drop(h, mtu_exceeded);
    assert_icmp(h, SL_ICMP6_TOO_BIG, 0, 1400);
    assert_null(harness_sent(h, WAN));
    harness_free(h);
}

static void a_packet_of_the_mtu_passes_whole(void **state)
{
    struct harness *h = gateway();

    h->port[WAN].mtu = 1400;
    harness_ready(h);
    harness_send(h, LAN, to_wan(true, 1400 - 28));
    harness_send(h, LAN, to_wan(false, 1400 - 48));
    for (int i = 0; i < 2; i++) {
        struct rte_mbuf *out = harness_sent(h, WAN);
        assert_non_null(out);
        assert_int_equal(out->pkt_len, 1414);
        rte_pktmbuf_free(out);
    }
    harness_expect_no_drop(h);
    harness_free(h);
}

static void a_larger_one_leaves_in_fragments(void **state)
{
    struct harness *h = gateway();
    uint32_t payload = 0;
    struct rte_mbuf *out;

    h->port[WAN].mtu = 576;
    harness_ready(h);
    harness_send(h, LAN, to_wan(true, 1400));
    while ((out = harness_sent(h, WAN))) {
        const struct sl_ipv4 *ip = harness_ipv4_of(out);
        uint16_t len = sl_host16(ip->total_len);
        uint16_t fragment = sl_host16(ip->fragment);
        assert_true(len <= 576);
        assert_int_equal(out->pkt_len, 14 + len);
        assert_int_equal(out->nb_segs, 1);
        assert_int_equal((fragment & SL_IPV4_OFFSET) * 8, payload);
        assert_int_equal(sl_csum_ipv4_header(ip, 20), 0);
        assert_int_equal(ip->ttl, 63);
        payload += len - 20u;
        assert_int_equal(!(fragment & SL_IPV4_MF), payload == 1408);
        rte_pktmbuf_free(out);
    }
    assert_int_equal(payload, 1408);
    assert_int_equal(harness_counted(h, SL_COUNTER_fragment_created), 3);
    harness_expect_no_drop(h);
    harness_free(h);
}

static void fragments_are_dropped_whole_when_memory_is_out(void **state)
{
    struct harness *h = gateway();
    static struct rte_mbuf *all[9000];
    uint32_t taken = 0;

    h->port[WAN].mtu = 576;
    harness_ready(h);
    struct rte_mbuf *m = to_wan(true, 1400);
    while (taken < RTE_DIM(all) && (all[taken] = rte_pktmbuf_alloc(harness_pool())))
        taken++;
    rte_pktmbuf_free(all[--taken]);
    rte_pktmbuf_free(all[--taken]); // two buffers for three fragments
    harness_send(h, LAN, m);
    harness_expect_drop(h, fragment_no_memory);
    assert_null(harness_sent(h, WAN));
    rte_pktmbuf_free_bulk(all, taken);
    harness_free(h);
}

// ---- MSS
static struct rte_mbuf *syn(bool v4, uint8_t flags, uint16_t mss, bool odd)
{
    uint8_t options[8] = {1, 2, 4, 0, 0, 1, 1, 1}; // NOP, MSS, NOPs: the value at an odd offset
    uint8_t even[8] = {2, 4, 0, 0, 1, 1, 1, 1};
    uint8_t *value = odd ? options + 3 : even + 2;
    struct sl_emit_ip ip = {.src = harness_ip_of(v4 ? "10.0.0.11" : "fd00::11"),
                            .dst = harness_ip_of(v4 ? "198.51.100.21" : "2001:db8:100::21"),
                            .proto = SL_PROTO_TCP,
                            .payload_len = 28};
    struct sl_emit_tcp tcp = {.sport = 4000, .dport = 80, .flags = flags, .window = 1000, .options_len = 8};

    value[0] = (uint8_t)(mss >> 8);
    value[1] = (uint8_t)mss;
    tcp.options = odd ? options : even;
    struct rte_mbuf *m = harness_ip(LAN, &ip);
    sl_emit_tcp(harness_l4_of(m), &tcp);
    sl_emit_l4_checksum(harness_ipv4_of(m));
    return m;
}

// Sends a SYN with an MSS and returns the MSS it leaves with; its checksum is right.
static uint16_t mss_through(struct harness *h, bool v4, uint8_t flags, uint16_t mss, bool odd)
{
    harness_send(h, LAN, syn(v4, flags, mss, odd));
    struct rte_mbuf *out = harness_sent(h, WAN);
    assert_non_null(out);
    const uint8_t *value = (const uint8_t *)harness_l4_of(out) + 20 + (odd ? 3 : 2);
    uint16_t left = (uint16_t)(value[0] << 8 | value[1]);
    assert_true(sl_check_l4_checksum(harness_ipv4_of(out)));
    rte_pktmbuf_free(out);
    return left;
}

static void mss_of_syns_is_clamped_to_the_way_out(void **state)
{
    struct harness *h = gateway();

    h->port[WAN].mss_clamp_v4 = 1360;
    h->port[WAN].mss_clamp_v6 = 1340;
    harness_ready(h);
    for (int odd = 0; odd < 2; odd++) {
        assert_int_equal(mss_through(h, true, SL_TCP_SYN, 1460, odd), 1360);
        assert_int_equal(mss_through(h, true, SL_TCP_SYN | SL_TCP_ACK, 1460, odd), 1360);
        assert_int_equal(mss_through(h, false, SL_TCP_SYN, 1440, odd), 1340);
        assert_int_equal(mss_through(h, true, SL_TCP_SYN, 1200, odd), 1200);
        assert_int_equal(mss_through(h, true, SL_TCP_ACK, 1460, odd), 1460);
    }
    assert_int_equal(harness_counted(h, SL_COUNTER_mss_clamped), 6);
    harness_free(h);
}

static void mss_is_left_alone_where_no_clamp_is_set(void **state)
{
    struct harness *h = gateway();

    harness_ready(h);
    assert_int_equal(mss_through(h, true, SL_TCP_SYN, 9000, false), 9000);
    assert_int_equal(harness_counted(h, SL_COUNTER_mss_clamped), 0);
    harness_free(h);
}

// As a device with small buffers hands them over.
static void a_packet_in_two_segments_leaves_as_it_came(void **state)
{
    for (int v4 = 0; v4 < 2; v4++) {
        struct harness *h = gateway();
        harness_ready(h);
        struct rte_mbuf *m = to_wan(v4, 200), *tail = rte_pktmbuf_alloc(harness_pool());
        uint8_t want[300], got[300];
        uint16_t len = m->data_len, part = 100;
        memcpy(want, rte_pktmbuf_mtod(m, void *), len);
        memcpy(rte_pktmbuf_append(tail, part), want + len - part, part);
        rte_pktmbuf_trim(m, part);
        assert_int_equal(rte_pktmbuf_chain(m, tail), 0);
        harness_send(h, LAN, m);
        struct rte_mbuf *out = harness_sent(h, WAN);
        assert_non_null(out);
        assert_int_equal(out->pkt_len, len);
        memcpy(got, rte_pktmbuf_read(out, 0, len, got), len);
        uint16_t payload = v4 ? 14 + 20 : 14 + 40;
        assert_memory_equal(got + payload, want + payload, len - payload);
        assert_int_equal(got[v4 ? 14 + 8 : 14 + 7], want[v4 ? 14 + 8 : 14 + 7] - 1); // TTL
        assert_memory_equal(got + 14, want + 14, v4 ? 8 : 7);
        rte_pktmbuf_free(out);
        harness_free(h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_hop_is_told_to_the_sender),
        cmocka_unit_test(every_ttl_leaves_a_right_checksum),
        cmocka_unit_test(a_port_that_is_down_takes_nothing),
        cmocka_unit_test(too_big_is_told_with_the_mtu),
        cmocka_unit_test(a_packet_of_the_mtu_passes_whole),
        cmocka_unit_test(a_larger_one_leaves_in_fragments),
        cmocka_unit_test(fragments_are_dropped_whole_when_memory_is_out),
        cmocka_unit_test(mss_of_syns_is_clamped_to_the_way_out),
        cmocka_unit_test(mss_is_left_alone_where_no_clamp_is_set),
        cmocka_unit_test(a_packet_in_two_segments_leaves_as_it_came),
    };

    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
