// SPDX-License-Identifier: Apache-2.0
// What a member's verdicts make of it: rise and fall, warm-up, holding back, damping. No I/O and no clock: time is an
// argument (ns, any clock that does not go back). Any thread; tests run it under virtual time.
//
//              rise good                                     penalty over suppress, or passive failures
//   CHECKING -------------> UP  <-------------------------->  INHIBITED (the checks still say up)
//       |  fall bad         ^ |   penalty under reuse, hold over
//       v         rise good | | fall bad
//     DOWN -----------------+ v
//       ^---------------------+
//
// A verdict "not checked" (no file left, no right to raw sockets) moves nothing, not even a count.
#ifndef HEALTH_STATE_H
#define HEALTH_STATE_H

#include "health/health.h"

#define HEALTH_PENALTY 1000 // of one loss (RFC 2439, figure of merit)

enum health_verdict { HEALTH_GOOD, HEALTH_BAD, HEALTH_NOT_CHECKED };

// A wish's numbers with its defaults filled in.
struct health_rules {
    uint32_t rise, fall;
    bool optimistic;
    uint32_t failures, share_percent;
    uint64_t window_ns, hold_ns, hold_most_ns;
    uint64_t half_life_ns, damp_most_ns; // half_life_ns 0: no damping
    double suppress, reuse, ceiling;
};

struct health_machine {
    enum health_state checked; // CHECKING, UP or DOWN: what the checks alone say
    enum health_reason reason; // for `checked`
    uint32_t good_run, bad_run;
    uint64_t losses;
    uint64_t window_until_ns; // passive signals are summed until then; 0: no window is open
    uint32_t window_bad, window_good;
    uint64_t held_until_ns; // held back by passive signals until then; 0: not
    uint64_t peace_at_ns;   // when the back-off starts over
    uint32_t trips;         // times held back in a row
    bool suppressed;        // held back by damping
    double penalty;         // as of penalty_ns
    uint64_t penalty_ns;
};

// How often and how long: see health_timeout_most_ms().
struct health_pace {
    uint64_t interval_ns, timeout_ns;
    uint64_t fast_ns; // between checks while a member fails
};

void health_rules_from(const struct health_wish *wish, struct health_rules *rules);
void health_pace_from(const struct health_wish *wish, struct health_pace *pace);

void health_machine_init(struct health_machine *machine, const struct health_rules *rules);
// As it was before a restart: stands until verdicts change it by the usual counts.
void health_machine_recall(struct health_machine *machine, enum health_state checked, double penalty,
                           bool suppressed, uint64_t now_ns);
// Held back as it was, until `held_until_ns` (0: no longer), after so many times in a row; the back-off starts over at
// `peace_at_ns` (0: already has).
void health_machine_recall_hold(struct health_machine *machine, uint32_t trips, uint64_t held_until_ns,
                                uint64_t peace_at_ns);

// Each returns true where the published state has changed.
bool health_machine_verdict(struct health_machine *machine, const struct health_rules *rules,
                            enum health_verdict verdict, uint64_t now_ns);
bool health_machine_passive(struct health_machine *machine, const struct health_rules *rules, uint32_t bad,
                            uint32_t good, uint64_t now_ns);
bool health_machine_tick(struct health_machine *machine, const struct health_rules *rules, uint64_t now_ns);

// When health_machine_tick() is due; UINT64_MAX: not.
uint64_t health_machine_due(const struct health_machine *machine, const struct health_rules *rules);
enum health_state health_machine_state(const struct health_machine *machine);
enum health_reason health_machine_reason(const struct health_machine *machine);
double health_machine_penalty(const struct health_machine *machine, const struct health_rules *rules,
                              uint64_t now_ns);
// It is not known, or verdicts point away from the state it has: the next check comes sooner.
bool health_machine_in_doubt(const struct health_machine *machine);

#endif
