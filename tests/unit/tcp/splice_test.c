// SPDX-License-Identifier: Apache-2.0
// Two connections joined at packet level and taken apart again, end to end (tcp/splice.h, tcp/join.h): whatever the wires
// lose, double and reorder, every byte arrives, and whenever all is acknowledged the gateway can be an endpoint again.
#include "triple.h"
#include <errno.h>

#define KIB 1024u
#define MIB (1024u * 1024u)

static struct triple *began(const struct triple_spec *spec, uint32_t up, uint32_t down)
{
    struct triple *triple = triple_new(spec);

    triple->client.to_send = up;
    triple->server[0].to_send = down;
    triple_begin(triple);
    return triple;
}

static bool is_spliced(struct triple *triple)
{
    return triple->spliced;
}

static bool is_connected(struct triple *triple)
{
    return triple->connected;
}

static void join_within(struct triple *triple, uint64_t us)
{
    triple->want_join = true;
    triple_run(triple, us, is_spliced);
    assert_true(triple->spliced);
    triple->want_join = false;
}

static void part_within(struct triple *triple, uint64_t us)
{
    triple_run(triple, us, triple_quiet);
    assert_int_equal(triple_part(triple), 0);
}

static void deliver_within(struct triple *triple, uint64_t us)
{
    triple_run(triple, us, triple_delivered);
    if (!triple_delivered(triple))
        fail_msg("server read %u of %u, client %u of %u", triple->server[0].read, triple->client.to_send,
                 triple->client.read, triple->server[0].to_send);
}

static uint64_t counter_out(const struct triple *triple, unsigned host)
{
    return sl_tcp_counters(triple->host[host].tcp)->segments_out;
}

// ---- carrying ---------------------------------------------------------------------------------------------------
static void carries_megabytes_both_ways(void **state)
{
    struct triple_spec spec;
    struct triple *triple;
    uint64_t before;

    triple_spec_default(&spec);
    spec.gateway_a.rx_initial_bytes = spec.gateway_b.rx_initial_bytes =
        16384; // while peeking: edges only grow
    triple = began(&spec, 4 * MIB, 4 * MIB);
    join_within(triple, RIG_S);
    triple_run(triple, RIG_S / 10, NULL);
    before = counter_out(triple, TRIPLE_GATEWAY);
    deliver_within(triple, 60 * RIG_S);
    assert_int_equal(counter_out(triple, TRIPLE_GATEWAY), before); // the engine has nothing to do with it
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
        triple = began(&spec, MIB, MIB);
        join_within(triple, 60 * RIG_S);
        deliver_within(triple, 600 * RIG_S);
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
        triple = began(&spec, MIB, MIB);
        join_within(triple, RIG_S);
        deliver_within(triple, 100 * RIG_S);
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
    triple = began(&spec, MIB, MIB);
    triple_run(triple, RIG_S, is_connected);
    join_within(triple, 10 * RIG_S);
    for (unsigned i = 0; i < 2; i++) { // all four, ahead still
        assert_true(triple->saved[i].snd_nxt > 0xffff0000u);
        assert_true(triple->saved[i].rcv_nxt > 0xffff0000u);
    }
    deliver_within(triple, 100 * RIG_S);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(triple->splice.way[i].max < 0x80000000u);
        assert_true(triple->splice.way[i].acked < 0x80000000u);
    }
    part_within(triple, RIG_S);
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
        triple = began(&spec, MIB, MIB);
        join_within(triple, RIG_S);
        deliver_within(triple, 200 * RIG_S);
        part_within(triple, RIG_S);
        triple_free(triple);
    }
}

static void one_leg_may_not_scale_at_all(void **state)
{
    struct triple_spec spec;
    struct triple *triple;

    triple_spec_default(&spec);
    spec.server.wscale = false;
    triple = began(&spec, MIB, MIB);
    join_within(triple, RIG_S);
    deliver_within(triple, 200 * RIG_S);
    triple_free(triple);
}

static void a_closed_window_is_passed_on_and_opens_again(void **state)
{
    struct triple_spec spec;
    struct triple *triple;

    triple_spec_default(&spec);
    spec.server.rx_bytes = spec.server.rx_initial_bytes = 40000;
    spec.gateway_a.rx_initial_bytes = 16384;
    triple = began(&spec, 400 * KIB, 0);
    triple->server[0].idle = true;
    join_within(triple, RIG_S);
    triple_run(triple, 20 * RIG_S, NULL);
    assert_true(sl_tcp_counters(triple->host[TRIPLE_CLIENT].tcp)->persist_probes > 0);
    triple->server[0].idle = false;
    deliver_within(triple, 100 * RIG_S);
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
    triple = began(&spec, MIB, MIB / 2);
    join_within(triple, 10 * RIG_S);
    deliver_within(triple, 600 * RIG_S);
    part_within(triple, RIG_S);
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
    struct triple *triple = began(spec, MIB, MIB);
    enum sl_tcp_splice_error error;

    triple->want_join = true;
    triple_run(triple, RIG_S / 5, NULL);
    assert_false(triple->spliced);
    error = triple->refused;
    triple->want_join = false;
    deliver_within(triple, 100 * RIG_S); // the relay goes on
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
    triple = began(&spec, 300 * KIB, 0);
    triple->client.allowed = 2000; // a ClientHello: two segments
    triple->scratch = copies;
    triple->lose = lose_of_gateway;
    triple_run(triple, RIG_S, is_connected);
    join_within(triple, RIG_S);
    assert_int_equal(triple->saved[0].snd_una, triple->saved[0].snd_nxt);
    assert_true(triple->splice.way[1].flags & SL_TCP_WAY_FLUSHING);
    assert_int_equal(triple->residues, 1);
    triple->client.allowed = more_behind ? 300 * KIB : 2000;
    triple->client.to_send = triple->client.allowed;
    deliver_within(triple, 5 * RIG_S);
    triple_run(triple, RIG_S, NULL);
    assert_null(triple->residue[1]); // gone by itself
    assert_int_equal(triple->residue_error, 0);
    assert_int_equal(sl_tcp_connection_count(triple->host[TRIPLE_GATEWAY].tcp), 0);
    assert_false(triple->splice.way[1].flags & SL_TCP_WAY_FLUSHING);
    if (copies)
        assert_true(sl_tcp_counters(triple->host[TRIPLE_GATEWAY].tcp)->retransmits > 0);
    part_within(triple, RIG_S);
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
    triple = began(&spec, 1500, 6 * MIB);
    triple->lose = lose_up_b;
    triple->scratch = triple->now_us + 4 * RIG_S;
    join_within(triple, RIG_S);
    assert_non_null(triple->residue[1]);
    deliver_within(triple, 30 * RIG_S);
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
    triple = began(&spec, 40000, 0);
    triple->client.allowed = 2000;
    triple->scratch = 2;
    triple->lose = lose_of_gateway;
    triple_run(triple, RIG_S, is_connected);
    join_within(triple, RIG_S);
    triple->client.allowed = 40000;
    deliver_within(triple, 5 * RIG_S);
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
    triple = began(&spec, 1500, 0);
    triple->lose = lose_all_to_server;
    triple_run(triple, RIG_S, is_connected);
    triple->scratch = 1;
    join_within(triple, RIG_S);
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
    triple = began(&spec, 50000, 50000);
    triple->client.allowed = 1000;
    triple->lose = lose_acks_to_client;
    triple->scratch = triple->now_us + 2 * RIG_S; // the header and the request are lost as well
    join_within(triple, RIG_S);
    triple_run(triple, RIG_S, NULL);
    assert_true(triple->answered > 0);
    triple->client.allowed = triple->server[0].allowed = 50000;
    deliver_within(triple, 20 * RIG_S);
    part_within(triple, 5 * RIG_S);
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
    triple = began(&spec, 100000, 200000);
    join_within(triple, 10 * RIG_S);
    deliver_within(triple, 100 * RIG_S);
    part_within(triple, 10 * RIG_S);

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
    join_within(triple, 10 * RIG_S);
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
    triple = began(&spec, 1400, 300000);
    triple->client.allowed = 700;
    triple->server[0].allowed = 1000; // a head
    triple_run(triple, RIG_S / 2, NULL);
    assert_int_equal(triple->client.read, 1000);
    join_within(triple, RIG_S);
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
    triple = began(&spec, 200000, 200000);
    for (unsigned i = 0; i < 40; i++) {
        join_within(triple, 10 * RIG_S);
        triple_run(triple, 150 * RIG_MS, NULL);
        part_within(triple, 10 * RIG_S);
        triple_run(triple, 150 * RIG_MS, NULL);
    }
    deliver_within(triple, 100 * RIG_S);
    assert_int_equal(triple->parts, 40);
    for (unsigned i = 0; i < TRIPLE_HOSTS; i++) { // time never went back for anybody, nor a window
        assert_int_equal(sl_tcp_counters(triple->host[i].tcp)->refused_paws, 0);
        assert_int_equal(sl_tcp_counters(triple->host[i].tcp)->timeouts, 0);
        assert_int_equal(sl_tcp_counters(triple->host[i].tcp)->recoveries, 0);
    }
    triple_free(triple);
}

// ---- ends -------------------------------------------------------------------------------------------------------
static void both_close(bool client_first, uint32_t loss)
{
    struct triple_spec spec;
    struct triple *triple;
    struct triple_end *first, *second;

    triple_spec_default(&spec);
    spec.loss = loss;
    spec.burst = 1;
    spec.burst_us = 1000 * RIG_S;
    triple = began(&spec, 100000, 100000);
    first = client_first ? &triple->client : &triple->server[0];
    second = client_first ? &triple->server[0] : &triple->client;
    first->allowed = 100000;
    first->close_when_sent = true;
    join_within(triple, 10 * RIG_S);
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
        triple = began(&spec, 50000, 50000);
        first = client_first ? &triple->client : &triple->server[0];
        second = client_first ? &triple->server[0] : &triple->client;
        join_within(triple, RIG_S);
        first->close_when_sent = true;
        deliver_within(triple, 10 * RIG_S);
        triple_run(triple, RIG_S, NULL);
        part_within(triple, RIG_S);
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
    triple = began(&spec, 5000, 500000);
    triple->client.close_when_sent = true;
    triple->server[0].close_when_sent = true;
    triple->server[0].allowed = 0;
    triple_run(triple, RIG_S, NULL); // the FIN has been relayed
    assert_true(triple->server[0].eof);
    triple->server[0].allowed = 500000;
    join_within(triple, RIG_S);
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
    triple = began(&spec, 50000, 50000);
    join_within(triple, RIG_S);
    deliver_within(triple, 10 * RIG_S);
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
    triple = began(&spec, 50000, 50000);
    end = by_client ? &triple->client : &triple->server[0];
    other = by_client ? &triple->server[0] : &triple->client;
    join_within(triple, RIG_S);
    deliver_within(triple, 10 * RIG_S);
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
    triple = began(&spec, 50000, 50000);
    join_within(triple, RIG_S);
    deliver_within(triple, 10 * RIG_S);
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
    triple = began(&spec, 50000, 50000);
    join_within(triple, RIG_S);
    deliver_within(triple, 10 * RIG_S);
    triple_run(triple, 60 * RIG_S, NULL);
    assert_true(sl_tcp_counters(triple->host[TRIPLE_CLIENT].tcp)->keepalives > 10);
    assert_false(triple->client.ended || triple->server[0].ended);
    part_within(triple, RIG_S);
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
