// SPDX-License-Identifier: Apache-2.0
// What a member counts for: config, operator and checks together, in the table at once, over applies and restarts. The
// checks are real ones, of a program that looks for a file.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "balance/balance.h"
#include "fixture.h"
#include "table/balance_read.h"

#define SERVICE "services: [{name: web, addresses: [198.51.100.80], protocol: tcp, ports: 80, pool: web}]\n"
#define PLAIN   SERVICE "pools: [{name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12}]}]\n"

static struct fixture f;
static struct event_base *base;
static struct balance *balance;
static unsigned said;

static void say(void *context, const char *text)
{
    said++;
}

static void live(void *context, const struct snapshot *snapshot)
{
    balance_sync(balance);
}

static void member_state(void *context, const struct sl_config_server_pool *pool,
                         const struct sl_config_member *member, const struct balance_member_key *key,
                         struct member_state *state)
{
    balance_member_state(balance, pool, member, key, state);
}

static void begin(void)
{
    base = event_base_new();
    f.applier.hooks.live = live;
    f.applier.hooks.member_state = member_state;
    balance = balance_new(base, &f.applier, &(struct balance_say){.say = say});
    assert_non_null(balance);
}

static void end(void)
{
    balance_free(balance);
    event_base_free(base);
}

static int setup(void **state)
{
    signal(SIGPIPE, SIG_IGN);
    fixture_open(&f);
    begin();
    fixture_dp_start(&f, 1);
    said = 0;
    return 0;
}

static int teardown(void **state)
{
    end();
    fixture_close(&f);
    return 0;
}

static void apply(const char *more)
{
    char text[4096];

    assert_true(fixture_apply_live(&f, fixture_config(more, text)));
    assert_int_equal(f.outcome.status, APPLY_OK);
}

// As after kill -9: what is not on disk or in the run directory is gone. Returns how often the table was changed once
// it was taken up.
static uint64_t restart(void)
{
    end();
    assert_int_equal(fixture_restart(&f), TAKE_UP_RUNNING);
    uint64_t epoch = balance_live_table(&f.applier.balance)->epoch;
    begin();
    balance_sync(balance);
    return balance_live_table(&f.applier.balance)->epoch - epoch;
}

static void loop_ms(unsigned ms)
{
    struct timeval time = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};

    event_base_loopexit(base, &time);
    event_base_dispatch(base);
}

static const struct balance_member_key *key_of(const char *text)
{
    struct sl_error error = {{0}};
    const struct balance_member_key *key = balance_find(balance, "web", text, &error);

    if (!key)
        fail_msg("%s", error.text);
    return key;
}

static const struct sl_balance_member *in_table(const char *text)
{
    const struct sl_balance_member *member =
        sl_balance_member_by_slot(balance_live_table(&f.applier.balance), key_of(text)->slot);

    assert_non_null(member);
    return member;
}

static enum sl_balance_state state_of(const char *text)
{
    return sl_balance_word_state(in_table(text)->word);
}

static unsigned weight_of(const char *text)
{
    return sl_balance_word_weight(in_table(text)->word);
}

static struct balance_view look(const char *text)
{
    struct balance_view view;

    assert_true(balance_look(balance, key_of(text), &view));
    return view;
}

static void operate(const char *text, enum balance_operation operation, uint32_t deadline_s)
{
    struct sl_error error = {{0}};

    if (balance_operate(balance, key_of(text), operation, deadline_s, "joe", &error))
        fail_msg("%s", error.text);
}

static void members_are_found_by_what_people_write(void **state)
{
    struct sl_error error;

    apply("services: [{name: web, addresses: ['2001:db8::80'], protocol: tcp, ports: 80, pool: web}]\n"
          "pools: [{name: web, members: [{address: 'fd00::11', port: 80}, {address: 'fd00::11', port: 81}, "
          "{address: 'fd00::12'}]}]\n");
    assert_int_equal(key_of("[fd00::11]:81")->port, 81);
    assert_int_equal(key_of("fd00::12")->port, 0);
    assert_int_equal(key_of("[fd00::12]")->port, 0);
    assert_null(balance_find(balance, "web", "fd00::11", &error));
    assert_string_equal(error.text, "pool web has several members fd00::11: name the port too");
    assert_null(balance_find(balance, "web", "fd00::13", &error));
    assert_string_equal(error.text, "pool web has no member fd00::13: 'sluicectl pool web' lists them");
    assert_null(balance_find(balance, "web", "server1", &error));
    assert_non_null(strstr(error.text, "'server1' is not a member"));
}

static void what_the_operator_says_is_in_the_table_at_once(void **state)
{
    static const struct {
        enum balance_operation operation;
        enum sl_balance_state state;
        const char *why;
    } cases[] = {
        {BALANCE_OPERATION_DRAIN, SL_BALANCE_DRAIN, "drained by joe, until it is empty"},
        {BALANCE_OPERATION_DISABLE, SL_BALANCE_DOWN, "disabled by joe"},
        {BALANCE_OPERATION_FLUSH, SL_BALANCE_FLUSH, "flushed by joe"},
        {BALANCE_OPERATION_ENABLE, SL_BALANCE_UP, "not checked"},
    };
    char why[128];

    apply(PLAIN);
    for (unsigned i = 0; i < 4; i++) {
        operate("10.0.0.11", cases[i].operation, 0);
        assert_int_equal(state_of("10.0.0.11"), cases[i].state);
        assert_int_equal(state_of("10.0.0.12"), SL_BALANCE_UP);
        struct balance_view view = look("10.0.0.11");
        balance_why(&view, why, sizeof(why));
        assert_string_equal(why, cases[i].why);
    }
    assert_null(look("10.0.0.11").override); // enabled as the config says: nothing is left of it
}

static void a_weight_is_in_the_table_at_once(void **state)
{
    struct sl_error error;

    apply(PLAIN);
    assert_int_equal(balance_set_weight(balance, key_of("10.0.0.11"), 30, "joe", &error), 0);
    assert_int_equal(weight_of("10.0.0.11"), 30 * BALANCE_SCALE);
    assert_int_equal(look("10.0.0.11").weight, 30);
    assert_int_equal(balance_set_weight(balance, key_of("10.0.0.11"), 100, "joe", &error), 0);
    assert_int_equal(weight_of("10.0.0.11"), 100 * BALANCE_SCALE);
    assert_null(look("10.0.0.11").override);
}

static void a_restart_changes_nothing(void **state)
{
    struct sl_error error;

    apply(PLAIN);
    operate("10.0.0.11", BALANCE_OPERATION_DRAIN, 1000);
    assert_int_equal(balance_set_weight(balance, key_of("10.0.0.12"), 7, "joe", &error), 0);
    uint64_t since = in_table("10.0.0.11")->since_ns;
    assert_int_equal(restart(), 0);
    assert_int_equal(state_of("10.0.0.11"), SL_BALANCE_DRAIN);
    assert_int_equal(in_table("10.0.0.11")->since_ns, since);
    assert_int_equal(weight_of("10.0.0.12"), 7 * BALANCE_SCALE);
    assert_string_equal(look("10.0.0.11").override->user, "joe");
    assert_true(look("10.0.0.11").override->deadline_ms > 0);
}

static void an_apply_keeps_what_it_does_not_speak_of(void **state)
{
    struct sl_error error;

    apply(PLAIN);
    operate("10.0.0.11", BALANCE_OPERATION_DISABLE, 0);
    assert_int_equal(balance_set_weight(balance, key_of("10.0.0.11"), 30, "joe", &error), 0);
    apply(SERVICE "pools: [{name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.13}]}]\n");
    assert_int_equal(state_of("10.0.0.11"), SL_BALANCE_DOWN); // in the new table
    assert_int_equal(weight_of("10.0.0.11"), 30 * BALANCE_SCALE);
    assert_int_equal(said, 0);
    // The config's own weight is the newer word; the disabling stands.
    apply(SERVICE
          "pools: [{name: web, members: [{address: 10.0.0.11, weight: 50}, {address: 10.0.0.13}]}]\n");
    assert_int_equal(weight_of("10.0.0.11"), 50 * BALANCE_SCALE);
    assert_int_equal(state_of("10.0.0.11"), SL_BALANCE_DOWN);
    assert_int_equal(said, 1);
    // A member that went comes back without it.
    apply(SERVICE "pools: [{name: web, members: [{address: 10.0.0.13}]}]\n");
    apply(SERVICE
          "pools: [{name: web, members: [{address: 10.0.0.11, weight: 50}, {address: 10.0.0.13}]}]\n");
    assert_int_equal(state_of("10.0.0.11"), SL_BALANCE_UP);
}

static void a_member_disabled_in_the_config_can_be_enabled(void **state)
{
    apply(SERVICE
          "pools: [{name: web, members: [{address: 10.0.0.11, enabled: false}, {address: 10.0.0.12}]}]\n");
    assert_int_equal(state_of("10.0.0.11"), SL_BALANCE_DOWN);
    assert_int_equal(look("10.0.0.11").by, BALANCE_BY_CONFIG);
    operate("10.0.0.11", BALANCE_OPERATION_ENABLE, 0);
    assert_int_equal(state_of("10.0.0.11"), SL_BALANCE_UP);
    restart();
    assert_int_equal(state_of("10.0.0.11"), SL_BALANCE_UP);
    apply(PLAIN); // enabled there: the runtime change is gone
    assert_null(look("10.0.0.11").override);
}

static void a_drain_ends_at_its_deadline(void **state)
{
    apply(PLAIN);
    operate("10.0.0.11", BALANCE_OPERATION_DRAIN, 1);
    loop_ms(500);
    assert_int_equal(state_of("10.0.0.11"), SL_BALANCE_DRAIN);
    loop_ms(1600);
    assert_int_equal(state_of("10.0.0.11"), SL_BALANCE_FLUSH);
}

static void who_comes_back_starts_slowly(void **state)
{
    unsigned before, after;

    apply(SERVICE
          "pools: [{name: web, slow-start: 3, members: [{address: 10.0.0.11}, {address: 10.0.0.12}]}]\n");
    assert_int_equal(weight_of("10.0.0.11"), 100 * BALANCE_SCALE); // new members of a new pool do not
    operate("10.0.0.11", BALANCE_OPERATION_DISABLE, 0);
    operate("10.0.0.11", BALANCE_OPERATION_ENABLE, 0);
    assert_in_range(before = weight_of("10.0.0.11"), 1, 20 * BALANCE_SCALE);
    assert_in_range(look("10.0.0.11").ramp_ends_in_ms, 2000, 3000);
    loop_ms(1500);
    assert_in_range(after = weight_of("10.0.0.11"), before + 1, 60 * BALANCE_SCALE);
    restart(); // it goes on from there
    assert_in_range(weight_of("10.0.0.11"), after, 90 * BALANCE_SCALE);
    loop_ms(2600);
    assert_int_equal(weight_of("10.0.0.11"), 100 * BALANCE_SCALE);
    assert_int_equal(look("10.0.0.11").ramp_ends_in_ms, 0);
}

// ---- checks -----------------------------------------------------------------------------------------------------

static const char *well(void) // the file whose presence means that members are well
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/well", f.dir);
    return path;
}

static void make_well(bool is)
{
    if (is)
        close(open(well(), O_CREAT | O_WRONLY, 0644));
    else
        unlink(well());
}

static void apply_checked(const char *more)
{
    char text[2048];

    snprintf(text, sizeof(text),
             SERVICE "pools: [{name: web, members: [{address: 10.0.0.11}], health: {type: script, script: "
                     "/usr/bin/test, arguments: [-e, '%s'], interval: 50, rise: 2, fall: 2%s}}]\n",
             well(), more);
    apply(text);
}

static void checks_move_the_member_in_the_table(void **state)
{
    make_well(true);
    apply_checked("");
    loop_ms(300);
    assert_int_equal(state_of("10.0.0.11"), SL_BALANCE_UP);
    assert_int_equal(look("10.0.0.11").by, BALANCE_BY_HEALTH);
    make_well(false);
    loop_ms(400);
    assert_int_equal(state_of("10.0.0.11"), SL_BALANCE_DOWN);
    make_well(true);
    loop_ms(400);
    assert_int_equal(state_of("10.0.0.11"), SL_BALANCE_UP);
}

static void who_is_not_known_yet_gets_nothing_new_where_the_pool_says_so(void **state)
{
    make_well(true);
    apply_checked(", optimistic: false");
    assert_int_equal(state_of("10.0.0.11"), SL_BALANCE_DRAIN);
    loop_ms(400);
    assert_int_equal(state_of("10.0.0.11"), SL_BALANCE_UP);
}

static void what_the_checks_knew_is_known_after_a_restart(void **state)
{
    make_well(false);
    apply_checked("");
    loop_ms(400);
    assert_int_equal(state_of("10.0.0.11"), SL_BALANCE_DOWN);
    uint64_t since = in_table("10.0.0.11")->since_ns;
    restart();
    assert_int_equal(state_of("10.0.0.11"), SL_BALANCE_DOWN); // though the pool is optimistic
    assert_int_equal(in_table("10.0.0.11")->since_ns, since);
}

static void a_store_that_is_older_than_the_table_is_not_believed(void **state)
{
    char path[160], before[176];

    make_well(false);
    apply_checked("");
    loop_ms(1600); // down, and stored
    snprintf(path, sizeof(path), "%s/health.json", f.state_dir);
    snprintf(before, sizeof(before), "%s.before", path);
    assert_int_equal(link(path, before), 0);
    make_well(true);
    loop_ms(400);
    assert_int_equal(state_of("10.0.0.11"), SL_BALANCE_UP);
    uint64_t since = in_table("10.0.0.11")->since_ns;
    end();
    assert_int_equal(rename(before, path), 0); // killed before it was stored
    assert_int_equal(fixture_restart(&f), TAKE_UP_RUNNING);
    begin();
    balance_sync(balance);
    assert_int_equal(state_of("10.0.0.11"), SL_BALANCE_UP);
    loop_ms(1500);
    assert_int_equal(in_table("10.0.0.11")->since_ns, since);
    // And where the member died while nobody looked, the checks are believed in the end.
    end();
    make_well(false);
    assert_int_equal(fixture_restart(&f), TAKE_UP_RUNNING);
    begin();
    balance_sync(balance);
    loop_ms(1500);
    assert_int_equal(state_of("10.0.0.11"), SL_BALANCE_DOWN);
}

static void what_the_checks_knew_counts_for_a_table_built_anew(void **state)
{
    struct sl_error error;

    make_well(false);
    apply_checked("");
    loop_ms(400);
    end();
    // As after a reboot: the run directory is gone, the state directory is there.
    apply_fini(&f.applier);
    sl_board_close(f.board);
    char command[256];
    snprintf(command, sizeof(command), "rm -rf %s/*", f.run_dir);
    assert_int_equal(system(command), 0);
    assert_int_equal(sl_board_open(f.run_dir, &f.board, &error), 0);
    apply_init(&f.applier, f.run_dir, f.state_dir, f.board, NULL);
    begin();
    fixture_dp_start(&f, 1);
    apply_checked("");
    assert_int_equal(state_of("10.0.0.11"), SL_BALANCE_DOWN);
}

static void the_severest_word_counts_and_the_operator_s_before_others(void **state)
{
    make_well(false);
    apply_checked("");
    operate("10.0.0.11", BALANCE_OPERATION_DRAIN, 0);
    assert_int_equal(look("10.0.0.11").by, BALANCE_BY_OPERATOR);
    loop_ms(400);
    assert_int_equal(state_of("10.0.0.11"), SL_BALANCE_DOWN); // it died while it drained
    assert_int_equal(look("10.0.0.11").by, BALANCE_BY_HEALTH);
    operate("10.0.0.11", BALANCE_OPERATION_DISABLE, 0);
    assert_int_equal(look("10.0.0.11").by, BALANCE_BY_OPERATOR);
    operate("10.0.0.11", BALANCE_OPERATION_ENABLE, 0);
    assert_int_equal(state_of("10.0.0.11"), SL_BALANCE_DOWN); // enabling heals nobody
}

static void a_pool_that_is_checked_no_more_is_up(void **state)
{
    make_well(false);
    apply_checked("");
    loop_ms(400);
    assert_int_equal(state_of("10.0.0.11"), SL_BALANCE_DOWN);
    apply(SERVICE "pools: [{name: web, members: [{address: 10.0.0.11}]}]\n");
    assert_int_equal(state_of("10.0.0.11"), SL_BALANCE_UP);
}

static void a_check_that_cannot_be_is_told_and_the_member_serves(void **state)
{
    apply(SERVICE "pools: [{name: web, members: [{address: 10.0.0.11}], health: {type: script, script: "
                  "/nonexistent}}]\n");
    assert_int_equal(state_of("10.0.0.11"), SL_BALANCE_UP);
    assert_non_null(strstr(look("10.0.0.11").not_checked, "/nonexistent"));
    assert_int_equal(said, 1);
}

static void a_damaged_file_of_runtime_changes_is_told(void **state)
{
    char path[160];

    apply(PLAIN);
    operate("10.0.0.11", BALANCE_OPERATION_DISABLE, 0);
    snprintf(path, sizeof(path), "%s/balance.json", f.state_dir);
    assert_int_equal(truncate(path, 20), 0);
    said = 0;
    restart();
    assert_int_equal(said, 1);
    assert_int_equal(state_of("10.0.0.11"), SL_BALANCE_UP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(members_are_found_by_what_people_write),
        CASE(what_the_operator_says_is_in_the_table_at_once),
        CASE(a_weight_is_in_the_table_at_once),
        CASE(a_restart_changes_nothing),
        CASE(an_apply_keeps_what_it_does_not_speak_of),
        CASE(a_member_disabled_in_the_config_can_be_enabled),
        CASE(a_drain_ends_at_its_deadline),
        CASE(who_comes_back_starts_slowly),
        CASE(checks_move_the_member_in_the_table),
        CASE(who_is_not_known_yet_gets_nothing_new_where_the_pool_says_so),
        CASE(what_the_checks_knew_is_known_after_a_restart),
        CASE(a_store_that_is_older_than_the_table_is_not_believed),
        CASE(what_the_checks_knew_counts_for_a_table_built_anew),
        CASE(the_severest_word_counts_and_the_operator_s_before_others),
        CASE(a_pool_that_is_checked_no_more_is_up),
        CASE(a_check_that_cannot_be_is_told_and_the_member_serves),
        CASE(a_damaged_file_of_runtime_changes_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
