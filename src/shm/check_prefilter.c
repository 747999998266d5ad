// SPDX-License-Identifier: Apache-2.0
// Checks the prefilter table: sets with their tries, the rules of each port. See check.h for who calls it.
#include <errno.h>
#include <stdalign.h>

#include "shm/check_span.h"
#include "table/lpm_build.h"

static int set_check(const struct check *check, const struct sl_prefilter_set *set)
{
    const struct check_array blob = {"trie bytes of a set", set->blob_offset, set->blob_size, 1,
                                     SL_LPM_BLOCK};
    int code = check_text(check, set->name, sizeof(set->name), "a set's name");

    if (code == 0)
        code = check_span(check, &blob);
    if (code != 0)
        return code;
    if (set->blob_size % SL_LPM_BLOCK != 0)
        return check_fail(check, set, "set %s has a trie of %ju bytes, not a multiple of %u", set->name,
                          (uintmax_t)set->blob_size, SL_LPM_BLOCK);
    // Of a set only being in it counts, so every value but zero says the same.
    code = sl_lpm_check(check->base + set->blob_offset, set->blob_size, SL_LPM_VALUE_MASK);
    if (code == -ENOMEM)
        return sl_error_set(check->error, code, "out of memory while checking set %s", set->name);
    if (code != 0)
        return check_fail(check, set, "the trie of set %s points outside itself", set->name);
    return 0;
}

static int rules_check(const struct check *check, const struct sl_prefilter_port *port, uint32_t set_count)
{
    if (port->rule_count > SL_PREFILTER_RULES)
        return check_fail(check, port, "%u rules on a port, %d are the most", port->rule_count,
                          SL_PREFILTER_RULES);
    if (port->fallback > SL_PREFILTER_DENY)
        return check_fail(check, &port->fallback, "action %u, which is none", port->fallback);
    for (uint32_t i = 0; i < port->rule_count; i++) {
        const struct sl_prefilter_rule *rule = &port->rule[i];
        if (rule->set >= set_count)
            return check_fail(check, rule, "rule %u names set %u of %u", i, rule->set, set_count);
        if (rule->action > SL_PREFILTER_DENY)
            return check_fail(check, rule, "rule %u has action %u, which is none", i, rule->action);
        if (rule->counter >= SL_PREFILTER_RULES)
            return check_fail(check, rule, "rule %u has hit counter %u, %d are the most", i, rule->counter,
                              SL_PREFILTER_RULES);
    }
    return 0;
}

static int spans_check(const struct check *check, const struct sl_prefilter_table *table)
{
    const struct check_array array[] = {
        {"sets", table->set_offset, table->set_count, sizeof(struct sl_prefilter_set),
         alignof(struct sl_prefilter_set)},
        {"ports' rules", table->port_offset, table->port_count, sizeof(struct sl_prefilter_port),
         alignof(struct sl_prefilter_port)},
    };
    int code = 0;

    if (table->set_count > SL_PREFILTER_SETS)
        return check_fail(check, &table->set_count, "%u sets, %d are the most", table->set_count,
                          SL_PREFILTER_SETS);
    if (table->port_count > SL_MAX_PORTS)
        return check_fail(check, &table->port_count, "rules for %u port slots, %d are the most",
                          table->port_count, SL_MAX_PORTS);
    for (unsigned i = 0; code == 0 && i < sizeof(array) / sizeof(array[0]); i++)
        code = check_span(check, &array[i]);
    return code;
}

static int sets_check(const struct check *check, const struct sl_prefilter_table *table)
{
    const struct sl_prefilter_set *set = (const void *)(check->base + table->set_offset);
    int code = 0;

    for (uint32_t i = 0; code == 0 && i < table->set_count; i++)
        code = set_check(check, &set[i]);
    return code;
}

static int ports_check(const struct check *check, const struct sl_prefilter_table *table)
{
    const struct sl_prefilter_port *port = (const void *)(check->base + table->port_offset);
    int code = 0;

    for (uint32_t i = 0; code == 0 && i < table->port_count; i++)
        code = rules_check(check, &port[i], table->set_count);
    return code;
}

int sl_prefilter_table_check(const struct sl_prefilter_table *table, uint64_t size, struct sl_error *error)
{
    struct check check;
    int code = check_begin(&check, "prefilter", table, size, sizeof(*table), error);

    if (code == 0)
        code = spans_check(&check, table);
    if (code == 0)
        code = sets_check(&check, table);
    return code == 0 ? ports_check(&check, table) : code;
}
