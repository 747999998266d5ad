// SPDX-License-Identifier: Apache-2.0
// See nexthop_set.h. An index moves: free -> in use (counted) -> retired (count 0, no longer found) -> free.
#include "table/nexthop_set.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_ROOM       256
#define FIRST_GROUP_ROOM 16

// Room for `count` more elements of `size` bytes; the new part is zero.
static int array_grow(void *array_pointer, uint32_t room, uint32_t new_room, size_t size)
{
    void **array = array_pointer;
    uint8_t *grown = realloc(*array, new_room * size);

    if (!grown)
        return -ENOMEM;
    memset(grown + room * size, 0, (new_room - room) * size);
    *array = grown;
    return 0;
}

// A lost entry is a hole: its index is not used again before the rib is made anew.
static void stack_push(struct nexthop_stack *stack, uint32_t item)
{
    uint32_t room = stack->room ? stack->room * 2 : 64;

    if (stack->count == stack->room) {
        if (array_grow(&stack->item, stack->room, room, sizeof(*stack->item)) != 0)
            return;
        stack->room = room;
    }
    stack->item[stack->count++] = item;
}

// ---- finding by content -------------------------------------------------------------------------------------
static const struct nexthop_group *group_of(const struct nexthop_set *set, const struct sl_nexthop *hop)
{
    return &set->group[hop->group_first / SL_RIB_GROUP_SLOTS];
}

static uint64_t group_hash(const struct nexthop_group *group)
{
    uint64_t hash = SL_NEXTHOP_GROUP;

    for (uint32_t i = 0; i < group->count; i++)
        hash = (hash ^ group->member[i] ^ (uint64_t)group->weight[i] << 32) * 0x9e3779b97f4a7c15ULL;
    return hash ^ hash >> 29;
}

static uint32_t *bucket_of(const struct nexthop_set *set, const struct sl_nexthop *hop,
                           const struct nexthop_group *group)
{
    uint64_t hash = group ? group_hash(group) : nexthop_content_hash(hop);

    return &set->bucket[hash & (set->room - 1)];
}

static bool same(const struct nexthop_set *set, const struct sl_nexthop *a, const struct sl_nexthop *b,
                 const struct nexthop_group *group)
{
    if (a->kind != b->kind)
        return false;
    if (!group)
        return a->port == b->port && sl_ip_equal(&a->gateway, &b->gateway);
    const struct nexthop_group *other = group_of(set, a);
    return other->count == group->count &&
           memcmp(other->member, group->member, group->count * sizeof(group->member[0])) == 0 &&
           memcmp(other->weight, group->weight, group->count * sizeof(group->weight[0])) == 0;
}

static uint32_t find(const struct nexthop_set *set, const struct sl_nexthop *hop,
                     const struct nexthop_group *group)
{
    uint32_t i = *bucket_of(set, hop, group);

    while (i != 0 && !same(set, &set->hop[i], hop, group))
        i = set->chain[i];
    return i;
}

static void bucket_add(struct nexthop_set *set, uint32_t index)
{
    const struct sl_nexthop *hop = &set->hop[index];
    uint32_t *bucket = bucket_of(set, hop, hop->kind == SL_NEXTHOP_GROUP ? group_of(set, hop) : NULL);

    set->chain[index] = *bucket;
    *bucket = index;
}

static void bucket_remove(struct nexthop_set *set, uint32_t index)
{
    const struct sl_nexthop *hop = &set->hop[index];
    uint32_t *at = bucket_of(set, hop, hop->kind == SL_NEXTHOP_GROUP ? group_of(set, hop) : NULL);

    while (*at != index)
        at = &set->chain[*at];
    *at = set->chain[index];
}

// ---- places -------------------------------------------------------------------------------------------------
static int room_grow(struct nexthop_set *set)
{
    uint32_t room = set->room * 2;

    if (room > SL_LPM_VALUE_MASK)
        return -ENOSPC;
    if (array_grow(&set->hop, set->room, room, sizeof(*set->hop)) != 0 ||
        array_grow(&set->chain, set->room, room, sizeof(*set->chain)) != 0 ||
        array_grow(&set->bucket, set->room, room, sizeof(*set->bucket)) != 0)
        return -ENOMEM;
    set->room = room;
    memset(set->bucket, 0, room * sizeof(*set->bucket));
    for (uint32_t i = 1; i < set->count; i++)
        if (set->hop[i].refs > 0)
            bucket_add(set, i);
    return 0;
}

static int64_t hop_place(struct nexthop_set *set)
{
    if (set->free_hop.count > 0)
        return set->free_hop.item[--set->free_hop.count];
    if (set->count == set->room) {
        int status = room_grow(set);
        if (status != 0)
            return status;
    }
    return set->count++;
}

static int64_t group_place(struct nexthop_set *set)
{
    uint32_t room = set->group_room * 2;

    if (set->free_group.count > 0)
        return set->free_group.item[--set->free_group.count];
    if (set->group_count == set->group_room) {
        if (array_grow(&set->group, set->group_room, room, sizeof(*set->group)) != 0 ||
            array_grow(&set->slot, set->group_room, room, SL_RIB_GROUP_SLOTS * sizeof(*set->slot)) != 0)
            return -ENOMEM;
        set->group_room = room;
    }
    return set->group_count++;
}

// Copies a new next hop into the image, where no trie names it yet.
static void image_write(struct nexthop_set *set, uint32_t index)
{
    struct sl_route_table *table = set->table;
    const struct sl_nexthop *hop = &set->hop[index];

    if (!table)
        return;
    if (index >= table->nexthop_capacity || hop->group_first + hop->group_count > table->group_capacity) {
        set->full = true;
        return;
    }
    if (hop->kind == SL_NEXTHOP_GROUP) {
        uint32_t *slot = (uint32_t *)((uint8_t *)table + table->group_offset);
        memcpy(&slot[hop->group_first], &set->slot[hop->group_first], hop->group_count * sizeof(*slot));
        if (table->group_count < hop->group_first + hop->group_count)
            table->group_count = hop->group_first + hop->group_count;
    }
    ((struct sl_nexthop *)((uint8_t *)table + table->nexthop_offset))[index] = *hop;
    if (table->nexthop_count <= index)
        __atomic_store_n(&table->nexthop_count, index + 1, __ATOMIC_RELEASE);
}

// ---- getting and putting ------------------------------------------------------------------------------------
static int64_t hop_get(struct nexthop_set *set, const struct sl_rib_way *way)
{
    struct sl_nexthop hop = {.kind = way->kind, .port = way->port, .gateway = way->gateway};
    int64_t index = find(set, &hop, NULL);

    if (index == 0) {
        index = hop_place(set);
        if (index < 0)
            return index;
        set->hop[index] = hop;
        bucket_add(set, (uint32_t)index);
        image_write(set, (uint32_t)index);
    }
    set->hop[index].refs++;
    return index;
}

static void group_put(struct nexthop_set *set, const struct nexthop_group *group)
{
    for (uint32_t i = 0; i < group->count; i++)
        nexthop_put(set, group->member[i]);
}

// Whether next hop a comes before b in a group: by content, ties (of a hash of 64 bits) by index.
static bool before(const struct nexthop_set *set, uint32_t a, uint32_t b)
{
    uint64_t x = nexthop_content_hash(&set->hop[a]), y = nexthop_content_hash(&set->hop[b]);

    return x != y ? x < y : a < b;
}

// Adds a counted next hop at its place; one that is in the group already adds its weight.
static void group_add(struct nexthop_set *set, struct nexthop_group *group, uint32_t index, uint32_t weight)
{
    uint32_t i = 0;

    while (i < group->count && group->member[i] != index && before(set, group->member[i], index))
        i++;
    if (i < group->count && group->member[i] == index) {
        group->weight[i] += weight;
        nexthop_put(set, index); // the group counts it once
        return;
    }
    for (uint32_t k = group->count++; k > i; k--) {
        group->member[k] = group->member[k - 1];
        group->weight[k] = group->weight[k - 1];
    }
    group->member[i] = index;
    group->weight[i] = weight;
}

static int group_make(struct nexthop_set *set, const struct sl_rib_way *way, unsigned ways,
                      struct nexthop_group *group)
{
    *group = (struct nexthop_group){0};
    for (unsigned i = 0; i < ways; i++) {
        int64_t index = hop_get(set, &way[i]);
        if (index < 0) {
            group_put(set, group);
            return (int)index;
        }
        group_add(set, group, (uint32_t)index, way[i].weight ? way[i].weight : 1);
    }
    return 0;
}

// A next hop of kind group for members nobody has grouped so far.
static int64_t group_new(struct nexthop_set *set, const struct nexthop_group *group)
{
    int64_t place = group_place(set);
    if (place < 0)
        return place;
    int64_t index = hop_place(set);
    if (index < 0) {
        stack_push(&set->free_group, (uint32_t)place);
        return index;
    }
    uint32_t first = (uint32_t)place * SL_RIB_GROUP_SLOTS;
    set->group[place] = *group;
    set->hop[index] = (struct sl_nexthop){
        .kind = SL_NEXTHOP_GROUP, .group_first = first, .group_count = SL_RIB_GROUP_SLOTS, .refs = 1};
    nexthop_group_fill(set->hop, group, &set->slot[first]);
    bucket_add(set, (uint32_t)index);
    image_write(set, (uint32_t)index);
    return index;
}

static int64_t group_get(struct nexthop_set *set, const struct nexthop_group *group)
{
    struct sl_nexthop hop = {.kind = SL_NEXTHOP_GROUP};

    if (group->count == 1)
        return group->member[0]; // counted by group_make()
    int64_t index = find(set, &hop, group);
    if (index == 0) {
        index = group_new(set, group);
        if (index < 0)
            group_put(set, group);
        return index;
    }
    group_put(set, group); // the group that is there has counted them
    set->hop[index].refs++;
    return index;
}

int64_t nexthop_get(struct nexthop_set *set, const struct sl_rib_way *way, unsigned ways)
{
    struct nexthop_group group;

    if (ways == 1)
        return hop_get(set, way);
    int status = group_make(set, way, ways, &group);
    return status != 0 ? status : group_get(set, &group);
}

void nexthop_hold(struct nexthop_set *set, uint32_t index)
{
    set->hop[index].refs++;
}

static void index_free(struct nexthop_set *set, uint32_t index)
{
    if (set->hop[index].kind == SL_NEXTHOP_GROUP)
        stack_push(&set->free_group, set->hop[index].group_first / SL_RIB_GROUP_SLOTS);
    stack_push(&set->free_hop, index);
}

static void retire(struct nexthop_set *set, uint32_t index)
{
    uint32_t room = set->retired_room ? set->retired_room * 2 : 64;

    if (!set->table) { // nobody reads
        index_free(set, index);
        return;
    }
    if (set->retired_count == set->retired_room) {
        if (array_grow(&set->retired, set->retired_room, room, sizeof(*set->retired)) != 0)
            return; // a hole, as in stack_push()
        set->retired_room = room;
    }
    set->retired[set->retired_count++] = (struct nexthop_retired){.tick = set->tick, .index = index};
}

void nexthop_put(struct nexthop_set *set, uint32_t index)
{
    struct sl_nexthop *hop = &set->hop[index];

    if (index == 0 || --hop->refs > 0)
        return;
    bucket_remove(set, index);
    if (hop->kind == SL_NEXTHOP_GROUP)
        group_put(set, group_of(set, hop));
    retire(set, index);
}

void nexthop_reclaim(struct nexthop_set *set, uint64_t tick)
{
    uint32_t done = 0;

    while (done < set->retired_count && set->retired[done].tick <= tick)
        index_free(set, set->retired[done++].index);
    if (done == 0)
        return;
    set->retired_count -= done;
    memmove(set->retired, set->retired + done, set->retired_count * sizeof(*set->retired));
}

// ---- whole --------------------------------------------------------------------------------------------------
static struct sl_rib_way way_of(const struct sl_nexthop *hop, uint32_t weight)
{
    return (struct sl_rib_way){
        .kind = hop->kind, .port = hop->port, .gateway = hop->gateway, .weight = (uint16_t)weight};
}

unsigned nexthop_ways(const struct nexthop_set *set, uint32_t index, struct sl_rib_way *way)
{
    const struct sl_nexthop *hop = &set->hop[index];

    if (hop->kind != SL_NEXTHOP_GROUP) {
        way[0] = way_of(hop, 1);
        return 1;
    }
    const struct nexthop_group *group = group_of(set, hop);
    for (uint32_t i = 0; i < group->count; i++)
        way[i] = way_of(&set->hop[group->member[i]], group->weight[i]);
    return group->count;
}

void nexthop_write_all(const struct nexthop_set *set, struct sl_route_table *table)
{
    uint8_t *base = (uint8_t *)table;

    table->nexthop_count = set->count;
    table->group_count = set->group_count * SL_RIB_GROUP_SLOTS;
    memcpy(base + table->nexthop_offset, set->hop, set->count * sizeof(*set->hop));
    memcpy(base + table->group_offset, set->slot, table->group_count * sizeof(*set->slot));
}

int nexthop_set_init(struct nexthop_set *set)
{
    *set = (struct nexthop_set){.count = 1};
    set->hop = calloc(FIRST_ROOM, sizeof(*set->hop));
    set->chain = calloc(FIRST_ROOM, sizeof(*set->chain));
    set->bucket = calloc(FIRST_ROOM, sizeof(*set->bucket));
    set->group = calloc(FIRST_GROUP_ROOM, sizeof(*set->group));
    set->slot = calloc(FIRST_GROUP_ROOM * SL_RIB_GROUP_SLOTS, sizeof(*set->slot));
    set->room = FIRST_ROOM;
    set->group_room = FIRST_GROUP_ROOM;
    if (set->hop && set->chain && set->bucket && set->group && set->slot)
        return 0;
    nexthop_set_fini(set);
    return -ENOMEM;
}

void nexthop_set_fini(struct nexthop_set *set)
{
    free(set->hop);
    free(set->chain);
    free(set->bucket);
    free(set->group);
    free(set->slot);
    free(set->free_hop.item);
    free(set->free_group.item);
    free(set->retired);
    *set = (struct nexthop_set){0};
}
