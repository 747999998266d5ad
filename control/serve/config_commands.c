// SPDX-License-Identifier: Apache-2.0
// config.*: the socket's side of applies. An apply answers when it is done; the client may have gone by then, which
// changes nothing.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "config/diff.h"
#include "config/load.h"
#include "journal.h"
#include "log.h"
#include "serve/command.h"

static const char *const table_name[SNAPSHOT_TABLES] = {[SNAPSHOT_PORT] = "port",
                                                        [SNAPSHOT_ROUTE] = "route",
                                                        [SNAPSHOT_NAT] = "nat",
                                                        [SNAPSHOT_PREFILTER] = "prefilter",
                                                        [SNAPSHOT_BALANCE] = "balance"};

static json_t *json_built(unsigned built)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < SNAPSHOT_TABLES; i++)
        if (built & (1u << i))
            json_array_append_new(list, json_string(table_name[i]));
    return list;
}

static json_t *json_span(uint64_t from_ns, uint64_t to_ns)
{
    return json_count(from_ns && to_ns > from_ns ? (to_ns - from_ns) / 1000 : 0);
}

static json_t *json_durations(const struct apply_outcome *outcome)
{
    uint64_t published = outcome->publish_ns ? outcome->publish_ns : outcome->compile_ns;

    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "read", json_span(outcome->start_ns, outcome->read_ns),
                     "compile", json_span(outcome->read_ns, outcome->compile_ns), "publish",
                     json_span(outcome->compile_ns, published), "live",
                     json_span(published, outcome->live_ns), "total",
                     json_span(outcome->start_ns, outcome->end_ns));
}

static json_t *json_outcome(const struct apply_outcome *outcome)
{
    json_t *result =
        json_pack("{s:b, s:b, s:o, s:o, s:o, s:s, s:o, s:b, s:o, s:o, s:o, s:o, s:o}", "changed",
                  outcome->changed, "dry", outcome->dry, "hash", json_hash(outcome->hash), "id",
                  json_count(outcome->id), "generation", json_count(outcome->generation), "state",
                  outcome->waiting ? "waiting" : "live", "workers", json_count(outcome->workers), "in_place",
                  outcome->in_place, "tables_built", json_built(outcome->built), "routes_added",
                  json_count(outcome->routes_added), "routes_removed", json_count(outcome->routes_removed),
                  "duration_us", json_durations(outcome), "warnings", sl_diag_json(&outcome->diag));

    if (result && outcome->confirm_s)
        json_object_set_new(result, "confirm_s", json_count(outcome->confirm_s));
    return result;
}

// "apply" of "config.apply".
static const char *command_verb(const struct call *call)
{
    const char *name = arg_text(call, "command"), *dot = strchr(name, '.');

    return dot ? dot + 1 : name;
}

// By enum apply_status.
static const char *const status_code[] = {"", "invalid-config", "refused", "io", "internal"};

static void answer_outcome(void *context, const struct apply_outcome *outcome)
{
    struct call *call = context;

    journal_apply(command_verb(call), call_user(call), outcome);
    if (outcome->status == APPLY_OK) {
        call_reply(call, json_outcome(outcome));
    } else {
        call_error(call, status_code[outcome->status], sl_diag_json(&outcome->diag), "%s",
                   outcome->error.text);
    }
}

static struct apply_request request_of(const struct call *call)
{
    return (struct apply_request){.uid = call_uid(call),
                                  .user = call_user(call),
                                  .comment = arg_text(call, "comment"),
                                  .confirm_s = (uint32_t)arg_number(call, "confirm_s", 0),
                                  .dry = arg_true(call, "dry")};
}

static void after_start(struct daemon *daemon, struct call *call, int rc)
{
    if (rc == -EBUSY)
        call_error(call, "busy", NULL, "another apply is under way: try again in a moment");
    else if (rc == -ENOMEM)
        call_error(call, "internal", NULL, "out of memory");
    else if (rc)
        call_error(call, "not-found", NULL,
                   "nothing there to go back to: 'sluicectl config history' lists what is");
    else
        daemon_hurry(daemon);
}

// The folder of a path, in a buffer of the caller's; NULL where there is no path.
static const char *folder_of(const char *path, char *out, size_t room)
{
    const char *slash = path ? strrchr(path, '/') : NULL;

    if (!slash || (size_t)(slash - path) >= room)
        return NULL;
    snprintf(out, room, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    return out;
}

void config_apply(struct daemon *daemon, struct call *call)
{
    struct apply_request request = request_of(call);
    char folder[4096];

    request.path = arg_text(call, "path");
    request.text = arg_text(call, "text");
    if (request.text) {
        request.length = strlen(request.text);
        request.folder = folder_of(request.path, folder, sizeof(folder));
        if (!request.path)
            request.path = "(text)";
    } else if (!request.path) {
        request.path = daemon->options.config_path;
    } else if (request.path[0] != '/') {
        call_error(call, "bad-request", NULL, "'path' must be absolute: sluiced runs in a folder of its own");
        return;
    }
    after_start(daemon, call, apply_start(&daemon->applier, &request, daemon_now_ns(), answer_outcome, call));
}

void config_confirm(struct daemon *daemon, struct call *call)
{
    if (apply_confirm(&daemon->applier)) {
        call_error(call, "not-found", NULL, "nothing waits to be confirmed");
    } else {
        log_notice("confirm by %s: config %016" PRIx64 " stays", call_user(call),
                   daemon->applier.running->stored.hash);
        call_reply(call, json_pack("{s:o}", "hash", json_hash(daemon->applier.running->stored.hash)));
    }
}

// The entry `steps` before the running one; 0: there is none.
static uint64_t history_back(const struct daemon *daemon, uint64_t steps)
{
    uint64_t id[HISTORY_MOST];
    unsigned count = history_list(daemon->options.state_dir, id);
    uint64_t current = daemon->applier.running ? daemon->applier.running->stored.id : UINT64_MAX;

    for (unsigned i = 0; i < count; i++)
        if (id[i] < current && --steps == 0)
            return id[i];
    return 0;
}

void config_rollback(struct daemon *daemon, struct call *call)
{
    struct apply_request who = request_of(call);
    struct applier *applier = &daemon->applier;
    uint64_t id = arg_number(call, "id", 0), steps = arg_number(call, "steps", 0), now_ns = daemon_now_ns();

    if (!id && !steps && applier->confirm_deadline_ns) {
        after_start(daemon, call, apply_revert_unconfirmed(applier, &who, now_ns, answer_outcome, call));
        return;
    }
    if (!id)
        id = history_back(daemon, steps ? steps : 1);
    after_start(daemon, call, apply_history_entry(applier, id, &who, now_ns, answer_outcome, call));
}

void config_history(struct daemon *daemon, struct call *call)
{
    uint64_t id[HISTORY_MOST], limit = arg_number(call, "limit", HISTORY_MOST);
    unsigned count = history_list(daemon->options.state_dir, id);
    uint64_t current = daemon->applier.running ? daemon->applier.running->stored.id : 0;
    json_t *entries = json_array();

    for (unsigned i = 0; i < count && i < limit; i++) {
        struct stored stored;
        if (history_read(daemon->options.state_dir, id[i], &stored, NULL))
            continue;
        json_array_append_new(entries, json_pack("{s:o, s:I, s:o, s:s, s:o, s:s, s:b}", "id",
                                                 json_count(stored.id), "applied_at",
                                                 (json_int_t)stored.applied_at, "uid", json_count(stored.uid),
                                                 "user", stored.user, "hash", json_hash(stored.hash),
                                                 "comment", stored.comment, "current", stored.id == current));
        stored_fini(&stored);
    }
    call_reply(call, json_pack("{s:o}", "entries", entries));
}

void config_show(struct daemon *daemon, struct call *call)
{
    const struct snapshot *running = daemon->applier.running;
    uint64_t id = arg_number(call, "id", 0);
    struct stored stored = {0};

    if (id && history_read(daemon->options.state_dir, id, &stored, NULL)) {
        call_error(call, "not-found", NULL,
                   "no entry %llu in the history: 'sluicectl config history' lists it",
                   (unsigned long long)id);
        return;
    }
    if (!id && (!running || stored_copy(&stored, &running->stored))) {
        call_error(call, "not-found", NULL, "no config has been applied yet: 'sluicectl config apply FILE'");
        return;
    }
    call_reply(call, json_pack("{s:s, s:o, s:o}", "text", stored.text, "hash", json_hash(stored.hash), "id",
                               json_count(stored.id)));
    stored_fini(&stored);
}

// ---- diff ---------------------------------------------------------------------------------------------------------

static int load_history(struct daemon *daemon, uint64_t id, struct sl_config **config,
                        struct sl_diagnostics *diag)
{
    struct stored stored;
    int rc = history_read(daemon->options.state_dir, id, &stored, NULL);

    if (rc == 0)
        rc = sl_config_load_text(stored.text, stored.length, "history", NULL, config, diag);
    stored_fini(&stored);
    return rc;
}

static int load_other(struct daemon *daemon, struct call *call, struct sl_config **config,
                      struct sl_diagnostics *diag, char *name, size_t room)
{
    const char *path = arg_text(call, "path"), *text = arg_text(call, "text");
    uint64_t id = arg_number(call, "id", 0);
    char folder[4096];

    if (id) {
        snprintf(name, room, "history %llu", (unsigned long long)id);
        return load_history(daemon, id, config, diag);
    }
    if (!path && !text)
        path = daemon->options.config_path;
    snprintf(name, room, "%s", path ? path : "(text)");
    if (text)
        return sl_config_load_text(text, strlen(text), name, folder_of(path, folder, sizeof(folder)), config,
                                   diag);
    return sl_config_load(path, config, diag);
}

static json_t *changes_text(const struct sl_changes *changes, const char *runtime)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (!out)
        return NULL;
    sl_changes_print(changes, out);
    fputs(runtime ? runtime : "", out);
    fclose(out);
    json_t *json = json_stringn(text, len);
    free(text);
    return json;
}

static void answer_diff(struct daemon *daemon, struct call *call, const struct sl_config *other,
                        const char *name)
{
    const struct snapshot *running = daemon->applier.running;
    struct sl_changes changes = {0};

    if (sl_config_diff(running ? running->config : NULL, other, &changes)) {
        call_error(call, "internal", NULL, "out of memory");
        return;
    }
    char *runtime_text = NULL;
    unsigned runtime_count;
    json_t *runtime = runtime_changes(daemon, &runtime_text, &runtime_count);
    call_reply(call, json_pack("{s:b, s:s, s:s, s:o, s:o, s:o}", "same", changes.count == 0, "from",
                               "running", "to", name, "changes", sl_changes_json(&changes), "runtime",
                               runtime, "text", changes_text(&changes, runtime_text)));
    free(runtime_text);
    sl_changes_fini(&changes);
}

void config_diff(struct daemon *daemon, struct call *call)
{
    struct sl_diagnostics diag;
    struct sl_config *other = NULL;
    char name[4096];

    sl_diag_init(&diag);
    int rc = load_other(daemon, call, &other, &diag, name, sizeof(name));
    if (rc == 0)
        answer_diff(daemon, call, other, name);
    else if (rc == -EINVAL)
        call_error(call, "invalid-config", sl_diag_json(&diag), "%s: %u error%s", name, diag.errors,
                   diag.errors == 1 ? "" : "s");
    else
        call_error(call, rc == -ENOENT && arg_number(call, "id", 0) ? "not-found" : "io", NULL,
                   "%s: cannot be read: %s", name, strerror(-rc));
    sl_config_free(other);
    sl_diag_fini(&diag);
}
