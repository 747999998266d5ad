// SPDX-License-Identifier: Apache-2.0
// NAT by rule: 1:1, port forwards, hairpinning (RFC 4787 REQ-9), and who wins where they meet.
#include "harness_nat.h"

#define CLIENT "10.0.0.11"
#define OTHER  "10.0.0.12"
#define SERVER "198.51.100.21"
#define POOL   "198.51.100.100"
#define ONE    "198.51.100.103"
#define WAN_IP "198.51.100.1"

// A pool of one address; 10.0.0.12 is 198.51.100.103; the pool's and the gateway's own 8080-8089 go to 10.0.0.12.
static struct harness_nat *gateway(void)
{
    struct harness_nat *n = harness_nat_new(64);
    harness_nat_pool(n, "wan", POOL, 1, 16, SL_NAT_FILTER_ENDPOINT_INDEPENDENT);
    harness_nat_source(n, "10.0.0.0/24", NAT_WAN, 0);
    return n;
}

static struct harness_nat *with_static(void)
{
    struct harness_nat *n = gateway();
    harness_nat_static(n, OTHER, ONE);
    harness_nat_ready(n);
    return n;
}

static struct harness_nat *with_forward(const char *outside)
{
    struct harness_nat *n = gateway();
    harness_nat_forward(n, IPPROTO_UDP, outside, 8080, 8089, OTHER, 80);
    harness_nat_ready(n);
    return n;
}

static struct ends udp(struct harness_nat *n, uint16_t in, const char *src, uint16_t sport, const char *dst,
                       uint16_t dport, uint16_t out)
{
    return harness_nat_ends(harness_nat_through(n, in, harness_udp(in, src, dst, sport, dport, 20), out));
}

static void expect_ends(struct ends got, const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
    assert_int_equal(got.src, ip4(src));
    assert_int_equal(got.sport, sport);
    assert_int_equal(got.dst, ip4(dst));
    assert_int_equal(got.dport, dport);
}

static void static_host_goes_out_as_its_outside_address(void **state)
{
    struct harness_nat *n = with_static();
    expect_ends(udp(n, NAT_LAN, OTHER, 5, SERVER, 53, NAT_WAN), ONE, 5, SERVER, 53);
    expect_ends(udp(n, NAT_WAN, SERVER, 53, ONE, 5, NAT_LAN), SERVER, 53, OTHER, 5);
    assert_int_equal(harness_counted(n->h, SL_COUNTER_nat_block_allocated), 0);
    harness_nat_free(n);
}

static void static_host_is_reached_from_outside_on_any_port(void **state)
{
    struct harness_nat *n = with_static();
    expect_ends(udp(n, NAT_WAN, SERVER, 53, ONE, 17, NAT_LAN), SERVER, 53, OTHER, 17);
    expect_ends(udp(n, NAT_LAN, OTHER, 17, SERVER, 53, NAT_WAN), ONE, 17, SERVER, 53);
    harness_nat_free(n);
}

static void static_host_answers_its_own_pings(void **state)
{
    struct harness_nat *n = with_static();
    struct rte_mbuf *ping = harness_echo(NAT_WAN, SERVER, ONE, 77, 1);
    expect_ends(harness_nat_ends(harness_nat_through(n, NAT_WAN, ping, NAT_LAN)), SERVER, 77, OTHER, 77);
    harness_nat_free(n);
}

static struct rte_mbuf *gre(uint16_t port, const char *src, const char *dst)
{
    const struct sl_emit_ip ip = {
        .src = harness_ip_of(src), .dst = harness_ip_of(dst), .proto = 47, .payload_len = 40};
    return harness_ip(port, &ip);
}

static void static_translates_the_addresses_of_any_protocol(void **state)
{
    struct harness_nat *n = with_static();
    struct rte_mbuf *m = harness_nat_through(n, NAT_LAN, gre(NAT_LAN, OTHER, SERVER), NAT_WAN);
    assert_int_equal(harness_nat_ends(m).src, ip4(ONE));
    m = harness_nat_through(n, NAT_WAN, gre(NAT_WAN, SERVER, ONE), NAT_LAN);
    assert_int_equal(harness_nat_ends(m).dst, ip4(OTHER));
    harness_nat_free(n);
}

static void protocol_without_ports_needs_a_static(void **state)
{
    struct harness_nat *n = with_static();
    assert_null(harness_nat_through(n, NAT_LAN, gre(NAT_LAN, CLIENT, SERVER), NAT_WAN));
    harness_expect_drop(n->h, nat_protocol);
    harness_nat_free(n);
}

static void forward_reaches_inside_with_its_port_of_the_range(void **state)
{
    struct harness_nat *n = with_forward(POOL);
    expect_ends(udp(n, NAT_WAN, SERVER, 999, POOL, 8083, NAT_LAN), SERVER, 999, OTHER, 83);
    expect_ends(udp(n, NAT_LAN, OTHER, 83, SERVER, 999, NAT_WAN), POOL, 8083, SERVER, 999);
    assert_null(harness_nat_through(n, NAT_WAN, harness_udp(NAT_WAN, SERVER, POOL, 999, 8090, 1), NAT_LAN));
    harness_expect_drop(n->h, nat_no_mapping);
    harness_nat_free(n);
}

static void forward_on_the_gateway_s_own_address_leaves_its_other_ports_alone(void **state)
{
    struct harness_nat *n = with_forward(WAN_IP);
    expect_ends(udp(n, NAT_WAN, SERVER, 999, WAN_IP, 8080, NAT_LAN), SERVER, 999, OTHER, 80);
    harness_send(n->h, NAT_WAN, harness_udp(NAT_WAN, SERVER, WAN_IP, 999, 22, 1));
    harness_expect_drop(n->h, no_twin); // for the host itself, which this port has not got
    harness_nat_free(n);
}

static void forwarded_connection_opens_with_a_syn_only(void **state)
{
    struct harness_nat *n = gateway();
    harness_nat_forward(n, IPPROTO_TCP, POOL, 8080, 8080, OTHER, 80);
    harness_nat_ready(n);
    struct rte_mbuf *ack = harness_tcp(NAT_WAN, SERVER, POOL, 999, 8080, SL_TCP_ACK, 0);
    assert_null(harness_nat_through(n, NAT_WAN, ack, NAT_LAN));
    harness_expect_drop(n->h, flow_mid_stream);
    struct rte_mbuf *syn = harness_tcp(NAT_WAN, SERVER, POOL, 999, 8080, SL_TCP_SYN, 0);
    expect_ends(harness_nat_ends(harness_nat_through(n, NAT_WAN, syn, NAT_LAN)), SERVER, 999, OTHER, 80);
    harness_nat_free(n);
}

// A port that a forward has taken is never given to a subscriber.
static void forwarded_ports_are_not_given_to_subscribers(void **state)
{
    struct harness_nat *n = harness_nat_new(2048);
    harness_nat_pool(n, "wan", POOL, 1, 16, SL_NAT_FILTER_ENDPOINT_INDEPENDENT);
    harness_nat_source(n, "10.0.0.0/24", NAT_WAN, 0);
    harness_nat_forward(n, IPPROTO_UDP, POOL, 1024 + 10, 65535, OTHER, 1);
    harness_nat_ready(n);
    for (uint16_t i = 0; i < 10; i++)
        assert_in_range(udp(n, NAT_LAN, CLIENT, 3000 + i, SERVER, 53, NAT_WAN).sport, 1024, 1033);
    harness_send(n->h, NAT_LAN, harness_udp(NAT_LAN, CLIENT, SERVER, 3999, 53, 1));
    harness_expect_drop(n->h, nat_ports_exhausted);
    harness_nat_free(n);
}

// ---- hairpinning -------------------------------------------------------------------------------------------
// RFC 4787 REQ-9 a): the inside target sees the sender's outside endpoint.
static void rfc4787_req9_hairpin_shows_the_external_source(void **state)
{
    struct harness_nat *n = gateway();
    harness_nat_ready(n);
    struct ends other =
        udp(n, NAT_LAN, OTHER, 2000, SERVER, 53, NAT_WAN); // so that it has an outside endpoint
    struct ends client = udp(n, NAT_LAN, CLIENT, 4000, SERVER, 53, NAT_WAN);
    expect_ends(udp(n, NAT_LAN, CLIENT, 4000, POOL, other.sport, NAT_LAN), POOL, client.sport, OTHER, 2000);
    expect_ends(udp(n, NAT_LAN, OTHER, 2000, POOL, client.sport, NAT_LAN), POOL, other.sport, CLIENT, 4000);
    for (int i = 0; i < 3; i++) // and again, by the flows that are there
        expect_ends(udp(n, NAT_LAN, CLIENT, 4000, POOL, other.sport, NAT_LAN), POOL, client.sport, OTHER,
                    2000);
    harness_expect_no_drop(n->h);
    harness_nat_free(n);
}

static void hairpin_reaches_a_forward_and_a_static(void **state)
{
    struct harness_nat *n = with_forward(POOL);
    struct ends client = udp(n, NAT_LAN, CLIENT, 4000, SERVER, 53, NAT_WAN);
    expect_ends(udp(n, NAT_LAN, CLIENT, 4000, POOL, 8080, NAT_LAN), POOL, client.sport, OTHER, 80);
    expect_ends(udp(n, NAT_LAN, OTHER, 80, POOL, client.sport, NAT_LAN), POOL, 8080, CLIENT, 4000);
    harness_nat_free(n);
    n = with_static();
    client = udp(n, NAT_LAN, CLIENT, 4000, SERVER, 53, NAT_WAN);
    expect_ends(udp(n, NAT_LAN, CLIENT, 4000, ONE, 7, NAT_LAN), POOL, client.sport, OTHER, 7);
    expect_ends(udp(n, NAT_LAN, OTHER, 7, POOL, client.sport, NAT_LAN), ONE, 7, CLIENT, 4000);
    assert_int_equal(harness_counted(n->h, SL_COUNTER_nat_hairpin), 2);
    harness_nat_free(n);
}

// A STUN client tests hairpinning with two sockets of one host; the same endpoint twice is a loop.
static void host_may_hairpin_to_itself_but_not_to_the_same_endpoint(void **state)
{
    struct harness_nat *n = gateway();
    harness_nat_ready(n);
    struct ends a = udp(n, NAT_LAN, CLIENT, 4000, SERVER, 53, NAT_WAN);
    struct ends b = udp(n, NAT_LAN, CLIENT, 4001, SERVER, 53, NAT_WAN);
    expect_ends(udp(n, NAT_LAN, CLIENT, 4000, POOL, b.sport, NAT_LAN), POOL, a.sport, CLIENT, 4001);
    assert_null(
        harness_nat_through(n, NAT_LAN, harness_udp(NAT_LAN, CLIENT, POOL, 4000, a.sport, 1), NAT_LAN));
    harness_expect_drop(n->h, nat_hairpin_loop);
    harness_nat_free(n);
}

static void hairpin_to_nobody_is_dropped(void **state)
{
    struct harness_nat *n = gateway();
    harness_nat_ready(n);
    assert_null(harness_nat_through(n, NAT_LAN, harness_udp(NAT_LAN, CLIENT, POOL, 4000, 60000, 1), NAT_LAN));
    harness_expect_drop(n->h, nat_no_mapping);
    harness_nat_free(n);
}

// An ICMP error about a hairpinned packet finds its way back through both translations.
static void hairpinned_error_is_translated_twice(void **state)
{
    struct harness_nat *n = gateway();
    harness_nat_ready(n);
    struct ends other = udp(n, NAT_LAN, OTHER, 2000, SERVER, 53, NAT_WAN);
    struct rte_mbuf *seen =
        harness_nat_through(n, NAT_LAN, harness_udp(NAT_LAN, CLIENT, POOL, 4000, other.sport, 20), NAT_LAN);
    struct sl_emit_ip ip = {.src = harness_ip_of(OTHER),
                            .dst = harness_ip_of(POOL),
                            .proto = IPPROTO_ICMP,
                            .payload_len = 8 + 48};
    struct rte_mbuf *error = harness_ip(NAT_LAN, &ip);
    uint8_t *at = sl_emit_icmp(harness_l4_of(error), SL_ICMP_UNREACHABLE, 3, 0);
    memcpy(at, harness_ipv4_of(seen), 48);
    sl_emit_l4_checksum(harness_ipv4_of(error));
    struct rte_mbuf *back = harness_nat_through(n, NAT_LAN, error, NAT_LAN);
    assert_non_null(back);
    struct sl_ipv4 *outer = harness_ipv4_of(back), *quote = (void *)((uint8_t *)harness_l4_of(back) + 8);
    assert_int_equal(outer->dst, ip4(CLIENT));
    assert_int_equal(quote->src, ip4(CLIENT));
    assert_int_equal(quote->dst, ip4(POOL));
    assert_int_equal(sl_host16(((struct sl_udp *)(quote + 1))->sport), 4000);
    assert_int_equal(sl_host16(((struct sl_udp *)(quote + 1))->dport), other.sport);
    assert_true(sl_check_l4_checksum(quote));
    rte_pktmbuf_free(seen);
    rte_pktmbuf_free(back);
    harness_nat_free(n);
}

// The forward's answers would look like those of a flow that the inside host has opened from the same port.
static void forward_that_clashes_with_a_flow_is_dropped(void **state)
{
    struct harness_nat *n = with_forward(POOL);
    udp(n, NAT_LAN, OTHER, 80, SERVER, 999, NAT_WAN); // 10.0.0.12:80 to the server, by a mapping
    assert_null(harness_nat_through(n, NAT_WAN, harness_udp(NAT_WAN, SERVER, POOL, 999, 8080, 1), NAT_LAN));
    harness_expect_drop(n->h, nat_conflict);
    harness_nat_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(static_host_goes_out_as_its_outside_address),
        cmocka_unit_test(static_host_is_reached_from_outside_on_any_port),
        cmocka_unit_test(static_host_answers_its_own_pings),
        cmocka_unit_test(static_translates_the_addresses_of_any_protocol),
        cmocka_unit_test(protocol_without_ports_needs_a_static),
        cmocka_unit_test(forward_reaches_inside_with_its_port_of_the_range),
        cmocka_unit_test(forward_on_the_gateway_s_own_address_leaves_its_other_ports_alone),
        cmocka_unit_test(forwarded_connection_opens_with_a_syn_only),
        cmocka_unit_test(forwarded_ports_are_not_given_to_subscribers),
        cmocka_unit_test(rfc4787_req9_hairpin_shows_the_external_source),
        cmocka_unit_test(hairpin_reaches_a_forward_and_a_static),
        cmocka_unit_test(host_may_hairpin_to_itself_but_not_to_the_same_endpoint),
        cmocka_unit_test(hairpin_to_nobody_is_dropped),
        cmocka_unit_test(hairpinned_error_is_translated_twice),
        cmocka_unit_test(forward_that_clashes_with_a_flow_is_dropped),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
