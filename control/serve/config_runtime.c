// SPDX-License-Identifier: Apache-2.0
// What the operator changed at runtime, marked as such beside the differences of two configs: it is in no config.
#include <stdio.h>
#include <stdlib.h>
#include "serve/balances.h"
#include "serve/command.h"

static const struct sl_config_member *config_of(const struct snapshot *running,
                                                const struct balance_member_key *key)
{
    for (unsigned i = 0; running && i < running->config->pools_count; i++) {
        const struct sl_config_server_pool *pool = &running->config->pools[i];
        for (unsigned k = 0; k < pool->members_count; k++) {
            struct balance_member_key other = balance_member_key(pool, &pool->members[k]);
            if (balance_member_compare(&other, key) == 0)
                return &pool->members[k];
        }
    }
    return NULL;
}

static void add(json_t *list, FILE *out, const struct balance_view *view, const char *key, const char *before,
                const char *after)
{
    char member[MEMBER_TEXT], path[160];

    snprintf(path, sizeof(path), "pools[%s].members[%s].%s", view->key->pool,
             member_text(&view->key->ip, view->key->port, member), key);
    json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "path", path, "config", before, "runtime",
                                          after, "user", view->override->user));
    fprintf(out, "! %s: %s, at runtime %s by %s\n", path, before, after, view->override->user);
}

static void add_all(json_t *list, FILE *out, const struct balance_view *view,
                    const struct sl_config_member *config)
{
    char before[16], after[16];

    if (view->override->weight >= 0) {
        snprintf(before, sizeof(before), "%u", config->weight);
        snprintf(after, sizeof(after), "%d", view->override->weight);
        add(list, out, view, "weight", before, after);
    }
    if (view->override->operation != BALANCE_OPERATION_NONE)
        add(list, out, view, "enabled", config->enabled ? "true" : "false",
            balance_operation_name(view->override->operation));
}

json_t *runtime_changes(const struct daemon *daemon, char **text, unsigned *count)
{
    struct balance_view view;
    json_t *list = json_array();
    size_t length;
    FILE *out = open_memstream(text, &length);

    for (uint32_t at = 0; out && balance_next_override(daemon->balance, &at, &view);) {
        const struct sl_config_member *config = config_of(daemon->applier.running, view.key);
        if (config)
            add_all(list, out, &view, config);
    }
    if (out)
        fclose(out);
    *count = (unsigned)json_array_size(list);
    return list;
}
