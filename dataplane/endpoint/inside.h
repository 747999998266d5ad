// SPDX-License-Identifier: Apache-2.0
// What the files of this folder share. Worker's thread.
#ifndef ENDPOINT_INSIDE_H
#define ENDPOINT_INSIDE_H

#include "tcp/tcp.h"
#include "endpoint/endpoint.h"
#include "shm/layout.h"
#include "shm/segment.h"

#define ENDPOINT_SERVICES 128 // listeners: one a family where an entry is for every address

#define PATTERN_LINES 95 // of chargen (RFC 864): one for each printable character, ' ' to '~', to begin with
#define PATTERN_LINE  72 // characters, CR and LF come behind

struct endpoint_service {
    struct sl_own_endpoint says; // the table's entry; kind SL_ENDPOINT_NONE: the place is free
    struct sl_tcp_listener *listener;
    uint32_t connections;
};

struct endpoint_conn {             // of a service, by the engine's slot
    struct endpoint_client client; // must be first
    struct sl_tcp_conn *conn;      // NULL: none of a service
    uint16_t service;              // index of its service
};

enum { PROBE_FREE, PROBE_ASKED, PROBE_OVER };

struct endpoint_probe {
    struct endpoint_client client;   // worker's
    struct sl_probe_request request; /* w: housekeeping, while PROBE_FREE  r: worker */
    struct sl_probe_answer answer;   /* w: worker, while PROBE_ASKED  r: housekeeping */
    int status;                      /* as `answer` */
    uint32_t state; /* PROBE_FREE -> _ASKED w: housekeeping, release; -> _OVER w: worker, release; -> _FREE housekeeping */
    struct sl_tcp_conn *conn; // worker's; NULL: none is under way
    uint64_t began_us;
};

struct endpoint_error { // of ICMP, about a segment of ours
    struct sl_ip sender; // zero: this gateway itself
    uint8_t type, code;
};

struct endpoint_reject {
    struct sl_tcp_icmp_in in;
    struct endpoint_error error;
};

#define PORT_COUNTERS 64 // of RFC 6056 section 3.3.4
#define REJECTS_KEPT  16 // of a pass

struct endpoint {
    struct sl_tcp_engine *tcp;
    struct worker *worker;
    uint32_t connections;             // that the engine holds
    uint16_t port_in;                 // by which it was last heard: what its own packets are counted with
    uint16_t mtu;                     // the smallest of the ports'
    uint32_t congestion;              // enum sl_tcp_congestion, of connections to come
    bool fed;                         // since the last pass
    uint64_t deadline_us;             // of the engine, after the last pass
    struct sl_tcp_counters published; // as they are in the counter segment
    uint64_t ports[65536 / 64];       // bit per port of ours, in host order: is a service there?
    struct endpoint_service service[ENDPOINT_SERVICES];
    struct endpoint_conn *conn;    // [connections]
    struct sl_segment_map segment; // endpoint.W
    // ---- connections that are opened here ----
    struct endpoint *peer[SL_MAX_WORKERS]; // endpoints by worker, this one's own included
    uint16_t port_first, port_last;        // local ports, host byte order; 0: none
    uint16_t live_first, live_last;        // the widest that the range has been
    uint64_t port_secret[2];
    uint32_t port_counter[PORT_COUNTERS];
    uint32_t opened;           // so far: of ways of equal cost they take one after the other
    uint32_t *held;            // [65536] connections and TIME-WAITs by local port, host byte order
    uint64_t live[65536 / 64]; /* bit per local port: held[] is not 0  w: the worker, release  r: all workers */
    unsigned rejects; // segments of this pass that the gateway's own stages did not let out
    struct endpoint_reject reject[REJECTS_KEPT];
    // ---- probes ----
    uint32_t probes_asked; /* w: housekeeping, release  r: worker */
    uint32_t probes_seen, probes_running;
    struct endpoint_probe probe[SL_PROBES_AT_ONCE];
    uint8_t pattern[PATTERN_LINES * (PATTERN_LINE + 2)];
    struct burst out;                      // segments made and not yet on their way
    struct sl_tcp_in in[SL_TCP_BURST_MAX]; // segments taken from a burst, not yet the engine's
    unsigned n_in;
};

// output.c
bool endpoint_send(void *endpoint, const struct sl_tcp_out *out); // the engine's
void endpoint_emit(struct endpoint *endpoint);                    // sends what is in `out`
// service.c
uint32_t endpoint_serve(struct endpoint *endpoint); // all events; how many
void endpoint_pattern_make(struct endpoint *endpoint);
void endpoint_service_reset(struct endpoint *endpoint, uint16_t service);
// connect.c
void endpoint_held(void *endpoint, sl_be16 local_port, bool begins); // the engine's
bool endpoint_has(const struct endpoint *endpoint, const struct packet *packet); // a connection opened here, by any worker
void endpoint_ports_taken(struct endpoint *endpoint, const struct sl_settings *settings);
// input.c
uint32_t endpoint_owner(const struct worker *worker, const struct sl_flow_key *key);
bool endpoint_is_any(const struct sl_ip *ip); // zero of its family, or at all
void endpoint_rejects_take(struct endpoint *endpoint);
// probe.c
uint32_t endpoint_probes_begin(struct endpoint *endpoint);   // those asked for since; how many
void endpoint_probes_tick(struct endpoint *endpoint);        // times that are over, errors that were heard of
// An error that the engine is about to be told of.
void endpoint_probes_hear(struct endpoint *endpoint, const struct sl_tcp_icmp_in *in, const struct endpoint_error *error);
uint64_t endpoint_probes_due_us(const struct endpoint *endpoint);

#endif
