// SPDX-License-Identifier: Apache-2.0
// What one generation is made of: its config, and for each table the file and the hash of what it was compiled from,
// so that the next generation can name the same file again. Main thread of sluiced.
#ifndef APPLY_SNAPSHOT_H
#define APPLY_SNAPSHOT_H

#include "apply/compile.h"
#include "apply/compile_balance.h"
#include "apply/route_layer.h"
#include "config/load.h"
#include "shm/generation.h"
#include "state/stored.h"

enum snapshot_table {
    SNAPSHOT_PORT,
    SNAPSHOT_ROUTE,
    SNAPSHOT_NAT,
    SNAPSHOT_PREFILTER,
    SNAPSHOT_BALANCE, // only where the config has services or pools
    SNAPSHOT_TABLES
};

struct snapshot_ref {
    struct sl_table_ref ref; // serial 0: not built yet
    uint64_t input;          // hash of what it is compiled from; 0: there is none of the kind
};

struct snapshot {
    struct sl_config *config;
    struct stored stored; // text, hash, who and when
    struct slots slots;
    struct balance_slots balance;
    struct route_plan plan;
    struct snapshot_ref table[SNAPSHOT_TABLES];
    uint64_t generation; // 0: not published
};

// Compiles `config` (taken over, also on failure) as the successor of `before` (may be NULL): all but the table files.
// Of tables whose input did not change the reference is taken from `before`. NULL with a sentence.
struct snapshot *snapshot_new(struct sl_config *config, const struct snapshot *before,
                              struct sl_error *error);
void snapshot_free(struct snapshot *snapshot); // NULL is harmless; files stay

// Writes the files of the port, NAT and prefilter tables that are not built yet. `built`: bit per enum snapshot_table.
int snapshot_build(struct snapshot *snapshot, const char *run_dir, struct sl_board *board, unsigned *built,
                   struct sl_error *error);
// Every table is to be built, also those whose file the snapshot before has.
void snapshot_forget_tables(struct snapshot *snapshot);
// True where every table of `a` is made of the same as that of `b`.
bool snapshot_same_tables(const struct snapshot *a, const struct snapshot *b);
// Publishes all tables as the next generation.
int snapshot_publish(struct snapshot *snapshot, const char *run_dir, struct sl_board *board,
                     struct sl_error *error);
// Hash over the sources of the routes.
uint64_t route_plan_hash(const struct route_plan *plan);

#endif
