// SPDX-License-Identifier: Apache-2.0
// Expiry of flows: a wheel of one-second slots (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels",
// 1987) whose lists run through the entries. A packet only writes seen_ms; when a flow's slot comes round,
// the flow is ended or, having been seen since, put into a later slot. Nothing ever scans the table. Two
// lanes keep flows that were transitory when armed apart from lasting ones, so that a full table finds a flow
// to evict at once. One thread; time is given, never taken.
#ifndef FLOW_WHEEL_H
#define FLOW_WHEEL_H

#include <stdbool.h>
#include "shm/layout.h"

#define FLOW_WHEEL_SLOTS 8192u // seconds; a later deadline waits in the last slot and is armed again there
#define FLOW_WHEEL_NONE  UINT32_MAX

enum flow_lane { FLOW_LANE_TRANSITORY, FLOW_LANE_LASTING, FLOW_LANES };

struct flow_wheel {
    uint32_t *head[FLOW_LANES];                           // [FLOW_WHEEL_SLOTS] entry index or FLOW_WHEEL_NONE
    uint64_t occupied[FLOW_LANES][FLOW_WHEEL_SLOTS / 64]; // bit per slot with a list
    uint64_t time_ms;                                     // never wraps
    uint64_t cursor_s;                                    // slots before this second are empty
    uint32_t last_ms;                                     // CLOCK_MONOTONIC of the last turn, wrapping
};

// now_ms as in struct worker. 0 or -ENOMEM.
int flow_wheel_init(struct flow_wheel *wheel, uint32_t now_ms);
void flow_wheel_fini(struct flow_wheel *wheel);

// Moves the wheel's clock on. Once a burst or pass, before arming. A time before the last one, as two threads' clocks
// may tell it, moves nothing: taken for a step forward it would be seven weeks, and end every flow.
static inline void flow_wheel_turn(struct flow_wheel *wheel, uint32_t now_ms)
{
    int32_t step_ms = (int32_t)(now_ms - wheel->last_ms);

    if (step_ms <= 0)
        return;
    wheel->time_ms += (uint32_t)step_ms;
    wheel->last_ms = now_ms;
}

// Puts an entry that is in no list where it comes due in delay_ms, at most a second late.
void flow_wheel_arm(struct flow_wheel *wheel, struct sl_flow *entries, uint32_t index, enum flow_lane lane,
                    uint32_t delay_ms);
// Takes an entry out of its list; harmless where it is in none.
void flow_wheel_disarm(struct flow_wheel *wheel, struct sl_flow *entries, uint32_t index);
// Takes out an entry whose slot has come, FLOW_WHEEL_NONE: nothing is due.
uint32_t flow_wheel_due(struct flow_wheel *wheel, struct sl_flow *entries);
// The first entry of the lane's nearest slot and the most milliseconds until that slot comes; FLOW_WHEEL_NONE: the
// lane is empty. Takes nothing out.
uint32_t flow_wheel_nearest(const struct flow_wheel *wheel, enum flow_lane lane, uint32_t *due_ms);

#endif
