// SPDX-License-Identifier: Apache-2.0
// The pool of packet buffers. Called once, on the main thread.
//
// The af_xdp driver registers the pool's memory with the kernel as (number of buffers) x (size of a buffer) from the
// pool's first byte on. A pool as rte_pktmbuf_pool_create() makes it has gaps, because buffers do not cross pages
// there (without huge pages: one buffer to a page), so its end lies outside: the kernel takes such buffers for invalid
// and keeps them, until the port is deaf. Hence a pool whose buffers may cross pages. That is right where devices use
// virtual addresses (--iova-mode=va, which eal.c asks for).
#include "process/pool.h"
#include <errno.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>

#define CACHE      256  // buffers a thread keeps for itself
#define LINK_BYTES 32   // Ethernet header, VLAN tags, check sequence: what drivers count on top of the MTU
#define ROOM_STEP  1024 // some devices know the room only in steps of this, rounded down

struct extent {
    uintptr_t first, last;
};

static void extent_grow(struct rte_mempool *pool, void *opaque, void *object, unsigned index)
{
    struct extent *extent = opaque;
    uintptr_t at = (uintptr_t)object;
    extent->first = at < extent->first ? at : extent->first;
    extent->last = at > extent->last ? at : extent->last;
}

static bool pool_has_gaps(struct rte_mempool *pool)
{
    struct extent extent = {.first = UINTPTR_MAX};
    uint32_t size = rte_mempool_calc_obj_size(pool->elt_size, pool->flags, NULL);
    rte_mempool_obj_iter(pool, extent_grow, &extent);
    return pool->nb_mem_chunks != 1 || extent.last - extent.first != (uint64_t)(pool->size - 1) * size;
}

uint16_t pool_room_for(uint16_t mtu)
{
    uint32_t frame = RTE_ALIGN_CEIL((uint32_t)mtu + LINK_BYTES, ROOM_STEP);
    return (uint16_t)RTE_MAX(RTE_PKTMBUF_HEADROOM + frame, (uint32_t)RTE_MBUF_DEFAULT_BUF_SIZE);
}

static int pool_fill(struct rte_mempool *pool, uint16_t room)
{
    struct rte_pktmbuf_pool_private private = {.mbuf_data_room_size = room};
    int rc = rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), NULL);
    if (rc != 0)
        return rc;
    rte_pktmbuf_pool_init(pool, &private);
    rc = rte_mempool_populate_default(pool);
    if (rc < 0)
        return rc;
    rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
    return 0;
}

struct rte_mempool *pool_new(uint32_t count, uint16_t room, struct sl_error *error)
{
    unsigned flags = rte_eal_iova_mode() == RTE_IOVA_VA ? RTE_MEMPOOL_F_NO_IOVA_CONTIG : 0;
    struct rte_mempool *pool =
        rte_mempool_create_empty("packets", count, sizeof(struct rte_mbuf) + room, CACHE,
                                 sizeof(struct rte_pktmbuf_pool_private), SOCKET_ID_ANY, flags);
    if (!pool || pool_fill(pool, room) != 0) {
        rte_mempool_free(pool);
        sl_error_set(error, -ENOMEM, "no memory for %u packet buffers; raise --memory", count);
        return NULL;
    }
    if (flags && pool_has_gaps(pool)) {
        rte_mempool_free(pool);
        sl_error_set(error, -ENOMEM,
                     "the packet buffers came in pieces of memory; raise --memory, or use --huge off");
        return NULL;
    }
    return pool;
}
