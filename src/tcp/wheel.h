// SPDX-License-Identifier: Apache-2.0
// Timers of connections: a hierarchical wheel (Varghese and Lauck, 1987) of four levels with 256 slots each, in
// ticks of 64 us: 16 ms, 4.2 s, 18 min, 76 h. Arming, disarming and moving are O(1); a timer is moved down at most
// three times in its life; what is further away than 38 h (2^31 ticks) is given out then, and the caller, who finds that
// nothing is due, arms it again. A timer is an index into an array of links that the wheel owns (16 bytes a timer), so it
// needs no pointer. A timer never comes early, and at most one tick late plus the caller's own delay. One thread;
// time is given, never taken.
#ifndef TCP_WHEEL_H
#define TCP_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#define TCP_WHEEL_LEVELS   4u
#define TCP_WHEEL_SLOTS    256u
#define TCP_WHEEL_TICK_US  64u
#define TCP_WHEEL_DUE      (TCP_WHEEL_LEVELS * TCP_WHEEL_SLOTS)
#define TCP_WHEEL_NONE     UINT32_MAX
#define TCP_WHEEL_NEVER_US UINT64_MAX

struct tcp_wheel_link {
    uint32_t next, prev;
    uint32_t due_tick; // low bits of the tick, wrapping; a timer lies less than 2^31 ticks ahead
    uint16_t
        slot; // level * TCP_WHEEL_SLOTS + slot, of an armed timer; TCP_WHEEL_DUE: in the list of those due
    bool armed;
    uint8_t pad;
};

struct tcp_wheel {
    uint64_t now_tick; // all before it has been given out
    uint32_t n_timers, n_armed;
    struct tcp_wheel_link *links;                               // [n_timers]
    uint32_t head[TCP_WHEEL_DUE + 1];                           // index or TCP_WHEEL_NONE
    uint64_t occupied[TCP_WHEEL_LEVELS * TCP_WHEEL_SLOTS / 64]; // bit per slot that has a list
};

// 0 or -ENOMEM. The links come from one allocation that the kernel fills lazily (untouched timers cost nothing).
int tcp_wheel_init(struct tcp_wheel *wheel, uint32_t n_timers, uint64_t now_us);
void tcp_wheel_fini(struct tcp_wheel *wheel);
// Arms or moves timer `index` to due_us; a time gone by is due at the next tick.
void tcp_wheel_arm(struct tcp_wheel *wheel, uint32_t index, uint64_t due_us);
void tcp_wheel_disarm(struct tcp_wheel *wheel, uint32_t index); // harmless where it is not armed
// Asks the memory for timer `index`, which is going to be armed or moved.
static inline void tcp_wheel_prefetch(const struct tcp_wheel *wheel, uint32_t index)
{
    __builtin_prefetch(&wheel->links[index], 1);
}
// Takes one timer out that is due at now_us, TCP_WHEEL_NONE: there is none. Jumps over empty slots, so a long sleep costs
// what is in the wheel and not the time.
uint32_t tcp_wheel_due(struct tcp_wheel *wheel, uint64_t now_us);
// The timer that tcp_wheel_due is going to give out after `behind` others, if that is known already, else TCP_WHEEL_NONE:
// its caller may ask for its memory.
static inline uint32_t tcp_wheel_soon(const struct tcp_wheel *wheel, unsigned behind)
{
    uint32_t index = wheel->head[TCP_WHEEL_DUE];

    while (behind-- && index != TCP_WHEEL_NONE)
        index = wheel->links[index].next;
    return index;
}
// The earliest time at which tcp_wheel_due may have one, TCP_WHEEL_NEVER_US where none is armed. May be early by the
// coarseness of the level (the timer is then moved down), never late.
uint64_t tcp_wheel_next_us(const struct tcp_wheel *wheel);

#endif
