// SPDX-License-Identifier: Apache-2.0
// Random traffic: well-formed packets between all kinds of addresses, and the same with bytes changed, through two
// workers, while time passes and generations change. Nothing may crash, no buffer be lost, every packet that leaves
// have right checksums unless it came with wrong ones, and all that flows hold be given back (harness_nat_free).
#include "harness_nat.h"

#define PACKETS 60000

static uint64_t state_word;

static uint32_t draw(uint32_t below)
{
    state_word ^= state_word << 13;
    state_word ^= state_word >> 7;
    state_word ^= state_word << 17;
    return (uint32_t)((state_word >> 32) % below);
}

static const char *any_address(void)
{
    static const char *const address[] = {"10.0.0.11",      "10.0.0.12",      "10.0.0.99",
                                          "198.51.100.21",  "198.51.100.22",  "192.0.2.7",
                                          "198.51.100.100", "198.51.100.101", "198.51.100.103",
                                          "198.51.100.1",   "10.0.0.1",       "203.0.113.9"};
    return address[draw(RTE_DIM(address))];
}

static uint16_t any_port(void)
{
    static const uint16_t port[] = {53, 80, 1024, 1025, 4000, 4001, 8080, 65535};
    return draw(2) ? port[draw(RTE_DIM(port))] : (uint16_t)(1 + draw(65535));
}

static struct rte_mbuf *icmp_error(uint16_t in)
{
    struct rte_mbuf *about =
        draw(2) ? harness_udp(in, any_address(), any_address(), any_port(), any_port(), 20)
                : harness_tcp(in, any_address(), any_address(), any_port(), any_port(), 2, 20);
    const struct sl_ipv4 *quote = harness_ipv4_of(about);
    uint16_t len = (uint16_t)(28 + draw(20));
    struct sl_emit_ip ip = {.src = harness_ip_of(any_address()),
                            .dst = sl_ip_v4(quote->src),
                            .proto = IPPROTO_ICMP,
                            .payload_len = 8 + len};
    struct rte_mbuf *m = harness_ip(in, &ip);
    memcpy(sl_emit_icmp(harness_l4_of(m), draw(2) ? SL_ICMP_UNREACHABLE : SL_ICMP_TIME_EXCEEDED, 1, 0), quote,
           len);
    sl_emit_l4_checksum(harness_ipv4_of(m));
    rte_pktmbuf_free(about);
    return m;
}

static struct rte_mbuf *any_packet(uint16_t in)
{
    const char *src = any_address(), *dst = any_address();
    switch (draw(8)) {
    case 0:
        return harness_echo(in, src, dst, any_port(), 1);
    case 1:
        return icmp_error(in);
    case 2: {
        const struct sl_emit_ip ip = {.src = harness_ip_of(src),
                                      .dst = harness_ip_of(dst),
                                      .proto = (uint8_t)(20 + draw(200)),
                                      .payload_len = 24};
        return harness_ip(in, &ip);
    }
    case 3:
    case 4:
        return harness_udp(in, src, dst, any_port(), any_port(), (uint16_t)draw(100));
    default:
        return harness_tcp(in, src, dst, any_port(), any_port(), (uint8_t)draw(64), 0);
    }
}

// Bytes behind the Ethernet header, so that the frame is still for us.
static void spoil(struct rte_mbuf *m)
{
    uint8_t *byte = rte_pktmbuf_mtod(m, uint8_t *);
    for (uint32_t i = 0, n = 1 + draw(4); i < n; i++)
        byte[14 + draw(m->data_len - 14)] = (uint8_t)draw(256);
    if (draw(2)) // else nearly all end at the header's checksum
        harness_ipv4_of(m)->checksum = 0,
        harness_ipv4_of(m)->checksum = sl_csum_ipv4_header(harness_ipv4_of(m), 20);
}

static void look(struct harness_nat *n, bool checked)
{
    for (uint16_t port = 0; port < 2; port++)
        for (struct rte_mbuf *m; (m = harness_sent(n->h, port)) != NULL; rte_pktmbuf_free(m))
            if (checked && harness_eth_of(m)->type == sl_be16_of(SL_ETHERTYPE_IPV4)) // else ARP
                harness_nat_check(m);
}

static void generation_change(struct harness_nat *n)
{
    harness_nat_clear(n);
    harness_nat_pool(n, "wan", "198.51.100.100", 1 + draw(2), 1 + draw(4), draw(3));
    harness_nat_source(n, "10.0.0.0/24", NAT_WAN, 0);
    if (draw(2))
        harness_nat_static(n, "10.0.0.99", "198.51.100.103");
    if (draw(2))
        harness_nat_forward(n, draw(2) ? IPPROTO_UDP : IPPROTO_TCP,
                            draw(2) ? "198.51.100.100" : "198.51.100.1", 8080, 8080, "10.0.0.12", 80);
    harness_nat_ready(n);
}

static void storm(uint64_t seed, uint32_t capacity, bool spoiled)
{
    print_message("seed %llu\n", (unsigned long long)seed);
    state_word = seed;
    struct harness_nat *n = harness_nat_new_workers(2, capacity);
    generation_change(n);
    for (uint32_t i = 0; i < PACKETS; i++) {
        uint16_t in = (uint16_t)draw(2);
        struct rte_mbuf *m = any_packet(in);
        if (spoiled && draw(2))
            spoil(m);
        harness_send_to(n->h, draw(2), in, &m, 1);
        harness_settle(n->h);
        look(n, !spoiled);
        if (draw(64) == 0)
            harness_advance_ms(n->h, draw(100000));
        for (uint32_t w = 0; w < 2; w++)
            flow_tick(n->h->worker[w]);
        if (draw(2000) == 0)
            generation_change(n);
    }
    assert_true(harness_counted(n->h, SL_COUNTER_flow_created) > 100);
    harness_nat_free(n);
}

static void random_packets_leave_with_right_checksums(void **state)
{
    storm(20260, 1024, false);
}

static void random_packets_in_a_tiny_table(void **state)
{
    storm(20261, 16, false);
}

static void spoiled_packets_do_no_harm(void **state)
{
    storm(20262, 64, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_packets_leave_with_right_checksums),
        cmocka_unit_test(random_packets_in_a_tiny_table),
        cmocka_unit_test(spoiled_packets_do_no_harm),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
