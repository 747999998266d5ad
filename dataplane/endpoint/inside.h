// SPDX-License-Identifier: Apache-2.0
// What the files of this folder share. Worker's thread.
#ifndef ENDPOINT_INSIDE_H
#define ENDPOINT_INSIDE_H

#include "tcp/tcp.h"
#include "endpoint/endpoint.h"
#include "shm/segment.h"

#define ENDPOINT_SERVICES 128 // listeners: one a family where an entry is for every address

#define PATTERN_LINES 95 // of chargen (RFC 864): one for each printable character, ' ' to '~', to begin with
#define PATTERN_LINE  72 // characters, CR and LF come behind

struct endpoint_service {
    struct sl_own_endpoint says; // the table's entry; kind SL_ENDPOINT_NONE: the place is free
    struct sl_tcp_listener *listener;
    uint32_t connections;
};

struct endpoint_conn {        // by the engine's slot
    struct sl_tcp_conn *conn; // NULL: none of a service
    uint16_t service;         // index of its service
};

struct endpoint {
    struct sl_tcp_engine *tcp;
    struct worker *worker;
    uint32_t connections;             // that the engine holds
    uint16_t port_in;                 // by which it was last heard: what its own packets are counted with
    uint16_t mtu;                     // the smallest of the ports'
    uint32_t congestion;              // enum sl_tcp_congestion, of connections to come
    bool listening;                   // there are services
    bool fed;                         // since the last pass
    uint64_t deadline_us;             // of the engine, after the last pass
    struct sl_tcp_counters published; // as they are in the counter segment
    uint64_t ports[65536 / 64];       // bit per port of ours, in host order: is a service there?
    struct endpoint_service service[ENDPOINT_SERVICES];
    struct endpoint_conn *conn;    // [connections]
    struct sl_segment_map segment; // endpoint.W
    uint8_t pattern[PATTERN_LINES * (PATTERN_LINE + 2)];
    struct burst out; // segments made and not yet on their way
};

// output.c
bool endpoint_send(void *endpoint, const struct sl_tcp_out *out); // the engine's
void endpoint_emit(struct endpoint *endpoint);                    // sends what is in `out`
// service.c
uint32_t endpoint_serve(struct endpoint *endpoint); // all events; how many
void endpoint_pattern_make(struct endpoint *endpoint);
void endpoint_service_reset(struct endpoint *endpoint, uint16_t service);

#endif
