// SPDX-License-Identifier: Apache-2.0
// A member's state under virtual time: a test for each rule, and random histories against a reference that keeps no
// state but the history.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include "health/state.h"
#include "random.h"

#define MS     1000000ull
#define SECOND (1000 * MS)

struct subject {
    struct health_wish wish;
    struct health_rules rules;
    struct health_machine machine;
    uint64_t now_ns;
};

static struct subject subject_of(struct health_wish wish)
{
    struct subject subject = {.wish = wish, .now_ns = 1000 * SECOND};

    if (!subject.wish.interval_ms)
        subject.wish.interval_ms = 1000;
    health_rules_from(&subject.wish, &subject.rules);
    health_machine_init(&subject.machine, &subject.rules);
    return subject;
}

static bool see(struct subject *subject, enum health_verdict verdict)
{
    subject->now_ns += SECOND;
    return health_machine_verdict(&subject->machine, &subject->rules, verdict, subject->now_ns);
}

static void see_many(struct subject *subject, enum health_verdict verdict, unsigned count)
{
    while (count-- > 0)
        see(subject, verdict);
}

static enum health_state state(const struct subject *subject)
{
    return health_machine_state(&subject->machine);
}

static enum health_reason reason(const struct subject *subject)
{
    return health_machine_reason(&subject->machine);
}

static bool pass_ms(struct subject *subject, uint64_t ms)
{
    subject->now_ns += ms * MS;
    return health_machine_tick(&subject->machine, &subject->rules, subject->now_ns);
}

static bool passive(struct subject *subject, uint32_t bad, uint32_t good)
{
    return health_machine_passive(&subject->machine, &subject->rules, bad, good, subject->now_ns);
}

static void lose_and_return(struct subject *subject)
{
    see_many(subject, HEALTH_BAD, subject->rules.fall);
    see_many(subject, HEALTH_GOOD, subject->rules.rise);
}

// ---- rise and fall ----------------------------------------------------------------------------------------------

static void a_new_member_is_admitted_after_rise(void **unused)
{
    struct subject subject = subject_of((struct health_wish){.rise = 3});

    assert_int_equal(state(&subject), HEALTH_CHECKING);
    assert_int_equal(reason(&subject), HEALTH_BY_NOTHING);
    assert_false(see(&subject, HEALTH_GOOD));
    assert_false(see(&subject, HEALTH_GOOD));
    assert_int_equal(state(&subject), HEALTH_CHECKING);
    assert_true(see(&subject, HEALTH_GOOD));
    assert_int_equal(state(&subject), HEALTH_UP);
    assert_int_equal(reason(&subject), HEALTH_BY_CHECKS);
}

static void a_new_member_that_fails_is_down_after_fall(void **unused)
{
    struct subject subject = subject_of((struct health_wish){.fall = 2});

    assert_false(see(&subject, HEALTH_BAD));
    assert_true(see(&subject, HEALTH_BAD));
    assert_int_equal(state(&subject), HEALTH_DOWN);
    assert_int_equal(subject.machine.losses, 0); // never had
}

static void failures_must_be_in_a_row(void **unused)
{
    struct subject subject = subject_of((struct health_wish){.rise = 2, .fall = 3});

    see_many(&subject, HEALTH_GOOD, 2);
    for (unsigned i = 0; i < 10; i++) {
        see_many(&subject, HEALTH_BAD, 2);
        assert_int_equal(state(&subject), HEALTH_UP);
        see(&subject, HEALTH_GOOD);
    }
    see_many(&subject, HEALTH_BAD, 3);
    assert_int_equal(state(&subject), HEALTH_DOWN);
    for (unsigned i = 0; i < 10; i++) {
        see(&subject, HEALTH_GOOD);
        see(&subject, HEALTH_BAD);
        assert_int_equal(state(&subject), HEALTH_DOWN);
    }
    see_many(&subject, HEALTH_GOOD, 2);
    assert_int_equal(state(&subject), HEALTH_UP);
}

static void what_was_not_checked_moves_nothing(void **unused)
{
    struct subject subject = subject_of((struct health_wish){.rise = 2, .fall = 2});

    see(&subject, HEALTH_GOOD);
    see_many(&subject, HEALTH_NOT_CHECKED, 100);
    assert_int_equal(state(&subject), HEALTH_CHECKING);
    assert_true(see(&subject, HEALTH_GOOD)); // the count from before stands
    see(&subject, HEALTH_BAD);
    see_many(&subject, HEALTH_NOT_CHECKED, 100);
    assert_int_equal(state(&subject), HEALTH_UP);
    assert_true(see(&subject, HEALTH_BAD));
}

static void an_optimistic_member_is_out_at_its_first_failure(void **unused)
{
    struct subject subject = subject_of((struct health_wish){.optimistic = true, .fall = 3});

    assert_int_equal(state(&subject), HEALTH_UP);
    assert_int_equal(reason(&subject), HEALTH_BY_WISH);
    assert_true(see(&subject, HEALTH_BAD));
    assert_int_equal(state(&subject), HEALTH_DOWN);
    // Once seen good it has the same patience as any.
    subject = subject_of((struct health_wish){.optimistic = true, .fall = 3});
    see(&subject, HEALTH_GOOD);
    see_many(&subject, HEALTH_BAD, 2);
    assert_int_equal(state(&subject), HEALTH_UP);
}

static void a_restart_changes_nothing_until_verdicts_do(void **unused)
{
    struct subject subject = subject_of((struct health_wish){.rise = 2, .fall = 3});

    health_machine_recall(&subject.machine, HEALTH_UP, 0, false, subject.now_ns);
    assert_int_equal(state(&subject), HEALTH_UP);
    assert_int_equal(reason(&subject), HEALTH_BY_STORE);
    see_many(&subject, HEALTH_BAD, 2);
    assert_int_equal(state(&subject), HEALTH_UP);
    see(&subject, HEALTH_BAD);
    assert_int_equal(state(&subject), HEALTH_DOWN);

    subject = subject_of((struct health_wish){.rise = 2, .fall = 3});
    health_machine_recall(&subject.machine, HEALTH_DOWN, 0, false, subject.now_ns);
    see(&subject, HEALTH_GOOD);
    assert_int_equal(state(&subject), HEALTH_DOWN);
    see(&subject, HEALTH_GOOD);
    assert_int_equal(state(&subject), HEALTH_UP);
}

static void doubt_hurries_the_next_check(void **unused)
{
    struct subject subject = subject_of((struct health_wish){.rise = 2, .fall = 2});

    assert_true(health_machine_in_doubt(&subject.machine));
    see_many(&subject, HEALTH_GOOD, 2);
    assert_false(health_machine_in_doubt(&subject.machine));
    see(&subject, HEALTH_BAD);
    assert_true(health_machine_in_doubt(&subject.machine));
    see(&subject, HEALTH_BAD);
    assert_false(health_machine_in_doubt(&subject.machine));
    see(&subject, HEALTH_GOOD);
    assert_true(health_machine_in_doubt(&subject.machine));
}

// ---- pace -------------------------------------------------------------------------------------------------------

// For all intervals and falls: with the longest allowed timeout a dead member is out in time, and checks of one member
// do not overlap.
static void a_dead_member_is_out_within_fall_intervals_and_50_ms(void **unused)
{
    for (uint32_t interval = 10; interval <= 20000; interval += 1 + interval / 7)
        for (uint32_t fall = 1; fall <= 10; fall++) {
            uint32_t most = health_timeout_most_ms(interval, fall);
            for (uint32_t timeout = 1; timeout <= most; timeout += 1 + most / 13) {
                struct health_wish wish = {.interval_ms = interval, .fall = fall, .timeout_ms = timeout};
                struct health_pace pace;
                health_pace_from(&wish, &pace);
                uint64_t out_ns = pace.interval_ns + (fall - 1) * pace.fast_ns + pace.timeout_ns;
                if (pace.fast_ns < pace.timeout_ns || pace.fast_ns > pace.interval_ns ||
                    out_ns > (uint64_t)fall * interval * MS + 40 * MS ||
                    health_out_within_ms(&wish) > fall * interval + 50)
                    fail_msg("interval %u fall %u timeout %u", interval, fall, timeout);
            }
        }
    assert_int_equal(health_timeout_most_ms(1000, 3), 680);
    assert_int_equal(health_timeout_most_ms(1000, 1), 40);
    // A longer timeout is honoured, and the time it then takes is told.
    struct health_wish slow = {.interval_ms = 1000, .fall = 3, .timeout_ms = 1000};
    assert_int_equal(health_out_within_ms(&slow), 4010);
}

// ---- damping ----------------------------------------------------------------------------------------------------

static const struct health_wish damped = {.rise = 1, .fall = 1, .damp = {.half_life_ms = 60000}};

static void a_flapping_member_is_held_back_until_its_penalty_decays(void **unused)
{
    struct subject subject = subject_of(damped);

    see(&subject, HEALTH_GOOD);
    for (unsigned i = 0; i < 3; i++) {
        lose_and_return(&subject);
        assert_int_equal(state(&subject), HEALTH_UP);
    }
    lose_and_return(&subject);
    assert_int_equal(state(&subject), HEALTH_INHIBITED);
    assert_int_equal(reason(&subject), HEALTH_BY_FLAPPING);
    assert_int_equal(subject.machine.losses, 4);
    // It must fall below reuse, not only below suppress, and it is due in that very moment.
    uint64_t due_ns = health_machine_due(&subject.machine, &subject.rules);
    double want_s =
        log2(health_machine_penalty(&subject.machine, &subject.rules, subject.now_ns) / 1000) * 60;
    assert_true(fabs((double)(due_ns - subject.now_ns) / 1e9 - want_s) < 1e-6);
    assert_true(want_s > 100);
    subject.now_ns = due_ns - 1 * MS;
    assert_false(pass_ms(&subject, 0));
    assert_int_equal(state(&subject), HEALTH_INHIBITED);
    assert_true(pass_ms(&subject, 1));
    assert_int_equal(state(&subject), HEALTH_UP);
    assert_int_equal(health_machine_due(&subject.machine, &subject.rules), UINT64_MAX);
}

static void losses_far_apart_are_not_flapping(void **unused)
{
    struct subject subject = subject_of(damped);

    see(&subject, HEALTH_GOOD);
    for (unsigned i = 0; i < 50; i++) {
        lose_and_return(&subject);
        pass_ms(&subject, 60000);
        assert_int_equal(state(&subject), HEALTH_UP);
    }
}

static void nobody_is_held_back_longer_than_the_most(void **unused)
{
    struct subject subject = subject_of(damped);

    see(&subject, HEALTH_GOOD);
    for (unsigned i = 0; i < 500; i++)
        lose_and_return(&subject);
    assert_int_equal(state(&subject), HEALTH_INHIBITED);
    pass_ms(&subject, 4 * 60000 + 10);
    assert_int_equal(state(&subject), HEALTH_UP);
}

static void a_member_down_while_held_back_is_down(void **unused)
{
    struct subject subject = subject_of(damped);

    see(&subject, HEALTH_GOOD);
    for (unsigned i = 0; i < 5; i++)
        lose_and_return(&subject);
    assert_true(see(&subject, HEALTH_BAD));
    assert_int_equal(state(&subject), HEALTH_DOWN);
    assert_true(see(&subject, HEALTH_GOOD));
    assert_int_equal(state(&subject), HEALTH_INHIBITED);
}

static void a_penalty_survives_a_restart(void **unused)
{
    struct subject subject = subject_of(damped);

    health_machine_recall(&subject.machine, HEALTH_UP, 4000, true, subject.now_ns);
    assert_int_equal(state(&subject), HEALTH_INHIBITED);
    pass_ms(&subject, 119999);
    assert_int_equal(state(&subject), HEALTH_INHIBITED);
    pass_ms(&subject, 2);
    assert_int_equal(state(&subject), HEALTH_UP);
}

// ---- passive signals --------------------------------------------------------------------------------------------

static const struct health_wish watched = {
    .rise = 1,
    .fall = 1,
    .passive = {
        .failures = 10, .share_percent = 50, .window_ms = 1000, .hold_ms = 5000, .hold_most_ms = 60000}};

static struct subject watched_and_up(void)
{
    struct subject subject = subject_of(watched);

    see(&subject, HEALTH_GOOD);
    return subject;
}

static void a_hold_survives_a_restart_and_its_back_off_too(void **unused)
{
    struct subject other = subject_of(watched);

    health_machine_recall(&other.machine, HEALTH_UP, 0, false, other.now_ns);
    health_machine_recall_hold(&other.machine, 1, other.now_ns + 3000 * MS, other.now_ns + 63000 * MS);
    assert_int_equal(state(&other), HEALTH_INHIBITED);
    pass_ms(&other, 2999);
    assert_int_equal(state(&other), HEALTH_INHIBITED);
    pass_ms(&other, 2);
    assert_int_equal(state(&other), HEALTH_UP);
    health_machine_passive(&other.machine, &other.rules, 10, 0, other.now_ns);
    pass_ms(&other, 9999); // twice as long as the first time
    assert_int_equal(state(&other), HEALTH_INHIBITED);
    pass_ms(&other, 2);
    assert_int_equal(state(&other), HEALTH_UP);
}

static void silence_seen_by_the_data_plane_holds_a_member_back(void **unused)
{
    struct subject subject = watched_and_up();

    assert_false(passive(&subject, 9, 0));
    assert_true(passive(&subject, 1, 0));
    assert_int_equal(state(&subject), HEALTH_INHIBITED);
    assert_int_equal(reason(&subject), HEALTH_BY_PASSIVE);
    assert_int_equal(health_machine_due(&subject.machine, &subject.rules), subject.now_ns + 5000 * MS);
    see(&subject, HEALTH_GOOD); // good checks do not shorten it: they do not see what the packets saw
    assert_int_equal(state(&subject), HEALTH_INHIBITED);
    assert_false(pass_ms(&subject, 3999));
    assert_true(pass_ms(&subject, 1));
    assert_int_equal(state(&subject), HEALTH_UP);
}

static void failures_among_many_answers_are_no_sign(void **unused)
{
    struct subject subject = watched_and_up();

    assert_false(passive(&subject, 100, 101));
    assert_int_equal(state(&subject), HEALTH_UP);
    assert_true(passive(&subject, 1, 0));
}

static void failures_of_different_windows_do_not_add_up(void **unused)
{
    struct subject subject = watched_and_up();

    for (unsigned i = 0; i < 20; i++) {
        assert_false(passive(&subject, 9, 0));
        pass_ms(&subject, 1000);
    }
    assert_int_equal(state(&subject), HEALTH_UP);
}

static void holding_back_grows_and_starts_over_in_peace(void **unused)
{
    struct subject subject = watched_and_up();
    const uint64_t want_ms[] = {5000, 10000, 20000, 40000, 60000, 60000};

    for (unsigned i = 0; i < 6; i++) {
        assert_true(passive(&subject, 10, 0));
        assert_false(pass_ms(&subject, want_ms[i] - 1));
        assert_true(pass_ms(&subject, 1));
    }
    pass_ms(&subject, 59999);
    assert_int_equal(subject.machine.trips, 6);
    pass_ms(&subject, 1);
    passive(&subject, 10, 0);
    assert_true(pass_ms(&subject, 5000));
}

static void signals_about_a_member_that_is_out_are_ignored(void **unused)
{
    struct subject subject = watched_and_up();

    see(&subject, HEALTH_BAD);
    assert_false(passive(&subject, 1000, 0));
    see(&subject, HEALTH_GOOD);
    assert_int_equal(state(&subject), HEALTH_UP);
    struct subject off = subject_of((struct health_wish){.rise = 1});
    see(&off, HEALTH_GOOD);
    assert_false(passive(&off, 1000, 0)); // not wished
}

// ---- against a reference ----------------------------------------------------------------------------------------

#define EVENTS 400

struct past {
    enum { PAST_VERDICT, PAST_PASSIVE, PAST_TICK } what;
    enum health_verdict verdict;
    uint32_t bad, good;
    uint64_t at_ns;
};

// The last moment at which a run of verdicts of one kind was long enough tells what the checks say. No state is kept:
// each call looks at the whole history.
static enum health_state checked_after(const struct past *past, unsigned count,
                                       const struct health_rules *rules)
{
    for (unsigned end = count; end > 0; end--) {
        unsigned run = 0;
        enum health_verdict kind = past[end - 1].verdict;
        if (past[end - 1].what != PAST_VERDICT || kind == HEALTH_NOT_CHECKED)
            continue;
        for (unsigned i = end; i > 0; i--) {
            if (past[i - 1].what != PAST_VERDICT || past[i - 1].verdict == HEALTH_NOT_CHECKED)
                continue;
            if (past[i - 1].verdict != kind)
                break;
            run++;
        }
        if (run >= (kind == HEALTH_GOOD ? rules->rise : rules->fall))
            return kind == HEALTH_GOOD ? HEALTH_UP : HEALTH_DOWN;
    }
    return HEALTH_CHECKING;
}

// Damping from the list of losses alone: the sum of decayed penalties, cut at the ceiling at each loss. Held back since
// the last loss that brought it over suppress, unless it was under reuse at some time since.
static bool suppressed_after(const uint64_t *loss_ns, unsigned losses, uint64_t now_ns,
                             const struct health_rules *rules)
{
    double penalty = 0;
    bool suppressed = false;

    for (unsigned i = 0; i <= losses; i++) {
        uint64_t at_ns = i < losses ? loss_ns[i] : now_ns;
        if (i > 0)
            penalty *= pow(0.5, (double)(at_ns - loss_ns[i - 1]) / (double)rules->half_life_ns);
        if (penalty <= rules->reuse)
            suppressed = false;
        if (i == losses)
            break;
        penalty = fmin(penalty + 1000, rules->ceiling);
        suppressed = suppressed || penalty > rules->suppress;
    }
    return suppressed;
}

static struct past random_past(struct test_random *random, uint64_t now_ns, bool *failing)
{
    struct past past = {.at_ns = now_ns};
    uint32_t dice = test_random_below(random, 100);

    if (test_random_below(random, 8) == 0)
        *failing = !*failing;
    past.what = dice < 80 ? PAST_VERDICT : PAST_TICK;
    past.verdict = dice < 5    ? HEALTH_NOT_CHECKED
                   : dice < 70 ? (*failing ? HEALTH_BAD : HEALTH_GOOD)
                               : (*failing ? HEALTH_GOOD : HEALTH_BAD);
    return past;
}

static void random_history(struct test_random *random)
{
    struct health_wish wish = {.rise = 1 + test_random_below(random, 4),
                               .fall = 1 + test_random_below(random, 4),
                               .damp = {.half_life_ms = 1000 + test_random_below(random, 30000)}};
    struct subject subject = subject_of(wish);
    struct past past[EVENTS];
    uint64_t loss_ns[EVENTS];
    unsigned losses = 0;
    bool failing = false;
    enum health_state checked = HEALTH_CHECKING, published = HEALTH_CHECKING;

    for (unsigned i = 0; i < EVENTS; i++) {
        subject.now_ns += 1 + test_random_below(random, 3000) * MS;
        past[i] = random_past(random, subject.now_ns, &failing);
        bool changed =
            past[i].what == PAST_TICK
                ? health_machine_tick(&subject.machine, &subject.rules, subject.now_ns)
                : health_machine_verdict(&subject.machine, &subject.rules, past[i].verdict, subject.now_ns);
        enum health_state now_checked = checked_after(past, i + 1, &subject.rules);
        if (checked == HEALTH_UP && now_checked == HEALTH_DOWN)
            loss_ns[losses++] = subject.now_ns;
        checked = now_checked;
        bool held = checked == HEALTH_UP && suppressed_after(loss_ns, losses, subject.now_ns, &subject.rules);
        enum health_state want = held ? HEALTH_INHIBITED : checked;
        assert_int_equal(state(&subject), want);
        assert_int_equal(changed, want != published);
        published = want;
    }
    assert_int_equal(subject.machine.losses, losses);
}

static void random_histories_agree_with_the_reference(void **unused)
{
    struct test_random random = test_random_start("health state");

    for (unsigned i = 0; i < 300; i++)
        random_history(&random);
}

// The naive reading of holding back: every window since the last hold is summed from the list of signals.
static void random_signals_agree_with_the_reference(void **unused)
{
    struct test_random random = test_random_start("health passive");

    for (unsigned round = 0; round < 300; round++) {
        struct subject subject = watched_and_up();
        uint64_t window_from = 0, held_until = 0, last_end = 0;
        uint32_t bad = 0, good = 0, doubled = 0;
        for (unsigned i = 0; i < EVENTS; i++) {
            subject.now_ns += test_random_below(&random, i % 50 == 0 ? 200000 : 400) * MS;
            uint32_t more_bad = test_random_below(&random, 5), more_good = test_random_below(&random, 5);
            passive(&subject, more_bad, more_good);
            if (subject.now_ns >= held_until) {
                if (last_end && subject.now_ns >= last_end + 60 * SECOND)
                    doubled = 0;
                if (!window_from || subject.now_ns >= window_from + SECOND)
                    window_from = subject.now_ns, bad = good = 0;
                bad += more_bad;
                good += more_good;
                if (bad >= 10 && bad >= good) {
                    uint64_t hold = 5 * SECOND << doubled;
                    last_end = held_until = subject.now_ns + (hold < 60 * SECOND ? hold : 60 * SECOND);
                    doubled += doubled < 20;
                    window_from = 0;
                }
            }
            assert_int_equal(state(&subject), subject.now_ns < held_until ? HEALTH_INHIBITED : HEALTH_UP);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_member_is_admitted_after_rise),
        cmocka_unit_test(a_new_member_that_fails_is_down_after_fall),
        cmocka_unit_test(failures_must_be_in_a_row),
        cmocka_unit_test(what_was_not_checked_moves_nothing),
        cmocka_unit_test(an_optimistic_member_is_out_at_its_first_failure),
        cmocka_unit_test(a_restart_changes_nothing_until_verdicts_do),
        cmocka_unit_test(doubt_hurries_the_next_check),
        cmocka_unit_test(a_dead_member_is_out_within_fall_intervals_and_50_ms),
        cmocka_unit_test(a_flapping_member_is_held_back_until_its_penalty_decays),
        cmocka_unit_test(losses_far_apart_are_not_flapping),
        cmocka_unit_test(nobody_is_held_back_longer_than_the_most),
        cmocka_unit_test(a_member_down_while_held_back_is_down),
        cmocka_unit_test(a_penalty_survives_a_restart),
        cmocka_unit_test(a_hold_survives_a_restart_and_its_back_off_too),
        cmocka_unit_test(silence_seen_by_the_data_plane_holds_a_member_back),
        cmocka_unit_test(failures_among_many_answers_are_no_sign),
        cmocka_unit_test(failures_of_different_windows_do_not_add_up),
        cmocka_unit_test(holding_back_grows_and_starts_over_in_peace),
        cmocka_unit_test(signals_about_a_member_that_is_out_are_ignored),
        cmocka_unit_test(random_histories_agree_with_the_reference),
        cmocka_unit_test(random_signals_agree_with_the_reference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
