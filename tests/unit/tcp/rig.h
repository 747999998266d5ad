// SPDX-License-Identifier: Apache-2.0
// A TCP engine on virtual time, for tests: segments are put in by hand and those that come out are looked at one by one
// (a scripted peer), or two engines stand at the ends of a path (pair.h). Buffers are counted blocks of plain memory;
// rig_free() fails the test where one was lost. Sequence numbers in the calls are relative: the peer's to `peer_isn`, so
// that his SYN is 0 and his first byte 1, ours to the engine's own ISN, likewise.
#ifndef TCP_RIG_H
#define TCP_RIG_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tcp/engine.h"

#define RIG_OUT     8192u
#define RIG_PAYLOAD 9200u
#define RIG_MS      1000ull
#define RIG_S       1000000ull

struct rig_block { // a buffer: counted
    uint32_t refs, bytes;
    uint8_t data[];
};

struct rig_segment { // that came out
    struct sl_tcp_out out;
    struct tcp_options options;
    uint64_t at_us;
    uint32_t seq, ack; // relative
    uint8_t payload[RIG_PAYLOAD];
};

struct rig {
    struct sl_tcp_engine *tcp;
    struct sl_tcp_listener *listener;
    uint64_t now_us;
    struct sl_ip local, remote;
    sl_be16 local_port, remote_port;
    uint32_t peer_isn;
    uint32_t isn;   // ours: taken from the SYN that came out
    uint32_t tsval; // the peer's, sent where `timestamps`
    uint32_t tsecr; // last TSval that came out
    bool timestamps;
    uint8_t shift; // by which the windows of rig_in are scaled; they are given in bytes
    struct rig_segment *out[RIG_OUT];
    uint32_t n_out, n_taken;
    bool (*deliver)(struct rig *rig, const struct sl_tcp_out *out); // instead of keeping: pair.c
    void *context;
    bool refuse; // the caller's device is full
};

extern uint32_t rig_blocks; // alive

struct rig_block *rig_block_new(uint32_t bytes);
extern const struct sl_tcp_buffers rig_buffers;
// A chunk of its own with bytes of a pattern that names their place: byte at offset i is (uint8_t)(i * 31 >> 3).
struct sl_tcp_chunk rig_chunk(uint32_t offset, uint32_t len);
uint8_t rig_byte(uint32_t offset);

void rig_config(struct sl_tcp_config *config); // small pools, this file's buffers
struct rig *rig_new(void);                     // IPv4; time begins at 1,000 s
struct rig *rig_new_with(const struct sl_tcp_config *config, bool v6);
void rig_free(struct rig *rig); // no buffer may be left

// What the peer sends. `flags` of enum SL_TCP_*; an ACK number of 0 with SL_TCP_ACK is relative as well.
struct rig_in {
    uint8_t flags, ecn;
    uint32_t seq, len, ack, window; // window in bytes
    struct tcp_options options;     // besides the timestamps that the rig adds
    bool no_timestamps;             // not even where the rig has them
    bool raw_ack;                   // ack is absolute
    uint16_t urgent;
    uint32_t charge;
};
void rig_put(struct rig *rig, struct rig_in in); // then sl_tcp_output(), and the invariants are checked
#define RIG_PUT(rig, ...) rig_put(rig, (struct rig_in){__VA_ARGS__})

// The next segment that came out, NULL: none. Valid until rig_free().
const struct rig_segment *rig_take(struct rig *rig);
const struct rig_segment *rig_expect(struct rig *rig, uint8_t flags, uint32_t seq, uint32_t len,
                                     uint32_t ack); // or the test fails
void rig_expect_none(struct rig *rig);
void rig_drop_out(struct rig *rig); // forgets what came out so far

// Time passes, timers run and output happens as they come due, up to `us` from now.
void rig_wait(struct rig *rig, uint64_t us);
// The same, until something comes out, at most `us`: the time that passed.
uint64_t rig_wait_out(struct rig *rig, uint64_t us);

void rig_listen(struct rig *rig, const struct sl_tcp_options *options);
// A connection that the peer opened, or we: through the handshake, nothing left in out. `syn` are the peer's options;
// window in bytes.
struct sl_tcp_conn *rig_open_passive(struct rig *rig, const struct sl_tcp_options *options,
                                     struct tcp_options syn, uint32_t window);
struct rig *rig_with(struct sl_tcp_conn **conn, struct sl_tcp_options options, struct tcp_options syn,
                     uint32_t window); // a new rig, with one that the peer opened
struct sl_tcp_conn *rig_open_active(struct rig *rig, const struct sl_tcp_options *options,
                                    struct tcp_options syn, uint32_t window);
// MSS 1460, SACK, timestamps, scale 7; MSS 1460 alone.
struct tcp_options rig_full_syn(void);
struct tcp_options rig_bare_syn(void);
struct sl_tcp_options rig_options(void); // defaults without pacing and ECN

int rig_send(struct rig *rig, struct sl_tcp_conn *conn, uint32_t offset, uint32_t len); // queued and sent
uint32_t rig_read(struct rig *rig, struct sl_tcp_conn *conn, uint32_t offset); // all there is, checked; bytes
bool rig_event(struct rig *rig, struct sl_tcp_event *event);
enum sl_tcp_state rig_state(struct sl_tcp_conn *conn);
struct sl_tcp_info rig_info(struct sl_tcp_conn *conn);
// What the other end gets of a segment that went out, with this payload.
struct sl_tcp_in rig_in_of(const struct sl_tcp_out *out, struct sl_tcp_chunk payload);
void rig_flush(struct rig *rig); // sl_tcp_output() and the invariants

#endif
