// SPDX-License-Identifier: Apache-2.0
// What the tests of the contract share: a run directory of their own, small tables of each kind that are right, and
// a walk that touches all a reader may touch.
#ifndef SHM_FIXTURE_H
#define SHM_FIXTURE_H

#include "shm/generation.h"

struct fixture {
    char run_dir[64];
    struct sl_board *board;
};

// Makes a run directory in tmpfs and opens the board. Aborts the test program where it cannot.
void fixture_init(struct fixture *fixture);
// Removes the run directory with all in it.
void fixture_fini(struct fixture *fixture);

// A valid table of a kind in memory of exactly its size, 64-byte aligned; free() it. `marker` (above 0) is woven into
// all of them, so that a reader can tell which of them belong together.
void *fixture_image(enum sl_segment_kind kind, uint32_t marker, uint64_t *size);

// Writes a table of each kind with this marker and publishes them; the generation's number.
uint64_t fixture_publish(struct fixture *fixture, uint32_t marker);
// Seals one table with this marker.
struct sl_table_ref fixture_table(struct fixture *fixture, enum sl_segment_kind kind, uint32_t marker);

// The marker of a table that passed its check.
uint32_t fixture_marker(const void *table, enum sl_segment_kind kind);

// Reads everything a reader of a table that passed its check may read, as readers do: by offset. Returns a hash of it.
uint64_t fixture_walk(const void *table, enum sl_segment_kind kind);

// Number of files in the run directory whose name begins with `stem`.
int fixture_files(const struct fixture *fixture, const char *stem);

// Overwrites bytes of a file in the run directory.
void fixture_patch(const struct fixture *fixture, const char *name, uint64_t offset, const void *bytes,
                   uint64_t len_bytes);

// fixture_balance.c
void *fixture_balance_image(uint32_t marker, uint64_t *size);
uint64_t fixture_balance_walk(const struct sl_balance_table *table);

#define FIXTURE_KINDS 5
static const enum sl_segment_kind fixture_kind[FIXTURE_KINDS] = {SL_SEG_PORT, SL_SEG_ROUTE, SL_SEG_NAT,
                                                                 SL_SEG_PREFILTER, SL_SEG_BALANCE};

// xorshift64*: a seed gives the same run everywhere.
static inline uint64_t fixture_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dull;
}

#endif
