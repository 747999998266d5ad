// SPDX-License-Identifier: Apache-2.0
// Ways to members other than DNAT that change no more than headers: full NAT, with the client told, and direct return.
#include "harness_balance.h"
#include "wire/l4.h"

#define CLIENT BALANCE_CLIENT

// ---- full NAT -----------------------------------------------------------------------------------------------
static void full_nat_hides_the_client(void **state)
{
    for (uint32_t workers = 1; workers <= 3; workers++) {
        struct harness_balance *b = harness_balance_way(workers, SL_BALANCE_FULL_NAT, 2);
        harness_balance_ready(b);
        for (uint16_t i = 0; i < 60; i++) {
            char client[SL_IP_TEXT], member[SL_IP_TEXT];
            snprintf(client, sizeof(client), "203.0.113.%u", 1 + i);
            for (uint32_t worker = 0; worker < workers; worker++) {
                struct rte_mbuf *m = harness_tcp(NAT_WAN, client, BALANCE_VIP, 4000, 80, SL_TCP_SYN, 0);
                m = harness_balance_at(b, worker, NAT_WAN, m, NAT_LAN);
                assert_non_null(m);
                harness_nat_check(m);
                struct ends6 in = harness_balance_ends(m);
                assert_int_equal(in.src.w[3], ip4(BALANCE_SOURCE));
                assert_int_equal(in.dport, 8080);
                sl_ip_format(&in.dst, member);
                m = harness_tcp(NAT_LAN, member, BALANCE_SOURCE, 8080, in.sport, SL_TCP_SYN | SL_TCP_ACK, 0);
                m = harness_balance_at(b, (worker + 1) % workers, NAT_LAN, m, NAT_WAN);
                assert_non_null(m);
                harness_nat_check(m);
                struct ends6 out = harness_balance_ends(m);
                assert_int_equal(out.src.w[3], ip4(BALANCE_VIP));
                assert_int_equal(out.dst.w[3], ip4(client));
                assert_int_equal(out.sport, 80);
                assert_int_equal(out.dport, 4000);
            }
        }
        assert_int_equal(harness_nat_flows(b->n), 60);
        harness_expect_no_drop(b->h);
        harness_balance_free(b);
    }
}

// One client's port at two services with one member, which DNAT could not tell apart.
static void full_nat_knows_no_conflict(void **state)
{
    struct harness_balance *b = harness_balance_way(1, SL_BALANCE_FULL_NAT, 1);
    harness_balance_listen(b, 0, "198.51.100.106", IPPROTO_UDP, 80, 80);
    harness_balance_ready(b);
    assert_int_equal(harness_balance_udp(b, CLIENT, 4000), 1);
    struct rte_mbuf *m = harness_udp(NAT_WAN, CLIENT, "198.51.100.106", 4000, 80, 10);
    rte_pktmbuf_free(harness_balance_through(b, NAT_WAN, m, NAT_LAN));
    assert_int_equal(harness_nat_flows(b->n), 2);
    harness_expect_no_drop(b->h);
    harness_balance_free(b);
}

static void full_nat_needs_ports(void **state)
{
    struct harness_balance *b = harness_balance_way(1, SL_BALANCE_FULL_NAT, 1);
    harness_balance_listen(b, 0, BALANCE_VIP, 47, 0, 65535);
    harness_balance_ready(b);
    struct sl_emit_ip gre = {
        .src = harness_ip_of(CLIENT), .dst = harness_ip_of(BALANCE_VIP), .proto = 47, .payload_len = 40};
    assert_null(harness_balance_through(b, NAT_WAN, harness_ip(NAT_WAN, &gre), NAT_LAN));
    harness_expect_drop(b->h, nat_protocol);
    harness_balance_free(b);
}

// ---- TCP option 254 -----------------------------------------------------------------------------------------
// What a server's module finds; 0: nothing.
static uint16_t told(struct rte_mbuf *m, struct sl_ip *client)
{
    const struct sl_tcp *tcp = harness_l4_of(m);
    const uint8_t *option = (const uint8_t *)(tcp + 1), *end = (const uint8_t *)tcp + (tcp->data_offset >> 4) * 4;
    while (option < end && *option != 0) {
        if (*option == 254) {
            assert_true(option[1] == 8 || option[1] == 20);
            *client = sl_ip_v4(0);
            memcpy(option[1] == 8 ? client->b + 12 : client->b, option + 4, option[1] - 4u);
            return (uint16_t)(option[2] << 8 | option[3]);
        }
        option += *option == 1 ? 1 : option[1];
    }
    return 0;
}

// A segment with an MSS, or so many bytes of payload, to the member or from it.
static struct rte_mbuf *segment(struct harness_balance *b, bool back, const char *client, uint16_t port,
                                uint8_t flags, uint16_t len)
{
    struct rte_mbuf *m = back ? harness_tcp(NAT_LAN, "10.1.0.1", BALANCE_SOURCE, 8080, port, flags, len)
                              : harness_tcp(NAT_WAN, client, client[4] == ':' ? BALANCE_VIP_V6 : BALANCE_VIP, port,
                                            80, flags, len);
    if (flags & SL_TCP_SYN) {
        struct sl_tcp *tcp = harness_l4_of(m);
        tcp->data_offset = 6 << 4; // the payload becomes the option
        memcpy(tcp + 1, (uint8_t[]){2, 4, 1460 >> 8, 1460 & 255}, 4);
        tcp->checksum = 0;
        sl_emit_l4_checksum(rte_pktmbuf_mtod_offset(m, void *, 14));
    }
    m = harness_balance_through(b, back ? NAT_LAN : NAT_WAN, m, back ? NAT_WAN : NAT_LAN); // checks the sums
    assert_non_null(m);
    return m;
}

static uint16_t told_by(struct harness_balance *b, const char *client, uint8_t flags, uint16_t len)
{
    struct sl_ip who, wanted = harness_ip_of(client);
    struct rte_mbuf *m = segment(b, false, client, 4000, flags, len);
    const uint8_t *behind = rte_pktmbuf_mtod_offset(m, const uint8_t *, m->pkt_len - len);
    uint16_t port = told(m, &who);
    if (port)
        assert_true(sl_ip_equal(&who, &wanted));
    for (uint16_t i = 0; i < len && !(flags & SL_TCP_SYN); i++)
        assert_int_equal(behind[i], (uint8_t)i);
    assert_int_equal(m->pkt_len, 14 + sl_host16(harness_ipv4_of(m)->total_len));
    rte_pktmbuf_free(m);
    return port;
}

static void the_client_is_told_until_the_member_has_answered(void **state)
{
    const char *client[] = {CLIENT, BALANCE_CLIENT_V6};
    for (size_t i = 0; i < 2; i++) {
        struct harness_balance *b = harness_balance_way(1, SL_BALANCE_FULL_NAT, 1);
        harness_balance_listen(b, 0, BALANCE_VIP_V6, IPPROTO_TCP, 80, 80);
        b->pool[0].flags = SL_BALANCE_TOA;
        harness_balance_ready(b);
        struct rte_mbuf *m = segment(b, false, client[i], 4000, SL_TCP_SYN, 4);
        struct sl_ip who;
        assert_int_equal(told(m, &who), 0); // not in a SYN
        uint16_t port = sl_host16(((const struct sl_tcp *)harness_l4_of(m))->sport);
        rte_pktmbuf_free(m);
        m = segment(b, true, client[i], port, SL_TCP_SYN | SL_TCP_ACK, 4);
        const uint8_t *mss = (const uint8_t *)harness_l4_of(m) + 20;
        assert_int_equal(mss[2] << 8 | mss[3], i == 0 ? 1460 - 8 : 1440 - 20);
        rte_pktmbuf_free(m);
        assert_int_equal(told_by(b, client[i], SL_TCP_ACK, 0), 4000);
        assert_int_equal(told_by(b, client[i], SL_TCP_ACK | SL_TCP_PSH, 333), 4000);
        // As much as the clamped MSS lets it send; a byte more would not fit, and goes without where it may.
        assert_int_equal(told_by(b, client[i], SL_TCP_ACK, i == 0 ? 1452 : 1420), 4000);
        if (i == 0)
            assert_int_equal(told_by(b, client[i], SL_TCP_ACK, 1453), 0);
        assert_int_equal(told_by(b, client[i], SL_TCP_ACK | SL_TCP_RST, 0), 0);
        for (int n = 0; n < 3; n++)
            rte_pktmbuf_free(segment(b, true, client[i], port, SL_TCP_ACK, 0));
        assert_int_equal(told_by(b, client[i], SL_TCP_ACK, 100), 0);
        harness_expect_no_drop(b->h);
        harness_balance_free(b);
    }
}

// ---- direct return ------------------------------------------------------------------------------------------
static struct harness_balance *direct(void)
{
    struct harness_balance *b = harness_balance_new(1, 64);
    uint32_t pool = harness_balance_pool(b, SL_BALANCE_MAGLEV);
    harness_balance_member(b, pool, "10.0.0.12", 0, 1);
    b->pool[pool].way = SL_BALANCE_DIRECT;
    uint32_t service = harness_balance_service(b, pool);
    harness_balance_listen(b, service, BALANCE_VIP, IPPROTO_TCP, 80, 80);
    harness_balance_listen(b, service, BALANCE_VIP, IPPROTO_UDP, 80, 80);
    return b;
}

static void direct_return_changes_the_frame_alone(void **state)
{
    struct harness_balance *b = direct();
    harness_balance_ready(b);
    struct rte_mbuf *m = harness_tcp(NAT_WAN, CLIENT, BALANCE_VIP, 4000, 80, SL_TCP_SYN, 0);
    m = harness_balance_through(b, NAT_WAN, m, NAT_LAN);
    assert_non_null(m);
    assert_memory_equal(harness_eth_of(m)->dst, ((uint8_t[]){2, 0, 0, 0, 2, 12}), 6);
    assert_int_equal(harness_ipv4_of(m)->ttl, 63);
    struct ends6 ends = harness_balance_ends(m);
    assert_int_equal(ends.src.w[3], ip4(CLIENT));
    assert_int_equal(ends.dst.w[3], ip4(BALANCE_VIP));
    assert_int_equal(ends.dport, 80);
    harness_expect_no_drop(b->h);
    harness_balance_free(b);
}

// The client's packets alone say how the connection stands.
static void connections_of_which_half_is_seen_have_states(void **state)
{
    struct harness_balance *b = direct();
    harness_balance_ready(b);
    const struct sl_flow *flow = &b->n->flows[0].entry[0];
    const struct {
        uint8_t flags, state;
    } step[] = {{SL_TCP_SYN, SL_FLOW_NEW},         {SL_TCP_ACK, SL_FLOW_ESTABLISHED},
                {SL_TCP_ACK, SL_FLOW_ESTABLISHED}, {SL_TCP_FIN | SL_TCP_ACK, SL_FLOW_CLOSING},
                {SL_TCP_ACK, SL_FLOW_CLOSING},     {SL_TCP_SYN, SL_FLOW_NEW},
                {SL_TCP_ACK, SL_FLOW_ESTABLISHED}, {SL_TCP_RST, SL_FLOW_CLOSING}};
    for (size_t i = 0; i < RTE_DIM(step); i++) {
        struct rte_mbuf *m = harness_tcp(NAT_WAN, CLIENT, BALANCE_VIP, 4000, 80, step[i].flags, 0);
        rte_pktmbuf_free(harness_balance_through(b, NAT_WAN, m, NAT_LAN));
        assert_int_equal(flow->state, step[i].state);
    }
    assert_int_equal(harness_balance_member_sum(b, 0).packets_in, 8);
    assert_int_equal(harness_balance_member_sum(b, 0).unanswered, 0);
    harness_balance_free(b);
}

static void direct_return_needs_a_member_on_a_link(void **state)
{
    struct harness_balance *b = direct();
    b->member[0].ip = harness_ip_of("10.1.0.1"); // behind a router
    harness_balance_ready(b);
    assert_int_equal(harness_balance_udp(b, CLIENT, 4000), 0);
    harness_expect_drop(b->h, no_route);
    harness_balance_free(b);
}
static void packet_too_big_reaches_the_direct_member(void **state)
{
    struct harness_balance *b = direct();
    harness_balance_ready(b);
    assert_int_equal(harness_balance_tcp(b, CLIENT, 4000, SL_TCP_SYN), 105);
    struct rte_mbuf *answer = harness_tcp(NAT_WAN, BALANCE_VIP, CLIENT, 80, 4000, SL_TCP_ACK, 200);
    struct sl_emit_ip ip = {.src = harness_ip_of("198.51.100.21"),
                            .dst = harness_ip_of(BALANCE_VIP),
                            .proto = IPPROTO_ICMP,
                            .payload_len = 8 + 60};
    struct rte_mbuf *m = harness_ip(NAT_WAN, &ip);
    memcpy(sl_emit_icmp(harness_l4_of(m), SL_ICMP_UNREACHABLE, 4, sl_be32_of(1400)), harness_ipv4_of(answer),
           60);
    sl_emit_l4_checksum(harness_ipv4_of(m));
    m = harness_balance_at(b, 0, NAT_WAN, m, NAT_LAN);
    assert_non_null(m);
    assert_memory_equal(harness_eth_of(m)->dst, ((uint8_t[]){2, 0, 0, 0, 2, 12}), 6);
    assert_int_equal(harness_ipv4_of(m)->dst, ip4(BALANCE_VIP));
    rte_pktmbuf_free(m);
    rte_pktmbuf_free(answer);
    harness_balance_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_nat_hides_the_client),
        cmocka_unit_test(full_nat_knows_no_conflict),
        cmocka_unit_test(full_nat_needs_ports),
        cmocka_unit_test(the_client_is_told_until_the_member_has_answered),
        cmocka_unit_test(direct_return_changes_the_frame_alone),
        cmocka_unit_test(connections_of_which_half_is_seen_have_states),
        cmocka_unit_test(direct_return_needs_a_member_on_a_link),
        cmocka_unit_test(packet_too_big_reaches_the_direct_member),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
