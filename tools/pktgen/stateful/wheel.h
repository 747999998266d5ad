// SPDX-License-Identifier: Apache-2.0
// A timer wheel over the connections' own links. A connection stands on it at most once and is looked at no later than
// its deadline; a deadline that only moves away costs nothing (the wheel finds out when it looks), so connections that
// live shorter than their timeouts hardly touch it. Pure.
#ifndef STATEFUL_WHEEL_H
#define STATEFUL_WHEEL_H

#include "connection.h"

#define WHEEL_SLOTS      4096
#define WHEEL_TICK_SHIFT 20 // a tick is 2^20 ns, about a millisecond

struct wheel {
    struct connection *connection;
    uint32_t now; // ticks up to here have been looked at
    uint32_t head[WHEEL_SLOTS];
};

void wheel_init(struct wheel *wheel, struct connection *connection, uint32_t now);
// Asks for the connection to be looked at by `deadline`, replacing what was asked before.
void wheel_set_slow(struct wheel *wheel, uint32_t index);
// The next connection whose deadline is not after `now`, taken from the wheel; CONNECTION_NONE where there is none (more).
// At most `budget` connections are looked at, which is counted down.
uint32_t wheel_next(struct wheel *wheel, uint32_t now, uint32_t *budget);

static inline uint32_t wheel_tick(uint64_t now_ns)
{
    return (uint32_t)(now_ns >> WHEEL_TICK_SHIFT);
}

static inline void wheel_set(struct wheel *wheel, uint32_t index, uint32_t deadline)
{
    struct connection *c = &wheel->connection[index];
    c->deadline = deadline;
    if (!(c->flags & CONNECTION_ARMED) || (int32_t)(deadline - c->wheel_at) < 0)
        wheel_set_slow(wheel, index);
}

#endif
