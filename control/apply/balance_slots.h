// SPDX-License-Identifier: Apache-2.0
// Which slot a service and a member have: their number in flows and counters. They keep it for the life of the run
// directory, as ports keep theirs (slots.h), and a slot that was freed is the last to be given again, so that flows and
// counters of who had it are gone by then. New slots are opened by the chunks that counters come in: to be thrifty with
// them would give a slot again at once, to be lavish would make the counters of half a million members. Pure.
#ifndef APPLY_BALANCE_SLOTS_H
#define APPLY_BALANCE_SLOTS_H

#include <stdbool.h>
#include "base/error.h"
#include "config/model.h"
#include "shm/layout.h"

struct balance_service_key {
    char name[SL_BALANCE_NAME];
    uint32_t slot;
};

struct balance_member_key { // what names a member
    char pool[SL_BALANCE_NAME];
    struct sl_ip ip;
    uint16_t port; // 0: the packet's own
    uint16_t pad;
    uint32_t slot;
};

struct slot_room {   // slots of one kind
    uint32_t *freed; // by slot: when, in `clock`; 0: never used; UINT32_MAX: in use
    uint32_t top;    // how many there are
};

struct balance_slots {
    struct balance_service_key *service; // sorted by name
    struct balance_member_key *member;   // sorted by balance_member_compare()
    uint32_t service_count, member_count;
    struct slot_room services, members;
    uint32_t clock;
};

void balance_slots_fini(struct balance_slots *slots); // zeros are harmless

// Slots of a table of the run directory (NULL: none): taking up a running generation. 0 or -ENOMEM.
int balance_slots_from_table(struct balance_slots *slots, const struct sl_balance_table *table);
// Slots of a config, where it comes after `before` (zeros: it is the first). -ENOMEM; -ENOSPC: too many.
int balance_slots_assign(struct balance_slots *slots, const struct balance_slots *before,
                         const struct sl_config *config, struct sl_error *error);

// The key of a member of the config; its slot is not set.
struct balance_member_key balance_member_key(const struct sl_config_server_pool *pool,
                                             const struct sl_config_member *member);
int balance_member_compare(const void *a, const void *b); // of struct balance_member_key; slots do not count
// SL_BALANCE_NONE: there is none.
uint32_t balance_slots_service(const struct balance_slots *slots, const char *name);
uint32_t balance_slots_member(const struct balance_slots *slots, const struct balance_member_key *key);

#endif
