// SPDX-License-Identifier: Apache-2.0
// Each lie of a balance table is refused and named; and what it and the NAT table say of each other.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "shm/check.h"
#include "table/balance_read.h"

static struct { // a fresh table and its arrays
    struct sl_balance_table *table;
    uint64_t size;
    struct sl_balance_service *service;
    struct sl_balance_pool *pool;
    struct sl_balance_member *member;
    struct sl_balance_address *address;
    struct sl_balance_rule *rule;
    uint32_t *by_service_slot, *by_member_slot;
    uint16_t *lookup;
} t;

static void *at(uint64_t offset)
{
    return (uint8_t *)t.table + offset;
}

static void fresh(void)
{
    free(t.table);
    t.table = fixture_image(SL_SEG_BALANCE, 1, &t.size);
    t.service = at(t.table->service_offset);
    t.pool = at(t.table->pool_offset);
    t.member = at(t.table->member_offset);
    t.address = at(t.table->address_offset);
    t.rule = at(t.table->rule_offset);
    t.by_service_slot = at(t.table->service_by_slot_offset);
    t.by_member_slot = at(t.table->member_by_slot_offset);
    t.lookup = at(t.table->lookup_offset);
}

// Then starts afresh.
static void refused(const char *part)
{
    struct sl_error error = {0};

    assert_int_equal(sl_table_check(t.table, t.size, SL_SEG_BALANCE, &error), -EBADMSG);
    if (strncmp(error.text, "balance table, byte ", 20) != 0 || !strstr(error.text, part))
        fail_msg("\"%s\" is not in \"%s\"", part, error.text);
    fresh();
}

static struct sl_balance_address *address_first(void)
{
    struct sl_balance_address *address = t.address;
    while (!address->used)
        address++;
    return address;
}

// The address with more rules than one.
static struct sl_balance_rule *rules_many(uint32_t *count)
{
    struct sl_balance_address *address = t.address;
    while (!address->used || address->rule_count < 2)
        address++;
    *count = address->rule_count;
    return &t.rule[address->rule_first];
}

static void lies_about_counts_and_arrays_are_refused(void **state)
{
    fresh();
    t.table->service_count = SL_BALANCE_SERVICES + 1;
    refused("8192 services, 8191 are the most");
    t.table->member_slots = SL_BALANCE_MEMBERS + 1;
    refused("524288 member slots");
    t.table->address_slots = 24;
    refused("24 slots for");
    t.table->address_slots = 0;
    refused("0 slots for");
    t.table->address_slots = 4;
    refused("4 slots for 4 addresses");
    t.table->rule_offset = 64;
    refused("rules are said to start at byte 64");
    t.table->rule_count = UINT32_MAX;
    refused("overrun");
    t.table->lookup_offset += 2;
    refused("not a multiple of 64");
    t.table->lookup_count = UINT64_MAX / 4;
    refused("overrun");
    t.table->member_by_slot_offset = UINT64_MAX - 7;
    refused("members by slot are said to start");
}

static void lies_about_services_are_refused(void **state)
{
    fresh();
    memset(t.service[2].name, 'x', SL_BALANCE_NAME);
    refused("a service's name does not end within 32");
    t.service[1].slot = 100;
    refused("slot 100, there are 8");
    t.service[1].slot = t.service[0].slot;
    refused("index 1 has slot 7, which leads to index 0");
    t.by_service_slot[0] = 3;
    refused("8 slots lead to 7");
    t.service[0].pool = 7;
    refused("service service0 is of pool 7, there are 7");
    t.service[0].affinity_len_v4 = 33;
    refused("affinity by /33");
}

static void lies_about_addresses_are_refused(void **state)
{
    uint32_t count;

    fresh();
    t.table->address_count--;
    refused("3 addresses, 4 slots are used");
    address_first()->ip.b[15] ^= 0x55;
    refused("is not found from slot");
    address_first()->rule_first = UINT32_MAX;
    refused("rules 4294967295 to");
    address_first()->rule_count = t.table->rule_count + 1;
    refused("of an address, there are");
    address_first()->all = 7;
    refused("an address of service 7, there are 7");
    rules_many(&count)[0].service = 7;
    refused("a rule of service 7");
    rules_many(&count)[0].last = 1;
    refused("-1");
    rules_many(&count)[0].key |= 1u << 31;
    refused("a rule of protocol");
    rules_many(&count)[1].key = rules_many(&count)[0].key;
    refused("have a port in common");
    for (uint32_t i = 0; i < t.table->address_slots; i++)
        t.address[i].used = 1;
    refused("16 slots are used");
}

static void lies_about_pools_are_refused(void **state)
{
    fresh();
    t.pool[0].name[0] = '\t';
    refused("a pool's name has a character");
    t.pool[3].method = SL_BALANCE_METHODS;
    refused("pool pool3: method 7");
    t.pool[3].way = SL_BALANCE_WAYS;
    refused("one of them is none");
    t.pool[3].on_down = SL_BALANCE_ON_DOWNS;
    refused("one of them is none");
    t.pool[1].first = 2;
    refused("pool pool1: 3 members from 2 on, they begin at 3 of 21");
    t.pool[6].count = 4;
    refused("4 members from 18 on");
    t.pool[6].count = 2;
    refused("21 members, the pools have 20");
    t.table->member_count--;
    refused("they begin at 18 of 20");
    t.pool[2].source_first = 1;
    refused("2 source addresses from 1 on, there are 2");
}

static void lies_about_members_are_refused(void **state)
{
    fresh();
    t.member[4].slot = 1000;
    refused("slot 1000, there are 41");
    t.member[4].slot = t.member[5].slot;
    refused("index 4 has slot 10, which leads to index 5");
    t.by_member_slot[1] = 0;
    refused("22 slots lead to 21");
    t.member[4].pool = 2;
    refused("member 4 says pool 2, but pool 1 has it");
    t.member[4].word = SL_BALANCE_WORD(SL_BALANCE_STATES, 1);
    refused("member 4 is in state 4");
}

static void lies_about_lookups_are_refused(void **state)
{
    fresh();
    t.pool[0].lookup_capacity++;
    refused("it should have 101");
    t.pool[0].lookup_size = 102;
    refused("102 of 101 lookup entries");
    t.pool[1].lookup_offset = t.pool[0].lookup_offset;
    refused("which is not behind");
    t.pool[1].lookup_offset += 2;
    refused("which is not behind");
    t.pool[6].lookup_offset += 1 << 20;
    refused("or beyond");
    t.lookup[100] = 3;
    refused("pool pool0: lookup entry 100 names member 3 of 3");
    t.pool[0].lookup_size = 5; // beyond it, too: sizes change
    t.lookup[50] = UINT16_MAX;
    refused("lookup entry 50 names member 65535 of 3");
}

// ---- together -----------------------------------------------------------------------------------------------
static struct sl_port_table *port;
static struct sl_route_table *route;
static struct sl_nat_table *nat;

static int together(struct sl_error *error)
{
    return sl_tables_check_together((void *)port, (void *)route, nat, NULL, t.table, error);
}

static void what_nat_and_balance_both_want_is_refused(void **state)
{
    struct sl_error error = {0};
    uint64_t size;

    fresh();
    port = fixture_image(SL_SEG_PORT, 1, &size);
    route = fixture_image(SL_SEG_ROUTE, 1, &size);
    nat = fixture_image(SL_SEG_NAT, 1, &size);
    assert_int_equal(together(&error), 0);
    struct sl_nat_forward *forward = (void *)((uint8_t *)nat + nat->forward_offset);
    forward[0].outside = htonl(0xc0000201); // TCP 80-89, where services have 70-90
    assert_int_equal(together(&error), -EBADMSG);
    assert_non_null(strstr(error.text, "want the same packets"));
    forward[0].outside_first = forward[0].outside_last = 91; // beside them
    assert_int_equal(together(&error), 0);
    struct sl_nat_static *outside = (void *)((uint8_t *)nat + nat->static_outside_offset);
    outside[0].outside = htonl(0xc0000202);
    assert_int_equal(together(&error), -EBADMSG);
    assert_non_null(strstr(error.text, "the outside address of 1:1 entry 0"));
    free(port);
    free(route);
    free(nat);
}

static int teardown(void **state)
{
    free(t.table);
    t.table = NULL;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lies_about_counts_and_arrays_are_refused),
        cmocka_unit_test(lies_about_services_are_refused),
        cmocka_unit_test(lies_about_addresses_are_refused),
        cmocka_unit_test(lies_about_pools_are_refused),
        cmocka_unit_test(lies_about_members_are_refused),
        cmocka_unit_test(lies_about_lookups_are_refused),
        cmocka_unit_test(what_nat_and_balance_both_want_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
