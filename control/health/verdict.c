// SPDX-License-Identifier: Apache-2.0
// How a check ends: what it held is let go, the verdict goes to the state machine, the next check is planned, and a
// changed state is published at once. See engine.h.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "health/engine.h"

void target_publish(struct health *health, struct target *target)
{
    target->since_ms = clock_unix_ms();
    store_dirty(health);
    struct health_status status = {health_machine_state(&target->machine),
                                   health_machine_reason(&target->machine), target->since_ms};
    if (health->hooks.changed)
        health->hooks.changed(health->hooks.context, target->id, &status);
}

static void let_go(struct health *health, struct target *target)
{
    target->kind->stop(health, target);
    target->running = false;
    health->running[target->kind->lane]--;
}

void check_abandon(struct health *health, struct target *target)
{
    if (target->running)
        let_go(health, target);
    schedule_dequeue(health, target);
}

static void end(struct health *health, struct target *target, enum health_verdict verdict)
{
    uint64_t now_ns = clock_ns();

    let_go(health, target);
    target->last_us = (uint32_t)((now_ns - target->started_ns) / 1000);
    target->last_at_ms = clock_unix_ms();
    target->last_verdict = verdict;
    health->verdicts[verdict]++;
    *(verdict == HEALTH_GOOD  ? &target->good
      : verdict == HEALTH_BAD ? &target->bad
                              : &target->not_checked) += 1;
    bool changed = health_machine_verdict(&target->machine, &target->rules, verdict, now_ns);
    schedule_next(health, target);
    if (changed)
        target_publish(health, target);
}

void check_good(struct health *health, struct target *target, const char *lasting_text)
{
    target->said = lasting_text;
    end(health, target, HEALTH_GOOD);
}

void check_bad(struct health *health, struct target *target, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(target->said_text, sizeof(target->said_text), format, args);
    va_end(args);
    target->said = target->said_text;
    end(health, target, HEALTH_BAD);
}

void check_not_checked(struct health *health, struct target *target, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(target->said_text, sizeof(target->said_text), format, args);
    va_end(args);
    target->said = target->said_text;
    snprintf(health->environment, sizeof(health->environment), "%s", target->said_text);
    end(health, target, HEALTH_NOT_CHECKED);
}

void check_failed(struct health *health, struct target *target, const char *what, int error)
{
    if (error_is_ours(error))
        check_not_checked(health, target, "not checked: %s: %s", what, error_word(error));
    else
        check_bad(health, target, "%s: %s", what, error_word(error));
}
