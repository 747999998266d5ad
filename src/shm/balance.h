// SPDX-License-Identifier: Apache-2.0
// The part of the contract that layer-4 balancing needs: the table "balance.S" and the counters "balance-counter.K".
// Included by layout.h. Builder: table/balance_table.h, reader: table/balance_read.h.
//
//   packet (ip, proto, port) ──hash──► address[] ──► rule[] of that address ──► service[] ──► pool[]
//                                                                                              │ lookup[hash]
//                                                                                              ▼
//                                       sl_flow.mapping (service slot, member slot) ◄── member[pool.first + entry]
//
// The table is built whole when services, pools, members or rules change. What changes by the minute, a member's state
// and its effective weight, is UPDATED IN PLACE: the member's word in one store, then the entries of its pool's lookup
// that have another member now, each in one 16-bit store, then the lookup's size. At every instant each entry names
// the member it had before or the one it has now, and both are members of the pool: a reader needs no version and no
// second look. Two buffers and a word that flips between them would need readers to be waited for before the next
// change (-EAGAIN, in the midst of a flapping pool), twice the memory, and would make a worker fetch a whole new table
// where the change of one member out of a hundred touches one entry in a hundred.
#ifndef SL_SHM_BALANCE_H
#define SL_SHM_BALANCE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include "base/ip.h"
#include "shm/segment_header.h"

#define SL_BALANCE_NAME         32     // of a service or a pool, with its NUL
#define SL_BALANCE_SERVICES     8191   // services, and service slots: 13 bits, the last number means none
#define SL_BALANCE_MEMBERS      524287 // members of all pools together, and member slots: 19 bits, likewise
#define SL_BALANCE_POOL_MEMBERS 65535  // entries of a lookup have 16 bits
#define SL_BALANCE_LISTENS      262144 // addresses with protocol and ports, of all services together
#define SL_BALANCE_PROBES       64     // slots at most between where an address is looked for and where it is
#define SL_BALANCE_WEIGHT       65535  // the largest weight
#define SL_BALANCE_NONE         UINT32_MAX

// ---- services -----------------------------------------------------------------------------------------------
enum sl_balance_service_flag {
    SL_BALANCE_FLOOD_STATELESS = 1 << 0, // over its limit, new flows are balanced by hash without a flow
    SL_BALANCE_FULL_STATELESS = 1 << 1,  // the same where the session table is full; else they are dropped
};

struct sl_balance_service {
    char name[SL_BALANCE_NAME];
    // number in the counters and in flows; the service keeps it for the life of the run directory
    uint32_t slot;
    uint32_t pool;        // index into pool[]
    uint32_t flags;       // enum sl_balance_service_flag
    uint32_t flow_rate;   // new flows a second, over all workers; 0: no limit
    uint32_t source_rate; // new flows a second and source address; 0: no limit
    // a client goes to the member it had, for so long after its last flow ended; 0: no affinity
    uint32_t affinity_s;
    uint8_t affinity_len_v4; // clients under one prefix of this length are one client, 1 to 32
    uint8_t affinity_len_v6; // 1 to 128
    uint16_t pad;
    uint32_t timeout_new_s; // of its flows, seconds; 0: as sl_nat_timeouts says
    uint32_t timeout_established_s;
    uint32_t timeout_closing_s;
    uint32_t reserved[14];
};
static_assert(sizeof(struct sl_balance_service) == 128, "two lines");

// What a packet to an address meets. Built such that rules of one address do not overlap: the most exact won.
struct sl_balance_rule { // sorted by key; at most one holds a (protocol, port)
    uint32_t key;        // protocol << 16 | first port, host byte order
    uint16_t last;       // port
    uint16_t service;    // index into service[]
};
static_assert(sizeof(struct sl_balance_rule) == 8, "eight to a line");

// A slot of the hash: open addressing, linear probing from sl_balance_address_start().
struct sl_balance_address {
    struct sl_ip ip;
    uint32_t rule_first; // index into rule[]
    uint32_t rule_count; // rules of one protocol each
    // index into service[]: what no rule holds and every other protocol; SL_BALANCE_NONE: nothing
    uint32_t all;
    uint32_t used; // 0: free slot
};
static_assert(sizeof(struct sl_balance_address) == 32, "two to a line");

// ---- pools --------------------------------------------------------------------------------------------------
// What the lookup of a pool holds, and how an entry is taken.
enum sl_balance_method {
    SL_BALANCE_MAGLEV,      // maglev table: entry[scale(hash of the flow)]
    SL_BALANCE_ROUND_ROBIN, // eligible members once each: entry[cursor++ % size], a cursor per worker
    SL_BALANCE_WEIGHTED_ROUND_ROBIN, // smoothly interleaved by weight: likewise
    SL_BALANCE_LEAST,                // eligible members once each: the one with the fewest flows
    SL_BALANCE_WEIGHTED_LEAST,       // the same, by flows / effective weight
    SL_BALANCE_SOURCE_HASH,          // maglev table: entry[scale(hash of the source address)]
    SL_BALANCE_TWO_CHOICES,          // two entries drawn by weight, the one with fewer flows for its weight
    SL_BALANCE_METHODS
};

enum sl_balance_way {    // how packets get to a member
    SL_BALANCE_DNAT,     // destination translated; answers come back through the gateway
    SL_BALANCE_FULL_NAT, // the source too, to an address of source[]
    SL_BALANCE_DIRECT,   // unchanged, to the member's MAC: it answers by itself
    SL_BALANCE_IPIP,     // RFC 2003, RFC 2473 (any family in any)
    SL_BALANCE_GUE,      // draft-ietf-intarea-gue: UDP to tunnel_port
    SL_BALANCE_WAYS
};

enum sl_balance_on_down { // what becomes of the flows of a member in SL_BALANCE_DOWN
    SL_BALANCE_KEEP,      // they stay: it may come back
    SL_BALANCE_RESET,     // ended; TCP with a reset to the client
    SL_BALANCE_MOVE, // given another member with their next packet (datagrams; TCP only where members share state)
    SL_BALANCE_ON_DOWNS
};

enum sl_balance_pool_flag {
    SL_BALANCE_TOA = 1 << 0, // full NAT: the client's address in TCP option 254 of its first segments
};

struct sl_balance_pool {
    char name[SL_BALANCE_NAME];
    uint64_t lookup_offset;   // uint16_t[lookup_capacity], bytes from the file's start: each < count. Builder
    uint32_t lookup_capacity; // builder
    // entries in force, 0: nobody is eligible. Atomic, stored with release after the entries. Builder
    uint32_t lookup_size;
    uint32_t first; // its members: member[first], ... member[first + count - 1]
    uint32_t count;
    uint8_t method;  // enum sl_balance_method
    uint8_t way;     // enum sl_balance_way
    uint8_t on_down; // enum sl_balance_on_down
    uint8_t flags;   // enum sl_balance_pool_flag
    // of full NAT and tunnels: the addresses packets are sent from, source[source_first], ...
    uint32_t source_first;
    uint32_t source_count;
    uint16_t tunnel_port; // of GUE: destination port, host byte order
    uint16_t tunnel_mtu;  // bytes of IP that fit on the way to the members; 0: as the port's
    // entries wanted of a maglev table; 0: chosen from `count`, see table/balance_table.h
    uint32_t maglev_size;
    uint32_t reserved[13];
};
static_assert(sizeof(struct sl_balance_pool) == 128, "two lines");
static_assert(offsetof(struct sl_balance_pool, flags) < SL_CACHE_LINE,
              "what a choice reads is on the first line");

// ---- members ------------------------------------------------------------------------------------------------
enum sl_balance_state { // as it counts for packets. Control makes it of what operator, checks and dampening say
    SL_BALANCE_UP,
    SL_BALANCE_DRAIN, // no new flows; those it has go on
    SL_BALANCE_DOWN,  // no new flows; those it has: enum sl_balance_on_down of its pool
    SL_BALANCE_FLUSH, // no new flows; those it has are cut, TCP with resets to both ends
    SL_BALANCE_STATES
};

enum sl_balance_member_flag {
    SL_BALANCE_BACKUP = 1 << 0, // in the lookup only while no other is eligible
};

struct sl_balance_member {
    struct sl_ip ip;
    // atomic: effective weight | enum sl_balance_state << 16; SL_BALANCE_WORD. Updated in place
    uint32_t word;
    uint16_t port; // host byte order; 0: the packet's own
    // as configured, 0 to SL_BALANCE_WEIGHT. Effective ones share its scale, or control chooses a finer one
    uint16_t weight;
    // number in the counters and in flows; the member keeps it for the life of the run directory
    uint32_t slot;
    uint32_t pool;       // index into pool[]
    uint32_t flow_limit; // flows at a time, over all workers; 0: no limit
    uint32_t flags;      // enum sl_balance_member_flag
    // w: control  r: control, ctl. CLOCK_REALTIME of its last change of state. Updated in place
    uint64_t since_ns;
    // w: control  r: control. What its state is made of, for the control that comes after. In place
    uint64_t note;
    uint64_t reserved;
};
static_assert(sizeof(struct sl_balance_member) == 64, "a line");

#define SL_BALANCE_WORD(state, weight) ((uint32_t)(state) << 16 | (uint16_t)(weight))

// ---- table --------------------------------------------------------------------------------------------------
/* w: control  r: data plane. Updated in place: member[].word, lookups and their sizes */
struct sl_balance_table {
    struct sl_segment segment;
    // counts in-place updates; release-stored after each. The checksum counts only while it is 0
    uint64_t epoch;
    // counts those after which flows must go: a member down (and the pool does not keep), or flushed
    uint64_t sweep_epoch;
    uint64_t hash_key[6]; // struct sl_hash_seed of the flows' hash: gateways with the same seed choose alike
    uint32_t service_count, pool_count, member_count, source_count;
    uint32_t address_count; // addresses
    uint32_t address_slots; // slots of their hash, a power of two, more than addresses
    uint32_t rule_count;
    uint32_t service_slots; // every service's slot is below; of service_by_slot[]
    uint32_t member_slots;
    uint32_t pad;
    uint64_t service_offset; // struct sl_balance_service[service_count]
    uint64_t pool_offset;    // struct sl_balance_pool[pool_count]
    uint64_t member_offset;  // struct sl_balance_member[member_count]: those of pool 0, those of pool 1, ...
    uint64_t source_offset;  // struct sl_ip[source_count]
    uint64_t address_offset; // struct sl_balance_address[address_slots]
    uint64_t rule_offset;    // struct sl_balance_rule[rule_count]
    uint64_t service_by_slot_offset; // uint32_t[service_slots]: index into service[], SL_BALANCE_NONE
    uint64_t member_by_slot_offset;  // uint32_t[member_slots]: index into member[], SL_BALANCE_NONE
    uint64_t lookup_offset;          // uint16_t[lookup_count]: the lookups of all pools
    uint64_t lookup_count;
    uint64_t reserved[9];
};
static_assert(sizeof(struct sl_balance_table) % SL_CACHE_LINE == 0, "arrays behind it are aligned");

// ---- counters -----------------------------------------------------------------------------------------------
// In files "balance-counter.K": the slots of one file are fixed, and a table with more slots gets more files, so that
// nothing has to move while workers count. The numbers are those of slots, so they outlive tables; a slot given to
// another member goes on from where it was (readers show differences, or what is left when control noted it).
#define SL_BALANCE_CHUNK_SERVICES 256   // service slots K * 256 ...
#define SL_BALANCE_CHUNK_MEMBERS  16384 // member slots K * 16384 ...
#define SL_BALANCE_CHUNKS         32    // files at most: both kinds of slots end there

struct sl_balance_service_counters { /* w: the worker  r: all */
    uint64_t packets_in, bytes_in;   // from clients
    uint64_t packets_out, bytes_out; // to clients, as far as they pass the gateway
    uint64_t flows_new;
    uint64_t flows_now;       // flows open. Zeroed when a data plane starts, then counted as it adopts them
    uint64_t flows_stateless; // packets balanced without a flow
    uint64_t affinity_hits;   // flows that got the member their client had
    uint64_t no_member;       // new flows for which nobody was eligible
    uint64_t rate_limited;    // new flows over the service's rate
    uint64_t source_limited;  // new flows over their source's rate
    uint64_t table_full;      // new flows for which there was no room
    uint64_t reserved[4];
};
static_assert(sizeof(struct sl_balance_service_counters) == 128,
              "two lines; what each packet counts is on the first");

struct sl_balance_member_counters { /* w: the worker  r: all */
    uint64_t packets_in, bytes_in;  // from clients
    uint64_t packets_out, bytes_out;
    uint64_t flows_new;
    uint32_t flows_now; // as above
    // flows whose first answer came. Passive signals, wrapping: control looks at differences
    uint32_t answered;
    uint32_t unanswered; // flows that ended, or SYNs sent a third time, without any answer
    uint32_t resets;     // connections the member reset before it had said anything
    uint32_t limited;    // choices turned away from it by flow_limit
    uint32_t moved;      // flows that left it when it was down, or were cut
};
static_assert(sizeof(struct sl_balance_member_counters) == 64, "a line");

struct sl_balance_counter_block { /* w: its worker alone, plain stores  r: all */
    struct sl_balance_service_counters service[SL_BALANCE_CHUNK_SERVICES];
    struct sl_balance_member_counters member[SL_BALANCE_CHUNK_MEMBERS];
};

struct sl_balance_counter_segment {
    struct sl_segment segment;
    uint64_t start_ns; // CLOCK_MONOTONIC of the counters' zero
    uint32_t chunk;    // K
    uint32_t worker_count;
    uint64_t pad[6];
    struct sl_balance_counter_block block[]; // [worker_count]
};
static_assert(sizeof(struct sl_balance_counter_segment) == 128, "blocks are aligned");

#endif
