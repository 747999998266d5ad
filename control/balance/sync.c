// SPDX-License-Identifier: Apache-2.0
// A config became the running one: members come, stay and go, with their runtime changes and their checks.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "balance/member.h"
#include "table/balance_read.h"

#define SLICE_NS 2000000ull // of setting checks at a time
#define SLICE    32         // members between two looks at the clock

static void sources_fill(const struct sl_config *config, struct source *source)
{
    for (unsigned i = 0; i < config->pools_count; i++) {
        for (unsigned k = 0; k < config->pools[i].members_count; k++)
            *source++ = (struct source){balance_member_key(&config->pools[i], &config->pools[i].members[k]),
                                        &config->pools[i], &config->pools[i].members[k]};
    }
}

// Both are sorted alike.
static void slots_find_all(const struct balance_slots *slots, struct source *source, uint32_t count)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < count; i++) {
        while (at < slots->member_count && balance_member_compare(&slots->member[at], &source[i].key) < 0)
            at++;
        bool found =
            at < slots->member_count && balance_member_compare(&slots->member[at], &source[i].key) == 0;
        source[i].key.slot = found ? slots->member[at].slot : SL_BALANCE_NONE;
    }
}

static int id_compare(const void *a, const void *b)
{
    const struct id_index *x = a, *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

static void plan_free(struct sync_plan *plan)
{
    if (!plan)
        return;
    free(plan->source);
    free(plan->list);
    free(plan->index);
    free(plan);
}

static void plan_fill(struct sync_plan *plan)
{
    sources_fill(plan->of->config, plan->source);
    qsort(plan->source, plan->count, sizeof(*plan->source),
          balance_member_compare); // the key comes first in it
    slots_find_all(&plan->of->balance, plan->source, plan->count);
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct balance_member_key *key = &plan->source[i].key;
        plan->list[i] = (struct member){.key = *key, .id = wish_id(key)};
        plan->index[i] = (struct id_index){plan->list[i].id, i};
    }
    qsort(plan->index, plan->count, sizeof(*plan->index), id_compare);
}

// NULL: out of memory.
static struct sync_plan *plan_new(const struct snapshot *snapshot)
{
    struct sync_plan *plan = calloc(1, sizeof(*plan));
    size_t count = 0;

    if (!plan)
        return NULL;
    for (unsigned i = 0; i < snapshot->config->pools_count; i++)
        count += snapshot->config->pools[i].members_count;
    plan->of = snapshot;
    plan->count = (uint32_t)count;
    plan->source = calloc(count + 1, sizeof(*plan->source));
    plan->list = calloc(count + 1, sizeof(*plan->list));
    plan->index = calloc(count + 1, sizeof(*plan->index));
    if (!plan->source || !plan->list || !plan->index) {
        plan_free(plan);
        return NULL;
    }
    plan_fill(plan);
    return plan;
}

void balance_foresee(struct balance *balance, const struct snapshot *snapshot)
{
    plan_free(balance->plan);
    balance->plan = plan_new(snapshot);
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

// Both are sorted: who is there already moves over, who is not in the new list leaves.
static void merge(struct balance *balance, const struct source *source, uint32_t count, struct member *list)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < count; i++) {
        while (at < balance->count && balance_member_compare(&balance->member[at].key, &source[i].key) < 0)
            member_leave(balance, &balance->member[at++]);
        if (at < balance->count && balance_member_compare(&balance->member[at].key, &source[i].key) == 0) {
            list[i] = balance->member[at++];
        } else {
            take_override(balance, &list[i]);
        }
        bool fresh = list[i].now.since_ns == 0;
        list[i].key.slot = source[i].key.slot;
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

bool sync_awaits(const struct balance *balance, const struct member *member)
{
    return balance->source && (uint32_t)(member - balance->member) >= balance->synced;
}

void sync_now(struct balance *balance, struct member *member)
{
    if (!sync_awaits(balance, member))
        return;
    balance->syncing = true; // health_set() may call back at once
    set_check(balance, member, &balance->source[member - balance->member]);
    balance->syncing = false;
}

static uint64_t clock_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

// Some more; the rest in the next turn of the loop.
static void sync_some(evutil_socket_t fd, short what, void *context)
{
    struct balance *balance = context;
    uint64_t start_ns = clock_now_ns(), now_ms = balance_now_ms();
    struct timeval next = {0};

    while (balance->synced < balance->count &&
           (balance->synced % SLICE != 0 || clock_now_ns() - start_ns < SLICE_NS)) {
        struct member *member = &balance->member[balance->synced];
        sync_now(balance, member);
        balance->synced++;
        effect_renew(balance, member, now_ms);
    }
    balance_flush(balance);
    if (balance->synced < balance->count) {
        event_add(balance->sync_more, &next);
        return;
    }
    free(balance->source);
    balance->source = NULL;
}

void sync_fini(struct balance *balance)
{
    if (balance->sync_more)
        event_free(balance->sync_more);
    plan_free(balance->plan);
    free(balance->source);
}

static struct sync_plan *plan_take(struct balance *balance, const struct snapshot *running)
{
    struct sync_plan *plan = balance->plan;

    balance->plan = NULL;
    if (plan && plan->of == running)
        return plan;
    plan_free(plan);
    return plan_new(running);
}

// Overrides of members that came or went are no longer what is on disk.
static void sync_to(struct balance *balance, struct sync_plan *plan)
{
    struct sl_error error = {{0}};
    bool kept = balance->kept_count > 0;

    for (uint32_t i = 0; i < balance->count; i++)
        kept |= balance->member[i].override != NULL;
    merge(balance, plan->source, plan->count, plan->list);
    plan->list = NULL;
    free(balance->by_id);
    balance->by_id = plan->index;
    plan->index = NULL;
    free(balance->source);
    balance->source = plan->source;
    plan->source = NULL;
    balance->synced = 0;
    balance->kept_count = 0;
    sync_some(-1, 0, balance);
    if (kept && kept_write(balance, &error))
        balance_tell(balance, "%s", error.text);
}

void balance_sync(struct balance *balance)
{
    const struct snapshot *running = balance->applier->running;

    if (!running)
        return;
    if (!balance->sync_more)
        balance->sync_more = evtimer_new(balance->base, sync_some, balance);
    struct sync_plan *plan = plan_take(balance, running);
    if (plan && balance->sync_more)
        sync_to(balance, plan);
    else
        balance_tell(balance, "out of memory: members are checked as before the last config");
    plan_free(plan);
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
    bool fresh = !known || (sync_awaits(balance, known) && !known->checked);
    if (fresh && pool->health.type != SL_CONFIG_HEALTH_NONE) {
        member.checked = true;
        member.health.state = pool->health.optimistic ? HEALTH_UP : HEALTH_CHECKING;
    } else if (pool->health.type == SL_CONFIG_HEALTH_NONE) {
        member.checked = false;
    }
    effect_of(&member, balance_now_ms(), state);
}
