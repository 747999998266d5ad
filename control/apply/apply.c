// SPDX-License-Identifier: Apache-2.0
// The transaction's way forward: load, compile, build, publish, wait. See apply.h; what follows once it is live is in
// commit.c, going back in revert.c.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "apply/apply.h"
#include "apply/compile.h"
#include "apply/revert.h"

#define ASK_AT_ONCE 2000 // members at a tick: about a millisecond

void apply_step(struct applier *applier, enum apply_step step)
{
    if (applier->hooks.step)
        applier->hooks.step(applier->hooks.context, step);
}

static uint64_t stamp(const struct applier *applier)
{
    return applier->hooks.clock_ns ? applier->hooks.clock_ns(applier->hooks.context) : 0;
}

void apply_init(struct applier *applier, const char *run_dir, const char *state_dir, struct sl_board *board,
                const struct apply_hooks *hooks)
{
    memset(applier, 0, sizeof(*applier));
    applier->run_dir = run_dir;
    applier->state_dir = state_dir;
    applier->board = board;
    applier->next_id = 1;
    if (hooks)
        applier->hooks = *hooks;
    sl_diag_init(&applier->outcome.diag);
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (file) {
        if (fscanf(file, "%39s", applier->boot) != 1)
            applier->boot[0] = '\0';
        fclose(file);
    }
}

void apply_fini(struct applier *applier)
{
    work_end(&applier->work); // what it was about is understood by apply_take_up(), as after a kill
    apply_request_fini(&applier->request);
    balance_ask_fini(&applier->ask);
    free(applier->late);
    snapshot_free(applier->running);
    snapshot_free(applier->candidate);
    route_live_fini(&applier->live);
    route_live_fini(&applier->candidate_live);
    balance_live_fini(&applier->balance);
    balance_live_fini(&applier->candidate_balance);
    route_changes_fini(&applier->changes);
    sl_diag_fini(&applier->outcome.diag);
}

bool apply_busy(const struct applier *applier)
{
    return applier->phase != APPLY_IDLE;
}

void apply_finish(struct applier *applier)
{
    apply_done_fn done = applier->done;

    snapshot_free(applier->candidate);
    applier->candidate = NULL;
    route_live_fini(&applier->candidate_live);
    balance_live_fini(&applier->candidate_balance);
    route_changes_fini(&applier->changes);
    apply_request_fini(&applier->request);
    balance_ask_fini(&applier->ask);
    applier->late_count = 0;
    applier->phase = APPLY_IDLE;
    applier->torn = false;
    applier->done = NULL;
    applier->outcome.end_ns = stamp(applier);
    applier->outcome.goes_on = applier->running != NULL;
    apply_step(applier, APPLY_STEP_DONE);
    if (done)
        done(applier->done_context, &applier->outcome);
}

static void fail(struct applier *applier, enum apply_status status)
{
    struct apply_outcome *outcome = &applier->outcome;

    outcome->status = status;
    if (status == APPLY_INVALID && outcome->diag.errors == 0) // found by a compiler: a file's line, a size
        sl_diag_add(&outcome->diag, SL_DIAG_ERROR,
                    applier->request.path ? applier->request.path : "the config", 0, 0, "", "", "%s",
                    outcome->error.text);
    stored_remove(applier->state_dir, STORED_PENDING);
    apply_finish(applier);
}

// The loader asks: a file that is in the running generation need not be read to be checked.
static bool knows_route_file(void *context, const struct sl_config *config, const char *file)
{
    const struct snapshot *running = ((struct applier *)context)->running;

    return running && route_plan_knows_file(&running->plan, config, &running->slots, file);
}

// Likewise of the prefilter's sets: the running table was compiled from the same.
static bool knows_set_files(void *context, const struct sl_config *config)
{
    const struct snapshot *running = ((struct applier *)context)->running;
    uint64_t hash = running ? compile_prefilter_hash(config, &running->slots) : 0;

    return hash != 0 && hash == running->table[SNAPSHOT_PREFILTER].input;
}

static int load(struct applier *applier, struct sl_config **config)
{
    const struct apply_request *request = &applier->request;
    struct apply_outcome *outcome = &applier->outcome;
    struct sl_config_known known = {
        .route_file = knows_route_file, .set_files = knows_set_files, .context = applier};
    int rc = sl_config_load_known(request->path, request->text, request->length, request->folder, &known,
                                  config, &outcome->diag);

    outcome->read_ns = stamp(applier);
    if (rc == -EINVAL)
        sl_error_set(&outcome->error, rc, "%s: %u error%s", request->path ? request->path : "the config",
                     outcome->diag.errors, outcome->diag.errors == 1 ? "" : "s");
    else if (rc)
        sl_error_set(&outcome->error, rc, "%s: cannot be read: %s",
                     request->path ? request->path : "the config", strerror(-rc));
    return rc;
}

// The same config once more: who applied it, and when, stays.
static void describe_as(struct stored *stored, const struct stored *running)
{
    stored->id = running->id;
    stored->uid = running->uid;
    stored->applied_at = running->applied_at;
    memcpy(stored->user, running->user, sizeof(stored->user));
    memcpy(stored->comment, running->comment, sizeof(stored->comment));
}

static void describe(struct applier *applier)
{
    const struct apply_request *request = &applier->request;
    struct stored *stored = &applier->candidate->stored;
    const struct snapshot *running = applier->running;

    applier->rebuilding = request->rebuild && running && running->stored.hash == stored->hash;
    if (applier->rebuilding) {
        describe_as(stored, &running->stored);
    } else {
        stored->id = applier->next_id;
        stored->uid = request->uid;
        snprintf(stored->user, sizeof(stored->user), "%s", request->user ? request->user : "");
        snprintf(stored->comment, sizeof(stored->comment), "%s", request->comment ? request->comment : "");
    }
    stored->confirm_s = request->confirm_s;
    applier->confirm_s = request->confirm_s;
    applier->outcome.id = stored->id;
    applier->outcome.hash = stored->hash;
    applier->outcome.confirm_s = request->confirm_s;
}

// Only routes differ, and the live table can be changed: the candidate's ports are those that workers know.
static bool fits_in_place(const struct applier *applier)
{
    const struct snapshot *a = applier->running, *b = applier->candidate;

    if (!a || !applier->live.rib)
        return false;
    for (unsigned i = 0; i < SNAPSHOT_TABLES; i++)
        if (i != SNAPSHOT_ROUTE && a->table[i].input != b->table[i].input)
            return false;
    return true;
}

static int write_pending(struct applier *applier, bool in_place)
{
    applier->candidate->stored.in_place = in_place;
    int rc = stored_write(applier->state_dir, STORED_PENDING, &applier->candidate->stored, false,
                          &applier->outcome.error);
    if (rc == 0)
        apply_step(applier, APPLY_STEP_PENDING);
    return rc;
}

// 0: done; 1: build a table instead; -errno.
static int change_routes(struct applier *applier)
{
    struct apply_outcome *outcome = &applier->outcome;
    int rc = write_pending(applier, true);

    if (rc)
        return rc;
    rc = route_live_update(&applier->live, &applier->running->plan, &applier->candidate->plan,
                           &applier->changes);
    if (rc == -EIO) { // half changed and no room to put it back: good only for as long as the new table takes
        route_live_fini(&applier->live);
        applier->torn = true;
    }
    if (rc)
        return 1;
    applier->candidate->table[SNAPSHOT_ROUTE].ref = applier->running->table[SNAPSHOT_ROUTE].ref;
    outcome->in_place = true;
    outcome->routes_added = applier->changes.added;
    outcome->routes_removed = applier->changes.removed;
    return 0;
}

static int build_routes(struct applier *applier)
{
    struct snapshot *candidate = applier->candidate;
    uint64_t seed = route_live_seed(&applier->live);

    int rc = route_live_build(applier->run_dir, applier->board, &candidate->plan, seed,
                              &applier->candidate_live, &applier->outcome.error);
    if (rc)
        return rc;
    candidate->table[SNAPSHOT_ROUTE].ref = applier->candidate_live.ref;
    applier->outcome.built |= 1u << SNAPSHOT_ROUTE;
    return 0;
}

static bool builds_balance(const struct snapshot *candidate)
{
    return candidate->table[SNAPSHOT_BALANCE].input && !candidate->table[SNAPSHOT_BALANCE].ref.serial;
}

static int build_balance(struct applier *applier)
{
    struct snapshot *candidate = applier->candidate;

    if (!builds_balance(candidate))
        return 0;
    int rc = balance_live_build(applier->run_dir, applier->board, candidate->config, &candidate->balance,
                                &applier->ask, &applier->candidate_balance, &applier->outcome.error);
    if (rc)
        return rc;
    candidate->table[SNAPSHOT_BALANCE].ref = applier->candidate_balance.ref;
    applier->outcome.built |= 1u << SNAPSHOT_BALANCE;
    return 0;
}

static int note_late(struct applier *applier, const struct member_change *change, uint32_t count)
{
    if (applier->late_count + count > applier->late_room) {
        uint32_t room = 2 * (applier->late_count + count);
        struct member_change *wider = realloc(applier->late, room * sizeof(*wider));
        if (!wider)
            return -ENOMEM;
        applier->late = wider;
        applier->late_room = room;
    }
    memcpy(&applier->late[applier->late_count], change, count * sizeof(*change));
    applier->late_count += count;
    return 0;
}

int apply_change_members(struct applier *applier, const struct member_change *change, uint32_t count)
{
    bool on_its_way = applier->phase == APPLY_ASKING || applier->phase == APPLY_BUILDING;
    int rc = balance_live_change(&applier->balance, change, count);
    int also = on_its_way ? note_late(applier, change, count)
                          : balance_live_change(&applier->candidate_balance, change, count);

    return rc ? rc : also;
}

// Thread.
static int build(void *context)
{
    struct applier *applier = context;
    bool routes = !applier->candidate->table[SNAPSHOT_ROUTE].ref.serial;
    int rc = 1;

    if (routes && !applier->request.rebuild && fits_in_place(applier)) {
        rc = change_routes(applier);
        if (rc <= 0)
            return rc;
    }
    rc = write_pending(applier, applier->torn);
    if (rc == 0 && routes)
        rc = build_routes(applier);
    if (rc == 0)
        rc = build_balance(applier);
    if (rc == 0)
        rc = snapshot_build(applier->candidate, applier->run_dir, applier->board, &applier->outcome.built,
                            &applier->outcome.error);
    return rc;
}

static int publish(struct applier *applier, uint64_t now_ns)
{
    struct apply_outcome *outcome = &applier->outcome;
    const struct apply_hooks *hooks = &applier->hooks;

    apply_step(applier, APPLY_STEP_BUILT);
    int rc = hooks->prepare ? hooks->prepare(hooks->context, applier->candidate, &outcome->error) : 0;
    if (rc)
        return rc;
    apply_step(applier, APPLY_STEP_PREPARED);
    rc = snapshot_publish(applier->candidate, applier->run_dir, applier->board, &outcome->error);
    if (rc)
        return rc;
    outcome->generation = applier->candidate->generation;
    outcome->publish_ns = stamp(applier);
    apply_step(applier, APPLY_STEP_PUBLISHED);
    applier->phase = APPLY_AWAITING;
    applier->deadline_ns = now_ns + APPLY_LIVE_DEADLINE_NS;
    return 0;
}

static enum apply_status status_of(int rc)
{
    return rc == -EINVAL || rc == -E2BIG ? APPLY_INVALID : APPLY_IO;
}

// Same config, same files: nothing to do but to be asked for a confirmation, or to stop asking.
static bool nothing_changed(const struct applier *applier)
{
    return applier->running && !applier->request.rebuild &&
           applier->running->stored.hash == applier->candidate->stored.hash &&
           snapshot_same_tables(applier->running, applier->candidate);
}

// Thread.
static int load_and_compile(void *context)
{
    struct applier *applier = context;
    struct sl_config *config = NULL;

    int rc = load(applier, &config);
    if (rc)
        return rc;
    applier->candidate = snapshot_new(config, applier->running, &applier->outcome.error);
    applier->outcome.compile_ns = stamp(applier);
    return 0;
}

static void begin_asking(struct applier *applier)
{
    applier->late_count = 0;
    applier->phase = APPLY_ASKING;
    if (builds_balance(applier->candidate) && balance_ask_begin(&applier->ask, applier->candidate->config)) {
        sl_error_set(&applier->outcome.error, -ENOMEM, "out of memory");
        fail(applier, APPLY_IO);
    }
}

static void loaded(struct applier *applier, int rc)
{
    struct apply_outcome *outcome = &applier->outcome;

    if (rc) {
        outcome->status = rc == -EINVAL ? APPLY_INVALID : APPLY_IO;
        apply_finish(applier);
        return;
    }
    if (!applier->candidate) {
        fail(applier, APPLY_INVALID);
        return;
    }
    apply_step(applier, APPLY_STEP_LOADED);
    describe(applier);
    outcome->changed = !nothing_changed(applier);
    if (applier->request.rebuild)
        snapshot_forget_tables(applier->candidate);
    if (applier->request.dry || !outcome->changed) {
        outcome->generation = applier->running ? applier->running->generation : 0;
        apply_finish(applier);
        return;
    }
    begin_asking(applier);
}

static void ask(struct applier *applier)
{
    const struct snapshot *candidate = applier->candidate;

    if (applier->ask.state &&
        !balance_ask_some(&applier->ask, candidate->config, &candidate->balance, applier->hooks.member_state,
                          applier->hooks.context, applier->aside ? ASK_AT_ONCE : UINT32_MAX))
        return;
    applier->phase = APPLY_BUILDING;
    work_start(&applier->work, applier->aside, build, applier);
}

static void built(struct applier *applier, int rc, uint64_t now_ns)
{
    if (rc == 0 && balance_live_change(&applier->candidate_balance, applier->late, applier->late_count))
        rc = sl_error_set(&applier->outcome.error, -ENOMEM, "out of memory");
    if (rc == 0)
        rc = publish(applier, now_ns);
    if (rc) {
        revert_unpublished(applier);
        fail(applier, status_of(rc));
    }
}

static void await(struct applier *applier, uint64_t now_ns);

// As far as it goes without waiting.
static void advance(struct applier *applier, uint64_t now_ns)
{
    if (applier->phase == APPLY_LOADING && work_done(&applier->work))
        loaded(applier, work_end(&applier->work));
    if (applier->phase == APPLY_ASKING)
        ask(applier);
    if (applier->phase == APPLY_BUILDING && work_done(&applier->work))
        built(applier, work_end(&applier->work), now_ns);
    if (applier->phase == APPLY_AWAITING)
        await(applier, now_ns);
    else if (applier->phase == APPLY_REVERTING)
        revert_await(applier, now_ns);
    if (applier->phase == APPLY_STORING && work_done(&applier->work)) {
        work_end(&applier->work);
        apply_committed(applier);
    }
}

int apply_start(struct applier *applier, const struct apply_request *request, uint64_t now_ns,
                apply_done_fn done, void *context)
{
    struct apply_outcome *outcome = &applier->outcome;

    if (apply_busy(applier))
        return -EBUSY;
    if (apply_request_copy(&applier->request, request))
        return -ENOMEM;
    sl_diag_fini(&outcome->diag);
    memset(outcome, 0, sizeof(*outcome));
    sl_diag_init(&outcome->diag);
    outcome->dry = request->dry;
    outcome->start_ns = stamp(applier);
    applier->done = done;
    applier->done_context = context;
    applier->phase = APPLY_LOADING;
    work_start(&applier->work, applier->aside, load_and_compile, applier);
    advance(applier, now_ns);
    return 0;
}

static void await(struct applier *applier, uint64_t now_ns)
{
    struct apply_outcome *outcome = &applier->outcome;
    struct sl_live live = sl_board_live(applier->board, applier->candidate->generation, sl_board_now_ns());

    outcome->workers = live.workers;
    if (live.state == SL_LIVE_YES || live.state == SL_LIVE_STOPPED) {
        outcome->waiting = live.state == SL_LIVE_STOPPED;
        apply_step(applier, APPLY_STEP_LIVE);
        apply_commit(applier, now_ns);
    } else if (live.state == SL_LIVE_REFUSED) {
        char why[256];
        sl_board_refusal(applier->board, why);
        sl_error_set(&outcome->error, -EBADMSG, "the data plane refused generation %" PRIu64 ": %s",
                     applier->candidate->generation, why);
        revert_published(applier, now_ns);
    } else if (now_ns >= applier->deadline_ns) {
        sl_error_set(&outcome->error, -ETIMEDOUT,
                     "generation %" PRIu64
                     " was live on only %u of %u workers after %llu s: 'sluicectl worker' shows "
                     "which are stuck",
                     applier->candidate->generation, live.workers_live, live.workers,
                     APPLY_LIVE_DEADLINE_NS / 1000000000);
        revert_published(applier, now_ns);
    }
}

void apply_tick(struct applier *applier, uint64_t now_ns)
{
    advance(applier, now_ns);
    if (applier->phase == APPLY_IDLE)
        route_live_reclaim(&applier->live, applier->board);
}
