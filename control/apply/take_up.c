// SPDX-License-Identifier: Apache-2.0
// A fresh sluiced beside a running data plane: which of the stored configs is the one that runs? The manifest that is
// published says so by its config hash. Nothing is published here.
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "apply/apply.h"

static const enum sl_segment_kind kind_of[SNAPSHOT_TABLES] = {
    [SNAPSHOT_PORT] = SL_SEG_PORT,           [SNAPSHOT_ROUTE] = SL_SEG_ROUTE,     [SNAPSHOT_NAT] = SL_SEG_NAT,
    [SNAPSHOT_PREFILTER] = SL_SEG_PREFILTER, [SNAPSHOT_BALANCE] = SL_SEG_BALANCE,
};

// The running tables, taken over as they are: those of the manifest, each with the hash it was compiled from.
static void adopt_tables(struct snapshot *snapshot, const struct stored *stored,
                         const struct sl_generation *manifest)
{
    for (unsigned i = 0; i < SNAPSHOT_TABLES; i++) {
        const struct sl_table_ref *ref = sl_generation_table(manifest, kind_of[i]);
        if (ref)
            snapshot->table[i].ref = *ref;
    }
    // Port and NAT: the file's checksum is the hash of its content. The others: as noted when they were built.
    snapshot->table[SNAPSHOT_PORT].input = snapshot->table[SNAPSHOT_PORT].ref.checksum;
    snapshot->table[SNAPSHOT_NAT].input = snapshot->table[SNAPSHOT_NAT].ref.checksum;
    snapshot->table[SNAPSHOT_PREFILTER].input = stored->prefilter_hash;
    snapshot->table[SNAPSHOT_ROUTE].input = stored->route_hash;
    snapshot->table[SNAPSHOT_BALANCE].input = stored->balance_hash;
    snapshot->generation = manifest->number;
}

static int slots_of(const struct applier *applier, const struct sl_generation *manifest, struct slots *slots,
                    struct sl_error *notes)
{
    const struct sl_table_ref *ref = sl_generation_table(manifest, SL_SEG_PORT);
    struct sl_segment_map map;

    if (!ref)
        return sl_error_set(notes, -ENOENT, "generation %" PRIu64 " has no port table", manifest->number);
    int rc = sl_table_open(applier->run_dir, ref, &map, notes);
    if (rc)
        return rc;
    slots_from_table(slots, map.base);
    sl_segment_close(&map);
    return 0;
}

static int balance_slots_of(const struct applier *applier, const struct sl_generation *manifest,
                            struct balance_slots *slots, struct sl_error *notes)
{
    const struct sl_table_ref *ref = sl_generation_table(manifest, SL_SEG_BALANCE);
    struct sl_segment_map map = {0};

    int rc = ref ? sl_table_open(applier->run_dir, ref, &map, notes) : 0;
    if (rc)
        return rc;
    rc = balance_slots_from_table(slots, map.base);
    sl_segment_close(&map);
    return rc;
}

// The snapshot of a stored config whose tables are those of the manifest. The ports' slots are the running ones.
static struct snapshot *snapshot_adopt(const struct applier *applier, const struct stored *stored,
                                       const struct sl_generation *manifest, struct sl_error *notes)
{
    struct snapshot base = {0};
    struct sl_config *config = NULL;
    struct sl_diagnostics diag;

    if (slots_of(applier, manifest, &base.slots, notes) ||
        balance_slots_of(applier, manifest, &base.balance, notes))
        return NULL;
    sl_diag_init(&diag);
    int rc = sl_config_load_text(stored->text, stored->length, "the running config", NULL, &config, &diag);
    sl_diag_fini(&diag);
    if (rc) {
        balance_slots_fini(&base.balance);
        sl_error_set(notes, rc,
                     "the running config cannot be read any more (a file it names changed?): the data plane "
                     "goes on, apply a config to take control again");
        return NULL;
    }
    struct snapshot *snapshot = snapshot_new(config, &base, notes);
    balance_slots_fini(&base.balance);
    if (!snapshot)
        return NULL;
    uint64_t routes = snapshot->table[SNAPSHOT_ROUTE].input, sets = snapshot->table[SNAPSHOT_PREFILTER].input;
    if (routes != stored->route_hash || sets != stored->prefilter_hash)
        sl_error_set(notes, 0,
                     "files that the running config names have changed since it was applied: "
                     "'sluicectl config apply' takes them up");
    stored_fini(&snapshot->stored);
    if (stored_copy(&snapshot->stored, stored)) {
        snapshot_free(snapshot);
        return NULL;
    }
    adopt_tables(snapshot, stored, manifest);
    return snapshot;
}

static void take_up_confirm(struct applier *applier)
{
    struct stored back;

    if (stored_read(applier->state_dir, STORED_CONFIRM, &back, NULL))
        return;
    // Of another boot: its clock says nothing; the time to confirm is over.
    applier->confirm_deadline_ns = strcmp(back.boot, applier->boot) == 0 ? back.confirm_deadline_ns : 1;
    stored_fini(&back);
}

static void take_up_history(struct applier *applier, const struct stored *running)
{
    uint64_t id[HISTORY_MOST];
    unsigned count = history_list(applier->state_dir, id);

    if (count > 0)
        applier->next_id = id[0] + 1;
    if (running->id >= applier->next_id)
        applier->next_id = running->id + 1;
    if (running->text && (count == 0 || id[0] < running->id)) // killed between the two files
        history_add(applier->state_dir, running, NULL);
}

static enum take_up take_up_running(struct applier *applier, const struct stored *running,
                                    const struct sl_generation *manifest, struct sl_error *notes)
{
    struct stored pending;
    bool torn = stored_read(applier->state_dir, STORED_PENDING, &pending, NULL) == 0 && pending.in_place &&
                pending.hash != running->hash;

    stored_fini(&pending);
    applier->running = snapshot_adopt(applier, running, manifest, notes);
    if (!applier->running)
        return TAKE_UP_NOTHING;
    route_live_take_up(applier->run_dir, &applier->running->table[SNAPSHOT_ROUTE].ref, &applier->live);
    if (balance_live_take_up(applier->run_dir, &applier->running->table[SNAPSHOT_BALANCE].ref,
                             &applier->balance, notes))
        return TAKE_UP_REBUILD;
    if (torn) // the mark stays until the table is built anew: we may be killed again before
        return TAKE_UP_REBUILD;
    stored_remove(applier->state_dir, STORED_PENDING);
    return TAKE_UP_RUNNING;
}

// Both tables are held, unless they are one. One that cannot be is not changed until the next apply builds another.
static void take_up_pending_balance(struct applier *applier, struct sl_error *notes)
{
    const struct sl_table_ref *ref = &applier->candidate->table[SNAPSHOT_BALANCE].ref, *before = NULL;

    if (applier->running) {
        before = &applier->running->table[SNAPSHOT_BALANCE].ref;
        balance_live_take_up(applier->run_dir, before, &applier->balance, notes);
    }
    if (!before || before->serial != ref->serial)
        balance_live_take_up(applier->run_dir, ref, &applier->candidate_balance, notes);
}

// Published, but the last sluiced did not live to see it live. We wait in its place; should the data plane refuse, the
// running config is applied again.
static enum take_up take_up_pending(struct applier *applier, const struct stored *running,
                                    const struct stored *pending, const struct sl_generation *manifest,
                                    uint64_t now_ns, struct sl_error *notes)
{
    struct sl_generation before;

    applier->candidate = snapshot_adopt(applier, pending, manifest, notes);
    if (!applier->candidate)
        return TAKE_UP_NOTHING;
    if (running->text && manifest->number > 1 &&
        sl_generation_read(applier->run_dir, manifest->number - 1, &before, NULL) == 0 &&
        before.config_hash == running->hash)
        applier->running = snapshot_adopt(applier, running, &before, NULL);
    route_live_take_up(applier->run_dir, &applier->candidate->table[SNAPSHOT_ROUTE].ref, &applier->live);
    take_up_pending_balance(applier, notes);
    applier->confirm_s = pending->confirm_s;
    applier->phase = APPLY_AWAITING;
    applier->deadline_ns = now_ns + APPLY_LIVE_DEADLINE_NS;
    applier->outcome.changed = true;
    applier->outcome.id = pending->id;
    applier->outcome.hash = pending->hash;
    applier->outcome.generation = manifest->number;
    return TAKE_UP_PENDING;
}

enum take_up apply_take_up(struct applier *applier, uint64_t now_ns, struct sl_error *notes)
{
    struct sl_generation manifest;
    struct stored running = {0}, pending = {0};
    uint64_t published = __atomic_load_n(&applier->board->published, __ATOMIC_ACQUIRE);
    enum take_up result = TAKE_UP_NOTHING;

    notes->text[0] = '\0';
    stored_read(applier->state_dir, STORED_RUNNING, &running, NULL);
    stored_read(applier->state_dir, STORED_PENDING, &pending, NULL);
    take_up_history(applier, &running);
    if (published > 0 && sl_generation_read(applier->run_dir, published, &manifest, notes) == 0) {
        if (running.text && running.hash == manifest.config_hash)
            result = take_up_running(applier, &running, &manifest, notes);
        else if (pending.text && pending.hash == manifest.config_hash)
            result = take_up_pending(applier, &running, &pending, &manifest, now_ns, notes);
        else
            sl_error_set(notes, 0,
                         "generation %" PRIu64 " is published, but the state directory %s does not know its "
                         "config: the config file is applied",
                         published, applier->state_dir);
    }
    take_up_confirm(applier);
    if (result == TAKE_UP_NOTHING)
        stored_remove(applier->state_dir, STORED_PENDING);
    stored_fini(&running);
    stored_fini(&pending);
    return result;
}

bool apply_came_late(struct applier *applier, uint64_t now_ns, apply_done_fn done, void *context,
                     struct sl_error *notes)
{
    uint64_t published = __atomic_load_n(&applier->board->published, __ATOMIC_ACQUIRE);

    notes->text[0] = '\0';
    if (applier->running || apply_busy(applier) || published == 0 || published == applier->late_looked ||
        sl_board_live(applier->board, published, sl_board_now_ns()).state != SL_LIVE_YES)
        return false;
    applier->late_looked = published; // one that cannot be taken up is told of once
    sl_diag_fini(&applier->outcome.diag);
    memset(&applier->outcome, 0, sizeof(applier->outcome));
    sl_diag_init(&applier->outcome.diag);
    enum take_up what = apply_take_up(applier, now_ns, notes);
    applier->done = done;
    applier->done_context = context;
    return what == TAKE_UP_PENDING;
}
