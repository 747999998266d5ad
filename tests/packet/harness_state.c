// SPDX-License-Identifier: Apache-2.0
// What a data plane remembers between packets, made for the harness: the neighbor table, fragments, flows.
// Test thread, which plays worker and housekeeping alike.
#include "harness.h"
#include <rte_malloc.h>
#include "neighbor/neighbor.h"
#include "route/fragment.h"
#include "shm/segment.h"

static void neighbors_new(struct harness *h)
{
    const uint32_t limit = h->port_table.settings.neighbor_capacity;
    uint64_t size = neighbor_segment_size(limit);
    h->neighbor_segment = rte_zmalloc(NULL, size, RTE_CACHE_LINE_SIZE);
    h->house.neighbors = rte_zmalloc(NULL, sizeof(*h->house.neighbors), RTE_CACHE_LINE_SIZE);
    assert_true(h->neighbor_segment && h->house.neighbors);
    sl_segment_fill(&h->neighbor_segment->segment, SL_SEG_NEIGHBOR, size, 0);
    neighbor_segment_init(h->neighbor_segment, limit, 1);
    assert_int_equal(neighbor_table_init(h->house.neighbors, h->neighbor_segment, size, limit), 0);
}

void harness_state_init(struct harness *h)
{
    neighbors_new(h);
    for (uint32_t i = 0; i < h->worker_count; i++) {
        h->worker[i]->neighbors = h->house.neighbors;
        h->worker[i]->fragments = fragment_table_new(64, &h->worker[i]->hash_seed);
        assert_non_null(h->worker[i]->fragments);
    }
}

void harness_state_ready(struct harness *h)
{
    h->tables.static_neighbor = h->static_neighbor;
    h->port_table.neighbor_count = h->neighbor_count;
    neighbor_tables_taken(&h->house);
}

void harness_state_fini(struct harness *h)
{
    neighbor_table_fini(h->house.neighbors);
    rte_free(h->house.neighbors);
    rte_free(h->neighbor_segment);
    for (uint32_t i = 0; i < h->worker_count; i++)
        fragment_table_free(h->worker[i]->fragments);
}

void harness_neighbor(struct harness *h, uint16_t slot, const char *address)
{
    assert_true(h->neighbor_count < HARNESS_NEIGHBORS);
    struct sl_ip ip = harness_ip_of(address);
    h->static_neighbor[h->neighbor_count++] = (struct sl_static_neighbor){
        .ip = ip,
        .port = slot,
        .mac = {2, 0, 0, 0, 2, ip.b[15]},
    };
}
