// SPDX-License-Identifier: Apache-2.0
// Config to tables: what comes out passes the data plane's own checks and says what the config says, compared with a
// naive reading of it.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../random.h"
#include "fixture.h"
#include "shm/check.h"
#include "table/lpm_read.h"
#include "table/prefix_set.h"
#include "table/route_read.h"

static struct sl_config *load(const char *text)
{
    struct sl_config *config;
    struct sl_diagnostics diag;

    sl_diag_init(&diag);
    if (sl_config_load_text(text, strlen(text), "test.yaml", NULL, &config, &diag)) {
        sl_diag_print(&diag, stdout);
        fail_msg("the test's config is wrong");
    }
    sl_diag_fini(&diag);
    return config;
}

static void fill_header(struct image *image, enum sl_segment_kind kind)
{
    sl_segment_fill((struct sl_segment *)image->bytes, kind, image->size, 1);
}

// ---- ports ------------------------------------------------------------------------------------------------------

static const struct sl_port *port_of(const struct image *image, const struct slots *slots, const char *name)
{
    const struct sl_port_table *table = (const void *)image->bytes;

    return (const struct sl_port *)(image->bytes + table->port_offset) + slots_find(slots, name);
}

static void ports_are_what_the_config_says(void **state)
{
    struct sl_config *config =
        load("sluice: 1\nports:\n"
             "  - {name: lan, device: 'null:', addresses: [10.0.0.1/24], mtu: 1400, mss-clamp: auto}\n"
             "  - {name: wan, device: 'null:', addresses: [198.51.100.1/24, '2001:db8::1/64'], "
             "mac: '02:00:00:00:00:05', twin: false, martians: false, enabled: false, mss-clamp: 1200}\n"
             "neighbors: [{address: 198.51.100.9, port: wan, mac: '02:00:00:00:00:09'}]\n"
             "flow: {capacity: 65536}\n"
             "endpoints: [{name: sink, kind: discard, port: 9, addresses: ['2001:db8::1'], connections: 5, idle: 0},"
             "            {name: probe, kind: echo, port: 7}]\n"
             "tcp: {connections: 1000, congestion: bbr}\n");
    struct slots slots = {0};
    struct image image;
    struct sl_error error;

    assert_int_equal(slots_assign(&slots, config, &error), 0);
    assert_int_equal(compile_port(config, &slots, &image, &error), 0);
    fill_header(&image, SL_SEG_PORT);
    if (sl_table_check(image.bytes, image.size, SL_SEG_PORT, &error))
        fail_msg("%s", error.text);
    const struct sl_port *lan = port_of(&image, &slots, "lan"), *wan = port_of(&image, &slots, "wan");
    assert_int_equal(lan->mtu, 1400);
    assert_int_equal(lan->mss_clamp_v4, 1360);
    assert_int_equal(lan->mss_clamp_v6, 1340);
    assert_int_equal(lan->flags, SL_PORT_TWIN | SL_PORT_MARTIANS);
    assert_int_equal(wan->mss_clamp_v4, 1200);
    assert_int_equal(wan->mss_clamp_v6, 1180);
    assert_int_equal(wan->flags, SL_PORT_ADMIN_DOWN);
    assert_int_equal(wan->mac[5], 5);
    assert_int_equal(wan->addr_count, 2);
    assert_int_equal(wan->addr[1].len, 64);
    const struct sl_port_table *table = (const void *)image.bytes;
    const struct sl_static_neighbor *neighbor = (const void *)(image.bytes + table->neighbor_offset);
    assert_int_equal(table->neighbor_count, 1);
    assert_int_equal(neighbor->port, slots_find(&slots, "wan"));
    assert_int_equal(neighbor->mac[5], 9);
    assert_int_equal(table->settings.flow_capacity, 65536);
    const struct sl_own_endpoint *endpoint = (const void *)(image.bytes + table->endpoint_offset);
    assert_int_equal(table->settings.tcp_connections, 1000);
    assert_int_equal(table->settings.tcp_congestion, SL_TCP_CONGESTION_BBR);
    assert_int_equal(table->endpoint_count, 3); // one address, and any of either family
    assert_string_equal(endpoint[0].name, "sink");
    assert_int_equal(endpoint[0].kind, SL_ENDPOINT_DISCARD);
    assert_int_equal(endpoint[0].address.b[15], 1);
    assert_int_equal(endpoint[0].connections, 5);
    assert_int_equal(endpoint[0].idle_s, 0);
    assert_true(sl_ip_is_v4(&endpoint[1].address) && endpoint[1].address.w[3] == 0);
    assert_true(sl_ip_is_zero(&endpoint[2].address));
    assert_int_equal(endpoint[2].kind, SL_ENDPOINT_ECHO);
    assert_int_equal(endpoint[2].port, 7);
    assert_int_equal(endpoint[2].idle_s, 300);
    image_fini(&image);
    sl_config_free(config);
}

// ---- NAT --------------------------------------------------------------------------------------------------------

static void nat_arrays_are_sorted_as_workers_search_them(void **state)
{
    struct sl_config *config =
        load("sluice: 1\nports:\n"
             "  - {name: lan, device: 'null:', addresses: [10.0.0.1/24]}\n"
             "  - {name: wan, device: 'null:', addresses: [198.51.100.1/24]}\n"
             "nat:\n"
             "  pools:\n"
             "    - {name: high, addresses: [198.51.100.200-198.51.100.203], filtering: address}\n"
             "    - {name: low, addresses: [198.51.100.128/30, 198.51.100.9]}\n"
             "  source:\n"
             "    - {inside: [10.0.0.0/24, 10.1.0.0/16], port: wan, pool: low}\n"
             "    - {inside: [10.0.0.0/8], port: wan, pool: high}\n"
             "  static: [{inside: 10.0.0.50, outside: 198.51.100.60}, {inside: 10.0.0.40, outside: "
             "198.51.100.70}]\n"
             "  forwards:\n"
             "    - {name: b, protocol: udp, outside: '198.51.100.9:53', inside: '10.0.0.11:53'}\n"
             "    - {name: a, protocol: tcp, outside: '198.51.100.9:8000-8009', inside: '10.0.0.11:80'}\n"
             "    - {name: c, protocol: tcp, outside: '198.51.100.9:22', inside: '10.0.0.12:22'}\n");
    struct slots slots = {0};
    struct image image;
    struct sl_error error;

    assert_int_equal(slots_assign(&slots, config, &error), 0);
    assert_int_equal(compile_nat(config, &slots, &image, &error), 0);
    fill_header(&image, SL_SEG_NAT);
    if (sl_table_check(image.bytes, image.size, SL_SEG_NAT, &error)) // the order is part of that check
        fail_msg("%s", error.text);
    const struct sl_nat_table *table = (const void *)image.bytes;
    const struct sl_nat_pool *pool = (const void *)(image.bytes + table->pool_offset);
    const struct sl_nat_source *source = (const void *)(image.bytes + table->source_offset);
    const struct sl_nat_static *inside = (const void *)(image.bytes + table->static_offset);
    const struct sl_nat_static *outside = (const void *)(image.bytes + table->static_outside_offset);
    const struct sl_nat_forward *forward = (const void *)(image.bytes + table->forward_offset);
    const sl_be32 *address = (const void *)(image.bytes + table->address_offset);
    assert_int_equal(table->address_count, 9);
    assert_int_equal(pool[0].count, 4);
    assert_int_equal(pool[0].filtering, SL_NAT_FILTER_ADDRESS);
    assert_int_equal(pool[1].first, 4);
    assert_int_equal(pool[1].count, 5);
    assert_int_equal(ntohl(address[8]), 0xc6336409); // 198.51.100.9, in the order of the pools
    assert_int_equal(table->source_count, 3);
    assert_int_equal(source[2].pool, 0); // the config's order
    assert_int_equal(source[1].inside.len, 16);
    assert_int_equal(ntohl(inside[0].inside) & 0xff, 40);
    assert_int_equal(ntohl(outside[0].outside) & 0xff, 60);
    assert_int_equal(forward[0].outside_first, 22);
    assert_int_equal(forward[1].outside_last, 8009);
    assert_int_equal(forward[2].proto, IPPROTO_UDP);
    image_fini(&image);
    sl_config_free(config);
}

// ---- prefilter --------------------------------------------------------------------------------------------------

static void sets_come_from_lists_and_files_and_rules_keep_their_order(void **state)
{
    char path[] = "/tmp/sluice-set-XXXXXX", text[2048];
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");

    fputs("# bad networks\n203.0.113.0/24\n2001:db8:bad::/48 # one more\n\n", file);
    fclose(file);
    snprintf(text, sizeof(text),
             "sluice: 1\nports: [{name: wan, device: 'null:', addresses: [198.51.100.1/24]}]\n"
             "prefilter:\n"
             "  sets:\n"
             "    - {name: good, prefixes: [203.0.113.7]}\n"
             "    - {name: bad, prefixes: [192.0.2.0/24], files: [%s]}\n"
             "  ports: [{port: wan, rules: [{allow: good}, {deny: bad}], default: deny}]\n",
             path);
    struct sl_config *config = load(text);
    struct slots slots = {0};
    struct image image;
    struct sl_error error;
    assert_int_equal(slots_assign(&slots, config, &error), 0);
    uint64_t hash = compile_prefilter_hash(config, &slots);
    assert_int_equal(compile_prefilter(config, &slots, &image, &error), 0);
    fill_header(&image, SL_SEG_PREFILTER);
    if (sl_table_check(image.bytes, image.size, SL_SEG_PREFILTER, &error))
        fail_msg("%s", error.text);
    const struct sl_prefilter_table *table = (const void *)image.bytes;
    const struct sl_prefilter_set *set = (const void *)(image.bytes + table->set_offset);
    const struct sl_prefilter_port *port = (const void *)(image.bytes + table->port_offset);
    assert_int_equal(port->rule_count, 2);
    assert_int_equal(port->rule[0].action, SL_PREFILTER_ALLOW);
    assert_int_equal(port->rule[1].set, 1);
    assert_int_equal(port->fallback, SL_PREFILTER_DENY);
    assert_int_equal(port->flags, SL_PORT_MARTIANS);
    static const struct {
        const char *address;
        bool good, bad;
    } want[] = {{"203.0.113.7", true, true},  {"203.0.113.8", false, true},
                {"192.0.2.255", false, true}, {"2001:db8:bad::1", false, true},
                {"192.0.3.0", false, false},  {"2001:db8:bae::1", false, false}};
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        struct sl_ip ip;
        sl_ip_parse(want[i].address, &ip);
        assert_int_equal(sl_prefix_set_contains((const void *)(image.bytes + set[0].blob_offset), &ip),
                         want[i].good);
        assert_int_equal(sl_prefix_set_contains((const void *)(image.bytes + set[1].blob_offset), &ip),
                         want[i].bad);
    }
    image_fini(&image);
    // The file's content counts by its times and size: another one is another input.
    file = fopen(path, "a");
    fputs("100.64.0.0/10\n", file);
    fclose(file);
    assert_int_not_equal(compile_prefilter_hash(config, &slots), hash);
    file = fopen(path, "a");
    fputs("not a prefix\n", file);
    fclose(file);
    assert_int_not_equal(compile_prefilter(config, &slots, &image, &error), 0);
    assert_non_null(strstr(error.text, ":6:"));
    unlink(path);
    sl_config_free(config);
}

// ---- routes -----------------------------------------------------------------------------------------------------

static unsigned kind_at(struct fixture *f, const char *address)
{
    return fixture_lookup(f, address) / 256;
}

static void own_addresses_links_broadcasts_and_outside_addresses_have_routes(void **state)
{
    struct fixture f;
    char text[4096];

    fixture_open(&f);
    assert_true(fixture_apply_live(
        &f, fixture_config(
                "nat: {pools: [{name: p, addresses: [198.51.100.100-198.51.100.101]}], "
                "static: [{inside: 10.0.0.7, outside: 203.0.113.7}], "
                "forwards: [{name: w, protocol: tcp, outside: '198.51.100.1:80', inside: '10.0.0.8:80'}]}\n",
                text)));
    assert_int_equal(kind_at(&f, "10.0.0.1"), SL_NEXTHOP_LOCAL);
    assert_int_equal(kind_at(&f, "fd00::1"), SL_NEXTHOP_LOCAL);
    assert_int_equal(kind_at(&f, "10.0.0.77"), SL_NEXTHOP_CONNECTED);
    assert_int_equal(kind_at(&f, "fd00::77"), SL_NEXTHOP_CONNECTED);
    assert_int_equal(kind_at(&f, "10.0.0.0"), SL_NEXTHOP_BROADCAST);
    assert_int_equal(kind_at(&f, "10.0.0.255"), SL_NEXTHOP_BROADCAST);
    assert_int_equal(kind_at(&f, "198.51.100.100"), SL_NEXTHOP_POOL);
    assert_int_equal(kind_at(&f, "203.0.113.7"), SL_NEXTHOP_POOL);
    assert_int_equal(kind_at(&f, "198.51.100.1"),
                     SL_NEXTHOP_LOCAL); // a forward's, but the gateway's own above all
    assert_int_equal(kind_at(&f, "198.51.100.102"), SL_NEXTHOP_CONNECTED);
    assert_int_equal(kind_at(&f, "8.8.8.8"), SL_NEXTHOP_NONE);
    fixture_close(&f);
}

#define ROUTES 2000

struct naive {
    struct sl_prefix prefix;
    uint8_t last; // byte of the gateway's address
};

static struct sl_prefix random_prefix(struct test_random *random)
{
    struct sl_prefix prefix = {.ip = sl_ip_v4(0)};
    unsigned first = 96;

    if (test_random_below(random, 2)) { // few high bits, so that prefixes hold each other
        prefix.len = (uint8_t)(8 + test_random_below(random, 25));
        prefix.ip.b[12] = 100;
        prefix.ip.b[13] = (uint8_t)test_random_below(random, 4);
        prefix.ip.b[14] = (uint8_t)test_random_below(random, 8);
        prefix.ip.b[15] = (uint8_t)test_random_below(random, 256);
    } else {
        memset(&prefix.ip, 0, sizeof(prefix.ip));
        prefix.len = (uint8_t)(16 + test_random_below(random, 113));
        prefix.ip.b[0] = 0x24;
        for (unsigned i = 2; i < 16; i++)
            prefix.ip.b[i] = (uint8_t)test_random_below(random, 3);
        first = 0;
    }
    for (unsigned bit = first + prefix.len; bit < 128; bit++)
        prefix.ip.b[bit / 8] &= (uint8_t) ~(0x80u >> (bit % 8));
    return prefix;
}

static unsigned naive_lookup(const struct naive *naive, size_t count, const struct sl_ip *ip)
{
    const struct naive *best = NULL;

    for (size_t i = 0; i < count; i++) // of two equal prefixes the later line counts
        if (sl_prefix_contains(&naive[i].prefix, ip) && (!best || naive[i].prefix.len >= best->prefix.len))
            best = &naive[i];
    return best ? SL_NEXTHOP_GATEWAY * 256u + best->last : SL_NEXTHOP_NONE;
}

static size_t write_routes(const char *path, struct test_random *random, struct naive *naive)
{
    FILE *file = fopen(path, "w");
    char text[SL_PREFIX_TEXT];
    size_t count = 0;

    while (count < ROUTES) {
        struct sl_prefix prefix = random_prefix(random);
        bool twice = false; // lines of one prefix are ways of one route, or an error: not what is tested here
        for (size_t i = 0; i < count && !twice; i++)
            twice = sl_prefix_compare(&naive[i].prefix, &prefix) == 0;
        if (twice)
            continue;
        uint8_t last = (uint8_t)(21 + test_random_below(random, 3));
        fprintf(file, sl_ip_is_v4(&prefix.ip) ? "%s via 198.51.100.%u\n" : "%s via 2001:db8:100::%x\n",
                sl_prefix_format(&prefix, text), last);
        naive[count++] = (struct naive){prefix, last};
    }
    fclose(file);
    return count;
}

static unsigned table_lookup(const struct sl_route_table *table, const struct sl_ip *ip)
{
    const struct sl_lpm *lpm = (const void *)((const char *)table + table->lpm_offset);
    bool v4 = sl_ip_is_v4(ip);
    uint32_t leaf = sl_lpm_lookup(lpm, v4 ? &lpm->v4 : &lpm->v6, v4 ? &ip->b[12] : ip->b);
    const struct sl_nexthop *hop = sl_route_nexthop(table, leaf, 0);

    return hop->kind * 256u + (hop->kind == SL_NEXTHOP_GATEWAY ? hop->gateway.b[15] : 0);
}

static void compare_lookups(struct fixture *f, struct test_random *random, const struct naive *naive,
                            size_t count)
{
    const struct sl_route_table *table = f->applier.live.map.base;

    for (unsigned i = 0; i < 20000; i++) {
        struct sl_ip ip = naive[test_random_below(random, (uint32_t)count)].prefix.ip;
        ip.b[15] ^= (uint8_t)test_random_below(random, 4);
        ip.b[14] ^= (uint8_t)test_random_below(random, 2);
        assert_int_equal(table_lookup(table, &ip), naive_lookup(naive, count, &ip));
    }
}

static void lookups_agree_with_a_linear_search_when_built_and_when_changed_in_place(void **state)
{
    static struct naive naive[ROUTES + 64];
    struct test_random random = test_random_start("compile routes");
    char path[128], more[512], text[4096];
    struct fixture f;

    fixture_open(&f);
    snprintf(path, sizeof(path), "%s/routes", f.dir);
    size_t count = write_routes(path, &random, naive);
    snprintf(more, sizeof(more), "route-files: [%s]\n", path);
    assert_true(fixture_apply_live(&f, fixture_config(more, text)));
    compare_lookups(&f, &random, naive, count);
    // Some of them again, first with another gateway in the config, which wins over files; then without.
    char list[3000] = "routes: [";
    struct naive changed[ROUTES + 64];
    memcpy(changed, naive, sizeof(changed));
    for (unsigned i = 0; i < 40; i++) {
        char one[SL_PREFIX_TEXT];
        size_t at = test_random_below(&random, (uint32_t)count);
        if (!sl_ip_is_v4(&naive[at].prefix.ip) || changed[at].last == 99)
            continue;
        changed[at].last = 99;
        sprintf(list + strlen(list), "{prefix: %s, via: [{address: 198.51.100.99}]}, ",
                sl_prefix_format(&naive[at].prefix, one));
    }
    strcat(list, "]\n");
    strcat(list, more);
    assert_true(fixture_apply_live(&f, fixture_config(list, text)));
    assert_true(f.outcome.in_place);
    compare_lookups(&f, &random, changed, count);
    assert_true(fixture_apply_live(&f, fixture_config(more, text)));
    assert_true(f.outcome.in_place);
    compare_lookups(&f, &random, naive, count);
    fixture_close(&f);
}

static void a_changed_route_file_is_read_again_and_only_its_changes_are_made(void **state)
{
    char path[128], more[512], text[4096];
    struct fixture f;

    fixture_open(&f);
    snprintf(path, sizeof(path), "%s/routes", f.dir);
    snprintf(more, sizeof(more), "route-files: [%s]\n", path);
    FILE *file = fopen(path, "w");
    fputs("203.0.113.0/24 via 198.51.100.21\n192.0.2.0/24 via 198.51.100.21\n", file);
    fclose(file);
    assert_true(fixture_apply_live(&f, fixture_config(more, text)));
    file = fopen(path, "w");
    fputs("203.0.113.0/24 via 198.51.100.21\n192.0.2.0/24 via 198.51.100.22\n100.64.0.0/10 blackhole\n",
          file);
    fclose(file);
    assert_true(fixture_apply_live(&f, text)); // the same config: the file is what changed
    assert_true(f.outcome.changed);
    assert_true(f.outcome.in_place);
    assert_int_equal(f.outcome.routes_added, 1);
    assert_int_equal(f.outcome.routes_removed, 0);
    assert_int_equal(fixture_lookup(&f, "192.0.2.1"), SL_NEXTHOP_GATEWAY * 256 + 22);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_are_what_the_config_says),
        cmocka_unit_test(nat_arrays_are_sorted_as_workers_search_them),
        cmocka_unit_test(sets_come_from_lists_and_files_and_rules_keep_their_order),
        cmocka_unit_test(own_addresses_links_broadcasts_and_outside_addresses_have_routes),
        cmocka_unit_test(lookups_agree_with_a_linear_search_when_built_and_when_changed_in_place),
        cmocka_unit_test(a_changed_route_file_is_read_again_and_only_its_changes_are_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
