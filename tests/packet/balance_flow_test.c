// SPDX-License-Identifier: Apache-2.0
// A balanced flow from its first packet to its last: both directions, counters, timeouts, nobody eligible, segments in
// the midst of a connection, ICMP errors, fragments.
#include "harness_balance.h"
#include "route/fragment.h"

#define CLIENT BALANCE_CLIENT
#define ROUTER "198.51.100.21"

static struct harness_balance *gateway(enum sl_balance_method method, uint32_t members)
{
    struct harness_balance *b = harness_balance_new(1, 64);
    harness_balance_simple(b, method, members);
    harness_balance_ready(b);
    return b;
}

static void member_text(char out[SL_IP_TEXT], uint32_t member)
{
    snprintf(out, SL_IP_TEXT, "10.1.0.%u", member);
}

static void to_member_and_back(void **state)
{
    struct harness_balance *b = gateway(SL_BALANCE_MAGLEV, 3);
    char member[SL_IP_TEXT];
    struct rte_mbuf *m = harness_tcp(NAT_WAN, CLIENT, BALANCE_VIP, 4000, 80, SL_TCP_SYN, 0);
    struct ends6 in = harness_balance_ends(harness_balance_through(b, NAT_WAN, m, NAT_LAN));
    member_text(member, in.dst.b[15]);
    assert_int_equal(in.src.w[3], ip4(CLIENT));
    assert_int_equal(in.sport, 4000);
    assert_int_equal(in.dport, 8080);
    m = harness_tcp(NAT_LAN, member, CLIENT, 8080, 4000, SL_TCP_SYN | SL_TCP_ACK, 0);
    struct ends6 out = harness_balance_ends(harness_balance_through(b, NAT_LAN, m, NAT_WAN));
    assert_int_equal(out.src.w[3], ip4(BALANCE_VIP));
    assert_int_equal(out.dst.w[3], ip4(CLIENT));
    assert_int_equal(out.sport, 80);
    assert_int_equal(out.dport, 4000);
    assert_int_equal(harness_balance_tcp(b, CLIENT, 4000, SL_TCP_ACK), in.dst.b[15]);
    assert_int_equal(b->n->flows[0].entry[0].state, SL_FLOW_ESTABLISHED);
    assert_int_equal(harness_nat_flows(b->n), 1);
    harness_expect_no_drop(b->h);
    harness_balance_free(b);
}

static void counters_tell_what_happened(void **state)
{
    struct harness_balance *b = gateway(SL_BALANCE_MAGLEV, 1);
    for (uint16_t port = 1000; port < 1003; port++)
        assert_int_equal(harness_balance_udp(b, CLIENT, port), 1);
    struct rte_mbuf *m = harness_udp(NAT_LAN, "10.1.0.1", CLIENT, 8080, 1000, 100);
    rte_pktmbuf_free(harness_balance_through(b, NAT_LAN, m, NAT_WAN));
    struct sl_balance_service_counters s = harness_balance_service_sum(b, 0);
    struct sl_balance_member_counters c = harness_balance_member_sum(b, 0);
    assert_int_equal(s.packets_in, 3);
    assert_int_equal(s.bytes_in, 3 * 38);
    assert_int_equal(s.packets_out, 1);
    assert_int_equal(s.bytes_out, 128);
    assert_int_equal(s.flows_new, 3);
    assert_int_equal(s.flows_now, 3);
    assert_int_equal(c.packets_in, 3);
    assert_int_equal(c.bytes_out, 128);
    assert_int_equal(c.flows_new, 3);
    assert_int_equal(c.flows_now, 3);
    assert_int_equal(c.answered, 1);
    assert_int_equal(c.unanswered, 0);
    harness_advance_ms(b->h, 302000);
    harness_nat_tick(b->n);
    c = harness_balance_member_sum(b, 0);
    assert_int_equal(c.flows_now, 0);
    assert_int_equal(c.unanswered, 2);
    assert_int_equal(harness_balance_service_sum(b, 0).flows_now, 0);
    harness_balance_free(b);
}

static void syns_without_answer_are_told_once(void **state)
{
    struct harness_balance *b = gateway(SL_BALANCE_MAGLEV, 1);
    for (uint32_t i = 1; i <= 4; i++) {
        harness_balance_tcp(b, CLIENT, 4000, SL_TCP_SYN);
        assert_int_equal(harness_balance_member_sum(b, 0).unanswered, i >= 3);
    }
    harness_balance_tcp(b, CLIENT, 4001, SL_TCP_SYN);
    struct rte_mbuf *m = harness_tcp(NAT_LAN, "10.1.0.1", CLIENT, 8080, 4001, SL_TCP_RST | SL_TCP_ACK, 0);
    rte_pktmbuf_free(harness_balance_through(b, NAT_LAN, m, NAT_WAN));
    harness_advance_ms(b->h, 302000);
    harness_nat_tick(b->n);
    assert_int_equal(harness_nat_flows(b->n), 0);
    assert_int_equal(harness_balance_member_sum(b, 0).unanswered, 1);
    assert_int_equal(harness_balance_member_sum(b, 0).resets, 1);
    harness_balance_free(b);
}

static void service_has_its_own_timeouts(void **state)
{
    struct harness_balance *b = harness_balance_new(1, 64);
    harness_balance_simple(b, SL_BALANCE_MAGLEV, 1);
    b->service[0].timeout_new_s = 5;
    harness_balance_ready(b);
    harness_balance_udp(b, CLIENT, 1000);
    harness_advance_ms(b->h, 4000);
    harness_nat_tick(b->n);
    assert_int_equal(harness_nat_flows(b->n), 1);
    harness_advance_ms(b->h, 3000);
    harness_nat_tick(b->n);
    assert_int_equal(harness_nat_flows(b->n), 0);
    harness_balance_free(b);
}

// ---- nobody -------------------------------------------------------------------------------------------------
static void no_member_resets_tcp(void **state)
{
    struct harness_balance *b = gateway(SL_BALANCE_MAGLEV, 1);
    harness_balance_set(b, 0, 0, SL_BALANCE_DOWN, 1);
    struct rte_mbuf *m = harness_tcp(NAT_WAN, CLIENT, BALANCE_VIP, 4000, 80, SL_TCP_SYN, 0);
    m = harness_balance_through(b, NAT_WAN, m, NAT_WAN);
    assert_non_null(m);
    const struct sl_tcp *tcp = harness_l4_of(m);
    assert_int_equal(tcp->flags, SL_TCP_RST | SL_TCP_ACK);
    assert_int_equal(sl_host32(tcp->ack), 2); // the SYN's number was 1
    struct ends6 ends = harness_balance_ends(m);
    assert_int_equal(ends.src.w[3], ip4(BALANCE_VIP));
    assert_int_equal(ends.dst.w[3], ip4(CLIENT));
    assert_int_equal(ends.sport, 80);
    assert_int_equal(ends.dport, 4000);
    harness_expect_drop(b->h, balance_no_member);
    assert_int_equal(harness_counted(b->h, SL_COUNTER_balance_reset_sent), 1);
    assert_int_equal(harness_balance_service_sum(b, 0).no_member, 1);
    harness_balance_free(b);
}

static void no_member_rejects_udp(void **state)
{
    struct harness_balance *b = gateway(SL_BALANCE_MAGLEV, 1);
    harness_balance_set(b, 0, 0, SL_BALANCE_DRAIN, 1);
    struct rte_mbuf *m = harness_udp(NAT_WAN, CLIENT, BALANCE_VIP, 4000, 80, 10);
    m = harness_balance_through(b, NAT_WAN, m, NAT_WAN);
    assert_non_null(m);
    const struct sl_icmp *icmp = harness_l4_of(m);
    assert_int_equal(icmp->type, SL_ICMP_UNREACHABLE);
    assert_int_equal(icmp->code, 3);
    rte_pktmbuf_free(m);
    harness_expect_drop(b->h, balance_no_member);
    harness_balance_free(b);
}

static void resets_have_a_rate_limit(void **state)
{
    struct harness_balance *b = gateway(SL_BALANCE_MAGLEV, 1);
    b->h->port_table.settings.icmp_error_burst = 3;
    harness_balance_set(b, 0, 0, SL_BALANCE_DOWN, 1);
    for (uint16_t port = 1; port <= 10; port++)
        harness_balance_tcp(b, CLIENT, port, SL_TCP_SYN);
    harness_expect_drops(b->h, SL_DROP_balance_no_member, 10);
    assert_int_equal(harness_counted(b->h, SL_COUNTER_balance_reset_sent), 3);
    harness_balance_free(b);
}

// ---- in the midst -------------------------------------------------------------------------------------------
// Another gateway has lost its link: what it balanced comes here, and goes on to the same members.
static void midst_of_a_connection_finds_its_member(void **state)
{
    struct harness_balance *one = gateway(SL_BALANCE_MAGLEV, 5);
    uint32_t member[40];
    for (uint16_t i = 0; i < 40; i++)
        member[i] = harness_balance_tcp(one, CLIENT, (uint16_t)(4000 + i), SL_TCP_SYN);
    harness_balance_free(one);
    struct harness_balance *two = gateway(SL_BALANCE_MAGLEV, 5);
    for (uint16_t i = 0; i < 40; i++)
        assert_int_equal(harness_balance_tcp(two, CLIENT, (uint16_t)(4000 + i), SL_TCP_ACK), member[i]);
    assert_int_equal(two->n->flows[0].entry[0].state, SL_FLOW_ESTABLISHED);
    assert_int_equal(harness_nat_flows(two->n), 40);
    harness_expect_no_drop(two->h);
    harness_balance_free(two);
}

static void midst_without_a_hash_is_reset(void **state)
{
    struct harness_balance *b = gateway(SL_BALANCE_ROUND_ROBIN, 2);
    struct rte_mbuf *m = harness_tcp(NAT_WAN, CLIENT, BALANCE_VIP, 4000, 80, SL_TCP_ACK, 0);
    m = harness_balance_through(b, NAT_WAN, m, NAT_WAN);
    assert_non_null(m);
    const struct sl_tcp *tcp = harness_l4_of(m);
    assert_int_equal(tcp->flags, SL_TCP_RST);
    assert_int_equal(sl_host32(tcp->seq), 0); // the segment's acknowledgment number
    rte_pktmbuf_free(m);
    harness_expect_drop(b->h, flow_mid_stream);
    assert_int_equal(harness_nat_flows(b->n), 0);
    assert_int_equal(harness_balance_tcp(b, CLIENT, 4000, SL_TCP_SYN | SL_TCP_ACK), 0);
    harness_expect_drop(b->h, flow_mid_stream);
    harness_balance_free(b);
}

static void reset_in_the_midst_makes_no_flow(void **state)
{
    struct harness_balance *b = gateway(SL_BALANCE_MAGLEV, 3);
    assert_int_not_equal(harness_balance_tcp(b, CLIENT, 4000, SL_TCP_RST), 0);
    assert_int_equal(harness_nat_flows(b->n), 0);
    assert_int_equal(harness_balance_service_sum(b, 0).flows_stateless, 1);
    harness_balance_free(b);
}

// ---- ICMP errors --------------------------------------------------------------------------------------------
static struct rte_mbuf *error_about(uint16_t in, const char *from, uint8_t code, struct rte_mbuf *about)
{
    const struct sl_ipv4 *quote = harness_ipv4_of(about);
    uint16_t len = (uint16_t)RTE_MIN(sl_host16(quote->total_len), 60);
    struct sl_emit_ip ip = {.src = harness_ip_of(from),
                            .dst = sl_ip_v4(quote->src),
                            .proto = IPPROTO_ICMP,
                            .payload_len = (uint16_t)(8 + len)};
    struct rte_mbuf *m = harness_ip(in, &ip);
    memcpy(sl_emit_icmp(harness_l4_of(m), SL_ICMP_UNREACHABLE, code, sl_be32_of(1400)), quote, len);
    sl_emit_l4_checksum(harness_ipv4_of(m));
    rte_pktmbuf_free(about);
    return m;
}

static void quoted(struct rte_mbuf *error, struct ends6 *ends)
{
    const struct sl_ipv4 *ip = rte_pktmbuf_mtod_offset(error, const struct sl_ipv4 *, 42);
    const struct sl_udp *udp = rte_pktmbuf_mtod_offset(error, const struct sl_udp *, 62);
    assert_int_equal(sl_csum_ipv4_header(ip, 20), 0);
    *ends =
        (struct ends6){sl_ip_v4(ip->src), sl_ip_v4(ip->dst), sl_host16(udp->sport), sl_host16(udp->dport)};
}

// A router on the way to the client cannot take an answer whole: the member that sent it must learn of it.
static void packet_too_big_reaches_the_member(void **state)
{
    struct harness_balance *b = gateway(SL_BALANCE_MAGLEV, 3);
    char member[SL_IP_TEXT];
    uint32_t last = harness_balance_tcp(b, CLIENT, 4000, SL_TCP_SYN);
    member_text(member, last);
    struct rte_mbuf *answer = harness_tcp(NAT_WAN, BALANCE_VIP, CLIENT, 80, 4000, SL_TCP_ACK, 200);
    struct rte_mbuf *m = error_about(NAT_WAN, ROUTER, 4, answer);
    m = harness_balance_through(b, NAT_WAN, m, NAT_LAN);
    assert_non_null(m);
    struct ends6 ends;
    quoted(m, &ends);
    assert_int_equal(harness_ipv4_of(m)->dst, ip4(member));
    assert_int_equal(harness_ipv4_of(m)->src, ip4(ROUTER));
    assert_int_equal(ends.src.w[3], ip4(member));
    assert_int_equal(ends.dst.w[3], ip4(CLIENT));
    assert_int_equal(ends.sport, 8080);
    assert_int_equal(ends.dport, 4000);
    rte_pktmbuf_free(m);
    harness_balance_free(b);
}

static void packet_too_big_finds_the_member_without_a_flow(void **state)
{
    struct harness_balance *b = gateway(SL_BALANCE_MAGLEV, 5);
    char member[SL_IP_TEXT];
    struct rte_mbuf *answer = harness_tcp(NAT_WAN, BALANCE_VIP, CLIENT, 80, 4000, SL_TCP_ACK, 200);
    struct rte_mbuf *m =
        harness_balance_through(b, NAT_WAN, error_about(NAT_WAN, ROUTER, 4, answer), NAT_LAN);
    assert_non_null(m);
    uint32_t told = harness_ipv4_of(m)->dst >> 24;
    rte_pktmbuf_free(m);
    assert_int_equal(harness_nat_flows(b->n), 0);
    assert_int_equal(harness_balance_tcp(b, CLIENT, 4000, SL_TCP_SYN), told);
    member_text(member, told);
    harness_balance_free(b);
}

// From the member's side: seen by the client, it comes from the service and is about what he sent there.
static void errors_of_members_speak_of_the_service(void **state)
{
    struct harness_balance *b = gateway(SL_BALANCE_MAGLEV, 1);
    harness_balance_udp(b, CLIENT, 4000);
    struct rte_mbuf *sent = harness_udp(NAT_LAN, CLIENT, "10.1.0.1", 4000, 8080, 30);
    struct rte_mbuf *m =
        harness_balance_through(b, NAT_LAN, error_about(NAT_LAN, "10.1.0.1", 3, sent), NAT_WAN);
    assert_non_null(m);
    struct ends6 ends;
    quoted(m, &ends);
    assert_int_equal(harness_ipv4_of(m)->src, ip4(BALANCE_VIP));
    assert_int_equal(harness_ipv4_of(m)->dst, ip4(CLIENT));
    assert_int_equal(ends.src.w[3], ip4(CLIENT));
    assert_int_equal(ends.dst.w[3], ip4(BALANCE_VIP));
    assert_int_equal(ends.sport, 4000);
    assert_int_equal(ends.dport, 80);
    rte_pktmbuf_free(m);
    harness_balance_free(b);
}

static void errors_of_the_gateway_quote_what_the_client_sent(void **state)
{
    struct harness_balance *b = gateway(SL_BALANCE_MAGLEV, 1);
    b->h->port[NAT_LAN].mtu = 600;
    struct rte_mbuf *m = harness_tcp(NAT_WAN, CLIENT, BALANCE_VIP, 4000, 80, SL_TCP_SYN, 1000);
    m = harness_balance_through(b, NAT_WAN, m, NAT_WAN);
    assert_non_null(m);
    struct ends6 ends;
    quoted(m, &ends);
    assert_int_equal(ends.dst.w[3], ip4(BALANCE_VIP));
    assert_int_equal(ends.dport, 80);
    rte_pktmbuf_free(m);
    harness_balance_free(b);
}

// ---- other protocols ----------------------------------------------------------------------------------------
static void pings_are_answered_by_the_gateway(void **state)
{
    struct harness_balance *b = gateway(SL_BALANCE_MAGLEV, 1);
    struct rte_mbuf *m =
        harness_balance_through(b, NAT_WAN, harness_echo(NAT_WAN, CLIENT, BALANCE_VIP, 7, 1), NAT_WAN);
    assert_non_null(m);
    assert_int_equal(((const struct sl_icmp *)harness_l4_of(m))->type, SL_ICMP_ECHO_REPLY);
    rte_pktmbuf_free(m);
    harness_balance_free(b);
}

static void all_of_ip_is_forwarded(void **state)
{
    struct harness_balance *b = harness_balance_new(1, 64);
    uint32_t pool = harness_balance_pool(b, SL_BALANCE_MAGLEV);
    harness_balance_member(b, pool, "10.1.0.1", 0, 1);
    harness_balance_listen(b, harness_balance_service(b, pool), BALANCE_VIP, 0, 0, 65535);
    harness_balance_ready(b);
    struct rte_mbuf *m =
        harness_balance_through(b, NAT_WAN, harness_echo(NAT_WAN, CLIENT, BALANCE_VIP, 7, 1), NAT_LAN);
    assert_non_null(m);
    assert_int_equal(harness_ipv4_of(m)->dst, ip4("10.1.0.1"));
    rte_pktmbuf_free(m);
    struct sl_emit_ip gre = {
        .src = harness_ip_of(CLIENT), .dst = harness_ip_of(BALANCE_VIP), .proto = 47, .payload_len = 40};
    m = harness_balance_through(b, NAT_WAN, harness_ip(NAT_WAN, &gre), NAT_LAN);
    assert_non_null(m);
    assert_int_equal(harness_ipv4_of(m)->dst, ip4("10.1.0.1"));
    rte_pktmbuf_free(m);
    gre = (struct sl_emit_ip){
        .src = harness_ip_of("10.1.0.1"), .dst = harness_ip_of(CLIENT), .proto = 47, .payload_len = 40};
    m = harness_balance_through(b, NAT_LAN, harness_ip(NAT_LAN, &gre), NAT_WAN);
    assert_non_null(m);
    assert_int_equal(harness_ipv4_of(m)->src, ip4(BALANCE_VIP));
    rte_pktmbuf_free(m);
    m = harness_udp(NAT_WAN, CLIENT, BALANCE_VIP, 4000, 5555, 10);
    assert_int_equal(harness_balance_ends(harness_balance_through(b, NAT_WAN, m, NAT_LAN)).dport, 5555);
    harness_balance_free(b);
}

static struct rte_mbuf *sctp(uint16_t in, const char *src, const char *dst, uint16_t sport, uint16_t dport)
{
    struct sl_emit_ip ip = {
        .src = harness_ip_of(src), .dst = harness_ip_of(dst), .proto = IPPROTO_SCTP, .payload_len = 40};
    struct rte_mbuf *m = harness_ip(in, &ip);
    struct sl_udp *ports = harness_l4_of(m);
    ports->sport = sl_be16_of(sport);
    ports->dport = sl_be16_of(dport);
    return m;
}

// Associations of one client with two services are two flows; the payload stays as it is.
static void sctp_is_told_by_its_ports(void **state)
{
    struct harness_balance *b = harness_balance_new(1, 64);
    for (uint32_t i = 1; i <= 2; i++) {
        char member[SL_IP_TEXT];
        member_text(member, i);
        uint32_t pool = harness_balance_pool(b, SL_BALANCE_MAGLEV);
        harness_balance_member(b, pool, member, 0, 1);
        harness_balance_listen(b, harness_balance_service(b, pool), BALANCE_VIP, IPPROTO_SCTP,
                               (uint16_t)(2900 + i), (uint16_t)(2900 + i));
    }
    harness_balance_ready(b);
    for (uint32_t i = 1; i <= 2; i++) {
        char member[SL_IP_TEXT];
        member_text(member, i);
        struct rte_mbuf *m = harness_balance_through(
            b, NAT_WAN, sctp(NAT_WAN, CLIENT, BALANCE_VIP, 5000, (uint16_t)(2900 + i)), NAT_LAN);
        struct ends6 ends = harness_balance_ends(m);
        assert_int_equal(ends.dst.w[3], ip4(member));
        assert_int_equal(ends.dport, 2900 + i);
        m = harness_balance_through(b, NAT_LAN, sctp(NAT_LAN, member, CLIENT, (uint16_t)(2900 + i), 5000),
                                    NAT_WAN);
        assert_int_equal(harness_balance_ends(m).src.w[3], ip4(BALANCE_VIP));
    }
    harness_balance_free(b);
}

// ---- fragments ----------------------------------------------------------------------------------------------
static void fragments_reach_one_member_in_any_order(void **state)
{
    static const int order[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    struct harness_balance *b = gateway(SL_BALANCE_MAGLEV, 5);
    uint32_t member = harness_balance_udp(b, CLIENT, 4000);
    for (int i = 0; i < 6; i++) {
        struct packet packet = {.m = harness_udp(NAT_WAN, CLIENT, BALANCE_VIP, 4000, 80, 1200), .l3_off = 14};
        uint8_t eth[14];
        memcpy(eth, rte_pktmbuf_mtod(packet.m, void *), sizeof(eth));
        harness_ipv4_of(packet.m)->id = (sl_be16)(i + 1);
        harness_fix_checksums(packet.m);
        packet.l3_len = (uint16_t)(packet.m->pkt_len - 14);
        struct rte_mbuf *piece[FRAGMENT_MAX], *out = NULL;
        assert_int_equal(fragment_cut(b->h->worker[0], &packet, 500, piece), 3);
        for (int j = 0; j < 3; j++) {
            memcpy(rte_pktmbuf_mtod(piece[order[i][j]], void *), eth, sizeof(eth));
            out = harness_balance_through(b, NAT_WAN, piece[order[i][j]], NAT_LAN);
            assert_true((out != NULL) == (j == 2));
        }
        assert_int_equal(harness_balance_ends(out).dst.b[15], member);
    }
    harness_expect_no_drop(b->h);
    harness_balance_free(b);
}

// ---- who else is there --------------------------------------------------------------------------------------
static void what_is_no_service_s_goes_its_way(void **state)
{
    struct harness_balance *b = gateway(SL_BALANCE_MAGLEV, 1);
    struct rte_mbuf *m = harness_udp(NAT_LAN, "10.1.0.1", CLIENT, 53, 9, 10); // a member's own affair
    struct ends6 ends = harness_balance_ends(harness_balance_through(b, NAT_LAN, m, NAT_WAN));
    assert_int_equal(ends.src.w[3], ip4("10.1.0.1"));
    m = harness_udp(NAT_WAN, CLIENT, "10.1.0.1", 9, 8080, 10); // past the service
    ends = harness_balance_ends(harness_balance_through(b, NAT_WAN, m, NAT_LAN));
    assert_int_equal(ends.dst.w[3], ip4("10.1.0.1"));
    m = harness_udp(NAT_LAN, "10.1.0.1", CLIENT, 8080, 9, 10); // and its answer
    ends = harness_balance_ends(harness_balance_through(b, NAT_LAN, m, NAT_WAN));
    assert_int_equal(ends.src.w[3], ip4("10.1.0.1"));
    assert_null(
        harness_balance_through(b, NAT_WAN, harness_udp(NAT_WAN, CLIENT, BALANCE_VIP, 9, 81, 10), NAT_LAN));
    harness_expect_drop(b->h, nat_no_mapping);
    assert_int_equal(harness_nat_flows(b->n), 0);
    harness_balance_free(b);
}

// One client's port at two services with one member: answers could not be told apart.
static void taken_port_of_a_client_conflicts(void **state)
{
    struct harness_balance *b = harness_balance_new(1, 64);
    harness_balance_simple(b, SL_BALANCE_MAGLEV, 1);
    harness_balance_listen(b, 0, "198.51.100.106", IPPROTO_UDP, 80, 80);
    harness_balance_ready(b);
    assert_int_equal(harness_balance_udp(b, CLIENT, 4000), 1);
    struct rte_mbuf *m = harness_udp(NAT_WAN, CLIENT, "198.51.100.106", 4000, 80, 10);
    assert_null(harness_balance_through(b, NAT_WAN, m, NAT_LAN));
    harness_expect_drop(b->h, nat_conflict);
    harness_balance_free(b);
}

static void works_without_any_nat(void **state)
{
    struct harness_balance *b = gateway(SL_BALANCE_MAGLEV, 2);
    b->h->tables.nat = NULL;
    harness_balance_udp(b, CLIENT, 4000);
    struct rte_mbuf *m = harness_udp(NAT_LAN, "10.0.0.12", CLIENT, 4000, 9, 10);
    assert_int_equal(harness_balance_ends(harness_balance_through(b, NAT_LAN, m, NAT_WAN)).src.w[3],
                     ip4("10.0.0.12"));
    assert_int_equal(harness_nat_flows(b->n), 1);
    harness_balance_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(to_member_and_back),
        cmocka_unit_test(counters_tell_what_happened),
        cmocka_unit_test(syns_without_answer_are_told_once),
        cmocka_unit_test(service_has_its_own_timeouts),
        cmocka_unit_test(no_member_resets_tcp),
        cmocka_unit_test(no_member_rejects_udp),
        cmocka_unit_test(resets_have_a_rate_limit),
        cmocka_unit_test(midst_of_a_connection_finds_its_member),
        cmocka_unit_test(midst_without_a_hash_is_reset),
        cmocka_unit_test(reset_in_the_midst_makes_no_flow),
        cmocka_unit_test(packet_too_big_reaches_the_member),
        cmocka_unit_test(packet_too_big_finds_the_member_without_a_flow),
        cmocka_unit_test(errors_of_members_speak_of_the_service),
        cmocka_unit_test(errors_of_the_gateway_quote_what_the_client_sent),
        cmocka_unit_test(pings_are_answered_by_the_gateway),
        cmocka_unit_test(all_of_ip_is_forwarded),
        cmocka_unit_test(sctp_is_told_by_its_ports),
        cmocka_unit_test(fragments_reach_one_member_in_any_order),
        cmocka_unit_test(what_is_no_service_s_goes_its_way),
        cmocka_unit_test(taken_port_of_a_client_conflicts),
        cmocka_unit_test(works_without_any_nat),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
