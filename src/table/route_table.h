// SPDX-License-Identifier: Apache-2.0
// The route table from control's side: routes and next hops in private memory (struct sl_rib), the file image
// compiled from them, and single changes that reach the mapped image in place. One thread of control.
//
// Way of use: sl_rib_set() all routes; size = sl_rib_prepare(); map a fresh file of that size and write its
// segment header (shm); sl_rib_compile(); publish; sl_rib_attach(). From then on sl_rib_set() and
// sl_rib_remove() change the image too. When one returns -ENOSPC the route is in the rib but not in the
// image: compile a new file.
//
// Next hops are shared by content. Several ways form a group of SL_RIB_GROUP_SLOTS slots, each slot given to
// a way by weighted rendezvous hashing (Thaler, Ravishankar 1998) over what the way is, not where it stands:
// when a way goes, only its slots change hands, and every gateway with the same routes chooses alike.
#ifndef SL_TABLE_ROUTE_TABLE_H
#define SL_TABLE_ROUTE_TABLE_H

#include <stddef.h>
#include "shm/layout.h"
#include "table/lpm_build.h"

#define SL_RIB_WAYS        64   // ways a route may have
#define SL_RIB_GROUP_SLOTS 1024 // shares of a group's ways are right within a few per cent

struct sl_rib;

struct sl_rib_way {
    struct sl_ip gateway; // of SL_NEXTHOP_GATEWAY, else zero
    uint16_t port;        // slot; 0 where the kind has none
    uint16_t weight;      // 1-256; 0 counts as 1
    uint8_t kind;         // enum sl_nexthop_kind but NONE and GROUP
    uint8_t pad[3];
};

struct sl_rib *sl_rib_new(void);
void sl_rib_free(struct sl_rib *rib);

// Adds a route or replaces it. Several ways: equal-cost multipath. 0; -EINVAL: no way, too many or of a wrong
// kind; -ENOMEM; -ENOSPC: see above.
int sl_rib_set(struct sl_rib *rib, const struct sl_prefix *prefix, const struct sl_rib_way *way,
               unsigned ways);
// 0; -ENOENT: no such route; -ENOMEM, -ENOSPC.
int sl_rib_remove(struct sl_rib *rib, const struct sl_prefix *prefix);

struct sl_rib_span { // ways of a route, or of many that have the same
    uint32_t first;
    uint32_t count;
};

struct sl_rib_source {              // routes sorted by sl_prefix_compare(), each prefix once
    const struct sl_lpm_item *item; // value: index into span[]
    size_t count;
    const struct sl_rib_span *span;
    size_t span_count;
    const struct sl_rib_way *way;
};

// Fills an empty rib from sorted routes at once, for a fifth of what sl_rib_set() one by one takes. Of routes of the
// same prefix that of the first source counts. 0; -EINVAL: as sl_rib_set(), *at is the route's prefix, or the rib is
// not empty (*at NULL); -ENOMEM. On failure the rib is only good for sl_rib_free().
int sl_rib_load(struct sl_rib *rib, const struct sl_rib_source *source, unsigned sources,
                const struct sl_prefix **at);

size_t sl_rib_count(const struct sl_rib *rib);
// Ways of exactly this route into way[SL_RIB_WAYS]; how many, 0: no such route.
unsigned sl_rib_find(const struct sl_rib *rib, const struct sl_prefix *prefix, struct sl_rib_way *way);
// The longest route that contains `ip`, likewise; *found is its prefix.
unsigned sl_rib_lookup(const struct sl_rib *rib, const struct sl_ip *ip, struct sl_prefix *found,
                       struct sl_rib_way *way);
// Visits all routes, in no order; `cursor` starts at 0. Ways of the route, 0 at the end.
unsigned sl_rib_next(const struct sl_rib *rib, size_t *cursor, struct sl_prefix *prefix,
                     struct sl_rib_way *way);

// Sorts and sizes. Bytes of the image, room for updates in place included; 0: no memory or more than fits.
uint64_t sl_rib_prepare(struct sl_rib *rib);
// Writes the image behind table->segment, which is left alone. The rest of the `size` bytes must be zero.
// To follow sl_rib_prepare() without a change between. 0 or -errno.
int sl_rib_compile(struct sl_rib *rib, struct sl_route_table *table, uint64_t size);

// Changes from now on reach `table`, which was compiled from this rib as it is now. 0, -EINVAL, -ENOMEM.
int sl_rib_attach(struct sl_rib *rib, struct sl_route_table *table, uint64_t size);
void sl_rib_detach(struct sl_rib *rib);

// Grace: `tick` stamps what changes free from now on (never decreasing); once every reader has passed between
// two bursts since a tick ended, sl_rib_reclaim() of that tick lets nodes and next hops be used again. A data
// plane that is just loading the table counts as a reader.
void sl_rib_tick(struct sl_rib *rib, uint64_t tick);
void sl_rib_reclaim(struct sl_rib *rib, uint64_t tick);

#endif
