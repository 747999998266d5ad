// SPDX-License-Identifier: Apache-2.0
// The checks' common ground: telling a fault at its place, names with "did you mean", addresses of links and pools.
// Called by the loader, on its thread.
#include "config/check.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "config/suggest.h"

void check_at(struct check *check, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(check->path, sizeof(check->path), format, arguments);
    va_end(arguments);
    check->mend[0] = '\0';
}

void check_mend(struct check *check, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(check->mend, sizeof(check->mend), format, arguments);
    va_end(arguments);
}

static void tell(struct check *check, enum sl_severity severity, const char *format, va_list arguments)
{
    const struct sl_node *node = sl_tree_find(check->tree, check->path);
    char what[512];

    vsnprintf(what, sizeof(what), format, arguments);
    sl_diag_add(check->diag, severity, check->name, node ? node->line : 0, node ? node->column : 0,
                check->path, check->mend, "%s", what);
    check->mend[0] = '\0';
}

void check_error(struct check *check, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    tell(check, SL_DIAG_ERROR, format, arguments);
    va_end(arguments);
}

void check_warning(struct check *check, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    tell(check, SL_DIAG_WARNING, format, arguments);
    va_end(arguments);
}

unsigned check_line(const struct check *check, const char *format, ...)
{
    char path[160];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(path, sizeof(path), format, arguments);
    va_end(arguments);
    const struct sl_node *node = sl_tree_find(check->tree, path);
    return node ? node->line : 0;
}

// Tells that nothing of this kind has the name.
static int not_there(struct check *check, const char *kind, const char *name,
                     const struct sl_suggestion *nearest, const char *list)
{
    if (nearest->best)
        check_mend(check, "did you mean '%s'?", nearest->best);
    else
        check_mend(check, "add it under %s, or name one that is there", list);
    check_error(check, "there is no %s '%s'", kind, name);
    return -1;
}

int check_port_named(struct check *check, const char *name)
{
    struct sl_suggestion nearest;

    sl_suggest_init(&nearest, name);
    for (unsigned i = 0; i < check->config->ports_count; i++) {
        if (strcmp(check->config->ports[i].name, name) == 0)
            return (int)i;
        sl_suggest_offer(&nearest, check->config->ports[i].name);
    }
    return not_there(check, "port", name, &nearest, "'ports'");
}

int check_pool_named(struct check *check, const char *name)
{
    const struct sl_config_nat *nat = &check->config->nat;
    struct sl_suggestion nearest;

    sl_suggest_init(&nearest, name);
    for (unsigned i = 0; i < nat->pools_count; i++) {
        if (strcmp(nat->pools[i].name, name) == 0)
            return (int)i;
        sl_suggest_offer(&nearest, nat->pools[i].name);
    }
    return not_there(check, "pool", name, &nearest, "'nat.pools'");
}

int check_set_named(struct check *check, const char *name)
{
    const struct sl_config_prefilter *prefilter = &check->config->prefilter;
    struct sl_suggestion nearest;

    sl_suggest_init(&nearest, name);
    for (unsigned i = 0; i < prefilter->sets_count; i++) {
        if (strcmp(prefilter->sets[i].name, name) == 0)
            return (int)i;
        sl_suggest_offer(&nearest, prefilter->sets[i].name);
    }
    return not_there(check, "set", name, &nearest, "'prefilter.sets'");
}

int check_server_pool_named(struct check *check, const char *name)
{
    struct sl_suggestion nearest;

    sl_suggest_init(&nearest, name);
    for (unsigned i = 0; i < check->config->pools_count; i++)
        if (strcmp(check->config->pools[i].name, name) == 0)
            return (int)i;
    for (unsigned i = 0; i < check->config->pools_count; i++)
        sl_suggest_offer(&nearest, check->config->pools[i].name);
    return not_there(check, "pool", name, &nearest, "'pools'");
}

const struct check_link *check_link_of(const struct check *check, const struct sl_ip *ip, int port)
{
    const struct check_link *best = NULL;

    for (unsigned i = 0; i < check->link_count; i++) {
        const struct check_link *link = &check->link[i];

        if ((port < 0 || link->port == (unsigned)port) && sl_prefix_contains(&link->interface.link, ip) &&
            (!best || link->interface.link.len > best->interface.link.len))
            best = link;
    }
    return best;
}

const struct check_link *check_own(const struct check *check, const struct sl_ip *ip)
{
    for (unsigned i = 0; i < check->link_count; i++)
        if (sl_ip_equal(&check->link[i].interface.ip, ip))
            return &check->link[i];
    return NULL;
}

const struct check_pool_range *check_pool_of(const struct check *check, struct sl_range range)
{
    // Ranges are few and sorted by their first address, but may overlap in a wrong config: look at each.
    for (unsigned i = 0; i < check->range_count && check->range[i].range.first <= range.last; i++)
        if (check->range[i].range.last >= range.first)
            return &check->range[i];
    return NULL;
}

static int links_collect(struct check *check)
{
    const struct sl_config *config = check->config;
    unsigned count = 0;

    for (unsigned i = 0; i < config->ports_count; i++)
        count += config->ports[i].addresses_count;
    check->link = calloc(count ? count : 1, sizeof(*check->link));
    if (!check->link)
        return -ENOMEM;
    for (unsigned i = 0; i < config->ports_count; i++) {
        for (unsigned j = 0; j < config->ports[i].addresses_count; j++) {
            struct check_link *link = &check->link[check->link_count++];

            sl_interface_parse(config->ports[i].addresses[j], &link->interface);
            link->port = i;
            link->address = j;
        }
    }
    return 0;
}

static int range_compare(const void *a, const void *b)
{
    const struct check_pool_range *x = a, *y = b;

    return x->range.first < y->range.first ? -1 : x->range.first > y->range.first;
}

static int ranges_collect(struct check *check)
{
    const struct sl_config_nat *nat = &check->config->nat;
    unsigned count = 0;

    for (unsigned i = 0; i < nat->pools_count; i++)
        count += nat->pools[i].addresses_count;
    check->range = calloc(count ? count : 1, sizeof(*check->range));
    if (!check->range)
        return -ENOMEM;
    for (unsigned i = 0; i < nat->pools_count; i++) {
        for (unsigned j = 0; j < nat->pools[i].addresses_count; j++) {
            struct check_pool_range *range = &check->range[check->range_count++];

            sl_range_parse(nat->pools[i].addresses[j], &range->range);
            range->pool = i;
            range->address = j;
        }
    }
    qsort(check->range, check->range_count, sizeof(*check->range), range_compare);
    return 0;
}

int check_config(const struct sl_config *config, const struct sl_tree *tree, const char *name,
                 const struct sl_config_known *known, struct sl_diagnostics *diag)
{
    struct check check = {.config = config, .tree = tree, .known = known, .name = name, .diag = diag};
    int error = links_collect(&check);

    if (!error)
        error = ranges_collect(&check);
    if (!error) {
        check_ports(&check);
        check_neighbors(&check);
        check_prefilter(&check);
        check_endpoints(&check);
        error = check_nat(&check);
    }
    if (!error)
        error = check_balance(&check);
    if (!error)
        error = check_routes(&check);
    free(check.link);
    free(check.range);
    free(check.member);
    free(check.service_address);
    return error;
}
