// SPDX-License-Identifier: Apache-2.0
// A layer of routes: collected in the order of its source, then sorted once. See route_layer.h.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "apply/route_layer.h"

struct route_layer *route_layer_new(enum route_source source, uint64_t identity)
{
    struct route_layer *layer = calloc(1, sizeof(*layer));

    if (layer) {
        layer->refs = 1;
        layer->source = source;
        layer->identity = identity;
        memset(layer->recent, 0xff, sizeof(layer->recent));
    }
    return layer;
}

void route_layer_put(struct route_layer *layer)
{
    if (!layer || --layer->refs > 0)
        return;
    free(layer->item);
    free(layer->span);
    free(layer->way);
    free(layer);
}

// Room for one more element of `each` bytes in *array.
static int reserve(void **array, size_t count, size_t *room, size_t each)
{
    if (count < *room)
        return 0;
    size_t more = *room ? *room * 2 : 64;
    void *larger = realloc(*array, more * each);
    if (!larger)
        return -ENOMEM;
    *array = larger;
    *room = more;
    return 0;
}

static int way_append(struct route_layer *layer, const struct sl_rib_way *way)
{
    if (reserve((void **)&layer->way, layer->way_count, &layer->way_room, sizeof(*layer->way)))
        return -ENOMEM;
    layer->way[layer->way_count++] = *way;
    return 0;
}

// A span of one way, behind all others.
static int span_append(struct route_layer *layer, const struct sl_rib_way *way)
{
    if (reserve((void **)&layer->span, layer->span_count, &layer->span_room, sizeof(*layer->span)) ||
        way_append(layer, way))
        return -ENOMEM;
    layer->span[layer->span_count++] =
        (struct sl_rib_span){.first = (uint32_t)layer->way_count - 1, .count = 1};
    layer->own_span = true;
    return 0;
}

// The span of a route of one way. Files of a million routes name few gateways, mixed line by line.
static int span_get(struct route_layer *layer, const struct sl_rib_way *way, uint32_t *span)
{
    uint32_t *recent =
        &layer->recent[(way->gateway.w[3] >> 24 ^ way->gateway.w[3] >> 8 ^ way->kind ^ way->port) %
                       ROUTE_RECENT_WAYS];

    if (*recent != UINT32_MAX && layer->span[*recent].count == 1 &&
        memcmp(&layer->way[layer->span[*recent].first], way, sizeof(*way)) == 0) {
        *span = *recent;
        layer->own_span = false;
        return 0;
    }
    if (span_append(layer, way))
        return -ENOMEM;
    *recent = *span = (uint32_t)layer->span_count - 1;
    return 0;
}

// One way more for the route added last, whose span is the last one then.
static int span_extend(struct route_layer *layer, const struct sl_rib_way *way)
{
    struct sl_lpm_item *item = &layer->item[layer->count - 1];

    if (!layer->own_span) {
        struct sl_rib_way first = layer->way[layer->span[item->value].first];
        if (span_append(layer, &first))
            return -ENOMEM;
        item->value = (uint32_t)layer->span_count - 1;
    }
    if (way_append(layer, way))
        return -ENOMEM;
    layer->span[item->value].count++;
    return 0;
}

int route_layer_add(struct route_layer *layer, const struct sl_prefix *prefix, const struct sl_rib_way *way,
                    bool same_route)
{
    uint32_t span;

    if (same_route && layer->count > 0 &&
        sl_prefix_compare(&layer->item[layer->count - 1].prefix, prefix) == 0)
        return span_extend(layer, way);
    if (reserve((void **)&layer->item, layer->count, &layer->item_room, sizeof(*layer->item)) ||
        span_get(layer, way, &span))
        return -ENOMEM;
    layer->item[layer->count++] = (struct sl_lpm_item){.prefix = *prefix, .value = span};
    return 0;
}

int route_layer_finish(struct route_layer *layer)
{
    size_t kept = 0;

    if (layer->count > 1 && sl_lpm_sort(layer->item, layer->count))
        return -ENOMEM;
    for (size_t i = 0; i < layer->count; i++) {
        bool hidden = i + 1 < layer->count &&
                      sl_prefix_compare(&layer->item[i].prefix, &layer->item[i + 1].prefix) == 0;
        if (!hidden)
            layer->item[kept++] = layer->item[i];
    }
    layer->count = kept;
    return 0;
}

const struct sl_rib_way *route_layer_ways(const struct route_layer *layer, size_t at, unsigned *count)
{
    const struct sl_rib_span *span = &layer->span[layer->item[at].value];

    *count = span->count;
    return &layer->way[span->first];
}

static bool layer_find(const struct route_layer *layer, const struct sl_prefix *prefix, size_t *at)
{
    size_t low = 0, high = layer->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = sl_prefix_compare(&layer->item[mid].prefix, prefix);
        if (order == 0) {
            *at = mid;
            return true;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

const struct route_layer *route_plan_find(const struct route_plan *plan, const struct sl_prefix *prefix,
                                          size_t *at)
{
    for (unsigned i = 0; i < plan->count; i++)
        if (layer_find(plan->layer[i], prefix, at))
            return plan->layer[i];
    return NULL;
}

static bool ways_equal(const struct route_layer *a, size_t i, const struct route_layer *b, size_t k)
{
    unsigned n, m;
    const struct sl_rib_way *x = route_layer_ways(a, i, &n), *y = route_layer_ways(b, k, &m);

    return n == m && memcmp(x, y, n * sizeof(*x)) == 0;
}

struct change_walk {
    size_t calls, most;
    route_change_fn call;
    void *context;
};

static void walk_call(struct change_walk *walk, const struct sl_prefix *prefix)
{
    if (++walk->calls <= walk->most)
        walk->call(walk->context, prefix);
}

// Merges two sorted layers; either may be NULL.
static void layer_changes(const struct route_layer *a, const struct route_layer *b, struct change_walk *walk)
{
    size_t i = 0, k = 0, n = a ? a->count : 0, m = b ? b->count : 0;

    while ((i < n || k < m) && walk->calls <= walk->most) {
        int order = i == n ? 1 : k == m ? -1 : sl_prefix_compare(&a->item[i].prefix, &b->item[k].prefix);
        if (order < 0) {
            walk_call(walk, &a->item[i++].prefix);
        } else if (order > 0) {
            walk_call(walk, &b->item[k++].prefix);
        } else {
            if (!ways_equal(a, i, b, k))
                walk_call(walk, &a->item[i].prefix);
            i++, k++;
        }
    }
}

size_t route_plan_changes(const struct route_plan *before, const struct route_plan *after, size_t most,
                          route_change_fn call, void *context)
{
    struct change_walk walk = {.most = most, .call = call, .context = context};
    unsigned count = before->count > after->count ? before->count : after->count;

    // Layers are compared place by place: a file put in before others makes all behind it count as changed, which is
    // right, if not the least work.
    for (unsigned i = 0; i < count; i++) {
        const struct route_layer *a = i < before->count ? before->layer[i] : NULL;
        const struct route_layer *b = i < after->count ? after->layer[i] : NULL;
        if (a != b)
            layer_changes(a, b, &walk);
    }
    return walk.calls;
}

void route_plan_fini(struct route_plan *plan)
{
    for (unsigned i = 0; i < plan->count; i++)
        route_layer_put(plan->layer[i]);
    free(plan->layer);
    memset(plan, 0, sizeof(*plan));
}
