// SPDX-License-Identifier: Apache-2.0
// Inside control/balance: what is known of a member.
#ifndef BALANCE_MEMBER_H
#define BALANCE_MEMBER_H

#include "balance/balance.h"

struct member { // sorted by key
    struct balance_member_key key;
    uint64_t id; // of the health engine
    // config
    uint16_t weight;
    bool enabled;
    bool watched; // passive signals count
    uint32_t slow_start_ms;
    // operator; NULL: nothing
    struct balance_override *override;
    // checks
    bool checked;
    struct health_status health;
    // The table knows better than what the checks recalled, which may be a second older: `health` is the table's until
    // so many verdicts have been given.
    bool from_table, taken_up;
    uint32_t verdicts_wanted;
    char *not_checked;
    // what follows: as it stands in the table
    struct member_state now;
    uint64_t ramp_ms; // when its slow start began; 0: it does not start slowly
    // counters at the last look
    bool looked;
    uint32_t answered, unanswered, resets;
};

struct id_index {
    uint64_t id;
    uint32_t member;
};

struct source { // where the config says what of a member
    struct balance_member_key key;
    const struct sl_config_server_pool *pool;
    const struct sl_config_member *member;
};

struct sync_plan { // the members of a config
    const struct snapshot *of;
    struct source *source;  // sorted by key
    struct member *list;    // the same, with nothing known but who they are
    struct id_index *index; // sorted by id
    uint32_t count;
};

struct balance {
    struct event_base *base;
    struct applier *applier;
    struct balance_say say;
    struct health *health;
    struct event *tick;
    struct member *member;
    uint32_t count;
    struct id_index *by_id;    // sorted
    struct balance_kept *kept; // read from disk and not claimed yet
    uint32_t kept_count;
    struct sl_balance_counters counters;
    struct member_change *change; // to go to the tables
    uint32_t change_count, change_room;
    struct sync_plan *plan; // of the snapshot that is about to run  w: thread or main, one after the other
    struct source *source;  // of all members, while checks are still to be set; NULL: all are
    uint32_t synced;        // members whose checks are set
    struct event *sync_more;
    uint32_t cursor;  // of the watch
    bool built;       // a table by us, whose states are no news from an earlier sluiced
    bool syncing;     // changes are collected, not sent
    bool disk_failed; // told once
};

struct balance_kept { // an override as it is on disk
    struct balance_member_key key;
    struct balance_override override;
};

uint64_t balance_now_ms(void); // Unix time
void balance_tell(struct balance *balance, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct member *balance_member_of(const struct balance *balance, const struct balance_member_key *key);

// ---- effect.c ---------------------------------------------------------------------------------------------------
// State and weight of a member at a time, and who decides. Looks at all but `now`; begins or ends the slow start that
// a change of state since `now` means.
void effect_of(struct member *member, uint64_t now_ms, struct member_state *state);
enum balance_by effect_by(uint64_t note);
uint64_t effect_ramp_ms(uint64_t note);
enum health_state effect_health(uint64_t note); // as it was when the note was written
// Makes the member what follows from what is known of it, and queues the change; balance_flush() sends them.
void effect_renew(struct balance *balance, struct member *member, uint64_t now_ms);
void balance_flush(struct balance *balance);

// ---- override.c, kept.c -----------------------------------------------------------------------------------------
// What an apply makes of a runtime change: drops what the config's newer word replaces. True where something went.
bool override_meets_config(struct balance_override *override, const struct sl_config_member *member);
bool override_is_empty(const struct balance_override *override);
int kept_read(struct balance *balance, struct sl_error *error);
int kept_write(struct balance *balance, struct sl_error *error);
const struct balance_override *kept_find(const struct balance *balance, const struct balance_member_key *key);

// ---- sync.c -----------------------------------------------------------------------------------------------------
// The member's check is not what its config says yet.
bool sync_awaits(const struct balance *balance, const struct member *member);
// Then sets it, out of its turn.
void sync_now(struct balance *balance, struct member *member);
void sync_fini(struct balance *balance);

// ---- wish.c -----------------------------------------------------------------------------------------------------
struct wish_room { // what a wish points to
    struct health_wish wish;
    uint8_t send[1024], expect[1024];
};
// The wish for a member. False: the pool is not checked.
bool wish_of(const struct sl_config *config, const struct sl_config_server_pool *pool,
             const struct balance_member_key *key, struct wish_room *room);
uint64_t wish_id(const struct balance_member_key *key);

// ---- watch.c ----------------------------------------------------------------------------------------------------
int watch_start(struct balance *balance);

#endif
