// SPDX-License-Identifier: Apache-2.0
// See state.h.
#include <math.h>
#include <string.h>
#include "health/state.h"

#define MS 1000000ull

static uint64_t or_ms(uint32_t ms, uint32_t otherwise)
{
    return (ms ? ms : otherwise) * MS;
}

void health_rules_from(const struct health_wish *wish, struct health_rules *rules)
{
    const struct health_passive_wish *passive = &wish->passive;
    const struct health_damp_wish *damp = &wish->damp;

    *rules = (struct health_rules){
        .rise = wish->rise ? wish->rise : 2,
        .fall = wish->fall ? wish->fall : 3,
        .optimistic = wish->optimistic,
        .failures = passive->failures,
        .share_percent = passive->share_percent ? passive->share_percent : 50,
        .window_ns = or_ms(passive->window_ms, 1000),
        .hold_ns = or_ms(passive->hold_ms, 5000),
        .hold_most_ns = or_ms(passive->hold_most_ms, 300000),
        .half_life_ns = damp->half_life_ms * MS,
        .damp_most_ns = damp->most_ms ? damp->most_ms * MS : damp->half_life_ms * 4 * MS,
        .suppress = damp->suppress ? damp->suppress : 3000,
        .reuse = damp->reuse ? damp->reuse : 1000,
    };
    // A penalty above this would take longer than damp_most to decay to reuse (RFC 2439, 4.2).
    if (rules->half_life_ns)
        rules->ceiling = rules->reuse * exp2((double)rules->damp_most_ns / (double)rules->half_life_ns);
}

// ---- pace -------------------------------------------------------------------------------------------------------

// A member dies just after a check of it began. The next check begins an interval later, and each failure brings the
// next one after `fast`; the last of `fall` failures is known a timeout after it began:
//
//     interval + (fall - 1) x fast + timeout <= fall x interval + SLACK
//
// Checks of one member do not overlap, so timeout <= fast; the longest timeout is the one that equals it. `fast` is
// then the longest that still fits: a member that refuses at once keeps as much time to come back as can be given.
#define SLACK_MS 40 // of 50: the rest is for the schedule and the loop

uint32_t health_timeout_most_ms(uint32_t interval_ms, uint32_t fall)
{
    uint64_t most = ((uint64_t)(fall - 1) * interval_ms + SLACK_MS) / fall;

    return most < interval_ms ? (uint32_t)most : interval_ms;
}

void health_pace_from(const struct health_wish *wish, struct health_pace *pace)
{
    uint32_t fall = wish->fall ? wish->fall : 3;
    uint32_t timeout_ms =
        wish->timeout_ms ? wish->timeout_ms : health_timeout_most_ms(wish->interval_ms, fall);
    uint32_t over_ms =
        timeout_ms > SLACK_MS && fall > 1 ? (timeout_ms - SLACK_MS + fall - 2) / (fall - 1) : 0;
    uint32_t fast_ms = over_ms < wish->interval_ms ? wish->interval_ms - over_ms : 0;

    pace->interval_ns = wish->interval_ms * MS;
    pace->timeout_ns = timeout_ms * MS;
    pace->fast_ns = (fast_ms > timeout_ms ? fast_ms : timeout_ms) * MS;
}

uint32_t health_out_within_ms(const struct health_wish *wish)
{
    uint32_t fall = wish->fall ? wish->fall : 3;
    struct health_pace pace;

    health_pace_from(wish, &pace);
    return (uint32_t)((pace.interval_ns + (fall - 1) * pace.fast_ns + pace.timeout_ns) / MS) + 50 - SLACK_MS;
}

// ---- what is published ------------------------------------------------------------------------------------------

enum health_state health_machine_state(const struct health_machine *machine)
{
    if (machine->checked == HEALTH_UP && (machine->suppressed || machine->held_until_ns))
        return HEALTH_INHIBITED;
    return machine->checked;
}

enum health_reason health_machine_reason(const struct health_machine *machine)
{
    if (machine->checked != HEALTH_UP)
        return machine->reason;
    if (machine->suppressed)
        return HEALTH_BY_FLAPPING;
    return machine->held_until_ns ? HEALTH_BY_PASSIVE : machine->reason;
}

bool health_machine_in_doubt(const struct health_machine *machine)
{
    return machine->checked == HEALTH_CHECKING || (machine->checked == HEALTH_UP && machine->bad_run) ||
           (machine->checked == HEALTH_DOWN && machine->good_run);
}

void health_machine_init(struct health_machine *machine, const struct health_rules *rules)
{
    memset(machine, 0, sizeof(*machine));
    machine->checked = rules->optimistic ? HEALTH_UP : HEALTH_CHECKING;
    machine->reason = rules->optimistic ? HEALTH_BY_WISH : HEALTH_BY_NOTHING;
}

void health_machine_recall(struct health_machine *machine, enum health_state checked, double penalty,
                           bool suppressed, uint64_t now_ns)
{
    machine->checked = checked;
    machine->reason = HEALTH_BY_STORE;
    machine->penalty = penalty;
    machine->penalty_ns = now_ns;
    machine->suppressed = suppressed;
}

void health_machine_recall_hold(struct health_machine *machine, uint32_t trips, uint64_t held_until_ns,
                                uint64_t peace_at_ns)
{
    if (peace_at_ns == 0 && held_until_ns == 0)
        return;
    machine->trips = trips;
    machine->held_until_ns = held_until_ns;
    machine->peace_at_ns = peace_at_ns > held_until_ns ? peace_at_ns : held_until_ns;
}

// ---- damping ----------------------------------------------------------------------------------------------------

double health_machine_penalty(const struct health_machine *machine, const struct health_rules *rules,
                              uint64_t now_ns)
{
    if (!rules->half_life_ns || machine->penalty <= 0)
        return 0;
    uint64_t age_ns = now_ns > machine->penalty_ns ? now_ns - machine->penalty_ns : 0;
    return machine->penalty * exp2(-(double)age_ns / (double)rules->half_life_ns);
}

static void punish(struct health_machine *machine, const struct health_rules *rules, uint64_t now_ns)
{
    machine->losses++;
    if (!rules->half_life_ns)
        return;
    double penalty = health_machine_penalty(machine, rules, now_ns) + HEALTH_PENALTY;
    machine->penalty = penalty < rules->ceiling ? penalty : rules->ceiling;
    machine->penalty_ns = now_ns;
    if (machine->penalty > rules->suppress)
        machine->suppressed = true;
}

// When the penalty has decayed to reuse; a nanosecond later, so that rounding never makes a tick come for nothing.
static uint64_t reuse_at(const struct health_machine *machine, const struct health_rules *rules)
{
    if (!rules->half_life_ns || machine->penalty <= rules->reuse)
        return machine->penalty_ns;
    return machine->penalty_ns +
           (uint64_t)(log2(machine->penalty / rules->reuse) * (double)rules->half_life_ns) + 1;
}

// ---- verdicts ---------------------------------------------------------------------------------------------------

static void good(struct health_machine *machine, const struct health_rules *rules)
{
    machine->bad_run = 0;
    if (machine->checked == HEALTH_UP) {
        machine->reason = HEALTH_BY_CHECKS;
        return;
    }
    if (++machine->good_run < rules->rise)
        return;
    machine->checked = HEALTH_UP;
    machine->reason = HEALTH_BY_CHECKS;
    machine->good_run = 0;
}

static void bad(struct health_machine *machine, const struct health_rules *rules, uint64_t now_ns)
{
    machine->good_run = 0;
    if (machine->checked == HEALTH_DOWN) {
        machine->reason = HEALTH_BY_CHECKS;
        return;
    }
    // Admitted on trust, never seen to answer: no hysteresis to be had from that.
    bool trusted = machine->checked == HEALTH_UP && machine->reason == HEALTH_BY_WISH;
    if (++machine->bad_run < rules->fall && !trusted)
        return;
    if (machine->checked == HEALTH_UP && !trusted)
        punish(machine, rules, now_ns);
    machine->checked = HEALTH_DOWN;
    machine->reason = HEALTH_BY_CHECKS;
    machine->bad_run = 0;
}

bool health_machine_verdict(struct health_machine *machine, const struct health_rules *rules,
                            enum health_verdict verdict, uint64_t now_ns)
{
    enum health_state before = health_machine_state(machine);

    health_machine_tick(machine, rules, now_ns);
    if (verdict == HEALTH_GOOD)
        good(machine, rules);
    else if (verdict == HEALTH_BAD)
        bad(machine, rules, now_ns);
    return health_machine_state(machine) != before;
}

// ---- passive signals --------------------------------------------------------------------------------------------

static void hold(struct health_machine *machine, const struct health_rules *rules, uint64_t now_ns)
{
    uint64_t hold_ns = rules->hold_ns;

    for (uint32_t i = 0; i < machine->trips && hold_ns < rules->hold_most_ns; i++)
        hold_ns *= 2;
    if (hold_ns > rules->hold_most_ns)
        hold_ns = rules->hold_most_ns;
    machine->trips++;
    machine->held_until_ns = now_ns + hold_ns;
    machine->peace_at_ns = machine->held_until_ns + rules->hold_most_ns;
    machine->window_until_ns = 0;
}

bool health_machine_passive(struct health_machine *machine, const struct health_rules *rules,
                            uint32_t bad_count, uint32_t good_count, uint64_t now_ns)
{
    enum health_state before = health_machine_state(machine);

    health_machine_tick(machine, rules, now_ns);
    // Held back or down, what still comes is the tail of old flows.
    if (rules->failures == 0 || machine->checked != HEALTH_UP || machine->held_until_ns)
        return health_machine_state(machine) != before;
    if (now_ns >= machine->window_until_ns) {
        machine->window_until_ns = now_ns + rules->window_ns;
        machine->window_bad = machine->window_good = 0;
    }
    machine->window_bad += bad_count;
    machine->window_good += good_count;
    uint64_t all = (uint64_t)machine->window_bad + machine->window_good;
    if (machine->window_bad >= rules->failures && machine->window_bad * 100ull >= all * rules->share_percent)
        hold(machine, rules, now_ns);
    return health_machine_state(machine) != before;
}

// ---- time -------------------------------------------------------------------------------------------------------

bool health_machine_tick(struct health_machine *machine, const struct health_rules *rules, uint64_t now_ns)
{
    enum health_state before = health_machine_state(machine);

    if (machine->held_until_ns && now_ns >= machine->held_until_ns)
        machine->held_until_ns = 0;
    if (machine->trips && !machine->held_until_ns && now_ns >= machine->peace_at_ns)
        machine->trips = 0;
    if (machine->suppressed && now_ns >= reuse_at(machine, rules))
        machine->suppressed = false;
    return health_machine_state(machine) != before;
}

uint64_t health_machine_due(const struct health_machine *machine, const struct health_rules *rules)
{
    uint64_t due = machine->held_until_ns ? machine->held_until_ns : UINT64_MAX;
    uint64_t reuse = machine->suppressed ? reuse_at(machine, rules) : UINT64_MAX;

    return due < reuse ? due : reuse;
}
