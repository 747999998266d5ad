// SPDX-License-Identifier: Apache-2.0
// BBR over a path with a bottleneck, on virtual time: what its model is for (draft-ietf-ccwg-bbr-06 sections 3.1, 3.2, and
// cases of appendix A).
#include "bottleneck.h"

static struct result bulk(const char *congestion, uint64_t rtt_us, double loss, double seconds)
{
    struct scene scene = {
        .congestion = {congestion}, .n = 1, .rtt_us = rtt_us, .loss = loss, .seconds = seconds, .seed = 1};
    struct result result = bottleneck_play(&scene);

    assert_null(result.invariant);
    assert_int_equal(result.undone, 0);
    return result;
}

static void it_fills_the_path(void **state)
{
    assert_true(bulk("bbr", RIG_MS, 0, 6).mbit_late > 90);
    assert_true(bulk("bbr", 20 * RIG_MS, 0, 12).mbit_late > 90);
    assert_true(bulk("bbr", 100 * RIG_MS, 0, 30).mbit_late > 90);
}

// Of 20 ms of queue, which CUBIC fills.
static void and_leaves_the_queue_short(void **state)
{
    double queue_ms = bulk("bbr", 20 * RIG_MS, 0, 12).queue_ms;

    assert_true(queue_ms < 3);
    assert_true(bulk("cubic", 20 * RIG_MS, 0, 12).queue_ms > 3 * queue_ms);
}

static void s3_1_one_percent_of_loss_costs_it_little(void **state)
{
    double mbit = bulk("bbr", 20 * RIG_MS, 0.01, 12).mbit_late;

    assert_true(mbit > 60);
    assert_true(mbit > 5 * bulk("cubic", 20 * RIG_MS, 0.01, 12).mbit_late);
}

static void s3_2_more_than_two_percent_it_takes_for_congestion(void **state)
{
    assert_true(bulk("bbr", 20 * RIG_MS, 0.04, 30).mbit_late < 30);
}

static void a15_ten_times_the_bandwidth_is_found(void **state)
{
    struct scene scene = {.congestion = {"bbr"},
                          .n = 1,
                          .rate_bps = 10000000,
                          .late_rate_bps = 100000000,
                          .rtt_us = 20 * RIG_MS,
                          .queue_bytes = 250000,
                          .seconds = 24,
                          .seed = 1};

    assert_true(bottleneck_play(&scene).mbit_late > 80); // of twenty seconds some three go by until it is
}

static void a_tenth_of_the_bandwidth_too_and_the_queue_goes(void **state)
{
    struct scene scene = {.congestion = {"bbr"},
                          .n = 1,
                          .late_rate_bps = 10000000,
                          .rtt_us = 20 * RIG_MS,
                          .seconds = 60,
                          .seed = 1};
    struct result result = bottleneck_play(&scene);

    assert_null(result.invariant);
    assert_true(result.mbit_late > 8.5);
    assert_true(result.queue_ms < 50); // of 200; full until two cycles of probing have gone by
}

static void s3_1_two_flows_share(void **state)
{
    struct scene scene = {
        .congestion = {"bbr", "bbr"}, .n = 2, .rtt_us = 20 * RIG_MS, .seconds = 60, .seed = 1};
    struct result result = bottleneck_play(&scene);

    assert_true(result.jain > 0.95);
    assert_true(result.mbit_late > 90);
}

static void s5_3_3_8_1_cubic_beside_it_is_not_starved(void **state)
{
    struct scene scene = {
        .congestion = {"cubic", "bbr"}, .n = 2, .rtt_us = 20 * RIG_MS, .seconds = 60, .seed = 1};
    struct result result = bottleneck_play(&scene);

    assert_true(result.mbit_of[0] > 20 && result.mbit_of[1] > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_fills_the_path),
        cmocka_unit_test(and_leaves_the_queue_short),
        cmocka_unit_test(s3_1_one_percent_of_loss_costs_it_little),
        cmocka_unit_test(s3_2_more_than_two_percent_it_takes_for_congestion),
        cmocka_unit_test(a15_ten_times_the_bandwidth_is_found),
        cmocka_unit_test(a_tenth_of_the_bandwidth_too_and_the_queue_goes),
        cmocka_unit_test(s3_1_two_flows_share),
        cmocka_unit_test(s5_3_3_8_1_cubic_beside_it_is_not_starved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
