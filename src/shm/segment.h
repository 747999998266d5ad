// SPDX-License-Identifier: Apache-2.0
// Segment files: made whole under a temporary name and renamed into place, so nobody ever sees half of one;
// opened only where magic, version, kind, layout and size are what this program was built for. Every function
// takes the run directory. Called by control, housekeeping and tests, never by a worker: these are system
// calls.
#ifndef SL_SHM_SEGMENT_H
#define SL_SHM_SEGMENT_H

#include <stdbool.h>
#include "base/error.h"
#include "shm/layout.h"

#define SL_RUN_DIR      "/dev/shm/sluice" // where nothing else is said
#define SL_SEGMENT_NAME 48                // room for a file name and its NUL
#define SL_SEGMENT_PATH 4096

#define SL_MODE_PRIVATE  0640 // owner writes, group reads
#define SL_MODE_READABLE 0644 // anyone looks: board, counters

struct sl_segment_map { // a mapped segment; {NULL} when there is none
    void *base;         // struct sl_segment and what follows it
    uint64_t size;      // bytes mapped, the file's size
};

struct sl_segment_spec {
    const char *dir;  // the run directory, or a directory on hugetlbfs (flow segments): size is rounded up to
                      // its pages
    const char *name; // file name, such as "flow.0"
    enum sl_segment_kind kind;
    uint32_t mode;   // SL_MODE_*
    uint64_t size;   // bytes, header included
    uint64_t serial; // of table files, else 0
};

struct sl_segment_draft {      // a segment that is being filled and not visible yet
    struct sl_segment_map map; // writable, zero behind its header
    char path[SL_SEGMENT_PATH];
    char temporary[SL_SEGMENT_PATH];
};

// Makes the run directory (0755) where it is missing. -errno with a sentence.
int sl_run_dir_make(const char *run_dir, struct sl_error *error);

// Claims the run directory for one role ("control", "dataplane"): a lock file that the kernel lets go when
// the process ends, however it ends. Returns a file descriptor to keep open, or -EBUSY where another process
// has it, or -errno.
int sl_run_dir_claim(const char *run_dir, const char *role, struct sl_error *error);

// Makes a file of zeros with a filled header under a temporary name. Memory is allocated now: no SIGBUS
// later. 0, -ENOSPC where the file system is full, or -errno. End with sl_segment_commit() or
// sl_segment_abort().
int sl_segment_create(const struct sl_segment_spec *spec, struct sl_segment_draft *draft,
                      struct sl_error *error);

// Renames the draft into place, over an earlier file of that name. The mapping moves to `*map` and stays
// writable; `map` may be NULL: unmapped. On failure the draft is aborted.
int sl_segment_commit(struct sl_segment_draft *draft, struct sl_segment_map *map, struct sl_error *error);

// As commit, but -EEXIST (draft aborted) where a file of that name is there already: for files either side
// may make.
int sl_segment_commit_first(struct sl_segment_draft *draft, struct sl_segment_map *map,
                            struct sl_error *error);

void sl_segment_abort(struct sl_segment_draft *draft);

// Maps an existing segment after sl_segment_check(). -ENOENT where there is none, -EPROTO where it is of
// another version or layout, -EBADMSG where it is damaged, or -errno; each with a sentence that says how to
// mend it.
int sl_segment_open(const char *dir, const char *name, enum sl_segment_kind kind, bool writable,
                    struct sl_segment_map *map, struct sl_error *error);

// Checks a header against the file's size and the kind wanted; `name` is for the sentence. Pure.
int sl_segment_check(const struct sl_segment *segment, uint64_t file_size, enum sl_segment_kind kind,
                     const char *name, struct sl_error *error);

// Unmaps; harmless on an empty map, which it leaves behind.
void sl_segment_close(struct sl_segment_map *map);

// Removes the file; who has it mapped keeps it. 0 also where it was not there.
int sl_segment_unlink(const char *dir, const char *name);

// "board", "route" and so on: the file name or its stem. "?" for a kind that is none.
const char *sl_segment_kind_name(enum sl_segment_kind kind);

// Name of a numbered segment: "route.17", "flow.0". Returns `out`.
const char *sl_segment_name(enum sl_segment_kind kind, uint64_t number, char out[SL_SEGMENT_NAME]);

// Fills a header as sl_segment_create() does: for tests and images built in memory.
void sl_segment_fill(struct sl_segment *segment, enum sl_segment_kind kind, uint64_t size, uint64_t serial);

// shm/layout_hash.c: hash of the names, offsets and sizes of every field in a segment, so that two programs
// built from different layouts refuse each other even where somebody forgot the version. Of counters, the
// names of what is counted are part of it: a reader with another list would name the wrong counter.
uint64_t sl_layout_hash(enum sl_segment_kind kind);

struct sl_layout_field { // one line of the golden file
    const char *name;    // "sl_board.published"; "sl_board" alone for a whole struct
    uint32_t offset, size;
};
const struct sl_layout_field *sl_layout_fields(unsigned *count);

#endif
