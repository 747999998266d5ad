// SPDX-License-Identifier: Apache-2.0
// See balance_slots.h.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "apply/balance_slots.h"
#include "table/balance_read.h"

#define IN_USE UINT32_MAX

void balance_slots_fini(struct balance_slots *slots)
{
    free(slots->service);
    free(slots->member);
    free(slots->services.freed);
    free(slots->members.freed);
    memset(slots, 0, sizeof(*slots));
}

// ---- room -------------------------------------------------------------------------------------------------------

static int room_init(struct slot_room *room, const struct slot_room *before, uint32_t top)
{
    if (before && before->top > top)
        top = before->top;
    room->freed = calloc((size_t)top + 1, sizeof(*room->freed));
    room->top = top;
    if (!room->freed)
        return -ENOMEM;
    if (before && before->top)
        memcpy(room->freed, before->freed, before->top * sizeof(*room->freed));
    return 0;
}

struct free_slot {
    uint32_t freed, slot;
};

static int free_compare(const void *a, const void *b)
{
    const struct free_slot *x = a, *y = b;

    if (x->freed != y->freed)
        return x->freed < y->freed ? -1 : 1;
    return x->slot < y->slot ? -1 : x->slot > y->slot;
}

// Widens the room until `wanted` slots are free in it. -ENOSPC: not with `most`.
static int room_widen(struct slot_room *room, uint32_t wanted, uint32_t chunk, uint32_t most)
{
    uint32_t unused = 0, top = room->top;

    for (uint32_t i = 0; i < room->top; i++)
        unused += room->freed[i] != IN_USE;
    while (unused < wanted && top < most) {
        uint32_t more = most - top < chunk ? most - top : chunk;
        top += more;
        unused += more;
    }
    if (unused < wanted)
        return -ENOSPC;
    uint32_t *freed = realloc(room->freed, ((size_t)top + 1) * sizeof(*freed));
    if (!freed)
        return -ENOMEM;
    memset(freed + room->top, 0, (top - room->top) * sizeof(*freed));
    room->freed = freed;
    room->top = top;
    return 0;
}

// `wanted` slots to be given, in order: those never used, then those freed longest ago. NULL: no memory.
static struct free_slot *room_free(const struct slot_room *room)
{
    struct free_slot *list = calloc((size_t)room->top + 1, sizeof(*list));
    uint32_t count = 0;

    for (uint32_t i = 0; list && i < room->top; i++)
        if (room->freed[i] != IN_USE)
            list[count++] = (struct free_slot){room->freed[i], i};
    if (list)
        qsort(list, count, sizeof(*list), free_compare);
    return list;
}

// ---- keys -------------------------------------------------------------------------------------------------------

static int service_compare(const void *a, const void *b)
{
    return strncmp(((const struct balance_service_key *)a)->name,
                   ((const struct balance_service_key *)b)->name, SL_BALANCE_NAME);
}

int balance_member_compare(const void *a, const void *b)
{
    const struct balance_member_key *x = a, *y = b;
    int order = strncmp(x->pool, y->pool, SL_BALANCE_NAME);

    if (order == 0)
        order = memcmp(x->ip.b, y->ip.b, sizeof(x->ip.b));
    return order ? order : (int)x->port - (int)y->port;
}

struct balance_member_key balance_member_key(const struct sl_config_server_pool *pool,
                                             const struct sl_config_member *member)
{
    struct balance_member_key key = {.port = member->port};

    snprintf(key.pool, sizeof(key.pool), "%s", pool->name);
    sl_ip_parse(member->address, &key.ip);
    return key;
}

uint32_t balance_slots_service(const struct balance_slots *slots, const char *name)
{
    struct balance_service_key key = {{0}};

    snprintf(key.name, sizeof(key.name), "%s", name);
    const struct balance_service_key *found =
        slots->service_count
            ? bsearch(&key, slots->service, slots->service_count, sizeof(key), service_compare)
            : NULL;
    return found ? found->slot : SL_BALANCE_NONE;
}

uint32_t balance_slots_member(const struct balance_slots *slots, const struct balance_member_key *key)
{
    const struct balance_member_key *found =
        slots->member_count
            ? bsearch(key, slots->member, slots->member_count, sizeof(*key), balance_member_compare)
            : NULL;

    return found ? found->slot : SL_BALANCE_NONE;
}

// ---- from a table -----------------------------------------------------------------------------------------------

static void table_services(struct balance_slots *slots, const struct sl_balance_table *table)
{
    const struct sl_balance_service *service = sl_balance_services(table);

    for (uint32_t i = 0; i < table->service_count; i++) {
        struct balance_service_key *key = &slots->service[slots->service_count++];
        snprintf(key->name, sizeof(key->name), "%s", service[i].name);
        key->slot = service[i].slot;
        slots->services.freed[key->slot] = IN_USE;
    }
    qsort(slots->service, slots->service_count, sizeof(*slots->service), service_compare);
}

static void table_members(struct balance_slots *slots, const struct sl_balance_table *table)
{
    const struct sl_balance_member *member = sl_balance_members(table);
    const struct sl_balance_pool *pool = sl_balance_pools(table);

    for (uint32_t i = 0; i < table->member_count; i++) {
        struct balance_member_key *key = &slots->member[slots->member_count++];
        snprintf(key->pool, sizeof(key->pool), "%s", pool[member[i].pool].name);
        key->ip = member[i].ip;
        key->port = member[i].port;
        key->slot = member[i].slot;
        slots->members.freed[key->slot] = IN_USE;
    }
    qsort(slots->member, slots->member_count, sizeof(*slots->member), balance_member_compare);
}

static uint32_t chunk_up(uint32_t count, uint32_t chunk, uint32_t most)
{
    uint64_t up = (uint64_t)(count + chunk - 1) / chunk * chunk;

    return up < most ? (uint32_t)up : most;
}

int balance_slots_from_table(struct balance_slots *slots, const struct sl_balance_table *table)
{
    memset(slots, 0, sizeof(*slots));
    slots->clock = 1;
    if (!table)
        return 0;
    slots->service = calloc((size_t)table->service_count + 1, sizeof(*slots->service));
    slots->member = calloc((size_t)table->member_count + 1, sizeof(*slots->member));
    int rc = room_init(&slots->services, NULL,
                       chunk_up(table->service_slots, SL_BALANCE_CHUNK_SERVICES, SL_BALANCE_SERVICES));
    if (rc == 0)
        rc = room_init(&slots->members, NULL,
                       chunk_up(table->member_slots, SL_BALANCE_CHUNK_MEMBERS, SL_BALANCE_MEMBERS));
    if (rc || !slots->service || !slots->member) {
        balance_slots_fini(slots);
        return -ENOMEM;
    }
    // Who had the others, and until when, nobody knows any more: somebody may have.
    for (uint32_t i = 0; i < table->service_slots; i++)
        slots->services.freed[i] = 1;
    for (uint32_t i = 0; i < table->member_slots; i++)
        slots->members.freed[i] = 1;
    table_services(slots, table);
    table_members(slots, table);
    return 0;
}

// ---- assigning --------------------------------------------------------------------------------------------------

static int collect(struct balance_slots *slots, const struct sl_config *config)
{
    size_t members = 0;

    for (unsigned i = 0; i < config->pools_count; i++)
        members += config->pools[i].members_count;
    slots->service = calloc((size_t)config->services_count + 1, sizeof(*slots->service));
    slots->member = calloc(members + 1, sizeof(*slots->member));
    if (!slots->service || !slots->member)
        return -ENOMEM;
    for (unsigned i = 0; i < config->services_count; i++) {
        struct balance_service_key *key = &slots->service[slots->service_count++];
        snprintf(key->name, sizeof(key->name), "%s", config->services[i].name);
        key->slot = SL_BALANCE_NONE;
    }
    for (unsigned i = 0; i < config->pools_count; i++) {
        for (unsigned j = 0; j < config->pools[i].members_count; j++) {
            struct balance_member_key *key = &slots->member[slots->member_count++];
            *key = balance_member_key(&config->pools[i], &config->pools[i].members[j]);
            key->slot = SL_BALANCE_NONE;
        }
    }
    qsort(slots->service, slots->service_count, sizeof(*slots->service), service_compare);
    qsort(slots->member, slots->member_count, sizeof(*slots->member), balance_member_compare);
    return 0;
}

// Both lists are sorted: who was there before keeps his slot, the slots of who is gone are freed.
static uint32_t keep_services(struct balance_slots *slots, const struct balance_slots *before)
{
    uint32_t at = 0, fresh = 0;

    for (uint32_t i = 0; i < before->service_count; i++)
        slots->services.freed[before->service[i].slot] = slots->clock;
    for (uint32_t i = 0; i < slots->service_count; i++) {
        struct balance_service_key *key = &slots->service[i];
        while (at < before->service_count && service_compare(&before->service[at], key) < 0)
            at++;
        if (at < before->service_count && service_compare(&before->service[at], key) == 0) {
            key->slot = before->service[at].slot;
            slots->services.freed[key->slot] = IN_USE;
        } else {
            fresh++;
        }
    }
    return fresh;
}

static uint32_t keep_members(struct balance_slots *slots, const struct balance_slots *before)
{
    uint32_t at = 0, fresh = 0;

    for (uint32_t i = 0; i < before->member_count; i++)
        slots->members.freed[before->member[i].slot] = slots->clock;
    for (uint32_t i = 0; i < slots->member_count; i++) {
        struct balance_member_key *key = &slots->member[i];
        while (at < before->member_count && balance_member_compare(&before->member[at], key) < 0)
            at++;
        if (at < before->member_count && balance_member_compare(&before->member[at], key) == 0) {
            key->slot = before->member[at].slot;
            slots->members.freed[key->slot] = IN_USE;
        } else {
            fresh++;
        }
    }
    return fresh;
}

static int give_services(struct balance_slots *slots)
{
    struct free_slot *list = room_free(&slots->services);
    uint32_t next = 0;

    for (uint32_t i = 0; list && i < slots->service_count; i++) {
        if (slots->service[i].slot != SL_BALANCE_NONE)
            continue;
        slots->service[i].slot = list[next++].slot;
        slots->services.freed[slots->service[i].slot] = IN_USE;
    }
    free(list);
    return list ? 0 : -ENOMEM;
}

static int give_members(struct balance_slots *slots)
{
    struct free_slot *list = room_free(&slots->members);
    uint32_t next = 0;

    for (uint32_t i = 0; list && i < slots->member_count; i++) {
        if (slots->member[i].slot != SL_BALANCE_NONE)
            continue;
        slots->member[i].slot = list[next++].slot;
        slots->members.freed[slots->member[i].slot] = IN_USE;
    }
    free(list);
    return list ? 0 : -ENOMEM;
}

static int assign(struct balance_slots *slots, const struct balance_slots *before,
                  const struct sl_config *config)
{
    int rc = collect(slots, config);

    if (rc == 0)
        rc = room_init(&slots->services, &before->services, 0);
    if (rc == 0)
        rc = room_init(&slots->members, &before->members, 0);
    if (rc)
        return rc;
    rc = room_widen(&slots->services, keep_services(slots, before), SL_BALANCE_CHUNK_SERVICES,
                    SL_BALANCE_SERVICES);
    if (rc == 0)
        rc = room_widen(&slots->members, keep_members(slots, before), SL_BALANCE_CHUNK_MEMBERS,
                        SL_BALANCE_MEMBERS);
    if (rc == 0)
        rc = give_services(slots);
    return rc ? rc : give_members(slots);
}

int balance_slots_assign(struct balance_slots *slots, const struct balance_slots *before,
                         const struct sl_config *config, struct sl_error *error)
{
    memset(slots, 0, sizeof(*slots));
    slots->clock = before->clock + 1;
    int rc = assign(slots, before, config);
    if (rc == 0)
        return 0;
    balance_slots_fini(slots);
    return sl_error_set(error, rc, rc == -ENOSPC ? "more than %d services or %d members" : "out of memory",
                        SL_BALANCE_SERVICES, SL_BALANCE_MEMBERS);
}
