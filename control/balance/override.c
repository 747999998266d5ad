// SPDX-License-Identifier: Apache-2.0
// The operator's runtime changes: made, met with a new config.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "balance/member.h"

bool override_is_empty(const struct balance_override *override)
{
    return override->operation == BALANCE_OPERATION_NONE && override->weight < 0;
}

bool override_meets_config(struct balance_override *override, const struct sl_config_member *member)
{
    bool dropped = false;

    if (override->weight >= 0 && override->base_weight != member->weight) {
        override->weight = -1;
        dropped = true;
    }
    if (override->operation != BALANCE_OPERATION_NONE && override->base_enabled != member->enabled) {
        override->operation = BALANCE_OPERATION_NONE;
        dropped = true;
    }
    override->base_weight = member->weight;
    override->base_enabled = member->enabled;
    return dropped;
}

static struct balance_override *override_get(struct member *member)
{
    if (member->override)
        return member->override;
    member->override = calloc(1, sizeof(*member->override));
    if (member->override)
        member->override->weight = -1;
    return member->override;
}

// In force, then on disk: whoever waits for the answer wants it now.
static int override_done(struct balance *balance, struct member *member, const char *user,
                         struct sl_error *error)
{
    struct balance_override *override = member->override;

    snprintf(override->user, sizeof(override->user), "%s", user);
    override->base_weight = member->weight;
    override->base_enabled = member->enabled;
    if (override_is_empty(override)) {
        free(override);
        member->override = NULL;
    }
    sync_now(balance, member);
    effect_renew(balance, member, balance_now_ms());
    balance_flush(balance);
    return kept_write(balance, error);
}

int balance_operate(struct balance *balance, const struct balance_member_key *key,
                    enum balance_operation operation, uint32_t deadline_s, const char *user,
                    struct sl_error *error)
{
    struct member *member = balance_member_of(balance, key);
    struct balance_override *override = member ? override_get(member) : NULL;

    if (!override)
        return sl_error_set(error, member ? -ENOMEM : -ENOENT, member ? "out of memory" : "no such member");
    override->operation =
        operation == BALANCE_OPERATION_ENABLE && member->enabled ? BALANCE_OPERATION_NONE : operation;
    override->at_ms = balance_now_ms();
    override->deadline_ms = deadline_s ? override->at_ms + deadline_s * 1000ull : 0;
    override->empty = false;
    return override_done(balance, member, user, error);
}

int balance_set_weight(struct balance *balance, const struct balance_member_key *key, uint32_t weight,
                       const char *user, struct sl_error *error)
{
    struct member *member = balance_member_of(balance, key);
    struct balance_override *override = member ? override_get(member) : NULL;

    if (!override)
        return sl_error_set(error, member ? -ENOMEM : -ENOENT, member ? "out of memory" : "no such member");
    override->weight = weight == member->weight ? -1 : (int32_t)weight;
    override->weight_at_ms = balance_now_ms();
    return override_done(balance, member, user, error);
}
