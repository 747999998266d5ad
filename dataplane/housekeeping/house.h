// SPDX-License-Identifier: Apache-2.0
// The housekeeping thread: the slow half of the data plane, one per process, never pinned to a worker's core, may
// sleep and call the kernel. It takes over generations, brings ports up and down, owns the neighbor table and the
// kernel twins, carries out control's commands, writes heartbeats. Workers reach it through rings alone.
#ifndef HOUSEKEEPING_HOUSE_H
#define HOUSEKEEPING_HOUSE_H

#include <rte_mbuf.h>
#include <rte_ring.h>
#include "shm/layout.h"
#include "worker/tables.h"
#include "worker/worker.h"

struct house {
    const struct tables *tables;     // newest handed to the workers; NULL before the first generation
    struct generations *generations; // housekeeping/generation.h
    struct sl_board *board;
    struct sl_counter_block *counters; // block SL_MAX_WORKERS
    struct sl_port_state *port_state;  // [SL_MAX_PORTS], in the counter segment
    struct rte_mempool *pool;
    struct neighbor_table *neighbors; // this thread is its only writer
    struct worker *worker[SL_MAX_WORKERS];
    uint32_t worker_count;
    uint32_t now_ms;        // CLOCK_MONOTONIC in ms, wrapping; taken once a pass
    int twin[SL_MAX_PORTS]; // tap file descriptors by port slot, -1: none
    const char *run_dir;
    struct ports *ports;         // port/ports.h
    struct nat_share *nat_share; // nat/share.h
    struct balance_share *balance_share; // balance/balance.h
    struct log_tail *log;        // process/log.h: what drivers have said, for when something fails
};

// Dispatches one packet a worker handed over (its struct handover says which kind). Consumes it.
void house_handle(struct house *house, struct rte_mbuf *m);
// Sends a whole frame out of a port, through a worker. Consumes it.
void house_tx(struct house *house, uint16_t port_out, struct rte_mbuf *frame);
// Routes an IP packet of the gateway's own making (frame with room for the Ethernet header). Consumes it.
void house_route(struct house *house, struct rte_mbuf *frame);
// Gives a packet that a worker handed over as HANDOVER_NEIGHBOR back to that worker, which knows its flow where it was
// translated, so that its sender is told (ICMP host unreachable). Consumes it.
void house_unresolved(struct house *house, struct rte_mbuf *m);
// The housekeeping thread's drop: frees and counts.
void house_drop(struct house *house, struct rte_mbuf *m, enum sl_drop reason);

// neighbor/resolve.c: ARP and neighbor discovery, packets that wait for an answer, timers.
void neighbor_handle(struct house *house,
                     struct rte_mbuf *m);        // HANDOVER_ARP, HANDOVER_NEIGHBOR. Consumes it.
void neighbor_tick(struct house *house);         // every pass; cheap when nothing is due
void neighbor_tables_taken(struct house *house); // after a generation: static entries, ports gone
// housekeeping/twin.c
void twin_write(struct house *house, struct rte_mbuf *m); // HANDOVER_TWIN. Consumes it.

#endif
