// SPDX-License-Identifier: Apache-2.0
// Where packets go: next hops of every kind, multicast, broadcast, link-local, equal-cost paths.
#include "harness.h"
#include <sys/socket.h>
#include <unistd.h>
#include "route/route.h"
#include "wire/checksum.h"

enum { LAN, WAN, DMZ };

static struct harness *gateway(uint32_t lan_flags)
{
    struct harness *h = harness_new(1);

    harness_port(h, LAN, lan_flags);
    harness_port(h, WAN, 0);
    harness_port(h, DMZ, 0);
    harness_address(h, LAN, "10.0.0.1/24");
    harness_address(h, LAN, "fd00::1/64");
    harness_address(h, WAN, "198.51.100.1/24");
    harness_address(h, WAN, "2001:db8:100::1/64");
    harness_address(h, DMZ, "192.0.2.1/24");
    harness_neighbor(h, LAN, "10.0.0.11");
    harness_neighbor(h, LAN, "fd00::11");
    harness_neighbor(h, WAN, "198.51.100.21");
    harness_neighbor(h, WAN, "198.51.100.254");
    harness_neighbor(h, WAN, "2001:db8:100::21");
    harness_neighbor(h, DMZ, "192.0.2.7");
    return h;
}

static struct rte_mbuf *from_lan(const char *dst)
{
    return strchr(dst, ':') ? harness_udp(LAN, "fd00::11", dst, 4000, 53, 64)
                            : harness_udp(LAN, "10.0.0.11", dst, 4000, 53, 64);
}

static void assert_nothing_sent(struct harness *h)
{
    for (uint16_t port = LAN; port <= DMZ; port++)
        assert_null(harness_sent(h, port));
}

static void assert_error(struct harness *h, uint8_t type, uint8_t code)
{
    struct rte_mbuf *out = harness_sent(h, LAN);

    assert_non_null(out);
    const struct sl_icmp *icmp = harness_l4_of(out);
    assert_int_equal(icmp->type, type);
    assert_int_equal(icmp->code, code);
    rte_pktmbuf_free(out);
}

static void assert_handed(struct harness *h, enum handover_kind kind)
{
    struct rte_mbuf *m = harness_handed(h, 0);

    assert_non_null(m);
    assert_int_equal(handover_of(m)->kind, kind);
    rte_pktmbuf_free(m);
}

static void forwards_to_a_connected_neighbor_of_either_family(void **state)
{
    struct harness *h = gateway(0);
    const char *const dst[] = {"198.51.100.21", "2001:db8:100::21"};

    harness_ready(h);
    for (int i = 0; i < 2; i++) {
        harness_send(h, LAN, from_lan(dst[i]));
        struct rte_mbuf *out = harness_sent(h, WAN);
        assert_non_null(out);
        assert_memory_equal(harness_eth_of(out)->src, harness_port_mac(WAN), 6);
        assert_memory_equal(harness_eth_of(out)->dst, ((uint8_t[6]){2, 0, 0, 0, 2, i ? 0x21 : 21}), 6);
        assert_int_equal(i ? harness_ipv6_of(out)->hop_limit : harness_ipv4_of(out)->ttl, 63);
        assert_true(i || sl_csum_ipv4_header(harness_ipv4_of(out), 20) == 0);
        assert_true(sl_check_l4_checksum(harness_ipv4_of(out)));
        rte_pktmbuf_free(out);
    }
    harness_expect_no_drop(h);
    harness_free(h);
}

static void forwards_by_the_longest_prefix_to_its_gateway(void **state)
{
    struct harness *h = gateway(0);

    harness_route(h, "0.0.0.0/0", harness_nexthop(h, SL_NEXTHOP_GATEWAY, DMZ, "192.0.2.7"));
    harness_route(h, "203.0.113.0/24", harness_nexthop(h, SL_NEXTHOP_GATEWAY, WAN, "198.51.100.254"));
    harness_ready(h);
    harness_send(h, LAN, from_lan("203.0.113.9"));
    harness_send(h, LAN, from_lan("203.0.114.9"));
    struct rte_mbuf *near = harness_sent(h, WAN), *far = harness_sent(h, DMZ);
    assert_non_null(near);
    assert_non_null(far);
    assert_int_equal(harness_eth_of(near)->dst[5], 254);
    assert_int_equal(harness_eth_of(far)->dst[5], 7);
    rte_pktmbuf_free(near);
    rte_pktmbuf_free(far);
    harness_free(h);
}

static void turns_a_packet_around_on_its_own_port(void **state)
{
    struct harness *h = gateway(0);

    harness_route(h, "10.9.0.0/16", harness_nexthop(h, SL_NEXTHOP_GATEWAY, LAN, "10.0.0.11"));
    harness_ready(h);
    harness_send(h, LAN, from_lan("10.9.1.1"));
    struct rte_mbuf *out = harness_sent(h, LAN);
    assert_non_null(out);
    assert_int_equal(harness_ipv4_of(out)->proto, 17); // the packet, no redirect
    rte_pktmbuf_free(out);
    assert_nothing_sent(h);
    harness_free(h);
}

static void tells_the_sender_that_there_is_no_route(void **state)
{
    struct harness *h = gateway(0);

    harness_ready(h);
    harness_send(h, LAN, from_lan("203.0.113.9"));
    harness_expect_drop(h, no_route);
    assert_error(h, SL_ICMP_UNREACHABLE, 0);
    harness_send(h, LAN, from_lan("2001:db8:9::9"));
    harness_expect_drop(h, no_route);
    assert_error(h, SL_ICMP6_UNREACHABLE, 0);
    harness_free(h);
}

static void tells_the_sender_that_a_route_rejects(void **state)
{
    struct harness *h = gateway(0);
    uint32_t reject = harness_nexthop(h, SL_NEXTHOP_REJECT, 0, NULL);

    harness_route(h, "203.0.113.0/24", reject);
    harness_route(h, "2001:db8:9::/48", reject);
    harness_ready(h);
    harness_send(h, LAN, from_lan("203.0.113.9"));
    harness_expect_drop(h, route_reject);
    assert_error(h, SL_ICMP_UNREACHABLE, 13);
    harness_send(h, LAN, from_lan("2001:db8:9::9"));
    harness_expect_drop(h, route_reject);
    assert_error(h, SL_ICMP6_UNREACHABLE, 1);
    harness_free(h);
}

static void says_nothing_about_a_blackhole(void **state)
{
    struct harness *h = gateway(0);

    harness_route(h, "203.0.113.0/24", harness_nexthop(h, SL_NEXTHOP_BLACKHOLE, 0, NULL));
    harness_ready(h);
    harness_send(h, LAN, from_lan("203.0.113.9"));
    harness_expect_drop(h, route_blackhole);
    assert_nothing_sent(h);
    harness_free(h);
}

static void takes_its_own_addresses_to_the_twin(void **state)
{
    struct harness *h = gateway(SL_PORT_TWIN);
    const char *const own[] = {"10.0.0.1", "198.51.100.1", "fd00::1", "fe80::ff:fe00:0"};

    harness_ready(h);
    for (size_t i = 0; i < RTE_DIM(own); i++) {
        harness_send(h, LAN, from_lan(own[i]));
        assert_handed(h, HANDOVER_TWIN);
    }
    harness_expect_no_drop(h);
    harness_free(h);
}

// A datagram that was put together is a chain longer than any buffer.
static void hands_a_large_datagram_to_the_twin_whole(void **state)
{
    struct harness *h = gateway(SL_PORT_TWIN);
    int twin[2];
    uint8_t got[8000];

    harness_ready(h);
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, twin), 0);
    h->house.twin[LAN] = twin[0];
    struct rte_mbuf *m = from_lan("10.0.0.1");
    uint32_t len = m->pkt_len;
    for (int piece = 0; piece < 3; piece++) {
        struct rte_mbuf *next = rte_pktmbuf_alloc(harness_pool());
        memset(rte_pktmbuf_append(next, 1480), 'a' + piece, 1480);
        assert_int_equal(rte_pktmbuf_chain(m, next), 0);
    }
    *handover_of(m) = (struct handover){.kind = HANDOVER_TWIN, .port_in = LAN};
    house_handle(&h->house, m);
    assert_int_equal(read(twin[1], got, sizeof(got)), len + 3 * 1480);
    assert_int_equal(got[len], 'a');
    assert_int_equal(got[len + 3 * 1480 - 1], 'c');
    harness_expect_no_drop(h);
    h->house.twin[LAN] = -1;
    close(twin[0]);
    close(twin[1]);
    harness_free(h);
}

static void answers_pings_to_a_pool_address_and_nothing_else(void **state)
{
    struct harness *h = gateway(0);
    struct sl_emit_ip gre = {.src = harness_ip_of("10.0.0.11"),
                             .dst = harness_ip_of("198.51.100.100"),
                             .proto = 47,
                             .payload_len = 20};

    harness_route(h, "198.51.100.100/32", harness_nexthop(h, SL_NEXTHOP_POOL, WAN, NULL));
    harness_ready(h);
    harness_send(h, LAN, harness_echo(LAN, "10.0.0.11", "198.51.100.100", 7, 1));
    struct rte_mbuf *out = harness_sent(h, LAN);
    assert_non_null(out);
    assert_int_equal(((struct sl_icmp *)harness_l4_of(out))->type, SL_ICMP_ECHO_REPLY);
    rte_pktmbuf_free(out);
    harness_expect_no_drop(h);
    harness_send(h, LAN, from_lan("198.51.100.100"));
    harness_expect_drop(h, nat_no_mapping);
    harness_send(h, LAN, harness_ip(LAN, &gre));
    harness_expect_drop(h, local_protocol);
    harness_free(h);
}

// Link-layer broadcast, as hosts send it.
static struct rte_mbuf *broadcast_from_lan(const char *dst)
{
    struct rte_mbuf *m = from_lan(dst);

    memset(harness_eth_of(m)->dst, 0xff, 6);
    return m;
}

static void gives_broadcasts_of_the_link_to_the_twin(void **state)
{
    struct harness *h = gateway(SL_PORT_TWIN);

    harness_ready(h);
    harness_send(h, LAN, broadcast_from_lan("10.0.0.255"));
    assert_handed(h, HANDOVER_TWIN);
    harness_send(h, LAN, broadcast_from_lan("255.255.255.255"));
    assert_handed(h, HANDOVER_TWIN);
    harness_expect_no_drop(h);
    harness_free(h);
}

static void forwards_no_broadcast(void **state)
{
    struct harness *h = gateway(0);

    harness_ready(h);
    harness_send(h, LAN, from_lan("198.51.100.255")); // of another link (RFC 2644)
    harness_expect_drop(h, broadcast);
    harness_send(h, LAN, broadcast_from_lan("10.0.0.255")); // of this one, but there is no twin
    harness_expect_drop(h, broadcast);
    harness_send(h, LAN, broadcast_from_lan("255.255.255.255"));
    harness_expect_drop(h, broadcast);
    assert_nothing_sent(h);
    harness_free(h);
}

static void gives_multicast_of_the_link_to_the_twin_and_drops_the_rest(void **state)
{
    struct harness *h = gateway(SL_PORT_TWIN);

    harness_ready(h);
    harness_send(h, LAN, from_lan("224.0.0.5"));
    assert_handed(h, HANDOVER_TWIN);
    harness_send(h, LAN, from_lan("ff02::5"));
    assert_handed(h, HANDOVER_TWIN);
    harness_send(h, LAN, from_lan("239.1.2.3"));
    harness_expect_drop(h, multicast);
    harness_send(h, LAN, from_lan("ff05::5"));
    harness_expect_drop(h, multicast);
    assert_nothing_sent(h);
    harness_free(h);
}

static void drops_multicast_of_the_link_where_there_is_no_twin(void **state)
{
    struct harness *h = gateway(0);

    harness_ready(h);
    harness_send(h, LAN, from_lan("224.0.0.5"));
    harness_expect_drop(h, multicast);
    harness_send(h, LAN, from_lan("ff02::5"));
    harness_expect_drop(h, multicast);
    harness_free(h);
}

static void forwards_nothing_from_or_to_a_link_local_address(void **state)
{
    struct harness *h = gateway(0);

    harness_route(h, "169.254.0.0/16", harness_nexthop(h, SL_NEXTHOP_GATEWAY, WAN, "198.51.100.254"));
    harness_ready(h);
    harness_send(h, LAN, harness_udp(LAN, "fe80::11", "2001:db8:100::21", 1, 2, 8));
    harness_expect_drop(h, link_local);
    harness_send(h, LAN, harness_udp(LAN, "169.254.3.4", "198.51.100.21", 1, 2, 8));
    harness_expect_drop(h, link_local);
    harness_send(h, LAN, from_lan("169.254.3.4"));
    harness_expect_drop(h, link_local);
    assert_nothing_sent(h);
    harness_free(h);
}

static void one_lookup_agrees_with_the_stage(void **state)
{
    struct harness *h = gateway(0);
    uint32_t gateway_index = harness_nexthop(h, SL_NEXTHOP_GATEWAY, DMZ, "192.0.2.7");
    struct sl_ip far = harness_ip_of("203.0.113.9"), own = harness_ip_of("fd00::1"),
                 none = harness_ip_of("2001::1");

    harness_route(h, "0.0.0.0/0", gateway_index);
    harness_ready(h);
    assert_int_equal(route_lookup_one(&h->tables, &far, 0), gateway_index);
    assert_int_equal(h->nexthop[route_lookup_one(&h->tables, &own, 0)].kind, SL_NEXTHOP_LOCAL);
    assert_int_equal(route_lookup_one(&h->tables, &none, 0), 0);
    harness_free(h);
}

// ---- equal-cost paths
#define FLOWS 3000

static struct harness *two_paths(void)
{
    struct harness *h = gateway(0);
    uint32_t wan = harness_nexthop(h, SL_NEXTHOP_GATEWAY, WAN, "198.51.100.254");
    uint32_t dmz = harness_nexthop(h, SL_NEXTHOP_GATEWAY, DMZ, "192.0.2.7");
    uint32_t members[3] = {wan, wan, dmz}; // weights 2 and 1

    harness_route(h, "0.0.0.0/0", harness_group(h, members, 3));
    return h;
}

static uint16_t port_taken(struct harness *h)
{
    for (uint16_t port = WAN; port <= DMZ; port++) {
        struct rte_mbuf *out = harness_sent(h, port);
        rte_pktmbuf_free(out);
        if (out)
            return port;
    }
    fail_msg("nothing was sent");
    return 0;
}

static void flows_share_equal_paths_by_weight_and_keep_theirs(void **state)
{
    struct harness *h = two_paths();
    uint8_t path[FLOWS];
    uint32_t wan = 0;

    harness_ready(h);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < FLOWS; i++) {
            harness_send(h, LAN, harness_udp(LAN, "10.0.0.11", "203.0.113.9", (uint16_t)(1024 + i), 53, 8));
            uint16_t port = port_taken(h);
            wan += port == WAN;
            if (round == 0)
                path[i] = (uint8_t)port;
            assert_int_equal(path[i], port);
        }
    }
    assert_in_range(wan, 2 * FLOWS * 60 / 100, 2 * FLOWS * 73 / 100); // two thirds
    harness_free(h);
}

static void fragments_of_a_datagram_take_one_path(void **state)
{
    struct harness *h = two_paths();

    harness_ready(h);
    for (int i = 0; i < 200; i++) {
        struct rte_mbuf *first = harness_udp(LAN, "10.0.0.11", "203.0.113.9", (uint16_t)(1024 + i), 53, 64);
        struct rte_mbuf *later = harness_udp(LAN, "10.0.0.11", "203.0.113.9", (uint16_t)(1024 + i), 53, 64);
        harness_ipv4_of(first)->fragment = sl_be16_of(SL_IPV4_MF);
        harness_ipv4_of(later)->fragment = sl_be16_of(9);
        harness_ipv4_of(first)->checksum = harness_ipv4_of(later)->checksum = 0;
        harness_ipv4_of(first)->checksum = sl_csum_ipv4_header(harness_ipv4_of(first), 20);
        harness_ipv4_of(later)->checksum = sl_csum_ipv4_header(harness_ipv4_of(later), 20);
        harness_send(h, LAN, first);
        uint16_t path = port_taken(h);
        harness_send(h, LAN, later);
        assert_int_equal(port_taken(h), path);
    }
    harness_free(h);
}

static void another_seed_chooses_otherwise(void **state)
{
    struct packet packet = {.key_proto = 17};
    uint32_t same = 0;

    for (uint16_t i = 0; i < 1000; i++) {
        packet.key.sport = i;
        same += route_hash(&packet, 1) >> 31 == route_hash(&packet, 2) >> 31;
    }
    assert_in_range(same, 400, 600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forwards_to_a_connected_neighbor_of_either_family),
        cmocka_unit_test(forwards_by_the_longest_prefix_to_its_gateway),
        cmocka_unit_test(turns_a_packet_around_on_its_own_port),
        cmocka_unit_test(tells_the_sender_that_there_is_no_route),
        cmocka_unit_test(tells_the_sender_that_a_route_rejects),
        cmocka_unit_test(says_nothing_about_a_blackhole),
        cmocka_unit_test(takes_its_own_addresses_to_the_twin),
        cmocka_unit_test(hands_a_large_datagram_to_the_twin_whole),
        cmocka_unit_test(answers_pings_to_a_pool_address_and_nothing_else),
        cmocka_unit_test(gives_broadcasts_of_the_link_to_the_twin),
        cmocka_unit_test(forwards_no_broadcast),
        cmocka_unit_test(gives_multicast_of_the_link_to_the_twin_and_drops_the_rest),
        cmocka_unit_test(drops_multicast_of_the_link_where_there_is_no_twin),
        cmocka_unit_test(forwards_nothing_from_or_to_a_link_local_address),
        cmocka_unit_test(one_lookup_agrees_with_the_stage),
        cmocka_unit_test(flows_share_equal_paths_by_weight_and_keep_theirs),
        cmocka_unit_test(fragments_of_a_datagram_take_one_path),
        cmocka_unit_test(another_seed_chooses_otherwise),
    };

    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
