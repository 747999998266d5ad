// SPDX-License-Identifier: Apache-2.0
// The TCP endpoint (RFC 9293 and the RFCs that docs/tcp-conformance.md lists), without I/O: segments and the time go in,
// segments and a deadline come out. It takes no clock, socket or lock, and no memory after sl_tcp_new().
//
//     segment ──► sl_tcp_input() ─┐                                     ┌─► config.send(segment)
//     time ─────► sl_tcp_tick() ──┼─► connections ─► sl_tcp_output() ───┤
//     calls ────► sl_tcp_send() … ┘                                     └─► sl_tcp_event(), sl_tcp_deadline()
//
// Nothing is sent but by sl_tcp_output(): a caller that takes in a burst and then calls it once gets acknowledgements for
// the burst, riding on data where there is some. An engine and all its connections belong to one thread. Times are
// microseconds of one monotonic clock; a call's time must not be before the last one's. Sequence numbers and lengths
// are in host byte order, addresses and ports in network byte order.
//
// Bytes are never copied. A received payload stays in the buffer it came in until it is read; what is sent is held by
// reference until the peer has acknowledged it. A buffer is known by its `owner` alone, which the engine passes to
// config.buffers: a DPDK mbuf, a counted block of plain memory, or nothing (NULL, for bytes that live for ever).
#ifndef SL_TCP_H
#define SL_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/ip.h"
#include "wire/headers.h" // SL_TCP_FIN and the other bits of the header

struct sl_tcp_engine; // an engine: one per worker
struct
    sl_tcp_conn; // a connection; valid from the event or call that gave it until sl_tcp_close() or sl_tcp_abort()
struct sl_tcp_listener;

// ---- buffers and segments -----------------------------------------------------------------------------------
struct sl_tcp_chunk {
    const uint8_t *data;
    uint32_t len; // bytes
    uint32_t
        charge; // bytes of memory that the reference keeps from others, at least len; what caps are counted in
    void *owner; // for hold and release; NULL: nobody's
};

struct sl_tcp_buffers {           // both must be cheap; called with owner != NULL only
    void (*hold)(void *owner);    // one more reference
    void (*release)(void *owner); // one less
};

enum { SL_ECN_NONE, SL_ECN_ECT1, SL_ECN_ECT0, SL_ECN_CE }; // of the IP header (RFC 3168 section 5)

struct sl_tcp_in { // a segment that arrived, its checksums right
    struct sl_ip src, dst;
    sl_be16 sport, dport;
    uint32_t seq, ack;
    uint16_t window, urgent;
    uint8_t flags, ecn;
    uint8_t options_len; // bytes
    const uint8_t *options;
    struct sl_tcp_chunk payload;
};

#define SL_TCP_PIECES 8u // pieces of payload of a segment at most

struct sl_tcp_out { // a segment to send; everything in it is the engine's and valid during the call
    struct sl_ip src, dst;
    sl_be16 sport, dport;
    uint32_t seq, ack;
    uint16_t window, urgent;
    uint8_t flags, ecn;
    uint8_t hop_limit, traffic_class; // traffic_class without the ECN bits
    uint8_t options_len;              // bytes, a multiple of 4
    uint8_t n_pieces;
    uint16_t len; // bytes of payload
    uint8_t options[40];
    struct sl_tcp_chunk pieces[SL_TCP_PIECES]; // no reference is passed: hold what is kept
    void *user;                                // of the connection, NULL where there is none
};

// Reads an IPv4 or IPv6 packet (from its IP header on) whose transport is TCP: lengths, header checksum and checksum
// are checked. payload.owner and .charge are the caller's to set. 0; -EPROTO: not a sound TCP packet; -EBADMSG: a
// checksum is wrong. `checked`: TCP's was verified elsewhere.
int sl_tcp_read_packet(struct sl_tcp_in *in, const uint8_t *packet, size_t len_bytes, bool checked);
// Writes IP and TCP header with right checksums (payload included) in front of where the payload is going to be. Don't
// fragment is set. Returns the bytes written, at most SL_TCP_HEADERS_MAX.
#define SL_TCP_HEADERS_MAX 100u
unsigned sl_tcp_write_headers(const struct sl_tcp_out *out, uint16_t ip_id, uint8_t *to);
// The same with the payload copied behind the headers, summed as it is copied. Returns the bytes written, at most
// SL_TCP_HEADERS_MAX + out->len.
unsigned sl_tcp_write_packet(const struct sl_tcp_out *out, uint16_t ip_id, uint8_t *to);

// ---- engine -------------------------------------------------------------------------------------------------
struct sl_tcp_config {
    uint32_t connections; // at once, half-open ones included
    uint32_t
        time_waits; // kept apart from connections, 104 bytes each; the oldest goes where they do not suffice
    uint32_t listeners;
    uint32_t buffers_held;       // references to buffers, of all connections
    uint32_t segments_held;      // segments in flight, of all connections
    uint64_t rx_bytes, tx_bytes; // charge of all connections (bytes); fair between them when it runs short
    uint64_t entropy[2];         // of the kernel; secrets are made from it
    const struct sl_tcp_buffers *buffers;
    bool (*send)(void *context, const struct sl_tcp_out *out); // false: could not be sent now; taken as lost
    void *context;
    uint64_t now_us;
    uint64_t fast_open_key[2];   // of the kernel: Fast Open's cookies, good at every engine with the same; zeros: the engine's own
    // Told of each connection and TIME-WAIT at this local port that begins (true) and ends; NULL: nobody wants to know. One
    // that goes into TIME-WAIT is told of as a second first.
    void (*held)(void *context, sl_be16 local_port, bool begins);
    void *traces; // struct tcp_trace[connections] (tcp/trace.h), zeros, the caller's; NULL: memory of the engine's own
};

// NULL: no memory, or a number in config is 0 that must not be.
struct sl_tcp_engine *sl_tcp_new(const struct sl_tcp_config *config);
void sl_tcp_free(struct sl_tcp_engine *tcp); // releases every buffer; sends nothing

// True: the reference to in->payload's buffer is the engine's now. False: it is still the caller's.
bool sl_tcp_input(struct sl_tcp_engine *tcp, const struct sl_tcp_in *in, uint64_t now_us);
// The same for up to SL_TCP_BURST_MAX segments, in their order; bit i of what it returns is in[i]'s. Many connections in
// turn cost half as much this way as one by one: their memory is asked for ahead.
#define SL_TCP_BURST_MAX 64u
uint64_t sl_tcp_input_burst(struct sl_tcp_engine *tcp, const struct sl_tcp_in *in, unsigned n, uint64_t now_us);
// An ICMP error that quotes a segment of ours, already told from forgeries of other sorts by the caller: what counts here
// is that the sequence number is in flight (RFC 5927 section 4). local and remote as in the quoted packet.
enum sl_tcp_icmp { SL_TCP_ICMP_UNREACHABLE, SL_TCP_ICMP_PORT, SL_TCP_ICMP_PROHIBITED, SL_TCP_ICMP_TOO_BIG };
struct sl_tcp_icmp_in {
    struct sl_ip local, remote;
    sl_be16 local_port, remote_port;
    uint32_t seq;
    enum sl_tcp_icmp kind;
    uint32_t mtu; // of TOO_BIG: bytes of IP packet; 0: not said
};
void sl_tcp_icmp(struct sl_tcp_engine *tcp, const struct sl_tcp_icmp_in *in, uint64_t now_us);
void sl_tcp_tick(struct sl_tcp_engine *tcp,
                 uint64_t now_us); // timers that are due; bounded in work, sl_tcp_deadline tells of a rest
void sl_tcp_output(struct sl_tcp_engine *tcp, uint64_t now_us); // sends what is to be sent
// When sl_tcp_tick or sl_tcp_output has to be called at the latest; UINT64_MAX: not before something else happens.
uint64_t sl_tcp_deadline(const struct sl_tcp_engine *tcp);

// ---- connections --------------------------------------------------------------------------------------------
enum sl_tcp_state { // RFC 9293 section 3.3.2
    SL_TCP_CLOSED,
    SL_TCP_LISTEN,
    SL_TCP_SYN_SENT,
    SL_TCP_SYN_RECEIVED,
    SL_TCP_ESTABLISHED,
    SL_TCP_FIN_WAIT_1,
    SL_TCP_FIN_WAIT_2,
    SL_TCP_CLOSE_WAIT,
    SL_TCP_CLOSING,
    SL_TCP_LAST_ACK,
    SL_TCP_TIME_WAIT,
};

struct sl_tcp_options {        // of a listener's connections or of one; sl_tcp_options_default() first
    const char *congestion;    // "cubic", "newreno", "bbr"; the last paces whatever `pacing` says
    uint32_t rx_bytes;         // receive window at most
    uint32_t rx_initial_bytes; // what it begins with; grows with what the reader takes in a round trip
    uint32_t tx_bytes; // charge of what is queued or not acknowledged: sl_tcp_send says -EAGAIN from there on
    uint16_t mtu;      // bytes of IP packet, of the way out
    uint8_t hop_limit, traffic_class;
    bool cork;     // no segment that is not full, but for the last before a FIN, and after a timeout with nothing in flight
    bool no_delay;                              // without Nagle's algorithm (RFC 9293 section 3.7.4)
    bool timestamps, sack, wscale, ecn, pacing; // offered and accepted
    bool mtu_probing;           // lower the MTU where full segments vanish, try larger ones again (RFC 4821)
    uint32_t keepalive_idle_ms; // 0: no keepalive
    uint32_t keepalive_interval_ms;
    uint8_t keepalive_probes;
    uint8_t syn_retries; // of SYN
    uint8_t synack_retries;
    uint8_t retries;          // of data, R2 (RFC 9293 section 3.8.3); user_timeout_ms rules where it is not 0
    uint32_t user_timeout_ms; // RFC 5482; before a closed window it counts although the peer answers (RFC 6429)
    uint32_t fin_wait_2_ms;   // how long a closed connection waits for the peer's FIN; 0: for ever
    uint32_t backlog;         // of a listener: half-open connections; beyond them cookies, or nothing where they never go
    bool cookies_always;      // of a listener: never a half-open connection
    bool cookies_never;
    bool fast_open; // of a listener: RFC 7413. What rode on a SYN may be read twice (section 2.1): for requests that bear it
    uint32_t fast_open_backlog; // of a listener: connections given before the end of their handshake
    uint8_t wscale_shift; // offered; 0xff: what rx_bytes needs
    uint16_t mss_clamp;   // MSS that is offered, and that of the peer which is used, at most; 0: by mtu
    uint16_t initial_window; // segments, of the congestion window at the beginning; 0: by RFC 6928
};

void sl_tcp_options_default(struct sl_tcp_options *options);

// An address of all zeros listens on every address of its family; port in network byte order. NULL and *error: -EADDRINUSE,
// -ENOBUFS, -EINVAL.
struct sl_tcp_listener *sl_tcp_listen(struct sl_tcp_engine *tcp, const struct sl_ip *local, sl_be16 port,
                                      const struct sl_tcp_options *options, void *user, int *error);
// For the connections that come from now on. 0, or -EINVAL.
int sl_tcp_listener_options_set(struct sl_tcp_listener *listener, const struct sl_tcp_options *options);
void sl_tcp_unlisten(
    struct sl_tcp_listener *listener); // its half-open connections are reset; accepted ones go on
// NULL and *error: -EADDRINUSE (the tuple is in use), -ENOBUFS, -EINVAL.
struct sl_tcp_conn *sl_tcp_connect(struct sl_tcp_engine *tcp, const struct sl_ip *local, sl_be16 local_port,
                                   const struct sl_ip *remote, sl_be16 remote_port,
                                   const struct sl_tcp_options *options, void *user, uint64_t now_us,
                                   int *error);

// Asks the memory for what sending on this connection will touch: for callers that are about to send on many in turn, some
// calls ahead.
void sl_tcp_prefetch(const struct sl_tcp_conn *conn);
// True: a connection or a TIME-WAIT has the tuple.
bool sl_tcp_holds(const struct sl_tcp_engine *tcp, const struct sl_ip *local, sl_be16 local_port,
                  const struct sl_ip *remote, sl_be16 remote_port);

// Queues a chunk; the reference passes with a return of 0. -EAGAIN: enough is queued; -ENOBUFS: the engine has no room for
// now; of both SL_TCP_WRITABLE tells the end. -EPIPE: shut down, or the connection has ended.
int sl_tcp_send(struct sl_tcp_conn *conn, const struct sl_tcp_chunk *chunk, uint64_t now_us);
// The next bytes in order, at most `max`; the reference passes to the caller. 1: *chunk is filled; 0: the peer has sent
// all; -EAGAIN: nothing yet; -ECONNRESET and other ends of the connection.
int sl_tcp_read(struct sl_tcp_conn *conn, uint32_t max, struct sl_tcp_chunk *chunk, uint64_t now_us);
// The i-th unread chunk without taking it; false past the last.
bool sl_tcp_peek(const struct sl_tcp_conn *conn, uint32_t i, struct sl_tcp_chunk *chunk);
void sl_tcp_urgent(
    struct sl_tcp_conn *conn); // what is queued is urgent up to its last byte (RFC 6093: passed in line)
int sl_tcp_shutdown(struct sl_tcp_conn *conn,
                    uint64_t now_us); // a FIN behind what is queued; reading goes on
// The caller is done with it. What is queued is still delivered; unread bytes mean a reset (RFC 2525 section 2.17).
void sl_tcp_close(struct sl_tcp_conn *conn, uint64_t now_us);
void sl_tcp_abort(struct sl_tcp_conn *conn, uint64_t now_us); // RST, and gone

enum sl_tcp_event_bit {
    SL_TCP_ACCEPTED = 1 << 0,  // from a listener; the connection is the caller's from now on. With Fast Open its state may be
                               // SYN-RECEIVED still: it can be read, sent on and shut down like any other
    SL_TCP_CONNECTED = 1 << 1, // the connect has succeeded
    SL_TCP_READABLE = 1 << 2,  // bytes, or the end of them
    SL_TCP_WRITABLE = 1 << 3,  // sl_tcp_send would take a chunk again
    SL_TCP_ENDED =
        1 << 4, // nothing more will happen; error says why, 0: closed in both directions and acknowledged
    SL_TCP_URGENT = 1 << 5, // the end of urgent data has moved: sl_tcp_info tells how far it is
};

struct sl_tcp_event {
    struct sl_tcp_conn *conn;
    void *user;          // of the connection
    void *listener_user; // of its listener, with SL_TCP_ACCEPTED; NULL: gone, as is the connection (SL_TCP_ENDED)
    uint8_t bits;
    int error; // -ECONNRESET, -ETIMEDOUT, -ECONNREFUSED, -EHOSTUNREACH, -ENETUNREACH
};

bool sl_tcp_event(struct sl_tcp_engine *tcp, struct sl_tcp_event *event); // the next one; false: none
void sl_tcp_user_set(struct sl_tcp_conn *conn, void *user);
void sl_tcp_options_set(struct sl_tcp_conn *conn, const struct sl_tcp_options *options,
                        uint64_t now_us); // what may change: congestion control stays what it began with

// The next segments are acknowledged at once, and what was put off now; or (false) as RFC 9293 MUST-58 lets one put off.
void sl_tcp_quick_ack(struct sl_tcp_conn *conn, bool quick, uint64_t now_us);

struct sl_tcp_info {
    enum sl_tcp_state state;
    struct sl_ip local, remote;
    sl_be16 local_port, remote_port;
    uint32_t snd_una, snd_nxt, snd_wnd, snd_queued; // snd_queued: bytes not yet sent
    uint32_t rcv_nxt, rcv_wnd, rcv_unread;
    uint32_t rcv_urgent; // bytes up to the end of urgent data, not yet read; 0: none is pending
    uint32_t cwnd, ssthresh, pipe; // bytes
    uint32_t in_flight_segments, sacked_segments, lost_segments, retrans_segments; // of those in flight
    uint16_t snd_mss, rcv_mss, mtu;
    uint16_t peer_mss; // as its SYN said, or what is to be taken where it did not
    uint8_t snd_wscale, rcv_wscale;
    bool timestamps, sack, wscale, ecn;
    bool fast_open; // given with its SYN (RFC 7413)
    uint8_t recovery; // enum tcp_recovery
    uint8_t backoff;
    uint32_t srtt_us, rttvar_us, min_rtt_us, rto_us;
    uint64_t bytes_acked, bytes_received;
    uint32_t retransmits, segments_in, segments_out, reordering;
    const char *congestion;
    uint32_t slot; // names the trace
    int error;
};

void sl_tcp_info(const struct sl_tcp_conn *conn, struct sl_tcp_info *info);

struct sl_tcp_counters {
#define TCP_COUNTER(id, help) uint64_t id;
#include "tcp/counter.def"
#undef TCP_COUNTER
};

const struct sl_tcp_counters *sl_tcp_counters(const struct sl_tcp_engine *tcp);
uint32_t sl_tcp_connection_count(const struct sl_tcp_engine *tcp);
uint64_t sl_tcp_memory_bytes(const struct sl_tcp_engine *tcp); // what sl_tcp_new took, untouched pages included

// Everything that must hold of a connection, and of the engine with NULL; NULL where it does, else a sentence. For tests.
const char *sl_tcp_check(const struct sl_tcp_engine *tcp, const struct sl_tcp_conn *conn);

#endif
