// SPDX-License-Identifier: Apache-2.0
// See revert.h.
#include <errno.h>
#include <string.h>
#include "apply/revert.h"

// The routes as they were. Where the live table cannot be put back it is built anew from the running plan, which
// needs a publication to be seen.
static int restore_routes(struct applier *applier)
{
    struct snapshot *running = applier->running;

    if (!running)
        return 0;
    if (applier->live.rib && route_live_undo(&applier->live, &applier->changes) == 0)
        return 0;
    if (!applier->torn && !applier->candidate->stored.in_place)
        return 0; // taken up, never changed
    uint64_t seed = route_live_seed(&applier->live);
    route_live_fini(&applier->live);
    int rc = route_live_build(applier->run_dir, applier->board, &running->plan, seed, &applier->live, NULL);
    if (rc == 0)
        running->table[SNAPSHOT_ROUTE].ref = applier->live.ref;
    return rc ? rc : 1;
}

static void restore_xdp(struct applier *applier)
{
    const struct apply_hooks *hooks = &applier->hooks;

    if (hooks->prepare && applier->running)
        hooks->prepare(hooks->context, applier->running, NULL);
}

void revert_unpublished(struct applier *applier)
{
    if (!applier->candidate)
        return;
    int rc = restore_routes(applier);
    restore_xdp(applier);
    if (rc == 1)
        snapshot_publish(applier->running, applier->run_dir, applier->board, NULL);
    sl_generation_collect(applier->run_dir, applier->board, NULL, 0, NULL);
}

static void refuse(struct applier *applier)
{
    applier->outcome.status = APPLY_REFUSED;
    // Else the mark stays: should the data plane take it later, apply_came_late() knows it by that.
    if (applier->running)
        stored_remove(applier->state_dir, STORED_PENDING);
    sl_generation_collect(applier->run_dir, applier->board, NULL, 0, NULL);
    apply_finish(applier);
}

void revert_published(struct applier *applier, uint64_t now_ns)
{
    // Nothing to go back to: the number stands, and the data plane tries it again until its surroundings are there (the
    // interfaces of a machine that boots) or the next apply takes its place.
    if (!applier->running) {
        refuse(applier);
        return;
    }
    int rc = restore_routes(applier);
    restore_xdp(applier);
    if (rc >= 0)
        rc = snapshot_publish(applier->running, applier->run_dir, applier->board, NULL);
    if (rc < 0) {
        strncat(applier->outcome.error.text, "; and the old tables could not be published again",
                sizeof(applier->outcome.error.text) - strlen(applier->outcome.error.text) - 1);
        refuse(applier);
        return;
    }
    applier->phase = APPLY_REVERTING;
    applier->deadline_ns = now_ns + APPLY_LIVE_DEADLINE_NS;
    revert_await(applier, now_ns);
}

void revert_await(struct applier *applier, uint64_t now_ns)
{
    struct sl_live live = sl_board_live(applier->board, applier->running->generation, sl_board_now_ns());

    if (live.state == SL_LIVE_PENDING && now_ns < applier->deadline_ns)
        return;
    refuse(applier);
}
