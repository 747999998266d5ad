// SPDX-License-Identifier: Apache-2.0
// IPv6 services with IPv6 members: both directions, checksums, errors, several workers; beside IPv4 and NAT.
#include "harness_balance.h"
#include "wire/l4.h"

#define CLIENT BALANCE_CLIENT_V6
#define ROUTER "2001:db8:100::23"

static struct harness_balance *gateway(uint32_t workers, uint32_t members)
{
    struct harness_balance *b = harness_balance_new(workers, 256);
    uint32_t pool = harness_balance_pool(b, SL_BALANCE_MAGLEV);
    for (uint32_t i = 1; i <= members; i++) {
        char ip[SL_IP_TEXT];
        snprintf(ip, sizeof(ip), "fd01::%u", i);
        harness_balance_member(b, pool, ip, 8080, 1);
    }
    uint32_t service = harness_balance_service(b, pool);
    harness_balance_listen(b, service, BALANCE_VIP_V6, IPPROTO_TCP, 80, 80);
    harness_balance_listen(b, service, BALANCE_VIP_V6, IPPROTO_UDP, 80, 80);
    harness_balance_ready(b);
    return b;
}

static bool is(const struct sl_ip *ip, const char *text)
{
    struct sl_ip wanted = harness_ip_of(text);
    return sl_ip_equal(ip, &wanted);
}

static void to_member_and_back(void **state)
{
    struct harness_balance *b = gateway(1, 3);
    for (uint16_t port = 4000; port < 4020; port++) {
        char member[SL_IP_TEXT];
        struct rte_mbuf *m = harness_tcp(NAT_WAN, CLIENT, BALANCE_VIP_V6, port, 80, SL_TCP_SYN, 11);
        struct ends6 in = harness_balance_ends(harness_balance_through(b, NAT_WAN, m, NAT_LAN));
        assert_true(is(&in.src, CLIENT));
        assert_int_equal(in.dst.b[0], 0xfd);
        assert_int_equal(in.dport, 8080);
        sl_ip_format(&in.dst, member);
        m = harness_tcp(NAT_LAN, member, CLIENT, 8080, port, SL_TCP_SYN | SL_TCP_ACK, 7);
        struct ends6 out = harness_balance_ends(harness_balance_through(b, NAT_LAN, m, NAT_WAN));
        assert_true(is(&out.src, BALANCE_VIP_V6));
        assert_true(is(&out.dst, CLIENT));
        assert_int_equal(out.sport, 80);
        m = harness_udp(NAT_WAN, CLIENT, BALANCE_VIP_V6, port, 80, 100);
        assert_int_equal(harness_balance_ends(harness_balance_through(b, NAT_WAN, m, NAT_LAN)).dport, 8080);
    }
    assert_int_equal(harness_nat_flows(b->n), 40);
    harness_expect_no_drop(b->h);
    harness_balance_free(b);
}

static struct rte_mbuf *error_about(uint16_t in, const char *from, uint8_t type, uint8_t code,
                                    struct rte_mbuf *about)
{
    const struct sl_ipv6 *quote = harness_ipv6_of(about);
    uint16_t len = (uint16_t)(about->pkt_len - 14);
    struct sl_emit_ip ip = {
        .src = harness_ip_of(from), .proto = IPPROTO_ICMPV6, .payload_len = (uint16_t)(8 + len)};
    memcpy(ip.dst.b, quote->src, 16);
    struct rte_mbuf *m = harness_ip(in, &ip);
    memcpy(sl_emit_icmp(harness_l4_of(m), type, code, sl_be32_of(1400)), quote, len);
    sl_emit_l4_checksum(harness_ipv6_of(m));
    rte_pktmbuf_free(about);
    return m;
}

// The quoted packet as it stands in an error; its own checksum must be right too, for all of it is quoted.
static struct ends6 quoted(struct rte_mbuf *error)
{
    struct ends6 ends;
    const struct sl_ipv6 *ip = rte_pktmbuf_mtod_offset(error, const struct sl_ipv6 *, 14 + 40 + 8);
    const struct sl_udp *ports = (const struct sl_udp *)(ip + 1);
    assert_true(sl_check_l4_checksum(ip));
    memcpy(ends.src.b, ip->src, 16);
    memcpy(ends.dst.b, ip->dst, 16);
    ends.sport = sl_host16(ports->sport);
    ends.dport = sl_host16(ports->dport);
    return ends;
}

static void packet_too_big_reaches_the_member(void **state)
{
    struct harness_balance *b = gateway(1, 3);
    char member[SL_IP_TEXT];
    struct rte_mbuf *m = harness_tcp(NAT_WAN, CLIENT, BALANCE_VIP_V6, 4000, 80, SL_TCP_SYN, 0);
    struct ends6 in = harness_balance_ends(harness_balance_through(b, NAT_WAN, m, NAT_LAN));
    sl_ip_format(&in.dst, member);
    struct rte_mbuf *answer = harness_tcp(NAT_WAN, BALANCE_VIP_V6, CLIENT, 80, 4000, SL_TCP_ACK, 200);
    m = harness_balance_through(b, NAT_WAN, error_about(NAT_WAN, ROUTER, SL_ICMP6_TOO_BIG, 0, answer),
                                NAT_LAN);
    assert_non_null(m);
    struct ends6 ends = quoted(m);
    assert_true(is(&ends.src, member));
    assert_true(is(&ends.dst, CLIENT));
    assert_int_equal(ends.sport, 8080);
    ends = harness_balance_ends(m);
    assert_true(is(&ends.src, ROUTER));
    assert_true(is(&ends.dst, member));
    harness_balance_free(b);
}

static void errors_of_members_speak_of_the_service(void **state)
{
    struct harness_balance *b = gateway(1, 1);
    rte_pktmbuf_free(harness_balance_through(
        b, NAT_WAN, harness_udp(NAT_WAN, CLIENT, BALANCE_VIP_V6, 4000, 80, 20), NAT_LAN));
    struct rte_mbuf *sent = harness_udp(NAT_LAN, CLIENT, "fd01::1", 4000, 8080, 20);
    struct rte_mbuf *m = harness_balance_through(
        b, NAT_LAN, error_about(NAT_LAN, "fd01::1", SL_ICMP6_UNREACHABLE, 4, sent), NAT_WAN);
    assert_non_null(m);
    struct ends6 ends = quoted(m);
    assert_true(is(&ends.src, CLIENT));
    assert_true(is(&ends.dst, BALANCE_VIP_V6));
    assert_int_equal(ends.dport, 80);
    ends = harness_balance_ends(m);
    assert_true(is(&ends.src, BALANCE_VIP_V6));
    assert_true(is(&ends.dst, CLIENT));
    harness_balance_free(b);
}

// A later fragment tells nobody's ports: such an error is not taken for one about port 0 of a service that has them all,
// and nothing of it, nor of what stands behind it, is overwritten.
static void errors_about_later_fragments_are_nobodys(void **state)
{
    struct harness_balance *b = gateway(1, 3);
    harness_balance_listen(b, 0, "2001:db8:100::81", IPPROTO_UDP, 0, 65535);
    harness_balance_listen(b, 0, "2001:db8:100::82", 0, 0, 65535);
    harness_balance_ready(b);
    static const char *const vip[] = {"2001:db8:100::81", "2001:db8:100::82"};
    for (uint32_t i = 0; i < 2; i++) {
        struct rte_mbuf *about = harness_udp(NAT_WAN, vip[i], CLIENT, 80, 4000, 1);
        struct sl_ipv6 *ip = harness_ipv6_of(about);
        ip->next = SL_PROTO_FRAGMENT;
        sl_emit_ipv6_fragment(ip + 1, SL_PROTO_UDP, 1232, false, 7);
        assert_null(harness_balance_through(
            b, NAT_WAN, error_about(NAT_WAN, ROUTER, SL_ICMP6_TOO_BIG, 0, about), NAT_LAN));
    }
    assert_int_equal(harness_dropped(b->h, SL_DROP_nat_icmp_unmatched), 1); // the other is to no service
    harness_balance_free(b);
}

// Too large for the way to the member: the client learns it from the gateway, about the packet that he sent.
static void errors_of_the_gateway_quote_what_the_client_sent(void **state)
{
    struct harness_balance *b = gateway(1, 1);
    b->h->port[NAT_LAN].mtu = 1300;
    struct rte_mbuf *m = harness_udp(NAT_WAN, CLIENT, BALANCE_VIP_V6, 4000, 80, 1400);
    m = harness_balance_through(b, NAT_WAN, m, NAT_WAN);
    assert_non_null(m);
    const struct sl_icmp *icmp = harness_l4_of(m);
    assert_int_equal(icmp->type, SL_ICMP6_TOO_BIG);
    assert_int_equal(sl_host32(icmp->mtu32), 1300);
    const struct sl_ipv6 *ip = rte_pktmbuf_mtod_offset(m, const struct sl_ipv6 *, 14 + 40 + 8);
    struct sl_ip dst;
    memcpy(dst.b, ip->dst, 16);
    assert_true(is(&dst, BALANCE_VIP_V6));
    assert_int_equal(sl_host16(((const struct sl_udp *)(ip + 1))->dport), 80);
    rte_pktmbuf_free(m);
    harness_balance_free(b);
}

static void nobody_is_said_at_once(void **state)
{
    struct harness_balance *b = gateway(1, 1);
    harness_balance_set(b, 0, 0, SL_BALANCE_DOWN, 1);
    struct rte_mbuf *m = harness_tcp(NAT_WAN, CLIENT, BALANCE_VIP_V6, 4000, 80, SL_TCP_SYN, 0);
    m = harness_balance_through(b, NAT_WAN, m, NAT_WAN);
    assert_non_null(m);
    assert_int_equal(((const struct sl_tcp *)harness_l4_of(m))->flags, SL_TCP_RST | SL_TCP_ACK);
    struct ends6 ends = harness_balance_ends(m);
    assert_true(is(&ends.src, BALANCE_VIP_V6));
    harness_expect_drop(b->h, balance_no_member);
    m = harness_udp(NAT_WAN, CLIENT, BALANCE_VIP_V6, 4000, 80, 0);
    m = harness_balance_through(b, NAT_WAN, m, NAT_WAN);
    assert_non_null(m);
    assert_int_equal(((const struct sl_icmp *)harness_l4_of(m))->type, SL_ICMP6_UNREACHABLE);
    assert_int_equal(((const struct sl_icmp *)harness_l4_of(m))->code, 4);
    rte_pktmbuf_free(m);
    harness_expect_drop(b->h, balance_no_member);
    harness_balance_free(b);
}

static void flushed_connections_are_reset_at_both_ends(void **state)
{
    struct harness_balance *b = gateway(1, 1);
    rte_pktmbuf_free(harness_balance_through(
        b, NAT_WAN, harness_tcp(NAT_WAN, CLIENT, BALANCE_VIP_V6, 4000, 80, SL_TCP_SYN, 0), NAT_LAN));
    harness_balance_set(b, 0, 0, SL_BALANCE_FLUSH, 1);
    harness_send(b->h, NAT_WAN, harness_tcp(NAT_WAN, CLIENT, BALANCE_VIP_V6, 4000, 80, SL_TCP_ACK, 9));
    struct rte_mbuf *m = harness_sent(b->h, NAT_WAN);
    assert_non_null(m);
    assert_true(sl_check_l4_checksum(harness_ipv6_of(m)));
    struct ends6 ends = harness_balance_ends(m);
    assert_true(is(&ends.dst, CLIENT));
    m = harness_sent(b->h, NAT_LAN);
    assert_non_null(m);
    assert_true(sl_check_l4_checksum(harness_ipv6_of(m)));
    ends = harness_balance_ends(m);
    assert_true(is(&ends.dst, "fd01::1"));
    assert_int_equal(ends.dport, 8080);
    harness_balance_free(b);
}

static void owner_is_found_from_either_side(void **state)
{
    for (uint32_t workers = 2; workers <= 3; workers++) {
        struct harness_balance *b = gateway(workers, 3);
        uint32_t used = 0;
        for (uint32_t i = 1; i < 60; i++) {
            char client[SL_IP_TEXT], member[SL_IP_TEXT];
            snprintf(client, sizeof(client), "2001:db8:9::%x", i * 77);
            for (uint32_t worker = 0; worker < workers; worker++) {
                struct rte_mbuf *m = harness_udp(NAT_WAN, client, BALANCE_VIP_V6, 4000, 80, 9);
                harness_send_to(b->h, worker, NAT_WAN, &m, 1);
                harness_settle(b->h);
                struct ends6 in = harness_balance_ends(harness_sent(b->h, NAT_LAN));
                sl_ip_format(&in.dst, member);
                m = harness_udp(NAT_LAN, member, client, 8080, 4000, 9);
                harness_send_to(b->h, (worker + 1) % workers, NAT_LAN, &m, 1);
                harness_settle(b->h);
                struct ends6 out = harness_balance_ends(harness_sent(b->h, NAT_WAN));
                assert_true(is(&out.src, BALANCE_VIP_V6));
            }
        }
        assert_int_equal(harness_nat_flows(b->n), 59);
        for (uint32_t worker = 0; worker < workers; worker++)
            used += b->n->flows[worker].spare_count < b->n->flows[worker].capacity;
        assert_int_equal(used, workers);
        harness_expect_no_drop(b->h);
        harness_balance_free(b);
    }
}

static void other_ipv6_is_routed(void **state)
{
    struct harness_balance *b = gateway(2, 1);
    struct rte_mbuf *m = harness_udp(NAT_WAN, CLIENT, "fd01::1", 4000, 8080, 9);
    struct ends6 ends = harness_balance_ends(harness_balance_through(b, NAT_WAN, m, NAT_LAN));
    assert_true(is(&ends.dst, "fd01::1"));
    m = harness_udp(NAT_LAN, "fd01::1", CLIENT, 8080, 4000, 9);
    ends = harness_balance_ends(harness_balance_through(b, NAT_LAN, m, NAT_WAN));
    assert_true(is(&ends.src, "fd01::1"));
    m = harness_echo(NAT_WAN, CLIENT, BALANCE_VIP_V6, 1, 1);
    m = harness_balance_through(b, NAT_WAN, m, NAT_WAN);
    assert_non_null(m);
    rte_pktmbuf_free(m);
    harness_expect_no_drop(b->h);
    assert_int_equal(harness_nat_flows(b->n), 0);
    harness_balance_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(to_member_and_back),
        cmocka_unit_test(packet_too_big_reaches_the_member),
        cmocka_unit_test(errors_of_members_speak_of_the_service),
        cmocka_unit_test(errors_about_later_fragments_are_nobodys),
        cmocka_unit_test(errors_of_the_gateway_quote_what_the_client_sent),
        cmocka_unit_test(nobody_is_said_at_once),
        cmocka_unit_test(flushed_connections_are_reset_at_both_ends),
        cmocka_unit_test(owner_is_found_from_either_side),
        cmocka_unit_test(other_ipv6_is_routed),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
