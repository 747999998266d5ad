// SPDX-License-Identifier: Apache-2.0
// A worker: everything one pinned poll-mode thread owns. Nothing here is touched by another thread except
// through the rings, the board and the counters. Tests make one without ports and read its tx buffers.
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <rte_mbuf.h>
#include <rte_ring.h>
#include "base/hash.h"
#include "shm/layout.h"
#include "worker/handover.h"
#include "worker/packet.h"
#include "worker/tables.h"

#define TX_BUFFER 128
#define RX_QUEUES 64 // device queues a worker polls at most

struct flow_table;     // flow/flow.h
struct nat;            // nat/nat.h
struct balance;        // balance/state.h
struct endpoint;       // endpoint/endpoint.h
struct neighbor_table; // neighbor/neighbor.h
struct fragment_table; // icmp, route/fragment.h
struct port_map;       // port/map.h

// Packets on their way out of one port; flushed at the end of each pass. A device with fewer queues than
// there are workers has one owner per queue: the others hand it their frames over the steer rings, so no
// queue needs a lock.
struct tx_buffer {
    uint16_t count;
    uint16_t device; // DPDK port id
    uint16_t queue;  // device queue
    uint16_t owner;  // worker that sends on that queue; another's frames go to it over steer_out
    bool up;         // the device is started and takes packets
    struct rte_mbuf *packet[TX_BUFFER];
};

struct rx_queue {
    uint16_t device; // DPDK port id
    uint16_t queue;
    uint16_t port; // slot in the port table
};

// A job that housekeeping asks of a worker and that the worker does in bounded steps between bursts.
struct flow_kill_job {
    struct sl_flow_match match; /* w: housekeeping, before `asked`  r: worker */
    uint64_t asked;             /* w: housekeeping, release  r: worker */
    uint64_t done;              /* w: worker, release: equals `asked` when the job is over  r: housekeeping */
    uint64_t killed;            /* w: worker, before `done`  r: housekeeping */
    uint32_t cursor;            /* w, r: worker: where the next step goes on */
};

struct token_bucket { // all zero: full (icmp/limit.h)
    uint64_t spent;   // thousandths of a token that are not there
    uint32_t refilled_ms;
};

struct worker {
    // read on every burst
    const struct tables *tables; // of the generation in use; changes only between bursts
    const struct tables *next_tables; // mailbox, w: housekeeping: the newest tables (housekeeping/generation.h)
    struct sl_counter_block *counters;
    struct flow_table *flows;
    struct nat *nat;
    struct balance *balance;
    struct endpoint *endpoint; // NULL: none of TCP is the gateway's own
    const uint64_t *fast_open_key; // [2], secret, the same for all workers of the process: a cookie is good at each
    const struct neighbor_table *neighbors;
    uint32_t index;
    uint32_t count;    // of workers
    uint32_t now_ms;   // CLOCK_MONOTONIC in ms, wrapping; taken once a burst
    uint64_t now_us;   // CLOCK_MONOTONIC in us, taken with now_ms
    uint32_t ip_id;    // next IPv4 identification
    struct sl_hash_seed hash_seed; // secret, the same for all workers of the process
    uint64_t tx_pending; // bit per port slot whose tx buffer holds frames
    bool metered;        // this pass's stages count their cycles (one pass in 16)
    uint16_t rx_count;
    struct rx_queue rx[RX_QUEUES];
    struct rte_mempool *pool;
    // slow roads
    struct rte_ring *to_house;   // packets for the housekeeping thread (struct handover in the mbuf)
    struct rte_ring *from_house; // frames ready to send, or packets to route
    struct rte_ring *steer_in[SL_MAX_WORKERS]; // from each other worker
    struct rte_ring *steer_out[SL_MAX_WORKERS];
    struct fragment_table *fragments;
    struct token_bucket icmp_errors;
    struct token_bucket icmp_echoes;
    struct sl_board_worker *board;
    uint64_t tables_taken; // generation of `tables`, echoed once nothing older is in use  r: housekeeping
    const struct port_map *ports;      // queues of this worker; replaced only between bursts (port/map.h)
    const struct port_map *ports_next; /* w: housekeeping, release  r: worker */
    struct flow_kill_job kill;
    struct tx_buffer tx[SL_MAX_PORTS];
};

// The pipeline: takes `count` received frames, leaves every one sent to a tx buffer, handed over or dropped.
// Defined in worker/pipeline.c; the stages are:
void pipeline_run(struct worker *worker, uint16_t port_in, struct rte_mbuf **frames, uint16_t count);
// The same for frames that came over a ring: HANDOVER_STEER (already handed over `hops` times, past the
// prefilter) or HANDOVER_ROUTE (the gateway's own: PACKET_FROM_HOST is set and parse_stage moves them
// straight to PACKET_ROUTE).
void pipeline_resume(struct worker *worker, enum handover_kind kind, uint16_t port_in, uint8_t hops,
                     struct rte_mbuf **frames, uint16_t count);

// For what a worker makes itself: a burst whose packets are filled in and wait at PACKET_ROUTE with PACKET_FROM_HOST.
void pipeline_emit(struct worker *worker, struct burst *burst);

void prefilter_stage(struct worker *worker, struct burst *burst); // prefilter/stage.c
void parse_stage(struct worker *worker, struct burst *burst);     // worker/parse.c
void steer_stage(struct worker *worker, struct burst *burst);     // steer/steer.c
void flow_stage(struct worker *worker, struct burst *burst);      // flow/stage.c
void nat_stage(struct worker *worker, struct burst *burst);       // nat/stage.c
void route_stage(struct worker *worker, struct burst *burst);     // route/stage.c
void icmp_stage(struct worker *worker, struct burst *burst);      // icmp/stage.c
void local_stage(struct worker *worker, struct burst *burst);     // worker/local.c
void neighbor_stage(struct worker *worker, struct burst *burst);  // neighbor/stage.c

// The only function that drops. Frees the frame, counts the reason and the port.
void packet_drop(struct worker *worker, struct packet *packet, enum sl_drop reason);
// Asks for an ICMP error about this packet (translated to the packet's family by the caller), then a drop.
void packet_reject(struct burst *burst, struct packet *packet, enum sl_drop reason, uint8_t type,
                   uint8_t code, uint16_t mtu);
// Frees frames that are no packets (any more) and counts them. port_in UINT16_MAX: from no port.
void worker_drop_frames(struct worker *worker, uint16_t port_in, struct rte_mbuf **frames, uint16_t count,
                        enum sl_drop reason);
// Queues a whole frame for a port; a full buffer is flushed first. The caller has done with the packet.
void worker_tx(struct worker *worker, uint16_t port_out, struct rte_mbuf *frame);
// Sends what is queued: to the device, or over a ring to the worker that owns the queue. Called once a pass.
void worker_flush(struct worker *worker);
// Hands a packet over to housekeeping (its port_in, port_out and nexthop travel along); a full ring drops it.
void worker_to_house(struct worker *worker, struct packet *packet, enum handover_kind kind);

static inline void worker_count(struct worker *worker, enum sl_counter counter, uint64_t by)
{
    worker->counters->counter[counter] += by;
}

#endif
