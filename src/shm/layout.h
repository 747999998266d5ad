// SPDX-License-Identifier: Apache-2.0
// THE CONTRACT: every byte that two processes share, in files under the run directory. Read LAYOUT.md beside it.
// Rules: fixed-width types, offsets and indices instead of pointers, one writer per field (w: who, r: who),
// sizes asserted. Any change here changes SL_SHM_MAJOR (old readers would misread) or SL_SHM_MINOR (they would not).
#ifndef SL_SHM_LAYOUT_H
#define SL_SHM_LAYOUT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include "base/ip.h"
#include "shm/balance.h"
#include "shm/prefilter.h"
#include "shm/segment_header.h"
#include "tcp/trace.h"

// ---- board --------------------------------------------------------------------------------------------------
struct sl_board_worker { /* w: that worker  r: control, housekeeping */
    uint64_t live_generation; // the generation whose tables it uses
    uint64_t bursts;          // passes of its loop: moves on => no reference to anything older is held
    uint32_t lcore;
    uint32_t cpu;
    uint64_t pad[5];
};
static_assert(sizeof(struct sl_board_worker) == 64, "a line per worker");

struct sl_board {
    struct sl_segment segment;
    /* w: control  r: all */
    uint64_t published; // generation to use, 0 before the first
    uint64_t next_serial;
    uint32_t control_pid;
    uint32_t control_pad;
    uint64_t control_heartbeat_ns; // CLOCK_MONOTONIC
    uint64_t control_line[4];
    /* w: housekeeping thread of the data plane  r: all */
    uint64_t incarnation; // counts starts of the data plane
    uint32_t dp_pid;
    uint32_t worker_count;
    uint64_t dp_heartbeat_ns; // CLOCK_MONOTONIC
    uint64_t dp_start_ns;     // CLOCK_MONOTONIC
    uint64_t tsc_hz;
    uint64_t loaded;  // newest generation that passed its checks and was handed to the workers
    uint64_t refused; // newest generation that did not; `refusal` was written before it
    uint64_t dp_pad;
    char refusal[256]; // NUL-terminated sentence
    struct sl_board_worker worker[SL_MAX_WORKERS];
};
static_assert(offsetof(struct sl_board, published) == 64, "control's line");
static_assert(offsetof(struct sl_board, incarnation) == 128, "housekeeping's line");
static_assert(offsetof(struct sl_board, worker) == 448, "a line per worker, aligned");

// ---- generation ---------------------------------------------------------------------------------------------
struct sl_table_ref { /* w: control, before publishing  r: housekeeping */
    uint32_t kind;    // enum sl_segment_kind
    uint32_t pad;
    uint64_t serial; // file "<kind name>.<serial>"
    uint64_t size;
    uint64_t checksum; // XXH3 of the file behind its header; not looked at where epoch > 0 (updated in place)
};

struct sl_generation { /* w: control, before publishing  r: housekeeping */
    struct sl_segment segment;
    uint64_t number;
    uint64_t config_hash; // XXH3 of the printed config it was compiled from
    uint32_t table_count;
    uint32_t pad;
    struct sl_table_ref table[8];
};

// ---- port table ---------------------------------------------------------------------------------------------
enum sl_port_flag {
    SL_PORT_TWIN = 1 << 0,       // has a kernel twin (a tap of the port's name)
    SL_PORT_NAT = 1 << 1,        // IPv4 packets from here may belong to translated flows: look them up
    SL_PORT_PREFILTER = 1 << 2,  // has prefilter rules
    SL_PORT_MARTIANS = 1 << 3,   // drop sources that cannot be (RFC 1812 5.3.7, RFC 6890)
    SL_PORT_ADMIN_DOWN = 1 << 4, // configured but not to be used
};

struct sl_port_addr {
    struct sl_ip ip;
    uint8_t len; // prefix length in its own family
    uint8_t pad[7];
};

struct sl_port { /* w: control, before publishing  r: data plane */
    char name[SL_PORT_NAME];     // "" : the slot is free. A port keeps its slot for the life of the run directory
    char device[SL_DEVICE_TEXT]; // "af_xdp:eth0" and so on, as in the config
    uint32_t flags;              // enum sl_port_flag
    uint16_t mtu;                // bytes of IP
    uint16_t queues;             // 0: as many as there are workers, or as the device can
    uint16_t mss_clamp_v4;       // largest MSS let through in SYNs that leave here, 0: do not touch
    uint16_t mss_clamp_v6;
    uint8_t mac[6]; // zero: the device's own
    uint16_t addr_count;
    uint32_t pad;
    struct sl_port_addr addr[SL_MAX_PORT_ADDRS];
};

struct sl_static_neighbor {
    struct sl_ip ip;
    uint16_t port;
    uint8_t mac[6];
};

enum sl_endpoint_kind {
    SL_ENDPOINT_NONE,
    SL_ENDPOINT_ECHO,    // RFC 862
    SL_ENDPOINT_DISCARD, // RFC 863
    SL_ENDPOINT_CHARGEN, // RFC 864
    SL_ENDPOINT_KINDS
};

#define SL_ENDPOINT_NAME 32
#define SL_MAX_ENDPOINTS 128

struct sl_own_endpoint { // TCP that the data plane itself speaks, at an address of ours
    char name[SL_ENDPOINT_NAME];
    struct sl_ip address; // zero of its family: every address of a port
    uint16_t port;        // host byte order
    uint8_t kind;         // enum sl_endpoint_kind
    uint8_t pad;
    uint32_t connections; // at once, over all workers; 0: as many as there is room for
    uint32_t idle_s;      // silence after which the peer is asked whether it is there; 0: never
    uint32_t pad2;
};
static_assert(sizeof(struct sl_own_endpoint) == 64, "a line");

enum sl_tcp_congestion {
    SL_TCP_CONGESTION_CUBIC,   // RFC 9438
    SL_TCP_CONGESTION_NEWRENO, // RFC 5681
    SL_TCP_CONGESTION_BBR,     // draft-ietf-ccwg-bbr
    SL_TCP_CONGESTIONS
};

struct sl_settings { /* w: control, before publishing  r: data plane */
    uint64_t flow_capacity; // flows in all, over all workers; read when the data plane starts
    uint32_t neighbor_capacity;
    uint32_t icmp_error_rate; // ICMP errors a second, per worker
    uint32_t icmp_error_burst;
    uint32_t neighbor_reachable_ms; // RFC 4861 section 10
    uint32_t fragment_timeout_ms;
    uint32_t tcp_connections; // of endpoints, over all workers; read when the data plane starts
    uint32_t tcp_congestion;  // enum sl_tcp_congestion, of endpoints' connections from now on; unknown: CUBIC
    uint32_t pad[5];
};
static_assert(sizeof(struct sl_settings) == 56, "settings");

struct sl_port_table {
    struct sl_segment segment;
    struct sl_settings settings;
    uint32_t port_count; // slots used, holes included
    uint32_t neighbor_count;
    uint64_t neighbor_offset; // struct sl_static_neighbor[neighbor_count], bytes from the file's start
    uint64_t port_offset;     // struct sl_port[port_count]
    uint64_t endpoint_offset; // struct sl_own_endpoint[endpoint_count]
    uint32_t endpoint_count;
    uint32_t pad[5];
};

// ---- route table --------------------------------------------------------------------------------------------
// Tries hold 23-bit values (src/table/lpm.h): here an index into the next hops. Index 0 is always "no route".
enum sl_nexthop_kind {
    SL_NEXTHOP_NONE,      // no route: drop, ICMP net unreachable
    SL_NEXTHOP_CONNECTED, // on the link of `port`: the neighbor is the destination itself
    SL_NEXTHOP_GATEWAY,   // on the link of `port`: the neighbor is `gateway`
    SL_NEXTHOP_LOCAL,     // an address of the gateway itself, on `port`: to the kernel twin
    SL_NEXTHOP_BROADCAST, // a subnet broadcast of `port`
    SL_NEXTHOP_POOL,      // an outside address of NAT, or one of a service: nobody's here but for them
    SL_NEXTHOP_BLACKHOLE, // drop silently
    SL_NEXTHOP_REJECT,    // drop, ICMP administratively prohibited
    SL_NEXTHOP_GROUP,     // one of `group_count` next hops, chosen by flow hash
    SL_NEXTHOP_KINDS
};

struct sl_nexthop { /* w: control, before an entry of a trie names it  r: workers */
    uint8_t kind;   // enum sl_nexthop_kind
    uint8_t pad0;
    uint16_t port;        // slot in the port table
    uint32_t group_count; // of a group: slots; a member of weight w holds w of them
    uint32_t group_first; // of a group: index into group_slot[]
    uint32_t refs;        // w: control  r: control
    struct sl_ip gateway;
};
static_assert(sizeof(struct sl_nexthop) == 32, "two to a line");

struct sl_route_table { /* w: control  r: data plane. Updated in place, as the balance table is */
    struct sl_segment segment;
    uint64_t epoch;          // counts in-place updates; release-stored after each
    uint64_t route_count_v4; // w: control  r: ctl
    uint64_t route_count_v6;
    uint64_t nexthop_offset; // struct sl_nexthop[nexthop_capacity]
    uint32_t nexthop_count;
    uint32_t nexthop_capacity;
    uint64_t group_offset; // uint32_t[group_capacity]: next-hop indices
    uint32_t group_count;
    uint32_t group_capacity;
    uint64_t lpm_offset; // an LPM blob (src/table/lpm.h) with a v4 and a v6 trie, 64-byte aligned
    uint64_t lpm_size;   // bytes, free room for updates included
    uint64_t hash_seed;  // of the ECMP hash: kept from table to table, so that flows keep their path over an apply
    uint64_t reserved[5];
};

// ---- NAT table ----------------------------------------------------------------------------------------------
#define SL_NAT_NAME 32
#define SL_NAT_BLOCK_PORTS 64                              // ports to a block
#define SL_NAT_FIRST_PORT 1024                             // ports below are only for forwards
#define SL_NAT_BLOCKS ((65536 - SL_NAT_FIRST_PORT) / SL_NAT_BLOCK_PORTS) // 1008 blocks an address

enum sl_nat_filtering { // RFC 4787 section 5: who may send in through a mapping
    SL_NAT_FILTER_ENDPOINT_INDEPENDENT,
    SL_NAT_FILTER_ADDRESS,
    SL_NAT_FILTER_ADDRESS_PORT,
};

struct sl_nat_pool {
    char name[SL_NAT_NAME];
    uint32_t first; // index of its first address in address[]
    uint32_t count;
    uint32_t blocks_per_subscriber; // most blocks an inside address may hold per protocol
    uint8_t filtering;              // enum sl_nat_filtering
    uint8_t pad[3];
};

struct sl_nat_source { // first match in the config's order
    struct sl_prefix inside;
    uint16_t port; // out port slot
    uint16_t pool;
    uint32_t pad;
};

struct sl_nat_static { // 1:1, both ways, sorted by inside address
    sl_be32 inside;
    sl_be32 outside;
};

struct sl_nat_forward { // sorted by (outside, proto, first)
    sl_be32 outside;
    sl_be32 inside;
    uint16_t outside_first; // host byte order
    uint16_t outside_last;
    uint16_t inside_first;
    uint8_t proto; // IPPROTO_TCP or IPPROTO_UDP
    uint8_t pad;
};

struct sl_nat_timeouts { // seconds; RFC 4787 REQ-5, RFC 5382 REQ-5, RFC 5508 REQ-2
    uint32_t udp;
    uint32_t udp_dns; // destination port 53, one query one answer (RFC 4787 REQ-5a allows shorter well-known ports)
    uint32_t icmp;
    uint32_t tcp_established;
    uint32_t tcp_transitory; // half-open or closing
    uint32_t other;
};

struct sl_nat_table { /* w: control, before publishing  r: data plane */
    struct sl_segment segment;
    struct sl_nat_timeouts timeouts;
    uint32_t pool_count, source_count, static_count, static_outside_count, forward_count, address_count;
    uint64_t pool_offset;           // struct sl_nat_pool[]
    uint64_t address_offset;        // sl_be32[]: pool addresses, in the order of the pools
    uint64_t address_sorted_offset; // struct { sl_be32 addr; uint32_t index; }[] sorted by host-order address
    uint64_t source_offset;         // struct sl_nat_source[]
    uint64_t static_offset;         // struct sl_nat_static[]
    uint64_t static_outside_offset; // struct sl_nat_static[], the same sorted by outside address
    uint64_t forward_offset;        // struct sl_nat_forward[]
};

// ---- prefilter table ----------------------------------------------------------------------------------------
// Rules and ports of the prefilter are in shm/prefilter.h: the XDP program reads them too.
struct sl_prefilter_set {
    char name[SL_NAT_NAME];
    uint64_t entries_v4, entries_v6;
    uint64_t blob_offset; // an LPM blob (src/table/lpm.h) with a v4 and a v6 trie, from the file's start
    uint64_t blob_size;   // bytes, a multiple of 64
    uint64_t pad[2];
};

struct sl_prefilter_table { /* w: control, before publishing  r: data plane */
    struct sl_segment segment;
    uint32_t set_count;
    uint32_t port_count;
    uint64_t set_offset;  // struct sl_prefilter_set[]
    uint64_t port_offset; // struct sl_prefilter_port[port_count]
};

// ---- counters -----------------------------------------------------------------------------------------------
enum sl_counter { // the table is counter.def
#define SL_COUNTER(name, text) SL_COUNTER_##name,
#include "shm/counter.def"
#undef SL_COUNTER
    SL_COUNTER_KINDS
};

enum sl_stage { // the pipeline, left to right; the table is stage.def
#define SL_STAGE(name, text) SL_STAGE_##name,
#include "shm/stage.def"
#undef SL_STAGE
    SL_STAGE_KINDS
};
static_assert(SL_STAGE_KINDS <= SL_MAX_STAGES, "room for every stage");
static_assert(SL_DROP_KINDS <= 96 && SL_COUNTER_KINDS <= 96, "room in a worker's counter block");

struct sl_port_counters { /* w: the worker  r: all */
    uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
    uint64_t drop_packets; // packets received here that were dropped, for whatever reason
    uint64_t pad[3];
};

struct sl_stage_counters {
    uint64_t cycles, packets;
};

// Blocks 0..worker_count-1 are the workers', block SL_MAX_WORKERS is the housekeeping thread's.
struct sl_counter_block { /* w: its thread alone, plain stores  r: all */
    uint64_t drop[96];    // by enum sl_drop
    uint64_t counter[96]; // by enum sl_counter
    struct sl_stage_counters stage[SL_MAX_STAGES];
    uint64_t busy_cycles; // cycles of loop passes that did something
    uint64_t idle_cycles; // cycles of passes that found nothing
    uint64_t pad[6];
    struct sl_port_counters port[SL_MAX_PORTS];
    uint64_t prefilter_hit[SL_MAX_PORTS][SL_PREFILTER_RULES];
};
static_assert(sizeof(struct sl_counter_block) % SL_CACHE_LINE == 0, "blocks do not share lines");

// A port's device as the data plane runs it, renewed about once a second. All zero: the slot has none.
struct sl_port_state { /* w: housekeeping  r: control (may see a torn entry; only shows it) */
    uint8_t mac[6];         // in use
    uint8_t link_up;        // 0 or 1
    uint8_t xdp_prefilter;  // 1: the XDP program filters, 0: the worker does
    uint16_t rx_queues, tx_queues;
    uint32_t speed_mbps; // 0: not known
    char driver[16];     // "af_xdp"; ended
    uint64_t rx_missed;    // the device had no room for them
    uint64_t rx_errors;    // came in broken
    uint64_t rx_no_buffer; // the driver found no packet buffer
    uint64_t tx_errors;
};
static_assert(sizeof(struct sl_port_state) == 64, "a line");

struct sl_counter_segment {
    struct sl_segment segment;
    uint64_t start_ns; // CLOCK_MONOTONIC of the counters' zero
    uint64_t pad[7];
    struct sl_counter_block block[SL_MAX_WORKERS + 1];
    struct sl_port_state port[SL_MAX_PORTS];
};

// ---- flows --------------------------------------------------------------------------------------------------
struct sl_flow_key { // all in network byte order; packed so that two keys and the rest fill two cache lines
    struct sl_ip src, dst;
    sl_be16 sport, dport; // ICMP queries: the identifier in both (RFC 5508 section 3.1); other protocols: 0
} __attribute__((packed, aligned(4)));
static_assert(sizeof(struct sl_flow_key) == 36, "key");

enum sl_flow_kind {
    SL_FLOW_FREE,
    SL_FLOW_NAT_SOURCE,
    SL_FLOW_NAT_STATIC,
    SL_FLOW_NAT_FORWARD,
    SL_FLOW_BALANCE,
    SL_FLOW_KINDS
};

enum sl_flow_state { // what the timeout is chosen by
    SL_FLOW_NEW,         // one side has spoken (TCP: SYN seen)
    SL_FLOW_ESTABLISHED, // both have (TCP: handshake done)
    SL_FLOW_CLOSING,     // TCP: FIN or RST seen
    SL_FLOW_STATES
};

enum sl_flow_flag {
    SL_FLOW_FIN_0 = 1 << 0, // TCP: FIN seen in direction 0
    SL_FLOW_FIN_1 = 1 << 1,
    SL_FLOW_RST = 1 << 2,
    SL_FLOW_SYN_0 = 1 << 3, // TCP: SYN seen in direction 0
    SL_FLOW_SYN_1 = 1 << 4,
    SL_FLOW_INBOUND = 1 << 5, // opened from outside: key0 is (remote, outside), key1 (inside, remote)
    SL_FLOW_HAIRPIN = 1 << 6, // the remote end is an outside address of ours: translate the inside's packets again
    SL_FLOW_CONTACT = 1 << 7, // of NAT's kinds: counted among those its mapping has sent to (derived)
    SL_FLOW_CUT = 1 << 7, // of SL_FLOW_BALANCE, not derived: its member was taken away, either end gets resets
};

// A flow is two keys: [0] as its opener's packets arrive, [1] as the answers arrive. Translation of a packet that
// matches key[d]: source becomes key[!d].dst, destination becomes key[!d].src. A lookup in direction d touches the
// line of key[d] and, to rewrite, that of the other; what each packet writes stands on the line of its direction.
// The array of these is the truth: index, timers and mappings are derived, and rebuilt by whoever adopts the file.
//
// A balanced flow (SL_FLOW_BALANCE) is always opened from outside: key0 is (client, service), SL_FLOW_INBOUND is set, and
// key1 is (member, client), or (member, source[] address) with full NAT: what answers look like when they arrive. With
// direct return and tunnels no answers come; key1 is then (member, client) all the same, and packets leave unchanged.
// Addresses of the two keys may be of different families. Its `mapping` is not derived but truth: service and member by
// their slots (SL_FLOW_MAPPING), and must be kept when flows are adopted.
struct sl_flow { /* w: the owning worker  r: control (may see a torn entry; only prints it) */
    struct sl_flow_key key0;
    uint8_t kind; // enum sl_flow_kind; stored last when created, first when freed
    uint8_t proto;
    uint8_t state; // enum sl_flow_state
    uint8_t flags; // enum sl_flow_flag
    uint32_t seen_ms;  // CLOCK_MONOTONIC, wrapping
    uint32_t nexthop0; // cached for packets of direction 0, valid where route_epoch is the table's
    uint32_t packets0;
    uint32_t route_epoch;
    uint64_t bytes0;

    struct sl_flow_key key1;
    uint32_t wheel_next; // timer wheel: entry index, derived
    uint32_t wheel_prev;
    uint32_t nexthop1;
    uint32_t packets1;
    uint32_t mapping; // NAT mapping, derived. Of SL_FLOW_BALANCE: SL_FLOW_MAPPING(), not derived
    uint64_t bytes1;
} __attribute__((aligned(128)));
static_assert(sizeof(struct sl_flow) == 128, "two lines");
static_assert(offsetof(struct sl_flow, key1) == 64, "a line per direction");

#define SL_FLOW_MAPPING(service_slot, member_slot) ((uint32_t)(service_slot) << 19 | (uint32_t)(member_slot))
#define SL_FLOW_SERVICE(mapping)                   ((uint32_t)(mapping) >> 19)
#define SL_FLOW_MEMBER(mapping)                    ((uint32_t)(mapping) & 0x7ffff)
static_assert(SL_FLOW_MAPPING(SL_BALANCE_SERVICES - 1, SL_BALANCE_MEMBERS - 1) < UINT32_MAX, "UINT32_MAX is none");

struct sl_flow_segment { /* w: the owning worker  r: control */
    struct sl_segment segment;
    uint32_t worker;
    uint32_t worker_count; // of the data plane that wrote it: another count re-homes the flows
    uint32_t capacity;     // entries
    uint32_t used;         // entries in use
    uint64_t entry_offset; // struct sl_flow[capacity]
    uint64_t boot_id_hash; // seen_ms means nothing after a reboot
    uint64_t pad[4];
};
static_assert(sizeof(struct sl_flow_segment) == 128, "");

// ---- endpoints' connections --------------------------------------------------------------------------------------
struct sl_endpoint_segment { /* w: the worker, made anew at each start  r: control (may see a torn entry; only prints it) */
    struct sl_segment segment;
    uint32_t worker;
    uint32_t worker_count;
    uint32_t capacity; // connections
    uint32_t used;     // of them open, half-open ones included
    uint64_t trace_offset; // struct tcp_trace[capacity], by the engine's slots
    uint64_t pad[5];
};
static_assert(sizeof(struct sl_endpoint_segment) == 128, "traces begin on a line");

// ---- neighbors ----------------------------------------------------------------------------------------------
enum sl_neighbor_state { // RFC 4861 section 7.3.2; ARP entries use the same machine
    SL_NEIGHBOR_FREE,
    SL_NEIGHBOR_INCOMPLETE,
    SL_NEIGHBOR_REACHABLE,
    SL_NEIGHBOR_STALE,
    SL_NEIGHBOR_DELAY,
    SL_NEIGHBOR_PROBE,
    SL_NEIGHBOR_FAILED,
    SL_NEIGHBOR_STATIC,
    SL_NEIGHBOR_STATES
};

struct sl_neighbor { /* w: housekeeping  r: workers, control */
    struct sl_ip ip;
    uint64_t mac_state; // one atomic word: byte 0-5 the MAC, byte 6 enum sl_neighbor_state, byte 7 the keys the slot has held
    uint16_t port;
    uint16_t pad;
    uint32_t updated_ms; // when the state last changed, CLOCK_MONOTONIC, wrapping
    uint32_t used;       // w: workers (plain store of 1, racy by intent)  r, cleared: housekeeping
    uint32_t probes;
    uint64_t pad2[3];
};
static_assert(sizeof(struct sl_neighbor) == 64, "a line");

struct sl_neighbor_segment {
    struct sl_segment segment;
    uint32_t capacity; // slots, a power of two; open addressing in windows of 16 slots
    uint32_t used;     // entries in use
    uint64_t entry_offset;
    uint64_t seed; // of the hash: drawn when the file is made, so that nobody can aim at one window
    uint64_t pad[5];
};

// ---- rings --------------------------------------------------------------------------------------------------
// Bounded, one producer, one consumer, records of SL_RING_RECORD bytes. A full ring counts a loss, never waits.
#define SL_RING_RECORD 128

struct sl_ring {
    struct sl_segment segment;
    uint64_t head; /* w: producer  r: consumer */
    uint64_t lost; /* w: producer  r: all */
    uint64_t head_pad[6];
    uint64_t tail; /* w: consumer  r: producer */
    uint64_t tail_pad[7];
    uint32_t capacity; // records, a power of two
    uint32_t record;   // SL_RING_RECORD
    uint64_t pad[7];
    uint8_t slot[][SL_RING_RECORD];
};

// Control -> data plane, ring "command", carried out by housekeeping (which forwards to workers); each is answered
// by an event with the same id in "event".
enum sl_command_kind {
    SL_COMMAND_FLOW_KILL = 1, // flows matching `match`
    SL_COMMAND_NEIGHBOR_FLUSH,
    SL_COMMAND_COUNTER_CLEAR_PEAKS, // reserved
};

struct sl_flow_match { // zero: any
    struct sl_prefix inside, outside, remote; // {::, 0} any
    uint16_t inside_port, outside_port, remote_port; // host byte order
    uint8_t proto;
    uint8_t kind; // enum sl_flow_kind
};

struct sl_command {
    uint32_t kind;
    uint32_t pad;
    uint64_t id;
    union {
        struct sl_flow_match flow;
        struct {
            struct sl_ip ip; // zero: all of the port
            uint16_t port;   // 0xffff: all ports
        } neighbor;
    };
};
static_assert(sizeof(struct sl_command) <= SL_RING_RECORD, "fits a record");

struct sl_event { // data plane -> control
    uint32_t kind;  // enum sl_command_kind of the command answered
    int32_t status; // 0 or -errno
    uint64_t id;
    uint64_t count; // flows killed, neighbors flushed
    char text[96];
};
static_assert(sizeof(struct sl_event) <= SL_RING_RECORD, "fits a record");

#endif
