// SPDX-License-Identifier: Apache-2.0
// A config became the running one: members come, stay and go, with their runtime changes and their checks.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "balance/member.h"
#include "table/balance_read.h"

struct source { // where the config says what of a member
    struct balance_member_key key;
    const struct sl_config_server_pool *pool;
    const struct sl_config_member *member;
};

static struct source *sources_sorted(const struct sl_config *config, uint32_t *count)
{
    size_t members = 0;

    for (unsigned i = 0; i < config->pools_count; i++)
        members += config->pools[i].members_count;
    struct source *source = calloc(members + 1, sizeof(*source));
    *count = 0;
    for (unsigned i = 0; source && i < config->pools_count; i++) {
        for (unsigned k = 0; k < config->pools[i].members_count; k++)
            source[(*count)++] =
                (struct source){balance_member_key(&config->pools[i], &config->pools[i].members[k]),
                                &config->pools[i], &config->pools[i].members[k]};
    }
    if (source) // the key comes first in it
        qsort(source, *count, sizeof(*source), balance_member_compare);
    return source;
}

static void set_config(struct member *member, const struct source *source)
{
    member->weight = source->member->weight;
    member->enabled = source->member->enabled;
    member->slow_start_ms = source->pool->slow_start * 1000;
    member->watched = source->pool->health.passive.failures > 0;
}

// A member that this sluiced sees for the first time is what the table says: either it was built a moment ago, or the
// sluiced before this one has left it so.
static void take_from_table(const struct balance *balance, struct member *member)
{
    const struct sl_balance_table *table = balance_live_table(&balance->applier->balance);
    const struct sl_balance_member *one = table ? sl_balance_member_by_slot(table, member->key.slot) : NULL;

    if (!one)
        return;
    member->now = (struct member_state){
        .state = (uint8_t)sl_balance_word_state(one->word),
        .weight = (uint16_t)sl_balance_word_weight(one->word),
        .since_ns = one->since_ns,
        .note = one->note,
    };
    member->ramp_ms = effect_ramp_ms(one->note);
    member->taken_up = !balance->built && balance->by_id == NULL;
}

static void take_override(const struct balance *balance, struct member *member)
{
    const struct balance_override *kept = kept_find(balance, &member->key);

    member->override = kept ? malloc(sizeof(*member->override)) : NULL;
    if (member->override)
        *member->override = *kept;
}

static void meet_config(struct balance *balance, struct member *member, const struct sl_config_member *config)
{
    char address[SL_IP_TEXT];

    if (!member->override)
        return;
    if (override_meets_config(member->override, config))
        balance_tell(balance,
                     "pool %s, member %s: the config changed what was set at runtime, which is dropped",
                     member->key.pool, sl_ip_format(&member->key.ip, address));
    if (!override_is_empty(member->override))
        return;
    free(member->override);
    member->override = NULL;
}

// The sluiced before this one may have been killed before what it saw last was on disk; in the table it was at once.
static void trust_table(struct member *member)
{
    enum health_state state = effect_health(member->now.note);

    if (state == member->health.state || member->health.reason == HEALTH_BY_CHECKS)
        return;
    member->from_table = true;
    member->health.state = state;
    member->health.reason = HEALTH_BY_STORE;
}

static void set_check(struct balance *balance, struct member *member, const struct source *source)
{
    struct wish_room *room = calloc(1, sizeof(*room));
    struct sl_error why = {{0}};
    char address[SL_IP_TEXT];

    free(member->not_checked);
    member->not_checked = NULL;
    bool wanted = room && wish_of(balance->applier->running->config, source->pool, &member->key, room);
    if (wanted && health_set(balance->health, member->id, &room->wish, &why)) {
        balance_tell(balance, "pool %s, member %s is not checked: %s", member->key.pool,
                     sl_ip_format(&member->key.ip, address), why.text);
        member->not_checked = strdup(why.text);
        wanted = false;
    }
    if (!wanted && member->checked)
        health_remove(balance->health, member->id);
    bool fresh = !member->checked;
    member->checked = wanted && health_status(balance->health, member->id, &member->health) == 0;
    if (member->checked) {
        member->verdicts_wanted = room->wish.rise > room->wish.fall ? room->wish.rise : room->wish.fall;
        if (fresh && member->taken_up)
            trust_table(member);
    }
    free(room);
}

static void member_leave(struct balance *balance, struct member *member)
{
    if (member->checked)
        health_remove(balance->health, member->id);
    free(member->override);
    free(member->not_checked);
}

static int id_compare(const void *a, const void *b)
{
    const struct id_index *x = a, *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

static void index_ids(struct balance *balance, struct id_index *index)
{
    free(balance->by_id);
    balance->by_id = index;
    for (uint32_t i = 0; i < balance->count; i++)
        index[i] = (struct id_index){balance->member[i].id, i};
    qsort(index, balance->count, sizeof(*index), id_compare);
}

// Both are sorted: who is there already moves over, who is not in the new list leaves.
static void merge(struct balance *balance, const struct source *source, uint32_t count, struct member *list)
{
    const struct balance_slots *slots = &balance->applier->running->balance;
    uint32_t at = 0;

    for (uint32_t i = 0; i < count; i++) {
        while (at < balance->count && balance_member_compare(&balance->member[at].key, &source[i].key) < 0)
            member_leave(balance, &balance->member[at++]);
        if (at < balance->count && balance_member_compare(&balance->member[at].key, &source[i].key) == 0) {
            list[i] = balance->member[at++];
        } else {
            list[i] = (struct member){.key = source[i].key, .id = wish_id(&source[i].key)};
            take_override(balance, &list[i]);
        }
        uint32_t slot = balance_slots_member(slots, &source[i].key);
        bool fresh = list[i].now.since_ns == 0;
        list[i].key.slot = slot;
        if (fresh)
            take_from_table(balance, &list[i]);
        set_config(&list[i], &source[i]);
        meet_config(balance, &list[i], source[i].member);
    }
    while (at < balance->count)
        member_leave(balance, &balance->member[at++]);
    free(balance->member);
    balance->member = list;
    balance->count = count;
    balance->cursor = 0;
}

static void sync_members(struct balance *balance, const struct source *source)
{
    uint64_t now_ms = balance_now_ms();

    // health_set() may call back at once.
    balance->syncing = true;
    for (uint32_t i = 0; i < balance->count; i++)
        set_check(balance, &balance->member[i], &source[i]);
    balance->syncing = false;
    for (uint32_t i = 0; i < balance->count; i++)
        effect_renew(balance, &balance->member[i], now_ms);
    balance_flush(balance);
}

void balance_sync(struct balance *balance)
{
    const struct snapshot *running = balance->applier->running;
    struct sl_error error = {{0}};
    uint32_t count = 0;

    if (!running)
        return;
    struct source *source = sources_sorted(running->config, &count);
    struct member *list = calloc((size_t)count + 1, sizeof(*list));
    struct id_index *index = calloc((size_t)count + 1, sizeof(*index));
    if (!source || !list || !index) {
        balance_tell(balance, "out of memory: members are checked as before the last config");
        free(source);
        free(list);
        free(index);
        return;
    }
    bool kept = balance->kept_count > 0;
    for (uint32_t i = 0; i < balance->count; i++)
        kept |= balance->member[i].override != NULL;
    merge(balance, source, count, list);
    index_ids(balance, index);
    balance->kept_count = 0;
    sync_members(balance, source);
    free(source);
    if (kept && kept_write(balance, &error))
        balance_tell(balance, "%s", error.text);
}

// ---- what a member of a config that is on its way counts for ----------------------------------------------------

void balance_member_state(void *context, const struct sl_config_server_pool *pool,
                          const struct sl_config_member *config, const struct balance_member_key *key,
                          struct member_state *state)
{
    struct balance *balance = context;
    const struct source source = {*key, pool, config};
    balance->built = true;
    const struct member *known = balance_member_of(balance, key);
    struct member member = known ? *known : (struct member){.key = *key};
    const struct balance_override *from = known ? known->override : kept_find(balance, key);
    struct balance_override override;

    if (from) {
        override = *from;
        override_meets_config(&override, config);
    }
    member.override = from ? &override : NULL;
    set_config(&member, &source);
    if (!known && pool->health.type != SL_CONFIG_HEALTH_NONE) {
        member.checked = true;
        member.health.state = pool->health.optimistic ? HEALTH_UP : HEALTH_CHECKING;
    } else if (pool->health.type == SL_CONFIG_HEALTH_NONE) {
        member.checked = false;
    }
    effect_of(&member, balance_now_ms(), state);
}
