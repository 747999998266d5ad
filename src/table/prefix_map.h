// SPDX-License-Identifier: Apache-2.0
// Prefixes to 32-bit values in private memory, with the question a trie of leaves cannot answer: which other
// prefix covers this one. Open addressing, linear probing. Control, any thread, one at a time.
#ifndef SL_TABLE_PREFIX_MAP_H
#define SL_TABLE_PREFIX_MAP_H

#include <stddef.h>
#include "base/ip.h"

struct sl_prefix_map_entry { // value 0: the place is free
    struct sl_ip ip;
    uint32_t len;
    uint32_t value;
};

struct sl_prefix_map {
    struct sl_prefix_map_entry *entry;
    uint32_t mask; // places - 1; a power of two
    uint32_t used;
    uint32_t by_len_v4[33]; // prefixes of each length: lengths without any are not probed
    uint32_t by_len_v6[129];
};

// All zero is an empty map.
void sl_prefix_map_fini(struct sl_prefix_map *map);
// Makes room for `count` prefixes at once. 0 or -ENOMEM.
int sl_prefix_map_reserve(struct sl_prefix_map *map, size_t count);
// Asks for the place of a prefix that is going to be set; there is room.
void sl_prefix_map_prefetch(const struct sl_prefix_map *map, const struct sl_prefix *prefix);
// Adds or replaces; `value` is not 0. 0 or -ENOMEM. *old: the value replaced, 0: it is new; may be NULL.
int sl_prefix_map_set(struct sl_prefix_map *map, const struct sl_prefix *prefix, uint32_t value,
                      uint32_t *old);
// Removes; returns its value, 0 where it was not there.
uint32_t sl_prefix_map_remove(struct sl_prefix_map *map, const struct sl_prefix *prefix);
// Value of exactly this prefix, 0: none.
uint32_t sl_prefix_map_find(const struct sl_prefix_map *map, const struct sl_prefix *prefix);
// Longest prefix in the map, shorter than `len` (in the address's own family), that contains `ip`. Its value,
// 0: none; *found (may be NULL) receives it.
uint32_t sl_prefix_map_cover(const struct sl_prefix_map *map, const struct sl_ip *ip, unsigned len,
                             struct sl_prefix *found);
// Visits all, in no order; `cursor` starts at 0. False at the end.
bool sl_prefix_map_next(const struct sl_prefix_map *map, size_t *cursor, struct sl_prefix *prefix,
                        uint32_t *value);

#endif
