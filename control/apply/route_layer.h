// SPDX-License-Identifier: Apache-2.0
// Routes by where they come from: the gateway's own (addresses of ports and NAT), the config's, one layer a route
// file. A layer is a sorted array that never changes; it is shared by generations while its source is the same, so a
// million routes in a file are read once. Where layers name the same prefix the first layer wins.
// Main thread of sluiced.
#ifndef APPLY_ROUTE_LAYER_H
#define APPLY_ROUTE_LAYER_H

#include <stdbool.h>
#include "apply/slots.h"
#include "base/error.h"
#include "config/model.h"
#include "table/route_table.h"

enum route_source { ROUTE_SOURCE_OWN, ROUTE_SOURCE_CONFIG, ROUTE_SOURCE_FILE };

#define ROUTE_RECENT_WAYS 256

struct route_layer {
    unsigned refs;
    enum route_source source;
    uint64_t identity;        // hash of what it was compiled from
    struct sl_lpm_item *item; // sorted by sl_prefix_compare(), no duplicates; value: index into span[]
    size_t count, item_room;
    struct sl_rib_span *span; // routes of one way share that of an equal way seen lately
    size_t span_count, span_room;
    bool own_span;                      // the route added last does not share its span
    uint32_t recent[ROUTE_RECENT_WAYS]; // spans of one way, by the way's hash; UINT32_MAX: none
    struct sl_rib_way *way;
    size_t way_count, way_room;
};

struct route_plan { // what the routes of one generation are made of, first layer first
    struct route_layer **layer;
    unsigned count;
};

// Compiles all layers, taking those of `before` (may be NULL) whose source did not change. 0; -ENOMEM; -EINVAL: a
// gateway on no port's link, or a file that changed since it was checked.
int route_plan_compile(const struct sl_config *config, const struct slots *slots,
                       const struct route_plan *before, struct route_plan *plan, struct sl_error *error);
void route_plan_fini(struct route_plan *plan);
// True where a route file was compiled into `plan`, has not changed since, and would be again: the ports are the same.
bool route_plan_knows_file(const struct route_plan *plan, const struct sl_config *config,
                           const struct slots *slots, const char *file);
// The route that wins for exactly this prefix: its layer, and *at its index there; NULL: no route.
const struct route_layer *route_plan_find(const struct route_plan *plan, const struct sl_prefix *prefix,
                                          size_t *at);
// Ways of a layer's route.
const struct sl_rib_way *route_layer_ways(const struct route_layer *layer, size_t at, unsigned *count);

// Called with each prefix that one plan has and the other has not, or has with other ways (once or more often, where
// layers hide each other). Returns the number of calls, or `most` + 1 where there are more.
typedef void (*route_change_fn)(void *context, const struct sl_prefix *prefix);
size_t route_plan_changes(const struct route_plan *before, const struct route_plan *after, size_t most,
                          route_change_fn call, void *context);

// Building a layer.
struct route_layer *route_layer_new(enum route_source source, uint64_t identity);
void route_layer_put(struct route_layer *layer); // NULL is harmless
// Adds a route, or a further way to the route added last where the prefix is the same and `same_route` is set.
int route_layer_add(struct route_layer *layer, const struct sl_prefix *prefix, const struct sl_rib_way *way,
                    bool same_route);
// Sorts; of two routes of one prefix the one added last stays. 0 or -ENOMEM.
int route_layer_finish(struct route_layer *layer);

// The sources, in compile_route.c.
int route_layer_own(const struct sl_config *config, const struct slots *slots, struct route_layer *layer,
                    struct sl_error *error);
int route_layer_config(const struct sl_config *config, const struct slots *slots, struct route_layer *layer,
                       struct sl_error *error);
int route_layer_file(const struct sl_config *config, const struct slots *slots, const char *path,
                     struct route_layer *layer, struct sl_error *error);

#endif
