// SPDX-License-Identifier: Apache-2.0
// Taking over generations. Housekeeping maps and checks what control has published, fills a `struct tables`,
// puts it into each worker's mailbox; a worker takes it between two bursts; when all have, the old one is
// closed.
//
//   housekeeping                              worker
//   generation_next()  -> tables or NULL
//     (ports, MACs: the caller fills in)
//   generation_hand_over(): next_tables --->  tables_take(): tables = next_tables, hooks,
//   generation_reap()  <--------------------    tables_taken = generation, board's live_generation
//
// The mailbox is `worker->next_tables` (w: housekeeping  r: that worker): the newest tables; the worker never
// clears it, it compares. `worker->tables_taken` (w: that worker  r: housekeeping) is the echo that decides
// about unmapping: in private memory, because what another process may write must not.
#ifndef HOUSEKEEPING_GENERATION_H
#define HOUSEKEEPING_GENERATION_H

#include "base/error.h"
#include "housekeeping/house.h"
#include "worker/tables.h"
#include "worker/worker.h"

struct generations; // mapped tables, shared between generations; and tables that workers may still hold

struct generations *generations_new(void);
// Closes everything, the tables in use included; the workers must have stopped.
void generations_free(struct generations *generations);

// To be called with tables that no worker holds any more, before they are unmapped: what others hung on them (the NAT
// binding) goes with them.
typedef void (*generations_closing)(void *context, struct tables *tables);
void generations_on_close(struct generations *generations, generations_closing closing, void *context);

// Maps generation `number` read-only, prefaulted, checked. Tables already mapped for an earlier generation
// are shared. NULL with a sentence; nothing is left mapped that was not before. Housekeeping thread.
struct tables *tables_open(struct generations *generations, const char *run_dir, uint64_t number,
                           struct sl_error *error);
// Lets go of tables no worker holds. NULL is harmless.
void tables_close(struct generations *generations, struct tables *tables);

// One look at the board, every pass of the housekeeping loop. Returns tables for the caller to complete
// (xdp_ports, port_mac) and to hand over, or NULL: nothing new, or it was refused, which the board then says.
struct tables *generation_next(struct house *house);
// Gives tables to all workers and to housekeeping itself; says "loaded" on the board. The older ones retire.
void generation_hand_over(struct house *house, struct tables *tables);
// Refuses tables that could not be brought to life (say, no room for a port): closes them, tells the board. Where
// there are none before them, generation_next() gives them again every few seconds.
void generation_refuse(struct house *house, struct tables *tables, const char *text);
// Closes retired tables that every worker has moved on from. Cheap when there are none. True: all are closed.
bool generation_reap(struct house *house);

void tables_switch(struct worker *worker, const struct tables *next);

// Worker, between two bursts: takes what is in the mailbox. One relaxed load when nothing is new. True:
// switched.
static inline bool tables_take(struct worker *worker)
{
    const struct tables *next = __atomic_load_n(&worker->next_tables, __ATOMIC_RELAXED);

    if (__builtin_expect(next == worker->tables, 1))
        return false;
    tables_switch(worker, __atomic_load_n(&worker->next_tables, __ATOMIC_ACQUIRE));
    return true;
}

#endif
