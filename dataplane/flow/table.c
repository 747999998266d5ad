// SPDX-License-Identifier: Apache-2.0
// The session table: entries made, found, ended, and chosen to give way. Called by flow_stage and nat_stage and
// between bursts, on the owner's thread; init, fini and adopt on the main thread.
#include "flow/table.h"

#include <errno.h>
#include <string.h>
#include "flow/memory.h"

#define TIMEOUT_MOST_MS (7u * 86400 * 1000) // far below 2^31 ms, where wrapping time stamps turn round
#define EVICT_SEARCH    32                  // entries looked at for one to evict
#define SLOT_MS         1000                // of the wheel

int flow_table_init(struct flow_table *table, struct sl_flow *entries, uint32_t capacity,
                    const struct sl_hash_seed *seed, uint32_t now_ms)
{
    const struct sl_nat_timeouts defaults = {300, 30, 60, 7440, 240, 300};

    *table = (struct flow_table){.entry = entries, .capacity = capacity, .seed = *seed};
    table->spare = flow_memory_new(capacity * sizeof(*table->spare));
    if (table->spare == NULL || flow_index_init(&table->index, capacity) != 0 ||
        flow_wheel_init(&table->wheel, now_ms) != 0) {
        flow_table_fini(table);
        return -ENOMEM;
    }
    flow_table_set_timeouts(table, &defaults);
    return 0;
}

void flow_table_fini(struct flow_table *table)
{
    flow_memory_free(table->spare, table->capacity * sizeof(*table->spare));
    flow_index_fini(&table->index);
    flow_wheel_fini(&table->wheel);
    table->spare = NULL;
}

static uint32_t timeout_of(uint32_t seconds)
{
    return seconds < TIMEOUT_MOST_MS / 1000 ? seconds * 1000 : TIMEOUT_MOST_MS;
}

void flow_table_set_timeouts(struct flow_table *table, const struct sl_nat_timeouts *timeouts)
{
    const uint32_t seconds[FLOW_CLASSES] = {
        [FLOW_TCP] = timeouts->tcp_transitory, [FLOW_UDP] = timeouts->udp,     [FLOW_DNS] = timeouts->udp_dns,
        [FLOW_ICMP] = timeouts->icmp,          [FLOW_OTHER] = timeouts->other,
    };

    for (int class = 0; class < FLOW_CLASSES; class ++)
        for (int state = 0; state < SL_FLOW_STATES; state++)
            table->timeout_ms[class][state] = timeout_of(seconds[class]);
    table->timeout_ms[FLOW_TCP][SL_FLOW_ESTABLISHED] = timeout_of(timeouts->tcp_established);
}

uint32_t flow_find(const struct flow_table *table, const struct sl_flow_key *key, uint8_t proto,
                   uint32_t hash)
{
    struct flow_index_walk walk = flow_index_walk_start(&table->index, flow_index_hash(hash));

    for (uint32_t ref; flow_index_walk_next(&table->index, &walk, &ref);)
        if (flow_key_is(&table->entry[ref >> 1], ref & 1, key, proto))
            return ref;
    return FLOW_NONE;
}

static enum flow_lane lane_of(const struct sl_flow *flow)
{
    return flow->state == SL_FLOW_ESTABLISHED ? FLOW_LANE_LASTING : FLOW_LANE_TRANSITORY;
}

// Milliseconds until the flow's timeout passes; 0 where it has.
static uint32_t flow_left_ms(const struct flow_table *table, const struct sl_flow *flow, uint32_t now_ms)
{
    int64_t idle = (int32_t)(now_ms - flow->seen_ms), left = (int64_t)flow_timeout_ms(table, flow) - idle;

    return left > 0 ? (uint32_t)left : 0;
}

static void used_store(struct flow_table *table)
{
    if (table->segment != NULL) // read by control: one plain store
        __atomic_store_n(&table->segment->used, table->capacity - table->spare_count, __ATOMIC_RELAXED);
}

static int index_both(struct flow_table *table, uint32_t entry, const uint32_t hash[2])
{
    if (flow_index_insert(&table->index, hash[0], entry << 1) != 0)
        return -ENOSPC;
    if (flow_index_insert(&table->index, hash[1], entry << 1 | 1) != 0) {
        flow_index_remove(&table->index, hash[0], entry << 1);
        return -ENOSPC;
    }
    return 0;
}

// `kind` is stored last: who finds the file after a crash sees a whole flow or a free entry.
static void entry_fill(struct sl_flow *flow, const struct flow_new *new, uint32_t now_ms)
{
    flow->key0 = new->key[0];
    flow->proto = new->proto;
    flow->state = new->state;
    flow->flags = new->flags;
    flow->seen_ms = now_ms;
    flow->nexthop0 = flow->nexthop1 = 0;
    flow->packets0 = flow->packets1 = 0;
    flow->bytes0 = flow->bytes1 = 0;
    flow->route_epoch = 0;
    flow->key1 = new->key[1];
    flow->mapping = new->mapping;
    __atomic_store_n(&flow->kind, new->kind, __ATOMIC_RELEASE);
}

int64_t flow_create(struct flow_table *table, const struct flow_new *new, uint32_t now_ms)
{
    if (table->spare_count == 0)
        return -ENOSPC;
    if (flow_find(table, &new->key[0], new->proto, new->hash[0]) != FLOW_NONE ||
        flow_find(table, &new->key[1], new->proto, new->hash[1]) != FLOW_NONE)
        return -EEXIST;

    uint32_t entry = table->spare[table->spare_count - 1];
    if (index_both(table, entry, new->hash) != 0)
        return -ENOSPC;
    table->spare_count--;
    entry_fill(&table->entry[entry], new, now_ms);
    flow_wheel_turn(&table->wheel, now_ms);
    flow_wheel_arm(&table->wheel, table->entry, entry, lane_of(&table->entry[entry]),
                   flow_timeout_ms(table, &table->entry[entry]));
    used_store(table);
    return entry;
}

void flow_remove(struct flow_table *table, uint32_t index)
{
    struct sl_flow *flow = &table->entry[index];

    __atomic_store_n(&flow->kind, SL_FLOW_FREE, __ATOMIC_RELEASE);
    flow_index_remove(&table->index, flow_hash(table, &flow->key0, flow->proto), index << 1);
    flow_index_remove(&table->index, flow_hash(table, &flow->key1, flow->proto), index << 1 | 1);
    flow_wheel_disarm(&table->wheel, table->entry, index);
    table->spare[table->spare_count++] = index;
    used_store(table);
}

void flow_rearm(struct flow_table *table, uint32_t index, uint32_t now_ms)
{
    struct sl_flow *flow = &table->entry[index];

    flow_wheel_turn(&table->wheel, now_ms);
    flow_wheel_disarm(&table->wheel, table->entry, index);
    flow_wheel_arm(&table->wheel, table->entry, index, lane_of(flow), flow_left_ms(table, flow, now_ms));
}

uint32_t flow_expired(struct flow_table *table, uint32_t now_ms, uint32_t *budget)
{
    flow_wheel_turn(&table->wheel, now_ms);
    while (*budget > 0) {
        uint32_t index = flow_wheel_due(&table->wheel, table->entry);
        if (index == FLOW_WHEEL_NONE)
            return FLOW_NONE;
        --*budget;
        struct sl_flow *flow = &table->entry[index];
        uint32_t left_ms = flow_left_ms(table, flow, now_ms);
        if (left_ms == 0)
            return index;
        flow_wheel_arm(&table->wheel, table->entry, index, lane_of(flow), left_ms);
    }
    return FLOW_NONE;
}

// A slot holds a second's flows, and the last segment of a connection comes after the one that armed it: who would end
// within a second of its slot is as good as any. Where many were seen since, the one with the least left is named.
uint32_t flow_evictable(struct flow_table *table, uint32_t now_ms)
{
    uint32_t best = FLOW_NONE, best_left_ms = UINT32_MAX;

    flow_wheel_turn(&table->wheel, now_ms);
    for (int looked = 0; looked < EVICT_SEARCH; looked++) {
        uint32_t due_ms, index = flow_wheel_nearest(&table->wheel, FLOW_LANE_TRANSITORY, &due_ms);
        if (index == FLOW_WHEEL_NONE)
            break;
        struct sl_flow *flow = &table->entry[index];
        bool transitory = flow->state != SL_FLOW_ESTABLISHED;
        uint32_t left_ms = flow_left_ms(table, flow, now_ms);
        if (transitory && left_ms <= due_ms + SLOT_MS)
            return index;
        if (transitory && left_ms < best_left_ms) {
            best = index;
            best_left_ms = left_ms;
        }
        flow_rearm(table, index, now_ms); // out of the next search's way
    }
    return best;
}
