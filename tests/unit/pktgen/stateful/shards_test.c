// SPDX-License-Identifier: Apache-2.0
// Sides that several workers share: shares of addresses and ports against a plain count, and clients and servers of
// several shards whose segments come to whichever shard the port pleases.
#include "net.h"

#define CLIENTS 3
#define SERVERS 2
#define FLIGHT  4096

struct lab { // a line with as many ends as there are shards
    struct engine client[CLIENTS], server[SERVERS];
    struct test_random random;
    bool sprayed; // each segment to any shard; otherwise a connection's always to the same, any one
    uint32_t lose;
    uint64_t now_ns, handed;
    uint32_t flying;
    struct net_frame *flight;
    uint8_t *room;
};

static void shares_are_disjoint_and_whole(void **state)
{
    struct test_random random = test_random_start("shares");
    for (unsigned round = 0; round < 300; round++) {
        struct endpoint_range all = {.first = sl_ip_v4(sl_be32_of(0x0a000000)),
                                     .addresses = 1 + test_random_below(&random, 40),
                                     .port = 1024,
                                     .ports = 1 + test_random_below(&random, 40)};
        uint32_t shares = endpoint_shares(&all, 1 + test_random_below(&random, 64)), pairs = 0;
        assert_true(shares >= 1);
        for (uint32_t i = 0; i < shares; i++) {
            struct endpoint_range part = endpoint_share(&all, shares, i);
            assert_true(part.addresses > 0 && part.ports > 0);
            for (uint32_t n = 0; n < part.addresses * part.ports; n++) {
                struct sl_ip ip = endpoint_address(&part, n / part.ports);
                uint32_t address, port;
                assert_true(
                    endpoint_find(&all, &ip, (uint16_t)(part.port + n % part.ports), &address, &port));
                assert_int_equal(endpoint_share_of(&all, shares, address, port), i);
                pairs++;
            }
        }
        assert_int_equal(pairs, all.addresses * all.ports);
    }
}

static void lab_engine(struct lab *lab, struct engine *engine, bool server, uint32_t i, uint32_t shards,
                       uint32_t slot)
{
    struct endpoint_config config = net_config(server);
    struct sl_error error = {0};
    config.side = config.own;
    config.shard = i;
    config.shards = shards;
    config.response_bytes = 5000;
    config.request_bytes = 3000;
    config.requests = 3;
    if (!server)
        config.own = endpoint_share(&config.side, shards, i);
    assert_int_equal(engine_init(engine, &config, lab->now_ns, &error), 0);
    for (uint32_t k = 0; k < ENGINE_OUTBOX; k++)
        engine->outbox.frame[k] = lab->room + ((size_t)slot * ENGINE_OUTBOX + k) * NET_FRAME;
    engine->outbox.room = ENGINE_OUTBOX;
}

static struct lab *lab_new(const char *name)
{
    struct lab *lab = calloc(1, sizeof(*lab));
    lab->flight = calloc(FLIGHT, sizeof(*lab->flight));
    lab->room = calloc((size_t)(CLIENTS + SERVERS) * ENGINE_OUTBOX, NET_FRAME);
    lab->now_ns = 1000000000;
    lab->random = test_random_start(name);
    for (uint32_t i = 0; i < CLIENTS; i++)
        lab_engine(lab, &lab->client[i], false, i, CLIENTS, i);
    for (uint32_t i = 0; i < SERVERS; i++)
        lab_engine(lab, &lab->server[i], true, i, SERVERS, CLIENTS + i);
    return lab;
}

static void lab_free(struct lab *lab)
{
    for (uint32_t i = 0; i < CLIENTS; i++)
        engine_fini(&lab->client[i]);
    for (uint32_t i = 0; i < SERVERS; i++)
        engine_fini(&lab->server[i]);
    free(lab->flight);
    free(lab->room);
    free(lab);
}

static void lab_send(struct lab *lab, struct engine *from, bool to_server)
{
    for (uint32_t i = 0; i < from->outbox.count; i++) {
        if (lab->flying == FLIGHT || test_random_below(&lab->random, 1000) < lab->lose)
            continue;
        struct net_frame *frame = &lab->flight[lab->flying++];
        frame->len = from->outbox.len[i];
        frame->to_server = to_server;
        memcpy(frame->bytes, from->outbox.frame[i], frame->len);
    }
    from->outbox.count = 0;
}

// The queue a frame comes to, and from there where the shards send it.
static void lab_deliver(struct lab *lab, const struct net_frame *flying)
{
    struct engine *side = flying->to_server ? lab->server : lab->client;
    uint32_t shards = flying->to_server ? SERVERS : CLIENTS;
    uint32_t ports = flying->bytes[35] + flying->bytes[37];
    struct engine_frame frame = {.bytes = flying->bytes, .len = flying->len};
    frame.next = (uint8_t)((lab->sprayed ? test_random_below(&lab->random, 1000) : ports) % shards);
    for (frame.hops = 0; frame.next != ENGINE_TAKEN; frame.hops++) {
        assert_true(frame.hops < shards);
        lab->handed += frame.hops > 0;
        engine_input(&side[frame.next], &frame, 1, lab->now_ns);
    }
}

static void lab_step(struct lab *lab)
{
    uint32_t flying = lab->flying;
    lab->now_ns += NET_STEP;
    lab->flying = 0;
    static struct net_frame arrived[FLIGHT];
    memcpy(arrived, lab->flight, flying * sizeof(arrived[0]));
    for (uint32_t i = 0; i < flying; i++)
        lab_deliver(lab, &arrived[i]);
    for (uint32_t i = 0; i < CLIENTS + SERVERS; i++) {
        struct engine *engine = i < CLIENTS ? &lab->client[i] : &lab->server[i - CLIENTS];
        engine_timers(engine, lab->now_ns);
        lab_send(lab, engine, i < CLIENTS);
    }
}

static void lab_run(struct lab *lab, uint32_t each)
{
    uint64_t completed = 0, served = 0;
    for (uint32_t step = 0; step < 3000000 && completed < each * CLIENTS; step++) {
        completed = 0;
        for (uint32_t i = 0; i < CLIENTS; i++) {
            if (lab->client[i].counters.opened < each)
                client_open(&lab->client[i], 1, lab->now_ns);
            completed += lab->client[i].counters.completed;
        }
        lab_step(lab);
    }
    for (uint32_t i = 0; i < CLIENTS; i++) {
        net_adds_up(&lab->client[i]);
        assert_int_equal(net_failed(&lab->client[i]), 0);
        assert_int_equal(lab->client[i].counters.completed, each);
        assert_int_equal(lab->client[i].counters.requests, 3 * each);
    }
    for (uint32_t i = 0; i < SERVERS; i++)
        served += lab->server[i].counters.requests;
    assert_int_equal(served, 3 * each * CLIENTS);
    assert_true(lab->handed > 0);
}

static void segments_that_come_to_any_worker_reach_their_connection(void **state)
{
    struct lab *lab = lab_new("sprayed");
    lab->sprayed = true;
    lab_run(lab, 300);
    for (uint32_t i = 0; i < SERVERS; i++)
        assert_int_equal(lab->server[i].counters.stray, 0);
    lab_free(lab);
}

static void losses_are_mended_across_workers(void **state)
{
    struct lab *lab = lab_new("lossy");
    lab->lose = 20;
    lab_run(lab, 300);
    lab_free(lab);
}

static void a_segment_of_no_connection_is_a_stray_once_all_have_seen_it(void **state)
{
    struct lab *lab = lab_new("stray");
    lab_engine(lab, &lab->client[0], false, 0, CLIENTS, 0);
    client_open(&lab->client[0], 1, lab->now_ns);
    struct net_frame frame = {.len = lab->client[0].outbox.len[0], .to_server = true};
    memcpy(frame.bytes, lab->client[0].outbox.frame[0], frame.len);
    // The SYN becomes an ACK of nothing: the checksum, a sum of words, changes by what the flags do.
    uint16_t sum = (uint16_t)(frame.bytes[50] << 8 | frame.bytes[51]);
    frame.bytes[47] = SL_TCP_ACK;
    uint32_t mended = sum + SL_TCP_SYN + (0xffff - SL_TCP_ACK);
    mended = (mended & 0xffff) + (mended >> 16);
    frame.bytes[50] = (uint8_t)(mended >> 8);
    frame.bytes[51] = (uint8_t)mended;
    lab_deliver(lab, &frame);
    assert_int_equal(lab->handed, SERVERS - 1);
    assert_int_equal(lab->server[0].counters.stray + lab->server[1].counters.stray, 1);
    assert_int_equal(lab->server[0].outbox.count + lab->server[1].outbox.count, 1); // its reset
    lab_free(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_disjoint_and_whole),
        cmocka_unit_test(segments_that_come_to_any_worker_reach_their_connection),
        cmocka_unit_test(losses_are_mended_across_workers),
        cmocka_unit_test(a_segment_of_no_connection_is_a_stray_once_all_have_seen_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
