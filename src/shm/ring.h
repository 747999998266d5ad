// SPDX-License-Identifier: Apache-2.0
// Bounded ring of 128-byte records between two processes: one producer, one consumer, neither ever waits. A
// full ring counts a loss. Each side keeps its own index and the capacity in private memory and believes the
// other's index only as far as it fits, so a broken or hostile peer can lose or garble records but never send
// us out of bounds. push: the producing thread alone; pop: the consuming thread alone. Neither makes a system
// call.
#ifndef SL_SHM_RING_H
#define SL_SHM_RING_H

#include <stdbool.h>
#include "shm/segment.h"

#define SL_RING_COMMAND "command" // control -> data plane, struct sl_command
#define SL_RING_EVENT   "event"   // data plane -> control, struct sl_event
#define SL_RING_DEFAULT 256       // records

struct sl_ring_end { // one side of a ring, in private memory
    struct sl_ring *ring;
    uint64_t size;    // bytes mapped
    uint64_t index;   // our own: head of the producer, tail of the consumer
    uint32_t mask;    // capacity - 1
    uint64_t garbled; // times the other side's index could not be
};

// Opens a ring by name, making it with `capacity` records (a power of two up to 2^20) where it is missing;
// either side may come first. Goes on where an earlier process of this side stopped.
int sl_ring_open_producer(const char *run_dir, const char *name, uint32_t capacity, struct sl_ring_end *end,
                          struct sl_error *error);
int sl_ring_open_consumer(const char *run_dir, const char *name, uint32_t capacity, struct sl_ring_end *end,
                          struct sl_error *error);
void sl_ring_close(struct sl_ring_end *end);

// Appends a record of `len_bytes` (at most SL_RING_RECORD; the rest is zero). False: full, the loss was
// counted.
bool sl_ring_push(struct sl_ring_end *end, const void *record, uint32_t len_bytes);
// Takes the oldest record, copied so that the peer cannot change it any more. False: empty.
bool sl_ring_pop(struct sl_ring_end *end, void *record, uint32_t len_bytes);
// Records lost because the ring was full, since it was made.
uint64_t sl_ring_lost(const struct sl_ring_end *end);

#endif
