// SPDX-License-Identifier: Apache-2.0
// Sets and rules to a prefilter table.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>
#include "apply/compile.h"
#include "table/prefix_set.h"

uint64_t file_identity(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return 0;
    uint64_t what[] = {st.st_dev,
                       st.st_ino,
                       (uint64_t)st.st_size,
                       (uint64_t)st.st_mtim.tv_sec,
                       st.st_mtim.tv_nsec,
                       (uint64_t)st.st_ctim.tv_sec,
                       st.st_ctim.tv_nsec};
    return XXH3_64bits_withSeed(what, sizeof(what), XXH3_64bits(path, strlen(path)));
}

// The NUL goes in too, so that "a","bc" and "ab","c" differ.
static void hash_text(XXH3_state_t *state, const char *text)
{
    XXH3_64bits_update(state, text ? text : "", text ? strlen(text) + 1 : 1);
}

static void hash_number(XXH3_state_t *state, uint64_t number)
{
    XXH3_64bits_update(state, &number, sizeof(number));
}

static void hash_set(XXH3_state_t *state, const struct sl_config_set *set)
{
    hash_text(state, set->name);
    hash_number(state, set->prefixes_count);
    for (unsigned i = 0; i < set->prefixes_count; i++)
        hash_text(state, set->prefixes[i]);
    hash_number(state, set->files_count);
    for (unsigned i = 0; i < set->files_count; i++)
        hash_number(state, file_identity(set->files[i]));
}

static void hash_rules(XXH3_state_t *state, const struct sl_config_prefilter_port *port)
{
    hash_text(state, port->port);
    hash_number(state, (uint64_t)port->fallback);
    hash_number(state, port->rules_count);
    for (unsigned i = 0; i < port->rules_count; i++) {
        hash_text(state, port->rules[i].deny);
        hash_text(state, port->rules[i].allow);
    }
}

uint64_t compile_prefilter_hash(const struct sl_config *config, const struct slots *slots)
{
    XXH3_state_t *state = XXH3_createState();

    if (!state)
        return 0; // as no table has: compiled again, which then reports that memory is out
    XXH3_64bits_reset(state);
    for (unsigned i = 0; i < config->prefilter.sets_count; i++)
        hash_set(state, &config->prefilter.sets[i]);
    for (unsigned i = 0; i < config->prefilter.ports_count; i++)
        hash_rules(state, &config->prefilter.ports[i]);
    for (unsigned i = 0; i < config->ports_count; i++) {
        hash_number(state, (uint64_t)slots_find(slots, config->ports[i].name));
        hash_number(state, config->ports[i].martians);
    }
    uint64_t hash = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return hash;
}

static int set_collect(const struct sl_config_set *from, struct sl_prefix_set *set, struct sl_error *error)
{
    for (unsigned i = 0; i < from->prefixes_count; i++) {
        struct sl_prefix prefix;
        if (sl_prefix_parse(from->prefixes[i], &prefix))
            return sl_error_set(error, -EINVAL, "set %s: '%s' is not a prefix", from->name,
                                from->prefixes[i]);
        if (sl_prefix_set_add(set, &prefix))
            return sl_error_set(error, -ENOMEM, "out of memory");
    }
    for (unsigned i = 0; i < from->files_count; i++) {
        struct sl_prefix_set_error why = {0};
        int rc = sl_prefix_set_read(set, from->files[i], &why);
        if (rc && why.line)
            return sl_error_set(error, rc, "%s:%zu: %s", from->files[i], why.line, why.text);
        if (rc)
            return sl_error_set(error, rc, "set %s: %s", from->name, why.text);
    }
    return sl_prefix_set_finish(set) ? sl_error_set(error, -ENOMEM, "out of memory") : 0;
}

static int set_append(const struct sl_config_set *from, struct image *image, uint64_t at,
                      struct sl_error *error)
{
    struct sl_prefix_set set = {0};

    int rc = set_collect(from, &set, error);
    if (rc == 0) {
        uint64_t size = sl_prefix_set_size(&set);
        uint64_t offset = image_append(image, NULL, size, 1);
        rc = image->bytes ? sl_prefix_set_build(&set, image->bytes + offset, size) : -ENOMEM;
        if (rc) {
            sl_error_set(error, rc, "set %s: no room for its %zu prefixes", from->name, set.count);
        } else {
            struct sl_prefilter_set *entry = (void *)(image->bytes + at);
            strncpy(entry->name, from->name, sizeof(entry->name) - 1);
            entry->entries_v4 = set.count_v4;
            entry->entries_v6 = set.count_v6;
            entry->blob_offset = offset;
            entry->blob_size = size;
        }
    }
    sl_prefix_set_fini(&set);
    return rc;
}

static int set_find(const struct sl_config *config, const char *name)
{
    for (unsigned i = 0; i < config->prefilter.sets_count; i++)
        if (strcmp(config->prefilter.sets[i].name, name) == 0)
            return (int)i;
    return -1;
}

static int rules_fill(const struct sl_config *config, const struct sl_config_prefilter_port *from,
                      struct sl_prefilter_port *port, struct sl_error *error)
{
    if (from->rules_count > SL_PREFILTER_RULES)
        return sl_error_set(error, -ENOSPC, "prefilter of port %s: %u rules, but at most %d fit", from->port,
                            from->rules_count, SL_PREFILTER_RULES);
    for (unsigned i = 0; i < from->rules_count; i++) {
        bool deny = from->rules[i].deny != NULL;
        const char *name = deny ? from->rules[i].deny : from->rules[i].allow;
        int set = set_find(config, name);
        if (set < 0)
            return sl_error_set(error, -EINVAL, "prefilter of port %s: no set '%s'", from->port, name);
        port->rule[i].set = (uint16_t)set;
        port->rule[i].action = deny ? SL_PREFILTER_DENY : SL_PREFILTER_ALLOW;
        port->rule[i].counter = (uint8_t)i;
    }
    port->rule_count = from->rules_count;
    port->fallback = (uint8_t)from->fallback;
    return 0;
}

static int ports_fill(const struct sl_config *config, const struct slots *slots,
                      struct sl_prefilter_port *port, struct sl_error *error)
{
    for (unsigned i = 0; i < config->ports_count; i++) {
        if (config->ports[i].martians)
            port[slots_find(slots, config->ports[i].name)].flags = SL_PORT_MARTIANS;
    }
    for (unsigned i = 0; i < config->prefilter.ports_count; i++) {
        int slot = slots_find(slots, config->prefilter.ports[i].port);
        if (slot < 0)
            return sl_error_set(error, -EINVAL, "prefilter: no port '%s'", config->prefilter.ports[i].port);
        int rc = rules_fill(config, &config->prefilter.ports[i], &port[slot], error);
        if (rc)
            return rc;
    }
    return 0;
}

int compile_prefilter(const struct sl_config *config, const struct slots *slots, struct image *image,
                      struct sl_error *error)
{
    uint32_t set_count = config->prefilter.sets_count, port_count = slots_count(slots);

    if (set_count > SL_PREFILTER_SETS)
        return sl_error_set(error, -ENOSPC, "prefilter: %u sets, but at most %d fit", set_count,
                            SL_PREFILTER_SETS);
    if (image_init(image, sizeof(struct sl_prefilter_table)))
        return sl_error_set(error, -ENOMEM, "out of memory");
    uint64_t sets = image_append(image, NULL, set_count, sizeof(struct sl_prefilter_set));
    uint64_t ports = image_append(image, NULL, port_count, sizeof(struct sl_prefilter_port));
    int rc = image->bytes ? 0 : sl_error_set(error, -ENOMEM, "out of memory");
    if (rc == 0) {
        struct sl_prefilter_table *table = (void *)image->bytes;
        table->set_count = set_count;
        table->port_count = port_count;
        table->set_offset = sets;
        table->port_offset = ports;
        rc = ports_fill(config, slots, (void *)(image->bytes + ports), error);
    }
    for (uint32_t i = 0; rc == 0 && i < set_count; i++)
        rc = set_append(&config->prefilter.sets[i], image, sets + i * sizeof(struct sl_prefilter_set), error);
    if (rc)
        image_fini(image);
    return rc;
}
