// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "tcp/engine.h"

// The first word of a free element names the next free one. Elements never used are taken in order, so memory that
// nobody needed is never touched and the kernel never gives it.
int tcp_pool_init(struct tcp_pool *pool, uint32_t size, uint32_t n)
{
    void *base = mmap(NULL, (size_t)size * n, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (base == MAP_FAILED)
        return -ENOMEM;
    *pool = (struct tcp_pool){.base = base, .size = size, .n = n, .free = TCP_NONE};
    return 0;
}

void tcp_pool_fini(struct tcp_pool *pool)
{
    if (pool->base)
        munmap(pool->base, (size_t)pool->size * pool->n);
    *pool = (struct tcp_pool){.free = TCP_NONE};
}

uint32_t tcp_pool_get(struct tcp_pool *pool)
{
    uint32_t index = pool->free;

    if (index != TCP_NONE) {
        memcpy(&pool->free, pool->base + (size_t)index * pool->size, sizeof(pool->free));
    } else {
        if (pool->fresh == pool->n)
            return TCP_NONE;
        index = pool->fresh++;
    }
    pool->used++;
    return index;
}

void tcp_pool_put(struct tcp_pool *pool, uint32_t index)
{
    memcpy(pool->base + (size_t)index * pool->size, &pool->free, sizeof(pool->free));
    pool->free = index;
    pool->used--;
}
