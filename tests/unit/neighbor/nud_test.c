// SPDX-License-Identifier: Apache-2.0
// Neighbor unreachability detection on virtual time: the states of RFC 4861 section 7.3.2 and appendix C.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "neighbor/nud.h"
#include "neighbor/table.h"

static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0xa};
static const uint8_t mac_b[6] = {2, 0, 0, 0, 0, 0xb};
static const struct nud_answer solicited = {.mac = mac_a, .solicited = true, .override = true};

struct life { // an entry and its clock
    struct nud nud;
    uint32_t now_ms, changed_ms, due_ms;
    bool used;
    uint32_t asked_all, asked_one;
};

static enum sl_neighbor_state state_of(const struct life *life)
{
    return neighbor_state(life->nud.word);
}

static void settle(struct life *life, enum sl_neighbor_state before)
{
    if (state_of(life) != before)
        life->changed_ms = life->now_ms;
    if (life->nud.wait_ms)
        life->due_ms = life->now_ms + life->nud.wait_ms;
    life->asked_all += !!(life->nud.actions & NUD_ASK_ALL);
    life->asked_one += !!(life->nud.actions & NUD_ASK_ONE);
}

static void start(struct life *life)
{
    *life = (struct life){.now_ms = 1000};
    nud_start(&life->nud, &nud_times_default);
    settle(life, SL_NEIGHBOR_FREE);
}

// On to the next time the timer is due.
static void expire(struct life *life)
{
    enum sl_neighbor_state before = state_of(life);

    life->now_ms = life->due_ms;
    nud_expire(&life->nud, &nud_times_default, life->used, life->now_ms - life->changed_ms);
    life->used = false;
    settle(life, before);
}

static void answer(struct life *life, const struct nud_answer *what)
{
    enum sl_neighbor_state before = state_of(life);

    nud_answer(&life->nud, &nud_times_default, what, UINT32_MAX / 2);
    settle(life, before);
}

static void claim(struct life *life, const uint8_t mac[6])
{
    enum sl_neighbor_state before = state_of(life);

    nud_claim(&life->nud, &nud_times_default, mac);
    settle(life, before);
}

static void assert_mac(const struct life *life, const uint8_t mac[6])
{
    uint8_t is[6];

    neighbor_word_mac(life->nud.word, is);
    assert_memory_equal(is, mac, 6);
}

static void a_new_neighbor_is_asked_for_three_times_then_failed(void **state)
{
    struct life life;

    (void)state;
    start(&life);
    assert_int_equal(state_of(&life), SL_NEIGHBOR_INCOMPLETE);
    expire(&life);
    expire(&life);
    assert_int_equal(state_of(&life), SL_NEIGHBOR_INCOMPLETE);
    assert_int_equal(life.asked_all, 3);
    expire(&life);
    assert_int_equal(life.now_ms, 1000 + 3 * nud_times_default.retransmit_ms);
    assert_int_equal(state_of(&life), SL_NEIGHBOR_FAILED);
    assert_int_equal(life.nud.actions, NUD_FAIL);
    expire(&life);
    assert_int_equal(life.nud.actions, NUD_FORGET);
}

static void an_answer_makes_it_reachable_and_releases_what_waits(void **state)
{
    struct life life;

    (void)state;
    start(&life);
    answer(&life, &solicited);
    assert_int_equal(state_of(&life), SL_NEIGHBOR_REACHABLE);
    assert_int_equal(life.nud.actions, NUD_RELEASE);
    assert_mac(&life, mac_a);
}

static void reachable_time_is_spread_around_its_mean(void **state)
{
    struct life life;
    uint32_t mean = nud_times_default.reachable_ms;

    (void)state;
    for (uint64_t random = 0; random <= UINT32_MAX; random += 1 << 28) {
        start(&life);
        nud_answer(&life.nud, &nud_times_default, &solicited, (uint32_t)random);
        assert_in_range(life.nud.wait_ms, mean / 2, mean + mean / 2);
    }
}

static void a_used_neighbor_is_probed_by_unicast_and_never_stale(void **state)
{
    struct life life;

    (void)state;
    start(&life);
    for (int turn = 0; turn < 10; turn++) {
        answer(&life, &solicited);
        life.used = true;
        expire(&life);
        assert_int_equal(state_of(&life), SL_NEIGHBOR_PROBE);
        assert_true(neighbor_usable(life.nud.word));
    }
    assert_int_equal(life.asked_one, 10);
    assert_int_equal(life.asked_all, 1);
}

static void an_unused_neighbor_turns_stale_and_is_forgotten_late(void **state)
{
    struct life life;

    (void)state;
    start(&life);
    answer(&life, &solicited);
    expire(&life);
    assert_int_equal(state_of(&life), SL_NEIGHBOR_STALE);
    assert_true(neighbor_usable(life.nud.word));
    uint32_t since = life.now_ms;
    for (int i = 0; i < 5000 && !(life.nud.actions & NUD_FORGET); i++)
        expire(&life);
    assert_int_equal(life.now_ms - since, nud_times_default.stale_forget_ms);
    assert_int_equal(life.asked_one, 0);
}

static void a_stale_neighbor_in_use_is_delayed_then_probed(void **state)
{
    struct life life;

    (void)state;
    start(&life);
    answer(&life, &solicited);
    expire(&life);
    life.used = true;
    expire(&life);
    assert_int_equal(state_of(&life), SL_NEIGHBOR_DELAY);
    uint32_t since = life.now_ms;
    expire(&life);
    assert_int_equal(life.now_ms - since, nud_times_default.delay_ms);
    assert_int_equal(state_of(&life), SL_NEIGHBOR_PROBE);
    answer(&life, &solicited);
    assert_int_equal(state_of(&life), SL_NEIGHBOR_REACHABLE);
}

static void a_silent_neighbor_is_asked_for_by_multicast_before_it_fails(void **state)
{
    struct life life;

    (void)state;
    start(&life);
    answer(&life, &solicited);
    life.used = true;
    for (int i = 0; i < 4; i++)
        expire(&life);
    assert_int_equal(life.asked_one, 3);
    assert_int_equal(state_of(&life), SL_NEIGHBOR_INCOMPLETE);
    assert_false(neighbor_usable(life.nud.word));
    for (int i = 0; i < 3; i++)
        expire(&life);
    assert_int_equal(life.asked_all, 1 + 3);
    assert_int_equal(state_of(&life), SL_NEIGHBOR_FAILED);
}

static void an_answer_after_the_failure_still_counts(void **state)
{
    struct life life;

    (void)state;
    start(&life);
    for (int i = 0; i < 3; i++)
        expire(&life);
    assert_int_equal(state_of(&life), SL_NEIGHBOR_FAILED);
    answer(&life, &solicited);
    assert_int_equal(state_of(&life), SL_NEIGHBOR_REACHABLE);
}

static void another_mac_without_override_only_raises_doubt(void **state)
{
    struct life life;
    struct nud_answer other = {.mac = mac_b, .solicited = true};

    (void)state;
    start(&life);
    answer(&life, &solicited);
    answer(&life, &other);
    assert_int_equal(state_of(&life), SL_NEIGHBOR_STALE);
    assert_mac(&life, mac_a);
}

static void another_mac_with_override_is_taken_and_doubted(void **state)
{
    struct life life;
    struct nud_answer other = {.mac = mac_b, .override = true};

    (void)state;
    start(&life);
    answer(&life, &solicited);
    answer(&life, &other);
    assert_int_equal(state_of(&life), SL_NEIGHBOR_STALE);
    assert_mac(&life, mac_b);
}

static void an_announcement_of_the_same_mac_changes_nothing(void **state)
{
    struct life life;
    struct nud_answer same = {.mac = mac_a, .override = true};

    (void)state;
    start(&life);
    answer(&life, &solicited);
    answer(&life, &same);
    assert_int_equal(state_of(&life), SL_NEIGHBOR_REACHABLE);
    assert_int_equal(life.nud.wait_ms, 0);
}

static void a_solicited_answer_without_a_mac_confirms(void **state)
{
    struct life life;
    struct nud_answer bare = {.solicited = true};

    (void)state;
    start(&life);
    answer(&life, &bare);
    assert_int_equal(state_of(&life), SL_NEIGHBOR_INCOMPLETE);
    answer(&life, &solicited);
    expire(&life);
    assert_int_equal(state_of(&life), SL_NEIGHBOR_STALE);
    answer(&life, &bare);
    assert_int_equal(state_of(&life), SL_NEIGHBOR_REACHABLE);
    assert_mac(&life, mac_a);
}

static void a_claim_is_believed_but_not_as_proof_of_reachability(void **state)
{
    struct life life;

    (void)state;
    start(&life);
    claim(&life, mac_a);
    assert_int_equal(state_of(&life), SL_NEIGHBOR_STALE);
    assert_int_equal(life.nud.actions, NUD_RELEASE);
    answer(&life, &solicited);
    claim(&life, mac_a);
    assert_int_equal(state_of(&life), SL_NEIGHBOR_REACHABLE);
    claim(&life, mac_b);
    assert_int_equal(state_of(&life), SL_NEIGHBOR_STALE);
    assert_mac(&life, mac_b);
}

static void a_static_neighbor_is_moved_by_nothing(void **state)
{
    struct life life = {.nud = {.word = neighbor_word(mac_a, SL_NEIGHBOR_STATIC)}};
    struct nud_answer other = {.mac = mac_b, .solicited = true, .override = true};

    (void)state;
    answer(&life, &other);
    claim(&life, mac_b);
    life.used = true;
    expire(&life);
    assert_int_equal(state_of(&life), SL_NEIGHBOR_STATIC);
    assert_mac(&life, mac_a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_neighbor_is_asked_for_three_times_then_failed),
        cmocka_unit_test(an_answer_makes_it_reachable_and_releases_what_waits),
        cmocka_unit_test(reachable_time_is_spread_around_its_mean),
        cmocka_unit_test(a_used_neighbor_is_probed_by_unicast_and_never_stale),
        cmocka_unit_test(an_unused_neighbor_turns_stale_and_is_forgotten_late),
        cmocka_unit_test(a_stale_neighbor_in_use_is_delayed_then_probed),
        cmocka_unit_test(a_silent_neighbor_is_asked_for_by_multicast_before_it_fails),
        cmocka_unit_test(an_answer_after_the_failure_still_counts),
        cmocka_unit_test(another_mac_without_override_only_raises_doubt),
        cmocka_unit_test(another_mac_with_override_is_taken_and_doubted),
        cmocka_unit_test(an_announcement_of_the_same_mac_changes_nothing),
        cmocka_unit_test(a_solicited_answer_without_a_mac_confirms),
        cmocka_unit_test(a_claim_is_believed_but_not_as_proof_of_reachability),
        cmocka_unit_test(a_static_neighbor_is_moved_by_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
