// SPDX-License-Identifier: Apache-2.0
// Differences between two configs, as sluicectl config diff shows them.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "config/diff.h"
#include "config/load.h"

static struct sl_config *load(const char *text)
{
    struct sl_diagnostics diag;
    struct sl_config *config;

    sl_diag_init(&diag);
    if (sl_config_load_text(text, strlen(text), "text", NULL, &config, &diag) != 0) {
        sl_diag_print(&diag, stderr);
        fail();
    }
    sl_diag_fini(&diag);
    return config;
}

static void assert_diff(const char *before, const char *after, const char *expected)
{
    struct sl_config *a = before ? load(before) : NULL, *b = after ? load(after) : NULL;
    struct sl_changes changes;
    char *said = NULL;
    size_t length;

    assert_int_equal(sl_config_diff(a, b, &changes), 0);
    FILE *out = open_memstream(&said, &length);
    sl_changes_print(&changes, out);
    fclose(out);
    assert_string_equal(said, expected);
    json_t *json = sl_changes_json(&changes);
    assert_int_equal(json_array_size(json), changes.count);
    json_decref(json);
    free(said);
    sl_changes_fini(&changes);
    sl_config_free(a);
    sl_config_free(b);
}

#define LAN "- {name: lan, device: \"af_xdp:l\", addresses: [10.0.0.1/24]}\n"
#define WAN "- {name: wan, device: \"af_xdp:w\", addresses: [198.51.100.1/24]}\n"

static void the_same_config_differs_in_nothing(void **state)
{
    assert_diff("sluice: 1\nports:\n" LAN WAN,
                "{ports: [\n{device: \"af_xdp:l\", name: lan, addresses: [10.0.0.1/24]},"
                "{name: wan, mtu: 1500, device: \"af_xdp:w\", addresses: [198.51.100.1/24]}], sluice: 1}",
                "");
}

static void an_element_taken_out_of_the_middle_is_one_removal(void **state)
{
    assert_diff("sluice: 1\nports:\n" LAN "- {name: dmz, device: \"af_xdp:d\"}\n" WAN,
                "sluice: 1\nports:\n" LAN WAN, "- ports[dmz]: {name: dmz, device: af_xdp:d}\n");
}

static void the_order_of_ports_means_nothing(void **state)
{
    assert_diff("sluice: 1\nports:\n" LAN WAN, "sluice: 1\nports:\n" WAN LAN, "");
}

static void a_changed_key_names_old_and_new(void **state)
{
    assert_diff("sluice: 1\nports:\n" LAN "flow: {capacity: 2048}\n",
                "sluice: 1\nports:\n- {name: lan, device: \"af_xdp:l\", addresses: [10.0.0.1/24, "
                "fd00::1/64], mtu: 9000,"
                " mss-clamp: auto}\n",
                "+ ports[lan].addresses: fd00::1/64\n"
                "~ ports[lan].mtu: 1500 -> 9000\n"
                "~ ports[lan].mss-clamp: none -> auto\n"
                "~ flow.capacity: 2048 -> 1048576\n");
}

static void routes_are_named_by_prefix_and_ways_by_gateway(void **state)
{
    assert_diff("sluice: 1\nports:\n" WAN "routes: [{prefix: 0.0.0.0/0, via: [{address: 198.51.100.2}]}]\n",
                "sluice: 1\nports:\n" WAN
                "routes: [{prefix: 0.0.0.0/0, via: [{address: 198.51.100.3}, {address: "
                "198.51.100.2, weight: 2}]}]\n",
                "+ routes[0.0.0.0/0].via[198.51.100.3]: {address: 198.51.100.3}\n"
                "~ routes[0.0.0.0/0].via[198.51.100.2].weight: 1 -> 2\n");
}

static void the_order_of_rules_counts(void **state)
{
    static const char before[] =
        "sluice: 1\nports:\n" WAN "prefilter:\n  sets: [{name: a, prefixes: [192.0.2.0/24]}, {name: b,"
        " prefixes: [192.0.0.0/8]}]\n  ports: [{port: wan, rules: [{allow: a}, {deny: b}]}]\n";
    static const char after[] =
        "sluice: 1\nports:\n" WAN "prefilter:\n  sets: [{name: b, prefixes: [192.0.0.0/8]}, {name: a,"
        " prefixes: [192.0.2.0/24]}]\n  ports: [{port: wan, rules: [{deny: b}, {allow: a}]}]\n";

    assert_diff(before, after, "> prefilter.ports[wan].rules: in another order\n");
}

static void against_nothing_all_is_added(void **state)
{
    assert_diff(NULL, "sluice: 1\nports:\n" LAN,
                "+ ports[lan]: {name: lan, device: af_xdp:l, addresses: [10.0.0.1/24]}\n");
    assert_diff("sluice: 1\nports:\n" LAN, NULL,
                "- ports[lan]: {name: lan, device: af_xdp:l, addresses: [10.0.0.1/24]}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_config_differs_in_nothing),
        cmocka_unit_test(an_element_taken_out_of_the_middle_is_one_removal),
        cmocka_unit_test(the_order_of_ports_means_nothing),
        cmocka_unit_test(a_changed_key_names_old_and_new),
        cmocka_unit_test(routes_are_named_by_prefix_and_ways_by_gateway),
        cmocka_unit_test(the_order_of_rules_counts),
        cmocka_unit_test(against_nothing_all_is_added),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
