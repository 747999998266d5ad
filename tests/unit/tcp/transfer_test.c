// SPDX-License-Identifier: Apache-2.0
// Whole transfers between two engines over a path, good and bad: every byte arrives, both ends end as they should.
#include "pair.h"

#define MEGABYTE (1u << 20)

static enum pair_fate lossy(struct pair *pair, bool from_client, const struct sl_tcp_out *out)
{
    uint32_t per_mille = *(uint32_t *)pair->context;

    (void)from_client, (void)out;
    return pair_random(pair, 1000) < per_mille ? PAIR_DROP : PAIR_DELIVER;
}

static enum pair_fate wild(struct pair *pair, bool from_client, const struct sl_tcp_out *out)
{
    uint32_t dice = pair_random(pair, 100);

    (void)from_client, (void)out;
    return dice < 2 ? PAIR_DROP : dice < 4 ? PAIR_DUPLICATE : dice < 14 ? PAIR_DELAY : PAIR_DELIVER;
}

static void transfer(struct pair *pair, uint32_t up, uint32_t down)
{
    struct sl_tcp_options options;

    sl_tcp_options_default(&options);
    pair_client.to_send = up;
    pair_server.to_send = down;
    pair_client.close_when_sent = pair_server.close_when_sent = true;
    pair_connect(pair, &options, &options);
    pair_run(pair, pair->now_us + 600 * RIG_S, pair_both_ended);
    if (pair_server.read != up || pair_client.read != down)
        fail_msg("server read %u of %u, client %u of %u", pair_server.read, up, pair_client.read, down);
    assert_true(pair_both_ended(pair));
    assert_int_equal(pair_client.error, 0);
    assert_int_equal(pair_server.error, 0);
}

static void a_megabyte_each_way_arrives(void **state)
{
    for (int v6 = 0; v6 < 2; v6++) {
        struct pair *pair = pair_new(10 * RIG_MS, v6);

        transfer(pair, MEGABYTE, MEGABYTE);
        assert_int_equal(sl_tcp_counters(pair->client->tcp)->retransmits, 0);
        pair_free(pair);
    }
}

static void everything_arrives_whatever_is_lost(void **state)
{
    for (uint32_t per_mille = 1; per_mille <= 200; per_mille = per_mille * 2 + 3) {
        struct pair *pair = pair_new(5 * RIG_MS, false);

        pair->fate = lossy;
        pair->context = &per_mille;
        pair->random += per_mille;
        transfer(pair, MEGABYTE / 4, MEGABYTE / 8);
        pair_free(pair);
    }
}

static void everything_arrives_out_of_order_and_doubled(void **state)
{
    for (unsigned seed = 0; seed < 10; seed++) {
        struct pair *pair = pair_new(5 * RIG_MS, seed & 1);

        pair->fate = wild;
        pair->random += seed * 7919;
        transfer(pair, MEGABYTE / 4, MEGABYTE / 4);
        pair_free(pair);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_megabyte_each_way_arrives),
        cmocka_unit_test(everything_arrives_whatever_is_lost),
        cmocka_unit_test(everything_arrives_out_of_order_and_doubled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
