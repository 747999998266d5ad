// SPDX-License-Identifier: Apache-2.0
// Life of the harness: EAL, workers without ports, running and collecting. Test thread.
#include "harness.h"
#include <rte_eal.h>
#include <rte_malloc.h>
#include "port/map.h"
#include "shm/segment.h"
#include "worker/loop.h"

#define POOL_MBUFS   8191
#define RING_SIZE    1024
#define SETTLE_LIMIT 100 // rounds of handing over before a test is called endless

struct rte_mempool *harness_pool(void)
{
    return rte_mempool_lookup(HARNESS_POOL);
}

int harness_start(void **state)
{
    const char *argv[] = {"harness", "--no-huge", "--no-pci",       "--no-shconf", "-m",      "256",
                          "-l",      "0",         "--no-telemetry", "--log-level", "*:error", NULL};
    if (rte_eal_init((int)RTE_DIM(argv) - 1, (char **)argv) < 0 || handover_init() != 0)
        return -1;
    return rte_pktmbuf_pool_create(HARNESS_POOL, POOL_MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0) ? 0 : -1;
}

int harness_stop(void **state)
{
    rte_mempool_free(harness_pool());
    return rte_eal_cleanup();
}

static struct rte_ring *ring_new(const char *kind, uint32_t from, uint32_t to)
{
    char name[32];
    snprintf(name, sizeof(name), "%s.%u.%u", kind, from, to);
    struct rte_ring *ring = rte_ring_create(name, RING_SIZE, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
    assert_non_null(ring);
    return ring;
}

static void rings_connect(struct harness *h)
{
    for (uint32_t from = 0; from < h->worker_count; from++) {
        h->worker[from]->to_house = ring_new("to_house", from, 0);
        h->worker[from]->from_house = ring_new("from_house", 0, from);
        h->worker[from]->steer_out[HARNESS_CAPTURE] = h->captured;
        for (uint32_t to = 0; to < h->worker_count; to++)
            if (to != from)
                h->worker[to]->steer_in[from] = h->worker[from]->steer_out[to] = ring_new("steer", from, to);
    }
}

static struct worker *worker_new(struct harness *h, uint32_t index)
{
    struct worker *worker = rte_zmalloc(NULL, sizeof(*worker), RTE_CACHE_LINE_SIZE);
    assert_non_null(worker);
    worker->index = index;
    worker->count = h->worker_count;
    worker->now_ms = h->house.now_ms;
    worker->pool = harness_pool();
    worker->counters = &h->counters->block[index];
    worker->board = &h->board->worker[index];
    worker->metered = true; // the metered path is the plain path and two clock readings
    sl_hash_seed_init(&worker->hash_seed, 1, 2);
    return worker;
}

struct harness *harness_new(uint32_t workers)
{
    assert_in_range(workers, 1, HARNESS_WORKERS);
    struct harness *h = rte_zmalloc(NULL, sizeof(*h), RTE_CACHE_LINE_SIZE);
    assert_non_null(h);
    h->worker_count = workers;
    h->mbufs_before = rte_mempool_avail_count(harness_pool());
    h->counters = rte_zmalloc(NULL, sizeof(*h->counters), RTE_CACHE_LINE_SIZE);
    h->board = rte_zmalloc(NULL, sizeof(*h->board), RTE_CACHE_LINE_SIZE);
    assert_true(h->counters && h->board);
    h->captured = ring_new("captured", 0, 0);
    h->house = (struct house){
        .board = h->board,
        .counters = &h->counters->block[SL_MAX_WORKERS],
        .pool = harness_pool(),
        .worker_count = workers,
        .now_ms = UINT32_MAX - 5000, // five seconds before it wraps: comparisons must stand it
    };
    for (uint32_t port = 0; port < SL_MAX_PORTS; port++)
        h->house.twin[port] = -1;
    for (uint32_t i = 0; i < workers; i++)
        h->house.worker[i] = h->worker[i] = worker_new(h, i);
    rings_connect(h);
    harness_tables_init(h);
    harness_state_init(h);
    return h;
}

static void ring_free(struct rte_ring *ring)
{
    struct rte_mbuf *m;
    while (rte_ring_dequeue(ring, (void **)&m) == 0)
        rte_pktmbuf_free(m);
    rte_ring_free(ring);
}

static void worker_free(struct harness *h, struct worker *worker)
{
    ring_free(worker->to_house);
    ring_free(worker->from_house);
    for (uint32_t other = 0; other < h->worker_count; other++)
        if (other != worker->index)
            ring_free(worker->steer_in[other]);
    rte_free(worker);
}

void harness_free(struct harness *h)
{
    unsigned before = h->mbufs_before;
    harness_state_fini(h);
    for (uint32_t i = 0; i < h->worker_count; i++)
        worker_free(h, h->worker[i]);
    ring_free(h->captured);
    rte_free(h->lpm);
    rte_free(h->counters);
    rte_free(h->board);
    rte_free(h);
    assert_int_equal(rte_mempool_avail_count(harness_pool()), before);
}

void harness_advance_ms(struct harness *h, uint32_t ms)
{
    h->house.now_ms += ms;
    for (uint32_t i = 0; i < h->worker_count; i++)
        h->worker[i]->now_ms = h->house.now_ms;
}

void harness_send_to(struct harness *h, uint32_t worker, uint16_t port, struct rte_mbuf **frames,
                     uint16_t count)
{
    pipeline_run(h->worker[worker], port, frames, count);
    worker_flush(h->worker[worker]);
}

void harness_send(struct harness *h, uint16_t port, struct rte_mbuf *frame)
{
    harness_send_to(h, 0, port, &frame, 1);
}

static uint32_t house_drain(struct harness *h)
{
    uint32_t handled = 0;
    for (uint32_t i = 0; i < h->worker_count; i++)
        for (struct rte_mbuf *m; (m = harness_handed(h, i)) != NULL; handled++)
            house_handle(&h->house, m);
    return handled;
}

void harness_settle(struct harness *h)
{
    for (int round = 0; round < SETTLE_LIMIT; round++) {
        uint32_t handled = house_drain(h);
        for (uint32_t i = 0; i < h->worker_count; i++) {
            handled += worker_rings(h->worker[i]);
            worker_flush(h->worker[i]);
        }
        if (handled == 0)
            return;
    }
    fail_msg("packets go in circles between the threads");
}

struct rte_mbuf *harness_handed(struct harness *h, uint32_t worker)
{
    struct rte_mbuf *m = NULL;
    return rte_ring_dequeue(h->worker[worker]->to_house, (void **)&m) == 0 ? m : NULL;
}

// Frames of other ports go round to the ring's end, so they keep their order.
struct rte_mbuf *harness_sent(struct harness *h, uint16_t port)
{
    struct rte_mbuf *found = NULL;
    for (unsigned left = rte_ring_count(h->captured); left > 0; left--) {
        struct rte_mbuf *m = NULL;
        assert_int_equal(rte_ring_dequeue(h->captured, (void **)&m), 0);
        if (found == NULL && handover_of(m)->port_out == port)
            found = m;
        else
            assert_int_equal(rte_ring_enqueue(h->captured, m), 0);
    }
    return found;
}

uint64_t harness_dropped(const struct harness *h, enum sl_drop reason)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i <= SL_MAX_WORKERS; i++)
        sum += h->counters->block[i].drop[reason];
    return sum;
}

uint64_t harness_counted(const struct harness *h, enum sl_counter counter)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i <= SL_MAX_WORKERS; i++)
        sum += h->counters->block[i].counter[counter];
    return sum;
}

static const char *drop_name(enum sl_drop reason)
{
    static const char *const name[] = {
#define SL_DROP(name, text) #name,
#include "shm/drop.def"
#undef SL_DROP
    };
    return name[reason];
}

void harness_expect_drops(struct harness *h, enum sl_drop reason, uint64_t count)
{
    for (unsigned r = 0; r < SL_DROP_KINDS; r++) {
        uint64_t now = harness_dropped(h, r);
        uint64_t wanted = h->drops_seen[r] + (r == reason ? count : 0);
        h->drops_seen[r] = now;
        if (now != wanted)
            fail_msg("%s: %llu more drops than the test expects", drop_name(r), (long long)(now - wanted));
    }
    if (count > 0)
        printf("drop-covered: %s\n", drop_name(reason));
}
