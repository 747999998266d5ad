// SPDX-License-Identifier: Apache-2.0
// Over bad paths of many kinds no transfer stands still for longer than its timeouts, and all of it arrives.
#include "pair.h"

struct weather {
    uint32_t lose, ack_lose, delay, duplicate; // of 1000
    uint64_t progress_us, timeout_us;          // since when nothing was read; the longest timeout meanwhile
    uint32_t read;
};

static enum pair_fate blow(struct pair *pair, bool from_client, const struct sl_tcp_out *out)
{
    const struct weather *weather = pair->context;
    uint32_t dice = pair_random(pair, 1000);

    if (dice < (from_client ? weather->lose : weather->ack_lose))
        return PAIR_DROP;
    dice = pair_random(pair, 1000);
    return dice < weather->delay                        ? PAIR_DELAY
           : dice < weather->delay + weather->duplicate ? PAIR_DUPLICATE
                                                        : PAIR_DELIVER;
}

static bool watch(struct pair *pair)
{
    struct weather *weather = pair->context;
    struct sl_tcp_info info;

    if (pair_server.read != weather->read || pair_server.read == 200000 || !pair_client.conn) {
        weather->read = pair_server.read;
        weather->progress_us = pair->now_us;
        weather->timeout_us = 0;
        return pair_both_ended(pair);
    }
    sl_tcp_info(pair_client.conn, &info);
    if (((uint64_t)info.rto_us << info.backoff) > weather->timeout_us)
        weather->timeout_us = (uint64_t)info.rto_us << info.backoff;
    // timeouts that double: all before the last one together are as long as that
    if (pair->now_us - weather->progress_us > 2 * weather->timeout_us + 8 * pair->delay_us)
        fail_msg("nothing for %u ms at byte %u, timeout %u ms, state %u, recovery %u, pipe %u, cwnd %u",
                 (unsigned)((pair->now_us - weather->progress_us) / 1000), pair_server.read,
                 (unsigned)(weather->timeout_us / 1000), info.state, info.recovery, info.pipe, info.cwnd);
    return pair_both_ended(pair);
}

static void transfer(struct weather *weather, unsigned seed, const struct sl_tcp_options *options)
{
    struct pair *pair = pair_new((seed % 3 == 0 ? 1 : seed % 3 == 1 ? 10 : 50) * RIG_MS, seed & 1);

    pair->fate = blow;
    pair->context = weather;
    pair->random += seed * 0x9e3779b9ull;
    weather->read = 0;
    weather->timeout_us = 0;
    weather->progress_us = pair->now_us;
    pair_client.to_send = 200000;
    pair_client.close_when_sent = pair_server.close_when_sent = true;
    pair_connect(pair, options, options);
    pair_run(pair, pair->now_us + 3600 * RIG_S, watch);
    assert_int_equal(pair_server.read, 200000);
    assert_true(pair_both_ended(pair));
    pair_free(pair);
}

static void through_all(uint32_t lose, uint32_t ack_lose, uint32_t delay, uint32_t duplicate)
{
    for (unsigned seed = 0; seed < 48; seed++) {
        struct weather weather = {lose, ack_lose, delay, duplicate, 0, 0, 0};
        struct sl_tcp_options options;

        sl_tcp_options_default(&options);
        options.sack = seed % 4 != 3;
        options.timestamps = seed % 5 != 4;
        options.pacing = seed % 7 != 6;
        options.congestion = (const char *[]){"cubic", "newreno", "bbr"}[seed / 2 % 3];
        options.no_delay = seed & 4;
        if (seed % 6 == 5)
            options.rx_bytes = options.rx_initial_bytes = 8000;
        transfer(&weather, seed, &options);
    }
}

static void a_little_loss(void **state)
{
    through_all(10, 0, 0, 0);
}

static void much_loss(void **state)
{
    through_all(100, 0, 0, 0);
}

static void acknowledgements_lost(void **state)
{
    through_all(0, 300, 0, 0);
}

static void reordering(void **state)
{
    through_all(0, 0, 150, 0);
}

static void duplicates(void **state)
{
    through_all(5, 5, 0, 200);
}

static void everything_at_once(void **state)
{
    through_all(50, 50, 100, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_little_loss),
        cmocka_unit_test(much_loss),
        cmocka_unit_test(acknowledgements_lost),
        cmocka_unit_test(reordering),
        cmocka_unit_test(duplicates),
        cmocka_unit_test(everything_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
