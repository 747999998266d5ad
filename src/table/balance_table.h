// SPDX-License-Identifier: Apache-2.0
// The balance table from control's side: the file image from services, pools, members and addresses, and changes of
// members that reach the mapped image in place. One thread of control. See shm/balance.h for why in place, and why
// no reader has to be waited for.
//
// Way of use: fill a struct sl_balance_input; size = sl_balance_size(); map a fresh file of that size
// (sl_table_create); sl_balance_build(); seal and publish, keeping the writable mapping. From then on
// sl_balance_update() for whatever changes of members' states and effective weights; anything else is another file.
// After a restart of control: sl_table_open_writable(), sl_balance_repair(), then go on updating: all is in the table.
#ifndef SL_TABLE_BALANCE_TABLE_H
#define SL_TABLE_BALANCE_TABLE_H

#include "base/error.h"
#include "shm/layout.h"

struct sl_balance_listen { // an address of a service
    struct sl_ip ip;
    uint8_t proto; // IPPROTO_TCP, _UDP, _SCTP or any other; 0: all of IP
    uint8_t pad;
    uint16_t
        first_port; // host byte order. 0 to 65535: any. Of all of IP, and of protocols without ports: any
    uint16_t last_port;
    uint16_t pad2;
    uint32_t service; // index into service[]
    uint32_t pad3;
};

struct sl_balance_input {
    // As they shall stand in the table. Fields that shm/balance.h calls the builder's are not looked at.
    const struct sl_balance_service *service;
    const struct sl_balance_pool *pool; // first, count: the pools' members one after another, without a gap
    const struct sl_balance_member *member; // `pool` and `word` as they shall be
    const struct sl_ip *source;
    const struct sl_balance_listen *listen; // in any order
    uint32_t service_count, pool_count, member_count, source_count, listen_count;
    uint32_t pad;
    uint64_t hash_seed; // the same on all gateways that shall choose alike
};

// Bytes of the image; 0: more of something than the table can hold.
uint64_t sl_balance_size(const struct sl_balance_input *input);

// Writes the image behind table->segment, which is left alone; the rest of the `size` bytes must be zero. Where
// addresses overlap, the most exact decides: its own protocol before all of IP, then fewer ports before more, then the
// lower first port. 0; -EINVAL with a sentence: an index out of range, two services with one slot, two members of a
// pool with one address and port, two services with the same address, protocol and ports, ...; -ENOSPC: too small or
// too many; -ENOMEM.
int sl_balance_build(const struct sl_balance_input *input, struct sl_balance_table *table, uint64_t size,
                     struct sl_error *error);

struct sl_balance_change {
    uint32_t member; // index within its pool
    uint16_t weight; // effective, 0: no new flows
    uint8_t state;   // enum sl_balance_state
    uint8_t pad;
    uint64_t since_ns; // stored as they are
    uint64_t note;
};

// Changes members of a pool in place, and its lookup with them: all of `change` counts at once for the lookup. When it
// returns, every choice that begins sees the change. 0; -EINVAL (an index or a state out of range), -ENOMEM: nothing
// has changed. Costs a rebuild of that pool's lookup aside, and a store for each entry that differs.
int sl_balance_update(struct sl_balance_table *table, uint32_t pool, const struct sl_balance_change *change,
                      uint32_t count);

// Finishes what a control that was killed may have left half done: makes every lookup what the members' words say.
// 0 or -ENOMEM. For the first use of a table that another process has updated.
int sl_balance_repair(struct sl_balance_table *table);

// ---- lookups ------------------------------------------------------------------------------------------------
// Entries that a pool's lookup can have. Maglev and source hash: pool->maglev_size, or where that is 0
// SL_BALANCE_ENTRIES times the members, these rounded up to a power of two, and 10,000 at least. So the size is the same
// on every gateway and after every restart, and stays while members come and go, until their number passes a power of
// two: then flows without state move. Give maglev_size where that must not happen.
uint32_t sl_balance_lookup_capacity(const struct sl_balance_pool *pool);

#define SL_BALANCE_ENTRIES   100     // entries a member has at least, where all weigh the same
#define SL_BALANCE_SIZE_MOST 8388608 // of a maglev table

// Makes a pool's lookup into entry[sl_balance_lookup_capacity()] from its members (member[0] is its first); their
// order does not matter, but for round robin, which takes them as they stand. Returns the entries in force, 0: nobody
// is eligible; -ENOMEM. Shares of weighted round robin and two choices are each within one entry of
// entries * weight / sum of weights; for those of maglev and source hash, and for how many entries move when a member
// goes, see balance_maglev.c.
int64_t sl_balance_lookup_build(const struct sl_balance_pool *pool, const struct sl_balance_member *member,
                                uint16_t *entry);

#endif
