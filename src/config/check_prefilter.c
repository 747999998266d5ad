// SPDX-License-Identifier: Apache-2.0
// The prefilter's sets and rules. Called by check_config().
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "config/check.h"
#include "config/file.h"
#include "shm/layout.h"
#include "table/prefix_set.h"

static bool set_used(const struct sl_config_prefilter *prefilter, const char *name)
{
    for (unsigned i = 0; i < prefilter->ports_count; i++) {
        for (unsigned j = 0; j < prefilter->ports[i].rules_count; j++) {
            const struct sl_config_rule *rule = &prefilter->ports[i].rules[j];

            if ((rule->deny && strcmp(rule->deny, name) == 0) ||
                (rule->allow && strcmp(rule->allow, name) == 0))
                return true;
        }
    }
    return false;
}

// Reads the file as building the set will: an unreadable one is told at its name, a bad line at its own place.
static void check_set_file(struct check *check, unsigned i, unsigned j)
{
    const char *path = check->config->prefilter.sets[i].files[j];
    struct sl_prefix_set_error why = {0};
    struct sl_prefix_set set = {0};
    char *text;
    size_t length;
    int error = file_read(path, &text, &length);

    if (error) {
        check_at(check, "prefilter.sets[%u].files[%u]", i, j);
        check_mend(check, "the name counts from the config's folder");
        check_error(check, "%s cannot be read: %s", path, strerror(-error));
        return;
    }
    if (sl_prefix_set_parse(&set, text, length, &why) == -EINVAL)
        sl_diag_add(check->diag, SL_DIAG_ERROR, path, (unsigned)why.line, 1, "", "", "%s", why.text);
    sl_prefix_set_fini(&set);
    free(text);
}

static void check_set(struct check *check, unsigned i, bool files_known)
{
    const struct sl_config_prefilter *prefilter = &check->config->prefilter;
    const struct sl_config_set *set = &prefilter->sets[i];

    check_at(check, "prefilter.sets[%u].name", i);
    for (unsigned j = 0; j < i; j++) {
        if (strcmp(set->name, prefilter->sets[j].name) != 0)
            continue;
        check_mend(check, "give each set a name of its own");
        check_error(check, "the set '%s' is there already, on line %u", set->name,
                    check_line(check, "prefilter.sets[%u].name", j));
        break;
    }
    if (!set_used(prefilter, set->name)) {
        check_mend(check, "name it in a rule of 'prefilter.ports', or take it out");
        check_warning(check, "no rule uses the set '%s'", set->name);
    }
    for (unsigned j = 0; j < set->files_count && !files_known; j++)
        check_set_file(check, i, j);
}

static void check_rule(struct check *check, unsigned i, unsigned j)
{
    const struct sl_config_rule *rule = &check->config->prefilter.ports[i].rules[j];

    if (!rule->deny == !rule->allow) {
        check_at(check, "prefilter.ports[%u].rules[%u]", i, j);
        check_mend(check, "write - deny: SET or - allow: SET");
        check_error(check, "a rule is either 'deny' or 'allow'");
        return;
    }
    check_at(check, "prefilter.ports[%u].rules[%u].%s", i, j, rule->deny ? "deny" : "allow");
    check_set_named(check, rule->deny ? rule->deny : rule->allow);
}

static void check_port_rules(struct check *check, unsigned i)
{
    const struct sl_config_prefilter *prefilter = &check->config->prefilter;
    const struct sl_config_prefilter_port *port = &prefilter->ports[i];

    check_at(check, "prefilter.ports[%u].port", i);
    check_port_named(check, port->port);
    for (unsigned j = 0; j < i; j++) {
        if (strcmp(port->port, prefilter->ports[j].port) != 0)
            continue;
        check_at(check, "prefilter.ports[%u].port", i);
        check_mend(check, "put its rules into one list");
        check_error(check, "the port '%s' has rules already, on line %u", port->port,
                    check_line(check, "prefilter.ports[%u].port", j));
    }
    bool allows = false;
    for (unsigned j = 0; j < port->rules_count; j++) {
        allows |= port->rules[j].allow != NULL;
        check_rule(check, i, j);
    }
    if (port->fallback == SL_PREFILTER_DENY && !allows) {
        check_at(check, "prefilter.ports[%u].default", i);
        check_mend(check, "add a rule that allows, or write default: allow");
        check_warning(check, "denies every packet of port '%s'", port->port);
    }
}

void check_prefilter(struct check *check)
{
    const struct sl_config_known *known = check->known;
    bool files_known = known && known->set_files && known->set_files(known->context, check->config);

    for (unsigned i = 0; i < check->config->prefilter.sets_count; i++)
        check_set(check, i, files_known);
    for (unsigned i = 0; i < check->config->prefilter.ports_count; i++)
        check_port_rules(check, i);
}
