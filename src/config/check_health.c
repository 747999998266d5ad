// SPDX-License-Identifier: Apache-2.0
// A pool's health check: that what is written fits the type of the check. What only the machine knows (is the script
// there, may it be run) is told by control/health when the config is applied. Called by check_balance().
#include <stdio.h>
#include <string.h>
#include "config/check.h"
#include "config/emit.h"
#include "config/schema.h"

#define BIT(type) (1u << SL_CONFIG_HEALTH_##type)
#define ALL       (BIT(TCP) | BIT(HTTP) | BIT(HTTPS) | BIT(ICMP) | BIT(UDP) | BIT(SCRIPT))
#define WITH_PORT (BIT(TCP) | BIT(HTTP) | BIT(HTTPS) | BIT(UDP))

static const struct {
    const char *key;
    unsigned types; // that the key means something to; keys that are not here go with all
} key_types[] = {
    {"port", WITH_PORT | BIT(SCRIPT)},
    {"orderly-close", BIT(TCP) | BIT(HTTP) | BIT(HTTPS)},
    {"method", BIT(HTTP) | BIT(HTTPS)},
    {"path", BIT(HTTP) | BIT(HTTPS)},
    {"host", BIT(HTTP) | BIT(HTTPS)},
    {"status", BIT(HTTP) | BIT(HTTPS)},
    {"header", BIT(HTTP) | BIT(HTTPS)},
    {"header-text", BIT(HTTP) | BIT(HTTPS)},
    {"body", BIT(HTTP) | BIT(HTTPS)},
    {"sni", BIT(HTTPS)},
    {"verify", BIT(HTTPS)},
    {"ca-file", BIT(HTTPS)},
    {"send", BIT(UDP)},
    {"expect", BIT(UDP)},
    {"silence-is-good", BIT(UDP)},
    {"script", BIT(SCRIPT)},
    {"arguments", BIT(SCRIPT)},
};

static const char *const type_name[SL_CONFIG_HEALTH_TYPES] = {"none", "tcp", "http",  "https",
                                                              "icmp", "udp", "script"};

static unsigned types_of(const char *key)
{
    for (unsigned i = 0; i < sizeof(key_types) / sizeof(key_types[0]); i++)
        if (strcmp(key_types[i].key, key) == 0)
            return key_types[i].types;
    return ALL;
}

static void types_say(unsigned types, char *out, size_t size)
{
    size_t used = 0;

    for (unsigned i = 0; i < SL_CONFIG_HEALTH_TYPES; i++)
        if (types & (1u << i) && used < size)
            used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "", type_name[i]);
}

// Keys that the check would not look at are mistakes: somebody believes that something is checked. Of printed configs
// every key may be written, with its default.
static void check_keys(struct check *check, unsigned pool, const struct sl_config_health *health)
{
    const struct sl_key *rows = sl_key_find(sl_server_pool_keys, "health", strlen("health"))->keys;
    char types[64];

    for (const struct sl_key *key = rows; key->name; key++) {
        if (strcmp(key->name, "type") == 0 || types_of(key->name) & (1u << health->type) ||
            emit_is_default(key, health))
            continue;
        types_say(types_of(key->name), types, sizeof(types));
        check_at(check, "pools[%u].health.%s", pool, key->name);
        if (health->type == SL_CONFIG_HEALTH_NONE)
            check_mend(check, "add a 'type': %s", types);
        else
            check_mend(check, "take it out; it goes with %s", types);
        check_error(check, "'%s' means nothing to a check of type %s", key->name, type_name[health->type]);
        if (health->type == SL_CONFIG_HEALTH_NONE)
            return;
    }
}

static void check_numbers(struct check *check, unsigned pool, const struct sl_config_health *health)
{
    if (health->timeout > health->interval) {
        check_at(check, "pools[%u].health.timeout", pool);
        check_mend(check, "raise the interval, or write auto");
        check_error(check, "a timeout of %u ms is longer than the interval, %u ms", health->timeout,
                    health->interval);
    }
    if (health->damping.half_life && health->damping.suppress <= health->damping.reuse) {
        check_at(check, "pools[%u].health.damping", pool);
        check_mend(check, "raise 'suppress' or lower 'reuse'");
        check_error(check, "'suppress' (%u) must be above 'reuse' (%u)", health->damping.suppress,
                    health->damping.reuse);
    }
    if (health->passive.hold_most < health->passive.hold) {
        check_at(check, "pools[%u].health.passive", pool);
        check_mend(check, "raise 'hold-most'");
        check_error(check, "'hold-most' (%u) is less than 'hold' (%u)", health->passive.hold_most,
                    health->passive.hold);
    }
}

// What is asked must have a port: the check's, the member's, or the service's where it is one.
static void check_port(struct check *check, unsigned pool, const struct sl_config_health *health)
{
    const struct sl_config_server_pool *whole = &check->config->pools[pool];

    if (!(WITH_PORT & (1u << health->type)) || health->port || check_service_port(check, whole->name))
        return;
    for (unsigned j = 0; j < whole->members_count; j++) {
        if (whole->members[j].port)
            continue;
        check_at(check, "pools[%u].health", pool);
        check_mend(check, "add 'port' here, or to each member");
        check_error(check, "member %s has no port that could be asked", whole->members[j].address);
        return;
    }
}

void check_health(struct check *check, unsigned pool)
{
    const struct sl_config_health *health = &check->config->pools[pool].health;

    check_keys(check, pool, health);
    if (health->type == SL_CONFIG_HEALTH_NONE)
        return;
    check_numbers(check, pool, health);
    check_port(check, pool, health);
    check_at(check, "pools[%u].health", pool);
    if (health->type == SL_CONFIG_HEALTH_SCRIPT && !health->script) {
        check_mend(check, "add 'script: FILE'");
        check_error(check, "the key 'script' is missing");
    }
    if (health->header_text && !health->header) {
        check_mend(check, "add 'header: NAME'");
        check_error(check, "'header-text' needs the header it is looked for in");
    }
}
