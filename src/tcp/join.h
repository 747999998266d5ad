// SPDX-License-Identifier: Apache-2.0
// Connections taken out of an engine and put into one again, so that what passes in between need not go through it:
// two that are joined at packet level (tcp/splice.h), or any that are to outlive their process.
//
//     connection ── sl_tcp_detach() ──► struct sl_tcp_saved ── sl_tcp_attach() ──► connection
//                        │ bytes that the peer has not acknowledged
//                        ▼
//                     residue: repeats them until they are, then ends
//
// What we sent or queued and the peer has not acknowledged is held by nobody else: whoever sent it to us has our word
// that it arrived. It stays in the engine as a *residue*, with the connection's own scoreboard, timers and congestion
// window, while the connection goes on elsewhere; AccelTCP (NSDI'20) forgets it, and hangs on the first packet lost. A
// residue receives nothing, acknowledges nothing, never resets, and ends with SL_TCP_ENDED (error 0) once all of it is
// acknowledged. Same thread as the engine; times and byte orders as in tcp/tcp.h.
#ifndef SL_TCP_JOIN_H
#define SL_TCP_JOIN_H

#include <assert.h>
#include "tcp/tcp.h"

enum sl_tcp_saved_flag {
    SL_TCP_SAVED_TIMESTAMPS = 1 << 0,   // agreed (RFC 7323)
    SL_TCP_SAVED_SACK = 1 << 1,         // agreed (RFC 2018)
    SL_TCP_SAVED_WSCALE = 1 << 2,       // agreed; the shifts are 0 where it is not
    SL_TCP_SAVED_ECN = 1 << 3,          // agreed (RFC 3168)
    SL_TCP_SAVED_FIN_RECEIVED = 1 << 4, // rcv_nxt is behind the peer's FIN
    SL_TCP_SAVED_FIN_SENT = 1 << 5,     // snd_nxt is behind ours
    SL_TCP_SAVED_URGENT = 1 << 6,       // rcv_up is in front of the reader
    SL_TCP_SAVED_PASSIVE = 1 << 7,      // the peer opened it
};

#define SL_TCP_SAVED_VERSION 1u

// All that defines a connection of which nothing is half done. Plain and relocatable: fixed widths, no pointer, no
// time that only one process understands but those of the monotonic clock, which all processes of a machine share. May
// lie in shared memory; sl_tcp_attach() believes none of it without a look.
struct sl_tcp_saved {
    struct sl_ip local, remote;
    sl_be16 local_port, remote_port;
    uint8_t version; // SL_TCP_SAVED_VERSION
    uint8_t state;   // enum sl_tcp_state: ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT
    uint16_t flags;  // enum sl_tcp_saved_flag
    // -- sent, absolute numbers in host byte order
    uint32_t snd_una;
    uint32_t snd_nxt;                   // behind everything queued, sent or not, and the FIN where it is
    uint32_t snd_wnd, snd_wl1, snd_wl2; // bytes; RFC 9293 section 3.3.1
    uint32_t max_window;                // largest the peer ever told, bytes (RFC 5961 section 5.2)
    uint32_t iss;
    // -- received
    uint32_t rcv_nxt;
    uint32_t rcv_wup;  // rcv_nxt as last acknowledged; less than rcv_nxt: an acknowledgement is owed
    uint32_t rcv_edge; // right edge of the window told; never moves left
    uint32_t rcv_up;
    uint32_t rcv_limit; // window aimed at, bytes
    // -- timestamps
    uint32_t ts_recent; // the peer's, to be echoed
    uint32_t tsval; // ours at saved_us: no segment before had a later one, every one behind has none earlier
    uint64_t ts_recent_us, saved_us;
    // -- what was learnt of the path; hints
    uint32_t srtt_us, rttvar_us, min_rtt_us; // 0: no sample
    uint32_t cwnd, ssthresh;                 // bytes; ssthresh UINT32_MAX: none yet
    uint16_t peer_mss;              // what the peer takes in a segment, options not counted (RFC 6691)
    uint16_t told_mss;              // what we told that we take
    uint16_t path_mtu;              // bytes of IP packet
    uint16_t rcv_mss;               // largest segment lately received
    uint8_t snd_wscale, rcv_wscale; // of windows that come, of those that go
    uint8_t pad[2];
};
static_assert(sizeof(struct sl_tcp_saved) == 144, "lies in shared memory");

// Takes a connection out of its engine, sending nothing: no FIN, no RST, no acknowledgement, no TIME-WAIT. An
// acknowledgement that was put off stays owed (rcv_wup): sl_tcp_quick_ack() and sl_tcp_output() before settle it.
//
// 0: all was acknowledged, `conn` is gone and no event tells of it. 1: `conn` is a residue now: sl_tcp_follow() it,
// and give it its peer's segments by sl_tcp_residue_input() for as long as it lives; it ends with SL_TCP_ENDED as any
// connection, and is the caller's to close. sl_tcp_close() before that leaves it to itself, sl_tcp_abort() drops its
// bytes; neither sends. A residue holds its tuple; from its end, or a return of 0, the engine knows nothing of it any
// more: sl_tcp_holds() is false, and config.held was told that it ends. Whoever has the saved state sees to it that
// nobody else gets the port, and that its packets go on coming to where they are looked for. Errors, the connection
// untouched: -ENOTCONN (not ESTABLISHED yet, or over), -EAGAIN (bytes to read), -EBUSY (bytes out of order are held),
// -EINPROGRESS (our FIN is queued or not acknowledged, both sides have closed, or the caller has), -EALREADY (a
// residue).
int sl_tcp_detach(struct sl_tcp_conn *conn, struct sl_tcp_saved *saved, uint64_t now_us);

// Makes a connection of a saved one, in the state it was in. What the peer holds us to is as it was (the window never
// shrinks, timestamps never go back), what we think of the path is taken with caution: the congestion window is that
// of a restart after idle (RFC 5681 section 4.1), with the old slow-start threshold; the round trip's variance is what
// it would be after one sample (RFC 9040 shares as much). Of `options` what was agreed with the peer has no say; the
// MTU is the smaller one. An acknowledgement owed is sent with the next sl_tcp_output(). Where the residue of the very
// same connection is there and nothing has been sent behind it, it is that connection again, with its congestion control
// whatever `options` says of that.
//
// The connection is the caller's: SL_TCP_WRITABLE, and SL_TCP_READABLE for a FIN that waits to be read, tell of it.
// NULL and *error: -EADDRINUSE (the tuple is in use), -EBUSY (its residue is there, behind which others have sent),
// -ENOBUFS, -EINVAL (no such state: bytes that nobody holds are not acknowledged, or numbers that cannot be).
struct sl_tcp_conn *sl_tcp_attach(struct sl_tcp_engine *tcp, const struct sl_tcp_saved *saved,
                                  const struct sl_tcp_options *options, void *user, uint64_t now_us,
                                  int *error);

// A segment that passes, from the peer of `residue`: what it acknowledges is heeded, its payload is not. Harmless
// where the residue has ended and the caller not yet heard of it, unlike sl_tcp_input(), which would refuse the
// segment.
void sl_tcp_residue_input(struct sl_tcp_conn *residue, const struct sl_tcp_in *in, uint64_t now_us);
// Where the connection stands of which `residue` is left: what a repetition says of acknowledgement, window and
// timestamps has to be what passed last, or the peer refuses it as old (RFC 7323 section 5, RFC 5961 section 5), or
// refuses the next that passes. To be called, before the next sl_tcp_output(), when something has passed.
void sl_tcp_follow(struct sl_tcp_conn *residue, const struct sl_tcp_saved *saved);

#endif
