// SPDX-License-Identifier: Apache-2.0
// Health checks: which members answer. The engine is told what to check (health_set), checks it for ever on the event
// loop it was given, and calls `changed` in the very moment in which a member comes, goes or is held back. It decides
// nothing about pools: what a change means for a table is the business of who listens.
//
//     wish -> schedule.c: when -> check_*.c: one check, its verdict -> state.c: rise, fall, damping -> changed()
//
// All functions on the thread of the event loop. Nothing blocks; nothing logs: what went wrong is a sentence in the
// report. The process ignores SIGPIPE.
#ifndef HEALTH_HEALTH_H
#define HEALTH_HEALTH_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/ip.h"

struct health;

enum health_kind {
    HEALTH_TCP,    // a connection comes about
    HEALTH_HTTP,   // a response has the right status, header, text
    HEALTH_HTTPS,  // the same behind TLS
    HEALTH_ICMP,   // echo is answered, ICMP or ICMPv6 by the address's family
    HEALTH_UDP,    // a datagram is answered
    HEALTH_SCRIPT, // a program ends with 0
    HEALTH_KINDS
};

// What is published. Only a member that is up gets new flows.
enum health_state {
    HEALTH_CHECKING,  // not known yet
    HEALTH_UP,        // admitted
    HEALTH_DOWN,      // the checks say so
    HEALTH_INHIBITED, // the checks say up, but it is held back: see the reason
};

enum health_reason {
    HEALTH_BY_NOTHING,  // never checked
    HEALTH_BY_CHECKS,   // rise or fall was reached
    HEALTH_BY_WISH,     // admitted before the first check (optimistic)
    HEALTH_BY_STORE,    // as before the restart; no verdict yet
    HEALTH_BY_PASSIVE,  // held back: the data plane saw no answers, or resets
    HEALTH_BY_FLAPPING, // held back: came and went too often
};

#define HEALTH_MOST_STATUS 8

struct health_http_wish {
    const char *method; // NULL: GET
    const char *path;   // NULL: /
    const char *host;   // NULL: the address (and port)
    struct {
        uint16_t first, last;
    } status[HEALTH_MOST_STATUS]; // first one {0, 0}: 200-399
    const char *header;           // name of a header that must be there; NULL: any
    const char *header_text;      // which must contain this; NULL: whatever it says
    const char *body;             // text that must be in the body; NULL: the body is not read
    uint32_t body_most_bytes;     // looked at so far for it; 0: 64 KiB
    const char *sni;              // https: NULL: `host` where that is a name
    bool verify;                  // https: the certificate must be good for that name, or for the address
    const char *ca_file;          // https: NULL: the system's
};

struct health_udp_wish {
    const void *send;
    size_t send_bytes;
    const void *expect; // the answer must begin so; 0 bytes: any answer
    size_t expect_bytes;
    bool silence_is_good; // no answer and no ICMP error within the timeout: good
};

// An argument "{address}" or "{port}" stands for the member's; SLUICE_ADDRESS and SLUICE_PORT are in its environment.
struct health_script_wish {
    const char *path; // absolute; run without a shell
    const char *const *arguments;
    unsigned argument_count;
};

// Signs of trouble from the data plane (health_passive).
struct health_passive_wish {
    uint32_t failures;      // within the window that hold a member back; 0: never
    uint32_t share_percent; // and at least so much of all that was seen; 0: 50
    uint32_t window_ms;     // 0: 1000
    uint32_t hold_ms;       // held back so long the first time, twice as long the next; 0: 5000
    uint32_t hold_most_ms;  // at most so long; after as long in peace it starts over; 0: 300000
};

// Route-flap damping (RFC 2439) for members: each loss adds 1000 to a penalty that halves in every half-life.
struct health_damp_wish {
    uint32_t half_life_ms; // 0: no damping
    uint32_t suppress;     // held back above this penalty; 0: 3000
    uint32_t reuse;        // admitted again below this; 0: 1000
    uint32_t most_ms;      // held back no longer than this after the last loss; 0: four half-lives
};

struct health_wish {
    // The member. Another address or port is another member: its state starts anew. All else below only changes how it
    // is checked: the state stands until verdicts of the new checks change it, so no reload empties a pool.
    struct sl_ip address;
    uint16_t port;
    enum health_kind kind;
    uint32_t interval_ms;    // 10 or more
    uint32_t jitter_percent; // 0-50: checks come up to so much earlier than the interval says, never later
    uint32_t timeout_ms;     // at most the interval; 0: the most with which a dead member is out in time
    uint32_t rise, fall;     // 0: 2 and 3
    bool optimistic;         // admitted before the first check, and out at its first failure
    bool
        orderly_close; // end connections by FIN (leaves TIME-WAIT) and let tcp checks be accepted; else by reset
    struct sl_ip source; // all zero: the kernel's choice
    const char *device;  // network device to leave by; NULL: any
    struct health_passive_wish passive;
    struct health_damp_wish damp;
    struct health_http_wish http;
    struct health_udp_wish udp;
    struct health_script_wish script;
};

struct health_status {
    enum health_state state;
    enum health_reason reason;
    uint64_t since_ms; // Unix time of the last change of `state`
};

struct health_report {
    struct health_status status;
    const char
        *last; // last result, such as "HTTP 503, expected 200-399"; "" before the first. Valid until the loop
    uint64_t last_at_ms;             // Unix time; 0: never
    uint32_t last_us;                // how long it took
    bool last_counted;               // false: it could not be checked, which is not the member's fault
    uint64_t good, bad, not_checked; // verdicts since the process started
    uint64_t losses;                 // times it went from up to down
    uint32_t run;         // verdicts in a row against the state the checks have; at rise or fall it turns
    uint64_t next_in_ms;  // until the next check; 0: under way, or due
    uint64_t held_for_ms; // until it may be admitted again; 0: not held back
    uint32_t penalty;
    uint32_t timeout_ms, fast_ms; // as they are, not as wished
};

struct health_hooks {
    void *context;
    // Called at once on each change; it may call everything below, on this member too, but health_free().
    void (*changed)(void *context, uint64_t id, const struct health_status *status);
};

struct health_limits {
    uint32_t most_checks;  // under way at once; 0: 4096, and no more than the open-file limit allows
    uint32_t most_scripts; // of them programs; 0: 16
};

struct health_totals {
    uint64_t targets, running, waiting; // waiting: due, but most_checks are under way
    uint64_t checks, good, bad, not_checked;
    uint64_t up, down, checking, inhibited;
    uint64_t late_ms;      // most that a check started late in the last second or so
    char environment[160]; // what last kept us from checking, "" if nothing did
};

// NULL: out of memory or of files. `limits` may be NULL.
struct health *health_new(struct event_base *base, const struct health_hooks *hooks,
                          const struct health_limits *limits);
void health_free(struct health *health); // NULL is harmless; saves where a store is set

// Adds a member to check, or changes how. The wish is copied. `id` names the member over restarts: make it from what
// names it in the config. -EINVAL with a sentence: a wish that makes no sense; -ENOMEM; the old wish stays.
int health_set(struct health *health, uint64_t id, const struct health_wish *wish, struct sl_error *error);
int health_remove(struct health *health, uint64_t id); // 0 or -ENOENT
int health_check_now(struct health *health,
                     uint64_t id); // next check at once: an operator asked. 0 or -ENOENT

// New signs from the data plane since the last call. 0 or -ENOENT.
int health_passive(struct health *health, uint64_t id, uint32_t bad, uint32_t good);

int health_look(const struct health *health, uint64_t id, struct health_report *report); // 0 or -ENOENT
int health_status(const struct health *health, uint64_t id, struct health_status *status);
void health_totals(const struct health *health, struct health_totals *totals);
const char *health_kind_name(enum health_kind kind);
const char *health_state_name(enum health_state state);
const char *health_reason_text(enum health_reason reason);

// States survive in `path`. Read at once, so call it before the first health_set(); written at most once a second
// while something changes, in slices that hold up nobody, and by health_free(). A file that is missing is no error; a
// damaged one is -EBADMSG with a sentence: nothing is recalled from it, and it is written anew.
int health_store(struct health *health, const char *path, struct sl_error *error);

// The longest timeout with which a dead member is out within fall x interval + 50 ms.
uint32_t health_timeout_most_ms(uint32_t interval_ms, uint32_t fall);
// When a member that died is out at the latest, with the timeouts as they will be.
uint32_t health_out_within_ms(const struct health_wish *wish);

#endif
