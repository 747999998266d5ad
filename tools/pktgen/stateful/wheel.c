// SPDX-License-Identifier: Apache-2.0
// The rare half of the wheel. Called by the engine, on its thread.
#include "wheel.h"

void wheel_init(struct wheel *wheel, struct connection *connection, uint32_t now)
{
    wheel->connection = connection;
    wheel->now = now;
    for (uint32_t i = 0; i < WHEEL_SLOTS; i++)
        wheel->head[i] = CONNECTION_NONE;
}

static void wheel_remove(struct wheel *wheel, struct connection *c)
{
    uint32_t *before = c->wheel_prev == CONNECTION_NONE ? &wheel->head[c->wheel_at % WHEEL_SLOTS]
                                                        : &wheel->connection[c->wheel_prev].wheel_next;
    *before = c->wheel_next;
    if (c->wheel_next != CONNECTION_NONE)
        wheel->connection[c->wheel_next].wheel_prev = c->wheel_prev;
    c->flags &= (uint8_t)~CONNECTION_ARMED;
}

// Not before the next tick, and not farther than the wheel goes round.
static uint32_t wheel_place(const struct wheel *wheel, uint32_t deadline)
{
    int32_t ahead = (int32_t)(deadline - wheel->now);
    ahead = ahead < 1 ? 1 : ahead > WHEEL_SLOTS - 1 ? WHEEL_SLOTS - 1 : ahead;
    return wheel->now + (uint32_t)ahead;
}

void wheel_set_slow(struct wheel *wheel, uint32_t index)
{
    struct connection *c = &wheel->connection[index];
    if (c->flags & CONNECTION_ARMED)
        wheel_remove(wheel, c);
    c->wheel_at = wheel_place(wheel, c->deadline);
    uint32_t *head = &wheel->head[c->wheel_at % WHEEL_SLOTS];
    c->wheel_prev = CONNECTION_NONE;
    c->wheel_next = *head;
    if (*head != CONNECTION_NONE)
        wheel->connection[*head].wheel_prev = index;
    *head = index;
    c->flags |= CONNECTION_ARMED;
}

uint32_t wheel_next(struct wheel *wheel, uint32_t now, uint32_t *budget)
{
    while (*budget > 0 && (int32_t)(now - wheel->now) > 0) {
        uint32_t index = wheel->head[(wheel->now + 1) % WHEEL_SLOTS];
        if (index == CONNECTION_NONE) {
            wheel->now++;
            continue;
        }
        struct connection *c = &wheel->connection[index];
        (*budget)--;
        wheel_remove(wheel, c);
        if (c->state == CONNECTION_FREE)
            continue;
        if ((int32_t)(c->deadline - now) <= 0)
            return index;
        wheel->now++; // so that it is not put where it was
        wheel_set_slow(wheel, index);
        wheel->now--;
    }
    return CONNECTION_NONE;
}
