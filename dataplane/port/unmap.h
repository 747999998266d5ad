// SPDX-License-Identifier: Apache-2.0
// Keeps drivers from taking memory away under a worker. When the other side of a memif port vanishes, the driver
// unmaps its rings on DPDK's interrupt thread, whatever a worker is doing with them, and nothing in DPDK orders the
// two. So the process has its own munmap(), which the driver finds in place of the C library's: on the interrupt thread
// it first lets every worker finish what it has begun. The driver has marked the port as disconnected by then, and a
// worker's next burst keeps off the rings.
#ifndef PORT_UNMAP_H
#define PORT_UNMAP_H

#include <stdint.h>

struct worker;

// Workers to be waited for from now on; NULL: none. Housekeeping, while they run.
void unmap_guard(struct worker *const *worker, uint32_t count);

#endif
