// SPDX-License-Identifier: Apache-2.0
// See huge.h. Called by control's main thread and the data plane's housekeeping thread.
#include "shm/huge.h"

#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 // Linux 6.1; older headers do not know it, older kernels answer EINVAL
#endif

void *sl_huge_map(int fd, uint64_t size, int prot)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), mapped = (size + page - 1) / page * page;

    if (size < SL_HUGE_PAGE)
        return mmap(NULL, size, prot, MAP_SHARED, fd, 0);
    // Room for it with an aligned address inside; what stands over at both ends goes back.
    uint8_t *room =
        mmap(NULL, mapped + SL_HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED)
        return MAP_FAILED;
    uint64_t before = -(uintptr_t)room % SL_HUGE_PAGE, behind = SL_HUGE_PAGE - before;
    if (before > 0)
        munmap(room, before);
    if (behind > 0)
        munmap(room + before + mapped, behind);
    void *base = mmap(room + before, size, prot, MAP_SHARED | MAP_FIXED, fd, 0);
    if (base != MAP_FAILED)
        return base;
    munmap(room + before, mapped);
    return mmap(NULL, size, prot, MAP_SHARED, fd,
                0); // hugetlbfs with pages of another size has its own alignment
}

uint64_t sl_huge_collapse(void *base, uint64_t size)
{
    uint64_t done = 0;

    // One at a time: a call for all would end at the first part that was never written.
    for (uint64_t at = 0; at + SL_HUGE_PAGE <= size; at += SL_HUGE_PAGE)
        if (madvise((uint8_t *)base + at, SL_HUGE_PAGE, MADV_COLLAPSE) == 0)
            done += SL_HUGE_PAGE;
    return done;
}
