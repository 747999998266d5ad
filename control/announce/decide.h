// SPDX-License-Identifier: Apache-2.0
// Which services' addresses are to be announced: a decision without I/O or clock, made again at each tick.
//
//              serves             delay over
//   withdrawn ────────► waiting ────────────► announced
//       ▲                  │                     │
//       └──────────────────┴─────────────────────┘  at once: too few members, no data plane, switched off
//
// What the kernel has when sluiced starts counts as announced as long as it serves: a restart moves no route.
#ifndef ANNOUNCE_DECIDE_H
#define ANNOUNCE_DECIDE_H

#include <stdbool.h>
#include <stdint.h>

#define ANNOUNCE_NAME 32 // of a service, with its NUL

enum announce_why {
    ANNOUNCE_YES,
    ANNOUNCE_OFF,           // the config says `enabled: false`
    ANNOUNCE_NO_DATA_PLANE, // nobody forwards
    ANNOUNCE_NO_MEMBER,     // too few members get new flows
    ANNOUNCE_DELAY,         // it serves, but not for long enough
};

struct announce_service {
    char name[ANNOUNCE_NAME];
    enum announce_why why;
    uint64_t since_ms;        // that it is announced, or is not
    uint64_t serves_since_ms; // while why is ANNOUNCE_DELAY
    bool known;               // has been decided about before
};

struct announce_facts { // about one service, now
    bool enabled;
    bool data_plane;
    uint32_t eligible, least; // members that get new flows, and how many there must be
    bool found;               // all its routes stood in the kernel when it was first looked at
};

// Decides anew; `now_ms` is of any clock that does not jump. True where it came to be announced, or ceased to be.
bool announce_decide(struct announce_service *service, const struct announce_facts *facts, uint32_t delay_ms,
                     uint64_t now_ms);
// The data plane counts as there until it was missing for `dead_after_ms`. *missing_since_ms is kept by the caller, 0
// at first; a data plane that nobody has seen yet (*seen false) is not waited for.
bool announce_data_plane(bool alive, uint32_t dead_after_ms, uint64_t now_ms, bool *seen,
                         uint64_t *missing_since_ms);
// "announced", "withdrawn: too few members of its pool get new flows".
const char *announce_why_text(enum announce_why why);

#endif
