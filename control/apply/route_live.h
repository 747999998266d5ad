// SPDX-License-Identifier: Apache-2.0
// The route table of a generation as control holds it: the rib in private memory and the file it is attached to.
// Built whole, or changed in place while workers read. Main thread of sluiced.
#ifndef APPLY_ROUTE_LIVE_H
#define APPLY_ROUTE_LIVE_H

#include "apply/route_layer.h"
#include "shm/generation.h"

#define ROUTE_MOST_IN_PLACE 4096 // changes; more are quicker built anew

struct route_grace { // waits until no reader can hold what updates took out
    uint64_t tick;   // stamp of the updates since the last snapshot
    bool dirty;      // updates since
    bool waiting;    // the snapshot below is to be passed by all readers
    uint64_t waiting_tick;
    uint64_t incarnation, heartbeat_ns;
    uint64_t bursts[SL_MAX_WORKERS];
};

struct route_live {
    // NULL: taken up from an earlier sluiced, `map` is read-only. A rib can only follow an image that it made: which
    // next hop has which number, which blocks are free and which of them readers may still hold, was in the memory of
    // the process that died, and the image may be older than the changes it did not live to finish. So the first
    // change after a restart builds a new table, of the same seed, aside as ever: for a million routes it is live in
    // about a second instead of milliseconds, once.
    struct sl_rib *rib;
    struct sl_segment_map map;
    struct sl_table_ref ref;
    struct route_grace grace;
};

struct route_change { // what a prefix was before an update in place
    struct sl_prefix prefix;
    unsigned ways; // 0: there was no route
    struct sl_rib_way *way;
};

struct route_changes {
    struct route_change *list;
    size_t count, room;
    size_t added, removed; // routes that came, that went; the rest changed their ways
};

// Builds a table file of all routes of a plan, not published yet. `seed`: ECMP hash seed to keep, 0: a fresh one.
// 0; -ENOSPC, -ENOMEM; or what shm says.
int route_live_build(const char *run_dir, struct sl_board *board, const struct route_plan *plan,
                     uint64_t seed, struct route_live *live, struct sl_error *error);
void route_live_fini(struct route_live *live);

// Makes the live table say what `after` says, from what `before` says. 0, and *changes for going back; -E2BIG: too
// much changed; -ENOSPC, -ENOMEM: the table is as it was; -EIO: it could not even be put back, build it anew.
int route_live_update(struct route_live *live, const struct route_plan *before,
                      const struct route_plan *after, struct route_changes *changes);
// Puts back what route_live_update() changed. 0 or -EIO.
int route_live_undo(struct route_live *live, struct route_changes *changes);
void route_changes_fini(struct route_changes *changes);

// Lets memory that updates took out be used again once every worker and housekeeping moved on. Call now and then.
void route_live_reclaim(struct route_live *live, const struct sl_board *board);
// Maps the table of a generation taken up, for its seed: without it ECMP would choose anew. A file that cannot be
// mapped leaves *live empty.
void route_live_take_up(const char *run_dir, const struct sl_table_ref *ref, struct route_live *live);
// The ECMP seed of a live table, 0 where there is none.
uint64_t route_live_seed(const struct route_live *live);

#endif
