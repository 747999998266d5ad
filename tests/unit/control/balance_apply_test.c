// SPDX-License-Identifier: Apache-2.0
// The balance table of a generation: what it is made of, which slots it gives, when it is shared, how members change in
// it while workers read, and that all of it outlives the sluiced that made it.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "fixture.h"
#include "table/balance_read.h"

#define SERVICE                                                                                              \
    "services: [{name: web, addresses: [198.51.100.80, 198.51.100.81], protocol: tcp, ports: 80, pool: "     \
    "web}]\n"
#define POOL(m) "pools: [{name: web, members: [" m "]}]\n"
#define A       "{address: 10.0.0.11, port: 8080}"
#define B       "{address: 10.0.0.12, port: 8080, weight: 200}"
#define C       "{address: 10.0.0.13, port: 8080, backup: true, limit: 7}"
#define WITH(m) SERVICE POOL(m)

static int setup(void **state)
{
    static struct fixture fixture;

    fixture_open(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_close(*state);
    return 0;
}

static const struct sl_balance_table *table_of(const struct fixture *f)
{
    return balance_live_table(&f->applier.balance);
}

static struct sl_ip ip_of(const char *text)
{
    struct sl_ip ip;

    assert_int_equal(sl_ip_parse(text, &ip), 0);
    return ip;
}

static const struct sl_balance_member *member_of(const struct fixture *f, const char *address)
{
    const struct sl_balance_table *table = table_of(f);
    struct sl_ip ip = ip_of(address);

    for (uint32_t i = 0; table && i < table->member_count; i++)
        if (sl_ip_equal(&sl_balance_members(table)[i].ip, &ip))
            return &sl_balance_members(table)[i];
    return NULL;
}

static uint32_t slot_of(const struct fixture *f, const char *address)
{
    const struct sl_balance_member *member = member_of(f, address);

    assert_non_null(member);
    return member->slot;
}

static void apply(struct fixture *f, const char *more)
{
    char text[4096];

    assert_true(fixture_apply_live(f, fixture_config(more, text)));
    assert_int_equal(f->outcome.status, APPLY_OK);
}

// Shares of the members in the lookup of the only pool in millionths, by the last byte of their address.
static void shares(const struct fixture *f, unsigned share[256])
{
    const struct sl_balance_table *table = table_of(f);
    const struct sl_balance_pool *pool = sl_balance_pools(table);
    struct sl_balance_lookup lookup = sl_balance_lookup(table, pool);

    memset(share, 0, 256 * sizeof(share[0]));
    for (uint32_t i = 0; i < lookup.size; i++)
        share[sl_balance_members(table)[pool->first + sl_balance_entry(&lookup, i)].ip.b[15]]++;
    for (unsigned i = 0; i < 256; i++)
        share[i] = (unsigned)(share[i] * 1000000ull / (lookup.size ? lookup.size : 1));
}

static void a_config_without_services_has_no_table(void **state)
{
    struct fixture *f = *state;

    fixture_dp_start(f, 1);
    apply(f, "");
    assert_null(table_of(f));
    assert_int_equal(fixture_files(f, "balance."), 0);
    apply(f, WITH(A));
    assert_non_null(table_of(f));
    apply(f, "");
    assert_null(table_of(f));
    assert_int_equal(fixture_files(f, "balance."), 0);
}

static void the_table_says_what_the_config_says(void **state)
{
    struct fixture *f = *state;
    struct sl_ip one = ip_of("198.51.100.81"), other = ip_of("198.51.100.82");

    fixture_dp_start(f, 1);
    apply(f, WITH(A ", " B ", " C));
    const struct sl_balance_table *table = table_of(f);
    assert_int_equal(sl_balance_service_find(table, &one, IPPROTO_TCP, 80), 0);
    assert_int_equal(sl_balance_service_find(table, &one, IPPROTO_TCP, 81), SL_BALANCE_NONE);
    assert_int_equal(sl_balance_service_find(table, &one, IPPROTO_UDP, 80), SL_BALANCE_NONE);
    assert_int_equal(sl_balance_service_find(table, &other, IPPROTO_TCP, 80), SL_BALANCE_NONE);
    assert_string_equal(sl_balance_services(table)->name, "web");
    const struct sl_balance_member *b = member_of(f, "10.0.0.12"), *c = member_of(f, "10.0.0.13");
    assert_int_equal(b->port, 8080);
    assert_int_equal(b->weight, 200 * BALANCE_SCALE);
    assert_int_equal(c->flags, SL_BALANCE_BACKUP);
    assert_int_equal(c->flow_limit, 7);

    unsigned share[256];
    shares(f, share);
    assert_in_range(share[11], 330000, 336000);
    assert_in_range(share[12], 664000, 670000);
    assert_int_equal(share[13], 0);
}

static void addresses_of_services_are_the_gateways_and_ports_look_flows_up(void **state)
{
    struct fixture *f = *state;
    struct sl_segment_map map;

    fixture_dp_start(f, 1);
    apply(f, WITH(A));
    assert_int_equal(fixture_lookup(f, "198.51.100.80"), SL_NEXTHOP_POOL * 256);
    assert_int_equal(fixture_lookup(f, "198.51.100.81"), SL_NEXTHOP_POOL * 256);
    assert_int_equal(sl_table_open(f->run_dir, &f->applier.running->table[SNAPSHOT_PORT].ref, &map, NULL), 0);
    const struct sl_port_table *ports = map.base;
    const struct sl_port *port = (const void *)((const char *)map.base + ports->port_offset);
    for (uint32_t i = 0; i < ports->port_count; i++)
        assert_true(port[i].flags & SL_PORT_NAT);
    sl_segment_close(&map);
}

static void members_keep_their_slots_and_freed_ones_are_given_last(void **state)
{
    struct fixture *f = *state;

    fixture_dp_start(f, 1);
    apply(f, WITH(A ", " B));
    uint32_t a = slot_of(f, "10.0.0.11"), b = slot_of(f, "10.0.0.12");
    apply(f, WITH(C ", " B));
    assert_int_equal(slot_of(f, "10.0.0.12"), b);
    assert_int_not_equal(slot_of(f, "10.0.0.13"), a);
    apply(f, WITH(C ", " A));
    assert_int_not_equal(slot_of(f, "10.0.0.11"), b); // just freed
    uint32_t c = slot_of(f, "10.0.0.13");
    a = slot_of(f, "10.0.0.11");
    assert_int_equal(fixture_restart(f), TAKE_UP_RUNNING);
    apply(f, WITH(A ", " C ", " B));
    assert_int_equal(slot_of(f, "10.0.0.11"), a);
    assert_int_equal(slot_of(f, "10.0.0.13"), c);
}

static void other_changes_share_the_table(void **state)
{
    struct fixture *f = *state;

    fixture_dp_start(f, 1);
    apply(f, WITH(A ", " B));
    uint64_t serial = f->applier.balance.ref.serial;
    apply(f, WITH(A ", " B) "icmp: {error-rate: 7}\n");
    assert_int_equal(f->applier.balance.ref.serial, serial);
    apply(f, SERVICE "pools: [{name: web, members: [" A ", " B "], slow-start: 9, health: {type: icmp}}]\n");
    assert_int_equal(f->applier.balance.ref.serial, serial);
    assert_int_equal(fixture_restart(f), TAKE_UP_RUNNING);
    apply(f, WITH(A ", " B));
    assert_int_equal(f->applier.balance.ref.serial, serial);
    apply(f, WITH(A));
    assert_int_not_equal(f->applier.balance.ref.serial, serial);
    assert_int_equal(fixture_files(f, "balance."), 1);
}

static struct member_change change_of(const struct fixture *f, const char *address, enum sl_balance_state to,
                                      uint16_t weight)
{
    return (struct member_change){slot_of(f, address), {(uint8_t)to, weight, 12345, 678}};
}

static void a_change_is_in_the_table_when_the_call_returns(void **state)
{
    struct fixture *f = *state;
    unsigned share[256];

    fixture_dp_start(f, 1);
    apply(f, WITH(A ", " B ", " C));
    struct member_change change[2] = {change_of(f, "10.0.0.12", SL_BALANCE_DOWN, 6400),
                                      change_of(f, "10.0.0.11", SL_BALANCE_UP, 100)};
    assert_int_equal(apply_change_members(&f->applier, change, 2), 0);
    shares(f, share);
    assert_int_equal(share[12], 0);
    assert_int_equal(share[11], 1000000);
    assert_int_equal(member_of(f, "10.0.0.12")->since_ns, 12345);
    assert_int_equal(member_of(f, "10.0.0.12")->note, 678);
    change[0] = change_of(f, "10.0.0.11", SL_BALANCE_DRAIN, 100);
    assert_int_equal(apply_change_members(&f->applier, change, 1), 0);
    shares(f, share);
    assert_int_equal(share[13], 1000000); // the backup
}

static void a_change_while_an_apply_is_under_way_reaches_both_tables(void **state)
{
    struct fixture *f = *state;
    unsigned share[256];
    char text[4096];

    fixture_dp_start(f, 1);
    apply(f, WITH(A ", " B));
    fixture_apply(f, fixture_config(WITH(A ", " B ", " C), text), 0);
    assert_true(apply_busy(&f->applier));
    struct member_change change = change_of(f, "10.0.0.12", SL_BALANCE_DOWN, 6400);
    assert_int_equal(apply_change_members(&f->applier, &change, 1), 0);
    shares(f, share); // the one that runs
    assert_int_equal(share[12], 0);
    fixture_dp_take(f);
    fixture_tick(f);
    assert_int_equal(f->outcome.status, APPLY_OK);
    assert_non_null(member_of(f, "10.0.0.13"));
    shares(f, share); // and the one that was on its way
    assert_int_equal(share[12], 0);
}

// Asked for the member's state it says up; the member goes down right after.
static void goes_down_when_asked(void *context, const struct sl_config_server_pool *pool,
                                 const struct sl_config_member *member, const struct balance_member_key *key,
                                 struct member_state *state)
{
    struct fixture *f = context;

    if (strcmp(member->address, "10.0.0.12") != 0)
        return;
    unsigned share[256];
    struct member_change change = change_of(f, "10.0.0.12", SL_BALANCE_DOWN, 6400);
    assert_int_equal(apply_change_members(&f->applier, &change, 1), 0);
    assert_int_equal(f->board->published, 1);
    shares(f, share);
    assert_int_equal(share[12], 0);
}

static void
a_change_while_the_table_is_built_on_a_thread_is_in_force_at_once_and_in_the_new_table(void **state)
{
    struct fixture *f = *state;
    unsigned share[256];
    char text[4096];

    fixture_dp_start(f, 1);
    apply(f, WITH(A ", " B));
    f->applier.aside = true;
    f->applier.hooks.context = f;
    f->applier.hooks.prepare = NULL;
    f->applier.hooks.step = NULL;
    f->applier.hooks.member_state = goes_down_when_asked;
    fixture_apply(f, fixture_config(WITH(A ", " B ", " C), text), 0);
    assert_int_equal(fixture_apply(f, text, 0), -EBUSY);
    for (unsigned i = 0; i < 20000 && f->board->published == 1; i++) {
        usleep(1000);
        fixture_tick(f);
    }
    assert_int_equal(f->board->published, 2);
    for (unsigned i = 0; i < 20000 && f->done < 2; i++) {
        fixture_dp_beat(f);
        fixture_dp_take(f);
        usleep(1000);
        fixture_tick(f);
    }
    assert_int_equal(f->outcome.status, APPLY_OK);
    assert_non_null(member_of(f, "10.0.0.13"));
    shares(f, share);
    assert_int_equal(share[12], 0);
}

static void a_refused_table_leaves_the_old_one_in_hand(void **state)
{
    struct fixture *f = *state;
    unsigned share[256];
    char text[4096];

    fixture_dp_start(f, 1);
    apply(f, WITH(A ", " B));
    fixture_apply(f, fixture_config(WITH(A ", " B ", " C), text), 0);
    fixture_dp_refuse(f, "balance: no");
    fixture_tick(f);
    fixture_dp_take(f);
    fixture_tick(f);
    assert_int_equal(f->outcome.status, APPLY_REFUSED);
    assert_null(member_of(f, "10.0.0.13"));
    struct member_change change = change_of(f, "10.0.0.12", SL_BALANCE_DOWN, 6400);
    assert_int_equal(apply_change_members(&f->applier, &change, 1), 0);
    shares(f, share);
    assert_int_equal(share[12], 0);
    assert_int_equal(fixture_files(f, "balance."), 1);
}

static void states_outlive_the_sluiced_that_made_them(void **state)
{
    struct fixture *f = *state;
    unsigned share[256];

    fixture_dp_start(f, 1);
    apply(f, WITH(A ", " B));
    struct member_change change = change_of(f, "10.0.0.12", SL_BALANCE_FLUSH, 6400);
    assert_int_equal(apply_change_members(&f->applier, &change, 1), 0);
    uint64_t published = f->board->published;
    assert_int_equal(fixture_restart(f), TAKE_UP_RUNNING);
    assert_int_equal(f->board->published, published);
    const struct sl_balance_member *b = member_of(f, "10.0.0.12");
    assert_non_null(b);
    assert_int_equal(sl_balance_word_state(b->word), SL_BALANCE_FLUSH);
    assert_int_equal(b->since_ns, 12345);
    change = change_of(f, "10.0.0.12", SL_BALANCE_UP, 100 * BALANCE_SCALE);
    assert_int_equal(apply_change_members(&f->applier, &change, 1), 0);
    shares(f, share);
    assert_in_range(share[12], 490000, 510000);
}

static void a_pending_generation_is_taken_up_with_both_tables(void **state)
{
    struct fixture *f = *state;
    unsigned share[256];
    char text[4096];

    fixture_dp_start(f, 1);
    apply(f, WITH(A ", " B));
    fixture_apply(f, fixture_config(WITH(A ", " B ", " C), text), 0);
    assert_int_equal(fixture_restart(f), TAKE_UP_PENDING);
    struct member_change change = change_of(f, "10.0.0.12", SL_BALANCE_DOWN, 6400);
    assert_int_equal(apply_change_members(&f->applier, &change, 1), 0);
    fixture_dp_take(f);
    fixture_tick(f);
    assert_non_null(member_of(f, "10.0.0.13"));
    shares(f, share);
    assert_int_equal(share[12], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(a_config_without_services_has_no_table),
        CASE(the_table_says_what_the_config_says),
        CASE(addresses_of_services_are_the_gateways_and_ports_look_flows_up),
        CASE(members_keep_their_slots_and_freed_ones_are_given_last),
        CASE(other_changes_share_the_table),
        CASE(a_change_is_in_the_table_when_the_call_returns),
        CASE(a_change_while_an_apply_is_under_way_reaches_both_tables),
        CASE(a_change_while_the_table_is_built_on_a_thread_is_in_force_at_once_and_in_the_new_table),
        CASE(a_refused_table_leaves_the_old_one_in_hand),
        CASE(states_outlive_the_sluiced_that_made_them),
        CASE(a_pending_generation_is_taken_up_with_both_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
