// SPDX-License-Identifier: Apache-2.0
// What the files of the engine say to each other: tcp.c takes segments, send.c makes them, client.c and server.c decide
// what to say. The engine's thread.
#ifndef STATEFUL_TCP_H
#define STATEFUL_TCP_H

#include "engine.h"
#include "wire/headers.h"

static inline uint32_t connection_index(const struct engine *engine, const struct connection *c)
{
    return (uint32_t)(c - engine->connection);
}

static inline uint32_t engine_stamp(uint64_t now_ns)
{
    return (uint32_t)(now_ns >> ENGINE_STAMP_SHIFT);
}

static inline bool connection_has(const struct connection *c, uint8_t flag)
{
    return c->flags & flag;
}

// ---- send.c ----
enum push_why {
    PUSH_DATA,
    PUSH_ANSWER,
    PUSH_AGAIN
}; // where there is something; an ACK in any case; by timer
// Sends what may be sent, and sets the timer.
void connection_push(struct engine *engine, struct connection *c, enum push_why why, uint64_t now_ns);
void connection_send_syn(struct engine *engine, struct connection *c, uint64_t now_ns);
void connection_send_reset(struct engine *engine, struct connection *c);
// Answers a segment that belongs to no connection. RFC 9293 section 3.10.7.1, and section 3.6.1's TIME-WAIT without
// keeping it: a FIN that comes again is acknowledged again.
void stray_answer(struct engine *engine, const struct segment *segment);
// Queues a message of `head` and `body` bytes behind what was sent.
void connection_say(struct connection *c, uint32_t head, uint32_t body, uint32_t key);

// ---- tcp.c ----
void connection_take(struct engine *engine, struct connection *c, const struct segment *segment,
                     uint64_t now_ns);
void connection_timer(struct engine *engine, struct connection *c, uint64_t now_ns);
// Fresh sequence numbers; the key is set.
void connection_start(struct engine *engine, struct connection *c, enum connection_state state,
                      uint64_t now_ns);
void connection_complete(struct engine *engine, struct connection *c);
void connection_fail(struct engine *engine, struct connection *c, enum engine_failure failure, bool reset);

// ---- client.c, server.c ----
#define APP_WRONG UINT32_MAX // the connection has failed and is gone
struct connection *client_find(struct engine *engine, const struct segment *segment);
// True where another shard of the client has the segment's address and port.
bool client_elsewhere(const struct engine *engine, const struct segment *segment, uint32_t *shard);
void client_connected(struct engine *engine, struct connection *c, uint64_t now_ns);
// Bytes taken of those that came in order, fewer where the rest cannot be taken now.
uint32_t client_bytes(struct engine *engine, struct connection *c, const uint8_t *bytes, uint32_t count,
                      uint64_t now_ns);
// After acknowledgments and bytes: what to do next. False where the connection is gone.
bool client_next(struct engine *engine, struct connection *c, uint64_t now_ns);
void client_think_over(struct engine *engine, struct connection *c, uint64_t now_ns);
void client_free(struct engine *engine, struct connection *c);

uint32_t server_hash(const struct engine *engine, const struct connection_key *key);
struct connection *server_find(struct engine *engine, const struct segment *segment, uint32_t hash);
void server_accept(struct engine *engine, const struct segment *segment, uint32_t hash, uint64_t now_ns);
// Makes the head of responses with bodies of that length, where it is not the last one made.
void server_head_for(struct engine *engine, uint32_t body);
uint32_t server_bytes(struct engine *engine, struct connection *c, const uint8_t *bytes, uint32_t count);
bool server_next(struct engine *engine, struct connection *c);
void server_free(struct engine *engine, struct connection *c);

#endif
