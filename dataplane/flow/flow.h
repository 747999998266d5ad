// SPDX-License-Identifier: Apache-2.0
// The session table of one worker: flows by either of their two keys. The entries (struct sl_flow,
// shm/layout.h) stand in the file "flow.W" and outlive the process; the index, the timer wheel and the list
// of free entries are the process's own and are made anew from them. Opened and closed on the main thread;
// everything else runs on the worker that owns the table. Why it is built this way:
// docs/decisions/0002-session-table.md.
#ifndef FLOW_FLOW_H
#define FLOW_FLOW_H

#include "base/error.h"
#include "flow/table.h"
#include "worker/worker.h"

// ---- start and end, main thread ----------------------------------------------------------------------------
// Opens flow.<worker> of the run directory, or makes it, with room for `capacity` flows. A file of this boot,
// this layout, this many workers and this capacity is adopted: each entry is checked, the good ones are live
// again. A file of another number of workers or capacity is set aside for flow_rehome(). Any other file is
// replaced. The seed is that of the process's workers. NULL with a sentence in `error`.
struct flow_table *flow_table_open(const char *run_dir, uint32_t worker, uint32_t worker_count,
                                   uint32_t capacity, const struct sl_hash_seed *seed,
                                   struct sl_error *error);

// Moves the flows of files that were set aside, and of workers that are no more, into the tables of their new
// owners, then removes those files. Call once, when every table is open and before a worker runs. Killed half
// way, it goes on where it was at the next start. Flows moved, or -errno.
int64_t flow_rehome(const char *run_dir, struct flow_table *const *tables, uint32_t worker_count,
                    struct sl_error *error);

// Frees what is the process's own; the file stays, for whoever comes next.
void flow_table_close(struct flow_table *table);

// ---- between bursts, the worker ----------------------------------------------------------------------------
// Ends flows whose time has come and sweeps flows that a new generation has orphaned; a bounded number each
// call, so call it every pass, idle or not. Returns how many entries it looked at: 0 when nothing was due.
// Does nothing before the first generation.
uint32_t flow_tick(struct worker *worker);

// Ends flows matching `match` among `budget` entries from `from` on; adds their number to *killed and counts
// them (flow_killed). Returns where to go on, FLOW_NONE when the table is through.
uint32_t flow_kill_step(struct worker *worker, const struct sl_flow_match *match, uint32_t from,
                        uint32_t budget, uint64_t *killed);

// ---- in a burst, the worker --------------------------------------------------------------------------------
// Stores the next hop that route_stage found for a packet of a flow, so that the flow's next packet needs no
// route lookup: packet->flow and packet->nexthop (a group already resolved). Harmless for packets of no flow.
static inline void flow_cache_nexthop(struct worker *worker, const struct packet *packet)
{
    if (packet->flow != FLOW_NONE && (packet->flags & PACKET_TRANSLATED))
        flow_nexthop_store(worker->flows, packet->flow, packet->nexthop);
}

// Asks for the line of memory where the flow of a packet with this hash is looked for first.
static inline void flow_foresee(const struct worker *worker, uint32_t hash)
{
    const struct flow_index *index = &worker->flows->index;

    __builtin_prefetch(&index->bucket[flow_index_first(index, flow_index_hash(hash))]);
}

#endif
