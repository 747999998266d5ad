// SPDX-License-Identifier: Apache-2.0
// Hash of prefixes: open addressing with linear probing, at most two thirds full, deletion by shifting back.
// Called by control, any thread.
#include "table/prefix_map.h"

#include <errno.h>
#include <stdlib.h>

#define PLACES_FIRST 64

static uint32_t hash(const struct sl_ip *ip, uint32_t len)
{
    uint64_t x = (ip->q[0] + len) * 0x9e3779b97f4a7c15ULL;

    x = (x ^ (x >> 32) ^ ip->q[1]) * 0xd6e8feb86659fd93ULL;
    x = (x ^ (x >> 29)) * 0x9e3779b97f4a7c15ULL;
    return (uint32_t)(x >> 32);
}

// The place of a prefix, or the free one where it would go. The map has places.
static uint32_t place(const struct sl_prefix_map *map, const struct sl_ip *ip, uint32_t len)
{
    uint32_t i = hash(ip, len) & map->mask;

    while (map->entry[i].value != 0 && (map->entry[i].len != len || !sl_ip_equal(&map->entry[i].ip, ip)))
        i = (i + 1) & map->mask;
    return i;
}

static int resize(struct sl_prefix_map *map, uint32_t places)
{
    struct sl_prefix_map larger = {.entry = calloc(places, sizeof(*map->entry)), .mask = places - 1};

    if (!larger.entry)
        return -ENOMEM;
    for (uint32_t i = 0; map->entry && i <= map->mask; i++)
        if (map->entry[i].value != 0)
            larger.entry[place(&larger, &map->entry[i].ip, map->entry[i].len)] = map->entry[i];
    free(map->entry);
    map->entry = larger.entry;
    map->mask = larger.mask;
    return 0;
}

static uint32_t places_for(size_t count, uint32_t places)
{
    while (places < 1u << 31 && places / 3 * 2 <= count)
        places *= 2;
    return places;
}

int sl_prefix_map_reserve(struct sl_prefix_map *map, size_t count)
{
    uint32_t now = map->entry ? map->mask + 1 : 0, places = places_for(count, now ? now : PLACES_FIRST);

    return places > now ? resize(map, places) : 0;
}

void sl_prefix_map_prefetch(const struct sl_prefix_map *map, const struct sl_prefix *prefix)
{
    __builtin_prefetch(&map->entry[hash(&prefix->ip, prefix->len) & map->mask], 1);
}

static uint32_t *by_len(struct sl_prefix_map *map, const struct sl_prefix *prefix)
{
    return sl_ip_is_v4(&prefix->ip) ? &map->by_len_v4[prefix->len] : &map->by_len_v6[prefix->len];
}

void sl_prefix_map_fini(struct sl_prefix_map *map)
{
    free(map->entry);
    memset(map, 0, sizeof(*map));
}

int sl_prefix_map_set(struct sl_prefix_map *map, const struct sl_prefix *prefix, uint32_t value,
                      uint32_t *old)
{
    if ((!map->entry || map->used >= (map->mask + 1) / 3 * 2) &&
        sl_prefix_map_reserve(map, map->used + 1) != 0)
        return -ENOMEM;
    struct sl_prefix_map_entry *entry = &map->entry[place(map, &prefix->ip, prefix->len)];
    if (old)
        *old = entry->value;
    if (entry->value == 0) {
        map->used++;
        ++*by_len(map, prefix);
    }
    *entry = (struct sl_prefix_map_entry){.ip = prefix->ip, .len = prefix->len, .value = value};
    return 0;
}

// Fills the gap with a later entry whose own place is not behind it, and so on until a free place.
static void gap_close(struct sl_prefix_map *map, uint32_t gap)
{
    for (uint32_t i = (gap + 1) & map->mask; map->entry[i].value != 0; i = (i + 1) & map->mask) {
        uint32_t home = hash(&map->entry[i].ip, map->entry[i].len) & map->mask;
        if (((i - home) & map->mask) < ((i - gap) & map->mask))
            continue;
        map->entry[gap] = map->entry[i];
        gap = i;
    }
    map->entry[gap].value = 0;
}

uint32_t sl_prefix_map_remove(struct sl_prefix_map *map, const struct sl_prefix *prefix)
{
    if (!map->entry)
        return 0;
    uint32_t i = place(map, &prefix->ip, prefix->len);
    uint32_t value = map->entry[i].value;
    if (value != 0) {
        gap_close(map, i);
        map->used--;
        --*by_len(map, prefix);
    }
    return value;
}

uint32_t sl_prefix_map_find(const struct sl_prefix_map *map, const struct sl_prefix *prefix)
{
    return map->entry ? map->entry[place(map, &prefix->ip, prefix->len)].value : 0;
}

static struct sl_ip ip_masked(const struct sl_ip *ip, unsigned bits)
{
    uint64_t high = bits >= 64 ? ~0ULL : bits == 0 ? 0 : ~0ULL << (64 - bits);
    uint64_t low = bits >= 128 ? ~0ULL : bits <= 64 ? 0 : ~0ULL << (128 - bits);

    return (struct sl_ip){.q = {ip->q[0] & __builtin_bswap64(high), ip->q[1] & __builtin_bswap64(low)}};
}

uint32_t sl_prefix_map_cover(const struct sl_prefix_map *map, const struct sl_ip *ip, unsigned len,
                             struct sl_prefix *found)
{
    bool v4 = sl_ip_is_v4(ip);
    const uint32_t *lengths = v4 ? map->by_len_v4 : map->by_len_v6;

    while (len-- > 0) {
        if (lengths[len] == 0)
            continue;
        struct sl_prefix cover = {.ip = ip_masked(ip, v4 ? 96 + len : len), .len = (uint8_t)len};
        uint32_t value = sl_prefix_map_find(map, &cover);
        if (value == 0)
            continue;
        if (found)
            *found = cover;
        return value;
    }
    return 0;
}

bool sl_prefix_map_next(const struct sl_prefix_map *map, size_t *cursor, struct sl_prefix *prefix,
                        uint32_t *value)
{
    for (; map->entry && *cursor <= map->mask; ++*cursor) {
        const struct sl_prefix_map_entry *entry = &map->entry[*cursor];
        if (entry->value == 0)
            continue;
        *prefix = (struct sl_prefix){.ip = entry->ip, .len = (uint8_t)entry->len};
        *value = entry->value;
        ++*cursor;
        return true;
    }
    return false;
}
