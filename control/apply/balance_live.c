// SPDX-License-Identifier: Apache-2.0
// See balance_live.h.
#include "apply/balance_live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "table/balance_read.h"

#define BATCH 64 // changes of a pool that count at once

void balance_live_fini(struct balance_live *live)
{
    sl_segment_close(&live->map);
    memset(live, 0, sizeof(*live));
}

static void as_configured(const struct sl_config_member *member, struct member_state *state)
{
    *state = (struct member_state){
        .state = member->enabled ? SL_BALANCE_UP : SL_BALANCE_DOWN,
        .weight = (uint16_t)(member->weight * BALANCE_SCALE),
    };
}

int balance_ask_begin(struct balance_ask *ask, const struct sl_config *config)
{
    size_t members = 0;

    for (unsigned i = 0; i < config->pools_count; i++)
        members += config->pools[i].members_count;
    *ask = (struct balance_ask){.state = calloc(members + 1, sizeof(*ask->state))};
    return ask->state ? 0 : -ENOMEM;
}

void balance_ask_fini(struct balance_ask *ask)
{
    free(ask->state);
    memset(ask, 0, sizeof(*ask));
}

bool balance_ask_some(struct balance_ask *ask, const struct sl_config *config,
                      const struct balance_slots *slots, member_state_fn state_of, void *context,
                      uint32_t most)
{
    for (; ask->pool < config->pools_count; ask->pool++, ask->member = 0) {
        const struct sl_config_server_pool *pool = &config->pools[ask->pool];
        for (; ask->member < pool->members_count; ask->member++) {
            const struct sl_config_member *member = &pool->members[ask->member];
            struct balance_member_key key = balance_member_key(pool, member);
            if (most-- == 0)
                return false;
            key.slot = balance_slots_member(slots, &key);
            as_configured(member, &ask->state[ask->count]);
            if (state_of)
                state_of(context, pool, member, &key, &ask->state[ask->count]);
            ask->count++;
        }
    }
    return true;
}

static void put_states(const struct balance_ask *ask, struct sl_balance_member *member)
{
    for (uint32_t i = 0; i < ask->count; i++) {
        member[i].word = SL_BALANCE_WORD(ask->state[i].state, ask->state[i].weight);
        member[i].since_ns = ask->state[i].since_ns;
        member[i].note = ask->state[i].note;
    }
}

static int live_write(const char *run_dir, struct sl_board *board, const struct sl_balance_input *input,
                      struct balance_live *live, struct sl_error *error)
{
    struct sl_segment_draft draft;
    uint64_t size = sl_balance_size(input);

    if (size == 0)
        return sl_error_set(error, -ENOSPC, "more services, addresses or members than a table holds");
    int rc = sl_table_create(run_dir, board, SL_SEG_BALANCE, size, &draft, error);
    if (rc)
        return rc;
    rc = sl_balance_build(input, draft.map.base, draft.map.size, error);
    if (rc) {
        sl_segment_abort(&draft);
        return rc;
    }
    return sl_table_seal(&draft, &live->ref, &live->map, error);
}

int balance_live_build(const char *run_dir, struct sl_board *board, const struct sl_config *config,
                       const struct balance_slots *slots, const struct balance_ask *ask,
                       struct balance_live *live, struct sl_error *error)
{
    struct compiled_balance compiled;

    memset(live, 0, sizeof(*live));
    int rc = compile_balance(config, slots, &compiled, error);
    if (rc)
        return rc;
    put_states(ask, compiled.member);
    rc = live_write(run_dir, board, &compiled.input, live, error);
    compiled_balance_fini(&compiled);
    if (rc)
        balance_live_fini(live);
    return rc;
}

int balance_live_take_up(const char *run_dir, const struct sl_table_ref *ref, struct balance_live *live,
                         struct sl_error *error)
{
    balance_live_fini(live);
    if (ref->serial == 0)
        return 0;
    int rc = sl_table_open_writable(run_dir, ref, &live->map, error);
    if (rc)
        return rc;
    live->ref = *ref;
    rc = sl_balance_repair(live->map.base);
    return rc ? sl_error_set(error, rc, "out of memory") : 0;
}

// A table is built with its members' states: after an apply every member that the config changed is told once more, and
// each pool's lookup would be built a second time.
static bool stands(const struct sl_balance_member *member, const struct member_state *state)
{
    return sl_balance_word(member) == SL_BALANCE_WORD(state->state, state->weight) &&
           member->since_ns == state->since_ns && member->note == state->note;
}

int balance_live_change(struct balance_live *live, const struct member_change *change, uint32_t count)
{
    struct sl_balance_change batch[BATCH];
    uint32_t filled = 0, pool = 0;
    int rc = 0;

    if (!live->map.base)
        return 0;
    struct sl_balance_table *table = live->map.base;
    for (uint32_t i = 0; i < count; i++) {
        const struct sl_balance_member *member = sl_balance_member_by_slot(table, change[i].slot);
        if (!member || stands(member, &change[i].state))
            continue;
        if (filled && (member->pool != pool || filled == BATCH)) {
            rc = sl_balance_update(table, pool, batch, filled) ? -ENOMEM : rc;
            filled = 0;
        }
        pool = member->pool;
        batch[filled++] = (struct sl_balance_change){
            .member = (uint32_t)(member - sl_balance_members(table)) - sl_balance_pools(table)[pool].first,
            .weight = change[i].state.weight,
            .state = change[i].state.state,
            .since_ns = change[i].state.since_ns,
            .note = change[i].state.note,
        };
    }
    if (filled)
        rc = sl_balance_update(table, pool, batch, filled) ? -ENOMEM : rc;
    return rc;
}
