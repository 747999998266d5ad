// SPDX-License-Identifier: Apache-2.0
// Called by stateful.c while a run goes on, on the main thread.
#include "timeline.h"

#define SLACK 0.99 // of a step: decimal fractions of a second are not exact

void timeline_init(struct timeline *timeline, double step_s)
{
    timeline->step_s = step_s;
    timeline->points = 0;
}

bool timeline_due(const struct timeline *timeline, double seconds)
{
    uint32_t points = timeline->points;
    return points == 0 || seconds - timeline->point[points - 1].seconds >= SLACK * timeline->step_s;
}

// Keeps the first point, and every second one behind it.
static void thin_out(struct timeline *timeline)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < timeline->points; i += 2)
        timeline->point[kept++] = timeline->point[i];
    timeline->points = kept;
    timeline->step_s *= 2;
}

void timeline_add(struct timeline *timeline, const struct timeline_point *point)
{
    if (timeline->points == TIMELINE_POINTS)
        thin_out(timeline);
    timeline->point[timeline->points++] = *point;
}
