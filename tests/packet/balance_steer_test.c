// SPDX-License-Identifier: Apache-2.0
// Several workers: whoever receives a packet of a balanced flow, from whichever side, its owner has it; beside NAT,
// which owns the members' own affairs.
#include "harness_balance.h"

#define SERVER "198.51.100.21"
#define POOL   "198.51.100.100"

static struct harness_balance *gateway(uint32_t workers, enum sl_balance_method method)
{
    struct harness_balance *b = harness_balance_new(workers, 512);
    harness_balance_simple(b, method, 3);
    harness_nat_pool(b->n, "wan", POOL, 2, 4, SL_NAT_FILTER_ENDPOINT_INDEPENDENT);
    harness_nat_source(b->n, "10.0.0.0/8", NAT_WAN, 0);
    harness_balance_ready(b);
    return b;
}

static struct ends6 at_worker(struct harness_balance *b, uint32_t worker, uint16_t in, struct rte_mbuf *frame,
                              uint16_t out)
{
    harness_send_to(b->h, worker, in, &frame, 1);
    harness_settle(b->h);
    struct rte_mbuf *sent = harness_sent(b->h, out);
    assert_non_null(sent);
    harness_nat_check(sent);
    return harness_balance_ends(sent);
}

static void text_of(char out[SL_IP_TEXT], struct sl_ip ip)
{
    sl_ip_format(&ip, out);
}

static void owner_is_found_from_either_side(void **state)
{
    for (uint32_t workers = 1; workers <= 4; workers++) {
        struct harness_balance *b = gateway(workers, SL_BALANCE_ROUND_ROBIN);
        for (uint32_t i = 0; i < 60; i++) {
            char client[SL_IP_TEXT], member[SL_IP_TEXT];
            snprintf(client, sizeof(client), "203.0.113.%u", 1 + i);
            struct ends6 first = {0};
            for (uint32_t worker = 0; worker < workers; worker++) {
                struct rte_mbuf *m = harness_udp(NAT_WAN, client, BALANCE_VIP, 4000, 80, 9);
                struct ends6 in = at_worker(b, worker, NAT_WAN, m, NAT_LAN);
                first = worker == 0 ? in : first;
                assert_memory_equal(&in, &first, sizeof(in));
                text_of(member, in.dst);
                m = harness_udp(NAT_LAN, member, client, 8080, 4000, 9);
                struct ends6 out = at_worker(b, (worker + 1) % workers, NAT_LAN, m, NAT_WAN);
                assert_int_equal(out.src.w[3], ip4(BALANCE_VIP));
                assert_int_equal(out.sport, 80);
            }
        }
        assert_int_equal(harness_nat_flows(b->n), 60);
        assert_int_equal(harness_balance_service_sum(b, 0).flows_new, 60);
        for (uint32_t worker = 0; worker < workers; worker++)
            assert_true(b->n->flows[worker].capacity - b->n->flows[worker].spare_count > 60 / workers / 3);
        harness_expect_no_drop(b->h);
        harness_balance_free(b);
    }
}

// A member's connection from the very port it serves on, and from another: endpoint-independent as any inside's.
static void members_own_affairs_are_nat_s(void **state)
{
    for (uint32_t workers = 1; workers <= 3; workers++) {
        struct harness_balance *b = gateway(workers, SL_BALANCE_MAGLEV);
        for (uint16_t sport = 8080; sport <= 8081; sport++) {
            struct ends6 first = {0};
            for (uint32_t i = 1; i < 40; i++) {
                char server[SL_IP_TEXT], outside[SL_IP_TEXT];
                snprintf(server, sizeof(server), "203.0.113.%u", i);
                struct rte_mbuf *m = harness_udp(NAT_LAN, "10.1.0.1", server, sport, 53, 9);
                struct ends6 out = at_worker(b, i % workers, NAT_LAN, m, NAT_WAN);
                first = i == 1 ? out : first;
                assert_int_equal(out.sport, first.sport);
                assert_true(sl_ip_equal(&out.src, &first.src));
                text_of(outside, out.src);
                m = harness_udp(NAT_WAN, server, outside, 53, out.sport, 9);
                struct ends6 in = at_worker(b, (i + 1) % workers, NAT_WAN, m, NAT_LAN);
                assert_int_equal(in.dst.w[3], ip4("10.1.0.1"));
                assert_int_equal(in.dport, sport);
            }
        }
        harness_expect_no_drop(b->h);
        harness_balance_free(b);
    }
}

// From inside to a service in front of the inside: the client is hidden, or its member would answer past the gateway.
static void clients_inside_are_turned_around(void **state)
{
    for (uint32_t workers = 1; workers <= 3; workers++) {
        struct harness_balance *b = gateway(workers, SL_BALANCE_MAGLEV);
        for (uint32_t i = 0; i < 30; i++) {
            char member[SL_IP_TEXT], outside[SL_IP_TEXT];
            uint16_t sport = (uint16_t)(4000 + i);
            struct rte_mbuf *m = harness_udp(NAT_LAN, "10.0.0.12", BALANCE_VIP, sport, 80, 9);
            struct ends6 in = at_worker(b, i % workers, NAT_LAN, m, NAT_LAN);
            assert_int_equal(in.dport, 8080);
            assert_int_not_equal(in.src.w[3], ip4("10.0.0.12"));
            text_of(member, in.dst);
            text_of(outside, in.src);
            for (uint32_t worker = 0; worker < workers; worker++) {
                m = harness_udp(NAT_LAN, member, outside, 8080, in.sport, 9);
                struct ends6 out = at_worker(b, worker, NAT_LAN, m, NAT_LAN);
                assert_int_equal(out.src.w[3], ip4(BALANCE_VIP));
                assert_int_equal(out.dst.w[3], ip4("10.0.0.12"));
                assert_int_equal(out.sport, 80);
                assert_int_equal(out.dport, sport);
            }
        }
        harness_expect_no_drop(b->h);
        harness_balance_free(b);
    }
}

// Also to itself: the outside address stands between.
static void members_are_clients_of_their_own_service(void **state)
{
    struct harness_balance *b = harness_balance_new(2, 512);
    harness_balance_simple(b, SL_BALANCE_MAGLEV, 1);
    harness_nat_pool(b->n, "wan", POOL, 2, 4, SL_NAT_FILTER_ENDPOINT_INDEPENDENT);
    harness_nat_source(b->n, "10.0.0.0/8", NAT_WAN, 0);
    harness_balance_ready(b);
    struct rte_mbuf *m = harness_udp(NAT_LAN, "10.1.0.1", BALANCE_VIP, 4000, 80, 9);
    struct ends6 in = at_worker(b, 0, NAT_LAN, m, NAT_LAN);
    assert_int_equal(in.dst.w[3], ip4("10.1.0.1"));
    char outside[SL_IP_TEXT];
    text_of(outside, in.src);
    m = harness_udp(NAT_LAN, "10.1.0.1", outside, 8080, in.sport, 9);
    struct ends6 out = at_worker(b, 1, NAT_LAN, m, NAT_LAN);
    assert_int_equal(out.src.w[3], ip4(BALANCE_VIP));
    assert_int_equal(out.dst.w[3], ip4("10.1.0.1"));
    assert_int_equal(out.dport, 4000);
    harness_balance_free(b);
}

static void errors_find_the_owner(void **state)
{
    struct harness_balance *b = gateway(3, SL_BALANCE_MAGLEV);
    for (uint32_t i = 1; i < 30; i++) {
        char client[SL_IP_TEXT], member[SL_IP_TEXT];
        snprintf(client, sizeof(client), "203.0.113.%u", i);
        struct rte_mbuf *m = harness_udp(NAT_WAN, client, BALANCE_VIP, 4000, 80, 9);
        text_of(member, at_worker(b, 0, NAT_WAN, m, NAT_LAN).dst);
        struct rte_mbuf *about = harness_udp(NAT_WAN, BALANCE_VIP, client, 80, 4000, 100);
        struct sl_emit_ip ip = {.src = harness_ip_of(SERVER),
                                .dst = harness_ip_of(BALANCE_VIP),
                                .proto = IPPROTO_ICMP,
                                .payload_len = 8 + 48};
        m = harness_ip(NAT_WAN, &ip);
        memcpy(sl_emit_icmp(harness_l4_of(m), SL_ICMP_UNREACHABLE, 4, sl_be32_of(1400)),
               harness_ipv4_of(about), 48);
        sl_emit_l4_checksum(harness_ipv4_of(m));
        rte_pktmbuf_free(about);
        assert_int_equal(at_worker(b, i % 3, NAT_WAN, m, NAT_LAN).dst.w[3], ip4(member));
    }
    harness_expect_no_drop(b->h);
    harness_balance_free(b);
}

// In every worker's table; swept on each.
static void flush_reaches_every_worker(void **state)
{
    struct harness_balance *b = gateway(3, SL_BALANCE_ROUND_ROBIN);
    for (uint32_t i = 1; i < 60; i++) {
        char client[SL_IP_TEXT];
        snprintf(client, sizeof(client), "203.0.113.%u", i);
        at_worker(b, i % 3, NAT_WAN, harness_udp(NAT_WAN, client, BALANCE_VIP, 4000, 80, 9), NAT_LAN);
    }
    assert_true(harness_balance_member_sum(b, 1).flows_now > 10);
    harness_balance_set(b, 0, 1, SL_BALANCE_FLUSH, 1);
    assert_int_equal(harness_balance_member_sum(b, 1).flows_now, 0);
    harness_balance_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(owner_is_found_from_either_side),
        cmocka_unit_test(members_own_affairs_are_nat_s),
        cmocka_unit_test(clients_inside_are_turned_around),
        cmocka_unit_test(members_are_clients_of_their_own_service),
        cmocka_unit_test(errors_find_the_owner),
        cmocka_unit_test(flush_reaches_every_worker),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
