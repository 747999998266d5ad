// SPDX-License-Identifier: Apache-2.0
// A small balance table that is right, with every method, and a walk over all that a reader may read of one. Test
// programs only.
#include "fixture.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "table/balance_read.h"
#include "table/balance_table.h"

enum { POOLS = SL_BALANCE_METHODS, MEMBERS = 3, SERVICES = POOLS, LISTENS = 2 * SERVICES + 1, SOURCES = 2 };

struct parts {
    struct sl_balance_service service[SERVICES];
    struct sl_balance_pool pool[POOLS];
    struct sl_balance_member member[POOLS * MEMBERS];
    struct sl_ip source[SOURCES];
    struct sl_balance_listen listen[LISTENS];
};

static struct sl_ip ip_of(uint32_t host)
{
    return sl_ip_v4(__builtin_bswap32(host));
}

static void pool_fill(struct parts *parts, uint32_t i, uint32_t marker)
{
    struct sl_balance_pool *pool = &parts->pool[i];

    *pool = (struct sl_balance_pool){.first = i * MEMBERS,
                                     .count = MEMBERS,
                                     .method = (uint8_t)i,
                                     .maglev_size = 101,
                                     .source_count = i % 3,
                                     .way = (uint8_t)(i % SL_BALANCE_WAYS)};
    snprintf(pool->name, sizeof(pool->name), "pool%u", i);
    for (uint32_t m = 0; m < MEMBERS; m++)
        parts->member[i * MEMBERS + m] =
            (struct sl_balance_member){.ip = ip_of(0x0a010000 + 256 * i + m),
                                       .port = 8080,
                                       .weight = 10,
                                       .pool = i,
                                       .slot = 2 * (i * MEMBERS + m),
                                       .word = SL_BALANCE_WORD(SL_BALANCE_UP, 10 + m),
                                       .note = marker,
                                       .flags = m == 2 ? SL_BALANCE_BACKUP : 0};
}

static void service_fill(struct parts *parts, uint32_t i, uint32_t marker)
{
    struct sl_balance_service *service = &parts->service[i];

    *service = (struct sl_balance_service){
        .slot = SERVICES - i, .pool = i, .flow_rate = marker, .affinity_len_v4 = 32, .affinity_len_v6 = 64};
    snprintf(service->name, sizeof(service->name), "service%u", i);
    parts->listen[2 * i] = (struct sl_balance_listen){.ip = ip_of(0xc0000201 + i / 2),
                                                      .proto = i % 2 ? IPPROTO_TCP : IPPROTO_UDP,
                                                      .first_port = 80,
                                                      .last_port = 80,
                                                      .service = i};
    parts->listen[2 * i + 1] = (struct sl_balance_listen){.ip = ip_of(0xc0000201 + i / 2),
                                                          .proto = i % 2 ? IPPROTO_TCP : IPPROTO_UDP,
                                                          .first_port = 70,
                                                          .last_port = 90,
                                                          .service = (i + 1) % SERVICES};
}

static void *image_cut(const struct sl_balance_table *built, uint64_t *size)
{
    void *image;

    *size = built->lookup_offset + built->lookup_count * sizeof(uint16_t);
    if (posix_memalign(&image, 64, *size) != 0)
        abort();
    memcpy(image, built, *size);
    sl_segment_fill(image, SL_SEG_BALANCE, *size, 1);
    return image;
}

void *fixture_balance_image(uint32_t marker, uint64_t *size)
{
    struct parts *parts = calloc(1, sizeof(*parts));
    for (uint32_t i = 0; i < POOLS; i++) {
        pool_fill(parts, i, marker);
        service_fill(parts, i, marker);
    }
    parts->listen[LISTENS - 1] = (struct sl_balance_listen){.ip = ip_of(0xc0000201), .last_port = 65535};
    const struct sl_balance_input input = {.service = parts->service,
                                           .service_count = SERVICES,
                                           .pool = parts->pool,
                                           .pool_count = POOLS,
                                           .member = parts->member,
                                           .member_count = POOLS * MEMBERS,
                                           .source = parts->source,
                                           .source_count = SOURCES,
                                           .listen = parts->listen,
                                           .listen_count = LISTENS,
                                           .hash_seed = 7};
    struct sl_error error = {0};
    uint64_t room = sl_balance_size(&input);
    void *built = aligned_alloc(64, room);
    memset(built, 0, room);
    if (sl_balance_build(&input, built, room, &error) != 0) {
        fprintf(stderr, "fixture: %s\n", error.text);
        abort();
    }
    void *image = image_cut(built, size);
    free(built);
    free(parts);
    return image;
}

// What a flow to (ip, proto, port) meets, down to the member's address.
static uint64_t flow_walk(const struct sl_balance_table *table, const struct sl_ip *ip, uint8_t proto,
                          uint16_t port, uint64_t hash)
{
    uint32_t service = sl_balance_service_find(table, ip, proto, port);

    if (service == SL_BALANCE_NONE)
        return 1;
    const struct sl_balance_pool *pool = &sl_balance_pools(table)[sl_balance_services(table)[service].pool];
    struct sl_balance_lookup lookup = sl_balance_lookup(table, pool);
    uint32_t member = sl_balance_pick(&lookup, hash);
    uint64_t seen = service + pool->method + strlen(pool->name);
    for (uint32_t i = 0; i < pool->source_count; i++)
        seen = seen * 31 + sl_balance_sources(table)[pool->source_first + i].w[3];
    return member == SL_BALANCE_NONE ? seen
                                     : seen * 31 + sl_balance_members(table)[pool->first + member].ip.w[3];
}

uint64_t fixture_balance_walk(const struct sl_balance_table *table)
{
    uint64_t random = 4711, seen = table->service_count;

    for (unsigned i = 0; i < 2048; i++) {
        uint64_t q = fixture_random(&random);
        struct sl_ip ip = ip_of(0xc0000200 + (uint32_t)(q & 7));
        seen = seen * 31 +
               flow_walk(table, &ip, q & 8 ? IPPROTO_TCP : IPPROTO_UDP, (uint16_t)(60 + (q >> 8) % 40), q);
        const struct sl_balance_member *member = sl_balance_member_by_slot(table, (uint32_t)(q >> 32) & 63);
        const struct sl_balance_service *service =
            sl_balance_service_by_slot(table, (uint32_t)(q >> 48) & 15);
        seen = seen * 31 + (member ? sl_balance_pools(table)[member->pool].count : 0);
        seen = seen * 31 + (service ? strlen(service->name) : 0);
    }
    return seen;
}
