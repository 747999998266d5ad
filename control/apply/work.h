// SPDX-License-Identifier: Apache-2.0
// One long piece of an apply (reading a config, building tables, writing files) on a thread of its own, so that checks,
// commands and members' states go on in the event loop meanwhile. What it works on is its own from work_start() until
// work_done(); what others look at it may only read. Called by apply.c, commit.c, and serve/server.c for the request
// itself, on the main thread.
#ifndef APPLY_WORK_H
#define APPLY_WORK_H

#include <pthread.h>
#include <stdbool.h>

struct apply_work {
    pthread_t thread;
    int (*run)(void *context);
    void *context;
    int rc;
    bool threaded; // there is a thread to be joined
    bool done;     // w: the thread, last of all  r: main
};

// Not `aside`: has run, on the caller's thread, when this returns.
void work_start(struct apply_work *work, bool aside, int (*run)(void *context), void *context);
bool work_done(const struct apply_work *work);
// What `run` returned; waits for it where it is not done.
int work_end(struct apply_work *work);

#endif
