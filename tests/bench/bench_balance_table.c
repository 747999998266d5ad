// SPDX-License-Identifier: Apache-2.0
// What control and a new flow pay for the balance table: building, checking, a change in place by method, and cycles
// to find a service and a member, one by one and in bursts of 32 with the address prefetched. Medians over runs.
// usage: bench_balance_table [POOLS [MEMBERS]]
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include "shm/check.h"
#include "table/balance_read.h"
#include "table/balance_table.h"

#define RUNS    11
#define LOOKUPS (1u << 18)
#define BURST   32

static const char *const method_name[SL_BALANCE_METHODS] = {
    "maglev", "round robin", "weighted round robin", "least", "weighted least", "source hash", "two choices"};

static uint64_t random_next(void)
{
    static uint64_t state = 88172645463325252ULL;

    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int compare_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *value, unsigned count)
{
    qsort(value, count, sizeof(*value), compare_double);
    return value[count / 2];
}

// ---- input --------------------------------------------------------------------------------------------------
struct world {
    struct sl_balance_service *service;
    struct sl_balance_pool *pool;
    struct sl_balance_member *member;
    struct sl_balance_listen *listen;
    struct sl_balance_input input;
    struct sl_balance_table *table;
    uint64_t size;
};

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);

    if (!memory)
        exit(1);
    return memory;
}

static struct sl_ip address_of(uint32_t service)
{
    return sl_ip_v4(__builtin_bswap32(0xc6120000 + service));
}

static void pool_fill(struct world *w, uint32_t i, uint32_t members, uint8_t method)
{
    w->service[i] = (struct sl_balance_service){.slot = i, .pool = i};
    w->pool[i] = (struct sl_balance_pool){.first = i * members, .count = members, .method = method};
    w->listen[i] = (struct sl_balance_listen){
        .ip = address_of(i), .proto = 6, .first_port = 443, .last_port = 443, .service = i};
    for (uint32_t m = i * members; m < (i + 1) * members; m++)
        w->member[m] = (struct sl_balance_member){.ip = sl_ip_v4(__builtin_bswap32(0x0a000000 + m)),
                                                  .port = 8443,
                                                  .pool = i,
                                                  .slot = m,
                                                  .word = SL_BALANCE_WORD(SL_BALANCE_UP, 100 + m % 3 * 50)};
}

static void world_init(struct world *w, uint32_t pools, uint32_t members, uint8_t method)
{
    w->service = allocate(pools, sizeof(*w->service));
    w->pool = allocate(pools, sizeof(*w->pool));
    w->member = allocate((size_t)pools * members, sizeof(*w->member));
    w->listen = allocate(pools, sizeof(*w->listen));
    for (uint32_t i = 0; i < pools; i++)
        pool_fill(w, i, members, method);
    w->input = (struct sl_balance_input){.service = w->service,
                                         .service_count = pools,
                                         .pool = w->pool,
                                         .pool_count = pools,
                                         .member = w->member,
                                         .member_count = pools * members,
                                         .listen = w->listen,
                                         .listen_count = pools,
                                         .hash_seed = 1};
    w->size = sl_balance_size(&w->input);
    w->table = aligned_alloc(64, w->size);
    if (w->size == 0 || !w->table)
        exit(1);
}

static void world_fini(struct world *w)
{
    free(w->service);
    free(w->pool);
    free(w->member);
    free(w->listen);
    free(w->table);
}

static void world_build(struct world *w)
{
    struct sl_error error;

    memset(w->table, 0, w->size);
    if (sl_balance_build(&w->input, w->table, w->size, &error) != 0) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
}

// ---- control ------------------------------------------------------------------------------------------------
static void build_measure(struct world *w)
{
    double build[3], check[3];

    for (unsigned i = 0; i < 3; i++) {
        double start = now_ms();
        world_build(w);
        build[i] = now_ms() - start;
        start = now_ms();
        if (sl_balance_table_check(w->table, w->size, NULL) != 0)
            exit(1);
        check[i] = now_ms() - start;
    }
    printf("  table of %.1f MB: build %.0f ms, check %.0f ms\n", (double)w->size / 1e6, median(build, 3),
           median(check, 3));
}

// A member goes down and comes back: what each of the two costs.
static void update_measure(struct world *w, const char *name)
{
    double took[2 * RUNS];

    for (unsigned i = 0; i < 2 * RUNS; i++) {
        struct sl_balance_change change = {
            .member = 1, .state = i % 2 ? SL_BALANCE_UP : SL_BALANCE_DOWN, .weight = 100};
        double start = now_ms();
        if (sl_balance_update(w->table, 0, &change, 1) != 0)
            exit(1);
        took[i] = now_ms() - start;
    }
    printf("  %-22s a member down or up in %u entries: %.3f ms\n", name,
           sl_balance_pools(w->table)[0].lookup_capacity, median(took, 2 * RUNS));
}

// ---- workers ------------------------------------------------------------------------------------------------
static struct sl_flow_key *keys_make(uint32_t pools)
{
    struct sl_flow_key *key = allocate(LOOKUPS, sizeof(*key));

    for (uint32_t i = 0; i < LOOKUPS; i++)
        key[i] = (struct sl_flow_key){.src = sl_ip_v4((uint32_t)random_next()),
                                      .dst = address_of((uint32_t)(random_next() % pools)),
                                      .sport = (uint16_t)random_next(),
                                      .dport = __builtin_bswap16(443)};
    return key;
}

static uint32_t member_of(const struct sl_balance_table *table, const struct sl_balance_address *address,
                          const struct sl_flow_key *key)
{
    uint32_t service = address ? sl_balance_rule_find(table, address, 6, 443) : SL_BALANCE_NONE;

    if (service == SL_BALANCE_NONE)
        return 0;
    const struct sl_balance_pool *pool = &sl_balance_pools(table)[sl_balance_services(table)[service].pool];
    struct sl_balance_lookup lookup = sl_balance_lookup(table, pool);
    uint32_t member = sl_balance_pick(&lookup, sl_balance_flow_hash(table, key, 6));
    return member == SL_BALANCE_NONE ? 0 : sl_balance_members(table)[pool->first + member].slot;
}

static uint64_t find_singly(const struct sl_balance_table *table, const struct sl_flow_key *key, bool whole)
{
    uint64_t seen = 0;

    for (uint32_t i = 0; i < LOOKUPS; i++) {
        struct sl_ip dst = key[i].dst;
        const struct sl_balance_address *address =
            sl_balance_address_find(table, &dst, sl_balance_address_start(table, &dst));
        seen += whole     ? member_of(table, address, &key[i])
                : address ? sl_balance_rule_find(table, address, 6, 443)
                          : 0;
    }
    return seen;
}

static uint64_t find_in_bursts(const struct sl_balance_table *table, const struct sl_flow_key *key,
                               bool whole)
{
    uint64_t seen = 0;
    uint32_t start[BURST];

    for (uint32_t first = 0; first < LOOKUPS; first += BURST) {
        for (uint32_t i = 0; i < BURST; i++) {
            struct sl_ip dst = key[first + i].dst;
            start[i] = sl_balance_address_start(table, &dst);
            sl_balance_address_prefetch(table, start[i]);
        }
        for (uint32_t i = 0; i < BURST; i++) {
            struct sl_ip dst = key[first + i].dst;
            const struct sl_balance_address *address = sl_balance_address_find(table, &dst, start[i]);
            seen += whole     ? member_of(table, address, &key[first + i])
                    : address ? sl_balance_rule_find(table, address, 6, 443)
                              : 0;
        }
    }
    return seen;
}

static void find_measure(const struct world *w, uint32_t pools, const char *what,
                         uint64_t (*find)(const struct sl_balance_table *, const struct sl_flow_key *, bool),
                         bool whole)
{
    struct sl_flow_key *key = keys_make(pools);
    double cycles[RUNS];
    uint64_t seen = 0;

    for (unsigned i = 0; i < RUNS; i++) {
        uint64_t start = __rdtsc();
        seen += find(w->table, key, whole);
        cycles[i] = (double)(__rdtsc() - start) / LOOKUPS;
    }
    printf("  %-44s %6.1f cycles (%lu)\n", what, median(cycles, RUNS), (unsigned long)(seen & 0xff));
    free(key);
}

int main(int argc, char **argv)
{
    uint32_t pools = argc > 1 ? (uint32_t)atoi(argv[1]) : 1000,
             members = argc > 2 ? (uint32_t)atoi(argv[2]) : 100;
    struct world w;

    printf("%u pools of %u members, maglev\n", pools, members);
    world_init(&w, pools, members, SL_BALANCE_MAGLEV);
    build_measure(&w);
    find_measure(&w, pools, "service of an address, one by one", find_singly, false);
    find_measure(&w, pools, "service of an address, in bursts", find_in_bursts, false);
    find_measure(&w, pools, "and the member, one by one", find_singly, true);
    find_measure(&w, pools, "and the member, in bursts", find_in_bursts, true);
    find_measure(&w, 1, "and the member, of one service", find_in_bursts, true);
    world_fini(&w);
    printf("one pool of %u members\n", members);
    for (uint8_t method = 0; method < SL_BALANCE_METHODS; method++) {
        world_init(&w, 1, members, method);
        world_build(&w);
        update_measure(&w, method_name[method]);
        world_fini(&w);
    }
    return 0;
}
