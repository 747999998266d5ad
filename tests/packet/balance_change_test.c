// SPDX-License-Identifier: Apache-2.0
// What becomes of flows when weights, members, pools and tables change: they stay with their member, unless it is taken
// away from them.
#include "harness_balance.h"

#define CLIENT BALANCE_CLIENT
#define FLOWS  40

static struct harness_balance *gateway(uint32_t members, enum sl_balance_on_down on_down)
{
    struct harness_balance *b = harness_balance_new(1, 256);
    harness_balance_simple(b, SL_BALANCE_MAGLEV, members);
    b->pool[0].on_down = on_down;
    harness_balance_ready(b);
    return b;
}

static void connect_all(struct harness_balance *b, uint32_t member[FLOWS])
{
    for (uint16_t i = 0; i < FLOWS; i++) {
        char ip[SL_IP_TEXT];
        member[i] = harness_balance_tcp(b, CLIENT, (uint16_t)(4000 + i), SL_TCP_SYN);
        snprintf(ip, sizeof(ip), "10.1.0.%u", member[i]);
        struct rte_mbuf *m =
            harness_tcp(NAT_LAN, ip, CLIENT, 8080, (uint16_t)(4000 + i), SL_TCP_SYN | SL_TCP_ACK, 0);
        rte_pktmbuf_free(harness_balance_through(b, NAT_LAN, m, NAT_WAN));
        harness_balance_tcp(b, CLIENT, (uint16_t)(4000 + i), SL_TCP_ACK);
    }
}

static void all_stay(struct harness_balance *b, const uint32_t member[FLOWS])
{
    for (uint16_t i = 0; i < FLOWS; i++)
        assert_int_equal(harness_balance_tcp(b, CLIENT, (uint16_t)(4000 + i), SL_TCP_ACK), member[i]);
    harness_expect_no_drop(b->h);
}

// A flow that a member of this number (last byte of its address) has.
static uint16_t port_of(const uint32_t member[FLOWS], uint32_t wanted)
{
    for (uint16_t i = 0; i < FLOWS; i++)
        if (member[i] == wanted)
            return (uint16_t)(4000 + i);
    fail_msg("member %u has no flow", wanted);
    return 0;
}

static uint32_t flows_of(const struct harness_balance *b, uint32_t slot)
{
    return harness_balance_member_sum(b, slot).flows_now;
}

static void weights_move_nobody(void **state)
{
    struct harness_balance *b = gateway(4, SL_BALANCE_KEEP);
    uint32_t member[FLOWS];
    connect_all(b, member);
    for (uint16_t i = 0; i < 60; i++) {
        harness_balance_set(b, 0, i % 4, SL_BALANCE_UP, (uint16_t)(i * 37 % 11));
        all_stay(b, member);
    }
    harness_balance_free(b);
}

static void members_that_come_move_nobody(void **state)
{
    struct harness_balance *b = gateway(3, SL_BALANCE_KEEP);
    uint32_t member[FLOWS];
    connect_all(b, member);
    harness_balance_member(b, 0, "10.1.0.77", 8080, 5);
    harness_balance_ready(b);
    all_stay(b, member);
    harness_balance_free(b);
}

// The same members at other places of another table.
static void tables_that_change_move_nobody(void **state)
{
    struct harness_balance *b = gateway(3, SL_BALANCE_KEEP);
    uint32_t member[FLOWS];
    connect_all(b, member);
    struct sl_balance_member first = b->member[0];
    b->member[0] = b->member[2];
    b->member[2] = first;
    b->service[0].timeout_established_s = 100;
    harness_balance_ready(b);
    all_stay(b, member);
    uint32_t sum = flows_of(b, 0) + flows_of(b, 1) + flows_of(b, 2);
    assert_int_equal(sum, FLOWS);
    harness_balance_free(b);
}

static void removed_members_lose_their_flows(void **state)
{
    struct harness_balance *b = gateway(3, SL_BALANCE_KEEP);
    uint32_t member[FLOWS], left = 0;
    connect_all(b, member);
    b->pool[0].count = b->input.member_count = 2; // of slot 2, 10.1.0.3
    harness_balance_ready(b);
    for (uint32_t i = 0; i < FLOWS; i++)
        left += member[i] != 3;
    assert_int_equal(harness_nat_flows(b->n), left);
    assert_int_equal(harness_counted(b->h, SL_COUNTER_flow_withdrawn), FLOWS - left);
    harness_balance_free(b);
}

// A slot given to another address is another member.
static void slots_that_are_given_away_take_no_flows_along(void **state)
{
    struct harness_balance *b = gateway(3, SL_BALANCE_KEEP);
    uint32_t member[FLOWS];
    connect_all(b, member);
    uint32_t before = flows_of(b, 2);
    b->member[2].ip = harness_ip_of("10.1.0.99");
    harness_balance_ready(b);
    assert_int_equal(harness_nat_flows(b->n), FLOWS - before);
    assert_int_equal(flows_of(b, 2), 0);
    harness_balance_free(b);
}

static void withdrawn_addresses_end_their_flows(void **state)
{
    struct harness_balance *b = gateway(3, SL_BALANCE_KEEP);
    uint32_t member[FLOWS];
    connect_all(b, member);
    b->listen[0].ip = b->listen[1].ip = harness_ip_of("198.51.100.106");
    harness_balance_ready(b);
    assert_int_equal(harness_nat_flows(b->n), 0);
    harness_balance_free(b);
}

static void without_services_no_flow_is_left(void **state)
{
    struct harness_balance *b = gateway(3, SL_BALANCE_KEEP);
    uint32_t member[FLOWS];
    struct tables before = b->h->tables;
    connect_all(b, member);
    b->h->tables.balance = NULL;
    assert_int_equal(balance_share_bind(b->share, &b->h->tables, 1, NULL), 0);
    harness_nat_ready(b->n);
    balance_tables_taken(b->h->worker[0], &before);
    balance_share_unbind(&before);
    all_stay(b, member); // until the sweep comes to them
    harness_nat_tick(b->n);
    assert_int_equal(harness_nat_flows(b->n), 0);
    harness_balance_free(b);
}

// ---- drain --------------------------------------------------------------------------------------------------
static void drain_keeps_flows_and_gets_no_new_ones(void **state)
{
    struct harness_balance *b = gateway(3, SL_BALANCE_RESET);
    uint32_t member[FLOWS];
    connect_all(b, member);
    uint32_t before = flows_of(b, 1);
    harness_balance_set(b, 0, 1, SL_BALANCE_DRAIN, 1);
    all_stay(b, member);
    for (uint16_t i = 0; i < 50; i++)
        assert_int_not_equal(harness_balance_tcp(b, CLIENT, (uint16_t)(5000 + i), SL_TCP_SYN), 2);
    assert_int_equal(flows_of(b, 1), before);
    harness_advance_ms(b->h, 7500000);
    harness_nat_tick(b->n);
    assert_int_equal(flows_of(b, 1), 0);
    harness_balance_free(b);
}

// ---- down ---------------------------------------------------------------------------------------------------
static void down_keeps_where_the_pool_says_so(void **state)
{
    struct harness_balance *b = gateway(3, SL_BALANCE_KEEP);
    uint32_t member[FLOWS];
    connect_all(b, member);
    harness_balance_set(b, 0, 1, SL_BALANCE_DOWN, 1);
    all_stay(b, member);
    harness_balance_set(b, 0, 1, SL_BALANCE_UP, 1);
    all_stay(b, member);
    harness_balance_free(b);
}

static void segment_is(struct rte_mbuf *m, const char *src, const char *dst, uint16_t sport, uint16_t dport,
                       uint32_t seq)
{
    assert_non_null(m);
    const struct sl_tcp *tcp = harness_l4_of(m);
    harness_nat_check(m);
    assert_true(tcp->flags & SL_TCP_RST);
    assert_int_equal(sl_host32(tcp->seq), seq);
    struct ends6 ends = harness_balance_ends(m);
    assert_int_equal(ends.src.w[3], ip4(src));
    assert_int_equal(ends.dst.w[3], ip4(dst));
    assert_int_equal(ends.sport, sport);
    assert_int_equal(ends.dport, dport);
}

static struct rte_mbuf *numbered(struct rte_mbuf *m, uint32_t seq, uint32_t ack)
{
    struct sl_tcp *tcp = harness_l4_of(m);
    tcp->seq = sl_be32_of(seq);
    tcp->ack = sl_be32_of(ack);
    harness_fix_checksums(m);
    return m;
}

// Each end's next segment resets both ends, with numbers that they accept.
static void both_ends_are_reset(struct harness_balance *b, uint16_t port)
{
    struct rte_mbuf *m =
        numbered(harness_tcp(NAT_WAN, CLIENT, BALANCE_VIP, port, 80, SL_TCP_ACK, 10), 1000, 2000);
    harness_send(b->h, NAT_WAN, m);
    segment_is(harness_sent(b->h, NAT_WAN), BALANCE_VIP, CLIENT, 80, port, 2000);
    segment_is(harness_sent(b->h, NAT_LAN), CLIENT, "10.1.0.2", port, 8080, 1000);
    harness_expect_drop(b->h, balance_cut);
    m = numbered(harness_tcp(NAT_LAN, "10.1.0.2", CLIENT, 8080, port, SL_TCP_ACK, 10), 2000, 1000);
    harness_send(b->h, NAT_LAN, m);
    segment_is(harness_sent(b->h, NAT_LAN), CLIENT, "10.1.0.2", port, 8080, 1000);
    segment_is(harness_sent(b->h, NAT_WAN), BALANCE_VIP, CLIENT, 80, port, 2000);
    harness_expect_drop(b->h, balance_cut);
}

static void down_resets_where_the_pool_says_so(void **state)
{
    struct harness_balance *b = gateway(3, SL_BALANCE_RESET);
    uint32_t member[FLOWS];
    connect_all(b, member);
    uint32_t before = flows_of(b, 1);
    harness_balance_set(b, 0, 1, SL_BALANCE_DOWN, 1);
    assert_int_equal(flows_of(b, 1), 0);
    assert_int_equal(harness_balance_member_sum(b, 1).moved, before);
    both_ends_are_reset(b, port_of(member, 2));
    harness_advance_ms(b->h, 242000);
    harness_nat_tick(b->n);
    assert_int_equal(harness_nat_flows(b->n), FLOWS - before);
    harness_balance_free(b);
}

static void cut_connections_may_be_made_again(void **state)
{
    struct harness_balance *b = gateway(3, SL_BALANCE_RESET);
    uint32_t member[FLOWS];
    connect_all(b, member);
    harness_balance_set(b, 0, 1, SL_BALANCE_DOWN, 1);
    uint32_t again = harness_balance_tcp(b, CLIENT, port_of(member, 2), SL_TCP_SYN);
    assert_true(again == 1 || again == 3);
    assert_int_equal(harness_nat_flows(b->n), FLOWS);
    harness_expect_no_drop(b->h);
    harness_balance_free(b);
}

static void close_from_both_sides(struct harness_balance *b, const uint32_t member[FLOWS])
{
    for (uint16_t i = 0; i < FLOWS; i++) {
        char ip[SL_IP_TEXT];
        harness_balance_tcp(b, CLIENT, (uint16_t)(4000 + i), SL_TCP_FIN | SL_TCP_ACK);
        snprintf(ip, sizeof(ip), "10.1.0.%u", member[i]);
        struct rte_mbuf *m =
            harness_tcp(NAT_LAN, ip, CLIENT, 8080, (uint16_t)(4000 + i), SL_TCP_FIN | SL_TCP_ACK, 0);
        rte_pktmbuf_free(harness_balance_through(b, NAT_LAN, m, NAT_WAN));
    }
}

// A client's ports come round within minutes, before the flow of the connection before has timed out.
static void ports_of_closed_connections_are_balanced_anew(void **state)
{
    struct harness_balance *b = gateway(3, SL_BALANCE_KEEP);
    uint32_t member[FLOWS];
    connect_all(b, member);
    harness_balance_set(b, 0, 0, SL_BALANCE_DRAIN, 1);
    uint16_t port = port_of(member, 1);
    assert_int_equal(harness_balance_tcp(b, CLIENT, port, SL_TCP_SYN), 1); // open: a SYN changes nothing
    close_from_both_sides(b, member);
    for (uint16_t i = 0; i < FLOWS; i++)
        assert_int_not_equal(harness_balance_tcp(b, CLIENT, (uint16_t)(4000 + i), SL_TCP_SYN), 1);
    assert_int_equal(flows_of(b, 0), 0);
    harness_expect_no_drop(b->h);
    harness_balance_free(b);
}

static void connect_to(struct harness_balance *b, const char *vip, uint8_t flags)
{
    struct rte_mbuf *m = harness_tcp(NAT_WAN, CLIENT, vip, 4000, 80, flags, 0);

    rte_pktmbuf_free(harness_balance_through(b, NAT_WAN, m, NAT_LAN));
}

// Both addresses lead to one member, and the client's kernel uses one port for both: to the member they look the same.
static void a_closed_connection_makes_room_for_one_to_another_address(void **state)
{
    struct harness_balance *b = harness_balance_new(1, 256);
    harness_balance_simple(b, SL_BALANCE_MAGLEV, 1);
    harness_balance_listen(b, 0, "203.0.113.81", IPPROTO_TCP, 80, 80);
    harness_balance_ready(b);
    connect_to(b, BALANCE_VIP, SL_TCP_SYN);
    struct rte_mbuf *m = harness_tcp(NAT_WAN, CLIENT, "203.0.113.81", 4000, 80, SL_TCP_SYN, 0);
    harness_send(b->h, NAT_WAN, m); // the other is open
    harness_expect_drop(b->h, nat_conflict);
    struct rte_mbuf *answer =
        harness_tcp(NAT_LAN, "10.1.0.1", CLIENT, 8080, 4000, SL_TCP_SYN | SL_TCP_ACK, 0);
    rte_pktmbuf_free(harness_balance_through(b, NAT_LAN, answer, NAT_WAN));
    connect_to(b, BALANCE_VIP, SL_TCP_ACK);
    connect_to(b, BALANCE_VIP, SL_TCP_RST);
    connect_to(b, "203.0.113.81", SL_TCP_SYN);
    assert_int_equal(harness_nat_flows(b->n), 1);
    assert_int_equal(flows_of(b, 0), 1);
    harness_expect_no_drop(b->h);
    harness_balance_free(b);
}

static void resets_of_a_cut_connection_pass(void **state)
{
    struct harness_balance *b = gateway(3, SL_BALANCE_RESET);
    uint32_t member[FLOWS];
    connect_all(b, member);
    harness_balance_set(b, 0, 1, SL_BALANCE_DOWN, 1);
    assert_int_equal(harness_balance_tcp(b, CLIENT, port_of(member, 2), SL_TCP_RST), 2);
    harness_expect_no_drop(b->h);
    harness_balance_free(b);
}

static void down_moves_where_the_pool_says_so(void **state)
{
    struct harness_balance *b = gateway(3, SL_BALANCE_MOVE);
    uint32_t member[FLOWS];
    connect_all(b, member);
    harness_balance_set(b, 0, 1, SL_BALANCE_DOWN, 1);
    for (uint16_t i = 0; i < FLOWS; i++) {
        uint32_t now = harness_balance_tcp(b, CLIENT, (uint16_t)(4000 + i), SL_TCP_ACK);
        assert_true(member[i] == 2 ? now == 1 || now == 3 : now == member[i]);
    }
    assert_int_equal(flows_of(b, 0) + flows_of(b, 2), FLOWS);
    harness_expect_no_drop(b->h);
    harness_balance_free(b);
}

// ---- flush --------------------------------------------------------------------------------------------------
static void flush_cuts_at_once(void **state)
{
    struct harness_balance *b = gateway(3, SL_BALANCE_KEEP);
    uint32_t member[FLOWS];
    connect_all(b, member);
    harness_balance_set(b, 0, 1, SL_BALANCE_FLUSH, 1);
    assert_int_equal(flows_of(b, 1), 0);
    both_ends_are_reset(b, port_of(member, 2));
    harness_balance_free(b);
}

static void flushed_datagrams_go_elsewhere(void **state)
{
    struct harness_balance *b = gateway(2, SL_BALANCE_KEEP);
    uint16_t port = 1;
    while (harness_balance_udp(b, CLIENT, port) != 2)
        port++;
    harness_balance_set(b, 0, 1, SL_BALANCE_FLUSH, 1);
    assert_int_equal(flows_of(b, 1), 0);
    assert_int_equal(harness_balance_udp(b, CLIENT, port), 1);
    harness_expect_no_drop(b->h);
    harness_balance_free(b);
}

// A burst as full as it gets has no room for resets to the other ends: those learn of it when they speak themselves.
static void full_bursts_of_cut_flows_are_answered(void **state)
{
    struct harness_balance *b = gateway(1, SL_BALANCE_KEEP);
    struct rte_mbuf *frame[BURST_MAX], *m;
    uint32_t resets = 0;
    for (uint16_t i = 0; i < BURST_MAX; i++)
        assert_int_equal(harness_balance_tcp(b, CLIENT, (uint16_t)(4000 + i), SL_TCP_SYN), 1);
    harness_balance_set(b, 0, 0, SL_BALANCE_FLUSH, 1);
    for (uint16_t i = 0; i < BURST_MAX; i++)
        frame[i] = harness_tcp(NAT_WAN, CLIENT, BALANCE_VIP, (uint16_t)(4000 + i), 80, SL_TCP_ACK, 0);
    harness_send_to(b->h, 0, NAT_WAN, frame, BURST_MAX);
    for (; (m = harness_sent(b->h, NAT_WAN)) != NULL; resets++)
        rte_pktmbuf_free(m);
    assert_int_equal(resets, BURST_MAX);
    harness_expect_drops(b->h, SL_DROP_balance_cut, BURST_MAX);
    harness_balance_free(b);
}

// ---- affinity -----------------------------------------------------------------------------------------------
static void clients_come_back_to_their_member(void **state)
{
    struct harness_balance *b = harness_balance_new(1, 256);
    harness_balance_simple(b, SL_BALANCE_ROUND_ROBIN, 3);
    b->service[0].affinity_s = 600;
    b->service[0].timeout_new_s = 10;
    harness_balance_ready(b);
    uint32_t member = harness_balance_udp(b, CLIENT, 1);
    for (uint16_t port = 2; port < 30; port++)
        assert_int_equal(harness_balance_udp(b, CLIENT, port), member);
    assert_int_equal(harness_balance_service_sum(b, 0).affinity_hits, 28);
    harness_advance_ms(b->h, 20000); // all flows have ended
    harness_nat_tick(b->n);
    assert_int_equal(harness_nat_flows(b->n), 0);
    harness_advance_ms(b->h, 500000);
    assert_int_equal(harness_balance_udp(b, CLIENT, 50), member);
    harness_advance_ms(b->h, 20000);
    harness_nat_tick(b->n);
    harness_advance_ms(b->h, 700000);
    harness_balance_udp(b, CLIENT, 51);
    assert_int_equal(harness_balance_service_sum(b, 0).affinity_hits, 29);
    harness_balance_free(b);
}

static void clients_of_one_prefix_are_one(void **state)
{
    struct harness_balance *b = harness_balance_new(1, 256);
    harness_balance_simple(b, SL_BALANCE_ROUND_ROBIN, 3);
    b->service[0].affinity_s = 600;
    b->service[0].affinity_len_v4 = 24;
    harness_balance_ready(b);
    uint32_t member = harness_balance_udp(b, "203.0.113.1", 1);
    for (uint32_t i = 2; i < 20; i++) {
        char client[SL_IP_TEXT];
        snprintf(client, sizeof(client), "203.0.113.%u", i);
        assert_int_equal(harness_balance_udp(b, client, 1), member);
    }
    harness_balance_free(b);
}

static void affinity_gives_way_to_drain(void **state)
{
    struct harness_balance *b = harness_balance_new(1, 256);
    harness_balance_simple(b, SL_BALANCE_ROUND_ROBIN, 3);
    b->service[0].affinity_s = 600;
    harness_balance_ready(b);
    uint32_t member = harness_balance_udp(b, CLIENT, 1);
    harness_balance_set(b, 0, member - 1, SL_BALANCE_DRAIN, 1);
    uint32_t other = harness_balance_udp(b, CLIENT, 2);
    assert_true(other != member && other != 0);
    assert_int_equal(harness_balance_udp(b, CLIENT, 3), other);
    harness_balance_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_move_nobody),
        cmocka_unit_test(members_that_come_move_nobody),
        cmocka_unit_test(tables_that_change_move_nobody),
        cmocka_unit_test(removed_members_lose_their_flows),
        cmocka_unit_test(slots_that_are_given_away_take_no_flows_along),
        cmocka_unit_test(withdrawn_addresses_end_their_flows),
        cmocka_unit_test(without_services_no_flow_is_left),
        cmocka_unit_test(drain_keeps_flows_and_gets_no_new_ones),
        cmocka_unit_test(down_keeps_where_the_pool_says_so),
        cmocka_unit_test(down_resets_where_the_pool_says_so),
        cmocka_unit_test(cut_connections_may_be_made_again),
        cmocka_unit_test(ports_of_closed_connections_are_balanced_anew),
        cmocka_unit_test(a_closed_connection_makes_room_for_one_to_another_address),
        cmocka_unit_test(resets_of_a_cut_connection_pass),
        cmocka_unit_test(down_moves_where_the_pool_says_so),
        cmocka_unit_test(flush_cuts_at_once),
        cmocka_unit_test(flushed_datagrams_go_elsewhere),
        cmocka_unit_test(full_bursts_of_cut_flows_are_answered),
        cmocka_unit_test(clients_come_back_to_their_member),
        cmocka_unit_test(clients_of_one_prefix_are_one),
        cmocka_unit_test(affinity_gives_way_to_drain),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
