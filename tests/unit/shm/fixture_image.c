// SPDX-License-Identifier: Apache-2.0
// Small tables that are right, and a walk over all that a reader may read of one. Test programs only.
#include "fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "table/lpm_build.h"
#include "table/lpm_read.h"
#include "table/route_read.h"

static struct sl_prefix prefix_of(const char *text)
{
    struct sl_prefix prefix;

    if (sl_prefix_parse(text, &prefix) != 0)
        abort();
    return prefix;
}

static void *image_new(enum sl_segment_kind kind, uint64_t size)
{
    void *image;

    if (posix_memalign(&image, 64, size) != 0)
        abort();
    memset(image, 0, size);
    sl_segment_fill(image, kind, size, 1);
    return image;
}

// ---- tries --------------------------------------------------------------------------------------------------

// Prefixes of both families, some deep, with values 1..max.
static size_t items_fill(struct sl_lpm_item *item, uint32_t max)
{
    static const char *const text[] = {
        "0.0.0.0/0",          "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24",   "10.1.2.128/25",
        "198.51.100.20/30",   "::/0",       "fd00::/64",   "2001:db8::/32", "2001:db8:1:2::/64",
        "2001:db8:1:2::9/128"};
    size_t count = sizeof(text) / sizeof(text[0]);

    for (size_t i = 0; i < count; i++)
        item[i] = (struct sl_lpm_item){.prefix = prefix_of(text[i]), .value = 1 + (uint32_t)i % max};
    if (sl_lpm_sort(item, count) != 0)
        abort();
    return count;
}

struct trie {
    struct sl_lpm_item item[16];
    size_t count;
    struct sl_lpm_plan plan;
    uint64_t size;
};

static void trie_plan(struct trie *trie, uint32_t max)
{
    trie->count = items_fill(trie->item, max);
    sl_lpm_plan(trie->item, trie->count, false, &trie->plan);
    trie->size = trie->plan.blocks * SL_LPM_BLOCK;
}

static void trie_build(const struct trie *trie, void *blob)
{
    if (sl_lpm_build(trie->item, trie->count, &trie->plan, blob, trie->size) != 0)
        abort();
}

static uint64_t trie_walk(const void *blob, uint64_t seen)
{
    const struct sl_lpm *lpm = blob;
    uint64_t random = 88172645463325252ull;

    for (unsigned i = 0; i < 4096; i++) {
        uint64_t q[2] = {fixture_random(&random), fixture_random(&random)};
        if (i % 2) // half of them under prefixes that are there
            memcpy(q, (const uint8_t[]){0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2}, 8);
        uint32_t v4 = sl_lpm_lookup(blob, &lpm->v4, (const uint8_t *)q);
        uint32_t v6 = sl_lpm_lookup(blob, &lpm->v6, (const uint8_t *)q);
        seen = seen * 31 + v4 + v6;
    }
    return seen;
}

// ---- port ---------------------------------------------------------------------------------------------------

static void *port_image(uint32_t marker, uint64_t *size)
{
    enum { PORTS = 3, NEIGHBORS = 2 };
    uint64_t port_offset = sizeof(struct sl_port_table);
    uint64_t neighbor_offset = port_offset + PORTS * sizeof(struct sl_port);
    *size = neighbor_offset + NEIGHBORS * sizeof(struct sl_static_neighbor);
    struct sl_port_table *table = image_new(SL_SEG_PORT, *size);
    struct sl_port *port = (void *)((uint8_t *)table + port_offset);
    struct sl_static_neighbor *neighbor = (void *)((uint8_t *)table + neighbor_offset);

    table->settings =
        (struct sl_settings){.flow_capacity = 1024, .neighbor_capacity = 64, .icmp_error_rate = marker};
    table->port_count = PORTS;
    table->port_offset = port_offset;
    table->neighbor_count = NEIGHBORS;
    table->neighbor_offset = neighbor_offset;
    for (unsigned i = 0; i < PORTS; i += 2) { // slot 1 is a hole
        snprintf(port[i].name, sizeof(port[i].name), "lan%u", i);
        snprintf(port[i].device, sizeof(port[i].device), "null:%u", i);
        port[i].mtu = 1500;
        port[i].addr_count = 1;
        port[i].addr[0] = (struct sl_port_addr){.ip = prefix_of("10.0.0.1").ip, .len = 24};
        neighbor[i / 2] = (struct sl_static_neighbor){.ip = prefix_of("10.0.0.2").ip, .port = (uint16_t)i};
    }
    return table;
}

static uint64_t port_walk(const struct sl_port_table *table)
{
    const uint8_t *base = (const uint8_t *)table;
    const struct sl_port *port = (const void *)(base + table->port_offset);
    const struct sl_static_neighbor *neighbor = (const void *)(base + table->neighbor_offset);
    uint64_t seen = table->settings.flow_capacity;

    for (uint32_t i = 0; i < table->port_count; i++) {
        seen = seen * 31 + strlen(port[i].name) + strlen(port[i].device) + port[i].mtu;
        for (uint32_t a = 0; a < port[i].addr_count; a++)
            seen = seen * 31 + port[i].addr[a].ip.w[3] + port[i].addr[a].len;
    }
    for (uint32_t i = 0; i < table->neighbor_count; i++)
        seen = seen * 31 + (uint8_t)port[neighbor[i].port].name[0];
    return seen;
}

// ---- route --------------------------------------------------------------------------------------------------

enum { NEXTHOPS = 8, SLOTS = 4 };

static void *route_image(uint32_t marker, uint64_t *size)
{
    struct trie trie;
    trie_plan(&trie, 4);
    uint64_t nexthop_offset = sizeof(struct sl_route_table);
    uint64_t group_offset = nexthop_offset + NEXTHOPS * sizeof(struct sl_nexthop);
    uint64_t lpm_offset = (group_offset + SLOTS * sizeof(uint32_t) + 63) / 64 * 64;
    *size = lpm_offset + trie.size;
    struct sl_route_table *table = image_new(SL_SEG_ROUTE, *size);
    struct sl_nexthop *nexthop = (void *)((uint8_t *)table + nexthop_offset);
    uint32_t *slot = (void *)((uint8_t *)table + group_offset);

    table->hash_seed = marker;
    table->nexthop_offset = nexthop_offset;
    table->nexthop_count = 5;
    table->nexthop_capacity = NEXTHOPS;
    table->group_offset = group_offset;
    table->group_count = table->group_capacity = SLOTS;
    table->lpm_offset = lpm_offset;
    table->lpm_size = trie.size;
    nexthop[1] = (struct sl_nexthop){.kind = SL_NEXTHOP_CONNECTED, .port = 0};
    nexthop[2] =
        (struct sl_nexthop){.kind = SL_NEXTHOP_GATEWAY, .port = 2, .gateway = prefix_of("10.0.0.9").ip};
    nexthop[3] = (struct sl_nexthop){.kind = SL_NEXTHOP_BLACKHOLE};
    nexthop[4] = (struct sl_nexthop){.kind = SL_NEXTHOP_GROUP, .group_count = SLOTS};
    for (unsigned i = 0; i < SLOTS; i++)
        slot[i] = 1 + i % 2;
    trie_build(&trie, (uint8_t *)table + lpm_offset);
    return table;
}

static uint64_t route_walk(const struct sl_route_table *table)
{
    const uint8_t *base = (const uint8_t *)table;
    const struct sl_lpm *lpm = (const void *)(base + table->lpm_offset);
    uint64_t random = 123456789, seen = 0;

    for (unsigned i = 0; i < 4096; i++) {
        uint64_t q = fixture_random(&random);
        uint32_t leaf = sl_lpm_lookup(lpm, &lpm->v4, (const uint8_t *)&q);
        const struct sl_nexthop *nexthop = sl_route_nexthop(table, leaf, (uint32_t)(q >> 32));
        seen = seen * 31 + nexthop->kind + nexthop->port;
    }
    return trie_walk(lpm, seen);
}

// ---- NAT ----------------------------------------------------------------------------------------------------

struct sorted_address {
    sl_be32 addr;
    uint32_t index;
};

struct nat_parts { // behind the table, one after the other
    struct sl_nat_table table;
    struct sl_nat_pool pool[2];
    struct sl_nat_source source[2];
    struct sl_nat_static inside[3], outside[3];
    struct sl_nat_forward forward[3];
    struct sorted_address sorted[4];
    sl_be32 address[4];
};

static void nat_offsets(struct sl_nat_table *table)
{
    table->pool_count = 2;
    table->source_count = 2;
    table->static_count = table->static_outside_count = 3;
    table->forward_count = 3;
    table->address_count = 4;
    table->pool_offset = offsetof(struct nat_parts, pool);
    table->source_offset = offsetof(struct nat_parts, source);
    table->static_offset = offsetof(struct nat_parts, inside);
    table->static_outside_offset = offsetof(struct nat_parts, outside);
    table->forward_offset = offsetof(struct nat_parts, forward);
    table->address_sorted_offset = offsetof(struct nat_parts, sorted);
    table->address_offset = offsetof(struct nat_parts, address);
}

static void *nat_image(uint32_t marker, uint64_t *size)
{
    *size = sizeof(struct nat_parts);
    struct nat_parts *parts = image_new(SL_SEG_NAT, *size);

    nat_offsets(&parts->table);
    parts->table.timeouts = (struct sl_nat_timeouts){.udp = 300, .icmp = 60, .other = marker};
    for (uint32_t i = 0; i < 4; i++) { // addresses in falling order: the sorted list has to turn them round
        parts->address[i] = htonl(0xc6336467u - i);
        parts->sorted[3 - i] = (struct sorted_address){parts->address[i], i};
    }
    for (uint32_t i = 0; i < 2; i++) {
        parts->pool[i] = (struct sl_nat_pool){.first = 2 * i, .count = 2, .blocks_per_subscriber = 8};
        snprintf(parts->pool[i].name, SL_NAT_NAME, "pool%u", i);
        parts->source[i] = (struct sl_nat_source){
            .inside = prefix_of(i ? "10.0.0.0/8" : "10.9.0.0/16"), .port = 2, .pool = (uint16_t)i};
    }
    for (uint32_t i = 0; i < 3; i++) {
        struct sl_nat_static pair = {.inside = htonl(0x0a000010u + i), .outside = htonl(0xc0000210u - i)};
        parts->inside[i] = pair;
        parts->outside[2 - i] = pair;
        parts->forward[i] = (struct sl_nat_forward){.outside = htonl(0xc6336464u),
                                                    .inside = htonl(0x0a00000bu),
                                                    .outside_first = (uint16_t)(100 * i + 80),
                                                    .outside_last = (uint16_t)(100 * i + 89),
                                                    .inside_first = 8080,
                                                    .proto = IPPROTO_TCP};
    }
    parts->forward[2].proto = IPPROTO_UDP;
    return parts;
}

static uint64_t nat_walk(const struct sl_nat_table *table)
{
    const uint8_t *base = (const uint8_t *)table;
    const struct sl_nat_pool *pool = (const void *)(base + table->pool_offset);
    const struct sl_nat_source *source = (const void *)(base + table->source_offset);
    const struct sl_nat_static *outside = (const void *)(base + table->static_outside_offset);
    const struct sl_nat_static *inside = (const void *)(base + table->static_offset);
    const struct sl_nat_forward *forward = (const void *)(base + table->forward_offset);
    const sl_be32 *address = (const void *)(base + table->address_offset);
    const struct sorted_address *sorted = (const void *)(base + table->address_sorted_offset);
    uint64_t seen = table->timeouts.udp;

    for (uint32_t i = 0; i < table->pool_count; i++)
        for (uint32_t a = 0; a < pool[i].count; a++)
            seen = seen * 31 + address[pool[i].first + a] + strlen(pool[i].name);
    for (uint32_t i = 0; i < table->source_count; i++)
        seen = seen * 31 + pool[source[i].pool].count + source[i].inside.len;
    for (uint32_t i = 0; i < table->static_count; i++)
        seen = seen * 31 + inside[i].inside;
    for (uint32_t i = 0; i < table->static_outside_count; i++)
        seen = seen * 31 + outside[i].outside;
    for (uint32_t i = 0; i < table->forward_count; i++)
        seen = seen * 31 + forward[i].outside_first;
    for (uint32_t i = 0; i < table->address_count; i++)
        seen = seen * 31 + address[sorted[i].index];
    return seen;
}

// ---- prefilter ----------------------------------------------------------------------------------------------

static void *prefilter_image(uint32_t marker, uint64_t *size)
{
    enum { SETS = 2, PORTS = 3 };
    struct trie trie;
    trie_plan(&trie, 1);
    uint64_t set_offset = sizeof(struct sl_prefilter_table);
    uint64_t port_offset = set_offset + SETS * sizeof(struct sl_prefilter_set);
    uint64_t blob_offset = (port_offset + PORTS * sizeof(struct sl_prefilter_port) + 63) / 64 * 64;
    *size = blob_offset + SETS * trie.size;
    struct sl_prefilter_table *table = image_new(SL_SEG_PREFILTER, *size);
    struct sl_prefilter_set *set = (void *)((uint8_t *)table + set_offset);
    struct sl_prefilter_port *port = (void *)((uint8_t *)table + port_offset);

    table->set_count = SETS;
    table->port_count = PORTS;
    table->set_offset = set_offset;
    table->port_offset = port_offset;
    for (unsigned i = 0; i < SETS; i++) {
        snprintf(set[i].name, sizeof(set[i].name), "set%u", i);
        set[i].blob_offset = blob_offset + i * trie.size;
        set[i].blob_size = trie.size;
        set[i].entries_v4 = marker;
        trie_build(&trie, (uint8_t *)table + set[i].blob_offset);
    }
    port[0].rule_count = 2;
    port[0].rule[1] = (struct sl_prefilter_rule){.set = 1, .action = SL_PREFILTER_DENY, .counter = 1};
    return table;
}

static uint64_t prefilter_walk(const struct sl_prefilter_table *table)
{
    const uint8_t *base = (const uint8_t *)table;
    const struct sl_prefilter_set *set = (const void *)(base + table->set_offset);
    const struct sl_prefilter_port *port = (const void *)(base + table->port_offset);
    static uint64_t hit[SL_PREFILTER_RULES];
    uint64_t seen = 0;

    for (uint32_t i = 0; i < table->set_count; i++)
        seen = trie_walk(base + set[i].blob_offset, seen + strlen(set[i].name));
    for (uint32_t i = 0; i < table->port_count; i++)
        for (uint32_t r = 0; r < port[i].rule_count; r++) {
            hit[port[i].rule[r].counter]++;
            seen = seen * 31 + set[port[i].rule[r].set].blob_size;
        }
    return seen;
}

// ---- by kind ------------------------------------------------------------------------------------------------

void *fixture_image(enum sl_segment_kind kind, uint32_t marker, uint64_t *size)
{
    switch (kind) {
    case SL_SEG_PORT:
        return port_image(marker, size);
    case SL_SEG_ROUTE:
        return route_image(marker, size);
    case SL_SEG_NAT:
        return nat_image(marker, size);
    case SL_SEG_PREFILTER:
        return prefilter_image(marker, size);
    case SL_SEG_BALANCE:
        return fixture_balance_image(marker, size);
    default:
        abort();
    }
}

uint32_t fixture_marker(const void *table, enum sl_segment_kind kind)
{
    const struct sl_prefilter_table *prefilter = table;
    const struct sl_balance_table *balance = table;

    switch (kind) {
    case SL_SEG_PORT:
        return ((const struct sl_port_table *)table)->settings.icmp_error_rate;
    case SL_SEG_ROUTE:
        return (uint32_t)((const struct sl_route_table *)table)->hash_seed;
    case SL_SEG_NAT:
        return ((const struct sl_nat_table *)table)->timeouts.other;
    case SL_SEG_PREFILTER:
        return (uint32_t)((const struct sl_prefilter_set *)((const uint8_t *)table + prefilter->set_offset))
            ->entries_v4;
    case SL_SEG_BALANCE:
        return (uint32_t)((const struct sl_balance_member *)((const uint8_t *)table + balance->member_offset))
            ->note;
    default:
        abort();
    }
}

uint64_t fixture_walk(const void *table, enum sl_segment_kind kind)
{
    switch (kind) {
    case SL_SEG_PORT:
        return port_walk(table);
    case SL_SEG_ROUTE:
        return route_walk(table);
    case SL_SEG_NAT:
        return nat_walk(table);
    case SL_SEG_PREFILTER:
        return prefilter_walk(table);
    case SL_SEG_BALANCE:
        return fixture_balance_walk(table);
    default:
        abort();
    }
}
