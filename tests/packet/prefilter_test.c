// SPDX-License-Identifier: Apache-2.0
// The prefilter as the worker's first stage: the vectors that the XDP program is tested with, one by one and in
// bursts, and every reason it drops for, through the whole pipeline.
#include "harness.h"

#include "../unit/prefilter_vectors.h"

struct filtered {
    struct harness *h;
    struct vectors_table table;
};

static struct filtered filtered_new(void)
{
    struct filtered f = {.h = harness_new(1), .table = vectors_table_new()};

    for (uint16_t port = 0; port < VECTOR_PORTS; port++)
        harness_port(f.h, port, SL_PORT_PREFILTER | vectors_rules[port].flags);
    f.h->tables.prefilter = f.table.table;
    harness_ready(f.h);
    return f;
}

static void filtered_free(struct filtered *f)
{
    f->h->tables.prefilter = NULL;
    harness_free(f->h);
    free(f->table.table);
}

// A burst that has just been received.
static void burst_of(struct burst *burst, uint16_t port, struct rte_mbuf **frames, uint16_t count)
{
    memset(burst, 0, sizeof(*burst));
    burst->count = count;
    burst->port_in = port;
    for (uint16_t i = 0; i < count; i++) {
        burst->packet[i].m = frames[i];
        burst->packet[i].port_in = port;
        packet_to(burst, &burst->packet[i], PACKET_PREFILTER);
    }
}

static uint64_t hits_of(const struct filtered *f, uint16_t port, uint32_t rule)
{
    return f->h->worker[0]->counters->prefilter_hit[port][rule];
}

static void prefilter_stage_is_what_the_vectors_say(void **state)
{
    struct filtered f = filtered_new();
    uint8_t bytes[VECTOR_FRAME];
    struct burst burst;

    for (unsigned i = 0; i < VECTORS; i++) {
        const struct vector *v = &vectors[i];
        struct rte_mbuf *frame = harness_frame(bytes, vectors_frame(v, bytes));
        uint64_t dropped = harness_dropped(f.h, v->drop), hits = 0;
        if (v->hit != PREFILTER_NO_RULE)
            hits = hits_of(&f, (uint16_t)v->port, v->hit);
        burst_of(&burst, (uint16_t)v->port, &frame, 1);
        prefilter_stage(f.h->worker[0], &burst);
        bool passed = burst.packet[0].stage == PACKET_PARSE;
        if (passed)
            rte_pktmbuf_free(frame);
        if (passed != (v->drop == SL_DROP_none) || (!passed && harness_dropped(f.h, v->drop) != dropped + 1))
            fail_msg("%s", v->name);
        if (v->hit != PREFILTER_NO_RULE && hits_of(&f, (uint16_t)v->port, v->hit) != hits + 1)
            fail_msg("%s: rule %u was not counted", v->name, v->hit);
    }
    filtered_free(&f);
}

struct expected { // of a burst
    bool passes[BURST_MAX];
    uint64_t drop[SL_DROP_KINDS];
    uint64_t hit[SL_PREFILTER_RULES + 1];
};

static void burst_random(struct random *r, const struct filtered *f, uint16_t port, struct rte_mbuf **frames,
                         uint16_t count, struct expected *expected)
{
    uint8_t bytes[VECTOR_FRAME];
    uint32_t hit;

    memset(expected, 0, sizeof(*expected));
    for (uint16_t i = 0; i < count; i++) {
        unsigned length = vectors_random_frame(r, bytes);
        enum sl_drop drop = vectors_verdict(f->table.table, port, bytes, length, &hit);
        expected->passes[i] = drop == SL_DROP_none;
        expected->drop[drop]++;
        expected->hit[hit]++;
        frames[i] = harness_frame(bytes, length);
    }
}

static void prefilter_stage_agrees_with_the_verdict_in_bursts(void **state)
{
    struct random r = random_seeded(__func__);
    struct filtered f = filtered_new();
    struct rte_mbuf *frames[BURST_MAX];
    struct expected expected;
    struct burst burst;

    for (unsigned round = 0; round < 400; round++) {
        uint16_t port = round % VECTOR_PORTS, count = (uint16_t)(1 + random_below(&r, BURST_MAX));
        uint64_t dropped[SL_DROP_KINDS], hits[SL_PREFILTER_RULES];
        burst_random(&r, &f, port, frames, count, &expected);
        for (unsigned i = 0; i < SL_DROP_KINDS; i++)
            dropped[i] = harness_dropped(f.h, i);
        for (unsigned i = 0; i < SL_PREFILTER_RULES; i++)
            hits[i] = hits_of(&f, port, i);
        burst_of(&burst, port, frames, count);
        prefilter_stage(f.h->worker[0], &burst);
        for (uint16_t i = 0; i < count; i++) {
            assert_int_equal(burst.packet[i].stage == PACKET_PARSE, expected.passes[i]);
            if (expected.passes[i])
                rte_pktmbuf_free(frames[i]);
        }
        for (unsigned i = 1; i < SL_DROP_KINDS; i++)
            assert_int_equal(harness_dropped(f.h, i) - dropped[i], expected.drop[i]);
        for (unsigned i = 0; i < SL_PREFILTER_RULES; i++)
            assert_int_equal(hits_of(&f, port, i) - hits[i], expected.hit[i]);
    }
    filtered_free(&f);
}

static void prefilter_drops_what_it_should_on_the_way_through_the_pipeline(void **state)
{
    struct filtered f = filtered_new();

    harness_send(f.h, 0, harness_udp(0, "203.0.113.1", OUT, 1, 2, 10));
    harness_expect_drop(f.h, prefilter_denied);
    harness_send(f.h, 0, harness_udp(0, "127.0.0.1", OUT, 1, 2, 10));
    harness_expect_drop(f.h, martian_source);
    harness_send(f.h, 0, harness_udp(0, "192.0.2.1", "127.0.0.1", 1, 2, 10));
    harness_expect_drop(f.h, martian_destination);
    harness_send(f.h, 0, harness_udp(0, OUT6, OUT6, 1, 2, 10));
    harness_expect_drop(f.h, land_attack);
    filtered_free(&f);
}

static void prefilter_is_left_to_xdp_where_it_runs_there(void **state)
{
    struct filtered f = filtered_new();

    f.h->tables.xdp_ports = 1;
    harness_ready(f.h);
    harness_send(f.h, 0, harness_udp(0, "203.0.113.1", OUT, 1, 2, 10)); // went through, and found no route
    harness_expect_drop(f.h, no_route);
    filtered_free(&f);
}

static void prefilter_without_a_table_still_drops_martians(void **state)
{
    struct filtered f = filtered_new();

    f.h->tables.prefilter = NULL;
    harness_ready(f.h);
    harness_send(f.h, 0, harness_udp(0, "203.0.113.1", OUT, 1, 2, 10));
    harness_expect_drop(f.h, no_route);
    harness_send(f.h, 0, harness_udp(0, "240.0.0.1", OUT, 1, 2, 10));
    harness_expect_drop(f.h, martian_source);
    filtered_free(&f);
}

// Without rules there is no prefilter stage; parse then drops the martians, of every kind of packet.
static void martians_are_dropped_on_ports_without_rules(void **state)
{
    static const struct {
        const char *src, *dst;
        enum sl_drop drop;
    } row[] = {
        {"192.0.2.1", OUT, SL_DROP_no_route},
        {"127.0.0.1", OUT, SL_DROP_martian_source},
        {"224.0.0.1", OUT, SL_DROP_martian_source},
        {"0.1.2.3", OUT, SL_DROP_martian_source},
        {"192.0.2.1", "0.0.0.1", SL_DROP_martian_destination},
        {"192.0.2.1", "127.0.0.1", SL_DROP_martian_destination},
        {OUT, OUT, SL_DROP_land_attack},
        {OUT6, OUT6, SL_DROP_land_attack},
        {"::1", OUT6, SL_DROP_martian_source},
    };
    struct filtered f = filtered_new();

    f.h->tables.prefilter = NULL;
    f.h->port[0].flags = SL_PORT_MARTIANS;
    harness_ready(f.h);
    for (size_t i = 0; i < RTE_DIM(row); i++) {
        harness_send(f.h, 0, harness_udp(0, row[i].src, row[i].dst, 1, 2, 10));             // plain, of IPv4
        harness_send(f.h, 0, harness_tcp(0, row[i].src, row[i].dst, 1, 2, SL_TCP_SYN, 10)); // not plain
        harness_expect_drops(f.h, row[i].drop, 2);
    }
    harness_send(f.h, 0, harness_udp(0, "0.0.0.0", "255.255.255.255", 68, 67, 10)); // as DHCP begins
    harness_expect_drop(f.h, broadcast);
    f.h->tables.xdp_ports = 1; // judged already
    harness_send(f.h, 0, harness_udp(0, "127.0.0.1", OUT, 1, 2, 10));
    harness_expect_drop(f.h, no_route);
    filtered_free(&f);
}

static void prefilter_takes_a_header_in_one_segment_and_the_rest_in_another(void **state)
{
    struct filtered f = filtered_new();
    uint8_t bytes[VECTOR_FRAME];
    struct burst burst;

    for (unsigned cut = 33; cut <= 34;
         cut++) { // the last byte of the header in the second segment, then in the first
        unsigned length = vectors_packet("192.0.2.1", OUT, 17, bytes);
        struct rte_mbuf *frame = harness_frame(bytes, cut);
        assert_int_equal(rte_pktmbuf_chain(frame, harness_frame(bytes + cut, length - cut)), 0);
        uint64_t dropped = harness_dropped(f.h, SL_DROP_too_short);
        burst_of(&burst, 0, &frame, 1);
        prefilter_stage(f.h->worker[0], &burst);
        assert_int_equal(harness_dropped(f.h, SL_DROP_too_short) - dropped, cut == 33);
        assert_int_equal(burst.packet[0].stage == PACKET_PARSE, cut == 34);
        if (cut == 34)
            rte_pktmbuf_free(frame);
    }
    filtered_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefilter_stage_is_what_the_vectors_say),
        cmocka_unit_test(prefilter_stage_agrees_with_the_verdict_in_bursts),
        cmocka_unit_test(prefilter_drops_what_it_should_on_the_way_through_the_pipeline),
        cmocka_unit_test(prefilter_is_left_to_xdp_where_it_runs_there),
        cmocka_unit_test(prefilter_without_a_table_still_drops_martians),
        cmocka_unit_test(martians_are_dropped_on_ports_without_rules),
        cmocka_unit_test(prefilter_takes_a_header_in_one_segment_and_the_rest_in_another),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
