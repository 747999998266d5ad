// SPDX-License-Identifier: Apache-2.0
// NAT44 of ICMP as RFC 5508 wants it: queries by identifier, errors with the packet they quote.
#include "harness_nat.h"
#include "wire/l4.h"

#define CLIENT "10.0.0.11"
#define SERVER "198.51.100.21"
#define POOL   "198.51.100.100"

static struct harness_nat *gateway(void)
{
    struct harness_nat *n = harness_nat_new(64);
    harness_nat_pool(n, "wan", POOL, 1, 4, SL_NAT_FILTER_ENDPOINT_INDEPENDENT);
    harness_nat_source(n, "10.0.0.0/24", NAT_WAN, 0);
    harness_nat_ready(n);
    return n;
}

static struct rte_mbuf *reply_of(uint16_t port, const char *src, const char *dst, uint16_t id)
{
    struct rte_mbuf *m = harness_echo(port, src, dst, id, 1);
    ((struct sl_icmp *)harness_l4_of(m))->type = SL_ICMP_ECHO_REPLY;
    harness_fix_checksums(m);
    return m;
}

// An ICMP error from `src` about the packet in `about`, of which it quotes `quote_len` bytes. Keeps `about`.
static struct rte_mbuf *error_about(uint16_t port, const char *src, struct rte_mbuf *about, uint8_t type,
                                    uint8_t code, uint16_t mtu, uint16_t quote_len)
{
    const struct sl_ipv4 *quote = harness_ipv4_of(about);
    struct sl_emit_ip ip = {.src = harness_ip_of(src),
                            .dst = sl_ip_v4(quote->src),
                            .proto = IPPROTO_ICMP,
                            .payload_len = 8 + quote_len};
    struct rte_mbuf *m = harness_ip(port, &ip);
    uint8_t *at = sl_emit_icmp(harness_l4_of(m), type, code, sl_be32_of(mtu));
    memcpy(at, quote, quote_len);
    sl_emit_l4_checksum(harness_ipv4_of(m));
    return m;
}

static struct sl_ipv4 *quote_of(struct rte_mbuf *m)
{
    return (struct sl_ipv4 *)((uint8_t *)harness_l4_of(m) + 8);
}

// REQ-1: queries are translated by their identifier, answers find back.
static void rfc5508_req1_nat_translates_ping(void **state)
{
    struct harness_nat *n = gateway();
    struct ends out = harness_nat_ends(
        harness_nat_through(n, NAT_LAN, harness_echo(NAT_LAN, CLIENT, SERVER, 7, 1), NAT_WAN));
    assert_int_equal(out.src, ip4(POOL));
    struct ends in = harness_nat_ends(
        harness_nat_through(n, NAT_WAN, reply_of(NAT_WAN, SERVER, POOL, out.sport), NAT_LAN));
    assert_int_equal(in.dst, ip4(CLIENT));
    assert_int_equal(in.sport, 7);
    harness_expect_no_drop(n->h);
    harness_nat_free(n);
}

// REQ-1: two hosts may use the same identifier.
static void rfc5508_req1_nat_tells_two_pings_apart(void **state)
{
    struct harness_nat *n = gateway();
    struct ends a = harness_nat_ends(
        harness_nat_through(n, NAT_LAN, harness_echo(NAT_LAN, CLIENT, SERVER, 7, 1), NAT_WAN));
    struct ends b = harness_nat_ends(
        harness_nat_through(n, NAT_LAN, harness_echo(NAT_LAN, "10.0.0.12", SERVER, 7, 1), NAT_WAN));
    assert_int_not_equal(a.sport, b.sport);
    harness_nat_free(n);
}

// REQ-2: sixty seconds.
static void rfc5508_req2_nat_keeps_a_query_sixty_seconds(void **state)
{
    struct harness_nat *n = gateway();
    rte_pktmbuf_free(harness_nat_through(n, NAT_LAN, harness_echo(NAT_LAN, CLIENT, SERVER, 7, 1), NAT_WAN));
    harness_advance_ms(n->h, 59000);
    harness_nat_tick(n);
    assert_int_equal(harness_nat_flows(n), 1);
    harness_advance_ms(n->h, 2000);
    harness_nat_tick(n);
    assert_int_equal(harness_nat_flows(n), 0);
    harness_nat_free(n);
}

static void pool_address_answers_pings_itself(void **state)
{
    struct harness_nat *n = gateway();
    struct rte_mbuf *m = harness_nat_through(n, NAT_WAN, harness_echo(NAT_WAN, SERVER, POOL, 9, 1), NAT_WAN);
    assert_int_equal(((struct sl_icmp *)harness_l4_of(m))->type, SL_ICMP_ECHO_REPLY);
    assert_int_equal(harness_nat_ends(m).src, ip4(POOL));
    assert_int_equal(harness_counted(n->h, SL_COUNTER_icmp_echo_answered), 1);
    harness_nat_free(n);
}

static void reply_that_nobody_asked_for_is_dropped(void **state)
{
    struct harness_nat *n = gateway();
    assert_null(harness_nat_through(n, NAT_WAN, reply_of(NAT_WAN, SERVER, POOL, 9), NAT_LAN));
    harness_expect_drop(n->h, nat_no_mapping);
    assert_null(harness_nat_through(n, NAT_LAN, reply_of(NAT_LAN, CLIENT, SERVER, 9), NAT_WAN));
    harness_expect_drop(n->h, nat_icmp_unmatched);
    harness_nat_free(n);
}

static struct rte_mbuf *flow_packet(struct harness_nat *n, uint8_t proto)
{
    if (proto == IPPROTO_TCP)
        return harness_nat_through(n, NAT_LAN, harness_tcp(NAT_LAN, CLIENT, SERVER, 4000, 80, SL_TCP_SYN, 0),
                                   NAT_WAN);
    if (proto == IPPROTO_UDP)
        return harness_nat_through(n, NAT_LAN, harness_udp(NAT_LAN, CLIENT, SERVER, 4000, 80, 40), NAT_WAN);
    return harness_nat_through(n, NAT_LAN, harness_echo(NAT_LAN, CLIENT, SERVER, 4000, 1), NAT_WAN);
}

// The quote must be what the client sent: addresses, port or identifier, header checksum, and, where it is quoted,
// the transport checksum, by full recomputation.
static void expect_client_s_own(struct rte_mbuf *m, uint16_t quote_len)
{
    struct sl_ipv4 *quote = quote_of(m);
    struct sl_icmp *icmp = (struct sl_icmp *)(quote + 1);
    struct sl_udp *ports = (struct sl_udp *)(quote + 1);
    assert_int_equal(quote->src, ip4(CLIENT));
    assert_int_equal(quote->dst, ip4(SERVER));
    assert_int_equal(sl_host16(quote->proto == IPPROTO_ICMP ? icmp->id : ports->sport), 4000);
    assert_int_equal(sl_csum_ipv4_header(quote, 20), 0);
    if (quote_len == sl_host16(quote->total_len))
        assert_true(sl_check_l4_checksum(quote));
}

static void inbound_error(uint8_t proto, bool whole)
{
    struct harness_nat *n = gateway();
    struct rte_mbuf *sent = flow_packet(n, proto);
    uint16_t quote_len = whole ? sl_host16(((struct sl_ipv4 *)harness_ipv4_of(sent))->total_len) : 28;
    struct rte_mbuf *error =
        error_about(NAT_WAN, "192.0.2.254", sent, SL_ICMP_TIME_EXCEEDED, 0, 0, quote_len);
    struct rte_mbuf *m = harness_nat_through(n, NAT_WAN, error, NAT_LAN);
    assert_non_null(m);
    expect_client_s_own(m, quote_len);
    struct sl_ipv4 *ip = harness_ipv4_of(m);
    assert_int_equal(ip->src, ip4("192.0.2.254")); // REQ-4: the router keeps its address
    assert_int_equal(ip->dst, ip4(CLIENT));
    assert_int_equal(harness_counted(n->h, SL_COUNTER_nat_icmp_error), 1);
    rte_pktmbuf_free(m);
    rte_pktmbuf_free(sent);
    harness_expect_no_drop(n->h);
    harness_nat_free(n);
}

static void rfc5508_req4_nat_translates_an_error_and_its_quote(void **state)
{
    inbound_error(IPPROTO_UDP, true);
    inbound_error(IPPROTO_TCP, true);
    inbound_error(IPPROTO_ICMP, true);
}

// RFC 792: eight bytes behind the header are all that must be quoted.
static void rfc5508_req4_nat_translates_a_quote_cut_to_eight_bytes(void **state)
{
    inbound_error(IPPROTO_UDP, false);
    inbound_error(IPPROTO_TCP, false);
    inbound_error(IPPROTO_ICMP, false);
}

// REQ-5: an error from inside hides who sent it, be it the host or a router in front of it.
static void outbound_error(const char *complains)
{
    struct harness_nat *n = gateway();
    struct ends out = harness_nat_udp(n, CLIENT, 4000, SERVER, 80);
    struct rte_mbuf *answer =
        harness_nat_through(n, NAT_WAN, harness_udp(NAT_WAN, SERVER, POOL, 80, out.sport, 10), NAT_LAN);
    struct rte_mbuf *error = error_about(NAT_LAN, complains, answer, SL_ICMP_UNREACHABLE, 3, 0, 38);
    struct rte_mbuf *m = harness_nat_through(n, NAT_LAN, error, NAT_WAN);
    assert_non_null(m);
    struct sl_ipv4 *ip = harness_ipv4_of(m), *quote = quote_of(m);
    assert_int_equal(ip->src, ip4(POOL));
    assert_int_equal(ip->dst, ip4(SERVER));
    assert_int_equal(quote->src, ip4(SERVER));
    assert_int_equal(quote->dst, ip4(POOL));
    assert_int_equal(sl_host16(((struct sl_udp *)(quote + 1))->dport), out.sport);
    assert_true(sl_check_l4_checksum(quote));
    assert_int_equal(sl_csum_ipv4_header(quote, 20), 0);
    rte_pktmbuf_free(m);
    rte_pktmbuf_free(answer);
    harness_nat_free(n);
}

static void rfc5508_req5_nat_hides_the_inside_sender_of_an_error(void **state)
{
    outbound_error(CLIENT);
    outbound_error("10.0.0.12");
}

// Path MTU discovery (RFC 1191): the number passes as it is.
static void fragmentation_needed_keeps_its_mtu(void **state)
{
    struct harness_nat *n = gateway();
    struct rte_mbuf *sent = flow_packet(n, IPPROTO_TCP);
    struct rte_mbuf *m = harness_nat_through(
        n, NAT_WAN, error_about(NAT_WAN, "192.0.2.254", sent, SL_ICMP_UNREACHABLE, 4, 1400, 28), NAT_LAN);
    const struct sl_icmp *icmp = harness_l4_of(m);
    assert_int_equal(sl_host16(icmp->mtu), 1400);
    rte_pktmbuf_free(m);
    rte_pktmbuf_free(sent);
    harness_nat_free(n);
}

// REQ-6 (section 4.2): an error neither keeps the flow alive nor ends it.
static void rfc5508_req6_error_does_not_refresh_the_flow(void **state)
{
    struct harness_nat *n = gateway();
    struct rte_mbuf *sent = flow_packet(n, IPPROTO_ICMP);
    harness_advance_ms(n->h, 40000);
    rte_pktmbuf_free(harness_nat_through(
        n, NAT_WAN, error_about(NAT_WAN, "192.0.2.254", sent, SL_ICMP_UNREACHABLE, 1, 0, 28), NAT_LAN));
    assert_int_equal(harness_nat_flows(n), 1);
    harness_advance_ms(n->h, 22000);
    harness_nat_tick(n);
    assert_int_equal(harness_nat_flows(n), 0);
    rte_pktmbuf_free(sent);
    harness_nat_free(n);
}

// REQ-3 (section 4.1): an error about a packet of no flow is dropped, and leaks no inside address.
static void rfc5508_req3_error_about_no_flow_is_dropped(void **state)
{
    struct harness_nat *n = gateway();
    struct rte_mbuf *alien = harness_udp(NAT_WAN, POOL, SERVER, 3333, 80, 10);
    assert_null(harness_nat_through(
        n, NAT_WAN, error_about(NAT_WAN, "192.0.2.254", alien, SL_ICMP_UNREACHABLE, 1, 0, 28), NAT_LAN));
    harness_expect_drop(n->h, nat_icmp_unmatched);
    struct rte_mbuf *routed = harness_udp(NAT_WAN, SERVER, CLIENT, 80, 3333, 10);
    assert_null(harness_nat_through(
        n, NAT_LAN, error_about(NAT_LAN, CLIENT, routed, SL_ICMP_UNREACHABLE, 3, 0, 28), NAT_WAN));
    harness_expect_drop(n->h, nat_icmp_unmatched);
    rte_pktmbuf_free(alien);
    rte_pktmbuf_free(routed);
    harness_nat_free(n);
}

// The gateway's own error about a translated packet shows its sender what he sent.
static void time_exceeded_here_quotes_the_packet_as_it_came(void **state)
{
    struct harness_nat *n = gateway();
    struct rte_mbuf *frame = harness_udp(NAT_LAN, CLIENT, SERVER, 4000, 80, 10);
    ((struct sl_ipv4 *)harness_ipv4_of(frame))->ttl = 1;
    harness_fix_checksums(frame);
    struct rte_mbuf *m = harness_nat_through(n, NAT_LAN, frame, NAT_LAN);
    assert_non_null(m);
    expect_client_s_own(m, 38);
    rte_pktmbuf_free(m);
    harness_expect_drop(n->h, ttl_expired);
    harness_nat_free(n);
}

// Frames out of a port until an ICMP error comes, NULL: none does. Requests and announcements are not looked at.
static struct rte_mbuf *icmp_sent(struct harness_nat *n, uint16_t port)
{
    struct rte_mbuf *m;
    while ((m = harness_sent(n->h, port)) != NULL) {
        if (harness_eth_of(m)->type == sl_be16_of(SL_ETHERTYPE_IPV4))
            return m;
        rte_pktmbuf_free(m);
    }
    return NULL;
}

// Seconds pass, one by one, as on the housekeeping thread.
static void seconds_pass(struct harness_nat *n, int seconds)
{
    for (int i = 0; i < seconds; i++) {
        harness_advance_ms(n->h, 1000);
        neighbor_tick(&n->h->house);
        harness_settle(n->h);
    }
}

#define ABSENT "198.51.100.77"

// A translated packet that waited in vain for its neighbor: the error goes to who sent it and quotes what he sent.
static void unreachable_neighbor_is_told_to_the_client_inside(void **state)
{
    for (int echo = 0; echo < 2; echo++) {
        struct harness_nat *n = gateway();
        struct rte_mbuf *sent = echo ? harness_echo(NAT_LAN, CLIENT, ABSENT, 7, 1)
                                     : harness_udp(NAT_LAN, CLIENT, ABSENT, 4000, 80, 10);
        struct sl_ipv4 before = *harness_ipv4_of(sent);
        uint8_t l4[8];
        memcpy(l4, harness_l4_of(sent), sizeof(l4));
        harness_send(n->h, NAT_LAN, sent);
        harness_settle(n->h);
        seconds_pass(n, 5);
        harness_expect_drop(n->h, neighbor_unresolved);
        struct rte_mbuf *error = icmp_sent(n, NAT_LAN);
        assert_non_null(error);
        assert_int_equal(harness_ipv4_of(error)->src, ip4("10.0.0.1"));
        assert_int_equal(harness_ipv4_of(error)->dst, ip4(CLIENT));
        assert_int_equal(((struct sl_icmp *)harness_l4_of(error))->type, SL_ICMP_UNREACHABLE);
        assert_int_equal(((struct sl_icmp *)harness_l4_of(error))->code, 1);
        const struct sl_ipv4 *quote = quote_of(error);
        assert_int_equal(quote->src, before.src);
        assert_int_equal(quote->dst, before.dst);
        assert_memory_equal(quote + 1, l4, sizeof(l4)); // ports or identifier, and the checksum over them
        rte_pktmbuf_free(error);
        harness_nat_free(n);
    }
}

// The flow ended while the packet waited: nobody is told, least of all the outside address.
static void unreachable_neighbor_of_an_ended_flow_is_told_to_nobody(void **state)
{
    struct harness_nat *n = gateway();
    harness_send(n->h, NAT_LAN, harness_udp(NAT_LAN, CLIENT, ABSENT, 4000, 80, 10));
    harness_settle(n->h);
    struct sl_flow_match all = {0};
    uint64_t killed = 0;
    flow_kill_step(n->h->worker[0], &all, 0, n->capacity, &killed);
    assert_int_equal(killed, 1);
    seconds_pass(n, 5);
    harness_expect_drop(n->h, neighbor_unresolved);
    assert_null(icmp_sent(n, NAT_LAN));
    assert_null(icmp_sent(n, NAT_WAN));
    harness_nat_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc5508_req1_nat_translates_ping),
        cmocka_unit_test(rfc5508_req1_nat_tells_two_pings_apart),
        cmocka_unit_test(rfc5508_req2_nat_keeps_a_query_sixty_seconds),
        cmocka_unit_test(pool_address_answers_pings_itself),
        cmocka_unit_test(reply_that_nobody_asked_for_is_dropped),
        cmocka_unit_test(rfc5508_req4_nat_translates_an_error_and_its_quote),
        cmocka_unit_test(rfc5508_req4_nat_translates_a_quote_cut_to_eight_bytes),
        cmocka_unit_test(rfc5508_req5_nat_hides_the_inside_sender_of_an_error),
        cmocka_unit_test(fragmentation_needed_keeps_its_mtu),
        cmocka_unit_test(rfc5508_req6_error_does_not_refresh_the_flow),
        cmocka_unit_test(rfc5508_req3_error_about_no_flow_is_dropped),
        cmocka_unit_test(time_exceeded_here_quotes_the_packet_as_it_came),
        cmocka_unit_test(unreachable_neighbor_is_told_to_the_client_inside),
        cmocka_unit_test(unreachable_neighbor_of_an_ended_flow_is_told_to_nobody),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
