// SPDX-License-Identifier: Apache-2.0
// Changes a blob in place while others read it: what a node's runs do not allow goes into a fresh node,
// linked by one release store; nodes no longer linked wait until the caller says that no reader can hold
// them. Control only, one writer per blob. Each address gives its old leaf or its new one at every instant,
// never anything else.
#ifndef SL_TABLE_LPM_UPDATE_H
#define SL_TABLE_LPM_UPDATE_H

#include "base/ip.h"
#include "table/lpm_read.h"

struct sl_lpm_freed { // a node taken out of the trie, waiting for its readers
    uint64_t tick;
    uint32_t block;
    uint32_t blocks;
};

struct sl_lpm_stack { // indices of free nodes of one size
    uint32_t *block;
    uint32_t count, room;
};

struct sl_lpm_writer { // private memory of the process that updates
    struct sl_lpm *lpm;
    uint64_t tick; // stamp for nodes freed from now on; set by the caller, never decreasing
    struct sl_lpm_stack free[SL_LPM_NODE_BLOCKS + 1]; // by number of blocks
    struct sl_lpm_freed *freed;                       // ring, oldest first
    uint32_t freed_head, freed_count, freed_room;     // room is a power of two
};

// Starts updating a blob made by sl_lpm_build(). Holes that an earlier writer left stay unused: safe after a
// restart. -EINVAL: no blob there.
int sl_lpm_writer_init(struct sl_lpm_writer *writer, void *blob, uint64_t size);
void sl_lpm_writer_fini(struct sl_lpm_writer *writer);

// Adds a prefix or gives it another value (1 to SL_LPM_VALUE_MASK). 0; -ENOSPC: the blob is full, build a
// larger one; -ENOMEM; -EINVAL. On error the blob is as it was.
int sl_lpm_set(struct sl_lpm_writer *writer, const struct sl_prefix *prefix, uint32_t value);

// Removes a prefix that is there. `cover` is the leaf that takes over: sl_lpm_leaf() of the longest other
// prefix around it, 0 where there is none. Errors as above.
int sl_lpm_clear(struct sl_lpm_writer *writer, const struct sl_prefix *prefix, uint32_t cover);

// Every reader has moved on since writer->tick was `tick`: nodes freed then or before may be used again.
void sl_lpm_reclaim(struct sl_lpm_writer *writer, uint64_t tick);

// Blocks that are free now, fresh ones and reclaimed ones.
uint64_t sl_lpm_free_blocks(const struct sl_lpm_writer *writer);

#endif
