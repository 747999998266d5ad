// SPDX-License-Identifier: Apache-2.0
// Questions to sluiced, and its errors told with an exit code each. One thread.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "command.h"
#include "rpc/rpc.h"

#define LOOK_MS   15000
#define CHANGE_MS 180000 // an apply of millions of routes on a slow machine

void ctl_json_print(struct ctl *ctl, const json_t *value)
{
    // Watched, an answer a line, as tools that read streams of JSON want it.
    json_dumpf(value, ctl->out, (ctl->watch_ms ? JSON_COMPACT : JSON_INDENT(2)) | JSON_ENCODE_ANY);
    fputc('\n', ctl->out);
    fflush(ctl->out);
}

static void tell(struct ctl *ctl, const char *code, const char *text)
{
    if (ctl->json) {
        json_t *error = json_pack("{s:{s:s, s:s}}", "error", "code", code, "text", text);

        ctl_json_print(ctl, error);
        json_decref(error);
    }
    fprintf(stderr, "sluicectl: %s\n", text);
}

static int connect_failed(struct ctl *ctl, int error)
{
    char text[512];

    if (error == -ENOENT)
        snprintf(text, sizeof(text),
                 "sluiced is not running, or uses another socket than %s: start it with "
                 "'systemctl start sluiced', or name its socket with -s",
                 ctl->socket);
    else if (error == -ECONNREFUSED)
        snprintf(text, sizeof(text),
                 "sluiced does not answer on %s: it ended; start it with 'systemctl start sluiced'",
                 ctl->socket);
    else if (error == -EACCES)
        snprintf(text, sizeof(text),
                 "no permission for sluiced's socket %s: run as root or join the socket's group",
                 ctl->socket);
    else
        snprintf(text, sizeof(text), "cannot reach sluiced on %s: %s", ctl->socket, strerror(-error));
    tell(ctl, "unreachable", text);
    return error == -EACCES ? CTL_REFUSED : CTL_UNREACHABLE;
}

static int code_exit(const char *code)
{
    if (strcmp(code, "denied") == 0)
        return CTL_REFUSED;
    return strcmp(code, "bad-request") == 0 || strcmp(code, "unknown-command") == 0 ? CTL_USAGE : CTL_FAILED;
}

// A config's faults, a line each as `config check` prints them.
static void tell_details(const json_t *details)
{
    size_t i;
    json_t *one;

    json_array_foreach(details, i, one)
    {
        const char *file = json_string_value(json_object_get(one, "file"));
        const char *what = json_string_value(json_object_get(one, "what"));
        const char *where = json_string_value(json_object_get(one, "where"));
        const char *mend = json_string_value(json_object_get(one, "mend"));
        const char *severity = json_string_value(json_object_get(one, "severity"));
        bool warning = severity && strcmp(severity, "warning") == 0;

        if (json_is_string(one))
            what = json_string_value(one);
        if (!what)
            continue;
        if (file && *file)
            fprintf(stderr, "%s:", file);
        if (json_integer_value(json_object_get(one, "line")))
            fprintf(stderr, "%lld:%lld:", (long long)json_integer_value(json_object_get(one, "line")),
                    (long long)json_integer_value(json_object_get(one, "column")));
        fprintf(stderr, "%s%s%s%s%s%s%s\n", file && *file ? " " : "", warning ? "warning: " : "",
                where ? where : "", where && *where ? ": " : "", what, mend && *mend ? "; " : "",
                mend ? mend : "");
    }
}

static int told_error(struct ctl *ctl, const json_t *error)
{
    const char *code = json_string_value(json_object_get(error, "code"));
    const char *text = json_string_value(json_object_get(error, "text"));

    if (ctl->json) {
        json_t *whole = json_pack("{s:O}", "error", error);

        ctl_json_print(ctl, whole);
        json_decref(whole);
    }
    tell_details(json_object_get(error, "details"));
    fprintf(stderr, "sluicectl: %s\n", text ? text : "sluiced says it failed, and not why");
    return code ? code_exit(code) : CTL_FAILED;
}

static int ensure_connected(struct ctl *ctl)
{
    if (ctl->fd < 0)
        ctl->fd = sl_rpc_connect(ctl->socket);
    return ctl->fd < 0 ? ctl->fd : 0;
}

static int exchange(struct ctl *ctl, const char *rpc, json_t *request, json_t **response)
{
    bool looks = strncmp(rpc, "config.", 7) != 0;
    int error = ensure_connected(ctl);

    if (error)
        return error;
    json_object_set_new(request, "command", json_string(rpc));
    error = sl_rpc_call(ctl->fd, request, looks ? LOOK_MS : CHANGE_MS, response);
    json_object_del(request, "command");
    if (error) {
        close(ctl->fd);
        ctl->fd = -1;
    }
    return error;
}

int ctl_call(struct ctl *ctl, const char *rpc, json_t *request, json_t **result)
{
    json_t *response = NULL;
    int code = CTL_OK;

    *result = NULL;
    int error = ensure_connected(ctl);
    if (error)
        return connect_failed(ctl, error);
    error = exchange(ctl, rpc, request, &response);
    if (error == -ETIMEDOUT) {
        tell(ctl, "timeout", "sluiced took the question but gives no answer: see 'sluicectl doctor'");
        return CTL_UNREACHABLE;
    }
    if (error) {
        tell(ctl, "unreachable", "the connection to sluiced broke: it may be restarting, try again");
        return CTL_UNREACHABLE;
    }
    *result = json_incref(json_object_get(response, "result"));
    if (!*result)
        code = told_error(ctl, json_object_get(response, "error"));
    json_decref(response);
    return code;
}

json_t *ctl_ask(struct ctl *ctl, const char *rpc, json_t *request)
{
    json_t *response = NULL, *result = NULL, *empty = request ? json_incref(request) : json_object();

    if (exchange(ctl, rpc, empty, &response) == 0)
        result = json_incref(json_object_get(response, "result"));
    json_decref(response);
    json_decref(empty);
    return result;
}
