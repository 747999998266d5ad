// SPDX-License-Identifier: Apache-2.0
// Reading session files from outside of the data plane: flows as an operator thinks of them (inside, outside,
// remote), filters, and the use of NAT pools. A file may be written while it is read: an entry may be half
// new, so what is read is only shown or counted. Pure; any thread.
#ifndef SL_TABLE_FLOW_READ_H
#define SL_TABLE_FLOW_READ_H

#include <stdbool.h>
#include "shm/layout.h"
#include "shm/segment.h"

// Of a balanced flow inside is the member, outside the service's address, remote the client; it is always inbound.
struct sl_flow_view { // ports in host byte order; of ICMP queries: the identifier
    struct sl_ip inside, outside, remote;
    uint16_t inside_port, outside_port, remote_port;
    uint8_t proto;
    uint8_t kind;                                          // enum sl_flow_kind
    uint8_t state;                                         // enum sl_flow_state
    bool inbound;                                          // opened from outside
    bool cut;                                              // SL_FLOW_CUT: resets answer either end
    uint32_t worker;                                       // its owner
    uint32_t service, member;                              // slots, of SL_FLOW_BALANCE; else SL_BALANCE_NONE
    uint32_t seen_ms;                                      // CLOCK_MONOTONIC of its last packet, wrapping
    uint64_t packets_out, packets_in, bytes_out, bytes_in; // packets wrap at 2^32
};

// The flow as a view. False: the entry is free or torn; *view is then unspecified.
bool sl_flow_view_of(const struct sl_flow *flow, struct sl_flow_view *view);

// True where every field of `match` that is not zero fits.
bool sl_flow_view_matches(const struct sl_flow_view *view, const struct sl_flow_match *match);

// The next flow of a session file (sl_segment_open of kind SL_SEG_FLOW, read-only) that fits; *cursor starts
// at 0 and is where to go on. False: no more, or the segment's offsets are not inside it. `match` may be
// NULL.
bool sl_flow_next(const struct sl_segment_map *segment, const struct sl_flow_match *match, uint32_t *cursor,
                  struct sl_flow_view *view);

// ---- use of NAT pools --------------------------------------------------------------------------------------
enum sl_nat_proto { SL_NAT_TCP, SL_NAT_UDP, SL_NAT_ICMP, SL_NAT_PROTOS };

struct sl_nat_usage { // of one pool address, index as in the NAT table's address[]
    uint64_t flows;
    uint32_t ports[SL_NAT_PROTOS];  // outside ports in use, of 64,512 each
    uint32_t blocks[SL_NAT_PROTOS]; // blocks of 64 they lie in, of SL_NAT_BLOCKS
    uint32_t subscribers;           // inside addresses it stands for
    uint32_t pad;
};

// Counts over all workers' session files. `usage` has room for nat->address_count. `nat` is a mapped and
// checked NAT table. 0 or -ENOMEM.
int sl_nat_usage_count(const struct sl_nat_table *nat, const struct sl_segment_map *segment,
                       uint32_t segment_count, struct sl_nat_usage *usage);

#endif
