// SPDX-License-Identifier: Apache-2.0
// See balance.h. Here: begin and end, the checks' hook, looking.
#include "balance/balance.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "balance/member.h"

uint64_t balance_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void balance_tell(struct balance *balance, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (balance->say.say)
        balance->say.say(balance->say.context, text);
}

struct member *balance_member_of(const struct balance *balance, const struct balance_member_key *key)
{
    return balance->count ? bsearch(key, balance->member, balance->count, sizeof(*balance->member),
                                    balance_member_compare) // the key comes first in it
                          : NULL;
}

static int id_compare(const void *a, const void *b)
{
    const struct id_index *x = a, *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

// The checks' verdict, in the moment it falls.
static void health_changed(void *context, uint64_t id, const struct health_status *status)
{
    struct balance *balance = context;
    const struct id_index key = {.id = id};
    const struct id_index *found =
        balance->count ? bsearch(&key, balance->by_id, balance->count, sizeof(key), id_compare) : NULL;
    struct member *member = found ? &balance->member[found->member] : NULL;
    char address[SL_IP_TEXT];

    if (!member)
        return;
    member->health = *status;
    member->from_table = false;
    if (balance->syncing)
        return;
    effect_renew(balance, member, balance_now_ms());
    balance_flush(balance);
    balance_tell(balance, "pool %s, member %s: %s (%s)", member->key.pool,
                 sl_ip_format(&member->key.ip, address), health_state_name(status->state),
                 health_reason_text(status->reason));
}

static int begin(struct balance *balance)
{
    struct health_hooks hooks = {.context = balance, .changed = health_changed};
    struct sl_error error = {{0}};
    char path[4096];

    balance->health = health_new(balance->base, &hooks, NULL);
    if (!balance->health || watch_start(balance))
        return -ENOMEM;
    snprintf(path, sizeof(path), "%s/health.json", balance->applier->state_dir);
    if (health_store(balance->health, path, &error))
        balance_tell(balance, "%s", error.text);
    if (kept_read(balance, &error))
        balance_tell(balance, "%s", error.text);
    return 0;
}

struct balance *balance_new(struct event_base *base, struct applier *applier, const struct balance_say *say)
{
    struct balance *balance = calloc(1, sizeof(*balance));

    if (!balance)
        return NULL;
    balance->base = base;
    balance->applier = applier;
    balance->say = *say;
    if (begin(balance) == 0)
        return balance;
    balance_free(balance);
    return NULL;
}

void balance_free(struct balance *balance)
{
    if (!balance)
        return;
    health_free(balance->health);
    sync_fini(balance);
    if (balance->tick)
        event_free(balance->tick);
    for (uint32_t i = 0; i < balance->count; i++) {
        free(balance->member[i].override);
        free(balance->member[i].not_checked);
    }
    sl_balance_counters_close(&balance->counters);
    free(balance->member);
    free(balance->by_id);
    free(balance->kept);
    free(balance->change);
    free(balance);
}

const struct health *balance_health(const struct balance *balance)
{
    return balance->health;
}

void balance_counters_anew(struct balance *balance)
{
    sl_balance_counters_close(&balance->counters);
    for (uint32_t i = 0; i < balance->count; i++)
        balance->member[i].looked = false;
}

const struct sl_balance_counters *balance_counters(struct balance *balance)
{
    sl_balance_counters_open(balance->applier->run_dir, &balance->counters, NULL);
    return &balance->counters;
}

// ---- looking ----------------------------------------------------------------------------------------------------

static bool parse_member(const char *text, struct sl_ip *ip, int *port)
{
    char address[64];
    const char *colon = strrchr(text, ':'), *close = strchr(text, ']');
    bool bracket = text[0] == '[' && close && (close[1] == '\0' || close[1] == ':');
    size_t length = strlen(text);

    *port = -1;
    if (length >= sizeof(address))
        return false;
    if (sl_ip_parse(text, ip) == 0)
        return true;
    if (bracket)
        length = (size_t)(close - text - 1), colon = close[1] ? close + 1 : NULL, text++;
    else if (colon)
        length = (size_t)(colon - text);
    snprintf(address, sizeof(address), "%.*s", (int)length, text);
    if (colon) {
        char *end;
        long number = strtol(colon + 1, &end, 10);
        if (*end || end == colon + 1 || number < 0 || number > 65535)
            return false;
        *port = (int)number;
    }
    return sl_ip_parse(address, ip) == 0;
}

const struct balance_member_key *balance_find(const struct balance *balance, const char *pool,
                                              const char *text, struct sl_error *error)
{
    const struct balance_member_key *found = NULL;
    struct sl_ip ip;
    int port;

    if (!parse_member(text, &ip, &port)) {
        sl_error_set(error, -EINVAL,
                     "'%.80s' is not a member such as 10.0.0.11, 10.0.0.11:80 or [fd00::11]:80", text);
        return NULL;
    }
    for (uint32_t i = 0; i < balance->count; i++) {
        const struct balance_member_key *key = &balance->member[i].key;
        if (strcmp(key->pool, pool) != 0 || !sl_ip_equal(&key->ip, &ip) || (port >= 0 && key->port != port))
            continue;
        if (found) {
            sl_error_set(error, -EINVAL, "pool %.40s has several members %.80s: name the port too", pool,
                         text);
            return NULL;
        }
        found = key;
    }
    if (!found)
        sl_error_set(error, -ENOENT, "pool %.40s has no member %.80s: 'sluicectl pool %.40s' lists them",
                     pool, text, pool);
    return found;
}

static void view_of(const struct balance *balance, const struct member *member, struct balance_view *view)
{
    uint64_t now_ms = balance_now_ms();
    uint32_t whole = member->override && member->override->weight >= 0 ? (uint32_t)member->override->weight
                                                                       : member->weight;

    *view = (struct balance_view){
        .key = &member->key,
        .state = (enum sl_balance_state)member->now.state,
        .by = effect_by(member->now.note),
        .since_ms = member->now.since_ns / 1000000,
        .weight = (member->now.weight + BALANCE_SCALE / 2u) / BALANCE_SCALE,
        .whole_weight = whole,
        .override = member->override,
        .checked = member->checked,
        .not_checked = member->not_checked ? member->not_checked : "",
    };
    if (member->ramp_ms && now_ms - member->ramp_ms < member->slow_start_ms)
        view->ramp_ends_in_ms = member->slow_start_ms - (uint32_t)(now_ms - member->ramp_ms);
    if (member->checked && health_look(balance->health, member->id, &view->health))
        view->checked = false;
}

bool balance_look(const struct balance *balance, const struct balance_member_key *key,
                  struct balance_view *view)
{
    const struct member *member = balance_member_of(balance, key);

    if (member)
        view_of(balance, member, view);
    return member != NULL;
}

bool balance_next_override(const struct balance *balance, uint32_t *at, struct balance_view *view)
{
    while (*at < balance->count) {
        const struct member *member = &balance->member[(*at)++];
        if (!member->override)
            continue;
        view_of(balance, member, view);
        return true;
    }
    return false;
}

static void why_operator(const struct balance_override *override, enum sl_balance_state state, char *out,
                         size_t size)
{
    uint64_t now_ms = balance_now_ms();

    if (override->operation == BALANCE_OPERATION_DISABLE)
        snprintf(out, size, "disabled by %s", override->user);
    else if (override->operation == BALANCE_OPERATION_FLUSH)
        snprintf(out, size, "flushed by %s", override->user);
    else if (state == SL_BALANCE_FLUSH)
        snprintf(out, size, "drained by %s, the deadline has passed", override->user);
    else if (override->empty)
        snprintf(out, size, "drained by %s, it is empty", override->user);
    else if (override->deadline_ms > now_ms)
        snprintf(out, size, "drained by %s, %llu s are left", override->user,
                 (unsigned long long)((override->deadline_ms - now_ms + 999) / 1000));
    else
        snprintf(out, size, "drained by %s, until it is empty", override->user);
}

void balance_why(const struct balance_view *view, char *out, size_t size)
{
    const struct health_report *health = &view->health;

    if (view->by == BALANCE_BY_OPERATOR && view->override)
        why_operator(view->override, view->state, out, size);
    else if (view->by == BALANCE_BY_CONFIG)
        snprintf(out, size, "the config says enabled: false");
    else if (view->not_checked[0])
        snprintf(out, size, "not checked: %s", view->not_checked);
    else if (!view->checked)
        snprintf(out, size, "not checked");
    else if (health->status.state == HEALTH_DOWN && health->last[0])
        snprintf(out, size, "%s: %s", health_reason_text(health->status.reason), health->last);
    else
        snprintf(out, size, "%s", health_reason_text(health->status.reason));
}

const char *balance_state_name(enum sl_balance_state state)
{
    static const char *const name[SL_BALANCE_STATES] = {"up", "drain", "down", "flush"};

    return state < SL_BALANCE_STATES ? name[state] : "?";
}

const char *balance_by_name(enum balance_by by)
{
    static const char *const name[] = {"nobody", "operator", "config", "health"};

    return by <= BALANCE_BY_HEALTH ? name[by] : "?";
}

const char *balance_operation_name(enum balance_operation operation)
{
    static const char *const name[] = {"none", "drain", "disable", "enable", "flush"};

    return operation <= BALANCE_OPERATION_FLUSH ? name[operation] : "?";
}
