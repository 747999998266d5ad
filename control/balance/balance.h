// SPDX-License-Identifier: Apache-2.0
// Members as they are now: what the config, the operator and the checks say of each, what follows, and its way into
// the table in the same moment.
//
//     config ─┐
//     operator┼─► effect.c: state, weight, who decides ─► apply_change_members() ─► workers
//     health ─┘        ▲ slow start, deadlines: watch.c
//
// Runtime changes of the operator are kept in the state directory ("balance.json"), so they survive a restart. An apply
// leaves them alone as long as the config goes on saying the same of what they override: a server in maintenance does
// not return to service because somebody added a route. Where the config's own weight (or `enabled`) of the member
// changes, the config is the newer word, and the runtime change is dropped; and with the member itself.
//
// Main thread of sluiced. Time is Unix time, for it goes to disk.
#ifndef BALANCE_BALANCE_H
#define BALANCE_BALANCE_H

#include <event2/event.h>
#include "apply/apply.h"
#include "health/health.h"
#include "shm/balance_counters.h"

struct balance;

enum balance_by { // who decides a member's state
    BALANCE_BY_NOBODY,
    BALANCE_BY_OPERATOR,
    BALANCE_BY_CONFIG,
    BALANCE_BY_HEALTH,
};

enum balance_operation { // of the operator
    BALANCE_OPERATION_NONE,
    BALANCE_OPERATION_DRAIN,   // no new flows; flushed at the deadline
    BALANCE_OPERATION_DISABLE, // down
    BALANCE_OPERATION_ENABLE,  // up, whatever `enabled` says in the config
    BALANCE_OPERATION_FLUSH,   // no new flows, and the others are cut
};

struct balance_override {
    enum balance_operation operation;
    bool empty;           // it drained, and has no flow any more
    uint64_t at_ms;       // when the operator said so
    uint64_t deadline_ms; // of a drain; 0: until it is empty
    int32_t weight;       // -1: as configured
    uint64_t weight_at_ms;
    char user[33];        // who said so last
    uint16_t base_weight; // what the config said of the member then
    bool base_enabled;
};

struct balance_view { // a member, for who shows it
    const struct balance_member_key *key;
    enum sl_balance_state state;
    enum balance_by by;
    uint64_t since_ms;
    uint32_t weight;          // in force, of the config's scale, rounded; while it starts slowly less than
    uint32_t whole_weight;    // this
    uint32_t ramp_ends_in_ms; // 0: it does not start slowly
    const struct balance_override *override; // NULL: the operator has changed nothing
    bool checked;                            // health says something
    const char *not_checked;                 // why the wish for a check was refused, ""
    struct health_report health;
};

struct balance_say { // sentences for the log
    void *context;
    void (*say)(void *context, const char *text);
};

// Begins with what the state directory keeps. NULL: out of memory. A damaged file is told through `say` and forgotten.
struct balance *balance_new(struct event_base *base, struct applier *applier, const struct balance_say *say);
void balance_free(struct balance *balance); // NULL is harmless

// The running config is another, or was taken up: members come and go, checks are set, the table is made right.
// Of many members the checks are set a slice at a time, and the rest of them in the event loop.
void balance_sync(struct balance *balance);
// What balance_sync() will need once `snapshot` runs, worked out on any thread: reads the snapshot alone. Both work
// without it, but the loop stands still for longer.
void balance_foresee(struct balance *balance, const struct snapshot *snapshot);
// member_state_fn of the applier's hooks; `context` is the balance.
void balance_member_state(void *context, const struct sl_config_server_pool *pool,
                          const struct sl_config_member *member, const struct balance_member_key *key,
                          struct member_state *state);
// The data plane was started anew: its counters are others.
void balance_counters_anew(struct balance *balance);
// Opened as far as they are there.
const struct sl_balance_counters *balance_counters(struct balance *balance);

// ---- operator ---------------------------------------------------------------------------------------------------
// The member of a pool by text: "10.0.0.11", "10.0.0.11:80", "fd00::11", "[fd00::11]:80". NULL with a sentence.
const struct balance_member_key *balance_find(const struct balance *balance, const char *pool,
                                              const char *text, struct sl_error *error);
// deadline_s: of a drain, 0: until it is empty. In force when it returns, and kept. -EIO with a sentence: in force, but
// it would not survive a restart.
int balance_operate(struct balance *balance, const struct balance_member_key *key,
                    enum balance_operation operation, uint32_t deadline_s, const char *user,
                    struct sl_error *error);
int balance_set_weight(struct balance *balance, const struct balance_member_key *key, uint32_t weight,
                       const char *user, struct sl_error *error);

// ---- looking ----------------------------------------------------------------------------------------------------
// False: there is no such member.
bool balance_look(const struct balance *balance, const struct balance_member_key *key,
                  struct balance_view *view);
// Why it is as it is, a sentence: "drained by root", "checks: HTTP 503, expected 200-399".
void balance_why(const struct balance_view *view, char *out, size_t size);
const char *balance_state_name(enum sl_balance_state state); // "up", "drain", "down", "flush"
const char *balance_by_name(enum balance_by by);
const char *balance_operation_name(enum balance_operation operation);
const struct health *balance_health(const struct balance *balance);
// Each member that the operator has changed, in the order of keys; *at begins at 0.
bool balance_next_override(const struct balance *balance, uint32_t *at, struct balance_view *view);

#endif
