// SPDX-License-Identifier: Apache-2.0
// Runtime changes on disk: "balance.json" in the state directory, written aside and renamed with each change, so that
// a sluiced that is killed knows them again. They are the operator's, hence few.
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "balance/member.h"

#define PATH_BYTES 4096
#define VERSION    1

static void path_of(const struct balance *balance, const char *end, char out[PATH_BYTES])
{
    snprintf(out, PATH_BYTES, "%s/balance.json%s", balance->applier->state_dir, end);
}

// ---- written ----------------------------------------------------------------------------------------------------

static json_t *json_override(const struct balance_member_key *key, const struct balance_override *override)
{
    char address[SL_IP_TEXT];

    return json_pack("{s:s, s:s, s:i, s:s, s:b, s:I, s:I, s:i, s:I, s:s, s:i, s:b}", "pool", key->pool,
                     "address", sl_ip_format(&key->ip, address), "port", key->port, "operation",
                     balance_operation_name(override->operation), "empty", override->empty, "at_ms",
                     (json_int_t) override->at_ms, "deadline_ms", (json_int_t) override->deadline_ms,
                     "weight", override->weight, "weight_at_ms", (json_int_t) override->weight_at_ms, "user",
                     override->user, "base_weight", override->base_weight, "base_enabled",
                     override->base_enabled);
}

static json_t *json_all(const struct balance *balance)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < balance->count; i++)
        if (balance->member[i].override)
            json_array_append_new(list, json_override(&balance->member[i].key, balance->member[i].override));
    for (uint32_t i = 0; i < balance->kept_count; i++)
        json_array_append_new(list, json_override(&balance->kept[i].key, &balance->kept[i].override));
    return json_pack("{s:i, s:o}", "version", VERSION, "members", list);
}

int kept_write(struct balance *balance, struct sl_error *error)
{
    char path[PATH_BYTES], aside[PATH_BYTES];
    json_t *all = json_all(balance);

    path_of(balance, "", path);
    path_of(balance, ".new", aside);
    errno = ENOMEM;
    bool written = all && json_dump_file(all, aside, JSON_INDENT(1)) == 0 && rename(aside, path) == 0;
    int rc = written ? 0 : -errno;
    json_decref(all);
    if (written)
        return 0;
    unlink(aside);
    return sl_error_set(error, -EIO,
                        "done, but it would not survive a restart of sluiced: %s cannot be written: %s", path,
                        strerror(-rc));
}

// ---- read -------------------------------------------------------------------------------------------------------

static enum balance_operation operation_of(const char *name)
{
    for (int i = BALANCE_OPERATION_NONE; name && i <= BALANCE_OPERATION_FLUSH; i++)
        if (strcmp(balance_operation_name((enum balance_operation)i), name) == 0)
            return (enum balance_operation)i;
    return BALANCE_OPERATION_NONE;
}

static uint64_t number_of(const json_t *one, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(one, key));
}

static bool kept_parse(const json_t *one, struct balance_kept *kept)
{
    const char *pool = json_string_value(json_object_get(one, "pool")),
               *address = json_string_value(json_object_get(one, "address")),
               *user = json_string_value(json_object_get(one, "user"));
    json_int_t weight = json_integer_value(json_object_get(one, "weight"));

    memset(kept, 0, sizeof(*kept));
    if (!pool || !address || sl_ip_parse(address, &kept->key.ip))
        return false;
    snprintf(kept->key.pool, sizeof(kept->key.pool), "%s", pool);
    kept->key.port = (uint16_t)number_of(one, "port");
    kept->override = (struct balance_override){
        .operation = operation_of(json_string_value(json_object_get(one, "operation"))),
        .empty = json_is_true(json_object_get(one, "empty")),
        .at_ms = number_of(one, "at_ms"),
        .deadline_ms = number_of(one, "deadline_ms"),
        .weight = weight >= 0 && weight <= 1000 ? (int32_t)weight : -1,
        .weight_at_ms = number_of(one, "weight_at_ms"),
        .base_weight = (uint16_t)number_of(one, "base_weight"),
        .base_enabled = json_is_true(json_object_get(one, "base_enabled")),
    };
    snprintf(kept->override.user, sizeof(kept->override.user), "%s", user ? user : "?");
    return !override_is_empty(&kept->override);
}

int kept_read(struct balance *balance, struct sl_error *error)
{
    char path[PATH_BYTES];
    json_error_t why;
    json_t *one;
    size_t i;

    path_of(balance, "", path);
    if (access(path, F_OK) < 0)
        return 0;
    json_t *all = json_load_file(path, 0, &why), *list = json_object_get(all, "members");
    if (!json_is_array(list)) {
        json_decref(all);
        return sl_error_set(error, -EBADMSG,
                            "%s: not written by sluiced, or damaged: runtime changes of "
                            "members are forgotten",
                            path);
    }
    balance->kept = calloc(json_array_size(list) + 1, sizeof(*balance->kept));
    json_array_foreach(list, i,
                       one) if (balance->kept && kept_parse(one, &balance->kept[balance->kept_count]))
        balance->kept_count++;
    json_decref(all);
    return balance->kept ? 0 : sl_error_set(error, -ENOMEM, "out of memory");
}

const struct balance_override *kept_find(const struct balance *balance, const struct balance_member_key *key)
{
    for (uint32_t i = 0; i < balance->kept_count; i++)
        if (balance_member_compare(&balance->kept[i].key, key) == 0)
            return &balance->kept[i].override;
    return NULL;
}
