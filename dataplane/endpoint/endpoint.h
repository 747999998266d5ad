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
struct sl_tcp_conn; // tcp/tcp.h
struct sl_tcp_event;
struct sl_tcp_options;

// The engine and what hangs on it; `worker` has its pool, index and count. Sizes are the settings': connections of all
// workers, shared out evenly; packet buffers that may be held are a share of the pool. Traces go to endpoint.W in the run
// directory (NULL: to private memory). NULL
// with a sentence. Main thread.
struct endpoint *endpoint_new(struct worker *worker, const struct sl_settings *settings, const char *run_dir,
                              struct sl_error *error);
// NULL is harmless. No other thread uses the worker any more.
void endpoint_free(struct endpoint *endpoint);

// Makes all workers' endpoints known to each other: whoever receives a packet asks its owner's whether there is such a
// connection. Main thread, before the workers run; one worker alone needs none of it.
void endpoint_meet(struct worker *const worker[], uint32_t count);

// The worker has new tables: listens where they say. Connections of services that are gone are reset.
void endpoint_tables_taken(struct worker *worker);

// True: the packet, one that the route stage found to be for an address of ours, is TCP of an endpoint, or an ICMP error
// about such.
bool endpoint_concerns(const struct worker *worker, const struct packet *packet);
// A fragment for an address of ours. Of a datagram of an endpoint, as the first of it tells, all are put together.
// True: it has left the burst, kept or with the worker that keeps it; false: as it was, or the whole datagram.
bool endpoint_gather(struct worker *worker, struct burst *burst, struct packet *packet);
// Takes it, or hands it to the worker whose it is. The packet has left the burst afterwards; the engine gets it with the
// others of the burst, by endpoint_input() at its end.
void endpoint_take(struct worker *worker, const struct burst *burst, struct packet *packet);
void endpoint_input(struct worker *worker);
// A segment of this worker's engine that some stage rejected (packet_reject): its connection hears of it as of an ICMP
// error. The packet is dropped by the caller.
void endpoint_reject(struct worker *worker, const struct packet *packet);
// Once a pass: services read and write, timers run, segments are sent. 0 where there was nothing to do.
uint32_t endpoint_pass(struct worker *worker);
// When the next pass must be at the latest, us of CLOCK_MONOTONIC; UINT64_MAX: at any time.
uint64_t endpoint_deadline_us(const struct worker *worker);

// ---- connections that the data plane opens itself (connect.c) ---------------------------------------------------
// Their local ports are those of the settings (tcp.ports of the config). NAT's pools, services and full NAT's sources are
// never addresses of ports, so the kernel's connections and NAT's forwards are all that such an address is shared with:
// the kernel takes other ports, and those of forwards and of listeners are left out.
struct endpoint_client { // who has a connection opened; the first member of what hangs on it
    // An event of the connection (tcp/tcp.h). Closes it (sl_tcp_close, sl_tcp_abort) with SL_TCP_ENDED at the latest.
    void (*event)(struct worker *worker, struct endpoint_client *client, const struct sl_tcp_event *event);
};

struct endpoint_request {
    struct sl_ip remote;
    struct sl_ip local; // an address of a port; zero: one of the port it leaves by, of the next hop's subnet if there is one
    sl_be16 remote_port;
    const struct sl_tcp_options *options; // but for the MTU, which the way says; NULL: sl_tcp_options_default()
    struct endpoint_client *client;       // lives as long as the connection
};

struct endpoint_way { // what was chosen
    struct sl_ip local;
    sl_be16 local_port;
    uint16_t port_out; // slot
    uint16_t mtu;      // bytes of IP packet
};

// Opens a connection whose answers this worker owns: the local port is chosen by RFC 6056 section 3.3.4 among those for
// which the flow's hash says so. The SYN leaves with this pass. NULL and *error: -ENETUNREACH (no route, or only one that
// drops), -EINVAL (no other host's address: the gateway's own, a service's, link-local, of a group), -EADDRNOTAVAIL
// (`local` is not an address of a port, or none has one of that family), -EADDRINUSE (no local port is free), -ENOBUFS (no room for
// a connection). *way is filled as far as it was found. Worker's thread.
struct sl_tcp_conn *endpoint_connect(struct worker *worker, const struct endpoint_request *request,
                                     struct endpoint_way *way, int *error);

// ---- probes (probe.c) ---------------------------------------------------------------------------------------------
// A connection that is opened, told of and closed. Housekeeping asks, the worker does it, housekeeping takes the answer.
// Gives the worker a probe. Its number, or -EBUSY: SL_PROBES_AT_ONCE are under way. Housekeeping thread.
int endpoint_probe_ask(struct endpoint *endpoint, const struct sl_probe_request *request);
// True: probe `number` is over. *status 0 and *answer, or *status as endpoint_connect()'s error. Its number is free again.
// Comes within the request's timeout, whatever happens to tables and routes meanwhile. Housekeeping thread.
bool endpoint_probe_answered(struct endpoint *endpoint, int number, int *status, struct sl_probe_answer *answer);

#endif
