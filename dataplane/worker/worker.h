// SPDX-License-Identifier: Apache-2.0
// A worker: everything one pinned poll-mode thread owns. Nothing here is touched by another thread except through
// the rings, the board and the counters. Tests make one without ports and read its tx buffers.
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <rte_mbuf.h>
#include <rte_ring.h>
#include "base/hash.h"
#include "shm/layout.h"
#include "worker/packet.h"
#include "worker/tables.h"

#define TX_BUFFER 128

struct flow_table;     // flow/flow.h
struct nat;            // nat/nat.h
struct neighbor_table; // neighbor/neighbor.h
struct fragment_table; // icmp, route/fragment.h

struct tx_buffer { // packets on their way out of one port; flushed at the end of each burst
    uint16_t count;
    uint16_t queue; // device queue
    bool up;        // the device is started and takes packets
    struct rte_mbuf *packet[TX_BUFFER];
};

struct token_bucket {
    uint64_t tokens; // scaled by 2^10
    uint32_t refilled_ms;
};

struct worker {
    // read on every burst
    const struct tables *tables; // of the generation in use; changes only between bursts
    const struct tables *next_tables; // mailbox, w: housekeeping: the newest tables (housekeeping/generation.h)
    struct sl_counter_block *counters;
    struct flow_table *flows;
    struct nat *nat;
    const struct neighbor_table *neighbors;
    uint32_t index;
    uint32_t count;    // of workers
    uint32_t now_ms;   // CLOCK_MONOTONIC in ms, wrapping; taken once a burst
    uint32_t ip_id;    // next IPv4 identification
    struct sl_hash_seed hash_seed; // secret, the same for all workers of the process
    struct rte_mempool *pool;
    // slow roads
    struct rte_ring *to_house;                 // packets for the housekeeping thread (struct handover in the mbuf)
    struct rte_ring *from_house;               // frames ready to send, or packets to route
    struct rte_ring *steer_in[SL_MAX_WORKERS]; // from each other worker
    struct rte_ring *steer_out[SL_MAX_WORKERS];
    struct fragment_table *fragments;
    struct token_bucket icmp_errors;
    struct sl_board_worker *board;
    uint64_t tables_taken; // generation of `tables`, echoed once nothing older is in use  r: housekeeping
    struct tx_buffer tx[SL_MAX_PORTS];
    uint16_t device[SL_MAX_PORTS]; // DPDK port id of each port slot, UINT16_MAX: none
};

// What the mbuf carries across a ring (a dynamic mbuf field of 16 bytes, worker/handover.h).
enum handover_kind {
    HANDOVER_STEER,      // worker -> worker: parse it again, you own its flow
    HANDOVER_NEIGHBOR,   // worker -> housekeeping: next hop unresolved; hold, ask, send back
    HANDOVER_ARP,        // worker -> housekeeping: ARP or neighbor discovery
    HANDOVER_TWIN,       // worker -> housekeeping: for the kernel twin of port_in
    HANDOVER_TX,         // housekeeping -> worker: a whole frame, send it out of port_out
    HANDOVER_ROUTE,      // housekeeping -> worker: an IP packet of the gateway's own: route it
};

struct handover {
    uint8_t kind; // enum handover_kind
    uint8_t hops; // times handed between workers
    uint16_t port_in;
    uint16_t port_out;
    uint16_t pad;
    uint32_t nexthop;
    uint32_t pad2;
};

// The pipeline: takes `count` received frames, leaves every one sent to a tx buffer, handed over or dropped.
// Defined in worker/pipeline.c; the stages are:
void pipeline_run(struct worker *worker, uint16_t port_in, struct rte_mbuf **frames, uint16_t count);

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
void packet_reject(struct burst *burst, struct packet *packet, enum sl_drop reason, uint8_t type, uint8_t code,
                   uint16_t mtu);
// Queues a whole frame for a port; a full buffer is flushed first.
void worker_tx(struct worker *worker, uint16_t port_out, struct rte_mbuf *frame);
void worker_flush(struct worker *worker);
// Hands a frame over to housekeeping; a full ring drops it.
void worker_to_house(struct worker *worker, struct packet *packet, enum handover_kind kind);

static inline void worker_count(struct worker *worker, enum sl_counter counter, uint64_t by)
{
    worker->counters->counter[counter] += by;
}

// Counts a packet that goes no further, for whoever ends it: packet_drop, icmp_stage, rings that are full.
static inline void worker_count_drop(struct worker *worker, uint16_t port_in, enum sl_drop reason)
{
    worker->counters->drop[reason]++;
    worker->counters->port[port_in].drop_packets++;
}

#endif
