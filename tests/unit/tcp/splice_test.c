// SPDX-License-Identifier: Apache-2.0
// Two connections joined at packet level and taken apart again, end to end (tcp/splice.h, tcp/join.h): whatever the wires
// lose, double and reorder, every byte arrives, and whenever all is acknowledged the gateway can be an endpoint again.
#include "triple.h"
#include <errno.h>

#define KIB 1024u
#define MIB (1024u * 1024u)

// ---- carrying ---------------------------------------------------------------------------------------------------
static void carries_megabytes_both_ways(void **state)
{
    struct triple_spec spec;
    struct triple *triple;
    uint64_t before;

    triple_spec_default(&spec);
    spec.gateway_a.rx_initial_bytes = spec.gateway_b.rx_initial_bytes =
        16384; // while peeking: edges only grow
    triple = triple_began(&spec, 4 * MIB, 4 * MIB);
    triple_join_within(triple, RIG_S);
    triple_run(triple, RIG_S / 10, NULL);
    before = triple_segments_out(triple, TRIPLE_GATEWAY);
    triple_deliver_within(triple, 60 * RIG_S);
    assert_int_equal(triple_segments_out(triple, TRIPLE_GATEWAY), before); // the engine has nothing to do with it
    assert_int_equal(sl_tcp_connection_count(triple->host[TRIPLE_GATEWAY].tcp), 0);
    assert_int_equal(sl_tcp_counters(triple->host[TRIPLE_CLIENT].tcp)->retransmits, 0);
    assert_int_equal(sl_tcp_counters(triple->host[TRIPLE_SERVER].tcp)->retransmits, 0);
    triple_free(triple);
}

static void carries_over_wires_that_lose_double_and_reorder(void **state)
{
    for (uint32_t seed = 1; seed <= 6; seed++) {
        struct triple_spec spec;
        struct triple *triple;

        triple_spec_default(&spec);
        spec.seed = seed;
        spec.loss = 5 * seed;
        spec.duplicate = 20;
        spec.reorder = 30;
        triple = triple_began(&spec, MIB, MIB);
        triple_join_within(triple, 60 * RIG_S);
        triple_deliver_within(triple, 600 * RIG_S);
        triple_free(triple);
    }
}

static void carries_from_one_family_to_the_other(void **state)
{
    for (unsigned i = 0; i < 4; i++) {
        struct triple_spec spec;
        struct triple *triple;

        triple_spec_default(&spec);
        spec.v6_a = i & 1;
        spec.v6_b = i & 2;
        spec.loss = 5;
        spec.gateway_a.mss_clamp = spec.gateway_b.mss_clamp = 1400; // what fits either
        triple = triple_began(&spec, MIB, MIB);
        triple_join_within(triple, RIG_S);
        triple_deliver_within(triple, 100 * RIG_S);
        triple_free(triple);
    }
}

static void numbers_of_both_legs_wrap(void **state)
{
    struct triple_spec spec;
    struct triple *triple;

    triple_spec_default(&spec);
    spec.wraps = true;
    spec.loss = 10;
    spec.reorder = 10;
    triple = triple_began(&spec, MIB, MIB);
    triple_run(triple, RIG_S, triple_is_connected);
    triple_join_within(triple, 10 * RIG_S);
    for (unsigned i = 0; i < 2; i++) { // all four, ahead still
        assert_true(triple->saved[i].snd_nxt > 0xffff0000u);
        assert_true(triple->saved[i].rcv_nxt > 0xffff0000u);
    }
    triple_deliver_within(triple, 100 * RIG_S);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(triple->splice.way[i].max < 0x80000000u);
        assert_true(triple->splice.way[i].acked < 0x80000000u);
    }
    triple_part_within(triple, RIG_S);
    triple_free(triple);
}

static void scales_of_windows_may_differ(void **state)
{
    static const struct {
        uint8_t client, a, b, server;
    } shifts[] = {{0, 14, 0, 3}, {14, 0, 7, 0}, {2, 9, 11, 5}};

    for (unsigned i = 0; i < 3; i++) {
        struct triple_spec spec;
        struct triple *triple;

        triple_spec_default(&spec);
        spec.client.wscale_shift = shifts[i].client;
        spec.gateway_a.wscale_shift = shifts[i].a;
        spec.gateway_b.wscale_shift = shifts[i].b;
        spec.server.wscale_shift = shifts[i].server;
        spec.client.rx_bytes = spec.server.rx_bytes = 300000;
        spec.loss = 2;
        triple = triple_began(&spec, MIB, MIB);
        triple_join_within(triple, RIG_S);
        triple_deliver_within(triple, 200 * RIG_S);
        triple_part_within(triple, RIG_S);
        triple_free(triple);
    }
}

static void one_leg_may_not_scale_at_all(void **state)
{
    struct triple_spec spec;
    struct triple *triple;

    triple_spec_default(&spec);
    spec.server.wscale = false;
    triple = triple_began(&spec, MIB, MIB);
    triple_join_within(triple, RIG_S);
    triple_deliver_within(triple, 200 * RIG_S);
    triple_free(triple);
}

static void a_closed_window_is_passed_on_and_opens_again(void **state)
{
    struct triple_spec spec;
    struct triple *triple;

    triple_spec_default(&spec);
    spec.server.rx_bytes = spec.server.rx_initial_bytes = 40000;
    spec.gateway_a.rx_initial_bytes = 16384;
    triple = triple_began(&spec, 400 * KIB, 0);
    triple->server[0].idle = true;
    triple_join_within(triple, RIG_S);
    triple_run(triple, 20 * RIG_S, NULL);
    assert_true(sl_tcp_counters(triple->host[TRIPLE_CLIENT].tcp)->persist_probes > 0);
    triple->server[0].idle = false;
    triple_deliver_within(triple, 100 * RIG_S);
    triple_free(triple);
}

static bool without_timestamps(bool sack, uint32_t loss)
{
    struct triple_spec spec;
    struct triple *triple;

    triple_spec_default(&spec);
    spec.client.timestamps = spec.server.timestamps = false;
    spec.client.sack = spec.server.sack = sack;
    spec.loss = loss;
    triple = triple_began(&spec, MIB, MIB / 2);
    triple_join_within(triple, 10 * RIG_S);
    triple_deliver_within(triple, 600 * RIG_S);
    triple_part_within(triple, RIG_S);
    triple_free(triple);
    return true;
}

static void carries_without_timestamps_and_without_sack(void **state)
{
    assert_true(without_timestamps(true, 10));
    assert_true(without_timestamps(false, 10));
}

// ---- who cannot be joined ---------------------------------------------------------------------------------------
static enum sl_tcp_splice_error refused(struct triple_spec *spec)
{
    struct triple *triple = triple_began(spec, MIB, MIB);
    enum sl_tcp_splice_error error;

    triple->want_join = true;
    triple_run(triple, RIG_S / 5, NULL);
    assert_false(triple->spliced);
    error = triple->refused;
    triple->want_join = false;
    triple_deliver_within(triple, 100 * RIG_S); // the relay goes on
    triple_free(triple);
    return error;
}

static void unlike_options_leave_the_relay_to_go_on(void **state)
{
    struct triple_spec spec;

    triple_spec_default(&spec);
    spec.server.timestamps = false;
    assert_int_equal(refused(&spec), SL_TCP_SPLICE_TIMESTAMPS);
    triple_spec_default(&spec);
    spec.client.sack = false;
    assert_int_equal(refused(&spec), SL_TCP_SPLICE_SACK);
    triple_spec_default(&spec);
    spec.server.ecn = false;
    assert_int_equal(refused(&spec), SL_TCP_SPLICE_ECN);
    triple_spec_default(&spec);
    spec.server.mss_clamp = 1200;
    assert_int_equal(refused(&spec), SL_TCP_SPLICE_MSS);
    triple_spec_default(&spec);
    spec.gateway_b.mtu = 1300;
    assert_int_equal(refused(&spec), SL_TCP_SPLICE_MSS);
    assert_string_equal(sl_tcp_splice_error_name(SL_TCP_SPLICE_MSS), "mss");
}

// ---- bytes that the gateway has acknowledged --------------------------------------------------------------------
// The first packets with payload that the gateway itself sends to the server.
static bool lose_of_gateway(struct triple *triple, enum triple_wire wire, const struct sl_tcp *tcp,
                            uint32_t payload)
{
    if (wire != TRIPLE_UP_B || payload == 0 || triple->spliced || triple->scratch == 0)
        return false;
    triple->scratch--;
    return true;
}

static void request_is_lost(bool more_behind, uint32_t copies)
{
    struct triple_spec spec;
    struct triple *triple;

    triple_spec_default(&spec);
    spec.burst = 1; // the test says how much
    spec.burst_us = 1000 * RIG_S;
    triple = triple_began(&spec, 300 * KIB, 0);
    triple->client.allowed = 2000; // a ClientHello: two segments
    triple->scratch = copies;
    triple->lose = lose_of_gateway;
    triple_run(triple, RIG_S, triple_is_connected);
    triple_join_within(triple, RIG_S);
    assert_int_equal(triple->saved[0].snd_una, triple->saved[0].snd_nxt);
    assert_true(triple->splice.way[1].flags & SL_TCP_WAY_FLUSHING);
    assert_int_equal(triple->residues, 1);
    triple->client.allowed = more_behind ? 300 * KIB : 2000;
    triple->client.to_send = triple->client.allowed;
    triple_deliver_within(triple, 5 * RIG_S);
    triple_run(triple, RIG_S, NULL);
    assert_null(triple->residue[1]); // gone by itself
    assert_int_equal(triple->residue_error, 0);
    assert_int_equal(sl_tcp_connection_count(triple->host[TRIPLE_GATEWAY].tcp), 0);
    assert_false(triple->splice.way[1].flags & SL_TCP_WAY_FLUSHING);
    if (copies)
        assert_true(sl_tcp_counters(triple->host[TRIPLE_GATEWAY].tcp)->retransmits > 0);
    triple_part_within(triple, RIG_S);
    triple_free(triple);
}

static void a_request_lost_behind_the_join_is_sent_again(void **state)
{
    request_is_lost(false, 0);
    request_is_lost(false, 1);
    request_is_lost(false, 2);
}

static void a_request_is_sent_again_while_others_pass_it_by(void **state)
{
    request_is_lost(true, 0);
    request_is_lost(true, 1);
    request_is_lost(true, 2);
}

static bool lose_up_b(struct triple *triple, enum triple_wire wire, const struct sl_tcp *tcp,
                      uint32_t payload)
{
    return wire == TRIPLE_UP_B && payload && triple->now_us < triple->scratch;
}

// Also where every copy of seconds is lost, and the other way is busy: what is repeated must not be old by then.
static void a_residue_outlives_seconds_of_loss_beside_a_busy_other_way(void **state)
{
    struct triple_spec spec;
    struct triple *triple;

    triple_spec_default(&spec);
    triple = triple_began(&spec, 1500, 6 * MIB);
    triple->lose = lose_up_b;
    triple->scratch = triple->now_us + 4 * RIG_S;
    triple_join_within(triple, RIG_S);
    assert_non_null(triple->residue[1]);
    triple_deliver_within(triple, 30 * RIG_S);
    triple_run(triple, RIG_S, NULL);
    assert_null(triple->residue[1]);
    triple_free(triple);
}

// What arrived behind a residue tells that the residue did not (RFC 8985): a round trip, not a timeout.
static void what_passes_by_a_lost_residue_tells_of_its_loss(void **state)
{
    struct triple_spec spec;
    struct triple *triple;

    triple_spec_default(&spec);
    spec.delay_us[1] = 50 * RIG_MS;
    spec.burst = 1;
    spec.burst_us = 1000 * RIG_S;
    triple = triple_began(&spec, 40000, 0);
    triple->client.allowed = 2000;
    triple->scratch = 2;
    triple->lose = lose_of_gateway;
    triple_run(triple, RIG_S, triple_is_connected);
    triple_join_within(triple, RIG_S);
    triple->client.allowed = 40000;
    triple_deliver_within(triple, 5 * RIG_S);
    assert_int_equal(sl_tcp_counters(triple->host[TRIPLE_GATEWAY].tcp)->timeouts, 0);
    assert_int_equal(sl_tcp_counters(triple->host[TRIPLE_GATEWAY].tcp)->loss_probes, 0);
    assert_int_equal(sl_tcp_counters(triple->host[TRIPLE_GATEWAY].tcp)->recoveries, 1);
    triple_free(triple);
}

static bool lose_all_to_server(struct triple *triple, enum triple_wire wire, const struct sl_tcp *tcp,
                               uint32_t payload)
{
    return wire == TRIPLE_UP_B && triple->scratch;
}

static void a_residue_that_nobody_acknowledges_gives_up_without_a_reset(void **state)
{
    struct triple_spec spec;
    struct triple *triple;
    uint64_t resets;

    triple_spec_default(&spec);
    spec.gateway_b.user_timeout_ms = 3000;
    triple = triple_began(&spec, 1500, 0);
    triple->lose = lose_all_to_server;
    triple_run(triple, RIG_S, triple_is_connected);
    triple->scratch = 1;
    triple_join_within(triple, RIG_S);
    resets = sl_tcp_counters(triple->host[TRIPLE_GATEWAY].tcp)->resets_out;
    triple_run(triple, 20 * RIG_S, NULL);
    assert_null(triple->residue[1]);
    assert_int_equal(triple->residue_error, -ETIMEDOUT);
    assert_int_equal(sl_tcp_counters(triple->host[TRIPLE_GATEWAY].tcp)->resets_out, resets);
    triple_free(triple);
}

// What the client sends again of a request, its acknowledgement lost, lands where the gateway's header stands if it passes.
static bool lose_acks_to_client(struct triple *triple, enum triple_wire wire, const struct sl_tcp *tcp,
                                uint32_t payload)
{
    return (wire == TRIPLE_DOWN_A && triple->scratch && !(tcp->flags & SL_TCP_SYN) &&
            triple->now_us < triple->scratch) ||
           lose_up_b(triple, wire, tcp, payload);
}

static void a_request_sent_again_does_not_overwrite_the_gateways_header(void **state)
{
    struct triple_spec spec;
    struct triple *triple;

    triple_spec_default(&spec);
    spec.preface[1] = 500;
    spec.burst = 1;
    spec.burst_us = 1000 * RIG_S;
    triple = triple_began(&spec, 50000, 50000);
    triple->client.allowed = 1000;
    triple->lose = lose_acks_to_client;
    triple->scratch = triple->now_us + 2 * RIG_S; // the header and the request are lost as well
    triple_join_within(triple, RIG_S);
    triple_run(triple, RIG_S, NULL);
    assert_true(triple->answered > 0);
    triple->client.allowed = triple->server[0].allowed = 50000;
    triple_deliver_within(triple, 20 * RIG_S);
    triple_part_within(triple, 5 * RIG_S);
    triple_free(triple);
}

// ---- taken apart --------------------------------------------------------------------------------------------------
static void the_gateway_answers_itself_between_two_backends(void **state)
{
    struct triple_spec spec;
    struct triple *triple;

    triple_spec_default(&spec);
    spec.loss = 10;
    spec.reorder = 20;
    triple = triple_began(&spec, 100000, 200000);
    triple_join_within(triple, 10 * RIG_S);
    triple_deliver_within(triple, 100 * RIG_S);
    triple_part_within(triple, 10 * RIG_S);

    triple->own_answers = true; // from its cache, as it were
    triple_answer(triple, 200000, 50000);
    triple->server[0].to_send = 250000;
    triple->server[0].queued = 250000;
    triple_run(triple, 20 * RIG_S, triple_delivered);
    assert_int_equal(triple->client.read, 250000);

    triple->own_answers = false;
    triple_backend(triple, 1);
    triple->server[1].read = 100000; // the client's stream goes on there
    triple->server[1].queued = 250000;
    triple->server[1].to_send = 550000;
    triple->client.to_send = 300000;
    triple_join_within(triple, 10 * RIG_S);
    triple_run(triple, 100 * RIG_S, NULL);
    assert_int_equal(triple->server[1].read, 300000);
    assert_int_equal(triple->client.read, 550000);
    assert_int_equal(triple->joins, 2);
    triple_free(triple);
}

// A body of a length that is known is spliced, and the flow taken back with the very segment that acknowledges its end,
// which brings the next request: that one no server has seen yet.
static bool request_came(struct triple *triple)
{
    return triple->client.read == 300000;
}

static bool was_fenced(struct triple *triple)
{
    return triple->fences == 1;
}

static void a_fence_takes_the_flow_back_before_the_next_request(void **state)
{
    struct triple_spec spec;
    struct triple *triple;
    struct sl_tcp_chunk chunk;

    triple_spec_default(&spec);
    spec.burst = 1;
    spec.burst_us = 1000 * RIG_S;
    triple = triple_began(&spec, 1400, 300000);
    triple->client.allowed = 700;
    triple->server[0].allowed = 1000; // a head
    triple_run(triple, RIG_S / 2, NULL);
    assert_int_equal(triple->client.read, 1000);
    triple_join_within(triple, RIG_S);
    sl_tcp_splice_fence(&triple->splice, 0, 299000);
    triple->server[0].allowed = 300000;
    triple_run(triple, 10 * RIG_S, request_came);
    triple->client.allowed = 1400; // at once: rides on the acknowledgement
    triple->own_answers = true;
    triple_run(triple, RIG_S, was_fenced);
    assert_int_equal(triple->fences, 1);
    triple_run(triple, RIG_S / 2, NULL);
    assert_int_equal(triple->server[0].read, 700);
    assert_int_equal(sl_tcp_peek(triple->leg[0], 0, &chunk), true);
    assert_int_equal(chunk.len, 700);

    triple->server[1].read = 700;
    triple_backend(triple, 1);
    triple->own_answers = false;
    triple->server[0].to_send = triple->server[1].queued = 300000;
    triple_run(triple, RIG_S, NULL);
    assert_int_equal(triple->server[1].read, 1400);
    triple_free(triple);
}

static void taken_apart_and_joined_over_and_over(void **state)
{
    struct triple_spec spec;
    struct triple *triple;

    triple_spec_default(&spec);
    spec.wraps = true;
    spec.burst = 5000;
    spec.burst_us = 200 * RIG_MS;
    triple = triple_began(&spec, 200000, 200000);
    for (unsigned i = 0; i < 40; i++) {
        triple_join_within(triple, 10 * RIG_S);
        triple_run(triple, 150 * RIG_MS, NULL);
        triple_part_within(triple, 10 * RIG_S);
        triple_run(triple, 150 * RIG_MS, NULL);
    }
    triple_deliver_within(triple, 100 * RIG_S);
    assert_int_equal(triple->parts, 40);
    for (unsigned i = 0; i < TRIPLE_HOSTS; i++) { // time never went back for anybody, nor a window
        assert_int_equal(sl_tcp_counters(triple->host[i].tcp)->refused_paws, 0);
        assert_int_equal(sl_tcp_counters(triple->host[i].tcp)->timeouts, 0);
        assert_int_equal(sl_tcp_counters(triple->host[i].tcp)->recoveries, 0);
    }
    triple_free(triple);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(carries_megabytes_both_ways),
        cmocka_unit_test(carries_over_wires_that_lose_double_and_reorder),
        cmocka_unit_test(carries_from_one_family_to_the_other),
        cmocka_unit_test(numbers_of_both_legs_wrap),
        cmocka_unit_test(scales_of_windows_may_differ),
        cmocka_unit_test(one_leg_may_not_scale_at_all),
        cmocka_unit_test(a_closed_window_is_passed_on_and_opens_again),
        cmocka_unit_test(carries_without_timestamps_and_without_sack),
        cmocka_unit_test(unlike_options_leave_the_relay_to_go_on),
        cmocka_unit_test(a_request_lost_behind_the_join_is_sent_again),
        cmocka_unit_test(a_request_is_sent_again_while_others_pass_it_by),
        cmocka_unit_test(a_residue_outlives_seconds_of_loss_beside_a_busy_other_way),
        cmocka_unit_test(what_passes_by_a_lost_residue_tells_of_its_loss),
        cmocka_unit_test(a_residue_that_nobody_acknowledges_gives_up_without_a_reset),
        cmocka_unit_test(a_request_sent_again_does_not_overwrite_the_gateways_header),
        cmocka_unit_test(the_gateway_answers_itself_between_two_backends),
        cmocka_unit_test(a_fence_takes_the_flow_back_before_the_next_request),
        cmocka_unit_test(taken_apart_and_joined_over_and_over),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
