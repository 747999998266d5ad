// SPDX-License-Identifier: Apache-2.0
// An apply is one transaction: live on every worker and kept, or as if it had never been.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "fixture.h"

#define VIA(kind, last) ((kind)*256u + (last))
#define ONE_ROUTE       "routes: [{prefix: 203.0.113.0/24, via: [{address: 198.51.100.21}]}]\n"
#define OTHER_ROUTE     "routes: [{prefix: 203.0.113.0/24, via: [{address: 198.51.100.22}]}]\n"
#define MORE_ROUTES                                                                                          \
    "routes: [{prefix: 203.0.113.0/24, via: [{address: 198.51.100.22}]}, {prefix: 192.0.2.0/24, kind: "      \
    "blackhole}]\n"
#define NAT                                                                                                  \
    "nat: {pools: [{name: p, addresses: [198.51.100.100-198.51.100.103]}], "                                 \
    "source: [{inside: [10.0.0.0/24], port: wan, pool: p}]}\n"

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

static void without_a_data_plane_tables_are_published_and_wait(void **state)
{
    struct fixture *f = *state;
    char text[4096];

    assert_int_equal(fixture_apply(f, fixture_config(ONE_ROUTE, text), 0), 0);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->outcome.status, APPLY_OK);
    assert_true(f->outcome.waiting);
    assert_true(f->outcome.changed);
    assert_int_equal(f->board->published, 1);
    assert_int_equal(fixture_lookup(f, "203.0.113.9"), VIA(SL_NEXTHOP_GATEWAY, 21));
}

static void an_apply_is_done_when_the_last_worker_echoed_and_not_before(void **state)
{
    struct fixture *f = *state;
    char text[4096];

    fixture_dp_start(f, 2);
    assert_int_equal(fixture_apply(f, fixture_config(ONE_ROUTE, text), 0), 0);
    fixture_dp_beat(f);
    sl_board_dp_loaded(f->board, 1);
    fixture_tick(f);
    sl_board_worker_live(&f->board->worker[0], 1);
    fixture_tick(f);
    assert_int_equal(f->done, 0);
    assert_true(apply_busy(&f->applier));
    assert_int_equal(fixture_apply(f, text, 0), -EBUSY);
    sl_board_worker_live(&f->board->worker[1], 1);
    fixture_tick(f);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->outcome.status, APPLY_OK);
    assert_int_equal(f->outcome.workers, 2);
    assert_false(f->outcome.waiting);
}

static void a_refused_generation_gives_way_to_the_old_one_and_the_reason_is_told(void **state)
{
    struct fixture *f = *state;
    char text[4096];

    fixture_dp_start(f, 1);
    assert_true(fixture_apply_live(f, fixture_config(ONE_ROUTE, text)));
    fixture_apply(f, fixture_config(ONE_ROUTE NAT, text), 0);
    fixture_dp_refuse(f, "nat.7: offset 64 lies");
    fixture_tick(f);
    assert_true(apply_busy(&f->applier)); // the old tables are on their way back
    assert_int_equal(f->board->published, 3);
    fixture_dp_take(f);
    fixture_tick(f);
    assert_int_equal(f->outcome.status, APPLY_REFUSED);
    assert_non_null(strstr(f->outcome.error.text, "offset 64 lies"));
    assert_int_equal(fixture_lookup(f, "198.51.100.100"), VIA(SL_NEXTHOP_CONNECTED, 0)); // no pool address
    assert_null(strstr(f->applier.running->stored.text, "pools"));
    assert_int_equal(fixture_files(f, "nat."), 1);
}

static void a_first_generation_that_the_data_plane_takes_after_it_refused_it_is_the_running_one(void **state)
{
    struct fixture *f = *state;
    struct sl_error notes;
    char text[4096];

    fixture_dp_start(f, 1);
    fixture_apply(f, fixture_config(ONE_ROUTE, text), 0);
    fixture_dp_refuse(f, "there is no interface wan0");
    fixture_tick(f);
    assert_int_equal(f->outcome.status, APPLY_REFUSED);
    assert_null(f->applier.running);
    assert_false(apply_came_late(&f->applier, f->now_ns, fixture_done, f, &notes));
    fixture_dp_take(f);
    assert_true(apply_came_late(&f->applier, f->now_ns, fixture_done, f, &notes));
    fixture_tick(f);
    assert_int_equal(f->done, 2);
    assert_int_equal(f->outcome.status, APPLY_OK);
    assert_non_null(f->applier.running);
    assert_int_equal(f->applier.running->generation, f->board->published);
    assert_false(apply_came_late(&f->applier, f->now_ns, fixture_done, f, &notes));
    assert_int_equal(fixture_restart(f), TAKE_UP_RUNNING); // and is on disk
}

static void workers_that_do_not_come_in_time_are_told_of_and_the_old_tables_return(void **state)
{
    struct fixture *f = *state;
    char text[4096];

    fixture_dp_start(f, 2);
    assert_true(fixture_apply_live(f, fixture_config(ONE_ROUTE, text)));
    fixture_apply(f, fixture_config(ONE_ROUTE NAT, text), 0);
    sl_board_dp_loaded(f->board, 2);
    sl_board_worker_live(&f->board->worker[0], 2);
    f->now_ns += APPLY_LIVE_DEADLINE_NS - 1;
    fixture_dp_beat(f);
    fixture_tick(f);
    assert_int_equal(f->done, 1);
    f->now_ns += 1;
    fixture_dp_beat(f);
    fixture_tick(f);
    fixture_dp_take(f);
    fixture_tick(f);
    assert_int_equal(f->done, 2);
    assert_int_equal(f->outcome.status, APPLY_REFUSED);
    assert_non_null(strstr(f->outcome.error.text, "1 of 2 workers"));
    assert_int_equal(fixture_lookup(f, "198.51.100.100"), VIA(SL_NEXTHOP_CONNECTED, 0));
}

static void what_did_not_change_is_not_built_again(void **state)
{
    struct fixture *f = *state;
    char text[4096];

    fixture_dp_start(f, 1);
    assert_true(fixture_apply_live(f, fixture_config(ONE_ROUTE, text)));
    struct snapshot_ref before[SNAPSHOT_TABLES];
    memcpy(before, f->applier.running->table, sizeof(before));
    assert_true(fixture_apply_live(
        f, fixture_config(ONE_ROUTE "neighbors: [{address: 10.0.0.9, port: lan, mac: '02:00:00:00:00:09'}]\n",
                          text)));
    const struct snapshot_ref *after = f->applier.running->table;
    assert_int_not_equal(after[SNAPSHOT_PORT].ref.serial, before[SNAPSHOT_PORT].ref.serial);
    assert_int_equal(after[SNAPSHOT_ROUTE].ref.serial, before[SNAPSHOT_ROUTE].ref.serial);
    assert_int_equal(after[SNAPSHOT_NAT].ref.serial, before[SNAPSHOT_NAT].ref.serial);
    assert_int_equal(after[SNAPSHOT_PREFILTER].ref.serial, before[SNAPSHOT_PREFILTER].ref.serial);
    assert_int_equal(f->outcome.built, 1u << SNAPSHOT_PORT);
    assert_int_equal(fixture_files(f, "port."), 1); // the old one went
}

static void the_same_config_again_changes_nothing(void **state)
{
    struct fixture *f = *state;
    char text[4096];

    assert_true(fixture_apply_live(f, fixture_config(ONE_ROUTE, text)));
    assert_true(fixture_apply_live(f, fixture_config("# only a comment\n" ONE_ROUTE, text)));
    assert_false(f->outcome.changed);
    assert_int_equal(f->board->published, 1);
}

static void a_change_of_routes_alone_goes_into_the_live_table(void **state)
{
    struct fixture *f = *state;
    char text[4096];

    fixture_dp_start(f, 1);
    assert_true(fixture_apply_live(f, fixture_config(ONE_ROUTE, text)));
    uint64_t serial = f->applier.running->table[SNAPSHOT_ROUTE].ref.serial;
    fixture_apply(f, fixture_config(MORE_ROUTES, text), 0);
    // Live before any worker looked at the board.
    assert_int_equal(fixture_lookup(f, "203.0.113.1"), VIA(SL_NEXTHOP_GATEWAY, 22));
    assert_int_equal(fixture_lookup(f, "192.0.2.1"), VIA(SL_NEXTHOP_BLACKHOLE, 0));
    fixture_dp_take(f);
    fixture_tick(f);
    assert_true(f->outcome.in_place);
    assert_int_equal(f->outcome.routes_added, 1);
    assert_int_equal(f->outcome.built, 0);
    assert_int_equal(f->applier.running->table[SNAPSHOT_ROUTE].ref.serial, serial);
    assert_true(fixture_apply_live(f, fixture_config("", text)));
    assert_int_equal(f->outcome.routes_removed, 2);
    assert_int_equal(fixture_lookup(f, "203.0.113.1"), VIA(SL_NEXTHOP_NONE, 0));
}

static void routes_changed_in_place_are_put_back_when_the_generation_is_refused(void **state)
{
    struct fixture *f = *state;
    char text[4096];

    fixture_dp_start(f, 1);
    assert_true(fixture_apply_live(f, fixture_config(ONE_ROUTE, text)));
    fixture_apply(f, fixture_config(MORE_ROUTES, text), 0);
    fixture_dp_refuse(f, "no");
    fixture_tick(f);
    fixture_dp_take(f);
    fixture_tick(f);
    assert_int_equal(f->outcome.status, APPLY_REFUSED);
    assert_int_equal(fixture_lookup(f, "203.0.113.1"), VIA(SL_NEXTHOP_GATEWAY, 21));
    assert_int_equal(fixture_lookup(f, "192.0.2.1"), VIA(SL_NEXTHOP_NONE, 0));
    assert_true(fixture_apply_live(f, fixture_config(OTHER_ROUTE, text)));
    assert_true(f->outcome.in_place);
}

static void xdp_maps_that_cannot_be_filled_stop_the_apply_before_anything_is_seen(void **state)
{
    struct fixture *f = *state;
    char text[4096];

    fixture_dp_start(f, 1);
    assert_true(fixture_apply_live(f, fixture_config(ONE_ROUTE, text)));
    f->prepare_fails = -EPERM;
    fixture_apply(f, fixture_config(OTHER_ROUTE, text), 0);
    assert_int_equal(f->done, 2);
    assert_int_equal(f->outcome.status, APPLY_IO);
    assert_string_equal(f->outcome.error.text, "no maps today");
    assert_int_equal(f->board->published, 1);
    assert_int_equal(fixture_lookup(f, "203.0.113.1"), VIA(SL_NEXTHOP_GATEWAY, 21));
}

static void a_broken_config_tells_all_its_errors_and_touches_nothing(void **state)
{
    struct fixture *f = *state;
    char text[4096];

    assert_true(fixture_apply_live(f, fixture_config(ONE_ROUTE, text)));
    fixture_apply(
        f,
        fixture_config(
            "routes: [{prefix: 300.0.0.0/8, kind: blackhole}, {prefix: 10.0.0.0/99, kind: reject}]\n", text),
        0);
    assert_int_equal(f->outcome.status, APPLY_INVALID);
    assert_true(f->errors >= 2);
    assert_int_equal(f->board->published, 1);
    assert_false(apply_busy(&f->applier));
}

static void a_dry_run_publishes_nothing(void **state)
{
    struct fixture *f = *state;
    char text[4096];
    struct apply_request request = {.text = fixture_config(ONE_ROUTE, text), .dry = true};

    fixture_apply_request(f, &request);
    assert_int_equal(f->outcome.status, APPLY_OK);
    assert_true(f->outcome.changed);
    assert_int_equal(f->board->published, 0);
    assert_null(f->applier.running);
}

static void ports_keep_their_slots_when_others_come_and_go(void **state)
{
    struct fixture *f = *state;
    static const char three[] = "sluice: 1\nports:\n"
                                "  - {name: dmz, device: 'null:', addresses: [192.0.2.1/24]}\n"
                                "  - {name: wan, device: 'null:', addresses: [198.51.100.1/24]}\n"
                                "  - {name: lan, device: 'null:', addresses: [10.0.0.1/24]}\n";
    static const char two[] = "sluice: 1\nports:\n"
                              "  - {name: new, device: 'null:', addresses: [203.0.113.1/24]}\n"
                              "  - {name: wan, device: 'null:', addresses: [198.51.100.1/24]}\n";
    char text[4096];

    assert_true(fixture_apply_live(f, fixture_config("", text)));
    assert_true(fixture_apply_live(f, three));
    assert_int_equal(slots_find(&f->applier.running->slots, "lan"), 0);
    assert_int_equal(slots_find(&f->applier.running->slots, "wan"), 1);
    assert_int_equal(slots_find(&f->applier.running->slots, "dmz"), 2);
    assert_true(fixture_apply_live(f, two));
    assert_int_equal(slots_find(&f->applier.running->slots, "wan"), 1);
    assert_int_equal(slots_find(&f->applier.running->slots, "new"),
                     3); // never used before those that were freed
}

// ---- confirm ----------------------------------------------------------------------------------------------------

static void revert_when_due(struct fixture *f)
{
    struct apply_request who = {.user = "clock"};

    if (f->applier.confirm_deadline_ns && f->now_ns >= f->applier.confirm_deadline_ns)
        assert_int_equal(apply_revert_unconfirmed(&f->applier, &who, f->now_ns, fixture_done, f), 0);
}

static void a_config_that_is_not_confirmed_in_time_goes(void **state)
{
    struct fixture *f = *state;
    char text[4096];

    assert_true(fixture_apply_live(f, fixture_config(ONE_ROUTE, text)));
    fixture_apply(f, fixture_config(OTHER_ROUTE, text), 60);
    assert_int_equal(fixture_lookup(f, "203.0.113.1"), VIA(SL_NEXTHOP_GATEWAY, 22));
    f->now_ns += 60 * SECOND_NS - 1;
    revert_when_due(f);
    assert_int_equal(fixture_lookup(f, "203.0.113.1"), VIA(SL_NEXTHOP_GATEWAY, 22));
    f->now_ns += 1;
    revert_when_due(f);
    assert_int_equal(fixture_lookup(f, "203.0.113.1"), VIA(SL_NEXTHOP_GATEWAY, 21));
    assert_int_equal(f->applier.confirm_deadline_ns, 0);
}

static void a_confirmed_config_stays(void **state)
{
    struct fixture *f = *state;
    char text[4096];

    assert_true(fixture_apply_live(f, fixture_config(ONE_ROUTE, text)));
    assert_int_equal(apply_confirm(&f->applier), -ENOENT);
    fixture_apply(f, fixture_config(OTHER_ROUTE, text), 60);
    assert_int_equal(apply_confirm(&f->applier), 0);
    f->now_ns += 61 * SECOND_NS;
    revert_when_due(f);
    assert_int_equal(fixture_lookup(f, "203.0.113.1"), VIA(SL_NEXTHOP_GATEWAY, 22));
    fixture_restart(f);
    assert_int_equal(f->applier.confirm_deadline_ns, 0);
}

static void a_second_unconfirmed_config_goes_back_to_before_the_first(void **state)
{
    struct fixture *f = *state;
    char text[4096];

    assert_true(fixture_apply_live(f, fixture_config(ONE_ROUTE, text)));
    fixture_apply(f, fixture_config(OTHER_ROUTE, text), 60);
    f->now_ns += 30 * SECOND_NS;
    fixture_apply(f, fixture_config(MORE_ROUTES, text), 60);
    f->now_ns += 60 * SECOND_NS;
    revert_when_due(f);
    assert_int_equal(fixture_lookup(f, "203.0.113.1"), VIA(SL_NEXTHOP_GATEWAY, 21));
    assert_int_equal(fixture_lookup(f, "192.0.2.1"), VIA(SL_NEXTHOP_NONE, 0));
}

static void the_time_to_confirm_goes_on_while_sluiced_is_dead(void **state)
{
    struct fixture *f = *state;
    char text[4096];

    assert_true(fixture_apply_live(f, fixture_config(ONE_ROUTE, text)));
    fixture_apply(f, fixture_config(OTHER_ROUTE, text), 60);
    uint64_t deadline = f->applier.confirm_deadline_ns;
    f->now_ns += 100 * SECOND_NS;
    assert_int_equal(fixture_restart(f), TAKE_UP_RUNNING);
    assert_int_equal(f->applier.confirm_deadline_ns, deadline);
    revert_when_due(f);
    assert_int_equal(fixture_lookup(f, "203.0.113.1"), VIA(SL_NEXTHOP_GATEWAY, 21));
}

static void a_confirmation_of_another_boot_is_over(void **state)
{
    struct fixture *f = *state;
    struct stored back;
    char text[4096];

    assert_true(fixture_apply_live(f, fixture_config(ONE_ROUTE, text)));
    fixture_apply(f, fixture_config(OTHER_ROUTE, text), 3600);
    assert_int_equal(stored_read(f->state_dir, STORED_CONFIRM, &back, NULL), 0);
    strcpy(back.boot, "another");
    assert_int_equal(stored_write(f->state_dir, STORED_CONFIRM, &back, false, NULL), 0);
    stored_fini(&back);
    fixture_restart(f);
    revert_when_due(f);
    assert_int_equal(fixture_lookup(f, "203.0.113.1"), VIA(SL_NEXTHOP_GATEWAY, 21));
}

// ---- history ----------------------------------------------------------------------------------------------------

static void the_history_keeps_the_last_fifty_newest_first(void **state)
{
    struct fixture *f = *state;
    char text[4096], route[128];
    uint64_t id[HISTORY_MOST];

    for (unsigned i = 0; i < HISTORY_MOST + 3; i++) {
        snprintf(route, sizeof(route), "routes: [{prefix: 203.0.113.%u/32, kind: reject}]\n", i);
        assert_true(fixture_apply_live(f, fixture_config(route, text)));
    }
    assert_int_equal(history_list(f->state_dir, id), HISTORY_MOST);
    assert_int_equal(id[0], HISTORY_MOST + 3);
    assert_int_equal(id[HISTORY_MOST - 1], 4);
    struct stored stored;
    assert_int_equal(history_read(f->state_dir, 3, &stored, NULL), -ENOENT);
    assert_int_equal(history_read(f->state_dir, 10, &stored, NULL), 0);
    assert_non_null(strstr(stored.text, "203.0.113.9/32"));
    assert_string_equal(stored.user, "tester");
    stored_fini(&stored);
}

static void a_rollback_applies_what_the_history_holds(void **state)
{
    struct fixture *f = *state;
    struct apply_request who = {.user = "tester"};
    char text[4096];

    assert_true(fixture_apply_live(f, fixture_config(ONE_ROUTE, text)));
    assert_true(fixture_apply_live(f, fixture_config(OTHER_ROUTE, text)));
    assert_int_equal(apply_history_entry(&f->applier, 99, &who, f->now_ns, fixture_done, f), -ENOENT);
    assert_int_equal(apply_history_entry(&f->applier, 1, &who, f->now_ns, fixture_done, f), 0);
    assert_int_equal(f->outcome.status, APPLY_OK);
    assert_int_equal(fixture_lookup(f, "203.0.113.1"), VIA(SL_NEXTHOP_GATEWAY, 21));
    assert_int_equal(f->applier.running->stored.id, 3);
    assert_string_equal(f->applier.running->stored.comment, "rollback to 1");
}

// ---- restart ----------------------------------------------------------------------------------------------------

static void tables_that_are_refused_while_they_run_are_all_built_anew(void **state)
{
    struct fixture *f = *state;
    struct apply_request who = {.user = "tester"};
    struct snapshot_ref before[SNAPSHOT_TABLES];
    char text[4096];

    assert_int_equal(apply_heal(&f->applier, &who, f->now_ns, fixture_done, f), -ENOENT);
    fixture_dp_start(f, 1);
    assert_true(fixture_apply_live(f, fixture_config(ONE_ROUTE, text)));
    assert_int_equal(fixture_apply(f, fixture_config(ONE_ROUTE NAT, text), 60), 0);
    fixture_dp_take(f);
    fixture_tick(f);
    uint64_t deadline_ns = f->applier.confirm_deadline_ns, id = f->applier.running->stored.id;
    memcpy(before, f->applier.running->table, sizeof(before));

    fixture_dp_start(f, 1); // a new data plane, which looks at the files and does not like one
    fixture_dp_refuse(f, "nat.2: checksum");
    assert_int_equal(apply_heal(&f->applier, &who, f->now_ns, fixture_done, f), 0);
    fixture_dp_take(f);
    fixture_tick(f);
    assert_int_equal(f->outcome.status, APPLY_OK);
    // All but the last: the config has no services.
    assert_int_equal(f->outcome.built, (1u << SNAPSHOT_BALANCE) - 1);
    for (unsigned i = 0; i < SNAPSHOT_BALANCE; i++)
        assert_int_not_equal(f->applier.running->table[i].ref.serial, before[i].ref.serial);
    assert_int_equal(fixture_lookup(f, "203.0.113.9"), VIA(SL_NEXTHOP_GATEWAY, 21));
    // It is the same config for the operator: no entry of the history, and still to be confirmed.
    assert_int_equal(f->applier.running->stored.id, id);
    assert_int_equal(f->applier.confirm_deadline_ns, deadline_ns);
    uint64_t ids[HISTORY_MOST];
    assert_int_equal(history_list(f->state_dir, ids), 2);
    assert_int_equal(apply_revert_unconfirmed(&f->applier, &who, f->now_ns, fixture_done, f), 0);
}

static void a_restart_takes_up_what_runs_and_publishes_nothing(void **state)
{
    struct fixture *f = *state;
    char text[4096];

    fixture_dp_start(f, 1);
    assert_true(fixture_apply_live(f, fixture_config(ONE_ROUTE NAT, text)));
    assert_int_equal(fixture_restart(f), TAKE_UP_RUNNING);
    assert_int_equal(f->board->published, 1);
    assert_int_equal(f->applier.running->generation, 1);
    // And it knows what it took up: the same config is the same.
    assert_true(fixture_apply_live(f, text));
    assert_false(f->outcome.changed);
    // The first change of routes builds the table anew, once.
    assert_true(fixture_apply_live(f, fixture_config(OTHER_ROUTE NAT, text)));
    assert_int_equal(f->outcome.built, 1u << SNAPSHOT_ROUTE);
    assert_true(fixture_apply_live(f, fixture_config(MORE_ROUTES NAT, text)));
    assert_true(f->outcome.in_place);
}

static void a_published_generation_nobody_knows_is_not_taken_up(void **state)
{
    struct fixture *f = *state;
    char text[4096];

    assert_true(fixture_apply_live(f, fixture_config(ONE_ROUTE, text)));
    stored_remove(f->state_dir, STORED_RUNNING);
    assert_int_equal(fixture_restart(f), TAKE_UP_NOTHING);
    assert_true(fixture_apply_live(f, text));
    assert_int_equal(f->board->published, 2);
}

static void the_ecmp_seed_stays_from_table_to_table(void **state)
{
    struct fixture *f = *state;
    char text[4096];
    struct apply_request request = {.rebuild = true};

    assert_true(fixture_apply_live(f, fixture_config(ONE_ROUTE, text)));
    uint64_t seed = route_live_seed(&f->applier.live);
    assert_int_not_equal(seed, 0);
    request.text = fixture_config(OTHER_ROUTE, text);
    fixture_apply_request(f, &request);
    assert_true(f->outcome.built & 1u << SNAPSHOT_ROUTE);
    assert_int_equal(route_live_seed(&f->applier.live), seed);
    assert_int_equal(fixture_restart(f), TAKE_UP_RUNNING); // nor does it change with the process
    assert_true(fixture_apply_live(f, fixture_config(ONE_ROUTE, text)));
    assert_true(f->outcome.built & 1u << SNAPSHOT_ROUTE);
    assert_int_equal(route_live_seed(&f->applier.live), seed);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(without_a_data_plane_tables_are_published_and_wait),
        T(an_apply_is_done_when_the_last_worker_echoed_and_not_before),
        T(a_refused_generation_gives_way_to_the_old_one_and_the_reason_is_told),
        T(a_first_generation_that_the_data_plane_takes_after_it_refused_it_is_the_running_one),
        T(workers_that_do_not_come_in_time_are_told_of_and_the_old_tables_return),
        T(what_did_not_change_is_not_built_again),
        T(the_same_config_again_changes_nothing),
        T(a_change_of_routes_alone_goes_into_the_live_table),
        T(routes_changed_in_place_are_put_back_when_the_generation_is_refused),
        T(xdp_maps_that_cannot_be_filled_stop_the_apply_before_anything_is_seen),
        T(a_broken_config_tells_all_its_errors_and_touches_nothing),
        T(a_dry_run_publishes_nothing),
        T(ports_keep_their_slots_when_others_come_and_go),
        T(a_config_that_is_not_confirmed_in_time_goes),
        T(a_confirmed_config_stays),
        T(a_second_unconfirmed_config_goes_back_to_before_the_first),
        T(the_time_to_confirm_goes_on_while_sluiced_is_dead),
        T(a_confirmation_of_another_boot_is_over),
        T(the_history_keeps_the_last_fifty_newest_first),
        T(a_rollback_applies_what_the_history_holds),
        T(tables_that_are_refused_while_they_run_are_all_built_anew),
        T(a_restart_takes_up_what_runs_and_publishes_nothing),
        T(a_published_generation_nobody_knows_is_not_taken_up),
        T(the_ecmp_seed_stays_from_table_to_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
