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
    unsigned lines; // drawn last
    struct timespec then;
    uint64_t sent, received; // at `then`
};

void screen_init(struct screen *screen, FILE *out, bool wanted);
// Draws rates since the last call, loss and latency so far; `progress` is a line of its own, NULL: none.
void screen_show(struct screen *screen, const struct result *result, const char *progress);
// Takes the lines away.
void screen_fini(struct screen *screen);

#endif
