// SPDX-License-Identifier: Apache-2.0
// NAT44 of TCP as RFC 5382 and RFC 7857 want it: what opens a flow, what its segments make of its timeout.
#include "harness_nat.h"

#define CLIENT "10.0.0.11"
#define SERVER "198.51.100.21"

static struct harness_nat *gateway(void)
{
    struct harness_nat *n = harness_nat_new(64);
    harness_nat_pool(n, "wan", "198.51.100.100", 1, 4, SL_NAT_FILTER_ENDPOINT_INDEPENDENT);
    harness_nat_source(n, "10.0.0.0/24", NAT_WAN, 0);
    harness_nat_ready(n);
    return n;
}

static struct rte_mbuf *out(struct harness_nat *n, uint8_t flags)
{
    return harness_nat_through(n, NAT_LAN, harness_tcp(NAT_LAN, CLIENT, SERVER, 4000, 80, flags, 0), NAT_WAN);
}

static struct rte_mbuf *in(struct harness_nat *n, uint16_t to, uint8_t flags)
{
    return harness_nat_through(n, NAT_WAN, harness_tcp(NAT_WAN, SERVER, "198.51.100.100", 80, to, flags, 0),
                               NAT_LAN);
}

static struct sl_flow *only_flow(struct harness_nat *n)
{
    struct sl_flow *found = NULL;
    for (uint32_t i = 0; i < n->capacity; i++)
        if (n->flows[0].entry[i].kind != SL_FLOW_FREE) {
            assert_null(found);
            found = &n->flows[0].entry[i];
        }
    assert_non_null(found);
    return found;
}

// SYN, SYN-ACK, ACK. The outside port.
static uint16_t handshake(struct harness_nat *n)
{
    uint16_t port = harness_nat_ends(out(n, SL_TCP_SYN)).sport;
    assert_int_equal(only_flow(n)->state, SL_FLOW_NEW);
    assert_int_equal(harness_nat_ends(in(n, port, SL_TCP_SYN | SL_TCP_ACK)).dport, 4000);
    assert_int_equal(only_flow(n)->state, SL_FLOW_NEW);
    rte_pktmbuf_free(out(n, SL_TCP_ACK));
    assert_int_equal(only_flow(n)->state, SL_FLOW_ESTABLISHED);
    return port;
}

static void expect_end_after(struct harness_nat *n, uint32_t seconds)
{
    harness_advance_ms(n->h, (seconds - 1) * 1000);
    harness_nat_tick(n);
    assert_int_equal(harness_nat_flows(n), 1);
    harness_advance_ms(n->h, 2 * 1000);
    harness_nat_tick(n);
    assert_int_equal(harness_nat_flows(n), 0);
}

// REQ-5: two hours and four minutes for an established connection.
static void rfc5382_req5_nat_keeps_an_established_connection_two_hours(void **state)
{
    struct harness_nat *n = gateway();
    handshake(n);
    expect_end_after(n, 7440);
    harness_expect_no_drop(n->h);
    harness_nat_free(n);
}

// REQ-5: four minutes for a half-open one.
static void rfc5382_req5_nat_ends_a_half_open_connection_after_four_minutes(void **state)
{
    struct harness_nat *n = gateway();
    rte_pktmbuf_free(out(n, SL_TCP_SYN));
    expect_end_after(n, 240);
    harness_nat_free(n);
}

// A SYN-ACK alone is no handshake.
static void half_open_connection_is_not_established_by_its_server(void **state)
{
    struct harness_nat *n = gateway();
    uint16_t port = harness_nat_ends(out(n, SL_TCP_SYN)).sport;
    rte_pktmbuf_free(in(n, port, SL_TCP_SYN | SL_TCP_ACK));
    rte_pktmbuf_free(in(n, port, SL_TCP_SYN | SL_TCP_ACK));
    assert_int_equal(only_flow(n)->state, SL_FLOW_NEW);
    harness_nat_free(n);
}

// RFC 7857 section 2.1: closing when both sides have said FIN; half-closed stays.
static void rfc7857_nat_shortens_the_timeout_when_both_have_said_fin(void **state)
{
    struct harness_nat *n = gateway();
    uint16_t port = handshake(n);
    rte_pktmbuf_free(out(n, SL_TCP_FIN | SL_TCP_ACK));
    assert_int_equal(only_flow(n)->state, SL_FLOW_ESTABLISHED);
    rte_pktmbuf_free(in(n, port, SL_TCP_ACK));
    rte_pktmbuf_free(in(n, port, SL_TCP_FIN | SL_TCP_ACK));
    assert_int_equal(only_flow(n)->state, SL_FLOW_CLOSING);
    rte_pktmbuf_free(out(n, SL_TCP_ACK)); // the last ACK passes and changes nothing
    assert_int_equal(only_flow(n)->state, SL_FLOW_CLOSING);
    expect_end_after(n, 240);
    harness_expect_no_drop(n->h);
    harness_nat_free(n);
}

// RFC 7857 section 2.2: a RST may be forged; it ends nothing at once.
static void rfc7857_nat_shortens_the_timeout_by_a_rst(void **state)
{
    struct harness_nat *n = gateway();
    uint16_t port = handshake(n);
    rte_pktmbuf_free(in(n, port, SL_TCP_RST));
    assert_int_equal(only_flow(n)->state, SL_FLOW_CLOSING);
    expect_end_after(n, 240);
    harness_nat_free(n);
}

static void connection_that_speaks_after_a_rst_lives_on(void **state)
{
    struct harness_nat *n = gateway();
    uint16_t port = handshake(n);
    rte_pktmbuf_free(in(n, port, SL_TCP_RST));
    rte_pktmbuf_free(out(n, SL_TCP_ACK));
    assert_int_equal(only_flow(n)->state, SL_FLOW_ESTABLISHED);
    expect_end_after(n, 7440);
    harness_nat_free(n);
}

static void syn_on_a_closing_flow_opens_a_new_connection(void **state)
{
    struct harness_nat *n = gateway();
    uint16_t port = handshake(n);
    rte_pktmbuf_free(out(n, SL_TCP_RST));
    uint16_t again = handshake(n);
    assert_int_equal(again, port);
    assert_int_equal(only_flow(n)->state, SL_FLOW_ESTABLISHED);
    harness_nat_free(n);
}

static void segment_from_inside_without_a_flow_is_dropped(void **state)
{
    struct harness_nat *n = gateway();
    assert_null(out(n, SL_TCP_ACK));
    harness_expect_drop(n->h, flow_mid_stream);
    assert_null(out(n, SL_TCP_SYN | SL_TCP_ACK));
    harness_expect_drop(n->h, flow_mid_stream);
    assert_int_equal(harness_nat_flows(n), 0);
    assert_int_equal(harness_counted(n->h, SL_COUNTER_nat_block_allocated), 0);
    harness_nat_free(n);
}

// RFC 5382 REQ-1: the mapping is endpoint-independent, so with such filtering a stranger's SYN may come in ...
static void rfc5382_req1_nat_lets_a_syn_in_through_a_mapping(void **state)
{
    struct harness_nat *n = gateway();
    uint16_t port = handshake(n);
    struct rte_mbuf *syn = harness_tcp(NAT_WAN, "198.51.100.22", "198.51.100.100", 999, port, SL_TCP_SYN, 0);
    assert_int_equal(harness_nat_ends(harness_nat_through(n, NAT_WAN, syn, NAT_LAN)).dport, 4000);
    assert_int_equal(harness_nat_flows(n), 2);
    harness_nat_free(n);
}

// ... and nothing else.
static void segment_from_outside_without_a_flow_is_dropped(void **state)
{
    struct harness_nat *n = gateway();
    uint16_t port = handshake(n);
    struct rte_mbuf *ack = harness_tcp(NAT_WAN, "198.51.100.22", "198.51.100.100", 999, port, SL_TCP_ACK, 0);
    assert_null(harness_nat_through(n, NAT_WAN, ack, NAT_LAN));
    harness_expect_drop(n->h, flow_mid_stream);
    harness_nat_free(n);
}

// RFC 5382 section 4.2: both ends send SYNs that cross; neither side's is out of state.
static void rfc5382_req2_nat_lets_simultaneous_open_through(void **state)
{
    struct harness_nat *n = gateway();
    uint16_t port = harness_nat_ends(out(n, SL_TCP_SYN)).sport;
    assert_int_equal(harness_nat_ends(in(n, port, SL_TCP_SYN)).dport, 4000);
    rte_pktmbuf_free(out(n, SL_TCP_SYN | SL_TCP_ACK));
    rte_pktmbuf_free(in(n, port, SL_TCP_SYN | SL_TCP_ACK));
    rte_pktmbuf_free(out(n, SL_TCP_ACK));
    assert_int_equal(only_flow(n)->state, SL_FLOW_ESTABLISHED);
    harness_expect_no_drop(n->h);
    harness_nat_free(n);
}

static void flow_counts_packets_and_bytes_of_both_directions(void **state)
{
    struct harness_nat *n = gateway();
    uint16_t port = handshake(n);
    rte_pktmbuf_free(in(n, port, SL_TCP_ACK));
    struct sl_flow *flow = only_flow(n);
    assert_int_equal(flow->packets0, 2);
    assert_int_equal(flow->packets1, 2);
    assert_int_equal(flow->bytes0, 80);
    assert_int_equal(flow->bytes1, 80);
    harness_nat_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc5382_req5_nat_keeps_an_established_connection_two_hours),
        cmocka_unit_test(rfc5382_req5_nat_ends_a_half_open_connection_after_four_minutes),
        cmocka_unit_test(half_open_connection_is_not_established_by_its_server),
        cmocka_unit_test(rfc7857_nat_shortens_the_timeout_when_both_have_said_fin),
        cmocka_unit_test(rfc7857_nat_shortens_the_timeout_by_a_rst),
        cmocka_unit_test(connection_that_speaks_after_a_rst_lives_on),
        cmocka_unit_test(syn_on_a_closing_flow_opens_a_new_connection),
        cmocka_unit_test(segment_from_inside_without_a_flow_is_dropped),
        cmocka_unit_test(rfc5382_req1_nat_lets_a_syn_in_through_a_mapping),
        cmocka_unit_test(segment_from_outside_without_a_flow_is_dropped),
        cmocka_unit_test(rfc5382_req2_nat_lets_simultaneous_open_through),
        cmocka_unit_test(flow_counts_packets_and_bytes_of_both_directions),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
