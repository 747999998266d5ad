// SPDX-License-Identifier: Apache-2.0
// The timer wheel. Lists are doubly linked through sl_flow.wheel_next and .wheel_prev by entry index; the first of
// a list has in wheel_prev the list itself: HEAD | lane << 30 | slot. Called by the table, on its owner's thread.
#include "flow/wheel.h"

#include <errno.h>
#include <string.h>
#include "flow/memory.h"

#define HEAD       0x80000000u
#define LANE_SHIFT 30
#define SLOT_MASK  (FLOW_WHEEL_SLOTS - 1)
#define HEAD_BYTES (FLOW_LANES * FLOW_WHEEL_SLOTS * sizeof(uint32_t))

int flow_wheel_init(struct flow_wheel *wheel, uint32_t now_ms)
{
    uint32_t *heads = flow_memory_new(HEAD_BYTES);

    if (heads == NULL)
        return -ENOMEM;
    memset(heads, 0xff, HEAD_BYTES);
    *wheel = (struct flow_wheel){.last_ms = now_ms};
    for (int lane = 0; lane < FLOW_LANES; lane++)
        wheel->head[lane] = heads + lane * FLOW_WHEEL_SLOTS;
    return 0;
}

void flow_wheel_fini(struct flow_wheel *wheel)
{
    flow_memory_free(wheel->head[0], HEAD_BYTES);
    wheel->head[0] = NULL;
}

static uint32_t slot_of_delay(const struct flow_wheel *wheel, uint32_t delay_ms)
{
    uint64_t due_s = (wheel->time_ms + delay_ms) / 1000 + 1;
    uint64_t last_s = wheel->cursor_s + FLOW_WHEEL_SLOTS - 1;

    return (uint32_t)((due_s < last_s ? due_s : last_s) & SLOT_MASK);
}

void flow_wheel_arm(struct flow_wheel *wheel, struct sl_flow *entries, uint32_t index, enum flow_lane lane,
                    uint32_t delay_ms)
{
    uint32_t slot = slot_of_delay(wheel, delay_ms);
    uint32_t *head = &wheel->head[lane][slot];
    struct sl_flow *entry = &entries[index];

    entry->wheel_next = *head;
    entry->wheel_prev = HEAD | (uint32_t)lane << LANE_SHIFT | slot;
    if (*head != FLOW_WHEEL_NONE)
        entries[*head].wheel_prev = index;
    *head = index;
    wheel->occupied[lane][slot / 64] |= 1ull << (slot % 64);
}

static void list_unhead(struct flow_wheel *wheel, uint32_t list, uint32_t next)
{
    uint32_t lane = list >> LANE_SHIFT & 1, slot = list & SLOT_MASK;

    wheel->head[lane][slot] = next;
    if (next == FLOW_WHEEL_NONE)
        wheel->occupied[lane][slot / 64] &= ~(1ull << (slot % 64));
}

void flow_wheel_disarm(struct flow_wheel *wheel, struct sl_flow *entries, uint32_t index)
{
    struct sl_flow *entry = &entries[index];
    uint32_t prev = entry->wheel_prev, next = entry->wheel_next;

    if (prev == FLOW_WHEEL_NONE)
        return;
    if (prev & HEAD)
        list_unhead(wheel, prev, next);
    else
        entries[prev].wheel_next = next;
    if (next != FLOW_WHEEL_NONE)
        entries[next].wheel_prev = prev;
    entry->wheel_prev = entry->wheel_next = FLOW_WHEEL_NONE;
}

// The nearest occupied slot of a lane counted from the cursor on, FLOW_WHEEL_SLOTS: none.
static uint32_t lane_nearest(const struct flow_wheel *wheel, int lane)
{
    uint32_t start = (uint32_t)wheel->cursor_s & SLOT_MASK;
    uint64_t word = wheel->occupied[lane][start / 64] & ~0ull << (start % 64);

    for (uint32_t step = 0; step <= FLOW_WHEEL_SLOTS / 64; step++) {
        uint32_t at = (start / 64 + step) % (FLOW_WHEEL_SLOTS / 64);
        if (step > 0)
            word = wheel->occupied[lane][at];
        if (word != 0)
            return (at * 64 + (uint32_t)__builtin_ctzll(word) - start) & SLOT_MASK;
    }
    return FLOW_WHEEL_SLOTS;
}

uint32_t flow_wheel_nearest(const struct flow_wheel *wheel, enum flow_lane lane, uint32_t *due_ms)
{
    uint32_t ahead = lane_nearest(wheel, lane);
    uint64_t at_ms = (wheel->cursor_s + ahead) * 1000;

    if (ahead == FLOW_WHEEL_SLOTS)
        return FLOW_WHEEL_NONE;
    *due_ms = at_ms > wheel->time_ms ? (uint32_t)(at_ms - wheel->time_ms) : 0;
    return wheel->head[lane][(wheel->cursor_s + ahead) & SLOT_MASK];
}

// Moves the cursor to the first second that has a list, or to now. False: nothing is due.
static bool cursor_advance(struct flow_wheel *wheel)
{
    uint64_t now_s = wheel->time_ms / 1000;
    uint32_t ahead = FLOW_WHEEL_SLOTS;

    for (int lane = 0; lane < FLOW_LANES; lane++) {
        uint32_t nearest = lane_nearest(wheel, lane);
        ahead = nearest < ahead ? nearest : ahead;
    }
    if (ahead == FLOW_WHEEL_SLOTS || wheel->cursor_s + ahead > now_s) {
        wheel->cursor_s = now_s + 1; // what is armed from now on goes there or behind
        return false;
    }
    wheel->cursor_s += ahead;
    return true;
}

uint32_t flow_wheel_due(struct flow_wheel *wheel, struct sl_flow *entries)
{
    if (wheel->cursor_s > wheel->time_ms / 1000 || !cursor_advance(wheel))
        return FLOW_WHEEL_NONE;

    uint32_t slot = (uint32_t)wheel->cursor_s & SLOT_MASK;
    int lane =
        wheel->head[FLOW_LANE_TRANSITORY][slot] != FLOW_WHEEL_NONE ? FLOW_LANE_TRANSITORY : FLOW_LANE_LASTING;
    uint32_t index = wheel->head[lane][slot];

    flow_wheel_disarm(wheel, entries, index);
    if (wheel->head[lane][slot] != FLOW_WHEEL_NONE) // its line is written when it becomes the first
        __builtin_prefetch(&entries[wheel->head[lane][slot]].wheel_next, 1);
    return index;
}
