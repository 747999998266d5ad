// SPDX-License-Identifier: Apache-2.0
// The neighbor table against a plain array, at random; adoption of what another process left; readers beside a
// writer that gives slots from one key to the next.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "neighbor/table.h"

#define LIMIT         64
#define KEYS          300
#define STEPS         200000
#define BURST_OF_KEYS 50 // divides KEYS, below a burst

struct fixture {
    struct neighbor_table table;
    struct sl_neighbor_segment *segment;
};

static struct fixture fixture_new(void)
{
    struct fixture f;
    uint64_t size = neighbor_segment_size(LIMIT);

    f.segment = aligned_alloc(64, (size + 63) / 64 * 64);
    assert_non_null(f.segment);
    memset(f.segment, 0, size);
    neighbor_segment_init(f.segment, LIMIT, 42);
    f.table = (struct neighbor_table){
        .entry = (struct sl_neighbor *)((uint8_t *)f.segment + f.segment->entry_offset),
        .mask = f.segment->capacity - 1,
        .limit = LIMIT,
        .seed = f.segment->seed,
        .segment = f.segment,
    };
    return f;
}

static uint32_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 32);
}

// Key n: half of them IPv4, on three ports.
static struct sl_ip key_ip(uint32_t n)
{
    struct sl_ip v6 = {.b = {0x20, 1, 0xd, 0xb8, [14] = (uint8_t)(n >> 8), (uint8_t)n}};

    return n & 1 ? v6 : sl_ip_v4(__builtin_bswap32(0x0a000000 + n));
}

static uint16_t key_port(uint32_t n)
{
    return (uint16_t)(n % 3);
}

struct known { // the reference: what is known of key n
    bool there;
    uint64_t word;
};

static uint32_t free_in_window(const struct fixture *f, uint32_t n)
{
    struct sl_ip ip = key_ip(n);
    uint32_t home = neighbor_home(&f->table, key_port(n), &ip), count = 0;

    for (uint32_t i = 0; i < NEIGHBOR_WINDOW; i++)
        count += neighbor_state(f->table.entry[(home + i) & f->table.mask].mac_state) == SL_NEIGHBOR_FREE;
    return count;
}

static void step_insert(struct fixture *f, struct known *known, uint32_t n, uint64_t *random)
{
    struct sl_ip ip = key_ip(n);
    uint8_t mac[6] = {
        2, 0, (uint8_t)next_random(random), (uint8_t)next_random(random), (uint8_t)(n >> 8), (uint8_t)n};
    bool room = f->segment->used < LIMIT && free_in_window(f, n) > 0;
    struct sl_neighbor *entry = neighbor_insert(&f->table, key_port(n), &ip);

    assert_int_equal(entry != NULL, room);
    if (!entry)
        return;
    assert_int_equal(neighbor_state(entry->mac_state), SL_NEIGHBOR_INCOMPLETE);
    known[n] = (struct known){true, neighbor_word(mac, SL_NEIGHBOR_REACHABLE)};
    neighbor_store(entry, known[n].word);
}

static void check_all(const struct fixture *f, const struct known *known)
{
    struct neighbor_query query[BURST_OF_KEYS];
    uint64_t word[BURST_OF_KEYS];
    uint32_t there = 0;

    for (uint32_t n = 0; n < KEYS; n++) {
        struct sl_ip ip = key_ip(n);
        query[n % BURST_OF_KEYS] = (struct neighbor_query){.ip = ip, .port = key_port(n)};
        assert_true(neighbor_find(&f->table, key_port(n), &ip) << 8 == known[n].word << 8);
        there += known[n].there;
        if (n % BURST_OF_KEYS != BURST_OF_KEYS - 1)
            continue;
        neighbor_find_bulk(&f->table, query, BURST_OF_KEYS, word);
        for (uint32_t i = 0; i < BURST_OF_KEYS; i++)
            assert_true(word[i] << 8 == known[n - (BURST_OF_KEYS - 1) + i].word << 8);
    }
    assert_int_equal(f->segment->used, there);
}

static void finds_what_a_plain_array_finds(void **state)
{
    struct fixture f = fixture_new();
    struct known known[KEYS] = {0};
    uint64_t random = 20260101;

    (void)state;
    printf("seed %llu\n", (unsigned long long)random);
    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t n = next_random(&random) % KEYS;
        struct sl_ip ip = key_ip(n);
        struct sl_neighbor *entry = neighbor_lookup(&f.table, key_port(n), &ip);
        assert_int_equal(entry != NULL, known[n].there);
        if (entry && next_random(&random) % 2) {
            neighbor_remove(&f.table, entry);
            known[n] = (struct known){0};
        } else if (!entry) {
            step_insert(&f, known, n, &random);
        }
        if (step % 500 == 0)
            check_all(&f, known);
    }
    free(f.segment);
}

static void leaves_no_tombstones_when_all_are_gone(void **state)
{
    struct fixture f = fixture_new();

    (void)state;
    for (uint32_t round = 0; round < 50; round++) {
        for (uint32_t n = 0; n < LIMIT; n++) {
            struct sl_ip ip = key_ip(n + round);
            neighbor_insert(&f.table, key_port(n + round), &ip);
        }
        for (uint32_t n = 0; n < LIMIT; n++) {
            struct sl_ip ip = key_ip(n + round);
            struct sl_neighbor *entry = neighbor_lookup(&f.table, key_port(n + round), &ip);
            if (entry)
                neighbor_remove(&f.table, entry);
        }
    }
    for (uint32_t i = 0; i <= f.table.mask; i++)
        assert_true(neighbor_empty(f.table.entry[i].mac_state));
    free(f.segment);
}

static struct sl_neighbor *put(struct fixture *f, uint32_t n, enum sl_neighbor_state state,
                               uint32_t updated_ms)
{
    struct sl_ip ip = key_ip(n);
    uint8_t mac[6] = {2, 0, 0, 0, 0, (uint8_t)n};
    struct sl_neighbor *entry = neighbor_insert(&f->table, key_port(n), &ip);

    assert_non_null(entry);
    neighbor_store(entry, neighbor_word(mac, state));
    entry->updated_ms = updated_ms;
    return entry;
}

static void gives_up_the_failed_then_the_longest_unused(void **state)
{
    struct fixture f = fixture_new();
    struct sl_ip wanted = key_ip(250);

    (void)state;
    f.table.limit = 4;
    struct sl_neighbor *used = put(&f, 1, SL_NEIGHBOR_STALE, 100);
    struct sl_neighbor *old = put(&f, 2, SL_NEIGHBOR_STALE, 200);
    put(&f, 3, SL_NEIGHBOR_REACHABLE, 50);
    struct sl_neighbor *failed = put(&f, 4, SL_NEIGHBOR_FAILED, 900);
    used->used = 1;
    f.table.mask = 63; // as many slots as are looked at
    assert_ptr_equal(neighbor_victim(&f.table, 0, &wanted, 1000), failed);
    neighbor_store(failed, neighbor_word((uint8_t[6]){2, 0, 0, 0, 0, 9}, SL_NEIGHBOR_STATIC));
    assert_ptr_equal(neighbor_victim(&f.table, 0, &wanted, 1000), old);
    old->used = 1;
    assert_null(neighbor_victim(&f.table, 0, &wanted, 1000));
    free(f.segment);
}

static void adopts_knowledge_and_forgets_the_rest(void **state)
{
    struct fixture f = fixture_new();
    struct sl_ip moved_ip = key_ip(99);

    (void)state;
    struct sl_neighbor *reachable = put(&f, 1, SL_NEIGHBOR_REACHABLE, 1);
    struct sl_neighbor *failed = put(&f, 2, SL_NEIGHBOR_FAILED, 1);
    struct sl_neighbor *moved = put(&f, 3, SL_NEIGHBOR_STALE, 1);
    struct sl_neighbor *nonsense = put(&f, 4, SL_NEIGHBOR_STALE, 1);
    for (uint32_t i = 0; i <= f.table.mask; i++) { // the key of `moved` belongs elsewhere
        moved_ip = key_ip(100 + i);
        if (((neighbor_home(&f.table, moved->port, &moved_ip) ^ (uint32_t)(moved - f.table.entry)) &
             f.table.mask) > 64)
            break;
    }
    moved->ip = moved_ip;
    neighbor_store(nonsense, 77ULL << 48 | 1);
    neighbor_adopt(&f.table);
    assert_int_equal(neighbor_state(reachable->mac_state), SL_NEIGHBOR_STALE);
    assert_int_equal((uint8_t)(reachable->mac_state >> 40), 1);
    assert_int_equal(neighbor_state(failed->mac_state), SL_NEIGHBOR_FREE);
    assert_int_equal(neighbor_state(moved->mac_state), SL_NEIGHBOR_FREE);
    assert_int_equal(neighbor_state(nonsense->mac_state), SL_NEIGHBOR_FREE);
    assert_int_equal(f.segment->used, 1);
    free(f.segment);
}

// ---- a reader beside the writer
#define ROUNDS 400000

struct race {
    struct fixture *f;
    bool stop;
    uint64_t found, wrong;
};

static void *reader(void *arg)
{
    struct race *race = arg;

    for (uint32_t n = 0; !__atomic_load_n(&race->stop, __ATOMIC_RELAXED); n = (n + 1) % 8) {
        struct sl_ip ip = key_ip(n);
        uint64_t word =
            neighbor_find_at(&race->f->table, neighbor_home(&race->f->table, 0, &ip), 0, &ip, NULL);
        if (!neighbor_usable(word))
            continue;
        race->found++;
        race->wrong += (uint8_t)(word >> 40) != (uint8_t)n;
    }
    return NULL;
}

// Eight keys share one slot at a time: the MAC a reader gets is that of the key it asked for, whatever happens.
static void a_reader_never_sees_another_keys_mac(void **state)
{
    struct fixture f = fixture_new();
    struct race race = {.f = &f};
    pthread_t thread;

    (void)state;
    f.table.mask = 0; // every key's home is slot 0
    assert_int_equal(pthread_create(&thread, NULL, reader, &race), 0);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint32_t n = i % 8;
        struct sl_ip ip = key_ip(n);
        uint8_t mac[6] = {2, 0, 0, 0, 0, (uint8_t)n};
        struct sl_neighbor *entry = neighbor_insert(&f.table, 0, &ip);
        assert_non_null(entry);
        neighbor_store(entry, neighbor_word(mac, SL_NEIGHBOR_REACHABLE));
        neighbor_remove(&f.table, entry);
    }
    __atomic_store_n(&race.stop, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    printf("%llu lookups met their key\n", (unsigned long long)race.found);
    assert_int_equal(race.wrong, 0);
    free(f.segment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_a_plain_array_finds),
        cmocka_unit_test(leaves_no_tombstones_when_all_are_gone),
        cmocka_unit_test(gives_up_the_failed_then_the_longest_unused),
        cmocka_unit_test(adopts_knowledge_and_forgets_the_rest),
        cmocka_unit_test(a_reader_never_sees_another_keys_mac),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
