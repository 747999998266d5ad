// SPDX-License-Identifier: Apache-2.0
// Counters in shared memory: a block per worker, one for housekeeping, each written with plain stores by its
// thread alone; readers sum and may be a packet behind. Names and sentences come from drop.def, counter.def,
// stage.def. Called by housekeeping (create), control, tools and tests.
#ifndef SL_SHM_COUNTERS_H
#define SL_SHM_COUNTERS_H

#include "shm/segment.h"

// Data plane at start: takes up the counters of an earlier one (they go on counting), makes new ones where
// there are none, where they are of another build, or after a reboot.
int sl_counters_create(const char *run_dir, uint64_t now_ns, struct sl_counter_segment **counters,
                       struct sl_error *error);
// For those who only look.
int sl_counters_open(const char *run_dir, const struct sl_counter_segment **counters, struct sl_error *error);
void sl_counters_close(const struct sl_counter_segment *counters); // NULL is harmless

// Adds up all blocks into `*sum`.
void sl_counters_sum(const struct sl_counter_segment *counters, struct sl_counter_block *sum);

// Name as in enum and metric label ("no_route"), sentence for people. Out of range: "unknown".
const char *sl_drop_name(unsigned drop);
const char *sl_drop_text(unsigned drop);
const char *sl_counter_name(unsigned counter);
const char *sl_counter_text(unsigned counter);
const char *sl_stage_name(unsigned stage);
const char *sl_stage_text(unsigned stage);

#endif
