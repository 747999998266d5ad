// SPDX-License-Identifier: Apache-2.0
// sluiced is killed with SIGKILL at every step of an apply, in a process of its own. Whoever starts next finds the old
// config or the new one, whole: in shared memory and on disk they are the same one, and the next apply works.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "fixture.h"

#define VIA(last) (SL_NEXTHOP_GATEWAY * 256u + (last))
#define OLD_ROUTES                                                                                           \
    "routes: [{prefix: 203.0.113.0/24, via: [{address: 198.51.100.21}]}, {prefix: 192.0.2.0/24, via: "       \
    "[{address: 198.51.100.21}]}]\n"
#define NEW_ROUTES                                                                                           \
    "routes: [{prefix: 203.0.113.0/24, via: [{address: 198.51.100.22}]}, {prefix: 192.0.2.0/24, via: "       \
    "[{address: 198.51.100.22}]}]\n"
#define ONLY_IN_NEW                                                                                          \
    "nat: {pools: [{name: p, addresses: [198.51.100.100]}], source: [{inside: [10.0.0.0/24], port: wan, "    \
    "pool: p}]}\n"

struct killing {
    struct fixture *fixture;
    enum apply_step step;
};

static void kill_at(void *context, enum apply_step step)
{
    struct fixture *fixture = context;
    const struct killing *killing = fixture->applier.done_context;

    if (killing && step == killing->step)
        kill(getpid(), SIGKILL);
}

static void never_called(void *context, const struct apply_outcome *outcome)
{
}

// The child: applies, with a data plane that takes what is published, until it is killed.
static void apply_until_killed(struct fixture *fixture, const char *text, enum apply_step step,
                               uint32_t confirm_s)
{
    struct killing killing = {fixture, step};
    struct apply_request request = {
        .text = text, .length = strlen(text), .path = "new.yaml", .user = "tester", .confirm_s = confirm_s};

    fixture->applier.hooks.step = kill_at;
    apply_start(&fixture->applier, &request, fixture->now_ns, never_called, &killing);
    fixture_dp_take(fixture);
    apply_tick(&fixture->applier, fixture->now_ns);
    _exit(step == APPLY_STEP_DONE ? 1 : 2); // the step never came: the test must not pass for that
}

static void run_and_kill(struct fixture *fixture, const char *text, enum apply_step step, uint32_t confirm_s)
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0)
        apply_until_killed(fixture, text, step, confirm_s);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        fail_msg("step %d was never reached (status %d)", step, status);
}

// What daemon.c does with each answer, in the test's words.
static void start_again(struct fixture *fixture)
{
    enum take_up what = fixture_restart(fixture);

    if (what == TAKE_UP_PENDING) {
        fixture_dp_take(fixture);
        fixture_tick(fixture);
    } else if (what == TAKE_UP_REBUILD) {
        struct stored running;
        assert_int_equal(stored_read(fixture->state_dir, STORED_RUNNING, &running, NULL), 0);
        struct apply_request request = {.text = running.text, .rebuild = true};
        fixture_apply_request(fixture, &request);
        fixture_dp_take(fixture);
        fixture_tick(fixture);
        stored_fini(&running);
    } else {
        assert_int_equal(what, TAKE_UP_RUNNING);
    }
    assert_false(apply_busy(&fixture->applier));
    assert_non_null(fixture->applier.running);
}

// Both routes by the same gateway, in the table and in the stored text: nothing of one config in the other.
static bool is_whole(struct fixture *fixture, unsigned last)
{
    char gateway[32];
    struct stored running;

    snprintf(gateway, sizeof(gateway), "198.51.100.%u", last);
    assert_int_equal(stored_read(fixture->state_dir, STORED_RUNNING, &running, NULL), 0);
    bool stored = strstr(running.text, gateway) != NULL;
    stored_fini(&running);
    return stored && strstr(fixture->applier.running->stored.text, gateway) &&
           fixture_lookup(fixture, "203.0.113.1") == VIA(last) &&
           fixture_lookup(fixture, "192.0.2.1") == VIA(last);
}

static void kill_at_every_step(const char *old_text, const char *new_text, uint32_t confirm_s)
{
    for (unsigned step = 0; step < APPLY_STEPS; step++) {
        struct fixture fixture;
        fixture_open(&fixture);
        fixture_dp_start(&fixture, 2);
        assert_true(fixture_apply_live(&fixture, old_text));
        run_and_kill(&fixture, new_text, step, confirm_s);
        start_again(&fixture);
        bool old = is_whole(&fixture, 21), new = is_whole(&fixture, 22);
        if (old == new)
            fail_msg("killed at step %u: neither the old config nor the new one", step);
        if (step < APPLY_STEP_BUILT && new)
            fail_msg("killed at step %u: the new config before anything was built", step);
        if (step > APPLY_STEP_PUBLISHED && old)
            fail_msg("killed at step %u: the old config after the new one was live", step);
        if (new &&confirm_s)
            assert_int_equal(fixture.applier.confirm_deadline_ns, fixture.now_ns + confirm_s * SECOND_NS);
        // And on it goes.
        assert_true(fixture_apply_live(&fixture, new_text));
        assert_true(is_whole(&fixture, 22));
        assert_true(fixture_apply_live(&fixture, old_text));
        assert_true(is_whole(&fixture, 21));
        fixture_close(&fixture);
    }
}

static void killed_at_any_step_of_a_whole_apply_one_config_is_whole(void **state)
{
    char old_text[4096], new_text[4096];

    kill_at_every_step(fixture_config(OLD_ROUTES, old_text), fixture_config(NEW_ROUTES ONLY_IN_NEW, new_text),
                       0);
}

static void killed_at_any_step_of_a_change_in_place_one_config_is_whole(void **state)
{
    char old_text[4096], new_text[4096];

    kill_at_every_step(fixture_config(OLD_ROUTES, old_text), fixture_config(NEW_ROUTES, new_text), 0);
}

// One of the two routes is changed when the kill comes.
static void change_one_then_die(void *context, enum apply_step step)
{
    struct fixture *fixture = context;
    struct sl_rib_way way = {.kind = SL_NEXTHOP_GATEWAY, .port = 1, .weight = 1};
    struct sl_prefix prefix;

    if (step != APPLY_STEP_PENDING)
        return;
    sl_ip_parse("198.51.100.22", &way.gateway);
    sl_prefix_parse("203.0.113.0/24", &prefix);
    sl_rib_set(fixture->applier.live.rib, &prefix, &way, 1);
    kill(getpid(), SIGKILL);
}

static void killed_amid_a_change_in_place_the_old_routes_are_built_anew(void **state)
{
    char old_text[4096], new_text[4096];
    struct fixture f;
    int status;

    fixture_open(&f);
    fixture_dp_start(&f, 1);
    assert_true(fixture_apply_live(&f, fixture_config(OLD_ROUTES, old_text)));
    fixture_config(NEW_ROUTES, new_text);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        f.applier.hooks.step = change_one_then_die;
        fixture_apply(&f, new_text, 0);
        _exit(1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(fixture_lookup(&f, "203.0.113.1"), VIA(22)); // torn: one route of each config
    assert_int_equal(fixture_lookup(&f, "192.0.2.1"), VIA(21));
    start_again(&f);
    assert_true(is_whole(&f, 21));
    fixture_close(&f);
}

static void killed_at_any_step_the_wish_to_be_confirmed_is_not_forgotten(void **state)
{
    char old_text[4096], new_text[4096];

    kill_at_every_step(fixture_config(OLD_ROUTES, old_text), fixture_config(NEW_ROUTES ONLY_IN_NEW, new_text),
                       60);
}

static void killed_while_unconfirmed_the_old_config_comes_back(void **state)
{
    char old_text[4096], new_text[4096];
    struct apply_request who = {.user = "clock"};
    struct fixture f;

    fixture_open(&f);
    fixture_dp_start(&f, 1);
    assert_true(fixture_apply_live(&f, fixture_config(OLD_ROUTES, old_text)));
    run_and_kill(&f, fixture_config(NEW_ROUTES, new_text), APPLY_STEP_DONE, 60);
    start_again(&f);
    assert_true(is_whole(&f, 22));
    f.now_ns += 60 * SECOND_NS;
    assert_true(f.applier.confirm_deadline_ns && f.now_ns >= f.applier.confirm_deadline_ns);
    assert_int_equal(apply_revert_unconfirmed(&f.applier, &who, f.now_ns, fixture_done, &f), 0);
    fixture_dp_take(&f);
    fixture_tick(&f);
    assert_true(is_whole(&f, 21));
    fixture_close(&f);
}

static void a_published_generation_the_data_plane_refuses_after_the_kill_gives_way(void **state)
{
    char old_text[4096], new_text[4096];
    struct fixture f;

    fixture_open(&f);
    fixture_dp_start(&f, 1);
    assert_true(fixture_apply_live(&f, fixture_config(OLD_ROUTES, old_text)));
    run_and_kill(&f, fixture_config(NEW_ROUTES, new_text), APPLY_STEP_PUBLISHED, 0);
    assert_int_equal(fixture_restart(&f), TAKE_UP_PENDING);
    fixture_dp_refuse(&f, "no");
    fixture_tick(&f);
    fixture_dp_take(&f);
    fixture_tick(&f);
    assert_false(apply_busy(&f.applier));
    assert_int_equal(f.outcome.status, APPLY_REFUSED);
    assert_true(is_whole(&f, 21));
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_any_step_of_a_whole_apply_one_config_is_whole),
        cmocka_unit_test(killed_at_any_step_of_a_change_in_place_one_config_is_whole),
        cmocka_unit_test(killed_amid_a_change_in_place_the_old_routes_are_built_anew),
        cmocka_unit_test(killed_at_any_step_the_wish_to_be_confirmed_is_not_forgotten),
        cmocka_unit_test(killed_while_unconfirmed_the_old_config_comes_back),
        cmocka_unit_test(a_published_generation_the_data_plane_refuses_after_the_kill_gives_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
