// SPDX-License-Identifier: Apache-2.0
// What the workers' balancing shares: the counters' files, and each generation's binding. By housekeeping, but for the
// starting and ending on the main thread.
#include "balance/balance.h"

#include <errno.h>
#include <stdlib.h>
#include "balance/affinity.h"
#include "balance/flow.h"
#include "balance/limit.h"

struct balance_share {
    const char *run_dir;
    uint32_t worker_count;
    bool adopted;
    struct sl_balance_counters counters;
    struct balance *balance[SL_MAX_WORKERS];
    uint64_t path[BALANCE_PATHS];
};

struct balance_share *balance_share_new(const char *run_dir, uint32_t worker_count)
{
    struct balance_share *share = calloc(1, sizeof(*share));

    if (share == NULL)
        return NULL;
    share->run_dir = run_dir;
    share->worker_count = worker_count;
    return share;
}

void balance_share_free(struct balance_share *share)
{
    if (share == NULL)
        return;
    sl_balance_counters_close(&share->counters);
    free(share);
}

void balance_share_register(struct balance_share *share, uint32_t worker, struct balance *balance)
{
    share->balance[worker] = balance;
}

const struct sl_balance_counters *balance_share_counters(const struct balance_share *share)
{
    return &share->counters;
}

uint64_t *balance_share_paths(struct balance_share *share)
{
    return share->path;
}

uint32_t balance_share_workers(const struct balance_share *share)
{
    return share->worker_count;
}

// ---- a worker's ---------------------------------------------------------------------------------------------
static bool allocate(struct balance *balance)
{
    balance->rates = calloc(SL_BALANCE_SERVICES, sizeof(*balance->rates));
    balance->stateless_ms = calloc(SL_BALANCE_SERVICES, sizeof(*balance->stateless_ms));
    balance->sources = balance_sources_new();
    balance->clients = balance_clients_new();
    return balance->rates && balance->stateless_ms && balance->sources && balance->clients;
}

struct balance *balance_new(struct balance_share *share, struct flow_table *flows, uint32_t worker,
                            struct sl_error *error)
{
    struct balance *balance = calloc(1, sizeof(*balance));

    if (balance == NULL)
        return NULL;
    *balance = (struct balance){
        .share = share,
        .flows = flows,
        .counters = &share->counters,
        .paths = balance_share_paths(share),
        .worker = worker,
        .workers = share->worker_count,
        .random = flows->seed.k[worker % 6] | 1, // secret, and another for each worker
    };
    if (!allocate(balance)) {
        sl_error_set(error, -ENOMEM, "no memory for a worker's balancing");
        balance_free(balance);
        return NULL;
    }
    balance_share_register(share, worker, balance);
    return balance;
}

void balance_free(struct balance *balance)
{
    if (balance == NULL)
        return;
    balance_share_register(balance->share, balance->worker, NULL);
    free(balance->rates);
    free(balance->stateless_ms);
    free(balance->sources);
    free(balance->clients);
    free(balance);
}

void balance_blocks_take(struct balance *balance)
{
    const struct sl_balance_counters *counters = balance->counters;

    for (uint32_t chunk = 0; chunk < SL_BALANCE_CHUNKS && counters->chunk[chunk] != NULL; chunk++)
        balance->block[chunk] = &counters->chunk[chunk]->block[balance->worker];
}

// ---- generations --------------------------------------------------------------------------------------------
// Flows of an earlier process count again; those that no service or member is left for go.
static void flows_adopt(struct balance *balance, const struct tables *tables)
{
    struct flow_table *flows = balance->flows;

    balance_blocks_take(balance);
    for (uint32_t i = 0; i < flows->capacity && flows->adopted > 0; i++) {
        struct sl_flow *flow = &flows->entry[i];
        if (flow->kind != SL_FLOW_BALANCE)
            continue;
        if (tables->balance != NULL && balance_flow_matches(tables->balance, flow)) {
            if (!(flow->flags & SL_FLOW_CUT))
                balance_flow_counted(balance, flow->mapping);
            continue;
        }
        flow_remove(flows, i);
        flows->adopted--;
    }
}

int balance_share_bind(struct balance_share *share, struct tables *tables, uint64_t now_ns,
                       struct sl_error *error)
{
    uint32_t chunks = sl_balance_chunks(tables->balance);

    tables->balance_binding = NULL;
    if (tables->balance != NULL) {
        int code = sl_balance_counters_create(share->run_dir, chunks, share->worker_count, now_ns,
                                              &share->counters, error);
        if (code != 0)
            return code;
        tables->balance_binding = balance_binding_new(tables->balance, share->worker_count);
        if (tables->balance_binding == NULL)
            return sl_error_set(error, -ENOMEM, "no memory for the services of this generation");
    }
    for (uint32_t worker = 0; worker < share->worker_count && !share->adopted; worker++)
        if (share->balance[worker])
            flows_adopt(share->balance[worker], tables);
    share->adopted = true;
    return 0;
}

void balance_share_unbind(struct tables *tables)
{
    balance_binding_free((struct balance_binding *)tables->balance_binding); // const only for the workers
    tables->balance_binding = NULL;
}
