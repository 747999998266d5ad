// SPDX-License-Identifier: Apache-2.0
// What the engine tells who asks: one member, all together, and the words for it. See health.h.
#include <errno.h>
#include <string.h>
#include "health/engine.h"

const char *health_kind_name(enum health_kind kind)
{
    return kind < HEALTH_KINDS ? check_kind_of(kind)->name : "?";
}

const char *health_state_name(enum health_state state)
{
    static const char *const name[] = {"checking", "up", "down", "inhibited"};

    return name[state];
}

const char *health_reason_text(enum health_reason reason)
{
    static const char *const text[] = {
        "not checked yet",
        "by its checks",
        "admitted before its first check",
        "as before the restart",
        "held back: no answers, or resets, seen in traffic",
        "held back: it came and went too often",
    };

    return text[reason];
}

static uint64_t ms_until(uint64_t when_ns, uint64_t now_ns)
{
    return when_ns > now_ns ? (when_ns - now_ns + 999999) / 1000000 : 0;
}

int health_status(const struct health *health, uint64_t id, struct health_status *status)
{
    const struct target *target = target_find(health, id);

    if (!target)
        return -ENOENT;
    status->state = health_machine_state(&target->machine);
    status->reason = health_machine_reason(&target->machine);
    status->since_ms = target->since_ms;
    return 0;
}

int health_look(const struct health *health, uint64_t id, struct health_report *report)
{
    const struct target *target = target_find(health, id);
    uint64_t now_ns = clock_ns();

    if (!target)
        return -ENOENT;
    const struct health_machine *machine = &target->machine;
    uint64_t due_ns = health_machine_due(machine, &target->rules);
    *report = (struct health_report){
        .last = target->said,
        .last_at_ms = target->last_at_ms,
        .last_us = target->last_us,
        .last_counted = target->last_verdict != HEALTH_NOT_CHECKED,
        .good = target->good,
        .bad = target->bad,
        .not_checked = target->not_checked,
        .losses = machine->losses,
        .run = machine->good_run + machine->bad_run,
        .next_in_ms = target->running ? 0 : ms_until(target->planned_ns, now_ns),
        .held_for_ms = due_ns == UINT64_MAX ? 0 : ms_until(due_ns, now_ns),
        .penalty = (uint32_t)health_machine_penalty(machine, &target->rules, now_ns),
        .timeout_ms = (uint32_t)(target->pace.timeout_ns / 1000000),
        .fast_ms = (uint32_t)(target->pace.fast_ns / 1000000),
    };
    return health_status(health, id, &report->status);
}

void health_totals(const struct health *health, struct health_totals *totals)
{
    uint64_t states[4] = {0};
    uint64_t late_ns = health->late_ns > health->late_before_ns ? health->late_ns : health->late_before_ns;

    for (uint32_t i = 0; i < health->targets; i++)
        states[health_machine_state(&health->target[i]->machine)]++;
    *totals = (struct health_totals){
        .targets = health->targets,
        .running = (uint64_t)health->running[LANE_CHECK] + health->running[LANE_SCRIPT],
        .waiting = health->waiting,
        .checks = health->checks,
        .good = health->verdicts[HEALTH_GOOD],
        .bad = health->verdicts[HEALTH_BAD],
        .not_checked = health->verdicts[HEALTH_NOT_CHECKED],
        .up = states[HEALTH_UP],
        .down = states[HEALTH_DOWN],
        .checking = states[HEALTH_CHECKING],
        .inhibited = states[HEALTH_INHIBITED],
        .late_ms = late_ns / 1000000,
    };
    memcpy(totals->environment, health->environment, sizeof(totals->environment));
}
