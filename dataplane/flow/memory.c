// SPDX-License-Identifier: Apache-2.0
// Arrays in huge pages. The explicit kind is not asked for: those pages are reserved by count and DPDK takes its
// own; transparent ones do as well and need no setting up. Called when tables are opened, on the main thread.
#include "flow/memory.h"

#include <stdint.h>
#include <sys/mman.h>

#define HUGE_PAGE (2ul << 20)

// Cuts a mapping down to `size` bytes that start on a huge page.
static void *mapping_align(uint8_t *base, size_t mapped, size_t size)
{
    uint8_t *start = (uint8_t *)(((uintptr_t)base + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1));
    size_t before = (size_t)(start - base), behind = mapped - size - before;

    if (before > 0)
        munmap(base, before);
    if (behind > 0)
        munmap(start + size, behind);
    return start;
}

static size_t page_round(size_t size_bytes)
{
    size_t unit = size_bytes >= HUGE_PAGE ? HUGE_PAGE : 4096;

    return (size_bytes + unit - 1) & ~(unit - 1);
}

void *flow_memory_new(size_t size_bytes)
{
    size_t size = page_round(size_bytes), spare = size >= HUGE_PAGE ? HUGE_PAGE : 0;
    void *base = mmap(NULL, size + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (base == MAP_FAILED)
        return NULL;
    if (spare > 0) {
        base = mapping_align(base, size + spare, size);
        madvise(base, size, MADV_HUGEPAGE);
    }
    for (size_t at = 0; at < size;
         at += 4096) // MADV_POPULATE_WRITE is younger than some kernels this runs on
        ((volatile uint8_t *)base)[at] = 0;
    return base;
}

void flow_memory_free(void *memory, size_t size_bytes)
{
    if (memory != NULL)
        munmap(memory, page_round(size_bytes));
}
