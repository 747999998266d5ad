// SPDX-License-Identifier: Apache-2.0
// From open ports to clients and servers that are ready to run: who sends where, and which worker has which share. Main
// thread.
#ifndef STATEFUL_SIDES_H
#define STATEFUL_SIDES_H

#include "loop.h"
#include "options.h"

#define SIDES 2

struct sides {
    struct side side[SIDES]; // the client first, where there is one
    uint32_t count;
    struct loop loop[SL_MAX_WORKERS]; // by worker
};

// Makes the sides that the options ask for. 0, or -errno with a sentence; nothing is left then.
int sides_open(struct sides *sides, struct session *session, const struct stateful_options *options,
               uint64_t ns_magic, struct sl_error *error);
void sides_close(struct sides *sides);
// Lets all workers run. The client opens connections until sides_open_no_more().
int sides_launch(struct sides *sides, struct session *session);
void sides_open_no_more(struct sides *sides);

#endif
