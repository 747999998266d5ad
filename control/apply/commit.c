// SPDX-License-Identifier: Apache-2.0
// A generation became live: it is now the running one, in memory and on disk. The order on disk matters, we may be
// killed after any line: first where to go back to, then what runs, then the history, last the mark that an apply is
// under way. apply_take_up() in take_up.c understands every state between.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "apply/apply.h"

static int store_confirm(struct applier *applier, uint64_t now_ns, struct sl_error *error)
{
    struct stored back;

    if (applier->rebuilding)
        return 0; // whatever waits to be confirmed goes on waiting
    if (!applier->confirm_s) {
        stored_remove(applier->state_dir, STORED_CONFIRM);
        applier->confirm_deadline_ns = 0;
        return 0;
    }
    applier->confirm_deadline_ns = now_ns + (uint64_t)applier->confirm_s * 1000000000;
    // A second unconfirmed apply goes back to where the first would have gone.
    int rc = stored_read(applier->state_dir, STORED_CONFIRM, &back, NULL);
    if (rc && applier->running)
        rc = stored_copy(&back, &applier->running->stored);
    if (rc) {
        applier->confirm_deadline_ns = 0;
        return rc == -ENOENT ? 0 : rc; // the very first config: nothing to go back to
    }
    back.confirm_deadline_ns = applier->confirm_deadline_ns;
    memcpy(back.boot, applier->boot, sizeof(back.boot));
    rc = stored_write(applier->state_dir, STORED_CONFIRM, &back, true, error);
    stored_fini(&back);
    return rc;
}

static void become_running(struct applier *applier)
{
    struct snapshot *old = applier->running;

    applier->running = applier->candidate;
    applier->candidate = NULL;
    snapshot_free(old);
    applier->next_id = applier->running->stored.id + 1;
    if (applier->candidate_live.map.base) {
        route_live_fini(&applier->live);
        applier->live = applier->candidate_live;
        memset(&applier->candidate_live, 0, sizeof(applier->candidate_live));
    }
    if (applier->candidate_balance.map.base || !applier->running->table[SNAPSHOT_BALANCE].ref.serial) {
        balance_live_fini(&applier->balance);
        applier->balance = applier->candidate_balance;
        memset(&applier->candidate_balance, 0, sizeof(applier->candidate_balance));
    }
}

// Thread.
static int store(void *context)
{
    struct applier *applier = context;
    struct sl_error *error = &applier->store_error;
    struct stored *stored = &applier->candidate->stored;
    int rc = applier->store_rc;

    if (rc == 0)
        rc = stored_write(applier->state_dir, STORED_RUNNING, stored, true, error);
    apply_step(applier, APPLY_STEP_STORED);
    if (rc == 0 && !applier->rebuilding)
        rc = history_add(applier->state_dir, stored, error);
    if (applier->hooks.foresee)
        applier->hooks.foresee(applier->hooks.context, applier->candidate);
    applier->store_rc = rc;
    return rc;
}

void apply_commit(struct applier *applier, uint64_t now_ns)
{
    const struct apply_hooks *hooks = &applier->hooks;
    struct stored *stored = &applier->candidate->stored;

    applier->outcome.live_ns = hooks->clock_ns ? hooks->clock_ns(hooks->context) : 0;
    if (!applier->rebuilding)
        stored->applied_at = time(NULL);
    stored->in_place = false;
    applier->store_rc = store_confirm(applier, now_ns, &applier->store_error);
    applier->phase = APPLY_STORING;
    work_start(&applier->work, applier->aside, store, applier);
}

void apply_committed(struct applier *applier)
{
    const struct apply_hooks *hooks = &applier->hooks;

    if (applier->store_rc) // live all the same: the operator must know that a restart would not
        sl_diag_add(&applier->outcome.diag, SL_DIAG_WARNING, applier->state_dir, 0, 0, "",
                    "mend the state directory and apply again",
                    "the config is live but could not be kept: %s", applier->store_error.text);
    become_running(applier);
    stored_remove(applier->state_dir, STORED_PENDING);
    sl_generation_collect(applier->run_dir, applier->board, NULL, 0, NULL);
    if (hooks->live)
        hooks->live(hooks->context, applier->running);
    apply_finish(applier);
}
