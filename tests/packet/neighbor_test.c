// SPDX-License-Identifier: Apache-2.0
// ARP and neighbor discovery as the network sees them: requests for what is not known, packets that wait, answers
// for our own addresses, announcements, and what may not be believed.
#include "harness.h"
#include "neighbor/neighbor.h"

enum { LAN, WAN };

#define ARP_BYTES (14 + sizeof(struct sl_arp))
static const uint8_t server_mac[6] = {2, 0, 0, 0, 7, 21};
static const uint8_t broadcast_mac[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static struct harness *gateway(uint32_t wan_flags)
{
    struct harness *h = harness_new(1);

    harness_port(h, LAN, 0);
    harness_port(h, WAN, wan_flags);
    harness_address(h, LAN, "10.0.0.1/24");
    harness_address(h, LAN, "fd00::1/64");
    harness_address(h, WAN, "198.51.100.1/24");
    harness_address(h, WAN, "2001:db8:100::1/64");
    harness_route(h, "198.51.100.100/32", harness_nexthop(h, SL_NEXTHOP_POOL, WAN, NULL));
    harness_route(h, "203.0.113.1/32", harness_nexthop(h, SL_NEXTHOP_POOL, WAN, NULL));
    harness_neighbor(h, LAN, "10.0.0.11");
    harness_neighbor(h, LAN, "fd00::11");
    return h;
}

static void send_to_server(struct harness *h, bool v4, uint16_t sport)
{
    harness_send(h, LAN,
                 v4 ? harness_udp(LAN, "10.0.0.11", "198.51.100.21", sport, 53, 20)
                    : harness_udp(LAN, "fd00::11", "2001:db8:100::21", sport, 53, 20));
    harness_settle(h);
}

// A frame as it comes from the network on WAN, all the way through housekeeping.
static void receive(struct harness *h, struct rte_mbuf *m)
{
    harness_send(h, WAN, m);
    harness_settle(h);
}

static void tick(struct harness *h, uint32_t ms)
{
    for (; ms > 0; ms -= RTE_MIN(ms, 100u)) {
        harness_advance_ms(h, RTE_MIN(ms, 100u));
        neighbor_tick(&h->house);
        harness_settle(h);
    }
}

static struct rte_mbuf *arp(uint16_t operation, const char *sender, const char *target, const uint8_t to[6])
{
    struct rte_mbuf *m = harness_arp(operation, sender, target);

    memcpy(harness_eth_of(m)->dst, to, 6);
    memcpy(harness_eth_of(m)->src, server_mac, 6);
    memcpy(rte_pktmbuf_mtod_offset(m, struct sl_arp *, 14)->sender_mac, server_mac, 6);
    return m;
}

struct nd { // a neighbor-discovery message
    uint8_t type, flags, hop_limit;
    const char *src, *dst, *target;
    uint8_t option; // 0: none
};

static struct rte_mbuf *discovery(const struct nd *nd)
{
    struct sl_emit_ip ip = {.src = harness_ip_of(nd->src),
                            .dst = harness_ip_of(nd->dst),
                            .proto = 58,
                            .ttl = nd->hop_limit ? nd->hop_limit : 255,
                            .payload_len = nd->option ? 32 : 24};
    struct rte_mbuf *m = harness_ip(WAN, &ip);
    struct sl_ip target = harness_ip_of(nd->target);
    uint8_t *at = sl_emit_icmp(harness_l4_of(m), nd->type, 0, sl_be32_of((uint32_t)nd->flags << 24));

    memcpy(at, target.b, 16);
    if (nd->option) {
        at[16] = nd->option;
        at[17] = 1;
        memcpy(at + 18, server_mac, 6);
    }
    sl_emit_l4_checksum(harness_ipv6_of(m));
    memcpy(harness_eth_of(m)->src, server_mac, 6);
    return m;
}

static struct nd advertisement(uint8_t flags)
{
    return (struct nd){.type = SL_ICMP6_NEIGHBOR_ADVERT,
                       .flags = flags,
                       .src = "2001:db8:100::21",
                       .dst = "2001:db8:100::1",
                       .target = "2001:db8:100::21",
                       .option = 2};
}

static enum sl_neighbor_state state_of(struct harness *h, const char *ip)
{
    struct sl_ip key = harness_ip_of(ip);

    return neighbor_state(neighbor_find(h->house.neighbors, WAN, &key));
}

static void drain(struct harness *h, uint16_t port)
{
    struct rte_mbuf *m;

    while ((m = harness_sent(h, port)))
        rte_pktmbuf_free(m);
}

static uint32_t count_sent(struct harness *h, uint16_t port)
{
    uint32_t count = 0;
    struct rte_mbuf *m;

    for (; (m = harness_sent(h, port)); count++)
        rte_pktmbuf_free(m);
    return count;
}

// ---- asking
static void an_unknown_neighbor_is_asked_for_and_the_packet_follows(void **state)
{
    struct harness *h = gateway(0);

    harness_ready(h);
    send_to_server(h, true, 4000);
    struct rte_mbuf *request = harness_sent(h, WAN);
    assert_non_null(request);
    const struct sl_arp *asked = rte_pktmbuf_mtod_offset(request, const struct sl_arp *, 14);
    assert_memory_equal(harness_eth_of(request)->dst, broadcast_mac, 6);
    assert_int_equal(sl_host16(asked->operation), 1);
    assert_memory_equal(asked->sender_ip, ((uint8_t[4]){198, 51, 100, 1}), 4);
    assert_memory_equal(asked->target_ip, ((uint8_t[4]){198, 51, 100, 21}), 4);
    rte_pktmbuf_free(request);
    assert_null(harness_sent(h, WAN));
    receive(h, arp(2, "198.51.100.21", "198.51.100.1", harness_port_mac(WAN)));
    assert_int_equal(state_of(h, "198.51.100.21"), SL_NEIGHBOR_REACHABLE);
    struct rte_mbuf *packet = harness_sent(h, WAN);
    assert_non_null(packet);
    assert_memory_equal(harness_eth_of(packet)->dst, server_mac, 6);
    assert_int_equal(harness_ipv4_of(packet)->ttl, 63);
    rte_pktmbuf_free(packet);
    send_to_server(h, true, 4001); // known by now: no detour
    assert_int_equal(count_sent(h, WAN), 1);
    harness_expect_no_drop(h);
    harness_free(h);
}

static void an_unknown_ipv6_neighbor_is_solicited_and_the_packet_follows(void **state)
{
    struct harness *h = gateway(0);
    struct nd answer = advertisement(0x60);

    harness_ready(h);
    send_to_server(h, false, 4000);
    struct rte_mbuf *request = harness_sent(h, WAN);
    assert_non_null(request);
    const struct sl_ipv6 *ip = harness_ipv6_of(request);
    assert_memory_equal(harness_eth_of(request)->dst, ((uint8_t[6]){0x33, 0x33, 0xff, 0, 0, 0x21}), 6);
    assert_int_equal(ip->hop_limit, 255);
    assert_int_equal(*(uint8_t *)harness_l4_of(request), SL_ICMP6_NEIGHBOR_SOLICIT);
    assert_true(sl_check_l4_checksum(ip));
    rte_pktmbuf_free(request);
    receive(h, discovery(&answer));
    assert_int_equal(state_of(h, "2001:db8:100::21"), SL_NEIGHBOR_REACHABLE);
    struct rte_mbuf *packet = harness_sent(h, WAN);
    assert_non_null(packet);
    assert_memory_equal(harness_eth_of(packet)->dst, server_mac, 6);
    rte_pktmbuf_free(packet);
    harness_expect_no_drop(h);
    harness_free(h);
}

static void senders_are_told_when_nobody_answers(void **state)
{
    for (int v4 = 0; v4 < 2; v4++) {
        struct harness *h = gateway(0);
        harness_ready(h);
        neighbor_tick(&h->house); // announcements are not looked at here
        send_to_server(h, v4, 4000);
        drain(h, WAN);
        tick(h, 4000);
        harness_expect_drop(h, neighbor_unresolved);
        struct rte_mbuf *error = harness_sent(h, LAN);
        while (error &&
               harness_eth_of(error)->type != sl_be16_of(v4 ? SL_ETHERTYPE_IPV4 : SL_ETHERTYPE_IPV6)) {
            rte_pktmbuf_free(error); // announcements on LAN
            error = harness_sent(h, LAN);
        }
        assert_non_null(error);
        rte_pktmbuf_free(error);
        harness_free(h);
    }
}

static void packets_to_nobody_are_rejected_at_once_for_a_while(void **state)
{
    struct harness *h = gateway(0);

    harness_ready(h);
    send_to_server(h, true, 4000);
    tick(h, 4000);
    harness_expect_drop(h, neighbor_unresolved);
    drain(h, LAN);
    drain(h, WAN);
    send_to_server(h, true, 4001);
    harness_expect_drop(h, neighbor_unresolved);
    struct rte_mbuf *error = harness_sent(h, LAN);
    assert_non_null(error);
    assert_int_equal(((struct sl_icmp *)harness_l4_of(error))->type, SL_ICMP_UNREACHABLE);
    assert_int_equal(((struct sl_icmp *)harness_l4_of(error))->code, 1);
    rte_pktmbuf_free(error);
    assert_int_equal(count_sent(h, WAN), 0);
    tick(h, 4000);
    drain(h, WAN);
    send_to_server(h, true, 4002); // forgotten: asked for again
    assert_int_equal(count_sent(h, WAN), 1);
    harness_free(h);
}

static void of_too_many_that_wait_the_newest_are_kept(void **state)
{
    struct harness *h = gateway(0);

    harness_ready(h);
    for (uint16_t i = 0; i < 11; i++)
        send_to_server(h, true, (uint16_t)(4000 + i));
    harness_expect_drops(h, SL_DROP_neighbor_queue_full, 3);
    drain(h, WAN);
    receive(h, arp(2, "198.51.100.21", "198.51.100.1", harness_port_mac(WAN)));
    for (uint16_t i = 3; i < 11; i++) {
        struct rte_mbuf *m = harness_sent(h, WAN);
        assert_non_null(m);
        assert_int_equal(sl_host16(((struct sl_udp *)harness_l4_of(m))->sport), 4000 + i);
        rte_pktmbuf_free(m);
    }
    harness_free(h);
}

static void a_full_table_of_living_neighbors_takes_no_more(void **state)
{
    struct harness *h = gateway(0);
    char dst[SL_IP_TEXT];

    harness_ready(h);
    for (int i = 0; i < 62; i++) { // and two static ones: the harness's table holds 64
        snprintf(dst, sizeof(dst), "198.51.100.%d", 110 + i);
        harness_send(h, LAN, harness_udp(LAN, "10.0.0.11", dst, 4000, 53, 20));
        harness_settle(h);
    }
    harness_expect_no_drop(h);
    send_to_server(h, true, 4000);
    harness_expect_drop(h, neighbor_table_full);
    harness_free(h);
}

static void requests_in_all_are_limited(void **state)
{
    struct harness *h = gateway(0);

    harness_ready(h);
    for (int round = 0; round < 20; round++) {
        struct sl_ip none = {0};
        for (int i = 0; i < 60; i++) {
            char dst[SL_IP_TEXT];
            snprintf(dst, sizeof(dst), "198.51.100.%d", 110 + i);
            harness_send(h, LAN, harness_udp(LAN, "10.0.0.11", dst, 4000, 53, 20));
        }
        harness_settle(h);
        neighbor_flush(&h->house, UINT16_MAX, &none);
        harness_settle(h);
        drain(h, WAN);
        drain(h, LAN);
    }
    assert_in_range(harness_counted(h, SL_COUNTER_neighbor_request_sent), 200, 256);
    harness_free(h);
}

static void a_neighbor_in_use_is_probed_without_a_packet_lost(void **state)
{
    struct harness *h = gateway(0);
    uint32_t probes = 0;

    harness_ready(h);
    send_to_server(h, true, 4000);
    receive(h, arp(2, "198.51.100.21", "198.51.100.1", harness_port_mac(WAN)));
    tick(h, 5000);
    drain(h, WAN);
    for (int second = 0; second < 200; second++) {
        send_to_server(h, true, 4000);
        uint32_t packets = 0;
        tick(h, 1000);
        for (struct rte_mbuf *m; (m = harness_sent(h, WAN)); rte_pktmbuf_free(m)) {
            packets += harness_eth_of(m)->type == sl_be16_of(SL_ETHERTYPE_IPV4);
            if (harness_eth_of(m)->type != sl_be16_of(SL_ETHERTYPE_ARP))
                continue;
            assert_memory_equal(harness_eth_of(m)->dst, server_mac, 6); // by unicast
            probes++;
            receive(h, arp(2, "198.51.100.21", "198.51.100.1", harness_port_mac(WAN)));
        }
        assert_int_equal(packets, 1);
    }
    assert_in_range(probes, 3, 15); // every 15 to 45 seconds
    harness_expect_no_drop(h);
    harness_free(h);
}

// ---- answering
static struct rte_mbuf *answer_to(struct harness *h, struct rte_mbuf *question)
{
    receive(h, question);
    return harness_sent(h, WAN);
}

static void requests_for_our_addresses_are_answered(void **state)
{
    struct harness *h = gateway(SL_PORT_TWIN);
    const char *const own[] = {"198.51.100.1", "198.51.100.100"}; // the port's, a pool's

    harness_ready(h);
    for (size_t i = 0; i < RTE_DIM(own); i++) {
        struct rte_mbuf *reply = answer_to(h, arp(1, "198.51.100.21", own[i], broadcast_mac));
        assert_non_null(reply);
        const struct sl_arp *said = rte_pktmbuf_mtod_offset(reply, const struct sl_arp *, 14);
        assert_memory_equal(harness_eth_of(reply)->dst, server_mac, 6);
        assert_int_equal(sl_host16(said->operation), 2);
        assert_memory_equal(said->sender_mac, harness_port_mac(WAN), 6);
        assert_memory_equal(said->target_ip, ((uint8_t[4]){198, 51, 100, 21}), 4);
        rte_pktmbuf_free(reply);
    }
    harness_expect_no_drop(h);
    harness_free(h);
}

static void requests_for_what_is_not_ours_here_are_not_answered(void **state)
{
    struct harness *h = gateway(0);
    // another host's; ours on another link; a pool address that this link's hosts reach by a route
    const char *const others[] = {"198.51.100.22", "10.0.0.1", "203.0.113.1"};

    harness_ready(h);
    for (size_t i = 0; i < RTE_DIM(others); i++)
        assert_null(answer_to(h, arp(1, "198.51.100.21", others[i], broadcast_mac)));
    harness_expect_no_drop(h);
    harness_free(h);
}

static void an_address_probe_is_answered(void **state)
{
    struct harness *h = gateway(0);

    harness_ready(h);
    struct rte_mbuf *reply = answer_to(h, arp(1, "0.0.0.0", "198.51.100.1", broadcast_mac));
    assert_non_null(reply);
    rte_pktmbuf_free(reply);
    harness_free(h);
}

static void solicitations_for_our_addresses_are_answered(void **state)
{
    struct harness *h = gateway(0);
    struct nd ask[] = {
        {.src = "2001:db8:100::21", .dst = "ff02::1:ff00:1", .target = "2001:db8:100::1", .option = 1},
        {.src = "fe80::21", .dst = "ff02::1:ff00:1", .target = "fe80::ff:fe00:1", .option = 1},
        {.src = "2001:db8:100::21",
         .dst = "2001:db8:100::1",
         .target = "2001:db8:100::1"}, // a probe, no option
    };

    harness_ready(h);
    for (size_t i = 0; i < RTE_DIM(ask); i++) {
        ask[i].type = SL_ICMP6_NEIGHBOR_SOLICIT;
        struct rte_mbuf *reply = answer_to(h, discovery(&ask[i]));
        assert_non_null(reply);
        const uint8_t *message = harness_l4_of(reply);
        assert_memory_equal(harness_eth_of(reply)->dst, server_mac, 6);
        assert_int_equal(message[0], SL_ICMP6_NEIGHBOR_ADVERT);
        assert_int_equal(message[4], 0xe0); // router, solicited, override
        assert_memory_equal(message + 26, harness_port_mac(WAN), 6);
        assert_true(sl_check_l4_checksum(harness_ipv6_of(reply)));
        rte_pktmbuf_free(reply);
    }
    harness_expect_no_drop(h);
    harness_free(h);
}

static void duplicate_address_detection_is_answered_to_all_nodes(void **state)
{
    struct harness *h = gateway(0);
    struct nd ask = {
        .type = SL_ICMP6_NEIGHBOR_SOLICIT, .src = "::", .dst = "ff02::1:ff00:1", .target = "2001:db8:100::1"};

    harness_ready(h);
    struct rte_mbuf *reply = answer_to(h, discovery(&ask));
    assert_non_null(reply);
    assert_memory_equal(harness_eth_of(reply)->dst, ((uint8_t[6]){0x33, 0x33, 0, 0, 0, 1}), 6);
    assert_int_equal(((const uint8_t *)harness_l4_of(reply))[4], 0xa0); // router, override; not solicited
    rte_pktmbuf_free(reply);
    harness_free(h);
}

// ---- believing
static void nothing_is_learned_from_strangers(void **state)
{
    struct harness *h = gateway(0);
    struct nd advert = advertisement(0x60);

    harness_ready(h);
    uint32_t before = h->neighbor_segment->used;
    receive(h, arp(2, "198.51.100.50", "198.51.100.1", harness_port_mac(WAN)));
    receive(h, arp(1, "198.51.100.51", "198.51.100.1", broadcast_mac));
    receive(h, discovery(&advert));
    assert_int_equal(h->neighbor_segment->used, before);
    drain(h, WAN);
    harness_expect_no_drop(h);
    harness_free(h);
}

static void gratuitous_arp_moves_a_known_neighbor(void **state)
{
    struct harness *h = gateway(0);
    struct sl_ip ip = harness_ip_of("198.51.100.21");

    harness_ready(h);
    send_to_server(h, true, 4000);
    receive(h, arp(2, "198.51.100.21", "198.51.100.1", harness_port_mac(WAN)));
    struct rte_mbuf *moved = arp(1, "198.51.100.21", "198.51.100.21", broadcast_mac);
    harness_eth_of(moved)->src[5] = 99;
    rte_pktmbuf_mtod_offset(moved, struct sl_arp *, 14)->sender_mac[5] = 99;
    receive(h, moved);
    uint64_t word = neighbor_find(h->house.neighbors, WAN, &ip);
    assert_int_equal(neighbor_state(word), SL_NEIGHBOR_STALE);
    assert_int_equal((uint8_t)(word >> 40), 99);
    drain(h, WAN);
    harness_free(h);
}

static void what_cannot_be_is_dropped(void **state)
{
    struct harness *h = gateway(0);
    struct nd far = advertisement(0x60), many = advertisement(0x60), own = advertisement(0x20);
    struct nd dad = {.type = SL_ICMP6_NEIGHBOR_SOLICIT,
                     .src = "::",
                     .dst = "2001:db8:100::1",
                     .target = "2001:db8:100::1"};
    struct nd group = {.type = SL_ICMP6_NEIGHBOR_SOLICIT,
                       .src = "fe80::21",
                       .dst = "ff02::1",
                       .target = "ff02::5",
                       .option = 1};
    struct rte_mbuf *bad[8];

    far.hop_limit = 254;            // came through a router
    many.dst = "ff02::1";           // solicited, yet to everybody
    own.target = "2001:db8:100::1"; // our address
    bad[0] = discovery(&far);
    bad[1] = discovery(&many);
    bad[2] = discovery(&own);
    bad[3] = discovery(&dad);
    bad[4] = discovery(&group);
    bad[5] = arp(9, "198.51.100.21", "198.51.100.1", broadcast_mac);
    bad[6] = arp(2, "198.51.100.1", "198.51.100.1", broadcast_mac); // our address
    bad[7] = arp(1, "198.51.100.21", "198.51.100.1", broadcast_mac);
    rte_pktmbuf_mtod_offset(bad[7], struct sl_arp *, 14)->sender_mac[0] = 1; // a group's MAC
    harness_ready(h);
    for (size_t i = 0; i < RTE_DIM(bad); i++) {
        receive(h, bad[i]);
        harness_expect_drop(h, neighbor_bad);
        assert_null(harness_sent(h, WAN));
    }
    struct nd zero = advertisement(0x60);
    struct rte_mbuf *option = discovery(&zero);
    ((uint8_t *)harness_l4_of(option))[25] = 0; // an option of length 0
    sl_emit_l4_checksum(harness_ipv6_of(option));
    receive(h, option);
    harness_expect_drop(h, neighbor_bad);
    harness_free(h);
}

// ---- announcing
static void our_addresses_are_announced_twice_when_they_are_new(void **state)
{
    struct harness *h = gateway(0);

    harness_ready(h);
    tick(h, 100);
    assert_int_equal(count_sent(h, WAN), 3); // fe80::, 198.51.100.1, 2001:db8:100::1
    tick(h, 2500);
    assert_int_equal(count_sent(h, WAN), 3);
    tick(h, 10000);
    assert_int_equal(count_sent(h, WAN), 0);
    harness_address(h, WAN, "198.51.100.2/32");
    harness_ready(h);
    tick(h, 100);
    struct rte_mbuf *m = harness_sent(h, WAN);
    assert_non_null(m);
    const struct sl_arp *said = rte_pktmbuf_mtod_offset(m, const struct sl_arp *, 14);
    assert_memory_equal(said->sender_ip, ((uint8_t[4]){198, 51, 100, 2}), 4);
    assert_memory_equal(said->target_ip, said->sender_ip, 4);
    rte_pktmbuf_free(m);
    assert_null(harness_sent(h, WAN));
    drain(h, LAN);
    harness_free(h);
}

static void a_port_that_comes_up_announces_itself(void **state)
{
    struct harness *h = gateway(0);

    harness_ready(h);
    tick(h, 10000);
    drain(h, WAN);
    harness_port_up(h, WAN, false);
    tick(h, 1000);
    assert_int_equal(count_sent(h, WAN), 0);
    harness_port_up(h, WAN, true);
    tick(h, 100);
    assert_int_equal(count_sent(h, WAN), 3);
    drain(h, LAN);
    harness_free(h);
}

static void pool_addresses_of_the_subnet_are_announced_too(void **state)
{
    struct harness *h = gateway(0);
    struct {
        struct sl_nat_table table;
        sl_be32 address[3];
    } nat = {.table = {.address_count = 3}};

    nat.table.address_offset = offsetof(typeof(nat), address);
    for (uint32_t i = 0; i < 2; i++)
        nat.address[i] = sl_be32_of(0xc6336464 + i); // 198.51.100.100, .101
    nat.address[2] = sl_be32_of(0xcb007101);         // 203.0.113.1: of no subnet here
    h->tables.nat = &nat.table;
    harness_ready(h);
    tick(h, 100);
    assert_int_equal(count_sent(h, WAN), 3 + 2);
    drain(h, LAN);
    h->tables.nat = NULL;
    harness_free(h);
}

// ---- static entries, flush, ports gone
static void static_entries_come_and_go_with_the_config(void **state)
{
    struct harness *h = gateway(0);

    harness_neighbor(h, WAN, "198.51.100.21");
    harness_ready(h);
    assert_int_equal(state_of(h, "198.51.100.21"), SL_NEIGHBOR_STATIC);
    receive(h, arp(2, "198.51.100.21", "198.51.100.1", harness_port_mac(WAN)));
    assert_int_equal(state_of(h, "198.51.100.21"), SL_NEIGHBOR_STATIC);
    h->neighbor_count--;
    harness_ready(h);
    assert_int_equal(state_of(h, "198.51.100.21"), SL_NEIGHBOR_STALE);
    harness_free(h);
}

static void a_flush_forgets_all_but_static_entries(void **state)
{
    struct harness *h = gateway(0);
    struct sl_ip any = {0}, one = harness_ip_of("198.51.100.21"), fixed = harness_ip_of("10.0.0.11");

    harness_ready(h);
    send_to_server(h, true, 4000);
    receive(h, arp(2, "198.51.100.21", "198.51.100.1", harness_port_mac(WAN)));
    drain(h, WAN);
    assert_int_equal(neighbor_flush(&h->house, LAN, &one), 0);
    assert_int_equal(neighbor_flush(&h->house, UINT16_MAX, &any), 1);
    assert_int_equal(state_of(h, "198.51.100.21"), SL_NEIGHBOR_FREE);
    assert_int_equal(neighbor_state(neighbor_find(h->house.neighbors, LAN, &fixed)), SL_NEIGHBOR_STATIC);
    harness_free(h);
}

static void neighbors_of_a_port_that_is_gone_are_forgotten(void **state)
{
    struct harness *h = gateway(0);

    harness_ready(h);
    send_to_server(h, true, 4000);
    receive(h, arp(2, "198.51.100.21", "198.51.100.1", harness_port_mac(WAN)));
    drain(h, WAN);
    h->port[WAN].name[0] = '\0';
    harness_ready(h);
    assert_int_equal(state_of(h, "198.51.100.21"), SL_NEIGHBOR_FREE);
    harness_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_neighbor_is_asked_for_and_the_packet_follows),
        cmocka_unit_test(an_unknown_ipv6_neighbor_is_solicited_and_the_packet_follows),
        cmocka_unit_test(senders_are_told_when_nobody_answers),
        cmocka_unit_test(packets_to_nobody_are_rejected_at_once_for_a_while),
        cmocka_unit_test(of_too_many_that_wait_the_newest_are_kept),
        cmocka_unit_test(a_full_table_of_living_neighbors_takes_no_more),
        cmocka_unit_test(requests_in_all_are_limited),
        cmocka_unit_test(a_neighbor_in_use_is_probed_without_a_packet_lost),
        cmocka_unit_test(requests_for_our_addresses_are_answered),
        cmocka_unit_test(requests_for_what_is_not_ours_here_are_not_answered),
        cmocka_unit_test(an_address_probe_is_answered),
        cmocka_unit_test(solicitations_for_our_addresses_are_answered),
        cmocka_unit_test(duplicate_address_detection_is_answered_to_all_nodes),
        cmocka_unit_test(nothing_is_learned_from_strangers),
        cmocka_unit_test(gratuitous_arp_moves_a_known_neighbor),
        cmocka_unit_test(what_cannot_be_is_dropped),
        cmocka_unit_test(our_addresses_are_announced_twice_when_they_are_new),
        cmocka_unit_test(a_port_that_comes_up_announces_itself),
        cmocka_unit_test(pool_addresses_of_the_subnet_are_announced_too),
        cmocka_unit_test(static_entries_come_and_go_with_the_config),
        cmocka_unit_test(a_flush_forgets_all_but_static_entries),
        cmocka_unit_test(neighbors_of_a_port_that_is_gone_are_forgotten),
    };

    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
