// SPDX-License-Identifier: Apache-2.0
// The live screen: a few lines on a terminal, drawn over themselves. Off where the stream is no terminal. Main thread.
#ifndef PKTGEN_SCREEN_H
#define PKTGEN_SCREEN_H

#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include "result.h"

struct screen {
    FILE *out;
    bool on;
    unsigned columns; // longer lines are cut: one that wraps could not be drawn over
    unsigned lines;   // drawn last
    struct timespec then;
    uint64_t sent, received; // of a trial, at `then`
};

void screen_init(struct screen *screen, FILE *out, bool wanted);
// Takes the lines away.
void screen_fini(struct screen *screen);

// A picture: begun, which takes the last one away and tells the seconds since; lines; ended. Where the screen is on.
double screen_begin(struct screen *screen);
__attribute__((format(printf, 2, 3))) void screen_line(struct screen *screen, const char *format, ...);
void screen_end(struct screen *screen);
// Of a count that was `*before` that many seconds ago, which is brought up to date. A smaller one belongs to a new trial.
double screen_rate(uint64_t *before, uint64_t now, double seconds);

// The picture of a trial: rates since the last call, loss and latency so far; `progress` is a line of its own, NULL: none.
void screen_show(struct screen *screen, const struct result *result, const char *progress);

#endif
