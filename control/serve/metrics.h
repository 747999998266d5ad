// SPDX-License-Identifier: Apache-2.0
// Metrics in Prometheus' text format and a health answer, over HTTP. Everything that is counted is there, with its
// sentence from the .def tables as help. Main thread.
#ifndef SERVE_METRICS_H
#define SERVE_METRICS_H

#include "base/error.h"

struct daemon;
struct metrics;
struct evbuffer;

// Listens at "ADDRESS:PORT" ("127.0.0.1:9301", "[::1]:9301"). -EINVAL: not that; -EADDRINUSE.
int metrics_new(struct daemon *daemon, const char *listen, struct metrics **metrics, struct sl_error *error);
void metrics_free(struct metrics *metrics); // NULL is harmless
// The text that GET /metrics answers.
void metrics_write(struct daemon *daemon, struct evbuffer *out);

// The part of it about services, pools and members.
void metrics_write_balance(struct daemon *daemon, struct evbuffer *out);

#endif
