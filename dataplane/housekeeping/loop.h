// SPDX-License-Identifier: Apache-2.0
// The housekeeping thread's loop: see loop.c.
#ifndef HOUSEKEEPING_LOOP_H
#define HOUSEKEEPING_LOOP_H

#include "housekeeping/commands.h"
#include "housekeeping/house.h"
#include "housekeeping/watch.h"

struct house_loop {
    struct house *house;
    struct commands commands;
    int signals;          // signalfd of SIGTERM and SIGINT
    uint64_t watchdog_ns; // between messages to the service manager, 0: none
    uint64_t now_ns;      // CLOCK_MONOTONIC
    uint64_t next_beat_ns, next_watchdog_ns, next_links_ns;
    struct watch watch;
};

// Runs until a signal asks for the end. Main thread.
void house_loop_run(struct house_loop *loop);
// Beats and looks at signals while `loop` has nothing else to do, for at most `timeout_ms`. True: asked to end.
bool house_loop_idle(struct house_loop *loop, int timeout_ms);

#endif
