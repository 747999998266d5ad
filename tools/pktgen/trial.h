// SPDX-License-Identifier: Apache-2.0
// A trial: the streams of a plan, sent for a time by all workers, and the account of what came back. One is made for a
// plan and started as often as needed, with whatever rate the plan says then. Main thread.
#ifndef PKTGEN_TRIAL_H
#define PKTGEN_TRIAL_H

#include "neighbor.h"
#include "plan.h"
#include "result.h"

struct trial;

struct trial_wish {
    uint64_t duration_us;
    uint64_t settle_us; // to wait for the last packets
    uint64_t limit;     // frames that each stream sends at most, 0: no limit
    bool verify;        // checksums of what comes
    bool deaf;          // do not receive at all: the sending ceiling
};

// Frames and accounts. The plan may change its rates, and nothing else, as long as the trial lives; `self` has an entry
// a port. NULL with a sentence.
struct trial *trial_new(struct session *session, const struct plan *plan, const struct neighbor_self *self,
                        struct sl_error *error);
void trial_free(struct trial *trial);
// Starts it with fresh accounts; back at once. The one before has ended.
void trial_start(struct trial *trial, const struct trial_wish *wish);
// Waits for its end.
void trial_join(struct trial *trial);
// The account so far; after trial_join() the final one.
void trial_result(const struct trial *trial, struct result *result);

#endif
