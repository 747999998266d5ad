// SPDX-License-Identifier: Apache-2.0
// Whatever the wires do and whenever the gateway joins the two connections and takes them apart: each byte arrives once
// and in its place, both sides end in order, and after each step every invariant of every engine holds.
// `unit-tcp-splice_random [SEED [COUNT]]`: that seed alone, or so many from there.
#include "triple.h"
#include <errno.h>
#include <stdlib.h>

#define SEEDS 2500u

static uint32_t first_seed = 1, n_seeds = SEEDS;
static uint64_t joins, parts, residues, resumed, half;

static uint32_t upto(struct triple *triple, uint32_t most)
{
    return triple_random(triple, most + 1);
}

// At moments of chance, whatever is on its way.
static void join_or_part(struct triple *triple)
{
    if (triple_random(triple, 12))
        return;
    if (!triple->spliced) {
        if (triple->connected && triple_random(triple, 3))
            triple_join(triple);
        return;
    }
    if (triple_random(triple, 3) == 0 && triple_quiet(triple)) {
        half += triple->client.eof || triple->server[0].eof;
        assert_int_equal(triple_part(triple), 0);
    }
}

// A host or the gateway's leg: options alike where the join needs them so, unlike elsewhere.
static void vary(struct triple *dice, struct sl_tcp_options *options, bool timestamps, bool sack, bool ecn)
{
    options->timestamps = timestamps;
    options->sack = sack;
    options->ecn = ecn;
    options->wscale = upto(dice, 9) != 0;
    options->wscale_shift = upto(dice, 2) ? 0xff : (uint8_t)upto(dice, 14);
    options->rx_bytes = 4096u << upto(dice, 8);
    options->rx_initial_bytes = 2048u << upto(dice, 5);
    if (options->wscale_shift != 0xff) { // less than a unit of its scale nobody can tell
        options->rx_bytes = tcp_max_u32(options->rx_bytes, 4u << options->wscale_shift);
        options->rx_initial_bytes = tcp_max_u32(options->rx_initial_bytes, 2u << options->wscale_shift);
    }
    options->no_delay = upto(dice, 1);
    options->pacing = upto(dice, 1);
    options->congestion = upto(dice, 1) ? "cubic" : "newreno";
    options->mss_clamp = 1200;
}

static void spec_of(uint32_t seed, struct triple_spec *spec)
{
    struct triple dice = {.random = seed * 0x9e3779b97f4a7c15};
    bool timestamps = upto(&dice, 3) != 0, sack = upto(&dice, 3) != 0, ecn = upto(&dice, 1),
         bad = upto(&dice, 3) != 0;

    triple_spec_default(spec);
    spec->seed = seed;
    spec->delay_us[0] = 50 + upto(&dice, 20000);
    spec->delay_us[1] = 50 + upto(&dice, 40000);
    spec->loss = bad ? upto(&dice, 60) : 0;
    spec->duplicate = bad ? upto(&dice, 40) : 0;
    spec->reorder = bad ? upto(&dice, 60) : 0;
    spec->burst = 200 + upto(&dice, 9000);
    spec->burst_us = 1000 + upto(&dice, 120000);
    spec->preface[0] = upto(&dice, 2) ? 0 : upto(&dice, 3000);
    spec->preface[1] = upto(&dice, 2) ? 0 : upto(&dice, 3000);
    spec->v6_a = upto(&dice, 3) == 0;
    spec->v6_b = upto(&dice, 3) == 0;
    spec->wraps = seed % 16 == 0; // costs a search
    vary(&dice, &spec->client, timestamps, sack, ecn);
    vary(&dice, &spec->gateway_a, timestamps, sack, ecn);
    vary(&dice, &spec->gateway_b, timestamps, sack, ecn);
    vary(&dice, &spec->server, timestamps, sack, ecn);
}

static bool done(struct triple *triple)
{
    bool closes = triple->client.close_when_sent && triple->server[0].close_when_sent;

    return triple->dead || (triple_delivered(triple) && (!closes || triple_closed(triple)));
}

static void run(uint32_t seed)
{
    struct triple_spec spec;
    struct triple *triple;

    spec_of(seed, &spec);
    triple = triple_new(&spec);
    triple->client.to_send = upto(triple, 40000);
    triple->server[0].to_send = upto(triple, 40000);
    triple->client.close_when_sent = upto(triple, 1);
    triple->server[0].close_when_sent = upto(triple, 1);
    triple->every = join_or_part;
    triple_begin(triple);
    triple_run(triple, 1500 * RIG_S, done);
    if (triple->dead || !done(triple) || triple->client.error || triple->server[0].error)
        fail_msg("seed %u: server read %u of %u (end %d), client %u of %u (end %d); %s, legs end %d %d, "
                 "residue %d",
                 seed, triple->server[0].read, triple->client.to_send, triple->server[0].error,
                 triple->client.read, triple->server[0].to_send, triple->client.error,
                 triple->spliced ? "joined" : "apart", triple->leg_error[0], triple->leg_error[1],
                 triple->residue_error);
    joins += triple->joins;
    parts += triple->parts;
    residues += triple->residues;
    resumed += triple->resumed;
    triple_free(triple);
}

static void every_byte_arrives_whenever_it_is_joined_and_parted(void **state)
{
    for (uint32_t i = 0; i < n_seeds; i++)
        run(first_seed + i);
    if (n_seeds < SEEDS)
        return;
    print_message("%lu joins, %lu parts, %lu of them half closed, %lu residues, %lu put back\n", joins, parts,
                  half, residues, resumed);
    assert_true(joins > n_seeds && parts > n_seeds / 2 && half > n_seeds / 50); // it was not all relayed
    assert_true(residues > n_seeds / 4 && resumed > n_seeds / 100);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_arrives_whenever_it_is_joined_and_parted),
    };

    if (argc > 1) {
        first_seed = (uint32_t)strtoul(argv[1], NULL, 10);
        n_seeds = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
