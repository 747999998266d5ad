// SPDX-License-Identifier: Apache-2.0
// Configs kept in the state directory, each one file: a line "# {json}" that says what it is, then the printed YAML.
// One file each, written aside and renamed, so that text and description never disagree, whenever we are killed.
//
//   running.yaml   what is live               pending.yaml  an apply under way
//   confirm.yaml   where to go back to unless the running one is confirmed
//   history/N.yaml the last HISTORY_MOST applied
//
// Main thread of sluiced.
#ifndef STATE_STORED_H
#define STATE_STORED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

#define STORED_RUNNING "running.yaml"
#define STORED_PENDING "pending.yaml"
#define STORED_CONFIRM "confirm.yaml"
#define HISTORY_MOST   50

struct stored {
    uint64_t id; // in the history
    uint64_t hash;
    int64_t applied_at; // Unix seconds
    uint32_t uid;       // who asked
    char user[33];
    char comment[160];
    uint64_t prefilter_hash, route_hash, balance_hash; // what those tables were compiled from, files included
    bool in_place;                                     // pending: changes the live route table
    uint32_t confirm_s;                                // pending: wants to be confirmed
    uint64_t confirm_deadline_ns;                      // confirm: CLOCK_BOOTTIME
    char boot[40];                                     // confirm: of this boot
    char *text;                                        // NUL-terminated YAML
    size_t length;
};

void stored_fini(struct stored *stored);
int stored_copy(struct stored *to, const struct stored *from); // 0 or -ENOMEM

// Makes the state directory and its history folder. -errno with a sentence.
int state_dir_make(const char *dir, struct sl_error *error);

// `sync`: on the disk before it is visible. 0 or -errno with a sentence.
int stored_write(const char *dir, const char *name, const struct stored *stored, bool sync,
                 struct sl_error *error);
// 0; -ENOENT; -EBADMSG: not a file of ours; -errno.
int stored_read(const char *dir, const char *name, struct stored *stored, struct sl_error *error);
void stored_remove(const char *dir, const char *name);

// Adds to the history under stored->id, drops the oldest. Adding the same id again is harmless.
int history_add(const char *dir, const struct stored *stored, struct sl_error *error);
// Ids in the history, newest first; how many, at most HISTORY_MOST.
unsigned history_list(const char *dir, uint64_t id[HISTORY_MOST]);
int history_read(const char *dir, uint64_t id, struct stored *stored, struct sl_error *error);

#endif
