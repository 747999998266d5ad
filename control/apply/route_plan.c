// SPDX-License-Identifier: Apache-2.0
// Which layers a config has, and which of them are those of the running generation. See route_layer.h.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include "apply/compile.h"
#include "apply/route_layer.h"
#include "shm/layout.h"

static uint64_t mix(uint64_t seed, const char *text)
{
    return XXH3_64bits_withSeed(text ? text : "", text ? strlen(text) + 1 : 1, seed);
}

static uint64_t mix_number(uint64_t seed, uint64_t number)
{
    return XXH3_64bits_withSeed(&number, sizeof(number), seed);
}

static uint64_t hash_links(const struct sl_config *config, const struct slots *slots)
{
    uint64_t hash = mix_number(0, config->ports_count);

    for (unsigned i = 0; i < config->ports_count; i++) {
        const struct sl_config_port *port = &config->ports[i];
        hash = mix_number(mix(hash, port->name), (uint64_t)slots_find(slots, port->name));
        hash = mix_number(mix_number(hash, port->enabled), port->addresses_count);
        for (unsigned k = 0; k < port->addresses_count; k++)
            hash = mix(hash, port->addresses[k]);
    }
    return hash;
}

static uint64_t hash_pool(const struct sl_config_server_pool *pool, uint64_t hash)
{
    for (unsigned k = 0; k < pool->sources_count; k++)
        hash = mix(hash, pool->sources[k]);
    for (unsigned k = 0; pool->way == SL_BALANCE_DIRECT && k < pool->members_count; k++)
        hash = mix(mix(hash, "direct"), pool->members[k].address);
    return hash;
}

static uint64_t hash_own(const struct sl_config *config, uint64_t hash)
{
    const struct sl_config_nat *nat = &config->nat;

    for (unsigned i = 0; i < nat->pools_count; i++)
        for (unsigned k = 0; k < nat->pools[i].addresses_count; k++)
            hash = mix(hash, nat->pools[i].addresses[k]);
    for (unsigned i = 0; i < nat->statics_count; i++)
        hash = mix(hash, nat->statics[i].outside);
    for (unsigned i = 0; i < nat->forwards_count; i++)
        hash = mix(hash, nat->forwards[i].outside);
    for (unsigned i = 0; i < config->services_count; i++)
        for (unsigned k = 0; k < config->services[i].addresses_count; k++)
            hash = mix(hash, config->services[i].addresses[k]);
    for (unsigned i = 0; i < config->pools_count; i++)
        hash = hash_pool(&config->pools[i], hash);
    return mix(hash, "own");
}

static uint64_t hash_config(const struct sl_config *config, uint64_t hash)
{
    for (unsigned i = 0; i < config->routes_count; i++) {
        const struct sl_config_route *route = &config->routes[i];
        hash = mix_number(mix_number(mix(hash, route->prefix), route->kind), route->via_count);
        for (unsigned k = 0; k < route->via_count; k++)
            hash =
                mix_number(mix(mix(hash, route->via[k].address), route->via[k].port), route->via[k].weight);
    }
    return mix(hash, "config");
}

static uint64_t file_layer_identity(const char *file, uint64_t links)
{
    return mix(mix_number(links, file_identity(file)), file);
}

// Layer 0 is the own one, 1 the config's, then the files in their order.
static uint64_t layer_identity(const struct sl_config *config, unsigned i, uint64_t links)
{
    if (i == 0)
        return hash_own(config, links);
    if (i == 1)
        return hash_config(config, links);
    return file_layer_identity(config->route_files[i - 2], links);
}

static struct route_layer *plan_share(const struct route_plan *plan, uint64_t identity)
{
    for (unsigned i = 0; plan && i < plan->count; i++) {
        if (plan->layer[i]->identity == identity) {
            plan->layer[i]->refs++;
            return plan->layer[i];
        }
    }
    return NULL;
}

bool route_plan_knows_file(const struct route_plan *plan, const struct sl_config *config,
                           const struct slots *slots, const char *file)
{
    uint64_t identity = file_layer_identity(file, hash_links(config, slots));

    for (unsigned i = 0; i < plan->count; i++)
        if (plan->layer[i]->identity == identity)
            return true;
    return false;
}

static int layer_compile(const struct sl_config *config, const struct slots *slots, unsigned i,
                         uint64_t identity, struct route_layer **out, struct sl_error *error)
{
    static const enum route_source source[] = {ROUTE_SOURCE_OWN, ROUTE_SOURCE_CONFIG, ROUTE_SOURCE_FILE};
    struct route_layer *layer = route_layer_new(source[i < 2 ? i : 2], identity);

    if (!layer)
        return sl_error_set(error, -ENOMEM, "out of memory");
    int rc = i == 0   ? route_layer_own(config, slots, layer, error)
             : i == 1 ? route_layer_config(config, slots, layer, error)
                      : route_layer_file(config, slots, config->route_files[i - 2], layer, error);
    if (rc) {
        route_layer_put(layer);
        return rc;
    }
    *out = layer;
    return 0;
}

int route_plan_compile(const struct sl_config *config, const struct slots *slots,
                       const struct route_plan *before, struct route_plan *plan, struct sl_error *error)
{
    unsigned layers = 2 + config->route_files_count;
    uint64_t links = hash_links(config, slots);
    int rc = 0;

    *plan = (struct route_plan){.layer = calloc(layers, sizeof(struct route_layer *))};
    if (!plan->layer)
        return sl_error_set(error, -ENOMEM, "out of memory");
    for (unsigned i = 0; rc == 0 && i < layers; i++) {
        uint64_t identity = layer_identity(config, i, links);
        struct route_layer *layer = plan_share(before, identity);
        if (!layer)
            rc = layer_compile(config, slots, i, identity, &layer, error);
        if (rc == 0)
            plan->layer[plan->count++] = layer;
    }
    if (rc)
        route_plan_fini(plan);
    return rc;
}
