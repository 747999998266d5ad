// SPDX-License-Identifier: Apache-2.0
// The neighbor table: which MAC stands behind an address on a link. It is the file "neighbor" of the run
// directory, so that a data plane that starts again knows its neighbors at once. The housekeeping thread
// alone writes; workers read without locks, and write nothing but the mark that an entry is in use.
//
// Open addressing by (port, address) in a window of NEIGHBOR_WINDOW slots. A slot's `mac_state` word is 0
// where no key has been or no lookup has to go past it; a slot freed in the middle of a window keeps a
// non-zero word in state FREE (a tombstone). The word's byte 7 counts the keys the slot has held: a reader
// that finds the same word before and after it compared the key has read the MAC of that key and of no other.
#ifndef NEIGHBOR_NEIGHBOR_H
#define NEIGHBOR_NEIGHBOR_H

#include <stdbool.h>
#include <string.h>
#include <rte_prefetch.h>
#include "shm/layout.h"

#define NEIGHBOR_WINDOW 16

struct neighbor_resolver; // neighbor/resolve.h: what only housekeeping needs

struct neighbor_table {
    struct sl_neighbor *entry; // [mask + 1]
    uint32_t mask;
    uint32_t limit; // most entries in use: settings.neighbor_capacity
    uint64_t seed;  // of the hash
    struct sl_neighbor_segment *segment;
    struct neighbor_resolver *resolver; // w, r: housekeeping
};

// ---- reading: any thread -----------------------------------------------------------------------------------
static inline enum sl_neighbor_state neighbor_state(uint64_t word)
{
    return (enum sl_neighbor_state)(uint8_t)(word >> 48);
}

// True where packets may be sent to the word's MAC. An entry that is being probed still is used (RFC
// 4861 7.3.3).
static inline bool neighbor_usable(uint64_t word)
{
    const uint32_t usable = 1u << SL_NEIGHBOR_REACHABLE | 1u << SL_NEIGHBOR_STALE | 1u << SL_NEIGHBOR_DELAY |
                            1u << SL_NEIGHBOR_PROBE | 1u << SL_NEIGHBOR_STATIC;

    return (usable >> (neighbor_state(word) & 31)) & 1;
}

// True where no lookup has to go past the slot: it has no key, and no key stands behind it in its window.
static inline bool neighbor_empty(uint64_t word)
{
    return word << 8 == 0; // byte 7, the count of keys, is not part of it
}

// Slot where the window of (port, ip) begins.
static inline uint32_t neighbor_home(const struct neighbor_table *table, uint16_t port,
                                     const struct sl_ip *ip)
{
    uint64_t h = (ip->q[0] ^ table->seed) * 0x9e3779b97f4a7c15ULL;

    h = (h ^ (h >> 29) ^ ip->q[1]) * 0xbf58476d1ce4e5b9ULL;
    h = (h ^ (h >> 32) ^ port) * 0x94d049bb133111ebULL;
    return (uint32_t)(h >> 32) & table->mask;
}

static inline void neighbor_prefetch(const struct neighbor_table *table, uint32_t home)
{
    rte_prefetch0(&table->entry[home]);
}

// The word of (port, ip) in the window at `home`; 0 where it is not known. *found, if not NULL, is its entry.
static inline uint64_t neighbor_find_at(const struct neighbor_table *table, uint32_t home, uint16_t port,
                                        const struct sl_ip *ip, struct sl_neighbor **found)
{
    for (uint32_t i = 0; i < NEIGHBOR_WINDOW; i++) {
        struct sl_neighbor *e = &table->entry[(home + i) & table->mask];
        uint64_t word = __atomic_load_n(&e->mac_state, __ATOMIC_ACQUIRE);

        if (neighbor_empty(word))
            return 0;
        uint64_t q0 = __atomic_load_n(&e->ip.q[0], __ATOMIC_RELAXED);
        uint64_t q1 = __atomic_load_n(&e->ip.q[1], __ATOMIC_RELAXED);
        if (q0 != ip->q[0] || q1 != ip->q[1] || __atomic_load_n(&e->port, __ATOMIC_RELAXED) != port)
            continue;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&e->mac_state, __ATOMIC_RELAXED) >> 56 != word >> 56 ||
            neighbor_state(word) == SL_NEIGHBOR_FREE)
            continue; // it is changing hands
        if (found)
            *found = e;
        return word;
    }
    return 0;
}

// The word of (port, ip), 0 where it is not known; marks the entry as used. For lookups outside of a burst.
static inline uint64_t neighbor_find(const struct neighbor_table *table, uint16_t port,
                                     const struct sl_ip *ip)
{
    struct sl_neighbor *entry = NULL;
    uint64_t word = neighbor_find_at(table, neighbor_home(table, port, ip), port, ip, &entry);

    if (word != 0 && entry->used == 0)
        entry->used = 1;
    return word;
}

struct neighbor_query {
    struct sl_ip ip;
    uint32_t home; // filled in by neighbor_find_bulk
    uint16_t port;
    uint16_t pad;
};

// `count` lookups at once: every home slot is prefetched before the first is read. Marks the entries as used,
// but writes to a line only where the mark is not there yet: the line is shared by all workers.
static inline void neighbor_find_bulk(const struct neighbor_table *table, struct neighbor_query *query,
                                      uint32_t count, uint64_t *word)
{
    for (uint32_t i = 0; i < count; i++) {
        query[i].home = neighbor_home(table, query[i].port, &query[i].ip);
        neighbor_prefetch(table, query[i].home);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct sl_neighbor *entry = NULL;

        word[i] = neighbor_find_at(table, query[i].home, query[i].port, &query[i].ip, &entry);
        if (word[i] != 0 && entry->used == 0)
            entry->used = 1;
    }
}

// ---- writing: the housekeeping thread (the main thread before there is one) --------------------------------
// Bytes of the segment that holds `limit` neighbors: twice as many slots, a power of two, at least 64.
uint64_t neighbor_segment_size(uint32_t limit);
// Writes an empty table into zeroed memory of that size, behind the segment header. `seed` should be random.
void neighbor_segment_init(struct sl_neighbor_segment *segment, uint32_t limit, uint64_t seed);
// Takes a segment of `size` bytes into use, one that was just initialised or that an earlier data plane left,
// and starts the resolver. -EINVAL: it is not consistent (use a fresh one); -ENOMEM.
int neighbor_table_init(struct neighbor_table *table, struct sl_neighbor_segment *segment, uint64_t size,
                        uint32_t limit);
// Frees the resolver and the packets that wait in it. The segment is the caller's.
void neighbor_table_fini(struct neighbor_table *table);
// Opens or makes the file "neighbor" in `run_dir` and takes it into use; a file that is not consistent, of
// another contract or of another size is replaced. NULL with errno. Freed, the file stays.
struct neighbor_table *neighbor_table_open(const char *run_dir, uint32_t limit);
void neighbor_table_close(struct neighbor_table *table);

struct house;
// The port came up or its link did: announce our addresses on it (gratuitous ARP, RFC 5227 section 3;
// unsolicited neighbor advertisements, RFC 4861 section 7.2.6), so that a network that knew another gateway
// learns of this one.
void neighbor_port_up(struct house *house, uint16_t port);
// The command SL_COMMAND_NEIGHBOR_FLUSH: forgets `ip` (zero: every address) on `port` (0xffff: every port),
// except static entries. Number of entries forgotten.
uint32_t neighbor_flush(struct house *house, uint16_t port, const struct sl_ip *ip);

#endif
