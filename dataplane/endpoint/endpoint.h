// SPDX-License-Identifier: Apache-2.0
// TCP of the gateway's own: an engine of src/tcp in each worker, over which the services of the config's `endpoints` are
// spoken with. Packets come from the local stage, segments leave by the route stage as what the gateway makes itself. A
// connection is one worker's: that which the hash of its addresses and ports names, so no other ever sees it. All on
// the worker's thread, but for _new and _free.
#ifndef ENDPOINT_ENDPOINT_H
#define ENDPOINT_ENDPOINT_H

#include "base/error.h"
#include "worker/worker.h"

struct endpoint;

// The engine and what hangs on it; `worker` has its pool, index and count. Sizes are the settings': connections of all
// workers, shared out evenly; packet buffers that may be held are a share of the pool. Traces go to endpoint.W in the run
// directory (NULL: to private memory). NULL
// with a sentence. Main thread.
struct endpoint *endpoint_new(struct worker *worker, const struct sl_settings *settings, const char *run_dir,
                              struct sl_error *error);
// NULL is harmless. No other thread uses the worker any more.
void endpoint_free(struct endpoint *endpoint);

// The worker has new tables: listens where they say. Connections of services that are gone are reset.
void endpoint_tables_taken(struct worker *worker);

// True: the packet, one that the route stage found to be for an address of ours, is TCP of an endpoint, or an ICMP error
// about such.
bool endpoint_concerns(const struct worker *worker, const struct packet *packet);
// A fragment for an address of ours. Of a datagram of an endpoint, as the first of it tells, all are put together.
// True: it has left the burst, kept or with the worker that keeps it; false: as it was, or the whole datagram.
bool endpoint_gather(struct worker *worker, struct burst *burst, struct packet *packet);
// Takes it in, or hands it to the worker whose it is. The packet has left the burst afterwards.
void endpoint_take(struct worker *worker, const struct burst *burst, struct packet *packet);
// Once a pass: services read and write, timers run, segments are sent. 0 where there was nothing to do.
uint32_t endpoint_pass(struct worker *worker);
// When the next pass must be at the latest, us of CLOCK_MONOTONIC; UINT64_MAX: at any time.
uint64_t endpoint_deadline_us(const struct worker *worker);

#endif
