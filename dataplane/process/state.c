// SPDX-License-Identifier: Apache-2.0
// The memory of a data plane: packet pool, workers, rings, session tables, neighbors. Made once, when the first
// generation says how large. Main thread.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include "balance/balance.h"
#include "endpoint/endpoint.h"
#include "flow/flow.h"
#include "housekeeping/generation.h"
#include "nat/nat.h"
#include "neighbor/neighbor.h"
#include "port/ports.h"
#include "process/dataplane.h"
#include "process/pool.h"
#include "route/fragment.h"

#define HOUSE_RING     1024 // packets, to and from housekeeping
#define STEER_RING     4096 // packets, from worker to worker: a burst of a port whose queue another owns
#define MBUF_OVERHEAD   256   // bytes of headers and the like, for the budget
#define MBUFS_BASE      32768 // on their way
#define MBUFS_PER_QUEUE 8192  // in the descriptors of a device's queue, both ways, and in its driver
#define MBUFS_MIN       8192
#define FLOWS_MIN       1024 // of a worker
#define FRAGMENTS       1024 // datagrams in reassembly, of a worker
#define HELD_SHARE      4    // at most one in so many buffers is a fragment that waits for others

static int no_memory(struct sl_error *error, const char *what)
{
    return sl_error_set(error, -ENOMEM, "no memory for %s; raise --memory", what);
}

static uint16_t largest_mtu(const struct tables *tables)
{
    uint16_t mtu = 0;
    for (uint32_t slot = 0; slot < tables->port_count; slot++)
        mtu = RTE_MAX(mtu, tables->port[slot].mtu);
    return mtu;
}

// As many buffers as the queues and the fragment tables can hold and some to work with, within half of the memory.
static uint32_t mbufs_wanted(const struct dataplane *dp, const struct tables *tables, uint16_t room)
{
    uint64_t most = (uint64_t)dp->options.eal.memory_mb * 1024 * 1024 / 2 / (room + MBUF_OVERHEAD);
    uint64_t wanted = MBUFS_BASE + (uint64_t)FRAGMENTS * PIECES_PER_DATAGRAM * dp->placement.workers;
    for (uint32_t slot = 0; slot < tables->port_count; slot++) {
        uint16_t queues = tables->port[slot].queues;
        wanted += (uint64_t)MBUFS_PER_QUEUE * (queues ? queues : dp->placement.workers);
    }
    wanted = wanted < most ? wanted : most;
    return (uint32_t)(wanted > MBUFS_MIN ? wanted : MBUFS_MIN);
}

static int pool_make(struct dataplane *dp, const struct tables *tables, struct sl_error *error)
{
    uint16_t room = pool_room_for(largest_mtu(tables));
    dp->house.pool = pool_new(mbufs_wanted(dp, tables, room), room, error);
    return dp->house.pool ? 0 : -ENOMEM;
}

// Whoever sends fragments of which the rest never comes must not be able to take the pool.
static uint32_t fragments_wanted(const struct dataplane *dp)
{
    uint32_t share = dp->house.pool->size / HELD_SHARE / PIECES_PER_DATAGRAM / dp->placement.workers;
    return RTE_MAX(RTE_MIN(share, (uint32_t)FRAGMENTS), 1u);
}

static struct rte_ring *ring_make(const char *kind, uint32_t from, uint32_t to, uint32_t packets)
{
    char name[RTE_RING_NAMESIZE];
    snprintf(name, sizeof(name), "%s.%u.%u", kind, from, to);
    return rte_ring_create(name, packets, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

static int rings_make(struct dataplane *dp, struct sl_error *error)
{
    struct worker **worker = dp->house.worker;
    bool whole = true;
    for (uint32_t from = 0; from < dp->placement.workers; from++) {
        worker[from]->to_house = ring_make("to_house", from, 0, HOUSE_RING);
        worker[from]->from_house = ring_make("from_house", 0, from, HOUSE_RING);
        whole &= worker[from]->to_house && worker[from]->from_house;
        for (uint32_t to = 0; to < dp->placement.workers; to++)
            if (to != from) {
                worker[to]->steer_in[from] = worker[from]->steer_out[to] =
                    ring_make("steer", from, to, STEER_RING);
                whole &= worker[to]->steer_in[from] != NULL;
            }
    }
    return whole ? 0 : no_memory(error, "the rings between the threads");
}

static int worker_make(struct dataplane *dp, uint32_t index, struct sl_error *error)
{
    struct worker *worker = rte_zmalloc("worker", sizeof(*worker), RTE_CACHE_LINE_SIZE);
    if (!worker)
        return no_memory(error, "a worker");
    dp->house.worker[index] = worker;
    dp->thread[index] = (struct worker_thread){.worker = worker, .sleep_idle_us = dp->options.sleep_idle_us};
    worker->index = index;
    worker->count = dp->placement.workers;
    worker->pool = dp->house.pool;
    worker->neighbors = dp->house.neighbors;
    worker->hash_seed = dp->hash_seed;
    worker->fast_open_key = dp->fast_open_key;
    worker->counters = &dp->counters->block[index];
    worker->board = &dp->house.board->worker[index];
    worker->board->lcore = index + 1;
    worker->board->cpu = dp->placement.cpu[index];
    worker->ports = worker->ports_next = dp->house.ports->map;
    worker->fragments = fragment_table_new(fragments_wanted(dp), &dp->hash_seed);
    return worker->fragments ? 0 : no_memory(error, "the fragment table");
}

static int workers_make(struct dataplane *dp, struct sl_error *error)
{
    for (uint32_t i = 0; i < dp->placement.workers; i++) {
        int rc = worker_make(dp, i, error);
        if (rc != 0)
            return rc;
    }
    return rings_make(dp, error);
}

static int flows_open(struct dataplane *dp, const struct sl_settings *settings, struct sl_error *error)
{
    const uint32_t count = dp->placement.workers;
    uint64_t capacity = settings->flow_capacity / count;
    capacity = capacity > FLOWS_MIN ? capacity : FLOWS_MIN;
    for (uint32_t i = 0; i < count; i++) {
        dp->flows[i] =
            flow_table_open(dp->options.run_dir, i, count, (uint32_t)capacity, &dp->hash_seed, error);
        if (!dp->flows[i])
            return -ENOMEM;
        dp->house.worker[i]->flows = dp->flows[i];
    }
    int64_t moved = flow_rehome(dp->options.run_dir, dp->flows, count, error);
    return moved < 0 ? (int)moved : 0;
}

static void tables_closing(void *share, struct tables *tables)
{
    if (tables->nat_binding)
        nat_share_unbind(share, tables);
    balance_share_unbind(tables);
}

static int nats_make(struct dataplane *dp, struct sl_error *error)
{
    dp->house.nat_share = nat_share_new();
    if (!dp->house.nat_share)
        return no_memory(error, "NAT");
    generations_on_close(dp->house.generations, tables_closing, dp->house.nat_share);
    for (uint32_t i = 0; i < dp->placement.workers; i++) {
        struct worker *worker = dp->house.worker[i];
        worker->nat = nat_new(dp->house.nat_share, worker->flows, i, worker->count, &dp->hash_seed, error);
        if (!worker->nat)
            return -ENOMEM;
    }
    return 0;
}

static int balances_make(struct dataplane *dp, struct sl_error *error)
{
    dp->house.balance_share = balance_share_new(dp->options.run_dir, dp->placement.workers);
    if (!dp->house.balance_share)
        return no_memory(error, "balancing");
    for (uint32_t i = 0; i < dp->placement.workers; i++) {
        struct worker *worker = dp->house.worker[i];
        worker->balance = balance_new(dp->house.balance_share, worker->flows, i, error);
        if (!worker->balance)
            return -ENOMEM;
    }
    return 0;
}

static int endpoints_make(struct dataplane *dp, const struct sl_settings *settings, struct sl_error *error)
{
    for (uint32_t i = 0; i < dp->placement.workers; i++) {
        struct worker *worker = dp->house.worker[i];
        worker->endpoint = endpoint_new(worker, settings, dp->options.run_dir, error);
        if (!worker->endpoint)
            return -ENOMEM;
    }
    endpoint_meet(dp->house.worker, dp->placement.workers);
    return 0;
}

static int seed_draw(struct dataplane *dp, struct sl_error *error)
{
    uint64_t entropy[2];
    if (getrandom(entropy, sizeof(entropy), 0) != (ssize_t)sizeof(entropy) ||
        getrandom(dp->fast_open_key, sizeof(dp->fast_open_key), 0) != (ssize_t)sizeof(dp->fast_open_key))
        return sl_error_set(error, -EIO, "the kernel gives no random numbers: %s", strerror(errno));
    sl_hash_seed_init(&dp->hash_seed, entropy[0], entropy[1]);
    return 0;
}

static int ports_make(struct dataplane *dp, struct sl_error *error)
{
    struct device_context context = {
        .pool = dp->house.pool,
        .worker_count = dp->placement.workers,
        .xdp_prog = strcmp(dp->options.xdp_prog, "none") == 0 ? NULL : dp->options.xdp_prog,
    };
    dp->house.ports = ports_new(&context, dp->house.worker);
    return dp->house.ports ? 0 : no_memory(error, "the ports");
}

static int neighbors_open(struct dataplane *dp, const struct sl_settings *settings, struct sl_error *error)
{
    dp->house.neighbors = neighbor_table_open(dp->options.run_dir, settings->neighbor_capacity);
    if (dp->house.neighbors)
        return 0;
    return sl_error_set(error, -errno, "%s/neighbor cannot be opened: %s", dp->options.run_dir,
                        strerror(errno));
}

int state_make(struct dataplane *dp, const struct tables *tables, struct sl_error *error)
{
    int rc = seed_draw(dp, error);
    dp->house.worker_count = dp->placement.workers;
    if (rc == 0)
        rc = pool_make(dp, tables, error);
    if (rc == 0)
        rc = ports_make(dp, error);
    if (rc == 0)
        rc = neighbors_open(dp, tables->settings, error);
    if (rc == 0)
        rc = workers_make(dp, error);
    if (rc == 0)
        rc = flows_open(dp, tables->settings, error);
    if (rc == 0)
        rc = nats_make(dp, error);
    if (rc == 0)
        rc = balances_make(dp, error);
    if (rc == 0)
        rc = endpoints_make(dp, tables->settings, error);
    return rc;
}

static void worker_free(struct dataplane *dp, uint32_t index)
{
    struct worker *worker = dp->house.worker[index];
    if (!worker)
        return;
    if (worker->nat)
        nat_free(worker->nat);
    balance_free(worker->balance);
    endpoint_free(worker->endpoint);
    if (worker->flows)
        flow_table_close(worker->flows);
    if (worker->fragments)
        fragment_table_free(worker->fragments);
}

// Rings, workers and packets are in memory that goes with the process.
void state_free(struct dataplane *dp)
{
    for (uint32_t i = 0; i < dp->placement.workers; i++)
        worker_free(dp, i);
    ports_free(dp->house.ports);
    if (dp->house.neighbors)
        neighbor_table_close(dp->house.neighbors);
    if (dp->house.nat_share)
        nat_share_free(dp->house.nat_share);
    balance_share_free(dp->house.balance_share);
}
