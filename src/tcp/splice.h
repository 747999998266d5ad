// SPDX-License-Identifier: Apache-2.0
// Two connections of ours joined at packet level: what arrives on one leg leaves on the other with its numbers
// shifted, and neither byte nor segment is kept. Pure: headers in, headers out; no clock, no memory, no engine.
//
//     client ══ leg 0 ══ gateway ══ leg 1 ══ server
//
//     seq, ack, SACK edges    + what is between the two legs' numbers, fixed at the join
//     timestamps              the peer's own clock, shifted to go on where ours stood; echoes shifted back
//     window                  from one scale into the other (RFC 7323 section 2.3)
//     ports, checksum         RFC 1624, field by field: a corrupt packet stays corrupt, and the end host sees it
//
// What passes is watched as an endpoint would watch it, so that either leg can be told, at any moment, what state its
// connection is in: that is what lets it be taken apart again. A segment that no endpoint would believe is not
// believed.
//
//     sl_tcp_detach() of both ─► sl_tcp_splice_join() ─► sl_tcp_splice() per packet ─► sl_tcp_splice_part()
//         ─► sl_tcp_attach() of both
//
// Plain and relocatable, for a session table in shared memory. Whoever owns the flow calls; one thread at a time.
// Numbers are in host byte order, ports in network byte order.
#ifndef SL_TCP_SPLICE_H
#define SL_TCP_SPLICE_H

#include "tcp/join.h"

enum sl_tcp_splice_flag { // of a way, that is of what comes from one peer
    SL_TCP_WAY_TIMESTAMPS = 1 << 0,
    SL_TCP_WAY_SACK = 1 << 1,
    SL_TCP_WAY_FLUSHING = 1 << 2, // this peer has not acknowledged all that a residue of ours keeps for it
    SL_TCP_WAY_FENCE = 1 << 3,
    SL_TCP_WAY_FIN = 1 << 4,   // this peer's FIN has passed; it lies right before `max`
    SL_TCP_WAY_RESET = 1 << 5, // this peer's RST has passed, one that is believed
};

struct sl_tcp_way { // a line of cache: what comes from the peer of a leg, in that leg's numbers
    // -- constant: what is added as it passes (modulo 2^32)
    uint32_t seq, ack;
    uint32_t tsval, tsecr;
    sl_be16 sport, dport; // as it leaves
    uint16_t csum; // what other addresses and ports make of the checksum: a sum to be added (wire/checksum.h)
    uint8_t shift_in, shift_out;
    // -- watched
    uint32_t max;       // behind the last number that this peer has sent (SND.NXT)
    uint32_t acked;     // what it has acknowledged
    uint32_t edge;      // right edge of the window that it has told; never moves left
    uint32_t told_ack;  // what it was told: acknowledged,
    uint32_t told_edge; // right edge of its window; never moves left
    uint32_t
        flush; // what it has to acknowledge before the residue is done: where the join is in what it receives
    uint32_t fence;     // see sl_tcp_splice_fence()
    uint32_t ts_recent; // RFC 7323 section 4.3's TS.Recent of who receives it
    uint32_t ts_max;    // latest TSval that passed
    uint8_t flags;      // enum sl_tcp_splice_flag
    uint8_t pad[3];
};
static_assert(sizeof(struct sl_tcp_way) == 64, "a line of cache");

struct sl_tcp_splice {
    struct sl_tcp_way way[2];
};

enum sl_tcp_splice_error { // why two connections cannot be joined: they go on as two
    SL_TCP_SPLICE_JOINED,
    SL_TCP_SPLICE_TIMESTAMPS, // agreed on one leg alone
    SL_TCP_SPLICE_SACK,
    SL_TCP_SPLICE_ECN, // a mark that one end would not understand is lost
    SL_TCP_SPLICE_MSS, // one end was told that it may send larger segments than the other, or the way there, takes
    SL_TCP_SPLICE_HALF, // closed on one leg and not yet passed on to the other
    SL_TCP_SPLICE_STATE // no state of a connection that was detached
};
const char *sl_tcp_splice_error_name(enum sl_tcp_splice_error error); // "timestamps"

// Joins leg 0 and leg 1: the next byte of each is the next of the other's. Scales of windows may differ, families too.
// What sl_tcp_detach() left as a residue is still that residue's: until its peer has acknowledged it (flag FLUSHING of
// the peer's way) the other peer is not told less than was acknowledged to it already.
enum sl_tcp_splice_error sl_tcp_splice_join(struct sl_tcp_splice *splice, const struct sl_tcp_saved *leg0,
                                            const struct sl_tcp_saved *leg1);

// By how many bytes what the peer of leg `from` was told he may send reaches beyond what the other leg's peer takes
// now. He may send them, and then again when they were dropped: a relay that tells small windows (a peeked request's
// size) joins at 0, one that told large ones may wait for it. A join with more is a loss of time, not of bytes.
uint32_t sl_tcp_splice_excess(const struct sl_tcp_saved *from, const struct sl_tcp_saved *to);

enum sl_tcp_splice_verdict {
    SL_TCP_SPLICE_PASS, // the header is translated: send it on
    SL_TCP_SPLICE_STRAY, // likewise, but it was not believed: for the end host to judge and to answer (RFC 5961)
    SL_TCP_SPLICE_FENCE, // the fence is reached; header as it came: see sl_tcp_splice_fence()
    SL_TCP_SPLICE_OLD,   // drop: bytes from before the join, for which we answer: sl_tcp_splice_answer()
    SL_TCP_SPLICE_DROP,  // a RST out of the window
};

// A segment from the peer of leg `from`: its TCP header with options (`header_bytes`, 20-60, as sl_tcp_header_len()
// says) is translated where it stands, its payload of `payload_bytes` not looked at. Addresses and the IP header's
// checksum are the caller's; what other addresses do to TCP's checksum is in it. While a way is FLUSHING, its segments
// are first given to the residue (sl_tcp_residue_input()), and after each packet of either way sl_tcp_splice_leg() and
// sl_tcp_follow() keep it on the heels of what passes.
enum sl_tcp_splice_verdict sl_tcp_splice(struct sl_tcp_splice *splice, unsigned from, struct sl_tcp *tcp,
                                         size_t header_bytes, size_t payload_bytes);

// What to say to the peer of leg `to` who has sent bytes from before the join again: an acknowledgement of ours was
// lost. They were read and are no bytes of the other connection's; passed on they would be taken for what a residue
// has there, or for what the gateway said of its own. `saved` as given to sl_tcp_splice_join(); the segment is without
// payload.
void sl_tcp_splice_answer(const struct sl_tcp_splice *splice, unsigned to, const struct sl_tcp_saved *saved,
                          struct sl_tcp_out *out);
// The reset that ends the connection of leg `to`, at the very number where its peer takes it (RFC 5961 section 3.2):
// for a pair that nobody has used for too long, or whose residue has given up. Both legs get one.
void sl_tcp_splice_reset(const struct sl_tcp_splice *splice, unsigned to, const struct sl_tcp_saved *saved,
                         struct sl_tcp_out *out);

// The flow is to be taken back when the peer of leg `from` has acknowledged `bytes` more than have come from the other
// until now (the rest of a response: who is asked next may be another). The segment that
// does so is left as it is, with SL_TCP_SPLICE_FENCE; its acknowledgement is heeded, its payload not yet. After
// sl_tcp_splice_part() it is the attached endpoint's; where that says -EBUSY it may be put in again, and passes.
void sl_tcp_splice_fence(struct sl_tcp_splice *splice, unsigned from, uint32_t bytes);

// 0: all that passed was acknowledged, so nobody needs what nobody holds: `leg0` and `leg1`, which were given to
// sl_tcp_splice_join(), are as of now and may be attached. A FIN may be on its way still, which an endpoint can
// repeat. -EBUSY: something is not acknowledged (or a residue not done); -ECONNRESET; -ESHUTDOWN: both sides have
// closed.
int sl_tcp_splice_part(const struct sl_tcp_splice *splice, struct sl_tcp_saved *leg0,
                       struct sl_tcp_saved *leg1, uint64_t now_us);
// The same for one leg, without asking whether it could be attached. For sl_tcp_follow().
void sl_tcp_splice_leg(const struct sl_tcp_splice *splice, unsigned leg, struct sl_tcp_saved *saved,
                       uint64_t now_us);

enum sl_tcp_splice_phase {
    SL_TCP_SPLICE_OPEN,
    SL_TCP_SPLICE_HALF_CLOSED, // one peer's FIN is acknowledged: the other may go on for as long as its timer says
    SL_TCP_SPLICE_CLOSING, // both FINs have passed, not both acknowledged
    SL_TCP_SPLICE_CLOSED,  // both are acknowledged: what comes now is repeated FINs (linger)
    SL_TCP_SPLICE_RESET,
};
enum sl_tcp_splice_phase sl_tcp_splice_phase(const struct sl_tcp_splice *splice);

// An ICMP error that came on leg `leg` quotes a segment that left there: the sequence number as the peer of the other
// leg sent it. False: it is not of what passed and is in flight (RFC 5927 section 4.1); of a residue's, sl_tcp_icmp()
// knows.
bool sl_tcp_splice_quoted(const struct sl_tcp_splice *splice, unsigned leg, uint32_t *seq);

#endif
