// SPDX-License-Identifier: Apache-2.0
// Mappings of segment files in huge pages. A lookup in a table of a hundred megabytes misses the TLB as often as the
// cache, and tmpfs gives small pages unless it is mounted otherwise; so files are mapped where huge pages can begin,
// and a reader that has time asks the kernel to put its pages together. Called by whoever opens segments.
#ifndef SL_SHM_HUGE_H
#define SL_SHM_HUGE_H

#include <stdint.h>

#define SL_HUGE_PAGE (2ull << 20)

// mmap() of a file from its start, MAP_SHARED, at an address that is a multiple of SL_HUGE_PAGE where the file is as
// large as one. MAP_FAILED and errno as mmap(); munmap() it with the same size.
void *sl_huge_map(int fd, uint64_t size, int prot);

// Puts the small pages of such a mapping together: what the file has is copied inside the kernel, a millisecond or
// less each, while others go on using it. Parts never written stay as they are. Bytes that are in huge pages now; 0
// where the kernel cannot (before 6.1) or has none: slower, never wrong.
uint64_t sl_huge_collapse(void *base, uint64_t size);

#endif
