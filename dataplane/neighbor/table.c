// SPDX-License-Identifier: Apache-2.0
// The neighbor table's memory and its writer: see neighbor.h for the layout and table.h for the duties. Called by
// the resolver on the housekeeping thread, and by the main thread before there is one.
#include <errno.h>
#include "neighbor/table.h"

#define TOMBSTONE     1ULL // a MAC in state FREE that no lookup takes for an empty slot
#define VERSION_SHIFT 56
#define VICTIM_STEPS  64 // slots looked at beyond the window, where the whole table is at its limit

static uint32_t slots_for(uint32_t limit)
{
    uint32_t slots = 64;

    while (slots < 2 * (uint64_t)limit && slots < 1u << 30)
        slots *= 2;
    return slots;
}

uint64_t neighbor_segment_size(uint32_t limit)
{
    return sizeof(struct sl_neighbor_segment) + (uint64_t)slots_for(limit) * sizeof(struct sl_neighbor);
}

void neighbor_segment_init(struct sl_neighbor_segment *segment, uint32_t limit, uint64_t seed)
{
    segment->capacity = slots_for(limit);
    segment->used = 0;
    segment->entry_offset = sizeof(*segment);
    segment->seed = seed;
}

static uint64_t version_of(const struct sl_neighbor *entry)
{
    return entry->mac_state >> VERSION_SHIFT << VERSION_SHIFT;
}

static enum sl_neighbor_state state_of(const struct sl_neighbor *entry)
{
    return neighbor_state(entry->mac_state);
}

void neighbor_store(struct sl_neighbor *entry, uint64_t word)
{
    word = word << 8 >> 8 | version_of(entry);
    __atomic_store_n(&entry->mac_state, word, __ATOMIC_RELEASE);
}

struct sl_neighbor *neighbor_lookup(const struct neighbor_table *table, uint16_t port, const struct sl_ip *ip)
{
    struct sl_neighbor *entry = NULL;

    neighbor_find_at(table, neighbor_home(table, port, ip), port, ip, &entry);
    return entry;
}

// A reader may be comparing the key right now: the word goes to a tombstone of the next version first, so that
// whoever read the old word sees another one after the comparison.
static void slot_take(struct sl_neighbor *entry, uint16_t port, const struct sl_ip *ip)
{
    uint64_t version = version_of(entry) + (1ULL << VERSION_SHIFT);

    __atomic_store_n(&entry->mac_state, version | TOMBSTONE, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    __atomic_store_n(&entry->ip.q[0], ip->q[0], __ATOMIC_RELAXED);
    __atomic_store_n(&entry->ip.q[1], ip->q[1], __ATOMIC_RELAXED);
    __atomic_store_n(&entry->port, port, __ATOMIC_RELAXED);
    entry->used = 0;
    entry->probes = 0;
    neighbor_store(entry, (uint64_t)SL_NEIGHBOR_INCOMPLETE << 48);
}

struct sl_neighbor *neighbor_insert(struct neighbor_table *table, uint16_t port, const struct sl_ip *ip)
{
    uint32_t home = neighbor_home(table, port, ip);

    if (table->segment->used >= table->limit)
        return NULL;
    for (uint32_t i = 0; i < NEIGHBOR_WINDOW; i++) {
        struct sl_neighbor *entry = &table->entry[(home + i) & table->mask];
        if (state_of(entry) != SL_NEIGHBOR_FREE)
            continue;
        slot_take(entry, port, ip);
        table->segment->used++;
        return entry;
    }
    return NULL;
}

// A tombstone with an empty slot behind it keeps no lookup going: it becomes empty, and so do those in front of it.
static void tombstones_clear(struct neighbor_table *table, uint32_t slot)
{
    if (!neighbor_empty(table->entry[(slot + 1) & table->mask].mac_state))
        return;
    for (uint32_t i = 0; i <= table->mask; i++, slot = (slot - 1) & table->mask) {
        struct sl_neighbor *entry = &table->entry[slot];
        if (state_of(entry) != SL_NEIGHBOR_FREE)
            return;
        neighbor_store(entry, 0);
    }
}

void neighbor_remove(struct neighbor_table *table, struct sl_neighbor *entry)
{
    neighbor_store(entry, TOMBSTONE);
    table->segment->used--;
    tombstones_clear(table, (uint32_t)(entry - table->entry));
}

static struct sl_neighbor *victim_better(struct sl_neighbor *best, struct sl_neighbor *entry, uint32_t now_ms)
{
    enum sl_neighbor_state state = state_of(entry);

    if (state != SL_NEIGHBOR_FAILED && (state != SL_NEIGHBOR_STALE || entry->used))
        return best;
    if (!best || (state == SL_NEIGHBOR_FAILED && state_of(best) != SL_NEIGHBOR_FAILED))
        return entry;
    if (state != state_of(best))
        return best;
    return now_ms - entry->updated_ms > now_ms - best->updated_ms ? entry : best;
}

struct sl_neighbor *neighbor_victim(struct neighbor_table *table, uint16_t port, const struct sl_ip *ip,
                                    uint32_t now_ms)
{
    uint32_t home = neighbor_home(table, port, ip);
    uint32_t steps = NEIGHBOR_WINDOW;
    struct sl_neighbor *best = NULL;

    if (table->segment->used >= table->limit)
        steps = VICTIM_STEPS; // any place will do: the window itself has room, or is part of these
    for (uint32_t i = 0; i < steps; i++)
        best = victim_better(best, &table->entry[(home + i) & table->mask], now_ms);
    return best;
}

static bool entry_believable(const struct neighbor_table *table, struct sl_neighbor *entry)
{
    enum sl_neighbor_state state = state_of(entry);

    if (state >= SL_NEIGHBOR_STATES || state == SL_NEIGHBOR_INCOMPLETE || state == SL_NEIGHBOR_FAILED)
        return false;
    return entry->port < SL_MAX_PORTS && neighbor_lookup(table, entry->port, &entry->ip) == entry;
}

void neighbor_adopt(struct neighbor_table *table)
{
    uint32_t used = 0;

    for (uint32_t i = 0; i <= table->mask; i++) {
        struct sl_neighbor *entry = &table->entry[i];
        if (state_of(entry) == SL_NEIGHBOR_FREE)
            continue;
        if (!entry_believable(table, entry)) {
            neighbor_store(entry, TOMBSTONE); // `used` is counted below
            continue;
        }
        uint8_t mac[6];
        neighbor_word_mac(entry->mac_state, mac);
        neighbor_store(entry, neighbor_word(mac, SL_NEIGHBOR_STALE));
        entry->used = 0;
        entry->probes = 0;
        used++;
    }
    table->segment->used = used;
    for (uint32_t i = 0; i <= table->mask; i++)
        if (state_of(&table->entry[i]) == SL_NEIGHBOR_FREE)
            tombstones_clear(table, i);
}
