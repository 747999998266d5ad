// SPDX-License-Identifier: Apache-2.0
// A burst of segments does what the same segments do one by one: two engines with the same secrets take the same traffic of
// several connections, which open, send, jump, repeat, end and reset within one burst, and stay alike.
#include <stdlib.h>
#include <string.h>
#include "script.h"

#define PEERS  5u
#define STEPS  3000u
#define LENGTH 300u
#define LOG    4096u

#define OUT_COMPARED (offsetof(struct sl_tcp_out, options) + sizeof(((struct sl_tcp_out *)0)->options))

struct peer { // what its segments are made from; some are meant to be wrong
    uint32_t isn, next;
    uint32_t ack; // of the engine's number
};

struct log { // what came out and was not compared yet
    uint8_t out[LOG][OUT_COMPARED];
    unsigned n;
};

struct twins {
    struct rig *one, *burst;
    struct log *log; // of each
    struct peer peer[PEERS];
    uint64_t random;
};

static uint32_t draw(struct twins *twins, uint32_t below)
{
    twins->random = twins->random * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(twins->random >> 33) % below;
}

static struct sl_tcp_in segment(struct twins *twins, unsigned who, uint8_t flags, uint32_t seq)
{
    static const uint8_t none[1];
    const struct rig *rig = twins->one;

    return (struct sl_tcp_in){.src = rig->remote,
                              .dst = rig->local,
                              .sport = (sl_be16)(1000 + who),
                              .dport = rig->local_port,
                              .seq = seq,
                              .ack = flags & ACK ? twins->peer[who].ack : 0,
                              .window = 60000,
                              .flags = flags,
                              .options = none};
}

static struct sl_tcp_in segment_of_some_sort(struct twins *twins)
{
    unsigned who = draw(twins, PEERS), kind = draw(twins, 400);
    struct peer *peer = &twins->peer[who];
    struct sl_tcp_in in;

    if (kind == 0 || peer->isn == 0) {
        peer->isn = 1 + draw(twins, 1u << 30);
        peer->next = peer->isn + 1;
        return segment(twins, who, SYN, peer->isn);
    }
    if (kind < 3) { // over: the next one is a SYN again
        in = segment(twins, who, kind == 1 ? RST : FIN | ACK, peer->next);
        peer->isn = 0;
        return in;
    }
    if (kind < 80)
        return segment(twins, who, ACK, peer->next);
    in = segment(twins, who, ACK, peer->next);
    in.payload.len = in.payload.charge = 1 + draw(twins, LENGTH);
    if (kind < 84)
        in.seq += LENGTH; // out of order
    else if (kind < 100)
        in.seq -= 50; // again
    else
        peer->next += in.payload.len;
    return in;
}

static void own_payload(struct sl_tcp_in *in)
{
    uint32_t charge = in->payload.charge;

    if (in->payload.len)
        in->payload = rig_chunk(0, in->payload.len);
    in->payload.charge = charge;
}

static void feed(struct twins *twins, unsigned n)
{
    struct sl_tcp_in in[SL_TCP_BURST_MAX], copy;
    uint64_t kept = 0, kept_of_burst;

    for (unsigned i = 0; i < n; i++) {
        in[i] = copy = segment_of_some_sort(twins);
        own_payload(&in[i]);
        own_payload(&copy);
        kept |= (uint64_t)sl_tcp_input(twins->one->tcp, &copy, twins->one->now_us) << i;
        if (copy.payload.len && !(kept >> i & 1))
            rig_buffers.release(copy.payload.owner);
    }
    kept_of_burst = sl_tcp_input_burst(twins->burst->tcp, in, n, twins->burst->now_us);
    assert_int_equal(kept, kept_of_burst);
    for (unsigned i = 0; i < n; i++)
        if (in[i].payload.len && !(kept >> i & 1))
            rig_buffers.release(in[i].payload.owner);
}

// Echoes, and closes what has ended or has been read to its end. Returns what it did as a number to compare.
static uint64_t serve(struct rig *rig)
{
    struct sl_tcp_event event;
    struct sl_tcp_chunk chunk;
    uint64_t did = 0;

    while (sl_tcp_event(rig->tcp, &event)) {
        int rc;

        did = did * 31 + event.bits + rig_info(event.conn).slot * 1000u + (uint32_t)event.error;
        while ((rc = sl_tcp_read(event.conn, UINT32_MAX, &chunk, rig->now_us)) == 1) {
            did = did * 31 + chunk.len;
            if (sl_tcp_send(event.conn, &chunk, rig->now_us) != 0)
                rig_buffers.release(chunk.owner);
        }
        if (rc == 0 || event.bits & SL_TCP_ENDED)
            sl_tcp_close(event.conn, rig->now_us);
    }
    return did;
}

static bool keep(struct rig *rig, const struct sl_tcp_out *out)
{
    struct log *log = rig->context;

    assert_true(log->n < LOG);
    memcpy(log->out[log->n++], out, OUT_COMPARED);
    return true;
}

static void compare_out(struct twins *twins)
{
    assert_int_equal(twins->log[0].n, twins->log[1].n);
    for (unsigned i = 0; i < twins->log[0].n; i++) {
        struct sl_tcp_out out;
        struct peer *peer;

        memcpy(&out, twins->log[0].out[i], OUT_COMPARED);
        assert_memory_equal(twins->log[0].out[i], twins->log[1].out[i],
                            offsetof(struct sl_tcp_out, options) + out.options_len);
        if (out.flags & RST)
            continue;
        peer = &twins->peer[out.dport - 1000u];
        peer->ack = out.seq + out.len + !!(out.flags & (SYN | FIN));
        peer->next = out.ack; // what was not taken in is sent again
    }
    twins->log[0].n = twins->log[1].n = 0;
}

static void bursts_do_what_single_segments_do(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct twins twins = {.one = rig_new(), .burst = rig_new(), .log = calloc(2, sizeof(struct log)), .random = 7};

    assert_non_null(twins.log);
    twins.one->deliver = twins.burst->deliver = keep;
    twins.one->context = &twins.log[0];
    twins.burst->context = &twins.log[1];
    rig_listen(twins.one, &options);
    rig_listen(twins.burst, &options);
    for (unsigned step = 0; step < STEPS; step++) {
        feed(&twins, 1 + draw(&twins, SL_TCP_BURST_MAX));
        assert_int_equal(serve(twins.one), serve(twins.burst));
        rig_flush(twins.one);
        rig_flush(twins.burst);
        compare_out(&twins);
        uint64_t us = draw(&twins, 200) ? draw(&twins, 2000) : draw(&twins, 70000000);
        rig_wait(twins.one, us);
        rig_wait(twins.burst, us);
        compare_out(&twins);
    }
    assert_true(sl_tcp_counters(twins.one->tcp)->bytes_in > STEPS * LENGTH);
    assert_memory_equal(sl_tcp_counters(twins.one->tcp), sl_tcp_counters(twins.burst->tcp),
                        sizeof(struct sl_tcp_counters));
    sl_tcp_free(twins.one->tcp); // buffers are counted for both together
    twins.one->tcp = NULL;
    rig_free(twins.burst);
    rig_free(twins.one);
    free(twins.log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bursts_do_what_single_segments_do)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
