// SPDX-License-Identifier: Apache-2.0
#include "netpath.h"
#include <stdlib.h>
#include <string.h>

enum stream { LOSS, BURST, DUPLICATE, REORDER, CORRUPT, WHICH_BIT, JITTER, STREAMS };

struct waiting {
    uint64_t due_us, order;
    uint32_t slot, len, tag;
};

struct netpath {
    struct netpath_config config;
    struct netpath_counters counters;
    uint64_t stream[STREAMS];
    uint32_t room, n, n_free, packet_bytes;
    struct waiting *heap; // by (due_us, order)
    uint32_t *free_slots;
    uint8_t *bytes; // [room][packet_bytes]
    uint32_t taken; // slot that the caller may still read, UINT32_MAX: none
    uint64_t order;
    uint64_t link_free_us, link_free_rest; // the link is busy until: microseconds, and bits * 1e6 beyond them
    uint64_t last_due_us;
    bool in_burst;
};

// ---- numbers ------------------------------------------------------------------------------------------------------
uint64_t netpath_seed(uint64_t seed, uint32_t stream)
{
    uint64_t z = seed + (stream + 1ull) * 0x9e3779b97f4a7c15ull;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    z ^= z >> 31;
    return z ? z : 1;
}

uint32_t netpath_random(uint64_t *state, uint32_t below)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (uint32_t)(((*state * 0x2545f4914f6cdd1dull >> 32) * below) >> 32);
}

// Draws whatever the chance is, so that a stream's place depends on the packets alone.
static bool hits(struct netpath *path, enum stream stream, uint32_t chance)
{
    return netpath_random(&path->stream[stream], NETPATH_SURE) < chance;
}

// ---- life ---------------------------------------------------------------------------------------------------------
const char *netpath_config_fault(const struct netpath_config *config)
{
    if (config->loss > NETPATH_SURE || config->burst_begin > NETPATH_SURE || config->burst_end > NETPATH_SURE ||
        config->duplicate > NETPATH_SURE || config->reorder > NETPATH_SURE || config->corrupt > NETPATH_SURE)
        return "a chance is over 100 %";
    if (config->burst_begin && !config->burst_end)
        return "bursts of loss would never end: say how long they are";
    if (config->reorder && !config->reorder_us)
        return "packets held back by no time are not overtaken: say by how much";
    if (config->queue_bytes && !config->rate_bps)
        return "a queue without a rate never fills: say the rate";
    return NULL;
}

struct netpath *netpath_new(const struct netpath_config *config, uint64_t seed, uint32_t packets, uint32_t packet_bytes)
{
    struct netpath *path;

    if (netpath_config_fault(config) || !packets || !packet_bytes)
        return NULL;
    path = calloc(1, sizeof(*path));
    if (path == NULL)
        return NULL;
    *path = (struct netpath){.config = *config, .room = packets, .n_free = packets, .packet_bytes = packet_bytes,
                             .taken = UINT32_MAX};
    path->heap = calloc(packets, sizeof(*path->heap));
    path->free_slots = calloc(packets, sizeof(*path->free_slots));
    path->bytes = malloc((size_t)packets * packet_bytes);
    if (!path->heap || !path->free_slots || !path->bytes) {
        netpath_free(path);
        return NULL;
    }
    for (uint32_t i = 0; i < packets; i++)
        path->free_slots[i] = packets - 1 - i;
    for (uint32_t i = 0; i < STREAMS; i++)
        path->stream[i] = netpath_seed(seed, i);
    return path;
}

void netpath_free(struct netpath *path)
{
    if (path == NULL)
        return;
    free(path->heap);
    free(path->free_slots);
    free(path->bytes);
    free(path);
}

// ---- heap -----------------------------------------------------------------------------------------------------------
static bool before(const struct waiting *a, const struct waiting *b)
{
    return a->due_us < b->due_us || (a->due_us == b->due_us && a->order < b->order);
}

static void heap_add(struct netpath *path, struct waiting one)
{
    uint32_t at = path->n++;

    for (; at && before(&one, &path->heap[(at - 1) / 2]); at = (at - 1) / 2)
        path->heap[at] = path->heap[(at - 1) / 2];
    path->heap[at] = one;
}

static struct waiting heap_first(struct netpath *path)
{
    struct waiting first = path->heap[0], last = path->heap[--path->n];
    uint32_t at = 0, child;

    while ((child = 2 * at + 1) < path->n) {
        if (child + 1 < path->n && before(&path->heap[child + 1], &path->heap[child]))
            child++;
        if (!before(&path->heap[child], &last))
            break;
        path->heap[at] = path->heap[child];
        at = child;
    }
    path->heap[at] = last;
    return first;
}

// ---- in -----------------------------------------------------------------------------------------------------------
// When the packet has left the link. What is left of a microsecond is carried on, so that departures never drift.
static bool through_link(struct netpath *path, uint64_t now_us, uint32_t len, uint64_t *left_us)
{
    const struct netpath_config *config = &path->config;
    uint64_t start_us = path->link_free_us > now_us ? path->link_free_us : now_us, work;

    *left_us = now_us;
    if (config->rate_bps == 0)
        return true;
    if (start_us == now_us && path->link_free_us < now_us)
        path->link_free_rest = 0;
    if (config->queue_bytes && (start_us - now_us) * config->rate_bps / 8000000 + len > config->queue_bytes &&
        start_us > now_us)
        return false;
    work = path->link_free_rest + ((uint64_t)len + config->overhead) * 8 * 1000000;
    path->link_free_us = start_us + work / config->rate_bps;
    path->link_free_rest = work % config->rate_bps;
    *left_us = path->link_free_us + (path->link_free_rest != 0);
    return true;
}

static bool is_lost(struct netpath *path)
{
    bool alone = hits(path, LOSS, path->config.loss);
    bool begins = hits(path, BURST, path->config.burst_begin), ends = hits(path, BURST, path->config.burst_end);

    if (!path->in_burst && !begins)
        return alone;
    path->in_burst = !ends;
    return true;
}

static uint64_t due_after(struct netpath *path, uint64_t left_us, bool held)
{
    uint64_t due = left_us + path->config.delay_us + netpath_random(&path->stream[JITTER], path->config.jitter_us + 1);

    if (held)
        return due + path->config.reorder_us; // and whoever comes next does not wait for it
    if (due < path->last_due_us)
        due = path->last_due_us;
    path->last_due_us = due;
    return due;
}

static bool store(struct netpath *path, uint64_t due_us, const void *bytes, uint32_t len, uint32_t tag, uint32_t flip)
{
    uint32_t slot;
    uint8_t *to;

    if (path->n_free == 0) {
        path->counters.no_room++;
        return false;
    }
    slot = path->free_slots[--path->n_free];
    to = path->bytes + (size_t)slot * path->packet_bytes;
    memcpy(to, bytes, len);
    if (flip != UINT32_MAX)
        to[flip / 8] ^= (uint8_t)(1u << flip % 8);
    heap_add(path, (struct waiting){due_us, path->order++, slot, len, tag});
    return true;
}

bool netpath_put(struct netpath *path, uint64_t now_us, const void *bytes, uint32_t len, uint32_t tag)
{
    bool lost, twice, held, corrupt;
    uint32_t bit, flip;
    uint64_t left_us, due_us;

    path->counters.in++;
    if (len == 0 || len > path->packet_bytes || (path->config.mtu && len > path->config.mtu)) {
        path->counters.too_large++;
        return false;
    }
    if (!through_link(path, now_us, len, &left_us)) {
        path->counters.queue_full++;
        return false;
    }
    lost = is_lost(path);
    twice = hits(path, DUPLICATE, path->config.duplicate);
    held = hits(path, REORDER, path->config.reorder);
    corrupt = hits(path, CORRUPT, path->config.corrupt);
    bit = netpath_random(&path->stream[WHICH_BIT], len * 8);
    due_us = due_after(path, left_us, held);
    if (lost) {
        path->counters.lost++;
        return false;
    }
    flip = corrupt ? bit : UINT32_MAX;
    if (!store(path, due_us, bytes, len, tag, flip))
        return false;
    path->counters.held_back += held;
    path->counters.corrupted += corrupt;
    if (twice)
        path->counters.duplicated += store(path, due_us, bytes, len, tag, flip);
    return true;
}

// ---- out ------------------------------------------------------------------------------------------------------------
bool netpath_take(struct netpath *path, uint64_t now_us, struct netpath_packet *packet)
{
    struct waiting first;

    if (path->taken != UINT32_MAX) {
        path->free_slots[path->n_free++] = path->taken;
        path->taken = UINT32_MAX;
    }
    if (path->n == 0 || path->heap[0].due_us > now_us)
        return false;
    first = heap_first(path);
    path->taken = first.slot;
    path->counters.out++;
    *packet = (struct netpath_packet){first.due_us, first.len, first.tag,
                                      path->bytes + (size_t)first.slot * path->packet_bytes};
    return true;
}

uint64_t netpath_next_us(const struct netpath *path)
{
    return path->n ? path->heap[0].due_us : UINT64_MAX;
}

uint32_t netpath_inside(const struct netpath *path)
{
    return path->n;
}

const struct netpath_counters *netpath_counters(const struct netpath *path)
{
    return &path->counters;
}
