// SPDX-License-Identifier: Apache-2.0
// New flows over a limit, a full session table, and balancing without flows.
#include "balance/limit.h"
#include "harness_balance.h"

#define CLIENT BALANCE_CLIENT

static struct harness_balance *limited(uint32_t capacity, uint32_t members, uint32_t flow_rate,
                                       uint32_t source_rate, uint32_t flags)
{
    struct harness_balance *b = harness_balance_new(1, capacity);
    harness_balance_simple(b, SL_BALANCE_MAGLEV, members);
    b->service[0].flow_rate = flow_rate;
    b->service[0].source_rate = source_rate;
    b->service[0].flags = flags;
    harness_balance_ready(b);
    return b;
}

static void service_has_a_limit_of_new_flows(void **state)
{
    struct harness_balance *b = limited(64, 1, 10, 0, 0);
    for (uint16_t port = 1; port <= 25; port++)
        harness_balance_udp(b, CLIENT, port);
    harness_expect_drops(b->h, SL_DROP_balance_rate_limited, 15);
    assert_int_equal(harness_balance_service_sum(b, 0).rate_limited, 15);
    assert_int_equal(harness_balance_udp(b, CLIENT, 3), 1); // those it has go on
    harness_advance_ms(b->h, 500);
    for (uint16_t port = 31; port <= 40; port++)
        harness_balance_udp(b, CLIENT, port);
    harness_expect_drops(b->h, SL_DROP_balance_rate_limited, 5);
    harness_balance_free(b);
}

static void sources_have_a_limit_of_new_flows(void **state)
{
    struct harness_balance *b = limited(64, 1, 0, 4, 0);
    for (uint16_t port = 1; port <= 10; port++)
        harness_balance_udp(b, CLIENT, port);
    harness_expect_drops(b->h, SL_DROP_balance_source_limited, 6);
    assert_int_equal(harness_balance_service_sum(b, 0).source_limited, 6);
    assert_int_equal(harness_balance_udp(b, "192.0.2.8", 1), 1); // another source
    harness_advance_ms(b->h, 1000);
    assert_int_equal(harness_balance_udp(b, CLIENT, 20), 1);
    harness_balance_free(b);
}

// Who floods from many addresses takes others' places in the table of sources, not their chance.
static void flood_of_sources_keeps_the_limit(void **state)
{
    struct harness_balance *b = limited(64, 1, 0, 4, 0);
    struct sl_balance_service service = b->service[0];
    uint32_t passed = 0;
    for (uint32_t i = 0; i < 1000000; i++) {
        struct sl_ip source = sl_ip_v4(sl_be32_of(0x0b000000 + i));
        assert_true(balance_source_take(b->balance[0], &service, &source, b->h->worker[0]->now_ms));
    }
    struct sl_ip one = sl_ip_v4(sl_be32_of(0x0c000000));
    for (int i = 0; i < 100; i++)
        passed += balance_source_take(b->balance[0], &service, &one, b->h->worker[0]->now_ms);
    assert_int_equal(passed, 4);
    harness_balance_free(b);
}

static void full_table_drops(void **state)
{
    struct harness_balance *b = limited(8, 1, 0, 0, 0);
    for (uint16_t port = 1; port <= 8; port++) {
        harness_balance_udp(b, CLIENT, port);
        struct rte_mbuf *m = harness_udp(NAT_LAN, "10.1.0.1", CLIENT, 8080, port, 4);
        rte_pktmbuf_free(harness_balance_through(b, NAT_LAN, m, NAT_WAN));
    }
    assert_int_equal(harness_balance_udp(b, CLIENT, 9), 0);
    harness_expect_drop(b->h, flow_table_full);
    assert_int_equal(harness_balance_service_sum(b, 0).table_full, 1);
    harness_balance_free(b);
}

static void full_table_evicts_the_transitory(void **state)
{
    struct harness_balance *b = limited(8, 1, 0, 0, 0);
    for (uint16_t port = 1; port <= 20; port++)
        assert_int_equal(harness_balance_udp(b, CLIENT, port), 1);
    assert_int_equal(harness_balance_service_sum(b, 0).flows_now, 8);
    harness_expect_no_drop(b->h);
    harness_balance_free(b);
}

// A segment of a connection whose member answers from 10.1.0.1.
static void member_says(struct harness_balance *b, uint16_t port, uint8_t flags)
{
    struct rte_mbuf *m = harness_tcp(NAT_LAN, "10.1.0.1", CLIENT, 8080, port, flags, 0);
    rte_pktmbuf_free(harness_balance_through(b, NAT_LAN, m, NAT_WAN));
}

static void connection_closes(struct harness_balance *b, uint16_t port)
{
    harness_balance_tcp(b, CLIENT, port, SL_TCP_SYN);
    member_says(b, port, SL_TCP_SYN | SL_TCP_ACK);
    harness_balance_tcp(b, CLIENT, port, SL_TCP_ACK);
    harness_balance_tcp(b, CLIENT, port, SL_TCP_FIN | SL_TCP_ACK);
    member_says(b, port, SL_TCP_FIN | SL_TCP_ACK);
}

// The last ACK of each comes when the second is over that its flow was armed in, so each has more left than its slot.
static void full_table_evicts_closed_connections_seen_since(void **state)
{
    const uint16_t all = 200;
    struct harness_balance *b = harness_balance_new(1, all);
    harness_balance_simple(b, SL_BALANCE_MAGLEV, 1);
    b->service[0].timeout_closing_s = 1;
    harness_balance_ready(b);
    const struct flow_wheel *wheel = &b->h->worker[0]->flows->wheel;
    harness_advance_ms(b->h, 1990 - (uint32_t)(wheel->time_ms % 1000));
    for (uint16_t port = 1; port <= all; port++)
        connection_closes(b, port);
    harness_advance_ms(b->h, 20);
    for (uint16_t port = 1; port <= all; port++)
        harness_balance_tcp(b, CLIENT, port, SL_TCP_ACK);
    for (uint16_t port = 1; port <= all; port++)
        assert_int_equal(harness_balance_tcp(b, CLIENT, (uint16_t)(1000 + port), SL_TCP_SYN), 1);
    assert_int_equal(harness_counted(b->h, SL_COUNTER_flow_evicted), all);
    harness_expect_no_drop(b->h);
    harness_balance_free(b);
}

// One-way streams that go on: none would end near its slot, yet one gives way.
static void full_table_evicts_one_of_many_that_go_on(void **state)
{
    const uint16_t all = 200;
    struct harness_balance *b = limited(all, 1, 0, 0, 0);
    for (uint16_t port = 1; port <= all; port++)
        harness_balance_udp(b, CLIENT, port);
    harness_advance_ms(b->h, 20000);
    for (uint16_t port = 1; port <= all; port++)
        harness_balance_udp(b, CLIENT, port);
    for (uint16_t port = 1; port <= 20; port++)
        assert_int_equal(harness_balance_udp(b, CLIENT, (uint16_t)(1000 + port)), 1);
    assert_int_equal(harness_counted(b->h, SL_COUNTER_flow_evicted), 20);
    harness_expect_no_drop(b->h);
    harness_balance_free(b);
}

// ---- without flows ------------------------------------------------------------------------------------------
// A member's answer to the client's port, as the client gets it; its source port, 0: it went out untranslated.
static uint16_t answer_port(struct harness_balance *b, uint32_t member, uint16_t port)
{
    char ip[SL_IP_TEXT];
    snprintf(ip, sizeof(ip), "10.1.0.%u", member);
    struct rte_mbuf *m = harness_tcp(NAT_LAN, ip, CLIENT, 8080, port, SL_TCP_SYN | SL_TCP_ACK, 0);
    struct ends6 ends = harness_balance_ends(harness_balance_through(b, NAT_LAN, m, NAT_WAN));
    return ends.src.w[3] == ip4(BALANCE_VIP) ? ends.sport : 0;
}

static struct harness_balance *flooded(uint32_t listens)
{
    struct harness_balance *b = harness_balance_new(1, 64);
    harness_balance_simple(b, SL_BALANCE_MAGLEV, 4);
    b->input.listen_count = listens;
    b->service[0].flow_rate = 1;
    b->service[0].flags = SL_BALANCE_FLOOD_STATELESS;
    harness_balance_ready(b);
    return b;
}

// Every packet of a connection to the same member, as if it had a flow; and its answers back from the service.
static void flood_is_balanced_without_flows(void **state)
{
    struct harness_balance *b = limited(64, 4, 0, 0, 0);
    uint32_t with_flow[40];
    for (uint16_t port = 2; port < 40; port++)
        with_flow[port] = harness_balance_tcp(b, CLIENT, port, SL_TCP_SYN);
    harness_balance_free(b);
    b = flooded(1);
    harness_balance_tcp(b, CLIENT, 1, SL_TCP_SYN);
    for (uint16_t port = 2; port < 40; port++) {
        uint32_t member = harness_balance_tcp(b, CLIENT, port, SL_TCP_SYN);
        assert_int_equal(member, with_flow[port]);
        assert_int_equal(answer_port(b, member, port), 80);
        assert_int_equal(harness_balance_tcp(b, CLIENT, port, SL_TCP_ACK), member);
    }
    assert_int_equal(harness_nat_flows(b->n), 1);
    assert_int_equal(harness_balance_service_sum(b, 0).flows_stateless, 76);
    harness_expect_no_drop(b->h);
    harness_balance_free(b);
}

// The flood over, a connection that began in it gets its flow with its next segment.
static void connections_of_a_flood_get_flows_later(void **state)
{
    struct harness_balance *b = flooded(1);
    harness_balance_tcp(b, CLIENT, 1, SL_TCP_SYN);
    uint32_t member = harness_balance_tcp(b, CLIENT, 2, SL_TCP_SYN);
    harness_advance_ms(b->h, 1500);
    assert_int_equal(harness_balance_tcp(b, CLIENT, 2, SL_TCP_ACK), member);
    assert_int_equal(harness_nat_flows(b->n), 2);
    harness_balance_free(b);
}

// Two addresses: which of them the client called cannot be told from an answer. Nor from one to whom another member
// would have been chosen: that is a connection of the member's own.
static void answers_that_could_be_something_else_are_left_alone(void **state)
{
    struct harness_balance *b = flooded(2);
    harness_balance_tcp(b, CLIENT, 1, SL_TCP_SYN);
    uint32_t member = harness_balance_tcp(b, CLIENT, 2, SL_TCP_SYN);
    assert_int_equal(answer_port(b, member, 2), 0);
    harness_balance_free(b);
    b = flooded(1);
    harness_balance_tcp(b, CLIENT, 1, SL_TCP_SYN);
    member = harness_balance_tcp(b, CLIENT, 2, SL_TCP_SYN);
    assert_int_equal(answer_port(b, member % 4 + 1, 2), 0);
    assert_int_equal(answer_port(b, member, 2), 80);
    harness_advance_ms(b->h, 31000); // long over
    assert_int_equal(answer_port(b, member, 2), 0);
    harness_balance_free(b);
}

static void full_table_is_balanced_without_flows(void **state)
{
    struct harness_balance *b = limited(8, 4, 0, 0, SL_BALANCE_FULL_STATELESS);
    for (uint16_t port = 1; port <= 8; port++) {
        uint32_t member = harness_balance_tcp(b, CLIENT, port, SL_TCP_SYN);
        answer_port(b, member, port);
        harness_balance_tcp(b, CLIENT, port, SL_TCP_ACK);
    }
    for (uint16_t port = 20; port < 40; port++)
        assert_int_not_equal(harness_balance_tcp(b, CLIENT, port, SL_TCP_SYN), 0);
    assert_int_equal(harness_nat_flows(b->n), 8);
    assert_int_equal(harness_balance_service_sum(b, 0).flows_stateless, 20);
    harness_expect_no_drop(b->h);
    harness_balance_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(service_has_a_limit_of_new_flows),
        cmocka_unit_test(sources_have_a_limit_of_new_flows),
        cmocka_unit_test(flood_of_sources_keeps_the_limit),
        cmocka_unit_test(full_table_drops),
        cmocka_unit_test(full_table_evicts_the_transitory),
        cmocka_unit_test(full_table_evicts_closed_connections_seen_since),
        cmocka_unit_test(full_table_evicts_one_of_many_that_go_on),
        cmocka_unit_test(flood_is_balanced_without_flows),
        cmocka_unit_test(connections_of_a_flood_get_flows_later),
        cmocka_unit_test(answers_that_could_be_something_else_are_left_alone),
        cmocka_unit_test(full_table_is_balanced_without_flows),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
