// SPDX-License-Identifier: Apache-2.0
// The always-on trace of a connection's life: records of 8 bytes in a small ring per connection, written at what
// matters (states, losses, timers, windows that close), never for a plain segment in order, so that the ring spans the
// life of a connection and not its last millisecond. Writing is two stores. Read by `sluicectl trace flow` after the
// fact: the ring stays until the slot is used again. One writer, the worker that owns the connection.
#ifndef TCP_TRACE_H
#define TCP_TRACE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include "base/ip.h"

enum tcp_trace_event {
#define TCP_TRACE_EVENT(id, name, arg, help) TCP_TRACE_##id,
#include "tcp/trace.def"
#undef TCP_TRACE_EVENT
    TCP_TRACE_EVENTS
};

struct tcp_trace_record {
    uint32_t
        at_ms; // since the connection's first record in this ring slot; the first one holds the worker's clock
    uint8_t event;  // enum tcp_trace_event
    uint8_t small;  // argument of 8 bits: a state, a flag byte, a shift
    uint16_t value; // argument of 16 bits: segments, KiB, ms; saturated
};

#define TCP_TRACE_RECORDS 16u // a power of two: with what stands before them 192 bytes a connection

struct tcp_trace {           // of the connection that has, or had last, the slot; may lie in shared memory
    struct sl_ip local, remote;
    sl_be16 local_port, remote_port;
    uint32_t written;  // records so far; 0: no connection ever had the slot
    uint64_t began_us; // the engine's clock
    uint8_t state;     // enum sl_tcp_state
    uint8_t pad[15];
    struct tcp_trace_record ring[TCP_TRACE_RECORDS];
};
static_assert(sizeof(struct tcp_trace) == 192, "three lines");

// `written` counts records of the connection; the ring holds the last TCP_TRACE_RECORDS. The first two places are kept
// for the connection's beginning: wrapping goes over the rest.
static inline void tcp_trace_put(struct tcp_trace *trace, uint32_t *written, uint32_t at_ms,
                                 enum tcp_trace_event event, uint8_t small, uint32_t value)
{
    uint32_t n = (*written)++;
    uint32_t place = n < TCP_TRACE_RECORDS ? n : 2 + (n - 2) % (TCP_TRACE_RECORDS - 2);
    struct tcp_trace_record *record = &trace->ring[place];

    record->at_ms = at_ms;
    record->event = (uint8_t)event;
    record->small = small;
    record->value = value > UINT16_MAX ? UINT16_MAX : (uint16_t)value;
}

// The i-th record kept, oldest first; NULL past the last. *lost: how many were overwritten before it (0 but for the third).
const struct tcp_trace_record *tcp_trace_get(const struct tcp_trace *trace, uint32_t written, uint32_t i,
                                             uint32_t *lost);
// One line of text for a record: "12.345 s  state ESTABLISHED". Returns `out`.
const char *tcp_trace_state_name(unsigned state); // "ESTABLISHED"; "?"
const char *tcp_trace_event_name(unsigned event); // "recovery"; "?"
const char *tcp_trace_format(const struct tcp_trace_record *record, char *out, size_t out_bytes);

#endif
