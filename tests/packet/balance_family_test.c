// SPDX-License-Identifier: Apache-2.0
// Clients of one family, members of the other: headers, checksums, sizes, errors (RFC 7915).
#include "harness_balance.h"
#include "balance/family.h"
#include "wire/l4.h"
#include "worker/parse.h"

#define SOURCE_V4 "198.51.100.107"
#define SOURCE_V6 "2001:db8:100::107"

struct side { // of a lab: whose client, service, source, member
    const char *client, *vip, *source, *member, *router;
    bool v4; // of the client
};
static const struct side six = {BALANCE_CLIENT_V6, BALANCE_VIP_V6, SOURCE_V4, "10.1.0.1", "10.0.0.11", false};
static const struct side four = {BALANCE_CLIENT, BALANCE_VIP, SOURCE_V6, "fd01::1", "fd00::11", true};

static struct harness_balance *gateway(uint32_t workers, const struct side *side)
{
    struct harness_balance *b = harness_balance_new(workers, 256);
    uint32_t pool = harness_balance_pool(b, SL_BALANCE_MAGLEV);
    harness_balance_member(b, pool, side->member, 8080, 1);
    b->pool[pool].way = SL_BALANCE_FULL_NAT;
    b->pool[pool].source_count = b->input.source_count = 1;
    b->source[0] = harness_ip_of(side->source);
    uint32_t service = harness_balance_service(b, pool);
    harness_balance_listen(b, service, side->vip, IPPROTO_TCP, 80, 80);
    harness_balance_listen(b, service, side->vip, IPPROTO_UDP, 80, 80);
    harness_balance_ready(b);
    return b;
}

static bool is(const struct sl_ip *ip, const char *text)
{
    struct sl_ip wanted = harness_ip_of(text);
    return sl_ip_equal(ip, &wanted);
}

static uint16_t total_of(struct rte_mbuf *m)
{
    return (uint16_t)(m->pkt_len - 14);
}

// A packet of the client's, then an answer to it; both are checked by harness_balance_through(). The source's port.
static uint16_t there_and_back(struct harness_balance *b, const struct side *side, uint16_t port, uint16_t len)
{
    struct rte_mbuf *m = harness_udp(NAT_WAN, side->client, side->vip, port, 80, len);
    struct ends6 in = harness_balance_ends(harness_balance_through(b, NAT_WAN, m, NAT_LAN));
    assert_true(is(&in.src, side->source));
    assert_true(is(&in.dst, side->member));
    assert_int_equal(in.dport, 8080);
    m = harness_udp(NAT_LAN, side->member, side->source, 8080, in.sport, len);
    struct ends6 out = harness_balance_ends(harness_balance_through(b, NAT_LAN, m, NAT_WAN));
    assert_true(is(&out.src, side->vip));
    assert_true(is(&out.dst, side->client));
    assert_int_equal(out.sport, 80);
    assert_int_equal(out.dport, port);
    return in.sport;
}

static void both_ways_cross(void **state)
{
    const struct side *side[] = {&six, &four};
    for (size_t i = 0; i < 2; i++) {
        for (uint32_t workers = 1; workers <= 3; workers++) {
            struct harness_balance *b = gateway(workers, side[i]);
            for (uint16_t port = 4000; port < 4030; port++)
                there_and_back(b, side[i], port, (uint16_t)(port % 97));
            assert_int_equal(harness_nat_flows(b->n), 30);
            harness_expect_no_drop(b->h);
            harness_balance_free(b);
        }
    }
}

static void headers_are_those_of_the_other_family(void **state)
{
    struct harness_balance *b = gateway(1, &six);
    struct rte_mbuf *m = harness_tcp(NAT_WAN, six.client, six.vip, 4000, 80, SL_TCP_SYN, 33);
    harness_ipv6_of(m)->version_class_flow = sl_be32_of(0x6b812345);
    harness_ipv6_of(m)->hop_limit = 17;
    m = harness_balance_through(b, NAT_WAN, m, NAT_LAN);
    assert_non_null(m);
    assert_int_equal(harness_ipv4_of(m)->version_ihl, 0x45);
    assert_int_equal(harness_ipv4_of(m)->tos, 0xb8);
    assert_int_equal(harness_ipv4_of(m)->ttl, 16);
    assert_int_equal(sl_host16(harness_ipv4_of(m)->total_len), 20 + 20 + 33);
    assert_int_equal(harness_ipv4_of(m)->fragment, 0); // short: may be cut on its way
    rte_pktmbuf_free(m);
    m = harness_tcp(NAT_WAN, six.client, six.vip, 4000, 80, SL_TCP_ACK, 1300);
    m = harness_balance_through(b, NAT_WAN, m, NAT_LAN);
    assert_non_null(m);
    assert_int_equal(harness_ipv4_of(m)->fragment, sl_be16_of(SL_IPV4_DF));
    rte_pktmbuf_free(m);
    harness_balance_free(b);

    b = gateway(1, &four);
    m = harness_tcp(NAT_WAN, four.client, four.vip, 4000, 80, SL_TCP_SYN, 33);
    harness_ipv4_of(m)->tos = 0x2c;
    harness_ipv4_of(m)->ttl = 9;
    harness_fix_checksums(m);
    m = harness_balance_through(b, NAT_WAN, m, NAT_LAN);
    assert_non_null(m);
    assert_int_equal(sl_host32(harness_ipv6_of(m)->version_class_flow) >> 20, 0x62c);
    assert_int_equal(harness_ipv6_of(m)->hop_limit, 8);
    assert_int_equal(sl_host16(harness_ipv6_of(m)->payload_len), 20 + 33);
    rte_pktmbuf_free(m);
    harness_balance_free(b);
}

// IPv6 takes no datagram without a checksum, which IPv4 may send.
static void a_missing_udp_checksum_is_made(void **state)
{
    struct harness_balance *b = gateway(1, &four);
    for (uint16_t len = 0; len < 40; len++) {
        struct rte_mbuf *m = harness_udp(NAT_WAN, four.client, four.vip, 4000, 80, len);
        ((struct sl_udp *)harness_l4_of(m))->checksum = 0;
        m = harness_balance_through(b, NAT_WAN, m, NAT_LAN); // checks it
        assert_non_null(m);
        assert_int_not_equal(((struct sl_udp *)harness_l4_of(m))->checksum, 0);
        rte_pktmbuf_free(m);
    }
    harness_balance_free(b);
}

static void a_used_up_hop_limit_is_told_in_the_client_s_family(void **state)
{
    const struct side *side[] = {&six, &four};
    for (size_t i = 0; i < 2; i++) {
        struct harness_balance *b = gateway(1, side[i]);
        there_and_back(b, side[i], 4000, 10);
        struct rte_mbuf *m = harness_udp(NAT_WAN, side[i]->client, side[i]->vip, 4000, 80, 10);
        if (side[i]->v4)
            harness_ipv4_of(m)->ttl = 1;
        else
            harness_ipv6_of(m)->hop_limit = 1;
        if (side[i]->v4)
            harness_fix_checksums(m);
        m = harness_balance_through(b, NAT_WAN, m, NAT_WAN);
        assert_non_null(m);
        const struct sl_icmp *icmp = harness_l4_of(m);
        assert_int_equal(icmp->type, side[i]->v4 ? SL_ICMP_TIME_EXCEEDED : SL_ICMP6_TIME_EXCEEDED);
        harness_expect_drop(b->h, ttl_expired);
        rte_pktmbuf_free(m);
        harness_balance_free(b);
    }
}

// A client of IPv4 may send what would be too long for IPv6: it is told what fits, its own header counted.
static void too_big_is_told_with_the_client_s_header(void **state)
{
    struct harness_balance *b = gateway(1, &four);
    struct rte_mbuf *m = harness_tcp(NAT_WAN, four.client, four.vip, 4000, 80, SL_TCP_SYN, 0);
    rte_pktmbuf_free(harness_balance_through(b, NAT_WAN, m, NAT_LAN));
    m = harness_tcp(NAT_WAN, four.client, four.vip, 4000, 80, SL_TCP_ACK, 1440);
    rte_pktmbuf_free(harness_balance_through(b, NAT_WAN, m, NAT_LAN));
    m = harness_tcp(NAT_WAN, four.client, four.vip, 4000, 80, SL_TCP_ACK, 1441);
    m = harness_balance_through(b, NAT_WAN, m, NAT_WAN);
    assert_non_null(m);
    const struct sl_icmp *icmp = harness_l4_of(m);
    assert_int_equal(icmp->type, SL_ICMP_UNREACHABLE);
    assert_int_equal(icmp->code, 4);
    assert_int_equal(sl_host16(icmp->mtu), 1480);
    const struct sl_ipv4 *quote = (const struct sl_ipv4 *)(icmp + 1);
    assert_int_equal(quote->dst, ip4(BALANCE_VIP));
    assert_int_equal(sl_csum_ipv4_header(quote, 20), 0);
    rte_pktmbuf_free(m);
    harness_expect_drop(b->h, mtu_exceeded);
    harness_balance_free(b);

    b = gateway(1, &six);
    b->h->port[NAT_LAN].mtu = 1400;
    harness_balance_ready(b);
    m = harness_tcp(NAT_WAN, six.client, six.vip, 4000, 80, SL_TCP_SYN, 0);
    rte_pktmbuf_free(harness_balance_through(b, NAT_WAN, m, NAT_LAN));
    m = harness_tcp(NAT_WAN, six.client, six.vip, 4000, 80, SL_TCP_ACK, 1361);
    m = harness_balance_through(b, NAT_WAN, m, NAT_WAN);
    assert_non_null(m);
    icmp = harness_l4_of(m);
    assert_int_equal(icmp->type, SL_ICMP6_TOO_BIG);
    assert_int_equal(sl_host32(icmp->mtu32), 1420);
    rte_pktmbuf_free(m);
    harness_balance_free(b);
}

// Datagrams without DF go in pieces that every IPv6 link carries, with the identification they had.
static void what_may_be_cut_crosses_in_pieces(void **state)
{
    struct harness_balance *b = gateway(1, &four);
    struct rte_mbuf *m = harness_udp(NAT_WAN, four.client, four.vip, 4000, 80, 1400);
    harness_ipv4_of(m)->id = sl_be16_of(0xbeef);
    harness_fix_checksums(m);
    harness_send(b->h, NAT_WAN, m);
    harness_settle(b->h);
    uint32_t bytes = 0, pieces = 0;
    for (; (m = harness_sent(b->h, NAT_LAN)) != NULL; pieces++) {
        const struct sl_ipv6 *ip = harness_ipv6_of(m);
        const struct sl_ipv6_fragment *fragment = (const struct sl_ipv6_fragment *)(ip + 1);
        assert_true(total_of(m) <= 1280);
        assert_int_equal(ip->next, SL_PROTO_FRAGMENT);
        assert_int_equal(fragment->next, SL_PROTO_UDP);
        assert_int_equal(fragment->reserved, 0);
        assert_int_equal(sl_host32(fragment->id), 0xbeef);
        assert_int_equal(sl_host16(fragment->offset) & ~7, bytes);
        assert_int_equal(sl_host16(fragment->offset) & 1, pieces == 0);
        bytes += total_of(m) - 48u;
        rte_pktmbuf_free(m);
    }
    assert_int_equal(pieces, 2);
    assert_int_equal(bytes, 1408);
    harness_expect_no_drop(b->h);
    harness_balance_free(b);
}

static uint16_t mss_after(struct harness_balance *b, const struct side *side, uint16_t mss)
{
    struct rte_mbuf *m = harness_tcp(NAT_WAN, side->client, side->vip, 4000, 80, SL_TCP_SYN, 4);
    struct sl_tcp *tcp = harness_l4_of(m);
    tcp->data_offset = 6 << 4; // the payload becomes the option
    memcpy(tcp + 1, (uint8_t[]){2, 4, (uint8_t)(mss >> 8), (uint8_t)mss}, 4);
    tcp->checksum = 0;
    sl_emit_l4_checksum(rte_pktmbuf_mtod_offset(m, void *, 14));
    m = harness_balance_through(b, NAT_WAN, m, NAT_LAN);
    assert_non_null(m);
    const uint8_t *option = (const uint8_t *)harness_l4_of(m) + 20;
    uint16_t after = (uint16_t)(option[2] << 8 | option[3]);
    rte_pktmbuf_free(m);
    return after;
}

static void segments_fit_with_the_longer_header(void **state)
{
    const struct side *side[] = {&six, &four};
    for (size_t i = 0; i < 2; i++) {
        struct harness_balance *b = gateway(1, side[i]);
        assert_int_equal(mss_after(b, side[i], 1460), 1440);
        assert_int_equal(mss_after(b, side[i], 1000), 1000);
        harness_balance_free(b);
    }
}

// ---- errors -------------------------------------------------------------------------------------------------
// An ICMP error of the packet's family about it, from `from`.
static struct rte_mbuf *error_about(uint16_t in, const char *from, uint8_t type, uint8_t code, uint32_t rest,
                                    struct rte_mbuf *about)
{
    bool v4 = harness_eth_of(about)->type == sl_be16_of(SL_ETHERTYPE_IPV4);
    uint16_t len = RTE_MIN(total_of(about), (uint16_t)500);
    struct sl_emit_ip ip = {.src = harness_ip_of(from),
                            .proto = v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6,
                            .payload_len = (uint16_t)(8 + len)};
    if (v4)
        ip.dst = sl_ip_v4(harness_ipv4_of(about)->src);
    else
        memcpy(ip.dst.b, harness_ipv6_of(about)->src, 16);
    struct rte_mbuf *m = harness_ip(in, &ip);
    memcpy(sl_emit_icmp(harness_l4_of(m), type, code, sl_be32_of(rest)), harness_ipv4_of(about), len);
    sl_emit_l4_checksum(harness_ipv4_of(m));
    rte_pktmbuf_free(about);
    return m;
}

static struct rte_mbuf *translated_error(struct harness_balance *b, const struct side *side, uint8_t type,
                                         uint8_t code, uint32_t rest)
{
    uint16_t port = there_and_back(b, side, 4000, 100);
    struct rte_mbuf *sent = harness_udp(NAT_LAN, side->source, side->member, port, 8080, 100);
    return harness_balance_through(b, NAT_LAN, error_about(NAT_LAN, side->router, type, code, rest, sent),
                                   NAT_WAN);
}

// What the client gets quotes what it sent, whole and right.
static void expect_error(struct harness_balance *b, const struct side *side, struct rte_mbuf *m, uint8_t type,
                         uint8_t code, uint32_t rest)
{
    assert_non_null(m);
    const struct sl_icmp *icmp = harness_l4_of(m);
    const void *quote = icmp + 1;
    assert_int_equal(icmp->type, type);
    assert_int_equal(icmp->code, code);
    assert_int_equal(sl_host32(icmp->mtu32), rest);
    assert_true(sl_check_l4_checksum(quote));
    const struct sl_udp *udp = side->v4 ? (const void *)((const struct sl_ipv4 *)quote + 1)
                                        : (const void *)((const struct sl_ipv6 *)quote + 1);
    if (side->v4)
        assert_int_equal(((const struct sl_ipv4 *)quote)->dst, ip4(BALANCE_VIP));
    assert_int_equal(sl_host16(udp->sport), 4000);
    assert_int_equal(sl_host16(udp->dport), 80);
    struct ends6 ends = harness_balance_ends(m);
    assert_true(is(&ends.src, side->vip));
    assert_true(is(&ends.dst, side->client));
}

static void errors_of_ipv4_reach_ipv6_clients(void **state)
{
    const struct {
        uint8_t type, code;
        uint32_t rest;
        uint8_t type6, code6;
        uint32_t rest6;
    } row[] = {{3, 0, 0, 1, 0, 0},        {3, 1, 0, 1, 0, 0},       {3, 2, 0, 4, 1, 6},
               {3, 3, 0, 1, 4, 0},        {3, 4, 1400, 2, 0, 1420}, {3, 4, 600, 2, 0, 1280},
               {3, 4, 0, 2, 0, 1280},     {3, 10, 0, 1, 1, 0},      {3, 13, 0, 1, 1, 0},
               {11, 0, 0, 3, 0, 0},       {12, 0, 8u << 24, 4, 0, 7}, {12, 0, 16u << 24, 4, 0, 24}};
    struct harness_balance *b = gateway(1, &six);
    for (size_t i = 0; i < RTE_DIM(row); i++)
        expect_error(b, &six, translated_error(b, &six, row[i].type, row[i].code, row[i].rest), row[i].type6,
                     row[i].code6, row[i].rest6);
    assert_null(translated_error(b, &six, 3, 14, 0));
    harness_expect_drop(b->h, nat_protocol);
    harness_balance_free(b);
}

static void errors_of_ipv6_reach_ipv4_clients(void **state)
{
    const struct {
        uint8_t type, code;
        uint32_t rest;
        uint8_t type4, code4;
        uint32_t rest4;
    } row[] = {{1, 0, 0, 3, 1, 0},       {1, 1, 0, 3, 10, 0},     {1, 4, 0, 3, 3, 0},
               {2, 0, 1400, 3, 4, 1380}, {3, 0, 0, 11, 0, 0},     {4, 1, 6, 3, 2, 0},
               {4, 0, 7, 12, 0, 8u << 24}};
    struct harness_balance *b = gateway(1, &four);
    for (size_t i = 0; i < RTE_DIM(row); i++)
        expect_error(b, &four, translated_error(b, &four, row[i].type, row[i].code, row[i].rest),
                     row[i].type4, row[i].code4, row[i].rest4);
    assert_null(translated_error(b, &four, 4, 2, 0));
    harness_expect_drop(b->h, nat_protocol);
    harness_balance_free(b);
}

// The member learns of a narrow link on the client's side.
static void packet_too_big_reaches_the_member(void **state)
{
    struct harness_balance *b = gateway(1, &six);
    uint16_t port = there_and_back(b, &six, 4000, 100);
    struct rte_mbuf *sent = harness_udp(NAT_WAN, six.vip, six.client, 80, 4000, 1300);
    struct rte_mbuf *m = error_about(NAT_WAN, "2001:db8:100::23", SL_ICMP6_TOO_BIG, 0, 1300, sent);
    m = harness_balance_through(b, NAT_WAN, m, NAT_LAN);
    assert_non_null(m);
    const struct sl_icmp *icmp = harness_l4_of(m);
    const struct sl_ipv4 *quote = (const struct sl_ipv4 *)(icmp + 1);
    assert_int_equal(icmp->type, SL_ICMP_UNREACHABLE);
    assert_int_equal(icmp->code, 4);
    assert_int_equal(sl_host16(icmp->mtu), 1280);
    assert_int_equal(sl_host16(quote->total_len), 20 + 8 + 1300);
    assert_int_equal(quote->src, ip4(six.member));
    assert_int_equal(quote->dst, ip4(SOURCE_V4));
    assert_int_equal(sl_csum_ipv4_header(quote, 20), 0);
    assert_int_equal(((const struct sl_udp *)(quote + 1))->dport, sl_be16_of(port));
    assert_int_equal(harness_ipv4_of(m)->dst, ip4(six.member));
    assert_true(total_of(m) <= 576);
    rte_pktmbuf_free(m);
    harness_balance_free(b);
}

// A client that NAT hides from the service: what has crossed is turned around to him, and its quote with it.
static void errors_find_a_client_behind_nat(void **state)
{
    struct harness_balance *b = gateway(1, &four);
    harness_nat_pool(b->n, "wan", "198.51.100.100", 1, 16, SL_NAT_FILTER_ENDPOINT_INDEPENDENT);
    harness_nat_source(b->n, "10.0.0.0/24", NAT_WAN, 0);
    harness_balance_ready(b);
    struct rte_mbuf *m = harness_udp(NAT_LAN, "10.0.0.12", four.vip, 4000, 80, 300);
    struct rte_mbuf *sent = harness_balance_through(b, NAT_LAN, m, NAT_LAN);
    assert_non_null(sent);
    m = error_about(NAT_LAN, four.router, SL_ICMP6_UNREACHABLE, 4, 0, sent);
    m = harness_balance_through(b, NAT_LAN, m, NAT_LAN);
    assert_non_null(m);
    const struct sl_ipv4 *ip = harness_ipv4_of(m), *quote = rte_pktmbuf_mtod_offset(m, void *, 14 + 28);
    const struct sl_udp *ports = (const struct sl_udp *)(quote + 1);
    assert_int_equal(ip->dst, ip4("10.0.0.12"));
    assert_int_equal(quote->src, ip4("10.0.0.12"));
    assert_int_equal(quote->dst, ip4(four.vip));
    assert_int_equal(sl_host16(ports->sport), 4000);
    assert_int_equal(sl_host16(ports->dport), 80);
    rte_pktmbuf_free(m);
    harness_balance_free(b);
}

// A wrong checksum would be made right by writing the error anew.
static void corrupted_errors_are_dropped(void **state)
{
    struct harness_balance *b = gateway(1, &six);
    uint16_t port = there_and_back(b, &six, 4000, 100);
    struct rte_mbuf *sent = harness_udp(NAT_LAN, six.source, six.member, port, 8080, 100);
    struct rte_mbuf *m = error_about(NAT_LAN, six.router, 3, 3, 0, sent);
    ((struct sl_icmp *)harness_l4_of(m))->checksum ^= 0x0100;
    assert_null(harness_balance_through(b, NAT_LAN, m, NAT_WAN));
    harness_expect_drop(b->h, l4_bad_header);
    harness_balance_free(b);
}

// The packet is in the member's family by then; the client hears of it in its own.
static void a_silent_member_is_told_in_the_client_s_family(void **state)
{
    const struct side *side[] = {&six, &four};
    for (size_t i = 0; i < 2; i++) {
        struct harness_balance *b = gateway(1, side[i]);
        there_and_back(b, side[i], 4000, 10);
        struct rte_mbuf *m = harness_udp(NAT_WAN, side[i]->client, side[i]->vip, 4000, 80, 10);
        struct worker *worker = b->h->worker[0];
        struct packet packet = {.m = m, .l3_off = 14, .port_in = NAT_WAN, .flow = FLOW_NONE};
        assert_int_equal(parse_packet(worker, &packet), SL_DROP_none);
        const struct sl_flow *flow = &b->n->flows[0].entry[0];
        struct sl_flow_key to = flow->key1;
        assert_true(family_write(worker, &packet, &to));
        packet.icmp_type = side[i]->v4 ? SL_ICMP6_UNREACHABLE : SL_ICMP_UNREACHABLE;
        packet.icmp_code = side[i]->v4 ? 3 : 1;
        assert_true(family_restore(worker, &packet));
        assert_int_equal(packet.icmp_type, side[i]->v4 ? SL_ICMP_UNREACHABLE : SL_ICMP6_UNREACHABLE);
        assert_int_equal(packet.icmp_code, side[i]->v4 ? 1 : 0);
        assert_int_equal(!!(packet.flags & PACKET_V4), side[i]->v4);
        assert_true(sl_check_l4_checksum(rte_pktmbuf_mtod_offset(m, void *, packet.l3_off)));
        rte_pktmbuf_free(m);
        harness_balance_free(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways_cross),
        cmocka_unit_test(headers_are_those_of_the_other_family),
        cmocka_unit_test(a_missing_udp_checksum_is_made),
        cmocka_unit_test(a_used_up_hop_limit_is_told_in_the_client_s_family),
        cmocka_unit_test(too_big_is_told_with_the_client_s_header),
        cmocka_unit_test(what_may_be_cut_crosses_in_pieces),
        cmocka_unit_test(segments_fit_with_the_longer_header),
        cmocka_unit_test(errors_of_ipv4_reach_ipv6_clients),
        cmocka_unit_test(errors_of_ipv6_reach_ipv4_clients),
        cmocka_unit_test(packet_too_big_reaches_the_member),
        cmocka_unit_test(errors_find_a_client_behind_nat),
        cmocka_unit_test(corrupted_errors_are_dropped),
        cmocka_unit_test(a_silent_member_is_told_in_the_client_s_family),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
