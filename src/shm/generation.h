// SPDX-License-Identifier: Apache-2.0
// Generations: control writes tables and publishes a manifest that names them (generation_write.c); the data
// plane and tools read it, map every table and check it (generation_read.c). Tables whose content did not
// change are named again, not written again. One writer: the process that holds the "control" claim of the
// run directory.
//
//   sl_table_create -> fill behind the header -> sl_table_seal -> ref     (or sl_table_write from an image)
//   refs -> sl_generation_publish -> number -> sl_board_wait_live -> sl_generation_collect
#ifndef SL_SHM_GENERATION_H
#define SL_SHM_GENERATION_H

#include "shm/board.h"
#include "shm/segment.h"

#define SL_GENERATION_TABLES 8 // room in a manifest

// Makes the file of a new table (kind SL_SEG_PORT, ROUTE, NAT, PREFILTER or BALANCE), not visible yet, under the next
// serial.
int sl_table_create(const char *run_dir, struct sl_board *board, enum sl_segment_kind kind, uint64_t size,
                    struct sl_segment_draft *draft, struct sl_error *error);

// Checks the filled table (shm/check.h), takes its checksum, makes it visible and fills `ref`. The writable
// mapping moves to `*map` (route and balance tables are updated in place through it); NULL: unmapped. On failure
// nothing is left.
int sl_table_seal(struct sl_segment_draft *draft, struct sl_table_ref *ref, struct sl_segment_map *map,
                  struct sl_error *error);

// Both at once, from an image in memory of `size` bytes; the image's header need not be filled.
int sl_table_write(const char *run_dir, struct sl_board *board, enum sl_segment_kind kind, const void *image,
                   uint64_t size, struct sl_table_ref *ref, struct sl_error *error);

// To be called before the first in-place update of a route table: from now on its checksum is not looked at.
// After each update: sl_route_updated(). Both keep the epoch; readers compare it to know that cached answers
// are old.
void sl_route_update_begin(struct sl_route_table *route);
void sl_route_updated(struct sl_route_table *route);

// Publishes the next generation: the manifest in one rename, then the number in one store. Returns 0 with the
// number in `*number` (may be NULL). Killed anywhere, readers find the old generation or the new one whole.
int sl_generation_publish(const char *run_dir, struct sl_board *board, const struct sl_table_ref *tables,
                          uint32_t count, uint64_t config_hash, uint64_t *number, struct sl_error *error);

// Removes manifests and tables that nothing names any more: not the published generation, not the loaded one,
// not one a worker of a running data plane uses. Call once a generation is live, and at start. `keep` are
// tables sealed but not published yet. Returns how many files went, or -errno.
int sl_generation_collect(const char *run_dir, const struct sl_board *board, const struct sl_table_ref *keep,
                          uint32_t keep_count, struct sl_error *error);

// Reads a manifest into `*generation` after checking it. -ENOENT: gone; published has moved on meanwhile.
int sl_generation_read(const char *run_dir, uint64_t number, struct sl_generation *generation,
                       struct sl_error *error);

// The manifest's table of a kind, NULL where it has none.
const struct sl_table_ref *sl_generation_table(const struct sl_generation *generation,
                                               enum sl_segment_kind kind);

// Maps one table read-only, compares size, serial and checksum, then checks its content (shm/check.h).
int sl_table_open(const char *run_dir, const struct sl_table_ref *ref, struct sl_segment_map *map,
                  struct sl_error *error);

// Maps a table for in-place updates: control taking up the running route table. Checked as sl_table_open()
// does.
int sl_table_open_writable(const char *run_dir, const struct sl_table_ref *ref, struct sl_segment_map *map,
                           struct sl_error *error);

struct sl_generation_maps { // all tables of one generation, mapped read-only and checked
    struct sl_generation manifest;
    struct sl_segment_map table[SL_SEG_KINDS]; // by kind; {NULL} where the generation has none
};

// Reads manifest `number`, maps and checks every table and what they say of each other. For control and
// tools; the data plane shares mappings between generations and does the same in housekeeping/generation.c.
int sl_generation_open(const char *run_dir, uint64_t number, struct sl_generation_maps *maps,
                       struct sl_error *error);
void sl_generation_close(struct sl_generation_maps *maps);

#endif
