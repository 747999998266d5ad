// SPDX-License-Identifier: Apache-2.0
// The config commands. Files are read here, with the caller's rights, and sent as text: sluiced need not be able to
// read what the caller can, nor the other way round. One thread.
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "commands.h"
#include "config/load.h"
#include "config/print.h"
#include "show.h"
#include "table.h"

static int check_json(struct ctl *ctl, const struct sl_config *config, const struct sl_diagnostics *diag)
{
    json_t *result = json_pack("{s:b, s:i, s:i, s:o}", "valid", config != NULL, "errors", (int)diag->errors,
                               "warnings", (int)diag->warnings, "details", sl_diag_json(diag));

    ctl_json_print(ctl, result);
    json_decref(result);
    return config ? CTL_OK : CTL_FAILED;
}

int run_config_check(struct ctl *ctl, const struct ctl_command *command, json_t *request)
{
    const char *path = get_text(request, "path");
    struct sl_diagnostics diag;
    struct sl_config *config;
    int code;

    sl_diag_init(&diag);
    sl_config_load(path, &config, &diag);
    if (ctl->json) {
        code = check_json(ctl, config, &diag);
    } else {
        sl_diag_print(&diag, stderr);
        if (config)
            fprintf(ctl->out, "%s: well%s\n", path, diag.warnings ? ", with warnings" : "");
        else
            fprintf(stderr, "%s: %u error%s\n", path, diag.errors, diag.errors == 1 ? "" : "s");
        code = config ? CTL_OK : CTL_FAILED;
    }
    sl_config_free(config);
    sl_diag_fini(&diag);
    return code;
}

// Reads a file of any size that memory has room for; NULL and a sentence on stderr.
static char *read_text(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t length = 0;

    if (file) {
        if (getdelim(&text, &length, '\0', file) < 0 && !feof(file)) {
            free(text);
            text = NULL;
        }
        fclose(file);
    }
    if (!file || !text) {
        fprintf(stderr, "sluicectl: %s: %s\n", path, strerror(errno));
        return NULL;
    }
    return text;
}

// Puts the file's text and its absolute path into the request: relative names inside count from there.
static int attach_file(json_t *request)
{
    char absolute[PATH_MAX], *text;
    const char *path = get_text(request, "path");

    if (!path[0])
        return CTL_OK;
    if (!realpath(path, absolute)) {
        fprintf(stderr, "sluicectl: %s: %s\n", path, strerror(errno));
        return CTL_FAILED;
    }
    text = read_text(absolute);
    if (!text)
        return CTL_FAILED;
    json_t *value = json_string(text);
    free(text);
    if (!value) {
        fprintf(stderr, "sluicectl: %s: is not UTF-8 text; save it as such\n", path);
        return CTL_FAILED;
    }
    json_object_set_new(request, "text", value);
    json_object_set_new(request, "path", json_string(absolute));
    return CTL_OK;
}

int run_config_file(struct ctl *ctl, const struct ctl_command *command, json_t *request)
{
    json_t *result;
    int code = attach_file(request);

    if (code)
        return code;
    code = ctl_call(ctl, command->rpc, request, &result);
    if (result) {
        if (ctl->json)
            ctl_json_print(ctl, result);
        else
            code = command->show(ctl, result, NULL);
        // As diff(1): that they differ is an answer of its own.
        if (json_is_false(json_object_get(result, "same")))
            code = CTL_FAILED;
    }
    json_decref(result);
    return code;
}

static void print_warnings(struct ctl *ctl, const json_t *result)
{
    json_t *one;
    size_t i;

    json_array_foreach(json_object_get(result, "warnings"), i, one)
        fprintf(stderr, "warning: %s%s%s\n", get_text(one, "where"), get_text(one, "where")[0] ? ": " : "",
                json_is_string(one) ? json_string_value(one) : get_text(one, "what"));
}

int show_config_apply(struct ctl *ctl, const json_t *result, const json_t *before)
{
    uint64_t total = get_number(json_object_get(result, "duration_us"), "total");
    const char *state = get_text(result, "state");

    print_warnings(ctl, result);
    if (get_true(result, "dry")) {
        fprintf(ctl->out, "%s\n",
                get_true(result, "changed") ? "compiles; nothing was changed" : "is what runs already");
        return CTL_OK;
    }
    if (!get_true(result, "changed")) {
        fprintf(ctl->out, "nothing to do: this config runs already, as generation %" PRIu64 "\n",
                get_number(result, "generation"));
        return CTL_OK;
    }
    if (strcmp(state, "live") == 0)
        fprintf(ctl->out, "generation %" PRIu64 " live on %" PRIu64 " workers in %.1f ms%s\n",
                get_number(result, "generation"), get_number(result, "workers"), (double)total / 1000,
                get_true(result, "in_place") ? " (routes changed in place)" : "");
    else
        fprintf(ctl->out, "generation %" PRIu64 " published; waiting for sluice-dp to run\n",
                get_number(result, "generation"));
    if (get_number(result, "confirm_s"))
        fprintf(ctl->out, "goes back in %" PRIu64 " s: keep it with 'sluicectl config confirm'\n",
                get_number(result, "confirm_s"));
    return CTL_OK;
}

// What `config show` and `config diff` answer: text for people as it is.
int show_config_text(struct ctl *ctl, const json_t *result, const json_t *before)
{
    const char *text = get_text(result, "text");

    fputs(text, ctl->out);
    if (get_true(result, "same"))
        fprintf(ctl->out, "no difference\n");
    else if (text[0] && text[strlen(text) - 1] != '\n')
        fputc('\n', ctl->out);
    return CTL_OK;
}

int show_config_history(struct ctl *ctl, const json_t *result, const json_t *before)
{
    struct table table;
    json_t *entry;
    size_t i;

    table_init(&table, ">ID", "APPLIED", "BY", "HASH", "", "COMMENT", NULL);
    json_array_foreach(json_object_get(result, "entries"), i, entry)
    {
        time_t at = (time_t)get_number(entry, "applied_at");
        char when[32];

        strftime(when, sizeof(when), "%F %T", localtime(&at));
        table_add(&table, "%" PRIu64, get_number(entry, "id"));
        table_add(&table, "%s", when);
        table_add(&table, "%s", get_or_dash(entry, "user"));
        table_add(&table, "%.12s", get_text(entry, "hash"));
        table_add(&table, "%s", get_true(entry, "current") ? "runs" : "");
        table_add(&table, "%s", get_text(entry, "comment"));
    }
    table_print(&table, ctl->out, ctl->color, "nothing was applied yet");
    return CTL_OK;
}

int show_config_confirm(struct ctl *ctl, const json_t *result, const json_t *before)
{
    fprintf(ctl->out, "kept: config %.12s stays\n", get_text(result, "hash"));
    return CTL_OK;
}
