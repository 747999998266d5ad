// SPDX-License-Identifier: Apache-2.0
// The packet buffers: one pool for every port, so that frames cross ports uncopied. Main thread.
#ifndef PROCESS_POOL_H
#define PROCESS_POOL_H

#include <rte_mempool.h>
#include "base/error.h"

// Bytes of data room, head room included, that a buffer needs so that a frame of `mtu` bytes of IP is one buffer.
uint16_t pool_room_for(uint16_t mtu);

// A pool of `count` buffers of `room` bytes in one piece of memory without gaps, as AF_XDP needs it. NULL with a
// sentence.
struct rte_mempool *pool_new(uint32_t count, uint16_t room, struct sl_error *error);

#endif
