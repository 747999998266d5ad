// SPDX-License-Identifier: Apache-2.0
// The engine's insides, shared by the files of this folder and by nobody else. A segment's way:
//
//     input.c  finds the connection, checks in the order of RFC 9293 section 3.10.7
//       syn.c      LISTEN, SYN-SENT, SYN-RECEIVED, cookies        time_wait.c  tuples that wait
//       fast_open.c  data on a SYN (RFC 7413)
//       ack.c      what the acknowledgement brings: scoreboard.c (SACK), rack.c, recovery.c, rtt.c, rate.c, cc_*.c
//       receive.c  what the payload brings: reassemble.c (out of order, ranges.c), window, when to acknowledge
//     detach.c takes connections out, attach.c puts them in
//     output.c sends, refuse.c to who is not wanted; timer.c does what time brings; api.c is the caller's side; pool.c, table.c, engine.c hold it all
//
// Everything is an index into an array made at start. One thread.
#ifndef TCP_ENGINE_H
#define TCP_ENGINE_H

#include "base/hash.h"
#include "tcp/cc.h"
#include "tcp/options.h"
#include "tcp/secret.h"
#include "tcp/seq.h"
#include "tcp/tcp.h"
#include "tcp/trace.h"
#include "tcp/wheel.h"

#define TCP_NONE           UINT32_MAX
#define TCP_MSS_DEFAULT    536u // RFC 9293 section 3.7.1, MUST-15
#define TCP_MSS_DEFAULT_V6 1220u
#define TCP_MSS_MIN                                                                                          \
    88u // of what we send: a peer that asks for less costs us more than it gets (CVE-2019-11479)
#define TCP_MTU_MIN    576u  // below which no ICMP error takes us (RFC 1191 section 3, and Linux's min_pmtu)
#define TCP_MTU_MIN_V6 1280u // RFC 8200 section 5
#define TCP_RANGES_MAX 8192u      // ranges out of order of a connection
#define TCP_SACK_STEPS 2048u      // records looked at for one acknowledgement's SACK blocks, at most
#define TCP_WINDOW_MAX (1u << 30) // RFC 7323 section 2.3

#define TCP_CONN_LINE 64u // bytes of a cache line

#define TCP_MS    1000ull
#define TCP_S     1000000ull
#define TCP_NEVER UINT64_MAX

#define TCP_RTO_INITIAL_US (1 * TCP_S)    // RFC 6298 section 2.1
#define TCP_RTO_MIN_US     (200 * TCP_MS) // below RFC 6298's 1 s, as everybody: Linux's
#define TCP_RTO_MAX_US     (120 * TCP_S)
#define TCP_DELACK_US      (40 * TCP_MS)  // RFC 9293 MUST-58: under 500 ms
#define TCP_DELACK_MAX_US  (200 * TCP_MS) // what a peer may take: WCDelAckT of RFC 8985
#define TCP_QUICK_ACKS     16u // segments acknowledged at once at a connection's beginning and after a loss
#define TCP_TIME_WAIT_US   (60 * TCP_S)                // 2 MSL, Linux's
#define TCP_PAWS_AGE_US    (24ull * 24 * 3600 * TCP_S) // RFC 7323 section 5.5
#define TCP_OOW_ACK_US     (500 * TCP_MS) // one answer in this time to segments out of the window, per connection
#define TCP_LOOK_AGAIN_US  (10 * TCP_MS)  // of who waits for memory that others hold
#define TCP_MIN_RTT_US     (300 * TCP_S) // how long a minimum of the round trip is believed

// ---- what lies in pools -------------------------------------------------------------------------------------
union tcp_item { // 32 bytes
    struct {     // bytes in somebody's buffer: of a receive queue, or of a send queue
        void *owner;
        const uint8_t *data;
        uint32_t seq; // of data[0]
        uint32_t len; // bytes
        uint32_t charge;
        uint32_t next;
    };
    struct { // a range of a receive queue out of order; its items follow each other without a gap
        uint32_t start, end;
        uint32_t head, tail;  // items
        uint32_t left, right; // ranges.c
        uint32_t priority;
    };
};

enum tcp_record_flag {
    TCP_SENT_SACKED = 1 << 0,
    TCP_SENT_LOST = 1 << 1,
    TCP_SENT_RETRANS = 1 << 2, // a repetition is on its way (and not lost again)
    TCP_SENT_EVER = 1 << 3,    // was repeated at least once
    TCP_SENT_FIN = 1 << 4,     // the last of its sequence numbers is the FIN's
    TCP_SENT_TIMED = 1 << 5,   // in the list by time
};

struct tcp_record {   // a segment in flight, 40 bytes
    uint64_t sent_us; // last time
    uint32_t seq, end;
    uint32_t chunk;          // item in which seq lies, TCP_NONE for a lone FIN
    uint32_t next, prev;     // by sequence
    uint32_t later, earlier; // by time of sending (RFC 8985 section 5.2); only those not SACKed and not lost
    uint8_t flags, sends;
    uint16_t pad;
};

enum tcp_recovery { TCP_OPEN, TCP_CWR, TCP_RECOVERY, TCP_LOSS };

enum tcp_rtx_timer {
    TCP_RTX_NONE,
    TCP_RTX_RTO,
    TCP_RTX_PROBE,
    TCP_RTX_REORDER,
    TCP_RTX_PERSIST,
    TCP_RTX_SYN
};

enum tcp_conn_flag {
    TCP_IN_USE = 1 << 0,
    TCP_PASSIVE = 1 << 1,    // begun by the peer
    TCP_ORPHAN = 1 << 2,     // the caller closed it
    TCP_FIN_QUEUED = 1 << 3, // a FIN follows what is queued
    TCP_FIN_SENT = 1 << 4,
    TCP_FIN_RECEIVED = 1 << 5, // and everything before it
    TCP_FIN_AHEAD = 1 << 6,    // a FIN came out of order: at rx_fin
    TCP_RATED = 1 << 7, // the congestion control asks for delivery rates: cc.rate is there
    TCP_ACK_NOW = 1 << 8,
    TCP_ACK_DELAYED = 1 << 9,
    TCP_ECN_ON = 1 << 10,
    TCP_ECN_ECHO = 1 << 11, // we say ECE until CWR comes
    TCP_ECN_CWR = 1 << 12,  // the next new data says CWR
    TCP_TS_ON = 1 << 13,
    TCP_SACK_ON = 1 << 14,
    TCP_WSCALE_ON = 1 << 15,
    TCP_URG_QUEUED = 1 << 16, // up to snd_up
    TCP_REORDER_SEEN = 1 << 17,
    TCP_TLP_OUT = 1 << 18,
    TCP_TLP_RETRANS = 1 << 19,
    TCP_FRTO = 1 << 20,
    TCP_UNDO = 1 << 21,         // undo_una is valid
    TCP_WANT_WRITE = 1 << 22,   // WRITABLE is owed
    TCP_PROBE_NOW = 1 << 23,    // a tail loss probe is due at the next output
    TCP_WINDOW_PROBE = 1 << 24, // a probe of a closed window is due at the next output
    TCP_KEEPALIVE_NOW = 1 << 25,
    TCP_CWND_LIMITED = 1 << 26, // the congestion window held output back since the last ACK
    TCP_SYN_NOW = 1 << 27,      // SYN or SYN-ACK is due at the next output
    TCP_DUP_ACK = 1 << 28,      // the ACK to send must not wait for data: duplicate or challenge
    TCP_MTU_PROBE_OUT = 1 << 29, // a segment larger than the MTU in use is on its way (RFC 4821)
    TCP_FORCE_SEND = 1 << 30,   // the persist timer overrides Nagle and silly-window avoidance
    TCP_RESIDUE = INT32_MIN,    // bit 31. Detached: repeats what it has sent or queued, and nothing else (join.h)
};

// A connection. Fields lie by who touches them, a cache line each group: what an in-order segment of a bulk transfer and the
// acknowledgement of it need of a receiver is the first five lines; a sender's acknowledgement needs the next four as
// well. What is rare comes last. tcp_conn_prefetch() asks for lines by these groups.
struct tcp_conn {
    // -- line 0: who
    struct tcp_tuple tuple;
    uint32_t hash_next;
    uint32_t flags; // enum tcp_conn_flag
    uint8_t state;  // enum sl_tcp_state
    uint8_t rtx;    // enum tcp_rtx_timer
    uint8_t recovery;
    uint8_t events;                   // told by the next sl_tcp_event
    uint32_t event_next, output_next; // TCP_NONE where in no list: see event_listed, output_listed
    bool event_listed, output_listed;
    bool urgent;    // rcv_up is in front of the reader
    uint8_t probes; // of keepalive or persist without answer
    // -- line 1: receive
    uint32_t rcv_nxt;
    uint32_t rcv_wup;   // rcv_nxt as last acknowledged (Last.ACK.sent of RFC 7323)
    uint32_t rcv_edge;  // right edge of the window as last told; never moves left
    uint32_t rx_unread; // bytes in order, not read
    uint32_t rx_charge; // bytes that all its received buffers hold
    uint32_t rx_limit;  // window that is aimed at, bytes
    uint32_t rx_head, rx_tail;
    uint32_t rx_ranges; // root of their tree
    uint32_t ts_recent;
    uint64_t ts_recent_us; // when it was taken
    uint16_t rcv_mss;      // largest segment lately seen
    uint8_t n_sacks;
    uint8_t rcv_wscale, snd_wscale;
    uint8_t quick_acks;                   // segments left to be acknowledged at once
    uint8_t full_segments;                // full ones since the last ACK
    const struct sl_tcp_options *options; // of a profile, which connections with the same share
    // -- line 2: receive, and growth of its window
    struct tcp_sack dsack; // end == start: none
    uint32_t ts_offset;
    uint32_t segments_in, segments_out;
    uint32_t drs_read;
    union {
        uint64_t drs_us;
        uint64_t left_us; // of a residue: when it was detached; all that passes it is sent later
    };
    uint32_t drs_rtt_us;
    union {
        uint32_t drs_rtt_seq;
        uint32_t ts_held; // of a residue: what its segments say, the clock being another's
    };
    uint64_t drs_rtt_at_us;
    uint64_t bytes_received;
    void *user;
    // -- line 3: times, microseconds
    uint64_t rtx_us; // of the timer that `rtx` names
    uint64_t delack_us;
    uint64_t slow_us;     // keepalive, FIN-WAIT-2, user timeout
    uint64_t pace_due_us; // the timer for pace_us, where data waits
    uint64_t write_us;    // when a sender who found no room and has nothing queued looks again
    uint64_t armed_us;    // what the wheel has
    uint64_t heard_us;    // last segment in
    struct sl_tcp_engine *engine;
    // -- line 4: send
    uint32_t snd_una, snd_nxt, snd_wnd, snd_wl1, snd_wl2;
    uint32_t snd_end;    // behind the last queued byte
    uint32_t max_window; // largest the peer ever told
    uint32_t tx_charge;
    uint32_t tx_head, tx_tail, tx_next; // items; tx_next holds snd_nxt, TCP_NONE: nothing unsent
    uint32_t sent_head;                 // records by sequence, to sent_tail
    uint32_t sacked, lost, retrans;     // bytes of records with these flags
    uint16_t snd_mss;                   // payload of a full segment, options of data segments taken off
    int16_t error;
    // -- line 5: what is in flight
    uint32_t sent_tail;
    uint32_t sent_first, sent_last; // records by time
    uint32_t n_sent;                // records
    uint32_t n_sacked;              // records SACKed: what DupThresh counts
    uint32_t sack_hint;             // record where the last SACK block ended
    uint32_t lost_hint;             // before it no record is lost and not repeated
    uint32_t lost_total;            // bytes ever marked lost, modulo 2^32: an ACK sees whether there was news
    uint32_t small_end;             // behind the last segment that was not full (Minshall's Nagle)
    uint32_t fack;                  // behind the highest byte SACKed (detects reordering)
    uint8_t backoff;
    uint8_t dup_acks;   // without SACK
    uint8_t black_hole; // timeouts in a row of full segments
    uint8_t timeouts;   // in a row without an acknowledgement; backoff goes with a round trip only
    uint32_t high_seq;  // recovery ends when it is acknowledged
    uint64_t bytes_acked;
    uint64_t stalled_us; // since when nothing was acknowledged although something is out; 0: it is not so
    // -- line 6: round trip, pace
    uint32_t srtt_us, rttvar_us, min_rtt_us, rto_us;
    uint64_t min_rtt_at_us;
    uint32_t rack_end, rack_rtt_us;
    uint64_t rack_sent_us;
    uint64_t sent_us;  // last data out
    uint64_t rate_bps; // pacing, bytes per second; 0: none
    uint64_t pace_us;  // no new data before
    // -- lines 7 and 8: congestion control, and what goes with it
    struct tcp_cc cc;
    uint64_t mtu_us;      // when a larger MTU may be tried; 0: it is the largest
    uint32_t flight_most; // bytes: the most in flight since flight_end was sent
    uint32_t flight_end;  // a round trip is over when it is acknowledged
    // -- recovery
    uint8_t rack_steps, rack_persist; // of reo_wnd (RFC 8985 section 6.2 step 4)
    bool recover_set;                 // high_seq is RFC 6582's recover, left over from a recovery
    uint32_t rack_dsack_round;
    uint32_t tlp_end;
    uint32_t prr_delivered, prr_out, prr_prior;
    uint32_t undo_una;
    uint32_t frto_una;    // snd_una at the timeout that F-RTO judges
    int32_t undo_retrans; // repetitions that a DSACK has not told to be needless
    uint32_t retrans_ts;  // TSval of the first repetition (RFC 3522); 0: none
    uint32_t ecn_seq;     // one reduction a window: until it is acknowledged
    // -- the rest
    uint32_t n_ranges; // out of order
    uint32_t rx_fin;
    uint32_t rcv_up; // first byte that is not urgent, where `urgent`
    uint32_t snd_up;
    uint32_t iss;
    uint16_t peer_mss;
    uint16_t path_mtu;
    uint16_t mtu_probe;                   // larger MTU to be tried next; 0: none
    bool tfo_wanted;                      // the SYN-ACK carries a cookie of Fast Open
    bool fast_open;                       // given to the caller with its SYN (RFC 7413)
    uint32_t mtu_probe_end;               // behind the probe in flight, where TCP_MTU_PROBE_OUT
    uint32_t mtu_probe_lost;              // bytes of a probe that this acknowledgement found lost
    uint32_t listener;                    // index, until the caller was told of the connection; TCP_NONE
    uint32_t retransmits;                 // segments
    uint32_t traced;                      // records written
    struct tcp_sack sacks[TCP_SACKS_MAX]; // latest first (RFC 2018 section 4)
    union {
        struct tcp_sack heard[TCP_SACKS_MAX]; // blocks of the last ACK, which the next repeats; start == end: none
        struct {
            uint32_t half_next, half_prev; // of the listener's half-open ones, in SYN-RECEIVED
        };
    };
    uint64_t oow_us;                      // last answer to a segment out of the window
    uint64_t traced_from_us;
} __attribute__((aligned(TCP_CONN_LINE)));

struct tcp_profile { // options that connections share, counted
    uint32_t refs;
    struct sl_tcp_options options;
};

#define TCP_PROFILES_TRIED 8u // the latest, which new connections are compared with

#define TCP_FAST_OPEN_EPOCH_US (12 * 3600 * TCP_S) // a cookie is good for one to two of them
#define TCP_FAST_OPEN_RESET_US (60 * TCP_S)        // how long a reset one keeps its place: at least, a slot more at most
#define TCP_FAST_OPEN_SLOTS    16u

struct tcp_listener {
    struct sl_ip local;
    sl_be16 port;
    bool in_use;
    bool v4;
    uint32_t hash_next;
    uint32_t half_open, half_head; // their number, and the latest
    uint32_t fast_open;            // of those, given to the caller already
    uint32_t n_resets;             // of such, in the last minute
    uint32_t resets[TCP_FAST_OPEN_SLOTS];
    uint64_t reset_slot; // of the latest: which of `resets` by its remainder
    struct sl_tcp_engine *engine;
    struct sl_tcp_options options;
    void *user;
};

struct tcp_time_wait { // 104 bytes
    struct tcp_tuple tuple;
    uint32_t hash_next;
    uint32_t older, newer; // by expiry, which is by age
    uint32_t snd_nxt, rcv_nxt, rcv_wnd;
    uint32_t ts_recent, ts_offset;
    uint64_t expires_us;
    uint64_t answered_us;
    uint64_t ts_recent_us;
    bool timestamps, in_use;
    uint8_t rcv_wscale;
};

struct
    tcp_pool { // free list through an array of elements; which field links them is the pool's user's affair
    uint8_t *base;
    uint32_t size, n, free, used; // size of an element in bytes; `free`: first free one
    uint32_t fresh; // elements from here on were never used: the list is not built before it is needed
};

struct sl_tcp_engine {
    struct sl_tcp_config config;
    struct sl_tcp_counters counters;
    struct tcp_secret secret;
    struct tcp_secret fast_open; // of Fast Open's cookies
    struct sl_hash_seed seed;
    struct tcp_wheel wheel;
    struct tcp_pool conns, items, records, waits, profiles;
    struct tcp_pool models; // of congestion control (struct tcp_rate and behind it), for connections that ask for one
    struct tcp_rate_sent *rates; // beside the records
    uint32_t profiles_tried[TCP_PROFILES_TRIED]; // TCP_NONE: none
    uint32_t profile_next;
    struct tcp_trace *traces;
    struct tcp_listener *listeners;
    uint32_t *buckets; // connections by tuple; TIME-WAITs too, told by TCP_WAIT_BIT
    uint32_t n_buckets;
    uint32_t *ports; // listeners by port
    uint32_t wait_oldest, wait_newest;
    uint32_t event_head, event_tail, output_head, output_tail;
    uint64_t rx_charge, tx_charge;
    uint64_t now_us;
    uint64_t cookies_until_us; // ACKs may be answers to cookies until then
    uint64_t challenge_window_us;
    uint32_t challenge_left;
    uint32_t random;
    uint64_t memory_bytes;
};

#define TCP_WAIT_BIT     0x80000000u
#define TCP_PORT_BUCKETS 1024u

// ---- pool.c: nothing fails but by TCP_NONE -------------------------------------------------------------------
int tcp_pool_init(struct tcp_pool *pool, uint32_t size, uint32_t n);
void tcp_pool_fini(struct tcp_pool *pool);
uint32_t tcp_pool_get(struct tcp_pool *pool);
void tcp_pool_put(struct tcp_pool *pool, uint32_t index);

static inline struct tcp_conn *tcp_conn_at(const struct sl_tcp_engine *tcp, uint32_t index)
{
    return (struct tcp_conn *)tcp->conns.base + index;
}

static inline union tcp_item *tcp_item_at(const struct sl_tcp_engine *tcp, uint32_t index)
{
    return (union tcp_item *)tcp->items.base + index;
}

static inline struct tcp_record *tcp_record_at(const struct sl_tcp_engine *tcp, uint32_t index)
{
    return (struct tcp_record *)tcp->records.base + index;
}

static inline struct tcp_time_wait *tcp_wait_at(const struct sl_tcp_engine *tcp, uint32_t index)
{
    return (struct tcp_time_wait *)tcp->waits.base + index;
}

// Asks for what a segment of this connection will touch: a receiver's lines, or with `all` a sender's as well.
static inline void tcp_conn_prefetch(const struct tcp_conn *conn, bool all)
{
    for (size_t at = 0; at < (all ? 9 : 5) * TCP_CONN_LINE; at += TCP_CONN_LINE)
        __builtin_prefetch((const uint8_t *)conn + at, 1);
}

static inline uint32_t tcp_conn_index(const struct sl_tcp_engine *tcp, const struct tcp_conn *conn)
{
    return (uint32_t)(conn - (const struct tcp_conn *)tcp->conns.base);
}

static inline void tcp_release(const struct sl_tcp_engine *tcp, void *owner)
{
    if (owner)
        tcp->config.buffers->release(owner);
}

static inline void tcp_hold(const struct sl_tcp_engine *tcp, void *owner)
{
    if (owner)
        tcp->config.buffers->hold(owner);
}

static inline bool tcp_has(const struct tcp_conn *conn, uint32_t flags)
{
    return conn->flags & flags;
}

// Is asked at every segment, and mostly in vain.
static inline bool tcp_rated(const struct tcp_conn *conn)
{
    return __builtin_expect(conn->flags & TCP_RATED, 0);
}

static inline bool tcp_is_v4(const struct tcp_conn *conn)
{
    return sl_ip_is_v4(&conn->tuple.remote);
}

static inline bool tcp_synchronized(const struct tcp_conn *conn)
{
    return conn->state >= SL_TCP_ESTABLISHED;
}

// May the peer still send? (FIN not received)
static inline bool tcp_receiving(const struct tcp_conn *conn)
{
    return conn->state == SL_TCP_ESTABLISHED || conn->state == SL_TCP_FIN_WAIT_1 ||
           conn->state == SL_TCP_FIN_WAIT_2;
}

static inline uint32_t tcp_rcv_wnd(const struct tcp_conn *conn)
{
    return tcp_seq_gt(conn->rcv_edge, conn->rcv_nxt) ? conn->rcv_edge - conn->rcv_nxt : 0;
}

// An address that one host has (RFC 9293 section 3.9.2.3, MUST-46, MUST-57, MUST-63).
static inline bool tcp_is_host(const struct sl_ip *ip)
{
    uint8_t first = sl_ip_is_v4(ip) ? ip->b[12] : ip->b[0];

    if (sl_ip_is_v4(ip))
        return ip->w[3] != 0 && ip->w[3] != UINT32_MAX && (first & 0xf0) != 0xe0;
    return !sl_ip_is_zero(ip) && first != 0xff;
}

// The byte that the reader gets next.
static inline uint32_t tcp_read_seq(const struct tcp_conn *conn)
{
    return conn->rcv_nxt - conn->rx_unread - (tcp_has(conn, TCP_FIN_RECEIVED) ? 1 : 0);
}

// Queued and never sent; the FIN is not counted.
static inline uint32_t tcp_unsent(const struct tcp_conn *conn)
{
    return tcp_has(conn, TCP_FIN_SENT) ? 0 : conn->snd_end - conn->snd_nxt;
}

// Bytes in flight by what is known (RFC 6675's pipe, with RACK's marks).
static inline uint32_t tcp_pipe(const struct tcp_conn *conn)
{
    return conn->snd_nxt - conn->snd_una - conn->sacked - conn->lost + conn->retrans;
}

static inline uint32_t tcp_ts_now(const struct tcp_conn *conn, uint64_t now_us)
{
    if (__builtin_expect(tcp_has(conn, TCP_RESIDUE), 0))
        return conn->ts_held;
    return (uint32_t)(now_us / TCP_MS) + conn->ts_offset;
}

static inline uint32_t tcp_min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static inline uint32_t tcp_max_u32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static inline uint64_t tcp_min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

// ---- engine.c: life of connections, lists ---------------------------------------------------------------------
struct tcp_conn *tcp_conn_new(struct sl_tcp_engine *tcp, const struct tcp_tuple *tuple,
                              const struct sl_tcp_options *options,
                              uint64_t now_us);                // in the table; NULL: no room
void tcp_conn_free(struct sl_tcp_engine *tcp, struct tcp_conn *conn); // one that has ended: its slot
void tcp_conn_drop_queues(struct sl_tcp_engine *tcp, struct tcp_conn *conn);
const struct sl_tcp_options *tcp_profile_get(struct sl_tcp_engine *tcp, const struct sl_tcp_options *options);
void tcp_profile_put(struct sl_tcp_engine *tcp, const struct sl_tcp_options *options);
void tcp_state_set(struct sl_tcp_engine *tcp, struct tcp_conn *conn, enum sl_tcp_state state);
void tcp_half_open_add(struct sl_tcp_engine *tcp, struct tcp_conn *conn); // one in SYN-RECEIVED, to its listener's
void tcp_half_open_remove(struct sl_tcp_engine *tcp, struct tcp_conn *conn);
// The connection is over: everything it holds goes; the caller is told, or the slot is free where nobody is there to be told.
void tcp_end(struct sl_tcp_engine *tcp, struct tcp_conn *conn, int error);
void tcp_event_add(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint8_t bits);
void tcp_want_output(struct sl_tcp_engine *tcp, struct tcp_conn *conn);
void tcp_trace_add(struct sl_tcp_engine *tcp, struct tcp_conn *conn, enum tcp_trace_event event, uint8_t small,
                   uint32_t value);
bool tcp_tx_full(const struct sl_tcp_engine *tcp, const struct tcp_conn *conn);
void tcp_arm(struct sl_tcp_engine *tcp, struct tcp_conn *conn); // the wheel, for the earliest of its times
uint32_t tcp_random(struct sl_tcp_engine *tcp);

bool tcp_options_sound(const struct sl_tcp_options *options, bool v4); // api.c: may a connection have them?

// ---- table.c ----------------------------------------------------------------------------------------------------
void tcp_table_add(struct sl_tcp_engine *tcp, const struct tcp_tuple *tuple, uint32_t name);
void tcp_table_remove(struct sl_tcp_engine *tcp, const struct tcp_tuple *tuple, uint32_t name);
uint32_t tcp_table_find(const struct sl_tcp_engine *tcp,
                        const struct tcp_tuple *tuple); // name: index, with TCP_WAIT_BIT or not
// The same in two steps, for who has several to find: the bucket's number, and what is in it.
uint32_t tcp_table_bucket(const struct sl_tcp_engine *tcp, const struct tcp_tuple *tuple);
uint32_t tcp_table_find_in(const struct sl_tcp_engine *tcp, uint32_t bucket, const struct tcp_tuple *tuple);
struct tcp_listener *tcp_listener_find(const struct sl_tcp_engine *tcp, const struct sl_ip *local, sl_be16 port);

// ---- syn.c --------------------------------------------------------------------------------------------------------
bool tcp_listen_input(struct sl_tcp_engine *tcp, struct tcp_listener *listener, const struct sl_tcp_in *in,
                      const struct tcp_options *options, uint32_t isn_floor); // true: buffer kept
// An ACK for a cookie of ours opens its connection, NULL: it is none.
struct tcp_conn *tcp_cookie_input(struct sl_tcp_engine *tcp, struct tcp_listener *listener,
                                  const struct sl_tcp_in *in, const struct tcp_options *options);
void tcp_syn_sent_input(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in,
                        const struct tcp_options *options);
void tcp_established(struct sl_tcp_engine *tcp, struct tcp_conn *conn); // SYN-RECEIVED or SYN-SENT ends well
void tcp_syn_options(const struct sl_tcp_engine *tcp, const struct tcp_conn *conn,
                     struct tcp_options *out); // of the SYN we send
void tcp_first_cwnd(struct tcp_conn *conn); // the congestion window to begin with

// ---- fast_open.c --------------------------------------------------------------------------------------------------
// A SYN with the option has made its connection half-open. True: the payload's buffer is kept.
bool tcp_fast_open_syn(struct sl_tcp_engine *tcp, struct tcp_listener *listener, struct tcp_conn *conn,
                       const struct sl_tcp_in *in, const struct tcp_options *syn);
void tcp_fast_open_option(const struct sl_tcp_engine *tcp, const struct tcp_conn *conn,
                          struct tcp_options *out); // of its SYN-ACK
void tcp_fast_open_reset(struct sl_tcp_engine *tcp, const struct tcp_conn *conn); // before the handshake's end
void tcp_fast_open_established(struct sl_tcp_engine *tcp, struct tcp_conn *conn); // its ACK was looked at
uint16_t tcp_offered_mss(bool v4, const struct sl_tcp_options *options); // bytes

// ---- ack.c, scoreboard.c, rack.c, recovery.c, rtt.c ----------------------------------------------------------------
struct tcp_ack_sample { // what one acknowledgement brought
    uint64_t now_us;
    uint32_t acked;  // cumulatively, bytes
    uint32_t sacked; // newly, bytes
    uint32_t prior_pipe, prior_una, prior_lost, prior_sacked, prior_fack; // prior_lost: of lost_total
    uint64_t rtt_us; // 0: none
    uint64_t sack_rtt_us;
    bool original; // something sent once, before the timeout, arrived (F-RTO step 3b)
    bool same_ack;     // acknowledges what was acknowledged already, neither more nor less
    bool repeated_ack; // acknowledged cumulatively what had been sent again: no measure of time (Karn)
    bool dsack_probe;  // the duplicate is the tail loss probe's
    bool timestamped;
    uint32_t tsecr;    // where `timestamped`
    bool dsack, window_changed, has_data,
        repeated; // repeated: something was acknowledged that had been sent again
    uint32_t dsack_end;
    bool ecn_echo;
};

bool tcp_ack_input(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in,
                   const struct tcp_options *options, bool *fin_acked); // false: the segment goes no further

uint32_t tcp_record_add(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t seq, uint32_t end,
                        uint32_t chunk);
void tcp_record_sent_again(struct sl_tcp_engine *tcp, struct tcp_conn *conn, struct tcp_record *record,
                           uint64_t now_us);
void tcp_record_lose(struct sl_tcp_engine *tcp, struct tcp_conn *conn, struct tcp_record *record);
void tcp_records_clear(struct sl_tcp_engine *tcp, struct tcp_conn *conn);
void tcp_records_found(struct sl_tcp_engine *tcp, struct tcp_conn *conn); // none is lost after all
void tcp_records_unsack(struct sl_tcp_engine *tcp,
                        struct tcp_conn *conn); // the peer has reneged (RFC 2018 section 8)
bool tcp_record_split(struct sl_tcp_engine *tcp, struct tcp_conn *conn, struct tcp_record *record, uint32_t at);
void tcp_scoreboard_ack(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t ack,
                        struct tcp_ack_sample *sample);
void tcp_scoreboard_sack(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct tcp_options *options,
                         uint32_t ack, struct tcp_ack_sample *sample);

void tcp_rack_update(struct tcp_conn *conn, const struct tcp_record *record,
                     const struct tcp_ack_sample *sample);
// Marks what RACK thinks lost; the time until which it must wait for more, 0: nothing to wait for.
uint64_t tcp_rack_detect(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us);
// Section 6.3: whether a timeout makes a record lost that is not the first.
bool tcp_rack_timed_out(const struct tcp_conn *conn, const struct tcp_record *record, uint64_t now_us);
void tcp_rack_dsack(struct tcp_conn *conn, const struct tcp_ack_sample *sample);
void tcp_rack_recovered(struct tcp_conn *conn);
void tcp_tlp_ack(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t ack,
                 const struct tcp_ack_sample *sample);
bool tcp_tlp_schedule(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us); // false: the RTO it is

void tcp_recovery_ack(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct tcp_options *options,
                      struct tcp_ack_sample *sample);
void tcp_recovery_resize(struct tcp_conn *conn);
void tcp_recovery_timeout(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us);
void tcp_enter_cwr(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct tcp_ack_sample *sample, bool ecn);

void tcp_rtt_sample(struct tcp_conn *conn, uint64_t rtt_us, uint64_t now_us);
void tcp_rtx_arm(struct sl_tcp_engine *tcp, struct tcp_conn *conn,
                 uint64_t now_us); // TLP or RTO, by what is in flight
void tcp_persist_arm(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us);
uint64_t tcp_rto_backed_off(const struct tcp_conn *conn);
void tcp_pace_rate(struct tcp_conn *conn);

// ---- ranges.c: TCP_NONE where there is none; root is a connection's rx_ranges -----------------------------------------
uint32_t tcp_range_find(const struct sl_tcp_engine *tcp, uint32_t root, uint32_t seq); // first with its end at or behind seq
uint32_t tcp_range_first(const struct sl_tcp_engine *tcp, uint32_t root);
uint32_t tcp_range_last(const struct sl_tcp_engine *tcp, uint32_t root);
void tcp_range_insert(struct sl_tcp_engine *tcp, uint32_t *root, uint32_t index);
void tcp_range_remove(struct sl_tcp_engine *tcp, uint32_t *root, uint32_t index);

// ---- rate.c: for connections with TCP_RATED only ------------------------------------------------------------------------
void tcp_rate_begin(struct tcp_conn *conn, uint64_t now_us); // an acknowledgement comes
void tcp_rate_check(struct tcp_conn *conn, uint64_t now_us); // is it the application that holds back?
// in_flight: with it; first: nothing was outstanding.
void tcp_rate_sent(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct tcp_record *record,
                   uint32_t in_flight, bool first);
void tcp_rate_split(struct sl_tcp_engine *tcp, const struct tcp_record *record, const struct tcp_record *rest);
void tcp_rate_delivered(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct tcp_record *record);
void tcp_rate_lost(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct tcp_record *record);
void tcp_rate_count(struct tcp_conn *conn, const struct tcp_ack_sample *ack); // what was delivered, before losses are found
void tcp_rate_ack(struct tcp_conn *conn, const struct tcp_ack_sample *ack); // the sample, and the algorithm's turn

// ---- receive.c, reassemble.c ----------------------------------------------------------------------------------------
bool tcp_payload_input(struct sl_tcp_engine *tcp, struct tcp_conn *conn,
                       const struct sl_tcp_in *in); // true: buffer kept
void tcp_fin_input(struct sl_tcp_engine *tcp, struct tcp_conn *conn);
// Puts a payload that does not start at rcv_nxt into its range; false: not kept.
bool tcp_reassemble_put(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_chunk *chunk,
                        uint32_t seq);
void tcp_reassemble_take(struct sl_tcp_engine *tcp,
                         struct tcp_conn *conn); // what rcv_nxt has reached moves into the queue
void tcp_reassemble_clear(struct sl_tcp_engine *tcp, struct tcp_conn *conn);
void tcp_reassemble_drop_last(struct sl_tcp_engine *tcp, struct tcp_conn *conn); // the furthest range; there must be one
uint32_t tcp_window_select(struct sl_tcp_engine *tcp,
                           struct tcp_conn *conn); // new rcv_edge; bytes to tell, unscaled
bool tcp_window_update_due(const struct sl_tcp_engine *tcp, const struct tcp_conn *conn);
void tcp_rx_read(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t bytes,
                 uint64_t now_us); // growth of the window
void tcp_rx_limit_set(struct tcp_conn *conn, uint32_t bytes); // the window to aim at
void tcp_drs_rtt(struct tcp_conn *conn, uint64_t now_us);
uint32_t tcp_rx_room(const struct sl_tcp_engine *tcp, const struct tcp_conn *conn); // charge it may hold

// ---- detach.c ---------------------------------------------------------------------------------------------------------
void tcp_residue_input(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in,
                       const struct tcp_options *options);

// ---- output.c, timer.c, time_wait.c, mtu.c ---------------------------------------------------------------------------
void tcp_output(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us);
void tcp_ack_now(struct sl_tcp_engine *tcp, struct tcp_conn *conn, bool duplicate);
void tcp_send_reset(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us); // of a connection
void tcp_refuse(struct sl_tcp_engine *tcp, const struct sl_tcp_in *in); // RST to a segment that belongs nowhere
void tcp_send_cookie(struct sl_tcp_engine *tcp, struct tcp_listener *listener, const struct sl_tcp_in *in,
                     const struct tcp_options *options);
bool tcp_send_segment(struct sl_tcp_engine *tcp, struct sl_tcp_out *out);
bool tcp_challenge_allowed(struct sl_tcp_engine *tcp);
void tcp_challenge(struct sl_tcp_engine *tcp, struct tcp_conn *conn, const struct sl_tcp_in *in);
void tcp_timers(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us);
void tcp_slow_timer_arm(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us);
bool tcp_gives_up(const struct tcp_conn *conn, uint64_t now_us, unsigned times);
void tcp_time_wait_enter(struct sl_tcp_engine *tcp, struct tcp_conn *conn); // the connection is freed
bool tcp_time_wait_input(struct sl_tcp_engine *tcp, uint32_t index, const struct sl_tcp_in *in,
                         const struct tcp_options *options); // true: buffer kept
void tcp_time_wait_expire(struct sl_tcp_engine *tcp, uint64_t now_us);
void tcp_time_wait_free(struct sl_tcp_engine *tcp, uint32_t index);
void tcp_mss_update(struct tcp_conn *conn); // snd_mss of path and peer
void tcp_mtu_lower(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint16_t mtu, uint8_t cause);
void tcp_mtu_timeout(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint64_t now_us); // black holes
void tcp_mtu_wait(struct tcp_conn *conn, uint64_t now_us); // path_mtu is what goes: larger ones when it is old
void tcp_mtu_fit(struct tcp_conn *conn, uint64_t now_us); // to new options
// Upward search (RFC 4821 section 7.3): payload of the probe to send now, 0: none is due.
uint32_t tcp_mtu_probe_room(const struct tcp_conn *conn, uint64_t now_us);
void tcp_mtu_probe_lose(struct sl_tcp_engine *tcp, struct tcp_conn *conn, uint32_t bytes);
void tcp_mtu_probe_ack(struct sl_tcp_engine *tcp, struct tcp_conn *conn);
#define TCP_HEADERS(v4) ((v4) ? 40u : 60u)

#endif
