// SPDX-License-Identifier: Apache-2.0
// Configs that are kept: confirming, going back in the history, building the running one anew. See apply.h.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "apply/apply.h"

int apply_confirm(struct applier *applier)
{
    if (!applier->confirm_deadline_ns)
        return -ENOENT;
    stored_remove(applier->state_dir, STORED_CONFIRM);
    applier->confirm_deadline_ns = 0;
    return 0;
}

static int apply_stored(struct applier *applier, struct stored *stored, const char *comment,
                        const struct apply_request *who, uint64_t now_ns, apply_done_fn done, void *context)
{
    struct apply_request request = *who;

    request.path = "the stored config";
    request.text = stored->text;
    request.length = stored->length;
    request.folder = NULL; // file names in stored configs are absolute
    request.comment = comment;
    int rc = apply_start(applier, &request, now_ns, done, context);
    stored_fini(stored);
    return rc;
}

int apply_history_entry(struct applier *applier, uint64_t id, const struct apply_request *who,
                        uint64_t now_ns, apply_done_fn done, void *context)
{
    struct stored stored;
    char comment[160];

    if (apply_busy(applier))
        return -EBUSY;
    int rc = history_read(applier->state_dir, id, &stored, NULL);
    if (rc)
        return -ENOENT;
    snprintf(comment, sizeof(comment), "rollback to %llu", (unsigned long long)id);
    return apply_stored(applier, &stored, comment, who, now_ns, done, context);
}

int apply_revert_unconfirmed(struct applier *applier, const struct apply_request *who, uint64_t now_ns,
                             apply_done_fn done, void *context)
{
    struct stored stored;

    if (apply_busy(applier))
        return -EBUSY;
    if (!applier->confirm_deadline_ns)
        return -ENOENT;
    int rc = stored_read(applier->state_dir, STORED_CONFIRM, &stored, NULL);
    // Whatever becomes of it, do not try for ever: a config that cannot be gone back to is reported once.
    applier->confirm_deadline_ns = 0;
    if (rc)
        return -ENOENT;
    return apply_stored(applier, &stored, "not confirmed: reverted", who, now_ns, done, context);
}

int apply_heal(struct applier *applier, const struct apply_request *who, uint64_t now_ns, apply_done_fn done,
               void *context)
{
    struct apply_request request = *who;
    struct stored stored;

    if (apply_busy(applier))
        return -EBUSY;
    if (!applier->running || stored_copy(&stored, &applier->running->stored))
        return -ENOENT;
    request.rebuild = true;
    return apply_stored(applier, &stored, NULL, &request, now_ns, done, context);
}
