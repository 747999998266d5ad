// SPDX-License-Identifier: Apache-2.0
// Printing and loading are inverse: a printed model loads to an equal one and prints the same again. On the example
// config, and on configs made at random; the seed is fixed, argv[1] takes another.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "config/load.h"
#include "config/print.h"

static unsigned seed = 1;

static struct sl_config *load(const char *text)
{
    struct sl_diagnostics diag;
    struct sl_config *config;

    sl_diag_init(&diag);
    if (sl_config_load_text(text, strlen(text), "text", NULL, &config, &diag) != 0) {
        print_error("%s", text);
        sl_diag_print(&diag, stderr);
        fail();
    }
    sl_diag_fini(&diag);
    return config;
}

static void assert_round_trip(const struct sl_config *config, bool all)
{
    char *text = sl_config_print(config, all, NULL);
    assert_non_null(text);
    struct sl_config *again = load(text);
    char *text_again = sl_config_print(again, all, NULL);

    assert_true(sl_config_equal(config, again));
    assert_string_equal(text, text_again);
    sl_config_free(again);
    free(text);
    free(text_again);
}

static void the_examples_survive_printing(void **state)
{
    static const char *const examples[] = {EXAMPLE, BALANCE};

    for (unsigned i = 0; i < 2; i++) {
        struct sl_diagnostics diag;
        struct sl_config *config;

        sl_diag_init(&diag);
        assert_int_equal(sl_config_load(examples[i], &config, &diag), 0);
        assert_int_equal(diag.errors + diag.warnings, 0);
        assert_round_trip(config, false);
        assert_round_trip(config, true);
        sl_config_free(config);
        sl_diag_fini(&diag);
    }
}

static void what_is_left_out_has_its_default(void **state)
{
    struct sl_config *config = load("sluice: 1\nports: [{name: a, device: 'null:'}]\n");

    assert_int_equal(config->ports[0].mtu, 1500);
    assert_true(config->ports[0].twin && config->ports[0].martians && config->ports[0].enabled);
    assert_int_equal(config->ports[0].mss_clamp, SL_CONFIG_MSS_NONE);
    assert_int_equal(config->neighbor_capacity, 4096);
    assert_int_equal(config->flow.capacity, 1048576);
    assert_int_equal(config->nat.timeouts.tcp_established, 7440);
    assert_int_equal(config->icmp.error_burst, 100);
    sl_config_free(config);
}

static void a_zero_that_is_written_is_not_a_default(void **state)
{
    struct sl_config *config =
        load("sluice: 1\nicmp: {error-rate: 0}\nports: [{name: a, device: 'null:', twin: false}]\n");

    assert_int_equal(config->icmp.error_rate, 0);
    assert_false(config->ports[0].twin);
    assert_round_trip(config, false);
    sl_config_free(config);
}

static void json_is_a_config_too(void **state)
{
    struct sl_diagnostics diag;
    struct sl_config *config;

    sl_diag_init(&diag);
    assert_int_equal(sl_config_load(EXAMPLE, &config, &diag), 0);
    json_t *json = sl_config_json(config);
    char *text = json_dumps(json, JSON_INDENT(2));
    struct sl_config *again = load(text);

    assert_true(sl_config_equal(config, again));
    free(text);
    json_decref(json);
    sl_config_free(again);
    sl_config_free(config);
    sl_diag_fini(&diag);
}

// Names that YAML readers take for something else, or that need quotes.
static void odd_file_names_survive(void **state)
{
    static const char *const names[] = {
        "a b",  "it's",   "say \"x\"", "#hash",      "back\\slash", "tab\there", "0x10",   "on",  "1.5",
        "müll", "[list]", "{map}",     "key: value", "-",           "&anchor",   "*alias", "!tag"};
    char folder[] = "/tmp/sluice-config-XXXXXX", text[8192], path[256];
    size_t used = (size_t)snprintf(text, sizeof(text), "{\"sluice\": 1, \"route-files\": [");

    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        fclose(fopen(path, "w"));
        json_t *name = json_string(path);
        char *quoted = json_dumps(name, JSON_ENCODE_ANY);

        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i ? ", " : "", quoted);
        free(quoted);
        json_decref(name);
    }
    snprintf(text + used, sizeof(text) - used, "]}");
    struct sl_config *config = load(text);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        assert_string_equal(config->route_files[i], path);
    }
    assert_round_trip(config, false);
    for (unsigned i = 0; i < config->route_files_count; i++)
        unlink(config->route_files[i]);
    rmdir(folder);
    sl_config_free(config);
}

static void relative_files_count_from_the_configs_folder(void **state)
{
    static const char text[] = "sluice: 1\nroute-files: [r.txt]\n";
    char folder[] = "/tmp/sluice-config-XXXXXX", path[256];
    struct sl_diagnostics diag;
    struct sl_config *config;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/r.txt", folder);
    fclose(fopen(path, "w"));
    sl_diag_init(&diag);
    assert_int_equal(sl_config_load_text(text, strlen(text), "c", folder, &config, &diag), 0);
    assert_string_equal(config->route_files[0], path);
    unlink(path);
    rmdir(folder);
    sl_config_free(config);
    sl_diag_fini(&diag);
}

static unsigned below(unsigned most)
{
    return (unsigned)rand_r(&seed) % most;
}

struct text {
    char bytes[65536];
    size_t length;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    text->length +=
        (size_t)vsnprintf(text->bytes + text->length, sizeof(text->bytes) - text->length, format, arguments);
    va_end(arguments);
    assert_true(text->length < sizeof(text->bytes));
}

static void random_ports(struct text *text, unsigned ports)
{
    static const char *const devices[] = {"af_xdp:if%u", "tap:if%u", "pci:0000:%02x:00.0", "af_packet:if%u",
                                          "memif:/run/%u"};
    static const char *const clamps[] = {"auto", "none", "1460", "1220"};

    add(text, "ports:\n");
    for (unsigned i = 0; i < ports; i++) {
        char device[64];

        snprintf(device, sizeof(device), devices[below(5)], i + 1);

        add(text, "- {name: p%u, device: \"%s\", addresses: [10.%u.0.1/16", i, device, i);
        if (below(2))
            add(text, ", \"fd00:%x::1/64\"", i);
        add(text, "], mtu: %u, queues: %u", 1280 + below(7000), below(8));
        if (below(2))
            add(text, ", mac: \"02:00:00:00:%02x:%02x\"", below(256), below(256));
        if (below(2))
            add(text, ", twin: %s, martians: %s", below(2) ? "true" : "false", below(2) ? "true" : "false");
        if (below(2))
            add(text, ", mss-clamp: %s", clamps[below(4)]);
        add(text, "}\n");
    }
}

static void random_routes(struct text *text, unsigned ports)
{
    unsigned routes = below(40);

    add(text, "routes:%s\n", routes ? "" : " []");
    for (unsigned i = 0; i < routes; i++) {
        add(text, "- {prefix: 172.%u.%u.0/24, ", 16 + i / 8, i);
        if (below(4) == 0) {
            add(text, "kind: %s}\n", below(2) ? "blackhole" : "reject");
            continue;
        }
        add(text, "via: [");
        for (unsigned j = 0, ways = 1 + below(4); j < ways; j++) {
            unsigned port = below(ports);

            add(text, "%s{address: 10.%u.1.%u", j ? ", " : "", port, j + 1);
            if (below(2))
                add(text, ", port: p%u", port);
            if (below(2))
                add(text, ", weight: %u", 1 + below(256));
            add(text, "}");
        }
        add(text, "]}\n");
    }
}

static void random_nat(struct text *text, unsigned ports)
{
    static const char *const filterings[] = {"endpoint-independent", "address", "address-port"};
    unsigned pools = 1 + below(5), forwards = below(20);

    add(text, "nat:\n  pools:\n");
    for (unsigned i = 0; i < pools; i++)
        add(text,
            "  - {name: \"%u\", addresses: [198.51.%u.10-198.51.%u.%u, 198.51.%u.128/%u], filtering: %s}\n",
            i, i, i, 10 + below(100), i, 25 + below(8), filterings[below(3)]);
    add(text, "  source:\n");
    for (unsigned i = 0; i < pools; i++)
        add(text, "  - {inside: [10.%u.%u.0/24], port: p%u, pool: \"%u\"}\n", below(ports), i, below(ports),
            i);
    if (below(2))
        add(text, "  static:\n  - {inside: 10.0.7.7, outside: 203.0.113.%u}\n", below(256));
    add(text, "  forwards:%s\n", forwards ? "" : " []");
    for (unsigned i = 0; i < forwards; i++)
        add(text, "  - {name: f%u, protocol: %s, outside: \"198.51.0.10:%u-%u\", inside: \"10.0.0.%u:%u\"}\n",
            i, below(2) ? "tcp" : "udp", 1000 + 100 * i, 1000 + 100 * i + below(100), 2 + i,
            1 + below(60000));
    add(text, "  timeouts: {udp: %u, other: %u}\n", 120 + below(1000), 1 + below(1000));
}

static void random_prefilter(struct text *text, unsigned ports)
{
    unsigned sets = 1 + below(4);

    add(text, "prefilter:\n  sets:\n");
    for (unsigned i = 0; i < sets; i++)
        add(text, "  - {name: s%u, prefixes: [%u.0.0.0/8, \"2001:db8:%x::/48\"]}\n", i, 1 + below(100),
            below(65536));
    add(text, "  ports:\n");
    for (unsigned i = 0; i < ports; i++)
        add(text, "  - {port: p%u, rules: [{deny: s%u}, {allow: s%u}], default: %s}\n", i, below(sets),
            below(sets), below(2) ? "allow" : "deny");
}

static void random_health(struct text *text)
{
    static const char *const checks[] = {
        "type: none",
        "type: tcp, port: 81, orderly-close: true",
        "type: http, path: /a, status: [200, 301-399], header: X, header-text: \"y: z\"",
        "type: https, host: h, sni: s, verify: true, body: \"#b\", method: HEAD",
        "type: icmp, rise: 1, fall: 9, timeout: 20, jitter: 0, optimistic: false",
        "type: udp, port: 53, send: '\\x00\\\\', expect: \"\\\\xff\", silence-is-good: true",
        "type: script, script: /bin/true, arguments: [\"{address}\", \"-x\"]"};

    add(text, ", health: {%s", checks[below(7)]);
    if (text->bytes[text->length - 1] != 'e' && below(2))
        add(text, ", interval: %u, passive: {failures: %u}, damping: {half-life: %u}", 20 + below(5000),
            below(9), below(9));
    add(text, "}");
}

static void random_balance(struct text *text)
{
    static const char *const methods[] = {"maglev", "round-robin", "least-connections", "source-hash",
                                          "two-choices"};
    static const char *const protocols[] = {"tcp", "udp", "sctp"};
    unsigned pools = 1 + below(5);

    add(text, "pools:\n");
    for (unsigned i = 0; i < pools; i++) {
        add(text, "- {name: web%u, balance: %s, slow-start: %u, members: [", i, methods[below(5)], below(9));
        for (unsigned j = 0, members = 1 + below(9); j < members; j++)
            add(text, "%s{address: 10.9.%u.%u, weight: %u, backup: %s, limit: %u, enabled: %s}",
                j ? ", " : "", i, 1 + j, 1 + below(1000), below(2) ? "true" : "false", below(3),
                below(9) ? "true" : "false");
        add(text, "]");
        if (below(2))
            random_health(text);
        add(text, "}\n");
    }
    add(text, "services:\n");
    for (unsigned i = 0; i < pools; i++)
        add(text,
            "- {name: s%u, addresses: [203.0.112.%u], protocol: %s, ports: \"%u\", pool: web%u, affinity: "
            "%u}\n",
            i, 1 + i, protocols[below(3)], 1 + below(60000), i, below(100));
    add(text, "balance-seed: %u\n", below(9));
}

static void random_models_survive_printing(void **state)
{
    struct text *text = malloc(sizeof(*text));

    print_message("seed %u\n", seed);
    for (unsigned round = 0; round < 200; round++) {
        unsigned ports = 1 + below(8);

        text->length = 0;
        add(text, "sluice: 1\n");
        random_ports(text, ports);
        random_routes(text, ports);
        random_nat(text, ports);
        random_balance(text);
        random_prefilter(text, ports);
        if (below(2))
            add(text, "flow: {capacity: %u}\n", 1024 + below(1000000));
        if (below(2))
            add(text, "neighbor-capacity: %u\n", 64 + below(100000));
        struct sl_config *config = load(text->bytes);
        assert_round_trip(config, round & 1);
        sl_config_free(config);
    }
    free(text);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_survive_printing),
        cmocka_unit_test(what_is_left_out_has_its_default),
        cmocka_unit_test(a_zero_that_is_written_is_not_a_default),
        cmocka_unit_test(json_is_a_config_too),
        cmocka_unit_test(odd_file_names_survive),
        cmocka_unit_test(relative_files_count_from_the_configs_folder),
        cmocka_unit_test(random_models_survive_printing),
    };

    if (argc > 1)
        seed = (unsigned)strtoul(argv[1], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
