// SPDX-License-Identifier: Apache-2.0
// Profiles: what they become, and where their faults are told.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include "profile.h"

static struct plan plan;
static struct sl_diagnostics diag;

static int compile(const char *text)
{
    static const char *const ports[] = {"left", "right"};
    struct profile *profile;
    struct sl_tree tree;
    sl_diag_fini(&diag);
    int rc = profile_load_text(text, strlen(text), "p.yaml", &profile, &tree, &diag);
    struct profile_source source = {"p.yaml", &tree, &diag};
    if (rc == 0)
        rc = profile_compile(profile, &source, ports, 2, &plan);
    profile_free(profile);
    sl_tree_fini(&tree);
    return rc;
}

static void assert_fault(const char *text, const char *begins)
{
    char line[512];
    assert_int_not_equal(compile(text), 0);
    assert_true(diag.count >= 1);
    sl_diag_format(&diag.list[0], line, sizeof(line));
    if (strncmp(line, begins, strlen(begins)) != 0)
        fail_msg("'%s' does not begin with '%s'", line, begins);
}

static void a_profile_becomes_a_plan(void **context)
{
    assert_int_equal(
        compile("pktgen: 1\n"
                "rate: 2.5Mpps\n"
                "streams:\n"
                "  - {name: a, port: right, protocol: tcp, tcp-flags: S, src: 10.0.0.0/24,\n"
                "     dst: 192.0.2.1-192.0.2.10, sport: 1000-1999, sizes: 76-87, burst: 8}\n"
                "  - {name: b, protocol: icmp, src: '2001:db8::1', dst: '2001:db8::2', sizes: 128-130,\n"
                "     fragments: 2, rate: 10%}\n"),
        0);
    const struct stream_plan *a = &plan.stream[0], *b = &plan.stream[1];
    assert_int_equal(plan.streams, 2);
    assert_true(plan.rate.unit == RATE_PPS && plan.rate.value == 2.5e6);
    assert_int_equal(a->port, 1);
    assert_int_equal(a->proto, IPPROTO_TCP);
    assert_int_equal(a->tcp_flags, 2);
    assert_int_equal(a->flows.flows, 256 * 10 * 1000);
    assert_int_equal(a->sizes.count, 12);
    assert_int_equal(a->burst, 8);
    assert_true(b->v6 && b->own_rate && b->rate.unit == RATE_PERCENT);
    assert_int_equal(b->proto, IPPROTO_ICMPV6);
    assert_int_equal(b->sizes.count, 3);
    assert_int_equal(b->fragments, 2);
    assert_int_equal(b->ttl, 64);
}

static void faults_are_told_with_line_and_column(void **context)
{
    assert_fault("pktgen: 1\nstreams:\n  - {sizes: 63}\n",
                 "p.yaml:3:13: streams[0].sizes: '63' has a frame of less");
    assert_fault("pktgen: 1\nstreams:\n  - {src: 10.0.0.9-10.0.0.1}\n", "p.yaml:3:11: streams[0].src:");
    assert_fault("pktgen: 1\nrate: fast\n", "p.yaml:2:7: rate: 'fast' is not a rate");
    assert_fault("pktgen: 1\nstreams:\n  - {sizs: 64}\n",
                 "p.yaml:3:6: streams[0]: unknown key 'sizs'; did you mean");
    assert_fault("pktgen: 1\nstreams:\n  - {port: middle}\n",
                 "p.yaml:3:12: streams[0].port: there is no port 'middle'");
    assert_fault("pktgen: 1\nstreams:\n  - {flows: 5}\n", "p.yaml:3:13: streams[0].flows: 5 flows, but");
    assert_fault("pktgen: 1\nstreams:\n  - {src: 10.0.0.1, dst: '::1'}\n", "p.yaml:3:26: streams[0].dst:");
    assert_fault("pktgen: 1\nstreams:\n  - {protocol: sctp}\n", "p.yaml:3:16: streams[0].protocol:");
    assert_fault(
        "pktgen: 1\nstreams:\n  - {sizes: imix, protocol: tcp}\n",
        "p.yaml:3:13: streams[0].sizes: a frame of 64 bytes; its headers, the signature and the FCS need 76");
    assert_fault("pktgen: 1\nstreams:\n  - {protocol: tcp}\n",
                 "p.yaml:3:5: streams[0].sizes: a frame of 64 bytes");
    assert_fault("pktgen: 1\nstreams: []\n", "p.yaml:2:10: streams: there is nothing to send");
    assert_fault("pktgen: 1\n", "p.yaml:1:1: streams: there is nothing to send");
    assert_fault("streams: []\n", "p.yaml:1:1: the key 'pktgen' is missing");
}

static void every_fault_is_told_at_once(void **context)
{
    assert_int_not_equal(
        compile("pktgen: 1\nrate: x\nstreams:\n  - {sizes: y, sport: z}\n  - {dport: '7-6'}\n"), 0);
    assert_int_equal(diag.errors, 4);
}

static void rates_become_packets_a_second(void **context)
{
    struct rate rate;
    const char *why;
    assert_int_equal(profile_read_rate("100%", &rate, &why), 0);
    assert_in_range((uint64_t)rate_pps(&rate, 64, 10000000000ULL), 14880952, 14880953); // 10 Gbit/s Ethernet
    assert_int_equal(profile_read_rate("1Gbps", &rate, &why), 0);
    assert_int_equal((uint64_t)rate_pps(&rate, 1250, 0), 100000);
    assert_int_equal(profile_read_rate("max", &rate, &why), 0);
    assert_true(rate_pps(&rate, 64, 1) == 0);
    static const char *const bad[] = {"", "0", "-1", "1x", "101%", "nan", "Mpps", "1e400pps"};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_not_equal(profile_read_rate(bad[i], &rate, &why), 0);
}

static void imix_is_seven_to_four_to_one(void **context)
{
    struct size_plan sizes;
    const char *why;
    unsigned small = 0, middle = 0, large = 0;
    assert_int_equal(profile_read_sizes("imix", &sizes, &why), 0);
    for (unsigned i = 0; i < sizes.count; i++) {
        small += sizes.size[i] == 64;
        middle += sizes.size[i] == 594;
        large += sizes.size[i] == 1518;
    }
    assert_true(small == 7 && middle == 4 && large == 1 && sizes.count == 12);
}

static void ranges_of_addresses_may_have_steps(void **context)
{
    struct neighbor_range range;
    const char *why;
    assert_int_equal(profile_read_range("11.0.0.0-122.255.255.0/1792", &range, &why), 0);
    assert_int_equal(range.count, 1 << 20);
    assert_int_equal(profile_read_range("10.0.0.1-10.0.0.10/4", &range, &why), 0);
    assert_true(range.count == 3 && range.step == 4);
    assert_int_equal(profile_read_range("10.0.0.1-10.0.0.10", &range, &why), 0);
    assert_true(range.count == 10 && range.step == 1);
    static const char *const bad[] = {"10.0.0.1-10.0.0.9/", "10.0.0.1-10.0.0.9/0", "10.0.0.1-10.0.0.9/2x",
                                      "10.0.0.1-10.0.0.9/-1", "0.0.0.0-255.255.255.255/2"};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_not_equal(profile_read_range(bad[i], &range, &why), 0);
    assert_int_equal(compile("pktgen: 1\nstreams:\n  - {dst: 10.0.0.1-10.0.0.10/4}\n"), 0);
    struct flow flow;
    flow_split(&plan.stream[0].flows, 2, &flow);
    assert_int_equal(flow.value[FLOW_DST], 0x0a000009);
}

static void flow_numbers_split_as_division_does(void **context)
{
    struct flow_space space = {.flows = FLOWS_MAX};
    static const uint32_t count[][FLOW_FIELDS] = {
        {1, 1, 1, 1}, {3, 7, 1, 65536}, {256, 1000, 10, 1}, {16777216, 1, 2, 3}};
    for (unsigned k = 0; k < 4; k++) {
        for (unsigned i = 0; i < FLOW_FIELDS; i++)
            space.range[i] = flow_range_make(100 * i, count[k][i]);
        for (uint64_t f = 0; f < FLOWS_MAX; f += 997) {
            struct flow flow;
            uint64_t rest = f;
            flow_split(&space, (uint32_t)f, &flow);
            for (unsigned i = 0; i < FLOW_FIELDS; i++) {
                assert_int_equal(flow.value[i], 100 * i + rest % count[k][i]);
                rest /= count[k][i];
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_profile_becomes_a_plan),
        cmocka_unit_test(faults_are_told_with_line_and_column),
        cmocka_unit_test(every_fault_is_told_at_once),
        cmocka_unit_test(rates_become_packets_a_second),
        cmocka_unit_test(imix_is_seven_to_four_to_one),
        cmocka_unit_test(ranges_of_addresses_may_have_steps),
        cmocka_unit_test(flow_numbers_split_as_division_does),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    sl_diag_fini(&diag);
    return failed;
}
