// SPDX-License-Identifier: Apache-2.0
// One side of many TCP connections, client or server: RFC 9293 as far as a load generator needs it, and honest in that:
// every sequence number and every byte is checked, losses are mended by timers and by repeated acknowledgments. It does
// without congestion control, options but the segment size, and a queue for segments that come too early (they are
// asked for again). No I/O and no clock: frames come as bytes, frames go where the outbox has room, time is an argument.
//
// Several workers share a side as shards, an engine each. A client's shards have a share of its ports each, so every
// segment tells whose it is. A server's connection belongs to the shard that its SYN came to; what a shard does not know
// goes on to the next, and is a stray once all have seen it.
// One owner: the worker that runs the shard.
//
//   engine_input()    frames that came
//   engine_timers()   what is due
//   client_open()     new connections
#ifndef STATEFUL_ENGINE_H
#define STATEFUL_ENGINE_H

#include "../histogram.h"
#include "base/error.h"
#include "base/hash.h"
#include "segment.h"
#include "wheel.h"

#define ENGINE_BURST       32
#define ENGINE_OUTBOX      1024
#define ENGINE_CONNECTIONS (4u << 20) // most of one side
#define ENGINE_STAMP_SHIFT 6          // stamps are in units of 64 ns

enum engine_failure {     // why a connection ended otherwise than meant; names in engine_failure_name()
    FAILURE_TIMEOUT,      // retransmitted in vain, or waited too long
    FAILURE_REFUSED,      // a reset in answer to our SYN
    FAILURE_RESET,        // a reset later
    FAILURE_CLOSED_EARLY, // the peer's FIN before all was said
    FAILURE_BAD_BYTE,     // a byte of a body that is not what it must be
    FAILURE_BAD_MESSAGE,  // no HTTP, another status than 200, a body of another length
    FAILURE_BAD_SEQUENCE, // numbers that cannot be kept coming until it timed out
    FAILURES
};

struct endpoint_config {
    bool server;
    uint8_t mac[6], next_hop[6]; // a server answers to where a connection came from
    struct endpoint_range own;
    struct endpoint_range peer; // client: servers
    struct endpoint_range side; // client: of all shards together, where there are several
    uint32_t shard, shards;     // which of how many; 0 of 0 where it is alone
    uint32_t connections;       // at a time
    uint16_t mss, window;
    uint32_t rto_ms;     // of the first retransmission; each next waits twice as long
    uint32_t retries;    // retransmissions without an answer before giving up
    uint32_t timeout_ms; // client: for a response. server: idle connections
    uint32_t requests;   // client: on a connection
    uint32_t think_ms;
    uint32_t request_bytes, response_bytes; // of bodies; server: of responses to paths that say no length
    const char *path; // client: NULL: our own, with key; bodies are not checked otherwise
    const char *host;
    bool close_by_reset; // client
    uint64_t seed;
};

struct engine_counters { // w: worker  r: main thread
    uint64_t opened, completed, failed[FAILURES];
    uint64_t requests; // answered
    uint64_t segments_in, segments_out, bytes_in, bytes_out;
    uint64_t retransmits;
    uint64_t duplicates;   // segments with nothing new
    uint64_t early;        // segments with a gap before them, not kept
    uint64_t bad_sequence; // segments with numbers that cannot be
    uint64_t bad_checksum;
    uint64_t stray;   // for no connection of ours
    uint64_t foreign; // frames that are no TCP for us
    uint64_t starved; // segments that found the outbox full
    uint64_t table_full;
    uint64_t handed; // segments that went on to another shard
};

struct engine_outbox {
    uint8_t *frame[ENGINE_OUTBOX]; // room for a whole frame each; the caller's
    uint16_t len[ENGINE_OUTBOX];
    uint32_t count; // frames written
    uint32_t room;  // frames that may be written
};

#define ENGINE_TAKEN UINT8_MAX

struct engine_frame {
    const uint8_t *bytes;
    uint32_t len;
    uint8_t hops; // shards that have seen it before
    uint8_t next; // answer: the shard that it is for, or ENGINE_TAKEN
};

struct engine {
    struct endpoint_config config;
    struct segment_template template;
    struct connection *connection;
    uint32_t *chain; // server: first of each bucket
    uint32_t bucket_mask;
    uint32_t *free; // client: a ring, so that tuples rest. server: a stack
    uint32_t free_count, free_first;
    struct tuple_space space; // client
    struct wheel wheel;
    struct sl_hash_seed seed;
    struct http_head head; // client: the request. server: the last response
    uint32_t head_body;    // server: body length the head is for
    uint8_t learned
        [HTTP_HEAD_MAX]; // server: the last request's text behind its key; client: last response's head
    uint32_t learned_len;
    uint32_t learned_key_at; // server: bytes before the key
    struct http_parse learned_result;
    uint64_t key_state; // of the next key
    uint32_t rto_ticks, think_ticks, timeout_ticks;
    struct engine_outbox outbox;
    struct engine_counters counters;
    struct histogram connect, request; // ns
};

const char *engine_failure_name(enum engine_failure failure);
// 0, or -EINVAL with a sentence: what engine_init() would refuse.
int engine_check(const struct endpoint_config *config, struct sl_error *error);
// 0, or -EINVAL with a sentence, or -ENOMEM.
int engine_init(struct engine *engine, const struct endpoint_config *config, uint64_t now_ns,
                struct sl_error *error);
void engine_fini(struct engine *engine);
// At most ENGINE_BURST frames.
void engine_input(struct engine *engine, struct engine_frame *frame, uint32_t count, uint64_t now_ns);
void engine_timers(struct engine *engine, uint64_t now_ns);
// Opens up to `count` connections; how many it could: the table and the outbox are bounds. `requests` each.
uint32_t client_open(struct engine *engine, uint32_t count, uint64_t now_ns);
// Connections that are open, half-open or closing. opened = completed + failed + this.
static inline uint64_t engine_open(const struct engine *engine)
{
    return engine->config.connections - engine->free_count;
}

#endif
