// SPDX-License-Identifier: Apache-2.0
// What follows for a member: of all who say something the severest counts, up < drain < down < flush; of equals the
// operator before the config before the checks. A member that was not up and is now starts slowly where its pool says
// so. The note in the table carries who decided and when the slow start began, for the sluiced that comes after.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "balance/member.h"

#define NS_PER_MS  1000000ull
#define RAMP_LEAST 20 // a slow start begins with one in so many of the weight

// by: 4 bits | what the checks said: 4 | when the slow start began: 56
static uint64_t note_of(enum balance_by by, enum health_state health, uint64_t ramp_ms)
{
    return (uint64_t)by | (uint64_t)health << 4 | ramp_ms << 8;
}

enum balance_by effect_by(uint64_t note)
{
    return (enum balance_by)(note & 0xf);
}

enum health_state effect_health(uint64_t note)
{
    return (enum health_state)(note >> 4 & 0xf);
}

uint64_t effect_ramp_ms(uint64_t note)
{
    return note >> 8;
}

struct verdict {
    enum sl_balance_state state;
    enum balance_by by;
};

static void says(struct verdict *verdict, enum sl_balance_state state, enum balance_by by)
{
    if (state > verdict->state)
        *verdict = (struct verdict){state, by};
}

static enum sl_balance_state operator_says(const struct balance_override *override, uint64_t now_ms)
{
    switch (override->operation) {
    case BALANCE_OPERATION_DRAIN:
        return override->deadline_ms && !override->empty && now_ms >= override->deadline_ms
                   ? SL_BALANCE_FLUSH
                   : SL_BALANCE_DRAIN;
    case BALANCE_OPERATION_DISABLE:
        return SL_BALANCE_DOWN;
    case BALANCE_OPERATION_FLUSH:
        return SL_BALANCE_FLUSH;
    case BALANCE_OPERATION_NONE:
    case BALANCE_OPERATION_ENABLE:
        break;
    }
    return SL_BALANCE_UP;
}

// Only what the checks call down is down: a member that is held back, or not known yet, keeps the flows it has.
static enum sl_balance_state health_says(enum health_state state)
{
    return state == HEALTH_UP ? SL_BALANCE_UP : state == HEALTH_DOWN ? SL_BALANCE_DOWN : SL_BALANCE_DRAIN;
}

static struct verdict verdict_of(const struct member *member, uint64_t now_ms)
{
    const struct balance_override *override = member->override;
    bool enabled = member->enabled || (override && override->operation == BALANCE_OPERATION_ENABLE);
    struct verdict verdict = {SL_BALANCE_UP, member->checked ? BALANCE_BY_HEALTH : BALANCE_BY_NOBODY};

    if (override)
        says(&verdict, operator_says(override, now_ms), BALANCE_BY_OPERATOR);
    if (!enabled)
        says(&verdict, SL_BALANCE_DOWN, BALANCE_BY_CONFIG);
    if (member->checked)
        says(&verdict, health_says(member->health.state), BALANCE_BY_HEALTH);
    return verdict;
}

static uint16_t weight_of(struct member *member, uint64_t now_ms)
{
    const struct balance_override *override = member->override;
    uint64_t whole = (override && override->weight >= 0 ? (uint32_t) override->weight : member->weight) *
                     (uint64_t)BALANCE_SCALE;

    // A clock set back ends it: nobody shall start slowly for ever.
    if (member->ramp_ms && (now_ms < member->ramp_ms || now_ms - member->ramp_ms >= member->slow_start_ms))
        member->ramp_ms = 0;
    if (!member->ramp_ms || whole == 0)
        return (uint16_t)whole;
    uint64_t part = whole * (now_ms - member->ramp_ms) / member->slow_start_ms;
    uint64_t least = whole / RAMP_LEAST ? whole / RAMP_LEAST : 1;
    return (uint16_t)(part > least ? part : least);
}

void effect_of(struct member *member, uint64_t now_ms, struct member_state *state)
{
    struct verdict verdict = verdict_of(member, now_ms);
    bool comes = verdict.state == SL_BALANCE_UP && member->now.state != SL_BALANCE_UP;

    if (verdict.state != SL_BALANCE_UP)
        member->ramp_ms = 0;
    else if (comes && member->slow_start_ms)
        member->ramp_ms = now_ms;
    *state = (struct member_state){
        .state = (uint8_t)verdict.state,
        .weight = weight_of(member, now_ms),
        .since_ns = member->now.since_ns && verdict.state == member->now.state ? member->now.since_ns
                                                                               : now_ms * NS_PER_MS,
    };
    state->note = note_of(verdict.by, member->checked ? member->health.state : HEALTH_UP, member->ramp_ms);
}

static bool queue(struct balance *balance, const struct member *member)
{
    if (balance->change_count == balance->change_room) {
        uint32_t room = balance->change_room ? 2 * balance->change_room : 64;
        struct member_change *wider = realloc(balance->change, room * sizeof(*wider));
        if (!wider)
            return false;
        balance->change = wider;
        balance->change_room = room;
    }
    balance->change[balance->change_count++] =
        (struct member_change){.slot = member->key.slot, .state = member->now};
    return true;
}

void effect_renew(struct balance *balance, struct member *member, uint64_t now_ms)
{
    struct member_state before = member->now;
    uint64_t ramp_ms = member->ramp_ms;

    effect_of(member, now_ms, &member->now);
    bool same = before.state == member->now.state && before.weight == member->now.weight &&
                before.note == member->now.note && before.since_ns == member->now.since_ns;
    if (same || queue(balance, member))
        return;
    member->now = before; // no memory: the watch tries again
    member->ramp_ms = ramp_ms;
}

void balance_flush(struct balance *balance)
{
    if (balance->change_count &&
        apply_change_members(balance->applier, balance->change, balance->change_count))
        balance_tell(balance, "out of memory: some members' states are not in the table yet");
    balance->change_count = 0;
}
