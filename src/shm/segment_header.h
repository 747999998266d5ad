// SPDX-License-Identifier: Apache-2.0
// What every file of the contract begins with: version, kinds, the segment header. Part of layout.h, which includes
// it; apart only so that the parts of the contract (layout.h, balance.h) can stand on it.
#ifndef SL_SHM_SEGMENT_HEADER_H
#define SL_SHM_SEGMENT_HEADER_H

#include <assert.h>
#include <stdint.h>

#define SL_SHM_MAGIC  0x00656369756c73ULL // "sluice\0\0", little-endian
#define SL_SHM_MAJOR  1
#define SL_SHM_MINOR  4
#define SL_CACHE_LINE 64

#define SL_MAX_WORKERS    64
#define SL_MAX_PORTS      64
#define SL_MAX_PORT_ADDRS 16
#define SL_MAX_STAGES     16 // stages whose cycles are counted
#define SL_PORT_NAME      16 // as a Linux interface name, with its NUL
#define SL_DEVICE_TEXT    128

enum sl_segment_kind {
    SL_SEG_BOARD = 1,       // "board": who is alive, which generation is published, live, refused
    SL_SEG_GENERATION,      // "generation.N": names one file per table
    SL_SEG_PORT,            // "port.S": ports, their addresses, static neighbors, settings
    SL_SEG_ROUTE,           // "route.S": next hops and two longest-prefix tries; updated in place
    SL_SEG_NAT,             // "nat.S": pools, source rules, 1:1, forwards
    SL_SEG_PREFILTER,       // "prefilter.S": sets and the rules of each port
    SL_SEG_COUNTER,         // "counter": a block per worker
    SL_SEG_FLOW,            // "flow.W": the session table of worker W
    SL_SEG_NEIGHBOR,        // "neighbor": addresses on the links and their MACs
    SL_SEG_RING,            // "command", "event.W": bounded single-producer rings
    SL_SEG_BALANCE,         // "balance.S": services, pools, members, lookups; updated in place
    SL_SEG_BALANCE_COUNTER, // "balance-counter.K": what services and members count, a block per worker
    SL_SEG_ENDPOINT,        // "endpoint.W": TCP connections of worker W's own, and those that were, with their traces
    SL_SEG_KINDS
};

// First bytes of every file. w: whoever creates it, before it is visible under its name.
struct sl_segment {
    uint64_t magic;
    uint16_t major;
    uint16_t minor;
    uint32_t kind;        // enum sl_segment_kind
    uint64_t layout_hash; // sl_layout_hash(): sizes and offsets of every shared struct
    uint64_t size;        // bytes, equal to the file's
    uint64_t serial;      // of table files: unique for the life of the run directory
    uint64_t pad[3];
};
static_assert(sizeof(struct sl_segment) == 64, "segment header is one cache line");

#endif
