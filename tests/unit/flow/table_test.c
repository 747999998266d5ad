// SPDX-License-Identifier: Apache-2.0
// The session table against a naive one, at random, under virtual time; its index beyond its load; its wheel.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include "flow/memory.h"
#include "flow/table.h"

#define CAPACITY 256
#define KEYS     400
#define STEPS    300000

static uint64_t state_word;

static uint32_t draw(uint32_t below)
{
    state_word ^= state_word << 13;
    state_word ^= state_word >> 7;
    state_word ^= state_word << 17;
    return (uint32_t)((state_word >> 32) % below);
}

struct rig {
    struct flow_table table;
    struct sl_flow *entry;
    uint32_t now_ms;
};

static void rig_init(struct rig *rig, uint32_t capacity, uint32_t now_ms)
{
    struct sl_hash_seed seed;
    sl_hash_seed_init(&seed, 3, 4);
    rig->now_ms = now_ms;
    rig->entry = flow_memory_new(capacity * sizeof(*rig->entry));
    assert_non_null(rig->entry);
    assert_int_equal(flow_table_init(&rig->table, rig->entry, capacity, &seed, now_ms), 0);
    assert_int_equal(flow_table_adopt(&rig->table), 0);
}

static void rig_fini(struct rig *rig)
{
    flow_memory_free(rig->entry, rig->table.capacity * sizeof(*rig->entry));
    flow_table_fini(&rig->table);
}

// The n-th flow there could be; every third is TCP.
static struct flow_new flow_of(const struct rig *rig, uint32_t n)
{
    struct flow_new new = {
        .proto = n % 3 ? IPPROTO_UDP : IPPROTO_TCP, .kind = SL_FLOW_NAT_SOURCE, .mapping = FLOW_NONE};
    new.key[0] = (struct sl_flow_key){
        .src = sl_ip_v4(10 + n * 256), .dst = sl_ip_v4(7), .sport = (sl_be16)n, .dport = 80};
    new.key[1] = (struct sl_flow_key){
        .src = sl_ip_v4(7), .dst = sl_ip_v4(9), .sport = 80, .dport = (sl_be16)(n + 1000)};
    for (int d = 0; d < 2; d++)
        new.hash[d] = flow_hash(&rig->table, &new.key[d], new.proto);
    return new;
}

struct naive { // by number of the flow
    bool there;
    uint32_t seen_ms, timeout_ms;
};

static uint32_t found(const struct rig *rig, uint32_t n, int direction)
{
    struct flow_new new = flow_of(rig, n);
    return flow_find(&rig->table, &new.key[direction], new.proto, new.hash[direction]);
}

static void compare(const struct rig *rig, const struct naive *naive)
{
    uint32_t there = 0;
    for (uint32_t n = 0; n < KEYS; n++) {
        uint32_t a = found(rig, n, 0), b = found(rig, n, 1);
        assert_int_equal(a != FLOW_NONE, naive[n].there);
        assert_int_equal(b, naive[n].there ? (a | 1) : FLOW_NONE);
        there += naive[n].there;
    }
    assert_int_equal(rig->table.spare_count, CAPACITY - there);
    assert_int_equal(rig->table.index.keys, 2 * there);
}

static void step_create(struct rig *rig, struct naive *naive, uint32_t n)
{
    struct flow_new new = flow_of(rig, n);
    int64_t index = flow_create(&rig->table, &new, rig->now_ms);
    if (naive[n].there) {
        assert_true(index == -EEXIST || (index == -ENOSPC && rig->table.spare_count == 0));
    } else if (index >= 0) {
        naive[n] = (struct naive){true, rig->now_ms, flow_timeout_ms(&rig->table, &rig->entry[index])};
    } else {
        assert_int_equal(index, -ENOSPC);
        assert_int_equal(rig->table.spare_count, 0);
    }
}

static void step_touch(struct rig *rig, struct naive *naive, uint32_t n)
{
    uint32_t ref = found(rig, n, (int)draw(2));
    if (ref == FLOW_NONE)
        return;
    struct sl_flow *flow = &rig->entry[ref >> 1];
    uint8_t state = (uint8_t)draw(SL_FLOW_STATES);
    bool shorter = state != SL_FLOW_ESTABLISHED && flow->state == SL_FLOW_ESTABLISHED;
    flow->state = state;
    flow->seen_ms = rig->now_ms;
    if (shorter)
        flow_rearm(&rig->table, ref >> 1, rig->now_ms);
    naive[n].seen_ms = rig->now_ms;
    naive[n].timeout_ms = flow_timeout_ms(&rig->table, flow);
}

// All that is due ends, nothing before its time, nothing more than a second late.
static void step_time(struct rig *rig, struct naive *naive)
{
    rig->now_ms += draw(20) ? draw(3000) : draw(9000000);
    uint32_t budget = UINT32_MAX;
    for (uint32_t index; (index = flow_expired(&rig->table, rig->now_ms, &budget)) != FLOW_NONE;) {
        uint32_t n = rig->entry[index].key0.sport;
        assert_true(naive[n].there);
        assert_true(rig->now_ms - naive[n].seen_ms >= naive[n].timeout_ms);
        naive[n].there = false;
        flow_remove(&rig->table, index);
    }
    for (uint32_t n = 0; n < KEYS; n++)
        assert_true(!naive[n].there || rig->now_ms - naive[n].seen_ms < naive[n].timeout_ms + 1000);
}

static void table_agrees_with_a_naive_one(void **state)
{
    const uint64_t seed = 4711;
    struct naive naive[KEYS] = {0};
    struct rig rig;
    print_message("seed %llu\n", (unsigned long long)seed);
    state_word = seed;
    rig_init(&rig, CAPACITY, UINT32_MAX - 100000); // the clock wraps on the way
    for (uint32_t i = 0; i < STEPS; i++) {
        uint32_t n = draw(KEYS), what = draw(100);
        if (what < 50) {
            step_create(&rig, naive, n);
        } else if (what < 80) {
            step_touch(&rig, naive, n);
        } else if (what < 97) {
            uint32_t ref = found(&rig, n, 0);
            if (ref != FLOW_NONE)
                flow_remove(&rig.table, ref >> 1);
            naive[n].there = false;
        } else {
            step_time(&rig, naive);
        }
        if (i % 256 == 0)
            compare(&rig, naive);
    }
    rig_fini(&rig);
}

static void table_holds_as_many_flows_as_it_says(void **state)
{
    struct rig rig;
    rig_init(&rig, 50000, 0);
    for (uint32_t n = 0; n < 50000; n++) {
        struct flow_new new = flow_of(&rig, n);
        new.key[0].sport = 1; // told apart by address
        new.key[1].dst = sl_ip_v4(n);
        for (int d = 0; d < 2; d++)
            new.hash[d] = flow_hash(&rig.table, &new.key[d], new.proto);
        assert_true(flow_create(&rig.table, &new, 0) >= 0);
    }
    assert_int_equal(rig.table.spare_count, 0);
    rig_fini(&rig);
}

// The index alone, filled to 93 % with hashes that prefer a few buckets: every key that went in is found and comes
// out again, also after others were moved to make room.
static void index_finds_what_it_has_moved(void **state)
{
    static uint32_t hash[16 * FLOW_SLOTS];
    struct flow_index index;
    uint32_t in = 0;
    state_word = 99;
    assert_int_equal(flow_index_init(&index, 1), 0);
    assert_int_equal(index.mask, 15);
    while (in < 104) {
        uint32_t h = draw(UINT32_MAX) | 1;
        if (draw(3) == 0)
            h = (h & ~15u) | 5;
        if (flow_index_insert(&index, h, in) == 0)
            hash[in++] = h;
    }
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = round * 52; i < 104; i++) {
            struct flow_index_walk walk = flow_index_walk_start(&index, hash[i]);
            bool there = false;
            for (uint32_t ref; flow_index_walk_next(&index, &walk, &ref);)
                there |= ref == i;
            assert_true(there);
        }
        for (uint32_t i = round * 52; i < (round + 1) * 52; i++)
            flow_index_remove(&index, hash[i], i);
    }
    for (uint32_t b = 0; b <= index.mask; b++)
        assert_int_equal(index.bucket[b].overflow, 0);
    flow_index_fini(&index);
}

// A million flows ending in one second are taken a few at a time.
static void expiry_is_bounded_by_its_budget(void **state)
{
    struct rig rig;
    rig_init(&rig, 4096, 1000);
    for (uint32_t n = 0; n < 4096; n++) {
        struct flow_new new = flow_of(&rig, n);
        assert_true(flow_create(&rig.table, &new, 1000) >= 0);
    }
    uint32_t passes = 0, ended = 0;
    for (bool more = true; more; passes++) {
        uint32_t budget = 32, before = ended;
        for (uint32_t index; (index = flow_expired(&rig.table, 1000 + 400000, &budget)) != FLOW_NONE; ended++)
            flow_remove(&rig.table, index);
        assert_true(ended - before <= 32);
        more = ended > before;
    }
    assert_int_equal(ended, 4096);
    assert_int_equal(passes, 4096 / 32 + 1);
    rig_fini(&rig);
}

// The clocks of two threads may be a millisecond apart.
static void time_that_steps_back_ends_no_flow(void **state)
{
    struct rig rig;
    rig_init(&rig, 16, 1000);
    struct flow_new new = flow_of(&rig, 1);
    assert_true(flow_create(&rig.table, &new, 1000) >= 0);
    uint32_t budget = 32;
    assert_int_equal(flow_expired(&rig.table, 999, &budget), FLOW_NONE);
    assert_true(rig.table.wheel.time_ms < 1000);
    assert_int_equal(flow_expired(&rig.table, 2000, &budget), FLOW_NONE);
    assert_int_equal(budget, 32); // not even looked at
    rig_fini(&rig);
}

static void eviction_names_no_established_flow(void **state)
{
    struct rig rig;
    rig_init(&rig, 64, 0);
    for (uint32_t n = 0; n < 64; n++) {
        struct flow_new new = flow_of(&rig, n);
        int64_t index = flow_create(&rig.table, &new, 0);
        rig.entry[index].state = n == 40 ? SL_FLOW_CLOSING : SL_FLOW_ESTABLISHED;
    }
    uint32_t victim = FLOW_NONE;
    for (int search = 0; search < 4 && victim == FLOW_NONE; search++) // each looks at some
        victim = flow_evictable(&rig.table, 10);
    assert_int_not_equal(victim, FLOW_NONE);
    assert_int_equal(rig.entry[victim].key0.sport, 40);
    flow_remove(&rig.table, victim);
    for (int search = 0; search < 4; search++)
        assert_int_equal(flow_evictable(&rig.table, 10), FLOW_NONE);
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_agrees_with_a_naive_one),
        cmocka_unit_test(table_holds_as_many_flows_as_it_says),
        cmocka_unit_test(index_finds_what_it_has_moved),
        cmocka_unit_test(expiry_is_bounded_by_its_budget),
        cmocka_unit_test(time_that_steps_back_ends_no_flow),
        cmocka_unit_test(eviction_names_no_established_flow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
