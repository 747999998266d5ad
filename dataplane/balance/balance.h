// SPDX-License-Identifier: Apache-2.0
// Layer-4 balancing: packets to a service's address go to a member of its pool. A balanced flow is an entry of the
// session table as NAT's are, so translation, TCP states, timeouts, adoption and steering are NAT's; here is what is
// different: which member (method.h), what becomes of flows when members and tables change (flow.c), the counters.
// docs/decisions/0005-balanced-flows.md has the reasons. What workers share is made by housekeeping; everything else
// runs on the worker.
#ifndef BALANCE_BALANCE_H
#define BALANCE_BALANCE_H

#include "base/error.h"
#include "worker/worker.h"

struct balance_share; // counters of all workers, and who they are

// ---- main thread --------------------------------------------------------------------------------------------
// run_dir stays the caller's. NULL: no memory.
struct balance_share *balance_share_new(const char *run_dir, uint32_t worker_count);
void balance_share_free(struct balance_share *share);

// A worker's balancing; it registers with the share. NULL with a sentence.
struct balance *balance_new(struct balance_share *share, struct flow_table *flows, uint32_t worker,
                            struct sl_error *error);
void balance_free(struct balance *balance);

// ---- housekeeping -------------------------------------------------------------------------------------------
// For each generation once its tables are checked and before any worker sees them: makes tables->balance_binding
// (NULL where tables->balance is) and the counters of new slots. The first time it also counts adopted flows, and ends
// those that the tables have no place for: before nat_share_bind(). 0, or -errno with a sentence: refuse the generation.
int balance_share_bind(struct balance_share *share, struct tables *tables, uint64_t now_ns,
                       struct sl_error *error);
// When every worker has moved on from these tables.
void balance_share_unbind(struct tables *tables);

// ---- worker, between bursts ---------------------------------------------------------------------------------
// The worker now uses worker->tables.
void balance_tables_taken(struct worker *worker, const struct tables *old_tables);
// Sees whether members have gone down or are to be left, and has flows swept then. Every pass.
void balance_watch(struct worker *worker);

#endif
