// SPDX-License-Identifier: Apache-2.0
// The balance table of a generation as control holds it: mapped writable from the moment it is built, so that a member
// that goes down is out in every table a worker may be reading. Main thread of sluiced.
#ifndef APPLY_BALANCE_LIVE_H
#define APPLY_BALANCE_LIVE_H

#include "apply/compile_balance.h"
#include "shm/generation.h"

struct balance_live {
    struct sl_segment_map map; // {NULL}: there is none
    struct sl_table_ref ref;
};

struct member_state { // as it counts for packets: what stands in the table
    uint8_t state;    // enum sl_balance_state
    uint16_t weight;  // in the table's scale
    uint64_t since_ns, note;
};

struct member_change {
    uint32_t slot;
    struct member_state state;
};

// What a member of a config counts for; called for each when a table is built.
typedef void (*member_state_fn)(void *context, const struct sl_config_server_pool *pool,
                                const struct sl_config_member *member, const struct balance_member_key *key,
                                struct member_state *state);

// What all members of a config count for, asked for in slices: a hundred thousand at once would hold the event loop.
struct balance_ask {
    struct member_state *state; // in the config's order; free() by balance_ask_fini()
    uint32_t count;             // known so far
    unsigned pool, member;      // asked for next
};

int balance_ask_begin(struct balance_ask *ask, const struct sl_config *config); // 0 or -ENOMEM
// Asks for `most` more; true once all are known. `state_of` NULL: members are as the config says.
bool balance_ask_some(struct balance_ask *ask, const struct sl_config *config,
                      const struct balance_slots *slots, member_state_fn state_of, void *context,
                      uint32_t most);
void balance_ask_fini(struct balance_ask *ask);

// Builds a table file, not published yet, of members as `ask` has them (all asked for). 0 or -errno with a sentence. Any
// thread, one at a time.
int balance_live_build(const char *run_dir, struct sl_board *board, const struct sl_config *config,
                       const struct balance_slots *slots, const struct balance_ask *ask,
                       struct balance_live *live, struct sl_error *error);
// Maps the table of a generation taken up, and finishes what an earlier sluiced may have left half done.
int balance_live_take_up(const char *run_dir, const struct sl_table_ref *ref, struct balance_live *live,
                         struct sl_error *error);
void balance_live_fini(struct balance_live *live);

static inline struct sl_balance_table *balance_live_table(const struct balance_live *live)
{
    return live->map.base;
}

// Changes members in place. Those of one pool that follow each other count at once. Slots that the table does not have
// are passed over. 0 or -ENOMEM: some are not changed.
int balance_live_change(struct balance_live *live, const struct member_change *change, uint32_t count);

#endif
