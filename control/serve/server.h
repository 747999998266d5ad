// SPDX-License-Identifier: Apache-2.0
// The control socket: connections, framing, rights. What a request means is the business of serve/command.c. All on
// the main thread's event loop, but that a large request is parsed on a thread of its own; a slow or silent client costs memory bounded by one request and one response.
#ifndef SERVE_SERVER_H
#define SERVE_SERVER_H

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"

struct server;
struct call;

// Called for each request; to be answered, now or later, by one call_reply() or call_error().
typedef void (*server_request_fn)(void *context, struct call *call);

// Listens at `path`; a socket left over there by a dead process is removed. `group`: who may change things besides the
// owner (NULL: the socket's own). -EADDRINUSE: somebody answers there; -errno with a sentence.
int server_new(struct event_base *base, const char *path, const char *group, server_request_fn request,
               void *context, struct server **server, struct sl_error *error);
void server_free(struct server *server); // removes the socket; NULL is harmless

// The request object. Valid until the call is answered.
const json_t *call_request(const struct call *call);
bool call_may_change(const struct call *call);
uint32_t call_uid(const struct call *call);
const char *call_user(const struct call *call); // name of the user, or the number as text
// Answers with {"result": result}; takes over the reference; NULL: out of memory. The call is gone afterwards, also
// where the client has gone.
void call_reply(struct call *call, json_t *result);
// Answers with an error. `details` may be NULL.
void call_error(struct call *call, const char *code, json_t *details, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
