// SPDX-License-Identifier: Apache-2.0
// The writer's half of the neighbor table: entries come, change and go. Housekeeping alone; readers are in
// neighbor.h. Each change that a reader can see is one aligned atomic store.
#ifndef NEIGHBOR_TABLE_H
#define NEIGHBOR_TABLE_H

#include "neighbor/neighbor.h"

static inline uint64_t neighbor_word(const uint8_t mac[6], enum sl_neighbor_state state)
{
    uint64_t word = 0;

    memcpy(&word, mac, 6);
    return word | (uint64_t)state << 48;
}

static inline void neighbor_word_mac(uint64_t word, uint8_t mac[6])
{
    memcpy(mac, &word, 6);
}

// The entry of (port, ip), NULL where there is none.
struct sl_neighbor *neighbor_lookup(const struct neighbor_table *table, uint16_t port,
                                    const struct sl_ip *ip);
// A new entry for a key that is not there, in state INCOMPLETE and without MAC; NULL where its window is full or
// the table holds its limit. Makes no room by itself: see neighbor_victim.
struct sl_neighbor *neighbor_insert(struct neighbor_table *table, uint16_t port, const struct sl_ip *ip);
// Stores MAC and state, keeping the count of keys in byte 7.
void neighbor_store(struct sl_neighbor *entry, uint64_t word);
void neighbor_remove(struct neighbor_table *table, struct sl_neighbor *entry);
// The entry to give up so that (port, ip) finds room: the one in its window, and where the whole table is at its
// limit also among a few others, that nobody is known to need: FAILED first, then STALE and unused, the longest
// unchanged. Never one that is in use, being asked for or static. NULL: there is none.
struct sl_neighbor *neighbor_victim(struct neighbor_table *table, uint16_t port, const struct sl_ip *ip,
                                    uint32_t now_ms);
// Drops what cannot be (states, keys out of their window) and forgets what is not knowledge (INCOMPLETE, FAILED);
// all else becomes STALE, to be asked for again once it is used. For a table that another process left behind.
void neighbor_adopt(struct neighbor_table *table);

#endif
