// SPDX-License-Identifier: Apache-2.0
#include "tcp/trace.h"
#include <stdio.h>

static const struct event {
    const char *name, *arg;
} events[] = {
#define TCP_TRACE_EVENT(id, name, arg, help) {name, arg},
#include "tcp/trace.def"
#undef TCP_TRACE_EVENT
};

const struct tcp_trace_record *tcp_trace_get(const struct tcp_trace *trace, uint32_t written, uint32_t i,
                                             uint32_t *lost)
{
    uint32_t kept = written < TCP_TRACE_RECORDS ? written : TCP_TRACE_RECORDS, around = TCP_TRACE_RECORDS - 2;

    *lost = 0;
    if (i >= kept)
        return NULL;
    if (i < 2 || written <= TCP_TRACE_RECORDS)
        return &trace->ring[i];
    *lost = i == 2 ? written - TCP_TRACE_RECORDS : 0;
    return &trace->ring[2 + (written - 2 + i - 2) % around];
}

const char *tcp_trace_event_name(unsigned event)
{
    return event < TCP_TRACE_EVENTS ? events[event].name : "?";
}

const char *tcp_trace_state_name(unsigned state)
{
    static const char *const names[] = {"CLOSED",      "LISTEN",     "SYN-SENT",   "SYN-RECEIVED",
                                        "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT",
                                        "CLOSING",     "LAST-ACK",   "TIME-WAIT"};

    return state < sizeof(names) / sizeof(names[0]) ? names[state] : "?";
}

const char *tcp_trace_format(const struct tcp_trace_record *record, char *out, size_t out_bytes)
{
    const struct event *event =
        record->event < TCP_TRACE_EVENTS ? &events[record->event] : &(struct event){"?", "?/?"};
    int n =
        snprintf(out, out_bytes, "%u.%03u s  %s", record->at_ms / 1000, record->at_ms % 1000, event->name);

    if (n < 0 || (size_t)n >= out_bytes)
        return out;
    if (record->event == TCP_TRACE_STATE) {
        snprintf(out + n, out_bytes - (size_t)n, " %s", tcp_trace_state_name(record->small));
        return out;
    }
    const char *slash = event->arg;
    while (*slash && *slash != '/')
        slash++;
    if (event->arg[0] != '-')
        n += snprintf(out + n, out_bytes - (size_t)n, "  %.*s %u", (int)(slash - event->arg), event->arg,
                      record->small);
    if (n >= 0 && (size_t)n < out_bytes && slash[0] && slash[1] != '-')
        snprintf(out + n, out_bytes - (size_t)n, "  %s %u", slash + 1, record->value);
    return out;
}
