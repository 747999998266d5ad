// SPDX-License-Identifier: Apache-2.0
// Tunnels to members, IPIP and GUE, and what is learned of the path they take.
#include "harness_balance.h"
#include "wire/l4.h"

#define CLIENT BALANCE_CLIENT

// ---- tunnels ------------------------------------------------------------------------------------------------
// The packet inside, checked; the tunnel's header comes off.
static struct rte_mbuf *decapsulated(struct rte_mbuf *m, uint16_t overhead)
{
    assert_non_null(m);
    assert_non_null(rte_pktmbuf_adj(m, overhead));
    memmove(rte_pktmbuf_mtod(m, void *), (uint8_t[14]){[12] = 8}, 14);
    harness_nat_check(m);
    return m;
}

static struct rte_mbuf *sent_for(struct harness_balance *b, struct rte_mbuf *frame)
{
    return harness_balance_at(b, 0, NAT_WAN, frame, NAT_LAN);
}

static void ipip_wraps_the_packet(void **state)
{
    struct harness_balance *b = harness_balance_way(1, SL_BALANCE_IPIP, 3);
    harness_balance_ready(b);
    for (int i = 0; i < 3; i++) {
        struct rte_mbuf *m = sent_for(b, harness_tcp(NAT_WAN, CLIENT, BALANCE_VIP, 4000, 80, SL_TCP_SYN, 10));
        assert_non_null(m);
        const struct sl_ipv4 *ip = harness_ipv4_of(m);
        assert_int_equal(sl_csum_ipv4_header(ip, 20), 0);
        assert_int_equal(ip->proto, 4);
        assert_int_equal(ip->src, ip4(BALANCE_SOURCE));
        assert_int_equal(ip->dst & 0xff, 10);
        assert_int_equal(sl_host16(ip->total_len), 20 + 50);
        assert_int_equal(ip->ttl, 64);
        m = decapsulated(m, 20);
        assert_int_equal(harness_ipv4_of(m)->ttl, 63);
        struct ends6 ends = harness_balance_ends(m);
        assert_int_equal(ends.dst.w[3], ip4(BALANCE_VIP));
        assert_int_equal(ends.src.w[3], ip4(CLIENT));
    }
    assert_int_equal(harness_nat_flows(b->n), 1);
    harness_expect_no_drop(b->h);
    harness_balance_free(b);
}

static void gue_wraps_it_in_udp(void **state)
{
    struct harness_balance *b = harness_balance_way(1, SL_BALANCE_GUE, 1);
    harness_balance_ready(b);
    struct rte_mbuf *m = sent_for(b, harness_udp(NAT_WAN, CLIENT, BALANCE_VIP, 4000, 80, 10));
    assert_non_null(m);
    harness_nat_check(m);
    const struct sl_udp *udp = harness_l4_of(m);
    const uint8_t *gue = (const uint8_t *)(udp + 1);
    assert_int_equal(sl_host16(udp->dport), 6080);
    assert_int_equal(sl_host16(udp->len), 8 + 4 + 38);
    assert_memory_equal(gue, ((uint8_t[]){0, 4, 0, 0}), 4);
    struct ends6 ends = harness_balance_ends(decapsulated(m, 32));
    assert_int_equal(ends.dst.w[3], ip4(BALANCE_VIP));
    harness_balance_free(b);
}

static void tunnels_cross_families(void **state)
{
    struct harness_balance *b = harness_balance_way(1, SL_BALANCE_IPIP, 1);
    b->member[0].ip = harness_ip_of("fd01::1");
    harness_balance_ready(b);
    struct rte_mbuf *m = sent_for(b, harness_udp(NAT_WAN, CLIENT, BALANCE_VIP, 4000, 80, 10));
    assert_non_null(m);
    assert_int_equal(harness_eth_of(m)->type, sl_be16_of(SL_ETHERTYPE_IPV6));
    assert_int_equal(harness_ipv6_of(m)->next, 4);
    assert_int_equal(sl_host16(harness_ipv6_of(m)->payload_len), 38);
    struct ends6 ends = harness_balance_ends(decapsulated(m, 40));
    assert_int_equal(ends.dst.w[3], ip4(BALANCE_VIP));
    harness_balance_free(b);
}

// With DF the client is told what fits in the tunnel; without, the tunnel's packets are cut.
static void tunnels_know_their_mtu(void **state)
{
    struct harness_balance *b = harness_balance_way(1, SL_BALANCE_IPIP, 1);
    b->pool[0].tunnel_mtu = 1400;
    harness_balance_ready(b);
    struct rte_mbuf *m =
        harness_tcp(NAT_WAN, CLIENT, BALANCE_VIP, 4000, 80, SL_TCP_SYN, 1340); // 1380 bytes of IP
    rte_pktmbuf_free(decapsulated(sent_for(b, m), 20));
    m = harness_tcp(NAT_WAN, CLIENT, BALANCE_VIP, 4000, 80, SL_TCP_ACK, 1341);
    assert_null(sent_for(b, m));
    m = harness_sent(b->h, NAT_WAN);
    assert_non_null(m);
    const struct sl_icmp *icmp = harness_l4_of(m);
    assert_int_equal(icmp->type, SL_ICMP_UNREACHABLE);
    assert_int_equal(icmp->code, 4);
    assert_int_equal(sl_host16(icmp->mtu), 1380);
    const struct sl_ipv4 *quote = rte_pktmbuf_mtod_offset(m, const struct sl_ipv4 *, 42);
    assert_int_equal(quote->dst, ip4(BALANCE_VIP));
    assert_int_equal(sl_csum_ipv4_header(quote, 20), 0);
    rte_pktmbuf_free(m);
    harness_expect_drop(b->h, mtu_exceeded);
    harness_send(b->h, NAT_WAN, harness_udp(NAT_WAN, CLIENT, BALANCE_VIP, 4000, 80, 1465)); // 1493, no DF
    uint32_t pieces = 0;
    for (; (m = harness_sent(b->h, NAT_LAN)) != NULL; pieces++) {
        assert_int_equal(harness_ipv4_of(m)->proto, 4);
        assert_true(m->pkt_len <= 1514);
        rte_pktmbuf_free(m);
    }
    assert_int_equal(pieces, 2);
    harness_balance_free(b);
}

// A router on the way from the member to the client complains to the service's address: the member gets it wrapped.
static void packet_too_big_reaches_the_member_in_its_tunnel(void **state)
{
    struct harness_balance *b = harness_balance_way(1, SL_BALANCE_IPIP, 3);
    harness_balance_ready(b);
    struct rte_mbuf *m = sent_for(b, harness_tcp(NAT_WAN, CLIENT, BALANCE_VIP, 4000, 80, SL_TCP_SYN, 0));
    sl_be32 member = harness_ipv4_of(m)->dst;
    rte_pktmbuf_free(m);
    struct rte_mbuf *answer = harness_tcp(NAT_WAN, BALANCE_VIP, CLIENT, 80, 4000, SL_TCP_ACK, 200);
    struct sl_emit_ip ip = {.src = harness_ip_of("198.51.100.21"),
                            .dst = harness_ip_of(BALANCE_VIP),
                            .proto = IPPROTO_ICMP,
                            .payload_len = 8 + 60};
    for (int flow = 1; flow >= 0; flow--) { // also where there is none any more
        m = harness_ip(NAT_WAN, &ip);
        memcpy(sl_emit_icmp(harness_l4_of(m), SL_ICMP_UNREACHABLE, 4, sl_be32_of(1400)),
               harness_ipv4_of(answer), 60);
        sl_emit_l4_checksum(harness_ipv4_of(m));
        m = sent_for(b, m);
        assert_non_null(m);
        assert_int_equal(harness_ipv4_of(m)->proto, 4);
        assert_int_equal(harness_ipv4_of(m)->dst, member);
        m = decapsulated(m, 20);
        assert_int_equal(harness_ipv4_of(m)->proto, IPPROTO_ICMP);
        assert_int_equal(harness_ipv4_of(m)->dst, ip4(BALANCE_VIP));
        rte_pktmbuf_free(m);
        if (flow)
            flow_end(b->h->worker[0], 0, SL_COUNTER_flow_killed);
    }
    rte_pktmbuf_free(answer);
    harness_balance_free(b);
}

// IPv6 on the way cuts nothing, so what may be cut is cut before it goes in (RFC 2473 section 7.2).
static void what_may_be_cut_is_cut_before_an_ipv6_tunnel(void **state)
{
    for (int way = SL_BALANCE_IPIP; way <= SL_BALANCE_GUE; way++) {
        struct harness_balance *b = harness_balance_way(1, way, 1);
        b->member[0].ip = harness_ip_of("fd01::1");
        harness_balance_ready(b);
        uint32_t pieces = 0, bytes = 0;
        uint16_t overhead = way == SL_BALANCE_GUE ? 52 : 40;
        struct rte_mbuf *m = sent_for(b, harness_udp(NAT_WAN, CLIENT, BALANCE_VIP, 4000, 80, 1465));
        for (; m != NULL; m = harness_sent(b->h, NAT_LAN), pieces++) {
            assert_true(m->pkt_len <= 1514);
            assert_int_equal(harness_ipv6_of(m)->next, way == SL_BALANCE_GUE ? 17 : 4);
            if (way == SL_BALANCE_GUE)
                assert_true(sl_check_l4_checksum(harness_ipv6_of(m)));
            const struct sl_ipv4 *ip = rte_pktmbuf_mtod_offset(m, const struct sl_ipv4 *, 14 + overhead);
            assert_int_equal(sl_csum_ipv4_header(ip, 20), 0);
            assert_int_equal(ip->ttl, 63);
            bytes += sl_host16(ip->total_len) - 20u;
            rte_pktmbuf_free(m);
        }
        assert_int_equal(pieces, 2);
        assert_int_equal(bytes, 1473);
        harness_expect_no_drop(b->h);
        harness_balance_free(b);
    }
}

// ---- what routers say about the tunnel ----------------------------------------------------------------------
// "Packet too big" of a router on the way to the member, about the frame that was sent to it; `quoted` bytes of it.
static struct rte_mbuf *too_big(struct rte_mbuf *about, uint16_t quoted, uint16_t mtu)
{
    bool v4 = harness_eth_of(about)->type == sl_be16_of(SL_ETHERTYPE_IPV4);
    const uint8_t *l3 = rte_pktmbuf_mtod_offset(about, const uint8_t *, sizeof(struct sl_eth));
    struct sl_ip to = harness_ip_of(v4 ? BALANCE_SOURCE : BALANCE_SOURCE_V6);
    struct sl_emit_ip ip = {.src = harness_ip_of(v4 ? "10.0.0.11" : "fd00::11"),
                            .dst = to,
                            .proto = v4 ? SL_PROTO_ICMP : SL_PROTO_ICMPV6,
                            .payload_len = (uint16_t)(8 + quoted)};
    struct rte_mbuf *m = harness_ip(NAT_LAN, &ip);
    uint8_t *icmp = rte_pktmbuf_mtod_offset(m, uint8_t *, sizeof(struct sl_eth) + (v4 ? 20 : 40));
    memcpy(sl_emit_icmp(icmp, v4 ? SL_ICMP_UNREACHABLE : SL_ICMP6_TOO_BIG, v4 ? 4 : 0, sl_be32_of(mtu)), l3,
           quoted);
    sl_emit_l4_checksum(rte_pktmbuf_mtod_offset(m, void *, sizeof(struct sl_eth)));
    return m;
}

static struct harness_balance *tunnel(enum sl_balance_way way, bool v6_outside)
{
    struct harness_balance *b = harness_balance_way(1, way, 1);
    if (v6_outside)
        b->member[0].ip = harness_ip_of("fd01::1");
    harness_balance_listen(b, 0, BALANCE_VIP_V6, IPPROTO_TCP, 80, 80);
    harness_balance_ready(b);
    return b;
}

static struct rte_mbuf *big(bool v6, uint16_t payload)
{
    return harness_tcp(NAT_WAN, v6 ? BALANCE_CLIENT_V6 : CLIENT, v6 ? BALANCE_VIP_V6 : BALANCE_VIP, 4000, 80,
                       SL_TCP_ACK, payload);
}

// Fails unless the client was told this MTU, about his own packet; takes the message.
static void client_was_told(struct harness_balance *b, bool v6, uint16_t mtu)
{
    struct rte_mbuf *m = harness_sent(b->h, NAT_WAN);
    assert_non_null(m);
    assert_true(sl_check_l4_checksum(rte_pktmbuf_mtod_offset(m, void *, 14)));
    const struct sl_icmp *icmp = rte_pktmbuf_mtod_offset(m, const struct sl_icmp *, v6 ? 54 : 34);
    assert_int_equal(icmp->type, v6 ? SL_ICMP6_TOO_BIG : SL_ICMP_UNREACHABLE);
    assert_int_equal(v6 ? sl_host32(icmp->mtu32) : sl_host16(icmp->mtu), mtu);
    const uint8_t *quote = (const uint8_t *)(icmp + 1);
    struct sl_ip client = harness_ip_of(v6 ? BALANCE_CLIENT_V6 : CLIENT);
    assert_memory_equal(v6 ? quote + 8 : quote + 12, v6 ? client.b : client.b + 12, v6 ? 16 : 4);
    assert_int_equal(sl_host16(((const struct sl_udp *)(quote + (v6 ? 40 : 20)))->sport), 4000);
    rte_pktmbuf_free(m);
}

static void a_router_s_packet_too_big_is_told_to_the_client(void **state)
{
    const struct {
        enum sl_balance_way way;
        bool v6, v6_outside;
        uint16_t mtu, told;
    } of[] = {{SL_BALANCE_IPIP, false, false, 1400, 1380}, {SL_BALANCE_GUE, false, false, 1400, 1368},
              {SL_BALANCE_IPIP, true, false, 1400, 1380},  {SL_BALANCE_GUE, true, true, 1400, 1348},
              {SL_BALANCE_IPIP, false, true, 1400, 1360},  {SL_BALANCE_IPIP, false, false, 100, 532},
              {SL_BALANCE_IPIP, true, false, 600, 1280},   {SL_BALANCE_IPIP, false, false, 0, 986}};
    for (size_t i = 0; i < RTE_DIM(of); i++) {
        struct harness_balance *b = tunnel(of[i].way, of[i].v6_outside);
        struct rte_mbuf *m = sent_for(b, big(of[i].v6, 1300));
        assert_non_null(m);
        harness_send(b->h, NAT_LAN, too_big(m, 120, of[i].mtu));
        harness_settle(b->h);
        client_was_told(b, of[i].v6, of[i].told);
        rte_pktmbuf_free(m);
        // What is larger is refused here from now on, what fits passes.
        uint16_t headers = of[i].v6 ? 60 : 40;
        assert_null(sent_for(b, big(of[i].v6, (uint16_t)(of[i].told - headers + 1))));
        client_was_told(b, of[i].v6, of[i].told);
        m = sent_for(b, big(of[i].v6, (uint16_t)(of[i].told - headers)));
        assert_non_null(m);
        rte_pktmbuf_free(m);
        while ((m = harness_sent(b->h, NAT_LAN)) != NULL)
            rte_pktmbuf_free(m);
        harness_balance_free(b);
    }
}

static void a_tunnel_s_path_widens_with_time(void **state)
{
    struct harness_balance *b = tunnel(SL_BALANCE_IPIP, false);
    struct rte_mbuf *m = sent_for(b, big(false, 1300));
    harness_send(b->h, NAT_LAN, too_big(m, 120, 1000));
    harness_settle(b->h);
    rte_pktmbuf_free(m);
    client_was_told(b, false, 980);
    assert_null(sent_for(b, big(false, 1300)));
    client_was_told(b, false, 980);
    b->h->worker[0]->now_ms += 600001;
    m = sent_for(b, big(false, 1300));
    assert_non_null(m);
    rte_pktmbuf_free(m);
    harness_balance_free(b);
}

// Eight bytes behind the tunnel's header tell no client; the next packet that is too large does.
static void a_short_quote_is_remembered_for_the_next_packet(void **state)
{
    struct harness_balance *b = tunnel(SL_BALANCE_IPIP, false);
    struct rte_mbuf *m = sent_for(b, big(false, 1300));
    harness_send(b->h, NAT_LAN, too_big(m, 28, 1000));
    harness_settle(b->h);
    rte_pktmbuf_free(m);
    assert_null(harness_sent(b->h, NAT_WAN));
    assert_null(sent_for(b, big(false, 1300)));
    client_was_told(b, false, 980);
    harness_balance_free(b);
}

static void paths_are_learned_without_flows_too(void **state)
{
    struct harness_balance *b = harness_balance_way(1, SL_BALANCE_IPIP, 3);
    b->service[0].flow_rate = 1;
    b->service[0].flags = SL_BALANCE_FLOOD_STATELESS;
    harness_balance_ready(b);
    struct rte_mbuf *m = NULL;
    uint32_t flows = 0;
    for (uint16_t port = 5000; port < 5100 && (m == NULL || flows != harness_nat_flows(b->n)); port++) {
        rte_pktmbuf_free(m);
        flows = harness_nat_flows(b->n);
        m = sent_for(b, harness_tcp(NAT_WAN, CLIENT, BALANCE_VIP, port, 80, SL_TCP_SYN, 1300));
        assert_non_null(m);
    }
    assert_int_equal(flows, harness_nat_flows(b->n)); // the last was balanced without
    struct rte_mbuf *error = too_big(m, 120, 1000);
    rte_pktmbuf_free(m);
    harness_send(b->h, NAT_LAN, error);
    harness_settle(b->h);
    m = harness_sent(b->h, NAT_WAN);
    assert_non_null(m);
    const struct sl_icmp *icmp = harness_l4_of(m);
    assert_int_equal(icmp->type, SL_ICMP_UNREACHABLE);
    assert_int_equal(sl_host16(icmp->mtu), 980);
    rte_pktmbuf_free(m);
    harness_balance_free(b);
}

static void forged_packet_too_big_changes_nothing(void **state)
{
    struct harness_balance *b = tunnel(SL_BALANCE_IPIP, false);
    struct rte_mbuf *m = sent_for(b, big(false, 1300));
    uint8_t *outer = rte_pktmbuf_mtod_offset(m, uint8_t *, 14);
    for (int lie = 0; lie < 3; lie++) {
        uint8_t *at = outer + (lie == 0 ? 19 : lie == 1 ? 20 + 15 : 40 + 1); // member, client, client's port
        *at ^= 1;
        ((struct sl_ipv4 *)outer)->checksum = 0;
        ((struct sl_ipv4 *)outer)->checksum = sl_csum_ipv4_header(outer, 20);
        harness_send(b->h, NAT_LAN, too_big(m, 120, 1000));
        harness_settle(b->h);
        assert_null(harness_sent(b->h, NAT_WAN));
        harness_expect_drops(b->h, lie == 0 ? SL_DROP_nat_no_mapping : SL_DROP_nat_icmp_unmatched, 1);
        *at ^= 1;
    }
    rte_pktmbuf_free(m);
    m = sent_for(b, big(false, 1300));
    assert_non_null(m);
    rte_pktmbuf_free(m);
    harness_balance_free(b);
}

// The one who knows the flow is asked, whichever worker the router's message came to.
static void every_worker_learns_a_tunnel_s_path(void **state)
{
    struct harness_balance *b = harness_balance_way(3, SL_BALANCE_IPIP, 1);
    harness_balance_ready(b);
    for (uint32_t worker = 0; worker < 3; worker++) {
        b->balance[0]->paths[0] = 0;
        memset(b->balance[0]->paths, 0, BALANCE_PATHS * sizeof(uint64_t));
        struct rte_mbuf *m = harness_balance_at(b, 0, NAT_WAN, big(false, 1300), NAT_LAN);
        assert_non_null(m);
        struct rte_mbuf *error = too_big(m, 120, 1000);
        rte_pktmbuf_free(m);
        assert_null(harness_balance_at(b, worker, NAT_LAN, error, NAT_LAN));
        client_was_told(b, false, 980);
        assert_null(harness_balance_at(b, worker, NAT_WAN, big(false, 1300), NAT_LAN));
        client_was_told(b, false, 980);
    }
    harness_balance_free(b);
}

// A client of IPv6 need not send less than 1280 bytes: over a narrower tunnel of IPv6 they go in two fragments.
static void what_ipv6_may_send_goes_over_the_narrowest_path(void **state)
{
    for (int way = SL_BALANCE_IPIP; way <= SL_BALANCE_GUE; way++) {
        struct harness_balance *b = tunnel(way, true);
        uint16_t udp = way == SL_BALANCE_GUE ? 12 : 0, len[2];
        struct rte_mbuf *m = sent_for(b, big(true, 1300)), *piece[2];
        harness_send(b->h, NAT_LAN, too_big(m, 120, 1280));
        harness_settle(b->h);
        rte_pktmbuf_free(m);
        client_was_told(b, true, 1280);
        piece[0] = sent_for(b, big(true, 1220));
        piece[1] = harness_sent(b->h, NAT_LAN);
        for (int i = 0; i < 2; i++) {
            assert_non_null(piece[i]);
            assert_true(piece[i]->pkt_len <= 14 + 1280);
            assert_int_equal(harness_ipv6_of(piece[i])->next, IPPROTO_FRAGMENT);
            len[i] = (uint16_t)(sl_host16(harness_ipv6_of(piece[i])->payload_len) - 8);
        }
        const uint8_t *first = (const uint8_t *)(harness_ipv6_of(piece[0]) + 1);
        const uint8_t *last = (const uint8_t *)(harness_ipv6_of(piece[1]) + 1);
        assert_memory_equal(first + 4, last + 4, 4); // identification
        assert_int_equal(first[0], udp ? 17 : 41);
        assert_int_equal(first[2] << 8 | first[3], 1);
        assert_int_equal(last[2] << 8 | last[3], len[0]);
        assert_int_equal(len[0] + len[1], udp + 1280);
        uint8_t whole[1280];
        memcpy(whole, first + 8 + udp, len[0] - udp);
        memcpy(whole + len[0] - udp, last + 8, len[1]);
        assert_true(sl_check_l4_checksum(whole));
        rte_pktmbuf_free(piece[0]);
        rte_pktmbuf_free(piece[1]);
        harness_balance_free(b);
    }
}

// ---- what else tunnels have to do -----------------------------------------------------------------------------
static void gue_over_ipv6_has_a_checksum(void **state)
{
    struct harness_balance *b = tunnel(SL_BALANCE_GUE, true);
    uint32_t ports = 0;
    uint16_t before = 0;
    for (uint16_t i = 0; i < 20; i++) { // of either parity
        struct rte_mbuf *m = sent_for(
            b, harness_udp(NAT_WAN, CLIENT, BALANCE_VIP, (uint16_t)(4000 + i), 80, (uint16_t)(10 + i)));
        assert_non_null(m);
        const struct sl_udp *udp = harness_l4_of(m);
        assert_int_not_equal(udp->checksum, 0);
        assert_true(sl_check_l4_checksum(harness_ipv6_of(m)));
        ports += udp->sport != before;
        before = udp->sport;
        rte_pktmbuf_free(m);
    }
    assert_true(ports > 15); // flows are told apart by the tunnel's source port
    harness_expect_no_drop(b->h);
    harness_balance_free(b);
}

// The answer to a SYN, that a server behind a tunnel sends past us or through us, says what fits in the tunnel.
static void answers_to_syns_are_clamped_to_the_tunnel(void **state)
{
    const uint8_t option[4] = {2, 4, 1460 >> 8, 1460 & 255};
    const struct {
        const char *from;
        uint8_t flags;
        uint16_t mss;
    } of[] = {{BALANCE_VIP, SL_TCP_SYN | SL_TCP_ACK, 1440}, {"10.0.0.12", SL_TCP_SYN | SL_TCP_ACK, 1460}};
    struct harness_balance *b = tunnel(SL_BALANCE_IPIP, false);
    for (size_t i = 0; i < RTE_DIM(of); i++) {
        struct sl_emit_ip ip = {.src = harness_ip_of(of[i].from),
                                .dst = harness_ip_of(CLIENT),
                                .proto = IPPROTO_TCP,
                                .payload_len = 24};
        struct sl_emit_tcp tcp = {
            .sport = 80, .dport = 4000, .flags = of[i].flags, .options = option, .options_len = 4};
        struct rte_mbuf *m = harness_ip(NAT_LAN, &ip);
        sl_emit_tcp(harness_l4_of(m), &tcp);
        sl_emit_l4_checksum(harness_ipv4_of(m));
        m = harness_balance_through(b, NAT_LAN, m, NAT_WAN);
        assert_non_null(m);
        const uint8_t *at = (const uint8_t *)harness_l4_of(m) + 22;
        assert_int_equal(at[0] << 8 | at[1], of[i].mss);
        rte_pktmbuf_free(m);
    }
    harness_balance_free(b);
}

// Fragments in any order, the last first too: one member, whole, through the tunnel.
static void fragments_go_through_the_tunnel_in_any_order(void **state)
{
    for (int order = 0; order < 6; order++) {
        const int turn[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
        struct harness_balance *b = harness_balance_way(1, SL_BALANCE_IPIP, 3);
        harness_balance_ready(b);
        struct rte_mbuf *whole = harness_udp(NAT_WAN, CLIENT, BALANCE_VIP, 4000, 80, 1000), *m;
        const uint8_t *payload = harness_l4_of(whole);
        for (int i = 0; i < 3; i++) {
            int part = turn[order][i];
            uint16_t from = (uint16_t)(part * 400), len = part == 2 ? 208 : 400;
            struct sl_emit_ip ip = {.src = harness_ip_of(CLIENT),
                                    .dst = harness_ip_of(BALANCE_VIP),
                                    .proto = IPPROTO_UDP,
                                    .id = 77,
                                    .fragment = (uint16_t)(from / 8 | (part < 2 ? SL_IPV4_MF : 0)),
                                    .payload_len = len};
            struct rte_mbuf *piece = harness_ip(NAT_WAN, &ip);
            memcpy(rte_pktmbuf_mtod_offset(piece, uint8_t *, 34), payload + from, len);
            harness_send(b->h, NAT_WAN, piece);
            harness_settle(b->h);
        }
        m = harness_sent(b->h, NAT_LAN);
        assert_non_null(m);
        assert_int_equal(sl_host16(harness_ipv4_of(m)->total_len), 20 + 1028);
        assert_null(harness_sent(b->h, NAT_LAN));
        assert_int_equal(harness_ipv4_of(m)->dst & 0xff, 10);
        rte_pktmbuf_free(m);
        rte_pktmbuf_free(whole);
        harness_expect_no_drop(b->h);
        harness_balance_free(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ipip_wraps_the_packet),
        cmocka_unit_test(gue_wraps_it_in_udp),
        cmocka_unit_test(tunnels_cross_families),
        cmocka_unit_test(tunnels_know_their_mtu),
        cmocka_unit_test(packet_too_big_reaches_the_member_in_its_tunnel),
        cmocka_unit_test(what_may_be_cut_is_cut_before_an_ipv6_tunnel),
        cmocka_unit_test(a_router_s_packet_too_big_is_told_to_the_client),
        cmocka_unit_test(what_ipv6_may_send_goes_over_the_narrowest_path),
        cmocka_unit_test(a_tunnel_s_path_widens_with_time),
        cmocka_unit_test(a_short_quote_is_remembered_for_the_next_packet),
        cmocka_unit_test(paths_are_learned_without_flows_too),
        cmocka_unit_test(forged_packet_too_big_changes_nothing),
        cmocka_unit_test(every_worker_learns_a_tunnel_s_path),
        cmocka_unit_test(gue_over_ipv6_has_a_checksum),
        cmocka_unit_test(answers_to_syns_are_clamped_to_the_tunnel),
        cmocka_unit_test(fragments_go_through_the_tunnel_in_any_order),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
