// SPDX-License-Identifier: Apache-2.0
// Session files read from outside. Called by control (listing, pool use) and by workers (which flows to kill).
#include "table/flow_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "wire/headers.h"

static void view_ends(const struct sl_flow *flow, struct sl_flow_view *view)
{
    const struct sl_flow_key *opener = &flow->key0, *answer = &flow->key1;

    if (view->inbound) {
        view->inside = answer->src;
        view->outside = opener->dst;
        view->remote = opener->src;
        view->inside_port = sl_host16(answer->sport);
        view->outside_port = sl_host16(opener->dport);
        view->remote_port = sl_host16(opener->sport);
    } else {
        view->inside = opener->src;
        view->outside = answer->dst;
        view->remote = opener->dst;
        view->inside_port = sl_host16(opener->sport);
        view->outside_port = sl_host16(answer->dport);
        view->remote_port = sl_host16(opener->dport);
    }
}

static void view_counts(const struct sl_flow *flow, struct sl_flow_view *view)
{
    view->packets_out = view->inbound ? flow->packets1 : flow->packets0;
    view->packets_in = view->inbound ? flow->packets0 : flow->packets1;
    view->bytes_out = view->inbound ? flow->bytes1 : flow->bytes0;
    view->bytes_in = view->inbound ? flow->bytes0 : flow->bytes1;
}

bool sl_flow_view_of(const struct sl_flow *flow, struct sl_flow_view *view)
{
    uint8_t kind = __atomic_load_n(&flow->kind, __ATOMIC_ACQUIRE);

    if (kind == SL_FLOW_FREE || kind >= SL_FLOW_KINDS || flow->state >= SL_FLOW_STATES)
        return false;
    view->kind = kind;
    view->proto = flow->proto;
    view->state = flow->state;
    view->inbound = kind == SL_FLOW_BALANCE || (flow->flags & SL_FLOW_INBOUND) != 0;
    view->cut = kind == SL_FLOW_BALANCE && (flow->flags & SL_FLOW_CUT) != 0;
    view->service = kind == SL_FLOW_BALANCE ? SL_FLOW_SERVICE(flow->mapping) : SL_BALANCE_NONE;
    view->member = kind == SL_FLOW_BALANCE ? SL_FLOW_MEMBER(flow->mapping) : SL_BALANCE_NONE;
    view->seen_ms = flow->seen_ms;
    view->worker = 0;
    view_ends(flow, view);
    view_counts(flow, view);
    return true;
}

static bool end_matches(const struct sl_prefix *prefix, uint16_t port_wanted, const struct sl_ip *ip,
                        uint16_t port)
{
    bool any = prefix->len == 0 && sl_ip_is_zero(&prefix->ip);

    return (any || sl_prefix_contains(prefix, ip)) && (port_wanted == 0 || port_wanted == port);
}

bool sl_flow_view_matches(const struct sl_flow_view *view, const struct sl_flow_match *match)
{
    return (match->proto == 0 || match->proto == view->proto) &&
           (match->kind == 0 || match->kind == view->kind) &&
           end_matches(&match->inside, match->inside_port, &view->inside, view->inside_port) &&
           end_matches(&match->outside, match->outside_port, &view->outside, view->outside_port) &&
           end_matches(&match->remote, match->remote_port, &view->remote, view->remote_port);
}

// The entries, NULL where the header's numbers lie.
static const struct sl_flow *segment_entries(const struct sl_segment_map *map)
{
    const struct sl_flow_segment *file = map->base;

    if (file == NULL || map->size < sizeof(*file) || file->entry_offset > map->size ||
        file->entry_offset % _Alignof(struct sl_flow) != 0 ||
        file->capacity > (map->size - file->entry_offset) / sizeof(struct sl_flow))
        return NULL;
    return (const struct sl_flow *)((const uint8_t *)map->base + file->entry_offset);
}

bool sl_flow_next(const struct sl_segment_map *segment, const struct sl_flow_match *match, uint32_t *cursor,
                  struct sl_flow_view *view)
{
    const struct sl_flow_segment *file = segment->base;
    const struct sl_flow *entry = segment_entries(segment);

    if (entry == NULL)
        return false;
    while (*cursor < file->capacity) {
        if (!sl_flow_view_of(&entry[(*cursor)++], view))
            continue;
        view->worker = file->worker;
        if (match == NULL || sl_flow_view_matches(view, match))
            return true;
    }
    return false;
}

// ---- use of NAT pools ---------------------------------------------------------------------------------------
#define PORT_WORDS (65536 / 64)

struct usage_work {
    uint64_t *port;       // bit per pool address, protocol and port
    uint64_t *subscriber; // inside address << 32 | pool address, of every flow, to be sorted
    size_t subscribers, room;
    const uint32_t *order; // indices of pool addresses sorted by address
    const sl_be32 *address;
    uint32_t address_count;
};

static int address_compare(const void *a, const void *b, void *addresses)
{
    sl_be32 left = ((const sl_be32 *)addresses)[*(const uint32_t *)a];
    sl_be32 right = ((const sl_be32 *)addresses)[*(const uint32_t *)b];

    return (left > right) - (left < right);
}

static int64_t address_index(const struct usage_work *work, sl_be32 addr)
{
    uint32_t low = 0, high = work->address_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (work->address[work->order[middle]] < addr)
            low = middle + 1;
        else
            high = middle;
    }
    return low < work->address_count && work->address[work->order[low]] == addr ? (int64_t)work->order[low]
                                                                                : -1;
}

static int usage_proto(uint8_t proto)
{
    return proto == 6 ? SL_NAT_TCP : proto == 17 ? SL_NAT_UDP : proto == 1 ? SL_NAT_ICMP : -1;
}

static int subscriber_note(struct usage_work *work, uint32_t address, sl_be32 inside)
{
    if (work->subscribers == work->room) {
        size_t room = work->room ? work->room * 2 : 4096;
        uint64_t *grown = realloc(work->subscriber, room * sizeof(*grown));
        if (grown == NULL)
            return -ENOMEM;
        work->subscriber = grown;
        work->room = room;
    }
    work->subscriber[work->subscribers++] = (uint64_t)address << 32 | inside;
    return 0;
}

static int flow_note(struct usage_work *work, const struct sl_flow_view *view, struct sl_nat_usage *usage)
{
    int64_t address = address_index(work, view->outside.w[3]);
    int proto = usage_proto(view->proto);

    if (address < 0)
        return 0;
    usage[address].flows++;
    if (view->kind != SL_FLOW_NAT_SOURCE || proto < 0)
        return 0;
    uint64_t *ports = work->port + ((size_t)address * SL_NAT_PROTOS + (size_t)proto) * PORT_WORDS;
    ports[view->outside_port / 64] |= 1ull << (view->outside_port % 64);
    return subscriber_note(work, (uint32_t)address, view->inside.w[3]);
}

static int word_compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

// A word of the port map is a block: 64 ports from a multiple of 64 on (SL_NAT_FIRST_PORT is one).
static void usage_sum(struct usage_work *work, struct sl_nat_usage *usage)
{
    for (size_t i = 0; i < (size_t)work->address_count * SL_NAT_PROTOS * PORT_WORDS; i++) {
        uint64_t ports = work->port[i];
        size_t of = i / PORT_WORDS;
        usage[of / SL_NAT_PROTOS].ports[of % SL_NAT_PROTOS] += (uint32_t)__builtin_popcountll(ports);
        usage[of / SL_NAT_PROTOS].blocks[of % SL_NAT_PROTOS] += ports != 0;
    }
    if (work->subscribers > 0)
        qsort(work->subscriber, work->subscribers, sizeof(*work->subscriber), word_compare);
    for (size_t i = 0; i < work->subscribers; i++)
        if (i == 0 || work->subscriber[i] != work->subscriber[i - 1])
            usage[work->subscriber[i] >> 32].subscribers++;
}

static int usage_collect(struct usage_work *work, const struct sl_segment_map *segment,
                         uint32_t segment_count, struct sl_nat_usage *usage)
{
    for (uint32_t i = 0; i < segment_count; i++) {
        struct sl_flow_view view;
        uint32_t cursor = 0;
        while (sl_flow_next(&segment[i], NULL, &cursor, &view)) {
            int code = flow_note(work, &view, usage);
            if (code != 0)
                return code;
        }
    }
    return 0;
}

int sl_nat_usage_count(const struct sl_nat_table *nat, const struct sl_segment_map *segment,
                       uint32_t segment_count, struct sl_nat_usage *usage)
{
    uint32_t *order = calloc(nat->address_count + 1u, sizeof(*order));
    struct usage_work work = {
        .port = calloc((size_t)nat->address_count * SL_NAT_PROTOS + 1, PORT_WORDS * sizeof(uint64_t)),
        .order = order,
        .address = (const sl_be32 *)((const uint8_t *)nat + nat->address_offset),
        .address_count = nat->address_count,
    };
    int code = work.port && order ? 0 : -ENOMEM;

    memset(usage, 0, nat->address_count * sizeof(*usage));
    for (uint32_t i = 0; order && i < nat->address_count; i++)
        order[i] = i;
    if (code == 0) {
        qsort_r(order, nat->address_count, sizeof(*order), address_compare, (void *)work.address);
        code = usage_collect(&work, segment, segment_count, usage);
    }
    if (code == 0)
        usage_sum(&work, usage);
    free(work.port);
    free(work.subscriber);
    free(order);
    return code;
}
