// SPDX-License-Identifier: Apache-2.0
// Table checks: each lie is refused and named; what is accepted is safe to walk, whatever was damaged. The images have
// exactly their size on the heap, so that under AddressSanitizer one byte too far is a failure.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "shm/check.h"
#include "table/lpm.h"

static uint64_t image_size;
static void *image;

static void *fresh(enum sl_segment_kind kind)
{
    free(image);
    image = fixture_image(kind, 1, &image_size);
    return image;
}

static void *at(uint64_t offset)
{
    return (uint8_t *)image + offset;
}

static void refused(enum sl_segment_kind kind, const char *part)
{
    struct sl_error error = {0};
    char table[32];

    assert_int_equal(sl_table_check(image, image_size, kind, &error), -EBADMSG);
    snprintf(table, sizeof(table), "%s table, byte ", sl_segment_kind_name(kind));
    if (strncmp(error.text, table, strlen(table)) != 0 || !strstr(error.text, part))
        fail_msg("\"%s\" and \"%s\" are not in \"%s\"", table, part, error.text);
}

static void tables_that_are_right_pass(void **state)
{
    for (unsigned i = 0; i < FIXTURE_KINDS; i++) {
        struct sl_error error = {0};
        fresh(fixture_kind[i]);
        if (sl_table_check(image, image_size, fixture_kind[i], &error) != 0)
            fail_msg("%s", error.text);
        assert_int_not_equal(fixture_walk(image, fixture_kind[i]), 0);
    }
    assert_int_equal(sl_table_check(image, image_size, SL_SEG_FLOW, NULL), -EBADMSG);
}

static void tables_cut_short_are_refused(void **state)
{
    for (unsigned i = 0; i < FIXTURE_KINDS; i++) {
        fresh(fixture_kind[i]);
        for (uint64_t size = 0; size < image_size; size += size < 512 ? 1 : 61) {
            void *cut = NULL; // of exactly this size
            assert_int_equal(posix_memalign(&cut, 64, size ? size : 1), 0);
            memcpy(cut, image, size);
            int code = sl_table_check(cut, size, fixture_kind[i], NULL);
            free(cut);
            if (code == 0)
                fail_msg("%s table of %lu bytes cut to %lu passes", sl_segment_kind_name(fixture_kind[i]),
                         image_size, size);
        }
    }
}

// ---- port ---------------------------------------------------------------------------------------------------

static struct sl_port_table *port_fresh(struct sl_port **port, struct sl_static_neighbor **neighbor)
{
    struct sl_port_table *table = fresh(SL_SEG_PORT);
    *port = at(table->port_offset);
    *neighbor = at(table->neighbor_offset);
    return table;
}

static void lies_of_a_port_table_are_refused(void **state)
{
    struct sl_port *port;
    struct sl_static_neighbor *neighbor;

    port_fresh(&port, &neighbor)->port_count = SL_MAX_PORTS + 1;
    refused(SL_SEG_PORT, "65 port slots, 64 are the most");
    port_fresh(&port, &neighbor)->port_count = SL_MAX_PORTS;
    refused(SL_SEG_PORT, "overrun");
    port_fresh(&port, &neighbor)->port_offset = 8;
    refused(SL_SEG_PORT, "ports are said to start at byte 8");
    port_fresh(&port, &neighbor)->port_offset += 2;
    refused(SL_SEG_PORT, "not a multiple");
    port_fresh(&port, &neighbor)->neighbor_offset = UINT64_MAX - 3;
    refused(SL_SEG_PORT, "static neighbors are said to start");
    port_fresh(&port, &neighbor)->neighbor_count = UINT32_MAX;
    refused(SL_SEG_PORT, "overrun");
    port_fresh(&port, &neighbor);
    memset(port[0].name, 'x', sizeof(port[0].name));
    refused(SL_SEG_PORT, "does not end within 16");
    port_fresh(&port, &neighbor);
    port[0].device[2] = '\n';
    refused(SL_SEG_PORT, "cannot be printed");
    port_fresh(&port, &neighbor);
    port[0].addr_count = SL_MAX_PORT_ADDRS + 1;
    refused(SL_SEG_PORT, "17 addresses");
    port_fresh(&port, &neighbor);
    port[0].addr[0].len = 33;
    refused(SL_SEG_PORT, "prefix length 33, 32 is the most");
    port_fresh(&port, &neighbor);
    port[0].mtu = 67;
    refused(SL_SEG_PORT, "MTU of 67");
    port_fresh(&port, &neighbor);
    strcpy(port[2].name, port[0].name);
    refused(SL_SEG_PORT, "slots 0 and 2 are both named lan0");
    port_fresh(&port, &neighbor);
    neighbor[1].port = 3;
    refused(SL_SEG_PORT, "port slot 3, there are 3");
}

// Slots of ports are as long as many endpoints, so one lies where the first slot is.
static struct sl_own_endpoint *endpoint_fresh(void)
{
    struct sl_port *port;
    struct sl_static_neighbor *neighbor;
    struct sl_port_table *table = port_fresh(&port, &neighbor);
    struct sl_own_endpoint *endpoint = at(table->port_offset);

    table->endpoint_offset = table->port_offset;
    table->endpoint_count = 1;
    table->port_count = table->neighbor_count = 0;
    *endpoint = (struct sl_own_endpoint){.name = "e", .port = 7, .kind = SL_ENDPOINT_ECHO};
    return endpoint;
}

static void lies_about_endpoints_are_refused(void **state)
{
    struct sl_port *port;
    struct sl_static_neighbor *neighbor;

    port_fresh(&port, &neighbor)->endpoint_count = SL_MAX_ENDPOINTS + 1;
    refused(SL_SEG_PORT, "129 endpoints, 128 are the most");
    port_fresh(&port, &neighbor)->endpoint_offset = 8;
    refused(SL_SEG_PORT, "endpoints are said to start at byte 8");
    endpoint_fresh()->kind = SL_ENDPOINT_NONE;
    refused(SL_SEG_PORT, "endpoint e has kind 0, which is none");
    endpoint_fresh()->kind = SL_ENDPOINT_KINDS;
    refused(SL_SEG_PORT, "endpoint e has kind 4, which is none");
    endpoint_fresh()->port = 0;
    refused(SL_SEG_PORT, "endpoint e has port 0");
    endpoint_fresh()->name[0] = '\n';
    refused(SL_SEG_PORT, "cannot be printed");
}

// ---- route --------------------------------------------------------------------------------------------------

static struct sl_route_table *route_fresh(struct sl_nexthop **nexthop, uint32_t **slot)
{
    struct sl_route_table *table = fresh(SL_SEG_ROUTE);
    *nexthop = at(table->nexthop_offset);
    *slot = at(table->group_offset);
    return table;
}

static void lies_of_a_route_table_are_refused(void **state)
{
    struct sl_nexthop *nexthop;
    uint32_t *slot;

    route_fresh(&nexthop, &slot)->nexthop_capacity = 0;
    refused(SL_SEG_ROUTE, "room for 0 next hops");
    route_fresh(&nexthop, &slot)->nexthop_capacity = 1u << 31;
    refused(SL_SEG_ROUTE, "overrun");
    route_fresh(&nexthop, &slot)->group_capacity = UINT32_MAX;
    refused(SL_SEG_ROUTE, "overrun");
    route_fresh(&nexthop, &slot)->nexthop_offset = image_size + 64;
    refused(SL_SEG_ROUTE, "next hops are said to start");
    route_fresh(&nexthop, &slot)->lpm_offset += 8;
    refused(SL_SEG_ROUTE, "not a multiple of 64");
    route_fresh(&nexthop, &slot)->lpm_size += 1;
    refused(SL_SEG_ROUTE, "overrun");
    route_fresh(&nexthop, &slot)->lpm_size = 64;
    refused(SL_SEG_ROUTE, "trie");
    route_fresh(&nexthop, &slot);
    nexthop[0].kind = SL_NEXTHOP_CONNECTED;
    refused(SL_SEG_ROUTE, "next hop 0 must mean");
    route_fresh(&nexthop, &slot);
    nexthop[1].kind = SL_NEXTHOP_KINDS;
    refused(SL_SEG_ROUTE, "which is none");
    route_fresh(&nexthop, &slot);
    nexthop[1].port = SL_MAX_PORTS;
    refused(SL_SEG_ROUTE, "port slot 64");
    route_fresh(&nexthop, &slot);
    nexthop[4].group_count = 0;
    refused(SL_SEG_ROUTE, "a group of no next hops");
    route_fresh(&nexthop, &slot);
    nexthop[4].group_first = 1;
    refused(SL_SEG_ROUTE, "slots 1..4 are beyond the 4");
    route_fresh(&nexthop, &slot);
    nexthop[4].group_first = UINT32_MAX;
    refused(SL_SEG_ROUTE, "beyond the 4");
    route_fresh(&nexthop, &slot);
    slot[3] = 8;
    refused(SL_SEG_ROUTE, "names next hop 8 of 8");
    route_fresh(&nexthop, &slot);
    slot[3] = 4;
    refused(SL_SEG_ROUTE, "a group again");
    // A leaf beyond the next hops: fewer of them than the trie was built for.
    struct sl_route_table *table = route_fresh(&nexthop, &slot);
    table->nexthop_capacity = 3;
    nexthop[4] = (struct sl_nexthop){0};
    refused(SL_SEG_ROUTE, "trie points outside itself or at a next hop that is none");
}

// ---- NAT ----------------------------------------------------------------------------------------------------

static struct sl_nat_table *nat_fresh(void)
{
    return fresh(SL_SEG_NAT);
}

static void lies_of_a_nat_table_about_its_arrays_are_refused(void **state)
{
    nat_fresh()->address_count = 70000;
    refused(SL_SEG_NAT, "70000 pool addresses");
    nat_fresh()->pool_count = UINT32_MAX;
    refused(SL_SEG_NAT, "overrun");
    nat_fresh()->static_outside_offset = 1;
    refused(SL_SEG_NAT, "by outside address are said to start at byte 1");
    nat_fresh()->forward_offset += 1;
    refused(SL_SEG_NAT, "forwards start");
    nat_fresh()->timeouts.tcp_established = 3000000;
    refused(SL_SEG_NAT, "timeout of 3000000 s");
}

static void lies_of_a_nat_table_about_pools_are_refused(void **state)
{
    struct sl_nat_table *table = nat_fresh();
    struct sl_nat_pool *pool = at(table->pool_offset);
    pool[1].first = 3;
    refused(SL_SEG_NAT, "pool pool1 has 2 addresses from 3 on, there are 4");
    pool = at((table = nat_fresh())->pool_offset);
    pool[0].count = 0;
    refused(SL_SEG_NAT, "has 0 addresses");
    pool = at((table = nat_fresh())->pool_offset);
    pool[0].filtering = 3;
    refused(SL_SEG_NAT, "filtering 3");
    pool = at((table = nat_fresh())->pool_offset);
    memset(pool[0].name, 'p', SL_NAT_NAME);
    refused(SL_SEG_NAT, "a pool's name does not end");
    sl_be32 *address = at((table = nat_fresh())->address_offset);
    address[1] = htonl(1);
    refused(SL_SEG_NAT, "which is another");
    uint32_t *sorted = at((table = nat_fresh())->address_sorted_offset);
    sorted[1] = 4;
    refused(SL_SEG_NAT, "names pool address 4");
    sorted = at((table = nat_fresh())->address_sorted_offset);
    uint64_t first = *(uint64_t *)sorted;
    memcpy(sorted, sorted + 2, 8);
    memcpy(sorted + 2, &first, 8);
    refused(SL_SEG_NAT, "pool addresses are not sorted");
}

static void lies_of_a_nat_table_about_rules_are_refused(void **state)
{
    struct sl_nat_table *table = nat_fresh();
    struct sl_nat_source *source = at(table->source_offset);
    source[1].pool = 2;
    refused(SL_SEG_NAT, "names pool 2 of 2");
    source = at(nat_fresh()->source_offset);
    source[1].port = SL_MAX_PORTS;
    refused(SL_SEG_NAT, "port slot 64");
    source = at(nat_fresh()->source_offset);
    source[0].inside.len = 33;
    refused(SL_SEG_NAT, "length 33");
    source = at(nat_fresh()->source_offset);
    source[0].inside.len = 14;
    refused(SL_SEG_NAT, "bits set beyond its length 14");
    struct sl_nat_static *entry = at(nat_fresh()->static_offset);
    entry[1].inside = entry[0].inside;
    refused(SL_SEG_NAT, "not sorted by inside address");
    entry = at(nat_fresh()->static_outside_offset);
    entry[2].outside = htonl(1);
    refused(SL_SEG_NAT, "not sorted by outside address");
}

static void lies_of_a_nat_table_about_forwards_are_refused(void **state)
{
    struct sl_nat_forward *forward = at(nat_fresh()->forward_offset);
    forward[0].proto = IPPROTO_ICMP;
    refused(SL_SEG_NAT, "neither TCP nor UDP");
    forward = at(nat_fresh()->forward_offset);
    forward[0].outside_last = 79;
    refused(SL_SEG_NAT, "from ports 80-79");
    forward = at(nat_fresh()->forward_offset);
    forward[0].inside_first = 65530;
    refused(SL_SEG_NAT, "to 65530 on");
    forward = at(nat_fresh()->forward_offset);
    forward[0].outside_last = 180;
    refused(SL_SEG_NAT, "a port in common");
    forward = at(nat_fresh()->forward_offset);
    forward[1].outside = htonl(1);
    refused(SL_SEG_NAT, "not sorted");
}

// ---- prefilter ----------------------------------------------------------------------------------------------

static struct sl_prefilter_table *prefilter_fresh(struct sl_prefilter_set **set,
                                                  struct sl_prefilter_port **port)
{
    struct sl_prefilter_table *table = fresh(SL_SEG_PREFILTER);
    *set = at(table->set_offset);
    *port = at(table->port_offset);
    return table;
}

static void lies_of_a_prefilter_table_are_refused(void **state)
{
    struct sl_prefilter_set *set;
    struct sl_prefilter_port *port;

    prefilter_fresh(&set, &port)->set_count = SL_PREFILTER_SETS + 1;
    refused(SL_SEG_PREFILTER, "257 sets");
    prefilter_fresh(&set, &port)->port_count = SL_MAX_PORTS + 1;
    refused(SL_SEG_PREFILTER, "65 port slots");
    prefilter_fresh(&set, &port)->port_offset = image_size;
    refused(SL_SEG_PREFILTER, "overrun");
    prefilter_fresh(&set, &port);
    set[1].blob_offset += 1;
    refused(SL_SEG_PREFILTER, "not a multiple of 64");
    prefilter_fresh(&set, &port);
    set[1].blob_size += 64;
    refused(SL_SEG_PREFILTER, "overrun");
    prefilter_fresh(&set, &port);
    set[0].blob_size -= 1;
    refused(SL_SEG_PREFILTER, "not a multiple of 64");
    prefilter_fresh(&set, &port);
    set[0].blob_size = 0;
    refused(SL_SEG_PREFILTER, "the trie of set set0");
    prefilter_fresh(&set, &port);
    ((struct sl_lpm *)at(set[1].blob_offset))->v6.root_block = UINT32_MAX;
    refused(SL_SEG_PREFILTER, "the trie of set set1 points outside itself");
    prefilter_fresh(&set, &port);
    memset(set[0].name, 's', sizeof(set[0].name));
    refused(SL_SEG_PREFILTER, "a set's name does not end");
    prefilter_fresh(&set, &port);
    port[0].rule_count = SL_PREFILTER_RULES + 1;
    refused(SL_SEG_PREFILTER, "17 rules");
    prefilter_fresh(&set, &port);
    port[0].rule[1].set = 2;
    refused(SL_SEG_PREFILTER, "rule 1 names set 2 of 2");
    prefilter_fresh(&set, &port);
    port[0].rule[1].action = 2;
    refused(SL_SEG_PREFILTER, "rule 1 has action 2");
    prefilter_fresh(&set, &port);
    port[0].rule[1].counter = SL_PREFILTER_RULES;
    refused(SL_SEG_PREFILTER, "hit counter 16");
    prefilter_fresh(&set, &port);
    port[2].fallback = 2;
    refused(SL_SEG_PREFILTER, "action 2");
}

// ---- at random ----------------------------------------------------------------------------------------------

// Values that hurt: borders, near borders, random.
static uint64_t nasty(uint64_t *random)
{
    static const uint64_t value[] = {0,          1,          2,          63,         64,       65,
                                     0x7fffffff, 0x80000000, UINT32_MAX, UINT64_MAX, INT64_MAX};
    uint64_t pick = fixture_random(random) % 16;

    if (pick < 11)
        return value[pick];
    return pick < 13 ? image_size - fixture_random(random) % 130
                     : fixture_random(random) >> (fixture_random(random) % 64);
}

static void damage(uint64_t *random)
{
    static const uint8_t width[] = {1, 2, 4, 8};
    uint64_t times = 1 + fixture_random(random) % 4;

    for (uint64_t i = 0; i < times; i++) {
        uint64_t bytes = width[fixture_random(random) % 4], value = nasty(random);
        // The fixed part and the arrays behind it are few bytes of many: hit them half of the time.
        uint64_t room = fixture_random(random) % 2 ? image_size : image_size < 1024 ? image_size : 1024;
        uint64_t offset =
            sizeof(struct sl_segment) + fixture_random(random) % (room - sizeof(struct sl_segment) - 8);
        memcpy(at(offset / bytes * bytes), &value, bytes);
    }
}

static void damaged_tables_are_refused_or_harmless(void **state)
{
    uint64_t random = 20240601;
    unsigned passed = 0, rounds = 4000;

    print_message("seed %lu\n", random);
    for (unsigned round = 0; round < rounds; round++) {
        enum sl_segment_kind kind = fixture_kind[round % FIXTURE_KINDS];
        struct sl_error error = {0};
        fresh(kind);
        damage(&random);
        int code = sl_table_check(image, image_size, kind, &error);
        if (code != 0) {
            assert_int_equal(code, -EBADMSG);
            assert_true(strlen(error.text) > 10);
            continue;
        }
        passed++;
        fixture_walk(image, kind);
    }
    assert_true(passed > rounds / 50 &&
                passed < rounds); // damage that is noticed, and damage that does not matter
}

static int teardown(void **state)
{
    free(image);
    image = NULL;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_that_are_right_pass),
        cmocka_unit_test(tables_cut_short_are_refused),
        cmocka_unit_test(lies_of_a_port_table_are_refused),
        cmocka_unit_test(lies_about_endpoints_are_refused),
        cmocka_unit_test(lies_of_a_route_table_are_refused),
        cmocka_unit_test(lies_of_a_nat_table_about_its_arrays_are_refused),
        cmocka_unit_test(lies_of_a_nat_table_about_pools_are_refused),
        cmocka_unit_test(lies_of_a_nat_table_about_rules_are_refused),
        cmocka_unit_test(lies_of_a_nat_table_about_forwards_are_refused),
        cmocka_unit_test(lies_of_a_prefilter_table_are_refused),
        cmocka_unit_test(damaged_tables_are_refused_or_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
