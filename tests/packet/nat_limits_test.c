// SPDX-License-Identifier: Apache-2.0
// What happens at the ends of things: a subscriber's limit, a pool's last port, a full table, a generation that takes
// away what flows stand on, the operator who ends flows.
#include "harness_nat.h"

#define CLIENT "10.0.0.11"
#define SERVER "198.51.100.21"
#define POOL   "198.51.100.100"

static struct harness_nat *gateway(uint32_t capacity, uint32_t blocks)
{
    struct harness_nat *n = harness_nat_new(capacity);
    harness_nat_pool(n, "wan", POOL, 1, blocks, SL_NAT_FILTER_ENDPOINT_INDEPENDENT);
    harness_nat_source(n, "10.0.0.0/16", NAT_WAN, 0);
    harness_nat_ready(n);
    return n;
}

static struct rte_mbuf *udp_from(struct harness_nat *n, const char *src, uint16_t sport)
{
    return harness_nat_through(n, NAT_LAN, harness_udp(NAT_LAN, src, SERVER, sport, 4444, 4), NAT_WAN);
}

static struct rte_mbuf *tcp_from(struct harness_nat *n, uint16_t sport, uint8_t flags)
{
    return harness_nat_through(n, NAT_LAN, harness_tcp(NAT_LAN, CLIENT, SERVER, sport, 80, flags, 0),
                               NAT_WAN);
}

static void tcp_answer(struct harness_nat *n, uint16_t to)
{
    rte_pktmbuf_free(harness_nat_through(
        n, NAT_WAN, harness_tcp(NAT_WAN, SERVER, POOL, 80, to, SL_TCP_SYN | SL_TCP_ACK, 0), NAT_LAN));
}

static void fill(struct harness_nat *n, const char *src, uint16_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct rte_mbuf *m = udp_from(n, src, (uint16_t)(first + i));
        assert_non_null(m);
        rte_pktmbuf_free(m);
    }
}

static void expect_host_unreachable(struct harness_nat *n)
{
    struct rte_mbuf *m = harness_sent(n->h, NAT_LAN);
    assert_non_null(m);
    const struct sl_icmp *icmp = harness_l4_of(m);
    assert_int_equal(icmp->type, SL_ICMP_UNREACHABLE);
    assert_int_equal(icmp->code, 1);
    rte_pktmbuf_free(m);
}

// RFC 6888 REQ-4 and REQ-8: a limit per subscriber; who meets it is told and disturbs nobody.
static void rfc6888_req8_subscriber_meets_his_limit_and_is_told(void **state)
{
    struct harness_nat *n = gateway(1024, 2);
    fill(n, CLIENT, 1000, 128);
    harness_expect_no_drop(n->h);
    assert_null(udp_from(n, CLIENT, 5000));
    harness_expect_drop(n->h, nat_subscriber_limit);
    expect_host_unreachable(n);
    fill(n, "10.0.0.12", 1000, 1); // the others go on
    harness_nat_free(n);
}

// Exhaustion ends as soon as ports are free again.
static void pool_that_is_exhausted_recovers(void **state)
{
    struct harness_nat *n = gateway(2048, 1008);
    char src[SL_IP_TEXT];
    for (unsigned i = 0; i < SL_NAT_BLOCKS; i++) { // a block each
        snprintf(src, sizeof(src), "10.0.%u.%u", 1 + i / 200, 1 + i % 200);
        fill(n, src, 7000, 1);
    }
    assert_null(udp_from(n, CLIENT, 7000));
    harness_expect_drop(n->h, nat_ports_exhausted);
    expect_host_unreachable(n);
    fill(n, "10.0.1.1", 7001, 63); // who has a block can go on
    struct sl_flow_match match = {.inside = {.ip = harness_ip_of("10.0.3.7"), .len = 32}};
    uint64_t killed = 0;
    assert_int_equal(flow_kill_step(n->h->worker[0], &match, 0, UINT32_MAX, &killed), FLOW_NONE);
    assert_int_equal(killed, 1);
    fill(n, CLIENT, 7000, 1);
    harness_expect_no_drop(n->h);
    harness_nat_free(n);
}

// The policy: established connections are never evicted ...
static void full_table_of_established_flows_refuses_a_new_one(void **state)
{
    struct harness_nat *n = gateway(16, 16);
    for (uint16_t i = 0; i < 16; i++) {
        uint16_t port = harness_nat_ends(tcp_from(n, 4000 + i, SL_TCP_SYN)).sport;
        tcp_answer(n, port);
        rte_pktmbuf_free(tcp_from(n, 4000 + i, SL_TCP_ACK));
    }
    assert_null(tcp_from(n, 5000, SL_TCP_SYN));
    harness_expect_drop(n->h, flow_table_full);
    assert_int_equal(harness_counted(n->h, SL_COUNTER_flow_evicted), 0);
    for (uint16_t i = 0; i < 16; i++)
        rte_pktmbuf_free(tcp_from(n, 4000 + i, SL_TCP_ACK));
    harness_expect_no_drop(n->h);
    harness_nat_free(n);
}

// ... half-open ones are, the one first that would have ended first.
static void full_table_evicts_the_half_open_flow_that_would_end_first(void **state)
{
    struct harness_nat *n = gateway(16, 16);
    uint16_t port = harness_nat_ends(tcp_from(n, 4000, SL_TCP_SYN)).sport;
    tcp_answer(n, port);
    rte_pktmbuf_free(tcp_from(n, 4000, SL_TCP_ACK));
    for (uint16_t i = 1; i < 16; i++) {
        rte_pktmbuf_free(tcp_from(n, 4000 + i, SL_TCP_SYN));
        harness_advance_ms(n->h, 2000);
    }
    rte_pktmbuf_free(tcp_from(n, 4001, SL_TCP_SYN)); // the oldest is refreshed, so 4002 would end first
    assert_int_equal(harness_nat_ends(tcp_from(n, 5000, SL_TCP_SYN)).dport, 80);
    assert_int_equal(harness_counted(n->h, SL_COUNTER_flow_evicted), 1);
    assert_int_equal(harness_nat_flows(n), 16);
    assert_null(tcp_from(n, 4002, SL_TCP_ACK));
    harness_expect_drop(n->h, flow_mid_stream);
    rte_pktmbuf_free(tcp_from(n, 4000, SL_TCP_ACK));
    harness_expect_no_drop(n->h);
    harness_nat_free(n);
}

// Frames of one burst: the third opens a flow and evicts that of the second, whose packet then opens it anew.
static void burst_survives_the_eviction_of_a_flow_it_found(void **state)
{
    struct harness_nat *n = gateway(2, 16);
    rte_pktmbuf_free(udp_from(n, CLIENT, 4000));
    rte_pktmbuf_free(udp_from(n, CLIENT, 4001));
    struct rte_mbuf *frames[3];
    for (uint16_t i = 0; i < 3; i++)
        frames[i] = harness_udp(NAT_LAN, CLIENT, SERVER, (uint16_t)(i ? 3999 + i : 5000), 4444, 4);
    harness_send_to(n->h, 0, NAT_LAN, frames, 3);
    for (struct rte_mbuf *m; (m = harness_sent(n->h, NAT_WAN)) != NULL; rte_pktmbuf_free(m))
        harness_nat_check(m);
    assert_int_equal(harness_nat_flows(n), 2);
    harness_expect_no_drop(n->h);
    harness_nat_free(n);
}

// ---- generations -------------------------------------------------------------------------------------------
// A packet that waits for its route when its flow gives way must not leave its next hop with the flow that takes the
// entry: that one's answers would go where the first one's went.
static void evicted_flow_leaves_no_next_hop_to_its_heir(void **state)
{
    struct harness_nat *n = gateway(1, 16);
    rte_pktmbuf_free(tcp_from(n, 4000, SL_TCP_SYN));
    uint16_t outside = sl_host16(n->flows[0].entry[0].key1.dport);
    n->h->route_table.epoch++; // the cached next hops are no longer believed
    struct rte_mbuf *burst[] = {
        harness_tcp(NAT_WAN, SERVER, POOL, 80, outside, SL_TCP_SYN | SL_TCP_ACK, 0),
        harness_tcp(NAT_WAN, "10.0.0.12", SERVER, 4001, 80, SL_TCP_SYN, 0),
    };
    harness_send_to(n->h, 0, NAT_WAN, burst, 2);
    assert_int_equal(harness_counted(n->h, SL_COUNTER_flow_evicted), 1);
    assert_int_equal(sl_host16(n->flows[0].entry[0].key0.sport), 4001);
    assert_int_equal(n->flows[0].entry[0].nexthop1, 0);
    harness_settle(n->h);
    harness_nat_free(n);
}

static void generation_without_the_pool_ends_its_flows(void **state)
{
    struct harness_nat *n = gateway(64, 16);
    fill(n, CLIENT, 4000, 5);
    harness_nat_clear(n);
    harness_nat_pool(n, "other", "198.51.100.104", 1, 16, SL_NAT_FILTER_ENDPOINT_INDEPENDENT);
    harness_nat_source(n, "10.0.0.0/16", NAT_WAN, 0);
    harness_nat_ready(n);
    harness_nat_tick(n);
    assert_int_equal(harness_nat_flows(n), 0);
    assert_int_equal(harness_counted(n->h, SL_COUNTER_flow_withdrawn), 5);
    assert_int_equal(harness_nat_ends(udp_from(n, CLIENT, 4000)).src, ip4("198.51.100.104"));
    harness_nat_free(n);
}

static void generation_that_renumbers_pools_keeps_flows(void **state)
{
    struct harness_nat *n = gateway(64, 16);
    struct ends before = harness_nat_ends(udp_from(n, CLIENT, 4000));
    harness_nat_clear(n);
    harness_nat_pool(n, "first", "198.51.100.104", 2, 16, SL_NAT_FILTER_ENDPOINT_INDEPENDENT);
    harness_nat_pool(n, "wan", POOL, 1, 16, SL_NAT_FILTER_ENDPOINT_INDEPENDENT);
    harness_nat_source(n, "10.0.0.0/16", NAT_WAN, 1);
    harness_nat_ready(n);
    harness_nat_tick(n);
    struct rte_mbuf *m =
        harness_nat_through(n, NAT_LAN, harness_udp(NAT_LAN, CLIENT, "192.0.2.1", 4000, 9, 4), NAT_WAN);
    struct ends after = harness_nat_ends(m); // a new flow of the old mapping
    assert_int_equal(after.src, before.src);
    assert_int_equal(after.sport, before.sport);
    assert_int_equal(harness_counted(n->h, SL_COUNTER_flow_withdrawn), 0);
    harness_nat_free(n);
}

static void generation_that_moves_a_forward_ends_its_flows(void **state)
{
    struct harness_nat *n = harness_nat_new(64);
    harness_nat_forward(n, IPPROTO_UDP, POOL, 80, 81, CLIENT, 80);
    harness_nat_ready(n);
    for (uint16_t port = 80; port < 82; port++)
        rte_pktmbuf_free(
            harness_nat_through(n, NAT_WAN, harness_udp(NAT_WAN, SERVER, POOL, 9, port, 4), NAT_LAN));
    harness_nat_clear(n);
    harness_nat_forward(n, IPPROTO_UDP, POOL, 80, 80, CLIENT, 80);
    harness_nat_forward(n, IPPROTO_UDP, POOL, 81, 81, "10.0.0.12", 81);
    harness_nat_ready(n);
    harness_nat_tick(n);
    assert_int_equal(harness_nat_flows(n), 1);
    assert_int_equal(harness_counted(n->h, SL_COUNTER_flow_withdrawn), 1);
    struct rte_mbuf *m =
        harness_nat_through(n, NAT_WAN, harness_udp(NAT_WAN, SERVER, POOL, 9, 81, 4), NAT_LAN);
    assert_int_equal(harness_nat_ends(m).dst, ip4("10.0.0.12"));
    harness_nat_free(n);
}

static void generation_with_shorter_timeouts_ends_flows_sooner(void **state)
{
    struct harness_nat *n = gateway(64, 16);
    fill(n, CLIENT, 4000, 1);
    harness_nat_table(n)->head.timeouts.udp = 20;
    harness_nat_ready(n);
    harness_nat_tick(n);
    harness_advance_ms(n->h, 21000);
    harness_nat_tick(n);
    assert_int_equal(harness_nat_flows(n), 0);
    harness_nat_free(n);
}

static void generation_that_filters_by_address_knows_the_old_flows(void **state)
{
    struct harness_nat *n = gateway(64, 16);
    struct ends out = harness_nat_ends(udp_from(n, CLIENT, 4000));
    harness_nat_table(n)->pool[0].filtering = SL_NAT_FILTER_ADDRESS;
    harness_nat_ready(n);
    harness_nat_tick(n);
    struct rte_mbuf *m =
        harness_nat_through(n, NAT_WAN, harness_udp(NAT_WAN, SERVER, POOL, 1, out.sport, 4), NAT_LAN);
    assert_int_equal(harness_nat_ends(m).dst, ip4(CLIENT));
    m = harness_udp(NAT_WAN, "198.51.100.22", POOL, 1, out.sport, 4);
    assert_null(harness_nat_through(n, NAT_WAN, m, NAT_LAN));
    harness_expect_drop(n->h, nat_filtered);
    harness_nat_free(n);
}

static void operator_ends_the_flows_that_match_and_no_others(void **state)
{
    struct harness_nat *n = gateway(64, 16);
    fill(n, CLIENT, 4000, 10);
    fill(n, "10.0.0.12", 4000, 10);
    struct sl_flow_match match = {.inside = {.ip = harness_ip_of("10.0.0.12"), .len = 32},
                                  .inside_port = 4003};
    uint64_t killed = 0;
    uint32_t at = 0, steps = 0;
    for (; at != FLOW_NONE; steps++)
        at = flow_kill_step(n->h->worker[0], &match, at, 8, &killed);
    assert_int_equal(steps, 8);
    assert_int_equal(killed, 1);
    assert_int_equal(harness_nat_flows(n), 19);
    assert_int_equal(harness_counted(n->h, SL_COUNTER_flow_killed), 1);
    harness_nat_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc6888_req8_subscriber_meets_his_limit_and_is_told),
        cmocka_unit_test(pool_that_is_exhausted_recovers),
        cmocka_unit_test(full_table_of_established_flows_refuses_a_new_one),
        cmocka_unit_test(full_table_evicts_the_half_open_flow_that_would_end_first),
        cmocka_unit_test(burst_survives_the_eviction_of_a_flow_it_found),
        cmocka_unit_test(evicted_flow_leaves_no_next_hop_to_its_heir),
        cmocka_unit_test(generation_without_the_pool_ends_its_flows),
        cmocka_unit_test(generation_that_renumbers_pools_keeps_flows),
        cmocka_unit_test(generation_that_moves_a_forward_ends_its_flows),
        cmocka_unit_test(generation_with_shorter_timeouts_ends_flows_sooner),
        cmocka_unit_test(generation_that_filters_by_address_knows_the_old_flows),
        cmocka_unit_test(operator_ends_the_flows_that_match_and_no_others),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
