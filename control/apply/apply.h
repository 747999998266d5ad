// SPDX-License-Identifier: Apache-2.0
// Apply as one transaction: everything is built aside, XDP maps are prepared, the generation is published, every
// worker echoes it, and only then it is the running one on disk and the old files go. Whatever fails on the way, the
// old generation stays or is published again, and the reason goes to whoever asked.
//
//            start                                   publish            live           stored
//      IDLE ───────► LOADING ──► ASKING ──► BUILDING ───────► AWAITING ──────► STORING ───────► IDLE (+ CONFIRMING)
//       ▲                                                        │ refused, too late
//       │   tick: live                                           ▼
//       └─────────────────────────────────────────────────── REVERTING
//
// With `aside` set LOADING, BUILDING and STORING run on a thread (work.h), because a config of 100,000 members takes a
// second: the candidate, the files it is written to and the outcome are the thread's in these phases, the running
// snapshot stays as it is. Members that change from ASKING on, when they were asked what they count for, are noted and
// told to the new table once it is there. The lists of the routes are the thread's too while it builds.
//
// No clock and no sleeping here: `now_ns` (CLOCK_BOOTTIME) comes in, the event loop calls apply_tick() while
// apply_busy(). Main thread of sluiced; tests drive it with a time of their own.
#ifndef APPLY_APPLY_H
#define APPLY_APPLY_H

#include "apply/balance_live.h"
#include "apply/route_live.h"
#include "apply/snapshot.h"
#include "apply/work.h"
#include "config/diag.h"

#define APPLY_LIVE_DEADLINE_NS                                                                               \
    (15ull * 1000000000) // for every worker to take a generation: a million routes are checked

enum apply_phase {
    APPLY_IDLE,
    APPLY_LOADING,  // read, checked, compiled
    APPLY_ASKING,   // members' states are asked for, some at each tick
    APPLY_BUILDING, // table files are written
    APPLY_AWAITING,
    APPLY_STORING, // live, and written to disk as such
    APPLY_REVERTING
};

enum apply_step { // places where a test may kill the process
    APPLY_STEP_LOADED,
    APPLY_STEP_PENDING,
    APPLY_STEP_BUILT,
    APPLY_STEP_PREPARED,
    APPLY_STEP_PUBLISHED,
    APPLY_STEP_LIVE,
    APPLY_STEP_STORED,
    APPLY_STEP_DONE,
    APPLY_STEPS
};

struct apply_request {
    const char *path; // file to load, or the name for messages where there is text
    const char *text; // NULL: load the file
    size_t length;
    const char *folder; // relative file names in `text` count from here
    uint32_t uid;
    const char *user;
    const char *comment;
    uint32_t confirm_s; // 0: for good
    bool dry;
    bool rebuild; // every table anew, though the config is the running one: nobody knows what is in the files
};

enum apply_status { APPLY_OK, APPLY_INVALID, APPLY_REFUSED, APPLY_IO, APPLY_INTERNAL };

struct apply_outcome { // of one apply; owned by the applier, valid in the callback
    enum apply_status status;
    struct sl_error error;      // where status is not OK
    struct sl_diagnostics diag; // errors of an invalid config; warnings of a good one
    bool changed, dry, in_place, waiting;
    bool goes_on; // a config runs, be it the one from before
    uint64_t id, hash, generation;
    uint32_t workers, confirm_s;
    unsigned built; // bit per enum snapshot_table
    size_t routes_added, routes_removed;
    uint64_t start_ns, read_ns, compile_ns, publish_ns, live_ns, end_ns; // points in time
};

typedef void (*apply_done_fn)(void *context, const struct apply_outcome *outcome);

struct apply_hooks { // what happens beside shared memory; any may be NULL
    void *context;
    int (*prepare)(void *context, const struct snapshot *snapshot,
                   struct sl_error *error);                       // before publishing
    // On the thread, or the caller's: what `live` will want. Nothing that others may change meanwhile.
    void (*foresee)(void *context, const struct snapshot *snapshot);
    void (*live)(void *context, const struct snapshot *snapshot); // after
    member_state_fn member_state; // a balance table is built: what its members count for now
    void (*step)(void *context, enum apply_step step); // tests
    uint64_t (*clock_ns)(void *context);               // for durations alone; NULL: none
};

struct applier {
    const char *run_dir, *state_dir;
    struct sl_board *board;
    struct apply_hooks hooks;
    struct snapshot *running;    // NULL: none
    struct route_live live;      // route table of `running`
    struct balance_live balance; // balance table of `running`
    uint64_t next_id;
    uint64_t late_looked; // generation that became live after it was refused, and was looked at
    // to be confirmed
    uint64_t confirm_deadline_ns; // CLOCK_BOOTTIME, 0: nothing to confirm
    // under way
    bool aside; // long work runs on a thread. Of whoever has an event loop to keep going
    enum apply_phase phase;
    struct apply_work work;
    struct apply_request request; // our copy
    struct balance_ask ask;
    struct member_change *late; // members that changed since they were asked
    uint32_t late_count, late_room;
    int store_rc; // of the confirmation's file
    struct sl_error store_error;
    struct snapshot *candidate;
    struct route_live candidate_live;      // a route table built for it; empty: shared or changed in place
    struct balance_live candidate_balance; // likewise; empty: shared, or it has none
    struct route_changes changes;          // made in place
    bool torn;                             // the live route table is half changed and could not be put back
    bool rebuilding;                       // the candidate is the running config: no entry of the history
    uint32_t confirm_s;
    uint64_t deadline_ns;
    struct apply_outcome outcome;
    apply_done_fn done;
    void *done_context;
    char boot[40];
};

// Opens nothing: board and directories are the caller's. apply_take_up() next.
void apply_init(struct applier *applier, const char *run_dir, const char *state_dir, struct sl_board *board,
                const struct apply_hooks *hooks);
void apply_fini(struct applier *applier);

// Begins. `done` is called once, perhaps before this returns, with what became of it. -EBUSY: one is under way, -ENOMEM;
// `done` is not called then.
int apply_start(struct applier *applier, const struct apply_request *request, uint64_t now_ns,
                apply_done_fn done, void *context);
// Looks at the board and at the time.
void apply_tick(struct applier *applier, uint64_t now_ns);
bool apply_busy(const struct applier *applier);

// 0; -ENOENT: nothing to confirm.
int apply_confirm(struct applier *applier);
// Applies entry `id` of the history. -ENOENT: there is none; -EBUSY.
int apply_history_entry(struct applier *applier, uint64_t id, const struct apply_request *who,
                        uint64_t now_ns, apply_done_fn done, void *context);
// Goes back from a config that waits to be confirmed. -ENOENT: none waits; -EBUSY.
int apply_revert_unconfirmed(struct applier *applier, const struct apply_request *who, uint64_t now_ns,
                             apply_done_fn done, void *context);

// The data plane refused what runs, a damaged file say: builds every table anew from the running config and publishes
// them. The history and a wait for confirmation stay as they are. -ENOENT: nothing runs; -EBUSY.
int apply_heal(struct applier *applier, const struct apply_request *who, uint64_t now_ns, apply_done_fn done,
               void *context);

enum take_up {
    TAKE_UP_NOTHING, // no generation, or none that can be told: apply a config
    TAKE_UP_RUNNING, // the running generation goes on; nothing was published
    TAKE_UP_PENDING, // a generation was published when the last sluiced ended; tick until it is live
    TAKE_UP_REBUILD, // it ended amid an update in place: apply the running config again with `rebuild`
};
// At start: finds out what runs. Sentences for the log go to `notes` (may say nothing).
enum take_up apply_take_up(struct applier *applier, uint64_t now_ns, struct sl_error *notes);

// Nothing runs, for the first generation was refused, and the data plane, which tries it again, has taken it by now: it is
// taken up as the running one, and `done` is called when it is. False: no such thing. `notes` may get a sentence.
bool apply_came_late(struct applier *applier, uint64_t now_ns, apply_done_fn done, void *context,
                     struct sl_error *notes);

// Members changed: in the running table and in the one that is on its way. 0 or -ENOMEM.
int apply_change_members(struct applier *applier, const struct member_change *change, uint32_t count);

// ---- inside apply/ ----
void apply_commit(struct applier *applier, uint64_t now_ns); // commit.c: the candidate is live
void apply_committed(struct applier *applier);               // commit.c: it is on disk
int apply_request_copy(struct apply_request *to, const struct apply_request *from); // 0 or -ENOMEM
void apply_request_fini(struct apply_request *request);
void apply_finish(struct applier *applier); // calls done, forgets the candidate
void apply_step(struct applier *applier, enum apply_step step);

#endif
