// SPDX-License-Identifier: Apache-2.0
// Looks at each member about once a second, a slice of them at a time so that nothing waits long for the loop: signs
// of trouble in its counters, a drain that is over, the next step of a slow start.
#include <errno.h>
#include "balance/member.h"

#define TICK_MS 50
#define SLICES  (1000 / TICK_MS)

static void look_at_counters(struct balance *balance, struct member *member,
                             const struct sl_balance_member_counters *sum)
{
    uint32_t bad = sum->unanswered - member->unanswered + (sum->resets - member->resets);
    uint32_t good = sum->answered - member->answered;
    bool first = !member->looked;

    member->looked = true;
    member->answered = sum->answered;
    member->unanswered = sum->unanswered;
    member->resets = sum->resets;
    // Counters that went back are those of a data plane started anew: their difference means nothing.
    if (first || bad > INT32_MAX || good > INT32_MAX || (bad == 0 && good == 0))
        return;
    health_passive(balance->health, member->id, bad, good);
}

// A drain is over when nobody is left. Counters are only believed while somebody counts.
static bool drained(const struct balance *balance, const struct member *member,
                    const struct sl_balance_member_counters *sum, uint64_t now_ms)
{
    const struct balance_override *override = member->override;

    return override && override->operation == BALANCE_OPERATION_DRAIN && !override->empty &&
           sum->flows_now == 0 && now_ms > override->at_ms + 1000 &&
           sl_board_dp_alive(balance->applier->board, sl_board_now_ns()) && balance->counters.chunks > 0;
}

// The checks have said enough of their own by now.
static void ask_checks_again(struct balance *balance, struct member *member)
{
    struct health_report report;

    if (health_look(balance->health, member->id, &report) ||
        report.good + report.bad < member->verdicts_wanted)
        return;
    member->health = report.status;
    member->from_table = false;
}

static void look_at(struct balance *balance, struct member *member, uint64_t now_ms, bool *changed)
{
    bool passive = member->watched && member->checked, draining = member->override != NULL;

    if (passive || draining) {
        struct sl_balance_member_counters sum;
        sl_balance_member_sum(&balance->counters, member->key.slot, &sum);
        if (passive)
            look_at_counters(balance, member, &sum);
        if (drained(balance, member, &sum, now_ms))
            *changed = member->override->empty = true;
    }
    if (member->from_table)
        ask_checks_again(balance, member);
    effect_renew(balance, member, now_ms);
}

static void tick(evutil_socket_t fd, short what, void *context)
{
    struct balance *balance = context;
    uint32_t slice = (balance->count + SLICES - 1) / SLICES;
    uint64_t now_ms = balance_now_ms();
    struct sl_error error = {{0}};
    bool changed = false;

    if (balance->cursor == 0)
        balance_counters(balance);
    for (uint32_t i = 0; i < slice && balance->cursor < balance->count; i++)
        if (!sync_awaits(balance, &balance->member[balance->cursor++]))
            look_at(balance, &balance->member[balance->cursor - 1], now_ms, &changed);
    if (balance->cursor >= balance->count)
        balance->cursor = 0;
    balance_flush(balance);
    if (changed && kept_write(balance, &error) && !balance->disk_failed)
        balance_tell(balance, "%s", error.text);
    balance->disk_failed = error.text[0] != '\0';
}

int watch_start(struct balance *balance)
{
    struct timeval every = {.tv_usec = TICK_MS * 1000};

    balance->tick = event_new(balance->base, -1, EV_PERSIST, tick, balance);
    return balance->tick && event_add(balance->tick, &every) == 0 ? 0 : -ENOMEM;
}
