// SPDX-License-Identifier: Apache-2.0
// See command.h.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "config/text.h"
#include "serve/command.h"

enum arg_kind { ARG_TEXT, ARG_NUMBER, ARG_BOOL, ARG_OBJECT };

struct arg_spec {
    const char *name;
    enum arg_kind kind;
    json_int_t least, most; // of numbers
};

#define MOST_ARGS 8
#define MOST_ROWS INT32_MAX
#define ARG_LIMIT                                                                                            \
    {                                                                                                        \
        "limit", ARG_NUMBER, 0, MOST_ROWS                                                                    \
    }
#define ARG_PORT                                                                                             \
    {                                                                                                        \
        "port", ARG_TEXT, 0, 0                                                                               \
    }
#define ARG_POOL                                                                                             \
    {                                                                                                        \
        "pool", ARG_TEXT, 0, 0                                                                               \
    }
#define ARG_MEMBER                                                                                           \
    {                                                                                                        \
        "member", ARG_TEXT, 0, 0                                                                             \
    }
#define ARG_SOURCE                                                                                           \
    {"path", ARG_TEXT, 0, 0},                                                                                \
    {                                                                                                        \
        "text", ARG_TEXT, 0, 0                                                                               \
    }

static const struct command {
    const char *name;
    bool changes;
    command_fn *run;
    struct arg_spec arg[MOST_ARGS];
} table[] = {
    {"status", false, show_status, {{0}}},
    {"config.apply",
     true,
     config_apply,
     {ARG_SOURCE, {"confirm_s", ARG_NUMBER, 1, 86400}, {"dry", ARG_BOOL, 0, 0}, {"comment", ARG_TEXT, 0, 0}}},
    {"config.confirm", true, config_confirm, {{0}}},
    {"config.rollback",
     true,
     config_rollback,
     {{"steps", ARG_NUMBER, 1, HISTORY_MOST}, {"id", ARG_NUMBER, 1, INT64_MAX}}},
    {"config.history", false, config_history, {ARG_LIMIT}},
    {"config.show", false, config_show, {{"id", ARG_NUMBER, 1, INT64_MAX}}},
    {"config.diff", false, config_diff, {ARG_SOURCE, {"id", ARG_NUMBER, 1, INT64_MAX}}},
    {"port", false, show_port, {ARG_PORT}},
    {"neighbor", false, show_neighbor, {ARG_PORT, {"address", ARG_TEXT, 0, 0}, ARG_LIMIT}},
    {"neighbor.flush", true, neighbor_flush, {ARG_PORT, {"address", ARG_TEXT, 0, 0}}},
    {"route",
     false,
     show_route,
     {{"filter", ARG_TEXT, 0, 0}, ARG_PORT, {"source", ARG_TEXT, 0, 0}, ARG_LIMIT}},
    {"route.lookup", false, show_route_lookup, {{"address", ARG_TEXT, 0, 0}}},
    {"worker", false, show_worker, {{0}}},
    {"flow", false, show_flow, {{"filter", ARG_OBJECT, 0, 0}, ARG_LIMIT}},
    {"flow.count", false, show_flow_count, {{"filter", ARG_OBJECT, 0, 0}, {"by", ARG_TEXT, 0, 0}, ARG_LIMIT}},
    {"flow.kill", true, flow_kill, {{"filter", ARG_OBJECT, 0, 0}, {"all", ARG_BOOL, 0, 0}}},
    {"nat", false, show_nat, {{0}}},
    {"service", false, show_service, {{"service", ARG_TEXT, 0, 0}}},
    {"pool", false, show_pool, {ARG_POOL}},
    {"pool.drain", true, pool_drain, {ARG_POOL, ARG_MEMBER, {"deadline_s", ARG_NUMBER, 0, 604800}}},
    {"pool.disable", true, pool_disable, {ARG_POOL, ARG_MEMBER}},
    {"pool.enable", true, pool_enable, {ARG_POOL, ARG_MEMBER}},
    {"pool.flush", true, pool_flush, {ARG_POOL, ARG_MEMBER}},
    {"pool.weight", true, pool_weight, {ARG_POOL, ARG_MEMBER, {"weight", ARG_NUMBER, 0, 1000}}},
    {"explain",
     false,
     explain,
     {{"protocol", ARG_TEXT, 0, 0},
      {"source", ARG_TEXT, 0, 0},
      {"source_port", ARG_NUMBER, 0, 65535},
      {"address", ARG_TEXT, 0, 0},
      {"port", ARG_NUMBER, 0, 65535}}},
    {"trace.flow",
     false,
     trace_flow,
     {{"remote", ARG_TEXT, 0, 0},
      {"remote_port", ARG_NUMBER, 1, UINT16_MAX},
      {"port", ARG_NUMBER, 1, UINT16_MAX},
      {"worker", ARG_NUMBER, 0, SL_MAX_WORKERS - 1},
      {"slot", ARG_NUMBER, 0, INT32_MAX},
      ARG_LIMIT}},
    {"probe.tcp",
     true,
     probe_tcp,
     {{"address", ARG_TEXT, 0, 0},
      {"port", ARG_NUMBER, 1, UINT16_MAX},
      {"local", ARG_TEXT, 0, 0},
      {"worker", ARG_NUMBER, 0, SL_MAX_WORKERS - 1},
      {"timeout_ms", ARG_NUMBER, 1, SL_PROBE_TIMEOUT_MOST_MS}}},
    {"prefilter", false, show_prefilter, {{0}}},
    {"prefilter.test", false, prefilter_test, {{"address", ARG_TEXT, 0, 0}, ARG_PORT}},
    {"drops", false, show_drops, {{"all", ARG_BOOL, 0, 0}}},
    {"counters", false, show_counters, {{"all", ARG_BOOL, 0, 0}}},
};

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

static const struct arg_spec *arg_find(const struct command *command, const char *name)
{
    for (unsigned i = 0; i < MOST_ARGS && command->arg[i].name; i++)
        if (strcmp(command->arg[i].name, name) == 0)
            return &command->arg[i];
    return NULL;
}

static const char *arg_fault(const struct arg_spec *spec, const json_t *value, char *out, size_t room)
{
    static const char *const wanted[] = {"a string", "a whole number", "true or false", "an object"};
    bool fits = spec->kind == ARG_TEXT     ? json_is_string(value)
                : spec->kind == ARG_NUMBER ? json_is_integer(value)
                : spec->kind == ARG_BOOL   ? json_is_boolean(value)
                                           : json_is_object(value);

    if (!fits)
        snprintf(out, room, "'%s' must be %s", spec->name, wanted[spec->kind]);
    else if (spec->kind == ARG_NUMBER &&
             (json_integer_value(value) < spec->least || json_integer_value(value) > spec->most))
        snprintf(out, room, "'%s' must be %" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT, spec->name,
                 spec->least, spec->most);
    else
        return NULL;
    return out;
}

// NULL: all good. A sentence otherwise. null counts as not given.
static const char *args_fault(const struct command *command, const json_t *request, char *out, size_t room)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)request, key, value)
    {
        if (strcmp(key, "command") == 0 || json_is_null(value))
            continue;
        const struct arg_spec *spec = arg_find(command, key);
        if (!spec) {
            snprintf(out, room, "'%s' has no argument '%.40s'", command->name, key);
            return out;
        }
        const char *fault = arg_fault(spec, value, out, room);
        if (fault)
            return fault;
    }
    return NULL;
}

void command_request(void *context, struct call *call)
{
    const char *name = json_string_value(json_object_get(call_request(call), "command"));
    char text[256];

    if (!name) {
        call_error(call, "bad-request", NULL, "no \"command\" in the request");
        return;
    }
    const struct command *command = command_find(name);
    if (!command) {
        call_error(call, "unknown-command", NULL, "no command '%.60s'", name);
        return;
    }
    const char *fault = args_fault(command, call_request(call), text, sizeof(text));
    if (fault)
        call_error(call, "bad-request", NULL, "%s", fault);
    else if (command->changes && !call_may_change(call))
        call_error(call, "denied", NULL,
                   "user %s may look but not change: use sudo, or become a member of the socket's group",
                   call_user(call));
    else
        command->run(context, call);
}

// ---- arguments --------------------------------------------------------------------------------------------------

static const json_t *arg(const struct call *call, const char *name)
{
    const json_t *value = json_object_get(call_request(call), name);

    return json_is_null(value) ? NULL : value;
}

const char *arg_text(const struct call *call, const char *name)
{
    return json_string_value(arg(call, name));
}

uint64_t arg_number(const struct call *call, const char *name, uint64_t other)
{
    const json_t *value = arg(call, name);

    return value ? (uint64_t)json_integer_value(value) : other;
}

bool arg_true(const struct call *call, const char *name)
{
    return json_is_true(arg(call, name));
}

bool arg_ip(struct call *call, const char *name, struct sl_ip *ip, bool *given)
{
    const char *text = arg_text(call, name);

    *given = text != NULL;
    if (!text || sl_ip_parse(text, ip) == 0)
        return true;
    call_error(call, "bad-request", NULL, "'%s': '%.60s' is not an IPv4 or IPv6 address", name, text);
    return false;
}

bool arg_prefix(struct call *call, const char *name, struct sl_prefix *prefix, bool *given)
{
    const char *text = arg_text(call, name);

    *given = text != NULL;
    if (!text || sl_prefix_parse(text, prefix) == 0)
        return true;
    call_error(call, "bad-request", NULL, "'%s': '%.60s' is not a prefix such as 10.0.0.0/8 or 2001:db8::/32",
               name, text);
    return false;
}

int arg_port(struct daemon *daemon, struct call *call)
{
    const char *name = arg_text(call, "port");
    int slot = name && daemon->applier.running ? slots_find(&daemon->applier.running->slots, name) : -1;

    if (!name || slot >= 0)
        return slot;
    call_error(call, "not-found", NULL, "no port '%.60s'", name);
    return -2;
}
