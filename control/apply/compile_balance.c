// SPDX-License-Identifier: Apache-2.0
// Services and pools to what the balance table's builder takes. See compile_balance.h.
#include "apply/compile_balance.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include "config/text.h"

bool config_has_balance(const struct sl_config *config)
{
    return config->pools_count > 0 || config->services_count > 0;
}

void compiled_balance_fini(struct compiled_balance *compiled)
{
    free(compiled->service);
    free(compiled->pool);
    free(compiled->member);
    free(compiled->listen);
    free(compiled->source);
    memset(compiled, 0, sizeof(*compiled));
}

static int allocate(const struct sl_config *config, struct compiled_balance *compiled)
{
    size_t members = 0, listens = 0, sources = 0;

    for (unsigned i = 0; i < config->pools_count; i++) {
        members += config->pools[i].members_count;
        sources += config->pools[i].sources_count;
    }
    for (unsigned i = 0; i < config->services_count; i++)
        listens += config->services[i].addresses_count;
    compiled->service = calloc((size_t)config->services_count + 1, sizeof(*compiled->service));
    compiled->pool = calloc((size_t)config->pools_count + 1, sizeof(*compiled->pool));
    compiled->member = calloc(members + 1, sizeof(*compiled->member));
    compiled->listen = calloc(listens + 1, sizeof(*compiled->listen));
    compiled->source = calloc(sources + 1, sizeof(*compiled->source));
    compiled->input = (struct sl_balance_input){
        .service = compiled->service,
        .pool = compiled->pool,
        .member = compiled->member,
        .listen = compiled->listen,
        .source = compiled->source,
        .service_count = config->services_count,
        .pool_count = config->pools_count,
        .member_count = (uint32_t)members,
        .listen_count = (uint32_t)listens,
        .source_count = (uint32_t)sources,
        .hash_seed = config->balance_seed,
    };
    bool whole =
        compiled->service && compiled->pool && compiled->member && compiled->listen && compiled->source;
    return whole ? 0 : -ENOMEM;
}

// ---- services ---------------------------------------------------------------------------------------------------

struct pool_name {
    const char *name;
    uint32_t pool;
};

static int name_compare(const void *a, const void *b)
{
    return strcmp(((const struct pool_name *)a)->name, ((const struct pool_name *)b)->name);
}

static int service_fill(const struct sl_config_service *from, const struct balance_slots *slots,
                        const struct pool_name *names, unsigned pools, struct sl_balance_service *service,
                        struct sl_error *error)
{
    const struct pool_name key = {.name = from->pool},
                           *pool = pools ? bsearch(&key, names, pools, sizeof(key), name_compare) : NULL;

    if (!pool)
        return sl_error_set(error, -EINVAL, "service %s: there is no pool '%s'", from->name, from->pool);
    *service = (struct sl_balance_service){
        .slot = balance_slots_service(slots, from->name),
        .pool = pool->pool,
        .flags = (from->when_flooded ? SL_BALANCE_FLOOD_STATELESS : 0u) |
                 (from->when_full ? SL_BALANCE_FULL_STATELESS : 0u),
        .flow_rate = from->flow_rate,
        .source_rate = from->source_rate,
        .affinity_s = from->affinity,
        .affinity_len_v4 = from->affinity_len_v4,
        .affinity_len_v6 = from->affinity_len_v6,
        .timeout_new_s = from->timeout_new,
        .timeout_established_s = from->timeout_established,
        .timeout_closing_s = from->timeout_closing,
    };
    snprintf(service->name, sizeof(service->name), "%s", from->name);
    return 0;
}

static int fill_listens(const struct sl_config_service *from, uint32_t index,
                        struct sl_balance_listen *listen, struct sl_error *error)
{
    struct sl_ports ports = {0, 65535};

    if (from->ports && sl_ports_parse(from->ports, &ports))
        return sl_error_set(error, -EINVAL, "service %s: '%s' are no ports", from->name, from->ports);
    for (unsigned k = 0; k < from->addresses_count; k++) {
        listen[k] = (struct sl_balance_listen){.proto = (uint8_t)from->protocol,
                                               .first_port = ports.first,
                                               .last_port = ports.last,
                                               .service = index};
        if (sl_ip_parse(from->addresses[k], &listen[k].ip))
            return sl_error_set(error, -EINVAL, "service %s: '%s' is not an address", from->name,
                                from->addresses[k]);
    }
    return 0;
}

static int fill_services(const struct sl_config *config, const struct balance_slots *slots,
                         struct compiled_balance *compiled, struct sl_error *error)
{
    struct pool_name *names = calloc((size_t)config->pools_count + 1, sizeof(*names));
    struct sl_balance_listen *listen = compiled->listen;
    int rc = names ? 0 : sl_error_set(error, -ENOMEM, "out of memory");

    for (unsigned i = 0; rc == 0 && i < config->pools_count; i++)
        names[i] = (struct pool_name){config->pools[i].name, i};
    if (rc == 0)
        qsort(names, config->pools_count, sizeof(*names), name_compare);
    for (unsigned i = 0; rc == 0 && i < config->services_count; i++) {
        rc = service_fill(&config->services[i], slots, names, config->pools_count, &compiled->service[i],
                          error);
        if (rc == 0)
            rc = fill_listens(&config->services[i], i, listen, error);
        listen += config->services[i].addresses_count;
    }
    free(names);
    return rc;
}

// ---- pools ------------------------------------------------------------------------------------------------------

static int fill_sources(const struct sl_config_server_pool *from, uint32_t first, struct sl_ip *source,
                        struct sl_error *error)
{
    for (unsigned i = 0; i < from->sources_count; i++)
        if (sl_ip_parse(from->sources[i], &source[first + i]))
            return sl_error_set(error, -EINVAL, "pool %s: '%s' is not an address", from->name,
                                from->sources[i]);
    return 0;
}

static void pool_fill(const struct sl_config_server_pool *from, uint32_t first, uint32_t source_first,
                      struct sl_balance_pool *pool)
{
    *pool = (struct sl_balance_pool){
        .first = first,
        .count = from->members_count,
        .method = (uint8_t)from->balance,
        .way = (uint8_t)from->way,
        .on_down = (uint8_t)from->on_down,
        .flags = from->client_address ? SL_BALANCE_TOA : 0,
        .maglev_size = from->maglev_size,
        .source_first = source_first,
        .source_count = from->sources_count,
        .tunnel_port = from->tunnel_port,
        .tunnel_mtu = from->tunnel_mtu,
    };
    snprintf(pool->name, sizeof(pool->name), "%s", from->name);
}

static void member_fill(const struct sl_config_server_pool *pool, const struct sl_config_member *from,
                        uint32_t index, const struct balance_slots *slots, struct sl_balance_member *member)
{
    struct balance_member_key key = balance_member_key(pool, from);

    *member = (struct sl_balance_member){
        .ip = key.ip,
        .port = from->port,
        .weight = (uint16_t)(from->weight * BALANCE_SCALE),
        .slot = balance_slots_member(slots, &key),
        .pool = index,
        .flow_limit = from->limit,
        .flags = from->backup ? SL_BALANCE_BACKUP : 0,
    };
}

int compile_balance(const struct sl_config *config, const struct balance_slots *slots,
                    struct compiled_balance *compiled, struct sl_error *error)
{
    uint32_t first = 0, source_first = 0;

    memset(compiled, 0, sizeof(*compiled));
    int rc = allocate(config, compiled);
    if (rc)
        sl_error_set(error, rc, "out of memory");
    for (unsigned i = 0; rc == 0 && i < config->pools_count; i++) {
        const struct sl_config_server_pool *pool = &config->pools[i];
        pool_fill(pool, first, source_first, &compiled->pool[i]);
        rc = fill_sources(pool, source_first, compiled->source, error);
        source_first += pool->sources_count;
        for (unsigned k = 0; k < pool->members_count; k++)
            member_fill(pool, &pool->members[k], i, slots, &compiled->member[first + k]);
        first += pool->members_count;
    }
    if (rc == 0)
        rc = fill_services(config, slots, compiled, error);
    if (rc)
        compiled_balance_fini(compiled);
    return rc;
}

uint64_t compiled_balance_hash(const struct compiled_balance *compiled)
{
    const struct sl_balance_input *input = &compiled->input;
    uint64_t hash = input->hash_seed + 1; // not 0, which no table has

    hash = XXH3_64bits_withSeed(input->service, input->service_count * sizeof(*input->service), hash);
    hash = XXH3_64bits_withSeed(input->pool, input->pool_count * sizeof(*input->pool), hash);
    hash = XXH3_64bits_withSeed(input->member, input->member_count * sizeof(*input->member), hash);
    hash = XXH3_64bits_withSeed(input->source, input->source_count * sizeof(*input->source), hash);
    return XXH3_64bits_withSeed(input->listen, input->listen_count * sizeof(*input->listen), hash);
}
