// SPDX-License-Identifier: Apache-2.0
// Several workers on ports that know nothing of flows: whoever receives a packet, its owner translates it.
#include "harness_nat.h"

#define SERVER "198.51.100.21"
#define POOL   "198.51.100.100"

static struct harness_nat *gateway(uint32_t workers)
{
    struct harness_nat *n = harness_nat_new_workers(workers, 256);
    harness_nat_pool(n, "wan", POOL, 2, 4, SL_NAT_FILTER_ENDPOINT_INDEPENDENT);
    harness_nat_source(n, "10.0.0.0/24", NAT_WAN, 0);
    harness_nat_forward(n, IPPROTO_UDP, POOL, 80, 80, "10.0.0.12", 8080);
    harness_nat_static(n, "10.0.0.99", "198.51.100.103");
    harness_nat_ready(n);
    return n;
}

static struct rte_mbuf *at_worker(struct harness_nat *n, uint32_t worker, uint16_t in, struct rte_mbuf *frame,
                                  uint16_t out)
{
    harness_send_to(n->h, worker, in, &frame, 1);
    harness_settle(n->h);
    struct rte_mbuf *sent = harness_sent(n->h, out);
    if (sent != NULL)
        harness_nat_check(sent);
    return sent;
}

static void client(char out[SL_IP_TEXT], unsigned i)
{
    snprintf(out, SL_IP_TEXT, "10.0.0.%u", 11 + i % 2);
}

static void text_of(char out[SL_IP_TEXT], sl_be32 addr)
{
    struct sl_ip ip = sl_ip_v4(addr);
    sl_ip_format(&ip, out);
}

// Each of many flows, both directions, received by every worker in turn: one flow, one outside endpoint.
static void steer_finds_the_owner_from_either_side(void **state)
{
    struct harness_nat *n = gateway(4);
    for (unsigned i = 0; i < 64; i++) {
        char src[SL_IP_TEXT], outside[SL_IP_TEXT];
        client(src, i);
        struct ends first = {0};
        for (uint32_t worker = 0; worker < 4; worker++) {
            struct rte_mbuf *m = harness_udp(NAT_LAN, src, SERVER, (uint16_t)(5000 + i), 53, 9);
            struct ends out = harness_nat_ends(at_worker(n, worker, NAT_LAN, m, NAT_WAN));
            first = worker == 0 ? out : first;
            assert_memory_equal(&out, &first, sizeof(out));
            text_of(outside, out.src);
            m = harness_udp(NAT_WAN, SERVER, outside, 53, out.sport, 9);
            struct ends in = harness_nat_ends(at_worker(n, (worker + 1) % 4, NAT_WAN, m, NAT_LAN));
            assert_int_equal(in.dst, ip4(src));
            assert_int_equal(in.dport, 5000 + i);
        }
    }
    assert_int_equal(harness_nat_flows(n), 64);
    harness_expect_no_drop(n->h);
    harness_nat_free(n);
}

static void steer_sends_forwards_and_statics_to_their_inside_s_owner(void **state)
{
    struct harness_nat *n = gateway(4);
    for (uint32_t worker = 0; worker < 4; worker++) {
        struct rte_mbuf *m = harness_udp(NAT_WAN, SERVER, POOL, 9, 80, 9);
        assert_int_equal(harness_nat_ends(at_worker(n, worker, NAT_WAN, m, NAT_LAN)).dport, 8080);
        m = harness_udp(NAT_LAN, "10.0.0.12", SERVER, 8080, 9, 9);
        assert_int_equal(harness_nat_ends(at_worker(n, worker, NAT_LAN, m, NAT_WAN)).sport, 80);
        m = harness_udp(NAT_LAN, "10.0.0.99", SERVER, 7, 9, 9);
        assert_int_equal(harness_nat_ends(at_worker(n, worker, NAT_LAN, m, NAT_WAN)).src,
                         ip4("198.51.100.103"));
    }
    assert_int_equal(harness_nat_flows(n), 2);
    harness_nat_free(n);
}

static void steer_hairpins_between_workers(void **state)
{
    struct harness_nat *n = gateway(4);
    char outside[SL_IP_TEXT];
    assert_int_not_equal(nat_owner(ip4("10.0.0.11"), 4), nat_owner(ip4("10.0.0.12"), 4));
    struct rte_mbuf *m = harness_udp(NAT_LAN, "10.0.0.12", SERVER, 2000, 53, 9);
    struct ends other = harness_nat_ends(at_worker(n, 0, NAT_LAN, m, NAT_WAN));
    text_of(outside, other.src);
    for (uint32_t worker = 0; worker < 4; worker++) {
        m = harness_udp(NAT_LAN, "10.0.0.11", outside, 4000, other.sport, 9);
        struct ends there = harness_nat_ends(at_worker(n, worker, NAT_LAN, m, NAT_LAN));
        assert_int_equal(there.dst, ip4("10.0.0.12"));
        assert_int_equal(there.dport, 2000);
        char back[SL_IP_TEXT];
        text_of(back, there.src);
        m = harness_udp(NAT_LAN, "10.0.0.12", back, 2000, there.sport, 9);
        struct ends here = harness_nat_ends(at_worker(n, worker, NAT_LAN, m, NAT_LAN));
        assert_int_equal(here.dst, ip4("10.0.0.11"));
        assert_int_equal(here.dport, 4000);
        assert_int_equal(here.src, other.src);
        assert_int_equal(here.sport, other.sport);
    }
    harness_expect_no_drop(n->h);
    harness_nat_free(n);
}

// The pieces of a datagram arrive at different workers; one puts them together.
static void steer_brings_fragments_together(void **state)
{
    struct harness_nat *n = gateway(4);
    for (uint16_t id = 1; id < 20; id++) {
        struct rte_mbuf *whole = harness_udp(NAT_LAN, "10.0.0.11", SERVER, 4000, 5353, 1000), *out = NULL;
        for (uint32_t i = 0; i < 2; i++) {
            struct rte_mbuf *part = harness_frame(rte_pktmbuf_mtod(whole, void *), 34);
            struct sl_ipv4 *ip = harness_ipv4_of(part);
            uint16_t from = i ? 512 : 0, len = i ? 1008 - 512 : 512;
            ip->total_len = sl_be16_of((uint16_t)(20 + len));
            ip->id = sl_be16_of(id);
            ip->fragment = sl_be16_of((uint16_t)(i ? from / 8 : SL_IPV4_MF));
            ip->checksum = 0;
            ip->checksum = sl_csum_ipv4_header(ip, 20);
            memcpy(rte_pktmbuf_append(part, len), rte_pktmbuf_mtod_offset(whole, uint8_t *, 34 + from), len);
            out = at_worker(n, (id + i) % 4, NAT_LAN, part, NAT_WAN);
        }
        assert_int_equal(harness_nat_ends(out).dport, 5353);
        rte_pktmbuf_free(whole);
    }
    assert_int_equal(harness_nat_flows(n), 1);
    harness_expect_no_drop(n->h);
    harness_nat_free(n);
}

static uint32_t stranger_to(const char *inside, uint32_t workers)
{
    return (nat_owner(ip4(inside), workers) + 1) % workers;
}

static void full_queue_of_the_owner_drops(void **state)
{
    struct harness_nat *n = gateway(2);
    uint32_t worker = stranger_to("10.0.0.11", 2),
             fits = rte_ring_get_capacity(n->h->worker[worker]->steer_out[!worker]);
    for (uint32_t i = 0; i <= fits; i++) {
        struct rte_mbuf *m = harness_udp(NAT_LAN, "10.0.0.11", SERVER, 4000, 53, 9);
        harness_send_to(n->h, worker, NAT_LAN, &m, 1);
    }
    harness_expect_drop(n->h, steer_queue_full);
    assert_int_equal(harness_counted(n->h, SL_COUNTER_steer_out), fits);
    harness_settle(n->h);
    harness_expect_drops(n->h, SL_DROP_none, 0);
    harness_nat_free(n);
}

// Workers that disagree about the owner must not play ping-pong.
static void packet_that_finds_no_owner_is_dropped(void **state)
{
    struct harness_nat *n = gateway(2);
    uint32_t worker = stranger_to("10.0.0.11", 2);
    struct rte_mbuf *m = harness_udp(NAT_LAN, "10.0.0.11", SERVER, 4000, 53, 9);
    pipeline_resume(n->h->worker[worker], HANDOVER_STEER, NAT_LAN, 3, &m, 1);
    harness_expect_drop(n->h, steer_loop);
    harness_nat_free(n);
}

static void one_worker_steers_nothing(void **state)
{
    struct harness_nat *n = gateway(1);
    rte_pktmbuf_free(at_worker(n, 0, NAT_LAN, harness_udp(NAT_LAN, "10.0.0.11", SERVER, 1, 2, 3), NAT_WAN));
    assert_int_equal(harness_counted(n->h, SL_COUNTER_steer_out), 0);
    harness_nat_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steer_finds_the_owner_from_either_side),
        cmocka_unit_test(steer_sends_forwards_and_statics_to_their_inside_s_owner),
        cmocka_unit_test(steer_hairpins_between_workers),
        cmocka_unit_test(steer_brings_fragments_together),
        cmocka_unit_test(full_queue_of_the_owner_drops),
        cmocka_unit_test(packet_that_finds_no_owner_is_dropped),
        cmocka_unit_test(one_worker_steers_nothing),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
