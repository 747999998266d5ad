// SPDX-License-Identifier: Apache-2.0
#include "tcp/wheel.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define BITS  8u // of a level
#define WORDS (TCP_WHEEL_SLOTS / 64)

int tcp_wheel_init(struct tcp_wheel *wheel, uint32_t n_timers, uint64_t now_us)
{
    size_t bytes = sizeof(struct tcp_wheel_link) * (size_t)n_timers;
    void *links =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (links == MAP_FAILED)
        return -ENOMEM;
    *wheel = (struct tcp_wheel){.now_tick = now_us / TCP_WHEEL_TICK_US, .n_timers = n_timers, .links = links};
    memset(wheel->head, 0xff, sizeof(wheel->head));
    return 0;
}

void tcp_wheel_fini(struct tcp_wheel *wheel)
{
    if (wheel->links)
        munmap(wheel->links, sizeof(struct tcp_wheel_link) * (size_t)wheel->n_timers);
    wheel->links = NULL;
}

// ---- lists ------------------------------------------------------------------------------------------------------
static void put(struct tcp_wheel *wheel, uint32_t index, uint32_t slot)
{
    struct tcp_wheel_link *link = &wheel->links[index];

    link->slot = (uint16_t)slot;
    link->prev = TCP_WHEEL_NONE;
    link->next = wheel->head[slot];
    if (link->next != TCP_WHEEL_NONE)
        wheel->links[link->next].prev = index;
    wheel->head[slot] = index;
    if (slot < TCP_WHEEL_DUE)
        wheel->occupied[slot / 64] |= 1ull << slot % 64;
}

static void take(struct tcp_wheel *wheel, uint32_t index)
{
    struct tcp_wheel_link *link = &wheel->links[index];

    if (link->prev != TCP_WHEEL_NONE)
        wheel->links[link->prev].next = link->next;
    else
        wheel->head[link->slot] = link->next;
    if (link->next != TCP_WHEEL_NONE)
        wheel->links[link->next].prev = link->prev;
    if (wheel->head[link->slot] == TCP_WHEEL_NONE && link->slot < TCP_WHEEL_DUE)
        wheel->occupied[link->slot / 64] &= ~(1ull << link->slot % 64);
}

// The lowest level on whose scale the tick is less than a turn away; slots of a level so mean one time each.
static uint32_t slot_of(uint64_t now_tick, uint64_t tick)
{
    for (unsigned level = 0; level < TCP_WHEEL_LEVELS; level++) {
        unsigned shift = level * BITS;

        if ((tick >> shift) - (now_tick >> shift) < TCP_WHEEL_SLOTS)
            return level * TCP_WHEEL_SLOTS + (uint32_t)(tick >> shift & (TCP_WHEEL_SLOTS - 1));
    }
    return (TCP_WHEEL_LEVELS - 1) * TCP_WHEEL_SLOTS +
           (uint32_t)(((now_tick >> (TCP_WHEEL_LEVELS - 1) * BITS) + TCP_WHEEL_SLOTS - 1) &
                      (TCP_WHEEL_SLOTS - 1));
}

void tcp_wheel_arm(struct tcp_wheel *wheel, uint32_t index, uint64_t due_us)
{
    struct tcp_wheel_link *link = &wheel->links[index];
    uint64_t tick = due_us > UINT64_MAX - TCP_WHEEL_TICK_US
                        ? due_us / TCP_WHEEL_TICK_US
                        : (due_us + TCP_WHEEL_TICK_US - 1) / TCP_WHEEL_TICK_US;
    uint64_t furthest = wheel->now_tick + INT32_MAX;

    if (link->armed)
        take(wheel, index);
    else
        wheel->n_armed++;
    tick = tick <= wheel->now_tick ? wheel->now_tick + 1 : tick > furthest ? furthest : tick;
    link->armed = true;
    link->due_tick = (uint32_t)tick;
    put(wheel, index, slot_of(wheel->now_tick, tick));
}

void tcp_wheel_disarm(struct tcp_wheel *wheel, uint32_t index)
{
    if (!wheel->links[index].armed)
        return;
    take(wheel, index);
    wheel->links[index].armed = false;
    wheel->n_armed--;
}

// ---- time ---------------------------------------------------------------------------------------------------------
// How many slots behind `from` the next occupied one of a level is, 1 to TCP_WHEEL_SLOTS - 1; 0: none.
static uint32_t next_occupied(const uint64_t *words, uint32_t from)
{
    for (uint32_t i = 0; i <= WORDS; i++) {
        uint32_t word = (from / 64 + i) % WORDS;
        uint64_t bits = words[word];

        if (i == 0)
            bits &= from % 64 == 63 ? 0 : ~0ull << (from % 64 + 1);
        else if (i == WORDS)
            bits &= (1ull << from % 64) - 1;
        if (bits)
            return (word * 64 + (uint32_t)__builtin_ctzll(bits) - from) & (TCP_WHEEL_SLOTS - 1);
    }
    return 0;
}

// The next tick at which a slot has to be emptied; UINT64_MAX: all are empty.
static uint64_t next_tick(const struct tcp_wheel *wheel)
{
    uint64_t next = UINT64_MAX;

    for (unsigned level = 0; level < TCP_WHEEL_LEVELS; level++) {
        uint64_t now = wheel->now_tick >> level * BITS;
        uint32_t ahead =
            next_occupied(wheel->occupied + level * WORDS, (uint32_t)now & (TCP_WHEEL_SLOTS - 1));

        if (ahead && (now + ahead) << level * BITS < next)
            next = (now + ahead) << level * BITS;
    }
    return next;
}

// Moves a slot's timers to where they belong now: lower levels, or those due.
static void empty(struct tcp_wheel *wheel, uint32_t slot)
{
    while (wheel->head[slot] != TCP_WHEEL_NONE) {
        uint32_t index = wheel->head[slot];
        uint64_t tick =
            wheel->now_tick + (uint32_t)(wheel->links[index].due_tick - (uint32_t)wheel->now_tick);

        take(wheel, index);
        put(wheel, index, tick == wheel->now_tick ? TCP_WHEEL_DUE : slot_of(wheel->now_tick, tick));
    }
}

static void turn_to(struct tcp_wheel *wheel, uint64_t tick)
{
    wheel->now_tick = tick;
    for (unsigned level = TCP_WHEEL_LEVELS; level-- > 0;) {
        unsigned shift = level * BITS;

        if (((tick >> shift) << shift) == tick)
            empty(wheel, level * TCP_WHEEL_SLOTS + (uint32_t)(tick >> shift & (TCP_WHEEL_SLOTS - 1)));
    }
}

uint32_t tcp_wheel_due(struct tcp_wheel *wheel, uint64_t now_us)
{
    uint64_t until = now_us / TCP_WHEEL_TICK_US;
    uint32_t index;

    while (wheel->head[TCP_WHEEL_DUE] == TCP_WHEEL_NONE) {
        uint64_t next = next_tick(wheel);

        if (next > until) {
            if (until > wheel->now_tick)
                wheel->now_tick = until;
            return TCP_WHEEL_NONE;
        }
        turn_to(wheel, next);
    }
    index = wheel->head[TCP_WHEEL_DUE];
    tcp_wheel_disarm(wheel, index);
    return index;
}

uint64_t tcp_wheel_next_us(const struct tcp_wheel *wheel)
{
    uint64_t tick;

    if (wheel->head[TCP_WHEEL_DUE] != TCP_WHEEL_NONE)
        return wheel->now_tick * TCP_WHEEL_TICK_US;
    tick = next_tick(wheel);
    return tick == UINT64_MAX ? TCP_WHEEL_NEVER_US : tick * TCP_WHEEL_TICK_US;
}
