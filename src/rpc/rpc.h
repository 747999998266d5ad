// SPDX-License-Identifier: Apache-2.0
// The control socket's framing, shared by sluiced and its clients: a message is a length (4 bytes, network
// byte order, 1 to SL_RPC_MAX_BYTES) followed by that many bytes of UTF-8 JSON, whose top value is an object.
// A client sends a request, the server answers with one response, in order. COMMANDS.md lists the messages.
// Nothing here has a clock or global state; the reader and the writer are pure, the client is blocking.
#ifndef SL_RPC_RPC_H
#define SL_RPC_RPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#define SL_RPC_MAX_BYTES (64u << 20)
#define SL_RPC_MAX_DEPTH 64                         // nesting of arrays and objects
#define SL_RPC_SOCKET    "/run/sluice/sluiced.sock" // default path

// ---- reading: bytes in, messages out, any partition of the stream ------------------------------------------
struct sl_rpc_reader { // caller-owned
    uint8_t head[4];
    uint32_t head_have;
    uint32_t body_len; // announced, valid once head_have is 4
    uint32_t body_have;
    uint32_t body_room; // grows with what has arrived, never with what was announced
    char *body;
};

void sl_rpc_reader_init(struct sl_rpc_reader *reader);
void sl_rpc_reader_fini(struct sl_rpc_reader *reader);
// True where part of a message has been read: an end of file now is an error of the peer's.
bool sl_rpc_reader_partial(const struct sl_rpc_reader *reader);
// Takes bytes up to the end of one message; *taken says how many of `len` (at most one message a call).
// 0: more bytes are wanted; 1: a message is whole, sl_rpc_reader_take() next; -EMSGSIZE: announced too long
// or empty; -ENOMEM. After an error the stream cannot be resynchronised: close it.
int sl_rpc_reader_feed(struct sl_rpc_reader *reader, const void *bytes, size_t len, size_t *taken);
// The whole message as JSON, and the reader ready for the next. 0; -EBADMSG: not a JSON object (`why` says
// where; may be NULL; the stream itself is still in order); -EAGAIN: no whole message. *message belongs to
// the caller.
int sl_rpc_reader_take(struct sl_rpc_reader *reader, json_t **message, json_error_t *why);

// ---- writing -----------------------------------------------------------------------------------------------
// The frame of `message` in a buffer from malloc. 0; -EINVAL: not an object; -EMSGSIZE: longer than the bound;
// -ENOMEM.
int sl_rpc_encode(const json_t *message, char **frame, size_t *len);

// ---- responses: {"result": …} or {"error": {"code", "text", "details"}} ------------------------------------
// Both take over the reference of what they wrap (result, details); details may be NULL. NULL where memory is
// out.
json_t *sl_rpc_result(json_t *result);
json_t *sl_rpc_error(const char *code, json_t *details, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// ---- client: blocking, for sluicectl, tests and scripts ----------------------------------------------------
// Connects. A descriptor, or -ENOENT (no such socket: sluiced is not running or uses another path),
// -ECONNREFUSED (a socket left over by a dead sluiced), -ENAMETOOLONG, another -errno. Close it with close().
int sl_rpc_connect(const char *path);
// Sends `request`, waits for its response up to `timeout_ms` (<0: for ever). 0 and *response (the caller's,
// the whole object); -ETIMEDOUT; -ECONNRESET: the server went away; -EBADMSG, -EMSGSIZE: not our protocol.
int sl_rpc_call(int fd, const json_t *request, int timeout_ms, json_t **response);

#endif
