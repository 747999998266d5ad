// SPDX-License-Identifier: Apache-2.0
// The packet buffers: one pool for every port, so that frames cross ports uncopied. Main thread.
#ifndef PROCESS_POOL_H
#define PROCESS_POOL_H

#include <rte_mempool.h>
#include "base/error.h"

// A pool of `count` buffers in one piece of memory without gaps, as AF_XDP needs it. NULL with a sentence.
struct rte_mempool *pool_new(uint32_t count, struct sl_error *error);

#endif
