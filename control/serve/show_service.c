// SPDX-License-Identifier: Apache-2.0
// service, pool and pool.*: what is balanced over whom, and what the operator changes at runtime.
#include <errno.h>
#include <string.h>
#include "announce/announce.h"
#include "log.h"
#include "serve/balances.h"
#include "serve/command.h"

// ---- service ----------------------------------------------------------------------------------------------------

static json_t *json_texts(char *const *texts, unsigned count)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < count; i++)
        json_array_append_new(list, json_string(texts[i]));
    return list;
}

static json_t *json_announce(const struct announce *announce, const char *service)
{
    const struct announce_service *state = announce_look(announce, service);

    return state ? json_pack("{s:b, s:s, s:o, s:s}", "announced", state->why == ANNOUNCE_YES, "why",
                             announce_why_text(state->why), "since_ms", json_count(announce_unix_ms(state)),
                             "trouble", announce_trouble(announce))
                 : json_null();
}

static json_t *json_service(struct daemon *daemon, const struct balances *balances, unsigned i)
{
    const struct sl_config_service *config = &balances->config->services[i];
    const struct sl_balance_service *service = &sl_balance_services(balances->table)[i];
    const struct sl_balance_pool *pool = &sl_balance_pools(balances->table)[service->pool];
    struct pool_states states = pool_states(balances, pool);
    struct sl_balance_service_counters sum;
    json_t *object = json_pack(
        "{s:s, s:o, s:o, s:s, s:s, s:s, s:s, s:o, s:o, s:b, s:o, s:o, s:o}", "service", config->name, "slot",
        json_count(service->slot), "addresses", json_texts(config->addresses, config->addresses_count),
        "protocol", service_protocol_name(config->protocol), "ports", config->ports ? config->ports : "any",
        "pool", config->pool, "balance", balance_method_name(pool->method), "members",
        json_count(pool->count), "members_up", json_count(states.state[SL_BALANCE_UP]), "serves",
        states.serves, "flow_rate", json_count(config->flow_rate), "source_rate",
        json_count(config->source_rate), "affinity_s", json_count(config->affinity));

    sl_balance_service_sum(balances->counters, service->slot, &sum);
    json_service_counters(object, &sum);
    json_object_set_new(object, "announce", json_announce(daemon->announce, config->name));
    return object;
}

void show_service(struct daemon *daemon, struct call *call)
{
    const char *name = arg_text(call, "service");
    struct balances balances;
    json_t *list = json_array();

    bool open = balances_open(daemon, &balances);
    for (unsigned i = 0; open && i < balances.config->services_count; i++)
        if (!name || strcmp(balances.config->services[i].name, name) == 0)
            json_array_append_new(list, json_service(daemon, &balances, i));
    if (name && json_array_size(list) == 0) {
        json_decref(list);
        call_error(call, "not-found", NULL, "no service '%.60s': 'sluicectl service' lists them", name);
        return;
    }
    call_reply(call, json_pack("{s:o, s:o}", "clock_ns", json_count(show_clock_ns()), "services", list));
}

// ---- pool -------------------------------------------------------------------------------------------------------

static json_t *json_services_of(const struct balances *balances, const char *pool)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < balances->config->services_count; i++)
        if (strcmp(balances->config->services[i].pool, pool) == 0)
            json_array_append_new(list, json_string(balances->config->services[i].name));
    return list;
}

static json_t *json_pool(const struct balances *balances, unsigned i)
{
    const struct sl_config_server_pool *config = &balances->config->pools[i];
    const struct sl_balance_pool *pool = &sl_balance_pools(balances->table)[i];
    struct pool_states states = pool_states(balances, pool);
    struct sl_balance_member_counters sum;
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "pool", config->name, "balance",
        balance_method_name(pool->method), "way", balance_way_name(pool->way), "on_down",
        balance_on_down_name(pool->on_down), "services", json_services_of(balances, config->name),
        "member_count", json_count(pool->count), "up", json_count(states.state[SL_BALANCE_UP]), "drain",
        json_count(states.state[SL_BALANCE_DRAIN]), "down", json_count(states.state[SL_BALANCE_DOWN]),
        "flush", json_count(states.state[SL_BALANCE_FLUSH]), "serves", states.serves);

    pool_sum(balances, pool, &sum);
    json_member_counters(object, &sum);
    return object;
}

static json_t *json_health(const struct health_report *report)
{
    json_t *last =
        report->last_at_ms
            ? json_pack("{s:s, s:o, s:o, s:b}", "text", report->last, "at_ms", json_count(report->last_at_ms),
                        "us", json_count(report->last_us), "counted", report->last_counted)
            : json_null();

    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "state",
                     health_state_name(report->status.state), "reason",
                     health_reason_text(report->status.reason), "since_ms",
                     json_count(report->status.since_ms), "last", last, "good", json_count(report->good),
                     "bad", json_count(report->bad), "not_checked", json_count(report->not_checked), "losses",
                     json_count(report->losses), "run", json_count(report->run), "next_in_ms",
                     json_count(report->next_in_ms), "held_for_ms", json_count(report->held_for_ms),
                     "penalty", json_count(report->penalty));
}

static json_t *json_runtime(const struct balance_override *override)
{
    if (!override)
        return json_null();
    json_t *object =
        json_pack("{s:s, s:o, s:o, s:b, s:s}", "operation", balance_operation_name(override->operation),
                  "at_ms", json_count(override->at_ms), "deadline_ms", json_count(override->deadline_ms),
                  "empty", override->empty, "user", override->user);
    if (override->weight >= 0)
        json_object_set_new(object, "weight", json_integer(override->weight));
    return object;
}

static json_t *json_member(struct daemon *daemon, const struct balances *balances,
                           const struct sl_config_server_pool *pool, const struct sl_config_member *config,
                           const struct sl_balance_member *member)
{
    struct balance_member_key key = balance_member_key(pool, config);
    struct balance_view view = {0};
    struct sl_balance_member_counters sum;
    char text[MEMBER_TEXT], why[192];

    if (!balance_look(daemon->balance, &key, &view))
        return NULL;
    balance_why(&view, why, sizeof(why));
    json_t *object = json_pack(
        "{s:s, s:s, s:o, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o}", "member",
        member_text(&member->ip, member->port, text), "address", config->address, "port",
        json_count(config->port), "state", balance_state_name(view.state), "by", balance_by_name(view.by),
        "why", why, "since_ms", json_count(view.since_ms), "weight", json_count(view.weight), "weight_config",
        json_count(config->weight), "weight_whole", json_count(view.whole_weight), "backup", config->backup,
        "limit", json_count(config->limit), "slow_start_ends_in_ms", json_count(view.ramp_ends_in_ms),
        "runtime", json_runtime(view.override), "health",
        view.checked ? json_health(&view.health) : json_null());

    sl_balance_member_sum(balances->counters, member->slot, &sum);
    json_member_counters(object, &sum);
    return object;
}

static json_t *json_members(struct daemon *daemon, const struct balances *balances, unsigned i)
{
    const struct sl_config_server_pool *config = &balances->config->pools[i];
    const struct sl_balance_member *member =
        sl_balance_members(balances->table) + sl_balance_pools(balances->table)[i].first;
    json_t *list = json_array();

    for (unsigned k = 0; k < config->members_count; k++)
        json_array_append_new(list, json_member(daemon, balances, config, &config->members[k], &member[k]));
    return list;
}

// Of one pool with its members, of all without: there may be half a million.
void show_pool(struct daemon *daemon, struct call *call)
{
    const char *name = arg_text(call, "pool");
    struct balances balances;
    json_t *list = json_array();

    bool open = balances_open(daemon, &balances);
    for (unsigned i = 0; open && i < balances.config->pools_count; i++) {
        if (name && strcmp(balances.config->pools[i].name, name) != 0)
            continue;
        json_t *pool = json_pool(&balances, i);
        if (name)
            json_object_set_new(pool, "members", json_members(daemon, &balances, i));
        json_array_append_new(list, pool);
    }
    if (name && json_array_size(list) == 0) {
        json_decref(list);
        call_error(call, "not-found", NULL, "no pool '%.60s': 'sluicectl pool' lists them", name);
        return;
    }
    call_reply(call, json_pack("{s:o, s:o}", "clock_ns", json_count(show_clock_ns()), "pools", list));
}

// ---- the operator's changes -------------------------------------------------------------------------------------

static const struct balance_member_key *arg_member(struct daemon *daemon, struct call *call)
{
    const char *pool = arg_text(call, "pool"), *member = arg_text(call, "member");
    struct sl_error error = {{0}};

    if (!pool || !member) {
        call_error(call, "bad-request", NULL, "'pool' and 'member' are wanted");
        return NULL;
    }
    const struct balance_member_key *key = balance_find(daemon->balance, pool, member, &error);
    if (!key)
        call_error(call, "not-found", NULL, "%s", error.text);
    return key;
}

static void answer(struct daemon *daemon, struct call *call, const struct balance_member_key *key, int rc,
                   const struct sl_error *error)
{
    struct balance_view view = {0};
    char text[MEMBER_TEXT], why[192];

    if (rc && rc != -EIO) {
        call_error(call, "internal", NULL, "%s", error->text);
        return;
    }
    balance_look(daemon->balance, key, &view);
    balance_why(&view, why, sizeof(why));
    member_text(&key->ip, key->port, text);
    log_notice("%s by %s: pool %s, member %s is %s, weight %u (%s)", arg_text(call, "command"),
               call_user(call), key->pool, text, balance_state_name(view.state), view.weight, why);
    if (rc) // done all the same, and the operator must know that it would not last
        call_error(call, "io", NULL, "%s", error->text);
    else
        call_reply(call, json_pack("{s:s, s:s, s:s, s:s, s:s, s:o}", "pool", key->pool, "member", text,
                                   "state", balance_state_name(view.state), "by", balance_by_name(view.by),
                                   "why", why, "weight", json_count(view.weight)));
}

static void operate(struct daemon *daemon, struct call *call, enum balance_operation operation)
{
    const struct balance_member_key *key = arg_member(daemon, call);
    struct sl_error error = {{0}};

    if (!key)
        return;
    int rc = balance_operate(daemon->balance, key, operation, (uint32_t)arg_number(call, "deadline_s", 0),
                             call_user(call), &error);
    answer(daemon, call, key, rc, &error);
}

void pool_drain(struct daemon *daemon, struct call *call)
{
    operate(daemon, call, BALANCE_OPERATION_DRAIN);
}

void pool_disable(struct daemon *daemon, struct call *call)
{
    operate(daemon, call, BALANCE_OPERATION_DISABLE);
}

void pool_enable(struct daemon *daemon, struct call *call)
{
    operate(daemon, call, BALANCE_OPERATION_ENABLE);
}

void pool_flush(struct daemon *daemon, struct call *call)
{
    operate(daemon, call, BALANCE_OPERATION_FLUSH);
}

void pool_weight(struct daemon *daemon, struct call *call)
{
    const struct balance_member_key *key = arg_member(daemon, call);
    uint64_t weight = arg_number(call, "weight", UINT64_MAX);
    struct sl_error error = {{0}};

    if (!key)
        return;
    if (weight == UINT64_MAX) {
        call_error(call, "bad-request", NULL, "'weight' is wanted");
        return;
    }
    int rc = balance_set_weight(daemon->balance, key, (uint32_t)weight, call_user(call), &error);
    answer(daemon, call, key, rc, &error);
}
