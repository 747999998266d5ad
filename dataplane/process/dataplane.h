// SPDX-License-Identifier: Apache-2.0
// The whole data plane as one object: what main() makes, runs and takes down again. Main thread.
#ifndef PROCESS_DATAPLANE_H
#define PROCESS_DATAPLANE_H

#include "housekeeping/loop.h"
#include "process/eal.h"
#include "process/options.h"
#include "worker/loop.h"

struct dataplane {
    struct options options;
    struct placement placement;
    struct house house;
    struct house_loop loop;
    struct sl_counter_segment *counters;
    struct sl_hash_seed hash_seed;
    uint64_t fast_open_key[2]; // of the workers' TCP
    struct flow_table *flows[SL_MAX_WORKERS];
    struct worker_thread thread[SL_MAX_WORKERS];
    int claim; // of the run directory
};

// Opens what is shared with other processes: run directory, board, counters, rings of commands. 0, or -errno with a
// sentence; -EPROTO where the contract is another version.
int dataplane_attach(struct dataplane *dp, struct sl_error *error);
// Waits for the first generation that passes its checks, for --wait seconds. Its tables; NULL with a sentence, or
// with an empty one where a signal asked to end.
struct tables *dataplane_wait(struct dataplane *dp, struct sl_error *error);
// Makes workers, pools, tables as large as the settings say, and starts the threads. 0, or -errno with a sentence.
int dataplane_start(struct dataplane *dp, const struct tables *tables, struct sl_error *error);
// Stops the threads, gives everything back. What is in files stays for the next start. Whatever state it is in.
void dataplane_stop(struct dataplane *dp);

// state.c: the parts of dataplane_start() and dataplane_stop() that make and free memory.
int state_make(struct dataplane *dp, const struct tables *tables, struct sl_error *error);
void state_free(struct dataplane *dp);

#endif
