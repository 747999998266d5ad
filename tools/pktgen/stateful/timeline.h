// SPDX-License-Identifier: Apache-2.0
// How a run went over time: counts at regular moments, in bounded memory. Where it is full, every second moment is let
// go and the next come half as often, so a run of any length keeps its whole shape. Pure; main thread.
#ifndef STATEFUL_TIMELINE_H
#define STATEFUL_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

#define TIMELINE_POINTS 512

struct timeline_point { // counts since the beginning, but for `open`
    double seconds;
    uint64_t completed, requests, failed;
    uint64_t open; // at that moment
};

struct timeline {
    double step_s; // between two points, at least
    uint32_t points;
    struct timeline_point point[TIMELINE_POINTS];
};

void timeline_init(struct timeline *timeline, double step_s);
// True where a point at `seconds` is wanted.
bool timeline_due(const struct timeline *timeline, double seconds);
// Takes a point that is later than the last.
void timeline_add(struct timeline *timeline, const struct timeline_point *point);

#endif
