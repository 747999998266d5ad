// SPDX-License-Identifier: Apache-2.0
// How joined connections end (tcp/splice.h): half-closed and closed by either side, reset, given up, or not at all.
#include "triple.h"
#include <errno.h>

static void both_close(bool client_first, uint32_t loss)
{
    struct triple_spec spec;
    struct triple *triple;
    struct triple_end *first, *second;

    triple_spec_default(&spec);
    spec.loss = loss;
    spec.burst = 1;
    spec.burst_us = 1000 * RIG_S;
    triple = triple_began(&spec, 100000, 100000);
    first = client_first ? &triple->client : &triple->server[0];
    second = client_first ? &triple->server[0] : &triple->client;
    first->allowed = 100000;
    first->close_when_sent = true;
    triple_join_within(triple, 10 * RIG_S);
    triple_run(triple, 20 * RIG_S, NULL);
    assert_true(second->eof);
    assert_int_equal(sl_tcp_splice_phase(&triple->splice), SL_TCP_SPLICE_HALF_CLOSED);
    second->allowed = 100000; // the other way goes on
    second->close_when_sent = true;
    triple_run(triple, 100 * RIG_S, triple_closed);
    assert_true(triple_closed(triple) && triple_delivered(triple));
    assert_int_equal(triple->client.error, 0);
    assert_int_equal(triple->server[0].error, 0);
    triple_run(triple, 10 * RIG_S, NULL);
    assert_int_equal(sl_tcp_splice_phase(&triple->splice), SL_TCP_SPLICE_CLOSED);
    assert_int_equal(triple_part(triple), -ESHUTDOWN);
    triple_free(triple);
}

static void either_side_may_close_first_and_the_other_go_on(void **state)
{
    both_close(true, 0);
    both_close(false, 0);
    both_close(true, 30);
    both_close(false, 30);
}

static void a_half_closed_pair_is_taken_apart_and_closed_by_endpoints(void **state)
{
    for (unsigned client_first = 0; client_first < 2; client_first++) {
        struct triple_spec spec;
        struct triple *triple;
        struct triple_end *first, *second;
        struct sl_tcp_info info[2];

        triple_spec_default(&spec);
        triple = triple_began(&spec, 50000, 50000);
        first = client_first ? &triple->client : &triple->server[0];
        second = client_first ? &triple->server[0] : &triple->client;
        triple_join_within(triple, RIG_S);
        first->close_when_sent = true;
        triple_deliver_within(triple, 10 * RIG_S);
        triple_run(triple, RIG_S, NULL);
        triple_part_within(triple, RIG_S);
        for (unsigned i = 0; i < 2; i++)
            sl_tcp_info(triple->leg[i], &info[i]);
        assert_int_equal(info[!client_first].state, SL_TCP_CLOSE_WAIT);
        assert_int_equal(info[client_first].state, SL_TCP_FIN_WAIT_2);
        triple->eof[!client_first] = true;
        second->to_send += 100000;
        second->close_when_sent = true;
        triple_run(triple, 10 * RIG_S, triple_closed);
        assert_true(triple_closed(triple));
        assert_int_equal(triple->client.error, 0);
        assert_int_equal(triple->server[0].error, 0);
        assert_int_equal(first->read, second->to_send);
        triple_free(triple);
    }
}

// Joined again while one half is closed.
static void a_half_closed_pair_is_joined(void **state)
{
    struct triple_spec spec;
    struct triple *triple;

    triple_spec_default(&spec);
    triple = triple_began(&spec, 5000, 500000);
    triple->client.close_when_sent = true;
    triple->server[0].close_when_sent = true;
    triple->server[0].allowed = 0;
    triple_run(triple, RIG_S, NULL); // the FIN has been relayed
    assert_true(triple->server[0].eof);
    triple->server[0].allowed = 500000;
    triple_join_within(triple, RIG_S);
    assert_int_equal(triple->saved[0].state, SL_TCP_CLOSE_WAIT);
    assert_int_equal(triple->saved[1].state, SL_TCP_FIN_WAIT_2);
    triple_run(triple, 20 * RIG_S, triple_closed);
    assert_true(triple_closed(triple) && triple_delivered(triple));
    triple_free(triple);
}

static bool lose_fin_acks(struct triple *triple, enum triple_wire wire, const struct sl_tcp *tcp,
                          uint32_t payload)
{
    if (wire == TRIPLE_UP_B && tcp->flags & SL_TCP_FIN)
        triple->scratch = 1;
    return wire == TRIPLE_UP_B && tcp->flags & SL_TCP_FIN && triple->spliced;
}

static bool fin_passed(struct triple *triple)
{
    return triple->scratch == 1;
}

static void a_fin_lost_on_its_way_is_repeated_by_the_endpoint_after_parting(void **state)
{
    struct triple_spec spec;
    struct triple *triple;
    struct sl_tcp_info info;

    triple_spec_default(&spec);
    triple = triple_began(&spec, 50000, 50000);
    triple_join_within(triple, RIG_S);
    triple_deliver_within(triple, 10 * RIG_S);
    triple_run(triple, RIG_S, NULL);
    triple->lose = lose_fin_acks;
    triple->client.close_when_sent = true;
    triple_run(triple, RIG_S, fin_passed);
    assert_int_equal(triple_part(triple), 0);
    sl_tcp_info(triple->leg[1], &info);
    assert_int_equal(info.state, SL_TCP_FIN_WAIT_1);
    triple->eof[0] = true;
    triple_run(triple, 5 * RIG_S, NULL);
    assert_true(triple->server[0].eof);
    sl_tcp_info(triple->leg[1], &info);
    assert_int_equal(info.state, SL_TCP_FIN_WAIT_2);
    triple_free(triple);
}

static void a_reset_passes_and_ends_the_pair(bool by_client)
{
    struct triple_spec spec;
    struct triple *triple;
    unsigned host = by_client ? TRIPLE_CLIENT : TRIPLE_SERVER;
    struct triple_end *end, *other;

    triple_spec_default(&spec);
    triple = triple_began(&spec, 50000, 50000);
    end = by_client ? &triple->client : &triple->server[0];
    other = by_client ? &triple->server[0] : &triple->client;
    triple_join_within(triple, RIG_S);
    triple_deliver_within(triple, 10 * RIG_S);
    sl_tcp_abort(end->conn, triple->now_us + triple->host[host].ahead_us);
    end->conn = NULL;
    end->to_send = 0;
    triple_run(triple, RIG_S, NULL);
    assert_true(other->ended);
    assert_int_equal(other->error, -ECONNRESET);
    assert_int_equal(sl_tcp_splice_phase(&triple->splice), SL_TCP_SPLICE_RESET);
    assert_int_equal(triple_part(triple), -ECONNRESET);
    triple_free(triple);
}

static void a_reset_from_either_side_passes_and_ends_the_pair(void **state)
{
    a_reset_passes_and_ends_the_pair(true);
    a_reset_passes_and_ends_the_pair(false);
}

static bool both_ended(struct triple *triple)
{
    return triple->client.ended && triple->server[0].ended;
}

static void a_pair_given_up_is_reset_on_both_legs(void **state)
{
    struct triple_spec spec;
    struct triple *triple;

    triple_spec_default(&spec);
    triple = triple_began(&spec, 50000, 50000);
    triple_join_within(triple, RIG_S);
    triple_deliver_within(triple, 10 * RIG_S);
    triple_run(triple, 100 * RIG_S, NULL);
    triple_reset(triple);
    triple_run(triple, RIG_S, both_ended);
    assert_int_equal(triple->client.error, -ECONNRESET);
    assert_int_equal(triple->server[0].error, -ECONNRESET);
    triple_free(triple);
}

static void keepalives_pass_and_are_answered(void **state)
{
    struct triple_spec spec;
    struct triple *triple;

    triple_spec_default(&spec);
    spec.client.keepalive_idle_ms = spec.server.keepalive_idle_ms = 1000;
    spec.client.keepalive_interval_ms = spec.server.keepalive_interval_ms = 500;
    spec.client.keepalive_probes = spec.server.keepalive_probes = 3;
    triple = triple_began(&spec, 50000, 50000);
    triple_join_within(triple, RIG_S);
    triple_deliver_within(triple, 10 * RIG_S);
    triple_run(triple, 60 * RIG_S, NULL);
    assert_true(sl_tcp_counters(triple->host[TRIPLE_CLIENT].tcp)->keepalives > 10);
    assert_false(triple->client.ended || triple->server[0].ended);
    triple_part_within(triple, RIG_S);
    triple_free(triple);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(either_side_may_close_first_and_the_other_go_on),
        cmocka_unit_test(a_half_closed_pair_is_taken_apart_and_closed_by_endpoints),
        cmocka_unit_test(a_half_closed_pair_is_joined),
        cmocka_unit_test(a_fin_lost_on_its_way_is_repeated_by_the_endpoint_after_parting),
        cmocka_unit_test(a_reset_from_either_side_passes_and_ends_the_pair),
        cmocka_unit_test(a_pair_given_up_is_reset_on_both_legs),
        cmocka_unit_test(keepalives_pass_and_are_answered),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
