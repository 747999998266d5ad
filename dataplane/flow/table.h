// SPDX-License-Identifier: Apache-2.0
// The session table itself, without packets: entries, index, wheel. Users inside dataplane/ see it through
// flow/flow.h; flow/ and nat/ and their tests use it directly. One thread.
#ifndef FLOW_TABLE_H
#define FLOW_TABLE_H

#include <netinet/in.h>
#include <stdbool.h>
#include "base/hash.h"
#include "flow/index.h"
#include "flow/wheel.h"
#include "shm/layout.h"
#include "shm/segment.h"

#define FLOW_NONE UINT32_MAX // as in worker/packet.h

enum flow_class { // flows whose timeouts are the same
    FLOW_TCP,
    FLOW_UDP,
    FLOW_DNS, // UDP to port 53
    FLOW_ICMP,
    FLOW_OTHER,
    FLOW_CLASSES
};

#define FLOW_CAPACITY_MOST (1u << 28)
#define FLOW_PORT_DNS      __builtin_bswap16(53)

struct flow_table {
    struct sl_flow *entry; // [capacity], in the segment
    struct flow_index index;
    uint32_t *spare; // stack of free entries: what was freed last, and is still in the cache, is used first
    uint32_t spare_count;
    uint32_t capacity;
    uint32_t missed;      // packets of this burst that belong to no flow
    uint32_t route_epoch; // what cached next hops are valid for; set by nat_stage once a burst
    uint32_t timeout_ms[FLOW_CLASSES][SL_FLOW_STATES];
    const uint32_t (*service_timeout_ms)[SL_FLOW_STATES]; // of balanced flows, by service slot; 0: as above
    uint32_t service_slots;
    struct flow_wheel wheel;
    struct sl_hash_seed seed;
    uint32_t sweep_left; // entries still to be compared with the newest generation
    bool sweep_rearm;    // the sweep arms them anew: timeouts have changed
    uint32_t adopted;    // flows found in the file when it was opened
    uint32_t worker, worker_count;
    struct sl_flow_segment *segment;
    struct sl_segment_map map;
};

// Line of a direction's key.
static inline struct sl_flow_key *flow_key(struct sl_flow *flow, uint32_t direction)
{
    return direction ? &flow->key1 : &flow->key0;
}

// Remembers the next hop for packets of a flow's direction. `flow` as in struct packet.
static inline void flow_nexthop_store(struct flow_table *table, uint32_t flow, uint32_t nexthop)
{
    struct sl_flow *entry = &table->entry[flow >> 1];

    if (entry->route_epoch != table->route_epoch) {
        entry->nexthop0 = 0; // no next hop has index 0 (SL_NEXTHOP_NONE): not known
        entry->nexthop1 = 0;
        entry->route_epoch = table->route_epoch;
    }
    if (flow & 1)
        entry->nexthop1 = nexthop;
    else
        entry->nexthop0 = nexthop;
}

// ---- making one, main thread (tests: any memory) ------------------------------------------------------------
// A table over `entries`, which are zero or those of an earlier process; nothing is indexed yet. 0 or -ENOMEM.
int flow_table_init(struct flow_table *table, struct sl_flow *entries, uint32_t capacity,
                    const struct sl_hash_seed *seed, uint32_t now_ms);
void flow_table_fini(struct flow_table *table);
// Takes over every entry that can be a flow, frees the others. Returns how many are live.
uint32_t flow_table_adopt(struct flow_table *table);
// Seconds from the config to milliseconds by class and state; long ones are cut to a week.
void flow_table_set_timeouts(struct flow_table *table, const struct sl_nat_timeouts *timeouts);

// ---- use ----------------------------------------------------------------------------------------------------
// What a new flow is; the rest of its entry starts at zero. Hashes are flow_hash() of the keys.
struct flow_new {
    struct sl_flow_key key[2];
    uint32_t hash[2];
    uint8_t proto;
    uint8_t kind;  // enum sl_flow_kind
    uint8_t state; // enum sl_flow_state
    uint8_t flags; // enum sl_flow_flag
    uint32_t mapping;
};

static inline uint32_t flow_hash(const struct flow_table *table, const struct sl_flow_key *key, uint8_t proto)
{
    return (uint32_t)sl_hash_key(&table->seed, key, proto);
}

// True where the entry's key of that direction is this one.
static inline bool flow_key_is(const struct sl_flow *flow, uint32_t direction, const struct sl_flow_key *key,
                               uint8_t proto)
{
    const struct sl_flow_key *mine = direction ? &flow->key1 : &flow->key0;
    __m256i differ =
        _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)mine), _mm256_loadu_si256((const __m256i *)key));
    uint32_t ports, wanted;

    memcpy(&ports, &mine->sport, sizeof(ports));
    memcpy(&wanted, &key->sport, sizeof(wanted));
    return _mm256_testz_si256(differ, differ) && ports == wanted && flow->proto == proto;
}

// The flow and direction a key belongs to (entry << 1 | direction), FLOW_NONE. For one key; bursts are looked up
// by flow_stage.
uint32_t flow_find(const struct flow_table *table, const struct sl_flow_key *key, uint8_t proto,
                   uint32_t hash);

// The flow and direction that a key with this hash most likely belongs to, not compared yet: both lines of its entry
// are asked for. FLOW_NONE: no hash in the bucket agrees; the other bucket is asked for where it may hold the key.
static inline uint32_t flow_candidate(const struct flow_table *table, uint32_t hash)
{
    const struct flow_index *index = &table->index;
    hash = flow_index_hash(hash);
    uint32_t first = flow_index_first(index, hash);
    const struct flow_bucket *bucket = &index->bucket[first];
    uint32_t match = flow_bucket_match(bucket, hash);

    if (__builtin_expect(match == 0, 0)) {
        if (bucket->overflow != 0)
            __builtin_prefetch(&index->bucket[flow_index_other(index, hash, first)]);
        return FLOW_NONE;
    }
    uint32_t ref = bucket->ref[__builtin_ctz(match)];
    __builtin_prefetch(&table->entry[ref >> 1].key0, 1);
    __builtin_prefetch(&table->entry[ref >> 1].key1, 1);
    return ref;
}

// Makes a flow, arms its timeout. Its index; -EEXIST where one of the keys is another flow's; -ENOSPC where the
// table is full: flow_evictable() may know better.
int64_t flow_create(struct flow_table *table, const struct flow_new *new, uint32_t now_ms);

// Takes the flow out. Its NAT mapping is the caller's business (flow_end in flow/end.h).
void flow_remove(struct flow_table *table, uint32_t index);

// Milliseconds without a packet after which the flow ends.
static inline uint32_t flow_timeout_ms(const struct flow_table *table, const struct sl_flow *flow)
{
    enum flow_class class = flow->proto == IPPROTO_UDP    ? FLOW_UDP
                            : flow->proto == IPPROTO_TCP  ? FLOW_TCP
                            : flow->proto == IPPROTO_ICMP || flow->proto == IPPROTO_ICMPV6 ? FLOW_ICMP
                                                                                           : FLOW_OTHER;
    if (class == FLOW_UDP && flow->key0.dport == FLOW_PORT_DNS)
        class = FLOW_DNS;
    if (flow->kind == SL_FLOW_BALANCE && SL_FLOW_SERVICE(flow->mapping) < table->service_slots) {
        uint32_t of_service = table->service_timeout_ms[SL_FLOW_SERVICE(flow->mapping)][flow->state];
        if (of_service != 0)
            return of_service;
    }
    return table->timeout_ms[class][flow->state];
}

// Arms the flow anew: needed only where its timeout became shorter; where it became longer, the slot it is in will
// find out.
void flow_rearm(struct flow_table *table, uint32_t index, uint32_t now_ms);

// A flow whose timeout has passed, FLOW_NONE: none, or *budget used up. Each entry looked at costs one of *budget.
uint32_t flow_expired(struct flow_table *table, uint32_t now_ms, uint32_t *budget);

// A transitory flow (new or closing) that would expire soon and may give way to a new one; FLOW_NONE: all that were
// looked at, a bounded number, are established. Established flows are never named.
uint32_t flow_evictable(struct flow_table *table, uint32_t now_ms);

#endif
