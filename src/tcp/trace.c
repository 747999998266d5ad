// SPDX-License-Identifier: Apache-2.0
#include "tcp/trace.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const event_name[] = {
#define TCP_TRACE_EVENT(id, name, arg, help) name,
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
    return event < TCP_TRACE_EVENTS ? event_name[event] : "?";
}

const char *tcp_trace_state_name(unsigned state)
{
    static const char *const names[] = {"CLOSED",      "LISTEN",     "SYN-SENT",   "SYN-RECEIVED",
                                        "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT",
                                        "CLOSING",     "LAST-ACK",   "TIME-WAIT"};

    return state < sizeof(names) / sizeof(names[0]) ? names[state] : "?";
}

// ---- text -------------------------------------------------------------------------------------------------------
struct text {
    char *at;
    size_t left;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(text->at, text->left, format, arguments);
    va_end(arguments);
    if (n <= 0)
        return;
    if ((size_t)n >= text->left)
        n = (int)text->left - 1;
    text->at += n;
    text->left -= (size_t)n;
}

static const char *word(const char *const *words, unsigned count, unsigned i)
{
    return i < count ? words[i] : "?";
}

#define WORD(i, ...)                                                                                         \
    word((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), i)

static void add_flags(struct text *text, uint8_t flags)
{
    static const char *const names[] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"};

    for (unsigned i = 0; i < 8; i++)
        if (flags & 1u << i)
            add(text, " %s", names[i]);
}

static void add_agreed(struct text *text, const struct tcp_trace_record *record)
{
    static const char *const names[] = {"timestamps", "SACK", "window scaling", "ECN"};

    add(text, " segments of %u bytes", record->value);
    for (unsigned i = 0; i < 4; i++)
        if (record->small & 1u << i)
            add(text, ", %s", names[i]);
}

// What the two numbers of an event say, in words.
static void add_meaning(struct text *text, const struct tcp_trace_record *r)
{
    switch (r->event) {
    case TCP_TRACE_OPEN:
        add(text, " %s, the peer's port %u", WORD(r->small, "by the peer", "by us", "by a SYN cookie"), r->value);
        break;
    case TCP_TRACE_STATE:
        add(text, " %s", tcp_trace_state_name(r->small));
        break;
    case TCP_TRACE_OPTIONS:
        add_agreed(text, r);
        break;
    case TCP_TRACE_RTO:
        add(text, " after %u ms, %u in a row", r->value, r->small);
        break;
    case TCP_TRACE_TLP:
        add(text, " of the tail after %u ms", r->value);
        break;
    case TCP_TRACE_RECOVERY:
        add(text, " by %s, %u segments lost", WORD(r->small, "SACK and time (RACK)", "duplicate ACKs", "ECN or a tail probe"),
            r->value);
        break;
    case TCP_TRACE_RECOVERED:
        add(text, " with a window of %u segments", r->value);
        break;
    case TCP_TRACE_UNDO:
        add(text, " of a needless reduction, told by %s; a window of %u segments",
            WORD(r->small, "DSACK", "timestamps", "what arrived (F-RTO)"), r->value);
        break;
    case TCP_TRACE_ZERO_WINDOW:
        add(text, " of %s", WORD(r->small, "the peer", "ours"));
        break;
    case TCP_TRACE_OPEN_WINDOW:
        add(text, " of %s, %u KiB", WORD(r->small, "the peer", "ours"), r->value);
        break;
    case TCP_TRACE_PERSIST:
        add(text, " %u without an answer, the next in %u ms", r->small, r->value);
        break;
    case TCP_TRACE_KEEPALIVE:
        add(text, " %u without an answer, silence for %u s", r->small, r->value);
        break;
    case TCP_TRACE_CHALLENGE:
        add(text, " to a segment with");
        add_flags(text, r->small);
        break;
    case TCP_TRACE_REFUSED:
        add(text, " a segment of %u bytes: %s", r->value, WORD(r->small, "outside the window", "its timestamp is old (PAWS)"));
        break;
    case TCP_TRACE_MTU:
        add(text, " %s, segments of %u bytes now", WORD(r->small, "told by ICMP", "full segments vanish", "a probe", "back up"),
            r->value);
        break;
    case TCP_TRACE_MEMORY:
        add(text, " cap reached, it holds %u KiB", r->value);
        break;
    case TCP_TRACE_FIN:
    case TCP_TRACE_RESET:
        add(text, " %s", WORD(r->small, "from the peer", "from us"));
        break;
    case TCP_TRACE_DETACH:
        add(text, ", %u bytes left to be repeated", r->value);
        break;
    case TCP_TRACE_ATTACH:
        add(text, " in %s, segments of %u bytes", tcp_trace_state_name(r->small), r->value);
        break;
    case TCP_TRACE_END:
        add(text, " %s", r->small ? strerrordesc_np(r->small) : "in order");
        break;
    default:
        break;
    }
}

const char *tcp_trace_format(const struct tcp_trace_record *record, char *out, size_t out_bytes)
{
    struct text text = {out, out_bytes};

    if (out_bytes == 0)
        return out;
    out[0] = '\0';
    add(&text, "%u.%03u s  %s", record->at_ms / 1000, record->at_ms % 1000,
        tcp_trace_event_name(record->event));
    add_meaning(&text, record);
    return out;
}
